"""Somebody whose telephones we ring so that they become the caller of a call: who asked to be called back.

begin     a call whose caller is to be the person; nothing is sent yet
summon    all the telephones ring; the first that is answered is the caller from then on, and can be talked
          to and passed on as one that called by itself
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialplan.decision import Decision
from media.engine import MediaRefused
from pbx.calls.call import Call
from pbx.calls.happenings import Answered, Failed, Offered, TimeUp
from pbx.calls.leg import Leg
from pbx.calls.srtp import policy_of, secure
from pbx.events import LegStarted
from sip.core.reason import Reason
from sip.core.registrar import Binding

if TYPE_CHECKING:
    from media.sdes import Policy
    from pbx.calls.app import App
    from pbx.exchange import Exchange

BUSY = "busy"
NO_ANSWER = "no answer"
UNREACHABLE = "unreachable"
REACHED = "originated"  # in the record
_ENGAGED = frozenset({486, 600, 603})
_FLOW_FAILED = frozenset({408, 430, 503})  # nothing came back, or a proxy lost it (RFC 5626 section 11.5)


class Summoned(Leg):
    """A party that we ring so that it becomes the caller: nothing that a caller is told is told to it."""

    __slots__ = ()
    hears_early = False

    def __init__(self, call: Call, name: str, binding: Binding) -> None:
        flow = call.exchange.flow_of(binding)
        super().__init__(call, name, binding.device, flow, behind_nat=binding.behind_nat)
        self.reached = REACHED

    def ring(self, status: int = 180, body: bytes = b"") -> None:
        """It hears what the app plays."""

    def refuse(self, status: int, cause: str, *, reason: Reason | None = None, phrase: str = "") -> None:
        """There is nothing to refuse: it was called by us."""
        self.hang_up(cause, reason)


def begin(exchange: Exchange, decision: Decision, extension: str, app: App) -> str:
    """Begin a call whose caller is to be a person; returns its id, "" where no telephone of theirs is
    connected.

    decision: for the record. app: calls `summon` first.
    """
    ways = exchange.devices.ways_to(extension, exchange.registrations.reachable)
    if not ways:
        return ""
    call = Call(exchange, exchange.plan, decision, b"")
    call.caller = Summoned(call, "a", ways[0][0])
    call.legs.append(call.caller)
    person = exchange.plan.people.get(extension)
    call.from_number, call.from_name = extension, person.name if person is not None else ""
    exchange.begin(call, app)
    return call.id


async def summon(
    call: Call, extension: str, seconds: float, number: str, name: str, *, headers: str = ""
) -> str:
    """Ring the person's telephones, which show this number and name; returns "" once the call's caller is the
    one that was answered, else why none was: BUSY, NO_ANSWER, UNREACHABLE.

    headers: lines of the INVITEs, each with its CRLF. Raises LegEnded where it hangs up in that moment,
    MediaUnavailable without an engine.
    """
    exchange = call.exchange
    phones = _Phones(call, extension, exchange.address_of(number, name), headers)
    for flows in exchange.devices.ways_to(extension, exchange.registrations.reachable):
        await phones.ring(flows)
    best = 0
    deadline = exchange.driver.now + seconds
    while phones.ringing:
        match await call.next_happening(deadline - exchange.driver.now):
            case Answered(leg, body):
                return await phones.answered(leg, body)
            case Failed(leg, status, _):
                best = status if best not in _ENGAGED else best
                await phones.failed(leg, status)
            case Offered(leg, _):
                leg.refuse_offer(488)  # it has an offer of ours
            case TimeUp():
                for leg in phones.ringing:
                    leg.hang_up(NO_ANSWER)
                return NO_ANSWER
            case _:
                pass
    return BUSY if best in _ENGAGED else UNREACHABLE


class _Phones:
    """The telephones that ring; those that are told one address of ours have one offer."""

    def __init__(self, call: Call, extension: str, shown: str, headers: str) -> None:
        self.ringing: list[Leg] = []
        self._call = call
        self._extension = extension
        self._shown = shown
        self._headers = headers
        self._offers: dict[tuple[str, Policy], tuple[Leg, bytes]] = {}
        self._first: dict[Leg, Leg] = {}
        self._further: dict[Leg, list[Binding]] = {}

    async def ring(self, flows: list[Binding]) -> None:
        """Ring a telephone by the first of the ways to it."""
        call, exchange, binding = self._call, self._call.exchange, flows[0]
        leg = call.caller
        if self._first:
            leg = Summoned(call, f"a{len(call.legs)}", binding)
            call.legs.append(leg)
            exchange.events.publish(LegStarted, call.id, leg.name, leg.device)
        flow = leg.flow
        policy = policy_of(call, binding.device, flow)
        made = self._offers.get((leg.media_address, policy))
        if made is None:
            secure(call, leg.name, policy)
            body = await call.engine.terminate_offer(call.id, leg.name, advertise=leg.media_address)
            made = self._offers[leg.media_address, policy] = leg, body
        self._first[leg] = made[0]
        self._further[leg] = flows[1:]
        leg.session = exchange.core.invite(
            binding.contact,
            flow,
            leg,
            exchange.driver.now,
            local_address=self._shown,
            remote_address=exchange.address_of(self._extension, ""),
            headers=self._headers,
            body=made[1],
            max_forwards=call.max_forwards,
            routes=binding.path,
        )
        self.ringing.append(leg)
        exchange.driver.wake()

    async def failed(self, leg: Leg, status: int) -> None:
        """A telephone isn't reached this way: by the next one, if any (RFC 5626 section 5.3)."""
        self.ringing.remove(leg)
        if (further := self._further[leg]) and status in _FLOW_FAILED:
            await self.ring(further)

    async def answered(self, leg: Leg, body: bytes) -> str:
        """A telephone was answered: it has the call, and the others stop ringing."""
        call, first = self._call, self._first[leg]
        self.ringing.remove(leg)
        if call.recorded:
            call.exchange.recordings.succeeded(call.caller, leg)
        call.drop(self.ringing)
        leg.name, first.name = first.name, leg.name  # the engine knows the name that the offer was made for
        call.caller = leg
        try:
            await call.engine.terminate_answer(call.id, leg.name, body, nat=leg.behind_nat)
        except MediaRefused:
            leg.hang_up("no common codec")
            return UNREACHABLE
        return ""
