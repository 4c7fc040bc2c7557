"""The figures of queues and their agents, from the call records in the database (`pbx.queues.figures`).

A visit is a call with an interval of kind `queue`. An attempt is a call that was made for a visit and in
which telephones of agents were `reached` by the queue; a conversation is one that was made for an attempt to
call somebody back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from pbx.queues.figures import Figures
from pbx.store.schema import call_parents, calls, intervals, legs


class _Attempt(NamedTuple):
    """One agent in one call. answered: whether the call was; by_agent: whether the agent answered it."""

    call: str
    visit: str
    queue: str
    agent: str
    answered: bool
    by_agent: bool


def queue_figures(
    connection: sa.Connection, *, since: float | None = None, until: float | None = None
) -> Figures:
    """Return what queues and agents did for those who came between two instants (Unix seconds, `until`
    excluded)."""
    figures = Figures()
    visits = _visits(connection, since, until)
    attempts = [one for one in _attempts(connection) if visits.get(one.visit, ("",))[0] == one.queue]
    conversations = _conversations(connection)
    talked = _talked(connection)
    answered = {one.visit for one in attempts if one.answered}
    for visit, (queue, outcome, waited_seconds) in visits.items():
        became = "answered" if outcome != "to_call_back" and visit in answered else outcome
        figures.visit(queue, became, waited_seconds)
    rung: dict[tuple[str, str], list[_Attempt]] = {}
    for one in attempts:
        rung.setdefault((one.call, one.agent), []).append(one)
    for (call, agent), its in rung.items():
        queue = its[0].queue
        figures.attempt(queue, agent, talked.get(call, 0.0) if any(one.by_agent for one in its) else None)
        for conversation in conversations.get(call, ()) if any(one.by_agent for one in its) else ():
            figures.conversation(queue, agent, talked.get(conversation, 0.0))
    return figures


def _visits(
    connection: sa.Connection, since: float | None, until: float | None
) -> dict[str, tuple[str, str, float]]:
    """The queue, what became of the caller, and how long it waited, by call."""
    others = intervals.alias()
    last = sa.select(sa.func.max(others.c.position)).where(others.c.call_id == calls.c.id)
    query = (
        sa.select(
            calls.c.id,
            calls.c.cause,
            intervals.c.place,
            sa.func.coalesce(intervals.c.ended, calls.c.ended) - intervals.c.started,
            intervals.c.position == last.scalar_subquery(),
        )
        .join(intervals, intervals.c.call_id == calls.c.id)
        .where(intervals.c.kind == "queue")
        .order_by(calls.c.started, calls.c.id)
    )
    if since is not None:
        query = query.where(calls.c.started >= since)
    if until is not None:
        query = query.where(calls.c.started < until)
    visits: dict[str, tuple[str, str, float]] = {}
    for call, cause, queue, waited_seconds, is_last in connection.execute(query):
        outcome = "abandoned" if is_last and cause != "transferred" else "sent_on"
        if cause == "to be called back":
            outcome = "to_call_back"
        visits[call] = (queue, outcome, waited_seconds)
    return visits


def _attempts(connection: sa.Connection) -> Iterable[_Attempt]:
    """Every telephone of an agent that a queue rang."""
    query = (
        sa.select(
            calls.c.id,
            call_parents.c.parent,
            legs.c.via,
            legs.c.number,
            calls.c.answered.is_not(None),
            sa.and_(calls.c.answered.is_not(None), legs.c.answered.is_not(None)),
        )
        .join(legs, legs.c.call_id == calls.c.id)
        .join(call_parents, call_parents.c.call_id == calls.c.id)
        .where(legs.c.reached == "queue")
        .order_by(calls.c.started, calls.c.id)
    )
    return [
        _Attempt(call, visit, queue, agent, bool(answered), bool(by_agent))
        for call, visit, queue, agent, answered, by_agent in connection.execute(query)
    ]


def _conversations(connection: sa.Connection) -> dict[str, list[str]]:
    """The calls to those who were called back, by the call that rang the agent."""
    query = (
        sa.select(call_parents.c.parent, legs.c.call_id)
        .join(legs, legs.c.call_id == call_parents.c.call_id)
        .where(legs.c.reached == "call-back")
        .distinct()
    )
    found: dict[str, list[str]] = {}
    for attempt, call in connection.execute(query):
        found.setdefault(attempt, []).append(call)
    return found


def _talked(connection: sa.Connection) -> dict[str, float]:
    """How long the parties of each call that has to do with a queue had each other."""
    concerned = sa.select(legs.c.call_id).where(legs.c.reached.in_(("queue", "call-back")))
    query = (
        sa.select(
            calls.c.id,
            sa.func.sum(sa.func.coalesce(intervals.c.ended, calls.c.ended) - intervals.c.started),
        )
        .join(intervals, intervals.c.call_id == calls.c.id)
        .where(intervals.c.kind.in_(("talk", "held")), calls.c.id.in_(concerned))
        .group_by(calls.c.id)
    )
    return {row[0]: row[1] for row in connection.execute(query)}
