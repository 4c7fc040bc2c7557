"""A session that we ask for with an INVITE (RFC 3261 section 13.2), forks included."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sip.core.dialog import Dialog
from sip.core.errors import LocalProtocolError, ParseError
from sip.core.flow import Flow
from sip.core.inspection import ALLOW
from sip.core.message import REASONS, Response
from sip.core.reason import Reason, parse_reasons
from sip.core.session import IGNORED, Session, SessionState, SessionUser
from sip.core.transactions.invite_client import InviteClient, InviteClientState

if TYPE_CHECKING:
    from sip.core.ua_core import UserAgentCore

MAX_FORKS = 16  # further devices that answered the same INVITE, acknowledged and hung up

# Given a 401 or 407 and the method and URI challenged: the Authorization header line, or "" to give up.
Authorize = Callable[[Response, str, str], str]


class OutgoingSession(Session):
    """The caller's side.

    The first 2xx makes the dialog; a 2xx of another fork is acknowledged and hung up at once (13.2.2.4).
    """

    __slots__ = (
        "_ack",
        "_authorize",
        "_body",
        "_cancel_headers",
        "_client",
        "_credentials",
        "_forks",
        "_headers",
        "_max_forwards",
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
    ) -> None:
        super().__init__(core, dialog, user)
        if contact:
            self.contact = contact
        self.retry_after = ""  # of the refusal, as received
        self._headers = f"Allow: {ALLOW}\r\n{headers}"
        self._body = body
        self._max_forwards = max_forwards
        self._authorize = authorize
        self._cancel_headers: str | None = None  # of the CANCEL that waits for a provisional response
        self._ack: tuple[Flow, bytes] | None = None
        self._forks: dict[str, tuple[Flow, bytes]] | None = None  # their ACKs, by tag
        core.remember(self)
        if body:
            self.exchange.local_offer()
        self._client = self._invite_again("", now)

    def _invite_again(self, credentials: str, now: float) -> InviteClient:
        self._credentials = credentials  # 13.2.2.4: the ACK has those of the INVITE
        dialog = self.dialog
        dialog.local_sequence += 1
        stack = self._core.stack
        branch = stack.identifiers.branch()
        data = dialog.request(
            "INVITE",
            branch,
            dialog.local_sequence,
            contact=self.contact,
            headers=self._headers + credentials,
            body=self._body,
            max_forwards=self._max_forwards,
        )
        client = stack.send_request("INVITE", branch, data, dialog.flow, self, now)
        assert isinstance(client, InviteClient)
        return client

    def cancel(self, now: float, reason: Reason | None = None) -> None:
        """Give up before the answer (9.1): CANCEL leaves as soon as a provisional response has come.

        The owner hears nothing more; a 2xx that crosses the CANCEL is acknowledged and hung up.
        """
        if self.state is not SessionState.BEGINNING:
            raise LocalProtocolError(f"cancel in {self.state.name}")
        if self.user is None:
            return  # cancelled before
        self.user = None
        headers = reason.header if reason is not None else ""
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
        self._ack = self.acknowledge_2xx(self.dialog.local_sequence, body, self._credentials)

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
        elif self.user is not None and response.status > 100:
            if response.body:
                self.exchange.remote_answer()
            self.user.progressed(response.status, response.body, now)

    def _success(self, response: Response, now: float) -> None:
        if self.state is SessionState.BEGINNING:
            self._confirm(response, now)
        elif response.to.tag == self.dialog.remote_tag:
            if self._ack is not None:
                self.acknowledge_again(self._ack)
        else:
            self._hang_up_fork(response, now)

    def _confirm(self, response: Response, now: float) -> None:
        try:
            self.dialog.confirm(response)
        except ParseError:  # it can't be acknowledged, and its sender would only repeat it
            self._failed(500, Reason("SIP", 500, "Malformed Answer"), now)
            return
        self.state = SessionState.CONFIRMED
        late_offer = not self._body
        self._body = b""
        self._headers = ""
        user = self.user
        if user is None:  # it crossed our CANCEL
            self.hang_up(now)
            return
        if late_offer and response.body:
            self.exchange.remote_offer()
        else:
            if response.body:
                self.exchange.remote_answer()
            else:
                self.exchange.withdraw()
            self._ack = self.acknowledge_2xx(self.dialog.local_sequence, b"", self._credentials)
        user.answered(response.body, now)

    def _hang_up_fork(self, response: Response, now: float) -> None:
        """Another device behind the same INVITE answered too: acknowledge and end it (13.2.2.4)."""
        forks = self._forks = self._forks if self._forks is not None else {}
        tag = response.to.tag
        if tag in forks:
            self.acknowledge_again(forks[tag])
            return
        if len(forks) >= MAX_FORKS:
            return
        ours = self.dialog
        dialog = Dialog(ours.call_id, ours.local_address, ours.local_tag, ours.remote_address, tag, ours.flow)
        dialog.remote_target = ours.remote_target
        dialog.confirm(response)
        number = response.cseq[0]
        stack = self._core.stack
        ack = dialog.request("ACK", stack.identifiers.branch(), number, headers=self._credentials)
        forks[tag] = (dialog.flow, ack)
        self.acknowledge_again(forks[tag])
        branch = stack.identifiers.branch()
        bye = dialog.request("BYE", branch, number + 1)
        stack.send_request("BYE", branch, bye, dialog.flow, IGNORED, now)

    def _failure(self, response: Response, now: float) -> None:
        if response.status in {401, 407} and self._authorize is not None and self.user is not None:
            authorize, self._authorize = self._authorize, None  # once: a second challenge is a refusal
            try:
                credentials = authorize(response, "INVITE", self.dialog.remote_target)
            except ParseError:
                credentials = ""
            if credentials:
                self._client = self._invite_again(credentials, now)  # 22.2: same dialog, next CSeq
                return
        self.retry_after = response.get("retry-after")
        reasons = parse_reasons(response.headers.get("reason", []))
        phrase = response.reason or REASONS.get(response.status, "")
        self._failed(response.status, reasons[0] if reasons else Reason("SIP", response.status, phrase), now)

    def _failed(self, status: int, reason: Reason, now: float) -> None:
        user = self.user
        self._end(now)
        if user is not None:
            user.failed(status, reason, now)

    def _end(self, now: float) -> None:
        if self.state is SessionState.CONFIRMED and self._ack is None:
            # 13.2.2.4: every 2xx has its ACK, and before the BYE
            self._ack = self.acknowledge_2xx(self.dialog.local_sequence, b"", self._credentials)
        super()._end(now)
        self._body = b""
        self._headers = ""
        self._cancel_headers = None
        self._authorize = None
