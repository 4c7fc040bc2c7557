"""A backup of the key store brings back what a disk took, and nothing that had to go."""

from collections.abc import Iterator
from contextlib import closing
from math import inf
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recording.keys import KeyStore
from recording.proof.journal import Journal, entries
from recording.safekeeping.key_backup import KeyBackupError, Life, Made, Restored, lives, make, restore
from tests.recording.sealed import NODE

DAY = 86_400.0


class Town(NamedTuple):
    """Two recordings of the fire line, kept for 90 days, one of the town hall's, for 30; all ended at 100."""

    journal: Journal
    store: KeyStore
    file: Path

    def known(self) -> dict[str, Life]:
        return lives(entries(self.journal.path, NODE.public_key()))

    def backed_up(self, now: float = 200.0) -> Made:
        return make(self.file, self.store, self.known(), NODE, now)

    def restored(self, now: float) -> Restored:
        return restore(self.file, self.store, self.known(), NODE.public_key(), now)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    store = KeyStore(tmp_path / "keys")
    with closing(Journal(tmp_path / "journal", NODE)) as journal:
        for policy, days in (("fire", 90), ("hall", 30)):
            journal.append(0.0, "policy", "", "node", policy=policy, keep_days=days)
        for recording, policy in (("r1", "fire"), ("r2", "fire"), ("r3", "hall")):
            store.put(recording, recording.encode() * 20)
            journal.append(50.0, "begun", recording, "node", policy=policy)
            journal.append(100.0, "ended", recording, "node", head="ab")
        yield Town(journal, store, tmp_path / "backup")


def lose(town: Town) -> None:
    """The disk with the store is gone."""
    for recording in town.store.recordings():
        town.store.destroy(recording)


def test_keys_come_back_as_they_were(town: Town):
    town.backed_up()
    lose(town)
    assert town.restored(300.0) == Restored(restored=3, there=0, purged=0, over=0)
    assert town.store.get("r3") == b"r3" * 20
    assert town.restored(300.0) == Restored(restored=0, there=3, purged=0, over=0)


def test_backup_must_be_deleted_by_the_shortest_keep_in_it(town: Town):
    # The first key in it must be gone when its recording is.
    assert town.backed_up(200.0) == Made(3, 200.0 + 30 * DAY, 100.0 + 30 * DAY)
    assert town.backed_up(100.0 + 31 * DAY) == Made(2, 100.0 + 121 * DAY, 100.0 + 90 * DAY)


def test_key_that_was_purged_since_never_comes_back(town: Town):
    town.backed_up()
    town.journal.append(300.0, "purging", "r1", "node")
    town.store.destroy("r1")
    town.journal.append(300.0, "purged", "r1", "node")
    lose(town)
    assert town.restored(400.0) == Restored(restored=2, there=0, purged=1, over=0)
    assert town.store.recordings() == {"r2", "r3"}


def test_key_whose_time_is_over_never_comes_back_though_its_tombstone_is_lost(town: Town):
    town.backed_up()
    lose(town)
    assert town.restored(100.0 + 31 * DAY) == Restored(restored=2, there=0, purged=0, over=1)


def test_key_whose_time_is_over_stays_out_where_the_journal_is_lost_as_well(town: Town):
    town.backed_up()
    lose(town)
    nothing_known = restore(town.file, town.store, {}, NODE.public_key(), 100.0 + 31 * DAY)
    assert nothing_known == Restored(restored=2, there=0, purged=0, over=1)


def test_keep_that_was_shortened_holds_for_backups_of_before(town: Town):
    town.backed_up()
    town.journal.append(250.0, "policy", "", "node", policy="fire", keep_days=10)
    lose(town)
    assert town.restored(100.0 + 11 * DAY) == Restored(restored=1, there=0, purged=0, over=2)


def test_hold_lasts_in_a_backup_too(town: Town):
    released = town.journal.append(150.0, "held", "r1", "chef", until=500 * DAY).number
    town.journal.append(150.0, "held", "r3", "chef", until=400 * DAY)
    town.journal.append(160.0, "released", "r1", "chef", hold=released)
    town.backed_up()
    lose(town)
    assert town.restored(399 * DAY) == Restored(restored=1, there=0, purged=0, over=2)
    assert town.store.recordings() == {"r3"}


def test_recording_whose_time_nobody_knows_is_kept(town: Town):
    town.journal.append(150.0, "policy", "", "node", policy="hall", keep_days=None)
    town.journal.append(150.0, "begun", "r4", "node", policy="fire")
    town.store.put("r4", b"goes on")
    known = town.known()
    assert known["r3"].until == known["r4"].until == inf
    assert town.backed_up().keys == 4
    lose(town)
    assert town.restored(1000 * DAY).restored == 2


def test_key_that_is_purged_while_it_is_written_is_left_out(town: Town):
    known = town.known()
    town.journal.append(300.0, "purging", "r1", "node")
    assert make(town.file, town.store, known, NODE, 200.0).keys == 3
    town.store.destroy("r1")
    assert make(town.file, town.store, known, NODE, 200.0).keys == 2


def test_file_that_this_node_has_not_signed_restores_nothing(town: Town):
    town.backed_up()
    other = Ed25519PrivateKey.generate()
    whole = town.file.read_bytes()
    with pytest.raises(KeyBackupError, match="no whole backup of this node's keys"):
        restore(town.file, town.store, {}, other.public_key(), 300.0)
    for offset in range(0, len(whole) - 1, 7):
        changed = bytearray(whole)
        changed[offset] ^= 1
        town.file.write_bytes(changed)
        with pytest.raises(KeyBackupError):
            town.restored(300.0)
    for length in range(0, len(whole) - 1, 11):
        town.file.write_bytes(whole[:length])
        with pytest.raises(KeyBackupError):
            town.restored(300.0)


def test_backup_is_for_its_owner_alone_and_half_of_one_is_never_left(town: Town, tmp_path: Path):
    town.backed_up()
    assert town.file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileNotFoundError):
        make(tmp_path / "nowhere" / "backup", town.store, {}, NODE, 200.0)
    assert not list(tmp_path.glob(".backup*"))
