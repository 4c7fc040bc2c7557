"""RTP (RFC 3550 section 5): the header, what a receiver counts, and one continuous outgoing stream.

`Outgoing` is what a leg hears from us: one SSRC for the life of the leg, whoever speaks behind it. When
the speaker changes (another phone, a prompt, music), its sequence numbers and timestamps are shifted so
that ours go on, and a jitter buffer at the other end sees one stream with a talk spurt.

`Incoming` counts one leg's packets as RFC 3550 appendix A says.
"""

import struct
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import msgspec

HEADER_BYTES: Final = 12
# Second byte of an RTCP packet, 200 to 204, seen as marker and payload type (RFC 5761 section 4).
RTCP_PAYLOAD_TYPES: Final = range(64, 96)

BY_THE_CLOCK: Final = 0xFFFFFFFF  # of a frame: what it follows in time isn't known to who speaks

RESUME_PACKETS: Final = 256  # more than are sent between two records of a stream
RESUME_SECONDS: Final = 0.1  # what a sender's clock may be before ours
_ANOTHER_PROCESS: Final = -2

_HEADER: Final = struct.Struct(">BBHII")
# First byte, marker and payload type, sequence, timestamp, SSRC.
Header: TypeAlias = tuple[int, int, int, int, int]
read_header: Callable[[bytearray], Header] = _HEADER.unpack_from


class RtpError(ValueError):
    """A datagram that is not an RTP packet."""


class Packet(msgspec.Struct, frozen=True):
    """One RTP packet. timestamp: ticks of the payload's clock; payload: without padding."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False


class Frame(msgspec.Struct, frozen=True):
    """One packet of our own to send. advance_ticks: its timestamp after that of the packet before.

    BY_THE_CLOCK: by the time that has passed since then, as after another source. An empty payload is a
    pause of that length: nothing is sent.
    """

    payload: bytes
    marker: bool
    advance_ticks: int


def parse(datagram: bytes | bytearray | memoryview) -> Packet:
    """Read one RTP packet; CSRCs and a header extension are skipped, padding is cut.

    Raises RtpError for a wrong version, for RTCP and for lengths that don't fit (RFC 3550 appendix A.1).
    """
    if len(datagram) < HEADER_BYTES:
        raise RtpError("shorter than a header")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(datagram)
    if first & 0xC0 != 0x80:
        raise RtpError("not version 2")
    if second & 0x7F in RTCP_PAYLOAD_TYPES:
        raise RtpError("RTCP on the RTP port")
    start, end = payload_bounds(datagram, len(datagram))
    return Packet(second & 0x7F, sequence, timestamp, ssrc, bytes(datagram[start:end]), second >= 0x80)


def payload_bounds(datagram: bytes | bytearray | memoryview, length: int) -> tuple[int, int]:
    """Return where the payload starts and ends in the first `length` bytes.

    Raises RtpError when CSRCs, extension or padding are longer than the packet.
    """
    first = datagram[0]
    start, end = HEADER_BYTES + 4 * (first & 0x0F), length
    if first & 0x10:
        if start + 4 > length:
            raise RtpError("header extension beyond the end")
        start += 4 + 4 * int.from_bytes(datagram[start + 2 : start + 4])
    if first & 0x20:
        if not datagram[length - 1]:
            raise RtpError("padding of length zero")
        end -= datagram[length - 1]
    if start > end:
        raise RtpError("header or padding beyond the end")
    return start, end


def build(packet: Packet) -> bytes:
    """Return the packet as a datagram."""
    second = packet.payload_type | (0x80 if packet.marker else 0)
    return _HEADER.pack(0x80, second, packet.sequence, packet.timestamp, packet.ssrc) + packet.payload


class OutgoingState(msgspec.Struct, frozen=True, array_like=True):
    """Where an `Outgoing` is, as plain values. saved_at: monotonic seconds."""

    ssrc: int
    sequence: int
    timestamp: int
    source: int
    sequence_shift: int
    timestamp_shift: int
    sent_at: float
    saved_at: float
    packets: int
    octets: int


class IncomingState(msgspec.Struct, frozen=True, array_like=True):
    """What an `Incoming` has counted, as plain values."""

    packets: int
    octets: int
    lost: int


class Extent(NamedTuple):
    """How much of one source there should be, and how much has come (RFC 3550 appendix A.3)."""

    ssrc: int = -1
    expected: int = 0
    received: int = 0

    def fraction_lost(self, before: "Extent") -> int:
        """Return what was lost since `before`, of 256; 0 where nothing was, or more came than was missed."""
        since = before if before.ssrc == self.ssrc else Extent()
        expected = self.expected - since.expected
        lost = expected - (self.received - since.received)
        return min(lost * 256 // expected, 255) if expected > 0 and lost > 0 else 0


class Outgoing:
    """The one stream that a leg receives from us.

    ssrc, first_sequence, first_timestamp: chosen at random by the caller (RFC 3550 section 5.1).
    """

    __slots__ = (
        "octets",
        "packets",
        "sent_at",
        "sequence",
        "sequence_shift",
        "source",
        "ssrc",
        "timestamp",
        "timestamp_shift",
    )

    def __init__(self, ssrc: int, first_sequence: int = 0, first_timestamp: int = 0) -> None:
        self.ssrc = ssrc
        self.sequence = first_sequence  # of the newest packet sent
        self.timestamp = first_timestamp
        self.source = -1  # SSRC of who speaks through us now, -1: we do, -2: a process before us did
        self.sequence_shift = 0
        self.timestamp_shift = 0
        self.sent_at = -1.0
        self.packets = 0
        self.octets = 0

    def state(self, now: float) -> OutgoingState:
        """Return where the stream is. now: monotonic seconds."""
        return OutgoingState(
            self.ssrc, self.sequence, self.timestamp, self.source, self.sequence_shift, self.timestamp_shift,
            self.sent_at, now, self.packets, self.octets,
        )  # fmt: skip

    def resume(self, state: OutgoingState) -> None:
        """Go on where a process that died had the stream, at most RESUME_PACKETS after `state` was made.

        A source that spoke then goes on by its own numbers, as if nothing had been. For any other one the
        stream goes on behind everything that may have been sent since. RFC 3550 section 5.1: numbers and
        timestamps grow; appendix A.1: a receiver takes a gap of fewer than 3,000 numbers for loss.
        """
        self.ssrc = state.ssrc
        self.sequence = (state.sequence + RESUME_PACKETS) & 0xFFFF
        self.timestamp = state.timestamp
        self.sent_at = (state.sent_at if state.sent_at >= 0 else state.saved_at) - RESUME_SECONDS
        self.source = state.source if state.source >= 0 else _ANOTHER_PROCESS
        self.sequence_shift, self.timestamp_shift = state.sequence_shift, state.timestamp_shift
        self.packets, self.octets = state.packets, state.octets

    def leap(self, index: int) -> None:
        """Go on behind this number, whoever spoke before. index: with its rollover counter (RFC 3711)."""
        self.sequence = index & 0xFFFF
        self.source = _ANOTHER_PROCESS

    def relay(
        self, buffer: bytearray, header: Header, length: int, payload_type: int, clock_rate: int, now: float
    ) -> None:
        """Rewrite the packet in buffer[:length] in place, as the next of this stream.

        header: what `read_header` says of it. Marker, padding, CSRCs, extension and payload stay.
        now: monotonic seconds.
        """
        first, second, sequence, timestamp, ssrc = header
        marker = second & 0x80
        if ssrc != self.source:
            self._take_over(ssrc, sequence, timestamp, clock_rate, now)
            marker = 0x80
        sequence = (sequence + self.sequence_shift) & 0xFFFF
        timestamp = (timestamp + self.timestamp_shift) & 0xFFFFFFFF
        if (sequence - self.sequence) & 0xFFFF < 0x8000:
            self.sequence = sequence
            self.timestamp = timestamp
            self.sent_at = now
        self.packets += 1
        self.octets += length - HEADER_BYTES
        _HEADER.pack_into(buffer, 0, first, marker | payload_type, sequence, timestamp, self.ssrc)

    def _take_over(self, ssrc: int, sequence: int, timestamp: int, clock_rate: int, now: float) -> None:
        """Let another source continue this stream, a gap in time becoming a gap in timestamps."""
        self.sequence_shift = self.sequence + 1 - sequence
        self.timestamp_shift = self.timestamp + self._gap(clock_rate, now) - timestamp
        self.source = ssrc

    def _gap(self, clock_rate: int, now: float) -> int:
        """Return the ticks since the newest packet, at least one packet of 20 ms."""
        if self.sent_at < 0:
            return 0
        return max(clock_rate // 50, int((now - self.sent_at) * clock_rate))

    def speak(self, frame: Frame, payload_type: int, now: float, clock_rate: int = 8000) -> bytes:
        """Return the next packet with a payload of our own, b"" for a pause.

        The first one after another source starts a talk spurt: marked, and later by the time passed.
        """
        if not frame.payload:
            self.timestamp = (self.timestamp + frame.advance_ticks) & 0xFFFFFFFF
            return b""
        marker, advance_ticks = frame.marker, frame.advance_ticks
        if self.source != -1 or self.sent_at < 0 or advance_ticks == BY_THE_CLOCK:
            self.source = -1
            marker, advance_ticks = True, self._gap(clock_rate, now)
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + advance_ticks) & 0xFFFFFFFF
        self.sent_at = now
        self.packets += 1
        self.octets += len(frame.payload)
        second = payload_type | 0x80 if marker else payload_type
        return _HEADER.pack(0x80, second, self.sequence, self.timestamp, self.ssrc) + frame.payload


class Incoming:
    """What was received from one leg (RFC 3550 section 6.4.1 and appendix A).

    jitter_ticks: interarrival jitter of appendix A.8, in ticks of the payload's clock.
    """

    __slots__ = (
        "_base",
        "_cycles",
        "_highest",
        "_lost_before",
        "_received",
        "_transit",
        "jitter_ticks",
        "octets",
        "packets",
        "ssrc",
    )

    def __init__(self) -> None:
        self.ssrc = -1
        self.packets = 0
        self.octets = 0
        self.jitter_ticks = 0.0
        self._base = self._highest = self._cycles = self._received = self._lost_before = 0
        self._transit = 0

    def count(self, header: Header, length: int, arrival_ticks: int) -> None:
        """Count one packet of `length` bytes that arrived at arrival_ticks of the payload's clock."""
        _, _, sequence, timestamp, ssrc = header
        self.packets += 1
        self.octets += length - HEADER_BYTES
        transit = (arrival_ticks - timestamp) & 0xFFFFFFFF
        if ssrc != self.ssrc:
            self._lost_before = self.lost
            self.ssrc = ssrc
            self._base = self._highest = sequence
            self._cycles, self._received, self._transit = 0, 1, transit
            return
        self._received += 1
        highest = self._highest
        if (sequence - highest) & 0xFFFF < 0x8000:
            if sequence < highest:
                self._cycles += 0x10000
            self._highest = sequence
        # A.8, with the difference taken modulo the clock; a jump of the sender's clock isn't jitter.
        difference = (transit - self._transit) & 0xFFFFFFFF
        self._transit = transit
        if difference >= 0x80000000:
            difference = 0x100000000 - difference
        if difference < 80_000:
            self.jitter_ticks += (difference - self.jitter_ticks) / 16

    def state(self) -> IncomingState:
        """Return what was counted."""
        return IncomingState(self.packets, self.octets, self.lost)

    def resume(self, state: IncomingState) -> None:
        """Count on from what a process before this one had counted."""
        self.packets, self.octets, self._lost_before = state.packets, state.octets, state.lost

    @property
    def extent(self) -> Extent:
        """How much of the source that is heard now there should be, and how much has come."""
        if self.ssrc < 0:
            return Extent()
        return Extent(self.ssrc, self.highest - self._base + 1, self._received)

    @property
    def highest(self) -> int:
        """Extended highest sequence number received."""
        return self._cycles + self._highest

    @property
    def lost(self) -> int:
        """Packets that were expected and didn't come, over all sources."""
        if self.ssrc < 0:
            return self._lost_before
        return self._lost_before + max(0, self.highest - self._base + 1 - self._received)
