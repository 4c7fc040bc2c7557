"""Past calls found by what is asked of them, among millions, a page at a time and the newest first.

Ids of calls grow with time. So a page goes on behind the last id of the one before it, whatever calls have
come since; and the calls of a term lie in their order (pbx.store.calls.terms_of).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import sqlalchemy as sa

from pbx.records import CallRecord
from pbx.store.calls import BEST_MOS, NAME_MARK, RECORDED, calls_by_id, folded, mos_term, terms_of
from pbx.store.schema import call_terms, calls, legs

Outcome: TypeAlias = Literal["answered", "missed"]

MOST_FOUND = 1000
LEAST_OUTSIDE_DIGITS = 7
"""Of a number outside, which may be written in several forms."""

_LOOKED_AT = 3000  # of each group's calls, to find the rarest
_MOST_NAMES = 200
_SLACK_SECONDS = 1.0  # an id has milliseconds, cut


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked of calls; what is left as it is asks for nothing.

    terms: of each group at least one had a part in the call. since, until: Unix seconds of its start, until
    excluded. quality_below: somebody was heard worse than this (MOS). extension: whose own calls alone, of
    which those that hid from them aren't found by a number or a name.
    """

    terms: tuple[tuple[str, ...], ...] = ()
    name: str = ""
    numbers_of_name: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None
    direction: str = ""
    outcome: Outcome | None = None
    cause: str = ""
    recorded: bool = False
    quality_below: float | None = None
    extension: str = ""

    @property
    def asks_who(self) -> bool:
        """Whether it asks for somebody, beside whose calls they are."""
        return bool(self.terms or self.name)

    def keeps(self, call: CallRecord) -> bool:
        """Whether a call is like that; for those that aren't in the database yet."""
        own = terms_of(call)
        groups = [*self.terms, *([(self.extension,)] if self.extension else [])]
        words = [NAME_MARK + word for word in folded(self.name).split()]
        named = bool(own & set(self.numbers_of_name)) or all(
            any(term.startswith(word) for term in own) for word in words
        )
        worst = min((leg.quality.mos for leg in call.legs if leg.quality is not None), default=5.0)
        hides = self.extension and self.asks_who and call.hidden and call.from_ != self.extension
        return (
            all(own & set(group) for group in groups)
            and (not self.name or named)
            and (self.since is None or call.started >= self.since)
            and (self.until is None or call.started < self.until)
            and self.direction in {"", call.direction}
            and self.cause in {"", call.cause}
            and (self.outcome is None or self._is_answered(call) is (self.outcome == "answered"))
            and (not self.recorded or call.recorded)
            and (self.quality_below is None or worst < self.quality_below)
            and not hides
        )

    def _is_answered(self, call: CallRecord) -> bool:
        if not self.extension:
            return call.answered is not None
        return any(leg.number == self.extension and leg.answered is not None for leg in call.legs)


def find_calls(connection: sa.Connection, search: Search, limit: int, after: str = "") -> list[CallRecord]:
    """Return at most `limit` calls, the newest first. after: the id of the last one of the page before."""
    return calls_by_id(connection, find_ids(connection, search, limit, after))


def find_ids(connection: sa.Connection, search: Search, limit: int, after: str = "") -> list[str]:
    """As find_calls, their ids alone."""
    limit = max(0, min(limit, MOST_FOUND))
    groups = _groups(connection, search)
    if any(not group for group in groups):
        return []
    sizes = {group: _size(connection, group) for group in groups}
    driving = min(sizes, key=lambda group: sizes[group], default=())
    # One term's calls lie in their order. Those of several must be sorted, unless they are so many that a
    # look at each call, from the newest on, finds enough of them soon.
    if not driving or (len(driving) > 1 and sizes[driving] == _LOOKED_AT):
        call_id: sa.ColumnElement[str] = calls.c.id
        query = sa.select(call_id)
        driving = ()
    else:
        call_id = call_terms.c.call_id
        query = sa.select(call_id).join(calls, calls.c.id == call_id).where(call_terms.c.term.in_(driving))
    if len(driving) > 1:
        query = query.distinct()
    for number, group in enumerate(group for group in sizes if group != driving):
        other = call_terms.alias(f"other_{number}")
        query = query.where(sa.exists().where(other.c.call_id == call_id, other.c.term.in_(group)))
    query = _narrowed(query, search, after, call_id).order_by(call_id.desc()).limit(limit)
    return [row[0] for row in connection.execute(query)]


def _groups(connection: sa.Connection, search: Search) -> list[tuple[str, ...]]:
    """The terms that a call must have one each of."""
    groups = [tuple(dict.fromkeys(group)) for group in search.terms]
    if search.extension:
        groups.append((search.extension,))
    if search.recorded:
        groups.append((RECORDED,))
    if search.quality_below is not None and search.quality_below <= BEST_MOS:
        steps = [step / 2 for step in range(2, int(2 * BEST_MOS))]
        groups.append(tuple(mos_term(step) for step in steps if step < search.quality_below))
    words = folded(search.name).split()
    return groups + [(*_names(connection, word), *search.numbers_of_name) for word in words]


def _names(connection: sa.Connection, word: str) -> tuple[str, ...]:
    """The terms of names that begin with a word."""
    term, begin = call_terms.c.term, NAME_MARK + word
    query = sa.select(term).where(term >= begin, term < begin + "\uffff").distinct().limit(_MOST_NAMES)
    return tuple(row[0] for row in connection.execute(query))


def _size(connection: sa.Connection, group: tuple[str, ...]) -> int:
    """How many calls a group has, as far as that matters."""
    some = sa.select(call_terms.c.call_id).where(call_terms.c.term.in_(group)).limit(_LOOKED_AT).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def _narrowed(
    query: sa.Select[str], search: Search, after: str, call_id: sa.ColumnElement[str]
) -> sa.Select[str]:
    """What the columns of a call have to say."""
    if after:
        query = query.where(call_id < after)
    if search.since is not None:
        query = query.where(calls.c.started >= search.since, call_id >= _id_at(search.since - _SLACK_SECONDS))
    if search.until is not None:
        query = query.where(calls.c.started < search.until, call_id < _id_at(search.until + _SLACK_SECONDS))
    if search.direction:
        query = query.where(calls.c.direction == search.direction)
    if search.cause:
        query = query.where(calls.c.cause == search.cause)
    if search.outcome is not None:
        answered: sa.ColumnElement[bool] = calls.c.answered.is_not(None)
        if search.extension:  # theirs is what they took themselves
            own = legs.c.number == search.extension
            answered = sa.exists().where(legs.c.call_id == calls.c.id, own, legs.c.answered.is_not(None))
        query = query.where(answered if search.outcome == "answered" else ~answered)
    if search.quality_below is not None:
        worse = sa.exists().where(legs.c.call_id == calls.c.id, legs.c.mos < search.quality_below)
        query = query.where(worse)
    if search.extension and search.asks_who:
        query = query.where(sa.or_(~calls.c.hidden, calls.c.from_number == search.extension))
    return query


def _id_at(at: float) -> str:
    """What the ids of calls that began at an instant begin with (pbx.calls.call.Call)."""
    return f"{max(0, int(at * 1000)):011x}"
