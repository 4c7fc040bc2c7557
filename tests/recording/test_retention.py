"""What goes, what stays and what waits, for any time and any clock."""

from hypothesis import given
from hypothesis import strategies as st

from recording.retention import (
    DAY_SECONDS,
    LONGEST_OFF_SECONDS,
    ClockSeen,
    Hold,
    Kept,
    Verdict,
    doubt,
    fates,
    oldest_first,
)

KEEP = {"pompiers": 60, "police": 30}


def kept(recording: str, policy: str = "police", ended: float = 0.0, size: int = 100) -> Kept:
    return Kept(recording, policy, ended - 60.0, ended, size)


def verdicts(now_days: float, *recordings: Kept, holds: tuple[Hold, ...] = ()) -> list[tuple[str, Verdict]]:
    decided = fates(recordings, KEEP, holds, now_days * DAY_SECONDS)
    return [(fate.kept.recording, fate.verdict) for fate in decided]


def test_recording_is_due_from_the_second_at_which_its_time_is_over():
    assert verdicts(30 - 1 / DAY_SECONDS, kept("r1")) == [("r1", Verdict.KEPT)]
    assert verdicts(30, kept("r1")) == [("r1", Verdict.DUE)]


def test_each_policy_has_its_own_time():
    both = kept("r1", "pompiers"), kept("r2", "police")
    assert verdicts(45, *both) == [("r2", Verdict.DUE), ("r1", Verdict.KEPT)]


def test_hold_beats_the_purge_until_it_ends():
    hold = Hold("r1", "juge", "dossier 12", 90 * DAY_SECONDS)
    assert verdicts(60, kept("r1"), holds=(hold,)) == [("r1", Verdict.HELD)]
    assert verdicts(90, kept("r1"), holds=(hold,)) == [("r1", Verdict.DUE)]


def test_of_several_holds_the_longest_counts():
    holds = (Hold("r1", "a", "", 40 * DAY_SECONDS), Hold("r1", "b", "", 80 * DAY_SECONDS))
    (fate,) = fates([kept("r1")], KEEP, holds, 50 * DAY_SECONDS)
    assert fate.verdict is Verdict.HELD
    assert fate.hold == holds[1]


def test_recording_whose_policy_is_gone_is_not_purged_by_guess():
    assert verdicts(9999, kept("r1", "gone")) == [("r1", Verdict.UNKNOWN_POLICY)]


def test_room_is_made_of_what_is_due_then_of_the_oldest_and_never_of_what_is_held():
    recordings = [
        kept("held", ended=1.0),
        kept("old", ended=2 * DAY_SECONDS),
        kept("new", ended=20 * DAY_SECONDS),
    ]
    recordings.append(kept("due", ended=0.0))
    holds = [Hold("held", "juge", "", 9999 * DAY_SECONDS)]
    decided = fates(recordings, KEEP, holds, 30.0 * DAY_SECONDS)
    assert [one.recording for one in oldest_first(decided, 150)] == ["due", "old"]
    assert [one.recording for one in oldest_first(decided, 10_000)] == ["due", "old", "new"]
    assert oldest_first(decided, 0) == []


@given(
    st.lists(st.tuples(st.sampled_from(["police", "pompiers", "gone"]), st.integers(0, 100)), max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 200)), max_size=4),
    st.integers(0, 200),
)
def test_nothing_held_or_within_its_time_ever_goes(
    made: list[tuple[str, int]], held: list[tuple[int, int]], today: int
):
    recordings = [kept(f"r{place}", policy, day * DAY_SECONDS) for place, (policy, day) in enumerate(made)]
    holds = [Hold(f"r{place}", "juge", "", until * DAY_SECONDS) for place, until in held]
    decided = fates(recordings, KEEP, holds, today * DAY_SECONDS)
    assert {fate.kept.recording for fate in decided} == {one.recording for one in recordings}
    due = [fate.kept for fate in decided if fate.verdict is Verdict.DUE]
    for one in due:
        assert one.ended + KEEP[one.policy] * DAY_SECONDS <= today * DAY_SECONDS
    gone = {one.recording for one in [*due, *oldest_first(decided, 10**9)]}
    assert not gone & {hold.recording for hold in holds if hold.until > today * DAY_SECONDS}


SEEN = ClockSeen(1_000_000.0, 500.0, "boot-1", synchronised=True)


def test_clock_that_goes_on_evenly_is_trusted():
    assert doubt(None, SEEN) == ""
    assert doubt(SEEN, ClockSeen(1_003_600.5, 4100.0, "boot-1", synchronised=True)) == ""


def test_clock_that_was_set_is_doubted():
    ahead, back = SEEN._replace(wall=1_003_600.0), SEEN._replace(wall=1_003_600.0 - 7200, steady=4100.0)
    assert doubt(SEEN, ahead) == "the clock was set by +3600 s"
    assert doubt(SEEN, back) == "the clock went back by 3600 s"
    assert doubt(SEEN, SEEN._replace(wall=1_000_000.0, steady=4100.0)) == "the clock was set by -3600 s"


def test_clock_without_a_source_is_doubted():
    assert doubt(None, SEEN._replace(synchronised=False)) == "the clock is not synchronised"


def test_machine_that_was_off_for_weeks_is_asked_first():
    later = ClockSeen(SEEN.wall + 3600, 5.0, "boot-2", synchronised=True)
    assert doubt(SEEN, later) == ""
    weeks = later._replace(wall=SEEN.wall + LONGEST_OFF_SECONDS + DAY_SECONDS)
    assert doubt(SEEN, weeks) == "the machine was off for 8 days"
    assert doubt(SEEN, later._replace(wall=SEEN.wall - 60)) == "the clock went back by 60 s"
