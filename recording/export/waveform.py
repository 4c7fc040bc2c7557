"""What a listener sees of a recording before they hear it: how loud each party is, and where nobody speaks.

A waveform has POINTS for each channel, however long the recording: the loudest sample of each part of it, in
thousandths. Silence is told more finely, by tenths of a second, so that a player may leave it out.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from recording.export.sound import Block

POINTS: Final = 1000
QUIET_LEVEL: Final = 330  # of 32,767: some 40 dB below the loudest, above the noise of a line
LEAST_QUIET_SECONDS: Final = 1.5  # shorter pauses belong to what is said
_LOOKS_A_SECOND: Final = 10


class Waveform:
    """Takes the sound as it is made.

    samples: of each channel in all; rate: a second, a multiple of ten.
    """

    def __init__(self, channels: int, samples: int, rate: int) -> None:
        self.points = min(POINTS, samples)
        self._samples = samples
        self._rate = rate
        self._peaks = np.zeros((self.points, channels), np.int32)
        self._done = self._told = 0
        self._look = rate // _LOOKS_A_SECOND
        self._loud: list[bool] = []

    def take(self, block: Block) -> None:
        """The sound goes on with these; one row a sample. Looks are whole in all blocks but the last."""
        count = len(block)
        loudness = np.abs(block.astype(np.int32))
        if loudness.shape[1]:
            places = np.arange(self._done, self._done + count) * self.points // self._samples
            np.maximum.at(self._peaks, places, loudness)
            for begin in range(0, count, self._look):
                self._loud.append(int(loudness[begin : begin + self._look].max()) > QUIET_LEVEL)
        self._done += count

    def finished(self) -> list[list[int]]:
        """Return the points that are whole since the last time: for each its loudness by channel, 0..1000."""
        until = self.points if self._done >= self._samples else self._done * self.points // self._samples
        some: npt.NDArray[np.int32] = self._peaks[self._told : until] * 1000 // 32_767
        self._told = until
        return [[int(one) for one in row] for row in some]

    def quiet(self) -> list[tuple[float, float]]:
        """Return from when to when nobody speaks, in seconds, up to where the sound is made."""
        found: list[tuple[float, float]] = []
        since: int | None = None
        for place, loud in enumerate([*self._loud, True]):
            if not loud and since is None:
                since = place
            elif loud and since is not None:
                if place - since >= LEAST_QUIET_SECONDS * _LOOKS_A_SECOND:
                    end = min(place / _LOOKS_A_SECOND, self._done / self._rate)
                    found.append((since / _LOOKS_A_SECOND, round(end, 3)))
                since = None
        return found
