"""One voice codec into another, packet by packet, when two legs share none.

What comes in are the packets of one leg in the order they are played; what goes out are frames of 20 ms
for `rtp.Outgoing.speak` with the timestamps of the other codec's clock. Small holes are concealed, longer
ones (a leg that suppresses silence) stay holes. Events (RFC 4733) pass with their content untouched;
only when the two clocks differ are their durations counted anew.

Opus is decoded and encoded at the other codec's own rate, so only G.722 or L16 against G.711 takes a
resampler. CPU microseconds a frame of 20 ms, both codecs together: G.711 to Opus 28 (40 with copies for who
loses packets), Opus to G.711 10, PCMU to PCMA 3, G.711 to G.722 43, G.722 to G.711 31, G.722 to Opus 93,
Opus to G.722 36.
"""

import struct
from typing import Final

import numpy as np

from media.g711 import CodecError, Samples
from media.resampling import Resampler
from media.rtp import Frame
from media.sdp import Codec
from media.voice import VoiceDecoder, VoiceEncoder, decoder_of, encoder_of, natural_rate

FRAME_MS: Final = 20
_CONCEALED_MS: Final = 60  # a hole up to this long is taken for loss
_LONGEST_HOLE_SECONDS: Final = 120  # a longer one, or a second backwards, is another clock of the sender's
_EVENT: Final = struct.Struct(">BBH")


class Transcoder:
    """One direction between two legs. Raises CodecError for a codec that isn't ours.

    fmtp: what the leg that listens said of its codec.
    """

    __slots__ = (
        "_decoder", "_encoder", "_end", "_frame_samples", "_last_timestamp", "_pending", "_pending_at",
        "_position", "_resampler", "_sent_ticks", "_spurt", "_started",
    )  # fmt: skip

    def __init__(self, source: Codec, target: Codec, fmtp: str = "") -> None:
        source_rate, target_rate = natural_rate(source), natural_rate(target)
        rate = min(source_rate, target_rate)
        self._decoder: VoiceDecoder = decoder_of(source, rate)
        self._encoder: VoiceEncoder = encoder_of(target, rate, fmtp)
        self._resampler: Resampler | None = None
        if self._decoder.rate != self._encoder.rate:
            self._resampler = Resampler(self._decoder.rate, self._encoder.rate)
        self._frame_samples = self._encoder.rate * FRAME_MS // 1000
        self._started = False
        self._spurt = True  # the next frame begins one (RFC 3551 section 4.1)
        self._last_timestamp = 0
        self._position = 0  # of the last packet, in ticks of the source since its first
        self._end = 0  # of what was decoded, in the same ticks
        self._pending: Samples = np.zeros(0, np.int16)  # decoded, less than a frame
        self._pending_at = 0
        self._sent_ticks = 0  # of the target's clock, of the last frame

    def voice(self, payload: bytes, timestamp: int) -> list[Frame]:
        """Return the frames that a packet of voice completes; none for one that comes too late.

        timestamp: of the RTP packet. Raises CodecError for a payload that isn't one.
        """
        if self._started and timestamp - self._last_timestamp == self._end - self._position:
            self._last_timestamp, self._position = timestamp, self._end  # right behind what came before
        else:
            gap = self._move_to(timestamp) - self._end if self._started else self._begin(timestamp)
            if gap < 0:
                return []
            if gap:
                self._fill(gap, payload)
        samples, ticks = self._decoder.decode(payload), self._decoder.ticks(payload)
        if len(samples) == self._frame_samples and self._resampler is None and not len(self._pending):
            frame = Frame(self._encoder.encode(samples), self._spurt, self._advance(self._end))
            self._spurt = False
            self._end += ticks
            return [frame]
        self._take(samples, ticks)
        return self._frames()

    def expect_loss(self, percent: int) -> None:
        """Make the frames bear what the listening leg loses of them (RFC 7587 section 3.3)."""
        self._encoder.expect_loss(percent)

    def event(self, payload: bytes, timestamp: int, clock_rate: int = 0, *, marker: bool) -> Frame:
        """Return an event's packet for the other leg. Raises CodecError when it is shorter than an event.

        clock_rate: of the event's duration, 0 for that of the voice (RFC 4733 section 2.1).
        """
        if len(payload) < _EVENT.size:
            raise CodecError("an event of less than four bytes")
        position = self._move_to(timestamp) if self._started else self._begin(timestamp)
        rate = clock_rate or self._decoder.clock_rate
        if self._encoder.clock_rate != rate:
            number, flags, ticks = _EVENT.unpack_from(payload)
            duration = min(0xFFFF, ticks * self._encoder.clock_rate // rate)
            payload = _EVENT.pack(number, flags, duration) + payload[_EVENT.size :]
        return Frame(payload, marker, self._advance(position))

    def _begin(self, timestamp: int) -> int:
        self._started = True
        self._last_timestamp = timestamp
        return 0

    def _move_to(self, timestamp: int) -> int:
        """Return the position of a packet with this timestamp, which counts modulo 2^32."""
        step = (timestamp - self._last_timestamp + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        position = self._position + step
        rate = self._decoder.clock_rate
        if not -rate < position - self._end < _LONGEST_HOLE_SECONDS * rate:
            step, position = 1, self._end
        if step > 0:
            self._last_timestamp, self._position = timestamp, position
        return position

    def _fill(self, gap: int, following: bytes) -> None:
        """Make up what is lost between the last packet and this one, or leave the silence that it is."""
        if gap * 1000 <= _CONCEALED_MS * self._decoder.clock_rate:
            count = gap * self._decoder.rate // self._decoder.clock_rate
            if count * 400 % self._decoder.rate == 0:
                self._take(self._decoder.conceal(count, following), gap)
                return
        self._pending = self._pending[:0]
        self._end += gap
        self._spurt = True

    def _take(self, samples: Samples, ticks: int) -> None:
        if self._resampler is not None:
            per_ms = self._decoder.rate // 1000
            samples = self._resampler.process(samples[: len(samples) - len(samples) % per_ms])
        if not len(self._pending):
            self._pending_at = self._end
            self._pending = samples
        else:
            self._pending = np.concatenate((self._pending, samples))
        self._end += ticks

    def _frames(self) -> list[Frame]:
        frames = []
        while len(self._pending) >= self._frame_samples:
            payload = self._encoder.encode(self._pending[: self._frame_samples])
            frames.append(Frame(payload, self._spurt, self._advance(self._pending_at)))
            self._spurt = False
            self._pending = self._pending[self._frame_samples :]
            self._pending_at += self._decoder.clock_rate * FRAME_MS // 1000
        return frames

    def _advance(self, position: int) -> int:
        """Return how far a packet at this position of the source lies behind the one sent before it."""
        ticks = position * self._encoder.clock_rate // self._decoder.clock_rate
        advance = ticks - self._sent_ticks
        self._sent_ticks = ticks
        return advance
