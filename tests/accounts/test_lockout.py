"""Guessing is slow, and nobody is locked out by somebody else's guessing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.accounts import lockout
from pbx.accounts.account import AccountError
from pbx.accounts.known_devices import KnownDevices
from pbx.accounts.lockout import Lockout, network_of

KEY = b"\x05" * 32


def wait(
    kept: Lockout, now: float, account: str = "alice", address: str = "192.0.2.7", device: str = ""
) -> int:
    """How long an attempt has to wait now."""
    try:
        kept.refuse_too_soon(account, address, device, now)
    except AccountError as refusal:
        assert (refusal.code, refusal.status) == ("too_many_attempts", 429)
        return refusal.wait_seconds
    return 0


def guess(
    kept: Lockout, until: float, account: str = "alice", address: str = "192.0.2.7", device: str = ""
) -> int:
    """Guess as fast as one may, for so many seconds from 0; returns how many guesses that were."""
    now, guesses = 0.0, 0
    while now < until:
        if seconds := wait(kept, now, account, address, device):
            now += seconds
        else:
            kept.failed(account, address, device, now)
            guesses += 1
    return guesses


def test_the_first_mistakes_are_free():
    kept = Lockout()
    for _ in range(lockout.FREE_FAILURES):
        assert wait(kept, 0) == 0
        kept.failed("alice", "192.0.2.7", "", 0)
    assert wait(kept, 0) == 0


def test_each_mistake_after_them_doubles_the_wait_up_to_a_quarter_of_an_hour():
    kept, waits = Lockout(), []
    now = 0.0
    for _ in range(17):
        now += wait(kept, now)
        kept.failed("alice", "192.0.2.7", "", now)
        waits.append(wait(kept, now))
    assert waits[:8] == [0, 0, 0, 1, 2, 4, 8, 16]
    assert waits[-2:] == [900, 900]


def test_a_day_of_guessing_is_about_a_hundred_guesses():
    assert 100 <= guess(Lockout(), 86_400) <= 120


def test_an_hour_without_mistakes_forgives():
    kept = Lockout()
    for _ in range(10):
        kept.failed("alice", "192.0.2.7", "", 0)
    assert wait(kept, 1) > 0
    assert wait(kept, lockout.FORGOTTEN_SECONDS) == 0


def test_the_right_password_forgives():
    kept = Lockout()
    for _ in range(10):
        kept.failed("alice", "192.0.2.7", "", 0)
    kept.succeeded("alice", "192.0.2.7", "", 100)
    assert wait(kept, 100) == 0


def test_another_address_of_the_same_network_waits_as_well():
    kept = Lockout()
    for _ in range(10):
        kept.failed("alice", "192.0.2.7", "", 0)
        kept.failed("alice", "2001:db8:1:2::7", "", 0)
    assert wait(kept, 1, address="192.0.2.250") > 0
    assert wait(kept, 1, address="2001:db8:1:2:ffff::1") > 0
    assert wait(kept, 1, address="::ffff:192.0.2.9") > 0
    assert wait(kept, 1, address="2001:db8:1:3::7") == 0


def test_a_network_that_tries_many_accounts_is_slowed_down_for_all_of_them():
    kept = Lockout()
    for number in range(lockout.NETWORK_FAILURES):
        kept.failed(f"account{number}", "192.0.2.7", "", 0)
    assert wait(kept, 0, account="somebody.else") == lockout.NETWORK_REFILL_SECONDS
    assert wait(kept, lockout.NETWORK_REFILL_SECONDS, account="somebody.else") == 0


def test_a_morning_when_everybody_signs_in_from_one_network_slows_nobody_down():
    kept = Lockout()
    for number in range(500):  # each is counted before it is known to be right
        assert wait(kept, 0, account=f"account{number}") == 0
        kept.failed(f"account{number}", "192.0.2.7", "", 0)
        kept.succeeded(f"account{number}", "192.0.2.7", "", 0)


def test_loopback_is_no_exception():
    kept = Lockout()
    for _ in range(10):
        kept.failed("alice", "127.0.0.1", "", 0)
    assert wait(kept, 1, address="127.0.0.1") > 0


attackers = st.lists(
    st.tuples(
        st.sampled_from(["alice", "bruno", "admin"]),
        st.ip_addresses(v=4).filter(lambda address: not str(address).startswith("192.0.2.")).map(str),
        st.floats(0, 7200),
    ),
    max_size=60,
)


@given(attackers)
def test_whatever_strangers_elsewhere_do_nobody_here_waits(attempts):
    kept = Lockout()
    for account, address, now in sorted(attempts, key=lambda attempt: attempt[2]):
        kept.failed(account, address, "", now)
    assert wait(kept, 7200) == 0


@given(attackers, st.integers(0, 40))
def test_whatever_strangers_do_even_beside_one_a_browser_that_is_known_does_not_wait(attempts, beside):
    kept = Lockout()
    for account, address, now in sorted(attempts, key=lambda attempt: attempt[2]):
        kept.failed(account, address, "", now)
    for _ in range(beside):
        kept.failed("alice", "192.0.2.7", "", 7200)
    assert wait(kept, 7200, device="here") == 0


def test_who_steals_a_known_browser_guesses_as_slowly_as_anybody():
    assert 100 <= guess(Lockout(), 86_400, device="stolen") <= 120


def test_second_factors_are_counted_for_the_account_wherever_they_are_tried():
    kept = Lockout()
    for _ in range(10):
        kept.factor_failed("alice", "", 0)
    with pytest.raises(AccountError):
        kept.refuse_factor_too_soon("alice", "", 1)
    kept.refuse_factor_too_soon("alice", "here", 1)
    kept.refuse_factor_too_soon("bruno", "", 1)
    kept.factor_succeeded("alice", "")
    kept.refuse_factor_too_soon("alice", "", 1)


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(lockout, "MOST_REMEMBERED", 100)
    kept = Lockout()
    for number in range(1000):
        kept.failed(f"a{number}", f"10.{number // 250}.{number % 250}.1", "", number)
    assert len(kept._counts) == 100
    assert len(kept._networks) == 100


@pytest.mark.parametrize(
    ("address", "network"),
    [("192.0.2.7", "192.0.2.0/24"), ("fe80::1%eth0", "fe80::/64"), ("testclient", "testclient"), ("", "")],
)
def test_an_address_counts_for_its_network(address, network):
    assert network_of(address) == network


# Known browsers


def test_a_browser_is_known_to_the_account_that_signed_in_and_to_no_other():
    known = KnownDevices(KEY)
    cookie = known.with_device("", "alice", 0)
    assert known.device_of(cookie, "alice", 1)
    assert known.device_of(cookie, "bruno", 1) == ""
    assert "alice" not in cookie


def test_several_accounts_share_a_browser_and_each_stays_known():
    known, cookie = KnownDevices(KEY), ""
    for account in ("alice", "bruno", "alice"):
        cookie = known.with_device(cookie, account, 0)
    assert known.device_of(cookie, "alice", 1)
    assert known.device_of(cookie, "bruno", 1)
    assert known.device_of(cookie, "alice", 1) != known.device_of(cookie, "bruno", 1)
    assert cookie.count("~") == 1


def test_a_browser_is_forgotten_after_a_year():
    known = KnownDevices(KEY)
    cookie = known.with_device("", "alice", 0)
    assert known.device_of(cookie, "alice", 365 * 86_400) == ""


@given(st.text(max_size=700))
def test_a_forged_cookie_is_known_to_nobody(cookie):
    assert KnownDevices(KEY).device_of(cookie, "alice", 1) == ""


def test_another_nodes_cookie_is_known_to_nobody():
    cookie = KnownDevices(b"\x06" * 32).with_device("", "alice", 0)
    assert KnownDevices(KEY).device_of(cookie, "alice", 1) == ""
