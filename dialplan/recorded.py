"""Whose calls the plan has recorded, and by which of its lines.

    service   all calls that come to it, also those that it sends on while it is closed
    user      all calls of this person, else of the first of their groups that says so
    trunk     all calls over it

Where several say so, each has its recording. By a policy of `start: asked` a person's call is recorded when
they ask for it, and not before. What becomes of one when its call is held, transferred or
parked is the application's matter (`pbx.recordings`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from dialplan.decision import Decision, Facts, Step, Target, ToPerson, ToTrunks

if TYPE_CHECKING:
    from dialplan.plan import Plan


_RULE: Final = "recording "  # of a step in a decision's trace
_SINCE: Final[Mapping[str, str]] = {
    "ringing": "from the first ring",
    "answer": "from the answer",
    "asked": "when they ask",
}


class Recorded(NamedTuple):
    """A policy that somebody's calls are recorded by. because: what of the plan says so, at `line`."""

    policy: str
    because: str
    line: int


def recorded_people(plan: Plan) -> Mapping[str, Recorded]:
    """Whose calls are recorded, by extension."""
    by_group = {group.name: group for group in plan.groups.values() if group.record is not None}
    recorded: dict[str, Recorded] = {}
    for person in plan.people.values():
        if person.record is not None:
            recorded[person.extension] = Recorded(person.record, f"user {person.extension}", person.line)
            continue
        for name in person.groups if by_group else ():
            if name in by_group:
                group = by_group[name]
                recorded[person.extension] = Recorded(group.record or "", f"group {name}", group.line)
                break
    return recorded


def recorded_by(plan: Plan, decision: Decision) -> tuple[str, ...]:
    """The policies that a call is recorded by though nobody asks, each once."""
    rules = [step.rule for step in decision.trace if step.rule.startswith(_RULE)]
    names = dict.fromkeys(rule.removeprefix(_RULE) for rule in rules)
    return tuple(name for name in names if plan.recordings[name].start != "asked")


def recorded_as(plan: Plan, policy: str) -> str:
    """From when and how long a policy records, in words."""
    rules = plan.recordings[policy]
    return f"recorded {_SINCE[rules.start]}, kept {rules.keep_days} days"


def recording_steps(plan: Plan, facts: Facts, target: Target) -> Iterator[Step]:
    """A step for each person and trunk of a call whose calls are recorded; services leave their own."""
    called = target.extension if isinstance(target, ToPerson) else ""
    for extension in (facts.caller or "", called):
        one = plan.tables.recorded.get(extension)
        if one is not None:
            words = f"{extension}, by {one.because}: {recorded_as(plan, one.policy)}"
            yield Step(one.line, _RULE + one.policy, words)
    trunks = target.trunks if isinstance(target, ToTrunks) else ()
    for name in dict.fromkeys((facts.trunk or "", *trunks)):
        trunk = plan.trunks.get(name)
        if trunk is not None and trunk.record is not None:
            words = f"by trunk {name}: {recorded_as(plan, trunk.record)}"
            yield Step(trunk.line, _RULE + trunk.record, words)
