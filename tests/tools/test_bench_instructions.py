"""What `scripts/bench instructions` counts: the same words, said again to another exchange."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.tools.places import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from benches import instructions
from benches.process import BenchError


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("instructions") / "script"
    instructions.record(path)
    return path


@pytest.mark.parametrize("kind", ["registration", "call"])
def test_what_was_said_to_one_exchange_comes_to_the_same_end_with_another(script, kind):
    instructions.replay(script, kind, 2)


def test_an_exchange_that_answers_otherwise_is_no_measurement(script, monkeypatch):
    monkeypatch.setattr(instructions, "SECRET", bytes(32))
    with pytest.raises(BenchError, match="another way"):
        instructions.replay(script, "call", 2)
