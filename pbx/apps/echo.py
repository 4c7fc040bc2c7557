"""Hear oneself: the first thing that IT dials (9196 in the sample plan)."""

from __future__ import annotations

from contextlib import suppress
from typing import NoReturn

from media.engine import MediaRefused
from pbx.calls.bridge import caller_answer
from pbx.calls.broker import BUSY_SECONDS, MEDIA_REFUSED, NOT_ACCEPTABLE, PATIENCE_SECONDS
from pbx.calls.call import Call
from pbx.calls.happenings import Acknowledged, LegEnded, OfferAnswered, Offered, OfferRefused


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
    call.keep()
    await go_on(call)


async def go_on(call: Call) -> NoReturn:
    """Take what the caller changes, until it hangs up (LegEnded)."""
    caller, driver = call.caller, call.exchange.driver
    proposed, caller.proposal = caller.proposal, b""
    retry_at = driver.now if proposed else None  # whoever was transferred here is to be offered its sound
    until = driver.now + PATIENCE_SECONDS
    while True:
        if retry_at is not None and driver.now >= retry_at:
            retry_at = None
            if caller.may_offer:
                caller.offer(proposed)
            else:
                retry_at = driver.now + BUSY_SECONDS
        match await call.next_happening(None if retry_at is None else max(retry_at - driver.now, 0.0)):
            case Offered(_, body):
                await _change(call, body)
            case Acknowledged(_, body) if body:
                await _described(call, body)
            case OfferAnswered(_, body):
                await _described(call, body)
            case OfferRefused(_, _, retry_seconds):
                if retry_seconds is None or driver.now + retry_seconds > until:
                    call.cause = MEDIA_REFUSED  # it goes on sending to where it was
                    raise LegEnded(caller, NOT_ACCEPTABLE)
                retry_at = driver.now + retry_seconds
            case _:
                pass


async def _change(call: Call, body: bytes) -> None:
    """The caller holds, resumes, moves or asks for our offer: answer it, and go on."""
    caller, engine = call.caller, call.engine
    try:
        if body:
            answer = await engine.publish(
                call.id, caller.name, body, nat=caller.behind_nat, advertise=caller.media_address
            )
        else:
            answer = await engine.terminate_offer(call.id, caller.name, advertise=caller.media_address)
        caller.accept_offer(answer)
        await engine.echo(call.id, caller.name)
        call.keep()
    except MediaRefused as refused:
        caller.refuse_offer(refused.status)


async def _described(call: Call, body: bytes) -> None:
    """The caller answered an offer of ours."""
    caller, engine = call.caller, call.engine
    with suppress(MediaRefused):  # nothing usable was said: what was agreed before holds
        await engine.terminate_answer(call.id, caller.name, body, nat=caller.behind_nat)
        await engine.echo(call.id, caller.name)
        call.keep()
