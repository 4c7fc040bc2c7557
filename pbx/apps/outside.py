"""Call an outside number over the plan's trunks, in their order."""

from __future__ import annotations

from dialplan.decision import ToTrunks
from pbx.apps.announce import announce
from pbx.calls.bridge import connect
from pbx.calls.call import Call
from pbx.calls.happenings import Answered, Failed, LegEnded, Progressed, TimeUp
from pbx.calls.leg import Leg
from sip.core.reason import Reason

RING_SECONDS = 120.0
TRYING_SECONDS = 3.0  # an emergency call goes to the next trunk after this with nothing but a 100
ORDINARY_TRYING_SECONDS = 8.0
NO_CIRCUIT = Reason("Q.850", 34, "No circuit available")

# What says that this trunk can't carry the call, but another may (RFC 3261 section 16.7 step 6 for 503).
_TRY_NEXT = frozenset({401, 403, 407, 408, 480, 488, 500, 502, 503, 504, 505})
# An emergency call goes on after anything but an answer (design, promise 3).
_NO_TRUNK = {
    "fr": "Aucune ligne extérieure n'est disponible. Veuillez rappeler plus tard.",
    "en": "No outside line is available. Please try again later.",
}


async def outside(call: Call, target: ToTrunks) -> None:
    """Try each trunk until one takes the call; the caller hears what the called network says."""
    call.to = target.number
    call.direction = "outbound"
    lines = call.exchange.trunks
    last = 0
    for name in target.trunks:
        line = await lines.seize(name, emergency=target.emergency)
        if line is None:
            continue
        try:
            last = await _over(call, target, name)
        finally:
            lines.free(name)
        if call.cause:
            return
        if not target.emergency and last not in _TRY_NEXT:
            break
    if last in _TRY_NEXT or last == 0:
        await announce(call, _NO_TRUNK, status=480, cause="no trunk", reason=NO_CIRCUIT)
        return
    call.cause = "busy" if last in {486, 600} else f"refused: {last}"
    call.caller.refuse(486 if last == 600 else last, call.cause)


async def _over(call: Call, target: ToTrunks, name: str) -> int:
    """Try one trunk; returns the status that it failed with. An answered call ends in LegEnded."""
    caller, engine = call.caller, call.exchange.engine
    peer = f"b{len(call.legs)}"
    offer = await engine.offer(call.id, caller.name, peer, call.offer, nat=caller.behind_nat)
    leg = call.exchange.trunks.invite(call, name, target.number, offer, emergency=target.emergency)
    patience = TRYING_SECONDS if target.emergency else ORDINARY_TRYING_SECONDS
    try:
        return await _wait(call, leg, patience)
    except LegEnded:
        leg.hang_up("cancelled")
        raise


async def _wait(call: Call, leg: Leg, patience: float) -> int:
    while True:
        match await call.next_happening(patience):
            case Progressed(_, status, body):
                patience = RING_SECONDS
                await _progress(call, leg, status, body)
            case Answered(_, body):
                await connect(call, leg, body)
            case Failed(_, status, _):
                return status
            case TimeUp():
                leg.cancel("no answer" if patience == RING_SECONDS else "no reply")
                return 408
            case _:
                pass


async def _progress(call: Call, leg: Leg, status: int, body: bytes) -> None:
    """Pass on ringing, and the called network's own tones where it sends some: there is one target only."""
    if body:
        caller = call.caller
        answer = await call.exchange.engine.answer(call.id, leg.name, caller.name, body, nat=leg.behind_nat)
        caller.ring(183, answer)
    else:
        call.caller.ring(180 if status == 180 else 183)
