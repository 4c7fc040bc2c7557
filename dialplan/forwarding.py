"""Where one person's calls are sent on, of all the forwards that they have: by when, who calls, and the hour.

What somebody set by hand goes before what the plan says, and its first rule that holds decides.
"""

from __future__ import annotations

from typing import NamedTuple
from zoneinfo import ZoneInfo

from dialplan.decision import ForwardRule, Forwards, Origin
from dialplan.schedule import is_within
from dialplan.way import Way

WHENS = ("always", "busy", "no_answer", "unreachable")
"""When a forward holds."""

CALLERS = ("inside", "outside", "anonymous")
"""The words for callers that aren't numbers."""


class Forward(NamedTuple):
    """A forward that holds: where to ("" for nowhere), after how long, and who set it (None: the plan)."""

    to: str
    seconds: int
    origin: Origin | None


def forward_for(way: Way, forwards: Forwards, when: str, extension: str) -> Forward:
    """The forward of an extension's calls that holds for this call; `to` is "" where there is none.

    when: one of WHENS.
    """
    for rule in forwards.rules:
        if rule.when == when and _holds(way, rule, extension):
            return Forward(rule.to, rule.seconds or forwards.no_answer_seconds, rule.origin)
    match when:
        case "always":
            to = forwards.always
        case "busy":
            to = forwards.busy
        case "no_answer":
            to = forwards.no_answer
        case _:
            to = forwards.unreachable
    return Forward(to, forwards.no_answer_seconds, None)


def _holds(way: Way, rule: ForwardRule, extension: str) -> bool:
    """Whether a rule is for this call. Leaves a step when it isn't."""
    if rule.to and rule.to == way.facts.caller:
        # Whoever takes somebody's calls can still call them: a secretary reaches the mayor.
        why = "not followed: it leads to who calls"
    elif rule.callers and not any(_is_among(way, word) for word in rule.callers):
        why = f"not followed: only for {', '.join(rule.callers)}"
    elif rule.hours and not is_within(rule.hours, way.now, ZoneInfo(way.plan.timezone)):
        why = "not followed at this hour"
    else:
        return True
    way.step(0, f"forward of {extension}", f"{rule.when} to {rule.to or 'nobody'}: {why}")
    return False


def _is_among(way: Way, word: str) -> bool:
    """Whether who calls is meant by one word of a rule's `callers`."""
    match word:
        case "inside":
            return way.facts.trunk is None
        case "outside":
            return way.facts.trunk is not None
        case "anonymous":
            return way.original is None
    if way.original is None:
        return False
    return way.original.startswith(word) if word[:1] == "+" else way.original == word
