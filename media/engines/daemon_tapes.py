"""What legs at a daemon say, put on the recorder's tape by this process: the daemon sends it copies.

```
    leg ──> daemon ──> its peer
              └──(copies, in clear, as they came)──> socket ──> media.engines.reel.Writer ──> tape
```
A daemon copies what one party of a call says to whoever subscribes to it, whatever becomes of that party
meanwhile: it is joined to another, left alone, or agrees on another codec. What the daemon plays to a leg is
copied to nobody. Packets of legs that are recorded, and of no others, pass through the loop of signalling.
"""

import asyncio
from typing import Final

from media.engine import NO_TRACK
from media.engines.daemon_recordings import Ear
from media.engines.reel import Writer
from media.negotiation import Leg
from media.rtp import HEADER_BYTES, RTCP_PAYLOAD_TYPES

_AT_ONCE: Final = 64  # packets in one turn of the loop
_MAX_BYTES: Final = 4096
_VERSION: Final = 0x80


class Tapes:
    """All sockets that daemons send copies to."""

    def __init__(self, writer: Writer) -> None:
        self._loop = asyncio.get_running_loop()
        self._writer = writer
        self._timer: asyncio.TimerHandle | None = None

    def hear(self, ear: Ear, leg: Leg) -> None:
        """Put what comes to an ear on the tape, as the leg's tracks say then."""
        self._loop.add_reader(ear.socket.fileno(), self.take, ear, leg)

    def forget(self, ear: Ear, leg: Leg) -> None:
        """Hear what has come there, and nothing more."""
        self.take(ear, leg)
        self._loop.remove_reader(ear.socket.fileno())
        ear.socket.close()

    def close(self) -> None:
        """Write what is still there."""
        if self._timer is not None:
            self._timer.cancel()
        self._flush()

    def take(self, ear: Ear, leg: Leg) -> None:
        """Put on the tape what has come to an ear."""
        now = self._loop.time()
        for _ in range(_AT_ONCE):
            try:
                packet = ear.socket.recv(_MAX_BYTES)
            except OSError:  # nothing more
                break
            # RFC 5761 section 4: reports come to the same port.
            is_rtp = len(packet) >= HEADER_BYTES and packet[0] & 0xC0 == _VERSION
            if not is_rtp or packet[1] & 0x7F in RTCP_PAYLOAD_TYPES:
                continue
            for slot, (by_leg, _) in leg.tapes.items():
                if by_leg != NO_TRACK:
                    self._writer.put(slot, by_leg, packet, now)
        if self._timer is None and self._writer.due_at < now + 1.0:
            self._timer = self._loop.call_at(self._writer.due_at, self._flush)

    def _flush(self) -> None:
        self._timer = None
        now = self._loop.time()
        self._writer.flush(now)
        if self._writer.due_at < now + 1.0 and not self._loop.is_closed():
            self._timer = self._loop.call_at(self._writer.due_at, self._flush)
