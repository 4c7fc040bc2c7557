"""Disks that take nothing, as the kernel has them: the call goes on, and what is missing is told.

A tmpfs of 2 MB in a namespace of its own, with the recorder's process on it.
"""

import errno
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.media.process import REPOSITORY
from tests.recording.disks import PACKETS

MOUNTED = 'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$1" -m tests.recording.disks "$0"'


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of a call, by what its disk did."""
    folder = tmp_path_factory.mktemp("disk")
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", MOUNTED, str(folder), sys.executable],
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
    outcomes: dict[str, Any], case: str, error: int, spoken: int
):
    found = outcomes[case]
    assert found["failing"] == [os.strerror(error)]
    assert found["well"] == [0]
    assert (found["packets"], found["lost"], found["missed"]) == (spoken * PACKETS, 0, 0)
    assert (found["whole"], found["findings"], found["written"]) == (1, [], True)


def test_what_memory_could_not_hold_while_a_disk_was_full_is_counted_and_stated_in_the_file(
    outcomes: dict[str, Any],
):
    found = outcomes["full_for_long"]
    assert found["failing"] == [os.strerror(errno.ENOSPC)]
    assert found["lost"] > 0
    assert found["missed"] == found["lost"]
    assert found["packets"] + found["lost"] == 4 * PACKETS
    assert found["well"] == [found["lost"]]
    assert (found["whole"], found["findings"], found["written"]) == (1, [], True)
