"""The first run: five questions answered in a page, where a node has no configuration yet.

The one-use link that `beffroi serve` printed lets one browser in, by a cookie that holds as long as the first
run lasts. On a node that is installed these routes say so, and nothing else.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import secrets
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import Annotated

import segno
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse

from dialplan.country import known_countries
from pbx.accounts import links, records
from pbx.accounts.passwords import strong
from pbx.accounts.sessions import csrf_of
from pbx.node.first_run import QUESTIONS, Given, Place, WrongAnswer, check, given_of, install, instant
from pbx.node.installation import InstallationError
from pbx.web.access import Guest, anybody, cookie_name, is_secure
from pbx.web.node import TheNode
from pbx.web.problems import Problem
from pbx.web.sign_in_cookies import set_session, visitor_of

router = APIRouter(prefix="/first-run", tags=["first run"])

COOKIE = "beffroi-first-run"
_MOST_ANSWER = 200


@dataclass(slots=True)
class FirstRun:
    """A first run that goes on.

    key: what the browser that came by the link holds; ended: the town is made, and the page told so.
    """

    place: Place
    key: str = ""
    is_installed: bool = False
    is_stopped: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    installing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def stop(self) -> None:
        """End it, whatever was reached: whoever started it wants no more."""
        self.is_stopped = True
        self.ended.set()


class LinkUsed(BaseModel):
    """The link, without what stands before `#`."""

    link: str = Field(max_length=100, examples=["6vQ0h9m3kB0f2c1yJq4w8xTz7dPs5uLaRnEoHiGtKjM"])


class AnswersGiven(BaseModel):
    """The answers of all questions so far, by name."""

    answers: dict[Annotated[str, Field(max_length=40)], Annotated[str, Field(max_length=_MOST_ANSWER)]] = (
        Field(max_length=40, examples=[{"organization": "Ville de Valmont", "country": "FR"}])
    )


class QuestionAnswered(AnswersGiven):
    """The answers so far, and which question they are checked for."""

    question: str = Field(max_length=40, examples=["town"])


class FirstRunBegun(BaseModel):
    """What the page begins with. questions: their names, with those of their answers; answers: usual ones."""

    questions: dict[str, list[str]] = Field(examples=[{"town": ["organization", "country"]}])
    answers: dict[str, str] = Field(examples=[{"country": "FR", "first": "2000", "last": "2199"}])
    countries: list[str] = Field(examples=[["FR"]])


class Checked(BaseModel):
    """Nothing is wrong with the answers."""

    question: str = Field(examples=["town"])


class FirstTelephone(BaseModel):
    """What a first telephone signs in with. password: shown this once; picture: an SVG of it, in base64."""

    server: str = Field(examples=["192.168.1.10"])
    sign_in: str = Field(examples=["2000"])
    password: str = Field(examples=["k3v9w2m7p4t8x5b6n3q2"])
    echo: str = Field(examples=["9196"])
    account: str = Field(examples=["anne.martin"])
    picture: str


def first_run_of(connection: HTTPConnection) -> FirstRun:
    """The first run that goes on. Raises Problem (409) on a node that is installed."""
    going_on: FirstRun | None = getattr(connection.app.state, "first_run", None)
    if going_on is None or going_on.is_installed:
        raise Problem(409, "installed", "this node is installed already", mend="sign in")
    return going_on


def _let_in(connection: HTTPConnection) -> FirstRun:
    """The first run, for the browser that came by the link. Raises Problem (403) for any other."""
    going_on = first_run_of(connection)
    held = connection.cookies.get(cookie_name(connection, COOKIE), "")
    if not going_on.key or not hmac.compare_digest(going_on.key.encode(), held.encode("utf-8", "replace")):
        mend = "take the link that `beffroi serve` printed, or another one by `beffroi first-run`"
        raise Problem(403, "first_run_link", "this browser hasn't come by the link", mend=mend)
    return going_on


Begun = Annotated[FirstRun, Depends(_let_in)]


@router.post("/open", summary="Begin the first run by its link")
async def open_link(
    request: Request, node: TheNode, _: Annotated[Guest, anybody()], used: LinkUsed
) -> FirstRunBegun:
    """Use the link up and let this browser in, instead of one that was let in before."""
    going_on = first_run_of(request)
    now = node.clock()
    await node.write(lambda connection: links.use_link(connection, used.link, "first-run", now))
    going_on.key = secrets.token_urlsafe(32)
    answer = JSONResponse(_begun().model_dump())
    answer.set_cookie(
        cookie_name(request, COOKIE), going_on.key, secure=is_secure(request), httponly=True, samesite="lax"
    )
    return answer  # type: ignore[return-value]  # a FirstRunBegun, with its cookie


@router.get("", summary="Go on with the first run")
async def read(_: Annotated[Guest, anybody()], __: Begun) -> FirstRunBegun:
    """Return what the page begins with, for the browser that was let in."""
    return _begun()


@router.post("/check", summary="Check the answers to a question")
async def check_answers(
    node: TheNode, _: Annotated[Guest, anybody()], __: Begun, answered: QuestionAnswered
) -> Checked:
    """Say what is wrong with the answers to one question; `where` names the answer."""
    if answered.question not in QUESTIONS:
        raise Problem(422, "no_question", "there is no such question", where="question")
    now = instant(node.clock())
    try:
        await asyncio.to_thread(check, answered.question, given_of(answered.answers), now)
    except WrongAnswer as error:
        raise _problem(error) from None
    return Checked(question=answered.question)


@router.post("/finish", summary="Make the town")
async def finish(
    request: Request, node: TheNode, guest: Annotated[Guest, anybody()], going_on: Begun, given: AnswersGiven
) -> FirstTelephone:
    """Write plan and configuration, add the first administrator, and start the node.

    The browser is signed in as that administrator, who still has to set up a second factor.
    """
    answers, now = given_of(given.answers), node.clock()
    async with going_on.installing:
        first_run_of(request)
        try:
            for question in QUESTIONS:
                await asyncio.to_thread(check, question, answers, instant(now))
            password = strong(answers.password, account=answers.account, name=answers.name)
            hashed = await node.accounts.hashing.hash(password)
            made = await asyncio.to_thread(install, going_on.place, answers, hashed, now)
        except WrongAnswer as error:
            raise _problem(error) from None
        except InstallationError as error:
            raise Problem(409, "not_installed", str(error)) from None
        going_on.is_installed = True
        account = await node.read(lambda connection: records.find(connection, made.account))
        signed_in = await node.accounts.begin(account, "link", visitor_of(request))
        actor = signed_in.actor(guest.address)
        await node.audit.enter(now, "node.install", actor, name=answers.organization[:_MOST_ANSWER])
    told = FirstTelephone(
        server=made.server,
        sign_in=made.sign_in,
        password=made.password,
        echo=made.echo,
        account=made.account,
        picture=_picture(f"sip:{made.sign_in}@{made.server}\n{made.password}"),
    )
    answer = JSONResponse(
        {**told.model_dump(), "csrf": csrf_of(signed_in.token)}, background=BackgroundTask(_end, going_on)
    )
    set_session(request, answer, signed_in.token)
    return answer  # type: ignore[return-value]  # a FirstTelephone, with the session's cookie


async def _end(going_on: FirstRun) -> None:
    """The answer is on its way: the node may start."""
    going_on.ended.set()


def _problem(error: WrongAnswer) -> Problem:
    return Problem(422, error.code, str(error), where=error.where)


def _begun() -> FirstRunBegun:
    answers = {name: text for name, text in asdict(Given()).items() if text}
    questions = {question: list(names) for question, names in QUESTIONS.items()}
    return FirstRunBegun(questions=questions, answers=answers, countries=list(known_countries()))


def _picture(text: str) -> str:
    """What a camera reads, as an SVG in base64."""
    drawn = BytesIO()
    segno.make(text, error="m").save(drawn, kind="svg", scale=4, border=4, light="#fff")
    return base64.b64encode(drawn.getvalue()).decode()
