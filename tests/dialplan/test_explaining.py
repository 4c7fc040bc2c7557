from dialplan.decision import Facts
from dialplan.explaining import explain
from dialplan.routing import route
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
