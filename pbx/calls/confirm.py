"""Whoever answers must say so: "press 1".

An operator's voicemail answers too, and would swallow a call for the fire station. So one who is rung for a
service that asks for this has answered only when the key is pressed; until then the caller goes on waiting,
and others go on ringing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.speech import Speech
from pbx.calls.happenings import Digit, LegEnded, Offered, Played, TimeUp
from sip.core.session import NORMAL_CLEARING

if TYPE_CHECKING:
    from pbx.calls.call import Call
    from pbx.calls.leg import Leg

KEY = "1"
SECONDS = 20.0
_ASK = {
    "fr": "Un appel pour {service}. Pour le prendre, tapez 1.",
    "en": "A call for {service}. To take it, press 1.",
}


async def confirm(call: Call, leg: Leg, body: bytes, service: str) -> None:
    """Ask the party of a leg that answered with `body`; returns when it presses the key.

    Otherwise it is hung up, and LegEnded raised: nobody took the call.
    """
    engine = call.engine
    if call.offer:  # the caller isn't to hear it yet: `connect` joins them
        await engine.terminate_answer(call.id, leg.name, body, nat=leg.behind_nat)
    else:
        answer = await engine.publish(
            call.id, leg.name, body, nat=leg.behind_nat, advertise=leg.media_address
        )
        leg.acknowledge(answer)
    language = call.plan.language if call.plan.language in _ASK else "en"  # not the caller's
    prompt = Speech(_ASK[language].format(service=service), language)
    await engine.play(call.id, leg.name, prompt)
    driver = call.exchange.driver
    deadline = driver.now + SECONDS
    while True:
        match await call.next_happening(deadline - driver.now):
            case Digit(who, key) if who is leg and key == KEY:
                await engine.stop(call.id, leg.name)
                return
            case Played(who) if who is leg:
                await engine.play(call.id, leg.name, prompt)
            case Offered(who, _):
                who.refuse_offer(491)  # in a moment
            case TimeUp():
                leg.hang_up("not confirmed")
                raise LegEnded(leg, NORMAL_CLEARING)
            case _:
                pass
