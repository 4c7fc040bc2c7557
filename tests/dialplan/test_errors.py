"""Every refusal of a plan, read as the person who wrote it reads it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.checking import check
from dialplan.decision import Facts
from dialplan.finding import PlanError
from dialplan.loading import parse_plan
from dialplan.routing import route
from tests.dialplan.plans import OPEN, SAMPLE_PATH, VILLAGE, errors_of

SAMPLE_TEXT = SAMPLE_PATH.read_text(encoding="utf-8")


def test_the_village_loads():
    assert errors_of(VILLAGE) == []


def test_an_unknown_class_names_the_user_and_the_nearest_class():
    assert errors_of(VILLAGE.replace("class: national}", "class: natoinal}")) == [
        'plan.yaml:17:59: unknown class "natoinal" for user 201; did you mean "national"?'
    ]


def test_all_errors_are_told_at_once_in_the_order_of_the_file():
    text = (
        VILLAGE.replace("country: FR", "country: FX")
        .replace("[operateur]", "[opérateur]")
        .replace("mobile]", "mobiles]")
    )
    assert errors_of(text) == [
        'plan.yaml:2:10: unknown country "FX"; known: BE, FR',
        'plan.yaml:6:14: unknown trunk "opérateur" for site mairie; did you mean "operateur"?',
        'plan.yaml:13:34: unknown right "mobiles"; did you mean "mobile"?',
    ]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("plan: 1\n", "", 'plan.yaml:1:1: "plan" is missing here; add `plan: …`'),
        ("plan: 1", "plan: 2", "plan.yaml:1:7: this format of plans isn't read here; write plan: 1"),
        ("sites:", "site:", 'plan.yaml:3:1: unknown key "site"; did you mean "sites"?'),
        (
            "10.1.0.0/24",
            "10.1.0.7/24",
            'plan.yaml:5:16: "10.1.0.7/24" is no network; write 10.1.0.0/24',
        ),
        (
            'main_number: "+33383009001"',
            'main_number: "0383009000"',
            'plan.yaml:7:18: "0383009000" is no public number; write it whole, with + and the country code',
        ),
        ('prefix: "0"', "prefix: zero", 'plan.yaml:9:19: "zero" is no outside prefix; write 1 to 4 digits'),
        ("200..209", "209..200", "plan.yaml:11:70: 209..200 is backwards; write 200..209"),
        ("200..209", "+200..+209", 'plan.yaml:11:70: "+200..+209" can\'t be here; numbers inside have no +'),
        (
            "[internal, national",
            "[emergency, internal, national",
            "plan.yaml:13:14: emergency calls are always allowed; remove it from the class",
        ),
        ("host: sip.operateur.example, ", "", 'plan.yaml:15:3: "host" is missing here; add `host: …`'),
        ("sip.operateur.example", "sip operateur", 'plan.yaml:15:21: "sip operateur" is no host name'),
        ("name: Mairie, ", "", 'plan.yaml:17:5: "name" is missing here; add `name: …`'),
        (
            'extension: "201"',
            "extension: 2O1",
            'plan.yaml:17:17: "2O1" is no number inside; write digits only',
        ),
    ],
)
def test_a_mistake_has_its_place_and_its_mend(old, new, sentence):
    assert old in VILLAGE
    assert any(got.startswith(sentence) for got in errors_of(VILLAGE.replace(old, new)))


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        (
            'services:\n  s: {number: "210", type: ecko}\n',
            'unknown type "ecko"; did you mean "echo"?',
        ),
        ('services:\n  s: {number: "210", type: echo, seconds: 3}\n', 'unknown key "seconds"'),
        (
            'services:\n  s: {number: "201", type: echo}\n',
            "number 201 is taken already, by user Mairie; see line 17",
        ),
        (
            'services:\n  s: {number: "210", type: group}\n',
            '"members" is missing here; add `members: …`',
        ),
        (
            (
                'services:\n  s: {number: "210", type: echo, when_closed: {to: t}, schedule: j}\n'
                "schedules: {j: {open: []}}\n"
            ),
            'unknown service "t"; known: s',
        ),
        (
            'services:\n  s: {number: "210", type: echo, schedule: bureau}\n',
            'unknown schedule "bureau"; none is defined',
        ),
        (
            'services:\n  s: {number: "210", type: echo, when_closed: {to: "201"}}\n',
            "this service has no schedule, so it never closes; add `schedule:`",
        ),
        (
            'services:\n  s: {number: "210", type: room, pin: "1234"}\n',
            "a secret is written in the plan; write {env: NAME} and put the secret in that",
        ),
        (
            'services:\n  s: {number: "210", type: menu, prompt: a, choices: {"10": "201"}}\n',
            '"10" is no key of a telephone; write 0 to 9, * or #',
        ),
        (
            'services:\n  s: {number: "210", type: hotline, steps: [{ring: ["201"], to: "201"}]}\n',
            "a step does one thing; write ring, rota, alarm or to",
        ),
        (
            'services:\n  s: {number: "210", type: hotline, steps: [{to: "201"}, {to: "201"}]}\n',
            "this step is never reached; the step before it hands the call over",
        ),
        (
            'services:\n  s: {number: "210", type: page, members: ["201"], multicast: 10.0.0.1:5004}\n',
            '"10.0.0.1:5004" is no multicast address; write 239.54.4.1:5004',
        ),
        ('services:\n  s: {number: "210", type: fax, email: mairie}\n', '"mairie" is no e-mail address'),
        (
            'services:\n  a: {type: fax, public: "+33383009005"}\n  b: {type: fax, public: "+33383009005"}\n',
            "public number +33383009005 is taken already; see line 19",
        ),
        (
            'services:\n  s: {number: "0..99999", type: park}\n',
            "the two ends of 0..99999 must be equally long",
        ),
        ('schedules:\n  s: {open: ["mon 8-12"]}\n', '"8-12" are no hours; write 08:30-12:00'),
        (
            "schedules:\n  s: {open: [], holidays: FX}\n",
            'no public holidays are known for "FX"; write FR or FR-57',
        ),
        (
            "schedules:\n  s: {open: [], timezone: Europe/Pariss}\n",
            'unknown time zone "Europe/Pariss"; did you mean "Europe/Paris"?',
        ),
        (
            "recording:\n  s: {legal_basis: b, keep: 60}\n",
            '"60" is no duration with its unit; write 60 days',
        ),
        ("routes:\n  - {to: mobil, via: [operateur]}\n", 'unknown right "mobil"; did you mean "mobile"?'),
        ("routes:\n  - {to: mobile, via: []}\n", "this route names no trunk; list at least one"),
        ('features:\n  pikup: "*8"\n', 'unknown key "pikup"; did you mean "pickup"?'),
        ('features:\n  pickup: "*8{nom}"\n', '"*8{nom}" is no code; write "*21#" or "*21*{number}"'),
        ('tests:\n  - {from: "201", dial: "18", expect: {}}\n', "this test expects nothing"),
        (
            'tests:\n  - {from: "201", dial: "18", at: monday, expect: {reject: class}}\n',
            '"monday" is no instant; write "2026-11-23 10:00"',
        ),
        (
            'tests:\n  - {from: "201", dial: "18", expect: {reject: clas}}\n',
            'unknown reason "clas"; did you mean "class"?',
        ),
    ],
)
def test_a_mistake_in_a_section_is_told_in_words(section, sentence):
    got = errors_of(VILLAGE + section)
    assert len(got) == 1
    assert sentence in got[0]
    assert got[0].startswith("plan.yaml:")


def test_a_misspelt_key_of_a_block_is_told_with_the_one_that_is_missing():
    assert errors_of(VILLAGE.replace("public:", "pubic:")) == [
        'plan.yaml:11:7: "public" is missing here; add `public: …`',
        'plan.yaml:11:22: unknown key "pubic"; did you mean "public"?',
    ]


def test_a_secret_written_out_is_never_repeated_in_the_message():
    text = VILLAGE.replace("owns:", "secret: hunter2, owns:")
    (sentence,) = errors_of(text)
    assert "a secret is written in the plan" in sentence
    assert "hunter2" not in sentence


def test_an_extension_held_twice_names_the_first_line():
    text = VILLAGE + '  - {extension: "201", name: Other}\n'
    assert errors_of(text) == ["plan.yaml:18:5: extension 201 is taken already; see line 17"]


def test_an_empty_plan_says_what_it_lacks():
    assert errors_of("") == [
        'plan.yaml:1:1: "plan" is missing here; add `plan: …`',
        'plan.yaml:1:1: "country" is missing here; add `country: …`',
    ]


def test_a_plan_that_is_a_list_is_refused_in_words():
    assert errors_of("- a\n- b\n") == ["plan.yaml:1:1: expected a list of `key: value`, found a list"]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(SAMPLE_TEXT) - 1), st.integers(0, 30), st.text("a0{}[]:,\"'- \n+.*", max_size=4))
def test_a_damaged_sample_loads_or_is_refused_with_findings(start, removed, added):
    try:
        parse_plan(SAMPLE_TEXT[:start] + added + SAMPLE_TEXT[start + removed :], "plan.yaml")
    except PlanError as error:
        assert error.findings
        assert all(finding.line >= 1 and finding.column >= 1 for finding in error.findings)


VALUES = [span for match in re.finditer(r'"[^"\n]*"|[\w+./-]+', SAMPLE_TEXT) for span in [match.span()]]
ODD = [
    '""',
    "[]",
    "{}",
    "~",
    "-1",
    "x",
    '"2010"',
    '"112"',
    '"0..9"',
    '"+1"',
    "{to: []}",
    "{a: b}",
    "standard",
    "[[]]",
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(VALUES), st.sampled_from(ODD))
def test_a_sample_with_an_odd_value_is_refused_or_can_be_checked_and_routed(span, odd):
    start, end = span
    try:
        plan = parse_plan(SAMPLE_TEXT[:start] + odd + SAMPLE_TEXT[end:], "plan.yaml")
    except PlanError as error:
        assert error.findings
        return
    check(plan)
    for dialled in ("112", "9", "2010", "+33383001150", "8100"):
        assert route(plan, Facts(dialled, caller="2010"), OPEN).trace
        assert route(plan, Facts(dialled, trunk="operateur-a"), OPEN).trace
