"""The broker of offers and answers between two legs that hear each other.

Neither leg ever sees the other's offer: each has an agreement of its own with us (RFC 3264), and the engine
in the middle carries the sound. What one party changes is told to the other only where it concerns it:

  what a party does                    what the other is told
  holds, resumes, moves its address    nothing: it goes on sending to us
  refreshes its session, repeats       nothing (the session answers by itself where nothing changed)
  offers other codecs                  a re-INVITE with them; its answer is the party's answer
  asks for our offer (no body)         nothing, unless the party's answer then changes what it hears
  takes its offer back                 nothing more; what it was offered is offered back

and while the other party can't take an offer:

  state of the other party             what becomes of the offer
  an offer of ours waits there         it is made again a moment later, for at most PATIENCE_SECONDS
  it offers at the same time (491)     it is made again after the time of RFC 3261 section 14.1
  it refuses (488 and all else)        488: what was agreed before holds on both sides
  it isn't answered yet                488, unless it needn't be told
  it is gone                           the call ends

With an engine that doesn't carry the sound (`passthrough`), every change is told to the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from media.engine import MediaMisuse, MediaRefused
from pbx.calls.call import Call
from pbx.calls.happenings import (
    Acknowledged,
    Digit,
    Happening,
    Identified,
    OfferAnswered,
    Offered,
    OfferRefused,
    OfferWithdrawn,
    TimeUp,
)
from pbx.calls.leg import Leg

PATIENCE_SECONDS = 8.0
BUSY_SECONDS = 0.25

# What may differ in a description without concerning whoever gets it: its version, and who holds.
_IMMATERIAL = re.compile(rb"^(?:o=.*|a=(?:sendrecv|sendonly|recvonly|inactive))\r?\n", re.MULTILINE)


@dataclass(slots=True)
class _Offer:
    """An offer that `peer` is to be made. offerer: who waits for its answer; None where nobody does.

    retry_at: when it is made (again), None while it is under way. until: after that it is given up.
    tell: whether the other party is to be offered what the answer says.
    """

    offerer: Leg | None
    peer: Leg
    body: bytes
    until: float
    retry_at: float | None
    tell: bool = False


class Broker:
    """Offers and answers between two legs of a call. It has one offer under way at a time."""

    def __init__(self, call: Call, one: Leg, other: Leg) -> None:
        self._call = call
        self._engine = call.engine
        self._one = one
        self._other = other
        self._pending: _Offer | None = None
        self._asking: Leg | None = None  # whose answer to our offer comes with its ACK

    def peer_of(self, leg: Leg) -> Leg:
        """The other leg."""
        return self._other if leg is self._one else self._one

    def seconds_to_retry(self) -> float | None:
        """When `take` is wanted with TimeUp, None for never."""
        pending = self._pending
        if pending is None or pending.retry_at is None:
            return None
        return max(pending.retry_at - self._now, 0.0)

    async def take(self, happening: Happening) -> None:
        """Do what a happening asks for."""
        match happening:
            case Offered(leg, body):
                await self._offered(leg, body)
            case OfferAnswered(leg, body):
                await self._offer_answered(leg, body)
            case OfferRefused(leg, status):
                self._offer_refused(leg, status)
            case OfferWithdrawn(leg):
                self._withdrawn(leg)
            case Acknowledged(leg, body) if leg is self._asking:
                self._asking = None
                await self._described(leg, body)
            case TimeUp():
                self._try()
            case Digit(leg, digit, in_sound=False):
                # RFC 6086: it came by INFO. What comes in the sound passes in the sound.
                await self._engine.dtmf(self._call.id, self.peer_of(leg).name, digit)
            case Identified(leg, name, number):
                self.peer_of(leg).show(name, number)
            case _:
                pass  # late provisional responses mean nothing now

    def propose(self, leg: Leg, body: bytes) -> None:
        """Offer a leg something that nobody asked for: its sound is elsewhere after a transfer."""
        leg.proposal = b""
        if not self._concerns(leg, body):
            return
        self._pending = _Offer(None, leg, body, self._now + PATIENCE_SECONDS, self._now, tell=True)
        self._try()

    # What a party says

    async def _offered(self, leg: Leg, body: bytes) -> None:
        peer = self.peer_of(leg)
        try:
            if body:
                answer = await self._answer_for(leg, peer, body)
            else:
                answer = await self._offer_for(leg, peer)
        except MediaRefused as refused:
            leg.refuse_offer(refused.status)
            return
        if answer:
            leg.accept_offer(answer)
            self._asking = None if body else leg

    async def _answer_for(self, leg: Leg, peer: Leg, body: bytes) -> bytes:
        """Our answer to a leg's offer; empty where the peer has to be asked, or it was refused."""
        told = await self._tell(leg, peer, body)
        if self._concerns(peer, told):
            if self._pending is not None:
                leg.refuse_offer(491)  # RFC 3261 section 14.2: the peer's own offer waits for this leg
            elif not peer.confirmed:
                leg.refuse_offer(488)
            else:
                self._pending = _Offer(leg, peer, told, self._now + PATIENCE_SECONDS, self._now)
                self._try()
            return b""
        return await self._answer(peer, leg, peer.remote_sdp)

    async def _offer_for(self, leg: Leg, peer: Leg) -> bytes:
        """Our offer to a leg that asked for one: what its peer has said already."""
        if self._pending is not None or not peer.remote_sdp:
            leg.refuse_offer(491)
            return b""
        return await self._tell(peer, leg, peer.remote_sdp)

    async def _described(self, leg: Leg, body: bytes) -> None:
        """A leg has said by an answer what it takes now; its peer is told where that concerns it."""
        peer = self.peer_of(leg)
        try:
            told = await self._tell(leg, peer, body)
            if not self._concerns(peer, told):
                await self._answer(peer, leg, peer.remote_sdp)
            elif self._pending is None:
                self._pending = _Offer(None, peer, told, self._now + PATIENCE_SECONDS, self._now)
                self._try()
        except (MediaRefused, MediaMisuse):
            return  # nothing usable was said: what was agreed before holds

    async def _offer_answered(self, leg: Leg, body: bytes) -> None:
        pending, self._pending = self._pending, None
        if pending is None or pending.peer is not leg:
            self._pending = pending
            await self._described(leg, body)
            return
        peer = self.peer_of(leg)
        try:
            answer = await self._answer(leg, peer, body)
        except (MediaRefused, MediaMisuse):
            if pending.offerer is not None:
                pending.offerer.refuse_offer(488)
            return
        if pending.offerer is not None:
            pending.offerer.accept_offer(answer)
        elif pending.tell and self._concerns(peer, answer):
            self.propose(peer, answer)

    def _offer_refused(self, leg: Leg, status: int) -> None:
        pending = self._pending
        if pending is None or pending.peer is not leg:
            return
        if status == 491 and self._now < pending.until:
            pending.retry_at = self._now + leg.glare_seconds()
            return
        self._give_up(488)

    def _withdrawn(self, leg: Leg) -> None:
        pending = self._pending
        if pending is None or pending.offerer is not leg:
            return
        pending.offerer = None  # the peer's answer is taken nevertheless: it has changed by then
        if pending.retry_at is not None:
            self._pending = None

    # Making an offer

    def _try(self) -> None:
        """Make the offer that is due, if the peer can take one."""
        pending = self._pending
        if pending is None or pending.retry_at is None or pending.retry_at > self._now:
            return
        if pending.peer.may_offer:
            pending.retry_at = None
            pending.peer.offer(pending.body)
        elif self._now < pending.until:
            pending.retry_at = self._now + BUSY_SECONDS
        else:
            self._give_up(491)

    def _give_up(self, status: int) -> None:
        pending, self._pending = self._pending, None
        if pending is not None and pending.offerer is not None:
            pending.offerer.refuse_offer(status)

    def _concerns(self, peer: Leg, told: bytes) -> bool:
        """Whether a description says anything to this leg that it doesn't know yet."""
        if not self._engine.carries:
            return told != peer.local_sdp
        return _IMMATERIAL.sub(b"", told) != _IMMATERIAL.sub(b"", peer.local_sdp)

    async def _tell(self, leg: Leg, peer: Leg, body: bytes) -> bytes:
        return await self._engine.offer(
            self._call.id, leg.name, peer.name, body, nat=leg.behind_nat, advertise=peer.media_address
        )

    async def _answer(self, leg: Leg, peer: Leg, body: bytes) -> bytes:
        return await self._engine.answer(
            self._call.id, leg.name, peer.name, body, nat=leg.behind_nat, advertise=peer.media_address
        )

    @property
    def _now(self) -> float:
        return self._call.exchange.driver.now


async def take_early(call: Call, leg: Leg, offered: Offered) -> None:
    """An offer before the answer, from the device that rings or from the caller it rings for.

    Where the caller made no offer, the device's own (RFC 3262 section 5) is answered by the engine; the
    caller gets one when somebody has answered.
    """
    if offered.leg is leg and not call.offer and not leg.agreed:
        try:
            answer = await call.engine.publish(
                call.id, leg.name, offered.body, nat=leg.behind_nat, advertise=leg.media_address
            )
        except MediaRefused as refused:
            leg.refuse_offer(refused.status)
        else:
            leg.accept_offer(answer)
        return
    await Broker(call, call.caller, leg).take(offered)
