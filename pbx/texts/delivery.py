"""One text on its way to several devices of a person: the first that takes it is enough (RFC 3428).

A device that doesn't read CPIM is sent the plain text within it, once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from email.utils import formatdate
from enum import Enum, auto
from typing import TYPE_CHECKING

from pbx.records import TextRecord
from sip.core import cpim
from sip.core.dialog import Dialog
from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.message import Response
from sip.core.pager import MAX_BYTES, Page
from sip.core.registrar import Binding

if TYPE_CHECKING:
    from pbx.exchange import Exchange

# What a device says that may take the text another time, and of a text that it doesn't read
_LATER = frozenset({408, 430, 480, 486, 500, 503, 504, 600})
_UNREADABLE = frozenset({406, 413, 415, 488, 513, 606})


class Fate(Enum):
    """What the devices made of a text."""

    TAKEN = auto()
    AWAY = auto()  # at least one of them may take it another time
    UNREADABLE = auto()  # all of them refuse what it is
    REFUSED = auto()


class Delivery:
    """One text, sent to these devices. over: its fate is known, or nobody asks for it any more.

    done: told the fate, once. unwrapped: the device that took it was sent the plain text within CPIM.
    """

    def __init__(
        self, exchange: Exchange, text: TextRecord, done: Callable[[Delivery, Fate, float], None]
    ) -> None:
        self.exchange = exchange
        self.text = text
        self.over = False
        self.unwrapped = False
        self._done = done
        self._waiting = 0
        self._refusals: list[int] = []

    def send(self, bindings: Sequence[Binding], max_forwards: int, now: float, *, dated: bool) -> None:
        """Send it to each device. dated: with the instant of its writing.

        Raises RemoteProtocolError 413 when it is too large for all of them.
        """
        page = Page(self.text.content_type, self.text.body)
        copies = [_Copy(self, binding, max_forwards, dated=dated) for binding in bindings]
        fitting = [copy for copy in copies if copy.prepare(page)]
        if not fitting:
            raise RemoteProtocolError(413, "Request Entity Too Large")
        self._waiting = len(fitting)
        for copy in fitting:
            copy.send(now)

    def taken(self, copy: _Copy, now: float) -> None:
        """A device took it."""
        if not self.over:
            self.over = True
            self.unwrapped = copy.unwrapped
            self._done(self, Fate.TAKEN, now)

    def refused(self, status: int, now: float) -> None:
        """A device didn't take it; 408 for one that didn't answer."""
        self._refusals.append(status)
        self._waiting -= 1
        if self._waiting or self.over:
            return
        self.over = True
        if _LATER.intersection(self._refusals):
            self._done(self, Fate.AWAY, now)
        elif _UNREADABLE.issuperset(self._refusals):
            self._done(self, Fate.UNREADABLE, now)
        else:
            self._done(self, Fate.REFUSED, now)

    def plain(self) -> Page | None:
        """The plain text within a CPIM message; None where there is none."""
        if self.text.content_type.partition(";")[0].strip().lower() != cpim.CONTENT_TYPE:
            return None
        try:
            message = cpim.parse_cpim(self.text.body)
        except ParseError:
            return None
        kind = message.content_type.partition(";")[0].strip().lower()
        if kind != "text/plain" or message.encoded:
            return None
        return Page(message.content_type, message.content)


class _Copy:
    """What one device is sent."""

    def __init__(self, delivery: Delivery, binding: Binding, max_forwards: int, *, dated: bool) -> None:
        self.delivery = delivery
        self.unwrapped = False
        self._binding = binding
        self._max_forwards = max_forwards
        self._dated = dated
        self._flow = delivery.exchange.flow_of(binding)
        self._branch = ""
        self._data = b""

    def prepare(self, page: Page) -> bool:
        """Make the request; whether its way takes one so large (RFC 3428 section 8)."""
        exchange, text = self.delivery.exchange, self.delivery.text
        identifiers = exchange.core.stack.identifiers
        local, remote = exchange.address_of(text.from_, text.from_name), exchange.address_of(text.to, "")
        dialog = Dialog(identifiers.token(), local, identifiers.token(), remote, "", self._flow)
        dialog.remote_target = self._binding.contact
        dialog.route_set = list(self._binding.path)
        self._branch = identifiers.branch()
        self._data = dialog.request(
            "MESSAGE",
            self._branch,
            1,
            # RFC 3428 section 10: when it was written; RFC 3261 section 20.17
            headers=f"Date: {formatdate(text.written_at, usegmt=True)}\r\n" if self._dated else "",
            body=page.body,
            content_type=page.content_type,
            max_forwards=self._max_forwards,
        )
        return self._flow.reliable or len(self._data) <= MAX_BYTES

    def send(self, now: float) -> None:
        """Send what was prepared."""
        stack = self.delivery.exchange.core.stack
        stack.send_request("MESSAGE", self._branch, self._data, self._flow, self, now)

    def response_received(self, response: Response, now: float) -> None:
        """The device answered."""
        status = response.status
        if status < 200:
            return
        if status < 300:
            self.delivery.taken(self, now)
            return
        plain = self.delivery.plain() if status in _UNREADABLE and not self.unwrapped else None
        if plain is not None and not self.delivery.over and self.prepare(plain):
            self.unwrapped = True
            self.send(now)
        else:
            self.delivery.refused(status, now)

    def no_response(self, reason: str, now: float) -> None:
        """The device didn't answer."""
        self.delivery.refused(408, now)
