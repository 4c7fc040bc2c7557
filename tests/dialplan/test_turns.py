"""How a person's telephones ring: the `ring:` of a plan, its mistakes, and the call to a mobile."""

import pytest

from dialplan.checking import check
from dialplan.decision import NO_FORWARD, Facts, ToPerson, ToTrunks
from dialplan.plan import Plan
from dialplan.routing import route, route_to_mobile
from tests.dialplan.plans import OPEN, VILLAGE, errors_of, village

USER = "name: Mairie, site: mairie, class: national"
MOBILE = 'mobile: "+33612345699"'


def with_ring(ring: str) -> Plan:
    return village(replaced={USER: f"{USER}, {MOBILE}, ring: {ring}"})


def turns_of(ring: str) -> list[tuple[tuple[str, ...], int, int]]:
    turns = with_ring(ring).people["201"].turns
    return [(turn.devices, turn.after_seconds, turn.seconds) for turn in turns]


def test_together_is_every_device_and_the_mobile_at_once():
    assert turns_of("together") == [(("all", "mobile"), 0, 40)]


def test_in_turn_is_the_devices_and_then_the_mobile():
    assert turns_of("in_turn") == [(("all",), 0, 20), (("mobile",), 20, 40)]


def test_a_turn_begins_where_the_one_before_it_ends_or_when_it_says():
    ring = (
        '[{devices: ["201"], seconds: 15}, {devices: [mobile]}, {devices: ["201-app"], after: 5, seconds: 7}]'
    )
    assert turns_of(ring) == [(("201",), 0, 15), (("mobile",), 15, 20), (("201-app",), 5, 7)]


def test_a_plan_without_it_rings_as_ever():
    assert village().people["201"].turns == ()
    assert route(village(), Facts("201"), OPEN).target == ToPerson("201", "Mairie")


def test_whoever_has_turns_is_rung_by_them():
    assert route(with_ring("together"), Facts("201"), OPEN).target == ToPerson("201", "Mairie", True)


@pytest.mark.parametrize(
    ("ring", "sentence"),
    [
        ("both", 'plan.yaml:17:99: unknown way to ring "both"; known: in_turn, together'),
        (
            '[{devices: ["202"]}]',
            'plan.yaml:17:111: "202" is no device of 201; write all, mobile, 201 or 201-app',
        ),
        ("[{seconds: 5}]", 'plan.yaml:17:100: "devices" is missing here; add `devices: …`'),
        ("[]", "plan.yaml:17:99: nothing of this person would ring; write `ring: together`, or list turns"),
        (
            "[{devices: [all], after: 290, seconds: 20}]",
            "plan.yaml:17:100: telephones ring for 300 s at the most; shorten `after` or `seconds`",
        ),
        ("[{devices: [all], for: 20}]", 'plan.yaml:17:117: unknown key "for"'),
    ],
)
def test_a_mistake_has_its_place_and_its_mend(ring: str, sentence: str):
    errors = errors_of(VILLAGE.replace(USER, f"{USER}, {MOBILE}, ring: {ring}"))
    assert any(error.startswith(sentence) for error in errors), errors


@pytest.mark.parametrize("ring", ["together", "in_turn", "[{devices: [mobile]}]"])
def test_who_has_no_mobile_can_not_have_it_ring(ring: str):
    (error,) = errors_of(VILLAGE.replace(USER, f"{USER}, ring: {ring}"))
    assert error == (
        "plan.yaml:17:75: user 201 has no mobile number that could ring; "
        'add `mobile: "+33…"`, or list the devices alone'
    )


def test_turns_of_devices_need_no_mobile():
    assert errors_of(VILLAGE.replace(USER, f"{USER}, ring: [{{devices: [all]}}]")) == []


def test_a_mobile_is_called_with_a_number_of_ours_and_the_persons_in_the_diversion():
    facts = Facts("+33383009001", trunk="operateur", caller_number="+33699999999")
    decision = route_to_mobile(with_ring("together"), facts, OPEN, "201")
    assert decision.target == ToTrunks("+33612345699", ("operateur",), False)
    assert decision.caller_id == "+33383009001"
    assert decision.original_caller == "+33699999999"
    assert [(one.who, one.number, one.reason) for one in decision.diversions] == [
        ("201", "+33383009001", "follow-me")
    ]


def test_a_person_without_a_class_that_may_call_mobiles_is_rung_there_all_the_same():
    plan = village(
        replaced={USER: f"{USER}, {MOBILE}, ring: together", "[internal, national, mobile]": "[internal]"}
    )
    assert isinstance(route_to_mobile(plan, Facts("201"), OPEN, "201").target, ToTrunks)


def test_nobodys_mobile_is_refused():
    assert route_to_mobile(village(), Facts("201"), OPEN, "201").target is NO_FORWARD
    assert route_to_mobile(village(), Facts("299"), OPEN, "299").target is NO_FORWARD


def test_the_hour_of_hot_desks_is_an_hour():
    assert village('hot_desk: {ends: "20:00"}\n').hot_desk_ends == "20:00"
    assert errors_of(VILLAGE + "hot_desk: {ends: evening}\n") == [
        'plan.yaml:18:18: "evening" is no hour of the day; write ends: "20:00"'
    ]


# Checked before it is used


def told(plan: Plan) -> list[tuple[str, str]]:
    codes = ("shared_mobile", "silent_mobile", "unreachable_service")
    return [(one.code, one.message) for one in check(plan) if one.code in codes]


def test_a_mobile_of_two_people_is_told():
    more = f'  - {{extension: "202", name: B, {MOBILE}}}\n'
    plan = village(more, replaced={USER: f"{USER}, {MOBILE}"})
    assert told(plan) == [("shared_mobile", "+33612345699 is the mobile of 201 and of 202")]


def test_a_mobile_that_no_trunk_can_ring_is_told():
    plan = village(replaced={USER: f"{USER}, {MOBILE}, ring: together", "trunks: [operateur]": "trunks: []"})
    (message,) = [message for code, message in told(plan) if code == "silent_mobile"]
    assert message.startswith("the mobile of 201 never rings: trunks of site mairie")


def test_a_call_through_without_a_public_number_is_told():
    plan = village('services: {mobiles: {number: "900", type: callthrough}}\n')
    assert told(plan) == [
        ("unreachable_service", "no mobile reaches call-through mobiles: it has no public number")
    ]
    public = village('services: {mobiles: {public: "+33383009005", type: callthrough}}\n')
    assert told(public) == []
