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


def _told_by_legs(call: Call) -> tuple[str, float, tuple[str, ...], str]:
    """The kind, start, parties and place of the interval that a call's legs tell by themselves."""
    caller, target = call.caller, call.decision.target
    since = caller.answered_at or 0.0
    if type(target) is ToService and target.type == PAGE:
        return PAGE, since, tuple(leg.name for leg in call.legs if leg.answered_at is not None), call.to
    leg = _spoken_with(call)
    if leg is not caller and leg.answered_at is not None:
        return "talk", max(leg.answered_at, since), (caller.name, leg.name), ""
    match target:
        case ToService(_, "room"):
            pass  # it is in the room once it has given the PIN
        case ToService(_, kind, number):
            return kind, since, (caller.name,), number if kind == "park" else call.to
        case ToFeature(name, _):
            return "code", since, (caller.name,), name
    return "announcement", since, (caller.name,), ""


def _spoken_with(call: Call) -> Leg:
    """Whom the caller speaks with: of several that answered at once, the one that wasn't dropped. The caller
    where nobody answered."""
    spoken = caller = call.caller
    for leg in call.legs:
        if leg is caller or leg.answered_at is None:
            continue
        if spoken is caller or leg.ended_at is None or (spoken.ended_at or math.inf) <= leg.ended_at:
            spoken = leg
    return spoken


def _closed(call: Call, kind: str, started: float, legs: tuple[str, ...], where: str, now: float) -> Interval:
    """An interval with its end: when the first of its parties left (of a page: who speaks), or now."""
    ended, names = now, legs if kind != PAGE else (call.caller.name,)
    for leg in call.legs:
        left = leg.ended_at
        if left is not None and left < ended and leg.name in names:
            ended = left
    return Interval(kind, started, max(started, ended), legs, where)


def intervals_of(call: Call, now: float) -> tuple[Interval, ...]:
    """All intervals of a call that ends now, or turns to something else."""
    if len(call.legs) == 2 and not call.intervals and type(call.decision.target) is not ToService:
        # Nearly every call: the same as below, in a third of the time.
        caller, other = call.legs
        if caller.answered_at is not None and other.answered_at is not None:
            started = max(caller.answered_at, other.answered_at)
            left = other.ended_at or now
            ended = left if caller.ended_at is None else min(caller.ended_at, left)
            if ended >= started:
                return (Interval("talk", started, ended, (caller.name, other.name)),)
    if call.intervals:
        *past, last = call.intervals
        return (*past, _closed(call, last.kind, last.started, last.legs, last.where, now))
    if call.caller.answered_at is None:
        return ()
    return (_closed(call, *_told_by_legs(call), now),)


def present(call: Call) -> tuple[str, tuple[str, ...]]:
    """The kind and the parties of what a call does now; its caller is answered."""
    if call.intervals:
        return call.intervals[-1].kind, call.intervals[-1].legs
    kind, _, legs, _ = _told_by_legs(call)
    return kind, legs


def turn(call: Call, kind: str, legs: tuple[str, ...], where: str = "") -> None:
    """From now on these legs of a call hear this; what they heard before has ended."""
    now = call.exchange.clock()
    former = intervals_of(call, now)
    if former and (former[-1].kind, former[-1].legs, former[-1].where) == (kind, legs, where):
        return
    call.intervals = (*former, Interval(kind, now, None, legs, where))
    if call.kept:
        call.keep()
