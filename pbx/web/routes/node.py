"""The node itself: how it is, its queues and their agents, bans, media daemons, who uses which device."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from pbx import control
from pbx.accounts.actor import Actor
from pbx.messages.trouble import trouble_of
from pbx.node.processes import running_processes
from pbx.web.access import may, own_extension
from pbx.web.node import Node, TheNode
from pbx.web.problems import Problem
from pbx.web.routes.health import wrong_with

router = APIRouter()

LONGEST_BAN_SECONDS = 366 * 86_400.0


class Process(BaseModel):
    """One process of the node."""

    role: str = Field(examples=["signalling"])
    pid: int = Field(examples=[4711])


class NodeShown(BaseModel):
    """How the node is."""

    plan_version: str = Field(examples=["9f7d7cfa3612"])
    counters: dict[str, int] = Field(examples=[{"calls": 3, "bindings": 120}])
    processes: list[Process]
    wrong: dict[str, str] = Field(description="What isn't well, and why.", examples=[{}])
    recordings: dict[str, str] = Field(description="What isn't well with recordings.", examples=[{}])


class Agent(BaseModel):
    """An agent of a queue."""

    extension: str = Field(examples=["1001"])
    name: str = Field(examples=["Alice Martin"])
    state: str = Field(examples=["free"])
    reason: str = Field(description="Of a pause.", examples=[""])
    offered: int = Field(examples=[12])
    answered: int = Field(examples=[11])
    talked_seconds: float = Field(examples=[812.5])


class Waiting(BaseModel):
    """Somebody in a queue."""

    call: str = Field(examples=["20261122-181500-9f3a"])
    number: str = Field(examples=["+33327000000"])
    waited_seconds: float = Field(examples=[42.0])
    state: str = Field(examples=["waiting"])


class Queue(BaseModel):
    """A queue. expected_seconds: for who comes now; since_at: of the figures."""

    name: str = Field(examples=["accueil"])
    number: str = Field(examples=["1000"])
    waiting: list[Waiting]
    expected_seconds: float | None = Field(examples=[60.0])
    agents: list[Agent]
    figures: dict[str, float] = Field(examples=[{"offered": 40, "answered": 37}])
    since_at: float = Field(examples=[1795330800.0])


class Queues(BaseModel):
    """The queues of the plan, in its order."""

    items: list[Queue]
    next: str = ""


class Banned(BaseModel):
    """A source that is banned."""

    source: str = Field(examples=["192.0.2.7"])
    since_at: float = Field(examples=[1795371300.0])
    until_at: float = Field(examples=[1795374900.0])
    why: str = Field(examples=["scanned"])
    times: int = Field(examples=[1])
    manual: bool = Field(examples=[False])


class Bans(BaseModel):
    """Those that are in force."""

    items: list[Banned]
    next: str = ""


class Daemon(BaseModel):
    """A media daemon (rtpengine)."""

    name: str = Field(examples=["127.0.0.1:2223"])
    up: bool
    draining: bool
    calls: int = Field(examples=[12])
    addresses: list[str] = Field(examples=[["192.0.2.1"]])


class Daemons(BaseModel):
    """Those of the configuration."""

    items: list[Daemon]
    next: str = ""


class DeviceNow(BaseModel):
    """A device, who uses it now, and where it can be reached. until_at: 0 for no end."""

    device: str = Field(examples=["1001-app"])
    owner: str = Field(examples=["1001"])
    user: str = Field(examples=["1001"])
    until_at: float = Field(examples=[0.0])
    contacts: list[str] = Field(examples=[["192.0.2.33:5060"]])
    network: str = Field(description="That which it calls from, outside of every site.", examples=[""])


class DevicesNow(BaseModel):
    """Some devices by sign-in."""

    items: list[DeviceNow]
    next: str = ""


class _Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class WantedPause(_Wanted):
    """Who gets no calls of which queue or group."""

    who: str = Field("", max_length=15, description="Default: yourself.", examples=["1001"])
    service: str = Field("", max_length=200, description="Empty: of none.", examples=["accueil"])
    reason: str = Field("", max_length=10, description="Digits of the plan's `pauses:`.", examples=["1"])


class WantedResume(_Wanted):
    """Who gets such calls again."""

    who: str = Field("", max_length=15, examples=["1001"])
    service: str = Field("", max_length=200, examples=["accueil"])


class WantedBan(_Wanted):
    """Who is to be banned, why, and for how long."""

    source: str = Field(max_length=60, description="An address, or an IPv6 /64.", examples=["192.0.2.7"])
    why: str = Field(min_length=1, max_length=200, examples=["scans at night"])
    seconds: float = Field(3600.0, gt=0, le=LONGEST_BAN_SECONDS)


class WantedDraining(_Wanted):
    """Whether a daemon gets no new calls."""

    draining: bool = Field(examples=[True])


class WantedUser(_Wanted):
    """Who uses a device from now on; empty: its own person again."""

    extension: str = Field(pattern=r"^[0-9]{0,15}$", examples=["1001"])


@router.get("/node", summary="How the node is", tags=["node"])
async def show_node(node: TheNode, actor: Annotated[Actor, may("node.read")]) -> NodeShown:
    """Counters, processes, and what is wrong."""
    answer = await node.ask(control.Status())
    assert isinstance(answer, control.Counters)
    processes = running_processes(node.configuration.data_dir)
    trouble = await asyncio.to_thread(trouble_of, node.configuration)
    return NodeShown(
        plan_version=answer.plan_version,
        counters=answer.counters,
        processes=[Process.model_validate(one) for one in processes],
        wrong={**await wrong_with(node), **({"messages": trouble} if trouble else {})},
        recordings=answer.recordings,
    )


# Queues


@router.get("/queues", summary="How the queues are", tags=["queues"])
async def list_queues(node: TheNode, actor: Annotated[Actor, may("own")]) -> Queues:
    """All with `calls.read`, else those in which one is an agent."""
    return _queues(await _asked(node, control.ListQueues()), actor)


@router.post("/queues/pause", summary="Give somebody no calls of a queue", tags=["queues"])
async def pause(node: TheNode, actor: Annotated[Actor, may("own")], wanted: WantedPause) -> Queues:
    """Or of all queues and groups, where none is named."""
    who, by = _agent(actor, wanted.who)
    answer = await _asked(node, control.PauseAgent(who, by, wanted.service, wanted.reason))
    await node.audit.enter(node.clock(), "agent.pause", actor, whom=who, service=wanted.service)
    return _queues(answer, actor)


@router.post("/queues/resume", summary="Give somebody calls of a queue again", tags=["queues"])
async def resume(node: TheNode, actor: Annotated[Actor, may("own")], wanted: WantedResume) -> Queues:
    """And end their wrap-up."""
    who, by = _agent(actor, wanted.who)
    answer = await _asked(node, control.ResumeAgent(who, by, wanted.service))
    await node.audit.enter(node.clock(), "agent.resume", actor, whom=who, service=wanted.service)
    return _queues(answer, actor)


# Bans


@router.get("/bans", summary="Who is banned", tags=["bans"])
async def list_bans(node: TheNode, actor: Annotated[Actor, may("bans.change")]) -> Bans:
    """All that are in force."""
    return _bans(await _asked(node, control.ListBans()))


@router.post("/bans", status_code=201, summary="Ban a source", tags=["bans"])
async def add_ban(node: TheNode, actor: Annotated[Actor, may("bans.change")], wanted: WantedBan) -> Bans:
    """For a while."""
    answer = await _asked(node, control.AddBan(wanted.source, wanted.why, wanted.seconds))
    await node.audit.enter(node.clock(), "ban.add", actor, source=wanted.source, why=wanted.why)
    return _bans(answer)


@router.delete("/bans/{source:path}", summary="Lift a ban", tags=["bans"])
async def remove_ban(
    node: TheNode, actor: Annotated[Actor, may("bans.change")], source: Annotated[str, Path(max_length=60)]
) -> Bans:
    """At once."""
    answer = await _asked(node, control.RemoveBan(source))
    await node.audit.enter(node.clock(), "ban.remove", actor, source=source)
    return _bans(answer)


# Media daemons


@router.get("/media-daemons", summary="How the media daemons are", tags=["node"])
async def list_daemons(node: TheNode, actor: Annotated[Actor, may("node.read")]) -> Daemons:
    """None where rtpengine carries no sound."""
    answer = await node.ask(control.ListDaemons())
    assert isinstance(answer, control.DaemonList)
    return Daemons(items=[Daemon.model_validate(msgspec.to_builtins(one)) for one in answer.daemons])


@router.put("/media-daemons/{name}", summary="Give a media daemon no new calls, or again", tags=["node"])
async def drain_daemon(
    node: TheNode,
    actor: Annotated[Actor, may("trunks.change")],
    name: Annotated[str, Path(max_length=60)],
    wanted: WantedDraining,
) -> Daemons:
    """Its calls go on."""
    answer = await _asked(node, control.DrainDaemon(name, wanted.draining))
    await node.audit.enter(node.clock(), "daemon.drain", actor, daemon=name, draining=wanted.draining)
    return Daemons(items=[Daemon.model_validate(msgspec.to_builtins(one)) for one in answer.daemons])


# Devices in use


@router.get("/devices-now", summary="Where devices are, and who uses them", tags=["devices"])
async def list_devices_now(
    node: TheNode,
    actor: Annotated[Actor, may("devices.read")],
    after: Annotated[str, Query(max_length=64)] = "",
) -> DevicesNow:
    """A page of them, of at most 200."""
    answer = await _asked(node, control.ListDevices(after))
    more = len(answer.devices) >= control.DEVICES_A_PAGE
    items = [_device(one) for one in answer.devices]
    return DevicesNow(items=items, next=items[-1].device if more else "")


@router.put("/devices-now/{device}/user", summary="Give a device to somebody, or back", tags=["devices"])
async def use_device(
    node: TheNode,
    actor: Annotated[Actor, may("devices.change")],
    device: Annotated[str, Path(max_length=64)],
    wanted: WantedUser,
) -> DeviceNow:
    """Until they log out."""
    by = actor.extension or actor.account
    answer = await _asked(node, control.UseDevice(device, wanted.extension, by))
    if not answer.devices:
        raise Problem(404, "not_found", f"there is no device {device[:60]}", where="device")
    await node.audit.enter(node.clock(), "device.use", actor, whom=wanted.extension, device=device)
    return _device(answer.devices[0])


# Asking


async def _asked(node: Node, question: control.Question) -> Any:
    """The answer. Raises Problem (422) where it says that it wasn't done."""
    answer = await node.ask(question)
    if problem := getattr(answer, "problem", ""):
        raise Problem(422, "refused", problem)
    return answer


def _agent(actor: Actor, who: str) -> tuple[str, str]:
    """Whose pause it is, and who sets it. Raises Problem (403)."""
    if who and actor.may("services.change"):
        return who, actor.extension or actor.account
    own = own_extension(actor, who)
    return own, own


def _queues(answer: control.QueueList, actor: Actor) -> Queues:
    shown = [
        queue
        for queue in answer.queues
        if actor.may("calls.read") or any(actor.owns(agent.extension) for agent in queue.agents)
    ]
    return Queues(items=[_queue(queue) for queue in shown])


def _queue(queue: control.QueueStatus) -> Queue:
    figures = msgspec.to_builtins(queue.figures)
    figures.pop("agents")
    return Queue(
        name=queue.name,
        number=queue.number,
        waiting=[Waiting.model_validate(msgspec.to_builtins(one)) for one in queue.waiting],
        expected_seconds=queue.expected_seconds,
        agents=[
            Agent(
                extension=one.extension,
                name=one.name,
                state=one.state,
                reason=one.reason,
                offered=one.figures.offered,
                answered=one.figures.answered,
                talked_seconds=one.figures.talked_seconds,
            )
            for one in queue.agents
        ],
        figures=figures,
        since_at=queue.since,
    )


def _bans(answer: control.BanList) -> Bans:
    return Bans(
        items=[
            Banned(
                source=ban.source,
                since_at=ban.since,
                until_at=ban.until,
                why=ban.why,
                times=ban.times,
                manual=ban.manual,
            )
            for ban in answer.bans
        ]
    )


def _device(one: control.DeviceStatus) -> DeviceNow:
    return DeviceNow(
        device=one.device,
        owner=one.owner,
        user=one.user,
        until_at=one.until,
        contacts=one.contacts,
        network=one.network,
    )
