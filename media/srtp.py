"""SRTP and SRTCP packets (RFC 3711, 7714): a Sender with our key, a Receiver with the peer's.

The work is libsrtp's, through pylibsrtp; only a process that imports this module loads it. About 1.7 CPU
microseconds a packet of 172 bytes and direction.

A rollover counter must outlive the process. libsrtp doesn't let it be set, so a session that resumes is
wound forward: it protects (or is fed) a few empty packets, none of which is sent, until it stands where
the one before it stood: two packets for each turn of the 16-bit sequence number, 22 minutes of a call.
"""

import struct
from collections.abc import Callable
from typing import Final

import msgspec
import pylibsrtp
from pylibsrtp import _binding

from media.sdes import Crypto, Suite

_RTP_TAG_BYTES: Final[dict[Suite, int]] = {
    "AES_CM_128_HMAC_SHA1_80": 10,
    "AES_CM_128_HMAC_SHA1_32": 4,
    "AEAD_AES_128_GCM": 0,  # part of the ciphertext: an MKI comes behind it (RFC 7714 section 8.2)
    "AEAD_AES_256_GCM": 0,
}
_RTCP_TAG_BYTES: Final[dict[Suite, int]] = {
    "AES_CM_128_HMAC_SHA1_80": 10,
    "AES_CM_128_HMAC_SHA1_32": 10,  # RFC 4568 section 6.2.2: RTCP keeps 80 bits
    "AEAD_AES_128_GCM": 0,
    "AEAD_AES_256_GCM": 0,
}

_PROFILES: Final[dict[Suite, int]] = {
    "AES_CM_128_HMAC_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}

MAX_PACKET_BYTES: Final = 2048
MAX_SOURCES: Final = 64  # SSRCs of one key
MAX_ROLLOVERS: Final = 1 << 16
RTCP_MARGIN: Final = 64  # more reports than are sent between two records of a stream's state
_TRAILER_BYTES: Final = 160  # tag, MKI and RTCP index at their longest
_LONGEST_STEP: Final = 0x7FFF  # RFC 3711 section 3.3.1: farther than this would be taken for the past

_LIB: Final = _binding.lib
_RTP: Final = struct.Struct(">BBHII")
_EMPTY_REPORT: Final = struct.Struct(">BBHI")


class SrtpError(ValueError):
    """A packet that isn't authentic, came before, or isn't SRTP at all."""


class SrtpState(msgspec.Struct, frozen=True, array_like=True):
    """Where one direction of a stream is, as plain values.

    indexes: of each SSRC its newest packet, as rollover counter * 65536 + sequence; rtcp_indexes: of
    each SSRC its newest report.
    """

    indexes: dict[int, int]
    rtcp_indexes: dict[int, int]


class Sender:
    """What we send, encrypted with our key.

    Raises SrtpError from `protect` when a sequence number is used twice: libsrtp never encrypts two
    packets with one key stream.
    """

    __slots__ = ("_crypto", "_floors", "_indexes", "_rtcp_indexes", "_session")

    def __init__(self, crypto: Crypto, state: SrtpState | None = None) -> None:
        """state: of the process before; goes on behind it, RTCP by RTCP_MARGIN reports."""
        self._crypto = crypto
        self._session = _Session(crypto, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self._indexes: dict[int, int] = {}
        self._rtcp_indexes: dict[int, int] = {}
        self._floors: dict[int, int] = {}  # of each SSRC what a process before us may have sent
        if state is not None:
            for ssrc, index in state.indexes.items():
                for step in _steps(index):
                    self.protect(_empty_packet(ssrc, step))
                self._floors[ssrc] = index
            for ssrc, index in state.rtcp_indexes.items():
                for _ in range(index + RTCP_MARGIN):
                    self.protect_rtcp(_EMPTY_REPORT.pack(0x80, 201, 1, ssrc))

    def protect(self, packet: bytes) -> bytes:
        """Return the RTP packet encrypted. Raises SrtpError."""
        protected = self._session.call(_LIB.srtp_protect, packet)
        _, _, sequence, _, ssrc = _RTP.unpack_from(packet)
        before = self._indexes.get(ssrc, -1)
        index = _index_of(before, sequence)
        if self._floors and index <= self._floors.get(ssrc, -1):
            raise SrtpError("a number that a process before this one may have used")
        self._indexes[ssrc] = max(before, index)
        mki = self._crypto.mki
        return _with_mki(protected, mki, _RTP_TAG_BYTES[self._crypto.suite]) if mki else protected

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Return the RTCP packet encrypted. Raises SrtpError."""
        protected = self._session.call(_LIB.srtp_protect_rtcp, packet)
        ssrc = int.from_bytes(packet[4:8])
        self._rtcp_indexes[ssrc] = self._rtcp_indexes.get(ssrc, 0) + 1
        mki = self._crypto.mki
        return _with_mki(protected, mki, _RTCP_TAG_BYTES[self._crypto.suite]) if mki else protected

    def state(self) -> SrtpState:
        """Return where the stream is."""
        return SrtpState(dict(self._indexes), dict(self._rtcp_indexes))


class Receiver:
    """What the peer sends, checked and decrypted with its key; a packet passes once."""

    __slots__ = ("_crypto", "_floors", "_indexes", "_rtcp_indexes", "_session")

    def __init__(self, crypto: Crypto, state: SrtpState | None = None) -> None:
        """state: of the process before; what it had received does not pass again."""
        self._crypto = crypto
        self._session = _Session(crypto, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        self._indexes: dict[int, int] = {}
        self._rtcp_indexes: dict[int, int] = {}
        self._floors: dict[int, int] = {}  # of each SSRC what a process before us had received
        if state is not None:
            self._resume(state)

    def _resume(self, state: SrtpState) -> None:
        peer = Sender(self._crypto)
        for ssrc, index in state.indexes.items():
            for step in _steps(index):
                self.unprotect(peer.protect(_empty_packet(ssrc, step)))
            self._floors[ssrc] = index
        for ssrc, index in state.rtcp_indexes.items():
            report = b""
            for _ in range(index):
                report = peer.protect_rtcp(_EMPTY_REPORT.pack(0x80, 201, 1, ssrc))
            if report:
                self.unprotect_rtcp(report)

    def unprotect(self, packet: bytes) -> bytes:
        """Return the RTP packet in clear. Raises SrtpError."""
        if self._crypto.mki:
            packet = _without_mki(packet, self._crypto.mki, _RTP_TAG_BYTES[self._crypto.suite])
        if len(packet) < _RTP.size:
            raise SrtpError("shorter than a header")
        _, _, sequence, _, ssrc = _RTP.unpack_from(packet)
        before = self._indexes.get(ssrc, -1)
        if before < 0 and len(self._indexes) >= MAX_SOURCES:
            raise SrtpError(f"more than {MAX_SOURCES} sources with one key")
        clear = self._session.call(_LIB.srtp_unprotect, packet)
        index = _index_of(before, sequence)
        if self._floors and index <= self._floors.get(ssrc, -1):
            raise SrtpError("received before, or late over a restart")
        if index > before:
            self._indexes[ssrc] = index
        return clear

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """Return the RTCP packet in clear. Raises SrtpError."""
        tag_bytes = _RTCP_TAG_BYTES[self._crypto.suite]
        if self._crypto.mki:
            packet = _without_mki(packet, self._crypto.mki, tag_bytes)
        if len(packet) < _EMPTY_REPORT.size + 4 + tag_bytes:
            raise SrtpError("shorter than a report")
        ssrc = int.from_bytes(packet[4:8])
        if ssrc not in self._rtcp_indexes and len(self._rtcp_indexes) >= MAX_SOURCES:
            raise SrtpError(f"more than {MAX_SOURCES} sources with one key")
        clear = self._session.call(_LIB.srtp_unprotect_rtcp, packet)
        # RFC 3711 section 3.4: the index is written in the packet, under the bit that says "encrypted".
        end = len(packet) - tag_bytes
        index = int.from_bytes(packet[end - 4 : end]) & 0x7FFFFFFF
        self._rtcp_indexes[ssrc] = max(index, self._rtcp_indexes.get(ssrc, 0))
        return clear

    def state(self) -> SrtpState:
        """Return where the stream is."""
        return SrtpState(dict(self._indexes), dict(self._rtcp_indexes))


class _Session:
    """A session of libsrtp, called through pylibsrtp's binding with one buffer for all packets.

    pylibsrtp's own methods refuse more than 1,356 bytes, which a video packet may have, and take a third
    longer.
    """

    __slots__ = ("_buffer", "_bytes", "_length", "_session", "_state")

    def __init__(self, crypto: Crypto, direction: int) -> None:
        policy = pylibsrtp.Policy(crypto.key, direction, srtp_profile=_PROFILES[crypto.suite])
        self._session = pylibsrtp.Session(policy)  # frees what `_state` points to when it goes
        self._state = self._session._srtp[0]
        self._buffer = _binding.ffi.new("char[]", MAX_PACKET_BYTES + _TRAILER_BYTES)
        self._bytes = _binding.ffi.buffer(self._buffer)
        self._length = _binding.ffi.new("int *")

    def call(self, work: Callable[[object, object, object], int], packet: bytes) -> bytes:
        """Return what a function of libsrtp makes of the packet. Raises SrtpError."""
        size = len(packet)
        if size > MAX_PACKET_BYTES:
            raise SrtpError(f"longer than {MAX_PACKET_BYTES} bytes")
        self._bytes[0:size] = packet
        self._length[0] = size
        status = work(self._state, self._buffer, self._length)
        if status:
            known = status < len(pylibsrtp.ERRORS)
            raise SrtpError(pylibsrtp.ERRORS[status] if known else f"libsrtp's error {status}")
        made: bytes = self._bytes[0 : self._length[0]]
        return made


def _index_of(highest: int, sequence: int) -> int:
    """Return the index of the packet with this number, next to the highest one; -1: there is none yet.

    RFC 3711 section 3.3.1 and appendix A, as libsrtp does it.
    """
    if highest < 0:
        return sequence
    step = (sequence - highest) & 0xFFFF
    return highest + step if step <= _LONGEST_STEP else max(sequence, highest + step - 0x10000)


def _steps(index: int) -> list[int]:
    """Return the sequence numbers that lead a new session to this index."""
    if not 0 <= index < MAX_ROLLOVERS << 16:
        raise SrtpError(f"no state of a stream: index {index}")
    start = index & 0x7FFF
    return [step & 0xFFFF for step in range(start, index, _LONGEST_STEP)] + [index & 0xFFFF]


def _empty_packet(ssrc: int, sequence: int) -> bytes:
    return _RTP.pack(0x80, 0, sequence, 0, ssrc)


def _with_mki(packet: bytes, mki: bytes, tag_bytes: int) -> bytes:
    end = len(packet) - tag_bytes
    return packet[:end] + mki + packet[end:]


def _without_mki(packet: bytes, mki: bytes, tag_bytes: int) -> bytes:
    """Raises SrtpError when the packet doesn't carry the MKI (RFC 3711 section 3.1)."""
    end = len(packet) - tag_bytes
    if end < len(mki) or packet[end - len(mki) : end] != mki:
        raise SrtpError("not the MKI that was announced")
    return packet[: end - len(mki)] + packet[end:]
