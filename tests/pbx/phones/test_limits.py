"""How often settings may be asked for, and by whom."""

import pytest

from pbx.phones.limits import (
    MOST_ADDRESSES,
    MOST_REFUSALS,
    MOST_REFUSALS_OF_NETWORK,
    MOST_REQUESTS,
    WINDOW_SECONDS,
    Limits,
)


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def refused_often(limits: Limits, addresses: list[str], times: int = MOST_REFUSALS + 1) -> None:
    for address in addresses:
        for _ in range(times):
            limits.refused(address)


def test_whoever_is_refused_often_waits_for_the_window_to_end():
    clock = Clock()
    limits = Limits(clock)
    refused_often(limits, ["10.54.1.66"])
    assert not limits.takes("10.54.1.66") and limits.takes("10.54.1.67")
    assert [limits.is_first_turned_away("10.54.1.66") for _ in range(2)] == [True, False]
    clock.now += WINDOW_SECONDS
    assert limits.takes("10.54.1.66")


@pytest.mark.parametrize(
    ("one", "others"),
    [
        ("10.54.1.66", [f"10.54.1.{number}" for number in range(1, 60)]),
        ("2001:db8:1:2::66", [f"2001:db8:1:{number:x}::1" for number in range(3, 60)]),
    ],
)
def test_one_that_takes_many_addresses_ends_guessing_in_its_network_and_there_alone(
    one: str, others: list[str]
):
    limits = Limits(Clock())
    refused_often(limits, others, MOST_REFUSALS_OF_NETWORK // len(others) + 1)
    assert not limits.takes(one) and limits.takes(one, proves=True)
    assert limits.takes("10.54.2.1") and limits.takes("2001:db8:2::1")


def test_all_addresses_of_a_link_in_ipv6_are_one():
    """RFC 4291 section 2.5.1."""
    limits = Limits(Clock())
    refused_often(limits, [f"2001:db8::{number:x}" for number in range(1, MOST_REFUSALS + 2)], 1)
    assert not limits.takes("2001:db8::ffff")


def test_a_secret_is_no_leave_to_ask_for_ever():
    limits = Limits(Clock())
    assert all(limits.takes("10.54.1.66", proves=True) for _ in range(MOST_REQUESTS))
    assert not limits.takes("10.54.1.66", proves=True)


def test_this_machine_is_not_counted():
    limits = Limits(Clock())
    refused_often(limits, ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
    assert limits.takes("127.0.0.1") and limits.takes("::1")


def test_what_is_counted_is_bounded():
    limits = Limits(Clock())
    for number in range(MOST_ADDRESSES + 100):
        limits.refused(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(limits._counts) <= MOST_ADDRESSES
