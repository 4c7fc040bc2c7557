"""When recordings go, decided without a clock or a disk: what is due, what is held, what must wait.

    kept ──(its time is over)──> due ──> purged: key and file destroyed, a tombstone in the journal
      │                           │
      └── held: by whom, why, until when ── beats every purge

Nothing is due while the clock is in doubt: one that jumped ahead would purge what has weeks to go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final, NamedTuple

DAY_SECONDS: Final = 86_400.0
SMALLEST_STEP_SECONDS: Final = 60.0  # of the clock against the machine's own, to be doubted
LONGEST_OFF_SECONDS: Final = 7 * DAY_SECONDS  # a node that was off for longer says so before it purges


class Kept(NamedTuple):
    """A recording that there is. ended: Unix seconds; policy: the plan's name of why it was made."""

    recording: str
    policy: str
    begun: float
    ended: float
    bytes: int


class Hold(NamedTuple):
    """Somebody needs a recording longer. until: Unix seconds."""

    recording: str
    by: str
    why: str
    until: float


class Verdict(Enum):
    """What becomes of a recording now."""

    KEPT = "kept"
    DUE = "due"
    HELD = "held"
    UNKNOWN_POLICY = "unknown policy"  # the plan doesn't say any more how long: somebody must


class Fate(NamedTuple):
    """What becomes of one recording, and when its time is over; hold: the one that lasts longest."""

    kept: Kept
    verdict: Verdict
    over: float
    hold: Hold | None


def fates(
    recordings: Iterable[Kept], keep_days: Mapping[str, int], holds: Iterable[Hold], now: float
) -> list[Fate]:
    """Return what becomes of each recording at `now`, what is over first coming first.

    keep_days: by policy. A policy that was shortened holds for what was recorded under it before as well: the
    law's limit is on what is kept, whenever it was recorded.
    """
    longest: dict[str, Hold] = {}
    for hold in holds:
        before = longest.get(hold.recording)
        if hold.until > now and (before is None or hold.until > before.until):
            longest[hold.recording] = hold
    decided = [
        _fate(kept, keep_days.get(kept.policy), longest.get(kept.recording), now) for kept in recordings
    ]
    return sorted(decided, key=lambda fate: (fate.over, fate.kept.recording))


def oldest_first(decided: Iterable[Fate], need_bytes: int) -> list[Kept]:
    """Return what goes when room is needed: what is due already, then the oldest; never what is held.

    As few as make `need_bytes`; all that may go where that isn't enough.
    """
    going: list[Kept] = []
    free = 0
    may_go = [fate for fate in decided if fate.verdict in (Verdict.DUE, Verdict.KEPT)]
    for fate in sorted(may_go, key=lambda fate: (fate.verdict is not Verdict.DUE, fate.kept.begun)):
        if free >= need_bytes:
            break
        going.append(fate.kept)
        free += fate.kept.bytes
    return going


class ClockSeen(NamedTuple):
    """The clocks at one moment: Unix seconds, and the machine's own that nobody can set."""

    wall: float
    steady: float
    boot: str
    synchronised: bool


def doubt(before: ClockSeen | None, now: ClockSeen) -> str:
    """Return why the clock can't be trusted with a purge, "" when it can.

    before: what was seen last, None on a node's first day. An administrator who vouches for the clock makes
    what is seen now the one to compare with.
    """
    if not now.synchronised:
        return "the clock is not synchronised"
    if before is None:
        return ""
    if now.wall < before.wall:
        return f"the clock went back by {before.wall - now.wall:.0f} s"
    if now.boot != before.boot:
        off = now.wall - before.wall
        return f"the machine was off for {off / DAY_SECONDS:.0f} days" if off > LONGEST_OFF_SECONDS else ""
    step = (now.wall - before.wall) - (now.steady - before.steady)
    return f"the clock was set by {step:+.0f} s" if abs(step) > SMALLEST_STEP_SECONDS else ""


def _fate(kept: Kept, days: int | None, hold: Hold | None, now: float) -> Fate:
    if days is None:
        return Fate(kept, Verdict.HELD if hold else Verdict.UNKNOWN_POLICY, float("inf"), hold)
    over = kept.ended + days * DAY_SECONDS
    if now < over:
        return Fate(kept, Verdict.HELD if hold else Verdict.KEPT, over, hold)
    return Fate(kept, Verdict.HELD if hold else Verdict.DUE, over, hold)
