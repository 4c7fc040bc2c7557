"""Ring all the devices of a person at once; the first to answer has the call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from media.engine import MediaRefused, MediaUnavailable
from media.simpler import can_be_simpler
from pbx.apps.announce import announce
from pbx.calls.app import App
from pbx.calls.bridge import connect
from pbx.calls.broker import take_early
from pbx.calls.call import Call
from pbx.calls.direct import direct_site, go_direct, may_be_direct
from pbx.calls.happenings import (
    Answered,
    Declined,
    Failed,
    LegEnded,
    Offered,
    PickedUp,
    Progressed,
    TelephoneCame,
    TimeUp,
)
from pbx.calls.leg import Leg
from pbx.calls.reasons import said
from pbx.calls.srtp import policy_of, secure
from pbx.people.browser_passwords import SUFFIX
from sip.core.reason import Reason
from sip.core.registrar import Binding

if TYPE_CHECKING:
    from media.sdes import Policy

RING_SECONDS = 60.0
RELOAD_SECONDS = 10.0  # until a page whose connection broke while it rang has registered again
ABSENT_SECONDS = 2.0  # the same for one whose connection was broken before
BESIDE_SECONDS = 20.0  # a device of an emergency call, before a destination that doesn't only ring
NO_ANSWER = Reason("Q.850", 19, "No answer from the user")
UNREACHABLE = Reason("Q.850", 20, "Subscriber absent")
BUSY = Reason("Q.850", 17, "User busy")
REFUSED = frozenset({486, 600, 603})  # by somebody, not by a network
FLOW_FAILED = frozenset({408, 430, 503})  # nothing came back, or a proxy lost it (RFC 5626 section 11.5)


@dataclass(frozen=True, slots=True)
class Vain:
    """Why nobody answered: the record's cause, what the caller is told, and what a forward is told (a word of
    RFC 5806 section 4; "" where the call isn't sent on)."""

    cause: str
    status: int
    reason: Reason | None
    why: str


RANG_OUT = Vain("no answer", 480, NO_ANSWER, "no-answer")
UNREACHED = Vain("unreachable", 480, UNREACHABLE, "unavailable")
ENGAGED = Vain("busy", 486, BUSY, "user-busy")
DECLINED = Vain("declined", 603, None, "deflection")
NO_CODEC = Vain("no common codec", 488, None, "")


async def dial(call: Call, extension: str, instance: str = "", beside: str = "") -> None:
    """Ring the extension's devices until one answers, all refuse, or RING_SECONDS are over; then the call
    goes where its person sends such calls, if anywhere.

    The caller hears its own phone's ringback (180 without a body), so that no device's early media decides.
    instance: ring only the phone with this instance ID, which a GRUU named (RFC 5627 section 6.1).
    beside: the device of somebody else's that rings too, of an emergency call that is called back.
    """
    call.to = extension
    exchange = call.exchange
    ways = exchange.devices.ways_to(extension, exchange.registrations.reachable, instance)
    seconds = exchange.router.ring_seconds(call, extension)
    wakes = not instance and exchange.waking.can_wake(extension)
    if beside:
        seconds = RING_SECONDS
        ways += [flows for flows in _ways_to_device(call, beside) if flows not in ways]
    vain = await _ring(call, extension, ways, seconds, wakes=wakes) if seconds else ENGAGED
    await send_on(call, extension, vain)


async def send_on(call: Call, extension: str, vain: Vain) -> None:
    """Let a call go where its person sends such calls, if anywhere; else the caller is told why."""
    if vain.why:
        for app in call.exchange.router.forward(call, extension, vain.why):
            await app(call)
            return
    text = said(vain.cause) if vain in (RANG_OUT, UNREACHED) else {}
    await announce(call, text, status=vain.status, cause=vain.cause, reason=vain.reason)


async def ring(call: Call, extension: str, only: tuple[str, ...] = (), headers: str = "") -> None:
    """Ring the extension's devices as one of several; where it sends its own calls means nothing here.

    only: these devices, by sign-in; empty for all. headers: of the INVITEs, lines ending in CRLF.
    """
    call.to = extension
    exchange = call.exchange
    ways = exchange.devices.ways_to(extension, exchange.registrations.reachable)
    if only:
        ways = [flows for flows in ways if flows[0].device in only]
    wakes = (not only or f"{extension}{SUFFIX}" in only) and exchange.waking.can_wake(extension)
    vain = await _ring(call, extension, ways, RING_SECONDS, headers, wakes=wakes)
    call.cause = vain.cause
    call.caller.refuse(vain.status, vain.cause, reason=vain.reason)


async def ring_first(call: Call, device: str, otherwise: App) -> None:
    """Ring one device, which made an emergency call, and go on otherwise when nobody answers it."""
    ways = _ways_to_device(call, device)
    if ways:
        call.to = device
        await _ring(call, device, ways, BESIDE_SECONDS)
    await otherwise(call)


def _ways_to_device(call: Call, sign_in: str) -> list[list[Binding]]:
    exchange = call.exchange
    device = exchange.devices.find(sign_in)
    if device is None:
        return []
    ways = exchange.devices.ways_to(device.extension, exchange.registrations.reachable)
    return [flows for flows in ways if flows[0].device == sign_in]


async def _ring(
    call: Call,
    extension: str,
    ways: list[list[Binding]],
    seconds: float,
    headers: str = "",
    *,
    wakes: bool = False,
) -> Vain:
    """Ring telephones, each by the ways to it: returns why nobody answered. An answered call ends in
    LegEnded. wakes: the person has closed pages that are woken, and ring when they come."""
    caller = call.caller
    phones = _Phones(call, extension, headers)
    ringing: list[Leg] = []
    unavailable: MediaUnavailable | None = None
    for flows in ways:
        # No phone rings itself.
        others = [
            flow for flow in flows if flow.device != caller.device or flow.flow.remote != caller.flow.remote
        ]
        if others:
            try:
                ringing.append(await phones.ring(others))
            except MediaUnavailable as error:
                unavailable = error  # without an RTC worker pages don't ring; the desk phone beside them does
    if unavailable is not None and not ringing:
        raise unavailable
    if not ringing and not wakes:
        return UNREACHED
    call.takers = ()
    if wakes:
        found = await _first_answer_or_woken(call, extension, ringing, phones, seconds)
    else:
        found = await _first_answer(call, ringing, phones, seconds)
    for taker in call.close_to_takers():
        if not isinstance(found, PickedUp) or taker is not found.taker:
            call.drop([taker])  # too late
    if isinstance(found, Vain):
        return found
    if isinstance(found, PickedUp):
        answered, body = found.taker, found.offer
    else:
        answered, body = found.leg, found.body
        phones.claim(answered)
    call.drop(ringing)
    if phones.is_direct(answered):
        await go_direct(call, phones.site, answered, body)
    await connect(call, answered, body)
    raise AssertionError("a connected call ends in LegEnded")


async def _pick_up(call: Call, picked: PickedUp) -> bool:
    """Answer whoever takes the call from where it rings; False where it can't be, and it rings on.

    Both have offered: each one's offer is the other's answer to ours (RFC 3891 section 3).
    """
    taker, caller, engine = picked.taker, call.caller, call.engine
    if taker.ended_at is not None:
        call.drop([taker])  # it gave up just now
        return False
    try:
        await _offer(call, caller, taker, call.offer)
        await _offer(call, taker, caller, picked.offer)
        answer = await engine.answer(
            call.id,
            caller.name,
            taker.name,
            call.offer,
            nat=caller.behind_nat,
            advertise=taker.media_address,
        )
        await _offer(call, caller, taker, call.offer)  # which `connect` has answered
    except MediaRefused as refused:
        taker.refuse(refused.status, "no common codec")
        return False
    if call.hidden:
        taker.answer(answer)
    else:
        taker.answer(answer, call.from_name, call.from_number)
    return True


class _Phones:
    """The phones that ring: who was made which offer, and by which other flows each could be reached.

    site: at whose telephones the caller's offer goes as it is, "" for none.
    """

    def __init__(self, call: Call, extension: str, headers: str = "") -> None:
        self._call = call
        self._headers = headers
        self._remote_address = call.exchange.address_of(extension, "")
        # By our address and the rule for SRTP: whom it was made for.
        self._offers: dict[tuple[str, Policy], tuple[Leg, bytes]] = {}
        self._direct: set[Leg] = set()
        self._first: dict[Leg, Leg] = {}  # of those with the same offer
        self._further: dict[Leg, list[Binding]] = {}
        self._flows: dict[Leg, Binding] = {}
        self._unable: list[Binding] = []  # phones that refused the offer
        self._preferring: set[Leg] = set()  # phones that were offered keys in the plain profile
        self._simple = False
        self.site = direct_site(call)

    async def ring(self, flows: list[Binding], *, insists: bool = False) -> Leg:
        """Ring a phone by the first of these flows. insists: with SRTP alone, where it may."""
        call, binding = self._call, flows[0]
        flow = call.exchange.flow_of(binding)
        address = call.exchange.media_address_toward(flow)
        policy = policy_of(call, binding.device, flow)
        if policy == "preferred" and (insists or self._simple):
            policy = "required" if insists else "off"
        direct = self.site and not self._simple and may_be_direct(call, self.site, binding, flow, policy)
        made = None if direct else self._offers.get((address, policy))
        if made is not None:
            body = made[1]
        else:
            body = call.offer if direct else await self._offer(address, policy)
        leg = call.invite(
            binding.device,
            binding.contact,
            flow,
            body,
            remote_address=self._remote_address,
            headers=self._headers,
            behind_nat=binding.behind_nat,
            routes=binding.path,
        )
        if direct:
            self._direct.add(leg)
        elif made is None:
            made = self._offers[address, policy] = leg, body
        if policy == "preferred":
            self._preferring.add(leg)
        self._first[leg] = made[0] if made is not None else leg
        self._flows[leg] = binding
        if len(flows) > 1:
            self._further[leg] = flows[1:]
        return leg

    async def _offer(self, address: str, policy: Policy) -> bytes:
        call = self._call
        caller, name = call.caller, f"b{len(call.legs)}"
        secure(call, name, policy)
        if not call.offer:
            return b""
        return await call.engine.offer(
            call.id,
            caller.name,
            name,
            call.offer,
            nat=caller.behind_nat,
            advertise=address,
            simple=self._simple,
        )

    async def ring_otherwise(self, leg: Leg, status: int) -> list[Leg]:
        """The leg of a phone's next flow, where this one failed and it has another (RFC 5626 section 5.3)."""
        further = self._further.pop(leg, [])
        return [await self.ring(further)] if further and status in FLOW_FAILED else []

    def is_direct(self, leg: Leg) -> bool:
        """Whether a phone was made the caller's own offer."""
        return leg in self._direct

    def may_come_back(self, leg: Leg, status: int) -> bool:
        """Whether a phone whose connection broke is a page that may just be being loaded again."""
        binding = self._flows[leg]
        device = self._call.exchange.devices.find(binding.device)
        return device is not None and device.is_browser and status in FLOW_FAILED and not binding.flow.open

    async def ring_by_profile(self, leg: Leg) -> list[Leg]:
        """A phone can't use what it was offered: `ring_simpler` asks it again.

        A phone that knows RTP/SAVP may stumble over keys in the plain profile (RFC 8643): it is asked at once
        with that.
        """
        if leg in self._preferring:
            return [await self.ring([self._flows[leg]], insists=True)]
        self._unable.append(self._flows[leg])
        return []

    async def ring_simpler(self) -> list[Leg]:
        """Once nobody rings any more: those that refused the offer, once, with a simpler one."""
        unable, self._unable = self._unable, []
        keys = any(policy == "preferred" for _, policy in self._offers)
        if self._simple or not unable or not (keys or can_be_simpler(self._call.offer)):
            return []
        self._simple = True
        self._offers.clear()
        return [await self.ring([binding]) for binding in unable]

    def claim(self, winner: Leg) -> None:
        """One offer went to all phones that are told one address: the engine knows whoever answers by the
        name that it was made for."""
        first = self._first[winner]
        if winner is not first:
            first.name, winner.name = winner.name, first.name


async def _offer(call: Call, leg: Leg, to: Leg, offer: bytes) -> None:
    """Let the engine know what a leg offers another one."""
    await call.engine.offer(call.id, leg.name, to.name, offer, nat=leg.behind_nat, advertise=to.media_address)


async def _first_answer_or_woken(
    call: Call, extension: str, ringing: list[Leg], phones: _Phones, seconds: float
) -> Answered | PickedUp | Vain:
    """The same while the person's closed pages are woken: the call rings on with no telephone there yet."""
    waking, outcome = call.exchange.waking, "cancelled"
    waking.begin(call, extension)
    if not call.caller.rang:
        call.caller.ring()  # what rings there may be a page that was closed without a word
    try:
        found = await _first_answer(call, ringing, phones, seconds, wakes=True)
        outcome = found.cause if isinstance(found, Vain) else "answered"
        return found
    except LegEnded as ended:
        outcome = "answered" if ended.told_on is not None else outcome
        raise
    finally:
        waking.end(call, extension, outcome)


async def _first_answer(
    call: Call, ringing: list[Leg], phones: _Phones, seconds: float, *, wakes: bool = False
) -> Answered | PickedUp | Vain:
    """The leg that answered, taken out of `ringing`, with its answer, or who picked the call up and has our
    answer; or why none did. wakes: others may come, until somebody refuses it."""
    told = call.caller.rang
    best = 0
    driver = call.exchange.driver
    deadline = driver.now + seconds
    away_until = driver.now  # for pages that are being loaded again
    try:
        while ringing or driver.now < away_until or (wakes and best not in REFUSED):
            until = deadline if ringing or wakes else min(deadline, away_until)
            match await call.next_happening(until - driver.now):
                case Progressed() if not told:
                    told = True
                    call.caller.ring()
                case Answered(leg, _) as answered:
                    ringing.remove(leg)
                    return answered
                case Offered(leg, _) if (
                    leg is call.caller or (call.offer and len(ringing) > 1) or phones.is_direct(leg)
                ):
                    leg.refuse_offer(488)  # nobody speaks with it yet, or several do
                case Offered(leg, _) as offered:
                    await take_early(call, leg, offered)
                case Failed(leg, status, _):
                    ringing.remove(leg)
                    if phones.may_come_back(leg, status):
                        away_until = driver.now + (RELOAD_SECONDS if leg.rang else ABSENT_SECONDS)
                    ringing += await phones.ring_otherwise(leg, status)
                    if status in {415, 488}:
                        ringing += await phones.ring_by_profile(leg)
                    if not ringing:
                        ringing += await phones.ring_simpler()
                    best = _better(best, status)
                case TelephoneCame(_, binding):
                    if all(leg.flow is not binding.flow for leg in ringing):
                        ringing.append(await phones.ring([binding]))
                case Declined():
                    for leg in ringing:
                        leg.hang_up("declined")
                    return DECLINED
                case PickedUp() as picked:
                    if await _pick_up(call, picked):
                        return picked
                case TimeUp() if driver.now < deadline:
                    pass  # nobody came back
                case TimeUp():
                    for leg in ringing:
                        leg.hang_up("no answer")
                    return RANG_OUT
                case _:
                    pass
    except LegEnded as ended:
        why = "answered elsewhere" if ended.told_on is not None else "cancelled"
        for leg in ringing:
            leg.hang_up(why, ended.told_on)
        raise
    if best in {486, 600}:
        return ENGAGED
    if best == 603:
        return DECLINED
    return NO_CODEC if best in {488, 606} else UNREACHED


def _better(best: int, status: int) -> int:
    """Which refusal tells the caller most: a person who is busy or declines, then anything else."""
    order = (486, 600, 603, 488, 606)
    ranked = [candidate for candidate in order if candidate in {best, status}]
    return ranked[0] if ranked else status
