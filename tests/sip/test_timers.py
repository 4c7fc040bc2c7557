"""The heap of deadlines: nothing too late, at most one live entry for each (RFC 3261 section 17)."""

from __future__ import annotations

import random

from sip.core.timers import T1, T2, T4, TimerHeap


class Clocked:
    """Something with a deadline that notes when it fired."""

    def __init__(self, deadline: float | None) -> None:
        self.deadline = deadline
        self.armed: float | None = None
        self.fired: list[float] = []

    def fire(self, now: float) -> None:
        self.fired.append(now)
        self.deadline = None


def armed(heap: TimerHeap, *deadlines: float) -> list[Clocked]:
    things = [Clocked(deadline) for deadline in deadlines]
    for thing in things:
        heap.arm(thing)
    return things


def run(heap: TimerHeap, now: float) -> list[Clocked]:
    """Fire what is due; returns it in order."""
    due = []
    while (thing := heap.due(now)) is not None:
        assert isinstance(thing, Clocked)
        thing.fire(now)
        heap.arm(thing)
        due.append(thing)
    return due


def test_the_values_are_those_of_the_table() -> None:
    """RFC 3261 section 17.1.1.1, and table 4 for T2 and T4."""
    assert (T1, T2, T4) == (0.5, 4.0, 5.0)


def test_an_empty_heap_wants_nothing() -> None:
    heap = TimerHeap()
    assert heap.next_deadline() is None
    assert heap.due(1e9) is None


def test_the_earliest_comes_first_whatever_the_order_of_arming() -> None:
    heap = TimerHeap()
    late, early, middle = armed(heap, 3.0, 1.0, 2.0)
    assert heap.next_deadline() == 1.0
    assert run(heap, 10.0) == [early, middle, late]


def test_equal_deadlines_fire_in_the_order_of_arming() -> None:
    heap = TimerHeap()
    things = armed(heap, 1.0, 1.0, 1.0)
    assert run(heap, 1.0) == things


def test_nothing_fires_before_its_deadline() -> None:
    heap = TimerHeap()
    armed(heap, 1.0)
    assert run(heap, 0.999) == []


def test_a_deadline_that_disappears_never_fires() -> None:
    heap = TimerHeap()
    (thing,) = armed(heap, 1.0)
    thing.deadline = None
    assert heap.live() == 0
    assert run(heap, 5.0) == []
    assert heap.next_deadline() is None


def test_a_deadline_that_moves_later_fires_then() -> None:
    heap = TimerHeap()
    (thing,) = armed(heap, 1.0)
    thing.deadline = 5.0
    heap.arm(thing)
    assert run(heap, 4.9) == []
    assert run(heap, 5.0) == [thing]


def test_a_deadline_that_moves_earlier_fires_then_and_once() -> None:
    heap = TimerHeap()
    (thing,) = armed(heap, 5.0)
    thing.deadline = 1.0
    heap.arm(thing)
    assert heap.next_deadline() == 1.0
    assert run(heap, 1.0) == [thing]
    assert run(heap, 10.0) == []


def test_a_deadline_that_disappears_and_comes_back_fires_once() -> None:
    heap = TimerHeap()
    (thing,) = armed(heap, 1.0)
    thing.deadline = None
    thing.deadline = 2.0
    heap.arm(thing)
    assert run(heap, 3.0) == [thing]
    assert heap.next_deadline() is None


def test_arming_again_and_again_keeps_one_live_entry() -> None:
    heap = TimerHeap()
    (thing,) = armed(heap, 1.0)
    for _ in range(10):
        heap.arm(thing)
    assert heap.live() == 1
    assert run(heap, 1.0) == [thing]


def test_what_arms_itself_at_the_same_instant_does_not_starve_the_others() -> None:
    heap = TimerHeap()
    first, second = armed(heap, 1.0, 1.0)
    due = heap.due(1.0)
    assert due is first
    first.deadline = 1.0
    heap.arm(first)
    assert heap.due(1.0) is second


def test_whatever_moves_each_fires_at_its_last_deadline_and_never_late() -> None:
    """A model of the heap: a plain dictionary of deadlines."""
    chance = random.Random(7)
    for _ in range(50):
        heap = TimerHeap()
        things = [Clocked(None) for _ in range(8)]
        now = 0.0
        for _ in range(200):
            thing = chance.choice(things)
            thing.deadline = None if chance.random() < 0.2 else now + chance.choice((0.0, 0.5, 1.0, 5.0))
            heap.arm(thing)
            now += chance.choice((0.0, 0.1, 0.7))
            expected = {other for other in things if other.deadline is not None and other.deadline <= now}
            assert set(run(heap, now)) == expected
            wanted = [other.deadline for other in things if other.deadline is not None]
            assert heap.live() == len(wanted)
            if wanted:
                soonest = heap.next_deadline()
                assert soonest is not None
                assert soonest <= min(wanted)
