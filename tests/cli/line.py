"""A telephone's sound as numbers: what was said, what was heard, when, and what is missing."""

from __future__ import annotations

import asyncio
import socket
from itertools import pairwise

from media import rtp, sdp
from sip.net.addresses import family_of


class Line:
    """One call's ear and mouth: numbered packets go out, and an echo's or the other side's come in."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.socket = socket.socket(family_of(host), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind((host, 0))
        self.remote = ("", 0)
        self.sent = 0
        self.refused = 0
        self.heard: list[tuple[float, int, rtp.Packet]] = []  # when, which one, and how it looked

    def offer(self) -> bytes:
        """What it says to the other side, as an offer and as an answer."""
        where = f"IN {'IP6' if ':' in self.host else 'IP4'} {self.host}"
        return (
            f"v=0\r\no=- 1 1 {where}\r\ns=-\r\nc={where}\r\nt=0 0\r\n"
            f"m=audio {self.socket.getsockname()[1]} RTP/AVP 8\r\n"
        ).encode()

    def take_answer(self, body: bytes) -> None:
        (audio,) = sdp.parse(body).media
        self.remote = (audio.host, audio.port)
        self.socket.connect(self.remote)  # so that an ICMP error is told

    def say(self) -> None:
        payload = self.sent.to_bytes(4) + bytes(156)
        packet = rtp.Packet(8, self.sent & 0xFFFF, 160 * self.sent & 0xFFFFFFFF, 77, payload)
        self.sent += 1
        try:
            self.socket.send(rtp.build(packet))
        except ConnectionRefusedError:
            self.refused += 1

    def readable(self) -> None:
        now = asyncio.get_running_loop().time()
        while True:
            try:
                packet = rtp.parse(self.socket.recv(2048))
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                self.refused += 1
                continue
            self.heard.append((now, int.from_bytes(packet.payload[:4]), packet))

    def gap_seconds(self) -> float:
        """The longest time without a packet."""
        return max(late[0] - early[0] for early, late in pairwise(self.heard))

    def missing(self, until: int) -> int:
        """How many of the first packets never came back."""
        return until - sum(1 for _, number, _ in self.heard if number < until)
