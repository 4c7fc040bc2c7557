"""What each person's last calls were: for the codes that call again, call back, or trace the last caller.

In memory only, and only while the plan has such a code: a process that starts anew has forgotten them, and
the database of ended calls is beyond the reach of signalling. One entry of each kind for a person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dialplan.decision import ToFeature, ToTrunks
from dialplan.plan import Plan

if TYPE_CHECKING:
    from pbx.calls.call import Call
    from pbx.calls.leg import Told
    from pbx.records import CallRecord

CODES = frozenset({"redial", "last_caller", "callback_on_busy", "malicious_call"})
BUSY, NO_ANSWER, UNREACHABLE = "busy", "no_answer", "unreachable"
_FAILURES = {
    "busy": BUSY,
    "declined": BUSY,
    "rejected: do_not_disturb": BUSY,
    "no answer": NO_ANSWER,
    "cancelled": NO_ANSWER,  # who waits no longer hangs up before the time is over
    "unreachable": UNREACHABLE,
}
_ELSEWHERE = "answered elsewhere"


class Dialled(NamedTuple):
    """What somebody dialled last, and the number that this was: E.164 outside."""

    dialled: str
    number: str


class Failure(NamedTuple):
    """A call inside that failed. why: BUSY, NO_ANSWER or UNREACHABLE. hidden: who called wasn't shown."""

    extension: str
    why: str
    hidden: bool


class Caller(NamedTuple):
    """The last call to somebody. answered: whether that person took it; hidden: whether they aren't to see
    who called; told, call_id: what an operator said of its caller, and the Call-ID there."""

    record: CallRecord
    answered: bool
    hidden: bool
    told: Told
    call_id: str


class RecentCalls:
    """The last calls of one node's people. wanted: whether the plan has a code that asks for them."""

    def __init__(self) -> None:
        self.wanted = False
        self._dialled: dict[str, Dialled] = {}
        self._failures: dict[str, Failure] = {}
        self._callers: dict[str, Caller] = {}

    def load(self, plan: Plan) -> None:
        """Another plan is in force: what is told of people who are gone is forgotten."""
        self.wanted = any(feature.name in CODES for feature in plan.features)
        kept = plan.people if self.wanted else {}
        self._dialled = {who: number for who, number in self._dialled.items() if who in kept}
        self._failures = {who: failure for who, failure in self._failures.items() if who in kept}
        self._callers = {who: caller for who, caller in self._callers.items() if who in kept}

    def ended(self, call: Call, record: CallRecord) -> None:
        """A call is over."""
        people, caller = call.plan.people, record.legs[0]
        person = caller.number if caller.device not in call.plan.trunks else ""
        if person in people and call.reached in ("dialled", "forwarded"):
            self._placed(call, record, person)
        rings_caller = caller.reached == "originated" and not record.parents
        if len(record.legs) == 1 and record.to in people and record.to != person and not rings_caller:
            self._came(record.to, call, record, answered=False)  # missed: no telephone could be reached
        for leg in record.legs[1:]:
            if leg.number in people and leg.number != person and leg.cause != _ELSEWHERE:
                self._came(leg.number, call, record, answered=leg.answered is not None)

    def _placed(self, call: Call, record: CallRecord, person: str) -> None:
        """Somebody of ours has called, by dialling or by a code that dials."""
        target = call.decision.target
        if isinstance(target, ToFeature) or call.is_emergency:
            return
        if not record.parents:
            number = target.number if isinstance(target, ToTrunks) else record.dialled
            self._dialled[person] = Dialled(record.dialled, number)
        if isinstance(target, ToTrunks):
            return
        called = record.dialled if record.dialled in call.plan.people else record.to
        why = _FAILURES.get(record.cause, "") if record.answered is None else ""
        if why and called in call.plan.people and called != person:
            self._failures[person] = Failure(called, why, call.hidden)
        elif person in self._failures and self._failures[person].extension == called:
            del self._failures[person]

    def _came(self, extension: str, call: Call, record: CallRecord, *, answered: bool) -> None:
        caller = call.caller
        self._callers[extension] = Caller(record, answered, call.hidden, caller.told, caller.call_id)

    def dialled(self, extension: str) -> Dialled | None:
        """What somebody dialled last, None for nothing; never a number for help."""
        return self._dialled.get(extension)

    def failure(self, extension: str) -> Failure | None:
        """The last call inside of somebody that failed, None without one."""
        return self._failures.get(extension)

    def caller(self, extension: str) -> Caller | None:
        """The last call to somebody, None where nobody has called."""
        return self._callers.get(extension)
