"""Where people may send calls by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.decision import Conditions, Facts, ForwardRule, Forwards, Reject
from dialplan.routing import route
from dialplan.targets import TargetRefused, check_forward, check_override
from tests.dialplan.plans import CLOSED, OPEN, SAMPLE


def refusal(extension, to, forwards=None, plan=SAMPLE):
    with pytest.raises(TargetRefused) as raised:
        check_forward(plan, forwards or {}, extension, to, OPEN)
    assert set(raised.value.text) >= {"fr", "en"}
    return raised.value.reason, str(raised.value)


@pytest.mark.parametrize(
    ("to", "kept"),
    [
        ("2020", "2020"),
        ("20 20", "2020"),
        ("9", "9"),
        ("00612345678", "+33612345678"),
        ("06.12.34.56.78", "+33612345678"),
        ("+33612345678", "+33612345678"),
        ("+33383001020", "+33383001020"),  # a number of ours: no trunk
    ],
)
def test_a_number_is_kept_in_one_form(to, kept):
    assert check_forward(SAMPLE, {}, "2010", to, OPEN) == kept


def test_a_number_abroad_needs_the_right_to_call_it():
    reason, why = refusal("2010", "0044 20 7946 0958")
    assert reason == "class"
    assert why == "class national: doesn't allow international calls"


def test_a_phone_that_may_only_call_inside_sends_nothing_outside():
    assert refusal("2202", "0612345678")[0] == "class"
    assert check_forward(SAMPLE, {}, "2202", "2201", OPEN) == "2201"


@pytest.mark.parametrize("to", ["18", "015", "+33112", "urn:service:sos", "0018"])
def test_no_call_is_sent_to_an_emergency_number(to):
    assert refusal("2010", to)[0] in ("emergency", "unknown")


@pytest.mark.parametrize("to", ["2010", "+33383001010", "0383001010"])
def test_nobody_sends_calls_to_themselves(to):
    assert refusal("2010", to)[0] == "oneself"


@pytest.mark.parametrize("to", ["", "2999", "*78", "alice", "1" * 500, "\x00", "##"])
def test_what_nobody_answers_is_refused(to):
    assert refusal("2010", to)[0] == "unknown"


def test_a_circle_is_refused_where_it_would_close():
    back = {"2020": Forwards(rules=(ForwardRule("always", "2010"),))}
    assert refusal("2010", "2020", back)[0] == "loop"


def test_somebody_who_is_not_to_be_disturbed_may_still_be_named():
    assert check_forward(SAMPLE, {"2020": Forwards(do_not_disturb=True)}, "2010", "2020", OPEN) == "2020"


def test_a_service_that_is_closed_at_this_hour_may_still_be_named():
    assert check_forward(SAMPLE, {}, "2010", "9", CLOSED) == "9"


@settings(max_examples=150, deadline=None)
@given(
    to=st.text(max_size=70)
    | st.from_regex(r"[0-9+*#. ]{0,20}", fullmatch=True)
    | st.sampled_from([*SAMPLE.people, *SAMPLE.tables.services, *SAMPLE.emergency]),
    extension=st.sampled_from(sorted(SAMPLE.people)),
)
def test_what_is_allowed_is_never_an_emergency_number_and_never_beyond_the_class(to, extension):
    try:
        kept = check_forward(SAMPLE, {}, extension, to, OPEN)
    except TargetRefused:
        return
    assert not SAMPLE.is_emergency(kept)
    conditions = Conditions(forwards={extension: Forwards(always=kept)})
    decision = route(SAMPLE, Facts(extension, caller="2302", conditions=conditions), OPEN)
    assert decision.emergency is None
    if isinstance(decision.target, Reject):
        assert decision.target.reason not in ("class", "loop", "unknown")


# Services


def override_refusal(service, to, setter=""):
    with pytest.raises(TargetRefused) as raised:
        check_override(SAMPLE, service, to, OPEN, setter)
    return raised.value.reason


@pytest.mark.parametrize(
    ("to", "kept"),
    [("2020", "2020"), ("repondeur-mairie", "repondeur-mairie"), ("+33 6 12 34 56 78", "+33612345678")],
)
def test_a_closed_service_s_calls_go_to_what_a_plan_could_name(to, kept):
    assert check_override(SAMPLE, "standard", to, OPEN) == kept


def test_a_person_names_a_destination_as_they_would_dial_it():
    assert check_override(SAMPLE, "standard", "00612345678", OPEN, "2010") == "+33612345678"
    assert check_override(SAMPLE, "standard", "8001", OPEN, "2010") == "8001"


def test_a_person_s_own_rights_count():
    assert override_refusal("standard", "00612345678", "2202") == "class"


@pytest.mark.parametrize("to", ["2999", "0612345678", "+33", "+33112", "18", "nowhere", "*78"])
def test_what_a_plan_could_not_name_is_refused(to):
    assert override_refusal("standard", to) in ("unknown", "emergency")


def test_a_service_is_not_sent_to_itself():
    assert override_refusal("standard", "standard") == "loop"
    assert override_refusal("standard", "9") == "loop"
