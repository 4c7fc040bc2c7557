"""A SIP telephone with a camera: VP8 by aiortc's encoder, in plain RTP, with RTCP on a port of its own.

It shares no code of RTP or RTCP with us. Its camera sends what has changed, and a whole picture when it is
asked for one, never by itself: whoever didn't ask sees nothing.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction

import numpy as np
from aiortc.codecs.vpx import Vp8Encoder
from av import VideoFrame

from pbx.demo.voice import Voice

WIDTH, HEIGHT = 160, 120
FRAME_SECONDS = 0.1
SSRC = 0x0BEFF401
FEEDBACK = "a=rtcp-fb:* nack pli\r\na=rtcp-fb:* ccm fir\r\n"
_VIDEO = re.compile(r"m=video (\d+) (\S+) ([\d ]+)")


@asynccontextmanager
async def camera_phone(host: str, feedback: str) -> AsyncIterator[VideoPhone]:
    """A telephone for the length of the block."""
    phone = VideoPhone(Voice(host, 1000, 440), host, feedback)
    try:
        yield phone
    finally:
        await phone.close()


class VideoPhone:
    """Its camera and its eye; the sound is a `Voice`. feedback: its a=rtcp-fb lines.

    asked: done when it was asked for a whole picture, by PLI or FIR. whole, others: pictures that it got, and
    packets of those that are none.
    """

    def __init__(self, voice: Voice, host: str, feedback: str) -> None:
        self.asked: asyncio.Event = asyncio.Event()
        self.whole = self.others = 0
        self._voice, self._host, self._feedback = voice, host, feedback
        self._rtp, self._rtcp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        loop = asyncio.get_running_loop()
        for own, readable in ((self._rtp, self._see), (self._rtcp, self._hear)):
            own.setblocking(False)
            own.bind((host, 0))
            loop.add_reader(own, readable)
        self._encoder = Vp8Encoder()
        self._task: asyncio.Task[None] | None = None
        self._wanted = False
        self._seen_ssrc = 0

    def answer(self, offer: bytes) -> bytes:
        """Return the answer to an offer with VP8 in its video."""
        told = _VIDEO.search(offer.decode())
        number = re.search(r"a=rtpmap:(\d+) VP8/90000", offer.decode())
        assert told is not None and number is not None
        self.told = offer.decode()[told.start() :]
        self._payload_type = int(number[1])
        self._to = (self._host, int(told[1]))
        self._reports_to = (self._host, int(told[1]) + 1)
        mine, theirs = self._rtp.getsockname()[1], self._rtcp.getsockname()[1]
        section = (
            f"m=video {mine} {told[2]} {number[1]}\r\na=rtpmap:{number[1]} VP8/90000\r\na=rtcp:{theirs}\r\n"
        )
        sound = self._voice.answer(offer).decode()
        return (sound[: sound.index("m=video")] + section + self._feedback).encode()

    def show(self) -> None:
        """Begin to speak, and to send pictures."""
        self._voice.speak()
        self._task = asyncio.create_task(self._film())

    def ask(self) -> None:
        """Ask for a whole picture: a receiver report, and PLI behind it (RFC 4585 section 6.3.1)."""
        report = struct.pack(">BBHI", 0x80, 201, 1, SSRC)
        self._rtcp.sendto(
            report + struct.pack(">BBHII", 0x81, 206, 2, SSRC, self._seen_ssrc), self._reports_to
        )

    async def close(self) -> None:
        """Put the camera away."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for own in (self._rtp, self._rtcp):
            asyncio.get_running_loop().remove_reader(own)
            own.close()
        self._voice.close()

    async def _film(self) -> None:
        sequence = ticks = 0
        self._encoded(0, whole=True)  # the first, which nobody gets
        while True:
            ticks += int(90_000 * FRAME_SECONDS)
            whole, self._wanted = self._wanted, False
            payloads = self._encoded(ticks, whole=whole)
            for payload in payloads:
                last = 0x80 if payload is payloads[-1] else 0
                head = struct.pack(">BBHII", 0x80, last | self._payload_type, sequence, ticks, SSRC)
                self._rtp.sendto(head + payload, self._to)
                sequence = sequence + 1 & 0xFFFF
            await asyncio.sleep(FRAME_SECONDS)

    def _encoded(self, ticks: int, *, whole: bool) -> list[bytes]:
        """The payloads of one picture: a bar that moves."""
        picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        picture[:HEIGHT, ticks // 900 % WIDTH :] = 40
        frame = VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = ticks, Fraction(1, 90_000)
        payloads, _ = self._encoder.encode(frame, force_keyframe=whole)
        return payloads

    def _hear(self) -> None:
        """Read RTCP (RFC 3550 section 6.1): a compound with PLI or FIR asks."""
        report, at = self._rtcp.recv(2048), 0
        while at + 8 <= len(report):
            kind, form = report[at + 1], report[at] & 31
            if kind == 206 and form in (1, 4):
                about = report[at + (8 if form == 1 else 12) :][:4]
                assert int.from_bytes(about) == SSRC, "asked about somebody else's picture"
                self._wanted = True
                self.asked.set()
            at += 4 + 4 * int.from_bytes(report[at + 2 : at + 4])

    def _see(self) -> None:
        """Count what comes (RFC 7741 section 4): a whole picture begins with a header without its P bit."""
        packet = self._rtp.recv(2048)
        if packet[1] & 0x7F != self._payload_type:
            return
        self._seen_ssrc = int.from_bytes(packet[8:12])
        payload, at = packet[12 + 4 * (packet[0] & 15) :], 1
        if payload[0] & 0x80:
            more = payload[1]
            at += 1
            if more & 0x80:
                at += 2 if payload[at] & 0x80 else 1
            at += bool(more & 0x40) + bool(more & 0x30)
        begins = payload[0] & 0x17 == 0x10
        if begins and not payload[at] & 1:
            self.whole += 1
        else:
            self.others += 1
