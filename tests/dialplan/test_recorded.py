"""Whose calls a plan has recorded, what it tells of it, and what is wrong with what it says."""

from __future__ import annotations

import pytest

from dialplan.checking import check
from dialplan.decision import Facts
from dialplan.difference import difference
from dialplan.explaining import explain
from dialplan.plan import Plan
from dialplan.recorded import Recorded, recorded_by
from dialplan.routing import route
from tests.dialplan.plans import OPEN, SAMPLE, VILLAGE, errors_of, village

POLICY = 'recording:\n  r: {legal_basis: b, keep: 60 days, listeners: ["201"], export: one_person}\n'
PERSON = "name: Mairie, site: mairie, class: national"
HOST = "host: sip.operateur.example"


def told(plan: Plan, **facts: str) -> list[str]:
    return [line for line in explain(plan, route(plan, Facts(**facts), OPEN)) if "recorded" in line]


def codes(plan: Plan) -> list[str]:
    return [finding.code for finding in check(plan, OPEN)]


def test_a_call_to_a_recorded_line_says_so_with_its_policy_and_its_line() -> None:
    (line,) = told(SAMPLE, dialled="8200", caller="1001")
    service = SAMPLE.services["secours"]
    assert line.startswith(f"valmont.yaml:{service.line} ")
    assert line.endswith("recording pompiers  recorded from the first ring, kept 60 days")


def test_a_line_that_is_closed_records_the_calls_that_it_sends_on() -> None:
    more = (
        'schedules:\n  s: {open: ["2020-01-06 09:00-10:00"]}\n'
        'services:\n  ligne: {number: "300", type: echo, record: r, schedule: s, when_closed: "201"}\n'
    )
    decision = route(village(more + POLICY), Facts("300", caller="201"), OPEN)
    assert decision.recorded_lines == ("ligne",)


def test_an_unrecorded_call_goes_through_no_recorded_line() -> None:
    assert route(SAMPLE, Facts("2010", caller="1001"), OPEN).recorded_lines == ()
    assert told(SAMPLE, dialled="2010", caller="1001") == []


def test_a_user_says_that_its_calls_are_recorded_and_each_call_of_theirs_tells_so() -> None:
    plan = village(POLICY, {PERSON: f"{PERSON}, record: r"})
    assert plan.tables.recorded == {"201": Recorded("r", "user 201", plan.people["201"].line)}
    (line,) = told(plan, dialled="00612345678", caller="201")
    assert line.endswith("201, by user 201: recorded from the answer, kept 60 days")
    assert len(told(plan, dialled="17", caller="201")) == 1, "calls for help too"


def test_a_group_says_it_for_its_people_and_a_person_says_otherwise() -> None:
    more = (
        "recording:\n  r: {legal_basis: b, keep: 60 days}\n  other: {legal_basis: b, keep: 1 days}\n"
        "groups:\n  garde: {record: r}\n"
    )
    plan = village(
        more,
        {
            f'- {{extension: "201", {PERSON}}}': (
                f'- {{extension: "201", {PERSON}, groups: [garde]}}\n'
                '  - {extension: "202", name: Autre, groups: [garde], record: other}\n'
            )
        },
    )
    assert {who: one.policy for who, one in plan.tables.recorded.items()} == {"201": "r", "202": "other"}
    assert plan.tables.recorded["201"].because == "group garde"


def test_a_trunk_says_it_for_the_calls_over_it_in_both_directions() -> None:
    plan = village(POLICY, {HOST: f"{HOST}, record: r"})
    (out,) = told(plan, dialled="00612345678", caller="201")
    (into,) = told(plan, dialled="+33383009001", trunk="operateur", caller_number="+33612345678")
    assert "by trunk operateur: recorded from the answer" in out
    assert "by trunk operateur: recorded from the answer" in into


def test_a_plan_that_records_nothing_has_nothing_to_look_at() -> None:
    assert not village().tables.records
    assert not SAMPLE.tables.records_parties
    assert SAMPLE.tables.records


@pytest.mark.parametrize(
    ("old", "new"),
    [(PERSON, f"{PERSON}, record: nobody"), (HOST, f"{HOST}, record: nobody")],
)
def test_an_unknown_policy_is_an_error_with_its_line(old: str, new: str) -> None:
    (error,) = errors_of(VILLAGE.replace(old, new) + POLICY)
    assert 'unknown recording "nobody"' in error


def test_a_policy_says_what_callers_are_told_how_often_it_beeps_and_who_may_stop_it() -> None:
    more = (
        "recording:\n  r:\n    legal_basis: b\n    keep: 1 month\n"
        '    announce: {fr: "Enregistré.", en: "Recorded."}\n'
        "    beep_seconds: 30\n    stop: allowed\n"
    )
    policy = village(more).recordings["r"]
    assert dict(policy.announce) == {"fr": "Enregistré.", "en": "Recorded."}
    assert (policy.beep_seconds, policy.may_stop) == (30, True)


def test_a_policy_stands_in_the_register_and_says_before_when_nothing_is_erased() -> None:
    more = POLICY.replace("}", ", register: n° 7, keep_at_least: 30 days}")
    policy = village(more).recordings["r"]
    assert (policy.register, policy.least_days) == ("n° 7", 30)


def test_recordings_can_not_have_to_be_kept_for_longer_than_they_are() -> None:
    (error,) = errors_of(VILLAGE + POLICY.replace("}", ", keep_at_least: 3 months}"))
    assert "it would have to be kept for longer than it is kept" in error


def test_a_policy_of_an_older_plan_says_and_allows_nothing() -> None:
    policy = SAMPLE.recordings["pompiers"]
    assert (dict(policy.announce), policy.beep_seconds, policy.may_stop, policy.alarm) == ({}, 0, False, "")


@pytest.mark.parametrize("wrong", ["beep_seconds: 2", "stop: perhaps", "alarm: nobody"])
def test_what_a_policy_can_not_say_is_an_error(wrong: str) -> None:
    assert len(errors_of(VILLAGE + POLICY.replace("}", f", {wrong}}}"))) == 1


ASKED = (
    'recording:\n  r: {legal_basis: b, keep: 30 days, start: asked, listeners: ["201"], export: one_person}\n'
)


def test_what_a_person_may_ask_for_is_named_but_is_no_recording_before() -> None:
    plan = village(ASKED, {PERSON: f"{PERSON}, record: r"})
    (line,) = told(plan, dialled="00612345678", caller="201")
    assert line.endswith("201, by user 201: recorded when they ask, kept 30 days")
    assert recorded_by(plan, route(plan, Facts("00612345678", caller="201"), OPEN)) == ()
    assert plan.recordings["r"].may_stop, "whoever asks for it ends it as well"
    never = village(ASKED.replace("start: asked", "start: asked, stop: never"))
    assert not never.recordings["r"].may_stop


@pytest.mark.parametrize(("old", "new"), [(HOST, f"{HOST}, record: r"), ("", "")])
def test_lines_and_trunks_ask_for_nothing(old: str, new: str) -> None:
    line = 'services:\n  ligne: {number: "300", type: echo, record: r}\n' if not old else ""
    plan = village(ASKED + line, {old: new} if old else {})
    (finding,) = [one for one in check(plan, OPEN) if one.code == "recording_of_nobody"]
    assert finding.severity == "error"
    assert finding.message.endswith("is recorded as r, which begins when a person asks")


def test_a_call_is_not_refused_for_a_recording_that_nobody_has_asked_for() -> None:
    (error,) = errors_of(VILLAGE + ASKED.replace("start: asked", "start: asked, on_failure: refuse"))
    assert "no call can be refused for it" in error


def test_recordings_that_are_asked_for_by_no_code_are_warned_of() -> None:
    assert codes(village(ASKED)).count("recording_without_code") == 2
    more = 'features:\n  record_stop: "*38"\n  record_again: "#38#"\n'
    assert "recording_without_code" not in codes(village(ASKED + more))


def test_recordings_that_may_be_stopped_by_no_code_are_warned_of() -> None:
    more = POLICY.replace("}", ", stop: allowed}")
    assert "recording_without_code" in codes(village(more))
    assert "recording_without_code" not in codes(village(more + 'features:\n  record_stop: "*38"\n'))


def test_recordings_that_nobody_may_listen_to_are_told() -> None:
    assert "no_listeners" in codes(village("recording:\n  r: {legal_basis: b, keep: 60 days}\n"))
    assert "no_listeners" not in codes(village(POLICY))


@pytest.mark.parametrize(("old", "new"), [(PERSON, f"{PERSON}, record: r"), (HOST, f"{HOST}, record: r")])
def test_a_policy_that_a_user_or_a_trunk_names_is_used(old: str, new: str) -> None:
    assert "unused_recording" in codes(village(POLICY))
    assert "unused_recording" not in codes(village(POLICY, {old: new}))


def test_what_a_plan_records_otherwise_is_a_change() -> None:
    before, after = village(POLICY), village(POLICY, {PERSON: f"{PERSON}, record: r"})
    assert [str(change) for change in difference(before, after, OPEN)] == [
        "user 201, record: r instead of nothing"
    ]


@pytest.mark.parametrize(
    ("expected", "says"),
    [
        ("recorded: r", ""),
        ("recorded: nothing", "expected recorded nothing, got service ligne (echo, 300), recorded r"),
        ("service: ligne, recorded: other", "got service ligne (echo, 300), recorded r"),
    ],
)
def test_a_plan_tests_what_is_recorded(expected: str, says: str) -> None:
    more = (
        POLICY + "  other: {legal_basis: b, keep: 1 days}\n"
        'services:\n  ligne: {number: "300", type: echo, record: r}\n'
        f'tests:\n  - {{from: "201", dial: "300", expect: {{{expected}}}}}\n'
    )
    failed = [str(finding) for finding in check(village(more), OPEN) if finding.code == "test_failed"]
    assert len(failed) == (1 if says else 0)
    assert not says or says in failed[0]


def test_a_test_of_an_unknown_policy_is_an_error() -> None:
    (error,) = errors_of(VILLAGE + 'tests:\n  - {from: "201", dial: "201", expect: {recorded: nobody}}\n')
    assert 'unknown recording "nobody"' in error
