"""The user agent core: which session a message belongs to (RFC 3261 sections 8, 12.2.2 and 13).

It stands between the transactions and an application (the PBX, a phone), which gets the requests that open
something new: INVITE, REGISTER and OPTIONS outside a dialog.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from sip.core.dialog import Dialog
from sip.core.errors import RemoteProtocolError
from sip.core.flow import Flow
from sip.core.identifiers import Identifiers
from sip.core.incoming_session import IncomingSession
from sip.core.inspection import inspect
from sip.core.message import Request
from sip.core.outgoing_session import Authorize, OutgoingSession
from sip.core.session import Session, SessionUser
from sip.core.stack import ServerTransaction, Stack
from sip.core.transactions.invite_server import InviteServer


class Application(Protocol):
    """Who gets the requests outside a dialog."""

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """Answer it now or later through `stack.respond` or a session.

        A RemoteProtocolError that it raises is the answer.
        """


class UserAgentCore:
    """Sessions by Call-ID and local tag."""

    def __init__(self, identifiers: Identifiers, application: Application) -> None:
        self.stack = Stack(self, identifiers)
        self.application = application
        self._sessions: dict[Hashable, Session] = {}

    # For applications

    def accept(self, request: Request, invite: InviteServer, user: SessionUser) -> IncomingSession:
        """Take an INVITE on; raises ParseError (answered 400) when it can't make a dialog."""
        return IncomingSession(self, request, invite, user)

    def invite(
        self,
        target: str,
        flow: Flow,
        user: SessionUser,
        now: float,
        *,
        local_address: str,
        remote_address: str,
        headers: str = "",
        body: bytes = b"",
        max_forwards: int = 70,
        authorize: Authorize | None = None,
        routes: tuple[str, ...] = (),
        contact: str = "",
    ) -> OutgoingSession:
        """Send an INVITE to the URI `target` over `flow`.

        local_address and remote_address are From and To values without tags; headers are lines with CRLF.
        contact: our URI where it isn't the flow's plain one.
        """
        identifiers = self.stack.identifiers
        dialog = Dialog(identifiers.token(), local_address, identifiers.token(), remote_address, "", flow)
        dialog.remote_target = target
        dialog.route_set = list(routes)
        return OutgoingSession(
            self,
            dialog,
            user,
            now,
            headers=headers,
            body=body,
            max_forwards=max_forwards,
            authorize=authorize,
            contact=contact,
        )

    # For sessions

    def remember(self, session: Session) -> None:
        """A session begins."""
        self._sessions[session.key] = session

    def forget(self, session: Session) -> None:
        """A session has ended."""
        self._sessions.pop(session.key, None)

    # From the transactions

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """A new request: to its session, or to the application."""
        tag = request.to.tag
        if not tag:
            inspect(request)
            self.application.request_received(request, transaction, now)
            return
        session = self._sessions.get((request.call_id, tag))
        if session is None or session.dialog.remote_tag != request.from_.tag:
            if request.method == "OPTIONS":
                self.application.request_received(request, transaction, now)
                return
            raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")  # 12.2.2
        session.request_received(request, transaction, now)

    def ack_received(self, ack: Request, now: float) -> None:
        """The ACK of a 2xx."""
        session = self._sessions.get((ack.call_id, ack.to.tag))
        if session is not None and session.dialog.remote_tag == ack.from_.tag:
            session.ack_received(ack, now)

    def inventory(self) -> dict[str, int]:
        """What is alive: all zero at rest."""
        return {**self.stack.inventory(), "sessions": len(self._sessions)}
