"""Emergency calls: which trunks, what is shown, where the device is, who is told, and the daily self-test.

The device's site decides. No right, prefix, schedule, forward or budget is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dialplan.country import EmergencyNumber
from dialplan.decision import Decision, EmergencyCall, Facts, Location, Step, ToTrunks
from dialplan.plan import Members, Plan
from dialplan.recorded import recording_steps
from dialplan.tables import Caller, Place

_NOWHERE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SelfTest:
    """The daily test of a site's emergency calls: what its calls would do, to a simulated answering point.

    number: the plan's `emergency_test:`, E.164, "" where it names none. trunks: in order of trial, with what
    each of them shows.
    """

    site: str
    number: str
    trunks: tuple[tuple[str, str | None], ...]


def place_of(plan: Plan, facts: Facts, caller: Caller | None) -> Place:
    """The device's site: its address, else its configuration, else its owner's site, else the default."""
    places = plan.tables.places
    if facts.address is not None:
        by_address = plan.tables.networks.find(facts.address)
        if by_address:
            return places["network", by_address]
    if facts.site is not None and facts.site in plan.sites:
        return places["configuration", facts.site]
    if facts.owner is not None:
        caller = plan.tables.callers.get(facts.owner)
    if caller is not None and caller.site in plan.sites:
        return places["person", caller.site]
    return places["default", plan.default_site if plan.default_site in plan.sites else ""]


def emergency_call(
    plan: Plan, facts: Facts, caller: Caller | None, place: Place, dialled: str, emergency: EmergencyNumber
) -> Decision:
    """The site's trunks, then all others; those that are down are tried last, and never left out."""
    site = place.site
    trunks = plan.tables.emergency_trunks.get(site, ())
    down = facts.conditions.trunks_down
    if down:
        trunks = tuple(sorted(trunks, key=down.__contains__))
    location = _location(plan, facts, place)
    direct = caller.direct if caller is not None else None
    # Somebody without a site of their own is at home where the plan says that their devices are.
    at_home = caller is not None and (caller.site or plan.default_site) == site
    main = plan.sites[site].main_number if site in plan.sites else None
    # Elsewhere, the direct number is better than nothing for those who must call back.
    numbers = [number for number in ((direct, main) if at_home else (main, direct)) if number]
    caller_id = numbers[0] if numbers else None
    what = emergency.names.get(plan.language) or next(iter(emergency.names.values()), "")
    whose = "the caller's direct number" if caller_id == direct else "the site's main number"
    line = place.step.line
    trace = [
        place.step,
        Step(emergency.line, "emergency numbers", f"{emergency.number}, {what}"),
        Step(line, "emergency trunks", ", ".join(trunks) or "none: the plan has no trunk"),
        Step(line, "caller ID", f"{caller_id}, {whose}" if caller_id else "none"),
    ]
    trace += [
        Step(plan.trunks[name].line, f"trunk {name}", "is down: tried last")
        for name in trunks
        if name in down
    ]
    if location.source == "confirmed":
        trace.append(Step(0, "location", "the address that the caller confirmed"))
    call = EmergencyCall(
        number=emergency.number,
        names=emergency.names,
        preempts=emergency.urgent,
        location=location,
        shown=tuple([_shown(plan, trunk, numbers) for trunk in trunks]),
        notified=_notified(plan, site),
    )
    who = caller.person.name if caller is not None else None
    target = ToTrunks(emergency.number, trunks, True)
    if plan.tables.records_parties:
        trace += recording_steps(plan, facts, target)
    return Decision(target, dialled, site, caller_id, who, tuple(trace), emergency=call)


def _shown(plan: Plan, trunk: str, numbers: list[str]) -> str | None:
    """The best number that a trunk may show; the best at all where it may show none: the call goes anyway."""
    for number in numbers:
        if number in plan.tables.shown[trunk]:
            return number
    return numbers[0] if numbers else None


def _location(plan: Plan, facts: Facts, place: Place) -> Location:
    if facts.confirmed_address is not None and place.source != "network":
        return Location(place.site, "confirmed", facts.confirmed_address, None)
    site = plan.sites.get(place.site)
    if site is None:
        return Location("", "assumed", _NOWHERE, None)
    return Location(site.name, place.source, site.address, site.location)


def _notified(plan: Plan, site: str) -> Members | None:
    own = plan.sites[site].notified if site in plan.sites else None
    return own if own is not None else plan.emergency_notified


def self_tests(plan: Plan) -> tuple[SelfTest, ...]:
    """What the daily self-test calls, site by site."""
    tests = []
    for site in plan.sites.values():
        numbers = [site.main_number] if site.main_number else []
        trunks = plan.tables.emergency_trunks[site.name]
        shown = tuple((trunk, _shown(plan, trunk, numbers)) for trunk in trunks)
        tests.append(SelfTest(site.name, plan.emergency_test, shown))
    return tuple(tests)
