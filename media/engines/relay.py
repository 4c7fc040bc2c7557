"""The media process: a synchronous loop that obeys signalling, plays and listens, over a plane that relays.

One `Stream` is one port pair (RTP on an even port, RTCP on the odd one above, RFC 3550 section 11) and
what the signalling process said it does; `engines/stream.py` says whose packets count. Pairs are bound
ahead, registered once, and used again after a rest; an idle pair throws away what it gets, so a new call
never hears the end of an old one.

Packets are moved by a plane: in threads of C (`engines/native.py`) where these were compiled, else in this
loop itself. Everything else is the same for both.

The signalling process may go and come back: streams go on meanwhile, and those of which the next one
says nothing within ORPHAN_SECONDS end. What this process leaves when it dies itself is in
`engines/inheritance.py`.

Reading files, speaking and encoding are done in worker threads; packets never wait for a file.
This is the one module of media that reads a clock.
"""

import argparse
import errno
import logging
import os
import queue
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from media import codecs, dtmf, speech, tones, wav
from media.engine import Source, Wav
from media.engines import native, wire
from media.engines.inheritance import Inheritance, Pair
from media.engines.stream import Plane, Player, PythonPlane, Range, Stream
from media.rtp import Frame
from media.speech import Speech
from media.tones import Tone

_log = logging.getLogger(__name__)

PACKET_SECONDS: Final = 0.02
PACKET_TICKS: Final = 160
REST_SECONDS: Final = 2.0  # before a port is used again: late packets of its last call must be over
SILENCE_SECONDS: Final = 10.0
ORPHAN_SECONDS: Final = 30.0
RTCP_SECONDS: Final = 5
CATCH_UP_PACKETS: Final = 5
MAX_UNSENT_BYTES: Final = 8 * 1024 * 1024
EXPEDITED_FORWARDING: Final = 0xB8  # DSCP 46, RFC 3246, as a traffic class
SHORTEST_SWITCH_SECONDS: Final = 0.0005  # how long the worker may keep the interpreter from packets

PlaneName: TypeAlias = Literal["auto", "native", "python"]


class Relay:
    """The loop. addresses: bound, one for IPv4, IPv6 or each; ports: first and last, for each address.

    control: connected to the signalling process; None when it comes through `listening`, as do those
    after it. Without `listening` the end of control is the end of the loop.
    prompts: folder of spoken prompts; silence_seconds: after how long a leg is reported silent.
    plane: what moves packets, `auto` for C where it was compiled; threads: of C.
    """

    def __init__(
        self,
        control: socket.socket | None,
        addresses: Sequence[str],
        ports: tuple[int, int],
        *,
        prompts: Path,
        silence_seconds: float = SILENCE_SECONDS,
        listening: socket.socket | None = None,
        inheritance: Inheritance | None = None,
        plane: PlaneName = "auto",
        threads: int = native.THREADS,
    ) -> None:
        self._control: socket.socket | None = None
        self._listening = listening
        self._inheritance = inheritance
        self._ranges = {bool(made.kind): made for made in (Range(address, ports) for address in addresses)}
        self._left = dict(inheritance.pairs) if inheritance is not None else {}
        for number in sorted(self._left):
            if (number >= wire.IPV6) in self._ranges:
                self._ranges[number >= wire.IPV6].idle.append(number)
        self._bound: list[tuple[int, Pair]] = []  # to be handed over
        self._orphans: set[int] = set()  # busy before the control connection that there is now
        self._orphans_end_at = 0.0
        self._silence_seconds = silence_seconds
        self._prompts = prompts
        self._pool: dict[int, Stream] = {}  # every pair that is bound
        self._busy: dict[int, Stream] = {}
        self._readers: dict[int, Callable[[float], None]] = {}  # by file descriptor
        self._reader = wire.FrameReader()
        self._reports: list[wire.Report] = []
        self._unsent = bytearray()
        self._epoll = select.epoll()
        self._worker = ThreadPoolExecutor(2, "prompts")
        self._ready: queue.SimpleQueue[tuple[Stream, wire.Play, bytes]] = queue.SimpleQueue()
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._watch(self._woken.fileno(), self._start_prepared)
        self._plane = self._open_plane(plane, threads)
        self._players: dict[int, Stream] = {}
        self._next_packet_at = 0.0
        self._next_second_at = _now()
        self._seconds = 0
        if listening is not None:
            self._watch(listening.fileno(), self._accept)
        if control is not None:
            self._serve(control, _now())

    def _open_plane(self, plane: PlaneName, threads: int) -> Plane:
        """Return what moves packets; Python where C can't."""
        if plane == "native" or (plane == "auto" and native.is_built()):
            try:
                return native.NativePlane(self._watch, self._reports, self._inheritance, self._heard, threads)
            except (native.NotBuilt, OSError) as error:
                _log.warning("packets are moved by Python: %s", error)
        return PythonPlane(self._watch, self._reports, self._inheritance, self._heard)

    def _heard(self, stream: Stream, packet: bytes, now: float) -> None:
        """Take a packet of a leg that is to be heard: none is yet."""

    def _watch(self, descriptor: int, readable: Callable[[float], None]) -> None:
        """Call `readable` with the time whenever the descriptor is."""
        self._readers[descriptor] = readable
        self._epoll.register(descriptor, select.EPOLLIN)

    def run(self) -> None:
        """Work until the signalling process is gone for good. Raises WireError for a bad frame, OSError."""
        poll, readers = self._epoll.poll, self._readers
        try:
            self._plane.start()
            while self._control is not None or self._listening is not None:
                ready = poll(self._timeout(), 256)
                now = _now()
                for descriptor, _ in ready:
                    if descriptor in readers:  # not one that has been closed in this turn
                        readers[descriptor](now)
                if self._players and now >= self._next_packet_at:
                    self._play(now)
                if now >= self._next_second_at:
                    self._each_second(now)
                if self._reports or self._unsent:
                    self._report()
        finally:
            self._close()

    def _accept(self, now: float) -> None:
        if self._listening is None:
            return
        try:
            connection, _ = self._listening.accept()
        except OSError:
            return  # whoever came has left again
        self._serve(connection, now)

    def _obey(self, now: float) -> None:
        if not self._commanded(now):
            self._hang_up()

    def _serve(self, control: socket.socket, now: float) -> None:
        """Obey a signalling process from here on; whoever was there before is gone."""
        if self._control is not None:
            self._hang_up()
        control.setblocking(False)
        self._control = control
        self._watch(control.fileno(), self._obey)
        self._orphans, self._orphans_end_at = set(self._busy), now + ORPHAN_SECONDS
        for ports in self._ranges.values():
            taken = {number for _, number in ports.resting}.union(self._busy, ports.idle)
            ports.idle.extend(
                number
                for number, stream in self._pool.items()
                if stream.range is ports and number not in taken
            )

    def _hang_up(self) -> None:
        """Let go of a signalling process that is gone; its streams go on."""
        if self._control is not None:
            self._epoll.unregister(self._control.fileno())
            del self._readers[self._control.fileno()]
            self._control.close()
            self._control = None
        self._reader = wire.FrameReader()
        self._unsent.clear()

    def _timeout(self) -> float:
        """Return how many seconds to wait for a packet at most."""
        until = self._next_second_at
        if self._players and self._next_packet_at < until:
            until = self._next_packet_at
        return max(0.0, until - _now())

    def _close(self) -> None:
        self._worker.shutdown(wait=False, cancel_futures=True)
        self._plane.close()
        for pair in self._left.values():
            for descriptor in pair:
                os.close(descriptor)
        self._hang_up()
        self._wake.close()
        self._woken.close()
        self._epoll.close()

    # -- playing -----------------------------------------------------------------------------------

    def _play(self, now: float) -> None:
        """Send what is due. After a stall of more than 100 ms the time lost isn't played again."""
        for _ in range(CATCH_UP_PACKETS):
            if now < self._next_packet_at:
                return
            self._next_packet_at += PACKET_SECONDS
            for stream in list(self._players.values()):
                if stream.player is not None:
                    self._send_frame(stream, stream.player, now)
        if self._next_packet_at <= now:
            self._next_packet_at = now + PACKET_SECONDS

    def _send_frame(self, stream: Stream, player: Player, now: float) -> None:
        frame = next(player.frames, None)
        if frame is None:
            self._end_player(stream)
            if player.turn:
                self._reports.append(wire.Finished(stream.port, player.turn))
            return
        stream.speak(frame, player.payload_type, now)

    def _begin_player(self, stream: Stream, player: Player, now: float) -> None:
        stream.play(player)
        if not self._players:
            self._next_packet_at = now
        self._players[stream.port] = stream

    def _end_player(self, stream: Stream) -> None:
        if stream.player is not None:
            stream.play(None)
            del self._players[stream.port]

    def _prepare(self, stream: Stream, play: wire.Play, law: codecs.Law) -> None:
        """Make the sound (in a worker thread) and hand it to the loop."""
        try:
            sound = _sound(play.source, law, self._prompts)
        except (OSError, ValueError) as error:
            _log.warning("not played: %s", error)
            sound = b""
        self._ready.put((stream, play, sound))
        try:
            self._wake.send(b"\0")
        except OSError:
            return  # the loop has ended

    def _start_prepared(self, now: float) -> None:
        try:
            self._woken.recv(4096)
        except BlockingIOError:
            return
        while not self._ready.empty():
            stream, play, sound = self._ready.get()
            if stream.turn != play.turn:
                continue  # stopped, closed, or something else is played since
            if not sound:
                self._reports.append(wire.Finished(stream.port, play.turn))
                continue
            law = _law(stream.codec)
            frames = _voice_frames(sound, play.repeat, codecs.SILENCE[law])
            self._begin_player(stream, Player(play.turn, stream.payload_type, frames), now)

    # -- each second -------------------------------------------------------------------------------

    def _each_second(self, now: float) -> None:
        self._next_second_at += 1.0
        if self._next_second_at < now:
            self._next_second_at = now + 1.0
        self._seconds += 1
        for stream in self._busy.values():
            report = (self._seconds + stream.port // 2) % RTCP_SECONDS == 0
            stream.each_second(now, self._silence_seconds, report=report)
        if self._orphans and self._control is not None and now >= self._orphans_end_at:
            self._end_orphans(now)
        for ports in self._ranges.values():
            rested: list[int] = []
            while ports.resting and ports.resting[0][0] <= now:
                rested.append(ports.resting.popleft()[1])
            if rested:
                self._announce(ports, rested, grown=False)

    def _end_orphans(self, now: float) -> None:
        """End the streams of which the signalling process of now knows nothing."""
        _log.warning("streams=%d end: signalling doesn't know them", len(self._orphans))
        for number in list(self._orphans):
            self._close_stream(number, now)

    # -- ports -------------------------------------------------------------------------------------

    def _bind_next(self, ports: Range) -> int:
        """Bind the next pair of the range and return its number, -1 when the range is used up."""
        while ports.next_port <= ports.last_port:
            number = ports.next_port + ports.kind
            ports.next_port += 2
            if number in self._pool:
                continue
            try:
                self._bind(number)
            except OSError as error:
                _log.warning("media port %d is left out: %s", number & 0xFFFF, error.strerror)
                if error.errno in (errno.ENFILE, errno.EMFILE):  # the next one would fail as well
                    ports.next_port -= 2
                    return -1
                continue
            return number
        return -1

    def _bind(self, number: int) -> Stream:
        """Open the pair of a stream: the one that was left to us, or a new one. Raises OSError."""
        ports = self._ranges.get(number >= wire.IPV6)
        if ports is None:
            raise OSError(errno.EADDRNOTAVAIL, "no address of this kind")
        left = self._left.pop(number, None)
        if left is not None:
            pair = socket.socket(fileno=left.rtp), socket.socket(fileno=left.rtcp)
        else:
            pair = _bound_pair(ports, number & 0xFFFF)
        stream = self._pool[number] = self._plane.open(number, ports, pair)
        if left is None:
            self._bound.append((number, Pair(pair[0].fileno(), pair[1].fileno())))
        return stream

    def _grow(self, ports: Range, pairs: int) -> None:
        """Announce this many pairs: idle ones, new ones, then those that have rested longest."""
        numbers: list[int] = []
        while len(numbers) < pairs and ports.idle:
            number = ports.idle.popleft()
            if number not in self._pool:
                self._bind(number)
            numbers.append(number)
        while len(numbers) < pairs and (number := self._bind_next(ports)) >= 0:
            numbers.append(number)
        while len(numbers) < pairs and ports.resting:
            numbers.append(ports.resting.popleft()[1])
        self._hand_over()
        self._announce(ports, numbers, grown=True)

    def _hand_over(self) -> None:
        """Let the supervisor have what was bound."""
        bound, self._bound = self._bound, []
        if self._inheritance is None or not bound:
            return
        try:
            self._inheritance.keep(bound)
        except OSError as error:
            _log.warning("ports=%d would not outlive this process: %s", len(bound), error.strerror)

    def _announce(self, ports: Range, numbers: list[int], *, grown: bool) -> None:
        free = tuple(number for number in numbers if number not in self._busy)
        exhausted = ports.next_port > ports.last_port and not ports.resting and not ports.idle
        self._reports.append(wire.Ports(free, exhausted, bool(ports.kind), grown))

    # -- commands ----------------------------------------------------------------------------------

    def _commanded(self, now: float) -> bool:
        """Read and do commands; return False when the other side has closed."""
        if self._control is None:
            return False
        try:
            data = self._control.recv(wire.READ_BYTES)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        if not data:
            return False
        for body in self._reader.receive(data):
            for command in wire.commands(body):
                try:
                    self._do(command, now)
                except PortGone as gone:
                    _log.error("%s", gone)
                    self._reports.append(wire.Lost(gone.port, str(gone)))
        return True

    def _do(self, command: wire.Command, now: float) -> None:
        match command:
            case wire.Route():
                self._route(command, now)
            case wire.Close(ports):
                for port in ports:
                    self._close_stream(port, now)
            case wire.Grow(pairs, ipv6):
                if ipv6 not in self._ranges:
                    raise wire.WireError("ports of a kind of address that isn't ours")
                self._grow(self._ranges[ipv6], min(pairs, 4096))
            case wire.Play(port, turn):
                self._prepare_play(self._stream(port), turn, command)
            case wire.Stop(port):
                stream = self._stream(port)
                self._silence(stream)
            case wire.Echo(port):
                self._stream(port).echo(True)
            case wire.Digits(port, digits):
                self._send_digits(self._stream(port), digits, now)
            case wire.Query(number, ports):
                counts = tuple(self._busy[port].counts(now) for port in ports if port in self._busy)
                self._reports.append(wire.Statistics(number, counts))

    def _stream(self, number: int, *, again: bool = False) -> Stream:
        """Return the stream of a number, bound now when a former process had it. Raises PortGone.

        again: it was there before one of the two processes died, and goes on where it was.
        """
        stream = self._busy.get(number)
        if stream is None:
            stream = self._pool.get(number)
            if stream is None:
                try:
                    stream = self._bind(number)
                except OSError as error:
                    raise PortGone(number, error.strerror or str(error)) from None
                self._hand_over()
            self._busy[number] = stream
            stream.claim(again=again)
        elif self._orphans:
            self._orphans.discard(number)
        return stream

    def _route(self, route: wire.Route, now: float) -> None:
        stream = self._stream(route.port, again=route.again)
        peer = self._peer(route)
        if peer is not None and peer is not stream.peer:
            self._silence(stream)  # joined to another leg
        if self._is_loop(stream, route):
            route = msgspec.structs.replace(route, host="")
        stream.route(route, peer, now)

    def _silence(self, stream: Stream) -> None:
        """End what a leg is played or is to be played, and its echo."""
        stream.turn = 0
        stream.echo(False)
        self._end_player(stream)

    def _peer(self, route: wire.Route) -> Stream | None:
        """Return the stream that hears this one; a peer whose port is gone is told by its own route."""
        if not route.peer:
            return None
        try:
            return self._stream(route.peer, again=route.again)
        except PortGone:
            return None

    def _is_loop(self, stream: Stream, route: wire.Route) -> bool:
        """Say whether a leg gave us our own port of this call: one packet would go round for ever."""
        if route.host != stream.range.address:
            return False
        own = {stream.port & 0xFFFF}
        if route.peer:
            own.add(route.peer & 0xFFFF)
        if own.isdisjoint((route.rtp_port & ~1, route.rtcp_port & ~1)):
            return False
        _log.warning("port=%d a leg asks for its sound at our own port; it gets none", stream.port & 0xFFFF)
        return True

    def _close_stream(self, port: int, now: float) -> None:
        stream = self._pool.get(port)
        if stream is None:
            return
        if self._busy.pop(port, None) is not None:
            self._orphans.discard(port)
            self._end_player(stream)
            stream.release()
        stream.range.resting.append((now + REST_SECONDS, port))

    def _prepare_play(self, stream: Stream, turn: int, play: wire.Play) -> None:
        self._end_player(stream)
        stream.turn = turn
        if stream.codec.upper() not in codecs.STATIC_PAYLOAD_TYPES:
            _log.warning("not played: the leg's codec is %r", stream.codec)
            self._reports.append(wire.Finished(stream.port, turn))
            return
        self._worker.submit(self._prepare, stream, play, _law(stream.codec))

    def _send_digits(self, stream: Stream, digits: str, now: float) -> None:
        stream.turn = 0
        self._end_player(stream)
        if stream.event_type >= 0:
            self._begin_player(stream, Player(0, stream.event_type, dtmf.packets(digits)), now)
        elif digits and stream.codec.upper() in codecs.STATIC_PAYLOAD_TYPES:
            law = _law(stream.codec)
            sound = codecs.encode(law, tones.samples(tones.key_presses(digits)))
            frames = _voice_frames(sound, False, codecs.SILENCE[law])
            self._begin_player(stream, Player(0, stream.payload_type, frames), now)

    def _report(self) -> None:
        """Send what this turn had to say. Raises WireError when nobody reads it."""
        if self._control is None:
            self._reports.clear()  # the next signalling process asks for what it needs
            return
        if self._reports:
            self._unsent += wire.frame(self._reports)
            self._reports.clear()
        try:
            sent = self._control.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except ConnectionError:
            self._unsent.clear()  # the loop reads the end of the connection next
            return
        del self._unsent[:sent]
        if len(self._unsent) > MAX_UNSENT_BYTES:
            raise wire.WireError("the signalling process doesn't read its reports")


class PortGone(Exception):
    """A stream's port can't be bound. port: the stream's number in `wire`."""

    def __init__(self, port: int, reason: str) -> None:
        super().__init__(f"port {port & 0xFFFF} can't be bound: {reason}")
        self.port = port


def _bound_pair(ports: Range, port: int) -> tuple[socket.socket, socket.socket]:
    """Return a new RTP and a new RTCP socket. Raises OSError."""
    first = _bound(ports, port)
    try:
        return first, _bound(ports, port + 1)
    except OSError:
        first.close()
        raise


def _bound(ports: Range, port: int) -> socket.socket:
    made = socket.socket(ports.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if ports.kind:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, EXPEDITED_FORWARDING)
        else:
            made.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, EXPEDITED_FORWARDING)
        made.bind((ports.address, port))
    except OSError:
        made.close()
        raise
    return made


def _now() -> float:
    return time.monotonic()  # noqa: TID251 - the media process is its own clock, see the module


def _law(codec: str) -> codecs.Law:
    return "PCMA" if codec.upper() == "PCMA" else "PCMU"


def _voice_frames(sound: bytes, repeat: bool, silence: int) -> Iterator[Frame]:
    """Yield 20 ms of sound at a time, the last one filled up with silence."""
    place = 0
    first = True
    while place < len(sound):
        payload = sound[place : place + PACKET_TICKS]
        place += PACKET_TICKS
        if repeat and place >= len(sound):
            place -= len(sound)
            payload += sound[: PACKET_TICKS - len(payload)]
        if len(payload) < PACKET_TICKS:
            payload += bytes((silence,)) * (PACKET_TICKS - len(payload))
        yield Frame(payload, first, PACKET_TICKS)
        first = False


def _sound(source: Source, law: codecs.Law, prompts: Path) -> bytes:
    """Return the source as G.711. Raises WavError, ValueError."""
    match source:
        case Wav(path):
            status = os.stat(path) if os.path.isfile(path) else None
            if status is None:
                raise wav.WavError(f"{path}: no such file")
            return _wav_sound(path, status.st_mtime_ns, status.st_size, law)
        case Tone():
            return _tone_sound(source, law)
        case Speech():
            return codecs.encode(law, speech.speak(source, prompts))


@lru_cache(maxsize=32)
def _wav_sound(path: str, modified_ns: int, size_bytes: int, law: codecs.Law) -> bytes:
    """Return the file as G.711; the arguments after path make a changed file another entry."""
    return codecs.encode(law, wav.read_file(Path(path)))


@lru_cache(maxsize=64)
def _tone_sound(tone: Tone, law: codecs.Law) -> bytes:
    return codecs.encode(law, tones.samples(tone))


def main(
    control: socket.socket | None,
    addresses: Sequence[str],
    ports: tuple[int, int],
    *,
    prompts: Path,
    silence_seconds: float = SILENCE_SECONDS,
    listening: socket.socket | None = None,
    inheritance: Inheritance | None = None,
    plane: PlaneName = "auto",
    threads: int = native.THREADS,
) -> None:
    """Be the media process; the arguments are those of `Relay`. Returns when `Relay.run` does.

    Raises WireError for a message that isn't ours: the process is to end then, and be started again.
    """
    sys.setswitchinterval(SHORTEST_SWITCH_SECONDS)
    relay = Relay(
        control,
        addresses,
        ports,
        prompts=prompts,
        silence_seconds=silence_seconds,
        listening=listening,
        inheritance=inheritance,
        plane=plane,
        threads=threads,
    )
    try:
        relay.run()
    except wire.WireError:
        _log.critical("media process stops: control messages that it can't read", exc_info=True)
        raise


def _command_line() -> None:
    parser = argparse.ArgumentParser(description="The media process, for tests and benches.")
    parser.add_argument("--control", type=int, help="descriptor of the connected socket")
    parser.add_argument("--listening", type=int, help="descriptor of a socket to be connected to, instead")
    parser.add_argument("--address", action="append", help="to bind; once for IPv4, IPv6 or each")
    parser.add_argument("--ports", default="20000-29999")
    parser.add_argument("--plane", choices=("auto", "native", "python"), default="auto")
    parser.add_argument("--threads", type=int, default=native.THREADS)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--silence-seconds", type=float, default=SILENCE_SECONDS)
    options = parser.parse_args()
    first, _, last = options.ports.partition("-")
    main(
        socket.socket(fileno=options.control) if options.control is not None else None,
        options.address or ["127.0.0.1"],
        (int(first), int(last)),
        prompts=options.prompts,
        silence_seconds=options.silence_seconds,
        plane=options.plane,
        threads=options.threads,
        listening=socket.socket(fileno=options.listening) if options.listening is not None else None,
    )


if __name__ == "__main__":
    _command_line()
