"""A question to a plan, as a person asks it: who calls what, when, from where; and what lies set by hand.

What it can't mean is a QuestionError, which says which part and why.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dialplan.decision import NORMAL, Conditions, Facts
from dialplan.document import did_you_mean, shortened
from dialplan.plan import Plan
from pbx.control import SettingsInForce
from pbx.people.settings import forwards_in_force, override_of

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NEXT_TIME = re.compile(r"(?:(mon|tue|wed|thu|fri|sat|sun)[a-z]* )?([0-9]{1,2}):([0-9]{2})")


class QuestionError(Exception):
    """A question that a plan can't be asked. where: `from`, `site`, `trunks_down` or `when`."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(message)
        self.where = where


def facts_of(
    plan: Plan, number: str, caller: str, *, site: str = "", trunks_down: Collection[str] = ()
) -> Facts:
    """Return what is known of a call that is asked about.

    caller: an extension, or an outside number in any form. site: where the caller's telephone is, "" for its
    usual one. Raises QuestionError.
    """
    if site and site not in plan.sites:
        hint = did_you_mean(site, plan.sites)
        raise QuestionError("site", f'{plan.path} has no site "{shortened(site)}"; {hint}')
    for name in trunks_down:
        if name not in plan.trunks:
            hint = did_you_mean(name, plan.trunks)
            raise QuestionError("trunks_down", f'{plan.path} has no trunk "{shortened(name)}"; {hint}')
    conditions = Conditions(trunks_down=frozenset(trunks_down)) if trunks_down else NORMAL
    if caller in plan.people:
        return Facts(number, caller=caller, site=site or None, conditions=conditions)
    if not caller.startswith(("+", "00")):
        hint = did_you_mean(caller, plan.people)
        nobody = f'nobody has extension "{shortened(caller)}" in {plan.path}'
        raise QuestionError("from", f"{nobody}; {hint} (+33… is an outside caller)")
    called = plan.country.international_form(number)
    # The operator that owns the number is the one that brings its calls.
    owners = [trunk.name for trunk in plan.trunks.values() if any(called in one for one in trunk.owns)]
    trunk = [*owners, *plan.trunks, ""][0]
    return Facts(number, trunk=trunk, caller_number=caller, conditions=conditions)


def with_settings(plan: Plan, facts: Facts, kept: SettingsInForce) -> Facts:
    """Return the facts with what people and operators have set by hand on a node."""
    conditions = replace(
        facts.conditions,
        forwards={
            one.extension: forwards_in_force(plan, plan.people[one.extension], one)
            for one in kept.people
            if one.extension in plan.people
        },
        services={one.name: override_of(plan, one) for one in kept.overrides if one.kind == "service"},
        schedules={one.name: override_of(plan, one) for one in kept.overrides if one.kind == "schedule"},
    )
    return replace(facts, conditions=conditions)


def instant_of(plan: Plan, text: str, now: datetime) -> datetime:
    """Return the instant that a text names, in the plan's time zone.

    text: `2026-12-25 10:00`, or the next `sun 03:00` or `14:00`. Raises QuestionError.
    """
    zone = ZoneInfo(plan.timezone)
    following = _NEXT_TIME.fullmatch(text.strip().lower())
    try:
        if following is not None:
            day, hour, minute = following[1] or "", int(following[2]), int(following[3])
            return _next(now.astimezone(zone), day, hour, minute)
        instant = datetime.fromisoformat(text)
        return (instant if instant.tzinfo is not None else instant.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f'"{shortened(text)}" is no time; write "2026-12-25 10:00" or "sun 03:00"'
        raise QuestionError("when", message) from None


def _next(start: datetime, day: str, hour: int, minute: int) -> datetime:
    """The first such time from `start` on, on a day of the week or (for "") on any. Raises ValueError."""
    found = start.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if day:
        found += timedelta(days=(_DAYS.index(day) - found.weekday()) % 7)
    return found if found >= start else found + timedelta(days=7 if day else 1)
