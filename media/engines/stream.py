"""One port pair of the media process: what a leg on it says, and what it hears from us.

```
    leg A ──> stream A ──(number, SSRC, sequence, timestamp rewritten)──> stream B's socket ──> leg B
                 │ counts, digits, silence                    ^
                 └ third address: counted, dropped            └ or a prompt, a tone, digits, the leg's echo
```

Whose packets count: those from the address of the leg's SDP. A leg behind NAT is latched: the first
valid packet within LATCH_SECONDS of each answer shows where it is, and there it stays until the next
answer. RTCP is regenerated, not relayed (`media/rtcp.py`). A leg that sends more than
MOST_PACKETS_A_SECOND isn't a telephone any more: the rest of the second is dropped and counted.

`Stream` is what the relay's loop (`engines/relay.py`) needs of a pair, and a `Plane` opens them. Here are
those that move packets in the loop itself; those of `engines/native.py` do it in threads of C.
"""

import socket
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from secrets import randbits
from typing import Final, Protocol

from media import dtmf, rtcp, rtp
from media.engines import wire
from media.engines.inheritance import Inheritance, NoRecord, StreamRecord
from media.rtp import Frame, read_header

LATCH_SECONDS: Final = 10.0
MOST_PACKETS_A_SECOND: Final = 500  # ten times what a telephone sends
MAX_DATAGRAM_BYTES: Final = 4096

Address = tuple[str, int] | tuple[str, int, int, int]
Watch = Callable[[int, Callable[[float], None]], None]  # a descriptor, and whom to call when it is readable


class Range:
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

    @property
    def cname(self) -> str:
        """What we are called in RTCP on these ports (RFC 3550 section 6.5.1)."""
        return f"beffroi@{self.address}"

    def sockaddr(self, host: str, port: int) -> Address:
        """Return an address as sockets of this family give and take it."""
        return (host, port, 0, 0) if self.kind else (host, port)


class Player:
    """What a leg is sent by us. frames: one for each 20 ms; turn: named when they end, 0 for no word."""

    __slots__ = ("frames", "payload_type", "turn")

    def __init__(self, turn: int, payload_type: int, frames: Iterator[Frame]) -> None:
        self.turn = turn
        self.payload_type = payload_type
        self.frames = frames


class Stream(ABC):
    """A pair, idle until a leg has it (`claim`) and again afterwards (`release`). port: see `wire`.

    peer: the stream that hears the leg; player: what the leg is sent by us, in place of its peer;
    turn: of what is being prepared or played. codec, payload_type, event_type: as its route says.
    now, everywhere: monotonic seconds.
    """

    __slots__ = ("codec", "event_type", "payload_type", "peer", "player", "port", "range", "turn")

    def __init__(self, port: int, ports: Range) -> None:
        self.port = port
        self.range = ports
        self._forget_leg()

    def _forget_leg(self) -> None:
        self.peer: Stream | None = None
        self.player: Player | None = None
        self.turn = 0
        self.codec = ""
        self.payload_type = 0
        self.event_type = -1

    @abstractmethod
    def claim(self, *, again: bool) -> None:
        """Begin with a leg; `again`: where a process before this one had it, as far as that was kept."""

    def release(self) -> None:
        """End with the leg: nothing is relayed, and nothing of it is remembered."""
        if self.peer is not None and self.peer.peer is self:
            self.peer.peer = None
        self._forget_leg()

    def route(self, route: wire.Route, peer: "Stream | None", now: float) -> None:
        """Do what the route says; peer: the stream that it names."""
        self.peer = peer
        self.codec, self.payload_type, self.event_type = route.codec, route.payload_type, route.event_type

    @abstractmethod
    def echo(self, on: bool) -> None:
        """Send the leg's sound back to it, or no longer."""

    def play(self, player: Player | None) -> None:
        """Let the leg hear nothing but `player`, which `speak` is called for, or its peer again."""
        self.player = player

    @abstractmethod
    def speak(self, frame: Frame, payload_type: int, now: float) -> None:
        """Send a packet of our own, unless nothing is sent to the leg."""

    @abstractmethod
    def each_second(self, now: float, silence_seconds: float, *, report: bool) -> None:
        """Say so when the leg falls silent, send it RTCP when `report`, and keep a record."""

    @abstractmethod
    def counts(self, now: float) -> wire.StreamCounts:
        """Return what the stream has done so far."""


class Plane(Protocol):
    """What opens streams, and moves their packets."""

    def open(self, number: int, ports: Range, pair: tuple[socket.socket, socket.socket]) -> Stream:
        """Return the stream of two bound sockets, which are the plane's from here on. Raises OSError."""
        ...

    def start(self) -> None:
        """Let packets move. Raises OSError."""
        ...

    def close(self) -> None:
        """Close all sockets."""
        ...


class PythonPlane:
    """Streams whose packets move when `watch` says that their sockets are readable.

    reports: where events are added; inheritance: where streams keep their records.
    """

    def __init__(self, watch: Watch, reports: list[wire.Report], inheritance: Inheritance | None) -> None:
        self.reports = reports
        self.inheritance = inheritance
        self.buffer = bytearray(MAX_DATAGRAM_BYTES)
        self.view = memoryview(self.buffer)
        self._watch = watch
        self._sockets: list[socket.socket] = []

    def open(self, number: int, ports: Range, pair: tuple[socket.socket, socket.socket]) -> "PythonStream":
        """See Plane."""
        self._sockets += pair
        stream = PythonStream(self, number, ports, *pair)
        for descriptor, readable in zip(pair, (stream.receive, stream.receive_rtcp), strict=True):
            self._watch(descriptor.fileno(), readable)
        return stream

    def start(self) -> None:
        """See Plane: the loop does all."""

    def close(self) -> None:
        """See Plane."""
        for each in self._sockets:
            each.close()


class PythonStream(Stream):
    """A stream whose packets move in the loop."""

    __slots__ = (
        "_buffer", "_inheritance", "_plane", "_reports", "budget", "clock_rate", "destination", "detector",
        "echoes", "event_types", "heard_at", "incoming", "invalid", "latch_until", "limited", "outgoing",
        "payload_types", "receive_into", "recorded", "report_to", "rtcp_destination", "rtcp_socket",
        "second_ends", "send_to", "silence_told", "source", "third_party", "watched_since",
    )  # fmt: skip

    def __init__(
        self,
        plane: PythonPlane,
        port: int,
        ports: Range,
        rtp_socket: socket.socket,
        rtcp_socket: socket.socket,
    ) -> None:
        self._plane = plane
        self._buffer = plane.buffer
        self._reports = plane.reports
        self._inheritance = plane.inheritance
        self.rtcp_socket = rtcp_socket
        self.receive_into: Callable[[bytearray], tuple[int, Address]] = rtp_socket.recvfrom_into
        self.send_to: Callable[[bytes | memoryview, Address], int] = rtp_socket.sendto
        self.report_to: Callable[[bytes, Address], int] = rtcp_socket.sendto
        super().__init__(port, ports)

    def _forget_leg(self) -> None:
        super()._forget_leg()
        self.echoes = False
        self.source: Address | None = None
        self.destination: Address | None = None
        self.rtcp_destination: Address | None = None
        self.latch_until = -1.0
        self.watched_since = -1.0
        self.silence_told = False
        self.payload_types: dict[int, int] = {}
        self.event_types: tuple[int, ...] = ()
        self.clock_rate = 8000
        self.heard_at = -1.0
        self.second_ends = -1.0
        self.budget = 0  # packets that may still come in this second
        self.third_party = 0
        self.invalid = 0
        self.limited = 0
        self.recorded = -1  # packets in and out when its record was written
        self.incoming = rtp.Incoming()
        chance = randbits(80)  # asked once: each time is a system call
        self.outgoing = rtp.Outgoing(chance & 0xFFFFFFFF, chance >> 32 & 0xFFFF, chance >> 48)
        self.detector = dtmf.DigitDetector()

    def claim(self, *, again: bool) -> None:
        """See Stream."""
        self.third_party = self.invalid = 0  # what came while it was idle
        if again and self._inheritance is not None:
            self._resume(self._inheritance)
        elif self._inheritance is not None:
            self._inheritance.forget(self.port)

    def release(self) -> None:
        """See Stream."""
        super().release()
        if self._inheritance is not None:
            self._inheritance.forget(self.port)

    def _resume(self, inheritance: Inheritance) -> None:
        """Go on where the process before this one had the stream, as far as it wrote that down."""
        try:
            record = inheritance.read(self.port)
        except NoRecord:
            return
        self.outgoing.resume(record.outgoing)
        self.incoming.resume(record.incoming)
        if record.host:
            self.source = self.range.sockaddr(record.host, record.port)

    def route(self, route: wire.Route, peer: Stream | None, now: float) -> None:
        """See Stream."""
        super().route(route, peer, now)
        self._place(route, now)
        self.payload_types = route.payload_types
        self.event_types = route.event_types
        self.clock_rate = route.clock_rate
        if not route.watch:
            self.watched_since, self.silence_told = -1.0, False
        elif self.watched_since < 0:
            self.watched_since = now
        if self.recorded < 0:
            self._record(now)

    def _place(self, route: wire.Route, now: float) -> None:
        """Say where the leg is: where its SDP says, or behind NAT where it was heard from."""
        found = self.source is not None
        known = self.source or self.destination
        if not route.host:
            # Hold by an address of zeros: nothing is sent, and the leg may still send from where it was.
            self.destination = self.rtcp_destination = None
        elif route.nat and known is not None:
            self.destination, self.rtcp_destination = known, _beside(known)
        else:
            self.destination = self.range.sockaddr(route.host, route.rtp_port)
            self.rtcp_destination = self.range.sockaddr(route.host, route.rtcp_port)
            self.source = self.destination
        if route.latch and not (route.again and found):
            self.source, self.latch_until = None, now + LATCH_SECONDS

    def receive(self, now: float) -> None:
        """Take one datagram: a flood on one port delays no other, and what is left is reported again."""
        buffer = self._buffer
        try:
            length, source = self.receive_into(buffer)
        except OSError:
            return
        if source != self.source and not self._accept(source, length, now):
            return
        header = read_header(buffer)
        number = header[1] & 0x7F
        peer_number = self.payload_types.get(number)
        if peer_number is None or not is_rtp(buffer, length):
            self.invalid += 1
            return
        if now >= self.second_ends:
            self.second_ends, self.budget = now + 1.0, MOST_PACKETS_A_SECOND
        if not self.budget:
            self.limited += 1
            return
        self.budget -= 1
        self.heard_at = now
        self.incoming.count(header, length, int(now * self.clock_rate))
        if number in self.event_types:
            self._hear_event(header, length)
        if self.silence_told:
            self.silence_told = False
            self._reports.append(wire.Heard(self.port))
        peer = self if self.echoes else self.peer
        if peer is not None and peer.player is None:
            assert isinstance(peer, PythonStream)
            peer.relay(header, length, peer_number, now)

    def relay(self, header: rtp.Header, length: int, payload_type: int, now: float) -> None:
        """Send on the packet that the peer has just received, unless nothing is sent to the leg."""
        if self.destination is None:
            return
        self.outgoing.relay(self._buffer, header, length, payload_type, self.clock_rate, now)
        self._send(self._plane.view[:length])

    def _send(self, packet: bytes | memoryview) -> None:
        assert self.destination is not None
        try:
            self.send_to(packet, self.destination)
        except OSError:
            return  # a full buffer or an address without a route: RTP loses packets

    def _accept(self, source: Address, length: int, now: float) -> bool:
        """Say whether a datagram from another address than the leg's is the leg's, and latch it."""
        if now > self.latch_until and (self.source is not None or source != self.destination):
            # Also when the window closed unused: then the leg is where its SDP says, or nowhere.
            self.third_party += 1
            return False
        if not is_rtp(self._buffer, length) or self._buffer[1] & 0x7F not in self.payload_types:
            self.invalid += 1
            return False
        self.latch_until = -1.0
        self.source = source
        if self.destination is not None and self.destination != source:
            # A NAT gives RTCP a port of its own that we can't know: the one beside is a guess.
            self.destination, self.rtcp_destination = source, _beside(source)
        return True

    def _hear_event(self, header: rtp.Header, length: int) -> None:
        start, end = rtp.payload_bounds(self._buffer, length)
        payload = bytes(self._buffer[start:end])
        digit = self.detector.receive(payload, header[3], marker=header[1] >= 0x80)
        if digit:
            self._reports.append(wire.Digit(self.port, digit))

    def receive_rtcp(self, _now: float) -> None:
        """Throw a leg's reports away: it gets ours, and ours count for it."""
        try:
            self.rtcp_socket.recv_into(self._buffer)
        except OSError:
            return

    def echo(self, on: bool) -> None:
        """See Stream."""
        self.echoes = on

    def speak(self, frame: Frame, payload_type: int, now: float) -> None:
        """See Stream."""
        if self.destination is None:
            return
        if packet := self.outgoing.speak(frame, payload_type, now, self.clock_rate):
            self._send(packet)

    def each_second(self, now: float, silence_seconds: float, *, report: bool) -> None:
        """See Stream."""
        if self.watched_since >= 0 and not self.silence_told:
            silent = now - max(self.heard_at, self.watched_since)
            if silent >= silence_seconds:
                self.silence_told = True
                self._reports.append(wire.Silent(self.port, round(silent, 1)))
        if report and self.rtcp_destination is not None:
            packet = rtcp.report(self.outgoing, self.incoming, self.range.cname, now)
            with suppress(OSError):
                self.report_to(packet, self.rtcp_destination)
        self._record(now)

    def _record(self, now: float) -> None:
        """Write down where the stream is, unless nothing has moved."""
        moved = self.incoming.packets + self.outgoing.packets
        if moved == self.recorded or self._inheritance is None:
            return
        self.recorded = moved
        heard = self.source or ("", 0)
        self._inheritance.write(
            self.port, StreamRecord(heard[0], heard[1], self.outgoing.state(now), self.incoming.state())
        )

    def counts(self, now: float) -> wire.StreamCounts:
        """See Stream."""
        source, incoming = self.source or self.destination or ("", 0), self.incoming
        return wire.StreamCounts(
            self.port,
            source[0],
            source[1],
            incoming.packets,
            incoming.octets,
            self.outgoing.packets,
            incoming.lost,
            round(incoming.jitter_ticks * 1000 / self.clock_rate, 3),
            round(now - self.heard_at, 3) if self.heard_at >= 0 else -1.0,
            self.third_party,
            self.invalid,
            self.limited,
        )


def is_rtp(buffer: bytearray, length: int) -> bool:
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
