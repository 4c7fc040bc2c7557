"""A party of one call as the caller of another: who is being transferred.

It stays in its first call, and hears what that one plays, until somebody takes it in the second one. Then its
dialog moves, and it is offered its new sound by re-INVITE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.calls.happenings import TransferAnswered, TransferFailed, TransferRings
from pbx.calls.leg import Leg
from sip.core.reason import Reason

if TYPE_CHECKING:
    from pbx.calls.call import Call


class Transferee(Leg):
    """The same party as `first`, in another call."""

    __slots__ = ("first",)

    def __init__(self, call: Call, name: str, first: Leg) -> None:
        super().__init__(call, name, first.device, first.flow, behind_nat=first.behind_nat)
        self.first = first

    def take_over(self) -> None:
        """Move the party's dialog into this call."""
        session = self.first.session
        assert session is not None
        self.first.leave("transferred")
        session.user = self
        self.session = session
        self.answered_at = self.call.exchange.clock()

    def ring(self, status: int = 180, body: bytes = b"") -> None:
        """The party hears a ringback tone: it has no early media in a call that it is in."""
        self.first.call.post(TransferRings(self.first))

    def answer(self, body: bytes) -> None:
        """Take the party over and offer it its sound."""
        if self.ended_at is not None:
            return
        self.take_over()
        self.first.call.post(TransferAnswered(self.first))
        if self.may_offer:
            self.offer(body)
        else:
            self.proposal = body

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
