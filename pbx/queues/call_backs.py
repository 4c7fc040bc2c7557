"""Callers who have hung up and keep their place: when their turn comes, an agent is rung, and then they are.

    kept ── their turn ──> an agent rings, and sees whom it will call
                             ├ it doesn't answer ──> kept
                             └ it answers ──> the caller rings ──> they talk
                                                    └ doesn't answer ──> kept, MOST_ATTEMPTS times
    older than LONGEST_SECONDS ──> forgotten

Each is written down before its caller hears that it is kept, so that it outlives the process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from dialplan.decision import Decision, Facts, ToPerson, ToTrunks
from dialplan.plan import Service
from dialplan.routing import route
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.calls.happenings import LegEnded
from pbx.calls.intervals import turn
from pbx.calls.summons import begin, summon
from pbx.queues.place import Place
from pbx.records import CallBackRecord, Personal
from sip.core.errors import RemoteProtocolError

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

RING_SECONDS = 20
MOST_ATTEMPTS = 3
MOST_KEPT = 1000
LONGEST_SECONDS = 12 * 3600.0
CONVERSATION = "call-back"  # how agent and caller came together (pbx.records.LegRecord)
_NOT_REACHED = {
    "fr": "La personne à rappeler ne répond pas.",
    "en": "Whoever wanted to be called back does not answer.",
}


class CallBacks:
    """Those of one node."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._kept: dict[str, Place] = {}  # by the call in which it was asked
        self._attempts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, place: Place) -> bool:
        return self._kept.get(place.call) is place

    def of(self, queue: str) -> list[Place]:
        """Those who are to be called back from a queue, the next one first."""
        found = (place for place in self._kept.values() if place.service.name == queue)
        return sorted(found, key=lambda place: place.turn)

    def all(self) -> list[Place]:
        """Those of every queue."""
        return list(self._kept.values())

    def may_be_called(self, place: Place) -> bool:
        """Whether an agent has the right to call somebody: nobody makes us pay for an expensive call by the
        number that they show, or call for help."""
        exchange = self._exchange
        plan, now = exchange.plan, datetime.fromtimestamp(exchange.clock(), UTC)
        conditions = exchange.conditions.at(exchange.clock())
        for agent in place.agents:
            facts = Facts(place.number, caller=agent, conditions=conditions, spending=exchange.spending)
            target = route(plan, facts, now).target
            if isinstance(target, ToPerson) or (isinstance(target, ToTrunks) and not target.emergency):
                return True
        return False

    def keep(self, asked: Place) -> bool:
        """Keep the place of a caller who is about to hang up; False where that isn't possible now."""
        exchange = self._exchange
        same = any(
            place.number == asked.number and place.service.name == asked.service.name
            for place in self._kept.values()
        )
        if same or len(self._kept) >= MOST_KEPT or exchange.journal.exhausted:
            return same
        record = CallBackRecord(asked.call, asked.service.name, asked.number, asked.since, asked.turn)
        exchange.write(record)
        self._add(record, asked.service)
        return True

    def restore(self, records: Iterable[Personal]) -> int:
        """Take what a process before has written; returns how many there are."""
        oldest = self._exchange.clock() - LONGEST_SECONDS
        for record in records:
            if not isinstance(record, CallBackRecord) or record.over:
                continue
            service = self._exchange.plan.services.get(record.queue)
            if record.since >= oldest and service is not None and service.type == "queue":
                self._add(record, service)
        return len(self._kept)

    def _add(self, record: CallBackRecord, service: Service) -> None:
        exchange = self._exchange
        place = Place(
            record.call,
            record.number,
            service,
            exchange.queues.members(service),
            record.since,
            record.turn,
            exchange.driver.now,
            lambda: self._call_agent(place),
            ready=True,
        )
        self._kept[record.call] = place
        exchange.queues.add(place)

    def forget(self, place: Place) -> None:
        """It was called, or isn't to be any more."""
        del self._kept[place.call]
        self._attempts.pop(place.call, None)
        self._exchange.write(
            CallBackRecord(place.call, place.service.name, place.number, place.since, place.turn, True)
        )
        self._exchange.queues.remove(place)

    def _call_agent(self, place: Place) -> None:
        """Its turn has come, or nobody is there any more."""
        exchange = self._exchange
        if exchange.clock() - place.since > LONGEST_SECONDS:
            log.warning("queue=%s number=%s was never called back", place.service.name, place.number)
            self.forget(place)
            return
        if not place.offered:
            return
        (agent, *others), place.offered = place.offered, []
        exchange.queues.agents.stop(others)
        person = exchange.plan.people.get(agent)
        name = person.name if person is not None else ""
        decision = Decision(ToPerson(agent, name), place.number, "", agent, name, ())
        if place.service.record is not None:  # it is the same caller's call
            decision = decision._replace(recorded_lines=(place.service.name,))
        if not begin(exchange, decision, agent, partial(self._serve, place=place, agent=agent)):
            exchange.queues.rang(place, [agent], in_vain=True)

    async def _serve(self, call: Call, *, place: Place, agent: str) -> None:
        """Ring the agent, who sees whom it will call, and then call the caller."""
        service, queues = place.service, self._exchange.queues
        call.reached, call.via, call.parents, call.to = "queue", service.name, (place.call,), place.number
        call.facts = Facts(place.number, caller=agent)
        seconds = service.settings.get("ring_seconds", RING_SECONDS)
        assert isinstance(seconds, int)
        in_vain = True
        try:
            try:
                why = await summon(call, agent, seconds, place.number, service.name)
            finally:
                for leg in call.legs:
                    leg.reached, leg.via = call.reached, call.via
            in_vain = why != ""
            if not in_vain:
                attendant = Attendant(call)
                attendant.go_on()
                why = await self._call_caller(place, attendant)
                await attendant.say(_NOT_REACHED)
                attendant.hang_up(why)
            call.cause = why
        finally:
            if place.call in self._kept:
                queues.rang(place, [agent], in_vain=in_vain)
            else:
                queues.agents.stop([agent])

    async def _call_caller(self, place: Place, agent: Attendant) -> str:
        """The agent has answered, and hears ringback while the caller is called; returns why that failed."""
        call, exchange = agent.call, self._exchange
        attempts = self._attempts[place.call] = self._attempts.get(place.call, 0) + 1
        turn(call, "transfer", (call.caller.name,), place.service.name)
        try:
            decision = exchange.router.decide_for(call.caller, place.number)
            why = await agent.pass_on(decision, reached=CONVERSATION)
        except RemoteProtocolError as error:  # the plan has changed: this agent may not call there any more
            why = f"refused: {error.status}"
        except LegEnded:
            if call.cause == "transferred":
                self.forget(place)
            raise
        if attempts >= MOST_ATTEMPTS:
            log.warning("queue=%s number=%s doesn't answer: %s", place.service.name, place.number, why)
            self.forget(place)
        return why
