"""What devices may watch, and the door to it: SUBSCRIBE from those that prove who they are (RFC 6665)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pbx.records import Personal, SubscriptionRecord
from pbx.services.addressee import addressee
from pbx.services.lamp_lists import people_of
from pbx.services.lamps import Lamps
from pbx.services.mailboxes import Mailboxes
from pbx.services.park_lamps import place_of
from pbx.services.presence import Presences
from pbx.services.watched_legs import WatchedLegs
from sip.core.dialog import Dialog
from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.flow import Flow
from sip.core.message import Request
from sip.core.stack import ServerTransaction
from sip.core.subscription import Notifier, Subscription

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)


class Subscriptions:
    """The event packages of the exchange, and who is subscribed to them.

    Each is written down when it begins and with every refresh. A process that stops tells the devices, which
    ask the next one; after a crash the next process goes on with them, and tells everything anew within 40 s.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        legs = WatchedLegs(exchange)
        self.lamps = Lamps(exchange, legs)
        self.mailboxes = Mailboxes(exchange)
        self.presences = Presences(exchange, legs)
        packages = (self.lamps, self.mailboxes, self.presences)
        self.notifier = Notifier(exchange.core, packages, self._changed)
        self.cut_off: dict[str, list[SubscriptionRecord]] = {}  # by device, until it registers

    @property
    def allow_events(self) -> str:
        """The header line that names what may be watched, with its CRLF (RFC 6665 section 8.2.2)."""
        return f"Allow-Events: {self.notifier.allow_events}\r\n"

    def subscribe_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """Answer a SUBSCRIBE outside a dialog. Raises RemoteProtocolError to be answered.

        One within its dialog isn't challenged again: the tags of both sides are as good as a password, and
        the dialog ends with the device.
        """
        device = self._exchange.guard.device_of(request, transaction, now)
        if device is not None:
            self.notifier.subscribe_received(request, transaction, device.sign_in, now)

    def restore(self, records: Iterable[Personal], now: float) -> int:
        """Go on with what a process that is gone wrote down, publications too; returns how many subscriptions
        hold.

        Those over a connection, which went with the process, go on once their device has registered over
        another one.
        """
        exchange, records = self._exchange, list(records)
        self.presences.restore(records, now)
        for record in records:
            if not isinstance(record, SubscriptionRecord) or not record.lasts(exchange.clock()):
                continue
            if exchange.devices.find(record.subscriber) is None:
                continue
            if record.transport != "UDP":
                self.cut_off.setdefault(record.subscriber, []).append(record)
                continue
            try:
                flow = exchange.flow(record.transport, record.remote, record.local)
            except OSError as error:
                log.info("user=%s isn't reached any more: %s", record.subscriber, error)
                continue
            self._go_on(record, flow, now)
        exchange.driver.wake()
        return len(self.notifier)

    def registered(self, sign_in: str, flow: Flow, now: float) -> None:
        """A device that was cut off by the end of a process has registered, over this flow."""
        records = self.cut_off.pop(sign_in, [])
        for record in records:
            if record.remote[0] != flow.remote[0] or record.transport != flow.transport:
                self.cut_off.setdefault(sign_in, []).append(record)  # another telephone with the same sign-in
            elif record.lasts(self._exchange.clock()):
                self._go_on(record, flow, now)

    def _go_on(self, record: SubscriptionRecord, flow: Flow, now: float) -> None:
        expires_at = record.expires_at - self._exchange.clock() + now
        try:
            self.notifier.restore(
                _dialog(record, flow),
                record.subscriber,
                record.resource,
                record.event,
                record.interval_seconds,
                expires_at,
                now,
            )
        except (ParseError, RemoteProtocolError) as error:
            log.info("user=%s watches %s no more: %s", record.subscriber, record.resource, error)

    def _changed(self, subscription: Subscription) -> None:
        """Write a subscription down."""
        exchange, dialog = self._exchange, subscription.dialog
        if not subscription.expires_at:
            exchange.write(SubscriptionRecord(dialog.local_tag, 0.0))
            return
        exchange.write(
            SubscriptionRecord(
                dialog.local_tag,
                subscription.expires_at + exchange.clock() - exchange.driver.now,
                subscription.subscriber,
                subscription.resource,
                subscription.event,
                subscription.interval_seconds,
                dialog.call_id,
                dialog.local_address,
                dialog.remote_address,
                dialog.remote_tag,
                dialog.remote_target,
                tuple(dialog.route_set),
                dialog.local_sequence,
                dialog.remote_sequence,
                dialog.flow.transport,
                dialog.flow.bound,
                dialog.flow.remote,
            )
        )

    def close(self, now: float) -> None:
        """This node stops: devices are told, so that they ask the next process at once."""
        self.notifier.end_all(now)

    def device_changed_hands(self, device: str, now: float) -> None:
        """Somebody else uses a device: it asks again for what that person may watch.

        RFC 6665 section 4.1.3: deactivated, so at once.
        """
        for subscription in self.notifier.subscriptions():
            if subscription.subscriber == device:
                subscription.end(now, "deactivated")

    def reloaded(self, now: float) -> None:
        """Another plan is in force: a device that is gone watches nobody, and who is gone isn't watched."""
        exchange = self._exchange
        for subscription in self.notifier.subscriptions():
            if exchange.devices.find(subscription.subscriber) is None:
                subscription.end(now, "rejected")
                continue
            try:
                if people_of(exchange.plan, subscription.resource):
                    subscription.end(now, "deactivated")  # it asks anew, and is told who is on the list now
                elif not place_of(exchange.plan, subscription.resource):
                    addressee(exchange, subscription.resource)
            except RemoteProtocolError:
                subscription.end(now)
        self.presences.reloaded(now)


def _dialog(record: SubscriptionRecord, flow: Flow) -> Dialog:
    dialog = Dialog(
        record.call_id,
        record.local_address,
        record.local_tag,
        record.remote_address,
        record.remote_tag,
        flow,
    )
    dialog.remote_target = record.remote_target
    dialog.route_set = list(record.route_set)
    dialog.local_sequence = record.local_sequence
    dialog.remote_sequence = record.remote_sequence
    return dialog
