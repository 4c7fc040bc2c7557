"""DTLS 1.2 of one association (RFC 6347, 5764): a handshake, its keys, and nothing of application data.

OpenSSL does the work on datagrams that it is handed and that it hands out. It retransmits by a clock of its
own, so `timeout_seconds` says when `handle_timeout` is to be called. The peer's certificate is whatever it
shows, signed by itself; what says who it is are the fingerprints out of SDP (RFC 8122), which are compared
before any key is derived.

```
    handshaking ──> connected ──> closed      by close_notify, ours or theirs
         └───────────────────────> failed     another certificate, an alert, too much or too long
```
"""

import hmac
import math
from collections.abc import Sequence
from typing import Final, Literal

from aiortc.rtcdtlstransport import SRTP_PROFILES, RTCCertificate, certificate_digest
from cryptography import x509
from OpenSSL import SSL

from media.rtc.protection import Keys
from media.rtc.protocol import Role

MTU_BYTES: Final = 1200  # of a datagram of ours: with its headers it passes wherever IPv6 does
MAX_DATAGRAMS: Final = 256  # that a handshake may take: a whole one has about ten
HANDSHAKE_SECONDS: Final = 30.0
HASHES: Final = ("sha-256", "sha-384", "sha-512")
DTLS_1_2: Final = 0xFEFD
_RECORD_HEADER_BYTES: Final = 13
_EXPORTER: Final = b"EXTRACTOR-dtls_srtp"
_CIPHERS: Final = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"
    b":ECDHE-RSA-AES128-GCM-SHA256"
)

State = Literal["handshaking", "connected", "closed", "failed"]


class Certificate:
    """A worker's own, which lives as long as the process and is on no disk."""

    def __init__(self) -> None:
        made = RTCCertificate.generateCertificate()
        self.context = made._create_ssl_context(srtp_profiles=SRTP_PROFILES)
        self.context.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
        self.context.set_min_proto_version(DTLS_1_2)
        self.context.set_max_proto_version(DTLS_1_2)
        self.context.set_cipher_list(_CIPHERS)
        self.digests = {one.algorithm: one.value for one in made.getFingerprints()}
        self.fingerprint = ("sha-256", self.digests["sha-256"])


class Dtls:
    """One end of one association. datagrams, everywhere: what is to be sent to the peer now.

    role: the client begins, by `start`. fingerprints: hash and digest, as SDP has them; one has to fit.
    keys: there once `state` is "connected".
    """

    __slots__ = ("_connection", "_flight", "_received", "fingerprints", "keys", "role", "state")

    def __init__(self, certificate: Certificate, role: Role, fingerprints: Sequence[tuple[str, str]]) -> None:
        self.role = role
        self.fingerprints = tuple(fingerprints)
        self.state: State = "handshaking"
        self.keys: Keys | None = None
        self._received = 0
        self._flight: list[bytes] = []
        self._connection = SSL.Connection(certificate.context)
        self._connection.set_ciphertext_mtu(MTU_BYTES)
        if role == "server":
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()

    def start(self) -> list[bytes]:
        """Return the first flight of a client."""
        return self._advance()

    def receive(self, datagram: bytes) -> list[bytes]:
        """Take a datagram of the peer and return the datagrams that answer it."""
        if self.state in ("closed", "failed"):
            return []
        self._received += 1
        if self._received > MAX_DATAGRAMS and self.state == "handshaking":
            self.state = "failed"
            return []
        self._connection.bio_write(datagram)
        return self._advance()

    def timeout_seconds(self) -> float:
        """Return in how many seconds `handle_timeout` is to be called, infinity where it isn't."""
        if self.state != "handshaking":
            return math.inf
        left = self._connection.DTLSv1_get_timeout()
        return math.inf if left is None else left

    def handle_timeout(self) -> list[bytes]:
        """Return the flight that is to be sent again (RFC 6347 section 4.2.4)."""
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error:
            self.state = "failed"
        return self._datagrams()

    def resend(self) -> list[bytes]:
        """Return the newest flight as it was, for a peer that hasn't had it; one that has drops it.

        OpenSSL's first timer is a second, which a call can hear; RFC 6347 section 4.2.4.1 lets real time
        have a shorter one.
        """
        return self._flight

    def close(self) -> list[bytes]:
        """Return a close_notify where there is somebody to be told."""
        if self.state != "connected":
            self.state = "closed"
            return []
        self.state = "closed"
        try:
            self._connection.shutdown()
        except SSL.Error:
            return []
        return self._datagrams()

    def _advance(self) -> list[bytes]:
        try:
            if self.state == "handshaking":
                self._connection.do_handshake()
                self._finish()
            while self.state == "connected":
                self._connection.recv(MTU_BYTES)  # nothing is agreed to be sent in it
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.state = "closed"
        except SSL.Error:
            self.state = "failed"
        datagrams = self._datagrams()
        self._flight = datagrams or self._flight
        return datagrams

    def _finish(self) -> None:
        """The handshake is through: look whose it was, and derive the keys (RFC 5764 section 4.2)."""
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        profile = self._connection.get_selected_srtp_profile()
        agreed = next((one for one in SRTP_PROFILES if one.openssl_profile == profile), None)
        if certificate is None or agreed is None or not self._is_known(certificate):
            self.state = "failed"
            return
        material = self._connection.export_keying_material(
            _EXPORTER, 2 * (agreed.key_length + agreed.salt_length)
        )
        client, server = (agreed.get_key_and_salt(material, index) for index in (0, 1))
        ours, theirs = (server, client) if self.role == "server" else (client, server)
        self.keys = Keys(agreed.libsrtp_profile, ours, theirs)
        self.state = "connected"

    def _is_known(self, certificate: x509.Certificate) -> bool:
        return any(
            algorithm in HASHES and hmac.compare_digest(certificate_digest(certificate, algorithm), digest)
            for algorithm, digest in self.fingerprints
        )

    def _datagrams(self) -> list[bytes]:
        """Return what OpenSSL has written, whole records in datagrams of at most MTU_BYTES.

        A memory BIO is a stream: it has forgotten where each record was to begin a datagram.
        """
        written = bytearray()
        try:
            while True:
                written += self._connection.bio_read(65_536)
        except SSL.Error:
            pass
        datagrams: list[bytes] = []
        start = end = 0
        while end < len(written):
            size = _RECORD_HEADER_BYTES + int.from_bytes(written[end + 11 : end + 13])
            if end > start and end + size - start > MTU_BYTES:
                datagrams.append(bytes(written[start:end]))
                start = end
            end += size
        if end > start:
            datagrams.append(bytes(written[start:end]))
        return datagrams
