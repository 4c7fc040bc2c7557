"""What legs are played: tones, files, spoken prompts and music as packets of their codec, encoded once.

A sound is kept by what it is and by the codec, up to KEPT_BYTES together: a prompt that a hundred callers
hear is one list of packets. Making one may take seconds (an engine speaks, FFmpeg and libopus are loaded),
so it is work for the media process's worker threads; several of them may ask at once.
"""

import math
import os
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np

from media import resampling, speech, tones, wav
from media.codecs import SAMPLE_RATE
from media.engine import Music, Source, Wav
from media.g711 import Samples
from media.music import HoldMusic
from media.sdp import Codec
from media.speech import Speech
from media.tones import Tone
from media.voice import encoder_of, natural_rate

FRAME_MS: Final = 20
KEPT_BYTES: Final = 32 * 1024 * 1024
_LONGEST_REPEATED_FRAMES: Final = 3000  # one minute: as far as a sound is repeated to end with a frame
_SPOKEN_RATE: Final = 16_000  # the most that Opus is given: prompts are voices

Payloads = tuple[bytes, ...]
_Key = tuple[object, ...]


class Sounds:
    """All that is played. prompts: folder of what was spoken; engine: that speaks, None for espeak-ng.

    music: a WAV file, None for the melody of our own.
    """

    def __init__(self, prompts: Path, engine: speech.Engine | None = None, music: Path | None = None) -> None:
        self._prompts = prompts
        self._engine = engine
        self._music_path = music
        self._music: HoldMusic | None = None
        self._kept: OrderedDict[_Key, Payloads] = OrderedDict()
        self._kept_bytes = 0
        self._lock = Lock()

    def payloads(self, source: Source, codec: Codec, fmtp: str = "", *, repeat: bool = False) -> Payloads:
        """Return the sound as packets of 20 ms; with `repeat`, so that its end leads into its beginning.

        Raises WavError, CodecError for a codec that isn't ours, ValueError for a tone that can't be.
        """
        if isinstance(source, Music):
            return self._hold_music().loop(codec, fmtp)
        key = (_identity(source), codec.key, fmtp, repeat)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = _encoded(self._samples(source, _rate(codec)), codec, fmtp, repeat=repeat)
        if not (isinstance(source, Wav) and source.start_ms):  # nobody pauses twice at one place
            self._keep(key, made)
        return made

    def _keep(self, key: _Key, made: Payloads) -> None:
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = made
            self._kept_bytes += sum(map(len, made))
            while self._kept_bytes > KEPT_BYTES and len(self._kept) > 1:
                _, oldest = self._kept.popitem(last=False)
                self._kept_bytes -= sum(map(len, oldest))

    def _hold_music(self) -> HoldMusic:
        with self._lock:
            if self._music is None:
                self._music = HoldMusic(self._music_path)
            return self._music

    def _samples(self, source: Tone | Wav | Speech, rate: int) -> Samples:
        """Return the sound at a rate. Raises WavError, ValueError."""
        match source:
            case Wav(path, start_ms):
                pcm, own_rate = wav.read_as_is(wav.bytes_of(Path(path)))
                pcm = pcm[max(start_ms, 0) * own_rate // 1000 :]
            case Tone():
                pcm, own_rate = tones.samples(source), SAMPLE_RATE
            case Speech():
                pcm, own_rate = speech.speak(source, self._prompts, self._engine), SAMPLE_RATE
        return resampling.whole(np.array(pcm, np.int16), own_rate, rate)


def _rate(codec: Codec) -> int:
    """Return the rate to encode at. Raises CodecError."""
    rate = natural_rate(codec)
    return min(rate, _SPOKEN_RATE) if codec.name.upper() == "OPUS" else rate


def _identity(source: Tone | Wav | Speech) -> _Key:
    """Return what names a sound; a file that changed is another one. Raises WavError when it is absent."""
    if not isinstance(source, Wav):
        return (source,)
    try:
        status = os.stat(source.path)
    except OSError as error:
        raise wav.WavError(f"{source.path}: {error.strerror}") from None
    return source.path, source.start_ms, status.st_mtime_ns, status.st_size


def _encoded(sound: Samples, codec: Codec, fmtp: str, *, repeat: bool) -> Payloads:
    rate = _rate(codec)
    count = rate * FRAME_MS // 1000
    rest = len(sound) % count
    turns = count // math.gcd(len(sound), count)  # after which a repeated sound ends with a frame
    if rest and repeat and turns * len(sound) <= _LONGEST_REPEATED_FRAMES * count:
        sound, rest = np.tile(sound, turns), 0
    if rest:
        sound = np.concatenate((sound, np.zeros(count - rest, np.int16)))
    encoder = encoder_of(codec, rate, fmtp)
    return tuple(encoder.encode(sound[start : start + count]) for start in range(0, len(sound), count))
