"""What legs at a daemon say, written into files by this process: the daemon sends it to a socket of ours.

```
    leg ──> daemon ──(in clear, as to the leg's shadow)──> socket ──> media.engines.recorder ──> file
```
This is for what is short and rare: a message in a mailbox, a greeting. Packets of a leg that is recorded, and
of no other, pass through the loop of signalling.

An `Ear` is the socket; it stays until the daemon knows that nobody listens there any more, so that what it
still sends meets no closed port.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Final

from media import rtp
from media.engine import MediaUnavailable, RecordEnd
from media.engines import wire
from media.engines.recorder import Recorders
from media.jitter_buffer import FRAME_MS
from media.sdp import Codec

_AT_ONCE: Final = 64  # packets in one turn of the loop
_MAX_BYTES: Final = 4096
_FRAME_SECONDS: Final = FRAME_MS / 1000


class Ear:
    """A socket where a daemon sends what one leg says. place: host and port, as the daemon is told."""

    def __init__(self, toward: str) -> None:
        """Be on the address of ours from which `toward` is reached. Raises MediaUnavailable."""
        family = socket.AF_INET6 if ":" in toward else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((toward, 9))
                host = probe.getsockname()[0]
            self.socket.bind((host, 0))
        except OSError as error:
            self.socket.close()
            raise MediaUnavailable(f"nothing can be heard from {toward}: {error.strerror}") from None
        self.place: tuple[str, int] = self.socket.getsockname()[:2]


class Recordings:
    """All legs that are recorded, by numbers of their owner's.

    ended: called in the loop with the number, why it is over, and the seconds in its file.
    """

    def __init__(self, ended: Callable[[int, RecordEnd, float], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = ended
        self._recorders = Recorders(self._tell)
        self._ears: dict[int, Ear] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, ear: Ear, said: wire.Record, codecs: Mapping[int, Codec], codec: Codec) -> None:
        """Record what comes to an ear. codecs: what may come, by its numbers."""
        self._recorders.begin(said, codecs, codec)
        if said.port not in self._recorders:
            return
        self._ears[said.port] = ear
        self._loop.add_reader(ear.socket.fileno(), self._readable, said.port, ear)
        if self._timer is None:
            self._tick_at(self._loop.time() + _FRAME_SECONDS)

    def pressed(self, number: int, digit: str) -> None:
        """A leg pressed a key: some recordings end with that."""
        self._recorders.pressed(number, digit)
        self._forget_ended(number)

    def end(self, number: int, why: RecordEnd) -> None:
        """End a recording, if it still goes on."""
        self._recorders.end(number, why)
        self._forget_ended(number)

    def close(self) -> None:
        """End all recordings, and wait until the disk has them."""
        for number in list(self._ears):
            self.end(number, "lost")
        if self._timer is not None:
            self._timer.cancel()
        self._recorders.close()

    def _forget_ended(self, number: int) -> None:
        if number in self._ears and number not in self._recorders:
            self._loop.remove_reader(self._ears.pop(number).socket.fileno())

    def _readable(self, number: int, ear: Ear) -> None:
        for _ in range(_AT_ONCE):
            try:
                packet = rtp.parse(ear.socket.recv(_MAX_BYTES))
            except rtp.RtpError:
                continue
            except OSError:  # nothing more
                return
            self._recorders.receive(number, packet, self._loop.time())

    def _tick_at(self, when: float) -> None:
        self._timer = self._loop.call_at(when, self._tick, when)

    def _tick(self, when: float) -> None:
        self._timer = None
        for number in self._recorders.tick(when):
            self._forget_ended(number)
        if self._ears:
            self._tick_at(when + _FRAME_SECONDS)

    def _tell(self, report: wire.Report) -> None:
        """Called by the thread that writes."""
        if isinstance(report, wire.Recorded) and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ended, report.port, report.why, report.seconds)
