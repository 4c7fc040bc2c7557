"""The thread that writes: in order, whatever the disk does, and it says how it fares."""

import os
import threading
from collections.abc import Callable, Iterator
from errno import ENOSPC
from pathlib import Path
from queue import SimpleQueue

import pytest

from recording import keys
from recording.keys import KeyStore
from recording.live import writer
from recording.live.capture import Plain
from recording.live.writer import Closed, Failed, Opened, Report, Writer, Written
from recording.proof.sealed_file import segments, unseal
from recording.proof.verifier import verify_file

BEGUN = 1_795_339_800_000_000
RECORDING = "20261122-101500-abc"


class Node:
    """A writer with its keys. next: waits for the next report."""

    def __init__(self, directory: Path) -> None:
        keys.make_pair(directory / "recording.pub", directory / "recording.key")
        self.private = keys.read_private(directory / "recording.key")
        self.store = KeyStore(directory / "keys")
        self.directory = directory / "recordings"
        self.directory.mkdir()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._reports: list[Report] = []
        self.writer = Writer(
            self.directory, self.store, self.private.public_key(), lambda: 0.0, lambda: self._wake.put(None)
        )

    def next(self) -> Report:
        while not self._reports:
            self._wake.get(timeout=30)
            self._reports += self.writer.reports()
        return self._reports.pop(0)

    def plains(self, closed: Closed) -> list[bytes]:
        """What a recording holds, opened by the private half."""
        key = keys.unwrap(self.store.get(closed.recording), closed.recording, self.private)
        return [unseal(segment, key, closed.path) for segment in segments(closed.path)]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)
    yield made
    made.writer.stop(30)


def segment(number: int) -> Plain:
    return Plain(BEGUN + number * 1_000_000, b"segment %d" % number * 20, 50)


def closed(node: Node) -> Closed:
    while True:
        report = node.next()
        if isinstance(report, Closed):
            return report


def full_for(times: int, function: Callable[..., object]) -> Callable[..., object]:
    """A function of the disk that is full for the first calls."""
    left = [times]

    def called(*arguments: object, **named: object) -> object:
        if left[0]:
            left[0] -= 1
            raise OSError(ENOSPC, "No space left on device")
        return function(*arguments, **named)

    return called


def test_recording_is_written_in_order_and_opened_by_the_private_half(node: Node):
    node.writer.begin(RECORDING, BEGUN)
    for number in range(3):
        assert node.writer.write(RECORDING, segment(number))
    node.writer.end(RECORDING)
    reports = [node.next() for _ in range(5)]
    assert [type(report) for report in reports] == [Opened, Written, Written, Written, Closed]
    end = reports[-1]
    assert isinstance(end, Closed)
    assert node.plains(end) == [segment(number).plain for number in range(3)]
    assert (end.segments, end.bytes) == (3, end.path.stat().st_size)
    assert verify_file(end.path, end.head) == []
    assert node.writer.waiting_bytes == 0


def test_key_lies_in_the_store_and_not_in_the_file(node: Node):
    node.writer.begin(RECORDING, BEGUN)
    node.writer.end(RECORDING)
    end = closed(node)
    wrapped = node.store.get(RECORDING)
    assert wrapped not in end.path.read_bytes()
    assert keys.unwrap(wrapped, RECORDING, node.private) not in end.path.read_bytes()


def test_disk_that_is_full_for_a_while_loses_nothing(node: Node, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.0)
    node.writer.begin(RECORDING, BEGUN)
    node.writer.write(RECORDING, segment(0))
    assert [type(node.next()) for _ in range(2)] == [Opened, Written]
    with monkeypatch.context() as disk:
        disk.setattr("recording.proof.sealed_file.os.write", full_for(3, os.write))
        node.writer.write(RECORDING, segment(1))
        reports = [node.next() for _ in range(4)]
    assert reports[:3] == [Failed(RECORDING, "No space left on device", 0)] * 3
    node.writer.end(RECORDING)
    assert node.plains(closed(node)) == [segment(0).plain, segment(1).plain]


def test_recording_whose_file_cannot_be_made_at_first_is_made_later(
    node: Node, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.0)
    with monkeypatch.context() as disk:
        disk.setattr("recording.proof.sealed_file.os.write", full_for(2, os.write))
        node.writer.begin(RECORDING, BEGUN)
        node.writer.write(RECORDING, segment(0))
        node.writer.end(RECORDING)
        assert [type(node.next()) for _ in range(5)] == [Failed, Failed, Opened, Written, Closed]
    assert node.store.recordings() == {RECORDING}


def test_recording_that_there_is_is_never_written_over(node: Node, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.0)
    node.writer.begin(RECORDING, BEGUN)
    node.writer.write(RECORDING, segment(0))
    node.writer.end(RECORDING)
    end = closed(node)
    node.writer.begin(RECORDING, BEGUN)
    failed = node.next()
    assert isinstance(failed, Failed)
    assert failed.why == "there is such a recording"
    assert node.plains(end) == [segment(0).plain]


def test_disk_that_stands_still_holds_up_nobody_but_the_thread(node: Node, monkeypatch: pytest.MonkeyPatch):
    moves = threading.Event()
    write = os.write

    def stands_still(descriptor: int, data: memoryview) -> int:
        moves.wait(30)
        return write(descriptor, data)

    with monkeypatch.context() as disk:
        disk.setattr("recording.proof.sealed_file.os.write", stands_still)
        node.writer.begin(RECORDING, BEGUN)
        for number in range(10):
            assert node.writer.write(RECORDING, segment(number))
        assert node.writer.waiting_bytes == sum(len(segment(number).plain) for number in range(10))
        moves.set()
        node.writer.end(RECORDING)
        assert node.plains(closed(node)) == [segment(number).plain for number in range(10)]


def test_what_memory_cannot_hold_is_let_go_and_told(node: Node, monkeypatch: pytest.MonkeyPatch):
    moves = threading.Event()
    write = os.write

    def stands_still(descriptor: int, data: memoryview) -> int:
        moves.wait(30)
        return write(descriptor, data)

    monkeypatch.setattr(writer, "MOST_WAITING_BYTES", len(segment(0).plain) + 10)
    with monkeypatch.context() as disk:
        disk.setattr("recording.proof.sealed_file.os.write", stands_still)
        node.writer.begin(RECORDING, BEGUN)
        assert node.writer.write(RECORDING, segment(0))
        assert not node.writer.write(RECORDING, segment(1))
        assert Failed(RECORDING, "too much waits to be written", 50) in node.writer.reports()
        moves.set()
        node.writer.end(RECORDING)
        assert node.plains(closed(node)) == [segment(0).plain]


def test_stop_writes_what_waits(node: Node):
    node.writer.begin(RECORDING, BEGUN)
    for number in range(100):
        node.writer.write(RECORDING, segment(number))
    node.writer.end(RECORDING)
    assert node.writer.stop(30)
    assert len(node.plains(closed(node))) == 100


def test_stop_says_when_something_could_not_be_written(node: Node, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as disk:
        disk.setattr("recording.proof.sealed_file.os.write", full_for(10**9, os.write))
        node.writer.begin(RECORDING, BEGUN)
        node.writer.write(RECORDING, segment(0))
        assert isinstance(node.next(), Failed)
        assert not node.writer.stop(30)


def test_key_that_a_try_has_left_holds_up_no_other(node: Node, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.0)
    with monkeypatch.context() as disk:
        disk.setattr("recording.proof.sealed_file.os.write", full_for(2, os.write))
        disk.setattr("recording.keys.Path.unlink", full_for(2, Path.unlink))
        node.writer.begin(RECORDING, BEGUN)
        node.writer.write(RECORDING, segment(0))
        node.writer.end(RECORDING)
        end = closed(node)
    assert node.plains(end) == [segment(0).plain]


def test_fault_of_ours_in_one_recording_keeps_no_other_from_being_written(
    node: Node, caplog: pytest.LogCaptureFixture
):
    node.writer.write("20261122-never-begun", segment(0))
    node.writer.begin(RECORDING, BEGUN)
    node.writer.write(RECORDING, segment(1))
    node.writer.end(RECORDING)
    assert node.plains(closed(node)) == [segment(1).plain]
    assert node.writer.waiting_bytes == 0
    assert "recording=20261122-never-begun could not be written" in caplog.text


def test_file_whose_header_could_not_be_written_leaves_nothing_open(
    node: Node, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.0)
    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as disk:
        disk.setattr("recording.proof.sealed_file.os.write", full_for(20, os.write))
        node.writer.begin(RECORDING, BEGUN)
        while not isinstance(node.next(), Opened):
            pass
    assert len(os.listdir("/proc/self/fd")) == before + 1
    node.writer.end(RECORDING)
    closed(node)
    assert list(node.directory.rglob("*.new")) == []
