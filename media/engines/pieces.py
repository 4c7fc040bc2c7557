"""A sound as pieces that fit into a datagram, for an engine on another machine.

rtpengine plays a sound that it is sent with the request. A piece is a WAV of A-law, a byte a sample: 7 s of
a telephone's sound at most. A longer sound is cut where it is quietest, and its pieces are played one after
the other.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from media import codecs
from media.codecs import SAMPLE_RATE
from media.engine import Source
from media.sdp import Codec

if TYPE_CHECKING:
    from media.engines.sounds import Sounds  # with numpy: for a node that has rtpengine

FRAME_MS: Final = 20
PIECE_FRAMES: Final = 7000 // FRAME_MS
_CUT_FRAMES: Final = 2000 // FRAME_MS  # a cut is looked for in the last two seconds of a piece
_PCMA: Final = Codec(8, "PCMA", SAMPLE_RATE, 1, "pcma/8000/1")
_ALAW: Final = 6  # RFC 2361 appendix A: the WAVE form of A-law
_FORMAT: Final = struct.Struct("<HHIIHHH")
_HEADER_BYTES: Final = 12 + 8 + _FORMAT.size + 12 + 8  # RIFF, fmt, fact, and the head of data
_FRAME_BYTES: Final = SAMPLE_RATE * FRAME_MS // 1000


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sound: a whole WAV file, and how long it lasts."""

    wav: bytes
    seconds: float

    def frame(self, place: int) -> bytes:
        """Return 20 ms of its A-law, b"" behind its end."""
        start = _HEADER_BYTES + place * _FRAME_BYTES
        return self.wav[start : min(start + _FRAME_BYTES, _HEADER_BYTES + round(self.seconds * SAMPLE_RATE))]


def pieces_of(sounds: Sounds, source: Source, repeat: bool) -> tuple[Piece, ...]:
    """Return a source as pieces, in order; one at least.

    May take a second (speech, a long file): not for an event loop. Raises ValueError (WavError) for a file
    that can't be played, or a tone that isn't one.
    """
    frames = sounds.payloads(source, _PCMA, repeat=repeat)
    if not frames:
        raise ValueError("a sound without a sample")
    pieces = []
    while frames:
        length = len(frames) if len(frames) <= PIECE_FRAMES else _quietest(frames)
        pieces.append(Piece(_alaw_wav(b"".join(frames[:length])), length * FRAME_MS / 1000))
        frames = frames[length:]
    return tuple(pieces)


def _quietest(frames: tuple[bytes, ...]) -> int:
    """Return where to end a piece: at the quietest frame of its last seconds."""
    places = range(PIECE_FRAMES - _CUT_FRAMES, PIECE_FRAMES)
    return min(places, key=lambda place: sum(map(abs, codecs.decode("PCMA", frames[place]))))


def _alaw_wav(body: bytes) -> bytes:
    fmt = _FORMAT.pack(_ALAW, 1, SAMPLE_RATE, SAMPLE_RATE, 1, 8, 0)
    padded = body + b"\0" * (len(body) % 2)
    chunks = b"fmt %s%s" % (struct.pack("<I", len(fmt)), fmt)
    # Every form but PCM has a fact chunk: how many samples there are.
    chunks += b"fact" + struct.pack("<II", 4, len(body))
    chunks += b"data" + struct.pack("<I", len(body)) + padded
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
