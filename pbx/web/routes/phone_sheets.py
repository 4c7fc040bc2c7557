"""Desk telephones as a spreadsheet: exported, and imported after a look at what each line would do."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.responses import Response

from pbx.accounts.actor import Actor
from pbx.people.directory import PeopleError
from pbx.phones import shelf
from pbx.phones.assigning import NotAssigned, assign
from pbx.phones.shelf import Phone
from pbx.phones.spreadsheet import MOST_BYTES, Row, SpreadsheetWrong, WrongRow, read_rows, written
from pbx.web.access import may
from pbx.web.body import whole_body
from pbx.web.directory_now import Everybody
from pbx.web.heavy import heavy
from pbx.web.node import Node, TheNode
from pbx.web.problems import Problem
from provisioning.brand import BrandError, load_brands

router = APIRouter(prefix="/phones", tags=["phones"])

_BODY = {
    "requestBody": {
        "required": True,
        "description": "CSV with a first line of column names: mac, brand, model, extension, label, site.",
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "example": "mac,brand,model,extension\n80:5E:C0:12:34:56,yealink,T54W,2011\n",
            }
        },
    }
}
Changer = Annotated[Actor, may("devices.change")]


class LineShown(BaseModel):
    """What one line of the file does. fields: those that change; extensions: whose it is then."""

    line: int = Field(examples=[2])
    phone: str = Field(examples=["805ec0123456"])
    what: Literal["add", "change", "same"]
    model: str = Field(examples=["Yealink T54W"])
    extensions: list[str] = Field(examples=[["2011"]])
    names: list[str] = Field(description="Of `extensions`.", examples=[["Claire Petit"]])
    fields: list[str] = Field(examples=[["extensions", "label"]])


class LineWrong(BaseModel):
    """What is wrong with one line, in one column."""

    line: int = Field(examples=[3])
    column: str = Field(examples=["model"])
    code: str = Field(description="A word that stays the same.", examples=["unknown_model"])
    detail: str = Field(examples=['Yealink has no "T99" here'])


class Sheet(BaseModel):
    """What a file does. token: to ask for it with; empty while there are errors."""

    items: list[LineShown]
    errors: list[LineWrong]
    token: str = Field(examples=["9f86d081884c7d65…"])


class SheetDone(BaseModel):
    """How many telephones were added and changed."""

    added: int = Field(examples=[2])
    changed: int = Field(examples=[1])


@dataclass(frozen=True)
class _Read:
    """A file, and the telephones as they are. token: "" while something is wrong."""

    rows: list[Row]
    wrong: list[WrongRow]
    there: Mapping[str, Phone]
    token: str


@router.get(
    "/export",
    summary="Write all telephones as CSV",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}},
)
async def export(
    node: TheNode,
    actor: Annotated[Actor, may("devices.read")],
    separator: Annotated[str, Query(pattern="^[,;]$")] = ";",
) -> Response:
    """Return a file that a spreadsheet opens and that can be imported again; never a secret."""
    found = await node.read(shelf.list_phones)
    phones = [phone for phone in found if not phone.name.startswith("app-")]
    await node.audit.enter(node.clock(), "phone.export", actor, phones=len(phones))
    headers = {"Content-Disposition": 'attachment; filename="phones.csv"', "Cache-Control": "no-store"}
    return Response(written(phones, separator), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/import/preview", summary="See what a file of telephones would do", openapi_extra=_BODY)
async def preview(node: TheNode, actor: Changer, request: Request) -> Sheet:
    """Read it, compare it with what is there, and change nothing."""
    everybody = await node.directory.now()
    return _shown(node, everybody, await _read(node, everybody, await whole_body(request, MOST_BYTES)))


@router.post("/import", summary="Add and change telephones by a file", openapi_extra=_BODY)
async def import_(
    node: TheNode,
    actor: Changer,
    request: Request,
    token: Annotated[str, Query(max_length=64, description="Of the preview.")],
) -> SheetDone:
    """Do all of it, or nothing. Whoever had a telephone that is somebody else's now has it no more."""
    everybody = await node.directory.now()
    read = await _read(node, everybody, await whole_body(request, MOST_BYTES))
    if not read.token or read.token != token:
        detail = "telephones, people or the file have changed since the preview"
        raise Problem(409, "phones_moved", detail, mend="look at the preview again")
    changed = [row for row in read.rows if _fields(row, read.there.get(row.name))]
    added = sum(row.name not in read.there for row in changed)

    def work(connection: Connection) -> None:
        for row in changed:
            before = read.there.get(row.name) or Phone(name=row.name, brand=row.brand, model=row.model)
            shelf.put_phone(connection, row.put_into(before))
            assign(connection, node.sealing, node.configuration.domain, row.name, row.extensions)

    await node.audit.enter(
        node.clock(), "phone.import", actor, added=added, changed=len(changed) - added, phones=len(changed)
    )
    try:
        await node.write(work)
    except (NotAssigned, PeopleError) as error:
        raise Problem(422, "not_assigned", str(error), where="body") from None
    finally:
        node.directory.changed()
    return SheetDone(added=added, changed=len(changed) - added)


async def _read(node: Node, everybody: Everybody, data: bytes) -> _Read:
    people = {person.extension for person in everybody.stored.people}
    try:
        brands = load_brands(node.configuration.provisioning.brands)
        sites = everybody.plan.sites
        rows, wrong = await heavy(lambda: read_rows(data, brands, people, sites))
    except SpreadsheetWrong as error:
        raise Problem(422, "no_phone_sheet", str(error), where="body") from None
    except BrandError as error:
        raise Problem(409, "wrong_brand", str(error)) from None
    there = {phone.name: phone for phone in await node.read(shelf.list_phones)}
    if wrong:
        return _Read(rows=rows, wrong=wrong, there=there, token="")
    # What it would do is what was looked at: the file, and what the telephones in it are now.
    known = [(row.name, row.name in there, _fields(row, there.get(row.name))) for row in rows]
    token = hashlib.sha256(data + repr(known).encode()).hexdigest()
    return _Read(rows=rows, wrong=wrong, there=there, token=token)


def _fields(row: Row, before: Phone | None) -> list[str]:
    """What a row changes of a telephone; all of a new one."""
    if before is None:
        return ["brand", "model", "extensions", "label", "site"]
    had = [sign_in.partition("-")[0] for sign_in in before.lines]
    compared = {
        "brand": row.brand != before.brand,
        "model": row.model != before.model,
        "extensions": row.extensions != had,
        "label": row.label != before.label,
        "site": row.site != before.site,
    }
    return [field for field, differs in compared.items() if differs]


def _shown(node: Node, everybody: Everybody, read: _Read) -> Sheet:
    people = everybody.plan.people
    brands = load_brands(node.configuration.provisioning.brands)
    items = []
    for row in read.rows:
        fields = _fields(row, read.there.get(row.name))
        what = "add" if row.name not in read.there else "change" if fields else "same"
        names = [people[one].name if one in people else one for one in row.extensions]
        model = f"{brands[row.brand].name} {row.model}"
        items.append(
            LineShown.model_validate(
                {
                    "line": row.line,
                    "phone": row.name,
                    "what": what,
                    "model": model,
                    "extensions": row.extensions,
                    "names": names,
                    "fields": fields,
                }
            )
        )
    errors = [
        LineWrong(line=one.line, column=one.column, code=one.code, detail=one.message) for one in read.wrong
    ]
    return Sheet(items=items, errors=errors, token=read.token)
