"""One port pair of the media process: what a leg on it says, and what it hears from us.

```
    leg A ──> stream A ──(number, SSRC, sequence, timestamp rewritten)──> stream B's socket ──> leg B
                 │ counts, digits, silence                    ^
                 └ third address: counted, dropped            └ or a prompt, a tone, digits, the leg's echo
```

Whose packets count: those from the address of the leg's SDP. A leg behind NAT is latched: the first
valid packet within LATCH_SECONDS of each answer shows where it is, and there it stays until the next
answer; of a leg with keys a packet is valid when it is authentic. RTCP is regenerated, not relayed
(`media/rtcp.py`); who asks for a whole picture is heard, and the peer is asked in its own way
(`media/pictures.py`). A leg that sends more than MOST_PACKETS_A_SECOND isn't a telephone any more: the rest
of the second is dropped and counted.

Between the legs everything is in clear: a packet is decrypted when it comes, and encrypted for the leg that
it goes to. What the loop is to hear of a leg (`Hearing`) is in clear as well.

`Stream` is what the relay's loop (`engines/relay.py`) needs of a pair, and a `Plane` opens them. Here are
those that move packets in the loop itself; those of `engines/native.py` do it in threads of C.
"""

import socket
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from enum import Enum
from secrets import randbits
from typing import TYPE_CHECKING, Final, Literal, Protocol

import msgspec

from media import dtmf, loudness, pictures, rtcp, rtp
from media.engine import MOST_SLOTS, NO_TRACK
from media.engines import wire
from media.engines.inheritance import Inheritance, KeyState, NoRecord, StreamRecord
from media.engines.reel import Reel, Writer
from media.rtp import Frame, read_header
from media.sdes import Security

if TYPE_CHECKING:
    from media.engines.leg_keys import LegKeys

LATCH_SECONDS: Final = 10.0
MOST_PACKETS_A_SECOND: Final = 500  # ten times what a telephone sends
MAX_DATAGRAM_BYTES: Final = 4096
SHORTEST_REPORT_BYTES: Final = 8
RESUME_INDEXES: Final = 1024  # more than a leg may be sent between two records of its stream

Address = tuple[str, int] | tuple[str, int, int, int]
Watch = Callable[[int, Callable[[float], None]], None]  # a descriptor, and whom to call when it is readable


class Hearing(Enum):
    """What becomes of a leg's packets: relayed, relayed with a copy to the loop, or only given to it.

    LOUD: only given to it, but for packets of G.711 and comfort noise in which nothing is said.
    """

    NOTHING = 0
    COPY = 1
    TAKE = 2
    LOUD = 3


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
    reception: what the leg says of how it hears us. pictures: how it is asked for a whole picture, "" where
    it shows none; asked: how often it was.
    now, everywhere: monotonic seconds.
    """

    __slots__ = (
        "_asked_at", "_reports_from", "asked", "codec", "event_type", "payload_type", "peer", "pictures",
        "player", "port", "range", "reception", "turn",
    )  # fmt: skip

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
        self.reception = rtcp.Reception()
        self.pictures: pictures.Way | Literal[""] = ""
        self.asked = 0
        self._asked_at = self._reports_from = -1.0

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
        self.pictures = route.pictures

    @abstractmethod
    def hear(self, hearing: Hearing) -> None:
        """Give the leg's packets to the loop from here on, beside its peer or in its place, or no longer."""

    @abstractmethod
    def tape(self, slot: int, by_leg: int, to_leg: int) -> None:
        """Be on the tape, or no longer; see `MediaEngine.tape`. A leg that comes later isn't."""

    @abstractmethod
    def echo(self, on: bool) -> None:
        """Send the leg's sound back to it, or no longer."""

    def play(self, player: Player | None) -> None:
        """Let the leg hear nothing but `player`, which `speak` is called for, or its peer again."""
        self.player = player

    @abstractmethod
    def speak(self, frame: Frame, payload_type: int, now: float) -> None:
        """Send a packet of our own, unless nothing is sent to the leg."""

    def speak_with(self, others: "Sequence[Stream]", frame: Frame, payload_type: int, now: float) -> None:
        """Send the same packet of our own to this leg and to others of its plane."""
        for stream in (self, *others):
            stream.speak(frame, payload_type, now)

    @abstractmethod
    def each_second(self, now: float, silence_seconds: float, *, report: bool) -> None:
        """Say so when the leg falls silent, send it RTCP when `report`, and keep a record."""

    @abstractmethod
    def ask_for_picture(self, now: float) -> None:
        """Ask the leg for a whole picture, unless it shows none, or was asked a moment ago."""

    def pass_request(self, now: float) -> None:
        """Ask whoever this leg sees for a whole picture."""
        if self.peer is not None:
            self.peer.ask_for_picture(now)

    def _is_to_be_asked(self, now: float) -> bool:
        """Say whether the leg is asked for a picture now, and note that it was."""
        if not self.pictures or (self.asked and now < self._asked_at + pictures.AGAIN_SECONDS):
            return False
        self._asked_at = now
        self.asked += 1
        return True

    def _reads_reports(self, now: float) -> bool:
        """Say whether a report of the leg is read now: two in a second are, or more where one may ask."""
        if not self.pictures:
            return self.reception.is_due(now)
        if now < self._reports_from:
            return False
        self._reports_from = now + pictures.SPACING_SECONDS
        return True

    def _take_report(self, report: bytes, now: float) -> None:
        """Read a report, in clear, of how the leg hears us and what it asks for."""
        self.reception.take(report, now)
        if self.pictures and pictures.is_asked_for(report):
            self.pass_request(now)

    @abstractmethod
    def silent_seconds(self, now: float) -> float:
        """Return how long nothing has come from the leg, -1.0 when it was never heard."""

    @abstractmethod
    def counts(self, now: float) -> wire.StreamCounts:
        """Return what the stream has done so far."""


# A stream of which the loop is to hear, a packet as its leg sent it, in clear, and when it came.
Heard = Callable[[Stream, bytes, float], None]


class Plane(Protocol):
    """What opens streams, and moves their packets.

    tapes: what Python puts on the tape with, None where C does so itself, or nothing is recorded.
    """

    tapes: Writer | None

    def open(self, number: int, ports: Range, pair: tuple[socket.socket, socket.socket]) -> Stream:
        """Return the stream of two bound sockets, which are the plane's from here on. Raises OSError."""
        ...

    def tape(self, reel: Reel) -> None:
        """Put the packets of legs that are recorded on this tape, too. Raises OSError."""
        ...

    def start(self) -> None:
        """Let packets move. Raises OSError."""
        ...

    def close(self) -> None:
        """Close all sockets."""
        ...


class PythonPlane:
    """Streams whose packets move when `watch` says that their sockets are readable.

    reports: where events are added; inheritance: where streams keep their records; heard: called with the
    packets of a leg that the loop is to `hear`.
    """

    def __init__(
        self, watch: Watch, reports: list[wire.Report], inheritance: Inheritance | None, heard: Heard
    ) -> None:
        self.heard = heard
        self.reports = reports
        self.inheritance = inheritance
        self.buffer = bytearray(MAX_DATAGRAM_BYTES)
        self.view = memoryview(self.buffer)
        self.tapes: Writer | None = None
        self._watch = watch
        self._sockets: list[socket.socket] = []

    def open(self, number: int, ports: Range, pair: tuple[socket.socket, socket.socket]) -> "PythonStream":
        """See Plane."""
        self._sockets += pair
        stream = PythonStream(self, number, ports, *pair)
        for descriptor, readable in zip(pair, (stream.receive, stream.receive_rtcp), strict=True):
            self._watch(descriptor.fileno(), readable)
        return stream

    def tape(self, reel: Reel) -> None:
        """See Plane."""
        self.tapes = Writer(reel)

    def start(self) -> None:
        """See Plane: the loop does all."""

    def close(self) -> None:
        """See Plane."""
        for each in self._sockets:
            each.close()


class PythonStream(Stream):
    """A stream whose packets move in the loop."""

    __slots__ = (
        "_buffer", "_inheritance", "_left", "_plane", "_reports", "budget", "clock_rate", "datagrams",
        "destination", "detector", "echoes", "event_types", "heard_at", "hearing", "incoming", "invalid",
        "kept_keys", "keys", "latch_until", "limited", "mux", "outgoing", "payload_types", "receive_into",
        "recorded", "recorded_source", "recorded_turn", "report_to", "reported", "rtcp_destination",
        "rtcp_socket", "second_ends", "send_to", "silence_told", "source", "taped", "third_party",
        "watched_since",
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
        self.hearing = Hearing.NOTHING
        self.taped: tuple[tuple[int, int, int], ...] = ()  # slot, track of what it says, of what it is told
        self.datagrams = False
        self.mux = False
        self.keys: LegKeys | None = None  # None: the leg speaks in clear
        self.kept_keys: LegKeys | None = None  # also while it does
        self._left: KeyState | None = None
        self.recorded_source = -1
        self.recorded_turn = (-1, 0)  # SSRC and half of the numbers heard when its record was written
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
        self.reported = rtp.Extent()  # of what comes in, when the leg was told last
        chance = randbits(80)  # asked once: each time is a system call
        # RFC 3711 section 3.3.1: a receiver that misses the first packets must not miss a rollover.
        self.outgoing = rtp.Outgoing(chance & 0xFFFFFFFF, chance >> 32 & 0x7FFF, chance >> 48)
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
        self._left = record.keys
        if record.host:
            self.source = self.range.sockaddr(record.host, record.port)

    def route(self, route: wire.Route, peer: Stream | None, now: float) -> None:
        """See Stream."""
        super().route(route, peer, now)
        self._place(route, now)
        self.payload_types = route.payload_types
        self.event_types = route.event_types
        self.clock_rate = route.clock_rate
        self.mux, self.datagrams = route.mux, route.kind == "datagrams"
        if self.mux:
            # RFC 5761 section 4: these numbers are RTCP's then.
            self.rtcp_destination = self.destination
            self.payload_types = {
                number: known
                for number, known in route.payload_types.items()
                if number not in rtp.RTCP_PAYLOAD_TYPES
            }
        self._secure(route.security)
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

    def _secure(self, security: Security | None) -> None:
        """Let the leg's keys be in force."""
        if security is None:
            self.keys = None
            return
        from media.engines.leg_keys import LegKeys  # libsrtp is for those who need it

        left, self._left = self._left, None
        if left is not None:
            # What was sent since the record was written is not known: no index may be used again.
            left = msgspec.structs.replace(left, sent=left.sent + RESUME_INDEXES)
            self.outgoing.leap(left.sent)
        if self.kept_keys is None:
            self.kept_keys = LegKeys(self.outgoing.ssrc, security, left)
        else:
            self.kept_keys.use(security, left)
        self.keys = self.kept_keys

    def receive(self, now: float) -> None:
        """Take one datagram: a flood on one port delays no other, and what is left is reported again."""
        buffer = self._buffer
        try:
            length, source = self.receive_into(buffer)
        except OSError:
            return
        if source != self.source and self._is_third_party(source, now):
            self.third_party += 1
            return
        if self.datagrams:
            self._receive_datagram(length, source, now)
            return
        header = read_header(buffer)
        number = header[1] & 0x7F
        peer_number = self.payload_types.get(number)
        if self.keys is not None and peer_number is not None:
            length = self._decrypt(self.keys, length)
        if peer_number is None or not is_rtp(buffer, length):
            # RFC 5761 section 4: these numbers are of reports.
            if not (self.mux and number in rtp.RTCP_PAYLOAD_TYPES and is_report(buffer, length)):
                self.invalid += 1
            elif source == self.source:
                self._hear_report(length, now)
            return
        if source != self.source:
            self._latch(source)
        if not self._is_within_rate(now):
            return
        self.incoming.count(header, length, int(now * self.clock_rate))
        if self.keys is not None and (header[4], header[2] & 0x8000) != self.recorded_turn:
            # RFC 3711 section 3.3.1: who resumes must not be half a turn of the numbers behind.
            self.recorded_turn = header[4], header[2] & 0x8000
            self._record(now)
        if number in self.event_types:
            self._hear_event(header, length)
        if self.taped:
            self._tape(bytes(self._plane.view[:length]), now, by_leg=True)
        if self._is_for_peer(length, now) and peer_number != wire.NOT_RELAYED:
            peer = self if self.echoes else self.peer
            if peer is not None and peer.player is None:
                assert isinstance(peer, PythonStream)
                peer.relay(header, length, peer_number, now)

    def _receive_datagram(self, length: int, source: Address, now: float) -> None:
        """Pass on what isn't RTP as it is."""
        if not 0 < length < MAX_DATAGRAM_BYTES:
            self.invalid += 1
            return
        if source != self.source:
            self._latch(source)
        if not self._is_within_rate(now):
            return
        self.incoming.packets += 1
        self.incoming.octets += length
        peer = self if self.echoes else self.peer
        if self._is_for_peer(length, now) and isinstance(peer, PythonStream) and peer.datagrams:
            peer.pass_on(length)

    def _is_within_rate(self, now: float) -> bool:
        """Say whether the leg may send one more packet in this second, and note that it was heard."""
        if now >= self.second_ends:
            self.second_ends, self.budget = now + 1.0, MOST_PACKETS_A_SECOND
        if not self.budget:
            self.limited += 1
            return False
        self.budget -= 1
        self.heard_at = now
        return True

    def _is_for_peer(self, length: int, now: float) -> bool:
        """Say whether the packet is to be relayed, and let the loop hear it."""
        if self.silence_told:
            self.silence_told = False
            self._reports.append(wire.Heard(self.port))
        if self.hearing is Hearing.NOTHING:
            return True
        if self.hearing is not Hearing.LOUD or not self._is_quiet(length):
            self._plane.heard(self, bytes(self._plane.view[:length]), now)
        return self.hearing is Hearing.COPY

    def _is_quiet(self, length: int) -> bool:
        """Say whether the packet says nothing that the loop would have to hear."""
        if not is_rtp(self._buffer, length):
            return False
        start, end = rtp.payload_bounds(self._buffer, length)
        return loudness.is_quiet(self._buffer[1] & 0x7F, self._plane.view[start:end])

    def relay(self, header: rtp.Header, length: int, payload_type: int, now: float) -> None:
        """Send on the packet that the peer has just received, unless nothing is sent to the leg."""
        if self.destination is None or self.datagrams:
            return
        self.outgoing.relay(self._buffer, header, length, payload_type, self.clock_rate, now)
        self._send(self._plane.view[:length], now)

    def pass_on(self, length: int) -> None:
        """Send on the datagram that the peer has just received, unless nothing is sent to the leg."""
        if self.destination is None or self.player is not None:
            return
        self.outgoing.packets += 1
        self.outgoing.octets += length
        with suppress(OSError):
            self.send_to(self._plane.view[:length], self.destination)

    def _send(self, packet: bytes | memoryview, now: float) -> None:
        assert self.destination is not None
        if self.keys is not None:
            if self.recorded_source != self.outgoing.source:
                self._record(now)  # who speaks after a death must know whose numbers were used
            packet = self.keys.protect(bytes(packet))
            if not packet:
                return
        try:
            self.send_to(packet, self.destination)
        except OSError:
            return  # a full buffer or an address without a route: RTP loses packets

    def _decrypt(self, keys: "LegKeys", length: int) -> int:
        """Decrypt buffer[:length] in place and return the new length, 0 when it isn't the leg's."""
        clear = keys.unprotect(bytes(self._plane.view[:length]))
        self._buffer[: len(clear)] = clear
        return len(clear)

    def _is_third_party(self, source: Address, now: float) -> bool:
        """Say whether a datagram from another address than the leg's can't be the leg's."""
        # Also when the window closed unused: then the leg is where its SDP says, or nowhere.
        return now > self.latch_until and (self.source is not None or source != self.destination)

    def _latch(self, source: Address) -> None:
        """Remember where the leg is."""
        self.latch_until = -1.0
        self.source = source
        if self.destination is not None and self.destination != source:
            # A NAT gives RTCP a port of its own that we can't know: the one beside is a guess.
            self.destination = source
            self.rtcp_destination = source if self.mux else _beside(source)

    def _hear_event(self, header: rtp.Header, length: int) -> None:
        start, end = rtp.payload_bounds(self._buffer, length)
        payload = bytes(self._buffer[start:end])
        digit = self.detector.receive(payload, header[3], marker=header[1] >= 0x80)
        if digit:
            self._reports.append(wire.Digit(self.port, digit))

    def receive_rtcp(self, now: float) -> None:
        """Take what a leg reports of our stream; it goes no further (RFC 3550 section 6.4)."""
        try:
            length, source = self.rtcp_socket.recvfrom_into(self._buffer)
        except OSError:
            return
        # Behind a NAT its RTCP may come from any port.
        if self.source is not None and source[0] == self.source[0] and length >= SHORTEST_REPORT_BYTES:
            self._hear_report(length, now)

    def _hear_report(self, length: int, now: float) -> None:
        """Read what a leg reports, unless it has just done so; of a leg with keys only what is its own."""
        if self.datagrams or not self._reads_reports(now):
            return
        report = bytes(self._plane.view[:length])
        if self.keys is not None:
            report = self.keys.unprotect_report(report)
        if report:
            self._take_report(report, now)

    def hear(self, hearing: Hearing) -> None:
        """See Stream."""
        self.hearing = hearing

    def tape(self, slot: int, by_leg: int, to_leg: int) -> None:
        """See Stream."""
        if self._plane.tapes is None:
            return
        if by_leg == to_leg == NO_TRACK:
            self.taped = tuple(kept for kept in self.taped if slot not in (kept[0], 0))
            return
        others = tuple(kept for kept in self.taped if kept[0] != slot)
        if len(others) < MOST_SLOTS:
            self.taped = (*others, (slot, by_leg, to_leg))

    def _tape(self, packet: bytes, now: float, *, by_leg: bool) -> None:
        """Put a packet by the leg, or to it, on the tape, once for each of its recordings."""
        assert self._plane.tapes is not None
        for slot, by, to in self.taped:
            track = by if by_leg else to
            if track != NO_TRACK:
                self._plane.tapes.put(slot, track, packet, now)

    def echo(self, on: bool) -> None:
        """See Stream."""
        self.echoes = on

    def speak(self, frame: Frame, payload_type: int, now: float) -> None:
        """See Stream."""
        if self.destination is None or self.datagrams:
            return
        if packet := self.outgoing.speak(frame, payload_type, now, self.clock_rate):
            # What is converted for the leg is its peer's, and on the peer's track as it was received.
            if self.taped and self.player is not None:
                self._tape(packet, now, by_leg=False)
            self._send(packet, now)

    def each_second(self, now: float, silence_seconds: float, *, report: bool) -> None:
        """See Stream."""
        if self.watched_since >= 0 and not self.silence_told:
            silent = now - max(self.heard_at, self.watched_since)
            if silent >= silence_seconds:
                self.silence_told = True
                self._reports.append(wire.Silent(self.port, round(silent, 1)))
        if report and self.rtcp_destination is not None and not self.datagrams:
            self._report(self.rtcp_destination, now)
        self._record(now)

    def ask_for_picture(self, now: float) -> None:
        """See Stream."""
        if not self._is_to_be_asked(now):
            return
        if self.pictures == "info":
            self._reports.append(wire.PictureWanted(self.port))
        elif self.pictures and self.rtcp_destination is not None and self.incoming.ssrc >= 0:
            asking = pictures.request(self.pictures, self.outgoing.ssrc, self.incoming.ssrc, self.asked)
            self._report(self.rtcp_destination, now, asking)

    def _report(self, to: Address, now: float, further: bytes = b"") -> None:
        """Send a report, and what goes behind it in the same compound."""
        incoming, before, heard = self.incoming, self.reported, self.reception.sender
        packet = rtcp.report(self.outgoing, incoming, before, heard, self.range.cname, now) + further
        self.reported = incoming.extent
        if self.keys is not None:
            packet = self.keys.protect_report(packet)
        with suppress(OSError):
            (self.send_to if self.mux else self.report_to)(packet, to)

    def _record(self, now: float) -> None:
        """Write down where the stream is, unless nothing has moved."""
        moved = self.incoming.packets + self.outgoing.packets
        if moved == self.recorded or self._inheritance is None:
            return
        self.recorded, self.recorded_source = moved, self.outgoing.source
        heard = self.source or ("", 0)
        record = StreamRecord(heard[0], heard[1], self.outgoing.state(now), self.incoming.state())
        if self.keys is not None:
            record.keys = self.keys.state(self.outgoing.sequence, self.incoming.ssrc)
        self._inheritance.write(self.port, record)

    def silent_seconds(self, now: float) -> float:
        """See Stream."""
        return now - self.heard_at if self.heard_at >= 0 else -1.0

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
            self.reception.round_trip_ms,
            self.reception.lost,
            round(self.reception.jitter_ticks * 1000 / self.clock_rate, 3),
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


def is_report(buffer: bytearray, length: int) -> bool:
    """Say whether buffer[:length] may be RTCP, by its version and length (RFC 3550 section 6.1)."""
    return length >= SHORTEST_REPORT_BYTES and buffer[0] & 0xC0 == 0x80


def _beside(address: Address) -> Address:
    """Return the address one port above, the same one when there is none."""
    port = min(address[1] + 1, 65535)
    return (address[0], port, *address[2:]) if len(address) == 4 else (address[0], port)
