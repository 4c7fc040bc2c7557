"""What either side changes during a call, and before its answer: UPDATE (RFC 3311) and re-INVITE (14)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sip.core.errors import LocalProtocolError
from sip.core.message import Message
from sip.core.outgoing_session import OutgoingSession
from sip.core.session import SessionState
from tests.sip.line import Line, Side, core
from tests.sip.messages import UDP, read_request, read_response, request_bytes, response_bytes
from tests.sip.test_ua_core import CONTACT, THEIR_CONTACT, Owner

WITHOUT_UPDATE = ("INVITE", "ACK", "BYE", "CANCEL", "PRACK")


def lose_nothing(message: Message) -> bool:
    return False


def early(line: Line) -> Line:
    """The callee rings and has answered the offer, reliably; what was said and told is forgotten."""
    line.call()
    line.callee.ring(183, b"answer")
    line.forget()
    return line


def sides(line: Line, who: str) -> tuple[Side, Side]:
    return (line.caller, line.callee) if who == "caller" else (line.callee, line.caller)


# --- UPDATE before the answer -------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_either_side_may_change_the_session_before_the_answer(who: str) -> None:
    """RFC 3311 section 5.1: once offer and answer were exchanged reliably."""
    line = early(Line())
    one, other = sides(line, who)
    assert one.session.may_offer
    one.offer(b"offer 2")
    assert other.facts() == ["offered offer 2"]
    assert not other.session.may_offer
    other.accept(b"answer 2")
    assert one.facts() == ["offer answered answer 2"]
    assert [label[2:] for label in line.talk()] == ["UPDATE", "200 UPDATE"]
    line.callee.answer(b"")
    assert line.caller.facts() == [f"answered {line.caller.session.remote_sdp.decode()}"]
    assert {one.session.local_sdp, one.session.remote_sdp} == {b"offer 2", b"answer 2"}
    assert (other.session.local_sdp, other.session.remote_sdp) == (b"answer 2", b"offer 2")
    line.end()


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_change_before_the_answer_may_be_refused(who: str) -> None:
    """RFC 3311 section 5.2: 488, and what was agreed holds."""
    line = early(Line())
    one, other = sides(line, who)
    one.offer(b"offer 2")
    other.refuse(488)
    assert one.facts() == ["offer refused 488"]
    assert {one.session.local_sdp, one.session.remote_sdp} == {b"offer", b"answer"}
    assert one.session.agreed
    assert other.session.agreed
    line.callee.answer(b"")
    line.end()


def test_nobody_offers_before_offer_and_answer_were_exchanged_reliably() -> None:
    """RFC 3311 section 5.1."""
    line = Line()
    line.call()
    line.callee.ring(183, b"preview", reliable=False)
    for side in (line.caller, line.callee):
        assert not side.session.may_offer
        with pytest.raises(LocalProtocolError):
            side.offer(b"offer 2")
    line.callee.answer()
    line.end()


def test_nobody_sends_update_to_a_peer_that_does_not_take_it() -> None:
    """RFC 3311 section 4."""
    line = early(Line(callee=core("callee", methods=WITHOUT_UPDATE)))
    assert not line.caller.session.may_update
    assert not line.caller.session.may_offer
    with pytest.raises(LocalProtocolError):
        line.caller.update()
    assert line.callee.session.may_update
    line.callee.answer()
    line.end()


def test_the_200_waits_until_the_callees_own_offer_is_answered() -> None:
    """RFC 6337 section 2: one exchange after the other."""
    line = early(Line())
    line.callee.offer(b"offer 2")
    line.callee.answer(b"")
    assert line.talk() == ["< UPDATE"]
    line.caller.accept(b"answer 2")
    assert line.talk() == ["> 200 UPDATE", "< 200 INVITE", "> ACK"]
    line.end()


def test_the_200_waits_until_the_callers_offer_is_answered() -> None:
    line = early(Line())
    line.caller.offer(b"offer 2")
    line.callee.answer(b"")
    assert line.talk() == ["> UPDATE"]
    line.callee.refuse(488)
    assert line.talk() == ["< 488 UPDATE", "< 200 INVITE", "> ACK"]
    line.end()


def test_offers_that_cross_before_the_answer_are_both_refused_with_491() -> None:
    """RFC 3311 section 5.2."""
    line = early(Line())
    line.caller.session.offer(b"offer of the caller", line.now)
    line.callee.session.offer(b"offer of the callee", line.now)
    line.deliver()
    assert line.caller.facts() == line.callee.facts() == ["offer refused 491"]
    line.callee.answer(b"")
    line.end()


def test_a_call_given_up_answers_the_update_that_waits() -> None:
    """RFC 3261 section 15.1.2: 487. Without it the server transaction lives for ever."""
    line = early(Line())
    line.caller.offer(b"offer 2")
    line.caller.outgoing.cancel(line.now)
    line.deliver()
    assert "< 487 UPDATE" in line.talk()
    assert line.rest() == {}


def test_an_update_that_nobody_answers_before_the_answer_ends_nothing() -> None:
    line = early(Line())
    line.lose = lambda message: True
    line.caller.offer(b"offer 2")
    line.pass_time(33)
    line.lose = lose_nothing
    assert line.caller.facts() == ["offer refused 408"]
    assert line.caller.session.state is SessionState.BEGINNING
    line.callee.answer(b"")
    line.pass_time(1)
    line.end()


# --- Forks --------------------------------------------------------------------------------------------------


def two_forks() -> tuple[Owner, OutgoingSession, bytes]:
    """Our INVITE rings at two forks that answered it reliably."""
    owner = Owner()
    session, invite = owner.call(b"offer")
    for tag in ("one", "two"):
        headers = f"{THEIR_CONTACT}Allow: UPDATE, INFO\r\nRequire: 100rel\r\nRSeq: 1\r\n"
        body = f"answer of {tag}".encode()
        owner.receive(response_bytes(invite, 183, headers=headers, to_tag=tag, body=body))
    owner.told.clear()
    return owner, session, invite


def of_callee(
    invite: bytes, method: str, tag: str, *, cseq: int = 1, body: bytes = b"", headers: str = CONTACT
):
    """A request of the callee's within an early dialog."""
    asked = read_request(invite)
    data = request_bytes(
        method,
        branch=f"z9hG4bK{method}{tag}{cseq}",
        from_tag=tag,
        to_tag=asked.from_.tag,
        call_id=asked.call_id,
        cseq=cseq,
        headers=headers,
        body=body,
    )
    return data.replace(b"From: <sip:alice@", b"From: <sip:bruno@")


def test_each_fork_may_offer_and_is_answered_itself() -> None:
    """RFC 3261 section 12.1.2, RFC 3311 section 5.2."""
    owner, session, invite = two_forks()
    assert owner.receive(of_callee(invite, "UPDATE", "one", body=b"offer of one")) == []
    assert owner.told == ["offered"]
    assert session.fork == "one"
    headers = f"{THEIR_CONTACT}Require: 100rel\r\nRSeq: 2\r\n"
    owner.receive(
        response_bytes(invite, 180, headers=headers, to_tag="two")
    )  # meanwhile the other one speaks
    assert session.fork == "two"
    session.accept_offer(b"answer to one", 0.0)
    response = read_response(owner.sent())
    assert (response.status, response.from_.tag, response.body) == (200, "one", b"answer to one")


def test_a_second_fork_offers_only_when_the_first_is_answered() -> None:
    """RFC 3311 section 5.2."""
    owner, _, invite = two_forks()
    owner.receive(of_callee(invite, "UPDATE", "one", body=b"offer of one"))
    assert owner.receive(of_callee(invite, "UPDATE", "two", body=b"offer of two")) == ["500 UPDATE"]


def test_the_offer_of_a_fork_that_lost_is_withdrawn() -> None:
    """RFC 3261 section 13.2.2.4."""
    owner, session, invite = two_forks()
    owner.receive(of_callee(invite, "UPDATE", "one", body=b"offer of one"))
    owner.told.clear()
    labels = owner.receive(response_bytes(invite, 200, headers=THEIR_CONTACT, to_tag="two"))
    assert labels == ["487 UPDATE", "ACK"]
    assert owner.told == ["offer withdrawn", "answered answer of two"]
    assert session.accept_offer(b"too late", 0.0) is False
    assert owner.receive(of_callee(invite, "UPDATE", "one", cseq=2)) == ["481 UPDATE"]


def test_our_offer_to_a_fork_that_lost_means_nothing_any_more() -> None:
    owner, session, invite = two_forks()
    session.offer(b"offer 2", 0.0)
    update = owner.sent()
    assert read_request(update).to.tag == "two"
    owner.receive(response_bytes(invite, 200, headers=THEIR_CONTACT, to_tag="one"))
    owner.told.clear()
    assert session.may_offer
    owner.receive(response_bytes(update, 200, headers=THEIR_CONTACT, body=b"answer 2"))
    assert owner.told == []
    assert session.remote_sdp == b"answer of one"


def test_a_fork_that_only_rang_may_send_requests_too() -> None:
    """RFC 3261 section 12.1.2: a tagged provisional response makes a dialog."""
    owner = Owner()
    _, invite = owner.call()
    owner.receive(response_bytes(invite, 180, headers=THEIR_CONTACT, to_tag="one"))
    assert owner.receive(of_callee(invite, "UPDATE", "one")) == ["200 UPDATE"]
    assert owner.receive(of_callee(invite, "UPDATE", "stranger")) == ["481 UPDATE"]


def test_a_fork_without_a_usable_contact_has_no_early_dialog() -> None:
    owner = Owner()
    _, invite = owner.call()
    owner.receive(response_bytes(invite, 180, headers="Contact: <tel:1>\r\n", to_tag="one"))
    assert owner.receive(of_callee(invite, "UPDATE", "one")) == ["481 UPDATE"]


def test_a_callee_can_not_hang_up_before_its_answer() -> None:
    """RFC 3261 section 15."""
    owner, session, invite = two_forks()
    assert owner.receive(of_callee(invite, "BYE", "one")) == ["481 BYE"]
    assert session.state is SessionState.BEGINNING


# --- UPDATE during the call ---------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_an_update_without_offer_is_answered_at_once_and_told_to_nobody(who: str) -> None:
    """RFC 3311 section 5.2."""
    line = Line().talking()
    one, other = sides(line, who)
    one.update()
    assert [label[2:] for label in line.talk()] == ["UPDATE", "200 UPDATE"]
    assert one.facts() == other.facts() == []
    line.end()


def test_an_update_moves_the_remote_target_both_ways() -> None:
    """RFC 3311 section 5.1: it is a target refresh."""
    owner = Owner()
    session = owner.answered_call()
    update = request_bytes(
        "UPDATE",
        branch="z9hG4bKmove",
        to_tag=session.dialog.local_tag,
        cseq=8,
        headers="Contact: <sip:alice@192.0.2.99>\r\nAllow: UPDATE\r\n",
    )
    owner.core.stack.receive(update, UDP, 0.0)
    response = read_response(owner.sent())
    assert response.contact.uri == session.contact
    session.update(0.0)
    ours = owner.sent()
    assert read_request(ours).uri == "sip:alice@192.0.2.99"
    owner.receive(response_bytes(ours, 200, headers="Contact: <sip:alice@192.0.2.98>\r\n"))
    session.hang_up(0.0)
    assert read_request(owner.sent()).uri == "sip:alice@192.0.2.98"


def test_an_update_with_a_contact_that_is_none_changes_nothing() -> None:
    owner = Owner()
    session = owner.answered_call()
    update = request_bytes(
        "UPDATE",
        branch="z9hG4bKbad",
        to_tag=session.dialog.local_tag,
        cseq=8,
        headers="Contact: <tel:1>\r\nAllow: UPDATE\r\n",
        body=b"offer 2",
    )
    assert owner.receive(update) == ["400 UPDATE"]
    assert owner.told == []
    assert session.may_offer


def test_an_offer_in_update_is_told_and_answered() -> None:
    """RFC 3311 section 5.2."""
    owner = Owner()
    session = owner.answered_call()
    data = request_bytes(
        "UPDATE", branch="z9hG4bKu", to_tag=session.dialog.local_tag, cseq=8, headers=CONTACT, body=b"offer 2"
    )
    assert owner.receive(data) == []
    assert owner.told == ["offered"]
    assert not session.may_offer
    session.accept_offer(b"answer 2", 0.0)
    response = read_response(owner.sent())
    assert (response.body, response.to.tag) == (b"answer 2", session.dialog.local_tag)
    assert session.may_offer


def test_an_update_with_the_same_offer_is_answered_by_the_session_itself() -> None:
    """RFC 3264 section 8: nothing has changed."""
    owner = Owner()
    owner.receive(request_bytes("INVITE", headers=CONTACT, body=b"theirs"))
    session = owner.sessions[-1]
    session.answer(b"ours", 0.0)
    owner.sent()
    owner.receive(owner.within(session, "ACK", cseq=7))
    owner.told.clear()
    data = request_bytes(
        "UPDATE", branch="z9hG4bKu", to_tag=session.dialog.local_tag, cseq=8, headers=CONTACT, body=b"theirs"
    )
    owner.core.stack.receive(data, UDP, 0.0)
    assert read_response(owner.sent()).body == b"ours"
    assert owner.told == []


def test_a_second_update_before_our_answer_is_500_with_retry_after() -> None:
    """RFC 3311 section 5.2: 0 to 10 seconds."""
    owner = Owner()
    session = owner.answered_call()
    for cseq in (8, 9):
        data = request_bytes(
            "UPDATE",
            branch=f"z9hG4bKu{cseq}",
            to_tag=session.dialog.local_tag,
            cseq=cseq,
            headers=CONTACT,
            body=b"offer",
        )
        owner.core.stack.receive(data, UDP, 0.0)
    response = read_response(owner.sent())
    assert response.status == 500
    assert 0 <= int(response.first("retry-after")) <= 10


def test_a_reinvite_while_their_update_waits_is_500() -> None:
    """RFC 3261 section 14.2."""
    owner = Owner()
    session = owner.answered_call()
    tag = session.dialog.local_tag
    update = request_bytes("UPDATE", branch="z9hG4bKu", to_tag=tag, cseq=8, headers=CONTACT, body=b"offer")
    assert owner.receive(update) == []
    assert owner.receive(owner.within(session, "INVITE", cseq=9)) == ["500 INVITE"]


def test_an_update_with_an_offer_while_our_reinvite_waits_is_491() -> None:
    """RFC 3311 section 5.2."""
    owner = Owner()
    session = owner.answered_call()
    session.offer(b"ours", 0.0)
    owner.sent()
    tag = session.dialog.local_tag
    update = request_bytes("UPDATE", branch="z9hG4bKu", to_tag=tag, cseq=8, headers=CONTACT, body=b"offer")
    assert owner.receive(update) == ["491 UPDATE"]
    without = request_bytes("UPDATE", branch="z9hG4bKv", to_tag=tag, cseq=9, headers=CONTACT)
    assert owner.receive(without) == ["200 UPDATE"]


def test_an_update_is_inspected_as_any_request() -> None:
    """RFC 3261 section 8.2.2.3."""
    owner = Owner()
    session = owner.answered_call()
    tag = session.dialog.local_tag
    update = request_bytes("UPDATE", to_tag=tag, cseq=8, headers=CONTACT + "Require: precondition\r\n")
    owner.core.stack.receive(update, UDP, 0.0)
    response = read_response(owner.sent())
    assert (response.status, response.first("unsupported")) == (420, "precondition")


@pytest.mark.parametrize("status", [408, 481])
def test_an_update_refused_with_408_or_481_ends_the_dialog(status: int) -> None:
    """RFC 3261 section 12.2.1.2."""
    owner = Owner()
    session = owner.answered_call()
    session._allow = ["UPDATE"]
    session.update(0.0)
    assert owner.receive(response_bytes(owner.sent(), status)) == ["BYE"]
    assert owner.told == [f"ended SIP {status}"]


@pytest.mark.parametrize("status", [405, 488, 500, 503])
def test_an_update_refused_otherwise_leaves_the_call_as_it_was(status: int) -> None:
    owner = Owner()
    session = owner.answered_call()
    session._allow = ["UPDATE"]
    session.update(0.0)
    assert owner.receive(response_bytes(owner.sent(), status)) == []
    assert owner.told == []
    assert session.may_update is (status != 405)


@pytest.mark.parametrize("status", [200, 488])
def test_an_update_that_comes_while_another_is_under_way_follows_it(status: int) -> None:
    """RFC 4916: who the peer speaks with now must not be lost; of several, only the last one holds."""
    owner = Owner()
    session = owner.answered_call()
    session._allow = ["UPDATE"]
    session.update(0.0, "P-Asserted-Identity: <sip:1@a>\r\n")
    session.update(0.0, "P-Asserted-Identity: <sip:2@a>\r\n")
    session.update(0.0, "P-Asserted-Identity: <sip:3@a>\r\n")
    first = owner.sent()
    assert b"P-Asserted-Identity: <sip:1@a>" in first
    owner.core.stack.receive(response_bytes(first, status), UDP, 0.0)
    second = owner.sent()
    assert b"P-Asserted-Identity: <sip:3@a>" in second
    assert owner.receive(response_bytes(second, 200)) == []


def test_an_update_waits_for_the_ack_of_our_2xx() -> None:
    """RFC 4916: the 2xx may still come to the caller, and would show who was shown before."""
    owner = Owner()
    session = owner.invited()
    session._allow = ["UPDATE"]
    session.answer(b"answer", 0.0)
    owner.sent()
    session.update(0.0, "P-Asserted-Identity: <sip:2@a>\r\n")
    assert owner.receive(owner.within(session, "ACK", cseq=7)) == ["UPDATE"]


# --- Who the peer is ----------------------------------------------------------------------------------------


def test_another_identity_in_update_is_told_once() -> None:
    """RFC 3325 section 5, RFC 4916 for the other From."""
    line = Line().talking()
    for number in ("+33383000101", "+33383000101", "+33383000102"):
        line.callee.update(f"P-Asserted-Identity: <sip:{number}@valmont.example>\r\n")
    assert line.caller.facts() == [
        "identity <sip:+33383000101@valmont.example>",
        "identity <sip:+33383000102@valmont.example>",
    ]
    line.callee.update()
    assert line.caller.facts() == []
    line.end()


def test_another_identity_in_a_reinvite_is_told_before_its_offer() -> None:
    line = Line().talking()
    line.caller.answers = b"yes"
    line.callee.session.offer(b"hold", line.now, "P-Asserted-Identity: <sip:1003@valmont.example>\r\n")
    line.deliver()
    assert line.caller.facts()[:2] == ["identity <sip:1003@valmont.example>", "offered hold"]
    line.end()


def test_another_from_in_update_is_told() -> None:
    """RFC 4916 section 4.4."""
    owner = Owner()
    session = owner.answered_call()
    update = request_bytes("UPDATE", to_tag=session.dialog.local_tag, cseq=8, headers=CONTACT)
    owner.receive(update.replace(b"<sip:alice@valmont.example>", b'"Carla" <sip:carla@valmont.example>'))
    assert owner.told == ["identity changed"]


# --- Re-INVITE ----------------------------------------------------------------------------------------------


def test_a_reinvite_without_offer_asks_for_ours_and_the_ack_answers_it() -> None:
    """RFC 3261 section 14.2."""
    owner = Owner()
    session = owner.answered_call()
    owner.receive(owner.within(session, "INVITE"))
    assert owner.told == ["offered"]
    session.accept_offer(b"our offer", 0.0)
    assert read_response(owner.sent()).body == b"our offer"
    ack = request_bytes(
        "ACK", branch="z9hG4bKack", to_tag=session.dialog.local_tag, cseq=8, body=b"their answer"
    )
    owner.receive(ack)
    assert owner.told[-1] == "acknowledged"
    assert (session.local_sdp, session.remote_sdp) == (b"our offer", b"their answer")


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_reinvite_with_the_same_description_is_answered_by_the_session_itself(who: str) -> None:
    """RFC 3264 section 8."""
    line = Line().talking()
    one, other = sides(line, who)
    one.offer(one.session.local_sdp)
    assert other.facts() == ["acknowledged"]
    assert one.facts() == [f"offer answered {other.session.local_sdp.decode()}"]
    line.end()


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_refused_reinvite_leaves_both_with_what_was_agreed(who: str) -> None:
    """RFC 3261 section 14.1: rollback."""
    line = Line().talking()
    one, other = sides(line, who)
    before = (one.session.local_sdp, one.session.remote_sdp)
    one.offer(b"video")
    other.refuse(488)
    assert one.facts() == ["offer refused 488"]
    assert (one.session.local_sdp, one.session.remote_sdp) == before
    assert (other.session.remote_sdp, other.session.local_sdp) == before
    other.answers = b"yes"
    one.offer(b"hold")
    assert one.facts() == ["offer answered yes"]
    line.end()


def test_a_cancelled_reinvite_is_told() -> None:
    """RFC 3261 section 9.2."""
    owner = Owner()
    session = owner.answered_call()
    invite = request_bytes(
        "INVITE", branch="z9hG4bKre", to_tag=session.dialog.local_tag, cseq=8, headers=CONTACT, body=b"hold"
    )
    owner.receive(invite)
    cancel = request_bytes("CANCEL", branch="z9hG4bKre", to_tag=session.dialog.local_tag, cseq=8)
    assert owner.receive(cancel) == ["200 CANCEL", "487 INVITE"]
    assert owner.told == ["offered", "offer withdrawn"]
    assert session.accept_offer(b"held", 0.0) is False
    assert session.agreed


@pytest.mark.parametrize(("who", "least", "most"), [("caller", 2.1, 4.0), ("callee", 0.0, 2.0)])
def test_after_a_491_the_owner_of_the_call_id_waits_longer(who: str, least: float, most: float) -> None:
    """RFC 3261 section 14.1."""
    line = Line().talking()
    one, _ = sides(line, who)
    waits = [one.session.glare_seconds() for _ in range(500)]
    assert least <= min(waits) < least + 0.1
    assert most - 0.1 < max(waits) <= most
    line.end()


def test_reinvites_that_cross_are_both_refused_and_one_tries_again_first() -> None:
    """RFC 3261 sections 14.1 and 14.2."""
    line = Line().talking()
    line.caller.session.offer(b"of the caller", line.now)
    line.callee.session.offer(b"of the callee", line.now)
    line.deliver()
    assert line.caller.facts() == line.callee.facts() == ["offer refused 491"]
    line.pass_time(line.callee.session.glare_seconds())
    line.caller.answers = b"yes"
    line.callee.offer(b"of the callee")
    assert line.callee.facts() == ["offer answered yes"]
    line.end()


def test_the_owners_headers_go_with_what_it_says() -> None:
    """RFC 3325 section 5: the owner adds who it is, request by request."""
    line = Line()
    line.call(headers="X-Mark: invite\r\n")
    line.callee.incoming.ring(line.now, 180, headers="X-Mark: ringing\r\n")
    line.callee.incoming.ring(line.now, 183, headers="X-Mark: progress\r\n", reliable=True)
    line.deliver()
    line.callee.incoming.answer(b"answer", line.now, "X-Mark: answer\r\n")
    line.deliver()
    line.caller.session.offer(b"hold", line.now, "X-Mark: offer\r\n")
    line.deliver()
    line.callee.session.accept_offer(b"held", line.now, "X-Mark: accepted\r\n")
    line.deliver()
    line.caller.session.offer(b"more", line.now)
    line.deliver()
    line.callee.session.refuse_offer(488, line.now, headers="X-Mark: refused\r\n")
    line.deliver()
    line.caller.session.update(line.now, "X-Mark: update\r\n")
    line.deliver()
    line.caller.session.hang_up(line.now, headers="X-Mark: bye\r\n")
    line.deliver()
    marks = [message.get("x-mark") for _, message in line.passed]
    assert [mark for mark in marks if mark] == [
        "invite", "ringing", "progress", "answer", "offer", "accepted", "refused", "update", "bye",
    ]  # fmt: skip
    assert line.rest() == {}


# --- Credentials --------------------------------------------------------------------------------------------


class Guard:
    """Answers challenges, and notes which."""

    def __init__(self, line: str = "Proxy-Authorization: Digest x\r\n") -> None:
        self.asked: list[str] = []
        self.line = line

    def __call__(self, challenge, method: str, uri: str) -> str:
        self.asked.append(f"{challenge.status} {method}")
        return self.line


def guarded(guard: Callable[..., str]) -> tuple[Owner, OutgoingSession]:
    owner = Owner()
    session, invite = owner.call(b"offer", authorize=guard)
    headers = THEIR_CONTACT + "Allow: UPDATE\r\n"
    owner.receive(response_bytes(invite, 200, headers=headers, body=b"answer"))
    owner.told.clear()
    return owner, session


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize("method", ["BYE", "INVITE", "UPDATE", "INFO"])
def test_a_challenge_within_the_dialog_is_answered(status: int, method: str) -> None:
    """RFC 3261 sections 22.2 and 22.3: the same request, the next CSeq."""
    guard = Guard()
    owner, session = guarded(guard)
    match method:
        case "BYE":
            session.hang_up(0.0)
        case "INVITE":
            session.offer(b"hold", 0.0)
        case "UPDATE":
            session.update(0.0)
        case _:
            session.send_request("INFO", owner, 0.0, body=b"5", content_type="application/dtmf")
    first = owner.sent()
    owner.core.stack.receive(response_bytes(first, status), UDP, 0.0)
    again = read_request([data for _, data in owner.core.stack.outbox][-1])
    owner.core.stack.outbox.clear()
    asked = read_request(first)
    assert again.method == asked.method == method
    assert again.cseq[0] == asked.cseq[0] + 1
    assert again.body == asked.body
    assert again.first("proxy-authorization") == "Digest x"
    assert guard.asked == [f"{status} {method}"]


def test_the_ack_of_a_reinvite_has_its_credentials() -> None:
    """RFC 3261 section 13.2.2.4."""
    owner, session = guarded(Guard())
    session.offer(b"hold", 0.0)
    owner.core.stack.receive(response_bytes(owner.sent(), 407), UDP, 0.0)
    again = [data for _, data in owner.core.stack.outbox][-1]
    owner.core.stack.outbox.clear()
    owner.core.stack.receive(response_bytes(again, 200, headers=THEIR_CONTACT, body=b"held"), UDP, 0.0)
    ack = read_request(owner.sent())
    assert (ack.method, ack.first("proxy-authorization")) == ("ACK", "Digest x")
    assert owner.told == ["offer answered"]


@pytest.mark.parametrize("guard", [Guard(), Guard("")])
def test_a_challenge_that_can_not_be_answered_is_a_refusal(guard: Guard) -> None:
    """RFC 3261 section 22.2: nobody asks twice with the same credentials."""
    owner, session = guarded(guard)
    session.offer(b"hold", 0.0)
    request = owner.sent()
    for _ in range(3):
        owner.core.stack.receive(response_bytes(request, 407), UDP, 0.0)
        request = [data for _, data in owner.core.stack.outbox][-1]
        owner.core.stack.outbox.clear()
        if read_request(request).method == "ACK":
            break
    assert owner.told == ["offer refused 407"]
    assert session.may_offer


def test_the_callee_answers_challenges_too() -> None:
    """RFC 3261 section 22.3: a proxy on the way may ask for them."""
    owner = Owner()
    owner.receive(request_bytes("INVITE", headers=CONTACT, body=b"offer"))
    session = owner.sessions[-1]
    session.authorize = Guard()
    session.answer(b"answer", 0.0)
    owner.sent()
    owner.receive(owner.within(session, "ACK", cseq=7))
    session.hang_up(0.0)
    owner.core.stack.receive(response_bytes(owner.sent(), 407), UDP, 0.0)
    assert read_request(owner.sent()).first("proxy-authorization") == "Digest x"
