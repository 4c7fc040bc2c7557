"""Answer a code: do what it asks, say what was done, and hang up. Where it can't be done: a tone, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from media.tones import Segment, Tone
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.people.settings import SettingRefused

REFUSED: Final = Tone((Segment(100, (440,)), Segment(100)) * 6)
"""Six short beeps, which say in any language that nothing was set."""

_NOT_YOURS = {
    "fr": "Ce code ne peut être composé que depuis un téléphone de la maison.",
    "en": "This code can only be dialled from a telephone of this organisation.",
}


async def confirm(call: Call, act: Callable[[str], Mapping[str, str]]) -> None:
    """Carry out a code for the person who dialled it, then say what `act` returns, by language.

    act: given the extension; what it raises as SettingRefused is told after the tone. It is carried out once
    the caller is known to hear us, so that a call that fails has set nothing.
    """
    if refuses_transferred(call):
        return
    attendant = Attendant(call)
    await attendant.answer()
    try:
        text = act(who_dialled(call))
    except SettingRefused as error:
        await refuse(attendant, error)
        return
    await attendant.say(text)


def refuses_transferred(call: Call) -> bool:
    """Whether the caller is a party that is being transferred: it stays where it is, and is told nothing; the
    code was never for it."""
    if call.payer:
        call.cause = "rejected: caller"
        call.caller.refuse(403, call.cause)
    return bool(call.payer)


async def refuse(attendant: Attendant, error: SettingRefused) -> None:
    """A tone, and why nothing was set."""
    attendant.call.cause = f"rejected: {error.reason}"
    await attendant.play(REFUSED)
    await attendant.say(error.text)


def who_dialled(call: Call) -> str:
    """The extension that a code is for: of whoever dialled it, never of somebody whose call was sent here.

    Raises SettingRefused where that is nobody of ours.
    """
    facts = call.facts
    if facts is None or facts.caller is None or call.decision.diversions:
        raise SettingRefused("caller", _NOT_YOURS, "a code is dialled by whom it is for")
    return facts.caller
