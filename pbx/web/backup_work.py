"""What is being done with backups: one thing at a time, in a thread, and how far it is.

Whoever asks is told at once that it has begun, and looks again; it goes on when they leave the page.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from msgspec import Struct

from pbx.node.backup import BackupError, verify
from pbx.node.backups import Backups
from pbx.tasks import Tasks

log = logging.getLogger(__name__)


class BackupWork(Struct):
    """One piece of work. what: `make` or `verify`; name: the backup's, "" while one is made. by: an account.

    at: Unix seconds when it began. share: what is done of it, from 0 to 1. state: `running`, `done` or
    `failed`, and problem why. files, size: what the archive holds, in bytes before compression. notes: what
    it doesn't hold.
    """

    what: str
    name: str
    by: str
    at: float
    share: float = 0.0
    state: str = "running"
    problem: str = ""
    files: int = 0
    size: int = 0
    notes: tuple[str, ...] = ()


class BusyError(Exception):
    """Something is being done with backups already."""


class BackupBench:
    """Where backups are made and verified, one at a time. last: what was done last, None before."""

    def __init__(self, backups: Backups) -> None:
        self.backups = backups
        self.last: BackupWork | None = None
        self._tasks: Tasks | None = None

    def make(self, by: str, at: float) -> BackupWork:
        """Begin a backup, and return the work. at: Unix seconds. Raises BusyError."""

        def make(work: BackupWork) -> None:
            made = self.backups.make(at, lambda share: _tell(work, share))
            work.name, work.notes = made.archive.name, made.notes
            work.files, work.size = len(made.members), sum(member.size for member in made.members)

        return self._begin(BackupWork("make", "", by, at), make)

    def verify(self, name: str, by: str, at: float) -> BackupWork:
        """Begin to read a backup whole, and return the work. Raises BusyError, BackupError for none such."""
        path = self.backups.path(name)

        def check(work: BackupWork) -> None:
            manifest = verify(path, lambda share: _tell(work, share))
            work.files, work.size = len(manifest.members), sum(one.size for one in manifest.members)

        return self._begin(BackupWork("verify", name, by, at), check)

    def _begin(self, work: BackupWork, do: Callable[[BackupWork], None]) -> BackupWork:
        if self.last is not None and self.last.state == "running":
            raise BusyError
        self.last = work
        self._tasks = self._tasks or Tasks()
        self._tasks.start(self._done(work, do), f"backup {work.what}")
        return work

    async def _done(self, work: BackupWork, do: Callable[[BackupWork], None]) -> None:
        state = "failed"
        try:
            await asyncio.to_thread(do, work)
            work.share, state = 1.0, "done"
        except BackupError as error:
            work.problem = str(error)
            log.error("backup %s: %s", work.what, error)
        finally:
            work.state = state

    async def idle(self) -> None:
        """Return when nothing is being done."""
        if self._tasks is not None:
            await self._tasks.idle()


def _tell(work: BackupWork, share: float) -> None:
    work.share = share
