"""Who is on call: the shifts of an iCalendar file (RFC 5545) beside the plan, from any calendar program.

    file ── read and bounded ──> shifts of the next DAYS ── at the instant of a call ──> numbers to ring

An event is a shift. Who has it is its ATTENDEEs (`tel:+33612345678`, `sip:2201@…`); without any, its SUMMARY:
numbers in it, else the people whose names it holds. Several shifts at once: all of them ring. Times without a
time zone are the plan's.

A file may be wrong, or made to cost time: it is read in a thread, and what would take long is refused before
it is unfolded. The shifts of a file that can't be read any more stay as they were.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from math import prod
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from dialplan.plan import Plan, RotaStep

log = logging.getLogger(__name__)

DAYS = 35  # that are known ahead
AGAIN_SECONDS = 3600.0  # until they are worked out anew
MOST_BYTES = 512 * 1024
MOST_EVENTS = 1000
MOST_REPETITIONS = 20_000  # of all events together, until the last of DAYS
MOST_WORDS = 400  # of one event's exceptions, dates and rule
LONGEST_DAYS = 31  # of one shift
MOST_ON_CALL = 20
_FIRST, _LAST = date(2000, 1, 1), date(2100, 1, 1)
_UNIT_DAYS = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 28, "YEARLY": 365}
# RFC 5545 section 3.3.10: the parts of a rule that shifts need; the others repeat within a day.
_RULES = frozenset(
    {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST"}
)
_NUMBER = re.compile(r"\+[1-9][0-9]{3,14}|[0-9]{2,15}")
_URI = re.compile(r"(?:tel:|sips?:)(\+?[0-9]{2,15})(?:[@;].*)?", re.IGNORECASE)
# What the readers of a file that makes no sense raise.
_NONSENSE = (ValueError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError, RecursionError)


class RotaError(Exception):
    """A rota can't be used; the message says why, in one sentence."""


class Shift(NamedTuple):
    """Somebody is on call between two instants (Unix seconds). who: as the file says it."""

    start: float
    end: float
    who: tuple[str, ...]


def read_shifts(data: bytes, zone: ZoneInfo, now: datetime) -> tuple[Shift, ...]:
    """Return the shifts of a file from now on and for DAYS, the first to begin first. Raises RotaError."""
    # Loaded here: a node without a rota doesn't need them.
    import recurring_ical_events
    from icalendar import Calendar

    if len(data) > MOST_BYTES:
        raise RotaError(f"longer than {MOST_BYTES // 1024} kB")
    until = now + timedelta(days=DAYS)
    try:
        calendar = Calendar.from_ical(data)
        if not isinstance(calendar, Calendar):
            raise RotaError("this isn't a calendar")
        events = calendar.walk("VEVENT")
        if len(events) > MOST_EVENTS:
            raise RotaError(f"more than {MOST_EVENTS} events")
        repetitions = sum(_repetitions(event, until) for event in events)
        if repetitions > MOST_REPETITIONS:
            raise RotaError(f"its events repeat more than {MOST_REPETITIONS} times: begin them later")
        unfolded = recurring_ical_events.of(calendar).between(now, until)
        shifts = sorted(_shift(event, zone) for event in unfolded)
    except _NONSENSE as error:
        raise RotaError(f"it can't be read: {str(error)[:100] or type(error).__name__}") from None
    return tuple(shift for shift in shifts if shift.end > now.timestamp())


def _repetitions(event: Any, until: datetime) -> int:
    """How often an event is looked at, at most. Raises RotaError for one that isn't a shift."""
    start = event["DTSTART"].dt
    day: date = start.date() if isinstance(start, datetime) else start
    if not _FIRST <= day <= _LAST:
        raise RotaError(f"an event begins in {day.year}")
    if len(event.to_ical()) > MOST_BYTES // 8 or sum(map(len, _dates(event))) > MOST_WORDS:
        raise RotaError("an event has too many exceptions")
    most = 1
    for rule in _listed(event.get("RRULE")):
        unknown = sorted(name for name in rule if name.upper() not in _RULES)
        frequency = str((rule.get("FREQ") or [""])[0]).upper()
        if unknown or frequency not in _UNIT_DAYS:
            raise RotaError(f"shifts don't repeat by {unknown[0] if unknown else frequency or 'nothing'}")
        interval = int((rule.get("INTERVAL") or [1])[0])
        if not 1 <= interval <= 1000:
            raise RotaError("an event repeats in an interval that isn't 1 to 1000")
        each = prod(len(values) for name, values in rule.items() if name.upper().startswith("BY"))
        days = max((until.date() - day).days + LONGEST_DAYS, 1)
        most += (days // (_UNIT_DAYS[frequency] * interval) + 1) * max(each, 1)
    return most


def _dates(event: Any) -> Iterator[list[Any]]:
    for name in ("RDATE", "EXDATE"):
        for dates in _listed(event.get(name)):
            yield dates.dts


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _shift(event: Any, zone: ZoneInfo) -> Shift:
    start, end = _instant(event.start, zone), _instant(event.end, zone)
    if not 0 < end - start <= LONGEST_DAYS * 86_400:
        raise RotaError(f"a shift lasts no time at all, or longer than {LONGEST_DAYS} days")
    found = [_URI.fullmatch(str(one)) for one in _listed(event.get("ATTENDEE"))]
    who = tuple(match[1] for match in found if match is not None)
    return Shift(start, end, who or (str(event.get("SUMMARY", ""))[:200],))


def _instant(moment: date, zone: ZoneInfo) -> float:
    """Unix seconds; a day begins at midnight, and a time without a zone is the plan's."""
    # RFC 5545 section 3.3.5, form 1: a floating time is that of whoever reads it.
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time(), zone)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).timestamp()


class Rotas:
    """The rotas of a plan. folder: where their files are."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._shifts: dict[str, tuple[Shift, ...]] = {}
        self._read: dict[str, tuple[int, int, float]] = {}  # the file's stamp, and when it was read

    def refresh(self, plan: Plan, now: float) -> dict[str, str]:
        """Read the files that have changed, or that say nothing of what comes; for a thread.

        now: Unix seconds. Returns what is wrong, by file.
        """
        problems: dict[str, str] = {}
        folder = self._folder
        for file in rotas_of(plan) if folder is not None else ():
            assert folder is not None
            path = folder / file
            try:
                found = path.stat()
                before = self._read.get(file, (0, 0, 0.0))
                if before[:2] == (found.st_mtime_ns, found.st_ino) and now < before[2] + AGAIN_SECONDS:
                    continue
                self._read[file] = (found.st_mtime_ns, found.st_ino, now)
                with path.open("rb") as opened:
                    data = opened.read(MOST_BYTES + 1)
                zone = ZoneInfo(plan.timezone)
                self._shifts[file] = read_shifts(data, zone, datetime.fromtimestamp(now, UTC))
            except OSError as error:
                problems[file] = error.strerror or str(error)
            except RotaError as error:
                problems[file] = str(error)
        return problems

    def on_call(self, file: str, plan: Plan, now: float) -> tuple[str, ...]:
        """Return the extensions and numbers outside of those who are on call at an instant (Unix seconds)."""
        words = (
            who for shift in self._shifts.get(file, ()) if shift.start <= now < shift.end for who in shift.who
        )
        return tuple(dict.fromkeys(_numbers(words, plan)))[:MOST_ON_CALL]

    def uncovered(self, file: str, plan: Plan, now: float, days: int) -> float | None:
        """Return the first instant within some days at which nobody is on call; None where there is none."""
        instants = [now, *(shift.end for shift in self._shifts.get(file, ()))]
        for instant in sorted(instants):
            if now <= instant < now + days * 86_400 and not self.on_call(file, plan, instant):
                return instant
        return None


def rotas_of(plan: Plan) -> tuple[str, ...]:
    """The files that a plan's hotlines name, each once."""
    steps = (service.settings.get("steps", ()) for service in plan.services.values())
    found = (
        step.file for some in steps if isinstance(some, tuple) for step in some if isinstance(step, RotaStep)
    )
    return tuple(dict.fromkeys(found))


def _numbers(words: Iterable[str], plan: Plan) -> Iterator[str]:
    for text in words:
        numbers = [one for one in _NUMBER.findall(text) if one.startswith("+") or one in plan.people]
        yield from numbers
        if not numbers:
            folded = text.casefold()
            for person in plan.people.values():
                if person.name and person.name.casefold() in folded:
                    yield person.extension
