"""Digits heard as tones in the sound itself (ITU-T Q.23, Q.24), from a phone that sends no events.

Every 10 ms, the last 20 ms are compared with the eight frequencies. What a voice also does is told from a
key by five measures, each of which a key passes with room to spare:

    level       both tones above -32 dBm0
    twist       the high tone at most 6 dB louder than the low one, or 9 dB softer
    frequency   within 2.5 % (Q.24: 1.8 % must pass, 3.5 % must not), by the turn of the phase in 10 ms
    purity      two sines of these very frequencies are 85 % of all that is heard
    harmonics   next to nothing at twice a frequency, where a voice has its next overtone
    duration    twice in a row: more than 25 ms; 35 ms always pass

A key is over after 30 ms without it, so that a hole of 10 ms doesn't make two of one. A frame of 20 ms
costs 35 CPU microseconds of speech and 200 of a key.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from media import dtmf
from media.codecs import SAMPLE_RATE
from media.g711 import Samples

_BLOCK: Final = 160
_HOP: Final = 80
_LEAST_AMPLITUDE: Final = 560.0  # -32 dBm0; a full-scale sine is 3.14 dBm0 (ITU-T G.711)
_LEAST_ENERGY: Final = _LEAST_AMPLITUDE**2 * _BLOCK  # two tones, each half of its amplitude squared
_MOST_HIGH: Final = 10 ** (6 / 10)  # power of the high tone over the low one
_LEAST_HIGH: Final = 10 ** (-9 / 10)
_MOST_DEVIATION: Final = 0.025
_LEAST_SHARE: Final = 0.85
_HINT_SHARE: Final = 0.2  # before frequencies are known exactly; 1.8 % beside, a tone loses half
_MOST_HARMONIC: Final = 0.02
_HITS: Final = 2
_MISSES: Final = 3

_ROWS: Final = ("123A", "456B", "789C", "*0#D")
_FREQUENCIES_HZ: Final = np.array(
    [dtmf.frequencies_hz(row[0])[0] for row in _ROWS] + [dtmf.frequencies_hz(key)[1] for key in _ROWS[0]],
    np.float64,
)
_TURNS: Final = 2 * np.pi * _FREQUENCIES_HZ / SAMPLE_RATE  # radians a sample
_PLACES: Final = np.arange(_BLOCK)
# Columns: cosines, then sines, of each frequency.
_WAVES: Final = np.concatenate(
    [np.cos(np.outer(_PLACES, _TURNS)), np.sin(np.outer(_PLACES, _TURNS))], axis=1
).astype(np.float32)
_HOP_TURN: Final = np.exp(-1j * _TURNS * _HOP)

_Row = npt.NDArray[np.complex128]
_Sound = npt.NDArray[np.float32]


class InbandDetector:
    """Digits in one stream of sound at 8,000 samples a second.

    digit: the key that is down now, "" for none: what its sound is replaced by is the caller's affair.
    """

    __slots__ = ("_before", "_hits", "_likely", "_misses", "_past", "digit")

    def __init__(self) -> None:
        self.digit = ""
        self._past: _Sound = np.zeros(_BLOCK - _HOP, np.float32)
        self._before: _Row = np.zeros(8, np.complex128)  # of the block one hop ago
        self._likely = ""
        self._hits = 0
        self._misses = 0

    def receive(self, samples: Samples) -> str:
        """Return the digits that begin in this stretch, "" mostly. Any length will do."""
        sound = np.concatenate((self._past, samples), dtype=np.float32)
        blocks = (len(sound) - _BLOCK) // _HOP + 1
        if blocks <= 0:
            self._past = sound
            return ""
        self._past = sound[blocks * _HOP :]
        windows = np.lib.stride_tricks.as_strided(sound, (blocks, _BLOCK), (4 * _HOP, 4), writeable=False)
        parts = windows @ _WAVES
        rows = parts[:, :8] - 1j * parts[:, 8:]
        powers = (parts[:, :8] ** 2 + parts[:, 8:] ** 2) * (2 / _BLOCK)
        energies = np.einsum("ij,ij->i", windows, windows)
        hints = powers[:, :4].max(axis=1) + powers[:, 4:].max(axis=1) >= _HINT_SHARE * energies
        digits = ""
        for place, hint in enumerate(((energies >= _LEAST_ENERGY) & hints).tolist()):
            digit = ""
            if hint:
                before = rows[place - 1] if place else self._before
                digit = _digit_in(windows[place], float(energies[place]), powers[place], rows[place], before)
            digits += self._next(digit)
        self._before = rows[-1]
        return digits

    def _next(self, digit: str) -> str:
        """Take what one block says; return the digit when it is one now."""
        if digit and digit == self.digit:
            self._misses = 0
            return ""
        if self.digit:
            self._misses += 1
            if self._misses >= _MISSES:
                self.digit = ""
        self._hits = self._hits + 1 if digit and digit == self._likely else 1
        self._likely = digit
        if not digit or self._hits < _HITS:
            return ""
        self.digit, self._misses = digit, 0
        return digit


def _digit_in(block: _Sound, energy: float, powers: _Sound, row: _Row, before: _Row) -> str:
    """Return the key of a block that may hold one, "" when it doesn't.

    powers: of the eight frequencies; row: their parts, before: those one hop earlier.
    """
    low, high = int(np.argmax(powers[:4])), 4 + int(np.argmax(powers[4:]))
    pair = [low, high]
    turns = np.angle(row[pair] * before[pair].conj() * _HOP_TURN[pair]) / _HOP  # beside the true frequency
    if np.any(np.abs(turns) > _MOST_DEVIATION * _TURNS[pair]):
        return ""
    if not _is_pure(block, energy, _TURNS[pair] + turns):
        return ""
    return _ROWS[low][high - 4]


def _is_pure(block: _Sound, energy: float, turns: npt.NDArray[np.float64]) -> bool:
    """Return whether the block is two sines of these frequencies, loud and level enough, and little else."""
    angles = np.outer(turns, _PLACES)
    waves = np.concatenate((np.cos(angles), np.sin(angles)))
    products = waves @ block
    weights = np.linalg.solve(waves @ waves.T, products)
    if float(np.dot(weights, products)) < _LEAST_SHARE * energy:
        return False
    low, high = weights[0] ** 2 + weights[2] ** 2, weights[1] ** 2 + weights[3] ** 2
    if min(low, high) < _LEAST_AMPLITUDE**2 or not _LEAST_HIGH <= high / low <= _MOST_HIGH:
        return False
    # In what is left without the two: twice 770 Hz is too near to 1,477 to be told from it otherwise.
    doubled = np.exp(2j * angles) @ (block - weights @ waves)
    harmonics = (doubled.real**2 + doubled.imag**2) * (2 / _BLOCK)
    return bool(np.all(harmonics < _MOST_HARMONIC * energy))
