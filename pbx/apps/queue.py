"""A queue: callers wait with music until one of its agents is free, first come first served.

    greeting ──> music, and one's place every so often ──> an agent rings ──> answered
                        │             ^                        │ nobody answers
                        │             └────────────────────────┘
                        └ waited too long (`when_full`), or no agent is there ──> where the plan says

A caller may ring agents when more are free than callers are before it. An agent is free who has a telephone
here, is in no call, is rung for nobody else, and hasn't just let it ring in vain: REST_SECONDS later it is
asked again. With the strategy `all` all free agents ring at once, otherwise one after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialplan.decision import ToPerson
from dialplan.plan import Announcement, Destination, Members, Overflow, Service
from media.engine import Music
from pbx.apps.group import NOBODY, members_of
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.calls.hunt import Hunt

if TYPE_CHECKING:
    from pbx.exchange import Exchange

RING_SECONDS = 20.0
REST_SECONDS = 60.0
PATIENCE_SECONDS = 600.0  # where the plan doesn't say `when_full`
LOOK_SECONDS = 10.0  # whether an agent has registered meanwhile; the end of a call is told at once
_PLACE = {"fr": "Vous êtes le numéro {place} dans la file.", "en": "You are number {place} in the queue."}
_NEXT = {"fr": "Vous êtes le prochain.", "en": "You are next."}


class Queue:
    """Who waits in a queue, first come first, for whom agents ring, and which agents ring or rest."""

    def __init__(self) -> None:
        self.waiting: list[Attendant] = []
        self.served: set[Attendant] = set()
        self.ringing: set[str] = set()
        self.resting: dict[str, float] = {}

    def wake(self) -> None:
        """Something has changed: all who wait look again."""
        for attendant in self.waiting:
            attendant.wake()


async def queue(call: Call, service: Service) -> None:
    """Answer, and let the caller wait for an agent."""
    attendant = Attendant(call)
    await attendant.answer()
    queues = call.exchange.queues
    here = queues.setdefault(service.name, Queue())
    here.waiting.append(attendant)
    try:
        if greeting := service.texts("greeting"):
            await attendant.say(greeting)
        await _wait(attendant, service, here)
    finally:
        here.waiting.remove(attendant)
        here.wake()
        if not here.waiting:
            queues.pop(service.name, None)
    await _give_up(attendant, service)


async def _wait(attendant: Attendant, service: Service, here: Queue) -> None:
    """Ring agents as they become free; returns when the caller has waited long enough, or for nobody."""
    call, announced = attendant.call, service.settings.get("announce")
    driver, overflow = call.exchange.driver, service.settings.get("when_full")
    strategy, agents = service.settings.get("strategy", "all"), service.settings["agents"]
    assert isinstance(strategy, str)
    assert isinstance(agents, Members)
    every = announced.every_seconds if isinstance(announced, Announcement) and announced.position else 0
    patience = float(overflow.after_seconds) if isinstance(overflow, Overflow) else PATIENCE_SECONDS
    until, tell_at = driver.now + patience, driver.now + every
    while driver.now < until:
        members = [agent for agent in members_of(call.plan, agents) if not agent.startswith("+")]
        if not any(_is_here(call.exchange, agent) for agent in members):
            return
        before = here.waiting[: here.waiting.index(attendant)]
        free = [agent for agent in members if _is_free(call.exchange, here, agent)]
        if len(free) > sum(other not in here.served for other in before):
            turns = call.exchange.turns.order(service.name, strategy, free)
            await _ring(attendant, here, turns if strategy == "all" else turns[:1])
        elif every and driver.now >= tell_at:
            place = str(len(before) + 1)
            told = {name: text.format(place=place) for name, text in _PLACE.items()} if before else _NEXT
            await attendant.say(told)
            tell_at = driver.now + every
        else:
            due = min(until, tell_at if every else until, driver.now + LOOK_SECONDS)
            await attendant.wait(Music(), max(due - driver.now, 0.1))


async def _ring(attendant: Attendant, here: Queue, agents: list[str]) -> None:
    """Ring these agents while the caller hears music; returns when none took it."""
    call = attendant.call
    await call.engine.play(call.id, call.caller.name, Music(), repeat=True)
    hunt = Hunt(call, attendant.next_happening)
    here.ringing.update(agents)
    here.served.add(attendant)
    try:
        for agent in agents:
            hunt.ring(call.decision._replace(target=ToPerson(agent, "")))
        await hunt.wait(RING_SECONDS)
    finally:
        here.ringing.difference_update(agents)
        here.served.discard(attendant)
    now = call.exchange.driver.now
    here.resting.update(dict.fromkeys(agents, now + REST_SECONDS))


async def _give_up(attendant: Attendant, service: Service) -> None:
    """Send the caller where the plan says, or say that nobody is there."""
    overflow = service.settings.get("when_full")
    to = overflow.to if isinstance(overflow, Overflow) else service.when_closed
    if isinstance(to, Destination) and to.value:
        await attendant.connect(to, f"queue {service.name}, nobody was free")
    await attendant.say(NOBODY)
    attendant.hang_up("nobody was free")


def _is_here(exchange: Exchange, agent: str) -> bool:
    return bool(exchange.devices.ways_to(agent, exchange.registrations.reachable))


def _is_free(exchange: Exchange, here: Queue, agent: str) -> bool:
    if agent in here.ringing or here.resting.get(agent, 0.0) > exchange.driver.now:
        return False
    return _is_here(exchange, agent) and not any(
        (known := exchange.devices.find(leg.device)) is not None and known.extension == agent
        for leg in exchange.legs()
    )
