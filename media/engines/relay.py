"""The media process: a synchronous epoll loop that relays, plays and listens.

One `_Stream` is one port pair (RTP on an even port, RTCP on the odd one above, RFC 3550 section 11) and
what the signalling process said it does. Pairs are bound ahead, registered once, and used again after a
rest; an idle pair throws away what it gets, so a new call never hears the end of an old one.

```
    leg A ──> stream A ──(number, SSRC, sequence, timestamp rewritten)──> stream B's socket ──> leg B
                 │ counts, digits, silence                    ^
                 └ third address: counted, dropped            └ or a prompt, a tone, digits, the leg's echo
```

Whose packets count: those from the address of the leg's SDP. A leg behind NAT is latched: the first
valid packet within LATCH_SECONDS of each answer shows where it is, and there it stays until the next
answer. RTCP is regenerated, not relayed (`media/rtcp.py`).

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
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from secrets import randbits
from typing import Final

from media import codecs, dtmf, rtcp, rtp, speech, tones, wav
from media.engine import Source, Wav
from media.engines import wire
from media.engines.inheritance import Inheritance, NoRecord, Pair, StreamRecord
from media.rtp import Frame, read_header
from media.speech import Speech
from media.tones import Tone

_log = logging.getLogger(__name__)

PACKET_SECONDS: Final = 0.02
PACKET_TICKS: Final = 160
LATCH_SECONDS: Final = 10.0
REST_SECONDS: Final = 2.0  # before a port is used again: late packets of its last call must be over
SILENCE_SECONDS: Final = 10.0
ORPHAN_SECONDS: Final = 30.0
RTCP_SECONDS: Final = 5
CATCH_UP_PACKETS: Final = 5
MAX_DATAGRAM_BYTES: Final = 4096
MAX_UNSENT_BYTES: Final = 8 * 1024 * 1024
EXPEDITED_FORWARDING: Final = 0xB8  # DSCP 46, RFC 3246, as a traffic class
SHORTEST_SWITCH_SECONDS: Final = 0.0005  # how long the worker may keep the interpreter from packets

Address = tuple[str, int] | tuple[str, int, int, int]


class _Player:
    """What a leg is sent by us. frames: one for each 20 ms; turn: named when they end, 0 for no word."""

    __slots__ = ("frames", "payload_type", "turn")

    def __init__(self, turn: int, payload_type: int, frames: Iterator[Frame]) -> None:
        self.turn = turn
        self.payload_type = payload_type
        self.frames = frames


class _Stream:
    """One port pair and what it does. `restart` makes it as new for the next leg. port: see `wire`."""

    __slots__ = (
        "clock_rate", "codec", "destination", "detector", "echoes", "event_type", "event_types", "heard_at",
        "incoming", "invalid", "latch_until", "outgoing", "payload_type", "payload_types", "peer",
        "player", "port", "range", "receive_into", "recorded", "rtcp_destination", "rtcp_socket",
        "rtp_socket", "send_to", "silence_told", "source", "third_party", "turn", "watched_since",
    )  # fmt: skip

    def __init__(
        self, port: int, ports: "_Range", rtp_socket: socket.socket, rtcp_socket: socket.socket
    ) -> None:
        self.port = port
        self.range = ports
        self.rtp_socket = rtp_socket
        self.rtcp_socket = rtcp_socket
        self.receive_into: Callable[[bytearray], tuple[int, Address]] = rtp_socket.recvfrom_into
        self.send_to: Callable[[bytes | memoryview, Address], int] = rtp_socket.sendto
        self.restart()

    def restart(self) -> None:
        self.peer: _Stream | None = None
        self.echoes = False
        self.player: _Player | None = None
        self.turn = 0  # of what is being prepared or played
        self.source: Address | None = None
        self.destination: Address | None = None
        self.rtcp_destination: Address | None = None
        self.latch_until = -1.0
        self.watched_since = -1.0
        self.silence_told = False
        self.payload_types: dict[int, int] = {}
        self.event_types: tuple[int, ...] = ()
        self.codec = ""
        self.payload_type = 0
        self.clock_rate = 8000
        self.event_type = -1
        self.heard_at = -1.0
        self.third_party = 0
        self.invalid = 0
        self.recorded = -1  # packets in and out when its record was written
        self.incoming = rtp.Incoming()
        chance = randbits(80)  # asked once: each time is a system call
        self.outgoing = rtp.Outgoing(chance & 0xFFFFFFFF, chance >> 32 & 0xFFFF, chance >> 48)
        self.detector = dtmf.DigitDetector()


class _Range:
    """The port pairs of one address. kind: added to a port to name its stream, see `wire`.

    idle: bound, and announced to nobody who is there; resting: until when, and which.
    """

    __slots__ = ("address", "family", "idle", "kind", "last_port", "next_port", "resting")

    def __init__(self, address: str, ports: tuple[int, int]) -> None:
        self.address = address
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.kind = wire.IPV6 if ":" in address else 0
        self.next_port = ports[0] + ports[0] % 2
        self.last_port = ports[1] - 1  # the RTCP port above is in the range as well
        self.idle: deque[int] = deque()
        self.resting: deque[tuple[float, int]] = deque()

    def sockaddr(self, host: str, port: int) -> Address:
        return (host, port, 0, 0) if self.kind else (host, port)


class Relay:
    """The loop. addresses: bound, one for IPv4, IPv6 or each; ports: first and last, for each address.

    control: connected to the signalling process; None when it comes through `listening`, as do those
    after it. Without `listening` the end of control is the end of the loop.
    prompts: folder of spoken prompts; silence_seconds: after how long a leg is reported silent.
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
    ) -> None:
        self._control: socket.socket | None = None
        self._listening = listening
        self._inheritance = inheritance
        self._ranges = {bool(made.kind): made for made in (_Range(address, ports) for address in addresses)}
        self._left = dict(inheritance.pairs) if inheritance is not None else {}
        for number in sorted(self._left):
            if (number >= wire.IPV6) in self._ranges:
                self._ranges[number >= wire.IPV6].idle.append(number)
        self._bound: list[tuple[int, Pair]] = []  # to be handed over
        self._orphans: set[int] = set()  # busy before the control connection that there is now
        self._orphans_end_at = 0.0
        self._silence_seconds = silence_seconds
        self._prompts = prompts
        self._pool: dict[int, _Stream] = {}  # every pair that is bound
        self._busy: dict[int, _Stream] = {}
        self._rtp: dict[int, _Stream] = {}  # by file descriptor
        self._rtcp: dict[int, _Stream] = {}
        self._buffer = bytearray(MAX_DATAGRAM_BYTES)
        self._view = memoryview(self._buffer)
        self._reader = wire.FrameReader()
        self._reports: list[wire.Report] = []
        self._unsent = bytearray()
        self._epoll = select.epoll()
        self._worker = ThreadPoolExecutor(2, "prompts")
        self._ready: queue.SimpleQueue[tuple[_Stream, wire.Play, bytes]] = queue.SimpleQueue()
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._epoll.register(self._woken.fileno(), select.EPOLLIN)
        self._players: dict[int, _Stream] = {}
        self._next_packet_at = 0.0
        self._next_second_at = _now()
        self._seconds = 0
        if listening is not None:
            self._epoll.register(listening.fileno(), select.EPOLLIN)
        if control is not None:
            self._serve(control, _now())

    def run(self) -> None:
        """Work until the signalling process is gone for good. Raises WireError for a bad frame."""
        poll, streams, reports = self._epoll.poll, self._rtp, self._rtcp
        try:
            while self._control is not None or self._listening is not None:
                ready = poll(self._timeout(), 256)
                now = _now()
                for descriptor, _ in ready:
                    # One datagram for each socket and turn: a flood on one port delays no other, and
                    # what is left is reported again.
                    stream = streams.get(descriptor)
                    if stream is not None:
                        self._receive(stream, now)
                    elif descriptor in reports:
                        self._receive_rtcp(reports[descriptor])
                    else:
                        self._attend(descriptor, now)
                if self._players and now >= self._next_packet_at:
                    self._play(now)
                if now >= self._next_second_at:
                    self._each_second(now)
                if self._reports or self._unsent:
                    self._report()
        finally:
            self._close()

    def _attend(self, descriptor: int, now: float) -> None:
        """Do what one of the few descriptors asks that aren't ports."""
        if self._control is not None and descriptor == self._control.fileno():
            if not self._commanded(now):
                self._hang_up()
        elif self._listening is not None and descriptor == self._listening.fileno():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return  # whoever came has left again
            self._serve(connection, now)
        else:
            self._start_prepared(now)

    def _serve(self, control: socket.socket, now: float) -> None:
        """Obey a signalling process from here on; whoever was there before is gone."""
        if self._control is not None:
            self._hang_up()
        control.setblocking(False)
        self._control = control
        self._epoll.register(control.fileno(), select.EPOLLIN)
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
        for stream in self._pool.values():
            stream.rtp_socket.close()
            stream.rtcp_socket.close()
        for pair in self._left.values():
            for descriptor in pair:
                os.close(descriptor)
        self._hang_up()
        self._wake.close()
        self._woken.close()
        self._epoll.close()

    # -- packets -----------------------------------------------------------------------------------

    def _receive(self, stream: _Stream, now: float) -> None:
        buffer = self._buffer
        try:
            length, source = stream.receive_into(buffer)
        except OSError:
            return
        if source != stream.source and not self._accept(stream, source, length, now):
            return
        header = read_header(buffer)
        number = header[1] & 0x7F
        peer_number = stream.payload_types.get(number)
        if peer_number is None or not _is_rtp(buffer, length):
            stream.invalid += 1
            return
        stream.heard_at = now
        stream.incoming.count(header, length, int(now * stream.clock_rate))
        if number in stream.event_types:
            self._hear_event(stream, header, length)
        if stream.silence_told:
            stream.silence_told = False
            self._reports.append(wire.Heard(stream.port))
        peer = stream if stream.echoes else stream.peer
        if peer is None or peer.player is not None or peer.destination is None:
            return
        peer.outgoing.relay(buffer, header, length, peer_number, peer.clock_rate, now)
        try:
            peer.send_to(self._view[:length], peer.destination)
        except OSError:
            return  # a full buffer or an address without a route: RTP loses packets

    def _accept(self, stream: _Stream, source: Address, length: int, now: float) -> bool:
        """Say whether a datagram from another address than the leg's is the leg's, and latch it."""
        if now > stream.latch_until and (stream.source is not None or source != stream.destination):
            # Also when the window closed unused: then the leg is where its SDP says, or nowhere.
            stream.third_party += 1
            return False
        if not _is_rtp(self._buffer, length) or self._buffer[1] & 0x7F not in stream.payload_types:
            stream.invalid += 1
            return False
        stream.latch_until = -1.0
        stream.source = source
        if stream.destination is not None and stream.destination != source:
            # A NAT gives RTCP a port of its own that we can't know: the one beside is a guess.
            stream.destination, stream.rtcp_destination = source, _beside(source)
        return True

    def _hear_event(self, stream: _Stream, header: rtp.Header, length: int) -> None:
        start, end = rtp.payload_bounds(self._buffer, length)
        payload = bytes(self._buffer[start:end])
        digit = stream.detector.receive(payload, header[3], marker=header[1] >= 0x80)
        if digit:
            self._reports.append(wire.Digit(stream.port, digit))

    def _receive_rtcp(self, stream: _Stream) -> None:
        """Throw a leg's reports away: it gets ours, and ours count for it."""
        try:
            stream.rtcp_socket.recv_into(self._buffer)
        except OSError:
            return

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

    def _send_frame(self, stream: _Stream, player: _Player, now: float) -> None:
        frame = next(player.frames, None)
        if frame is None:
            self._end_player(stream)
            if player.turn:
                self._reports.append(wire.Finished(stream.port, player.turn))
            return
        if stream.destination is None:
            return
        packet = stream.outgoing.speak(frame, player.payload_type, now)
        if not packet:
            return
        try:
            stream.send_to(packet, stream.destination)
        except OSError:
            return

    def _begin_player(self, stream: _Stream, player: _Player, now: float) -> None:
        stream.player = player
        if not self._players:
            self._next_packet_at = now
        self._players[stream.port] = stream

    def _end_player(self, stream: _Stream) -> None:
        stream.player = None
        self._players.pop(stream.port, None)

    def _prepare(self, stream: _Stream, play: wire.Play, law: codecs.Law) -> None:
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
            self._begin_player(stream, _Player(play.turn, stream.payload_type, frames), now)

    # -- each second -------------------------------------------------------------------------------

    def _each_second(self, now: float) -> None:
        self._next_second_at += 1.0
        if self._next_second_at < now:
            self._next_second_at = now + 1.0
        self._seconds += 1
        for stream in self._busy.values():
            if stream.watched_since >= 0 and not stream.silence_told:
                silent = now - max(stream.heard_at, stream.watched_since)
                if silent >= self._silence_seconds:
                    stream.silence_told = True
                    self._reports.append(wire.Silent(stream.port, round(silent, 1)))
            if (self._seconds + stream.port // 2) % RTCP_SECONDS == 0 and stream.rtcp_destination is not None:
                self._send_report(stream, stream.rtcp_destination, now)
            if self._inheritance is not None:
                self._record(stream, self._inheritance, now)
        if self._orphans and self._control is not None and now >= self._orphans_end_at:
            self._end_orphans(now)
        for ports in self._ranges.values():
            rested: list[int] = []
            while ports.resting and ports.resting[0][0] <= now:
                rested.append(ports.resting.popleft()[1])
            if rested:
                self._announce(ports, rested, grown=False)

    def _send_report(self, stream: _Stream, destination: Address, now: float) -> None:
        packet = rtcp.report(stream.outgoing, stream.incoming, f"beffroi@{stream.range.address}", now)
        try:
            stream.rtcp_socket.sendto(packet, destination)
        except OSError:
            return

    def _record(self, stream: _Stream, inheritance: Inheritance, now: float) -> None:
        """Write down where a stream is, unless nothing has moved."""
        moved = stream.incoming.packets + stream.outgoing.packets
        if moved == stream.recorded:
            return
        stream.recorded = moved
        heard = stream.source or ("", 0)
        inheritance.write(
            stream.port,
            StreamRecord(heard[0], heard[1], stream.outgoing.state(now), stream.incoming.state()),
        )

    def _end_orphans(self, now: float) -> None:
        """End the streams of which the signalling process of now knows nothing."""
        _log.warning("streams=%d end: signalling doesn't know them", len(self._orphans))
        for number in list(self._orphans):
            self._close_stream(number, now)

    # -- ports -------------------------------------------------------------------------------------

    def _bind_next(self, ports: _Range) -> int:
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

    def _bind(self, number: int) -> _Stream:
        """Open the pair of a stream: the one that was left to us, or a new one. Raises OSError."""
        ports = self._ranges.get(number >= wire.IPV6)
        if ports is None:
            raise OSError(errno.EADDRNOTAVAIL, "no address of this kind")
        left = self._left.pop(number, None)
        if left is not None:
            sockets = [socket.socket(fileno=descriptor) for descriptor in left]
        else:
            sockets = _bound_pair(ports, number & 0xFFFF)
            self._bound.append((number, Pair(sockets[0].fileno(), sockets[1].fileno())))
        stream = _Stream(number, ports, *sockets)
        self._pool[number] = stream
        self._rtp[sockets[0].fileno()] = stream
        self._rtcp[sockets[1].fileno()] = stream
        for bound in sockets:
            self._epoll.register(bound.fileno(), select.EPOLLIN)
        return stream

    def _grow(self, ports: _Range, pairs: int) -> None:
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

    def _announce(self, ports: _Range, numbers: list[int], *, grown: bool) -> None:
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
                stream.turn, stream.echoes = 0, False
                self._end_player(stream)
            case wire.Echo(port):
                self._stream(port).echoes = True
            case wire.Digits(port, digits):
                self._send_digits(self._stream(port), digits, now)
            case wire.Query(number, ports):
                counts = tuple(self._counts(self._busy[port], now) for port in ports if port in self._busy)
                self._reports.append(wire.Statistics(number, counts))

    def _stream(self, number: int, *, again: bool = False) -> _Stream:
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
            stream.third_party = stream.invalid = 0  # what came while it was idle
            if again and self._inheritance is not None:
                _resume(stream, self._inheritance)
            elif self._inheritance is not None:
                self._inheritance.forget(number)
        elif self._orphans:
            self._orphans.discard(number)
        return stream

    def _route(self, route: wire.Route, now: float) -> None:
        stream = self._stream(route.port, again=route.again)
        peer = self._peer(route)
        if peer is not None and peer is not stream.peer:
            # Joined to another leg: what it was played, and its echo, are over.
            stream.turn, stream.echoes = 0, False
            if stream.player is not None:
                self._end_player(stream)
        stream.peer = peer
        self._place(stream, route, now)
        stream.payload_types = route.payload_types
        stream.event_types = route.event_types
        stream.codec = route.codec
        stream.payload_type = route.payload_type
        stream.clock_rate = route.clock_rate
        stream.event_type = route.event_type
        if not route.watch:
            stream.watched_since, stream.silence_told = -1.0, False
        elif stream.watched_since < 0:
            stream.watched_since = now
        if self._inheritance is not None and stream.recorded < 0:
            self._record(stream, self._inheritance, now)

    def _peer(self, route: wire.Route) -> _Stream | None:
        """Return the stream that hears this one; a peer whose port is gone is told by its own route."""
        if not route.peer:
            return None
        try:
            return self._stream(route.peer, again=route.again)
        except PortGone:
            return None

    def _place(self, stream: _Stream, route: wire.Route, now: float) -> None:
        """Say where the leg is: where its SDP says, or behind NAT where it was heard from."""
        found = stream.source is not None
        known = stream.source or stream.destination
        if not route.host or self._is_loop(stream, route):
            # Hold by an address of zeros: nothing is sent, and the leg may still send from where it was.
            stream.destination = stream.rtcp_destination = None
        elif route.nat and known is not None:
            stream.destination, stream.rtcp_destination = known, _beside(known)
        else:
            stream.destination = stream.range.sockaddr(route.host, route.rtp_port)
            stream.rtcp_destination = stream.range.sockaddr(route.host, route.rtcp_port)
            stream.source = stream.destination
        if route.latch and not (route.again and found):
            stream.source, stream.latch_until = None, now + LATCH_SECONDS

    def _is_loop(self, stream: _Stream, route: wire.Route) -> bool:
        """Say whether a leg gave us our own port of this call: one packet would go round for ever."""
        if route.host != stream.range.address:
            return False
        own = {stream.port & 0xFFFF}
        if stream.peer is not None:
            own.add(stream.peer.port & 0xFFFF)
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
            if stream.peer is not None and stream.peer.peer is stream:
                stream.peer.peer = None
            stream.restart()
            if self._inheritance is not None:
                self._inheritance.forget(port)
        stream.range.resting.append((now + REST_SECONDS, port))

    def _prepare_play(self, stream: _Stream, turn: int, play: wire.Play) -> None:
        self._end_player(stream)
        stream.turn = turn
        if stream.codec.upper() not in codecs.STATIC_PAYLOAD_TYPES:
            _log.warning("not played: the leg's codec is %r", stream.codec)
            self._reports.append(wire.Finished(stream.port, turn))
            return
        self._worker.submit(self._prepare, stream, play, _law(stream.codec))

    def _send_digits(self, stream: _Stream, digits: str, now: float) -> None:
        stream.turn = 0
        self._end_player(stream)
        if stream.event_type >= 0:
            self._begin_player(stream, _Player(0, stream.event_type, dtmf.packets(digits)), now)
        elif digits and stream.codec.upper() in codecs.STATIC_PAYLOAD_TYPES:
            law = _law(stream.codec)
            sound = codecs.encode(law, tones.samples(tones.key_presses(digits)))
            frames = _voice_frames(sound, False, codecs.SILENCE[law])
            self._begin_player(stream, _Player(0, stream.payload_type, frames), now)

    def _counts(self, stream: _Stream, now: float) -> wire.StreamCounts:
        source, incoming = stream.source or stream.destination or ("", 0), stream.incoming
        return wire.StreamCounts(
            stream.port,
            source[0],
            source[1],
            incoming.packets,
            incoming.octets,
            stream.outgoing.packets,
            incoming.lost,
            round(incoming.jitter_ticks * 1000 / stream.clock_rate, 3),
            round(now - stream.heard_at, 3) if stream.heard_at >= 0 else -1.0,
            stream.third_party,
            stream.invalid,
        )

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


def _bound_pair(ports: _Range, port: int) -> list[socket.socket]:
    """Return a new RTP and a new RTCP socket. Raises OSError."""
    first = _bound(ports, port)
    try:
        return [first, _bound(ports, port + 1)]
    except OSError:
        first.close()
        raise


def _bound(ports: _Range, port: int) -> socket.socket:
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


def _resume(stream: _Stream, inheritance: Inheritance) -> None:
    """Go on where the process before this one had the stream, as far as it wrote that down."""
    try:
        record = inheritance.read(stream.port)
    except NoRecord:
        return
    stream.outgoing.resume(record.outgoing)
    stream.incoming.resume(record.incoming)
    if record.host:
        stream.source = stream.range.sockaddr(record.host, record.port)


def _now() -> float:
    return time.monotonic()  # noqa: TID251 - the media process is its own clock, see the module


def _is_rtp(buffer: bytearray, length: int) -> bool:
    """Say whether buffer[:length] is an RTP packet that may be relayed."""
    if length < rtp.HEADER_BYTES or length >= MAX_DATAGRAM_BYTES or buffer[0] & 0xC0 != 0x80:
        return False
    if buffer[0] != 0x80:
        try:
            rtp.payload_bounds(buffer, length)
        except rtp.RtpError:
            return False
    return True


def _beside(address: Address) -> Address:
    """Return the address one port above, the same one when there is none."""
    port = min(address[1] + 1, 65535)
    return (address[0], port, *address[2:]) if len(address) == 4 else (address[0], port)


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
        listening=socket.socket(fileno=options.listening) if options.listening is not None else None,
    )


if __name__ == "__main__":
    _command_line()
