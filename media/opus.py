"""Opus (RFC 6716, 7587): one channel of speech, with its own concealment and error correction.

libopus itself, called through ctypes: PyAV's codec can neither conceal a lost frame nor read the copy of
it that the next packet may hold, and costs more. The library is the one that PyAV's wheel carries, or
the system's (Debian: libopus0).

libopus resamples inside: an encoder or decoder at 8,000 samples a second joins G.711 without a filter of
ours. Measured for 20 ms: to encode 30 CPU microseconds at 8,000 a second and 110 at 48,000, to decode 10
and 16. On the wire the clock is 48,000 ticks a second, whatever the sound's rate (RFC 7587 section 4.1).
"""

import ctypes
import ctypes.util
import importlib.util
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from media.g711 import MAX_PAYLOAD_BYTES, CodecError, Samples

CLOCK_RATE: Final = 48_000
RATES: Final = (8_000, 12_000, 16_000, 24_000, 48_000)
LONGEST_MS: Final = 120  # of sound in a packet

# RFC 7587 section 3.1.1: what each bandwidth of speech takes, in bits a second.
_BITS_A_SECOND: Final = {8_000: 16_000, 12_000: 18_000, 16_000: 22_000, 24_000: 28_000, 48_000: 34_000}
# From which rate on libopus has room for a copy of the packet before, with 5 % of loss to be expected: below
# it, it makes none, whatever was asked for. Spoken French, 1.1 to 1.4: four of five packets hold one.
_BITS_WITH_COPIES: Final = {8_000: 26_000, 12_000: 24_000, 16_000: 27_000, 24_000: 32_000, 48_000: 36_000}
_COMPLEXITY: Final = 3  # of 10: beyond, sound comes back hardly nearer and costs half as much again
# A telephone's band: spoken French comes back as near (spectral distance 4.9 dB, signal to noise 10.4 dB, 37
# bytes a packet) with 1 as with 3 and 5, for 27 CPU microseconds a frame instead of 47 and 61. With 0 it
# comes back less near (5.3 dB), for 2 microseconds less.
_NARROW_COMPLEXITY: Final = 1

_VOIP: Final = 2048
_SET_BITRATE: Final = 4002
_SET_COMPLEXITY: Final = 4010
_SET_INBAND_FEC: Final = 4012
_SET_PACKET_LOSS: Final = 4014


class OpusUnavailable(CodecError):
    """There is no libopus here."""


class Parameters(msgspec.Struct, frozen=True):
    """What an fmtp line says of Opus (RFC 7587 section 6.1).

    inband_fec: its author can use error correction; max_bits_a_second: 0 when it sets no limit.
    """

    inband_fec: bool = False
    max_playback_rate: int = 48_000
    max_bits_a_second: int = 0


_NOTHING_SAID: Final = Parameters()


def parse_fmtp(value: str) -> Parameters:
    """Read what stands behind "a=fmtp:NUMBER "; what is unknown or no number counts as absent."""
    fields: dict[str, int] = {}
    for field in value.split(";")[:32]:
        name, _, text = field.strip().partition("=")
        if len(text) <= 7 and text.isascii() and text.isdecimal():
            fields[name.lower()] = int(text)
    return Parameters(
        fields.get("useinbandfec") == 1,
        min(48_000, max(8_000, fields.get("maxplaybackrate", 48_000))),
        fields.get("maxaveragebitrate", 0),
    )


def build_fmtp(parameters: Parameters) -> str:
    """Return the value of an fmtp line of ours: one channel, and what `parameters` says."""
    fields = ["useinbandfec=1"] if parameters.inband_fec else []
    if parameters.max_playback_rate != 48_000:
        fields.append(f"maxplaybackrate={parameters.max_playback_rate}")
    if parameters.max_bits_a_second:
        fields.append(f"maxaveragebitrate={parameters.max_bits_a_second}")
    return ";".join(fields)


class Encoder:
    """One stream to the wire, of sound at one of RATES. Raises OpusUnavailable, or ValueError for a rate."""

    __slots__ = ("_input", "_input_at", "_library", "_output", "_state", "rate")

    def __init__(self, rate: int, peer: Parameters = _NOTHING_SAID) -> None:
        """peer: of whoever will decode."""
        _check_rate(rate)
        self._library = _libopus()
        error = ctypes.c_int()
        self.rate = rate
        self._state = ctypes.c_void_p(self._library.opus_encoder_create(rate, 1, _VOIP, ctypes.byref(error)))
        if error.value:
            raise OpusUnavailable(f"libopus makes no encoder: error {error.value}")
        self._input = np.zeros(rate * LONGEST_MS // 1000, np.int16)
        self._input_at = self._input.ctypes.data  # asked once: numpy makes an object each time
        self._output = ctypes.create_string_buffer(MAX_PAYLOAD_BYTES)
        bits = (_BITS_WITH_COPIES if peer.inband_fec else _BITS_A_SECOND)[rate]
        if peer.max_bits_a_second:
            bits = max(6_000, min(bits, peer.max_bits_a_second))
        self._set(_SET_BITRATE, bits)
        self._set(_SET_COMPLEXITY, _NARROW_COMPLEXITY if rate == 8_000 else _COMPLEXITY)
        self._set(_SET_INBAND_FEC, int(peer.inband_fec))

    def _set(self, request: int, value: int) -> None:
        self._library.opus_encoder_ctl(self._state, request, ctypes.c_int(value))

    def expect_loss(self, percent: int) -> None:
        """Tell what part of the packets the peer loses: from a few on each repeats the one before, for
        a third more of the processor and half as many bytes again.
        """
        self._set(_SET_PACKET_LOSS, max(0, min(100, percent)))

    def follow(self, other: "Encoder") -> None:
        """Go on where another encoder of the same rate is: what it has said so far was ours."""
        # opus.h: a state is one block of memory, copied by memcpy.
        size = self._library.opus_encoder_get_size(1)
        ctypes.memmove(self._state, other._state, size)

    def encode(self, samples: Samples) -> bytes:
        """Return one packet. Raises ValueError unless it is 2.5, 5, 10, 20, 40 or 60 ms of sound."""
        count = len(samples)
        self._input[:count] = samples
        written = self._library.opus_encode(
            self._state, self._input_at, count, self._output, MAX_PAYLOAD_BYTES
        )
        if written < 0:
            raise ValueError(f"{count} samples are no frame of Opus")
        return self._output.raw[:written]

    def __del__(self) -> None:
        if hasattr(self, "_state"):
            self._library.opus_encoder_destroy(self._state)


class Decoder:
    """One stream from the wire, to sound at one of RATES. Raises OpusUnavailable, ValueError for a rate."""

    __slots__ = ("_library", "_sound", "_sound_at", "_state", "rate")

    def __init__(self, rate: int) -> None:
        _check_rate(rate)
        self._library = _libopus()
        error = ctypes.c_int()
        self.rate = rate
        self._state = ctypes.c_void_p(self._library.opus_decoder_create(rate, 1, ctypes.byref(error)))
        if error.value:
            raise OpusUnavailable(f"libopus makes no decoder: error {error.value}")
        self._sound = np.zeros(rate * LONGEST_MS // 1000, np.int16)
        self._sound_at = self._sound.ctypes.data  # asked once: numpy makes an object each time

    def decode(self, payload: bytes) -> Samples:
        """Return the sound of a packet, two channels as one. Raises CodecError."""
        if not payload or len(payload) > MAX_PAYLOAD_BYTES:
            raise CodecError(f"a payload of {len(payload)} bytes")
        return self._decode(payload, len(self._sound), fec=0)

    def recover(self, next_payload: bytes, count: int) -> Samples:
        """Return `count` samples of the packet that was lost before this one, which is decoded afterwards.

        They come from the copy in this one, and are concealment when it holds none. Raises CodecError.
        """
        if not next_payload or len(next_payload) > MAX_PAYLOAD_BYTES:
            raise CodecError(f"a payload of {len(next_payload)} bytes")
        return self._decode(next_payload, self._lost(count), fec=1)

    def conceal(self, count: int) -> Samples:
        """Return `count` samples in the place of what was lost, a multiple of 2.5 ms."""
        return self._decode(None, self._lost(count), fec=0)

    def _lost(self, count: int) -> int:
        if not 0 < count <= len(self._sound) or count * 400 % self.rate:
            raise ValueError(f"{count} samples are no multiple of 2.5 ms up to {LONGEST_MS} ms")
        return count

    def _decode(self, payload: bytes | None, count: int, fec: int) -> Samples:
        size = len(payload) if payload else 0
        decoded = self._library.opus_decode(self._state, payload, size, self._sound_at, count, fec)
        if decoded < 0:
            raise CodecError(f"not a packet of Opus: error {decoded}")
        return self._sound[:decoded].copy()

    def __del__(self) -> None:
        if hasattr(self, "_state"):
            self._library.opus_decoder_destroy(self._state)


def _check_rate(rate: int) -> None:
    if rate not in RATES:
        raise ValueError(f"Opus has no rate of {rate} samples a second")


@cache
def _libopus() -> ctypes.CDLL:
    """Raises OpusUnavailable."""
    path = _library_path()
    if not path:
        raise OpusUnavailable("no libopus: install Debian's libopus0")
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise OpusUnavailable(f"{path}: {error}") from None
    state, data, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    code = ctypes.POINTER(ctypes.c_int)
    library.opus_encoder_create.argtypes = [size, size, size, code]
    library.opus_encoder_create.restype = state
    library.opus_encoder_get_size.argtypes = [size]
    library.opus_encode.argtypes = [state, ctypes.c_void_p, size, data, size]
    library.opus_encoder_destroy.argtypes = [state]
    library.opus_encoder_destroy.restype = None
    library.opus_decoder_create.argtypes = [size, size, code]
    library.opus_decoder_create.restype = state
    library.opus_decode.argtypes = [state, data, size, ctypes.c_void_p, size, size]
    library.opus_decoder_destroy.argtypes = [state]
    library.opus_decoder_destroy.restype = None
    return library


@cache
def _library_path() -> str:
    """Return the path or name of libopus, "" when there is none: looked for once, it takes a while."""
    av = importlib.util.find_spec("av")  # found, not imported
    for folder in av.submodule_search_locations or () if av else ():
        carried = sorted(Path(folder).parent.glob("av.libs/libopus-*"))
        if carried:
            return str(carried[0])
    name = ctypes.util.find_library("opus")
    return name or ""
