"""Waiting messages, for the lamp of one's own telephone (the `message-summary` event, RFC 3842).

What waits is what `pbx.voicemail.mailboxes` holds, from the first subscription after a start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pbx.events import MailboxChanged
from pbx.services.addressee import addressee
from sip.core import message_summary
from sip.core.errors import RemoteProtocolError
from sip.core.message_summary import Mailbox, summary

if TYPE_CHECKING:
    from pbx.exchange import Exchange
    from pbx.voicemail.mailboxes import Voicemail


class MailboxLamp:
    """One telephone's view of its own mailbox (sip.core.subscription.Watched)."""

    __slots__ = ("_account", "_mailboxes", "changed", "extension")
    content_type = message_summary.CONTENT_TYPE
    require = ""

    def __init__(
        self, mailboxes: Mailboxes, extension: str, account: str, changed: Callable[[float], None]
    ) -> None:
        self._mailboxes = mailboxes
        self._account = account
        self.extension = extension
        self.changed = changed

    def document(self, number: int, *, full: bool) -> bytes:
        """What waits now; every document tells all."""
        return summary(self._account, self._mailboxes.of(self.extension))

    def close(self) -> None:
        """The telephone watches no more."""
        self._mailboxes.unwatch(self)


class Mailboxes:
    """The `message-summary` package (sip.core.subscription.Package)."""

    name = message_summary.PACKAGE
    content_type = message_summary.CONTENT_TYPE
    default_seconds = 3600  # RFC 3842 section 3.4 leaves it to us
    interval_seconds = 0.0

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._mailboxes: dict[str, Mailbox] = {}
        self._lamps: dict[str, dict[int, MailboxLamp]] = {}

    def of(self, extension: str) -> Mailbox:
        """What waits in a person's mailbox."""
        return self._mailboxes.get(extension, Mailbox())

    def tell(self, extension: str, mailbox: Mailbox) -> None:
        """A mailbox has changed: its lamps are told."""
        self._mailboxes[extension] = mailbox
        for lamp in list(self._lamps.get(extension, {}).values()):
            lamp.changed(self._exchange.driver.now)
        self._exchange.driver.wake()

    def follow(self, voicemail: Voicemail) -> None:
        """Let the lamps show what is in the mailboxes, now and from now on."""

        def changed(name: str) -> None:
            waiting = voicemail.waiting(name)
            self.tell(name, waiting)
            self._exchange.events.publish(MailboxChanged, name, waiting.new, waiting.old)

        voicemail.changed = changed
        for name in voicemail.names():
            self._mailboxes[name] = voicemail.waiting(name)

    def watch(
        self, resource: str, subscriber: str, changed: Callable[[float], None], *, lists: bool = False
    ) -> MailboxLamp:
        """Raises RemoteProtocolError: 403 for somebody else's mailbox, 404 for nobody's."""
        exchange = self._exchange
        person = addressee(exchange, resource, subscriber)
        device = exchange.devices.find(subscriber)
        if device is None or device.extension != person.extension:
            raise RemoteProtocolError(403, "Not Your Mailbox")
        account = f"sip:{person.extension}@{exchange.domain}"
        lamp = MailboxLamp(self, person.extension, account, changed)
        self._lamps.setdefault(person.extension, {})[id(lamp)] = lamp
        return lamp

    def unwatch(self, lamp: MailboxLamp) -> None:
        """A lamp is over."""
        of_person = self._lamps.get(lamp.extension, {})
        of_person.pop(id(lamp), None)
        if not of_person:
            self._lamps.pop(lamp.extension, None)
