"""Promises that hold for every valid plan, every caller, number and instant: plans are made by chance."""

from datetime import UTC
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.checking import check
from dialplan.decision import Conditions, Facts, ToPerson, ToTrunks
from dialplan.difference import difference, outcome
from dialplan.loading import parse_plan
from dialplan.proof import prove_emergency
from dialplan.routing import route, route_thoroughly
from tests.dialplan.plans import OPEN

RIGHTS = ["internal", "national", "mobile", "toll_free", "short", "international", "premium"]
HOURS = ["mon-fri 08:00-12:00", "daily 20:00-06:00", "sat 09:00-24:00", "2026-05-02 09:00-12:00"]
NAMES = ["a", "b", "c"]


@st.composite
def plan_texts(draw):
    """The text of a valid plan: up to three sites, trunks, schedules and services, and a few people."""
    sites = NAMES[: draw(st.integers(1, 3))]
    trunks = [f"t{name}" for name in NAMES[: draw(st.integers(0, 3))]]
    schedules = [f"h{name}" for name in NAMES[: draw(st.integers(0, 2))]]
    services = [f"s{name}" for name in NAMES[: draw(st.integers(0, 3))]]
    some_trunks = st.lists(st.sampled_from(trunks), max_size=3, unique=True) if trunks else st.just([])
    lines = ["plan: 1", "country: " + draw(st.sampled_from(["FR", "BE"])), "sites:"]
    for index, name in enumerate(sites):
        main = f', main_number: "+3338300000{index}"' if draw(st.booleans()) else ""
        lines.append(
            f"  {name}: {{networks: [10.{index}.0.0/16], trunks: [{', '.join(draw(some_trunks))}]{main}}}"
        )
    prefix = draw(st.sampled_from(["", "0", "9"]))
    lines += ["numbers:", f'  outside_prefix: "{prefix}"', "  direct:"]
    for index, name in enumerate(sites):
        public = f"+33383001{index}"
        inside = f"2{index}00..2{index}19"
        lines.append(f'    - {{site: {name}, public: "{public}00..{public}19", internal: "{inside}"}}')
    if services and draw(st.booleans()):
        lines.append(f"  unassigned: {{to: {draw(st.sampled_from(services))}}}")
    lines.append("classes:")
    for name in NAMES[:2]:
        lines.append(f"  k{name}: [{', '.join(draw(st.lists(st.sampled_from(RIGHTS), unique=True)))}]")
    lines.append("trunks:" if trunks else "trunks: {}")
    for name in trunks:
        key = draw(st.sampled_from(["owns", "presents"]))
        shown = draw(st.sampled_from(['"+33383000000..+33383001999"', '"+33383000000..+33383000009"']))
        lines.append(f"  {name}: {{host: {name}.example, {key}: [{shown}]}}")
    if trunks:
        lines.append("routes:")
        for to in draw(st.lists(st.sampled_from(["mobile", "national", '"+336"', '"+44"']), max_size=3)):
            held = schedules and draw(st.booleans())
            when = f", schedule: {draw(st.sampled_from(schedules))}" if held else ""
            lines.append(f"  - {{to: {to}, via: [{draw(st.sampled_from(trunks))}]{when}}}")
    lines.append("schedules:" if schedules else "schedules: {}")
    for name in schedules:
        hours = ", ".join(f'"{one}"' for one in draw(st.lists(st.sampled_from(HOURS), max_size=3)))
        lines.append(f"  {name}: {{open: [{hours}], holidays: FR}}")
    lines.append("services:" if services else "services: {}")
    for index, name in enumerate(services):
        closed = ""
        if schedules and draw(st.booleans()):
            to = draw(st.sampled_from([*services, '"2000"', '"+33612345678"', '"2999"']))
            closed = f", schedule: {draw(st.sampled_from(schedules))}, when_closed: {{to: {to}}}"
        public = f', public: "+3338300005{index}"' if draw(st.booleans()) else ""
        lines.append(f'  {name}: {{number: "3{index}", type: echo{public}{closed}}}')
    lines += ["features:", '  hide_number: "*31*{number}"', '  voicemail: "*98"', "users:"]
    for index, position in product(range(len(sites)), range(draw(st.integers(1, 3)))):
        class_name = draw(st.sampled_from(["", ", class: ka", ", class: kb"]))
        to = draw(st.sampled_from(["", "", "2000", "+33612345678"]))
        forward = f', forward: {{always: "{to}"}}' if to else ""
        lines.append(
            f'  - {{extension: "2{index}0{position}", name: P{index}{position}{class_name}{forward}}}'
        )
    return "\n".join(lines) + "\n"


plans = plan_texts().map(lambda text: parse_plan(text, "plan.yaml"))
dialled = st.sampled_from(
    ["2000", "2101", "2019", "30", "31", "112", "015", "0612345678", "00612345678", "+33612345678",
     "*31*0612345678", "*98", "0383001000", "+442079460000", "0899123456", "3919", "urn:service:sos",
     "*31*112"]
) | st.text("0123456789+*#", max_size=12)  # fmt: skip
callers = st.sampled_from([None, "2000", "2001", "2100", "2202", "9999"])
instants = st.datetimes(timezones=st.just(UTC))
conditions = st.builds(
    Conditions,
    trunks_down=st.frozensets(st.sampled_from(["ta", "tb", "tc"])),
    sites_down=st.frozensets(st.sampled_from(NAMES)),
)


@settings(max_examples=100, deadline=None)
@given(plans, dialled, callers, instants, conditions, st.booleans(), st.booleans())
def test_route_is_total_and_deterministic_and_is_what_is_explained(
    plan, number, caller, now, unusual, anonymous, from_trunk
):
    trunk = "ta" if from_trunk else None
    facts = Facts(number, caller, trunk, anonymous=anonymous, conditions=unusual)
    decision = route(plan, facts, now)
    assert decision.trace
    assert decision == route(plan, facts, now)
    assert decision._replace(trace=()) == route_thoroughly(plan, facts, now)._replace(trace=())


@settings(max_examples=100, deadline=None)
@given(plans, st.data(), callers, instants, conditions, st.sampled_from(["10.0.0.9", "10.2.9.9", None]))
def test_an_emergency_number_in_any_form_reaches_every_trunk_and_first_one_that_works(
    plan, data, caller, now, unusual, address
):
    form = data.draw(st.sampled_from(sorted(plan.tables.emergency)))
    decision = route(plan, Facts(form, caller=caller, address=address, conditions=unusual), now)
    assert isinstance(decision.target, ToTrunks)
    assert decision.target.emergency
    assert decision.target.number == plan.tables.emergency[form].number
    assert sorted(decision.target.trunks) == sorted(plan.trunks)
    assert len(decision.emergency.shown) == len(plan.trunks)
    working = [name for name in plan.trunks if name not in unusual.trunks_down]
    if working:
        assert decision.target.trunks[0] in working


@settings(max_examples=60, deadline=None)
@given(plans)
def test_the_proof_holds_where_there_are_two_trunks(plan):
    proof = prove_emergency(plan, OPEN)
    assert proof.holds is (len(plan.trunks) >= 2)
    assert bool(proof.unreached) is (not plan.trunks)


@settings(max_examples=100, deadline=None)
@given(plans)
def test_direct_numbers_lead_back_to_their_extension(plan):
    for extension, caller in plan.tables.callers.items():
        if caller.person.forwards is None:
            decision = route(plan, Facts(caller.direct, trunk="ta"), OPEN)
            assert decision.target == ToPerson(extension, caller.person.name)


@settings(max_examples=100, deadline=None)
@given(plans)
def test_every_plan_can_be_checked(plan):
    for finding in check(plan):
        assert finding.message
        assert finding.line >= 1


@settings(max_examples=40, deadline=None)
@given(plans)
def test_a_plan_does_not_differ_from_itself(plan):
    assert difference(plan, plan, OPEN) == ()


@settings(max_examples=25, deadline=None)
@given(plans, plans, st.lists(dialled, min_size=60, max_size=60))
def test_no_two_plans_differ_without_a_change_being_told(before, after, numbers):
    changes = [change for change in difference(before, after, OPEN) if change.facts is not None]
    for number, caller in product(numbers, (None, "2000", "2100")):
        known = caller in before.people or caller in after.people
        facts = Facts(number, caller=caller)
        one, other = route(before, facts, OPEN), route(after, facts, OPEN)
        if outcome(one) != outcome(other):
            assert [one for one in changes if (caller in one.callers if known else one.nobody)], (
                number,
                caller,
            )
