"""The non-INVITE server transaction: each event in each state (RFC 3261 section 17.2.2)."""

from __future__ import annotations

import pytest

from sip.core.errors import LocalProtocolError
from sip.core.flow import Flow
from sip.core.message import build_response
from sip.core.transactions.non_invite_server import NonInviteServer
from sip.core.transactions.outbox import Outbox
from tests.sip.messages import TCP, UDP, request, take_labels


class Started:
    """A machine whose request has just come."""

    def __init__(self, flow: Flow = UDP) -> None:
        self.outbox: Outbox = []
        self.request = request("OPTIONS")
        self.machine = NonInviteServer(("z9hG4bK1", "OPTIONS"), self.request, flow, self.outbox)

    def respond(self, status: int, now: float = 0.0) -> None:
        self.machine.respond(status, build_response(self.request, status, to_tag="bruno"), now)

    def put(self, state: str) -> None:
        """Bring the machine into a state."""
        match state:
            case "PROCEEDING":
                self.respond(100)
            case "COMPLETED":
                self.respond(200)
            case "TERMINATED":
                self.respond(200)
                self.machine.fire(32.0)
        self.outbox.clear()
        assert self.machine.state.name == state


@pytest.mark.parametrize(
    ("state", "status", "after"),
    [
        ("TRYING", 100, "PROCEEDING"),
        ("TRYING", 200, "COMPLETED"),
        ("TRYING", 699, "COMPLETED"),
        ("PROCEEDING", 182, "PROCEEDING"),
        ("PROCEEDING", 200, "COMPLETED"),
        ("PROCEEDING", 404, "COMPLETED"),
    ],
)
def test_each_response_of_the_user_is_sent(state: str, status: int, after: str) -> None:
    """RFC 3261 section 17.2.2 with figure 8."""
    started = Started()
    started.put(state)
    started.respond(status)
    assert take_labels(started.outbox) == [f"{status} OPTIONS"]
    assert started.machine.state.name == after


@pytest.mark.parametrize("state", ["COMPLETED", "TERMINATED"])
@pytest.mark.parametrize("status", [100, 200, 404])
def test_a_response_after_the_final_one_is_a_mistake_of_ours(state: str, status: int) -> None:
    started = Started()
    started.put(state)
    with pytest.raises(LocalProtocolError):
        started.respond(status)
    assert take_labels(started.outbox) == []


@pytest.mark.parametrize(
    ("state", "sent"),
    [
        ("TRYING", []),  # discarded
        ("PROCEEDING", ["100 OPTIONS"]),
        ("COMPLETED", ["200 OPTIONS"]),
        ("TERMINATED", []),
    ],
)
def test_a_repeated_request_gets_the_last_response_again(state: str, sent: list[str]) -> None:
    """RFC 3261 section 17.2.2."""
    started = Started()
    started.put(state)
    started.machine.receive_again()
    assert take_labels(started.outbox) == sent
    assert started.machine.state.name == state


@pytest.mark.parametrize("state", ["TRYING", "PROCEEDING"])
def test_no_timer_runs_before_the_final_response(state: str) -> None:
    """RFC 3261 section 17.2.2."""
    started = Started()
    started.put(state)
    assert started.machine.deadline is None


def test_timer_j_answers_repetitions_for_64_t1() -> None:
    """RFC 3261 section 17.2.2."""
    started = Started()
    started.respond(200, 2.0)
    assert started.machine.deadline == 34.0
    started.machine.receive_again()
    assert started.machine.deadline == 34.0
    started.machine.fire(34.0)
    assert started.machine.over


def test_timer_j_is_zero_on_a_reliable_transport() -> None:
    """RFC 3261 section 17.2.2."""
    started = Started(TCP)
    started.respond(200, 2.0)
    assert started.machine.deadline == 2.0


def test_it_lets_go_of_the_request_with_the_final_response() -> None:
    started = Started()
    started.respond(404)
    assert started.machine.request is None
