"""Timers as values: one queue for everything that has a next deadline.

Nothing here reads a clock. A `Timed` object says when it wants to be called (`deadline`); the queue holds at
most one live entry for it. A deadline that moves or disappears costs nothing: the stale entry is dropped
or pushed again when it comes up: retransmission timers, nearly always cancelled, stay cheap.

At 3,000 calls a second half a million entries wait (64*T1 is 32 s). One heap of that size costs 26 µs a call,
so each slice of time has a list, sorted when its turn comes, and only the slices are in a heap.
"""

from __future__ import annotations

import heapq
from math import inf
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


SLICES_PER_SECOND = 128  # a power of two: the slice of a deadline is exact


class TimerHeap:
    """The next deadline of many timed objects.

    earliest: an instant that isn't later than any of them, infinite when nothing waits. It is at hand after
    each message, where `next_deadline` has to look.
    """

    __slots__ = ("_count", "_entries", "_slices", "_sorted", "earliest")

    def __init__(self) -> None:
        self.earliest = inf
        self._slices: list[int] = []  # a heap; each is a key of _entries
        self._entries: dict[int, list[tuple[float, int, Timed]]] = {}  # of each slice
        self._sorted: int | None = None  # the slice whose entries are in order, the earliest last
        self._count = 0

    def arm(self, timed: Timed) -> None:
        """Take note of `timed.deadline`; to be called after every change of it."""
        deadline = timed.deadline
        if deadline is None:
            return
        armed = timed.armed
        if armed is not None and deadline >= armed:
            return
        timed.armed = deadline
        if deadline < self.earliest:
            self.earliest = deadline
        self._count += 1
        slice_ = int(deadline * SLICES_PER_SECOND)
        entries = self._entries.get(slice_)
        if entries is None:
            self._entries[slice_] = [(deadline, self._count, timed)]
            heapq.heappush(self._slices, slice_)
        else:
            entries.append((deadline, self._count, timed))
            if slice_ == self._sorted:
                self._sorted = None

    def next_deadline(self) -> float | None:
        """When fire() is wanted next, None when nothing is armed. It may come too early, never too late."""
        entries = self._earliest()
        return entries[-1][0] if entries else None

    def due(self, now: float) -> Timed | None:
        """The next object whose deadline has come at `now`, None when there is none.

        The caller lets it fire and arms it again.
        """
        while (entries := self._earliest()) and entries[-1][0] <= now:
            when, _, timed = entries.pop()
            if timed.armed != when:
                continue  # an earlier deadline replaced this entry
            timed.armed = None
            if timed.deadline is None:
                continue
            if timed.deadline <= now:
                return timed
            self.arm(timed)
        self.earliest = entries[-1][0] if entries else inf
        return None

    def _earliest(self) -> list[tuple[float, int, Timed]]:
        """The entries of the first slice that has some; an empty list when there is none."""
        slices = self._slices
        while slices:
            slice_ = slices[0]
            entries = self._entries[slice_]
            if entries:
                if slice_ != self._sorted:
                    entries.sort(reverse=True)
                    self._sorted = slice_
                return entries
            del self._entries[heapq.heappop(slices)]
        return []

    def live(self) -> int:
        """How many objects wait for a deadline (a count for tests and status, not for the hot path)."""
        # An entry that was replaced counts as live again where its object came back to the same deadline.
        return len(
            {
                id(timed)
                for entries in self._entries.values()
                for when, _, timed in entries
                if timed.armed == when and timed.deadline is not None
            }
        )
