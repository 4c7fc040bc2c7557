"""One recording while it goes on: what its parties send, gathered into segments.

```
tape, parts, what was missed ──> Capture ──(every SEGMENT_SECONDS)──> Plain ──> Writer
```
Nothing here reads a clock, waits, or touches a disk. Times are Unix microseconds. A party that sends nothing
for SILENT_SECONDS is stated to be silent since its last packet, so that silence in a recording is never a
packet that we lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from recording.proof.entries import (
    NO_TRACK,
    About,
    Clock,
    Ended,
    Missed,
    Part,
    Silent,
    Statement,
    Track,
    statement,
)

if TYPE_CHECKING:
    from media.engines.tape import Taped

SEGMENT_SECONDS: Final = 1.0  # a death loses what wasn't written: at most this, and as long as a write takes
SILENT_SECONDS: Final = 2.0
MOST_GATHERED_BYTES: Final = 4 * 1024 * 1024  # after a standstill a whole tape may come at once
_SEGMENT_US: Final = int(SEGMENT_SECONDS * 1e6)
_SILENT_US: Final = int(SILENT_SECONDS * 1e6)
MOST_TRACKS: Final = 64


class Plain(NamedTuple):
    """A segment to be sealed. begun: of its first entry; packets: how many are in it.

    statements: what it is without them.
    """

    begun: int
    plain: bytes
    packets: int
    statements: bytes = b""

    def without_packets(self, missed: int, since: int, now: int) -> Plain:
        """Return what is kept of it when there is no room for more. missed: packets, with its own."""
        said = statement(NO_TRACK, now, Missed(missed, "disk", since))
        return Plain(self.begun, self.statements + said, 0)


class _Party:
    """A track's party. heard_at: when its last packet came, or its track began; is_heard: it has had one."""

    __slots__ = ("heard_at", "is_heard", "is_silent", "said")

    def __init__(self, said: Track, now: int) -> None:
        self.said = said
        self.heard_at = now
        self.is_heard = self.is_silent = False


class Capture:
    """See the module. packets, and bytes of their entries: that were given so far, of all tracks."""

    __slots__ = (
        "_begun",
        "_entries",
        "_gathered",
        "_packets",
        "_part",
        "_parties",
        "_statements",
        "bytes",
        "packets",
    )

    def __init__(self, about: About, clock: Clock, now: int) -> None:
        """clock: what the times stand on."""
        self.packets = 0
        self.bytes = 0
        self._parties: dict[int, _Party] = {}
        self._part: Part | None = None
        self._entries: list[bytes] = []
        self._gathered = 0  # bytes of them
        self._statements: list[bytes] = []  # those among them
        self._packets = 0  # in this segment
        self._begun = now
        self._state(NO_TRACK, about, now)
        self._state(NO_TRACK, clock, now)

    @property
    def tracks(self) -> dict[int, int]:
        """When each track had its last packet, 0 before the first."""
        return {track: one.heard_at if one.is_heard else 0 for track, one in self._parties.items()}

    def track(self, track: int, party: str, leg: str, codecs: Mapping[str, str], now: int) -> None:
        """What is on a track from now on; nothing where that is known. Raises ValueError: no such track."""
        if not 0 <= track < MOST_TRACKS:
            raise ValueError(f"a track {track}")
        said = Track(party, leg, codecs)
        before = self._parties.get(track)
        if before is None:
            self._parties[track] = _Party(said, now)
        elif before.said == said:
            return
        else:
            before.said = said
        self._state(track, said, now)

    def take(self, taped: Taped) -> None:
        """Packets of this recording have come."""
        if taped.missed:
            self.missed(taped.missed, "busy", taped.first, taped.first)
        for track, party in self._parties.items():
            if taped.tracks >> track & 1:
                party.heard_at, party.is_heard, party.is_silent = taped.last, True, False
        self.packets += taped.packets
        self._packets += taped.packets
        self.bytes += len(taped.entries)
        self._keep(taped.first, taped.entries)

    def part(self, what: str, with_whom: list[str], now: int) -> None:
        """The call does something else from now on; nothing where that is known."""
        said = Part(what, with_whom)
        if said != self._part:
            self._part = said
            self._state(NO_TRACK, said, now)

    def missed(self, packets: int, why: str, since: int, now: int) -> None:
        """Packets came that nobody kept."""
        self._state(NO_TRACK, Missed(packets, why, since), now)

    @property
    def is_full(self) -> bool:
        """Whether so much was gathered that it must be `taken` now."""
        return self._gathered >= MOST_GATHERED_BYTES

    def let_go(self, plain: Plain) -> None:
        """A segment's packets aren't kept."""
        self.packets -= plain.packets
        self.bytes -= len(plain.plain) - len(plain.statements)

    def due(self, now: int) -> Plain | None:
        """Return what was gathered when it is time to write it; None before."""
        for track, party in self._parties.items():
            if not party.is_silent and now - party.heard_at >= _SILENT_US:
                party.is_silent = True
                self._state(track, Silent(party.heard_at), now)
        if not self._entries or now - self._begun < _SEGMENT_US:
            return None
        return self.taken()

    def gathered(self) -> Plain | None:
        """Return what was gathered, before it is time: somebody wants to hear it. None for nothing."""
        return self.taken() if self._entries else None

    def clock_set(self, clock: Clock, by_us: int, now: int) -> Plain:
        """The clock was set by `by_us`, to `now`: returns what was gathered before.

        A segment's times are near to its begin: none goes from one clock to another.
        """
        made = self.taken()
        for party in self._parties.values():
            party.heard_at += by_us
        self._state(NO_TRACK, clock._replace(set_by_us=by_us), now)
        return made

    def end(self, cause: str, now: int) -> Plain:
        """Return the last segment."""
        self._state(NO_TRACK, Ended(cause, self.packets, self.bytes), now)
        return self.taken()

    def taken(self) -> Plain:
        """Return what was gathered, whether it is time or not."""
        statements = b"".join(self._statements)
        made = Plain(self._begun, b"".join(self._entries), self._packets, statements)
        self._entries.clear()
        self._gathered = 0
        self._statements.clear()
        self._packets = 0
        return made

    def _state(self, track: int, said: Statement, now: int) -> None:
        made = statement(track, now, said)
        self._statements.append(made)
        self._keep(now, made)

    def _keep(self, at: int, entries: bytes) -> None:
        if not self._entries:
            self._begun = at
        self._entries.append(entries)
        self._gathered += len(entries)
