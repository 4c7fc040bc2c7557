"""Real shapes of towns and others, whole: what the checker finds, and where their calls go (golden texts)."""

from datetime import datetime
from pathlib import Path

import pytest

from dialplan.checking import check
from dialplan.decision import Facts
from dialplan.explaining import explain
from dialplan.loading import load_plan
from dialplan.plan import Person, Plan
from dialplan.proof import prove_emergency
from dialplan.routing import route
from tests.dialplan.plans import PARIS

SHAPES = Path(__file__).parent / "shapes"
MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=PARIS)
NIGHT = datetime(2026, 11, 22, 3, 0, tzinfo=PARIS)

# Who calls (an extension, or an outside number), what, from which address, and when.
CALLS: dict[str, list[tuple[str, str, str | None, datetime]]] = {
    "village": [
        ("29", "112", None, MONDAY),
        ("30", "00033612345678", None, MONDAY),
        ("30", "0612345678", None, MONDAY),
        ("21", "15", "192.168.20.9", MONDAY),
        ("20", "40", None, MONDAY),
        ("20", "30", None, MONDAY),
        ("+33699999999", "+33329000010", None, datetime(2026, 11, 24, 10, 0, tzinfo=PARIS)),
        ("+33699999999", "+33329000010", None, NIGHT),
        ("+33699999999", "+33329000015", None, NIGHT),
        ("20", "0899123456", None, MONDAY),
    ],
    "city": [
        ("20000", "18", "10.3.4.5", MONDAY),
        ("22800", "3114", None, MONDAY),
        ("20001", "0612345678", None, MONDAY),
        ("20001", "0612345678", None, NIGHT),
        ("20007", "0035220123456", None, MONDAY),
        ("20001", "0035220123456", None, MONDAY),
        ("20003", "0140010999", None, MONDAY),
        ("20011", "*31*0140999999", None, MONDAY),
        ("+33948000000", "+33140000000", None, MONDAY),
        ("+33699999999", "+33140000000", None, NIGHT),
        ("+33699999999", "+33140010123", None, MONDAY),
    ],
    "fire": [
        ("50700", "112", None, MONDAY),
        ("50800", "018", None, NIGHT),
        ("51000", "0387123456", None, MONDAY),
        ("50100", "0387123456", None, MONDAY),
        ("50100", "4300", None, NIGHT),
        ("50100", "4200", None, NIGHT),
        ("50100", "18", "10.100.40.7", NIGHT),
        ("+33699999999", "+33387000000", None, NIGHT),
        ("+33699999999", "+33387000007", None, NIGHT),
    ],
    "schools": [
        ("3051", "15", None, MONDAY),
        ("3051", "0612345678", None, MONDAY),
        ("3050", "0612345678", None, MONDAY),
        ("3050", "3121", None, MONDAY),
        ("3050", "3129", None, MONDAY),
        ("+33699999999", "+33383020005", None, MONDAY),
        ("+33699999999", "+33383020005", None, datetime(2026, 12, 21, 10, 0, tzinfo=PARIS)),
        ("", "+33383020005", None, MONDAY),
    ],
    "company": [
        ("400", "112", None, MONDAY),
        ("200", "101", "2001:db8:32::7", MONDAY),
        ("210", "0033612345678", None, MONDAY),
        ("210", "0044207946000", None, MONDAY),
        ("200", "0470123456", None, MONDAY),
        ("211", "025501234", None, MONDAY),
        ("200", "0800123456", None, MONDAY),
        ("200", "080012345", None, MONDAY),
        ("200", "090012345", None, MONDAY),
        ("200", "1207", None, MONDAY),
        ("+33699999999", "025550210", None, MONDAY),
        ("+33699999999", "+3225550100", None, NIGHT),
    ],
}
GROUPS = ("standard", "commandement", "presse", "securite")


def plan_of(name: str) -> Plan:
    plan = load_plan(SHAPES / f"{name}.yaml")
    if name != "city":
        return plan
    blocks = [(block, position) for block in plan.ranges for position in range(len(block.numbers))]
    return plan.with_people(
        Person(
            extension=block.numbers.at(position),
            name=f"Agent {index}",
            class_name="etranger" if index % 7 == 0 else "agent",
            groups=(GROUPS[index % 11 % 4],) if index % 11 < 4 else (),
        )
        for index, (block, position) in enumerate(blocks)
    )


def told(name: str) -> str:
    """A shape's findings, its proof, and its calls, as the golden text has them."""
    plan = plan_of(name)
    lines = [str(finding).removeprefix(f"{SHAPES}/") for finding in check(plan, MONDAY)]
    proof = prove_emergency(plan, MONDAY)
    lines.append(f"{len(plan.people)} people; emergency proof of {proof.cases} cases: {proof.holds}")
    for caller, dialled, address, at in CALLS[name]:
        trunk = None if caller in plan.people else next(iter(plan.trunks))
        facts = Facts(dialled, caller or None, trunk, caller or None, address=address)
        decision = route(plan, facts, at)
        where = f" at {address}" if address else ""
        lines.append(
            f"{caller or 'anonymous'}{where} dials {dialled}, {at:%a %H:%M} {explain(plan, decision)[-1]}"
        )
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", CALLS)
def test_a_shape_is_found_and_routed_as_its_golden_text_says(name):
    assert told(name) == (SHAPES / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CALLS)
def test_a_shape_has_neither_error_nor_warning(name):
    assert [str(one) for one in check(plan_of(name), MONDAY) if one.severity in ("error", "warning")] == []


@pytest.mark.parametrize("name", CALLS)
def test_an_emergency_call_of_a_shape_always_leaves_but_where_one_trunk_is_all(name):
    proof = prove_emergency(plan_of(name), MONDAY)
    assert proof.unreached == ()
    assert proof.holds is (name != "village")


def test_the_city_has_three_thousand_people():
    assert len(plan_of("city").people) == 3000
