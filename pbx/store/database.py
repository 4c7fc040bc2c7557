"""A database to run functions of a Connection on: SQLite in data_dir, or PostgreSQL.

The callers are synchronous. SQLite is driven directly here; PostgreSQL is `pbx.store.postgresql`.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

BUSY_SECONDS = 5.0
_WRITING = "beffroi_writing"

Result = TypeVar("Result")
Work = Callable[[sa.Connection], Result]


class DatabaseUnavailableError(Exception):
    """The database is locked, away or full: the same work may succeed later. The message says why, without
    secrets.
    """


class Database(Protocol):
    """Where transactions run. Both kinds raise DatabaseUnavailableError; other errors of the work pass
    through.
    """

    def read(self, work: Work[Result]) -> Result:
        """Return what `work` returns, from one consistent state."""

    def write(self, work: Work[Result], *, durable: bool = False) -> Result:
        """Run `work` in one transaction that other writers wait for.

        durable: when it returns, this and every earlier transaction outlive a power cut.
        """

    def close(self) -> None:
        """Let go of the connections."""


class SqliteDatabase:
    """One file. A transaction outlives the process; a power cut may take the last ones, unless `durable`."""

    def __init__(self, path: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SQLite gives its journal files the mode of the database: other users read neither.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise DatabaseUnavailableError(f"{path}: {error.strerror}") from None
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)),
            poolclass=StaticPool,
            connect_args={"timeout": busy_seconds, "check_same_thread": False},
        )
        sa.event.listen(self._engine, "connect", _configure_sqlite)
        sa.event.listen(self._engine, "begin", _begin_sqlite)

    def read(self, work: Work[Result]) -> Result:
        with unavailable(), self._engine.connect() as connection, connection.begin():
            return work(connection)

    def write(self, work: Work[Result], *, durable: bool = False) -> Result:
        with unavailable(), self._engine.connect() as connection:
            if durable:
                _set_synchronous(connection, "FULL")
            try:
                writing = connection.execution_options(**{_WRITING: True})
                with writing.begin():
                    return work(writing)
            finally:
                if durable:
                    _set_synchronous(connection, "NORMAL")

    def close(self) -> None:
        self._engine.dispose()


def _set_synchronous(connection: sa.Connection, level: str) -> None:
    # Outside of any transaction, where SQLite would ignore it: straight to the driver.
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA synchronous={level}").close()


def _configure_sqlite(connection: Any, _record: object) -> None:
    # The driver's own idea of when a transaction begins leaves DDL outside of it: `begin` says it below.
    connection.isolation_level = None
    # Two processes may make the file at once: while one sets this the other is told "locked" without having
    # waited, and finds it set.
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode=WAL").close()
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later can't wait for another writer: take the lock at once.
    writing = connection.get_execution_options().get(_WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextmanager
def unavailable() -> Iterator[None]:
    """Tell a database that isn't there now (DatabaseUnavailableError) from work that is wrong."""
    try:
        yield
    except (sa.exc.IntegrityError, sa.exc.DataError, sa.exc.ProgrammingError, sa.exc.NotSupportedError):
        raise
    except sa.exc.DBAPIError as error:
        # What is left is about the server or the file: no connection, no such role, locked, full, malformed.
        raise DatabaseUnavailableError(f"database: {error.orig}") from error
    except (OSError, TimeoutError) as error:
        raise DatabaseUnavailableError(f"database: {error}") from error


def open_database(url: str) -> Database:
    """Return the database that a configuration's `database` names; PostgreSQL is reached when it is used.

    url: `sqlite:///PATH` or `postgresql://…`, with or without the driver's name.
    Raises DatabaseUnavailableError when SQLite's file can't be made, ValueError for any other kind of URL.
    """
    scheme, _, file = url.partition(":///")
    if scheme in ("sqlite", "sqlite+aiosqlite") and file:
        # Not parsed as a URL: a folder's name may hold a question mark.
        return SqliteDatabase(Path(file))
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise ValueError("this isn't the URL of a database") from None
    if parsed.get_backend_name() != "postgresql":
        raise ValueError(f"{parsed.get_backend_name()} is not known; use sqlite or postgresql")
    # Imported here: a node on SQLite is 7 MB smaller without it.
    from pbx.store.postgresql import PostgresqlDatabase

    return PostgresqlDatabase(parsed.set(drivername="postgresql+asyncpg"))
