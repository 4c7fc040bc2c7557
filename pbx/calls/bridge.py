"""Two legs that hear each other, until one of them is gone."""

from __future__ import annotations

from contextlib import suppress
from typing import NoReturn

from media.engine import MediaMisuse, MediaRefused, MediaUnavailable
from media.speech import Speech
from pbx.calls.broker import Broker
from pbx.calls.call import Call
from pbx.calls.confirm import confirm
from pbx.calls.happenings import Acknowledged, Offered, Referred, TransferAsked
from pbx.calls.leg import Leg
from pbx.calls.transferee import Transferee


async def connect(call: Call, answered: Leg, body: bytes) -> NoReturn:
    """Join the caller and the leg that answered with `body`, and stay until one hangs up (LegEnded).

    Only now is the caller answered: no other device's answer was committed before.
    """
    caller = call.caller
    engine = call.engine
    if call.confirms:
        await confirm(call, answered, body, call.confirms)
    if call.offer:
        if came_back(caller):
            call.offer = caller.offer_now
            await engine.offer(
                call.id,
                caller.name,
                answered.name,
                call.offer,
                nat=caller.behind_nat,
                advertise=answered.media_address,
            )
        answer = await engine.answer(
            call.id,
            answered.name,
            caller.name,
            body,
            nat=answered.behind_nat,
            advertise=caller.media_address,
        )
        caller.answer(answer, *_person(call, answered))
    else:
        await _connect_late(call, answered, body)
    broker = Broker(call, caller, answered)
    if isinstance(caller, Transferee) and await caller.bring_sound():
        caller.proposal = b""  # it was said of a stream that it needn't have now
        await broker.unite()
    call.keep()
    if call.recorded:
        await call.exchange.recordings.catch_up()
        await tell_recorded(call, caller, answered)
    for leg in (caller, answered):
        if leg.proposal:
            await broker.propose(leg, leg.proposal)
    await talk(call, broker)


def came_back(caller: Leg) -> bool:
    """Whether the page that calls was loaded again meanwhile: what it offered before means nothing now."""
    while isinstance(caller, Transferee):
        caller = caller.first
    return caller.returned


def _person(call: Call, answered: Leg) -> tuple[str, str]:
    """The name and the number of the person of ours who answered; empty for anybody else."""
    number, name = call.exchange.identity_of_device(answered.device)
    return name, number


async def tell_recorded(call: Call, *parties: Leg) -> None:
    """Tell who speak that they are recorded, where the plan wants that.

    Both hear it, so that nobody speaks to somebody who doesn't listen.
    """
    for text in call.exchange.recordings.to_announce(call):
        language = call.language_of(text)
        for party in parties:
            with suppress(MediaMisuse, MediaRefused, MediaUnavailable):
                await call.engine.play(call.id, party.name, Speech(text[language], language))


async def talk(call: Call, broker: Broker) -> NoReturn:
    """Broker and transfer until one of the two hangs up (LegEnded)."""
    while True:
        match await call.next_happening(broker.seconds_to_retry()):
            case Referred() | TransferAsked() as asked:
                await call.exchange.router.transfer(call, broker, asked)
            case happening:
                await broker.take(happening)


async def _connect_late(call: Call, answered: Leg, offer: bytes) -> None:
    """The caller's INVITE had no offer: the callee's own goes to it, and its answer comes with the ACK.

    RFC 3261 section 13.2.1; RFC 3725 section 4.1 has the flow.
    """
    caller = call.caller
    engine = call.engine
    acknowledged = answered.agreed
    ours = await engine.offer(
        call.id, answered.name, caller.name, offer, nat=answered.behind_nat, advertise=caller.media_address
    )
    caller.answer(ours, *_person(call, answered))
    theirs = await caller_answer(call)
    answer = await engine.answer(
        call.id, caller.name, answered.name, theirs, nat=caller.behind_nat, advertise=answered.media_address
    )
    if acknowledged:
        answered.proposal = answer  # it offered while it rang, and had an answer of ours (RFC 3262 section 5)
    else:
        answered.acknowledge(answer)


async def caller_answer(call: Call) -> bytes:
    """The caller's answer to the offer in our 200, which comes with its ACK."""
    while True:
        match await call.next_happening():
            case Acknowledged(_, body):
                return body
            case Offered(leg, _):
                leg.refuse_offer(491)  # RFC 3261 14.2: our own offer is under way
            case _:
                pass
