"""The clock is doubted when it must be, and nothing is purged while it is."""

import pytest

from recording.archive.clock import VOUCHED_SECONDS, ClockWatch, look, standing
from recording.archive.housekeeping import ClockChore, PurgeChore
from recording.archive.requests import ClockTrusted, Purge, VouchForClock
from recording.live.wire import Trouble, TroubleOver
from recording.retention import DAY_SECONDS
from tests.recording.archive.archived import CHIEF, Shelf, refusal

HOUR = 3600.0
R1 = "20261122-r1"


def watching(shelf: Shelf) -> ClockChore:
    chore = ClockChore(shelf.clock, shelf.look, shelf.archive)
    chore.turn(shelf.now)
    return chore


def troubles(told: list[Trouble | TroubleOver]) -> list[str]:
    return [one.why.partition(":")[0] if isinstance(one, Trouble) else "over" for one in told]


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_clock_that_steps_an_hour_and_back_purges_nothing_in_between(shelf: Shelf, step: float):
    chore = watching(shelf)
    shelf.record(R1)
    shelf.days(60)
    shelf.go_on(10)
    chore.turn(shelf.now)
    shelf.now += step
    shelf.go_on(10)
    assert len(troubles(chore.turn(shelf.now))) == 1
    shelf.days(1)
    assert troubles(chore.turn(shelf.now)) == [] or step < 0
    assert PurgeChore(shelf.archive).turn(shelf.now) == []
    assert shelf.names() == [R1]
    shelf.now -= step
    assert troubles(chore.turn(shelf.now)) == ["over"]
    PurgeChore(shelf.archive).turn(shelf.now)
    assert shelf.names() == []
    doubts = [one.about["doubt"] for one in shelf.said("clock")]
    assert doubts[0] != ""
    assert doubts[-1] == ""


def test_clock_that_jumped_a_year_ahead_destroys_nothing(shelf: Shelf):
    chore = watching(shelf)
    shelf.record(R1)
    shelf.now += 365 * DAY_SECONDS
    chore.turn(shelf.now)
    PurgeChore(shelf.archive).turn(shelf.now)
    assert shelf.names() == [R1]
    assert "nothing is purged while the clock was set by" in refusal(
        shelf.ask(Purge(why="erreur", recording=R1))
    )


def test_doubt_outlives_a_restart_of_the_process_and_of_the_machine(shelf: Shelf):
    chore = watching(shelf)
    shelf.now += 2 * DAY_SECONDS
    assert len(chore.turn(shelf.now)) == 1
    shelf.die()
    shelf.open()
    assert shelf.clock.doubt == "the clock was set by +172800 s"
    shelf.boot, shelf.steady = "boot-2", 5.0
    shelf.go_on(60)
    ClockChore(shelf.clock, shelf.look, shelf.archive).turn(shelf.now)
    assert shelf.clock.doubt == "the clock was set by +172800 s"


def test_administrator_who_vouches_ends_the_doubt_and_is_journalled(shelf: Shelf):
    chore = watching(shelf)
    shelf.now += 2 * HOUR
    chore.turn(shelf.now)
    assert "may not vouch" in refusal(shelf.ask(VouchForClock(person=CHIEF, why="horloge vue")))
    assert "say why" in refusal(shelf.ask(VouchForClock()))
    answer = shelf.ask(VouchForClock(why="comparée à l'horloge parlante"))
    assert answer == ClockTrusted("the clock was set by +7200 s")
    assert troubles(chore.turn(shelf.now)) == ["over"]
    (entry,) = shelf.said("vouched")
    assert (entry.by, entry.about["doubt"]) == ("root", "the clock was set by +7200 s")


def test_clock_that_nothing_synchronises_is_doubted_until_it_is(shelf: Shelf):
    shelf.synchronised = False
    chore = ClockChore(shelf.clock, shelf.look, shelf.archive)
    assert troubles(chore.turn(shelf.now)) == ["the clock is not synchronised"]
    assert chore.turn(shelf.now) == []
    shelf.synchronised = True
    assert troubles(chore.turn(shelf.now)) == ["over"]


def test_vouching_for_a_clock_without_a_source_holds_for_a_month(shelf: Shelf):
    shelf.synchronised = False
    chore = ClockChore(shelf.clock, shelf.look, shelf.archive)
    chore.turn(shelf.now)
    shelf.ask(VouchForClock(why="pas de réseau ici"))
    shelf.go_on(VOUCHED_SECONDS - 10)
    chore.turn(shelf.now)
    assert shelf.clock.doubt == ""
    shelf.go_on(20)
    chore.turn(shelf.now)
    assert shelf.clock.doubt == "the clock is not synchronised"


def test_clock_that_was_vouched_for_is_doubted_again_when_it_steps(shelf: Shelf):
    shelf.synchronised = False
    shelf.ask(VouchForClock(why="pas de réseau ici"))
    shelf.now += HOUR
    ClockChore(shelf.clock, shelf.look, shelf.archive).turn(shelf.now)
    assert shelf.clock.doubt == "the clock was set by +3600 s"


def test_what_was_trusted_and_cannot_be_read_is_a_first_day(shelf: Shelf):
    (shelf.directory / "clock.json").write_text('{"trusted": {"wall": 1}}')
    assert ClockWatch(shelf.directory).seen(shelf.look()) == ""


def test_machine_tells_its_clocks():
    seen, again = look(), look()
    assert seen.wall <= again.wall < seen.wall + 60
    assert 0 < seen.steady <= again.steady
    assert len(seen.boot) == 36
    clock = standing()
    assert clock.source == ("ntp" if again.synchronised else "none")
    assert clock.offset_us >= 0
