"""All recordings that go on: what is on the tape reaches their files, and what goes wrong is told.

```
begin, track, part, end ─┐                            ┌──> Writer ──> files
tape ────────────────────┴─> Recorder.turn, ten times ┤
                             a second                 └──> Told, for whoever watches
```
A recording has a slot, which is what its packets on the tape are called. Packets of a slot that nobody has
told of yet wait for a while: whoever takes over from a recorder that died is told which slots there are.

A recording that ends is closed after the next turn, so that what was on its way is in it. When the disk
refuses what it was given, or hasn't taken it LATE_SECONDS later, it is told as failing, once, and as well
again when all is there. Nothing here waits: a call goes on whatever the recorder has to say.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from recording.capture import Capture, Plain
from recording.proof.entries import Clock
from recording.proof.journal import Journal, Value
from recording.writer import Closed, Failed, Opened, Writer, Written

if TYPE_CHECKING:
    from media.engines.tape import Taped

log = logging.getLogger(__name__)

LATE_SECONDS: Final = 3.0
STRANGERS_SECONDS: Final = 10.0  # for which packets wait for somebody to tell of their slot
MOST_STRANGERS: Final = 20_000  # readings of them
NODE: Final = "node"
_LATE_US: Final = int(LATE_SECONDS * 1e6)
_STRANGERS_US: Final = int(STRANGERS_SECONDS * 1e6)


class Failing(NamedTuple):
    """What a recording was given isn't in its file; why, in the system's words."""

    recording: str
    why: str


class WellAgain(NamedTuple):
    """All that a recording was given is in its file, but `lost` packets."""

    recording: str
    lost: int


class Ended(NamedTuple):
    """A recording is closed. packets: kept; lost: that were given and could not be."""

    recording: str
    head: str
    packets: int
    lost: int
    bytes: int


Told: TypeAlias = Failing | WellAgain | Ended


class _Going:
    """A recording. about: what the journal says of it when it begins.

    waiting: when each segment was given that isn't written yet; written, lost: packets.
    why: what the writer said when it failed last; failing: that was told. end: why it ends, "" while it goes
    on; turns: of the recorder since then.
    """

    __slots__ = (
        "about",
        "capture",
        "end",
        "failing",
        "lost",
        "recording",
        "turns",
        "waiting",
        "why",
        "written",
    )

    def __init__(self, recording: str, capture: Capture, about: dict[str, Value]) -> None:
        self.recording = recording
        self.about = about
        self.capture = capture
        self.waiting: deque[int] = deque()
        self.written = self.lost = 0
        self.failing = False
        self.why = ""
        self.end = ""
        self.turns = 0

    def is_late(self, now: int) -> bool:
        """Whether something was given too long ago to be still unwritten."""
        return bool(self.waiting) and now - self.waiting[0] >= _LATE_US


class Recorder:
    """See the module. Times are Unix microseconds."""

    def __init__(self, writer: Writer, journal: Journal) -> None:
        self._writer = writer
        self._journal = journal
        self._slots: dict[int, _Going] = {}
        self._going: dict[str, _Going] = {}  # those whose file isn't closed
        self._strangers: list[Taped] = []
        self._unsaid: list[
            tuple[float, str, str, dict[str, Value]]
        ] = []  # entries that the journal didn't take

    def __len__(self) -> int:
        return len(self._going)

    @property
    def slots(self) -> dict[int, str]:
        """Which recordings go on, by their slots."""
        return {slot: going.recording for slot, going in self._slots.items()}

    def begin(self, slot: int, recording: str, clock: Clock, now: int, **about: Value) -> None:
        """A recording begins. about: what the journal says of it besides (its line, its policy, …)."""
        going = _Going(recording, Capture(clock, now), about)
        self._slots[slot] = self._going[recording] = going
        self._writer.begin(recording, now)
        waited, self._strangers = self._strangers, []
        self._take(waited)

    def track(self, slot: int, party: str, leg: str, codecs: Mapping[str, str], now: int) -> int:
        """A party's sound begins, or changes its codecs: returns its track. Raises KeyError."""
        return self._slots[slot].capture.track(party, leg, codecs, now)

    def part(self, slot: int, what: str, with_whom: list[str], now: int) -> None:
        """The call of a recording does something else from now on. Raises KeyError."""
        self._slots[slot].capture.part(what, with_whom, now)

    def end(self, slot: int, cause: str) -> None:
        """A recording ends, with what is on its way still in it. Raises KeyError."""
        self._slots[slot].end = cause or "ended"

    def turn(self, taped: Iterable[Taped], now: int) -> list[Told]:
        """Take what was on the tape; returns what is to be told."""
        self._take(taped)
        self._strangers = [one for one in self._strangers if now - one.last < _STRANGERS_US]
        for slot, going in list(self._slots.items()):
            if going.end:
                going.turns += 1
                if going.turns > 1:
                    del self._slots[slot]
                    self._close(going, now)
            elif (plain := going.capture.due(now)) is not None:
                self._give(going, plain, now)
        told = self._heard(now)
        if self._unsaid:
            self._say_again()
        return told

    def _take(self, taped: Iterable[Taped]) -> None:
        for one in taped:
            going = self._slots.get(one.recording)
            if going is not None:
                going.capture.take(one)
            elif len(self._strangers) < MOST_STRANGERS:
                self._strangers.append(one)

    def _close(self, going: _Going, now: int) -> None:
        self._give(going, going.capture.end(going.end, now), now)
        self._writer.end(going.recording)

    def _give(self, going: _Going, plain: Plain, now: int) -> None:
        if self._writer.write(going.recording, plain):
            going.waiting.append(now)
        else:
            going.lost += plain.packets
            going.capture.missed(plain.packets, "disk", plain.begun, now)

    def _heard(self, now: int) -> list[Told]:
        """What the writer reports, and who is late."""
        told: list[Told] = []
        for report in self._writer.reports():
            going = self._going.get(report.recording)
            if going is None:
                continue
            match report:
                case Opened():
                    self._say(now / 1e6, "begun", going.recording, going.about)
                    going.why = ""
                case Written(packets=packets):
                    going.waiting.popleft()
                    going.written += packets
                    going.why = ""
                case Failed(why=why):
                    going.why = why
                case Closed():
                    told.append(self._closed(going, report, now))
        for going in self._going.values():
            if not going.failing and (going.why or going.is_late(now)):
                going.failing = True
                told.append(Failing(going.recording, going.why or "the disk takes nothing"))
            elif going.failing and not going.why and not going.waiting:
                going.failing = False
                told.append(WellAgain(going.recording, going.lost))
        return told

    def _closed(self, going: _Going, report: Closed, now: int) -> Ended:
        del self._going[going.recording]
        kept: dict[str, Value] = {"head": report.head, "segments": report.segments, "packets": going.written}
        about: dict[str, Value] = {"cause": going.end, "lost": going.lost, "bytes": report.bytes}
        self._say(now / 1e6, "ended", going.recording, kept | about)
        return Ended(going.recording, report.head, going.written, going.lost, report.bytes)

    def _say(self, at: float, what: str, recording: str, about: dict[str, Value]) -> None:
        self._unsaid.append((at, what, recording, about))
        self._say_again()

    def _say_again(self) -> None:
        """Write into the journal what it hasn't taken yet, in order."""
        while self._unsaid:
            at, what, recording, about = self._unsaid[0]
            try:
                self._journal.append(at, what, recording, NODE, **about)
            except OSError as error:
                log.error("recording=%s the journal isn't written: %s", recording, error.strerror)
                return
            del self._unsaid[0]
