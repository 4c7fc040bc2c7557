"""People and devices in the database: added, removed and listed by the commands, exported by the worker."""

import fcntl
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec
import sqlalchemy as sa

from pbx.people.directory import (
    Device,
    Directory,
    DirectoryError,
    Name,
    PeopleError,
    Person,
    SignIn,
    checked,
    extension_of,
    write_directory,
)
from pbx.store.database import Database
from pbx.store.schema import absence_notes, devices, favourites, people, people_revision, phone_keys, photos

Label = Annotated[str, msgspec.Meta(max_length=80, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
DeviceKind = Literal["desk", "app", "browser", "mobile"]
DEVICE_KINDS: tuple[DeviceKind, ...] = ("desk", "app", "browser", "mobile")


class DeviceDescription(msgspec.Struct, frozen=True):
    """A device as people know it. label: what its people call it, or "". site: None for its person's.

    has_password: whether its password is kept under the node's key, so that it can be handed on.
    """

    sign_in: SignIn
    extension: str
    kind: DeviceKind = "desk"
    label: Label = ""
    site: Name | None = None
    md5_only: bool = False
    has_password: bool = False


_NOTHING_SEALED: Mapping[str, bytes] = MappingProxyType({})


def revision(connection: sa.Connection) -> int:
    """Return the number that grows by one with each change of people or devices."""
    return int(connection.execute(sa.select(people_revision.c.revision)).scalar_one())


def list_people(connection: sa.Connection) -> list[Person]:
    """Return everybody in order of extension, each with the devices in order of sign-in."""
    devices_of: dict[str, list[Device]] = {}
    for row in connection.execute(sa.select(devices).order_by(devices.c.sign_in)):
        found = Device(row.sign_in, row.realm, row.ha1_md5, row.ha1_sha256, row.site, bool(row.md5_only))
        devices_of.setdefault(row.extension, []).append(found)
    rows = connection.execute(sa.select(people).order_by(people.c.extension))
    return [_person(row, devices_of.get(row.extension, [])) for row in rows]


def find_person(connection: sa.Connection, extension: str) -> Person:
    """Return one person, without the devices. Raises PeopleError."""
    row = connection.execute(sa.select(people).where(people.c.extension == extension)).first()
    if row is None:
        raise PeopleError(f'nobody has the extension "{extension[:20]}"')
    return _person(row, [])


def list_devices(connection: sa.Connection) -> list[DeviceDescription]:
    """Return all devices of the database in order of sign-in."""
    return [_described(row) for row in connection.execute(sa.select(devices).order_by(devices.c.sign_in))]


def find_device(connection: sa.Connection, sign_in: str) -> DeviceDescription:
    """Return one device of the database. Raises PeopleError when none signs in like this."""
    row = connection.execute(sa.select(devices).where(devices.c.sign_in == sign_in)).first()
    if row is None:
        raise PeopleError(f'no device signs in as "{sign_in[:60]}"')
    return _described(row)


def sealed_password(connection: sa.Connection, sign_in: str) -> bytes:
    """Return a device's password as it was sealed. Raises PeopleError where none is kept."""
    found = connection.execute(sa.select(devices.c.sealed_password).where(devices.c.sign_in == sign_in))
    sealed = found.scalar()
    if sealed is None:
        raise PeopleError(f'no password is kept of "{sign_in[:60]}"')
    return bytes(sealed)


def add_person(
    connection: sa.Connection, person: Person, sealed: Mapping[str, bytes] = _NOTHING_SEALED
) -> None:
    """Add a person with the devices given. sealed: these devices' passwords, by sign-in.

    Raises PeopleError: a field is wrong, or the extension is taken.
    """
    checked(person)
    if _exists(connection, people.c.extension, person.extension):
        raise PeopleError(f"extension {person.extension} is taken")
    connection.execute(sa.insert(people).values(extension=person.extension, **_fields(person)))
    for one in person.devices:
        add_device(connection, one, sealed=sealed.get(one.sign_in))
    _changed(connection)


def add_people(connection: sa.Connection, persons: Iterable[Person], sealed: Mapping[str, bytes]) -> None:
    """Add many people, none of whom is there, each with their devices. Raises PeopleError."""
    persons = [checked(person) for person in persons]
    if not persons:
        return
    there = set(connection.execute(sa.select(people.c.extension)).scalars())
    if taken := [person.extension for person in persons if person.extension in there]:
        raise PeopleError(f"extension {taken[0]} is taken")
    rows = [{"extension": person.extension, **_fields(person)} for person in persons]
    connection.execute(sa.insert(people), rows)
    theirs = [
        {
            **msgspec.structs.asdict(device),
            "extension": person.extension,
            "sealed_password": sealed.get(device.sign_in),
        }
        for person in persons
        for device in person.devices
    ]
    if theirs:
        connection.execute(sa.insert(devices), theirs)
    _changed(connection)


def change_person(connection: sa.Connection, person: Person) -> None:
    """Write everything anew that is said of a person, but their devices, which stay.

    Raises PeopleError: a field is wrong, or nobody has the extension.
    """
    checked(person)
    change = sa.update(people).where(people.c.extension == person.extension).values(**_fields(person))
    if connection.execute(change).rowcount == 0:
        raise PeopleError(f"nobody has extension {person.extension}")
    _changed(connection)


def remove_person(connection: sa.Connection, extension: str) -> None:
    """Remove a person, all their devices, and what the directory shows of them besides.

    Raises PeopleError when there is no such extension.
    """
    if connection.execute(sa.delete(people).where(people.c.extension == extension)).rowcount == 0:
        raise PeopleError(f"nobody has extension {extension}")
    for table in (photos, absence_notes, phone_keys):
        connection.execute(sa.delete(table).where(table.c.extension == extension))
    connection.execute(sa.delete(favourites).where(favourites.c.entry == f"person:{extension}"))
    _changed(connection)


def add_device(
    connection: sa.Connection,
    device: Device,
    *,
    kind: DeviceKind = "desk",
    label: str = "",
    sealed: bytes | None = None,
) -> None:
    """Add a device to the person whose extension its sign-in begins with. sealed: its password.

    Raises PeopleError: a field is wrong, nobody has that extension, or the sign-in is taken.
    """
    checked(device)
    extension = extension_of(device.sign_in)
    checked(DeviceDescription(device.sign_in, extension, kind, label, device.site))
    if not _exists(connection, people.c.extension, extension):
        raise PeopleError(f"nobody has extension {extension}")
    if _exists(connection, devices.c.sign_in, device.sign_in):
        raise PeopleError(f"a device already signs in as {device.sign_in}")
    connection.execute(
        sa.insert(devices).values(
            extension=extension,
            kind=kind,
            label=label,
            sealed_password=sealed,
            **msgspec.structs.asdict(device),
        )
    )
    _changed(connection)


def change_device(connection: sa.Connection, description: DeviceDescription) -> None:
    """Write anew what a device is: kind, label, site and md5_only. Raises PeopleError."""
    checked(description)
    change = (
        sa.update(devices)
        .where(devices.c.sign_in == description.sign_in)
        .values(
            kind=description.kind,
            label=description.label,
            site=description.site,
            md5_only=description.md5_only,
        )
    )
    if connection.execute(change).rowcount == 0:
        raise PeopleError(f'no device signs in as "{description.sign_in[:60]}"')
    _changed(connection)


def change_credentials(connection: sa.Connection, device: Device, sealed: bytes | None) -> None:
    """Replace a device's hashes and its kept password, and nothing else of it. Raises PeopleError."""
    checked(device)
    change = (
        sa.update(devices)
        .where(devices.c.sign_in == device.sign_in)
        .values(
            realm=device.realm,
            ha1_md5=device.ha1_md5,
            ha1_sha256=device.ha1_sha256,
            sealed_password=sealed,
        )
    )
    if connection.execute(change).rowcount == 0:
        raise PeopleError(f'no device signs in as "{device.sign_in[:60]}"')
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


def _person(row: sa.Row[Any], theirs: list[Device]) -> Person:
    groups = msgspec.json.decode(row.groups, type=list[str])
    return Person(row.extension, row.name, row.class_name, row.site, groups, row.mobile, theirs)


def _described(row: sa.Row[tuple[object, ...]]) -> DeviceDescription:
    return DeviceDescription(
        row.sign_in,
        row.extension,
        row.kind,
        row.label,
        row.site,
        bool(row.md5_only),
        row.sealed_password is not None,
    )


def _fields(person: Person) -> dict[str, str | None]:
    return {
        "name": person.name,
        "class_name": person.class_name,
        "site": person.site,
        "groups": msgspec.json.encode(person.groups).decode(),
        "mobile": person.mobile,
    }


def _exists(connection: sa.Connection, column: sa.Column[str], value: str) -> bool:
    return connection.execute(sa.select(column).where(column == value)).first() is not None


def _changed(connection: sa.Connection) -> None:
    connection.execute(sa.update(people_revision).values(revision=people_revision.c.revision + 1))
