"""Each finding of the checker, read as the person who wrote the plan reads it."""

import pytest

from dialplan.checking import check
from tests.dialplan.plans import village


def told(plan, severity):
    return [str(finding) for finding in check(plan) if finding.severity == severity]


JAMAIS = 'schedules:\n  jamais: {open: ["mon 08:00-09:00"]}\n'


@pytest.mark.parametrize(
    ("severity", "section", "sentence"),
    [
        (
            "warning",
            'services:\n  s: {number: "300", type: group, members: ["201"]}\n',
            (
                "19:3: group s has no last destination: when nobody answers, the caller is hung up on; "
                "add `otherwise: {to: …}`"
            ),
        ),
        (
            "warning",
            'services:\n  s: {number: "300", type: queue, agents: ["201"]}\n',
            (
                "19:3: queue s has no last destination: a caller whom nobody answers waits for ever; "
                "add `when_full: {after_seconds: 120, to: …}`"
            ),
        ),
        (
            "warning",
            'services:\n  s: {number: "300", type: menu, prompt: a, choices: {"1": "201"}}\n',
            (
                "19:3: menu s has no last destination: a caller who presses nothing is hung up on; "
                "add `otherwise: {to: …}`"
            ),
        ),
        (
            "warning",
            'features:\n  forward_always: "*21"\n',
            (
                "19:19: forward_always does nothing without the number that is dialled with it; "
                'write "*21*{number}"'
            ),
        ),
        (
            "warning",
            'features:\n  intercom: "*80"\n',
            (
                "19:13: intercom does nothing without the extension that is dialled with it; "
                'write "*80*{extension}"'
            ),
        ),
        (
            "warning",
            'services:\n  s: {number: "300", type: hotline, steps: [{ring: ["201"]}]}\n',
            (
                "19:3: hotline s has no last destination: after its last step nobody is called; "
                "end it with a step `{to: …}`"
            ),
        ),
        (
            "warning",
            (
                'services:\n  s: {number: "300", type: queue, agents: [], when_full: {after_seconds: 9, to: '
                "s}}\n"
            ),
            "19:3: queue s is served by nobody; give people its group, or name other `agents:`",
        ),
        (
            "error",
            (
                'services:\n  a: {number: "300", type: menu, prompt: a, choices: {"1": b}, otherwise: a}\n'
                '  b: {number: "301", type: menu, prompt: b, choices: {"1": a}, otherwise: a}\n'
            ),
            (
                "19:3: menu a never leads out: whatever is pressed, the caller hears menus; "
                "let a key or `otherwise:` lead to a person or to a service of another type"
            ),
        ),
        (
            "warning",
            (
                'services:\n  a: {number: "300", type: group, members: ["201"], otherwise: b}\n'
                '  b: {number: "301", type: group, members: ["201"], otherwise: a}\n'
            ),
            (
                "19:3: a call that nobody answers goes in a circle: a -> b -> a; "
                "let one of them end elsewhere, for example in a voicemail"
            ),
        ),
        (
            "warning",
            "services:\n  s: {type: echo}\n",
            "19:3: nobody can reach service s; give it a `number:`, or name it where calls are sent",
        ),
        (
            "error",
            'services:\n  s: {number: "300", type: group, members: ["201"], otherwise: "+33899123456"}\n',
            (
                "19:64: +33899123456, where service s sends calls, is a premium number: "
                "nobody chooses to pay for that call; name another number"
            ),
        ),
        (
            "error",
            (
                'services:\n  s: {number: "300", type: hotline, steps: [{ring: ["+33899123456"]}, {to: '
                '"201"}]}\n'
            ),
            (
                "19:52: +33899123456, whom service s rings, is a premium number: "
                "nobody chooses to pay for that call; name another number"
            ),
        ),
        (
            "error",
            'alarms:\n  a: {triggers: [{dial: "300"}], call: ["201"], escalate: {to: "+33899123456"}}\n',
            (
                "19:64: +33899123456, where alarm a escalates, is a premium number: "
                "nobody chooses to pay for that call; name another number"
            ),
        ),
        (
            "error",
            'services:\n  s: {number: "300", type: group, members: ["201"], otherwise: "+3361234567"}\n',
            (
                "19:64: +3361234567, where service s sends calls, can't be called: "
                "not a possible length for a number of that country; write it whole, as +33…"
            ),
        ),
        (
            "warning",
            'routes:\n  - {to: "+33", via: [operateur]}\n  - {to: "+336", via: [operateur]}\n',
            (
                "20:5: this route can never match: an earlier one, to +33, takes all calls to +336; "
                "see line 19; put the more particular one first"
            ),
        ),
        (
            "warning",
            'routes:\n  - {to: mobile, via: [operateur]}\n  - {to: "+336", via: [operateur]}\n',
            (
                "20:5: this route can never match: an earlier one, to mobile, takes all calls to +336; "
                "see line 19; put the more particular one first"
            ),
        ),
        (
            "warning",
            "routes:\n  - {to: mobile, via: [operateur]}\n  - {to: mobile, via: [operateur]}\n",
            (
                "20:5: this route can never match: an earlier one, to mobile, takes all calls to mobile; "
                "see line 19; put the more particular one first"
            ),
        ),
        (
            "warning",
            'routes:\n  - {to: "+999", via: [operateur]}\n',
            (
                "19:5: this route can never match: no number that can be called begins with +999; "
                "correct it or remove it"
            ),
        ),
        (
            "warning",
            'schedules:\n  s: {open: []}\nservices:\n  a: {number: "300", type: echo, schedule: s}\n',
            "19:3: schedule s never opens; add hours to `open:`, or send the calls elsewhere without it",
        ),
        (
            "warning",
            (
                'schedules:\n  s: {open: ["mon 08:00-12:00", "2026-12-25 09:00-12:00"], holidays: FR}\n'
                'services:\n  a: {number: "300", type: echo, schedule: s, when_closed: "201"}\n'
            ),
            (
                "19:33: schedule s stays closed on 2026-12-25: closings and public holidays win over "
                "openings; "
                "remove one of the two"
            ),
        ),
        ("note", JAMAIS, "19:3: nothing uses schedule jamais"),
        (
            "error",
            'recording:\n  r: {legal_basis: b, keep: 60 days, export: two_persons, listeners: ["201"]}\n',
            (
                "19:3: exports of r need two persons, and only 201 may listen; "
                "give a second person the right to listen, or write `export: one_person`"
            ),
        ),
        (
            "error",
            'alarms:\n  a: {triggers: [{dial: "300"}], call: ["201"], acknowledge: {needed: 2}}\n',
            "19:3: alarm a needs 2 acknowledgements and calls 1; call more people, or need fewer",
        ),
        (
            "warning",
            'alarms:\n  a: {call: ["201"]}\n',
            "19:3: nothing raises alarm a; add `triggers: [{dial: …}]`, or a step of a hotline",
        ),
        (
            "warning",
            'services:\n  s: {public: "+33383008000", type: echo}\n',
            (
                "19:3: no trunk owns +33383008000, the public number of service s; "
                "add it to `owns:` of the trunk that brings its calls"
            ),
        ),
        (
            "warning",
            'services:\n  s: {public: "+33383009001", type: echo}\n',
            (
                "19:3: +33383009001 is the direct number of 201 (Mairie), and service s takes its calls; "
                "see line 11; give the service another number"
            ),
        ),
        (
            "note",
            "",
            (
                "15:3: one failure cuts emergency calls off: user 201 (class national) at site mairie "
                "dials 15; "
                "trunk operateur down; a second trunk, by another operator and another way, would carry them"
            ),
        ),
    ],
)
def test_a_finding_says_where_what_and_the_mend(severity, section, sentence):
    assert f"village.yaml:{sentence}" in told(village(section), severity)


TWO = '  autre: {host: sip.autre.example, owns: ["+33383009005"]}\nusers:'


@pytest.mark.parametrize(
    ("severity", "replaced", "sentence"),
    [
        (
            "warning",
            {"users:": TWO},
            (
                "16:3: no call goes out by trunk autre, except an emergency when all others fail; "
                "name it in `trunks:` of a site or in a route"
            ),
        ),
        (
            "warning",
            {"users:": TWO},
            (
                "16:3: trunk autre owns +33383009005, and trunk operateur owns +33383009000..+33383009009; "
                "see line 15; one of them only presents it"
            ),
        ),
        (
            "warning",
            {"users:": TWO, "trunks: [operateur]": "trunks: [operateur, autre]"},
            (
                "4:3: an emergency call from site mairie by trunk autre would show +33383009001, which "
                "that trunk "
                "neither owns nor presents; add it to `presents:` of autre (line 16)"
            ),
        ),
        (
            "warning",
            {'main_number: "+33383009001"': 'main_number: "+33383009000"'},
            (
                "4:3: +33383009000, which site mairie shows, leads nowhere: whoever calls back is refused; "
                "give it to a service or a person, or say where `unassigned:` numbers lead"
            ),
        ),
        (
            "warning",
            {'owns: ["': 'owns: ["+33383005000", "'},
            (
                "15:3: trunk operateur owns +33383005000, which leads nowhere; "
                "give it to a service or a person, or say where `unassigned:` numbers lead"
            ),
        ),
        (
            "note",
            {"numbers:": "  annexe: {networks: [10.1.0.128/25], trunks: [operateur]}\nnumbers:"},
            (
                "8:3: network 10.1.0.128/25 lies in 10.1.0.0/24 of another site: the smaller one wins; see "
                "line 4"
            ),
        ),
        (
            "error",
            {"classes:": '  local: "200..299"\n  internal: [{site: mairie, range: "250..259"}]\nclasses:'},
            "13:14: 250..259 overlaps 200..299; see line 12",
        ),
    ],
)
def test_a_finding_about_numbers_and_trunks_says_where_what_and_the_mend(severity, replaced, sentence):
    assert f"village.yaml:{sentence}" in told(village(replaced=replaced), severity)


def test_calls_that_are_always_refused_for_the_number_they_would_show_are_told_once():
    plan = village(
        "routes:\n  - {to: mobile, via: [autre]}\n",
        {"users:": '  autre: {host: sip.autre.example, owns: ["+33383009500"]}\nusers:'},
    )
    assert [one for one in told(plan, "warning") if "can't call" in one] == [
        (
            "village.yaml:20:1: user 201 can't call mobile numbers: no trunk of autre may show a number "
            "of theirs; "
            "add their numbers to `presents:` of one of these trunks"
        )
    ]


def test_menus_that_lead_back_and_forth_are_fine_when_one_leads_out():
    plan = village(
        'services:\n  a: {number: "300", type: menu, prompt: a, choices: {"1": b}, otherwise: a}\n'
        '  b: {number: "301", type: menu, prompt: b, choices: {"1": a, "2": "201"}, otherwise: "201"}\n'
    )
    assert told(plan, "error") == []


def test_a_route_to_one_country_before_all_others_is_not_shadowed():
    plan = village('routes:\n  - {to: "+44", via: [operateur]}\n  - {to: international, via: [operateur]}\n')
    assert told(plan, "warning") == []


@pytest.mark.parametrize(
    "service",
    [
        "park, return_seconds: 60",
        "fax, email: a@b.fr",
        "voicemail",
        "room",
        "echo",
    ],
)
def test_some_services_are_ends(service):
    number = '"700..709"' if service.startswith("park") else '"300"'
    assert told(village(f"services:\n  s: {{number: {number}, type: {service}}}\n"), "warning") == []
