"""Answer a code: do what it asks, say what was done, and hang up. Where it can't be done: a tone, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from media.engine import Source
from media.speech import Speech
from media.tones import Segment, Tone
from pbx.calls.bridge import caller_answer
from pbx.calls.call import Call
from pbx.calls.happenings import Offered, Played, TimeUp
from pbx.settings import SettingRefused

LONGEST_SECONDS = 30.0
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
    caller, engine = call.caller, call.engine
    if call.payer:  # a party that is being transferred: it stays where it is, and the code was never for it
        call.cause = "rejected: caller"
        caller.refuse(403, call.cause)
        return
    if call.offer:
        body = await engine.publish(
            call.id, caller.name, call.offer, nat=caller.behind_nat, advertise=caller.media_address
        )
    else:
        body = await engine.terminate_offer(call.id, caller.name, advertise=caller.media_address)
    refused = False
    try:
        text = act(_who_dialled(call))
    except SettingRefused as error:
        refused, text = True, error.text
        call.cause = f"rejected: {error.reason}"
    caller.answer(body)
    if not call.offer:
        answer = await caller_answer(call)
        await engine.terminate_answer(call.id, caller.name, answer, nat=caller.behind_nat)
    if refused:
        await _play(call, REFUSED)
    language = call.language_of(text)
    await _play(call, Speech(text[language], language))


def _who_dialled(call: Call) -> str:
    """The extension that a code is for: of whoever dialled it, never of somebody whose call was sent here."""
    facts = call.facts
    if facts is None or facts.caller is None or call.decision.diversions:
        raise SettingRefused("caller", _NOT_YOURS, "a code is dialled by whom it is for")
    return facts.caller


async def _play(call: Call, source: Source) -> None:
    """Play to the caller to the end. Raises LegEnded when it hangs up."""
    await call.engine.play(call.id, call.caller.name, source)
    driver = call.exchange.driver
    deadline = driver.now + LONGEST_SECONDS
    while True:
        match await call.next_happening(deadline - driver.now):
            case Played() | TimeUp():
                return
            case Offered(leg, _):
                leg.refuse_offer(488)  # it lasts some seconds: what was agreed holds for them
            case _:
                pass
