"""Forwards that people set by hand: whose call, at which hour, and who set them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dialplan.decision import Conditions, Facts, ForwardRule, Forwards, Origin, Override, Reject, ToPerson
from dialplan.explaining import explain
from dialplan.routing import no_answer_seconds, route, route_forward, route_thoroughly
from dialplan.schedule import parse_weekly
from tests.dialplan.plans import OPEN, SAMPLE

NONE = Forwards()
NINE = datetime(2026, 11, 23, 8, 12, tzinfo=UTC)  # 09:12 in Valmont


def rule(when="always", to="2020", **fields: Any):
    return ForwardRule(when, to, **fields)


def forwarded(*rules: ForwardRule, caller="2301", plans=NONE, now=OPEN, **facts: Any):
    conditions = Conditions(forwards={"2010": replace(plans, rules=rules)})
    return route(SAMPLE, Facts("2010", caller=caller, conditions=conditions, **facts), now)


def from_outside(*rules: ForwardRule, number="+33699999999", **facts: Any):
    conditions = Conditions(forwards={"2010": Forwards(rules=rules)})
    asked = Facts("+33383001010", trunk="operateur-a", caller_number=number, conditions=conditions, **facts)
    return route(SAMPLE, asked, OPEN)


def rings(decision):
    assert isinstance(decision.target, ToPerson)
    return decision.target.extension


def test_what_was_set_by_hand_goes_before_the_plan():
    assert rings(forwarded(rule(to="2020"), plans=Forwards(always="2401"))) == "2020"


def test_a_forward_of_the_plan_that_was_cancelled_by_hand_is_not_followed():
    assert rings(forwarded(rule(to=""), plans=Forwards(always="2401"))) == "2010"


def test_the_first_rule_that_holds_decides():
    rules = (rule(to="2401", callers=("2301",)), rule(to="2020"))
    assert rings(forwarded(*rules, caller="2301")) == "2401"
    assert rings(forwarded(*rules, caller="2302")) == "2020"


@pytest.mark.parametrize(
    ("callers", "inside", "outside", "hidden"),
    [
        (("inside",), "2020", "2010", "2010"),
        (("outside",), "2010", "2020", "2020"),
        (("anonymous",), "2010", "2010", "2020"),
        (("+336",), "2010", "2020", "2010"),
        (("2301", "+331"), "2020", "2010", "2010"),
    ],
)
def test_a_forward_may_be_for_some_callers(callers, inside, outside, hidden):
    only = rule(callers=callers)
    assert rings(forwarded(only, caller="2301")) == inside
    assert rings(from_outside(only)) == outside
    assert rings(from_outside(only, number=None, anonymous=True)) == hidden


def test_a_forward_may_be_for_some_hours():
    noon = rule(hours=(parse_weekly("mon-fri 12:00-14:00", 0, 0),))
    local = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)  # 12:00 in Valmont
    assert rings(forwarded(noon, now=local)) == "2020"
    assert rings(forwarded(noon, now=local - timedelta(seconds=1))) == "2010"
    assert rings(forwarded(noon, now=local + timedelta(hours=2))) == "2010"


def test_whoever_takes_somebody_s_calls_can_still_call_them():
    assert rings(forwarded(rule(to="2020"), caller="2020")) == "2010"


def test_a_forward_is_explained_with_who_set_it_and_when():
    decision = forwarded(rule(origin=Origin("1001", NINE)))
    assert ("forward of 2010", "unconditional: to 2020, because 1001 set it on 2026-11-23 at 09:12") in [
        (step.rule, step.outcome) for step in decision.trace
    ]


def test_a_rule_that_is_not_for_the_call_is_explained_too():
    conditions = Conditions(forwards={"2010": Forwards(rules=(rule(callers=("outside",)),))})
    decision = route_thoroughly(SAMPLE, Facts("2010", caller="2301", conditions=conditions), OPEN)
    assert any("always to 2020: not followed: only for outside" in line for line in explain(SAMPLE, decision))


def test_do_not_disturb_is_explained_with_who_set_it():
    decision = forwarded(plans=Forwards(do_not_disturb=True, origin=Origin("2010", NINE)))
    assert isinstance(decision.target, Reject)
    assert decision.trace[-1].outcome == (
        "does not want to be disturbed, because 2010 set it on 2026-11-23 at 09:12"
    )


def test_an_override_is_explained_with_who_set_it():
    closed = Override(False, OPEN + timedelta(hours=1), "2020", Origin("1001", NINE))
    conditions = Conditions(services={"standard": closed}, schedules={"bureau": closed})
    decision = route(SAMPLE, Facts("9", caller="2301", conditions=conditions), OPEN)
    assert rings(decision) == "2020"
    assert any("because 1001 set it on 2026-11-23 at 09:12" in step.outcome for step in decision.trace)


def sent_on(forwards, reason):
    facts = Facts("2010", caller="2301", conditions=Conditions(forwards={"2010": forwards}))
    return route_forward(SAMPLE, facts, OPEN, "2010", reason)


def test_unreachable_has_a_forward_of_its_own():
    forwards = Forwards(no_answer="2020", unreachable="2401")
    assert rings(sent_on(forwards, "unavailable")) == "2401"
    assert rings(sent_on(forwards, "no-answer")) == "2020"


def test_unreachable_goes_where_no_answer_goes_without_one():
    assert rings(sent_on(Forwards(rules=(rule("no_answer"),)), "unavailable")) == "2020"


def test_devices_ring_as_long_as_the_forward_that_holds_says():
    forwards = Forwards(
        no_answer="2401", no_answer_seconds=30, rules=(rule("no_answer", seconds=8, callers=("2301",)),)
    )
    conditions = Conditions(forwards={"2010": forwards})
    short, usual = (Facts("2010", caller=caller, conditions=conditions) for caller in ("2301", "2302"))
    assert no_answer_seconds(SAMPLE, short, OPEN, "2010") == 8
    assert no_answer_seconds(SAMPLE, usual, OPEN, "2010") == 30
    assert no_answer_seconds(SAMPLE, usual, OPEN, "2020") == 0


@pytest.mark.parametrize("dialled", ["18", "015", "+33112"])
def test_no_forward_and_no_override_touches_an_emergency_call(dialled):
    conditions = Conditions(
        forwards=dict.fromkeys(SAMPLE.people, Forwards(do_not_disturb=True, rules=(rule(),))),
        services={name: Override(False, OPEN + timedelta(hours=1), "2020") for name in SAMPLE.services},
    )
    decision = route(SAMPLE, Facts(dialled, caller="2010", conditions=conditions), OPEN)
    assert decision.target == route(SAMPLE, Facts(dialled, caller="2010"), OPEN).target
    assert decision.emergency is not None
