"""The stack's first duty: what comes in is answered or dropped, and an answer goes where it came from."""

from __future__ import annotations

import pytest

from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.flow import Flow
from sip.core.identifiers import Identifiers
from sip.core.message import Request, Response
from sip.core.parser import parse_message
from sip.core.stack import ServerTransaction, Stack

PHONE = ("192.0.2.77", 5062)
LOCAL = ("192.0.2.1", 5060)


class User:
    """A transaction user that keeps what it gets, and raises `problem` if it has one."""

    def __init__(self, problem: RemoteProtocolError | None = None) -> None:
        self.problem = problem
        self.stack = Stack(self, Identifiers(b"stack"))
        self.requests: list[Request] = []
        self.responses: list[Response] = []
        self.answer_first = 0

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        self.requests.append(request)
        if self.answer_first:
            self.stack.respond(transaction, self.answer_first, now)
        if self.problem is not None:
            raise self.problem

    def ack_received(self, ack: Request, now: float) -> None:
        self.requests.append(ack)
        if self.problem is not None:
            raise self.problem

    def response_received(self, response: Response, now: float) -> None:
        self.responses.append(response)

    def no_response(self, reason: str, now: float) -> None:
        raise AssertionError(reason)

    def receive(self, text: str, transport: str = "UDP") -> list[tuple[tuple[str, int], Response]]:
        """Let one message in; returns the responses that go out and where each goes."""
        self.stack.receive(text.encode(), Flow(transport, LOCAL, PHONE), 0.0)
        sent = []
        for flow, data in self.stack.outbox:
            response = parse_message(data)
            assert isinstance(response, Response)
            sent.append((flow.remote, response))
        self.stack.outbox.clear()
        return sent


def options(
    via: str = "SIP/2.0/UDP 192.0.2.77:5062;branch=z9hG4bK1", extra: str = "", method: str = "OPTIONS"
) -> str:
    return (
        f"{method} sip:valmont.example SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\n"
        f"To: <sip:b@valmont.example>\r\nFrom: <sip:a@valmont.example>;tag=1\r\n"
        f"Call-ID: c1\r\nCSeq: 7 {method}\r\n{extra}\r\n"
    )


def test_a_refusal_copies_what_a_response_must_copy() -> None:
    """RFC 3261 section 8.2.6.2."""
    ((_, response),) = User(RemoteProtocolError(403, "Forbidden")).receive(options())
    assert (response.status, response.reason) == (403, "Forbidden")
    assert response.via.branch == "z9hG4bK1"
    assert response.from_.tag == "1"
    assert response.to.tag
    assert response.call_id == "c1"
    assert response.cseq == (7, "OPTIONS")


def test_a_refusal_carries_its_headers() -> None:
    ((_, response),) = User(RemoteProtocolError(423, "Too Brief", (("Min-Expires", "60"),))).receive(
        options()
    )
    assert response.only("min-expires") == "60"


def test_a_parse_error_while_reading_the_request_is_a_400() -> None:
    ((_, response),) = User(ParseError("malformed Contact")).receive(options())
    assert (response.status, response.reason) == (400, "Bad Request")


def test_a_retransmission_gets_the_same_answer_and_never_reaches_the_user_again() -> None:
    """RFC 3261 section 17.2.2."""
    user = User(RemoteProtocolError(403, "Forbidden"))
    ((_, first),) = user.receive(options())
    ((_, second),) = user.receive(options())
    assert second.to.tag == first.to.tag
    assert len(user.requests) == 1


def test_a_response_goes_to_the_sent_by_port_of_the_address_it_came_from() -> None:
    """RFC 3261 section 18.2.2."""
    ((remote, response),) = User(RemoteProtocolError(403, "No")).receive(
        options("SIP/2.0/UDP phone.example:5099;branch=z9hG4bK1")
    )
    assert remote == ("192.0.2.77", 5099)
    assert response.via.parameters["received"] == "192.0.2.77"


def test_a_response_to_rport_goes_to_the_port_it_came_from_and_says_so() -> None:
    """RFC 3581 section 4."""
    ((remote, response),) = User(RemoteProtocolError(403, "No")).receive(
        options("SIP/2.0/UDP 10.0.0.9:5099;rport;branch=z9hG4bK1")
    )
    assert remote == PHONE
    assert response.via.parameters["received"] == "192.0.2.77"
    assert response.via.parameters["rport"] == "5062"


def test_a_client_can_not_claim_where_it_is() -> None:
    """RFC 3261 section 18.2.1: received is the server's to write."""
    ((remote, response),) = User(RemoteProtocolError(403, "No")).receive(
        options("SIP/2.0/UDP 10.0.0.9:5099;received=198.51.100.1;rport=9;branch=z9hG4bK1")
    )
    assert remote == PHONE
    assert response.via.parameters["received"] == "192.0.2.77"
    assert response.via.parameters["rport"] == "5062"


def test_a_response_on_a_connection_goes_back_on_it() -> None:
    """RFC 3261 section 18.2.2."""
    ((remote, _),) = User(RemoteProtocolError(403, "No")).receive(
        options("SIP/2.0/TCP 10.0.0.9:5099;branch=z9hG4bK1"), "TCP"
    )
    assert remote == PHONE


@pytest.mark.parametrize("port", ["65536", "99999"])
def test_a_port_that_does_not_exist_is_a_bad_request_and_is_answered_to_the_source(port: str) -> None:
    ((remote, response),) = User().receive(options(f"SIP/2.0/UDP 192.0.2.77:{port};branch=z9hG4bK1"))
    assert remote == PHONE
    assert response.status == 400


def test_a_malformed_ack_is_never_answered() -> None:
    """RFC 3261 section 17: there is no response to ACK."""
    user = User()
    assert user.receive(options(method="ACK").replace("CSeq: 7", "CSeq: x")) == []
    assert user.requests == []


def test_an_ack_that_the_user_refuses_is_never_answered() -> None:
    user = User(RemoteProtocolError(403, "Forbidden"))
    assert user.receive(options(method="ACK")) == []
    assert len(user.requests) == 1


def test_a_refusal_after_the_final_answer_changes_nothing() -> None:
    user = User(RemoteProtocolError(500, "Too late"))
    user.answer_first = 200
    assert [response.status for _, response in user.receive(options())] == [200]


def test_a_request_without_via_has_nowhere_to_be_answered() -> None:
    assert User().receive(options().replace("Via", "X-Via")) == []


def test_a_response_to_nothing_is_a_stray() -> None:
    user = User()
    assert user.receive("SIP/2.0 200 OK\r\n" + options().partition("\r\n")[2]) == []
    assert user.stack.counts["stray response"] == 1


def test_an_invite_that_arrives_by_two_ways_is_refused_once_with_482() -> None:
    """RFC 3261 section 8.2.2.2."""
    user = User()
    assert user.receive(options(method="INVITE")) == []
    ((_, response),) = user.receive(options("SIP/2.0/UDP 192.0.2.77:5062;branch=z9hG4bK2", method="INVITE"))
    assert response.status == 482
    assert len(user.requests) == 1


def test_a_request_of_our_own_that_comes_back_is_a_loop() -> None:
    """RFC 5393 section 4.2."""
    user = User()
    user.stack.send_request("OPTIONS", "z9hG4bK1", options().encode(), Flow("UDP", LOCAL, PHONE), user, 0.0)
    user.stack.outbox.clear()
    ((_, response),) = user.receive(options())
    assert response.status == 482
    assert user.requests == []


def test_a_final_response_without_to_leaves_the_invite_waiting_for_a_good_one() -> None:
    """RFC 3261 section 17.1.1.3: its ACK could not be written."""
    user = User()
    sent = options(method="INVITE")
    user.stack.send_request("INVITE", "z9hG4bK1", sent.encode(), Flow("UDP", LOCAL, PHONE), user, 0.0)
    user.stack.outbox.clear()
    busy = "SIP/2.0 486 Busy Here\r\n" + sent.partition("\r\n")[2]
    assert user.receive(busy.replace("To:", "X-To:")) == []
    assert user.responses == []
    user.stack.receive(busy.encode(), Flow("UDP", LOCAL, PHONE), 0.0)
    assert [response.status for response in user.responses] == [486]
    assert [data.partition(b" ")[0] for _, data in user.stack.outbox] == [b"ACK"]
