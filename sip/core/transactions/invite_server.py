"""The INVITE server transaction (RFC 3261 section 17.2.1 with RFC 6026 section 7.1).

                  | INVITE: pass to the user
                  v                            .-- INVITE: send the last provisional
            +------------+ <-------------------'
 .--------> | PROCEEDING | -- 1xx from the user: send --.
 '--------- |            | <----------------------------'
200 ms:     +------------+   after a minute, send it again
send 100      |        |
     2xx from |        | 300-699 from the user: send
     the user |        v
        send  |   +-----------+ -- INVITE, Timer G: send the response again
              |   | COMPLETED |
              v   +-----------+ -- Timer H: the ACK is missing, tell the user --.
       +----------+    | ACK                                                    |
       | ACCEPTED |    v                                                        |
       +----------+  +-----------+                                              |
         |  absorbs  | CONFIRMED |                                              |
Timer L  |  INVITEs  +-----------+                                              |
         |               | Timer I                                              |
         v               v                                                      v
       +-------------------------------------------------------------------------+
       |                               TERMINATED                                |
       +-------------------------------------------------------------------------+
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from sip.core.errors import LocalProtocolError
from sip.core.flow import Flow
from sip.core.message import Request, build_response
from sip.core.timers import T1, T2, T4
from sip.core.transactions.outbox import Key, Outbox

TRYING_AFTER_SECONDS = 0.2  # 17.2.1: 100 unless the user answers within 200 ms
# 13.3.1.1: a non-100 provisional every minute, or a proxy gives up. It's the user's duty; the bytes lie here.
PROVISIONAL_AGAIN_SECONDS = 60.0


class InviteServerUser(Protocol):
    """Who answers an INVITE."""

    def cancel_received(self, cancel: Request, now: float) -> None:
        """A CANCEL before the final response; the CANCEL itself is answered already (9.2)."""

    def ack_missing(self, now: float) -> None:
        """Timer H: a 300-699 was never acknowledged."""


class InviteServerState(Enum):
    """Where the machine stands."""

    PROCEEDING = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    ACCEPTED = auto()
    TERMINATED = auto()


class InviteServer:
    """One INVITE received, until nothing of it can arrive any more.

    user, to_tag: set by who takes the request on; the tag is that of all its responses. request is let go
    after the final response.
    """

    __slots__ = (
        "_interval",
        "_outbox",
        "_response",
        "_retransmit_at",
        "_stop_at",
        "armed",
        "deadline",
        "flow",
        "key",
        "merged",
        "request",
        "state",
        "to_tag",
        "user",
    )

    def __init__(self, key: Key, request: Request, flow: Flow, outbox: Outbox, now: float) -> None:
        self.key = key
        self.request: Request | None = request
        self.flow = flow
        self.state = InviteServerState.PROCEEDING
        self.deadline: float | None = now + TRYING_AFTER_SECONDS
        self.armed: float | None = None
        self.user: InviteServerUser | None = None
        self.to_tag = ""
        self.merged: Key | None = None  # the stack's own mark for merged requests (8.2.2.2)
        self._outbox = outbox
        self._response = b""
        self._interval = T1
        self._retransmit_at = 0.0
        self._stop_at = 0.0

    def respond(self, status: int, response: bytes, now: float) -> None:
        """Send a response of the user's. Raises LocalProtocolError after a final one."""
        if self.state is not InviteServerState.PROCEEDING:
            raise LocalProtocolError(f"{status} in {self.state.name}")
        self._outbox.append((self.flow, response))
        self._response = response
        if status < 200:
            self.deadline = None if status == 100 else now + PROVISIONAL_AGAIN_SECONDS
            return
        self.request = None
        self._stop_at = now + 64 * T1
        if status < 300:
            self.state = InviteServerState.ACCEPTED
            self.user = None
            self._response = b""  # 6026 7.1: retransmitting a 2xx is the user's work (13.3.1.4)
            self.deadline = self._stop_at  # Timer L
            return
        self.state = InviteServerState.COMPLETED
        self._retransmit_at = self._stop_at if self.flow.reliable else now + T1  # Timer G
        self.deadline = min(self._retransmit_at, self._stop_at)

    def receive_again(self) -> None:
        """A retransmission of the INVITE."""
        match self.state:
            case InviteServerState.PROCEEDING | InviteServerState.COMPLETED:
                if self._response:
                    self._outbox.append((self.flow, self._response))
            case InviteServerState.ACCEPTED | InviteServerState.CONFIRMED | InviteServerState.TERMINATED:
                pass  # absorbed

    def receive_ack(self, now: float) -> None:
        """The ACK of a 300-699."""
        match self.state:
            case InviteServerState.COMPLETED:
                self.state = InviteServerState.CONFIRMED
                self._response = b""
                self.deadline = now if self.flow.reliable else now + T4  # Timer I
            case (
                InviteServerState.PROCEEDING
                | InviteServerState.CONFIRMED
                | InviteServerState.ACCEPTED
                | InviteServerState.TERMINATED
            ):
                pass  # an ACK before its response, a second one, or one of a 2xx with an old branch

    @property
    def over(self) -> bool:
        """True once nothing of it can arrive or be sent any more."""
        return self.state is InviteServerState.TERMINATED

    def fire(self, now: float) -> None:
        """The deadline has come."""
        match self.state:
            case InviteServerState.PROCEEDING if self._response:
                self._outbox.append((self.flow, self._response))
                self.deadline = now + PROVISIONAL_AGAIN_SECONDS
            case InviteServerState.PROCEEDING:
                assert self.request is not None
                self.respond(100, build_response(self.request, 100), now)
            case InviteServerState.COMPLETED if now >= self._stop_at:  # Timer H
                user = self.user
                self._end()
                if user is not None:
                    user.ack_missing(now)
            case InviteServerState.COMPLETED:  # Timer G doubles up to T2
                self._outbox.append((self.flow, self._response))
                self._interval = min(2 * self._interval, T2)
                self._retransmit_at = now + self._interval
                self.deadline = min(self._retransmit_at, self._stop_at)
            case InviteServerState.ACCEPTED | InviteServerState.CONFIRMED:  # Timers L and I
                self._end()
            case InviteServerState.TERMINATED:
                self.deadline = None

    def _end(self) -> None:
        self.state = InviteServerState.TERMINATED
        self._response = b""
        self.user = None
        self.deadline = None
