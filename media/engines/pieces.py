"""A source as pieces that fit into a datagram, for an engine on another machine.

rtpengine plays a sound that it is sent with the request. A piece is a WAV of A-law, a byte a sample: 7 s of
a telephone's sound at most. A longer sound is cut where it is quietest, and its pieces are played one after
the other.
"""

import struct
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from media import codecs, speech, tones, wav
from media.codecs import SAMPLE_RATE, Pcm
from media.engine import Music, Source, Wav
from media.speech import Speech
from media.tones import Tone

PIECE_SAMPLES: Final = 7 * SAMPLE_RATE
_CUT_SAMPLES: Final = 2 * SAMPLE_RATE  # a cut is looked for in the last two seconds of a piece
_FRAME: Final = SAMPLE_RATE // 50
_ALAW: Final = 6  # RFC 2361 appendix A: the WAVE form of A-law
_FORMAT: Final = struct.Struct("<HHIIHHH")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sound: a whole WAV file, and how long it lasts."""

    wav: bytes
    seconds: float


def pieces_of(source: Source, prompts: Path) -> tuple[Piece, ...]:
    """Return a source as pieces, in order; one at least.

    prompts: folder of spoken prompts. May take a second (speech, a long file): not for an event loop.
    Raises ValueError (WavError) for a file that can't be played, or a tone that isn't one.
    """
    pcm = _sound(source, prompts)
    if not pcm:
        raise ValueError("a sound without a sample")
    pieces = []
    while pcm:
        length = len(pcm) if len(pcm) <= PIECE_SAMPLES else _quietest(pcm)
        pieces.append(Piece(_alaw_wav(codecs.encode("PCMA", pcm[:length])), length / SAMPLE_RATE))
        pcm = pcm[length:]
    return tuple(pieces)


def _sound(source: Source, prompts: Path) -> Pcm:
    match source:
        case Tone():
            return tones.samples(source)
        case Wav():
            return wav.read_file(Path(source.path))
        case Speech():
            return speech.speak(source, prompts)
        case Music():
            from media.music import melody  # numpy: only where music is asked for

            return array("h", melody(SAMPLE_RATE).tolist())


def _quietest(pcm: Pcm) -> int:
    """Return where to end a piece: at the quietest frame of its last seconds."""
    starts = range(PIECE_SAMPLES - _CUT_SAMPLES, PIECE_SAMPLES, _FRAME)
    return min(starts, key=lambda start: sum(abs(sample) for sample in pcm[start : start + _FRAME]))


def _alaw_wav(body: bytes) -> bytes:
    fmt = _FORMAT.pack(_ALAW, 1, SAMPLE_RATE, SAMPLE_RATE, 1, 8, 0)
    padded = body + b"\0" * (len(body) % 2)
    chunks = b"fmt %s%s" % (struct.pack("<I", len(fmt)), fmt)
    # Every form but PCM has a fact chunk: how many samples there are.
    chunks += b"fact" + struct.pack("<II", 4, len(body))
    chunks += b"data" + struct.pack("<I", len(body)) + padded
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
