"""Several who are rung for one caller, each in a call of its own; the first to answer has it.

    call of the caller ──┬── call to 2201: rings ──────────────> answered: the caller's dialog moves there
                         ├── call to 2202: rings ── CANCEL (answered elsewhere)
                         └── call to +336…: over a trunk, with its failover, budget and number shown

The caller may be answered (from a menu) or only hear it ring; what the others are offered is its own offer,
and it is answered with the winner's answer. A person's own forwards mean nothing here: they would take a
group's calls from the others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from dialplan.decision import Decision, ToPerson
from pbx.apps.dial import ring
from pbx.calls.happenings import (
    Happening,
    LegEnded,
    Offered,
    TimeUp,
    TransferAnswered,
    TransferFailed,
    TransferRings,
)
from pbx.calls.transferee import Transferee
from sip.core.reason import ANSWERED_ELSEWHERE, Reason
from sip.core.session import NORMAL_CLEARING

if TYPE_CHECKING:
    from pbx.calls.call import Call

Listen = Callable[[float | None], Awaitable[Happening]]


class Hunt:
    """Who is rung for the caller of a call. listen: how the app hears of the caller meanwhile."""

    def __init__(self, call: Call, listen: Listen) -> None:
        self._call = call
        self._listen = listen
        self._ringing: list[Transferee] = []
        self.answered = False  # whether one of them has the caller
        self.causes: list[str] = []  # why those who rang took nothing

    def ring(self, decision: Decision, *, confirms: str = "", only: tuple[str, ...] = ()) -> Transferee:
        """Ring one more, where the decision leads; returns what `stop` ends. confirms: see `Call.confirms`.

        only: these devices of a person, empty for all.
        """
        call, target = self._call, decision.target
        app = partial(ring, extension=target.extension, only=only) if isinstance(target, ToPerson) else None
        payer = call.payer or call.caller.device
        onward = call.exchange.router.onward(call, call.caller, decision, payer=payer, app=app)
        assert isinstance(onward.caller, Transferee)
        onward.confirms = confirms
        self._ringing.append(onward.caller)
        return onward.caller

    async def wait(self, seconds: float, *, rings_on: bool = False) -> None:
        """Wait for somebody to take the caller, which ends this call (LegEnded).

        Returns when nobody rings any more, and after `seconds`; then nobody does, unless it `rings_on`.
        """
        deadline = self._now + seconds
        reason, over = NORMAL_CLEARING, True
        try:
            while self._ringing:
                match await self._listen(deadline - self._now):
                    case TransferRings() if not (self._call.caller.rang or self._call.caller.confirmed):
                        self._call.caller.ring()
                    case TransferAnswered():
                        reason, self.answered = ANSWERED_ELSEWHERE, True
                        self._call.cause = "transferred"
                        raise LegEnded(self._call.caller, NORMAL_CLEARING)
                    case TransferFailed(_, _, cause):
                        self.causes.append(cause)
                        self._ringing = [waiting for waiting in self._ringing if waiting.ended_at is None]
                    case Offered(leg, _) if not leg.confirmed:
                        leg.refuse_offer(488)  # nobody speaks with it yet
                    case TimeUp():
                        over = not rings_on
                        return
                    case _:
                        pass
        finally:
            if over:
                self._give_up(reason)

    @property
    def rings(self) -> bool:
        """Whether anybody rings."""
        return bool(self._ringing)

    def stop(self, waiting: Transferee) -> None:
        """One of those who ring rings no more; nothing where it doesn't."""
        if waiting in self._ringing:
            self._ringing.remove(waiting)
            waiting.gone(NORMAL_CLEARING)

    def _give_up(self, reason: Reason) -> None:
        ringing, self._ringing = self._ringing, []
        for waiting in ringing:
            waiting.gone(reason)  # if it still waits

    @property
    def _now(self) -> float:
        return self._call.exchange.driver.now
