"""What people set for a while: forwards and do not disturb that end by themselves at an instant."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from pbx.records import PersonSettings

LONGEST_SECONDS = 366 * 86_400.0


def ends_of(kept: PersonSettings) -> list[float]:
    """When something that a person has set ends by itself, in Unix seconds."""
    ends = [one.until for one in kept.forwards if one.until]
    if kept.do_not_disturb is not None and kept.do_not_disturb_until:
        ends.append(kept.do_not_disturb_until)
    return ends


def next_end(people: Iterable[PersonSettings]) -> float | None:
    """The first instant at which something ends by itself, in Unix seconds; None where nothing does."""
    return min((end for kept in people for end in ends_of(kept)), default=None)


def without_what_is_over(kept: PersonSettings, now: float) -> PersonSettings:
    """What a person has set, without what has ended by an instant in Unix seconds."""
    forwards = tuple(one for one in kept.forwards if not one.until or one.until > now)
    is_quiet = not kept.do_not_disturb_until or kept.do_not_disturb_until > now
    return structs.replace(
        kept,
        forwards=forwards,
        do_not_disturb=kept.do_not_disturb if is_quiet else None,
        do_not_disturb_until=kept.do_not_disturb_until if is_quiet else 0.0,
    )
