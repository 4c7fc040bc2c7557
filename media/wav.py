"""WAV files of linear PCM, read strictly and written.

Whatever the file's rate and channels, what `read` returns is what a call plays: one channel of 16-bit
samples at 8,000 a second.
"""

import struct
from array import array
from pathlib import Path
from typing import Final

from media.codecs import SAMPLE_RATE, Pcm

LONGEST_SECONDS: Final = 300
RATES: Final = frozenset({8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000})
MAX_BYTES: Final = LONGEST_SECONDS * 48_000 * 4 + 65_536

HEADER_BYTES: Final = 44

_FORMAT: Final = struct.Struct("<HHIIHH")
_PCM: Final = 1


class WavError(ValueError):
    """A file that is not a WAV that we play."""


def read_file(path: Path) -> Pcm:
    """Return the file's sound at 8,000 samples a second, one channel.

    Raises WavError, also when the file is absent or can't be read.
    """
    return read(bytes_of(path))


def bytes_of(path: Path) -> bytes:
    """Return what is in the file, up to what a WAV may have. Raises WavError when it can't be read."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise WavError(f"{path}: {error.strerror}") from None


def read(data: bytes) -> Pcm:
    """Return the sound of a WAV at 8,000 samples a second, one channel. Raises WavError as `read_as_is`."""
    return resample(*read_as_is(data))


def read_as_is(data: bytes) -> tuple[Pcm, int]:
    """Return the sound of a WAV as one channel, and its rate.

    Raises WavError unless it is 16-bit PCM of one or two channels, at one of RATES, of at most
    LONGEST_SECONDS.
    """
    if len(data) > MAX_BYTES:
        raise WavError(f"longer than {LONGEST_SECONDS} s")
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise WavError("not a RIFF WAVE file")
    chunks = _chunks(data)
    if b"fmt " not in chunks or b"data" not in chunks:
        raise WavError("no fmt or no data chunk")
    if len(chunks[b"fmt "]) < _FORMAT.size:
        raise WavError("fmt chunk too short")
    encoding, channels, rate, _, block, bits = _FORMAT.unpack_from(chunks[b"fmt "])
    if encoding != _PCM or bits != 16 or channels not in (1, 2) or block != 2 * channels:
        raise WavError("not 16-bit PCM of one or two channels")
    if rate not in RATES:
        raise WavError(f"rate of {rate} a second")
    body = chunks[b"data"]
    if len(body) // block > LONGEST_SECONDS * rate:
        raise WavError(f"longer than {LONGEST_SECONDS} s")
    return _samples(body[: len(body) - len(body) % block], channels), rate


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """Return the first chunk of each name.

    A data chunk may say more than there is: espeak-ng writes to a pipe and can't come back to correct it.
    """
    chunks: dict[bytes, bytes] = {}
    offset = 12
    while offset + 8 <= len(data) and len(chunks) < 64:
        name, size = data[offset : offset + 4], int.from_bytes(data[offset + 4 : offset + 8], "little")
        chunks.setdefault(name, data[offset + 8 : offset + 8 + size])
        offset += 8 + size + size % 2
    return chunks


def _samples(body: bytes, channels: int) -> Pcm:
    pcm = array("h", struct.unpack(f"<{len(body) // 2}h", body))
    if channels == 1:
        return pcm
    return array("h", [(left + right) // 2 for left, right in zip(pcm[::2], pcm[1::2], strict=True)])


def resample(pcm: Pcm, rate: int) -> Pcm:
    """Return samples taken `rate` times a second as samples at 8,000 a second."""
    if rate == SAMPLE_RATE or not pcm:
        return pcm
    # Loaded by the first file of another rate: numpy takes 0.1 s and 20 MB, and then saves 5 us a sample.
    import numpy as np

    from media import resampling

    return array("h", resampling.whole(np.array(pcm, np.int16), rate, SAMPLE_RATE).tobytes())


def build(pcm: Pcm) -> bytes:
    """Return a WAV of one channel at 8,000 samples a second."""
    body = struct.pack(f"<{len(pcm)}h", *pcm)
    return header(len(body), SAMPLE_RATE) + body


def header(data_bytes: int, rate: int) -> bytes:
    """Return the HEADER_BYTES before the samples of a WAV of one channel. data_bytes: of all samples."""
    fmt = _FORMAT.pack(_PCM, 1, rate, 2 * rate, 2, 16)
    return b"".join(
        (
            b"RIFF", struct.pack("<I", HEADER_BYTES - 8 + data_bytes), b"WAVE",
            b"fmt ", struct.pack("<I", len(fmt)), fmt,
            b"data", struct.pack("<I", data_bytes),
        )
    )  # fmt: skip
