"""What a media process leaves to the next one: its sockets, and where each stream was.

The supervisor makes one `Inheritance` before it forks. The media process hands it a duplicate of every
socket that it binds, and writes into the memory that they share where each stream is. When the media
process dies, its ports stay open (what phones send meanwhile waits in them, and no phone is told that
nobody listens), and the next process, forked from the supervisor, finds both.

```
    supervisor ── Inheritance ──fork──> media process ──binds──> sockets
        ^   descriptors (SCM_RIGHTS)         │   │
        └────────────────────────────────────┘   └── each second: where the stream is ──> memory
```

A process can die between any two instructions: a record counts when its length is written, which is
written last. What a stream did since its last record is made good by `rtp.Outgoing.resume`.
"""

import hashlib
import mmap
import socket
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from media.rtp import IncomingState, OutgoingState
from media.sdes import Crypto

STREAMS: Final = 0x10000  # an even port each, of IPv4 and of IPv6
RECORD_BYTES: Final = 256  # pages that no stream uses take no memory
PAIRS_A_MESSAGE: Final = 100  # a message of a Unix socket takes 253 descriptors

_NUMBER: Final = struct.Struct("!I")


class NoRecord(Exception):
    """The stream wasn't there when the last process died, or its record wasn't finished."""


class KeyState(msgspec.Struct, frozen=True, array_like=True):
    """How far the keys of a leg were used (RFC 3711 section 3.2.1).

    ours, theirs: which keys, see `fingerprint`. sent: index of our newest packet, -1 for none; reports:
    number of our newest report. heard: index of the newest packet from heard_ssrc, -1 for none.
    """

    ours: int
    theirs: int
    sent: int
    reports: int
    heard_ssrc: int
    heard: int


def fingerprint(crypto: Crypto) -> int:
    """Return a number of 64 bits that says which key it is, and nothing about the key."""
    said = crypto.suite.encode() + crypto.key + crypto.mki
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest())


class StreamRecord(msgspec.Struct, array_like=True):
    """Where a stream was. host, port: where the leg was heard from, "" and 0 for a leg not heard yet.

    keys: None for a leg that speaks in clear.
    """

    host: str
    port: int
    outgoing: OutgoingState
    incoming: IncomingState
    keys: KeyState | None = None


class Pair(NamedTuple):
    """The descriptors of a stream's RTP and RTCP sockets."""

    rtp: int
    rtcp: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(StreamRecord)


class Inheritance:
    """Sockets and records of the streams, named by their numbers in `wire`. pairs: what is kept now.

    memory: RECORD_BYTES for each stream; `write`, `read` and `forget` are for streams of Python, those of C
    have their state there (`media/native/plane.c`).
    """

    def __init__(self) -> None:
        self.pairs: dict[int, Pair] = {}
        self._receiving, self._sending = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._receiving.setblocking(False)
        self._sending.setblocking(False)
        self.memory = mmap.mmap(-1, STREAMS * RECORD_BYTES)

    # -- the supervisor ----------------------------------------------------------------------------

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is something to `receive`."""
        return self._receiving.fileno()

    def receive(self) -> None:
        """Take what the media process has handed over, all of it."""
        while True:
            try:
                message, descriptors, _, _ = socket.recv_fds(
                    self._receiving, PAIRS_A_MESSAGE * _NUMBER.size, 2 * PAIRS_A_MESSAGE
                )
            except BlockingIOError:
                return
            numbers = [number for (number,) in _NUMBER.iter_unpack(message)]
            for number, rtp, rtcp in zip(numbers, descriptors[::2], descriptors[1::2], strict=False):
                self.pairs[number] = Pair(rtp, rtcp)

    def renounce(self) -> None:
        """Close everything here: for a process that was forked and has nothing to do with sound."""
        for pair in self.pairs.values():
            for descriptor in pair:
                socket.close(descriptor)
        self.pairs.clear()
        self._receiving.close()
        self._sending.close()
        self.memory.close()

    # -- the media process -------------------------------------------------------------------------

    def keep(self, bound: Sequence[tuple[int, Pair]]) -> None:
        """Hand sockets over. Raises OSError when the supervisor doesn't take them: they die with us."""
        for start in range(0, len(bound), PAIRS_A_MESSAGE):
            part = bound[start : start + PAIRS_A_MESSAGE]
            numbers = b"".join(_NUMBER.pack(number) for number, _ in part)
            descriptors = [descriptor for _, pair in part for descriptor in pair]
            socket.send_fds(self._sending, [numbers], descriptors)

    def write(self, number: int, record: StreamRecord) -> None:
        """Remember where a stream is."""
        body = _encoder.encode(record)
        start = (number >> 1) * RECORD_BYTES
        memory = self.memory
        memory[start] = 0
        memory[start + 1 : start + 1 + len(body)] = body
        memory[start] = len(body)

    def read(self, number: int) -> StreamRecord:
        """Return where a stream was. Raises NoRecord."""
        start = (number >> 1) * RECORD_BYTES
        length = self.memory[start]
        try:
            return _decoder.decode(self.memory[start + 1 : start + 1 + length])
        except msgspec.MsgspecError as error:
            raise NoRecord(str(error)) from None

    def forget(self, number: int) -> None:
        """Forget a stream: its port is another one's now."""
        self.memory[(number >> 1) * RECORD_BYTES] = 0
