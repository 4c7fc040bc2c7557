"""A session that we ask for with an INVITE (RFC 3261 section 13.2), forks included.

A provisional response that must arrive is acknowledged by PRACK (RFC 3262 section 4); a description in it is
the answer to our offer, or the offer where our INVITE had none, which PRACK then answers (section 5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sip.core.dialog import Dialog
from sip.core.dialog_request import CHALLENGES, Authorize, DialogRequest, credentials_for
from sip.core.early import EarlyDialog
from sip.core.errors import LocalProtocolError, ParseError, RemoteProtocolError
from sip.core.flow import Flow
from sip.core.grammar import parse_number
from sip.core.message import REASONS, Request, Response
from sip.core.multipart import Part, multipart
from sip.core.offer_answer import OfferAnswer, Turn
from sip.core.reason import Reason, parse_reasons
from sip.core.session import IGNORED, NO_ALLOW, Session, SessionState, SessionUser
from sip.core.session_timer import client_lines, least_seconds
from sip.core.stack import ServerTransaction
from sip.core.transactions.invite_client import InviteClient, InviteClientState

if TYPE_CHECKING:
    from sip.core.ua_core import UserAgentCore

MAX_FORKS = 16  # devices behind one INVITE that ring, and further ones that answered: these are hung up


class OutgoingSession(Session):
    """The caller's side.

    The first 2xx makes the dialog; a 2xx of another fork is acknowledged and hung up at once (13.2.2.4).
    Before it, `dialog` and `exchange` are those of the fork heard from last.
    """

    __slots__ = (
        "_ack",
        "_asking",
        "_attached",
        "_body",
        "_cancel_headers",
        "_client",
        "_credentials",
        "_current",
        "_first",
        "_forks",
        "_headers",
        "_invite_sequence",
        "_max_forwards",
        "_rang",
        "_ringing",
        "retry_after",
    )

    def __init__(
        self,
        core: UserAgentCore,
        dialog: Dialog,
        user: SessionUser,
        now: float,
        *,
        headers: str = "",
        body: bytes = b"",
        max_forwards: int = 70,
        authorize: Authorize | None = None,
        contact: str = "",
        attached: Part | None = None,
    ) -> None:
        super().__init__(core, dialog, user, placed=True, authorize=authorize)
        if contact:
            self.contact = contact
        self.retry_after = ""  # of the refusal, as received
        self._headers = core.invite_lines + headers
        self._body = body
        self._attached = attached
        self._max_forwards = max_forwards
        self._first = dialog  # without the tag of a fork
        self._invite_sequence = 0
        self._credentials = ""
        self._cancel_headers: str | None = None  # of the CANCEL that waits for a provisional response
        self._ack: tuple[Flow, bytes] | None = None
        self._forks: dict[str, tuple[Flow, bytes]] | None = None  # their ACKs, by tag
        self._rang: dict[str, Response] | None = None  # the last provisional response of each fork
        self._ringing: dict[str, EarlyDialog] | None = (
            None  # the forks that needed a dialog before the answer
        )
        self._current: EarlyDialog | None = None  # the one of `dialog` and `exchange`
        self._asking: EarlyDialog | None = None  # the one whose offer waits for our answer
        core.remember(self)
        if body:
            self.exchange.local_offer()
        self._client = self._send_invite(now)

    def _send_invite(self, now: float) -> InviteClient:
        dialog = self.dialog
        dialog.local_sequence += 1
        self._invite_sequence = dialog.local_sequence
        stack = self._core.stack
        branch = stack.identifiers.branch()
        body, content_type = self._body, "application/sdp"
        if self._attached is not None:
            parts = (Part(content_type, body), self._attached) if body else (self._attached,)
            content_type, body = multipart(parts, dialog.local_tag)
        data = dialog.request(
            "INVITE",
            branch,
            dialog.local_sequence,
            contact=self.contact,
            headers=self._headers + self._credentials,
            body=body,
            content_type=content_type,
            max_forwards=self._max_forwards,
        )
        client = stack.send_request("INVITE", branch, data, dialog.flow, self, now)
        assert isinstance(client, InviteClient)
        return client

    @property
    def fork(self) -> str:
        """The tag of the fork that speaks or answered; empty before any."""
        heard = self.heard
        if isinstance(heard, Response) and self.state is SessionState.BEGINNING:
            return heard.to.tag
        return self.dialog.remote_tag

    @property
    def ringing_tag(self) -> str:
        """The tag of the fork that rang first; empty before any (12.1.2: it has an early dialog)."""
        return next(iter(self._rang or ()), "")

    def cancel(self, now: float, reason: Reason | None = None, headers: str = "") -> None:
        """Give up before the answer (9.1): CANCEL leaves as soon as a provisional response has come.

        The owner hears nothing more; a 2xx that crosses the CANCEL is acknowledged and hung up.
        """
        if self.state is not SessionState.BEGINNING:
            raise LocalProtocolError(f"cancel in {self.state.name}")
        if self.user is None:
            return  # cancelled before
        self.user = None
        headers = f"{reason.header if reason is not None else ''}{headers}"
        if self._client.state is InviteClientState.PROCEEDING:
            self._core.stack.send_cancel(self._client, IGNORED, now, headers)
        else:
            self._cancel_headers = headers

    def acknowledge(self, body: bytes, now: float) -> None:
        """Send the ACK with our answer, after a 2xx that carried the offer.

        Raises LocalProtocolError when no such 2xx waits, or the session has ended.
        """
        if self.state is not SessionState.CONFIRMED or self._ack is not None:
            raise LocalProtocolError(f"acknowledge in {self.state.name}")
        self.exchange.local_answer()
        self.local_sdp = body
        self._ack = self.acknowledge_2xx(self._invite_sequence, body, self._credentials)

    def accept_offer(self, body: bytes, now: float, headers: str = "") -> bool:
        """As `Session.accept_offer`; an offer in a reliable provisional response is answered by PRACK."""
        asking, self._asking = self._asking, None
        if asking is None or self.state is not SessionState.BEGINNING:
            return super().accept_offer(body, now, headers)
        self._enter(asking)
        if asking.unanswered is None:
            return super().accept_offer(body, now, headers)
        (rack, offer), asking.unanswered = asking.unanswered, None
        self.exchange.local_answer()
        self.local_sdp, self.remote_sdp = body, offer
        self._prack(rack + headers, body, now)
        return True

    def refuse_offer(self, status: int, now: float, reason: str = "", headers: str = "") -> None:
        """As `Session.refuse_offer`. An offer in a reliable provisional response can't be refused (RFC 6337
        section 2): the call is given up, and the owner hears `failed` with this status."""
        asking, self._asking = self._asking, None
        if asking is None or self.state is not SessionState.BEGINNING:
            super().refuse_offer(status, now, reason, headers)
            return
        self._enter(asking)
        if asking.unanswered is None:
            super().refuse_offer(status, now, reason, headers)
            return
        (rack, _), asking.unanswered = asking.unanswered, None
        self.exchange.withdraw()
        self._prack(rack, b"", now)
        user = self.user
        cause = Reason("SIP", status, reason or REASONS.get(status, ""))
        self.cancel(now, cause)
        if user is not None:
            user.failed(status, cause, now)

    # From the core

    def has_fork(self, tag: str) -> bool:
        """Whether `tag` is a fork that rings; it becomes the one spoken with (12.1.2)."""
        if self.state is not SessionState.BEGINNING:
            return False
        early = (self._ringing or {}).get(tag)
        if early is None:
            response = (self._rang or {}).get(tag)
            if response is None:
                return False
            try:
                early = self._early_dialog(response)
            except ParseError:
                return False
        self._enter(early)
        return True

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """A request within the dialog; the callee has no BYE before its answer (15)."""
        if self.state is SessionState.BEGINNING and request.method == "BYE":
            raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
        super().request_received(request, transaction, now)

    def _update_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        super()._update_received(request, transaction, now)
        if self._offering is not None:
            self._asking = self._current  # whichever fork speaks meanwhile, the answer goes to this one

    def response_received(self, response: Response, now: float) -> None:
        """A response to the INVITE."""
        if response.status < 200:
            self._provisional(response, now)
        elif response.status < 300:
            self._success(response, now)
        elif self.state is SessionState.BEGINNING:
            self._failure(response, now)

    def no_response(self, reason: str, now: float) -> None:
        """No answer at all: 408, or 503 for a transport error (8.1.3.1)."""
        if self.state is SessionState.BEGINNING:
            status = 503 if reason == "transport error" else 408
            self._failed(status, Reason("SIP", status, reason), now)

    def _provisional(self, response: Response, now: float) -> None:
        if self._cancel_headers is not None:
            self._core.stack.send_cancel(self._client, IGNORED, now, self._cancel_headers)
            self._cancel_headers = None
        elif response.status > 100:
            if "rseq" in response.headers and "100rel" in response.tokens("require"):
                self._reliable_provisional(response, now)
                return
            rang = self._rang
            if rang is None:
                self._rang = {response.to.tag: response}
            elif len(rang) < MAX_FORKS or response.to.tag in rang:
                rang[response.to.tag] = response
            if self.user is not None:
                self.heard = response
                self.user.progressed(response.status, response.body, now)
                self.heard = None

    def _reliable_provisional(self, response: Response, now: float) -> None:
        """Acknowledge each new number in order (RFC 3262 section 4).

        A repeated one, or one that is too early, isn't looked at: PRACK is repeated by its own transaction.
        """
        number = parse_number(response.only("rseq"), "RSeq", (1 << 32) - 1)
        if not response.to.tag or len(self._ringing or ()) >= MAX_FORKS:
            return
        early = self._early_dialog(response)
        if number == 0 or (early.number and number != early.number + 1):
            return
        late_offer = bool(response.body) and early.exchange.turn is Turn.IDLE
        if late_offer and (self._asking is not None or self._offering is not None):
            return  # another fork's offer has no answer yet: this one will be repeated
        early.number = number
        self._enter(early)
        rack = f"RAck: {number} {response.cseq[0]} INVITE\r\n"
        body = response.body
        if late_offer and self.user is not None:
            self.exchange.remote_offer()
            early.unanswered = (rack, body)
            self._asking = early
            body = b""
        else:
            if body and self.exchange.remote_answer():
                self.local_sdp, self.remote_sdp = self._body, body
            self._prack(rack, b"", now)
        if self.user is not None:
            self.heard = response
            self.user.progressed(response.status, body, now)
            if late_offer and self.user is not None:
                self.user.offered(response.body, now)
            self.heard = None

    def _prack(self, rack: str, body: bytes, now: float) -> None:
        DialogRequest(
            self._core.stack, self.dialog, "PRACK", IGNORED, authorize=self.authorize, headers=rack, body=body
        ).send(now)

    def _early_dialog(self, response: Response) -> EarlyDialog:
        """The early dialog that a provisional response belongs to (12.1.2); raises ParseError where it can't
        make one."""
        tag = response.to.tag
        ringing = self._ringing
        if ringing is None:
            ringing = self._ringing = {}
        early = ringing.get(tag)
        if early is None:
            early = EarlyDialog(self._fork_of(tag), response, self._body)
            ringing[tag] = early
        return early

    def _fork_of(self, tag: str) -> Dialog:
        """A dialog of our INVITE with another remote party."""
        first = self._first
        dialog = Dialog(
            first.call_id, first.local_address, first.local_tag, first.remote_address, tag, first.flow
        )
        dialog.remote_target = first.remote_target
        dialog.local_sequence = self._invite_sequence
        return dialog

    @property
    def _has_early_dialog(self) -> bool:
        return self._current is not None

    def turn_to(self, dialog: Dialog) -> bool:
        """Speak with the fork of this dialog; False where it isn't in the call any more."""
        if dialog is self.dialog:
            return True
        early = (self._ringing or {}).get(dialog.remote_tag)
        if self.state is not SessionState.BEGINNING or early is None or early.dialog is not dialog:
            return False
        self._enter(early)
        return True

    def _enter(self, early: EarlyDialog) -> None:
        """Make this fork the one that `dialog`, `exchange` and the descriptions are of."""
        left = self._current
        if left is early:
            return
        if left is not None:
            left.local_sdp, left.remote_sdp, left.allow = self.local_sdp, self.remote_sdp, self._allow
        self._current = early
        self.dialog, self.exchange = early.dialog, early.exchange
        self.local_sdp, self.remote_sdp, self._allow = early.local_sdp, early.remote_sdp, early.allow

    def _leave_forks(self) -> None:
        """Back to the INVITE as it was before any fork rang."""
        self._current = None
        self.dialog = self._first
        self.exchange = OfferAnswer()
        if self._body:
            self.exchange.local_offer()
        self.local_sdp = self.remote_sdp = b""
        self._allow = NO_ALLOW

    def _choose_fork(self, tag: str, now: float) -> None:
        """The fork that answered is the dialog; what waits for or from another one is over (13.2.2.4)."""
        early = (self._ringing or {}).get(tag)
        if early is not None:
            self._enter(early)
        else:
            self._leave_forks()
        if self._update is not None and self._update.dialog is not self.dialog:
            self._update = None
        asking, self._asking = self._asking, None
        if asking is not None and asking is not early:
            offering, self._offering = self._offering, None
            if offering is not None and offering.request is not None:
                self._core.stack.respond(offering, 487, now)
            if self.user is not None:
                self.user.offer_withdrawn(now)

    def _success(self, response: Response, now: float) -> None:
        if self.state is SessionState.BEGINNING:
            self._confirm(response, now)
        elif response.to.tag == self.dialog.remote_tag:
            if self._ack is not None:
                self.acknowledge_again(self._ack)
        else:
            self._hang_up_fork(response, now)

    def _confirm(self, response: Response, now: float) -> None:
        tag = response.to.tag
        if self._ringing is not None:
            self._choose_fork(tag, now)
        try:
            self.dialog.confirm(response)
        except ParseError:  # it can't be acknowledged, and its sender would only repeat it
            self._failed(500, Reason("SIP", 500, "Malformed Answer"), now)
            return
        self.state = SessionState.CONFIRMED
        offer, self._body = self._body, b""
        self._headers = ""
        rang, self._rang = self._rang, None
        allow = response.headers.get("allow")
        if allow is not None:
            self._allow = allow
        user = self.user
        if user is None:  # it crossed our CANCEL
            self.hang_up(now)
            return
        if "session-expires" in response.headers:
            self._renew_timer(response, now)
        body = response.body
        turn = self.exchange.turn
        if turn is Turn.IDLE and body:
            self.exchange.remote_offer()
            self.remote_sdp = body
        else:
            if turn is Turn.OFFERED_LOCALLY and self._update is None:
                if not body and rang is not None and tag in rang:
                    body = rang[tag].body  # some phones send it in an unreliable 183 only
                self._take_answer(offer, body)
            elif turn is not Turn.IDLE:
                body = self.remote_sdp  # 13.2.1: the answer came before, reliably
            self._ack = self.acknowledge_2xx(self._invite_sequence, b"", self._credentials)
        self.heard = response
        user.answered(body, now)
        self.heard = None

    def _take_answer(self, offer: bytes, answer: bytes) -> None:
        if answer:
            self.exchange.remote_answer()
            self.local_sdp, self.remote_sdp = offer, answer
        else:
            self.exchange.withdraw()

    def _hang_up_fork(self, response: Response, now: float) -> None:
        """Another device behind the same INVITE answered too: acknowledge and end it (13.2.2.4)."""
        forks = self._forks = self._forks if self._forks is not None else {}
        tag = response.to.tag
        if tag in forks:
            self.acknowledge_again(forks[tag])
            return
        if len(forks) >= MAX_FORKS:
            return
        early = (self._ringing or {}).get(tag)
        dialog = early.dialog if early is not None else self._fork_of(tag)
        dialog.confirm(response)
        number = response.cseq[0]
        stack = self._core.stack
        ack = dialog.request("ACK", stack.identifiers.branch(), number, headers=self._credentials)
        forks[tag] = (dialog.flow, ack)
        self.acknowledge_again(forks[tag])
        branch = stack.identifiers.branch()
        bye = dialog.request("BYE", branch, dialog.local_sequence + 1)
        stack.send_request("BYE", branch, bye, dialog.flow, IGNORED, now)

    def _failure(self, response: Response, now: float) -> None:
        if self.user is not None and self._may_go_on(response):
            if self._current is not None:
                self._leave_forks()
            self._client = self._send_invite(now)  # 22.2, RFC 4028 section 7.3: same dialog, next CSeq
            return
        self.retry_after = response.get("retry-after")
        reasons = parse_reasons(response.headers.get("reason", []))
        phrase = response.reason or REASONS.get(response.status, "")
        cause = reasons[0] if reasons else Reason("SIP", response.status, phrase)
        self._failed(response.status, cause, now, response)

    def _may_go_on(self, response: Response) -> bool:
        """Whether the INVITE is to be sent again: with credentials, or with a longer session interval."""
        if response.status in CHALLENGES and not self._credentials:  # once: a second challenge is a refusal
            target = self._first.remote_target
            self._credentials = credentials_for(self.authorize, response, "INVITE", target)
            return bool(self._credentials)
        core = self._core
        if response.status != 422 or not core.session_seconds:
            return False
        try:
            seconds = least_seconds(response)
        except ParseError:
            return False
        asked = client_lines(core.session_seconds, core.min_session_seconds)
        if seconds <= core.session_seconds or asked not in self._headers:
            return False
        self._headers = self._headers.replace(asked, client_lines(seconds, seconds), 1)
        return True

    def _failed(self, status: int, reason: Reason, now: float, response: Response | None = None) -> None:
        user = self.user
        self._end(now)
        if user is not None:
            self.heard = response
            user.failed(status, reason, now)
            self.heard = None

    def _end(self, now: float) -> None:
        if self.state is SessionState.CONFIRMED and self._ack is None:
            # 13.2.2.4: every 2xx has its ACK, and before the BYE
            self._ack = self.acknowledge_2xx(self._invite_sequence, b"", self._credentials)
        super()._end(now)
        self._body = b""
        self._headers = ""
        self._cancel_headers = None
        self._rang = None
        self._asking = None
