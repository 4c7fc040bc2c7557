"""The database as the web process uses it: readers side by side, one writer, each in a thread of its own.

A transaction never waits in the event loop, and a long report keeps one reader busy, not the others.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from pbx.store.database import Database, Result, Work, open_database
from pbx.store.migrate import migrate_apart
from pbx.store.revision import is_older, upgrade

log = logging.getLogger(__name__)

READERS = 4


class Store:
    """The connections of one process. url: as in the configuration. Opened at the first use."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._own = threading.local()  # a connection is a thread's own
        self._opened: list[Database] = []
        self._is_migrated = False
        self._migrating = threading.Lock()
        self._readers = ThreadPoolExecutor(READERS, "database-reader")
        self._writer = ThreadPoolExecutor(1, "database-writer")

    async def read(self, work: Work[Result]) -> Result:
        """Return what `work` returns, from one consistent state. Raises DatabaseUnavailableError."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, lambda: self._database().read(work))

    async def write(self, work: Work[Result]) -> Result:
        """Run `work` in a transaction that outlives a power cut. Raises DatabaseUnavailableError."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, lambda: self._database().write(work, durable=True))

    def close(self) -> None:
        """Wait for what runs, and let go of the connections."""
        for executor in (self._readers, self._writer):
            executor.shutdown()
        for database in self._opened:
            database.close()
        self._opened.clear()

    def _database(self) -> Database:
        found: Database | None = getattr(self._own, "database", None)
        if found is None:
            database = open_database(self._url)
            self._migrate(database)
            self._own.database = found = database
            self._opened.append(database)
        return found

    def _migrate(self, database: Database) -> None:
        with self._migrating:
            if self._is_migrated:
                return
            if is_older(database):
                migrate_apart(self._url)
            upgrade(database)
            self._is_migrated = True
