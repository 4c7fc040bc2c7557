"""Which frequency is heard in a stretch of sound (Goertzel's algorithm).

Tests and the demo call use it to say "A hears B's tone": each phone sends its own frequency.
"""

import math
from typing import Final

from media.codecs import SAMPLE_RATE, Pcm

QUIET_LEVEL: Final = 50.0  # root mean square of 16-bit samples: below, it is line noise
_WINDOW_SAMPLES: Final = 1600
_COARSE_HZ: Final = 5


def level(pcm: Pcm) -> float:
    """Return the root mean square of the samples, 0.0 when there are none."""
    return math.sqrt(sum(sample * sample for sample in pcm) / len(pcm)) if pcm else 0.0


def share(pcm: Pcm, frequency_hz: float) -> float:
    """Return the share of the sound's energy that is at this frequency: 0.0 none, about 1.0 all."""
    energy = sum(sample * sample for sample in pcm)
    if not energy:
        return 0.0
    coefficient = 2 * math.cos(2 * math.pi * frequency_hz / SAMPLE_RATE)
    before = last = 0.0
    for sample in pcm:
        before, last = last, sample + coefficient * last - before
    power = before * before + last * last - coefficient * before * last
    return 2 * power / (len(pcm) * energy)


def heard_frequency_hz(pcm: Pcm, low_hz: int = 200, high_hz: int = 3400) -> float:
    """Return the frequency, within about 2 Hz, that carries most of the sound.

    0.0 when it is quiet or when no single frequency between the two bounds carries half of the energy.
    At most the middle 0.2 s are looked at.
    """
    start = max(0, (len(pcm) - _WINDOW_SAMPLES) // 2)
    window = pcm[start : start + _WINDOW_SAMPLES]
    if level(window) < QUIET_LEVEL:
        return 0.0
    coarse = max(range(low_hz, high_hz + 1, _COARSE_HZ), key=lambda hz: share(window, hz))
    fine = max(range(coarse - _COARSE_HZ, coarse + _COARSE_HZ + 1), key=lambda hz: share(window, hz))
    return float(fine) if share(window, fine) >= 0.5 else 0.0
