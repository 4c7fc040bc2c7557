"""A party of one call as the caller of another: who is being transferred, or whom others are rung for.

It stays in its first call, and hears what that one plays, until somebody takes it in the second one. Then its
dialog moves. A party that was answered before is offered its new sound by re-INVITE; a caller that only heard
it ring is answered there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.engine import MediaUnavailable
from pbx.calls.happenings import LegEnded, TransferAnswered, TransferFailed, TransferRings
from pbx.calls.leg import Leg
from sip.core.reason import Reason

if TYPE_CHECKING:
    from dialplan.decision import Decision
    from pbx.calls.call import Call


class Transferee(Leg):
    """The same party as `first`, in another call. `hears_early`: not until it was taken over.

    toll: where a call of ours reached it, what was decided then and on whose budgets that was.
    """

    __slots__ = ("first", "toll")
    hears_early = False

    def __init__(self, call: Call, name: str, first: Leg) -> None:
        super().__init__(call, name, first.device, first.flow, behind_nat=first.behind_nat)
        self.first = first
        self.reached, self.via = first.reached, first.via
        self.told = first.told
        self.toll: tuple[Decision, str] | None = None
        if isinstance(first, Transferee):
            self.toll = first.toll
        elif first is not first.call.caller:
            self.toll = first.call.decision, call.exchange.user_of(first.call)

    @property
    def waits(self) -> bool:
        """Whether the party is still there, and nobody has taken it."""
        first = self.first
        if self.ended_at is not None or self.session is not None or first.ended_at is not None:
            return False
        return first.session is not None or (isinstance(first, Transferee) and first.waits)

    @property
    def offer_now(self) -> bytes:
        """What the caller offers now, in the call that it is in."""
        return self.first.offer_now

    def take_over(self) -> None:
        """Move the party's dialog into this call, with the trunk's channel that it is on, if any."""
        if isinstance(self.first, Transferee) and self.first.waits:
            self.first.take_over()
            self.first.first.call.post(TransferAnswered(self.first.first))
        session = self.first.session
        assert session is not None
        if self.first.confirmed:
            self.first.refuse_offer(491)  # what it asks just now, it may ask again here
        if self.first.call.recorded or self.call.recorded:
            self.call.exchange.recordings.moved(self.first, self)
        self.first.leave("transferred")
        session.user = self
        self.session = session
        self.answered_at = self.call.exchange.clock()
        self.call.exchange.probes.moved(self.first, self)
        if self.device in self.first.call.plan.trunks:
            self.call.exchange.trunks.hand_over(self.device)
            if self.toll is not None and self.call.plan.budgets and self.toll[0] is not self.call.decision:
                self.call.exchange.spend_on_for(self, *self.toll)

    async def bring_sound(self) -> bool:
        """Let its stream come along, once it was taken over; returns False where it is to have a new one.

        It keeps its port, SSRC and sequence, and hears of nothing that doesn't change for it.
        """
        first, engine = self.first, self.call.engine
        codec = engine.codec(first.call.id, first.name)
        quality = engine.quality(first.call.id, first.name)
        if self.session is None or first.call.engine is not engine or not codec:
            return False
        try:
            moved = await engine.move(first.call.id, first.name, self.call.id, self.name)
        except MediaUnavailable:
            return False
        if moved:
            first.codec, first.quality = codec, quality
            if first.call.kept:
                first.call.keep()
        return moved

    def gone(self, reason: Reason) -> None:
        """The party hung up, or was taken elsewhere, before anybody took it here."""
        if self.session is None and self.ended_at is None:
            self._end("cancelled")
            self.call.post(LegEnded(self, reason))

    def ring(self, status: int = 180, body: bytes = b"") -> None:
        """The party hears a ringback tone: it has no early media in a call that it is in."""
        if not self.rang:
            self.rang = True
            self.first.call.post(TransferRings(self.first))

    def answer(self, body: bytes, name: str = "", number: str = "") -> None:
        """Take the party over, and answer it, or offer it its sound. Nothing once it has gone."""
        if not self.waits:
            return  # the app is about to hear so
        self.take_over()
        self.first.call.post(TransferAnswered(self.first))
        if not self.confirmed:
            super().answer(body, name, number)
            return
        self.proposal = body
        if number:
            self.show(name, number)

    def refuse(self, status: int, cause: str, *, reason: Reason | None = None, phrase: str = "") -> None:
        """Nobody takes the party: it stays where it is."""
        if self.session is not None:
            self.hang_up(cause, reason)
            return
        if self.ended_at is None:
            self._end(cause)
            self.first.call.post(TransferFailed(self.first, status, cause))

    def hang_up(self, cause: str, reason: Reason | None = None) -> None:
        """End the leg; the party itself is hung up once it was taken over."""
        if self.session is not None:
            super().hang_up(cause, reason)
        else:
            self.refuse(480, cause, reason=reason)
