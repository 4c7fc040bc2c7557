"""Tones: what a telephone says without words, as segments of frequencies and silence.

France's tones follow ITU-T E.180 supplement 2. A `Tone` is one turn of its cadence; whoever plays it
repeats it. All frequencies are whole hertz, so that a segment of whole periods joins itself without a
click.
"""

import math
from array import array
from functools import lru_cache
from typing import Final

import msgspec

from media import dtmf
from media.codecs import SAMPLE_RATE, Pcm

LONGEST_MS: Final = 60_000
AMPLITUDE: Final = 8000  # about -12 dBm0, for one frequency and for the sum of two


class Segment(msgspec.Struct, frozen=True):
    """A stretch of a tone: the frequencies heard together, none for silence."""

    milliseconds: int
    frequencies_hz: tuple[int, ...] = ()


class Tone(msgspec.Struct, frozen=True, tag=True):
    """One turn of a cadence."""

    segments: tuple[Segment, ...]

    @property
    def milliseconds(self) -> int:
        """How long one turn lasts."""
        return sum(segment.milliseconds for segment in self.segments)


def sine(frequency_hz: int, milliseconds: int = 1000) -> Tone:
    """Return one frequency without a pause."""
    return Tone((Segment(milliseconds, (frequency_hz,)),))


RINGBACK: Final = Tone((Segment(1500, (440,)), Segment(3500)))
BUSY: Final = Tone((Segment(500, (440,)), Segment(500)))
CONGESTION: Final = Tone((Segment(250, (440,)), Segment(250)))
DIAL: Final = sine(440)
# "This number can't be reached", before an announcement (E.180: special information tone).
SPECIAL_INFORMATION: Final = Tone(
    (Segment(300, (950,)), Segment(300, (1400,)), Segment(300, (1800,)), Segment(1000))
)
FRANCE: Final = {
    "ringback": RINGBACK,
    "busy": BUSY,
    "congestion": CONGESTION,
    "dial": DIAL,
    "special_information": SPECIAL_INFORMATION,
}


def key_presses(digits: str) -> Tone:
    """Return digits as the tones of the keys, 100 ms each. Raises ValueError for another character."""
    segments: list[Segment] = []
    for digit in dtmf.digits_only(digits):
        segments += [Segment(100, dtmf.frequencies_hz(digit)), Segment(80)]
    return Tone(tuple(segments))


def samples(tone: Tone) -> Pcm:
    """Return one turn of the tone as 16-bit samples at 8,000 a second.

    Raises ValueError when it is empty or longer than LONGEST_MS, or a frequency isn't below 4,000 Hz.
    """
    if not 0 < tone.milliseconds <= LONGEST_MS:
        raise ValueError(f"a tone lasts 1 to {LONGEST_MS} ms")
    pcm = array("h")
    for segment in tone.segments:
        pcm += _segment(segment)
    return pcm


@lru_cache(maxsize=64)
def _segment(segment: Segment) -> Pcm:
    wanted = segment.milliseconds * SAMPLE_RATE // 1000
    if segment.milliseconds < 0 or any(not 0 < hz < SAMPLE_RATE // 2 for hz in segment.frequencies_hz):
        raise ValueError("a segment has a length, and frequencies between 0 and 4,000 Hz")
    if not segment.frequencies_hz:
        return array("h", bytes(2 * wanted))
    period = min(SAMPLE_RATE // math.gcd(SAMPLE_RATE, *segment.frequencies_hz), wanted)
    amplitude = AMPLITUDE / len(segment.frequencies_hz)
    turns = [2 * math.pi * hz / SAMPLE_RATE for hz in segment.frequencies_hz]
    one = array("h", [round(amplitude * sum(math.sin(t * n) for t in turns)) for n in range(period)])
    return (one * (wanted // period + 1))[:wanted] if period else one
