"""Finished calls in the database: inserted in batches by the worker, listed for people."""

import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import sqlalchemy as sa
from msgspec import structs

from media.engine import LegQuality
from pbx.records import CONFERENCE, CallRecord, Interval, LegRecord
from pbx.store.call_notes import CallNote, erase_notes, notes_of
from pbx.store.schema import call_parents, call_terms, calls, intervals, legs
from pbx.store.statement import statement_text, upsert

MOST_LISTED = 100_000
NAME_MARK, MOS_MARK, RECORDED = "name ", "mos ", "is recorded"  # with a blank, which no number or sign-in has
ERASED = "erased"
BEST_MOS = 4.0
"""Calls that were heard better are not found by it: they are nearly all."""

_AT_ONCE = 500
_NOT_MEASURED = (None,) * len(LegQuality.__struct_fields__)
_QUALITY = 8  # where its columns begin, in a leg
_AFTER_QUALITY = _QUALITY + len(_NOT_MEASURED)


def insert_calls(connection: sa.Connection, records: Sequence[CallRecord]) -> None:
    """Insert calls and their legs. A call whose id is already there is left as it is, so twice is once.

    One executemany for each table with the statement's text compiled once: building rows as dictionaries for
    SQLAlchemy to take apart again would cost more than the database does.
    """
    if not records:
        return
    call_rows: list[tuple[Any, ...]] = [
        (
            call.id,
            call.started,
            call.answered,
            call.ended,
            call.direction,
            call.from_,
            call.from_name,
            call.dialled,
            call.to,
            call.cause,
            call.plan_version,
            " ".join(map(str, call.plan_lines)),
            call.hidden,
            call.recorded,
        )
        for call in records
    ]
    leg_rows: list[tuple[Any, ...]] = [
        (
            call.id,
            position,
            leg.device,
            leg.address,
            leg.transport,
            leg.codec,
            leg.started,
            leg.answered,
            leg.ended,
            leg.cause,
            *(structs.astuple(leg.quality) if leg.quality is not None else _NOT_MEASURED),
            leg.media,
            leg.name,
            leg.number,
            leg.direction,
            leg.reached,
            leg.via,
            leg.call_id,
        )
        for call in records
        for position, leg in enumerate(call.legs)
    ]
    interval_rows: list[tuple[Any, ...]] = [
        (call.id, position, one.kind, one.started, one.ended, " ".join(one.legs), one.where)
        for call in records
        for position, one in enumerate(call.intervals)
    ]
    parent_rows: list[tuple[Any, ...]] = [
        (call.id, position, parent) for call in records for position, parent in enumerate(call.parents)
    ]
    term_rows: list[tuple[Any, ...]] = [(term, call.id) for call in records for term in terms_of(call)]
    dialect = connection.dialect
    tables = (
        (calls, call_rows),
        (legs, leg_rows),
        (intervals, interval_rows),
        (call_parents, parent_rows),
        (call_terms, term_rows),
    )
    for table, rows in tables:
        if rows:
            stored = _without_nul(rows) if dialect.name == "postgresql" else rows
            connection.exec_driver_sql(_insert_text(dialect, table), stored)


def terms_of(call: CallRecord) -> set[str]:
    """What a call is found by: every number, trunk and service that had a part in it, the words of
    the caller's name behind NAME_MARK, RECORDED, and how badly it was heard at worst behind MOS_MARK.
    """
    found = {call.from_, call.dialled, call.to}
    lowest = BEST_MOS
    for leg in call.legs:
        found.update((leg.number, leg.trunk))
        if leg.reached != CONFERENCE:  # who joined two calls has a call of their own in it
            found.add(leg.via)
        if leg.quality is not None and leg.quality.mos < lowest:
            lowest = leg.quality.mos
    found -= {"", ERASED}
    if call.from_name and call.from_name != ERASED:
        found.update(_terms_of_name(call.from_name))
    if call.recorded:
        found.add(RECORDED)
    if lowest < BEST_MOS:
        found.add(mos_term(lowest))
    return found


@lru_cache(maxsize=4096)  # most callers call again
def _terms_of_name(name: str) -> tuple[str, ...]:
    return tuple(NAME_MARK + word for word in folded(name).split())


def folded(name: str) -> str:
    """A name in lower case and without accents, as it is searched for."""
    parts = unicodedata.normalize("NFKD", name)
    return "".join(one for one in parts if not unicodedata.combining(one)).casefold()


def is_named(name: str, words: str) -> bool:
    """Whether each of some words is how a word of a name begins, whatever the case and the accents."""
    own = folded(name).split()
    return all(any(one.startswith(word) for one in own) for word in folded(words).split())


def mos_term(mos: float) -> str:
    """The term of the calls whose worst party was heard like this, to half a point."""
    return f"{MOS_MARK}{int(mos * 2) / 2:.1f}"


def _without_nul(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """PostgreSQL stores every character but one, and a stranger's display name may hold that one."""
    return [
        tuple(value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in row)
        for row in rows
    ]


@cache
def _insert_text(dialect: sa.Dialect, table: sa.Table) -> str:
    return statement_text(dialect, upsert(dialect, table).on_conflict_do_nothing())


def list_calls(
    connection: sa.Connection,
    *,
    since: float | None = None,
    until: float | None = None,
    number: str | None = None,
    direction: str | None = None,
    cause: str | None = None,
    call_id: str | None = None,
    parent: str | None = None,
    limit: int = 100,
) -> list[CallRecord]:
    """Return the newest calls first, those that every given filter keeps.

    since, until: Unix seconds of the start, until excluded; number: caller, dialled or reached, as stored.
    parent: the id of the call that they were made for.
    """
    query = sa.select(calls).order_by(calls.c.started.desc(), calls.c.id)
    query = query.limit(max(0, min(limit, MOST_LISTED)))
    if since is not None:
        query = query.where(calls.c.started >= since)
    if until is not None:
        query = query.where(calls.c.started < until)
    if number is not None:
        query = query.where(
            sa.or_(calls.c.from_number == number, calls.c.dialled == number, calls.c.to_number == number)
        )
    if direction is not None:
        query = query.where(calls.c.direction == direction)
    if cause is not None:
        query = query.where(calls.c.cause == cause)
    if call_id is not None:
        query = query.where(calls.c.id == call_id)
    if parent is not None:
        made = sa.select(call_parents.c.call_id).where(call_parents.c.parent == parent)
        query = query.where(calls.c.id.in_(made))
    return _whole(connection, connection.execute(query).all())


def calls_by_id(connection: sa.Connection, identifiers: Sequence[str]) -> list[CallRecord]:
    """Return the calls that are there, those of the greatest ids, which are the newest, first."""
    rows: list[sa.Row[Any]] = []
    for first in range(0, len(identifiers), _AT_ONCE):
        some = identifiers[first : first + _AT_ONCE]
        rows += connection.execute(sa.select(calls).where(calls.c.id.in_(some))).all()
    return _whole(connection, sorted(rows, key=lambda row: str(row[0]), reverse=True))


def children_of(connection: sa.Connection, call_id: str, limit: int) -> list[CallRecord]:
    """Return at most `limit` of the calls that were made for one, the newest first."""
    made = sa.select(call_parents.c.call_id).where(call_parents.c.parent == call_id)
    query = made.order_by(call_parents.c.call_id.desc()).limit(limit)
    return calls_by_id(connection, [row[0] for row in connection.execute(query)])


def _whole(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[CallRecord]:
    """Calls with all that belongs to them, in the order of their rows."""
    legs_of: dict[str, list[LegRecord]] = {row[0]: [] for row in rows}
    intervals_of: dict[str, list[Interval]] = {row[0]: [] for row in rows}
    parents_of: dict[str, list[str]] = {row[0]: [] for row in rows}
    identifiers = list(legs_of)
    for first in range(0, len(identifiers), _AT_ONCE):
        some = identifiers[first : first + _AT_ONCE]
        found = connection.execute(
            sa.select(legs).where(legs.c.call_id.in_(some)).order_by(legs.c.call_id, legs.c.position)
        )
        for call, _position, *leg in found:
            said, measured, added = leg[:_QUALITY], leg[_QUALITY:_AFTER_QUALITY], leg[_AFTER_QUALITY:]
            quality = LegQuality(*measured) if measured[0] is not None else None
            media, name, number, _direction, reached, via, sip_call_id = added
            legs_of[call].append(LegRecord(*[*said, quality, media, name, number, reached, via, sip_call_id]))
        heard = connection.execute(
            sa.select(intervals)
            .where(intervals.c.call_id.in_(some))
            .order_by(intervals.c.call_id, intervals.c.position)
        )
        for call, _position, kind, started, ended, names, where in heard:
            intervals_of[call].append(Interval(kind, started, ended, tuple(names.split()), where))
        links = connection.execute(
            sa.select(call_parents)
            .where(call_parents.c.call_id.in_(some))
            .order_by(call_parents.c.call_id, call_parents.c.position)
        )
        for call, _position, made_for in links:
            parents_of[call].append(made_for)
    return [
        CallRecord(
            *[
                *row,
                legs_of[row[0]],
                tuple(intervals_of[row[0]]),
                tuple(parents_of[row[0]]),
                tuple(map(int, plan_lines.split())),
                bool(hidden),
                bool(recorded),
            ]
        )
        for *row, plan_lines, hidden, recorded in map(tuple, rows)
    ]


def dialogs_about(connection: sa.Connection, number: str) -> list[str]:
    """Return the Call-IDs of the calls about a number, as erase_number finds them."""
    identifiers = _calls_about(connection, number)
    found: list[str] = []
    for first in range(0, len(identifiers), _AT_ONCE):
        of_these = legs.c.call_id.in_(identifiers[first : first + _AT_ONCE])
        query = sa.select(legs.c.sip_call_id).where(of_these, legs.c.sip_call_id != "")
        found += [row[0] for row in connection.execute(query)]
    return found


def _calls_about(connection: sa.Connection, number: str) -> list[str]:
    of_term = sa.select(call_terms.c.call_id).where(call_terms.c.term == number)
    return sorted({row[0] for row in connection.execute(of_term)})


def notes_about(connection: sa.Connection, number: str) -> list[CallNote]:
    """Return what was noted of the calls about a number, as erase_number finds them."""
    return notes_of(connection, _calls_about(connection, number))


def erase_number(connection: sa.Connection, number: str) -> int:
    """Let the calls about a number be without it; returns how many there are.

    number: E.164, as stored. A call stays, for the figures: when, how long, which of ours; of the other party
    nothing, and of what was noted about the call nothing either.
    """
    identifiers = _calls_about(connection, number)
    erase_notes(connection, identifiers)
    for first in range(0, len(identifiers), _AT_ONCE):
        some = identifiers[first : first + _AT_ONCE]
        of_these = calls.c.id.in_(some)
        caller, called = calls.c.from_number == number, calls.c.to_number == number
        connection.execute(
            sa.update(calls).where(of_these, sa.or_(called, calls.c.dialled == number)).values(dialled=ERASED)
        )
        connection.execute(sa.update(calls).where(of_these, called).values(to_number=ERASED))
        connection.execute(
            sa.update(calls).where(of_these, caller).values(from_number=ERASED, from_name=ERASED)
        )
        party = legs.c.number == number
        if number.startswith("+"):  # a line's address may name whom it called
            party = sa.or_(party, legs.c.address.contains(number[1:], autoescape=True))
        connection.execute(
            sa.update(legs).where(legs.c.call_id.in_(some), party).values(number=ERASED, name="", address="")
        )
        connection.execute(sa.delete(call_terms).where(call_terms.c.call_id.in_(some)))
        terms = [(term, call.id) for call in calls_by_id(connection, some) for term in terms_of(call)]
        dialect = connection.dialect
        connection.exec_driver_sql(
            _insert_text(dialect, call_terms), _without_nul(terms) if dialect.name == "postgresql" else terms
        )
    return len(identifiers)


def count_calls(connection: sa.Connection) -> int:
    """Return how many calls the database holds."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(calls)).scalar_one())
