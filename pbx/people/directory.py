"""People and their devices as signalling reads them: `data_dir/directory.json`, exported from the database.

Signalling reads this file and never the database, so a database that is locked or away stops no phone. The
file holds digest hashes, which are as good as passwords for SIP: its mode is 0600 and it is replaced as a
whole.
"""

import hashlib
import re
import secrets
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from pbx.kept import KeptError, read_kept, write_kept

FILE_NAME = "directory.json"
MOST_BYTES = 64 * 1024 * 1024
FORMAT = 1

# fullmatch is not what msgspec does with a pattern: each one is anchored by hand, \Z refusing a last newline.
Extension = Annotated[str, Meta(pattern=r"\A[0-9]{1,15}\Z")]
SignIn = Annotated[str, Meta(pattern=r"\A[0-9]{1,15}(-[A-Za-z0-9._]{1,48})?\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
Realm = Annotated[str, Meta(min_length=1, max_length=255, pattern=r'\A[^\x00-\x1f\x7f"\\]*\Z')]
Md5 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Mobile = Annotated[str, Meta(pattern=r"\A\+[0-9]{4,15}\Z")]


Checked = TypeVar("Checked", bound=Struct)


class DirectoryError(Exception):
    """The directory can't be read or written; the message says where and why."""


class PeopleError(Exception):
    """What was asked about a person or a device can't be done; the message says why."""


class Device(Struct, frozen=True, forbid_unknown_fields=True):
    """One device of a person, which signs in with `sign_in`: the extension itself, or `1001-app`.

    ha1_*: H(sign_in ":" realm ":" password) in hexadecimal, RFC 7616 section 3.4.2. site: where the device
    is, if not its person's. md5_only: it fails when SHA-256 is offered (RFC 8760 section 2.4 offers both).
    """

    sign_in: SignIn
    realm: Realm
    ha1_md5: Md5
    ha1_sha256: Sha256
    site: Name | None = None
    md5_only: bool = False


class Person(Struct, frozen=True, forbid_unknown_fields=True):
    """A person, or a place, with one extension. Class, site and groups are names of the plan; mobile is
    E.164.
    """

    extension: Extension
    name: Name
    class_name: Name
    site: Name | None = None
    groups: list[Name] = []
    mobile: Mobile | None = None
    devices: list[Device] = []


class Directory(Struct, frozen=True, forbid_unknown_fields=True):
    """All people of the database at one revision of them; revision 0 is the empty one."""

    format: int = FORMAT
    revision: int = 0
    people: list[Person] = []


def digest_hashes(sign_in: str, realm: str, password: str) -> tuple[str, str]:
    """Return HA1 by MD5 and by SHA-256, in hexadecimal. RFC 7616 section 3.4.2; UTF-8 by its section 4."""
    secret = f"{sign_in}:{realm}:{password}".encode()
    # MD5 is what the phones' digest is made of, not our choice of a hash.
    return hashlib.md5(secret, usedforsecurity=False).hexdigest(), hashlib.sha256(secret).hexdigest()


def device_credentials(
    sign_in: str, realm: str, password: str, *, site: str | None = None, md5_only: bool = False
) -> Device:
    """Return a device's credentials; the password is in them only as hashes. Raises PeopleError."""
    md5, sha256 = digest_hashes(sign_in, realm, password)
    return checked(Device(sign_in, realm, md5, sha256, site, md5_only))


def generate_password() -> str:
    """Return a new device's password: 20 characters that survive being typed, 100 bits."""
    return "".join(secrets.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(20))


def checked(value: Checked) -> Checked:
    """Return the value if each field is what it must be. Raises PeopleError, which names the field."""
    try:
        return msgspec.convert(msgspec.to_builtins(value), type(value))
    except msgspec.ValidationError as error:
        raise PeopleError(_in_words(error)) from None


def _in_words(error: msgspec.ValidationError) -> str:
    """`sign_in: …` instead of the library's "… - at `$.sign_in`"."""
    message, _, where = str(error).partition(" - at ")
    return f"{where.strip('`').removeprefix('$.')}: {message}" if where else message


def read_directory(path: Path) -> Directory:
    """Return the exported directory; an empty one when none was exported yet. Raises DirectoryError."""
    try:
        directory = read_kept(path, Directory, MOST_BYTES)
    except KeptError as error:
        raise DirectoryError(str(error)) from None
    if directory.format != FORMAT:
        raise DirectoryError(f"{path}: format {directory.format} isn't {FORMAT}, which this version reads")
    return directory


def write_directory(path: Path, directory: Directory) -> None:
    """Replace the exported directory as a whole. Raises DirectoryError; the former one then stays."""
    try:
        write_kept(path, directory, durable=True)
    except KeptError as error:
        raise DirectoryError(str(error)) from None


_SIGN_IN = re.compile(r"([0-9]{1,15})(-.*)?")


def extension_of(sign_in: str) -> str:
    """Return the extension that a sign-in belongs to. Raises PeopleError when it can't be one."""
    found = _SIGN_IN.fullmatch(sign_in)
    if found is None:
        raise PeopleError(f'sign-in "{sign_in[:60]}" is no extension, alone or with a suffix (1001-app)')
    return found.group(1)
