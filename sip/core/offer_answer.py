"""Whose turn it is to describe the session (RFC 3264, RFC 6337).

    +------+ local offer                    remote offer +------+
    | IDLE | ----------> OFFERED_LOCALLY                 | IDLE | ----------> OFFERED_REMOTELY
    +------+                  |  ^                       +------+                  |  ^
                remote answer |  | local offer                        local answer |  | remote offer
                              v  |                                                 v  |
                             AGREED  <------------------------------------------> AGREED

A refused or abandoned offer goes back to where it came from (IDLE or AGREED). A second offer before the
answer is a mistake: ours (LocalProtocolError) or the remote party's (RemoteProtocolError: 491 where we
offered, 500 where it did; RFC 3261 section 14.2).
"""

from __future__ import annotations

from enum import Enum, auto

from sip.core.errors import LocalProtocolError, RemoteProtocolError


class Turn(Enum):
    """The state of the exchange."""

    IDLE = auto()
    OFFERED_LOCALLY = auto()
    OFFERED_REMOTELY = auto()
    AGREED = auto()


class OfferAnswer:
    """One exchange of offers and answers; bodies themselves are the user's concern."""

    __slots__ = ("_before", "turn")

    def __init__(self) -> None:
        self.turn = Turn.IDLE
        self._before = Turn.IDLE

    @property
    def pending(self) -> bool:
        """True while an offer waits for its answer."""
        return self.turn is Turn.OFFERED_LOCALLY or self.turn is Turn.OFFERED_REMOTELY

    def local_offer(self) -> None:
        """We send an offer."""
        if self.pending:
            raise LocalProtocolError(f"offer in {self.turn.name}")
        self._before, self.turn = self.turn, Turn.OFFERED_LOCALLY

    def remote_offer(self) -> None:
        """An offer arrived."""
        if self.turn is Turn.OFFERED_LOCALLY:
            raise RemoteProtocolError(491, "Request Pending")
        if self.turn is Turn.OFFERED_REMOTELY:
            raise RemoteProtocolError(500, "Offer Pending", (("Retry-After", "2"),))
        self._before, self.turn = self.turn, Turn.OFFERED_REMOTELY

    def local_answer(self) -> None:
        """We answer the remote offer."""
        if self.turn is not Turn.OFFERED_REMOTELY:
            raise LocalProtocolError(f"answer in {self.turn.name}")
        self.turn = Turn.AGREED

    def remote_answer(self) -> bool:
        """A body arrived where an answer may stand; False for a repetition, to be ignored (RFC 6337)."""
        if self.turn is not Turn.OFFERED_LOCALLY:
            return False
        self.turn = Turn.AGREED
        return True

    def withdraw(self) -> None:
        """The offer under way was refused or abandoned: what held before holds again."""
        if self.pending:
            self.turn = self._before
