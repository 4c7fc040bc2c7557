"""Other requests within the dialog: INFO, MESSAGE and the like, of either side (RFC 3261 section 12.2)."""

from __future__ import annotations

import pytest

from sip.core.errors import LocalProtocolError
from tests.sip.line import Line, core
from tests.sip.messages import UDP, label, read_request, request_bytes, response_bytes
from tests.sip.test_ua_core import CONTACT, THEIR_CONTACT, Owner

PROGRESS = f"{THEIR_CONTACT}Require: 100rel\r\nRSeq: 1\r\n"


def test_a_request_within_the_dialog_reaches_the_owner_with_its_body_and_its_type() -> None:
    """RFC 6086 section 4: INFO, here with a digit."""
    line = Line().talking()
    line.caller.session.send_request(
        "INFO", line.caller, line.now, body=b"Signal=5", content_type="application/dtmf-relay"
    )
    line.deliver()
    assert line.callee.facts() == ["requested INFO application/dtmf-relay Signal=5"]
    assert line.caller.facts() == ["heard 200"]
    line.end()


def test_a_request_may_be_sent_by_the_callee_and_be_refused() -> None:
    line = Line().talking()
    line.caller.refuses = 469
    line.callee.session.send_request("INFO", line.callee, line.now, headers="Info-Package: x\r\n")
    line.deliver()
    assert line.last("< INFO").first("info-package") == "x"
    assert line.callee.facts() == ["heard 469"]
    assert not line.caller.session.over
    line.end()


@pytest.mark.parametrize(("method", "status"), [("REFER", 405), ("SUBSCRIBE", 405), ("JUMP", 501)])
def test_a_method_that_nobody_serves_is_refused_before_the_owner_hears_of_it(
    method: str, status: int
) -> None:
    """RFC 3261 section 8.2.1."""
    owner = Owner()
    session = owner.answered_call()
    assert owner.receive(owner.within(session, method)) == [f"{status} {method}"]
    assert owner.told == []


def test_a_served_method_is_inspected_all_the_same() -> None:
    """RFC 3261 section 8.2.2.3."""
    line = Line().talking()
    line.caller.session.send_request("INFO", line.caller, line.now, headers="Require: teleport\r\n")
    line.deliver()
    assert line.caller.facts() == ["heard 420"]
    assert line.callee.facts() == []
    line.end()


def test_a_request_that_nobody_answers_ends_nothing() -> None:
    """RFC 5057 section 5.1: a timeout of INFO is the transaction's end only."""
    line = Line().talking()
    line.lose = lambda message: True
    line.caller.session.send_request("INFO", line.caller, line.now)
    line.pass_time(33)
    line.lose = lambda message: False
    assert line.caller.facts() == ["heard nothing: no response"]
    line.end()


def test_an_info_refused_with_481_ends_the_dialog() -> None:
    """RFC 3261 section 12.2.1.2."""
    owner = Owner()
    session = owner.answered_call()
    session.send_request("INFO", owner, 0.0)
    assert owner.receive(response_bytes(owner.sent(), 481)) == ["BYE"]
    assert owner.told == ["heard 481", "ended SIP 481"]


@pytest.mark.parametrize("method", ["REFER", "SUBSCRIBE", "NOTIFY", "MESSAGE"])
def test_a_481_to_another_usage_leaves_the_call(method: str) -> None:
    """RFC 5057 section 5.1: it ends that usage."""
    owner = Owner()
    session = owner.answered_call()
    session.send_request(method, owner, 0.0)
    sent = owner.sent()
    assert ("contact" in read_request(sent).headers) is (method != "MESSAGE")  # RFC 6665 section 8.1.1
    assert owner.receive(response_bytes(sent, 481)) == []
    assert owner.told == ["heard 481"]
    assert not session.over


def test_a_request_can_be_sent_in_an_early_dialog() -> None:
    """RFC 3261 section 12.1.2."""
    owner = Owner()
    session, invite = owner.call()
    with pytest.raises(LocalProtocolError):
        session.send_request("INFO", owner, 0.0)
    owner.receive(response_bytes(invite, 183, headers=PROGRESS, to_tag="ringing"))
    session.send_request("INFO", owner, 0.0, body=b"5", content_type="application/dtmf")
    info = read_request(owner.sent())
    assert (info.to.tag, info.cseq) == ("ringing", (3, "INFO"))
    assert (info.body, info.first("content-type")) == (b"5", "application/dtmf")


def test_a_caller_in_an_early_dialog_may_send_requests() -> None:
    """RFC 3261 section 12.2.2."""
    line = Line()
    line.call()
    line.callee.ring(183)
    line.forget()
    line.caller.session.send_request("INFO", line.caller, line.now)
    line.deliver()
    assert line.callee.facts() == ["requested INFO"]
    line.callee.answer()
    line.end()


def test_nothing_is_sent_after_the_end() -> None:
    line = Line().talking()
    line.caller.hang_up()
    for side in (line.caller, line.callee):
        with pytest.raises(LocalProtocolError):
            side.session.send_request("INFO", side, line.now)
    assert line.rest() == {}


def test_a_request_that_comes_while_our_bye_waits_is_481() -> None:
    """RFC 3261 section 15: the session is over for its owner."""
    owner = Owner()
    session = owner.invited()
    session.answer(b"answer", 0.0)
    owner.sent()
    session.hang_up(0.0)
    update = owner.within(session, "UPDATE")
    assert owner.receive(update) == ["481 UPDATE"]


def test_options_within_the_dialog_tell_what_we_can() -> None:
    """RFC 3261 section 11.2."""
    line = Line().talking()
    line.caller.session.send_request("OPTIONS", line.caller, line.now)
    line.deliver()
    response = line.last("< 200 OPTIONS")
    assert "INFO" in response.first("allow")
    assert response.tokens("supported") == ["100rel", "timer"]
    line.end()


def test_what_the_application_serves_is_told_in_every_invite_and_answer() -> None:
    """RFC 3261 sections 20.5 and 20.37."""
    options = {"methods": ("INVITE", "ACK", "BYE", "REFER"), "extensions": ("replaces", "timer")}
    line = Line(caller=core("caller", **options), callee=core("callee", **options)).talking()
    for message in (line.last("> INVITE"), line.last("< 200 INVITE")):
        assert message.first("allow") == "INVITE, ACK, BYE, REFER"
        assert message.first("supported") == "replaces, timer"
    line.end()


def test_what_the_application_does_not_understand_is_420() -> None:
    """RFC 3261 section 8.2.2.3."""
    owner = Owner()
    invite = request_bytes("INVITE", headers=CONTACT + "Require: replaces, 100rel\r\n", body=b"offer")
    owner.core.stack.receive(invite, UDP, 0.0)
    ((_, data),) = owner.core.stack.outbox
    assert label(data) == "420 INVITE"
    assert b"Unsupported: replaces\r\n" in data
    owner.core.stack.outbox.clear()
