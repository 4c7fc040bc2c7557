"""What legs at a daemon say, put on the recorder's tape by this process: the daemon sends it copies.

```
    leg ──> daemon ──> its peer
              └──(copies, in clear, as they came)──> socket ──> media.engines.reel.Writer ──> tape
```
A daemon copies what one party of a call says to whoever subscribes to it, whatever becomes of that party
meanwhile: it is joined to another, left alone, or agrees on another codec. What the daemon plays to a leg it
copies to nobody: on the tape is the sound that it was given, as A-law, from the moment when it was told to
play it. A leg without events (RFC 4733), in whose sound the daemon looks for keys, it copies after decoding
and encoding again, which loses nothing of G.711. Packets of legs that are recorded, and of no others, pass
through the loop of signalling.
"""

import asyncio
import secrets
from typing import Final

from media.engine import NO_TRACK
from media.engines.daemon_recordings import Ear
from media.engines.pieces import FRAME_MS, Piece
from media.engines.reel import NEVER, Writer
from media.negotiation import Leg
from media.rtp import RTCP_PAYLOAD_TYPES, Packet, RtpError, build, parse

_AT_ONCE: Final = 64  # packets in one turn of the loop
_MAX_BYTES: Final = 4096
_FRAME_SECONDS: Final = FRAME_MS / 1000
_FRAME_TICKS: Final = 160
_PCMA: Final = 8
_TICK_SECONDS: Final = 0.1


class _Played:
    """What a leg is played. began_at: when, in the loop's time; place: of its next frame that isn't written.

    ssrc, sequence: of the packets that are made of it.
    """

    __slots__ = ("began_at", "leg", "piece", "place", "repeat", "sequence", "ssrc")

    def __init__(self, leg: Leg, piece: Piece, began_at: float, place: int, *, repeat: bool) -> None:
        self.leg, self.piece, self.repeat = leg, piece, repeat
        self.began_at, self.place = began_at, place
        self.ssrc, self.sequence = secrets.randbits(32), 0

    def next_packet(self) -> bytes:
        """Return the next 20 ms as a packet; b"" at the end."""
        count = max(1, round(self.piece.seconds / _FRAME_SECONDS))
        payload = self.piece.frame(self.place % count if self.repeat else self.place)
        if not payload:
            return b""
        sequence, timestamp = self.sequence & 0xFFFF, self.place * _FRAME_TICKS & 0xFFFFFFFF
        self.sequence, self.place = self.sequence + 1, self.place + 1
        return build(Packet(_PCMA, sequence, timestamp, self.ssrc, payload, sequence == 0))


class Tapes:
    """All legs at daemons that are on the tape."""

    def __init__(self, writer: Writer) -> None:
        self._loop = asyncio.get_running_loop()
        self._writer = writer
        self._timer: asyncio.TimerHandle | None = None
        self._played: dict[Leg, _Played] = {}
        self._ticking: asyncio.TimerHandle | None = None

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
        for timer in (self._timer, self._ticking):
            if timer is not None:
                timer.cancel()
        self._writer.flush(self._loop.time())

    def take(self, ear: Ear, leg: Leg) -> None:
        """Put on the tape what has come to an ear."""
        now = self._loop.time()
        for _ in range(_AT_ONCE):
            try:
                packet = ear.socket.recv(_MAX_BYTES)
            except OSError:  # nothing more
                break
            if not _is_rtp(packet):
                continue
            for slot, (by_leg, _) in leg.tapes.items():
                if by_leg != NO_TRACK:
                    self._writer.put(slot, by_leg, packet, now)
        self._flush_in_time()

    def play(self, leg: Leg, piece: Piece, began_at: float, *, repeat: bool) -> None:
        """Put on the tape, from now on, what a leg is played since `began_at` of the loop's time."""
        self.stop(leg)
        now = self._loop.time()
        place = round((now - began_at) / _FRAME_SECONDS)
        self._played[leg] = _Played(leg, piece, began_at, place, repeat=repeat)
        if self._ticking is None:
            self._ticking = self._loop.call_at(now + _TICK_SECONDS, self._tick)

    def stop(self, leg: Leg) -> None:
        """A leg is played no more."""
        played = self._played.pop(leg, None)
        if played is not None:
            self._write_due(played, self._loop.time())
            self._flush_in_time()

    def _tick(self) -> None:
        now, self._ticking = self._loop.time(), None
        for leg, played in list(self._played.items()):
            if not self._write_due(played, now):
                del self._played[leg]
        if self._played:
            self._ticking = self._loop.call_at(now + _TICK_SECONDS, self._tick)
        self._flush_in_time()

    def _write_due(self, played: _Played, now: float) -> bool:
        """Write what has been heard until now; return whether there is more."""
        while (at := played.began_at + played.place * _FRAME_SECONDS) <= now:
            packet = played.next_packet()
            if not packet:
                return False
            for slot, (_, to_leg) in played.leg.tapes.items():
                if to_leg != NO_TRACK:
                    self._writer.put(slot, to_leg, packet, at)
        return True

    def _flush_in_time(self) -> None:
        if self._timer is None and self._writer.due_at != NEVER:
            self._timer = self._loop.call_at(self._writer.due_at, self._flush)

    def _flush(self) -> None:
        self._timer = None
        self._writer.flush(self._loop.time())
        self._flush_in_time()


def _is_rtp(packet: bytes) -> bool:
    """Say whether a datagram is a packet of sound; reports come to the same port (RFC 5761 section 4)."""
    try:
        return parse(packet).payload_type not in RTCP_PAYLOAD_TYPES
    except RtpError:
        return False
