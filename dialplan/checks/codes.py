"""Codes that people dial: told apart from each other and from numbers, with room for what they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from dialplan.checks import finding_at
from dialplan.finding import Finding
from dialplan.plan import Feature, Plan

_NEEDS: Final[Mapping[str, str]] = {
    "pickup": "extension",
    "login": "extension",
    "intercom": "extension",
    "forward_always": "number",
    "forward_busy": "number",
    "forward_no_answer": "number",
    "forward_unreachable": "number",
    "service_close": "service",
    "service_send": "service",
    "service_open": "service",
    "service_as_planned": "service",
    "pause_reason": "reason",
    "pause_service": "service",
    "resume_service": "service",
}
"""What a feature can't do without."""


def check_codes(plan: Plan) -> Iterator[Finding]:
    """Every finding about codes."""
    yield from _shared(plan)
    yield from _without_argument(plan)


def _shared(plan: Plan) -> Iterator[Finding]:
    """Codes that are another one's too, or a number's."""
    for index, feature in enumerate(plan.features):
        for other in plan.features[:index]:
            if _collide(feature, other):
                message = f"feature {feature.name} ({feature}) can't be told from {other.name} ({other})"
                yield finding_at(
                    plan, "features_collide", "error", feature, message, f"see line {other.line}"
                )
        holder = plan.tables.holder_of(feature.before)
        if not feature.argument and (holder or feature.before in plan.people):
            message = f"feature {feature.name} ({feature}) has the number of {holder or 'a user'}"
            yield finding_at(plan, "features_collide", "error", feature, message, "begin codes with * or #")
        if not feature.argument and feature.before in plan.tables.emergency:
            message = f"feature {feature.name} can never be used: {feature} is an emergency number"
            yield finding_at(
                plan, "is_emergency_number", "error", feature, message, "begin codes with * or #"
            )


def _collide(one: Feature, other: Feature) -> bool:
    """Whether some keys call both. An argument is made of digits, so * and # tell codes apart.

    Both are read side by side, key by key: `D` stands for a digit that an argument must have, `d` for those
    that may follow it.
    """
    keys = (_keys(one), _keys(other))
    seen: set[tuple[int, int]] = set()
    waiting = [(0, 0)]
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        here = [text[place : place + 1] for text, place in zip(keys, at, strict=True)]
        if here == ["", ""]:
            return True
        first, second = at
        if here[0] == "d":
            waiting.append((first + 1, second))
        if here[1] == "d":
            waiting.append((first, second + 1))
        if _same_key(here[0], here[1]):
            waiting.append((first + (here[0] != "d"), second + (here[1] != "d")))
    return False


def _keys(feature: Feature) -> str:
    arguments = "*".join(["Dd"] * (1 + len(feature.further))) if feature.argument else ""
    return f"{feature.before}{arguments}{feature.after}"


def _same_key(one: str, other: str) -> bool:
    """Whether one press of a key can be both."""
    if not one or not other:
        return False
    return (
        one == other or (one in "Dd" and other in "Dd0123456789") or (other in "Dd" and one in "0123456789")
    )


def _without_argument(plan: Plan) -> Iterator[Finding]:
    """Codes that can only be dialled without what they are about."""
    for feature in plan.features:
        needed = _NEEDS.get(feature.name, "")
        if needed and not feature.argument:
            message = f"{feature.name} does nothing without the {needed} that is dialled with it"
            hint = f'write "{feature}*{{{needed}}}"'
            yield finding_at(plan, "code_without_argument", "warning", feature, message, hint)
