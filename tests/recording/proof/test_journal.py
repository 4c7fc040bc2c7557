"""The journal of recordings only grows, and shows whatever was done to it."""

from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recording.proof.journal import FIRST, Journal, JournalDamage, entries
from tests.recording.sealed import NODE


def filled(path: Path) -> Journal:
    """A journal of three entries, closed."""
    with closing(Journal(path, NODE)) as journal:
        journal.append(1.0, "begun", "r1", "node", line="8200")
        journal.append(2.5, "ended", "r1", "node", head="ab", packets=100)
        journal.append(3.0, "heard", "r1", "chef", why="dossier 12")
    return journal


def test_entries_are_read_as_they_were_written(tmp_path: Path):
    path = tmp_path / "journal"
    journal = filled(path)
    first, second, third = entries(path, NODE.public_key())
    assert (first.at, first.what, first.recording, first.by) == (1.0, "begun", "r1", "node")
    assert second.about == {"head": "ab", "packets": 100}
    assert third.about == {"why": "dossier 12"}
    assert third.digest == journal.head
    assert journal.entries == 3


def test_empty_journal_has_the_first_head(tmp_path: Path):
    with closing(Journal(tmp_path / "journal", NODE)) as journal:
        pass
    assert (journal.head, journal.entries) == (FIRST, 0)
    assert list(entries(tmp_path / "journal", NODE.public_key())) == []


def test_next_process_goes_on_behind_the_last_entry(tmp_path: Path):
    path = tmp_path / "journal"
    filled(path)
    with closing(Journal(path, NODE)) as again:
        entry = again.append(4.0, "purged", "r1", "node")
    assert entry.number == 3
    assert [one.number for one in entries(path, NODE.public_key())] == [0, 1, 2, 3]


def test_entry_that_a_death_cut_is_taken_away_wherever_it_was_cut(tmp_path: Path):
    path = tmp_path / "journal"
    filled(path)
    data = path.read_bytes()
    second_ends = data.index(b"\n", data.index(b"\n") + 1) + 1
    for length in range(second_ends, len(data), 5):
        path.write_bytes(data[:length])
        with closing(Journal(path, NODE)) as journal:
            assert journal.entries == 2
        assert path.read_bytes() == data[:second_ends]


def test_change_of_any_byte_is_found_on_its_line(tmp_path: Path):
    path = tmp_path / "journal"
    filled(path)
    data = path.read_bytes()
    for offset in range(0, len(data) - 1, 3):
        changed = bytearray(data)
        changed[offset] ^= 1 if offset % 2 else 0x20  # as a letter's case
        path.write_bytes(changed)
        with pytest.raises(JournalDamage) as damage:
            list(entries(path, NODE.public_key()))
        assert damage.value.line == data.count(b"\n", 0, offset) + 1


def test_entry_that_was_left_out_is_found(tmp_path: Path):
    path = tmp_path / "journal"
    filled(path)
    lines = path.read_bytes().splitlines(keepends=True)
    for kept in (lines[1:], lines[:1] + lines[2:], [lines[1], lines[0], lines[2]]):
        path.write_bytes(b"".join(kept))
        with pytest.raises(JournalDamage, match="doesn't follow the entry before"):
            list(entries(path, NODE.public_key()))


def test_journal_of_another_node_is_not_trusted(tmp_path: Path):
    path = tmp_path / "journal"
    filled(path)
    other = Ed25519PrivateKey.generate()
    with pytest.raises(JournalDamage, match="is not what this node has signed"):
        list(entries(path, other.public_key()))
    with pytest.raises(JournalDamage):
        Journal(path, other)


def test_bytes_without_an_end_are_no_journal_and_stay(tmp_path: Path):
    path = tmp_path / "journal"
    path.write_bytes(b"x" * 200_000)
    with pytest.raises(JournalDamage, match="are no entry"):
        Journal(path, NODE)
    assert path.stat().st_size == 200_000


def test_what_an_entry_is_about_hides_none_of_its_own_words(tmp_path: Path):
    path = tmp_path / "journal"
    with closing(Journal(path, NODE)) as journal:
        journal.append(1.0, "begun", "r1", "node", number="8200", previous="forged")
    (entry,) = entries(path, NODE.public_key())
    assert (entry.number, entry.digest) == (0, journal.head)
