"""A phone that is only ears and mouth: RTP and RTCP sockets on loopback, and the SDP that says so."""

import asyncio
import math
import socket
from array import array
from contextlib import suppress

from media import codecs, rtp, sdp
from media.codecs import Pcm

FRAME = 160
SECONDS = 10.0  # how long a phone listens before it says that nothing came


class Phone:
    """One phone. frequency_hz: of the tone that it speaks with."""

    def __init__(self, frequency_hz: int = 1000, host: str = "127.0.0.1") -> None:
        self.host = host
        self.frequency_hz = frequency_hz
        self.rtp, self.rtcp = _pair(host)
        self.port = self.rtp.getsockname()[1]
        self.sequence = 100
        self.timestamp = 5000
        self.ssrc = 0x1000 + self.port

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()

    def sdp(
        self,
        formats: str = "8 0 101",
        direction: str = "sendrecv",
        *,
        host: str = "",
        port: int = 0,
        version: int = 1,
        extra: tuple[str, ...] = (),
        rtpmaps: tuple[str, ...] = ("8 PCMA/8000", "0 PCMU/8000", "101 telephone-event/8000"),
    ) -> bytes:
        """Return what this phone offers or answers."""
        family = "IP6" if ":" in self.host else "IP4"
        address = f"IN {family} {host or self.host}"
        listed = formats.split()
        lines = [
            "v=0",
            f"o=phone {self.port} {version} IN {family} {self.host}",
            "s=-",
            f"c={address}",
            "t=0 0",
            f"m=audio {port or self.port} RTP/AVP {formats}",
            *(f"a=rtpmap:{text}" for text in rtpmaps if text.split()[0] in listed),
            *(f"a={text}" for text in extra),
            f"a={direction}",
            "",
        ]
        return "\r\n".join(lines).encode()

    def tone(self, frames: int, law: codecs.Law = "PCMA") -> list[bytes]:
        """Return this phone's own tone as payloads of 20 ms."""
        turn = 2 * math.pi * self.frequency_hz / codecs.SAMPLE_RATE
        pcm = array("h", [round(8000 * math.sin(turn * n)) for n in range(frames * FRAME)])
        encoded = codecs.encode(law, pcm)
        return [encoded[start : start + FRAME] for start in range(0, len(encoded), FRAME)]

    def send(
        self,
        to: tuple[str, int],
        payload: bytes = b"\xd5" * FRAME,
        payload_type: int = 8,
        *,
        marker: bool = False,
    ) -> None:
        """Send the next packet of this phone's stream."""
        packet = rtp.Packet(payload_type, self.sequence, self.timestamp, self.ssrc, payload, marker)
        self.rtp.sendto(rtp.build(packet), to)
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + FRAME) & 0xFFFFFFFF

    async def hear(self, count: int = 1) -> list[rtp.Packet]:
        """Return the next `count` packets. Raises TimeoutError when they don't come."""
        return [rtp.parse(data) for data, _ in await self.receive(count)]

    async def receive(self, count: int = 1) -> list[tuple[bytes, tuple[str, int]]]:
        """Return the next `count` datagrams and where they came from. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(SECONDS):
            return [await loop.sock_recvfrom(self.rtp, 4096) for _ in range(count)]

    async def receive_rtcp(self) -> bytes:
        """Return the next RTCP datagram. Raises TimeoutError."""
        async with asyncio.timeout(45):
            return await asyncio.get_running_loop().sock_recv(self.rtcp, 4096)

    def arrived(self) -> list[rtp.Packet]:
        """Return the packets that have come so far."""
        found: list[rtp.Packet] = []
        with suppress(BlockingIOError):
            while True:
                found.append(rtp.parse(self.rtp.recv(4096)))
        return found

    def heard_nothing(self) -> bool:
        """True when no datagram is waiting."""
        try:
            self.rtp.recv(4096)
        except BlockingIOError:
            return True
        return False


def target(body: bytes) -> tuple[str, int]:
    """Return where an SDP says to send audio to."""
    media = next(media for media in sdp.parse(body).media if media.kind == "audio")
    return media.host, media.port


def sound(packets: list[rtp.Packet], law: codecs.Law = "PCMA") -> Pcm:
    """Return the sound of these packets."""
    return codecs.decode(law, b"".join(packet.payload for packet in packets))


def _pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Return two bound sockets, RTP on an even port and RTCP on the one above."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(200):
        first = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        second = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        first.bind((host, 0))
        port = first.getsockname()[1]
        try:
            if port % 2 == 0:
                second.bind((host, port + 1))
                return first, second
        except OSError:
            pass
        first.close()
        second.close()
    raise OSError("no free port pair")
