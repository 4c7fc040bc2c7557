"""Webhooks: programs elsewhere that are told of events (pbx.webhooks)."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from pbx.accounts.actor import Actor
from pbx.node.sealing import SealBroken
from pbx.web.access import may
from pbx.web.node import TheNode
from pbx.web.problems import Problem
from pbx.webhooks import records
from pbx.webhooks.addresses import refuse_literal
from pbx.webhooks.records import SEAL, NoWebhook
from pbx.webhooks.webhook import (
    OFFERED,
    Delivery,
    Webhook,
    WebhookWrong,
    checked_kinds,
    checked_name,
    new_secret,
    parts_of,
)

router = APIRouter(prefix="/webhooks", tags=["webhooks"])

Administrator = Annotated[Actor, may("webhooks.change")]


class WebhookWanted(BaseModel):
    """A webhook to be made. kinds: of events, as `offered` lists them.

    private_address: that it may lead into a private network, said on purpose.
    """

    name: str = Field(max_length=200, examples=["Intranet"])
    url: str = Field(max_length=1000, examples=["https://intranet.valmont.example/hooks/beffroi"])
    kinds: list[Annotated[str, Field(max_length=60)]] = Field(max_length=50, examples=[["CallEnded"]])
    private_address: bool = False


class WebhookShown(BaseModel):
    """A webhook. waiting: deliveries that are still to be made."""

    id: str = Field(examples=["5f0c2a9e61b7d384"])
    name: str
    url: str
    kinds: list[str]
    private_address: bool
    created_by: str
    created_at: float
    waiting: int = 0


class WebhookMade(WebhookShown):
    """A webhook with the secret that its deliveries are signed with, which nobody can see again."""

    secret: str


class Webhooks(BaseModel):
    """All webhooks by name, and the kinds of events that can be chosen."""

    items: list[WebhookShown]
    next: str = ""
    offered: list[str]


class DeliveryShown(BaseModel):
    """One event for a webhook. status: of the last answer, 0 for none; trouble: "" where it was taken.

    next_at: of the next try; ended_at: when it was taken, or given up.
    """

    id: str
    kind: str
    made_at: float
    next_at: float | None
    ended_at: float | None
    tries: int
    status: int
    trouble: str


class Deliveries(BaseModel):
    """The last deliveries of a webhook, the newest first."""

    items: list[DeliveryShown]
    next: str = ""


@router.get("", summary="List webhooks")
async def list_webhooks(node: TheNode, _: Administrator) -> Webhooks:
    """Return them, never their secrets."""
    found = await node.read(records.listed)
    waiting = await node.read(records.waiting)
    items = [_shown(one, waiting.get(one.id, 0)) for one in found]
    return Webhooks(items=items, offered=list(OFFERED))


@router.post("", status_code=201, summary="Add a webhook")
async def add(node: TheNode, actor: Administrator, wanted: WebhookWanted) -> WebhookMade:
    """Add a webhook, and show its secret this once."""
    secret, now = new_secret(), node.clock()
    try:
        parts_of(wanted.url)
        made = Webhook(
            id=secrets.token_hex(8),
            name=checked_name(wanted.name),
            url=wanted.url,
            kinds=checked_kinds(wanted.kinds),
            private_address=wanted.private_address,
            created_by=actor.account,
            created_at=now,
        )
        refuse_literal(made, node.configuration.local_networks)
        sealed = node.sealing.seal(secret.encode(), SEAL, made.id)
        await node.write(lambda connection: records.add(connection, made, sealed))
    except WebhookWrong as error:
        raise Problem(422, "wrong_webhook", str(error), where=error.field) from None
    node.courier.changed()
    about = {"id": made.id, "name": made.name, "url": made.url}
    private = made.private_address
    await node.audit.enter(
        now, "webhook.add", actor, **about, kinds=list(made.kinds), private_address=private
    )
    return WebhookMade(**_shown(made, 0).model_dump(), secret=secret)


@router.delete("/{webhook}", status_code=204, summary="Remove a webhook")
async def remove(node: TheNode, actor: Administrator, webhook: str) -> None:
    """Remove a webhook, and what it was still to be told."""
    try:
        removed = await node.write(lambda connection: records.remove(connection, webhook))
    except NoWebhook:
        raise _unknown() from None
    node.courier.changed()
    about = {"id": removed.id, "name": removed.name, "url": removed.url}
    await node.audit.enter(node.clock(), "webhook.remove", actor, **about)


@router.post("/{webhook}/test", summary="Send a test")
async def test(node: TheNode, actor: Administrator, webhook: str) -> DeliveryShown:
    """Send a test now, and return what became of it within ten seconds; it isn't tried again."""
    try:
        found = await node.read(lambda connection: records.find(connection, webhook))
        await node.audit.enter(node.clock(), "webhook.test", actor, id=found.id, name=found.name)
        return _delivery(await node.courier.test(found))
    except NoWebhook:
        raise _unknown() from None
    except SealBroken as error:
        raise Problem(409, "secret_unreadable", str(error), mend="remove the webhook, add it again") from None


@router.get("/{webhook}/deliveries", summary="List the last deliveries of a webhook")
async def list_deliveries(node: TheNode, _: Administrator, webhook: str) -> Deliveries:
    """Return them without their bodies, the newest first."""
    try:
        await node.read(lambda connection: records.find(connection, webhook))
    except NoWebhook:
        raise _unknown() from None
    found = await node.read(lambda connection: records.log_of(connection, webhook))
    return Deliveries(items=[_delivery(one) for one in found])


def _unknown() -> Problem:
    return Problem(404, "no_webhook", "there is no such webhook")


def _shown(one: Webhook, waiting: int) -> WebhookShown:
    return WebhookShown(
        id=one.id,
        name=one.name,
        url=one.url,
        kinds=list(one.kinds),
        private_address=one.private_address,
        created_by=one.created_by,
        created_at=one.created_at,
        waiting=waiting,
    )


def _delivery(one: Delivery) -> DeliveryShown:
    return DeliveryShown(
        id=one.id,
        kind=one.kind,
        made_at=one.made_at,
        next_at=one.next_at,
        ended_at=one.ended_at,
        tries=one.tries,
        status=one.status,
        trouble=one.trouble,
    )
