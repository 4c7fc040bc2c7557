"""The engine's half in the signalling process: SDP, ports and one-way commands.

`PythonEngine` speaks over one connected Unix stream socket to a media process (`engines/relay.py`). It
gives ports to legs out of those that the media process has announced, does the SDP work itself, and
says what each stream does by messages that nobody answers: setting up a call waits for nothing. What
was said during one turn of the loop leaves as one frame.
"""

import asyncio
import logging
import secrets
import socket
from collections import deque
from collections.abc import Callable
from typing import Final

from media import dtmf, negotiation
from media.engine import (
    CallMedia,
    DigitReceived,
    EngineLost,
    LegMedia,
    MediaEvent,
    MediaHeard,
    MediaMisuse,
    MediaRefused,
    MediaSilent,
    MediaUnavailable,
    PlayFinished,
    Source,
)
from media.engines import wire
from media.negotiation import Leg

_log = logging.getLogger(__name__)

NO_PORT: Final = 480
GROW_PAIRS: Final = 64
LOW_PAIRS: Final = 64  # ask for more when fewer are left
PORT_WAIT_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 5.0
START_SECONDS: Final = 15.0
MAX_UNSENT_BYTES: Final = 8 * 1024 * 1024


class _Stream(Leg):
    """A leg with its stream in the media process. turn: of what it is played now, 0 for nothing."""

    __slots__ = ("echoes", "peer", "route", "turn")

    def __init__(self, name: str, address: str, port: int, session: int) -> None:
        super().__init__(name, address, port, session)
        self.peer: _Stream | None = None
        self.route: wire.Route | None = None
        self.turn = 0
        self.echoes = False


class PythonEngine:
    """A `media.engine.MediaEngine` over a media process of ours.

    control: the connected socket, owned from here on; address: put in SDP; events: called in the loop
    with each event. Nothing works before `start`.
    """

    def __init__(
        self, control: socket.socket, address: str, events: Callable[[MediaEvent], None] | None = None
    ) -> None:
        self.events: Callable[[MediaEvent], None] = events or _ignore
        self._address = address
        self._control = control
        self._calls: dict[str, dict[str, _Stream]] = {}
        self._by_port: dict[int, tuple[str, _Stream]] = {}
        self._free: deque[int] = deque()
        self._growing = False
        self._exhausted = False
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._queries: dict[int, asyncio.Future[wire.Statistics]] = {}
        self._number = 0
        # RFC 8866 section 5.2: unique for each session of ours, over restarts too.
        self._session = secrets.randbits(46)
        self._outbox: list[wire.Command] = []
        self._unsent = b""
        self._reader = wire.FrameReader()
        self._connected = False

    async def start(self) -> None:
        """Wait until the media process has announced its first ports. Raises MediaUnavailable."""
        self._attach(self._control)
        self._grow(LOW_PAIRS + GROW_PAIRS)
        await self._until_ports(START_SECONDS)
        if not self._free:
            raise MediaUnavailable("the media process announced no port")

    async def reconnect(self, control: socket.socket) -> None:
        """Go on with another media process: every stream is said again, on its own ports.

        What was being played is over (PlayFinished). Raises MediaUnavailable.
        """
        self.close()
        self._free.clear()
        self._attach(control)
        for call, streams in self._calls.items():
            for stream in streams.values():
                self._send(stream.route or _blank(stream.port))
                if stream.echoes:
                    self._send(wire.Echo(stream.port))
                if stream.turn:
                    stream.turn = 0
                    self.events(PlayFinished(call, stream.name))
        self._grow(LOW_PAIRS + GROW_PAIRS)
        await self._until_ports(START_SECONDS)

    def close(self) -> None:
        """Let go of the socket; the media process ends when it sees that."""
        if self._connected:
            self._flush()
            self._detach()

    def inventory(self) -> dict[str, int]:
        """Return what is held now: calls, ports given to legs, and queries without an answer."""
        return {
            "media_calls": len(self._calls),
            "media_ports": len(self._by_port),
            "media_queries": len(self._queries),
        }

    # -- the verbs ---------------------------------------------------------------------------------

    async def offer(
        self, call: str, leg: str, to: str, sdp: bytes, *, nat: bool = False, advertise: str = ""
    ) -> bytes:
        """See MediaEngine."""
        source = await self._stream(call, leg)
        destination = await self._stream(call, to)
        destination.address = advertise or self._address
        return negotiation.offer(source, destination, sdp, nat=nat)

    async def answer(
        self, call: str, leg: str, to: str, sdp: bytes, *, nat: bool = False, advertise: str = ""
    ) -> bytes:
        """See MediaEngine."""
        source, destination = self._known(call, leg), self._known(call, to)
        destination.address = advertise or self._address
        body = negotiation.answer(source, destination, sdp, nat=nat)
        self._join(source, destination)
        return body

    async def publish(
        self, call: str, leg: str, sdp: bytes, *, nat: bool = False, advertise: str = ""
    ) -> bytes:
        """See MediaEngine."""
        stream = await self._stream(call, leg)
        stream.address = advertise or self._address
        body = negotiation.publish(stream, sdp, nat=nat)
        self._part(stream)
        return body

    async def terminate_offer(self, call: str, leg: str, *, advertise: str = "") -> bytes:
        """See MediaEngine."""
        stream = await self._stream(call, leg)
        stream.address = advertise or self._address
        return negotiation.terminate_offer(stream)

    async def terminate_answer(self, call: str, leg: str, sdp: bytes, *, nat: bool = False) -> None:
        """See MediaEngine."""
        stream = self._known(call, leg)
        negotiation.terminate_answer(stream, sdp, nat=nat)
        self._part(stream)

    async def play(self, call: str, leg: str, source: Source, *, repeat: bool = False) -> None:
        """See MediaEngine."""
        stream = self._known(call, leg)
        stream.turn = self._next_number()
        self._send(wire.Play(stream.port, stream.turn, repeat, source))

    async def stop(self, call: str, leg: str) -> None:
        """See MediaEngine."""
        stream = self._calls.get(call, {}).get(leg)
        if stream is not None:
            stream.turn = 0
            stream.echoes = False
            if self._connected:
                self._send(wire.Stop(stream.port))

    async def echo(self, call: str, leg: str) -> None:
        """See MediaEngine."""
        stream = self._known(call, leg)
        stream.echoes = True
        self._send(wire.Echo(stream.port))

    async def dtmf(self, call: str, leg: str, digits: str) -> None:
        """See MediaEngine."""
        self._send(wire.Digits(self._known(call, leg).port, dtmf.digits_only(digits)))

    async def query(self, call: str) -> CallMedia:
        """See MediaEngine. Raises MediaUnavailable when no answer came within ANSWER_SECONDS."""
        streams = self._calls.get(call, {})
        if not streams:
            return CallMedia({})
        number = self._next_number()
        reply: asyncio.Future[wire.Statistics] = asyncio.get_running_loop().create_future()
        self._queries[number] = reply
        self._send(wire.Query(number, tuple(stream.port for stream in streams.values())))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                statistics = await reply
        except TimeoutError:
            raise MediaUnavailable("the media process didn't answer") from None
        finally:
            del self._queries[number]
        by_port = {counts.port: counts for counts in statistics.streams}
        return CallMedia(
            {
                stream.name: _leg_media(stream, by_port[stream.port])
                for stream in streams.values()
                if stream.port in by_port
            }
        )

    async def delete(self, call: str) -> None:
        """See MediaEngine."""
        streams = self._calls.pop(call, None)
        if streams is None:
            return
        ports = tuple(stream.port for stream in streams.values())
        for stream in streams.values():
            del self._by_port[stream.port]
            stream.peer = None
        self._exhausted = False
        if self._connected:
            self._send(wire.Close(ports))

    def codec(self, call: str, leg: str) -> str:
        """See MediaEngine."""
        stream = self._calls.get(call, {}).get(leg)
        return stream.codec if stream is not None else ""

    # -- streams and ports -------------------------------------------------------------------------

    def _known(self, call: str, leg: str) -> _Stream:
        self._require_connection()
        try:
            return self._calls[call][leg]
        except KeyError:
            raise MediaMisuse(f"call {call} has no media for leg {leg}") from None

    async def _stream(self, call: str, leg: str) -> _Stream:
        """Return the leg's stream, made on first use. Raises MediaRefused (480) when no port is left."""
        self._require_connection()
        streams = self._calls.get(call)
        if streams is not None and leg in streams:
            return streams[leg]
        if not self._free:
            await self._until_ports(PORT_WAIT_SECONDS)
            if not self._free:
                raise MediaRefused(NO_PORT, "no media port left")
        self._session += 1
        stream = _Stream(leg, self._address, self._free.popleft(), self._session)
        self._calls.setdefault(call, {})[leg] = stream
        self._by_port[stream.port] = (call, stream)
        if len(self._free) < LOW_PAIRS and not self._exhausted:
            self._grow(GROW_PAIRS)
        return stream

    def _grow(self, pairs: int) -> None:
        if not self._growing:
            self._growing = True
            self._send(wire.Grow(pairs))

    async def _until_ports(self, seconds: float) -> None:
        """Wait for the next announcement of ports, at most this long."""
        self._grow(GROW_PAIRS)
        announced: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(announced)
        try:
            async with asyncio.timeout(seconds):
                await announced
        except TimeoutError:
            _log.warning("media process announced no port within %.1f s", seconds)
        self._require_connection()

    def _join(self, one: _Stream, other: _Stream) -> None:
        for stream in (one, other):
            if stream.peer is not None and stream.peer not in (one, other):
                self._part_from(stream.peer)
        if one.peer is not other:
            one.turn = other.turn = 0
            one.echoes = other.echoes = False
        one.peer, other.peer = other, one
        self._say(one, negotiation.payload_types(one, other))
        self._say(other, negotiation.payload_types(other, one))

    def _part(self, stream: _Stream) -> None:
        """Let a leg stand alone, and its former peer with it."""
        if stream.peer is not None:
            self._part_from(stream.peer)
            stream.peer = None
        self._say(stream, negotiation.own_payload_types(stream))

    def _part_from(self, stream: _Stream) -> None:
        """Tell a leg that its peer has gone to another."""
        stream.peer = None
        self._say(stream, negotiation.own_payload_types(stream), latch=False)

    def _say(self, stream: _Stream, numbers: dict[int, int], *, latch: bool = True) -> None:
        """Send the stream's route as both legs have agreed."""
        remote, voice, peer = stream.remote, stream.voice, stream.peer
        if remote is None:
            return
        receives = stream.receives
        active = remote.port != 0 and remote.effective_direction == "sendrecv"
        if peer is not None and peer.remote is not None:
            active = active and peer.remote.effective_direction == "sendrecv"
        route = wire.Route(
            stream.port,
            peer.port if peer is not None else 0,
            remote.host if receives else "",
            remote.port if receives else 0,
            remote.rtcp_port if receives else 0,
            stream.nat,
            latch and stream.nat,
            active,
            numbers,
            negotiation.event_types(stream),
            voice.name if voice is not None else "",
            voice.payload_type if voice is not None else 0,
            voice.clock_rate if voice is not None else 8000,
            stream.event_type,
        )
        stream.route = route
        self._send(route)

    # -- the control socket ------------------------------------------------------------------------

    def _require_connection(self) -> None:
        if not self._connected:
            raise MediaUnavailable("the media process is gone")

    def _attach(self, control: socket.socket) -> None:
        control.setblocking(False)
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(control.fileno(), self._readable)
        self._reader = wire.FrameReader()
        self._connected = True
        self._growing = self._exhausted = False

    def _detach(self) -> None:
        self._connected = False
        self._loop.remove_reader(self._control.fileno())
        self._loop.remove_writer(self._control.fileno())
        self._control.close()
        self._outbox.clear()
        self._unsent = b""
        for reply in self._queries.values():
            if not reply.done():
                reply.set_exception(MediaUnavailable("the media process is gone"))
        self._wake_waiting()

    def _lose(self, reason: str) -> None:
        if self._connected:
            _log.error("media process lost: %s", reason)
            self._detach()
            self.events(EngineLost(reason))

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _send(self, message: wire.Command) -> None:
        self._require_connection()
        if not self._outbox:
            self._loop.call_soon(self._flush)
        self._outbox.append(message)

    def _flush(self) -> None:
        """Send all that was said in this turn of the loop as one frame."""
        if not self._outbox:
            return
        body = wire.frame(self._outbox)
        self._outbox.clear()
        if self._unsent:
            self._unsent += body
            if len(self._unsent) > MAX_UNSENT_BYTES:
                self._lose("it doesn't read its commands")
            return
        self._write(body)

    def _write(self, body: bytes) -> None:
        """Send what the socket takes, and the rest when it takes more."""
        try:
            sent = self._control.send(body)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lose(str(error))
            return
        self._unsent = body[sent:]
        if self._unsent:
            self._loop.add_writer(self._control.fileno(), self._writable)

    def _writable(self) -> None:
        self._loop.remove_writer(self._control.fileno())
        self._write(self._unsent)

    def _readable(self) -> None:
        try:
            data = self._control.recv(262_144)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(str(error))
            return
        if not data:
            self._lose("it closed the connection")
            return
        try:
            for body in self._reader.receive(data):
                for report in wire.reports(body):
                    self._take(report)
        except wire.WireError as error:
            self._lose(str(error))

    def _take(self, report: wire.Report) -> None:
        match report:
            case wire.Ports(ports, exhausted):
                self._free.extend(port for port in ports if port not in self._by_port)
                self._growing, self._exhausted = False, exhausted
                self._wake_waiting()
            case wire.Statistics(number):
                reply = self._queries.get(number)
                if reply is not None and not reply.done():
                    reply.set_result(report)
            case wire.Digit(port, digit):
                self._tell(port, lambda call, leg: DigitReceived(call, leg, digit))
            case wire.Silent(port, seconds):
                self._tell(port, lambda call, leg: MediaSilent(call, leg, seconds))
            case wire.Heard(port):
                self._tell(port, MediaHeard)
            case wire.Finished(port, turn):
                if port in self._by_port and self._by_port[port][1].turn == turn:
                    self._by_port[port][1].turn = 0
                    self._tell(port, PlayFinished)

    def _tell(self, port: int, event: Callable[[str, str], MediaEvent]) -> None:
        """Hand an event to the owner, unless its call has ended meanwhile."""
        if port in self._by_port:
            call, stream = self._by_port[port]
            self.events(event(call, stream.name))

    def _wake_waiting(self) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)


def _leg_media(stream: _Stream, counts: wire.StreamCounts) -> LegMedia:
    return LegMedia(
        (stream.address, stream.port),
        (counts.remote_host, counts.remote_port),
        stream.codec,
        counts.packets,
        counts.bytes_received,
        counts.packets_sent,
        counts.lost,
        counts.jitter_ms,
        counts.silent_seconds,
        counts.third_party_packets,
        counts.invalid_packets,
    )


def _blank(port: int) -> wire.Route:
    """Return the route of a leg that has agreed to nothing yet: it keeps its port."""
    return wire.Route(port, 0, "", 0, 0, False, False, False, {}, (), "", 0, 8000, -1)


def _ignore(event: MediaEvent) -> None:
    _log.debug("media event without an owner: %s", event)
