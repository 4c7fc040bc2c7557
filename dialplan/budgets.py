"""Budgets: the most that calls outside may come to, so that a stolen password costs little (toll fraud).

A budget counts calls, minutes or both, in each clock hour or day of the plan's time zone, for each user, each
trunk, each country called, or for all together; it may be for some numbers only, and only outside a
schedule's hours. What has been spent is told by the caller of `route` (`Spending`); nothing is counted here.
Emergency calls are routed before any budget is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal, Protocol

import phonenumbers

EACH = ("user", "trunk", "country", "all")
PERIODS = ("hour", "day")


@dataclass(frozen=True, slots=True)
class Budget:
    """One limit. to: a right (mobile) or how an E.164 number begins (+225), "" for every outside call.

    calls, minutes: None where they aren't limited. closed: the schedule outside whose hours it holds, ""
    for always.
    """

    each: Literal["user", "trunk", "country", "all"]
    to: str
    calls: int | None
    minutes: int | None
    per: Literal["hour", "day"]
    closed: str
    line: int
    column: int

    @property
    def name(self) -> str:
        """What its count is kept under: the same for a budget whose numbers were changed."""
        return "/".join(filter(None, (self.each, self.to or "outside", self.per, self.closed)))

    def is_for(self, number: str, right: str) -> bool:
        """Whether calls to this number count."""
        return not self.to or self.to == right or (self.to[0] == "+" and number.startswith(self.to))

    def key(self, user: str, trunk: str, number: str) -> str:
        """Whose count a call is on; "" where the budget has nobody for it: a call without a user of ours."""
        match self.each:
            case "user":
                return user
            case "trunk":
                return trunk
            case "country":
                return calling_code(number)
            case "all":
                return "all"

    def window(self, local: datetime) -> str:
        """The hour or the day that an instant (in the plan's time zone) is in."""
        return local.strftime("%Y-%m-%dT%H" if self.per == "hour" else "%Y-%m-%d")


class Spending(Protocol):
    """Who knows what was spent."""

    def spent(self, budget: Budget, key: str, window: str) -> tuple[int, float]:
        """Calls and minutes that count on a budget in a window, calls in progress included."""


class _NothingSpent:
    def spent(self, budget: Budget, key: str, window: str) -> tuple[int, float]:
        return 0, 0.0


NOTHING_SPENT: Spending = _NothingSpent()


@lru_cache(maxsize=4096)
def calling_code(number: str) -> str:
    """The country code of an E.164 number, such as +225; "+" where it can't be told."""
    try:
        return f"+{phonenumbers.parse(number).country_code}"
    except phonenumbers.NumberParseException:
        return "+"


def refusal(budget: Budget, key: str, spent: tuple[int, float]) -> str:
    """Why a budget refuses one more call, in words; "" where it doesn't."""
    calls, minutes = spent
    who = key if budget.each != "all" else "everybody together"
    if budget.calls is not None and calls >= budget.calls:
        return f"{who} has made {calls} of {budget.calls} calls in this {budget.per}"
    if budget.minutes is not None and minutes >= budget.minutes:
        return f"{who} has spoken {minutes:.0f} of {budget.minutes} minutes in this {budget.per}"
    return ""
