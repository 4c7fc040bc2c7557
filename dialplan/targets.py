"""Where people may send calls by hand: the same code that routes calls says whether one would get there.

A forward is followed by the rights of whoever set it, so these decide here too. What may change with the hour
(a closed service, somebody who doesn't want to be disturbed) refuses nothing: the forward may hold longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from dialplan.country import OutsideNumber
from dialplan.decision import (
    LOOP,
    UNKNOWN,
    Conditions,
    Decision,
    Facts,
    Forwards,
    Override,
    Reject,
    ToFeature,
    ToService,
    ToTrunks,
)
from dialplan.dialled import read_dialled
from dialplan.document import shortened
from dialplan.plan import Plan
from dialplan.routing import route, route_forward

MOST_CHARACTERS = 64
_HARMLESS = frozenset({"closed", "do_not_disturb", "no_forward", "no_trunk", "budget", "caller", "anonymous"})

_EMERGENCY = {
    "fr": "Un appel ne peut pas être renvoyé vers un numéro d'urgence.",
    "en": "Calls cannot be sent to an emergency number.",
}
_ONESELF = {
    "fr": "C'est votre propre numéro.",
    "en": "This is your own number.",
}
_CIRCLE = {
    "fr": "Ce renvoi tournerait en rond.",
    "en": "These calls would go in a circle.",
}


class TargetRefused(Exception):
    """Calls can't be sent there. reason: a word; text: what to say, by language; the message is English."""

    def __init__(self, reason: str, text: Mapping[str, str], why: str) -> None:
        super().__init__(why)
        self.reason = reason
        self.text = text


def check_forward(
    plan: Plan, forwards: Mapping[str, Forwards], extension: str, to: str, now: datetime
) -> str:
    """The number that somebody's calls are to be sent to, in the form to keep: E.164 where it is outside.

    forwards: those that hold at the node, by extension. to: as that person would dial it. Raises
    TargetRefused.
    """
    plain = _plain(plan, to)
    # Their own rights, whatever somebody else sends on just now.
    theirs = {extension: Forwards(always=plain, busy=plain)}
    decision = _sent_on(plan, Conditions(forwards=theirs), extension, now)
    target = decision.target
    if target is LOOP and len(decision.diversions) == 1:
        raise TargetRefused("oneself", _ONESELF, f"{shortened(plain)} is the number of {extension} itself")
    if LOOP in (target, _sent_on(plan, Conditions(forwards={**forwards, **theirs}), extension, now).target):
        why = f"{shortened(plain)} sends calls back: they would go in a circle"
        raise TargetRefused("loop", _CIRCLE, why)
    if isinstance(target, Reject) and target.reason not in _HARMLESS:
        raise _refused(decision, target)
    if isinstance(target, ToFeature):
        raise TargetRefused("unknown", UNKNOWN.text, f"{shortened(plain)} is a code: nobody answers there")
    outside = isinstance(target, ToTrunks) and len(decision.diversions) == 1 and target.number[:1] == "+"
    return target.number if outside and isinstance(target, ToTrunks) else plain


def check_override(plan: Plan, service: str, to: str, now: datetime, setter: str = "") -> str:
    """Where a service's calls are to go while it is closed, as a plan would write it.

    to: a service's name, a number inside or +E.164; as `setter`, an extension, would dial it where one is
    given, and within its rights. Raises TargetRefused.
    """
    plain = _as_dialled_by(plan, setter, to, now) if setter else to
    if plain not in plan.services:
        plain = _plain(plan, plain)
    if plain[:1] == "+":
        reading = plan.country.read(plain)
        if not isinstance(reading, OutsideNumber):
            raise TargetRefused("unknown", UNKNOWN.text, f"{shortened(to)} can't be called: {reading.why}")
        plain = reading.number
    elif plain not in plan.services and plain not in plan.people and plain not in plan.tables.services:
        raise TargetRefused("unknown", UNKNOWN.text, f"nobody has {shortened(to)}")
    _check_circle(plan, service, plain, now)
    return plain


def _check_circle(plan: Plan, service: str, to: str, now: datetime) -> None:
    """Raises TargetRefused where a closed service would send its calls to itself."""
    closed = {service: Override(False, now + timedelta(days=1), to)}
    conditions = Conditions(services=closed)
    number = next((number for number, one in plan.tables.services.items() if one.name == service), "")
    public = plan.services[service].public
    if number:
        facts = Facts(number, conditions=conditions)
    elif public:
        facts = Facts(public, trunk=next(iter(plan.trunks), ""), conditions=conditions)
    else:
        return  # nobody can call it
    target = route(plan, facts, now).target
    if isinstance(target, Reject) and target is LOOP:
        raise TargetRefused(
            "loop", _CIRCLE, f"{shortened(to)} leads back to {service}: calls would go in a circle"
        )


def _as_dialled_by(plan: Plan, setter: str, to: str, now: datetime) -> str:
    """What a person dials, as a plan would write it. Raises TargetRefused where they may not call it."""
    plain = _plain(plan, to)
    decision = route(plan, Facts(plain, caller=setter), now)
    match decision.target:
        case ToTrunks(number, _, False) if number[:1] == "+" and not decision.diversions:
            return number
        case ToService(name, _, _) if plain not in plan.tables.services:
            return name  # by its public number
        case ToFeature():
            raise TargetRefused(
                "unknown", UNKNOWN.text, f"{shortened(plain)} is a code: nobody answers there"
            )
        case Reject() as target if target.reason not in _HARMLESS:
            raise _refused(decision, target)
    return plain


def _plain(plan: Plan, to: str) -> str:
    """A number as it is dialled, without what people write between digits. Raises TargetRefused."""
    plain = read_dialled(to, plan.country) if len(to) <= MOST_CHARACTERS else ""
    if not plain:
        raise TargetRefused("unknown", UNKNOWN.text, f'"{shortened(to)}" is no number')
    if plan.is_emergency(plain):
        raise TargetRefused("emergency", _EMERGENCY, f"{plain} is an emergency number: no call is sent there")
    return plain


def _sent_on(plan: Plan, conditions: Conditions, extension: str, now: datetime) -> Decision:
    facts = Facts(extension, conditions=conditions)
    return route_forward(plan, facts, now, extension, "user-busy")


def _refused(decision: Decision, target: Reject) -> TargetRefused:
    step = decision.trace[-1]
    return TargetRefused(target.reason, target.text, f"{step.rule}: {step.outcome}")
