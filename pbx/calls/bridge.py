"""Two legs that hear each other, until one of them is gone."""

from __future__ import annotations

from typing import NoReturn

from media.engine import MediaMisuse, MediaRefused
from pbx.calls.call import Call
from pbx.calls.happenings import Acknowledged, OfferAnswered, Offered, OfferRefused
from pbx.calls.leg import Leg
from sip.core.errors import LocalProtocolError


async def connect(call: Call, answered: Leg, body: bytes) -> NoReturn:
    """Join the caller and the leg that answered with `body`, and stay until one hangs up (LegEnded).

    Only now is the caller answered: no other device's answer was committed before.
    """
    caller = call.caller
    engine = call.engine
    if call.offer:
        answer = await engine.answer(
            call.id,
            answered.name,
            caller.name,
            body,
            nat=answered.behind_nat,
            advertise=caller.media_address,
        )
        caller.answer(answer)
    else:
        await _connect_late(call, answered, body)
    await talk(call, caller, answered)


async def _connect_late(call: Call, answered: Leg, offer: bytes) -> None:
    """The caller's INVITE had no offer: the callee's own goes to it, and its answer comes with the ACK.

    RFC 3261 section 13.2.1; RFC 3725 section 4.1 has the flow.
    """
    caller = call.caller
    engine = call.engine
    ours = await engine.offer(
        call.id, answered.name, caller.name, offer, nat=answered.behind_nat, advertise=caller.media_address
    )
    caller.answer(ours)
    theirs = await caller_answer(call)
    answer = await engine.answer(
        call.id, caller.name, answered.name, theirs, nat=caller.behind_nat, advertise=answered.media_address
    )
    answered.acknowledge(answer)


async def caller_answer(call: Call) -> bytes:
    """The caller's answer to the offer in our 200, which comes with its ACK."""
    while True:
        match await call.next_happening():
            case Acknowledged(_, body):
                return body
            case Offered(leg, _):
                leg.refuse_offer(491)  # RFC 3261 14.2: our own offer is under way
            case _:
                pass


async def talk(call: Call, one: Leg, other: Leg) -> NoReturn:
    """Relay what either side changes (hold, codec, address) until one hangs up (LegEnded)."""
    while True:
        match await call.next_happening():
            case Offered(leg, body):
                await _relay_offer(call, leg, other if leg is one else one, body)
            case OfferAnswered(leg, body):
                await _relay_answer(call, leg, other if leg is one else one, body)
            case OfferRefused(leg, status):
                # What else a peer says (407, 500) is between it and us.
                (other if leg is one else one).refuse_offer(491 if status == 491 else 488)
            case _:
                pass  # digits pass in the sound itself; late provisional responses mean nothing now


async def _relay_offer(call: Call, offerer: Leg, peer: Leg, body: bytes) -> None:
    if not body:
        offerer.refuse_offer(488)  # an offer of our own in mid-call comes with the offer broker
        return
    if not peer.may_offer:
        offerer.refuse_offer(491)
        return
    try:
        offer = await call.engine.offer(
            call.id, offerer.name, peer.name, body, nat=offerer.behind_nat, advertise=peer.media_address
        )
        peer.offer(offer)
    except MediaRefused as refused:
        offerer.refuse_offer(refused.status)
    except LocalProtocolError:
        offerer.refuse_offer(491)  # the peer made an offer of its own while the engine was asked


async def _relay_answer(call: Call, answerer: Leg, peer: Leg, body: bytes) -> None:
    try:
        answer = await call.engine.answer(
            call.id, answerer.name, peer.name, body, nat=answerer.behind_nat, advertise=peer.media_address
        )
        peer.accept_offer(answer)
    except (MediaRefused, MediaMisuse):
        peer.refuse_offer(488)
