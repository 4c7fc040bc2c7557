"""Ask a caller for somebody's PIN, and set one's own."""

from __future__ import annotations

from pbx.apps.confirmation import refuse, refuses_transferred, who_dialled
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.people.pins import MOST_DIGITS, Verdict
from pbx.people.settings import SettingRefused

ATTEMPTS = 3
_KEYS_SECONDS = 10.0

_ASK = {"fr": "Tapez votre code PIN, puis dièse.", "en": "Enter your PIN, then the hash key."}
_WRONG = {"fr": "Ce code n'est pas le bon.", "en": "That is not the right one."}
_LOCKED = {
    "fr": "Trop de codes faux. Réessayez dans une heure, ou demandez au service informatique.",
    "en": "Too many wrong ones. Try again in an hour, or ask your IT service.",
}
_NONE = {
    "fr": "Aucun code PIN n'est choisi pour ce numéro. Choisissez-en un depuis votre poste.",
    "en": "This number has no PIN. Choose one from your own telephone.",
}
_NEW = {
    "fr": "Tapez votre nouveau code PIN, de 4 à 8 chiffres, puis dièse.",
    "en": "Enter your new PIN, 4 to 8 digits, then the hash key.",
}
_AGAIN = {"fr": "Encore une fois.", "en": "Once more."}
_DIFFERENT = {
    "fr": "Les deux codes ne sont pas les mêmes.",
    "en": "The two are not the same.",
}
_SET = {"fr": "Votre code PIN est enregistré.", "en": "Your PIN is set."}


async def check_pin(attendant: Attendant, extension: str, *names: str) -> None:
    """Let the caller enter a person's PIN, a few times. names: what wrong ones count under (people.pins).

    Raises SettingRefused, with what to tell, where the right one didn't come.
    """
    call, pins = attendant.call, attendant.call.exchange.pins
    if not pins.has(extension):
        raise SettingRefused("pin", _NONE, f"{extension} has no PIN")
    for attempt in range(ATTEMPTS):
        if pins.is_locked(*names):
            raise SettingRefused("pin", _LOCKED, f"too many wrong PINs for {extension}")
        if attempt:
            await attendant.say(_WRONG)
        attendant.forget_keys()
        digits = await _entered(attendant, _ASK)
        if digits and pins.check(extension, digits, *names) is Verdict.RIGHT:
            return
    reason = _LOCKED if pins.is_locked(*names) else _WRONG
    raise SettingRefused("pin", reason, f"no right PIN for {extension} in call {call.id}")


async def set_pin(call: Call, argument: str) -> None:
    """Choose one's own PIN, from one's own telephone; where there is one already, that is asked first."""
    if refuses_transferred(call):
        return
    attendant = Attendant(call)
    await attendant.answer()
    try:
        extension = who_dialled(call)
        if call.exchange.pins.has(extension):
            device = call.caller.device
            await check_pin(attendant, extension, f"device {device}", f"person {extension}")
        first = await _entered(attendant, _NEW)
        if first != await _entered(attendant, _AGAIN):
            raise SettingRefused("pin", _DIFFERENT, "the two PINs differ")
        call.exchange.pins.set(extension, first, extension)
    except SettingRefused as error:
        await refuse(attendant, error)
        return
    await attendant.say(_SET)


async def _entered(attendant: Attendant, prompt: dict[str, str]) -> str:
    """The keys that follow a prompt, which the first of them ends. One too many is kept: it is wrong then."""
    first = await attendant.say(prompt, until="0123456789")
    further = await attendant.gather(MOST_DIGITS + 1 - len(first), seconds=_KEYS_SECONDS)
    return first + further
