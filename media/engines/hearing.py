"""What is done with the packets that the plane takes from legs, or copies: who hears each stream.

```
    plane ──> Hearing.heard ──> ears        digits in the sound, told and sent to the peer as events
                           ├──> converter   what the peer is to hear, in its codec
                           ├──> recorders   what is written into a file
                           └──> rooms       what a room is to hear
```
A leg's route says whether it needs one of them (`wire.Route.converts`, `digits`), and the verbs of rooms and
recordings.
Calls whose packets nobody looks into never come here: the module is loaded, with numpy, when the first
leg needs it.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from media import dtmf, rtp
from media.engines import wire
from media.engines.converter import Converter, Ear
from media.engines.ears import Ears
from media.engines.recorder import Recorders
from media.engines.rooms import IN_ROOM, Rooms, Seat
from media.engines.stream import Hearing, Player, Stream
from media.g711 import CodecError
from media.rtp import Frame
from media.sdp import Codec
from media.voice import natural_rate

_log = logging.getLogger(__name__)

# RFC 3551 table 4: what these numbers mean where nothing else was said.
_STATIC: Final = {
    0: Codec(0, "PCMU", 8000, 1, "pcmu/8000/1"),
    8: Codec(8, "PCMA", 8000, 1, "pcma/8000/1"),
    9: Codec(9, "G722", 8000, 1, "g722/8000/1"),
    13: Codec(13, "CN", 8000, 1, "cn/8000/1"),
}

SendEvents = Callable[[Stream, Iterator[Frame], float], None]
SendTone = Callable[[Stream, str], None]


class _Listener:
    """What hears one stream. basis: what the converter was made of.

    waiting: keys found in the sound whose events haven't begun; events: what is sent of them.
    """

    __slots__ = ("basis", "converter", "ears", "events", "peer", "seat", "waiting")

    def __init__(self) -> None:
        self.ears: Ears | None = None
        self.converter: Converter | None = None
        self.seat: Seat | None = None
        self.peer: Stream | None = None
        self.basis: object = None
        self.waiting: deque[str] = deque()
        self.events: Iterator[Frame] = iter(())


class Hearers:
    """All that hears streams. routes: of every stream, by port. reports: where digits are added.

    send_events, send_tone: play the packets of a key, or its tone, to a stream. tell: takes reports from
    another thread.
    """

    def __init__(
        self,
        routes: dict[int, wire.Route],
        reports: list[wire.Report],
        send_events: SendEvents,
        send_tone: SendTone,
        tell: Callable[[wire.Report], None],
    ) -> None:
        self.rooms = Rooms(reports)
        self.recorders = Recorders(tell)
        self._routes = routes
        self._reports = reports
        self._send_events = send_events
        self._send_tone = send_tone
        self._listeners: dict[int, _Listener] = {}
        self._recorded: dict[int, Stream] = {}
        self._toned: dict[int, Stream] = {}  # whose peer is to be played each key as a tone

    # -- what each stream needs --------------------------------------------------------------------

    def route(self, stream: Stream) -> None:
        """Hear the stream as its route, which has just been said, and its peer's say."""
        self._attend(stream)
        peer = stream.peer
        if peer is not None and peer.port in self._listeners:
            self._attend(peer)  # its converter speaks as this route says

    def join(self, stream: Stream, said: wire.Join) -> None:
        """Put a stream into a room, or change what it does there."""
        if said.port in self.rooms:
            self.rooms.change(said)
            return
        route = self._routes.get(said.port)
        if route is None:
            _log.warning("port=%d room=%s a leg without a codec can't come in", said.port & 0xFFFF, said.room)
            return
        codec = wire.codec_of(route)
        try:
            natural_rate(codec)
        except CodecError as error:
            _log.warning("port=%d room=%s can't come in: %s", said.port & 0xFFFF, said.room, error)
            return
        self.rooms.join(said, Seat(stream, _codecs(route), codec, route.fmtp))
        self._attend(stream)

    def leave(self, stream: Stream) -> None:
        """Take a stream out of its room, if it is in one."""
        self.rooms.leave(stream.port)
        if stream.port in self._listeners:
            self._attend(stream)

    def record(self, stream: Stream, said: wire.Record) -> None:
        """Write what the leg says into a file."""
        route = self._routes.get(said.port)
        if route is None or not route.codec:
            _log.warning("port=%d a leg without a codec can't be recorded", said.port & 0xFFFF)
            self._reports.append(wire.Recorded(said.port, said.turn, "failed", 0.0))
            return
        self.recorders.begin(said, _codecs(route), wire.codec_of(route))
        if said.port in self.recorders:
            self._recorded[said.port] = stream
            self._attend(stream)

    def stop_recording(self, stream: Stream) -> None:
        """Record the leg no more, if it is recorded."""
        if stream.port in self.recorders:
            self.recorders.end(stream.port, "stopped")
            self._attend(self._recorded.pop(stream.port))

    def end_recordings(self) -> None:
        """Record nobody any more: whoever asked for it is gone."""
        recorded, self._recorded = self._recorded, {}
        for port, stream in recorded.items():
            self.recorders.end(port, "lost")
            self._attend(stream)

    def forget(self, stream: Stream) -> None:
        """Hear the stream no more: its leg has gone."""
        self.recorders.end(stream.port, "lost")
        self._recorded.pop(stream.port, None)
        self.rooms.leave(stream.port)
        self._toned.pop(stream.port, None)
        if self._listeners.pop(stream.port, None) is not None:
            stream.hear(Hearing.NOTHING)

    def _attend(self, stream: Stream) -> None:
        """Have what the stream needs, and tell the plane how much of it is heard."""
        port, route = stream.port, self._routes.get(stream.port)
        if route is not None and route.digits == "tones":
            self._toned[port] = stream
        else:
            self._toned.pop(port, None)
        in_room = port in self.rooms
        converts = route is not None and bool(route.converts) and stream.peer is not None
        listens = route is not None and route.digits == "listen"
        records = port in self.recorders
        if route is None or not (in_room or converts or listens or records):
            if self._listeners.pop(port, None) is not None:
                stream.hear(Hearing.NOTHING)
            return
        listener = self._listeners.get(port)
        if listener is None:
            listener = self._listeners[port] = _Listener()
        listener.peer = stream.peer
        if not listens:
            listener.ears = None
        elif listener.ears is None:
            listener.ears = Ears(_codecs(route))
        if records:
            self.recorders.route(port, _codecs(route))
        listener.seat = self.rooms.seat(port) if in_room else None
        if listener.seat is not None:
            listener.seat.attentive = listens or records
            listener.seat.route(_codecs(route), wire.codec_of(route), route.fmtp)
            self.rooms.widen(port)
        self._convert(listener, route if converts else None, stream.peer)
        if listener.seat is not None:
            stream.hear(listener.seat.hearing)
        else:
            stream.hear(Hearing.TAKE if converts else Hearing.COPY)

    def _convert(self, listener: _Listener, route: wire.Route | None, peer: Stream | None) -> None:
        """Have a converter for this route, the one that there is where nothing has changed."""
        heard = self._routes.get(peer.port) if peer is not None else None
        if route is None or peer is None or heard is None:
            listener.converter = listener.basis = None
            return
        ear = Ear(wire.codec_of(heard), heard.fmtp, heard.event_type)
        basis = route.converts, peer, ear
        if basis != listener.basis:
            listener.basis = basis
            listener.converter = Converter(route.converts, peer, ear)

    # -- packets -----------------------------------------------------------------------------------

    def heard(self, stream: Stream, datagram: bytes, now: float) -> None:
        """Take one packet of a leg, in clear. now: monotonic seconds, when it came."""
        listener = self._listeners.get(stream.port)
        if listener is None:
            return
        try:
            packet = rtp.parse(datagram)
        except rtp.RtpError:
            return  # the plane lets no such packet through; nothing here depends on it
        if listener.ears is not None:
            for digit in listener.ears.receive(packet):
                self._found(stream, listener, listener.ears, digit, now)
        if len(self.recorders):
            self.recorders.receive(stream.port, packet, now)
        if listener.seat is not None:
            listener.seat.receive(packet, now)
        elif listener.converter is not None:
            listener.converter.receive(packet, now)

    def _found(self, stream: Stream, listener: _Listener, ears: Ears, digit: str, now: float) -> None:
        """Tell of a key in a leg's sound; its peer is sent the event as long as the key is down."""
        self._reports.append(wire.Digit(stream.port, digit))
        peer = listener.peer
        if peer is None or listener.seat is not None or peer.event_type < 0:
            return
        if peer.player is not None:
            # Keys follow each other faster than their events, which have three packets more at their end.
            if peer.player.frames is listener.events and len(listener.waiting) < dtmf.MAX_DIGITS:
                listener.waiting.append(digit)
            return
        route = self._routes.get(peer.port)
        clock_rate = route.clock_rate if route is not None else dtmf.CLOCK_RATE
        listener.waiting = deque(digit)
        listener.events = _events(ears, listener.waiting, clock_rate)
        self._send_events(peer, listener.events, now)

    def told(self) -> None:
        """Play keys that legs have pressed as events to peers that have none, and end recordings by them.

        Looks at new reports.
        """
        if len(self.recorders):
            for report in tuple(self._reports):
                if isinstance(report, wire.Digit) and report.port in self.recorders:
                    self.recorders.pressed(report.port, report.digit)
                    if report.port not in self.recorders:
                        self._attend(self._recorded.pop(report.port))
        if not self._toned:
            return
        for report in self._reports:
            if isinstance(report, wire.Digit) and report.port in self._toned:
                peer = self._toned[report.port].peer
                if peer is not None and report.port not in self.rooms:
                    self._send_tone(peer, report.digit)

    def at_rest(self, port: int) -> Player | None:
        """Return what a stream is to be played when nothing else is: its room, None outside of one."""
        return IN_ROOM if port in self.rooms else None

    @property
    def ticks(self) -> bool:
        """Whether `tick` has something to do each 20 ms."""
        return len(self.rooms) > 0 or len(self.recorders) > 0

    def tick(self, now: float) -> None:
        """Mix the next 20 ms of all rooms, and take those of all recordings."""
        if len(self.rooms):
            self.rooms.tick(now)
        if len(self.recorders):
            for port in self.recorders.tick(now):
                self._attend(self._recorded.pop(port))


def _events(ears: Ears, waiting: deque[str], clock_rate: int) -> Iterator[Frame]:
    """Yield the packets of one key after the other, until none waits."""
    while waiting:
        digit = waiting.popleft()
        yield from dtmf.held_key(digit, partial(_is_down, ears, digit), clock_rate=clock_rate)


def _is_down(ears: Ears, digit: str) -> bool:
    return ears.digit == digit


def _codecs(route: wire.Route) -> dict[int, Codec]:
    """Return the codecs that a leg may send with, by its numbers, as far as we know them."""
    codecs = {number: codec for number, codec in _STATIC.items() if number in route.payload_types}
    codecs[route.payload_type] = wire.codec_of(route)
    codecs.update({codec.payload_type: codec for codec in route.converts})
    return codecs
