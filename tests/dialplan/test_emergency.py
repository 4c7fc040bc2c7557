"""The third promise: every form, every phone, every class, every instant."""

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.decision import Facts, ToTrunks
from dialplan.emergency import SelfTest, self_tests
from dialplan.routing import route
from tests.dialplan.plans import CLOSED, OPEN, SAMPLE, VILLAGE, errors_of, village

ADDRESSES = {
    "mairie": "10.54.1.20",
    "caserne": "10.54.2.20",
    "police": "10.54.3.20",
    "ecole": "10.54.4.20",
}
NUMBERS = sorted(SAMPLE.emergency)
URNS = {
    "urn:service:sos": "112",
    "urn:service:sos.fire": "18",
    "urn:service:sos.police": "17",
    "urn:service:sos.ambulance": "15",
    "urn:service:sos.marine": "196",
    "urn:service:sos.unheard-of": "112",
}


def forms(number):
    bare = [
        number,
        "0" + number,
        "+33" + number,
        "0033" + number,
        "00033" + number,
        "-".join(number),
        f" {number[0]} {number[1:]}",
        f"({number})",
        f"{number}#",
        "".join(f"%{ord(digit):02X}" for digit in number),
    ]
    uris = [f"{scheme}:{form}" for scheme in ("tel", "TEL") for form in bare[:4]]
    uris += [f"sip:{form}@valmont.example;user=phone" for form in bare[:4]]
    uris += [f"sips:%2B33{number}@valmont.example", f"tel:{number};phone-context=+33"]
    return bare + uris


def emergency(dialled, caller="2010", **facts: str):
    decision = route(SAMPLE, Facts(dialled, caller=caller, **facts), OPEN)
    assert isinstance(decision.target, ToTrunks)
    assert decision.target.emergency
    return decision


@pytest.mark.parametrize("number", NUMBERS)
def test_every_form_from_every_phone_at_every_site_reaches_the_trunks_of_that_site_first(number):
    for caller in [None, "9999", *SAMPLE.people]:
        for site, address in ADDRESSES.items():
            own = SAMPLE.sites[site].trunks
            for form in forms(number):
                decision = emergency(form, caller, address=address)
                trunks = decision.target.trunks
                assert decision.target.number == number
                assert decision.site == site
                assert trunks[: len(own)] == own
                assert set(trunks) == set(SAMPLE.trunks)
                assert len(trunks) == len(SAMPLE.trunks)


@settings(max_examples=200, deadline=None)
@given(
    number=st.sampled_from(NUMBERS),
    form=st.integers(0, len(forms("112")) - 1),
    caller=st.sampled_from([None, "9999", *SAMPLE.people]),
    address=st.sampled_from([None, "192.0.2.1", *ADDRESSES.values()]),
    site=st.sampled_from([None, "nowhere", *SAMPLE.sites]),
    anonymous=st.booleans(),
    now=st.datetimes(timezones=st.just(UTC)),
)
def test_no_fact_and_no_instant_stops_an_emergency_call(number, form, caller, address, site, anonymous, now):
    facts = Facts(forms(number)[form], caller=caller, address=address, site=site, anonymous=anonymous)
    decision = route(SAMPLE, facts, now)
    assert isinstance(decision.target, ToTrunks)
    assert decision.target.emergency
    assert decision.target.number == number
    assert decision.caller_id is not None


@pytest.mark.parametrize(("urn", "number"), URNS.items())
def test_a_service_urn_reaches_its_number(urn, number):
    assert emergency(urn).target.number == number


@pytest.mark.parametrize(
    "dialled", ["0112345678", "1120", "11", "0150", "+33112345678", "*15", "15*", "sip:fire@112", "15 ans"]
)
def test_a_number_that_only_begins_like_one_is_no_emergency(dialled):
    target = route(SAMPLE, Facts(dialled, caller="2010"), OPEN).target
    assert not (isinstance(target, ToTrunks) and target.emergency)


def test_a_class_without_outside_rights_still_calls_an_emergency():
    assert emergency("18", "2202").target.trunks == ("operateur-b", "operateur-a")


def test_the_site_of_the_address_wins_over_the_configured_one():
    assert emergency("18", address="10.54.4.20", site="caserne").site == "ecole"


def test_the_configured_site_wins_over_the_person_site():
    assert emergency("18", site="caserne").site == "caserne"


def test_a_site_that_the_plan_does_not_know_is_not_believed():
    assert emergency("18", site="nowhere").site == "mairie"


def test_an_ipv4_address_seen_through_ipv6_is_the_same_address():
    assert emergency("18", address="::ffff:10.54.2.20").site == "caserne"


def test_at_home_the_direct_number_is_shown():
    assert emergency("15", "2301", address="10.54.3.20").caller_id == "+33383001301"


def test_elsewhere_the_number_of_that_site_is_shown():
    assert emergency("15", "2301", address="10.54.4.20").caller_id == "+33383000400"


def test_without_a_direct_number_the_site_main_number_is_shown():
    assert emergency("15", "1001").caller_id == "+33383000100"


def test_the_town_adds_a_number_that_is_routed_but_not_urgent():
    assert emergency("3114").target.number == "3114"
    assert not SAMPLE.emergency["3114"].urgent
    assert SAMPLE.emergency["112"].urgent


def test_closed_hours_change_nothing():
    facts = Facts("112", caller="2010")
    assert route(SAMPLE, facts, CLOSED) == route(SAMPLE, facts, OPEN)


# What the call needs besides its trunks


def call(dialled="112", caller="2010", plan=SAMPLE, **facts: Any):
    decision = route(plan, Facts(dialled, caller=caller, **facts), OPEN)
    assert decision.emergency is not None
    return decision.emergency


@pytest.mark.parametrize(
    ("facts", "site", "source"),
    [
        ({"address": "10.54.2.7"}, "caserne", "network"),
        ({"site": "ecole"}, "ecole", "configuration"),
        ({}, "mairie", "assumed"),
        ({"address": "192.0.2.1"}, "mairie", "assumed"),
        ({"address": "10.54.2.7", "site": "ecole"}, "caserne", "network"),
    ],
)
def test_the_location_says_how_it_is_known(facts, site, source):
    location = call(**facts).location
    assert (location.site, location.source) == (site, source)
    assert location.address == SAMPLE.sites[site].address
    assert location.point == SAMPLE.sites[site].location


def test_the_address_that_a_teleworker_confirmed_is_told_while_they_are_away():
    home = {"street": "5 chemin des Vignes", "city": "Valmont"}
    assert call(confirmed_address=home).location.source == "confirmed"
    assert call(confirmed_address=home).location.address == home
    assert call(confirmed_address=home, address="10.54.2.7").location.source == "network"


@pytest.mark.parametrize(
    ("number", "preempts"), [("112", True), ("18", True), ("3114", False), ("116117", False)]
)
def test_an_urgent_number_may_end_another_call_and_3114_and_116117_never_do(number, preempts):
    assert call(number).preempts is preempts


def test_a_plan_that_would_let_3114_end_another_call_is_refused():
    text = VILLAGE.replace(
        'outside_prefix: "0"', 'outside_prefix: "0"\n  emergency: {"3114": {name: Écoute, urgent: true}}'
    )
    assert errors_of(text) == [
        (
            "plan.yaml:10:46: 3114 never displaces another call; "
            "remove `urgent:`: it is always reached all the same"
        )
    ]


def test_each_trunk_shows_a_number_that_it_may_show_or_the_best_one():
    plan = village(
        replaced={"users:": '  autre: {host: autre.example, presents: ["+33383009001"]}\nusers:'},
        more='  - {extension: "205", name: Cinq, site: mairie, class: national}\n',
    )
    decision = route(plan, Facts("112", caller="205"), OPEN)
    assert decision.target.trunks == ("operateur", "autre")
    assert decision.emergency.shown == ("+33383009005", "+33383009001")


def test_those_who_are_told_are_those_of_the_site_or_of_the_whole_plan():
    plan = village(
        replaced={
            "numbers:": "  annexe: {notified: {group: annexe}}\nnumbers:",
            "outside_prefix:": "emergency_notified: {group: accueil}\n  outside_prefix:",
        }
    )
    assert call(caller="201", plan=plan).notified.groups == ("accueil",)
    assert call(caller="201", plan=plan, site="annexe").notified.groups == ("annexe",)
    assert call().notified is None


def test_the_daily_test_of_a_site_takes_the_way_of_its_emergency_calls():
    plan = village(replaced={"outside_prefix:": 'emergency_test: "+33383999999"\n  outside_prefix:'})
    assert self_tests(plan) == (SelfTest("mairie", "+33383999999", (("operateur", "+33383009001"),)),)
    assert [(test.site, test.trunks[0]) for test in self_tests(SAMPLE)] == [
        ("mairie", ("operateur-a", "+33383000100")),
        ("caserne", ("operateur-b", "+33383000200")),
        ("police", ("operateur-a", "+33383000300")),
        ("ecole", ("operateur-a", "+33383000400")),
    ]


def test_an_emergency_number_after_a_code_is_known_as_one():
    plan = village('features:\n  hide_number: "*31*{number}"\n')
    assert plan.is_emergency("*31*112")
    assert plan.is_emergency("sip:*31*015@valmont.example")
    assert not plan.is_emergency("*31*0612345678")
    assert not SAMPLE.is_emergency("*31*112")
