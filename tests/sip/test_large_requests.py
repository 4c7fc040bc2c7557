"""Requests too large for a datagram: over a connection, and as a datagram after all (RFC 3261 18.1.1)."""

from __future__ import annotations

import pytest

from sip.core.flow import Flow
from sip.core.identifiers import Identifiers
from sip.core.message import Request, Response
from sip.core.parser import parse_message
from sip.core.stack import LARGEST_DATAGRAM_BYTES, ServerTransaction, Stack
from sip.core.timers import T1

LOCAL, REMOTE = ("192.0.2.1", 5060), ("192.0.2.77", 5060)


class Connection(Flow):
    """A TCP flow that a test closes."""

    __slots__ = ("broken",)

    def __init__(self) -> None:
        super().__init__("TCP", LOCAL, REMOTE)
        self.broken = False

    @property
    def open(self) -> bool:
        return not self.broken


class Datagrams(Flow):
    """A UDP flow, perhaps with a connection beside it."""

    __slots__ = ("large",)
    large: Flow | None

    def __init__(self, large: Flow | None = None) -> None:
        super().__init__("UDP", LOCAL, REMOTE)
        self.large = large


class Caller:
    """The user of client transactions, and of nothing else."""

    def __init__(self) -> None:
        self.responses: list[int] = []
        self.failures: list[str] = []

    def response_received(self, response: Response, now: float) -> None:
        self.responses.append(response.status)

    def no_response(self, reason: str, now: float) -> None:
        self.failures.append(reason)

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        raise AssertionError("nobody asks")

    def ack_received(self, ack: Request, now: float) -> None:
        raise AssertionError("nobody acknowledges")


def request(method: str, body_bytes: int) -> bytes:
    body = "v" * body_bytes
    return (
        f"{method} sip:0612345678@operateur.example SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport\r\nMax-Forwards: 70\r\n"
        f"From: <sip:a@valmont.example>;tag=1\r\nTo: <sip:b@operateur.example>\r\nCall-ID: 1\r\n"
        f"CSeq: 1 {method}\r\nX-Via: SIP/2.0/UDP of no matter\r\nContent-Length: {body_bytes}\r\n\r\n{body}"
    ).encode()


def response(status: int, method: str, transport: str) -> bytes:
    return (
        f"SIP/2.0 {status} X\r\nVia: SIP/2.0/{transport} 192.0.2.1:5060;branch=z9hG4bK1\r\n"
        f"From: <sip:a@valmont.example>;tag=1\r\nTo: <sip:b@operateur.example>;tag=2\r\nCall-ID: 1\r\n"
        f"CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


class Sending:
    """A stack that has sent one request at 0 s."""

    def __init__(self, flow: Flow, method: str = "INVITE", body_bytes: int = 2000) -> None:
        self.caller = Caller()
        self.stack = Stack(self.caller, Identifiers(b"large"))
        self.stack.send_request(method, "z9hG4bK1", request(method, body_bytes), flow, self.caller, 0.0)

    def sent(self) -> tuple[Flow, str]:
        """The one message that lies in the outbox: its flow, and the transport of its Via."""
        ((flow, data),) = self.stack.outbox
        self.stack.outbox.clear()
        message = parse_message(data)
        assert message.first("x-via") == "SIP/2.0/UDP of no matter"
        return flow, message.via.transport


@pytest.fixture
def connection() -> Connection:
    return Connection()


@pytest.fixture
def datagrams(connection: Connection) -> Datagrams:
    return Datagrams(connection)


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_a_large_request_takes_the_connection_and_its_via_says_so(
    datagrams: Datagrams, connection: Connection, method: str
):
    assert Sending(datagrams, method).sent() == (connection, "TCP")


def test_a_request_that_fits_is_a_datagram(datagrams: Datagrams):
    size = LARGEST_DATAGRAM_BYTES - len(request("INVITE", 1000)) + 1000
    assert len(request("INVITE", size)) == LARGEST_DATAGRAM_BYTES
    assert Sending(datagrams, body_bytes=size).sent() == (datagrams, "UDP")
    assert Sending(datagrams, body_bytes=size + 1).sent()[1] == "TCP"


def test_without_a_connection_a_large_request_is_a_datagram():
    """A telephone that registered over UDP, behind NAT or not, is never connected to."""
    alone = Datagrams()
    assert Sending(alone).sent() == (alone, "UDP")


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_a_refused_connection_makes_it_a_datagram_that_is_repeated(
    datagrams: Datagrams, connection: Connection, method: str
):
    sending = Sending(datagrams, method)
    sending.sent()
    connection.broken = True
    sending.stack.flow_failed(connection, 0.2)
    assert sending.sent() == (datagrams, "UDP")
    sending.stack.fire(0.2 + T1)
    assert sending.sent() == (datagrams, "UDP")
    assert sending.caller.failures == []


def test_the_request_after_a_refusal_is_a_datagram_at_once(datagrams: Datagrams, connection: Connection):
    connection.broken = True
    assert Sending(datagrams).sent() == (datagrams, "UDP")


def test_over_a_connection_nothing_is_repeated(datagrams: Datagrams):
    sending = Sending(datagrams)
    sending.sent()
    sending.stack.fire(4 * T1)
    assert sending.stack.outbox == []


def test_a_connection_that_breaks_after_the_first_answer_fails_the_request(
    datagrams: Datagrams, connection: Connection
):
    """17.1.4: the server has the request; it isn't sent twice."""
    sending = Sending(datagrams)
    sending.sent()
    sending.stack.receive(response(100, "INVITE", "TCP"), connection, 0.1)
    connection.broken = True
    sending.stack.flow_failed(connection, 0.2)
    assert sending.stack.outbox == []
    assert sending.caller.failures == ["transport error"]


def test_a_datagram_that_nobody_answers_fails_as_late_as_any(datagrams: Datagrams, connection: Connection):
    sending = Sending(datagrams)
    connection.broken = True
    sending.stack.flow_failed(connection, 1.0)
    sending.stack.fire(64 * T1)
    assert sending.caller.failures == ["no response"]


def test_nothing_is_left_of_a_large_request(datagrams: Datagrams, connection: Connection):
    sending = Sending(datagrams, "MESSAGE")
    sending.sent()
    sending.stack.receive(response(200, "MESSAGE", "TCP"), connection, 0.1)
    sending.stack.fire(0.2)
    assert sending.caller.responses == [200]
    assert not any(sending.stack.inventory().values())
