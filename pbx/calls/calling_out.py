"""A call that we make ourselves: somebody is rung for a room, and whoever answers speaks with its app.

    call that is made       ourselves ──── 1002 rings, answers, presses 1
                                              │ its dialog and its sound move
    call of the app                         1002 ──── a room

The first call is one like any other: it follows the plan, a trunk's failover and the budgets of whoever asked
for it, and has its own record. It offers G.711 that stays silent, since nobody speaks there: the engine puts
its own address and its other codecs into what the party is offered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from dialplan.decision import Decision, Facts
from pbx.calls.call import Call
from pbx.calls.happenings import LegEnded
from pbx.calls.leg import Leg
from pbx.calls.transfer import keeping_channel
from pbx.calls.transferee import Transferee
from sip.core.reason import Reason
from sip.core.session import NORMAL_CLEARING

if TYPE_CHECKING:
    from sip.core.flow import Flow

Speak = Callable[[Call], Awaitable[None]]
"""The app of who answered; it is the caller of that call, answered, with its sound."""


class Ourselves(Leg):
    """Us in the caller's place. answered: told who did; failed: told why nobody did, once."""

    __slots__ = ("_on_answer", "_on_failure")
    hears_early = False

    def __init__(
        self, call: Call, flow: Flow, on_answer: Callable[[Leg], None], on_failure: Callable[[str], None]
    ) -> None:
        super().__init__(call, "a", "", flow, behind_nat=False)
        self._on_answer = on_answer
        self._on_failure = on_failure

    def ring(self, status: int = 180, body: bytes = b"") -> None:
        """A telephone rings: nobody is to hear so."""
        self.rang = True

    def answer(self, body: bytes, name: str = "", number: str = "") -> None:
        """Somebody answered. A service of ours that did isn't who was meant."""
        party = self.call.other_party(self)
        if self.ended_at is not None:
            return
        if party is None:
            self.give_up()
            self._on_failure("answered by a service")
            return
        self.answered_at = self.call.exchange.clock()
        self._on_answer(party)

    def refuse(self, status: int, cause: str, *, reason: Reason | None = None, phrase: str = "") -> None:
        """Nobody answered."""
        if self.ended_at is None:
            self._end(cause)
            if self.answered_at is None:
                self._on_failure(cause)

    def hang_up(self, cause: str, reason: Reason | None = None) -> None:
        """The call is over."""
        self.refuse(480, cause, reason=reason)

    def give_up(self) -> None:
        """Let nobody ring any more; nothing once somebody has answered, or nobody has."""
        if self.ended_at is None and self.answered_at is None:
            self._end("cancelled")
            self.call.post(LegEnded(self, NORMAL_CLEARING))


def call_out(
    asking: Call, decision: Decision, speak: Speak, on_failure: Callable[[str], None], *, confirms: str = ""
) -> Ourselves:
    """Ring whom a decision leads to, for the caller of `asking`, who is shown and whose budgets it is on.

    confirms: see `Call.confirms`. on_failure: told why nobody answered, unless it was given up.
    """
    exchange, payer = asking.exchange, asking.payer or asking.caller.device
    flow = asking.caller.flow
    call = Call(exchange, exchange.plan, decision, _silence(flow.local[0]), asking.max_forwards)
    call.from_number, call.from_name, call.hidden = asking.from_number, asking.from_name, asking.hidden
    call.payer, call.confirms, call.line = payer, confirms, asking.line
    call.parents = (asking.id,)
    device = exchange.devices.find(payer)
    if device is not None:
        call.facts = Facts(
            decision.dialled, caller=device.extension, site=device.site, spending=exchange.spending
        )
    ourselves = Ourselves(call, flow, partial(_move, asking, call, speak), on_failure)
    call.caller = ourselves
    call.legs.append(ourselves)
    exchange.begin(call, exchange.router.app_of(decision))
    return ourselves


def _move(asking: Call, call: Call, speak: Speak, party: Leg) -> None:
    """Begin the call in which who answered speaks with the app."""
    exchange = call.exchange
    inside = Call(exchange, call.plan, asking.decision, party.remote_sdp, call.max_forwards)
    inside.caller = moving = Transferee(inside, "a", party)
    inside.legs.append(moving)
    inside.from_number, inside.from_name = call.identity_of(party)
    inside.to, inside.line, inside.direction = asking.to, asking.line, call.direction
    inside.payer, inside.parents = call.payer, (call.id,)
    exchange.begin(inside, keeping_channel(moving, partial(_speak, speak=speak)))


async def _speak(call: Call, speak: Speak) -> None:
    party = call.caller
    assert isinstance(party, Transferee)
    former = party.first.call
    if not party.waits:
        return  # it has hung up just now
    party.take_over()
    if not await party.bring_sound():
        party.proposal = await call.engine.publish(
            call.id, party.name, call.offer, nat=party.behind_nat, advertise=party.media_address
        )
    former.cause = "transferred"
    former.post(LegEnded(party.first, NORMAL_CLEARING))
    await speak(call)


def _silence(address: str) -> bytes:
    """G.711 that stays silent (RFC 3264 section 5.1)."""
    kind = "IP6" if ":" in address else "IP4"
    return (
        f"v=0\r\no=- 1 1 IN {kind} {address}\r\ns=-\r\nc=IN {kind} {address}\r\nt=0 0\r\n"
        "m=audio 9 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=inactive\r\n"
    ).encode()
