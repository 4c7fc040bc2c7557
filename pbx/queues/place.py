"""One who waits in a queue, and whose turn it is among all who wait, in whatever queue.

A caller's turn is the instant since when it waits, less some seconds for each level of its priority. It never
changes while it waits, so whoever comes later than those seconds can't go before it any more, whatever their
level: with 9 levels of 60 s nobody is overtaken by who comes more than 9 minutes later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dialplan.plan import Priority, Service

if TYPE_CHECKING:
    from pbx.calls.call import Call

NO_PRIORITY = Priority()


@dataclass(eq=False, slots=True)
class Place:
    """A place in a queue.

    call: the id of the caller's call. agents: extensions, as the plan lists them. since: Unix seconds; turn:
    on the same clock. relax_at: when anybody may take it, in the seconds of the driver. wake: something has
    changed for it. offered: the agents that it is to ring now. ready: whether it may be given an agent.
    deserted: nobody is there to answer it. outcome: the field of its queue's figures that will count it.
    """

    call: str
    number: str
    service: Service
    agents: tuple[str, ...]
    since: float
    turn: float
    relax_at: float
    wake: Callable[[], None]
    ready: bool = False
    served: bool = False
    deserted: bool = False
    outcome: str = "abandoned"
    offered: list[str] = field(default_factory=list)

    @property
    def strategy(self) -> str:
        """Who rings first, as the plan says."""
        return str(self.service.settings.get("strategy", "all"))


def level_of(call: Call, service: Service) -> int:
    """The priority of a caller in a queue: the highest that the plan gives to who calls, or to what was
    dialled."""
    priority = service.settings.get("priority", NO_PRIORITY)
    assert isinstance(priority, Priority)
    number, device = call.from_number, call.exchange.devices.find(call.caller.device)
    levels = [priority.level]
    for caller, level in priority.callers.items():
        if caller.startswith("+"):
            fits = number.startswith(caller)
        elif caller.isdigit():
            fits = number == caller and device is not None
        else:
            fits = caller == ("anonymous" if not number else "outside" if device is None else "inside")
        if fits:
            levels.append(level)
    if call.decision.dialled in priority.numbers:
        levels.append(priority.numbers[call.decision.dialled])
    return max(levels)


def turn_of(since: float, level: int, service: Service) -> float:
    """Since when a caller of this level counts as waiting."""
    priority = service.settings.get("priority", NO_PRIORITY)
    assert isinstance(priority, Priority)
    return since - level * priority.level_seconds


Levels = Callable[[str], Mapping[str, int]]
"""The levels of those who have a skill, by extension."""


def skill_of(agent: str, needs: Mapping[str, int], levels: Levels) -> int:
    """How well somebody does what is needed: the sum of the levels, 0 where one is too low."""
    found = [levels(skill).get(agent, 0) for skill in needs]
    enough = all(level >= needed for level, needed in zip(found, needs.values(), strict=True))
    return sum(found) if enough else 0


def match(
    places: Iterable[Place],
    free: Callable[[str, Service], bool],
    at_work: Callable[[str, Service], bool],
    levels: Levels,
    order: Callable[[Service, list[str]], list[str]],
    now: float,
) -> Iterator[tuple[Place, list[str]]]:
    """Who is given which agents now, those whose turn comes first before the others.

    free: whether an agent may be rung for a service; at_work: whether one will be, sooner or later. order: in
    which agents are to be rung. now: seconds of the driver. With the strategy `all` one caller takes all who
    are free; each agent is given once.
    """
    taken: set[str] = set()
    for place in sorted(places, key=lambda place: place.turn):
        if place.served or not place.ready:
            continue
        service = place.service
        able = list(place.agents)
        if service.needs and now < place.relax_at:
            skilled = [agent for agent in able if skill_of(agent, service.needs, levels)]
            # Where none of them is at work, nobody waits for them in vain.
            able = skilled if any(at_work(agent, service) for agent in skilled) else able
        ready = [agent for agent in able if agent not in taken and free(agent, service)]
        if not ready:
            continue
        turns = order(service, ready)
        if service.needs:
            turns = sorted(turns, key=lambda agent: -skill_of(agent, service.needs, levels))
        chosen = turns if place.strategy == "all" else turns[:1]
        taken.update(chosen)
        yield place, chosen
