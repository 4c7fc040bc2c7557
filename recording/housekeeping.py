"""What the recorder's process does by itself with recordings that there are: it purges, and doubts the clock.

Each is a chore: `turn(now)` is called every `every_seconds` in a thread of its own, and returns what isn't
well, or is again. Nothing here reads a clock but by what it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from recording.archive import Archive, Denied
from recording.catalogue import CatalogueUnusable
from recording.clock import ClockWatch
from recording.proof.journal import JournalDamage
from recording.retention import ClockSeen
from recording.wire import Trouble, TroubleOver

PURGE_SECONDS: Final = 20.0  # a recording goes within the minute that its time is over
CLOCK_SECONDS: Final = 10.0


class ClockChore:
    """Looks whether the clock can be trusted, and journals when that changes."""

    name = "clock"
    every_seconds = CLOCK_SECONDS

    def __init__(self, watch: ClockWatch, look: Callable[[], ClockSeen], archive: Archive) -> None:
        self._watch = watch
        self._look = look
        self._archive = archive
        self._told = ""

    def turn(self, now: float) -> list[Trouble | TroubleOver]:
        """Look once. now: not used, since the clock itself is in question."""
        try:
            why = self._watch.seen(self._look())
            if why == self._told:
                return []
            self._archive.doubted(why)
        except OSError as error:
            return [Trouble("clock", f"nothing can be kept of the clock: {error.strerror or error}")]
        self._told = why
        if not why:
            return [TroubleOver("clock")]
        return [Trouble("clock", f"{why}: nothing is purged until it is right, or vouched for")]


class PurgeChore:
    """Purges what is due, and keeps the catalogue up with the journal."""

    name = "purge"
    every_seconds = PURGE_SECONDS

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._failed = False

    def turn(self, now: float) -> list[Trouble | TroubleOver]:
        """Purge what is due. now: not used; the archive has looked at the clock that is watched."""
        try:
            self._archive.purge_due()
        except Denied:
            pass  # the clock is in doubt: that is told by whoever watches it
        except (OSError, CatalogueUnusable, JournalDamage) as error:
            self._failed = True
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return [Trouble("purge", f"recordings whose time is over can't be purged: {why}")]
        if self._failed:
            self._failed = False
            return [TroubleOver("purge")]
        return []
