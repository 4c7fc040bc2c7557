"""Hear oneself: the first thing that IT dials (9196 in the sample plan)."""

from __future__ import annotations

from media.engine import MediaRefused
from pbx.calls.bridge import caller_answer
from pbx.calls.call import Call
from pbx.calls.happenings import Offered


async def echo(call: Call) -> None:
    """Answer and send the caller's sound back until it hangs up (LegEnded)."""
    caller, engine = call.caller, call.engine
    if call.offer:
        answer = await engine.publish(
            call.id, caller.name, call.offer, nat=caller.behind_nat, advertise=caller.media_address
        )
        caller.answer(answer)
    else:
        caller.answer(await engine.terminate_offer(call.id, caller.name, advertise=caller.media_address))
        answer = await caller_answer(call)
        await engine.terminate_answer(call.id, caller.name, answer, nat=caller.behind_nat)
    await engine.echo(call.id, caller.name)
    while True:
        match await call.next_happening():
            case Offered(_, body):
                await _change(call, body)
            case _:
                pass


async def _change(call: Call, body: bytes) -> None:
    """The caller holds, resumes or moves: answer it, and go on."""
    caller, engine = call.caller, call.engine
    try:
        if not body:
            raise MediaRefused(488, "an offer of our own in mid-call comes with the offer broker")
        answer = await engine.publish(
            call.id, caller.name, body, nat=caller.behind_nat, advertise=caller.media_address
        )
        caller.accept_offer(answer)
        await engine.echo(call.id, caller.name)
    except MediaRefused as refused:
        caller.refuse_offer(refused.status)
