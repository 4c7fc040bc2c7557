"""What devices may watch, and the door to it: SUBSCRIBE from those that prove who they are (RFC 6665)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.services.addressee import addressee
from pbx.services.lamps import Lamps
from pbx.services.mailboxes import Mailboxes
from pbx.services.presence import Presences
from sip.core.errors import RemoteProtocolError
from sip.core.message import Request
from sip.core.stack import ServerTransaction
from sip.core.subscription import Notifier

if TYPE_CHECKING:
    from pbx.exchange import Exchange


class Subscriptions:
    """The event packages of the exchange, and who is subscribed to them.

    They live in memory: a process that stops tells the devices, and after a crash a device's refresh, at most
    a quarter of an hour later, is answered 481; either way it subscribes anew.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.lamps = Lamps(exchange)
        self.mailboxes = Mailboxes(exchange)
        self.presences = Presences(exchange)
        self.notifier = Notifier(exchange.core, (self.lamps, self.mailboxes, self.presences))

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
                addressee(exchange, subscription.resource)
            except RemoteProtocolError:
                subscription.end(now)
        self.presences.reloaded(now)
