"""A subscription of ours: SUBSCRIBE out, NOTIFY in (RFC 6665 section 4.1).

            SUBSCRIBE
                |
                v        NOTIFY active (even before the 2xx)    .-- refresh before expiry; NOTIFY
         +-------------+ ------------------------> +--------+ <'
         | SUBSCRIBING |                           | ACTIVE |
         +-------------+                           +--------+
           |                                         |    |
           | refused; Timer N:                       |    | unsubscribe
           | no NOTIFY within 64*T1                  |    v
           |                                         |  +--------+
           |          NOTIFY terminated, refusal,    |  | ENDING |
           |          expiry                         |  +--------+
           v                                         v    |
         +-------+                                        | NOTIFY terminated, Timer N
         | ENDED | <--------------------------------------'
         +-------+

Of a SUBSCRIBE that was forked only the first dialog is taken; the others' NOTIFYs are answered 481, which
ends them (4.1.2.4 leaves the choice).
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from sip.core.dialog import Dialog
from sip.core.dialog_request import Authorize, DialogRequest
from sip.core.errors import LocalProtocolError, ParseError, RemoteProtocolError
from sip.core.flow import Flow
from sip.core.grammar import parse_number, parse_parameters
from sip.core.message import Request, Response
from sip.core.session import contact_uri
from sip.core.stack import ServerTransaction
from sip.core.timers import T1

if TYPE_CHECKING:
    from sip.core.ua_core import UserAgentCore

TIMER_N_SECONDS = 64 * T1
MAX_SECONDS = (1 << 32) - 1
_REFRESH_SHARE = 0.9  # of the time granted


class SubscriberUser(Protocol):
    """Who owns a subscription of ours."""

    def notified(self, body: bytes, content_type: str, now: float) -> None:
        """A NOTIFY; 200 has left. The last one, with `subscription_ended` after it, may carry state too."""

    def subscription_ended(self, reason: str, now: float) -> None:
        """It is over. reason: that of Subscription-State, or the status that refused us, or `no NOTIFY`."""


class SubscriberState(Enum):
    """Where a subscription of ours stands."""

    SUBSCRIBING = auto()
    ACTIVE = auto()
    ENDING = auto()
    ENDED = auto()


class OutgoingSubscription:
    """One subscription of ours, refreshed by itself until `unsubscribe`."""

    __slots__ = (
        "_accept",
        "_authorize",
        "_core",
        "_event",
        "_expires_at",
        "_lengthened",
        "_seconds",
        "armed",
        "deadline",
        "dialog",
        "state",
        "user",
    )

    def __init__(
        self,
        core: UserAgentCore,
        target: str,
        flow: Flow,
        user: SubscriberUser,
        now: float,
        *,
        event: str,
        accept: str,
        seconds: int,
        local_address: str,
        remote_address: str,
        authorize: Authorize | None = None,
    ) -> None:
        """Send the SUBSCRIBE to the URI `target`.

        event: the package. accept: the content type of its documents. seconds: how long to ask for.
        """
        identifiers = core.stack.identifiers
        dialog = Dialog(identifiers.token(), local_address, identifiers.token(), remote_address, "", flow)
        dialog.remote_target = target
        self._core = core
        self.dialog = dialog
        self.user = user
        self.state = SubscriberState.SUBSCRIBING
        self._event = event
        self._accept = accept
        self._seconds = seconds
        self._authorize = authorize
        self._expires_at = now + seconds
        self._lengthened = False
        self.deadline: float | None = None
        self.armed: float | None = None
        core.serve(dialog, self)
        self._send(seconds, now)

    def unsubscribe(self, now: float) -> None:
        """Ask for the end (4.1.2.3); the last NOTIFY brings it. Raises LocalProtocolError unless ACTIVE."""
        if self.state is not SubscriberState.ACTIVE:
            raise LocalProtocolError(f"unsubscribe in {self.state.name}")
        self.state = SubscriberState.ENDING
        self._send(0, now)

    # From the core

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """A NOTIFY within the dialog, or the one that makes it (4.1.2.4, 4.4.1)."""
        dialog = self.dialog
        if request.method != "NOTIFY":
            raise RemoteProtocolError(405, "Method Not Allowed", (("Allow", "NOTIFY"),))
        if dialog.remote_tag and request.from_.tag != dialog.remote_tag:
            raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")  # a fork
        if request.get("event").partition(";")[0].strip().lower() != self._event:
            raise RemoteProtocolError(489, "Bad Event")
        state, parameters = _subscription_state(request)
        dialog.check_sequence(request)
        if not dialog.remote_tag:
            dialog.remote_tag = request.from_.tag
            dialog.route_set = request.values("record-route")
        dialog.follow(request, transaction.flow)
        self._core.stack.respond(transaction, 200, now)
        if request.body:
            kind = request.get("content-type").partition(";")[0].strip().lower()
            self.user.notified(request.body, kind, now)
        if state == "terminated":
            self._end(parameters.get("reason", "terminated"), now)
        elif self.state is not SubscriberState.ENDING:
            self.state = SubscriberState.ACTIVE
            if expires := parameters.get("expires"):
                self._expires_at = now + parse_number(expires, "expires", MAX_SECONDS)
            self._wait_until(self._refresh_at(now))

    def fire(self, now: float) -> None:
        """Timer N, expiry, or time to refresh."""
        match self.state:
            case SubscriberState.ACTIVE if now < self._expires_at:
                self._send(self._seconds, now)
            case SubscriberState.ACTIVE:
                self._end("timeout", now)
            case SubscriberState.SUBSCRIBING | SubscriberState.ENDING:
                self._end("no NOTIFY", now)  # 4.1.2.4
            case SubscriberState.ENDED:
                self.deadline = None

    def response_received(self, response: Response, now: float) -> None:
        """The answer to a SUBSCRIBE."""
        if response.status < 200 or self.state is SubscriberState.ENDED:
            return
        try:
            if response.status < 300:
                self._accepted(response, now)
                return
            if response.status == 423 and not self._lengthened:
                self._lengthened = True
                self._seconds = parse_number(response.only("min-expires"), "Min-Expires", MAX_SECONDS)
                self._send(self._seconds, now)
                return
        except ParseError:
            self._end(f"unreadable {response.status}", now)
            return
        self._refused(f"{response.status} {response.reason}".strip(), response.status, now)

    def no_response(self, reason: str, now: float) -> None:
        """No answer counts as 408 (8.1.3.1)."""
        self._refused(reason, 408, now)

    # Steps

    def _send(self, seconds: int, now: float) -> None:
        DialogRequest(
            self._core.stack,
            self.dialog,
            "SUBSCRIBE",
            self,
            authorize=self._authorize,
            contact=contact_uri(self.dialog.flow),
            headers=f"Event: {self._event}\r\nAccept: {self._accept}\r\nExpires: {seconds}\r\n",
        ).send(now)
        waiting = self.state is not SubscriberState.ACTIVE
        self._wait_until(now + TIMER_N_SECONDS if waiting else self._expires_at)

    def _accepted(self, response: Response, now: float) -> None:
        if not self.dialog.remote_tag:  # else a NOTIFY was here first, or it is a refresh
            self.dialog.confirm(response)
        seconds = response.expires
        if seconds is not None and seconds <= self._seconds and self.state is not SubscriberState.ENDING:
            self._expires_at = now + seconds
        if self.state is SubscriberState.ACTIVE:
            self._wait_until(self._refresh_at(now))

    def _refused(self, reason: str, status: int, now: float) -> None:
        # 4.1.2.2: a refresh that fails leaves the subscription until its expiry, unless it isn't known there
        if self.state is SubscriberState.ACTIVE and status not in {404, 405, 410, 416, 480, 481, 489, 501}:
            self._wait_until(self._expires_at)
            return
        self._end(reason, now)

    def _refresh_at(self, now: float) -> float:
        return now + (self._expires_at - now) * _REFRESH_SHARE

    def _wait_until(self, deadline: float) -> None:
        self.deadline = deadline
        self._core.stack.timers.arm(self)

    def _end(self, reason: str, now: float) -> None:
        if self.state is SubscriberState.ENDED:
            return
        self.state = SubscriberState.ENDED
        self.deadline = None
        self._core.stop_serving(self.dialog)
        self.user.subscription_ended(reason, now)


def _subscription_state(request: Request) -> tuple[str, dict[str, str]]:
    """State and parameters of a NOTIFY; raises ParseError (400) without a readable one (8.2.3)."""
    state, _, tail = request.only("subscription-state").partition(";")
    state = state.strip().lower()
    if state not in {"active", "pending", "terminated"}:
        raise ParseError(f"unknown Subscription-State {state[:20]!r}")
    return state, parse_parameters(f";{tail}" if tail else "")
