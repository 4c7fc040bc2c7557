"""Devices: whose they are, where they can be reached, their passwords, where they are for help to come."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from msgspec.structs import replace
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from dialplan.document import did_you_mean
from pbx import control
from pbx.accounts.actor import Actor
from pbx.control import BindingStatus, DeviceStatus
from pbx.people.browser_passwords import SUFFIX
from pbx.people.credentials import issue
from pbx.people.directory import PeopleError, extension_of
from pbx.records import AddressRecord
from pbx.store import people
from pbx.store.people import DeviceDescription
from pbx.web.access import may, own_extension
from pbx.web.node import Node, TheNode
from pbx.web.people_rules import own_or, stored_person
from pbx.web.people_shapes import Asked, DeviceCredentials
from pbx.web.problems import Problem
from pbx.web.routes.people import credentials, write

router = APIRouter(prefix="/devices", tags=["devices"])

SignIn = Annotated[
    str, Path(pattern=r"^[0-9]{1,15}(-[A-Za-z0-9._]{1,48})?$", description="What it signs in with.")
]
Kind = Literal["desk", "app", "browser", "mobile"]
Own = Annotated[Actor, may("own")]
Changer = Annotated[Actor, may("devices.change")]
Part = Annotated[str, Field(max_length=120)]


class BindingShown(BaseModel):
    """Where a device can be reached. until_at: Unix seconds, when its registration ends unless renewed."""

    address: str = Field(examples=["10.54.1.20:5060"])
    transport: str = Field(examples=["UDP"])
    user_agent: str = Field(description="What it says it is.", examples=["Yealink SIP-T46S"])
    until_at: float = Field(examples=[1795371900.0])
    answers: bool = Field(description="False where it seems gone.", examples=[True])


class AddressShown(BaseModel):
    """Where a device is, as was said of one network."""

    network: str = Field(examples=["192.0.2.0/24"])
    address: dict[str, str] = Field(examples=[{"street": "5 rue des Lilas", "city": "Nancy"}])
    confirmed: bool = Field(examples=[True])
    by: str = Field(examples=["1001"])
    said_at: float = Field(examples=[1795371300.0])


class DeviceShown(BaseModel):
    """A device. source: who is written in the plan has one that is changed there; that of somebody's pages is
    made by nobody. site: "" for its person's.

    has_password: whether its password is kept, so that provisioning can hand it on. network: that which it
    calls from, outside of every site. address_wanted: help would be sent to an assumed place.
    """

    sign_in: str = Field(examples=["1001-app"])
    extension: str = Field(description="Of the one whose it is.", examples=["1001"])
    name: str = Field(examples=["Alice Martin"])
    user: str = Field(description="Who uses it now.", examples=["1001"])
    source: Literal["database", "plan", "page"]
    kind: Kind
    label: str = Field(examples=["Mobile"])
    site: str = Field(examples=["mairie"])
    md5_only: bool = Field(examples=[False])
    has_password: bool = Field(examples=[True])
    bindings: list[BindingShown]
    network: str = Field(examples=["192.0.2.0/24"])
    address_wanted: bool = Field(examples=[False])
    addresses: list[AddressShown]


class Devices(BaseModel):
    """A page of devices, by sign-in. live: whether signalling said where they are."""

    items: list[DeviceShown]
    next: str = ""


class AddDevice(Asked):
    """A device to add. site: where it is, if not where its person is."""

    sign_in: Annotated[str, Field(pattern=r"^[0-9]{1,15}(-[A-Za-z0-9._]{1,48})?$", examples=["2011-app"])]
    kind: Kind = "desk"
    label: Annotated[str, Field(max_length=80)] = ""
    site: Annotated[str, Field(max_length=200)] = ""
    md5_only: bool = False


class ChangeDevice(Asked):
    """What changes of a device; what isn't given stays."""

    kind: Kind | None = None
    label: Annotated[str, Field(max_length=80)] | None = None
    site: Annotated[str, Field(max_length=200)] | None = None
    md5_only: bool | None = None


class SayAddress(Asked):
    """Where a device is. network: an address of it, "" for that which it calls from now."""

    street: Part = Field("", examples=["5 rue des Lilas"])
    postcode: Part = Field("", examples=["54000"])
    city: Part = Field("", examples=["Nancy"])
    building: Part = ""
    floor: Part = ""
    room: Part = ""
    landmark: Part = ""
    insee: Part = ""
    network: Annotated[str, Field(max_length=60)] = ""
    confirm: bool = Field(False, description="Whoever uses it says that this is right.")


@router.get("", summary="List devices", description="All with `devices.read`, else one's own.")
async def list_devices(
    node: TheNode,
    actor: Own,
    extension: Annotated[str, Query(max_length=15, description="Of one person.")] = "",
    after: Annotated[str, Query(max_length=64)] = "",
) -> Devices:
    """Return a page of at most 200, with where each can be reached now."""
    if not actor.may("devices.read"):
        extension = own_extension(actor, extension)
    answer = await node.ask(control.ListDevices(after, extension))
    assert isinstance(answer, control.DeviceList)
    described = {one.sign_in: one for one in await node.read(people.list_devices)}
    items = [await _shown(node, one, described.get(one.device)) for one in answer.devices]
    more = len(items) >= control.DEVICES_A_PAGE
    return Devices(items=items, next=items[-1].sign_in if more else "")


@router.post("", status_code=201, summary="Add a device")
async def add_device(node: TheNode, actor: Changer, asked: AddDevice) -> DeviceCredentials:
    """Give a person of the database another device; its password is told this once."""
    stored_person(await node.directory.now(), extension_of(asked.sign_in))
    _known_site(node, asked.site)
    issued = issue(
        node.sealing,
        asked.sign_in,
        node.configuration.domain,
        site=asked.site or None,
        md5_only=asked.md5_only,
    )

    def add(connection: Connection) -> None:
        people.add_device(connection, issued.device, kind=asked.kind, label=asked.label, sealed=issued.sealed)

    try:
        await node.write(add)
    except PeopleError as error:
        raise Problem(409, "device_exists", str(error), where="sign_in") from None
    finally:
        node.directory.changed()
    await node.audit.enter(node.clock(), "device.add", actor, whom=asked.sign_in, kind=asked.kind)
    return credentials(node, issued)


@router.get("/{sign_in}", summary="Show a device")
async def show_device(node: TheNode, actor: Own, sign_in: SignIn) -> DeviceShown:
    """Return it: one's own, or anybody's with `devices.read`."""
    extension = extension_of(sign_in)
    own_or(actor, extension, "devices.read")
    return await _found(node, sign_in)


@router.patch("/{sign_in}", summary="Change a device")
async def change_device(node: TheNode, actor: Changer, sign_in: SignIn, asked: ChangeDevice) -> DeviceShown:
    """Change what is given; its password stays."""
    wanted = asked.model_dump(exclude_none=True)
    _known_site(node, asked.site or "")
    before = await _described(node, sign_in)
    if "site" in wanted:
        wanted["site"] = wanted["site"] or None
    after = replace(before, **wanted)
    await write(node, lambda connection: people.change_device(connection, after))
    await node.audit.enter(node.clock(), "device.change", actor, whom=sign_in, fields=sorted(wanted))
    return await _found(node, sign_in)


@router.delete("/{sign_in}", status_code=204, summary="Remove a device")
async def remove_device(node: TheNode, actor: Changer, sign_in: SignIn) -> None:
    """Remove it: it can't sign in any more. Its person stays."""
    await _described(node, sign_in)
    await write(node, lambda connection: people.remove_device(connection, sign_in))
    await node.audit.enter(node.clock(), "device.remove", actor, whom=sign_in)


@router.post("/{sign_in}/password", summary="Give a device a new password")
async def new_password(node: TheNode, actor: Changer, sign_in: SignIn) -> DeviceCredentials:
    """Generate it, keep it sealed, and tell it, this once; the former one is taken no more."""
    before = await _described(node, sign_in)
    issued = issue(
        node.sealing, sign_in, node.configuration.domain, site=before.site, md5_only=before.md5_only
    )
    await write(node, lambda connection: people.change_credentials(connection, issued.device, issued.sealed))
    await node.audit.enter(node.clock(), "device.new_password", actor, whom=sign_in)
    return credentials(node, issued)


@router.put("/{sign_in}/address", summary="Say where a device is, and confirm it")
async def say_address(node: TheNode, actor: Own, sign_in: SignIn, asked: SayAddress) -> DeviceShown:
    """Of one's own device, or of any with `devices.change`; only a confirmed address is told to help."""
    await _may_place(node, actor, sign_in)
    parts = asked.model_dump(exclude={"network", "confirm"})
    address = {key: text for key, text in parts.items() if text}
    by = actor.extension or actor.account
    question = control.SayAddress(sign_in, address, by, asked.confirm, asked.network)
    await _told(node, question)
    await node.audit.enter(
        node.clock(), "address.say", actor, whom=sign_in, confirmed=asked.confirm, parts=sorted(address)
    )
    return await _found(node, sign_in)


@router.delete("/{sign_in}/address", summary="Forget where a device is")
async def forget_address(
    node: TheNode, actor: Own, sign_in: SignIn, network: Annotated[str, Query(max_length=60)] = ""
) -> DeviceShown:
    """Its place is assumed again, on that network."""
    await _may_place(node, actor, sign_in)
    await _told(node, control.ForgetAddress(sign_in, actor.extension or actor.account, network))
    await node.audit.enter(node.clock(), "address.forget", actor, whom=sign_in)
    return await _found(node, sign_in)


async def _told(node: Node, question: control.SayAddress | control.ForgetAddress) -> None:
    """Raises Problem (422) where signalling refuses."""
    answer = await node.ask(question)
    assert isinstance(answer, control.DeviceList)
    if answer.problem:
        raise Problem(422, "address_refused", answer.problem, where="address")


async def _may_place(node: Node, actor: Actor, sign_in: str) -> None:
    """Whoever uses a device now says where it is; those who may change devices do as well."""
    if actor.may("devices.change"):
        return
    status = await _live(node, sign_in)
    if not actor.owns(status.user):
        raise Problem(403, "not_yours", f"{sign_in} isn't your device: this needs devices.change")


async def _live(node: Node, sign_in: str) -> DeviceStatus:
    """What signalling says of a device. Raises Problem (404)."""
    answer = await node.ask(control.ListDevices(extension=extension_of(sign_in)))
    assert isinstance(answer, control.DeviceList)
    for one in answer.devices:
        if one.device == sign_in:
            return one
    owner = extension_of(sign_in)
    if sign_in == f"{owner}{SUFFIX}" and owner in (await node.directory.now()).plan.people:
        return DeviceStatus(sign_in, owner, owner, 0.0, [], "", [])  # no page is open
    raise _nothing(sign_in)


async def _found(node: Node, sign_in: str) -> DeviceShown:
    """One device, whether signalling knows it already or not yet. Raises Problem (404)."""
    described = {one.sign_in: one for one in await node.read(people.list_devices)}.get(sign_in)
    try:
        live = await _live(node, sign_in)
    except Problem as problem:
        if described is None or problem.status != 404:
            raise
        owner = described.extension
        live = DeviceStatus(sign_in, owner, owner, 0.0, [], "", [])  # added just now
    return await _shown(node, live, described)


async def _described(node: Node, sign_in: str) -> DeviceDescription:
    """A device of the database. Raises Problem: 409 for one of the plan, 404 for none."""
    try:
        return await node.read(lambda connection: people.find_device(connection, sign_in))
    except PeopleError:
        planned = node.plan().people.get(sign_in)
        if planned is None or planned.password is None:
            raise _nothing(sign_in) from None
    detail = f"{sign_in} is written in the plan, line {planned.line}"
    raise Problem(409, "written_in_plan", detail, mend="change it there", where="sign_in")


def _known_site(node: Node, site: str) -> None:
    """Raises Problem (422) for a site that the plan doesn't have."""
    sites = node.plan().sites
    if site and site not in sites:
        detail = f'the plan has no site "{site[:60]}"'
        raise Problem(422, "unknown_site", detail, mend=did_you_mean(site, sites), where="site")


def _nothing(sign_in: str) -> Problem:
    return Problem(404, "device_not_found", f"no device signs in as {sign_in}", where="sign_in")


async def _shown(node: Node, live: DeviceStatus, described: DeviceDescription | None) -> DeviceShown:
    person = (await node.directory.now()).plan.people.get(live.owner)
    confirmed = {said.network for said in live.addresses if said.confirmed is not None}
    is_page = described is None and live.device == f"{live.owner}{SUFFIX}"
    kind: Kind = "browser" if is_page else "desk"
    known = described or DeviceDescription(live.device, live.owner, kind)
    return DeviceShown(
        sign_in=live.device,
        extension=live.owner,
        name=person.name if person is not None else "",
        user=live.user,
        source="database" if described is not None else "page" if is_page else "plan",
        kind=known.kind,
        label=known.label,
        site=known.site or "",
        md5_only=known.md5_only,
        has_password=known.has_password,
        bindings=[_binding(one) for one in live.bindings],
        network=live.network,
        address_wanted=live.network != "" and live.network not in confirmed,
        addresses=[_address(one) for one in live.addresses],
    )


def _binding(one: BindingStatus) -> BindingShown:
    return BindingShown(
        address=one.address,
        transport=one.transport,
        user_agent=one.user_agent,
        until_at=one.until,
        answers=one.answers,
    )


def _address(said: AddressRecord) -> AddressShown:
    return AddressShown(
        network=said.network,
        address=dict(said.address),
        confirmed=said.confirmed is not None,
        by=said.set_by.by,
        said_at=said.set_by.at,
    )
