from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.decision import (
    NO_CODE,
    Facts,
    Reject,
    ToFeature,
    ToPerson,
    ToService,
    ToTrunks,
)
from dialplan.routing import route
from tests.dialplan.plans import CLOSED, OPEN, SAMPLE, village


def target(dialled, caller="2010", now=OPEN, plan=SAMPLE, **facts: str):
    return route(plan, Facts(dialled, caller=caller, **facts), now).target


def from_trunk(dialled, now=OPEN, plan=SAMPLE, trunk="operateur-a", **facts: str | bool):
    return route(plan, Facts(dialled, trunk=trunk, **facts), now)


def reason(found):
    assert isinstance(found, Reject)
    return found.reason


# Inside


def test_an_extension_reaches_its_person():
    assert target("2301") == ToPerson("2301", "Patrouille 1")


def test_an_internal_call_shows_the_caller_extension_and_name():
    decision = route(SAMPLE, Facts("2301", caller="2010"), OPEN)
    assert (decision.caller_id, decision.caller_name) == ("2010", "État civil")


def test_an_extension_that_nobody_has_is_unknown_and_never_goes_outside():
    assert reason(target("2011")) == "unknown"
    plan = village(replaced={"200..209": "3900..3909"})
    assert reason(target("3905", caller="201", plan=plan)) == "unknown"


def test_a_service_is_reached_by_its_number():
    assert target("8000") == ToService("accueil-vocal", "menu", "8000")


def test_a_place_of_a_parking_keeps_its_number():
    assert target("703") == ToService("parc", "park", "703")


def test_a_closed_service_sends_to_its_when_closed():
    assert target("9", now=CLOSED) == ToService("repondeur-mairie", "voicemail")
    assert target("9") == ToService("standard", "queue", "9")


def test_an_alarm_is_raised_by_its_number():
    assert target("8190") == ToFeature("alarm", "police-renfort")


def test_a_class_without_internal_calls_nobody():
    plan = village(
        '  - {extension: "202", name: Ascenseur, class: urgence}\n', {"classes:": "classes:\n  urgence: []"}
    )
    assert reason(target("201", caller="202", plan=plan)) == "class"
    assert isinstance(target("112", caller="202", plan=plan), ToTrunks)


# Features


@pytest.mark.parametrize(
    ("dialled", "feature"),
    [
        ("*8", ToFeature("pickup_group", "")),
        ("**2301", ToFeature("pickup", "2301")),
        ("*21*0612345678", ToFeature("forward_always", "0612345678")),
        ("*21*0612345678#", ToFeature("forward_always", "0612345678")),
        ("*21*+33612345678", ToFeature("forward_always", "+33612345678")),
        ("#21#", ToFeature("forward_off", "")),
        ("%2321%23", ToFeature("forward_off", "")),
        ("*98", ToFeature("voicemail", "")),
    ],
)
def test_a_feature_code_is_read_with_its_argument(dialled, feature):
    assert target(dialled) == feature


@pytest.mark.parametrize("dialled", ["*21", "*21*", "**", "*99", "#", "*21*abc", "**+33612345678"])
def test_caller_whose_keys_are_no_code_is_told_that_there_is_none_or_some_are_missing(dialled):
    assert target(dialled) == NO_CODE
    assert NO_CODE.reason == "unknown"


# Outside


@pytest.mark.parametrize(
    ("dialled", "number"),
    [
        ("00612345678", "+33612345678"),
        ("0612345678", "+33612345678"),
        ("06 12 34 56 78", "+33612345678"),
        ("0033612345678", "+33612345678"),
        ("00033612345678", "+33612345678"),
        ("+33612345678", "+33612345678"),
        ("0112345678", "+33112345678"),
        ("00112345678", "+33112345678"),
        ("0+33612345678", "+33612345678"),
        ("03919", "3919"),
        ("3919", "3919"),
        ("tel:+33-6-12-34-56-78", "+33612345678"),
    ],
)
def test_an_outside_number_is_read_with_the_prefix_first_and_without_it_otherwise(dialled, number):
    found = target(dialled)
    assert isinstance(found, ToTrunks)
    assert found.number == number


def test_a_route_orders_the_trunks_and_a_site_does_otherwise():
    assert target("0612345678").trunks == ("operateur-b", "operateur-a")
    assert target("0112345678").trunks == ("operateur-a", "operateur-b")
    assert target("0112345678", caller="2201").trunks == ("operateur-b", "operateur-a")


@pytest.mark.parametrize(
    ("first", "second", "used"), [("mobile", '"+336"', "mobile"), ('"+336"', "mobile", "+336")]
)
def test_of_two_routes_for_a_number_the_first_is_used(first, second, used):
    plan = village(
        f"routes:\n  - {{to: {first}, via: [operateur]}}\n  - {{to: {second}, via: [operateur]}}\n"
    )
    decision = route(plan, Facts("00612345678", caller="201"), OPEN)
    assert [step.rule for step in decision.trace if step.rule.startswith("route")] == [f"route to {used}"]


def test_a_route_may_be_for_the_beginning_of_a_number():
    plan = village('routes:\n  - {to: "+336", via: [operateur]}\n')
    decision = route(plan, Facts("00612345678", caller="201"), OPEN)
    assert "route to +336" in [step.rule for step in decision.trace]


@pytest.mark.parametrize(
    ("caller", "dialled"),
    [
        ("2202", "00612345678"),
        ("2010", "00442079460000"),
        ("2010", "00899123456"),
        ("2010", "118218"),
        ("9999", "00612345678"),
        (None, "00612345678"),
    ],
)
def test_what_a_class_lacks_is_refused(caller, dialled):
    found = target(dialled, caller=caller)
    assert reason(found) == "class"
    assert found.status == 403
    assert found.text["fr"]
    assert found.text["en"]


def test_the_direct_number_is_shown_or_else_the_site_main_number():
    assert route(SAMPLE, Facts("0112345678", caller="2010"), OPEN).caller_id == "+33383001010"
    assert route(SAMPLE, Facts("0112345678", caller="1001"), OPEN).caller_id == "+33383000100"


def test_only_trunks_that_may_show_the_number_are_used():
    plan = village(
        replaced={
            "trunks: [operateur]": "trunks: [autre, operateur]",
            "trunks:\n  operateur": "trunks:\n  autre: {host: sip.autre.example}\n  operateur",
        }
    )
    assert target("0112345678", caller="201", plan=plan).trunks == ("operateur",)


def test_a_number_that_no_trunk_may_show_is_refused():
    plan = village(replaced={'owns: ["+33383009000..+33383009009"]': "owns: []"})
    assert reason(target("0112345678", caller="201", plan=plan)) == "caller_id"


def test_without_trunks_an_outside_call_is_refused_and_an_emergency_has_nowhere():
    plan = village(
        replaced={
            'trunks:\n  operateur: {host: sip.operateur.example, owns: ["+33383009000..+33383009009"]}\n': "",
            "    trunks: [operateur]\n": "",
        }
    )
    assert reason(target("0112345678", caller="201", plan=plan)) == "no_trunk"
    assert target("112", caller="201", plan=plan) == ToTrunks("112", (), True)


def test_one_of_our_public_numbers_is_reached_without_a_trunk():
    assert target("0383001301", caller="2202") == ToPerson("2301", "Patrouille 1")
    assert target("00383000100") == ToService("standard", "queue")


# From a trunk


@pytest.mark.parametrize(
    "dialled", ["+33383001010", "0383001010", "33383001010", "0033383001010", "+33 3 83 00 10 10"]
)
def test_a_direct_number_from_outside_rings_its_person_in_any_form(dialled):
    assert from_trunk(dialled).target == ToPerson("2010", "État civil")


def test_a_direct_number_whose_extension_is_a_service_reaches_it():
    plan = village('services:\n  essai: {number: "205", type: echo}\n')
    assert from_trunk("+33383009005", plan=plan).target == ToService("essai", "echo")


def test_a_number_of_ours_that_nobody_holds_goes_to_the_unassigned_destination():
    assert from_trunk("+33383001150").target == ToService("standard", "queue")
    assert from_trunk("+33383001150", now=CLOSED).target == ToService("repondeur-mairie", "voicemail")


def test_without_an_unassigned_destination_such_a_number_is_unknown():
    assert reason(from_trunk("+33383009005", plan=village()).target) == "unknown"


@pytest.mark.parametrize(
    "dialled",
    ["0612345678", "+33612345678", "112", "18", "*21*0612345678", "2010", "8100", "8190", "", "+3338300101p"],
)
def test_a_caller_from_outside_reaches_nothing_but_our_public_numbers(dialled):
    assert reason(from_trunk(dialled).target) == "unknown"


def test_a_caller_from_outside_is_shown_as_e164_and_a_colleague_by_name():
    decision = from_trunk("+33383001010", caller_number="0612345601")
    assert (decision.caller_id, decision.caller_name) == ("+33612345601", "Patrouille 1")


@pytest.mark.parametrize(
    "facts", [{"caller_number": "0699999999", "anonymous": True}, {"caller_number": "anonymous"}, {}]
)
def test_a_caller_without_a_number_is_shown_none(facts):
    assert from_trunk("+33383001010", **facts).caller_id is None


def test_a_closed_service_may_send_outside_showing_a_number_of_ours():
    plan = village(
        "schedules:\n  jamais: {open: []}\n"
        "services:\n"
        "  accueil:\n"
        '    {type: echo, public: "+33383009001", schedule: jamais, when_closed: {to: "+33612345678"}}\n'
    )
    decision = from_trunk("+33383009001", plan=plan, caller_number="0699999999")
    assert decision.target == ToTrunks("+33612345678", ("operateur",), False)
    assert decision.caller_id == "+33383009001"


def test_closed_services_in_a_circle_end():
    services = "".join(
        f'  s{index}: {{number: "{300 + index}", type: echo, schedule: jamais, '
        f"when_closed: {{to: s{(index + 1) % 600}}}}}\n"
        for index in range(600)
    )
    plan = village("schedules:\n  jamais: {open: []}\nservices:\n" + services)
    assert reason(target("300", caller="201", plan=plan)) == "loop"


def test_a_service_closed_with_nowhere_to_go_refuses():
    plan = village(
        'schedules:\n  jamais: {open: []}\nservices:\n  s: {number: "300", type: echo, schedule: jamais}\n'
    )
    assert reason(target("300", caller="201", plan=plan)) == "closed"


# Always


@settings(max_examples=400, deadline=None)
@given(
    dialled=st.text(max_size=30) | st.text("0123456789+*#-. ", max_size=20),
    caller=st.sampled_from([None, "9999", *SAMPLE.people]),
    trunk=st.sampled_from([None, None, "operateur-a", "unknown"]),
    caller_number=st.none() | st.text(max_size=20),
    anonymous=st.booleans(),
    address=st.sampled_from([None, "10.54.2.9", "::ffff:10.54.3.1", "nonsense"]),
    site=st.sampled_from([None, "ecole", "nowhere"]),
    now=st.datetimes(timezones=st.just(UTC)),
)
def test_route_is_total_and_deterministic(
    dialled, caller, trunk, caller_number, anonymous, address, site, now
):
    facts = Facts(dialled, caller, trunk, caller_number, anonymous, address, site)
    decision = route(SAMPLE, facts, now)
    assert decision.trace
    assert decision == route(SAMPLE, facts, now)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 199))
def test_direct_numbers_are_one_to_one(position):
    block = SAMPLE.ranges[0]
    extension = block.numbers.at(position)
    public = block.direct_number(extension)
    assert public is not None
    assert block.public.position(public) == position
