"""Two legs that hear each other, until one of them is gone."""

from __future__ import annotations

from media.engine import MediaMisuse, MediaRefused
from pbx.calls.call import Call
from pbx.calls.happenings import OfferAnswered, Offered, OfferRefused
from pbx.calls.leg import Leg
from sip.core.errors import LocalProtocolError


async def connect(call: Call, answered: Leg, body: bytes) -> None:
    """Join the caller and the leg that answered with `body`, and stay until one hangs up (LegEnded).

    Only now is the caller answered: no other device's answer was committed before.
    """
    caller = call.caller
    engine = call.exchange.engine
    caller.answer(await engine.answer(call.id, answered.name, caller.name, body, nat=answered.behind_nat))
    await talk(call, caller, answered)


async def talk(call: Call, one: Leg, other: Leg) -> None:
    """Relay what either side changes (hold, codec, address) until one hangs up (LegEnded)."""
    while True:
        match await call.next_happening():
            case Offered(leg, body):
                await _relay_offer(call, leg, other if leg is one else one, body)
            case OfferAnswered(leg, body):
                await _relay_answer(call, leg, other if leg is one else one, body)
            case OfferRefused(leg, status):
                (other if leg is one else one).refuse_offer(status)
            case _:
                pass  # digits pass in the sound itself; late provisional responses mean nothing now


async def _relay_offer(call: Call, offerer: Leg, peer: Leg, body: bytes) -> None:
    if not body:
        offerer.refuse_offer(488)  # an offer of our own in mid-call comes with the offer broker
        return
    try:
        offer = await call.exchange.engine.offer(
            call.id, offerer.name, peer.name, body, nat=offerer.behind_nat
        )
        peer.offer(offer)
    except MediaRefused as refused:
        offerer.refuse_offer(refused.status)
    except LocalProtocolError:
        offerer.refuse_offer(491)  # the peer's own offer is under way


async def _relay_answer(call: Call, answerer: Leg, peer: Leg, body: bytes) -> None:
    try:
        answer = await call.exchange.engine.answer(
            call.id, answerer.name, peer.name, body, nat=answerer.behind_nat
        )
        peer.accept_offer(answer)
    except (MediaRefused, MediaMisuse):
        peer.refuse_offer(488)
