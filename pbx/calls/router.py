"""From an INVITE to the app that runs over the call: who calls, where the plan sends it, what answers."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from dialplan.decision import (
    LOOP,
    NO_FORWARD,
    Decision,
    Facts,
    Reject,
    ToFeature,
    ToPerson,
    ToService,
    ToTrunks,
)
from dialplan.plan import Destination
from dialplan.routing import (
    forwards_of,
    no_answer_seconds,
    route,
    route_forward,
    route_onward,
    route_to_mobile,
    to_mailbox,
)
from pbx.apps.announce import NOT_BUILT, NOT_IMPLEMENTED, announce
from pbx.apps.dial import RING_SECONDS, dial, ring_first
from pbx.apps.feature_codes import CODES
from pbx.apps.one_number import one_number
from pbx.apps.outside import outside
from pbx.apps.recorded import refuse_unrecorded
from pbx.apps.services import SERVICES
from pbx.calls.app import App, ServiceApp
from pbx.calls.broker import Broker
from pbx.calls.call import Call
from pbx.calls.dialled import dialled_number
from pbx.calls.happenings import PickedUp, Referred, TransferAsked
from pbx.calls.leg import Leg, Told
from pbx.calls.replacing import replaced_by, take_up_again
from pbx.calls.srtp import policy_of, secure
from pbx.calls.transfer import check_may_take, holding_channel, keeping_channel, take, transfer
from pbx.calls.transferee import Transferee
from pbx.calls.visitors import PAGES
from pbx.events import LegStarted
from pbx.nat import is_behind_nat
from pbx.people.addresses import confirmed_here
from pbx.people.devices import Device
from pbx.records import PICK_UP
from pbx.trunks.diversions import diversions_said
from pbx.trunks.recognition import naming_lines
from sip.core.errors import RemoteProtocolError
from sip.core.gruu import instance_called
from sip.core.identity import asserted_identity
from sip.core.message import Request
from sip.core.reason import Reason
from sip.core.replaces import Stage
from sip.core.transactions.invite_server import InviteServer

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

PICK_UP_CODES = frozenset({"pickup", "pickup_group"})
REJECTED = {
    403: Reason("Q.850", 57, "Bearer capability not authorized"),
    404: Reason("Q.850", 1, "Unallocated number"),
}


class Router:
    """Starts a call for each INVITE that the plan lets in."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def invite_received(self, request: Request, transaction: InviteServer, now: float) -> None:
        """Answer an INVITE outside a dialog: a challenge, a refusal, or a call.

        Raises RemoteProtocolError to be answered.
        """
        exchange = self._exchange
        flow = request.flow
        assert flow is not None
        dialled = dialled_number(request.uri)
        unix_now = exchange.clock()
        conditions = exchange.conditions.at(unix_now)
        if flow.transport in PAGES and exchange.visitors.is_one(request, dialled):
            exchange.visitors.invite_received(request, transaction, now)
            return
        trunk = exchange.trunks.of_request(request)
        if trunk is not None:
            device, is_page = trunk, False
            caller = exchange.trunks.caller_of(trunk, request, dialled)
            facts = Facts(
                caller.dialled,
                trunk=trunk,
                caller_number=caller.number,
                anonymous=caller.anonymous,
                address=flow.remote[0],
                spending=exchange.spending,
                conditions=conditions,
                diversions=diversions_said(exchange.plan, request),
            )
        else:
            signed_in = exchange.guard.caller_of(request, dialled, transaction, now)
            if signed_in is None:
                return  # challenged
            device, is_page = signed_in.sign_in, signed_in.is_browser
            facts = Facts(
                dialled,
                caller=signed_in.extension,
                anonymous="privacy" in request.headers and wants_privacy(request),
                address=flow.remote[0],
                site=signed_in.site,
                spending=exchange.spending,
                conditions=conditions,
            )
            if signed_in.addresses is not None or signed_in.owner != signed_in.extension:
                facts = _told_of_device(facts, signed_in)
        replaced = None
        if trunk is None:
            replaced = replaced_by(exchange, request, device, dialled, is_page=is_page)
        if request.max_forwards == 0:
            raise RemoteProtocolError(483, "Too Many Hops")
        if request.body and b"m=" not in request.body:
            raise RemoteProtocolError(488, "Not Acceptable Here")
        if (
            replaced is not None
            and is_page
            and replaced.device == device
            and replaced.stage is not Stage.EARLY
        ):
            take_up_again(replaced, request, transaction)
            return
        if replaced is not None and replaced.stage is Stage.EARLY:
            self._pick_up(replaced, device, request, transaction)
            return
        plan = exchange.plan
        decision = route(plan, facts, datetime.fromtimestamp(unix_now, UTC))
        if type(decision.target) is ToFeature and request.body:
            for rings in self.to_pick_up(decision.target, device):
                self._pick_up(rings, device, request, transaction)
                return
        call = Call(exchange, plan, decision, request.body, request.max_forwards - 1)
        call.facts = facts
        behind_nat = is_behind_nat(request, flow.remote[0])
        call.caller = Leg(call, "a", device, flow, behind_nat=behind_nat)
        call.legs.append(call.caller)
        # What can be refused is refused before: from `accept` on the INVITE is the session's to answer.
        app = app_of(decision, request if trunk is None else None)
        if trunk is None and (decision.anonymous or "privacy" in request.headers):
            call.hidden = _hides_inside(decision, request)
        if replaced is not None:
            app = partial(take, replaced=replaced)
        call.caller.session = exchange.core.accept(request, transaction, call.caller)
        log.debug(
            "call=%s leg=a user=%s dialled=%s to=%s", call.id, device, decision.dialled, decision.target
        )
        if trunk is None:
            call.from_number = facts.caller or ""
            exchange.begin(call, app)
            return
        call.direction = "inbound"
        if exchange.recent_calls.wanted:
            call.caller.told = Told(caller.number, naming_lines(request))
        if isinstance(decision.target, ToTrunks):
            call.from_number = "" if facts.anonymous else caller.number  # the decision shows one of ours
        exchange.begin(call, holding_channel(call.caller, app))

    def to_pick_up(self, code: ToFeature, device: str) -> Iterator[Leg]:
        """The telephones that ring and that a code picks up for a device, those that ring longest first."""
        if code.name not in PICK_UP_CODES:
            return
        exchange = self._exchange
        for rings in exchange.legs():
            if rings.stage is not Stage.EARLY or rings.call.takers is None or not rings.call.offer:
                continue
            known = exchange.devices.find(rings.device)
            if known is None or code.argument not in ("", known.extension):
                continue
            with suppress(RemoteProtocolError):
                check_may_take(exchange, device, rings)
                yield rings

    def _pick_up(self, rings: Leg, device: str, request: Request, transaction: InviteServer) -> None:
        """Let the call that rings there be answered here: the INVITE becomes a leg of that call.

        Raises RemoteProtocolError where nobody can be picked up any more, or without an offer on both sides.
        """
        call = rings.call
        if call.takers is None:
            raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
        if not call.offer or not request.body:
            raise RemoteProtocolError(488, "Not Acceptable Here")  # each of the two needs our answer
        assert request.flow is not None
        behind_nat = is_behind_nat(request, request.flow.remote[0])
        taker = Leg(call, f"b{len(call.legs)}", device, request.flow, behind_nat=behind_nat)
        taker.reached, taker.via = PICK_UP, rings.number
        taker.session = self._exchange.core.accept(request, transaction, taker)
        call.legs.append(taker)
        call.takers += (taker,)
        secure(call, taker.name, policy_of(call, device, request.flow))
        self._exchange.events.publish(LegStarted, call.id, taker.name, device)
        log.debug("call=%s leg=%s user=%s picks up %s", call.id, taker.name, device, rings.device)
        call.post(PickedUp(rings, taker, request.body))

    def pick_up_for(self, rings: Leg, stays: Leg) -> Transferee:
        """Let a party of another call answer the call that rings there; it takes it over, or is refused.

        Raises RemoteProtocolError where nobody can be picked up any more.
        """
        call = rings.call
        if rings.stage is not Stage.EARLY or call.takers is None or not call.offer:
            raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
        taker = Transferee(call, f"b{len(call.legs)}", stays)
        taker.reached, taker.via = PICK_UP, rings.number
        call.legs.append(taker)
        call.takers += (taker,)
        secure(call, taker.name, policy_of(call, taker.device, taker.flow))
        self._exchange.events.publish(LegStarted, call.id, taker.name, taker.device)
        call.post(PickedUp(rings, taker, stays.remote_sdp))
        return taker

    def transfer(self, call: Call, broker: Broker, asked: Referred | TransferAsked) -> Awaitable[None]:
        """Connect a party with somebody else; see `pbx.calls.transfer.transfer`."""
        return transfer(call, broker, asked)

    def forward(self, call: Call, extension: str, reason: str) -> tuple[App, ...]:
        """The app that takes a call on that rang somebody's devices in vain, as a tuple of one; empty where
        they send it nowhere, or where it may not go. reason: a word of RFC 5806 section 4."""
        exchange, facts = self._exchange, call.facts
        unix_now = exchange.clock()
        conditions = exchange.conditions.at(unix_now)
        forwards = forwards_of(call.plan, conditions, extension)
        if facts is None or not (forwards.destinations or forwards.rules):
            return self._to_mailbox(call, extension, reason)
        facts = replace(facts, conditions=conditions, diversions=call.decision.diversions)
        now = datetime.fromtimestamp(unix_now, UTC)
        decision = route_forward(call.plan, facts, now, extension, reason)
        log.debug("call=%s forward of=%s reason=%s to=%s", call.id, extension, reason, decision.target)
        target = decision.target
        if isinstance(target, ToPerson) and any(one.who == target.extension for one in decision.diversions):
            return self._to_mailbox(call, extension, reason)  # whose telephone has rung for this call already
        if isinstance(target, Reject):
            if target is not NO_FORWARD:
                why = decision.trace[-1].outcome
                log.info("call=%s forward of=%s not followed: %s", call.id, extension, why)
            return self._to_mailbox(call, extension, reason)
        exchange.redirect(call, decision._replace(callback=call.decision.callback))
        return (app_of(decision),)

    def _to_mailbox(self, call: Call, extension: str, reason: str) -> tuple[App, ...]:
        """The app that takes a message, as a tuple of one: for somebody who was rung in vain, else for who
        sent the call there; empty where none of them has a mailbox."""
        if not self._takes_messages:
            return ()
        for who in (extension, *(one.who for one in reversed(call.decision.diversions))):
            callee = call.plan.tables.callers.get(who)
            if callee is not None and call.plan.voicemail_of(who).on:
                decision = to_mailbox(call.decision, callee, reason)
                log.debug("call=%s mailbox of=%s reason=%s", call.id, who, reason)
                self._exchange.redirect(call, decision)
                return (_app_to(decision, None),)
        return ()

    @property
    def _takes_messages(self) -> bool:
        return self._exchange.voicemail is not None and self._exchange.engine.records

    def ring_seconds(self, call: Call, extension: str) -> float:
        """How long somebody's devices ring: less than RING_SECONDS where the call goes on afterwards, and not
        at all where they are in a call and take no second one."""
        conditions = self._exchange.conditions.at(call.started_at)
        forwards = forwards_of(call.plan, conditions, extension)
        if not forwards.call_waiting and self._exchange.is_engaged(extension, but=call):
            return 0.0
        mailbox = call.plan.voicemail_of(extension)
        otherwise = float(mailbox.after_seconds) if mailbox.on and self._takes_messages else RING_SECONDS
        if not forwards.rules or call.facts is None:
            return float(forwards.no_answer_seconds) if forwards.no_answer else otherwise
        facts = replace(call.facts, conditions=conditions)
        now = datetime.fromtimestamp(call.started_at, UTC)
        return float(no_answer_seconds(call.plan, facts, now, extension) or otherwise)

    def decide_for(self, referrer: Leg, dialled: str) -> Decision:
        """Where a number leads for a party that transfers to it: its rights count.

        Raises RemoteProtocolError where it may not.
        """
        exchange = self._exchange
        device = exchange.devices.find(referrer.device)
        if device is None:
            raise RemoteProtocolError(403, "Forbidden")  # an operator makes no calls of ours
        unix_now = exchange.clock()
        facts = Facts(
            dialled,
            caller=device.extension,
            address=referrer.flow.remote[0],
            site=device.site,
            spending=exchange.spending,
            conditions=exchange.conditions.at(unix_now),
        )
        facts = _told_of_device(facts, device)
        decision = route(exchange.plan, facts, datetime.fromtimestamp(unix_now, UTC))
        if isinstance(decision.target, Reject):
            raise RemoteProtocolError(decision.target.status, "Refused By The Plan")
        return decision

    def decide_mobile(self, call: Call, extension: str) -> Decision:
        """Where a person's mobile rings for a call; a refusal where it can't."""
        exchange = self._exchange
        unix_now = exchange.clock()
        facts = replace(
            call.facts or Facts(call.decision.dialled),
            conditions=exchange.conditions.at(unix_now),
            diversions=call.decision.diversions,
        )
        return route_to_mobile(call.plan, facts, datetime.fromtimestamp(unix_now, UTC), extension)

    def decide_as(self, call: Call, extension: str, dialled: str) -> Decision:
        """Where a number leads for a person who calls from elsewhere, and has proved who they are."""
        exchange = self._exchange
        unix_now = exchange.clock()
        facts = Facts(
            dialled,
            caller=extension,
            spending=exchange.spending,
            conditions=exchange.conditions.at(unix_now),
        )
        return route(call.plan, facts, datetime.fromtimestamp(unix_now, UTC))

    def decide_onward(self, call: Call, to: Destination, rule: str) -> Decision:
        """Where a service sends a call on; the rights of the plan count, not those of the caller.

        Max-Forwards (RFC 3261 section 8.1.1.6) is what ends a circle of services, within this node too.
        """
        exchange = self._exchange
        if call.max_forwards <= 1:
            return call.decision._replace(target=LOOP)
        call.max_forwards -= 1
        unix_now = exchange.clock()
        facts = call.facts or Facts(call.decision.dialled)
        facts = replace(
            facts, conditions=exchange.conditions.at(unix_now), diversions=call.decision.diversions
        )
        return route_onward(call.plan, facts, datetime.fromtimestamp(unix_now, UTC), to, rule)

    def app_of(self, decision: Decision) -> App:
        """The app that a decision starts."""
        return app_of(decision)

    def onward(
        self,
        call: Call,
        stays: Leg,
        decision: Decision,
        *,
        payer: str,
        app: App | None = None,
        transferrer: str = "",
        shown: tuple[str, str] | None = None,
    ) -> Call:
        """Begin a call of its own, to where the decision leads, for a party of another call.

        payer: the device that transfers it, whose budgets it is on. app: in place of the decision's.
        transferrer: the extension of who transfers; a service does it otherwise. shown: the number and the
        name that the party is shown with, where these aren't its own.
        """
        exchange = self._exchange
        offer = stays.remote_sdp or stays.call.offer  # nobody has answered it yet
        onward = Call(exchange, exchange.plan, decision, offer, call.max_forwards)
        onward.caller = waiting = Transferee(onward, "a", stays)
        onward.legs.append(waiting)
        onward.from_number, onward.from_name = shown or call.identity_of(stays)
        onward.hidden = call.hides(stays)
        onward.payer = payer
        onward.line, onward.language = call.line, call.language
        onward.parents = (call.id,)
        if transferrer:
            onward.reached, onward.via = "transfer", transferrer
        elif isinstance(call.decision.target, ToService):
            onward.reached, onward.via = call.decision.target.type, call.decision.target.name
        device = exchange.devices.find(payer)
        if device is not None:
            onward.facts = Facts(
                decision.dialled, caller=device.extension, site=device.site, spending=exchange.spending
            )
        if stays.device in call.plan.trunks:
            onward.direction = "inbound"
        exchange.begin(onward, keeping_channel(waiting, app or app_of(decision)))
        return onward


def app_of(decision: Decision, request: Request | None = None) -> App:
    """The app that a decision starts.

    request: of a device of ours; it may ask not to be shown, as the plan may for it, or call one phone of a
    person (RFC 5627).
    """
    callback = decision.callback
    if callback is None:
        return _app_to(decision, request)
    if isinstance(decision.target, ToPerson):
        return partial(dial, extension=decision.target.extension, beside=callback.device)
    return partial(ring_first, device=callback.device, otherwise=_app_to(decision, request))


def _app_to(decision: Decision, request: Request | None) -> App:
    match decision.target:
        case ToPerson(extension, _, True) if request is None or not instance_called(request.uri):
            return partial(one_number, extension=extension)
        case ToPerson(extension, _):
            instance = instance_called(request.uri) if request is not None else ""
            return partial(dial, extension=extension, instance=instance)
        case ToService(name, kind) if kind in SERVICES:
            return partial(_serve, name=name, app=SERVICES[kind])
        case ToTrunks() as target:
            asked = request is not None and "privacy" in request.headers and wants_privacy(request)
            return partial(outside, target=target, anonymous=asked or decision.anonymous)
        case Reject(reason, status, text):
            return partial(
                announce, text=text, status=status, cause=f"rejected: {reason}", reason=REJECTED.get(status)
            )
        case ToFeature(name, argument) if name in CODES:
            return partial(_named, name=name, app=partial(CODES[name], argument=argument))
        case ToService(name, _) | ToFeature(name, _):
            return partial(
                _named,
                name=name,
                app=partial(
                    announce, text=NOT_BUILT, status=480, cause="not available", reason=NOT_IMPLEMENTED
                ),
            )


async def _named(call: Call, name: str, app: App) -> None:
    call.to = name
    await app(call)


async def _serve(call: Call, name: str, app: ServiceApp) -> None:
    call.to = name
    call.line = call.line or name
    if call.decision.recorded_lines and call.exchange.recordings.refuses(call):
        await refuse_unrecorded(call)
        return
    await app(call, call.plan.services[name])


def _told_of_device(facts: Facts, device: Device) -> Facts:
    """The facts of a device's call, with whose it is and where somebody says that it is."""
    owner = device.owner if device.owner != device.extension else None
    return replace(facts, owner=owner, confirmed_address=confirmed_here(device, facts.address or ""))


def wants_privacy(request: Request) -> bool:
    """Whether the caller asked that its number isn't shown (RFC 3323 section 4.2, RFC 3325 section 9.3)."""
    return asserted_identity(request, trusted=True).privacy.hides_caller


def _hides_inside(decision: Decision, request: Request) -> bool:
    """Whether colleagues aren't shown who calls: the telephone asks for it, or the code that was dialled does
    (RFC 3323 section 4.2). Somebody's lasting wish (`caller_id: anonymous`) is for calls outside alone."""
    if decision.anonymous and decision.dialled[:1] in ("*", "#"):
        return True
    return "privacy" in request.headers and wants_privacy(request)
