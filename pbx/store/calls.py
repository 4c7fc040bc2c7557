"""Finished calls in the database: inserted in batches by the worker, listed for people."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from msgspec import structs

from media.engine import LegQuality
from pbx.records import CallRecord, LegRecord
from pbx.store.schema import calls, legs
from pbx.store.statement import statement_text, upsert

MOST_LISTED = 100_000
_AT_ONCE = 500
_NOT_MEASURED = (None,) * len(LegQuality.__struct_fields__)
_QUALITY = -len(_NOT_MEASURED) - 1  # where its columns begin


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
        )
        for call in records
        for position, leg in enumerate(call.legs)
    ]
    dialect = connection.dialect
    if dialect.name == "postgresql":
        call_rows, leg_rows = _without_nul(call_rows), _without_nul(leg_rows)
    connection.exec_driver_sql(_insert_text(dialect, calls), call_rows)
    if leg_rows:
        connection.exec_driver_sql(_insert_text(dialect, legs), leg_rows)


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
    limit: int = 100,
) -> list[CallRecord]:
    """Return the newest calls first, those that every given filter keeps.

    since, until: Unix seconds of the start, until excluded; number: caller, dialled or reached, as stored.
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
    rows = connection.execute(query).all()
    legs_of: dict[str, list[LegRecord]] = {row[0]: [] for row in rows}
    identifiers = list(legs_of)
    for first in range(0, len(identifiers), _AT_ONCE):
        some = identifiers[first : first + _AT_ONCE]
        found = connection.execute(
            sa.select(legs).where(legs.c.call_id.in_(some)).order_by(legs.c.call_id, legs.c.position)
        )
        for call, _position, *leg in found:
            said, measured, media = leg[:_QUALITY], leg[_QUALITY:-1], leg[-1]
            quality = LegQuality(*measured) if measured[0] is not None else None
            legs_of[call].append(LegRecord(*[*said, quality, media]))
    return [CallRecord(*[*row, legs_of[row[0]]]) for row in rows]


def count_calls(connection: sa.Connection) -> int:
    """Return how many calls the database holds."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(calls)).scalar_one())
