"""What pages, commands and own programs ask of calls: one object, one verb for each thing that people do.

    api = CallApi(exchange)
    call = await api.originate("1001", "0612345678")     # 1001's telephones ring, then the number
    await api.hold("1001")
    await api.transfer("1001", "2010")

A verb names who does it: an extension, or the number of a party outside, and, where that one is in several
calls, which. It does what the party's own telephone would do by its keys, by the same code, and returns when
that is done or is under way. It changes nothing where it raises CallNotFound (there is no such call, or
nobody of that name is in it) or NotPossibleNow (the message says why, in words for whoever asked).

Who may ask is for the caller of this to check: a person's page acts for its own extension alone.

    telephones that take `Event: talk` and `hold` (Yealink, Snom, Poly)    are asked to hold and to answer
    any other one                                                          we hold: its peer hears music, and
                                                                           it nothing; it can't be answered
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dialplan.decision import Decision, Facts, Reject, ToFeature, ToPerson
from dialplan.routing import route
from media import dtmf
from media.engine import Source
from media.speech import Speech
from pbx.api.views import CallView, Done, PartyView
from pbx.apps.originate import Onward, originate
from pbx.apps.room import name_told
from pbx.calls.attendant import Attendant
from pbx.calls.broker import Broker
from pbx.calls.call import Call
from pbx.calls.happenings import Asked, Failed, LegEnded, NotPossibleNow, TransferAsked
from pbx.calls.leg import Leg
from pbx.calls.merging import merge
from pbx.calls.summons import begin
from pbx.calls.transferee import Transferee
from pbx.events import (
    CallAnswered,
    CallEnded,
    CallRinging,
    CallStarted,
    Event,
    Feed,
    LegLeft,
    LegStarted,
)
from sip.core.errors import LocalProtocolError, RemoteProtocolError
from sip.core.message import Response
from sip.core.outgoing_session import OutgoingSession
from sip.core.reason import Reason
from sip.core.registrar import Binding
from sip.core.replaces import Stage
from sip.core.session import NORMAL_CLEARING

if TYPE_CHECKING:
    from pbx.exchange import Exchange

__all__ = ["CallApi", "CallNotFound", "NotPossibleNow"]

PATIENCE_SECONDS = 5.0
MOST_DIGITS = 64
MOST_PLACES = 1000
LONGEST_RECORDING_SECONDS = 14_400.0
# Makers whose telephones answer and hold when a NOTIFY asks them to.
_TAKES_EVENTS = re.compile(r"yealink|snom|poly", re.IGNORECASE)
_DECLINED = Reason("SIP", 603, "Decline")
_PASSIVE = {"called": "is called", "held": "is held", "confers": "is in a conference"}
_REFUSED = {
    403: "that isn't allowed",
    404: "there is no such number",
    480: "nobody can be reached there",
    481: "that call has ended",
    486: "busy",
    603: "the call was declined",
}


class CallNotFound(Exception):
    """There is no such call, or nobody of that name is in it."""


class CallApi:
    """The calls of one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    # Looking

    def calls(self, who: str = "") -> list[CallView]:
        """The calls in progress, oldest first; those of one party, where `who` is given."""
        found: dict[str, Call] = {}
        for leg in self._legs():
            if not who or _is(leg, who):
                found[leg.call.id] = leg.call
        return [_view(call) for _, call in sorted(found.items())]

    def call(self, call: str) -> CallView:
        """One call. Raises CallNotFound."""
        for leg in self._legs():
            if leg.call.id == call:
                return _view(leg.call)
        raise CallNotFound(f"no call {call[:40]} is in progress")

    def is_in(self, who: str, call: str) -> bool:
        """Whether a party is in a call in progress: for pages, which act for their own person alone."""
        return any(leg.call.id == call and _is(leg, who) for leg in self._legs())

    def events(self) -> Feed[Event]:
        """What happens to calls from now on; to be closed by who asked (pbx.events)."""
        kinds = CallStarted, LegStarted, CallRinging, CallAnswered, LegLeft, CallEnded
        return self._exchange.events.feed(*kinds)

    # Beginning

    async def originate(self, extension: str, number: str, *, by_itself: bool = False) -> Done:
        """Ring a person's telephones, and then the number, as if the person had dialled it.

        by_itself: the telephones are asked to answer alone, as for a key on a page beside them.
        Returns the call in which they ring. Raises NotPossibleNow.
        """
        self._decision(extension, number)  # refused at once; what it is is decided when the person answers

        async def onward(attendant: Attendant) -> str:
            try:
                decision = self._exchange.router.decide_for(attendant.call.caller, number)
            except RemoteProtocolError as error:
                return _words(error.status)
            return await attendant.pass_on(decision)

        return self._place(extension, number, onward, by_itself=by_itself)

    async def retrieve(self, extension: str, place: str, *, by_itself: bool = False) -> Done:
        """Ring a person's telephones for who is parked at a place. Raises NotPossibleNow."""
        if place not in self._exchange.parked:
            raise NotPossibleNow(f"nobody waits at {place[:20]}")
        return await self.originate(extension, place, by_itself=by_itself)

    async def pick_up(self, extension: str, of: str = "", *, by_itself: bool = False) -> Done:
        """Ring a person's telephones for the call that rings at another one, and let it be answered there.

        of: whose telephone; "" for any of the person's groups. Raises NotPossibleNow.
        """
        router = self._exchange.router
        self._person(extension)
        (telephone, *_) = self._telephones(extension)
        rings = next(router.to_pick_up(ToFeature("pickup", of), telephone.device), None)
        if rings is None:
            raise NotPossibleNow("no telephone that may be picked up is ringing")

        async def onward(attendant: Attendant) -> str:
            try:
                taker = router.pick_up_for(rings, attendant.call.caller)
            except RemoteProtocolError:
                return "answered elsewhere"
            return await attendant.until_taken(taker)

        return self._place(extension, rings.number, onward, by_itself=by_itself)

    # In a call

    async def answer(self, who: str, call: str = "") -> Done:
        """Let the telephone that rings answer, where it is one that can be asked. Raises CallNotFound,
        NotPossibleNow."""
        leg = self._leg(who, call, _rings)
        if not self._takes_events(leg) or not await _notify(leg, "talk"):
            raise NotPossibleNow("that telephone answers by its own keys alone")
        return Done(leg.call.id)

    async def hold(self, who: str, call: str = "") -> Done:
        """Let a party hold its call: the other one hears music. Raises CallNotFound, NotPossibleNow."""
        leg = self._leg(who, call, _talks)
        if self._takes_events(leg) and await _notify(leg, "hold"):
            return Done(leg.call.id)
        await self._in_talk(leg, lambda broker: broker.hold(leg, on=True))
        return Done(leg.call.id)

    async def resume(self, who: str, call: str = "") -> Done:
        """End the hold of a party. Raises CallNotFound, NotPossibleNow."""
        leg = self._leg(who, call, _talks)
        if leg.name in leg.call.held:
            await self._in_talk(leg, lambda broker: broker.hold(leg, on=False))
        elif not (self._takes_events(leg) and await _notify(leg, "talk")):
            raise NotPossibleNow("its telephone holds the call, and resumes it by its own keys")
        return Done(leg.call.id)

    async def mute(self, who: str, call: str = "", *, on: bool = True) -> Done:
        """Let nobody hear a party, or again. Raises CallNotFound, NotPossibleNow."""
        leg = self._leg(who, call, _talks)
        await self._in_talk(leg, lambda broker: broker.mute(leg, on=on))
        return Done(leg.call.id)

    async def transfer(self, who: str, number: str, call: str = "") -> Done:
        """Connect the other party with a number, by the rights of who transfers; `who` leaves.

        Returns `rings` as soon as somebody is rung, `done` where somebody has answered at once. Where nobody
        takes the call it comes back. Raises CallNotFound, NotPossibleNow.
        """
        return await self._transfer(self._leg(who, call, _talks), number, None)

    async def transfer_to(self, who: str, call: str, other: str) -> Done:
        """Connect the other parties of two calls of somebody, who leaves both (attended transfer).

        call: whose party is held; other: the one in which was asked. Raises CallNotFound, NotPossibleNow.
        """
        leg = self._leg(who, call, _talks)
        second = self._leg(who, other, lambda leg: leg.confirmed or leg is leg.call.caller)
        if second.call is leg.call:
            raise NotPossibleNow("these are one call")
        return await self._transfer(leg, "", second)

    async def merge(self, who: str, call: str, other: str) -> Done:
        """Make one conversation of three of two calls of somebody; the one that their telephone doesn't hold
        stays their line. Raises CallNotFound, NotPossibleNow."""
        one, second = self._leg(who, call, _talks), self._leg(who, other, _talks)
        if second.call is one.call:
            raise NotPossibleNow("these are one call")
        leg, dropped = (second, one) if _holds(one) and not _holds(second) else (one, second)
        await self._in_talk(leg, lambda broker: merge(broker, leg, dropped))
        return Done()

    async def send_on(self, who: str, number: str, by: str, call: str = "") -> Done:
        """Let a party that waits with a service (a queue, parking, a menu) go on to a number, by the rights
        of `by`. Returns `rings` where nobody has taken it at once: where nobody does, it waits on.

        Raises CallNotFound, NotPossibleNow.
        """
        leg = self._leg(who, call, lambda leg: leg.confirmed and not _talks(leg))
        decision = self._decision(by, number)

        async def pass_on(place: Broker | Attendant) -> None:
            if not isinstance(place, Attendant):
                raise NotPossibleNow("it speaks with somebody")
            if _in_room(leg.call):
                raise NotPossibleNow("who is in a conference leaves it before")
            raise NotPossibleNow(await place.pass_on(decision))

        done = self._post(leg, pass_on)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await done
        except TimeoutError:
            return Done(leg.call.id, "rings")
        return Done()

    async def park(self, who: str, place: str = "", call: str = "") -> Done:
        """Park the other party at a place, the first free one without; returns the place.

        Raises CallNotFound, NotPossibleNow.
        """
        leg = self._leg(who, call, _talks)
        places = list(self._places())
        if place and place not in places:
            raise NotPossibleNow(f"{place[:20]} is no parking place")
        free = [one for one in ([place] if place else places) if one not in self._exchange.parked]
        if not free:
            raise NotPossibleNow("no parking place is free" if places else "the plan has no parking place")
        done = await self._transfer(leg, free[0], None)
        return Done(done.call, done.state, free[0])

    async def hang_up(self, who: str, call: str = "") -> Done:
        """End a party's part of a call; a telephone that rings declines it. Raises CallNotFound."""
        leg = self._leg(who, call, lambda leg: True)
        rings = _rings(leg)
        leg.hang_up("declined" if rings else "hung up", NORMAL_CLEARING)
        leg.call.post(Failed(leg, 603, _DECLINED) if rings else LegEnded(leg, NORMAL_CLEARING))
        return Done()

    async def send_digits(self, who: str, digits: str, call: str = "") -> Done:
        """Press keys for a party: its peer gets them. Raises CallNotFound, NotPossibleNow."""
        if not 0 < len(digits) <= MOST_DIGITS or not set(digits) <= set(dtmf.DIGITS):
            raise NotPossibleNow(f"keys are 0 to 9, *, #, A to D, and at most {MOST_DIGITS} of them")
        leg = self._leg(who, call, _talks)
        await self._in_talk(leg, lambda broker: broker.send_digits(leg, digits))
        return Done(leg.call.id)

    async def play(self, who: str, source: Source, call: str = "") -> Done:
        """Play something to a party, in place of what it hears. Raises CallNotFound, NotPossibleNow."""
        leg = self._leg(who, call, _talks)
        await self._in_talk(leg, lambda broker: broker.say(leg, source))
        return Done(leg.call.id)

    async def say(self, who: str, text: str, language: str, call: str = "") -> Done:
        """Speak to a party. Raises CallNotFound, NotPossibleNow."""
        return await self.play(who, Speech(text, language), call)

    async def record(self, who: str, path: Path, *, seconds: float, call: str = "") -> Done:
        """Write what a party says from now on into a WAV file, for at most so many seconds.

        path: absolute, in a folder that is there; what it names is replaced. The recordings that a plan asks
        for are another matter: this one is told to nobody. Raises CallNotFound, NotPossibleNow.
        """
        if not path.is_absolute() or not 0.0 < seconds <= LONGEST_RECORDING_SECONDS:
            raise NotPossibleNow(f"name a file from the root, and at most {LONGEST_RECORDING_SECONDS:.0f} s")
        leg = self._leg(who, call, _talks)
        await self._in_talk(leg, lambda broker: broker.record(leg, path, seconds))
        return Done(leg.call.id)

    async def stop_recording(self, who: str, call: str = "") -> Done:
        """End what `record` began; nothing where nothing is recorded. Raises CallNotFound, NotPossibleNow."""
        leg = self._leg(who, call, _talks)
        await self._in_talk(leg, lambda broker: broker.record(leg, Path(), 0.0))
        return Done(leg.call.id)

    async def let_be_recorded(self, who: str, call: str = "", *, on: bool) -> Done:
        """Stop the plan's recordings of a call, let them go on, or begin one, where the plan allows that
        (`stop: allowed`, `start: asked`). Raises CallNotFound, NotPossibleNow."""
        leg = self._leg(who, call, _talks)
        recordings = self._exchange.recordings
        match recordings.ask_for(leg, on=on):
            case "never":
                raise NotPossibleNow("the plan doesn't let this recording be stopped")
            case "failed":
                raise NotPossibleNow("it can't be recorded at the moment")
            case "none" if on and not recordings.state_of(leg.call)[0]:
                raise NotPossibleNow("the plan doesn't let this call be recorded")
            case "none":
                raise NotPossibleNow("it is recorded already" if on else "it isn't recorded")
            case "done":
                await recordings.catch_up()
        return Done(leg.call.id)

    async def gather(self, who: str, most: int, *, seconds: float, end: str = "#", call: str = "") -> str:
        """Return the keys that a party presses next, at most so many, before `end` or within `seconds`; its
        peer doesn't get them. Raises CallNotFound, NotPossibleNow."""
        leg = self._leg(who, call, _talks)
        pressed: asyncio.Queue[str] = asyncio.Queue()

        async def listen(broker: Broker) -> None:
            broker.listen(leg, pressed.put_nowait)

        async def leave(broker: Broker) -> None:
            broker.listen(None, pressed.put_nowait)

        await self._in_talk(leg, listen)
        keys = ""
        try:
            async with asyncio.timeout(seconds):
                while len(keys) < most and (key := await pressed.get()) != end:
                    keys += key
        except TimeoutError:
            pass
        await self._in_talk(leg, leave)
        return keys

    # Who and where

    def _legs(self) -> Iterator[Leg]:
        """The parties that are in calls; one that is being transferred is still where it was."""
        return (leg for leg in self._exchange.legs() if leg.session is not None)

    def _leg(self, who: str, call: str, suits: Callable[[Leg], bool]) -> Leg:
        """The party's leg in the call, or in its only one that suits."""
        theirs = [leg for leg in self._legs() if _is(leg, who) and call in ("", leg.call.id)]
        if not theirs:
            raise CallNotFound(f"{who[:40]} is in no call{f' {call[:40]}' if call else ''}")
        suiting = [leg for leg in theirs if suits(leg)]
        if not suiting:
            state = _state(theirs[0])
            raise NotPossibleNow(f"not while {who[:40]} {_PASSIVE.get(state, state)}")
        if len(suiting) > 1:
            raise NotPossibleNow(f"{who[:40]} is in {len(suiting)} calls: say which")
        return suiting[0]

    def _person(self, extension: str) -> None:
        if extension not in self._exchange.plan.people:
            raise NotPossibleNow(f"there is no {extension[:40]}")

    def _decision(self, extension: str, number: str) -> Decision:
        """Where a number leads for a person, now. Raises NotPossibleNow where they may not call it."""
        self._person(extension)
        exchange = self._exchange
        telephones = self._telephones(extension)
        device = exchange.devices.find(telephones[0].device)
        now = exchange.clock()
        facts = Facts(
            number,
            caller=extension,
            address=telephones[0].flow.remote[0],
            site=device.site if device is not None else None,
            spending=exchange.spending,
            conditions=exchange.conditions.at(now),
        )
        decision = route(exchange.plan, facts, datetime.fromtimestamp(now, UTC))
        if isinstance(decision.target, Reject):
            raise NotPossibleNow(decision.target.text.get("en") or _words(decision.target.status))
        return decision

    def _telephones(self, extension: str) -> list[Binding]:
        exchange = self._exchange
        ways = exchange.devices.ways_to(extension, exchange.registrations.reachable)
        if not ways:
            raise NotPossibleNow(f"{extension[:40]} has no telephone here")
        return [flows[0] for flows in ways]

    def _place(self, extension: str, number: str, onward: Onward, *, by_itself: bool) -> Done:
        exchange = self._exchange
        if exchange.draining:
            raise NotPossibleNow("the node is stopping")
        person = exchange.plan.people[extension]
        decision = Decision(ToPerson(extension, person.name), number, "", extension, person.name, ())
        app = partial(originate, onward=onward, by_itself=by_itself)
        placed = begin(exchange, decision, extension, app)
        if not placed:
            raise NotPossibleNow(f"{extension} has no telephone here")
        return Done(placed, "rings")

    def _places(self) -> Iterator[str]:
        """The numbers of the plan's parking places."""
        for service in self._exchange.plan.services.values():
            if service.type == "park" and service.numbers is not None:
                yield from map(service.numbers.at, range(min(len(service.numbers), MOST_PLACES)))
            elif service.type == "park" and service.number:
                yield service.number

    # Asking

    async def _in_talk(self, leg: Leg, work: Callable[[Broker], Awaitable[None]]) -> None:
        """Have something done in the call's own turn. Raises NotPossibleNow."""

        async def by_broker(place: Broker | Attendant) -> None:
            if not isinstance(place, Broker):
                raise NotPossibleNow("not while a service has the call")
            await work(place)

        done = self._post(leg, by_broker)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await done
        except TimeoutError:
            raise NotPossibleNow("the call is busy with something else; ask again in a moment") from None

    def _post(self, leg: Leg, work: Callable[[Broker | Attendant], Awaitable[None]]) -> asyncio.Future[Any]:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        leg.call.post(Asked(leg, work, done))
        return done

    async def _transfer(self, leg: Leg, number: str, second: Leg | None) -> Done:
        """Returns once somebody is rung or has answered, or after PATIENCE_SECONDS."""
        progress = _Progress()
        leg.call.post(TransferAsked(leg, number, second, progress))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                state = await progress.outcome
        except TimeoutError:
            state = "rings"
        return Done(leg.call.id if state == "rings" else "", state)

    def _takes_events(self, leg: Leg) -> bool:
        device = self._exchange.devices.find(leg.device)
        bindings = device.bindings if device is not None else ()
        return any(
            _TAKES_EVENTS.search(one.user_agent) for one in bindings if one.flow.remote == leg.flow.remote
        )


class _Progress:
    """How a transfer begins (pbx.calls.happenings.Progress)."""

    def __init__(self) -> None:
        self.outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def notify(self, status: int, now: float) -> None:
        """The first word decides; what comes later is told by events."""
        if self.outcome.done() or status <= 100:
            return
        if status < 300:
            self.outcome.set_result("rings" if status < 200 else "done")
        else:
            self.outcome.set_exception(NotPossibleNow(_words(status)))

    def end(self, now: float) -> None:
        """Nobody will carry it out."""
        if not self.outcome.done():
            self.outcome.set_exception(NotPossibleNow("the call has ended, or is being transferred already"))


class _Reply:
    """Who waits for the answer to a NOTIFY (sip.core.transactions.invite_client.ClientUser)."""

    def __init__(self) -> None:
        self.accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def response_received(self, response: Response, now: float) -> None:
        """Taken, or refused."""
        if response.status >= 200 and not self.accepted.done():
            self.accepted.set_result(response.status < 300)

    def no_response(self, reason: str, now: float) -> None:
        """Nothing came."""
        if not self.accepted.done():
            self.accepted.set_result(False)


async def _notify(leg: Leg, event: str) -> bool:
    """Ask a telephone to answer or resume (`talk`) or to hold; returns whether it takes that.

    No RFC has these events: their makers agree on a NOTIFY within the dialog, without a subscription.
    RFC 6665 section 8.2.3 has the Subscription-State that every NOTIFY carries.
    """
    reply, driver, session = _Reply(), leg.call.exchange.driver, leg.session
    if session is None:
        return False
    headers = f"Event: {event}\r\nSubscription-State: active\r\n"
    if isinstance(session, OutgoingSession) and not leg.confirmed:
        session.has_fork(session.ringing_tag)  # RFC 3261 section 12.1.2: the early dialog that rings
    try:
        session.send_request("NOTIFY", reply, driver.now, headers=headers)
    except LocalProtocolError:
        return False
    driver.wake()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await reply.accepted
    except TimeoutError:
        return False


def _is(leg: Leg, who: str) -> bool:
    return who == leg.number


def _rings(leg: Leg) -> bool:
    return leg.stage is Stage.EARLY and not isinstance(leg, Transferee)


def _talks(leg: Leg) -> bool:
    other = leg.call.other_party(leg)
    return leg.confirmed and other is not None


def _in_room(call: Call) -> bool:
    return any(call in room.parties for room in call.exchange.rooms.values())


def _others_in_room(call: Call) -> tuple[str, ...]:
    """Who else is in the conference that a call is in, by name; "" for who has none to be told."""
    room = next((room for room in call.exchange.rooms.values() if call in room.parties), None)
    others = [one for one in room.parties if one is not call] if room is not None else []
    return tuple(name_told(one) for one in others)


def _state(leg: Leg) -> str:
    """See PartyView."""
    match leg.stage:
        case Stage.EARLY:
            return "rings" if leg.rang else "called"
        case Stage.EARLY_INCOMING:
            return "calls"
    other = leg.call.other_party(leg)
    if other is None:
        return "confers" if _in_room(leg.call) else "waits"
    if _holds(leg):
        return "holds"
    return "held" if _holds(other) else "talks"


def _holds(leg: Leg) -> bool:
    held = re.search(rb"^a=(?:sendonly|inactive)\r?$", leg.remote_sdp, re.MULTILINE)
    return leg.name in leg.call.held or held is not None


def _view(call: Call) -> CallView:
    exchange = call.exchange
    parties = []
    for leg in call.legs:
        if leg.ended_at is None and leg.session is not None:
            _, name = exchange.identity_of_device(leg.device)
            name = name or (call.from_name if leg is call.caller else "")
            muted = leg.name in call.muted
            state = _state(leg)
            may_record = exchange.recordings.may_ask(leg)
            parties.append(
                PartyView(leg.name, leg.device, leg.number, name, state, muted, leg.call_id, may_record)
            )
    return CallView(
        call.id,
        call.direction,
        call.from_number,
        call.from_name,
        call.decision.dialled,
        call.to,
        call.started_at,
        call.caller.answered_at,
        tuple(parties),
        call.parents,
        call.line,
        *exchange.recordings.state_of(call),
        conference=_others_in_room(call),
    )


def _words(status: int) -> str:
    return _REFUSED.get(status, f"refused with {status}")
