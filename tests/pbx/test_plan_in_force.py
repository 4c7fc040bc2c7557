"""The plan that a signalling process starts with, after another one was put in force."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dialplan.loading import parse_plan
from pbx.plan_in_force import PlanInForce

PLAN = Path(__file__).parents[2] / "examples" / "valmont.yaml"
TEXT = PLAN.read_text("utf-8")
FIRST = parse_plan(TEXT, str(PLAN))


def kept(in_force: PlanInForce, text: str) -> str:
    """Put a text in force; returns its version."""
    plan = parse_plan(text, str(PLAN))
    in_force.keep(plan, text)
    return plan.version


def test_a_node_begins_with_its_first_plan() -> None:
    assert PlanInForce(FIRST).read() is FIRST


def test_the_plan_put_in_force_last_is_read_whole() -> None:
    in_force = PlanInForce(FIRST)
    kept(in_force, TEXT.replace("Alice Martin", "Alice Martin-Desbordes-Valmore"))
    last = kept(in_force, TEXT.replace("Alice Martin", "Léa"))
    plan = in_force.read()
    assert plan.version == last
    assert plan.people["1001"].name == "Léa"
    assert plan.path == FIRST.path


def test_a_plan_whose_writer_was_killed_on_the_way_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    in_force = PlanInForce(FIRST)
    tests = TEXT.index("tests:  ")  # what comes before is a plan as well

    def write_and_die(descriptor: int, data: bytes, offset: int) -> int:
        os.write(descriptor, data[: len(TEXT[:tests].encode()) + 13])
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "pwrite", write_and_die)
    with pytest.raises(KeyboardInterrupt):
        kept(in_force, TEXT.replace("Alice Martin", "Léa Martin!!"))
    assert in_force.read() is FIRST
