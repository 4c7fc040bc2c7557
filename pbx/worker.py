"""The worker process: whatever may wait for a disk or a database, so that signalling never does.

Five times a second, or when it is woken, it looks at the journal:

- it makes the newest segments survive a power cut (about once a second);
- it imports finished calls into the database in batches, with the position in the same transaction, and
deletes a
  segment once the database holds it for good;
- it folds closed segments of bindings into a snapshot;
- it exports the people of the database for signalling when they changed.

A thread beside that sends letters (`pbx.voicemail.postman`), where mail is configured; another one writes
down the messages of calls (`pbx.messages.scribe`).

A database that is locked, away or broken is tried again, less and less often; calls wait in the journal
meanwhile. A `kill -9` at any moment loses nothing and imports nothing twice.

Import this module in the worker's own process only: it brings SQLAlchemy with it.
"""

import asyncio
import contextlib
import gc
import logging
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from pbx.configuration import Configuration
from pbx.journal import (
    CALLS,
    End,
    Segment,
    fold_bindings,
    identity,
    read_chunk,
    segments,
    sync_directory,
    sync_segments,
)
from pbx.messages.scribe import Scribe
from pbx.messages.segments import Segments
from pbx.people.directory import DirectoryError, read_directory
from pbx.records import CallRecord, Record
from pbx.settings.mail import Mail
from pbx.store.calls import insert_calls
from pbx.store.database import Database, DatabaseUnavailableError, open_database
from pbx.store.migrate import migrate_apart
from pbx.store.people import export_directory, revision
from pbx.store.position import Position, forget_positions, positions, set_position
from pbx.store.revision import SchemaTooNewError, is_older, upgrade

log = logging.getLogger(__name__)

POLL_MS = 200
SYNC_SECONDS = 1.0
FIRST_RETRY_SECONDS = 0.5
LAST_RETRY_SECONDS = 30.0
MOST_IN_A_TRANSACTION = 500
SCRIBE_SECONDS = 2.0


class Worker:
    """What the worker process does, one `step` at a time. now: monotonic seconds; unix_now: wall clock."""

    def __init__(self, configuration: Configuration) -> None:
        self._journal_dir = configuration.journal_dir
        self._directory_file = configuration.directory_file
        self._url = configuration.database
        self._database: Database | None = None
        self._positions: dict[str, Position] = {}
        self._synced: dict[Path, int] = {}
        self._sync_at = 0.0
        self._retry_at = 0.0
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._exported_version: tuple[int, int, int] | None = None
        self._exported = -1
        self._troubles: dict[str, str] = {}

    def step(self, now: float, unix_now: float) -> None:
        """Do everything that is due. A trouble is logged when it begins and when it ends, never raised."""
        once_a_second = now >= self._sync_at
        if once_a_second:
            self._sync_at = now + SYNC_SECONDS
            self._keep_journal(unix_now)
        if now >= self._retry_at:
            self._use_database(now, once_a_second=once_a_second)

    def close(self, now: float) -> None:
        """Import what is there, sync the rest, let go of the database."""
        self._use_database(now, once_a_second=False)
        with contextlib.suppress(OSError):
            sync_segments(self._journal_dir, self._synced)
        self._disconnect()

    def _keep_journal(self, unix_now: float) -> None:
        try:
            self._synced = sync_segments(self._journal_dir, self._synced)
            fold_bindings(self._journal_dir, unix_now)
        except OSError as error:
            self._report("journal", f"the journal's disk: {error.strerror or error}")
        else:
            self._report("journal", "")

    def _use_database(self, now: float, *, once_a_second: bool) -> None:
        try:
            database = self._connect()
            self._import(database)
            if once_a_second:
                self._export(database)
        except (DatabaseUnavailableError, SchemaTooNewError, sa.exc.SQLAlchemyError, OSError) as error:
            # Whatever it was, the next try starts from what the database itself says it has.
            self._disconnect()
            self._retry_at = now + self._retry_seconds
            self._retry_seconds = min(2 * self._retry_seconds, LAST_RETRY_SECONDS)
            self._report("database", str(error).partition("\n")[0])
        else:
            self._retry_seconds = FIRST_RETRY_SECONDS
            self._report("database", "")

    def _connect(self) -> Database:
        if self._database is None:
            database = open_database(self._url)
            try:
                if is_older(database):
                    migrate_apart(self._url)
                if upgrade(database):
                    log.info("database migrated")
                self._positions = database.read(positions)
                self._forget_deleted(database)
            except BaseException:
                database.close()
                raise
            self._database = database
        return self._database

    def _disconnect(self) -> None:
        if self._database is not None:
            with contextlib.suppress(OSError, sa.exc.SQLAlchemyError):
                self._database.close()
            self._database = None

    def _forget_deleted(self, database: Database) -> None:
        """Forget positions of segments that are gone: deleted just before a crash, or by hand."""
        present = set()
        for segment in segments(self._journal_dir, CALLS):
            descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
            present.add(identity(descriptor).hex())
            os.close(descriptor)
        if gone := self._positions.keys() - present:
            database.write(lambda connection: forget_positions(connection, gone))
            for name in gone:
                del self._positions[name]

    def _import(self, database: Database) -> None:
        """Import every call that the journal holds, then delete the segments that are done with."""
        # The list comes first: once a newer segment exists, an older one never changes again.
        files = segments(self._journal_dir, CALLS)
        for segment in files:
            self._import_segment(database, segment, closed=segment is not files[-1])

    def _import_segment(self, database: Database, segment: Segment, *, closed: bool) -> None:
        descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            name = identity(descriptor).hex()
            position = self._positions.get(name, Position(0, False))
            end = End.WHOLE
            while not position.finished:
                chunk = read_chunk(descriptor, position.imported_bytes, MOST_IN_A_TRANSACTION)
                end = chunk.end
                if chunk.unreadable:
                    log.error("journal %s: %d records can't be read", segment.path.name, chunk.unreadable)
                reached = Position(chunk.offset, closed and end is not End.MORE)
                if reached != position:
                    self._commit(database, name, chunk.records, reached)
                    position = reached
                if end is not End.MORE:
                    break
        finally:
            os.close(descriptor)
        if closed:
            self._put_away(database, segment, name, end)

    def _commit(self, database: Database, name: str, records: Sequence[Record], position: Position) -> None:
        """Insert the calls and remember the position in one transaction."""
        calls = [record for record in records if type(record) is CallRecord]

        def work(connection: sa.Connection) -> None:
            insert_calls(connection, calls)
            set_position(connection, name, position)

        try:
            # Durable when it finishes a segment, because the segment's file is deleted next.
            database.write(work, durable=position.finished)
        except (sa.exc.IntegrityError, sa.exc.DataError):
            self._commit_one_by_one(database, calls)
            database.write(
                lambda connection: set_position(connection, name, position), durable=position.finished
            )
        self._positions[name] = position

    def _commit_one_by_one(self, database: Database, calls: Sequence[CallRecord]) -> None:
        """One call that no database takes must not keep the others out. Inserting twice is inserting once."""
        for call in calls:
            try:
                database.write(partial(insert_calls, records=[call]))
            except (sa.exc.IntegrityError, sa.exc.DataError) as error:
                log.error("call=%s can't be stored: %s", call.id, error.orig)

    def _put_away(self, database: Database, segment: Segment, name: str, end: End) -> None:
        """Delete a finished segment; one that is damaged is kept beside, for whoever wants to look."""
        if end is End.DAMAGED:
            log.error("journal %s is damaged: the rest of it is lost, kept as .damaged", segment.path.name)
            segment.path.rename(segment.path.with_suffix(".damaged"))
        else:
            if end is End.TORN:
                log.warning("journal %s had a torn tail", segment.path.name)
            segment.path.unlink(missing_ok=True)
        sync_directory(self._journal_dir)
        database.write(lambda connection: forget_positions(connection, [name]))
        self._positions.pop(name, None)

    def _export(self, database: Database) -> None:
        """Export the people when the file isn't at the database's revision."""
        try:
            if self._exported_revision() != database.read(revision):
                export_directory(database, self._directory_file)
                log.info("directory exported")
        except DirectoryError as error:
            self._report("directory", str(error))
        else:
            self._report("directory", "")

    def _exported_revision(self) -> int:
        """Return the file's revision, -1 when it must be written again; it is parsed only when it changed."""
        try:
            status = self._directory_file.stat()
        except OSError:
            return -1
        version = (status.st_ino, status.st_mtime_ns, status.st_size)
        if version != self._exported_version:
            self._exported_version = version
            try:
                self._exported = read_directory(self._directory_file).revision
            except DirectoryError as error:
                log.error("%s; exported again", error)
                self._exported = -1
        return self._exported

    def _report(self, what: str, trouble: str) -> None:
        """Log a trouble when it begins and when it ends, not each time it is met."""
        before = self._troubles.get(what, "")
        self._troubles[what] = trouble
        if trouble and not before:
            log.error("%s trouble=%s", what, trouble)
        elif before and not trouble:
            log.warning("%s works again", what)


def _send_mail(configuration: Configuration, mail: Mail) -> None:
    """Send letters for ever, in a thread that ends with the process."""
    from pbx.voicemail.mail import Spool
    from pbx.voicemail.postman import Postman

    postman = Postman(Spool(configuration.mail_dir), mail, configuration.domain, time.time)  # noqa: TID251
    asyncio.run(postman.run())


def _write_messages(configuration: Configuration, end: socket.socket, stopping: threading.Event) -> None:
    """Write the messages of calls down, in a thread."""
    kept = configuration.messages
    segments = Segments(configuration.messages_dir, kept.keep_days * 86_400.0, kept.most_mb * 1_000_000)
    Scribe(segments).run(end, stopping)


def run_worker(
    configuration: Configuration, wake_descriptor: int | None = None, scribe_end: socket.socket | None = None
) -> None:
    """Be the worker process until SIGTERM, then import what is there and return.

    wake_descriptor: the reading end of a pipe; a byte on it makes the worker look at once, its end (whoever
    holds the other side is gone) ends the worker. SIGINT is left to the parent, which a terminal tells as
    well. scribe_end: where the messages of calls come (pbx.messages.tap).
    """
    stopping = False
    last_message = threading.Event()
    scribe: threading.Thread | None = None

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    signal_reader, signal_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(signal_writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    poll = select.poll()
    poll.register(signal_reader, select.POLLIN)
    if wake_descriptor is not None:
        poll.register(wake_descriptor, select.POLLIN)
    worker = Worker(configuration)
    if configuration.mail is not None:
        threading.Thread(target=_send_mail, args=(configuration, configuration.mail), daemon=True).start()
    if scribe_end is not None and configuration.messages.are_kept:
        arguments = (configuration, scribe_end, last_message)
        scribe = threading.Thread(target=_write_messages, args=arguments, daemon=True)
        scribe.start()
    # What was imported lives for ever; what a batch makes dies with it. Collecting more rarely saves a third.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    while not stopping:
        # The one place of this process that reads a clock.
        worker.step(time.monotonic(), time.time())  # noqa: TID251
        for descriptor, _ in poll.poll(POLL_MS):
            if not os.read(descriptor, 4096):
                stopping = True
    last_message.set()
    worker.close(time.monotonic())  # noqa: TID251
    if scribe is not None:
        scribe.join(SCRIBE_SECONDS)
    signal.set_wakeup_fd(-1)
    os.close(signal_reader)
    os.close(signal_writer)
