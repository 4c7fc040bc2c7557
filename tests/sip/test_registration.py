"""Our own registration at a registrar, without a network (RFC 3261 section 10.2): time is a value."""

from __future__ import annotations

import re

import pytest

from sip.core.flow import Flow
from sip.core.identifiers import Identifiers
from sip.core.message import Request
from sip.core.parser import parse_message
from sip.core.registration import (
    LONGEST_WAIT_SECONDS,
    REFUSED_WAIT_SECONDS,
    Registration,
    RegistrationState,
    retry_after_seconds,
)
from sip.core.stack import ServerTransaction, Stack

FLOW = Flow("UDP", ("192.0.2.10", 5060), ("203.0.113.1", 5060))
OTHER = Flow("UDP", ("192.0.2.10", 5060), ("203.0.113.2", 5060))
CHALLENGE = 'WWW-Authenticate: Digest realm="op", nonce="{nonce}", qop="auth"{more}\r\n'


class Nobody:
    """A transaction user that gets no request."""

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        raise AssertionError("no request is expected")

    def ack_received(self, ack: Request, now: float) -> None:
        raise AssertionError("no ACK is expected")


class Owner:
    """Gives the flows of a list, one after the other, and writes down what it is told."""

    def __init__(self, *flows: Flow) -> None:
        self.flows = list(flows)
        self.left = list(flows)
        self.told: list[str] = []
        self.stack = Stack(Nobody(), Identifiers(b"registration"))
        self.registration = Registration(
            self.stack,
            self,
            username="u1",
            password="secret",
            aor="sip:u1@op.example",
            registrar="sip:op.example",
            contact="u1",
            uri_parameters=";line=abc",
        )

    def flow_wanted(self, now: float, *, failed: bool) -> None:
        if not failed:
            self.left = list(self.flows)
        if self.left:
            self.registration.send(self.left.pop(0), now, ("<sip:proxy.op.example;lr>",))
        else:
            self.registration.give_up("no server answers", now)

    def registered(self, now: float) -> None:
        self.told.append(f"registered for {self.registration.until - now:g}")

    def unregistered(self, status: int, reason: str, now: float) -> None:
        self.told.append(f"{status} {reason}")

    # The registrar's side

    def sent(self) -> list[Request]:
        """The REGISTERs that lie in the outbox, which is emptied."""
        messages = [parse_message(data) for _, data in self.stack.outbox]
        self.flow = self.stack.outbox[-1][0] if self.stack.outbox else FLOW
        self.stack.outbox.clear()
        return [message for message in messages if isinstance(message, Request)]

    def one(self) -> Request:
        (request,) = self.sent()
        return request

    def answer(self, request: Request, status: int, now: float, headers: str = "") -> None:
        copied = "".join(
            f"{name}: {request.headers[name.lower()][0]}\r\n"
            for name in ("Via", "From", "To", "Call-ID", "CSeq")
        )
        text = f"SIP/2.0 {status} Said\r\n{copied}{headers}Content-Length: 0\r\n\r\n"
        self.stack.receive(text.encode(), self.flow, now)

    def accept(self, request: Request, now: float, seconds: int = 600) -> None:
        contact = request.headers["contact"][0]
        self.answer(request, 200, now, f"Contact: {contact};expires={seconds}\r\n")

    def fire(self, now: float) -> None:
        self.stack.fire(now)


def started(*flows: Flow) -> Owner:
    owner = Owner(*(flows or (FLOW,)))
    owner.registration.start(0.0)
    return owner


def test_a_register_says_who_where_and_for_how_long() -> None:
    request = started().one()
    assert (request.method, request.uri) == ("REGISTER", "sip:op.example")
    assert request.get("to") == "<sip:u1@op.example>"
    assert request.contact.uri == "sip:u1@192.0.2.10:5060;line=abc"
    assert request.expires == 600
    assert request.get("route") == "<sip:proxy.op.example;lr>"


def test_a_challenge_is_answered_in_the_same_call_with_the_next_number() -> None:
    """Section 22.2."""
    owner = started()
    first = owner.one()
    owner.answer(first, 401, 0.1, CHALLENGE.format(nonce="n1", more=""))
    second = owner.one()
    assert (second.call_id, second.cseq[0]) == (first.call_id, first.cseq[0] + 1)
    assert 'username="u1"' in second.get("authorization")
    owner.accept(second, 0.2)
    assert owner.told == ["registered for 600"]
    assert owner.registration.state is RegistrationState.REGISTERED


def test_a_stale_nonce_is_no_wrong_password() -> None:
    """RFC 7616 section 3.3."""
    owner = started()
    owner.answer(owner.one(), 401, 0.1, CHALLENGE.format(nonce="n1", more=""))
    owner.answer(owner.one(), 401, 0.2, CHALLENGE.format(nonce="n2", more=", stale=true"))
    owner.accept(owner.one(), 0.3)
    assert owner.told == ["registered for 600"]


def test_a_second_challenge_is_a_refusal_and_the_wait_is_long() -> None:
    owner = started()
    owner.answer(owner.one(), 401, 0.1, CHALLENGE.format(nonce="n1", more=""))
    owner.answer(owner.one(), 401, 0.2, CHALLENGE.format(nonce="n2", more=""))
    assert owner.told == ["401 Said"]
    owner.fire(REFUSED_WAIT_SECONDS)
    assert owner.sent() == []
    owner.fire(REFUSED_WAIT_SECONDS + 1)
    assert owner.one().method == "REGISTER"


def test_stale_nonces_without_end_end() -> None:
    owner = started()
    for number in range(4):
        owner.answer(owner.one(), 401, 0.1, CHALLENGE.format(nonce=f"n{number}", more=", stale=true"))
    owner.answer(owner.one(), 401, 0.1, CHALLENGE.format(nonce="last", more=", stale=true"))
    assert owner.sent() == []
    assert owner.told == ["401 Said"]


@pytest.mark.parametrize(("granted", "refresh"), [(60, 30), (599, 299.5), (600, 480), (3600, 2880)])
def test_a_binding_is_renewed_well_before_its_end(granted: int, refresh: float) -> None:
    owner = started()
    owner.accept(owner.one(), 0.0, granted)
    owner.fire(refresh - 0.1)
    assert owner.sent() == []
    owner.fire(refresh)
    assert owner.one().method == "REGISTER"


def test_an_interval_too_brief_is_lengthened_once() -> None:
    """Section 10.2.8."""
    owner = started()
    owner.answer(owner.one(), 423, 0.1, "Min-Expires: 1800\r\n")
    request = owner.one()
    assert request.expires == 1800
    owner.accept(request, 0.2, 1800)
    assert owner.told == ["registered for 1800"]


@pytest.mark.parametrize(
    "headers", ["", "Min-Expires: 60\r\n", "Min-Expires: x\r\n", "Min-Expires: 9999999\r\n"]
)
def test_an_interval_too_brief_that_cannot_be_lengthened_is_a_refusal(headers: str) -> None:
    owner = started()
    owner.answer(owner.one(), 423, 0.1, headers)
    assert len(owner.told) == 1
    assert owner.told[0].startswith("423 ")
    assert owner.registration.state is RegistrationState.WAITING


def test_retry_after_is_obeyed_within_an_hour() -> None:
    """Section 20.33."""
    owner = started()
    owner.answer(owner.one(), 503, 0.0, "Retry-After: 90 (busy);duration=60\r\n")
    owner.fire(89.9)
    assert owner.sent() == []
    owner.fire(90)
    owner.answer(owner.one(), 503, 90.0, "Retry-After: 999999\r\n")
    owner.fire(90 + 3600)
    assert owner.one().method == "REGISTER"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("20", 20), ("5 (x)", 5), ("7;duration=3", 7), ("", 0), ("-1", 0), ("x", 0), ("²", 0)],
)
def test_a_retry_after_is_read_or_none(value: str, seconds: float) -> None:
    assert retry_after_seconds(value) == seconds


def test_the_next_flow_is_tried_when_a_server_fails_and_the_wait_begins_after_the_last() -> None:
    """RFC 3263 section 4.3."""
    owner = started(FLOW, OTHER)
    owner.answer(owner.one(), 503, 0.0)
    request = owner.one()
    assert owner.flow is OTHER
    owner.answer(request, 500, 0.1)
    assert owner.told == ["500 no server answers"]
    assert owner.registration.state is RegistrationState.WAITING


def test_a_flow_that_breaks_leads_to_the_next() -> None:
    """Section 8.1.3.1."""
    owner = started(FLOW, OTHER)
    owner.sent()
    owner.stack.flow_failed(FLOW, 0.1)
    owner.accept(owner.one(), 0.2)
    assert owner.registration.flow is OTHER


def test_a_silent_registrar_is_given_up_after_32_seconds() -> None:
    owner = started(FLOW)
    owner.sent()
    owner.fire(32.1)
    assert owner.told == ["408 no server answers"]


def test_waits_grow_and_end_growing() -> None:
    """RFC 5626 section 4.5: doubled, and drawn from the upper half."""
    owner = started()
    now, waits = 0.0, []
    for _ in range(12):
        owner.answer(owner.one(), 500, now)
        deadline = owner.registration.deadline
        assert deadline is not None
        waits.append(deadline - now)
        now = deadline
        owner.fire(now)
    for number, wait in enumerate(waits):
        longest = min(LONGEST_WAIT_SECONDS, 10 * 2**number)
        assert longest / 2 <= wait <= longest


def test_a_success_makes_the_next_wait_short_again() -> None:
    owner = started()
    now = 0.0
    for _ in range(6):
        owner.answer(owner.one(), 500, now)
        now = owner.registration.deadline or now
        owner.fire(now)
    owner.accept(owner.one(), now)
    now += 480
    owner.fire(now)
    owner.answer(owner.one(), 500, now)
    assert (owner.registration.deadline or 0) - now <= 10


@pytest.mark.parametrize(
    ("contact", "granted"),
    [
        ("", 600),
        ("Contact: <sip:u1@198.51.100.7:1024>;expires=300\r\n", 300),
        ("Contact: <sip:x@192.0.2.9>, <sip:u1@192.0.2.10:5060;line=abc>;expires=120\r\n", 120),
        ("Expires: 200\r\nContact: <sip:u1@192.0.2.10:5060;line=abc>\r\n", 200),
    ],
)
def test_what_is_granted_is_read_from_our_own_contact(contact: str, granted: int) -> None:
    """Section 10.2.4; a border controller may write another address into it."""
    owner = started()
    owner.answer(owner.one(), 200, 0.0, contact)
    assert owner.told == [f"registered for {granted}"]


@pytest.mark.parametrize(
    "contact",
    [
        "Contact: <sip:u1@192.0.2.10:5060;line=abc>;expires=0\r\n",
        "Contact: <sip:x@192.0.2.9>, <sip:y@192.0.2.9>\r\n",
        "Contact: <<<\r\n",
        "Contact: <sip:u1@192.0.2.10:5060;line=abc>;expires=x\r\n",
    ],
)
def test_an_answer_that_binds_us_not_is_a_refusal(contact: str) -> None:
    owner = started()
    owner.answer(owner.one(), 200, 0.0, contact)
    assert len(owner.told) == 1
    assert owner.told[0].startswith("200 ")
    assert owner.registration.state is RegistrationState.WAITING


def test_the_service_route_is_kept_as_it_came_and_a_broken_one_not_at_all() -> None:
    """RFC 3608 section 5."""
    owner = started()
    request = owner.one()
    routes = "Service-Route: <sip:a.op.example;lr>, <sip:b.op.example;lr>\r\n"
    owner.answer(request, 200, 0.0, f"Contact: {request.headers['contact'][0]}\r\n{routes}")
    assert owner.registration.service_routes == ("<sip:a.op.example;lr>", "<sip:b.op.example;lr>")
    owner.fire(480)
    request = owner.one()
    owner.answer(request, 200, 480, f"Contact: {request.headers['contact'][0]}\r\nService-Route: <x\r\n")
    assert len(owner.registration.service_routes) == 0


def test_stopping_takes_the_binding_away_and_asks_for_nothing_more() -> None:
    """Section 10.2.2."""
    owner = started()
    owner.accept(owner.one(), 0.0)
    owner.registration.stop(10)
    request = owner.one()
    assert request.expires == 0
    owner.answer(request, 401, 10.1, CHALLENGE.format(nonce="n1", more=""))
    again = owner.one()
    assert again.expires == 0
    assert again.get("authorization")
    owner.answer(again, 200, 10.2)
    owner.fire(1e6)
    assert owner.sent() == []
    assert owner.registration.state is RegistrationState.STOPPED


def test_stopping_without_a_binding_sends_nothing() -> None:
    owner = started()
    owner.answer(owner.one(), 403, 0.0)
    owner.registration.stop(1)
    assert owner.sent() == []


def test_a_refresh_asked_for_begins_at_once() -> None:
    owner = started()
    owner.accept(owner.one(), 0.0)
    owner.registration.refresh(5)
    assert owner.one().method == "REGISTER"


def test_no_secret_is_in_what_is_sent() -> None:
    owner = started()
    owner.answer(owner.one(), 401, 0.1, CHALLENGE.format(nonce="n1", more=""))
    data = b"".join(data for _, data in owner.stack.outbox)
    assert not re.search(rb"secret", data)
