"""Hear oneself: the first thing that IT dials (9196 in the sample plan)."""

from __future__ import annotations

from pbx.calls.call import Call


async def echo(call: Call) -> None:
    """Answer and send the caller's sound back until it hangs up (LegEnded)."""
    caller, engine = call.caller, call.exchange.engine
    caller.answer(await engine.publish(call.id, caller.name, call.offer, nat=caller.behind_nat))
    await engine.echo(call.id, caller.name)
    while True:
        await call.next_happening()
