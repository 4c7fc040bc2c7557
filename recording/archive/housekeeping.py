"""What the recorder's process does by itself with recordings that there are: purge, watch the clock, list.

Each is a chore: `turn(now)` is called every `every_seconds` in a thread of its own, and returns what isn't
well, or is again. Nothing here reads a clock but by what it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from recording.archive.archive import Archive
from recording.archive.catalogue import CatalogueUnusable
from recording.archive.clock import ClockWatch
from recording.archive.rights import Denied
from recording.live.troubles import Troubled
from recording.live.wire import Trouble, TroubleOver
from recording.proof.journal import JournalDamage
from recording.retention import ClockSeen

PURGE_SECONDS: Final = 20.0  # a recording goes within the minute that its time is over
CLOCK_SECONDS: Final = 10.0
CATALOGUE_SECONDS: Final = 1.0  # a death forgets the numbers of calls that began within


class ClockChore:
    """Looks whether the clock can be trusted, and journals when that changes."""

    name: Final = "clock"
    every_seconds: Final = CLOCK_SECONDS

    def __init__(self, watch: ClockWatch, look: Callable[[], ClockSeen], archive: Archive) -> None:
        self._watch = watch
        self._look = look
        self._archive = archive
        self._journalled = ""
        self._troubled = Troubled(self.name)

    def turn(self, now: float) -> list[Trouble | TroubleOver]:
        """Look once. now: not used, since the clock itself is in question."""
        try:
            why = self._watch.seen(self._look())
            if why != self._journalled:
                self._archive.doubted(why)
                self._journalled = why
        except OSError as error:
            return self._troubled.told(f"nothing can be kept of the clock: {error.strerror or error}")
        return self._troubled.told(
            f"{why}: nothing is purged until it is right, or vouched for" if why else ""
        )


class CatalogueChore:
    """Keeps the catalogue up with the journal and with what signalling has told."""

    name: Final = "catalogue"
    every_seconds: Final = CATALOGUE_SECONDS

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._troubled = Troubled(self.name)

    def turn(self, now: float) -> list[Trouble | TroubleOver]:
        """Enter what is new. now: not used."""
        try:
            self._archive.catch_up()
        except (OSError, CatalogueUnusable, JournalDamage) as error:
            return self._troubled.told(f"recordings can't be found or listened to: {error}")
        return self._troubled.told("")


class PurgeChore:
    """Purges what is due."""

    name: Final = "purge"
    every_seconds: Final = PURGE_SECONDS

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._troubled = Troubled(self.name)

    def turn(self, now: float) -> list[Trouble | TroubleOver]:
        """Purge what is due. now: not used; the archive looks at the clock that is watched."""
        try:
            self._archive.purge_due()
        except Denied:  # the clock is in doubt: that is told by whoever watches it
            return []
        except (OSError, CatalogueUnusable, JournalDamage) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return self._troubled.told(f"recordings whose time is over can't be purged: {why}")
        return self._troubled.told("")
