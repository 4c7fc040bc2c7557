"""A queue: callers wait with music until it is their turn and one of its agents is free.

    greeting ──> music, and what is said in turn ──> an agent rings ──> answered
                        │             ^                     │ nobody answers
                        │             └─────────────────────┘
                        ├ the key of `callback:` ──> the number is confirmed ──> hung up, the place is kept
                        └ full, nobody there, or waited too long ──> where the plan says

Whose turn it is, and who is free, is known to `pbx.queues`: here is one caller, and what it hears.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialplan.decision import ToPerson
from dialplan.plan import Destination, Overflow, Service
from media.engine import Music
from pbx.apps.queue_sentences import Sentences
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.calls.happenings import Digit, LegEnded
from pbx.calls.hunt import Hunt
from pbx.calls.intervals import turn

if TYPE_CHECKING:
    from pbx.queues.place import Place

RING_SECONDS = 20
PATIENCE_SECONDS = 600.0  # where the plan doesn't say `when_full`
CONFIRMED = "1"
TO_CALL_BACK = "to be called back"  # in the record, from which the figures are made
OVERFLOW = "overflow"  # how a caller reaches whom the queue sends it to (pbx.records.LegRecord)


async def queue(call: Call, service: Service) -> None:
    """Answer, and let the caller wait for an agent."""
    attendant = Attendant(call)
    await attendant.answer()
    queues = call.exchange.queues
    is_full = _is_full(len(queues.waiting(service.name)), service)
    place = queues.enter(call, service, attendant.wake)
    sentences = Sentences(call, place)
    try:
        if not is_full:
            await _wait(attendant, place, sentences)
        if place.outcome == "abandoned":
            place.outcome = "sent_on"
            turn(call, "announcement", (call.caller.name,))
    except LegEnded:
        if call.cause == "transferred" and place.outcome == "abandoned":
            place.outcome = "sent_on"  # by somebody who took it out of the queue
        call.cause = call.cause or place.outcome
        raise
    finally:
        queues.leave(call, place)
    if place.outcome == "sent_on":
        await _send_on(attendant, place, sentences, is_full=is_full)


def _is_full(waiting: int, service: Service) -> bool:
    overflow = service.settings.get("when_full")
    return isinstance(overflow, Overflow) and 0 < overflow.callers <= waiting


async def _wait(attendant: Attendant, place: Place, sentences: Sentences) -> None:
    """Returns when the caller has waited long enough, or for nobody, or is to be called back."""
    call, service = attendant.call, place.service
    driver, overflow = call.exchange.driver, service.settings.get("when_full")
    if sentences.greeting:
        await attendant.say(sentences.greeting)
    attendant.forget_keys()
    until = driver.now + (overflow.after_seconds if isinstance(overflow, Overflow) else PATIENCE_SECONDS)
    sentences.begin()
    call.exchange.queues.begin(place)
    while driver.now < until and not place.deserted:
        if place.offered:
            await _ring(attendant, place)
            continue
        key = sentences.key
        if driver.now >= sentences.due:
            pressed = await attendant.say(sentences.next(), until=sentences.key, until_woken=True) != ""
        else:
            seconds = max(min(until, sentences.due) - driver.now, 0.1)
            pressed = isinstance(await attendant.wait(Music(), seconds, until=key), Digit)
        if pressed and not place.offered and await _call_back(attendant, place, sentences):
            return


async def _ring(attendant: Attendant, place: Place) -> None:
    """Ring the agents that were given to the caller, while it hears music; returns when none took it."""
    call, (agents, place.offered) = attendant.call, (place.offered, [])
    seconds = place.service.settings.get("ring_seconds", RING_SECONDS)
    assert isinstance(seconds, int)
    await call.engine.play(call.id, call.caller.name, Music(), repeat=True)
    hunt, in_vain = Hunt(call, attendant.next_happening), False
    try:
        for agent in agents:
            hunt.ring(call.decision._replace(target=ToPerson(agent, "")))
        await hunt.wait(seconds)
        in_vain = True
    finally:
        if hunt.answered:
            place.outcome = "answered"
        call.exchange.queues.rang(place, agents, in_vain=in_vain)


async def _call_back(attendant: Attendant, place: Place, sentences: Sentences) -> bool:
    """Let the caller hang up and keep its place, where it confirms its number; False: it waits on."""
    queues = attendant.call.exchange.queues
    place.ready = False  # nobody is rung for it meanwhile
    pressed = await attendant.say(sentences.confirmation, until=CONFIRMED) or await attendant.gather(1)
    if pressed != CONFIRMED or not queues.call_backs.keep(place):
        queues.begin(place)
        return False
    place.outcome, attendant.call.cause = "to_call_back", TO_CALL_BACK
    await attendant.say(sentences.noted)
    attendant.hang_up(TO_CALL_BACK)
    return True


async def _send_on(attendant: Attendant, place: Place, sentences: Sentences, *, is_full: bool) -> None:
    """Send the caller where the plan says, else elsewhere; where nobody takes it, say so at least."""
    call, service = attendant.call, place.service
    overflow, nobody = service.settings.get("when_full"), service.settings.get("when_nobody")
    full = overflow.to if isinstance(overflow, Overflow) else None
    first = nobody if place.deserted and not is_full else full
    tried: list[str] = []
    for to in (first, full, nobody, service.when_closed):
        if isinstance(to, Destination) and to.value and to.value not in tried:
            tried.append(to.value)
            why = "full" if is_full else "nobody is there" if place.deserted else "nobody was free"
            decision = call.exchange.router.decide_onward(call, to, f"queue {service.name}, {why}")
            await attendant.pass_on(decision, reached=OVERFLOW)
    await attendant.say(sentences.nobody)
    attendant.hang_up("nobody was free")
