"""Accounts in the database: found, listed, added, changed, removed. One transaction each, the caller's."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pbx.accounts import sessions
from pbx.accounts.account import (
    Account,
    AccountError,
    Language,
    Source,
    extension_of,
    known_language,
    known_roles,
    shown_name,
    sign_in_name,
)
from pbx.accounts.rights import ROLES
from pbx.store.schema import accounts, links, passkeys, recovery_codes


@dataclass(frozen=True, slots=True)
class Secrets:
    """What an account proves itself with. password_hash: "" for none; totp_sealed: b"" for none."""

    password_hash: str
    totp_sealed: bytes
    totp_step: int


def matching(connection: sa.Connection, typed: str) -> Sequence[Account]:
    """Return the account that this sign-in name or extension means, or none at all."""
    try:
        name = sign_in_name(typed)
    except AccountError:
        return []
    named = _accounts(connection, accounts.c.account == name)
    return named or _accounts(connection, sa.and_(accounts.c.extension == name, accounts.c.extension != ""))


def find(connection: sa.Connection, account: str) -> Account:
    """Return an account by its sign-in name. Raises AccountError (404)."""
    # PostgreSQL stores no NUL, and would fail where SQLite finds nothing.
    for found in _accounts(connection, accounts.c.account == account) if account.isprintable() else ():
        return found
    raise AccountError("no_account", f'there is no account "{account[:64]}"', where="account", status=404)


def find_by_handle(connection: sa.Connection, handle: str) -> Account:
    """Return the account that a passkey names. Raises AccountError (404)."""
    for found in _accounts(connection, accounts.c.handle == handle):
        return found
    raise AccountError("no_account", "this passkey is of no account here", status=404)


def of_subject(connection: sa.Connection, subject: str) -> Sequence[Account]:
    """Return the account of whom a provider calls so, or none at all."""
    return _accounts(connection, accounts.c.subject == subject)


def list_accounts(connection: sa.Connection, *, limit: int = -1, after: str = "") -> list[Account]:
    """Return accounts by sign-in name, those after `after`; limit: -1 for all."""
    return _accounts(connection, accounts.c.account > after.replace("\0", ""), limit)


def secrets_of(connection: sa.Connection, account: str) -> Secrets:
    """Return what an account proves itself with. Raises AccountError (404)."""
    columns = accounts.c.password_hash, accounts.c.totp_sealed, accounts.c.totp_step
    for password_hash, sealed, step in connection.execute(
        sa.select(*columns).where(accounts.c.account == account)
    ):
        return Secrets(password_hash, bytes(sealed or b""), step)
    raise AccountError("no_account", f'there is no account "{account[:64]}"', where="account", status=404)


def add(
    connection: sa.Connection,
    account: str,
    name: str,
    *,
    now: float,
    roles: Iterable[str] = ("agent",),
    extension: str = "",
    language: str = "fr",
    password_hash: str = "",
    must_change: bool = False,
    source: Source = "local",
    subject: str = "",
) -> Account:
    """Add an account; returns it. Raises AccountError: a field is wrong, a name or an extension is taken."""
    key = sign_in_name(account)
    row: dict[str, Any] = {
        "account": key,
        "name": shown_name(name),
        "extension": extension_of(extension, key),
        "roles": _stored_roles(known_roles(roles)),
        "language": known_language(language),
        "password_hash": password_hash,
        "password_at": now if password_hash else None,
        "must_change": must_change,
        "disabled": False,
        "source": source,
        "subject": subject,
        "totp_step": 0,
        "handle": secrets.token_urlsafe(24),
        "created_at": now,
    }
    if _accounts(connection, accounts.c.account == key):
        raise AccountError("account_taken", f"{key} is taken", where="account", status=409)
    _refuse_taken(connection, key, row["extension"])
    connection.execute(sa.insert(accounts).values(row))
    return find(connection, key)


def change(
    connection: sa.Connection,
    account: str,
    *,
    name: str | None = None,
    extension: str | None = None,
    roles: Iterable[str] | None = None,
    language: str | None = None,
    disabled: bool | None = None,
) -> Account:
    """Change what isn't None; returns the account as it is then.

    Other roles, another extension, or being disabled end its sessions. Raises AccountError.
    """
    before = find(connection, account)
    row: dict[str, Any] = {}
    if name is not None:
        row["name"] = shown_name(name)
    if extension is not None:
        row["extension"] = extension_of(extension, account)
        _refuse_taken(connection, account, row["extension"])
    if roles is not None:
        row["roles"] = _stored_roles(known_roles(roles))
    if language is not None:
        row["language"] = known_language(language)
    if disabled is not None:
        row["disabled"] = disabled
    if row:
        connection.execute(sa.update(accounts).where(accounts.c.account == account).values(row))
    after = find(connection, account)
    if (after.roles, after.extension, after.disabled) != (before.roles, before.extension, before.disabled):
        sessions.end_all(connection, account)
    if is_acting_administrator(before) and not is_acting_administrator(after):
        _refuse_without_administrator(connection)
    return after


def remove(connection: sa.Connection, account: str) -> None:
    """Remove an account with all that it has. Raises AccountError: no such one, the last administrator."""
    before = find(connection, account)
    connection.execute(sa.delete(links).where(links.c.account == account))
    connection.execute(sa.delete(accounts).where(accounts.c.account == account))
    if is_acting_administrator(before):
        _refuse_without_administrator(connection)


def set_password(
    connection: sa.Connection, account: str, password_hash: str, *, now: float, keep_session: str = ""
) -> None:
    """Give an account a new password; its sessions end, but the one where it was changed.

    keep_session: that one's id. Raises AccountError (404).
    """
    find(connection, account)
    connection.execute(
        sa.update(accounts)
        .where(accounts.c.account == account)
        .values(password_hash=password_hash, password_at=now, must_change=False)
    )
    sessions.end_all(connection, account, keep_session)


def set_password_hash(connection: sa.Connection, account: str, before: str, after: str) -> None:
    """Keep the same password under newer parameters, unless it was changed meanwhile."""
    connection.execute(
        sa.update(accounts)
        .where(accounts.c.account == account, accounts.c.password_hash == before)
        .values(password_hash=after)
    )


def forget_password(connection: sa.Connection, account: str) -> None:
    """Let the password sign nobody in until there is a new one; end the sessions. Raises AccountError."""
    find(connection, account)
    connection.execute(
        sa.update(accounts).where(accounts.c.account == account).values(password_hash="", must_change=True)
    )
    sessions.end_all(connection, account)


def signed_in(connection: sa.Connection, account: str, now: float) -> None:
    """Note when somebody has signed in."""
    connection.execute(sa.update(accounts).where(accounts.c.account == account).values(last_sign_in_at=now))


def forget_subject(connection: sa.Connection, account: str) -> None:
    """Let whoever comes from the provider with this name be its owner, once. Raises AccountError (404)."""
    find(connection, account)
    connection.execute(sa.update(accounts).where(accounts.c.account == account).values(subject=""))
    sessions.end_all(connection, account)


def is_acting_administrator(account: Account) -> bool:
    """Whether this account can sign in and administer."""
    return "administrator" in account.roles and not account.disabled


def language_of(text: str) -> Language:
    """Return the language of a browser's Accept-Language, French where it says neither."""
    return "en" if text.strip().lower().startswith("en") else "fr"


def _refuse_taken(connection: sa.Connection, account: str, extension: str) -> None:
    taken = sa.and_(accounts.c.extension == extension, accounts.c.account != account)
    for other in _accounts(connection, taken) if extension else []:
        detail = f"extension {extension} is the one of {other.account}"
        raise AccountError("extension_taken", detail, where="extension", status=409)


def _refuse_without_administrator(connection: sa.Connection) -> None:
    if not any(is_acting_administrator(one) for one in list_accounts(connection)):
        detail = "this is the last administrator: nobody could administer afterwards"
        mend = "make somebody else an administrator first"
        raise AccountError("last_administrator", detail, mend=mend, status=409)


def _stored_roles(roles: frozenset[str]) -> str:
    return " ".join(role for role in ROLES if role in roles)


def _accounts(connection: sa.Connection, which: sa.ColumnElement[bool], limit: int = -1) -> list[Account]:
    of_passkeys = sa.select(sa.func.count()).where(passkeys.c.account == accounts.c.account).scalar_subquery()
    of_codes = (
        sa.select(sa.func.count()).where(recovery_codes.c.account == accounts.c.account).scalar_subquery()
    )
    query = sa.select(accounts, of_passkeys.label("keys"), of_codes.label("codes")).where(which)
    query = query.order_by(accounts.c.account)
    return [
        Account(
            account=row.account,
            name=row.name,
            extension=row.extension,
            roles=known_roles(row.roles.split()),
            language=known_language(row.language),
            source=row.source,
            subject=row.subject,
            must_change=bool(row.must_change),
            disabled=bool(row.disabled),
            has_password=bool(row.password_hash),
            has_totp=row.totp_sealed is not None,
            passkeys=row.keys,
            recovery_codes=row.codes,
            handle=row.handle,
            created_at=row.created_at,
            last_sign_in_at=row.last_sign_in_at,
        )
        for row in connection.execute(query if limit < 0 else query.limit(limit))
    ]
