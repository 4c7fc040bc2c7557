"""Where a call goes: `route(plan, facts, now)`, a pure function that always has an answer.

The order is the promise: an emergency number, whole, before anything else; then people, services and
alarms by their number inside; then feature codes; then the ranges that nobody holds; then outside, with
the outside prefix first and without it where that isn't a possible number.

A call that arrives on a trunk only reaches our public numbers. Every rule looked at leaves a step with its
plan line (0: built in, or people of the database), so that the way can be told. `route_thoroughly` decides
by the same code and also leaves a step for each rule that didn't match.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from dialplan.country import OutsideNumber
from dialplan.decision import (
    ANONYMOUS,
    CLOSED,
    DO_NOT_DISTURB,
    LOOP,
    NO_CODE,
    NO_FORWARD,
    NORMAL,
    NOT_ALLOWED,
    REFUSED_CALLER,
    UNKNOWN,
    Conditions,
    Decision,
    Diversion,
    Facts,
    Forwards,
    Origin,
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
from dialplan.emergency import emergency_call, place_of
from dialplan.forwarding import forward_for
from dialplan.outside import by_trunks, own_numbers, read_outside
from dialplan.plan import Destination, ExtensionRange, Plan, Screening, Service
from dialplan.recorded import recorded_as
from dialplan.ringing import turns_of
from dialplan.tables import INTERNAL_ONLY, Caller, coded
from dialplan.way import Way, because, by_hand

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
    "forwards_of",
    "no_answer_seconds",
    "route",
    "route_forward",
    "route_thoroughly",
    "route_to_mobile",
]

_NOT_EMERGENCY = Step(0, "emergency numbers", "not one, in any form")
_MAX_REDIRECTIONS = 16
_MAX_DIVERSIONS = 8
_CALLBACK = timedelta(hours=1)
_NO_FORWARDS = Forwards()
_WHEN_OF = {"no-answer": "no_answer", "unavailable": "unreachable"}


def route(plan: Plan, facts: Facts, now: datetime) -> Decision:
    """Where the call goes at `now`, an aware datetime. Never raises, for any string."""
    return _route(plan, facts, now, thorough=False)


def route_thoroughly(plan: Plan, facts: Facts, now: datetime) -> Decision:
    """The same decision as `route`, with a step in its trace for each rule looked at, matching or not."""
    return _route(plan, facts, now, thorough=True)


def route_forward(plan: Plan, facts: Facts, now: datetime, extension: str, reason: str) -> Decision:
    """Where a call goes on that rang somebody's devices in vain, or a refusal where they send it nowhere.

    facts: those of the call, with the `diversions` of the decision that rang these devices. extension: whose.
    reason: a word of RFC 5806 section 4: `no-answer` follows `no_answer`, `unavailable` does `unreachable` or
    else `no_answer`, others `busy`.
    """
    way = _way(plan, facts, now, thorough=False)
    way.public = _public_number(way)
    callee = plan.tables.callers.get(extension)
    forwards = forwards_of(plan, facts.conditions, extension)
    chosen = forward_for(way, forwards, _WHEN_OF.get(reason, "busy"), extension)
    if reason == "unavailable" and not chosen.to:
        chosen = forward_for(way, forwards, "no_answer", extension)
    if callee is None or not chosen.to:
        way.step(0, f"forward of {shortened(extension)}", f"none for {reason}")
        return way.decide(NO_FORWARD)
    return _forward(way, callee, chosen.to, reason, chosen.origin)


def to_mailbox(decision: Decision, callee: Caller, reason: str) -> Decision:
    """A decision that lets the caller leave a message for somebody. reason: as in `Diversion`."""
    extension = callee.person.extension
    diversion = Diversion(extension, callee.direct or extension, reason)
    target = ToFeature("mailbox", extension)
    return decision._replace(target=target, diversions=(*decision.diversions, diversion))


def no_answer_seconds(plan: Plan, facts: Facts, now: datetime, extension: str) -> int:
    """How long somebody's devices ring for this call before it goes on; 0 where it doesn't go on."""
    forwards = forwards_of(plan, facts.conditions, extension)
    if not forwards.rules:
        return forwards.no_answer_seconds if forwards.no_answer else 0
    chosen = forward_for(_way(plan, facts, now, thorough=False), forwards, "no_answer", extension)
    return chosen.seconds if chosen.to else 0


def route_to_mobile(plan: Plan, facts: Facts, now: datetime, extension: str) -> Decision:
    """The call to somebody's mobile number, which rings as one of their telephones; a refusal where it can't.

    facts: those of the call. No class is asked: the plan says that it rings. It shows the number of the one
    who calls where that is ours, else one of the person's, with theirs in Diversion (`follow-me`, RFC 5806
    section 4): the rule of the operators (MAN, October 2024).
    """
    way = _way(plan, facts, now, thorough=False)
    callee = plan.tables.callers.get(extension)
    if callee is None or callee.person.mobile is None:
        way.step(0, f"mobile of {shortened(extension)}", "none")
        return way.decide(NO_FORWARD)
    person = callee.person
    reading = plan.country.read(callee.person.mobile)
    if not isinstance(reading, OutsideNumber) or reading.number in plan.tables.ours:
        way.step(person.line, f"mobile of {extension}", f"{person.mobile} can't be called")
        return way.decide(NO_FORWARD)
    way.step(person.line, f"mobile of {extension}", f"rings {reading.number}")
    numbers = own_numbers(way) if facts.trunk is None else ()
    way.diversions += (Diversion(extension, callee.direct or extension, "follow-me"),)
    way.caller = callee
    way.site = callee.site or way.site
    return by_trunks(way, reading, tuple(dict.fromkeys((*numbers, *own_numbers(way)))))


def route_onward(plan: Plan, facts: Facts, now: datetime, to: Destination, rule: str) -> Decision:
    """Where a call goes on that a service sends somewhere, as `rule` says in the trace.

    facts: those of the call, with the `diversions` of its last decision. No class is asked: the plan chose
    where, and no caller.
    """
    way = _way(plan, facts, now, thorough=False)
    way.public = _public_number(way)
    way.step(to.line, rule, f"to {to.value}")
    return _to_destination(way, to)


def forwards_of(plan: Plan, conditions: Conditions, extension: str) -> Forwards:
    """Where somebody sends calls on: what holds at the node, else what the plan says."""
    own = conditions.forwards.get(extension)
    if own is not None:
        return own
    person = plan.people.get(extension)
    return person.forwards if person is not None and person.forwards is not None else _NO_FORWARDS


def _route(plan: Plan, facts: Facts, now: datetime, thorough: bool) -> Decision:
    if facts.trunk is not None:
        return _from_trunk(_way(plan, facts, now, thorough))
    tables = plan.tables
    number = dialled = read_dialled(facts.dialled, plan.country)
    caller = tables.callers.get(facts.caller) if facts.caller is not None else None
    place = place_of(plan, facts, caller)
    trace = [place.step, _NOT_EMERGENCY]
    anonymous = facts.anonymous
    if tables.number_codes and dialled[:1] in ("*", "#"):
        for code, argument in coded(tables.number_codes, dialled):
            number, anonymous = argument, code.name == "hide_number"
            trace.append(Step(code.line, f"feature {code.name}", f"{code} with {argument}"))
    emergency = tables.emergency.get(number)
    if emergency is not None:
        return emergency_call(plan, facts, caller, place, dialled, emergency)
    name = None
    if caller is not None:
        name = caller.person.name
        if number is dialled and caller.person.caller_id == "anonymous":
            anonymous = True
    shown = facts.caller
    way = Way(
        plan, facts, now, dialled, place.site, caller, shown, name, trace, thorough, anonymous, shown,
        diversions=facts.diversions,
    )  # fmt: skip
    return _from_inside(way, number)


def _way(plan: Plan, facts: Facts, now: datetime, thorough: bool) -> Way:
    """A call before any rule is looked at: of a device, or of an operator's caller."""
    dialled = read_dialled(facts.dialled, plan.country)
    if facts.trunk is not None:
        trunk = plan.trunks.get(facts.trunk)
        number, name = _outside_caller(plan, facts)
        step = Step(
            trunk.line if trunk is not None else 0, "trunk", f"the call arrives on {shortened(facts.trunk)}"
        )
        return Way(
            plan, facts, now, dialled, plan.default_site, None, number, name, [step], thorough,
            facts.anonymous, number, diversions=facts.diversions,
        )  # fmt: skip
    caller = plan.tables.callers.get(facts.caller) if facts.caller is not None else None
    place = place_of(plan, facts, caller)
    name = caller.person.name if caller is not None else None
    return Way(
        plan, facts, now, dialled, place.site, caller, facts.caller, name, [place.step], thorough,
        facts.anonymous, facts.caller, diversions=facts.diversions,
    )  # fmt: skip


def _from_inside(way: Way, dialled: str) -> Decision:
    """A call of a device of ours, or that a person of ours sends on, and that isn't an emergency."""
    tables = way.plan.tables
    callee = tables.callers.get(dialled)
    if callee is not None:
        return _to_person(way, callee) if _has_right(way, "internal") else way.decide(NOT_ALLOWED)
    service = tables.services.get(dialled)
    if service is not None:
        return _to_service(way, service, dialled) if _has_right(way, "internal") else way.decide(NOT_ALLOWED)
    if way.thorough:
        way.step(0, "users", f"nobody has {shortened(dialled)}")
        way.step(0, "services", f"none has the number {shortened(dialled)}")
    alarm = tables.alarms.get(dialled)
    if alarm is not None:
        way.step(alarm.line, f"alarm {alarm.name}", f"raised by dialling {dialled}")
        return way.decide(ToFeature("alarm", alarm.name))
    for feature in _feature(way, dialled):
        return way.decide(feature)
    if dialled[:1] in ("*", "#"):
        return way.decide(NO_CODE)
    for held in tables.extensions.find(dialled):
        way.step(held.line, f"range {held.numbers}", f"nobody has {dialled}")
        return way.decide(UNKNOWN)
    return _to_outside(way, dialled)


def _has_right(way: Way, right: str) -> bool:
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


def _to_person(way: Way, callee: Caller) -> Decision:
    person = callee.person
    conditions = way.facts.conditions
    if (conditions is not NORMAL or person.forwards is not None) and not way.through:
        forwards = forwards_of(way.plan, conditions, person.extension)
        if forwards is not _NO_FORWARDS:
            if forwards.rejects_anonymous and _is_hidden(way):
                way.step(person.line, f"user {person.extension}", "takes no calls without a number")
                return way.decide(ANONYMOUS)
            always = forward_for(way, forwards, "always", person.extension)
            if always.to:
                return _forward(way, callee, always.to, "unconditional", always.origin)
            if forwards.do_not_disturb:
                return _undisturbed(way, callee, forwards)
        if callee.site in conditions.sites_down and callee.site != way.site and way.facts.trunk is None:
            return _around(way, callee)
    way.step(person.line, f"user {person.extension}", f"rings {person.name}")
    in_turns = bool(person.turns if conditions is NORMAL else turns_of(person, conditions))
    return way.decide(ToPerson(person.extension, person.name, in_turns))


def _is_hidden(way: Way) -> bool:
    """Whether whoever is called doesn't see who calls. Somebody's lasting wish not to be shown is for calls
    outside alone."""
    if way.facts.trunk is not None:
        return way.original is None
    return way.facts.anonymous or (way.anonymous and way.dialled[:1] in ("*", "#"))


def _undisturbed(way: Way, callee: Caller, forwards: Forwards) -> Decision:
    """Somebody who does not want to be disturbed: where busy calls go, if anywhere."""
    person = callee.person
    busy = forward_for(way, forwards, "busy", person.extension)
    if busy.to:
        return _forward(way, callee, busy.to, "do-not-disturb", busy.origin)
    why = f"does not want to be disturbed{because(way.plan, forwards.origin)}"
    if way.plan.voicemail_of(person.extension).on:
        way.step(person.line, f"user {person.extension}", f"{why}: a message may be left")
        return to_mailbox(way.decide(NO_FORWARD), callee, "do-not-disturb")
    way.step(person.line, f"user {person.extension}", why)
    return way.decide(DO_NOT_DISTURB)


def _around(way: Way, callee: Caller) -> Decision:
    """Somebody at a site that our network doesn't reach: by the public network, if they have a number there.

    No class is asked: it is a call inside, and the plan chose the way.
    """
    line = way.plan.sites[callee.site].line
    if callee.direct is None:
        way.step(line, f"site {callee.site}", "can't be reached, and the callee has no direct number")
        return way.decide(NO_FORWARD)
    way.step(line, f"site {callee.site}", f"can't be reached: {callee.direct} by the public network")
    return by_trunks(way, OutsideNumber(callee.direct, "national"), own_numbers(way))


def _forward(way: Way, callee: Caller, to: str, reason: str, origin: Origin | None = None) -> Decision:
    """A person sends the call on: by their own rights, and outside showing a number of theirs."""
    person = callee.person
    rule = f"forward of {person.extension}"
    if any(one.who == person.extension for one in way.diversions) or len(way.diversions) >= _MAX_DIVERSIONS:
        way.step(person.line, rule, "not followed: forwards go in a circle, or too far")
        return way.decide(LOOP)
    way.step(person.line, rule, f"{reason}: to {shortened(to)}{because(way.plan, origin)}")
    way.diversions += (Diversion(person.extension, callee.direct or person.extension, reason),)
    way.caller = callee
    way.site = callee.site or way.site
    dialled = read_dialled(to, way.plan.country)
    if dialled in way.plan.tables.emergency:
        way.step(0, "emergency numbers", "a call that was sent on doesn't go there")
        return way.decide(UNKNOWN)
    return _from_inside(way, dialled)


def _feature(way: Way, dialled: str) -> tuple[ToFeature, ...]:
    """The feature that these keys call, as a tuple of one; empty when they call none."""
    tables = way.plan.tables
    fixed = tables.codes.get(dialled)
    if fixed is not None:
        way.step(fixed.line, f"feature {fixed.name}", f"{fixed} was dialled")
        return (ToFeature(fixed.name, ""),)
    if dialled[:1] in tables.code_beginnings:
        for code, argument in coded(tables.patterns, dialled):
            way.step(code.line, f"feature {code.name}", f"{code} with {argument}")
            return (ToFeature(code.name, argument),)
    if way.thorough and dialled[:1] not in tables.code_beginnings:
        way.step(0, "features", f"no code begins as {shortened(dialled)} does")
    elif way.thorough:
        for feature in way.plan.features:
            way.step(feature.line, f"feature {feature.name}", f"{feature} is something else")
    elif dialled[:1] in ("*", "#"):
        way.step(0, "features", "no code matches")
    return ()


def _to_outside(way: Way, dialled: str) -> Decision:
    """A number that isn't inside: one of our public numbers without a trunk, or a call by trunk."""
    for number in read_outside(way, dialled):
        if number.number in way.plan.tables.ours:
            if not _has_right(way, "internal"):
                return way.decide(NOT_ALLOWED)
            return _to_public(way, number.number)
        if not _has_right(way, number.right):
            return way.decide(NOT_ALLOWED)
        return by_trunks(way, number, own_numbers(way))
    return way.decide(UNKNOWN)


def _from_trunk(way: Way) -> Decision:
    """A call from outside: our public numbers, and nothing else."""
    called = _public_number(way)
    if called not in way.plan.tables.ours:
        way.step(0, "public numbers", f'"{shortened(way.dialled)}" is none of ours')
        return way.decide(UNKNOWN)
    callback = way.facts.conditions.callbacks.get(called)
    if callback is not None and callback.at <= way.now < callback.at + _CALLBACK:
        way.callback = callback
        way.step(
            0, "emergency call back", f"{called} was shown at {callback.at:%H:%M %Z}: its device rings too"
        )
        return _never_refused(way, _to_public(way, called))
    screening = way.plan.screening
    if screening is not None:
        for decision in _screened(way, screening):
            return decision
    return _to_public(way, called)


def _public_number(way: Way) -> str:
    """What an operator's caller called, as E.164."""
    return way.plan.country.international_form(way.dialled) if way.facts.trunk is not None else ""


def _never_refused(way: Way, decision: Decision) -> Decision:
    """A call back always rings at least whoever made the emergency call."""
    assert way.callback is not None
    caller = way.plan.tables.callers.get(way.callback.extension or "")
    if not isinstance(decision.target, Reject) or caller is None:
        return decision
    return _to_person(way, caller)


def _screened(way: Way, screening: Screening) -> tuple[Decision, ...]:
    """What becomes of a caller who isn't let in, as a tuple of one; empty for all others."""
    if way.caller_id is None:
        if screening.anonymous == "reject":
            way.step(screening.line, "callers", "calls without a number are refused")
            return (way.decide(ANONYMOUS),)
        if isinstance(screening.anonymous, Destination):
            way.step(screening.line, "callers", f"calls without a number go to {screening.anonymous.value}")
            return (_to_destination(way, screening.anonymous),)
    elif screening.rejected and way.caller_id.startswith(screening.rejected):
        way.step(screening.line, "callers", f"{way.caller_id} is refused")
        return (way.decide(REFUSED_CALLER),)
    if way.thorough:
        way.step(screening.line, "callers", "let in")
    return ()


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


def _to_public(way: Way, number: str) -> Decision:
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


def _to_service(way: Way, service: Service, number: str = "") -> Decision:
    """A service, or where it sends its calls when its schedule is closed. number: the one dialled inside."""
    rule = f"service {service.name}"
    if service.name in way.via or len(way.via) >= _MAX_REDIRECTIONS:
        way.step(service.line, rule, "not followed: the plan goes in a circle")
        return way.decide(LOOP)
    if service.record is not None:
        way.recorded_lines += (service.name,)
        way.step(service.line, f"recording {service.record}", recorded_as(way.plan, service.record))
    if not way.through:
        for to in _closed(way, service):
            if to.kind == "inside" and not to.value:
                way.step(service.line, rule, "closed, with nowhere to go")
                return way.decide(CLOSED)
            way.step(to.line, rule, f"closed: to {to.value}")
            way.via += (service.name,)
            return _to_destination(way, to)
    way.step(service.line, rule, f"answers ({service.type})")
    return way.decide(ToService(service.name, service.type, number))


def _closed(way: Way, service: Service) -> tuple[Destination, ...]:
    """Where a closed service sends its calls (inside "" for nowhere), as a tuple of one; empty when open."""
    to = service.when_closed or Destination("inside", "", service.line, service.column)
    override = way.facts.conditions.services.get(service.name)
    if override is not None and way.now < override.until:
        way.step(service.line, f"service {service.name}", by_hand(way.plan, override))
        if override.is_open:
            return ()
        return (_read_destination(override.to, service) if override.to else to,)
    if service.schedule is None or way.opening(service.schedule).is_open:
        return ()
    return (to,)


def _read_destination(text: str, service: Service) -> Destination:
    """What somebody wrote as a destination: +E.164, a number inside, or a service's name."""
    kind: Literal["outside", "inside", "service"] = "service"
    if text.startswith("+"):
        kind = "outside"
    elif text.isascii() and text.isdigit():
        kind = "inside"
    return Destination(kind, text, service.line, service.column)


def _to_destination(way: Way, to: Destination) -> Decision:
    """Where the plan itself sends a call: no class is asked, since no caller chose it."""
    plan = way.plan
    if to.kind == "outside":
        reading = plan.country.read(to.value)
        if not isinstance(reading, OutsideNumber):
            way.step(to.line, "destination", f"{to.value} can't be called: {reading.why}")
            return way.decide(UNKNOWN)
        if reading.number in plan.tables.ours:
            way.step(to.line, "destination", f"{reading.number} is a number of ours")
            return _to_public(way, reading.number) if len(way.via) < _MAX_REDIRECTIONS else way.decide(LOOP)
        # The operators' rules (MAN, October 2024): a forwarded call shows a number of ours.
        main = plan.sites[way.site].main_number if way.site in plan.sites else None
        if way.via:
            last = plan.services[way.via[-1]]
            number = way.public or last.public or last.number or ""
            way.diversions += (Diversion(last.name, number, "time-of-day"),)
        return by_trunks(way, reading, tuple(item for item in (way.public, main) if item))
    callee = plan.tables.callers.get(to.value) if to.kind == "inside" else None
    if callee is not None:
        return _to_person(way, callee)
    service = (plan.services if to.kind == "service" else plan.tables.services).get(to.value)
    if service is not None:
        return _to_service(way, service)
    way.step(to.line, "destination", f"nobody has {to.value}")
    return way.decide(UNKNOWN)
