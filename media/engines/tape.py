"""A tape: where packets of recorded legs are put, and a recorder's process takes them.

```
    plane ──> Reel ──> Tape.read ──> Taped, one a recording
```
Who writes never waits: a tape that is full loses the packet, and the next one says how many are missing. A
recorder that dies leaves the tape as it is, and the next one goes on reading there.

What threads of C write comes out of memory put together by C (`media/native/tape.c`); what Python writes
comes out of a socket, and is put together here. Both make the same entries (`recording/proof/entries.py`).
"""

import struct
from typing import Any, Final, NamedTuple

from media.engine import NO_TRACK as NO_TRACK
from media.engines import native
from media.engines.reel import BATCH_BYTES, HEAD, Reel

ROOM: Final = 4 * 1024 * 1024  # bytes read at once
MOST_RECORDINGS: Final = 1024  # in one reading
_A_PACKET: Final = 1
_ENTRY: Final = struct.Struct(">BBHI")  # kind, track, bytes of the packet, low half of its Unix microseconds
_LONGEST_BATCH: Final = 2 * BATCH_BYTES


class Taped(NamedTuple):
    """What one recording had on the tape. entries: its packets, as they lie in a recording's file.

    tracks: a bit for each track that has packets; missed: packets before these that the tape had no room for;
    first, last: when the first and last of them came, Unix microseconds.
    """

    recording: int
    entries: bytes
    packets: int
    missed: int
    tracks: int
    first: int
    last: int


class Tape:
    """The recorder's end of a tape; one at a time. Raises OSError where there is no memory."""

    def __init__(self, reel: Reel) -> None:
        self._socket = reel.receiving
        self._ring = _Ring(reel) if native.is_built() else None

    def read(self, offset_us: int) -> list[Taped]:
        """Take what is there, at most some ROOM bytes of it; [] when there is nothing.

        offset_us: what makes Unix microseconds of monotonic ones. A recording may be there twice, where both
        planes have written of it.
        """
        taped = self._ring.read(offset_us) if self._ring is not None else []
        groups: dict[int, _Group] = {}
        taken = 0
        while taken < ROOM:
            try:
                batch = self._socket.recv(_LONGEST_BATCH)
            except OSError:  # nothing more
                break
            if not batch:
                break
            taken += len(batch)
            _sort(batch, offset_us, groups)
        return taped + [group.taped(slot) for slot, group in groups.items()]

    def close(self) -> None:
        """Read nothing more; what is on the tape stays."""
        if self._ring is not None:
            self._ring.close()


class _Ring:
    """What threads of C have written."""

    def __init__(self, reel: Reel) -> None:
        self._memory = native.ffi.from_buffer("uint8_t[]", reel.memory)  # held: it is read from
        self._tape = native.lib.tape_open(self._memory)
        if self._tape == native.ffi.NULL:
            raise OSError(native.ffi.errno, "no memory for a tape")
        self._out = bytearray(ROOM)
        self._room = native.ffi.from_buffer("uint8_t[]", self._out)
        self._groups: Any = native.ffi.new("tape_group[]", MOST_RECORDINGS)

    def read(self, offset_us: int) -> list[Taped]:
        found = native.lib.tape_read(self._tape, offset_us, self._room, ROOM, self._groups, MOST_RECORDINGS)
        out = memoryview(self._out)
        return [
            Taped(
                group.recording,
                bytes(out[group.start : group.start + group.length]),
                group.packets,
                group.missed,
                group.tracks,
                group.first,
                group.last,
            )
            for group in self._groups[0:found]
        ]

    def close(self) -> None:
        native.lib.tape_close(self._tape)
        native.ffi.release(self._room)
        native.ffi.release(self._memory)


class _Group:
    """Packets of one recording that have come out of the socket."""

    __slots__ = ("entries", "first", "last", "missed", "packets", "tracks")

    def __init__(self, first: int) -> None:
        self.entries: list[bytes] = []
        self.first = self.last = first
        self.packets = self.missed = self.tracks = 0

    def taped(self, slot: int) -> Taped:
        entries = b"".join(self.entries)
        return Taped(slot, entries, self.packets, self.missed, self.tracks, self.first, self.last)


def _sort(batch: bytes, offset_us: int, groups: dict[int, _Group]) -> None:
    """Make entries of the packets of a batch, each in its recording's group."""
    at = 0
    while at < len(batch):
        slot, lost, came, length, track = HEAD.unpack_from(batch, at)
        at += HEAD.size
        unix_us = int(came * 1e6) + offset_us
        group = groups.get(slot)
        if group is None:
            group = groups[slot] = _Group(unix_us)
        group.entries += (
            _ENTRY.pack(_A_PACKET, track, length, unix_us & 0xFFFFFFFF),
            batch[at : at + length],
        )
        group.last = unix_us
        group.packets += 1
        group.missed += lost
        group.tracks |= 1 << track % 64
        at += length
