"""Notifications to browsers: which ones of one's own are told of calls, and of what (pbx.push)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from pbx import control
from pbx.accounts.open_sessions import SignedIn
from pbx.push import records
from pbx.push.records import NoSubscription
from pbx.push.subscription import (
    MOST_ENDPOINT_CHARS,
    Subscription,
    SubscriptionWrong,
    checked_kinds,
    checked_secrets,
    id_of,
)
from pbx.web.access import address_of, by_page, own_extension
from pbx.web.node import TheNode
from pbx.web.problems import Problem

router = APIRouter(prefix="/push", tags=["push"])

ByPage = Annotated[SignedIn, by_page()]
Browser = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Kinds = Annotated[list[Annotated[str, Field(max_length=20)]], Field(max_length=10, examples=[["calls"]])]


class BrowserShown(BaseModel):
    """A browser that is told. id: made from its address at its push service; device: what it says it is."""

    id: str = Field(examples=["9f86d081884c7d659a2feaa0c55ad015"])
    kinds: list[str] = Field(examples=[["calls", "missed", "voicemail"]])
    device: str = Field(examples=["Mozilla/5.0 (X11; Linux x86_64) …"])
    created_at: float = Field(examples=[1798189200.0])


class Push(BaseModel):
    """What a browser needs to ask for notifications. key: ours, for `applicationServerKey` (RFC 8292)."""

    key: str = Field(
        examples=["BDd3_hVL9fZi9Ybo2UUzA284WG5FZR30_95YeZJsiApwXKpNcF1rRPF3foIiBHXRdJI2Qhumhf6_LFTeZaNndIo"]
    )
    browsers: list[BrowserShown]


class BrowserWanted(BaseModel):
    """A browser that is to be told, as its PushSubscription says it.

    kinds: of `calls`, `missed`, `voicemail`.
    """

    endpoint: str = Field(max_length=MOST_ENDPOINT_CHARS, examples=["https://push.example/wpush/v2/gAAA"])
    p256dh: str = Field(
        max_length=100,
        examples=["BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"],
    )
    auth: str = Field(max_length=30, examples=["BTBZMqHH6r4Tts7J_aSIgg"])
    kinds: Kinds


class BrowserChange(BaseModel):
    """What a browser is told of from now on."""

    kinds: Kinds


class CallDeclined(BaseModel):
    """A call that rings, as a notification named it."""

    call: str = Field(max_length=60, examples=["0197a1c2d3ek3j2h1g0f"])


@router.get("", summary="One's browsers that are told of calls")
async def show(node: TheNode, signed_in: ByPage) -> Push:
    """Return them, the newest first, and the key that browsers want."""
    account = signed_in.account.account
    found = await node.read(lambda connection: records.of_account(connection, account))
    return Push(key=node.push_keys.public, browsers=[_shown(one) for one in found])


@router.post("/browsers", status_code=201, summary="Have a browser be told of calls")
async def add(request: Request, node: TheNode, signed_in: ByPage, given: BrowserWanted) -> BrowserShown:
    """Tell this browser from now on, in place of whoever was told there before."""
    own_extension(signed_in.actor(address_of(request)))
    try:
        secrets = checked_secrets(given.endpoint, given.p256dh, given.auth)
        kinds = checked_kinds(given.kinds)
    except SubscriptionWrong as wrong:
        raise Problem(422, "invalid", str(wrong), where=wrong.where) from None
    device = request.headers.get("user-agent", "")[:200]
    account = signed_in.account.account
    made = Subscription(
        id_of(given.endpoint), account, kinds, device, node.clock(), signed_in.account.language, secrets
    )
    await node.write(lambda connection: records.add(connection, made, node.sealing))
    node.push.changed()
    return _shown(made)


@router.patch("/browsers/{browser}", summary="Change what a browser is told of")
async def change(node: TheNode, signed_in: ByPage, browser: Browser, given: BrowserChange) -> Push:
    """Tell it of these from now on."""
    account = signed_in.account.account
    try:
        kinds = checked_kinds(given.kinds)
        await node.write(lambda connection: records.change(connection, account, browser, kinds))
    except SubscriptionWrong as wrong:
        raise Problem(422, "invalid", str(wrong), where=wrong.where) from None
    except NoSubscription:
        raise _unknown() from None
    node.push.changed()
    return await show(node, signed_in)


@router.delete("/browsers/{browser}", status_code=204, summary="Tell a browser nothing more")
async def remove(node: TheNode, signed_in: ByPage, browser: Browser) -> None:
    """Forget it."""
    account = signed_in.account.account
    if not await node.write(lambda connection: records.remove(connection, browser, account)):
        raise _unknown()
    node.push.changed()


@router.post("/browsers/{browser}/test", status_code=204, summary="Send a browser a test")
async def test(node: TheNode, signed_in: ByPage, browser: Browser) -> None:
    """Send it a notification now; 502 where its push service doesn't take that."""
    account = signed_in.account.account
    try:
        found = await node.read(lambda connection: records.find(connection, account, browser, node.sealing))
    except NoSubscription:
        raise _unknown() from None
    told = await node.push.test(found)
    if told.trouble:
        detail, mend = f"the browser's push service: {told.trouble}", "switch notifications off and on again"
        raise Problem(502, "push_refused", detail, mend=mend)


@router.post("/declined", status_code=204, summary="Decline a call by its notification")
async def decline(request: Request, node: TheNode, signed_in: ByPage, given: CallDeclined) -> None:
    """Have a call that rings for oneself ring no more; 404 where it doesn't."""
    extension = own_extension(signed_in.actor(address_of(request)))
    answer = await node.ask(control.DeclineCall(given.call, extension))
    if not isinstance(answer, control.WakingSet) or not answer.found:
        raise Problem(404, "not_found", "this call doesn't ring here any more")


def _unknown() -> Problem:
    return Problem(404, "not_found", "there is no such browser of yours")


def _shown(one: Subscription) -> BrowserShown:
    return BrowserShown(id=one.id, kinds=list(one.kinds), device=one.device, created_at=one.created_at)
