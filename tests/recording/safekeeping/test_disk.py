"""The disk is foretold to be full by how it fills, days ahead, and room is made where that is allowed."""

from math import inf
from pathlib import Path

import pytest

from recording.archive.rights import Denied
from recording.live.wire import Trouble, TroubleOver
from recording.safekeeping.disk import (
    FILE_NAME,
    SAMPLE_SECONDS,
    Disk,
    Room,
    Sample,
    days_left,
    foretold,
    read_samples,
    room_of,
)

GIB = 1024**3
DAY = 86_400.0


def filling(per_day: int, days: float, used: int = 0) -> list[Sample]:
    """A disk that fills evenly, up to day `days`."""
    count = int(days * DAY / SAMPLE_SECONDS)
    return [
        Sample(at, used + int(per_day * at / DAY))
        for at in (number * SAMPLE_SECONDS for number in range(count + 1))
    ]


def left(samples: list[Sample], total: int = 100 * GIB) -> float:
    last = samples[-1]
    return days_left(samples, Room(total, total - last.used), last.at)


@pytest.mark.parametrize("days", [1.0, 1.5, 3.0, 8.0])
def test_disk_that_fills_evenly_is_full_when_it_is_at_its_end(days: float):
    expected = (99 * GIB - 5 * GIB * days) / (5 * GIB)
    assert left(filling(5 * GIB, days)) == pytest.approx(expected, rel=0.01)


def test_half_a_day_says_nothing_of_a_day():
    assert left(filling(5 * GIB, 0.5)) == inf


def test_disk_that_fills_within_hours_is_told_after_one():
    assert left(filling(200 * GIB, 0.05)) == pytest.approx(89 / 200, rel=0.02)


def test_busy_day_counts_and_so_does_a_busy_week():
    week = filling(1 * GIB, 7.0)
    busy = week + [Sample(7 * DAY + one.at, 7 * GIB + one.used) for one in filling(10 * GIB, 1.0)]
    assert left(busy) == pytest.approx((99 - 17) / 10, rel=0.02)
    quiet = filling(10 * GIB, 6.0)
    quiet += [Sample(6 * DAY + one.at, 60 * GIB + one.used) for one in filling(0, 1.0)]
    assert left(quiet) == pytest.approx((99 - 60) / (60 / 7), rel=0.02)


def test_disk_from_which_as_much_is_purged_as_is_written_is_never_full():
    assert left(filling(0, 8.0, used=90 * GIB)) == inf


def test_what_is_told_changes_by_steps():
    room = Room(100 * GIB, 50 * GIB)
    assert foretold(room, 20.0, 14.0) == ""
    assert foretold(room, 4.2, 14.0) == "the disk of recordings is full in less than 5 days at this pace"
    assert foretold(room, 0.3, 14.0) == "the disk of recordings is full in less than 1 day at this pace"
    assert (
        foretold(Room(100 * GIB, GIB - 1), inf, 14.0)
        == "the disk of recordings is full: less than 1073 MB are free"
    )


class Shelf:
    """A disk, and what is asked to go from it."""

    def __init__(self) -> None:
        self.room = Room(100 * GIB, 90 * GIB)
        self.asked: list[int] = []
        self.why: Exception | None = None

    def look(self) -> Room:
        return self.room

    def make_room(self, need_bytes: int) -> None:
        self.asked.append(need_bytes)
        if self.why is not None:
            raise self.why
        self.room = Room(self.room.total, self.room.free + need_bytes)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def days(disk: Disk, shelf: Shelf, first: float, last: float, per_day: int) -> list[Trouble | TroubleOver]:
    """Let the disk fill from one day to another; returns what was told."""
    told = []
    for number in range(int(first * DAY / SAMPLE_SECONDS), int(last * DAY / SAMPLE_SECONDS)):
        shelf.room = Room(100 * GIB, shelf.room.free - int(per_day * SAMPLE_SECONDS / DAY))
        told += disk.turn(number * SAMPLE_SECONDS)
    return told


def test_disk_is_told_ahead_and_over_when_it_fills_no_more(shelf: Shelf, tmp_path: Path):
    disk = Disk(tmp_path, 14, shelf.look, None)
    assert days(disk, shelf, 0, 3, 6 * GIB)[0] == Trouble(
        "disk", "the disk of recordings is full in less than 14 days at this pace"
    )
    told = days(disk, shelf, 3, 12, 0)
    assert told[-1] == TroubleOver("disk")


def test_what_was_seen_outlives_the_process(shelf: Shelf, tmp_path: Path):
    days(Disk(tmp_path, 14, shelf.look, None), shelf, 0, 2, 10 * GIB)
    (told,) = Disk(tmp_path, 14, shelf.look, None).turn(2 * DAY)
    assert told.why == "the disk of recordings is full in less than 7 days at this pace"


def test_clock_that_was_set_makes_no_pace(shelf: Shelf, tmp_path: Path):
    disk = Disk(tmp_path, 14, shelf.look, None)
    days(disk, shelf, 1, 2, GIB)
    shelf.room = Room(100 * GIB, 20 * GIB)
    assert disk.turn(DAY) == []
    assert read_samples(tmp_path) == [Sample(DAY, 80 * GIB)]


@pytest.mark.parametrize("text", ["", "[[1]]", "[[2, 1], [1, 1]]", '[["a", "b"]]', "7", "\xff"])
def test_what_was_seen_and_can_t_be_read_is_forgotten(text: str, tmp_path: Path):
    (tmp_path / FILE_NAME).write_bytes(text.encode("latin-1"))
    assert read_samples(tmp_path) == []


def test_full_disk_lets_the_oldest_go_where_that_is_configured(shelf: Shelf, tmp_path: Path):
    disk = Disk(tmp_path, 14, shelf.look, shelf.make_room)
    shelf.room = Room(100 * GIB, GIB // 2)
    assert disk.turn(0.0) == []
    assert shelf.asked == [2 * GIB - GIB // 2]


def test_full_disk_is_told_where_nothing_may_go(shelf: Shelf, tmp_path: Path):
    shelf.room = Room(100 * GIB, GIB // 2)
    (told,) = Disk(tmp_path, 14, shelf.look, None).turn(0.0)
    assert told.why == "the disk of recordings is full: less than 1073 MB are free"
    refusing = Disk(tmp_path, 14, shelf.look, shelf.make_room)
    shelf.why = Denied("the clock is in doubt")
    (told,) = refusing.turn(0.0)
    assert told.why.endswith("the clock is in doubt")


def test_disk_that_doesn_t_answer_is_told(tmp_path: Path):
    def look() -> Room:
        raise OSError(5, "Input/output error")

    (told,) = Disk(tmp_path, 14, look, None).turn(0.0)
    assert "Input/output error" in told.why


def test_room_of_a_directory_is_that_of_its_disk(tmp_path: Path):
    room = room_of(tmp_path)
    assert 0 < room.free < room.total
