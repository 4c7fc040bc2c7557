"""Transfers: a party asks that the other one be connected with somebody else.

    blind (RFC 3515)        REFER to a number: that number is called for the party that stays, with the rights
                            of the one who transfers, as a call of its own; whoever answers gets the party.
    attended (RFC 3891)     REFER with Replaces, which names another call of the one who transfers: the other
                            party of that call gets the party. While it only rings there, it is a blind one.
    taken (RFC 3891)        INVITE with Replaces: the new caller takes the place of one party of a call.

Replaces is resolved to a leg of ours and never sent out. A blind transfer that fails comes back: to the one
who transferred while it is still there, else its telephones ring again.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import NoReturn

from dialplan.decision import Decision
from media import tones
from media.engine import MediaRefused
from pbx.calls.app import App
from pbx.calls.bridge import talk
from pbx.calls.broker import Broker
from pbx.calls.call import Call
from pbx.calls.dialled import dialled_number
from pbx.calls.happenings import (
    LegEnded,
    Offered,
    Referred,
    TimeUp,
    TransferAnswered,
    TransferFailed,
    TransferRings,
)
from pbx.calls.leg import Leg
from pbx.calls.transferee import Transferee
from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.reason import Reason
from sip.core.replaces import Replaces
from sip.core.session import NORMAL_CLEARING

log = logging.getLogger(__name__)

PARTING_SECONDS = 2.0
TRANSFERRED = Reason("SIP", 200, "Transferred")
REPLACED = Reason("SIP", 200, "Call completed elsewhere")


async def transfer(call: Call, broker: Broker, asked: Referred) -> None:
    """Do what a party's REFER asks for; returns when it came to nothing. Raises LegEnded when it is done."""
    progress = asked.progress
    try:
        replaces = asked.refer.refer_to.replaces
        if replaces is not None:
            second = _own_leg(call, asked.leg, replaces)
            if second.call.other_party(second) is not None:
                await _join(call, broker, asked, second)
            else:
                await _call_for(call, broker, asked, second.call.decision.dialled)
                second.hang_up("transferred", TRANSFERRED)
            return
        await _call_for(call, broker, asked, dialled_number(asked.refer.refer_to.uri))
    except (RemoteProtocolError, ParseError) as error:
        progress.notify(error.status, call.exchange.driver.now)
        call.exchange.driver.wake()


def _own_leg(call: Call, referrer: Leg, replaces: Replaces) -> Leg:
    """The leg that Replaces names, which must be one of the same person's (RFC 3891 section 4)."""
    found = call.exchange.leg_of(replaces)
    devices = call.exchange.devices
    one, other = devices.find(referrer.device), devices.find(found.device)
    if one is None or other is None or one.extension != other.extension:
        raise RemoteProtocolError(403, "Forbidden")
    return found


# Blind


async def _call_for(call: Call, broker: Broker, asked: Referred, dialled: str) -> None:
    referrer, stays = asked.leg, broker.peer_of(asked.leg)
    router = call.exchange.router
    onward = router.onward(call, stays, router.decide_for(referrer, dialled), payer=referrer.device)
    if not await _until_taken(call, broker, asked, onward):
        return
    # Whoever transferred has hung up meanwhile: its telephones ring again.
    device = call.exchange.devices.find(referrer.device)
    if device is not None and stays.confirmed:
        decision = router.decide_for(referrer, device.extension)
        await _until_taken(call, broker, asked, router.onward(call, stays, decision, payer=referrer.device))
    call.cause = "transfer failed"
    raise LegEnded(referrer, NORMAL_CLEARING)


async def _until_taken(call: Call, broker: Broker, asked: Referred, onward: Call) -> bool:
    """Wait for the onward call's answer: returns whether the one who transferred has gone, when nobody takes
    the party. Raises LegEnded once it was taken, or has hung up."""
    referrer, stays = asked.leg, broker.peer_of(asked.leg)
    progress, driver = asked.progress, call.exchange.driver
    while True:
        try:
            happening = await call.next_happening()
        except LegEnded as ended:
            if ended.leg is not referrer:
                onward.post(LegEnded(onward.caller, ended.reason))
                raise
            referrer.release()
            continue
        match happening:
            case TransferRings():
                progress.notify(180, driver.now)
                await call.engine.play(call.id, stays.name, tones.RINGBACK, repeat=True)
            case TransferAnswered():
                progress.notify(200, driver.now)
                await _part(call, referrer)
            case TransferFailed(_, status, cause):
                progress.notify(status, driver.now)
                driver.wake()
                await call.engine.stop(call.id, stays.name)
                log.info("call=%s transfer failed: %s", call.id, cause)
                return referrer.ended_at is not None
            case _:
                await broker.take(happening)


# Attended


async def _join(call: Call, broker: Broker, asked: Referred, second: Leg) -> NoReturn:
    """Connect the party that stays with the other party of the second call; both first calls end."""
    referrer, stays = asked.leg, broker.peer_of(asked.leg)
    other_call = second.call
    wanted = other_call.other_party(second)
    assert wanted is not None
    onward = _between(call, stays, wanted, other_call.decision)
    onward.from_number, onward.from_name = call.identity_of(stays)
    asked.progress.notify(200, call.exchange.driver.now)
    other_call.cause = "transferred"
    _start(onward, stays, wanted)
    other_call.post(LegEnded(second, TRANSFERRED))
    await _part(call, referrer)


def _between(call: Call, one: Leg, other: Leg, decision: Decision) -> Call:
    onward = Call(call.exchange, call.exchange.plan, decision, one.remote_sdp)
    onward.caller = Transferee(onward, "a", one)
    onward.legs.append(onward.caller)
    onward.legs.append(Transferee(onward, "b1", other))
    onward.to = other.device
    return onward


def _start(onward: Call, one: Leg, other: Leg) -> None:
    caller, called = onward.legs
    assert isinstance(caller, Transferee)
    assert isinstance(called, Transferee)
    caller.take_over()
    called.take_over()
    app = holding_channel(other, partial(_talk, called=called))
    onward.exchange.begin(onward, holding_channel(one, app))


async def _talk(call: Call, called: Leg) -> None:
    """Offer each what the other has said: first the called, then, with its answer, the caller."""
    caller = call.caller
    broker = Broker(call, caller, called)
    told = await call.engine.offer(
        call.id,
        caller.name,
        called.name,
        caller.remote_sdp,
        nat=caller.behind_nat,
        advertise=called.media_address,
    )
    broker.propose(called, told)
    for leg, other in ((caller, called), (called, caller)):
        number, name = call.exchange.identity_of_device(other.device)
        leg.show(name, number)
    await talk(call, broker)


# Taken by an INVITE


async def take(call: Call, replaced: Leg) -> None:
    """The caller takes the place of a party that is in another call (RFC 3891 section 3)."""
    former, caller = replaced.call, call.caller
    stays = former.other_party(replaced)
    if stays is None or not call.offer:
        caller.refuse(481, "nothing to replace")
        return
    called = Transferee(call, "b1", stays)
    call.legs.append(called)
    call.to = former.to
    try:
        told = await call.engine.offer(
            call.id,
            caller.name,
            called.name,
            call.offer,
            nat=caller.behind_nat,
            advertise=called.media_address,
        )
        answer = await call.engine.answer(
            call.id,
            called.name,
            caller.name,
            stays.remote_sdp,
            nat=stays.behind_nat,
            advertise=caller.media_address,
        )
    except MediaRefused as refused:
        caller.refuse(refused.status, f"media: {refused.reason}")
        return
    if not stays.confirmed:
        caller.refuse(481, "nothing to replace")
        return
    called.take_over()
    former.cause = "replaced"
    former.post(LegEnded(replaced, REPLACED))
    caller.answer(answer)
    broker = Broker(call, caller, called)
    broker.propose(called, told)
    number, name = call.exchange.identity_of_device(caller.device)
    called.show(name, number)
    await holding_channel(stays, lambda taken: talk(taken, broker))(call)


# Shared


async def _part(call: Call, referrer: Leg) -> NoReturn:
    """End the call of the one who transferred, which may hear of it first and hang up itself."""
    call.cause = "transferred"
    driver = call.exchange.driver
    driver.wake()
    until = driver.now + PARTING_SECONDS
    while referrer.confirmed:
        match await call.next_happening(until - driver.now):
            case TimeUp():
                referrer.hang_up("transferred", TRANSFERRED)
            case Offered():
                referrer.refuse_offer(488)
            case _:
                pass
    raise LegEnded(referrer, TRANSFERRED)


def holding_channel(leg: Leg, app: App) -> App:
    """The app, with the channel of the trunk that the leg came over, if any, taken as long as it runs."""
    if leg.device not in leg.call.plan.trunks:
        return app

    async def holding(call: Call) -> None:
        trunks = call.exchange.trunks
        trunks.occupy(leg.device)
        try:
            await app(call)
        finally:
            trunks.free(leg.device)

    return holding
