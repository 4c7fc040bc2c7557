"""Packets that overtook each other on their way, put in order again without a clock.

A packet that is missing holds back those behind it until it comes or HELD_PACKETS wait; one that comes
after its turn is dropped. This is for whoever decodes packets as they come; what is played at an even
pace has a jitter buffer instead.
"""

from typing import Final

from media.rtp import Packet

HELD_PACKETS: Final = 3  # 60 ms: as long as what is missing can be concealed
_ANOTHER_STREAM: Final = 100  # numbers: a jump that is no loss any more


class Reordering:
    """One stream of packets. dropped: came after their turn, or twice."""

    __slots__ = ("_expected", "_held", "_ssrc", "dropped")

    def __init__(self) -> None:
        self.dropped = 0
        self._ssrc = -1
        self._expected = 0
        self._held: dict[int, Packet] = {}

    def put(self, packet: Packet) -> list[Packet]:
        """Take a packet; return those whose turn has come, in order."""
        number = packet.sequence
        # RFC 3550 appendix A.1: numbers count modulo 2^16.
        ahead = (number - self._expected + 0x8000 & 0xFFFF) - 0x8000
        if packet.ssrc != self._ssrc or abs(ahead) > _ANOTHER_STREAM:
            before = self._all()
            self._ssrc, self._expected = packet.ssrc, number + 1 & 0xFFFF
            return [*before, packet]
        if ahead == 0:
            self._expected = number + 1 & 0xFFFF
            return [packet, *self._next()] if self._held else [packet]
        if ahead < 0 or number in self._held:
            self.dropped += 1
            return []
        self._held[number] = packet
        if len(self._held) < HELD_PACKETS:
            return []
        self._expected = min(self._held, key=self._distance)
        return self._next()

    def _distance(self, number: int) -> int:
        return number - self._expected & 0xFFFF

    def _next(self) -> list[Packet]:
        """Return what waits for no other packet any more."""
        ready = []
        while (packet := self._held.pop(self._expected, None)) is not None:
            ready.append(packet)
            self._expected = self._expected + 1 & 0xFFFF
        return ready

    def _all(self) -> list[Packet]:
        """Return what waits, whatever is missing."""
        held = [self._held[number] for number in sorted(self._held, key=self._distance)]
        self._held.clear()
        return held
