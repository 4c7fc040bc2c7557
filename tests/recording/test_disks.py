"""Disks that take nothing, as the kernel has them: the call goes on, and what is missing is told.

A tmpfs of 1 MB in a namespace of its own, with the recorder's process on it.
"""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.media.process import REPOSITORY
from tests.recording.disks import PACKETS

MOUNTED = 'mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" -m tests.recording.disks "$0" "$1"'


def outcome(case: str, folder: Path) -> dict[str, Any]:
    """What came of a call on a disk that behaves so."""
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", MOUNTED, case, str(folder), sys.executable],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=REPOSITORY,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("case", "error", "spoken"), [("full", errno.ENOSPC, 4), ("read_only", errno.EROFS, 2)]
)
def test_what_a_disk_refuses_for_some_seconds_is_told_and_nothing_is_missing(
    tmp_path: Path, case: str, error: int, spoken: int
):
    found = outcome(case, tmp_path)
    assert found["failing"] == [os.strerror(error)]
    assert found["well"] == [0]
    assert (found["packets"], found["lost"], found["missed"]) == (spoken * PACKETS, 0, 0)
    assert (found["whole"], found["findings"], found["written"]) == (1, [], True)


def test_what_memory_could_not_hold_while_a_disk_was_full_is_counted_and_stated_in_the_file(tmp_path: Path):
    found = outcome("full_for_long", tmp_path)
    assert found["failing"] == [os.strerror(errno.ENOSPC)]
    assert found["lost"] > 0
    assert found["missed"] == found["lost"]
    assert found["packets"] + found["lost"] == 4 * PACKETS
    assert found["well"] == [found["lost"]]
    assert (found["whole"], found["findings"], found["written"]) == (1, [], True)
