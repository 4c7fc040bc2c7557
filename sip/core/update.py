"""Our UPDATE: a change of the session outside INVITE, before the answer too (RFC 3311 section 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sip.core.dialog_request import DialogRequest
from sip.core.message import Response

if TYPE_CHECKING:
    from sip.core.dialog import Dialog
    from sip.core.session import Session


class Update:
    """One UPDATE, until its final response.

    body: our offer, empty where it only refreshes. dialog: where it was sent, one of several forks perhaps.
    again: sent once more with a longer session interval (RFC 4028 section 7.3).
    """

    __slots__ = ("_headers", "_session", "again", "body", "dialog")

    def __init__(self, session: Session, body: bytes, headers: str) -> None:
        self.body = body
        self.dialog: Dialog = session.dialog
        self.again = False
        self._session = session
        self._headers = headers

    def send(self, now: float) -> None:
        """Send it."""
        session = self._session
        DialogRequest(
            session.stack,
            self.dialog,
            "UPDATE",
            self,
            authorize=session.authorize,
            contact=session.contact,
            headers=f"{session.refresh_lines}{self._headers}",
            body=self.body,
        ).send(now)

    def response_received(self, response: Response, now: float) -> None:
        """A response; what comes after the session's end means nothing."""
        session = self._session
        if response.status < 200 or session.over or not session.turn_to(self.dialog):
            return
        if response.status < 300:
            session.update_accepted(self, response, now)
        elif response.status == 422 and not self.again and session.lengthen(response):
            self.again = True
            self.send(now)
        else:
            session.update_refused(self, response.status, response, now)

    def no_response(self, reason: str, now: float) -> None:
        """No answer at all counts as 408, a broken connection as 503, which the dialog outlives (8.1.3.1)."""
        if not self._session.over and self._session.turn_to(self.dialog):
            status = 503 if reason == "transport error" else 408
            self._session.update_refused(self, status, Response(status, reason, {}), now)
