"""Timers as values: one heap for everything that has a next deadline.

Nothing here reads a clock. A `Timed` object says when it wants to be called (`deadline`); the heap holds at
most one live entry for it. A deadline that moves or disappears costs nothing: the stale entry is dropped
or pushed again when it comes up: retransmission timers, nearly always cancelled, stay cheap.
"""

from __future__ import annotations

import heapq
from typing import Protocol

T1 = 0.5  # RFC 3261 section 17.1.1.1, seconds
T2 = 4.0
T4 = 5.0


class Timed(Protocol):
    """Something with a next deadline, in the seconds of the clock that its owner uses."""

    deadline: float | None
    armed: float | None  # the heap's own mark: the deadline of the live entry

    def fire(self, now: float) -> None:
        """The deadline has come."""


class TimerHeap:
    """The next deadline of many timed objects."""

    __slots__ = ("_count", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timed]] = []
        self._count = 0

    def arm(self, timed: Timed) -> None:
        """Take note of `timed.deadline`; to be called after every change of it."""
        deadline = timed.deadline
        if deadline is not None and (timed.armed is None or deadline < timed.armed):
            timed.armed = deadline
            self._count += 1
            heapq.heappush(self._heap, (deadline, self._count, timed))

    def next_deadline(self) -> float | None:
        """When fire() is wanted next, None when nothing is armed. It may come too early, never too late."""
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> Timed | None:
        """The next object whose deadline has come at `now`, None when there is none.

        The caller lets it fire and arms it again.
        """
        heap = self._heap
        while heap and heap[0][0] <= now:
            when, _, timed = heapq.heappop(heap)
            if timed.armed != when:
                continue  # an earlier deadline replaced this entry
            timed.armed = None
            if timed.deadline is None:
                continue
            if timed.deadline <= now:
                return timed
            self.arm(timed)
        return None

    def live(self) -> int:
        """How many objects wait for a deadline (a count for tests and status, not for the hot path)."""
        # An entry that was replaced counts as live again where its object came back to the same deadline.
        return len(
            {id(timed) for when, _, timed in self._heap if timed.armed == when and timed.deadline is not None}
        )
