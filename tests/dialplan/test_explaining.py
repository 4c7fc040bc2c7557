from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.decision import Conditions, Facts
from dialplan.explaining import explain
from dialplan.routing import route, route_thoroughly
from tests.dialplan.plans import CLOSED, OPEN, SAMPLE, SAMPLE_PATH


def explained(now=OPEN, **facts: str):
    return explain(SAMPLE, route(SAMPLE, Facts(**facts), now))


def test_an_outside_call_is_explained_rule_by_rule():
    assert explained(dialled="00612345678", caller="2010") == [
        "valmont.yaml:12  site               mairie, assumed from the person's site",
        "built in         emergency numbers  not one, in any form",
        "built in         outside prefix 0   calls +33612345678 (mobile)",
        "valmont.yaml:55  class national     allows mobile calls",
        "valmont.yaml:80  route to mobile    operateur-b, operateur-a",
        "valmont.yaml:69  caller ID          +33383001010, by operateur-b, operateur-a",
        "=> +33612345678 by operateur-b, then operateur-a, showing +33383001010",
    ]


def test_an_emergency_call_is_explained():
    assert explained(dialled="018", caller="2202", address="10.54.2.7") == [
        "valmont.yaml:19  site               caserne, by the device's address",
        "built in         emergency numbers  18, Sapeurs-pompiers",
        "valmont.yaml:19  emergency trunks   operateur-b, operateur-a",
        "valmont.yaml:19  caller ID          +33383001202, the caller's direct number",
        "=> emergency 18 by operateur-b, then operateur-a, showing +33383001202",
    ]


def test_a_closed_service_is_explained_with_the_schedule():
    assert explained(CLOSED, dialled="+33383000100", trunk="operateur-a", caller_number="+33699999999") == [
        "valmont.yaml:60   trunk                     the call arrives on operateur-a",
        "valmont.yaml:91   public number             +33383000100 is that of service standard",
        "valmont.yaml:84   schedule bureau           closed, sun 10:00",
        "valmont.yaml:100  service standard          closed: to repondeur-mairie",
        "valmont.yaml:109  service repondeur-mairie  answers (voicemail)",
        "=> service repondeur-mairie (voicemail)",
    ]


def test_a_refusal_is_explained():
    assert explained(dialled="00612345678", caller="2202")[-2:] == [
        "valmont.yaml:54  class interne      doesn't allow mobile calls",
        "=> refused: class (403)",
    ]


def test_the_lines_named_are_those_of_the_file():
    lines = SAMPLE_PATH.read_text(encoding="utf-8").splitlines()
    for step in route(SAMPLE, Facts("00612345678", caller="2010"), OPEN).trace:
        word = step.outcome.split(",")[0] if step.rule == "site" else step.rule.split()[-1]
        if step.line and step.rule != "caller ID":
            assert word in lines[step.line - 1]


# Every rule that is looked at


def thoroughly(plan=SAMPLE, now=OPEN, **facts: Any):
    return explain(plan, route_thoroughly(plan, Facts(**facts), now))


def test_rules_that_did_not_match_are_told_with_their_lines():
    assert thoroughly(dialled="0112345678", caller="2010") == [
        "valmont.yaml:12  site                    mairie, assumed from the person's site",
        "built in         emergency numbers       not one, in any form",
        "built in         users                   nobody has 0112345678",
        "built in         services                none has the number 0112345678",
        "built in         features                no code begins as 0112345678 does",
        (
            "built in         outside prefix 0        "
            "not read with it: no short number, and no prefix of a longer one"
        ),
        "built in         outside                 calls +33112345678 (national)",
        "valmont.yaml:55  class national          allows national calls",
        "valmont.yaml:80  route to mobile         this is a national call",
        "valmont.yaml:81  route to international  this is a national call",
        "valmont.yaml:12  trunks of site mairie   operateur-a, operateur-b",
        "valmont.yaml:60  caller ID               +33383001010, by operateur-a, operateur-b",
        "=> +33112345678 by operateur-a, then operateur-b, showing +33383001010",
    ]


def test_a_code_that_is_none_is_told_beside_those_that_are():
    lines = thoroughly(dialled="*99", caller="2010")
    assert "valmont.yaml:168  feature voicemail            *98 is something else" in lines
    assert lines[-1] == "=> refused: unknown (404)"


def test_a_trunk_that_is_down_is_told():
    down = Conditions(trunks_down=frozenset({"operateur-b"}))
    lines = thoroughly(dialled="0612345678", caller="2010", conditions=down)
    assert "valmont.yaml:69  trunk operateur-b  is down" in lines
    assert lines[-1] == "=> +33612345678 by operateur-a, showing +33383001010"


@settings(max_examples=300, deadline=None)
@given(
    dialled=st.sampled_from(["2010", "2011", "9", "112", "*98", "**2010", "+33383001150"])
    | st.text("0123456789+*#", max_size=14),
    caller=st.sampled_from([None, *SAMPLE.people]),
    trunk=st.sampled_from([None, None, "operateur-a"]),
    now=st.sampled_from([OPEN, CLOSED]),
)
def test_what_is_explained_is_what_is_done(dialled, caller, trunk, now):
    facts = Facts(dialled, caller=caller, trunk=trunk)
    done, told = route(SAMPLE, facts, now), route_thoroughly(SAMPLE, facts, now)
    assert done._replace(trace=()) == told._replace(trace=())
    assert {step.rule for step in done.trace} - {"features"} <= {step.rule for step in told.trace}
