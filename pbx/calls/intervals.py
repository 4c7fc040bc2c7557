"""The intervals of a call: who hears whom, or what, from when to when (`pbx.records.Interval`).

Most calls have one, which their legs tell by themselves: two who talk from the answer to the end, or a caller
with a service. Nothing is kept for these until the record is made. What changes in between (a hold, a
transfer, a room) is written down as it happens, and begins a list.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dialplan.decision import ToFeature, ToService
from pbx.records import Interval

if TYPE_CHECKING:
    from pbx.calls.call import Call
    from pbx.calls.leg import Leg

PAGE = "page"


def implied(call: Call) -> Interval | None:
    """The interval that a call's legs tell by themselves, without its end; None where nobody answered."""
    caller = call.caller
    since = caller.answered_at
    if since is None:
        return None
    target = call.decision.target
    if type(target) is ToService and target.type == PAGE:
        listening = tuple(leg.name for leg in call.legs if leg.answered_at is not None)
        return Interval(PAGE, since, None, listening, call.to)
    leg = _spoken_with(call)
    if leg is not caller and leg.answered_at is not None:
        return Interval("talk", max(leg.answered_at, since), None, (caller.name, leg.name))
    match target:
        case ToService(_, "room"):
            pass  # it is in the room once it has given the PIN
        case ToService(_, kind, number):
            return Interval(kind, since, None, (caller.name,), number if kind == "park" else call.to)
        case ToFeature(name, _):
            return Interval("code", since, None, (caller.name,), name)
    return Interval("announcement", since, None, (caller.name,))


def _spoken_with(call: Call) -> Leg:
    """Whom the caller speaks with: of several that answered at once, the one that wasn't dropped. The caller
    where nobody answered."""
    spoken = call.caller
    for leg in call.legs:
        if leg is call.caller or leg.answered_at is None:
            continue
        if spoken is call.caller or leg.ended_at is None or (spoken.ended_at or math.inf) <= leg.ended_at:
            spoken = leg
    return spoken


def closed(call: Call, interval: Interval, now: float) -> Interval:
    """An interval with its end: when the first of its parties left (of a page: who speaks), or now."""
    if interval.ended is not None:
        return interval
    ended, names = now, interval.legs if interval.kind != PAGE else (call.caller.name,)
    for leg in call.legs:
        if leg.ended_at is not None and leg.ended_at < ended and leg.name in names:
            ended = leg.ended_at
    if ended < interval.started:
        ended = interval.started
    return Interval(interval.kind, interval.started, ended, interval.legs, interval.where)


def intervals_of(call: Call, now: float) -> tuple[Interval, ...]:
    """All intervals of a call that ends now."""
    if call.intervals:
        return (*call.intervals[:-1], closed(call, call.intervals[-1], now))
    only = implied(call)
    return (closed(call, only, now),) if only is not None else ()


def turn(call: Call, kind: str, legs: tuple[str, ...], where: str = "") -> None:
    """From now on these legs of a call hear this; what they heard before has ended."""
    now = call.exchange.clock()
    started = call.intervals[-1] if call.intervals else implied(call)
    if started is not None:
        if started.ended is None and (started.kind, started.legs, started.where) == (kind, legs, where):
            return
        call.intervals = (*call.intervals[:-1], closed(call, started, now))
    call.intervals += (Interval(kind, now, None, legs, where),)
    if call.kept:
        call.keep()
