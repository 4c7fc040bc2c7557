"""aiortc's peer connection, which shares no code with the worker, and a road to it that loses packets."""

import asyncio
import socket
from collections.abc import Callable

import aioice.ice
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from av import AudioFrame

from media.rtc.protocol import Ready

SAMPLES = 160
Dropped = Callable[[bytes], bool]


class Tone(AudioStreamTrack):
    """A microphone that hears one frequency."""

    def __init__(self, frequency_hz: float) -> None:
        super().__init__()
        self._frequency_hz = frequency_hz
        self._at = 0

    async def recv(self) -> AudioFrame:
        frame = await super().recv()
        assert isinstance(frame, AudioFrame)
        frame.planes[0].update(tone(self._frequency_hz, self._at, frame.samples).tobytes())
        self._at += frame.samples
        return frame


def tone(frequency_hz: float, start: int, samples: int) -> np.ndarray:
    """A sine at 8,000 Hz, from this sample on."""
    phase = 2 * np.pi * frequency_hz * (start + np.arange(samples)) / 8000
    return (8000 * np.sin(phase)).astype(np.int16)


class Peer:
    """A browser made of aiortc. It says 440 Hz."""

    def __init__(self, host: str, monkeypatch) -> None:
        # aiortc leaves loopback out, where a test has nothing else.
        monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: [host])
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection.addTrack(Tone(440))

    async def offer(self) -> tuple[tuple[tuple[str, str], ...], str]:
        """Make an offer; return the fingerprints and the ufrag in it."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self._said()

    def _said(self) -> tuple[tuple[tuple[str, str], ...], str]:
        lines = self.connection.localDescription.sdp.splitlines()
        prints = [line.removeprefix("a=fingerprint:").split() for line in lines if "a=fingerprint:" in line]
        ufrag = next(line for line in lines if line.startswith("a=ice-ufrag:"))
        return tuple((kind, digest) for kind, digest in prints), ufrag.removeprefix("a=ice-ufrag:")

    async def answered(self, ready: Ready, at: tuple[str, int], ufrag: str, password: str) -> None:
        """Take the answer: the worker waits, at this address."""
        description = sdp(ready, at, ufrag, password, setup="passive")
        await self.connection.setRemoteDescription(RTCSessionDescription(description, "answer"))

    async def answer(
        self, ready: Ready, at: tuple[str, int], ufrag: str, password: str
    ) -> tuple[tuple[tuple[str, str], ...], str]:
        """Take an offer of the worker's, and answer that it is to begin DTLS."""
        description = sdp(ready, at, ufrag, password, setup="active")
        await self.connection.setRemoteDescription(RTCSessionDescription(description, "offer"))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        return self._said()

    async def heard(self, frames: int) -> list[int]:
        """The samples of so many frames of 20 ms, as they were heard."""
        track = self.connection.getReceivers()[0].track
        samples: list[int] = []
        async with asyncio.timeout(45):
            for _ in range(frames):
                frame = await track.recv()
                samples += [
                    int(one) for one in frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
                ]
        return samples


def sdp(ready: Ready, at: tuple[str, int], ufrag: str, password: str, *, setup: str) -> str:
    """What an engine would say of the worker."""
    kind = "IP6" if ":" in at[0] else "IP4"
    kind_of_hash, digest = ready.fingerprint
    return "\r\n".join(
        [
            "v=0",
            f"o=- 1 1 IN {kind} {at[0]}",
            "s=-",
            "t=0 0",
            "a=ice-lite",
            "a=group:BUNDLE 0",
            f"m=audio {at[1]} UDP/TLS/RTP/SAVPF 8",
            f"c=IN {kind} {at[0]}",
            "a=rtpmap:8 PCMA/8000",
            f"a=setup:{setup}",
            "a=mid:0",
            "a=sendrecv",
            f"a=ice-ufrag:{ufrag}",
            f"a=ice-pwd:{password}",
            f"a=fingerprint:{kind_of_hash} {digest}",
            "a=rtcp-mux",
            f"a=candidate:1 1 udp 2130706431 {at[0]} {at[1]} typ host",
            "a=end-of-candidates",
            "",
        ]
    )


class Road:
    """What is between a peer and the worker: it loses what `from_peer` and `to_peer` say.

    near: where the peer finds the worker. Each address of the peer is another one to the worker.
    """

    def __init__(self, worker: tuple[str, int], from_peer: Dropped, to_peer: Dropped) -> None:
        self._worker = worker
        self._from_peer, self._to_peer = from_peer, to_peer
        self._far: dict[tuple[str, int], socket.socket] = {}
        self.near = self._open(self._outward)

    def _open(self, taken: Callable[[], None]) -> socket.socket:
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        own.bind(("127.0.0.1", 0))
        own.setblocking(False)
        asyncio.get_running_loop().add_reader(own, taken)
        return own

    def _outward(self) -> None:
        datagram, peer = self.near.recvfrom(4096)
        if peer not in self._far:
            self._far[peer] = self._open(lambda: self._inward(peer))
        if not self._from_peer(datagram):
            self._far[peer].sendto(datagram, self._worker)

    def _inward(self, peer: tuple[str, int]) -> None:
        datagram = self._far[peer].recv(4096)
        if not self._to_peer(datagram):
            self.near.sendto(datagram, peer)

    def close(self) -> None:
        """End it."""
        for own in (self.near, *self._far.values()):
            asyncio.get_running_loop().remove_reader(own)
            own.close()


def first(count: int, wanted: Dropped) -> Dropped:
    """Drop the first so many datagrams that are wanted."""
    left = count

    def drop(datagram: bytes) -> bool:
        nonlocal left
        if left and wanted(datagram):
            left -= 1
            return True
        return False

    return drop


def every(count: int, wanted: Dropped) -> Dropped:
    """Drop one of so many datagrams that are wanted."""
    seen = 0

    def drop(datagram: bytes) -> bool:
        nonlocal seen
        seen += wanted(datagram)
        return wanted(datagram) and seen % count == 0

    return drop


def is_dtls(datagram: bytes) -> bool:
    """RFC 7983."""
    return 20 <= datagram[0] < 64


def is_media(datagram: bytes) -> bool:
    """RFC 7983; RTP, not RTCP (RFC 5761)."""
    return 128 <= datagram[0] < 192 and not 192 <= datagram[1] <= 223


def nothing(datagram: bytes) -> bool:
    """Lose nothing."""
    return False
