"""Tokens: what a program signs in with, in the name of an account, for some of its rights and some time.

`bft_` and 43 letters and digits, which is 256 bits of chance. They are shown once and kept hashed: one round
of SHA-256 is enough for what nobody can guess. A token never has a right that its account hasn't: what the
account loses, each of its tokens loses with the next request.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

import sqlalchemy as sa

from pbx.accounts.actor import Actor
from pbx.accounts.rights import RIGHTS, Right, Role, rights_of
from pbx.store.schema import accounts, tokens

PREFIX: Final = "bft_"
LONGEST_SECONDS: Final = 2 * 365 * 86_400.0
USE_SECONDS: Final = 60.0  # how exactly the last use is known
MOST_OF_AN_ACCOUNT: Final = 50
MOST_NETWORKS: Final = 20
MOST_NAME: Final = 100

_LETTERS: Final = string.ascii_letters + string.digits
_SECRET_LETTERS: Final = 43
_TOKEN: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_SECRET_LETTERS}}}")

IPNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class NoToken(Exception):
    """There is no such token, or it isn't this account's."""


class TokenWrong(Exception):
    """A token that can't be made so. field: what of it is wrong; the text says why."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


class TokenRefused(Exception):
    """A token that opens nothing. why: `unknown`, `expired`, `network` or `account`; token: its id, or ""."""

    def __init__(self, why: str, token: str = "", account: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.token = token
        self.account = account


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is listed. networks: where it may be used from, none for anywhere; Unix seconds."""

    id: str
    account: str
    name: str
    scopes: tuple[Right, ...]
    networks: tuple[str, ...]
    created_at: float
    ends_at: float
    last_used_at: float | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A token to be made. scopes: none for all rights of the account; ends_at: Unix seconds."""

    name: str
    ends_at: float
    scopes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()


def add(connection: sa.Connection, account: str, wanted: Wanted, now: float) -> tuple[Token, str]:
    """Make a token of an account; returns it, and what to sign in with, which nobody can be told again.

    now: Unix seconds. Raises TokenWrong.
    """
    rights = _rights(connection, account)
    name = " ".join(wanted.name.split())
    if not 0 < len(name) <= MOST_NAME or not name.isprintable():
        raise TokenWrong("name", f"a name has 1 to {MOST_NAME} letters")
    if not now < wanted.ends_at <= now + LONGEST_SECONDS + USE_SECONDS:
        raise TokenWrong("ends_at", "a token ends in the future, and within two years")
    held = sa.select(sa.func.count()).where(tokens.c.account == account)
    if connection.execute(held).scalar_one() >= MOST_OF_AN_ACCOUNT:
        raise TokenWrong("account", f"{account} has {MOST_OF_AN_ACCOUNT} tokens: end one first")
    secret = PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(_SECRET_LETTERS))
    token = Token(
        id=secrets.token_hex(8),
        account=account,
        name=name,
        scopes=_scopes(wanted.scopes, rights),
        networks=_networks(wanted.networks),
        created_at=now,
        ends_at=wanted.ends_at,
        last_used_at=None,
    )
    row = {
        "id": token.id,
        "token_hash": _hash(secret),
        "account": account,
        "name": token.name,
        "scopes": " ".join(token.scopes),
        "networks": " ".join(token.networks),
        "created_at": now,
        "ends_at": token.ends_at,
        "last_used_at": None,
    }
    connection.execute(sa.insert(tokens).values(row))
    return token, secret


def listed(connection: sa.Connection, account: str = "") -> list[Token]:
    """Return the tokens of an account, "" for all, the newest first."""
    wanted = sa.select(tokens).order_by(tokens.c.created_at.desc(), tokens.c.id)
    if account:
        wanted = wanted.where(tokens.c.account == account)
    return [_token(row) for row in connection.execute(wanted)]


def remove(connection: sa.Connection, token_id: str, account: str = "") -> Token:
    """End a token; returns what it was. account: whose it must be, "" for anybody's. Raises NoToken."""
    row = connection.execute(sa.select(tokens).where(tokens.c.id == token_id)).one_or_none()
    if row is None or account not in ("", row.account):
        raise NoToken(token_id)
    connection.execute(sa.delete(tokens).where(tokens.c.id == token_id))
    return _token(row)


def actor_of(connection: sa.Connection, secret: str, address: str, now: float) -> tuple[Actor, Token]:
    """Return who acts with what was sent as a token. address: where from; now: Unix seconds.

    Raises TokenRefused.
    """
    if not _TOKEN.fullmatch(secret):
        raise TokenRefused("unknown")
    columns = (*tokens.c, accounts.c.name.label("person"), accounts.c.extension, accounts.c.roles)
    of_account = accounts.c.account == tokens.c.account
    wanted = sa.select(*columns, accounts.c.disabled).join(accounts, of_account)
    row = connection.execute(wanted.where(tokens.c.token_hash == _hash(secret))).one_or_none()
    if row is None:
        raise TokenRefused("unknown")
    token = _token(row)
    for why, refused in (
        ("account", row.disabled),
        ("expired", not now < token.ends_at),
        ("network", not _allowed(token.networks, address)),
    ):
        if refused:
            raise TokenRefused(why, token.id, token.account)
    roles = frozenset(cast("list[Role]", row.roles.split()))
    rights = rights_of(roles) & frozenset(token.scopes)
    return Actor(token.account, row.person, row.extension, roles, rights, "token", address), token


def used(connection: sa.Connection, token_id: str, now: float) -> None:
    """Note that a token was used, where `is_due`."""
    connection.execute(sa.update(tokens).where(tokens.c.id == token_id).values(last_used_at=now))


def is_due(token: Token, now: float) -> bool:
    """Whether the use of a token now is to be noted: once a minute at most."""
    return token.last_used_at is None or not 0 <= now - token.last_used_at < USE_SECONDS


def _rights(connection: sa.Connection, account: str) -> frozenset[Right]:
    wanted = sa.select(accounts.c.roles).where(accounts.c.account == account)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise TokenWrong("account", f"there is no account {account[:60]}")
    return rights_of(cast("list[Role]", row.roles.split()))


def _scopes(wanted: Iterable[str], rights: frozenset[Right]) -> tuple[Right, ...]:
    asked = set(wanted) or set(rights)
    for scope in sorted(asked):
        if scope not in RIGHTS:
            raise TokenWrong("scopes", f"{scope[:40]} is no right")
        if scope not in rights:
            raise TokenWrong("scopes", f"the account itself hasn't the right {scope}")
    return tuple(right for right in RIGHTS if right in asked)


def _networks(wanted: Sequence[str]) -> tuple[str, ...]:
    if len(wanted) > MOST_NETWORKS:
        raise TokenWrong("networks", f"at most {MOST_NETWORKS} networks")
    found = []
    for text in wanted:
        try:
            found.append(str(ipaddress.ip_network(text.strip(), strict=False)))
        except ValueError:
            raise TokenWrong("networks", f"{text[:60]} is no network, such as 10.0.0.0/8") from None
    return tuple(dict.fromkeys(found))


def _allowed(networks: Sequence[str], address: str) -> bool:
    if not networks:
        return True
    try:
        here = ipaddress.ip_address(address)
    except ValueError:  # over a socket of this machine
        return False
    if isinstance(here, ipaddress.IPv6Address) and here.ipv4_mapped is not None:
        here = here.ipv4_mapped
    return any(here in ipaddress.ip_network(network) for network in networks)


def _token(row: Any) -> Token:
    return Token(
        id=row.id,
        account=row.account,
        name=row.name,
        scopes=tuple(row.scopes.split()),
        networks=tuple(row.networks.split()),
        created_at=row.created_at,
        ends_at=row.ends_at,
        last_used_at=row.last_used_at,
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
