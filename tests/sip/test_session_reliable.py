"""Provisional responses that must arrive, both roles (RFC 3262)."""

from __future__ import annotations

import pytest

from sip.core.errors import LocalProtocolError
from sip.core.incoming_session import IncomingSession
from sip.core.message import Message, Request, Response
from sip.core.session import SessionState
from tests.sip.line import Line, core
from tests.sip.messages import UDP, read_request, read_response, request_bytes, response_bytes, take_labels
from tests.sip.test_ua_core import CONTACT, THEIR_CONTACT, Owner

PLAIN = ("timer",)  # the extensions of a peer that doesn't know 100rel


def is_prack(message: Message) -> bool:
    return isinstance(message, Request) and message.method == "PRACK"


def is_183(message: Message) -> bool:
    return isinstance(message, Response) and message.status == 183


def test_a_reliable_provisional_response_is_acknowledged_by_prack() -> None:
    """RFC 3262 sections 3 and 4."""
    line = Line()
    line.call()
    assert line.callee.ring()
    assert line.talk() == ["> INVITE", "< 183 INVITE", "> PRACK", "< 200 PRACK"]
    response = line.last("< 183 INVITE")
    assert response.tokens("require") == ["100rel"]
    assert line.last("> PRACK").first("rack") == f"{response.first('rseq')} {response.cseq[0]} INVITE"
    line.callee.answer()
    line.end()


def test_our_invite_supports_100rel_and_does_not_require_it() -> None:
    """RFC 3262 section 4."""
    line = Line()
    line.call()
    invite = line.last("> INVITE")
    assert "100rel" in invite.tokens("supported")
    assert "require" not in invite.headers
    line.callee.answer()
    line.end()


def test_a_caller_that_does_not_know_100rel_hears_an_ordinary_provisional_response() -> None:
    """RFC 3262 section 3."""
    line = Line(caller=core("caller", extensions=PLAIN))
    line.call()
    assert not line.callee.ring()
    assert line.talk() == ["> INVITE", "< 183 INVITE"]
    assert "rseq" not in line.last("< 183 INVITE").headers
    line.callee.answer()
    line.end()


def test_a_caller_that_requires_100rel_hears_no_unreliable_provisional_response() -> None:
    """RFC 3262 section 3."""
    line = Line()
    line.call(headers="Require: 100rel\r\n")
    assert line.callee.ring(180, reliable=False)
    assert line.talk() == ["> INVITE", "< 180 INVITE", "> PRACK", "< 200 PRACK"]
    line.callee.answer()
    line.end()


def test_without_asking_a_provisional_response_is_not_reliable() -> None:
    line = Line()
    line.call()
    assert not line.callee.ring(180, reliable=False)
    assert line.talk() == ["> INVITE", "< 180 INVITE"]
    line.callee.answer()
    line.end()


def test_it_is_repeated_at_doubling_intervals_until_its_prack_comes() -> None:
    """RFC 3262 section 3: T1, doubling without a cap."""
    line = Line()
    line.lose = is_prack
    line.call()
    line.callee.ring()
    repeated_at = []
    for _ in range(64):
        before = sum(is_183(message) for _, message in line.passed)
        line.pass_time(0.5)
        repeated_at += [line.now] * (sum(is_183(message) for _, message in line.passed) - before)
    assert repeated_at == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert line.rest() == {}


def test_a_call_whose_prack_never_comes_ends_with_504() -> None:
    """RFC 3262 section 3: 64*T1, then a 5xx."""
    line = Line()
    line.lose = is_prack
    line.call()
    line.callee.ring()
    line.pass_time(31.9)
    assert line.callee.facts() == []
    line.pass_time(0.2)
    assert line.callee.facts() == ["cancelled 504"]
    assert line.caller.facts() == ["progressed 183", "failed 504"]
    assert line.rest() == {}


def test_a_lost_prack_is_repeated_by_its_transaction_and_one_is_enough() -> None:
    """RFC 3262 section 4: a retransmission of a reliable response isn't acknowledged again."""
    line = Line()
    lost: list[Message] = []

    def lose(message: Message) -> bool:
        if is_prack(message) and len(lost) < 2:
            lost.append(message)
            return True
        return False

    line.lose = lose
    line.call()
    line.callee.ring()
    line.pass_time(5)
    pracks = [message for _, message in line.passed if is_prack(message)]
    assert len({message.via.branch for message in pracks}) == 1
    assert line.caller.facts() == ["progressed 183"]
    line.callee.answer()
    line.end()


def test_one_reliable_response_waits_for_the_prack_of_the_one_before() -> None:
    """RFC 3262 section 3."""
    line = Line()
    line.lose = is_prack
    line.call()
    line.callee.ring(183)
    line.callee.ring(180)
    assert "< 180 INVITE" not in line.talk()
    line.lose = lambda message: False
    line.pass_time(1)
    talk = line.talk()
    assert talk.index("< 200 PRACK") < talk.index("< 180 INVITE")
    first, second = (int(line.last(text).first("rseq")) for text in ("< 183 INVITE", "< 180 INVITE"))
    assert second == first + 1
    assert line.caller.facts() == ["progressed 183", "progressed 180"]
    line.callee.answer()
    line.end()


def test_the_queue_of_news_is_bounded() -> None:
    line = Line()
    line.lose = is_prack
    line.call()
    for _ in range(100):
        line.callee.ring(180)
    line.lose = lambda message: False
    line.pass_time(20)
    assert line.caller.facts().count("progressed 180") == 9
    line.callee.answer()
    line.end()


def test_a_200_waits_for_the_prack_of_the_answer_that_was_sent_before() -> None:
    """RFC 3262 section 3."""
    line = Line()
    line.lose = is_prack
    line.call()
    line.callee.ring(183, b"answer")
    line.callee.answer(b"answer")
    assert "< 200 INVITE" not in line.talk()
    assert line.callee.session.state is SessionState.BEGINNING
    with pytest.raises(LocalProtocolError):
        line.callee.answer(b"answer")
    with pytest.raises(LocalProtocolError):
        line.callee.ring(180)
    line.lose = lambda message: False
    line.pass_time(1)
    talk = line.talk()
    assert talk.index("< 200 PRACK") < talk.index("< 200 INVITE")
    assert line.last("< 200 INVITE").body == b""  # 13.2.1: the answer was sent before
    assert line.caller.facts() == ["progressed 183 answer", "answered answer"]
    line.end()


def test_a_200_does_not_wait_for_the_prack_of_news_without_a_description() -> None:
    """RFC 3262 section 3; the PRACK that comes after it is answered all the same."""
    line = Line()
    line.lose = is_prack
    line.call()
    line.callee.ring(180)
    line.callee.answer(b"answer")
    assert "< 200 INVITE" in line.talk()
    line.lose = lambda message: False
    line.pass_time(1)
    assert "< 200 PRACK" in line.talk()
    assert line.caller.facts() == ["progressed 180", "answered answer"]
    line.end()


def test_a_call_given_up_while_the_200_waits_is_not_answered() -> None:
    """RFC 3261 section 9.2."""
    line = Line()
    line.lose = is_prack
    line.call()
    line.callee.ring(183, b"answer")
    line.callee.answer(b"answer")
    line.caller.outgoing.cancel(line.now)
    line.deliver()
    line.lose = lambda message: False
    assert line.callee.facts() == ["cancelled 487"]
    assert "< 487 INVITE" in line.talk()
    assert line.rest() == {}


def test_the_callee_may_refuse_while_its_200_waits() -> None:
    line = Line()
    line.lose = is_prack
    line.call()
    line.callee.ring(183, b"answer")
    line.callee.answer(b"answer")
    line.callee.incoming.refuse(480, line.now)
    line.deliver()
    line.lose = lambda message: False
    assert line.caller.facts() == ["progressed 183 answer", "failed 480"]
    assert line.rest() == {}


def test_the_answer_in_a_reliable_response_is_the_answer() -> None:
    """RFC 3262 section 5: what comes later in its place is ignored (RFC 3261 section 13.2.1)."""
    line = Line()
    line.call()
    line.callee.ring(183, b"answer")
    assert line.caller.session.agreed
    assert line.callee.session.agreed
    line.callee.ring(183, b"another")
    assert line.last("< 183 INVITE").body == b""
    line.callee.answer(b"a third")
    assert line.caller.facts() == ["progressed 183 answer", "progressed 183", "answered answer"]
    for side in (line.caller, line.callee):
        descriptions = {side.session.local_sdp, side.session.remote_sdp}
        assert descriptions == {b"offer", b"answer"}
    line.end()


def test_an_unreliable_description_only_previews_the_answer() -> None:
    """RFC 6337 section 3.1.1: the answer is the one in the 200."""
    line = Line()
    line.call()
    line.callee.ring(183, b"preview", reliable=False)
    assert not line.caller.session.agreed
    line.callee.answer(b"answer")
    assert line.caller.facts() == ["progressed 183 preview", "answered answer"]
    assert line.caller.session.remote_sdp == b"answer"
    line.end()


def test_an_invite_without_offer_gets_one_in_a_reliable_response_and_prack_answers_it() -> None:
    """RFC 3262 section 5."""
    line = Line()
    line.call(b"")
    line.callee.ring(183, b"offer of the callee")
    assert line.talk() == ["> INVITE", "< 183 INVITE"]
    assert line.caller.facts() == ["progressed 183", "offered offer of the callee"]
    assert line.caller.accept(b"answer of the caller")
    assert line.talk() == ["> PRACK", "< 200 PRACK"]
    assert line.callee.facts() == ["acknowledged answer of the caller"]
    line.callee.answer(b"")
    assert line.caller.facts() == ["answered offer of the callee"]
    assert line.last("> ACK").body == b""
    assert line.callee.session.remote_sdp == b"answer of the caller"
    line.end()


def test_a_200_waits_until_the_offer_in_a_reliable_response_is_answered() -> None:
    """RFC 3262 section 3."""
    line = Line()
    line.call(b"")
    line.callee.ring(183, b"offer of the callee")
    line.callee.answer(b"offer of the callee")
    assert "< 200 INVITE" not in line.talk()
    line.caller.accept(b"answer of the caller")
    assert line.talk() == ["> PRACK", "< 200 PRACK", "< 200 INVITE", "> ACK"]
    assert line.last("< 200 INVITE").body == b""
    line.end()


def test_an_offer_in_a_reliable_response_that_we_can_not_take_ends_the_call() -> None:
    """RFC 6337 section 2: there is no way to refuse it alone."""
    line = Line()
    line.call(b"")
    line.callee.ring(183, b"offer of the callee")
    line.caller.facts()
    line.caller.refuse(488)
    assert line.caller.facts() == ["failed 488"]
    assert {"> PRACK", "> CANCEL", "< 487 INVITE"} <= {*line.talk()}
    assert line.rest() == {}


def test_a_prack_without_the_answer_leaves_the_offer_for_the_200() -> None:
    owner = Owner()
    owner.receive(request_bytes("INVITE", headers=CONTACT + "Supported: 100rel\r\n"))
    session = owner.sessions[-1]
    session.ring(0.0, 183, b"our offer", reliable=True)
    number = int(read_response(owner.sent()).first("rseq"))
    assert owner.receive(prack(session, number)) == ["200 PRACK"]
    session.answer(b"our offer", 0.0)
    assert read_response(owner.sent()).body == b"our offer"


@pytest.mark.parametrize(
    ("rack", "status"),
    [
        ("{} 7 INVITE", 200),
        ("{}  7\tINVITE", 200),
        ("1 7 INVITE", 481),
        ("{} 8 INVITE", 481),
        ("{} 7 UPDATE", 481),
        ("{}", 400),
        ("", 400),
        ("99999999999 7 INVITE", 400),
        ("one two INVITE", 400),
    ],
)
def test_a_prack_is_matched_by_its_rack(rack: str, status: int) -> None:
    """RFC 3262 section 3: 481 where it acknowledges nothing."""
    owner, number = ringing()
    session = owner.sessions[-1]
    assert owner.receive(prack(session, number, rack=rack.format(number))) == [f"{status} PRACK"]


def test_a_prack_for_what_was_acknowledged_before_is_481() -> None:
    """RFC 3262 section 3."""
    owner, number = ringing()
    session = owner.sessions[-1]
    assert owner.receive(prack(session, number)) == ["200 PRACK"]
    assert owner.receive(prack(session, number, cseq=9)) == ["481 PRACK"]


def test_a_prack_where_nothing_was_reliable_is_481() -> None:
    owner = Owner()
    session = owner.invited()
    session.ring(0.0)
    owner.sent()
    assert owner.receive(prack(session, 1)) == ["481 PRACK"]


def test_an_offer_in_prack_is_answered_in_its_200() -> None:
    """RFC 3262 section 5."""
    owner, number = ringing(b"answer")
    session = owner.sessions[-1]
    assert owner.receive(prack(session, number, body=b"new offer")) == []
    assert owner.told == ["offered"]
    assert session.accept_offer(b"new answer", 0.0)
    response = read_response(owner.sent())
    assert (response.status, response.body) == (200, b"new answer")
    assert (session.local_sdp, session.remote_sdp) == (b"new answer", b"new offer")


def test_a_prack_whose_offer_comes_to_nothing_at_the_end_of_the_call_is_good_all_the_same() -> None:
    """RFC 3262 section 3: what acknowledges is responded to with a 2xx."""
    owner, number = ringing(b"answer")
    session = owner.sessions[-1]
    assert session.must_answer == b""
    owner.receive(prack(session, number, body=b"new offer"))
    assert session.must_answer == b"new offer"
    session.refuse(486, 0.0)
    assert take_labels(owner.core.stack.outbox) == ["486 INVITE", "200 PRACK"]


def test_the_200_to_the_invite_waits_for_our_answer_to_an_offer_in_prack() -> None:
    """RFC 6337 section 2: one exchange after the other."""
    owner, number = ringing(b"answer")
    session = owner.sessions[-1]
    session.answer(b"answer", 0.0)
    assert owner.receive(prack(session, number, body=b"new offer")) == []
    session.accept_offer(b"new answer", 0.0)
    statuses = [read_response(data).cseq[1] for _, data in owner.core.stack.outbox]
    assert statuses == ["PRACK", "INVITE"]
    owner.core.stack.outbox.clear()


# --- What a caller does with what it gets -------------------------------------------------------------------


def reliable(number: int, require: str = "100rel") -> str:
    return f"{THEIR_CONTACT}Require: {require}\r\nRSeq: {number}\r\n"


def test_reliable_responses_are_acknowledged_in_order_only() -> None:
    """RFC 3262 section 4: a gap, or one that was there before, is dropped."""
    owner = Owner()
    _, invite = owner.call()
    assert owner.receive(response_bytes(invite, 183, headers=reliable(100))) == ["PRACK"]
    assert owner.receive(response_bytes(invite, 183, headers=reliable(100))) == []
    assert owner.receive(response_bytes(invite, 183, headers=reliable(102))) == []
    assert owner.receive(response_bytes(invite, 180, headers=reliable(101))) == ["PRACK"]
    assert owner.receive(response_bytes(invite, 180, headers=reliable(99))) == []
    assert owner.told == ["progressed 183", "progressed 180"]


def test_each_fork_counts_its_own_reliable_responses() -> None:
    """RFC 3262 section 4, RFC 3261 section 12.1.2."""
    owner = Owner()
    session, invite = owner.call()
    owner.core.stack.receive(response_bytes(invite, 183, headers=reliable(7), to_tag="one"), UDP, 0.0)
    first = read_request(owner.sent())
    owner.core.stack.receive(response_bytes(invite, 183, headers=reliable(900), to_tag="two"), UDP, 0.0)
    second = read_request(owner.sent())
    assert [(prack.to.tag, prack.first("rack"), prack.cseq[0]) for prack in (first, second)] == [
        ("one", "7 1 INVITE", 2),
        ("two", "900 1 INVITE", 2),
    ]
    owner.core.stack.receive(response_bytes(invite, 180, headers=reliable(8), to_tag="one"), UDP, 0.0)
    assert read_request(owner.sent()).cseq[0] == 3
    assert session.fork == "one"


def test_the_fork_that_answers_keeps_its_numbers_and_its_description() -> None:
    """RFC 3261 section 13.2.2.4."""
    owner = Owner()
    session, invite = owner.call(b"offer")
    for tag, number in (("one", 1), ("two", 50)):
        body = f"answer of {tag}".encode()
        owner.receive(response_bytes(invite, 183, headers=reliable(number), to_tag=tag, body=body))
    owner.told.clear()
    owner.core.stack.receive(response_bytes(invite, 200, headers=THEIR_CONTACT, to_tag="one"), UDP, 0.0)
    ack = read_request(owner.sent())
    assert (ack.to.tag, ack.cseq) == ("one", (1, "ACK"))
    assert owner.told == ["answered answer of one"]
    session.hang_up(0.0)
    bye = read_request(owner.sent())
    assert (bye.to.tag, bye.cseq) == ("one", (3, "BYE"))


def test_a_fork_that_rang_elsewhere_and_answers_too_is_hung_up_above_its_pracks() -> None:
    """RFC 3261 section 13.2.2.4, with the CSeq rule of 12.2.1.1."""
    owner = Owner()
    _, invite = owner.call()
    owner.receive(response_bytes(invite, 183, headers=reliable(1), to_tag="late"))
    owner.receive(response_bytes(invite, 180, headers=reliable(2), to_tag="late"))
    owner.receive(response_bytes(invite, 200, headers=THEIR_CONTACT, to_tag="winner", body=b"answer"))
    owner.core.stack.receive(response_bytes(invite, 200, headers=THEIR_CONTACT, to_tag="late"), UDP, 0.0)
    ack, bye = (read_request(data) for _, data in owner.core.stack.outbox)
    assert (ack.cseq, bye.cseq) == ((1, "ACK"), (4, "BYE"))
    assert bye.to.tag == "late"
    owner.core.stack.outbox.clear()


def test_a_fork_without_early_dialog_may_answer_for_the_others() -> None:
    owner = Owner()
    session, invite = owner.call(b"offer")
    owner.receive(response_bytes(invite, 183, headers=reliable(1), to_tag="rang", body=b"its answer"))
    owner.receive(response_bytes(invite, 200, headers=THEIR_CONTACT, to_tag="winner", body=b"answer"))
    assert owner.told[-1] == "answered answer"
    assert session.remote_sdp == b"answer"
    assert session.fork == "winner"


@pytest.mark.parametrize(
    "headers",
    [
        reliable(0),
        f"{THEIR_CONTACT}Require: 100rel\r\nRSeq: many\r\n",
        f"{THEIR_CONTACT}Require: 100rel\r\nRSeq: 4294967296\r\n",
        "Contact: <tel:1>\r\nRequire: 100rel\r\nRSeq: 1\r\n",
    ],
)
def test_a_reliable_response_that_makes_no_sense_is_dropped(headers: str) -> None:
    owner = Owner()
    session, invite = owner.call()
    assert owner.receive(response_bytes(invite, 183, headers=headers)) == []
    assert owner.told == []
    owner.receive(response_bytes(invite, 200, headers=THEIR_CONTACT, body=b"answer"))
    assert session.state is SessionState.CONFIRMED


def test_a_number_without_require_is_an_ordinary_response() -> None:
    """RFC 3262 section 4: both say that it is reliable."""
    owner = Owner()
    _, invite = owner.call()
    assert owner.receive(response_bytes(invite, 183, headers=reliable(5, "timer"))) == []
    assert owner.told == ["progressed 183"]


def test_more_forks_than_we_count_are_not_acknowledged() -> None:
    owner = Owner()
    _, invite = owner.call()
    pracks = 0
    for index in range(100):
        tag = f"fork{index}"
        pracks += len(owner.receive(response_bytes(invite, 183, headers=reliable(1), to_tag=tag)))
    assert pracks == 16


def test_a_challenge_after_a_reliable_response_begins_again_without_the_forks() -> None:
    """RFC 3261 section 22.2."""
    owner = Owner()
    session, invite = owner.call(b"offer", authorize=lambda *_: "Authorization: Digest x\r\n")
    owner.receive(response_bytes(invite, 183, headers=reliable(1), to_tag="rang", body=b"its answer"))
    owner.core.stack.receive(response_bytes(invite, 407, to_tag="proxy"), UDP, 0.0)
    _, again = (data for _, data in owner.core.stack.outbox)
    owner.core.stack.outbox.clear()
    assert read_request(again).to.tag == ""
    owner.receive(response_bytes(again, 200, headers=THEIR_CONTACT, to_tag="winner", body=b"answer"))
    assert session.remote_sdp == b"answer"


def test_a_reliable_response_after_our_cancel_is_acknowledged_and_told_to_nobody() -> None:
    owner = Owner()
    session, invite = owner.call()
    owner.receive(response_bytes(invite, 180, headers=THEIR_CONTACT))
    session.cancel(0.0)
    owner.sent()
    owner.told.clear()
    assert owner.receive(response_bytes(invite, 183, headers=reliable(1))) == ["PRACK"]
    assert owner.told == []


# --- Small parts ------------------------------------------------------------------------------------------


def ringing(body: bytes = b"") -> tuple[Owner, int]:
    """An incoming call that rings reliably, and the number of its response."""
    owner = Owner()
    owner.receive(request_bytes("INVITE", headers=CONTACT + "Supported: 100rel\r\n", body=b"offer"))
    owner.sessions[-1].ring(0.0, 183, body, reliable=True)
    return owner, int(read_response(owner.sent()).first("rseq"))


def prack(
    session: IncomingSession, number: int, *, rack: str | None = None, cseq: int = 8, body: bytes = b""
) -> bytes:
    """A PRACK of the caller's."""
    return request_bytes(
        "PRACK",
        branch=f"z9hG4bK-prack-{cseq}",
        to_tag=session.dialog.local_tag,
        cseq=cseq,
        headers=f"RAck: {f'{number} 7 INVITE' if rack is None else rack}\r\n",
        body=body,
    )
