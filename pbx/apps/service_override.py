"""Codes that open or close a service for a while, for those whose class has the right `override`.

*50*9*1400      the service 9 is closed until 14:00      *50*9      until midnight
*51*9*1042*23110800   its calls go to 1042 until 23 November, 08:00
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dialplan.country import OVERRIDE
from dialplan.decision import NOT_ALLOWED
from dialplan.plan import Plan
from pbx.apps.confirmation import confirm
from pbx.apps.spoken import spoken_number, spoken_until
from pbx.calls.call import Call
from pbx.people.settings import SettingRefused

_NO_SERVICE = {
    "fr": "Ce numéro n'est pas celui d'un service.",
    "en": "This is not the number of a service.",
}
_NO_TIME = {
    "fr": "Composez l'heure en quatre chiffres, par exemple 14 00.",
    "en": "Dial the hour in four digits, such as 1 4 0 0.",
}
_NOT_ALLOWED = {
    "fr": "Vous n'avez pas le droit d'ouvrir ou de fermer un service.",
    "en": "You are not allowed to open or close a service.",
}
_SET = {
    "service_close": {
        "fr": "Le service {service} est fermé jusqu'{until}.",
        "en": "Service {service} is closed until {until}.",
    },
    "service_send": {
        "fr": "Les appels du service {service} sont renvoyés vers le {to} jusqu'{until}.",
        "en": "Calls to service {service} are sent to {to} until {until}.",
    },
    "service_open": {
        "fr": "Le service {service} est ouvert jusqu'{until}.",
        "en": "Service {service} is open until {until}.",
    },
    "service_as_planned": {
        "fr": "Le service {service} suit de nouveau ses horaires.",
        "en": "Service {service} follows its schedule again.",
    },
}


async def override_service(call: Call, argument: str, *, feature: str) -> None:
    """Open or close the service whose number begins the argument. feature: its name in the plan."""

    def act(extension: str) -> Mapping[str, str]:
        return _override(call, extension, feature, argument.split("*"))

    await confirm(call, act)


def _override(call: Call, extension: str, feature: str, arguments: list[str]) -> Mapping[str, str]:
    exchange = call.exchange
    plan, settings = exchange.plan, exchange.settings
    caller = plan.tables.callers.get(extension)
    if caller is None or OVERRIDE not in caller.rights:
        raise SettingRefused(NOT_ALLOWED.reason, _NOT_ALLOWED, f"{extension} has no right to {OVERRIDE}")
    service = plan.tables.services.get(arguments[0])
    if service is None:
        raise SettingRefused("service", _NO_SERVICE, f"no service has the number {arguments[0]}")
    to = arguments[1] if feature == "service_send" and len(arguments) > 1 else ""
    if feature == "service_send" and not to:
        raise SettingRefused("to", _NO_SERVICE, "nothing says where the calls go")
    now = datetime.fromtimestamp(exchange.clock(), UTC).astimezone(ZoneInfo(plan.timezone))
    until = until_of(arguments[1 + bool(to) :], now)
    if feature == "service_as_planned":
        settings.end_override(service.name, extension)
    else:
        is_open = feature == "service_open"
        kept = settings.override(
            service.name, extension, is_open=is_open, until=until.timestamp(), to=to, setter=extension
        )
        to = kept.to
    return _said(plan, feature, arguments[0], to, until, now)


def until_of(times: list[str], now: datetime) -> datetime:
    """The next instant that the keys tell: `1400`, or `23110800` for a day and a month; midnight for none.

    now: in the plan's time zone, as what is returned. Raises SettingRefused for what is no time.
    """
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if not times:
        return midnight
    digits = times[0]
    try:
        hour, minute = int(digits[-4:-2]), int(digits[-2:])
        today = now.replace(hour=hour, minute=minute, second=0, microsecond=0, fold=0)
        if len(digits) == 4:
            return today if today > now else today + timedelta(days=1)
        if len(digits) == 8:
            day = today.replace(month=int(digits[2:4]), day=int(digits[:2]))
            return day if day > now else day.replace(year=now.year + 1)
    except ValueError:
        pass  # told below
    raise SettingRefused("until", _NO_TIME, f"{digits[:20]} is no time: 1400, or 23110800 for 23 November")


def _said(
    plan: Plan, feature: str, number: str, to: str, until: datetime, now: datetime
) -> Mapping[str, str]:
    return {
        language: text.format(
            service=spoken_number(number, plan.country, language),
            to=spoken_number(_number_of(plan, to), plan.country, language),
            until=spoken_until(until, now, language),
        )
        for language, text in _SET[feature].items()
    }


def _number_of(plan: Plan, to: str) -> str:
    """A service by its number, where it has one; anything else as it is."""
    service = plan.services.get(to)
    return service.number or to if service is not None else to
