"""The exchange: what the PBX does with SIP, sound and the plan, on whatever network and clock it is given.

The signalling process gives it sockets and a journal, the virtual world gives it simulated ones.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

from dialplan.decision import Decision, Reject
from dialplan.plan import Plan
from media.engine import (
    BrowserGone,
    DigitReceived,
    EngineLost,
    MediaEngine,
    MediaEvent,
    MediaHeard,
    MediaSilent,
    OneWayAudio,
    PictureWanted,
    PlayFinished,
    RecordFinished,
    SpeakerChanged,
    StreamLost,
)
from pbx.apps.recorded import refuse_unrecorded
from pbx.apps.web_service import Asker, Web
from pbx.calls import pictures
from pbx.calls.app import App
from pbx.calls.call import Call
from pbx.calls.dialled import dialled_number
from pbx.calls.happenings import Digit, LegEnded, Played, PortLost, Recorded, TelephoneCame
from pbx.calls.leg import Leg
from pbx.calls.probes import Probes
from pbx.calls.restored import restore
from pbx.calls.router import Router
from pbx.calls.srtp import secure_caller
from pbx.calls.visitors import Visitors
from pbx.calls.waking import Waking
from pbx.completions import Completions
from pbx.defence.bans import KeptBans
from pbx.defence.gate import BAD_METHOD, MALFORMED, Gate, Settings
from pbx.defence.limit import Limit
from pbx.defence.spending import KeptSpending, Spending
from pbx.events import (
    BudgetSpent,
    CallEnded,
    CallStarted,
    Events,
    LegDeaf,
    LegHeard,
    LegNotHeard,
    LegSilent,
    LegStarted,
    MediaProcessLost,
    RoomSpeakerChanged,
)
from pbx.guard import Guard
from pbx.keep_alive import KEEP_ALIVE_SECONDS
from pbx.ongoing import OngoingCall
from pbx.own_apps import Program
from pbx.people.addresses import Addresses
from pbx.people.browser_passwords import BrowserPasswords
from pbx.people.browsers import Browsers
from pbx.people.devices import Devices
from pbx.people.directory import Directory
from pbx.people.pin_attempts import PinAttempts
from pbx.people.pins import Pins
from pbx.people.seats import Seats
from pbx.people.settings import NodeSettings
from pbx.plans.conditions import KeptCallbacks, NodeConditions
from pbx.plans.rota import Rotas
from pbx.queues.dispatch import Queues
from pbx.recent_calls import RecentCalls
from pbx.recordings.client import RecorderClient
from pbx.recordings.following import Recorder, Recordings
from pbx.records import CallRecord, Personal, Record
from pbx.registrations import Registrations
from pbx.rooms import Room
from pbx.services.subscriptions import Subscriptions
from pbx.tasks import Tasks
from pbx.texts.messages import Messages
from pbx.trunks import Trunks
from pbx.turns import Turns
from pbx.voicemail.mailboxes import Voicemail
from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.flow import Flow
from sip.core.grammar import quote
from sip.core.identifiers import Identifiers
from sip.core.inspection import ALLOWED, SUPPORTED, check_secure
from sip.core.message import Request
from sip.core.name_addr import NameAddr
from sip.core.reason import Reason
from sip.core.registrar import Binding
from sip.core.replaces import Replaces, find
from sip.core.session import Session
from sip.core.stack import ServerTransaction
from sip.core.transactions.invite_server import InviteServer
from sip.core.ua_core import UserAgentCore
from sip.core.uri import SipUri
from sip.net.addresses import ExternalAddress
from sip.net.driver import Driver
from sip.net.resolver import Dns, NameServer, Resolver, Target
from sip.net.tls import PeerIdentity
from sip.net.udp import UdpFlow

log = logging.getLogger(__name__)

CALL_BACKS, CALL_BACKS_SECONDS = 4, 1800.0
REFUSED_SECONDS = 3600.0  # how long a server that refused TCP isn't asked again

BUDGET_SPENT = Reason("Q.850", 57, "Bearer capability not authorized")
METHODS = (*ALLOWED, "INFO", "REFER", "SUBSCRIBE", "PUBLISH", "MESSAGE")
EXTENSIONS = (*SUPPORTED, "replaces", "norefersub", "eventlist")  # RFC 3891, RFC 4488, RFC 4662


Result = TypeVar("Result")


class RecordWriter(Protocol):
    """Where records go; `flush` is called before the answers that acknowledge them leave.

    exhausted: what is taken now might not outlive the process.
    """

    @property
    def exhausted(self) -> bool: ...

    def append(self, record: Record | OngoingCall) -> None:
        """Take a record."""

    def flush(self) -> None:
        """Write what was taken."""


class FlowTo(Protocol):
    """The way to a peer, on whatever network."""

    def __call__(
        self,
        transport: str,
        remote: tuple[str, int],
        local: tuple[str, int] | None,
        identity: PeerIdentity | None = None,
        /,
    ) -> Flow:
        """The flow to a literal address, from the local one where the peer knows us (None: any).

        identity: who the peer must prove to be, over TLS. Raises OSError where nothing leads there.
        """


class Apart(Protocol):
    """Where work is done that must hold up no call."""

    def __call__(self, work: Callable[[], Result], /) -> Awaitable[Result]:
        """Return what the work does; raise what it raises."""
        ...


class Exchange:
    """One node's calls and registrations.

    clock: wall time in Unix seconds, for records and the plan. flow: the way to a peer.
    secret: random bytes that sign this process's nonces. plan: with the people of `directory` in it.
    names: who knows the addresses of operators; the machine's own name servers by default.
    external: our address beyond a NAT of ours. media_addresses: those that the engine puts in SDP by itself.
    keep_alive_seconds: how often telephones behind a NAT are asked whether they are there; 0 for never.
    events: the node's bus, where there is one already. own_apps: by file. rotas: who is on call, where files
    say it. voicemail: the mailboxes, open; None for a node that has nowhere to keep messages. recorder: where
    recorded calls go; None for a node that has none, whose recordings all fail.
    passwords: of pages; None for a node whose pages have no telephone.
    """

    def __init__(
        self,
        *,
        domain: str,
        plan: Plan,
        directory: Directory,
        engine: MediaEngine,
        journal: RecordWriter,
        clock: Callable[[], float],
        flow: FlowTo,
        secret: bytes,
        names: NameServer | None = None,
        defence: Settings | None = None,
        kept_bans: KeptBans | None = None,
        kept_spending: KeptSpending | None = None,
        kept_callbacks: KeptCallbacks | None = None,
        external: ExternalAddress | None = None,
        media_addresses: tuple[str, ...] = (),
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
        events: Events | None = None,
        rotas: Rotas | None = None,
        voicemail: Voicemail | None = None,
        own_apps: dict[str, Program] | None = None,
        recorder: Recorder | None = None,
        passwords: BrowserPasswords | None = None,
    ) -> None:
        self.domain = domain
        self.plan = plan
        self.engine = engine
        self.journal = journal
        self.clock = clock
        self.flow = flow
        self.events = events or Events(clock)
        self.core = UserAgentCore(
            Identifiers(secret + b"identifiers"), self, methods=METHODS, extensions=EXTENSIONS
        )
        self.driver = Driver(self.core, journal.flush, external)
        self._media_addresses = {":" in address: address for address in media_addresses}
        self.gate = Gate(
            clock=clock, is_ours=self._is_ours, settings=defence, kept=kept_bans, events=self.events
        )
        self.driver.admits = self.gate.admits
        self.driver.knows = self.gate.knows
        self.spending = Spending(clock, kept_spending)
        self.core.stack.on_refusal = self._refused
        self.core.session_changed = self._session_changed
        self.devices = Devices(domain)
        self.browsers = Browsers(self, passwords)
        self.waking = Waking(self)
        self.resolver = Resolver(names or Dns(), asyncio.get_running_loop().time, self.chance)
        self.trunks = Trunks(self, secret)
        self.settings = NodeSettings(self)
        self.conditions = NodeConditions(self, kept_callbacks)
        self.guard = Guard(self, secret)
        self.visitors = Visitors(self, secret)
        self.registrations = Registrations(self, keep_alive_seconds)
        self.driver.on_flow_failed = self.registrations.flow_failed
        self.router = Router(self)
        self.parked: dict[str, Call] = {}  # by place
        self.rooms: dict[str, Room] = {}
        self.recordings = Recordings(self, recorder or RecorderClient(Path(), self.events, clock, engine))
        self.pin_attempts = PinAttempts()
        self.web: Asker = Web()
        self.turns = Turns(self.chance, self._person_of)
        self.queues = Queues(self)
        self.rotas = rotas or Rotas()
        self.recent_calls = RecentCalls()
        self.completions = Completions(self)
        self.subscriptions = Subscriptions(self)
        self.voicemail = voicemail
        if voicemail is not None:
            self.subscriptions.mailboxes.follow(voicemail)
        self.messages = Messages(self)
        self.pins = Pins(self)
        self.call_backs = Limit(CALL_BACKS / CALL_BACKS_SECONDS, CALL_BACKS)  # of each person's mobile
        self.seats = Seats(self)
        self.addresses = Addresses(self)
        self.own_apps = own_apps or {}
        self.apart: Apart = asyncio.to_thread
        self.draining = False
        self.probes = Probes(self)
        self._tasks = Tasks()
        self._calls: dict[str, Call] = {}
        self._ended_calls = 0
        self._load(plan, directory)
        engine.events = self.media_event

    # The plan

    def reload(self, plan: Plan, directory: Directory) -> None:
        """Put a new plan in force; calls in progress keep the one that they began with."""
        self._load(plan, directory)
        self.driver.wake()

    def _load(self, plan: Plan, directory: Directory) -> None:
        self.plan = plan
        self.recordings.load(plan)
        self.recent_calls.load(plan)
        for sign_in in self.devices.load(plan, directory):
            self.registrations.forget(sign_in)
        self.seats.reloaded()
        self.addresses.reloaded()
        self.registrations.rewatch()
        self.trunks.load(plan)
        self.conditions.refresh()
        self.subscriptions.reloaded(self.driver.now)
        self.messages.boxes.reloaded(self.driver.now)

    # Requests outside a dialog (sip.core.ua_core.Application)

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """All that opens something, or stands alone. A RemoteProtocolError raised here is the answer."""
        if request.uri[:4] != "sip:" and not self.plan.is_emergency(dialled_number(request.uri)):
            check_secure(request)
        match request.method:
            case "INVITE":
                if self.draining and not self.plan.is_emergency(dialled_number(request.uri)):
                    raise RemoteProtocolError(503, "Shutting Down", (("Retry-After", "10"),))
                assert isinstance(transaction, InviteServer)
                self.router.invite_received(request, transaction, now)
            case "REGISTER":
                self.registrations.register_received(request, transaction, now)
            case "SUBSCRIBE":
                self.subscriptions.subscribe_received(request, transaction, now)
            case "PUBLISH":
                self.subscriptions.presences.publish_received(request, transaction, now)
            case "MESSAGE":
                self.messages.message_received(request, transaction, now)
            case "OPTIONS":
                assert request.flow is not None
                if not self.gate.answers_stranger(request.flow.remote[0], now, request.get("user-agent")):
                    self.core.stack.ignore(transaction)
                    return
                headers = (
                    f"{self.core.capabilities}Accept: application/sdp\r\n{self.subscriptions.allow_events}"
                )
                if request.to.tag:
                    self.core.stack.respond(transaction, 200, now, headers=headers)
                else:
                    self.core.stack.answer_stranger(transaction, 200, headers=headers)
            case _:
                raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")

    def _refused(self, flow: Flow, error: RemoteProtocolError, now: float) -> None:
        """A message was malformed or refused: what a scanner does again and again (the guard knows more)."""
        if error.status in (405, 501):
            self.gate.accuse(flow.remote[0], BAD_METHOD, "methods that no telephone uses", now)
        elif isinstance(error, ParseError) and error.status == 400:
            self.gate.accuse(flow.remote[0], MALFORMED, "malformed messages", now)

    def _is_ours(self, address: str) -> bool:
        """Whether an address is of a site's network or of a trunk."""
        if self.plan.tables.networks.find(address):
            return True
        return self.trunks.of_source(Flow("UDP", ("", 0), (address, 0))) is not None

    # Calls

    def begin(self, call: Call, app: App) -> None:
        """Start a call's app."""
        self._calls[call.id] = call
        if call.plan.budgets:
            self._spend(call)
        if call.is_emergency:
            self.engine.reserve(call.id)
        if call.recorded or call.decision.recorded_lines:
            if self.recordings.refuses(call):
                app = refuse_unrecorded
            else:
                self.recordings.begun(call)
        secure_caller(call)
        self.events.publish(CallStarted, call.id, call.from_number, call.from_name, call.decision.dialled)
        for leg in call.legs:
            self.events.publish(LegStarted, call.id, leg.name, leg.device)
        self._tasks.start(call.run(app), call.id)

    def beside(self, work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        """Let something run beside a call, whose app cancels it when it wants it no more."""
        return self._tasks.start(work, name)

    def redirect(self, call: Call, decision: Decision) -> None:
        """A call that has begun goes where another decision leads."""
        call.redirect(decision)
        if (call.recorded or decision.recorded_lines) and not self.recordings.refuses(call):
            self.recordings.begun(call)
        if call.plan.budgets:
            self._spend(call)

    def restore_personal(self, records: Iterable[Personal]) -> None:
        """Take back what people and devices have beside settings: PINs, hot desks, addresses, calls to be
        completed, call-backs of queues."""
        kept = list(records)
        self.pins.restore(kept)
        self.seats.restore(kept)
        self.addresses.restore(kept)
        self.completions.restore(kept)
        self.queues.call_backs.restore(kept)

    def restore(self, calls: Iterable[OngoingCall]) -> int:
        """Go on with the calls of a process that is gone, before any new one; returns how many go on.

        The newest come first: a party that was being transferred is in the call that took it. Those that
        can't go on end, with a record.
        """
        for kept in sorted(calls, key=lambda kept: kept.id, reverse=True):
            call, app = restore(self, kept)
            self._calls[call.id] = call
            if call.plan.budgets:
                self._spend_on(call)
            if call.is_emergency:
                self.engine.reserve(call.id)
            self._tasks.start(call.run(app), call.id)
        self.recordings.restored()
        self.driver.wake()
        return len(self.probes)

    def _session_changed(self, session: Session) -> None:
        leg = session.user
        if isinstance(leg, Leg) and leg.call.kept:
            leg.call.keep()

    def finished(self, call: Call, record: CallRecord) -> None:
        """A call is over: its record is written before the BYE that ended it is acknowledged."""
        self._calls.pop(call.id, None)
        self._ended_calls += 1
        if self.probes.silent:
            for leg in call.legs:
                self.probes.over(leg)
        if call.plan.budgets:
            carried = [leg.device for leg in record.legs[1:] if leg.answered is not None]
            spoken = record.ended - record.answered if record.answered is not None else 0.0
            self.spending.end(call.id, carried[-1] if carried else "", spoken / 60)
            for leg in call.legs:
                if leg.answered_at is not None:
                    self.spending.end(
                        f"{call.id} {leg.name}", leg.device, (record.ended - leg.answered_at) / 60
                    )
        self.write(record)
        if call.plan.services:
            self.turns.ended(record)  # nobody else asks whose turn it is
            self.queues.ended(call, record)
        if self.recent_calls.wanted:
            self.recent_calls.ended(call, record)
        answered = record.answered is not None
        self.events.publish(CallEnded, call.id, record.direction, record.to, answered, record.cause)
        log.debug("call=%s ended cause=%s", call.id, record.cause)
        self.driver.wake()

    def _person_of(self, device: str) -> str:
        known = self.devices.find(device)
        return known.extension if known is not None else ""

    def _spend(self, call: Call) -> None:
        """Count a call on the plan's budgets, or tell that one of them refused it."""
        user = self.user_of(call)
        target = call.decision.target
        if isinstance(target, Reject) and target.reason == "budget":
            self._budget_spent(call, user, call.decision.trace[-1].outcome)
        leg = call.caller
        self.spending.begin(call.id, call.plan, call.decision, user, lambda: leg.answered_at)

    def _spend_on(self, call: Call) -> None:
        """Go on counting the minutes of a restored call."""
        leg, user = call.caller, self.user_of(call)
        self.spending.resume(
            call.id, call.plan, call.decision, user, call.started_at, lambda: leg.answered_at
        )

    def spend_on_for(self, leg: Leg, decision: Decision, user: str) -> None:
        """Go on counting the minutes of an outside call whose party is in another call now."""
        call = leg.call
        self.spending.resume(
            f"{call.id} {leg.name}", call.plan, decision, user, self.clock(), lambda: leg.answered_at
        )

    def user_of(self, call: Call) -> str:
        """Whose budgets a call is on: of who sent it on last, else of who calls; empty for an operator's."""
        diversions = call.decision.diversions
        if diversions and diversions[-1].who in call.plan.people:
            return diversions[-1].who
        device = self.devices.find(call.payer or call.caller.device)
        return device.extension if device is not None else ""

    def cut_off(self) -> None:
        """End the calls that have used up a budget's minutes. Emergency calls have none."""
        for call_id, why in self.spending.overdrawn().items():
            call = self._calls.get(call_id.partition(" ")[0])
            if call is not None and not call.cause:
                call.cause = "budget spent"
                self._budget_spent(call, call.from_number, why)
                call.post(LegEnded(call.caller, BUDGET_SPENT))

    def _budget_spent(self, call: Call, user: str, why: str) -> None:
        log.warning("call=%s user=%s budget spent: %s", call.id, user, why)
        self.events.publish(BudgetSpent, call.id, user, why)

    def write(self, record: Record | OngoingCall) -> None:
        """Write a record down before what lies in the outbox leaves; at once when nothing does."""
        self.journal.append(record)
        if not self.core.stack.outbox:
            self.journal.flush()

    def legs(self) -> Iterator[Leg]:
        """The legs of all calls that haven't ended."""
        return (leg for call in self._calls.values() for leg in call.legs if leg.ended_at is None)

    def ring_too(self, extension: str, binding: Binding) -> None:
        """Let a page that has just come back ring for the calls that ring for its person."""
        for call in self._calls.values():
            if call.takers is not None and call.to == extension:
                call.post(TelephoneCame(call.caller, binding))

    def is_engaged(self, extension: str, but: Call | None = None) -> bool:
        """Whether a device of somebody's is in a call, or rings. but: a call that doesn't count."""
        return any(leg.call is not but and self._person_of(leg.device) == extension for leg in self.legs())

    def leg(self, call_id: str, name: str) -> Leg | None:
        """The leg that an event is about; None when its call is over."""
        call = self._calls.get(call_id)
        return next((leg for leg in call.legs if leg.name == name), None) if call is not None else None

    def leg_of(self, replaces: Replaces, *, early: bool = False) -> Leg:
        """The leg whose dialog is to be replaced. Raises RemoteProtocolError as `sip.core.replaces.find`."""
        return find(replaces, self.legs(), early=early)

    def identity_of_device(self, device: str) -> tuple[str, str]:
        """The number and the name that a device's person is shown with; empty for a trunk."""
        known = self.devices.find(device)
        person = self.plan.people.get(known.extension) if known is not None else None
        return (person.extension, person.name) if person is not None else ("", "")

    def media_event(self, event: MediaEvent) -> None:
        """The media engine tells something."""
        match event:
            case DigitReceived(call_id, leg_name, digit):
                self._post(call_id, leg_name, lambda leg: Digit(leg, digit))
            case PlayFinished(call_id, leg_name):
                self._post(call_id, leg_name, Played)
            case RecordFinished(call_id, leg_name, why, seconds):
                self._post(call_id, leg_name, lambda leg: Recorded(leg, why, seconds))
            case MediaSilent(call_id, leg_name, seconds):
                log.warning("call=%s leg=%s silent_seconds=%.0f", call_id, leg_name, seconds)
                self.events.publish(LegSilent, call_id, leg_name, seconds)
                if (leg := self.leg(call_id, leg_name)) is not None:
                    self.probes.fell_silent(leg)
            case MediaHeard(call_id, leg_name):
                log.info("call=%s leg=%s heard again", call_id, leg_name)
                self.events.publish(LegHeard, call_id, leg_name)
                if (leg := self.leg(call_id, leg_name)) is not None:
                    self.probes.over(leg)
            case OneWayAudio(call_id, leg_name, seconds):
                log.warning("call=%s leg=%s one_way_seconds=%.0f isn't heard", call_id, leg_name, seconds)
                self.events.publish(LegNotHeard, call_id, leg_name, seconds)
            case PictureWanted(call_id, leg_name):
                if (leg := self.leg(call_id, leg_name)) is not None:
                    pictures.ask(leg)
            case SpeakerChanged(room, call_id, leg_name):
                self.events.publish(RoomSpeakerChanged, room, call_id, leg_name)
            case StreamLost(call_id, leg_name, reason):
                log.error("call=%s leg=%s is to have another port: %s", call_id, leg_name, reason)
                self.events.publish(LegDeaf, call_id, leg_name, reason)
                self._post(call_id, leg_name, PortLost)
            case BrowserGone(call_id, leg_name, reason):
                log.warning("call=%s leg=%s browser stayed away: %s", call_id, leg_name, reason)
                if (leg := self.leg(call_id, leg_name)) is not None and leg.confirmed:
                    self.probes.lose(leg)
            case EngineLost(reason):
                log.error("media engine lost: %s", reason)
                self.events.publish(MediaProcessLost, reason)

    def _post(
        self, call_id: str, leg_name: str, happening: Callable[..., Digit | Played | PortLost | Recorded]
    ) -> None:
        call = self._calls.get(call_id)
        for leg in call.legs if call is not None else ():
            if leg.name == leg_name and call is not None:
                call.post(happening(leg))

    def address_of(self, user: str, name: str) -> str:
        """A From or To value of ours; a caller without a number is anonymous (RFC 3323 section 4.1.1.3)."""
        user = user or "anonymous"
        return f"{quote(name)} <sip:{user}@{self.domain}>" if name else f"<sip:{user}@{self.domain}>"

    def media_address_toward(self, flow: Flow) -> str:
        """The address of ours that the peer of a flow is to send its sound to; empty for the engine's own."""
        peer = flow.remote[0]
        own = self._media_addresses.get(":" in peer)
        return self.driver.external.told(own, peer) if own is not None else ""

    def flow_of(self, binding: Binding) -> Flow:
        """The flow that reaches a binding: its Contact's address, or the flow of its REGISTER behind NAT.

        A flow of RFC 5626 is used as it is or not at all; over proxies (RFC 3327) it leads to the first one.
        """
        flow = binding.flow
        if flow.reliable:
            return flow if flow.open or binding.reg_id else self._flow_again(binding)
        if binding.behind_nat or binding.reg_id or binding.path:
            return flow
        address = SipUri.parse(binding.contact).address
        return flow if address == flow.remote else flow.toward(address)

    def _flow_again(self, binding: Binding) -> Flow:
        try:
            first_hop = NameAddr.parse(binding.path[0]).uri if binding.path else binding.contact
            address = SipUri.parse(first_hop).address
            return self.flow(binding.flow.transport, address, binding.flow.local)
        except OSError as error:
            log.info("user=%s can't be reached: %s", binding.device, error)
            return binding.flow  # closed: the INVITE fails with 503, the person's other devices ring

    def flow_to(self, target: Target, *, verified: bool = True) -> Flow:
        """The flow to a server that the resolver found. Raises OSError.

        Over TLS its certificate has to have the name that was looked up (RFC 5922 section 7.2), unless
        verified is False.
        """
        identity = PeerIdentity(target.host, verified=verified) if target.transport == "TLS" else None
        flow = self.flow(target.transport, (target.address, target.port), None, identity)
        if isinstance(flow, UdpFlow):
            self._connect_for_large(flow)
        return flow

    def _connect_for_large(self, flow: UdpFlow) -> None:
        """Let requests too large for a datagram take TCP (18.1.1), but not where it was refused lately.

        Only towards servers that we look up: a telephone that registered over UDP is reached by nothing else,
        least of all behind a NAT.
        """
        now = self.driver.now
        if flow.large is None or (not flow.large.open and now - flow.large_since >= REFUSED_SECONDS):
            with suppress(OSError):
                flow.large, flow.large_since = self.flow("TCP", flow.remote, flow.bound), now

    def chance(self) -> float:
        """A number from 0 to below 1 that nobody can predict."""
        return int(self.core.stack.identifiers.token()[:13], 16) / 16**13

    # From beginning to end

    async def drain(self, seconds: float) -> None:
        """Take no more calls, wait for those in progress for at most `seconds`, then end them."""
        self.draining = True
        try:
            async with asyncio.timeout(seconds):
                await self._tasks.idle()
        except TimeoutError:
            log.warning("ending calls=%d", len(self._calls))
        await self.probes.stop()
        await self._tasks.cancel()
        self.subscriptions.close(self.driver.now)
        self.driver.flush()

    def status(self) -> dict[str, int]:
        """What `beffroi status` shows."""
        return {
            "calls": len(self._calls),
            "ended_calls": self._ended_calls,
            "bindings": self.devices.count_bindings(),
            "unreachable": self.registrations.unreachable(),
            "devices": len(self.devices),
            "texts": self.messages.boxes.kept,
        }

    def inventory(self) -> dict[str, int]:
        """What is alive: all zero at rest, but for the expiry timers of bindings."""
        return {
            **self.core.inventory(),
            **self.trunks.inventory(),
            "calls": len(self._calls),
            "messages": len(self.messages),
            "texts kept": self.messages.boxes.kept,
            "places in queues": len(self.queues),
            "probes": len(self.probes),
            "recordings": len(self.recordings),
            "tasks": len(self._tasks),
        }
