"""Generic NACK (RFC 4585 section 6.2.1): what is sent again, and what is asked for again.

`Sent` keeps the newest packets to a browser as they were sent, encrypted: sending one again needs no key
and uses no number twice. `Missing` finds the gaps in what a browser sends.
"""

import struct
from collections.abc import Iterable
from typing import Final

TRANSPORT_FEEDBACK: Final = 205
NACK: Final = 1
KEPT_PACKETS: Final = 512  # about a second of video of 4 Mbit/s; a power of two
MOST_MISSING: Final = 128  # a longer gap is mended by a key frame
TRIES: Final = 6
RETRY_SECONDS: Final = 0.06  # more than most round trips, less than a jitter buffer of video waits
LATE_PACKETS: Final = 1024  # an older number than this is another beginning, not a packet that came late

_HEADER: Final = struct.Struct(">BBHII")
_ITEM: Final = struct.Struct(">HH")


class Sent:
    """The newest KEPT_PACKETS of one SSRC, by sequence number."""

    __slots__ = ("_packets",)

    def __init__(self) -> None:
        self._packets: list[bytes] = [b""] * KEPT_PACKETS

    def keep(self, packet: bytes) -> None:
        """Keep a packet as it is on the wire; its RTP header is in clear."""
        self._packets[packet[3] + (packet[2] << 8) & KEPT_PACKETS - 1] = packet

    def find(self, ssrc: bytes, sequences: Iterable[int]) -> list[bytes]:
        """Return those of these packets that are still kept."""
        found = []
        for sequence in sequences:
            packet = self._packets[sequence & KEPT_PACKETS - 1]
            if packet[2:4] == sequence.to_bytes(2) and packet[8:12] == ssrc:
                found.append(packet)
        return found


class Missing:
    """The gaps in one SSRC. ssrc: whose. Sequence numbers are those of the packets, modulo 65,536."""

    __slots__ = ("_awaited", "_highest", "ssrc")

    def __init__(self, ssrc: bytes, sequence: int) -> None:
        self.ssrc = ssrc
        self._highest = sequence
        self._awaited: dict[int, tuple[float, int]] = {}  # when to ask again, and how often yet

    def __bool__(self) -> bool:
        return bool(self._awaited)

    def note(self, sequence: int, now: float) -> bool:
        """Note a packet that has come; say whether it shows that others before it haven't."""
        step = (sequence - self._highest) & 0xFFFF
        if step == 1:
            self._highest = sequence
            return False
        if step == 0 or step > 0xFFFF - LATE_PACKETS:
            self._awaited.pop(sequence, None)
            return False
        if step > MOST_MISSING:
            self._awaited.clear()
        else:
            for one in range(self._highest + 1, self._highest + step):
                self._awaited[one & 0xFFFF] = (now, TRIES)
            while len(self._awaited) > MOST_MISSING:
                del self._awaited[next(iter(self._awaited))]
        self._highest = sequence
        return bool(self._awaited)

    def due(self, now: float) -> list[int]:
        """Return what is to be asked for now, in order; what was asked for often enough is given up."""
        due = [one for one, (at, _) in self._awaited.items() if at <= now]
        for one in due:
            left = self._awaited[one][1] - 1
            if left:
                self._awaited[one] = (now + RETRY_SECONDS, left)
            else:
                del self._awaited[one]
        return due


def requested(packet: bytes) -> list[int]:
    """Return the sequence numbers that a NACK asks for, at most KEPT_PACKETS. packet: whole, of RTCP."""
    sequences: list[int] = []
    for at in range(12, len(packet) - 3, 4):
        first, following = _ITEM.unpack_from(packet, at)
        sequences.append(first)
        sequences += [first + 1 + bit & 0xFFFF for bit in range(16) if following >> bit & 1]
        if len(sequences) >= KEPT_PACKETS:
            break
    return sequences[:KEPT_PACKETS]


def request(sender: int, ssrc: bytes, sequences: list[int]) -> bytes:
    """Return a NACK that asks for these. sequences: not empty, in order. sender: our SSRC."""
    items: list[tuple[int, int]] = []
    for sequence in sequences:
        if items and 0 < (sequence - items[-1][0] & 0xFFFF) <= 16:
            first, following = items[-1]
            items[-1] = (first, following | 1 << (sequence - first & 0xFFFF) - 1)
        else:
            items.append((sequence, 0))
    header = _HEADER.pack(0x80 | NACK, TRANSPORT_FEEDBACK, 2 + len(items), sender, int.from_bytes(ssrc))
    return header + b"".join(_ITEM.pack(*item) for item in items)
