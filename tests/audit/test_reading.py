"""The audit journal is read from its end, verified to the byte, and exported for anybody to check."""

import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pbx.audit import export
from pbx.audit.entry import By
from pbx.audit.export import NoExport
from pbx.audit.journal import AuditJournal, enter_now
from pbx.audit.reading import Query, WrongPlace, one, read_page, verify
from recording.proof.journal import Journal
from tests.recording.sealed import NODE

KEY = NODE.public_key()


@pytest.fixture
def journal(tmp_path: Path) -> AuditJournal:
    """Of forty entries: chef and agnes take turns, one a second."""
    made = AuditJournal(tmp_path / "audit" / "journal", NODE)
    for number in range(40):
        by = By("chef" if number % 2 else "agnes", "session", "192.0.2.7")
        what = "people.add" if number % 4 else "plan.apply"
        enter_now(made, float(number), what, by, whom=f"10{number:02}", name="Éléonore")
    return made


def numbers(journal: AuditJournal, **query: object) -> list[int]:
    return [seen.entry.number for seen in read_page(journal.path, KEY, Query(**query)).entries]


def test_newest_entries_come_first(journal):
    assert numbers(journal, limit=3) == [39, 38, 37]


def test_pages_follow_each_other_to_the_begin(journal):
    found, after = [], ""
    while True:
        page = read_page(journal.path, KEY, Query(limit=7, after=after))
        found += [seen.entry.number for seen in page.entries]
        after = page.next
        if not after:
            break
    assert found == list(range(39, -1, -1))


def test_entries_that_came_meanwhile_dont_move_a_page(journal):
    first = read_page(journal.path, KEY, Query(limit=5))
    enter_now(journal, 50.0, "plan.apply", By("chef"))
    second = read_page(journal.path, KEY, Query(limit=5, after=first.next))
    assert [seen.entry.number for seen in second.entries] == [34, 33, 32, 31, 30]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"by": "agnes"}, [38, 36, 34]),
        ({"what": "plan.apply"}, [36, 32, 28]),
        ({"what": "plan"}, [36, 32, 28]),
        ({"whom": "1005"}, [5]),
        ({"text": "éLÉ", "limit": 2}, [39, 38]),
        ({"since": 37.0}, [39, 38, 37]),
        ({"until": 2.0}, [1, 0]),
        ({"by": "nobody"}, []),
        ({"what": "pla"}, []),
    ],
)
def test_entries_are_found_by_who_what_whom_and_when(journal, query: dict[str, object], expected: list[int]):
    assert numbers(journal, **{"limit": 3, **query}) == expected


def test_line_that_is_just_being_written_is_passed_over(journal):
    with journal.path.open("ab") as file:
        file.write(b'{"about":{}')
    assert numbers(journal, limit=1) == [39]


def test_lines_longer_than_a_block_are_read_backwards(tmp_path: Path):
    made = AuditJournal(tmp_path / "journal", NODE)
    for number in range(5):
        enter_now(made, float(number), "a.b", By("chef"), said=["é" * 400] * 40)
    assert numbers(made) == [4, 3, 2, 1, 0]


def test_page_looks_at_a_bounded_part_of_the_file(journal, monkeypatch):
    monkeypatch.setattr("pbx.audit.reading.SCANNED_BYTES", 1000)
    page = read_page(journal.path, KEY, Query(by="nobody"))
    assert page.entries == []
    assert 0 < int(page.next) < journal.path.stat().st_size


@pytest.mark.parametrize("after", ["x", "-1", "17", "99999999", "1" * 400])
def test_place_that_no_page_told_is_refused(journal, after: str):
    with pytest.raises(WrongPlace):
        read_page(journal.path, KEY, Query(after=after))


def test_journal_that_isnt_there_is_empty(tmp_path: Path):
    assert read_page(tmp_path / "none", KEY, Query()).entries == []
    assert verify(tmp_path / "none", KEY).entries == 0
    with pytest.raises(KeyError):
        one(tmp_path / "none", KEY, 0)


@pytest.mark.parametrize("number", [0, 1, 17, 38, 39])
def test_entry_is_found_by_its_number(journal, number: int):
    seen = one(journal.path, KEY, number)
    assert (seen.entry.number, seen.entry.at, seen.sound) == (number, float(number), True)


@pytest.mark.parametrize("number", [-1, 40, 1000])
def test_number_without_an_entry_is_told(journal, number: int):
    with pytest.raises(KeyError):
        one(journal.path, KEY, number)


def test_entry_that_was_changed_is_shown_as_such(journal):
    data = journal.path.read_bytes().splitlines(keepends=True)
    data[38] = data[38].replace(b'"agnes"', b'"nadia"')
    journal.path.write_bytes(b"".join(data))
    page = read_page(journal.path, KEY, Query(limit=3))
    assert [(seen.entry.by, seen.sound) for seen in page.entries] == [
        ("chef", True),
        ("nadia", False),
        ("chef", True),
    ]


def test_whole_journal_is_verified(journal):
    found = verify(journal.path, KEY)
    assert (found.entries, found.first_at, found.last_at, found.faults) == (40, 1.0, 39.0, [])


def test_every_flipped_bit_is_found_in_its_line(tmp_path: Path):
    made = AuditJournal(tmp_path / "journal", NODE)
    for number in range(3):
        enter_now(made, float(number), "a.b", By("chef"), whom="1001")
    data = made.path.read_bytes()
    lines = data.splitlines(keepends=True)
    for place in range(0, len(data), 3):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        made.path.write_bytes(flipped)
        (fault,) = verify(made.path, KEY).faults
        line = next(n for n in range(3) if place < sum(map(len, lines[: n + 1])))
        assert fault.line == line + 1, place
        assert fault.offset == sum(map(len, lines[:line])), place


def test_entry_that_was_left_out_is_found(journal):
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(b"".join(lines[:10] + lines[11:]))
    (fault,) = verify(journal.path, KEY).faults
    assert fault.line == 11


def test_end_that_was_cut_off_is_found_by_what_is_known(journal):
    whole = verify(journal.path, KEY)
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(b"".join(lines[:-1]))
    assert verify(journal.path, KEY).faults == []
    (fault,) = verify(journal.path, KEY, known=(39, whole.head)).faults
    assert "cut off" in fault.what


def test_journal_that_goes_on_has_what_is_known(journal):
    whole = verify(journal.path, KEY)
    enter_now(journal, 50.0, "a.b", By("chef"))
    assert verify(journal.path, KEY, known=(39, whole.head)).faults == []


def test_file_that_was_set_aside_is_told(journal):
    journal.path.write_bytes(journal.path.read_bytes()[:-20] + b"\n")
    enter_now(journal, 50.0, "a.b", By("chef"))
    (fault,) = verify(journal.path, KEY).faults
    assert fault.file == "journal.damaged-1"


def test_journal_of_recordings_is_no_audit_journal(tmp_path: Path):
    journal = Journal(tmp_path / "journal", NODE)
    journal.append(1.0, "begun", "r1", "node")
    journal.close()
    (fault,) = verify(tmp_path / "journal", KEY).faults
    assert fault.line == 1


def test_export_is_checked_without_the_node(journal, tmp_path: Path):
    made = export.write(tmp_path / "audit.zip", journal.path, KEY)
    found = export.check(tmp_path / "audit.zip", None, unpacked(tmp_path))
    assert found == made == verify(journal.path, KEY)
    with zipfile.ZipFile(tmp_path / "audit.zip") as archive:
        assert archive.read("journal") == journal.path.read_bytes()
        assert archive.read("entries.jsonl").count(b"\n") == 40
        assert found.head.encode() in archive.read("README.txt")


def unpacked(tmp_path: Path) -> Path:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return folder


def test_export_of_another_node_is_told(journal, tmp_path: Path):
    export.write(tmp_path / "audit.zip", journal.path, KEY)
    other = Ed25519PrivateKey.generate().public_key()
    found = export.check(tmp_path / "audit.zip", other, unpacked(tmp_path))
    assert [fault.file for fault in found.faults] == ["journal", "node.pub"]


def test_plain_entries_that_say_something_else_are_told(journal, tmp_path: Path):
    export.write(tmp_path / "audit.zip", journal.path, KEY)
    with zipfile.ZipFile(tmp_path / "audit.zip") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["entries.jsonl"] = parts["entries.jsonl"].replace(b"1005", b"1006")
    with zipfile.ZipFile(tmp_path / "changed.zip", "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    (fault,) = export.check(tmp_path / "changed.zip", KEY, unpacked(tmp_path)).faults
    assert (fault.file, fault.line) == ("entries.jsonl", 6)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"x" * 5000])
def test_what_is_no_export_is_told(tmp_path: Path, content: bytes):
    (tmp_path / "audit.zip").write_bytes(content)
    with pytest.raises(NoExport):
        export.check(tmp_path / "audit.zip", None, unpacked(tmp_path))


def test_export_replaces_no_file(journal, tmp_path: Path):
    (tmp_path / "audit.zip").write_text("kept")
    with pytest.raises(FileExistsError):
        export.write(tmp_path / "audit.zip", journal.path, KEY)
    assert (tmp_path / "audit.zip").read_text() == "kept"
