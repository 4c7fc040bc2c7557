"""Sound files that people get: WAV written here, FLAC and Opus by FFmpeg (through PyAV).

WAV and FLAC are sample by sample what `sound` made; Opus is for the ear and the post. Beyond 4 GB a WAV is
an RF64 (EBU Tech 3306). More than two channels are parties, not loudspeakers: a WAV says so by an empty
channel mask, an Opus by mapping family 255 (RFC 7845 section 5.1.1.3).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from recording.export.sound import Block

Format: TypeAlias = Literal["wav", "flac", "opus"]
FORMATS: Final[tuple[Format, ...]] = ("wav", "flac", "opus")
MOST_CHANNELS: Final = {"wav": 64, "flac": 8, "opus": 8}
_OPUS_BITS: Final = 32_000  # a second, of each channel
_OPUS_RATES: Final = (8000, 12000, 16000, 24000, 48000)

_RIFF_MOST: Final = 0xFFFF_FFFF
# A subformat's GUID is its tag and this: KSDATAFORMAT_SUBTYPE_PCM.
_PCM_GUID: Final = bytes.fromhex("0100000000001000800000aa00389b71")


class TooManyChannels(ValueError):
    """More parties than a format has room for; the text says what to do."""


def check(kind: Format, channels: int) -> None:
    """Raise TooManyChannels where a format can't hold so many."""
    if channels > MOST_CHANNELS[kind]:
        raise TooManyChannels(
            f"{kind} holds {MOST_CHANNELS[kind]} parties and this recording has {channels}; "
            f"take wav, or mix them into one channel"
        )


def write(
    kind: Format,
    path: Path,
    sound: Iterable[Block],
    rate: int,
    channels: int,
    samples: int,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write a new sound file. samples: of each channel in all; progress: called with how many are written.

    Raises TooManyChannels, OSError, and what making the sound raises.
    """
    check(kind, channels)
    with path.open("xb") as file:
        path.chmod(0o600)
        if kind == "wav":
            _write_wav(file, _told(sound, progress), rate, channels, samples)
        else:
            _write_encoded(kind, file, _told(sound, progress), rate, channels)


def wav_header(rate: int, channels: int, samples: int) -> bytes:
    """Return what stands before the samples of a WAV of 16 bits (an RF64 where it is too long)."""
    block = 2 * channels
    size = samples * block
    fmt = struct.pack("<HHIIHH", 1, channels, rate, rate * block, block, 16)
    if channels > 2:  # WAVE_FORMAT_EXTENSIBLE
        fmt = b"\xfe\xff" + fmt[2:] + struct.pack("<HHI", 22, 16, 0) + _PCM_GUID
    body = 4 + 8 + len(fmt) + 8 + size
    if body <= _RIFF_MOST:
        start = b"RIFF" + struct.pack("<I", body) + b"WAVE"
        stated = size
    else:
        ds64 = struct.pack("<QQQI", body + 36, size, samples, 0)
        start = b"RF64" + struct.pack("<I", _RIFF_MOST) + b"WAVEds64" + struct.pack("<I", 28) + ds64
        stated = _RIFF_MOST
    return start + b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", stated)


def _told(sound: Iterable[Block], progress: Callable[[int], None] | None) -> Iterable[Block]:
    done = 0
    for block in sound:
        yield block
        done += len(block)
        if progress is not None:
            progress(done)


def _write_wav(file: BinaryIO, sound: Iterable[Block], rate: int, channels: int, samples: int) -> None:
    file.write(wav_header(rate, channels, samples))
    file.writelines(block.astype("<i2").tobytes() for block in sound)


def _write_encoded(kind: Format, file: BinaryIO, sound: Iterable[Block], rate: int, channels: int) -> None:
    import av  # FFmpeg: 100 ms and 30 MB that a WAV doesn't need

    layout = {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")
    codec, container = ("flac", "flac") if kind == "flac" else ("libopus", "ogg")
    options = {"mapping_family": "255"} if kind == "opus" and channels > 2 else {}
    assert kind == "flac" or rate in _OPUS_RATES, "every rate of ours is one of Opus"
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout=layout, options=options)
        assert isinstance(stream, av.AudioStream)
        if kind == "opus":
            stream.bit_rate = _OPUS_BITS * channels
        stream.time_base = Fraction(1, rate)
        done = 0
        for block in sound:
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(block).reshape(1, -1), format="s16", layout=layout
            )
            frame.sample_rate = rate
            frame.pts = done
            done += len(block)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
