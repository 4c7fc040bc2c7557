"""People of the database beside those of the plan."""

from dialplan.checking import check
from dialplan.decision import Facts, ToPerson, ToTrunks
from dialplan.plan import Person
from dialplan.routing import route
from tests.dialplan.plans import OPEN, SAMPLE, village


def test_a_person_of_the_database_is_called_and_calls():
    plan = SAMPLE.with_people([Person("2050", "Nouvelle", class_name="national")])
    assert route(plan, Facts("2050", caller="2010"), OPEN).target == ToPerson("2050", "Nouvelle")
    decision = route(plan, Facts("0612345678", caller="2050"), OPEN)
    assert isinstance(decision.target, ToTrunks)
    assert decision.caller_id == "+33383001050"


def test_the_site_of_a_person_is_that_of_the_range_when_none_is_given():
    plan = SAMPLE.with_people([Person("2250", "Hors bloc"), Person("2249", "Garde 49")])
    assert route(plan, Facts("18", caller="2249"), OPEN).site == "caserne"
    assert route(plan, Facts("18", caller="2250"), OPEN).site == "mairie"


def test_an_extension_that_is_taken_is_left_out_and_told():
    plan = SAMPLE.with_people([Person("2010", "Autre"), Person("8000", "Menu"), Person("8190", "Alarme")])
    assert plan.people["2010"].name == "État civil"
    assert [finding.message for finding in plan.findings] == [
        "extension 2010 is already user État civil for user 2010 (Autre) of the database",
        "extension 8000 is already service accueil-vocal for user 8000 (Menu) of the database",
        "extension 8190 is already alarm police-renfort for user 8190 (Alarme) of the database",
    ]


def test_an_unknown_class_leaves_inside_and_emergency_calls():
    plan = SAMPLE.with_people([Person("2050", "N", class_name="natoinal", site="mars")])
    assert [finding.code for finding in plan.findings] == ["unknown_site", "unknown_class"]
    assert route(plan, Facts("2010", caller="2050"), OPEN).target == ToPerson("2010", "État civil")
    assert route(plan, Facts("0612345678", caller="2050"), OPEN).target.reason == "class"
    assert route(plan, Facts("18", caller="2050"), OPEN).target.emergency


def test_findings_about_people_are_in_the_check():
    plan = village().with_people([Person("201", "Autre")])
    assert [finding.code for finding in check(plan) if finding.severity == "error"] == ["duplicate_number"]


def test_an_extension_that_is_no_number_is_left_out():
    plan = village().with_people([Person("alice", "Alice"), Person("", "Vide")])
    assert len(plan.people) == 1
    assert len(plan.findings) == 2


def test_people_do_not_change_the_version_of_a_plan():
    assert SAMPLE.with_people([Person("2050", "N")]).version == SAMPLE.version


def test_a_plan_with_people_leaves_the_first_one_as_it_was():
    SAMPLE.with_people([Person("2050", "N")])
    assert "2050" not in SAMPLE.people


def test_a_password_is_not_shown_in_a_person_representation():
    assert "pw1001" not in repr(SAMPLE.people["1001"])
