"""What becomes of desk telephones: the inventory, and waves that do something, a few of them at a time."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from msgspec.structs import replace
from pydantic import BaseModel, Field
from starlette.responses import Response

from pbx.accounts.actor import Actor
from pbx.phones import passwords, waves
from pbx.phones.inventory import Item, Wanted, chosen, written
from pbx.phones.waves import MOST_SIZE, USUAL_SIZE, Progress, Wave, WaveUnknown
from pbx.web.access import may
from pbx.web.node import Node, TheNode
from pbx.web.people_shapes import Asked
from pbx.web.phone_fleet import Fleet, fleet
from pbx.web.problems import Problem
from provisioning.waves import Member

router = APIRouter(prefix="/phones", tags=["phones"])

Reader = Annotated[Actor, may("devices.read")]
Changer = Annotated[Actor, may("devices.change")]
PhoneName = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$|^app-[a-z0-9]{1,40}$", examples=["805ec0123456"])]
Name = Annotated[str, Path(pattern=r"^[0-9a-f]{12}$|^app-[a-z0-9]{1,40}$", examples=["805ec0123456"])]
Hour = Annotated[int, Field(ge=0, le=24)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="Of the wave.", examples=[7])]


class ItemShown(BaseModel):
    """A telephone of the inventory. settings: `to_come` where something has changed since it fetched."""

    name: str = Field(description="Its MAC address.", examples=["805ec0123456"])
    brand: str = Field(examples=["yealink"])
    model: str = Field(examples=["T54W"])
    version: str = Field(description="Of its firmware, as it says.", examples=["96.86.0.23"])
    wanted_version: str = Field(description='"" where none is staged for it.', examples=["96.86.0.25"])
    stage: Literal["waiting", "approved", "enrolled", "blocked"]
    label: str = Field(examples=["Accueil, guichet 2"])
    site: str = Field(description="As IT says, else by its network, else its person's.", examples=["mairie"])
    address: str = Field(examples=["10.54.1.20"])
    extensions: list[str] = Field(examples=[["2010"]])
    lines: list[str] = Field(examples=[["2010-c0123456"]])
    last_seen_at: float = Field(examples=[1795371900.0])
    fetched_at: float = Field(description="Its own settings; 0.0 for never.", examples=[1795371900.0])
    registered: bool
    in_call: bool
    settings: Literal["up_to_date", "to_come", "never"]


class Counts(BaseModel):
    """How many telephones of the whole fleet are so, whatever is filtered."""

    phones: int = Field(examples=[42])
    registered: int = Field(examples=[40])
    in_call: int = Field(examples=[3])
    to_come: int = Field(description="Behind on settings.", examples=[1])
    old_firmware: int = Field(description="Running another version than is staged for them.", examples=[2])


class Inventory(BaseModel):
    """Telephones. reachable: whether the exchange said who is registered; versions: by brand and model, how
    many telephones run each.
    """

    items: list[ItemShown]
    next: str = ""
    counts: Counts
    versions: dict[str, dict[str, int]] = Field(examples=[{"yealink T54W": {"96.86.0.23": 12}}])
    reachable: bool


class AskWave(Asked):
    """Which telephones do what. Those alone that are enrolled; without names or a filter: all of them.

    size: how many at once. hours: local, from and until, `[22, 5]` for nights.
    """

    action: Literal["resync", "restart", "firmware"]
    phones: Annotated[list[PhoneName], Field(max_length=5000, default_factory=list)]
    site: Annotated[str, Field(max_length=200)] = ""
    brand: Annotated[str, Field(max_length=31)] = ""
    model: Annotated[str, Field(max_length=40)] = ""
    size: Annotated[int, Field(ge=1, le=MOST_SIZE)] = USUAL_SIZE
    hours: tuple[Hour, Hour] | None = None


class ProgressShown(BaseModel):
    """How many telephones are in each state. away: not there; they do it when they come back."""

    waiting: int = Field(examples=[20])
    asked: int = Field(examples=[20])
    back: int = Field(examples=[60])
    lost: int = Field(examples=[1])
    away: int = Field(examples=[2])


class WaveShown(BaseModel):
    """A wave. cause: "" where somebody wished it, `settings` where what telephones are to be has changed,
    `firmware:…` of a stage.
    """

    id: int = Field(examples=[7])
    action: Literal["resync", "restart", "firmware"]
    cause: str
    account: str = Field(description="Who wished it.", examples=["claire"])
    begun_at: float = Field(examples=[1795371300.0])
    over_at: float = Field(description="0.0 while it goes on.", examples=[0.0])
    size: int = Field(examples=[20])
    hours: tuple[int, int] | None = Field(description="Local; null for any.", examples=[(22, 5)])
    stopped: str = Field(description="Why, empty for not.", examples=["3 telephones didn't come back"])
    progress: ProgressShown


class MemberShown(BaseModel):
    """One telephone of a wave."""

    name: str = Field(examples=["805ec0123456"])
    state: Literal["waiting", "asked", "back", "lost", "away"]
    asked_at: float
    settled_at: float


class WaveWhole(WaveShown):
    """A wave, with each telephone."""

    members: list[MemberShown]


class WaveList(BaseModel):
    """The last waves, newest first."""

    items: list[WaveShown]
    next: str = ""


class Renewed(BaseModel):
    """Which lines have another password once their telephone has fetched it."""

    lines: list[str] = Field(examples=[["2010-c0123456"]])


def wanted(
    site: Annotated[str, Query(max_length=200)] = "",
    brand: Annotated[str, Query(max_length=31)] = "",
    model: Annotated[str, Query(max_length=40)] = "",
    stage: Literal["", "waiting", "approved", "enrolled", "blocked"] = "",
    registered: bool | None = None,
    in_call: bool | None = None,
    settings: Literal["", "up_to_date", "to_come", "never"] = "",
    old_firmware: bool | None = None,
    text: Annotated[str, Query(max_length=80, description="In its address, label, lines, site.")] = "",
) -> Wanted:
    """Which telephones a query asks for."""
    return Wanted(
        site=site,
        brand=brand,
        model=model,
        stage=stage,
        registered=registered,
        in_call=in_call,
        settings=settings,
        old_firmware=old_firmware,
        text=text,
    )


Filter = Annotated[Wanted, Depends(wanted)]


@router.get("/inventory", summary="List telephones with what they run and lack")
async def inventory(node: TheNode, actor: Reader, which: Filter) -> Inventory:
    """Return those that the filters let through, and figures of all."""
    found = await fleet(node)
    return Inventory(
        items=[_item(one) for one in chosen(found.items, which)],
        counts=_counts(found),
        versions=_versions(found),
        reachable=found.reachable,
    )


@router.get(
    "/inventory.csv",
    summary="Write the inventory as CSV",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}},
)
async def inventory_csv(
    node: TheNode,
    actor: Reader,
    which: Filter,
    separator: Annotated[str, Query(pattern="^[,;]$")] = ";",
) -> Response:
    """Return the same telephones as a file that a spreadsheet opens; never a secret."""
    found = chosen((await fleet(node)).items, which)
    await node.audit.enter(node.clock(), "phone.export", actor, phones=len(found))
    headers = {"Content-Disposition": 'attachment; filename="inventory.csv"', "Cache-Control": "no-store"}
    return Response(written(found, separator), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/waves", summary="List waves and how far they are")
async def list_waves(node: TheNode, actor: Reader) -> WaveList:
    """Return the last fifty."""
    return WaveList(items=[_wave(*one) for one in await node.read(waves.list_waves)])


@router.post("/waves", status_code=201, summary="Let telephones do something, a few at a time")
async def add_wave(node: TheNode, actor: Changer, asked: AskWave) -> WaveShown:
    """Write the wave down; it begins within seconds, or at its hours. None is disturbed in a call."""
    names = frozenset(asked.phones) if asked.phones else None
    which = Wanted(names=names, site=asked.site, brand=asked.brand, model=asked.model, stage="enrolled")
    found = chosen((await fleet(node)).items, which)
    if asked.action == "firmware":
        found = [one for one in found if one.wanted_version not in ("", one.phone.version)]
    if not found:
        raise Problem(409, "nobody_asked", "no enrolled telephone is meant by this")
    begun = Wave(
        begun_at=node.clock(),
        action=asked.action,
        account=actor.account,
        size=asked.size,
        hours=asked.hours or (0, 24),
    )
    await node.audit.enter(
        node.clock(), "phone.wave", actor, action=asked.action, phones=len(found), size=asked.size
    )
    made = await node.write(lambda c: waves.plan_wave(c, begun, [one.phone.name for one in found]))
    return _wave(made, Progress(waiting=len(found)))


@router.get("/waves/{number}", summary="Show a wave, with each of its telephones")
async def show_wave(node: TheNode, actor: Reader, number: Number) -> WaveWhole:
    """Return it."""
    wave, members = await _found(node, number)
    return WaveWhole(
        **_wave(wave, _progress(members)).model_dump(),
        members=[
            MemberShown(name=name, state=one.state, asked_at=one.asked_at, settled_at=one.settled_at)
            for name, one in members.items()
        ],
    )


@router.post("/waves/{number}/stop", summary="Stop a wave")
async def stop_wave(node: TheNode, actor: Changer, number: Number) -> WaveShown:
    """Ask nobody any more. Those that were asked go on with what they do; nothing where it is over."""
    await _found(node, number)
    await node.audit.enter(node.clock(), "phone.wave_stopped", actor, wave=number)
    why, now = f"by {actor.account}", node.clock()
    await node.write(lambda connection: waves.stop_wave(connection, number, why, now))
    wave, members = await _found(node, number)
    return _wave(wave, _progress(members))


@router.post("/{name}/passwords", summary="Give a telephone's lines other passwords")
async def renew_passwords(node: TheNode, actor: Changer, name: Name) -> Renewed:
    """In force once it has fetched them, which it is told to; those that it has work until then."""
    found = await fleet(node)
    phone = next((one.phone for one in found.items if one.phone.name == name), None)
    if phone is None:
        raise Problem(404, "no_such_phone", f'no telephone "{name}" is known')
    if phone.stage != "enrolled" or phone.old_tls:
        detail = "it fetches no passwords: " + ("they are typed in" if phone.old_tls else "it isn't enrolled")
        raise Problem(409, "not_enrolled", detail)
    await node.audit.enter(node.clock(), "phone.renew", actor, whom=name)
    realm, now = node.configuration.domain, node.clock()
    await node.write(lambda c: passwords.renew(c, node.sealing, realm, phone.lines, now))
    return Renewed(lines=list(phone.lines))


async def _found(node: Node, number: int) -> tuple[Wave, dict[str, Member]]:
    try:
        return await node.read(lambda connection: waves.find_wave(connection, number))
    except WaveUnknown as error:
        raise Problem(404, "no_such_wave", str(error)) from None


def _progress(members: dict[str, Member]) -> Progress:
    states = [member.state for member in members.values()]
    return replace(
        Progress(),
        waiting=states.count("waiting"),
        asked=states.count("asked"),
        back=states.count("back"),
        lost=states.count("lost"),
        away=states.count("away"),
    )


def _wave(wave: Wave, progress: Progress) -> WaveShown:
    return WaveShown(
        id=wave.id,
        action=wave.action,
        cause=wave.cause,
        account=wave.account,
        begun_at=wave.begun_at,
        over_at=wave.over_at,
        size=wave.size,
        hours=wave.hours if wave.hours != (0, 24) else None,
        stopped=wave.stopped,
        progress=ProgressShown(
            waiting=progress.waiting,
            asked=progress.asked,
            back=progress.back,
            lost=progress.lost,
            away=progress.away,
        ),
    )


def _item(one: Item) -> ItemShown:
    phone = one.phone
    return ItemShown(
        name=phone.name,
        brand=phone.brand,
        model=phone.model,
        version=phone.version,
        wanted_version=one.wanted_version,
        stage=phone.stage,
        label=phone.label,
        site=one.site,
        address=phone.address,
        extensions=one.extensions,
        lines=list(phone.lines),
        last_seen_at=phone.last_seen_at,
        fetched_at=one.fetched_at,
        registered=one.registered,
        in_call=one.in_call,
        settings=one.settings,
    )


def _counts(found: Fleet) -> Counts:
    return Counts(
        phones=len(found.items),
        registered=sum(one.registered for one in found.items),
        in_call=sum(one.in_call for one in found.items),
        to_come=sum(one.settings == "to_come" for one in found.items),
        old_firmware=sum(one.wanted_version not in ("", one.phone.version) for one in found.items),
    )


def _versions(found: Fleet) -> dict[str, dict[str, int]]:
    counted: dict[str, dict[str, int]] = {}
    for one in found.items:
        if one.phone.version:
            of_model = counted.setdefault(f"{one.phone.brand} {one.phone.model}", {})
            of_model[one.phone.version] = of_model.get(one.phone.version, 0) + 1
    return counted
