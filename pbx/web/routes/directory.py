"""The directory: people, services and groups, found as one types; one's favourites; who is in a call."""

from __future__ import annotations

from collections.abc import Container
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from dialplan.plan import Plan
from pbx import control
from pbx.accounts.actor import Actor
from pbx.api.views import ColleagueState
from pbx.people.search import KINDS, Entry, EntryKind
from pbx.store.favourites import favourites_of, set_favourites
from pbx.web.access import may
from pbx.web.colleagues import sees
from pbx.web.directory_now import Everybody
from pbx.web.node import Node, TheNode
from pbx.web.people_rules import entry_of
from pbx.web.people_shapes import Entries, Favourites, entry_shown
from pbx.web.problems import Problem

MOST_PRESENT = 300

router = APIRouter(prefix="/directory", tags=["directory"])

Reader = Annotated[Actor, may("people.read")]


class StateShown(BaseModel):
    """What somebody is doing now."""

    extension: str = Field(examples=["1001"])
    state: Literal["in_call", "do_not_disturb"] = Field(examples=["in_call"])


class ColleagueShown(BaseModel):
    """What a colleague is doing. is_forwarded: all their calls are sent elsewhere."""

    extension: str = Field(examples=["1002"])
    name: str = Field(examples=["Bruno Petit"])
    state: ColleagueState = Field(examples=["free"])
    is_forwarded: bool


class PresenceShown(BaseModel):
    """What colleagues are doing, and what the plan has besides, each "" for none.

    pick_up: the code that takes a call that rings elsewhere; switchboard, echo: their numbers.
    """

    items: list[ColleagueShown]
    next: str = ""
    pick_up: str = Field(examples=["**{extension}"])
    switchboard: str = Field(examples=["9"])
    echo: str = Field(examples=["9196"])


class SiteChoice(BaseModel):
    """A site by its name in the plan and its title."""

    name: str = Field(examples=["mairie"])
    title: str = Field(examples=["Hôtel de ville"])


class Range(BaseModel):
    """Extensions of a site, "" for of none."""

    site: str = Field(examples=["mairie"])
    numbers: str = Field(examples=["2000..2199"])


class Choices(BaseModel):
    """What the fields of a form may be."""

    classes: list[str] = Field(examples=[["interne", "national"]])
    sites: list[SiteChoice]
    groups: list[str] = Field(examples=[["accueil"]])
    ranges: list[Range]


class States(BaseModel):
    """Who is doing something now; of all others nothing is told."""

    items: list[StateShown]
    next: str = ""


@router.get("", summary="Find people, services and groups")
async def find(
    node: TheNode,
    actor: Reader,
    search: Annotated[str, Query(max_length=100, description="A few letters, digits or sounds.")] = "",
    kind: Annotated[list[EntryKind] | None, Query(description="These alone. Default: all.")] = None,
    limit: Annotated[int, Query(ge=1, le=2000)] = 50,
    after: Annotated[str, Query(max_length=220, description="Without `search`: the page behind.")] = "",
) -> Entries:
    """Return what fits best first; without `search` everything in alphabetical order, page by page."""
    return await listed(node, actor, search, tuple(kind) if kind else KINDS, limit, after)


@router.get("/favourites", summary="Show one's favourites")
async def show_favourites(node: TheNode, actor: Annotated[Actor, may("own")]) -> Entries:
    """Return them in one's own order; who is gone is left out."""
    everybody = await node.directory.now()
    wanted = await node.read(lambda connection: favourites_of(connection, actor.account))
    there = []
    for id_ in wanted:
        try:
            there.append(everybody.index.entry(id_))
        except KeyError:
            continue
    return _entries(everybody, actor, there)


@router.put("/favourites", summary="Set one's favourites")
async def keep_favourites(node: TheNode, actor: Annotated[Actor, may("own")], asked: Favourites) -> Entries:
    """Keep them in this order, in place of those before."""
    everybody = await node.directory.now()
    wanted = list(dict.fromkeys(asked.entries))
    found = [entry_of(everybody, id_, "entries") for id_ in wanted]
    await node.write(lambda connection: set_favourites(connection, actor.account, wanted))
    await node.audit.enter(node.clock(), "favourites.change", actor, entries=len(wanted))
    return _entries(everybody, actor, found)


@router.get("/choices", summary="What the fields of a person may be")
async def choices(node: TheNode, actor: Reader) -> Choices:
    """Return the classes and sites of the plan, and the groups that anybody is in."""
    everybody = await node.directory.now()
    plan = everybody.plan
    return Choices(
        classes=list(plan.classes),
        sites=[SiteChoice(name=site.name, title=site.title) for site in plan.sites.values()],
        groups=[one.name for one in everybody.index.entries if one.kind == "group"],
        ranges=[Range(site=one.site, numbers=str(one.numbers)) for one in plan.ranges],
    )


@router.get("/states", summary="Who is in a call, or not to be disturbed")
async def states(node: TheNode, actor: Reader) -> States:
    """Of everybody with `calls.read`, else of those who share a group with oneself."""
    plan = (await node.directory.now()).plan
    calls = await node.ask(control.ListCalls())
    settings = await node.ask(control.ListSettings())
    assert isinstance(calls, control.CallsNow)
    assert isinstance(settings, control.SettingsInForce)
    found: dict[str, Literal["in_call", "do_not_disturb"]] = {
        kept.extension: "do_not_disturb" for kept in settings.people if kept.do_not_disturb is not None
    }
    found.update({party.number: "in_call" for call in calls.calls for party in call.parties})
    return States(
        items=[
            StateShown(extension=extension, state=state)
            for extension, state in sorted(found.items())
            if sees(actor, plan, extension)
        ]
    )


@router.get("/presence", summary="What colleagues are doing")
async def presence(
    node: TheNode,
    actor: Reader,
    of: Annotated[str, Query(max_length=4000, pattern=r"^[0-9,]*$", description="Extensions.")] = "",
) -> PresenceShown:
    """Of these extensions, or of those who share a group with oneself; who may not be seen is left out."""
    plan = (await node.directory.now()).plan
    asked = [one for one in of.split(",") if one] or _near(plan, actor.extension)
    seen = tuple(dict.fromkeys(one for one in asked if sees(actor, plan, one)))[:MOST_PRESENT]
    answer = await node.ask(control.ListColleagues(seen))
    assert isinstance(answer, control.ColleagueList)
    codes = {one.name: str(one) for one in plan.features}
    unassigned = plan.unassigned
    service = plan.services.get(unassigned.value) if unassigned and unassigned.kind == "service" else None
    echo = next((one for one in plan.services.values() if one.type == "echo"), None)
    return PresenceShown(
        items=[
            ColleagueShown(
                extension=one.extension,
                name=plan.people[one.extension].name,
                state=one.state,
                is_forwarded=one.is_forwarded,
            )
            for one in answer.colleagues
        ],
        pick_up=codes.get("pickup", ""),
        switchboard=(service.number or "") if service is not None else "",
        echo=(echo.number or "") if echo is not None else "",
    )


def _near(plan: Plan, extension: str) -> list[str]:
    """Those who share a group with somebody."""
    mine = plan.people.get(extension)
    if mine is None:
        return []
    groups = set(mine.groups)
    return [one.extension for one in plan.people.values() if not groups.isdisjoint(one.groups)]


async def listed(
    node: Node, actor: Actor, search: str, kinds: Container[EntryKind], limit: int, after: str
) -> Entries:
    """Return a page of the directory. Raises Problem (422) where the entry that it follows is gone."""
    everybody = await node.directory.now()
    if search.strip():
        return _entries(everybody, actor, everybody.index.search(search, limit, kinds))
    try:
        found = everybody.index.page(after, limit + 1, kinds)
    except KeyError:
        raise Problem(422, "wrong_place", "that entry is gone", where="after") from None
    page = _entries(everybody, actor, found[:limit])
    page.next = found[limit - 1].id if len(found) > limit else ""
    return page


def _entries(everybody: Everybody, actor: Actor, found: list[Entry]) -> Entries:
    sees_mobiles = actor.may("calls.read")
    items = [
        entry_shown(
            one,
            everybody.pictured.get(one.number, 0.0) if one.kind == "person" else 0.0,
            everybody.noted.get(one.number) if one.kind == "person" else None,
            with_mobile=sees_mobiles or actor.owns(one.number),
        )
        for one in found
    ]
    return Entries.model_construct(items=items, next="")
