"""What is unusual: forwards, overrides, what is down, callers who aren't let in, call backs, caller IDs."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.checking import check
from dialplan.decision import (
    Callback,
    Conditions,
    Facts,
    Forwards,
    Override,
    Reject,
    ToPerson,
    ToService,
    ToTrunks,
)
from dialplan.routing import forwards_of, route, route_forward
from tests.dialplan.plans import CLOSED, OPEN, SAMPLE, VILLAGE, errors_of, village

PEOPLE = """\
  - {extension: "202", name: Bruno, site: mairie, class: national, groups: [accueil]}
  - {extension: "203", name: Chloé, site: mairie}
"""


def sent_on(forwards, dialled="2010", caller="2301", plan=SAMPLE, **facts: Any):
    conditions = Conditions(forwards=forwards)
    return route(plan, Facts(dialled, caller=caller, conditions=conditions, **facts), OPEN)


def reason(decision):
    assert isinstance(decision.target, Reject)
    return decision.target.reason


# Forwards


def test_a_forward_leads_to_a_colleague_and_the_caller_stays_who_they_are():
    decision = sent_on({"2010": Forwards(always="2020")})
    assert decision.target == ToPerson("2020", "Urbanisme")
    assert (decision.caller_id, decision.caller_name) == ("2301", "Patrouille 1")
    assert decision.diversions == (("2010", "+33383001010", "unconditional"),)


def test_a_forward_outside_shows_the_number_of_who_sent_it_on_and_keeps_the_original():
    # RFC 5806 section 4; MAN, October 2024: a number of ours is shown.
    decision = route(
        SAMPLE,
        Facts(
            "+33383001010",
            trunk="operateur-a",
            caller_number="+33699999999",
            conditions=Conditions(forwards={"2010": Forwards(always="0612345678")}),
        ),
        OPEN,
    )
    assert decision.target == ToTrunks("+33612345678", ("operateur-b", "operateur-a"), False)
    assert decision.caller_id == "+33383001010"
    assert decision.original_caller == "+33699999999"
    assert decision.diversions == (("2010", "+33383001010", "unconditional"),)


def test_a_forward_outside_needs_the_right_of_who_sent_it_on():
    assert reason(sent_on({"2202": Forwards(always="0612345678")}, "2202", "2010")) == "class"
    assert isinstance(sent_on({"2010": Forwards(always="0612345678")}, "2010", "2202").target, ToTrunks)


def test_forwards_in_a_circle_end():
    forwards = {"2010": Forwards(always="2020"), "2020": Forwards(always="2010")}
    assert reason(sent_on(forwards)) == "loop"


def test_a_chain_of_forwards_that_is_too_long_ends():
    plan = village("".join(f'  - {{extension: "{300 + step}", name: P{step}}}\n' for step in range(12)))
    forwards = {str(300 + step): Forwards(always=str(301 + step)) for step in range(11)}
    assert reason(sent_on(forwards, "300", "201", plan)) == "loop"
    assert sent_on(forwards, "304", "201", plan).target == ToPerson("311", "P11")


@pytest.mark.parametrize("to", ["112", "015", "urn:service:sos"])
def test_a_forward_never_leads_to_an_emergency_number(to):
    assert reason(sent_on({"2010": Forwards(always=to)})) == "unknown"


def test_a_forward_to_one_of_our_public_numbers_takes_no_trunk():
    assert sent_on({"2010": Forwards(always="0383000100")}).target == ToService("standard", "queue")


def test_do_not_disturb_refuses_or_goes_where_busy_calls_go():
    assert reason(sent_on({"2010": Forwards(do_not_disturb=True)})) == "do_not_disturb"
    decision = sent_on({"2010": Forwards(do_not_disturb=True, busy="2020")})
    assert decision.target == ToPerson("2020", "Urbanisme")
    assert decision.diversions[0].reason == "do-not-disturb"


def test_a_call_that_nobody_answers_goes_on_with_its_history():
    conditions = Conditions(
        forwards={"2010": Forwards(no_answer="2020"), "2020": Forwards(no_answer="0612345678")}
    )
    facts = Facts("2010", caller="2301", conditions=conditions)
    first = route_forward(SAMPLE, facts, OPEN, "2010", "no-answer")
    assert first.target == ToPerson("2020", "Urbanisme")
    again = Facts("2010", caller="2301", conditions=conditions, diversions=first.diversions)
    second = route_forward(SAMPLE, again, OPEN, "2020", "no-answer")
    assert second.target.number == "+33612345678"
    assert [one.number for one in second.diversions] == ["+33383001010", "+33383001020"]
    assert second.original_caller == "2301"


def test_without_a_forward_for_it_the_call_ends():
    facts = Facts("2010", caller="2301", conditions=Conditions(forwards={"2010": Forwards(busy="2020")}))
    assert reason(route_forward(SAMPLE, facts, OPEN, "2010", "no-answer")) == "no_forward"
    assert route_forward(SAMPLE, facts, OPEN, "2010", "user-busy").target == ToPerson("2020", "Urbanisme")


def test_a_plan_may_say_where_calls_go_on_and_the_person_says_otherwise():
    plan = village(
        PEOPLE, {"class: national}": 'class: national, forward: {no_answer: "202", after_seconds: 15}}'}
    )
    assert forwards_of(plan, Conditions(), "201") == Forwards(no_answer="202", no_answer_seconds=15)
    assert forwards_of(plan, Conditions(forwards={"201": Forwards()}), "201") == Forwards()


def test_forwards_of_a_plan_in_a_circle_are_an_error():
    plan = village(
        '  - {extension: "202", name: B, forward: {always: "201"}}\n',
        {"class: national}": 'class: national, forward: {no_answer: "202"}}'},
    )
    assert [str(finding) for finding in check(plan) if finding.code == "loop"] == [
        (
            "village.yaml:17:5: forwards go in a circle: 201 -> 202 -> 201; "
            "the call ends there; let one of them end elsewhere"
        )
    ]


def test_a_forward_of_a_plan_to_nobody_is_an_error():
    plan = village(replaced={"class: national}": 'class: national, forward: {always: "999"}}'})
    assert "village.yaml:17:5: user 201 forwards to 999, which nobody has" in "\n".join(map(str, check(plan)))


# Overrides that end by themselves


def overridden(name, override, now=OPEN, kind="services"):
    conditions = Conditions(**{kind: {name: override}})
    return route(SAMPLE, Facts("9", caller="2010", conditions=conditions), now).target


def test_a_service_closed_by_hand_is_closed_until_the_override_ends():
    closed = Override(is_open=False, until=OPEN + timedelta(hours=1))
    assert overridden("standard", closed) == ToService("repondeur-mairie", "voicemail")
    assert overridden("standard", closed, OPEN + timedelta(minutes=59, seconds=59)).name == "repondeur-mairie"
    assert overridden("standard", closed, OPEN + timedelta(hours=1)).name == "standard"


def test_a_service_closed_by_hand_may_go_elsewhere_meanwhile():
    closed = Override(is_open=False, until=OPEN + timedelta(hours=1), to="2020")
    assert overridden("standard", closed) == ToPerson("2020", "Urbanisme")


def test_a_schedule_opened_by_hand_opens_all_its_services():
    opened = Override(is_open=True, until=CLOSED + timedelta(hours=1))
    assert overridden("bureau", opened, CLOSED, "schedules").name == "standard"


# Trunks and links that are down


def test_a_trunk_that_is_down_is_left_out():
    down = Conditions(trunks_down=frozenset({"operateur-b"}))
    assert route(SAMPLE, Facts("0612345678", caller="2010", conditions=down), OPEN).target.trunks == (
        "operateur-a",
    )


def test_with_all_its_trunks_down_an_outside_call_is_refused_and_an_emergency_tries_them():
    down = Conditions(trunks_down=frozenset(SAMPLE.trunks))
    assert reason(route(SAMPLE, Facts("0612345678", caller="2010", conditions=down), OPEN)) == "no_trunk"
    assert route(SAMPLE, Facts("112", caller="2010", conditions=down), OPEN).target.trunks == (
        "operateur-a",
        "operateur-b",
    )


def test_an_emergency_call_tries_a_trunk_that_is_down_last():
    down = Conditions(trunks_down=frozenset({"operateur-a"}))
    decision = route(SAMPLE, Facts("112", caller="2010", conditions=down), OPEN)
    assert decision.target.trunks == ("operateur-b", "operateur-a")


def test_a_call_to_a_site_that_is_cut_off_goes_by_the_public_network():
    down = Conditions(sites_down=frozenset({"caserne"}))
    decision = route(SAMPLE, Facts("2201", caller="2401", conditions=down), OPEN)
    assert decision.target == ToTrunks("+33383001201", ("operateur-a",), False)
    assert decision.caller_id == "+33383001401"


def test_within_a_site_that_is_cut_off_telephones_still_call_each_other():
    down = Conditions(sites_down=frozenset({"caserne"}))
    assert route(SAMPLE, Facts("2201", caller="2202", conditions=down), OPEN).target == ToPerson(
        "2201", "Garde 1"
    )


def test_a_test_of_a_plan_may_say_that_a_trunk_is_down():
    plan = village(
        'tests:\n  - {from: "201", dial: "0612345678", trunk_down: operateur, expect: {reject: no_trunk}}\n'
    )
    assert [finding for finding in check(plan) if finding.code == "test_failed"] == []


# Callers from outside


SCREENED = 'callers:\n  rejected: ["+33899"]\n  anonymous: reject\n'


def arriving(plan, **facts: Any):
    return route(plan, Facts("+33383009001", trunk="operateur", **facts), OPEN)


def test_a_caller_whose_number_begins_so_is_refused():
    # RFC 3261 section 21.6.2
    decision = arriving(village(SCREENED), caller_number="+33899123456")
    assert reason(decision) == "caller"
    assert decision.target.status == 603
    assert arriving(village(SCREENED), caller_number="+33699999999").target == ToPerson("201", "Mairie")


@pytest.mark.parametrize("facts", [{"anonymous": True, "caller_number": "+33699999999"}, {}])
def test_a_caller_without_a_number_is_refused_where_the_plan_says_so(facts):
    # RFC 5079 section 4
    decision = arriving(village(SCREENED), **facts)
    assert reason(decision) == "anonymous"
    assert decision.target.status == 433


def test_a_caller_without_a_number_may_be_sent_elsewhere():
    plan = village('services:\n  s: {number: "300", type: echo}\ncallers: {anonymous: {to: s}}\n')
    assert arriving(plan, anonymous=True).target == ToService("s", "echo")


def test_a_mistake_in_the_callers_section_is_told():
    text = VILLAGE + 'callers: {rejected: ["0899"], anonymous: rejet}\n'
    assert [sentence.partition(": ")[2] for sentence in errors_of(text)] == [
        '"0899" is no beginning of a number; write +33899',
        'unknown rule for anonymous callers "rejet"; did you mean "reject"?',
    ]


# The call back after an emergency call


def called_back(after, number="+33383000100", now=CLOSED, **conditions: Any):
    callbacks = {number: Callback("2010", "2010", now - after)}
    facts = Facts(
        number, trunk="operateur-a", anonymous=True, conditions=Conditions(callbacks=callbacks, **conditions)
    )
    return route(SAMPLE, facts, now)


def test_for_an_hour_a_call_back_rings_the_device_and_its_normal_destination_at_night():
    decision = called_back(timedelta(minutes=59))
    assert decision.callback.device == "2010"
    assert decision.target == ToService("standard", "queue")


def test_after_an_hour_the_night_is_the_night_again():
    decision = called_back(timedelta(hours=1))
    assert decision.callback is None
    assert decision.target == ToService("repondeur-mairie", "voicemail")


def test_a_call_back_to_a_direct_number_goes_through_forwards_and_do_not_disturb():
    forwards = {"2010": Forwards(always="2020", do_not_disturb=True)}
    decision = called_back(timedelta(minutes=1), "+33383001010", forwards=forwards)
    assert decision.target == ToPerson("2010", "État civil")


def test_a_call_back_is_never_refused_as_anonymous():
    callbacks = {"+33383009001": Callback("201", "201", OPEN)}
    assert arriving(
        village(SCREENED), anonymous=True, conditions=Conditions(callbacks=callbacks)
    ).target == ToPerson("201", "Mairie")


def test_a_call_back_to_a_number_that_leads_nowhere_rings_who_called():
    plan = village(replaced={'main_number: "+33383009001"': 'main_number: "+33383009000"'})
    callbacks = {"+33383009000": Callback("201", "201", OPEN)}
    facts = Facts("+33383009000", trunk="operateur", conditions=Conditions(callbacks=callbacks))
    assert route(plan, facts, OPEN).target == ToPerson("201", "Mairie")


# What is shown


GROUPS = 'groups:\n  accueil: {caller_id: "+33383009005"}\n'


def shown(plan, caller="202", dialled="0612345678", **facts: Any):
    return route(plan, Facts(dialled, caller=caller, **facts), OPEN)


def test_a_group_may_show_a_number_of_its_own():
    assert shown(village(PEOPLE + GROUPS)).caller_id == "+33383009005"


def test_a_person_may_show_a_number_of_their_own():
    plan = village(PEOPLE.replace("[accueil]", '[accueil], caller_id: "+33383009007"') + GROUPS)
    assert shown(plan).caller_id == "+33383009007"


def test_a_call_may_show_another_number_of_the_caller_and_none_of_others():
    plan = village(PEOPLE + GROUPS)
    assert shown(plan, shown="+33383009002").caller_id == "+33383009002"
    assert shown(plan, shown="+33383009003").caller_id == "+33383009005"


def test_a_person_may_be_anonymous_and_an_emergency_call_never_is():
    plan = village(PEOPLE.replace("[accueil]", "[accueil], caller_id: anonymous"))
    assert shown(plan).anonymous
    assert shown(plan).caller_id == "+33383009002"
    assert not shown(plan, dialled="112").anonymous
    assert not shown(plan, dialled="112", anonymous=True).anonymous


CODES = 'features:\n  hide_number: "*31*{number}"\n  show_number: "#31#{number}"\n'


def test_a_code_hides_or_shows_the_number_for_one_call():
    plan = village(PEOPLE.replace("[accueil]", "[accueil], caller_id: anonymous") + CODES)
    hidden = shown(plan, "201", "*31*0612345678")
    assert (hidden.target.number, hidden.anonymous) == ("+33612345678", True)
    open_ = shown(plan, "202", "%2331%230612345678")
    assert (open_.target.number, open_.anonymous) == ("+33612345678", False)


@pytest.mark.parametrize("dialled", ["*31*112", "*31*015", "%2331%2318"])
def test_an_emergency_number_after_such_a_code_is_an_emergency(dialled):
    decision = shown(village(CODES), "201", dialled)
    assert decision.target.emergency
    assert not decision.anonymous


def test_a_caller_id_that_no_trunk_may_show_is_an_error():
    plan = village(
        PEOPLE.replace("[accueil]", '[accueil], caller_id: "+33383008001"')
        + 'groups:\n  accueil: {caller_id: "+33383008000"}\n'
    )
    assert [finding.message for finding in check(plan) if finding.code == "caller_id_not_ours"] == [
        "no trunk owns or presents +33383008001, which user 202 shows",
        "no trunk owns or presents +33383008000, which group accueil shows",
    ]


def test_a_machine_shows_no_ordinary_number_in_france():
    decision = shown(village(PEOPLE), "202", automated=True)
    assert reason(decision) == "caller_id"


def test_a_machine_may_show_a_verified_number():
    plan = village(
        PEOPLE + 'groups:\n  accueil: {caller_id: "+33162000001"}\n', {'owns: ["': 'owns: ["+33162000001", "'}
    )
    assert shown(plan, "202", automated=True).caller_id == "+33162000001"


# Least cost


RATES = (
    'schedules:\n  nuit: {open: ["daily 20:00-08:00"]}\n'
    "routes:\n  - {to: mobile, via: cheapest}\n"
    "rates:\n"
    "  - {trunk: operateur, to: mobile, cents: 2}\n"
    "  - {trunk: autre, to: mobile, cents: 3}\n"
    "  - {trunk: autre, to: mobile, cents: 1, schedule: nuit}\n"
    '  - {trunk: autre, to: "+3367", cents: 0.5}\n'
)
TWO_TRUNKS = {"users:": '  autre: {host: autre.example, presents: ["+33383009000..+33383009009"]}\nusers:'}


@pytest.mark.parametrize(
    ("dialled", "hour", "trunks"),
    [
        ("0612345678", 10, ("operateur", "autre")),
        ("0612345678", 22, ("operateur", "autre")),
        ("0672345678", 10, ("autre", "operateur")),
    ],
)
def test_the_cheapest_trunk_comes_first_by_destination(dialled, hour, trunks):
    plan = village(RATES, TWO_TRUNKS)
    decision = route(plan, Facts(dialled, caller="201"), OPEN.replace(hour=hour))
    assert decision.target.trunks == trunks


def test_a_rate_with_hours_written_first_holds_in_them():
    lines = RATES.splitlines(keepends=True)
    plan = village("".join([*lines[:5], lines[7], *lines[5:7]]), TWO_TRUNKS)
    assert route(plan, Facts("0612345678", caller="201"), OPEN.replace(hour=22)).target.trunks == (
        "autre",
        "operateur",
    )
    assert route(plan, Facts("0612345678", caller="201"), OPEN).target.trunks == ("operateur", "autre")


def test_a_route_holds_only_while_its_schedule_is_open():
    plan = village(
        'schedules:\n  nuit: {open: ["daily 20:00-08:00"]}\n'
        "routes:\n  - {to: mobile, via: [autre], schedule: nuit}\n  - {to: mobile, via: [operateur]}\n",
        TWO_TRUNKS,
    )
    for hour, trunk in ((19, "operateur"), (20, "autre"), (7, "autre"), (8, "operateur")):
        decision = route(plan, Facts("0612345678", caller="201"), OPEN.replace(hour=hour))
        assert decision.target.trunks == (trunk,)


def test_a_cheapest_route_without_any_rate_is_an_error():
    plan = village("routes:\n  - {to: mobile, via: cheapest}\n")
    assert [str(finding) for finding in check(plan) if finding.code == "no_rate"] == [
        (
            "village.yaml:19:5: no trunk has a rate for calls to mobile: this route leads nowhere; "
            "add rates to `rates:`, or name trunks"
        )
    ]


# Always


@settings(max_examples=200, deadline=None)
@given(
    dialled=st.sampled_from(["2010", "9", "0612345678", "112", "8100", "*21*2010", "+33383001010"]),
    trunk=st.sampled_from([None, "operateur-a"]),
    to=st.sampled_from(["", "2010", "2020", "9", "112", "0612345678", "+33383001010", "*8", "x", "8300"]),
    dnd=st.booleans(),
    down=st.sets(st.sampled_from(sorted(SAMPLE.trunks))),
    sites=st.sets(st.sampled_from(sorted(SAMPLE.sites))),
    is_open=st.none() | st.booleans(),
)
def test_no_condition_stops_route_from_answering_or_an_emergency_from_leaving(
    dialled, trunk, to, dnd, down, sites, is_open
):
    forwards = dict.fromkeys(SAMPLE.people, Forwards(to, to, to, do_not_disturb=dnd))
    override = {} if is_open is None else {"standard": Override(is_open, OPEN + timedelta(hours=1), to)}
    conditions = Conditions(
        frozenset(down),
        frozenset(sites),
        forwards,
        override,
        callbacks={"+33383001010": Callback("x", to, OPEN)},
    )
    decision = route(SAMPLE, Facts(dialled, caller="2301", trunk=trunk, conditions=conditions), OPEN)
    assert decision.trace
    if dialled == "112" and trunk is None:
        assert decision.target.emergency
        assert len(decision.target.trunks) == 2


def test_a_call_sent_on_for_an_anonymous_caller_shows_ours_and_has_nothing_to_hide():
    forwards = {"2010": Forwards(always="0612345678")}
    facts = Facts(
        "+33383001010", trunk="operateur-a", anonymous=True, conditions=Conditions(forwards=forwards)
    )
    decision = route(SAMPLE, facts, OPEN)
    assert (decision.caller_id, decision.anonymous) == ("+33383001010", False)
    assert decision.original_caller is None
