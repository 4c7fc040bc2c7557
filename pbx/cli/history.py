"""The calls that have ended: those of the database, and those that only the journal holds yet.

The worker imports the journal a few times a second, later when the database is away, and not at all when the
node is stopped. Whoever asks right after a hang-up finds the call all the same.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from pbx.journal import CALLS, End, identity, read_chunk, segments
from pbx.records import CallRecord
from pbx.store.call_search import MOST_FOUND, Search, find_calls
from pbx.store.calls import list_calls
from pbx.store.database import Database
from pbx.store.position import Position, positions


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls. since, until: Unix seconds of the start, until excluded; None keeps every call.

    number: caller, dialled or reached, as the record has it. parent: the call that they were made for.
    search: where it is given, nothing else is asked.
    """

    since: float | None = None
    until: float | None = None
    number: str | None = None
    direction: str | None = None
    call_id: str | None = None
    parent: str | None = None
    search: Search | None = None

    def keeps(self, call: CallRecord) -> bool:
        """Whether a call is one of those."""
        if self.search is not None:
            return self.search.keeps(call)
        return (
            (self.since is None or call.started >= self.since)
            and (self.until is None or call.started < self.until)
            and (self.number is None or self.number in (call.from_, call.dialled, call.to))
            and (self.direction is None or call.direction == self.direction)
            and (self.call_id is None or call.id == self.call_id)
            and (self.parent is None or self.parent in call.parents)
        )


def ended_calls(database: Database, journal_dir: Path, wanted: Wanted, limit: int) -> list[CallRecord]:
    """Return at most `limit` calls, newest first, each once. Raises DatabaseUnavailableError, OSError."""
    # In this order nothing can slip through: what lies before a position was in the database already, and a
    # segment that the worker deletes meanwhile is in it by the time that it is asked.
    imported = database.read(positions)
    waiting = heapq.nsmallest(limit, filter(wanted.keeps, _waiting(journal_dir, imported)), key=_newest_first)
    if wanted.search is not None:
        stored = database.read(partial(_found, search=wanted.search, limit=limit))
        return _merged(waiting, stored, limit)
    stored = database.read(
        lambda connection: list_calls(
            connection,
            since=wanted.since,
            until=wanted.until,
            number=wanted.number,
            direction=wanted.direction,
            call_id=wanted.call_id,
            parent=wanted.parent,
            limit=limit,
        )
    )
    return _merged(waiting, stored, limit)


def _merged(waiting: list[CallRecord], stored: list[CallRecord], limit: int) -> list[CallRecord]:
    by_id = {call.id: call for call in (*waiting, *stored)}
    return sorted(by_id.values(), key=_newest_first)[:limit]


def _found(connection: sa.Connection, search: Search, limit: int) -> list[CallRecord]:
    """Page by page, as many as are wanted."""
    found: list[CallRecord] = []
    while len(found) < limit:
        page = find_calls(
            connection, search, min(MOST_FOUND, limit - len(found)), found[-1].id if found else ""
        )
        if not page:
            break
        found += page
    return found


def _newest_first(call: CallRecord) -> tuple[float, str]:
    return -call.started, call.id


def _waiting(journal_dir: Path, imported: dict[str, Position]) -> Iterator[CallRecord]:
    """The calls behind each segment's position."""
    for segment in segments(journal_dir, CALLS):
        try:
            descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # imported and deleted a moment ago
        try:
            position = imported.get(identity(descriptor).hex(), Position(0, False))
            offset, end = position.imported_bytes, End.WHOLE if position.finished else End.MORE
            while end is End.MORE:
                chunk = read_chunk(descriptor, offset)
                yield from (record for record in chunk.records if isinstance(record, CallRecord))
                offset, end = chunk.offset, chunk.end
        finally:
            os.close(descriptor)
