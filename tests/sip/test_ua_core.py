"""Which session a message belongs to, and what sessions say on the wire (RFC 3261 sections 12 and 13)."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from sip.core.dialog import Dialog
from sip.core.dialog_request import Authorize
from sip.core.errors import LocalProtocolError, ParseError
from sip.core.flow import Flow
from sip.core.identifiers import Identifiers
from sip.core.incoming_session import IncomingSession
from sip.core.message import Request, Response
from sip.core.outgoing_session import MAX_FORKS, OutgoingSession
from sip.core.reason import ANSWERED_ELSEWHERE, Reason
from sip.core.session import Session, SessionState
from sip.core.stack import ServerTransaction
from sip.core.transactions.invite_server import InviteServer
from sip.core.ua_core import UserAgentCore
from tests.sip.messages import (
    LOCAL,
    PHONE,
    SDP,
    UDP,
    label,
    read_request,
    read_response,
    request_bytes,
    response_bytes,
    take,
    take_labels,
)

CONTACT = "Contact: <sip:alice@192.0.2.77:5062>\r\n"
THEIR_CONTACT = "Contact: <sip:bruno@192.0.2.77>\r\n"


class Owner:
    """An application and the user of its sessions: keeps what it is told, decides nothing."""

    def __init__(self) -> None:
        self.core = UserAgentCore(Identifiers(b"owner"), self)
        self.sessions: list[IncomingSession] = []
        self.outside: list[str] = []
        self.told: list[str] = []

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        self.outside.append(request.method)
        if isinstance(transaction, InviteServer):
            self.sessions.append(self.core.accept(request, transaction, self))

    def progressed(self, status: int, body: bytes, now: float) -> None:
        self.told.append(f"progressed {status} {body.decode()}".strip())

    def answered(self, body: bytes, now: float) -> None:
        self.told.append(f"answered {body.decode()}".strip())

    def failed(self, status: int, reason: Reason, now: float) -> None:
        self.told.append(f"failed {status} {reason.protocol} {reason.cause} {reason.text}".strip())

    def cancelled(self, reason: Reason, now: float) -> None:
        self.told.append(f"cancelled {reason.protocol} {reason.cause}")

    def acknowledged(self, body: bytes, now: float) -> None:
        self.told.append("acknowledged")

    def offered(self, body: bytes, now: float) -> None:
        self.told.append("offered")

    def offer_withdrawn(self, now: float) -> None:
        self.told.append("offer withdrawn")

    def identity_changed(self, request: Request, now: float) -> None:
        self.told.append("identity changed")

    def requested(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        self.told.append(f"requested {request.method}")
        self.core.stack.respond(transaction, 200, now)

    def offer_answered(self, body: bytes, now: float) -> None:
        self.told.append("offer answered")

    def offer_refused(self, status: int, now: float) -> None:
        self.told.append(f"offer refused {status}")

    def ended(self, reason: Reason, now: float) -> None:
        self.told.append(f"ended {reason.protocol} {reason.cause}")

    def response_received(self, response: Response, now: float) -> None:
        self.told.append(f"heard {response.status}")

    def no_response(self, reason: str, now: float) -> None:
        self.told.append(f"heard nothing: {reason}")

    # What a test does

    def receive(self, data: bytes, now: float = 0.0, flow: Flow = UDP) -> list[str]:
        """Let one message in; returns what goes out."""
        self.core.stack.receive(data, flow, now)
        return take_labels(self.core.stack.outbox)

    def invited(self, headers: str = CONTACT, **parts: str) -> IncomingSession:
        """The session of an INVITE with an offer."""
        assert self.receive(request_bytes("INVITE", headers=headers, body=SDP, **parts)) == []
        return self.sessions[-1]

    def answered_call(self) -> IncomingSession:
        """An incoming session, answered and acknowledged."""
        session = self.invited()
        session.answer(SDP, 0.0)
        self.sent()
        self.receive(self.within(session, "ACK", cseq=7))
        self.told.clear()
        return session

    def call(
        self, body: bytes = SDP, *, authorize: Authorize | None = None, headers: str = ""
    ) -> tuple[OutgoingSession, bytes]:
        """A session of our own, and its INVITE."""
        session = self.core.invite(
            "sip:bruno@192.0.2.77",
            UDP,
            self,
            0.0,
            local_address='"Desk" <sip:desk@valmont.example>',
            remote_address="<sip:bruno@valmont.example>",
            body=body,
            authorize=authorize,
            headers=headers,
        )
        return session, self.sent()

    def sent(self) -> bytes:
        """The one message that lies in the outbox."""
        (data,) = take(self.core.stack.outbox)
        return data

    def within(self, session: Session, method: str, *, cseq: int = 8, from_tag: str = "alice") -> bytes:
        """A request of the caller's within the dialog."""
        return request_bytes(
            method,
            branch=f"z9hG4bK-{method}-{cseq}",
            to_tag=session.dialog.local_tag,
            from_tag=from_tag,
            cseq=cseq,
            headers=CONTACT if method == "INVITE" else "",
        )

    def rest(self) -> dict[str, int]:
        """What is alive after the longest timers."""
        for now in (100.0, 200.0, 300.0):
            self.core.stack.fire(now)
            take(self.core.stack.outbox)
        return {name: count for name, count in self.core.inventory().items() if count}


# --- Whose message it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["BYE", "INVITE", "INFO"])
def test_a_request_for_a_dialog_that_is_not_there_is_481(method: str) -> None:
    """RFC 3261 section 12.2.2."""
    owner = Owner()
    assert owner.receive(request_bytes(method, to_tag="gone", headers=CONTACT)) == [f"481 {method}"]
    assert owner.outside == []


@pytest.mark.parametrize("change", ["call-id", "to", "from"])
def test_a_bye_that_names_another_dialog_is_481_and_ends_nothing(change: str) -> None:
    """RFC 3261 section 12: Call-ID and both tags."""
    owner = Owner()
    session = owner.answered_call()
    bye = request_bytes(
        "BYE",
        branch="z9hG4bK2",
        call_id="other" if change == "call-id" else "c1",
        to_tag="other" if change == "to" else session.dialog.local_tag,
        from_tag="other" if change == "from" else "alice",
        cseq=8,
    )
    assert owner.receive(bye) == ["481 BYE"]
    assert session.state is SessionState.CONFIRMED


def test_an_ack_of_another_caller_confirms_nothing() -> None:
    """RFC 3261 section 12."""
    owner = Owner()
    session = owner.invited()
    session.answer(SDP, 0.0)
    owner.sent()
    owner.receive(owner.within(session, "ACK", cseq=7, from_tag="mallory"))
    assert owner.told == []
    owner.receive(owner.within(session, "ACK", cseq=7))
    assert owner.told == ["acknowledged"]


def test_an_options_for_a_dialog_that_is_not_there_is_for_the_application() -> None:
    """RFC 3261 section 11.2: answered as any OPTIONS."""
    owner = Owner()
    owner.receive(request_bytes("OPTIONS", to_tag="gone"))
    assert owner.outside == ["OPTIONS"]


def test_an_options_within_a_dialog_is_answered_with_allow() -> None:
    """RFC 3261 section 11.2."""
    owner = Owner()
    session = owner.answered_call()
    owner.core.stack.receive(owner.within(session, "OPTIONS"), UDP, 1.0)
    answer = read_response(owner.sent())
    assert answer.status == 200
    assert "INVITE" in answer.first("allow")


def test_a_bye_with_an_old_cseq_is_500_and_ends_nothing() -> None:
    """RFC 3261 section 12.2.2."""
    owner = Owner()
    session = owner.answered_call()
    assert owner.receive(owner.within(session, "BYE", cseq=6)) == ["500 BYE"]
    assert session.state is SessionState.CONFIRMED


def test_the_200_to_a_bye_waits_for_its_release() -> None:
    """What it acknowledges is written first."""
    owner = Owner()
    session = owner.answered_call()
    assert owner.receive(owner.within(session, "BYE")) == []
    assert owner.told == ["ended Q.850 16"]
    session.release(1.0)
    assert label(owner.sent()) == "200 BYE"
    session.release(1.0)
    assert take(owner.core.stack.outbox) == []


def test_a_bye_says_why() -> None:
    """RFC 3326 section 2."""
    owner = Owner()
    session = owner.answered_call()
    bye = owner.within(session, "BYE").replace(b"Max-Forwards", b"Reason: Q.850;cause=102\r\nMax-Forwards")
    owner.receive(bye)
    session.release(1.0)
    assert owner.told == ["ended Q.850 102"]


# --- The callee's side -------------------------------------------------------------------------------------


def test_ringing_and_answering_have_our_tag_our_contact_and_the_record_route() -> None:
    """RFC 3261 section 12.1.1."""
    owner = Owner()
    session = owner.invited(CONTACT + "Record-Route: <sip:192.0.2.77;lr>\r\n")
    session.ring(0.0)
    ringing = read_response(owner.sent())
    session.answer(SDP, 0.0)
    answer = read_response(owner.sent())
    assert (ringing.status, answer.status) == (180, 200)
    for response in (ringing, answer):
        assert response.to.tag == session.dialog.local_tag
        assert response.contact.uri == f"sip:{LOCAL[0]}:{LOCAL[1]}"
        assert response.headers["record-route"] == ["<sip:192.0.2.77;lr>"]
    assert answer.body == SDP
    assert "allow" in answer.headers


def test_every_repetition_of_our_2xx_goes_where_the_first_went() -> None:
    """RFC 3261 section 18.2.2: a response follows the Via, wherever the Contact points."""
    owner = Owner()
    session = owner.invited("Contact: <sip:alice@192.0.2.77:5099>\r\n")
    session.answer(SDP, 0.0)
    ((first, _),) = owner.core.stack.outbox
    take(owner.core.stack.outbox)
    owner.core.stack.fire(0.5)
    ((again, _),) = owner.core.stack.outbox
    assert first.remote == again.remote == PHONE
    assert session.dialog.flow.remote == ("192.0.2.77", 5099)


@pytest.mark.parametrize("status", [486, 603])
def test_a_refusal_ends_the_session_and_its_phrase_is_ours(status: int) -> None:
    owner = Owner()
    session = owner.invited()
    session.refuse(status, 0.0, reason="Gone Fishing", headers=Reason("Q.850", 17).header)
    refusal = read_response(owner.sent())
    assert (refusal.status, refusal.reason) == (status, "Gone Fishing")
    assert refusal.first("reason") == "Q.850;cause=17"
    assert session.state is SessionState.ENDED
    assert owner.rest() == {}


def test_a_cancel_ends_it_with_487_and_says_why() -> None:
    """RFC 3261 section 9.2, RFC 3326 section 2."""
    owner = Owner()
    session = owner.invited()
    cancel = request_bytes("CANCEL", headers=ANSWERED_ELSEWHERE.header)
    assert owner.receive(cancel) == ["200 CANCEL", "487 INVITE"]
    assert owner.told == ["cancelled SIP 200"]
    assert session.state is SessionState.ENDED
    assert owner.rest() == {}


def test_nothing_can_be_said_to_a_caller_who_is_gone() -> None:
    owner = Owner()
    session = owner.invited()
    owner.receive(request_bytes("CANCEL"))
    for act in (
        lambda: session.ring(1.0),
        lambda: session.answer(SDP, 1.0),
        lambda: session.refuse(486, 1.0),
        lambda: session.hang_up(1.0),
        lambda: session.offer(SDP, 1.0),
    ):
        with pytest.raises(LocalProtocolError):
            act()
    assert take(owner.core.stack.outbox) == []


def test_ringing_after_the_answer_is_a_mistake_of_ours_even_while_a_reinvite_waits() -> None:
    owner = Owner()
    session = owner.answered_call()
    owner.receive(owner.within(session, "INVITE"))
    assert owner.told == ["offered"]
    with pytest.raises(LocalProtocolError):
        session.ring(1.0)
    with pytest.raises(LocalProtocolError):
        session.refuse(486, 1.0)
    with pytest.raises(LocalProtocolError):
        session.answer(SDP, 1.0)


def test_an_invite_that_makes_no_dialog_is_a_bad_request_and_keeps_nothing() -> None:
    """RFC 3261 section 8.1.1.8."""
    owner = Owner()
    assert owner.receive(request_bytes("INVITE", headers="Contact: <tel:+331>\r\n")) == ["400 INVITE"]
    assert owner.rest() == {}


# --- The caller's side -------------------------------------------------------------------------------------


def test_our_invite_says_what_an_invite_must() -> None:
    """RFC 3261 sections 8.1.1 and 13.2.1."""
    owner = Owner()
    session, data = owner.call(headers="Subject: test\r\n")
    invite = read_request(data)
    assert invite.uri == "sip:bruno@192.0.2.77"
    assert invite.first("from") == f'"Desk" <sip:desk@valmont.example>;tag={session.dialog.local_tag}'
    assert invite.first("to") == "<sip:bruno@valmont.example>"
    assert invite.contact.uri == f"sip:{LOCAL[0]}:{LOCAL[1]}"
    assert invite.max_forwards == 70
    assert invite.cseq == (1, "INVITE")
    assert "BYE" in invite.first("allow")
    assert invite.first("subject") == "test"
    assert invite.first("content-type") == "application/sdp"
    assert invite.body == SDP


def test_the_ack_of_a_2xx_goes_to_the_contact_with_the_number_of_the_invite_and_its_own_branch() -> None:
    """RFC 3261 sections 13.2.2.4 and 17.1.1.3."""
    owner = Owner()
    _, invite = owner.call()
    contact = "Contact: <sip:bruno@192.0.2.80>\r\n"
    owner.core.stack.receive(response_bytes(invite, 200, headers=contact, body=SDP), UDP, 0.0)
    ack = read_request(owner.sent())
    assert (ack.method, ack.uri) == ("ACK", "sip:bruno@192.0.2.80")
    assert ack.cseq == (1, "ACK")
    assert ack.to.tag == "bruno"
    assert ack.via.branch != read_request(invite).via.branch
    assert ack.body == b""
    assert owner.told == ["answered v=0"]


def test_provisional_responses_above_100_are_told_with_their_early_media() -> None:
    owner = Owner()
    _, invite = owner.call()
    owner.receive(response_bytes(invite, 100))
    owner.receive(response_bytes(invite, 180))
    owner.receive(response_bytes(invite, 183, body=SDP))
    assert owner.told == ["progressed 180", "progressed 183 v=0"]


@pytest.mark.parametrize("early", [SDP, b""])
def test_a_2xx_without_an_answer_leaves_a_session_that_can_change(early: bytes) -> None:
    """RFC 6337 section 2.1: an answer that came early was the answer; without any nothing is agreed."""
    owner = Owner()
    session, invite = owner.call()
    owner.receive(response_bytes(invite, 183, body=early))
    owner.receive(response_bytes(invite, 200, headers=THEIR_CONTACT))
    assert session.may_offer


def test_a_refusal_is_told_with_its_reason_header_or_its_own_phrase() -> None:
    """RFC 3326 section 2."""
    owner = Owner()
    for headers in ("", 'Reason: Q.850;cause=17;text="Busy"\r\n'):
        _, invite = owner.call()
        assert owner.receive(response_bytes(invite, 486, headers=headers)) == ["ACK"]
    assert owner.told == ["failed 486 SIP 486 Phrase", "failed 486 Q.850 17 Busy"]
    assert owner.rest() == {}


def test_a_challenge_is_answered_once_within_the_same_call() -> None:
    """RFC 3261 section 22.2: same Call-ID, From tag and To, next CSeq, another branch."""
    asked: list[tuple[int, str, str]] = []

    def authorize(response: Response, method: str, uri: str) -> str:
        asked.append((response.status, method, uri))
        return "Authorization: Digest x\r\n"

    owner = Owner()
    session, data = owner.call(authorize=authorize)
    first = read_request(data)
    owner.core.stack.receive(response_bytes(data, 401), UDP, 0.0)
    ack, again_data = take(owner.core.stack.outbox)
    again = read_request(again_data)
    assert label(ack) == "ACK"
    assert asked == [(401, "INVITE", "sip:bruno@192.0.2.77")]
    assert again.first("authorization") == "Digest x"
    assert (again.call_id, again.from_.tag) == (first.call_id, first.from_.tag)
    assert again.to.tag == ""
    assert again.cseq == (2, "INVITE")
    assert again.via.branch != first.via.branch
    assert again.body == SDP
    assert owner.receive(response_bytes(again_data, 401)) == ["ACK"]
    assert owner.told == ["failed 401 SIP 401 Phrase"]
    assert session.state is SessionState.ENDED
    assert owner.rest() == {}


def test_the_ack_of_a_challenged_invite_has_its_credentials() -> None:
    """RFC 3261 sections 13.2.2.4 and 22.1."""
    owner = Owner()
    _, data = owner.call(authorize=lambda response, method, uri: "Proxy-Authorization: Digest x\r\n")
    owner.core.stack.receive(response_bytes(data, 407), UDP, 0.0)
    _, again = take(owner.core.stack.outbox)
    for tag in ("first", "fork"):
        answer = response_bytes(again, 200, to_tag=tag, headers=THEIR_CONTACT, body=SDP)
        owner.core.stack.receive(answer, UDP, 0.0)
        ack = read_request(take(owner.core.stack.outbox)[0])
        assert (ack.method, ack.to.tag) == ("ACK", tag)
        assert ack.first("proxy-authorization") == "Digest x"


def test_a_challenge_that_can_not_be_answered_is_a_refusal() -> None:
    def authorize(response: Response, method: str, uri: str) -> str:
        raise ParseError("no challenge that we can answer")

    owner = Owner()
    _, invite = owner.call(authorize=authorize)
    assert owner.receive(response_bytes(invite, 407)) == ["ACK"]
    assert owner.told == ["failed 407 SIP 407 Phrase"]


def test_a_challenge_after_we_gave_up_is_not_answered() -> None:
    """RFC 3261 section 9.1."""
    owner = Owner()
    session, invite = owner.call(authorize=lambda response, method, uri: "Authorization: Digest x\r\n")
    session.cancel(0.0)
    assert owner.receive(response_bytes(invite, 401)) == ["ACK"]
    assert owner.told == []
    assert owner.rest() == {}


def test_a_cancel_says_that_the_call_was_completed_elsewhere() -> None:
    """RFC 3326 section 3.1."""
    owner = Owner()
    session, invite = owner.call()
    owner.receive(response_bytes(invite, 180))
    session.cancel(1.0, ANSWERED_ELSEWHERE)
    cancel = read_request(owner.sent())
    assert cancel.method == "CANCEL"
    assert cancel.first("reason") == 'SIP;cause=200;text="Call completed elsewhere"'


def test_a_cancel_that_waited_for_a_provisional_response_says_why_too() -> None:
    """RFC 3261 section 9.1."""
    owner = Owner()
    session, invite = owner.call()
    session.cancel(0.0, ANSWERED_ELSEWHERE)
    assert take(owner.core.stack.outbox) == []
    owner.core.stack.receive(response_bytes(invite, 100), UDP, 0.1)
    assert read_request(owner.sent()).first("reason").startswith("SIP;cause=200")


def test_giving_up_twice_sends_one_cancel() -> None:
    """RFC 3261 section 9.1."""
    owner = Owner()
    session, invite = owner.call()
    owner.receive(response_bytes(invite, 180))
    session.cancel(1.0)
    session.cancel(1.1)
    assert label(owner.sent()) == "CANCEL"
    assert owner.rest() == {}


def test_giving_up_after_the_end_is_a_mistake_of_ours() -> None:
    owner = Owner()
    session, invite = owner.call()
    owner.receive(response_bytes(invite, 486))
    with pytest.raises(LocalProtocolError):
        session.cancel(1.0)


def test_each_of_many_forks_is_acknowledged_and_hung_up_up_to_a_limit() -> None:
    """RFC 3261 section 13.2.2.4."""
    owner = Owner()
    _, invite = owner.call()
    owner.receive(response_bytes(invite, 200, to_tag="first", headers=THEIR_CONTACT))
    for number in range(MAX_FORKS):
        fork = response_bytes(invite, 200, to_tag=f"fork{number}", headers=THEIR_CONTACT)
        assert owner.receive(fork) == ["ACK", "BYE"]
        assert owner.receive(fork) == ["ACK"]
    assert owner.receive(response_bytes(invite, 200, to_tag="last", headers=THEIR_CONTACT)) == []


def test_the_routes_of_a_fork_are_its_own() -> None:
    """RFC 3261 section 12.1.2: each 2xx makes its own dialog."""
    owner = Owner()
    _, invite = owner.call()
    owner.receive(response_bytes(invite, 200, to_tag="first", headers=THEIR_CONTACT))
    headers = "Contact: <sip:fork@192.0.2.99>\r\nRecord-Route: <sip:p1;lr>\r\n"
    owner.core.stack.receive(response_bytes(invite, 200, to_tag="fork", headers=headers), UDP, 0.0)
    for data in take(owner.core.stack.outbox):
        message = read_request(data)
        assert message.uri == "sip:fork@192.0.2.99"
        assert message.to.tag == "fork"
        assert message.headers["route"] == ["<sip:p1;lr>"]


def test_a_late_offer_is_answered_in_the_ack() -> None:
    """RFC 3261 section 13.2.2.4."""
    owner = Owner()
    session, invite = owner.call(b"")
    assert owner.receive(response_bytes(invite, 200, headers=THEIR_CONTACT, body=SDP)) == []
    with pytest.raises(LocalProtocolError):
        session.offer(SDP, 1.0)
    session.acknowledge(SDP, 1.0)
    ack = read_request(owner.sent())
    assert (ack.method, ack.body) == ("ACK", SDP)
    assert session.may_offer
    with pytest.raises(LocalProtocolError):
        session.acknowledge(SDP, 1.0)


def test_a_reinvite_before_our_answer_to_a_late_offer_is_500() -> None:
    """RFC 3261 section 14.2."""
    owner = Owner()
    session, invite = owner.call(b"")
    owner.receive(response_bytes(invite, 200, headers=THEIR_CONTACT, body=SDP))
    reinvite = request_bytes(
        "INVITE",
        call_id=session.dialog.call_id,
        from_tag="bruno",
        to_tag=session.dialog.local_tag,
        cseq=1,
        headers=THEIR_CONTACT,
    )
    assert owner.receive(reinvite) == ["500 INVITE"]


def test_acknowledging_what_has_ended_is_a_mistake_of_ours() -> None:
    owner = Owner()
    session, invite = owner.call(b"")
    owner.receive(response_bytes(invite, 200, headers=THEIR_CONTACT, body=SDP))
    session.hang_up(1.0)
    assert take_labels(owner.core.stack.outbox) == ["ACK", "BYE"]
    with pytest.raises(LocalProtocolError):
        session.acknowledge(SDP, 1.0)


# --- Our re-INVITE -----------------------------------------------------------------------------------------


def test_a_reinvite_moves_the_target_before_its_ack() -> None:
    """RFC 3261 section 12.2.1.2."""
    owner = Owner()
    session = owner.answered_call()
    session.offer(SDP, 1.0)
    invite = owner.sent()
    assert read_request(invite).contact.uri == session.contact
    moved = "Contact: <sip:alice@192.0.2.99>\r\n"
    owner.core.stack.receive(response_bytes(invite, 200, headers=moved, body=SDP), UDP, 1.0)
    assert read_request(owner.sent()).uri == "sip:alice@192.0.2.99"
    assert owner.told == ["offer answered"]


def test_a_2xx_with_a_contact_that_is_none_is_acknowledged_all_the_same() -> None:
    """RFC 3261 section 13.2.2.4."""
    owner = Owner()
    session = owner.answered_call()
    before = session.dialog.remote_target
    session.offer(SDP, 1.0)
    invite = owner.sent()
    assert owner.receive(response_bytes(invite, 200, headers="Contact: nonsense\r\n", body=SDP)) == ["ACK"]
    assert session.dialog.remote_target == before
    assert session.may_offer


def test_a_2xx_to_our_reinvite_without_an_answer_changes_nothing() -> None:
    """RFC 3264 section 4: what was agreed before holds, and another offer can be made."""
    owner = Owner()
    session = owner.answered_call()
    session.offer(SDP, 1.0)
    assert owner.receive(response_bytes(owner.sent(), 200)) == ["ACK"]
    assert owner.told == ["offer answered"]
    assert session.may_offer


def test_a_reinvite_has_a_higher_cseq_each_time() -> None:
    """RFC 3261 section 12.2.1.1."""
    owner = Owner()
    session = owner.answered_call()
    numbers = []
    for _ in range(3):
        session.offer(SDP, 1.0)
        invite = owner.sent()
        numbers.append(read_request(invite).cseq[0])
        owner.receive(response_bytes(invite, 200, body=SDP))
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("status", [408, 481])
def test_a_reinvite_that_meets_no_dialog_ends_the_session(status: int) -> None:
    """RFC 3261 section 12.2.1.2."""
    owner = Owner()
    session = owner.answered_call()
    session.offer(SDP, 1.0)
    assert owner.receive(response_bytes(owner.sent(), status)) == ["ACK", "BYE"]
    assert owner.told == [f"ended SIP {status}"]
    assert owner.rest() == {}


@pytest.mark.parametrize("trying", ["before the end", "after the end"])
@pytest.mark.parametrize("who", ["we", "they"])
def test_a_reinvite_that_is_never_refused_ends_some_time_after_its_session(who: str, trying: str) -> None:
    """RFC 3261 section 15.1.2 asks for a 487; a phone that sends 100 and nothing more leaves nothing here."""
    owner = Owner()
    session = owner.answered_call()
    session.offer(SDP, 1.0)
    invite = owner.sent()
    if trying == "before the end":
        owner.receive(response_bytes(invite, 100), 1.0)
    if who == "we":
        session.hang_up(2.0)
        owner.receive(response_bytes(owner.sent(), 200), 2.0)
    else:
        owner.receive(owner.within(session, "BYE"), 2.0)
        session.release(2.0)
        owner.sent()
    if trying == "after the end":
        owner.receive(response_bytes(invite, 100), 2.5)
    assert owner.rest() == {}


def test_a_broken_flow_refuses_our_reinvite_and_leaves_the_session() -> None:
    """RFC 3261 section 8.1.3.1 has it as 503, for which section 12.2.1.2 ends no dialog: the peer may come
    back over another connection (RFC 5626 section 5.3)."""
    owner = Owner()
    session = owner.answered_call()
    session.offer(SDP, 1.0)
    owner.sent()
    owner.core.stack.flow_failed(session.dialog.flow, 1.0)
    assert owner.told == ["offer refused 503"]
    assert session.state is SessionState.CONFIRMED


# --- Memory ------------------------------------------------------------------------------------------------


@pytest.fixture
def before_the_call() -> Iterator[int]:
    """How many sessions and dialogs live, while the collector rests as it does in the signalling process."""
    gc.collect()
    gc.disable()
    yield living()
    gc.enable()


def living() -> int:
    return sum(isinstance(thing, Session | Dialog) for thing in gc.get_objects())


@pytest.mark.parametrize("ending", ["hang up", "BYE", "hang up before the ACK", "cancel", "refuse"])
def test_nothing_of_an_incoming_call_outlives_its_last_timer(ending: str, before_the_call: int) -> None:
    owner = Owner()
    session = owner.invited()
    if ending not in {"cancel", "refuse"}:
        session.answer(SDP, 0.0)
        if ending != "hang up before the ACK":
            owner.receive(owner.within(session, "ACK", cseq=7))
    match ending:
        case "BYE":
            owner.receive(owner.within(session, "BYE"))
            session.release(1.0)
        case "cancel":
            owner.receive(request_bytes("CANCEL"))
        case "refuse":
            session.refuse(486, 1.0)
        case _:
            session.hang_up(1.0)
    assert session.user is None
    assert owner.rest() == {}
    owner.sessions.clear()
    del session
    assert living() == before_the_call


def test_a_call_that_was_answered_holds_what_was_agreed_and_no_headers() -> None:
    owner = Owner()
    session, invite = owner.call(headers="X-Long: header\r\n")
    owner.receive(response_bytes(invite, 200, headers=THEIR_CONTACT, body=SDP))
    held = {name: getattr(session, name) for name in dir(session) if not name.startswith("__")}
    assert [name for name, value in held.items() if value == SDP] == ["local_sdp", "remote_sdp"]
    assert not [name for name, value in held.items() if "X-Long" in str(value)]


@pytest.mark.parametrize(
    "ending", ["hang up", "refused", "cancelled", "silence", "after a re-INVITE", "in a re-INVITE"]
)
def test_nothing_of_an_outgoing_call_outlives_its_last_timer(ending: str, before_the_call: int) -> None:
    owner = Owner()
    session, invite = owner.call()
    match ending:
        case "hang up" | "after a re-INVITE" | "in a re-INVITE":
            owner.receive(response_bytes(invite, 200, headers=THEIR_CONTACT, body=SDP))
            if ending == "after a re-INVITE":
                session.offer(SDP, 1.0)
                owner.receive(response_bytes(owner.sent(), 200, body=SDP))
            if ending == "in a re-INVITE":
                session.offer(SDP, 1.0)
            session.hang_up(2.0)
        case "refused":
            owner.receive(response_bytes(invite, 486))
        case "cancelled":
            session.cancel(1.0)
    assert owner.rest() == {}
    assert session.user is None
    del session
    assert living() == before_the_call
