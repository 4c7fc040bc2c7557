"""Our re-INVITE (RFC 3261 section 14.1), until nothing of it can come any more."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sip.core.dialog_request import CHALLENGES, credentials_for
from sip.core.errors import ParseError
from sip.core.flow import Flow
from sip.core.message import Response
from sip.core.transactions.invite_client import InviteClient

if TYPE_CHECKING:
    from sip.core.session import Session


class Reinvite:
    """One re-INVITE and its repetitions with credentials; each 2xx to it is acknowledged (13.2.2.4).

    body: our offer. refresh: it only refreshes the session (RFC 4028), and the owner isn't told of it.
    following: the owner's own offer and its headers, which waits until the refresh is over.
    """

    __slots__ = ("_ack", "_credentials", "_headers", "_session", "body", "client", "following", "refresh")

    def __init__(self, session: Session, body: bytes, headers: str, *, refresh: bool = False) -> None:
        self.body = body
        self.refresh = refresh
        self.following: tuple[bytes, str] | None = None
        self.client: InviteClient | None = None  # until its final response
        self._session = session
        self._headers = headers
        self._credentials = ""
        self._ack: tuple[Flow, bytes] | None = None

    def send(self, now: float) -> None:
        """Send it, with the credentials that it has."""
        session = self._session
        headers = f"{session.refresh_lines}{self._headers}{self._credentials}"
        client = session.send_within("INVITE", self, now, headers=headers, body=self.body)
        assert isinstance(client, InviteClient)
        self.client = client

    def response_received(self, response: Response, now: float) -> None:
        """A response to it; the session may have ended by then."""
        session = self._session
        if response.status < 200:
            if session.over:
                session.give_up(self.client, now)
            return
        self.client = None
        if response.status >= 300:
            self._refused(response, now)
        elif self._ack is not None:
            session.acknowledge_again(self._ack)
        else:
            with suppress(ParseError):  # an unusable Contact: the target that we know holds
                session.dialog.refresh(response)
            self._ack = session.acknowledge_2xx(response.cseq[0], b"", self._credentials)
            session.reinvite_accepted(self, response, now)

    def _refused(self, response: Response, now: float) -> None:
        session = self._session
        if not session.over:
            if response.status in CHALLENGES and not self._credentials:
                target = session.dialog.remote_target
                self._credentials = credentials_for(session.authorize, response, "INVITE", target)
                if self._credentials:
                    self.send(now)  # 22.2: the next CSeq
                    return
            if response.status == 422 and session.lengthen(response):
                self.send(now)
                return
        session.reinvite_refused(self, response.status, response, now)

    def no_response(self, reason: str, now: float) -> None:
        """No answer at all counts as 408, a broken connection as 503, which the dialog outlives (8.1.3.1)."""
        self.client = None
        status = 503 if reason == "transport error" else 408
        self._session.reinvite_refused(self, status, Response(status, reason, {}), now)
