"""A call that is placed for somebody: their own telephones ring first, then the number is called.

    page, command ── originate(1001, 0612345678) ──> 1001's telephones ring, showing whom they will call
                                                     1001 answers: hears ringback, the number is called
                                                     with 1001's rights, number and budgets

Whatever is called afterwards is a call of its own, as after a blind transfer (`pbx.calls.transferee`); the
call that brought 1001 to its telephone ends as soon as somebody answers there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from dialplan.decision import Decision, Facts, ToPerson
from pbx.apps.page import BY_ITSELF
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.calls.happenings import Answered, Failed, Offered, TimeUp
from pbx.calls.leg import Leg
from pbx.calls.srtp import policy_of, secure
from sip.core.reason import Reason
from sip.core.registrar import Binding

if TYPE_CHECKING:
    from pbx.exchange import Exchange

RING_SECONDS = 30.0
_NOT_REACHED = {"fr": "Votre appel n'a pas abouti.", "en": "Your call didn't get through."}
_NO_ANSWER = Reason("Q.850", 19, "No answer from the user")

Onward = Callable[[Attendant], Awaitable[str]]
"""Where who answered goes; returns why it came to nothing."""


class Placed(Leg):
    """A telephone that we call as if it had called us."""

    __slots__ = ()
    hears_early = False

    def refuse(self, status: int, cause: str, *, reason: Reason | None = None, phrase: str = "") -> None:
        """It called nobody: it is hung up."""
        self.hang_up(cause, reason)


def placed_for(exchange: Exchange, extension: str, telephones: list[Binding], number: str) -> Call:
    """A call over which `originate` is to run: these telephones of a person are to ring."""
    person = exchange.plan.people[extension]
    decision = Decision(ToPerson(extension, person.name), number, "", extension, person.name, ())
    call = Call(exchange, exchange.plan, decision, b"")
    call.to = number
    for telephone in telephones:
        flow = exchange.flow_of(telephone)
        name = f"a{len(call.legs)}" if call.legs else "a"
        leg = Placed(call, name, telephone.device, flow, behind_nat=telephone.behind_nat)
        leg.reached = "originated"
        call.legs.append(leg)
    call.caller = call.legs[0]
    call.facts = Facts(number, caller=extension, address=call.caller.flow.remote[0])
    return call


async def originate(call: Call, telephones: list[Binding], onward: Onward, *, by_itself: bool) -> None:
    """Ring, and let the first telephone that answers go on. by_itself: they are asked to answer alone."""
    for leg, telephone in zip(call.legs, telephones, strict=True):
        await _ring(call, leg, telephone, BY_ITSELF if by_itself else "")
    answered = await _first_answer(call)
    if answered is None:
        return
    call.caller = answered.leg
    call.legs.remove(answered.leg)
    call.legs.insert(0, answered.leg)
    await call.engine.terminate_answer(call.id, answered.leg.name, answered.body, nat=answered.leg.behind_nat)
    attendant = Attendant(call)
    attendant.go_on()
    why = await onward(attendant)
    await attendant.say(_NOT_REACHED)
    attendant.hang_up(why)


async def _ring(call: Call, leg: Leg, telephone: Binding, headers: str) -> None:
    """Show the telephone whom it is about to call."""
    exchange, number = call.exchange, call.decision.dialled
    shown = call.plan.people.get(number)
    secure(call, leg.name, policy_of(call, leg.device, leg.flow))
    body = await call.engine.terminate_offer(call.id, leg.name, advertise=leg.media_address)
    leg.session = exchange.core.invite(
        telephone.contact,
        leg.flow,
        leg,
        exchange.driver.now,
        local_address=exchange.address_of(number, shown.name if shown is not None else ""),
        remote_address=exchange.address_of(call.from_number, ""),
        headers=headers,
        body=body,
        max_forwards=call.max_forwards,
        routes=tuple(telephone.path),
    )
    exchange.driver.wake()


async def _first_answer(call: Call) -> Answered | None:
    """Who answers first; None, with the call's cause, where nobody does. The others stop ringing."""
    ringing, driver = list(call.legs), call.exchange.driver
    deadline = driver.now + RING_SECONDS
    call.cause = "no answer"
    while ringing:
        match await call.next_happening(deadline - driver.now):
            case Answered(leg) as answered:
                ringing.remove(leg)
                call.drop(ringing)
                call.cause = ""
                return answered
            case Failed(leg, status, _):
                ringing.remove(leg)
                call.cause = "declined" if status in {486, 600, 603} else "unreachable"
            case Offered(leg, _):
                leg.refuse_offer(488)
            case TimeUp():
                for leg in ringing:
                    leg.hang_up("no answer", _NO_ANSWER)
                return None
            case _:
                pass
    return None
