"""Carrying out what a preview of a spreadsheet promised: all of it, or nothing where people have changed."""

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec.structs import replace

from pbx.node.sealing import Sealing
from pbx.people.credentials import Issued, issue
from pbx.people.directory import Directory, PeopleError
from pbx.people.spreadsheet import Preview
from pbx.store.people import add_people, change_person, list_people, remove_person, revision


class DirectoryMoved(PeopleError):
    """Somebody changed people since the preview was made: nothing is applied."""


def directory_now(connection: sa.Connection) -> Directory:
    """Return the people of the database, and at which revision they are."""
    return Directory(revision=revision(connection), people=list_people(connection))


def issue_first_devices(found: Preview, sealing: Sealing, realm: str) -> list[Issued]:
    """Return a first device with a new password for everybody whom the preview adds."""
    return [issue(sealing, person.extension, realm) for person in found.added]


def carry_out(
    connection: sa.Connection, found: Preview, seen_revision: int, devices: Sequence[Issued]
) -> None:
    """Add, change and remove as the preview says. devices: of `issue_first_devices`.

    Raises DirectoryMoved where people aren't at the revision any more that the preview was made of.
    """
    if revision(connection) != seen_revision:
        raise DirectoryMoved("people have changed since the preview was made")
    for person in found.removed:
        remove_person(connection, person.extension)
    for change in found.changed:
        change_person(connection, change.person)
    added = [
        replace(person, devices=[issued.device]) for person, issued in zip(found.added, devices, strict=True)
    ]
    add_people(connection, added, {issued.device.sign_in: issued.sealed for issued in devices})
