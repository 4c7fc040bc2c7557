"""A tape: where the media process puts packets of recorded legs, and a recorder's process takes them.

```
    plane ──(C, under its lock)──> ring in memory that both share ──> Tape.read ──> Taped, one a recording
```
What the media process gives is never waited for: a tape that is full loses the packet, and the next one says
how many are missing. A recorder that dies leaves the tape as it is, and the next one goes on reading there.
"""

import mmap
from typing import Final, NamedTuple

from media.engines import native

ROOM: Final = 4 * 1024 * 1024  # bytes read at once
MOST_RECORDINGS: Final = 1024  # in one reading
NO_TRACK: Final = 255


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


def make_memory() -> mmap.mmap:
    """Return the memory of a tape, to be shared by a fork. Raises native.NotBuilt."""
    if not native.is_built():
        raise native.NotBuilt("a tape needs the native engine")
    return mmap.mmap(-1, native.lib.tape_memory())


class Tape:
    """The recorder's end of a tape. Raises OSError where there is no memory."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = native.ffi.from_buffer("uint8_t[]", memory)  # held: it is read from
        self._tape = native.lib.tape_open(self._memory)
        if self._tape == native.ffi.NULL:
            raise OSError(native.ffi.errno, "no memory for a tape")
        self._out = bytearray(ROOM)
        self._room = native.ffi.from_buffer("uint8_t[]", self._out)
        self._groups = native.ffi.new("tape_group[]", MOST_RECORDINGS)

    def read(self, offset_us: int) -> list[Taped]:
        """Take what is there, at most ROOM bytes of it; [] when there is nothing.

        offset_us: what makes Unix microseconds of monotonic ones.
        """
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
        """Read nothing more; what is on the tape stays."""
        native.lib.tape_close(self._tape)
        native.ffi.release(self._room)
        native.ffi.release(self._memory)
