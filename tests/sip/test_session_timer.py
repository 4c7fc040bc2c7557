"""Session timers (RFC 4028): the machine, what is agreed, and what the session does with it."""

from __future__ import annotations

import pytest

from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.session import SessionState
from sip.core.session_timer import (
    SessionTimer,
    SessionTimerState,
    granted,
    least_seconds,
    session_expires,
)
from tests.sip.line import Line, core
from tests.sip.messages import UDP, read_request, read_response, request, request_bytes, response_bytes
from tests.sip.test_ua_core import CONTACT, THEIR_CONTACT, Owner

INTERVAL = "Session-Expires: {}\r\nSupported: timer\r\n"


class Listener:
    """The session of a timer: notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def refresh(self, now: float) -> None:
        self.asked.append(f"refresh at {now:g}")

    def expired(self, now: float) -> None:
        self.asked.append(f"expired at {now:g}")


def let_run(timer: SessionTimer, until: float) -> None:
    """Fire the timer whenever it is due."""
    for _ in range(1000):
        if timer.deadline is None or timer.deadline > until:
            return
        timer.fire(timer.deadline)
    raise AssertionError("it never stops")


# --- The machine --------------------------------------------------------------------------------------------


def test_we_refresh_when_half_of_the_interval_has_passed() -> None:
    """RFC 4028 section 10."""
    listener = Listener()
    timer = SessionTimer(listener)
    timer.agree(1800, True, 100.0)
    assert timer.deadline == 1000.0
    timer.fire(1000.0)
    assert listener.asked == ["refresh at 1000"]
    assert timer.state is SessionTimerState.REFRESHING


def test_a_refresh_that_succeeds_begins_the_interval_again() -> None:
    listener = Listener()
    timer = SessionTimer(listener)
    timer.agree(1800, True, 0.0)
    timer.fire(900.0)
    timer.agree(600, True, 901.0)
    assert timer.deadline == 1201.0


def test_refreshes_that_fail_are_tried_again_until_the_session_is_over() -> None:
    """RFC 4028 section 10: 32 seconds before the interval ends."""
    listener = Listener()
    timer = SessionTimer(listener)
    timer.agree(1800, True, 0.0)
    let_run(timer, 2000.0)
    assert listener.asked[0] == "refresh at 900"
    assert listener.asked[-1] == "expired at 1768"
    assert 3 < len(listener.asked) < 15
    assert timer.state is SessionTimerState.OVER


def test_a_session_that_the_peer_does_not_refresh_ends_32_seconds_before_the_interval() -> None:
    """RFC 4028 section 10: the minimum of 32 seconds and a third of the interval."""
    listener = Listener()
    timer = SessionTimer(listener)
    timer.agree(1800, False, 0.0)
    assert timer.state is SessionTimerState.WATCHING
    let_run(timer, 2000.0)
    assert listener.asked == ["expired at 1768"]


def test_a_short_session_ends_a_third_of_its_interval_early() -> None:
    """RFC 4028 section 10."""
    listener = Listener()
    timer = SessionTimer(listener)
    timer.agree(90, False, 0.0)
    let_run(timer, 90.0)
    assert listener.asked == ["expired at 60"]


def test_roles_may_change_with_a_refresh() -> None:
    """RFC 4028 section 7.4."""
    listener = Listener()
    timer = SessionTimer(listener)
    timer.agree(1800, True, 0.0)
    timer.agree(1800, False, 10.0)
    assert not timer.we_refresh
    let_run(timer, 1000.0)
    assert listener.asked == []


def test_a_timer_that_was_stopped_holds_nothing_and_asks_for_nothing() -> None:
    listener = Listener()
    timer = SessionTimer(listener)
    timer.agree(1800, True, 0.0)
    timer.stop()
    assert timer.deadline is None
    timer.fire(900.0)
    assert listener.asked == []
    assert timer.state is SessionTimerState.OVER


# --- What is agreed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("1800", (1800, "")),
        ("1800;refresher=uac", (1800, "uac")),
        ("90 ; refresher = UAS", (90, "uas")),
        ("90;x=y;refresher=uas", (90, "uas")),
    ],
)
def test_session_expires_is_read(value: str, read: tuple[int, str]) -> None:
    """RFC 4028 section 4."""
    assert session_expires(request("INVITE", headers=f"Session-Expires: {value}\r\n")) == read
    assert session_expires(request("INVITE", headers=f"x: {value}\r\n")) == read


@pytest.mark.parametrize("value", ["", "soon", "-1", "4294967296", "1800;refresher=proxy", "1800;;", "18 00"])
def test_session_expires_that_is_none_is_a_bad_request(value: str) -> None:
    with pytest.raises(ParseError):
        session_expires(request("INVITE", headers=f"Session-Expires: {value}\r\n"))


def test_the_least_interval_is_90_seconds() -> None:
    """RFC 4028 section 5."""
    assert least_seconds(request("INVITE")) == 90
    assert least_seconds(request("INVITE", headers="Min-SE: 30\r\n")) == 90
    assert least_seconds(request("INVITE", headers="Min-SE: 600;x=y\r\n")) == 600


@pytest.mark.parametrize(
    ("headers", "agreed"),
    [
        ("Session-Expires: 1800\r\nSupported: timer\r\n", (1800, True)),
        ("Session-Expires: 1800;refresher=uac\r\nSupported: timer\r\n", (1800, False)),
        ("Session-Expires: 1800;refresher=uas\r\nSupported: timer\r\n", (1800, True)),
        ("Session-Expires: 1800;refresher=uac\r\nRequire: timer\r\n", (1800, False)),
        ("Session-Expires: 1800;refresher=uac\r\n", (1800, True)),
        ("Session-Expires: 1800\r\n", (1800, True)),
        ("Session-Expires: 60\r\n", (90, True)),
    ],
)
def test_who_refreshes_as_table_2_says(headers: str, agreed: tuple[int, bool]) -> None:
    """RFC 4028 section 9: a client that doesn't know timers can't refresh, nor understand a 422."""
    assert granted(request("INVITE", headers=headers), 90) == agreed


def test_an_interval_that_is_too_short_is_422_with_ours() -> None:
    """RFC 4028 section 9."""
    with pytest.raises(RemoteProtocolError) as caught:
        granted(request("INVITE", headers=INTERVAL.format(60)), 300)
    assert caught.value.status == 422
    assert dict(caught.value.headers) == {"Min-SE": "300"}


# --- The session that answers -------------------------------------------------------------------------------


def answered(headers: str) -> tuple[Owner, str]:
    """An incoming call with these headers that was answered and acknowledged, and its 200."""
    owner = Owner()
    session = owner.invited(CONTACT + headers)
    session.answer(b"answer", 0.0)
    data = owner.sent()
    owner.receive(owner.within(session, "ACK", cseq=7))
    owner.told.clear()
    return owner, data.decode()


def test_a_caller_that_asks_for_a_timer_gets_one_that_we_refresh() -> None:
    """RFC 4028 section 9."""
    owner, response = answered(INTERVAL.format(1800))
    assert "Session-Expires: 1800;refresher=uas\r\n" in response
    assert "Require:" not in response
    owner.core.stack.fire(899.0)
    assert owner.core.stack.outbox == []
    owner.core.stack.fire(900.0)
    assert read_request(owner.sent()).method == "INVITE"  # it didn't say that it takes UPDATE


def test_a_caller_that_refreshes_itself_is_required_to() -> None:
    """RFC 4028 section 9."""
    _, response = answered("Session-Expires: 1800;refresher=uac\r\nSupported: timer\r\n")
    assert "Session-Expires: 1800;refresher=uac\r\n" in response
    assert "Require: timer\r\n" in response


def test_a_caller_that_asks_for_no_timer_costs_none() -> None:
    owner, response = answered("Supported: timer\r\n")
    assert "Session-Expires" not in response
    assert owner.core.stack.timers.live() <= 1  # Timer L


def test_an_invite_with_too_short_an_interval_is_422_and_leaves_nothing() -> None:
    """RFC 4028 section 9."""
    owner = Owner()
    invite = request_bytes("INVITE", headers=CONTACT + INTERVAL.format(60), body=b"offer")
    owner.core.stack.receive(invite, UDP, 0.0)
    response = read_response(owner.sent())
    assert response.status == 422
    assert response.first("min-se") == "90"
    assert owner.core.inventory()["sessions"] == 0


def test_a_malformed_interval_is_a_bad_request() -> None:
    owner = Owner()
    assert owner.receive(request_bytes("INVITE", headers=CONTACT + INTERVAL.format("x"))) == ["400 INVITE"]


def test_a_peer_that_stops_refreshing_is_hung_up_with_a_reason() -> None:
    """RFC 4028 section 10."""
    owner, _ = answered("Session-Expires: 90;refresher=uac\r\nSupported: timer\r\n")
    owner.core.stack.fire(40.0)
    owner.core.stack.outbox.clear()
    owner.core.stack.fire(60.0)
    bye = read_request(owner.sent())
    assert bye.method == "BYE"
    assert bye.first("reason").startswith("SIP;cause=408")
    assert owner.told == ["ended SIP 408"]


def test_the_peers_refresh_by_reinvite_is_answered_by_the_session_itself() -> None:
    """RFC 4028 section 7.4 with RFC 3264 section 8: the same description means that nothing changed."""
    owner = Owner()
    headers = CONTACT + "Session-Expires: 90;refresher=uac\r\nSupported: timer\r\n"
    owner.receive(request_bytes("INVITE", headers=headers, body=b"theirs"))
    session = owner.sessions[-1]
    session.answer(b"ours", 0.0)
    owner.sent()
    owner.receive(owner.within(session, "ACK", cseq=7))
    owner.told.clear()
    again = request_bytes(
        "INVITE",
        branch="z9hG4bKrefresh",
        to_tag=session.dialog.local_tag,
        cseq=8,
        headers=headers,
        body=b"theirs",
    )
    owner.core.stack.receive(again, UDP, 45.0)
    response = read_response(owner.sent())
    assert (response.status, response.body) == (200, b"ours")
    assert response.first("session-expires") == "90;refresher=uac"
    assert owner.told == []
    owner.receive(owner.within(session, "ACK", cseq=8), 45.0)
    owner.core.stack.fire(104.0)
    assert not session.over  # 45 s and 60 s
    owner.core.stack.fire(105.0)
    assert session.over


def test_a_reinvite_with_another_description_is_told_and_refreshes_too() -> None:
    """RFC 4028 section 7.4: every re-INVITE is a refresh."""
    owner, _ = answered("Session-Expires: 90;refresher=uac\r\nSupported: timer\r\n")
    session = owner.sessions[-1]
    data = request_bytes(
        "INVITE",
        branch="z9hG4bKhold",
        to_tag=session.dialog.local_tag,
        cseq=8,
        headers=CONTACT + "Session-Expires: 90;refresher=uac\r\nSupported: timer\r\n",
        body=b"hold",
    )
    owner.core.stack.receive(data, UDP, 45.0)
    assert owner.told == ["offered"]
    session.accept_offer(b"held", 45.0)
    assert read_response(owner.sent()).first("session-expires") == "90;refresher=uac"


def test_a_refresh_that_does_not_speak_of_the_timer_leaves_it_to_us() -> None:
    """RFC 4028 section 9: a server may put Session-Expires into a response that nobody asked it in."""
    owner, _ = answered("Session-Expires: 90;refresher=uac\r\nSupported: timer\r\n")
    session = owner.sessions[-1]
    update = owner.within(session, "UPDATE")
    owner.core.stack.receive(update, UDP, 10.0)
    assert read_response(owner.sent()).first("session-expires") == "90;refresher=uas"


def test_a_refresh_with_too_short_an_interval_is_422() -> None:
    """RFC 4028 section 9."""
    owner, _ = answered(INTERVAL.format(1800))
    session = owner.sessions[-1]
    update = request_bytes(
        "UPDATE",
        branch="z9hG4bKshort",
        to_tag=session.dialog.local_tag,
        cseq=8,
        headers=CONTACT + INTERVAL.format(30),
    )
    assert owner.receive(update) == ["422 UPDATE"]


# --- The session that calls ---------------------------------------------------------------------------------


def called(headers: str, **parts: str) -> tuple[Owner, bytes]:
    """A call of ours that was answered with these headers."""
    owner = Owner()
    _, invite = owner.call(b"offer")
    owner.receive(response_bytes(invite, 200, headers=THEIR_CONTACT + headers, body=b"answer"))
    owner.told.clear()
    return owner, invite


def test_our_invite_asks_for_half_an_hour() -> None:
    """RFC 4028 sections 4 and 7.1."""
    owner = Owner()
    _, invite = owner.call()
    asked = read_request(invite)
    assert asked.first("session-expires") == "1800"
    assert "timer" in asked.tokens("supported")


def test_a_callee_that_knows_no_timer_costs_none() -> None:
    """RFC 4028 section 7.2."""
    owner, _ = called("")
    assert owner.core.stack.timers.live() <= 1  # Timer M


@pytest.mark.parametrize(("allow", "method"), [("INVITE, ACK, BYE, UPDATE", "UPDATE"), ("INVITE", "INVITE")])
def test_we_refresh_by_update_where_the_peer_takes_it_else_with_the_same_offer(
    allow: str, method: str
) -> None:
    """RFC 4028 section 7.4."""
    owner, _ = called(f"Allow: {allow}\r\nSession-Expires: 1800;refresher=uac\r\n")
    owner.core.stack.fire(900.0)
    refresh = read_request(owner.sent())
    assert refresh.method == method
    assert refresh.first("session-expires") == "1800;refresher=uac"
    assert refresh.body == (b"offer" if method == "INVITE" else b"")


def test_a_callee_that_does_not_say_who_refreshes_leaves_it_to_us() -> None:
    owner, _ = called("Session-Expires: 1800\r\n")
    owner.core.stack.fire(900.0)
    assert read_request(owner.sent()).method == "INVITE"


def test_an_interval_that_nobody_may_ask_for_is_not_believed() -> None:
    """RFC 4028 section 5."""
    owner, _ = called("Session-Expires: 1;refresher=uac\r\n")
    owner.core.stack.fire(31.0)
    assert owner.core.stack.outbox == []


@pytest.mark.parametrize("value", ["x", "1800;refresher=nobody"])
def test_an_unreadable_interval_in_a_200_is_not_believed(value: str) -> None:
    owner, _ = called(f"Session-Expires: {value}\r\n")
    owner.core.stack.fire(31.0)
    assert owner.core.stack.outbox == []
    assert owner.sessions == []


def test_a_422_is_tried_again_with_the_interval_that_it_asks_for() -> None:
    """RFC 4028 section 7.3."""
    owner = Owner()
    _, invite = owner.call()
    owner.core.stack.receive(response_bytes(invite, 422, headers="Min-SE: 3600\r\n"), UDP, 0.0)
    _, data = (data for _, data in owner.core.stack.outbox)
    owner.core.stack.outbox.clear()
    again = read_request(data)
    assert again.first("session-expires") == "3600"
    assert again.first("min-se") == "3600"
    assert (again.call_id, again.cseq[0]) == (read_request(invite).call_id, 2)
    assert owner.receive(response_bytes(data, 422, headers="Min-SE: 7200\r\n")) == ["ACK"]
    assert owner.told == ["failed 422 SIP 422 Phrase"]


@pytest.mark.parametrize("headers", ["", "Min-SE: 90\r\n", "Min-SE: soon\r\n"])
def test_a_422_that_asks_for_nothing_more_is_a_refusal(headers: str) -> None:
    owner = Owner()
    _, invite = owner.call()
    assert owner.receive(response_bytes(invite, 422, headers=headers)) == ["ACK"]
    assert owner.told == ["failed 422 SIP 422 Phrase"]


# --- Both together ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("methods", [("INVITE", "ACK", "BYE", "UPDATE"), ("INVITE", "ACK", "BYE")])
def test_a_long_call_is_refreshed_again_and_again_and_nobody_is_asked(methods: tuple[str, ...]) -> None:
    """RFC 4028 section 10."""
    line = Line(
        caller=core("caller", methods=methods, session_seconds=90), callee=core("callee", methods=methods)
    )
    line.talking()
    line.pass_time(1000)
    assert len(line.talk()) > 20
    assert {*line.caller.facts(), *line.callee.facts()} <= {"acknowledged"}
    assert line.caller.session.state is SessionState.CONFIRMED
    assert line.callee.session.state is SessionState.CONFIRMED
    line.end()


def test_a_call_whose_peer_vanished_ends_by_itself_on_both_sides() -> None:
    """RFC 4028 section 10."""
    line = Line(caller=core("caller", session_seconds=90)).talking()
    line.lose = lambda message: True
    line.pass_time(130)
    for side in (line.caller, line.callee):
        assert [fact[:9] for fact in side.facts()] == ["ended 408"]
    assert line.rest() == {}


def test_an_offer_of_the_owner_waits_for_our_refresh_by_reinvite() -> None:
    """RFC 3261 section 14.1: one INVITE at a time."""
    methods = ("INVITE", "ACK", "BYE")
    line = Line(
        caller=core("caller", methods=methods), callee=core("callee", methods=methods, session_seconds=0)
    )
    line.talking()
    refresher = line.caller if line.caller.session._timer.we_refresh else line.callee
    other = line.callee if refresher is line.caller else line.caller
    other.answers = b"yes"
    line.lose = lambda message: True
    line.pass_time(900)
    refresher.offer(b"hold")
    assert not refresher.session.may_offer
    line.lose = lambda message: False
    line.pass_time(5)
    assert refresher.facts() == ["offer answered yes"]
    assert other.facts() == ["acknowledged", "offered hold", "acknowledged"]
    line.end()


def test_a_refresh_that_is_refused_with_422_is_longer_the_next_time() -> None:
    """RFC 4028 section 7.3."""
    owner, _ = called("Allow: UPDATE\r\nSession-Expires: 90;refresher=uac\r\n")
    owner.core.stack.fire(45.0)
    refresh = owner.sent()
    owner.core.stack.receive(response_bytes(refresh, 422, headers="Min-SE: 300\r\n"), UDP, 45.0)
    assert read_request(owner.sent()).first("session-expires") == "300;refresher=uac"


def test_a_peer_that_was_wrong_about_update_is_refreshed_by_reinvite() -> None:
    """RFC 3261 section 21.4.6."""
    owner, _ = called("Allow: UPDATE\r\nSession-Expires: 90;refresher=uac\r\n")
    owner.core.stack.fire(45.0)
    owner.core.stack.receive(response_bytes(owner.sent(), 405), UDP, 45.0)
    owner.core.stack.fire(53.0)
    assert read_request(owner.sent()).method == "INVITE"


def test_a_refresh_refused_with_481_ends_the_session() -> None:
    """RFC 4028 section 10."""
    owner, _ = called("Allow: UPDATE\r\nSession-Expires: 90;refresher=uac\r\n")
    owner.core.stack.fire(45.0)
    owner.core.stack.receive(response_bytes(owner.sent(), 481), UDP, 45.0)
    assert read_request(owner.sent()).method == "BYE"
    assert owner.told == ["ended SIP 481"]


def test_a_session_may_ask_for_no_timer_at_all() -> None:
    line = Line(caller=core("caller", session_seconds=0)).talking()
    assert "session-expires" not in line.last("> INVITE").headers
    line.pass_time(10_000)
    assert line.talk() == []
    line.end()


def test_a_node_may_insist_on_longer_intervals() -> None:
    """RFC 4028 section 7.1: our minimum is told."""
    line = Line(caller=core("caller", session_seconds=300, min_session_seconds=600))
    line.call()
    assert line.last("> INVITE").first("session-expires") == "600"
    assert line.last("> INVITE").first("min-se") == "600"
    line.callee.answer()
    line.end()
