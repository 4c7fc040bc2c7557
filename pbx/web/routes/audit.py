"""The audit journal: what everybody did, for an auditor to search, to check and to take away."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from pbx.accounts.actor import Actor
from pbx.audit import export, reading
from pbx.audit.journal import AuditUnavailable
from pbx.audit.reading import Seen, WrongPlace
from pbx.web.access import may
from pbx.web.node import Node, TheNode
from pbx.web.problems import Problem
from recording.proof.journal import JournalDamage

router = APIRouter(prefix="/audit", tags=["audit"])

Auditor = Annotated[Actor, may("audit.read")]
Text = Annotated[str, Query(max_length=200)]


class EntryShown(BaseModel):
    """One thing that was done. by: an account, "" for nobody; how: `session`, `token`, `command` or `node`.

    whom: the extension or account that it was done to; sound: whether its signature holds.
    """

    number: int = Field(examples=[4711])
    entered_at: float = Field(examples=[1798189200.25])
    what: str = Field(examples=["people.add"])
    by: str = Field(examples=["anne.martin"])
    how: str = Field(examples=["session"])
    address: str = Field(examples=["192.0.2.7"])
    whom: str = Field(examples=["1001"])
    about: dict[str, Any] = Field(examples=[{"whom": "1001", "name": "Alice Dupont"}])
    sound: bool
    digest: str


class Entries(BaseModel):
    """A page of entries, the newest first. next: the `after` of the next page, "" at the end."""

    items: list[EntryShown]
    next: str


class FaultShown(BaseModel):
    """Where the journal isn't what was written. line: from 1; offset: bytes; -1 for no place."""

    file: str
    line: int
    offset: int
    what: str


class Verification(BaseModel):
    """What was verified: so many entries hold, the last of which has this hash; no fault is well."""

    entries: int
    head: str
    first_at: float
    last_at: float
    faults: list[FaultShown]


@router.get("", summary="Search the audit journal")
async def list_entries(
    node: TheNode,
    _: Auditor,
    by: Text = "",
    what: Text = "",
    whom: Text = "",
    text: Text = "",
    since: Annotated[float | None, Query(allow_inf_nan=False)] = None,
    until: Annotated[float | None, Query(allow_inf_nan=False)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str, Query(max_length=20)] = "",
) -> Entries:
    """Return entries, the newest first. what: `people.add`, or `people` for all verbs.

    A page may have fewer entries than `limit`, even none, and a `next` all the same: go on there.
    """
    query = reading.Query(by, what, whom, text, since, until, limit, after)
    journal = node.audit.journal
    try:
        page = await asyncio.to_thread(reading.read_page, journal.path, journal.public_key, query)
    except WrongPlace:
        raise Problem(422, "wrong_after", "no page has told this `after`", where="after") from None
    except OSError as error:
        raise _unreadable(error) from None
    return Entries(items=[_shown(seen) for seen in page.entries], next=page.next)


@router.get("/verification", summary="Verify the whole audit journal")
async def verify(node: TheNode, actor: Auditor) -> Verification:
    """Read every entry and check it against its signature and the one before. It may take a minute."""
    await node.audit.enter(node.clock(), "audit.verify", actor)
    journal = node.audit.journal
    async with node.audit.whole:
        try:
            found = await asyncio.to_thread(reading.verify, journal.path, journal.public_key)
        except OSError as error:
            raise _unreadable(error) from None
    faults = [FaultShown(**fault._asdict()) for fault in found.faults]
    return Verification(**{**found._asdict(), "faults": faults})


@router.get("/export", summary="Export the audit journal", response_class=FileResponse)
async def export_all(node: TheNode, actor: Auditor) -> FileResponse:
    """Return a .zip with the journal, the node's public key, and how it is verified without this node."""
    await node.audit.enter(node.clock(), "audit.export", actor)
    async with node.audit.whole:
        target = await asyncio.to_thread(_export, node)
    return FileResponse(
        target,
        media_type="application/zip",
        filename="audit.zip",
        background=BackgroundTask(target.unlink, missing_ok=True),
    )


@router.get("/{number}", summary="Show an entry of the audit journal")
async def show(node: TheNode, _: Auditor, number: int) -> EntryShown:
    """Return one entry."""
    journal = node.audit.journal
    try:
        seen = await asyncio.to_thread(reading.one, journal.path, journal.public_key, number)
    except KeyError:
        raise Problem(404, "no_entry", f"there is no entry {number}") from None
    except OSError as error:
        raise _unreadable(error) from None
    return _shown(seen)


def _export(node: Node) -> Path:
    journal = node.audit.journal
    for left in journal.path.parent.glob("export-*.zip"):  # of a process that died
        left.unlink(missing_ok=True)
    target = journal.path.parent / f"export-{secrets.token_hex(8)}.zip"
    try:
        export.write(target, journal.path, journal.public_key)
    except JournalDamage as damage:
        detail, mend = f"entry {damage.line} {damage.what}", "verify the journal; it says where"
        raise Problem(409, "audit_damaged", detail, mend=mend) from None
    except OSError as error:
        raise AuditUnavailable(str(error)) from None
    return target


def _shown(seen: Seen) -> EntryShown:
    entry = seen.entry
    return EntryShown(
        number=entry.number,
        entered_at=entry.at,
        what=entry.what,
        by=entry.by,
        how=entry.how,
        address=entry.address,
        whom=entry.whom,
        about=dict(entry.about),
        sound=seen.sound,
        digest=entry.digest,
    )


def _unreadable(error: OSError) -> Problem:
    return Problem(503, "audit_unavailable", f"the audit journal can't be read: {error.strerror}")
