"""What `scripts/bench recording` measures, with a few calls: every packet is there, and every file whole."""

import os
import sys
from pathlib import Path

import pytest

from tests.tools.places import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from benches import recording


def test_what_is_measured_is_a_recording_that_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recording, "CALLS", 3)
    monkeypatch.setattr(recording, "SECONDS", 1)
    measured = recording.measured(tmp_path, min(os.sched_getaffinity(0)))
    assert measured.keys() == recording.MEANINGS.keys()
    assert measured["recording_lost"] == 0
    assert len(list((tmp_path / "recordings").rglob("*.sealed"))) == 3


def test_the_goals_are_those_of_the_issue():
    goals = {name: meaning.goal for name, meaning in recording.MEANINGS.items()}
    assert goals == {"recording_cpu": 0.3, "recording_lost": 0, "verify_rate": 300}
