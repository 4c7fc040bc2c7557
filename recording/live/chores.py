"""What the recorder's process does by itself, now and then: purge, watch the clock, copy, stamp, forecast.

```
            ┌─ thread ── turn(now) ─┐
 Chores ────┼─ thread ── turn(now) ─┼──> Trouble | TroubleOver ──> told
            └─ thread ── turn(now) ─┘
```
Each has a thread of its own, so that one which waits for a disk or another machine holds up no other, and
none of them holds up what is recorded: they are nicer than the threads that record.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import Final, Protocol, TypeAlias

from recording.live.wire import Trouble, TroubleOver

log = logging.getLogger(__name__)

NICENESS: Final = 10

Told: TypeAlias = Trouble | TroubleOver


class Chore(Protocol):
    """Something that is done every so many seconds."""

    @property
    def name(self) -> str:
        """What troubles of it are called."""
        ...

    @property
    def every_seconds(self) -> float:
        """How long it rests between two turns."""
        ...

    def turn(self, now: float) -> list[Told]:
        """Do what is due; returns what is to be told. now: Unix seconds."""
        ...


class Chores:
    """See the module."""

    def __init__(
        self, chores: Iterable[Chore], clock: Callable[[], float], told: Callable[[list[Told]], None]
    ) -> None:
        """clock: Unix seconds; told: called in their threads."""
        self._clock = clock
        self._told = told
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(chore,), name=chore.name, daemon=True)
            for chore in chores
        ]

    def start(self) -> None:
        """Begin each with its first turn."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float) -> None:
        """Begin no turn any more, and wait so long for those that there are; the end of the process ends
        them."""
        self._stopping.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(seconds)

    def _run(self, chore: Chore) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        failed = False
        while not self._stopping.is_set():
            try:
                told = chore.turn(self._clock())
            except Exception as error:  # whatever it is, the next turn is tried, and somebody is told
                log.exception("%s failed", chore.name)
                failed = True
                told = [Trouble(chore.name, f"{type(error).__name__}: {error}")]
            else:
                if failed:
                    failed = False
                    told = [TroubleOver(chore.name), *told]
            if told:
                self._told(told)
            self._stopping.wait(chore.every_seconds)
