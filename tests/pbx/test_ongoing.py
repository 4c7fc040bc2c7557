"""The file of calls in progress: what a `kill -9` leaves in it is whole, and it doesn't grow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec import structs

from media.engines.fake import FakeEngine
from pbx.journal import Journal, recover
from pbx.ongoing import BLOCK, FILE_NAME, GRAIN_BYTES, Ongoing, OngoingCall, OngoingLeg, Outside, read_ongoing
from sip.core.snapshot import SessionSnapshot
from tests.pbx.sample_records import call as ended_call

SESSION = SessionSnapshot(
    call_id="a1@phone",
    local_address="<sip:1002@valmont.example>",
    local_tag="ours",
    remote_address='"Alice" <sip:1001@valmont.example>',
    remote_tag="theirs",
    remote_target="sip:1001@192.0.2.1:5060",
    route_set=("<sip:p1.example;lr>",),
    local_sequence=3,
    remote_sequence=7,
    contact="sip:10.54.0.10:5060",
    transport="UDP",
    local=("10.54.0.10", 5060),
    remote=("192.0.2.1", 5060),
    placed=False,
    local_sdp=b"answer",
    remote_sdp=b"offer",
    remote_allow=("INVITE, BYE",),
    timer_seconds=1800,
    we_refresh=True,
)


def ongoing(name: str, to: str = "1002") -> OngoingCall:
    leg = OngoingLeg("a", "1001", "UDP", ("192.0.2.1", 5060), False, 1.0, 2.0, None, "", "", SESSION)
    outside = Outside("+33612345678", ("operateur-a", "operateur-b"), False)
    media = FakeEngine().snapshot(name)
    return OngoingCall(
        name,
        1.0,
        "outbound",
        "1001",
        "Alice",
        "0612345678",
        to,
        "",
        "",
        "v1",
        69,
        None,
        outside,
        media,
        [leg],
    )


def names(folder: Path) -> list[str]:
    return [call.id for call in read_ongoing(folder)]


def size(folder: Path) -> int:
    return (folder / FILE_NAME).stat().st_size


def test_a_call_is_read_as_it_was_written(tmp_path: Path) -> None:
    Ongoing(tmp_path).keep(ongoing("1"))
    assert read_ongoing(tmp_path) == [ongoing("1")]


def test_only_the_last_word_of_a_call_counts(tmp_path: Path) -> None:
    file = Ongoing(tmp_path)
    for to in ("1002", "1003", "1004"):
        file.keep(ongoing("1", to))
    assert [call.to for call in read_ongoing(tmp_path)] == ["1004"]


def test_a_call_that_ended_is_gone(tmp_path: Path) -> None:
    file = Ongoing(tmp_path)
    file.keep(ongoing("1"))
    file.keep(ongoing("2"))
    file.end("1")
    file.end("never kept")
    assert names(tmp_path) == ["2"]
    assert len(file) == 1


def test_the_file_is_as_large_as_the_calls_of_the_busiest_moment(tmp_path: Path) -> None:
    file = Ongoing(tmp_path)
    for number in range(10):
        file.keep(ongoing(f"first {number}"))
    largest = size(tmp_path)
    for number in range(1000):
        file.end(f"first {number}")
        file.keep(ongoing(f"then {number}"))
        file.end(f"then {number}")
    assert size(tmp_path) == largest


def test_another_process_finds_the_calls_and_goes_on(tmp_path: Path) -> None:
    before = Ongoing(tmp_path)
    for name in ("1", "2", "3"):
        before.keep(ongoing(name))
    before.end("2")
    before.close()
    after = Ongoing(tmp_path)
    after.keep(ongoing("1", "1009"))
    after.end("3")
    after.keep(ongoing("4"))
    assert [(call.id, call.to) for call in read_ongoing(tmp_path)] == [("1", "1009"), ("4", "1002")]


def test_a_file_without_a_call_begins_anew(tmp_path: Path) -> None:
    before = Ongoing(tmp_path)
    for number in range(100):
        before.keep(ongoing(str(number)))
    for number in range(100):
        before.end(str(number))
    before.close()
    Ongoing(tmp_path).close()
    assert size(tmp_path) == GRAIN_BYTES


def test_where_a_kill_leaves_a_call_twice_the_newer_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Ongoing(tmp_path)
    file.keep(ongoing("1", "old"))
    monkeypatch.setattr(file, "_release", lambda offset, size: None)
    file.keep(ongoing("1", "new"))
    assert [call.to for call in read_ongoing(tmp_path)] == ["new"]
    after = Ongoing(tmp_path)
    after.end("1")
    assert names(tmp_path) == []


@pytest.mark.parametrize("torn_bytes", [1, BLOCK.size - 1, BLOCK.size, BLOCK.size + 5, 200])
def test_a_call_whose_writing_was_cut_short_is_as_if_never_written(tmp_path: Path, torn_bytes: int) -> None:
    file = Ongoing(tmp_path)
    file.keep(ongoing("1"))
    whole = size(tmp_path)
    file.keep(ongoing("2"))
    os.truncate(tmp_path / FILE_NAME, whole + torn_bytes)
    assert names(tmp_path) == ["1"]
    after = Ongoing(tmp_path)
    after.keep(ongoing("3"))
    assert names(tmp_path) == ["1", "3"]


@pytest.mark.parametrize("seed", range(8))
def test_any_byte_may_be_wrong_and_nothing_raises(tmp_path: Path, seed: int) -> None:
    file = Ongoing(tmp_path)
    for name in ("1", "2", "3"):
        file.keep(ongoing(name))
    data = bytearray((tmp_path / FILE_NAME).read_bytes())
    for offset in range(seed * 7, len(data), 97):
        damaged = data[:]
        damaged[offset] ^= 1 << seed
        (tmp_path / FILE_NAME).write_bytes(damaged)
        assert set(names(tmp_path)) <= {"1", "2", "3"}
        after = Ongoing(tmp_path)
        after.keep(ongoing("4"))
        assert "4" in names(tmp_path)
        after.close()


def test_a_record_of_another_version_is_passed_over_and_its_room_used(tmp_path: Path) -> None:
    file = Ongoing(tmp_path)
    file.keep(structs.replace(ongoing("1"), legs="none"))
    assert names(tmp_path) == []
    used = size(tmp_path)
    after = Ongoing(tmp_path)
    after.keep(ongoing("2"))
    assert size(tmp_path) <= used


def test_a_full_file_takes_no_further_call_and_keeps_the_others(tmp_path: Path) -> None:
    file = Ongoing(tmp_path, most_bytes=4 * GRAIN_BYTES)
    assert [file.keep(ongoing(str(number))) for number in range(5)] == [True, True, True, False, False]
    assert file.keep(ongoing("0", "later")) is False
    assert [(call.id, call.to) for call in read_ongoing(tmp_path)] == [
        ("0", "1002"),
        ("1", "1002"),
        ("2", "1002"),
    ]


def test_a_disk_that_fails_raises_nothing_into_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Ongoing(tmp_path)
    file.keep(ongoing("1"))

    def fail(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", fail)
        assert file.keep(ongoing("2")) is False
        file.end("never kept")
    assert file.keep(ongoing("3")) is True
    assert names(tmp_path) == ["1", "3"]


def test_text_that_messagepack_cant_hold_is_replaced(tmp_path: Path) -> None:
    leg = structs.replace(
        ongoing("1").legs[0], session=SESSION._replace(remote_address='"\udce9" <sip:1001@valmont.example>')
    )
    assert Ongoing(tmp_path).keep(structs.replace(ongoing("1"), legs=[leg])) is True
    (kept,) = read_ongoing(tmp_path)
    assert kept.legs[0].session == SESSION._replace(remote_address='"?" <sip:1001@valmont.example>')


def test_a_number_that_messagepack_cant_hold_is_cut(tmp_path: Path) -> None:
    leg = structs.replace(ongoing("1").legs[0], session=SESSION._replace(timer_seconds=2**70))
    assert Ongoing(tmp_path).keep(structs.replace(ongoing("1"), legs=[leg])) is True
    (kept,) = read_ongoing(tmp_path)
    assert kept.legs[0].session == SESSION._replace(timer_seconds=2**63 - 1)


def test_the_record_of_its_end_takes_a_call_out_of_the_journal_once_it_is_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    ended = ended_call(1)
    journal.append(ongoing(ended.id))
    journal.append(ended)
    assert names(tmp_path / "journal") == [ended.id]
    journal.flush()
    assert names(tmp_path / "journal") == []
    journal.close()


def test_a_start_recovers_the_calls_in_progress(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(ongoing("1"))
    journal.close()
    assert recover(tmp_path / "journal").calls == [ongoing("1")]


def test_a_call_whose_record_waits_in_the_reserve_is_not_in_progress_any_more(tmp_path: Path) -> None:
    def full(descriptor: int, data: bytes | bytearray) -> int:
        raise OSError(28, "No space left on device")

    journal = Journal(tmp_path / "journal", reserve_bytes=1 << 20, write=full)
    ended = ended_call(1)
    journal.append(ongoing(ended.id))
    journal.append(ended)
    journal.flush()
    assert recover(tmp_path / "journal").calls == []
    journal.close()
