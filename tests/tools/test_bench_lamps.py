"""What `scripts/bench lamps` measures: each lamp is told once, also after a restart."""

import asyncio
import sys

import pytest

from tests.tools.places import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from benches import lamps
from benches.instructions import StillLoop


def test_every_lamp_is_measured_and_every_figure_has_a_meaning(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lamps, "LAMPS", 10)
    with asyncio.Runner(loop_factory=StillLoop) as runner:
        figures = runner.run(lamps.measure())
    assert figures.keys() == lamps.MEANINGS.keys()
    assert all(value > 0 for value in figures.values())
