"""What a person has set that keeps their telephones from ringing, as those who watch them are told.

Where calls are sent isn't told: a forward may lead to a number that is nobody else's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dialplan.decision import Forwards
from dialplan.routing import forwards_of

if TYPE_CHECKING:
    from pbx.exchange import Exchange

DO_NOT_DISTURB: Mapping[str, str] = {"fr": "Ne pas déranger", "en": "Do not disturb"}
FORWARDED: Mapping[str, str] = {"fr": "Appels renvoyés", "en": "Calls forwarded"}


def availability_of(exchange: Exchange, extension: str) -> dict[str, str]:
    """What keeps a person's telephones from ringing, in the plan's language, by a word for it; mostly empty.

    A forward for some callers or hours only isn't told.
    """
    plan = exchange.plan
    forwards = forwards_of(plan, exchange.conditions.at(exchange.clock()), extension)
    told: dict[str, str] = {}
    if forwards.do_not_disturb:
        told["do-not-disturb"] = DO_NOT_DISTURB.get(plan.language, DO_NOT_DISTURB["en"])
    if _is_always_forwarded(forwards):
        told["forward"] = FORWARDED.get(plan.language, FORWARDED["en"])
    return told


def _is_always_forwarded(forwards: Forwards) -> bool:
    for rule in forwards.rules:
        if rule.when == "always" and not rule.callers and not rule.hours:
            return bool(rule.to)
    return bool(forwards.always)
