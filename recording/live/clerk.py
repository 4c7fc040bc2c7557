"""Who writes what belongs beside the recordings' files: entries of the journal, rows of the catalogue.

A thread of its own does what it is given, in order. What a disk refuses is done again every RETRY_SECONDS,
and what comes behind it waits: an entry is never left out. So a disk that stands still holds up nobody else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Thread
from typing import Final

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 0.5

Job = Callable[[], object]


class Clerk:
    """See the module. The thread ends with `stop`."""

    def __init__(self, told: Callable[[str], None]) -> None:
        """told: called in the thread with why nothing can be written, in the system's words; "" when it can
        again."""
        self._told = told
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()  # None wakes
        self._stopping = Event()
        self._left = False  # something that a disk has refused to the end
        self._thread = Thread(target=self._run, name="clerk", daemon=True)
        self._thread.start()

    def give(self, job: Job) -> None:
        """Have something written. It may raise OSError, and is called again then."""
        self._jobs.put(job)

    def stop(self, seconds: float) -> bool:
        """Write what waits, for so long at most; returns whether all of it is written."""
        self._stopping.set()
        self._jobs.put(None)
        self._thread.join(seconds)
        return not self._thread.is_alive() and not self._left

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            if job is not None and not self._do_until_done(job):
                self._left = True
                return
            if self._stopping.is_set() and self._jobs.empty():
                return

    def _do_until_done(self, job: Job) -> bool:
        """Do a job, again and again where the disk doesn't let us. Returns whether it was done."""
        failing = False
        while True:
            try:
                job()
            except OSError as error:
                if not failing:
                    failing = True
                    self._told(error.strerror or str(error))
                if self._stopping.wait(RETRY_SECONDS):
                    return False
                continue
            except Exception:  # a fault of ours: what comes behind it must be written all the same
                log.exception("this was not written")
            if failing:
                self._told("")
            return True
