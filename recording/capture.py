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
_SEGMENT_US: Final = int(SEGMENT_SECONDS * 1e6)
_SILENT_US: Final = int(SILENT_SECONDS * 1e6)
MOST_TRACKS: Final = 64


class Plain(NamedTuple):
    """A segment to be sealed. begun: of its first entry; packets: how many are in it."""

    begun: int
    plain: bytes
    packets: int


class _Party:
    """A track's party. heard_at: when its last packet came, or its track began."""

    __slots__ = ("heard_at", "is_silent")

    def __init__(self, now: int) -> None:
        self.heard_at = now
        self.is_silent = False


class Capture:
    """See the module. packets, and bytes of their entries: that were given so far, of all tracks."""

    __slots__ = ("_begun", "_entries", "_packets", "_parties", "bytes", "packets")

    def __init__(self, clock: Clock, now: int) -> None:
        """clock: what the times stand on."""
        self.packets = 0
        self.bytes = 0
        self._parties: list[_Party] = []
        self._entries: list[bytes] = []
        self._packets = 0  # in this segment
        self._begun = now
        self._state(NO_TRACK, clock, now)

    def track(self, party: str, leg: str, codecs: Mapping[str, str], now: int) -> int:
        """A party's sound begins, or changes its codecs: returns the track of its packets from now on.

        Raises ValueError for more than MOST_TRACKS.
        """
        if len(self._parties) == MOST_TRACKS:
            raise ValueError(f"more than {MOST_TRACKS} tracks")
        self._parties.append(_Party(now))
        self._state(len(self._parties) - 1, Track(party, leg, codecs), now)
        return len(self._parties) - 1

    def take(self, taped: Taped) -> None:
        """Packets of this recording have come."""
        if taped.missed:
            self.missed(taped.missed, "busy", taped.first, taped.first)
        for track, party in enumerate(self._parties):
            if taped.tracks >> track & 1:
                party.heard_at, party.is_silent = taped.last, False
        self.packets += taped.packets
        self._packets += taped.packets
        self.bytes += len(taped.entries)
        self._keep(taped.first, taped.entries)

    def part(self, what: str, with_whom: list[str], now: int) -> None:
        """The call does something else from now on."""
        self._state(NO_TRACK, Part(what, with_whom), now)

    def missed(self, packets: int, why: str, since: int, now: int) -> None:
        """Packets came that nobody kept."""
        self._state(NO_TRACK, Missed(packets, why, since), now)

    def due(self, now: int) -> Plain | None:
        """Return what was gathered when it is time to write it; None before."""
        for track, party in enumerate(self._parties):
            if not party.is_silent and now - party.heard_at >= _SILENT_US:
                party.is_silent = True
                self._state(track, Silent(party.heard_at), now)
        if not self._entries or now - self._begun < _SEGMENT_US:
            return None
        return self._take()

    def end(self, cause: str, now: int) -> Plain:
        """Return the last segment."""
        self._state(NO_TRACK, Ended(cause, self.packets, self.bytes), now)
        return self._take()

    def _take(self) -> Plain:
        made = Plain(self._begun, b"".join(self._entries), self._packets)
        self._entries.clear()
        self._packets = 0
        return made

    def _state(self, track: int, said: Statement, now: int) -> None:
        self._keep(now, statement(track, now, said))

    def _keep(self, at: int, entries: bytes) -> None:
        if not self._entries:
            self._begun = at
        self._entries.append(entries)
