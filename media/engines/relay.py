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
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

import msgspec

from media import dtmf, frames, speech, tones
from media.engine import Source
from media.engines import native, wire
from media.engines.inheritance import Inheritance, Pair
from media.engines.meters import Meters
from media.engines.reel import Reel
from media.engines.stream import Plane, Player, PythonPlane, Range, Stream
from media.rtp import BY_THE_CLOCK, Frame

if TYPE_CHECKING:  # they load numpy: only once a leg needs them, and never in the signalling process
    from media.engines.hearing import Hearers
    from media.engines.sounds import Sounds

_log = logging.getLogger(__name__)

PACKET_SECONDS: Final = 0.02
REST_SECONDS: Final = 2.0  # before a port is used again: late packets of its last call must be over
GATHER_SECONDS: Final = 0.002
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
    voices: files of piper's voices, by language; music: a WAV, None for the melody of our own.
    plane: what moves packets, `auto` for C where it was compiled; threads: of C.
    reel: of the recorder's tape, None where nothing is recorded.
    """

    def __init__(
        self,
        control: socket.socket | None,
        addresses: Sequence[str],
        ports: tuple[int, int],
        *,
        prompts: Path,
        voices: Mapping[str, Path] | None = None,
        music: Path | None = None,
        silence_seconds: float = SILENCE_SECONDS,
        listening: socket.socket | None = None,
        inheritance: Inheritance | None = None,
        plane: PlaneName = "auto",
        threads: int = native.THREADS,
        reel: Reel | None = None,
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
        self._prompts, self._music = prompts, music
        self._engine = speech.Piper(voices) if voices else None
        self._sounds: Sounds | None = None
        self._hearers: Hearers | None = None
        self._routes: dict[int, wire.Route] = {}  # of the streams that are busy
        self._pool: dict[int, Stream] = {}  # every pair that is bound
        self._busy: dict[int, Stream] = {}
        self._pairs: dict[int, tuple[socket.socket, socket.socket]] = {}  # RTP and RTCP, the plane's
        self._spread: set[int] = set()  # streams that send to a multicast address
        self._readers: dict[int, Callable[[float], None]] = {}  # by file descriptor
        self._reader = frames.FrameReader()
        self._reports: list[wire.Report] = []
        self._meters = Meters(self._reports)
        self._unsent = bytearray()
        self._epoll = select.epoll()
        self._worker = ThreadPoolExecutor(2, "prompts")
        self._ready: queue.SimpleQueue[tuple[Stream, _Wanted, tuple[bytes, ...]]] = queue.SimpleQueue()
        self._told: queue.SimpleQueue[wire.Report] = queue.SimpleQueue()  # by other threads
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._watch(self._woken.fileno(), self._start_prepared)
        self._plane = self._open_plane(plane, threads)
        self._wind(reel)
        self._players: dict[int, Stream] = {}
        self._key_turn = 0
        self._keyed: dict[int, str] = {}  # ports whose leg hears a key: those that wait for its end
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

    def _wind(self, reel: Reel | None) -> None:
        """Let the plane have the recorder's tape."""
        if reel is None:
            return
        try:
            self._plane.tape(reel)
        except OSError as error:
            _log.error("nothing can be recorded: %s", error.strerror)

    def _watch(self, descriptor: int, readable: Callable[[float], None]) -> None:
        """Call `readable` with the time whenever the descriptor is."""
        self._readers[descriptor] = readable
        self._epoll.register(descriptor, select.EPOLLIN)

    def run(self) -> None:
        """Work until the signalling process is gone for good. Raises WireError for a bad frame, OSError."""
        poll, readers = self._epoll.poll, self._readers
        gathers = isinstance(self._plane, native.NativePlane)  # whose packets come here to be converted
        begun = 0.0
        try:
            self._plane.start()
            while self._control is not None or self._listening is not None:
                if _now() - begun < 3 * GATHER_SECONDS and gathers:
                    time.sleep(GATHER_SECONDS)  # to be woken for each frame costs a sixth more
                begun = _now()
                ready = poll(self._timeout(), 256)
                now = _now()
                for descriptor, _ in ready:
                    if descriptor in readers:  # not one that has been closed in this turn
                        readers[descriptor](now)
                if now >= self._next_packet_at and self._speaks():
                    self._play(now)
                if now >= self._next_second_at:
                    self._each_second(now)
                if self._reports and self._hearers is not None:
                    self._hearers.told()
                if self._plane.tapes is not None and now >= self._plane.tapes.due_at:
                    self._plane.tapes.flush(now)
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
            if self._hearers is not None:
                self._hearers.end_recordings()
        self._reader = frames.FrameReader()
        self._unsent.clear()

    def _timeout(self) -> float:
        """Return how many seconds to wait for a packet at most."""
        until = self._next_second_at
        if self._next_packet_at < until and self._speaks():
            until = self._next_packet_at
        if self._plane.tapes is not None:
            until = min(until, self._plane.tapes.due_at)
        return max(0.0, until - _now())

    def _close(self) -> None:
        self._worker.shutdown(wait=False, cancel_futures=True)
        if self._hearers is not None:
            self._hearers.recorders.close()
        if self._plane.tapes is not None:
            self._plane.tapes.flush(_now())
        self._plane.close()
        for pair in self._left.values():
            for descriptor in pair:
                os.close(descriptor)
        self._hang_up()
        self._wake.close()
        self._woken.close()
        self._epoll.close()

    # -- playing -----------------------------------------------------------------------------------

    def _speaks(self) -> bool:
        """Say whether something is to be sent each 20 ms."""
        return bool(self._players) or (self._hearers is not None and self._hearers.ticks)

    def _play(self, now: float) -> None:
        """Send what is due. After a stall of more than 100 ms the time lost isn't played again."""
        if self._next_packet_at < now - CATCH_UP_PACKETS * PACKET_SECONDS:
            self._next_packet_at = now
        while self._next_packet_at <= now:
            for stream in list(self._players.values()):
                if stream.player is not None:
                    self._send_frame(stream, stream.player, now)
            if self._hearers is not None and self._hearers.ticks:
                self._hearers.tick(self._next_packet_at)
            self._next_packet_at += PACKET_SECONDS

    def _send_frame(self, stream: Stream, player: Player, now: float) -> None:
        frame = next(player.frames, None)
        if frame is None:
            waiting = self._keyed.pop(stream.port, "")
            self._end_player(stream)
            if waiting:
                self._send_digits(stream, waiting, now)
            if player.turn > 0:
                self._reports.append(wire.Finished(stream.port, player.turn))
            return
        stream.speak(frame, player.payload_type, now)

    def _begin_player(self, stream: Stream, player: Player, now: float) -> None:
        if not self._speaks():
            self._next_packet_at = now
        stream.play(player)
        self._players[stream.port] = stream

    def _end_player(self, stream: Stream) -> None:
        if self._keyed:
            self._keyed.pop(stream.port, None)
        if self._players.pop(stream.port, None) is not None:
            stream.play(self._hearers.at_rest(stream.port) if self._hearers is not None else None)

    def _prepare(self, stream: Stream, wanted: "_Wanted", route: wire.Route) -> None:
        """Make the sound (in a worker thread) and hand it to the loop."""
        from media.engines.sounds import Sounds

        if self._sounds is None:
            self._sounds = Sounds(self._prompts, self._engine, self._music)
        try:
            codec = wire.codec_of(route)
            payloads = self._sounds.payloads(wanted.source, codec, route.fmtp, repeat=wanted.repeat)
        except (OSError, ValueError) as error:
            _log.warning("not played: %s", error)
            payloads = ()
        self._ready.put((stream, wanted, payloads))
        self._wake_loop()

    def _wake_loop(self) -> None:
        """Let the loop look at what other threads have for it."""
        try:
            self._wake.send(b"\0")
        except OSError:
            return  # the loop has ended

    def _tell(self, report: wire.Report) -> None:
        """Take a report from another thread."""
        self._told.put(report)
        self._wake_loop()

    def _start_prepared(self, now: float) -> None:
        try:
            self._woken.recv(4096)
        except BlockingIOError:
            return
        while not self._told.empty():
            self._reports.append(self._told.get())
        while not self._ready.empty():
            stream, wanted, payloads = self._ready.get()
            if stream.turn != wanted.turn:
                continue  # stopped, closed, or something else is played since
            if not payloads:
                self._keyed.pop(stream.port, None)
                if wanted.turn > 0:
                    self._reports.append(wire.Finished(stream.port, wanted.turn))
                continue
            frames = _frames(payloads, wanted.ticks, repeat=wanted.repeat)
            self._begin_player(stream, Player(wanted.turn, stream.payload_type, frames), now)

    # -- each second -------------------------------------------------------------------------------

    def _each_second(self, now: float) -> None:
        self._next_second_at += 1.0
        if self._next_second_at < now:
            self._next_second_at = now + 1.0
        self._seconds += 1
        for stream in self._busy.values():
            report = (self._seconds + stream.port // 2) % RTCP_SECONDS == 0
            stream.each_second(now, self._silence_seconds, report=report)
            if stream.port in self._routes:
                self._meters.each_second(stream, self._routes[stream.port], now, measure=report)
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
        self._pairs[number] = pair
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
            data = self._control.recv(frames.READ_BYTES)
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
                    raise frames.WireError("ports of a kind of address that isn't ours")
                self._grow(self._ranges[ipv6], min(pairs, 4096))
            case wire.Play(port, turn, repeat, source):
                self._prepare_play(self._stream(port), turn, source, repeat=repeat)
            case wire.Stop(port):
                stream = self._stream(port)
                self._silence(stream)
            case wire.Echo(port):
                self._stream(port).echo(True)
            case wire.Record(port):
                self._hearers_here(now).record(self._stream(port), command)
            case wire.StopRecord(port):
                if self._hearers is not None:
                    self._hearers.stop_recording(self._stream(port))
            case wire.Tape(port, slot, by_leg, to_leg, again):
                with suppress(PortGone):  # which its route tells
                    self._stream(port, again=again).tape(slot, by_leg, to_leg)
            case wire.Digits(port, digits):
                self._send_digits(self._stream(port), digits, now)
            case wire.AskForPicture(port):
                self._stream(port).pass_request(now)
            case wire.Join(port):
                self._hearers_here(now).join(self._stream(port), command)
            case wire.Leave(port):
                if self._hearers is not None:
                    self._hearers.leave(self._stream(port))
            case wire.Spread(port, ttl, interface):
                self._stream(port)
                self._spread_to(port, ttl, interface)
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
        self._routes[route.port] = route
        if self._hearers is not None or route.converts or route.digits != "relay":
            self._hearers_here(now).route(stream)

    def _hearers_here(self, now: float) -> "Hearers":
        """Return what hears streams, made when the first one is to be heard."""
        if self._hearers is None:
            from media.engines.hearing import Hearers

            self._hearers = Hearers(
                self._routes, self._reports, self._send_events, self._send_tone, self._tell
            )
        if not self._speaks():
            self._next_packet_at = now
        return self._hearers

    def _heard(self, stream: Stream, packet: bytes, now: float) -> None:
        """Take a packet that the plane has taken from a leg, or copied."""
        if self._hearers is not None:
            self._hearers.heard(stream, packet, now)

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
            if self._hearers is not None:
                self._hearers.forget(stream)
            if self._routes.pop(port, None) is not None:
                self._meters.forget(port)
            stream.release()
            if port in self._spread:
                self._spread_to(port, 1, "")
                self._spread.discard(port)
        stream.range.resting.append((now + REST_SECONDS, port))

    def _spread_to(self, number: int, ttl: int, interface: str) -> None:
        """Say how far what a stream sends to a multicast address goes, and where it leaves.

        RFC 1112 section 6.1. An interface that isn't ours is logged, and the one of the port's address taken.
        """
        self._spread.add(number)
        for each in self._pairs[number]:
            try:
                if number >= wire.IPV6:
                    each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, ttl)
                    continue
                each.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
                left_by = socket.inet_aton(interface or "0.0.0.0")  # noqa: S104 - as the port is bound
                each.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, left_by)
            except OSError as error:
                _log.warning("multicast doesn't leave by %s: %s", interface or "its address", error.strerror)

    def _prepare_play(self, stream: Stream, turn: int, source: Source, *, repeat: bool) -> None:
        """Play a sound once it is made. turn: named in `Finished`, below 0 for no word."""
        self._end_player(stream)
        stream.turn = turn
        route = self._routes.get(stream.port)
        if route is None or not route.codec:
            _log.warning("not played: the leg has no codec")
            if turn > 0:
                self._reports.append(wire.Finished(stream.port, turn))
            return
        wanted = _Wanted(turn, source, repeat, route.clock_rate // 50)
        self._worker.submit(self._prepare, stream, wanted, route)

    def _send_digits(self, stream: Stream, digits: str, now: float) -> None:
        """Send keys as the leg hears them: events or tones, behind those of earlier ones."""
        if stream.port in self._keyed:
            self._send_tone(stream, digits)
            return
        stream.turn = 0
        self._end_player(stream)
        route = self._routes.get(stream.port)
        if route is not None and stream.event_type >= 0:
            self._send_events(stream, dtmf.packets(digits, clock_rate=route.clock_rate), now)
            self._keyed[stream.port] = ""
        elif digits:
            self._send_tone(stream, digits)

    def _send_events(self, stream: Stream, events: Iterator[Frame], now: float) -> None:
        """Send keys as events (RFC 4733), in place of what the leg hears."""
        self._begin_player(stream, Player(0, stream.event_type, events), now)

    def _send_tone(self, stream: Stream, digits: str) -> None:
        """Let a leg hear the tones of keys, behind those of earlier ones, unless it is played something."""
        port = stream.port
        if port in self._keyed:
            self._keyed[port] = (self._keyed[port] + digits)[: dtmf.MAX_DIGITS]
        elif port not in self._players and stream.codec:
            self._key_turn -= 1
            self._prepare_play(stream, self._key_turn, tones.key_presses(digits), repeat=False)
            self._keyed[port] = ""

    def _report(self) -> None:
        """Send what this turn had to say. Raises WireError when nobody reads it."""
        if self._control is None:
            self._reports.clear()  # the next signalling process asks for what it needs
            return
        if self._reports:
            self._unsent += frames.frame(self._reports)
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
            raise frames.WireError("the signalling process doesn't read its reports")


class _Wanted(NamedTuple):
    """A sound to be played. turn: of its stream; ticks: of 20 ms, by the leg's clock."""

    turn: int
    source: Source
    repeat: bool
    ticks: int


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


def _frames(payloads: Sequence[bytes], ticks: int, *, repeat: bool) -> Iterator[Frame]:
    """Yield the packets of a sound, `ticks` after each other, for ever when it is to be repeated."""
    yield Frame(payloads[0], True, BY_THE_CLOCK)
    yield from (Frame(payload, False, ticks) for payload in payloads[1:])
    while repeat:
        yield from (Frame(payload, False, ticks) for payload in payloads)


def load_codecs() -> None:
    """Load what works on sound, so that the first leg that needs it doesn't wait for it; for a thread."""
    from media.engines import hearing, sounds  # noqa: F401


def main(
    control: socket.socket | None,
    addresses: Sequence[str],
    ports: tuple[int, int],
    *,
    prompts: Path,
    voices: Mapping[str, Path] | None = None,
    music: Path | None = None,
    silence_seconds: float = SILENCE_SECONDS,
    listening: socket.socket | None = None,
    inheritance: Inheritance | None = None,
    plane: PlaneName = "auto",
    threads: int = native.THREADS,
    reel: Reel | None = None,
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
        voices=voices,
        music=music,
        silence_seconds=silence_seconds,
        listening=listening,
        inheritance=inheritance,
        plane=plane,
        threads=threads,
        reel=reel,
    )
    try:
        relay.run()
    except frames.WireError:
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
    parser.add_argument("--voice", action="append", default=[], help="LANGUAGE=FILE.onnx, for piper")
    parser.add_argument("--music", type=Path, help="a WAV to play to who is on hold")
    parser.add_argument("--reel", help="descriptors of a recorder's tape, with commas between them")
    parser.add_argument("--silence-seconds", type=float, default=SILENCE_SECONDS)
    options = parser.parse_args()
    first, _, last = options.ports.partition("-")
    main(
        socket.socket(fileno=options.control) if options.control is not None else None,
        options.address or ["127.0.0.1"],
        (int(first), int(last)),
        prompts=options.prompts,
        voices={name: Path(path) for name, _, path in (voice.partition("=") for voice in options.voice)},
        music=options.music,
        silence_seconds=options.silence_seconds,
        plane=options.plane,
        threads=options.threads,
        listening=socket.socket(fileno=options.listening) if options.listening is not None else None,
        reel=Reel([int(one) for one in options.reel.split(",")]) if options.reel else None,
    )


if __name__ == "__main__":
    _command_line()
