"""Short messages: MESSAGE from a device to a person or a group, to the devices where they can be reached.

RFC 3428. The sender hears 200 once one device took it, 202 when it is written down and waits (see `boxes`),
else why not. A group's text is one for each of its members, who answer the sender alone. Nothing leaves over
a trunk, and no service but a group reads texts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dialplan.plan import Members
from pbx.apps.group import members_of
from pbx.events import HotDeskChanged
from pbx.people.devices import Device
from pbx.records import TextRecord
from pbx.texts.boxes import KEPT_SECONDS, Boxes
from pbx.texts.delivery import Delivery, Fate
from sip.core.errors import RemoteProtocolError
from sip.core.message import Request
from sip.core.pager import Page, page_of
from sip.core.stack import ServerTransaction
from sip.core.uri import SipUri

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

PLAIN_TEXT = "text/plain;charset=UTF-8"
MAX_OF_GROUP = 200


class Messages:
    """The texts that come in. boxes: those under way and those that wait, by person."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.boxes = Boxes(exchange)
        self._notices: set[Delivery] = set()
        exchange.events.subscribe(self._seated, HotDeskChanged)

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
        asked = request.expires  # RFC 3428 section 8: afterwards it isn't worth anything
        seconds = min(KEPT_SECONDS, asked) if asked is not None else KEPT_SECONDS
        recipients = self._recipients(request.uri, device)
        if isinstance(recipients, str):
            text = self._text(recipients, device, page, seconds)
            self.boxes.send(text, transaction, request.max_forwards - 1, now)
        else:
            self._post_all([self._text(one, device, page, seconds) for one in recipients], now)
            exchange.core.stack.respond(transaction, 202, now)

    def _text(self, to: str, device: Device, page: Page, seconds: float) -> TextRecord:
        sender = self.exchange.plan.people.get(device.extension)
        names = (device.extension, sender.name if sender is not None else "")
        return self.boxes.text(to, device.sign_in, names, page.content_type, page.body, seconds)

    def _recipients(self, uri: str, sender: Device) -> str | list[str]:
        """The extension that a Request-URI names, or those of a group but the sender's own.

        Raises RemoteProtocolError: 403 for a service and for a number outside, 404 for nobody.
        """
        exchange, plan = self.exchange, self.exchange.plan
        user = SipUri.parse(uri).user or ""
        device = exchange.devices.find(user)
        for extension in (user, device.extension if device is not None else ""):
            if extension in plan.people:
                return extension
        if plan.is_emergency(user):
            raise RemoteProtocolError(403, "No Emergency Service Reads Texts: Call")
        service = plan.tables.services.get(user)
        if service is None:
            if user.startswith("+") or (user.isdecimal() and len(user) > 6):
                raise RemoteProtocolError(403, "Texts Do Not Leave The House")
            raise RemoteProtocolError(404, "Not Found")
        members = service.settings.get("members")
        if service.type != "group" or not isinstance(members, Members):
            raise RemoteProtocolError(403, "This Service Reads No Texts")
        inside = [one for one in members_of(plan, members) if one in plan.people]
        others = [one for one in inside if one != sender.extension]
        if not 0 < len(others) <= MAX_OF_GROUP:
            raise RemoteProtocolError(403, "Nobody Or Too Many In This Group")
        return others

    def _post_all(self, texts: Iterable[TextRecord], now: float) -> None:
        """Keep a text for each of several people. Raises RemoteProtocolError when it waits for none."""
        refusal: RemoteProtocolError | None = None
        posted = 0
        for text in texts:
            try:
                self.boxes.post(text, now)
                posted += 1
            except RemoteProtocolError as error:  # one full box keeps no text from the others
                refusal = error
                log.info("text=%d from=%s to=%s refused: %s", text.number, text.from_, text.to, error)
        if refusal is not None and not posted:
            raise refusal

    def notify(self, extensions: Iterable[str], text: str) -> None:
        """Send people a text of our own, to all their devices, before whatever waits for them; it isn't kept,
        and nobody is told where it doesn't arrive but the log. Never raises."""
        exchange = self.exchange
        now = exchange.driver.now
        for extension in extensions:
            notice = self.boxes.text(extension, "", ("beffroi", "Beffroi"), PLAIN_TEXT, text.encode(), 0.0)
            try:
                bindings = self.boxes.bindings_for(notice)
                if not bindings:
                    raise RemoteProtocolError(480, "Temporarily Unavailable")
                delivery = Delivery(exchange, notice, self._noticed)
                delivery.send(bindings, 70, now, dated=False)
                self._notices.add(delivery)
            except (RemoteProtocolError, OSError) as error:
                log.warning("user=%s can't be notified: %s", extension, error)
        exchange.driver.wake()

    def _seated(self, event: HotDeskChanged) -> None:
        """Somebody uses another device from now on, which has registered long ago."""
        self.boxes.registered(event.extension, self.exchange.driver.now)
        self.exchange.driver.wake()

    def _noticed(self, delivery: Delivery, fate: Fate, _now: float) -> None:
        self._notices.discard(delivery)
        if fate is not Fate.TAKEN:
            log.warning("a notice reached none of the devices of user=%s", delivery.text.to)

    def __len__(self) -> int:
        """How many people a text is under way to, or waits for."""
        return len(self.boxes) + len(self._notices)
