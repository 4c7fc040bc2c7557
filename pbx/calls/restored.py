"""Calls that go on after a restart of the signalling process.

What was written down of a call (`pbx.ongoing`) is made into a call again, with its legs, dialogs, streams,
trunk channels and times; the bridge, the service from its beginning, or nothing runs over it. Only
conversations go on: of a call that was being set up nothing was written, and one whose parties were just
moving into another call ends with a record. Subscriptions to the progress of a transfer (RFC 3515) are lost.

A dialog isn't bound to the connection that it was made over: those of before are gone, and a telephone is
reached by what it has registered since (RFC 5626 section 5.3), else at its Contact (RFC 3261 section
12.2.1.1).
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from dialplan.decision import Callback, Decision, ToPerson, ToService, ToTrunks
from media.engine import MediaMisuse
from media.engines.passthrough import PassthroughEngine
from pbx.calls.app import App
from pbx.calls.bridge import talk
from pbx.calls.broker import Broker
from pbx.calls.call import Call
from pbx.calls.happenings import PortLost
from pbx.calls.intervals import PAGE
from pbx.calls.leg import LOST, Leg
from pbx.calls.transfer import holding_channel
from pbx.ongoing import OngoingCall, OngoingLeg
from pbx.people.devices import Device
from sip.core.errors import LocalProtocolError, ParseError
from sip.core.flow import Flow
from sip.core.gruu import instance_called
from sip.core.name_addr import NameAddr
from sip.core.snapshot import SessionSnapshot
from sip.core.uri import SipUri
from sip.net.addresses import is_address

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)


class LostFlow(Flow):
    """The way to a device whose connection is gone, until it makes another one."""

    __slots__ = ()

    @property
    def open(self) -> bool:
        return False

    def send(self, data: bytes) -> None:
        """Nothing can be sent."""
        raise OSError(f"the connection to {self.remote[0]} is gone")


def restore(exchange: Exchange, kept: OngoingCall) -> tuple[Call, App]:
    """The call that was written down, and the app that is to run over it."""
    call = Call(exchange, exchange.plan, _decision(exchange, kept), b"", kept.max_forwards)
    call.id = kept.id
    call.started_at = kept.started
    call.direction = kept.direction
    call.from_number, call.from_name = kept.from_number, kept.from_name
    call.to, call.cause, call.payer = kept.to, kept.cause, kept.payer
    call.line, call.hidden = kept.line, kept.hidden
    call.held, call.muted = kept.held, kept.muted
    call.intervals, call.parents, call.plan_lines = kept.intervals, kept.parents, kept.plan_lines
    call.plan_version = kept.plan_version
    if kept.media is None:
        call.engine = PassthroughEngine()
        call.direct = exchange.engine.carries and not call.is_emergency
    call.legs = [_leg(call, leg) for leg in kept.legs]
    call.caller = call.legs[0]
    if kept.recordings:
        exchange.recordings.restore(call, kept.recordings)
    call.offer = call.caller.remote_sdp
    live = [leg for leg in call.legs if leg.session is not None]
    app = _app(call, live) if _media(exchange, kept, live) else _over
    ports = {stream.name: stream.port for stream in kept.media.legs} if kept.media is not None else {}
    for leg in live:
        if leg.name in ports and leg.local_sdp and b"m=audio %d " % ports[leg.name] not in leg.local_sdp:
            call.post(PortLost(leg))  # it was about to be told of another place
    for leg in live:
        app = holding_channel(leg, app)
        exchange.probes.begin(leg)
    # The numbers of our requests have made a leap (sip.core.snapshot): the next restart makes another one.
    call.keep()
    return call, app


def _decision(exchange: Exchange, kept: OngoingCall) -> Decision:
    target: ToTrunks | ToService | ToPerson
    if kept.outside is not None:
        target = ToTrunks(kept.outside.number, kept.outside.trunks, kept.outside.emergency)
    elif kept.to in exchange.plan.services:
        target = ToService(kept.to, exchange.plan.services[kept.to].type)
    else:
        target = ToPerson(kept.to, "")
    decision = Decision(target, kept.dialled, "", kept.caller_id, kept.from_name, ())
    if kept.callback:
        at = datetime.fromtimestamp(kept.started, UTC)
        decision = decision._replace(callback=Callback("", None, at))
    return decision


def _leg(call: Call, kept: OngoingLeg) -> Leg:
    exchange = call.exchange
    session = kept.session
    flow: Flow = LostFlow(kept.transport, ("", 0), kept.remote)
    if session is not None:
        flow = way_to(exchange, kept.device, session, behind_nat=kept.behind_nat)
    leg = Leg(call, kept.name, kept.device, flow, behind_nat=kept.behind_nat)
    leg.started_at, leg.answered_at, leg.ended_at = kept.started, kept.answered, kept.ended
    leg.cause, leg.codec, leg.former_call_id = kept.cause, kept.codec, kept.call_id
    leg.reached, leg.via = kept.reached, kept.via
    if session is None:
        return leg
    trunk = exchange.plan.trunks.get(kept.device)
    authorize = exchange.trunks.authorize(trunk) if trunk is not None else None
    try:
        leg.session = exchange.core.restore(session, flow, leg, exchange.driver.now, authorize=authorize)
    except LocalProtocolError:  # it has moved into another call
        leg.leave("transferred")
    return leg


def way_to(exchange: Exchange, device: str, session: SessionSnapshot, *, behind_nat: bool) -> Flow:
    """The flow to the party of a session that another process had.

    Over UDP it is where it was. Over a connection: that of the device's newest binding with this Contact, or
    of its only one; else a new one to the Contact's address, or its proxy's; a closed one where that leads
    nowhere. To an operator a new one to its server, whose certificate is checked as ever.
    """
    try:
        if session.transport == "UDP":
            return exchange.flow("UDP", session.remote, session.local)
        if device in exchange.plan.trunks:
            return _way_to_operator(exchange, device, session)
        known = exchange.devices.find(device)
        ways = ways_of(known, session.transport, session.remote_target) if known is not None else []
        if ways:
            return ways[0]
        routes = session.route_set
        uri = NameAddr.parse(routes[0]).uri if routes else session.remote_target
        address = SipUri.parse(uri).address
        if behind_nat or not is_address(address[0]):
            raise OSError("it has to connect by itself")
        return exchange.flow(session.transport, address, session.local)
    except (OSError, ParseError) as error:
        log.info("user=%s can't be reached: %s", device, error)
        return LostFlow(session.transport, session.local, session.remote)


def _way_to_operator(exchange: Exchange, name: str, session: SessionSnapshot) -> Flow:
    line = exchange.trunks.line(name)
    targets = [target for target in line.targets() if target.transport == session.transport]
    if not targets:
        raise OSError("its servers aren't known yet")
    same = [target for target in targets if target.address == session.remote[0]]
    return line.flow_to((same or targets)[0])


def ways_of(device: Device, transport: str, contact: str) -> list[Flow]:
    """The connections by which a device registered, newest first: those of the telephone that this Contact
    names by its GRUU (RFC 5627), or with this very Contact; else its only one."""
    ways = [
        binding
        for binding in reversed(device.bindings)
        if binding.flow.transport == transport and binding.flow.open
    ]
    instance = instance_called(contact)
    if instance:
        return [binding.flow for binding in ways if binding.instance == instance]
    same = [binding.flow for binding in ways if binding.contact == contact]
    return same or [binding.flow for binding in ways if len(ways) == 1]


def _media(exchange: Exchange, kept: OngoingCall, live: list[Leg]) -> bool:
    """Give the engine its streams back; returns whether each party has one, where the engine carries any."""
    if kept.media is None:
        return True
    try:
        exchange.engine.restore(kept.media)
    except MediaMisuse as error:
        log.error("call=%s has lost its sound: %s", kept.id, error)
        return False
    return {leg.name for leg in live} <= {stream.name for stream in kept.media.legs}


def _app(call: Call, live: list[Leg]) -> App:
    target = call.decision.target
    if call.caller in live:
        if len(live) > 1 and isinstance(target, ToService) and target.type == PAGE:
            return _page_again
        if len(live) == 1 and isinstance(call.decision.target, ToService):
            return call.exchange.router.app_of(call.decision)  # a menu begins anew
        if len(live) == 2:
            return partial(_talk, other=live[1])
    return _over


async def _page_again(call: Call) -> None:
    """Whoever listened is no party of a conversation: its telephone is hung up, and asked anew to listen."""
    for leg in call.legs:
        if leg is not call.caller:
            leg.hang_up("released")
            await call.engine.leave(call.id, leg.name)
    await call.exchange.router.app_of(call.decision)(call)


async def _talk(call: Call, other: Leg) -> None:
    broker = Broker(call, call.caller, other)
    await broker.go_on()
    await talk(call, broker)


async def _over(call: Call) -> None:
    """There is no conversation any more: whoever is left is hung up, and the record written."""
    call.cause = call.cause or LOST
