"""People: listed, shown, added, changed and removed; with their photo and their absence note."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from msgspec.structs import replace
from sqlalchemy import Connection
from starlette.responses import Response

from pbx.accounts.actor import Actor
from pbx.people.credentials import Issued, issue, server_of
from pbx.people.directory import PeopleError, Person
from pbx.people.photos import MOST_BYTES, PhotoError, picture_of
from pbx.store import absences, people, photos
from pbx.store.absences import Absence
from pbx.store.database import Work
from pbx.store.photos import Photo
from pbx.web.access import may
from pbx.web.body import whole_body
from pbx.web.node import Node, TheNode
from pbx.web.people_rules import admitted, own_or, person_entry, stored_person
from pbx.web.people_shapes import (
    AbsenceShown,
    AddPerson,
    ChangePerson,
    DeviceCredentials,
    Entries,
    OwnDevice,
    PersonAdded,
    PersonDone,
    PersonShown,
    SetAbsence,
    entry_shown,
)
from pbx.web.problems import Problem
from pbx.web.routes.directory import listed

router = APIRouter(prefix="/people", tags=["people"])

LONGEST_ABSENCE_SECONDS = 366 * 86_400.0
PHOTO_SECONDS = 86_400

Reader = Annotated[Actor, may("people.read")]
Changer = Annotated[Actor, may("people.change")]
Extension = Annotated[str, Path(pattern=r"^[0-9]{1,15}$", description="The number inside.")]


@router.get("", summary="List people, or find them")
async def list_people(
    node: TheNode,
    actor: Reader,
    search: Annotated[str, Query(max_length=100, description="A few letters, digits or sounds.")] = "",
    limit: Annotated[int, Query(ge=1, le=2000)] = 50,
    after: Annotated[str, Query(max_length=220)] = "",
) -> Entries:
    """As `GET /directory`, people alone."""
    return await listed(node, actor, search, ("person",), limit, after)


@router.post("", status_code=201, summary="Add a person, with a first device")
async def add_person(node: TheNode, actor: Changer, asked: AddPerson) -> PersonAdded:
    """Check with the plan, write, and tell the new device's password, this once."""
    everybody = await node.directory.now()
    if asked.extension in {one.extension for one in everybody.stored.people}:
        raise Problem(409, "extension_taken", f"extension {asked.extension} is taken", where="extension")
    first = next(iter(everybody.written.classes), "")
    person = Person(
        asked.extension,
        asked.name,
        asked.class_name or first,
        asked.site or None,
        list(dict.fromkeys(asked.groups)),
        asked.mobile or None,
    )
    told = await admitted(node, everybody, person)
    issued = issue(node.sealing, person.extension, node.configuration.domain)
    stored = replace(person, devices=[issued.device])
    sealed = {issued.device.sign_in: issued.sealed}
    try:
        await node.write(lambda connection: people.add_person(connection, stored, sealed))
    except PeopleError as error:
        raise Problem(409, "extension_taken", str(error), where="extension") from None
    node.directory.changed()
    await node.audit.enter(node.clock(), "people.add", actor, whom=person.extension, name=person.name)
    shown = await _shown(node, actor, person.extension)
    return PersonAdded(person=shown, told=told, credentials=credentials(node, issued))


@router.get("/{extension}", summary="Show a person")
async def show_person(node: TheNode, actor: Reader, extension: Extension) -> PersonShown:
    """Return somebody of the database or of the plan."""
    return await _shown(node, actor, extension)


@router.patch("/{extension}", summary="Change a person")
async def change_person(
    node: TheNode, actor: Changer, extension: Extension, asked: ChangePerson
) -> PersonDone:
    """Change what is given; devices, photo and note stay."""
    everybody = await node.directory.now()
    before = stored_person(everybody, extension)
    wanted = asked.model_dump(exclude_none=True)
    for field in ("site", "mobile"):
        if field in wanted:
            wanted[field] = wanted[field] or None
    after = replace(before, **wanted)
    told = await admitted(node, everybody, after)
    await write(node, lambda connection: people.change_person(connection, after))
    await node.audit.enter(node.clock(), "people.change", actor, whom=extension, fields=sorted(wanted))
    return PersonDone(person=await _shown(node, actor, extension), told=told)


@router.delete("/{extension}", status_code=204, summary="Remove a person and their devices")
async def remove_person(node: TheNode, actor: Changer, extension: Extension) -> None:
    """Remove somebody of the database; their devices can't sign in any more."""
    stored_person(await node.directory.now(), extension)
    await write(node, lambda connection: people.remove_person(connection, extension))
    await node.audit.enter(node.clock(), "people.remove", actor, whom=extension)


# Photo


@router.get(
    "/{extension}/photo",
    summary="Show a person's photo",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}, "image/png": {}, "image/webp": {}}}},
)
async def show_photo(node: TheNode, actor: Reader, extension: Extension) -> Response:
    """Return it, with the media type that it was checked to have."""
    try:
        photo = await node.read(lambda connection: photos.photo_of(connection, extension))
    except PeopleError as error:
        raise Problem(404, "no_photo", str(error), where="extension") from None
    headers = {
        "Cache-Control": f"private, max-age={PHOTO_SECONDS}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return Response(photo.data, media_type=photo.media_type, headers=headers)


@router.put(
    "/{extension}/photo",
    status_code=204,
    summary="Set a person's photo",
    description="The body is a PNG, JPEG or WebP of at most 512×512 pixels and 2 MB. One's own, or anybody's "
    "with `people.change`.",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def set_photo(
    node: TheNode, actor: Annotated[Actor, may("own")], extension: Extension, request: Request
) -> None:
    """Check it and keep it."""
    own_or(actor, extension, "people.change")
    person_entry(await node.directory.now(), extension)
    data = await whole_body(request, MOST_BYTES)
    try:
        picture = picture_of(data)
    except PhotoError as error:
        raise Problem(422, "no_photo_taken", str(error), where="body") from None
    photo = Photo(picture.media_type, data, node.clock())
    await node.write(lambda connection: photos.set_photo(connection, extension, photo))
    node.directory.changed()
    await node.audit.enter(node.clock(), "photo.set", actor, whom=extension, bytes=len(data))


@router.delete("/{extension}/photo", status_code=204, summary="Remove a person's photo")
async def remove_photo(node: TheNode, actor: Annotated[Actor, may("own")], extension: Extension) -> None:
    """Forget it."""
    own_or(actor, extension, "people.change")
    try:
        await node.write(lambda connection: photos.remove_photo(connection, extension))
    except PeopleError as error:
        raise Problem(404, "no_photo", str(error), where="extension") from None
    node.directory.changed()
    await node.audit.enter(node.clock(), "photo.remove", actor, whom=extension)


# Absence


@router.put("/{extension}/absence", summary="Set an absence note")
async def set_absence(
    node: TheNode, actor: Annotated[Actor, may("own")], extension: Extension, asked: SetAbsence
) -> AbsenceShown:
    """Write one's own note, or anybody's with `services.change`; everybody reads it in the directory."""
    own_or(actor, extension, "services.change")
    person_entry(await node.directory.now(), extension)
    now = node.clock()
    if not now < asked.until_at <= now + LONGEST_ABSENCE_SECONDS:
        detail = "an absence ends in the future, within a year"
        raise Problem(422, "wrong_until", detail, where="until_at")
    if not asked.text.isprintable():
        raise Problem(422, "wrong_text", "a note is one line of text", where="text")
    absence = Absence(asked.text, asked.until_at, actor.name or actor.account, now)

    def keep(connection: Connection) -> None:
        absences.forget_past_absences(connection, now)
        absences.set_absence(connection, extension, absence)

    await node.write(keep)
    node.directory.changed()
    await node.audit.enter(now, "absence.set", actor, whom=extension, until=asked.until_at)
    return AbsenceShown(text=absence.text, until_at=absence.until, by=absence.by)


@router.delete("/{extension}/absence", status_code=204, summary="Remove an absence note")
async def remove_absence(node: TheNode, actor: Annotated[Actor, may("own")], extension: Extension) -> None:
    """Forget it: they are back."""
    own_or(actor, extension, "services.change")
    try:
        await node.write(lambda connection: absences.remove_absence(connection, extension))
    except PeopleError as error:
        raise Problem(404, "no_absence", str(error), where="extension") from None
    node.directory.changed()
    await node.audit.enter(node.clock(), "absence.remove", actor, whom=extension)


def credentials(node: Node, issued: Issued) -> DeviceCredentials:
    """What is told of a new password."""
    configuration = node.configuration
    return DeviceCredentials(
        sign_in=issued.device.sign_in,
        password=issued.password,
        domain=configuration.domain,
        server=server_of(configuration),
    )


async def write(node: Node, work: Work[None]) -> None:
    """Change people of the database, read anew then. Raises Problem (404) where they are gone."""
    try:
        await node.write(work)
    except PeopleError as error:
        raise Problem(404, "person_not_found", str(error)) from None
    finally:
        node.directory.changed()


async def _shown(node: Node, actor: Actor, extension: str) -> PersonShown:
    everybody = await node.directory.now()
    entry = person_entry(everybody, extension)
    sees_all = actor.owns(extension) or actor.may("devices.read")
    person = everybody.plan.people[extension]
    shown = entry_shown(
        entry,
        everybody.pictured.get(extension, 0.0),
        everybody.noted.get(extension),
        with_mobile=actor.owns(extension) or actor.may("calls.read"),
    )
    devices = await node.read(people.list_devices) if sees_all else []
    own = [
        OwnDevice(sign_in=one.sign_in, kind=one.kind, label=one.label)
        for one in devices
        if one.extension == extension
    ]
    if sees_all and not own and person.password is not None:
        own = [OwnDevice(sign_in=extension, kind="desk", label="")]
    return PersonShown(**dict(shown), class_name=entry.class_name, line=person.line, devices=own)
