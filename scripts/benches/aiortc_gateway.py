"""The same work with aiortc's tracks: a browser's sound decoded, resampled, and sent on as G.711, and back.

A program that reads a JSON line for each call, `{"offer": SDP, "phone": PORT}`, and writes one, `{"answer":
SDP, "port": PORT}`: the phone's port on 127.0.0.1, and where it is to send. It is how the library is meant to
be used, with a track each way, and is what `scripts/bench webrtc` compares ours with.
"""

import asyncio
import json
import secrets
import socket
import struct
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from aioice import ice
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from media import g711

HOST = "127.0.0.1"
HEADER_BYTES, FRAME_SAMPLES = 12, 160
ice.get_host_addresses = lambda use_ipv4, use_ipv6: [HOST]  # the bench stays on loopback


class FromPhone(MediaStreamTrack):
    """What the phone says, as frames for aiortc to encode."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self._said = 0

    async def recv(self) -> av.AudioFrame:
        """The next 20 ms."""
        samples = g711.decode("PCMA", (await self.heard.get())[HEADER_BYTES:])
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 8000, self._said, Fraction(1, 8000)
        self._said += FRAME_SAMPLES
        return frame


class Gateway:
    """One call: a peer connection, and a socket for its phone."""

    def __init__(self, phone: int) -> None:
        self._phone = (HOST, phone)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._socket.setblocking(False)
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._track = FromPhone()
        self._tasks: list[asyncio.Task[None]] = []
        self._peer.on("track", self._began)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)

    @property
    def port(self) -> int:
        """Where the phone sends."""
        port: int = self._socket.getsockname()[1]
        return port

    async def answer(self, offer: str) -> str:
        """Take the browser's offer; returns the answer."""
        await self._peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self._peer.setLocalDescription(await self._peer.createAnswer())
        return str(self._peer.localDescription.sdp)

    def _readable(self) -> None:
        while True:
            try:
                self._track.heard.put_nowait(self._socket.recv(2048))
            except OSError:
                return

    def _began(self, track: MediaStreamTrack) -> None:
        self._peer.addTrack(self._track)
        self._tasks.append(asyncio.get_running_loop().create_task(self._carry(track)))

    async def _carry(self, track: MediaStreamTrack) -> None:
        """From the browser to the phone, as long as there is sound."""
        narrow = av.AudioResampler("s16", "mono", 8000, frame_size=FRAME_SAMPLES)
        sequence, ssrc = 0, secrets.randbits(32)
        while True:
            frame = await track.recv()
            assert isinstance(frame, av.AudioFrame)
            for short in narrow.resample(frame):
                payload = g711.encode("PCMA", np.frombuffer(bytes(short.planes[0]), np.int16)[:FRAME_SAMPLES])
                header = struct.pack("!BBHII", 0x80, 8, sequence & 0xFFFF, sequence * FRAME_SAMPLES, ssrc)
                self._socket.sendto(header + payload, self._phone)
                sequence += 1


async def serve() -> None:
    """Answer calls until the input ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    calls = []
    while line := await reader.readline():
        said = json.loads(line)
        call = Gateway(said["phone"])
        calls.append(call)
        answer = await call.answer(said["offer"])
        print(json.dumps({"answer": answer, "port": call.port}), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
