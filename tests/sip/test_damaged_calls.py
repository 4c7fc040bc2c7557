"""Whole calls over a network that damages, drops and repeats messages: they end, and nothing is left."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from functools import partial

import pytest

from sip.core.flow import Flow
from sip.core.identifiers import Identifiers
from sip.core.incoming_session import IncomingSession
from sip.core.message import Request
from sip.core.outgoing_session import OutgoingSession
from sip.core.reason import Reason
from sip.core.session import SessionState
from sip.core.stack import ServerTransaction, Stack
from sip.core.transactions.invite_server import InviteServer
from sip.core.ua_core import UserAgentCore
from tests.sip.test_fuzz import damaged

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


class Party:
    """A user agent that answers what it is asked and notes what it is told."""

    def __init__(self, name: str, here: tuple[str, int], there: tuple[str, int], answers_with: int) -> None:
        self.core = UserAgentCore(Identifiers(name.encode()), self)
        self.flow = Flow("UDP", here, there)
        self.answers_with = answers_with
        self.sessions: list[IncomingSession | OutgoingSession] = []
        self.told: list[str] = []

    def call(self, now: float, body: bytes) -> None:
        self.sessions.append(
            self.core.invite(
                "sip:b@192.0.2.2",
                self.flow,
                Owner(self, 0),
                now,
                local_address="<sip:a@192.0.2.1>",
                remote_address="<sip:b@192.0.2.2>",
                body=body,
            )
        )

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        if not isinstance(transaction, InviteServer):
            self.core.stack.respond(transaction, 200, now)
            return
        session = self.core.accept(request, transaction, Owner(self, len(self.sessions)))
        self.sessions.append(session)
        session.ring(now)
        if self.answers_with == 200:
            session.answer(SDP, now)
        elif self.answers_with:
            session.refuse(self.answers_with, now)

    def finish(self, now: float) -> None:
        """What an owner does when it has had enough."""
        for session in self.sessions:
            match session.state:
                case SessionState.CONFIRMED:
                    session.hang_up(now)
                case SessionState.BEGINNING if isinstance(session, OutgoingSession):
                    session.cancel(now)
                case SessionState.BEGINNING:
                    session.refuse(480, now)
                case SessionState.ENDING | SessionState.ENDED:
                    pass


class Owner:
    """Who owns one session of a party."""

    def __init__(self, party: Party, index: int) -> None:
        self.party = party
        self.index = index

    @property
    def session(self) -> IncomingSession | OutgoingSession:
        return self.party.sessions[self.index]

    def progressed(self, status: int, body: bytes, now: float) -> None:
        self.party.told.append("progressed")

    def answered(self, body: bytes, now: float) -> None:
        self.party.told.append("answered")
        session = self.session
        if session.exchange.turn.name == "OFFERED_REMOTELY":
            assert isinstance(session, OutgoingSession)
            session.acknowledge(SDP, now)

    def failed(self, status: int, reason: Reason, now: float) -> None:
        self.party.told.append("over")

    def cancelled(self, reason: Reason, now: float) -> None:
        self.party.told.append("over")

    def acknowledged(self, body: bytes, now: float) -> None:
        self.party.told.append("acknowledged")

    def offered(self, body: bytes, now: float) -> None:
        self.party.told.append("offered")
        self.session.accept_offer(SDP, now)

    def offer_withdrawn(self, now: float) -> None:
        self.party.told.append("offer withdrawn")

    def identity_changed(self, request: Request, now: float) -> None:
        self.party.told.append("identity changed")

    def requested(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        self.party.core.stack.respond(transaction, 200, now)

    def offer_answered(self, body: bytes, now: float) -> None:
        self.party.told.append("offer answered")

    def offer_refused(self, status: int, now: float) -> None:
        self.party.told.append("offer refused")

    def ended(self, reason: Reason, now: float) -> None:
        self.party.told.append("over")
        self.session.release(now)


class Wire:
    """Two parties, the messages under way between them, and the time."""

    def __init__(self, seed: int, harm: float, answers_with: int) -> None:
        self.chance = random.Random(seed)
        self.harm = harm
        self.now = 0.0
        here, there = ("192.0.2.1", 5060), ("192.0.2.2", 5060)
        self.caller = Party("caller", here, there, 0)
        self.callee = Party("callee", there, here, answers_with)
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[float], None]]] = []

    def at(self, when: float, event: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), event))

    def run(self, until: float) -> None:
        """Let everything happen up to a time; fails when it never comes to rest."""
        for _ in range(5000):
            self._post()
            due = [stack for stack in self._stacks() if stack.next_deadline() is not None]
            times = [self._events[0][0]] if self._events else []
            times += [stack.next_deadline() or 0.0 for stack in due]
            if not times or min(times) > until:
                self.now = until
                return
            self.now = max(self.now, min(times))
            if self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2](self.now)
            for stack in self._stacks():
                stack.fire(self.now)
        raise AssertionError("it never comes to rest")

    def _stacks(self) -> tuple[Stack, Stack]:
        return (self.caller.core.stack, self.callee.core.stack)

    def _post(self) -> None:
        for sender, receiver in ((self.caller, self.callee), (self.callee, self.caller)):
            sent = list(sender.core.stack.outbox)
            sender.core.stack.outbox.clear()
            for _, data in sent:
                for copy in self._harmed(data):
                    arrival = partial(receiver.core.stack.receive, copy, receiver.flow)
                    self.at(self.now + self.chance.uniform(0.001, 0.1), arrival)

    def _harmed(self, data: bytes) -> list[bytes]:
        if self.chance.random() >= self.harm:
            return [data]
        match self.chance.randrange(4):
            case 0:
                return []
            case 1:
                return [data, data]
            case _:
                return list(damaged(self.chance, [data], 1))


class RewritingWire(Wire):
    """A wire that replaces one text by another in every message."""

    def __init__(self, old: bytes, new: bytes) -> None:
        super().__init__(1, 0.0, 200)
        self.old = old
        self.new = new

    def _harmed(self, data: bytes) -> list[bytes]:
        return [data.replace(self.old, self.new)]


def run_one_call(seed: int, harm: float) -> Wire:
    """A call with a re-INVITE, given up or hung up by both owners in the end."""
    chance = random.Random(seed)
    wire = Wire(seed, harm, chance.choice((200, 200, 200, 0, 486)))
    wire.at(0.0, lambda now: wire.caller.call(now, chance.choice((SDP, b""))))
    side = chance.choice((wire.caller, wire.callee))

    def offer(now: float) -> None:
        for session in side.sessions:
            if session.may_offer:
                session.offer(SDP, now)

    wire.at(3.0, offer)
    if chance.random() < 0.5:
        wire.at(chance.uniform(0.0, 6.0), chance.choice((wire.caller, wire.callee)).finish)
    wire.run(100.0)
    wire.at(100.0, wire.caller.finish)
    wire.at(100.0, wire.callee.finish)
    wire.run(400.0)
    return wire


@pytest.mark.parametrize("harm", [0.0, 0.1, 0.5, 0.9])
def test_calls_over_a_damaging_wire_end_and_leave_nothing(harm: float) -> None:
    for seed in range(150):
        wire = run_one_call(seed, harm)
        for party in (wire.caller, wire.callee):
            left = {name: count for name, count in party.core.inventory().items() if count}
            assert left == {}, f"seed {seed}: {left}"
            assert all(session.state is SessionState.ENDED for session in party.sessions)


def test_undamaged_calls_are_answered() -> None:
    told = [run_one_call(seed, 0.0).caller.told for seed in range(50)]
    assert sum("answered" in events for events in told) > 10
    assert sum("offer answered" in events for events in told) > 3


@pytest.mark.parametrize("contact", [b"Contact: <nonsense>", b"Contact: <sip:a@b>, <sip:c@d>", b"Contact: *"])
def test_an_answer_that_can_not_be_acknowledged_ends_the_call_for_the_caller(contact: bytes) -> None:
    """RFC 3261 section 13.2.2.4: without a target there is nowhere to send the ACK."""
    wire = RewritingWire(b"Contact: <sip:192.0.2.2:5060>", contact)
    wire.at(0.0, lambda now: wire.caller.call(now, SDP))
    wire.run(10.0)
    assert wire.caller.told[-1] == "over"
    wire.run(200.0)
    assert not any(wire.caller.core.inventory().values())


@pytest.mark.parametrize("contact", [b"Contact: <nonsense>", b"Contact: <sip:a@b>, <sip:c@d>", b"Contact: *"])
def test_an_invite_that_can_make_no_dialog_is_a_bad_request(contact: bytes) -> None:
    """RFC 3261 section 8.1.1.8: exactly one SIP URI."""
    wire = RewritingWire(b"Contact: <sip:192.0.2.1:5060>", contact)
    wire.at(0.0, lambda now: wire.caller.call(now, SDP))
    wire.run(200.0)
    assert wire.caller.told == ["over"]
    assert wire.callee.sessions == []
    assert not any(wire.callee.core.inventory().values())


def test_a_final_response_without_to_is_dropped_and_a_good_one_still_counts() -> None:
    """RFC 3261 section 17.1.1: a malformed 2xx must not end the transaction that waits for it."""
    wire = RewritingWire(b"To: <sip:b@192.0.2.2>;", b"X-To: <sip:b@192.0.2.2>;")
    wire.at(0.0, lambda now: wire.caller.call(now, SDP))
    wire.run(1.0)
    assert "answered" not in wire.caller.told
    wire.new = wire.old
    wire.run(5.0)
    assert "answered" in wire.caller.told
