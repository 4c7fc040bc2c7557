"""Rules without effect: shadowed routes, trunks and schedules nobody uses, hours that never come."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from dialplan.checks import finding_at
from dialplan.document import did_you_mean
from dialplan.finding import Finding
from dialplan.plan import Plan, Rate, Route
from dialplan.schedule import DatedInterval, Schedule, holiday_dates


def check_rules(plan: Plan) -> Iterator[Finding]:
    """Every finding about rules that match nothing and parts that nothing uses."""
    yield from _routes(plan)
    yield from _trunks(plan)
    yield from _schedules(plan)
    yield from _groups(plan)


def _routes(plan: Plan) -> Iterator[Finding]:
    """The first route for a number is used: one whose numbers all have an earlier one never is."""
    earlier: dict[str, Route] = {}
    for rule in plan.routes:
        reach = plan.country.rights_below(rule.to) if rule.to[0] == "+" else {rule.to}
        shadows = [earlier[end] for end in _beginnings(rule.to) if end in earlier]
        by_right = [earlier[right] for right in reach if right in earlier]
        if not reach:
            message = f"this route can never match: no number that can be called begins with {rule.to}"
            yield finding_at(plan, "never_matches", "warning", rule, message, "correct it or remove it")
        elif shadows or (rule.to.startswith("+") and len(by_right) == len(reach)):
            shadow = min([*shadows, *by_right], key=lambda item: item.line)
            message = (
                f"this route can never match: an earlier one, to {shadow.to}, takes all calls to {rule.to}"
            )
            hint = f"see line {shadow.line}; put the more particular one first"
            yield finding_at(plan, "shadowed_route", "warning", rule, message, hint)
        if not rule.schedule:  # outside its hours, a route leaves calls to the next one
            earlier.setdefault(rule.to, rule)
        if rule.cheapest and not any(_may_be_for(rate, rule, reach) for rate in plan.rates):
            message = f"no trunk has a rate for calls to {rule.to}: this route leads nowhere"
            yield finding_at(plan, "no_rate", "error", rule, message, "add rates to `rates:`, or name trunks")


def _may_be_for(rate: Rate, rule: Route, reach: Collection[str]) -> bool:
    """Whether a rate may be for some calls of a route."""
    if rate.to in reach or rate.to.startswith(rule.to):
        return True
    return rate.to[0] == "+" and (rule.to[0] != "+" or rule.to.startswith(rate.to))


def _beginnings(to: str) -> Iterator[str]:
    """What takes every number that a route takes: itself, and shorter beginnings."""
    yield to
    if to.startswith("+"):
        for end in range(2, len(to)):
            yield to[:end]


def _trunks(plan: Plan) -> Iterator[Finding]:
    used = {name for site in plan.sites.values() for name in site.trunks}
    used.update(name for rule in plan.routes for name in rule.via)
    if any(rule.cheapest for rule in plan.routes):
        used.update(rate.trunk for rate in plan.rates)
    for trunk in plan.trunks.values():
        if trunk.name not in used:
            message = f"no call goes out by trunk {trunk.name}, except an emergency when all others fail"
            hint = "name it in `trunks:` of a site or in a route"
            yield finding_at(plan, "unused_trunk", "warning", trunk, message, hint)


def _schedules(plan: Plan) -> Iterator[Finding]:
    used = {service.schedule for service in plan.services.values()}
    used.update(rule.schedule for rule in plan.routes)
    used.update(rate.schedule for rate in plan.rates)
    used.update(budget.closed for budget in plan.budgets)
    for schedule in plan.schedules.values():
        if schedule.name not in used:
            message = f"nothing uses schedule {schedule.name}"
            yield finding_at(plan, "unused_schedule", "note", schedule, message)
        if not schedule.weekly and all(_is_hidden(schedule, item) for item in schedule.dated):
            message = f"schedule {schedule.name} never opens"
            hint = "add hours to `open:`, or send the calls elsewhere without it"
            yield finding_at(plan, "never_open", "warning", schedule, message, hint)
        for item in schedule.dated:
            if _is_hidden(schedule, item):
                message = (
                    f"schedule {schedule.name} stays closed on {item.start:%Y-%m-%d}: "
                    "closings and public holidays win over openings"
                )
                yield finding_at(plan, "hidden_interval", "warning", item, message, "remove one of the two")


def _is_hidden(schedule: Schedule, item: DatedInterval) -> bool:
    """Whether closings cover all of a dated opening."""
    moment = item.start
    while moment < item.end:
        ends = [closed.end for closed in schedule.closed if closed.start <= moment < closed.end]
        if schedule.holidays and moment.date() in holiday_dates(schedule.holidays, moment.year):
            ends.append(datetime.combine(moment.date(), datetime.min.time()) + timedelta(days=1))
        if not ends:
            return False
        moment = max(ends)
    return True


def _groups(plan: Plan) -> Iterator[Finding]:
    groups = {name for person in plan.people.values() for name in person.groups}
    for group in plan.groups.values():
        if plan.people and group.name not in groups:
            message = f'nobody is in group "{group.name}"'
            yield finding_at(plan, "empty_group", "warning", group, message, did_you_mean(group.name, groups))
