"""All recordings that go on: from the tape into files, and what goes wrong is told in time."""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from errno import ENOSPC
from pathlib import Path
from queue import SimpleQueue

import pytest

from media.engines.tape import Taped
from recording import keys
from recording.keys import KeyStore
from recording.live import writer
from recording.live.recorder import LATE_SECONDS, Entered, Recorder, Told
from recording.live.wire import Ended, Failing, Going, WellAgain
from recording.live.writer import Writer
from recording.proof import entries as entry_bytes
from recording.proof.entries import About, Clock, Missed, Part, Track, read
from recording.proof.entries import Ended as EndStated
from recording.proof.journal import Journal, entries
from recording.proof.sealed_file import segments, unseal
from recording.proof.verifier import verify
from tests.recording.sealed import NODE

START = 1_795_339_800_000_000
CLOCK = Clock("ntp", 0)
ABOUT = About("police", "c1", "8200", "", "+33612345678", "17", "in", "mairie", "")
PCMA = {"8": "PCMA/8000/1"}
FULL = "No space left on device"


def taped(slot: int, track: int, now: int, packets: int = 1) -> Taped:
    made = b"".join(entry_bytes.packet(track, now, bytes(172)) for _ in range(packets))
    return Taped(slot, made, packets, 0, 1 << track, now, now)


class Node:
    """A recorder with its writer; its time goes on by `turn`."""

    def __init__(self, directory: Path) -> None:
        keys.make_pair(directory / "recording.pub", directory / "recording.key")
        self.private = keys.read_private(directory / "recording.key")
        self.store = KeyStore(directory / "keys")
        self.files = directory / "recordings"
        self.files.mkdir()
        self.journal_path = directory / "journal"
        self.journal = Journal(self.journal_path, NODE)
        self.woken: SimpleQueue[None] = SimpleQueue()
        public = self.private.public_key()
        self.writer = Writer(self.files, self.store, public, lambda: 0.0, lambda: self.woken.put(None))
        self.recorder = Recorder(self.writer, self.enter)
        self.now = START
        self.told: deque[Told] = deque()

    def enter(self, said: Entered) -> None:
        self.journal.append(said.at, said.what, said.recording, "node", **said.about)

    def turn(self, *taken: Taped, seconds: float = 0.1) -> list[Told]:
        self.now += int(seconds * 1e6)
        return self.recorder.turn(taken, self.now)

    def turn_until(self, wanted: type[Told]) -> Told:
        """Turn twice (it takes two to end) after each report of the writer's, until this is told.

        What was told with it and behind it is for the next time.
        """
        while True:
            self.told.extend(self.turn() + self.turn())
            while self.told:
                if isinstance(told := self.told.popleft(), wanted):
                    return told
            self.woken.get(timeout=30)

    def heard(self, recording: str) -> list[object]:
        """What a file holds: statements, and tracks of packets."""
        (path,) = self.files.rglob(f"{recording}.sealed")
        key = keys.unwrap(self.store.get(recording), recording, self.private)
        return [
            entry.statement or entry.track
            for segment in segments(path)
            for entry in read(unseal(segment, key, path), segment.begun)
        ]

    def said(self) -> list[tuple[str, str]]:
        return [(one.what, one.recording) for one in entries(self.journal_path, NODE.public_key())]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)
    with closing(made.journal):
        yield made
        made.writer.stop(30)


def no_room(*_arguments: object) -> int:
    raise OSError(ENOSPC, FULL)


def test_what_parties_say_is_in_the_file_when_it_ends(node: Node):
    node.recorder.begin(5, "20261122-r1", ABOUT, CLOCK, node.now)
    node.recorder.track(5, 0, "1001", "a", PCMA, node.now)
    node.recorder.track(5, 1, "1002", "b0", PCMA, node.now)
    node.recorder.part(5, "talk", ["a", "b0"], node.now)
    node.turn(taped(5, 0, node.now), taped(5, 1, node.now))
    node.recorder.end(5, "hung up")
    node.turn(taped(5, 0, node.now))  # it was on its way
    end = node.turn_until(Ended)
    assert isinstance(end, Ended)
    assert (end.recording, end.packets, end.lost) == ("20261122-r1", 3, 0)
    assert node.heard("20261122-r1") == [
        ABOUT,
        CLOCK,
        Track("1001", "a", PCMA),
        Track("1002", "b0", PCMA),
        Part("talk", ["a", "b0"]),
        0,
        1,
        0,
        EndStated("hung up", 3, 3 * 180),
    ]
    assert node.said() == [("begun", "20261122-r1"), ("ended", "20261122-r1")]
    verified = verify(node.files, node.journal_path, NODE.public_key())
    assert (verified.whole, verified.findings) == (1, [])
    assert len(node.recorder) == 0
    assert node.recorder.going == ()


def test_slot_may_be_anothers_once_its_recording_has_ended(node: Node):
    told: list[Told] = []
    for recording in ("20261122-r1", "20261122-r2"):
        node.recorder.begin(5, recording, ABOUT, CLOCK, node.now)
        node.recorder.track(5, 0, "1001", "a", PCMA, node.now)
        node.turn(taped(5, 0, node.now))
        node.recorder.end(5, "hung up")
        told += node.turn() + node.turn()
    while len(ends := [one for one in told if isinstance(one, Ended)]) < 2:
        told.append(node.turn_until(Ended))
    assert [(end.recording, end.packets) for end in ends] == [("20261122-r1", 1), ("20261122-r2", 1)]


def test_packets_that_come_before_their_recording_is_told_of_are_in_it(node: Node):
    node.turn(taped(9, 0, node.now, packets=4))
    node.recorder.begin(9, "20261122-r1", ABOUT, CLOCK, node.now)
    node.recorder.track(9, 0, "1001", "a", PCMA, node.now)
    node.recorder.end(9, "hung up")
    end = node.turn_until(Ended)
    assert isinstance(end, Ended)
    assert end.packets == 4


def test_packets_that_nobody_asks_for_are_forgotten(node: Node):
    node.turn(taped(9, 0, node.now))
    node.turn(seconds=11)
    node.recorder.begin(9, "20261122-r1", ABOUT, CLOCK, node.now)
    node.recorder.end(9, "hung up")
    end = node.turn_until(Ended)
    assert isinstance(end, Ended)
    assert end.packets == 0


def test_full_disk_is_told_once_and_when_it_is_well_again_nothing_is_missing(
    node: Node, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.0)
    node.recorder.begin(5, "20261122-r1", ABOUT, CLOCK, node.now)
    node.recorder.track(5, 0, "1001", "a", PCMA, node.now)
    with monkeypatch.context() as disk:
        disk.setattr("recording.proof.sealed_file.os.write", no_room)
        node.turn(taped(5, 0, node.now), seconds=1.5)
        assert node.turn_until(Failing) == Failing("20261122-r1", FULL)
        told = [one for _ in range(20) for one in node.turn(taped(5, 0, node.now), seconds=0.1)]
        assert told == []
    assert node.turn_until(WellAgain) == WellAgain("20261122-r1", 0)
    node.recorder.end(5, "hung up")
    end = node.turn_until(Ended)
    assert isinstance(end, Ended)
    assert (end.packets, end.lost) == (21, 0)


def test_disk_that_stands_still_is_told_within_five_seconds(node: Node, monkeypatch: pytest.MonkeyPatch):
    moves: SimpleQueue[None] = SimpleQueue()
    write = os.write

    def stands_still(descriptor: int, data: memoryview) -> int:
        moves.get(timeout=30)
        moves.put(None)
        return write(descriptor, data)

    with monkeypatch.context() as disk:
        disk.setattr("recording.proof.sealed_file.os.write", stands_still)
        node.recorder.begin(5, "20261122-r1", ABOUT, CLOCK, node.now)
        node.recorder.track(5, 0, "1001", "a", PCMA, node.now)
        began = node.now
        told: list[Told] = []
        while not told:
            told = node.turn(taped(5, 0, node.now))
        assert told == [Failing("20261122-r1", "the disk takes nothing")]
        assert node.now - began <= 5_000_000
        assert node.now - began >= LATE_SECONDS * 1e6
        moves.put(None)
        assert node.turn_until(WellAgain) == WellAgain("20261122-r1", 0)


def test_what_memory_could_not_hold_is_stated_in_the_file_and_told(
    node: Node, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer, "MOST_WAITING_BYTES", 1000)
    node.recorder.begin(5, "20261122-r1", ABOUT, CLOCK, node.now)
    node.recorder.track(5, 0, "1001", "a", PCMA, node.now)
    node.turn(taped(5, 0, node.now, packets=8), seconds=1.5)
    node.recorder.end(5, "hung up")
    end = node.turn_until(Ended)
    assert isinstance(end, Ended)
    assert (end.packets, end.lost) == (0, 8)
    assert [one for one in node.heard("20261122-r1") if isinstance(one, Missed)] == [Missed(8, "disk", START)]


def test_journal_tells_what_a_recording_is_about_but_no_telephone_number(node: Node):
    node.recorder.begin(5, "20261122-r1", ABOUT, CLOCK, node.now)
    node.recorder.end(5, "hung up")
    node.turn_until(Ended)
    begun, ended = entries(node.journal_path, NODE.public_key())
    assert (begun.about["policy"], begun.about["line"], begun.about["call"]) == ("police", "8200", "c1")
    assert not {"caller", "called"} & begun.about.keys()
    assert (ended.about["cause"], ended.about["lost"]) == ("hung up", 0)


def test_recording_that_is_begun_again_goes_on(node: Node):
    node.recorder.begin(5, "20261122-r1", ABOUT, CLOCK, node.now)
    node.recorder.track(5, 0, "1001", "a", PCMA, node.now)
    node.turn(taped(5, 0, node.now))
    node.recorder.begin(5, "20261122-r1", ABOUT, CLOCK, node.now)
    assert node.recorder.going == (Going(5, "20261122-r1", "c1", (0,)),)
    node.recorder.end(5, "hung up")
    end = node.turn_until(Ended)
    assert isinstance(end, Ended)
    assert end.packets == 1


def test_another_recording_in_the_slot_ends_the_one_that_was_there(node: Node):
    for recording in ("20261122-r1", "20261122-r2"):
        node.recorder.begin(5, recording, ABOUT, CLOCK, node.now)
        node.turn(taped(5, 0, node.now))
    assert node.turn_until(Ended).recording == "20261122-r1"
    assert [one.recording for one in node.recorder.going] == ["20261122-r2"]


def test_recording_that_nobody_claims_ends_half_a_minute_later_as_lost(node: Node):
    for slot in (5, 6):
        node.recorder.begin(slot, f"20261122-r{slot}", ABOUT, CLOCK, node.now)
    node.recorder.claim([5], node.now)
    node.turn(seconds=29.9)
    assert len(node.recorder.going) == 2
    assert node.turn_until(Ended).recording == "20261122-r6"
    assert [one.slot for one in node.recorder.going] == [5]
    assert [one.about.get("cause") for one in entries(node.journal_path, NODE.public_key())][-1] == "lost"


def test_recording_that_is_claimed_in_time_goes_on(node: Node):
    node.recorder.begin(5, "20261122-r1", ABOUT, CLOCK, node.now)
    node.recorder.claim([], node.now)
    node.turn(seconds=20)
    node.recorder.claim([5], node.now)
    node.turn(seconds=60)
    node.turn()
    assert [one.slot for one in node.recorder.going] == [5]


@pytest.mark.parametrize("hours", [-1, 1])
def test_clock_that_is_set_by_an_hour_loses_no_packet_and_alarms_nobody(node: Node, hours: int):
    node.recorder.begin(5, "20261122-r1", ABOUT, CLOCK, node.now)
    node.recorder.track(5, 0, "1001", "a", PCMA, node.now)
    told = node.turn(taped(5, 0, node.now))
    step = hours * 3_600_000_000
    node.now += step
    node.recorder.clock_set(CLOCK, step, node.now)
    for _ in range(15):
        told += node.turn(taped(5, 0, node.now))
    node.recorder.end(5, "hung up")
    end = node.turn_until(Ended)
    assert isinstance(end, Ended)
    assert (end.packets, end.lost) == (16, 0)
    assert told == []
    assert len([one for one in node.heard("20261122-r1") if one == 0]) == 16


def test_when_each_track_was_heard_is_told(node: Node):
    node.recorder.begin(5, "20261122-r1", ABOUT, CLOCK, node.now)
    for track, party in enumerate(("1001", "1002")):
        node.recorder.track(5, track, party, "a", PCMA, node.now)
    at = node.now
    node.turn(taped(5, 1, at))
    assert node.recorder.heard == {5: {0: 0, 1: at}}


def test_what_comes_at_once_after_a_standstill_is_written_in_segments_that_a_file_may_have(node: Node):
    node.recorder.begin(5, "20261122-r1", ABOUT, CLOCK, node.now)
    node.recorder.track(5, 0, "1001", "a", PCMA, node.now)
    node.turn(*(taped(5, 0, node.now, packets=10_000) for _ in range(10)))  # 18 MB
    node.recorder.end(5, "hung up")
    end = node.turn_until(Ended)
    assert isinstance(end, Ended)
    assert (end.packets, end.lost) == (100_000, 0)
    (path,) = node.files.rglob("*.sealed")
    assert max(len(one.sealed) for one in segments(path)) < 8 * 1024 * 1024


def test_nobody_records_into_a_slot_that_there_is_not(node: Node):
    for verb in (
        lambda: node.recorder.track(1, 0, "1001", "a", PCMA, START),
        lambda: node.recorder.part(1, "talk", [], START),
        lambda: node.recorder.end(1, ""),
    ):
        with pytest.raises(KeyError):
            verb()
