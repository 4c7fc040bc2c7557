"""Codes that send one's own calls on, or stop that, or tell what is set."""

from __future__ import annotations

from collections.abc import Mapping

from dialplan.decision import Forwards
from dialplan.forwarding import WHENS
from dialplan.routing import forwards_of
from pbx.apps.confirmation import confirm
from pbx.apps.spoken import spoken_number
from pbx.calls.call import Call

_SET = {
    "always": {
        "fr": "Vos appels sont renvoyés vers le {number}.",
        "en": "Your calls are forwarded to {number}.",
    },
    "busy": {
        "fr": "Quand vous êtes en ligne, vos appels sont renvoyés vers le {number}.",
        "en": "When you are busy, your calls are forwarded to {number}.",
    },
    "no_answer": {
        "fr": "Sans réponse après {seconds} secondes, vos appels sont renvoyés vers le {number}.",
        "en": "After {seconds} seconds without an answer, your calls are forwarded to {number}.",
    },
    "unreachable": {
        "fr": "Quand votre téléphone n'est pas joignable, vos appels sont renvoyés vers le {number}.",
        "en": "When your telephone cannot be reached, your calls are forwarded to {number}.",
    },
}
_STOPPED = {
    "": {
        "fr": "Vos appels ne sont plus renvoyés.",
        "en": "Your calls are not forwarded any more.",
    },
    "always": {
        "fr": "Le renvoi permanent est supprimé.",
        "en": "Your calls are not always forwarded any more.",
    },
    "busy": {
        "fr": "Le renvoi sur occupation est supprimé.",
        "en": "Your calls are not forwarded on busy any more.",
    },
    "no_answer": {
        "fr": "Le renvoi sur non-réponse est supprimé.",
        "en": "Your calls are not forwarded on no answer any more.",
    },
    "unreachable": {
        "fr": "Le renvoi sur non-joignable est supprimé.",
        "en": "Your calls are not forwarded any more when you cannot be reached.",
    },
}
_NOTHING = {
    "fr": "Vos appels ne sont pas renvoyés.",
    "en": "Your calls are not forwarded.",
}
_SOME = {
    "fr": "Certains appels sont renvoyés, selon l'appelant ou l'heure.",
    "en": "Some calls are forwarded, by caller or by hour.",
}
_DO_NOT_DISTURB = {
    "fr": "Ne pas déranger est activé.",
    "en": "Do not disturb is on.",
}


async def set_forward(call: Call, argument: str, *, when: str) -> None:
    """Send the caller's calls on: `2020`, or `2020*15` to ring for 15 seconds before."""

    def act(extension: str) -> Mapping[str, str]:
        to, _, seconds = argument.partition("*")
        settings = call.exchange.settings
        # Longer than any time that rings: what is refused is told as such, and no number is read in full.
        ring_seconds = int(seconds[:9]) if seconds else 0
        kept = settings.forward(extension, when, to, extension, seconds=ring_seconds)
        usual = forwards_of(call.exchange.plan, call.exchange.conditions.at(call.started_at), extension)
        return _forwarded(call, when, kept.to, kept.seconds or usual.no_answer_seconds)

    await confirm(call, act)


async def stop_forward(call: Call, argument: str, *, when: str) -> None:
    """Send the caller's calls on no more. when: "" for all forwards."""

    def act(extension: str) -> Mapping[str, str]:
        call.exchange.settings.stop_forwarding(extension, extension, when)
        return _STOPPED[when]

    await confirm(call, act)


async def tell_forwards(call: Call, argument: str) -> None:
    """Say where the caller's calls are sent on, by themselves or by the plan."""

    def act(extension: str) -> Mapping[str, str]:
        conditions = call.exchange.conditions.at(call.started_at)
        return _told(call, forwards_of(call.exchange.plan, conditions, extension))

    await confirm(call, act)


def _told(call: Call, forwards: Forwards) -> Mapping[str, str]:
    sentences: list[Mapping[str, str]] = [_DO_NOT_DISTURB] if forwards.do_not_disturb else []
    for when in WHENS:
        to, seconds = getattr(forwards, when), forwards.no_answer_seconds
        for rule in forwards.rules:
            if rule.when == when and not rule.callers and not rule.hours:
                to, seconds = rule.to, rule.seconds or seconds
                break
        if to:
            sentences.append(_forwarded(call, when, to, seconds))
    if any(rule.callers or rule.hours for rule in forwards.rules):
        sentences.append(_SOME)
    if not sentences or sentences == [_DO_NOT_DISTURB]:
        sentences.append(_NOTHING)
    return {language: " ".join(one[language] for one in sentences) for language in ("fr", "en")}


def _forwarded(call: Call, when: str, to: str, seconds: int) -> Mapping[str, str]:
    country = call.exchange.plan.country
    return {
        language: text.format(number=spoken_number(to, country, language), seconds=seconds)
        for language, text in _SET[when].items()
    }
