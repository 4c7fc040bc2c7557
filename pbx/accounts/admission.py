"""Whom another server knows: which account here is theirs, and what they may do.

An account belongs to one source. One that has a password here is never taken over by whoever has its name
there; one without any becomes that server's at the first sign-in. Where the server has a name of its own for
somebody (`sub`), the account is theirs by that from then on: whoever marries keeps it, and whoever is given
the address of a predecessor doesn't get theirs.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from pbx.accounts import records
from pbx.accounts.account import Account, AccountError, shown_name, sign_in_name
from pbx.accounts.elsewhere import RoleMap
from pbx.accounts.rights import Role
from pbx.store.schema import accounts

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, as another server says. groups: theirs there; second_factor: shown there.

    subject: what never becomes somebody else's, as a name or an address may; "" where the server has none.
    """

    account: str
    name: str
    subject: str = ""
    groups: frozenset[str] = frozenset()
    second_factor: bool = False


def roles_of(groups: Collection[str], mapped: RoleMap) -> frozenset[Role]:
    """Return the roles that these groups give; an agent's where they give none."""
    known = {group.casefold() for group in groups}
    return frozenset(role for group, role in mapped if group.casefold() in known) or frozenset({"agent"})


def admitted(
    connection: sa.Connection,
    identity: Identity,
    source: Literal["openid", "ldap"],
    mapped: RoleMap,
    *,
    create: bool,
    now: float,
) -> Account:
    """Return the account of somebody, made where `create` says so; with the roles of their groups.

    mapped: which group gives which role; () leaves roles as they are. now: Unix seconds. Raises AccountError.
    """
    key = sign_in_name(identity.account)
    roles = roles_of(identity.groups, mapped)
    # OpenID Connect Core 1.0 section 5.7: only `iss` and `sub` together never become somebody else's.
    bound = records.of_subject(connection, identity.subject) if identity.subject else []
    known = bound or _known(connection, key)
    if not known:
        if not create:
            detail, mend = f"{key} has no account here", "an administrator adds one, without a password"
            raise AccountError("no_account_here", detail, mend=mend, status=403)
        return records.add(
            connection,
            key,
            _name(identity.name, key),
            now=now,
            roles=roles,
            extension=key if key.isdigit() else "",
            source=source,
            subject=identity.subject,
        )
    (account,) = known
    if account.source != source and (account.has_password or account.has_second_factor):
        detail = f"{account.account} is an account of this node, which signs in here"
        raise AccountError("account_of_another", detail, mend="sign in with its password", status=403)
    if account.subject != identity.subject and account.subject:
        detail = f"{key} is the account of somebody whom the provider knows as another person"
        mend = f"an administrator removes it, or types `beffroi account forget-subject {key}`"
        raise AccountError("another_subject", detail, mend=mend, status=403)
    if (account.source, account.subject) != (source, identity.subject):
        change = sa.update(accounts).where(accounts.c.account == account.account)
        connection.execute(change.values(source=source, subject=identity.subject))
        account = records.find(connection, account.account)
    return _with_roles(connection, account, roles) if mapped else account


def _known(connection: sa.Connection, key: str) -> Sequence[Account]:
    return [account for account in records.matching(connection, key) if account.account == key]


def _with_roles(connection: sa.Connection, account: Account, roles: Iterable[Role]) -> Account:
    if account.roles == frozenset(roles):
        return account
    try:
        with connection.begin_nested():
            return records.change(connection, account.account, roles=roles)
    except AccountError as error:
        if error.code != "last_administrator":
            raise
        log.warning("%s keeps its roles: it is the last administrator", account.account)
        return account


def _name(text: str, key: str) -> str:
    try:
        return shown_name(text[:200])
    except AccountError:
        return key
