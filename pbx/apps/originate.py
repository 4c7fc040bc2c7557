"""A call that is placed for somebody: their own telephones ring first, then the number is called.

    page, command ── originate(1001, 0612345678) ──> 1001's telephones ring, showing whom they will call
                                                     1001 answers: hears ringback, the number is called
                                                     with 1001's rights, number and budgets

Whatever is called afterwards is a call of its own, as after a blind transfer (`pbx.calls.transferee`); the
call that brought 1001 to its telephone ends as soon as somebody answers there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dialplan.decision import Facts
from pbx.apps.page import BY_ITSELF
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.calls.summons import summon

RING_SECONDS = 30.0
_NOT_REACHED = {"fr": "Votre appel n'a pas abouti.", "en": "Your call didn't get through."}

Onward = Callable[[Attendant], Awaitable[str]]
"""Where who answered goes; returns why it came to nothing."""


async def originate(call: Call, onward: Onward, *, by_itself: bool) -> None:
    """Ring the person's telephones, and let the first that answers go on. by_itself: they are asked to answer
    alone."""
    extension, number = call.from_number, call.decision.dialled
    call.to = number
    call.facts = Facts(number, caller=extension)
    shown = call.plan.people.get(number)
    name = shown.name if shown is not None else ""
    headers = BY_ITSELF if by_itself else ""
    if why := await summon(call, extension, RING_SECONDS, number, name, headers=headers):
        call.cause = why
        return
    attendant = Attendant(call)
    attendant.go_on()
    why = await onward(attendant)
    await attendant.say(_NOT_REACHED)
    attendant.hang_up(why)
