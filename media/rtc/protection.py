"""SRTP and SRTCP of one DTLS association (RFC 5764, 3711, 7714), in a buffer that all packets share.

A packet is received into the buffer, protected or unprotected where it lies, and sent from there: nothing
is copied. The work is libsrtp's through pylibsrtp's binding; pylibsrtp's own methods refuse what is longer
than 1,356 bytes, which a video packet may be.
"""

from typing import Any, Final, NamedTuple

import pylibsrtp
from pylibsrtp import _binding

MAX_PACKET_BYTES: Final = 2048
WINDOW: Final = 1024  # packets that may come late: what is sent again for a NACK is half a second old
_TRAILER_BYTES: Final = 160  # tag, MKI and RTCP index at their longest
SHORTEST_REPORT_BYTES: Final = 8

_LIB: Final = _binding.lib
_protect = _LIB.srtp_protect
_unprotect = _LIB.srtp_unprotect
_protect_rtcp = _LIB.srtp_protect_rtcp
_unprotect_rtcp = _LIB.srtp_unprotect_rtcp


class PacketBuffer:
    """Where the packet is that is worked on now. view: its bytes, and room for what protection adds."""

    __slots__ = ("data", "length", "receiving", "view")

    def __init__(self) -> None:
        self.data = _binding.ffi.new("char[]", MAX_PACKET_BYTES + _TRAILER_BYTES)
        self.length = _binding.ffi.new("int *")
        self.view = memoryview(_binding.ffi.buffer(self.data)).cast("B")
        self.receiving = self.view[: MAX_PACKET_BYTES + 1]  # one more tells a packet that is too long

    def fill(self, packet: bytes) -> int:
        """Put a packet of at most MAX_PACKET_BYTES there and return its length."""
        self.view[: len(packet)] = packet
        return len(packet)


class Keys(NamedTuple):
    """What a DTLS handshake has agreed. profile: libsrtp's number; ours, theirs: key and salt."""

    profile: int
    ours: bytes
    theirs: bytes


class Protection:
    """One association's two sessions. Every method takes and returns a length in the shared buffer.

    0 is returned for a packet that isn't authentic, came before, or (of ours) would use a number twice.
    """

    __slots__ = ("_data", "_inbound", "_length", "_outbound", "_sessions")

    def __init__(self, keys: Keys, buffer: PacketBuffer) -> None:
        inbound = _session(keys.theirs, keys.profile, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        outbound = _session(keys.ours, keys.profile, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self._sessions = (inbound, outbound)  # they free what the two states point to when they go
        self._inbound, self._outbound = inbound._srtp[0], outbound._srtp[0]
        self._data, self._length = buffer.data, buffer.length

    def protect(self, size: int) -> int:
        """Encrypt the RTP packet."""
        length = self._length
        length[0] = size
        return 0 if _protect(self._outbound, self._data, length) else length[0]

    def unprotect(self, size: int) -> int:
        """Decrypt the RTP packet."""
        length = self._length
        length[0] = size
        return 0 if _unprotect(self._inbound, self._data, length) else length[0]

    def protect_report(self, size: int) -> int:
        """Encrypt the RTCP packet."""
        if size < SHORTEST_REPORT_BYTES:
            return 0
        length = self._length
        length[0] = size
        return 0 if _protect_rtcp(self._outbound, self._data, length) else length[0]

    def unprotect_report(self, size: int) -> int:
        """Decrypt the RTCP packet."""
        if size < SHORTEST_REPORT_BYTES + 4:
            return 0
        length = self._length
        length[0] = size
        return 0 if _unprotect_rtcp(self._inbound, self._data, length) else length[0]


def _session(key: bytes, profile: int, direction: int) -> Any:
    policy = pylibsrtp.Policy(key, direction, srtp_profile=profile)
    policy.window_size = WINDOW
    return pylibsrtp.Session(policy)
