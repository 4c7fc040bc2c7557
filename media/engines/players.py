"""What plays a leg's packets where they are made into sound: in a room, in a recording of one leg."""

from collections.abc import Mapping
from typing import Final

from media.g711 import CodecError
from media.jitter_buffer import Player
from media.sdp import Codec
from media.voice import decoder_of

WIDE_RATE: Final = 16_000  # samples a second of the widest sound here
_NONE: Final = -1  # no payload type


class NotVoice(Exception):
    """Packets of this number aren't voice, or none that we can make into sound."""


def is_comfort_noise(codec: Codec) -> bool:
    """Whether packets of a codec say how a pause sounds (RFC 3389)."""
    return codec.name.upper() == "CN"


def player_of(codecs: Mapping[int, Codec], number: int, *, noise_seed: int = 0) -> Player:
    """Return what plays a leg's packets of this number, at most WIDE_RATE samples a second. Raises NotVoice.

    codecs: all that the leg may send with, by its numbers; noise_seed: of its pauses.
    """
    codec = codecs.get(number)
    if codec is None or codec.is_auxiliary:
        raise NotVoice
    try:
        decoder = decoder_of(codec, WIDE_RATE)
    except CodecError:
        raise NotVoice from None
    noise = (one.payload_type for one in codecs.values() if is_comfort_noise(one))
    return Player(decoder, noise_type=next(noise, _NONE), noise_seed=noise_seed)
