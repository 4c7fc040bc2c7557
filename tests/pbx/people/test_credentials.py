"""Passwords of devices are kept sealed, each for its own sign-in, and in no other way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.node.sealing import SealBroken, Sealing
from pbx.people.credentials import issue, kept_password
from pbx.people.directory import PeopleError, Person, digest_hashes
from pbx.store.database import SqliteDatabase
from pbx.store.people import add_device, add_person, change_credentials
from pbx.store.revision import upgrade

SEALING = Sealing(b"k" * 32)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    opened = SqliteDatabase(tmp_path / "beffroi.sqlite")
    upgrade(opened)
    opened.write(lambda connection: add_person(connection, Person("2011", "Claire", "national")))
    yield opened
    opened.close()


def test_an_issued_password_is_that_of_the_hashes():
    issued = issue(SEALING, "2011", "valmont.example")
    assert issued.device.ha1_sha256 == digest_hashes("2011", "valmont.example", issued.password)[1]


def test_a_password_is_shown_by_no_representation():
    issued = issue(SEALING, "2011", "valmont.example")
    assert issued.password not in repr(issued)


def test_a_kept_password_opens_and_lies_nowhere_in_the_open(database: SqliteDatabase, tmp_path: Path):
    issued = issue(SEALING, "2011", "localhost")
    database.write(lambda connection: add_device(connection, issued.device, sealed=issued.sealed))
    assert database.read(lambda connection: kept_password(connection, SEALING, "2011")) == issued.password
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert issued.sealed in data
    assert issued.password.encode() not in data


def test_a_seal_that_was_put_on_another_device_does_not_open(database: SqliteDatabase):
    mine, other = issue(SEALING, "2011", "localhost"), issue(SEALING, "2011-app", "localhost")
    database.write(lambda connection: add_device(connection, mine.device, sealed=other.sealed))
    with pytest.raises(SealBroken):
        database.read(lambda connection: kept_password(connection, SEALING, "2011"))


def test_another_nodes_key_opens_nothing(database: SqliteDatabase):
    issued = issue(SEALING, "2011", "localhost")
    database.write(lambda connection: add_device(connection, issued.device, sealed=issued.sealed))
    with pytest.raises(SealBroken):
        database.read(lambda connection: kept_password(connection, Sealing(b"x" * 32), "2011"))


def test_of_a_device_from_before_no_password_is_kept(database: SqliteDatabase):
    issued = issue(SEALING, "2011", "localhost")
    database.write(lambda connection: add_device(connection, issued.device))
    with pytest.raises(PeopleError, match="no password is kept"):
        database.read(lambda connection: kept_password(connection, SEALING, "2011"))


def test_new_credentials_of_nobodys_device_are_refused(database: SqliteDatabase):
    issued = issue(SEALING, "2011-app", "localhost")
    with pytest.raises(PeopleError, match="no device signs in"):
        database.write(lambda connection: change_credentials(connection, issued.device, issued.sealed))
