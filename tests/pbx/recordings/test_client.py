"""Signalling's end of the connection with the recorder: nothing waits, and nothing is forgotten."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from media import frames
from media.engine import CallMedia, LegMedia
from pbx.events import Event, Events, RecordingFailed, RecordingTrouble, RecordingTroubleOver, RecordingWorks
from pbx.recordings import client as client_module
from pbx.recordings.client import FEWEST_PACKETS, LOOK_SECONDS, RecorderClient
from recording.live import wire
from recording.live.wire import (
    Begin,
    End,
    Ended,
    Facts,
    Failing,
    Going,
    Heard,
    Inventory,
    Order,
    Part,
    Policies,
    Policy,
    Report,
    Slots,
    Track,
    Trouble,
    TroubleOver,
    WellAgain,
)

NOW = 1_795_339_800.0  # 22 November 2026, 09:30:00 UTC
FACTS = Facts("police", "c1", line="8200")
PCMA = {"8": "PCMA/8000/1"}
POLICY = Policy("police", "code de la sécurité intérieure", 60)


class FakeRecorder:
    """A recorder's process on a socket: what it was told, by connection, and what it says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[Order] = []
        self.connections = 0
        self.inventory = Inventory(())
        self._arrived = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self.told.clear()
        self._server = await asyncio.start_unix_server(self._connected, str(self.path))

    async def die(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._writer is not None:
            self._writer.transport.abort()
        self.path.unlink(missing_ok=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writer = writer
        self.say(self.inventory)
        unframed = frames.FrameReader()
        while data := await reader.read(65536):
            self.told += [one for body in unframed.receive(data) for one in wire.orders(body)]
            self._arrived.set()
        writer.close()

    def say(self, *reports: Report) -> None:
        assert self._writer is not None
        self._writer.write(frames.frame(reports))

    async def until(self, wanted: Order) -> None:
        """Return when it was told this. Raises TimeoutError."""
        async with asyncio.timeout(45):
            while wanted not in self.told:
                self._arrived.clear()
                await self._arrived.wait()


class FakeEngine:
    """An engine that has taken so many packets from each leg."""

    def __init__(self) -> None:
        self.packets: dict[str, int] = {"a": 0}

    async def query(self, call: str) -> CallMedia:
        assert call == "c1"
        legs = {
            leg: LegMedia(("", 0), ("", 0), "PCMA/8000/1", packets, 0, 0, 0, 0.0, 0.0, 0, 0)
            for leg, packets in self.packets.items()
        }
        return CallMedia(legs)


class Town:
    """A client with its recorder and its engine. told: the events."""

    def __init__(self, directory: Path) -> None:
        self.recorder = FakeRecorder(directory / "recorder.sock")
        self.engine = FakeEngine()
        self.told: list[Event] = []
        self.names = iter(f"{number:08x}" for number in range(100))
        self._happened = asyncio.Event()
        events = Events(lambda: NOW)
        kinds = RecordingFailed, RecordingWorks, RecordingTrouble, RecordingTroubleOver
        events.subscribe(self._tell, *kinds)
        self.client = RecorderClient(
            self.recorder.path, events, lambda: NOW, self.engine, lambda _: next(self.names)
        )
        self._running: asyncio.Task[None] | None = None

    def _tell(self, event: Event) -> None:
        self.told.append(event)
        self._happened.set()

    async def start(self) -> None:
        await self.recorder.start()
        self.run()

    def run(self) -> None:
        self._running = asyncio.get_running_loop().create_task(self.client.run())

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        await self.recorder.die()

    async def until(self, kind: type[Event]) -> Event:
        """Return the first event of a kind. Raises TimeoutError."""
        async with asyncio.timeout(45):
            while True:
                for event in self.told:
                    if isinstance(event, kind):
                        return event
                self._happened.clear()
                await self._happened.wait()

    def is_well(self) -> bool:
        return self.client.is_well

    async def died(self) -> None:
        """Let the recorder die, and the client see it."""
        await self.recorder.die()
        async with asyncio.timeout(45):
            while self.client.is_connected:  # noqa: ASYNC110 (its socket says nothing of when)
                await asyncio.sleep(0)


@pytest.fixture
async def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    monkeypatch.setattr(client_module, "RECONNECT_SECONDS", 0.0)
    monkeypatch.setattr(client_module, "LOOK_SECONDS", 3600.0)  # the tests look themselves
    made = Town(tmp_path)
    yield made
    await made.stop()


async def test_what_was_said_before_there_was_a_recorder_is_said_then(town: Town):
    town.client.policies([POLICY])
    recording = town.client.begin(FACTS)
    town.client.track(recording.slot, 0, "1001", "a", PCMA, "c1")
    town.client.part(recording.slot, "talk", ["1001"])
    town.client.restored()
    assert not town.is_well()
    await town.start()
    await town.recorder.until(Slots((recording.slot,)))
    assert town.recorder.told == [
        Policies((POLICY,)),
        Begin(recording.slot, "20261122-093000-00000000", int(NOW * 1e6), FACTS),
        Track(recording.slot, 0, "1001", "a", PCMA),
        Part(recording.slot, "talk", ["1001"]),
        Slots((recording.slot,)),
    ]
    assert town.is_well()


async def test_what_is_said_later_is_said_in_order(town: Town):
    await town.start()
    town.client.restored()
    await town.recorder.until(Policies(()))
    recording = town.client.begin(FACTS)
    town.client.track(recording.slot, 0, "1001", "a", PCMA, "c1")
    town.client.end(recording.slot, "hung up")
    await town.recorder.until(End(recording.slot, "hung up"))
    assert [type(one) for one in town.recorder.told[-3:]] == [Begin, Track, End]
    assert town.client.going == {}
    assert town.client.unfinished == 1
    town.client.track(recording.slot, 1, "1002", "b", PCMA, "c1")
    town.client.part(recording.slot, "talk", [])
    town.client.end(recording.slot, "again")
    town.recorder.say(Ended(recording.recording, "00", 5, 0, 900), Trouble("disk", "full"))
    await town.until(RecordingTrouble)
    assert town.client.unfinished == 0
    assert [type(one) for one in town.recorder.told[-3:]] == [Begin, Track, End]


async def test_every_recording_has_a_slot_of_its_own(town: Town):
    slots = [town.client.begin(FACTS).slot for _ in range(3)]
    town.client.end(slots[0], "hung up")
    slots.append(town.client.begin(FACTS).slot)
    assert len(set(slots)) == 4
    assert all(1 <= slot <= wire.MOST_SLOT for slot in slots)


async def test_recorder_that_comes_after_one_that_died_continues_in_the_same_slot(town: Town):
    await town.start()
    recording = town.client.begin(FACTS)
    town.client.track(recording.slot, 0, "1001", "a", PCMA, "c1")
    await town.recorder.until(Track(recording.slot, 0, "1001", "a", PCMA))
    before = recording.recording
    await town.died()
    await town.recorder.start()
    await town.recorder.until(Track(recording.slot, 0, "1001", "a", PCMA))
    (begun,) = [one for one in town.recorder.told if isinstance(one, Begin)]
    assert begun.slot == recording.slot
    assert begun.recording == recording.recording != before
    assert begun.facts.continues == before
    assert town.told == []


async def test_recorder_that_lived_on_is_told_what_is_known_already_and_no_new_recording(town: Town):
    await town.start()
    recording = town.client.begin(FACTS)
    town.client.track(recording.slot, 0, "1001", "a", PCMA, "c1")
    await town.recorder.until(Track(recording.slot, 0, "1001", "a", PCMA))
    town.recorder.inventory = Inventory((Going(recording.slot, recording.recording, "c1", (0,)),))
    await town.died()
    await town.recorder.start()
    await town.recorder.until(Track(recording.slot, 0, "1001", "a", PCMA))
    assert [type(one) for one in town.recorder.told] == [Policies, Track]


async def test_call_that_ended_while_there_was_no_recorder_is_continued_to_its_end(town: Town):
    await town.start()
    recording = town.client.begin(FACTS)
    await town.recorder.until(Begin(recording.slot, recording.recording, recording.began_us, FACTS))
    before = recording.recording
    await town.died()
    town.client.end(recording.slot, "hung up")
    await town.recorder.start()
    await town.recorder.until(End(recording.slot, "hung up"))
    (begun,) = [one for one in town.recorder.told if isinstance(one, Begin)]
    assert begun.facts.continues == before


async def test_restored_call_goes_on_under_the_name_that_its_recording_has_now(town: Town):
    town.recorder.inventory = Inventory((Going(7, "20261122-101000-later", "c1", (0,)),))
    recording = town.client.restore(7, "20261122-100000-first", int(NOW * 1e6), FACTS)
    town.client.track(7, 0, "1001", "a", PCMA, "c1")
    town.client.restored()
    await town.start()
    await town.recorder.until(Slots((7,)))
    assert recording.recording == "20261122-101000-later"
    assert [type(one) for one in town.recorder.told] == [Policies, Track, Slots]


async def test_slot_that_goes_on_at_the_recorder_is_not_given_away(town: Town):
    slot = town.client.begin(FACTS).slot
    town.recorder.inventory = Inventory((Going(slot + 1, "20261122-101000-other", "c9", (0,)),))
    await town.start()
    await town.recorder.until(Policies(()))
    assert town.client.begin(FACTS).slot == slot + 2


async def test_failing_recording_is_told_once_and_when_it_works_again(town: Town):
    await town.start()
    await town.recorder.until(Policies(()))
    name = town.client.begin(FACTS).recording
    town.recorder.say(Failing(name, "No space left on device"), Failing(name, "No space left on device"))
    assert await town.until(RecordingFailed) == RecordingFailed(NOW, name, "c1", "No space left on device")
    assert not town.is_well()
    town.recorder.say(WellAgain(name, 12))
    assert await town.until(RecordingWorks) == RecordingWorks(NOW, name, "c1", 12)
    assert town.is_well()
    assert len(town.told) == 2


async def test_call_that_ends_while_its_recording_fails_leaves_the_recorder_unwell(town: Town):
    await town.start()
    await town.recorder.until(Policies(()))
    recording = town.client.begin(FACTS)
    town.recorder.say(Failing(recording.recording, "No space left on device"))
    await town.until(RecordingFailed)
    town.client.end(recording.slot, "hung up")
    assert not town.is_well()
    town.recorder.say(Ended(recording.recording, "00", 5, 3, 900))
    assert await town.until(RecordingWorks) == RecordingWorks(NOW, recording.recording, "c1", 3)
    assert town.is_well()


async def test_recorder_that_is_away_is_told_for_each_recording_within_five_seconds(town: Town):
    await town.start()
    names = [town.client.begin(FACTS).recording for _ in range(2)]
    await town.recorder.until(Policies(()))
    await town.died()
    now = asyncio.get_running_loop().time()
    town.client.look_at_recorder(now + 1.0)
    assert town.told == []
    assert town.is_well()  # what is said meanwhile waits on the tape
    town.client.look_at_recorder(now + 5.0 - client_module.RECONNECT_SECONDS)
    town.client.look_at_recorder(now + 6.0)
    assert town.told == [RecordingFailed(NOW, name, "c1", "there is no recorder") for name in names]
    assert not town.is_well()
    town.told.clear()
    await town.recorder.start()
    await town.until(RecordingWorks)
    assert town.is_well()
    assert all(isinstance(event, RecordingWorks) for event in town.told)


async def test_recorder_that_says_nothing_any_more_is_let_go_of_and_met_again(town: Town):
    await town.start()
    town.client.begin(FACTS)
    await town.recorder.until(Policies(()))
    town.client.look_at_recorder(asyncio.get_running_loop().time() + 2.5)
    async with asyncio.timeout(45):
        while town.recorder.connections < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_recorder_that_stands_still_is_told_for_each_recording_within_five_seconds(town: Town):
    await town.start()
    name = town.client.begin(FACTS).recording
    await town.recorder.until(Policies(()))
    heard_at = asyncio.get_running_loop().time()
    town.client.look_at_recorder(heard_at + 1.9)
    assert town.told == []
    town.client.look_at_recorder(heard_at + 1.9 + LOOK_SECONDS)
    assert town.told == [RecordingFailed(NOW, name, "c1", "there is no recorder")]


async def look(town: Town, heard: Heard) -> None:
    """A look at the legs, and what the recorder has heard by then; the trouble says that it was read."""
    await town.client.look_at_legs()
    town.recorder.say(heard, Trouble("clock", f"{heard.slots}"))
    await town.until(RecordingTrouble)
    town.told = [event for event in town.told if not isinstance(event, RecordingTrouble)]


async def test_leg_that_is_heard_and_not_taped_is_told_of(town: Town):
    await town.start()
    await town.recorder.until(Policies(()))
    recording = town.client.begin(FACTS)
    slot = recording.slot
    town.client.track(slot, 0, "1001", "a", PCMA, "c1")
    await look(town, Heard({slot: {0: 100}}))
    town.engine.packets["a"] += 75
    await look(town, Heard({slot: {0: 100}, 1: {}}))
    assert town.told == []  # its packets may have come before the recorder spoke
    town.engine.packets["a"] += 75
    await look(town, Heard({slot: {0: 100}, 2: {}}))
    why = "what 1001 says doesn't reach the recorder"
    assert town.told == [RecordingFailed(NOW, recording.recording, "c1", why)]
    town.recorder.say(Heard({slot: {0: 200}}))
    assert await town.until(RecordingWorks) == RecordingWorks(NOW, recording.recording, "c1", 0)


async def test_leg_that_is_taped_silent_or_gone_is_not_told_of(town: Town):
    await town.start()
    await town.recorder.until(Policies(()))
    slot = town.client.begin(FACTS).slot
    for track, leg in enumerate(("a", "b", "c")):
        town.engine.packets[leg] = 0
        town.client.track(slot, track, leg, leg, PCMA, "c1")
    town.client.track(slot, 3, "we", "a", PCMA)  # what we say ourselves
    for number in range(4):
        town.engine.packets["a"] += 75
        town.engine.packets["b"] += FEWEST_PACKETS - 1  # comfort noise, now and then
        town.engine.packets["c"] += 75
        town.client.left(slot, 2)
        await look(town, Heard({slot: {0: 100 + number, 1: 100, 2: 100}}))
    assert town.told == []


async def test_trouble_is_told_once_and_when_it_is_over(town: Town):
    town.recorder.inventory = Inventory((), (Trouble("disk", "full on Sunday"),))
    await town.start()
    await town.until(RecordingTrouble)
    assert town.client.troubles == {"disk": "full on Sunday"}
    town.recorder.say(Trouble("disk", "full on Sunday"), TroubleOver("disk"))
    await town.until(RecordingTroubleOver)
    assert town.client.troubles == {}
    assert town.told == [
        RecordingTrouble(NOW, "disk", "full on Sunday"),
        RecordingTroubleOver(NOW, "disk"),
    ]


async def test_trouble_that_the_next_recorder_knows_nothing_of_is_over(town: Town):
    town.recorder.inventory = Inventory((), (Trouble("disk", "full on Sunday"),))
    await town.start()
    await town.until(RecordingTrouble)
    town.recorder.inventory = Inventory(())
    await town.died()
    await town.recorder.start()
    assert await town.until(RecordingTroubleOver) == RecordingTroubleOver(NOW, "disk")
