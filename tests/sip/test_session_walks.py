"""Random calls over a line that loses messages: whatever both sides do, they agree, and nothing is left.

Each seed is one call: rings, answers, offers, refusals, UPDATEs, requests and hang-ups in any order, as far
as each side believes them possible. What it finds is repeated with its seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress

import pytest

from sip.core.errors import LocalProtocolError
from sip.core.message import Message
from sip.core.session import Session, SessionState
from tests.sip.line import Line, Side, core

WITHOUT_UPDATE = ("INVITE", "ACK", "BYE", "CANCEL", "PRACK", "INFO")


class Walk:
    """One random call."""

    def __init__(self, seed: int, loss: float) -> None:
        self.chance = random.Random(seed)
        self.loss = loss
        self.count = 0
        options = [{"session_seconds": 90}, {"session_seconds": 0}, {"methods": WITHOUT_UPDATE}]
        self.line = Line(
            caller=core("caller", **self.chance.choice(options)),
            callee=core("callee", **self.chance.choice(options)),
        )
        self.line.lose = self._lose

    def _lose(self, message: Message) -> bool:
        return self.chance.random() < self.loss

    def body(self) -> bytes:
        self.count += 1
        return f"sdp {self.count}".encode()

    def run(self) -> None:
        line = self.line
        line.call(self.body() if self.chance.random() < 0.7 else b"")
        line.pass_time(1)
        if not hasattr(line.callee, "session"):
            line.pass_time(40)
            return
        for _ in range(self.chance.randrange(4, 25)):
            self.step()
            line.deliver()
            line.pass_time(self.chance.choice([0, 0, 0.1, 1, 5, 40]))
        self.settle()

    def step(self) -> None:
        side = self.chance.choice([self.line.caller, self.line.callee])
        actions: list[Callable[[Side], object]] = [
            self.offer,
            self.offer,
            self.respond,
            self.respond,
            self.update,
        ]
        actions += [self.inform]
        actions += [self.ring, self.ring, self.answer] if side is self.line.callee else [self.acknowledge]
        if self.chance.random() < 0.05:
            actions = [self.part]
        with suppress(LocalProtocolError):  # it wasn't possible, and says so
            self.chance.choice(actions)(side)

    def offer(self, side: Side) -> None:
        if side.session.may_offer:
            side.session.offer(self.body(), side.now)

    def respond(self, side: Side) -> None:
        if self.chance.random() < 0.8:
            side.session.accept_offer(self.body(), side.now)
        elif side.session.state is SessionState.CONFIRMED:
            side.session.refuse_offer(488, side.now)

    def update(self, side: Side) -> None:
        if side.session.may_update:
            side.session.update(side.now)

    def inform(self, side: Side) -> None:
        side.session.send_request("INFO", side, side.now, body=b"5", content_type="application/dtmf")

    def ring(self, side: Side) -> None:
        body = self.body() if self.chance.random() < 0.5 else b""
        side.incoming.ring(side.now, 183, body, reliable=self.chance.random() < 0.8)

    def answer(self, side: Side) -> None:
        side.incoming.answer(self.body(), side.now)

    def acknowledge(self, side: Side) -> None:
        side.outgoing.acknowledge(self.body(), side.now)

    def part(self, side: Side) -> None:
        if side.session.state is SessionState.CONFIRMED:
            side.session.hang_up(side.now)
        elif side.session.state is SessionState.BEGINNING and side is self.line.caller:
            side.outgoing.cancel(side.now)
        elif side.session.state is SessionState.BEGINNING:
            side.incoming.refuse(480, side.now)

    def settle(self) -> None:
        """No more losses: what waits is answered, and both sides see the same."""
        line = self.line
        self.loss = 0.0
        for _ in range(6):
            line.pass_time(33)
            for side in (line.caller, line.callee):
                with suppress(LocalProtocolError):
                    side.session.accept_offer(self.body(), side.now)
                    if side is line.caller and side.session.exchange.pending:
                        side.outgoing.acknowledge(self.body(), side.now)
                line.deliver()


def both_confirmed(walk: Walk) -> bool:
    sessions: list[Session] = [walk.line.caller.session, walk.line.callee.session]
    return all(session.state is SessionState.CONFIRMED for session in sessions)


@pytest.mark.parametrize("loss", [0.0, 0.2])
@pytest.mark.parametrize("block", range(8))
def test_whatever_happens_in_a_call_nothing_is_left_of_it(block: int, loss: float) -> None:
    for seed in range(block * 40, block * 40 + 40):
        walk = Walk(seed, loss)
        try:
            walk.run()
            for side in (walk.line.caller, walk.line.callee):
                if hasattr(side, "session"):
                    while_alive(walk, side)
            assert walk.line.rest() == {}
        except BaseException as error:
            error.add_note(f"seed {seed}, loss {loss}")
            raise


def while_alive(walk: Walk, side: Side) -> None:
    """End what is still there."""
    walk.part(side)
    walk.line.deliver()
    walk.line.pass_time(70)


@pytest.mark.parametrize("block", range(8))
def test_both_sides_of_a_call_agree_on_what_is_in_force(block: int) -> None:
    """RFC 3264: on a line that loses nothing, what one sends is what the other knows."""
    compared = 0
    for seed in range(block * 40, block * 40 + 40):
        walk = Walk(seed, 0.0)
        walk.run()
        caller, callee = walk.line.caller.session, walk.line.callee.session
        if both_confirmed(walk) and caller.agreed and callee.agreed:
            compared += 1
            assert (caller.local_sdp, caller.remote_sdp) == (callee.remote_sdp, callee.local_sdp), (
                f"seed {seed}"
            )
    assert compared > 0
