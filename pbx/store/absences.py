"""Absence notes in the database: what the directory and operators read of somebody who isn't there."""

import msgspec
import sqlalchemy as sa

from pbx.people.directory import PeopleError
from pbx.store.schema import absence_notes


class Absence(msgspec.Struct, frozen=True):
    """What somebody's note says. until: Unix seconds, when it goes; by: who wrote it, at `at`."""

    text: str
    until: float
    by: str
    at: float


def set_absence(connection: sa.Connection, extension: str, absence: Absence) -> None:
    """Keep somebody's note in place of the one before."""
    connection.execute(sa.delete(absence_notes).where(absence_notes.c.extension == extension))
    connection.execute(
        sa.insert(absence_notes).values(
            extension=extension,
            text=absence.text,
            until=absence.until,
            set_by=absence.by,
            set_at=absence.at,
        )
    )


def absences(connection: sa.Connection, now: float) -> dict[str, Absence]:
    """Return the notes that hold at an instant in Unix seconds, by extension."""
    rows = connection.execute(sa.select(absence_notes).where(absence_notes.c.until > now))
    return {row.extension: Absence(row.text, row.until, row.set_by, row.set_at) for row in rows}


def remove_absence(connection: sa.Connection, extension: str) -> None:
    """Forget somebody's note. Raises PeopleError where there is none."""
    if (
        connection.execute(sa.delete(absence_notes).where(absence_notes.c.extension == extension)).rowcount
        == 0
    ):
        raise PeopleError(f"{extension[:15]} has no absence note")


def forget_past_absences(connection: sa.Connection, now: float) -> None:
    """Delete the notes that hold no more: nobody needs to know who was ill last year."""
    connection.execute(sa.delete(absence_notes).where(absence_notes.c.until <= now))
