"""The recorder's process between tape, signalling, and who asks for recordings."""

import asyncio
import getpass
import os
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from errno import ENOSPC
from pathlib import Path

import msgspec
import pytest

from media import frames
from media.engines.tape import Taped
from recording import keys
from recording.archive import requests
from recording.archive.archive import Archive
from recording.archive.catalogue import Catalogue
from recording.archive.clock import ClockWatch
from recording.keys import KeyStore
from recording.live import wire
from recording.live.process import HEARD_TURNS, Process
from recording.live.wire import (
    Begin,
    End,
    Facts,
    Failing,
    Going,
    Heard,
    Inventory,
    Order,
    Report,
    Track,
    Trouble,
)
from recording.live.writer import Writer
from recording.proof import entries as entry_bytes
from recording.proof.entries import Clock, Ended, Entry, read
from recording.proof.journal import Journal, entries
from recording.proof.sealed_file import segments, unseal
from recording.proof.verifier import verify
from recording.retention import ClockSeen
from tests.recording.sealed import NODE, plains, sealed

START = 1_795_339_800_000_000
PCMA = {"8": "PCMA/8000/1"}
FACTS = Facts("police", "c1", line="8200", caller="+33612345678", called="17")
RECORDING = "20261122-101500-abc"


class FakeTape:
    """A tape on which tests put what they like."""

    def __init__(self) -> None:
        self.taped: list[Taped] = []

    def put(self, slot: int, track: int, at: int) -> None:
        self.taped.append(Taped(slot, entry_bytes.packet(track, at, bytes(172)), 1, 0, 1 << track, at, at))

    def read(self, _offset_us: int) -> list[Taped]:
        taken, self.taped = self.taped, []
        return taken

    def close(self) -> None:
        self.taped = []


class FakeClocks:
    """Clocks that tests set."""

    def __init__(self) -> None:
        self.wall = START
        self.steady = 5_000_000

    def wall_us(self) -> int:
        return self.wall

    def steady_us(self) -> int:
        return self.steady

    def go_on(self, seconds: float) -> None:
        self.wall += int(seconds * 1e6)
        self.steady += int(seconds * 1e6)


class FakeSignalling:
    """Signalling's end: what it was told."""

    def __init__(self) -> None:
        self.told: list[Report] = []
        self.ended = False
        self._reader = frames.FrameReader()

    def write(self, data: bytes) -> None:
        for body in self._reader.receive(data):
            self.told += wire.reports(body)

    def end(self) -> None:
        self.ended = True


class Node:
    """A process of the recorder's on a folder, without its loop."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files = directory / "recordings"
        self.files.mkdir(exist_ok=True)
        if not (directory / "recording.pub").exists():
            keys.make_pair(directory / "recording.pub", directory / "recording.key")
        self.private = keys.read_private(directory / "recording.key")
        self.store_path = directory / "keys"
        self.store_path.mkdir(exist_ok=True)
        self.store = KeyStore(self.store_path)
        self.journal = Journal(self.files / "journal", NODE)
        self.tape, self.clocks = FakeTape(), FakeClocks()
        self.writer = Writer(self.files, self.store, self.private.public_key(), lambda: 0.0, lambda: None)
        catalogue = Catalogue(self.files / "catalogue.sqlite")
        self.catalogue = catalogue
        archive = Archive(self.files, self.store, self.journal, catalogue, ClockWatch(self.files), self._seen)
        self.process = Process(self.tape, self.files, self.writer, self.journal, archive, [], self.clocks)

    def _seen(self) -> ClockSeen:
        return ClockSeen(self.clocks.wall / 1e6, self.clocks.steady / 1e6, "boot", synchronised=True)

    def obey(self, *orders: Order) -> None:
        for order in orders:
            self.process.obey(order)

    def begin(self, slot: int = 5, recording: str = RECORDING) -> None:
        self.obey(Begin(slot, recording, self.clocks.wall, FACTS), Track(slot, 0, "1001", "a", PCMA))

    def turn(self, seconds: float = 0.1) -> None:
        self.clocks.go_on(seconds)
        self.process.turn()

    def settle(self) -> None:
        """Let the thread write what waits: time goes faster here than for it."""
        while self.writer.waiting_bytes:
            self.process.turn()
            time.sleep(0.001)

    def met(self) -> FakeSignalling:
        made = FakeSignalling()
        self.process.met(made)
        return made

    def turn_until(self, signalling: FakeSignalling, wanted: type[Report]) -> Report:
        """Turn until signalling was told this; the writer's thread takes its time."""
        for _ in range(30_000):
            for one in signalling.told:
                if isinstance(one, wanted):
                    return one
            self.process.turn()
            time.sleep(0.001)
        raise AssertionError(f"{wanted.__name__} was never told: {signalling.told}")

    def heard(self, recording: str = RECORDING) -> list[Entry]:
        (path,) = self.files.rglob(f"{recording}.sealed")
        key = keys.unwrap(self.store.get(recording), recording, self.private)
        return [entry for one in segments(path) for entry in read(unseal(one, key, path), one.begun)]

    def close(self) -> None:
        assert self.process.close(30)
        self.journal.close()
        self.catalogue.close()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with closing(Node(tmp_path)) as made:
        yield made


def test_signalling_that_comes_is_told_first_what_goes_on(node: Node):
    node.begin()
    assert node.met().told == [Inventory((Going(5, RECORDING, "c1", (0,)),))]


def test_new_signalling_takes_the_place_of_the_one_before_and_recordings_go_on(node: Node):
    first = node.met()
    node.begin()
    second = node.met()
    assert first.ended
    node.process.left(first)
    node.obey(End(5, "hung up"))
    assert node.turn_until(second, wire.Ended).recording == RECORDING
    assert first.told == [Inventory(())]


def test_recording_goes_on_while_there_is_no_signalling(node: Node):
    first = node.met()
    node.begin()
    node.process.left(first)
    for _ in range(20):
        node.tape.put(5, 0, node.clocks.wall)
        node.turn()
    second = node.met()
    node.obey(wire.Slots((5,)), End(5, "hung up"))
    assert node.turn_until(second, wire.Ended).packets == 20


def test_twice_a_second_it_is_told_when_each_track_was_heard(node: Node):
    signalling = node.met()
    node.begin()
    at = node.clocks.wall
    node.tape.put(5, 0, at)
    for _ in range(HEARD_TURNS):
        node.turn()
    assert [one for one in signalling.told if isinstance(one, Heard)] == [Heard({5: {0: at}})]


def test_order_that_comes_too_late_is_none(node: Node):
    signalling = node.met()
    node.obey(End(9, "hung up"), wire.Part(9, "talk", []), Track(9, 0, "1001", "a", PCMA))
    node.begin()
    node.obey(Track(5, 64, "1001", "a", PCMA), End(5, "hung up"))
    assert node.turn_until(signalling, wire.Ended).recording == RECORDING


def test_full_disk_is_told_again_to_the_next_signalling(node: Node, monkeypatch: pytest.MonkeyPatch):
    def no_room(*_: object) -> int:
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr("recording.live.writer.RETRY_SECONDS", 0.0)
    first = node.met()
    with monkeypatch.context() as disk:
        disk.setattr("recording.proof.sealed_file.os.write", no_room)
        node.begin()
        failing = node.turn_until(first, Failing)
        assert failing == Failing(RECORDING, "No space left on device")
        assert node.met().told[1:] == [failing]
    node.obey(End(5, "hung up"))
    assert node.turn_until(node.met(), wire.Ended).lost == 0


@pytest.mark.parametrize("hours", [-1, 1])
def test_clock_that_is_set_by_an_hour_is_stated_and_nothing_is_missing(node: Node, hours: int):
    signalling = node.met()
    node.begin()
    for number in range(30):
        node.tape.put(5, 0, node.clocks.wall)
        if number == 15:
            node.turn()
            node.clocks.wall += hours * 3_600_000_000
        node.turn()
        node.settle()
    node.obey(End(5, "hung up"))
    ended = node.turn_until(signalling, wire.Ended)
    assert (ended.packets, ended.lost) == (30, 0)
    assert not [one for one in signalling.told if isinstance(one, Failing)]
    said = node.heard()
    clocks = [entry.at for entry in said if isinstance(entry.statement, Clock)]
    assert round((clocks[1] - clocks[0]) / 3.6e9) == hours
    assert isinstance(said[-1].statement, Ended)
    assert verify(node.files, node.journal.path, NODE.public_key()).findings == []


# With its loop and its sockets


class Served:
    """A process that runs. trouble: waits for one that is told."""

    def __init__(self, node: Node, directory: Path) -> None:
        self.node = node
        self.paths = directory / "recorder.sock", directory / requests.FILE_NAME
        self._listening = [_listening(path) for path in self.paths]
        self.ran = asyncio.get_running_loop().create_task(node.process.run(*self._listening))

    async def connect(self, which: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(str(self.paths[which]))

    async def stop(self) -> None:
        self.node.process.stop()
        await self.ran


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Callable[[], Served]]:
    made: list[Served] = []

    def begin() -> Served:
        made.append(Served(Node(tmp_path), tmp_path))
        return made[-1]

    yield begin
    for served in made:
        await served.stop()
        served.node.close()


def _listening(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    made.listen()
    return made


async def reports_until(reader: asyncio.StreamReader, wanted: type[Report]) -> list[Report]:
    """What is told until this is. Raises TimeoutError."""
    unframed = frames.FrameReader()
    told: list[Report] = []
    async with asyncio.timeout(45):
        while not any(isinstance(one, wanted) for one in told):
            data = await reader.read(65536)
            assert data, f"it hung up after {told}"
            told += [one for body in unframed.receive(data) for one in wire.reports(body)]
    return told


def troubles(told: list[Report]) -> list[Trouble]:
    """What isn't well by these."""
    known = [trouble for one in told if isinstance(one, Inventory) for trouble in one.troubles]
    return known + [one for one in told if isinstance(one, Trouble)]


async def test_stop_ends_recordings_in_order(serve: Callable[[], Served]):
    served = serve()
    reader, writer = await served.connect(0)
    writer.write(frames.frame([Begin(5, RECORDING, START, FACTS)]))
    await reports_until(reader, Heard)
    served.node.process.stop()
    told = await reports_until(reader, wire.Ended)
    await served.ran
    assert told[-1].recording == RECORDING
    last = list(entries(served.node.journal.path, NODE.public_key()))[-1]
    assert (last.what, last.about["cause"]) == ("ended", "stopped")
    writer.close()


async def test_what_a_recorder_before_has_left_is_repaired_and_damage_is_told(
    serve: Callable[[], Served], tmp_path: Path
):
    month = tmp_path / "recordings" / "202611"
    month.mkdir(parents=True)
    sealed(month, "20261122-whole", plains(2))
    damaged = sealed(month, "20261122-wrong", plains(2)).path
    damaged.write_bytes(damaged.read_bytes().replace(bytes([7]) * 4, bytes(4)))
    data = bytearray(damaged.read_bytes())
    data[-100] ^= 1
    damaged.write_bytes(data)
    served = serve()
    reader, writer = await served.connect(0)
    found = troubles(await reports_until(reader, Inventory))  # before we asked, or after
    found = found or troubles(await reports_until(reader, Trouble))
    writer.close()
    assert [one.what for one in found] == ["repair"]
    assert "20261122-wrong" in found[0].why
    said = {one.recording: one.what for one in entries(served.node.journal.path, NODE.public_key())}
    assert said == {"20261122-whole": "repaired", "20261122-wrong": "damaged"}


async def test_request_is_answered_to_the_account_that_asks(serve: Callable[[], Served]):
    served = serve()
    reader, writer = await served.connect(1)
    request = requests.Search(query=requests.Query(line="8200"), why="dossier 12")
    writer.write(msgspec.json.encode(request) + b"\n")
    answer = await reader.readline()
    writer.close()
    assert b'"Refused"' in answer
    refused = next(
        one for one in entries(served.node.journal.path, NODE.public_key()) if one.what == "refused"
    )
    assert refused.by == getpass.getuser()


async def test_process_of_the_node_names_who_keeps_house_and_a_command_does_not(
    serve: Callable[[], Served],
):
    served = serve()
    line = msgspec.json.encode(requests.ListHolds(keeper="claire")) + b"\n"
    reader, writer = await served.connect(1)  # this process: the recorder's own parent is its parent
    writer.write(line)
    assert b'"HoldList"' in await reader.readline()
    writer.close()
    say = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
        "s.sendall(sys.argv[2].encode()); print(s.makefile().readline())"
    )
    command = await asyncio.create_subprocess_exec(
        sys.executable, "-c", say, str(served.paths[1]), line.decode(), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await command.communicate()
    assert b"by the node's own pages alone" in said


async def test_who_asks_for_the_last_call_hears_up_to_now(serve: Callable[[], Served]):
    served = serve()
    reader, writer = await served.connect(0)
    writer.write(frames.frame([Begin(5, RECORDING, START, FACTS), Track(5, 0, "1001", "a", PCMA)]))
    await reports_until(reader, Heard)
    asking, asked = await served.connect(1)
    asked.write(msgspec.json.encode(requests.Last(line="8200", why="dossier 12")) + b"\n")
    assert await asking.readline()
    for _ in range(1_000_000):  # a disk may take longer than anybody waits
        if not served.node.writer.waiting_bytes:
            break
        await asyncio.sleep(0)
    said = [entry.statement for entry in served.node.heard()]  # though no second has gone by
    assert entry_bytes.Track("1001", "a", PCMA) in said
    asked.close()
    writer.close()


async def test_what_is_no_request_is_told_so(serve: Callable[[], Served]):
    served = serve()
    reader, writer = await served.connect(1)
    writer.write(b"{]\n")
    assert b"this is no request" in await reader.readline()
    writer.close()


async def test_who_says_what_is_no_order_is_let_go_of_and_the_others_go_on(serve: Callable[[], Served]):
    served = serve()
    reader, writer = await served.connect(0)
    writer.write(b"\x00\x00\x00\x05hello")
    async with asyncio.timeout(45):
        while await reader.read(65536):
            pass
    writer.close()
    reader, writer = await served.connect(0)
    assert (await reports_until(reader, Inventory))[0] == Inventory(())
    writer.close()


@pytest.mark.parametrize(
    "order",
    [
        Begin(0, RECORDING, START, FACTS),
        Begin(65_536, RECORDING, START, FACTS),
        Begin(5, "../../etc/passwd", START, FACTS),
        Begin(5, "", START, FACTS),
    ],
)
def test_recording_that_could_not_be_named_so_is_no_order(order: Begin):
    with pytest.raises(frames.WireError):
        wire.orders(frames.frame([order])[4:])


def test_disk_that_stands_still_for_ten_seconds_holds_up_neither_tape_nor_signalling(
    node: Node, monkeypatch: pytest.MonkeyPatch
):
    moves = threading.Event()
    write, synchronise = os.write, os.fdatasync

    def stands_still(descriptor: int, data: memoryview) -> int:
        assert moves.wait(30)
        return write(descriptor, data)

    def is_not_synchronised(descriptor: int) -> None:
        assert moves.wait(30)
        synchronise(descriptor)

    signalling = node.met()
    with monkeypatch.context() as disk:
        disk.setattr("recording.proof.sealed_file.os.write", stands_still)
        disk.setattr("recording.proof.journal.os.fdatasync", is_not_synchronised)
        began = node.clocks.wall
        node.begin()
        for _ in range(100):
            node.tape.put(5, 0, node.clocks.wall)
            node.turn()
            if not any(isinstance(one, Failing) for one in signalling.told):
                assert node.clocks.wall - began < 5e6
        node.obey(End(5, "hung up"))
        assert [one for one in signalling.told if isinstance(one, Failing)] == [
            Failing(RECORDING, "the disk takes nothing")
        ]
        assert signalling.told[-1] == Heard({5: {0: node.clocks.wall - 100_000}})
        moves.set()
        ended = node.turn_until(signalling, wire.Ended)
    assert (ended.packets, ended.lost) == (100, 0)
