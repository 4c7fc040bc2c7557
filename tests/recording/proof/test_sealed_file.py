"""A recording's file: what is written is read, and nothing else is."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recording.proof.sealed_file import Damage, SealedFile, read_header, segments, unseal, whole_end
from tests.recording.sealed import BEGUN, KEY, header, plains, sealed


def test_segments_are_read_as_they_were_written(tmp_path: Path):
    file = sealed(tmp_path, "r1", plains(3))
    read = list(segments(file.path))
    assert [unseal(one, KEY, file.path) for one in read] == plains(3)
    assert [one.begun for one in read] == [BEGUN, BEGUN + 1_000_000, BEGUN + 2_000_000]
    assert read[-1].digest == file.head
    assert read[-1].end == file.bytes_written == file.path.stat().st_size


def test_header_says_which_recording_it_is_and_nobody_s_number(tmp_path: Path):
    file = sealed(tmp_path, "r1", [])
    assert read_header(file.path) == header("r1")
    assert list(segments(file.path)) == []


def test_nothing_of_what_was_said_is_in_the_file(tmp_path: Path):
    file = sealed(tmp_path, "r1", [b"+33612345678 said something" * 20])
    assert b"33612345678" not in file.path.read_bytes()


def test_another_key_opens_nothing(tmp_path: Path):
    file = sealed(tmp_path, "r1", plains(1))
    (segment,) = segments(file.path)
    with pytest.raises(Damage, match="was not sealed so with this key"):
        unseal(segment, bytes(32), file.path)


def test_file_that_is_there_is_never_written_over(tmp_path: Path):
    sealed(tmp_path, "r1", plains(1))
    with pytest.raises(FileExistsError):
        sealed(tmp_path, "r1", plains(1))


def test_bit_that_turned_anywhere_is_found_in_its_segment(tmp_path: Path):
    file = sealed(tmp_path, "r1", plains(3))
    data = file.path.read_bytes()
    places = [segment.offset for segment in segments(file.path)]
    for offset in range(len(data)):
        changed = bytearray(data)
        changed[offset] ^= 1 << offset % 8
        file.path.write_bytes(changed)
        with pytest.raises(Damage) as damage:
            list(segments(file.path))
        # The header's own hash stands in segment 0: a header that still reads is found out there.
        expected = sum(place <= offset for place in places) - 1
        found = damage.value.segment
        assert found == expected or (expected == -1 and found == 0)


def test_segments_that_changed_places_are_found(tmp_path: Path):
    file = sealed(tmp_path, "r1", [b"one" * 10, b"two" * 10, b"six" * 10])
    data, read = file.path.read_bytes(), list(segments(file.path))
    first, second = (data[one.offset : one.end] for one in read[:2])
    file.path.write_bytes(data[: read[0].offset] + second + first + data[read[2].offset :])
    with pytest.raises(Damage, match="segment 0"):
        list(segments(file.path))


def test_segment_of_another_recording_is_found(tmp_path: Path):
    one, other = sealed(tmp_path, "r1", plains(2)), sealed(tmp_path, "r2", plains(2))
    (mine, _), (_, theirs) = segments(one.path), segments(other.path)
    foreign = other.path.read_bytes()[theirs.offset : theirs.end]
    one.path.write_bytes(one.path.read_bytes()[: mine.end] + foreign)
    with pytest.raises(Damage, match=r"segment 1.*doesn't belong behind the one before"):
        list(segments(one.path))


def test_file_cut_anywhere_ends_behind_its_last_whole_segment(tmp_path: Path):
    file = sealed(tmp_path, "r1", plains(3))
    data = file.path.read_bytes()
    begins = [segment.offset for segment in segments(file.path)]
    ends = [*begins, len(data)]
    for length in range(begins[0], len(data) + 1):
        file.path.write_bytes(data[:length])
        end = max(end for end in ends if end <= length)
        assert whole_end(file.path) == end
        os.truncate(file.path, end)
        assert len(list(segments(file.path))) == ends.index(end)


def test_file_without_a_whole_header_is_none(tmp_path: Path):
    file = sealed(tmp_path, "r1", [])
    data = file.path.read_bytes()
    for length in range(len(data)):
        file.path.write_bytes(data[:length])
        with pytest.raises(Damage, match="header"):
            read_header(file.path)


@settings(max_examples=200, deadline=None)
@given(garbage=st.binary(max_size=400), kept=st.integers(0, 400))
def test_anything_else_is_damage_and_no_other_error(
    garbage: bytes, kept: int, tmp_path_factory: pytest.TempPathFactory
):
    directory = tmp_path_factory.mktemp("garbage")
    file = sealed(directory, "r1", plains(2))
    data = file.path.read_bytes()
    file.path.write_bytes(data[:kept] + garbage)
    for reader in (lambda: list(segments(file.path)), lambda: whole_end(file.path)):
        try:
            reader()
        except Damage as damage:
            assert 0 <= damage.offset <= len(data) + len(garbage)


def test_disk_that_is_full_takes_no_half_of_a_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = SealedFile(tmp_path / "r1.sealed", header("r1"), KEY)
    file.write(b"first" * 20, BEGUN)
    whole = file.path.read_bytes()

    written = os.write

    def takes_ten(descriptor: int, data: memoryview) -> int:
        if os.fstat(descriptor).st_size >= len(whole) + 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        return written(descriptor, data[:10])

    monkeypatch.setattr("recording.proof.sealed_file.os.write", takes_ten)
    with pytest.raises(OSError, match="No space left"):
        file.write(b"second" * 20, BEGUN + 1)
    assert file.path.read_bytes() == whole
    monkeypatch.undo()
    file.write(b"third" * 20, BEGUN + 2)
    file.close()
    assert [unseal(one, KEY, file.path)[:5] for one in segments(file.path)] == [b"first", b"third"]
