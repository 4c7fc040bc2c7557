"""The non-INVITE client transaction (RFC 3261 section 17.1.2).

    | request: send
    v               .-- Timer E: send again, doubling up to T2
+--------+ <--------'
| TRYING | -- Timer F, transport error: tell the user --> TERMINATED
+--------+
 |      | 1xx: pass
 |      v                .-- Timer E: send again, every T2
 |  +------------+ <-----'
 |  | PROCEEDING | -- Timer F: tell the user --> TERMINATED
 |  +------------+
 |      | 200-699: pass
 v      v
+-----------+
| COMPLETED | -- absorbs responses; Timer K --> TERMINATED
+-----------+
"""

from __future__ import annotations

from enum import Enum, auto

from sip.core.flow import Flow
from sip.core.message import Response
from sip.core.timers import T1, T2, T4
from sip.core.transactions.invite_client import ClientUser
from sip.core.transactions.outbox import Key, Outbox


class NonInviteClientState(Enum):
    """Where the machine stands."""

    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    TERMINATED = auto()


class NonInviteClient:
    """One request other than INVITE and ACK that we sent."""

    __slots__ = (
        "_data",
        "_interval",
        "_outbox",
        "_stop_at",
        "armed",
        "deadline",
        "flow",
        "key",
        "state",
        "user",
    )

    def __init__(
        self, key: Key, data: bytes, flow: Flow, user: ClientUser, outbox: Outbox, now: float
    ) -> None:
        self.key = key
        self.flow = flow
        self.user: ClientUser | None = user
        self.state = NonInviteClientState.TRYING
        self.armed: float | None = None
        self._data = data
        self._outbox = outbox
        self._interval = T1
        self._stop_at = now + 64 * T1  # Timer F
        self.deadline: float | None = self._stop_at if flow.reliable else now + T1  # Timer E
        outbox.append((flow, data))

    def receive(self, response: Response, now: float) -> bool:
        """A response; returns True when the user gets it."""
        match self.state:
            case NonInviteClientState.TRYING | NonInviteClientState.PROCEEDING:
                if response.status < 200:
                    self.state = NonInviteClientState.PROCEEDING
                else:
                    self.state = NonInviteClientState.COMPLETED
                    self._data = b""
                    self.deadline = now if self.flow.reliable else now + T4  # Timer K
                return True
            case NonInviteClientState.COMPLETED | NonInviteClientState.TERMINATED:
                return False

    @property
    def over(self) -> bool:
        """True once nothing of it can arrive or be sent any more."""
        return self.state is NonInviteClientState.TERMINATED

    def fire(self, now: float) -> None:
        """The deadline has come."""
        match self.state:
            case NonInviteClientState.TRYING | NonInviteClientState.PROCEEDING if now >= self._stop_at:
                self.fail("no response", now)  # Timer F
            case NonInviteClientState.TRYING | NonInviteClientState.PROCEEDING:  # Timer E
                self._outbox.append((self.flow, self._data))
                proceeding = self.state is NonInviteClientState.PROCEEDING
                self._interval = T2 if proceeding else min(2 * self._interval, T2)
                self.deadline = min(now + self._interval, self._stop_at)
            case NonInviteClientState.COMPLETED:  # Timer K
                self._end()
            case NonInviteClientState.TERMINATED:
                self.deadline = None

    def start_again(self, flow: Flow, data: bytes, now: float) -> bool:
        """Send the request over another flow (18.1.1); False when something has come over the first one."""
        if self.state is not NonInviteClientState.TRYING:
            return False
        self.flow, self._data = flow, data
        self.deadline = self._stop_at if flow.reliable else now + self._interval
        self._outbox.append((flow, data))
        return True

    def fail(self, reason: str, now: float) -> None:
        """Nothing can come any more: Timer F or a transport error."""
        user, waiting = self.user, self.state is not NonInviteClientState.COMPLETED
        self._end()
        if user is not None and waiting:
            user.no_response(reason, now)

    def _end(self) -> None:
        self.state = NonInviteClientState.TERMINATED
        self.deadline = None
        self.user = None
        self._data = b""
