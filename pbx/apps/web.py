"""A web step: what a menu's caller hears, or where it goes on, is what a web service of the town says.

    "Enter your file's number" ── digits ──> the web service ──> says something, or names who takes the call
                                                   └ no answer in time, or none that can be used: `otherwise`

The answer may name people and services of the plan, and nothing else: a web service that is broken into calls
nobody outside. A caller is told when nobody can be reached, and never left in silence.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

from dialplan.plan import Destination, Plan, SecretRef, Service
from media.engine import Music
from media.speech import Speech
from pbx.apps.menu import GOODBYE, NOBODY
from pbx.apps.web_service import Answer, NoAnswer, Question
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.calls.happenings import TimeUp

if TYPE_CHECKING:
    from asyncio import Future

log = logging.getLogger(__name__)

SECONDS = 4
MOST_DIGITS = 16
_MOMENT = {"fr": "Un instant, s'il vous plaît.", "en": "One moment, please."}


async def web(call: Call, service: Service) -> None:
    """Answer, ask the web service, and do what it says."""
    attendant = Attendant(call)
    await attendant.answer()
    try:
        answer = await _asked(attendant, service, await _digits(attendant, service))
        to = destinations(call.plan, answer.to)
        if answer.to and not to:
            raise NoAnswer(f"it names {answer.to[:40]!r}, which the plan doesn't have")
    except NoAnswer as error:
        log.warning("call=%s service=%s web step: %s", call.id, service.name, error)
        await _otherwise(attendant, service)
        return
    if answer.say:
        texts = answer.say if isinstance(answer.say, dict) else {_language(call): answer.say}
        language = call.language_of(texts)
        await attendant.play(Speech(texts[language], language, kept=False))  # it is this caller's alone
    for one in to:
        await attendant.connect(one, f"web {service.name}, the answer")
        await attendant.say(NOBODY)
    if to or not answer.say:
        await _otherwise(attendant, service)
    else:
        attendant.hang_up("completed")


def destinations(plan: Plan, to: str) -> tuple[Destination, ...]:
    """Where an answer sends the caller, as a tuple of one; empty where the plan has no such place."""
    if to in plan.services:
        return (Destination("service", to, plan.services[to].line, plan.services[to].column),)
    if to in plan.people or to in plan.tables.services:
        return (Destination("inside", to, 0, 0),)
    return ()


async def _digits(attendant: Attendant, service: Service) -> str:
    """What the caller presses, where it is asked."""
    prompt, most = service.texts("prompt"), service.settings.get("digits", MOST_DIGITS)
    assert isinstance(most, int)
    if not prompt:
        return ""
    first = await attendant.say(prompt, until="0123456789*")
    return first + (await attendant.gather(most - len(first)) if len(first) < most else "")


async def _asked(attendant: Attendant, service: Service, digits: str) -> Answer:
    """Ask while the caller hears music. Raises NoAnswer."""
    call, setting = attendant.call, service.settings.get
    exchange = call.exchange
    seconds, secret = setting("seconds", SECONDS), setting("secret")
    assert isinstance(seconds, int)
    token = os.environ.get(secret.env, "") if isinstance(secret, SecretRef) else ""
    if isinstance(secret, SecretRef) and not token:
        raise NoAnswer(f"{secret.env} isn't set")
    caller = "" if call.hidden else call.from_number
    question = Question(call.id, service.name, caller, call.decision.dialled, digits, _language(call))
    answered: Future[Answer] = asyncio.get_running_loop().create_future()

    async def ask() -> None:
        try:
            answer = await exchange.web.ask(
                str(setting("url")), str(setting("method", "POST")), token, question, seconds
            )
        except NoAnswer as error:
            answered.set_exception(error)
        else:
            answered.set_result(answer)
        attendant.wake()

    asking = exchange.beside(ask(), f"web step of {call.id}")
    try:
        await attendant.say(_MOMENT)
        until = exchange.driver.now + seconds
        while not answered.done():
            left = max(until + 1.0 - exchange.driver.now, 0.0)
            if isinstance(await attendant.wait(Music(), left), TimeUp) and not answered.done():
                raise NoAnswer("nothing came in time")
        return answered.result()
    finally:
        asking.cancel()
        if answered.done():
            answered.exception()  # it was looked at


def _language(call: Call) -> str:
    return call.language_of({"fr": "", "en": ""})


async def _otherwise(attendant: Attendant, service: Service) -> None:
    """Where the plan sends a caller that the web service has no answer for; ends the call (LegEnded)."""
    otherwise = service.settings.get("otherwise")
    if isinstance(otherwise, Destination):
        await attendant.connect(otherwise, f"web {service.name}, otherwise")
    await attendant.say(GOODBYE)
    attendant.hang_up("no answer of the web")
