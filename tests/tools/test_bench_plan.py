"""The plan that `scripts/bench plan` makes: as large as it says, and without a finding."""

import sys

from dialplan.checking import check
from dialplan.loading import parse_plan
from tests.tools.places import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from benches.plan import MEANINGS, large_plan


def test_the_large_plan_is_as_large_as_the_bench_says_and_clean():
    plan = parse_plan(large_plan(), "large.yaml")
    assert (len(plan.people), len(plan.routes), len(plan.services)) == (10_000, 2_000, 500)
    assert check(plan) == []


def test_the_goals_are_those_of_the_issue():
    goals = {name: meaning.goal for name, meaning in MEANINGS.items() if meaning.goal is not None}
    assert goals == {"route_sample": 20, "route_large": 40, "plan_load_and_check": 3, "plan_memory": 200}
