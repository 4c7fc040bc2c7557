"""What a REGISTER does to the bindings of an address of record (RFC 3261 section 10.3)."""

from __future__ import annotations

import pytest

from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.flow import Flow
from sip.core.registrar import (
    DEFAULT_EXPIRES_SECONDS,
    MAX_BINDINGS,
    MAX_EXPIRES_SECONDS,
    MIN_EXPIRES_SECONDS,
    Binding,
    StaleRegister,
    bind,
    contact_lines,
)
from tests.sip.messages import UDP, request

Bindings = tuple[Binding, ...]


def register(
    *contacts: str,
    before: Bindings = (),
    expires: str = "",
    now: float = 0.0,
    flow: Flow = UDP,
    device: str = "1001",
    cseq: int = 1,
    call_id: str = "c1",
    headers: str = "",
) -> Bindings:
    """Let one REGISTER change some bindings."""
    lines = "".join(f"Contact: {contact}\r\n" for contact in contacts) + headers
    lines += f"Expires: {expires}\r\n" if expires else ""
    asked = request("REGISTER", headers=lines, cseq=cseq, call_id=call_id)
    asked.flow = flow
    return bind(before, asked, device, now)


def refusal(*contacts: str, before: Bindings = (), expires: str = "", cseq: int = 1) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        register(*contacts, before=before, expires=expires, cseq=cseq)
    return caught.value


def uris(bindings: Bindings) -> list[str]:
    return [binding.contact for binding in bindings]


# --- Adding ------------------------------------------------------------------------------------------------


def test_a_contact_is_bound_with_what_its_register_says() -> None:
    """RFC 3261 section 10.3 step 7."""
    (binding,) = register(
        "<sip:a@192.0.2.77:5062>", now=100.0, cseq=4, call_id="x", headers="User-Agent: Phone 1\r\n"
    )
    assert binding == Binding(
        contact="sip:a@192.0.2.77:5062",
        call_id="x",
        sequence=4,
        expires_at=100.0 + DEFAULT_EXPIRES_SECONDS,
        flow=UDP,
        device="1001",
        q=1.0,
        user_agent="Phone 1",
        behind_nat=False,
    )


def test_several_contacts_are_bound_at_once_in_one_line_or_many() -> None:
    """RFC 3261 section 10.2.1."""
    expected = ["sip:a@h1", "sip:a@h2", "sip:a@h3"]
    assert uris(register("<sip:a@h1>, <sip:a@h2>", "<sip:a@h3>")) == expected


def test_a_further_register_adds_and_keeps_the_others() -> None:
    """RFC 3261 section 10.2.1."""
    first = register("<sip:a@h1>")
    assert uris(register("<sip:a@h2>", before=first, cseq=2)) == ["sip:a@h1", "sip:a@h2"]


def test_a_register_without_contact_asks_and_changes_nothing() -> None:
    """RFC 3261 section 10.2.3."""
    before = register("<sip:a@h1>")
    assert register(before=before, cseq=2) == before


def test_a_contact_that_is_refreshed_stands_once_with_its_new_time() -> None:
    """RFC 3261 section 10.2.4."""
    before = register("<sip:a@h1>", now=0.0)
    (binding,) = register("<sip:a@h1>", before=before, now=500.0, cseq=2)
    assert binding.expires_at == 500.0 + DEFAULT_EXPIRES_SECONDS
    assert binding.sequence == 2


def test_more_devices_than_the_limit_are_refused() -> None:
    contacts = [f"<sip:a@h{number}>" for number in range(MAX_BINDINGS)]
    full = register(*contacts)
    assert len(full) == MAX_BINDINGS
    assert refusal("<sip:a@one-more>", before=full, cseq=2).status == 403
    assert len(register("<sip:a@h0>", before=full, cseq=2)) == MAX_BINDINGS


def test_a_limit_is_not_spent_on_what_has_expired() -> None:
    contacts = [f"<sip:a@h{number}>;expires=60" for number in range(MAX_BINDINGS)]
    full = register(*contacts, now=0.0)
    assert uris(register("<sip:a@one-more>", before=full, now=61.0, cseq=2)) == ["sip:a@one-more"]


@pytest.mark.parametrize(
    ("contact", "behind_nat"),
    [
        ("<sip:a@192.0.2.77:5062>", False),
        ("<sip:a@192.0.2.77:9999>", False),
        ("<sip:a@10.0.0.9:5062>", True),
        ("<sip:a@phone.example>", True),
    ],
)
def test_a_contact_that_is_not_where_it_came_from_is_reached_by_its_flow(
    contact: str, behind_nat: bool
) -> None:
    """RFC 5626 section 3.1."""
    (binding,) = register(contact)
    assert binding.behind_nat is behind_nat
    assert binding.flow is UDP


def test_a_user_agent_without_end_is_bounded() -> None:
    (binding,) = register("<sip:a@h>", headers=f"User-Agent: {'x' * 900}\r\n")
    assert len(binding.user_agent) == 128


# --- Equal contacts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "again",
    [
        "sip:%61lice@atlanta.com;transport=TCP",
        "sip:alice@AtLanTa.CoM;Transport=tcp",
        "sip:alice@atlanta.com;transport=tcp;line=7",
    ],
)
def test_contacts_that_are_equal_are_one_binding(again: str) -> None:
    """RFC 3261 sections 10.3 and 19.1.4."""
    before = register("<sip:alice@atlanta.com;transport=tcp>")
    assert uris(register(f"<{again}>", before=before, cseq=2)) == [again]


@pytest.mark.parametrize(
    "other",
    [
        "sip:ALICE@atlanta.com;transport=tcp",
        "sip:alice@atlanta.com:5060;transport=tcp",
        "sip:alice@atlanta.com;transport=udp",
        "sip:alice@atlanta.com",
        "sips:alice@atlanta.com;transport=tcp",
        "sip:bob@atlanta.com;transport=tcp",
    ],
)
def test_contacts_that_are_not_equal_are_two_bindings(other: str) -> None:
    """RFC 3261 section 19.1.4."""
    before = register("<sip:alice@atlanta.com;transport=tcp>")
    assert len(register(f"<{other}>", before=before, cseq=2)) == 2


def test_equal_contacts_in_one_register_are_one_binding_and_the_last_counts() -> None:
    (binding,) = register("<sip:a@h>;q=0.1, <sip:a@H>;q=0.2")
    assert binding.q == 0.2


def test_a_contact_removed_and_added_in_one_register_is_there() -> None:
    before = register("<sip:a@h>")
    assert uris(register("<sip:a@h>;expires=0, <sip:a@h>", before=before, cseq=2)) == ["sip:a@h"]


# --- Expiry ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contact", "expires", "seconds"),
    [
        ("<sip:a@h>", "", DEFAULT_EXPIRES_SECONDS),
        ("<sip:a@h>", "120", 120),
        ("<sip:a@h>;expires=180", "120", 180),  # the parameter goes before the header
        ("<sip:a@h>;expires=60", "", MIN_EXPIRES_SECONDS),
        ("<sip:a@h>;expires=99999", "", MAX_EXPIRES_SECONDS),
        ("<sip:a@h>;expires=4294967295", "", MAX_EXPIRES_SECONDS),
        ("<sip:a@h>;expires=soon", "120", 3600),  # 20.10: malformed values are as 3600
        ("<sip:a@h>;expires=-5", "", 3600),
        ("<sip:a@h>;expires=4294967296", "", 3600),
    ],
)
def test_a_binding_lasts_as_long_as_asked_within_our_bounds(contact: str, expires: str, seconds: int) -> None:
    """RFC 3261 section 10.3 step 7; the registrar may shorten (10.2.1.1)."""
    (binding,) = register(contact, expires=expires, now=1000.0)
    assert binding.expires_at == 1000.0 + seconds


@pytest.mark.parametrize(("contact", "expires"), [("<sip:a@h>;expires=1", ""), ("<sip:a@h>", "59")])
def test_too_short_a_time_is_423_with_the_shortest(contact: str, expires: str) -> None:
    """RFC 3261 section 10.3 step 7 and section 21.4.17."""
    error = refusal(contact, expires=expires)
    assert error.status == 423
    assert dict(error.headers) == {"Min-Expires": str(MIN_EXPIRES_SECONDS)}


@pytest.mark.parametrize("expires", ["soon", "4294967296", "-1", "1 2"])
def test_a_malformed_expires_is_a_bad_request(expires: str) -> None:
    """RFC 3261 section 20.19."""
    assert refusal("<sip:a@h>", expires=expires).status == 400


@pytest.mark.parametrize(("contact", "expires"), [("<sip:a@h1>;expires=0", ""), ("<sip:a@h1>", "0")])
def test_a_time_of_zero_removes_that_contact(contact: str, expires: str) -> None:
    """RFC 3261 section 10.2.2."""
    before = register("<sip:a@h1>, <sip:a@h2>")
    assert uris(register(contact, before=before, expires=expires, cseq=2)) == ["sip:a@h2"]


def test_removing_what_is_not_there_changes_nothing() -> None:
    """RFC 3261 section 10.3 step 7."""
    before = register("<sip:a@h1>")
    assert register("<sip:a@h9>;expires=0", before=before, cseq=2) == before


def test_what_has_expired_is_gone_at_its_second() -> None:
    before = register("<sip:a@h1>;expires=60, <sip:a@h2>;expires=90", now=0.0)
    assert uris(register(before=before, now=59.9, cseq=2)) == ["sip:a@h1", "sip:a@h2"]
    assert uris(register(before=before, now=60.0, cseq=2)) == ["sip:a@h2"]


# --- Wildcard ----------------------------------------------------------------------------------------------


def test_a_star_with_expires_zero_removes_everything() -> None:
    """RFC 3261 section 10.3 step 6."""
    before = register("<sip:a@h1>, <sip:a@h2>")
    assert register("*", before=before, expires="0", cseq=2) == ()


def test_a_star_removes_the_bindings_of_other_calls_whatever_their_cseq() -> None:
    """RFC 3261 section 10.3 step 6."""
    before = register("<sip:a@h1>", call_id="other", cseq=900)
    assert register("*", before=before, expires="0", cseq=1) == ()


@pytest.mark.parametrize("cseq", [4, 5])
def test_a_star_with_an_old_cseq_fails_and_removes_nothing(cseq: int) -> None:
    """RFC 3261 section 10.3 step 6."""
    before = register("<sip:a@h1>", cseq=5)
    assert refusal("*", before=before, expires="0", cseq=cseq).status == 500


@pytest.mark.parametrize(
    ("contacts", "expires"),
    [(["*"], ""), (["*"], "60"), (["*", "<sip:a@h>"], "0"), (["<sip:a@h>, *"], "0"), (["*;expires=0"], "")],
)
def test_a_star_with_anything_else_is_a_bad_request(contacts: list[str], expires: str) -> None:
    """RFC 3261 section 10.3 step 6."""
    assert refusal(*contacts, expires=expires).status == 400


# --- CSeq --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cseq", [4, 5])
@pytest.mark.parametrize("contact", ["<sip:a@h1>", "<sip:a@h1>;expires=0", "<sip:a@new>, <sip:a@h1>"])
def test_a_cseq_that_does_not_increase_within_a_call_id_is_refused_whole(contact: str, cseq: int) -> None:
    """RFC 3261 section 10.3 step 7: the update is all or nothing."""
    before = register("<sip:a@h1>", cseq=5)
    error = refusal(contact, before=before, cseq=cseq)
    assert isinstance(error, StaleRegister)
    assert error.status == 500


def test_a_phone_that_restarted_has_another_call_id_and_may_begin_again() -> None:
    """RFC 3261 section 10.3 step 7."""
    before = register("<sip:a@h1>", cseq=900, call_id="before")
    (binding,) = register("<sip:a@h1>", before=before, cseq=1, call_id="after")
    assert (binding.call_id, binding.sequence) == ("after", 1)


def test_an_old_cseq_matters_only_to_the_contacts_that_it_names() -> None:
    """RFC 3261 section 10.3 step 7."""
    before = register("<sip:a@h1>", cseq=5)
    assert len(register("<sip:a@h2>", before=before, cseq=3)) == 2


def test_a_refusal_leaves_the_bindings_as_they_were() -> None:
    before = register("<sip:a@h1>, <sip:a@h2>")
    refusal("<sip:a@h1>;expires=0, <sip:a@h3>;expires=1", before=before, cseq=2)
    assert uris(before) == ["sip:a@h1", "sip:a@h2"]


# --- q and malformed contacts ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("q", "value"), [("0", 0.0), ("0.5", 0.5), ("0.123", 0.123), ("1.000", 1.0), ("1", 1.0)]
)
def test_a_q_value_is_kept(q: str, value: float) -> None:
    """RFC 3261 section 20.10."""
    (binding,) = register(f"<sip:a@h>;q={q}")
    assert binding.q == value


@pytest.mark.parametrize("q", ["1.1", "2", "-1", "0.1234", "x", ".5", "1.001", "٠"])
def test_a_malformed_q_is_a_bad_request(q: str) -> None:
    """RFC 3261 section 25.1, qvalue."""
    assert refusal(f"<sip:a@h>;q={q}").status == 400


@pytest.mark.parametrize("contact", ["nonsense", "<>", "<sip:>", "<sip:a@h", "<sip:a@h>, ", "<tel:+331>"])
def test_a_malformed_contact_is_a_bad_request_or_another_scheme(contact: str) -> None:
    with pytest.raises(ParseError) as caught:
        register(contact)
    assert caught.value.status in {400, 416}


# --- The answer --------------------------------------------------------------------------------------------


def test_the_answer_names_every_binding_with_the_seconds_that_it_has_left() -> None:
    """RFC 3261 section 10.3 step 8."""
    bindings = register("<sip:a@h1>;expires=100;q=0.5, <sip:a@h2;transport=tcp>;expires=200", now=0.0)
    assert contact_lines(bindings, 40.0) == (
        "Contact: <sip:a@h1>;expires=60;q=0.5\r\nContact: <sip:a@h2;transport=tcp>;expires=160\r\n"
    )


def test_the_answer_never_says_zero_for_what_still_holds() -> None:
    """RFC 3261 section 10.2.2: zero would mean that it's removed."""
    bindings = register("<sip:a@h1>;expires=60", now=0.0)
    assert contact_lines(bindings, 59.9) == "Contact: <sip:a@h1>;expires=1\r\n"


def test_the_answer_to_nothing_is_empty() -> None:
    assert contact_lines((), 0.0) == ""
