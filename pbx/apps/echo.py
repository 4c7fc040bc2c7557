"""Hear oneself: the first thing that IT dials (9196 in the sample plan)."""

from __future__ import annotations

from dialplan.plan import Service
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call


async def echo(call: Call, service: Service) -> None:
    """Answer and send the caller's sound back until it hangs up (LegEnded)."""
    attendant = Attendant(call)
    await attendant.answer()
    await call.engine.echo(call.id, call.caller.name)
    call.keep()
    while True:
        await attendant.next_happening()
