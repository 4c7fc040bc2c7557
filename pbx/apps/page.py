"""Paging: one speaks, and the telephones of a zone play it by themselves.

    caller ──> room of the engine, where it alone speaks ──┬──> 2401, which answered by itself
                                                           ├──> 2402, in a call that waits meanwhile
                                                           └──> 239.54.4.1, to which telephones listen

Each telephone of the members is asked to answer at once (RFC 5373; and by Call-Info and Alert-Info, which is
what most of them know). One that rings instead for RING_SECONDS is let be. One that is in a call isn't
disturbed: it answers 486; where the page has priority over calls, it hears the page in place of its party,
unless it calls for help. A multicast address gets one stream, whoever listens; `unicast: false` rings nobody
beside it. All hear a tone first, and the caller hears it when the first one listens.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress

from dialplan.plan import Allowed, Members, Service
from media.engine import MediaMisuse, MediaRefused, MediaUnavailable, Multicast
from media.tones import Segment, Tone
from pbx.apps.announce import announce
from pbx.apps.group import NO_ANSWER, NOBODY, members_of
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.calls.happenings import Answered, Failed, LegEnded, Offered
from pbx.calls.leg import Leg
from pbx.calls.srtp import policy_of, secure
from sip.core.reason import Reason
from sip.core.registrar import Binding
from sip.core.session import Session

log = logging.getLogger(__name__)

RING_SECONDS = 10.0
LONGEST_SECONDS = 600
DEFAULT_TTL = 16  # within an organisation; 1 would end at our own network's router
SPEAK = Tone((Segment(200, (660,)), Segment(200, (880,))))
BY_ITSELF = (
    "Answer-Mode: Auto\r\n"
    "Call-Info: <sip:localhost>;answer-after=0\r\n"
    "Alert-Info: <sip:localhost>;info=alert-autoanswer\r\n"
)
_NOT_ALLOWED = {
    "fr": "Vous n'avez pas le droit de faire cette annonce.",
    "en": "You are not allowed to make this announcement.",
}
NO_RIGHT = Reason("Q.850", 57, "Bearer capability not authorized")


async def page(call: Call, service: Service) -> None:
    """Let the caller speak to all telephones of the members until it hangs up."""
    if not _may_page(call, service):
        await announce(call, _NOT_ALLOWED, status=403, cause="rejected: class", reason=NO_RIGHT)
        return
    members, groups = service.settings["members"], service.settings.get("multicast", ())
    assert isinstance(members, Members)
    assert isinstance(groups, tuple)
    named = [member for member in members_of(call.plan, members) if member != call.from_number]
    interrupted = list(_in_calls(call, named)) if service.settings.get("priority") else []
    busy = {leg.device for leg in interrupted}
    telephones = [
        telephone for telephone in _telephones(call, service, named) if telephone.device not in busy
    ]
    if not (telephones or interrupted or groups):
        await announce(call, NOBODY, status=480, cause="no telephone", reason=NO_ANSWER)
        return
    call.one_to_many = True
    attendant = Attendant(call)
    await attendant.answer()
    heard_by = await _multicast(call, service, [group for group in groups if isinstance(group, str)])
    ringing = {await _ring(call, telephone) for telephone in telephones}
    await call.engine.join(call.id, call.caller.name, call.id, hears=False)
    heard = [session for leg in interrupted for session in await _interrupt(call, leg)]
    try:
        if heard_by or heard:
            await call.engine.play(call.id, call.caller.name, SPEAK)
        await _speak(attendant, service, ringing, others=bool(heard_by or heard))
    finally:
        for session in heard:
            await _give_back(call, session)


def _may_page(call: Call, service: Service) -> bool:
    allowed = service.settings.get("allowed")
    if not isinstance(allowed, Allowed):
        return True
    person = call.plan.people.get(call.from_number) if call.direction == "internal" else None
    if person is None:
        return False
    return person.class_name in allowed.classes or not set(person.groups).isdisjoint(allowed.groups)


def _telephones(call: Call, service: Service, named: list[str]) -> list[Binding]:
    """The telephones to ring."""
    if service.settings.get("unicast") is False:
        return []
    exchange = call.exchange
    return [
        ways[0]
        for member in named
        for ways in exchange.devices.ways_to(member, exchange.registrations.reachable)
    ]


# Multicast


async def _multicast(call: Call, service: Service, groups: list[str]) -> list[str]:
    """Let the multicast addresses hear the room; returns the names of their legs."""
    setting = service.settings.get
    codec, ttl, interface = setting("codec", "PCMA"), setting("ttl", DEFAULT_TTL), setting("interface", "")
    assert isinstance(codec, str)
    assert isinstance(ttl, int)
    assert isinstance(interface, str)
    legs = []
    for number, group in enumerate(groups, 1):
        host, _, port = group.rpartition(":")
        leg = f"m{number}"
        to = Multicast(host.strip("[]"), int(port), codec, ttl, interface)
        try:
            await call.engine.multicast(call.id, leg, to)
            await call.engine.join(call.id, leg, call.id, speaks=False)
            await call.engine.play(call.id, leg, SPEAK)
        except MediaRefused as refused:  # the other zones hear it all the same
            log.warning("call=%s page isn't sent to %s: %s", call.id, group, refused.reason)
            continue
        legs.append(leg)
    return legs


# Telephones that are in a call


def _in_calls(call: Call, named: list[str]) -> Iterator[Leg]:
    """The members' telephones that speak with somebody, through us, and not for help."""
    devices, engine = call.exchange.devices, call.exchange.engine
    for leg in call.exchange.legs():
        known = devices.find(leg.device)
        if known is None or known.extension not in named or not leg.confirmed or leg.call is call:
            continue
        if leg.call.engine is engine and not leg.call.is_emergency and leg.call.other_party(leg) is not None:
            yield leg


async def _interrupt(call: Call, leg: Leg) -> list[Session]:
    """Let a party hear the page in place of whom it speaks with; nothing where it is in a room already."""
    session, engine = leg.session, call.engine
    with suppress(MediaMisuse, MediaRefused, MediaUnavailable):
        await engine.join(leg.call.id, leg.name, call.id, speaks=False)
        await engine.play(leg.call.id, leg.name, SPEAK)
        return [session] if session is not None else []
    return []


async def _give_back(call: Call, session: Session) -> None:
    """Let a party hear whom it speaks with again, wherever it has been transferred meanwhile."""
    for leg in call.exchange.legs():
        if leg.session is session:
            await call.engine.leave(leg.call.id, leg.name)


# Telephones that are rung


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


async def _speak(attendant: Attendant, service: Service, ringing: set[Leg], *, others: bool) -> None:
    """Until the caller hangs up (LegEnded), or nobody listens any more. others: some listen unasked."""
    call, driver = attendant.call, attendant.call.exchange.driver
    longest = service.settings.get("seconds", LONGEST_SECONDS)
    assert isinstance(longest, int)
    listening: set[Leg] = set()
    give_up_at, until = driver.now + RING_SECONDS, driver.now + longest
    while (ringing or listening or others) and driver.now < until:
        due = (min(give_up_at, until) if ringing else until) - driver.now
        try:
            happening = await attendant.next_happening(max(due, 0.0))
        except LegEnded as ended:
            if ended.leg is call.caller:
                raise
            ended.leg.hang_up("transferred")  # where it only left us for another call
            ended.leg.release()
            listening.discard(ended.leg)
            await call.engine.leave(call.id, ended.leg.name)
            continue
        match happening:
            case Answered(leg, body):
                ringing.discard(leg)
                if await _listens(call, leg, body):
                    listening.add(leg)
                    call.keep()
                    if len(listening) == 1 and not others:
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
    attendant.hang_up("too long" if listening or others else "nobody listens")


async def _listens(call: Call, leg: Leg, body: bytes) -> bool:
    """Let a telephone that answered hear the caller; False where it can't."""
    try:
        await call.engine.terminate_answer(call.id, leg.name, body, nat=leg.behind_nat)
        await call.engine.join(call.id, leg.name, call.id, speaks=False)
        await call.engine.play(call.id, leg.name, SPEAK)
    except MediaRefused as refused:
        leg.hang_up(f"media: {refused.reason}")
        return False
    return True
