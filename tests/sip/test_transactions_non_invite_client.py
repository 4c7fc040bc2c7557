"""The non-INVITE client transaction: each event in each state (RFC 3261 section 17.1.2)."""

from __future__ import annotations

import pytest

from sip.core.flow import Flow
from sip.core.message import Response
from sip.core.transactions.non_invite_client import NonInviteClient
from sip.core.transactions.outbox import Outbox
from tests.sip.messages import TCP, UDP, request_bytes, response, take, take_labels

OPTIONS = request_bytes("OPTIONS")


class User:
    """Keeps the reasons for which nothing came."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def response_received(self, response: Response, now: float) -> None:
        raise AssertionError("the stack passes responses, not the machine")

    def no_response(self, reason: str, now: float) -> None:
        self.told.append(reason)


class Started:
    """A machine whose request has just left at 0 s, with its user and its outbox emptied."""

    def __init__(self, flow: Flow = UDP) -> None:
        self.user = User()
        self.outbox: Outbox = []
        self.machine = NonInviteClient(("z9hG4bK1", "OPTIONS"), OPTIONS, flow, self.user, self.outbox, 0.0)
        assert take(self.outbox) == [OPTIONS]

    def receive(self, status: int, now: float = 0.0) -> bool:
        return self.machine.receive(response(OPTIONS, status), now)

    def put(self, state: str) -> None:
        """Bring the machine into a state."""
        match state:
            case "PROCEEDING":
                self.receive(100)
            case "COMPLETED":
                self.receive(200)
            case "TERMINATED":
                self.receive(200)
                self.machine.fire(5.0)
        assert self.machine.state.name == state

    @property
    def over(self) -> bool:
        return self.machine.over

    def run(self, until: float) -> list[float]:
        """Fire every timer up to a time; returns when the request was sent again."""
        sent = []
        while self.machine.deadline is not None and self.machine.deadline <= until:
            now = self.machine.deadline
            self.machine.fire(now)
            assert all(data == OPTIONS for _, data in self.outbox)
            sent += [now] * len(take(self.outbox))
        return sent


@pytest.mark.parametrize(
    ("state", "status", "passed", "after"),
    [
        ("TRYING", 100, True, "PROCEEDING"),
        ("TRYING", 200, True, "COMPLETED"),
        ("TRYING", 302, True, "COMPLETED"),
        ("TRYING", 699, True, "COMPLETED"),
        ("PROCEEDING", 100, True, "PROCEEDING"),
        ("PROCEEDING", 200, True, "COMPLETED"),
        ("PROCEEDING", 404, True, "COMPLETED"),
        ("COMPLETED", 100, False, "COMPLETED"),
        ("COMPLETED", 200, False, "COMPLETED"),
        ("COMPLETED", 404, False, "COMPLETED"),
        ("TERMINATED", 100, False, "TERMINATED"),
        ("TERMINATED", 200, False, "TERMINATED"),
        ("TERMINATED", 404, False, "TERMINATED"),
    ],
)
def test_each_response_in_each_state(state: str, status: int, passed: bool, after: str) -> None:
    """RFC 3261 section 17.1.2.2 with figure 6."""
    started = Started()
    started.put(state)
    assert started.receive(status) is passed
    assert started.machine.state.name == after
    assert take_labels(started.outbox) == []


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("TRYING", ["transport error"]),
        ("PROCEEDING", ["transport error"]),
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


def test_timer_e_doubles_up_to_t2_until_timer_f_at_64_t1() -> None:
    """RFC 3261 section 17.1.2.2."""
    started = Started()
    assert started.run(100.0) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert started.over
    assert started.user.told == ["no response"]


def test_timer_e_is_t2_once_a_provisional_response_has_come() -> None:
    """RFC 3261 section 17.1.2.2."""
    started = Started()
    started.run(1.5)
    started.receive(100, 2.0)
    assert started.run(20.0) == [3.5, 7.5, 11.5, 15.5, 19.5]


def test_timer_f_runs_on_after_a_provisional_response() -> None:
    """RFC 3261 section 17.1.2.2."""
    started = Started()
    started.receive(100, 1.0)
    started.run(31.9)
    assert started.machine.deadline == 32.0
    started.run(32.0)
    assert started.over
    assert started.user.told == ["no response"]


def test_a_reliable_transport_never_repeats_the_request_and_has_timer_f_all_the_same() -> None:
    """RFC 3261 section 17.1.2.2."""
    started = Started(TCP)
    assert started.run(31.9) == []
    assert started.run(32.0) == []
    assert started.user.told == ["no response"]


def test_timer_k_absorbs_repeated_responses_for_t4() -> None:
    """RFC 3261 section 17.1.2.2."""
    started = Started()
    started.receive(200, 1.0)
    assert started.machine.deadline == 6.0
    started.receive(200, 4.0)
    assert started.machine.deadline == 6.0
    assert started.run(6.0) == []
    assert started.over
    assert started.user.told == []


def test_timer_k_is_zero_on_a_reliable_transport() -> None:
    """RFC 3261 section 17.1.2.2."""
    started = Started(TCP)
    started.receive(200, 1.0)
    assert started.machine.deadline == 1.0


def test_it_lets_go_of_its_user_when_it_ends() -> None:
    started = Started()
    started.put("TERMINATED")
    assert started.machine.user is None


def test_a_timer_after_the_end_does_nothing() -> None:
    started = Started()
    started.put("TERMINATED")
    started.machine.fire(50.0)
    assert started.machine.deadline is None
    assert take_labels(started.outbox) == []
