"""Requests of ours within a dialog, and the credentials that a challenge asks of them.

RFC 3261 sections 12.2.1 and 22: a request that is challenged is sent once more, with the next CSeq number and
the credentials that the dialog's owner has for it. ACK and CANCEL can't be challenged (22.1); INVITE and
re-INVITE are sent by their own modules, which keep the credentials for the ACK.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sip.core.digest import says_stale
from sip.core.errors import ParseError
from sip.core.message import Response
from sip.core.transactions.invite_client import ClientUser

if TYPE_CHECKING:
    from sip.core.dialog import Dialog
    from sip.core.stack import ClientTransaction, Stack

# Given a 401 or 407 and the method and URI challenged: the Authorization header line, or "" to give up.
Authorize = Callable[[Response, str, str], str]

CHALLENGES = frozenset({401, 407})


class DialogRequest:
    """One request of any method but INVITE, ACK and CANCEL, from first sending to the response that counts.

    Its user hears every response but the challenge that was answered. A second challenge is a refusal, unless
    it says that only our nonce was too old (RFC 7616 section 3.3), as a server does that was started again
    between the two. That is believed once.
    """

    __slots__ = (
        "_answered",
        "_authorize",
        "_body",
        "_contact",
        "_content_type",
        "_dialog",
        "_headers",
        "_stack",
        "_user",
        "method",
    )

    def __init__(
        self,
        stack: Stack,
        dialog: Dialog,
        method: str,
        user: ClientUser,
        *,
        authorize: Authorize | None = None,
        contact: str = "",
        headers: str = "",
        body: bytes = b"",
        content_type: str = "application/sdp",
    ) -> None:
        self.method = method
        self._stack = stack
        self._dialog = dialog
        self._user = user
        self._answered = 0  # challenges
        self._authorize = authorize
        self._contact = contact
        self._headers = headers
        self._body = body
        self._content_type = content_type

    def send(self, now: float, credentials: str = "") -> ClientTransaction:
        """Send it with the dialog's next CSeq number; returns its transaction."""
        dialog = self._dialog
        dialog.local_sequence += 1
        branch = self._stack.identifiers.branch()
        data = dialog.request(
            self.method,
            branch,
            dialog.local_sequence,
            contact=self._contact,
            headers=self._headers + credentials,
            body=self._body,
            content_type=self._content_type,
        )
        return self._stack.send_request(self.method, branch, data, dialog.flow, self, now)

    def response_received(self, response: Response, now: float) -> None:
        """A response: a challenge is answered where that can be done, all else is the user's."""
        if response.status in CHALLENGES and (
            self._answered == 0 or (self._answered == 1 and says_stale(response))
        ):
            self._answered += 1
            target = self._dialog.remote_target
            credentials = credentials_for(self._authorize, response, self.method, target)
            if credentials:
                self.send(now, credentials)
                return
        self._user.response_received(response, now)

    def no_response(self, reason: str, now: float) -> None:
        """Timer F or a transport error."""
        self._user.no_response(reason, now)


def credentials_for(authorize: Authorize | None, challenge: Response, method: str, uri: str) -> str:
    """The header line that answers a challenge (22.2, 22.3); empty where nobody can."""
    if authorize is None:
        return ""
    try:
        return authorize(challenge, method, uri)
    except ParseError:
        return ""
