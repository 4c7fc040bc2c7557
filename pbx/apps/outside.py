"""Call an outside number over the plan's trunks, in their order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from dialplan.decision import ToTrunks
from media.engine import MediaRefused, MediaUnavailable
from media.engines.passthrough import PassthroughEngine
from media.simpler import can_be_simpler
from pbx.apps.announce import announce
from pbx.apps.dial import BUSY, NO_ANSWER
from pbx.calls.bridge import connect
from pbx.calls.broker import take_early
from pbx.calls.call import Call
from pbx.calls.happenings import Answered, Failed, LegEnded, Offered, Progressed, TimeUp
from pbx.calls.leg import Leg
from pbx.calls.reasons import said_outside
from pbx.calls.srtp import policy_of, secure
from pbx.emergency import allow_callback, make_room, tell
from pbx.events import MediaPortsExhausted
from pbx.trunks import Attempt, shown_by
from pbx.trunks.failover import Step, step_after, told_to_caller
from pbx.trunks.line import LineState
from pbx.trunks.location import REFUSED, is_known
from sip.core.flow import Flow
from sip.core.outgoing_session import OutgoingSession
from sip.core.reason import Reason
from sip.net.resolver import NotFoundError

log = logging.getLogger(__name__)

RING_SECONDS = 120.0
RANG_OUT = "no answer"
ORDINARY_TRYING_SECONDS = 8.0
NEXT_SERVER_SECONDS = 4.0  # an ordinary call leaves a server for the trunk's next one
NO_CIRCUIT = Reason("Q.850", 34, "No circuit available")
UNSAID = Reason("SIP", 0)

_NO_TRUNK = {
    "fr": "Aucune ligne extérieure n'est disponible. Veuillez rappeler plus tard.",
    "en": "No outside line is available. Please try again later.",
}


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why an attempt failed. silent: the server didn't answer at all. said: the network let the caller hear
    something, so that it may have said why."""

    status: int
    reason: Reason
    silent: bool = False
    retry_after: str = ""
    said: bool = False


async def outside(call: Call, target: ToTrunks, anonymous: bool = False) -> None:
    """Try each trunk until one takes the call; the caller hears what the called network says.

    An ordinary call goes on when a trunk can't carry it (pbx.trunks.failover), an emergency call after
    anything but an answer (design, promise 3). anonymous: the caller doesn't want to be shown.
    """
    call.to = target.number
    if call.direction == "internal":
        call.direction = "outbound"
    last = _Refusal(0, UNSAID)
    step = Step.NEXT_TRUNK
    left: set[str] = set()  # trunks that have said what they have to say
    again: list[Attempt] = []  # for an emergency call: full, unreachable, or perhaps silent for its location
    emergency = call.decision.emergency
    if emergency is not None:
        # The call goes first, and whatever comes of telling others can't end it.
        asyncio.get_running_loop().call_soon(tell, call, emergency)
    async for attempt in _attempts(call, target):
        name = attempt.line.trunk.name
        if name in left:
            continue
        refusal = await _try(call, target, attempt, anonymous)
        if target.emergency and (refusal is None or (refusal.silent and _may_locate(call, attempt))):
            again.append(attempt)
        if refusal is None:
            continue
        if call.cause:
            return
        last, step = refusal, step_after(refusal.status, refusal.reason)
        if target.emergency:
            continue
        if step is Step.END:
            break
        if step is not Step.NEXT_SERVER or attempt.line.state is LineState.REFUSING:
            left.add(name)
    for attempt in again:
        await _try(call, target, attempt, anonymous, last_resort=True)
    if step is not Step.END or target.emergency:
        await announce(call, _NO_TRUNK, status=480, cause="no trunk", reason=NO_CIRCUIT)
    elif last.status in {486, 600}:
        call.cause = "busy"
        call.caller.refuse(486, call.cause, reason=BUSY)
    else:
        told = last.reason if last.reason.protocol == "Q.850" else None
        text = {} if last.said else said_outside(last.status, told.cause if told is not None else 0)
        cause = f"refused: {last.status}"
        await announce(call, text, status=told_to_caller(last.status), cause=cause, reason=told)


async def _attempts(call: Call, target: ToTrunks) -> AsyncIterator[Attempt]:
    """The servers to try: those that are known at once, and then those whose names must be looked up."""
    trunks = call.exchange.trunks
    unknown = trunks.unknown(target.trunks)
    emergency = call.decision.emergency
    for attempt in trunks.attempts(target.trunks, emergency=target.emergency):
        yield attempt
    for line in unknown:
        try:
            async with asyncio.timeout(emergency.next_trunk_seconds if emergency is not None else None):
                await line.find()
        except (TimeoutError, NotFoundError) as error:
            log.warning("trunk=%s %s", line.trunk.name, str(error) or "no name server answers")
            continue
        trunks.recognise()
        for attempt in trunks.attempts([line.trunk.name], emergency=target.emergency):
            yield attempt


async def _try(
    call: Call, target: ToTrunks, attempt: Attempt, anonymous: bool, *, last_resort: bool = False
) -> _Refusal | None:
    """One server of one trunk, on a channel of it; None where the trunk is full or can't be reached.

    last_resort: nothing else took an emergency call: it may end another one, and tells no location.
    An answered call ends in LegEnded. A call that rang out has its cause.
    """
    trunks = call.exchange.trunks
    line = attempt.line
    if not trunks.seize(line, emergency=target.emergency):
        emergency = call.decision.emergency
        if not last_resort or emergency is None or not emergency.preempts:
            return None
        if not make_room(call.exchange, line.trunk.name, call):
            return None
    try:
        flow = line.flow_to(attempt.target)
        located = not last_resort and _may_locate(call, attempt)
        refusal = await _over(call, target, attempt, flow, anonymous, located=located)
        if located and refusal.status in REFUSED:
            refusal = await _over(call, target, attempt, flow, anonymous)
        simpler = step_after(refusal.status, refusal.reason) is Step.SIMPLER_OFFER and not call.cause
        keys = policy_of(call, line.trunk.name, flow) == "preferred"
        if simpler and (keys or can_be_simpler(call.offer)):
            refusal = await _over(call, target, attempt, flow, anonymous, simple=True)
    except OSError as error:
        log.warning("trunk=%s can't be reached: %s", line.trunk.name, error)
        line.missed(attempt.target)
        return None
    finally:
        trunks.free(line.trunk.name)
    if refusal.silent:
        line.missed(attempt.target)
    elif refusal.status == 503:
        line.refused(refusal.retry_after)
    return refusal


def _may_locate(call: Call, attempt: Attempt) -> bool:
    """Whether a trunk is to be told where an emergency call's device is, and that is known."""
    emergency = call.decision.emergency
    return emergency is not None and "location" in attempt.line.trunk.options and is_known(emergency.location)


async def _over(
    call: Call,
    target: ToTrunks,
    attempt: Attempt,
    flow: Flow,
    anonymous: bool,
    *,
    located: bool = False,
    simple: bool = False,
) -> _Refusal:
    """Send the call over a flow; returns why it failed. An answered call ends in LegEnded.

    simple: the trunk refused the whole offer; it is made one without keys, where it need have none.
    """
    caller = call.caller
    offer = b""
    name = f"b{len(call.legs)}"
    policy = policy_of(call, attempt.line.trunk.name, flow)
    secure(call, name, "off" if simple and policy == "preferred" else policy)
    if call.offer:
        offer = await _offer(call, name, flow, emergency=target.emergency, simple=simple)
    leg = call.exchange.trunks.invite(
        call,
        attempt,
        flow,
        target.number,
        offer,
        anonymous=anonymous,
        emergency=target.emergency,
        located=located,
    )
    emergency = call.decision.emergency
    if emergency is not None:
        trying_seconds = float(emergency.next_trunk_seconds)
        shown = shown_by(call.decision, leg.device)
        if shown:
            allow_callback(call, emergency, shown)
    else:
        trying_seconds = ORDINARY_TRYING_SECONDS if attempt.last else NEXT_SERVER_SECONDS
    try:
        answered, refusal = await _wait(call, leg, attempt, trying_seconds)
    except LegEnded as ended:
        leg.hang_up("cancelled", ended.told_on)
        raise
    if leg.cause == RANG_OUT and not target.emergency:
        call.cause = RANG_OUT  # somebody's telephone rang: another trunk would ring the same
        caller.refuse(480, call.cause, reason=NO_ANSWER)
    if refusal is not None:
        return refusal
    try:
        await connect(call, leg, answered)
    except MediaRefused as refused:
        if not target.emergency or call.answered:
            raise
        leg.hang_up(f"media: {refused.reason}")  # what it said is no answer: the next trunk may do better
        return _Refusal(500, UNSAID)
    except MediaUnavailable as error:
        if not target.emergency or call.answered:
            raise
        leg.hang_up("media unavailable")  # it sends to a port of ours: it is called again without one
        _do_without_relay(call, error)
        return await _over(call, target, attempt, flow, anonymous, located=located, simple=simple)
    raise AssertionError("a connected call ends in LegEnded")


async def _offer(call: Call, peer: str, flow: Flow, *, emergency: bool, simple: bool) -> bytes:
    """The caller's offer for a trunk. Without a media process or a port, an emergency call's two ends are
    told each other's addresses: a voice that finds its own way is better than none."""
    caller = call.caller
    try:
        address = call.exchange.media_address_toward(flow)
        return await call.engine.offer(
            call.id,
            caller.name,
            peer,
            call.offer,
            nat=caller.behind_nat,
            advertise=address,
            simple=simple,
        )
    except (MediaRefused, MediaUnavailable) as error:
        if not emergency:
            raise
        _do_without_relay(call, error)
        return call.offer


def _do_without_relay(call: Call, error: MediaRefused | MediaUnavailable) -> None:
    log.error("call=%s emergency call without media relay: %s", call.id, error)
    if isinstance(error, MediaRefused) and error.status == 480:
        call.exchange.events.publish(MediaPortsExhausted, call.id)
    call.engine = PassthroughEngine()


async def _wait(
    call: Call, leg: Leg, attempt: Attempt, trying_seconds: float
) -> tuple[bytes, _Refusal | None]:
    """The answer of a trunk, or why it gave none."""
    driver = call.exchange.driver
    deadline = driver.now + trying_seconds
    rings = False
    early = b""
    while True:
        match await call.next_happening(deadline - driver.now):
            case Progressed(_, status, body):
                if not rings:
                    rings, deadline = True, driver.now + RING_SECONDS
                    attempt.line.heard(attempt.target)
                early = body or early
                await _progress(call, leg, status, body)
            case Answered(_, body):
                attempt.line.heard(attempt.target)
                return body or early, None  # some gateways say it once, in the 183
            case Offered() as offered:
                await take_early(call, leg, offered)
            case Failed(_, status, reason):
                return b"", _refusal(leg, attempt, status, reason, said=bool(early))
            case TimeUp():
                leg.hang_up(RANG_OUT if rings else "no reply")
                return b"", _Refusal(408, UNSAID, silent=not rings)
            case _:
                pass


def _refusal(leg: Leg, attempt: Attempt, status: int, reason: Reason, *, said: bool) -> _Refusal:
    # The transaction layer's own words (8.1.3.1): nothing came from the server.
    silent = status in {408, 503} and reason.text in {"no response", "transport error"}
    if not silent and status not in {408, 503}:
        attempt.line.heard(attempt.target)
    session = leg.session
    retry_after = session.retry_after if isinstance(session, OutgoingSession) else ""
    return _Refusal(status, reason, silent, retry_after, said)


async def _progress(call: Call, leg: Leg, status: int, body: bytes) -> None:
    """Pass on ringing, and the called network's own tones where it sends some: there is one target only."""
    caller, engine = call.caller, call.engine
    if body and call.offer and caller.hears_early:
        with suppress(MediaRefused, MediaUnavailable):  # early media only adds to the ringing
            answer = await engine.answer(
                call.id, leg.name, caller.name, body, nat=leg.behind_nat, advertise=caller.media_address
            )
            caller.ring(183, answer)
            return
    caller.ring(180 if status == 180 else 183)
