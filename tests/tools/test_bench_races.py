"""The area `races` of scripts/bench: how many were played, and what is told of one that breaks a promise."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.scenarios import races as played
from tests.tools.places import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from benches import races
from benches.load import Load
from benches.signalling import Bench


def measured(monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, float | None], list[str]]:
    """The figures of six races in parts of three, and what was said."""
    monkeypatch.setattr(races, "PART", 3)
    monkeypatch.setattr(races, "RACES", 6)
    said: list[str] = []
    found = races.figures(Bench(0, Load(Path(), 0, ""), 0, said.append), [])
    return {one.name: one.value for one in found}, said


def test_races_are_played_in_parts_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    values, said = measured(monkeypatch)
    assert (values["races_played"], values["races_broken"]) == (6, 0)
    assert said[-1] == "6 races, 0 broken"


def test_a_race_that_breaks_a_promise_is_told_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(track: played.Track) -> None:
        raise AssertionError("errors: one of this test")

    monkeypatch.setattr(played.Track, "_assert_no_error", fail)
    monkeypatch.setattr(races, "MOST_TOLD", 1)
    values, said = measured(monkeypatch)
    assert values["races_broken"] == 6
    assert [text.splitlines()[0] for text in said if text.startswith("seed ")] == [
        "seed 1000: AssertionError: errors: one of this test"
    ]
