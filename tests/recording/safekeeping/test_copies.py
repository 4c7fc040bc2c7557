"""Copies at a second destination: what has ended goes there, what is purged goes from there."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import obstore
import pytest
from obstore.store import LocalStore, MemoryStore

from recording.archive.purge import path_of
from recording.live.wire import Trouble, TroubleOver
from recording.proof.journal import Journal, entries
from recording.safekeeping.copies import (
    FIRST_AGAIN_SECONDS,
    MARK,
    Bucket,
    Copies,
    CopyError,
    Store,
    open_store,
)
from recording.safekeeping.copy_ledger import FILE_NAME, CopyLedger
from tests.recording.sealed import NODE, plains, sealed
from tests.recording.tiny_s3 import served

PLACE = "/mnt/nas"


class Town(NamedTuple):
    """Recordings, their journal, and where they are copied. away: why the destination can't be opened."""

    files: Path
    journal: Journal
    store: Store
    away: list[str]

    def copies(self) -> Copies:
        """The chore, as each process has its own."""

        def open_it() -> Store:
            if self.away:
                raise CopyError(self.away[0])
            return self.store

        return Copies(self.files, self.journal, PLACE, open_it, lambda: 7.0)

    def ended(self, *recordings: str) -> None:
        """Recordings that have ended."""
        for recording in recordings:
            path = path_of(self.files, recording)
            path.parent.mkdir(exist_ok=True)
            file = sealed(path.parent, recording, plains(3))
            self.journal.append(1.0, "begun", recording, "node")
            self.journal.append(2.0, "ended", recording, "node", head=file.head.hex())

    def purged(self, recording: str) -> None:
        """A recording is purged."""
        self.journal.append(3.0, "purging", recording, "node")
        path_of(self.files, recording).unlink()
        self.journal.append(3.0, "purged", recording, "node")

    def said(self, what: str) -> list[str]:
        return [one.recording for one in entries(self.journal.path, NODE.public_key()) if one.what == what]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    files = tmp_path / "recordings"
    files.mkdir()
    with closing(Journal(tmp_path / "journal", NODE)) as journal:
        yield Town(files, journal, MemoryStore(), [])


@pytest.fixture
def copies(town: Town) -> Iterator[Copies]:
    with closing(town.copies()) as made:
        yield made


def there(store: Store) -> set[str]:
    """What lies at a destination, but the mark."""
    return {one["path"] for page in obstore.list(store) for one in page} - {MARK}


def why(told: list[Trouble | TroubleOver]) -> str:
    return "".join(one.why for one in told if isinstance(one, Trouble))


def test_recording_that_ended_is_copied_as_it_is_and_the_journal_says_so(town: Town, copies: Copies):
    town.ended("202611-1", "202611-2")
    town.journal.append(2.0, "begun", "202611-3", "node")
    assert copies.waiting() == set()
    assert copies.turn(10.0) == []
    assert there(town.store) == {"202611/202611-1.sealed", "202611/202611-2.sealed"}
    copy = bytes(obstore.get(town.store, "202611/202611-1.sealed").bytes())
    assert copy == path_of(town.files, "202611-1").read_bytes()
    entry = list(entries(town.journal.path, NODE.public_key()))[-1]
    assert (entry.what, entry.at, entry.about["to"]) == ("copied", 7.0, PLACE)
    assert copies.waiting() == set()


def test_nothing_is_done_twice_nor_by_the_next_process(town: Town, copies: Copies):
    town.ended("202611-1")
    copies.turn(10.0)
    copies.turn(20.0)
    with closing(town.copies()) as again:
        again.turn(30.0)
    assert town.said("copied") == ["202611-1"]


def test_recording_that_is_purged_goes_from_there(town: Town, copies: Copies):
    town.ended("202611-1", "202611-2")
    copies.turn(10.0)
    town.purged("202611-1")
    copies.forget("202611-1")
    copies.turn(20.0)
    assert there(town.store) == {"202611/202611-2.sealed"}
    assert town.said("copy_gone") == ["202611-1"]


def test_destination_that_is_away_is_told_and_tried_again_less_and_less_often(town: Town, copies: Copies):
    town.ended("202611-1", "202611-2")
    town.away.append("no route")
    assert why(copies.turn(0.0)) == f"{PLACE} takes no copies (2 wait): no route"
    assert copies.waiting() == {"202611-1", "202611-2"}
    assert copies.turn(FIRST_AGAIN_SECONDS) == []  # told already; the next one is tried twice as late
    town.away.clear()
    assert copies.turn(FIRST_AGAIN_SECONDS * 3 - 1) == []
    assert there(town.store) == set()
    assert copies.turn(FIRST_AGAIN_SECONDS * 3) == [TroubleOver("copies")]
    assert len(there(town.store)) == 2


def test_clock_that_was_set_back_keeps_nobody_from_trying(town: Town, copies: Copies):
    town.ended("202611-1")
    town.away.append("no route")
    copies.turn(1e9)
    town.away.clear()
    assert copies.turn(1e9 - 3600) == [TroubleOver("copies")]


def test_purge_while_the_destination_is_away_is_done_later_by_whichever_process_there_is(
    town: Town, copies: Copies
):
    town.ended("202611-1")
    copies.turn(10.0)
    town.away.append("no route")
    town.purged("202611-1")
    assert "no route" in why(copies.turn(20.0))
    town.away.clear()
    with closing(town.copies()) as again:
        again.turn(30.0)
    assert there(town.store) == set()


def test_recording_that_is_purged_before_it_was_copied_never_goes_there(town: Town, copies: Copies):
    town.ended("202611-1")
    town.away.append("no route")
    copies.turn(0.0)
    town.purged("202611-1")
    town.away.clear()
    copies.turn(1000.0)
    assert there(town.store) == set()
    assert town.said("copied") == town.said("copy_gone") == []


def test_copy_that_a_death_kept_from_being_noted_is_made_again_or_goes(town: Town):
    town.ended("202611-1", "202611-2")
    with closing(CopyLedger(town.journal, PLACE)) as ledger:
        ledger.read_on()
        for recording in ("202611-1", "202611-2"):
            ledger.begin(recording)
            obstore.put(town.store, f"202611/{recording}.sealed", b"half")
    town.purged("202611-1")
    with closing(town.copies()) as again:
        again.turn(10.0)
    assert there(town.store) == {"202611/202611-2.sealed"}
    assert town.said("copy_gone") == ["202611-1"]
    assert town.said("copied") == ["202611-2"]


def test_ledger_that_is_lost_or_damaged_is_made_anew_of_the_journal(town: Town, tmp_path: Path):
    town.ended("202611-1", "202611-2", "202611-3")
    with closing(town.copies()) as first:
        first.turn(10.0)
    town.purged("202611-2")
    for damage in (b"", b"no database" * 100):
        (tmp_path / FILE_NAME).write_bytes(damage)
        with closing(town.copies()) as again:
            again.turn(20.0)
        assert there(town.store) == {"202611/202611-1.sealed", "202611/202611-3.sealed"}
    assert town.said("copied") == ["202611-1", "202611-2", "202611-3"]
    assert town.said("copy_gone") == ["202611-2"]


def test_another_destination_gets_all_that_there_is(town: Town, copies: Copies):
    town.ended("202611-1", "202611-2")
    copies.turn(10.0)
    copies.close()
    town.purged("202611-2")
    other = MemoryStore()
    with closing(Copies(town.files, town.journal, "/mnt/other", lambda: other, lambda: 8.0)) as moved:
        moved.turn(20.0)
    assert there(other) == {"202611/202611-1.sealed"}


def test_file_that_is_gone_holds_up_no_other_and_is_tried_again_by_the_next_process(
    town: Town, copies: Copies
):
    town.ended("202611-1", "202611-2")
    path = path_of(town.files, "202611-1")
    path.rename(path.with_suffix(".away"))
    assert copies.turn(10.0) == []
    assert there(town.store) == {"202611/202611-2.sealed"}
    assert copies.waiting() == set()
    path.with_suffix(".away").rename(path)
    with closing(town.copies()) as again:
        again.turn(20.0)
    assert len(there(town.store)) == 2


def test_file_that_is_gone_and_then_purged_leaves_nothing_there(town: Town, copies: Copies):
    town.ended("202611-1")
    path_of(town.files, "202611-1").rename(town.files / "away")
    copies.turn(10.0)
    obstore.put(town.store, "202611/202611-1.sealed", b"of a process before")
    (town.files / "away").rename(path_of(town.files, "202611-1"))
    town.purged("202611-1")
    copies.turn(20.0)
    assert there(town.store) == set()


def test_folder_that_is_not_the_one_of_before_gets_nothing(town: Town, tmp_path: Path):
    nas = tmp_path / "nas"
    with closing(Copies(town.files, town.journal, str(nas), lambda: open_store(nas), lambda: 7.0)) as copies:
        town.ended("202611-1")
        assert "there is no such folder: is it mounted?" in why(copies.turn(0.0))
        nas.mkdir()
        assert copies.turn(100.0) == [TroubleOver("copies")]
        nas.rename(tmp_path / "unmounted")
        nas.mkdir()
        town.ended("202611-2")
        assert why(copies.turn(200.0)).endswith(
            f"the copies that were made aren't there, nor {MARK}: is it mounted?"
        )
        assert list(nas.iterdir()) == []


def test_folder_has_the_file_byte_for_byte(town: Town, tmp_path: Path):
    (nas := tmp_path / "nas").mkdir()
    store = LocalStore(nas)
    town.ended("202611-1")
    with closing(Copies(town.files, town.journal, str(nas), lambda: store, lambda: 7.0)) as copies:
        copies.turn(0.0)
    copied, original = nas / "202611" / "202611-1.sealed", path_of(town.files, "202611-1")
    assert copied.read_bytes() == original.read_bytes()


def test_bucket_of_an_s3_store_has_the_file_and_lets_it_go(town: Town):
    with served() as s3:
        bucket = Bucket("calls", "valmont", s3.url, "eu-west-3", "town", "hushhush")
        with closing(
            Copies(town.files, town.journal, str(bucket), lambda: open_store(bucket), lambda: 7.0)
        ) as copies:
            town.ended("202611-1", "202611-2")
            assert copies.turn(0.0) == []
            original = path_of(town.files, "202611-1").read_bytes()
            assert s3.objects["/calls/valmont/202611/202611-1.sealed"] == original
            assert all("Credential=town/" in one for one in s3.signed)
            town.purged("202611-2")
            copies.turn(10.0)
        assert set(s3.objects) == {f"/calls/valmont/{MARK}", "/calls/valmont/202611/202611-1.sealed"}


def test_copy_that_reads_back_otherwise_is_told_and_made_again(town: Town):
    with served() as s3:
        bucket = Bucket("calls", "", s3.url, "eu-west-3", "town", "hushhush")
        with closing(
            Copies(town.files, town.journal, str(bucket), lambda: open_store(bucket), lambda: 7.0)
        ) as copies:
            town.ended("202611-1")
            s3.garbles = True
            assert why(copies.turn(0.0)).endswith("202611-1 can't be read back as it was sent")
            assert town.said("copied") == []
            s3.garbles = False
            assert copies.turn(100.0) == [TroubleOver("copies")]
    assert town.said("copied") == ["202611-1"]


def test_refusal_of_a_store_is_told_without_a_secret(town: Town):
    with served() as s3:
        s3.refuses = True
        bucket = Bucket("calls", "", s3.url, "eu-west-3", "town", "hushhush")
        with closing(
            Copies(town.files, town.journal, str(bucket), lambda: open_store(bucket), lambda: 7.0)
        ) as copies:
            town.ended("202611-1")
            told = why(copies.turn(0.0))
    assert told.startswith("s3://calls takes no copies (1 wait): ")
    assert "hushhush" not in told + repr(bucket)
    assert "\n" not in told


def test_long_file_goes_in_parts_and_is_read_back_in_parts(
    town: Town, copies: Copies, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("recording.safekeeping.copies.PART_BYTES", 100)
    town.ended("202611-1")
    assert copies.turn(0.0) == []
    copy = bytes(obstore.get(town.store, "202611/202611-1.sealed").bytes())
    assert copy == path_of(town.files, "202611-1").read_bytes()
    assert len(copy) > 300
