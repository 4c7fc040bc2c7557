"""Opening hours: weekly intervals, dates that open, dates that close, public holidays, in a time zone.

`closed` and holidays win over `open`. An interval holds from its first second to before its end:
`08:30-12:00` is open at 08:30:00 and closed at 12:00:00; a date without an hour holds to the end of its day.

    open:   "mon-fri 08:30-12:00"   "sat 09:00-24:00"   "fri,sat 22:00-06:00" (ends on the next day)
            "daily 07:00-19:00"     "2026-05-02 09:00-12:00" (that day, even where the week is closed)
    closed: "2026-12-24"            "2026-12-24 12:00 .. 2026-12-26"
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60

_HOURS = re.compile(r"([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])")
_MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?: ([0-2][0-9]):([0-5][0-9]))?")


@dataclass(frozen=True, slots=True)
class WeeklyInterval:
    """Minutes of some days of the week (0 is Monday). It ends on the next day when end <= start."""

    days: frozenset[int]
    start_minute: int
    end_minute: int
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class DatedInterval:
    """From one local moment to before another."""

    start: datetime
    end: datetime
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something is open. `holidays` is a code such as FR or FR-57, "" for none."""

    name: str
    zone: ZoneInfo
    weekly: tuple[WeeklyInterval, ...]
    dated: tuple[DatedInterval, ...]
    closed: tuple[DatedInterval, ...]
    holidays: str
    holidays_line: int
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Opening:
    """Whether a schedule is open at an instant, why (in English), and the plan line that decided."""

    is_open: bool
    why: str
    line: int


def opening(schedule: Schedule, now: datetime) -> Opening:
    """Whether the schedule is open at `now`, an aware datetime."""
    local = _local(now, schedule.zone)
    for interval in schedule.closed:
        if interval.start <= local < interval.end:
            return Opening(
                False, f"closed by an exception until {interval.end:%Y-%m-%d %H:%M}", interval.line
            )
    if schedule.holidays and local.date() in holiday_dates(schedule.holidays, local.year):
        return Opening(False, f"closed, {local.date()} is a public holiday", schedule.holidays_line)
    for interval in schedule.dated:
        if interval.start <= local < interval.end:
            return Opening(True, f"opened by an exception until {interval.end:%Y-%m-%d %H:%M}", interval.line)
    minute = local.hour * 60 + local.minute
    for weekly in schedule.weekly:
        if _holds(weekly, local.weekday(), minute):
            return Opening(True, f"open, {DAYS[local.weekday()]} {local:%H:%M}", weekly.line)
    return Opening(False, f"closed, {DAYS[local.weekday()]} {local:%H:%M}", schedule.line)


def is_within(intervals: tuple[WeeklyInterval, ...], now: datetime, zone: ZoneInfo) -> bool:
    """Whether `now`, an aware datetime, is in one of some intervals of the week of a time zone."""
    local = _local(now, zone)
    minute = local.hour * 60 + local.minute
    return any(_holds(weekly, local.weekday(), minute) for weekly in intervals)


def boundaries(schedule: Schedule, around: datetime) -> tuple[datetime, ...]:
    """Every instant where the schedule may change, and the second before it, as aware datetimes.

    The week after `around`, the exceptions, and the holidays of that year: since the schedule changes
    nowhere else, what holds at all of them and between holds at every hour of these days.
    """
    return tuple(
        instant
        for moment in sorted(set(_changes(schedule, _local(around, schedule.zone))))
        for instant in (_aware(moment - timedelta(seconds=1), schedule.zone), _aware(moment, schedule.zone))
    )


@lru_cache(maxsize=256)
def holiday_dates(code: str, year: int) -> frozenset[date]:
    """The public holidays of a year, for a country (FR) or a part of one (FR-57).

    Raises LookupError when no such calendar is known; a schedule is only made with one that is.
    """
    import holidays  # slow to import, and many plans have none

    country, _, part = code.partition("-")
    try:
        calendar = holidays.country_holidays(country, subdiv=part or None, years=year)
    except NotImplementedError:
        raise LookupError(code) from None
    return frozenset(calendar)


def parse_weekly(text: str, line: int, column: int) -> WeeklyInterval:
    """An interval of the week, such as `mon-fri 08:30-12:00`. Raises ValueError with a sentence."""
    words = text.split()
    if len(words) != 2:
        raise ValueError(f'"{text[:60]}" is no interval; write mon-fri 08:30-12:00')
    start, end = _parse_hours(words[1])
    return WeeklyInterval(_parse_days(words[0]), start, end, line, column)


def parse_opening_date(text: str, line: int, column: int) -> DatedInterval:
    """A date that opens, such as `2026-05-02 09:00-12:00`. Raises ValueError with a sentence."""
    words = text.split()
    if len(words) != 2:
        raise ValueError(f'"{text[:60]}" is no date with hours; write 2026-05-02 09:00-12:00')
    day, _ = _parse_moment(words[0])
    start, end = _parse_hours(words[1])
    if end <= start:
        end += _DAY_MINUTES
    return DatedInterval(day + timedelta(minutes=start), day + timedelta(minutes=end), line, column)


def parse_closing(text: str, line: int, column: int) -> DatedInterval:
    """A closing, such as `2026-12-24 12:00 .. 2026-12-26`. Raises ValueError with a sentence."""
    first, dots, last = text.partition("..")
    start, start_is_a_day = _parse_moment(first.strip())
    end, end_is_a_day = _parse_moment(last.strip()) if dots else (start, start_is_a_day)
    if end_is_a_day:
        end += timedelta(days=1)
    if end <= start:
        raise ValueError(f'"{text[:60]}" ends before it begins')
    return DatedInterval(start, end, line, column)


def changes_of_day(schedule: Schedule, midnight: datetime) -> Iterator[datetime]:
    """The instants (UTC) of the 24 hours from a UTC midnight where the schedule may change."""
    start = midnight.astimezone(schedule.zone).replace(tzinfo=None)
    moments: set[datetime] = set()
    for local_midnight in (
        start.replace(hour=0, minute=0, second=0, microsecond=0),
        start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1),
    ):
        moments.add(local_midnight)
        for weekly in schedule.weekly:
            moments.add(local_midnight + timedelta(minutes=weekly.start_minute))
            moments.add(local_midnight + timedelta(minutes=weekly.end_minute))
    for interval in schedule.closed + schedule.dated:
        moments.update((interval.start, interval.end))
    for moment in moments:
        # An hour that the clock jumps over or tells twice: both readings, so that no change is missed.
        for fold in (0, 1):
            instant = moment.replace(tzinfo=schedule.zone, fold=fold).astimezone(UTC)
            if midnight <= instant < midnight + timedelta(days=1):
                yield instant


def _holds(weekly: WeeklyInterval, weekday: int, minute: int) -> bool:
    if weekly.start_minute < weekly.end_minute:
        return weekday in weekly.days and weekly.start_minute <= minute < weekly.end_minute
    began_today = weekday in weekly.days and minute >= weekly.start_minute
    began_yesterday = (weekday - 1) % 7 in weekly.days and minute < weekly.end_minute
    return began_today or began_yesterday


def _changes(schedule: Schedule, local: datetime) -> Iterator[datetime]:
    """Local moments where the schedule may change."""
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    for interval in schedule.closed + schedule.dated:
        yield interval.start
        yield interval.end
    if schedule.holidays:
        for day in holiday_dates(schedule.holidays, local.year):
            yield datetime(day.year, day.month, day.day)
            yield datetime(day.year, day.month, day.day) + timedelta(days=1)
    for weekly in schedule.weekly:
        for offset in range(8):
            day_start = midnight + timedelta(days=offset)
            if day_start.weekday() in weekly.days:
                length = (weekly.end_minute - weekly.start_minute) % _DAY_MINUTES or _DAY_MINUTES
                yield day_start + timedelta(minutes=weekly.start_minute)
                yield day_start + timedelta(minutes=weekly.start_minute + length)


def _local(now: datetime, zone: ZoneInfo) -> datetime:
    """The wall clock of a zone, without its zone; far from year 1 and 9999, where no zone can be applied."""
    year = min(max(now.year, 2), 9998)
    if year != now.year:
        now = datetime(year, 1, 1, tzinfo=UTC)
    return now.astimezone(zone).replace(tzinfo=None)


def _aware(local: datetime, zone: ZoneInfo) -> datetime:
    return local.replace(tzinfo=zone)


def _parse_days(text: str) -> frozenset[int]:
    if text == "daily":
        return frozenset(range(7))
    days: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if first not in DAYS or last not in DAYS:
            raise ValueError(f'"{part[:20]}" is no day; write one of {", ".join(DAYS)}, mon-fri or daily')
        start, end = DAYS.index(first), DAYS.index(last)
        days.update((start + offset) % 7 for offset in range((end - start) % 7 + 1))
    return frozenset(days)


def _parse_hours(text: str) -> tuple[int, int]:
    match = _HOURS.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text[:40]}" are no hours; write 08:30-12:00')
    start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if start >= _DAY_MINUTES or end > _DAY_MINUTES:
        raise ValueError(f'"{text[:40]}" goes past 24:00')
    if start == end:
        raise ValueError(f'"{text[:40]}" lasts no time; write 00:00-24:00 for a whole day')
    return start, end


def _parse_moment(text: str) -> tuple[datetime, bool]:
    """A local moment, and whether it is a whole day."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text[:40]}" is no date; write 2026-12-24 or 2026-12-24 12:00')
    try:
        day = datetime.strptime(match[1], "%Y-%m-%d")  # local on purpose
    except ValueError:
        raise ValueError(f"there is no day {match[1]}") from None
    if not 1900 <= day.year <= 2999:
        raise ValueError(f"{match[1]} is out of reach; write a year from 1900 to 2999")
    minutes = int(match[2]) * 60 + int(match[3]) if match[2] else 0
    if minutes > _DAY_MINUTES:
        raise ValueError(f'"{text}" goes past 24:00')
    return day + timedelta(minutes=minutes), match[2] is None
