"""Call an outside number over the plan's trunks, in their order."""

from __future__ import annotations

import logging
from contextlib import suppress

from dialplan.decision import ToTrunks
from dialplan.plan import Trunk
from media.engine import MediaRefused, MediaUnavailable
from media.engines.passthrough import PassthroughEngine
from pbx.apps.announce import announce
from pbx.apps.dial import BUSY, NO_ANSWER
from pbx.calls.bridge import connect
from pbx.calls.call import Call
from pbx.calls.happenings import Answered, Failed, LegEnded, Progressed, TimeUp
from pbx.calls.leg import Leg
from sip.core.flow import Flow
from sip.core.reason import Reason

log = logging.getLogger(__name__)

RING_SECONDS = 120.0
RANG_OUT = "no answer"
TRYING_SECONDS = 3.0  # an emergency call goes to the next trunk after this with nothing but a 100
ORDINARY_TRYING_SECONDS = 8.0
NO_CIRCUIT = Reason("Q.850", 34, "No circuit available")

# What says that this trunk can't carry the call, but another may (RFC 3261 section 16.7 step 6 for 503).
_TRY_NEXT = frozenset({401, 403, 407, 408, 480, 488, 500, 502, 503, 504, 505})
_NO_TRUNK = {
    "fr": "Aucune ligne extérieure n'est disponible. Veuillez rappeler plus tard.",
    "en": "No outside line is available. Please try again later.",
}


async def outside(call: Call, target: ToTrunks) -> None:
    """Try each trunk until one takes the call; the caller hears what the called network says.

    An ordinary call goes on when a trunk can't carry it, an emergency call after anything but an answer
    (design, promise 3).
    """
    call.to = target.number
    if call.direction == "internal":
        call.direction = "outbound"
    lines = call.exchange.trunks
    last = 0
    for name in target.trunks:
        trunk = call.plan.trunks[name]
        flow = await lines.seize(trunk, emergency=target.emergency)
        if flow is None:
            continue
        try:
            last = await _over(call, target, trunk, flow)
        finally:
            lines.free(name)
        if call.cause:
            return
        if not target.emergency and last not in _TRY_NEXT:
            break
    if last in _TRY_NEXT or last == 0:
        await announce(call, _NO_TRUNK, status=480, cause="no trunk", reason=NO_CIRCUIT)
    elif last in {486, 600}:
        call.cause = "busy"
        call.caller.refuse(486, call.cause, reason=BUSY)
    else:
        call.cause = f"refused: {last}"
        # A redirection is for us, and we don't follow it.
        call.caller.refuse(last if last >= 400 else 480, call.cause)


async def _over(call: Call, target: ToTrunks, trunk: Trunk, flow: Flow) -> int:
    """Try one trunk; returns the status that it failed with. An answered call ends in LegEnded."""
    caller = call.caller
    offer = b""
    if call.offer:
        offer = await _offer(call, f"b{len(call.legs)}", flow, emergency=target.emergency)
    leg = call.exchange.trunks.invite(call, trunk, flow, target.number, offer, emergency=target.emergency)
    try:
        answered, last = await _wait(
            call, leg, TRYING_SECONDS if target.emergency else ORDINARY_TRYING_SECONDS
        )
    except LegEnded:
        leg.hang_up("cancelled")
        raise
    if leg.cause == RANG_OUT and not target.emergency:
        call.cause = RANG_OUT  # somebody's telephone rang: another trunk would ring the same
        caller.refuse(480, call.cause, reason=NO_ANSWER)
    if last:
        return last
    try:
        await connect(call, leg, answered)
    except MediaRefused as refused:
        if not target.emergency or call.answered:
            raise
        leg.hang_up(f"media: {refused.reason}")  # what it said is no answer: the next trunk may do better
        return refused.status


async def _offer(call: Call, peer: str, flow: Flow, *, emergency: bool) -> bytes:
    """The caller's offer for a trunk. Without a media process or a port, an emergency call's two ends are
    told each other's addresses: a voice that finds its own way is better than none."""
    caller = call.caller
    try:
        address = call.exchange.media_address_toward(flow)
        return await call.engine.offer(
            call.id, caller.name, peer, call.offer, nat=caller.behind_nat, advertise=address
        )
    except (MediaRefused, MediaUnavailable) as error:
        if not emergency:
            raise
        log.error("call=%s emergency call without media relay: %s", call.id, error)
        call.engine = PassthroughEngine()
        return call.offer


async def _wait(call: Call, leg: Leg, trying_seconds: float) -> tuple[bytes, int]:
    """The answer of a trunk and 0, or nothing and the status that it failed with."""
    driver = call.exchange.driver
    deadline = driver.now + trying_seconds
    rings = False
    early = b""
    while True:
        match await call.next_happening(deadline - driver.now):
            case Progressed(_, status, body):
                if not rings:
                    rings, deadline = True, driver.now + RING_SECONDS
                early = body or early
                await _progress(call, leg, status, body)
            case Answered(_, body):
                return body or early, 0  # some gateways say it once, in the 183
            case Failed(_, status, _):
                return b"", status
            case TimeUp():
                leg.hang_up(RANG_OUT if rings else "no reply")
                return b"", 408
            case _:
                pass


async def _progress(call: Call, leg: Leg, status: int, body: bytes) -> None:
    """Pass on ringing, and the called network's own tones where it sends some: there is one target only."""
    caller, engine = call.caller, call.engine
    if body and call.offer:
        with suppress(MediaRefused):  # early media only adds to the ringing
            answer = await engine.answer(
                call.id, leg.name, caller.name, body, nat=leg.behind_nat, advertise=caller.media_address
            )
            caller.ring(183, answer)
            return
    caller.ring(180 if status == 180 else 183)
