"""What a plan says of the calls that somebody takes: of callers without a number, and a second one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dialplan.decision import ANONYMOUS, Callback, Conditions, Decision, Facts, Forwards, ToPerson, ToTrunks
from dialplan.finding import PlanError
from dialplan.plan import Plan
from dialplan.routing import forwards_of, route
from tests.dialplan.plans import SAMPLE, village

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
REJECTS = Conditions(forwards={"2010": Forwards(rejects_anonymous=True, always="2020")})
OFFICE = "+33383001010"


def with_keys(keys: str) -> Plan:
    """The village's plan, whose only person has these keys as well."""
    return village(replaced={"class: national}": f"class: national, {keys}}}"})


def from_outside(**facts: Any) -> Decision:
    return route(SAMPLE, Facts(OFFICE, trunk="operateur-a", **({"conditions": REJECTS} | facts)), NOW)


def from_inside(dialled: str = "2010", plan: Plan = SAMPLE, **facts: Any) -> Decision:
    return route(plan, Facts(dialled, caller="1001", conditions=REJECTS, **facts), NOW)


@pytest.mark.parametrize("facts", [{}, {"anonymous": True, "caller_number": "+33601020304"}])
def test_a_caller_without_a_number_is_refused_before_any_forward(facts: dict[str, Any]) -> None:
    # RFC 5079 section 4
    decision = from_outside(**facts)
    assert decision.target is ANONYMOUS
    assert decision.trace[-1].outcome == "takes no calls without a number"


def test_a_caller_with_a_number_goes_where_the_person_says() -> None:
    assert from_outside(caller_number="+33601020304").target == ToPerson("2020", "Urbanisme")
    assert from_inside().target == ToPerson("2020", "Urbanisme")


def test_a_colleague_who_hides_is_refused() -> None:
    assert from_inside(anonymous=True).target is ANONYMOUS


def test_a_call_back_after_an_emergency_call_is_not_refused() -> None:
    callback = Callback("2010", "2010", NOW)
    conditions = Conditions(forwards=REJECTS.forwards, callbacks={OFFICE: callback})
    assert from_outside(conditions=conditions).target == ToPerson("2010", "État civil")


def test_who_hides_from_the_outside_alone_is_not_refused_inside() -> None:
    """`caller_id: anonymous` is for calls outside."""
    other = '  - {extension: "202", name: B, class: national, caller_id: anonymous}\n'
    plan = village(other, {"class: national}": "class: national, anonymous: reject}"})
    assert route(plan, Facts("201", caller="202"), NOW).target == ToPerson("201", "Mairie")


def test_who_calls_for_help_is_never_refused() -> None:
    decision = route(SAMPLE, Facts("18", caller="2010", anonymous=True, conditions=REJECTS), NOW)
    assert isinstance(decision.target, ToTrunks)
    assert decision.target.emergency


def test_a_plan_says_it_of_a_person() -> None:
    plan = with_keys("anonymous: reject, call_waiting: false")
    assert forwards_of(plan, Conditions(), "201") == Forwards(rejects_anonymous=True, call_waiting=False)
    plan = with_keys('call_waiting: true, anonymous: accept, forward: {busy: "202"}')
    assert forwards_of(plan, Conditions(), "201") == Forwards(busy="202")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("anonymous: refuse", 'village.yaml:17:80: unknown rule for calls without a number "refuse"'),
        ("call_waiting: never", "village.yaml:17:83: "),
    ],
)
def test_what_a_person_cannot_say_is_told_with_its_place(keys: str, said: str) -> None:
    with pytest.raises(PlanError) as refused:
        with_keys(keys)
    assert str(refused.value.findings[0]).startswith(said)
