"""The engine's half in the signalling process: SDP, ports and one-way commands.

`PythonEngine` speaks over one connected Unix stream socket to a media process (`engines/relay.py`). It
gives ports to legs out of those that the media process has announced, does the SDP work itself, and
says what each stream does by messages that nobody answers: setting up a call waits for nothing. What
was said during one turn of the loop leaves as one frame; the end of a call leaves with the next frame.

Both processes may die. A media process that comes back is told every stream again; an engine in a new
signalling process is given its calls by `restore` and says them to the media process, which relays on
meanwhile.
"""

import asyncio
import logging
import secrets
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from media import agreement, dtmf, frames, negotiation, pictures, sdp
from media.engine import (
    NO_TRACK,
    CallMedia,
    DigitReceived,
    EngineLost,
    LegMedia,
    LegQuality,
    MediaEvent,
    MediaHeard,
    MediaMisuse,
    MediaRefused,
    MediaSilent,
    MediaUnavailable,
    Multicast,
    OneWayAudio,
    PictureWanted,
    PlayFinished,
    RecordEnd,
    RecordFinished,
    Source,
    SpeakerChanged,
    StreamLost,
)
from media.engines import wire
from media.line import Line, is_rtp
from media.negotiation import Leg
from media.sdes import Policy
from media.sdp import Codec, MediaDescription
from media.snapshot import CallMediaSnapshot, LegSnapshot

_log = logging.getLogger(__name__)

NO_PORT: Final = 480
LOW_PAIRS: Final = 64  # ask for more when fewer are left, and than LOW_SHARE of those in use
LOW_SHARE: Final = 4  # so that a busy node has ports for the time that a busy media process takes
PORT_WAIT_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 5.0
START_SECONDS: Final = 15.0
CLOSE_SECONDS: Final = 0.02  # how long the end of streams may wait for company: it wakes nobody up alone
MAX_UNSENT_BYTES: Final = 8 * 1024 * 1024


class _FurtherStream(Line):
    """Another m= line of a leg with its stream in the media process. route: what was said of it."""

    __slots__ = ("route",)

    def __init__(self) -> None:
        super().__init__()
        self.route: wire.Route | None = None


class _Stream(Leg):
    """A leg with its stream in the media process. number: in `wire`; play: what it is played now.

    quality: how it was heard, as last measured. recording: the turn of what is recorded of it, 0 for nothing.
    spread: how its multicast leaves, None where it is a party's.
    """

    __slots__ = ("echoes", "peer", "play", "quality", "recording", "route", "spread")

    def __init__(self, name: str, address: str, number: int, session: int) -> None:
        super().__init__(name, address, number & 0xFFFF, session)
        self.number = number
        self.peer: _Stream | None = None
        self.route: wire.Route | None = None
        self.play: wire.Play | None = None
        self.echoes = False
        self.quality: LegQuality | None = None
        self.recording = 0
        self.spread: wire.Spread | None = None

    def new_line(self) -> Line:
        """See Leg."""
        return _FurtherStream()

    def further(self) -> list[_FurtherStream]:
        """Return the streams of the leg beside its sound."""
        return [line for line in self.lines.values() if isinstance(line, _FurtherStream) and line.number]

    def stream_numbers(self) -> list[int]:
        """Return the numbers of all streams that the leg has."""
        return [self.number, *(line.number for line in self.lines.values() if line.number)]


class _Ports:
    """The free ports of one kind of address. address: put in SDP; waiting: whoever found none free."""

    __slots__ = ("address", "exhausted", "free", "growing", "ipv6", "waiting")

    def __init__(self, address: str) -> None:
        self.address = address
        self.ipv6 = ":" in address
        self.free: deque[int] = deque()
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.growing = self.exhausted = False

    def wake(self) -> None:
        """Let all who wait look again."""
        while self.waiting:
            waiting = self.waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)


class PythonEngine:
    """A `media.engine.MediaEngine` over a media process of ours.

    control: the connected socket, owned from here on; addresses: put in SDP, one for IPv4, IPv6 or each,
    the first one where nothing decides; events: called in the loop with each event; reserved_pairs: of each
    kind of address, taken by calls that `reserve` alone. Nothing works before `start`, except `restore`.
    """

    carries = True
    records = True
    tapes = True
    speaks_webrtc = False

    def __init__(
        self,
        control: socket.socket,
        addresses: Sequence[str],
        events: Callable[[MediaEvent], None] | None = None,
        *,
        reserved_pairs: int = 0,
    ) -> None:
        self.events: Callable[[MediaEvent], None] = events or _ignore
        self._control = control
        self._reserved_pairs = reserved_pairs
        self._reserving: set[str] = set()
        self._calls: dict[str, dict[str, _Stream]] = {}
        self._by_number: dict[int, tuple[str, _Stream]] = {}
        self._policies: dict[str, dict[str, Policy]] = {}  # of legs that have no stream yet
        self._ports = {":" in address: _Ports(address) for address in reversed(addresses)}
        self._first = self._ports[":" in addresses[0]]
        self._queries: dict[int, asyncio.Future[wire.Statistics]] = {}
        # RFC 8866 section 5.2: unique for each session of ours, over restarts too. Turns and queries of a
        # process before this one aren't met again either.
        self._session = secrets.randbits(46)
        self._number = secrets.randbits(46)
        self._outbox: list[wire.Command] = []
        self._flushing = self._closing = False  # a flush is due: soon, within CLOSE_SECONDS
        self._unsent = b""
        self._reader = frames.FrameReader()
        self._connected = False

    async def start(self) -> None:
        """Say the restored calls, and wait until ports are announced. Raises MediaUnavailable."""
        await self._connect(self._control)
        if not any(ports.free for ports in self._ports.values()):
            raise MediaUnavailable("the media process announced no port")

    async def reconnect(self, control: socket.socket) -> None:
        """Go on with another media process, or with the same one: every stream is said again.

        What was being played begins again. Raises MediaUnavailable.
        """
        self.close()
        await self._connect(control)

    def close(self) -> None:
        """Let go of the socket; a media process that serves nobody else ends when it sees that."""
        if self._connected:
            self._flush()
        if self._connected:  # else it was lost just now
            self._detach()

    def inventory(self) -> dict[str, int]:
        """Return what is held now: calls, ports given to legs, and queries without an answer."""
        return {
            "media_calls": len(self._calls),
            "media_ports": len(self._by_number),
            "media_queries": len(self._queries),
        }

    def snapshot(self, call: str) -> CallMediaSnapshot:
        """See MediaEngine."""
        return CallMediaSnapshot(
            call,
            [
                stream.snapshot(
                    stream.peer.name if stream.peer is not None else "",
                    stream=stream.number,
                    echoes=stream.echoes,
                )
                for stream in self._calls.get(call, {}).values()
            ],
        )

    def restore(self, snapshot: CallMediaSnapshot) -> None:
        """See MediaEngine."""
        call = snapshot.call
        streams = {kept.name: _restored(kept) for kept in snapshot.legs}
        if call in self._calls or any(
            number in self._by_number for stream in streams.values() for number in stream.stream_numbers()
        ):
            raise MediaMisuse(f"call {call} or one of its ports is in use")
        for kept in snapshot.legs:
            stream = streams[kept.name]
            stream.peer = streams.get(kept.peer)
            for number in stream.stream_numbers():
                self._by_number[number] = (call, stream)
                for ports in self._ports.values():
                    if number in ports.free:
                        ports.free.remove(number)
        if streams:
            self._calls[call] = streams
        for stream in streams.values():
            if stream.remote is not None:
                stream.route = _route(stream, stream.remote, latch=stream.nat)
            for line in stream.further():
                line.route = _line_route(stream, line)
            if self._connected:
                self._say_again(stream)

    # -- the verbs ---------------------------------------------------------------------------------

    def secure(self, call: str, leg: str, policy: Policy) -> None:
        """See MediaEngine."""
        stream = self._calls.get(call, {}).get(leg)
        if stream is not None:
            stream.secure(policy)
        elif policy != "off" or call in self._policies:
            self._policies.setdefault(call, {})[leg] = policy

    async def offer(
        self,
        call: str,
        leg: str,
        to: str,
        sdp: bytes,
        *,
        nat: bool = False,
        advertise: str = "",
        simple: bool = False,
    ) -> bytes:
        """See MediaEngine."""
        source = await self._stream(call, leg, body=sdp)
        destination = await self._stream(call, to, advertise=advertise or source.address)
        self._advertise(destination, advertise)
        if simple:
            destination.simple = True
        negotiation.hear_offer(source, destination, sdp, nat=nat)
        if source.lines:
            await self._give_ports(call, source)
            await self._give_ports(call, destination)
        return negotiation.tell_offer(source, destination)

    async def answer(
        self, call: str, leg: str, to: str, sdp: bytes, *, nat: bool = False, advertise: str = ""
    ) -> bytes:
        """See MediaEngine."""
        source, destination = self._known(call, leg), self._known(call, to)
        self._advertise(destination, advertise)
        body = negotiation.answer(source, destination, sdp, nat=nat)
        self._join(source, destination)
        if source.lines or destination.lines:
            self._say_further(source)
            self._say_further(destination)
        return body

    async def publish(
        self, call: str, leg: str, sdp: bytes, *, nat: bool = False, advertise: str = ""
    ) -> bytes:
        """See MediaEngine."""
        stream = await self._stream(call, leg, body=sdp)
        self._advertise(stream, advertise)
        body = negotiation.publish(stream, sdp, nat=nat)
        self._part(stream)
        return body

    async def terminate_offer(self, call: str, leg: str, *, advertise: str = "") -> bytes:
        """See MediaEngine."""
        stream = await self._stream(call, leg, advertise=advertise)
        self._advertise(stream, advertise)
        return negotiation.terminate_offer(stream)

    async def terminate_answer(self, call: str, leg: str, sdp: bytes, *, nat: bool = False) -> None:
        """See MediaEngine."""
        stream = self._known(call, leg)
        negotiation.terminate_answer(stream, sdp, nat=nat)
        self._part(stream)

    async def play(self, call: str, leg: str, source: Source, *, repeat: bool = False) -> None:
        """See MediaEngine."""
        stream = self._known(call, leg)
        stream.play = wire.Play(stream.number, self._next_number(), repeat, source)
        self._send(stream.play)

    async def stop(self, call: str, leg: str) -> None:
        """See MediaEngine."""
        stream = self._calls.get(call, {}).get(leg)
        if stream is not None:
            stream.play = None
            stream.echoes = False
            if self._connected:
                self._send(wire.Stop(stream.number))

    async def echo(self, call: str, leg: str) -> None:
        """See MediaEngine."""
        stream = self._known(call, leg)
        stream.echoes = True
        self._send(wire.Echo(stream.number))

    async def record(
        self,
        call: str,
        leg: str,
        path: str,
        *,
        seconds: float,
        silence_seconds: float = 0.0,
        keys: str = "",
    ) -> None:
        """See MediaEngine."""
        stream = self._known(call, leg)
        stream.recording = self._next_number()
        said = wire.Record(stream.number, stream.recording, path, seconds, silence_seconds, keys)
        self._send(said)

    async def stop_recording(self, call: str, leg: str) -> None:
        """See MediaEngine."""
        stream = self._calls.get(call, {}).get(leg)
        if stream is not None and stream.recording and self._connected:
            self._send(wire.StopRecord(stream.number))

    async def tape(self, call: str, leg: str, slot: int, by_leg: int, to_leg: int) -> None:
        """See MediaEngine."""
        ends = by_leg == to_leg == NO_TRACK
        stream = self._calls.get(call, {}).get(leg)
        if stream is None and not ends:
            raise MediaMisuse(f"call {call} has no media for leg {leg}")
        if stream is not None:
            stream.tape(slot, by_leg, to_leg)
            if self._connected:
                self._send(wire.Tape(stream.number, slot, by_leg, to_leg))

    async def dtmf(self, call: str, leg: str, digits: str) -> None:
        """See MediaEngine."""
        self._send(wire.Digits(self._known(call, leg).number, dtmf.digits_only(digits)))

    def ask_for_picture(self, call: str, leg: str) -> None:
        """See MediaEngine."""
        for line in self._known(call, leg).lines.values():
            if line.remote is not None and line.remote.kind == "video":
                self._send(wire.AskForPicture(line.number))

    async def multicast(self, call: str, leg: str, to: Multicast) -> None:
        """See MediaEngine."""
        ports = self._ports.get(":" in to.host)
        if ports is None:
            raise MediaRefused(NO_PORT, f"no address of ours reaches {to.host}")
        stream = await self._stream(call, leg, advertise=ports.address)
        negotiation.send_to(stream, to.host, to.port, to.codec)
        stream.spread = wire.Spread(stream.number, to.ttl, to.interface)
        self._say(stream)
        self._send(stream.spread)

    async def join(self, call: str, leg: str, room: str, *, speaks: bool = True, hears: bool = True) -> None:
        """See MediaEngine."""
        stream = self._known(call, leg)
        stream.join(room, speaks=speaks, hears=hears)
        self._say_room(stream)

    async def leave(self, call: str, leg: str) -> None:
        """See MediaEngine."""
        stream = self._calls.get(call, {}).get(leg)
        if stream is not None and stream.room is not None:
            stream.room = None
            if self._connected:
                self._send(wire.Leave(stream.number))

    async def whisper(self, call: str, leg: str, to: str | None, *, to_call: str = "") -> None:
        """See MediaEngine."""
        stream = self._known(call, leg)
        hearer_call = to_call or call
        stream.whisper(self._known(hearer_call, to) if to is not None else None, hearer_call)
        self._say_room(stream)

    async def query(self, call: str) -> CallMedia:
        """See MediaEngine. Raises MediaUnavailable when no answer came within ANSWER_SECONDS."""
        streams = self._calls.get(call, {})
        if not streams:
            return CallMedia({})
        number = self._next_number()
        reply: asyncio.Future[wire.Statistics] = asyncio.get_running_loop().create_future()
        self._queries[number] = reply
        self._send(wire.Query(number, tuple(stream.number for stream in streams.values())))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                statistics = await reply
        except TimeoutError:
            raise MediaUnavailable("the media process didn't answer") from None
        finally:
            del self._queries[number]
        by_number = {counts.port: counts for counts in statistics.streams}
        return CallMedia(
            {
                stream.name: _leg_media(stream, by_number[stream.number])
                for stream in streams.values()
                if stream.number in by_number
            }
        )

    async def delete(self, call: str) -> None:
        """See MediaEngine."""
        if self._policies:
            self._policies.pop(call, None)
        if self._reserving:
            self._reserving.discard(call)
        streams = self._calls.pop(call, None)
        if streams is None:
            return
        numbers: list[int] = []
        for stream in streams.values():
            numbers += stream.stream_numbers() if stream.lines else (stream.number,)
            stream.peer = None
        for number in numbers:
            del self._by_number[number]
        for ports in self._ports.values():
            ports.exhausted = False
        if self._connected:
            if not self._closing:
                self._closing = True
                self._loop.call_later(CLOSE_SECONDS, self._flush_ends)
            self._outbox.append(wire.Close(tuple(numbers)))

    def reserve(self, call: str) -> None:
        """See MediaEngine."""
        self._reserving.add(call)

    async def renew(self, call: str, leg: str) -> None:
        """See MediaEngine."""
        stream = self._known(call, leg)
        ports = self._ports.get(stream.number >= wire.IPV6, self._first)
        number = await self._take_port(ports, call)
        del self._by_number[stream.number]
        if stream.recording:  # of the port that is gone
            self._recorded(call, stream, "lost", 0.0)
        stream.number, stream.port = number, number & 0xFFFF
        self._by_number[number] = (call, stream)
        self._say(stream)
        if stream.peer is not None:
            self._say(stream.peer, latch=False)
        self._say_tapes(stream)
        if stream.echoes:
            self._send(wire.Echo(number))
        if stream.room is not None:
            self._say_room(stream)

    async def move(self, call: str, leg: str, to_call: str, to_leg: str) -> bool:
        """See MediaEngine."""
        stream = self._known(call, leg)
        replaced = self._calls.setdefault(to_call, {}).pop(to_leg, None)
        if replaced is not None:
            self._part(replaced)
            for number in replaced.stream_numbers():
                del self._by_number[number]
            self._send(wire.Close(tuple(replaced.stream_numbers())))
        self._part(stream)
        self._send(wire.Stop(stream.number))
        if stream.recording:
            self._send(wire.StopRecord(stream.number))
        del self._calls[call][leg]
        stream.name, stream.play, stream.echoes = to_leg, None, False
        self._calls[to_call][to_leg] = stream
        for number in stream.stream_numbers():
            self._by_number[number] = (to_call, stream)
        return True

    def codec(self, call: str, leg: str) -> str:
        """See MediaEngine."""
        stream = self._calls.get(call, {}).get(leg)
        return stream.codec if stream is not None else ""

    def leg_codecs(self, call: str, leg: str) -> dict[str, str]:
        """See MediaEngine."""
        stream = self._calls.get(call, {}).get(leg)
        return stream.codecs_by_number if stream is not None else {}

    def quality(self, call: str, leg: str) -> LegQuality | None:
        """See MediaEngine."""
        stream = self._calls.get(call, {}).get(leg)
        return stream.quality if stream is not None else None

    # -- streams and ports -------------------------------------------------------------------------

    def _known(self, call: str, leg: str) -> _Stream:
        self._require_connection()
        try:
            return self._calls[call][leg]
        except KeyError:
            raise MediaMisuse(f"call {call} has no media for leg {leg}") from None

    async def _stream(self, call: str, leg: str, *, body: bytes = b"", advertise: str = "") -> _Stream:
        """Return the leg's stream, made on first use on the kind of address that `body` or `advertise` has.

        Raises MediaRefused (480) when no port is left.
        """
        self._require_connection()
        streams = self._calls.get(call)
        if streams is not None and leg in streams:
            return streams[leg]
        ports = self._first
        if len(self._ports) > 1 and (body or advertise):
            ports = self._ports[_speaks_ipv6(body) if body else ":" in advertise]
        if len(ports.free) > self._reserved_pairs:
            number = ports.free.popleft()
        else:
            number = await self._take_port(ports, call)
        self._session += 1
        stream = _Stream(leg, ports.address, number, self._session)
        if call in self._policies:
            stream.policy = self._policies[call].pop(leg, "off")
        self._calls.setdefault(call, {})[leg] = stream
        self._by_number[stream.number] = (call, stream)
        if len(ports.free) < LOW_PAIRS + len(self._by_number) // LOW_SHARE and not ports.exhausted:
            self._grow(ports)
        return stream

    async def _give_ports(self, call: str, stream: _Stream) -> None:
        """Give a pair to each line of the leg that needs one.

        What gets none is refused, and the call goes on.
        """
        for line in stream.portless():
            ports = self._ports.get(stream.number >= wire.IPV6, self._first)
            try:
                line.number = await self._take_port(ports, call)
            except MediaRefused:
                return
            line.port = line.number & 0xFFFF
            self._by_number[line.number] = (call, stream)

    def _advertise(self, stream: _Stream, advertise: str) -> None:
        """Choose the address that the leg is told."""
        ports = self._ports.get(stream.number >= wire.IPV6, self._first)
        same = advertise and (":" in advertise) == ports.ipv6
        stream.address = advertise if same else ports.address

    def _grow(self, ports: _Ports) -> None:
        if not ports.growing:
            ports.growing = True
            self._send(wire.Grow(LOW_PAIRS + len(self._by_number) // LOW_SHARE, ports.ipv6))

    async def _take_port(self, ports: _Ports, call: str) -> int:
        """Wait until a port is free for this call and return it.

        Raises MediaRefused (480) when there will be none, MediaUnavailable.
        """
        kept = 0 if call in self._reserving else self._reserved_pairs
        try:
            async with asyncio.timeout(PORT_WAIT_SECONDS):
                while len(ports.free) <= kept:
                    await self._announcement(ports)
                    if ports.exhausted and len(ports.free) <= kept:
                        _log.warning(
                            "no media port left: calls=%d ports=%d", len(self._calls), len(self._by_number)
                        )
                        raise MediaRefused(NO_PORT, "no media port left")
        except TimeoutError:
            _log.warning("media process announced no port within %.1f s", PORT_WAIT_SECONDS)
            raise MediaRefused(NO_PORT, "no media port announced in time") from None
        return ports.free.popleft()

    async def _announcement(self, ports: _Ports) -> None:
        """Wait for the next announcement of ports. Raises MediaUnavailable."""
        self._grow(ports)
        announced: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ports.waiting.append(announced)
        await announced
        self._require_connection()

    def _join(self, one: _Stream, other: _Stream) -> None:
        for stream in (one, other):
            if stream.peer is not None and stream.peer not in (one, other):
                self._part_from(stream.peer)
        if one.peer is not other:
            one.play = other.play = None
            one.echoes = other.echoes = False
        one.peer, other.peer = other, one
        self._say(one)
        self._say(other)

    def _part(self, stream: _Stream) -> None:
        """Let a leg stand alone, and its former peer with it."""
        if stream.peer is not None:
            self._part_from(stream.peer)
            stream.peer = None
        self._say(stream)
        if stream.lines:
            self._say_further(stream)

    def _part_from(self, stream: _Stream) -> None:
        """Tell a leg that its peer has gone to another."""
        stream.peer = None
        self._say(stream, latch=False)
        if stream.lines:
            self._say_further(stream)

    def _say(self, stream: _Stream, *, latch: bool = True) -> None:
        """Send the stream's route as both legs have agreed."""
        if stream.remote is not None:
            stream.route = _route(stream, stream.remote, latch=latch and stream.nat)
            self._send(stream.route)

    def _say_further(self, stream: _Stream) -> None:
        """Send the routes of the leg's streams beside its sound, of those that have changed."""
        for line in stream.further():
            route = _line_route(stream, line)
            if route != line.route or route.latch:
                line.route = route
                self._send(route)

    def _say_room(self, stream: _Stream) -> None:
        """Tell what the leg does in its room. A leg that has gone is whispered to no more: nobody hears."""
        room = stream.room
        if room is None:
            return
        whisper = 0
        if room.whisper_to:
            hearer = self._calls.get(room.whisper_call, {}).get(room.whisper_to)
            whisper = hearer.number if hearer is not None else stream.number
        self._send(wire.Join(stream.number, room.room, room.speaks, room.hears, whisper))

    def _say_tapes(self, stream: _Stream, *, again: bool = False) -> None:
        """Tell which recordings the leg is on the tape for."""
        for slot, (by_leg, to_leg) in stream.tapes.items():
            self._send(wire.Tape(stream.number, slot, by_leg, to_leg, again))

    def _say_again(self, stream: _Stream) -> None:
        """Tell a media process that comes back, or is met for the first time, what the stream does."""
        self._say_tapes(stream, again=True)
        self._send(replace(stream.route, again=True) if stream.route is not None else _blank(stream.number))
        for line in stream.further():
            self._send(replace(_line_route(stream, line), again=True))
        if stream.echoes:
            self._send(wire.Echo(stream.number))
        if stream.spread is not None:
            self._send(stream.spread)
        if stream.room is not None:
            self._say_room(stream)
        if stream.play is not None:
            self._send(stream.play)

    # -- the control socket ------------------------------------------------------------------------

    def _require_connection(self) -> None:
        if not self._connected:
            raise MediaUnavailable("the media process is gone")

    async def _connect(self, control: socket.socket) -> None:
        """Say all streams to the media process at the other end and wait for its ports."""
        self._attach(control)
        for streams in self._calls.values():
            for stream in streams.values():
                self._say_again(stream)
        try:
            async with asyncio.timeout(START_SECONDS):
                for ports in self._ports.values():
                    await self._announcement(ports)
        except TimeoutError:
            raise MediaUnavailable(f"no port was announced within {START_SECONDS:.0f} s") from None

    def _attach(self, control: socket.socket) -> None:
        control.setblocking(False)
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(control.fileno(), self._readable)
        self._reader = frames.FrameReader()
        self._connected = True
        for ports in self._ports.values():
            ports.free.clear()
            ports.growing = ports.exhausted = False

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
        for ports in self._ports.values():
            ports.wake()
        for call, streams in self._calls.items():
            for stream in streams.values():
                if stream.recording:
                    self._recorded(call, stream, "lost", 0.0)

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
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)
        self._outbox.append(message)

    def _flush(self) -> None:
        """Send all that was said in this turn of the loop as one frame, and what waited."""
        self._flushing = False
        if not self._outbox:
            return
        body = frames.frame(self._outbox)
        self._outbox.clear()
        if self._unsent:
            self._unsent += body
            if len(self._unsent) > MAX_UNSENT_BYTES:
                self._lose("it doesn't read its commands")
            return
        self._write(body)

    def _flush_ends(self) -> None:
        self._closing = False
        self._flush()

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
            data = self._control.recv(frames.READ_BYTES)
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
        except frames.WireError as error:
            self._lose(str(error))

    def _take(self, report: wire.Report) -> None:
        match report:
            case wire.Ports():
                self._announced(report)
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
            case wire.OneWay(port, seconds):
                self._tell(port, lambda call, leg: OneWayAudio(call, leg, seconds))
            case wire.PictureWanted(port):
                self._tell(port, PictureWanted)
            case wire.Measured(port):
                self._measured(port, report)
            case wire.Speaker(room, port):
                call, stream = self._by_number.get(port, ("", None))
                self.events(SpeakerChanged(room, call, stream.name if stream is not None else ""))
            case wire.Finished(port, turn):
                self._finished(port, turn)
            case wire.Recorded(port, turn, why, seconds):
                call, found = self._by_number.get(port, ("", None))
                if found is not None and found.recording == turn:
                    self._recorded(call, found, why, seconds)
            case wire.Lost(port, reason):
                _log.error("media port %d can't be had again: %s", port & 0xFFFF, reason)
                if self._is_sound(port):
                    self._tell(port, lambda call, leg: StreamLost(call, leg, reason))

    def _announced(self, report: wire.Ports) -> None:
        ports = self._ports.get(report.ipv6)
        if ports is None:
            raise frames.WireError("ports of a kind of address that isn't ours")
        ports.free.extend(number for number in report.ports if number not in self._by_number)
        ports.exhausted = report.exhausted
        if report.grown:
            ports.growing = False
        ports.wake()

    def _measured(self, number: int, report: wire.Measured) -> None:
        if number in self._by_number:
            _, stream = self._by_number[number]
            stream.quality = LegQuality(
                report.mos, report.loss_percent, report.jitter_ms, report.round_trip_ms
            )

    def _finished(self, number: int, turn: int) -> None:
        _, stream = self._by_number.get(number, ("", None))
        if stream is not None and stream.play is not None and stream.play.turn == turn:
            stream.play = None
            self._tell(number, PlayFinished)

    def _recorded(self, call: str, stream: _Stream, why: RecordEnd, seconds: float) -> None:
        stream.recording = 0
        self.events(RecordFinished(call, stream.name, why, seconds))

    def _is_sound(self, number: int) -> bool:
        """Say whether a stream is a leg's sound, and not its video or its fax."""
        return number in self._by_number and self._by_number[number][1].number == number

    def _tell(self, number: int, event: Callable[[str, str], MediaEvent]) -> None:
        """Hand an event to the owner, unless its call has ended meanwhile."""
        if number in self._by_number:
            call, stream = self._by_number[number]
            self.events(event(call, stream.name))


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
        counts.limited_packets,
        counts.round_trip_ms,
        counts.far_lost,
        counts.far_jitter_ms,
        stream.quality.mos if stream.quality is not None else 0.0,
    )


def _route(stream: _Stream, remote: MediaDescription, *, latch: bool) -> wire.Route:
    """Return what the stream does as both legs have agreed. remote: the leg's own description."""
    voice, peer = stream.voice, stream.peer
    receives = stream.receives
    active = remote.port != 0 and remote.effective_direction == "sendrecv"
    events = agreement.event_types(stream)
    converts: tuple[Codec, ...] = ()
    if peer is None:
        numbers = agreement.own_payload_types(stream)
    else:
        if peer.remote is not None:
            active = active and peer.remote.effective_direction == "sendrecv"
        if voice is not None and peer.voice is not None and voice.key != peer.voice.key:
            converts = agreement.converted(stream)
            numbers = {codec.payload_type: wire.NOT_RELAYED for codec in converts}
        else:
            numbers = agreement.payload_types(stream, peer)
            for number in events:
                if number not in numbers:
                    # The peer's own number, at another clock; without one its keys are heard by us alone.
                    numbers[number] = peer.event_type if peer.event_type >= 0 else wire.NOT_RELAYED
    return wire.Route(
        stream.number,
        peer.number if peer is not None else 0,
        remote.host if receives else "",
        remote.port if receives else 0,
        (remote.port if stream.mux else remote.rtcp_port) if receives else 0,
        stream.nat,
        latch,
        active,
        numbers,
        events,
        voice.name if voice is not None else "",
        voice.payload_type if voice is not None else 0,
        voice.clock_rate if voice is not None else 8000,
        stream.event_type,
        converts=converts,
        fmtp=agreement.fmtp_of(remote, voice)
        if voice is not None and voice.key == agreement.OPUS.key
        else "",
        digits=_digit_path(stream, peer),
        security=stream.security,
        mux=stream.mux,
    )


def _digit_path(stream: _Stream, peer: _Stream | None) -> wire.DigitPath:
    """Return what becomes of the keys of a leg."""
    if stream.voice is None:
        return "relay"
    if stream.event_type < 0:
        return "listen" if stream.voice.key in agreement.VOICES else "relay"
    if peer is not None and peer.event_type < 0 and peer.voice is not None:
        return "tones" if peer.voice.key in agreement.VOICES else "relay"
    return "relay"


def _line_route(stream: _Stream, line: Line) -> wire.Route:
    """Return what a stream beside the sound does: packets go on as they are, or nowhere."""
    mate = stream.peer.lines.get(line.other) if stream.peer is not None else None
    remote = line.remote
    if remote is None or not remote.port or mate is None or mate.remote is None or not mate.remote.port:
        return _blank(line.number, again=False)
    receives = line.receives
    return wire.Route(
        line.number,
        mate.number,
        remote.host if receives else "",
        remote.port if receives else 0,
        (remote.port if line.mux else remote.rtcp_port) if receives else 0,
        stream.nat,
        stream.nat,
        False,
        agreement.payload_types(line, mate),
        (),
        "",
        0,
        remote.codecs[0].clock_rate if remote.codecs else 8000,
        -1,
        security=line.security,
        mux=line.mux,
        kind="rtp" if is_rtp(remote) else "datagrams",
        pictures=pictures.way_of(remote) if remote.kind == "video" else "",
    )


def _restored(kept: LegSnapshot) -> _Stream:
    """Return the stream that a process before this one had."""
    stream = _Stream(kept.name, kept.address, kept.stream, kept.session)
    stream.restore(kept)
    stream.echoes = kept.echoes
    return stream


def _speaks_ipv6(body: bytes) -> bool:
    """Say whether a body has its sound on IPv6; False for one that can't be read and is refused later.

    RFC 8866 section 5.7.
    """
    if b"IP6" not in body:
        return False
    try:
        lines = sdp.parse(body).media
    except sdp.SdpError:
        return False
    first = next((media for media in lines if media.kind == "audio"), lines[0] if lines else None)
    return first is not None and ":" in first.host


def _blank(number: int, *, again: bool = True) -> wire.Route:
    """Return the route of a leg that has agreed to nothing yet: it keeps its port."""
    return wire.Route(number, 0, "", 0, 0, False, False, False, {}, (), "", 0, 8000, -1, again=again)


def _ignore(event: MediaEvent) -> None:
    _log.debug("media event without an owner: %s", event)
