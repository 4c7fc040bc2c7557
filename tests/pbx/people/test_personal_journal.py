"""PINs, hot desks and addresses in the journal: the last word holds, however often it is folded."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbx.journal import Journal, fold_bindings, recover
from pbx.people.pins import is_simple
from pbx.records import AddressRecord, Personal, PinRecord, SeatRecord, SetBy, TriesRecord

NOW = 1_700_000_000.0
WHO = SetBy("root", NOW)
HOME = {"street": "5 rue des Lilas", "city": "Nancy"}


def written(directory: Path, *records: Personal) -> dict[tuple[str, ...], Personal]:
    """What is found after these were written, each in a segment of its own, and folded."""
    journal = Journal(directory, segment_bytes=1)
    for record in records:
        journal.append(record)
        journal.flush()
    journal.close()
    fold_bindings(directory, NOW)
    return recover(directory).personal


def test_each_kind_comes_back_as_it_was_written(tmp_path: Path) -> None:
    records: list[Personal] = [
        PinRecord("1001", b"salt", b"\x00\xff" * 16, WHO),
        TriesRecord("device 2020", (NOW - 60, NOW)),
        SeatRecord("2020", "1001", NOW + 60, WHO),
        AddressRecord("1001", "192.0.2.0/24", HOME, WHO, WHO),
        AddressRecord("1001", "198.51.100.0/24", HOME, WHO),
    ]
    found = written(tmp_path / "journal", *records, SeatRecord("2010", "1001", 0.0, WHO))
    assert [found[record.key] for record in records] == records
    assert len(found) == 6


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (PinRecord("1001", b"salt", b"hash", WHO), PinRecord("1001", b"", b"", WHO)),
        (TriesRecord("device 2020", (NOW,)), TriesRecord("device 2020", ())),
        (SeatRecord("2020", "1001", 0.0, WHO), SeatRecord("2020", "", 0.0, WHO)),
        (AddressRecord("1001", "n", HOME, WHO), AddressRecord("1001", "n", {}, WHO)),
    ],
    ids=["pin", "tries", "seat", "address"],
)
def test_what_was_taken_back_is_gone_from_a_snapshot(tmp_path: Path, first: Personal, last: Personal) -> None:
    other = SeatRecord("2010", "1002", 0.0, WHO)  # the open segment is never folded
    assert written(tmp_path / "journal", first, last, other) == {other.key: other}


def test_what_is_over_is_gone_from_a_snapshot(tmp_path: Path) -> None:
    other = SeatRecord("2010", "1002", 0.0, WHO)
    over = (SeatRecord("2020", "1001", NOW - 1, WHO), TriesRecord("device 2020", (NOW - 3601,)))
    assert written(tmp_path / "journal", *over, other) == {other.key: other}


@pytest.mark.parametrize("digits", ["0000", "1234", "8765", "123", "123456789", "12a4", "", "٣٤٥٧"])
def test_a_pin_that_anybody_would_try_first_is_too_simple(digits: str) -> None:
    assert is_simple(digits)


@pytest.mark.parametrize("digits", ["8027", "1357", "99990000"])
def test_other_pins_are_not(digits: str) -> None:
    assert not is_simple(digits)
