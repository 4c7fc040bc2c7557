"""The plan that a signalling process starts with, after another one was put in force."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dialplan.finding import PlanError
from dialplan.loading import parse_plan
from pbx.plans.in_force import PlanInForce

PLAN = Path(__file__).parents[3] / "examples" / "valmont.yaml"
TEXT = PLAN.read_text("utf-8")
FIRST = parse_plan(TEXT, str(PLAN))


def kept(in_force: PlanInForce, text: str) -> str:
    """Put a text in force; returns its version."""
    plan = parse_plan(text, str(PLAN))
    in_force.keep(plan, text)
    return plan.version


def begun(path: Path = PLAN) -> PlanInForce:
    """A node's plan in force after its first process has read it."""
    in_force = PlanInForce(path)
    in_force.read()
    return in_force


def test_a_node_begins_with_the_plan_of_its_file() -> None:
    in_force = PlanInForce(PLAN)
    assert not in_force.begun
    assert in_force.read().version == FIRST.version
    assert in_force.begun


def test_a_file_changed_since_the_start_is_not_in_force(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(TEXT, "utf-8")
    in_force = begun(path)
    path.write_text(TEXT.replace("Alice Martin", "Léa"), "utf-8")
    assert in_force.read().people["1001"].name == "Alice Martin"


def test_a_first_plan_with_errors_is_told_and_nothing_has_begun(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(TEXT.replace("country: FR", "country: ZZ"), "utf-8")
    in_force = PlanInForce(path)
    with pytest.raises(PlanError):
        in_force.read()
    assert not in_force.begun


def test_the_plan_put_in_force_last_is_read_whole() -> None:
    in_force = begun()
    kept(in_force, TEXT.replace("Alice Martin", "Alice Martin-Desbordes-Valmore"))
    last = kept(in_force, TEXT.replace("Alice Martin", "Léa"))
    plan = in_force.read()
    assert plan.version == last
    assert plan.people["1001"].name == "Léa"
    assert plan.path == FIRST.path


def test_a_plan_whose_writer_was_killed_on_the_way_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    in_force = begun()
    tests = TEXT.index("tests:  ")  # what comes before is a plan as well

    def write_and_die(descriptor: int, data: bytes, offset: int) -> int:
        os.write(descriptor, data[: len(TEXT[:tests].encode()) + 13])
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "pwrite", write_and_die)
    with pytest.raises(KeyboardInterrupt):
        kept(in_force, TEXT.replace("Alice Martin", "Léa Martin!!"))
    assert in_force.read().version == FIRST.version


def test_the_text_in_force_is_the_one_that_is_read_whatever_the_file_holds_by_then(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(TEXT, "utf-8")
    in_force = PlanInForce(path)
    assert in_force.text() == ""
    in_force.read()
    path.write_text(TEXT.replace("Alice Martin", "Léa"), "utf-8")
    assert in_force.text() == TEXT
    kept(in_force, TEXT.replace("Alice Martin", "Zoé"))
    assert in_force.text() == TEXT.replace("Alice Martin", "Zoé")
