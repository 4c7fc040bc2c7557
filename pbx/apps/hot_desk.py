"""Codes of a hot desk: log in on the telephone that one sits at, and out again (pbx.people.seats)."""

from __future__ import annotations

from collections.abc import Mapping

from pbx.apps.asking_pin import check_pin
from pbx.apps.confirmation import confirm, refuse, refuses_transferred, who_dialled
from pbx.apps.spoken import spoken_number
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.people.settings import SettingRefused

_YOURS = {
    "fr": "Ce poste est maintenant le vôtre, {name}, numéro {number}.",
    "en": "This telephone is yours now, {name}, number {number}.",
}
_ITS_OWN = {
    "fr": "Ce poste est de nouveau à {name}.",
    "en": "This telephone is {name}'s again.",
}
_NOBODY = {"fr": "Ce numéro n'appartient à personne.", "en": "Nobody has this number."}


async def log_in(call: Call, argument: str) -> None:
    """Make the caller's telephone that of the person with this extension, whose PIN is asked.

    Its own person needs none: they have its password, and anybody may log out.
    """
    if refuses_transferred(call):
        return
    exchange, sign_in = call.exchange, call.caller.device
    attendant = Attendant(call)
    await attendant.answer()
    try:
        who_dialled(call)
        device = exchange.devices.find(sign_in)
        if device is None or argument not in exchange.plan.people:
            raise SettingRefused("person", _NOBODY, f"nobody has {argument[:40]}")
        if device.owner != argument:
            await check_pin(attendant, argument, f"device {sign_in}", f"person {argument}")
        exchange.seats.take(sign_in, argument, argument)
    except SettingRefused as error:
        await refuse(attendant, error)
        return
    await attendant.say(_told(call, _YOURS, argument))


async def log_out(call: Call, argument: str) -> None:
    """Give the caller's telephone back to its own person."""

    def act(extension: str) -> Mapping[str, str]:
        sign_in = call.caller.device
        call.exchange.seats.give_back(sign_in, extension)
        device = call.exchange.devices.find(sign_in)
        return _told(call, _ITS_OWN, device.extension if device is not None else extension)

    await confirm(call, act)


def _told(call: Call, texts: Mapping[str, str], extension: str) -> Mapping[str, str]:
    """A text with a person's name and number, by language."""
    plan = call.exchange.plan
    name = plan.people[extension].name
    return {
        language: text.format(name=name, number=spoken_number(extension, plan.country, language))
        for language, text in texts.items()
    }
