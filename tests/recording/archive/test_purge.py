"""Recordings go when their time is over, all of each, and never while somebody needs them."""

import pytest

from recording.archive import purge
from recording.archive.housekeeping import PurgeChore
from recording.archive.requests import Foresee, Foreseen, Hold, Purge, Purged, PurgeDue, Release
from recording.live.wire import Trouble, TroubleOver
from recording.proof.verifier import verify
from recording.retention import DAY_SECONDS
from tests.recording.archive.archived import CHIEF, FIRE, POLICE, Shelf, refusal
from tests.recording.sealed import NODE

R1, R2, R3 = "20261122-r1", "20261122-r2", "20261122-r3"


class Died(BaseException):
    """The process was killed here."""


def purged(shelf: Shelf) -> list[str]:
    return [stone.recording for stone in shelf.archive.purge_due()]


def test_recording_goes_at_the_second_its_time_is_over_with_key_file_row_and_copy(shelf: Shelf):
    shelf.record(R1)
    shelf.days(60)
    shelf.go_on(-1)
    assert purged(shelf) == []
    shelf.go_on(1)
    assert purged(shelf) == [R1]
    assert shelf.names() == []
    assert shelf.keys.recordings() == set()
    assert not shelf.path(R1).exists()
    assert not shelf.path(R1).parent.exists()
    assert shelf.copies.forgotten == [R1]


def test_each_policy_keeps_for_its_own_time(shelf: Shelf):
    shelf.record(R1, "pompiers")
    shelf.record(R2, "police")
    shelf.days(30)
    assert purged(shelf) == [R2]
    shelf.days(30)
    assert purged(shelf) == [R1]


def test_tombstone_says_what_was_kept_and_why_and_nothing_of_who_spoke(shelf: Shelf):
    begun = shelf.now
    shelf.record(R1)
    size = shelf.path(R1).stat().st_size
    shelf.days(60)
    (stone,) = shelf.archive.purge_due()
    assert (stone.policy, stone.legal_basis) == ("pompiers", FIRE.legal_basis)
    assert (stone.kept_from, stone.kept_to, stone.bytes) == (begun, shelf.now, size)
    assert (stone.cause, stone.by) == ("due", "node")
    journal = (shelf.directory / "journal").read_bytes()
    assert b"33612345678" not in journal


def test_number_of_a_purged_recording_is_nowhere_in_the_catalogue(shelf: Shelf):
    shelf.record(R1)
    shelf.archive.catch_up()
    shelf.days(60)
    shelf.archive.purge_due()
    for path in shelf.directory.glob("catalogue.sqlite*"):
        assert b"33612345678" not in path.read_bytes()


def test_verifier_finds_a_purge_in_order(shelf: Shelf):
    shelf.record(R1)
    shelf.days(31)
    shelf.record(R2)
    shelf.days(30)
    shelf.archive.purge_due()
    verified = verify(shelf.directory, shelf.directory / "journal", NODE.public_key())
    assert (verified.whole, verified.purged, verified.findings) == (1, 1, [])


def test_recording_that_goes_on_is_never_due(shelf: Shelf):
    shelf.begin(R1)
    shelf.days(1000)
    assert purged(shelf) == []


def test_policy_that_the_plan_has_no_more_purges_nothing(shelf: Shelf):
    shelf.record(R1, "police")
    shelf.archive.use([FIRE])
    shelf.days(1000)
    assert purged(shelf) == []


def test_policy_that_was_shortened_holds_for_what_was_recorded_before(shelf: Shelf):
    shelf.record(R1, "pompiers")
    shelf.days(31)
    assert purged(shelf) == []
    shelf.archive.use([POLICE, FIRE.__class__("pompiers", FIRE.legal_basis, 30)])
    assert purged(shelf) == [R1]


STEPS = ["journal", "key", "copies", "file", "tombstone", "row"]


@pytest.mark.parametrize("step", STEPS)
def test_purge_that_a_death_interrupts_is_finished_at_the_next_start(
    shelf: Shelf, step: str, monkeypatch: pytest.MonkeyPatch
):
    shelf.record(R1)
    shelf.record(R2)
    shelf.archive.catch_up()
    shelf.days(60)

    def die(*_args: object, **_fields: object) -> None:
        raise Died

    appended = shelf.journal.append

    def die_at_tombstone(at: float, what: str, recording: str, by: str, **about: object) -> object:
        if what == "purged":
            raise Died
        return appended(at, what, recording, by, **about)

    # Dies just before the step.
    owner, name, stand_in = {
        "journal": (shelf.journal, "append", die),
        "key": (shelf.keys, "destroy", die),
        "copies": (shelf.copies, "forget", die),
        "file": (purge.Purge, "_remove", die),
        "tombstone": (shelf.journal, "append", die_at_tombstone),
        "row": (shelf.catalogue, "_drop", die),
    }[step]
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, stand_in)
        with pytest.raises(Died):
            shelf.archive.purge_due()
    shelf.die()
    shelf.open()
    if step != "journal":  # nothing was begun before the first entry
        assert R1 not in shelf.names()
        assert not shelf.path(R1).exists()
        assert R1 not in shelf.keys.recordings()
        assert R1 in shelf.copies.forgotten
        assert [one.recording for one in shelf.said("purged")] == [R1]
    shelf.archive.purge_due()
    assert shelf.names() == []
    assert shelf.keys.recordings() == set()
    assert [one.recording for one in shelf.said("purged")] == [R1, R2]
    assert verify(shelf.directory, shelf.directory / "journal", NODE.public_key()).findings == []


def test_disk_that_lets_nothing_go_is_told_once_it_does_and_the_purge_is_finished(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
):
    shelf.record(R1)
    shelf.days(60)
    chore = PurgeChore(shelf.archive)

    def read_only(_recording: str) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(shelf.keys, "destroy", read_only)
        why = "recordings whose time is over can't be purged: Read-only file system"
        assert chore.turn(shelf.now) == [Trouble("purge", why)]
    assert chore.turn(shelf.now) == [TroubleOver("purge")]
    assert chore.turn(shelf.now) == []
    assert [one.recording for one in shelf.said("purged")] == [R1]


def test_hold_beats_the_purge_until_it_ends(shelf: Shelf):
    shelf.record(R1)
    shelf.ask(Hold(why="dossier 12", recordings=[R1], until=shelf.now + 90 * DAY_SECONDS))
    shelf.days(80)
    assert purged(shelf) == []
    shelf.days(10)
    assert purged(shelf) == [R1]


def test_hold_that_is_released_holds_no_more(shelf: Shelf):
    shelf.record(R1)
    shelf.ask(Hold(why="dossier 12", recordings=[R1], until=shelf.now + 90 * DAY_SECONDS))
    shelf.days(80)
    shelf.ask(Release(why="classé", recordings=[R1]))
    assert purged(shelf) == [R1]


def test_purge_under_hold_is_refused_and_journalled(shelf: Shelf):
    shelf.record(R1)
    shelf.ask(Hold(person=CHIEF, why="dossier 12", recordings=[R1], until=shelf.now + DAY_SECONDS))
    why = refusal(shelf.ask(Purge(why="demande du maire", recording=R1)))
    assert why == f"{R1} is held until 2026-11-23T09:31:00Z by {CHIEF}: dossier 12"
    (entry,) = shelf.said("refused")
    assert (entry.recording, entry.about["asked"], entry.about["why"]) == (R1, "Purge", "demande du maire")
    assert shelf.path(R1).exists()


def test_hold_on_what_is_being_purged_comes_too_late_and_says_so(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
):
    shelf.record(R1)

    def stuck(_recording: str) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(shelf.keys, "destroy", stuck)
    why = refusal(shelf.ask(Purge(why="erreur", recording=R1)))
    assert why == f"{R1} isn't gone yet: Read-only file system; it is tried again by itself"
    made = shelf.ask(Hold(why="dossier", recordings=[R1], until=shelf.now + 60))
    assert (made.holds, made.refused) == ([], {R1: "it is being purged"})


def test_recording_is_erased_early_by_the_administrator_with_a_reason(shelf: Shelf):
    shelf.record(R1)
    assert "may not purge" in refusal(shelf.ask(Purge(person=CHIEF, why="erreur", recording=R1)))
    assert "say why" in refusal(shelf.ask(Purge(recording=R1)))
    answer = shelf.ask(Purge(why="appel de test", recording=R1))
    assert isinstance(answer, Purged)
    (stone,) = answer.tombstones
    assert (stone.recording, stone.cause, stone.why, stone.by) == (R1, "early", "appel de test", "root")
    assert "there is no recording" in refusal(shelf.ask(Purge(why="appel de test", recording=R1)))


def test_recording_that_goes_on_is_not_erased(shelf: Shelf):
    shelf.begin(R1)
    assert refusal(shelf.ask(Purge(why="erreur", recording=R1))) == f"{R1} still goes on"


def test_dry_run_says_what_goes_by_policy_and_does_nothing(shelf: Shelf):
    shelf.record(R1)
    shelf.record(R2)
    shelf.record(R3, "police")
    shelf.ask(Hold(why="dossier", recordings=[R2], until=shelf.now + 90 * DAY_SECONDS))
    end = shelf.now
    shelf.days(59.9)
    seen = shelf.ask(Foresee(until=shelf.now + DAY_SECONDS))
    assert isinstance(seen, Foreseen)
    told = {one.policy: (one.due, one.held, one.unknown) for one in seen.policies}
    assert told == {"pompiers": (1, 1, 0), "police": (1, 0, 0)}
    assert {one.recording for one in seen.going} == {R1, R3}
    assert [hold.recording for hold in seen.held] == [R2]
    assert next(one.last for one in seen.policies if one.policy == "police") == end + 30 * DAY_SECONDS
    assert {one.caller for one in seen.going} == {""}
    assert shelf.names() == [R3, R2, R1]


def test_dry_run_counts_a_hold_that_will_have_ended(shelf: Shelf):
    shelf.record(R1)
    shelf.ask(Hold(why="dossier", recordings=[R1], until=shelf.now + 61 * DAY_SECONDS))
    until = shelf.now + 62 * DAY_SECONDS
    assert [one.due for one in shelf.ask(Foresee(until=until)).policies if one.policy == "pompiers"] == [1]


def test_room_is_made_of_the_oldest_and_never_of_what_is_held_or_goes_on(shelf: Shelf):
    for name in (R1, R2, R3):
        shelf.record(name)
    shelf.begin("20261122-r4")
    shelf.ask(Hold(why="dossier", recordings=[R1], until=shelf.now + DAY_SECONDS))
    stones = shelf.archive.make_room(1)
    assert [(stone.recording, stone.cause, stone.why) for stone in stones] == [
        (R2, "room", "the disk is full")
    ]
    assert [stone.recording for stone in shelf.archive.make_room(10**9)] == [R3]
    assert shelf.names() == ["20261122-r4", R1]
    assert [one.about["cause"] for one in shelf.said("purged")] == ["room", "room"]


def test_recording_that_lies_nowhere_else_makes_room_last(shelf: Shelf):
    for name in (R1, R2, R3):
        shelf.record(name)
    shelf.copies.missing = {R1, R3}
    order = [stone.recording for _ in range(3) for stone in shelf.archive.make_room(1)]
    assert order == [R2, R1, R3]


def test_what_must_be_kept_goes_neither_for_room_nor_by_decision_before_that(shelf: Shelf):
    shelf.record(R1, "police")  # 10 days at least
    shelf.record(R2, "pompiers")
    why = refusal(shelf.ask(Purge(why="erreur", recording=R1)))
    assert why == f"{R1} must be kept until 2026-12-02T09:31:00Z: `keep_at_least:` of the plan"
    assert [stone.recording for stone in shelf.archive.make_room(10**9)] == [R2]
    shelf.days(10)
    assert [stone.recording for stone in shelf.archive.make_room(10**9)] == [R1]


def test_recording_that_begins_while_what_was_left_is_looked_at_is_not_missing(shelf: Shelf):
    shelf.begin(R1)
    shelf.die()
    shelf.open(start=False)
    shelf.begin(R2)  # its file isn't made yet
    shelf.archive.start()
    assert shelf.catalogue.get(R1).state == "missing"
    assert shelf.catalogue.get(R2).state == "going"


def test_file_that_is_gone_with_its_recorder_is_missing_and_its_key_goes_in_time(shelf: Shelf):
    shelf.begin(R1)
    shelf.die()
    shelf.open()
    assert shelf.catalogue.get(R1).state == "missing"
    shelf.days(60)
    assert purged(shelf) == [R1]
    assert shelf.keys.recordings() == set()


def test_repaired_recording_is_kept_from_its_last_segment(shelf: Shelf):
    shelf.begin(R1)
    last = shelf.now + 30
    shelf.days(5)
    shelf.path(R1).parent.mkdir()
    shelf.path(R1).write_bytes(b"x" * 123)
    shelf.journal.append(shelf.now, "repaired", R1, "node", head="ab", segments=3, cut=0, last=last)
    shelf.die()
    shelf.open()
    assert (shelf.catalogue.get(R1).ended, shelf.catalogue.get(R1).bytes) == (last, 123)


def test_all_that_is_due_is_purged_on_request_too(shelf: Shelf):
    shelf.record(R1)
    shelf.days(60)
    assert "may not purge" in refusal(shelf.ask(PurgeDue(person=CHIEF)))
    assert [stone.recording for stone in shelf.ask(PurgeDue()).tombstones] == [R1]
