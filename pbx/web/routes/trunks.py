"""The operators' lines: how each is, and what the plan says of it.

A trunk is added, changed and removed as an edit of the plan's text that leaves every other line alone
(pbx.plans.editing), and then goes the way of any plan: checked, compared, put in force, kept in the history.
A draft does all of it but the last step. A secret is never written in a plan, and never taken here: what is
taken is the name of the environment variable that holds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from dialplan.finding import PlanError
from dialplan.number_formats import FORMATS, READINGS
from dialplan.plan import SRTP
from dialplan.trunk_section import CALLER_ID_IN, CALLER_ID_OUT, OPTIONS, TRANSPORTS
from pbx.accounts.actor import Actor
from pbx.control import ListTrunks, TrunkList, TrunkStatus
from pbx.plans.editing import EditingError, Value, entry_of, key_at, with_entry, without_entry
from pbx.plans.proposal import InForce
from pbx.web.access import may
from pbx.web.heavy import heavy
from pbx.web.node import Node, TheNode
from pbx.web.plan_desk import PlanDesk
from pbx.web.plan_shapes import Applied, Comparison, Expected, Reason
from pbx.web.problems import Problem
from pbx.web.routes.plan import desk_of, put_in_force

router = APIRouter(prefix="/trunks", tags=["trunks"])

Reader = Annotated[Actor, may("trunks.read")]
Changer = Annotated[Actor, may("trunks.change")]
NameInPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", examples=["operateur-c"])]
Key = Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]
Word = Annotated[str, Field(max_length=300)]
# `secret: {env: NAME}` is the only one that isn't a word or a list of words.
Setting = Word | bool | int | list[Word] | dict[Key, Word]
Settings = Annotated[
    dict[Key, Setting],
    Field(max_length=50, description="As in the plan's `trunks:`.", examples=[{"host": "sip.example"}]),
]


class TrunkShown(BaseModel):
    """One trunk. state: `up`, `unknown`, `unregistered`, `down`, `refusing`, or "" where no node says.

    since: Unix seconds of the last change of state, 0 where that isn't known. registered_until: Unix seconds,
    0 without a registration; refusal: what was refused last, as `503 Service Unavailable`, and refused_at
    when. line: of the plan. settings: as the plan has them.
    """

    name: str
    line: int
    host: str
    state: str
    since: float
    registers: bool
    registered_until: float
    refusal: str
    refused_at: float
    channels: int
    emergency_channels: int
    channels_in_use: int
    options_delay_ms: float | None
    servers: list[str]
    settings: dict[str, object]


class Trunks(BaseModel):
    """The trunks, in the plan's order. version: of the plan that they are of. next: always ""."""

    items: list[TrunkShown]
    version: str
    next: str = ""


class Choices(BaseModel):
    """What the words of a trunk may be."""

    transports: list[str]
    caller_id_in: list[str]
    caller_id_out: list[str]
    numbers_in: list[str]
    numbers_out: list[str]
    srtp: list[str]
    options: list[str]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DraftTrunk(_Asked):
    """A trunk as it would be. settings: None to take it away. is_new: there is none of that name yet."""

    name: Name
    settings: Settings | None
    is_new: bool = False


class Draft(BaseModel):
    """What would come of it. text: of the plan with it; findings name the field that they are about."""

    text: str
    comparison: Comparison


class AddTrunk(_Asked):
    """A trunk to add."""

    name: Name
    settings: Settings
    expected: Expected
    reason: Reason = ""


class ChangeTrunk(_Asked):
    """A trunk as it is to be: what isn't in `settings` is as it is by default."""

    settings: Settings
    expected: Expected
    reason: Reason = ""


@router.get("", summary="The operators' lines and how they are")
async def trunks(node: TheNode, _: Reader) -> Trunks:
    """List them in the plan's order, with their live state."""
    desk = await desk_of(node)
    statuses = await _statuses(node)
    return await heavy(lambda: _shown(desk, statuses))


@router.get("/choices", summary="What the words of a trunk may be")
async def choices(_: Reader) -> Choices:
    """Return the choices of a form."""
    return Choices(
        transports=list(TRANSPORTS),
        caller_id_in=list(CALLER_ID_IN),
        caller_id_out=list(CALLER_ID_OUT),
        numbers_in=list(READINGS),
        numbers_out=list(FORMATS),
        srtp=list(SRTP),
        options=list(OPTIONS),
    )


@router.post("/draft", summary="What a change of a trunk would come to")
async def draft(node: TheNode, asked: DraftTrunk, _: Changer) -> Draft:
    """Edit the plan's text and check it; nothing is put in force."""
    desk = await desk_of(node)

    def drafted() -> Draft:
        text = _edited(desk.in_force(), asked.name, asked.settings, is_new=asked.is_new)
        compared = desk.compared(text, "", "")
        for finding in compared.findings:
            finding.field = _field(text, asked.name, finding.line)
        return Draft(text=text, comparison=compared)

    return await heavy(drafted)


@router.get("/{name}", summary="One of the operators' lines")
async def trunk(node: TheNode, name: NameInPath, _: Reader) -> TrunkShown:
    """Return one, with its servers in the order of trial and its settings."""
    desk = await desk_of(node)
    statuses = await _statuses(node)
    found = await heavy(lambda: _shown(desk, statuses))
    for one in found.items:
        if one.name == name:
            return one
    raise _unknown(name)


@router.post("", summary="Add a line", status_code=201)
async def add(node: TheNode, asked: AddTrunk, actor: Changer) -> Applied:
    """Add one, the last of the plan's trunks, and put the plan in force."""

    def edit(former: InForce) -> str:
        return _edited(former, asked.name, asked.settings, is_new=True)

    reason = asked.reason or f"trunk {asked.name} added"
    return await _put(node, actor, edit, asked.expected, reason, "trunk.add", asked.name)


@router.put("/{name}", summary="Change a line")
async def change(node: TheNode, name: NameInPath, asked: ChangeTrunk, actor: Changer) -> Applied:
    """Give one these settings and no others, and put the plan in force."""

    def edit(former: InForce) -> str:
        return _edited(former, name, asked.settings, is_new=False)

    reason = asked.reason or f"trunk {name} changed"
    return await _put(node, actor, edit, asked.expected, reason, "trunk.change", name)


@router.delete("/{name}", summary="Take a line out of the plan")
async def remove(
    node: TheNode,
    name: NameInPath,
    actor: Changer,
    expected: Annotated[str, Query(pattern=r"^([0-9a-f]{12})?$")],
    reason: Annotated[str, Query(max_length=500)] = "",
) -> Applied:
    """Take one out, and put the plan in force. What names it in the plan has to be changed before."""

    def edit(former: InForce) -> str:
        return _edited(former, name, None, is_new=False)

    why = reason or f"trunk {name} removed"
    return await _put(node, actor, edit, expected, why, "trunk.remove", name)


async def _put(
    node: Node,
    actor: Actor,
    edit: Callable[[InForce], str],
    expected: str,
    reason: str,
    what: str,
    name: str,
) -> Applied:
    desk = await desk_of(node)

    def edited() -> str:
        former = desk.in_force()
        desk.expect(former, expected)
        return edit(former)

    text = await heavy(edited)
    return await put_in_force(node, actor, text, expected, reason, what, trunk=name)


async def _statuses(node: Node) -> dict[str, TrunkStatus]:
    """How the trunks of the running node are; none where no node answers."""
    try:
        answer = await node.ask(ListTrunks())
    except Problem:
        return {}
    assert isinstance(answer, TrunkList)
    return {status.name: status for status in answer.trunks}


def _shown(desk: PlanDesk, statuses: dict[str, TrunkStatus]) -> Trunks:
    former = desk.in_force()
    plan = desk.plan(former.text) if former.text else None
    items = []
    for one in plan.trunks.values() if plan is not None else ():
        status = statuses.get(one.name)
        items.append(
            TrunkShown(
                name=one.name,
                line=one.line,
                host=one.host,
                state=status.state if status else "",
                since=status.since if status else 0.0,
                registers=one.registers,
                registered_until=(status.registered_until or 0.0) if status else 0.0,
                refusal=status.refusal if status else "",
                refused_at=status.refused_at if status else 0.0,
                channels=one.channels,
                emergency_channels=one.emergency_channels,
                channels_in_use=status.channels_in_use if status else 0,
                options_delay_ms=status.options_delay_ms if status else None,
                servers=status.servers if status else [],
                settings=_entry(former.text, one.name),
            )
        )
    return Trunks(items=items, version=former.version)


def _entry(text: str, name: str) -> dict[str, object]:
    try:
        return entry_of(text, "trunks", name)
    except (PlanError, EditingError):
        return {}


def _edited(former: InForce, name: str, settings: dict[str, Setting] | None, *, is_new: bool) -> str:
    """The plan's text with a trunk as it is to be. Raises Problem."""
    if not former.text:
        raise Problem(404, "no_plan", former.trouble or "no plan is in force yet")
    is_there = bool(_entry(former.text, name))
    if is_new and is_there:
        raise Problem(409, "trunk_exists", f'the plan has a trunk "{name}" already', where="name")
    if not is_new and not is_there:
        raise _unknown(name)
    try:
        if settings is None:
            return without_entry(former.text, "trunks", name)
        values: dict[str, Value] = {key: _value(key, value) for key, value in settings.items()}
        return with_entry(former.text, "trunks", name, values)
    except PlanError as error:
        raise Problem(409, "plan_unreadable", str(error.findings[0]), mend="mend the plan's text") from None
    except EditingError as error:
        raise Problem(409, "plan_uneditable", str(error), mend="edit the plan's text") from None


def _value(key: str, value: Setting) -> Value:
    """A setting as it may be written. Raises Problem for a secret."""
    if key == "secret" and not (isinstance(value, dict) and [*value] == ["env"]):
        raise Problem(
            422,
            "secret_in_plan",
            "a secret is never written in a plan",
            mend='send {"env": "NAME"}, and put the secret in that environment variable where Beffroi starts',
            where="settings.secret",
        )
    return value


def _field(text: str, name: str, line: int) -> str:
    try:
        return key_at(text, "trunks", name, line)
    except PlanError:
        return ""


def _unknown(name: str) -> Problem:
    return Problem(404, "unknown_trunk", f'the plan in force has no trunk "{name}"', where="name")
