"""Webhooks and their deliveries in the database. The deliveries that wait are the queue: a restart keeps it.

Bounded: of one webhook MOST_WAITING wait, the oldest give way; MOST_KEPT that have ended are kept to be seen.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from typing import Any, Final

import sqlalchemy as sa

from pbx.store.schema import webhook_deliveries as deliveries
from pbx.store.schema import webhooks
from pbx.webhooks.webhook import MOST, Delivery, Webhook, WebhookWrong, next_try

MOST_WAITING: Final = 1000
MOST_KEPT: Final = 100
SEAL: Final = "webhook secret"


class NoWebhook(Exception):
    """There is no such webhook."""


def add(connection: sa.Connection, webhook: Webhook, sealed: bytes) -> None:
    """Add a webhook. sealed: its secret, under the node's key as SEAL of its id. Raises WebhookWrong."""
    if connection.execute(sa.select(sa.func.count()).select_from(webhooks)).scalar_one() >= MOST:
        raise WebhookWrong("name", f"there are {MOST} webhooks: remove one first")
    connection.execute(
        sa.insert(webhooks).values(
            id=webhook.id,
            name=webhook.name,
            url=webhook.url,
            kinds=" ".join(webhook.kinds),
            secret_sealed=sealed,
            private_address=webhook.private_address,
            created_by=webhook.created_by,
            created_at=webhook.created_at,
        )
    )


def listed(connection: sa.Connection) -> list[Webhook]:
    """Return all webhooks by name."""
    return [_webhook(row) for row in connection.execute(sa.select(webhooks).order_by(webhooks.c.name))]


def find(connection: sa.Connection, webhook: str) -> Webhook:
    """Return a webhook by its id. Raises NoWebhook."""
    return _webhook(_row(connection, webhook))


def sealed_secret(connection: sa.Connection, webhook: str) -> bytes:
    """Return a webhook's secret as it is kept. Raises NoWebhook."""
    return bytes(_row(connection, webhook).secret_sealed)


def remove(connection: sa.Connection, webhook: str) -> Webhook:
    """Remove a webhook and what it was to be told; returns what it was. Raises NoWebhook."""
    found = find(connection, webhook)
    connection.execute(sa.delete(webhooks).where(webhooks.c.id == webhook))
    return found


def enqueue(
    connection: sa.Connection, webhook: str, told: Sequence[tuple[str, str]], now: float
) -> list[str]:
    """Queue events for a webhook, each a kind and a body; returns the ids of their deliveries.

    Nothing where the webhook is gone. now: Unix seconds.
    """
    if connection.execute(sa.select(webhooks.c.id).where(webhooks.c.id == webhook)).one_or_none() is None:
        return []
    rows = [
        {
            "id": f"{int(now * 1000):013x}{number:04x}{secrets.token_hex(4)}",  # in their order
            "webhook": webhook,
            "kind": kind,
            "body": body,
            "made_at": now,
            "next_at": now,
            "tries": 0,
            "ended_at": None,
            "status": 0,
            "trouble": "",
        }
        for number, (kind, body) in enumerate(told[-MOST_WAITING:])
    ]
    connection.execute(sa.insert(deliveries), rows)
    waiting = sa.select(deliveries.c.id).where(
        deliveries.c.webhook == webhook, deliveries.c.next_at.is_not(None)
    )
    kept = waiting.order_by(deliveries.c.id.desc()).limit(MOST_WAITING)
    connection.execute(
        sa.update(deliveries)
        .where(
            deliveries.c.webhook == webhook, deliveries.c.next_at.is_not(None), deliveries.c.id.not_in(kept)
        )
        .values(next_at=None, ended_at=now, trouble="left out: too many wait")
    )
    _forget_old(connection, webhook)
    return [str(row["id"]) for row in rows]


def due(connection: sa.Connection, now: float, busy: Collection[str]) -> list[Delivery]:
    """Return the oldest delivery that is due of each webhook but those that are busy. now: Unix seconds."""
    first = (
        sa.select(sa.func.min(deliveries.c.id))
        .where(deliveries.c.next_at <= now, deliveries.c.webhook.not_in(list(busy)))
        .group_by(deliveries.c.webhook)
    )
    found = sa.select(deliveries).where(deliveries.c.id.in_(first))
    return [_delivery(row) for row in connection.execute(found)]


def next_due(connection: sa.Connection) -> float | None:
    """Return when the next delivery is due, None when none waits. Unix seconds."""
    soonest: float | None = connection.execute(sa.select(sa.func.min(deliveries.c.next_at))).scalar()
    return soonest


def tried(connection: sa.Connection, delivery: Delivery, status: int, trouble: str, now: float) -> Delivery:
    """Note what became of a try; returns the delivery as it is then.

    status: of the answer, 0 for none; trouble: "" where it was taken. now: Unix seconds.
    """
    tries = delivery.tries + 1
    # RFC 9110 section 15.5.11: gone for good.
    again = next_try(delivery.made_at, tries, now) if trouble and status != 410 else None
    values = {
        "tries": tries,
        "status": status,
        "trouble": trouble[:300],
        "next_at": again,
        "ended_at": now if again is None else None,
    }
    connection.execute(sa.update(deliveries).where(deliveries.c.id == delivery.id).values(values))
    if again is None:
        _forget_old(connection, delivery.webhook)
    found = sa.select(deliveries).where(deliveries.c.id == delivery.id)
    rows = connection.execute(found).all()
    return _delivery(rows[0]) if rows else delivery


def log_of(connection: sa.Connection, webhook: str, limit: int = 50) -> list[Delivery]:
    """Return the deliveries of a webhook, the newest first."""
    wanted = sa.select(deliveries).where(deliveries.c.webhook == webhook)
    return [
        _delivery(row) for row in connection.execute(wanted.order_by(deliveries.c.id.desc()).limit(limit))
    ]


def waiting(connection: sa.Connection) -> dict[str, int]:
    """Return how many deliveries wait, by webhook."""
    counted = sa.select(deliveries.c.webhook, sa.func.count()).where(deliveries.c.next_at.is_not(None))
    rows = connection.execute(counted.group_by(deliveries.c.webhook))
    return {row[0]: row[1] for row in rows}


def _forget_old(connection: sa.Connection, webhook: str) -> None:
    ended = sa.select(deliveries.c.id).where(deliveries.c.webhook == webhook, deliveries.c.next_at.is_(None))
    old = ended.order_by(deliveries.c.id.desc()).offset(MOST_KEPT)
    connection.execute(sa.delete(deliveries).where(deliveries.c.id.in_(old)))


def _row(connection: sa.Connection, webhook: str) -> Any:
    row = connection.execute(sa.select(webhooks).where(webhooks.c.id == webhook)).one_or_none()
    if row is None:
        raise NoWebhook(webhook)
    return row


def _webhook(row: Any) -> Webhook:
    return Webhook(
        id=row.id,
        name=row.name,
        url=row.url,
        kinds=tuple(row.kinds.split()),
        private_address=bool(row.private_address),
        created_by=row.created_by,
        created_at=row.created_at,
    )


def _delivery(row: Any) -> Delivery:
    return Delivery(**{name: getattr(row, name) for name in Delivery.__dataclass_fields__})
