"""The INVITE client transaction (RFC 3261 section 17.1.1 with RFC 6026 section 7.2).

             | INVITE: send
             v                 .-- Timer A: send again, doubling
         +---------+ <---------'
         | CALLING | -- Timer B, transport error: tell the user --> TERMINATED
         +---------+
1xx: pass  |  |  | 2xx: pass
           |  |  '---------------------------.
           v  |                              v
 +------------+ -- 2xx: pass --------> +----------+ -- 2xx: pass (forks, retransmissions)
 | PROCEEDING |                        | ACCEPTED |
 +------------+ -- 1xx: pass           +----------+ -- Timer M --> TERMINATED
       |  | 300-699: send ACK, pass
       v  v
 +-----------+ -- 300-699: send ACK
 | COMPLETED |
 +-----------+ -- Timer D --> TERMINATED
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from sip.core.flow import Flow
from sip.core.message import Request, Response
from sip.core.parser import parse_message
from sip.core.timers import T1
from sip.core.transactions.outbox import Key, Outbox

TIMER_D_SECONDS = 32.0


class ClientUser(Protocol):
    """Who asked for a client transaction."""

    def response_received(self, response: Response, now: float) -> None:
        """A response for the user: provisional or final, and further 2xx of an INVITE."""

    def no_response(self, reason: str, now: float) -> None:
        """Timer B or F, or a transport error: to be treated as 408 or 503 (8.1.3.1)."""


class InviteClientState(Enum):
    """Where the machine stands."""

    CALLING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    ACCEPTED = auto()
    TERMINATED = auto()


class InviteClient:
    """One INVITE sent, until no response to it can arrive any more."""

    __slots__ = (
        "_ack",
        "_interval",
        "_outbox",
        "_stop_at",
        "armed",
        "data",
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
        self.data = data  # the request as sent: the ACK and the CANCEL are made from it
        self.flow = flow
        self.user: ClientUser | None = user
        self.state = InviteClientState.CALLING
        self.armed: float | None = None
        self._outbox = outbox
        self._ack = b""
        self._interval = T1
        self._stop_at = now + 64 * T1  # Timer B
        self.deadline: float | None = self._stop_at if flow.reliable else now + T1  # Timer A
        outbox.append((flow, data))

    def receive(self, response: Response, now: float) -> bool:
        """A response; returns True when the user gets it."""
        status = response.status
        match self.state:
            case InviteClientState.CALLING | InviteClientState.PROCEEDING:
                if status < 200:
                    if self.state is InviteClientState.CALLING:
                        self.state = InviteClientState.PROCEEDING
                        self.deadline = None  # how long it rings is the user's concern (Timer C is a proxy's)
                elif status < 300:
                    self.state = InviteClientState.ACCEPTED
                    self.deadline = now + 64 * T1  # Timer M
                    self.data = b""
                else:
                    self._ack = ack_of(self.data, response)  # first, as it raises where there is no To
                    self.state = InviteClientState.COMPLETED
                    self.data = b""
                    self._outbox.append((self.flow, self._ack))
                    self.deadline = now if self.flow.reliable else now + TIMER_D_SECONDS
                return True
            case InviteClientState.ACCEPTED:
                return 200 <= status < 300
            case InviteClientState.COMPLETED:
                if status >= 300:
                    self._outbox.append((self.flow, self._ack))
                return False
            case InviteClientState.TERMINATED:
                return False

    @property
    def over(self) -> bool:
        """True once nothing of it can arrive or be sent any more."""
        return self.state is InviteClientState.TERMINATED

    def fire(self, now: float) -> None:
        """The deadline has come."""
        match self.state:
            case InviteClientState.CALLING if now >= self._stop_at:  # Timer B
                self.fail("no response", now)
            case InviteClientState.CALLING:  # 17.1.1.2: Timer A doubles without a cap for INVITE
                self._outbox.append((self.flow, self.data))
                self._interval *= 2
                self.deadline = min(now + self._interval, self._stop_at)
            case InviteClientState.COMPLETED | InviteClientState.ACCEPTED:  # Timers D and M
                self._end()
            case InviteClientState.PROCEEDING:  # only after give_up()
                self.fail("no final response after CANCEL", now)
            case InviteClientState.TERMINATED:
                self.deadline = None

    def start_again(self, flow: Flow, data: bytes, now: float) -> bool:
        """Send the INVITE over another flow (18.1.1); False when something has come over the first one."""
        if self.state is not InviteClientState.CALLING:
            return False
        self.flow, self.data = flow, data
        self.deadline = self._stop_at if flow.reliable else now + self._interval
        self._outbox.append((flow, data))
        return True

    def give_up(self, now: float) -> None:
        """A CANCEL was sent: without a final response in 64*T1 the INVITE is over (9.1)."""
        if self.state is InviteClientState.PROCEEDING and self.deadline is None:
            self.deadline = now + 64 * T1

    def fail(self, reason: str, now: float) -> None:
        """Nothing can come any more: Timer B or a transport error."""
        user, waiting = self.user, self.state in {InviteClientState.CALLING, InviteClientState.PROCEEDING}
        self._end()
        if user is not None and waiting:
            user.no_response(reason, now)

    def _end(self) -> None:
        self.state = InviteClientState.TERMINATED
        self.deadline = None
        self.user = None
        self.data = self._ack = b""


def ack_of(invite: bytes, response: Response) -> bytes:
    """The ACK of a 300-699 (17.1.1.3): the INVITE's first Via, Route and Request-URI, the response's To."""
    return _same_branch(invite, "ACK", response.first("to"))


def cancel_of(invite: bytes, headers: str = "") -> bytes:
    """The CANCEL of an INVITE (9.1); headers: further lines such as Reason, each ending in CRLF."""
    return _same_branch(invite, "CANCEL", "", headers)


def _same_branch(invite: bytes, method: str, to: str, headers: str = "") -> bytes:
    request = parse_message(invite)
    assert isinstance(request, Request)
    routes = "".join(f"Route: {route}\r\n" for route in request.headers.get("route", ()))
    return (
        f"{method} {request.uri} SIP/2.0\r\nVia: {request.first('via')}\r\nMax-Forwards: 70\r\n{routes}"
        f"From: {request.first('from')}\r\nTo: {to or request.first('to')}\r\n"
        f"Call-ID: {request.first('call-id')}\r\nCSeq: {request.cseq[0]} {method}\r\n{headers}"
        "Content-Length: 0\r\n\r\n"
    ).encode("utf-8", "surrogateescape")
