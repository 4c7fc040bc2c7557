"""Budgets: which calls they refuse, and how it is told. Emergency calls are never looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from dialplan.budgets import Budget, calling_code
from dialplan.decision import Decision, Facts, Reject, ToTrunks
from dialplan.explaining import explain
from dialplan.plan import Plan
from dialplan.routing import route
from tests.dialplan.plans import CLOSED, OPEN, VILLAGE, errors_of, village

ABROAD = "00044207946000"
MOBILE = "0612345678"


@dataclass
class Spent:
    """What was spent, by a budget's name and key; `asked` are the windows that were asked for."""

    of: dict[tuple[str, str], tuple[int, float]]

    def __post_init__(self) -> None:
        self.asked: list[str] = []

    def spent(self, budget: Budget, key: str, window: str) -> tuple[int, float]:
        self.asked.append(window)
        return self.of.get((budget.name, key), (0, 0.0))


def with_budgets(*lines: str) -> Plan:
    more = (
        "budgets:\n" + "".join(f"  - {line}\n" for line in lines) + "schedules:\n"
        '  bureau: {open: ["mon-fri 08:30-17:30"]}\n'
    )
    return village(more, {"national, mobile]": "national, mobile, international, premium]"})


def call(
    plan: Plan, number: str, spent: dict[tuple[str, str], tuple[int, float]], now: datetime = OPEN
) -> Decision:
    return route(plan, Facts(number, caller="201", spending=Spent(spent)), now)


def refused(decision: Decision) -> bool:
    return isinstance(decision.target, Reject) and decision.target.reason == "budget"


def test_a_user_may_call_up_to_the_budget():
    plan = with_budgets("{each: user, calls: 20, per: hour}")
    assert isinstance(call(plan, MOBILE, {("user/outside/hour", "201"): (19, 0)}).target, ToTrunks)
    assert refused(call(plan, MOBILE, {("user/outside/hour", "201"): (20, 0)}))


def test_minutes_are_limited_like_calls():
    plan = with_budgets("{each: user, minutes: 60, per: day}")
    assert not refused(call(plan, MOBILE, {("user/outside/day", "201"): (500, 59.9)}))
    assert refused(call(plan, MOBILE, {("user/outside/day", "201"): (1, 60.0)}))


@pytest.mark.parametrize("right", ["international", "+44", "+442"])
def test_a_budget_may_be_for_some_numbers_only(right: str):
    plan = with_budgets(f'{{each: user, to: "{right}", calls: 2, per: hour}}')
    spent = {(f"user/{right}/hour", "201"): (2, 0.0)}
    assert refused(call(plan, ABROAD, spent))
    assert not refused(call(plan, MOBILE, spent))


def test_a_country_has_its_own_count():
    plan = with_budgets("{each: country, to: international, calls: 5, per: hour}")
    spent = {("country/international/hour", "+44"): (5, 0.0)}
    assert refused(call(plan, ABROAD, spent))
    assert not refused(call(plan, "0003224567890", spent))


def test_everybody_together_has_one_count():
    plan = with_budgets("{each: all, to: international, calls: 50, per: hour}")
    assert refused(call(plan, ABROAD, {("all/international/hour", "all"): (50, 0.0)}))


def test_another_trunk_carries_the_call_when_one_has_spent_its_budget():
    plan = village(
        "budgets:\n  - {each: trunk, calls: 5, per: hour}\n",
        {
            "trunks: [operateur]": "trunks: [operateur, autre]",
            "trunks:\n  operateur:": "trunks:\n  autre: {host: b.example, presents: "
            '["+33383009000..+33383009009"]}\n  operateur:',
        },
    )
    spent = {("trunk/outside/hour", "operateur"): (5, 0.0)}
    assert call(plan, MOBILE, spent).target == ToTrunks("+33612345678", ("autre",), False)
    spent[("trunk/outside/hour", "autre")] = (5, 0.0)
    assert refused(call(plan, MOBILE, spent))


def test_a_stricter_budget_holds_at_night():
    plan = with_budgets("{each: user, to: international, calls: 0, per: hour, when_closed: bureau}")
    assert not refused(call(plan, ABROAD, {}, now=OPEN))
    assert refused(call(plan, ABROAD, {}, now=CLOSED))


def test_an_hour_and_a_day_are_those_of_the_plans_clock():
    plan = with_budgets("{each: user, calls: 20, per: hour}", "{each: user, calls: 99, per: day}")
    told = Spent({})
    route(plan, Facts(MOBILE, caller="201", spending=told), OPEN)
    route(plan, Facts(MOBILE, caller="201", spending=told), OPEN + timedelta(hours=14))
    assert told.asked == ["2026-11-23T10", "2026-11-23", "2026-11-24T00", "2026-11-24"]


@pytest.mark.parametrize("number", ["15", "018", "112", "+33112", "urn:service:sos"])
def test_an_emergency_call_has_no_budget(number: str):
    """Design, promise 3."""
    plan = with_budgets("{each: all, calls: 0, minutes: 0, per: hour}", "{each: trunk, calls: 0, per: day}")
    target = call(plan, number, {}).target
    assert isinstance(target, ToTrunks)
    assert target.emergency


def test_a_call_inside_has_no_budget():
    plan = with_budgets("{each: all, calls: 0, per: hour}")
    assert not refused(call(plan, "201", {}))


def test_explain_says_which_budget_refused_and_where_it_is_written():
    plan = with_budgets("{each: user, to: international, calls: 2, per: hour}")
    said = explain(plan, call(plan, ABROAD, {("user/international/hour", "201"): (2, 0.0)}))
    line = VILLAGE.count("\n") + 2
    assert f"village.yaml:{line}" in said[-2]
    assert said[-2].endswith("budget user/international/hour  201 has made 2 of 2 calls in this hour")
    assert said[-1] == "=> refused: budget (403)"


def test_a_call_that_the_plan_sends_outside_counts_on_what_it_has():
    plan = with_budgets("{each: user, calls: 0, per: hour}", "{each: all, calls: 7, per: hour}")
    forwarded = replace(plan, unassigned=None)
    assert forwarded.budgets[0].key("", "operateur", "+33612345678") == ""
    assert forwarded.budgets[1].key("", "operateur", "+33612345678") == "all"


@pytest.mark.parametrize(
    ("number", "code"),
    [("+442079460000", "+44"), ("+2250102030405", "+225"), ("+18765551234", "+1"), ("3900", "+"), ("", "+")],
)
def test_the_country_of_a_number(number: str, code: str):
    assert calling_code(number) == code


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{each: user, per: hour}", "limits nothing"),
        ("{each: nobody, calls: 1, per: hour}", 'unknown owner of a budget "nobody"'),
        ("{each: user, calls: 1, per: month}", 'unknown period "month"'),
        ("{each: user, calls: many, per: hour}", "expected a whole number"),
        ("{each: user, calls: 1, per: hour, to: everywhere}", 'unknown right "everywhere"'),
        ("{each: user, calls: 1, per: hour, to: internal}", 'unknown right "internal"'),
        ('{each: user, calls: 1, per: hour, to: "+0"}', "no beginning of a number"),
        ("{each: user, calls: 1, per: hour, when_closed: nuit}", 'unknown schedule "nuit"'),
        ("{each: user, calls: 1, per: hour, euros: 5}", 'unknown key "euros"'),
        ("{calls: 1, per: hour}", '"each" is missing'),
        ("user", "expected a list of"),
    ],
)
def test_a_wrong_budget_is_told_with_its_place(line: str, said: str):
    (error,) = [one for one in errors_of(f"{VILLAGE}budgets:\n  - {line}\n") if said in one]
    assert error.startswith(f"plan.yaml:{VILLAGE.count(chr(10)) + 2}:")
