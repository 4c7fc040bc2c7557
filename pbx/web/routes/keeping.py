"""Recordings for who keeps house without listening: accounts, holds, what was done, what goes when.

The recorder's journal names them by the account that they are signed in with.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse

from pbx.accounts.actor import Actor
from pbx.configuration import Configuration
from pbx.messages.erasure import erase_messages
from pbx.store.calls import dialogs_about, erase_number
from pbx.web.access import may
from pbx.web.listening import shown
from pbx.web.listening.asking import asked, whole_number
from pbx.web.listening.keys import node_public_key
from pbx.web.listening.proof import verification
from pbx.web.listening.receipts import Receipt, checked
from pbx.web.listening.shown import Recording
from pbx.web.node import TheNode
from pbx.web.problems import Problem
from recording.archive import requests
from recording.archive.report import written

router = APIRouter(prefix="/recordings/keeping", tags=["recordings"])

Keeper = Annotated[Actor, may("recordings.keep")]
Instant = Annotated[float, Query(ge=0, le=1e11)]


class PolicyReport(shown.PolicyItem):
    """A policy at the end of a period. oldest_at: the begin of the oldest that is kept; next_purge_at: of the
    first that goes; begun, purged: in the period."""

    kept: int
    kept_bytes: int
    oldest_at: float | None
    next_purge_at: float | None
    held: int
    begun: int
    purged: int
    purged_bytes: int


class PurgedItem(BaseModel):
    """What is left of a recording that was purged."""

    recording: str
    at: float
    policy: str
    cause: str
    by: str
    reason: str
    kept_from_at: float
    kept_to_at: float
    bytes: int


class Report(BaseModel):
    """The account of a period. used: who searched, listened, exported, was refused; events: all else.

    clock: why it is in doubt, "" where it isn't; entries, head: of the journal then.
    """

    since_at: float
    until_at: float
    made_at: float
    policies: list[PolicyReport]
    used: list[shown.JournalEntry]
    events: list[shown.JournalEntry]
    holds: list[shown.HoldItem]
    purged: list[PurgedItem]
    clock: str
    entries: int
    head: str


class PolicyForecast(BaseModel):
    """What becomes of a policy's recordings. unknown: the plan says no more how long they are kept."""

    policy: str
    keep_days: int | None
    due: int
    due_bytes: int
    first_at: float | None
    last_at: float | None
    held: int
    unknown: int


class Forecast(BaseModel):
    """What a purge takes until an instant. going: the first of it, without numbers.

    clock: why nothing goes until somebody vouches for the clock, "" when it is trusted.
    """

    until_at: float
    policies: list[PolicyForecast]
    going: list[shown.RecordingItem]
    clock: str


class AboutNumber(BaseModel):
    """What is recorded about a number. stays: why one may not be erased now; searched: who looked for it."""

    number: str
    items: list[shown.RecordingItem]
    stays: dict[str, str]
    searched: list[shown.JournalEntry]


class ErasedNumber(BaseModel):
    """What was erased about a number. stays: what may not be now, and why; receipt: signed by this node."""

    number: str
    erased: list[str]
    stays: dict[str, str]
    calls_erased: int
    messages_erased: int
    receipt: str


class ReceiptText(BaseModel):
    """A receipt, as it was given."""

    receipt: str = Field(max_length=100_000)


@router.get("/report", summary="The account of a period")
async def report(node: TheNode, actor: Keeper, since_at: Instant, until_at: Instant) -> Report:
    """What is kept and why, who had to do with it, what is held, what is gone."""
    account = await _account(node, actor, since_at, until_at)
    return Report(
        since_at=account.since,
        until_at=account.until,
        made_at=account.made,
        policies=[_policy(one) for one in account.policies],
        used=[shown.entry(one) for one in account.used],
        events=[shown.entry(one) for one in account.events],
        holds=[shown.hold(one) for one in account.holds],
        purged=[_purged(one) for one in account.tombstones],
        clock=account.clock,
        entries=account.entries,
        head=account.head,
    )


@router.get("/report/document", summary="The account of a period, to be read", response_class=Response)
async def report_document(
    node: TheNode,
    actor: Keeper,
    since_at: Instant,
    until_at: Instant,
    language: Literal["fr", "en"] = "fr",
) -> Response:
    """The document for the data protection officer, in Markdown."""
    account = await _account(node, actor, since_at, until_at)
    zone = ZoneInfo(node.plan().timezone)
    text = await asyncio.to_thread(written, account, language, zone)
    name = {"fr": "compte-rendu-enregistrements", "en": "account-of-recordings"}[language]
    headers = {"Content-Disposition": f'attachment; filename="{name}.md"'}
    return PlainTextResponse(text, headers=headers, media_type="text/markdown; charset=utf-8")


@router.get("/holds", summary="All holds that last")
async def holds(node: TheNode, actor: Keeper) -> shown.HoldList:
    """Of all policies."""
    told = await asked(node, requests.ListHolds(keeper=actor.account), requests.HoldList)
    return shown.HoldList(items=[shown.hold(one) for one in told.holds])


@router.post("/holds", status_code=201, summary="Hold recordings")
async def hold(node: TheNode, actor: Keeper, wanted: shown.HoldSeveral) -> shown.HoldList:
    """They stay until then, whatever the plan says."""
    request = requests.Hold(
        keeper=actor.account, why=wanted.reason, until=wanted.until_at, recordings=wanted.recordings
    )
    made = await asked(node, request, requests.HoldList)
    return shown.HoldList(items=[shown.hold(one) for one in made.holds], refused=made.refused)


@router.post("/holds/release", summary="End holds, whosever they are")
async def release(node: TheNode, actor: Keeper, wanted: shown.Release) -> shown.HoldList:
    """By their numbers."""
    request = requests.Release(keeper=actor.account, why=wanted.reason, holds=wanted.holds)
    ended = await asked(node, request, requests.HoldList)
    return shown.HoldList(items=[shown.hold(one) for one in ended.holds], refused=ended.refused)


@router.get("/custody/{recording}", summary="What was done with a recording")
async def custody(node: TheNode, actor: Keeper, recording: Recording) -> shown.Custody:
    """Nothing of who spoke in it."""
    request = requests.Custody(keeper=actor.account, recording=recording)
    return shown.custody(await asked(node, request, requests.InCustody))


@router.post("/verification/{recording}", summary="Verify that a recording is as it was written")
async def verify(node: TheNode, actor: Keeper, recording: Recording) -> shown.Verification:
    """As a listener does."""
    return await verification(node, requests.Verify(keeper=actor.account, recording=recording))


@router.get("/forecast", summary="What a purge takes until an instant")
async def forecast(node: TheNode, actor: Keeper, until_at: Instant) -> Forecast:
    """Nothing is done."""
    seen = await asked(node, requests.Foresee(keeper=actor.account, until=until_at), requests.Foreseen)
    going = [msgspec.structs.replace(one, caller="", called="") for one in seen.going]
    return Forecast(
        until_at=seen.until,
        policies=[
            PolicyForecast(
                policy=one.policy,
                keep_days=one.keep_days,
                due=one.due,
                due_bytes=one.due_bytes,
                first_at=one.first,
                last_at=one.last,
                held=one.held,
                unknown=one.unknown,
            )
            for one in seen.policies
        ],
        going=[shown.item(one) for one in going],
        clock=seen.clock,
    )


@router.post("/about", summary="What is recorded about somebody's number")
async def about(node: TheNode, actor: Keeper, wanted: shown.About) -> AboutNumber:
    """For the answer to who asks what is kept about them."""
    number = whole_number(node, wanted.number)
    request = requests.FindNumber(keeper=actor.account, why=wanted.reason, number=number)
    told = await asked(node, request, requests.AboutNumber)
    return AboutNumber(
        number=told.number,
        items=[shown.item(one) for one in told.found],
        stays=told.stays,
        searched=[shown.entry(one) for one in told.searched],
    )


@router.post("/erasure", summary="Erase what there is about somebody's number")
async def erase(
    node: TheNode, actor: Annotated[Actor, may("recordings.erase")], wanted: shown.About
) -> ErasedNumber:
    """Take it out of messages and call records, which keep their times, and erase recordings that may go.

    What is held, or must be kept, stays, and is told with its reason. The receipt is given this once.
    """
    number = whole_number(node, wanted.number)
    await node.audit.enter(node.clock(), "number.erase", actor, reason=wanted.reason)
    dialogs = await node.read(lambda connection: dialogs_about(connection, number))
    try:
        messages = await asyncio.to_thread(erase_messages, node.configuration.messages_dir, number, dialogs)
    except OSError as error:
        detail = f"the stored messages can't be changed: {error.strerror}; nothing else was erased"
        raise Problem(503, "messages_unreadable", detail, mend="`beffroi doctor` says more") from None
    calls = await node.write(lambda connection: erase_number(connection, number))
    request = requests.EraseNumber(
        keeper=actor.account, why=wanted.reason, number=number, calls_found=calls, calls_erased=calls
    )
    told = await asked(node, request, requests.Erased)
    return ErasedNumber(
        number=number,
        erased=told.erased,
        stays=told.stays,
        calls_erased=calls,
        messages_erased=messages,
        receipt=told.receipt,
    )


@router.post("/receipt", summary="Check a receipt of an erasure")
async def receipt(node: TheNode, actor: Keeper, given: ReceiptText) -> Receipt:
    """Whether this node gave it, and its journal bears it out."""
    return await asyncio.to_thread(_checked, node.configuration, given.receipt)


def _checked(settings: Configuration, text: str) -> Receipt:
    return checked(text, settings.recordings_journal, node_public_key(settings))


async def _account(node: TheNode, actor: Actor, since: float, until: float) -> requests.Accounted:
    request = requests.Account(keeper=actor.account, since=since, until=until)
    return await asked(node, request, requests.Accounted)


def _policy(told: requests.PolicyAccount) -> PolicyReport:
    of_it: dict[str, Any] = shown.policy(told.policy).model_dump()
    return PolicyReport(
        **of_it,
        kept=told.kept,
        kept_bytes=told.kept_bytes,
        oldest_at=told.oldest,
        next_purge_at=told.next_purge,
        held=told.held,
        begun=told.begun,
        purged=told.purged,
        purged_bytes=told.purged_bytes,
    )


def _purged(stone: requests.Tombstone) -> PurgedItem:
    return PurgedItem(
        recording=stone.recording,
        at=stone.at,
        policy=stone.policy,
        cause=stone.cause,
        by=stone.by,
        reason=stone.why,
        kept_from_at=stone.kept_from,
        kept_to_at=stone.kept_to,
        bytes=stone.bytes,
    )
