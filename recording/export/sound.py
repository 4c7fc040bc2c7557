"""The sound of a recording, on the wall clock: packets as they came become samples at one rate.

```
entries ──> _Stream (one sender's packets, sorted) ──> _Canvas (a track's seconds, at one rate) ──> blocks
```
A packet isn't put where it arrived, or jitter would crackle, but where its RTP timestamp says, within a run
that is anchored at an arrival: at the one that was the least late. Where a whole second of packets comes
later or sooner than the run says (a telephone's clock that drifts or was set, a pause that its timestamps
don't count), the run is anchored anew. Sound is never lost for that: what would lie on what came before it is
put behind it, and time is made up in the next pause.

What isn't there stays silent: nothing is concealed, comfort noise is silence. Sample 0 is the begin of the
recording. Memory is bounded by HELD_SECONDS of each track, however long a recording is. Times are Unix
microseconds.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from media import rtp
from media.g711 import CodecError, Samples
from media.resampling import Resampler
from media.voice import VoiceDecoder, decoder_of
from recording.export.outline import Outline, Sealed, TrackSeen, codec_of, is_voice

Block = npt.NDArray[np.int16]  # a second at most: one row a sample, one column a channel

SETTLE_US: Final = 1_000_000  # how long a packet waits for those before it
HELD_SECONDS: Final = 10  # what may be that late is put where it belongs
MOVED_US: Final = 100_000  # a run that is so far beside the arrivals is anchored anew
_JUMP_US: Final = 300_000  # between two packets: no jitter, but another timestamp
_RESTART_US: Final = 5_000_000  # of timestamps against arrivals: the sender began anew
_TAIL_US: Final = 200_000  # the last packet may hold so much
_DELAY_MS: Final = 3  # of a Resampler
_MOST_STREAMS: Final = 32  # of one track at a time
_NOTHING: Final = -(1 << 62)  # ticks before any


class Unplaced:
    """What of a recording's sound could not be put anywhere. doubles: packets that were there already.

    unreadable: those that their codec can't read.
    """

    __slots__ = ("doubles", "unreadable")

    def __init__(self) -> None:
        self.doubles = 0
        self.unreadable = 0


def length_of(seen: Outline, rate: int) -> int:
    """Return how many samples the sound of a recording has at a rate."""
    return (seen.end - seen.begun + _TAIL_US) * rate // 1_000_000


def blocks(sealed: Sealed, seen: Outline, rate: int, unplaced: Unplaced) -> Iterator[Block]:
    """Yield the sound, a second at a time, `length_of` samples in all; one channel for each of seen.parties.

    What came before seen.begun is left out (`Outline.last_seconds`).
    Raises Damage, EntryError, or OSError.
    """
    channels = {party: place for place, party in enumerate(seen.parties)}
    voices: dict[int, _Voice] = {}
    length, second = length_of(seen, rate), 0
    next_at = seen.begun + SETTLE_US
    for entry in sealed.entries():
        if entry.packet and entry.at >= seen.begun:
            voice = voices.get(entry.track)
            if voice is None:
                voice = voices[entry.track] = _Voice(seen.tracks[entry.track], seen.begun, rate, unplaced)
            voice.take(entry.packet, entry.at)
        if entry.at < next_at:
            continue
        next_at = entry.at + SETTLE_US // 2
        for voice in voices.values():
            voice.settle(entry.at - SETTLE_US)
        final = (entry.at - SETTLE_US - seen.begun) // 1_000_000 - HELD_SECONDS
        while second < final and second * rate < length:
            yield _block(voices, channels, second, rate, length)
            second += 1
    for voice in voices.values():
        voice.settle(None)
    while second * rate < length:
        yield _block(voices, channels, second, rate, length)
        second += 1


def mixed(sound: Iterator[Block]) -> Iterator[Block]:
    """Yield the sound with all parties in one channel."""
    for block in sound:
        together = block.astype(np.int32).sum(axis=1)
        yield np.clip(together, -32768, 32767).astype(np.int16).reshape(-1, 1)


def _block(voices: dict[int, _Voice], channels: dict[str, int], second: int, rate: int, length: int) -> Block:
    count = min(rate, length - second * rate)
    sound = np.zeros((rate, len(channels)), np.int32)
    for voice in voices.values():
        taken = voice.second(second)
        if taken is not None:
            sound[:, channels[voice.party]] += taken
    return np.clip(sound[:count], -32768, 32767).astype(np.int16)


class _Canvas:
    """A track's samples at one rate, by second, until they are taken; at `to_rate` then."""

    __slots__ = ("_delay", "_resampler", "_seconds", "_silent", "end", "rate", "taken")

    def __init__(self, rate: int, to_rate: int) -> None:
        self.rate = rate
        self.end = 0  # behind the last sample that was put
        self.taken = 0  # seconds
        self._seconds: dict[int, Samples] = {}
        self._resampler = None if rate == to_rate else Resampler(rate, to_rate)
        self._delay = 0 if rate == to_rate else rate * _DELAY_MS // 1000
        self._silent = True  # the resampler has nothing left to say

    def put(self, place: int, samples: Samples) -> None:
        """Put samples where they belong, onto what is there. What was taken already isn't changed."""
        self.end = max(self.end, place + len(samples))
        place -= self._delay
        if place < self.taken * self.rate:
            samples = samples[self.taken * self.rate - place :]
            place = self.taken * self.rate
        while len(samples):
            second, offset = divmod(place, self.rate)
            room = self._seconds.get(second)
            if room is None:
                room = self._seconds[second] = np.zeros(self.rate, np.int16)
            part = room[offset : offset + len(samples)]
            count = len(part)
            if part.any():
                part[:] = np.clip(part.astype(np.int32) + samples[:count], -32768, 32767)
            else:
                part[:] = samples[:count]
            place += count
            samples = samples[count:]

    def take(self, second: int) -> Samples | None:
        """Return a second's samples; None for silence."""
        self.taken = second + 1
        sound = self._seconds.pop(second, None)
        if self._resampler is None or (sound is None and self._silent):
            return sound
        self._silent = sound is None
        return self._resampler.process(np.zeros(self.rate, np.int16) if sound is None else sound)


class _Held(NamedTuple):
    """A packet that waits for those before it, in the order of its stream."""

    ticks: int
    at: int
    payload: bytes


class _Stream:
    """One sender's packets of one codec, from its begin to where it begins anew. ticks: since its first.

    offset_us: what makes the place of a packet of its ticks; end_ticks: behind what was placed.
    """

    __slots__ = (
        "_anchor", "_anchor_ticks", "_last_at", "_last_sequence", "_last_ticks", "_last_timestamp", "canvas",
        "clock_rate", "decoder", "end_ticks", "held", "key", "offset_us",
    )  # fmt: skip

    def __init__(self, key: tuple[int, str], decoder: VoiceDecoder, canvas: _Canvas, at: int) -> None:
        self.key = key
        self.decoder = decoder
        self.clock_rate = decoder.clock_rate
        self.canvas = canvas
        self.held: list[_Held] = []
        self.offset_us: int | None = None
        self.end_ticks = _NOTHING
        self._anchor = self._anchor_ticks = 0
        self._last_at, self._last_ticks = at, 0
        self._last_sequence, self._last_timestamp = 0, -1

    def hold(self, sequence: int, timestamp: int, at: int, payload: bytes) -> bool:
        """Take a packet; False when it is of a sender that began anew."""
        if self._last_timestamp < 0:
            self._last_sequence, self._last_timestamp = sequence, timestamp
        # RFC 3550 section 5.1: timestamps count modulo 2^32.
        step = (timestamp - self._last_timestamp + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
        is_next = 0 < (sequence - self._last_sequence & 0xFFFF) < 0x8000
        if is_next and step < 0:
            return False
        if abs(step * 1_000_000 // self.clock_rate - (at - self._last_at)) > _RESTART_US:
            return False
        ticks = self._last_ticks + step
        if step > 0:
            self._last_at, self._last_ticks = at, ticks
            self._last_sequence, self._last_timestamp = sequence, timestamp
        insort(self.held, _Held(ticks, at, payload))
        return True

    def due(self, until: int | None) -> list[tuple[_Held, int]]:
        """Take those that came until then, up to one that must wait; each with its own best anchor.

        That is when a packet at tick 0 came, had it been as little late as the best of those behind it.
        """
        count, best, next_anchor = len(self.held), 0, 0
        bests: list[int] = []
        for place in range(len(self.held) - 1, -1, -1):
            held = self.held[place]
            anchor = held.at - held.ticks * 1_000_000 // self.clock_rate
            best = min(best, anchor) if bests and anchor - next_anchor < _JUMP_US else anchor
            next_anchor = anchor
            bests.append(best)
            if until is not None and held.at > until:
                count = place
        found = list(zip(self.held[:count], reversed(bests), strict=False))
        del self.held[:count]
        return found

    def place_of(self, held: _Held, best: int, begun: int, end: int) -> int:
        """Return the sample that a packet begins at. end: behind what the track has in this canvas."""
        rate = self.canvas.rate
        if self.offset_us is None or abs(best - self.offset_us) > MOVED_US:
            wanted = (best + held.ticks * 1_000_000 // self.clock_rate - begun) * rate // 1_000_000
            first = max(wanted, end)
            self._anchor, self._anchor_ticks = first, held.ticks
            self.offset_us = best + (first - wanted) * 1_000_000 // rate
        return self._anchor + (held.ticks - self._anchor_ticks) * rate // self.clock_rate


class _Voice:
    """A track's packets on their way to samples. party: whose they are."""

    __slots__ = ("_begun", "_canvases", "_kinds", "_rate", "_seen", "_streams", "_unplaced", "party")

    def __init__(self, seen: TrackSeen, begun: int, rate: int, unplaced: Unplaced) -> None:
        self.party = seen.party
        self._seen = seen
        self._begun = begun
        self._rate = rate
        self._unplaced = unplaced
        self._streams: dict[tuple[int, str], _Stream] = {}
        self._canvases: dict[int, _Canvas] = {}
        self._kinds: dict[tuple[int, int], str] = {}  # by payload type and how many statements there were

    def take(self, data: bytes, at: int) -> None:
        """A packet has come: hold it until those before it are there."""
        if len(data) < rtp.HEADER_BYTES:
            return
        kind = self._seen.codec_at(data[1] & 0x7F, at)
        if not is_voice(kind):
            return
        try:
            start, end = rtp.payload_bounds(data, len(data))
        except rtp.RtpError:
            self._unplaced.unreadable += 1
            return
        sequence, timestamp, ssrc = (int.from_bytes(data[a:b]) for a, b in ((2, 4), (4, 8), (8, 12)))
        key = (ssrc, kind)
        stream = self._streams.get(key)
        if stream is None or not stream.hold(sequence, timestamp, at, data[start:end]):
            if stream is not None:
                self._place(stream, None)
            elif len(self._streams) == _MOST_STREAMS:
                self._place(self._streams.pop(next(iter(self._streams))), None)
            stream = self._streams[key] = self._begin(key, at)
            stream.hold(sequence, timestamp, at, data[start:end])

    def settle(self, until: int | None) -> None:
        """Place what came until then; None: all."""
        for stream in self._streams.values():
            if stream.held:
                self._place(stream, until)

    def second(self, second: int) -> npt.NDArray[np.int32] | None:
        """Return a second of the track's sound; None for silence."""
        sound: npt.NDArray[np.int32] | None = None
        for canvas in self._canvases.values():
            taken = canvas.take(second)
            if taken is not None:
                sound = taken.astype(np.int32) if sound is None else sound + taken
        return sound

    def _begin(self, key: tuple[int, str], at: int) -> _Stream:
        decoder = decoder_of(codec_of(key[1]), self._rate)
        canvas = self._canvases.get(decoder.rate)
        if canvas is None:
            canvas = self._canvases[decoder.rate] = _Canvas(decoder.rate, self._rate)
        return _Stream(key, decoder, canvas, at)

    def _place(self, stream: _Stream, until: int | None) -> None:
        for held, best in stream.due(until):
            try:
                ticks = stream.decoder.ticks(held.payload)
                if held.ticks + ticks <= stream.end_ticks:
                    self._unplaced.doubles += 1
                    continue
                samples = stream.decoder.decode(held.payload)
            except CodecError:
                self._unplaced.unreadable += 1
                continue
            end = max(canvas.end * stream.canvas.rate // canvas.rate for canvas in self._canvases.values())
            place = stream.place_of(held, best, self._begun, end)
            skipped = max(0, stream.end_ticks - held.ticks) * stream.canvas.rate // stream.clock_rate
            stream.canvas.put(place + skipped, samples[skipped:])
            stream.end_ticks = held.ticks + ticks
