"""Transfers: a party asks that the other one be connected with somebody else.

    blind (RFC 3515)        REFER to a number: that number is called for the party that stays, with the rights
                            of the one who transfers, as a call of its own; whoever answers gets the party.
    attended (RFC 3891)     REFER with Replaces, which names another call of the one who transfers: the other
                            party of that call gets the party. Where it only rings there, or is a service, it
                            is called anew.
    taken (RFC 3891)        INVITE with Replaces: another device of a person takes the place of the one that
                            is in a call.
    picked up (RFC 3891)    the same for a telephone that rings, by somebody of the same group too: `dial`
                            stops ringing and connects whoever takes the call.

Replaces is resolved to a leg of ours and never sent out. A blind transfer that fails comes back: to the one
who transferred while it is still there, else its telephones ring again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from dialplan.decision import Decision, Step, ToPerson
from media import tones
from media.engine import MediaMisuse, MediaRefused, MediaUnavailable
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
    TransferAsked,
    TransferFailed,
    TransferRings,
)
from pbx.calls.intervals import turn
from pbx.calls.leg import REPLACED, Leg
from pbx.calls.reasons import shown
from pbx.calls.srtp import policy_of, secure
from pbx.calls.transferee import Transferee
from pbx.people.devices import is_near
from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.reason import Reason
from sip.core.replaces import Replaces, Stage
from sip.core.session import NORMAL_CLEARING

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

PARTING_SECONDS = 2.0
HANG_UP_SECONDS = 1.0
TRANSFERRED = Reason("SIP", 200, "Transferred")
_BACK = {"fr": "Retour, {why} :", "en": "Back, {why}:"}


async def transfer(call: Call, broker: Broker, asked: Referred | TransferAsked) -> None:
    """Do what a party's REFER asks for, or somebody in its place; returns when it came to nothing. Raises
    LegEnded when it is done."""
    progress, stays = asked.progress, broker.peer_of(asked.leg)
    router, driver = call.exchange.router, call.exchange.driver
    until = driver.now + HANG_UP_SECONDS
    try:
        if not stays.confirmed:
            raise RemoteProtocolError(480, "Temporarily Unavailable")  # it has hung up just now
        number, second = _target(call, asked)
        if second is None:
            decision = router.decide_for(asked.leg, number)
        else:
            if second.confirmed and second.call.other_party(second) is not None:
                await _join(call, broker, asked, second)
            decision = router.decide_for(asked.leg, second.call.decision.dialled)
            second.call.cause = "transferred"
            second.call.post(LegEnded(second, TRANSFERRED))
    except (RemoteProtocolError, ParseError) as error:
        progress.notify(error.status, driver.now)
        driver.wake()
        cause = ""
    else:
        cause = await _call_for(call, broker, asked, decision)
    gone = asked.leg.ended_at is not None
    if not gone and isinstance(asked, Referred) and stays.confirmed:
        gone = await _hangs_up(call, broker, asked.leg, until)
    if gone and stays.confirmed:
        await _give_back(call, broker, asked, cause)


def _target(call: Call, asked: Referred | TransferAsked) -> tuple[str, Leg | None]:
    """The number to call for the party that stays, or the leg in whose place it is to be."""
    if isinstance(asked, TransferAsked):
        return asked.number, asked.second
    replaces = asked.refer.refer_to.replaces
    if replaces is not None:
        return "", _own_leg(call, asked.leg, replaces)
    return dialled_number(asked.refer.refer_to.uri), None


def _own_leg(call: Call, referrer: Leg, replaces: Replaces) -> Leg:
    """The leg that Replaces names, which must be one of the same person's (RFC 3891 section 4).

    It may have begun its call, and that one only ring: it isn't sent anywhere, so that section 3's reason
    against this doesn't hold. Raises RemoteProtocolError.
    """
    found = call.exchange.leg_of(replaces, early=True)
    check_same_person(call.exchange, referrer.device, found)
    if found.call is call or not (found.confirmed or found is found.call.caller):
        raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
    return found


def check_same_person(exchange: Exchange, device: str, found: Leg) -> None:
    """Raises RemoteProtocolError (403) unless a leg is of the person that a device belongs to."""
    devices = exchange.devices
    one, other = devices.find(device), devices.find(found.device)
    if one is None or other is None or one.extension != other.extension:
        raise RemoteProtocolError(403, "Forbidden")


def check_may_take(exchange: Exchange, device: str, found: Leg) -> None:
    """Raises RemoteProtocolError (403) unless a device may have the call of this leg: what rings is for the
    person and the groups that see it on their lamps, a conversation for the person alone."""
    one, other = exchange.devices.find(device), exchange.devices.find(found.device)
    if found.stage is not Stage.EARLY or one is None or other is None:
        check_same_person(exchange, device, found)
    elif not is_near(exchange.plan, one.extension, other.extension):
        raise RemoteProtocolError(403, "Forbidden")


# Blind


async def _call_for(call: Call, broker: Broker, asked: Referred | TransferAsked, decision: Decision) -> str:
    """Call whom the decision leads to for the party that stays; returns why nobody takes it."""
    referrer, stays = asked.leg, broker.peer_of(asked.leg)
    router = call.exchange.router
    await broker.return_to_us()
    turn(call, "transfer", (stays.name,))
    if call.recorded:
        call.exchange.recordings.succeeded(referrer, stays)
    onward = router.onward(call, stays, decision, payer=referrer.device, transferrer=referrer.number)
    cause = await _until_taken(call, broker, asked, onward)
    if referrer.ended_at is None:
        broker.note()
    return cause


async def _hangs_up(call: Call, broker: Broker, referrer: Leg, until: float) -> bool:
    """Whether who transferred hangs up before an instant, without waiting for what becomes of it: many
    telephones do at the 202. What else happens meanwhile is done."""
    driver = call.exchange.driver
    while driver.now < until:
        left = until - driver.now
        retry = broker.seconds_to_retry()
        try:
            happening = await call.next_happening(left if retry is None else min(left, retry))
        except LegEnded as ended:
            if ended.leg is not referrer or referrer.ended_at is None:
                raise
            await _let_go(call, referrer)
            return True
        if isinstance(happening, Referred | TransferAsked):
            await call.exchange.router.transfer(call, broker, happening)
            return False
        await broker.take(happening)
    return False


async def _give_back(call: Call, broker: Broker, asked: Referred | TransferAsked, cause: str) -> NoReturn:
    """Whoever transferred has hung up meanwhile, and nobody takes the party: their telephones ring again, and
    show why. Neither a forward of theirs nor do not disturb keeps it from them. Raises LegEnded."""
    referrer, stays = asked.leg, broker.peer_of(asked.leg)
    router = call.exchange.router
    call.cause = "transfer failed"
    device = call.exchange.devices.find(referrer.device)
    if device is not None:
        await broker.return_to_us()
        extension = device.extension
        trace = (Step(0, "transfer", f"comes back to {extension}"),)
        decision = Decision(ToPerson(extension, ""), extension, "", None, None, trace)
        onward = router.onward(call, stays, decision, payer=referrer.device, transferrer=referrer.number)
        language = onward.language_of(_BACK)
        onward.comes_back = _BACK[language].format(why=shown(cause)[language])
        await _until_taken(call, broker, asked, onward)
    raise LegEnded(referrer, NORMAL_CLEARING)


async def _until_taken(call: Call, broker: Broker, asked: Referred | TransferAsked, onward: Call) -> str:
    """Wait for the onward call's answer: returns why nobody takes the party. Raises LegEnded once it was
    taken, or has hung up."""
    referrer, stays = asked.leg, broker.peer_of(asked.leg)
    waiting = onward.caller
    assert isinstance(waiting, Transferee)
    progress, driver = asked.progress, call.exchange.driver
    try:
        while True:
            try:
                happening = await call.next_happening(broker.seconds_to_retry())
            except LegEnded as ended:
                if ended.leg is not referrer or referrer.ended_at is None:
                    raise
                await _let_go(call, referrer)
                continue
            match happening:
                case TransferRings():
                    progress.notify(180, driver.now)
                    # An engine without sound of its own, or a party that was taken over in this moment.
                    with suppress(MediaRefused, MediaMisuse):
                        await call.engine.play(call.id, stays.name, tones.RINGBACK, repeat=True)
                case TransferAnswered():
                    progress.notify(200, driver.now)
                    await _part(call, referrer)
                case TransferFailed(_, status, cause):
                    progress.notify(status, driver.now)
                    driver.wake()
                    await call.engine.stop(call.id, stays.name)
                    log.info("call=%s transfer failed: %s", call.id, cause)
                    return cause
                case Referred() | TransferAsked() as another:
                    another.progress.end(driver.now)  # one at a time
                    driver.wake()
                case _:
                    await broker.take(happening)
    finally:
        waiting.gone(NORMAL_CLEARING)  # if it still waits


async def _let_go(call: Call, referrer: Leg) -> None:
    """Who transferred has hung up: its telephone is sent nothing more of whoever stays."""
    referrer.release()
    with suppress(MediaUnavailable):
        await call.end_sound(referrer)


# Attended


async def _join(call: Call, broker: Broker, asked: Referred | TransferAsked, second: Leg) -> NoReturn:
    """Connect the party that stays with the other party of the second call; both first calls end."""
    referrer, stays = asked.leg, broker.peer_of(asked.leg)
    other_call = second.call
    wanted = other_call.other_party(second)
    assert wanted is not None
    decision = other_call.decision._replace(recorded_lines=())  # whoever came on a line carries that along
    onward = Call(call.exchange, call.exchange.plan, decision, stays.remote_sdp)
    onward.from_number, onward.from_name = call.identity_of(stays)
    onward.hidden = call.hides(stays)
    onward.payer = referrer.device
    onward.parents = (call.id, other_call.id)
    onward.to, name = other_call.identity_of(wanted)
    for leg, of_call in ((stays, call), (wanted, other_call)):
        if leg.device in onward.plan.trunks:
            onward.direction = of_call.direction
    onward.caller, called = Transferee(onward, "a", stays), Transferee(onward, "b1", wanted)
    called.reached, called.via = "transfer", referrer.number
    onward.legs += [onward.caller, called]
    asked.progress.notify(200, call.exchange.driver.now)
    for leaves in (referrer, second):
        if leaves.call.recorded:
            call.exchange.recordings.succeeded(leaves, stays)
    onward.caller.take_over()
    called.take_over()
    await onward.caller.bring_sound()
    await called.bring_sound()
    if not onward.hidden:
        called.show(onward.from_name, onward.from_number)
    if not other_call.hides(wanted):
        onward.caller.show(name, onward.to)
    app = keeping_channel(onward.caller, keeping_channel(called, partial(_talk, called=called)))
    onward.exchange.begin(onward, app)
    secure(onward, called.name, policy_of(onward, called.device, called.flow))
    other_call.cause = "transferred"
    other_call.post(LegEnded(second, TRANSFERRED))
    await _part(call, referrer)


async def _talk(call: Call, called: Leg) -> None:
    call.keep()
    broker = Broker(call, call.caller, called)
    await broker.unite()
    await talk(call, broker)


# Taken by an INVITE


async def take(call: Call, replaced: Leg) -> None:
    """The caller takes the place of a party that is in another call (RFC 3891 section 3)."""
    former = replaced.call
    stays = former.other_party(replaced)
    if stays is None or not call.offer:
        call.caller.refuse(481, "nothing to replace")
        return
    call.hidden = call.hidden or former.hides(replaced)

    def left() -> None:
        if former.recorded:
            call.exchange.recordings.succeeded(replaced, call.caller)
        former.cause = "replaced"
        former.post(LegEnded(replaced, REPLACED))

    await speak_with(call, stays, left, "replaces", replaced.number, hidden=former.hides(replaced))


async def speak_with(
    call: Call, stays: Leg, left: Callable[[], None], reached: str, via: str, *, hidden: bool = False
) -> None:
    """Connect the caller with a party that is in another call, which it leaves.

    left: tells that call so. reached, via: how the caller came to it, for the record. hidden: the party isn't
    told who the caller is.
    """
    former, caller = stays.call, call.caller
    called = Transferee(call, "b1", stays)
    called.reached, called.via = reached, via
    call.parents = (former.id,)
    call.to, name = former.identity_of(stays)
    shown = ("", "") if former.hides(stays) else (name, call.to)
    secure(call, called.name, policy_of(call, called.device, called.flow))
    told, answer = await _introduced(call, called, stays.remote_sdp)
    if not stays.confirmed:
        caller.refuse(481, "nothing to replace")
        return
    call.legs.append(called)
    called.take_over()
    moved = await called.bring_sound()
    if moved:
        told, answer = await _introduced(call, called, called.remote_sdp)
    left()
    caller.answer(answer, *shown)
    call.keep()
    broker = Broker(call, caller, called)
    if not moved or not broker.suits(called, told):
        await broker.propose(called, told)
    if caller.proposal:
        await broker.propose(caller, caller.proposal)  # it comes from another call as well
    if not hidden:
        number, name = call.exchange.identity_of_device(caller.device)
        called.show(name, number)
    await keeping_channel(called, partial(talk, broker=broker))(call)


async def _introduced(call: Call, called: Leg, said: bytes) -> tuple[bytes, bytes]:
    """What the party that is taken is to be told of the caller, and the answer for the caller."""
    caller, engine = call.caller, call.engine
    told = await engine.offer(
        call.id,
        caller.name,
        called.name,
        call.offer,
        nat=caller.behind_nat,
        advertise=called.media_address,
    )
    answer = await engine.answer(
        call.id, called.name, caller.name, said, nat=called.behind_nat, advertise=caller.media_address
    )
    return told, answer


# Shared


async def _part(call: Call, referrer: Leg) -> NoReturn:
    """End the call of the one who transferred, which may hear of it first and hang up itself.

    Its sound ends at once: the party that went hears another one now.
    """
    call.cause = "transferred"
    await call.silence()
    driver = call.exchange.driver
    driver.wake()
    until = driver.now + PARTING_SECONDS
    while referrer.confirmed:
        match await call.next_happening(max(until - driver.now, 0.0)):
            case TimeUp():
                referrer.hang_up("transferred", TRANSFERRED)
            case Offered(leg):
                leg.refuse_offer(488)
            case Referred() | TransferAsked() as another:
                another.progress.end(driver.now)
                driver.wake()
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


def keeping_channel(leg: Transferee, app: App) -> App:
    """The app, and after it the channel given back that the leg brought from its first call, if any."""
    if leg.device not in leg.first.call.plan.trunks:
        return app

    async def keeping(call: Call) -> None:
        try:
            await app(call)
        finally:
            if leg.answered_at is not None:
                call.exchange.trunks.free(leg.device)

    return keeping
