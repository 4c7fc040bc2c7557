"""The user agent core: which session a message belongs to (RFC 3261 sections 8, 12.2.2 and 13).

It stands between the transactions and an application (the PBX, a phone), which gets the requests that open
something new: INVITE, REGISTER and OPTIONS outside a dialog.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Protocol

from sip.core.dialog import Dialog
from sip.core.dialog_request import Authorize
from sip.core.errors import LocalProtocolError, RemoteProtocolError
from sip.core.flow import Flow
from sip.core.identifiers import Identifiers
from sip.core.incoming_session import IncomingSession, ReturningSession
from sip.core.inspection import ALLOWED, SUPPORTED, inspect
from sip.core.message import Request
from sip.core.multipart import Part
from sip.core.outgoing_session import OutgoingSession
from sip.core.session import Session, SessionUser
from sip.core.session_timer import MIN_SECONDS, SESSION_SECONDS, client_lines
from sip.core.snapshot import SessionSnapshot
from sip.core.stack import ServerTransaction, Stack
from sip.core.transactions.invite_server import InviteServer


class Application(Protocol):
    """Who gets the requests outside a dialog."""

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """Answer it now or later through `stack.respond` or a session.

        A RemoteProtocolError that it raises is the answer.
        """


class DialogUsage(Protocol):
    """What else than a session may live in a dialog of its own: a subscription (RFC 6665 section 4.5)."""

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """A request to our tag; the remote tag is the usage's to check. A RemoteProtocolError is answered."""


def _nothing_to_tell(session: Session) -> None:
    pass


class UserAgentCore:
    """Sessions by Call-ID and local tag.

    methods: what the application serves, outside dialogs or within, with what the core does itself.
    extensions: option tags that it understands in an INVITE and within dialogs. Both are told to every peer.
    session_seconds: the interval that our INVITEs ask for (RFC 4028), 0 to ask for none;
    min_session_seconds: the shortest that we take.
    """

    def __init__(
        self,
        identifiers: Identifiers,
        application: Application,
        *,
        methods: tuple[str, ...] = ALLOWED,
        extensions: tuple[str, ...] = SUPPORTED,
        session_seconds: int = SESSION_SECONDS,
        min_session_seconds: int = MIN_SECONDS,
    ) -> None:
        self.stack = Stack(self, identifiers)
        self.application = application
        self.methods = methods
        self.extensions = frozenset(extensions)
        self.allow = ", ".join(methods)
        self.capabilities = f"Allow: {self.allow}\r\nSupported: {', '.join(extensions)}\r\n"
        self.min_session_seconds = max(MIN_SECONDS, min_session_seconds)
        self.session_seconds = max(session_seconds, self.min_session_seconds) if session_seconds else 0
        self.invite_lines = self.capabilities
        if session_seconds:
            self.invite_lines += client_lines(self.session_seconds, self.min_session_seconds)
        # Told when a session's snapshot changes after it was confirmed, before the answer leaves.
        self.session_changed: Callable[[Session], None] = _nothing_to_tell
        self._sessions: dict[Hashable, Session] = {}
        self._usages: dict[Hashable, DialogUsage] = {}

    # For applications

    def accept(
        self,
        request: Request,
        invite: InviteServer,
        user: SessionUser,
        *,
        authorize: Authorize | None = None,
        contact: str = "",
    ) -> IncomingSession:
        """Take an INVITE on.

        authorize: answers challenges to our requests within the dialog. contact: as in `invite`.
        Raises ParseError (answered 400) when it can't make a dialog, RemoteProtocolError 422 when its session
        interval is too short (RFC 4028 section 9).
        """
        return IncomingSession(self, request, invite, user, authorize=authorize, contact=contact)

    def accept_again(
        self, request: Request, invite: InviteServer, user: SessionUser, former: Session
    ) -> ReturningSession:
        """Take on an INVITE by which a peer goes on with a confirmed session (RFC 3891).

        Raises as `accept`.
        """
        return ReturningSession(self, request, invite, user, former)

    def restore(
        self,
        snapshot: SessionSnapshot,
        flow: Flow,
        user: SessionUser,
        now: float,
        *,
        authorize: Authorize | None = None,
    ) -> Session:
        """Go on with a confirmed session of a process that is gone. flow: to where the snapshot says.

        Raises LocalProtocolError where its dialog is known already.
        """
        dialog = Dialog(
            snapshot.call_id,
            snapshot.local_address,
            snapshot.local_tag,
            snapshot.remote_address,
            snapshot.remote_tag,
            flow,
        )
        dialog.remote_target = snapshot.remote_target
        dialog.route_set = list(snapshot.route_set)
        dialog.remote_sequence = snapshot.remote_sequence
        session = Session(self, dialog, user, placed=snapshot.placed, authorize=authorize)
        if session.key in self._sessions:
            raise LocalProtocolError(f"the dialog {snapshot.call_id} is there already")
        session.resume(snapshot, now)
        self.remember(session)
        return session

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
        attached: Part | None = None,
    ) -> OutgoingSession:
        """Send an INVITE to the URI `target` over `flow`.

        local_address and remote_address are From and To values without tags; headers are lines with CRLF.
        contact: our URI where it isn't the flow's plain one. attached: what goes with the offer in one body.
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
            attached=attached,
        )

    # For sessions

    def inspect(self, request: Request) -> None:
        """Refuse what this user agent doesn't serve (8.2); raises RemoteProtocolError."""
        inspect(request, self.extensions, self.methods)

    def remember(self, session: Session) -> None:
        """A session begins."""
        self._sessions[session.key] = session

    def forget(self, session: Session) -> None:
        """A session has ended."""
        self._sessions.pop(session.key, None)

    # For subscriptions

    def serve(self, dialog: Dialog, usage: DialogUsage) -> None:
        """A usage begins: it gets what is sent to the dialog's local tag."""
        self._usages[(dialog.call_id, dialog.local_tag)] = usage

    def stop_serving(self, dialog: Dialog) -> None:
        """The usage has ended."""
        self._usages.pop((dialog.call_id, dialog.local_tag), None)

    # From the transactions

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """A new request: to its session, or to the application."""
        tag = request.to.tag
        if not tag:
            self.inspect(request)
            self.application.request_received(request, transaction, now)
            return
        session = self._sessions.get((request.call_id, tag))
        if session is None or (
            session.dialog.remote_tag != request.from_.tag and not session.has_fork(request.from_.tag)
        ):
            usage = self._usages.get((request.call_id, tag))
            if usage is not None:
                usage.request_received(request, transaction, now)
                return
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
        return {**self.stack.inventory(), "sessions": len(self._sessions), "usages": len(self._usages)}
