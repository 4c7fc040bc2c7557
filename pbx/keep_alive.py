"""OPTIONS to telephones behind a NAT: its binding stays open, and we learn when the way to one is gone.

                     UNANSWERED_ALLOWED times no answer
    REACHABLE ------------------------------------------> UNREACHABLE
        ^                                                      |
        '--------- any answer, or another REGISTER ------------'

An unreachable telephone keeps its registration and is still tried, after the others: it may not like OPTIONS.
Most NATs forget UDP after 30 s or more (RFC 4787 section 4.3 wants 2 minutes); what we send opens none, but
the telephone's answer leaves through it and renews it. Telephones that keep their flow themselves, by CRLF or
STUN (RFC 5626 section 4.4), are asked all the same: it tells us whether they are there.
"""

from __future__ import annotations

import logging
import zlib
from typing import TYPE_CHECKING

from sip.core.dialog import Dialog
from sip.core.message import Response
from sip.core.registrar import Binding

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS = 30.0
UNANSWERED_ALLOWED = 2  # each has been repeated for 32 s (64*T1, RFC 3261 section 17.1.2.2)


class KeepAlive:
    """What one binding is asked, and whether it answers. It is on the timers of the stack."""

    __slots__ = (
        "_dialog",
        "_exchange",
        "_period_seconds",
        "_waits",
        "armed",
        "binding",
        "deadline",
        "unanswered",
    )

    def __init__(self, exchange: Exchange, binding: Binding, period_seconds: float, now: float) -> None:
        self._exchange = exchange
        self._period_seconds = period_seconds
        self._dialog: Dialog | None = None
        self._waits = False
        self.binding = binding
        self.unanswered = 0
        self.armed: float | None = None
        # After a power cut all telephones register at once: they aren't asked so.
        share = zlib.crc32(f"{binding.device} {binding.contact}".encode("utf-8", "surrogateescape")) / (
            1 << 32
        )
        self.deadline: float | None = now + period_seconds * (0.5 + share / 2)

    @property
    def reachable(self) -> bool:
        """False once it has left too much unanswered."""
        return self.unanswered < UNANSWERED_ALLOWED

    def registered(self, binding: Binding) -> None:
        """It has registered again, perhaps from another port of its NAT."""
        if not self.reachable:
            self._exchange.registrations.answers(binding, True)
        self.binding = binding
        self.unanswered = 0
        self._dialog = None

    def end(self) -> None:
        """The binding is gone."""
        self.deadline = None

    def fire(self, now: float) -> None:
        """It is time to ask; not while the last question is still being repeated."""
        if not self._waits:
            self._ask(now)
        self.deadline = now + self._period_seconds

    def response_received(self, response: Response, now: float) -> None:
        """Whatever it says, it is there (RFC 3261 section 11.2)."""
        self._waits = False
        if not self.reachable:
            log.info("user=%s answers again", self.binding.device)
            self._exchange.registrations.answers(self.binding, True)
        self.unanswered = 0

    def no_response(self, reason: str, now: float) -> None:
        """Nothing came."""
        self._waits = False
        self.unanswered += 1
        if self.unanswered == UNANSWERED_ALLOWED and self.deadline is not None:
            log.warning("user=%s at %s doesn't answer any more", self.binding.device, self.binding.flow)
            self._exchange.registrations.answers(self.binding, False)

    def _ask(self, now: float) -> None:
        stack = self._exchange.core.stack
        dialog = self._dialog
        if dialog is None:
            identifiers, binding = stack.identifiers, self.binding
            flow = self._exchange.flow_of(binding)
            own = f"<sip:{self._exchange.domain}>"
            dialog = Dialog(identifiers.token(), own, identifiers.token(), f"<{binding.contact}>", "", flow)
            dialog.remote_target = binding.contact
            self._dialog = dialog
        self._waits = True
        dialog.local_sequence += 1
        branch = stack.identifiers.branch()
        data = dialog.request("OPTIONS", branch, dialog.local_sequence)
        stack.send_request("OPTIONS", branch, data, dialog.flow, self, now)
