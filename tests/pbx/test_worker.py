"""The worker, step by step with time as a value, and as a real process that is killed."""

import errno
import logging
import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
import zlib
from functools import partial
from itertools import pairwise

import msgspec
import pytest

import pbx.worker
from pbx.configuration import parse_configuration
from pbx.journal import BINDINGS, CALLS, FRAME, HEADER_BYTES, Journal, recover, segments
from pbx.people.directory import Person, device_credentials, read_directory
from pbx.records import CallRecord, Record
from pbx.store.calls import count_calls, list_calls
from pbx.store.database import Result, SqliteDatabase, Work
from pbx.store.people import add_person
from pbx.store.position import positions
from pbx.worker import Worker
from tests.pbx.sample_records import bindings, call

UNIX_NOW = 1_700_000_000.0


class Node:
    """A data_dir with a journal being written and a worker at work; every step is a second later."""

    def __init__(self, folder, segment_bytes: int = 1 << 20) -> None:
        self.configuration = parse_configuration("", folder / "beffroi.yaml")
        self.journal = Journal(self.configuration.journal_dir, segment_bytes=segment_bytes)
        self.worker = Worker(self.configuration)
        self.now = 100.0

    def write(self, *records: Record) -> None:
        for record in records:
            self.journal.append(record)
            self.journal.flush()

    def step(self, seconds: float = 1.0) -> None:
        self.now += seconds
        self.worker.step(self.now, UNIX_NOW + self.now)

    def restart_worker(self) -> None:
        self.worker.close(self.now)
        self.worker = Worker(self.configuration)

    def read(self, work: Work[Result]) -> Result:
        database = SqliteDatabase(self.configuration.sqlite_file)
        try:
            return database.read(work)
        finally:
            database.close()

    def calls(self) -> list[CallRecord]:
        return self.read(lambda connection: list_calls(connection, limit=100_000))

    def close(self) -> None:
        self.worker.close(self.now)
        self.journal.close()


@pytest.fixture
def node(tmp_path):
    node = Node(tmp_path)
    yield node
    node.close()


@pytest.fixture
def small_segments(tmp_path):
    node = Node(tmp_path, segment_bytes=1000)
    yield node
    node.close()


def test_calls_in_the_journal_reach_the_database(node):
    node.write(call(1), call(2))
    node.step()
    assert node.calls() == [call(2), call(1)]


def test_calls_that_come_later_are_imported_once(node):
    for number in range(5):
        node.write(call(number))
        node.step(0.2)
        node.step(0.2)
    assert node.calls() == [call(number) for number in (4, 3, 2, 1, 0)]


def test_a_restarted_worker_goes_on_where_the_database_is(node):
    node.write(call(1))
    node.step()
    node.restart_worker()
    node.write(call(2))
    node.step()
    assert node.calls() == [call(2), call(1)]


def test_a_segment_is_deleted_once_it_is_imported_and_a_newer_one_exists(small_segments):
    node = small_segments
    node.write(*(call(number) for number in range(30)))
    assert len(segments(node.configuration.journal_dir, CALLS)) > 3
    node.step()
    assert len(segments(node.configuration.journal_dir, CALLS)) == 1
    assert len(node.calls()) == 30
    assert len(node.read(positions)) == 1


def test_a_segment_that_came_back_after_its_deletion_is_not_imported_twice(small_segments):
    node = small_segments
    node.write(*(call(number) for number in range(8)))
    first = segments(node.configuration.journal_dir, CALLS)[0].path
    data = first.read_bytes()
    node.step()
    first.write_bytes(data)
    node.step()
    node.restart_worker()
    node.step()
    assert len(node.calls()) == 8
    assert not first.exists()


def test_a_journal_that_was_wiped_and_counts_from_one_again_is_imported(node):
    node.write(call(1), call(2))
    node.step()
    node.journal.close()
    for segment in segments(node.configuration.journal_dir, CALLS):
        segment.path.unlink()
    node.journal = Journal(node.configuration.journal_dir)
    node.write(call(3))
    node.step()
    assert node.calls() == [call(3), call(2), call(1)]


def test_a_database_that_was_deleted_gets_again_what_the_journal_still_holds(node):
    node.write(call(1))
    node.step()
    node.worker.close(node.now)
    for path in node.configuration.data_dir.glob("beffroi.sqlite3*"):
        path.unlink()
    node.worker = Worker(node.configuration)
    node.step()
    assert node.calls() == [call(1)]


def test_a_torn_tail_of_a_closed_segment_is_passed_over(node):
    node.write(call(1), call(2))
    path = segments(node.configuration.journal_dir, CALLS)[0].path
    os.truncate(path, path.stat().st_size - 3)
    node.journal.close()
    node.journal = Journal(node.configuration.journal_dir)
    node.write(call(3))
    node.step()
    assert node.calls() == [call(3), call(1)]
    assert not path.exists()


def test_a_record_that_is_being_written_is_waited_for(node):
    node.write(call(1), call(2))
    path = segments(node.configuration.journal_dir, CALLS)[0].path
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    node.step()
    assert node.calls() == [call(1)]
    path.write_bytes(whole)
    node.step()
    assert node.calls() == [call(2), call(1)]


def test_a_damaged_segment_is_kept_aside_and_the_next_one_imported(node, caplog):
    node.write(call(1), call(2), call(3))
    path = segments(node.configuration.journal_dir, CALLS)[0].path
    data = bytearray(path.read_bytes())
    data[HEADER_BYTES + (len(data) - HEADER_BYTES) // 2] ^= 0xFF
    path.write_bytes(data)
    node.journal.close()
    node.journal = Journal(node.configuration.journal_dir)
    node.write(call(4))
    node.step()
    assert node.calls() == [call(4), call(1)]
    assert path.with_suffix(".damaged").exists()
    assert "is damaged" in caplog.text


def test_a_call_that_no_database_takes_does_not_keep_the_others_out(node, caplog):
    node.write(call(1), msgspec.structs.replace(call(2), ended=float("nan")), call(3))
    node.step()
    assert node.calls() == [call(3), call(1)]
    assert f"call={2:016x} can't be stored" in caplog.text


def test_a_record_that_cannot_be_read_is_logged_once_and_passed_over(node, caplog):
    payload = msgspec.msgpack.encode(["hologram"])
    node.write(call(1))
    with segments(node.configuration.journal_dir, CALLS)[0].path.open("ab") as file:
        file.write(FRAME.pack(len(payload), zlib.crc32(payload)) + payload)
    for _ in range(3):
        node.step()
    node.write(call(2))
    node.step()
    assert node.calls() == [call(2), call(1)]
    assert caplog.text.count("1 records can't be read") == 1


def test_a_locked_database_is_logged_once_and_imported_into_when_it_is_free(node, caplog, monkeypatch):
    monkeypatch.setattr(
        pbx.worker, "open_database", lambda url: SqliteDatabase(node.configuration.sqlite_file, 0.01)
    )
    node.step()
    locker = sqlite3.connect(node.configuration.sqlite_file, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    node.worker.close(node.now)
    node.write(call(1))
    for _ in range(5):
        node.step(60.0)
    locker.execute("ROLLBACK")
    locker.close()
    node.step(60.0)
    assert node.calls() == [call(1)]
    messages = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert messages == ["database trouble=database: database is locked", "database works again"]


def test_a_database_that_is_away_is_tried_less_and_less_often(node, monkeypatch):
    tries: list[float] = []

    def away(_url: str) -> SqliteDatabase:
        tries.append(node.now)
        raise OSError(errno.ECONNREFUSED, "Connection refused")

    monkeypatch.setattr(pbx.worker, "open_database", away)
    for _ in range(600):
        node.step(0.2)
    waits = [later - earlier for earlier, later in pairwise(tries)]
    assert waits == pytest.approx([0.6, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0], abs=0.21)


def test_closed_segments_of_bindings_are_folded(small_segments):
    node = small_segments
    node.write(*(bindings(number % 5) for number in range(30)))
    before = recover(node.configuration.journal_dir).bindings
    node.step()
    files = segments(node.configuration.journal_dir, BINDINGS)
    assert [file.snapshot for file in files] == [True, False]
    assert recover(node.configuration.journal_dir).bindings == before


def test_people_are_exported_when_they_change_and_only_then(node):
    node.step()
    path = node.configuration.directory_file
    first = path.stat().st_mtime_ns
    node.step()
    assert path.stat().st_mtime_ns == first
    person = Person("1001", "Alice Martin", "national", devices=[device_credentials("1001", "v", "p")])
    database = SqliteDatabase(node.configuration.sqlite_file)
    database.write(lambda connection: add_person(connection, person))
    database.close()
    node.step()
    assert read_directory(path).people == [person]


def test_an_exported_directory_that_was_spoilt_is_exported_again(node):
    node.step()
    node.configuration.directory_file.write_text("{")
    node.step()
    assert read_directory(node.configuration.directory_file).people == []


def test_a_data_dir_without_a_journal_yet_is_no_trouble(tmp_path, caplog):
    worker = Worker(parse_configuration("", tmp_path / "beffroi.yaml"))
    worker.step(100.0, UNIX_NOW)
    worker.close(100.0)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# The process

MAIN = """
import os, sys
from pathlib import Path
from pbx.configuration import parse_configuration
from pbx.worker import run_worker
run_worker(parse_configuration("", Path(sys.argv[1]) / "beffroi.yaml"), int(sys.argv[2]))
"""


class Process:
    """A real worker process and the pipe that wakes it."""

    def __init__(self, folder) -> None:
        reader, self.wake = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, str(folder), str(reader)], pass_fds=[reader]
        )
        os.close(reader)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(30)
        os.close(self.wake)
        return code


@pytest.fixture
def ready(tmp_path):
    """A data_dir whose database is migrated, so that a worker starts quickly."""
    node = Node(tmp_path, segment_bytes=30_000)
    node.step()
    yield node
    node.close()


def test_sigterm_imports_what_is_there_and_ends_with_status_0(tmp_path, ready):
    process = Process(tmp_path)
    wait_for_import(ready, call(0))
    ready.write(*(call(number) for number in range(1000)))
    assert process.end() == 0
    assert len(ready.calls()) == 1000


def test_the_worker_ends_when_its_parent_is_gone(tmp_path, ready):
    process = Process(tmp_path)
    ready.write(call(1))
    os.close(process.wake)
    assert process.process.wait(30) == 0
    assert ready.calls() == [call(1)]


def test_sigint_is_left_to_the_parent(tmp_path, ready):
    process = Process(tmp_path)
    wait_for_import(ready, call(1))
    process.process.send_signal(signal.SIGINT)
    wait_for_import(ready, call(2))
    assert process.end() == 0


def wait_for_import(node: Node, record: CallRecord) -> None:
    """Write a call and wait until the worker process has it in the database."""
    node.write(record)
    for _ in range(1000):
        if node.read(partial(list_calls, call_id=record.id)) == [record]:
            return
        select.select([], [], [], 0.01)
    raise AssertionError("the worker imported nothing in ten seconds")


def test_kill_9_of_the_worker_at_any_moment_loses_no_call_and_doubles_none(tmp_path, ready):
    chance = random.Random(2026)
    written = 0
    for _ in range(4):
        process = Process(tmp_path)
        wait_for_import(ready, call(written))
        written += 1
        # The worker is at work from here on: it is killed somewhere in what follows.
        for _ in range(chance.randrange(1, 40)):
            batch = [call(written + number) for number in range(50)]
            for record in batch:
                ready.journal.append(record)
            ready.journal.flush()
            os.write(process.wake, b"!")
            written += len(batch)
        assert process.end(signal.SIGKILL) == -signal.SIGKILL
    ready.step()
    assert ready.read(count_calls) == written
    assert ready.calls() == [call(number) for number in reversed(range(written))]
    legs = sqlite3.connect(ready.configuration.sqlite_file)
    assert legs.execute("SELECT count(*) FROM legs").fetchone() == (2 * written,)
    legs.close()
