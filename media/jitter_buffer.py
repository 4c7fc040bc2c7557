"""A jitter buffer: packets in as the network brings them, sound out at an even pace.

Without a clock of its own: `put` is told when a packet came, `take` when a frame is to be played. The
sender's timestamps place each packet on its clock. How much later than the quickest one a packet comes
is its delay; the buffer plays everything later than that by a target that 97 % of the packets kept of
late (a histogram that forgets), at least 20 and at most 200 ms.

```
    put:    sent at ts, came at now   ->   transit = now - ts / clock   ->   delay = transit - quickest
    take:   lag of the next packet = now - ts / clock - quickest
                lag far over the target     a packet is left out        (what waits is more than needed)
                lag far under the target    a frame is made up before it      (packets would come late)
                next packet missing         made up, and played no more when it comes after all
                nothing there at all        made up; what was only late is played, and the lag has grown
```
Time is added or taken where nothing is said, unless the difference is 80 ms or more. A sender's clock
that runs at another speed than ours moves the lag little by little, and is followed by the same rule.

`JitterBuffer` knows packets, `Player` makes sound of them. A packet costs 4 CPU microseconds to put and
a frame 5 to take, besides its codec.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from media import comfort_noise
from media.comfort_noise import Generator, Noise
from media.g711 import CodecError, Samples
from media.loudness import QUIET_LEVEL
from media.rtp import Packet
from media.voice import VoiceDecoder

FRAME_MS: Final = 20
MIN_TARGET_SECONDS: Final = 0.020
MAX_TARGET_SECONDS: Final = 0.200
MAX_PACKETS: Final = 100  # waiting: 2 s of packets of 20 ms

_FIRST_TARGET_SECONDS: Final = 0.040
_BIN_SECONDS: Final = 0.005
_BINS: Final = 64
_IN_TIME: Final = 0.97
_MEMORY_PACKETS: Final = 400  # 8 s: what is older counts for less than a third
_QUICKEST_SECONDS: Final = 10.0  # the quickest of the last 10 to 20 s
_TOLERANCE_SECONDS: Final = 0.025  # of the lag, before time is added or taken
_URGENT_SECONDS: Final = 0.080
_ANOTHER_CLOCK_SECONDS: Final = 2.0  # a transit that jumps so far is a sender that began anew
_NO_SOUND: Final[Samples] = np.zeros(0, np.int16)


class Take(NamedTuple):
    """What comes next.

    ticks: how long, of the codec's clock. packet: to be decoded; None when `ticks` are to be made up.
    lost: packets are missing there, otherwise the sender is silent or late. following: the packet right
    behind the hole. skipped: the packet is decoded and not heard.
    """

    ticks: int
    packet: Packet | None = None
    lost: bool = False
    following: bytes = b""
    skipped: bool = False


class JitterBuffer:
    """Packets of one stream. duration_ticks: how long one lasts, of clock_rate ticks a second.

    The counters tell what happened since the beginning: late (came when its time was over), lost
    (was made up), duplicate, overflowed, added and skipped (frames that changed the lag).
    """

    __slots__ = (
        "_clock_rate", "_duration_ticks", "_expected", "_held", "_highest", "_increment", "_next", "_packets",
        "_quickest", "_quickest_before", "_quickest_since", "_seen", "_ssrc", "_ticks", "_timestamp",
        "_total", "_weights", "added", "duplicate", "late", "lost", "overflowed", "skipped", "target_seconds",
    )  # fmt: skip

    def __init__(self, clock_rate: int, duration_ticks: Callable[[Packet], int]) -> None:
        self._clock_rate = clock_rate
        self._duration_ticks = duration_ticks
        self.late = self.lost = self.duplicate = self.overflowed = self.added = self.skipped = 0
        self._ssrc = -1
        self._reset()

    def _reset(self) -> None:
        """Forget the sender: another one begins."""
        self._packets: dict[int, tuple[int, Packet]] = {}  # by number: its time in ticks, and itself
        self._highest = self._timestamp = self._ticks = 0  # number and time of the newest packet, not wrapped
        self._next = -1  # number of the packet to play next, -1: nothing was played
        self._expected = 0  # its time
        self._held = 0  # ticks made up while nothing was there
        self._quickest = self._quickest_before = 0.0
        self._quickest_since = -1.0
        self._weights = [0.0] * _BINS
        self._total = 0.0
        self._increment = 1.0
        self._seen = 0
        self.target_seconds = _FIRST_TARGET_SECONDS

    def __len__(self) -> int:
        """Return how many packets wait."""
        return len(self._packets)

    def rest(self) -> None:
        """Forget what waits, and begin anew with the next packet; how late packets come is still known."""
        self._packets.clear()
        self._next, self._held = -1, 0
        self._quickest_since = -1.0

    # --- packets come --------------------------------------------------------

    def put(self, packet: Packet, now: float) -> None:
        """Take a packet that came at `now` (monotonic seconds)."""
        if packet.ssrc != self._ssrc:
            self._reset()
            self._ssrc = packet.ssrc
        number, ticks = self._unwrapped(packet)
        transit = now - ticks / self._clock_rate
        if self._quickest_since >= 0 and abs(transit - self._quickest) > _ANOTHER_CLOCK_SECONDS:
            self._reset()
            number, ticks = self._unwrapped(packet)
            transit = now - ticks / self._clock_rate
        self._observe(transit, now)
        if number < self._next:
            self.late += 1
        elif number in self._packets:
            self.duplicate += 1
        else:
            self._packets[number] = ticks, packet
            if len(self._packets) > MAX_PACKETS:
                self._overflow()

    def _unwrapped(self, packet: Packet) -> tuple[int, int]:
        """Return the packet's number and time, which don't turn over (RFC 3550 appendix A.1)."""
        if self._quickest_since < 0:
            self._highest, self._timestamp, self._ticks = 0x10000 + packet.sequence, packet.timestamp, 0
            return self._highest, 0
        step = (packet.sequence - self._highest + 0x8000 & 0xFFFF) - 0x8000
        number = self._highest + step
        ticks = self._ticks + (packet.timestamp - self._timestamp + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        if step > 0:
            self._highest, self._timestamp, self._ticks = number, packet.timestamp, ticks
        return number, ticks

    def _overflow(self) -> None:
        """Leave out the oldest half: it would be played seconds late."""
        numbers = sorted(self._packets)
        for number in numbers[: MAX_PACKETS // 2]:
            del self._packets[number]
        self.overflowed += MAX_PACKETS // 2
        self._next = numbers[MAX_PACKETS // 2]
        self._expected = self._packets[self._next][0]

    def _observe(self, transit: float, now: float) -> None:
        """Learn from one packet how late packets come."""
        if self._quickest_since < 0:
            self._quickest = self._quickest_before = transit
            self._quickest_since = now
        elif now - self._quickest_since > _QUICKEST_SECONDS:
            self._quickest_before, self._quickest = self._quickest, transit
            self._quickest_since = now
        else:
            self._quickest = min(self._quickest, transit)
        delay = max(0.0, transit - self._base)
        # To forget, the newest counts for more, instead of all the others for less.
        self._increment *= 1 + 1 / _MEMORY_PACKETS
        self._weights[min(_BINS - 1, int(delay / _BIN_SECONDS))] += self._increment
        self._total += self._increment
        self._seen += 1
        if self._seen % 8 == 0 or delay > self.target_seconds:
            self._set_target()

    def _set_target(self) -> None:
        if self._increment > 1e6:
            self._weights = [weight / self._increment for weight in self._weights]
            self._total /= self._increment
            self._increment = 1.0
        if self._seen < 25:  # half a second: too few to know
            return
        enough, reached = self._total * _IN_TIME, 0.0
        for place, weight in enumerate(self._weights):
            reached += weight
            if reached >= enough:
                target = (place + 1) * _BIN_SECONDS
                self.target_seconds = min(MAX_TARGET_SECONDS, max(MIN_TARGET_SECONDS, target))
                return

    @property
    def _base(self) -> float:
        """Transit of the quickest packet of late."""
        return min(self._quickest, self._quickest_before)

    # --- frames are played ---------------------------------------------------

    def take(self, now: float, *, quiet: bool = False) -> Take:
        """Return what is to be heard next: a packet, or a frame of FRAME_MS at most to make up.

        quiet: what was heard last is silence, a good place to add or take time.
        """
        frame = self._clock_rate * FRAME_MS // 1000
        if not self._packets:
            return self._nothing(frame)
        number = self._next if self._next in self._packets else min(self._packets)
        ticks, packet = self._packets[number]
        duration = self._duration_ticks(packet) or frame
        if self._next < 0:
            if self._lag(ticks, now) < self.target_seconds:
                return Take(frame)
            self._expected = ticks
        hole = ticks - self._expected
        is_lost = number != self._next and self._next >= 0
        if hole > 0 and self._held:
            # This much of the hole was made up while nobody knew that it was one.
            paid = min(hole, self._held)
            self._expected += paid
            hole -= paid
        self._held = 0
        wanted = self._wanted(ticks - max(0, hole), now, quiet=quiet or (hole > 0 and not is_lost))
        if wanted > 0:
            self.added += 1
            return Take(frame)
        if hole > 0:
            return self._hole(hole, frame, packet, is_lost=is_lost, shorten=wanted < 0)
        del self._packets[number]
        self._next = number + 1
        if hole <= -duration:  # its time was made up while it was on its way
            self.late += 1
            return Take(duration, packet, skipped=True)
        self._expected = ticks + duration
        if wanted < 0 and self._packets:
            self.skipped += 1
            return Take(duration, packet, skipped=True)
        return Take(duration, packet)

    def _nothing(self, frame: int) -> Take:
        """Make up a frame: either nothing is sent, or it is late, or lost."""
        if self._next >= 0:
            self._held += frame
        return Take(frame)

    def _hole(self, hole: int, frame: int, packet: Packet, *, is_lost: bool, shorten: bool) -> Take:
        ticks = min(hole, frame)
        self._expected += ticks
        if shorten and hole > 2 * frame:
            self._expected += frame
            self.skipped += 1
        self.lost += is_lost
        return Take(ticks, lost=is_lost, following=packet.payload if ticks == hole else b"")

    def _lag(self, ticks: int, now: float) -> float:
        """Return how much later than the quickest way a packet is played if it is played now."""
        return now - ticks / self._clock_rate - self._base

    def _wanted(self, ticks: int, now: float, *, quiet: bool) -> int:
        """Return 1 when time must be added before what is at `ticks`, -1 when some must go, else 0."""
        over = self._lag(ticks, now) - self.target_seconds - FRAME_MS / 2000
        if not quiet and abs(over) < _URGENT_SECONDS:
            return 0
        if over > _TOLERANCE_SECONDS:
            return -1
        return 1 if over < -_TOLERANCE_SECONDS else 0


class Player:
    """The sound of one stream, frame by frame of FRAME_MS at the decoder's rate.

    Packets of payload type noise_type are comfort noise, heard from there until the sender speaks.
    noise_seed: of this stream's noise.
    """

    __slots__ = (
        "_decoder", "_frame_samples", "_generator", "_noise", "_noise_type", "_quiet", "_quiet_energy",
        "_sound", "broken", "buffer",
    )  # fmt: skip

    def __init__(
        self, decoder: VoiceDecoder, *, noise_type: int = comfort_noise.PAYLOAD_TYPE, noise_seed: int = 0
    ) -> None:
        self.buffer = JitterBuffer(decoder.clock_rate, self._duration_ticks)
        self.broken = 0  # payloads that the codec couldn't read
        self._noise_type = noise_type
        self._decoder = decoder
        self._frame_samples = decoder.rate * FRAME_MS // 1000
        self._sound: Samples = _NO_SOUND
        self._quiet = True
        self._quiet_energy = float(QUIET_LEVEL**2) * self._frame_samples
        self._generator = Generator(noise_seed)
        self._noise: Noise | None = None

    @property
    def rate(self) -> int:
        """Samples a second of the frames."""
        return self._decoder.rate

    @property
    def quiet(self) -> bool:
        """Whether nothing was said in the last frame."""
        return self._quiet

    def put(self, packet: Packet, now: float) -> None:
        """Take a packet of voice or comfort noise that came at `now` (monotonic seconds)."""
        self.buffer.put(packet, now)

    def rest(self) -> None:
        """Let silence go unheard until the next packet: a sender that says nothing need not be followed."""
        self.buffer.rest()
        self._sound, self._noise, self._quiet = _NO_SOUND, None, True

    def _duration_ticks(self, packet: Packet) -> int:
        """Return how long a packet lasts, 0 for one of noise, which has no length."""
        return 0 if packet.payload_type == self._noise_type else self._decoder.ticks(packet.payload)

    def frame(self, now: float) -> Samples:
        """Return the next frame, to be heard at `now` (monotonic seconds)."""
        sound = self._sound
        # A packet may last no time or be skipped: bounded, so that no sender keeps us here.
        for _ in range(8):
            if len(sound) >= self._frame_samples:
                break
            more = self._next(self.buffer.take(now, quiet=self._quiet))
            sound = np.concatenate((sound, more)) if len(sound) else more
        else:
            sound = np.concatenate((sound, np.zeros(self._frame_samples, np.int16)))
        if len(sound) == self._frame_samples:  # a packet of 20 ms: nothing to be cut
            frame, self._sound = sound, _NO_SOUND
        else:
            frame, self._sound = sound[: self._frame_samples], sound[self._frame_samples :]
        wide = frame.astype(np.float32)
        self._quiet = wide.dot(wide) < self._quiet_energy
        return frame

    def _next(self, take: Take) -> Samples:
        """Return the sound of what the buffer gave."""
        count = max(1, take.ticks * self._decoder.rate // self._decoder.clock_rate)
        packet = take.packet
        if packet is None:
            if self._noise is not None and not take.lost:
                return self._generator.make(self._noise, count)
            return self._made_up(count, take.following)
        try:
            if packet.payload_type == self._noise_type:
                self._noise = comfort_noise.parse(packet.payload)
                return self._generator.make(self._noise, count)
            sound = self._decoder.decode(packet.payload)
        except CodecError:
            self.broken += 1
            return self._made_up(count)
        self._noise = None
        if take.skipped:
            self._decoder.conceal(0)
            return sound[:0]
        return sound

    def _made_up(self, count: int, following: bytes = b"") -> Samples:
        if self._quiet and not following:
            return np.zeros(count, np.int16)  # nothing was said that could go on
        try:
            return self._decoder.conceal(count, following)
        except (CodecError, ValueError):  # a length that the codec doesn't make
            return np.zeros(count, np.int16)
