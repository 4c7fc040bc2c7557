"""The public numbers of a plan: who brings them, who may show them, and where each one leads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

from dialplan.checks import absence, finding_at
from dialplan.decision import Facts, Reject
from dialplan.finding import Finding
from dialplan.plan import Placed, Plan, Trunk
from dialplan.ranges import NumberRange, RangeSet
from dialplan.regions import callers_of, outside_of
from dialplan.routing import route

_SOME_MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def check_owned(plan: Plan) -> Iterator[Finding]:
    """Every finding about numbers that trunks own and present."""
    yield from _owned_twice(plan)
    yield from _not_owned(plan)
    yield from _taken_by_a_service(plan)
    yield from _without_destination(plan)
    yield from _never_shown(plan)


def _owned_twice(plan: Plan) -> Iterator[Finding]:
    """An operator brings the calls to a number that it owns: two can't both."""
    owned = [(numbers, trunk) for trunk in plan.trunks.values() for numbers in trunk.owns]
    owned.sort(key=lambda entry: (len(entry[0].first), entry[0].first))
    for (first, one), (second, other) in pairwise(owned):
        if first.overlaps(second) and one is not other:
            message = f"trunk {other.name} owns {second}, and trunk {one.name} owns {first}"
            hint = f"see line {one.line}; one of them only presents it"
            yield finding_at(plan, "owned_twice", "warning", other, message, hint)


def _not_owned(plan: Plan) -> Iterator[Finding]:
    owned = RangeSet(numbers for trunk in plan.trunks.values() for numbers in trunk.owns)
    for service in plan.services.values():
        if plan.trunks and service.public is not None and service.public not in owned:
            message = f"no trunk owns {service.public}, the public number of service {service.name}"
            hint = "add it to `owns:` of the trunk that brings its calls"
            yield finding_at(plan, "public_not_owned", "warning", service, message, hint)


def _taken_by_a_service(plan: Plan) -> Iterator[Finding]:
    for service in plan.services.values():
        if service.public is None:
            continue
        for block in plan.tables.direct.find(service.public):
            assert block.public is not None  # only blocks with a public range are in this table
            extension = block.numbers.at(block.public.position(service.public))
            person = plan.people.get(extension)
            if person is not None:
                message = (
                    f"{service.public} is the direct number of {extension} ({person.name}), "
                    f"and service {service.name} takes its calls"
                )
                hint = f"see line {block.line}; give the service another number"
                yield finding_at(plan, "direct_number_taken", "warning", service, message, hint)


def _without_destination(plan: Plan) -> Iterator[Finding]:
    """Numbers that we show or own and where a call would meet "unknown"."""
    if plan.unassigned is not None or not plan.trunks:
        return
    hint = "give it to a service or a person, or say where `unassigned:` numbers lead"
    for site in plan.sites.values():
        number = site.main_number
        if number is not None and not leads_somewhere(plan, number):
            message = f"{number}, which site {site.name} shows, leads nowhere: whoever calls back is refused"
            yield finding_at(plan, "shown_without_destination", absence(plan), site, message, hint)
    blocks = RangeSet(item.public for item in plan.ranges if item.public is not None)
    for trunk in plan.trunks.values():
        yield from _owned_for_nothing(plan, trunk, blocks, hint)


def _owned_for_nothing(plan: Plan, trunk: Trunk, blocks: RangeSet, hint: str) -> Iterator[Finding]:
    for numbers in trunk.owns:
        if blocks.covers(numbers):
            continue  # direct numbers whose people may still come
        published = [number for number in plan.tables.public if number in numbers]
        inside = [block.public for block in plan.ranges if block.public and block.public.overlaps(numbers)]
        if len(published) + sum(len(_common(numbers, block)) for block in inside) < len(numbers):
            message = f"trunk {trunk.name} owns {numbers}, and not all of these numbers lead somewhere"
            if len(numbers) == 1:
                message = f"trunk {trunk.name} owns {numbers}, which leads nowhere"
            yield finding_at(plan, "owned_without_destination", "warning", trunk, message, hint)


def _common(one: NumberRange, other: NumberRange) -> NumberRange:
    return NumberRange(max(one.first, other.first), min(one.last, other.last))


def leads_somewhere(plan: Plan, number: str) -> bool:
    """Whether a call from outside to this number of ours reaches somebody or something."""
    if number in plan.tables.public or plan.unassigned is not None:
        return True
    for block in plan.tables.direct.find(number):
        assert block.public is not None  # only blocks with a public range are in this table
        extension = block.numbers.at(block.public.position(number))
        return extension in plan.people or extension in plan.tables.services
    return False


def check_nested_networks(plan: Plan) -> Iterator[Finding]:
    """A network inside one of another site: the longer one wins, which may not be what was meant."""
    placed: list[tuple[int, int, int, str, Placed]] = []
    for site in plan.sites.values():
        for network in site.networks:
            first, last = int(network.network_address), int(network.broadcast_address)
            placed.append((network.version, first, -last, str(network), site))
    placed.sort(key=lambda entry: entry[:3])
    around: list[tuple[int, int, int, str, Placed]] = []
    for entry in placed:
        while around and (around[-1][0] != entry[0] or -around[-1][2] < entry[1]):
            around.pop()
        if around and around[-1][4] is not entry[4] and around[-1][3] != entry[3]:
            outer = around[-1]
            message = f"network {entry[3]} lies in {outer[3]} of another site: the smaller one wins"
            yield finding_at(plan, "nested_networks", "note", entry[4], message, f"see line {outer[4].line}")
        around.append(entry)


def _never_shown(plan: Plan) -> Iterator[Finding]:
    """Calls that a class allows and that are always refused: none of their trunks may show a number of ours.

    Every kind of caller and of number outside is routed; one finding for each route, or site, that is in the
    way.
    """
    told: set[int] = set()
    plans = (plan, plan)
    outside = list(outside_of(plans))
    for callers in callers_of(plans):
        for dialled in outside if callers.example is not None else ():
            decision = route(plan, Facts(dialled.text, caller=callers.example), _SOME_MONDAY)
            if not (isinstance(decision.target, Reject) and decision.target.reason == "caller_id"):
                continue
            way = next(
                step for step in decision.trace if step.rule.startswith(("route to ", "trunks of site "))
            )
            if way.line not in told:
                told.add(way.line)
                message = (
                    f"user {callers.example} can't call {dialled.words}: "
                    f"no trunk of {way.outcome} may show a number of theirs"
                )
                hint = "add their numbers to `presents:` of one of these trunks"
                yield Finding("never_shown", "warning", plan.path, way.line, 1, message, hint)
