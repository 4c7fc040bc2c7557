import pytest

from dialplan.checking import check, run_tests
from tests.dialplan.plans import CLOSED, OPEN, SAMPLE, VILLAGE, village


def findings(plan, *severities: str):
    wanted = severities or ("error", "warning")
    return [str(finding) for finding in check(plan) if finding.severity in wanted]


def results(section):
    return run_tests(village("tests:\n" + section), OPEN)


def test_the_sample_has_neither_error_nor_warning():
    assert findings(SAMPLE) == []


@pytest.mark.parametrize("now", [OPEN, CLOSED])
def test_the_sample_passes_its_own_tests_at_any_hour(now):
    assert [result.got for result in run_tests(SAMPLE, now) if not result.passed] == []
    assert len(run_tests(SAMPLE, now)) == 14


def test_the_village_has_neither_error_nor_warning():
    assert findings(village()) == []


def test_passwords_in_a_plan_are_a_note():
    assert any("9 passwords are written in the plan" in note for note in findings(SAMPLE, "note"))


@pytest.mark.parametrize(
    ("replaced", "sentence"),
    [
        (
            {"200..209": "200..208"},
            (
                "11:7: this block isn't one to one: 10 public numbers and 9 numbers inside; "
                "make both ranges equally long"
            ),
        ),
        (
            {'main_number: "+33383009001"': 'main_number: "+33383008000"'},
            (
                "4:3: no trunk owns or presents +33383008000, the main number of site mairie; "
                "add it to `owns:` or `presents:` of a trunk"
            ),
        ),
        (
            {'owns: ["+33383009000..+33383009009"]': 'owns: ["+33383009000..+33383009004"]'},
            (
                "11:7: no trunk owns or presents all of the direct numbers "
                "+33383009000..+33383009009; add it to `owns:` or `presents:` of a trunk"
            ),
        ),
        (
            {"classes:": '  local: "205..299"\nclasses:'},
            "12:10: 205..299 overlaps 200..209; see line 11",
        ),
        (
            {"classes:": '  local: "150..155"\nclasses:'},
            (
                "12:10: range 150..155 begins like the emergency number 15; "
                "a telephone that dials without waiting would call it; choose another number"
            ),
        ),
        (
            {"classes:": '  local: "100..199"\nclasses:'},
            (
                "12:10: range 100..199: 112 is an emergency number and can't be anything else; "
                "choose another number"
            ),
        ),
        (
            {"numbers:": "  annexe: {networks: [10.1.0.0/24], trunks: [operateur]}\nnumbers:"},
            (
                "8:3: network 10.1.0.0/24 of site annexe is also that of site mairie; "
                "a phone is at one site; give each site a network of its own"
            ),
        ),
        (
            {"    trunks: [operateur]\n": ""},
            (
                "4:3: site mairie has no trunk of its own: only emergency calls and `routes:` leave it; "
                "add `trunks: [...]`"
            ),
        ),
    ],
)
def test_what_is_wrong_with_the_numbers_is_told(replaced, sentence):
    assert f"village.yaml:{sentence}" in findings(village(replaced=replaced))


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        (
            'features:\n  pickup: "*8{extension}"\n  voicemail: "*88"\n',
            "20:14: feature voicemail (*88) can't be told from pickup (*8{extension}); see line 19",
        ),
        (
            'features:\n  login: "*2{extension}"\n  forward_always: "*21{number}"\n',
            (
                "20:19: feature forward_always (*21{number}) can't be told from login (*2{extension}); "
                "see line 19"
            ),
        ),
        (
            'features:\n  voicemail: "201"\n',
            "19:14: feature voicemail (201) has the number of a user; begin codes with * or #",
        ),
        (
            'services:\n  s: {number: "300", type: group, members: ["205"]}\n',
            "19:44: nobody has extension 205",
        ),
        (
            'services:\n  s: {number: "300", type: group, members: ["777"]}\n',
            "19:44: nothing has the number 777; known: 201, 300",
        ),
        (
            'services:\n  s: {number: "300", type: group, members: {group: gens}}\n',
            '19:44: nobody is in group "gens"; none is defined',
        ),
        (
            'schedules:\n  j: {open: []}\nservices:\n  s: {number: "300", type: echo, schedule: j}\n',
            ("21:3: service s closes with nowhere to go: callers are refused; add `when_closed: {to: …}`"),
        ),
        (
            (
                "schedules:\n  j: {open: []}\nservices:\n"
                '  s: {number: "300", type: echo, schedule: j, when_closed: {to: t}}\n'
                '  t: {number: "301", type: echo, schedule: j, when_closed: {to: s}}\n'
            ),
            "21:3: closed services send calls in a circle: s -> t -> s; let one of them end elsewhere",
        ),
        (
            'tests:\n  - {from: "201", dial: "0612345678", expect: {reject: class}}\n',
            (
                "19:5: test fails: 201 dials 0612345678 at 2026-11-23 11:00: "
                "expected reject class, got +33612345678 by operateur"
            ),
        ),
    ],
)
def test_what_is_wrong_with_a_section_is_told(section, sentence):
    assert f"village.yaml:{sentence}" in findings(village(section))


def test_codes_that_star_and_hash_tell_apart_do_not_collide():
    plan = village(
        'features:\n  login: "*2{extension}"\n  forward_always: "*21*{number}"\n  forward_off: "#21#"\n'
    )
    assert findings(plan) == []


@pytest.mark.parametrize(
    ("one", "other", "collide"),
    [
        ("*61*{number}", "*61*{number}*{seconds}", False),  # as many arguments as stars
        ("*61*{number}*{seconds}", "*61*{number}*{time}", True),
        ("*61*{number}*{seconds}", "*61*9*{time}", True),
        ("*61*{number}*{seconds}", "*61*9*20", True),
        ("*61*{number}*{seconds}", "*61*9*", False),
        ("*61*{number}*{seconds}#", "*61*{number}*{seconds}*", False),
        ("*61*{number}9", "*61*{number}", True),
        ("*6{number}", "*61*{number}", False),
        ("*6{number}", "*61{number}", True),
        ("*6", "*6", True),
        ("*6", "*6{number}", False),
    ],
)
def test_codes_collide_where_the_same_keys_call_both(one, other, collide):
    found = findings(village(f'features:\n  forward_no_answer: "{one}"\n  service_send: "{other}"\n'))
    assert any("can't be told from" in sentence for sentence in found) == collide


def test_a_plan_without_trunk_is_warned_about():
    text = VILLAGE[: VILLAGE.index("trunks:\n  operateur")] + VILLAGE[VILLAGE.index("users:") :]
    plan = village(replaced={VILLAGE: text.replace("    trunks: [operateur]\n", "")})
    assert findings(plan) == [
        (
            "village.yaml:1:1: there is no trunk for emergency calls: user 201 (class national) at site "
            "mairie "
            "dials 15; add one under `trunks:`"
        )
    ]


def test_an_extension_outside_every_range_is_a_note():
    plan = village('  - {extension: "777", name: Ailleurs}\n')
    assert any("extension 777 (Ailleurs) is in no range" in note for note in findings(plan, "note"))


def test_without_people_those_who_are_to_come_are_notes_not_warnings():
    plan = village(
        'services:\n  s: {number: "300", type: page, members: {group: gens}}\n',
        {VILLAGE[VILLAGE.index("users:") :]: ""},
    )
    assert findings(plan) == []
    assert any('nobody is in group "gens"' in note for note in findings(plan, "note"))


# The plan's own tests


def test_a_test_that_fails_says_what_came_instead():
    (result,) = results(
        '  - {from: "201", dial: "0612345678", expect: {trunk: operateur, caller_id: "+331"}}\n'
    )
    assert not result.passed
    assert result.expected == "trunk operateur, caller_id +331"
    assert result.got == "+33612345678 by operateur, caller_id +33383009001"


def test_a_test_from_an_extension_that_nobody_has_fails():
    (result,) = results('  - {from: "299", dial: "18", expect: {emergency: true}}\n')
    assert not result.passed
    assert result.got == "nobody has extension 299"


def test_a_test_may_say_where_the_device_is():
    plan = village(
        'tests:\n  - {from: "201", dial: "18", at_site: annexe, expect: {caller_id: "+33383009005"}}\n',
        {"numbers:": '  annexe: {trunks: [operateur], main_number: "+33383009005"}\nnumbers:'},
    )
    assert [result.passed for result in run_tests(plan, OPEN)] == [True]


HOURS = (
    'schedules:\n  bureau: {open: ["mon-fri 08:00-18:00"]}\n'
    "services:\n"
    '  accueil: {number: "300", type: echo, schedule: bureau, when_closed: {to: soir}}\n'
    '  soir: {number: "301", type: echo}\n'
    "tests:\n"
)


@pytest.mark.parametrize(
    ("line", "passes"),
    [
        ('  - {from: "201", dial: "300", at: "2026-11-23 10:00", expect: {service: accueil}}\n', True),
        ('  - {from: "201", dial: "300", at: "2026-11-22 10:00", expect: {service: soir}}\n', True),
        ('  - {from: "201", dial: "300", expect: {service: accueil}}\n', False),
        ('  - {from: "201", dial: "301", expect: {service: soir}}\n', True),
    ],
)
def test_without_at_a_test_must_hold_at_every_hour(line, passes):
    (result,) = run_tests(village(HOURS + line), OPEN)
    assert result.passed is passes


def test_at_is_in_the_time_zone_of_the_plan():
    line = '  - {from: "201", dial: "300", at: "2026-11-23 08:00", expect: {service: accueil}}\n'
    reunion = village("timezone: Indian/Reunion\n" + HOURS + line)
    (result,) = run_tests(reunion, OPEN)
    assert result.passed
    assert result.at.utcoffset().total_seconds() == 4 * 3600
