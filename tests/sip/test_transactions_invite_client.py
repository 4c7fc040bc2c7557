"""The INVITE client transaction: each event in each state (RFC 3261 section 17.1.1, RFC 6026 section 7.2)."""

from __future__ import annotations

import pytest

from sip.core.errors import ParseError
from sip.core.flow import Flow
from sip.core.message import Response
from sip.core.transactions.invite_client import InviteClient, InviteClientState, ack_of, cancel_of
from sip.core.transactions.outbox import Outbox
from tests.sip.messages import TCP, UDP, label, read_request, request_bytes, response, take, take_labels

INVITE = request_bytes("INVITE", headers="Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\n", body=b"v=0\r\n")


class User:
    """Keeps the reasons for which nothing came."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def response_received(self, response: Response, now: float) -> None:
        raise AssertionError("the stack passes responses, not the machine")

    def no_response(self, reason: str, now: float) -> None:
        self.told.append(reason)


class Started:
    """A machine whose INVITE has just left at 0 s, with its user and its outbox emptied."""

    def __init__(self, flow: Flow = UDP) -> None:
        self.user = User()
        self.outbox: Outbox = []
        self.machine = InviteClient(("z9hG4bK1", "INVITE"), INVITE, flow, self.user, self.outbox, 0.0)
        assert take(self.outbox) == [INVITE]

    def receive(self, status: int, now: float = 0.0) -> bool:
        return self.machine.receive(response(INVITE, status), now)

    def put(self, state: str) -> None:
        """Bring the machine into a state."""
        match state:
            case "PROCEEDING":
                self.receive(180)
            case "ACCEPTED":
                self.receive(200)
            case "COMPLETED":
                self.receive(486)
            case "TERMINATED":
                self.receive(486)
                self.machine.fire(32.0)
        self.outbox.clear()
        assert self.machine.state.name == state

    @property
    def over(self) -> bool:
        return self.machine.over

    def run(self, until: float) -> list[tuple[float, str]]:
        """Fire every timer up to a time; returns what was sent and when."""
        sent = []
        while self.machine.deadline is not None and self.machine.deadline <= until:
            now = self.machine.deadline
            self.machine.fire(now)
            sent += [(now, what) for what in take_labels(self.outbox)]
        return sent


@pytest.mark.parametrize(
    ("state", "status", "passed", "sent", "after"),
    [
        ("CALLING", 100, True, [], "PROCEEDING"),
        ("CALLING", 180, True, [], "PROCEEDING"),
        ("CALLING", 200, True, [], "ACCEPTED"),
        ("CALLING", 302, True, ["ACK"], "COMPLETED"),
        ("CALLING", 699, True, ["ACK"], "COMPLETED"),
        ("PROCEEDING", 183, True, [], "PROCEEDING"),
        ("PROCEEDING", 200, True, [], "ACCEPTED"),
        ("PROCEEDING", 486, True, ["ACK"], "COMPLETED"),
        ("ACCEPTED", 180, False, [], "ACCEPTED"),
        ("ACCEPTED", 200, True, [], "ACCEPTED"),  # of this dialog again, or of another fork
        ("ACCEPTED", 486, False, [], "ACCEPTED"),
        ("COMPLETED", 180, False, [], "COMPLETED"),
        ("COMPLETED", 200, False, [], "COMPLETED"),
        ("COMPLETED", 486, False, ["ACK"], "COMPLETED"),
        ("TERMINATED", 180, False, [], "TERMINATED"),
        ("TERMINATED", 200, False, [], "TERMINATED"),
        ("TERMINATED", 486, False, [], "TERMINATED"),
    ],
)
def test_each_response_in_each_state(
    state: str, status: int, passed: bool, sent: list[str], after: str
) -> None:
    """RFC 3261 section 17.1.1.2 with figure 5, RFC 6026 section 7.2."""
    started = Started()
    started.put(state)
    assert started.receive(status) is passed
    assert take_labels(started.outbox) == sent
    assert started.machine.state.name == after


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("CALLING", ["transport error"]),
        ("PROCEEDING", ["transport error"]),
        ("ACCEPTED", []),
        ("COMPLETED", []),
        ("TERMINATED", []),
    ],
)
def test_a_transport_error_ends_it_and_is_told_while_the_user_waits(state: str, told: list[str]) -> None:
    """RFC 3261 section 17.1.4."""
    started = Started()
    started.put(state)
    started.machine.fail("transport error", 1.0)
    assert started.user.told == told
    assert started.over


def test_timer_a_doubles_without_a_cap_until_timer_b_at_64_t1() -> None:
    """RFC 3261 section 17.1.1.2."""
    started = Started()
    sent = started.run(100.0)
    assert sent == [(when, "INVITE") for when in (0.5, 1.5, 3.5, 7.5, 15.5, 31.5)]
    assert started.over
    assert started.user.told == ["no response"]


def test_timer_b_comes_at_32_seconds_and_not_before() -> None:
    """RFC 3261 section 17.1.1.2: timer B is 64*T1."""
    started = Started()
    started.run(31.9)
    assert not started.over
    assert started.machine.deadline == 32.0


def test_a_reliable_transport_never_repeats_the_invite_and_has_timer_b_all_the_same() -> None:
    """RFC 3261 section 17.1.1.2."""
    started = Started(TCP)
    assert started.run(31.9) == []
    assert started.run(32.0) == []
    assert started.user.told == ["no response"]


def test_a_provisional_response_stops_the_repetitions_and_timer_b() -> None:
    """RFC 3261 section 17.1.1.2."""
    started = Started()
    started.receive(100, 0.3)
    assert started.machine.deadline is None


def test_a_cancelled_invite_is_given_up_64_t1_after_its_cancel() -> None:
    """RFC 3261 section 9.1."""
    started = Started()
    started.receive(180, 10.0)
    started.machine.give_up(20.0)
    assert started.run(51.9) == []
    assert started.machine.deadline == 52.0
    started.run(52.0)
    assert started.over
    assert started.user.told == ["no final response after CANCEL"]


def test_a_phone_that_rings_on_after_the_cancel_gets_no_more_time() -> None:
    """RFC 3261 section 9.1: 64*T1, whatever provisional responses come."""
    started = Started()
    started.receive(180, 10.0)
    started.machine.give_up(20.0)
    started.receive(180, 30.0)
    started.machine.give_up(40.0)
    assert started.machine.deadline == 52.0


@pytest.mark.parametrize("state", ["CALLING", "ACCEPTED", "COMPLETED", "TERMINATED"])
def test_giving_up_changes_nothing_but_while_it_rings(state: str) -> None:
    started = Started()
    started.put(state)
    before = started.machine.deadline
    started.machine.give_up(5.0)
    assert started.machine.deadline == before


def test_timer_d_keeps_it_32_seconds_to_acknowledge_refusals_again() -> None:
    """RFC 3261 section 17.1.1.2."""
    started = Started()
    started.receive(486, 2.0)
    assert started.machine.deadline == 34.0
    started.receive(486, 30.0)
    assert started.machine.deadline == 34.0, "a repetition doesn't prolong it"
    started.run(34.0)
    assert started.over
    assert started.user.told == []


def test_timer_d_is_zero_on_a_reliable_transport() -> None:
    """RFC 3261 section 17.1.1.2."""
    started = Started(TCP)
    started.receive(486, 2.0)
    assert started.machine.deadline == 2.0


@pytest.mark.parametrize("flow", [UDP, TCP], ids=["udp", "tcp"])
def test_timer_m_keeps_it_64_t1_for_further_2xx_on_any_transport(flow: Flow) -> None:
    """RFC 6026 section 7.2."""
    started = Started(flow)
    started.receive(200, 2.0)
    assert started.machine.deadline == 34.0
    assert started.receive(200, 33.0)
    assert started.machine.deadline == 34.0
    started.run(34.0)
    assert started.over


@pytest.mark.parametrize("status", [200, 486])
def test_it_lets_go_of_the_request_with_the_final_response(status: int) -> None:
    started = Started()
    started.receive(status)
    assert started.machine.data == b""


@pytest.mark.parametrize("status", [0, 200, 486])
def test_it_lets_go_of_everything_when_it_ends(status: int) -> None:
    started = Started()
    if status:
        started.receive(status)
    started.run(32.0)
    assert started.machine.user is None
    assert started.machine.data == started.machine._ack == b""


def test_a_timer_after_the_end_does_nothing() -> None:
    started = Started()
    started.put("TERMINATED")
    started.machine.fire(50.0)
    assert started.machine.deadline is None
    assert take_labels(started.outbox) == []


def test_the_ack_of_a_refusal_is_made_from_the_invite_and_the_to_of_the_response() -> None:
    """RFC 3261 section 17.1.1.3."""
    ack = read_request(ack_of(INVITE, response(INVITE, 486, to_tag="busy")))
    invite = read_request(INVITE)
    assert (ack.method, ack.uri) == ("ACK", invite.uri)
    assert ack.headers["via"] == invite.headers["via"]
    assert ack.headers["route"] == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert ack.first("from") == invite.first("from")
    assert ack.call_id == invite.call_id
    assert ack.to.tag == "busy"
    assert ack.cseq == (7, "ACK")
    assert ack.body == b""


def test_the_ack_of_a_refusal_has_only_the_topmost_via() -> None:
    """RFC 3261 section 17.1.1.3: a single Via."""
    two = request_bytes("INVITE", headers="Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bK0\r\n")
    assert len(read_request(ack_of(two, response(two, 486))).headers["via"]) == 1


def test_a_refusal_without_to_can_not_be_acknowledged_and_moves_nothing() -> None:
    started = Started()
    refusal = response(INVITE, 486)
    del refusal.headers["to"]
    with pytest.raises(ParseError):
        started.machine.receive(refusal, 1.0)
    assert started.machine.state is InviteClientState.CALLING
    assert take_labels(started.outbox) == []


def test_a_cancel_is_made_from_the_invite() -> None:
    """RFC 3261 section 9.1."""
    data = cancel_of(INVITE, "Reason: SIP;cause=200\r\n")
    cancel = read_request(data)
    invite = read_request(INVITE)
    assert label(data) == "CANCEL"
    assert cancel.uri == invite.uri
    assert cancel.headers["via"] == invite.headers["via"]
    assert cancel.headers["route"] == invite.headers["route"]
    assert (cancel.first("to"), cancel.first("from")) == (invite.first("to"), invite.first("from"))
    assert cancel.call_id == invite.call_id
    assert cancel.cseq == (7, "CANCEL")
    assert cancel.first("reason") == "SIP;cause=200"
    assert cancel.body == b""


def test_a_cancel_never_carries_require() -> None:
    """RFC 3261 section 9.1: the request can't be re-submitted to fulfil it."""
    assert b"Require" not in cancel_of(request_bytes("INVITE", headers="Require: 100rel\r\n"))
