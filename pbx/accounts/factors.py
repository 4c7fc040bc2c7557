"""Second factors in the database: the application's secret, recovery codes, passkeys."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from pbx.accounts import sessions
from pbx.accounts.account import Account, AccountError
from pbx.accounts.codes import recovery_hash
from pbx.accounts.records import find
from pbx.store.schema import accounts, passkeys, recovery_codes

MOST_PASSKEYS = 10
MOST_NAME_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey of an account. id: the credential's, base64url; Unix seconds."""

    id: str
    account: str
    name: str
    public_key: bytes
    sign_count: int
    transports: tuple[str, ...]
    created_at: float
    last_used_at: float | None


def set_totp(connection: sa.Connection, account: str, sealed: bytes, step: int) -> None:
    """Give an account the secret of an application. step: of the code that has confirmed it."""
    _update(connection, account, totp_sealed=sealed, totp_step=step)


def remove_totp(connection: sa.Connection, account: str) -> None:
    """Take it away. Raises AccountError where the account's roles need it."""
    _update(connection, account, totp_sealed=None, totp_step=0)
    _tidy(connection, account)


def take_totp_step(connection: sa.Connection, account: str, step: int) -> bool:
    """Note that the code of this step was used; returns False where one as late was used meanwhile."""
    later = sa.and_(accounts.c.account == account, accounts.c.totp_step < step)
    return connection.execute(sa.update(accounts).where(later).values(totp_step=step)).rowcount == 1


def set_recovery_codes(connection: sa.Connection, account: str, codes: Iterable[str]) -> None:
    """Replace the recovery codes of an account."""
    connection.execute(sa.delete(recovery_codes).where(recovery_codes.c.account == account))
    rows = [{"hash": recovery_hash(account, code), "account": account} for code in codes]
    connection.execute(sa.insert(recovery_codes), rows)


def take_recovery_code(connection: sa.Connection, account: str, typed: str) -> bool:
    """Use a recovery code up; returns False for one that isn't this account's, or was used."""
    this = recovery_codes.c.hash == recovery_hash(account, typed)
    used = sa.delete(recovery_codes).where(this, recovery_codes.c.account == account)
    return connection.execute(used).rowcount == 1


def passkeys_of(connection: sa.Connection, account: str) -> list[Passkey]:
    """Return the passkeys of an account, the oldest first."""
    return _passkeys(connection, passkeys.c.account == account)


def find_passkey(connection: sa.Connection, credential: str) -> Passkey:
    """Return a passkey by its credential's id. Raises AccountError."""
    for found in _passkeys(connection, passkeys.c.id == credential):
        return found
    raise AccountError("passkey_refused", "this passkey isn't known here", status=403)


def add_passkey(connection: sa.Connection, passkey: Passkey) -> None:
    """Add a passkey. Raises AccountError: its name is wrong, it is known already, or there are too many."""
    if not 0 < len(passkey.name) <= MOST_NAME_CHARACTERS or not passkey.name.isprintable():
        detail = f"the name of a passkey is 1 to {MOST_NAME_CHARACTERS} characters that can be printed"
        raise AccountError("wrong_passkey_name", detail, where="name")
    if len(passkeys_of(connection, passkey.account)) >= MOST_PASSKEYS:
        raise AccountError("too_many_passkeys", f"{MOST_PASSKEYS} passkeys are the most", status=409)
    if _passkeys(connection, passkeys.c.id == passkey.id):
        raise AccountError("passkey_taken", "this passkey is known already", status=409)
    values = {name: getattr(passkey, name) for name in Passkey.__dataclass_fields__}
    connection.execute(sa.insert(passkeys).values(values | {"transports": " ".join(passkey.transports)}))


def passkey_used(connection: sa.Connection, credential: str, sign_count: int, now: float) -> None:
    """Note when a passkey was used."""
    values = {"sign_count": sign_count, "last_used_at": now}
    connection.execute(sa.update(passkeys).where(passkeys.c.id == credential).values(values))


def remove_passkey(connection: sa.Connection, account: str, credential: str) -> None:
    """Take a passkey away. Raises AccountError: there is none, or the account's roles need it."""
    this = sa.delete(passkeys).where(passkeys.c.account == account, passkeys.c.id == credential)
    if connection.execute(this).rowcount == 0:
        raise AccountError("no_passkey", "there is no such passkey", status=404)
    _tidy(connection, account)


def reset_factors(connection: sa.Connection, account: str) -> Account:
    """Take all second factors away, for somebody who has lost them; the sessions end. Raises AccountError."""
    find(connection, account)
    _update(connection, account, totp_sealed=None, totp_step=0)
    connection.execute(sa.delete(passkeys).where(passkeys.c.account == account))
    connection.execute(sa.delete(recovery_codes).where(recovery_codes.c.account == account))
    sessions.end_all(connection, account)
    return find(connection, account)


def _tidy(connection: sa.Connection, account: str) -> None:
    """After a factor went: one must be left where it is needed; codes are for whoever has one."""
    left = find(connection, account)
    if left.has_second_factor:
        return
    if left.needs_second_factor:
        detail = "this account's roles need a second factor, and this is the last one"
        raise AccountError("last_factor", detail, mend="set another one up first", status=409)
    connection.execute(sa.delete(recovery_codes).where(recovery_codes.c.account == account))


def _update(connection: sa.Connection, account: str, **values: object) -> None:
    connection.execute(sa.update(accounts).where(accounts.c.account == account).values(values))


def _passkeys(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[Passkey]:
    query = sa.select(passkeys).where(which).order_by(passkeys.c.created_at, passkeys.c.id)
    return [
        Passkey(
            id=row.id,
            account=row.account,
            name=row.name,
            public_key=bytes(row.public_key),
            sign_count=row.sign_count,
            transports=tuple(row.transports.split()),
            created_at=row.created_at,
            last_used_at=row.last_used_at,
        )
        for row in connection.execute(query)
    ]
