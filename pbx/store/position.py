"""How far each segment of the journal is imported, kept in the transaction that imports it: exactly once."""

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from pbx.store.schema import journal_position


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
    values = {"imported_bytes": position.imported_bytes, "finished": position.finished}
    updated = connection.execute(
        sa.update(journal_position).where(journal_position.c.segment == segment).values(values)
    )
    if updated.rowcount == 0:
        connection.execute(sa.insert(journal_position).values(segment=segment, **values))


def forget_positions(connection: sa.Connection, segments: Iterable[str]) -> None:
    """Forget segments that no longer exist."""
    for segment in segments:
        connection.execute(sa.delete(journal_position).where(journal_position.c.segment == segment))
