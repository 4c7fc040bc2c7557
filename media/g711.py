"""G.711 on numpy arrays (ITU-T G.711): the tables of `media.codecs`, 1.5 CPU microseconds a frame of 20 ms.

Sound that is mixed, resampled or transcoded is a `Samples`: signed 16-bit, one channel. Only the media
process works on it, so only modules of the media process import this one.
"""

from array import array
from functools import cache
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from media import codecs
from media.codecs import Law

Samples: TypeAlias = npt.NDArray[np.int16]

MAX_PAYLOAD_BYTES: Final = 1500


class CodecError(ValueError):
    """A payload that its codec can't read."""


def encode(law: Law, samples: Samples) -> bytes:
    """Return one G.711 byte for each sample."""
    return _encoding_table(law).take(samples).tobytes()  # negative ones count from its end


def decode(law: Law, payload: bytes) -> Samples:
    """Return one sample for each byte. Raises CodecError when there are more than MAX_PAYLOAD_BYTES."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise CodecError(f"a payload of {len(payload)} bytes")
    return _decoding_table(law).take(np.frombuffer(payload, np.uint8))


def clipped(sound: npt.NDArray[np.float32]) -> Samples:
    """Return sound rounded to 16 bits, what is too loud at the limit. Changes its argument."""
    np.rint(sound, out=sound)
    np.maximum(sound, -32768, out=sound)
    np.minimum(sound, 32767, out=sound)
    return sound.astype(np.int16)


@cache
def _encoding_table(law: Law) -> npt.NDArray[np.uint8]:
    """Return the code of samples 0 to 32767, then of -32768 to -1."""
    every = array("h", [*range(32768), *range(-32768, 0)])
    return np.frombuffer(codecs.encode(law, every), np.uint8)


@cache
def _decoding_table(law: Law) -> Samples:
    return np.array(codecs.decode(law, bytes(range(256))), np.int16)
