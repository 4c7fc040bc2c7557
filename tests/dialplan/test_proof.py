"""The emergency proof: what it enumerates, and the counter-examples that it finds."""

from dialplan.checking import check
from dialplan.proof import prove_emergency
from tests.dialplan.plans import OPEN, SAMPLE, VILLAGE, village


def test_the_sample_reaches_a_trunk_in_every_case_with_any_one_trunk_down():
    proof = prove_emergency(SAMPLE, OPEN)
    assert proof.holds
    # Sites with three orders of trunks and none, two classes, nobody's telephone and somebody without a class
    # or not, both trunks down in turn and neither, thirteen numbers in seven forms.
    assert proof.cases == 4 * 3 * 3 * sum(len(forms) for forms in _forms(SAMPLE))


def _forms(plan):
    for number in plan.emergency:
        yield [form for form, found in plan.tables.emergency.items() if found.number == number]


def test_a_plan_with_one_trunk_is_cut_off_by_one_failure():
    proof = prove_emergency(village(), OPEN)
    assert proof.unreached == ()
    assert str(proof.alone[0]) == "user 201 (class national) at site mairie dials 15; trunk operateur down"


def test_a_second_trunk_that_no_site_names_carries_emergency_calls():
    assert prove_emergency(village(replaced={"users:": "  autre: {host: autre.example}\nusers:"}), OPEN).holds


def test_a_plan_without_trunk_has_a_counter_example():
    text = VILLAGE[: VILLAGE.index("trunks:\n  operateur")] + VILLAGE[VILLAGE.index("users:") :]
    plan = village(replaced={VILLAGE: text.replace("    trunks: [operateur]\n", "")})
    assert [finding.code for finding in check(plan) if finding.code == "no_trunk"] == ["no_trunk"]
    assert str(prove_emergency(plan, OPEN).unreached[0]).startswith(
        "user 201 (class national) at site mairie"
    )
