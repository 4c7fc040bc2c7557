"""A call: one attempt at a conversation, its legs, and the app that runs over it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import TYPE_CHECKING

from dialplan.decision import Decision, Facts, ToService, ToTrunks
from dialplan.plan import Plan
from media.engine import MediaRefused, MediaUnavailable
from pbx.calls.happenings import (
    Asked,
    Happening,
    LegEnded,
    NotPossibleNow,
    Offered,
    Played,
    TimeUp,
    TransferAsked,
    Woken,
)
from pbx.calls.intervals import intervals_of
from pbx.calls.languages import language_of_number
from pbx.calls.leg import LOST, Leg
from pbx.events import LegStarted, MediaPortsExhausted
from pbx.ongoing import OngoingCall, Outside
from pbx.records import CallRecord, Interval
from sip.core.dialog_request import Authorize
from sip.core.flow import Flow
from sip.core.incoming_session import CANCELLED
from sip.core.multipart import Part
from sip.core.reason import ANSWERED_ELSEWHERE, Reason
from sip.core.session import SessionState

if TYPE_CHECKING:
    from pbx.calls.app import App
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

SHUTDOWN = Reason("Q.850", 41, "Temporary failure")
OUT_OF_RESOURCES = Reason("Q.850", 34, "No circuit available")


_LINE = itemgetter(0)  # of a Step, at no cost to speak of


def lines_of(decision: Decision) -> tuple[int, ...]:
    """The lines of the plan that a decision looked at, 0 for a rule that has none."""
    return tuple(map(_LINE, decision.trace))


class Patience:
    """Until when a call's app waits. It outlives the call in the heap of timers, and is all that does."""

    __slots__ = ("armed", "call", "deadline")

    def __init__(self, call: Call) -> None:
        self.call: Call | None = call
        self.deadline: float | None = None
        self.armed: float | None = None

    def fire(self, now: float) -> None:
        """The deadline has come."""
        self.deadline = None
        if self.call is not None:
            self.call.time_up()


class Call:
    """One call. An app reads what happens with `next_happening` and acts on the legs.

    A leg that ends raises LegEnded in the app, unless the app called it itself and it never answered (then it
    is a `Failed`). Whatever the app leaves, `run` ends: legs, media, call record.
    """

    __slots__ = (
        "_happenings",
        "_patience",
        "_waiter",
        "caller",
        "cause",
        "comes_back",
        "confirms",
        "decision",
        "direct",
        "direction",
        "engine",
        "exchange",
        "facts",
        "from_name",
        "from_number",
        "held",
        "hidden",
        "id",
        "intervals",
        "kept",
        "language",
        "legs",
        "line",
        "max_forwards",
        "muted",
        "offer",
        "one_to_many",
        "parents",
        "payer",
        "plan",
        "plan_lines",
        "plan_version",
        "reached",
        "recorded",
        "started_at",
        "takers",
        "to",
        "via",
        "was_recorded",
    )

    def __init__(
        self, exchange: Exchange, plan: Plan, decision: Decision, offer: bytes, max_forwards: int = 70
    ) -> None:
        """offer: the caller's, empty for a late one. max_forwards: of the requests that it makes."""
        self.exchange = exchange
        self.engine = exchange.engine
        self.started_at = exchange.clock()
        # In the order of time, so that the database's index grows at its end.
        self.id = f"{int(self.started_at * 1000):011x}{exchange.core.stack.identifiers.token()[:9]}"
        self.plan = plan
        self.plan_version = plan.version  # of the plan that it began with
        self.decision = decision
        self.facts: Facts | None = None  # what the decision was made from; None after a restart
        self.direction = "internal"
        self.from_number = decision.caller_id or ""
        self.from_name = decision.caller_name or ""
        self.hidden = False  # whether the caller doesn't want to be shown (RFC 3323 section 4.2)
        self.to = ""
        self.line = ""  # the service that it came to first, whoever is called for it since
        self.cause = ""
        self.language = ""  # that the caller has chosen
        self.offer = offer
        self.max_forwards = max_forwards
        self.payer = ""  # the device whose budgets it is on, where that isn't the caller's
        self.comes_back = ""  # why it rings who had it before, in a word for the display
        self.confirms = ""  # for whom it is, where whoever answers must press a key first
        self.direct = False  # whether the parties send each other their sound (pbx.calls.direct)
        self.one_to_many = False  # whether the caller speaks to several, none of whom is its other party
        self.kept = False  # whether it goes on after a restart
        self.takers: tuple[Leg, ...] | None = None  # who picked it up; None while no app waits for PickedUp
        # How those are reached whom it calls from now on, and by whom (pbx.records.LegRecord).
        self.reached, self.via = "dialled", ""
        if decision.diversions:
            self.reached, self.via = "forwarded", decision.diversions[-1].who
        self.parents: tuple[str, ...] = ()  # the calls that it is made for, or that its parties come from
        self.plan_lines = lines_of(decision)  # of all its decisions
        self.intervals: tuple[Interval, ...] = ()  # pbx.calls.intervals; empty while the legs tell it all
        self.held: tuple[str, ...] = ()  # the legs whose parties hold by us, not by their telephones
        self.muted: tuple[str, ...] = ()  # those that nobody hears
        self.recorded = plan.tables.records_parties  # whether a party of it may be (pbx.recordings.following)
        self.was_recorded = False
        self.legs: list[Leg] = []
        self.caller: Leg
        self._patience = Patience(self)
        self._happenings: deque[Happening | LegEnded] = deque()
        self._waiter: asyncio.Future[None] | None = None

    # For the app

    async def next_happening(self, seconds: float | None = None) -> Happening:
        """Wait for what happens next; TimeUp after `seconds`. Raises LegEnded when a party is gone."""
        if not self._happenings:
            driver = self.exchange.driver
            if seconds is not None:
                self._patience.deadline = driver.now + seconds
                self.exchange.core.stack.timers.arm(self._patience)
                driver.wake()
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
                self._patience.deadline = None
            if not self._happenings:
                return TimeUp()
        happening = self._happenings.popleft()
        if isinstance(happening, LegEnded):
            try:
                raise happening
            finally:
                del happening  # its traceback holds this frame: a cycle, but for this
        return happening

    def invite(
        self,
        device: str,
        target: str,
        flow: Flow,
        body: bytes,
        *,
        remote_address: str,
        local_address: str = "",
        headers: str = "",
        behind_nat: bool = False,
        authorize: Authorize | None = None,
        routes: tuple[str, ...] = (),
        contact: str = "",
        attached: Part | None = None,
    ) -> Leg:
        """Ring a device: a new leg, whose answer or failure happens later.

        target: the Request-URI. remote_address, local_address: To and From; From shows the caller by default.
        routes: the Route values to begin with (RFC 3327 section 5.4). contact: our URI, where it isn't the
        flow's plain one. attached: what goes with the body.
        Raises LegEnded when the caller gave up while the app was busy: nobody's telephone rings for nothing.
        """
        if self.caller.ended_at is not None:
            raise LegEnded(self.caller, CANCELLED)
        leg = Leg(self, f"b{len(self.legs)}", device, flow, behind_nat=behind_nat)
        leg.reached, leg.via = self.reached, self.via
        self.legs.append(leg)
        leg.session = self.exchange.core.invite(
            target,
            flow,
            leg,
            self.exchange.driver.now,
            local_address=local_address or self._caller_address(),
            remote_address=remote_address,
            headers=headers,
            body=body,
            max_forwards=self.max_forwards,
            authorize=authorize,
            routes=routes,
            contact=contact,
            attached=attached,
        )
        self.exchange.events.publish(LegStarted, self.id, leg.name, device)
        self.exchange.driver.wake()
        return leg

    def other_party(self, leg: Leg) -> Leg | None:
        """The party that this one speaks with; None while nobody has answered, and in a page."""
        for other in self.legs if not self.one_to_many else ():
            if other is not leg and other.confirmed:
                return other
        return None

    def language_of(self, texts: Mapping[str, str]) -> str:
        """The language to speak a text in: the caller's choice, else the caller's own, else that of the plan,
        else any that is there."""
        if self.language in texts:
            return self.language
        facts = self.facts
        person = self.plan.people.get(facts.caller or "") if facts is not None else None
        own = person.language if person is not None else ""
        if facts is not None and facts.trunk is not None and not facts.anonymous:
            own = language_of_number(self.plan, facts.caller_number or "")
        for language in (own, self.plan.language, "en"):
            if language in texts:
                return language
        return next(iter(texts), "en")

    def identity_of(self, leg: Leg) -> tuple[str, str]:
        """The number and the name that a party of this call is shown with."""
        if leg is self.caller:
            return self.from_number, self.from_name
        number, name = self.exchange.identity_of_device(leg.device)
        return number or self.decision.dialled, name

    def redirect(self, decision: Decision) -> None:
        """It goes where another decision leads."""
        self.plan_lines += lines_of(decision)
        target, before, self.decision = self.decision.target, self.decision.diversions, decision
        if isinstance(target, ToService):
            self.reached, self.via = target.type, target.name
        if len(decision.diversions) > len(before):
            self.reached, self.via = "forwarded", decision.diversions[-1].who

    def close_to_takers(self) -> tuple[Leg, ...]:
        """Nobody picks it up from now on; returns who wanted to."""
        takers, self.takers = self.takers or (), None
        return takers

    def hides(self, leg: Leg) -> bool:
        """Whether nobody of ours is to see who this party is. The call's record tells it all the same."""
        return self.hidden and leg is self.caller

    def _caller_address(self) -> str:
        number, name = ("", "") if self.hidden else (self.from_number, self.from_name)
        if self.comes_back:
            name = f"{self.comes_back} {name or number}".rstrip()
        return self.exchange.address_of(number, name)

    def keep(self) -> None:
        """Write down what another process needs to go on with this call, before what was said leaves."""
        if self.recorded:
            self.exchange.recordings.look(self)
        self.kept = True
        self.write_down()

    def write_down(self) -> None:
        """Write it down again as it is now."""
        self.exchange.write(self._ongoing())

    # For the legs and the engine

    def post(self, happening: Happening | LegEnded) -> None:
        """Something happened."""
        self._happenings.append(happening)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
            self.exchange.driver.wake()  # after the app's turn: what it says leaves in one flush

    def time_up(self) -> None:
        """The app's deadline has come; what happens at the same instant is told first."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def drop(self, legs: Iterable[Leg]) -> None:
        """Hang up these legs and forget what they had to tell: another one has the call."""
        for leg in legs:
            leg.hang_up("answered elsewhere", ANSWERED_ELSEWHERE)
            leg.release()  # it may have answered and hung up in the meantime
            self._happenings = deque(
                happening
                for happening in self._happenings
                if isinstance(happening, (TimeUp, Woken)) or happening.leg is not leg
            )

    def forget_played(self, leg: Leg) -> None:
        """Something else is about to be played to a leg: that the former sound ended means nothing now."""
        self._happenings = deque(
            happening
            for happening in self._happenings
            if not (isinstance(happening, Played) and happening.leg is leg)
        )

    def forget_offered(self, leg: Leg) -> None:
        """A leg has taken back what it offered, before anybody has seen it."""
        self._happenings = deque(
            happening
            for happening in self._happenings
            if not (isinstance(happening, Offered) and happening.leg is leg)
        )

    async def silence(self) -> None:
        """End all sound of the call before its end."""
        for leg in self.legs:
            if not leg.codec:  # else its stream has gone to another call
                leg.codec = self.engine.codec(self.id, leg.name)
                leg.quality = self.engine.quality(self.id, leg.name)
        await self.engine.delete(self.id)
        if self.kept:
            self.keep()

    async def end_sound(self, leg: Leg) -> None:
        """End the sound of a party that has gone while the call goes on: it is sent nothing more."""
        leg.codec = self.engine.codec(self.id, leg.name)
        leg.quality = self.engine.quality(self.id, leg.name)
        alone = f"{self.id} {leg.name}"
        if leg.codec and await self.engine.move(self.id, leg.name, alone, leg.name):
            await self.engine.delete(alone)

    # From beginning to end

    async def run(self, app: App) -> None:
        """Run the app to its end, whatever happens, and leave nothing behind."""
        try:
            await app(self)
        except LegEnded as ended:
            if not self.cause:
                talked = self.caller.answered_at is not None and ended.leg.cause != LOST
                self.cause = "completed" if talked else ended.leg.cause
        except MediaRefused as refused:
            self.cause = f"media: {refused.reason}"
            if refused.status == 480:
                self.exchange.events.publish(MediaPortsExhausted, self.id)
            if self.caller.ended_at is None and self.caller.answered_at is None:
                reason = OUT_OF_RESOURCES if refused.status == 480 else None
                self.caller.refuse(refused.status, self.cause, reason=reason)
        except MediaUnavailable:
            self.cause = "media unavailable"
            log.error("call=%s media engine unavailable", self.id)
            if self.caller.ended_at is None and self.caller.answered_at is None:
                self.caller.refuse(480, self.cause, reason=OUT_OF_RESOURCES)
        except asyncio.CancelledError:
            self.cause = self.cause or "shutdown"
        except Exception:
            self.cause = "internal error"
            log.exception("call=%s the app failed", self.id)
        finally:
            self._finish()
            await self.exchange.engine.delete(self.id)

    def _finish(self) -> None:
        """Hang up what is left, write the record, and then acknowledge the BYE that ended the call."""
        for leg in self.legs:
            try:
                leg.hang_up("released", SHUTDOWN if self.cause == "shutdown" else None)
            except Exception:  # the other legs are hung up all the same
                log.exception("call=%s leg=%s could not hang up", self.id, leg.name)
        self.exchange.finished(self, self._record())
        for leg in self.legs:
            leg.release()
        for happening in self._happenings:
            match happening:
                case Asked():
                    happening.refuse(NotPossibleNow("the call has ended"))
                case TransferAsked(progress=progress):
                    progress.end(self.exchange.driver.now)
                case _:
                    pass
        # What points at each other is parted here: the collector should never have to find it.
        self.legs = []
        self._patience.call = None
        del self.caller
        self._happenings.clear()

    def _record(self) -> CallRecord:
        engine, ended = self.engine, self.exchange.clock()
        return CallRecord(
            id=self.id,
            started=self.started_at,
            answered=self.caller.answered_at,
            ended=ended,
            direction=self.direction,
            from_=self.from_number,
            from_name=self.from_name,
            dialled=self.decision.dialled,
            to=self.to,
            cause=self.cause or "completed",
            plan_version=self.plan_version,
            legs=[
                leg.record(
                    leg.codec or engine.codec(self.id, leg.name),
                    leg.quality or engine.quality(self.id, leg.name),
                )
                for leg in self.legs
            ],
            intervals=intervals_of(self, ended),
            parents=self.parents,
            plan_lines=self.plan_lines,
            hidden=self.hidden,
            recorded=self.was_recorded,
        )

    def _ongoing(self) -> OngoingCall:
        target = self.decision.target
        engine = self.engine
        return OngoingCall(
            self.id,
            self.started_at,
            self.direction,
            self.from_number,
            self.from_name,
            self.decision.dialled,
            self.to,
            self.cause,
            self.payer,
            self.plan_version,
            self.max_forwards,
            self.decision.caller_id,
            Outside(target.number, target.trunks, target.emergency) if type(target) is ToTrunks else None,
            engine.snapshot(self.id) if engine.carries else None,
            [leg.ongoing() for leg in self.legs],
            self.decision.callback is not None,
            self.line,
            self.intervals,
            self.parents,
            self.plan_lines,
            self.held,
            self.muted,
            self.exchange.recordings.ongoing(self) if self.recorded else (),
            self.hidden,
        )

    @property
    def is_emergency(self) -> bool:
        """Whether it is a call to an emergency service, or its call back: nothing refuses or ends it."""
        decision = self.decision
        target = decision.target
        return decision.callback is not None or (type(target) is ToTrunks and target.emergency)

    @property
    def answered(self) -> bool:
        """True once the caller's leg is answered."""
        session = self.caller.session
        return session is not None and session.state is SessionState.CONFIRMED
