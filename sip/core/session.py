"""The INVITE usage of a dialog once it is there: re-INVITE, BYE, and the 2xx that wait for their ACK.

`IncomingSession` and `OutgoingSession` say how a session begins. RFC 3261 sections 13 to 15; offers and
answers as RFC 3264 and RFC 6337. Bodies are opaque here.

               refused, cancelled, failed
       .---------------------------------------------.
       |                                             v
  BEGINNING -- answer, 2xx --> CONFIRMED -- BYE --> ENDED
                                   |                 ^
    hang_up while our 2xx waits    v                 | its ACK, or 64*T1 without it: send BYE
    for its ACK                  ENDING -------------'
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from sip.core.dialog import Dialog
from sip.core.errors import LocalProtocolError, ParseError, RemoteProtocolError
from sip.core.flow import Flow, host_port
from sip.core.inspection import ALLOW, inspect
from sip.core.message import Request, Response
from sip.core.offer_answer import OfferAnswer, Turn
from sip.core.reason import Reason, parse_reasons
from sip.core.stack import ClientTransaction, ServerTransaction
from sip.core.timers import T1, T2
from sip.core.transactions.invite_client import ClientUser, InviteClient
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
        """A re-INVITE: `accept_offer` or `refuse_offer` is expected. An empty body asks for our offer, whose
        answer `acknowledged` brings."""

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
    ENDING = auto()  # over for its owner; our BYE waits for the ACK of our 2xx
    ENDED = auto()


NORMAL_CLEARING = Reason("Q.850", 16, "Normal call clearing")
NO_ACK = Reason("SIP", 408, "No ACK")


class Session:
    """What incoming and outgoing sessions share from the answer on.

    user is None once the session has ended for it. deadline is the next retransmission of a 2xx.
    """

    __slots__ = (
        "_answer",
        "_answer_sequence",
        "_bye",
        "_core",
        "_farewell",
        "_interval",
        "_invite",
        "_reinvite",
        "_stop_at",
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
        self._bye: ServerTransaction | None = None  # theirs, until `release`
        self._farewell = ""  # the headers of our BYE, while it waits
        self._invite: InviteServer | None = None  # the INVITE or re-INVITE that waits for our answer
        self._reinvite: _Reinvite | None = None  # our own re-INVITE that waits for theirs
        self._answer: tuple[Flow, bytes] | None = None  # our 2xx that waits for its ACK
        self._answer_sequence = 0
        self._interval = T1
        self._stop_at = 0.0

    @property
    def key(self) -> Hashable:
        """Where the core finds it: Call-ID and local tag (12)."""
        return (self.dialog.call_id, self.dialog.local_tag)

    # From the owner

    def hang_up(self, now: float, reason: Reason | None = None) -> None:
        """End a confirmed session with BYE (15.1.1); the owner hears nothing more.

        The BYE waits while our 2xx has no ACK: section 15 forbids it to the callee before that, or before
        64*T1 have passed without one. Raises LocalProtocolError unless CONFIRMED.
        """
        if self.state is not SessionState.CONFIRMED:
            raise LocalProtocolError(f"hang_up in {self.state.name}")
        self._farewell = reason.header if reason is not None else ""
        if self._answer is None:
            self._part(now)
        else:
            self.state = SessionState.ENDING
            self.user = None

    def release(self, now: float) -> None:
        """Let the 200 to a BYE leave, if one waits."""
        bye, self._bye = self._bye, None
        if bye is not None and bye.request is not None:
            self._core.stack.respond(bye, 200, now)

    @property
    def may_offer(self) -> bool:
        """Whether `offer` is possible: no INVITE is under way in either direction (14.1)."""
        return (
            self.state is SessionState.CONFIRMED
            and self._invite is None
            and self._reinvite is None
            and self._answer is None
            and not self.exchange.pending
        )

    def offer(self, body: bytes, now: float) -> None:
        """Send a re-INVITE (14.1). Raises LocalProtocolError unless `may_offer`."""
        if not self.may_offer:
            raise LocalProtocolError("re-INVITE now would cross another")
        self.exchange.local_offer()
        self._reinvite = _Reinvite(self)
        client = self._send("INVITE", self._reinvite, now, contact=self.contact, body=body)
        assert isinstance(client, InviteClient)
        self._reinvite.client = client

    def accept_offer(self, body: bytes, now: float) -> bool:
        """Answer a re-INVITE with 200; body is our offer where the re-INVITE had none.

        Returns False, with nothing sent, where the re-INVITE was taken back or the session has ended.
        """
        invite = self._invite
        if self.state is not SessionState.CONFIRMED or invite is None or invite.request is None:
            return False
        if invite.request.body:
            self.exchange.local_answer()
        else:
            self.exchange.local_offer()
        self._accept(body, now)
        return True

    def refuse_offer(self, status: int, now: float, reason: str = "") -> None:
        """Refuse a re-INVITE; what was agreed before holds. Nothing happens where it was taken back."""
        if self.state is not SessionState.CONFIRMED:
            return
        invite, self._invite = self._invite, None
        if invite is not None:
            self.exchange.withdraw()
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
        """The ACK of our 2xx; a repeated one, or one for an older INVITE, is ignored."""
        if self._answer is None or ack.cseq[0] != self._answer_sequence:
            return
        self._answer = None
        self.deadline = None
        if ack.body:
            self.exchange.remote_answer()
        elif self.exchange.turn is Turn.OFFERED_LOCALLY:
            self.exchange.withdraw()  # 13.2.2.4 asks for an answer; without one nothing is agreed
        if self.state is SessionState.ENDING:
            self._part(now)
        elif self.user is not None:
            self.user.acknowledged(ack.body, now)

    def cancel_received(self, cancel: Request, now: float) -> None:
        """The re-INVITE under way was cancelled."""
        self.refuse_offer(487, now)

    def ack_missing(self, now: float) -> None:
        """Our refusal was never acknowledged: nothing follows from it."""

    def fire(self, now: float) -> None:
        """Send the 2xx again, or give up on its ACK (13.3.1.4)."""
        answer = self._answer
        assert answer is not None
        if now < self._stop_at:
            self._core.stack.outbox.append(answer)
            self._interval = min(2 * self._interval, T2)
            self.deadline = min(now + self._interval, self._stop_at)
            return
        self._answer = None
        if self.state is SessionState.ENDING:
            self._part(now)
        else:
            self._broken(NO_ACK, now)

    # From our re-INVITE

    def reinvite_accepted(self, response: Response, now: float) -> None:
        """The first 2xx to our re-INVITE; its ACK has left."""
        self._reinvite = None
        if response.body:
            self.exchange.remote_answer()
        else:
            self.exchange.withdraw()
        if self.user is not None:
            self.user.offer_answered(response.body, now)

    def reinvite_refused(self, status: int, reason: str, now: float) -> None:
        """Our re-INVITE failed; status is 408 where nothing came."""
        self._reinvite = None
        self.exchange.withdraw()
        if status in {408, 481}:  # 12.2.1.2: the dialog is gone
            self._broken(Reason("SIP", status, reason), now)
        elif self.user is not None:
            self.user.offer_refused(status, now)

    def acknowledge_2xx(self, sequence: int, body: bytes = b"", credentials: str = "") -> tuple[Flow, bytes]:
        """Send the ACK of a 2xx (13.2.2.4); returns it, for when the 2xx is repeated.

        sequence: the CSeq number of the INVITE; credentials: its Authorization line.
        """
        branch = self._core.stack.identifiers.branch()
        data = self.dialog.request("ACK", branch, sequence, headers=credentials, body=body)
        ack = (self.dialog.flow, data)
        self._core.stack.outbox.append(ack)
        return ack

    def acknowledge_again(self, ack: tuple[Flow, bytes]) -> None:
        """The 2xx came again: its ACK was lost (13.2.2.4)."""
        self._core.stack.outbox.append(ack)

    def give_up(self, client: InviteClient | None, now: float) -> None:
        """After the session's end a re-INVITE should get a 487 (15.1.2): wait 64*T1 for it, as in 9.1."""
        if client is not None:
            client.give_up(now)
            self._core.stack.timers.arm(client)

    # Shared steps

    def _send(
        self,
        method: str,
        user: ClientUser,
        now: float,
        *,
        contact: str = "",
        headers: str = "",
        body: bytes = b"",
    ) -> ClientTransaction:
        dialog = self.dialog
        dialog.local_sequence += 1
        branch = self._core.stack.identifiers.branch()
        data = dialog.request(
            method, branch, dialog.local_sequence, contact=contact, headers=headers, body=body
        )
        return self._core.stack.send_request(method, branch, data, dialog.flow, user, now)

    def _accept(self, body: bytes, now: float, headers: str = "") -> None:
        """Answer the INVITE under way with 200, and send it again until its ACK comes."""
        invite, self._invite = self._invite, None
        assert invite is not None
        assert invite.request is not None
        self._answer_sequence = invite.request.cseq[0]
        data = self._core.stack.respond(
            invite,
            200,
            now,
            to_tag=self.dialog.local_tag,
            headers=f"Contact: <{self.contact}>\r\nAllow: {ALLOW}\r\n{headers}",
            body=body,
        )
        self._answer = (invite.flow, data)  # 18.2.2: every copy goes where the first went
        self._interval = T1
        self._stop_at = now + 64 * T1
        self.deadline = now + T1
        self._core.stack.timers.arm(self)

    def _reinvite_received(self, request: Request, transaction: InviteServer, now: float) -> None:
        answering = self._invite is not None or self._answer is not None
        if answering or self.exchange.turn is Turn.OFFERED_REMOTELY:
            raise RemoteProtocolError(500, "INVITE Pending", (("Retry-After", "2"),))  # 14.2
        if self.state is not SessionState.CONFIRMED or self.user is None or self._reinvite is not None:
            raise RemoteProtocolError(491, "Request Pending")  # 14.2: ours is under way
        inspect(request)
        self.dialog.follow(request, transaction.flow)
        if request.body:
            self.exchange.remote_offer()
        self._invite = transaction
        transaction.user = self
        self.user.offered(request.body, now)

    def _bye_received(self, reason: Reason, now: float) -> None:
        user = self.user
        self._end(now)
        if user is not None:
            user.ended(reason, now)
        else:
            self.release(now)

    def _broken(self, reason: Reason, now: float) -> None:
        """End from our side, and tell both."""
        if self.state is not SessionState.CONFIRMED:
            return
        user = self.user
        self.hang_up(now, reason)
        if user is not None:
            user.ended(reason, now)

    def _part(self, now: float) -> None:
        """Send our BYE."""
        self._end(now)
        self._send("BYE", IGNORED, now, headers=self._farewell)

    def _end(self, now: float) -> None:
        """Let go of everything; an INVITE that waits for us gets its final response."""
        self.state = SessionState.ENDED
        self.user = None
        self.deadline = None
        self._answer = None
        self._core.forget(self)
        reinvite, self._reinvite = self._reinvite, None
        if reinvite is not None:
            self.give_up(reinvite.client, now)
        invite, self._invite = self._invite, None
        if invite is not None and invite.request is not None:
            self._core.stack.respond(invite, 487, now, to_tag=self.dialog.local_tag)  # 15.1.2


class _Reinvite:
    """Our re-INVITE, until no 2xx to it can come any more (Timer M): each is acknowledged (13.2.2.4)."""

    __slots__ = ("_ack", "_session", "client")

    def __init__(self, session: Session) -> None:
        self._session = session
        self.client: InviteClient | None = None  # until its final response
        self._ack: tuple[Flow, bytes] | None = None

    def response_received(self, response: Response, now: float) -> None:
        """A response to it; the session may have ended by then."""
        session = self._session
        if response.status < 200:
            if session.state is SessionState.ENDED:
                session.give_up(self.client, now)
            return
        self.client = None
        if response.status >= 300:
            session.reinvite_refused(response.status, response.reason, now)
        elif self._ack is not None:
            session.acknowledge_again(self._ack)
        else:
            with suppress(ParseError):  # an unusable Contact: the target that we know holds
                session.dialog.refresh(response)
            self._ack = session.acknowledge_2xx(response.cseq[0])
            session.reinvite_accepted(response, now)

    def no_response(self, reason: str, now: float) -> None:
        """No answer at all counts as 408 (8.1.3.1)."""
        self.client = None
        self._session.reinvite_refused(408, reason, now)


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
