"""A browser for tests, on the blocking socket of a test: as much of one as the worker can be shown.

It stands on the modules that are tested; what it can't find, aiortc and Chromium do (`aiortc_peer`).
"""

import secrets
import socket
import struct

from media.rtc import stun
from media.rtc.dtls import Certificate, Dtls
from media.rtc.protection import PacketBuffer, Protection
from media.rtc.protocol import Role


def rtp(sequence: int, payload: bytes = b"sound", *, payload_type: int = 8, ssrc: int = 0xB0B) -> bytes:
    """A packet of a talk spurt."""
    return struct.pack(">BBHII", 0x80, payload_type, sequence & 0xFFFF, sequence * 160, ssrc) + payload


class Browser:
    """One peer connection. ufrag, password: of ours, for which it was given them in SDP."""

    def __init__(
        self,
        port: tuple[str, int],
        ufrag: str,
        password: str,
        certificate: Certificate,
        *,
        role: Role = "client",
        fingerprint: tuple[str, str] | None = None,
    ) -> None:
        self.port = port
        self.ufrag = ufrag
        self.password = password.encode()
        self.socket = self.open()
        self.dtls = Dtls(certificate, role, (fingerprint or certificate.fingerprint,))
        self.buffer = PacketBuffer()
        self.protection: Protection | None = None

    def open(self) -> socket.socket:
        """A socket on another port, as after a change of networks."""
        own = socket.socket(socket.AF_INET6 if ":" in self.port[0] else socket.AF_INET, socket.SOCK_DGRAM)
        own.bind((self.port[0], 0))
        own.settimeout(5)
        return own

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.socket.getsockname()[:2]
        return host, port

    def check_request(self, *extra: tuple[int, bytes], nominate: bool = True) -> bytes:
        """A check of ICE."""
        attributes = [(stun.USERNAME, f"{self.ufrag}:theirs".encode()), (stun.PRIORITY, bytes(4))]
        attributes += [(stun.ICE_CONTROLLING, bytes(8)), *extra]
        if nominate:
            attributes.append((stun.USE_CANDIDATE, b""))
        return stun.build(stun.BINDING_REQUEST, secrets.token_bytes(12), attributes, self.password)

    def check(self, *, nominate: bool = True) -> None:
        """Check the path, from the socket of now."""
        self.send(self.check_request(nominate=nominate))

    def send(self, datagram: bytes) -> None:
        """Send something as it is."""
        self.socket.sendto(datagram, self.port)

    def receive(self) -> bytes:
        """The next datagram."""
        return self.socket.recvfrom(4096)[0]

    def take(self, datagram: bytes) -> None:
        """Take a datagram of DTLS, and answer it."""
        self.send_all(self.dtls.receive(datagram))
        if self.dtls.keys is not None and self.protection is None:
            self.protection = Protection(self.dtls.keys, self.buffer)

    def send_all(self, datagrams: list[bytes]) -> None:
        """Send what DTLS has to say."""
        for datagram in datagrams:
            self.send(datagram)

    def protected(self, packet: bytes) -> bytes:
        """An RTP packet as it goes to the worker."""
        assert self.protection is not None
        return bytes(self.buffer.view[: self.protection.protect(self.buffer.fill(packet))])

    def protected_report(self, packet: bytes) -> bytes:
        """An RTCP packet as it goes to the worker."""
        assert self.protection is not None
        return bytes(self.buffer.view[: self.protection.protect_report(self.buffer.fill(packet))])

    def opened(self, datagram: bytes) -> bytes:
        """An RTP packet that came, in clear; b"" when it isn't authentic."""
        assert self.protection is not None
        return bytes(self.buffer.view[: self.protection.unprotect(self.buffer.fill(datagram))])

    def opened_report(self, datagram: bytes) -> bytes:
        """An RTCP packet that came, in clear; b"" when it isn't authentic."""
        assert self.protection is not None
        return bytes(self.buffer.view[: self.protection.unprotect_report(self.buffer.fill(datagram))])
