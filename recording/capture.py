"""One recording while it goes on: what its parties send, gathered into segments.

```
packets, parts, what was missed ──> Capture ──(every SEGMENT_SECONDS)──> Plain ──> Writer
```
Nothing here reads a clock, waits, or touches a disk. Times are Unix microseconds. A party that sends nothing
for SILENT_SECONDS is stated to be silent since its last packet, so that silence in a recording is never a
packet that we lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from recording.proof.entries import (
    MOST_BODY_BYTES,
    NO_TRACK,
    Clock,
    Ended,
    Missed,
    Part,
    Silent,
    Statement,
    Track,
    packet,
    statement,
)

SEGMENT_SECONDS: Final = 1.0  # a death loses what wasn't written: at most this, and as long as a write takes
SILENT_SECONDS: Final = 2.0
_SEGMENT_US: Final = int(SEGMENT_SECONDS * 1e6)
_SILENT_US: Final = int(SILENT_SECONDS * 1e6)
MOST_TRACKS: Final = 255


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
    """See the module. packets, bytes: that were given so far, of all tracks."""

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

    def packet(self, track: int, data: bytes, now: int) -> None:
        """A packet of a track has come."""
        party = self._parties[track]
        party.heard_at, party.is_silent = now, False
        self.packets += 1
        self._packets += 1
        self.bytes += len(data)
        self._entries.append(packet(track, self._after(now), data[:MOST_BODY_BYTES]))

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
        self._entries.append(statement(track, self._after(now), said))

    def _after(self, now: int) -> int:
        """Microseconds since the segment began; a clock that was set back makes them 0."""
        if not self._entries:
            self._begun = now
        return max(0, now - self._begun)
