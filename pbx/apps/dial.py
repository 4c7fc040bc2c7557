"""Ring all the devices of a person at once; the first to answer has the call."""

from __future__ import annotations

from pbx.calls.bridge import connect
from pbx.calls.call import Call
from pbx.calls.happenings import Answered, Failed, LegEnded, Progressed, TimeUp
from pbx.calls.leg import Leg
from sip.core.reason import Reason

RING_SECONDS = 60.0
NO_ANSWER = Reason("Q.850", 19, "No answer from the user")
UNREACHABLE = Reason("Q.850", 20, "Subscriber absent")
BUSY = Reason("Q.850", 17, "User busy")


async def dial(call: Call, extension: str) -> None:
    """Ring the extension's devices until one answers, all refuse, or RING_SECONDS are over.

    The caller hears its own phone's ringback (180 without a body), so that no device's early media decides.
    """
    call.to = extension
    caller, engine = call.caller, call.engine
    # No phone rings itself.
    bindings = [
        binding
        for binding in call.exchange.devices.bindings_of(extension)
        if binding.device != caller.device or binding.flow.remote != caller.flow.remote
    ]
    if not bindings:
        call.cause = "unreachable"
        caller.refuse(480, call.cause, reason=UNREACHABLE)
        return
    offered = f"b{len(call.legs)}"
    offer = b""
    if call.offer:
        offer = await engine.offer(call.id, caller.name, offered, call.offer, nat=caller.behind_nat)
    remote_address = call.exchange.address_of(extension, "")
    ringing = [
        call.invite(
            binding.device,
            binding.contact,
            call.exchange.flow_of(binding),
            offer,
            remote_address=remote_address,
            behind_nat=binding.behind_nat,
        )
        for binding in bindings
    ]
    first = ringing[0]
    winner, body = await _first_answer(call, ringing)
    if winner is None:
        return
    if winner is not first:
        # One offer went to all: the engine knows whoever answers by the name that it was made for.
        first.name, winner.name = winner.name, first.name
    call.drop(ringing)
    await connect(call, winner, body)


async def _first_answer(call: Call, ringing: list[Leg]) -> tuple[Leg | None, bytes]:
    """The leg that answered, taken out of `ringing`, with its answer; None when the caller was refused."""
    told = False
    best = 0
    deadline = call.exchange.driver.now + RING_SECONDS
    try:
        while ringing:
            match await call.next_happening(deadline - call.exchange.driver.now):
                case Progressed() if not told:
                    told = True
                    call.caller.ring()
                case Answered(leg, body):
                    ringing.remove(leg)
                    return leg, body
                case Failed(leg, status, _):
                    ringing.remove(leg)
                    best = _better(best, status)
                case TimeUp():
                    for leg in ringing:
                        leg.hang_up("no answer")
                    call.cause = "no answer"
                    call.caller.refuse(480, call.cause, reason=NO_ANSWER)
                    return None, b""
                case _:
                    pass
    except LegEnded:
        for leg in ringing:
            leg.hang_up("cancelled")
        raise
    if best in {486, 600}:
        call.cause = "busy"
        call.caller.refuse(486, call.cause, reason=BUSY)
    elif best == 603:
        call.cause = "declined"
        call.caller.refuse(603, call.cause)
    elif best in {488, 606}:
        call.cause = "no common codec"
        call.caller.refuse(488, call.cause)
    else:
        call.cause = "unreachable"
        call.caller.refuse(480, call.cause, reason=UNREACHABLE)
    return None, b""


def _better(best: int, status: int) -> int:
    """Which refusal tells the caller most: a person who is busy or declines, then anything else."""
    order = (486, 600, 603, 488, 606)
    ranked = [candidate for candidate in order if candidate in {best, status}]
    return ranked[0] if ranked else status
