"""The transaction layer: bytes in, requests and responses to the transaction user, bytes out.

RFC 3261 sections 17 and 18, sans-IO: `receive` and `fire` take the time, what is to be sent lies in `outbox`
as `(flow, bytes)` until the shell takes it, `next_deadline` says when `fire` is wanted. Nothing that a remote
party sends makes these raise: it gets an answer or is dropped, and a count.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from sip.core.errors import LocalProtocolError, ParseError, RemoteProtocolError
from sip.core.flow import Flow
from sip.core.grammar import MAGIC_COOKIE
from sip.core.identifiers import Identifiers
from sip.core.inspection import KNOWN
from sip.core.message import Request, Response, build_response
from sip.core.parser import parse_message
from sip.core.timers import TimerHeap
from sip.core.transactions.invite_client import ClientUser, InviteClient, InviteClientState, cancel_of
from sip.core.transactions.invite_server import InviteServer, InviteServerState
from sip.core.transactions.non_invite_client import NonInviteClient
from sip.core.transactions.non_invite_server import NonInviteServer
from sip.core.transactions.outbox import Key, Outbox
from sip.core.via import branch_of

log = logging.getLogger(__name__)

ServerTransaction = InviteServer | NonInviteServer
ClientTransaction = InviteClient | NonInviteClient
_CLIENTS = (InviteClient, NonInviteClient)
_MACHINES = (InviteServer, NonInviteServer, *_CLIENTS)
MAX_TRANSACTIONS = 1_000_000
LARGEST_DATAGRAM_BYTES = 1300  # 18.1.1, where the path's MTU isn't known


class TransactionUser(Protocol):
    """The core above the transactions (RFC 3261 section 5)."""

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """A new request other than ACK and CANCEL. A RemoteProtocolError that it raises is answered."""

    def ack_received(self, ack: Request, now: float) -> None:
        """The ACK of a 2xx."""


def _nobody_to_tell(flow: Flow, error: RemoteProtocolError, now: float) -> None:
    pass


class Stack:
    """All transactions of one node, over any number of flows.

    on_refusal: told of each message that is malformed or refused, with where it came from and why.
    """

    def __init__(self, user: TransactionUser, identifiers: Identifiers) -> None:
        self.user = user
        self.identifiers = identifiers
        self.outbox: Outbox = []
        self.timers = TimerHeap()
        self.counts: Counter[str] = Counter()
        self.on_refusal: Callable[[Flow, RemoteProtocolError, float], None] = _nobody_to_tell
        self._tag_key = identifiers.token().encode()
        self._servers: dict[Key, ServerTransaction] = {}
        self._clients: dict[Key, ClientTransaction] = {}
        self._as_datagram: dict[Key, tuple[Flow, bytes]] = {}  # large requests that went over a connection
        self._merged: dict[Key, Key] = {}  # 8.2.2.2: (Call-ID, From tag, CSeq) of the INVITEs being served

    # Receiving

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """One whole message that came over `flow`."""
        try:
            message = parse_message(data)
            if isinstance(message, Request):
                self._receive_request(message, flow, now)
            else:
                self._receive_response(message, now)
        except RemoteProtocolError as error:
            self.counts["malformed"] += 1
            log.info("malformed message from %s: %s", flow, error)
            self.on_refusal(flow, error, now)
            if isinstance(error, ParseError) and error.request is not None and error.request.method != "ACK":
                self._refuse(error.request, flow, error)

    def _receive_request(self, request: Request, flow: Flow, now: float) -> None:
        key = _server_key(request)
        request.flow = flow
        transaction = self._servers.get(key)
        if request.method == "ACK":
            self._receive_ack(request, transaction, now)
            return
        _stamp(request, flow)
        reply_flow = _reply_flow(request, flow)
        if request.method == "CANCEL":
            self._receive_cancel(request, key, transaction, reply_flow, now)
        elif transaction is not None:
            self.counts["retransmission"] += 1
            transaction.receive_again()
        else:
            self._serve(request, key, reply_flow, now)

    def _serve(self, request: Request, key: Key, flow: Flow, now: float) -> None:
        """Start the server transaction of a new request and hand it to the user."""
        method = request.method
        if (request.via.branch, method) in self._clients:
            raise _unserved(request, 482, "Loop Detected")  # our own request came back (RFC 5393 section 4.2)
        if len(self._servers) >= MAX_TRANSACTIONS:
            raise _unserved(request, 503, "Service Unavailable")
        transaction: ServerTransaction
        if method == "INVITE":
            merged: Key | None = None
            if not request.to.tag:
                merged = (request.call_id, request.from_.tag, request.cseq[0])
                if self._merged.setdefault(merged, key) != key:
                    raise _unserved(request, 482, "Merged Request")  # 8.2.2.2
            transaction = InviteServer(key, request, flow, self.outbox, now)
            transaction.merged = merged
        else:
            transaction = NonInviteServer(key, request, flow, self.outbox)
        self._servers[key] = transaction
        try:
            try:
                self.user.request_received(request, transaction, now)
            except RemoteProtocolError as error:
                self._refuse_served(request, transaction, error, now)
        except Exception:
            # A defect of ours is the owner's to log; a request that nobody answers would be kept for ever.
            if transaction.request is not None:
                self.answer_stranger(transaction, 500)
            raise
        finally:
            self.timers.arm(transaction)

    def _refuse_served(
        self, request: Request, transaction: ServerTransaction, error: RemoteProtocolError, now: float
    ) -> None:
        """Answer a request with what its user raised."""
        self.counts["refused"] += 1
        log.info("%s from %s refused: %s", request.method, request.flow, error)
        if request.flow is not None:
            self.on_refusal(request.flow, error, now)
        if transaction.request is None:
            return  # it has its final response already
        reason = "" if isinstance(error, ParseError) else error.reason
        lines = "".join(f"{name}: {value}\r\n" for name, value in error.headers)
        if request.to.tag or "authorization" in request.headers:
            self.respond(transaction, error.status, now, reason=reason, headers=lines)
        else:
            self.answer_stranger(transaction, error.status, reason=reason, headers=lines)

    def _receive_ack(self, request: Request, transaction: ServerTransaction | None, now: float) -> None:
        if isinstance(transaction, InviteServer) and transaction.state is not InviteServerState.ACCEPTED:
            transaction.receive_ack(now)
            self.timers.arm(transaction)
        else:
            self.user.ack_received(request, now)

    def _receive_cancel(
        self, cancel: Request, key: Key, invite: ServerTransaction | None, flow: Flow, now: float
    ) -> None:
        own_key = (*key[:-1], "CANCEL")
        again = self._servers.get(own_key)
        if isinstance(again, NonInviteServer):
            again.receive_again()
            return
        transaction = NonInviteServer(own_key, cancel, flow, self.outbox)
        self._servers[own_key] = transaction
        if not isinstance(invite, InviteServer):
            self.respond(transaction, 481, now)
            return
        to_tag = invite.to_tag or self.identifiers.token()  # 9.2: the same as in the INVITE's responses
        self.respond(transaction, 200, now, to_tag=to_tag)
        if invite.state is InviteServerState.PROCEEDING:  # 9.2: no effect after a final response
            if invite.user is not None:
                invite.user.cancel_received(cancel, now)
            else:
                self.respond(invite, 487, now, to_tag=to_tag)

    def _receive_response(self, response: Response, now: float) -> None:
        via = response.first("via")
        transaction = self._clients.get((branch_of(via), response.cseq[1]))
        if transaction is None or len(response.headers["via"]) != 1 or "," in via:
            # 18.1.2; a second Via says that we aren't its last hop (8.1.3.3)
            self.counts["stray response"] += 1
            return
        _ = response.to, response.from_, response.call_id  # before the machine moves: a good one may follow
        user = transaction.user
        passes = transaction.receive(response, now)
        self.timers.arm(transaction)
        if passes and user is not None:
            try:
                user.response_received(response, now)
            except RemoteProtocolError as error:
                self.counts["malformed"] += 1
                log.info("malformed response from %s: %s", transaction.flow, error)

    def _refuse(self, request: Request, flow: Flow, error: ParseError) -> None:
        """Answer a request without a transaction, with what could be read of it (torture test insuf)."""
        if "via" not in request.headers:
            return
        try:
            _stamp(request, flow)
            reply_flow = _reply_flow(request, flow)
        except ParseError:
            reply_flow = flow  # badinv01, badvers: the Via is unreadable, but we know where it came from
        to_tag = self.identifiers.token()
        self.outbox.append((reply_flow, build_response(request, error.status, to_tag=to_tag)))

    # Sending

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        *,
        reason: str = "",
        to_tag: str = "",
        headers: str = "",
        body: bytes = b"",
    ) -> bytes:
        """Answer a request; returns the bytes sent, which the user of a 2xx to INVITE retransmits.

        to_tag: made here for a final response where the caller has none. headers: lines ending in CRLF.
        Raises LocalProtocolError after a final response.
        """
        request = transaction.request
        if request is None:
            raise LocalProtocolError("the request was answered before")
        tag = to_tag or ("" if status == 100 else self.identifiers.token())
        data = build_response(request, status, reason, to_tag=tag, headers=headers, body=body)
        transaction.respond(status, data, now)
        self.timers.arm(transaction)
        return data

    def answer_stranger(
        self, transaction: ServerTransaction, status: int, *, reason: str = "", headers: str = ""
    ) -> None:
        """Answer once and forget the request: nothing is kept for a stranger (8.2.7, 26.3.2.4).

        A retransmission is answered anew, with the same To tag; the ACK finds nothing and is dropped.
        """
        request = transaction.request
        if request is None:
            raise LocalProtocolError("the request was answered before")
        to_tag = self._fixed_tag(request)
        self.outbox.append(
            (transaction.flow, build_response(request, status, reason, to_tag=to_tag, headers=headers))
        )
        self.ignore(transaction)

    def ignore(self, transaction: ServerTransaction) -> None:
        """Forget a request as if it had never come: a retransmission is a new one, an ACK finds nothing."""
        self._servers.pop(transaction.key, None)
        transaction.deadline = None
        if isinstance(transaction, InviteServer) and transaction.merged is not None:
            self._merged.pop(transaction.merged, None)

    def _fixed_tag(self, request: Request) -> str:
        """A To tag that is the same for every retransmission of a request (8.2.7)."""
        identity = f"{request.call_id} {request.via.branch}".encode("utf-8", "surrogateescape")
        return hashlib.blake2s(identity, key=self._tag_key, digest_size=8).hexdigest()

    def send_request(
        self, method: str, branch: str, data: bytes, flow: Flow, user: ClientUser, now: float
    ) -> ClientTransaction:
        """Start a client transaction for a request whose topmost Via has `branch`."""
        key: Key = (branch, method)
        if len(data) > LARGEST_DATAGRAM_BYTES and flow.large is not None and flow.large.open:
            self._as_datagram[key] = flow, data
            # 18.1.1: the Via says how the request is really sent.
            flow, data = flow.large, data.replace(b"\r\nVia: SIP/2.0/UDP ", b"\r\nVia: SIP/2.0/TCP ", 1)
        transaction: ClientTransaction
        if method == "INVITE":
            transaction = InviteClient(key, data, flow, user, self.outbox, now)
        else:
            transaction = NonInviteClient(key, data, flow, user, self.outbox, now)
        self._clients[key] = transaction
        self.timers.arm(transaction)
        return transaction

    def send_cancel(self, invite: InviteClient, user: ClientUser, now: float, headers: str = "") -> None:
        """Cancel an INVITE that has a provisional response and no final one (9.1)."""
        if invite.state is not InviteClientState.PROCEEDING:
            return
        branch = str(invite.key[0])
        self.send_request("CANCEL", branch, cancel_of(invite.data, headers), invite.flow, user, now)
        invite.give_up(now)
        self.timers.arm(invite)

    def flow_failed(self, flow: Flow, now: float) -> None:
        """A transport error: every client transaction on the flow fails (8.1.3.1, 17.1.4)."""
        for transaction in [client for client in self._clients.values() if client.flow is flow]:
            datagram = self._as_datagram.get(transaction.key)
            # 18.1.1: a large request goes as a datagram after all where the connection was refused.
            if datagram is None or not transaction.start_again(*datagram, now):
                transaction.fail("transport error", now)
                self._forget(transaction)
            self.timers.arm(transaction)

    # Time

    def next_deadline(self) -> float | None:
        """When fire() is wanted, None for never."""
        return self.timers.next_deadline()

    def fire(self, now: float) -> None:
        """Let what is due at `now` happen."""
        while (timed := self.timers.due(now)) is not None:
            try:
                timed.fire(now)
            except Exception:
                # A defect of ours is the owner's to log, once: it isn't tried again and again.
                if timed.deadline is not None and timed.deadline <= now:
                    timed.deadline = None
                raise
            finally:
                if timed.deadline is not None:
                    self.timers.arm(timed)
                elif isinstance(timed, _MACHINES) and timed.over:
                    self._forget(timed)

    def _forget(self, transaction: ServerTransaction | ClientTransaction) -> None:
        """A machine is over: only its timer or a broken flow ends it."""
        key = transaction.key
        if isinstance(transaction, _CLIENTS):
            self._clients.pop(key, None)
            if self._as_datagram:
                self._as_datagram.pop(key, None)
            return
        self._servers.pop(key, None)
        if isinstance(transaction, InviteServer) and transaction.merged is not None:
            self._merged.pop(transaction.merged, None)

    def unanswered(self) -> list[bytes]:
        """The requests that have no final response yet, for whoever looks for what was forgotten."""
        return [served.request.serialise() for served in self._servers.values() if served.request is not None]

    def inventory(self) -> dict[str, int]:
        """What is alive: all zero at rest."""
        return {
            "server transactions": len(self._servers),
            "client transactions": len(self._clients),
            "merged requests": len(self._merged),
            "large requests": len(self._as_datagram),
            "timers": self.timers.live(),
            "outbox": len(self.outbox),
        }


def _server_key(request: Request) -> Key:
    """The key that a request and its retransmissions, ACK and CANCEL share (17.2.3).

    Raises ParseError when a header that every request needs is missing or malformed (8.1.1).
    """
    try:
        via = request.via
        method = request.method
        number, cseq_method = request.cseq
        from_tag = request.from_.tag
        call_id = request.call_id
        _ = request.to, request.max_forwards
        if cseq_method != method:
            status = 400 if method in KNOWN else 501  # torture test mismatch02
            raise ParseError(f"CSeq is for {cseq_method[:20]}, the request is {method[:20]}", status=status)
    except ParseError as error:
        error.request = request
        raise
    matched = "INVITE" if method in {"ACK", "CANCEL"} else method
    branch = via.branch
    if branch.startswith(MAGIC_COOKIE) and len(branch) > len(MAGIC_COOKIE):
        return (branch, via.host, via.port, matched)
    return (request.uri, from_tag, call_id, number, via.text, matched)  # a client of RFC 2543


def _unserved(request: Request, status: int, reason: str) -> ParseError:
    """A refusal without a transaction (8.2.7)."""
    return ParseError(reason, status=status, request=request)


def _stamp(request: Request, flow: Flow) -> None:
    """Write where the request came from into its topmost Via (18.2.1, RFC 3581 section 4)."""
    via = request.via
    stamped = via.stamped(flow.remote)
    if stamped is not via.text:
        lines = request.headers["via"]
        lines[0] = stamped + lines[0][len(via.text) :] if lines[0].startswith(via.text) else stamped


def _reply_flow(request: Request, flow: Flow) -> Flow:
    """Where the response goes (18.2.2): the source, or its sent-by port where rport wasn't asked for.

    The address is always the one that the request came from, so that nobody is hit by reflection.
    """
    via = request.via
    if flow.reliable or "rport" in via.parameters:
        return flow
    port = via.port or 5060
    return flow if port == flow.remote[1] else flow.toward((flow.remote[0], port))
