"""The emergency proof: every case that a plan can tell apart is routed, so nothing is left to hope.

For every site × class of rights × region of hours × failure of any one trunk (and none), each emergency
number, in every form, reaches a trunk that works. Cases are those of the plan itself: sites with the same
trunks are one, people with the same class are one, and hours are split only by the schedules that routing
looked at (`hours`). A case that fails is kept as a counter-example.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from dialplan.checks import finding_at
from dialplan.decision import NORMAL, Conditions, Decision, Facts, ToTrunks
from dialplan.finding import Finding
from dialplan.hours import over_hours
from dialplan.plan import Plan
from dialplan.routing import route
from dialplan.tables import emergency_forms

MAX_COUNTER_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Case:
    """One case of the enumeration. caller: an extension, None for a telephone without one.

    failed: the trunk that doesn't work, "" for none. instant: one of the region of hours.
    """

    number: str
    dialled: str
    site: str
    caller: str | None
    class_name: str
    failed: str
    instant: datetime

    def __str__(self) -> str:
        who = f"user {self.caller}" if self.caller is not None else "a telephone without a user"
        rights = f" (class {self.class_name})" if self.class_name else ""
        where = f" at site {self.site}" if self.site else ""
        when = f"; trunk {self.failed} down" if self.failed else ""
        return f"{who}{rights}{where} dials {self.dialled}{when}"


@dataclass(frozen=True, slots=True)
class Proof:
    """What the enumeration met. cases: how many were routed.

    unreached: cases without a failure that reach no trunk. alone: those that one failure cuts off.
    """

    cases: int
    unreached: tuple[Case, ...]
    alone: tuple[Case, ...]

    @property
    def holds(self) -> bool:
        """Whether every number reaches a trunk in every case."""
        return not self.unreached and not self.alone


def prove_emergency(plan: Plan, now: datetime) -> Proof:
    """Route every case of a plan from `now` on; at most MAX_COUNTER_EXAMPLES of each kind are kept."""
    cases = 0
    unreached: list[Case] = []
    alone: list[Case] = []
    for site in _sites(plan):
        for caller, class_name in _callers(plan):
            for number, dialled in _dialled(plan):
                for failed in ("", *plan.trunks):
                    for case, reached in _at_all_hours(
                        plan, site, caller, class_name, number, dialled, failed, now
                    ):
                        cases += 1
                        if not reached:
                            (alone if failed else unreached).append(case)
    return Proof(cases, tuple(unreached[:MAX_COUNTER_EXAMPLES]), tuple(alone[:MAX_COUNTER_EXAMPLES]))


def _at_all_hours(
    plan: Plan,
    site: str,
    caller: str | None,
    class_name: str,
    number: str,
    dialled: str,
    failed: str,
    now: datetime,
) -> Iterator[tuple[Case, bool]]:
    down = Conditions(trunks_down=frozenset((failed,))) if failed else NORMAL
    facts = Facts(dialled, caller=caller, site=site or None, conditions=down)

    def answer(instant: datetime) -> tuple[Decision, list[str]]:
        decision = route(plan, facts, instant)
        return decision, decision.schedules

    for region, decision in over_hours(plan.schedules.values(), now, answer):
        case = Case(number, dialled, site, caller, class_name, failed, region.instant)
        yield case, _reaches(decision, number, failed)


def _reaches(decision: Decision, number: str, failed: str) -> bool:
    """Whether the call goes to this emergency number, and at once by a trunk that works."""
    target = decision.target
    return (
        isinstance(target, ToTrunks)
        and target.emergency
        and target.number == number
        and target.trunks[:1] not in ((), (failed,))
    )


def _sites(plan: Plan) -> Iterator[str]:
    """A site of each order of trunks; "" for telephones at no known site."""
    seen: set[tuple[str, ...]] = set()
    for site in plan.sites.values():
        if site.trunks not in seen:
            seen.add(site.trunks)
            yield site.name
    yield ""


def _callers(plan: Plan) -> Iterator[tuple[str | None, str]]:
    """A person of each class, one without a class, and a telephone without a person."""
    seen: set[str | None] = set()
    for person in plan.people.values():
        if person.class_name not in seen:
            seen.add(person.class_name)
            yield person.extension, person.class_name or ""
    yield None, ""


def _dialled(plan: Plan) -> Iterator[tuple[str, str]]:
    for number in plan.emergency:
        for form in dict.fromkeys(emergency_forms(number, plan)):
            yield number, form


def check_emergency(plan: Plan, now: datetime) -> Iterator[Finding]:
    """The proof as findings: a counter-example where it fails, a note where one trunk is all there is."""
    proof = prove_emergency(plan, now)
    for case in proof.unreached[:1]:
        why = "an emergency call reaches no trunk" if plan.trunks else "there is no trunk for emergency calls"
        message, hint = f"{why}: {case}", "add one under `trunks:`"
        code = "emergency_unreachable" if plan.trunks else "no_trunk"
        yield Finding(code, "warning", plan.path, 1, 1, message, hint)
    if proof.alone and not proof.unreached:
        (trunk, *_) = plan.trunks.values()
        message = f"one failure cuts emergency calls off: {proof.alone[0]}"
        hint = "a second trunk, by another operator and another way, would carry them"
        yield finding_at(plan, "single_trunk", "note", trunk, message, hint)
    yield from _numbers_shown(plan)


def _numbers_shown(plan: Plan) -> Iterator[Finding]:
    """Trunks of a site by which an emergency call could show no number of ours that can be called back."""
    for site in plan.sites.values():
        numbers = [site.main_number] if site.main_number else []
        for name in site.trunks:
            trunk = plan.trunks.get(name)
            if (
                trunk is not None
                and numbers
                and not any(number in plan.tables.shown[name] for number in numbers)
            ):
                message = (
                    f"an emergency call from site {site.name} by trunk {name} would show {numbers[0]}, "
                    f"which that trunk neither owns nor presents"
                )
                hint = f"add it to `presents:` of {name} (line {trunk.line})"
                yield finding_at(plan, "emergency_caller_id", "warning", site, message, hint)
