"""What a recorder that died left is cut to what was whole, and the journal and the verifier agree on it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from recording.live.repair import Repaired, repair
from recording.proof.journal import Journal, entries
from recording.proof.sealed_file import segments
from recording.proof.verifier import verify
from tests.recording.sealed import NODE, ended, plains, sealed


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "journal", NODE)) as made:
        yield made


def nobodys(_recording: str) -> bool:
    return False


def said(directory: Path) -> list[tuple[str, str]]:
    return [(entry.what, entry.recording) for entry in entries(directory / "journal", NODE.public_key())]


def test_recording_that_was_cut_is_whole_up_to_its_last_segment(tmp_path: Path, journal: Journal):
    path = sealed(tmp_path, "r1", plains(3)).path
    journal.append(1.0, "begun", "r1", "node")
    last = list(segments(path))[-1]
    path.write_bytes(path.read_bytes()[: last.offset + 30])
    assert repair(tmp_path, journal, 9.0, nobodys) == [Repaired("r1", 2, 30, "")]
    assert said(tmp_path) == [("begun", "r1"), ("repaired", "r1")]
    verified = verify(tmp_path, tmp_path / "journal", NODE.public_key())
    assert (verified.whole, verified.findings) == (1, [])


def test_recording_that_ended_is_left_alone(tmp_path: Path, journal: Journal):
    file = sealed(tmp_path, "r1", plains(3))
    ended(journal, file)
    assert repair(tmp_path, journal, 9.0, nobodys) == []
    assert repair(tmp_path, journal, 9.0, nobodys) == []
    assert len(said(tmp_path)) == 2


def test_recording_whose_begin_the_journal_never_heard_of_is_known_from_now_on(
    tmp_path: Path, journal: Journal
):
    sealed(tmp_path, "r1", plains(1))
    assert repair(tmp_path, journal, 9.0, nobodys) == [Repaired("r1", 1, 0, "")]
    assert verify(tmp_path, tmp_path / "journal", NODE.public_key()).findings == []


def test_what_no_death_explains_is_told_and_left_as_it_is(tmp_path: Path, journal: Journal):
    path = sealed(tmp_path, "r1", plains(3)).path
    journal.append(1.0, "begun", "r1", "node")
    data = bytearray(path.read_bytes())
    second = list(segments(path))[1]
    data[second.offset + 70] ^= 1
    path.write_bytes(data)
    (repaired,) = repair(tmp_path, journal, 9.0, nobodys)
    assert "segment 1" in repaired.damage
    assert path.read_bytes() == data
    assert said(tmp_path)[-1] == ("damaged", "r1")
    (finding,) = verify(tmp_path, tmp_path / "journal", NODE.public_key()).findings
    assert finding.what == "segment 1 was changed"


def test_file_that_has_no_header_is_told_and_left_as_it_is(tmp_path: Path, journal: Journal):
    path = sealed(tmp_path, "r1", []).path
    path.write_bytes(path.read_bytes()[:20])
    (repaired,) = repair(tmp_path, journal, 9.0, nobodys)
    assert "header" in repaired.damage
    assert path.exists()


def test_recording_that_goes_on_is_left_alone(tmp_path: Path, journal: Journal):
    sealed(tmp_path, "r1", plains(1))
    sealed(tmp_path, "r2", plains(1))
    assert [one.recording for one in repair(tmp_path, journal, 9.0, lambda name: name == "r2")] == ["r1"]


def test_journal_that_was_changed_keeps_nothing_from_being_repaired(tmp_path: Path, journal: Journal):
    ended(journal, sealed(tmp_path, "r1", plains(1)))
    ended(journal, sealed(tmp_path, "r2", plains(1)))
    sealed(tmp_path, "r3", plains(1))
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(b"".join([lines[0], b"changed\n", *lines[2:]]))
    assert [one.recording for one in repair(tmp_path, journal, 9.0, nobodys)] == ["r1", "r3"]


def test_file_that_a_death_kept_from_its_header_is_none_and_goes(tmp_path: Path, journal: Journal):
    for name in ("r1", "r2"):
        (tmp_path / f"{name}.sealed.new").write_bytes(b"beffroi")
    assert repair(tmp_path, journal, 9.0, lambda name: name == "r2") == []
    assert [path.name for path in tmp_path.glob("*.new")] == ["r2.sealed.new"]
