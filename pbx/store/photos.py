"""Photos of people in the database, as they were checked (pbx.people.photos)."""

import msgspec
import sqlalchemy as sa

from pbx.people.directory import PeopleError
from pbx.store.schema import photos


class Photo(msgspec.Struct, frozen=True):
    """A picture. changed: Unix seconds."""

    media_type: str
    data: bytes
    changed: float


def set_photo(connection: sa.Connection, extension: str, photo: Photo) -> None:
    """Keep a photo of somebody in place of the one before."""
    connection.execute(sa.delete(photos).where(photos.c.extension == extension))
    connection.execute(sa.insert(photos).values(extension=extension, **msgspec.structs.asdict(photo)))


def photo_of(connection: sa.Connection, extension: str) -> Photo:
    """Return somebody's photo. Raises PeopleError where there is none."""
    row = connection.execute(sa.select(photos).where(photos.c.extension == extension)).first()
    if row is None:
        raise PeopleError(f"there is no photo of {extension[:15]}")
    return Photo(row.media_type, bytes(row.data), row.changed)


def photos_changed(connection: sa.Connection) -> dict[str, float]:
    """Return whose photo there is, by extension, and since when (Unix seconds)."""
    rows = connection.execute(sa.select(photos.c.extension, photos.c.changed))
    return {row.extension: row.changed for row in rows}


def remove_photo(connection: sa.Connection, extension: str) -> None:
    """Forget somebody's photo. Raises PeopleError where there is none."""
    if connection.execute(sa.delete(photos).where(photos.c.extension == extension)).rowcount == 0:
        raise PeopleError(f"there is no photo of {extension[:15]}")
