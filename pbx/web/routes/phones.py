"""Desk telephones that configure themselves: which there are, whose they are, and who asked for settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import segno
from fastapi import APIRouter, Path, Query
from msgspec.structs import replace
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from dialplan.plan import Plan
from pbx import control
from pbx.accounts.actor import Actor
from pbx.kept import KeptError
from pbx.people.directory import PeopleError
from pbx.phones import shelf, window
from pbx.phones.assigning import NotAssigned, assign, renew_passwords
from pbx.phones.composing import discovery_url, file_password, user_password, web_password
from pbx.phones.keys import Chosen, KeyRefused, check_keys
from pbx.phones.settings import settings_url
from pbx.phones.shelf import Phone, PhoneUnknown
from pbx.web.access import may
from pbx.web.node import Node, TheNode
from pbx.web.people_shapes import Asked
from pbx.web.problems import Problem
from provisioning.brand import Brand, BrandError, load_brands
from provisioning.dhcp import DhcpError
from provisioning.dhcp import lines as dhcp_lines
from provisioning.enrolment import TOKEN_SECONDS
from provisioning.mac_address import MacAddressError, mac_address
from provisioning.telephone import Energy

router = APIRouter(prefix="/phones", tags=["phones"])

Name = Annotated[
    str,
    Path(
        pattern=r"^[0-9a-f]{12}$|^app-[a-z0-9]{1,40}$",
        description="Its MAC address, in small letters.",
        examples=["805ec0123456"],
    ),
]
Reader = Annotated[Actor, may("devices.read")]
Changer = Annotated[Actor, may("devices.change")]
Extension = Annotated[str, Field(pattern=r"^[0-9]{1,15}$", examples=["2010"])]


class EnergyShown(BaseModel):
    """What a telephone does when nobody uses it. office_hours: from and until, of Monday to Sunday;
    none where its maker has the screen alone.
    """

    screen_off_minutes: int = Field(description="0: never.", examples=[10])
    office_hours: list[tuple[int, int] | None] = Field(
        examples=[[[8, 18], [8, 18], [8, 18], [8, 18], [8, 18], None, None]]
    )


class PhoneShown(BaseModel):
    """A telephone. stage: `waiting` for somebody to take it, `approved` to fetch, `enrolled`, `blocked`."""

    name: str = Field(description="Its MAC address.", examples=["805ec0123456"])
    brand: str = Field(examples=["yealink"])
    maker: str = Field(description="The brand as people write it.", examples=["Yealink"])
    model: str = Field(examples=["T54W"])
    version: str = Field(description="Of its firmware, as it says.", examples=["96.86.0.23"])
    stage: Literal["waiting", "approved", "enrolled", "blocked"]
    label: str = Field(examples=["Accueil, guichet 2"])
    site: str = Field(description='"" for where its person is.', examples=["mairie"])
    old_tls: bool = Field(description="Kept in a network of its own, without secrets in clear.")
    extensions: list[str] = Field(description="Whose it is, a line each.", examples=[["2010"]])
    lines: list[str] = Field(description="What its lines sign in with.", examples=[["2010-c0123456"]])
    address: str = Field(description="Where it was seen last.", examples=["10.54.1.20"])
    first_seen_at: float = Field(examples=[1795371300.0])
    last_seen_at: float = Field(examples=[1795371900.0])
    invited: bool = Field(description="It has a link that wasn't used yet.")
    rotates: bool = Field(description="It gets another secret the next time that it fetches.")
    keys: list[tuple[str, str, str]] = Field(
        description="Its own: kind, number and label each; none for those of its first line's person.",
        examples=[[["lamp", "2011", "Paul"]]],
    )
    energy: EnergyShown | None = Field(description="null where its maker's telephones can't be told.")
    names: list[str] = Field(description="Of `extensions`.", examples=[["Élodie Laurent"]])
    network: str = Field(description="The site whose network `address` is in.", examples=["mairie"])
    place: str = Field(description="The title of the site where it is.", examples=["Hôtel de ville"])
    refused: Annotated[str, Field(description="Why it was refused last; in the list.")] = ""


class Phones(BaseModel):
    """All telephones. window_until_at: how long new ones are taken, 0.0 for not now."""

    items: list[PhoneShown]
    next: str = ""
    window_until_at: float = 0.0
    configured: bool = Field(description="Whether `provisioning:` is configured.")


class AddPhone(Asked):
    """A telephone that is to come. brand: a folder of brands. extensions: whose it is, a line each."""

    mac: Annotated[str, Field(max_length=20, examples=["80:5E:C0:12:34:56"])]
    brand: Annotated[str, Field(max_length=31, examples=["yealink"])]
    model: Annotated[str, Field(max_length=40, examples=["T54W"])]
    label: Annotated[str, Field(max_length=80)] = ""
    site: Annotated[str, Field(max_length=200)] = ""
    extensions: Annotated[list[Extension], Field(max_length=6, default_factory=list, examples=[["2010"]])]


class ChangePhone(Asked):
    """What changes; what isn't given stays. keys: kind, number and label each, in place of the plan's."""

    brand: Annotated[str, Field(max_length=31)] | None = None
    model: Annotated[str, Field(max_length=40)] | None = None
    label: Annotated[str, Field(max_length=80)] | None = None
    site: Annotated[str, Field(max_length=200)] | None = None
    old_tls: bool | None = None
    extensions: Annotated[list[Extension], Field(max_length=6, examples=[["2010"]])] | None = None
    keys: (
        Annotated[list[tuple[str, str, str]], Field(max_length=200, examples=[[["lamp", "2011", "Paul"]]])]
        | None
    ) = None
    own_settings: Annotated[dict[str, str], Field(max_length=100)] | None = None


class Invitation(BaseModel):
    """A link that works once. qr: the same as the address of a picture, for a telephone with a camera."""

    url: str = Field(examples=["https://pbx.valmont.example:8443/t/…/"])
    until_at: float = Field(examples=[1795630500.0])
    qr: str


class Told(BaseModel):
    """Which of a telephone's lines were told to fetch."""

    told: list[str]
    busy: list[str] = Field(description="In a call: it isn't disturbed.")
    away: list[str] = Field(description="Not registered now.")


class Window(Asked):
    """How long new telephones are taken from now; 0 closes the window."""

    minutes: Annotated[int, Field(ge=0, le=480, examples=[30])]


class FetchShown(BaseModel):
    """A request for a file."""

    at: float = Field(examples=[1795371300.0])
    name: str = Field(examples=["805ec0123456"])
    address: str = Field(examples=["10.54.1.20"])
    transport: str = Field(examples=["https"])
    path: str = Field(examples=["805ec0123456.cfg"])
    outcome: Literal["served", "pointer", "isolated", "refused"]
    reason: str = Field(description="Of a refusal.", examples=["unknown"])


class Fetches(BaseModel):
    """The last requests, newest first."""

    items: list[FetchShown]
    next: str = ""


class BrandShown(BaseModel):
    """A maker's telephones."""

    brand: str = Field(examples=["yealink"])
    name: str = Field(examples=["Yealink"])
    models: dict[str, int] = Field(description="Each with how many keys it has.")
    old: list[str] = Field(description="Models without TLS of today.")


class Brands(BaseModel):
    """All brands."""

    items: list[BrandShown]
    next: str = ""


class DhcpLines(BaseModel):
    """What a DHCP server is to be told."""

    url: str
    lines: str


class WebPassword(BaseModel):
    """The passwords of a telephone's own pages, and of its menu. file_password: what is typed in once at one
    without TLS of today, where its maker has encrypted files; "" for all others.
    """

    user: str = Field(examples=["admin"])
    password: str
    people_password: str = Field(default="", description="Of the account that makers put beside it.")
    file_password: str = ""


@router.get("", summary="List telephones")
async def list_phones(node: TheNode, actor: Reader) -> Phones:
    """Return all that are known: those that wait to be taken too."""
    found, refusals = await node.read(lambda c: (shelf.list_phones(c), shelf.last_refusals(c)))
    plan = (await node.directory.now()).plan
    until = window.open_until(node.configuration.data_dir, node.clock())
    configured = bool(node.configuration.provisioning.https)
    return Phones(
        items=[
            _shown(node, phone, plan).model_copy(update={"refused": refusals.get(phone.name, "")})
            for phone in found
        ],
        window_until_at=until,
        configured=configured,
    )


@router.get("/brands", summary="List brands and models")
async def list_brands(node: TheNode, actor: Reader) -> Brands:
    """Return what templates there are for."""
    return Brands(
        items=[
            BrandShown(
                brand=name,
                name=brand.name,
                models={model: described.keys for model, described in brand.models.items()},
                old=[model for model, described in brand.models.items() if described.tls == "old"],
            )
            for name, brand in _brands(node).items()
        ]
    )


@router.get("/fetches", summary="List who asked for settings")
async def list_fetches(
    node: TheNode,
    actor: Reader,
    name: Annotated[str, Query(max_length=44)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Fetches:
    """Return the last requests; of one telephone, or of all."""
    found = await node.read(lambda connection: shelf.list_fetches(connection, name, limit))
    return Fetches(
        items=[
            FetchShown(
                at=one.at,
                name=one.name,
                address=one.address,
                transport=one.transport,
                path=one.path,
                outcome=one.outcome,
                reason=one.reason,
            )
            for one in found
        ]
    )


@router.get("/dhcp", summary="Show what a DHCP server is to be told")
async def dhcp(
    node: TheNode,
    actor: Reader,
    server: Annotated[Literal["dnsmasq", "kea", "windows", "cisco"], Query()],
    brand: Annotated[
        list[str] | None, Query(max_length=20, description="For telephones of these alone.")
    ] = None,
) -> DhcpLines:
    """Return lines to copy. Raises Problem (409) where `provisioning:` isn't configured, (422) for brands
    that aren't known here, or that this server can't tell from other devices.
    """
    _url(node)
    url = discovery_url(node.configuration)
    known = _brands(node)
    asked = brand or []
    unknown = next((name for name in asked if name not in known), None)
    if unknown is not None:
        raise Problem(422, "unknown_brand", f"there are no templates of {unknown[:40]}", where="brand")
    try:
        return DhcpLines(url=url, lines=dhcp_lines(server, url, brands={name: known[name] for name in asked}))
    except DhcpError as error:
        raise Problem(422, "no_lines", str(error), where="brand") from None


@router.put("/window", summary="Take new telephones for a while, or no more")
async def set_window(node: TheNode, actor: Changer, asked: Window) -> Phones:
    """Open or close the window. In an open one plug and play answers, and what was approved is handed out."""
    _url(node)
    now = node.clock()
    await node.audit.enter(now, "phones.window", actor, minutes=asked.minutes)
    try:
        window.open_window(node.configuration.data_dir, now + asked.minutes * 60.0, now)
    except KeptError as error:
        raise Problem(503, "disk_trouble", str(error)) from None
    return await list_phones(node, actor)


@router.post("", status_code=201, summary="Add a telephone")
async def add_phone(node: TheNode, actor: Changer, asked: AddPhone) -> PhoneShown:
    """Make it known before it comes, and whose it is."""
    try:
        name = mac_address(asked.mac)
    except MacAddressError as error:
        raise Problem(422, "wrong_mac", str(error), where="mac") from None
    _known_model(node, asked.brand, asked.model)
    phone = Phone(name=name, brand=asked.brand, model=asked.model, label=asked.label, site=asked.site)

    def add(connection: Connection) -> Phone:
        if shelf.enrolled(connection, name) is not None:
            raise Problem(409, "phone_exists", f"{name} is known already", where="mac")
        shelf.put_phone(connection, phone)
        return assign(connection, node.sealing, node.configuration.domain, name, asked.extensions)

    extensions = list(asked.extensions)
    await node.audit.enter(node.clock(), "phone.add", actor, whom=name, extensions=extensions)
    return await _described(node, await _changed(node, add))


@router.get("/{name}", summary="Show a telephone")
async def show_phone(node: TheNode, actor: Reader, name: Name) -> PhoneShown:
    """Return one."""
    return await _described(node, await _found(node, name))


@router.patch("/{name}", summary="Change a telephone, or whose it is")
async def change_phone(node: TheNode, actor: Changer, name: Name, asked: ChangePhone) -> PhoneShown:
    """Change what is given. Whoever had it has it no more: the passwords of those lines go with it."""
    given = asked.model_dump(exclude_none=True)
    extensions = given.pop("extensions", None)
    before = await _found(node, name)
    if asked.keys is not None:
        given["keys"] = await _checked_keys(node, asked.keys)
    after = replace(before, **given)
    _known_model(node, after.brand, after.model)

    def change(connection: Connection) -> Phone:
        shelf.put_phone(connection, after)
        if extensions is None:
            return after
        return assign(connection, node.sealing, node.configuration.domain, name, extensions)

    await node.audit.enter(
        node.clock(), "phone.change", actor, whom=name, fields=sorted(asked.model_fields_set)
    )
    return await _described(node, await _changed(node, change))


@router.delete("/{name}", status_code=204, summary="Forget a telephone")
async def remove_phone(node: TheNode, actor: Changer, name: Name) -> None:
    """Forget it, its lines and their passwords."""
    await _found(node, name)

    def remove(connection: Connection) -> Phone:
        phone = assign(connection, node.sealing, node.configuration.domain, name, ())
        shelf.remove_phone(connection, name)
        return phone

    await node.audit.enter(node.clock(), "phone.remove", actor, whom=name)
    await _changed(node, remove)


@router.post("/{name}/invitation", summary="Make a link by which a telephone gets its settings once")
async def invite(node: TheNode, actor: Changer, name: Name) -> Invitation:
    """Make it, in place of one before. Whoever has it has the telephone's settings: tell nobody else."""
    url = _url(node)
    phone = await _found(node, name)
    now = node.clock()
    await node.audit.enter(now, "phone.invite", actor, whom=name)
    token = await node.write(lambda connection: shelf.invite(connection, name, now))
    link = f"{url}t/{token}/" + ("linphone.xml" if phone.brand == "linphone" else "")
    qr = segno.make(link, micro=False).svg_data_uri(scale=4, border=4, dark="#000", light="#fff")
    return Invitation(url=link, until_at=now + TOKEN_SECONDS, qr=qr)


@router.post("/{name}/approval", summary="Take a telephone that waits")
async def approve(node: TheNode, actor: Changer, name: Name, address: str = "") -> PhoneShown:
    """Let it fetch from where it was seen, within a quarter of an hour, while the window is open.

    address: which one, where it was seen at several within the last hour: all but one may be impostors.
    """
    phone = await _found(node, name)
    now = node.clock()
    if not window.open_until(node.configuration.data_dir, now):
        mend = "open the window first"
        raise Problem(409, "window_closed", "new telephones aren't taken now", mend=mend)
    if not phone.address:
        raise Problem(409, "never_seen", f"{name} hasn't asked for its settings yet")
    seen = await node.read(lambda connection: shelf.seen_at(connection, name, now)) or [phone.address]
    if (address and address not in seen) or (not address and len(seen) > 1):
        mend = "invite it by a link, or say at which address it is"
        detail = f"{name} was seen at {', '.join(seen[:10])}"
        each = [{"where": "address", "detail": one} for one in seen]
        raise Problem(409, "several_addresses", detail, mend=mend, errors=each)
    where = address or phone.address
    await node.audit.enter(now, "phone.approve", actor, whom=name)
    await node.write(lambda connection: shelf.approve(connection, name, where, now))
    return await _described(node, await _found(node, name))


@router.post("/{name}/block", summary="Block a lost telephone")
async def block(node: TheNode, actor: Changer, name: Name) -> PhoneShown:
    """At once: it is reached no more, its passwords change, and nothing is handed out to it."""
    await _found(node, name)
    await node.audit.enter(node.clock(), "phone.block", actor, whom=name)

    def do(connection: Connection) -> Phone:
        lines = shelf.block(connection, name)
        renew_passwords(connection, node.sealing, node.configuration.domain, lines)
        return shelf.find_phone(connection, name)

    phone = await _changed(node, do)
    await node.ask(control.DropBindings(list(phone.lines), lost=True))
    return await _described(node, phone)


@router.post("/{name}/unblock", summary="Take a telephone again that was found")
async def unblock(node: TheNode, actor: Changer, name: Name) -> PhoneShown:
    """It waits again: it proves itself anew."""
    phone = await _found(node, name)
    await node.audit.enter(node.clock(), "phone.unblock", actor, whom=name)
    after = replace(phone, stage="waiting") if phone.stage == "blocked" else phone
    await node.write(lambda connection: shelf.put_phone(connection, after))
    return await _described(node, after)


@router.post("/{name}/rotation", summary="Give a telephone another secret")
async def rotate(node: TheNode, actor: Changer, name: Name) -> PhoneShown:
    """The next time that it fetches; the one that it has works until then."""
    await _found(node, name)
    await node.audit.enter(node.clock(), "phone.rotate", actor, whom=name)
    try:
        await node.write(lambda connection: shelf.want_rotation(connection, name))
    except PhoneUnknown as error:
        raise Problem(409, "not_enrolled", str(error)) from None
    return await _described(node, await _found(node, name))


@router.post("/{name}/resync", summary="Tell a telephone to fetch its settings now")
async def resync(
    node: TheNode, actor: Changer, name: Name, restart: Annotated[bool, Query()] = False
) -> Told:
    """By NOTIFY, without a new start where the brand can; never during a call."""
    phone = await _found(node, name)
    brand = _brands(node).get(phone.brand)
    if brand is None:
        raise Problem(409, "unknown_brand", f"there are no templates of {phone.brand}")
    how = brand.restart if restart else brand.resync
    await node.audit.enter(node.clock(), "phone.resync", actor, whom=name, restart=restart)
    question = control.NotifyDevices(list(phone.lines), how.event, how.content_type, how.body)
    answer = await node.ask(question)
    assert isinstance(answer, control.DevicesTold)
    return Told(told=answer.told, busy=answer.busy, away=answer.away)


@router.get("/{name}/password", summary="Show the password of a telephone's own pages")
async def show_password(node: TheNode, actor: Changer, name: Name) -> WebPassword:
    """Return it; that it was shown is entered."""
    phone = await _found(node, name)
    brand = _brands(node).get(phone.brand)
    is_encrypted = phone.old_tls and brand is not None and bool(brand.encrypts)
    await node.audit.enter(node.clock(), "phone.password_shown", actor, whom=name)
    return WebPassword(
        user="admin",
        password=web_password(node.sealing, name),
        people_password=user_password(node.sealing, name),
        file_password=file_password(node.sealing, name) if is_encrypted else "",
    )


async def _found(node: Node, name: str) -> Phone:
    try:
        return await node.read(lambda connection: shelf.find_phone(connection, name))
    except PhoneUnknown as error:
        raise Problem(404, "no_such_phone", str(error)) from None


async def _changed(node: Node, work: Callable[[Connection], Phone]) -> Phone:
    try:
        return await node.write(work)
    except (NotAssigned, PeopleError) as error:
        raise Problem(422, "not_assigned", str(error), where="extensions") from None
    finally:
        node.directory.changed()


async def _checked_keys(node: Node, keys: list[tuple[str, str, str]]) -> tuple[Chosen, ...]:
    try:
        return check_keys((await node.directory.now()).plan, keys)
    except KeyRefused as error:
        raise Problem(422, error.code, str(error), where=f"keys.{error.position - 1}") from None


def _brands(node: Node) -> dict[str, Brand]:
    try:
        return load_brands(node.configuration.provisioning.brands)
    except BrandError as error:
        raise Problem(409, "wrong_brand", str(error)) from None


def _known_model(node: Node, brand: str, model: str) -> None:
    brands = _brands(node)
    if brand not in brands:
        raise Problem(422, "unknown_brand", f"there are no templates of {brand}", where="brand")
    if model not in brands[brand].models:
        raise Problem(422, "unknown_model", f"{brands[brand].name} has no {model} here", where="model")


def _url(node: Node) -> str:
    said = node.configuration.provisioning
    if not said.https:
        mend = "add `provisioning: {https: …}` to the configuration"
        raise Problem(409, "not_configured", "telephones get no settings from this node", mend=mend)
    return settings_url(said)


async def _described(node: Node, phone: Phone) -> PhoneShown:
    return _shown(node, phone, (await node.directory.now()).plan)


def _energy(brand: Brand | None, energy: Energy) -> EnergyShown | None:
    if brand is None or brand.energy == "nothing":
        return None
    hours = list(energy.office_hours) if brand.energy == "hours" else []
    return EnergyShown(screen_off_minutes=energy.screen_off_seconds // 60, office_hours=hours)


def _shown(node: Node, phone: Phone, plan: Plan) -> PhoneShown:
    extensions = [sign_in.partition("-")[0] for sign_in in phone.lines]
    owner = plan.people.get(extensions[0]) if extensions else None
    network = plan.tables.networks.find(phone.address)
    site = phone.site or network or (owner.site if owner is not None else "") or ""
    brand = _brands(node).get(phone.brand)
    return PhoneShown(
        name=phone.name,
        brand=phone.brand,
        maker=brand.name if brand is not None else phone.brand,
        model=phone.model,
        version=phone.version,
        stage=phone.stage,
        label=phone.label,
        site=phone.site,
        old_tls=phone.old_tls,
        extensions=extensions,
        keys=list(phone.keys),
        names=[plan.people[one].name if one in plan.people else one for one in extensions],
        energy=_energy(brand, node.configuration.provisioning.energy.at(site)),
        network=network,
        place=plan.sites[site].title if site in plan.sites else "",
        lines=list(phone.lines),
        address=phone.address,
        first_seen_at=phone.first_seen_at,
        last_seen_at=phone.last_seen_at,
        invited=bool(phone.token_at) and not phone.token_used,
        rotates=phone.rotates,
    )
