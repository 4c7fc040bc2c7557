"""Comfort noise (RFC 3389): the sound of a room in a few bytes, sent while nobody speaks.

A payload is a level below full scale and the shape of the noise as reflection coefficients, which many
phones leave out. A shape costs some 100 CPU microseconds when it is described or first heard, a frame of
20 ms of noise 12.
"""

import math
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from media.g711 import CodecError, Samples, clipped

PAYLOAD_TYPE: Final = 13
MAX_COEFFICIENTS: Final = 12
QUIETEST_DBOV: Final = -127
_STEP: Final = 258 / 32768  # RFC 3389 section 3.2: of a coefficient from -1 to 1, whose zero is 127
_FULL_SCALE: Final = 32767.0  # 0 dBov: the level of a square wave that fills 16 bits
_RESPONSE_SAMPLES: Final = 96  # of the filter that shapes the noise

_Sound = npt.NDArray[np.float64]


class Noise(msgspec.Struct, frozen=True):
    """A level, 0 to QUIETEST_DBOV, and reflection coefficients between -1 and 1 (none: white noise)."""

    level_dbov: int
    reflections: tuple[float, ...] = ()


def parse(payload: bytes) -> Noise:
    """Read a payload, at most MAX_COEFFICIENTS of it. Raises CodecError when it is empty."""
    if not payload:
        raise CodecError("comfort noise without a level")
    reflections = tuple((byte - 127) * _STEP for byte in payload[1 : 1 + MAX_COEFFICIENTS])
    return Noise(-(payload[0] & 0x7F), tuple(max(-0.99, min(0.99, one)) for one in reflections))


def build(noise: Noise) -> bytes:
    """Return the payload (RFC 3389 section 3)."""
    coefficients = [max(0, min(254, round(one / _STEP) + 127)) for one in noise.reflections]
    return bytes([min(127, max(0, -noise.level_dbov)), *coefficients])


def describe(samples: Samples, coefficients: int = 8) -> Noise:
    """Return the noise that sounds like these samples, of 20 ms or more."""
    sound = samples.astype(np.float64)
    level = math.sqrt(float(np.dot(sound, sound)) / max(1, len(sound)))
    if level < 1:
        return Noise(QUIETEST_DBOV)
    decibels = max(QUIETEST_DBOV, min(0, round(20 * math.log10(level / _FULL_SCALE))))
    windowed = sound * np.hanning(len(sound))
    products = [
        float(np.dot(windowed[lag:], windowed[: len(windowed) - lag])) for lag in range(coefficients + 1)
    ]
    products[0] *= 1.001  # a little white noise keeps the recursion stable
    return Noise(decibels, _reflections(products))


def _reflections(products: list[float]) -> tuple[float, ...]:
    """Return the reflection coefficients of an autocorrelation (Levinson and Durbin)."""
    error, predictor, reflections = products[0], [1.0], []
    for order in range(1, len(products)):
        reflection = -sum(one * products[order - place] for place, one in enumerate(predictor)) / error
        predictor = _stepped_up(predictor, reflection)
        error *= 1 - reflection * reflection
        reflections.append(reflection)
    return tuple(reflections)


def _stepped_up(predictor: list[float], reflection: float) -> list[float]:
    """Return the predictor one order higher."""
    longer = [*predictor, 0.0]
    return [one + reflection * other for one, other in zip(longer, reversed(longer), strict=True)]


class Generator:
    """Noise for one ear. seed: so that two ears don't hear the same noise."""

    __slots__ = ("_excitation", "_noise", "_random", "_response")

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._noise = Noise(QUIETEST_DBOV)
        self._response: _Sound = np.ones(1)
        self._excitation: _Sound = np.zeros(0)

    def make(self, noise: Noise, count: int) -> Samples:
        """Return `count` samples of this noise."""
        if noise.level_dbov <= QUIETEST_DBOV:
            return np.zeros(count, np.int16)
        if noise != self._noise:
            self._noise, self._response = noise, _response(noise.reflections)
            self._excitation = self._random.standard_normal(len(self._response) - 1)
        excitation = np.concatenate((self._excitation, self._random.standard_normal(count)))
        self._excitation = excitation[count:]
        level = _FULL_SCALE * 10 ** (noise.level_dbov / 20)
        sound = np.convolve(excitation, self._response, "valid") * level
        return clipped(sound.astype(np.float32))


def _response(reflections: tuple[float, ...]) -> _Sound:
    """Return the impulse response of the filter, of energy 1."""
    predictor = [1.0]
    for reflection in reflections:
        predictor = _stepped_up(predictor, reflection)
    response = [1.0]
    for place in range(1, _RESPONSE_SAMPLES if reflections else 1):
        used = range(1, min(place, len(predictor) - 1) + 1)
        response.append(-sum(predictor[back] * response[place - back] for back in used))
    shape = np.array(response)
    normal: _Sound = shape / math.sqrt(float(np.dot(shape, shape)))
    return normal
