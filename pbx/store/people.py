"""People and devices in the database: added, removed and listed by the commands, exported by the worker."""

import fcntl
import os
from pathlib import Path

import msgspec
import sqlalchemy as sa

from pbx.people.directory import (
    Device,
    Directory,
    DirectoryError,
    PeopleError,
    Person,
    checked,
    extension_of,
    write_directory,
)
from pbx.store.database import Database
from pbx.store.schema import devices, people, people_revision


def revision(connection: sa.Connection) -> int:
    """Return the number that grows by one with each change of people or devices."""
    return int(connection.execute(sa.select(people_revision.c.revision)).scalar_one())


def list_people(connection: sa.Connection) -> list[Person]:
    """Return everybody in order of extension, each with the devices in order of sign-in."""
    devices_of: dict[str, list[Device]] = {}
    for row in connection.execute(sa.select(devices).order_by(devices.c.sign_in)):
        found = Device(row.sign_in, row.realm, row.ha1_md5, row.ha1_sha256, row.site, bool(row.md5_only))
        devices_of.setdefault(row.extension, []).append(found)
    return [
        Person(
            row.extension,
            row.name,
            row.class_name,
            row.site,
            msgspec.json.decode(row.groups, type=list[str]),
            row.mobile,
            devices_of.get(row.extension, []),
        )
        for row in connection.execute(sa.select(people).order_by(people.c.extension))
    ]


def add_person(connection: sa.Connection, person: Person) -> None:
    """Add a person with the devices given. Raises PeopleError: a field is wrong, or the extension is
    taken.
    """
    checked(person)
    if _exists(connection, people.c.extension, person.extension):
        raise PeopleError(f"extension {person.extension} is taken")
    connection.execute(
        sa.insert(people).values(
            extension=person.extension,
            name=person.name,
            class_name=person.class_name,
            site=person.site,
            groups=msgspec.json.encode(person.groups).decode(),
            mobile=person.mobile,
        )
    )
    for one in person.devices:
        add_device(connection, one)
    _changed(connection)


def remove_person(connection: sa.Connection, extension: str) -> None:
    """Remove a person and all their devices. Raises PeopleError when there is no such extension."""
    if connection.execute(sa.delete(people).where(people.c.extension == extension)).rowcount == 0:
        raise PeopleError(f"nobody has extension {extension}")
    _changed(connection)


def add_device(connection: sa.Connection, device: Device) -> None:
    """Add a device to the person whose extension its sign-in begins with.

    Raises PeopleError: a field is wrong, nobody has that extension, or the sign-in is taken.
    """
    checked(device)
    extension = extension_of(device.sign_in)
    if not _exists(connection, people.c.extension, extension):
        raise PeopleError(f"nobody has extension {extension}")
    if _exists(connection, devices.c.sign_in, device.sign_in):
        raise PeopleError(f"a device already signs in as {device.sign_in}")
    connection.execute(sa.insert(devices).values(extension=extension, **msgspec.structs.asdict(device)))
    _changed(connection)


def remove_device(connection: sa.Connection, sign_in: str) -> None:
    """Remove a device. Raises PeopleError when none signs in like this."""
    if connection.execute(sa.delete(devices).where(devices.c.sign_in == sign_in)).rowcount == 0:
        raise PeopleError(f"no device signs in as {sign_in}")
    _changed(connection)


def export_directory(database: Database, path: Path) -> Directory:
    """Write the people to `path` (data_dir/directory.json) and return what was written.

    Raises DatabaseUnavailableError, DirectoryError.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DirectoryError(f"{path}: can't be written: {error.strerror}") from None
    try:
        # The worker and a command may export at once: whoever reads last must write last.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        directory = database.read(
            lambda connection: Directory(revision=revision(connection), people=list_people(connection))
        )
        write_directory(path, directory)
    finally:
        os.close(descriptor)
    return directory


def _exists(connection: sa.Connection, column: sa.Column[str], value: str) -> bool:
    return connection.execute(sa.select(column).where(column == value)).first() is not None


def _changed(connection: sa.Connection) -> None:
    connection.execute(sa.update(people_revision).values(revision=people_revision.c.revision + 1))
