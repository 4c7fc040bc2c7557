"""`kill -9` of the recorder under calls, with real processes: at most two seconds are missing."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.media.process import REPOSITORY, port_range

KILLS = 10
MOST_LOST_SECONDS = 2.0


@pytest.fixture(scope="module")
def losses(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of ten kills at random moments cost (scripts/benches/recording_kills.py)."""
    first_port, _ = port_range()
    where = tmp_path_factory.mktemp("kills") / "scenes"
    command = [sys.executable, "-m", "benches.recording_kills", str(where), str(KILLS), "7", str(first_port)]
    done = subprocess.run(
        command,
        cwd=REPOSITORY / "scripts",
        env={"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'scripts'}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert len(found) == KILLS
    return found


def test_all_but_the_last_two_seconds_before_a_kill_is_there(losses: list[dict[str, Any]]):
    # Where the machine stands still, so does the recorder.
    assert max(loss["oldest_seconds"] - loss["stalled_seconds"] for loss in losses) <= MOST_LOST_SECONDS
    assert min(loss["kept"] for loss in losses) > 0


def test_nothing_is_missing_that_came_after_a_kill(losses: list[dict[str, Any]]):
    assert [loss["after"] for loss in losses] == [0] * KILLS


def test_what_was_killed_and_what_continues_it_verify(losses: list[dict[str, Any]]):
    assert [loss["findings"] for loss in losses] == [[]] * KILLS
    assert [loss["recordings"] for loss in losses] == [2] * KILLS
