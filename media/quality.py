"""How good a call sounds: the E-model's opinion of each leg (ITU-T G.107), and who isn't heard at all.

R says how much is left of 93.2, a perfect telephone call, after delay and loss; the MOS says the same
between 1 and 4.4 in the words of a listener. The formulas are those of G.107 with its default values for
all that a network can't measure (noise, loudness, echo of 65 dB), the codecs' values those of G.113
appendix I. Wide-band codecs are judged on the same scale as the telephone, where they can't do better
than G.711; what G.113 doesn't know (Opus) has a provisional value.

A `LegMeter` is told a leg's counters every few seconds: it gives the quality of that interval (live), and
the leg's summary at its end (call record). Nothing here reads a clock or touches a packet.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

PERFECT_R: Final = 93.2
_RO: Final = 94.77  # basic signal-to-noise ratio with the defaults
_IS: Final = _RO - PERFECT_R
_TELR_DB: Final = 65.0
_WEPL_DB: Final = 110.0

ONE_WAY_SECONDS: Final = 4.0
ONE_WAY_SUPPRESSED_SECONDS: Final = 30.0


class Robustness(NamedTuple):
    """What a codec loses by itself (Ie), and how well it bears loss (Bpl: percent)."""

    impairment: float
    loss_robustness: float


# G.113 appendix I table I.4, with concealment.
CODECS: Final = {
    "PCMU": Robustness(0, 25.1),
    "PCMA": Robustness(0, 25.1),
    "L16": Robustness(0, 25.1),
    "G722": Robustness(0, 25.1),
    "OPUS": Robustness(0, 20.0),  # provisional
    "G729": Robustness(11, 19.0),
    "G723": Robustness(15, 16.1),
    "GSM": Robustness(20, 10.0),  # provisional; GSM-EFR has 5 and 10
}
UNKNOWN_CODEC: Final = Robustness(11, 10.0)


def r_factor(codec: str, delay_ms: float, loss_percent: float, burst_ratio: float = 1.0) -> float:
    """Return R, 0 to PERFECT_R, for what one party hears.

    codec: its name; delay_ms: from mouth to ear; loss_percent: of the packets, those that came too late
    included; burst_ratio: 1 for losses that know nothing of each other, more when they come together.
    """
    impairment, robustness = CODECS.get(codec.upper(), UNKNOWN_CODEC)
    loss = min(100.0, max(0.0, loss_percent))
    # G.107 section 7.5: effective equipment impairment.
    lossy = impairment + (95 - impairment) * loss / (loss / max(1.0, burst_ratio) + robustness)
    return max(0.0, min(PERFECT_R, PERFECT_R - delay_impairment(delay_ms) - lossy))


def delay_impairment(delay_ms: float) -> float:
    """Return Id of G.107 section 7.4: echo of one's own voice, echo of the other's, and mere delay."""
    delay = min(5000.0, max(0.0, delay_ms))
    if delay <= 0:
        return 0.0
    return _talker_echo(delay) + _listener_echo(2 * delay) + _mere_delay(delay)


def _talker_echo(delay: float) -> float:
    if delay < 1:
        return 0.0
    heard = (
        _TELR_DB - 40 * math.log10((1 + delay / 10) / (1 + delay / 150)) + 6 * math.exp(-0.3 * delay * delay)
    )
    half = (_RO - (80 + 2.5 * (heard - 14))) / 2
    return max(0.0, half + math.sqrt(half * half + 100) - 1) * (1 - math.exp(-delay))


def _listener_echo(round_trip: float) -> float:
    half = (_RO - 10.5 * (_WEPL_DB + 7) / math.sqrt(math.sqrt(round_trip + 1))) / 2
    return half + math.sqrt(half * half + 169)


def _mere_delay(delay: float) -> float:
    if delay <= 100:
        return 0.0
    x = math.log2(delay / 100)
    return float(25 * ((1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2))


def mos(r: float) -> float:
    """Return the mean opinion score of R, 1 to 4.5 (G.107 annex B)."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def burst_ratio(lost: int, expected: int, runs: int) -> float:
    """Return how much longer holes are than chance would make them, at least 1.

    lost: packets that didn't come of those expected, in so many holes (G.107 section 7.5).
    """
    if lost <= 0 or runs <= 0 or expected <= lost:
        return 1.0
    return max(1.0, lost / runs * (1 - lost / expected))


# --- one leg -----------------------------------------------------------------


class Counters(msgspec.Struct, frozen=True):
    """What a leg counted since its beginning, and how its network is now.

    received, lost: packets from the phone; runs: the holes that the lost ones made; late: packets that
    the jitter buffer could not use (0 where there is none). round_trip_ms: from RTCP, 0 before any.
    playout_ms: of a jitter buffer of ours or, for a relay, what the phone's own is taken for.
    """

    received: int
    lost: int
    runs: int = 0
    late: int = 0
    jitter_ms: float = 0.0
    round_trip_ms: float = 0.0
    playout_ms: float = 40.0
    packet_ms: float = 20.0


class Quality(msgspec.Struct, frozen=True):
    """One interval of one leg."""

    loss_percent: float
    burst_ratio: float
    jitter_ms: float
    delay_ms: float
    r: float
    mos: float


class LegSummary(msgspec.Struct, frozen=True):
    """A leg at its end, for the call record.

    mos: over the whole leg, each packet counting alike; worst_mos: of the worst interval. not_heard: it
    was once found to be silent while the other party was heard.
    """

    codec: str
    received: int
    lost: int
    loss_percent: float
    burst_ratio: float
    jitter_ms: float
    worst_jitter_ms: float
    delay_ms: float
    mos: float
    worst_mos: float
    not_heard: bool


def quality(codec: str, before: Counters, now: Counters) -> Quality:
    """Return the quality of the interval between two counts of a leg."""
    received = max(0, now.received - before.received)
    late = max(0, now.late - before.late)
    lost = max(0, now.lost - before.lost) + late
    expected = max(1, received + lost - late)
    runs = max(0, now.runs - before.runs) + late
    loss_percent = 100 * min(1.0, lost / expected)
    ratio = burst_ratio(lost, expected, runs)
    # A jitter buffer of ours or the phone's holds back what comes early, besides the way itself.
    delay_ms = now.round_trip_ms / 2 + now.playout_ms + now.packet_ms
    r = r_factor(codec, delay_ms, loss_percent, ratio)
    return Quality(loss_percent, ratio, now.jitter_ms, delay_ms, r, mos(r))


_NOTHING: Final = Counters(0, 0)


class LegMeter:
    """Follows one leg. codec: the name of what it sends; may change."""

    __slots__ = ("_now", "_worst_jitter_ms", "_worst_mos", "codec", "not_heard")

    def __init__(self, codec: str) -> None:
        self.codec = codec
        self.not_heard = False
        self._now = _NOTHING
        self._worst_jitter_ms = 0.0
        self._worst_mos = 4.5

    def observe(self, counters: Counters) -> Quality:
        """Take the leg's counters; return the quality since the last time."""
        interval = quality(self.codec, self._now, counters)
        if counters.received > self._now.received or counters.lost > self._now.lost:
            self._worst_mos = min(self._worst_mos, interval.mos)
            self._worst_jitter_ms = max(self._worst_jitter_ms, counters.jitter_ms)
        self._now = counters
        return interval

    def summary(self) -> LegSummary:
        """Return what is written down of the leg."""
        now = self._now
        whole = quality(self.codec, _NOTHING, now)
        return LegSummary(
            self.codec, now.received, now.lost, round(whole.loss_percent, 2), round(whole.burst_ratio, 2),
            round(now.jitter_ms, 1), round(self._worst_jitter_ms, 1), round(whole.delay_ms, 1),
            round(whole.mos, 2), round(min(self._worst_mos, whole.mos), 2), self.not_heard,
        )  # fmt: skip


# --- two legs that should hear each other ------------------------------------


@dataclass(slots=True)
class _Side:
    received: int = -1
    heard_at: float = 0.0
    told: bool = False


class OneWayAudio:
    """Finds the leg of a bridge that isn't heard while the other one is.

    ```
            both expected to speak ──> clocks start
            packets came           ──> that leg's clock starts anew
            A silent for 4 s, B heard in the last second  ──> "A isn't heard", once until it is again
    ```
    A leg that suppresses silence (has sent comfort noise) has 30 s. Legs on hold, or told by their SDP
    not to send, aren't expected to.
    """

    __slots__ = ("_sides",)

    def __init__(self) -> None:
        self._sides: dict[str, _Side] = {}

    def observe(
        self, leg: str, received: int, now: float, *, expected: bool = True, suppresses_silence: bool = False
    ) -> bool:
        """Take what one leg has received of its phone, about every second for both legs.

        Returns True when this leg is found not to be heard. received: packets since the beginning; now:
        monotonic seconds; expected: it should be sending.
        """
        side = self._sides.setdefault(leg, _Side(heard_at=now))
        if received > side.received >= 0 or not expected or side.received < 0:
            side.heard_at = now
            side.told = False
        side.received = received
        limit = ONE_WAY_SUPPRESSED_SECONDS if suppresses_silence else ONE_WAY_SECONDS
        if side.told or now - side.heard_at < limit:
            return False
        others = [other for name, other in self._sides.items() if name != leg]
        side.told = any(other.received > 0 and now - other.heard_at <= 1.5 for other in others)
        return side.told

    def forget(self, leg: str) -> None:
        """Leave out a leg that has gone."""
        self._sides.pop(leg, None)
