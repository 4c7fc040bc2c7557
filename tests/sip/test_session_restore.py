"""A confirmed session goes on in another process: from its snapshot alone (RFC 3261 section 12)."""

from __future__ import annotations

import pytest

from sip.core.errors import LocalProtocolError
from sip.core.snapshot import SessionSnapshot
from tests.sip.line import Line, Side, core
from tests.sip.messages import UDP, read_request, request_bytes, response_bytes
from tests.sip.test_ua_core import CONTACT, Owner

ROUTES = "Record-Route: <sip:p2.example;lr>, <sip:p1.example;lr>\r\n"


def restart(line: Line, who: str) -> tuple[Side, Side]:
    """One side goes on in another process with what was written down; returns it and the other side."""
    old = line.caller if who == "caller" else line.callee
    snapshot = old.session.snapshot()
    new = Side(line, who, old.flow, core(f"{who} after the restart"))
    new.session = new.core.restore(snapshot, new.flow, new, line.now)
    if who == "caller":
        line.caller = new
        return new, line.callee
    line.callee = new
    return new, line.caller


def rest(line: Line) -> None:
    assert line.rest() == {}


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_restored_session_can_hang_up(who: str) -> None:
    line = Line().talking()
    new, other = restart(line, who)
    new.hang_up()
    assert other.facts() == ["ended 16 Normal call clearing"]
    assert [label[2:] for label in line.talk()] == ["BYE", "200 BYE"]
    rest(line)


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_restored_session_can_be_hung_up(who: str) -> None:
    line = Line().talking()
    new, other = restart(line, who)
    other.hang_up()
    assert new.facts() == ["ended 16 Normal call clearing"]
    rest(line)


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_restored_session_can_offer(who: str) -> None:
    line = Line().talking()
    new, other = restart(line, who)
    other.answers = b"held"
    new.offer(b"hold")
    assert new.facts() == ["offer answered held"]
    new.hang_up()
    rest(line)


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_restored_session_can_be_offered_something(who: str) -> None:
    line = Line().talking()
    new, other = restart(line, who)
    new.answers = b"held"
    other.offer(b"hold")
    assert new.facts() == ["offered hold", "acknowledged"]
    assert other.facts() == ["offer answered held"]
    other.hang_up()
    rest(line)


def test_a_restored_session_refreshes_what_it_has_to() -> None:
    """RFC 4028 section 10."""
    line = Line(caller=core("caller", session_seconds=90)).talking()
    restart(line, "caller")
    restart(line, "callee")
    line.pass_time(500)
    assert not line.caller.session.over
    assert not line.callee.session.over
    assert "200 UPDATE" in " ".join(line.talk())
    line.caller.hang_up()
    rest(line)


def test_a_restored_session_notices_that_its_peer_is_gone() -> None:
    """RFC 4028 section 10."""
    line = Line(caller=core("caller", session_seconds=90)).talking()
    new, _ = restart(line, "caller")
    line.lose = lambda message: True
    line.pass_time(130)
    assert [fact[:9] for fact in new.facts()] == ["ended 408"]
    rest(line)


def test_the_same_description_again_is_a_refresh_after_the_restart_too() -> None:
    """RFC 3264 section 8."""
    line = Line().talking()
    new, other = restart(line, "callee")
    other.offer(other.session.local_sdp)
    assert new.facts() == ["acknowledged"]
    assert other.facts() == ["offer answered answer"]
    other.hang_up()
    rest(line)


def test_requests_after_the_restart_are_newer_than_any_before() -> None:
    """RFC 3261 section 12.2.1.1: even those that left after the snapshot."""
    line = Line().talking()
    stale = line.callee.session.snapshot()
    for _ in range(20):
        line.callee.update()
    new = Side(line, "callee", line.callee.flow, core("after"))
    new.session = new.core.restore(stale, new.flow, new, line.now)
    line.callee = new
    line.forget()
    new.hang_up()
    assert line.talk() == ["< BYE", "> 200 BYE"]
    rest(line)


def test_a_snapshot_is_plain_values() -> None:
    line = Line(caller=core("caller", session_seconds=90)).talking()
    snapshot = line.callee.session.snapshot()
    plain = (str, bytes, int, bool, tuple)
    assert all(isinstance(value, plain) for value in snapshot)
    assert SessionSnapshot(*snapshot) == snapshot
    assert snapshot.placed is False
    assert (snapshot.local_sdp, snapshot.remote_sdp) == (b"answer", b"offer")
    assert (snapshot.timer_seconds, snapshot.we_refresh) == (90, True)
    assert "UPDATE" in ", ".join(snapshot.remote_allow)
    assert (snapshot.transport, snapshot.remote) == ("UDP", ("192.0.2.1", 5060))
    line.end()


def test_a_restored_session_is_what_its_snapshot_says() -> None:
    line = Line(caller=core("caller", session_seconds=90)).talking()
    before = line.caller.session.snapshot()
    new, _ = restart(line, "caller")
    after = new.session.snapshot()
    assert after._replace(local_sequence=before.local_sequence) == before
    new.hang_up()
    rest(line)


def test_the_route_set_is_kept() -> None:
    """RFC 3261 section 12.1.1."""
    owner = Owner()
    owner.receive(request_bytes("INVITE", headers=CONTACT + ROUTES, body=b"offer"))
    session = owner.sessions[-1]
    session.answer(b"answer", 0.0)
    owner.sent()
    owner.receive(owner.within(session, "ACK", cseq=7))
    again = Owner()
    restored = again.core.restore(session.snapshot(), UDP, again, 0.0)
    restored.hang_up(0.0)
    bye = read_request(again.sent())
    assert bye.headers["route"] == ["<sip:p2.example;lr>", "<sip:p1.example;lr>"]
    assert bye.uri == "sip:alice@192.0.2.77:5062"


def test_an_old_request_of_the_peer_is_still_too_old() -> None:
    """RFC 3261 section 12.2.2."""
    owner = Owner()
    session = owner.answered_call()
    again = Owner()
    again.core.restore(session.snapshot(), UDP, again, 0.0)
    assert again.receive(owner.within(session, "BYE", cseq=7)) == ["500 BYE"]
    assert again.receive(owner.within(session, "BYE", cseq=8)) == []
    assert again.told == ["ended Q.850 16"]


def test_an_ack_that_comes_after_the_restart_changes_nothing() -> None:
    owner = Owner()
    session = owner.invited()
    session.answer(b"answer", 0.0)
    owner.sent()
    again = Owner()
    restored = again.core.restore(session.snapshot(), UDP, again, 0.0)
    assert again.receive(owner.within(session, "ACK", cseq=7)) == []
    assert again.told == []
    restored.hang_up(0.0)
    assert read_request(again.sent()).method == "BYE"


def test_only_a_confirmed_session_has_a_snapshot() -> None:
    owner = Owner()
    session = owner.invited()
    with pytest.raises(LocalProtocolError):
        session.snapshot()
    session.refuse(486, 0.0)
    with pytest.raises(LocalProtocolError):
        session.snapshot()


def test_a_restored_session_answers_challenges() -> None:
    """RFC 3261 section 22.3."""
    owner = Owner()
    session = owner.answered_call()
    again = Owner()
    restored = again.core.restore(
        session.snapshot(), UDP, again, 0.0, authorize=lambda *_: "Authorization: Digest x\r\n"
    )
    restored.hang_up(0.0)
    bye = again.sent()
    again.core.stack.receive(response_bytes(bye, 401), UDP, 0.0)
    assert read_request(again.sent()).first("authorization") == "Digest x"
