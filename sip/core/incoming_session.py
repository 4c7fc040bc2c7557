"""A session that an INVITE asks us for (RFC 3261 section 13.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sip.core.dialog import Dialog
from sip.core.errors import LocalProtocolError
from sip.core.inspection import ALLOW
from sip.core.message import Request
from sip.core.reason import Reason, parse_reasons
from sip.core.session import Session, SessionState, SessionUser
from sip.core.transactions.invite_server import InviteServer

if TYPE_CHECKING:
    from sip.core.ua_core import UserAgentCore

CANCELLED = Reason("SIP", 487, "Cancelled")


class IncomingSession(Session):
    """The callee's side. request is the INVITE; it is let go with the final response."""

    __slots__ = ()

    def __init__(
        self, core: UserAgentCore, request: Request, invite: InviteServer, user: SessionUser
    ) -> None:
        dialog = Dialog.of_request(request, core.stack.identifiers.token(), invite.flow)
        super().__init__(core, dialog, user)
        if request.body:
            self.exchange.remote_offer()
        self._invite = invite
        invite.user = self
        core.remember(self)

    def ring(self, now: float, status: int = 180, body: bytes = b"", headers: str = "") -> None:
        """Send a provisional response; with a body it is early media, and the body is the answer."""
        if self.state is not SessionState.BEGINNING or self._invite is None:
            raise LocalProtocolError(f"{status} in {self.state.name}")
        self._core.stack.respond(
            self._invite,
            status,
            now,
            to_tag=self.dialog.local_tag,
            headers=f"Contact: <{self.contact}>\r\n{headers}",
            body=body,
        )

    def answer(self, body: bytes, now: float, headers: str = "") -> None:
        """Accept with 200. body is the answer, or the offer where the INVITE had none."""
        request = self._invite.request if self._invite is not None else None
        if self.state is not SessionState.BEGINNING or request is None:
            raise LocalProtocolError(f"answer in {self.state.name}")
        if request.body:
            self.exchange.local_answer()
        elif body:
            self.exchange.local_offer()
        self.state = SessionState.CONFIRMED
        self._accept(body, now, headers)

    def refuse(self, status: int, now: float, *, reason: str = "", headers: str = "") -> None:
        """End with a final response from 300 on."""
        if self.state is not SessionState.BEGINNING or self._invite is None:
            raise LocalProtocolError(f"refuse in {self.state.name}")
        invite, self._invite = self._invite, None
        if status == 405:
            headers += f"Allow: {ALLOW}\r\n"
        self._core.stack.respond(
            invite, status, now, reason=reason, to_tag=self.dialog.local_tag, headers=headers
        )
        self._end(now)

    def cancel_received(self, cancel: Request, now: float) -> None:
        """The caller gave up (9.2), or took back a re-INVITE."""
        if self.state is not SessionState.BEGINNING:
            super().cancel_received(cancel, now)
            return
        user = self.user
        reasons = parse_reasons(cancel.headers.get("reason", []))
        self.refuse(487, now)
        if user is not None:
            user.cancelled(reasons[0] if reasons else CANCELLED, now)
