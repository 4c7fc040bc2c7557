"""What is kept to be sent again, and what is asked for again (RFC 4585 section 6.2.1)."""

from media.rtc.retransmission import (
    KEPT_PACKETS,
    MOST_MISSING,
    RETRY_SECONDS,
    TRIES,
    Missing,
    Sent,
    request,
    requested,
)
from tests.media.rtc.browser import rtp

SSRC = (0xB0B).to_bytes(4)


def test_a_packet_is_found_by_its_number_and_ssrc():
    sent = Sent()
    for sequence in range(65_530, 65_545):
        sent.keep(rtp(sequence))
    assert sent.find(SSRC, [65_533, 3]) == [rtp(65_533), rtp(65_539)]
    assert sent.find(b"else", [3]) == []


def test_a_packet_that_is_too_old_is_not_sent_in_place_of_another():
    sent = Sent()
    sent.keep(rtp(7))
    sent.keep(rtp(7 + KEPT_PACKETS))
    assert sent.find(SSRC, [7]) == []


def test_a_gap_is_asked_for_at_once_and_so_often():
    missing = Missing(SSRC, 65_534)
    assert not missing.note(65_535, 0.0)
    assert missing.note(2, 1.0)
    assert missing.due(1.0) == [0, 1]
    assert missing.due(1.0) == []
    now = 1.0
    for _ in range(TRIES - 1):
        now += RETRY_SECONDS
        assert missing.due(now) == [0, 1]
    assert not missing
    assert missing.due(now + 1.0) == []


def test_what_has_come_late_is_not_asked_for_again():
    missing = Missing(SSRC, 10)
    missing.note(13, 0.0)
    missing.due(0.0)
    assert not missing.note(11, 0.01)
    assert missing.due(RETRY_SECONDS) == [12]


def test_a_gap_that_is_too_long_is_not_asked_for():
    missing = Missing(SSRC, 10)
    assert not missing.note(12 + MOST_MISSING, 0.0)
    assert missing.due(0.0) == []


def test_of_many_gaps_the_newest_are_asked_for():
    missing = Missing(SSRC, 0)
    for sequence in range(2, 1000, 2):
        missing.note(sequence, 0.0)
    due = missing.due(0.0)
    assert len(due) == MOST_MISSING
    assert due[-1] == 997


def test_a_request_says_in_few_words_what_is_missing():
    # RFC 4585 section 6.2.1: PID and a bit mask of the following 16
    whole = request(1, SSRC, [65_535, 0, 15, 16, 40])
    assert len(whole) == 12 + 3 * 4
    assert requested(whole) == [65_535, 0, 15, 16, 40]


def test_a_request_for_everything_is_answered_for_so_much():
    asked = b"\x81\xcd\x00\x00" + bytes(8) + b"\0\1\xff\xff" * 400
    assert len(requested(asked)) == KEPT_PACKETS


# -- a call's sound, whose packets are asked for as a picture's are ------------------------------------


def test_a_browser_that_missed_sound_is_sent_it_again_once_it_asks(desk):
    # RFC 4585 section 6.2.1
    browser, opened = desk.call("one", [desk.stream(nack=True)])
    desk.plane.sendto(rtp(1), opened.sockets[0])
    desk.turn()
    lost = browser.receive()
    browser.send(browser.protected_report(request(7, lost[8:12], [1])))
    desk.turn()
    assert browser.opened(browser.receive()) == rtp(1)


def test_sound_that_a_browser_sent_and_that_is_missing_is_asked_for_and_passes_late(desk):
    browser, _ = desk.call("one", [desk.stream(nack=True)])
    for number in (1, 3):
        browser.send(browser.protected(rtp(number)))
        desk.turn()
        assert desk.heard_by_plane() == rtp(number)
    asked = browser.opened_report(browser.receive())
    assert requested(asked) == [2]
    browser.send(browser.protected(rtp(2)))
    desk.turn()
    assert desk.heard_by_plane() == rtp(2)
