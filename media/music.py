"""Music on hold: the administrator's WAV, or a calm melody of our own, ready for any codec.

A piece is encoded once for each codec, in frames of 20 ms, and played round and round to any number of
callers: a frame costs nothing but its packet. The melody is 25.6 s of soft sines in F major, generated
here, so that no right of anybody's is touched. Encoding it takes some 0.2 s (Opus), a file of five
minutes 2 s: work for the media process's worker thread.
"""

import logging
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from media import resampling, wav
from media.g711 import Samples
from media.sdp import Codec
from media.voice import encoder_of, natural_rate

_log = logging.getLogger(__name__)

FRAME_MS: Final = 20
_LOUDEST: Final = 4000  # about -16 dBm0 at its loudest, as operators ask of music
_JOIN_MS: Final = 400  # a file's end fades into its beginning

_BEAT_SECONDS: Final = 0.8
# A chord for each bar of four beats, as semitones above A (220 Hz): F, Dm, B flat, C, twice.
_CHORDS: Final = ((-4, 0, 3), (-7, -4, 0), (-11, -7, -4), (-9, -5, -2)) * 2
# Beat, semitones above A, beats it rings: eight bars of a tune over these chords.
_TUNE: Final = (
    (0, 12, 2), (2, 15, 1), (3, 17, 2), (5, 12, 2), (8, 13, 2), (10, 10, 1), (11, 8, 2), (13, 3, 2),
    (16, 12, 2), (18, 15, 1), (19, 20, 3), (22, 17, 2), (24, 15, 1), (25, 13, 1), (26, 10, 2), (28, 7, 2),
    (30, 8, 2),
)  # fmt: skip

_Sound = npt.NDArray[np.float64]


@lru_cache(maxsize=8)
def melody(rate: int) -> Samples:
    """Return our melody at `rate` samples a second; its end leads into its beginning."""
    sound = np.zeros(round(len(_CHORDS) * 4 * _BEAT_SECONDS * rate))
    for bar, chord in enumerate(_CHORDS):
        for semitones in chord:
            _add(sound, rate, 4 * bar, semitones, beats=5, loudness=0.25, attack_seconds=0.6)
    for beat, semitones, beats in _TUNE:
        _add(sound, rate, beat, semitones, beats=beats + 1, loudness=0.6, attack_seconds=0.03)
    return _levelled(sound)


def _add(
    sound: _Sound, rate: int, beat: int, semitones: int, *, beats: int, loudness: float, attack_seconds: float
) -> None:
    """Add one note, which rings over the end into the beginning."""
    seconds = np.arange(round(beats * _BEAT_SECONDS * rate)) / rate
    turn = 2 * np.pi * 220 * 2 ** (semitones / 12) * seconds
    note = np.sin(turn) + 0.3 * np.sin(2 * turn) + 0.1 * np.sin(3 * turn)
    rising = np.minimum(1, seconds / attack_seconds)
    # It dies away, and has gone when it ends.
    falling = np.exp(-1.2 * seconds) * np.minimum(1, (seconds[-1] - seconds) / 0.2)
    places = (round(beat * _BEAT_SECONDS * rate) + np.arange(len(note))) % len(sound)
    sound[places] += loudness * note * rising * falling


def _levelled(sound: _Sound) -> Samples:
    loudest = float(np.max(np.abs(sound), initial=0.0))
    samples: Samples = np.rint(sound * (_LOUDEST / loudest if loudest else 0.0)).astype(np.int16)
    return samples


def from_wav(data: bytes, rate: int) -> Samples:
    """Return a WAV's sound at `rate` samples a second, as loud as our melody, its end joined to its start.

    Raises WavError for what `wav.read_as_is` refuses, and for less than a second.
    """
    pcm, own_rate = wav.read_as_is(data)
    if len(pcm) < own_rate:
        raise wav.WavError("less than a second of music")
    sound = _levelled(resampling.whole(np.array(pcm, np.int16), own_rate, rate).astype(np.float64))
    join = rate * _JOIN_MS // 1000
    rising = np.linspace(0, 1, join)
    # Equal power: two different sounds, neither of them louder in between.
    joined = sound[:join] * np.sqrt(rising) + sound[-join:] * np.sqrt(1 - rising)
    return np.concatenate((np.rint(joined).astype(np.int16), sound[join:-join]))


class HoldMusic:
    """One piece, for all legs.

    path: of a WAV; None: our melody, which is also heard when the WAV can't be read.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._data = b""
        if path is not None:
            try:
                self._data = wav.bytes_of(path)
                from_wav(self._data, 8000)
            except wav.WavError as error:
                _log.warning("music on hold is our melody: %s: %s", path, error)
                self._data = b""
        self._loops: dict[tuple[str, str], tuple[bytes, ...]] = {}

    def samples(self, rate: int) -> Samples:
        """Return the piece at `rate` samples a second."""
        return from_wav(self._data, rate) if self._data else melody(rate)

    def loop(self, codec: Codec, fmtp: str = "") -> tuple[bytes, ...]:
        """Return the piece as payloads of 20 ms, to be played round and round. Encoded once for each codec.

        fmtp: what the leg said of the codec. Raises CodecError for a codec that isn't ours.
        """
        kept = self._loops.get((codec.key, fmtp))
        if kept is not None:
            return kept
        rate = natural_rate(codec)
        encoder = encoder_of(codec, rate, fmtp)
        sound, count = self.samples(rate), rate * FRAME_MS // 1000
        whole = range(0, len(sound) - count + 1, count)
        loop = tuple(encoder.encode(sound[start : start + count]) for start in whole)
        if len(self._loops) >= 16:  # fmtp lines come from the network
            self._loops.clear()
        self._loops[codec.key, fmtp] = loop
        return loop
