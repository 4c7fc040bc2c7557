"""Whose a desk telephone is: its lines are devices of people, each with a generated password of its own.

A device belongs to one telephone: `2010-5ec0123456` is Élodie's line on that one. A telephone that is given
to somebody else takes the devices of those before with it: nobody keeps a password that they never saw.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec.structs import replace

from pbx.node.sealing import Sealing
from pbx.people.credentials import issue
from pbx.phones.passwords import forget
from pbx.phones.shelf import Phone, find_phone, put_phone
from pbx.store.people import add_device, change_credentials, find_device, list_devices, remove_device

SUFFIX_CHARS = 8
MOST_LINES = 6


class NotAssigned(Exception):
    """Nobody can be given this telephone; the message says why."""


def sign_in_of(extension: str, name: str) -> str:
    """What a telephone signs in with for an extension."""
    return f"{extension}-{name[-SUFFIX_CHARS:]}"


def assign(
    connection: sa.Connection, sealing: Sealing, realm: str, name: str, extensions: Sequence[str]
) -> Phone:
    """Give a telephone to these people, a line each; () for nobody. Return it as it is now.

    Raises PhoneUnknown; NotAssigned for too many, or the same twice; PeopleError for somebody unknown.
    """
    if len(extensions) > MOST_LINES or len(set(extensions)) < len(extensions):
        raise NotAssigned(f"a telephone has at most {MOST_LINES} lines, each of somebody else")
    phone = find_phone(connection, name)
    wanted = [sign_in_of(extension, name) for extension in extensions]
    there = {device.sign_in for device in list_devices(connection)}
    for sign_in in wanted:
        if sign_in not in there:
            issued = issue(sealing, sign_in, realm)
            add_device(connection, issued.device, kind="desk", label=phone.label, sealed=issued.sealed)
    changed = replace(phone, lines=tuple(wanted))
    put_phone(connection, changed)
    for sign_in in phone.lines:
        if sign_in not in wanted and sign_in.endswith(name[-SUFFIX_CHARS:]):
            remove_device(connection, sign_in)
    return changed


def renew_passwords(connection: sa.Connection, sealing: Sealing, realm: str, lines: Sequence[str]) -> None:
    """Give the devices of a lost telephone other passwords: what it knows opens nothing any more."""
    forget(connection, lines)
    for sign_in in lines:
        before = find_device(connection, sign_in)
        issued = issue(sealing, sign_in, realm, site=before.site, md5_only=before.md5_only)
        change_credentials(connection, issued.device, issued.sealed)
