"""Whether a packet says anything, seen without playing it: what a conference's gate leaves out.

PCMU and PCMA are weighed sample by sample, comfort noise says its level itself. A packet of another codec
counts as sound. `media/native/loudness.c` says the same in C; the level is `media.jitter_buffer`'s.
"""

from functools import cache
from typing import Final

from media import codecs
from media.codecs import Law

QUIET_LEVEL: Final = 100  # root mean square of 16-bit samples, -50 dBov
_QUIET_DBOV: Final = 50
_LAWS: Final[dict[int, Law]] = {0: "PCMU", 8: "PCMA"}  # RFC 3551 table 4
_COMFORT_NOISE: Final = 13


def is_weighed(payload_type: int) -> bool:
    """Say whether packets of voice with this number can be found quiet."""
    return payload_type in _LAWS


def is_quiet(payload_type: int, payload: bytes | memoryview) -> bool:
    """Say whether nothing is said in a packet."""
    if payload_type == _COMFORT_NOISE:
        return len(payload) > 0 and payload[0] & 0x7F > _QUIET_DBOV  # RFC 3389 section 3.1: in -dBov
    if payload_type not in _LAWS:
        return False
    squares = _squares(_LAWS[payload_type])
    return sum([squares[code] for code in payload]) < QUIET_LEVEL**2 * len(payload)


@cache
def _squares(law: Law) -> list[int]:
    """Return the square of each code's sample."""
    return [sample * sample for sample in codecs.decode(law, bytes(range(256)))]
