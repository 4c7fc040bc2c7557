"""Regions of hours: instants that stand for all others, as far as some schedules can tell them apart.

A schedule's day depends on the day of the week, on the clock's offset, on whether it or its neighbours are
public holidays, and on the exceptions that touch it. Days that are alike in all of this are one day; in it,
schedules change at known minutes only. So finitely many instants see every combination of open and closed
of a year, and of every exception of any year.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeVar

from dialplan.schedule import Schedule, changes_of_day, holiday_dates, opening

Answer = TypeVar("Answer")

_DAYS_AHEAD = 366
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Region:
    """All instants when exactly these of some schedules are open. instant: one of them, the first found."""

    instant: datetime
    open: frozenset[str]


@lru_cache(maxsize=1024)
def regions(schedules: tuple[Schedule, ...], now: datetime) -> tuple[Region, ...]:
    """Every combination of open schedules that there is from `now` on for a year, and in every exception.

    With no schedule, the one region of all instants.
    """
    told = list(schedules)
    if not told:
        return (Region(now, frozenset()),)
    found: dict[frozenset[str], Region] = {}
    for instant in _instants(told, now):
        is_open = frozenset(schedule.name for schedule in told if opening(schedule, instant).is_open)
        if is_open not in found:
            found[is_open] = Region(instant, is_open)
    return tuple(found.values())


def over_hours(
    schedules: Iterable[Schedule],
    now: datetime,
    answer: Callable[[datetime], tuple[Answer, Iterable[str]]],
) -> list[tuple[Region, Answer]]:
    """What `answer` gives in every region of hours, when all that it knows of time is some schedules.

    answer: for an instant, its answer and the names of the schedules that it looked at. Schedules it never
    looks at split nothing, so what looks at none is answered once, and that holds at every hour.
    """
    by_name = {schedule.name: schedule for schedule in schedules}
    consulted: set[str] = set()
    while True:
        answers: list[tuple[Region, Answer]] = []
        looked_at: set[str] = set()
        for region in regions(tuple(by_name[name] for name in sorted(consulted)), now):
            value, names = answer(region.instant)
            answers.append((region, value))
            looked_at.update(names)
        if looked_at <= consulted:
            return answers
        consulted |= looked_at


def _instants(schedules: list[Schedule], now: datetime) -> Iterator[datetime]:
    """Instants of which one lies in each stretch of time where no schedule changes."""
    for midnight in _days(schedules, now):
        moments = {midnight}
        for schedule in schedules:
            moments.update(changes_of_day(schedule, midnight))
            if _clock_changes(schedule, midnight):
                # What opens in the hour that the clock jumps over opens at the jump.
                moments.update(midnight + quarter * timedelta(minutes=15) for quarter in range(96))
        yield from sorted(moments)


def _clock_changes(schedule: Schedule, midnight: datetime) -> bool:
    after = midnight + 2 * _DAY
    return midnight.astimezone(schedule.zone).utcoffset() != after.astimezone(schedule.zone).utcoffset()


def _days(schedules: list[Schedule], now: datetime) -> Iterator[datetime]:
    """One midnight (UTC) of each kind of day."""
    first = datetime(min(max(now.year, 1970), 2900), now.month, min(now.day, 28), tzinfo=UTC)
    days = [first + offset * _DAY for offset in range(_DAYS_AHEAD)]
    for schedule in schedules:
        for interval in schedule.closed + schedule.dated:
            days += _around(interval.start)
            days += _around(interval.end)
    seen: set[object] = set()
    for day in days:
        kind = tuple(_kind(schedule, day) for schedule in schedules)
        if kind not in seen:
            seen.add(kind)
            yield day


def _around(local: datetime) -> list[datetime]:
    """The UTC days that a local day may touch, and their neighbours; a week where a schedule is as usual."""
    midnight = local.replace(hour=0, minute=0, tzinfo=UTC)
    return [midnight + offset * _DAY for offset in range(-2, 3)]


def _kind(schedule: Schedule, day: datetime) -> tuple[object, ...]:
    """What a schedule knows of a day (UTC): days of one kind are alike to it."""
    start = day.astimezone(schedule.zone).replace(tzinfo=None)
    end = (day + _DAY).astimezone(schedule.zone).replace(tzinfo=None)
    holidays: tuple[bool, ...] = ()
    if schedule.holidays:
        dates = (start.date(), end.date())
        holidays = tuple(date in holiday_dates(schedule.holidays, date.year) for date in dates)
    exceptions = tuple(
        interval
        for interval in schedule.closed + schedule.dated
        if interval.start < end and start < interval.end
    )
    if exceptions:  # an exception's days are each their own
        return (day, exceptions)
    return (start.weekday(), start.time(), end.time(), holidays)
