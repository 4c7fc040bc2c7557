"""Browsers without a browser: SDP, ICE checks, DTLS and the keys that come of it; rtcload.c then speaks.

One is as much of a browser as a gateway can tell: it offers UDP/TLS/RTP/SAVPF with one line of sound, checks
the one candidate that it is answered (as the controlling agent's peer, with USE-CANDIDATE), answers checks,
and is either end of DTLS. Everything stays on 127.0.0.1.
"""

import re
import secrets
import socket
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final, NamedTuple

from aioice import stun
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from benches.process import BenchError

HOST: Final = "127.0.0.1"
CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 0.25
OPUS_TYPE, PCMA_TYPE, EVENTS_TYPE = 111, 8, 101
_CODECS: Final = {
    "PCMA": (PCMA_TYPE, (f"a=rtpmap:{PCMA_TYPE} PCMA/8000",)),
    "opus": (
        OPUS_TYPE,
        (f"a=rtpmap:{OPUS_TYPE} opus/48000/2", f"a=fmtp:{OPUS_TYPE} minptime=10;useinbandfec=1"),
    ),
}
PRIORITY: Final = 2130706431
MTU: Final = 1200


class Profile(NamedTuple):
    """An SRTP profile of DTLS (RFC 5764, 7714). suite: of plane.h; bytes of master key and salt."""

    suite: int
    key_bytes: int
    salt_bytes: int


# As Chromium offers them.
PROFILES: Final = {
    b"SRTP_AEAD_AES_256_GCM": Profile(3, 32, 12),
    b"SRTP_AEAD_AES_128_GCM": Profile(2, 16, 12),
    b"SRTP_AES128_CM_SHA1_80": Profile(0, 16, 14),
}


class Party(NamedTuple):
    """What rtcload is told of one party: a socket that it inherits, where it sends, what it encrypts with."""

    socket: int
    port: int
    ssrc: int
    suite: int = -1
    ours: str = "-"
    theirs: str = "-"
    check: str = "-"

    def line(self, payload_type: int, step: int, sound: int, *, watched: bool) -> str:
        """Return its line. sound: -1 for the instant at which it is sent, else which file of frames."""
        fields = (self.socket, self.port, self.ssrc, payload_type, step, sound, int(watched), self.suite)
        return " ".join(map(str, (*fields, self.ours, self.theirs, self.check))) + "\n"


class Browser:
    """One browser in one call. `offer`, `take_answer`, `connect`, then `party`."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.settimeout(ANSWER_SECONDS)
        self._ufrag, self._password = secrets.token_hex(4), secrets.token_hex(12)
        self.ssrc = secrets.randbits(31)
        self._remote: tuple[str, int] = (HOST, 0)
        self._remote_ufrag = self._remote_password = ""
        self._is_client = True
        self.payload_type = -1
        self._check = b""
        self._party: Party | None = None

    def offer(self, *codecs: str) -> bytes:
        """Return the body that offers sound in these codecs, `PCMA` or `opus`, the preferred one first."""
        types = " ".join(str(_CODECS[codec][0]) for codec in codecs)
        port = self.socket.getsockname()[1]
        lines = [
            "v=0", f"o=- {secrets.randbits(40)} 1 IN IP4 {HOST}", "s=-", "t=0 0", "a=group:BUNDLE 0",
            f"m=audio {port} UDP/TLS/RTP/SAVPF {types} {EVENTS_TYPE}", f"c=IN IP4 {HOST}",
            f"a=rtcp:9 IN IP4 {HOST}", f"a=candidate:1 1 udp {PRIORITY} {HOST} {port} typ host",
            f"a=ice-ufrag:{self._ufrag}", f"a=ice-pwd:{self._password}",
            f"a=fingerprint:sha-256 {_fingerprint()}", "a=setup:actpass", "a=mid:0", "a=sendrecv",
            "a=rtcp-mux", f"a=rtpmap:{EVENTS_TYPE} telephone-event/8000", f"a=ssrc:{self.ssrc} cname:bench",
        ]  # fmt: skip
        lines += [line for codec in codecs for line in _CODECS[codec][1]]
        return "\r\n".join([*lines, ""]).encode()

    def take_answer(self, body: bytes) -> None:
        """Take the gateway's answer. Raises BenchError where it lacks something."""
        text = body.decode()

        def said(pattern: str) -> str:
            found = re.search(pattern, text, re.MULTILINE)
            if found is None:
                raise BenchError(f"an answer without {pattern}:\n{text}")
            return found[1].strip()

        self._remote_ufrag, self._remote_password = said(r"^a=ice-ufrag:(\S+)"), said(r"^a=ice-pwd:(\S+)")
        port = said(rf"^a=candidate:\S+ 1 [uU][dD][pP] \d+ {re.escape(HOST)} (\d+) typ host")
        self._remote = (HOST, int(port))
        self._is_client = said(r"^a=setup:(\w+)") == "passive"
        self.payload_type = int(said(r"^m=audio \d+ \S+ (\d+)"))

    def connect(self) -> None:
        """Check, then shake hands. Raises BenchError after CONNECT_SECONDS."""
        ends = time.monotonic() + CONNECT_SECONDS
        request = self._request()
        self._check = bytes(request)
        while True:
            self.socket.sendto(self._check, self._remote)
            if any(
                data[:2] == b"\x01\x01" and data[8:20] == request.transaction_id for data in self._heard()
            ):
                break
            if time.monotonic() > ends:
                raise BenchError("a browser's ICE check wasn't answered")
        profile, material = self._handshake(ends)
        self._party = self._party_of(PROFILES[profile], material)

    def party(self) -> Party:
        """What rtcload is told of this browser. Raises BenchError before it is connected."""
        if self._party is None:
            raise BenchError("a browser isn't connected")
        return self._party

    def close(self) -> None:
        self.socket.close()

    def _request(self) -> stun.Message:
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{self._remote_ufrag}:{self._ufrag}"
        request.attributes["PRIORITY"] = PRIORITY
        request.attributes["ICE-CONTROLLING"] = secrets.randbits(64)
        request.attributes["USE-CANDIDATE"] = None
        request.add_message_integrity(self._remote_password.encode())
        return request

    def _heard(self) -> list[bytes]:
        """The next datagram, alone in a list, or none when nothing comes; a check is answered on the way."""
        try:
            data, source = self.socket.recvfrom(2048)
        except TimeoutError:
            return []
        if data[:2] == b"\x00\x01":
            asked = stun.parse_message(data)
            answer = stun.Message(
                stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=asked.transaction_id
            )
            answer.attributes["XOR-MAPPED-ADDRESS"] = source
            answer.add_message_integrity(self._password.encode())
            self.socket.sendto(bytes(answer), source)
        return [data]

    def _handshake(self, ends: float) -> tuple[bytes, bytes]:
        """Shake hands; returns the SRTP profile's name and the keying material. RFC 5764 section 4.2."""
        connection = SSL.Connection(_context())
        if self._is_client:
            connection.set_connect_state()
        else:
            connection.set_accept_state()
        connection.set_ciphertext_mtu(MTU)
        while time.monotonic() < ends:
            try:
                connection.do_handshake()
            except SSL.WantReadError:
                self._flush(connection)
            else:
                self._flush(connection)
                name = connection.get_selected_srtp_profile()
                profile = PROFILES[name]
                wanted = 2 * (profile.key_bytes + profile.salt_bytes)
                return name, connection.export_keying_material(b"EXTRACTOR-dtls_srtp", wanted)
            heard = self._heard()
            for data in heard:
                if 20 <= data[0] <= 63:
                    connection.bio_write(data)
            if not heard and (timeout := connection.DTLSv1_get_timeout()) is not None and timeout <= 0:
                connection.DTLSv1_handle_timeout()
        raise BenchError("a browser's DTLS handshake didn't come to an end")

    def _flush(self, connection: SSL.Connection) -> None:
        while True:
            try:
                self.socket.sendto(connection.bio_read(4 * MTU), self._remote)
            except SSL.WantReadError:
                return

    def _party_of(self, profile: Profile, material: bytes) -> Party:
        # RFC 5764 section 4.2: the client's key, the server's, the client's salt, the server's.
        key, salt = profile.key_bytes, profile.salt_bytes
        keys = material[:key], material[key : 2 * key]
        salts = material[2 * key : 2 * key + salt], material[2 * key + salt :]
        client, server = (one + other for one, other in zip(keys, salts, strict=True))
        ours, theirs = (client, server) if self._is_client else (server, client)
        return Party(
            self.socket.fileno(), self._remote[1], self.ssrc, profile.suite, ours.hex(), theirs.hex(),
            self._check.hex(),
        )  # fmt: skip


@cache
def _certificate() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
    return builder.sign(key, hashes.SHA256()), key


@cache
def _fingerprint() -> str:
    return _certificate()[0].fingerprint(hashes.SHA256()).hex(":").upper()


@cache
def _context() -> SSL.Context:
    certificate, key = _certificate()
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.set_tlsext_use_srtp(b":".join(PROFILES))
    return context


class Phone:
    """The other end of a call: plain RTP at a socket of its own."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.ssrc = secrets.randbits(31)

    @property
    def port(self) -> int:
        """Where it hears."""
        port: int = self.socket.getsockname()[1]
        return port

    def party(self, port: int) -> Party:
        """What rtcload is told of it. port: where it sends."""
        return Party(self.socket.fileno(), port, self.ssrc)

    def close(self) -> None:
        self.socket.close()
