"""What a plan says of queues: priorities, needs, skills, pauses, call-backs, rotas, and their findings."""

from __future__ import annotations

import pytest

from dialplan.checking import check
from dialplan.finding import PlanError
from dialplan.loading import parse_plan
from dialplan.plan import CallBack, Overflow, Plan, Priority, RotaStep

PLAN = """
plan: 1
country: FR
numbers: {local: "1001..1099"}
skills:
  etat-civil: {"1001": 3, "1002": 1}
  en: {"1002": 2}
pauses:
  "1": {fr: Repas, en: Lunch}
services:
  accueil:
    number: "9"
    type: queue
    agents: ["1001", "1002"]
    SETTINGS
  garde:
    number: "8"
    type: hotline
    steps:
      - {rota: astreinte.ics, seconds: 25, confirm: true}
      - {to: "1001"}
features:
  pause: "*48"
  pause_reason: "*48*{reason}"
  pause_service: "*49*{service}*{reason}"
  resume: "#48#"
  resume_service: "#49*{service}"
users:
  - {extension: "1001", name: Alice}
  - {extension: "1002", name: Bruno}
"""


def plan_with(*settings: str) -> Plan:
    return parse_plan(PLAN.replace("SETTINGS", "\n    ".join(settings)), "plan.yaml")


def findings(plan: Plan) -> list[str]:
    return [f"{finding.line}: {finding.message}" for finding in check(plan) if "skill" in finding.message]


def test_priority_is_read_by_caller_and_by_number() -> None:
    plan = plan_with(
        "priority:",
        '  {level: 1, level_seconds: 90, callers: {"+336": 2, "1002": 3, outside: 0}, numbers: {"9": 4}}',
    )
    wanted = Priority(1, 90, {"+336": 2, "1002": 3, "outside": 0}, {"9": 4})
    assert plan.services["accueil"].settings["priority"] == wanted


def test_needs_are_skills_with_levels_and_the_language_is_one() -> None:
    assert plan_with("needs: {etat-civil: 2}", "language: en").services["accueil"].needs == {
        "en": 1,
        "etat-civil": 2,
    }
    assert plan_with("needs: [etat-civil]").services["accueil"].needs == {"etat-civil": 1}
    assert plan_with("").services["accueil"].needs == {}


def test_the_other_settings_of_a_queue_are_read() -> None:
    plan = plan_with(
        "when_full: {after_seconds: 120, callers: 10, to: '1001'}",
        "when_nobody: {to: '1002'}",
        "callback: {key: '5', after_seconds: 60}",
        "messages: [{fr: Bonjour, en: Hello}, Merci]",
        "wrap_up_seconds: 15",
        "pause_after: 2",
    )
    settings = plan.services["accueil"].settings
    overflow = settings["when_full"]
    assert isinstance(overflow, Overflow)
    assert overflow.callers == 10
    assert settings["callback"] == CallBack("5", 60)
    assert settings["messages"] == ({"fr": "Bonjour", "en": "Hello"}, {"fr": "Merci"})
    assert settings["wrap_up_seconds"] == 15
    assert plan.pauses == {"1": {"fr": "Repas", "en": "Lunch"}}
    assert plan.skills["en"].levels == {"1002": 2}


def test_a_hotline_has_a_step_for_the_rota() -> None:
    steps = plan_with("").services["garde"].settings["steps"]
    assert isinstance(steps, tuple)
    assert steps[0] == RotaStep("astreinte.ics", 25, True, 20)


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ("needs: [cuisine]", 'unknown skill "cuisine"'),
        ("priority: {callers: {bob: 1}}", '"bob" is no caller'),
        ("priority: {numbers: {'+33': 1}}", "is no public number"),
        ("priority: {level: 12}", "between 0 and 9"),
        ("callback: {key: x}", 'unknown key "x"'),
        ("messages: []", ""),
    ],
)
def test_what_is_wrong_is_told_with_its_line(settings: str, wrong: str) -> None:
    if not wrong:
        assert plan_with(settings).services["accueil"].settings["messages"] == ()
        return
    with pytest.raises(PlanError) as raised:
        plan_with(settings)
    assert [finding.line for finding in raised.value.findings] == [15]
    assert wrong in raised.value.findings[0].message


@pytest.mark.parametrize("name", ["../secret.ics", "/etc/passwd", "rota.txt", ".ics", "a/b.ics"])
def test_a_rota_lies_beside_the_plan_and_nowhere_else(name: str) -> None:
    with pytest.raises(PlanError) as raised:
        parse_plan(PLAN.replace("SETTINGS", "").replace("astreinte.ics", name), "plan.yaml")
    assert "can't be a rota" in raised.value.findings[0].message


def test_a_skill_that_no_agent_has_well_enough_is_a_finding() -> None:
    assert findings(plan_with("needs: {en: 3}")) == ["11: no agent of accueil has skill en of level 3"]
    assert findings(plan_with("needs: {en: 2}")) == []


def test_an_agent_outside_is_never_rung_and_that_is_a_finding() -> None:
    text = PLAN.replace("SETTINGS", "").replace(
        'agents: ["1001", "1002"]', 'agents: ["1001", "+33612345678"]'
    )
    told = [finding.message for finding in check(parse_plan(text, "plan.yaml")) if "rings" in finding.message]
    assert told == ["queue accueil never rings +33612345678: its agents are telephones here"]


def test_a_skill_of_an_extension_that_nobody_has_is_a_finding() -> None:
    text = PLAN.replace("SETTINGS", "").replace('"1002": 2', '"1003": 2')
    assert findings(parse_plan(text, "plan.yaml")) == ["7: skill en: nobody has extension 1003"]
