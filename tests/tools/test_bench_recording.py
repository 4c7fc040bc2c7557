"""What `scripts/bench recording` measures, with a few calls: every packet is there, and every file whole."""

import os
import sys
from pathlib import Path

import pytest

from tests.tools.places import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from benches import recording, recording_search

CORE = min(os.sched_getaffinity(0))


def test_what_is_measured_is_a_recording_that_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recording, "CALLS", 3)
    monkeypatch.setattr(recording, "SECONDS", 1)
    measured = recording.measured(tmp_path, CORE, CORE)
    assert measured.keys() | {"recording_search"} == recording.MEANINGS.keys()
    assert measured["recording_lost"] == 0
    assert len(list((tmp_path / "recordings").rglob("*.sealed"))) == 3


def test_soak_makes_recordings_one_behind_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recording, "SOAK_CALLS", 2)
    monkeypatch.setattr(recording, "SOAK_ROUNDS", 2)
    monkeypatch.setattr(recording, "PACKET_SECONDS", 0.1)
    soaked = recording.soaked(tmp_path, CORE, CORE)
    assert soaked.keys() < recording.SOAK_MEANINGS.keys()
    assert len(list((tmp_path / "recordings").rglob("*.sealed"))) == 4


def test_each_kind_of_search_is_measured_where_there_is_something_to_find(tmp_path: Path):
    kinds = recording_search.measured(tmp_path / "catalogue.sqlite", 2000)
    assert len(kinds) == 12


def test_the_goals_are_those_of_the_issue():
    meanings = recording.MEANINGS | recording.SOAK_MEANINGS
    assert {name: meaning.goal for name, meaning in meanings.items()} == {
        "recording_cpu": 0.3,
        "recording_lost": 0,
        "verify_rate": 300,
        "recording_search": 50,
        "recording_memory_growth": 5,
        "kills_findings": 0,
        "kills_lost_seconds": 2,
    }
