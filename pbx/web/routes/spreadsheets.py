"""People as a spreadsheet: exported, and imported after a look at what would change."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from pbx.accounts.actor import Actor
from pbx.people.imports import DirectoryMoved, carry_out, issue_first_devices
from pbx.people.spreadsheet import MOST_BYTES, Preview, SpreadsheetError, of_plan, preview, written
from pbx.web.access import may
from pbx.web.body import whole_body
from pbx.web.directory_now import Everybody
from pbx.web.heavy import heavy
from pbx.web.node import Node, TheNode
from pbx.web.people_shapes import DeviceCredentials
from pbx.web.problems import Problem
from pbx.web.routes.people import credentials

router = APIRouter(prefix="/directory", tags=["directory"])

_BODY = {
    "requestBody": {
        "required": True,
        "description": "CSV with a first line of column names: extension, name, class, site, groups, mobile.",
        "content": {"text/csv": {"schema": {"type": "string"}, "example": "extension;name\n2011;Claire\n"}},
    }
}
Removing = Annotated[bool, Query(description="Whoever of the database isn't in the file goes.")]
Changer = Annotated[Actor, may("people.change")]


class Somebody(BaseModel):
    """A person in short."""

    extension: str = Field(examples=["2011"])
    name: str = Field(examples=["Claire Dupont"])


class FieldChanged(BaseModel):
    """A field before and after, as the file writes it."""

    field: str = Field(examples=["name"])
    before: str = Field(examples=["Claire"])
    after: str = Field(examples=["Claire Dupont"])


class SomebodyChanged(Somebody):
    """A person whom the file says otherwise."""

    fields: list[FieldChanged]


class LineError(BaseModel):
    """What is wrong with one line of the file, and the mend."""

    line: int = Field(examples=[3])
    column: str = Field(examples=["class"])
    detail: str = Field(examples=['the plan has no class "natinal"'])
    mend: str = Field(examples=['did you mean "national"?'])
    code: str = Field(description="A word that stays the same.", examples=["unknown_class"])


class PreviewShown(BaseModel):
    """What a file would change. token: to ask for it with; empty while there are errors."""

    added: list[Somebody]
    changed: list[SomebodyChanged]
    removed: list[Somebody]
    unchanged: int = Field(examples=[40])
    errors: list[LineError]
    told: list[str] = Field(description="Of the plan: worth knowing, and in nobody's way.", examples=[[]])
    token: str = Field(examples=["9f86d081884c7d65…"])


class Imported(BaseModel):
    """What was changed, and what the new devices sign in with: shown this once."""

    added: int = Field(examples=[2])
    changed: int = Field(examples=[1])
    removed: int = Field(examples=[0])
    credentials: list[DeviceCredentials]


@router.get(
    "/export",
    summary="Write all people as CSV",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}},
)
async def export(
    node: TheNode,
    actor: Changer,
    separator: Annotated[str, Query(pattern="^[,;]$")] = ";",
    mark: Annotated[bool, Query(description="Begin with the mark by which spreadsheets know UTF-8.")] = True,
    language: Annotated[Literal["en", "fr"], Query(description="Of the column names.")] = "en",
) -> Response:
    """Return a file that a spreadsheet opens and that can be imported again; never a password."""
    everybody = await node.directory.now()
    there = {person.extension for person in everybody.stored.people}
    planned = [of_plan(one) for one in everybody.written.people.values() if one.extension not in there]
    people = sorted([*everybody.stored.people, *planned], key=lambda person: person.extension)
    data = await asyncio.to_thread(written, people, separator=separator, mark=mark, language=language)
    await node.audit.enter(node.clock(), "people.export", actor, people=len(people))
    headers = {"Content-Disposition": 'attachment; filename="people.csv"', "Cache-Control": "no-store"}
    return Response(data, media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/import/preview", summary="See what a file would change", openapi_extra=_BODY)
async def show_preview(
    node: TheNode, actor: Changer, request: Request, remove: Removing = False
) -> PreviewShown:
    """Read it, compare it with who is there, and change nothing."""
    data = await whole_body(request, MOST_BYTES)
    return _shown(await _previewed(node, await node.directory.now(), data, removing=remove))


@router.post("/import", summary="Change people as a file says", openapi_extra=_BODY)
async def import_people(
    node: TheNode,
    actor: Changer,
    request: Request,
    token: Annotated[str, Query(pattern="^[0-9a-f]{64}$", description="Of the preview.")],
    remove: Removing = False,
) -> Imported:
    """Carry out what the preview of the same file said, where nobody has changed people meanwhile."""
    data = await whole_body(request, MOST_BYTES)
    everybody = await node.directory.now()
    found = await _previewed(node, everybody, data, removing=remove)
    if found.token != token:
        raise _moved()
    issued = await heavy(lambda: issue_first_devices(found, node.sealing, node.configuration.domain))
    revision = everybody.stored.revision
    try:
        await node.write(lambda connection: carry_out(connection, found, revision, issued))
    except DirectoryMoved:
        raise _moved() from None
    finally:
        node.directory.changed()
    await node.audit.enter(
        node.clock(),
        "people.import",
        actor,
        added=[person.extension for person in found.added],
        changed=[change.person.extension for change in found.changed],
        removed=[person.extension for person in found.removed],
        people=len(found.added) + len(found.changed) + len(found.removed),
    )
    return Imported(
        added=len(found.added),
        changed=len(found.changed),
        removed=len(found.removed),
        credentials=[credentials(node, one) for one in issued],
    )


async def _previewed(node: Node, everybody: Everybody, data: bytes, *, removing: bool) -> Preview:
    instant = datetime.fromtimestamp(node.clock(), UTC)
    try:
        return await heavy(
            lambda: preview(data, everybody.written, everybody.stored, instant, removing=removing)
        )
    except SpreadsheetError as error:
        raise Problem(422, "no_spreadsheet", str(error), mend=error.mend, where="body") from None


def _moved() -> Problem:
    detail = "people, the plan or the file have changed since the preview"
    return Problem(409, "directory_moved", detail, mend="look at the preview again")


def _shown(found: Preview) -> PreviewShown:
    return PreviewShown(
        added=[Somebody(extension=one.extension, name=one.name) for one in found.added],
        changed=[
            SomebodyChanged(
                extension=change.person.extension,
                name=change.person.name,
                fields=[
                    FieldChanged(field=one.field, before=one.before, after=one.after) for one in change.fields
                ],
            )
            for change in found.changed
        ],
        removed=[Somebody(extension=one.extension, name=one.name) for one in found.removed],
        unchanged=found.unchanged,
        errors=[
            LineError(line=one.line, column=one.column, detail=one.message, mend=one.mend, code=one.code)
            for one in found.errors
        ],
        told=list(found.told),
        token=found.token,
    )
