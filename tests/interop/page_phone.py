"""A program that is a page with a telephone: SIP over WebSocket, and aiortc (PyPI) for WebRTC.

    python -m tests.interop.page_phone SERVER PORT USER PASSWORD TONE_HZ RECORDING RELAYS

call NUMBER, answer, hang up, hold, resume, transfer NUMBER, quit  ──>  registered, ringing, answered, ended,
held, resumed, connected, renewed, failed WHY

It speaks its tone in every call, and appends what it hears to RECORDING as 16-bit samples. It says nothing in
SDP that a browser wouldn't: ICE with host candidates, DTLS-SRTP, BUNDLE, Opus before G.711. RELAYS: JSON, a
browser's `iceServers`; with one, no sound goes another way.
"""

from __future__ import annotations

import asyncio
import fractions
import json
import math
import secrets
import sys
from array import array
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import av
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.rtcconfiguration import RTCIceTransportPolicy
from av.audio.resampler import AudioResampler

from sip.core.errors import SipError
from sip.user_agent import Account, Call, IncomingCall, UserAgent
from tests.cli.test_secure_calls import WebSocketFlow
from tests.net.test_websocket import TEXT, Browser

RATE_HZ = 48_000
FRAME_SAMPLES = 960
HEARD_HZ = 8_000


class Tone(MediaStreamTrack):
    """A sine of this frequency, 20 ms at a time."""

    kind = "audio"

    def __init__(self, frequency_hz: int) -> None:
        super().__init__()
        self._turn = 2 * math.pi * frequency_hz / RATE_HZ
        self._samples = 0
        self._begun_at = 0.0

    async def recv(self) -> av.AudioFrame:
        now = asyncio.get_running_loop().time()
        self._begun_at = self._begun_at or now
        await asyncio.sleep(max(self._begun_at + self._samples / RATE_HZ - now, 0.0))
        at = range(self._samples, self._samples + FRAME_SAMPLES)
        frame = av.AudioFrame("s16", "mono", FRAME_SAMPLES)
        frame.planes[0].update(array("h", (round(16_000 * math.sin(self._turn * n)) for n in at)).tobytes())
        frame.pts, frame.sample_rate = self._samples, RATE_HZ
        frame.time_base = fractions.Fraction(1, RATE_HZ)
        self._samples += FRAME_SAMPLES
        return frame


class Page:
    """The page, its one call, and its lines."""

    def __init__(self, agent: UserAgent, tone_hz: int, recording: Path, relays: list[RTCIceServer]) -> None:
        self.relays = relays
        self.agent = agent
        self.tone_hz = tone_hz
        self.recording = recording
        self.call: Call | None = None
        self.connection: RTCPeerConnection | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def _connection(self) -> RTCPeerConnection:
        policy = RTCIceTransportPolicy.RELAY if self.relays else RTCIceTransportPolicy.ALL
        made = RTCPeerConnection(RTCConfiguration(iceServers=self.relays, iceTransportPolicy=policy))
        made.addTrack(Tone(self.tone_hz))

        @made.on("track")
        def heard(track: MediaStreamTrack) -> None:
            self.beside(self.hear(track))

        @made.on("connectionstatechange")
        def changed() -> None:
            if made.connectionState == "connected":
                say("connected")

        self.connection = made
        return made

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def hear(self, track: MediaStreamTrack) -> None:
        """Write down what comes, until the track ends. What a call before brought is forgotten."""
        resampler = AudioResampler("s16", "mono", HEARD_HZ)
        with self.recording.open("wb") as file:
            while True:
                try:
                    frame = await track.recv()
                except Exception:  # noqa: BLE001 - the track's end, whichever
                    return
                for part in resampler.resample(frame):
                    file.write(bytes(part.planes[0])[: part.samples * 2])
                file.flush()

    async def dial(self, number: str) -> None:
        connection = self._connection()
        await connection.setLocalDescription(await connection.createOffer())
        self.call = call = self.agent.invite(number, connection.localDescription.sdp.encode())
        call.on_offer(self.renewed)
        answer = await call.answered()
        await connection.setRemoteDescription(RTCSessionDescription(answer.decode(), "answer"))
        say("answered")
        self.beside(self.end(call, connection))

    async def listen(self) -> None:
        """Ring for every call."""
        while True:
            self.call = call = await self.agent.incoming()
            call.ring()
            say("ringing")

    async def answer(self) -> None:
        call, connection = self.call, self._connection()
        assert isinstance(call, IncomingCall)
        await connection.setRemoteDescription(RTCSessionDescription(call.offer.decode(), "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        call.on_offer(self.renewed)
        call.answer(connection.localDescription.sdp.encode())
        await call.acknowledged()
        say("answered")
        self.beside(self.end(call, connection))

    async def end(self, call: Call, connection: RTCPeerConnection) -> None:
        await call.ended()
        await connection.close()
        if self.connection is connection:
            self.connection = None
        say("ended")

    def renewed(self, offer: bytes) -> bytes:
        """Answer a re-INVITE at once, as aiortc will when it has taken it: with what both have."""
        connection = self.connection
        assert connection is not None
        ours = connection.localDescription.sdp.replace("a=setup:actpass", "a=setup:active")
        known = _formats(offer.decode())
        lines = []
        for line in ours.splitlines():
            if line.startswith("m=audio"):
                kind, port, profile, *formats = line.split()
                line = " ".join([kind, port, profile, *(one for one in formats if one in known)])
            of_codec = line.startswith(("a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"))
            if not of_codec or line.partition(":")[2].partition(" ")[0] in known:
                lines.append(line)
        self.beside(self._take(connection, offer.decode()))
        return "".join(f"{line}\r\n" for line in lines).encode()

    async def _take(self, connection: RTCPeerConnection, offer: str) -> None:
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        say("renewed")

    async def reoffer(self, direction: str) -> None:
        """Hold with `sendonly`, and resume with `sendrecv`."""
        connection, call = self.connection, self.call
        assert connection is not None
        assert call is not None
        for transceiver in connection.getTransceivers():
            transceiver.direction = direction
        await connection.setLocalDescription(await connection.createOffer())
        answer = await call.reoffer(connection.localDescription.sdp.encode())
        await connection.setRemoteDescription(RTCSessionDescription(answer.decode(), "answer"))

    async def obey(self, line: str) -> None:
        """One command."""
        match line.split():
            case ["call", number]:
                await self.dial(number)
            case ["answer"]:
                await self.answer()
            case ["hang", "up"] if self.call is not None:
                self.call.hang_up()
            case ["hold"]:
                await self.reoffer("sendonly")
                say("held")
            case ["resume"]:
                await self.reoffer("sendrecv")
                say("resumed")
            case _:
                say(f"failed no such command now: {line}")


def _formats(sdp: str) -> set[str]:
    """The payload types of the first audio line."""
    line = next(line for line in sdp.splitlines() if line.startswith("m=audio"))
    return set(line.split()[3:])


def say(line: str) -> None:
    """Tell what happened."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main() -> None:
    """Register, obey until `quit`."""
    server, port, user, password, tone_hz, recording, relays = sys.argv[1:]
    address = (server, int(port))
    reader, writer = await asyncio.open_connection(*address)
    browser = Browser(reader, writer)
    assert (await browser.open("/sip")).startswith(b"HTTP/1.1 101 ")
    agent = UserAgent(Account(user, password, server), secrets.token_bytes(16))
    flow = WebSocketFlow(browser, "WS", address)
    agent.outbound = flow
    servers = [RTCIceServer(**one) for one in json.loads(relays)]
    page = Page(agent, int(tone_hz), Path(recording), servers)

    async def read() -> None:
        while True:
            first, size = await reader.readexactly(2)
            if size == 126:
                size = int.from_bytes(await reader.readexactly(2))
            message = await reader.readexactly(size)
            if first & 0x0F == TEXT:
                agent.driver.receive(message, flow, agent.driver.now)
                agent.driver.flush()

    page.beside(read())
    await agent.register()
    say("registered")
    page.beside(page.listen())
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while (line := (await lines.readline()).decode().strip()) not in ("", "quit"):
        try:
            await page.obey(line)
        except (SipError, AssertionError, ValueError, RuntimeError) as error:
            say(f"failed {error!r}")
    if page.connection is not None:
        await page.connection.close()
    agent.close()
    writer.close()


if __name__ == "__main__":
    asyncio.run(main())
