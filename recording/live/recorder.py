"""All recordings that go on: what is on the tape reaches their files, and what goes wrong is told.

```
begin, track, part, end ─┐                            ┌──> Writer ──> files
tape ────────────────────┴─> Recorder.turn, ten times ┤
                             a second                 └──> Told, for whoever watches
```
A recording has a slot, which is what its packets on the tape are called. Packets of a slot that nobody has
told of yet wait for a while: whoever takes over from a recorder that died is told which slots there are.
Signalling may die as well: recordings go on, until the next one has said which it knows, and for
UNCLAIMED_SECONDS more.

A recording that ends is closed after the next turn, so that what was on its way is in it. When the disk
refuses what it was given, or hasn't taken it LATE_SECONDS later, it is told as failing, once, and as well
again when all is there. Nothing here waits: a call goes on whatever the recorder has to say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from recording.live.capture import Capture, Plain
from recording.live.wire import Ended, Failing, Going, WellAgain
from recording.live.writer import Closed, Failed, Opened, Writer, Written
from recording.proof.entries import About, Clock
from recording.proof.journal import Value

if TYPE_CHECKING:
    from media.engines.tape import Taped

LATE_SECONDS: Final = 3.0
STRANGERS_SECONDS: Final = 10.0  # for which packets wait for somebody to tell of their slot
MOST_STRANGERS: Final = 20_000  # readings of them
UNCLAIMED_SECONDS: Final = 30.0
_LATE_US: Final = int(LATE_SECONDS * 1e6)
_STRANGERS_US: Final = int(STRANGERS_SECONDS * 1e6)
_UNCLAIMED_US: Final = int(UNCLAIMED_SECONDS * 1e6)
_IN_JOURNAL: Final = ("policy", "call", "line", "user", "direction", "site", "continues")  # no numbers


class Entered(NamedTuple):
    """What the journal is to say. at: Unix seconds."""

    at: float
    what: str
    recording: str
    about: dict[str, Value]


Told: TypeAlias = Failing | WellAgain | Ended


class _Going:
    """A recording. waiting: when each segment was given that isn't written yet; written, lost: packets.

    why: what the writer said when it failed last; failing: that was told. end: why it ends, "" while it goes
    on; turns: of the recorder since then. unstated: packets that are lost, and not stated so yet.
    """

    __slots__ = (
        "about",
        "capture",
        "end",
        "failing",
        "lost",
        "recording",
        "slot",
        "turns",
        "unstated",
        "unstated_since",
        "waiting",
        "why",
        "written",
    )

    def __init__(self, slot: int, recording: str, about: About, capture: Capture) -> None:
        self.slot = slot
        self.recording = recording
        self.about = about
        self.capture = capture
        self.waiting: deque[int] = deque()
        self.written = self.lost = self.unstated = self.unstated_since = 0
        self.failing = False
        self.why = ""
        self.end = ""
        self.turns = 0

    def is_late(self, now: int) -> bool:
        """Whether something was given too long ago to be still unwritten."""
        return bool(self.waiting) and now - self.waiting[0] >= _LATE_US


class Recorder:
    """See the module. Times are Unix microseconds of a clock that is told when it is set (`clock_set`)."""

    def __init__(self, writer: Writer, enter: Callable[[Entered], None]) -> None:
        """enter: takes what the journal is to say, and doesn't wait for it."""
        self._writer = writer
        self._enter = enter
        self._slots: dict[int, _Going] = {}
        self._going: dict[str, _Going] = {}  # those whose file isn't closed
        self._strangers: list[Taped] = []
        self._unclaimed: dict[int, int] = {}  # slots, and when they end

    def __len__(self) -> int:
        return len(self._going)

    @property
    def going(self) -> tuple[Going, ...]:
        """What goes on."""
        return tuple(
            Going(slot, one.recording, one.about.call, tuple(one.capture.tracks))
            for slot, one in self._slots.items()
            if not one.end
        )

    @property
    def heard(self) -> dict[int, dict[int, int]]:
        """When each track had its last packet, by slot and track; 0 before the first."""
        return {slot: one.capture.tracks for slot, one in self._slots.items()}

    @property
    def failing(self) -> list[Failing]:
        """What was told as failing, and isn't well again."""
        return [Failing(one.recording, one.why or _NOTHING) for one in self._going.values() if one.failing]

    def begin(self, slot: int, recording: str, about: About, clock: Clock, now: int) -> None:
        """A recording begins; nothing where it goes on already. Whatever had its slot ends."""
        before = self._slots.get(slot)
        if before is not None:
            if before.recording == recording:
                self._unclaimed.pop(slot, None)
                return
            before.end = before.end or "lost"
            self._close(before, now)
        going = _Going(slot, recording, about, Capture(about, clock, now))
        self._slots[slot] = self._going[recording] = going
        self._unclaimed.pop(slot, None)
        self._writer.begin(recording, now)
        waited, self._strangers = self._strangers, []
        self._take(waited, now)

    def track(self, slot: int, track: int, party: str, leg: str, codecs: Mapping[str, str], now: int) -> None:
        """What is on a track from now on. Raises KeyError, ValueError: no such slot, no such track."""
        self._slots[slot].capture.track(track, party, leg, codecs, now)

    def part(self, slot: int, what: str, with_whom: list[str], now: int) -> None:
        """The call of a recording does something else from now on. Raises KeyError."""
        self._slots[slot].capture.part(what, with_whom, now)

    def end(self, slot: int, cause: str) -> None:
        """A recording ends, with what is on its way still in it. Raises KeyError."""
        self._slots[slot].end = cause or "ended"

    def end_all(self, cause: str) -> None:
        """All recordings end."""
        for slot, going in self._slots.items():
            if not going.end:
                self.end(slot, cause)

    def claim(self, slots: Iterable[int], now: int) -> None:
        """These go on; others end UNCLAIMED_SECONDS later, unless they are claimed before."""
        known = frozenset(slots)
        for slot in self._slots:
            if slot in known:
                self._unclaimed.pop(slot, None)
            else:
                self._unclaimed.setdefault(slot, now + _UNCLAIMED_US)

    def clock_set(self, clock: Clock, by_us: int, now: int) -> None:
        """The clock was set by so much, to `now`: what was gathered by the one before is written first."""
        for going in self._going.values():
            going.waiting = deque(at + by_us for at in going.waiting)
        for going in self._slots.values():
            self._give(going, going.capture.clock_set(clock, by_us, now), now)
        self._strangers = [one._replace(last=one.last + by_us) for one in self._strangers]
        self._unclaimed = {slot: at + by_us for slot, at in self._unclaimed.items()}

    def turn(self, taped: Iterable[Taped], now: int) -> list[Told]:
        """Take what was on the tape; returns what is to be told."""
        self._take(taped, now)
        self._strangers = [one for one in self._strangers if now - one.last < _STRANGERS_US]
        for slot in [slot for slot, at in self._unclaimed.items() if now >= at]:
            del self._unclaimed[slot]
            self.end(slot, "lost")
        for going in list(self._slots.values()):
            if going.end:
                going.turns += 1
                if going.turns > 1:
                    self._close(going, now)
            elif (plain := going.capture.due(now)) is not None:
                self._give(going, plain, now)
        return self._heard(now)

    def flush(self, now: int) -> None:
        """Have all that was gathered so far written, before it is time."""
        for going in self._slots.values():
            if (plain := going.capture.gathered()) is not None:
                self._give(going, plain, now)

    def _take(self, taped: Iterable[Taped], now: int) -> None:
        for one in taped:
            going = self._slots.get(one.recording)
            if going is not None:
                going.capture.take(one)
                if going.capture.is_full:
                    self._give(going, going.capture.taken(), now)
            elif len(self._strangers) < MOST_STRANGERS:
                self._strangers.append(one)

    def _close(self, going: _Going, now: int) -> None:
        del self._slots[going.slot]
        self._unclaimed.pop(going.slot, None)
        self._give(going, going.capture.end(going.end, now), now)
        self._writer.end(going.recording)

    def _give(self, going: _Going, plain: Plain, now: int) -> None:
        """Have a segment written; where memory can't hold it, what was stated and how much is missing."""
        if self._writer.write(going.recording, plain):
            going.waiting.append(now)
            return
        if not going.unstated:
            going.unstated_since = plain.begun
        going.capture.let_go(plain)
        going.lost += plain.packets
        going.unstated += plain.packets
        kept = plain.without_packets(going.unstated, going.unstated_since, now)
        if self._writer.write(going.recording, kept, spare=True):
            going.waiting.append(now)
            going.unstated = 0

    def _heard(self, now: int) -> list[Told]:
        """What the writer reports, and who is late."""
        told: list[Told] = []
        for report in self._writer.reports():
            going = self._going.get(report.recording)
            if going is None:
                continue
            match report:
                case Opened():
                    fields = going.about._asdict()
                    self._say(now, "begun", going.recording, {name: fields[name] for name in _IN_JOURNAL})
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
                told.append(Failing(going.recording, going.why or _NOTHING))
            elif going.failing and not going.why and not going.waiting:
                going.failing = False
                told.append(WellAgain(going.recording, going.lost))
        return told

    def _closed(self, going: _Going, report: Closed, now: int) -> Ended:
        del self._going[going.recording]
        kept: dict[str, Value] = {"head": report.head, "segments": report.segments, "packets": going.written}
        about: dict[str, Value] = {"cause": going.end, "lost": going.lost, "bytes": report.bytes}
        self._say(now, "ended", going.recording, kept | about)
        return Ended(going.recording, report.head, going.written, going.lost, report.bytes)

    def _say(self, now: int, what: str, recording: str, about: dict[str, Value]) -> None:
        self._enter(Entered(now / 1e6, what, recording, about))


_NOTHING: Final = "the disk takes nothing"
