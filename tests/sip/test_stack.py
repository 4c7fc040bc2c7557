"""The stack's first duty: what comes in is answered or dropped, and an answer goes where it came from."""

from __future__ import annotations

import pytest

from sip.core import stack
from sip.core.errors import LocalProtocolError, ParseError, RemoteProtocolError
from sip.core.flow import Flow
from sip.core.identifiers import Identifiers
from sip.core.message import Request, Response
from sip.core.parser import parse_message
from sip.core.stack import ServerTransaction, Stack
from sip.core.transactions.invite_client import InviteClient
from sip.core.transactions.invite_server import InviteServer
from tests.sip.messages import (
    LOCAL,
    PHONE,
    TCP,
    UDP,
    read_response,
    request_bytes,
    response_bytes,
    take,
    take_labels,
)


class User:
    """A transaction user that keeps what it gets, and raises `problem` if it has one."""

    def __init__(self, problem: Exception | None = None) -> None:
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
    text = options(extra='Authorization: Digest username="1001"\r\n')
    ((_, first),) = user.receive(text)
    ((_, second),) = user.receive(text)
    assert second.to.tag == first.to.tag
    assert len(user.requests) == 1


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_the_refusal_of_a_stranger_is_sent_once_and_nothing_is_kept_of_it(method: str) -> None:
    """RFC 3261 section 8.2.7: else one forged INVITE would send eleven answers to whoever it names."""
    user = User(RemoteProtocolError(420, "Bad Extension"))
    ((_, first),) = user.receive(options(method=method))
    assert first.status == 420
    assert set(user.stack.inventory().values()) == {0}
    user.stack.fire(100.0)
    assert user.stack.outbox == []
    ((_, second),) = user.receive(options(method=method))
    assert second.to.tag == first.to.tag


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


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_a_defect_of_the_user_is_answered_500_and_leaves_nothing(method: str) -> None:
    user = User(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        user.receive(options(method=method))
    ((_, data),) = user.stack.outbox
    assert data.startswith(b"SIP/2.0 500 ")
    user.stack.outbox.clear()
    assert not any(user.stack.inventory().values())


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


# --- Which transaction a message belongs to ----------------------------------------------------------------


class Server:
    """A transaction user that takes every request on and answers when it is told to."""

    def __init__(self) -> None:
        self.stack = Stack(self, Identifiers(b"server"))
        self.served: list[ServerTransaction] = []
        self.acks: list[Request] = []
        self.heard: list[str] = []

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        self.served.append(transaction)

    def ack_received(self, ack: Request, now: float) -> None:
        self.acks.append(ack)

    def response_received(self, response: Response, now: float) -> None:
        self.heard.append(str(response.status))

    def no_response(self, reason: str, now: float) -> None:
        self.heard.append(reason)

    def cancel_received(self, cancel: Request, now: float) -> None:
        self.heard.append("CANCEL")
        self.stack.respond(self.served[0], 487, now)

    def ack_missing(self, now: float) -> None:
        self.heard.append("ack missing")

    def receive(self, data: bytes, now: float = 0.0, flow: Flow = UDP) -> list[str]:
        """Let one message in; returns what goes out."""
        self.stack.receive(data, flow, now)
        return take_labels(self.stack.outbox)

    def respond(self, status: int, now: float = 0.0, index: int = -1) -> bytes:
        self.stack.respond(self.served[index], status, now)
        return take(self.stack.outbox)[-1]

    def send(self, method: str, branch: str, flow: Flow = UDP, now: float = 0.0) -> bytes:
        """Send a request of our own."""
        data = request_bytes(method, branch=branch)
        self.stack.send_request(method, branch, data, flow, self, now)
        take(self.stack.outbox)
        return data

    def rest(self) -> dict[str, int]:
        """What is alive after the longest timers."""
        self.stack.fire(1000.0)
        take(self.stack.outbox)
        self.stack.fire(2000.0)
        take(self.stack.outbox)
        return {name: count for name, count in self.stack.inventory().items() if count}


def served(*messages: bytes) -> int:
    """How many transactions these messages start."""
    server = Server()
    for data in messages:
        server.receive(data)
    return len(server.served)


def test_the_same_branch_sent_by_and_method_are_one_transaction() -> None:
    """RFC 3261 section 17.2.3."""
    assert served(request_bytes("OPTIONS"), request_bytes("OPTIONS")) == 1


@pytest.mark.parametrize(
    "other",
    [
        request_bytes("OPTIONS", branch="z9hG4bK2"),
        request_bytes("OPTIONS", via="SIP/2.0/UDP 192.0.2.78:5062;branch=z9hG4bK1"),
        request_bytes("OPTIONS", via="SIP/2.0/UDP 192.0.2.77:5063;branch=z9hG4bK1"),
        request_bytes("OPTIONS", via="SIP/2.0/UDP 192.0.2.77;branch=z9hG4bK1"),
        request_bytes("REGISTER"),
    ],
    ids=["branch", "host", "port", "no port", "method"],
)
def test_another_branch_sent_by_or_method_is_another_transaction(other: bytes) -> None:
    """RFC 3261 section 17.2.3: sent-by keeps apart clients that made the same branch."""
    assert served(request_bytes("OPTIONS"), other) == 2


def test_with_the_magic_cookie_nothing_but_branch_sent_by_and_method_counts() -> None:
    """RFC 3261 section 17.2.3."""
    again = request_bytes("OPTIONS", uri="sip:other@valmont.example", from_tag="x", call_id="y", cseq=99)
    assert served(request_bytes("OPTIONS"), again) == 1


OLD_VIA = "SIP/2.0/UDP 192.0.2.77:5062"


@pytest.mark.parametrize("via", [OLD_VIA, OLD_VIA + ";branch=1", OLD_VIA + ";branch=z9hG4bK"])
def test_a_request_of_a_2543_client_is_matched_by_its_headers(via: str) -> None:
    """RFC 3261 section 17.2.3; the cookie alone is no branch."""
    assert served(request_bytes("OPTIONS", via=via), request_bytes("OPTIONS", via=via)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"uri": "sip:other@valmont.example"},
        {"from_tag": "other"},
        {"call_id": "other"},
        {"cseq": 8},
        {"via": OLD_VIA + ";branch=other"},
    ],
)
def test_a_request_of_a_2543_client_that_differs_anywhere_is_another_transaction(
    change: dict[str, str],
) -> None:
    """RFC 3261 section 17.2.3."""
    assert (
        served(request_bytes("OPTIONS", via=OLD_VIA), request_bytes("OPTIONS", **{"via": OLD_VIA} | change))
        == 2
    )


@pytest.mark.parametrize("via", ["", OLD_VIA])
def test_the_ack_of_a_refusal_finds_its_invite(via: str) -> None:
    """RFC 3261 section 17.2.3."""
    server = Server()
    server.receive(request_bytes("INVITE", via=via))
    tag = read_response(server.respond(486)).to.tag
    assert server.receive(request_bytes("ACK", via=via, to_tag=tag), 1.0) == []
    assert server.acks == []
    server.stack.fire(5.9)
    assert take_labels(server.stack.outbox) == []
    assert server.rest() == {}


@pytest.mark.parametrize("branch", ["z9hG4bK1", "z9hG4bK-ack"])
def test_the_ack_of_a_2xx_goes_to_the_user_whatever_its_branch(branch: str) -> None:
    """RFC 3261 section 13.2.2.4, RFC 6026 section 7.1."""
    server = Server()
    server.receive(request_bytes("INVITE"))
    tag = read_response(server.respond(200)).to.tag
    assert server.receive(request_bytes("ACK", branch=branch, to_tag=tag), 1.0) == []
    assert [ack.to.tag for ack in server.acks] == [tag]


def test_an_ack_of_nothing_is_passed_and_never_answered() -> None:
    """RFC 3261 section 17: there is no response to ACK."""
    server = Server()
    assert server.receive(request_bytes("ACK")) == []
    assert len(server.acks) == 1


# --- Merged requests and loops -----------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"call_id": "c2"}, {"from_tag": "other"}, {"cseq": 8}, {"to_tag": "t"}])
def test_an_invite_that_differs_is_not_merged(change: dict[str, str]) -> None:
    """RFC 3261 section 8.2.2.2; a request with a To tag belongs to a dialog."""
    assert served(request_bytes("INVITE"), request_bytes("INVITE", branch="z9hG4bK2", **change)) == 2


def test_an_invite_may_come_again_by_another_way_once_the_first_is_over() -> None:
    """RFC 3261 section 8.2.2.2: ongoing transactions only."""
    server = Server()
    server.receive(request_bytes("INVITE"))
    server.respond(486)
    server.rest()
    assert server.receive(request_bytes("INVITE", branch="z9hG4bK2"), 3000.0) == []
    assert len(server.served) == 2


def test_a_refused_merged_request_leaves_the_first_alone() -> None:
    """RFC 3261 section 8.2.2.2."""
    server = Server()
    server.receive(request_bytes("INVITE"))
    for _ in range(2):
        assert server.receive(request_bytes("INVITE", branch="z9hG4bK2")) == ["482 INVITE"]
    server.respond(200)
    assert server.rest() == {}


# --- CANCEL ------------------------------------------------------------------------------------------------


def test_a_cancel_is_answered_and_then_its_invite() -> None:
    """RFC 3261 section 9.2."""
    server = Server()
    server.receive(request_bytes("INVITE"))
    assert server.receive(request_bytes("CANCEL")) == ["200 CANCEL", "487 INVITE"]


def test_the_response_to_a_cancel_has_the_to_tag_of_its_invite() -> None:
    """RFC 3261 section 9.2."""
    server = Server()
    for branch, tag in (("z9hG4bK-user", "ours"), ("z9hG4bK-nobody", "")):
        server.receive(request_bytes("INVITE", branch=branch, call_id=branch))
        invite = server.served[-1]
        assert isinstance(invite, InviteServer)
        invite.to_tag = tag
        server.stack.receive(request_bytes("CANCEL", branch=branch, call_id=branch), UDP, 0.0)
        first, second = (read_response(data).to.tag for data in take(server.stack.outbox))
        assert first == second
        assert first == tag or not tag


def test_the_user_of_an_invite_hears_of_its_cancel() -> None:
    """RFC 3261 section 9.2."""
    server = Server()
    server.receive(request_bytes("INVITE"))
    invite = server.served[0]
    assert isinstance(invite, InviteServer)
    invite.user = server
    assert server.receive(request_bytes("CANCEL")) == ["200 CANCEL", "487 INVITE"]
    assert server.heard == ["CANCEL"]


@pytest.mark.parametrize("status", [200, 486])
def test_a_cancel_that_crosses_the_final_response_changes_nothing(status: int) -> None:
    """RFC 3261 section 9.2."""
    server = Server()
    server.receive(request_bytes("INVITE"))
    invite = server.served[0]
    assert isinstance(invite, InviteServer)
    invite.user = server
    server.respond(status)
    assert server.receive(request_bytes("CANCEL")) == ["200 CANCEL"]
    assert server.heard == []


def test_a_cancel_of_nothing_is_481() -> None:
    """RFC 3261 section 9.2."""
    server = Server()
    assert server.receive(request_bytes("CANCEL")) == ["481 CANCEL"]
    assert server.rest() == {}


def test_a_repeated_cancel_gets_the_same_answer_and_is_heard_once() -> None:
    """RFC 3261 section 17.2.2."""
    server = Server()
    server.receive(request_bytes("INVITE"))
    invite = server.served[0]
    assert isinstance(invite, InviteServer)
    invite.user = server
    server.receive(request_bytes("CANCEL"))
    assert server.receive(request_bytes("CANCEL")) == ["200 CANCEL"]
    assert server.heard == ["CANCEL"]


def test_a_cancel_of_a_2543_client_finds_its_invite() -> None:
    """RFC 3261 section 17.2.3."""
    server = Server()
    server.receive(request_bytes("INVITE", via=OLD_VIA))
    assert server.receive(request_bytes("CANCEL", via=OLD_VIA)) == ["200 CANCEL", "487 INVITE"]


def test_a_cancel_by_someone_else_finds_nothing() -> None:
    """RFC 3261 section 9.2: the sent-by is part of the match."""
    server = Server()
    server.receive(request_bytes("INVITE"))
    elsewhere = "SIP/2.0/UDP 192.0.2.66:5062;branch=z9hG4bK1"
    assert server.receive(request_bytes("CANCEL", via=elsewhere)) == ["481 CANCEL"]


@pytest.mark.parametrize(
    ("status", "sent"), [(0, []), (100, ["CANCEL"]), (180, ["CANCEL"]), (200, []), (486, [])]
)
def test_a_cancel_of_ours_leaves_only_between_a_provisional_and_the_final_response(
    status: int, sent: list[str]
) -> None:
    """RFC 3261 section 9.1."""
    server = Server()
    data = request_bytes("INVITE", branch="z9hG4bK-ours")
    invite = server.stack.send_request("INVITE", "z9hG4bK-ours", data, UDP, server, 0.0)
    assert isinstance(invite, InviteClient)
    take(server.stack.outbox)
    if status:
        server.receive(response_bytes(data, status))
    server.stack.send_cancel(invite, server, 1.0)
    assert take_labels(server.stack.outbox) == sent


# --- Responses ---------------------------------------------------------------------------------------------


def test_a_response_finds_its_request_by_branch_and_method() -> None:
    """RFC 3261 section 17.1.3."""
    server = Server()
    data = server.send("OPTIONS", "z9hG4bK-ours")
    server.receive(response_bytes(data, 200))
    assert server.heard == ["200"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"branch=z9hG4bK-ours", b"branch=z9hG4bK-other"),
        (b"CSeq: 7 OPTIONS", b"CSeq: 7 REGISTER"),
        (b"\r\nFrom:", b"\r\nVia: SIP/2.0/UDP 192.0.2.5;branch=z9hG4bK0\r\nFrom:"),
        (b"branch=z9hG4bK-ours", b"branch=z9hG4bK-ours, SIP/2.0/UDP 192.0.2.5;branch=z9hG4bK0"),
    ],
    ids=["branch", "method", "second Via", "second Via on its line"],
)
def test_a_response_that_belongs_to_nothing_is_dropped_and_counted(old: bytes, new: bytes) -> None:
    """RFC 3261 sections 17.1.3, 18.1.2 and 8.1.3.3."""
    server = Server()
    data = server.send("OPTIONS", "z9hG4bK-ours")
    answer = response_bytes(data, 200)
    assert old in answer
    assert server.receive(answer.replace(old, new, 1)) == []
    assert server.heard == []
    assert server.stack.counts["stray response"] == 1


def test_the_answer_to_a_cancel_is_not_taken_for_the_answer_to_its_invite() -> None:
    """RFC 3261 section 17.1.3: they share the branch."""
    server = Server()
    data = server.send("INVITE", "z9hG4bK-ours")
    server.receive(response_bytes(data, 180))
    invite = server.stack._clients["z9hG4bK-ours", "INVITE"]
    assert isinstance(invite, InviteClient)
    server.stack.send_cancel(invite, server, 1.0)
    (cancel,) = take(server.stack.outbox)
    server.heard.clear()
    server.receive(response_bytes(cancel, 200))
    assert server.heard == ["200"]
    assert server.receive(response_bytes(data, 487)) == ["ACK"]
    assert server.heard == ["200", "487"]


def test_a_late_response_after_the_transaction_is_a_stray() -> None:
    """RFC 3261 section 18.1.2."""
    server = Server()
    data = server.send("OPTIONS", "z9hG4bK-ours")
    server.rest()
    assert server.heard == ["no response"]
    server.receive(response_bytes(data, 200), 3000.0)
    assert server.heard == ["no response"]
    assert server.stack.counts["stray response"] == 1


def test_a_broken_flow_fails_what_waits_on_it_and_nothing_else() -> None:
    """RFC 3261 section 8.1.3.1."""
    server = Server()
    server.send("OPTIONS", "z9hG4bK-tcp", TCP)
    data = server.send("OPTIONS", "z9hG4bK-udp", UDP)
    server.stack.flow_failed(TCP, 1.0)
    assert server.heard == ["transport error"]
    server.receive(response_bytes(data, 200))
    assert server.heard == ["transport error", "200"]
    assert server.rest() == {}


# --- Time and limits ---------------------------------------------------------------------------------------


def test_an_invite_that_nobody_answers_quickly_gets_a_100() -> None:
    """RFC 3261 section 17.2.1."""
    server = Server()
    server.receive(request_bytes("INVITE"))
    assert server.stack.next_deadline() == 0.2
    server.stack.fire(0.2)
    assert take_labels(server.stack.outbox) == ["100 INVITE"]


@pytest.mark.parametrize("flow", [UDP, TCP], ids=["udp", "tcp"])
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "REGISTER"])
@pytest.mark.parametrize("status", [200, 404])
def test_nothing_is_left_of_a_served_request(flow: Flow, method: str, status: int) -> None:
    """RFC 3261 section 17.2: timers H, I, J and RFC 6026's L end them all."""
    server = Server()
    server.receive(request_bytes(method), flow=flow)
    server.respond(status)
    assert server.rest() == {}


@pytest.mark.parametrize("flow", [UDP, TCP], ids=["udp", "tcp"])
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
@pytest.mark.parametrize("status", [0, 200, 404])
def test_nothing_is_left_of_a_sent_request(flow: Flow, method: str, status: int) -> None:
    """RFC 3261 section 17.1: timers B, D, F, K and RFC 6026's M end them all."""
    server = Server()
    data = server.send(method, "z9hG4bK-ours", flow)
    if status:
        server.receive(response_bytes(data, status), flow=flow)
    assert server.rest() == {}


def test_a_node_with_too_many_transactions_says_503_and_keeps_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RFC 3261 section 21.5.4."""
    monkeypatch.setattr(stack, "MAX_TRANSACTIONS", 2)
    server = Server()
    for number in range(2):
        assert server.receive(request_bytes("OPTIONS", branch=f"z9hG4bK{number}")) == []
    assert server.receive(request_bytes("OPTIONS", branch="z9hG4bK9")) == ["503 OPTIONS"]
    assert server.receive(request_bytes("INVITE", branch="z9hG4bK8")) == ["503 INVITE"]
    inventory = server.stack.inventory()
    assert (inventory["server transactions"], inventory["merged requests"]) == (2, 0)
    server.respond(200, index=0)
    server.respond(200, index=1)
    assert server.rest() == {}


def test_the_ack_of_a_full_nodes_503_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "MAX_TRANSACTIONS", 0)
    server = Server()
    assert server.receive(request_bytes("INVITE")) == ["503 INVITE"]
    assert server.receive(request_bytes("ACK", to_tag="x")) == []


def test_answering_twice_is_a_mistake_of_ours() -> None:
    server = Server()
    server.receive(request_bytes("OPTIONS"))
    server.respond(200)
    with pytest.raises(LocalProtocolError):
        server.respond(200)


# --- Challenges --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["INVITE", "REGISTER"])
def test_nothing_is_kept_of_a_request_that_is_challenged(method: str) -> None:
    """RFC 3261 sections 8.2.7 and 26.3.2.4."""
    server = Server()
    server.receive(request_bytes(method))
    server.stack.answer_stranger(server.served[0], 401, headers="WWW-Authenticate: Digest x\r\n")
    assert take_labels(server.stack.outbox) == [f"401 {method}"]
    left = {name: count for name, count in server.stack.inventory().items() if count}
    assert left == {}


def test_a_challenged_request_that_is_repeated_gets_the_same_tag() -> None:
    """RFC 3261 section 8.2.7."""
    server = Server()
    tags = []
    for _ in range(2):
        server.receive(request_bytes("INVITE"))
        server.stack.answer_stranger(server.served[-1], 401, headers="WWW-Authenticate: Digest x\r\n")
        (data,) = take(server.stack.outbox)
        tags.append(read_response(data).to.tag)
    assert tags[0] == tags[1] != ""


def test_the_ack_and_the_next_attempt_of_a_challenged_invite_are_served() -> None:
    """RFC 3261 section 22.2: same Call-ID and From tag, next CSeq."""
    server = Server()
    server.receive(request_bytes("INVITE"))
    server.stack.answer_stranger(server.served[-1], 401, headers="WWW-Authenticate: Digest x\r\n")
    take(server.stack.outbox)
    assert server.receive(request_bytes("ACK", to_tag="t")) == []
    assert server.receive(request_bytes("INVITE", branch="z9hG4bK2", cseq=8)) == []
    assert len(server.served) == 2


def test_a_challenge_says_nothing_more_when_its_timers_would_come() -> None:
    server = Server()
    server.receive(request_bytes("INVITE"))
    server.stack.answer_stranger(server.served[-1], 401, headers="WWW-Authenticate: Digest x\r\n")
    take(server.stack.outbox)
    server.stack.fire(100.0)
    assert take_labels(server.stack.outbox) == []


# --- rport and received ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("via", "stamped"),
    [
        ("SIP/2.0/UDP 192.0.2.77:5062;branch=z9hG4bK1", "SIP/2.0/UDP 192.0.2.77:5062;branch=z9hG4bK1"),
        (
            "SIP/2.0/UDP 192.0.2.77:5062;rport;branch=z9hG4bK1",
            "SIP/2.0/UDP 192.0.2.77:5062;received=192.0.2.77;rport=5062;branch=z9hG4bK1",
        ),
        (
            "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1;rport",
            "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1;received=192.0.2.77;rport=5062",
        ),
        (
            "SIP/2.0/UDP phone.example;branch=z9hG4bK1",
            "SIP/2.0/UDP phone.example;branch=z9hG4bK1;received=192.0.2.77",
        ),
        (
            "SIP/2.0/UDP 192.0.2.77;branch=z9hG4bK1;received=6.6.6.6",
            "SIP/2.0/UDP 192.0.2.77;branch=z9hG4bK1;received=192.0.2.77",
        ),
    ],
)
def test_the_topmost_via_says_where_the_request_came_from(via: str, stamped: str) -> None:
    """RFC 3261 section 18.2.1, RFC 3581 section 4."""
    server = Server()
    server.receive(request_bytes("OPTIONS", via=via, headers="Via: SIP/2.0/UDP 192.0.2.5;rport\r\n"))
    answer = read_response(server.respond(200))
    assert answer.headers["via"] == [stamped, "SIP/2.0/UDP 192.0.2.5;rport"]


def test_only_the_first_of_several_vias_on_a_line_is_stamped() -> None:
    """RFC 3261 section 18.2.1."""
    server = Server()
    two = "SIP/2.0/UDP 10.0.0.9;rport;branch=z9hG4bK1, SIP/2.0/UDP 192.0.2.5;rport;branch=z9hG4bK0"
    server.receive(request_bytes("OPTIONS", via=two))
    vias = read_response(server.respond(200)).vias
    assert [via.parameters.get("rport") for via in vias] == ["5062", ""]


def test_a_response_over_udp_goes_to_port_5060_where_neither_port_nor_rport_is_given() -> None:
    """RFC 3261 section 18.2.2."""
    server = Server()
    server.stack.receive(request_bytes("OPTIONS", via="SIP/2.0/UDP 192.0.2.77;branch=z9hG4bK1"), UDP, 0.0)
    server.stack.respond(server.served[0], 200, 0.0)
    ((flow, _),) = server.stack.outbox
    assert flow.remote == ("192.0.2.77", 5060)


def test_a_defect_while_a_request_is_refused_leaves_nothing_either() -> None:
    """RFC 3261 section 8.2.7: whoever is told of a refusal may fail, the request is answered all the same."""
    user = User(RemoteProtocolError(403, "Forbidden"))

    def fail(flow: Flow, error: RemoteProtocolError, now: float) -> None:
        raise ZeroDivisionError

    user.stack.on_refusal = fail
    with pytest.raises(ZeroDivisionError):
        user.receive(options(method="INVITE"))
    ((_, data),) = user.stack.outbox
    assert data.startswith(b"SIP/2.0 500 ")
    user.stack.outbox.clear()
    assert not any(user.stack.inventory().values())


class Broken:
    """Something on the timers that fails."""

    def __init__(self, deadline: float) -> None:
        self.deadline: float | None = deadline
        self.armed: float | None = None
        self.fired = 0

    def fire(self, now: float) -> None:
        self.fired += 1
        raise ZeroDivisionError


def test_a_defect_on_the_timers_is_met_once_and_delays_nobody_else() -> None:
    stack = User().stack
    broken = Broken(1.0)
    stack.timers.arm(broken)
    stack.receive(request_bytes("INVITE"), UDP, 0.9)
    with pytest.raises(ZeroDivisionError):
        stack.fire(1.2)
    assert not stack.outbox
    stack.fire(1.2)
    assert [read_response(data).status for data in take(stack.outbox)] == [100]  # RFC 3261 section 17.2.1
    assert broken.fired == 1


def test_what_nobody_has_answered_is_told_as_it_came() -> None:
    stack = User().stack
    stack.receive(request_bytes("INVITE"), UDP, 0.0)
    stack.receive(request_bytes("OPTIONS", branch="z9hG4bK2"), UDP, 0.0)
    (invite, options_) = stack.unanswered()
    assert invite.startswith(b"INVITE sip:bruno@valmont.example SIP/2.0\r\n")
    assert options_.startswith(b"OPTIONS ")
