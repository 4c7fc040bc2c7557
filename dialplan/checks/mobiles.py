"""Mobiles of people: whether they can ring, whose they are, and how they call in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from dialplan.checks import finding_at
from dialplan.checks.paths import exits, service_of
from dialplan.decision import Facts, Reject
from dialplan.finding import Finding
from dialplan.plan import Person, Plan
from dialplan.ringing import MOBILE
from dialplan.routing import route_to_mobile


def check_mobiles(plan: Plan, now: datetime) -> Iterator[Finding]:
    """What keeps a mobile from ringing, or from calling in. now: any instant; hours aren't looked at."""
    yield from _of_two_people(plan)
    yield from _that_can_not_ring(plan, now)
    yield from _reached_by_no_mobile(plan)


def _of_two_people(plan: Plan) -> Iterator[Finding]:
    holders: dict[str, Person] = {}
    for person in plan.people.values():
        if not person.mobile:
            continue
        first = holders.setdefault(person.mobile, person)
        if first is not person:
            message = f"{person.mobile} is the mobile of {first.extension} and of {person.extension}"
            hint = f"a call from it is taken for {person.extension}'s; give it to one of them"
            yield finding_at(plan, "shared_mobile", "warning", person, message, hint)


def _that_can_not_ring(plan: Plan, now: datetime) -> Iterator[Finding]:
    for person in plan.people.values():
        if not any(MOBILE in turn.devices for turn in person.turns):
            continue
        decision = route_to_mobile(plan, Facts(person.extension), now, person.extension)
        if isinstance(decision.target, Reject):
            why = decision.trace[-1]
            message = f"the mobile of {person.extension} never rings: {why.rule}: {why.outcome}"
            hint = "give it a trunk that may show a number of ours, or take `ring:` away"
            yield finding_at(plan, "silent_mobile", "warning", person, message, hint)


def _reached_by_no_mobile(plan: Plan) -> Iterator[Finding]:
    led_to = {
        found.name
        for service in plan.services.values()
        for way in exits(service)
        for found in service_of(plan, way.to)
    }
    for service in plan.services.values():
        if service.type == "callthrough" and service.public is None and service.name not in led_to:
            message = f"no mobile reaches call-through {service.name}: it has no public number"
            yield finding_at(plan, "unreachable_service", "warning", service, message, "add `public:`")
