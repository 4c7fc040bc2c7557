"""The language of a caller from outside, as far as the country of their number tells it.

Whoever calls from the plan's own country is spoken to in the plan's language. From elsewhere it is French
where most people understand it, and English otherwise.
"""

from __future__ import annotations

from dialplan.plan import Plan

_FRENCH = (
    "+32", "+33", "+41", "+212", "+213", "+216", "+221", "+222", "+223", "+224", "+225", "+226", "+227",
    "+228", "+229", "+235", "+236", "+237", "+241", "+242", "+243", "+253", "+257", "+261", "+262", "+269",
    "+352", "+377", "+508", "+509", "+590", "+594", "+596", "+681", "+687", "+689",
)  # fmt: skip


def language_of_number(plan: Plan, number: str) -> str:
    """`fr` or `en`; "" where the number tells nothing, or is of the plan's own country. number: E.164."""
    if not number.startswith("+") or number.startswith(f"+{plan.country.calling_code}"):
        return ""
    return "fr" if number.startswith(_FRENCH) else "en"
