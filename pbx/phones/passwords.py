"""Passwords of lines that were made anew and wait for their telephone: the one before works until it fetches.

renew(…)      made, sealed; the telephone's files hold it from now on
take(…)       it has fetched them: from now on it signs in with that one alone
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from pbx.node.sealing import Sealing
from pbx.people.credentials import PURPOSE, issue, kept_password
from pbx.people.directory import Device
from pbx.store.people import change_credentials, find_device
from pbx.store.schema import devices, phone_passwords


def renew(connection: sa.Connection, sealing: Sealing, realm: str, lines: Iterable[str], now: float) -> None:
    """Make other passwords for these lines, in place of some that wait. Raises PeopleError for an unknown
    line.
    """
    for sign_in in lines:
        before = find_device(connection, sign_in)
        issued = issue(sealing, sign_in, realm, site=before.site, md5_only=before.md5_only)
        forget(connection, [sign_in])
        row = {
            "sign_in": sign_in,
            "ha1_md5": issued.device.ha1_md5,
            "ha1_sha256": issued.device.ha1_sha256,
            "sealed_password": issued.sealed,
            "made_at": now,
        }
        connection.execute(sa.insert(phone_passwords), [row])


def next_password(connection: sa.Connection, sealing: Sealing, sign_in: str) -> str:
    """Return the password that a telephone is to sign in with: one that waits for it, else the one it has.

    Raises PeopleError where none is kept.
    """
    found = connection.execute(
        sa.select(phone_passwords.c.sealed_password).where(phone_passwords.c.sign_in == sign_in)
    ).scalar()
    if found is None:
        return kept_password(connection, sealing, sign_in)
    return sealing.unseal(bytes(found), PURPOSE, sign_in).decode()


def waiting(connection: sa.Connection, lines: Iterable[str]) -> list[str]:
    """Return the lines whose new password hasn't been fetched yet."""
    wanted = sa.select(phone_passwords.c.sign_in).where(phone_passwords.c.sign_in.in_(list(lines)))
    return sorted(connection.execute(wanted).scalars())


def take(connection: sa.Connection, lines: Iterable[str]) -> None:
    """The telephone of these lines has fetched: passwords that waited are in force, those before are not."""
    for sign_in in waiting(connection, lines):
        row = connection.execute(sa.select(phone_passwords).where(phone_passwords.c.sign_in == sign_in)).one()
        realm = connection.execute(
            sa.select(devices.c.realm).where(devices.c.sign_in == sign_in)
        ).scalar_one()
        device = Device(sign_in, realm, row.ha1_md5, row.ha1_sha256)
        change_credentials(connection, device, bytes(row.sealed_password))
        forget(connection, [sign_in])


def forget(connection: sa.Connection, lines: Iterable[str]) -> None:
    """Drop passwords that wait."""
    connection.execute(sa.delete(phone_passwords).where(phone_passwords.c.sign_in.in_(list(lines))))
