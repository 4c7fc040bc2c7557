"""How browsers come to an RTC worker and leave it, and what signalling and strangers have of it."""

import secrets

import pytest

from media.rtc import stun
from media.rtc.endpoint import STRANGER_A_SECOND
from media.rtc.protocol import (
    CLAIM_SECONDS,
    AddStream,
    Agree,
    Close,
    Connected,
    Counts,
    Gone,
    Held,
    Inventory,
    Moved,
    Open,
    Opened,
    Pair,
    PlainStream,
    Query,
    Refused,
    Restart,
)
from tests.media.rtc.browser import rtp
from tests.media.rtc.desk import PASSWORD, Desk, is_empty

# -- ICE and DTLS ------------------------------------------------------------------------------------


def test_where_the_browser_waits_the_worker_begins_the_handshake(desk):
    # RFC 5763 section 5: the side that is told "passive" waits, and the other one begins
    desk.open("one")
    desk.agree("one", role="client")
    browser = desk.browser("one", role="server")
    desk.shake_hands(browser)
    assert desk.next() == Connected("one", browser.address)
    browser.send(browser.protected(rtp(7)))
    desk.turn()
    assert desk.heard_by_plane() == rtp(7)


def test_a_browser_with_another_certificate_is_refused(desk):
    # RFC 5763 section 6.7.1: the fingerprint has to fit before a key is used
    desk.open("one")
    desk.agree("one", fingerprints=(("sha-256", "00:" * 31 + "00"),))
    browser = desk.browser("one")
    desk.shake_hands(browser)
    assert desk.next() == Gone("one", "failed")
    browser.send(browser.protected(rtp(7)))
    desk.turn()
    assert desk.plane_heard_nothing()


def test_a_fingerprint_of_a_hash_that_is_not_safe_counts_for_nothing(desk):
    desk.open("one")
    desk.agree("one", fingerprints=(("sha-1", desk.certificate.fingerprint[1]), ("md5", "00")))
    desk.shake_hands(desk.browser("one"))
    assert desk.next() == Gone("one", "failed")


def test_no_handshake_begins_before_something_was_agreed(desk):
    desk.open("one")
    browser = desk.browser("one")
    desk.exchange(browser, browser.check_request())
    browser.send_all(browser.dtls.start())
    desk.turn()
    assert is_empty(browser.socket)


def test_who_was_never_checked_can_begin_no_handshake(desk):
    desk.open("one")
    desk.agree("one")
    stranger = desk.browser("one")
    stranger.send_all(stranger.dtls.start())
    stranger.send(rtp(1))
    desk.turn()
    assert is_empty(stranger.socket)
    assert desk.told() == []


def test_a_handshake_that_comes_to_no_end_is_given_up(desk):
    desk.open("one")
    desk.agree("one")
    browser = desk.browser("one")
    desk.exchange(browser, browser.check_request())
    desk.exchange(browser, browser.dtls.start()[0])
    desk.wait(31.0)
    assert desk.next() == Gone("one", "failed")


def test_a_flight_that_gets_no_answer_is_sent_again_before_a_call_hears_it(desk):
    # RFC 6347 section 4.2.4.1: timers of real-time protocols may be shorter
    desk.open("one")
    desk.agree("one")
    browser = desk.browser("one")
    desk.exchange(browser, browser.check_request())
    lost = desk.exchange(browser, browser.dtls.start()[0])
    desk.wait(0.05)
    assert is_empty(browser.socket)
    desk.wait(0.06)
    assert browser.receive() == lost


def test_a_browser_that_ends_dtls_is_gone(desk):
    browser, _ = desk.call("one")
    browser.send_all(browser.dtls.close())
    desk.turn()
    assert desk.next() == Gone("one", "closed")


def test_a_browser_is_told_when_its_leg_is_closed(desk):
    browser, _ = desk.call("one")
    desk.say(Close(("one",)))
    browser.take(browser.receive())
    assert browser.dtls.state == "closed"


def test_a_browser_that_checks_no_more_is_gone_and_may_come_back(desk):
    # RFC 7675 section 5.1: consent expires after 30 seconds
    browser, opened = desk.call("one")
    desk.wait(29.0)
    assert desk.told() == []
    desk.wait(1.5)
    assert desk.next() == Gone("one", "consent")
    desk.plane.sendto(rtp(1), opened.sockets[0])
    desk.turn()
    assert is_empty(browser.socket)
    desk.exchange(browser, browser.check_request())
    assert desk.next() == Connected("one", browser.address)
    browser.send(browser.protected(rtp(2)))
    desk.turn()
    assert desk.heard_by_plane() == rtp(2)


def test_a_browser_that_changes_networks_goes_on(desk):
    browser, opened = desk.call("one")
    before, browser.socket = browser.socket, browser.open()
    with before:
        desk.exchange(browser, browser.check_request())
        assert desk.next() == Moved("one", browser.address)
        desk.plane.sendto(rtp(1), opened.sockets[0])
        browser.send(browser.protected(rtp(2)))
        desk.turn()
        assert browser.opened(browser.receive()) == rtp(1)
        assert desk.heard_by_plane() == rtp(2)
        assert is_empty(before)


def test_a_restart_of_ice_keeps_the_keys(desk):
    # RFC 8445 section 9: ICE restarts, DTLS goes on
    browser, opened = desk.call("one")
    desk.say(Restart("one", "newer", "another password"))
    desk.plane.sendto(rtp(1), opened.sockets[0])
    desk.turn()
    assert browser.opened(browser.receive()) == rtp(1)
    before, browser.socket = browser.socket, browser.open()
    old_check = browser.check_request()
    browser.ufrag, browser.password = "newer", b"another password"
    with before:
        desk.exchange(browser, browser.check_request())
        assert desk.next() == Moved("one", browser.address)
        browser.send(old_check)
        browser.send(browser.protected(rtp(2)))
        desk.turn()
        assert desk.heard_by_plane() == rtp(2)
        assert is_empty(browser.socket)


def test_a_page_that_was_loaded_again_shakes_hands_anew_on_the_same_leg(desk):
    _, opened = desk.call("one")
    again = desk.browser("one")
    again.ufrag, again.password = "newer", b"another password"
    fingerprint = ("sha-512", "of another certificate")
    desk.say(
        Restart("one", "newer", "another password"),
        Agree("one", "server", (fingerprint, desk.certificate.fingerprint), "theirs", (desk.stream(),)),
    )
    desk.shake_hands(again)
    assert Connected("one", again.address) in desk.told()
    desk.plane.sendto(rtp(1), opened.sockets[0])
    desk.turn()
    assert again.opened(again.receive()) == rtp(1)


def test_the_same_said_again_changes_no_key(desk):
    browser, _ = desk.call("one")
    desk.agree("one")
    browser.send(browser.protected(rtp(2)))
    desk.turn()
    assert desk.heard_by_plane() == rtp(2)


def test_on_ipv6_as_on_ipv4():
    desk = Desk("::1")
    try:
        browser, opened = desk.call("one")
        browser.send(browser.protected(rtp(7)))
        desk.plane.sendto(rtp(8), opened.sockets[0])
        desk.turn()
        assert desk.heard_by_plane() == rtp(7)
        assert browser.opened(browser.receive()) == rtp(8)
    finally:
        desk.close()


# -- strangers ---------------------------------------------------------------------------------------


def test_the_port_is_a_stun_server(desk):
    # RFC 8489 section 12: a binding request without credentials is a STUN server's
    browser = desk.browser("nobody")
    transaction = secrets.token_bytes(12)
    answer = stun.parse(desk.exchange(browser, stun.build(stun.BINDING_REQUEST, transaction, ())))
    host, port = browser.address
    assert answer.attributes[stun.XOR_MAPPED_ADDRESS] == stun.xor_address(host, port, transaction)


def test_a_stranger_is_answered_so_many_times_a_second(desk):
    stranger = desk.browser("nobody")
    for _ in range(STRANGER_A_SECOND + 10):
        stranger.send(stun.build(stun.BINDING_REQUEST, secrets.token_bytes(12), ()))
    desk.turn()
    assert sum(not is_empty(stranger.socket) for _ in range(STRANGER_A_SECOND + 10)) == STRANGER_A_SECOND
    desk.wait(1.0)
    desk.exchange(stranger, stun.build(stun.BINDING_REQUEST, secrets.token_bytes(12), ()))


def test_who_guesses_a_password_gets_nothing(desk):
    desk.open("one")
    guesses = desk.browser("one")
    guesses.password = b"guessed"
    guesses.check()
    guesses.ufrag = "unknown"
    guesses.check()
    desk.turn()
    assert is_empty(guesses.socket)


# -- signalling --------------------------------------------------------------------------------------


def test_a_leg_said_again_by_another_signalling_process_goes_on(desk):
    browser, opened = desk.call("one")
    desk.control.close()
    desk.turn()
    desk.connect()
    assert desk.open("one") == opened
    assert desk.next() == Connected("one", browser.address)
    desk.wait(CLAIM_SECONDS + 1)
    browser.send(browser.protected(rtp(7)))
    desk.turn()
    assert desk.heard_by_plane() == rtp(7)


def test_another_signalling_process_is_told_of_a_browser_that_is_gone(desk):
    desk.call("one")
    desk.wait(31)
    assert desk.next() == Gone("one", "consent")
    desk.control.close()
    desk.turn()
    desk.connect()
    desk.open("one")
    assert desk.next() == Gone("one", "consent")


def test_a_leg_that_nobody_claims_ends(desk):
    desk.call("one")
    desk.control.close()
    desk.connect()
    desk.wait(CLAIM_SECONDS - 1)
    desk.say(Inventory())
    assert desk.next() == Held(("one",), 1)
    desk.wait(2)
    desk.say(Inventory())
    assert [one for one in desk.told() if isinstance(one, Held)] == [Held((), 0)]


def test_a_leg_gets_another_stream(desk):
    first = desk.open("one")
    desk.say(AddStream("one"))
    more = desk.next()
    assert isinstance(more, Opened)
    assert more.sockets[0] == first.sockets[0]
    assert len(more.sockets) == 2


@pytest.mark.parametrize(
    "command",
    [
        Open("one", "one", PASSWORD, True, 1),
        Open("one", "one", PASSWORD, False, 9),
        AddStream("one"),
    ],
    ids=["no IPv6 here", "too many streams", "unknown"],
)
def test_what_cannot_be_had_is_refused(desk, command):
    desk.say(command)
    answer = desk.next()
    assert isinstance(answer, Refused)
    assert answer.leg == "one"


def test_what_is_said_of_a_leg_that_has_ended_is_no_error(desk):
    stream = PlainStream(0, "127.0.0.1", 9, 9, {8: 8}, False)
    desk.say(
        Agree("gone", "server", (), "x", (stream,)),
        Restart("gone", "a", "b"),
        Pair("gone", "gone"),
        Close(("gone",)),
        Query(3, ("gone",)),
    )
    assert desk.next() == Counts(3, ())


def test_a_frame_that_is_none_ends_the_connection_alone(desk):
    desk.call("one")
    desk.control.sendall(b"\xff\xff\xff\xff")
    desk.turn()
    assert desk.control.recv(1) == b""
    desk.connect()
    desk.say(Inventory())
    assert desk.next() == Held(("one",), 1)


def test_nothing_is_left_when_all_legs_are_closed(desk):
    desk.call("one")
    desk.call("two")
    desk.say(Close(("one", "two")))
    worker = desk.worker
    assert worker._legs == {}
    assert worker._endpoint._by_ufrag == {}
    assert worker._endpoint._registered == {}
    assert worker._endpoint.handshaking == set()
    assert worker._endpoint.ports[0].associations == {}
    assert len(worker._readers) == 3  # the port, where signalling connects, and its connection
