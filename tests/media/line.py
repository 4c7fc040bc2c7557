"""A leg on one stream of a relay whose time is a value: what it says is given, what it hears is kept."""

import socket
from typing import Any

from media import rtp
from media.engines import native, wire
from media.engines.native import NativePlane, NativeStream
from media.engines.relay import PlaneName, Relay
from media.engines.stream import Address, PythonStream
from media.sdes import Security
from media.srtp import Receiver, Sender

LEG: Address = ("127.0.0.1", 9000)
# The C plane is tested wherever it was compiled; tests/media/test_native.py says where it must be.
PLANES: list[PlaneName] = ["python", "native"] if native.is_built() else ["python"]


class Line:
    """One leg, over the lives of the processes that it meets.

    sent, destinations: what it was sent, and where; reports: RTCP, and where. Of a leg with keys these are
    decrypted by it; raw: its packets as they were sent.
    """

    def __init__(
        self, sequence: int = 100, timestamp: int = 16000, ssrc: int = 7, security: Security | None = None
    ) -> None:
        self.sequence, self.timestamp, self.ssrc = sequence, timestamp, ssrc
        self.keys = (Sender(security.theirs), Receiver(security.ours)) if security is not None else None
        self.raw: list[bytes] = []
        self.sent: list[rtp.Packet] = []
        self.destinations: list[Address] = []
        self.reports: list[tuple[bytes, Address]] = []
        self._next: tuple[bytes, Address] = (b"", LEG)

    def at(self, media: Relay, number: int) -> "Line":
        """Take the place of a stream's sockets."""
        self.media, self.stream = media, media._stream(number)
        if isinstance(self.stream, PythonStream):
            self.stream.receive_into, self.stream.send_to = self._receive_into, self._send_to
            self.stream.report_to = self._report_to
        else:
            assert isinstance(self.stream, NativeStream)
            self.stream.transmit = self._transmit
            _lines[number] = self
        return self

    def say(self, now: float, packets: int = 1, source: Address = LEG, payload_type: int = 8) -> None:
        """Send packets 20 ms apart."""
        for _ in range(packets):
            sequence, timestamp = self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF
            packet = rtp.Packet(payload_type, sequence, timestamp, self.ssrc, bytes(160))
            self.sequence, self.timestamp = self.sequence + 1, self.timestamp + 160
            datagram = rtp.build(packet)
            self.give(self.keys[0].protect(datagram) if self.keys else datagram, source, now)
            now += 0.02

    def give(self, datagram: bytes, source: Address, now: float) -> None:
        """Send one datagram."""
        if isinstance(self.stream, PythonStream):
            self._next = datagram, source
            self.stream.receive(now)
            return
        assert isinstance(self.stream, NativeStream)
        packet = native.ffi.new("plane_packet *")
        place = native._plain(source[0], source[1])
        heard = native.lib.plane_receive(
            self.stream.made,
            datagram,
            len(datagram),
            native.ffi.new("plane_address *", place),
            now,
            0,
            packet,
        )
        if heard >= 0:
            _lines[heard]._transmit(packet, 0)
        take_turn(self.media, now)

    def counts(self, now: float = 0.0) -> wire.StreamCounts:
        return self.stream.counts(now)

    def raw_and_places(self) -> list[tuple[bytes, Address]]:
        """Return what the leg was sent, undecrypted, and where."""
        return list(zip(self.raw, self.destinations, strict=True))

    def our_ssrc(self) -> int:
        """Return the SSRC that the leg hears, or will hear, from us."""
        if isinstance(self.stream, PythonStream):
            return self.stream.outgoing.ssrc
        self.stream.each_second(0.0, 1e9, report=True)
        return int.from_bytes(self.reports[-1][0][4:8])

    def _receive_into(self, buffer: bytearray) -> tuple[int, Address]:
        data, source = self._next
        length = min(len(data), len(buffer))
        buffer[:length] = data[:length]
        return length, source

    def _send_to(self, data: bytes | memoryview, destination: Address) -> int:
        if data[1] & 0x7F in rtp.RTCP_PAYLOAD_TYPES:
            return self._report_to(bytes(data), destination)
        self.raw.append(bytes(data))
        clear = self.keys[1].unprotect(bytes(data)) if self.keys else data
        self.sent.append(rtp.parse(clear))
        self.destinations.append(destination)
        return len(data)

    def _report_to(self, data: bytes, destination: Address) -> int:
        clear = self.keys[1].unprotect_rtcp(data) if self.keys else data
        self.reports.append((clear, destination))
        return len(data)

    def _transmit(self, packet: Any, rtcp: int) -> None:
        data = bytes(native.ffi.buffer(packet.data)[: packet.length])
        host = bytes(native.ffi.buffer(packet.to.host))[:4]
        to = (socket.inet_ntop(socket.AF_INET, host), packet.to.port)
        if rtcp:
            self._report_to(data, to)
        else:
            self._send_to(data, to)


def take_turn(media: Relay, now: float) -> None:
    """Let the loop take what threads have left for it; in Python there is none."""
    if isinstance(media._plane, NativePlane):
        media._plane._told(now)


_lines: dict[int, Line] = {}  # by the number of the stream of C that each has taken last
