"""Provisional responses that must arrive: the server's side of 100rel (RFC 3262 section 3).

One at a time waits for its PRACK; what is to be told meanwhile waits in a queue. A 2xx waits too, as long as
a description that was sent reliably has no PRACK.

                 send
        IDLE ------------> WAITING -- 64*T1 without PRACK: tell the session (5xx) --.
          ^                 |   ^  '-- T1 doubling: send it again --'               |
          |  PRACK, queue   |   |                                                   v
          |  empty          |   '-- PRACK: send the next of the queue             OVER
          '-----------------'       stop(): any final response --------------------^
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.flow import Flow
from sip.core.grammar import TOKEN_CHARS
from sip.core.message import Request
from sip.core.timers import T1
from sip.core.transactions.outbox import Outbox

MAX_QUEUED = 8  # what an owner may tell before the first PRACK; more news without a description is dropped
_RACK = re.compile(rf"([0-9]{{1,10}})[ \t]+([0-9]{{1,10}})[ \t]+([{TOKEN_CHARS}]+)\Z")


@dataclass(frozen=True, slots=True)
class Provisional:
    """What a provisional response says: body is a description, headers are lines with CRLF."""

    status: int
    body: bytes
    headers: str


class ReliableState(Enum):
    """Where the machine stands."""

    IDLE = auto()
    WAITING = auto()
    OVER = auto()


class ReliableUser(Protocol):
    """The session whose INVITE is answered."""

    def respond_reliably(self, provisional: Provisional, number: int, now: float) -> tuple[Flow, bytes]:
        """Send it with this RSeq; returns what was sent where, to be sent again."""

    def prack_missing(self, now: float) -> None:
        """64*T1 have passed without PRACK."""


class ReliableProvisionals:
    """The reliable provisional responses to one INVITE. number: of the last one sent (RSeq)."""

    __slots__ = (
        "_acknowledged",
        "_interval",
        "_invite_sequence",
        "_outbox",
        "_queue",
        "_sent",
        "_stop_at",
        "_user",
        "armed",
        "deadline",
        "number",
        "state",
        "waiting",
    )

    def __init__(self, user: ReliableUser, outbox: Outbox, invite_sequence: int, chance: int) -> None:
        """invite_sequence: the INVITE's CSeq number.

        chance: where the numbers begin; unpredictable, and below 2**31 (RFC 3262 section 3).
        """
        self._user: ReliableUser | None = user
        self._outbox = outbox
        self._invite_sequence = invite_sequence
        self._queue: deque[Provisional] = deque()
        self._sent: tuple[Flow, bytes] | None = None
        self._interval = T1
        self._stop_at = 0.0
        self._acknowledged = False
        self.number = chance % ((1 << 31) - 1)
        self.state = ReliableState.IDLE
        self.waiting: Provisional | None = None
        self.deadline: float | None = None
        self.armed: float | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether the caller has acknowledged one: from then on it has the early dialog for certain."""
        return self._acknowledged

    @property
    def describes(self) -> bool:
        """Whether a description waits for its PRACK, or waits to be sent."""
        waiting = self.waiting
        return (waiting is not None and bool(waiting.body)) or any(next_.body for next_ in self._queue)

    def send(self, provisional: Provisional, now: float) -> None:
        """Send it, or let it wait for its turn."""
        match self.state:
            case ReliableState.IDLE:
                self._send(provisional, now)
            case ReliableState.WAITING:
                if provisional.body or len(self._queue) < MAX_QUEUED:
                    self._queue.append(provisional)
            case ReliableState.OVER:
                pass

    def acknowledge(self, prack: Request) -> Provisional:
        """A PRACK; returns the response that it acknowledges.

        Raises RemoteProtocolError 481 where it acknowledges none that waits, ParseError on a malformed RAck.
        """
        rack = prack.only("rack")
        match = _RACK.match(rack)
        if match is None:
            raise ParseError(f"malformed RAck {rack[:80]!r}")
        waiting = self.waiting
        named = (int(match[1]), int(match[2]), match[3])
        if waiting is None or named != (self.number, self._invite_sequence, "INVITE"):
            raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
        self.waiting = None
        self._sent = None
        self.deadline = None
        self._acknowledged = True
        if self.state is ReliableState.WAITING:
            self.state = ReliableState.IDLE
        return waiting

    def send_next(self, now: float) -> None:
        """After a PRACK was answered: the next of the queue."""
        if self.state is ReliableState.IDLE and self._queue:
            self._send(self._queue.popleft(), now)

    def stop(self) -> None:
        """A final response has left: nothing is sent again, but a PRACK may still come."""
        self.state = ReliableState.OVER
        self.deadline = None
        self._sent = None
        self._user = None
        self._queue.clear()

    def fire(self, now: float) -> None:
        """The deadline has come: T1 doubles without a cap (RFC 3262 section 3), over any transport."""
        if self.state is not ReliableState.WAITING or self._sent is None or self._user is None:
            self.deadline = None
        elif now >= self._stop_at:
            user = self._user
            self.stop()
            user.prack_missing(now)
        else:
            self._outbox.append(self._sent)
            self._interval *= 2
            self.deadline = min(now + self._interval, self._stop_at)

    def _send(self, provisional: Provisional, now: float) -> None:
        assert self._user is not None
        self.number += 1
        self.waiting = provisional
        self.state = ReliableState.WAITING
        self._sent = self._user.respond_reliably(provisional, self.number, now)
        self._interval = T1
        self._stop_at = now + 64 * T1
        self.deadline = now + T1
