"""How far each segment of the journal is imported, kept in the transaction that imports it: exactly once."""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import sqlalchemy as sa

from pbx.store.schema import journal_position
from pbx.store.statement import statement_text, upsert


class Position(NamedTuple):
    """imported_bytes: what comes before it is in the database; finished: all is, for good: the file may
    go.
    """

    imported_bytes: int
    finished: bool


def positions(connection: sa.Connection) -> dict[str, Position]:
    """Return the position in each known segment, by its identity (hexadecimal)."""
    rows = connection.execute(sa.select(journal_position)).all()
    return {row.segment: Position(row.imported_bytes, row.finished) for row in rows}


def set_position(connection: sa.Connection, segment: str, position: Position) -> None:
    """Remember a segment's position."""
    connection.exec_driver_sql(_set_text(connection.dialect), (segment, *position))


@cache
def _set_text(dialect: sa.Dialect) -> str:
    """Return the statement's text; its parameters are the columns in their order."""
    insert = upsert(dialect, journal_position)
    changes = {name: insert.excluded[name] for name in Position._fields}
    return statement_text(dialect, insert.on_conflict_do_update(index_elements=["segment"], set_=changes))


def forget_positions(connection: sa.Connection, segments: Iterable[str]) -> None:
    """Forget segments that no longer exist."""
    for segment in segments:
        connection.execute(sa.delete(journal_position).where(journal_position.c.segment == segment))
