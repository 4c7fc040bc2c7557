"""What changes between two plans: nothing for equal ones, everything for others, and in words."""

from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dialplan.decision import Facts
from dialplan.difference import difference, outcome
from dialplan.loading import parse_plan
from dialplan.regions import callers_of, dialled_of, places_of
from dialplan.routing import route
from tests.dialplan.plans import CLOSED, OPEN, SAMPLE, SAMPLE_PATH

TEXT = SAMPLE_PATH.read_text(encoding="utf-8")

EDITS = {
    "route": ("{to: mobile,        via: [operateur-b, operateur-a]}", "{to: mobile, via: [operateur-a]}"),
    "route at night": (
        "- {to: mobile,",
        "- {to: mobile, via: [operateur-a], schedule: bureau}\n  - {to: mobile,",
    ),
    "route to a beginning": ("- {to: mobile,", '- {to: "+336", via: [operateur-a]}\n  - {to: mobile,'),
    "route abroad": ("- {to: mobile,", '- {to: "+4420", via: [operateur-b]}\n  - {to: mobile,'),
    "hours": ('"mon-fri 08:30-12:00"', '"mon-fri 09:00-12:00"'),
    "holidays": ("holidays: FR ", "holidays: FR-57 "),
    "prefix": ('outside_prefix: "0"', 'outside_prefix: "9"'),
    "network": ("networks: [10.54.2.0/24]", "networks: [10.54.9.0/24]"),
    "class of one": ("class: national, groups: [garde, chefs", "class: interne, groups: [garde, chefs"),
    "class of rights": ("interne:       [internal]", "interne: [internal, toll_free]"),
    "right abroad": ("shared_cost, short]", "shared_cost, short, international]"),
    "name": ("name: Urbanisme", "name: Voirie"),
    "new service": ("type: echo}", 'type: echo}\n  nouveau: {number: "919", type: echo}'),
    "another number": ('number: "8500"', 'number: "850"'),
    "feature": ('pickup: "**{extension}"', 'pickup: "*9{extension}"'),
    "feature gone": ('  voicemail: "*98"\n', ""),
    "unassigned": ("unassigned: {to: standard}", "unassigned: {to: repondeur-mairie}"),
    "trunks of a site": (
        'trunks: [operateur-a]\n    main_number: "+33383000400"',
        'trunks: [operateur-b]\n    main_number: "+33383000400"',
    ),
    "main number": ('main_number: "+33383000100"', 'main_number: "+33383000199"'),
    "shown": ('presents: ["+33383000200", ', "presents: ["),
    "range": ('local: "1001..1099"', 'local: "1001..1199"'),
    "somebody leaves": (
        '  - {extension: "2020", name: Urbanisme,    password: pw2020, site: mairie,  class: national}\n',
        "",
    ),
    "somebody forwards": ("name: Urbanisme,", 'name: Urbanisme, forward: {always: "2010"},'),
    "somebody refuses": ("name: État civil,", "name: État civil, anonymous: reject,"),
    "screening": ("features: ", "callers: {anonymous: reject}\nfeatures: "),
    "emergency number": ('"3114": {name: Prévention du suicide}', '"3115": {name: Autre}'),
    "caller ID": ("name: Urbanisme,", 'name: Urbanisme, caller_id: "+33383000100",'),
    "alarm number": ('dial: "8190"', 'dial: "8191"'),
    "address": ('street: "8 rue des Écoles"', 'street: "9 rue des Écoles"'),
}


def edited(*names: str):
    text = TEXT[: TEXT.index("\ntests:")] + "\n"
    for name in names:
        old, new = EDITS[name]
        assert old in TEXT
        text = text.replace(old, new, 1)
    return parse_plan(text, "edited.yaml")


BASE = edited()
SHORT = [str(number) for length in (1, 2, 3) for number in range(10 ** (length - 1), 10**length)]
DIALLED = [
    *SHORT[::7],
    "919",
    "850",
    "9",
    "9196",
    "8000",
    "8190",
    "8191",
    "8300",
    "8500",
    "8600",
    "1001",
    "1100",
    "2010",
    "2020",
    "2021",
    "2201",
    "2301",
    "2401",
    "5001",
    "5999",
    "015",
    "915",
    "18",
    "112",
    "3114",
    "3115",
    "0612345678",
    "00612345678",
    "90612345678",
    "0112345678",
    "+33612345678",
    "+33112345678",
    "+442079460000",
    "+33800123456",
    "0899123456",
    "+33899123456",
    "3919",
    "118218",
    "+33383000100",
    "+33383001020",
    "+33383001150",
    "+33383000199",
    "0383001020",
    "**2010",
    "*92010",
    "*98",
    "*8",
    "#21#",
    "*21*2010",
    "*21*0612345678",
    "+262692123456",
    "+88216123456",
    "",
    "alice",
]
CALLERS = [None, *BASE.people]
PLACES = [(None, None), ("10.54.2.7", None), ("10.54.9.7", None), ("10.54.4.7", None), (None, "mairie")]
INSTANTS = [
    OPEN,
    CLOSED,
    OPEN.replace(hour=8, minute=45),
    OPEN.replace(hour=22),
    OPEN.replace(month=12, day=25),
    OPEN.replace(month=12, day=26),
]


def test_equal_plans_have_no_difference():
    assert difference(BASE, edited(), OPEN) == ()
    assert difference(SAMPLE, SAMPLE, OPEN) == ()


def test_comments_and_places_in_the_file_are_no_difference():
    moved = parse_plan("# a comment\n\n" + TEXT, "elsewhere.yaml")
    assert difference(SAMPLE, moved, OPEN) == ()


# These change what nobody of the sample may call, or what was unknown and is.
UNSEEN = ("route abroad", "range")


@pytest.mark.parametrize("name", UNSEEN)
def test_what_nobody_can_notice_is_no_change(name):
    assert difference(BASE, edited(name), OPEN) == ()


@pytest.mark.parametrize("name", [name for name in EDITS if name not in UNSEEN])
def test_every_change_of_the_sample_is_told_and_can_be_seen(name):
    changes = difference(BASE, edited(name), OPEN)
    assert changes
    for change in changes:
        assert change.before != change.after
        if change.facts is not None:
            one = route(BASE, change.facts, change.instant)
            other = route(edited(name), change.facts, change.instant)
            assert outcome(one) != outcome(other)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(sorted(EDITS)), min_size=1, max_size=3, unique=True), st.integers(0, 10_000))
@example(["right abroad", "prefix"], 0)
def test_no_call_changes_without_being_told(names, seed):
    random, after = Random(seed), edited(*names)
    changes = difference(BASE, after, OPEN)
    for _ in range(600):
        dialled, caller, instant = random.choice(DIALLED), random.choice(CALLERS), random.choice(INSTANTS)
        address, site = random.choice(PLACES)
        facts = Facts(dialled, caller=caller, address=address, site=site)
        one, other = route(BASE, facts, instant), route(after, facts, instant)
        if outcome(one) != outcome(other):
            whose = [change for change in changes if change.facts is not None and _is_for(change, caller)]
            assert whose, (facts, one.target, other.target)
            kinds = {(kind_of(BASE, change), kind_of(after, change)) for change in whose}
            assert (type(one.target), type(other.target)) in kinds, (facts, one.target, other.target)


def test_a_number_that_another_prefix_makes_one_abroad_is_told():
    """00612345678 was a mobile number behind the prefix 0; without that prefix it is one in Australia."""
    told = [str(change) for change in difference(BASE, edited("right abroad", "prefix"), OPEN)]
    assert any("as 00612222222: +612222222 by operateur-a instead of +33612222222" in line for line in told)


def _is_for(change, caller):
    return caller in change.callers if caller is not None else change.nobody


def kind_of(plan, change):
    return type(route(plan, change.facts, change.instant).target)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(sorted(EDITS)), max_size=3, unique=True), st.integers(0, 10_000))
def test_a_public_number_never_leads_elsewhere_without_being_told(names, seed):
    random, after = Random(seed), edited(*names)
    told = [change for change in difference(BASE, after, OPEN) if change.who.startswith("callers")]
    for _ in range(200):
        number = f"+33383{random.choice(['0001', '0010', '0013', '0002'])}{random.randint(0, 99):02d}"
        facts = Facts(number, trunk="operateur-a", caller_number=random.choice(["+33699999999", None]))
        instant = random.choice(INSTANTS)
        if outcome(route(BASE, facts, instant)) != outcome(route(after, facts, instant)):
            assert told, (facts, instant)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "route",
            (
                "7 users such as 1001 dialling mobile numbers: by operateur-a instead of by "
                "operateur-b, then operateur-a"
            ),
        ),
        (
            "route at night",
            (
                "7 users such as 1001 dialling mobile numbers while bureau is open: by operateur-a "
                "instead of by operateur-b, then operateur-a"
            ),
        ),
        (
            "hours",
            (
                "9 users such as 1001, and telephones of nobody dialling 9 while bureau was open "
                "and is now closed: service repondeur-mairie (voicemail) instead of service "
                "standard (queue, 9)"
            ),
        ),
        ("name", "user 2020, name: Voirie instead of Urbanisme"),
        (
            "class of one",
            "2201 dialling mobile numbers: refused: class (403) instead of by operateur-b, then operateur-a",
        ),
        (
            "new service",
            (
                "9 users such as 1001, and telephones of nobody dialling 919: service nouveau "
                "(echo, 919) instead of refused: unknown (404)"
            ),
        ),
        (
            "feature gone",
            (
                "9 users such as 1001, and telephones of nobody dialling *98: refused: unknown (404) "
                "instead of feature voicemail"
            ),
        ),
        (
            "unassigned",
            (
                "callers from outside calling +33383001000 (and 3 like it) while bureau is open: "
                "service repondeur-mairie (voicemail) instead of service standard (queue)"
            ),
        ),
        (
            "caller ID",
            (
                "2020 dialling national numbers, mobile numbers, toll-free numbers, shared-cost numbers, "
                "short numbers: "
                "showing +33383000100 instead of showing +33383001020"
            ),
        ),
        (
            "screening",
            (
                "callers without a number calling +33383000100 while bureau is closed: refused: "
                "anonymous (433) instead of service repondeur-mairie (voicemail)"
            ),
        ),
    ],
)
def test_a_change_is_told_in_words(name, sentence):
    assert sentence in list(map(str, difference(BASE, edited(name), OPEN)))


def test_what_a_service_is_made_of_is_compared_too():
    old, new = "strategy: all\n    seconds: 40", "strategy: all\n    seconds: 30"
    after = parse_plan(TEXT.replace(old, new), "v.yaml")
    assert list(map(str, difference(SAMPLE, after, OPEN))) == ["service secours, seconds: 30 instead of 40"]


def test_a_password_is_never_told():
    after = parse_plan(TEXT.replace("pw1001", "hunter2"), "v.yaml")
    assert list(map(str, difference(SAMPLE, after, OPEN))) == [
        "user 1001, password: a new one instead of the old one"
    ]


def test_a_number_that_leaves_the_town_changes_for_each_class_by_its_rights():
    gone = TEXT.replace('public: "+33383000199", ', "").replace('"+33383000199", ', "")
    after = parse_plan(gone[: gone.index("\ntests:")] + "\n", "v.yaml")
    told = [str(change) for change in difference(BASE, after, OPEN) if "dialling +33383000199" in change.who]
    assert any("2202" in one and "refused: class (403) instead of service fax-mairie" in one for one in told)
    assert any("7 users such as 1001" in one or "6 users" in one for one in told if "by operateur-a" in one)


def test_kinds_cover_every_caller_once():
    kinds = callers_of((SAMPLE, SAMPLE))
    members = [member for kind in kinds for member in kind.members]
    assert sorted(members) == sorted(SAMPLE.people)
    assert kinds[-1].example is None


def test_kinds_of_places_and_numbers_have_no_double():
    for kinds in (places_of((SAMPLE, BASE)), dialled_of((SAMPLE, BASE))):
        assert len(set(kinds)) == len(kinds)
