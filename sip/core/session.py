"""The INVITE usage of a dialog once it is there: re-INVITE, BYE, and the 2xx that wait for their ACK.

`IncomingSession` and `OutgoingSession` say how a session begins. RFC 3261 sections 13 to 15; offers and
answers as RFC 3264 and RFC 6337. Bodies are opaque here.

    incoming:  RINGING --answer--> CONFIRMED --BYE, no ACK--> ENDED      (refused, cancelled: ENDED at once)
    outgoing:  CALLING --2xx-----> CONFIRMED --BYE----------> ENDED      (failed, cancelled: ENDED at once)
"""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from sip.core.dialog import Dialog
from sip.core.errors import LocalProtocolError, RemoteProtocolError
from sip.core.flow import Flow, host_port
from sip.core.inspection import ALLOW
from sip.core.message import Request, Response
from sip.core.offer_answer import OfferAnswer
from sip.core.reason import Reason, parse_reasons
from sip.core.stack import ServerTransaction
from sip.core.timers import T1, T2
from sip.core.transactions.invite_server import InviteServer

if TYPE_CHECKING:
    from sip.core.ua_core import UserAgentCore


class SessionUser(Protocol):
    """Who owns a session. Each call is a fact that has happened."""

    def progressed(self, status: int, body: bytes, now: float) -> None:
        """A provisional response above 100 to our INVITE."""

    def answered(self, body: bytes, now: float) -> None:
        """A 2xx to our INVITE. With our offer in it the ACK has left and body is the answer; after an INVITE
        without offer body is an offer and `acknowledge(answer)` is expected."""

    def failed(self, status: int, reason: Reason, now: float) -> None:
        """Our INVITE ended without a 2xx. status is 408 or 503 where nothing came (8.1.3.1)."""

    def cancelled(self, reason: Reason, now: float) -> None:
        """The caller gave up before the answer; 487 has left."""

    def acknowledged(self, body: bytes, now: float) -> None:
        """The ACK of our 2xx arrived; body is the answer where the 2xx carried the offer."""

    def offered(self, body: bytes, now: float) -> None:
        """A re-INVITE: `accept_offer` or `refuse_offer` is expected. An empty body asks for our offer."""

    def offer_answered(self, body: bytes, now: float) -> None:
        """Our re-INVITE was accepted."""

    def offer_refused(self, status: int, now: float) -> None:
        """Our re-INVITE was refused; what was agreed before holds."""

    def ended(self, reason: Reason, now: float) -> None:
        """The remote party hung up, or the dialog broke.

        `release` is expected: the 200 to the BYE waits for it, so that what it acknowledges can be written.
        """


class SessionState(Enum):
    """Where a session stands."""

    BEGINNING = auto()
    CONFIRMED = auto()
    ENDED = auto()


NORMAL_CLEARING = Reason("Q.850", 16, "Normal call clearing")
NO_ACK = Reason("SIP", 408, "No ACK")


class Session:
    """What incoming and outgoing sessions share from the answer on.

    user is None once the session has ended for it. deadline is the next retransmission of a 2xx.
    """

    __slots__ = (
        "_bye",
        "_core",
        "_interval",
        "_invite",
        "_reinvite_sequence",
        "_stop_at",
        "_unacknowledged",
        "armed",
        "contact",
        "deadline",
        "dialog",
        "exchange",
        "state",
        "user",
    )

    def __init__(self, core: UserAgentCore, dialog: Dialog, user: SessionUser) -> None:
        self._core = core
        self.dialog = dialog
        self.user: SessionUser | None = user
        self.state = SessionState.BEGINNING
        self.exchange = OfferAnswer()
        self.contact = contact_uri(dialog.flow)
        self.deadline: float | None = None
        self.armed: float | None = None
        self._bye: ServerTransaction | None = None
        self._invite: InviteServer | None = None  # the INVITE or re-INVITE that waits for our answer
        self._unacknowledged = b""
        self._interval = T1
        self._stop_at = 0.0
        self._reinvite_sequence = 0  # of our own re-INVITE under way

    @property
    def key(self) -> Hashable:
        """Where the core finds it: Call-ID and local tag (12)."""
        return (self.dialog.call_id, self.dialog.local_tag)

    # From the owner

    def hang_up(self, now: float, reason: Reason | None = None) -> None:
        """End a confirmed session with BYE (15.1.1)."""
        if self.state is not SessionState.CONFIRMED:
            raise LocalProtocolError(f"hang_up in {self.state.name}")
        self._send("BYE", IGNORED, now, headers=reason.header if reason else "")
        self._end()

    def release(self, now: float) -> None:
        """Let the 200 to a BYE leave, if one waits."""
        bye, self._bye = self._bye, None
        if bye is not None and bye.request is not None:
            self._core.stack.respond(bye, 200, now)

    def offer(self, body: bytes, now: float) -> None:
        """Send a re-INVITE (14.1). Raises LocalProtocolError while an offer is under way."""
        if self.state is not SessionState.CONFIRMED or self._invite is not None:
            raise LocalProtocolError("re-INVITE now would cross another")
        self.exchange.local_offer()
        self._reinvite_sequence = self._send("INVITE", self, now, contact=self.contact, body=body)

    def accept_offer(self, body: bytes, now: float) -> None:
        """Answer a re-INVITE with 200."""
        self.exchange.local_answer()
        self._accept(body, now)

    def refuse_offer(self, status: int, now: float, reason: str = "") -> None:
        """Refuse a re-INVITE; what was agreed before holds."""
        self.exchange.withdraw()
        invite, self._invite = self._invite, None
        if invite is not None:
            self._core.stack.respond(invite, status, now, reason=reason)

    # From the core

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """A request within the dialog, of any method but ACK and CANCEL."""
        self.dialog.check_sequence(request)
        match request.method:
            case "BYE":
                reasons = parse_reasons(request.headers.get("reason", []))
                self._bye = transaction
                self._bye_received(reasons[0] if reasons else NORMAL_CLEARING, now)
            case "INVITE":
                assert isinstance(transaction, InviteServer)
                self._reinvite_received(request, transaction, now)
            case "OPTIONS":
                self._core.stack.respond(transaction, 200, now, headers=f"Allow: {ALLOW}\r\n")
            case _:
                raise RemoteProtocolError(405, "Method Not Allowed", (("Allow", ALLOW),))

    def ack_received(self, ack: Request, now: float) -> None:
        """The ACK of our 2xx; a repeated one is ignored."""
        if not self._unacknowledged:
            return
        self._unacknowledged = b""
        self.deadline = None
        if ack.body:
            self.exchange.remote_answer()
        if self.user is not None:
            self.user.acknowledged(ack.body, now)

    def cancel_received(self, cancel: Request, now: float) -> None:
        """The re-INVITE under way was cancelled."""
        self.refuse_offer(487, now)

    def ack_missing(self, now: float) -> None:
        """Our refusal was never acknowledged: nothing follows from it."""

    def response_received(self, response: Response, now: float) -> None:
        """A response to our re-INVITE."""
        if response.cseq[0] != self._reinvite_sequence or self.state is SessionState.ENDED:
            return
        status = response.status
        if status < 200:
            return
        self._reinvite_sequence = 0
        if status < 300:
            self.dialog.refresh(response)
            self._acknowledge(response.cseq[0])
            self.exchange.remote_answer()
            if self.user is not None:
                self.user.offer_answered(response.body, now)
            return
        self.exchange.withdraw()
        if status in {408, 481}:  # 12.2.1.2: the dialog is gone
            self._broken(Reason("SIP", status), now)
        elif self.user is not None:
            self.user.offer_refused(status, now)

    def no_response(self, reason: str, now: float) -> None:
        """Our re-INVITE got no answer at all: the dialog is gone (12.2.1.2)."""
        self.exchange.withdraw()
        self._broken(Reason("SIP", 408, reason), now)

    def fire(self, now: float) -> None:
        """Send the 2xx again, or give up on its ACK (13.3.1.4)."""
        if now >= self._stop_at:
            self.deadline = None
            self._unacknowledged = b""
            self._broken(NO_ACK, now)
            return
        self._core.stack.outbox.append((self.dialog.flow, self._unacknowledged))
        self._interval = min(2 * self._interval, T2)
        self.deadline = min(now + self._interval, self._stop_at)

    # Shared steps

    def _send(
        self,
        method: str,
        user: object,
        now: float,
        *,
        contact: str = "",
        headers: str = "",
        body: bytes = b"",
    ) -> int:
        dialog = self.dialog
        dialog.local_sequence += 1
        branch = self._core.stack.identifiers.branch()
        data = dialog.request(
            method, branch, dialog.local_sequence, contact=contact, headers=headers, body=body
        )
        self._core.stack.send_request(method, branch, data, dialog.flow, user, now)  # type: ignore[arg-type]
        return dialog.local_sequence

    def _acknowledge(self, sequence: int, body: bytes = b"") -> bytes:
        data = self.dialog.request("ACK", self._core.stack.identifiers.branch(), sequence, body=body)
        self._core.stack.send_ack(data, self.dialog.flow)
        return data

    def _accept(self, body: bytes, now: float, headers: str = "") -> None:
        """Answer the INVITE under way with 200, and send it again until its ACK comes."""
        invite, self._invite = self._invite, None
        assert invite is not None
        self._unacknowledged = self._core.stack.respond(
            invite,
            200,
            now,
            to_tag=self.dialog.local_tag,
            headers=f"Contact: <{self.contact}>\r\nAllow: {ALLOW}\r\n{headers}",
            body=body,
        )
        self._interval = T1
        self._stop_at = now + 64 * T1
        self.deadline = now + T1
        self._core.stack.timers.arm(self)

    def _reinvite_received(self, request: Request, transaction: InviteServer, now: float) -> None:
        if self._invite is not None or self._unacknowledged:
            raise RemoteProtocolError(500, "INVITE Pending", (("Retry-After", "2"),))  # 14.2
        if self.state is not SessionState.CONFIRMED or self.user is None:
            raise RemoteProtocolError(491, "Request Pending")
        if self._reinvite_sequence:
            raise RemoteProtocolError(491, "Request Pending")  # 14.2: ours is under way
        if request.body:
            self.exchange.remote_offer()
        else:
            self.exchange.local_offer()
        self.dialog.refresh(request)
        self._invite = transaction
        transaction.user = self
        self.user.offered(request.body, now)

    def _bye_received(self, reason: Reason, now: float) -> None:
        user = self.user
        invite = self._invite
        self._end()
        if invite is not None and invite.request is not None:
            self._core.stack.respond(invite, 487, now, to_tag=self.dialog.local_tag)  # 15.1.2
        if user is not None:
            user.ended(reason, now)
        else:
            self.release(now)

    def _broken(self, reason: Reason, now: float) -> None:
        """End from our side, and tell both."""
        if self.state is SessionState.ENDED:
            return
        user = self.user
        self.hang_up(now, reason)
        if user is not None:
            user.ended(reason, now)

    def _end(self) -> None:
        self.state = SessionState.ENDED
        self.user = None
        self.deadline = None
        self._unacknowledged = b""
        self._invite = None
        self._core.forget(self)


class _Ignored:
    """The user of a request whose response changes nothing (BYE, CANCEL)."""

    def response_received(self, response: Response, now: float) -> None:
        """Whatever it says."""

    def no_response(self, reason: str, now: float) -> None:
        """Nor that."""


IGNORED = _Ignored()


def contact_uri(flow: Flow) -> str:
    """Our own Contact on a flow."""
    transport = "" if flow.transport == "UDP" else f";transport={flow.transport.lower()}"
    return f"sip:{host_port(flow.local)}{transport}"
