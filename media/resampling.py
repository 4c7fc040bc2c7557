"""Another sampling rate, frame by frame or for a whole file.

`Resampler` is for a stream: each frame of whole milliseconds gives as many at the other rate, 3 ms
later, for 8 to 20 CPU microseconds a frame of 20 ms. It is a polyphase FIR as one product of matrices.
(soxr's own stream gives nothing for the first 50 to 160 ms and then in lumps; its quick form doesn't
filter.) `whole` is soxr at its best, for music and prompts.
"""

import math
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from media.g711 import Samples, clipped

RATES: Final = frozenset({8000, 12000, 16000, 24000, 32000, 48000})
_TAPS: Final = 48  # at the lower of the two rates
_PASSED: Final = 0.925  # of half the lower rate: 3,700 Hz of a telephone's 4,000
_KAISER_BETA: Final = 7.0  # what lies beyond is 70 dB down


class Resampler:
    """One stream from one of RATES to another. Raises ValueError for other rates."""

    __slots__ = ("_down", "_filters", "_past", "_up")

    def __init__(self, from_rate: int, to_rate: int) -> None:
        if from_rate not in RATES or to_rate not in RATES:
            raise ValueError(f"from {from_rate} to {to_rate} samples a second")
        divisor = math.gcd(from_rate, to_rate)
        self._up, self._down = to_rate // divisor, from_rate // divisor
        self._filters = _filters(self._up, self._down)
        self._past = np.zeros(len(self._filters) - self._down, np.float32)

    def process(self, samples: Samples) -> Samples:
        """Return the next stretch at the other rate.

        Raises ValueError unless the stretch is a whole number of samples at both rates.
        """
        turns, rest = divmod(len(samples), self._down)
        if rest:
            raise ValueError(f"{len(samples)} samples are no whole number at the other rate")
        sound = np.concatenate((self._past, samples), dtype=np.float32)
        self._past = sound[turns * self._down :]
        windows = np.lib.stride_tricks.as_strided(
            sound, (turns, len(self._filters)), (4 * self._down, 4), writeable=False
        )
        return clipped((windows @ self._filters).reshape(-1))

    def follow(self, other: "Resampler") -> None:
        """Go on where another one between the same rates is."""
        self._past = other._past


@cache
def _filters(up: int, down: int) -> npt.NDArray[np.float32]:
    """Return one column for each of `up` phases, as rows of input samples.

    Phase p of turn t is the output at input time t * down + p * down / up, less the filter's delay.
    """
    width = _TAPS * max(up, down) // up  # input samples under the filter
    width += -width % down
    cutoff = _PASSED * min(1.0, up / down)  # of half the input rate
    center = (width - 1) / 2
    columns = []
    for phase in range(up):
        distances = np.arange(width) - center - phase * down / up + (down - down / up) / 2
        shape = np.i0(_KAISER_BETA * np.sqrt(np.maximum(0, 1 - (distances / (width / 2)) ** 2)))
        taps = np.sinc(cutoff * distances) * shape
        columns.append(taps / taps.sum())
    return np.ascontiguousarray(np.stack(columns, axis=1), np.float32)


def whole(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """Return a whole sound at another rate, any two from 1,000 to 192,000; without delay."""
    import soxr  # for files alone: a process that only carries calls doesn't load it

    if from_rate == to_rate:
        return samples
    resampled: Samples = soxr.resample(samples, from_rate, to_rate, quality="VHQ")
    return resampled
