"""The INVITE server transaction: each event in each state (RFC 3261 section 17.2.1, RFC 6026 section 7.1)."""

from __future__ import annotations

import pytest

from sip.core.errors import LocalProtocolError
from sip.core.flow import Flow
from sip.core.message import Request, build_response
from sip.core.transactions.invite_server import InviteServer, InviteServerState
from sip.core.transactions.outbox import Outbox
from tests.sip.messages import TCP, UDP, read_response, request, take, take_labels


class User:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def cancel_received(self, cancel: Request, now: float) -> None:
        raise AssertionError("the stack passes a CANCEL, not the machine")

    def ack_missing(self, now: float) -> None:
        self.told.append("ack missing")


class Started:
    """A machine whose INVITE has just come at 0 s."""

    def __init__(self, flow: Flow = UDP) -> None:
        self.user = User()
        self.outbox: Outbox = []
        self.invite = request("INVITE", headers="Timestamp: 54\r\n")
        self.machine = InviteServer(("z9hG4bK1", "INVITE"), self.invite, flow, self.outbox, 0.0)
        self.machine.user = self.user

    def respond(self, status: int, now: float = 0.0) -> None:
        self.machine.respond(status, build_response(self.invite, status, to_tag="bruno"), now)

    def put(self, state: str) -> None:
        """Bring the machine into a state."""
        match state:
            case "PROCEEDING with 180":
                self.respond(180)
            case "ACCEPTED":
                self.respond(200)
            case "COMPLETED":
                self.respond(486)
            case "CONFIRMED":
                self.respond(486)
                self.machine.receive_ack(0.0)
            case "TERMINATED":
                self.respond(200)
                self.machine.fire(32.0)
        self.outbox.clear()
        assert self.machine.state.name == state.partition(" ")[0]

    def run(self, until: float) -> list[tuple[float, str]]:
        """Fire every timer up to a time; returns what was sent and when."""
        sent = []
        while self.machine.deadline is not None and self.machine.deadline <= until:
            now = self.machine.deadline
            self.machine.fire(now)
            sent += [(now, what) for what in take_labels(self.outbox)]
        return sent


@pytest.mark.parametrize(
    ("state", "status", "after"),
    [
        ("PROCEEDING", 100, "PROCEEDING"),
        ("PROCEEDING", 180, "PROCEEDING"),
        ("PROCEEDING", 200, "ACCEPTED"),
        ("PROCEEDING", 302, "COMPLETED"),
        ("PROCEEDING", 699, "COMPLETED"),
        ("PROCEEDING with 180", 183, "PROCEEDING"),
        ("PROCEEDING with 180", 200, "ACCEPTED"),
        ("PROCEEDING with 180", 487, "COMPLETED"),
    ],
)
def test_each_response_of_the_user_is_sent(state: str, status: int, after: str) -> None:
    """RFC 3261 section 17.2.1 with figure 7, RFC 6026 section 7.1."""
    started = Started()
    started.put(state)
    started.respond(status)
    assert take_labels(started.outbox) == [f"{status} INVITE"]
    assert started.machine.state.name == after


@pytest.mark.parametrize("state", ["ACCEPTED", "COMPLETED", "CONFIRMED", "TERMINATED"])
@pytest.mark.parametrize("status", [180, 200, 486])
def test_a_response_after_the_final_one_is_a_mistake_of_ours(state: str, status: int) -> None:
    started = Started()
    started.put(state)
    with pytest.raises(LocalProtocolError):
        started.respond(status)
    assert take_labels(started.outbox) == []


@pytest.mark.parametrize(
    ("state", "sent"),
    [
        ("PROCEEDING", []),
        ("PROCEEDING with 180", ["180 INVITE"]),
        ("COMPLETED", ["486 INVITE"]),
        ("CONFIRMED", []),
        ("ACCEPTED", []),  # RFC 6026 section 7.1: absorbed
        ("TERMINATED", []),
    ],
)
def test_a_repeated_invite_gets_the_last_response_again(state: str, sent: list[str]) -> None:
    """RFC 3261 section 17.2.1."""
    started = Started()
    started.put(state)
    started.machine.receive_again()
    assert take_labels(started.outbox) == sent
    assert started.machine.state.name == state.partition(" ")[0]


def test_a_repeated_invite_gets_the_newest_of_several_provisional_responses() -> None:
    """RFC 3261 section 17.2.1."""
    started = Started()
    started.respond(180)
    started.respond(183)
    started.outbox.clear()
    started.machine.receive_again()
    assert take_labels(started.outbox) == ["183 INVITE"]


@pytest.mark.parametrize(
    ("state", "after"),
    [
        ("PROCEEDING", "PROCEEDING"),
        ("PROCEEDING with 180", "PROCEEDING"),
        ("COMPLETED", "CONFIRMED"),
        ("CONFIRMED", "CONFIRMED"),
        ("ACCEPTED", "ACCEPTED"),
        ("TERMINATED", "TERMINATED"),
    ],
)
def test_an_ack_confirms_a_refusal_and_nothing_else(state: str, after: str) -> None:
    """RFC 3261 section 17.2.1."""
    started = Started()
    started.put(state)
    started.machine.receive_ack(1.0)
    assert started.machine.state.name == after
    assert take_labels(started.outbox) == []


def test_a_100_leaves_after_200_ms_when_the_user_says_nothing() -> None:
    """RFC 3261 section 17.2.1, and section 8.2.6.1: with the Timestamp of the request."""
    started = Started()
    assert started.machine.deadline == 0.2
    started.machine.fire(0.2)
    (data,) = take(started.outbox)
    trying = read_response(data)
    assert trying.status == 100
    assert trying.to.tag == ""
    assert trying.first("timestamp") == "54"
    assert started.machine.deadline is None


def test_no_100_leaves_when_the_user_was_quicker() -> None:
    """RFC 3261 section 17.2.1."""
    started = Started()
    started.respond(180, 0.1)
    assert started.run(50.0) == []


def test_a_provisional_response_is_repeated_every_minute() -> None:
    """RFC 3261 section 13.3.1.1."""
    started = Started()
    started.respond(180, 1.0)
    started.outbox.clear()
    assert started.run(200.0) == [(61.0, "180 INVITE"), (121.0, "180 INVITE"), (181.0, "180 INVITE")]


def test_a_new_provisional_response_starts_the_minute_again() -> None:
    """RFC 3261 section 13.3.1.1."""
    started = Started()
    started.respond(180, 1.0)
    started.respond(183, 40.0)
    started.outbox.clear()
    assert started.run(110.0) == [(100.0, "183 INVITE")]


def test_a_100_alone_is_not_repeated() -> None:
    """RFC 3261 section 13.3.1.1 speaks of non-100 responses."""
    started = Started()
    assert started.run(200.0) == [(0.2, "100 INVITE")]


def test_timer_g_doubles_up_to_t2_until_timer_h_at_64_t1() -> None:
    """RFC 3261 section 17.2.1."""
    started = Started()
    started.respond(486)
    started.outbox.clear()
    sent = started.run(100.0)
    assert sent == [(when, "486 INVITE") for when in (0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)]
    assert started.machine.over
    assert started.user.told == ["ack missing"]


def test_timer_h_comes_at_32_seconds_and_not_before() -> None:
    """RFC 3261 section 17.2.1."""
    started = Started()
    started.respond(486, 10.0)
    started.run(41.9)
    assert started.machine.state is InviteServerState.COMPLETED
    assert started.machine.deadline == 42.0


def test_a_reliable_transport_never_repeats_a_refusal_and_waits_for_the_ack_all_the_same() -> None:
    """RFC 3261 section 17.2.1: timer G is for unreliable transports, timer H for all."""
    started = Started(TCP)
    started.respond(486)
    started.outbox.clear()
    assert started.run(31.9) == []
    started.run(32.0)
    assert started.user.told == ["ack missing"]


def test_timer_i_absorbs_repeated_acks_for_t4() -> None:
    """RFC 3261 section 17.2.1."""
    started = Started()
    started.respond(486)
    started.machine.receive_ack(1.0)
    assert started.machine.deadline == 6.0
    started.machine.receive_ack(3.0)
    assert started.machine.deadline == 6.0
    started.machine.fire(6.0)
    assert started.machine.over
    assert started.user.told == []


def test_timer_i_is_zero_on_a_reliable_transport() -> None:
    """RFC 3261 section 17.2.1."""
    started = Started(TCP)
    started.respond(486)
    started.machine.receive_ack(1.0)
    assert started.machine.deadline == 1.0


@pytest.mark.parametrize("flow", [UDP, TCP], ids=["udp", "tcp"])
def test_timer_l_absorbs_repeated_invites_for_64_t1_after_a_2xx(flow: Flow) -> None:
    """RFC 6026 section 7.1."""
    started = Started(flow)
    started.respond(200, 3.0)
    started.outbox.clear()
    assert started.machine.deadline == 35.0
    assert started.run(35.0) == []
    assert started.machine.over


def test_a_2xx_is_never_repeated_by_the_transaction() -> None:
    """RFC 6026 section 7.1: that is the user's work (RFC 3261 section 13.3.1.4)."""
    started = Started()
    started.respond(200)
    started.outbox.clear()
    started.machine.receive_again()
    assert started.run(40.0) == []


@pytest.mark.parametrize("status", [200, 486])
def test_it_lets_go_of_the_request_with_the_final_response(status: int) -> None:
    started = Started()
    started.respond(status)
    assert started.machine.request is None


def test_it_lets_go_of_its_user_with_a_2xx() -> None:
    started = Started()
    started.respond(200)
    assert started.machine.user is None


def test_it_lets_go_of_its_user_when_it_ends() -> None:
    started = Started()
    started.respond(486)
    started.run(32.0)
    assert started.machine.user is None


def test_a_timer_after_the_end_does_nothing() -> None:
    started = Started()
    started.put("TERMINATED")
    started.machine.fire(50.0)
    assert started.machine.deadline is None
    assert take_labels(started.outbox) == []
