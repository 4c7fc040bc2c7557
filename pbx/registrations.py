"""The registrar: REGISTER in, bindings written down, bindings that expire (RFC 3261 section 10)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from pbx.events import DeviceReachable, DeviceUnreachable
from pbx.keep_alive import KEEP_ALIVE_SECONDS, KeepAlive
from pbx.people.browsers import longest_seconds
from pbx.people.devices import Device
from pbx.records import Binding as BindingRecord
from pbx.records import BindingsRecord
from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.flow import Flow
from sip.core.inspection import REGISTRAR_EXTENSIONS
from sip.core.message import Request
from sip.core.name_addr import NameAddr
from sip.core.outbound import answer_lines as outbound_lines
from sip.core.outbound import silence_seconds
from sip.core.path import answer_line as path_line
from sip.core.path import path_of
from sip.core.registrar import Binding, bind, contact_lines
from sip.core.stack import ServerTransaction
from sip.core.uri import SipUri
from sip.net.addresses import is_address

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)


class Expiry:
    """The next moment at which a device's bindings change by themselves."""

    __slots__ = ("_registrations", "armed", "deadline", "device")

    def __init__(self, registrations: Registrations, device: Device) -> None:
        self._registrations = registrations
        self.device = device
        self.deadline: float | None = None
        self.armed: float | None = None

    def fire(self, now: float) -> None:
        """Something has expired."""
        self._registrations.expire(self, now)


class Registrations:
    """The bindings of every device: changed by REGISTER, journalled before the answer leaves."""

    def __init__(self, exchange: Exchange, keep_alive_seconds: float = KEEP_ALIVE_SECONDS) -> None:
        self._exchange = exchange
        self._expiries: dict[str, Expiry] = {}
        self._keep_alive_seconds = keep_alive_seconds
        self._keep_alives: dict[str, dict[_Way, KeepAlive]] = {}  # by sign-in, of those behind a NAT
        self._connected: dict[Flow, set[str]] = {}  # whose bindings each open connection carries or carried
        self._cut_off: set[str] = set()  # whose last connection is gone, until they come back

    def register_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """Answer a REGISTER. Raises RemoteProtocolError to be answered."""
        exchange = self._exchange
        device = exchange.guard.registering(request, transaction, now)
        if device is None:
            return
        if exchange.journal.exhausted:  # design, promise 5: what can't be written isn't acknowledged
            raise RemoteProtocolError(503, "Service Unavailable", (("Retry-After", "60"),))
        user = request.to.sip_uri.user
        if user != device.sign_in and not (device.is_browser and user == device.owner):  # 10.3 step 4
            raise RemoteProtocolError(403, "Not Your Address")
        before = device.bindings
        if device.is_browser:
            username = exchange.guard.username_of(request)
            longest = longest_seconds(username, exchange.clock())
            device.bindings = bind(
                before, request, device.sign_in, now, username=username, longest_seconds=longest
            )
            self._ring_too(device, before)
        else:
            device.bindings = bind(before, request, device.sign_in, now)
        if device.bindings is not before and "contact" in request.headers:  # without one it only asks
            self._write(device, now)
            if device.bindings and request.flow is not None:
                exchange.addresses.registered(device, request.flow.remote[0])
            if exchange.probes.astray:
                exchange.probes.registered(device)
            if exchange.waking.ringing and request.flow is not None:
                exchange.waking.registered(device, request.flow)
        if self._cut_off and device.sign_in in self._cut_off and self._is_reachable(device):
            self._cut_off.discard(device.sign_in)
            exchange.events.publish(DeviceReachable, device.sign_in)
        lines = self._answer_lines(request, device, now)
        exchange.core.stack.respond(transaction, 200, now, headers=lines)
        if exchange.messages.boxes and device.bindings:
            exchange.messages.boxes.registered(device.extension, now)
        if exchange.subscriptions.cut_off and device.bindings and request.flow is not None:
            exchange.subscriptions.registered(device.sign_in, request.flow, now)
        if len(before) != len(device.bindings):
            exchange.subscriptions.presences.bindings_changed(device.extension)
            log.debug("user=%s bindings=%d from=%s", device.sign_in, len(device.bindings), request.flow)
            if not before:
                exchange.events.publish(DeviceReachable, device.sign_in)
            elif not device.bindings:
                self._gone(device.sign_in, "signed out")

    def _ring_too(self, device: Device, before: tuple[Binding, ...]) -> None:
        """A page that has come by another connection rings for the calls that ring already."""
        known = {binding.flow for binding in before}
        for binding in device.bindings:
            if binding.flow not in known:
                self._exchange.ring_too(device.extension, binding)

    def _answer_lines(self, request: Request, device: Device, now: float) -> str:
        """The header lines of the 200 to a REGISTER (RFC 3261 section 10.3 step 8)."""
        if "supported" not in request.headers and "path" not in request.headers:
            return contact_lines(device.bindings, now)
        supported = request.tokens("supported")
        address_of_record = ""
        if "gruu" in supported:
            # RFC 5627 section 5.2: of the address that it registers; JsSIP takes requests to no other user.
            address_of_record = f"sip:{request.to.sip_uri.user}@{self._exchange.domain}"
        lines = contact_lines(device.bindings, now, address_of_record=address_of_record)
        newest = device.bindings[-1] if device.bindings else None
        if newest is not None and newest.reg_id and newest.call_id == request.call_id and request.flow:
            lines += outbound_lines(request.flow)
            if not newest.path:  # a proxy keeps its telephones' flows, and ours to it is another matter
                request.flow.expect_words(silence_seconds(request.flow))
        return f"{lines}{path_line(path_of(request))}Supported: {', '.join(sorted(REGISTRAR_EXTENSIONS))}\r\n"

    def expire(self, expiry: Expiry, now: float) -> None:
        """Remove what has expired of one device (10.3)."""
        device = expiry.device
        kept = tuple(binding for binding in device.bindings if binding.expires_at > now)
        if len(kept) != len(device.bindings):
            log.info(
                "user=%s bindings=%d expired=%d", device.sign_in, len(kept), len(device.bindings) - len(kept)
            )
            device.bindings = kept
            self._exchange.subscriptions.presences.bindings_changed(device.extension)
            self._exchange.write(self._record(device, now))
            self._watch(device)
            if not kept:
                self._gone(device.sign_in, "expired")
        else:
            self._watch(device)

    def remove(self, device: Device, is_over: Callable[[str], bool]) -> int:
        """Remove the bindings of a device whose user name (`Binding.username`) is over; returns how many."""
        kept = tuple(binding for binding in device.bindings if not is_over(binding.username))
        removed = len(device.bindings) - len(kept)
        if removed:
            device.bindings = kept
            self._exchange.subscriptions.presences.bindings_changed(device.extension)
            self._exchange.write(self._record(device, self._exchange.driver.now))
            self._watch(device)
            self._exchange.driver.wake()
            if not kept:
                self._gone(device.sign_in, "signed out")
        return removed

    def restore(self, recovered: Mapping[str, list[BindingRecord]], now: float) -> int:
        """Take back what an earlier process wrote down; returns how many bindings hold."""
        exchange = self._exchange
        offset = exchange.clock() - now
        for sign_in, records in recovered.items():
            device = exchange.devices.find(sign_in) or exchange.browsers.claimed(sign_in)
            if device is None:
                continue
            device.bindings = tuple(self._restored(records, offset, now))
            self._watch(device)
        exchange.driver.wake()  # nothing else may ever be sent that sets its timer
        return exchange.devices.count_bindings()

    def forget(self, sign_in: str) -> None:
        """A device is gone from the directory: so are its bindings."""
        self._exchange.write(BindingsRecord(sign_in, []))
        self._gone(sign_in, "removed")
        expiry = self._expiries.pop(sign_in, None)
        if expiry is not None:
            expiry.deadline = None
        for keep_alive in self._keep_alives.pop(sign_in, {}).values():
            keep_alive.end()

    def rewatch(self) -> None:
        """The devices were loaded anew: watch the new ones' bindings."""
        for device in self._exchange.devices:
            if device.bindings:
                self._watch(device)

    def reachable(self, binding: Binding) -> bool:
        """Whether nothing speaks against the way to a binding: a connection that is gone, silence."""
        if not binding.flow.open:
            return False
        keep_alive = self._keep_alives.get(binding.device, {}).get(_way(binding))
        return keep_alive is None or keep_alive.reachable

    def answers(self, binding: Binding, answers: bool) -> None:
        """A telephone behind a NAT left too much unanswered, or answers again."""
        device = self._exchange.devices.find(binding.device)
        others = device.bindings if device is not None else ()
        if any(self.reachable(other) for other in others if other is not binding):
            return  # the device is reached all the same
        if answers:
            self._exchange.events.publish(DeviceReachable, binding.device)
        else:
            self._exchange.events.publish(DeviceUnreachable, binding.device, "silent")

    def flow_failed(self, flow: Flow) -> None:
        """A way is gone; where it was a connection, the devices behind it may have no other one."""
        if flow.open:
            return
        for sign_in in self._connected.pop(flow, ()):
            device = self._exchange.devices.find(sign_in)
            if device is None:
                continue
            self._exchange.probes.lost(flow)
            if all(binding.flow is not flow for binding in device.bindings):
                continue
            if sign_in not in self._cut_off and not self._is_reachable(device):
                log.info("user=%s disconnected", sign_in)
                self._gone(sign_in, "disconnected")
                self._cut_off.add(sign_in)

    def _is_reachable(self, device: Device) -> bool:
        return any(self.reachable(binding) for binding in device.bindings)

    def _gone(self, sign_in: str, reason: str) -> None:
        """A device can't be reached any more; what is known already isn't told again."""
        if sign_in in self._cut_off:
            self._cut_off.discard(sign_in)
        else:
            self._exchange.events.publish(DeviceUnreachable, sign_in, reason)

    def unreachable(self) -> int:
        """How many bindings nothing gets through to now."""
        return sum(
            not self.reachable(binding) for device in self._exchange.devices for binding in device.bindings
        )

    def _write(self, device: Device, now: float) -> None:
        self._exchange.journal.append(self._record(device, now))
        self._watch(device)

    def _record(self, device: Device, now: float) -> BindingsRecord:
        offset = self._exchange.clock() - now
        return BindingsRecord(device.sign_in, [_record(binding, offset) for binding in device.bindings])

    def _restored(self, records: list[BindingRecord], offset: float, now: float) -> Iterator[Binding]:
        for record in records:
            if record.expires_at - offset <= now:
                continue
            try:
                flow = self._exchange.flow(record.transport, _where(record), record.local)
            except (OSError, ParseError) as error:
                log.warning("user=%s isn't reached any more: %s", record.device, error)
                continue
            yield _from_record(record, flow, offset)

    def _watch(self, device: Device) -> None:
        """After each change of a device's bindings: wait for the next expiry, ask those behind a NAT."""
        self._keep_alive(device)
        for binding in device.bindings:
            if binding.flow.reliable and binding.flow.open:
                self._connected.setdefault(binding.flow, set()).add(device.sign_in)
        expiry = self._expiries.get(device.sign_in)
        if expiry is None:
            if not device.bindings:
                return
            expiry = self._expiries[device.sign_in] = Expiry(self, device)
        expiry.device = device
        expiry.deadline = min([binding.expires_at for binding in device.bindings], default=None)
        self._exchange.core.stack.timers.arm(expiry)
        if expiry.deadline is None:
            del self._expiries[device.sign_in]

    def _keep_alive(self, device: Device) -> None:
        known = self._keep_alives.get(device.sign_in)
        asked = [binding for binding in device.bindings if _needs_asking(binding)]
        if (known is None and not asked) or not self._keep_alive_seconds:
            return
        former, current = known or {}, dict[_Way, KeepAlive]()
        timers, now = self._exchange.core.stack.timers, self._exchange.driver.now
        for binding in asked:
            keep_alive = former.pop(_way(binding), None)
            if keep_alive is None:
                keep_alive = KeepAlive(self._exchange, binding, self._keep_alive_seconds, now)
                timers.arm(keep_alive)
            elif keep_alive.binding is not binding:
                keep_alive.registered(binding)
            current[_way(binding)] = keep_alive
        for gone in former.values():
            gone.end()
        if current:
            self._keep_alives[device.sign_in] = current
        else:
            self._keep_alives.pop(device.sign_in, None)


_Way = tuple[str, str, int]
"""What a binding stays the same by when it is refreshed: Contact, or instance and reg-id."""


def _way(binding: Binding) -> _Way:
    return "" if binding.reg_id else binding.contact, binding.instance, binding.reg_id


def _needs_asking(binding: Binding) -> bool:
    """Whether only a NAT's binding, which a datagram keeps open, leads to it. A proxy keeps its own."""
    return binding.behind_nat and not binding.flow.reliable and not binding.path


def _where(record: BindingRecord) -> tuple[str, int]:
    """Where a restored binding can be reached: the connection that its REGISTER came over is gone."""
    if record.transport == "UDP" or (record.behind_nat and not record.path):
        return record.remote
    first_hop = NameAddr.parse(record.path[0]).uri if record.path else record.contact_uri
    address = SipUri.parse(first_hop).address
    return address if is_address(address[0]) else record.remote


def _record(binding: Binding, offset: float) -> BindingRecord:
    flow = binding.flow
    return BindingRecord(
        contact_uri=binding.contact,
        call_id=binding.call_id,
        cseq=binding.sequence,
        q=binding.q,
        expires_at=binding.expires_at + offset,
        path=list(binding.path),
        transport=flow.transport,
        local=flow.bound,
        remote=flow.remote,
        user_agent=binding.user_agent,
        device=binding.device,
        behind_nat=binding.behind_nat,
        instance=binding.instance,
        reg_id=binding.reg_id,
        username=binding.username,
    )


def _from_record(record: BindingRecord, flow: Flow, offset: float) -> Binding:
    return Binding(
        contact=record.contact_uri,
        call_id=record.call_id,
        sequence=record.cseq,
        expires_at=record.expires_at - offset,
        flow=flow,
        device=record.device,
        q=record.q,
        user_agent=record.user_agent,
        behind_nat=record.behind_nat,
        path=tuple(record.path),
        instance=record.instance,
        reg_id=record.reg_id,
        username=record.username,
    )
