"""Digits as RTP named events (RFC 4733), sent and detected; and as tones for those who can't (Q.23).

A digit is a run of packets with one timestamp, growing durations, and the last one sent three times
with the end bit. `DigitDetector` reports each digit once, at its first packet: an application reacts
while the key is still down, and any of the packets may be lost.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Final

from media.rtp import Frame

DIGITS: Final = "0123456789*#ABCD"
MAX_DIGITS: Final = 128  # in one go
CLOCK_RATE: Final = 8000
VOLUME_DBM0: Final = 10  # below 0 dBm0 (section 2.3.4)
LONGEST_SEGMENT_TICKS: Final = 0xFFFF

_EVENT: Final = struct.Struct(">BBH")

_LOW_HZ: Final = (697, 770, 852, 941)
_HIGH_HZ: Final = (1209, 1336, 1477, 1633)
_KEYPAD: Final = "123A456B789C*0#D"


def digits_only(text: str) -> str:
    """Return `text` in upper case.

    Raises ValueError when a character is not one of DIGITS, or there are more than MAX_DIGITS.
    """
    if len(text) > MAX_DIGITS:
        raise ValueError(f"more than {MAX_DIGITS} digits")
    text = text.upper()
    if unknown := set(text) - set(DIGITS):
        raise ValueError(f"not a digit: {sorted(unknown)}")
    return text


def packets(
    digits: str, *, digit_ms: int = 100, pause_ms: int = 80, clock_rate: int = CLOCK_RATE
) -> Iterator[Frame]:
    """Yield the packets of several digits, one for each 20 ms. Raises ValueError for another character.

    clock_rate: of the voice that the events go with (section 2.1).
    """
    wanted = max(1, digit_ms // 20)
    for digit in digits_only(digits):
        yield from _event(digit, clock_rate, lambda sent: sent < wanted)
        for _ in range(1, max(1, pause_ms // 20)):
            yield Frame(b"", False, clock_rate // 50)


def held_key(digit: str, is_down: Callable[[], bool], *, clock_rate: int = CLOCK_RATE) -> Iterator[Frame]:
    """Yield the packets of a key for as long as it is down, at least 40 ms and at most a segment.

    Raises ValueError for another character. clock_rate: as for `packets`.
    """
    return _event(digits_only(digit), clock_rate, lambda sent: sent < 2 or is_down())


def _event(digit: str, clock_rate: int, goes_on: Callable[[int], bool]) -> Iterator[Frame]:
    """Yield one event; goes_on: whether it is longer than so many packets of 20 ms."""
    event, step = DIGITS.index(digit), clock_rate // 50
    yield Frame(_EVENT.pack(event, VOLUME_DBM0, step), True, step)
    sent = 1
    while goes_on(sent) and (sent + 1) * step <= LONGEST_SEGMENT_TICKS:
        sent += 1
        yield Frame(_EVENT.pack(event, VOLUME_DBM0, sent * step), False, 0)
    ended = _EVENT.pack(event, 0x80 | VOLUME_DBM0, sent * step)
    for _ in range(3):  # 2.5.1.4: the end is sent three times, against loss
        yield Frame(ended, False, 0)
    yield Frame(b"", False, sent * step)


class DigitDetector:
    """Digits heard in one stream of events."""

    __slots__ = ("_duration", "_event", "_heard", "_timestamp")

    def __init__(self) -> None:
        self._heard = False
        self._event = 0
        self._timestamp = 0
        self._duration = 0

    def receive(self, payload: bytes | memoryview, timestamp: int, *, marker: bool) -> str:
        """Return the digit that starts with this packet, "" when it belongs to one already reported.

        timestamp: of the RTP packet. What isn't an event of a key (flash, tones, garbage) is "".
        """
        if len(payload) < 4:
            return ""
        event, _, duration = _EVENT.unpack_from(payload)
        if event >= len(DIGITS):
            return ""
        if self._heard:
            age = (timestamp - self._timestamp) & 0xFFFFFFFF
            if age == 0:
                self._duration = max(self._duration, duration)
                return ""
            if age >= 0x80000000:  # a late packet of an earlier digit
                return ""
            # 2.5.1.3: an event longer than 8 s goes on in a new segment, right behind the last one.
            continues = event == self._event and not marker and age == self._duration
            if continues and age == LONGEST_SEGMENT_TICKS:
                self._timestamp, self._duration = timestamp, duration
                return ""
        self._heard = True
        self._event, self._timestamp, self._duration = event, timestamp, duration
        return DIGITS[event]


def frequencies_hz(digit: str) -> tuple[int, int]:
    """Return the two frequencies of a key (ITU-T Q.23). Raises ValueError for another character."""
    place = _KEYPAD.index(digits_only(digit))
    return _LOW_HZ[place // 4], _HIGH_HZ[place % 4]
