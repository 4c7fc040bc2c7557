"""How long recordings stay: what the policies, the holds and the catalogue come to.

The decision itself is pure (`recording.retention`); here is what it is made of. Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from recording.archive.catalogue import Catalogue
from recording.archive.requests import Foreseen, Found, PolicyForeseen, PolicyTold
from recording.retention import DAY_SECONDS, Fate, Hold, Kept, Verdict, fates

MOST_FORESEEN: Final = 100_000
MOST_LISTED: Final = 200


class Terms:
    """See the module."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def policy(self, found: Found) -> PolicyTold:
        """Return the policy of a recording; one that nobody told of keeps for no time that is known."""
        return self._catalogue.policies().get(found.policy, PolicyTold(name=found.policy))

    def fates(self, found: Sequence[Found], at: float, now: float) -> list[Fate]:
        """Return what becomes of these at an instant; holds are those that there are now."""
        holds = [Hold(one.recording, one.by, one.why, one.until) for one in self._catalogue.holds(now)]
        days = {one.name: one.keep_days for one in self._catalogue.policies().values()}
        keep = {name: kept for name, kept in days.items() if kept is not None}
        kept = [
            Kept(one.recording, one.policy, one.begun, one.ended, one.bytes)
            for one in found
            if one.ended is not None
        ]
        return fates(kept, keep, holds, at)

    def due(self, policy: PolicyTold, now: float, limit: int) -> list[Kept]:
        """Return some of a policy's recordings whose time is over."""
        if policy.keep_days is None:
            return []
        ended = self._catalogue.due(policy.name, now - policy.keep_days * DAY_SECONDS, now, limit)
        return [fate.kept for fate in self.fates(ended, now, now) if fate.verdict is Verdict.DUE]

    def must_stay_until(self, found: Found) -> float:
        """Return before when nothing but its time may end a recording."""
        return (found.ended or 0.0) + self.policy(found).least_days * DAY_SECONDS

    def completed(self, found: Sequence[Found], now: float) -> list[Found]:
        """Return these with when their time is over and until when they are held."""
        policies = self._catalogue.policies()
        until: dict[str, float] = {}
        for hold in self._catalogue.holds(now):
            until[hold.recording] = max(hold.until, until.get(hold.recording, 0.0))
        return [
            msgspec.structs.replace(
                one, over=over(one, policies.get(one.policy)), held_until=until.get(one.recording, 0.0)
            )
            for one in found
        ]

    def foreseen(self, until: float, now: float, clock: str) -> Foreseen:
        """Return what goes until an instant, and what is held then. clock: as in Foreseen."""
        going: list[Fate] = []
        told: list[PolicyForeseen] = []
        totals, policies = self._catalogue.totals(), self._catalogue.policies()
        for name in sorted({*policies, *totals}):
            policy = policies.get(name, PolicyTold(name=name))
            some: list[Fate] = []
            if policy.keep_days is not None:
                instant = until - policy.keep_days * DAY_SECONDS
                some = self.fates(self._catalogue.ended_before(name, instant, MOST_FORESEEN), until, now)
            due = [fate for fate in some if fate.verdict is Verdict.DUE]
            going += due
            told.append(
                PolicyForeseen(
                    policy=name,
                    keep_days=policy.keep_days,
                    due=len(due),
                    due_bytes=sum(fate.kept.bytes for fate in due),
                    first=due[0].over if due else None,
                    last=due[-1].over if due else None,
                    held=sum(fate.verdict is Verdict.HELD for fate in some),
                    unknown=totals[name][0] if policy.keep_days is None and name in totals else 0,
                )
            )
        # Whoever keeps house sees no numbers.
        listed = [
            msgspec.structs.replace(self._catalogue.get(fate.kept.recording), caller="", called="")
            for fate in going[:MOST_LISTED]
        ]
        return Foreseen(until, told, self.completed(listed, now), self._catalogue.holds(now), clock)


def over(found: Found, policy: PolicyTold | None) -> float | None:
    """Return when a recording's time is over; None while it goes on, and where the plan doesn't say."""
    if found.ended is None or policy is None or policy.keep_days is None:
        return None
    return found.ended + policy.keep_days * DAY_SECONDS
