"""A limit: so many at once and so many a second, for each key; a token bucket in one number.

The number is the instant at which the key's bucket would be full again (GCRA): a key that isn't in the table
has a full bucket, so the least recently used one can be forgotten when the table is full.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

MOST_KEYS = 65_536


class Limit:
    """At most `burst` at once and `per_second` lasting, for each key.

    most_keys: how many keys are remembered; beyond it the least recently used one starts afresh.
    """

    __slots__ = ("_capacity_seconds", "_full_at", "_most_keys", "_seconds_each")

    def __init__(self, per_second: float, burst: float, most_keys: int = MOST_KEYS) -> None:
        self._seconds_each = 1 / per_second
        self._capacity_seconds = burst / per_second + 1e-6  # sums of fractions are a little off
        self._most_keys = most_keys
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def allows(self, key: Hashable, now: float, amount: float = 1.0) -> bool:
        """Take `amount` of a key's bucket; False, and nothing taken, when it doesn't hold that much."""
        full_at = self._full_at
        filled = full_at.get(key, now)
        filled = max(filled, now) + amount * self._seconds_each
        if filled - now > self._capacity_seconds:
            return False
        full_at[key] = filled
        full_at.move_to_end(key)
        if len(full_at) > self._most_keys:
            full_at.popitem(last=False)
        return True

    def spent(self, key: Hashable, now: float) -> bool:
        """Whether a key's bucket doesn't hold one more."""
        return self._full_at.get(key, now) + self._seconds_each - now > self._capacity_seconds

    def give_back(self, key: Hashable) -> None:
        """Put one back that was taken: it was no offence."""
        if key in self._full_at:
            self._full_at[key] -= self._seconds_each

    def forget(self, key: Hashable) -> None:
        """Fill a key's bucket."""
        self._full_at.pop(key, None)

    def seconds_left(self, key: Hashable, now: float) -> float:
        """How long until a key's bucket holds one more; 0 when it does now."""
        return max(0.0, self._full_at.get(key, now) + self._seconds_each - now - self._capacity_seconds)

    def __len__(self) -> int:
        return len(self._full_at)
