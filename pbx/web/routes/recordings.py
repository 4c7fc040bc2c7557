"""Recordings for those whom the plan lets listen: found, heard, exported, held and verified.

Whatever is asked is asked of the recorder in the name of who is signed in, by their extension, and journalled
there with its reason before anything is answered. So all that looks is a POST: it leaves an entry behind.
What is done without listening, by who keeps house, is in `keeping`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path as File
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, StreamingResponse

from pbx.accounts.actor import Actor
from pbx.configuration import Configuration
from pbx.web.access import may, own_extension
from pbx.web.listening import shown
from pbx.web.listening.asking import asked, whole_number
from pbx.web.listening.hearings import Hearing
from pbx.web.listening.keys import has_private_key, node_public_key, opened_key, private_key
from pbx.web.listening.packages import Package
from pbx.web.listening.proof import verification
from pbx.web.listening.ranges import Span, span_of
from pbx.web.listening.shown import Recording
from pbx.web.membership import place_of
from pbx.web.node import Node, TheNode
from pbx.web.problems import Problem
from recording.archive import requests
from recording.archive.purge import path_of
from recording.export.orders import Pack

router = APIRouter(prefix="/recordings", tags=["recordings"])

Listener = Annotated[Actor, may("recordings.listen")]
Channels = Annotated[str | None, Query(pattern=r"^([0-9]{1,2}(,[0-9]{1,2}){0,31})?$", examples=["0"])]


# Finding


@router.post("/search", summary="Find recordings that one may hear")
async def search(node: TheNode, actor: Listener, wanted: shown.Search) -> shown.RecordingList:
    """The newest first; journalled with its reason, and without the number."""
    query = requests.Query(
        number=whole_number(node, wanted.number),
        user=wanted.user,
        line=wanted.line,
        policy=wanted.policy,
        call=wanted.call,
        since=wanted.since_at,
        until=wanted.until_at,
        shortest_seconds=wanted.shortest_seconds,
        longest_seconds=wanted.longest_seconds,
        limit=wanted.limit,
        after=wanted.after,
    )
    request = requests.Search(person=own_extension(actor), why=wanted.reason, query=query)
    page = await asked(node, request, requests.Page)
    return shown.RecordingList(items=[shown.item(one) for one in page.found], next=page.next)


@router.get("/policies", summary="The policies whose recordings one may hear")
async def policies(node: TheNode, actor: Listener) -> list[shown.PolicyItem]:
    """As the plan in force has them, with the lines that they record."""
    plan, place = node.plan(), await place_of(node, own_extension(actor))
    lines: dict[str, list[str]] = {}
    for service in plan.services.values():
        if service.record:
            lines.setdefault(service.record, []).append(service.name)
    return [
        shown.PolicyItem(
            name=one.name,
            legal_basis=one.legal_basis,
            register_number=one.register,
            keep_days=one.keep_days,
            least_days=one.least_days,
            export=one.export,
            listeners=[],
            lines=sorted(lines.get(one.name, [])),
        )
        for one in plan.recordings.values()
        if place.is_of(one.listeners)
    ]


@router.post("/{recording}/facts", summary="What is known of a recording")
async def facts(
    node: TheNode, actor: Listener, recording: Recording, why: shown.Reason
) -> shown.RecordingFacts:
    """With its holds, what was done with it, and the exports that were asked for."""
    person = own_extension(actor)
    request = requests.Show(person=person, why=why.reason, recording=recording)
    told = await asked(node, request, requests.Shown)
    is_here = await asyncio.to_thread(has_private_key, node.configuration)
    return shown.facts(told, person, is_key_here=is_here)


# Listening


@router.post("/{recording}/listenings", status_code=201, summary="Listen to a recording")
async def listen(node: TheNode, actor: Listener, recording: Recording, how: shown.Listen) -> shown.Listening:
    """Opens it: journalled once, however often its sound is then asked for."""
    request = requests.Open(person=own_extension(actor), why=how.reason, recording=recording)
    return await _listening(node, actor, request, how.passphrase, how.last_seconds)


@router.post("/last", status_code=201, summary="Listen to the last call of a line or a person")
async def last(node: TheNode, actor: Listener, how: shown.Last) -> shown.Listening:
    """Up to now where it still goes on."""
    if bool(how.line) == bool(how.user):
        raise Problem(422, "line_or_user", "name either a line or a user", where="line")
    request = requests.Last(person=own_extension(actor), why=how.reason, line=how.line, user=how.user)
    return await _listening(node, actor, request, how.passphrase, how.last_seconds)


@router.get("/listenings/{listening}", summary="How far a sound is made, and its waveform")
async def listening_state(
    node: TheNode,
    actor: Listener,
    listening: str,
    peaks_from: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> shown.ListeningState:
    """The points of the waveform behind those that one has already."""
    return shown.state(node.hearings.of(actor.account, listening), peaks_from)


@router.get(
    "/listenings/{listening}/sound",
    summary="The sound, as a WAV of two channels",
    response_class=Response,
    responses={200: {"content": {"audio/wav": {}}}, 206: {"content": {"audio/wav": {}}}},
)
async def sound(
    node: TheNode,
    actor: Listener,
    listening: str,
    left: Channels = None,
    right: Channels = None,
    range_: Annotated[str, Header(alias="Range", max_length=100)] = "",
) -> Response:
    """left, right: which channels are heard in that ear, "" for none; by default all parties in both.

    Whoever asks for a part of it that isn't made yet waits for it.
    """
    made = node.hearings.of(actor.account, listening)
    ears = (await _ear(made, left), await _ear(made, right))
    span = span_of(range_, made.size)
    headers = {"Accept-Ranges": "bytes", "Content-Length": str(span.end - span.first)}
    if span.is_part:
        headers["Content-Range"] = f"bytes {span.first}-{span.end - 1}/{made.size}"
    status = 206 if span.is_part else 200
    return StreamingResponse(_sound(made, ears, span), status, headers, "audio/wav")


@router.delete("/listenings/{listening}", status_code=204, summary="Have listened")
async def listened(node: TheNode, actor: Listener, listening: str) -> None:
    """Lets go of the sound."""
    await node.hearings.end(node.hearings.of(actor.account, listening))


async def _listening(
    node: Node, actor: Actor, request: requests.Open | requests.Last, passphrase: str, last_seconds: float
) -> shown.Listening:
    opened = await asked(node, request, requests.Opened)
    path = File(opened.path)
    key = await asyncio.to_thread(opened_key, node.configuration, path, opened.key, passphrase)
    made = await node.hearings.begin(
        actor.account, opened.found, opened.policy, opened.path, key, last_seconds
    )
    return await shown.listening(made)


async def _ear(made: Hearing, channels: str | None) -> list[int]:
    """The channels of an ear. Raises Problem."""
    count = len((await made.outline()).parties)
    if channels is None:
        return list(range(count))
    wanted = [int(one) for one in channels.split(",") if one]
    if any(one >= count for one in wanted):
        raise Problem(422, "no_channel", f"there are {count} channels, from 0 on", where="left")
    return wanted


async def _sound(made: Hearing, ears: tuple[list[int], list[int]], span: Span) -> Any:
    async for piece in made.sound(*ears, span.first, span.end):
        yield piece


# Exports


@router.get("/export-requests", summary="Exports that were asked for and are of use still")
async def export_requests(node: TheNode, actor: Listener) -> shown.ExportRequests:
    """Of the recordings that one may hear."""
    person = own_extension(actor)
    there = await asked(node, requests.ListExports(person=person), requests.ExportList)
    return shown.ExportRequests(items=[shown.export_request(one, person) for one in there.exports])


@router.post("/{recording}/export-requests", status_code=201, summary="Ask another listener for an export")
async def ask_export(
    node: TheNode, actor: Listener, recording: Recording, why: shown.Reason
) -> shown.ExportRequest:
    """Where the plan has two persons export: the other one has 24 hours to agree."""
    person = own_extension(actor)
    request = requests.AskExport(person=person, why=why.reason, recording=recording)
    return shown.export_request(await asked(node, request, requests.ExportAsked), person)


@router.post("/export-requests/{request}/approval", summary="Agree to an export")
async def approve_export(
    node: TheNode, actor: Listener, request: int, why: shown.Reason
) -> shown.ExportRequest:
    """By another listener than who has asked; it serves one export."""
    person = own_extension(actor)
    approving = requests.ApproveExport(person=person, why=why.reason, request=request)
    return shown.export_request(await asked(node, approving, requests.ExportAsked), person)


@router.post("/{recording}/packages", status_code=202, summary="Export a recording as a package")
async def export(
    node: TheNode, actor: Listener, recording: Recording, how: shown.Export
) -> shown.PackageState:
    """Has the package made: it can be fetched once, for a quarter of an hour."""
    person, settings = own_extension(actor), node.configuration
    path = path_of(settings.recordings.directory, recording)
    made = node.packages.place(actor.account, recording)
    try:
        if await asyncio.to_thread(path.is_file):  # before anybody's approval is used up
            await asyncio.to_thread(private_key, settings, path, how.passphrase)
        request = requests.Open(person=person, why=how.reason, recording=recording, purpose="export")
        opened = await asked(node, request, requests.Opened)
        order = await asyncio.to_thread(_order, settings, opened, made, how)
    except BaseException:
        await node.packages.drop(made)
        raise
    node.packages.begin(made, order, _journalled(node, person, how, recording))
    return _package(made)


@router.get("/packages/{package}", summary="How far a package is made")
async def package_state(node: TheNode, actor: Listener, package: str) -> shown.PackageState:
    """Its state."""
    return _package(node.packages.of(actor.account, package))


@router.get(
    "/packages/{package}/file",
    summary="Fetch a package, once",
    response_class=FileResponse,
    responses={200: {"content": {"application/zip": {}}}},
)
async def fetch_package(node: TheNode, actor: Listener, package: str) -> FileResponse:
    """It is gone when it was fetched."""
    made = node.packages.of(actor.account, package)
    if made.state != "made":
        raise Problem(409, "package_not_made", "this package isn't made yet", mend="ask for its state")
    gone = BackgroundTask(node.packages.drop, made)
    return FileResponse(made.path, media_type="application/zip", filename=made.path.name, background=gone)


def _order(settings: Configuration, opened: requests.Opened, made: Package, how: shown.Export) -> Pack:
    stamping = settings.recordings.timestamp
    return Pack(
        path=opened.path,
        key=opened_key(settings, File(opened.path), opened.key, how.passphrase),
        head=opened.found.head,
        out=str(made.path),
        format=how.format,
        mixed=how.mixed,
        journal=str(settings.recordings_journal),
        node_key=node_public_key(settings),
        authorities=str(stamping.ca_file) if stamping is not None else "",
    )


def _journalled(
    node: Node, person: str, how: shown.Export, recording: str
) -> Callable[[str], Awaitable[int]]:
    async def enter(sums: str) -> int:
        request = requests.Packaged(
            person=person, why=how.reason, recording=recording, sums=sums, format=how.format
        )
        try:
            return (await asked(node, request, requests.Journalled)).number
        except Problem:
            return 0

    return enter


def _package(made: Package) -> shown.PackageState:
    return shown.PackageState(
        package=made.id,
        recording=made.recording,
        state=made.state,
        part=made.part,
        failed=made.failed.word if made.failed is not None else "",
    )


# Holds


@router.get("/holds", summary="Holds of recordings that one may hear")
async def holds(node: TheNode, actor: Listener) -> shown.HoldList:
    """Those that last."""
    told = await asked(node, requests.ListHolds(person=own_extension(actor)), requests.HoldList)
    return shown.HoldList(items=[shown.hold(one) for one in told.holds])


@router.post("/{recording}/holds", status_code=201, summary="Hold a recording")
async def hold(node: TheNode, actor: Listener, recording: Recording, wanted: shown.Hold) -> shown.HoldList:
    """It stays until then, whatever the plan says."""
    request = requests.Hold(
        person=own_extension(actor), why=wanted.reason, until=wanted.until_at, recordings=[recording]
    )
    made = await asked(node, request, requests.HoldList)
    return shown.HoldList(items=[shown.hold(one) for one in made.holds], refused=made.refused)


@router.post("/holds/release", summary="End holds of one's own")
async def release(node: TheNode, actor: Listener, wanted: shown.Release) -> shown.HoldList:
    """Those of others end by who keeps house."""
    request = requests.Release(person=own_extension(actor), why=wanted.reason, holds=wanted.holds)
    ended = await asked(node, request, requests.HoldList)
    return shown.HoldList(items=[shown.hold(one) for one in ended.holds], refused=ended.refused)


# Verifying


@router.post("/{recording}/verification", summary="Verify that a recording is as it was written")
async def verify(node: TheNode, actor: Listener, recording: Recording) -> shown.Verification:
    """Against its own chain and the journal; opened as well where the private key is here."""
    return await verification(node, requests.Verify(person=own_extension(actor), recording=recording))
