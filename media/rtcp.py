"""RTCP (RFC 3550 section 6): the sender report that each leg gets from us.

We terminate RTCP: what a phone reports about our stream is read no further than its header, and each
leg gets reports of our own about the stream that we send and the one that we receive. Passing a report
through would name SSRCs that the other side has never seen.
"""

import struct
from typing import Final

from media.rtp import Incoming, Outgoing

SENDER_REPORT: Final = 200
RECEIVER_REPORT: Final = 201
SOURCE_DESCRIPTION: Final = 202

_SENDER: Final = struct.Struct(">BBHIQIII")
_RECEIVER: Final = struct.Struct(">BBHI")
_BLOCK: Final = struct.Struct(">IIIIII")


class RtcpError(ValueError):
    """A datagram that is not an RTCP packet."""


def report(outgoing: Outgoing, incoming: Incoming, cname: str, now: float) -> bytes:
    """Return a compound packet for one leg: a sender or receiver report and the CNAME.

    now: monotonic seconds. The NTP field carries them, as section 6.4.1 allows a sender without wall
    clock: receivers only compare it with itself. The fraction lost of the last interval is left at 0
    (the cumulative count says it), as are LSR and DLSR (no round trip is computed by the other side).
    """
    blocks = b""
    if incoming.ssrc >= 0:
        blocks = _BLOCK.pack(
            incoming.ssrc,
            min(incoming.lost, 0x7FFFFF),
            incoming.highest & 0xFFFFFFFF,
            int(incoming.jitter_ticks) & 0xFFFFFFFF,
            0,
            0,
        )
    words = len(blocks) // 4
    first = 0x80 | (1 if blocks else 0)
    if outgoing.packets:
        head = _SENDER.pack(
            first, SENDER_REPORT, 6 + words, outgoing.ssrc, int(now * 2**32) & 0xFFFFFFFFFFFFFFFF,
            outgoing.timestamp, outgoing.packets & 0xFFFFFFFF, outgoing.octets & 0xFFFFFFFF,
        )  # fmt: skip
    else:
        head = _RECEIVER.pack(first, RECEIVER_REPORT, 1 + words, outgoing.ssrc)
    return head + blocks + _description(outgoing.ssrc, cname)


def _description(ssrc: int, cname: str) -> bytes:
    """Return the SDES packet with the CNAME (6.5: each compound packet carries one)."""
    text = cname.encode()[:255]
    chunk = struct.pack(">IBB", ssrc, 1, len(text)) + text
    chunk += bytes(4 - len(chunk) % 4)  # 6.5: ended by one to four zero bytes
    return struct.pack(">BBH", 0x81, SOURCE_DESCRIPTION, len(chunk) // 4) + chunk


def packet_types(datagram: bytes) -> list[int]:
    """Return the types of the packets in a compound datagram, in order.

    Raises RtcpError when the lengths don't add up or the version is wrong (appendix A.2).
    """
    types: list[int] = []
    offset = 0
    while offset < len(datagram):
        if len(datagram) - offset < 4 or datagram[offset] & 0xC0 != 0x80:
            raise RtcpError("not version 2, or shorter than a header")
        types.append(datagram[offset + 1])
        offset += 4 + 4 * int.from_bytes(datagram[offset + 2 : offset + 4])
    if offset != len(datagram) or not types:
        raise RtcpError("a packet longer than its datagram")
    return types
