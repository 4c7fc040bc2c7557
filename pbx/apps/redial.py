"""The codes that call again: the number dialled last, or whoever called last. The number is said first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dialplan.decision import UNKNOWN, Reject
from dialplan.routing import route
from pbx.apps.confirmation import refuse, refuses_transferred, who_dialled
from pbx.apps.spoken import spoken_number
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.calls.reasons import said
from pbx.people.settings import SettingRefused

KEY = "1"
_NOTHING_DIALLED = {
    "fr": "Vous n'avez encore appelé personne.",
    "en": "You have not called anybody yet.",
}
_NOBODY_CALLED = {
    "fr": "Personne ne vous a encore appelé.",
    "en": "Nobody has called you yet.",
}
_HIDDEN = {
    "fr": "Le dernier appel ne montrait pas son numéro.",
    "en": "The last call did not show its number.",
}
_CALLING = {
    "fr": "Appel du {number}.",
    "en": "Calling {number}.",
}
_CALLED = {
    True: {
        "fr": "Dernier appel reçu : le {number}, à {at}. Pour rappeler, tapez 1.",
        "en": "Last call: {number}, at {at}. To call back, press 1.",
    },
    False: {
        "fr": "Appel manqué : le {number}, à {at}. Pour rappeler, tapez 1.",
        "en": "Missed call: {number}, at {at}. To call back, press 1.",
    },
}


Found = tuple[str, Mapping[str, str], str]
"""The number to call, what to say by language, and the key to wait for, "" for none."""


async def redial(call: Call, argument: str) -> None:
    """Say the number that the caller dialled last, and call it."""
    await _call_again(call, _last_dialled)


async def call_last_caller(call: Call, argument: str) -> None:
    """Say who called the caller last, and when; call them where a key is pressed."""
    await _call_again(call, _last_caller)


def _last_dialled(call: Call, extension: str) -> Found:
    """Raises SettingRefused."""
    last = call.exchange.recent_calls.dialled(extension)
    if last is None:
        raise SettingRefused("nothing", _NOTHING_DIALLED, "nothing was dialled")
    return last.dialled, _text(call, _CALLING, last.number), ""


def _last_caller(call: Call, extension: str) -> Found:
    """Raises SettingRefused."""
    last = call.exchange.recent_calls.caller(extension)
    if last is None:
        raise SettingRefused("nothing", _NOBODY_CALLED, "nobody has called")
    number = last.record.from_
    if last.hidden or not number:
        raise SettingRefused("hidden", _HIDDEN, "the last caller is hidden")
    instant = datetime.fromtimestamp(last.record.started, ZoneInfo(call.plan.timezone))
    return number, _text(call, _CALLED[last.answered], number, instant), KEY


def _text(call: Call, texts: Mapping[str, str], number: str, at: datetime | None = None) -> dict[str, str]:
    country = call.plan.country
    return {
        language: text.format(number=spoken_number(number, country, language), at=_hour(at, language))
        for language, text in texts.items()
    }


def _hour(at: datetime | None, language: str) -> str:
    if at is None:
        return ""
    if language == "fr":
        minutes = f" {at.minute:02d}" if at.minute else ""
        return f"{at.hour} heure{'s' if at.hour > 1 else ''}{minutes}"
    return f"{at.hour}:{at.minute:02d}"


async def _call_again(call: Call, find: Callable[[Call, str], Found]) -> None:
    if refuses_transferred(call):
        return
    attendant = Attendant(call)
    await attendant.answer()
    try:
        number, text, key = find(call, who_dialled(call))
    except SettingRefused as error:
        await refuse(attendant, error)
        return
    pressed = await attendant.say(text, until=key)
    if key and pressed != key and await attendant.gather(1) != key:
        return
    facts = call.facts
    assert facts is not None  # who_dialled has looked
    unix_now = call.exchange.clock()
    conditions = call.exchange.conditions.at(unix_now)
    facts = replace(facts, dialled=number, conditions=conditions)
    decision = route(call.exchange.plan, facts, datetime.fromtimestamp(unix_now, UTC))
    if decision.emergency is not None:
        decision = decision._replace(target=UNKNOWN)  # an outside caller may show any number, such as 18
    if isinstance(decision.target, Reject):
        await attendant.say(decision.target.text)
        return
    cause = await attendant.pass_on(decision)
    await attendant.say(said(cause))
