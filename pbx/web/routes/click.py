"""Click to call: what the button of the town's site and its panel ask, for visitors who are nobody."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from pbx import control
from pbx.click_to_call import Button
from pbx.people.visitor_passwords import VisitorPasswords
from pbx.turn import ice_policy, ice_servers
from pbx.web.access import Guest, anybody
from pbx.web.client import network_of
from pbx.web.node import Node, TheNode
from pbx.web.problems import Problem
from pbx.web.routes.telephone import IceServer
from pbx.web.waiting_room import PassRefused, TooMany

router = APIRouter(prefix="/click", tags=["click to call"])

Visitor = Annotated[Guest, anybody()]
Name = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,40}$", examples=["mairie"])]


class PassShown(BaseModel):
    """What opens the panel: it stands behind the # of its address."""

    visit: str = Field(
        examples=["mairie.5f0c2a9e61b7d3845f0c2a9e.1798189800.q1ZbMEdK3bW0lHcRr0y0kq5p5vJm4V0"]
    )


class PassGiven(BaseModel):
    """A pass, as the button of the site got it."""

    visit: str = Field(max_length=200)


class NumberLeft(PassGiven):
    """A number to be called back."""

    number: str = Field(max_length=30, examples=["06 12 34 56 78"])


class ButtonShown(BaseModel):
    """A button. title: by language; is_open: whether its service is, by its hours; answers: whether anybody
    or anything does; calls_back: whether a number may be left."""

    name: str = Field(examples=["mairie"])
    title: dict[str, str] = Field(examples=[{"fr": "Appeler la mairie"}])
    is_open: bool
    answers: bool
    calls_back: bool


class VisitorTold(BaseModel):
    """What a visitor may do now.

    state: `call` with a password that works once, before `expires_at` (Unix seconds); `wait`, and ask again
    in some seconds, with so many `before`; `closed` where nobody answers.
    """

    state: Literal["call", "wait", "closed"]
    before: int = Field(default=0, examples=[2])
    calls_back: bool = False
    domain: str = Field(default="", examples=["valmont.example"])
    service: str = Field(default="", examples=["standard"])
    username: str = Field(default="", examples=["visitor/mairie/5f0c2a9e61b7d3845f0c2a9e/1798189260"])
    password: str = Field(default="", examples=["q1ZbMEdK3bW0lHcRr0y0kq5p5vJm4V0mX1lN3oQx2Tw"])
    expires_at: float = Field(default=0.0, examples=[1798189260.0])
    ice_servers: list[IceServer] = []
    ice_policy: Literal["all", "relay"] = "all"


@router.get("/{name}/pass", summary="Open the panel of a button from the town's site")
async def admit(request: Request, response: Response, node: TheNode, guest: Visitor, name: Name) -> PassShown:
    """Return a pass to a page of a declared site, which its browser names (RFC 6454 section 7)."""
    button = button_of(node, name)
    origin = request.headers.get("origin", "").lower()
    if origin not in button.sites:
        # Its page may read the refusal: the button says so in words.
        headers = {"Access-Control-Allow-Origin": "*", "Vary": "Origin"}
        raise Problem(403, "other_site", "this button isn't for that site", headers=headers)
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Vary"] = "Origin"
    return PassShown(visit=node.waiting_room.admit(button, node.clock()))


@router.get("/{name}", summary="How a button is now")
async def show(node: TheNode, guest: Visitor, name: Name) -> ButtonShown:
    """Return what the panel shows before anybody calls."""
    button, doorway = button_of(node, name), await _doorway(node, name)
    return ButtonShown(
        name=name,
        title=dict(button.title),
        is_open=doorway.is_open,
        answers=doorway.answers,
        calls_back=doorway.calls_back,
    )


@router.post("/{name}/calls", summary="Call by a button, or wait in the line")
async def call(node: TheNode, guest: Visitor, name: Name, given: PassGiven) -> VisitorTold:
    """Return a password for one call, or a place in the line; ask again within some seconds to keep it."""
    button, now, room = button_of(node, name), node.clock(), node.waiting_room
    try:
        shown = room.read(button, given.visit, now)
        doorway = await _doorway(node, name)
        if not doorway.answers:
            return VisitorTold(state="closed", calls_back=doorway.calls_back)
        before = room.place(button, shown, doorway.in_progress, now)
        if before:
            return VisitorTold(state="wait", before=before, calls_back=doorway.calls_back)
        room.count(button, shown, network_of(guest.address), now)
    except PassRefused as refused:
        raise _no_pass(refused) from None
    except TooMany as many:
        raise _too_many(many) from None
    room.given(button, shown, now)
    domain = node.configuration.domain
    issued = VisitorPasswords(node.sealing, domain).issue(name, button.service, now)
    return VisitorTold(
        state="call",
        domain=domain,
        service=button.service,
        username=issued.username,
        password=issued.password,
        expires_at=issued.ends_at,
        ice_servers=[IceServer(**server) for server in ice_servers(node.configuration, button.device, now)],
        ice_policy=ice_policy(node.configuration),
    )


@router.post("/{name}/numbers", status_code=204, summary="Leave a number to be called back")
async def leave_number(node: TheNode, guest: Visitor, name: Name, given: NumberLeft) -> None:
    """Have the service's agents call this number when its turn comes; nothing else is kept of who left it."""
    button, now, room = button_of(node, name), node.clock(), node.waiting_room
    try:
        shown = room.read(button, given.visit, now)
        room.count(button, shown, network_of(guest.address), now)
    except PassRefused as refused:
        raise _no_pass(refused) from None
    except TooMany as many:
        raise _too_many(many) from None
    answer = await node.ask(control.CallVisitorBack(name, given.number))
    if not isinstance(answer, control.DoorwayNow) or answer.problem:
        problem = answer.problem if isinstance(answer, control.DoorwayNow) else "this can't be kept now"
        raise Problem(422, "number_refused", problem, where="number")
    room.leave(button, shown)


def button_of(node: Node, name: str) -> Button:
    """Return a button by its name. Raises Problem (404)."""
    for button in node.configuration.click_to_call:
        if button.name == name:
            return button
    raise Problem(404, "not_found", "there is no such button")


async def _doorway(node: Node, name: str) -> control.DoorwayNow:
    answer = await node.ask(control.AskDoorway(name))
    if not isinstance(answer, control.DoorwayNow) or not answer.found:
        detail, mend = "the plan has no such service", "`click_to_call:` in the configuration names one"
        raise Problem(503, "no_service", detail, mend=mend)
    return answer


def _no_pass(refused: PassRefused) -> Problem:
    return Problem(403, "pass_refused", str(refused), mend="press the site's button again")


def _too_many(many: TooMany) -> Problem:
    seconds = max(math.ceil(many.seconds), 1)
    mend, headers = "call by telephone, or try again later", {"Retry-After": str(seconds)}
    return Problem(429, "too_many_calls", "too many calls come from here", mend=mend, headers=headers)
