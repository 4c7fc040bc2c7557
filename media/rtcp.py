"""RTCP (RFC 3550 section 6): the sender report that each leg gets from us.

We terminate RTCP: each leg gets reports of our own about the stream that we send and the one that we
receive, and what it reports about ours says how well it hears us. Passing a report through would name
SSRCs that the other side has never seen.
"""

import struct
from collections import deque
from typing import Final, NamedTuple

from media.rtp import Extent, Incoming, Outgoing

SENDER_REPORT: Final = 200
RECEIVER_REPORT: Final = 201
SOURCE_DESCRIPTION: Final = 202

_SENDER: Final = struct.Struct(">BBHIQIII")
_RECEIVER: Final = struct.Struct(">BBHI")
_ORIGIN: Final = struct.Struct(">III")  # SSRC and NTP timestamp of a sender report
_BLOCK: Final = struct.Struct(">IIIIII")

SHORTEST_INTERVAL_SECONDS: Final = 0.5
REPORTS_KEPT: Final = 3
_LONGEST_ROUND_TRIP: Final = 10 * 65536  # more is nonsense of the phone's


class RtcpError(ValueError):
    """A datagram that is not an RTCP packet."""


def report(
    outgoing: Outgoing, incoming: Incoming, before: Extent, heard: "LastReport", cname: str, now: float
) -> bytes:
    """Return a compound packet for one leg: a sender or receiver report and the CNAME.

    now: monotonic seconds. The NTP field carries them, as section 6.4.1 allows a sender without wall
    clock: receivers only compare it with itself. before: of `incoming`, when the last report was made.
    heard: the leg's newest sender report, by which it computes the round trip.
    """
    blocks = b""
    if incoming.ssrc >= 0:
        about = heard if heard.ssrc == incoming.ssrc else NO_REPORT
        blocks = _BLOCK.pack(
            incoming.ssrc,
            incoming.extent.fraction_lost(before) << 24 | min(incoming.lost, 0x7FFFFF),
            incoming.highest & 0xFFFFFFFF,
            int(incoming.jitter_ticks) & 0xFFFFFFFF,
            about.middle,
            about.delay(now),
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


class ReportBlock(NamedTuple):
    """What a receiver says of one stream (section 6.4.1).

    ssrc: of the stream; fraction_lost: of the last interval, of 256; lost: since the beginning, below 0
    when more came than was sent; jitter_ticks: of the stream's clock; last_report: the middle 32 bits of
    the NTP field of the sender report that it had last, 0 for none; delay: since then, of 65,536 a second.
    """

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter_ticks: int
    last_report: int
    delay: int

    def round_trip_seconds(self, now: float) -> float:
        """Return how long our report and this one were on their way together, -1.0 when that isn't known.

        now: monotonic seconds, when this report came; our own reports carry the same clock.
        """
        if not self.last_report:
            return -1.0
        ticks = int(now * 65536) - self.last_report - self.delay & 0xFFFFFFFF
        return ticks / 65536 if ticks < _LONGEST_ROUND_TRIP else -1.0


class LastReport(NamedTuple):
    """A leg's newest sender report (section 6.4.1): LSR and DLSR of ours.

    ssrc: whose; middle: 32 bits of its NTP field, 0 for none; at: when it came, monotonic seconds.
    """

    ssrc: int
    middle: int
    at: float

    def delay(self, now: float) -> int:
        """Return how long ago it came, of 65,536 a second; 0 before any."""
        return min(int((now - self.at) * 65536), 0xFFFFFFFF) if self.middle else 0


def read_reports(datagram: bytes, now: float) -> tuple[list[ReportBlock], LastReport]:
    """Return what the reports of a compound datagram say of streams, and its sender report or NO_REPORT.

    now: monotonic seconds, when it came.
    Raises RtcpError when the lengths don't add up or the version is wrong (appendix A.2).
    """
    blocks: list[ReportBlock] = []
    sender = NO_REPORT
    offset = 0
    for kind in packet_types(datagram):
        end = offset + 4 + 4 * int.from_bytes(datagram[offset + 2 : offset + 4])
        if kind in (SENDER_REPORT, RECEIVER_REPORT):
            start = offset + (_SENDER.size if kind == SENDER_REPORT else _RECEIVER.size)
            count = datagram[offset] & 0x1F
            if start + count * _BLOCK.size > end:
                raise RtcpError("a report shorter than its blocks")
            if kind == SENDER_REPORT:
                ssrc, seconds, fraction = _ORIGIN.unpack_from(datagram, offset + 4)
                sender = LastReport(ssrc, (seconds & 0xFFFF) << 16 | fraction >> 16, now)
            for place in range(start, start + count * _BLOCK.size, _BLOCK.size):
                ssrc, lost, highest, jitter, last, delay = _BLOCK.unpack_from(datagram, place)
                signed = (lost & 0xFFFFFF ^ 0x800000) - 0x800000
                blocks.append(ReportBlock(ssrc, lost >> 24, signed, highest, jitter, last, delay))
        offset = end
    return blocks, sender


NO_REPORT: Final = LastReport(-1, 0, 0.0)


class Reception:
    """How one leg hears us, as it has reported last. round_trip_ms: 0.0 before it is known.

    lost: packets of ours that it missed; jitter_ticks: of our stream's clock; sender: its own newest
    sender report. loss_percent: the most that it missed between any two of its last REPORTS_KEPT reports,
    rounded up.
    """

    __slots__ = ("_losses", "_next_at", "jitter_ticks", "loss_percent", "lost", "round_trip_ms", "sender")

    def __init__(self) -> None:
        self.round_trip_ms = 0.0
        self.lost = self.jitter_ticks = self.loss_percent = 0
        self._losses: deque[int] = deque(maxlen=REPORTS_KEPT)
        self.sender = NO_REPORT
        self._next_at = -1.0

    def is_due(self, now: float) -> bool:
        """Say whether another report would be read: two of them are in a second, at most."""
        return now >= self._next_at

    def take(self, datagram: bytes, now: float) -> None:
        """Read a report unless one was just read; what isn't one says nothing. now: monotonic.

        A leg gets one stream of ours, so that its first block is about that one.
        """
        if not self.is_due(now):
            return
        self._next_at = now + SHORTEST_INTERVAL_SECONDS
        try:
            blocks, sender = read_reports(datagram, now)
        except RtcpError:
            return
        if sender is not NO_REPORT:
            self.sender = sender
        if blocks:
            self.lost, self.jitter_ticks = max(0, blocks[0].lost), blocks[0].jitter_ticks
            self._losses.append(-(-100 * blocks[0].fraction_lost // 256))
            self.loss_percent = max(self._losses)
            round_trip = blocks[0].round_trip_seconds(now)
            if round_trip >= 0:
                self.round_trip_ms = round(round_trip * 1000, 1)


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
