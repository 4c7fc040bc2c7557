"""Dialogs: what they take from the messages that make them, and the requests within (RFC 3261 section 12)."""

from __future__ import annotations

import pytest

from sip.core.dialog import Dialog, untagged
from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.flow import Flow
from sip.core.message import Request
from tests.sip.messages import LOCAL, PHONE, TCP, UDP, read_request, read_response, request, response_bytes

CONTACT = "Contact: <sip:alice@192.0.2.77:5062>\r\n"


def invited(headers: str = CONTACT, *, flow: Flow = UDP, via: str = "", **parts: str) -> Dialog:
    """The callee's dialog, of an INVITE that came over a flow."""
    invite = request("INVITE", headers=headers, via=via, **parts)
    invite.flow = flow
    return Dialog.of_request(invite, "ours", flow)


def calling(flow: Flow = UDP) -> Dialog:
    """The caller's dialog, before any response."""
    dialog = Dialog("c1", "<sip:desk@valmont.example>", "ours", "<sip:bruno@valmont.example>", "", flow)
    dialog.remote_target = "sip:bruno@192.0.2.77"
    dialog.local_sequence = 1
    return dialog


def confirmed(headers: str = "Contact: <sip:bruno@192.0.2.80>\r\n", *, to_tag: str = "theirs") -> Dialog:
    """The caller's dialog, after a 2xx with these headers."""
    dialog = calling()
    invite = dialog.request("INVITE", "z9hG4bK1", 1)
    dialog.confirm(read_response(response_bytes(invite, 200, to_tag=to_tag, headers=headers)))
    return dialog


def within(dialog: Dialog, method: str = "BYE") -> Request:
    """A request of ours within the dialog, as the other side reads it."""
    return read_request(dialog.request(method, "z9hG4bK2", 9))


# --- The callee's side -------------------------------------------------------------------------------------


def test_the_callee_takes_its_dialog_from_the_invite() -> None:
    """RFC 3261 section 12.1.1."""
    dialog = invited()
    assert dialog.call_id == "c1"
    assert (dialog.local_tag, dialog.remote_tag) == ("ours", "alice")
    assert dialog.local_address == "<sip:bruno@valmont.example>"
    assert dialog.remote_address == "<sip:alice@valmont.example>"
    assert dialog.remote_target == "sip:alice@192.0.2.77:5062"
    assert dialog.remote_sequence == 7


def test_a_caller_without_tag_makes_a_dialog_all_the_same() -> None:
    """RFC 3261 section 12.1.1: a client of RFC 2543 has a null tag."""
    dialog = invited(from_tag="")
    assert dialog.remote_tag == ""
    assert ";tag=" not in within(dialog).first("to")


def test_the_callees_route_set_is_in_the_order_of_the_record_routes() -> None:
    """RFC 3261 section 12.1.1."""
    routes = "Record-Route: <sip:p2;lr>, <sip:p1;lr>\r\nRecord-Route: <sip:p0;lr>\r\n"
    assert invited(CONTACT + routes).route_set == ["<sip:p2;lr>", "<sip:p1;lr>", "<sip:p0;lr>"]


@pytest.mark.parametrize(
    "contact",
    [
        "Contact: <sip:a@192.0.2.1>, <sip:b@192.0.2.2>\r\n",
        "Contact: *\r\n",
        "Contact: nonsense\r\n",
        "Contact: <tel:+33383000100>\r\n",
        "Contact: \r\n",
    ],
)
def test_an_invite_whose_contact_is_not_one_sip_uri_makes_no_dialog(contact: str) -> None:
    """RFC 3261 section 8.1.1.8."""
    with pytest.raises(ParseError):
        invited(contact)


# --- The caller's side -------------------------------------------------------------------------------------


def test_the_caller_takes_its_dialog_from_the_2xx() -> None:
    """RFC 3261 section 12.1.2."""
    dialog = confirmed()
    assert dialog.remote_tag == "theirs"
    assert dialog.remote_target == "sip:bruno@192.0.2.80"


def test_the_callers_route_set_is_in_the_reverse_order_of_the_record_routes() -> None:
    """RFC 3261 section 12.1.2."""
    routes = "Record-Route: <sip:p2;lr>, <sip:p1;lr>\r\nRecord-Route: <sip:p0;lr>\r\n"
    dialog = confirmed("Contact: <sip:bruno@192.0.2.80>\r\n" + routes)
    assert dialog.route_set == ["<sip:p0;lr>", "<sip:p1;lr>", "<sip:p2;lr>"]


def test_the_routes_of_the_invite_are_not_those_of_the_dialog() -> None:
    """RFC 3261 section 12.1.2: the 2xx alone says, even when it has no Record-Route."""
    dialog = calling()
    dialog.route_set = ["<sip:proxy.example;lr>"]
    invite = dialog.request("INVITE", "z9hG4bK1", 1)
    dialog.confirm(read_response(response_bytes(invite, 200, headers="Contact: <sip:b@192.0.2.80>\r\n")))
    assert dialog.route_set == []


def test_a_callee_without_tag_makes_a_dialog_all_the_same() -> None:
    """RFC 3261 section 12.1.2: a server of RFC 2543 has a null tag."""
    dialog = confirmed(to_tag="")
    assert dialog.remote_tag == ""


# --- Requests within ---------------------------------------------------------------------------------------


def test_a_request_within_is_built_from_the_dialog() -> None:
    """RFC 3261 section 12.2.1.1."""
    bye = within(confirmed())
    assert (bye.method, bye.uri) == ("BYE", "sip:bruno@192.0.2.80")
    assert bye.first("to") == "<sip:bruno@valmont.example>;tag=theirs"
    assert bye.first("from") == "<sip:desk@valmont.example>;tag=ours"
    assert bye.call_id == "c1"
    assert bye.cseq == (9, "BYE")
    assert bye.max_forwards == 70
    assert bye.via.branch == "z9hG4bK2"
    assert "route" not in bye.headers


def test_the_via_names_our_own_address_and_asks_for_rport() -> None:
    """RFC 3581 section 3."""
    via = within(confirmed()).via
    assert (via.transport, via.host, via.port) == ("UDP", *LOCAL)
    assert "rport" in via.parameters


def test_loose_routes_stand_in_route_and_the_target_in_the_request_uri() -> None:
    """RFC 3261 section 12.2.1.1."""
    dialog = confirmed()
    dialog.route_set = ["<sip:p1;lr>", "<sip:p2>"]
    bye = within(dialog)
    assert bye.uri == "sip:bruno@192.0.2.80"
    assert bye.headers["route"] == ["<sip:p1;lr>", "<sip:p2>"]


def test_a_strict_router_stands_in_the_request_uri_and_the_target_in_the_last_route() -> None:
    """RFC 3261 section 12.2.1.1."""
    dialog = confirmed()
    dialog.route_set = ["<sip:p1>", "<sip:p2;lr>"]
    bye = within(dialog)
    assert bye.uri == "sip:p1"
    assert bye.headers["route"] == ["<sip:p2;lr>", "<sip:bruno@192.0.2.80>"]


@pytest.mark.parametrize(
    "route",
    [
        "<sip:p1;transport=tcp;lr>",
        "<sip:p1;LR>",
        "<sip:p1;lr=on>",
        "<sip:p1;lr;transport=tcp>;x=y",
        '"Proxy" <sip:p1;lr>',
    ],
)
def test_lr_is_recognised_however_it_is_written(route: str) -> None:
    """RFC 3261 section 19.1.1."""
    dialog = confirmed()
    dialog.route_set = [route]
    assert within(dialog).headers["route"] == [route]


@pytest.mark.parametrize(
    ("route", "uri"),
    [
        ("<sip:p1;lrx>", "sip:p1;lrx"),
        ("<sip:p1>;lr", "sip:p1"),  # of the header, not of the URI
        ("<sip:x;lr@p1>", "sip:x;lr@p1"),  # in the user part
        ('"Proxy ;lr" <sip:p1>', "sip:p1"),
        ("<sip:p1;transport=udp>;x=y", "sip:p1;transport=udp"),
        ("<sip:p1;method=INVITE?Subject=x>", "sip:p1"),  # what a Request-URI may not have is left out
    ],
)
def test_a_router_is_strict_unless_its_uri_has_the_parameter_lr(route: str, uri: str) -> None:
    """RFC 3261 sections 12.2.1.1 and 19.1.1."""
    dialog = confirmed()
    dialog.route_set = [route]
    assert within(dialog).uri == uri


@pytest.mark.parametrize("route", ["nonsense", "<tel:+331>", "<sip:p1", "<sip:p1;lr>garbage"])
def test_a_record_route_that_is_no_address_makes_no_dialog(route: str) -> None:
    with pytest.raises(ParseError) as caught:
        invited(f"{CONTACT}Record-Route: {route}\r\n")
    assert caught.value.status == 400
    with pytest.raises(ParseError):
        confirmed(f"Contact: <sip:bruno@192.0.2.80>\r\nRecord-Route: {route}\r\n")


# --- CSeq --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [8, 9, 4000, 2**31 - 1])
def test_a_higher_cseq_is_in_order_gaps_included(number: int) -> None:
    """RFC 3261 section 12.2.2."""
    dialog = invited()
    dialog.check_sequence(request("BYE", cseq=number))
    assert dialog.remote_sequence == number


def test_a_lower_cseq_is_out_of_order() -> None:
    """RFC 3261 section 12.2.2."""
    dialog = invited()
    with pytest.raises(RemoteProtocolError) as caught:
        dialog.check_sequence(request("BYE", cseq=6))
    assert caught.value.status == 500
    assert dialog.remote_sequence == 7


def test_the_callees_first_request_may_have_any_cseq() -> None:
    """RFC 3261 section 12.1.2: the remote sequence number is empty until then."""
    dialog = confirmed()
    dialog.check_sequence(request("BYE", cseq=0))
    assert dialog.remote_sequence == 0


# --- Target refresh ----------------------------------------------------------------------------------------


def test_a_2xx_to_our_reinvite_moves_the_target_and_not_the_routes() -> None:
    """RFC 3261 section 12.2.1.2."""
    dialog = confirmed("Contact: <sip:bruno@192.0.2.80>\r\nRecord-Route: <sip:p1;lr>\r\n")
    moved = "Contact: <sip:bruno@192.0.2.81>\r\nRecord-Route: <sip:p9;lr>\r\n"
    dialog.refresh(read_response(response_bytes(dialog.request("INVITE", "z9hG4bK3", 2), 200, headers=moved)))
    assert dialog.remote_target == "sip:bruno@192.0.2.81"
    assert dialog.route_set == ["<sip:p1;lr>"]


def test_their_reinvite_moves_the_target_and_the_way_there() -> None:
    """RFC 3261 section 12.2.2; a phone that changes its network is followed."""
    dialog = invited()
    elsewhere = Flow("UDP", LOCAL, ("198.51.100.7", 5070))
    reinvite = request(
        "INVITE",
        headers="Contact: <sip:alice@198.51.100.7:5070>\r\n",
        via="SIP/2.0/UDP 198.51.100.7:5070;branch=z9hG4bK9",
    )
    reinvite.flow = elsewhere
    dialog.follow(reinvite, elsewhere)
    assert dialog.remote_target == "sip:alice@198.51.100.7:5070"
    assert dialog.flow.remote == ("198.51.100.7", 5070)


@pytest.mark.parametrize(
    "contact",
    [
        "sip:alice@192.168.1.11:5060",
        "sip:alice@10.0.0.9",
        "sip:alice@100.64.0.9",
        "sip:alice@192.0.2.1;gr=urn:uuid:1",  # RFC 5627 section 3.1: a GRUU of a domain that is an address
    ],
)
def test_a_contact_that_only_the_flow_can_reach_is_reached_over_it(contact: str) -> None:
    """RFC 3581 section 4: the phone has learnt what its NAT looks like for its Via, not for its Contact."""
    invite = request("INVITE", headers=f"Contact: <{contact}>\r\n")
    invite.flow = UDP
    dialog = Dialog.of_request(invite, "local", UDP)
    assert dialog.flow is UDP
    assert dialog.remote_target == contact


def test_a_private_contact_of_a_private_network_is_reached_at_its_address() -> None:
    """RFC 3261 section 12.2.1.1."""
    inside = Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.2", 5060))
    invite = request(
        "INVITE", headers="Contact: <sip:a@10.0.0.3>\r\n", via="SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1"
    )
    invite.flow = inside
    assert Dialog.of_request(invite, "local", inside).flow.remote == ("10.0.0.3", 5060)


def test_a_reinvite_without_contact_moves_nothing() -> None:
    dialog = invited()
    before = dialog.remote_target
    dialog.refresh(request("INVITE"))
    assert dialog.remote_target == before


def test_a_contact_that_is_none_moves_nothing() -> None:
    dialog = invited()
    before = (dialog.remote_target, dialog.flow)
    reinvite = request("INVITE", headers="Contact: nonsense\r\n")
    reinvite.flow = TCP
    with pytest.raises(ParseError):
        dialog.follow(reinvite, TCP)
    assert (dialog.remote_target, dialog.flow) == before


# --- The way to the remote party ---------------------------------------------------------------------------


def test_requests_go_to_the_contact_of_a_phone_that_is_where_it_says() -> None:
    """RFC 3261 section 12.2.1.1: the next hop is the remote target."""
    dialog = invited("Contact: <sip:alice@192.0.2.77:5099>\r\n")
    assert dialog.flow.remote == ("192.0.2.77", 5099)


def test_requests_go_back_where_the_invite_came_from_when_the_phone_is_behind_nat() -> None:
    """RFC 5626 section 3.1: what the Contact says can't be reached."""
    dialog = invited("Contact: <sip:alice@10.0.0.9>\r\n", via="SIP/2.0/UDP 10.0.0.9;rport;branch=z9hG4bK1")
    assert dialog.flow.remote == PHONE


def test_requests_go_through_the_proxy_that_recorded_itself() -> None:
    """RFC 3261 section 12.2.1.1: the next hop is the first route, where the INVITE came from."""
    dialog = invited("Contact: <sip:alice@198.51.100.9>\r\nRecord-Route: <sip:192.0.2.77;lr>\r\n")
    assert dialog.flow.remote == PHONE


def test_requests_stay_on_the_connection_of_the_invite() -> None:
    """RFC 5626 section 3.1."""
    dialog = invited("Contact: <sip:alice@192.0.2.77:5099;transport=tcp>\r\n", flow=TCP)
    assert dialog.flow is TCP


@pytest.mark.parametrize("host", ["phone.example", "[2001:db8::1]"])
def test_a_contact_that_is_no_address_of_the_flows_family_changes_no_way(host: str) -> None:
    assert invited(f"Contact: <sip:alice@{host}>\r\n").flow is UDP


@pytest.mark.parametrize("host", ["192.0.2.", "999.0.2.77", "1.2.3.4.5", "192.0.2.077", "[1:2]", "[1.2.3.4]"])
def test_a_contact_that_only_looks_like_an_address_is_never_looked_up(host: str) -> None:
    """A socket would take it for a name, and ask a name server while all calls wait."""
    flow, sent_by = UDP, "192.0.2.77"
    if "[" in host:
        flow, sent_by = Flow("UDP", ("2001:db8::2", 5060), ("2001:db8::1", 5060)), "[2001:db8::1]"
    via = f"SIP/2.0/UDP {sent_by};branch=z9hG4bK1"
    assert invited(f"Contact: <sip:alice@{host}>\r\n", via=via, flow=flow).flow is flow


def test_a_secure_contact_is_not_reached_by_another_datagram() -> None:
    """RFC 5630 section 3.1: a SIPS URI stands for TLS on every hop."""
    assert invited("Contact: <sips:alice@192.0.2.77:5099>\r\n").flow is UDP


# --- Addresses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "bare"),
    [
        ("<sip:a@b>;tag=1", "<sip:a@b>"),
        ("<sip:a@b>;x=y;tag=1", "<sip:a@b>;x=y"),
        ("<sip:a@b>;tag=1;x=y", "<sip:a@b>;x=y"),
        ("<sip:a@b> ; TAG = 1", "<sip:a@b>"),
        ("sip:a@b;tag=1", "sip:a@b"),
        ('"Duty;tag=9" <sip:a@b>;tag=1', '"Duty;tag=9" <sip:a@b>'),
        ("<sip:a@b;tag=9>;tag=1", "<sip:a@b;tag=9>"),
        ("<sip:a@b>", "<sip:a@b>"),
    ],
)
def test_only_the_headers_own_tag_is_taken_off(value: str, bare: str) -> None:
    assert untagged(value) == bare
