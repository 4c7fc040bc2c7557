"""What is heard in the place of sound that didn't come: the last pitch period again, fading out.

In the manner of G.711 appendix I, without its delay: the period is found by correlation over the last
sound, repeated with its ends joined, held for 10 ms and silent after 60. When sound comes again, the
repetition fades into it over 5 ms. A frame that came costs 0.3 CPU microseconds, the first lost one 60.
"""

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from media.g711 import Samples, clipped

_LONGEST_PERIOD_MS: Final = 15  # a voice of 66 Hz
_SHORTEST_PERIOD_MS: Final = 5
_COMPARED_MS: Final = 10
_KEPT_MS: Final = _LONGEST_PERIOD_MS + _COMPARED_MS + 5
_FULL_MS: Final = 10
_FADED_MS: Final = 60
_JOIN_MS: Final = 5
_QUIETEST: Final = 100  # samples below are the noise of a line, whose absence nobody hears

_Sound = npt.NDArray[np.float32]

_SILENCE: Final[_Sound] = np.zeros(1, np.float32)


class Concealer:
    """One stream of sound at `rate` samples a second, some of which is missing."""

    __slots__ = ("_kept", "_lost", "_per_ms", "_period", "_recent")

    def __init__(self, rate: int) -> None:
        self._per_ms = rate // 1000
        self._kept = _KEPT_MS * self._per_ms
        self._recent: list[Samples] = []  # the last frames that came, together at least `_kept` long
        self._period: _Sound = np.zeros(0, np.float32)

        self._lost = -1  # samples made up since the last frame that came; -1: none

    def heard(self, samples: Samples) -> Samples:
        """Take sound that came; return it, joined to what was made up before it."""
        if self._lost >= 0:
            samples = self._joined(samples)
            self._lost = -1  # samples made up since the last frame that came; -1: none
        recent = self._recent
        recent.append(samples)
        if len(recent) > 2 and sum(map(len, recent[1:])) >= self._kept:
            del recent[0]
        return samples

    def lost(self, count: int) -> Samples:
        """Return `count` samples in the place of what is missing; 0 only softens the next join."""
        if self._lost < 0:
            self._period = self._last_period() if self._is_heard() else _SILENCE
            self._lost = 0
        made_up = clipped(self._repetition(count))
        self._lost += count
        return made_up

    def _repetition(self, count: int) -> _Sound:
        place = np.arange(self._lost, self._lost + count)
        full, faded = _FULL_MS * self._per_ms, _FADED_MS * self._per_ms
        gain = np.minimum(1, np.maximum(0, (faded - place) / (faded - full))).astype(np.float32)
        sound: _Sound = self._period[place % len(self._period)] * gain
        return sound

    def _joined(self, samples: Samples) -> Samples:
        count = min(_JOIN_MS * self._per_ms, len(samples))
        rising = _rising(count)
        joined = samples.copy()
        joined[:count] = clipped(self._repetition(count) * (1 - rising) + samples[:count] * rising)
        return joined

    def _is_heard(self) -> bool:
        """Whether the last frame holds anything worth to be repeated."""
        return bool(self._recent) and int(np.abs(self._recent[-1]).max(initial=0)) > _QUIETEST

    def _last_period(self) -> _Sound:
        """Return the last period of what was heard, its end leading into its beginning."""
        heard = np.concatenate([np.zeros(self._kept, np.int16), *self._recent]).astype(np.float32)
        heard = heard[-self._kept :]
        shortest, longest = (ms * self._per_ms for ms in (_SHORTEST_PERIOD_MS, _LONGEST_PERIOD_MS))
        compared = _COMPARED_MS * self._per_ms
        newest = heard[-compared:]
        # Row i is what was heard (longest - i) samples before the newest.
        older = np.lib.stride_tricks.sliding_window_view(heard[-compared - longest : -shortest], compared)
        likeness = (older @ newest) / np.sqrt(np.einsum("ij,ij->i", older, older) + 1.0)
        length = longest - int(np.argmax(likeness))
        period = heard[-length:].copy()
        join = length // 4
        rising = _rising(join)
        period[-join:] = period[-join:] * (1 - rising) + heard[-length - join : -length] * rising
        return period


@lru_cache(maxsize=64)
def _rising(count: int) -> _Sound:
    """Return a ramp from 0 to 1. It is shared: nobody may change it."""
    return np.linspace(0, 1, count, dtype=np.float32)
