"""A phone's voice and ear: one tone sent as G.711 over RTP, and what comes back, measured.

Each of the demonstration's phones has a frequency of its own, so that what one hears says who spoke.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from array import array
from contextlib import suppress

from media import codecs, negotiation, rtp, tones
from media.codecs import SAMPLE_RATE, Law, Pcm
from media.goertzel import QUIET_LEVEL, heard_frequency_hz, level, share
from media.negotiation import Leg

FRAME_SECONDS = 0.02
FRAME_SAMPLES = 160
EAR_SAMPLES = 1600  # what it takes to know a tone: 0.2 s
CLEAR_SHARE = 0.9  # of the sound's energy at one frequency
BATCH_DATAGRAMS = 16
PORT_ATTEMPTS = 100
SAME_HZ = 5.0  # what the measurement may be off by


class Voice:
    """One stream in each direction, on a port pair of `host`.

    speaks_hz: the tone that is sent; expects_hz: the one that should be heard. recognised: done when it was.
    """

    def __init__(self, host: str, speaks_hz: int, expects_hz: int) -> None:
        self.speaks_hz = speaks_hz
        self.expects_hz = expects_hz
        self.packets = 0
        self._loop = asyncio.get_running_loop()
        self.recognised: asyncio.Future[None] = self._loop.create_future()
        self._rtp, self._rtcp = _port_pair(host)
        self._leg = Leg("phone", host, self._rtp.getsockname()[1], secrets.randbits(31))
        self._leg.simple = True  # it speaks G.711
        self._law: Law = "PCMA"
        self._payload_type = -1  # of what we take and send, -1: nothing is agreed yet
        self._remote = ("", 0)
        self._frames: list[bytes] = []
        self._heard: Pcm = array("h")
        # RFC 3550 section 5.1: all three begin at random.
        self._ssrc = secrets.randbits(32)
        self._first_sequence = secrets.randbits(15)
        self._first_timestamp = secrets.randbits(31)
        self._timer: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._rtp.fileno(), self._readable)

    # Offer and answer (RFC 3264)

    def offer(self) -> bytes:
        """Our offer: G.711, both laws."""
        return negotiation.terminate_offer(self._leg)

    def take_answer(self, sdp: bytes) -> None:
        """Take the answer to our offer. Raises media.engine.MediaRefused."""
        negotiation.terminate_answer(self._leg, sdp, nat=False)
        self._agree()

    def answer(self, offer: bytes) -> bytes:
        """Our answer to an offer. Raises media.engine.MediaRefused."""
        sdp = negotiation.publish(self._leg, offer, nat=False)
        self._agree()
        return sdp

    def _agree(self) -> None:
        voice, remote = self._leg.voice, self._leg.remote
        assert voice is not None and remote is not None  # MediaRefused was raised otherwise
        self._law = "PCMU" if voice.name.upper() == "PCMU" else "PCMA"
        self._payload_type = voice.payload_type
        self._remote = (remote.host, remote.port)

    @property
    def codec(self) -> str:
        """The codec agreed."""
        return self._leg.codec

    # Speaking

    def speak(self) -> None:
        """Send the tone, a packet every 20 ms, until `hush`."""
        sound = codecs.encode(self._law, tones.samples(tones.sine(self.speaks_hz)))
        self._frames = [sound[at : at + FRAME_SAMPLES] for at in range(0, len(sound), FRAME_SAMPLES)]
        self._say(self._loop.time(), 0)

    def _say(self, due: float, number: int) -> None:
        packet = rtp.Packet(
            self._payload_type,
            (self._first_sequence + number) & 0xFFFF,
            (self._first_timestamp + number * FRAME_SAMPLES) & 0xFFFFFFFF,
            self._ssrc,
            self._frames[number % len(self._frames)],
            marker=number == 0,
        )
        with suppress(OSError):  # nobody listens there yet, or the buffer is full: lost, as on any network
            self._rtp.sendto(rtp.build(packet), self._remote)
        # Counted from when it was due, so that a late turn doesn't make the tone slower.
        due += FRAME_SECONDS
        self._timer = self._loop.call_at(due, self._say, due, number + 1)

    def hush(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Hearing

    def _readable(self) -> None:
        for _ in range(BATCH_DATAGRAMS):
            try:
                datagram, source = self._rtp.recvfrom(2048)
                packet = rtp.parse(datagram)
            except BlockingIOError:
                return
            except (OSError, rtp.RtpError):
                continue  # an ICMP error of what we sent, or something that isn't RTP
            if source == self._remote and packet.payload_type == self._payload_type:
                self._hear(packet.payload)

    def _hear(self, payload: bytes) -> None:
        self.packets += 1
        self._heard += codecs.decode(self._law, payload)
        if not self.recognised.done() and len(self._heard) >= EAR_SAMPLES:
            latest = self._heard[-EAR_SAMPLES:]
            if level(latest) >= QUIET_LEVEL and share(latest, self.expects_hz) >= CLEAR_SHARE:
                self.recognised.set_result(None)

    @property
    def heard_seconds(self) -> float:
        """How much sound came in."""
        return len(self._heard) / SAMPLE_RATE

    def measured_hz(self) -> float:
        """The frequency that was heard, measured without knowing which to expect; 0.0 for none."""
        return heard_frequency_hz(self._heard)

    def close(self) -> None:
        """Hush, and give the ports back."""
        self.hush()
        self._loop.remove_reader(self._rtp.fileno())
        self._rtp.close()
        self._rtcp.close()


def _port_pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Two bound sockets, RTP on an even port and RTCP above it (RFC 3550 section 11). Raises OSError."""
    for _ in range(PORT_ATTEMPTS):
        first, second = (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) for _ in "12"
        )
        try:
            first.bind((host, 0))
            port = first.getsockname()[1]
            if port % 2 == 0:
                second.bind((host, port + 1))
                return first, second
        except OSError:
            pass  # the port above is taken: another pair
        first.close()
        second.close()
    raise OSError(f"no free pair of ports on {host}")
