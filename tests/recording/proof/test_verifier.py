"""Verifying finds what was changed, exchanged, cut or taken away, and says where."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from recording.proof.journal import Journal
from recording.proof.sealed_file import SealedFile, segments
from recording.proof.stamp import FOLDER as STAMPS
from recording.proof.verifier import Verified, verify, verify_file
from tests.recording.sealed import NODE, ended, plains, sealed
from tests.recording.time_authority import TimeAuthority


class Town(NamedTuple):
    """Three recordings that ended, and one that goes on."""

    directory: Path
    journal: Journal
    files: list[SealedFile]

    def verified(self) -> Verified:
        return verify(self.directory, self.directory / "journal", NODE.public_key())

    def found(self) -> list[tuple[str, int, str]]:
        return [(one.recording, one.offset, one.what) for one in self.verified().findings]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    month = tmp_path / "2026-11"
    month.mkdir()
    with closing(Journal(tmp_path / "journal", NODE)) as journal:
        files = [sealed(month, f"r{number}", plains(3)) for number in range(4)]
        for file in files[:3]:
            ended(journal, file)
        journal.append(3.0, "begun", "r3", "node")
        yield Town(tmp_path, journal, files)


def test_recordings_as_they_were_written_are_whole(town: Town):
    verified = town.verified()
    assert verified.findings == []
    assert (verified.whole, verified.running, verified.purged) == (3, 1, 0)
    assert verified.bytes == sum(file.bytes_written for file in town.files)


def test_how_far_it_is_is_told_in_bytes(town: Town):
    told: list[int] = []
    verify(town.directory, town.directory / "journal", NODE.public_key(), progress=told.append)
    sizes = [file.bytes_written for file in town.files]
    assert told == [sum(sizes[: count + 1]) for count in range(4)]


def test_bit_that_turned_is_told_with_its_segment(town: Town):
    path = town.files[1].path
    second = list(segments(path))[1]
    data = bytearray(path.read_bytes())
    data[second.offset + 60] ^= 4
    path.write_bytes(data)
    assert town.found() == [("r1", second.offset, "segment 1 was changed")]
    assert town.verified().whole == 2


def test_last_segment_that_was_cut_off_cleanly_is_missed(town: Town):
    path = town.files[0].path
    last = list(segments(path))[-1]
    path.write_bytes(path.read_bytes()[: last.offset])
    assert town.found() == [("r0", last.offset, "ends otherwise than the journal says")]


def test_recording_that_was_made_anew_with_another_key_is_not_the_one(town: Town):
    path = town.files[0].path
    path.unlink()
    sealed(path.parent, "r0", [*plains(2), b"another end"])
    ((recording, _, what),) = town.found()
    assert (recording, what) == ("r0", "ends otherwise than the journal says")


def test_recording_under_the_name_of_another_is_found(town: Town):
    one, other = town.files[0].path, town.files[1].path
    one.unlink()
    other.rename(one)
    assert town.found() == [
        ("r0", 0, "has another recording's name"),
        ("r1", -1, "is gone, and wasn't purged"),
    ]


def test_recording_that_is_gone_is_missed_unless_it_was_purged(town: Town):
    town.files[0].path.unlink()
    assert town.found() == [("r0", -1, "is gone, and wasn't purged")]
    town.journal.append(9.0, "purged", "r0", "node", policy="pompiers")
    assert town.found() == []
    assert town.verified().purged == 1


def test_recording_that_was_purged_and_is_there_is_found(town: Town):
    town.journal.append(9.0, "purged", "r0", "node")
    assert town.found() == [("r0", -1, "was purged, and is still there")]


def test_recording_that_nobody_made_is_found(town: Town):
    sealed(town.directory, "r9", plains(1))
    assert town.found() == [("r9", -1, "the journal knows nothing of it")]


def test_what_a_damaged_journal_said_before_is_still_compared(town: Town):
    path = town.directory / "journal"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]) + lines[4].replace(b"node", b"mode") + b"".join(lines[5:]))
    assert town.found() == [
        ("", -1, "line 5 is not what this node has signed"),
        ("r2", -1, "the journal knows nothing of it"),
        ("r3", -1, "the journal knows nothing of it"),
    ]


def test_one_recording_is_verified_against_its_head(town: Town):
    file = town.files[0]
    assert verify_file(file.path, file.head.hex()) == []
    (finding,) = verify_file(file.path, "00" * 32)
    assert finding.what == "ends otherwise than the journal says"


def stamped(town: Town, authority: TimeAuthority) -> Path:
    """Have the journal's head stamped, and tell the journal so; returns the stamp's file."""
    number, head = town.journal.entries - 1, town.journal.head
    response = authority.stamp(bytes.fromhex(head))
    (town.directory / STAMPS).mkdir(exist_ok=True)
    path = town.directory / STAMPS / f"{number}.tsr"
    path.write_bytes(response)
    file = hashlib.sha256(response).hexdigest()
    town.journal.append(4.0, "stamped", "", "node", entry=number, head=head, file=file)
    return path


@pytest.fixture
def authority(tmp_path: Path) -> TimeAuthority:
    return TimeAuthority(tmp_path / "authority")


def test_stamps_of_the_journal_are_held_against_it(town: Town, authority: TimeAuthority):
    # RFC 3161 section 2.2
    stamped(town, authority)
    stamped(town, authority)
    verified = verify(town.directory, town.directory / "journal", NODE.public_key(), [authority.root])
    assert (verified.findings, verified.stamps) == ([], 2)
    assert verified.stamped_at > 1.7e9


def test_journal_that_was_cut_behind_a_stamp_is_found(town: Town, authority: TimeAuthority):
    stamped(town, authority)
    path = town.directory / "journal"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-2]))
    cut = "stamps an entry that the journal doesn't have: its end was cut off"
    assert ("", -1, cut) in town.found()


def test_journal_that_the_node_wrote_anew_is_not_what_was_stamped(town: Town, authority: TimeAuthority):
    stamped(town, authority)
    path = town.directory / "journal"
    path.unlink()
    with closing(Journal(path, NODE)) as again:
        for file in town.files[:3]:
            ended(again, file)
        again.append(3.5, "begun", "r3", "node")
    assert town.found() == [("", -1, "is the stamp of something else")]


def test_stamp_that_is_gone_or_exchanged_is_found(town: Town, authority: TimeAuthority):
    path = stamped(town, authority)
    path.write_bytes(authority.stamp(hashlib.sha256(b"another").digest()))
    assert town.found() == [("", -1, "isn't the stamp that the journal knows")]
    path.unlink()
    assert town.found() == [("", -1, "is gone")]


def test_stamp_of_an_authority_that_is_not_trusted_is_found(
    town: Town, authority: TimeAuthority, tmp_path: Path
):
    stamped(town, authority)
    other = TimeAuthority(tmp_path / "other")
    verified = verify(town.directory, town.directory / "journal", NODE.public_key(), [other.root])
    assert "nobody trusted vouches" in verified.findings[0].what
    assert verified.stamps == 0


def test_bit_that_turned_anywhere_is_found_in_its_file(town: Town, authority: TimeAuthority):
    """A seeded sample of all bits of all that is kept: recordings, journal, stamps."""
    stamped(town, authority)
    kept = [path for path in sorted(town.directory.rglob("*")) if path.suffix in (".sealed", ".tsr")]
    chance = random.Random(7)
    for path in [*kept, town.directory / "journal"]:
        whole = path.read_bytes()
        begins = [segment.offset for segment in segments(path)] if path.suffix == ".sealed" else []
        for bit in chance.sample(range(8 * len(whole)), 20):
            changed = bytearray(whole)
            changed[bit // 8] ^= 1 << bit % 8
            path.write_bytes(changed)
            finding = next(one for one in town.verified().findings if one.path == path)
            if begins and bit // 8 >= begins[0]:
                # Told is the segment's first byte: no byte of it can be trusted.
                assert finding.offset == max(begin for begin in begins if begin <= bit // 8)
        path.write_bytes(whole)
    assert town.found() == []
