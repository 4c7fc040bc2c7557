"""Signalling's end of the connection with the recorder's process.

```
calls ── begin, track, part, end ──> RecorderClient ──(recorder.sock)──> recorder
                                          └──> RecordingFailed, RecordingWorks, RecordingTrouble, …
```
Nothing here waits for the recorder: what goes on is kept, and said again to a recorder that comes after one
that died. That one begins a new recording in the same slot, which says what it `continues`; the packets in
between lie on the tape.

A recording is told as failed, once until it works again: when the recorder says so; when there has been no
recorder for UNREACHABLE_SECONDS, or one that says nothing; and when the engine takes packets from a leg of
which none come to the tape. So whatever stands still is told of within 5 s:

    leg ──> media process ──> tape ──> recorder ──> disk
             `query` counts    `Heard`  `Heard`      `Failing`
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol, cast

import msgspec

from media import frames
from media.engine import CallMedia, MediaUnavailable
from pbx.events import Events, RecordingFailed, RecordingTrouble, RecordingTroubleOver, RecordingWorks
from recording.live import wire
from recording.live.wire import Facts, Policy

log = logging.getLogger(__name__)

RECONNECT_SECONDS = 0.1
UNREACHABLE_SECONDS = 3.0
SILENT_SECONDS = 2.0  # a recorder speaks twice a second: one that doesn't is as good as dead
LOOK_SECONDS = 1.5  # two looks, and what is said after them: less than 5 s
FEWEST_PACKETS = 10  # that a leg must have sent between two looks, to be missed on the tape
MOST_UNSENT_BYTES = 8 * 1024 * 1024
MOST_ENDED = 1000  # while there was no recorder
_SLOTS_A_SECOND = 8  # so that a process begins with other slots than the one before it


class Queried(Protocol):
    """What is asked of a media engine here."""

    async def query(self, call: str) -> CallMedia:
        """See `media.engine.MediaEngine`."""
        ...


@dataclass(slots=True)
class Recording:
    """A recording that goes on. recording: its present name, another one after the recorder has died.

    began_us: Unix microseconds. legs: the call and leg of the engine whose sound a track is.
    said: to a recorder; failing: what isn't well, and why.
    """

    slot: int
    recording: str
    began_us: int
    facts: Facts
    tracks: dict[int, wire.Track] = field(default_factory=dict)
    part: wire.Part | None = None
    legs: dict[int, tuple[str, str]] = field(default_factory=dict)
    said: bool = False
    failing: dict[str, str] = field(default_factory=dict)


class _Look(NamedTuple):
    """At a track. packets: that its leg had sent; heard: when the tape last had one.

    missed: the leg has sent packets since, and so far the tape had none.
    """

    packets: int
    heard: int
    missed: bool


class RecorderClient:
    """See the module. Nothing is connected before `run`; what is said before is said then.

    going: what goes on, by slot.
    """

    def __init__(
        self,
        path: Path,
        events: Events,
        clock: Callable[[], float],
        engine: Queried,
        chance: Callable[[int], str] = secrets.token_hex,
    ) -> None:
        """path: of the recorder's socket; clock: Unix seconds; chance: so many bytes, in hexadecimal."""
        self.going: dict[int, Recording] = {}
        self._path = path
        self._events = events
        self._clock = clock
        self._engine = engine
        self._chance = chance
        self._policies: tuple[Policy, ...] = ()
        self._troubles: dict[str, str] = {}
        self._open: dict[str, Recording] = {}  # by name: those whose file isn't closed
        self._ended: deque[tuple[Recording, str]] = deque(maxlen=MOST_ENDED)  # while there was no recorder
        self._there: dict[int, wire.Going] = {}  # what the recorder went on with when it was met
        self._slot = int(clock() * _SLOTS_A_SECOND) % wire.MOST_SLOT
        self._restored = False
        self._connection: _Connection | None = None
        self._is_ready = False  # the recorder has said what goes on, and was told what is to
        self._missing_since: float | None = None  # the loop's time; None while there is a recorder
        self._may_come = False  # it is there, or isn't missing for long
        self._orders: list[wire.Order] = []
        self._looks: dict[tuple[int, int], _Look] = {}
        self._heard: dict[int, dict[int, int]] = {}

    @property
    def is_well(self) -> bool:
        """Whether a call that begins now would be recorded: all is written, and the recorder is there.

        Or will be: what is said while another one starts lies on the tape.
        """
        return self._may_come and not any(one.failing for one in self._open.values())

    @property
    def is_connected(self) -> bool:
        """Whether the recorder is there."""
        return self._is_ready

    @property
    def unfinished(self) -> int:
        """How many recordings there are whose file isn't closed yet."""
        return len(self._open)

    @property
    def troubles(self) -> dict[str, str]:
        """What isn't well and is about no single recording (`RecordingTrouble`), and why."""
        return dict(self._troubles)

    def policies(self, policies: Iterable[Policy]) -> None:
        """These are all policies from now on: said at the start and with each new plan."""
        self._policies = tuple(policies)
        self._say(wire.Policies(self._policies))

    def begin(self, facts: Facts) -> Recording:
        """A recording begins, in a slot of its own: the one to give to `MediaEngine.tape`."""
        began_us = self._now_us()
        made = Recording(self._free_slot(), self._new_name(began_us), began_us, facts)
        self.going[made.slot] = self._open[made.recording] = made
        if self._is_ready:
            self._say_begin(made)
        return made

    def restore(self, slot: int, recording: str, began_us: int, facts: Facts) -> Recording:
        """A recording of a call that was restored goes on. Its tracks and part are said again behind this."""
        made = Recording(slot, recording, began_us, facts, said=True)
        self.going[slot] = self._open[recording] = made
        if self._is_ready:
            self._say_again(made)
        return made

    def restored(self) -> None:
        """All calls are restored: what the recorder has beside them ends."""
        self._restored = True
        self._say(wire.Slots(tuple(self.going)))

    def track(
        self, slot: int, track: int, party: str, leg: str, codecs: Mapping[str, str], call: str = ""
    ) -> None:
        """What is on a track from now on (0 to 63).

        call: in which the engine has `leg`, whose packets must come then; "" for what we say ourselves.
        Nothing for a slot whose recording has ended, like all that follow.
        """
        if (recording := self.going.get(slot)) is None:
            return
        said = wire.Track(slot, track, party, leg, dict(codecs))
        self.left(slot, track)
        if call:
            recording.legs[track] = call, leg
        recording.tracks[track] = said
        self._say(said)

    def left(self, slot: int, track: int) -> None:
        """The leg of a track is taped no more: nothing need come on it until `track` is said again."""
        self._looks.pop((slot, track), None)
        if (recording := self.going.get(slot)) is not None:
            recording.legs.pop(track, None)
            self._works(recording, f"track {track}")

    def part(self, slot: int, what: str, with_whom: list[str]) -> None:
        """The call does something else from now on."""
        if (recording := self.going.get(slot)) is not None:
            recording.part = wire.Part(slot, what, with_whom)
            self._say(recording.part)

    def end(self, slot: int, cause: str) -> None:
        """A recording ends."""
        if (recording := self.going.pop(slot, None)) is None:
            return
        for track in recording.tracks:
            self._looks.pop((slot, track), None)
        if self._is_ready:
            self._say(wire.End(slot, cause))
        else:
            self._ended.append((recording, cause))  # what was said since lies on the tape

    async def run(self) -> None:
        """Be connected with the recorder, and watch it, until cancelled."""
        loop = asyncio.get_running_loop()
        self._missing_since, self._may_come = loop.time(), True
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._stay_connected(loop))
                tasks.create_task(self._keep_looking(loop))
                tasks.create_task(self._keep_comparing())
        finally:
            if self._connection is not None:
                self._connection.abort()

    # The connection

    async def _stay_connected(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            try:
                made = await loop.create_unix_connection(lambda: _Connection(self), str(self._path))
            except OSError:
                await asyncio.sleep(RECONNECT_SECONDS)
                continue
            self._connection = made[1]
            await self._connection.lost.wait()
            self._lose(loop.time())
            await asyncio.sleep(RECONNECT_SECONDS)

    def _lose(self, now: float) -> None:
        if self._is_ready:
            log.error("the recorder is gone")
        if self._missing_since is None:
            self._missing_since = now
        self._connection, self._is_ready = None, False
        self._orders.clear()
        self._looks.clear()
        self._heard = {}
        still = {id(one) for one in self.going.values()} | {id(one) for one, _ in self._ended}
        for name, one in list(self._open.items()):
            if id(one) not in still:  # its end is the next one's to tell, who repairs it
                del self._open[name]
                self._works(one, *one.failing)

    def _say(self, order: wire.Order) -> None:
        """Have something said at the end of this turn; not while there is nobody: all is said then."""
        if self._is_ready:
            if not self._orders:
                asyncio.get_running_loop().call_soon(self._flush)
            self._orders.append(order)

    def _flush(self) -> None:
        if self._connection is None or not self._orders:
            return
        self._connection.write(frames.frame(self._orders))
        self._orders.clear()

    def _say_begin(self, recording: Recording) -> None:
        recording.said = True
        self._say(wire.Begin(recording.slot, recording.recording, recording.began_us, recording.facts))
        for track in recording.tracks.values():
            self._say(track)
        if recording.part is not None:
            self._say(recording.part)

    def _say_again(self, recording: Recording) -> None:
        """Have a recording go on at the recorder that there is now."""
        there = self._there.get(recording.slot)
        if there is not None and there.call == recording.facts.call:
            if there.recording != recording.recording:  # it was continued after the call was written down
                self._rename(recording, there.recording)
            for track in recording.tracks.values():
                self._say(track)
            if recording.part is not None:
                self._say(recording.part)
            return
        if recording.said:
            before, recording.began_us = recording.recording, self._now_us()
            self._rename(recording, self._new_name(recording.began_us))
            recording.facts = msgspec.structs.replace(recording.facts, continues=before)
            log.warning("recording=%s continues %s", recording.recording, before)
        self._say_begin(recording)

    def _rename(self, recording: Recording, name: str) -> None:
        self._open.pop(recording.recording, None)
        recording.recording = name
        self._open[name] = recording

    # What it says

    def told(self, report: wire.Report) -> None:
        """Take what the recorder says."""
        match report:
            case wire.Inventory(going, troubles):
                self._meet(going, troubles)
            case wire.Heard(slots):
                self._compare(slots)
            case wire.Failing(name, why):
                self._fail(name, "disk", why)
            case wire.WellAgain(name, lost):
                if (recording := self._open.get(name)) is not None:
                    self._works(recording, "disk", lost=lost)
            case wire.Ended(name, lost=lost):
                if (recording := self._open.pop(name, None)) is not None:
                    self._works(recording, *recording.failing, lost=lost)
                    if self.going.get(recording.slot) is recording:  # it stops: the next one continues it
                        self._open[name] = recording
            case wire.Trouble(what, why):
                self._trouble(what, why)
            case wire.TroubleOver(what):
                if self._troubles.pop(what, None) is not None:
                    self._events.publish(RecordingTroubleOver, what)

    def _meet(self, going: tuple[wire.Going, ...], troubles: tuple[wire.Trouble, ...]) -> None:
        """Tell a recorder that has just come all that goes on."""
        self._is_ready, self._missing_since, self._may_come = True, None, True
        self._there = {one.slot: one for one in going}
        self._say(wire.Policies(self._policies))
        for recording in self.going.values():
            self._say_again(recording)
        while self._ended:
            recording, cause = self._ended.popleft()
            self._say_again(recording)
            self._say(wire.End(recording.slot, cause))
        if self._restored:
            self._say(wire.Slots(tuple(self.going)))
        for recording in list(self._open.values()):
            self._works(recording, *recording.failing)
        for what in self._troubles.keys() - {one.what for one in troubles}:
            del self._troubles[what]
            self._events.publish(RecordingTroubleOver, what)
        for one in troubles:
            self._trouble(one.what, one.why)

    def _trouble(self, what: str, why: str) -> None:
        if self._troubles.get(what) != why:
            self._troubles[what] = why
            self._events.publish(RecordingTrouble, what, why)

    def _fail(self, name: str, what: str, why: str) -> None:
        recording = self._open.get(name)
        if recording is None:
            return
        was_failing = bool(recording.failing)
        recording.failing[what] = why
        if not was_failing:
            log.error("recording=%s call=%s fails: %s", name, recording.facts.call, why)
            self._events.publish(RecordingFailed, name, recording.facts.call, why)

    def _works(self, recording: Recording, *what: str, lost: int = 0) -> None:
        was_failing = bool(recording.failing)
        for one in what:
            recording.failing.pop(one, None)
        if was_failing and not recording.failing:
            log.warning("recording=%s call=%s works", recording.recording, recording.facts.call)
            self._events.publish(RecordingWorks, recording.recording, recording.facts.call, lost)

    # The watch

    async def _keep_looking(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look_at_recorder(loop.time())

    async def _keep_comparing(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look_at_legs()

    def look_at_recorder(self, now: float) -> None:
        """Tell of a recorder that isn't there. now: the loop's time."""
        connection = self._connection
        if connection is not None and now - connection.heard_at >= SILENT_SECONDS:
            log.error("the recorder says nothing for %.0f s", now - connection.heard_at)
            self._missing_since = min(connection.heard_at, self._missing_since or now)
            connection.abort()
        if self._missing_since is not None and now - self._missing_since >= UNREACHABLE_SECONDS:
            self._may_come = False
            for name in list(self._open):
                self._fail(name, "recorder", "there is no recorder")

    async def look_at_legs(self) -> None:
        """Compare what the engine has taken from the legs with what came to the tape."""
        if not self._is_ready:
            return
        watched = [
            (recording.slot, track, call, leg)
            for recording in self.going.values()
            for track, (call, leg) in recording.legs.items()
        ]
        answers: dict[str, CallMedia] = {}
        for slot, track, call, leg in watched:
            try:
                if call not in answers:
                    answers[call] = await self._engine.query(call)
            except MediaUnavailable:
                return
            found = answers[call].legs.get(leg)
            if found is None or slot not in self.going or track not in self.going[slot].legs:
                continue  # it left meanwhile
            heard = self._heard.get(slot, {}).get(track, 0)
            before = self._looks.get((slot, track))
            sent = found.packets - before.packets if before is not None else 0
            missed = before is not None and heard == before.heard and sent >= FEWEST_PACKETS
            self._looks[slot, track] = _Look(found.packets, heard, missed)

    def _compare(self, heard: dict[int, dict[int, int]]) -> None:
        self._heard = heard
        for (slot, track), look in self._looks.items():
            recording = self.going[slot]
            if heard.get(slot, {}).get(track, 0) != look.heard:
                self._works(recording, f"track {track}")
            elif look.missed:
                party = recording.tracks[track].party
                why = f"what {party} says doesn't reach the recorder"
                self._fail(recording.recording, f"track {track}", why)

    # Names

    def _new_name(self, began_us: int) -> str:
        """Return a name for a recording: when it began in UTC, and chance."""
        return f"{datetime.fromtimestamp(began_us / 1e6, UTC):%Y%m%d-%H%M%S}-{self._chance(4)}"

    def _free_slot(self) -> int:
        """Return a slot that nobody has had for long: what comes late on the tape is no other's."""
        while True:
            self._slot = self._slot % wire.MOST_SLOT + 1
            if self._slot not in self.going and self._slot not in self._there:
                return self._slot

    def _now_us(self) -> int:
        return int(self._clock() * 1e6)


class _Connection(asyncio.Protocol):
    """A connection with one recorder. lost: set when it is over; heard_at: the loop's time."""

    def __init__(self, client: RecorderClient) -> None:
        self.lost = asyncio.Event()
        self.heard_at = asyncio.get_running_loop().time()
        self._client = client
        self._reader = frames.FrameReader()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def write(self, data: bytes) -> None:
        """Send this; a recorder that reads nothing is let go of."""
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MOST_UNSENT_BYTES:
            self.abort()

    def abort(self) -> None:
        """End it now."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        try:
            for body in self._reader.receive(data):
                for report in wire.reports(body):
                    self._client.told(report)
        except frames.WireError as error:
            log.error("the recorder: %s", error)
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
