"""Codes of those who answer a queue or a group: take no calls of it for a while, and take them again."""

from __future__ import annotations

from collections.abc import Mapping

from dialplan.plan import Members, Plan, Service
from pbx.apps.confirmation import confirm
from pbx.apps.group import members_of
from pbx.apps.spoken import spoken_number
from pbx.calls.call import Call
from pbx.people.settings import PAUSED_FROM, SettingRefused

_PAUSED = {
    "fr": "Vous êtes en pause.",
    "en": "You are paused.",
}
_PAUSED_FROM = {
    "fr": "Vous êtes en pause pour le {service}.",
    "en": "You are paused for {service}.",
}
_REASON = {
    "fr": "Motif : {reason}.",
    "en": "Reason: {reason}.",
}
_RESUMED = {
    "fr": "Vous n'êtes plus en pause.",
    "en": "You are not paused any more.",
}
_RESUMED_FROM = {
    "fr": "Vous recevez de nouveau les appels du {service}.",
    "en": "You get the calls of {service} again.",
}
_NO_SERVICE = {
    "fr": "Ce numéro n'est pas celui d'une file ou d'un groupe.",
    "en": "This is not the number of a queue or a group.",
}
_NOT_ANSWERED = {
    "fr": "Vous ne répondez pas au {service}.",
    "en": "You do not answer {service}.",
}


async def pause(call: Call, argument: str) -> None:
    """No calls of any queue or group. argument: the reason's digits, or ""."""

    def act(extension: str) -> Mapping[str, str]:
        call.exchange.settings.pause(extension, extension, "", argument)
        return _with_reason(call.exchange.plan, _PAUSED, argument)

    await confirm(call, act)


async def pause_service(call: Call, argument: str) -> None:
    """No calls of one: its number, or its number and the reason's digits after a `*`."""

    def act(extension: str) -> Mapping[str, str]:
        number, _, reason = argument.partition("*")
        plan = call.exchange.plan
        service = _service_of(plan, number)
        members = service.settings["agents" if service.type == "queue" else "members"]
        if isinstance(members, Members) and extension not in members_of(plan, members):
            why = f"{extension} is no member of {service.name}"
            raise SettingRefused("member", _naming(plan, _NOT_ANSWERED, number), why)
        call.exchange.settings.pause(extension, extension, service.name, reason)
        return _with_reason(plan, _naming(plan, _PAUSED_FROM, number), reason)

    await confirm(call, act)


async def resume(call: Call, argument: str) -> None:
    """All calls again. argument: the number of one service, "" for all."""

    def act(extension: str) -> Mapping[str, str]:
        plan = call.exchange.plan
        service = _service_of(plan, argument).name if argument else ""
        call.exchange.queues.resume(extension, extension, service)
        return _naming(plan, _RESUMED_FROM, argument) if argument else _RESUMED

    await confirm(call, act)


def _service_of(plan: Plan, number: str) -> Service:
    service = plan.tables.services.get(number)
    if service is None or service.type not in PAUSED_FROM:
        raise SettingRefused("service", _NO_SERVICE, f"no queue or group has the number {number[:20]}")
    return service


def _naming(plan: Plan, texts: Mapping[str, str], number: str) -> Mapping[str, str]:
    return {
        language: text.format(service=spoken_number(number, plan.country, language))
        for language, text in texts.items()
    }


def _with_reason(plan: Plan, texts: Mapping[str, str], reason: str) -> Mapping[str, str]:
    reasons = plan.pauses.get(reason, {})
    return {
        language: f"{text} {_REASON[language].format(reason=reasons[language])}"
        if language in reasons
        else text
        for language, text in texts.items()
    }
