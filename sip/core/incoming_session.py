"""A session that an INVITE asks us for (RFC 3261 section 13.3), with provisional responses that must arrive.

Where a description can stand (RFC 3262 section 5, RFC 6337 section 2):

  the INVITE has   reliable 18x   its PRACK          200                        ACK
  an offer         our answer     perhaps an offer   our answer if not in 18x
  none             our offer      their answer       our offer if not in 18x    their answer if not in PRACK
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sip.core.dialog import Dialog
from sip.core.dialog_request import Authorize
from sip.core.errors import LocalProtocolError, ParseError, RemoteProtocolError
from sip.core.flow import Flow
from sip.core.message import Request, Response
from sip.core.offer_answer import Turn
from sip.core.reason import Reason, parse_reasons
from sip.core.reliable import Provisional, ReliableProvisionals
from sip.core.session import NO_ALLOW, Session, SessionState, SessionUser, contact_uri
from sip.core.stack import ServerTransaction
from sip.core.transactions.invite_server import InviteServer
from sip.core.update import Update

if TYPE_CHECKING:
    from sip.core.ua_core import UserAgentCore

CANCELLED = Reason("SIP", 487, "Cancelled")
NO_PRACK = Reason("SIP", 504, "No PRACK")


class IncomingSession(Session):
    """The callee's side. The INVITE is let go with its final response."""

    __slots__ = ("_final", "_reliable")

    def __init__(
        self,
        core: UserAgentCore,
        request: Request,
        invite: InviteServer,
        user: SessionUser,
        *,
        authorize: Authorize | None = None,
        contact: str = "",
    ) -> None:
        self._reliable: ReliableProvisionals | None = None
        self._final: tuple[bytes, str] | None = None  # body and headers of a 2xx that waits
        dialog = Dialog.of_request(request, core.stack.identifiers.token(), invite.flow)
        super().__init__(core, dialog, user, placed=False, authorize=authorize)
        self._check_interval(request)
        if contact:
            self.contact = contact
        elif request.uri[:5].lower() == "sips:":
            self.contact = contact_uri(invite.flow, request.uri)
        self._allow = request.headers.get("allow", NO_ALLOW)
        if request.body:
            self.exchange.remote_offer()
        self._invite = invite
        invite.user = self
        invite.to_tag = dialog.local_tag
        core.remember(self)

    # From the owner

    def ring(
        self, now: float, status: int = 180, body: bytes = b"", headers: str = "", *, reliable: bool = False
    ) -> bool:
        """Send a provisional response; returns whether it is one that must arrive (RFC 3262).

        body: early media. Sent reliably it is the answer, or the offer where the INVITE had none, and further
        bodies are left out; sent unreliably it previews the answer in the 200. reliable: where the caller
        takes it, else it is sent as usual; a caller that requires 100rel gets nothing unreliable.
        Raises LocalProtocolError after the answer or the end.
        """
        invite = self._invite
        request = invite.request if invite is not None else None
        if self.state is not SessionState.BEGINNING or request is None or self._final is not None:
            raise LocalProtocolError(f"{status} in {self.state.name}")
        if (reliable or "require" in request.headers) and _takes_reliable(request, reliable):
            self._ring_reliably(Provisional(status, self._describe(request, body), headers), now)
            return True
        assert invite is not None
        self._core.stack.respond(
            invite,
            status,
            now,
            to_tag=self.dialog.local_tag,
            headers=f"{self.contact_line}{headers}",
            body=body,
        )
        return False

    def answer(self, body: bytes, now: float, headers: str = "") -> None:
        """Accept with 200. body is the answer, or the offer where the INVITE had none.

        It leaves at once, or after the PRACK of a description sent reliably and the answer to an offer under
        way (RFC 3262 section 3). Where `agreed` already, body is left out (13.2.1): another description is to
        be offered. Raises LocalProtocolError when it was answered before, or has ended.
        """
        if self.state is not SessionState.BEGINNING or self._invite is None or self._final is not None:
            raise LocalProtocolError(f"answer in {self.state.name}")
        if self._must_wait():
            self._final = (body, headers)
        else:
            self._answer_now(body, headers, now)

    def refuse(self, status: int, now: float, *, reason: str = "", headers: str = "") -> None:
        """End with a final response from 300 on."""
        if self.state is not SessionState.BEGINNING or self._invite is None:
            raise LocalProtocolError(f"refuse in {self.state.name}")
        invite, self._invite = self._invite, None
        if status == 405:
            headers += f"Allow: {self._core.allow}\r\n"
        self._core.stack.respond(
            invite, status, now, reason=reason, to_tag=self.dialog.local_tag, headers=headers
        )
        self._end(now)

    def accept_offer(self, body: bytes, now: float, headers: str = "") -> bool:
        """As `Session.accept_offer`; a 200 to the INVITE that waited for it follows."""
        accepted = super().accept_offer(body, now, headers)
        self._settled(now)
        return accepted

    def refuse_offer(self, status: int, now: float, reason: str = "", headers: str = "") -> None:
        """As `Session.refuse_offer`; a 200 to the INVITE that waited for it follows."""
        super().refuse_offer(status, now, reason, headers)
        self._settled(now)

    # From the core

    def cancel_received(self, cancel: Request, now: float) -> None:
        """The caller gave up (9.2), or took back a re-INVITE."""
        if self.state is not SessionState.BEGINNING:
            super().cancel_received(cancel, now)
            return
        reasons = parse_reasons(cancel.headers.get("reason", []))
        self._give_up(487, reasons[0] if reasons else CANCELLED, now)

    def update_accepted(self, update: Update, response: Response, now: float) -> None:
        """A 2xx to our UPDATE."""
        super().update_accepted(update, response, now)
        self._settled(now)

    def update_refused(self, update: Update, status: int, response: Response, now: float) -> None:
        """Our UPDATE failed."""
        super().update_refused(update, status, response, now)
        self._settled(now)

    # From the reliable provisional responses

    def respond_reliably(self, provisional: Provisional, number: int, now: float) -> tuple[Flow, bytes]:
        """Send one, with its number; returns what was sent where."""
        invite = self._invite
        assert invite is not None
        data = self._core.stack.respond(
            invite,
            provisional.status,
            now,
            to_tag=self.dialog.local_tag,
            headers=(
                f"{self.contact_line}{self._core.capabilities}"
                f"Require: 100rel\r\nRSeq: {number}\r\n{provisional.headers}"
            ),
            body=provisional.body,
        )
        return invite.flow, data

    def prack_missing(self, now: float) -> None:
        """The caller isn't there any more, or not as it says (RFC 3262 section 3: a 5xx)."""
        self._give_up(504, NO_PRACK, now)

    # Shared steps

    @property
    def _has_early_dialog(self) -> bool:
        return self._reliable is not None and self._reliable.acknowledged

    def _describe(self, request: Request, body: bytes) -> bytes:
        """The description that a reliable provisional response may have: the first one only."""
        match self.exchange.turn:
            case Turn.OFFERED_REMOTELY if body and self._offering is None:
                self.exchange.local_answer()
                self.local_sdp, self.remote_sdp = body, request.body
                return body
            case Turn.IDLE if body:
                self.exchange.local_offer()
                return body
            case _:
                return b""

    def _ring_reliably(self, provisional: Provisional, now: float) -> None:
        reliable = self._reliable
        if reliable is None:
            stack = self._core.stack
            assert self._invite is not None
            assert self._invite.request is not None
            sequence = self._invite.request.cseq[0]
            chance = int(stack.identifiers.token()[:7], 16)
            reliable = self._reliable = ReliableProvisionals(self, stack.outbox, sequence, chance)
        reliable.send(provisional, now)
        self._core.stack.timers.arm(reliable)

    def _prack_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        reliable = self._reliable
        if reliable is None:
            raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")  # RFC 3262 section 3
        self._core.inspect(request)
        provisional = reliable.acknowledge(request)
        body = request.body
        answer = b""
        if provisional.body and self.exchange.turn is Turn.OFFERED_LOCALLY and self._update is None:
            if body:
                self.exchange.remote_answer()
                self.local_sdp, self.remote_sdp = provisional.body, body
                answer = body
            else:
                self.exchange.withdraw()  # it didn't answer: the 200 will offer again
        elif body:
            self.exchange.remote_offer()
            self._offering = transaction
        if self._offering is not transaction:
            self._core.stack.respond(transaction, 200, now)
        user = self.user
        if user is not None and (answer or self._offering is transaction):
            self.heard = request
            if answer:
                user.acknowledged(answer, now)
            else:
                user.offered(body, now)
            self.heard = None
        self._settled(now)

    def _settled(self, now: float) -> None:
        """Something that others may wait for is over: the next provisional response, or the 2xx."""
        reliable = self._reliable
        if self.state is not SessionState.BEGINNING or reliable is None:
            return
        reliable.send_next(now)
        self._core.stack.timers.arm(reliable)
        if self._final is not None and not self._must_wait():
            (body, headers), self._final = self._final, None
            self._answer_now(body, headers, now)

    def _must_wait(self) -> bool:
        """RFC 3262 section 3: no 2xx before the PRACK of a description; nor while another offer waits."""
        reliable = self._reliable
        if reliable is None:
            return False
        return reliable.describes or self._offering is not None or self._update is not None

    def _answer_now(self, body: bytes, headers: str, now: float) -> None:
        request = self._invite.request if self._invite is not None else None
        assert request is not None
        match self.exchange.turn:
            case Turn.OFFERED_REMOTELY:
                self.exchange.local_answer()
                self.remote_sdp = request.body
            case Turn.IDLE if body:
                self.exchange.local_offer()
            case _:
                body = b""  # 13.2.1: the answer was sent before
        self.state = SessionState.CONFIRMED
        if self._reliable is not None:
            self._reliable.stop()
        self._accept(body, now, headers)

    def _give_up(self, status: int, reason: Reason, now: float) -> None:
        user = self.user
        self.refuse(status, now)
        if user is not None:
            user.cancelled(reason, now)

    def _end(self, now: float) -> None:
        self._final = None
        if self._reliable is not None:
            self._reliable.stop()
        super()._end(now)


class ReturningSession(IncomingSession):
    """A confirmed session that goes on in another dialog, which its peer has begun by an INVITE that replaces
    the one it had (RFC 3891): that INVITE is to it what a re-INVITE is, `accept_offer` and `refuse_offer`
    answer it. former: the session that it goes on with."""

    __slots__ = ()

    def __init__(
        self,
        core: UserAgentCore,
        request: Request,
        invite: InviteServer,
        user: SessionUser,
        former: Session,
    ) -> None:
        super().__init__(core, request, invite, user)
        self.state = SessionState.CONFIRMED
        self.local_sdp, self.remote_sdp = former.local_sdp, former.remote_sdp


def _takes_reliable(request: Request, wanted: bool) -> bool:
    """Whether a provisional response to this INVITE can, or must, be reliable (RFC 3262 section 3)."""
    if "100rel" in request.tokens("require"):
        return True
    try:
        return wanted and "100rel" in request.tokens("supported")
    except ParseError:  # whoever writes that supports nothing that we can tell
        return False
