"""Calls outside: the number that digits call, the trunks for it, and the number of ours that they show."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from dialplan.budgets import Budget, refusal
from dialplan.country import OutsideNumber
from dialplan.decision import BUDGET, NO_CALLER_ID, NO_TRUNK, Decision, Step, ToTrunks
from dialplan.document import shortened
from dialplan.way import Way

_MAX_DIGITS = 32


def read_outside(way: Way, dialled: str) -> tuple[OutsideNumber, ...]:
    """The outside number that the digits call, as a tuple of one; empty when they call none.

    The outside prefix is read first; without it where that isn't a possible number, so that a missed call
    can be rung back as it was shown.
    """
    prefix, country = way.plan.outside_prefix, way.plan.country
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


def own_numbers(way: Way) -> tuple[str, ...]:
    """What may be shown for a caller, best first: what they chose, their own, the site's main number.

    The person's site comes before the device's: a call from any device shows the person's number.
    """
    numbers = way.caller.numbers if way.caller is not None else ()
    site = way.plan.sites.get(way.site)
    main = site.main_number if site is not None else None
    if main and main not in numbers:
        numbers = (*numbers, main)
    wanted = way.facts.shown
    if wanted is not None and not way.diversions:
        if wanted in numbers:
            return (wanted, *(number for number in numbers if number != wanted))
        way.step(0, "caller ID", f"{shortened(wanted)} was asked for, and isn't the caller's")
    return numbers


def by_trunks(way: Way, number: OutsideNumber, candidates: tuple[str, ...]) -> Decision:
    """The trunks for an outside number that may show a number of ours, trying each of those in turn."""
    plan = way.plan
    trunks, step = _trunk_order(way, number)
    way.trace.append(step)
    down = way.facts.conditions.trunks_down
    if down:
        trunks = _without_those_down(way, trunks, down)
    if not trunks:
        return way.decide(NO_TRUNK)
    if plan.budgets:
        trunks = _within_budgets(way, number, trunks)
        if not trunks:
            return way.decide(BUDGET)
    if way.facts.automated:
        candidates = _for_machines(way, candidates)
        if not candidates:
            return way.decide(NO_CALLER_ID)
    for candidate in candidates:
        able = tuple([trunk for trunk in trunks if candidate in plan.tables.shown[trunk]])
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


def _for_machines(way: Way, candidates: tuple[str, ...]) -> tuple[str, ...]:
    """The numbers that a machine which calls by itself may show."""
    able = tuple(number for number in candidates if way.plan.country.may_call_automatically(number))
    for number in candidates:
        if number not in able:
            way.step(0, "automated callers", f"{number}: the country's rules forbid that a machine shows it")
    if not candidates:
        way.step(0, "automated callers", "a machine must show a number, and there is none")
    return able


def _without_those_down(way: Way, trunks: tuple[str, ...], down: frozenset[str]) -> tuple[str, ...]:
    for name in trunks:
        if name in down:
            way.step(way.plan.trunks[name].line, f"trunk {name}", "is down")
    return tuple(name for name in trunks if name not in down)


def _trunk_order(way: Way, number: OutsideNumber) -> tuple[tuple[str, ...], Step]:
    """The trunks of the first route that is for the number and holds now, else those of the device's site."""
    for rule in way.plan.tables.routes_for(number.right, number.number):
        if way.thorough:
            _tell_others(way, number, rule.line)
        if rule.schedule and not way.opening(rule.schedule).is_open:
            way.step(rule.line, f"route to {rule.to}", f"only while {rule.schedule} is open")
            continue
        if rule.cheapest:
            via, costs = _cheapest(way, number)
            return via, Step(rule.line, f"route to {rule.to}", costs)
        return rule.via, Step(rule.line, f"route to {rule.to}", ", ".join(rule.via))
    if way.thorough:
        _tell_others(way, number, 0)
    site = way.plan.sites.get(way.site)
    if site is None:
        return (), Step(0, "trunks", "none: the plan has no site")
    return site.trunks, Step(site.line, f"trunks of site {site.name}", ", ".join(site.trunks) or "none")


def _tell_others(way: Way, number: OutsideNumber, before: int) -> None:
    """A step for each route above a line (0: each one) that isn't for the number and wasn't told yet."""
    told = {step.line for step in way.trace if step.rule.startswith("route to ")}
    for rule in way.plan.routes:
        if before and rule.line >= before:
            return
        is_for = rule.to == number.right or (rule.to[0] == "+" and number.number.startswith(rule.to))
        if not is_for and rule.line not in told:
            what = (
                f"{number.number} doesn't begin so" if rule.to[0] == "+" else f"this is a {number.right} call"
            )
            way.step(rule.line, f"route to {rule.to}", what)


def _cheapest(way: Way, number: OutsideNumber) -> tuple[tuple[str, ...], str]:
    """Every trunk with a rate for the number now, the cheapest first, and the words for a step.

    A trunk's rate is the one for the longest beginning; of several, the first whose schedule is open. Equal
    prices keep the order of the site's own trunks, then that of the plan.
    """
    costs: dict[str, float] = {}
    for rate in way.plan.tables.rates_for(number.right, number.number):
        if rate.trunk not in costs and (not rate.schedule or way.opening(rate.schedule).is_open):
            costs[rate.trunk] = rate.cents
    site = way.plan.sites.get(way.site)
    order = dict.fromkeys((*(site.trunks if site is not None else ()), *way.plan.trunks))
    trunks = sorted((name for name in order if name in costs), key=costs.__getitem__)
    if not trunks:
        return (), "no trunk has a rate for it"
    return tuple(trunks), ", ".join(f"{name} ({costs[name]:g} cents)" for name in trunks)


def _within_budgets(way: Way, number: OutsideNumber, trunks: tuple[str, ...]) -> tuple[str, ...]:
    """The trunks over which no budget refuses the call; none when a budget of its own does."""
    local = way.now.astimezone(ZoneInfo(way.plan.timezone))
    user = way.caller.person.extension if way.caller is not None else ""
    for budget in way.plan.budgets:
        if not budget.is_for(number.number, number.right) or not _holds(way, budget):
            continue
        window = budget.window(local)
        for trunk in trunks if budget.each == "trunk" else trunks[:1]:
            key = budget.key(user, trunk, number.number)
            why = refusal(budget, key, way.facts.spending.spent(budget, key, window)) if key else ""
            if not why:
                continue
            way.step(budget.line, f"budget {budget.name}", why)
            if budget.each != "trunk":
                return ()
            trunks = tuple(other for other in trunks if other != trunk)
    return trunks


def _holds(way: Way, budget: Budget) -> bool:
    """Whether a budget holds now: always, or outside a schedule's hours."""
    return not budget.closed or not way.opening(budget.closed).is_open
