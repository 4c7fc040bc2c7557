"""What a REGISTER does to the bindings of an address of record (RFC 3261 section 10.3)."""

from __future__ import annotations

import pytest

from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.flow import Flow
from sip.core.gruu import instance_called, public_gruu
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
TLS = Flow("TLS", UDP.local, UDP.remote)


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
    assert len(register(f"<{other}>", before=before, cseq=2, flow=TLS)) == 2


def test_a_secure_contact_over_an_open_way_is_not_bound_but_over_a_secure_one_or_a_proxy_it_is() -> None:
    """RFC 5630 section 3.1: what is sent to a SIPS URI goes by TLS."""
    assert refusal("<sips:a@192.0.2.77>").status == 400
    assert uris(register("<sips:a@192.0.2.77>", flow=TLS)) == ["sips:a@192.0.2.77"]
    assert len(register("<sips:a@h>", headers=f"Supported: path\r\nPath: {P1}\r\n")) == 1


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


# --- Path --------------------------------------------------------------------------------------------------

P1, P2 = "<sip:edge.example;lr>", "<sip:198.51.100.9:5080;lr;ob>"


def test_the_path_is_kept_with_the_binding_in_the_order_of_a_route() -> None:
    """RFC 3327 section 5.3."""
    (binding,) = register("<sip:a@h>", headers=f"Path: {P1}, {P2}\r\n")
    assert binding.path == (P1, P2)


def test_a_refresh_without_path_forgets_the_former_one() -> None:
    """RFC 3327 section 5.3: the path vector is that of the last REGISTER."""
    before = register("<sip:a@h>", headers=f"Path: {P1}\r\n")
    (binding,) = register("<sip:a@h>", before=before, cseq=2)
    assert binding.path == ()


@pytest.mark.parametrize(
    "path", ["nonsense", "<sip:edge.example>", "<tel:+331>;lr", "<>", ", ".join([P1] * 9), P1 + ","]
)
def test_a_path_that_cannot_be_a_route_is_refused(path: str) -> None:
    """RFC 3327 section 4: a name-addr with a loose router's URI."""
    with pytest.raises(RemoteProtocolError) as caught:
        register("<sip:a@h>", headers=f"Path: {path}\r\n")
    assert caught.value.status in {400, 416}


# --- Outbound ----------------------------------------------------------------------------------------------

URN = "urn:uuid:00000000-0000-1000-8000-aabbccddeeff"
OTHER_URN = "urn:uuid:00000000-0000-1000-8000-000000000002"
OUTBOUND = "Supported: path, outbound\r\n"


def flow_contact(reg_id: int | str, *, host: str = "192.0.2.77", urn: str = URN, tail: str = "") -> str:
    return f'<sip:a@{host}>;reg-id={reg_id};+sip.instance="<{urn}>"{tail}'


def test_a_flow_is_bound_by_its_instance_and_number() -> None:
    """RFC 5626 section 6."""
    (binding,) = register(flow_contact(1), headers=OUTBOUND)
    assert (binding.instance, binding.reg_id) == (URN, 1)


def test_a_flow_is_replaced_by_the_same_instance_and_number_whatever_its_contact() -> None:
    """RFC 5626 section 6."""
    before = register(flow_contact(1, host="h1"), headers=OUTBOUND)
    assert uris(register(flow_contact(1, host="h2"), before=before, headers=OUTBOUND, cseq=2)) == ["sip:a@h2"]


def test_another_number_of_the_same_instance_is_another_flow_even_with_an_equal_contact() -> None:
    """RFC 5626 section 6."""
    before = register(flow_contact(1), headers=OUTBOUND)
    after = register(flow_contact(2), before=before, headers=OUTBOUND, cseq=2)
    assert [binding.reg_id for binding in after] == [1, 2]


def test_another_instance_with_the_same_private_contact_is_another_binding() -> None:
    """RFC 5626 section 6."""
    before = register(flow_contact(1), headers=OUTBOUND)
    after = register(flow_contact(1, urn=OTHER_URN), before=before, headers=OUTBOUND, call_id="other")
    assert [binding.instance for binding in after] == [URN, OTHER_URN]


def test_a_phone_without_instance_does_not_take_the_flow_of_another() -> None:
    """RFC 5626 section 6."""
    before = register(flow_contact(1), headers=OUTBOUND)
    assert len(register("<sip:a@192.0.2.77>", before=before, call_id="other")) == 2


def test_a_phone_that_begins_to_number_its_flows_replaces_its_former_binding() -> None:
    before = register("<sip:a@192.0.2.77>")
    (binding,) = register(flow_contact(1), before=before, headers=OUTBOUND, cseq=2)
    assert binding.reg_id == 1


def test_the_flow_registered_last_stands_last() -> None:
    """RFC 5626 section 5.3: the most recent one is tried first."""
    first = register(flow_contact(1), headers=OUTBOUND)
    both = register(flow_contact(2), before=first, headers=OUTBOUND, cseq=2)
    again = register(flow_contact(1), before=both, headers=OUTBOUND, cseq=3)
    assert [binding.reg_id for binding in again] == [2, 1]


def test_a_fifth_flow_of_one_phone_takes_the_place_of_the_oldest() -> None:
    bindings: Bindings = ()
    for number in range(1, 6):
        bindings = register(flow_contact(number), before=bindings, headers=OUTBOUND, cseq=number)
    assert [binding.reg_id for binding in bindings] == [2, 3, 4, 5]


def test_a_flow_is_removed_by_its_number() -> None:
    """RFC 5626 section 4.2.1: expires=0 with the same instance and reg-id."""
    before = register(flow_contact(2), before=register(flow_contact(1), headers=OUTBOUND), headers=OUTBOUND)
    after = register(flow_contact(1, tail=";expires=0"), before=before, headers=OUTBOUND, cseq=2)
    assert [binding.reg_id for binding in after] == [2]


def test_an_old_cseq_of_a_flow_is_refused() -> None:
    """RFC 3261 section 10.3 step 7."""
    before = register(flow_contact(1, host="h1"), headers=OUTBOUND, cseq=5)
    with pytest.raises(StaleRegister):
        register(flow_contact(1, host="h2"), before=before, headers=OUTBOUND, cseq=5)


def test_reg_id_without_instance_is_ignored() -> None:
    """RFC 5626 section 6."""
    (binding,) = register("<sip:a@h>;reg-id=1", headers=OUTBOUND)
    assert (binding.instance, binding.reg_id) == ("", 0)


def test_reg_id_without_the_option_tag_is_ignored() -> None:
    """RFC 5626 section 4.2.1: a phone that does outbound says so in Supported."""
    (binding,) = register(flow_contact(1))
    assert (binding.instance, binding.reg_id) == (URN, 0)


@pytest.mark.parametrize("reg_id", ["0", "-1", "x", "2147483648", "99999999999", ""])
def test_a_malformed_reg_id_is_a_bad_request(reg_id: str) -> None:
    """RFC 5626 section 9: 1 to 2**31 - 1."""
    with pytest.raises(RemoteProtocolError) as caught:
        register(flow_contact(reg_id), headers=OUTBOUND)
    assert caught.value.status == 400


def test_two_contacts_with_reg_id_in_one_register_are_a_bad_request() -> None:
    """RFC 5626 section 6."""
    with pytest.raises(RemoteProtocolError) as caught:
        register(flow_contact(1), flow_contact(2), headers=OUTBOUND)
    assert caught.value.status == 400


def test_an_instance_in_capitals_is_the_same_phone() -> None:
    """RFC 8141 section 3.1: the namespace and a UUID are compared without case."""
    before = register(flow_contact(1), headers=OUTBOUND)
    (binding,) = register(flow_contact(1, urn=URN.upper()), before=before, headers=OUTBOUND, cseq=2)
    assert binding.instance == URN


@pytest.mark.parametrize("instance", ['"urn:x"', '"<>"', '"<a b>"', '"<a\\"b>"', "urn:x", f'"<{"x" * 201}>"'])
def test_an_instance_that_cannot_be_read_is_as_none(instance: str) -> None:
    (binding,) = register(f"<sip:a@h>;+sip.instance={instance}", headers=OUTBOUND)
    assert binding.instance == ""


VIA_PROXY = "SIP/2.0/UDP 192.0.2.77:5062;branch=z9hG4bK9, SIP/2.0/UDP 10.0.0.5;branch=z9hG4bK8"


def register_through_a_proxy(path: str) -> Bindings:
    lines = f"Contact: {flow_contact(1)}\r\n{OUTBOUND}{path}"
    asked = request("REGISTER", headers=lines, via=VIA_PROXY)
    asked.flow = UDP
    return bind((), asked, "1001", 0.0)


@pytest.mark.parametrize("path", ["", f"Path: {P1}\r\n", f"Path: {P2}, {P1}\r\n"])
def test_a_first_hop_that_does_not_keep_flows_is_439(path: str) -> None:
    """RFC 5626 section 6: the last Path value is the first hop's, and has no ob."""
    with pytest.raises(RemoteProtocolError) as caught:
        register_through_a_proxy(path)
    assert caught.value.status == 439


def test_a_first_hop_that_keeps_flows_is_accepted() -> None:
    """RFC 5626 section 6."""
    (binding,) = register_through_a_proxy(f"Path: {P1}, {P2}\r\n")
    assert (binding.reg_id, binding.path) == (1, (P1, P2))


# --- GRUU --------------------------------------------------------------------------------------------------


def test_a_gruu_is_given_where_it_was_asked_for() -> None:
    """RFC 5627 section 5.3."""
    bindings = register(flow_contact(1), headers=OUTBOUND)
    assert contact_lines(bindings, 0.0, address_of_record="sip:1001@valmont.example") == (
        f'Contact: <sip:a@192.0.2.77>;expires=3600;+sip.instance="<{URN}>";reg-id=1'
        f';pub-gruu="sip:1001@valmont.example;gr={URN}"\r\n'
    )
    assert "pub-gruu" not in contact_lines(bindings, 0.0)


def test_a_phone_without_instance_gets_no_gruu() -> None:
    """RFC 5627 section 5.3."""
    bindings = register("<sip:a@h>")
    assert "gruu" not in contact_lines(bindings, 0.0, address_of_record="sip:1001@valmont.example")


def test_a_contact_that_is_a_gruu_of_ours_is_refused() -> None:
    """RFC 5627 section 5.1."""
    assert refusal(f"<sip:1001@valmont.example;gr={URN}>").status == 403


@pytest.mark.parametrize(
    ("instance", "called"),
    [(URN, URN), (URN.upper(), URN), ("mac:00 %41;x=1", "mac:00 %41;x=1"), ("é", "é")],
)
def test_a_gruu_leads_back_to_its_instance(instance: str, called: str) -> None:
    """RFC 5627 section 5.2: what may not stand in a URI is escaped."""
    assert instance_called(public_gruu("sip:1001@valmont.example", instance)) == called.lower()


@pytest.mark.parametrize(
    "uri", ["sip:1001@valmont.example", "sip:1001@valmont.example;gr", "tel:+331;gr=x", "x;gr=y"]
)
def test_what_is_no_public_gruu_names_no_instance(uri: str) -> None:
    """RFC 5627 section 6.1."""
    assert instance_called(uri) == ""
