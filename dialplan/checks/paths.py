"""Where calls go on from a service: circles, dead ends, services nobody reaches, numbers that cost.

A service is left by itself (closed, full, no answer) or by a key that the caller presses. A circle of the
first kind rings for ever; menus may lead back and forth as long as one of them leads out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dialplan.checks import absence, finding_at
from dialplan.country import OutsideNumber
from dialplan.finding import Finding
from dialplan.plan import Destination, Members, Overflow, Placed, Plan, RingStep, Service, ToStep


@dataclass(frozen=True, slots=True)
class Exit:
    """One way out of a service. how: `closed`, `full`, `no answer` or `key`."""

    how: str
    to: Destination


def exits(service: Service) -> Iterator[Exit]:
    """Every way out of a service, in the order of its life."""
    if service.when_closed is not None:
        yield Exit("closed", service.when_closed)
    for name, setting in service.settings.items():
        if isinstance(setting, Overflow):
            yield Exit("full", setting.to)
        elif isinstance(setting, Destination):
            yield Exit("no answer", setting)
        elif name == "choices" and isinstance(setting, Mapping):
            for to in setting.values():
                if isinstance(to, Destination):
                    yield Exit("key", to)
        elif isinstance(setting, tuple) and setting and isinstance(setting[-1], ToStep):
            yield Exit("no answer", setting[-1].to)


def service_of(plan: Plan, to: Destination) -> tuple[Service, ...]:
    """The service that a destination names or whose number it is, as a tuple of one; empty for none."""
    found = (plan.services if to.kind == "service" else plan.tables.services).get(to.value)
    return (found,) if found is not None and to.kind != "outside" else ()


def check_paths(plan: Plan) -> Iterator[Finding]:
    """Every finding about the ways from service to service."""
    yield from _circles(plan)
    yield from _menus(plan)
    yield from _languages(plan)
    yield from _dead_ends(plan)
    yield from _unreachable(plan)
    yield from _outside_destinations(plan)
    yield from _forwards(plan)


def _circles(plan: Plan) -> Iterator[Finding]:
    """Closed services in a circle are `checking`'s; here nobody answers, and the call comes back."""
    onward = {
        service.name: tuple(
            following.name
            for exit_ in exits(service)
            if exit_.how != "key"
            for following in service_of(plan, exit_.to)
        )
        for service in plan.services.values()
    }
    closed = {
        service.name: tuple(
            item.name for to in (service.when_closed,) if to is not None for item in service_of(plan, to)
        )
        for service in plan.services.values()
    }
    told: set[str] = set()
    for service in plan.services.values():
        way = _way_back(service.name, onward)
        if not way or service.name in told:
            continue
        told.update(way)
        if _way_back(service.name, closed):
            continue
        message = f"a call that nobody answers goes in a circle: {' -> '.join(way)}"
        hint = "let one of them end elsewhere, for example in a voicemail"
        yield finding_at(plan, "endless_circle", "warning", service, message, hint)


def _way_back(start: str, onward: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The shortest way from a service back to itself, both ends included; empty when there is none."""
    came_from: dict[str, str] = {}
    frontier = [start]
    while frontier:
        reached: list[str] = []
        for name in frontier:
            for following in onward[name]:
                if following == start:
                    way = [start, name]
                    while way[-1] != start:
                        way.append(came_from[way[-1]])
                    return tuple(reversed(way)) if name != start else (start, start)
                if following not in came_from:
                    came_from[following] = name
                    reached.append(following)
        frontier = reached
    return ()


def _menus(plan: Plan) -> Iterator[Finding]:
    """Menus that only ever lead to menus: whatever is pressed, nobody is reached."""
    menus = {service.name: service for service in plan.services.values() if service.type == "menu"}
    leading_out: set[str] = set()
    grown = True
    while grown:
        before = len(leading_out)
        for name, menu in menus.items():
            if name not in leading_out and any(
                _ends(plan, way.to, menus, leading_out) for way in exits(menu)
            ):
                leading_out.add(name)
        grown = len(leading_out) > before
    for name, menu in menus.items():
        if name not in leading_out:
            message = f"menu {name} never leads out: whatever is pressed, the caller hears menus"
            hint = "let a key or `otherwise:` lead to a person or to a service of another type"
            yield finding_at(plan, "menu_loop", "error", menu, message, hint)


def _ends(plan: Plan, to: Destination, menus: Mapping[str, Service], leading_out: set[str]) -> bool:
    return all(found.name not in menus or found.name in leading_out for found in service_of(plan, to))


def _languages(plan: Plan) -> Iterator[Finding]:
    """Menus whose key chooses a language that they don't speak."""
    for service in plan.services.values():
        chosen = service.settings.get("languages", {})
        for language in chosen.values() if isinstance(chosen, Mapping) else ():
            if language not in service.texts("prompt"):
                message = (
                    f"a key of menu {service.name} chooses {language}, and its prompt isn't written in it"
                )
                yield finding_at(
                    plan, "no_text", "warning", service, message, f"add {language}: … to `prompt:`"
                )


_LAST_DESTINATION = {
    "group": ("otherwise", "when nobody answers, the caller is hung up on", "add `otherwise: {to: …}`"),
    "menu": ("otherwise", "a caller who presses nothing is hung up on", "add `otherwise: {to: …}`"),
    "web": ("otherwise", "a caller is hung up on when the web gives no answer", "add `otherwise: {to: …}`"),
    "queue": (
        "when_full",
        "a caller whom nobody answers waits for ever",
        "add `when_full: {after_seconds: 120, to: …}`",
    ),
}


def _dead_ends(plan: Plan) -> Iterator[Finding]:
    """Services with no last destination. Parking, fax, voicemail, rooms, pages and echoes are ends."""
    for service in plan.services.values():
        if service.type in _LAST_DESTINATION:
            key, what, hint = _LAST_DESTINATION[service.type]
            if key not in service.settings:
                message = f"{service.type} {service.name} has no last destination: {what}"
                yield finding_at(plan, "dead_end", "warning", service, message, hint)
        steps = service.settings.get("steps")
        if service.type == "hotline" and not (
            isinstance(steps, tuple) and steps and isinstance(steps[-1], ToStep)
        ):
            message = f"hotline {service.name} has no last destination: after its last step nobody is called"
            yield finding_at(plan, "dead_end", "warning", service, message, "end it with a step `{to: …}`")
        agents = service.settings.get("agents")
        if isinstance(agents, Members) and not people_of(plan, agents):
            message = f"queue {service.name} is served by nobody"
            hint = "give people its group, or name other `agents:`"
            yield finding_at(plan, "queue_unserved", absence(plan), service, message, hint)


def people_of(plan: Plan, members: Members) -> tuple[str, ...]:
    """The extensions and outside numbers of a list of members, each once."""
    numbers = [number for number in members.numbers if number[0] == "+" or number in plan.people]
    wanted_groups, wanted_sites = set(members.groups), set(members.sites)
    if wanted_groups or wanted_sites:
        numbers += [
            caller.person.extension
            for caller in plan.tables.callers.values()
            if wanted_groups.intersection(caller.person.groups) or caller.site in wanted_sites
        ]
    return tuple(dict.fromkeys(numbers))


def _unreachable(plan: Plan) -> Iterator[Finding]:
    """Services that no number and no other reachable service leads to."""
    entries = [service for service in plan.services.values() if service.numbers or service.public]
    starts = [plan.unassigned, *(alarm.escalate for alarm in plan.alarms.values())]
    if plan.screening is not None and isinstance(plan.screening.anonymous, Destination):
        starts.append(plan.screening.anonymous)
    entries += [found for to in starts if to is not None for found in service_of(plan, to)]
    reached = {service.name for service in entries}
    while entries:
        service = entries.pop()
        for way in exits(service):
            for following in service_of(plan, way.to):
                if following.name not in reached:
                    reached.add(following.name)
                    entries.append(following)
    for service in plan.services.values():
        if service.name not in reached:
            message = f"nobody can reach service {service.name}"
            hint = "give it a `number:`, or name it where calls are sent"
            yield finding_at(plan, "unreachable_service", "warning", service, message, hint)


def _outside_destinations(plan: Plan) -> Iterator[Finding]:
    """Outside numbers that the plan itself calls: possible ones, and never at a premium."""
    for number, part, where in _outside_numbers(plan):
        reading = plan.country.read(number)
        if not isinstance(reading, OutsideNumber):
            message = f"{number}, {where}, can't be called: {reading.why}"
            yield finding_at(plan, "impossible_number", "error", part, message, "write it whole, as +33…")
        elif reading.right == "premium":
            message = f"{number}, {where}, is a premium number: nobody chooses to pay for that call"
            yield finding_at(plan, "premium_destination", "error", part, message, "name another number")


def _forwards(plan: Plan) -> Iterator[Finding]:
    """Forwards that come back to whom they left, or that lead to nobody."""
    onward = {
        person.extension: tuple(to for to in person.forwards.destinations if to in plan.people)
        if person.forwards is not None
        else ()
        for person in plan.people.values()
    }
    told: set[str] = set()
    for person in plan.people.values():
        if person.forwards is None:
            continue
        way = _way_back(person.extension, onward)
        if way and person.extension not in told:
            told.update(way)
            message = f"forwards go in a circle: {' -> '.join(way)}"
            hint = "the call ends there; let one of them end elsewhere"
            yield finding_at(plan, "loop", "error", person, message, hint)
        for to in person.forwards.destinations:
            if not to.startswith("+") and to not in plan.people and not plan.tables.holder_of(to):
                message = f"user {person.extension} forwards to {to}, which nobody has"
                hint = "an outside number is written whole, with + and the country code"
                yield finding_at(plan, "unknown_number", "error", person, message, hint)


def _outside_numbers(plan: Plan) -> Iterator[tuple[str, Placed, str]]:
    if plan.unassigned is not None and plan.unassigned.kind == "outside":
        yield plan.unassigned.value, plan.unassigned, "where unassigned numbers lead"
    for service in plan.services.values():
        where = f"where service {service.name} sends calls"
        for way in exits(service):
            if way.to.kind == "outside":
                yield way.to.value, way.to, where
        for setting in service.settings.values():
            parts: Iterable[object] = setting if isinstance(setting, tuple) else (setting,)
            for part in parts:
                members = part.members if isinstance(part, RingStep) else part
                if isinstance(members, Members):
                    for number in members.numbers:
                        if number[0] == "+":
                            yield number, members, f"whom service {service.name} rings"
    for person in plan.people.values():
        if person.forwards is not None:
            for number in person.forwards.destinations:
                if number.startswith("+"):
                    yield number, person, f"where user {person.extension} forwards calls"
    if plan.screening is not None and isinstance(plan.screening.anonymous, Destination):
        to = plan.screening.anonymous
        if to.kind == "outside":
            yield to.value, to, "where anonymous callers go"
    for alarm in plan.alarms.values():
        if alarm.escalate is not None and alarm.escalate.kind == "outside":
            yield alarm.escalate.value, alarm.escalate, f"where alarm {alarm.name} escalates"
        for number in alarm.call.numbers:
            if number[0] == "+":
                yield number, alarm.call, f"whom alarm {alarm.name} calls"
