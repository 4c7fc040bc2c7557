"""Calls that are to be completed later: who found somebody busy, or got no answer, is rung when that changes.

The behaviour is that of ETSI's CCBS and CCNR, within one node:

    waiting ──(the other is free, and still is GUARD_SECONDS later)──> who asked rings ──answered──> the other
       ^                                                                 │        │                  is called
       │ who asked is busy as well                                       │        │ no answer        │      │
       ├─────────────────────────────────────────────────────────────────┘        └───> over <───────┼──────┘
       │ the other is busy again                                                         ^           │
       └─────────────────────────────────────────────────────────────────────────────────┼───────────┘
    waiting ──(SECONDS, or cancelled)────────────────────────────────────────────────────┘

After a call that nobody answered the other counts as free once they have used a telephone; where none was
connected, once one is. Several who wait for one person are served in their order. Nothing is listened to
while nobody waits. Each request is in the journal: another process goes on with it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from msgspec import structs

from dialplan.decision import Decision, ToFeature
from pbx.apps.completing import call_back
from pbx.calls.summons import begin
from pbx.events import CompletionChanged, DeviceReachable, Event, LegLeft, SettingsChanged, Subscription
from pbx.people.settings import SettingRefused
from pbx.recent_calls import NO_ANSWER
from pbx.records import CompletionRecord, Personal
from pbx.services.availability import availability_of

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

SECONDS = 45 * 60.0
GUARD_SECONDS = 5.0  # who has just hung up may want to call somebody first
MOST_ASKED = 5  # by one person
MOST_AWAITED = 5  # for one person
CODE = "callback_on_busy"

_NO_FAILURE = {
    "fr": "Aucun de vos appels internes n'a échoué.",
    "en": "None of your internal calls has failed.",
}
_MANY = {
    "fr": "Trop de rappels sont déjà demandés.",
    "en": "Too many calls back are waiting already.",
}
_NONE = {
    "fr": "Aucun rappel n'est demandé.",
    "en": "No call back is waiting.",
}
_NOT_NOW = {
    "fr": "Le rappel n'a pas pu être enregistré.",
    "en": "The call back could not be saved.",
}


class Completion:
    """One request. It is a timer: of the guard time, or of its end.

    unused: the other is to use a telephone first. guarded: the guard time runs. ringing: who asked is rung.
    """

    __slots__ = ("_completions", "armed", "deadline", "guarded", "over", "record", "ringing", "unused")

    def __init__(self, completions: Completions, record: CompletionRecord) -> None:
        self._completions = completions
        self.record = record
        self.unused = record.why == NO_ANSWER and not record.used
        self.guarded = False
        self.ringing = False
        self.over = False
        self.deadline: float | None = None
        self.armed: float | None = None

    def fire(self, now: float) -> None:
        """The guard time is over, or the request's own."""
        self.deadline = None
        self._completions.due(self)


class Completions:
    """The requests of one node."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        # Of each of the two that a request is about, in the order in which they were made.
        self._about: dict[str, list[Completion]] = {}
        self._subscription: Subscription | None = None

    def restore(self, kept: Iterable[Personal]) -> None:
        """Go on with what a process before has written, once it is known again who is where."""
        now = self._exchange.clock()
        found = [
            one for one in kept if isinstance(one, CompletionRecord) and now < one.until <= now + SECONDS
        ]
        for record in sorted(found, key=lambda one: one.asked_at):
            request = self._add(record)
            request.deadline = self._exchange.driver.now + GUARD_SECONDS
            self._exchange.core.stack.timers.arm(request)

    def of(self, asker: str) -> list[CompletionRecord]:
        """What somebody waits for, in order."""
        return [one.record for one in self._about.get(asker, ()) if one.record.asker == asker]

    # What people ask

    def ask(self, asker: str) -> CompletionRecord:
        """Complete the last call inside of somebody's that failed; returns what is waited for.

        Raises SettingRefused.
        """
        exchange = self._exchange
        failure = exchange.recent_calls.failure(asker)
        if failure is None or failure.extension not in exchange.plan.people:
            raise SettingRefused("nothing", _NO_FAILURE, "no call inside has failed")
        wanted = failure.extension
        same = [one for one in self._about.get(asker, ()) if one.record.wanted == wanted]
        asked = sum(one.record.asker == asker for one in self._about.get(asker, ()) if one not in same)
        awaited = sum(one.record.wanted == wanted for one in self._about.get(wanted, ()) if one not in same)
        if asked >= MOST_ASKED or awaited >= MOST_AWAITED:
            raise SettingRefused("many", _MANY, f"{asker} waits for {asked}, {awaited} wait for {wanted}")
        now = exchange.clock()
        record = CompletionRecord(asker, wanted, failure.why, now, now + SECONDS, hidden=failure.hidden)
        self._write(record)
        for former in same:
            self._forget(former)
        self._begin(record)
        return record

    def cancel(self, asker: str) -> None:
        """Somebody doesn't want to be called back any more, by anybody. Raises SettingRefused."""
        about = self._about.get(asker, ())
        requests = [one for one in about if one.record.asker == asker and not one.ringing]
        if not requests:
            raise SettingRefused("nothing", _NONE, f"{asker} waits for nobody")
        for one in requests:
            self.end(one, "cancelled")

    # What the app tells that calls back

    def end(self, request: Completion, why: str) -> None:
        """A request is over."""
        if not request.over:
            self._forget(request)
            self._exchange.write(structs.replace(request.record, until=0.0))
            self._tell(request, why)
            self._look_for(request.record.wanted)
            self._look_for(request.record.asker)

    def wait_on(self, request: Completion) -> None:
        """One of the two is busy again; where we see no call there, a telephone is to be used first."""
        request.ringing = False
        request.unused = not self._exchange.is_engaged(request.record.wanted)
        self._arm(request)
        self._tell(request, "waiting")

    # What happens

    def due(self, request: Completion) -> None:
        """The guard time of a request is over, or its own."""
        if request.over or request.ringing:
            return
        if self._exchange.clock() >= request.record.until:
            self.end(request, "expired")
        elif request.guarded:
            request.guarded = False
            if self._may_ring(request):
                self._ring(request)
            if not request.ringing:
                self._arm(request)
        else:
            self._arm(request)
            self._look(request)

    def _happened(self, event: Event) -> None:
        exchange = self._exchange
        if isinstance(event, SettingsChanged):
            self._look_for(event.extension)
            return
        if not isinstance(event, LegLeft | DeviceReachable):
            return
        device = exchange.devices.find(event.device)
        if device is None:
            return
        if isinstance(event, LegLeft):
            leg = exchange.leg(event.call, event.leg)
            if leg is not None and leg.answered_at is not None:
                self._used(device.extension)
        self._look_for(device.extension)

    def _used(self, extension: str) -> None:
        for request in self._about.get(extension, ()):
            if request.unused and request.record.wanted == extension:
                request.unused = False
                request.record = structs.replace(request.record, used=True)
                self._exchange.write(request.record)

    def _look_for(self, extension: str) -> None:
        for request in self._about.get(extension, ()):
            self._look(request)

    def _look(self, request: Completion) -> None:
        """Let the guard time begin where both are free."""
        if not request.guarded and not request.ringing and self._may_ring(request):
            request.guarded = True
            self._arm(request)

    def _may_ring(self, request: Completion) -> bool:
        """Whether both are free, and nobody who asked before is being connected with one of them."""
        exchange, record = self._exchange, request.record
        both = {record.asker, record.wanted}
        if request.unused or not both <= exchange.plan.people.keys():
            return False
        others = [one for extension in both for one in self._about[extension] if one is not request]
        if any(one.ringing or one.guarded for one in others):
            return False
        if any(exchange.is_engaged(one) or not exchange.devices.bindings_of(one) for one in both):
            return False
        return not availability_of(exchange, record.wanted) and not exchange.draining

    def _ring(self, request: Completion) -> None:
        exchange, record = self._exchange, request.record
        person = exchange.plan.people[record.asker]
        decision = Decision(ToFeature(CODE, record.wanted), record.wanted, "", record.asker, person.name, ())
        began = begin(exchange, decision, record.asker, partial(call_back, request=request))
        request.ringing = bool(began)
        if request.ringing:
            self._tell(request, "ringing")

    # The list

    def _begin(self, record: CompletionRecord) -> None:
        request = self._add(record)
        self._arm(request)
        self._tell(request, "waiting")
        self._look(request)

    def _add(self, record: CompletionRecord) -> Completion:
        request = Completion(self, record)
        for extension in (record.asker, record.wanted):
            self._about.setdefault(extension, []).append(request)
        if self._subscription is None:
            self._subscription = self._exchange.events.subscribe(
                self._happened, LegLeft, DeviceReachable, SettingsChanged
            )
        return request

    def _forget(self, request: Completion) -> None:
        for extension in (request.record.asker, request.record.wanted):
            self._about[extension].remove(request)
            if not self._about[extension]:
                del self._about[extension]
        request.deadline, request.ringing, request.over = None, False, True
        if not self._about and self._subscription is not None:
            self._subscription.end()
            self._subscription = None

    def _arm(self, request: Completion) -> None:
        driver = self._exchange.driver
        left = request.record.until - self._exchange.clock()
        request.deadline = driver.now + (min(GUARD_SECONDS, left) if request.guarded else max(left, 0.0))
        self._exchange.core.stack.timers.arm(request)
        driver.wake()

    def _write(self, record: CompletionRecord) -> None:
        """Raises SettingRefused."""
        if self._exchange.journal.exhausted:
            raise SettingRefused("disk", _NOT_NOW, "the disk is full: nothing more can be kept")
        self._exchange.write(record)

    def _tell(self, request: Completion, state: str) -> None:
        record = request.record
        log.info("user=%s call back from %s state=%s", record.asker, record.wanted, state)
        self._exchange.events.publish(CompletionChanged, record.asker, record.wanted, state)
