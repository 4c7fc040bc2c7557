"""The queues of one node: who waits, who answers, and who gets whom.

    a caller comes, goes, may go on ──┐
    a call ends, an agent comes back ─┼──> look: agents are given to those whose turn it is ──> they are woken
    a rest or a wrap-up is over ──────┘

Each caller waits in its own app (`pbx.apps.queue`); only here all of them are seen together, so that several
queues can share their agents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dialplan.plan import Members, Plan, Service
from pbx.events import DeviceReachable, SettingsChanged, Subscription
from pbx.people.settings import SettingRefused
from pbx.queues.agents import Agents
from pbx.queues.call_backs import CONVERSATION, CallBacks
from pbx.queues.estimate import HandlingTimes
from pbx.queues.figures import Figures
from pbx.queues.place import Place, level_of, match, turn_of

if TYPE_CHECKING:
    from pbx.calls.call import Call
    from pbx.exchange import Exchange
    from pbx.records import CallRecord

LOOK_SECONDS = 10.0  # what nothing tells of (a telephone that is gone) is seen so late at most
RELAX_SECONDS = 60  # until somebody without the skill may answer, where the plan doesn't say
REACHED = "queue"  # how an agent comes into a call (pbx.records.LegRecord)


class Queues:
    """Who waits, and the agents. It is itself the timer of the next look (`sip.core.timers.Timed`)."""

    def __init__(self, exchange: Exchange) -> None:
        self.agents = Agents(exchange)
        self.figures = Figures()
        self.handling = HandlingTimes()
        self.since = exchange.clock()
        self.deadline: float | None = None
        self.armed: float | None = None
        self._exchange = exchange
        self._places: list[Place] = []
        self._watching: list[Subscription] = []
        self.call_backs = CallBacks(exchange)
        self._members: dict[Members, tuple[str, ...]] = {}
        self._plan: Plan | None = None  # that the members are of

    def __len__(self) -> int:
        return len(self._places)

    def waiting(self, service: str) -> list[Place]:
        """Those who wait in one queue, the next one first."""
        return sorted((one for one in self._places if one.service.name == service), key=lambda one: one.turn)

    def members(self, service: Service) -> tuple[str, ...]:
        """The extensions of a queue's agents; numbers outside aren't rung by queues."""
        agents = service.settings["agents"]
        assert isinstance(agents, Members)
        plan = self._exchange.plan
        if plan is not self._plan:
            self._plan, self._members = plan, {}
        if agents not in self._members:
            found = [number for number in agents.numbers if not number.startswith("+")]
            for extension, caller in sorted(plan.tables.callers.items()):
                if caller.site in agents.sites or set(caller.person.groups) & set(agents.groups):
                    found.append(extension)
            self._members[agents] = tuple(dict.fromkeys(found))
        return self._members[agents]

    # Who waits

    def enter(self, call: Call, service: Service, wake: Callable[[], None]) -> Place:
        """A caller who was answered has a place from now on; it is given nobody before `begin`."""
        since = call.caller.answered_at or self._exchange.clock()  # a restart doesn't change it
        relax = service.settings.get("relax_seconds", RELAX_SECONDS)
        assert isinstance(relax, int)
        place = Place(
            call.id,
            call.from_number,
            service,
            self.members(service),
            since,
            turn_of(since, level_of(call, service), service),
            self._exchange.driver.now + relax,
            wake,
        )
        self.add(place)
        return place

    def begin(self, place: Place) -> None:
        """It may be given agents from now on."""
        place.ready = True
        self.look()

    def leave(self, call: Call, place: Place) -> None:
        """A caller waits no more; its `outcome` is counted."""
        left = call.caller.ended_at or self._exchange.clock()
        self.figures.visit(place.service.name, place.outcome, left - place.since)
        self.remove(place)

    def add(self, place: Place) -> None:
        """Somebody waits."""
        if not self._places:
            events = self._exchange.events
            self._watching = [
                events.subscribe(self._device_reachable, DeviceReachable),
                events.subscribe(self._settings_changed, SettingsChanged),
            ]
        self._places.append(place)
        if self.deadline is None:
            self._look_again()

    def remove(self, place: Place) -> None:
        """Somebody doesn't wait any more. The agents who were given to it are free for the others."""
        self._places.remove(place)
        self.agents.stop(place.offered)
        place.offered = []
        if not self._places:
            self.deadline = None
            for subscription in self._watching:
                subscription.end()
        self.look()

    def before(self, place: Place) -> int:
        """How many go before it to one of its agents."""
        agents = set(place.agents)
        return sum(
            one.turn < place.turn and not agents.isdisjoint(one.agents)
            for one in self._places
            if one is not place
        )

    def wait_seconds(self, place: Place) -> float | None:
        """How long somebody still waits; None where nothing is known (see `estimate`)."""
        at_work = sum(self.agents.is_at_work(agent, place.service) for agent in place.agents)
        return self.handling.wait_seconds(place.service.name, self.before(place), at_work)

    # Who gets whom

    def look(self) -> None:
        """Give those who are free to those whose turn it is, and wake them."""
        if not self._places:
            return
        exchange, agents = self._exchange, self.agents
        speaking = agents.speaking()
        states: dict[tuple[str, str], str] = {}

        def state(agent: str, service: Service) -> str:
            key = (agent, service.name)
            if key not in states:
                states[key] = agents.state(agent, service, speaking)
            return states[key]

        def levels(skill: str) -> dict[str, int]:
            known = exchange.plan.skills.get(skill)
            return dict(known.levels) if known is not None else {}

        def order(service: Service, free: list[str]) -> list[str]:
            strategy = str(service.settings.get("strategy", "all"))
            return exchange.turns.order(service.name, strategy, free)

        for place in self._places:
            there = (state(agent, place.service) not in ("paused", "away") for agent in place.agents)
            place.deserted = place.ready and not place.served and not any(there)
        woken = [place for place in self._places if place.deserted]
        # A node that stops lets callers have their turn, and begins no call of its own.
        places = [one for one in self._places if not (exchange.draining and one in self.call_backs)]
        given = match(
            places,
            lambda agent, service: state(agent, service) == "free",
            lambda agent, service: state(agent, service) not in ("paused", "away"),
            levels,
            order,
            exchange.driver.now,
        )
        for place, chosen in list(given):
            place.served, place.offered = True, chosen
            agents.ring(chosen)
            woken.append(place)
        for place in woken:
            place.wake()
        if self._places:
            self._look_again()

    def fire(self, now: float) -> None:
        """It is time to look."""
        self.deadline = None
        self.look()

    def _look_again(self) -> None:
        now = self._exchange.driver.now
        relaxed = [place.relax_at for place in self._places if place.relax_at > now and place.service.needs]
        self.deadline = max(min(now + LOOK_SECONDS, self.agents.next_free(), *relaxed), now)
        self._exchange.core.stack.timers.arm(self)
        self._exchange.driver.wake()

    def _device_reachable(self, _: DeviceReachable) -> None:
        self.look()

    def _settings_changed(self, _: SettingsChanged) -> None:
        self.look()

    # What has happened

    def rang(self, place: Place, agents: list[str], *, in_vain: bool) -> None:
        """These agents ring no more for somebody. in_vain: none of them answered in time."""
        self.agents.stop(agents)
        place.served = False
        if in_vain:
            self.agents.let_ring(agents, place.service)
        self.look()

    def resume(self, extension: str, by: str, service: str = "") -> None:
        """Somebody takes calls again, whatever kept them from it. Raises SettingRefused where nothing did."""
        rested = self.agents.comes_back(extension)
        try:
            self._exchange.settings.resume(extension, by, service)
        except SettingRefused:
            if not rested:
                raise
        self.look()

    def ended(self, call: Call, record: CallRecord) -> None:
        """A call is over: an agent may be free."""
        if call.reached == REACHED and call.via in call.plan.services:
            service = call.plan.services[call.via]
            for agent, answered in agents_rung(record, service.name).items():
                seconds = talked_seconds(record) if answered else None
                self.figures.attempt(service.name, agent, seconds)
                if seconds:
                    self._talked(agent, service, seconds)
        elif call.reached == CONVERSATION and record.legs[0].via in call.plan.services:
            seconds, (agent, queue) = talked_seconds(record), (record.legs[0].number, record.legs[0].via)
            self.figures.conversation(queue, agent, seconds)
            if seconds:
                self._talked(agent, call.plan.services[queue], seconds)
        if self._places:
            self.look()

    def _talked(self, agent: str, service: Service, seconds: float) -> None:
        self.agents.talked(agent, service)
        wrap_up = service.settings.get("wrap_up_seconds", 0)
        assert isinstance(wrap_up, int)
        self.handling.add(service.name, seconds + wrap_up)


def agents_rung(record: CallRecord, queue: str) -> dict[str, bool]:
    """The agents whose telephones rang for a queue in a call, and whether each answered."""
    rung: dict[str, bool] = {}
    for leg in record.legs:
        if leg.reached == REACHED and leg.via == queue:
            answered = record.answered is not None and leg.answered is not None
            rung[leg.number] = rung.get(leg.number, False) or answered
    return rung


def talked_seconds(record: CallRecord) -> float:
    """How long the parties of a call had each other, on hold or not."""
    return sum(
        (one.ended or record.ended) - one.started for one in record.intervals if one.kind in ("talk", "held")
    )
