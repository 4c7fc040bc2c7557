"""The journal on a real disk, and on disks that fail by hand."""

import errno
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import msgspec
import pytest

from pbx.events import Event, Events, JournalFailed, JournalWorks
from pbx.journal import (
    BINDINGS,
    CALLS,
    FRAME,
    HEADER_BYTES,
    End,
    Journal,
    JournalInUseError,
    fold_bindings,
    read_segment,
    recover,
    segments,
    sync_segments,
)
from pbx.records import Binding, BindingsRecord, CallRecord, Record, printable, rfc3339
from tests.pbx.sample_records import bindings, call


def written(directory: Path, *records: Record, segment_bytes: int = 1 << 20) -> Path:
    """A journal with these records, each flushed alone, closed again."""
    journal = Journal(directory, segment_bytes=segment_bytes)
    for record in records:
        journal.append(record)
        journal.flush()
    journal.close()
    return directory


def read_all(directory: Path, chain: str) -> list[Record]:
    return [
        record
        for segment in segments(directory, chain)
        for chunk in read_segment(segment.path)
        for record in chunk.records
    ]


def newest(directory: Path, chain: str) -> Path:
    return segments(directory, chain)[-1].path


class Disk:
    """An `os.write` that can be full, or take only a part."""

    def __init__(self) -> None:
        self.free_bytes: int | None = None
        self.writes = 0

    def write(self, descriptor: int, data: bytes | bytearray) -> int:
        self.writes += 1
        if self.free_bytes is None:
            return os.write(descriptor, data)
        if self.free_bytes == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = os.write(descriptor, data[: self.free_bytes])
        self.free_bytes -= taken
        return taken


def test_a_flushed_call_reads_back_as_it_was(tmp_path):
    assert read_all(written(tmp_path / "j", call(1)), CALLS) == [call(1)]


def test_bindings_survive_a_restart(tmp_path):
    recovered = recover(written(tmp_path / "j", bindings(1, 2), bindings(2)))
    assert recovered.bindings == {
        "sip:1@valmont.example": bindings(1, 2).bindings,
        "sip:2@valmont.example": bindings(2).bindings,
    }
    assert recovered.problems == []


def test_the_last_record_of_an_aor_wins(tmp_path):
    recovered = recover(written(tmp_path / "j", bindings(1, 3), bindings(1, 1)))
    assert recovered.bindings["sip:1@valmont.example"] == bindings(1, 1).bindings


def test_an_empty_list_removes_the_bindings_of_an_aor(tmp_path):
    removed = BindingsRecord("sip:1@valmont.example", [])
    assert recover(written(tmp_path / "j", bindings(1), removed)).bindings == {}


def test_a_directory_that_does_not_exist_recovers_as_empty(tmp_path):
    assert recover(tmp_path / "none").bindings == {}


def test_a_batch_is_one_write_for_each_chain(tmp_path):
    disk = Disk()
    journal = Journal(tmp_path / "j", write=disk.write)
    for number in range(50):
        journal.append(call(number))
    journal.append(bindings(1))
    journal.flush()
    assert disk.writes == 2
    journal.close()


def test_flush_with_nothing_to_say_writes_nothing(tmp_path):
    disk = Disk()
    journal = Journal(tmp_path / "j", write=disk.write)
    journal.flush()
    assert disk.writes == 0
    assert segments(tmp_path / "j", CALLS) == []
    journal.close()


def test_a_second_writer_is_refused(tmp_path):
    journal = Journal(tmp_path / "j")
    with pytest.raises(JournalInUseError, match="another Beffroi"):
        Journal(tmp_path / "j")
    journal.close()
    Journal(tmp_path / "j").close()


def test_only_the_owner_reads_a_journal(tmp_path):
    directory = written(tmp_path / "j", call(1))
    assert directory.stat().st_mode & 0o777 == 0o700
    assert newest(directory, CALLS).stat().st_mode & 0o777 == 0o600


def test_a_restart_begins_a_new_segment_and_keeps_the_old_one(tmp_path):
    directory = written(written(tmp_path / "j", call(1)), call(2))
    assert [segment.number for segment in segments(directory, CALLS)] == [1, 2]
    assert read_all(directory, CALLS) == [call(1), call(2)]


def test_a_segment_name_that_is_taken_is_passed_over(tmp_path):
    directory = tmp_path / "j"
    journal = Journal(directory)
    taken = directory / "calls-000000000001.seg"
    taken.write_bytes(b"somebody's")
    for number in (1, 2):
        journal.append(call(number))
        journal.flush()
    journal.close()
    assert taken.read_bytes() == b"somebody's"
    assert next(read_segment(newest(directory, CALLS))).records == [call(1), call(2)]


def test_segments_are_closed_at_their_size(tmp_path):
    directory = written(tmp_path / "j", *(call(number) for number in range(20)), segment_bytes=1000)
    assert len(segments(directory, CALLS)) > 3
    assert read_all(directory, CALLS) == [call(number) for number in range(20)]


def test_a_last_record_torn_at_any_byte_is_cut_off_and_the_others_stay(tmp_path):
    directory = written(tmp_path / "j", bindings(1), bindings(2))
    path = newest(directory, BINDINGS)
    whole = path.read_bytes()
    length, _ = FRAME.unpack_from(whole, HEADER_BYTES)
    second = HEADER_BYTES + FRAME.size + length
    for size in range(second + 1, len(whole)):
        path.write_bytes(whole[:size])
        recovered = recover(directory)
        assert list(recovered.bindings) == ["sip:1@valmont.example"], size
        assert recovered.problems == [f"{path.name}: a torn tail of {size - second} bytes was cut off"]
        assert path.read_bytes() == whole[:second], size
        assert recover(directory).problems == []


def test_a_header_torn_at_any_byte_is_an_empty_segment(tmp_path):
    directory = written(tmp_path / "j", bindings(1))
    path = newest(directory, BINDINGS)
    whole = path.read_bytes()
    for size in range(HEADER_BYTES):
        path.write_bytes(whole[:size])
        assert recover(directory).bindings == {}, size
        assert path.stat().st_size == 0


def test_a_tail_of_zeros_after_a_power_cut_is_cut_off(tmp_path):
    directory = written(tmp_path / "j", bindings(1))
    path = newest(directory, BINDINGS)
    size = path.stat().st_size
    os.truncate(path, size + 5000)
    recovered = recover(directory)
    assert list(recovered.bindings) == ["sip:1@valmont.example"]
    assert path.stat().st_size == size


def test_a_last_record_whose_pages_never_reached_the_disk_is_cut_off(tmp_path):
    directory = written(tmp_path / "j", bindings(1), bindings(2))
    path = newest(directory, BINDINGS)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100] + bytes(100))
    recovered = recover(directory)
    assert list(recovered.bindings) == ["sip:1@valmont.example"]
    assert "torn tail" in recovered.problems[0]


def test_damage_in_the_middle_is_reported_and_the_next_segment_is_read(tmp_path):
    directory = written(written(tmp_path / "j", bindings(1), bindings(2), bindings(3)), bindings(4))
    path = segments(directory, BINDINGS)[0].path
    data = bytearray(path.read_bytes())
    length, _ = FRAME.unpack_from(data, HEADER_BYTES)
    data[HEADER_BYTES + FRAME.size + length + FRAME.size + 20] ^= 0x40
    path.write_bytes(data)
    recovered = recover(directory)
    assert list(recovered.bindings) == ["sip:1@valmont.example", "sip:4@valmont.example"]
    assert f"{path.name}: damaged at byte" in recovered.problems[0]


def test_a_file_that_is_not_ours_is_damage_and_stays_as_it_is(tmp_path):
    directory = written(tmp_path / "j", bindings(1))
    path = newest(directory, BINDINGS)
    path.write_bytes(b"GIF89a" * 100)
    assert recover(directory).bindings == {}
    assert path.read_bytes() == b"GIF89a" * 100


def test_any_flipped_bit_never_raises_and_never_yields_a_wrong_record(tmp_path):
    directory = written(tmp_path / "j", *(call(number) for number in range(5)))
    path = newest(directory, CALLS)
    whole = path.read_bytes()
    originals = [call(number) for number in range(5)]
    chance = random.Random(7)
    for _ in range(300):
        data = bytearray(whole)
        data[chance.randrange(HEADER_BYTES, len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        assert all(record in originals for record in read_all(directory, CALLS))


def test_a_record_of_an_unknown_kind_is_passed_over(tmp_path):
    directory = written(tmp_path / "j", call(1))
    path = newest(directory, CALLS)
    payload = msgspec.msgpack.encode(["hologram", 1, 2])
    frame = FRAME.pack(len(payload), zlib.crc32(payload)) + payload
    path.write_bytes(path.read_bytes() + frame)
    (chunk,) = read_segment(path)
    assert (chunk.records, chunk.unreadable, chunk.end) == ([call(1)], 1, End.WHOLE)


def test_a_full_disk_raises_nothing_and_everything_is_written_when_there_is_room(tmp_path):
    disk = Disk()
    told: list[Event] = []
    events = Events(lambda: 7.0)
    events.subscribe(told.append, JournalFailed, JournalWorks)
    journal = Journal(tmp_path / "j", write=disk.write, events=events)
    journal.append(call(1))
    journal.flush()
    disk.free_bytes = 0
    for number in (2, 3, 4):
        journal.append(call(number))
        journal.flush()
    assert journal.pending_bytes > 0
    disk.free_bytes = None
    journal.flush()
    assert told == [
        JournalFailed(7.0, "the journal can't be written: No space left on device"),
        JournalWorks(7.0, 0),
    ]
    assert (journal.lost_records, journal.pending_bytes, journal.trouble) == (0, 0, "")
    journal.close()
    assert read_all(tmp_path / "j", CALLS) == [call(number) for number in (1, 2, 3, 4)]


def test_a_disk_that_fills_up_at_any_byte_leaves_whole_records_once_there_is_room(tmp_path):
    size = len(msgspec.msgpack.encode(call(1))) + FRAME.size + HEADER_BYTES
    for free_bytes in range(0, size, 7):
        disk = Disk()
        disk.free_bytes = free_bytes
        journal = Journal(tmp_path / f"j{free_bytes}", write=disk.write)
        journal.append(call(1))
        journal.flush()
        journal.append(call(2))
        disk.free_bytes = None
        journal.flush()
        journal.close()
        assert read_all(tmp_path / f"j{free_bytes}", CALLS) == [call(1), call(2)], free_bytes


def test_the_kernel_refusing_to_let_a_file_grow_raises_nothing(tmp_path):
    journal = Journal(tmp_path / "j")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        for number in range(10):
            journal.append(call(number))
            journal.flush()
        assert journal.trouble
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, former)
    journal.flush()
    assert journal.trouble == ""
    journal.close()
    assert read_all(tmp_path / "j", CALLS) == [call(number) for number in range(10)]


def test_what_a_failing_disk_keeps_in_memory_is_bounded_and_the_rest_is_counted(tmp_path):
    disk = Disk()
    disk.free_bytes = 0
    journal = Journal(tmp_path / "j", write=disk.write, pending_bytes=5000)
    for number in range(100):
        journal.append(call(number))
        journal.flush()
    assert journal.pending_bytes < 5100
    assert 50 < journal.lost_records < 100
    disk.free_bytes = None
    journal.close()
    assert len(read_all(tmp_path / "j", CALLS)) == 100 - journal.lost_records


def test_a_failing_chain_of_calls_does_not_hold_back_bindings(tmp_path):
    directory = tmp_path / "j"
    failing: list[int] = []

    def write(descriptor: int, data: bytes | bytearray) -> int:
        if "/calls-" in os.readlink(f"/proc/self/fd/{descriptor}"):
            failing.append(descriptor)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return os.write(descriptor, data)

    journal = Journal(directory, write=write)
    journal.append(call(1))
    journal.append(bindings(1))
    journal.flush()
    assert failing
    assert read_all(directory, BINDINGS) == [bindings(1)]
    journal.close()


def test_text_that_is_no_unicode_is_stored_with_a_mark_instead_of_raising(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.append(msgspec.structs.replace(call(1), from_name="Al\udce9ce"))
    journal.close()
    (record,) = read_all(tmp_path / "j", CALLS)
    assert isinstance(record, CallRecord)
    assert record.from_name == "Al?ce"


def test_folding_keeps_every_binding_and_deletes_what_it_folded(tmp_path):
    directory = written(
        tmp_path / "j", *(bindings(number % 7, number % 3) for number in range(60)), segment_bytes=2000
    )
    before = recover(directory).bindings
    assert fold_bindings(directory, 0.0) > 1
    assert [segment.snapshot for segment in segments(directory, BINDINGS)] == [True, False]
    assert recover(directory).bindings == before
    assert fold_bindings(directory, 0.0) == 0


def test_folding_leaves_out_what_expired(tmp_path):
    old = bindings(1, expires_at=1000.0)
    directory = written(tmp_path / "j", old, bindings(2), bindings(3), segment_bytes=1)
    fold_bindings(directory, 1000.0)
    assert set(recover(directory).bindings) == {"sip:2@valmont.example", "sip:3@valmont.example"}


def test_a_crash_between_the_snapshot_and_the_deletions_changes_nothing(tmp_path):
    directory = written(tmp_path / "j", bindings(1, 2), bindings(1), bindings(2), segment_bytes=1)
    kept = {segment.path: segment.path.read_bytes() for segment in segments(directory, BINDINGS)}
    before = recover(directory).bindings
    fold_bindings(directory, 0.0)
    for path, data in kept.items():
        path.write_bytes(data)
    assert recover(directory).bindings == before


def test_recovering_while_the_worker_folds_finds_every_binding(tmp_path):
    directory = tmp_path / "j"
    journal = Journal(directory, segment_bytes=2000)
    done = threading.Event()

    def fold() -> None:
        while not done.is_set():
            fold_bindings(directory, 0.0)

    folding = threading.Thread(target=fold)
    folding.start()
    try:
        for number in range(300):
            journal.append(bindings(number))
            journal.flush()
            if number % 3 == 0:
                assert len(recover(directory).bindings) == number + 1
    finally:
        done.set()
        folding.join()
    journal.close()


def test_numbers_go_on_after_folding(tmp_path):
    directory = written(tmp_path / "j", bindings(1), bindings(2), bindings(3), segment_bytes=1)
    fold_bindings(directory, 0.0)
    written(directory, bindings(4))
    assert [segment.number for segment in segments(directory, BINDINGS)] == [2, 3, 4]


def calls_to_recover(directory: Path, records: int) -> int:
    """How many functions recovering this many bindings calls: a measure of work that no clock disturbs."""
    journal = Journal(directory)
    for number in range(records):
        journal.append(bindings(number))
    journal.close()
    called = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal called
        called += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        recovered = recover(directory)
    finally:
        sys.setprofile(None)
    assert len(recovered.bindings) == records
    return called


def test_the_work_of_recovering_grows_with_the_bindings_and_no_faster(tmp_path):
    few = calls_to_recover(tmp_path / "few", 1_000)
    many = calls_to_recover(tmp_path / "many", 10_000)
    assert many < 11 * few


def test_sync_tells_each_segment_once_for_what_it_holds(tmp_path):
    directory = written(tmp_path / "j", call(1), bindings(1))
    synced = sync_segments(directory, {})
    assert synced == {path: path.stat().st_size for path in (newest(directory, c) for c in (CALLS, BINDINGS))}
    assert sync_segments(directory, synced) == synced


WRITER = """
import sys
from pathlib import Path
from pbx.journal import Journal
from tests.pbx.sample_records import bindings, call
journal = Journal(Path(sys.argv[1]), segment_bytes=20_000)
for number in range(100_000):
    journal.append(call(number))
    journal.append(bindings(number % 100, 1 + number % 2))
    journal.flush()
    print(number, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 17, 150])
def test_kill_9_of_the_writer_loses_nothing_that_it_acknowledged(tmp_path, acknowledged):
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "j")], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    told = -1
    for line in writer.stdout:
        told = int(line)
        if told >= acknowledged:
            break
    writer.kill()
    for line in writer.stdout:  # what it acknowledged before the signal reached it
        if line.endswith("\n"):
            told = int(line)
    writer.wait()
    writer.stdout.close()
    recovered = recover(tmp_path / "j")
    calls = read_all(tmp_path / "j", CALLS)
    assert len(calls) >= told + 1
    assert calls == [call(number) for number in range(len(calls))]
    assert len(recovered.bindings) >= min(100, told + 1)


def test_times_print_as_rfc_3339_in_utc_with_milliseconds():
    assert rfc3339(1_700_000_000.3) == "2023-11-14T22:13:20.300Z"
    assert rfc3339(1_700_000_000.9996) == "2023-11-14T22:13:21.000Z"
    assert rfc3339(None) is None


def test_a_printed_call_has_the_names_and_the_order_that_were_promised():
    shown = printable(call(0))
    assert list(shown) == [
        "id",
        "started",
        "answered",
        "ended",
        "direction",
        "from",
        "from_name",
        "dialled",
        "to",
        "cause",
        "plan_version",
        "legs",
        "intervals",
        "parents",
        "plan_lines",
        "hidden",
        "recorded",
    ]
    assert shown["legs"][1] == {
        "device": "1002",
        "address": "192.0.2.11:5060",
        "transport": "TCP",
        "codec": None,
        "started": "2023-11-14T22:13:20.500Z",
        "answered": None,
        "ended": None,
        "cause": "busy",
        "quality": None,
        "media": None,
        "name": "",
        "number": "",
        "direction": "",
        "reached": "",
        "via": "",
        "call_id": "",
    }


def test_a_binding_of_an_older_journal_has_no_path_and_no_flow_number():
    """RFC 5626 section 4: what was registered before an upgrade is still there after it."""
    older = [
        "sip:a@192.0.2.1",
        "c1",
        7,
        1.0,
        100.0,
        [],
        "UDP",
        ["10.0.0.1", 5060],
        ["192.0.2.1", 5060],
        "",
        "1001",
    ]
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(older), type=Binding)
    assert (read.behind_nat, read.instance, read.reg_id) == (False, "", 0)
