"""Where a call goes: `route(plan, facts, now)`, a pure function that always has an answer.

The order is the promise: an emergency number, whole, before anything else; then people, services and
alarms by their number inside; then feature codes; then the ranges that nobody holds; then outside, with
the outside prefix first and without it where that isn't a possible number.

A call that arrives on a trunk only reaches our public numbers. Every rule looked at leaves a step with its
plan line (0: built in, or people of the database), so that the way can be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from dialplan.budgets import NOTHING_SPENT, Budget, Spending, refusal
from dialplan.country import EmergencyNumber, OutsideNumber
from dialplan.decision import (
    BUDGET,
    CLOSED,
    LOOP,
    NO_CALLER_ID,
    NO_TRUNK,
    NOT_ALLOWED,
    UNKNOWN,
    Decision,
    Facts,
    Reject,
    Step,
    Target,
    ToFeature,
    ToPerson,
    ToService,
    ToTrunks,
)
from dialplan.dialled import read_dialled
from dialplan.document import shortened
from dialplan.plan import Destination, ExtensionRange, Plan, Service
from dialplan.schedule import Opening, opening
from dialplan.tables import INTERNAL_ONLY, Caller

__all__ = [
    "Decision",
    "Facts",
    "Reject",
    "Step",
    "Target",
    "ToFeature",
    "ToPerson",
    "ToService",
    "ToTrunks",
    "route",
]

_NOT_EMERGENCY = Step(0, "emergency numbers", "not one, in any form")
_MAX_DIGITS = 32
_MAX_REDIRECTIONS = 16


def route(plan: Plan, facts: Facts, now: datetime) -> Decision:
    """Where the call goes at `now`, an aware datetime. Never raises, for any string."""
    dialled = read_dialled(facts.dialled, plan.country)
    if facts.trunk is not None:
        return _from_trunk(plan, facts, dialled, now)
    caller = plan.tables.callers.get(facts.caller) if facts.caller is not None else None
    site, site_step = _site(plan, facts, caller)
    emergency = plan.tables.emergency.get(dialled)
    if emergency is not None:
        return _emergency(plan, caller, site, dialled, emergency, site_step)
    way = _Way(
        plan=plan,
        now=now,
        dialled=dialled,
        site=site,
        caller=caller,
        caller_id=facts.caller,
        caller_name=caller.person.name if caller is not None else None,
        trace=[site_step, _NOT_EMERGENCY],
        spending=facts.spending,
    )
    return _from_inside(way)


@dataclass(slots=True)
class _Way:
    """One call on its way through the plan: what it is, what it shows, and the steps so far.

    public: the number of ours that was called from outside, "" for none. via: the services passed through.
    """

    plan: Plan
    now: datetime
    dialled: str
    site: str
    caller: Caller | None
    caller_id: str | None
    caller_name: str | None
    trace: list[Step]
    public: str = ""
    via: tuple[str, ...] = ()
    spending: Spending = NOTHING_SPENT

    def step(self, line: int, rule: str, outcome: str) -> None:
        self.trace.append(Step(line, rule, outcome))

    def opening(self, name: str) -> Opening:
        """Whether a schedule is open. The only way to look at the time, and it always leaves a step."""
        hours = opening(self.plan.schedules[name], self.now)
        self.trace.append(Step(hours.line, f"schedule {name}", hours.why))
        return hours

    def decide(self, target: Target) -> Decision:
        return Decision(target, self.dialled, self.site, self.caller_id, self.caller_name, tuple(self.trace))


def _site(plan: Plan, facts: Facts, caller: Caller | None) -> tuple[str, Step]:
    """The device's site: its address, else its configuration, else its person's site, else the default."""
    if facts.address is not None:
        by_address = plan.tables.networks.find(facts.address)
        if by_address:
            return by_address, Step(
                plan.sites[by_address].line, "site", f"{by_address}, by the device's address"
            )
    if facts.site is not None and facts.site in plan.sites:
        line = plan.sites[facts.site].line
        return facts.site, Step(line, "site", f"{facts.site}, by the device's configuration")
    if caller is not None and caller.site in plan.sites:
        line = plan.sites[caller.site].line
        return caller.site, Step(line, "site", f"{caller.site}, assumed from the person's site")
    if plan.default_site in plan.sites:
        line = plan.sites[plan.default_site].line
        return plan.default_site, Step(line, "site", f"{plan.default_site}, assumed: nothing tells another")
    return "", Step(0, "site", "none: the plan has no site")


def _emergency(
    plan: Plan, caller: Caller | None, site: str, dialled: str, emergency: EmergencyNumber, site_step: Step
) -> Decision:
    """No right, prefix or schedule is looked at: the site's trunks, then all others."""
    trunks = plan.tables.emergency_trunks.get(site, ())
    direct = caller.direct if caller is not None else None
    # Somebody without a site of their own is at home where the plan says that their devices are.
    at_home = caller is not None and (caller.site or plan.default_site) == site
    main = plan.sites[site].main_number if site in plan.sites else None
    if at_home:
        caller_id = direct or main
    else:
        caller_id = main or direct  # the direct number is better than nothing for those who must call back
    name = emergency.names.get(plan.language) or next(iter(emergency.names.values()), "")
    whose = "the caller's direct number" if caller_id == direct else "the site's main number"
    return Decision(
        ToTrunks(emergency.number, trunks, True),
        dialled,
        site,
        caller_id,
        caller.person.name if caller is not None else None,
        (
            site_step,
            Step(emergency.line, "emergency numbers", f"{emergency.number}, {name}"),
            Step(site_step.line, "emergency trunks", ", ".join(trunks) or "none: the plan has no trunk"),
            Step(site_step.line, "caller ID", f"{caller_id}, {whose}" if caller_id else "none"),
        ),
    )


def _from_inside(way: _Way) -> Decision:
    """A call of a device of ours that isn't an emergency."""
    tables, dialled = way.plan.tables, way.dialled
    callee = tables.callers.get(dialled)
    if callee is not None:
        return _to_person(way, callee) if _has_right(way, "internal") else way.decide(NOT_ALLOWED)
    service = tables.services.get(dialled)
    if service is not None:
        return _to_service(way, service, dialled) if _has_right(way, "internal") else way.decide(NOT_ALLOWED)
    alarm = tables.alarms.get(dialled)
    if alarm is not None:
        way.step(alarm.line, f"alarm {alarm.name}", f"raised by dialling {dialled}")
        return way.decide(ToFeature("alarm", alarm.name))
    for feature in _feature(way):
        return way.decide(feature)
    for held in tables.extensions.find(dialled):
        way.step(held.line, f"range {held.numbers}", f"nobody has {dialled}")
        return way.decide(UNKNOWN)
    return _to_outside(way)


def _has_right(way: _Way, right: str) -> bool:
    """Whether the caller's class allows these calls. Leaves a step when it doesn't, or when it was asked."""
    caller = way.caller
    rights = caller.rights if caller is not None else INTERNAL_ONLY
    allowed = right in rights
    if allowed and right == "internal":
        return True
    name = caller.person.class_name if caller is not None else None
    if name is None or name not in way.plan.classes:
        line = caller.person.line if caller is not None else 0
        way.step(line, "class", f"the caller has none, so no right to {right} calls")
    else:
        outcome = f"allows {right} calls" if allowed else f"doesn't allow {right} calls"
        way.step(way.plan.classes[name].line, f"class {name}", outcome)
    return allowed


def _to_person(way: _Way, callee: Caller) -> Decision:
    person = callee.person
    way.step(person.line, f"user {person.extension}", f"rings {person.name}")
    return way.decide(ToPerson(person.extension, person.name))


def _feature(way: _Way) -> tuple[ToFeature, ...]:
    """The feature that these keys call, as a tuple of one; empty when they call none."""
    dialled = way.dialled
    fixed = way.plan.tables.codes.get(dialled)
    if fixed is not None:
        way.step(fixed.line, f"feature {fixed.name}", f"{fixed} was dialled")
        return (ToFeature(fixed.name, ""),)
    for pattern in way.plan.tables.patterns:
        if not (dialled.startswith(pattern.before) and dialled.endswith(pattern.after)):
            continue
        argument = dialled[len(pattern.before) : len(dialled) - len(pattern.after)]
        # The # that ends *21*0612345678# on other networks is accepted where the plan has none.
        argument = argument if pattern.after else argument.removesuffix("#")
        digits = argument.removeprefix("+") if pattern.argument == "number" else argument
        if digits.isascii() and digits.isdigit():
            way.step(pattern.line, f"feature {pattern.name}", f"{pattern} with {argument}")
            return (ToFeature(pattern.name, argument),)
    if dialled[:1] in ("*", "#"):
        way.step(0, "features", "no code matches")
    return ()


def _to_outside(way: _Way) -> Decision:
    """A number that isn't inside: one of our public numbers without a trunk, or a call by trunk."""
    for number in _read_outside(way):
        if number.number in way.plan.tables.ours:
            if not _has_right(way, "internal"):
                return way.decide(NOT_ALLOWED)
            return _to_public(way, number.number)
        if not _has_right(way, number.right):
            return way.decide(NOT_ALLOWED)
        return _by_trunks(way, number, _own_numbers(way))
    return way.decide(UNKNOWN)


def _read_outside(way: _Way) -> tuple[OutsideNumber, ...]:
    """The outside number that the digits call, as a tuple of one; empty when they call none."""
    dialled, prefix, country = way.dialled, way.plan.outside_prefix, way.plan.country
    if dialled.startswith(prefix + "+"):
        dialled = dialled.removeprefix(prefix)  # a + leaves no doubt
    digits = dialled.removeprefix("+")
    if len(digits) > _MAX_DIGITS or not (digits.isascii() and digits.isdigit()):
        way.step(0, "outside", f'"{shortened(dialled)}" is no telephone number')
        return ()
    if prefix and dialled.startswith(prefix):
        reading = country.read(dialled[len(prefix) :])
        if isinstance(reading, OutsideNumber):
            way.step(0, f"outside prefix {prefix}", f"calls {reading.number} ({reading.right})")
            return (reading,)
        way.step(0, f"outside prefix {prefix}", f"not read with it: {reading.why}")
    reading = country.read(dialled)
    if isinstance(reading, OutsideNumber):
        way.step(0, "outside", f"calls {reading.number} ({reading.right})")
        return (reading,)
    way.step(0, "outside", f"{dialled} calls nothing: {reading.why}")
    return ()


def _own_numbers(way: _Way) -> tuple[str, ...]:
    """What may be shown for a caller, best first: the direct number, then the sites' main numbers.

    The person's site comes before the device's: a call from any device shows the person's number.
    """
    names = [way.caller.site, way.site] if way.caller is not None else [way.site]
    numbers = [way.plan.sites[name].main_number for name in names if name in way.plan.sites]
    direct = way.caller.direct if way.caller is not None else None
    return tuple(dict.fromkeys(number for number in (direct, *numbers) if number))


def _by_trunks(way: _Way, number: OutsideNumber, candidates: tuple[str, ...]) -> Decision:
    """The trunks for an outside number that may show a number of ours, trying each of those in turn."""
    plan = way.plan
    trunks, step = _trunk_order(way, number)
    way.trace.append(step)
    if not trunks:
        return way.decide(NO_TRUNK)
    if plan.budgets:
        trunks = _within_budgets(way, number, trunks)
        if not trunks:
            return way.decide(BUDGET)
    for candidate in candidates:
        able = tuple(trunk for trunk in trunks if candidate in plan.tables.shown[trunk])
        if able:
            way.step(plan.trunks[able[0]].line, "caller ID", f"{candidate}, by {', '.join(able)}")
            way.caller_id = candidate
            return way.decide(ToTrunks(number.number, able, False))
        way.step(plan.trunks[trunks[0]].line, "caller ID", f"{candidate}: none of these trunks may show it")
    if candidates:
        return way.decide(NO_CALLER_ID)
    way.step(step.line, "caller ID", "none: neither the caller nor the site has a public number")
    way.caller_id = None
    return way.decide(ToTrunks(number.number, trunks, False))


def _within_budgets(way: _Way, number: OutsideNumber, trunks: tuple[str, ...]) -> tuple[str, ...]:
    """The trunks over which no budget refuses the call; none when a budget of its own does."""
    local = way.now.astimezone(ZoneInfo(way.plan.timezone))
    user = way.caller.person.extension if way.caller is not None else ""
    for budget in way.plan.budgets:
        if not budget.is_for(number.number, number.right) or not _holds(way, budget):
            continue
        window = budget.window(local)
        for trunk in trunks if budget.each == "trunk" else trunks[:1]:
            key = budget.key(user, trunk, number.number)
            why = refusal(budget, key, way.spending.spent(budget, key, window)) if key else ""
            if not why:
                continue
            way.step(budget.line, f"budget {budget.name}", why)
            if budget.each != "trunk":
                return ()
            trunks = tuple(other for other in trunks if other != trunk)
    return trunks


def _holds(way: _Way, budget: Budget) -> bool:
    """Whether a budget holds now: always, or outside a schedule's hours."""
    return not budget.closed or not way.opening(budget.closed).is_open


def _trunk_order(way: _Way, number: OutsideNumber) -> tuple[tuple[str, ...], Step]:
    for rule in way.plan.tables.routes_for(number.right, number.number):
        return rule.via, Step(rule.line, f"route to {rule.to}", ", ".join(rule.via))
    if way.site not in way.plan.sites:
        return (), Step(0, "trunks", "none: the plan has no site")
    site = way.plan.sites[way.site]
    return site.trunks, Step(site.line, f"trunks of site {site.name}", ", ".join(site.trunks) or "none")


def _from_trunk(plan: Plan, facts: Facts, dialled: str, now: datetime) -> Decision:
    """A call from outside: our public numbers, and nothing else."""
    trunk = plan.trunks.get(facts.trunk or "")
    line = trunk.line if trunk is not None else 0
    number, name = _outside_caller(plan, facts)
    way = _Way(
        plan=plan,
        now=now,
        dialled=dialled,
        site=plan.default_site,
        caller=None,
        caller_id=number,
        caller_name=name,
        trace=[Step(line, "trunk", f"the call arrives on {shortened(facts.trunk or '')}")],
        spending=facts.spending,
    )
    called = plan.country.international_form(dialled)
    if called in plan.tables.ours:
        return _to_public(way, called)
    way.step(0, "public numbers", f'"{shortened(dialled)}" is none of ours')
    return way.decide(UNKNOWN)


def _outside_caller(plan: Plan, facts: Facts) -> tuple[str | None, str | None]:
    """The number and the name of a caller from outside; a colleague's mobile has the colleague's name."""
    if facts.anonymous or not facts.caller_number:
        return None, None
    number = plan.country.international_form(read_dialled(facts.caller_number, plan.country))
    # E.164: at most 15 digits. What isn't a number is not shown as one.
    if not (number.isascii() and number[1:].isdigit() and len(number) <= 16):
        return None, None
    person = plan.tables.mobiles.get(number)
    return number, person.name if person is not None else None


def _to_public(way: _Way, number: str) -> Decision:
    """One of our public numbers: a service's, a direct number, or else where the unassigned ones go."""
    way.public = number
    service = way.plan.tables.public.get(number)
    if service is not None:
        way.step(service.line, "public number", f"{number} is that of service {service.name}")
        return _to_service(way, service)
    for block in way.plan.tables.direct.find(number):
        extension = _extension(block, number)
        callee = way.plan.tables.callers.get(extension)
        service = way.plan.tables.services.get(extension)
        outcome = "is that of" if callee or service else "is held by nobody: it would be that of"
        way.step(block.line, "direct numbers", f"{number} {outcome} {extension}")
        if callee is not None:
            return _to_person(way, callee)
        if service is not None:
            return _to_service(way, service)
    if way.plan.unassigned is None:
        way.step(0, "unassigned", f"nobody holds {number}, and the plan says nothing of such numbers")
        return way.decide(UNKNOWN)
    to = way.plan.unassigned
    way.step(to.line, "unassigned", f"nobody holds {number}: to {to.value}")
    return _to_destination(way, to)


def _extension(block: ExtensionRange, number: str) -> str:
    """The number inside for a direct number of a block; "" where the block isn't one to one."""
    assert block.public is not None  # only blocks with a public range are in this table
    extension = block.numbers.at(block.public.position(number))
    return extension if extension in block.numbers else ""


def _to_service(way: _Way, service: Service, number: str = "") -> Decision:
    """A service, or where it sends its calls when its schedule is closed. number: the one dialled inside."""
    rule = f"service {service.name}"
    if service.name in way.via or len(way.via) >= _MAX_REDIRECTIONS:
        way.step(service.line, rule, "not followed: the plan goes in a circle")
        return way.decide(LOOP)
    if service.schedule is not None and not way.opening(service.schedule).is_open:
        if service.when_closed is None:
            way.step(service.line, rule, "closed, with nowhere to go")
            return way.decide(CLOSED)
        way.step(service.when_closed.line, rule, f"closed: to {service.when_closed.value}")
        way.via += (service.name,)
        return _to_destination(way, service.when_closed)
    way.step(service.line, rule, f"answers ({service.type})")
    return way.decide(ToService(service.name, service.type, number))


def _to_destination(way: _Way, to: Destination) -> Decision:
    """Where the plan itself sends a call: no class is asked, since no caller chose it."""
    plan = way.plan
    if to.kind == "outside":
        reading = plan.country.read(to.value)
        if isinstance(reading, OutsideNumber):
            # The operators' rules (MAN, October 2024): a forwarded call shows a number of ours.
            main = plan.sites[way.site].main_number if way.site in plan.sites else None
            return _by_trunks(way, reading, tuple(item for item in (way.public, main) if item))
        way.step(to.line, "destination", f"{to.value} can't be called: {reading.why}")
        return way.decide(UNKNOWN)
    callee = plan.tables.callers.get(to.value) if to.kind == "inside" else None
    if callee is not None:
        return _to_person(way, callee)
    service = (plan.services if to.kind == "service" else plan.tables.services).get(to.value)
    if service is not None:
        return _to_service(way, service)
    way.step(to.line, "destination", f"nobody has {to.value}")
    return way.decide(UNKNOWN)
