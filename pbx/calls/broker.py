"""The broker of offers and answers between two legs that hear each other.

Neither leg ever sees the other's offer: each has an agreement of its own with us (RFC 3264), and the engine
in the middle carries the sound. What one party changes is told to the other only where it concerns it:

  what a party does                    what the other is told
  holds, resumes, moves its address    nothing: it goes on sending to us
  refreshes its session, repeats       nothing (the session answers by itself where nothing changed)
  offers other codecs                  a re-INVITE with them; its answer is the party's answer
  asks for our offer (no body)         nothing, unless it sends what the party no longer takes: a re-INVITE;
                                       where that is refused, the party is offered what held before
  takes its offer back                 where it had said yes already: what it had before, by another re-INVITE

and while the other party can't take an offer:

  state of the other party             what becomes of the offer
  an offer of ours waits there         491
  it isn't ready (no ACK of its yet)   it is made a moment later, for at most PATIENCE_SECONDS
  it offers at the same time (491)     it is made again after the time of RFC 3261 section 14.1
  it has no time (500, Retry-After)    it is made again after that time (RFC 3261 section 14.2)
  it refuses (488 and all else)        488: what was agreed before holds on both sides
  it isn't answered yet                488, unless it needn't be told
  it is gone, the call is transferred  the engine answers
  it is gone                           the call ends

Parties that send each other their sound are brought back to us first (pbx.calls.direct).
With an engine that doesn't carry the sound (`passthrough`), every change is told to the other. A party that
has come from another call by a transfer has to take its new sound: where it refuses, the call ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from media.engine import MediaEngine, MediaMisuse, MediaRefused, MediaUnavailable, Music, Source
from media.sdp import parse
from media.tones import Segment, Tone
from pbx.calls.call import Call
from pbx.calls.direct import come_back, stay_away
from pbx.calls.happenings import (
    Acknowledged,
    Asked,
    Digit,
    Happening,
    Identified,
    LegEnded,
    NotPossibleNow,
    OfferAnswered,
    Offered,
    OfferRefused,
    OfferWithdrawn,
    Played,
    PortLost,
    Returned,
    TimeUp,
)
from pbx.calls.intervals import turn
from pbx.calls.leg import Leg
from sip.core.reason import Reason

PATIENCE_SECONDS = 8.0
BUSY_SECONDS = 0.25
SILENCE = Tone((Segment(1000),))
MEDIA_REFUSED = "media refused"  # the cause in the record
NOT_ACCEPTABLE = Reason("SIP", 488, "Not Acceptable Here")

# What may differ in a description without concerning whoever gets it: its version, who holds, and who would
# begin DTLS, which an offer leaves open.
_IMMATERIAL = re.compile(
    rb"^(?:o=.*|a=(?:sendrecv|sendonly|recvonly|inactive)|a=setup:.*)\r?\n", re.MULTILINE
)
_VERSION = re.compile(rb"^o=.*\r?\n", re.MULTILINE)
_HELD = re.compile(rb"^a=(?:sendonly|inactive)\r?$", re.MULTILINE)
# A browser's place is also who it meets there: another certificate is another association (RFC 8842).
_PLACES = re.compile(rb"^(?:c=\S.*|m=\w+ \d+ \S+|a=fingerprint:.*|a=ice-ufrag:.*)", re.MULTILINE)
_FORMATS = re.compile(rb"^m=audio [1-9]\d* \S+ (.*)", re.MULTILINE)


@dataclass(slots=True)
class _Offer:
    """An offer that `peer` is to be made. offerer: who waits for its answer, and what it said; None where
    nobody does.

    retry_at: when it is made (again), None while it is under way. until: after that it is given up.
    further: how many more offers may follow from its answer. withdrawn: the offerer took it back.
    vital: without it the two don't hear each other, so that the call ends where it is refused.
    """

    offerer: Leg | None
    peer: Leg
    body: bytes
    until: float
    retry_at: float | None
    further: int = 0
    said: bytes = b""
    withdrawn: bool = False
    vital: bool = False


class Broker:
    """Offers and answers between two legs of a call. It has one offer under way at a time."""

    def __init__(self, call: Call, one: Leg, other: Leg) -> None:
        self._call = call
        self._one = one
        self._other = other
        self._pending: _Offer | None = None
        self._asking: list[Leg] = []  # whose answer to our offer comes with the ACK
        self._unheard: list[Leg] = []  # whose answer is to be told when no offer is under way
        self._listened_to: tuple[Leg | None, Callable[[str], object]] = None, _nothing  # who gets its keys
        self._away: MediaEngine | None = None  # until both know that their sound comes to us again

    @property
    def _engine(self) -> MediaEngine:
        return self._call.engine

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
                self._come_back()
                await self._offered(leg, body, is_back=isinstance(happening, Returned))
                if leg.proposal and leg.confirmed and self._pending is None:
                    await self.propose(leg, leg.proposal)  # it couldn't be refused (Leg.refuse_offer)
            case OfferAnswered(leg, body):
                await self._offer_answered(leg, body)
            case OfferRefused(leg, _, retry_seconds):
                await self._offer_refused(leg, retry_seconds)
            case OfferWithdrawn(leg):
                self._withdrawn(leg)
            case Acknowledged(leg, body) if leg in self._asking or body:
                if leg in self._asking:  # else it was asked in the call that it came from
                    self._asking.remove(leg)
                await self._described(leg, body, further=1)
            case TimeUp():
                await self._try()
            case Digit(leg, digit) if leg is self._listened_to[0]:
                self._listened_to[1](digit)
            case Digit(leg, digit, in_sound=False):
                # RFC 6086: it came by INFO. What comes in the sound passes in the sound.
                if self._call.direct:
                    await self.return_to_us()
                    return
                with suppress(MediaRefused):  # an engine without sound of its own
                    await self._engine.dtmf(self._call.id, self.peer_of(leg).name, digit)
            case PortLost(leg):
                await self._renew(leg)
            case Identified(leg, name, number):
                self.peer_of(leg).show(name, number)
            case Asked() as asked:
                await asked.carry_out(self)
            case Played(leg) if self._engine.carries and (self._holds(self.peer_of(leg)) or self._call.muted):
                with suppress(MediaMisuse, MediaUnavailable):
                    await self._sound(leg)  # it was told something meanwhile
            case _:
                pass  # late provisional responses mean nothing now
        if self._unheard and self._pending is None:
            leg = self._unheard.pop()
            await self._described(leg, leg.remote_sdp, further=1)
        if self._away is not None:
            await self._go_on_returning()

    # Sound that the parties send each other (pbx.calls.direct)

    async def return_to_us(self) -> None:
        """Have the sound come to us again, where the parties send it to each other."""
        if not self._call.direct:
            return
        self._come_back()
        try:
            await self._offer_our_place(self._other, vital=False)
        except (MediaRefused, MediaUnavailable):
            await self._stay_away()

    def _come_back(self) -> None:
        if self._call.direct:
            self._away = self._engine
            come_back(self._call, (self._one, self._other))

    async def _go_on_returning(self) -> None:
        """Once nothing else is under way, tell our place to who doesn't know it; where neither does, it was
        refused, and what they agreed on holds."""
        if self._pending is not None or self._asking or not (self._one.confirmed and self._other.confirmed):
            return
        try:
            unknowing = [leg for leg in (self._one, self._other) if not await self._knows_our_place(leg)]
            if len(unknowing) == 1:
                await self._offer_our_place(unknowing[0], vital=True)
                return
        except (MediaRefused, MediaUnavailable):
            unknowing = [self._one, self._other]
        if unknowing:
            await self._stay_away()
        else:
            self._away = None
            if self._call.held or self._call.muted:
                with suppress(NotPossibleNow):
                    await self._let_hear()

    async def _knows_our_place(self, leg: Leg) -> bool:
        peer = self.peer_of(leg)
        told = await self._tell(peer, leg, peer.remote_sdp)
        return _PLACES.findall(told) == _PLACES.findall(leg.local_sdp)

    async def _offer_our_place(self, leg: Leg, *, vital: bool) -> None:
        peer = self.peer_of(leg)
        told = await self._tell(peer, leg, peer.remote_sdp)
        await self._begin(_Offer(None, leg, told, *self._from_now, further=2, vital=vital))

    async def _stay_away(self) -> None:
        if self._away is not None:
            await stay_away(self._call, self._away)
            self._away = None

    async def propose(self, leg: Leg, body: bytes) -> None:
        """Offer a leg something that nobody asked for: its sound is elsewhere after a transfer."""
        leg.proposal = b""
        if self._concerns(leg, body):
            await self._begin(_Offer(None, leg, body, *self._from_now, further=2, vital=True))

    async def unite(self) -> None:
        """Join two who come from other calls: each is told what it doesn't know, the second one first.

        Raises MediaRefused, MediaUnavailable.
        """
        one, other = self._one, self._other
        told = await self._tell(one, other, one.remote_sdp)
        if self.suits(other, told):
            await self._described(other, other.remote_sdp, further=1, vital=True)
        else:
            await self._begin(_Offer(None, other, told, *self._from_now, further=2, vital=True))

    async def _renew(self, leg: Leg) -> None:
        """A leg's port is gone: it is offered another one."""
        peer = self.peer_of(leg)
        with suppress(MediaRefused, MediaMisuse, MediaUnavailable):  # none is left: it hears nothing
            await self._engine.renew(self._call.id, leg.name)
            await self._described(peer, peer.remote_sdp, further=1)

    # What a party says

    async def _offered(self, leg: Leg, body: bytes, *, is_back: bool = False) -> None:
        peer = self.peer_of(leg)
        try:
            if body:
                answer = await self._answer_for(leg, peer, body, is_back=is_back)
            else:
                answer = await self._offer_for(leg, peer)
        except MediaRefused as refused:
            leg.refuse_offer(refused.status)
            return
        except MediaUnavailable:
            leg.refuse_offer(500)  # the sound goes on as it is, and the party may ask again
            return
        if leg in self._asking:
            self._asking.remove(leg)
        if answer:
            before = leg.remote_sdp
            leg.accept_offer(answer)
            if body:
                await self._entertain(peer, before, body)
            else:
                self._asking.append(leg)

    async def _entertain(self, peer: Leg, before: bytes, said: bytes) -> None:
        """Music for the peer of whoever holds now, until it resumes; none in an emergency call."""
        was_held, is_held = _HELD.search(before) is not None, _HELD.search(said) is not None
        if was_held != is_held:
            self.note()
        if was_held == is_held or self._call.is_emergency or not self._engine.carries:
            return
        with suppress(MediaMisuse, MediaUnavailable):  # the peer has gone, or the engine
            await self._sound(peer)

    async def _sound(self, leg: Leg) -> None:
        """Let a leg hear what it is to hear: music while its peer holds, nothing where it holds itself or its
        peer is muted, else its peer. Raises MediaMisuse, MediaUnavailable."""
        call, peer = self._call, self.peer_of(leg)
        if self._holds(peer):
            await self._engine.play(call.id, leg.name, Music(), repeat=True)
        elif leg.name in call.held or peer.name in call.muted:
            await self._engine.play(call.id, leg.name, SILENCE, repeat=True)
        else:
            await self._engine.stop(call.id, leg.name)

    def _holds(self, leg: Leg) -> bool:
        return leg.name in self._call.held or _HELD.search(leg.remote_sdp) is not None

    # What is asked for from outside of the call (pbx.api.calls)

    async def hold(self, leg: Leg, *, on: bool) -> None:
        """Let a leg's party hold, or resume, without its telephone. Raises NotPossibleNow."""
        call = self._call
        if call.is_emergency:
            raise NotPossibleNow("an emergency call isn't put on hold from outside")
        call.held = tuple(name for name in call.held if name != leg.name) + ((leg.name,) if on else ())
        await self._let_hear()
        self.note()

    async def mute(self, leg: Leg, *, on: bool) -> None:
        """Let nobody hear a leg's party, or again. Raises NotPossibleNow."""
        call = self._call
        if call.is_emergency:
            raise NotPossibleNow("nobody is muted in an emergency call")
        call.muted = tuple(name for name in call.muted if name != leg.name) + ((leg.name,) if on else ())
        await self._let_hear()
        call.keep()

    async def go_on(self) -> None:
        """After a restart: whoever waits for a peer that holds hears music again, and nobody the muted."""
        call = self._call
        silent = call.held or call.muted or self._holds(self._one) or self._holds(self._other)
        if silent and not (call.direct or call.is_emergency):
            with suppress(NotPossibleNow):
                await self._let_hear()

    async def _let_hear(self) -> None:
        if not self._call.exchange.engine.carries:
            raise NotPossibleNow("the sound doesn't pass through us")
        if self._call.direct:
            await self.return_to_us()  # and then as `_go_on_returning` finds it
            return
        try:
            await self._sound(self._one)
            await self._sound(self._other)
        except (MediaMisuse, MediaUnavailable) as error:
            raise NotPossibleNow("the call has no sound at present") from error

    async def say(self, leg: Leg, source: Source) -> None:
        """Play something to a leg, in place of what it hears. Raises NotPossibleNow."""
        if self._call.direct or not self._engine.carries:
            raise NotPossibleNow("the sound doesn't pass through us")
        try:
            await self._engine.play(self._call.id, leg.name, source)
        except (MediaMisuse, MediaRefused, MediaUnavailable) as error:
            raise NotPossibleNow("the call has no sound at present") from error

    async def record(self, leg: Leg, path: Path, seconds: float) -> None:
        """Write what a leg's party says into a file, for so long; 0.0 ends it. Raises NotPossibleNow."""
        if self._call.direct or not self._engine.records:
            raise NotPossibleNow("the sound doesn't pass through us")
        try:
            if seconds:
                await self._engine.record(self._call.id, leg.name, str(path), seconds=seconds)
            else:
                await self._engine.stop_recording(self._call.id, leg.name)
        except (MediaMisuse, MediaRefused, MediaUnavailable) as error:
            raise NotPossibleNow("the call has no sound at present") from error

    def listen(self, leg: Leg | None, keys: Callable[[str], object]) -> None:
        """Give the keys that a leg presses from now on to `keys`, and not to its peer; None for nobody's."""
        self._listened_to = leg, keys

    async def send_digits(self, leg: Leg, digits: str) -> None:
        """Send a leg's peer keys, as if it had pressed them. Raises NotPossibleNow."""
        if self._call.direct:
            await self.return_to_us()
            raise NotPossibleNow("the telephones speak directly; ask again in a moment")
        try:
            await self._engine.dtmf(self._call.id, self.peer_of(leg).name, digits)
        except (MediaMisuse, MediaRefused, MediaUnavailable) as error:
            raise NotPossibleNow("the call has no sound at present") from error

    def note(self) -> None:
        """Write down who hears whom from now on (pbx.calls.intervals): whoever's peer holds waits."""
        both = (self._one, self._other)
        waiting = tuple(leg.name for leg in both if self._holds(self.peer_of(leg)))
        turn(self._call, "held" if waiting else "talk", waiting or tuple(leg.name for leg in both))

    async def _answer_for(self, leg: Leg, peer: Leg, body: bytes, *, is_back: bool) -> bytes:
        """Our answer to a leg's offer; empty where the peer has to be asked, or it was refused.

        is_back: a page was loaded again, and offers all that it knows: what its peer sends is among that.
        """
        if peer.session is None:
            # It has gone, and whoever asks is being transferred: it hears us.
            return await self._engine.publish(
                self._call.id, leg.name, body, nat=leg.behind_nat, advertise=leg.media_address
            )
        told = await self._tell(leg, peer, body)
        if self._concerns(peer, told) and not (is_back and self.suits(peer, told)):
            if self._pending is not None:
                leg.refuse_offer(491)  # RFC 3261 section 14.2: the peer's own offer waits for this leg
            elif not peer.confirmed:
                leg.refuse_offer(488)
            else:
                await self._begin(_Offer(leg, peer, told, *self._from_now, said=body))
            return b""
        return await self._answer(peer, leg, peer.remote_sdp)

    async def _offer_for(self, leg: Leg, peer: Leg) -> bytes:
        """Our offer to a leg that asked for one: what its peer has said already."""
        if self._pending is not None or not peer.remote_sdp:
            leg.refuse_offer(491)
            return b""
        return await self._tell(peer, leg, peer.remote_sdp)

    async def _described(self, leg: Leg, body: bytes, *, further: int, vital: bool = False) -> None:
        """A leg has said by an answer what it takes now; its peer is told where it has to know."""
        peer = self.peer_of(leg)
        try:
            told = await self._tell(leg, peer, body)
            if further == 0 or self.suits(peer, told):
                await self._answer(peer, leg, peer.remote_sdp)
            elif self._pending is None:
                await self._begin(_Offer(None, peer, told, *self._from_now, further=further, vital=vital))
            else:
                self._unheard.append(leg)
        except (MediaRefused, MediaMisuse, MediaUnavailable):
            if vital and not self._call.is_emergency:
                self._call.cause = MEDIA_REFUSED
                raise LegEnded(leg, NOT_ACCEPTABLE) from None
            return  # nothing usable was said: what was agreed before holds

    async def _offer_answered(self, leg: Leg, body: bytes) -> None:
        pending = self._pending
        if pending is None or pending.peer is not leg or pending.retry_at is not None:
            await self._described(leg, body, further=1)  # of an offer made in another call
            return
        self._pending = None
        peer, offerer = self.peer_of(leg), pending.offerer
        if pending.withdrawn:
            await self._take_back(leg, peer)
        elif offerer is None:
            await self._described(leg, body, further=max(pending.further - 1, 0), vital=pending.vital)
        else:
            try:
                await self._tell(peer, leg, pending.said)  # the engine may have heard others since
                answer = await self._answer(leg, peer, body)
            except (MediaRefused, MediaMisuse):  # a misuse: the offerer has gone, and its stream with it
                offerer.refuse_offer(488)
                await self._take_back(leg, peer)
            else:
                before = offerer.remote_sdp
                offerer.accept_offer(answer)
                await self._entertain(leg, before, pending.said)

    async def _take_back(self, leg: Leg, peer: Leg) -> None:
        """A leg said yes to what doesn't hold for its peer: it is offered what the peer said before."""
        with suppress(MediaRefused, MediaMisuse):
            told = await self._tell(peer, leg, peer.remote_sdp)
            if self._concerns(leg, told):
                await self._begin(_Offer(None, leg, told, *self._from_now))
            else:
                await self._answer(leg, peer, leg.remote_sdp)

    async def _offer_refused(self, leg: Leg, retry_seconds: float | None) -> None:
        pending = self._pending
        if pending is None or pending.peer is not leg or pending.retry_at is not None:
            return
        if retry_seconds is not None and self._now + retry_seconds <= pending.until and not pending.withdrawn:
            pending.retry_at = self._now + retry_seconds
            return
        await self._give_up(488)

    def _withdrawn(self, leg: Leg) -> None:
        pending = self._pending
        if pending is None or pending.offerer is not leg:
            return
        pending.offerer = None
        pending.withdrawn = True
        if pending.retry_at is not None:
            self._pending = None

    # Making an offer

    @property
    def _from_now(self) -> tuple[float, float]:
        """Until when an offer is tried, and when first: at once."""
        return self._now + PATIENCE_SECONDS, self._now

    async def _begin(self, offer: _Offer) -> None:
        self._pending = offer
        await self._try()

    async def _try(self) -> None:
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
            await self._give_up(491)

    async def _give_up(self, status: int) -> None:
        pending, self._pending = self._pending, None
        if pending is None:
            return
        if pending.offerer is not None:
            pending.offerer.refuse_offer(status)
        elif pending.vital and pending.peer.confirmed and not self._call.is_emergency:
            self._call.cause = MEDIA_REFUSED
            raise LegEnded(pending.peer, NOT_ACCEPTABLE)
        elif pending.further and self._away is None:
            # Its peer has changed by an answer, which nobody can refuse: that one is to change back.
            await self._take_back(self.peer_of(pending.peer), pending.peer)

    def _concerns(self, peer: Leg, told: bytes) -> bool:
        """Whether a description says anything to this leg that it doesn't know yet."""
        immaterial = _IMMATERIAL if self._engine.carries else _VERSION
        return immaterial.sub(b"", told) != immaterial.sub(b"", peer.local_sdp)

    def suits(self, peer: Leg, told: bytes) -> bool:
        """Whether this leg sends where it is told already, and only what may be sent there."""
        if not self._engine.carries:
            return not self._concerns(peer, told)
        same_place = _PLACES.findall(told) == _PLACES.findall(peer.local_sdp)
        # RFC 3264 section 7: it sends what both have, and nothing else that it has itself.
        sends = _formats(peer.remote_sdp) & _formats(peer.local_sdp)
        return same_place and sends <= _formats(told)

    async def _tell(self, leg: Leg, peer: Leg, body: bytes) -> bytes:
        return await self._engine.offer(
            self._call.id, leg.name, peer.name, body, nat=leg.behind_nat, advertise=peer.media_address
        )

    async def _answer(self, leg: Leg, peer: Leg, body: bytes) -> bytes:
        answer = await self._engine.answer(
            self._call.id, leg.name, peer.name, body, nat=leg.behind_nat, advertise=peer.media_address
        )
        self._call.keep()
        return answer

    @property
    def _now(self) -> float:
        return self._call.exchange.driver.now


def _nothing(_: str) -> None:
    """Nobody gathers keys."""


def _formats(body: bytes) -> set[bytes]:
    """The payload types of the sound; none where it has none."""
    found = _FORMATS.search(body)
    return set(found[1].split()) if found is not None else set()


def _codecs(body: bytes) -> set[str]:
    """The codecs of the sound of a body that the engine has taken."""
    return {codec.key for media in parse(body).media if media.kind == "audio" for codec in media.codecs}


async def take_early(call: Call, leg: Leg, offered: Offered) -> None:
    """An offer before the answer, from the device that rings or from the caller it rings for.

    Where the caller made no offer, the device's own (RFC 3262 section 5) is answered by the engine; the
    caller gets one when somebody has answered. A caller that hasn't been told anything yet needn't be told
    of the device's change either.
    """
    if offered.leg is leg and call.offer and not call.caller.agreed:
        try:
            await _answer_unheard(call, leg, offered.body)
        except MediaRefused as refused:
            leg.refuse_offer(refused.status)
        return
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
    caller, said, ahead = call.caller, call.caller.remote_sdp, call.caller.versions_ahead
    await Broker(call, caller, leg).take(offered)
    if caller.versions_ahead != ahead and call.offer and said:
        with suppress(MediaRefused, MediaUnavailable):
            # Nothing was taken of what it offered (a PRACK can't refuse): what it said before is answered.
            await call.engine.offer(
                call.id,
                caller.name,
                leg.name,
                said,
                nat=caller.behind_nat,
                advertise=leg.media_address,
            )


async def _answer_unheard(call: Call, leg: Leg, body: bytes) -> None:
    """A device changes (RFC 3311) what it said reliably, of which its caller has no answer yet.

    It may not take less than the caller has offered: that one can't be asked now.
    """
    engine, caller = call.engine, call.caller
    await engine.offer(
        call.id, leg.name, caller.name, body, nat=leg.behind_nat, advertise=caller.media_address
    )
    if not _codecs(call.offer) <= _codecs(body):
        leg.refuse_offer(488)
        return
    answer = await engine.answer(
        call.id,
        caller.name,
        leg.name,
        call.offer,
        nat=caller.behind_nat,
        advertise=leg.media_address,
    )
    leg.accept_offer(answer)
    # The caller's offer still waits for its answer.
    await engine.offer(
        call.id, caller.name, leg.name, call.offer, nat=caller.behind_nat, advertise=leg.media_address
    )
