"""Two calls of somebody become one conversation of three.

    1002 ──── 1001          1002 ──┐
              1001 ──── 2010       ├── a room of their own, until one is left
                            1001 ──┤
                            2010 ──┘

Each of the three goes on in a call of its own, with its dialog and its sound, as in every room; the second
dialog of whoever merges is hung up. Who leaves lets the others talk on; the last one is hung up.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NoReturn

from dialplan.decision import Decision, ToPerson
from pbx.apps.room import take_part, who
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.calls.happenings import LegEnded, NotPossibleNow
from pbx.calls.srtp import policy_of, secure
from pbx.calls.transfer import TRANSFERRED, keeping_channel
from pbx.calls.transferee import Transferee
from pbx.records import CONFERENCE
from pbx.rooms import Party, Room

if TYPE_CHECKING:
    from pbx.calls.broker import Broker
    from pbx.calls.leg import Leg

CAUSE = "merged"
MOST = 3


async def merge(broker: Broker, leg: Leg, second: Leg) -> NoReturn:
    """Let the parties of two calls of somebody talk with each other and with them.

    It is done in the turn of `leg`'s call, whose dialog they keep, and ends it (LegEnded).
    Raises NotPossibleNow where nothing has changed.
    """
    call, other = leg.call, second.call
    stays, wanted = broker.peer_of(leg), other.other_party(second)
    if wanted is None or not (stays.confirmed and leg.confirmed and second.confirmed):
        raise NotPossibleNow("one of them has just hung up")
    if not call.exchange.engine.carries:
        raise NotPossibleNow("the sound doesn't pass through us")
    # Of whoever is outside their own record alone tells, where an erasure finds it.
    title = ", ".join(one.number for one in (leg, stays, wanted) if one.number in call.plan.people)
    if other.recorded:
        call.exchange.recordings.succeeded(second, leg)
    here = Room(f"conference {call.id}", title, MOST, "nothing")
    call.exchange.rooms[here.name] = here
    urgent = [one.decision for one in (call, other) if one.is_emergency]
    for party in (leg, stays, wanted):
        await _move(party, here, leg, urgent)
    call.cause = other.cause = CAUSE
    other.post(LegEnded(second, TRANSFERRED))
    raise LegEnded(leg, TRANSFERRED)


async def _move(party: Leg, here: Room, merges: Leg, urgent: list[Decision]) -> None:
    """Begin the call in which a party is in the room. urgent: the decision of a call for help among them."""
    former = party.call
    exchange = former.exchange
    number, name = former.identity_of(party)
    decision = urgent[0] if urgent else Decision(ToPerson(number, name), number, "", number, name, ())
    inside = Call(exchange, exchange.plan, decision, party.remote_sdp, former.max_forwards)
    inside.caller = moving = Transferee(inside, "a", party)
    inside.legs.append(moving)
    moving.reached, moving.via = CONFERENCE, merges.number
    inside.from_number, inside.from_name, inside.hidden = number, name, former.hides(party)
    inside.to, inside.line, inside.payer = here.title, former.line, merges.device
    inside.parents = (former.id,)
    if party.device in inside.plan.trunks:
        inside.direction = former.direction
    moving.take_over()
    if not await moving.bring_sound():
        secure(inside, moving.name, policy_of(inside, moving.device, moving.flow))
        moving.proposal = await inside.engine.publish(
            inside.id,
            moving.name,
            inside.offer,
            nat=moving.behind_nat,
            advertise=moving.media_address,
        )
    app = partial(_talk, here=here, merges=party is merges)
    exchange.begin(inside, keeping_channel(moving, app))


async def _talk(call: Call, here: Room, merges: bool) -> None:
    """Be in the room until one hangs up, or is left alone."""
    attendant = Attendant(call)
    attendant.go_on()
    try:
        await take_part(attendant, here, Party(attendant, who(call), merges), waits=False)
    finally:
        if len(here.parties) == 1:
            here.over = True
            here.wake()
