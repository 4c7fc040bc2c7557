"""Browsers that are told of calls, in the database: their addresses and keys are sealed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from pbx.node.sealing import SealBroken, Sealing
from pbx.push.subscription import Secrets, Subscription
from pbx.store.schema import accounts
from pbx.store.schema import push_subscriptions as subscriptions

SEAL: Final = "push subscription"
MOST_OF_ACCOUNT: Final = 10


class NoSubscription(Exception):
    """There is no such browser of that account."""


def add(connection: sa.Connection, subscription: Subscription, sealing: Sealing) -> None:
    """Add a browser, in place of what it was before; the oldest give way to the MOST_OF_ACCOUNT newest."""
    connection.execute(sa.delete(subscriptions).where(subscriptions.c.id == subscription.id))
    of_account = sa.select(subscriptions.c.id).where(subscriptions.c.account == subscription.account)
    kept = of_account.order_by(subscriptions.c.created_at.desc()).limit(MOST_OF_ACCOUNT - 1)
    newest = list(connection.execute(kept).scalars())
    connection.execute(
        sa.delete(subscriptions).where(
            subscriptions.c.account == subscription.account, subscriptions.c.id.not_in(newest)
        )
    )
    sealed = sealing.seal(msgspec.json.encode(subscription.secrets), SEAL, subscription.id)
    connection.execute(
        sa.insert(subscriptions).values(
            id=subscription.id,
            account=subscription.account,
            subscription_sealed=sealed,
            kinds=" ".join(subscription.kinds),
            device=subscription.device,
            created_at=subscription.created_at,
        )
    )


def of_account(connection: sa.Connection, account: str) -> list[Subscription]:
    """Return the browsers of an account, the newest first, without their secrets."""
    wanted = _wanted().where(subscriptions.c.account == account)
    ordered = wanted.order_by(subscriptions.c.created_at.desc(), subscriptions.c.id)
    return [_subscription(row, Secrets("", "", "")) for row in connection.execute(ordered)]


def of_extension(connection: sa.Connection, extension: str, sealing: Sealing) -> list[Subscription]:
    """Return the browsers of whoever has an extension, with their secrets; those that don't open are left
    out: another node sealed them."""
    wanted = _wanted().where(accounts.c.extension == extension, accounts.c.disabled.is_(False))
    return [one for row in connection.execute(wanted) for one in _opened(row, sealing)]


def find(connection: sa.Connection, account: str, subscription: str, sealing: Sealing) -> Subscription:
    """Return a browser of an account, with its secrets. Raises NoSubscription."""
    wanted = _wanted().where(subscriptions.c.account == account, subscriptions.c.id == subscription)
    for row in connection.execute(wanted):
        for one in _opened(row, sealing):
            return one
    raise NoSubscription(subscription)


def change(connection: sa.Connection, account: str, subscription: str, kinds: Sequence[str]) -> None:
    """Have a browser be told of these. Raises NoSubscription."""
    theirs = (subscriptions.c.account == account, subscriptions.c.id == subscription)
    done = connection.execute(sa.update(subscriptions).where(*theirs).values(kinds=" ".join(kinds)))
    if not done.rowcount:
        raise NoSubscription(subscription)


def remove(connection: sa.Connection, subscription: str, account: str = "") -> bool:
    """Forget a browser; whether there was one. account: whose it must be, "" for anybody's."""
    theirs = [subscriptions.c.id == subscription]
    if account:
        theirs.append(subscriptions.c.account == account)
    return bool(connection.execute(sa.delete(subscriptions).where(*theirs)).rowcount)


def extensions(connection: sa.Connection) -> dict[str, frozenset[str]]:
    """Return the extensions that have browsers, each with what any of these is told of."""
    wanted = (
        sa.select(accounts.c.extension, subscriptions.c.kinds)
        .join_from(subscriptions, accounts)
        .where(accounts.c.extension != "", accounts.c.disabled.is_(False))
    )
    found: dict[str, frozenset[str]] = {}
    for extension, kinds in connection.execute(wanted):
        found[extension] = found.get(extension, frozenset()) | frozenset(kinds.split())
    return found


def _wanted() -> sa.Select[Any]:
    return sa.select(subscriptions, accounts.c.language).join_from(subscriptions, accounts)


def _opened(row: Any, sealing: Sealing) -> list[Subscription]:
    try:
        opened = sealing.unseal(bytes(row.subscription_sealed), SEAL, row.id)
        return [_subscription(row, msgspec.json.decode(opened, type=Secrets))]
    except (SealBroken, msgspec.DecodeError):
        return []


def _subscription(row: Any, secrets: Secrets) -> Subscription:
    kinds = tuple(row.kinds.split())
    return Subscription(row.id, row.account, kinds, row.device, row.created_at, row.language, secrets)
