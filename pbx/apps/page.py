"""Paging: one speaks, and the telephones of a zone play it by themselves.

    caller ──> room of the engine, where it alone speaks ──┬──> 2401, which answered by itself
                                                           └──> 2402

Each telephone of the members is asked to answer at once (RFC 5373; and by Call-Info and Alert-Info, which is
what most of them know). One that rings instead for RING_SECONDS is let be, and one that is in a call isn't
disturbed: it answers 486. A tone says to the caller when the first one listens. Multicast isn't sent yet.
"""

from __future__ import annotations

from dialplan.plan import Members, Service
from media.engine import MediaRefused
from media.tones import Segment, Tone
from pbx.apps.announce import announce
from pbx.apps.group import NO_ANSWER, NOBODY, members_of
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.calls.happenings import Answered, Failed, LegEnded, Offered
from pbx.calls.leg import Leg
from pbx.calls.srtp import policy_of, secure
from sip.core.registrar import Binding

RING_SECONDS = 10.0
LONGEST_SECONDS = 600.0
SPEAK = Tone((Segment(200, (660,)), Segment(200, (880,))))
BY_ITSELF = (
    "Answer-Mode: Auto\r\n"
    "Call-Info: <sip:localhost>;answer-after=0\r\n"
    "Alert-Info: <sip:localhost>;info=alert-autoanswer\r\n"
)


async def page(call: Call, service: Service) -> None:
    """Let the caller speak to all telephones of the members until it hangs up."""
    members = service.settings["members"]
    assert isinstance(members, Members)
    exchange = call.exchange
    telephones = [
        ways[0]
        for member in members_of(call.plan, members)
        if member != call.from_number
        for ways in exchange.devices.ways_to(member, exchange.registrations.reachable)
    ]
    if not telephones:
        await announce(call, NOBODY, status=480, cause="no telephone", reason=NO_ANSWER)
        return
    call.one_to_many = True
    attendant = Attendant(call)
    await attendant.answer()
    ringing = {await _ring(call, telephone) for telephone in telephones}
    await call.engine.join(call.id, call.caller.name, call.id, hears=False)
    await _speak(attendant, ringing)


async def _ring(call: Call, telephone: Binding) -> Leg:
    """Ask a telephone to answer by itself, with an offer of ours."""
    flow, name = call.exchange.flow_of(telephone), f"b{len(call.legs)}"
    secure(call, name, policy_of(call, telephone.device, flow))
    address = call.exchange.media_address_toward(flow)
    return call.invite(
        telephone.device,
        telephone.contact,
        flow,
        await call.engine.terminate_offer(call.id, name, advertise=address),
        remote_address=call.exchange.address_of(telephone.device, ""),
        headers=BY_ITSELF,
        behind_nat=telephone.behind_nat,
        routes=telephone.path,
    )


async def _speak(attendant: Attendant, ringing: set[Leg]) -> None:
    """Until the caller hangs up (LegEnded), or nobody listens any more."""
    call, driver = attendant.call, attendant.call.exchange.driver
    listening: set[Leg] = set()
    give_up_at, until = driver.now + RING_SECONDS, driver.now + LONGEST_SECONDS
    while (ringing or listening) and driver.now < until:
        due = (give_up_at if ringing else until) - driver.now
        try:
            happening = await attendant.next_happening(max(due, 0.0))
        except LegEnded as ended:
            if ended.leg is call.caller:
                raise
            ended.leg.hang_up("transferred")  # where it only left us for another call
            ended.leg.release()
            listening.discard(ended.leg)
            continue
        match happening:
            case Answered(leg, body):
                ringing.discard(leg)
                if await _listens(call, leg, body):
                    listening.add(leg)
                    if len(listening) == 1:
                        await call.engine.play(call.id, call.caller.name, SPEAK)
            case Failed(leg, _, _):
                ringing.discard(leg)
            case Offered(leg, _):
                leg.refuse_offer(488)  # it hears as it was answered, or hangs up
            case _ if driver.now >= give_up_at:
                for leg in ringing:
                    leg.hang_up("didn't answer by itself")
                ringing = set()
            case _:
                pass
    attendant.hang_up("nobody listens" if not listening else "too long")


async def _listens(call: Call, leg: Leg, body: bytes) -> bool:
    """Let a telephone that answered hear the caller; False where it can't."""
    try:
        await call.engine.terminate_answer(call.id, leg.name, body, nat=leg.behind_nat)
        await call.engine.join(call.id, leg.name, call.id, speaks=False)
    except MediaRefused as refused:
        leg.hang_up(f"media: {refused.reason}")
        return False
    return True
