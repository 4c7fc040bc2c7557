"""What a tape is on: made by the supervisor before it forks, shared by those who write and the one who reads.

```
    plane of C ──────────> memory ──┐
    plane of Python, ──> socket ────┴──> media.engines.tape.Tape ──> recorder
    signalling's own
```
Threads of C write into a ring of memory (`media/native/ring.h`), which outlives them. Python writes batches
of packets to a socket, which a recorder that dies leaves to the next one as well. `Writer` never waits: what
the socket doesn't take is kept, up to MOST_KEPT_BYTES, and what finds no room there is lost and counted.

A batch is one message: its packets one behind the other, each with a head of HEAD.
"""

import mmap
import os
import socket
import struct
from collections import deque
from collections.abc import Sequence
from typing import Final

MEMORY_BYTES: Final = (1 << 25) + 4096  # what `tape_memory` of the C code says, and no less
SOCKET_BYTES: Final = 4 * 1024 * 1024  # of batches that nobody has read yet; the system may give less
BATCH_BYTES: Final = 32_768
BATCH_SECONDS: Final = 0.05
MOST_KEPT_BYTES: Final = 16 * 1024 * 1024
HEAD: Final = struct.Struct("=IIdHB")  # slot, packets lost before it, monotonic seconds, its bytes, track
NEVER: Final = float("inf")


class Reel:
    """See the module. memory: of the ring; sending, receiving: the ends of the socket.

    descriptors: of the three, for a process that isn't forked from this one.
    """

    def __init__(self, descriptors: Sequence[int] = ()) -> None:
        """descriptors: of the reel that another process has made. Raises OSError."""
        if descriptors:
            self._backing, sending, receiving = descriptors
            self.sending, self.receiving = socket.socket(fileno=sending), socket.socket(fileno=receiving)
        else:
            self._backing = os.memfd_create("tape")
            os.ftruncate(self._backing, MEMORY_BYTES)
            self.sending, self.receiving = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.sending.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
        self.memory = mmap.mmap(self._backing, MEMORY_BYTES)  # pages that nobody has written to take none
        self.sending.setblocking(False)
        self.receiving.setblocking(False)

    @property
    def descriptors(self) -> tuple[int, int, int]:
        """See the class."""
        return self._backing, self.sending.fileno(), self.receiving.fileno()

    def renounce(self) -> None:
        """Close everything here: for a process that was forked and has nothing to do with recordings."""
        self.sending.close()
        self.receiving.close()
        self.memory.close()
        os.close(self._backing)


class Writer:
    """Puts packets on the tape through the socket of a reel. due_at: when `flush` has something to do.

    Times are monotonic seconds.
    """

    def __init__(self, reel: Reel) -> None:
        self._socket = reel.sending
        self._batch = bytearray()
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self._lost: dict[int, int] = {}  # packets of each slot since the last one that found room
        self.due_at = NEVER

    def put(self, slot: int, track: int, packet: bytes, now: float) -> None:
        """Add a packet; it leaves with `flush`, or before."""
        if self._kept_bytes + len(self._batch) + len(packet) > MOST_KEPT_BYTES:
            self._lost[slot] = self._lost.get(slot, 0) + 1
            return
        lost = self._lost.pop(slot, 0) if self._lost else 0
        self._batch += HEAD.pack(slot, lost, now, len(packet), track)
        self._batch += packet
        if self.due_at == NEVER:
            self.due_at = now + BATCH_SECONDS
        if len(self._batch) >= BATCH_BYTES:
            self.flush(now)

    def flush(self, now: float) -> None:
        """Send what is there, as far as the socket takes it; the rest is due a little later."""
        if self._batch:
            self._kept.append(bytes(self._batch))
            self._kept_bytes += len(self._batch)
            self._batch.clear()
        while self._kept:
            try:
                self._socket.send(self._kept[0])
            except OSError:  # full, or nobody is there who could ever read
                self.due_at = now + BATCH_SECONDS
                return
            self._kept_bytes -= len(self._kept.popleft())
        self.due_at = NEVER
