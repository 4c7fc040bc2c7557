"""Who gets a telephone's settings, and who doesn't."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.enrolment import (
    APPROVAL_SECONDS,
    TOKEN_SECONDS,
    Enrolled,
    Fetch,
    Isolated,
    Point,
    Refuse,
    Serve,
    admit,
    hashed,
)

MAC = "805ec0123456"
NOW = 1_700_000_000.0
ASKING = Fetch("https", MAC, "10.54.1.20", from_voice=True, from_isolated=True)
ENROLLED = Enrolled(MAC, "enrolled", secret=hashed("right"), former_secret=hashed("before"))
INVITED = Enrolled(MAC, "waiting", token=hashed("once"), token_at=NOW - 60.0)
APPROVED = Enrolled(MAC, "approved", address="10.54.1.20", approved_at=NOW - 60.0)


def admitted(fetch: Fetch, known: Enrolled | None, *, window_open: bool = False, now: float = NOW):
    return admit(fetch, known, window_open=window_open, now=now)


def test_a_mac_address_alone_gets_nothing():
    assert admitted(ASKING, None) == Refuse("unknown", lists=True)
    assert admitted(ASKING, None, window_open=True) == Refuse("waiting", lists=True)
    assert admitted(ASKING, ENROLLED) == Refuse("waiting", lists=True)


def test_its_own_secret_gets_its_settings():
    assert admitted(replace(ASKING, secret="right"), ENROLLED) == Serve("secret", new_secret=False)


def test_the_secret_before_the_last_one_is_taken_until_the_new_one_was_used():
    assert admitted(replace(ASKING, secret="before"), ENROLLED) == Serve("former_secret", new_secret=False)
    used = replace(ENROLLED, former_secret="")
    assert admitted(replace(ASKING, secret="before"), used) == Refuse("wrong_secret")


def test_another_devices_secret_gets_nothing():
    assert admitted(replace(ASKING, secret="others"), ENROLLED) == Refuse("wrong_secret")
    assert admitted(replace(ASKING, secret="right"), None) == Refuse("wrong_secret")


def test_an_empty_secret_is_nobodys():
    nothing = Enrolled(MAC, "enrolled")
    assert admitted(replace(ASKING, secret="x"), nothing) == Refuse("wrong_secret")


def test_a_token_works_once():
    fetch = replace(ASKING, token="once")
    assert admitted(fetch, INVITED) == Serve("token", new_secret=True)
    assert admitted(fetch, replace(INVITED, token_used=True)) == Refuse("token_used")


def test_a_token_ends():
    fetch = replace(ASKING, token="once")
    assert admitted(fetch, INVITED, now=INVITED.token_at + TOKEN_SECONDS) == Refuse("token_over")
    assert admitted(fetch, INVITED, now=INVITED.token_at - 1.0) == Refuse("token_over")


def test_a_token_works_for_its_own_device_from_anywhere():
    assert admitted(replace(ASKING, token="once", from_voice=False), INVITED) == Serve(
        "token", new_secret=True
    )
    assert admitted(replace(ASKING, token="others"), INVITED) == Refuse("wrong_secret")


def test_a_certificate_counts_for_the_address_that_it_is_made_out_to():
    assert admitted(replace(ASKING, certificate_mac=MAC), None) == Serve("certificate", new_secret=True)
    assert admitted(replace(ASKING, certificate_mac="805ec0999999"), None) == Refuse("others_certificate")


def test_an_approval_counts_for_its_address_in_an_open_window_for_a_while():
    assert admitted(ASKING, APPROVED, window_open=True) == Serve("approval", new_secret=True)
    assert admitted(ASKING, APPROVED) == Refuse("unknown", lists=True)
    elsewhere = replace(ASKING, address="10.54.1.66")
    assert admitted(elsewhere, APPROVED, window_open=True) == Refuse("waiting", lists=True)
    late = APPROVED.approved_at + APPROVAL_SECONDS
    assert admitted(ASKING, APPROVED, window_open=True, now=late) == Refuse("waiting", lists=True)


def test_outside_the_voice_networks_nobody_waits_to_be_approved():
    assert admitted(replace(ASKING, from_voice=False), APPROVED, window_open=True) == Refuse("not_here")


@pytest.mark.parametrize("transport", ["tftp", "http"])
def test_in_clear_there_is_a_pointer_and_nothing_else(transport):
    for known in (None, ENROLLED, INVITED, APPROVED):
        fetch = replace(ASKING, transport=transport, secret="right", token="once", certificate_mac=MAC)
        assert admitted(fetch, known, window_open=True) == Point()
        assert admitted(replace(fetch, from_voice=False), known, window_open=True) == Refuse("not_here")


def test_an_old_telephone_in_its_own_network_gets_what_holds_no_secret():
    old = replace(ENROLLED, old_tls=True)
    assert admitted(replace(ASKING, transport="http"), old) == Isolated()
    assert admitted(replace(ASKING, transport="http", from_voice=False), old) == Refuse("not_here")
    assert admitted(replace(ASKING, transport="http", from_isolated=False), old) == Point()
    assert admitted(replace(ASKING, transport="tftp"), old) == Point()


def test_a_lost_telephone_gets_nothing_whatever_it_shows():
    lost = replace(ENROLLED, stage="blocked", token=hashed("once"), token_at=NOW)
    for fetch in (
        ASKING,
        replace(ASKING, secret="right"),
        replace(ASKING, token="once"),
        replace(ASKING, certificate_mac=MAC),
    ):
        assert admitted(fetch, lost, window_open=True) == Refuse("blocked")
    clear = replace(ASKING, transport="http")
    assert admitted(clear, replace(lost, old_tls=True)) == admitted(clear, None) == Point()


fetches = st.builds(
    Fetch,
    transport=st.sampled_from(["https", "http", "tftp"]),
    mac=st.just(MAC),
    address=st.sampled_from(["10.54.1.20", "203.0.113.9"]),
    from_voice=st.booleans(),
    secret=st.sampled_from(["", "right", "before", "guess"]),
    token=st.sampled_from(["", "once", "guess"]),
    certificate_mac=st.sampled_from(["", MAC, "805ec0999999"]),
)
devices = st.none() | st.builds(
    Enrolled,
    mac=st.just(MAC),
    stage=st.sampled_from(["waiting", "approved", "enrolled", "blocked"]),
    secret=st.sampled_from(["", hashed("right")]),
    former_secret=st.sampled_from(["", hashed("before")]),
    token=st.sampled_from(["", hashed("once")]),
    token_at=st.sampled_from([0.0, NOW - 60.0, NOW + 60.0]),
    token_used=st.booleans(),
    address=st.sampled_from(["", "10.54.1.20"]),
    approved_at=st.sampled_from([0.0, NOW - 60.0]),
    old_tls=st.booleans(),
)


@given(fetch=fetches, known=devices, window_open=st.booleans())
def test_settings_go_to_whoever_has_proved_something_over_https_and_to_nobody_else(fetch, known, window_open):
    admission = admit(fetch, known, window_open=window_open, now=NOW)
    if not isinstance(admission, Serve):
        return
    assert fetch.transport == "https"
    assert known is None or known.stage != "blocked"
    proofs = [
        known is not None and known.stage == "enrolled" and fetch.secret in ("right", "before"),
        known is not None and fetch.token == "once" and not known.token_used,
        fetch.certificate_mac == MAC,
        known is not None and known.stage == "approved" and window_open and fetch.from_voice,
    ]
    assert any(proofs)
