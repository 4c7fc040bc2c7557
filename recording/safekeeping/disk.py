"""When the disk of recordings will be full, by how it has filled so far; and what is done when it is.

What counts is how much more is in use, whoever writes it: what is purged meanwhile makes room, so a disk that
holds what the plan keeps isn't foretold to be full. The pace is the quickest of the last day's and the last
seven days'; that of the last hour counts only where it leaves less than a day.
"""

from __future__ import annotations

import json
import shutil
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Final, NamedTuple

from recording.archive.rights import Denied
from recording.live.troubles import Troubled
from recording.live.wire import Trouble, TroubleOver
from recording.retention import DAY_SECONDS

FILE_NAME: Final = "disk.json"
HOUR_SECONDS: Final = 3600.0
SAMPLE_SECONDS: Final = 900.0
MOST_SAMPLES: Final = int(8 * DAY_SECONDS / SAMPLE_SECONDS)
LITTLE_BYTES: Final = 1024**3  # what is free of a disk that is full; less of a small disk
LITTLE_PART: Final = 0.02
STEPS_DAYS: Final = (1, 2, 3, 5, 7, 10, 14, 21, 30, 60, 120, 365)  # as it is told: not anew each hour
WELL_AGAIN: Final = 1.2  # of what is warned of, before it is well again
_MOST_STATE_BYTES: Final = 1_000_000


class Sample(NamedTuple):
    """What was in use of the disk. at: Unix seconds; used: bytes."""

    at: float
    used: int


class Room(NamedTuple):
    """A disk. total, free: bytes."""

    total: int
    free: int

    @property
    def little(self) -> int:
        """How much is free, in bytes, of one that is full."""
        return min(LITTLE_BYTES, int(self.total * LITTLE_PART))


def room_of(directory: Path) -> Room:
    """Return the disk that a directory is on. Raises OSError."""
    usage = shutil.disk_usage(directory)
    return Room(usage.used + usage.free, usage.free)


def days_left(samples: Sequence[Sample], room: Room, now: float) -> float:
    """Return how many days the disk lasts, infinite where it doesn't fill or isn't known long enough.

    samples: in order of time.
    """
    free = max(0, room.free - room.little)
    used = room.total - room.free
    hour = _days(samples, used, free, now, HOUR_SECONDS)
    longer = (_days(samples, used, free, now, days * DAY_SECONDS) for days in (1, 7))
    return min(*longer, hour if hour < 1 else inf)


def _days(samples: Sequence[Sample], used: int, free: int, now: float, window: float) -> float:
    """Return the days that are left at the pace of a window; infinite where too little of it is known."""
    # A part of a day says little of a day: a night is quieter than an afternoon.
    behind = bisect_right(samples, now - window, key=lambda sample: sample.at)
    if not behind or now - samples[behind - 1].at > 1.5 * window or used <= samples[behind - 1].used:
        return inf
    first = samples[behind - 1]
    return free / (used - first.used) * (now - first.at) / DAY_SECONDS


def foretold(room: Room, days: float, warn_days: float) -> str:
    """Return what is to be said of a disk, "" for nothing. days: that are left."""
    if room.free < room.little:
        return f"the disk of recordings is full: less than {room.little // 1_000_000} MB are free"
    if days >= warn_days:
        return ""
    step = next((step for step in STEPS_DAYS if days < step), STEPS_DAYS[-1])
    return f"the disk of recordings is full in less than {step} {'day' if step == 1 else 'days'} at this pace"


def read_samples(directory: Path) -> list[Sample]:
    """Return what was seen of the disk of a directory of recordings; nothing where that can't be read."""
    with suppress(OSError, ValueError, TypeError), (directory / FILE_NAME).open("rb") as file:
        found = [Sample(float(at), int(used)) for at, used in json.loads(file.read(_MOST_STATE_BYTES))]
        if found == sorted(found):
            return found[-MOST_SAMPLES:]
    return []


class Disk:
    """The chore; see the module."""

    name = "disk"
    every_seconds = 10.0

    def __init__(
        self,
        directory: Path,
        warn_days: int,
        room: Callable[[], Room],
        make_room: Callable[[int], object] | None,
    ) -> None:
        """directory: of recordings, where what was seen is kept; room: of their disk, raises OSError.

        make_room: have so many bytes of recordings go; None where the disk may fill. What it raises is told.
        """
        self._file = directory / FILE_NAME
        self._warn_days = warn_days
        self._room = room
        self._make_room = make_room
        self._samples = read_samples(directory)
        self._troubled = Troubled(self.name)

    def turn(self, now: float) -> list[Trouble | TroubleOver]:
        """Look at the disk; now: Unix seconds."""
        try:
            room = self._room()
            if room.free < room.little and self._make_room is not None:
                self._make_room(2 * room.little - room.free)
                room = self._room()
            self._note(Sample(now, room.total - room.free))
        except (Denied, OSError) as error:
            return self._troubled.told(f"the disk of recordings is full, or doesn't answer: {error}")
        warn_days = self._warn_days * (WELL_AGAIN if self._troubled else 1.0)
        return self._troubled.told(foretold(room, days_left(self._samples, room, now), warn_days))

    def _note(self, seen: Sample) -> None:
        # After the clock was set, what was seen before says nothing of the pace.
        if self._samples and not 0 <= seen.at - self._samples[-1].at <= 8 * DAY_SECONDS:
            self._samples.clear()
        if self._samples and seen.at - self._samples[-1].at < SAMPLE_SECONDS:
            return
        self._samples.append(seen)
        del self._samples[:-MOST_SAMPLES]
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(json.dumps(self._samples))
        unfinished.replace(self._file)
