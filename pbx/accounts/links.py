"""Links that work once: a new password, the first run of a node, the demonstration.

    https://pbx.valmont.example/new-password#6vQ…        what is behind # is the secret

The secret is in the fragment: a browser keeps that to itself, so that no server's log, proxy or Referer ever
has it, and a mail server that looks at each link before its reader does uses none up. The page takes it from
there and sends it in the body of a POST, which alone uses it. The database knows its SHA-256 only.
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import sqlalchemy as sa

from pbx.accounts.account import AccountError
from pbx.store.schema import links

Purpose: TypeAlias = Literal["password", "first-run", "demo"]

PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)
PASSWORD_SECONDS: Final = 24 * 3600.0
FIRST_RUN_SECONDS: Final = 3600.0
DEMO_SECONDS: Final = 24 * 3600.0
PATHS: Final[dict[Purpose, str]] = {
    "password": "/new-password",
    "first-run": "/first-run",
    "demo": "/welcome",
}


@dataclass(frozen=True, slots=True)
class Link:
    """What a link is for. account: whose, "" where it is for nobody yet; ends_at: Unix seconds."""

    purpose: Purpose
    account: str
    ends_at: float


def make_link(connection: sa.Connection, purpose: Purpose, account: str, ends_at: float) -> str:
    """Return the secret of a new link; an earlier one for the same works no longer."""
    secret = secrets.token_urlsafe(32)
    same = sa.and_(links.c.purpose == purpose, links.c.account == account)
    connection.execute(sa.delete(links).where(same))
    connection.execute(
        sa.insert(links).values(hash=_hash(secret), purpose=purpose, account=account, ends_at=ends_at)
    )
    return secret


def read_link(connection: sa.Connection, secret: str, purpose: Purpose, now: float) -> Link:
    """Return what a link is for, and leave it as it is. Raises AccountError (404)."""
    found = connection.execute(
        sa.select(links.c.account, links.c.ends_at).where(
            links.c.hash == _hash(secret), links.c.purpose == purpose, links.c.ends_at > now
        )
    )
    for account, ends_at in found:
        return Link(purpose, account, ends_at)
    raise _refused()


def use_link(connection: sa.Connection, secret: str, purpose: Purpose, now: float) -> Link:
    """Return what a link is for; it works no longer. Raises AccountError (404)."""
    link = read_link(connection, secret, purpose, now)
    # Of two at the same moment one deletes it: in PostgreSQL both may have read it.
    if connection.execute(sa.delete(links).where(links.c.hash == _hash(secret))).rowcount != 1:
        raise _refused()
    connection.execute(sa.delete(links).where(links.c.ends_at <= now))
    return link


def link_url(origin: str, purpose: Purpose, secret: str) -> str:
    """Return what is given to whoever may use it. origin: such as https://pbx.valmont.example."""
    return f"{origin}{PATHS[purpose]}#{secret}"


def _refused() -> AccountError:
    detail, mend = "this link was used already, or is too old", "ask for another one"
    return AccountError("link_refused", detail, mend=mend, status=404)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
