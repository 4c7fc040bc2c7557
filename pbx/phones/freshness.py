"""Whether a telephone has what it is to have: the digest of its files as they are, and as it fetched them.

The digest is of the files with a secret that is always the same, and without firmware: it changes when the
plan, a person, a key or a password does, and with nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec
import sqlalchemy as sa

from pbx.store.schema import phone_settings, phones

SAME_SECRET: Final = "x" * 27
DIGEST_CHARS: Final = 32


class Freshness(msgspec.Struct, frozen=True):
    """Of one telephone. fetched_at: Unix seconds, 0.0 for never. wanted: "" where it isn't known yet."""

    fetched_at: float = 0.0
    fetched: str = ""
    wanted: str = ""

    @property
    def is_behind(self) -> bool:
        """Whether it has fetched, and something has changed since."""
        return bool(self.fetched and self.wanted) and self.fetched != self.wanted


def digest_of(files: Mapping[str, bytes]) -> str:
    """Return the digest of a telephone's files, as hexadecimal."""
    made = hashlib.sha256()
    for path, content in sorted(files.items()):
        made.update(f"{path}\0{len(content)}\0".encode())
        made.update(content)
    return made.hexdigest()[:DIGEST_CHARS]


def all_freshness(connection: sa.Connection) -> dict[str, Freshness]:
    """Return what is known, by telephone."""
    return {
        row.phone: Freshness(row.fetched_at, row.fetched, row.wanted)
        for row in connection.execute(sa.select(phone_settings))
    }


def fetched(connection: sa.Connection, name: str, digest: str, now: float) -> None:
    """A telephone has fetched the file that holds its own settings."""
    _put(connection, name, {"fetched_at": now, "fetched": digest, "wanted": digest})


def want(connection: sa.Connection, digests: Mapping[str, str]) -> None:
    """Write down what telephones are to have."""
    for name, digest in digests.items():
        _put(connection, name, {"wanted": digest})


def _put(connection: sa.Connection, name: str, values: dict[str, object]) -> None:
    """Change what is known of a telephone; nothing of one that was removed meanwhile."""
    whom = phone_settings.c.phone == name
    if connection.execute(sa.update(phone_settings).where(whom).values(values)).rowcount:
        return
    if connection.execute(sa.select(phones.c.name).where(phones.c.name == name)).first() is not None:
        every = {"phone": name, "fetched_at": 0.0, "fetched": "", "wanted": "", **values}
        connection.execute(sa.insert(phone_settings), [every])
