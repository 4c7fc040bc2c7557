"""Calling back whoever asked for it (`pbx.completions`), and the codes that ask for it and cancel it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dialplan.decision import Facts
from pbx.apps.confirmation import confirm
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.calls.happenings import LegEnded
from pbx.calls.reasons import said
from pbx.calls.summons import BUSY, summon
from pbx.recent_calls import NO_ANSWER, UNREACHABLE
from sip.core.errors import RemoteProtocolError

if TYPE_CHECKING:
    from pbx.completions import Completion

RING_SECONDS = 20.0

_ASKED = {
    "busy": {
        "fr": "Vous serez rappelé dès que {name} sera libre.",
        "en": "You will be called back as soon as {name} is free.",
    },
    NO_ANSWER: {
        "fr": "Vous serez rappelé dès que {name} aura utilisé son téléphone.",
        "en": "You will be called back once {name} has used the telephone.",
    },
    UNREACHABLE: {
        "fr": "Vous serez rappelé dès que {name} sera joignable.",
        "en": "You will be called back as soon as {name} can be reached.",
    },
}
_CANCELLED = {
    "fr": "Le rappel est annulé.",
    "en": "The call back is cancelled.",
}
_SHOWN = {
    "fr": "Rappel : {name}",
    "en": "Call back: {name}",
}
_FREE = {
    "fr": "{name} est libre. Nous l'appelons.",
    "en": "{name} is free. We are calling now.",
}
_BUSY_AGAIN = {
    "fr": "{name} est de nouveau occupé. Vous serez rappelé.",
    "en": "{name} is busy again. You will be called back.",
}


async def ask_call_back(call: Call, argument: str) -> None:
    """Call the caller back when their last call that failed can be made."""

    def act(extension: str) -> Mapping[str, str]:
        record = call.exchange.completions.ask(extension)
        return _named(call, _ASKED[record.why], record.wanted)

    await confirm(call, act)


async def cancel_call_back(call: Call, argument: str) -> None:
    """Call the caller back no more."""

    def act(extension: str) -> Mapping[str, str]:
        call.exchange.completions.cancel(extension)
        return _CANCELLED

    await confirm(call, act)


async def call_back(call: Call, request: Completion) -> None:
    """Ring who asked, say who is free, and call them."""
    completions, record = call.exchange.completions, request.record
    call.facts = Facts(record.wanted, caller=record.asker)
    call.hidden = record.hidden
    try:
        shown = _named(call, _SHOWN, record.wanted)[call.language_of(_SHOWN)]
        call.cause = await summon(call, record.asker, RING_SECONDS, record.wanted, shown)
        if call.cause:
            if call.cause != BUSY:
                completions.end(request, call.cause)
            return
        attendant = Attendant(call)
        attendant.go_on()
        await attendant.say(_named(call, _FREE, record.wanted))
        try:
            decision = call.exchange.router.decide_for(call.caller, record.wanted)
        except RemoteProtocolError:  # another plan, perhaps
            cause = ""
        else:
            cause = await attendant.pass_on(decision)
        if cause == BUSY:
            await attendant.say(_named(call, _BUSY_AGAIN, record.wanted))
            return
        completions.end(request, cause or UNREACHABLE)
        await attendant.say(said(cause))
    except LegEnded:
        completions.end(request, "completed")
        raise
    finally:
        if request.ringing:
            completions.wait_on(request)


def _named(call: Call, texts: Mapping[str, str], extension: str) -> dict[str, str]:
    person = call.exchange.plan.people.get(extension)
    name = person.name if person is not None else extension
    return {language: text.format(name=name) for language, text in texts.items()}
