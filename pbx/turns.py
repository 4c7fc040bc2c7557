"""Whose turn it is among those who answer a service: who has been idle longest, who had fewest calls.

Counted from the records of calls since this process began; a node that starts anew begins anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pbx.records import CallRecord


class Turns:
    """chance: a number from 0 to below 1, another one each time. person_of: the extension of a device."""

    def __init__(self, chance: Callable[[], float], person_of: Callable[[str], str]) -> None:
        self._chance = chance
        self._person_of = person_of
        self._idle_since: dict[str, float] = {}
        self._calls: Counter[str] = Counter()
        self._rounds: Counter[str] = Counter()  # of a service

    def ended(self, record: CallRecord) -> None:
        """Count a call that was answered."""
        if record.answered is None:
            return
        for leg in record.legs:
            if leg.answered is not None and (person := self._person_of(leg.device)):
                self._idle_since[person] = record.ended
                self._calls[person] += 1

    def order(self, service: str, strategy: str, members: Sequence[str]) -> list[str]:
        """Return the members in the order in which they are to be rung.

        members: extensions and numbers outside, as the plan lists them; ties keep that order. strategy: as in
        the plan; `all` and `in_order` are the plan's own order.
        """
        match strategy:
            case "longest_idle":
                return sorted(members, key=lambda member: self._idle_since.get(member, 0.0))
            case "fewest_calls":
                return sorted(members, key=lambda member: self._calls[member])
            case "random":
                return sorted(members, key=lambda _: self._chance())
            case "round_robin" if members:
                first = self._rounds[service] % len(members)
                self._rounds[service] += 1
                return [*members[first:], *members[:first]]
            case _:
                return list(members)
