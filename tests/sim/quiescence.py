"""Quiescence: after a scenario, nothing is left.

Two looks, as what is still running may keep no call's remains either:

1. `assert_calm`: after the longest timer of a call, every inventory (stack, calls, media ports) is all zeros,
   while the application still runs.
2. `assert_nothing_left`: once everything is closed, no task and no timer is on the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Protocol

from tests.sim.loop import VirtualLoop

T1_SECONDS = 0.5
LONGEST_TIMER_SECONDS = 64 * T1_SECONDS + 8.0
"""Timers B, D, F, H, J, L and M last 64*T1 (RFC 3261 table 4, RFC 6026); I and K follow for T4, 5 s."""


class Inventory(Protocol):
    """Whatever can count what it holds."""

    def inventory(self) -> dict[str, int]:
        """Counts by name (transactions, timers, dialogs, sessions, ports), zero when nothing is going on."""
        ...


class NotQuiet(AssertionError):
    """Something outlived the scenario; the message lists it."""


async def assert_calm(
    inventories: Mapping[str, Inventory], *, advance_seconds: float = LONGEST_TIMER_SECONDS
) -> None:
    """Advance past the longest timer, then raise NotQuiet unless every count is zero."""
    await asyncio.sleep(advance_seconds)
    left = [
        f"  {owner}: {count} {name}"
        for owner, inventory in inventories.items()
        for name, count in inventory.inventory().items()
        if count
    ]
    if left:
        raise NotQuiet(f"{advance_seconds:g} s after the scenario this is left\n" + "\n".join(left))


async def assert_nothing_left(loop: VirtualLoop, *, known: Iterable[asyncio.Task[object]] = ()) -> None:
    """Raise NotQuiet for each task but this one and `known`, and for each timer that is still set."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # a task that was cancelled just now takes a turn to end
    expected = {asyncio.current_task(), *known}
    tasks = sorted(task.get_name() for task in asyncio.all_tasks(loop) - expected)
    left = [
        f"  task {line.strip()}"
        for line in loop.waiting().splitlines()
        if line.split(":")[0].strip() in tasks
    ]
    left += [
        f"  timer in {timer.when() - loop.time():.3f} s: {describe_timer(timer)}" for timer in loop.timers()
    ]
    if left:
        raise NotQuiet("everything is closed and this is left\n" + "\n".join(left))


def describe_timer(timer: asyncio.TimerHandle) -> str:
    """The name of what a timer will call."""
    callback = getattr(timer, "_callback", None)
    return str(getattr(callback, "__qualname__", callback))
