"""What happens to the legs of a call, as an app sees it."""

from __future__ import annotations

import logging
from asyncio import Future
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from sip.core.reason import ANSWERED_ELSEWHERE, Reason

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from media.engine import RecordEnd
    from pbx.calls.attendant import Attendant
    from pbx.calls.broker import Broker
    from pbx.calls.leg import Leg
    from sip.core.refer import Refer, ReferSubscription
    from sip.core.registrar import Binding


class LegEnded(Exception):
    """A party of the call hung up, gave up, or was lost. It ends the app unless the app expects it."""

    def __init__(self, leg: Leg, reason: Reason) -> None:
        super().__init__(f"{leg.name} ended: {reason.text or reason.cause}")
        self.leg = leg
        self.reason = reason

    @property
    def told_on(self) -> Reason | None:
        """What the telephones are told that ring for nothing now: that somebody else has the call, if so."""
        return self.reason if self.reason is ANSWERED_ELSEWHERE else None


class NotPossibleNow(Exception):
    """What somebody asks of a call can't be done in the state that it is in. The message says why."""


class Progress(Protocol):
    """Who is told how a transfer goes (`sip.core.refer.ReferSubscription`)."""

    def notify(self, status: int, now: float) -> None:
        """The status that the new call got; the first final one is the last."""

    def end(self, now: float) -> None:
        """It was given up."""


class Progressed(msgspec.Struct, frozen=True):
    """A device rings (180) or is being reached (181 to 199); body is early media's answer, often empty."""

    leg: Leg
    status: int
    body: bytes


class Answered(msgspec.Struct, frozen=True):
    """A device answered. body: its answer."""

    leg: Leg
    body: bytes


class Acknowledged(msgspec.Struct, frozen=True):
    """The caller's ACK of our offer. body: its answer; empty from a caller that breaks RFC 3261 section
    13.2.2.4."""

    leg: Leg
    body: bytes


class Failed(msgspec.Struct, frozen=True):
    """A device didn't take the call."""

    leg: Leg
    status: int
    reason: Reason


class PickedUp(msgspec.Struct, frozen=True):
    """Somebody takes the call at another telephone than the one that rings (RFC 3891 section 3).

    leg: the one that rings; taker: whose INVITE waits for our answer to `offer`.
    """

    leg: Leg
    taker: Leg
    offer: bytes


class Offered(msgspec.Struct, frozen=True):
    """A party in the call wants to change its media; an empty body asks for our offer."""

    leg: Leg
    body: bytes


class Returned(Offered, frozen=True):
    """A page that was loaded again has taken its own call up (RFC 3891), in another dialog and with media of
    its own: an offer like any other, but for that its peer needn't learn of it."""


class OfferWithdrawn(msgspec.Struct, frozen=True):
    """A party took its offer back before our answer."""

    leg: Leg


class OfferAnswered(msgspec.Struct, frozen=True):
    """A party accepted our re-INVITE."""

    leg: Leg
    body: bytes


class OfferRefused(msgspec.Struct, frozen=True):
    """A party refused our re-INVITE; what was agreed before holds.

    retry_seconds: when the same may be offered again (RFC 3261 sections 14.1 and 14.2), None for never.
    """

    leg: Leg
    status: int
    retry_seconds: float | None = None


class Digit(msgspec.Struct, frozen=True):
    """A party pressed a key. in_sound: by RFC 4733, so that its peer hears it as well; else by INFO."""

    leg: Leg
    digit: str
    in_sound: bool = True


class Identified(msgspec.Struct, frozen=True):
    """A party says that it is somebody else now (RFC 4916, RFC 3325); number and name may be empty."""

    leg: Leg
    name: str
    number: str


class Referred(msgspec.Struct, frozen=True):
    """A party asks that the other one be connected with somebody else (RFC 3515)."""

    leg: Leg
    refer: Refer
    progress: ReferSubscription


class TransferAsked(msgspec.Struct, frozen=True):
    """The same from outside of the call (pbx.api.calls). leg: who transfers.

    second: its leg in the call that the other party is to go into; None to call `number` for it.
    """

    leg: Leg
    number: str
    second: Leg | None
    progress: Progress


class Asked(msgspec.Struct, frozen=True):
    """Something is asked for from outside of the call (pbx.api.calls): `work` is done in the call's turn.

    work: is given whoever carries the call now. done: what came of it.
    """

    leg: Leg
    work: Callable[[Broker | Attendant], Awaitable[Any]]
    done: Future[Any]

    async def carry_out(self, place: Broker | Attendant) -> None:
        """Do it, and tell who asked. Raises LegEnded where that ends the call."""
        if self.done.done():
            return  # who asked waits no more
        try:
            result = await self.work(place)
        except LegEnded:
            self._tell(None)
            raise
        except NotPossibleNow as why:
            self.refuse(why)
        except Exception:  # the call goes on all the same
            log.exception("call=%s leg=%s what was asked of it failed", self.leg.call.id, self.leg.name)
            self.refuse(NotPossibleNow("something went wrong; the log says what"))
        else:
            self._tell(result)

    def refuse(self, error: Exception) -> None:
        """It can't be done."""
        if not self.done.done():
            self.done.set_exception(error)

    def _tell(self, result: Any) -> None:
        if not self.done.done():
            self.done.set_result(result)


class TransferRings(msgspec.Struct, frozen=True):
    """Where a party is being transferred to, a telephone rings."""

    leg: Leg


class TransferAnswered(msgspec.Struct, frozen=True):
    """Somebody has taken a party that was being transferred: it has left this call."""

    leg: Leg


class TransferFailed(msgspec.Struct, frozen=True):
    """Nobody took a party that was being transferred. cause: why, in words."""

    leg: Leg
    status: int
    cause: str


class Played(msgspec.Struct, frozen=True):
    """What was being played to a party is over."""

    leg: Leg


class Recorded(msgspec.Struct, frozen=True):
    """What was being recorded of a party is over, and in its file. seconds: of sound, 0.0 where the media
    process can't say."""

    leg: Leg
    why: RecordEnd
    seconds: float


class PortLost(msgspec.Struct, frozen=True):
    """The port for a party's sound can't be had again after a restart."""

    leg: Leg


class TimeUp(msgspec.Struct, frozen=True):
    """The deadline that the app gave has come."""


class TelephoneCame(msgspec.Struct, frozen=True):
    """A telephone of whom the call rings has registered meanwhile. leg: the caller's; binding: its place."""

    leg: Leg
    binding: Binding


class Declined(msgspec.Struct, frozen=True):
    """Whom the call rings declines it, with no telephone (pbx.calls.waking). leg: the caller's."""

    leg: Leg


class Woken(msgspec.Struct, frozen=True):
    """Something outside of the call has changed that its app waits for."""


Happening = (
    Progressed
    | Answered
    | Acknowledged
    | Failed
    | PickedUp
    | Offered
    | Returned
    | OfferWithdrawn
    | OfferAnswered
    | OfferRefused
    | Identified
    | Referred
    | TransferAsked
    | Asked
    | TransferRings
    | TransferAnswered
    | TransferFailed
    | Digit
    | Played
    | Recorded
    | PortLost
    | TimeUp
    | TelephoneCame
    | Declined
    | Woken
)
