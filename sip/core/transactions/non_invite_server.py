"""The non-INVITE server transaction (RFC 3261 section 17.2.2).

   | request: pass to the user
   v
+--------+ 1xx from the user: send +------------+
| TRYING | ----------------------> | PROCEEDING | -- request: send the provisional again
+--------+                         +------------+
    | 200-699 from the user: send        | 200-699: send
    v                                    v
  +--------------------------------------------+
  |                 COMPLETED                  | -- request: send the response again
  +--------------------------------------------+
                      | Timer J
                      v
                 TERMINATED
"""

from __future__ import annotations

from enum import Enum, auto

from sip.core.errors import LocalProtocolError
from sip.core.flow import Flow
from sip.core.message import Request
from sip.core.timers import T1
from sip.core.transactions.outbox import Key, Outbox


class NonInviteServerState(Enum):
    """Where the machine stands."""

    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    TERMINATED = auto()


class NonInviteServer:
    """One request other than INVITE and ACK. request is let go after the final response."""

    __slots__ = ("_outbox", "_response", "armed", "deadline", "flow", "key", "request", "state")

    def __init__(self, key: Key, request: Request, flow: Flow, outbox: Outbox) -> None:
        self.key = key
        self.request: Request | None = request
        self.flow = flow
        self.state = NonInviteServerState.TRYING
        self.deadline: float | None = None
        self.armed: float | None = None
        self._outbox = outbox
        self._response = b""

    def respond(self, status: int, response: bytes, now: float) -> None:
        """Send a response of the user's. Raises LocalProtocolError after a final one."""
        match self.state:
            case NonInviteServerState.TRYING | NonInviteServerState.PROCEEDING:
                self._outbox.append((self.flow, response))
                self._response = response
                if status < 200:
                    self.state = NonInviteServerState.PROCEEDING
                    return
                self.request = None
                self.state = NonInviteServerState.COMPLETED
                self.deadline = now if self.flow.reliable else now + 64 * T1  # Timer J
            case NonInviteServerState.COMPLETED | NonInviteServerState.TERMINATED:
                raise LocalProtocolError(f"{status} in {self.state.name}")

    def receive_again(self) -> None:
        """A retransmission of the request."""
        if self._response and self.state is not NonInviteServerState.TERMINATED:
            self._outbox.append((self.flow, self._response))

    @property
    def over(self) -> bool:
        """True once nothing of it can arrive or be sent any more."""
        return self.state is NonInviteServerState.TERMINATED

    def fire(self, now: float) -> None:
        """The deadline has come: Timer J."""
        self.state = NonInviteServerState.TERMINATED
        self._response = b""
        self.deadline = None
