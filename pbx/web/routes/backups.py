"""Backups: made, listed, verified, downloaded, removed. Restoring is a command, while the node stands."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import FileResponse
from pydantic import BaseModel

from pbx.accounts.actor import Actor
from pbx.node.backup import BackupError
from pbx.node.backups import LATE_SECONDS
from pbx.web.access import may
from pbx.web.backup_work import BackupWork, BusyError
from pbx.web.node import TheNode
from pbx.web.problems import Problem

router = APIRouter(prefix="/backups", tags=["backups"])

Maker = Annotated[Actor, may("backup.make")]
Name = Annotated[str, Path(pattern=r"^beffroi-[0-9]{8}-[0-9]{6}\.tar\.gz$")]


class BackupShown(BaseModel):
    """One backup on this node. at: Unix seconds; bytes: of the archive."""

    name: str
    at: float
    bytes: int


class WorkShown(BaseModel):
    """What is, or was last, done with backups. what: `make`, `verify`, or "" where nothing was yet.

    state: `running`, `done` or `failed`; share: from 0 to 1; bytes: before compression.
    """

    what: str
    name: str
    by: str
    at: float
    share: float
    state: str
    problem: str
    files: int
    bytes: int
    notes: list[str]


class BackupList(BaseModel):
    """The backups on this node, the newest first. is_late: the newest is older than a week, or there is none.

    folder: where they lie.
    """

    items: list[BackupShown]
    next: str = ""
    work: WorkShown
    is_late: bool
    folder: str


@router.get("", summary="The backups on this node")
async def backups(node: TheNode, _: Maker) -> BackupList:
    """List them, and what is being done."""
    try:
        kept = await asyncio.to_thread(node.backups.backups.kept)
    except BackupError as error:
        raise Problem(503, "backups_unreadable", str(error)) from None
    return BackupList(
        items=[BackupShown(name=one.name, at=one.at, bytes=one.size) for one in kept],
        work=_shown(node.backups.last),
        is_late=not kept or node.clock() - kept[0].at > LATE_SECONDS,
        folder=str(node.backups.backups.folder),
    )


@router.post("", summary="Make a backup", status_code=202)
async def make(node: TheNode, actor: Maker) -> WorkShown:
    """Begin one; `GET /backups` says how far it is."""
    at = node.clock()
    try:
        work = node.backups.make(actor.account, at)
    except BusyError:
        raise _busy() from None
    await node.audit.enter(at, "backup.make", actor)
    return _shown(work)


@router.post("/{name}/verify", summary="Read a backup whole, as restoring it would", status_code=202)
async def verify(node: TheNode, name: Name, actor: Maker) -> WorkShown:
    """Begin to verify one; `GET /backups` says how far it is."""
    at = node.clock()
    try:
        work = node.backups.verify(name, actor.account, at)
    except BusyError:
        raise _busy() from None
    except BackupError as error:
        raise _unknown(error) from None
    await node.audit.enter(at, "backup.verify", actor, name=name)
    return _shown(work)


@router.get("/{name}", summary="Download a backup", response_class=FileResponse)
async def download(node: TheNode, name: Name, actor: Maker) -> FileResponse:
    """Send the archive. It is as secret as the node: it holds passwords, keys and people's calls."""
    try:
        path = await asyncio.to_thread(node.backups.backups.path, name)
    except BackupError as error:
        raise _unknown(error) from None
    await node.audit.enter(node.clock(), "backup.download", actor, name=name)
    return FileResponse(path, media_type="application/gzip", filename=name)


@router.delete("/{name}", summary="Remove a backup from this node", status_code=204)
async def remove(node: TheNode, name: Name, actor: Maker) -> None:
    """Delete the archive."""
    try:
        await asyncio.to_thread(node.backups.backups.remove, name)
    except BackupError as error:
        raise _unknown(error) from None
    await node.audit.enter(node.clock(), "backup.remove", actor, name=name)


def _shown(work: BackupWork | None) -> WorkShown:
    one = work or BackupWork("", "", "", 0.0, state="done")
    return WorkShown(
        what=one.what,
        name=one.name,
        by=one.by,
        at=one.at,
        share=one.share,
        state=one.state,
        problem=one.problem,
        files=one.files,
        bytes=one.size,
        notes=list(one.notes),
    )


def _busy() -> Problem:
    detail = "a backup is being made or verified already"
    return Problem(409, "backup_busy", detail, mend="wait until it is done")


def _unknown(error: BackupError) -> Problem:
    return Problem(404, "unknown_backup", str(error), where="name")
