"""Short messages: MESSAGE from a device to a person, to all the devices where that person can be reached.

RFC 3428. The sender hears 200 once one device took it, 480 when none did. Nothing is stored, and nothing
leaves over a trunk.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pbx.services.addressee import addressee
from sip.core.dialog import Dialog
from sip.core.errors import RemoteProtocolError
from sip.core.message import Request, Response
from sip.core.pager import MAX_BYTES, Page, page_of
from sip.core.registrar import Binding
from sip.core.stack import ServerTransaction

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

PLAIN_TEXT = "text/plain;charset=UTF-8"
ANSWER_SECONDS = 25.0  # less than the sender's Timer F: it hears 480 from us, not silence
MAX_DELIVERIES = 1000


class Messages:
    """The messages that are being delivered."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._deliveries: set[Delivery] = set()

    def message_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """Pass a MESSAGE on. Raises RemoteProtocolError to be answered.

        RFC 3428 section 7; nobody sends in another's name: From is the sender's own extension.
        """
        exchange = self.exchange
        device = exchange.guard.device_of(request, transaction, now)
        if device is None:
            return  # challenged
        assert request.flow is not None
        if not exchange.gate.allows_text(request.flow.remote[0], device.sign_in, now):
            raise RemoteProtocolError(480, "Too Many Messages", (("Retry-After", "60"),))
        if request.max_forwards == 0:
            raise RemoteProtocolError(483, "Too Many Hops")
        page = page_of(request)
        person = addressee(exchange, request.uri)
        bindings = [
            binding
            for binding in exchange.devices.bindings_of(person.extension)
            if binding.device != device.sign_in
        ]
        if not bindings:
            raise RemoteProtocolError(480, "Temporarily Unavailable")
        if len(self._deliveries) >= MAX_DELIVERIES:
            raise RemoteProtocolError(503, "Too Many Messages", (("Retry-After", "10"),))
        sender = exchange.plan.people.get(device.extension)
        local_address = exchange.address_of(device.extension, sender.name if sender is not None else "")
        delivery = Delivery(self, transaction, now)
        delivery.send(bindings, page, local_address, person.extension, request.max_forwards - 1, now)

    def notify(self, extensions: Iterable[str], text: str) -> None:
        """Send people a text of our own, to all their devices; nobody is told where it doesn't arrive but the
        log. Never raises."""
        exchange = self.exchange
        now = exchange.driver.now
        page = Page(PLAIN_TEXT, text.encode())
        for extension in extensions:
            bindings = exchange.devices.bindings_of(extension)
            try:
                if not bindings:
                    raise RemoteProtocolError(480, "Temporarily Unavailable")
                delivery = Delivery(self, None, now)
                delivery.send(bindings, page, exchange.address_of("beffroi", "Beffroi"), extension, 70, now)
            except (RemoteProtocolError, OSError) as error:
                log.warning("user=%s can't be notified: %s", extension, error)
        exchange.driver.wake()

    def began(self, delivery: Delivery) -> None:
        """A delivery is under way."""
        self._deliveries.add(delivery)

    def ended(self, delivery: Delivery) -> None:
        """A delivery was answered."""
        self._deliveries.discard(delivery)

    def __len__(self) -> int:
        return len(self._deliveries)


class Delivery:
    """One message on its way to several devices: the first that takes it answers for all."""

    def __init__(self, messages: Messages, transaction: ServerTransaction | None, now: float) -> None:
        """transaction: the sender's, None for a text of our own."""
        self._messages = messages
        self._transaction = transaction
        self._waiting = 0
        self._too_large = 0
        self.deadline: float | None = now + ANSWER_SECONDS
        self.armed: float | None = None

    def send(
        self,
        bindings: list[Binding],
        page: Page,
        local_address: str,
        extension: str,
        max_forwards: int,
        now: float,
    ) -> None:
        """Send it to each device. Raises RemoteProtocolError 413 when it fits into no datagram."""
        exchange = self._messages.exchange
        stack = exchange.core.stack
        requests = []
        for binding in bindings:
            flow = exchange.flow_of(binding)
            identifiers = stack.identifiers
            remote_address = exchange.address_of(extension, "")
            dialog = Dialog(identifiers.token(), local_address, identifiers.token(), remote_address, "", flow)
            dialog.remote_target = binding.contact
            dialog.route_set = list(binding.path)
            branch = identifiers.branch()
            data = dialog.request(
                "MESSAGE",
                branch,
                1,
                body=page.body,
                content_type=page.content_type,
                max_forwards=max_forwards,
            )
            if flow.reliable or len(data) <= MAX_BYTES:  # RFC 3428 section 8
                requests.append((branch, data, flow))
        if not requests:
            raise RemoteProtocolError(413, "Request Entity Too Large")
        self._waiting = len(requests)
        self._messages.began(self)
        stack.timers.arm(self)
        for branch, data, flow in requests:
            stack.send_request("MESSAGE", branch, data, flow, self, now)

    def response_received(self, response: Response, now: float) -> None:
        """A device answered."""
        if response.status < 200:
            return
        if response.status < 300:
            self._answer(200, now)
        else:
            self._failed(now)

    def no_response(self, reason: str, now: float) -> None:
        """A device didn't answer."""
        self._failed(now)

    def fire(self, now: float) -> None:
        """The sender has waited long enough."""
        self._answer(480, now)

    def _failed(self, now: float) -> None:
        self._waiting -= 1
        if not self._waiting:
            self._answer(480, now)

    def _answer(self, status: int, now: float) -> None:
        if self.deadline is None:
            return  # answered before
        self.deadline = None
        self._messages.ended(self)
        if self._transaction is not None:
            self._messages.exchange.core.stack.respond(self._transaction, status, now)
        elif status >= 300:
            log.warning("a notice reached none of its person's devices")
