"""The INVITE usage of a dialog: what both sides of a session share, its changes and its end.

`IncomingSession` and `OutgoingSession` say how a session begins. RFC 3261 sections 12 to 15; offers and
answers as RFC 3264, RFC 3311 (UPDATE) and RFC 6337; session timers as RFC 4028. Bodies are opaque here.

               refused, cancelled, failed
       .---------------------------------------------.
       |                                             v
  BEGINNING -- answer, 2xx --> CONFIRMED -- BYE --> ENDED
                                   |                 ^
    hang_up while our 2xx waits    v                 | its ACK, or 64*T1 without it: send BYE
    for its ACK                  ENDING -------------'

What a peer may offer, and when (RFC 3261 section 14.2, RFC 3311 section 5.2):

  state of the exchange      their re-INVITE   their UPDATE with an offer   their UPDATE without one
  nothing under way          offered           offered (answered here where nothing changed)   200
  our offer waits            491               491                                             200
  their offer waits          500 Retry-After   500 Retry-After                                 500 Retry-After
  our 2xx waits for its ACK  500 Retry-After   offered                                         200
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from sip.core.dialog import Dialog, untagged
from sip.core.dialog_request import Authorize, DialogRequest
from sip.core.errors import LocalProtocolError, ParseError, RemoteProtocolError
from sip.core.flow import Flow, host_port
from sip.core.message import Request, Response
from sip.core.offer_answer import OfferAnswer, Turn
from sip.core.reason import Reason, parse_reasons
from sip.core.reinvite import Reinvite
from sip.core.session_timer import (
    SessionTimer,
    client_lines,
    granted,
    least_seconds,
    server_lines,
    session_expires,
)
from sip.core.snapshot import SEQUENCE_MARGIN, SessionSnapshot
from sip.core.stack import ClientTransaction, ServerTransaction, Stack
from sip.core.timers import T1, T2
from sip.core.transactions.invite_client import ClientUser, InviteClient
from sip.core.transactions.invite_server import InviteServer
from sip.core.update import Update

if TYPE_CHECKING:
    from sip.core.ua_core import UserAgentCore


class SessionUser(Protocol):
    """Who owns a session. Each call is a fact that has happened.

    During a call `session.heard` is the message that brought it, for its headers (Contact of a 302,
    P-Asserted-Identity of a 180); afterwards it is None. What the session does by itself (PRACK, session
    timers, refreshes that change nothing, credentials) isn't told.
    """

    def progressed(self, status: int, body: bytes, now: float) -> None:
        """A provisional response above 100 to our INVITE.

        A body is early media; where `session.agreed` it came reliably and is the answer (RFC 3262 section 5),
        else it only previews the one in the 2xx. `session.fork` tells the forks of one INVITE apart.
        """

    def answered(self, body: bytes, now: float) -> None:
        """A 2xx to our INVITE. With our offer in it the ACK has left and body is the answer in force, which
        may have come before in a reliable provisional response; after an INVITE without offer body is an
        offer and `acknowledge(answer)` is expected."""

    def failed(self, status: int, reason: Reason, now: float) -> None:
        """Our INVITE ended without a 2xx. status is 408 or 503 where nothing came (8.1.3.1)."""

    def cancelled(self, reason: Reason, now: float) -> None:
        """The caller gave up before the answer, or never acknowledged our reliable provisional response
        (cause 504); the final response has left."""

    def acknowledged(self, body: bytes, now: float) -> None:
        """The ACK of our 2xx arrived, that of a refresh included: `may_offer` holds again. body is the answer
        where the 2xx carried the offer. Told before too, with the answer, when our offer in a reliable
        provisional response was answered by PRACK."""

    def offered(self, body: bytes, now: float) -> None:
        """The peer offers: a re-INVITE, UPDATE or PRACK, or a reliable provisional response to our INVITE
        without offer. `accept_offer` or `refuse_offer` is expected. An empty body (a re-INVITE) asks for our
        offer, whose answer `acknowledged` brings."""

    def offer_withdrawn(self, now: float) -> None:
        """The re-INVITE told by `offered` was cancelled before our answer: what was agreed before holds."""

    def offer_answered(self, body: bytes, now: float) -> None:
        """Our re-INVITE or UPDATE with an offer was accepted."""

    def offer_refused(self, status: int, now: float) -> None:
        """Our re-INVITE or UPDATE with an offer was refused; what was agreed before holds.

        After a 491 the same may be tried again in `session.glare_seconds()` (14.1); after a 500 in its
        Retry-After.
        """

    def identity_changed(self, request: Request, now: float) -> None:
        """An UPDATE or re-INVITE shows another From or asserted identity (RFC 3325, RFC 4916)."""

    def requested(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """Another request within the dialog: INFO, MESSAGE, REFER, NOTIFY, SUBSCRIBE, as far as the core
        serves the method. Answered now or later by `stack.respond`, or by the RemoteProtocolError raised."""

    def ended(self, reason: Reason, now: float) -> None:
        """The remote party hung up, or the dialog broke.

        `release` is expected: the 200 to the BYE waits for it, so that what it acknowledges can be written.
        """


class SessionState(Enum):
    """Where a session stands."""

    BEGINNING = auto()
    CONFIRMED = auto()
    ENDING = auto()  # over for its owner; our BYE waits for the ACK of our 2xx
    ENDED = auto()


NORMAL_CLEARING = Reason("Q.850", 16, "Normal call clearing")
NO_ACK = Reason("SIP", 408, "No ACK")
EXPIRED = Reason("SIP", 408, "Session expired")  # RFC 4028 section 10
NO_ALLOW: list[str] = []
# 12.2.1.2 with RFC 5057 section 5: these end the whole dialog; a SUBSCRIBE or REFER only its own usage
ENDS_DIALOG = {"INFO": frozenset({481}), "UPDATE": frozenset({408, 481}), "INVITE": frozenset({408, 481})}


class Session:
    """What incoming and outgoing sessions share.

    placed: whether the INVITE was ours. user is None once the session has ended for it. local_sdp and
    remote_sdp: the descriptions agreed last. authorize: who answers challenges to our requests, if anybody.
    heard: see SessionUser. deadline is the next retransmission of a 2xx.
    """

    __slots__ = (
        "_allow",
        "_answer",
        "_answer_sequence",
        "_bye",
        "_core",
        "_farewell",
        "_following",
        "_identity",
        "_interval",
        "_invite",
        "_offering",
        "_reinvite",
        "_stop_at",
        "_timer",
        "_update",
        "armed",
        "authorize",
        "contact",
        "contact_parameters",
        "deadline",
        "dialog",
        "exchange",
        "heard",
        "local_sdp",
        "placed",
        "remote_sdp",
        "state",
        "user",
    )

    def __init__(
        self,
        core: UserAgentCore,
        dialog: Dialog,
        user: SessionUser,
        *,
        placed: bool,
        authorize: Authorize | None,
    ) -> None:
        self._core = core
        self.dialog = dialog
        self.user: SessionUser | None = user
        self.placed = placed
        self.authorize = authorize
        self.state = SessionState.BEGINNING
        self.exchange = OfferAnswer()
        self.contact = contact_uri(dialog.flow, dialog.remote_target)
        if dialog.route_set and "<sips:" in dialog.route_set[0].lower():
            self.contact = contact_uri(dialog.flow, "sips:")  # 8.1.1.8, 12.1.1: or the first proxy is secure
        self.contact_parameters = ""  # RFC 3840 section 9: such as `;isfocus` (RFC 4579 section 5.1)
        self.deadline: float | None = None
        self.armed: float | None = None
        self.local_sdp = b""
        self.remote_sdp = b""
        self.heard: Request | Response | None = None
        self._allow = NO_ALLOW  # the peer's, as received
        self._bye: ServerTransaction | None = None  # theirs, until `release`
        self._farewell = ""  # the headers of our BYE, while it waits
        self._invite: InviteServer | None = None  # the INVITE or re-INVITE that waits for our answer
        self._offering: ServerTransaction | None = None  # the UPDATE or PRACK that does
        self._reinvite: Reinvite | None = None  # our own re-INVITE that waits for theirs
        self._update: Update | None = None  # our own UPDATE that does
        self._following: str | None = None  # the header lines of the UPDATE that waits
        self._answer: tuple[Flow, bytes] | None = None  # our 2xx that waits for its ACK
        self._answer_sequence = 0
        self._interval = T1
        self._stop_at = 0.0
        self._timer: SessionTimer | None = None  # RFC 4028, where one was agreed
        self._identity: tuple[str, list[str]] | None = None  # who the peer said last that it is

    @property
    def contact_line(self) -> str:
        """The Contact of a response."""
        return f"Contact: <{self.contact}>{self.contact_parameters}\r\n"

    @property
    def key(self) -> Hashable:
        """Where the core finds it: Call-ID and local tag (12)."""
        return (self.dialog.call_id, self.dialog.local_tag)

    @property
    def stack(self) -> Stack:
        """The stack below."""
        return self._core.stack

    @property
    def over(self) -> bool:
        """Whether it has ended, BYE or not."""
        return self.state is SessionState.ENDED

    @property
    def agreed(self) -> bool:
        """Whether an offer has its answer, and none is under way."""
        return self.exchange.turn is Turn.AGREED

    @property
    def fork(self) -> str:
        """The peer's tag: which of the forks of our INVITE speaks or answered; empty before any."""
        return self.dialog.remote_tag

    @property
    def ringing_tag(self) -> str:
        """The peer's tag in the early dialog that rings; empty where none does."""
        return ""

    # From the owner

    def hang_up(self, now: float, reason: Reason | None = None, headers: str = "") -> None:
        """End a confirmed session with BYE (15.1.1); the owner hears nothing more.

        The BYE waits while our 2xx has no ACK: section 15 forbids it to the callee before that, or before
        64*T1 have passed without one. Raises LocalProtocolError unless CONFIRMED.
        """
        if self.state is not SessionState.CONFIRMED:
            raise LocalProtocolError(f"hang_up in {self.state.name}")
        self._farewell = f"{reason.header if reason is not None else ''}{headers}"
        if self._answer is None:
            self._part(now)
        else:
            self.state = SessionState.ENDING
            self.user = None
            self._stop_timer()

    def release(self, now: float) -> None:
        """Let the 200 to a BYE leave, if one waits."""
        bye, self._bye = self._bye, None
        if bye is not None and bye.request is not None:
            self._core.stack.respond(bye, 200, now)

    @property
    def may_offer(self) -> bool:
        """Whether `offer` is possible.

        After the answer: no INVITE is under way in either direction and no offer waits (14.1). Before it:
        offer and answer were exchanged reliably, and the peer takes UPDATE (RFC 3311 section 5.1).
        """
        reinvite = self._reinvite
        if reinvite is not None:
            return reinvite.refresh and reinvite.following is None and self.state is SessionState.CONFIRMED
        if self.state is SessionState.CONFIRMED:
            return self._invite is None and self._answer is None and not self.exchange.pending
        return self.may_update and self.exchange.turn is Turn.AGREED

    def offer(self, body: bytes, now: float, headers: str = "") -> None:
        """Offer: by re-INVITE (14.1), before the answer by UPDATE (RFC 3311).

        headers: further lines, each ending in CRLF. Raises LocalProtocolError unless `may_offer`.
        """
        if not self.may_offer:
            raise LocalProtocolError("an offer now would cross another")
        if self._reinvite is not None:
            self._reinvite.following = (body, headers)
        elif self.state is SessionState.CONFIRMED:
            self._offer(Reinvite(self, body, headers), now)
        else:
            self.exchange.local_offer()
            self._send_update(body, headers, now)

    @property
    def offers(self) -> bool:
        """Whether an offer of ours in a re-INVITE or UPDATE has no answer yet."""
        reinvite, update = self._reinvite, self._update
        return (reinvite is not None and not reinvite.refresh) or (update is not None and bool(update.body))

    @property
    def may_update(self) -> bool:
        """Whether an UPDATE can be sent now: the peer takes it, and none is under way."""
        return self._update is None and self.takes_update

    @property
    def takes_update(self) -> bool:
        """Whether `update` is possible: the peer takes UPDATE (RFC 3311 section 4)."""
        return (
            self.user is not None
            and (self.state is SessionState.CONFIRMED or self._has_early_dialog)
            and "UPDATE" in self.remote_allow
        )

    def update(self, now: float, headers: str = "") -> None:
        """Send an UPDATE without an offer, for what its headers change: the identity shown (RFC 4916).

        While another one is under way, or our 2xx isn't acknowledged (it may still come, and show what it
        did), it waits; of several the last one is sent. Nothing is told of its response unless it ends the
        dialog.
        Raises LocalProtocolError unless `takes_update`.
        """
        if not self.takes_update:
            raise LocalProtocolError("UPDATE isn't possible")
        self._following = headers
        self._follow(now)

    @property
    def remote_allow(self) -> tuple[str, ...]:
        """The methods that the peer said it takes (Allow, 20.5); empty where it said nothing."""
        return tuple(method.strip() for line in self._allow for method in line.split(","))

    def accept_offer(self, body: bytes, now: float, headers: str = "") -> bool:
        """Answer what `offered` told, a re-INVITE, UPDATE or PRACK; body is our offer where it had none.

        Returns False, with nothing sent, where the offer was taken back or the session has ended.
        """
        if self._offering is not None:
            return self._accept_offering(body, now, headers)
        invite = self._invite
        if self.state is not SessionState.CONFIRMED or invite is None or invite.request is None:
            return False
        offer = invite.request.body
        if offer:
            self.exchange.local_answer()
            self.remote_sdp = offer
        else:
            self.exchange.local_offer()
        self._accept(body, now, headers)
        self._changed()
        return True

    def refuse_offer(self, status: int, now: float, reason: str = "", headers: str = "") -> None:
        """Refuse what `offered` told; what was agreed before holds. Nothing where it was taken back."""
        if self._offering is not None:
            asked, self._offering = self._offering, None
            if asked.request is not None:
                self.exchange.withdraw()
                self._core.stack.respond(asked, status, now, reason=reason, headers=headers)
            return
        if self.state is not SessionState.CONFIRMED:
            return
        invite, self._invite = self._invite, None
        if invite is not None:
            self.exchange.withdraw()
            self._core.stack.respond(invite, status, now, reason=reason, headers=headers)

    @property
    def must_answer(self) -> bytes:
        """The offer that can't be refused: that of a PRACK, whose 2xx must carry the answer (RFC 3262 section
        5); empty where none is under way."""
        asked = self._offering.request if self._offering is not None else None
        return asked.body if asked is not None and asked.method == "PRACK" else b""

    def send_request(
        self,
        method: str,
        user: ClientUser,
        now: float,
        *,
        headers: str = "",
        body: bytes = b"",
        content_type: str = "",
    ) -> None:
        """Send a request of another method within the dialog: INFO, MESSAGE, REFER, NOTIFY, SUBSCRIBE.

        user hears the responses; a challenge is answered before that by `authorize`. headers: lines, each
        ending in CRLF. content_type: of the body. Raises LocalProtocolError where there is no dialog.
        """
        early = self.state is SessionState.BEGINNING and self._has_early_dialog
        if self.state is not SessionState.CONFIRMED and not early:
            raise LocalProtocolError(f"{method} in {self.state.name}")
        contact = self.contact if method in {"REFER", "NOTIFY", "SUBSCRIBE"} else ""  # RFC 3515, RFC 6665
        DialogRequest(
            self._core.stack,
            self.dialog,
            method,
            _Watched(self, method, user),
            authorize=self.authorize,
            contact=contact,
            headers=headers,
            body=body,
            content_type=content_type,
        ).send(now)

    def glare_seconds(self) -> float:
        """How long to wait after a 491 to our offer (14.1): 2.1 to 4 s with our Call-ID, else 0 to 2 s."""
        chance = int(self._core.stack.identifiers.token()[:6], 16)
        return 2.1 + chance % 191 / 100 if self.placed else chance % 201 / 100

    def snapshot(self) -> SessionSnapshot:
        """What `UserAgentCore.restore` needs to go on with this session. Raises LocalProtocolError unless
        CONFIRMED."""
        if self.state is not SessionState.CONFIRMED:
            raise LocalProtocolError(f"snapshot in {self.state.name}")
        dialog = self.dialog
        flow = dialog.flow
        timer = self._timer
        return SessionSnapshot(
            call_id=dialog.call_id,
            local_address=dialog.local_address,
            local_tag=dialog.local_tag,
            remote_address=dialog.remote_address,
            remote_tag=dialog.remote_tag,
            remote_target=dialog.remote_target,
            route_set=tuple(dialog.route_set),
            local_sequence=dialog.local_sequence,
            remote_sequence=dialog.remote_sequence,
            contact=self.contact,
            transport=flow.transport,
            local=(flow.local[0], flow.local[1]),
            remote=(flow.remote[0], flow.remote[1]),
            placed=self.placed,
            local_sdp=self.local_sdp,
            remote_sdp=self.remote_sdp,
            remote_allow=tuple(self._allow),
            timer_seconds=timer.interval_seconds if timer is not None else 0,
            we_refresh=timer is not None and timer.we_refresh,
        )

    # From the core

    def resume(self, snapshot: SessionSnapshot, now: float) -> None:
        """Be what a snapshot tells; the session interval begins again."""
        self.state = SessionState.CONFIRMED
        self.exchange.turn = Turn.AGREED
        self.dialog.local_sequence = snapshot.local_sequence + SEQUENCE_MARGIN
        self.contact = snapshot.contact
        self.local_sdp = snapshot.local_sdp
        self.remote_sdp = snapshot.remote_sdp
        self._allow = list(snapshot.remote_allow)
        if snapshot.timer_seconds:
            self._agree(snapshot.timer_seconds, snapshot.we_refresh, now)

    def has_fork(self, tag: str) -> bool:
        """Whether another tag of the peer's than the dialog's is a fork that rings."""
        return False

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """A request within the dialog, of any method but ACK and CANCEL."""
        self.dialog.check_sequence(request)
        match request.method:
            case "BYE":
                reasons = parse_reasons(request.headers.get("reason", []))
                self._bye = transaction
                self._bye_received(reasons[0] if reasons else NORMAL_CLEARING, now)
            case "INVITE":
                assert isinstance(transaction, InviteServer)
                self._reinvite_received(request, transaction, now)
            case "UPDATE":
                self._update_received(request, transaction, now)
            case "PRACK":
                self._prack_received(request, transaction, now)
            case "OPTIONS":
                headers = f"{self._core.capabilities}Accept: application/sdp\r\n"
                self._core.stack.respond(transaction, 200, now, headers=headers)
            case _:
                self._core.inspect(request)
                if self.user is None:
                    raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
                self.user.requested(request, transaction, now)

    def ack_received(self, ack: Request, now: float) -> None:
        """The ACK of our 2xx; a repeated one, or one for an older INVITE, is ignored."""
        if self._answer is None or ack.cseq[0] != self._answer_sequence:
            return
        self._answer = None
        self.deadline = None
        if ack.body:
            if self.exchange.remote_answer():
                self.remote_sdp = ack.body
        elif self.exchange.turn is Turn.OFFERED_LOCALLY and self._update is None:
            self.exchange.withdraw()  # 13.2.2.4 asks for an answer; without one nothing is agreed
        if self.state is SessionState.ENDING:
            self._part(now)
        elif self.user is not None:
            self.user.acknowledged(ack.body, now)
            if self._following is not None:
                self._follow(now)

    def cancel_received(self, cancel: Request, now: float) -> None:
        """The re-INVITE under way was cancelled (9.2)."""
        invite, self._invite = self._invite, None
        if invite is None or invite.request is None:
            return
        if invite.request.body:
            self.exchange.withdraw()
        self._core.stack.respond(invite, 487, now, to_tag=self.dialog.local_tag)
        if self.user is not None:
            self.user.offer_withdrawn(now)

    def ack_missing(self, now: float) -> None:
        """Our refusal was never acknowledged: nothing follows from it."""

    def fire(self, now: float) -> None:
        """Send the 2xx again, or give up on its ACK (13.3.1.4)."""
        answer = self._answer
        assert answer is not None
        if now < self._stop_at:
            self._core.stack.outbox.append(answer)
            self._interval = min(2 * self._interval, T2)
            self.deadline = min(now + self._interval, self._stop_at)
            return
        self._answer = None
        if self.state is SessionState.ENDING:
            self._part(now)
        else:
            self.broken(NO_ACK, now)

    # From our re-INVITE

    def reinvite_accepted(self, reinvite: Reinvite, response: Response, now: float) -> None:
        """The first 2xx to our re-INVITE; its ACK has left."""
        if self.over:
            return
        self._reinvite = None
        if response.body:
            self.exchange.remote_answer()
            self.local_sdp, self.remote_sdp = reinvite.body, response.body
        else:
            self.exchange.withdraw()
        self._take_allow(response)
        self._renew_timer(response, now)
        self._changed()
        if self.user is not None and not reinvite.refresh:
            self.heard = response
            self.user.offer_answered(response.body, now)
            self.heard = None
        self._follow_refresh(reinvite, now)

    def reinvite_refused(self, reinvite: Reinvite, status: int, response: Response, now: float) -> None:
        """Our re-INVITE failed; status is 408 where nothing came."""
        if self.over:
            return
        self._reinvite = None
        self.exchange.withdraw()
        if status in ENDS_DIALOG["INVITE"]:  # 12.2.1.2: the dialog is gone
            self.broken(Reason("SIP", status, response.reason), now)
        elif self.user is not None and not reinvite.refresh:
            self.heard = response
            self.user.offer_refused(status, now)
            self.heard = None
        self._follow_refresh(reinvite, now)

    def _follow_refresh(self, reinvite: Reinvite, now: float) -> None:
        """The owner's offer that waited until our refresh was over."""
        if reinvite.following is None or self.user is None:
            return
        body, headers = reinvite.following
        if self.may_offer:
            self.offer(body, now, headers)
        else:
            self.user.offer_refused(491, now)  # theirs came meanwhile

    def acknowledge_2xx(self, sequence: int, body: bytes = b"", credentials: str = "") -> tuple[Flow, bytes]:
        """Send the ACK of a 2xx (13.2.2.4); returns it, for when the 2xx is repeated.

        sequence: the CSeq number of the INVITE; credentials: its Authorization line.
        """
        branch = self._core.stack.identifiers.branch()
        data = self.dialog.request("ACK", branch, sequence, headers=credentials, body=body)
        ack = (self.dialog.flow, data)
        self._core.stack.outbox.append(ack)
        return ack

    def acknowledge_again(self, ack: tuple[Flow, bytes]) -> None:
        """The 2xx came again: its ACK was lost (13.2.2.4)."""
        self._core.stack.outbox.append(ack)

    def give_up(self, client: InviteClient | None, now: float) -> None:
        """After the session's end a re-INVITE should get a 487 (15.1.2): wait 64*T1 for it, as in 9.1."""
        if client is not None:
            client.give_up(now)
            self._core.stack.timers.arm(client)

    # From our UPDATE

    def update_accepted(self, update: Update, response: Response, now: float) -> None:
        """A 2xx to our UPDATE."""
        self._update = None
        with suppress(ParseError):  # an unusable Contact: the target that we know holds
            self.dialog.refresh(response)  # RFC 3311 section 5.1
        self._take_allow(response)
        self._renew_timer(response, now)
        if not update.body:
            self._changed()
            self._follow(now)
            return
        if response.body and self.exchange.remote_answer():
            self.local_sdp, self.remote_sdp = update.body, response.body
        else:
            self.exchange.withdraw()
        self._changed()
        if self.user is not None:
            self.heard = response
            self.user.offer_answered(response.body, now)
            self.heard = None
        self._follow(now)

    def update_refused(self, update: Update, status: int, response: Response, now: float) -> None:
        """Our UPDATE failed; status is 408 where nothing came."""
        self._update = None
        if update.body:
            self.exchange.withdraw()
        if status in ENDS_DIALOG["UPDATE"] and self.state is SessionState.CONFIRMED:
            self.broken(Reason("SIP", status, response.reason), now)
            return
        if status in {405, 501}:
            self._allow = NO_ALLOW  # it was wrong about UPDATE: a refresh goes by re-INVITE
        if update.body and self.user is not None:
            self.heard = response
            self.user.offer_refused(status, now)
            self.heard = None
        self._follow(now)

    def _follow(self, now: float) -> None:
        """Send the UPDATE that waits, where nothing keeps it any more."""
        if self._following is not None and self._answer is None and self.may_update:
            headers, self._following = self._following, None
            self._send_update(b"", headers, now)

    # From the session timer

    @property
    def refresh_lines(self) -> str:
        """The header lines of our re-INVITE or UPDATE; where a timer runs it is a refresh (RFC 4028)."""
        core = self._core
        timer = self._timer
        if timer is None:
            return core.capabilities
        refresher = "uac" if timer.we_refresh else "uas"  # of this transaction, whose client we are
        lines = client_lines(timer.interval_seconds, core.min_session_seconds, refresher)
        return f"{core.capabilities}{lines}"

    def lengthen(self, response: Response) -> bool:
        """A 422 to our refresh: take its Min-SE (RFC 4028 section 7.3); returns whether to try again."""
        timer = self._timer
        if timer is None:
            return False
        try:
            least = least_seconds(response)
        except ParseError:
            return False
        longer = least > timer.interval_seconds
        timer.interval_seconds = max(least, timer.interval_seconds)
        return longer

    def refresh(self, now: float) -> None:
        """Refresh the session: by UPDATE where the peer takes it, else with the same offer once more
        (RFC 4028 section 7.4). Where neither is possible now, the timer asks again."""
        if self.may_update:
            self._send_update(b"", "", now)
        elif self.may_offer and self._reinvite is None and self.local_sdp and self._update is None:
            self._offer(Reinvite(self, self.local_sdp, "", refresh=True), now)

    def expired(self, now: float) -> None:
        """Nobody refreshed the session (RFC 4028 section 10)."""
        self.broken(EXPIRED, now)

    # Shared steps

    def _changed(self) -> None:
        """What a snapshot tells of a confirmed session is another thing now."""
        if self.state is SessionState.CONFIRMED:
            self._core.session_changed(self)

    @property
    def _has_early_dialog(self) -> bool:
        """Whether there is an early dialog in which requests can be sent (12.1)."""
        return False

    def turn_to(self, dialog: Dialog) -> bool:
        """Go on in the dialog of another fork; False where it isn't in the call any more."""
        return dialog is self.dialog

    def send_within(
        self, method: str, user: ClientUser, now: float, *, headers: str = "", body: bytes = b""
    ) -> ClientTransaction:
        """Send a request within the dialog, with our Contact unless it is a BYE; returns its transaction."""
        dialog = self.dialog
        dialog.local_sequence += 1
        branch = self._core.stack.identifiers.branch()
        contact = "" if method == "BYE" else self.contact
        data = dialog.request(
            method, branch, dialog.local_sequence, contact=contact, headers=headers, body=body
        )
        return self._core.stack.send_request(method, branch, data, dialog.flow, user, now)

    def _offer(self, reinvite: Reinvite, now: float) -> None:
        self.exchange.local_offer()
        self._reinvite = reinvite
        reinvite.send(now)

    def _send_update(self, body: bytes, headers: str, now: float) -> None:
        self._update = Update(self, body, headers)
        self._update.send(now)

    def _accept(self, body: bytes, now: float, headers: str = "") -> None:
        """Answer the INVITE under way with 200, and send it again until its ACK comes."""
        invite = self._invite
        assert invite is not None
        request = invite.request
        assert request is not None
        if "session-expires" in request.headers or self._timer is not None:
            headers += self._grant(request, now)
        self._answer_sequence = request.cseq[0]
        if body:
            self.local_sdp = body
        data = self._core.stack.respond(
            invite,
            200,
            now,
            to_tag=self.dialog.local_tag,
            headers=f"{self.contact_line}{self._core.capabilities}{headers}",
            body=body,
        )
        self._invite = None  # not before: until then it is the session's to answer, whatever happens
        self._answer = (invite.flow, data)  # 18.2.2: every copy goes where the first went
        self._interval = T1
        self._stop_at = now + 64 * T1
        self.deadline = now + T1
        self._core.stack.timers.arm(self)

    def _accept_offering(self, body: bytes, now: float, headers: str = "") -> bool:
        """Answer the UPDATE or PRACK under way, whose offer it is."""
        asked, self._offering = self._offering, None
        assert asked is not None
        request = asked.request
        if request is None:
            return False
        self.exchange.local_answer()
        self.local_sdp, self.remote_sdp = body, request.body
        if request.method == "UPDATE":
            headers += f"{self.contact_line}{self._core.capabilities}{self._grant(request, now)}"
        self._core.stack.respond(asked, 200, now, headers=headers, body=body)
        self._changed()
        return True

    def _reinvite_received(self, request: Request, transaction: InviteServer, now: float) -> None:
        answering = self._invite is not None or self._answer is not None
        if answering or self.exchange.turn is Turn.OFFERED_REMOTELY:
            raise RemoteProtocolError(500, "INVITE Pending", (("Retry-After", "2"),))  # 14.2
        if self.state is not SessionState.CONFIRMED or self.user is None or self.exchange.pending:
            raise RemoteProtocolError(491, "Request Pending")  # 14.2: ours is under way
        self._core.inspect(request)
        self._check_interval(request)
        self.dialog.follow(request, transaction.flow)
        self._take_allow(request)
        if request.body:
            self.exchange.remote_offer()
        self._invite = transaction
        transaction.user = self
        if not self._tell_identity(request, now):
            return
        if request.body and request.body == self.remote_sdp and self.local_sdp:
            self.accept_offer(self.local_sdp, now)  # RFC 3264 section 8: a refresh; nothing has changed
            return
        self.heard = request
        self.user.offered(request.body, now)
        self.heard = None

    def _update_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """RFC 3311 section 5.2."""
        if self.user is None or self.state is SessionState.ENDING:
            raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
        if self._offering is not None:
            raise RemoteProtocolError(500, "UPDATE Pending", (("Retry-After", "2"),))
        self._core.inspect(request)
        self._check_interval(request)
        if request.body:
            self.exchange.remote_offer()
        try:
            self.dialog.follow(request, transaction.flow)
        except ParseError:
            if request.body:
                self.exchange.withdraw()
            raise
        self._take_allow(request)
        if not request.body:
            headers = f"{self.contact_line}{self._core.capabilities}{self._grant(request, now)}"
            self._core.stack.respond(transaction, 200, now, headers=headers)
            self._changed()
            self._tell_identity(request, now)
            return
        self._offering = transaction
        if not self._tell_identity(request, now):
            return
        if request.body == self.remote_sdp and self.local_sdp:
            self._accept_offering(self.local_sdp, now)  # RFC 3264 section 8: nothing has changed
            return
        self.heard = request
        self.user.offered(request.body, now)
        self.heard = None

    def _prack_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")  # RFC 3262 section 3

    def _tell_identity(self, request: Request, now: float) -> bool:
        """Tell who the peer says that it is, where that is new; returns whether an owner is left after it."""
        headers = request.headers
        asserted = headers.get("p-asserted-identity") or headers.get("remote-party-id") or []
        known = self._identity or (self.dialog.remote_address, [])
        identity = (untagged(request.first("from")), asserted or known[1])
        if identity != known and self.user is not None:
            self._identity = identity
            self.user.identity_changed(request, now)
        return self.user is not None

    def _take_allow(self, message: Request | Response) -> None:
        """What the peer takes, where it says so again."""
        allow = message.headers.get("allow")
        if allow is not None:
            self._allow = allow

    def _check_interval(self, request: Request) -> None:
        """Refuse a session interval that is too short before anything else follows (RFC 4028 section 9)."""
        if "session-expires" in request.headers:
            granted(request, self._core.min_session_seconds)

    def _grant(self, request: Request, now: float) -> str:
        """The session timer lines of our 2xx, empty where none runs; the interval begins."""
        if "session-expires" in request.headers:
            seconds, we_refresh = granted(request, self._core.min_session_seconds)
        elif self._timer is not None:
            seconds, we_refresh = self._timer.interval_seconds, True  # a refresh that doesn't ask: ours now
        else:
            return ""
        self._agree(seconds, we_refresh, now)
        return server_lines(seconds, we_refresh)

    def _renew_timer(self, response: Response, now: float) -> None:
        """A 2xx to our INVITE, re-INVITE or UPDATE: what the peer agreed to (RFC 4028 section 7.2)."""
        if "session-expires" not in response.headers:
            self._stop_timer()
            return
        try:
            seconds, refresher = session_expires(response)
        except ParseError:
            return  # the interval that we know holds
        if seconds >= self._core.min_session_seconds:
            self._agree(seconds, refresher != "uas", now)

    def _agree(self, seconds: int, we_refresh: bool, now: float) -> None:
        timer = self._timer
        if timer is None:
            timer = self._timer = SessionTimer(self)
        timer.agree(seconds, we_refresh, now)
        self._core.stack.timers.arm(timer)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.stop()

    def _bye_received(self, reason: Reason, now: float) -> None:
        user = self.user
        self._end(now)
        if user is not None:
            user.ended(reason, now)
        else:
            self.release(now)

    def broken(self, reason: Reason, now: float) -> None:
        """End from our side, and tell both."""
        if self.state is not SessionState.CONFIRMED:
            return
        user = self.user
        self.hang_up(now, reason)
        if user is not None:
            user.ended(reason, now)

    def _part(self, now: float) -> None:
        """Send our BYE."""
        authorize = self.authorize
        self._end(now)
        if authorize is None:
            self.send_within("BYE", IGNORED, now, headers=self._farewell)
        else:
            DialogRequest(
                self._core.stack, self.dialog, "BYE", IGNORED, authorize=authorize, headers=self._farewell
            ).send(now)

    def _end(self, now: float) -> None:
        """Let go of everything; an INVITE or UPDATE that waits for us gets its final response."""
        self.state = SessionState.ENDED
        self.user = None
        self.authorize = None
        self.deadline = None
        self.local_sdp = self.remote_sdp = b""
        self._answer = None
        self._update = None
        self._core.forget(self)
        if self._timer is not None:
            self._stop_timer()
        reinvite, self._reinvite = self._reinvite, None
        if reinvite is not None:
            self.give_up(reinvite.client, now)
        for waiting in (self._invite, self._offering):
            if waiting is not None and waiting.request is not None:
                # 15.1.2; but a PRACK has acknowledged something, and gets its 2xx (RFC 3262 section 3)
                status = 200 if waiting.request.method == "PRACK" else 487
                self._core.stack.respond(waiting, status, now, to_tag=self.dialog.local_tag)
        self._invite = self._offering = None


class _Watched:
    """The user of an owner's request, and what its response means for the dialog (12.2.1.2)."""

    __slots__ = ("_method", "_session", "_user")

    def __init__(self, session: Session, method: str, user: ClientUser) -> None:
        self._session = session
        self._method = method
        self._user = user

    def response_received(self, response: Response, now: float) -> None:
        """The owner hears it first."""
        self._user.response_received(response, now)
        if response.status in ENDS_DIALOG.get(self._method, ()):
            self._session.broken(Reason("SIP", response.status, response.reason), now)

    def no_response(self, reason: str, now: float) -> None:
        """RFC 5057 section 5.1: it ends the transaction, and nothing else."""
        self._user.no_response(reason, now)


class _Ignored:
    """The user of a request whose response changes nothing (BYE, CANCEL)."""

    def response_received(self, response: Response, now: float) -> None:
        """Whatever it says."""

    def no_response(self, reason: str, now: float) -> None:
        """Nor that."""


IGNORED = _Ignored()


# RFC 7118 section 5.2.3: `ws` for WebSocket, secure or not. RFC 3261 26.2.2: sips means TLS by itself.
_TRANSPORT_PARAMETERS = {"UDP": "", "TCP": ";transport=tcp", "TLS": ";transport=tls"}


def contact_uri(flow: Flow, peer_uri: str = "") -> str:
    """Our own Contact on a flow; a SIPS URI where `peer_uri` is one and the flow is TLS (8.1.1.8, 12.1.1)."""
    transport = _TRANSPORT_PARAMETERS.get(flow.transport, ";transport=ws")
    if peer_uri[:5].lower() == "sips:" and flow.transport in {"TLS", "WSS"}:
        return f"sips:{host_port(flow.local)}{'' if flow.transport == 'TLS' else transport}"
    return f"sip:{host_port(flow.local)}{transport}"
