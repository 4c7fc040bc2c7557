"""What changes from one plan to another, for whom, in words: `2201 dialling mobile numbers: b instead of a`.

Every kind of call that either plan can tell apart (`regions`, `hours`) is routed by both. Where the answers
differ, there is a change; so nothing is left out, and two plans that route alike have none. What a service,
an alarm, a trunk or a recording is, without being where calls go, is compared part by part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from typing import Any

from dialplan.decision import Decision, Facts, Reject, Target, ToFeature, ToTrunks
from dialplan.explaining import describe
from dialplan.hours import Region, over_hours
from dialplan.plan import Plan
from dialplan.regions import Callers, Place, callers_of, dialled_of, grouped, places_of, public_numbers
from dialplan.routing import route

_MAX_NAMED = 3  # people that a sentence names one by one
_PLACED = frozenset({"line", "column", "holidays_line", "name"})
_BY_TRUNKS = frozenset({"no_trunk", "caller_id", "budget"})


@dataclass(frozen=True, slots=True)
class Change:
    """One change. who: of whom, when and where; before and after: what comes of it, in words.

    callers: the extensions that it is for, empty where it isn't about calls from inside. nobody: it is also
    for telephones that belong to nobody. facts and instant: a
    call that shows it, None where it is no call.
    """

    who: str
    before: str
    after: str
    callers: tuple[str, ...] = ()
    nobody: bool = False
    facts: Facts | None = None
    instant: datetime | None = None

    def __str__(self) -> str:
        return f"{self.who}: {self.after} instead of {self.before}"


@dataclass(slots=True)
class _Found:
    """A difference before it is put in words: for some callers, at a place, in some hours."""

    what: str
    where: str
    when: str
    before: str
    after: str
    callers: list[str]
    nobody: bool
    facts: Facts
    instant: datetime


def difference(before: Plan, after: Plan, now: datetime) -> tuple[Change, ...]:
    """Every change from one plan to another, from `now` on. Empty for plans that are the same."""
    return (
        *_of_parts(before, after),
        *_of_calls_from_inside(before, after, now),
        *_of_calls_in(before, after, now),
    )


def outcome(decision: Decision) -> tuple[object, ...]:
    """All of a decision that a caller, a callee or an operator can tell: two alike are no change.

    The caller's name isn't in it: a person who is renamed is a change of its own.
    """
    target = decision.target
    call = decision.emergency
    emergency: object = None
    if call is not None:
        notified = without_places(call.notified)
        location = without_places(call.location)
        emergency = (call.preempts, without_places(call.names), location, call.shown, notified)
    return (
        (target.reason, target.status) if isinstance(target, Reject) else target,
        decision.caller_id,
        decision.anonymous,
        decision.diversions,
        decision.original_caller,
        emergency,
    )


# Calls from inside


def _of_calls_from_inside(before: Plan, after: Plan, now: datetime) -> Iterator[Change]:
    plans = (before, after)
    callers, places = callers_of(plans), places_of(plans)
    by_right = grouped(callers, lambda item: tuple(_calls_inside(plan, item.example) for plan in plans))
    found: list[_Found] = []
    for dialled in dialled_of(plans):
        few = by_right if dialled.inside else callers
        met = [*_compared(plans, now, dialled.text, dialled.words, few, places[:1])]
        if dialled.inside and any(item.by_trunks for item in met):
            met = [*_compared(plans, now, dialled.text, dialled.words, callers, places[:1])]
        if any(item.by_trunks for item in met):
            met += _compared(plans, now, dialled.text, dialled.words, callers, places[1:])
        for item in met:
            found.extend(item.found)
    yield from _in_words(found, places)


def _calls_inside(plan: Plan, extension: str | None) -> object:
    caller = plan.tables.callers.get(extension or "")
    return caller is not None, caller is None or "internal" in caller.rights


@dataclass(frozen=True, slots=True)
class _Compared:
    found: tuple[_Found, ...]
    by_trunks: bool  # the site of the device may matter


def _compared(
    plans: tuple[Plan, Plan],
    now: datetime,
    dialled: str,
    words: str,
    callers: Iterable[Callers],
    places: Iterable[Place],
) -> Iterator[_Compared]:
    for place in places:
        for group in callers:
            facts = Facts(dialled, caller=group.example, address=place.address, site=place.site)
            found: list[_Found] = []
            by_trunks = False
            for when, instant, one, other in _at_all_hours(plans, facts, now):
                by_trunks = by_trunks or _looks_at_trunks(one) or _looks_at_trunks(other)
                if outcome(one) != outcome(other):
                    first, second = _told_apart(one, other)
                    members = [*group.members]
                    found.append(
                        _Found(
                            words,
                            place.words,
                            when,
                            first,
                            second,
                            members,
                            group.example is None,
                            facts,
                            instant,
                        )
                    )
            yield _Compared(tuple(found), by_trunks)


def _looks_at_trunks(decision: Decision) -> bool:
    target = decision.target
    return isinstance(target, ToTrunks) or (isinstance(target, Reject) and target.reason in _BY_TRUNKS)


def _at_all_hours(
    plans: tuple[Plan, Plan], facts: Facts, now: datetime
) -> list[tuple[str, datetime, Decision, Decision]]:
    """Both decisions in every region of hours that either looks at, with words for the hours that differ.

    Regions with the same answers are one; when every region has them, the words are "".
    """

    def answer(instant: datetime) -> tuple[tuple[Decision, Decision], list[str]]:
        one, other = (route(plan, facts, instant) for plan in plans)
        return (one, other), [
            *(f"before {name}" for name in one.schedules),
            *(f"after {name}" for name in other.schedules),
        ]

    (one, other), names = answer(now)
    if not names:
        return [("", now, one, other)]
    schedules = [
        replace(schedule, name=f"{when} {schedule.name}")
        for when, plan in zip(("before", "after"), plans, strict=True)
        for schedule in plan.schedules.values()
    ]
    merged: dict[object, tuple[list[Region], Decision, Decision]] = {}
    answers = over_hours(schedules, now, answer)
    for region, (one, other) in answers:
        merged.setdefault((outcome(one), outcome(other)), ([], one, other))[0].append(region)
    told = {name for region, _ in answers for name in region.open}
    return [
        (_when(regions, told) if len(merged) > 1 else "", regions[0].instant, one, other)
        for regions, one, other in merged.values()
    ]


def _when(regions: list[Region], told: set[str]) -> str:
    """Hours in words, by the schedules that are open in each of them: `while bureau is closed`."""
    phrases = [_phrase(region.open, told) for region in regions]
    return f"while {' or '.join(dict.fromkeys(phrases))}"


def _phrase(is_open: frozenset[str], told: set[str]) -> str:
    words: list[str] = []
    names = dict.fromkeys(name.partition(" ")[2] for name in sorted(told))
    for name in names:
        states = {
            when: f"{when} {name}" in is_open for when in ("before", "after") if f"{when} {name}" in told
        }
        if len(set(states.values())) == 1:
            words.append(f"{name} is {'open' if next(iter(states.values())) else 'closed'}")
        else:
            was, is_now = ("open", "closed") if states["before"] else ("closed", "open")
            words.append(f"{name} was {was} and is now {is_now}")
    return " and ".join(words)


def _told_apart(one: Decision, other: Decision) -> tuple[str, str]:
    """Both decisions in words, as short as they differ."""
    if outcome(one)[0] != outcome(other)[0]:
        first, second = one.target, other.target
        if isinstance(first, ToTrunks) and isinstance(second, ToTrunks) and first.number != second.number:
            return describe(first), describe(second)
        return _target(first), _target(second)
    if (one.caller_id, one.anonymous) != (other.caller_id, other.anonymous):
        return f"showing {_shown(one)}", f"showing {_shown(other)}"
    if one.emergency is not None and other.emergency is not None:
        return _told_emergency(one), _told_emergency(other)
    return f"sent on by {_by(one)}", f"sent on by {_by(other)}"


def _target(target: Target) -> str:
    """Where a call goes, without the digits of an example."""
    match target:
        case ToTrunks(_, trunks, emergency):
            return f"{'emergency by ' if emergency else 'by '}{_trunks(trunks)}"
        case ToFeature(name, _):
            return f"feature {name}"
        case _:
            return describe(target)


def _trunks(names: tuple[str, ...]) -> str:
    return ", then ".join(names) or "no trunk"


def _shown(decision: Decision) -> str:
    hidden = " (hidden)" if decision.anonymous else ""
    return f"{decision.caller_id or 'no number'}{hidden}"


def _by(decision: Decision) -> str:
    return ", ".join(one.who for one in decision.diversions) or "nobody"


def _told_emergency(decision: Decision) -> str:
    call = decision.emergency
    assert call is not None  # both are emergency calls here
    address = ", ".join(call.location.address.values()) or "no address"
    shown = ", ".join(number or "nothing" for number in call.shown)
    notified = call.notified
    told = ", ".join((*notified.groups, *notified.sites, *notified.numbers)) if notified else "nobody"
    urgent = "may end another call" if call.preempts else "ends no other call"
    place = call.location
    known = "assumed" if place.source == "assumed" else f"known by its {place.source}"
    return f"from {place.site or 'no site'} ({known}; {address}), showing {shown}, telling {told}, {urgent}"


# Calls from outside


def _of_calls_in(before: Plan, after: Plan, now: datetime) -> Iterator[Change]:
    plans = (before, after)
    for number, words in public_numbers(plans):
        for caller, who in _outside_callers(plans):
            facts = Facts(number, trunk="", caller_number=caller, anonymous=caller is None)
            for when, instant, one, other in _at_all_hours(plans, facts, now):
                if outcome(one) != outcome(other):
                    first, second = _told_apart(one, other)
                    told = " ".join(filter(None, (f"{who} calling {words}", when)))
                    yield Change(told, first, second, facts=facts, instant=instant)


def _outside_callers(plans: tuple[Plan, Plan]) -> Iterator[tuple[str | None, str]]:
    """Callers whom the plans, or people in them, may not let in. Without such rules, one stands for all."""
    yield "+33699999999", "callers from outside"
    if any(plan.screening is not None or _somebody_refuses(plan) for plan in plans):
        yield None, "callers without a number"
    for beginning in dict.fromkeys(
        beginning for plan in plans if plan.screening is not None for beginning in plan.screening.rejected
    ):
        yield beginning.ljust(12, "2"), f"callers whose number begins {beginning}"


def _somebody_refuses(plan: Plan) -> bool:
    """Whether anybody takes no calls without a number."""
    return any(
        person.forwards is not None and person.forwards.rejects_anonymous for person in plan.people.values()
    )


# Words


def _in_words(found: list[_Found], places: tuple[Place, ...]) -> Iterator[Change]:
    """One sentence for all who meet the same change: at all places, dialling whatever has it."""
    met: dict[object, list[_Found]] = {}
    for item in found:
        met.setdefault((item.what, item.where, item.when, item.before, item.after), []).append(item)
    everywhere = dict.fromkeys(place.words for place in places)
    by_place: dict[object, dict[str, list[_Found]]] = {}
    for items in met.values():
        key = (items[0].what, items[0].when, items[0].before, items[0].after, _members(items))
        by_place.setdefault(key, {})[items[0].where] = items
    by_dialled: dict[object, tuple[list[str], list[str], list[_Found]]] = {}
    for at in by_place.values():
        first = next(iter(at.values()))[0]
        wheres = [""] if at.keys() == everywhere.keys() else list(at)
        items = [item for where in at for item in at[where]]
        sentence = (tuple(wheres), first.when, first.before, first.after, _members(items))
        by_dialled.setdefault(sentence, (wheres, [], items))[1].append(first.what)
    for wheres, whats, items in by_dialled.values():
        first = items[0]
        members, nobody = _members(items)
        where = "" if "" in wheres else ", ".join(wheres)
        who = _named(members, nobody)
        told = " ".join(filter(None, (who, where, "dialling", _listed(dict.fromkeys(whats)), first.when)))
        yield Change(told, first.before, first.after, members, nobody, first.facts, first.instant)


def _members(items: list[_Found]) -> tuple[tuple[str, ...], bool]:
    """Whose calls change, and whether telephones of nobody are among them."""
    members = dict.fromkeys(member for item in items for member in item.callers)
    return tuple(members), any(item.nobody for item in items)


def _named(members: tuple[str, ...], nobody: bool) -> str:
    if not members:
        return "a telephone of nobody"
    who = " and ".join(members)
    if len(members) > _MAX_NAMED:
        who = f"{len(members)} users such as {members[0]}"
    return who + (", and telephones of nobody" if nobody else "")


def _listed(words: Iterable[str]) -> str:
    whats = list(words)
    if len(whats) <= _MAX_NAMED + 2:
        return ", ".join(whats)
    return f"{', '.join(whats[:_MAX_NAMED])} and {len(whats) - _MAX_NAMED} others"


# Parts


def _of_parts(before: Plan, after: Plan) -> Iterator[Change]:
    for kind, one, other in (
        ("service", before.services, after.services),
        ("alarm", before.alarms, after.alarms),
        ("recording", before.recordings, after.recordings),
        ("trunk", before.trunks, after.trunks),
        ("group", before.groups, after.groups),
        ("skill", before.skills, after.skills),
        ("budget", _budgets(before), _budgets(after)),
        ("user", before.people, after.people),
    ):
        yield from _of_section(kind, one, other)
    yield from _of_sound(before, after)


def _of_sound(before: Plan, after: Plan) -> Iterator[Change]:
    """What of a class and of a site isn't about where calls go."""
    for name in before.classes.keys() & after.classes.keys():
        one, other = before.classes[name].srtp, after.classes[name].srtp
        if one != other:
            yield Change(f"class {name}, srtp", _told(one), _told(other))
    for name in before.sites.keys() & after.sites.keys():
        was, becomes = before.sites[name].direct_media, after.sites[name].direct_media
        if was != becomes:
            yield Change(f"site {name}, direct_media", _told(was), _told(becomes))


def _budgets(plan: Plan) -> Mapping[str, object]:
    return {f"{index + 1} ({budget.name})": budget for index, budget in enumerate(plan.budgets)}


def _of_section(kind: str, before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[Change]:
    for name in dict.fromkeys((*before, *after)):
        if name not in after:
            yield Change(f"{kind} {name}", "there", "gone")
        elif name not in before:
            yield Change(f"{kind} {name}", "none", "new")
        else:
            one, other = before[name], after[name]
            if kind == "user" and getattr(one, "name", "") != getattr(other, "name", ""):
                yield Change(
                    f"user {name}, name", _told(getattr(one, "name", "")), _told(getattr(other, "name", ""))
                )
            for field, old, new in _fields_changed(one, other):
                if field == "password":
                    old, new = "the old one", "a new one"
                yield Change(f"{kind} {name}, {field}", _told(old), _told(new))


def _fields_changed(one: object, other: object) -> Iterator[tuple[str, Any, Any]]:
    """The fields of two parts that differ, wherever they are written; a service's settings one by one."""
    for field in fields(one):  # type: ignore[arg-type]  # parts of a plan are dataclasses
        if field.name in _PLACED:
            continue
        old, new = getattr(one, field.name), getattr(other, field.name)
        if field.name == "settings":
            for key in dict.fromkeys((*old, *new)):
                if without_places(old.get(key)) != without_places(new.get(key)):
                    yield key, without_places(old.get(key)), without_places(new.get(key))
        elif without_places(old) != without_places(new):
            yield field.name, without_places(old), without_places(new)


def without_places(value: object) -> object:
    """A part of a plan without the lines and columns where it is written, so that it can be compared."""
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(
            (field.name, without_places(getattr(value, field.name)))
            for field in fields(value)
            if field.name not in {"line", "column"}
        )
    if isinstance(value, Mapping):
        return tuple(sorted((str(key), without_places(item)) for key, item in value.items()))
    if isinstance(value, (tuple, list)):
        return tuple(without_places(item) for item in value)
    if isinstance(value, frozenset):
        return tuple(sorted(map(str, value)))
    return value


def _told(value: object) -> str:
    """A value of a part in words."""
    if value is None or value in ("", ()):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        if len(value) == 2 and isinstance(value[0], str) and not isinstance(value[1], str | tuple):
            return f"{value[0]} {_told(value[1])}"
        told = [
            _told(item)
            for item in value
            if not (isinstance(item, tuple) and len(item) == 2 and item[1] in (None, "", ()))
        ]
        return ", ".join(told) or "nothing"
    return str(value)
