"""What people and operators set by hand: forwards, do not disturb, ringing, services closed for a while.

One's own settings need no right but `own`; those of others `services.change`, their PINs `people.change`.
What is removed here is again as the plan says.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from dialplan.decision import Forwards
from dialplan.ringing import WAYS
from pbx import control
from pbx.accounts.actor import Actor
from pbx.records import OverrideRecord, PersonSettings, SetBy, Switch
from pbx.web.access import may, own_extension
from pbx.web.node import Node, TheNode
from pbx.web.problems import Problem

router = APIRouter(tags=["settings"])

_REFUSALS = {
    # why, in a word of signalling's: the problem's code, and which field it is about
    "class": ("setting_not_allowed", "to"),
    "unknown": ("setting_unknown_number", "to"),
    "emergency": ("setting_emergency_number", "to"),
    "oneself": ("setting_oneself", "to"),
    "loop": ("setting_loop", "to"),
    "until": ("setting_until", "until_at"),
}

LONGEST_OVERRIDE_SECONDS = 366 * 86_400.0

Extension = Annotated[str, Path(pattern=r"^[0-9]{1,15}$", description="Whose settings.")]
Name = Annotated[str, Path(min_length=1, max_length=200, description="A service or a schedule of the plan.")]
Until = Annotated[
    float,
    Field(ge=0, le=1e11, allow_inf_nan=False, description="Unix seconds, at most a year ahead; 0 for ever."),
]
When = Literal["always", "busy", "no_answer", "unreachable"]


class Set(BaseModel):
    """Who set it, and when."""

    by: str = Field(examples=["1001"])
    set_at: float = Field(description="Unix seconds.", examples=[1795371300.0])


class SetUntil(Set):
    """Who set it, when, and when it ends by itself."""

    until_at: float = Field(description="Unix seconds; 0 for never.", examples=[1795374900.0])


class Forward(BaseModel):
    """Where calls are sent on."""

    when: str = Field(examples=["no_answer"])
    to: str = Field(description="Empty: nowhere, whatever the plan says.", examples=["1002"])
    seconds: int = Field(description="Before `no_answer`; 0 for the usual.", examples=[20])
    callers: list[str] = Field(examples=[[]])
    hours: list[str] = Field(examples=[["mon-fri 12:00-14:00"]])
    until_at: float = Field(description="Unix seconds; 0 for never.", examples=[1795374900.0])
    set: Set


class Planned(BaseModel):
    """What the plan says of a person's forwards, each "" for nowhere."""

    always: str = Field(examples=[""])
    busy: str = Field(examples=["1002"])
    no_answer: str = Field(examples=["1002"])
    no_answer_seconds: int = Field(examples=[20])
    unreachable: str = Field(examples=[""])


class Switched(BaseModel):
    """On or off, whatever the plan says."""

    on: bool = Field(examples=[True])
    set: Set


class Pause(BaseModel):
    """No calls of a queue or a group; service empty: of none."""

    service: str = Field(examples=["accueil"])
    reason: str = Field(examples=["1"])
    set: Set


class Ring(BaseModel):
    """How the telephones ring."""

    way: str = Field(examples=["devices"])
    set: Set


class Settings(BaseModel):
    """What is set for a person; null and nothing: as the plan says, which is `planned`."""

    extension: str = Field(examples=["1001"])
    forwards: list[Forward]
    planned: Planned
    do_not_disturb: SetUntil | None
    anonymous_rejection: Switched | None
    call_waiting: Switched | None
    pauses: list[Pause]
    ring: Ring | None


class Override(BaseModel):
    """A service or a schedule that is open or closed by hand, until an instant."""

    kind: str = Field(examples=["service"])
    name: str = Field(examples=["accueil"])
    is_open: bool = Field(examples=[False])
    until_at: float = Field(description="Unix seconds.", examples=[1795374900.0])
    to: str = Field(description="Where its calls go; empty for as planned.", examples=[""])
    set: Set


class Overrides(BaseModel):
    """All that there are."""

    items: list[Override]
    next: str = ""


class _Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class WantedForward(_Wanted):
    """Where calls shall be sent on."""

    to: str = Field(max_length=60, description="Empty: nowhere, whatever the plan says.", examples=["1002"])
    seconds: int = Field(0, ge=0, le=600, examples=[20])
    callers: list[str] = Field([], max_length=50, examples=[[]])
    hours: list[str] = Field([], max_length=50, examples=[["mon-fri 12:00-14:00"]])
    until_at: Until = 0.0


class WantedSwitch(_Wanted):
    """On or off."""

    on: bool = Field(examples=[True])


class WantedQuiet(WantedSwitch):
    """On or off; on for a while."""

    until_at: Until = 0.0


class WantedRing(_Wanted):
    """How the telephones shall ring."""

    way: str = Field(max_length=40, description=f"One of {', '.join(WAYS)}.", examples=[WAYS[0]])


class WantedPin(_Wanted):
    """The PIN, for a mobile that calls in and for shared telephones; it is never told."""

    digits: str = Field(pattern=r"^[0-9]{4,8}$", examples=["473920"])


class WantedOverride(_Wanted):
    """Open or closed, until an instant."""

    is_open: bool = Field(examples=[False])
    until_at: float = Field(description="Unix seconds, at most a year ahead.", examples=[1795374900.0])
    to: str = Field("", max_length=60, description="Where its calls go meanwhile.", examples=[""])


# One's own, and those of others


@router.get("/people/{extension}/settings", summary="Show what is set for a person")
async def show_settings(node: TheNode, actor: Annotated[Actor, may("own")], extension: Extension) -> Settings:
    """Return it."""
    _whose(actor, extension)
    return await _changed(node, extension, control.ListSettings(extension))


@router.delete("/people/{extension}/settings", summary="Forget all that is set for a person")
async def clear_settings(
    node: TheNode, actor: Annotated[Actor, may("own")], extension: Extension
) -> Settings:
    """All is as the plan says."""
    by = _whose(actor, extension)
    return await _enter(node, actor, extension, control.ClearSettings(extension, by), "clear")


@router.put("/people/{extension}/settings/forwards/{when}", summary="Send a person's calls on")
async def forward(
    node: TheNode,
    actor: Annotated[Actor, may("own")],
    extension: Extension,
    when: When,
    wanted: WantedForward,
) -> Settings:
    """Or nowhere, whatever the plan says."""
    by = _whose(actor, extension)
    question: control.SettingsQuestion = control.StopForwarding(extension, by, when)
    if wanted.to:
        callers, hours = tuple(wanted.callers), tuple(wanted.hours)
        question = control.SetForward(
            extension, when, wanted.to, by, wanted.seconds, callers, hours, wanted.until_at
        )
    return await _enter(node, actor, extension, question, "forward")


@router.delete("/people/{extension}/settings/forwards/{when}", summary="Forget a forward")
async def forget_forward(
    node: TheNode, actor: Annotated[Actor, may("own")], extension: Extension, when: When
) -> Settings:
    """What the plan says holds."""
    by = _whose(actor, extension)
    return await _enter(node, actor, extension, control.ClearSettings(extension, by, when), "forward")


@router.put("/people/{extension}/settings/do-not-disturb", summary="Let a person's telephones ring, or not")
async def do_not_disturb(
    node: TheNode, actor: Annotated[Actor, may("own")], extension: Extension, wanted: WantedQuiet
) -> Settings:
    """On: they don't, for ever or until an instant."""
    by = _whose(actor, extension)
    question = control.SetDoNotDisturb(extension, wanted.on, by, wanted.until_at)
    return await _enter(node, actor, extension, question, "do_not_disturb")


@router.put("/people/{extension}/settings/ring", summary="Choose how a person's telephones ring")
async def ring(
    node: TheNode, actor: Annotated[Actor, may("own")], extension: Extension, wanted: WantedRing
) -> Settings:
    """In one of the ways."""
    by = _whose(actor, extension)
    return await _enter(node, actor, extension, control.SetRing(extension, wanted.way, by), "ring")


@router.delete("/people/{extension}/settings/ring", summary="Let telephones ring as the plan says")
async def forget_ring(node: TheNode, actor: Annotated[Actor, may("own")], extension: Extension) -> Settings:
    """What was chosen is forgotten."""
    by = _whose(actor, extension)
    return await _enter(node, actor, extension, control.ClearSettings(extension, by, "ring"), "ring")


@router.put("/people/{extension}/settings/{what}", summary="Switch something on or off for a person")
async def switch(
    node: TheNode,
    actor: Annotated[Actor, may("own")],
    extension: Extension,
    what: Literal["anonymous_rejection", "call_waiting"],
    wanted: WantedSwitch,
) -> Settings:
    """Whatever the plan says."""
    by = _whose(actor, extension)
    question = control.SetSwitch(extension, what, wanted.on, by)
    return await _enter(node, actor, extension, question, what)


@router.delete("/people/{extension}/settings/{what}", summary="Forget what was switched for a person")
async def forget_switch(
    node: TheNode,
    actor: Annotated[Actor, may("own")],
    extension: Extension,
    what: Literal["anonymous_rejection", "call_waiting"],
) -> Settings:
    """What the plan says holds."""
    by = _whose(actor, extension)
    return await _enter(node, actor, extension, control.ClearSettings(extension, by, what), what)


@router.put("/people/{extension}/pin", status_code=204, summary="Set a person's PIN")
async def set_pin(
    node: TheNode, actor: Annotated[Actor, may("own")], extension: Extension, wanted: WantedPin
) -> None:
    """And forgive those that were wrong."""
    await _pin(node, actor, extension, wanted.digits)


@router.delete("/people/{extension}/pin", status_code=204, summary="Remove a person's PIN")
async def remove_pin(node: TheNode, actor: Annotated[Actor, may("own")], extension: Extension) -> None:
    """There is none any more."""
    await _pin(node, actor, extension, "")


# Services and schedules


@router.get("/overrides", summary="List what is open or closed by hand")
async def list_overrides(node: TheNode, actor: Annotated[Actor, may("people.read")]) -> Overrides:
    """Return all."""
    return _overrides(await _asked(node, control.ListSettings("-")))


@router.put("/overrides/{name}", summary="Open or close a service or a schedule for a while")
async def override(
    node: TheNode, actor: Annotated[Actor, may("services.change")], name: Name, wanted: WantedOverride
) -> Overrides:
    """Until an instant; then it is as planned again."""
    if not 0 < wanted.until_at - node.clock() <= LONGEST_OVERRIDE_SECONDS:
        detail = "this ends in the past, or more than a year ahead"
        raise Problem(422, "wrong_until", detail, where="until_at")
    by = actor.extension or actor.account
    answer = await _asked(node, control.AddOverride(name, wanted.is_open, wanted.until_at, by, wanted.to))
    state = "open" if wanted.is_open else "closed"
    until, to = wanted.until_at, wanted.to
    await node.audit.enter(
        node.clock(), "service.override", actor, service=name, state=state, until=until, to=to
    )
    return _overrides(answer)


@router.delete("/overrides/{name}", summary="Let a service or a schedule be as planned")
async def end_override(
    node: TheNode, actor: Annotated[Actor, may("services.change")], name: Name
) -> Overrides:
    """At once."""
    answer = await _asked(node, control.RemoveOverride(name, actor.extension or actor.account))
    await node.audit.enter(node.clock(), "service.as_planned", actor, service=name)
    return _overrides(answer)


# Asking


def _whose(actor: Actor, extension: str) -> str:
    """Who sets it, for the settings' own memory. Raises Problem (403) for who may not."""
    if actor.may("services.change"):
        return actor.extension or actor.account
    return own_extension(actor, extension)


async def _enter(
    node: Node, actor: Actor, extension: str, question: control.SettingsQuestion, what: str
) -> Settings:
    changed = await _changed(node, extension, question)
    await node.audit.enter(node.clock(), "settings.change", actor, whom=extension, setting=what)
    return changed


async def _changed(node: Node, extension: str, question: control.SettingsQuestion) -> Settings:
    answer = await _asked(node, question)
    person = (await node.directory.now()).plan.people.get(extension)
    planned = person.forwards if person is not None and person.forwards is not None else Forwards()
    for found in answer.people:
        if found.extension == extension:
            return _shown(found, planned)
    return _shown(PersonSettings(extension), planned)


async def _pin(node: Node, actor: Actor, extension: str, digits: str) -> None:
    if not actor.may("people.change"):
        own_extension(actor, extension)
    answer = await node.ask(control.SetPin(extension, digits, actor.extension or actor.account))
    assert isinstance(answer, control.DeviceList)
    if answer.problem:
        raise Problem(422, "setting_refused", answer.problem)
    what = "pin.set" if digits else "pin.remove"
    await node.audit.enter(node.clock(), what, actor, whom=extension)


async def _asked(node: Node, question: control.SettingsQuestion) -> control.SettingsInForce:
    answer = await node.ask(question)
    assert isinstance(answer, control.SettingsInForce)
    if answer.problem:
        code, where = _REFUSALS.get(answer.reason, ("setting_refused", ""))
        raise Problem(422, code, answer.problem, where=where)
    return answer


def _shown(found: PersonSettings, planned: Forwards) -> Settings:
    quiet = found.do_not_disturb
    return Settings(
        extension=found.extension,
        forwards=[
            Forward(
                when=one.when,
                to=one.to,
                seconds=one.seconds,
                callers=list(one.callers),
                hours=list(one.hours),
                until_at=one.until,
                set=_set(one.set_by),
            )
            for one in found.forwards
        ],
        planned=Planned(
            always=planned.always,
            busy=planned.busy,
            no_answer=planned.no_answer,
            no_answer_seconds=planned.no_answer_seconds,
            unreachable=planned.unreachable,
        ),
        do_not_disturb=None
        if quiet is None
        else SetUntil(by=quiet.by, set_at=quiet.at, until_at=found.do_not_disturb_until),
        anonymous_rejection=_switched(found.anonymous_rejection),
        call_waiting=_switched(found.call_waiting),
        pauses=[Pause(service=one.service, reason=one.reason, set=_set(one.set_by)) for one in found.pauses],
        ring=Ring(way=found.ring.way, set=_set(found.ring.set_by)) if found.ring is not None else None,
    )


def _switched(found: Switch | None) -> Switched | None:
    return Switched(on=found.on, set=_set(found.set_by)) if found is not None else None


def _set(found: SetBy) -> Set:
    return Set(by=found.by, set_at=found.at)


def _overrides(answer: control.SettingsInForce) -> Overrides:
    return Overrides(items=[_override(one) for one in answer.overrides])


def _override(one: OverrideRecord) -> Override:
    return Override(
        kind=one.kind,
        name=one.name,
        is_open=one.is_open,
        until_at=one.until,
        to=one.to,
        set=_set(one.set_by),
    )
