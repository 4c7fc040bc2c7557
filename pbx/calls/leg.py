"""A leg: one party's signalling, and what its call record says of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from media.declined import declined, renewed
from pbx.calls import pictures
from pbx.calls.happenings import (
    Acknowledged,
    Answered,
    Digit,
    Failed,
    Identified,
    LegEnded,
    OfferAnswered,
    Offered,
    OfferRefused,
    OfferWithdrawn,
    Progressed,
    Referred,
)
from pbx.click_to_call import is_visitor
from pbx.events import CallAnswered, CallRinging, LegLeft
from pbx.ongoing import OngoingLeg
from pbx.records import LegRecord
from sip.core.errors import RemoteProtocolError
from sip.core.flow import Flow, host_port
from sip.core.identity import asserted_identity
from sip.core.incoming_session import IncomingSession
from sip.core.info import digit_of
from sip.core.media_control import asks_for_picture
from sip.core.message import Request
from sip.core.outgoing_session import OutgoingSession
from sip.core.reason import Reason
from sip.core.refer import Refer, ReferSubscription
from sip.core.replaces import Stage
from sip.core.session import Session, SessionState
from sip.core.stack import ServerTransaction

if TYPE_CHECKING:
    from media.engine import LegQuality
    from pbx.calls.call import Call


class Told(NamedTuple):
    """What an operator told of who calls, also where that isn't to be shown: the number, and the header lines
    that name somebody."""

    number: str
    lines: tuple[str, ...]


UNTOLD = Told("", ())
LOST = "lost"
REPLACED = Reason("SIP", 200, "Call completed elsewhere")
_SECONDS = re.compile(r"[0-9]{1,4}")


class Leg:
    """One party of a call. It owns its session; the call brokers between legs.

    name: `a` for the caller, `b1`, `b2`, … for the others; the media engine knows the leg by it.
    device: the sign-in of the device, or the trunk's name. behind_nat: media comes from where it can.
    rang: whether anything was heard of it before the answer. hears_early: whether it can hear us before the
    answer. told: of an operator's caller, while the plan has a code that asks for it.
    """

    hears_early = True

    __slots__ = (
        "answered_at",
        "behind_nat",
        "call",
        "cause",
        "codec",
        "device",
        "ended_at",
        "flow",
        "former_call_id",
        "name",
        "picture_due",
        "proposal",
        "quality",
        "rang",
        "reached",
        "returned",
        "session",
        "started_at",
        "told",
        "versions_ahead",
        "via",
    )

    def __init__(self, call: Call, name: str, device: str, flow: Flow, *, behind_nat: bool) -> None:
        self.call = call
        self.name = name
        self.device = device
        self.flow = flow
        self.behind_nat = behind_nat
        self.session: Session | None = None
        self.started_at = call.exchange.clock()
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self.rang = False
        self.reached, self.via = "calls", ""  # how the party came into the call (pbx.records.LegRecord)
        self.told = UNTOLD
        self.cause = ""
        self.former_call_id = ""  # of its dialog, once it has ended
        self.codec = ""  # for its record, where its sound ended before the call
        self.quality: LegQuality | None = None  # likewise
        self.proposal = b""  # what it is still to be offered
        self.picture_due = 0.0  # when it may be asked for a picture again (pbx.calls.pictures), monotonic
        self.returned = False  # whether its page was loaded again while it was being called
        self.versions_ahead = 0  # of its descriptions: how many more it was told than the engine made

    # What an app asks

    def ring(self, status: int = 180, body: bytes = b"") -> None:
        """Tell the caller that somebody's phone rings; with a body, early media; not once it has ended."""
        if self.ended_at is not None:
            return  # it gave up just now, and the app is about to hear so
        self._incoming.ring(self._now, status, body, reliable=bool(body))  # RFC 3262, where it takes that
        if body and self.call.recorded:
            self.call.exchange.recordings.look(self.call)
        self.rang = True
        self._tell(CallRinging)
        self._wake()

    def answer(self, body: bytes, name: str = "", number: str = "") -> None:
        """Answer the caller; nothing once it has ended. body: our answer to its offer, or our offer.

        name, number: of the person of ours who answered, which a device is told (RFC 3325 section 9.1).
        """
        if self.ended_at is not None:
            return
        incoming = self._incoming
        if incoming.agreed and self._numbered(body) != incoming.local_sdp:
            self.proposal = body  # its answer came with early media: this one is another
        shown = ""
        if number and self.device not in self.call.plan.trunks:
            shown = f"P-Asserted-Identity: {self.call.exchange.address_of(number, name)}\r\n"
        incoming.answer(self._numbered(body), self._now, shown)
        self.answered_at = self.call.exchange.clock()
        self._tell(CallAnswered)
        self._wake()

    def refuse(self, status: int, cause: str, *, reason: Reason | None = None, phrase: str = "") -> None:
        """End the caller's attempt with a final response; nothing once it has ended."""
        if self.ended_at is not None:
            return
        headers = reason.header if reason is not None else ""
        self._incoming.refuse(status, self._now, reason=phrase, headers=headers)
        self._end(cause)
        self._wake()

    def be_focus(self, user: str) -> None:
        """Tell the caller that it speaks with a conference, and by which user others are sent into it.

        Before the answer; RFC 4579 section 5.1.
        """
        session = self.session
        if session is not None and session.state is SessionState.BEGINNING:
            scheme, _, place = session.contact.partition(":")
            session.contact = f"{scheme}:{user}@{place.rpartition('@')[2]}"
            session.contact_parameters = ";isfocus"

    def acknowledge(self, body: bytes) -> None:
        """Send a device that answered with an offer our answer; nothing once it has ended."""
        if self.ended_at is not None:
            return
        assert isinstance(self.session, OutgoingSession)
        self.session.acknowledge(body, self._now)
        self._wake()

    def hang_up(self, cause: str, reason: Reason | None = None) -> None:
        """End the leg, whatever it is doing; nothing when it has ended already.

        reason: for the CANCEL, the BYE or the refusal.
        """
        session = self.session
        if self.ended_at is not None or session is None:
            return
        if session.state is SessionState.CONFIRMED:
            self._end(cause)
            session.hang_up(self._now, reason)
        elif isinstance(session, OutgoingSession):
            self._end(cause)
            session.cancel(self._now, reason)
        elif session.state is SessionState.BEGINNING:
            self.refuse(480, cause, reason=reason)
        self._wake()

    @property
    def offer_now(self) -> bytes:
        """What the caller offers now."""
        return self.call.offer

    def leave(self, cause: str) -> None:
        """The party has moved into another call, with its dialog."""
        self._end(cause)
        self.session = None
        if self.call.kept:
            self.call.keep()

    def release(self) -> None:
        """Let the 200 to this leg's BYE leave, and let go of the session."""
        if self.session is not None:
            self.session.release(self._now)
            self.session = None
            self._wake()

    def show(self, name: str, number: str) -> None:
        """Tell the party whom it speaks with now (RFC 3325, RFC 4916), where its telephone takes that."""
        session = self.session
        if self.device in self.call.plan.trunks:
            return  # an operator knows our people by its own numbers
        if session is not None and session.state is SessionState.CONFIRMED and session.takes_update:
            identity = self.call.exchange.address_of(number, name)
            session.update(self._now, f"P-Asserted-Identity: {identity}\r\n")
            self._wake()

    @property
    def confirmed(self) -> bool:
        """Whether the leg is answered and hasn't ended."""
        return self.session is not None and self.session.state is SessionState.CONFIRMED

    @property
    def agreed(self) -> bool:
        """Whether an offer and its answer have been exchanged with it."""
        return self.session is not None and self.session.agreed

    @property
    def call_id(self) -> str:
        """The Call-ID of its dialog (`sip.core.replaces.Replaceable`), empty without one."""
        return self.session.dialog.call_id if self.session is not None else ""

    @property
    def local_tag(self) -> str:
        """Our tag."""
        return self.session.dialog.local_tag if self.session is not None else ""

    @property
    def remote_tag(self) -> str:
        """The party's tag; while it rings, that of the first of its forks."""
        session = self.session
        return (session.dialog.remote_tag or session.ringing_tag) if session is not None else ""

    @property
    def stage(self) -> Stage:
        """How far its dialog has come."""
        if self.confirmed:
            return Stage.CONFIRMED
        if self.ended_at is not None:
            return Stage.ENDED
        return Stage.EARLY if isinstance(self.session, OutgoingSession) else Stage.EARLY_INCOMING

    @property
    def local_sdp(self) -> bytes:
        """What the party was told last in an exchange that came to an end; empty before."""
        return self.session.local_sdp if self.session is not None else b""

    @property
    def remote_sdp(self) -> bytes:
        """What the party said last in an exchange that came to an end; empty before."""
        return self.session.remote_sdp if self.session is not None else b""

    @property
    def may_offer(self) -> bool:
        """Whether `offer` is possible now."""
        return self.session is not None and self.session.may_offer

    def offer(self, body: bytes) -> None:
        """Send a re-INVITE. Raises LocalProtocolError unless `may_offer`."""
        assert self.session is not None
        self.session.offer(self._numbered(body), self._now)
        self._wake()

    def accept_offer(self, body: bytes) -> None:
        """Answer what it offered; nothing once it has ended."""
        if self.session is None:
            return
        self.session.accept_offer(self._numbered(body), self._now)
        self._wake()

    def refuse_offer(self, status: int) -> None:
        """Refuse what it offered: what was agreed before holds. Nothing once it has ended.

        What can't be refused is answered by taking none of it; then what held before is offered again, at
        once or after the answer (RFC 6337 section 2.3).
        """
        session = self.session
        if session is None:
            return
        offer, before = session.must_answer, session.local_sdp
        if offer and before:
            session.accept_offer(declined(offer, before), self._now)
            self.versions_ahead += 2  # of the engine's: one for what was declined, one for what follows
            if session.may_offer:
                session.offer(renewed(before, versions=2), self._now)
            else:
                self.proposal = self.proposal or before
        else:
            session.refuse_offer(status, self._now)
        self._wake()

    def _follow(self) -> None:
        """The party has spoken over another connection: its requests go there from now on (12.2.2)."""
        if self.session is not None and self.session.dialog.flow.reliable:
            self.flow = self.session.dialog.flow

    # What the session tells (sip.core.session.SessionUser)

    def progressed(self, status: int, body: bytes, now: float) -> None:
        """A provisional response of the device."""
        if not self.rang:
            self.rang = True
            self._tell(CallRinging)
        self.call.post(Progressed(self, status, body))

    def answered(self, body: bytes, now: float) -> None:
        """The device answered."""
        self.answered_at = self.call.exchange.clock()
        self._tell(CallAnswered)
        self.call.post(Answered(self, body))

    def failed(self, status: int, reason: Reason, now: float) -> None:
        """The device didn't take the call."""
        self._end(f"{status} {reason.text}".strip())
        self.call.post(Failed(self, status, reason))

    def cancelled(self, reason: Reason, now: float) -> None:
        """The caller gave up."""
        self._end("cancelled")
        self.call.post(LegEnded(self, reason))

    def acknowledged(self, body: bytes, now: float) -> None:
        """The party has our answer, or with a body: its own to our offer."""
        if body or (not self.call.offer and self is self.call.caller):
            self.call.post(Acknowledged(self, body))

    def offered(self, body: bytes, now: float) -> None:
        """The party wants to change its media."""
        self._follow()
        self.call.post(Offered(self, body))

    def offer_withdrawn(self, now: float) -> None:
        """The party took its offer back."""
        self.call.post(OfferWithdrawn(self))

    def identity_changed(self, request: Request, now: float) -> None:
        """The party is somebody else now. Only an operator is believed (RFC 3325 section 5)."""
        if self.device not in self.call.plan.trunks:
            return
        shown = asserted_identity(request, trusted=True)
        hidden = shown.privacy.hides_caller
        self.call.post(Identified(self, "" if hidden else shown.name, "" if hidden else shown.number))

    def requested(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """INFO with a key or for a picture, or a REFER. Raises RemoteProtocolError for anything else."""
        stack = self.call.exchange.core.stack
        if not self.flow.open and request.flow is not None and self.session is not None:
            # RFC 5626 section 5.3: the way that it uses now is the one that works.
            self.flow = self.session.dialog.flow = request.flow
        match request.method:
            case "INFO":
                wants_picture = asks_for_picture(request)
                key = None if wants_picture else digit_of(request)
                stack.respond(transaction, 200, now)
                if wants_picture:
                    pictures.asked_by(self)
                if key is not None:
                    self.call.post(Digit(self, key.digit, in_sound=False))
            case "REFER":
                session = self.session
                assert session is not None
                if self.call.exchange.devices.find(self.device) is None:
                    raise RemoteProtocolError(403, "Forbidden")  # an operator makes no calls of ours
                if self.call.other_party(self) is None:
                    raise RemoteProtocolError(403, "Nobody To Transfer")
                refer = Refer.parse(request)
                refer.check_callable()
                stack.respond(transaction, 202, now, headers=refer.response_headers)
                self.call.post(Referred(self, refer, ReferSubscription(session, refer, now)))
            case _:
                raise RemoteProtocolError(501, "Not Implemented")

    def offer_answered(self, body: bytes, now: float) -> None:
        """The party accepted our re-INVITE."""
        self.call.post(OfferAnswered(self, body))

    def offer_refused(self, status: int, now: float) -> None:
        """The party refused our re-INVITE."""
        session = self.session
        assert session is not None
        retry_seconds = None
        if status == 491:
            retry_seconds = session.glare_seconds()
        elif (
            status == 500
            and session.heard is not None
            and (found := _SECONDS.match(session.heard.get("retry-after")))
        ):
            retry_seconds = float(found[0])
        self.call.post(OfferRefused(self, status, retry_seconds))

    def ended(self, reason: Reason, now: float) -> None:
        """The party hung up, or was lost."""
        if reason.protocol == "Q.850":
            self._end("hung up")
        elif reason.cause in {408, 481}:  # no ACK came, or no answer to a re-INVITE
            self._end(LOST)
        else:
            self._end(reason.text or str(reason.cause))
        self.call.post(LegEnded(self, reason))

    @property
    def media_address(self) -> str:
        """The address of ours for its sound, to `advertise` in the SDP that it is sent."""
        return self.call.exchange.media_address_toward(self.flow)

    # For the record

    def record(self, codec: str, quality: LegQuality | None) -> LegRecord:
        """What the call record says of this leg."""
        return LegRecord(
            self.device,
            # A visitor of the town's site leaves nothing of who they are.
            "" if is_visitor(self.device) else host_port(self.flow.remote),
            self.flow.transport.lower(),
            codec or None,
            self.started_at,
            self.answered_at,
            self.ended_at,
            self.cause,
            quality,
            ("direct" if self.call.direct else "relayed") if codec else None,
            self.name,
            self.number,
            self.reached,
            self.via,
            self.call_id or self.former_call_id,
        )

    @property
    def number(self) -> str:
        """The party's extension, else its number outside."""
        call = self.call
        if self is call.caller:
            return call.from_number
        known = call.exchange.devices.find(self.device)
        return known.extension if known is not None else call.to

    def ongoing(self) -> OngoingLeg:
        """What another process needs to go on with this leg."""
        session = self.session
        flow = self.flow
        confirmed = session is not None and session.state is SessionState.CONFIRMED
        return OngoingLeg(
            self.name,
            self.device,
            flow.transport,
            flow.remote,
            self.behind_nat,
            self.started_at,
            self.answered_at,
            self.ended_at,
            self.cause,
            self.codec,
            session.snapshot() if session is not None and confirmed else None,
            self.reached,
            self.via,
            self.call_id or self.former_call_id,
        )

    def _numbered(self, body: bytes) -> bytes:
        """A description of the engine's, which doesn't know of the versions that were said without it."""
        return renewed(body, self.versions_ahead) if self.versions_ahead else body

    @property
    def _incoming(self) -> IncomingSession:
        assert isinstance(self.session, IncomingSession)
        return self.session

    @property
    def _now(self) -> float:
        return self.call.exchange.driver.now

    def _wake(self) -> None:
        self.call.exchange.driver.wake()

    def _end(self, cause: str) -> None:
        if self.ended_at is None:
            self.ended_at = self.call.exchange.clock()
            self.cause = cause
            if self.session is not None:
                self.former_call_id = self.session.dialog.call_id
            call = self.call
            if call.recorded:
                call.exchange.recordings.left(self)
            call.exchange.events.publish(LegLeft, call.id, self.name, self.device, cause)

    def _tell(self, kind: type[CallRinging | CallAnswered]) -> None:
        call = self.call
        call.exchange.events.publish(kind, call.id, self.name, self.device)
