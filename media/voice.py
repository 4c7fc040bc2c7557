"""Voice codecs behind one interface: PCMU, PCMA, G.722, Opus and L16, for a stream to or from the wire.

A decoder also says how long a packet lasts without decoding it, and what to hear in the place of one
that is lost. Rates are in samples a second, ticks those of the codec's RTP clock.
"""

from typing import Final, Protocol

import numpy as np

from media import g711
from media.codecs import Law
from media.concealment import Concealer
from media.g711 import MAX_PAYLOAD_BYTES, CodecError, Samples
from media.sdp import Codec

LONGEST_MS: Final = 200  # of sound in one packet
# RFC 6716 section 3.1: of the 32 configurations, the ticks of a frame; by the last two bits, how many there
# are (0: the second byte says so).
_OPUS_FRAME_TICKS: Final = tuple(120 * units for units in (4, 8, 16, 24) * 3 + (4, 8) * 2 + (1, 2, 4, 8) * 4)
_OPUS_COUNTS: Final = (1, 2, 2, 0)
_OPUS_MOST_TICKS: Final = 48 * LONGEST_MS
_LOSS_TAKEN_FOR_GRANTED: Final = 5  # per cent, where nobody counts: a few bytes that save a word
_L16_RATES: Final = (8000, 16000, 48000)


class VoiceDecoder(Protocol):
    """One stream from the wire. rate: of the samples; clock_rate: of the timestamps."""

    rate: int
    clock_rate: int

    def ticks(self, payload: bytes) -> int:
        """Return how long the packet lasts, 0 when it can't be read."""

    def decode(self, payload: bytes) -> Samples:
        """Return the packet's sound. Raises CodecError."""

    def conceal(self, count: int, following: bytes = b"") -> Samples:
        """Return `count` samples in the place of lost ones.

        following: the packet right behind them, when it is there; it is decoded afterwards. 0 samples
        soften the joint with what comes next.
        """


class VoiceEncoder(Protocol):
    """One stream to the wire. rate: of the samples; clock_rate: of the timestamps."""

    rate: int
    clock_rate: int

    def encode(self, samples: Samples) -> bytes:
        """Return one packet with these samples, 20 ms of them."""

    def follow(self, other: "VoiceEncoder") -> None:
        """Go on where another encoder of the same codec, rate and fmtp is. Raises CodecError for G.722."""

    def expect_loss(self, percent: int) -> None:
        """Make the stream bear what the peer loses of it, where the codec can (Opus)."""


def natural_rate(codec: Codec) -> int:
    """Return the rate at which nothing of the codec's sound is lost. Raises CodecError for another codec."""
    name = codec.name.upper()
    if codec.channels == 1 or name == "OPUS":
        match name, codec.clock_rate:
            case (("PCMU" | "PCMA"), 8000):
                return 8000
            case "G722", 8000:
                return 16000
            case "OPUS", 48000:
                return 48000
            case "L16", rate if rate in _L16_RATES:
                return rate
    raise CodecError(f"no codec of ours: {codec.key[:40]}")


def decoder_of(codec: Codec, rate: int = 0) -> VoiceDecoder:
    """Return a decoder to `rate` samples a second where the codec has a choice (Opus), else its own rate.

    Raises CodecError for another codec.
    """
    own_rate = natural_rate(codec)
    match codec.name.upper():
        case "PCMU":
            return _G711Decoder("PCMU")
        case "PCMA":
            return _G711Decoder("PCMA")
        case "G722":
            return _G722Decoder()
        case "OPUS":
            return _OpusDecoder(rate or own_rate)
        case _:
            return _L16Decoder(own_rate)


def encoder_of(codec: Codec, rate: int = 0, fmtp: str = "") -> VoiceEncoder:
    """Return an encoder from `rate` samples a second where the codec has a choice (Opus), else its own.

    fmtp: what the peer said of this payload type. Raises CodecError for another codec.
    """
    own_rate = natural_rate(codec)
    match codec.name.upper():
        case "PCMU":
            return _G711Encoder("PCMU")
        case "PCMA":
            return _G711Encoder("PCMA")
        case "G722":
            return _G722Encoder()
        case "OPUS":
            return _OpusEncoder(rate or own_rate, fmtp)
        case _:
            return _L16Encoder(own_rate)


class _Waveform:
    """A codec whose losses are concealed by repetition."""

    def __init__(self, rate: int, clock_rate: int) -> None:
        self.rate = rate
        self.clock_rate = clock_rate
        self._concealer = Concealer(rate)

    def conceal(self, count: int, following: bytes = b"") -> Samples:
        return self._concealer.lost(count)


class _G711Decoder(_Waveform):
    def __init__(self, law: Law) -> None:
        super().__init__(8000, 8000)
        self._law: Law = law

    def ticks(self, payload: bytes) -> int:
        return len(payload)

    def decode(self, payload: bytes) -> Samples:
        return self._concealer.heard(g711.decode(self._law, payload))


class _Plain:
    """An encoder without a memory, and without a copy of what it has said."""

    def follow(self, other: VoiceEncoder) -> None:
        """Each sample stands alone."""

    def expect_loss(self, percent: int) -> None:
        """Nothing helps."""


class _G711Encoder(_Plain):
    def __init__(self, law: Law) -> None:
        self.rate = self.clock_rate = 8000
        self._law: Law = law

    def encode(self, samples: Samples) -> bytes:
        return g711.encode(self._law, samples)


class _G722Decoder(_Waveform):
    def __init__(self) -> None:
        from media import g722  # FFmpeg: 100 ms and 30 MB that a process without G.722 doesn't need

        super().__init__(g722.SAMPLE_RATE, g722.CLOCK_RATE)
        self._decoder = g722.Decoder()

    def ticks(self, payload: bytes) -> int:
        return len(payload)

    def decode(self, payload: bytes) -> Samples:
        return self._concealer.heard(self._decoder.decode(payload))


class _G722Encoder(_Plain):
    def __init__(self) -> None:
        from media import g722

        self.rate, self.clock_rate = g722.SAMPLE_RATE, g722.CLOCK_RATE
        self._encoder = g722.Encoder()

    def encode(self, samples: Samples) -> bytes:
        return self._encoder.encode(samples)

    def follow(self, other: VoiceEncoder) -> None:
        raise CodecError("FFmpeg's G.722 can't be copied")


class _L16Decoder(_Waveform):
    """RFC 3551 section 4.5.11: samples of two bytes, the high one first."""

    def __init__(self, rate: int) -> None:
        super().__init__(rate, rate)

    def ticks(self, payload: bytes) -> int:
        return len(payload) // 2

    def decode(self, payload: bytes) -> Samples:
        if len(payload) % 2 or len(payload) > 2 * MAX_PAYLOAD_BYTES:
            raise CodecError(f"a payload of {len(payload)} bytes")
        return self._concealer.heard(np.frombuffer(payload, ">i2").astype(np.int16))


class _L16Encoder(_Plain):
    def __init__(self, rate: int) -> None:
        self.rate = self.clock_rate = rate

    def encode(self, samples: Samples) -> bytes:
        return samples.astype(">i2").tobytes()


class _OpusDecoder:
    def __init__(self, rate: int) -> None:
        from media import opus

        self.rate = rate
        self.clock_rate = opus.CLOCK_RATE
        self._decoder = opus.Decoder(rate)

    def ticks(self, payload: bytes) -> int:
        if not payload:
            return 0
        # RFC 6716 section 3.1: the configuration and how many frames of it.
        first = payload[0]
        frames = _OPUS_COUNTS[first & 3]
        if not frames:
            frames = payload[1] & 0x3F if len(payload) > 1 else 0
        ticks = frames * _OPUS_FRAME_TICKS[first >> 3]
        return ticks if ticks <= _OPUS_MOST_TICKS else 0

    def decode(self, payload: bytes) -> Samples:
        return self._decoder.decode(payload)

    def conceal(self, count: int, following: bytes = b"") -> Samples:
        if not count:
            return np.zeros(0, np.int16)  # libopus joins by itself
        if following:
            return self._decoder.recover(following, count)
        return self._decoder.conceal(count)


class _OpusEncoder:
    def __init__(self, rate: int, fmtp: str) -> None:
        from media import opus

        peer = opus.parse_fmtp(fmtp)
        self.rate = rate
        self.clock_rate = opus.CLOCK_RATE
        self._encoder = opus.Encoder(rate, peer)
        self._takes_copies = peer.inband_fec
        self.expect_loss(_LOSS_TAKEN_FOR_GRANTED)

    def encode(self, samples: Samples) -> bytes:
        return self._encoder.encode(samples)

    def expect_loss(self, percent: int) -> None:
        if self._takes_copies:
            self._encoder.expect_loss(percent)

    def follow(self, other: VoiceEncoder) -> None:
        if isinstance(other, _OpusEncoder):
            self._encoder.follow(other._encoder)
