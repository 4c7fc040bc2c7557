"""The RTC worker between a browser, signalling and the media plane."""

from media.rtc import feedback, retransmission
from media.rtc.association import MAX_SOURCES, MOST_PACKETS_A_SECOND
from media.rtc.protocol import (
    Close,
    Counts,
    Pair,
    Query,
)
from tests.media.rtc.browser import rtp
from tests.media.rtc.desk import is_empty, udp

PLI = b"\x81\xce\x00\x02" + bytes(4)
RECEIVER_REPORT = b"\x80\xc9\x00\x01\x00\x00\x0b\x0b"


def counts(desk, leg):
    desk.say(Query(1, (leg,)))
    answer = desk.next()
    assert isinstance(answer, Counts)
    return answer.legs[0]


# -- packets -----------------------------------------------------------------------------------------


def test_what_a_browser_says_comes_to_the_plane_in_clear(desk):
    browser, opened = desk.call("one")
    browser.send(browser.protected(rtp(7)))
    desk.turn()
    packet, source = desk.plane.recvfrom(4096)
    assert packet == rtp(7)
    assert source == opened.sockets[0]


def test_what_the_plane_says_comes_to_the_browser_protected(desk):
    browser, opened = desk.call("one")
    desk.plane.sendto(rtp(9, b"clear words"), opened.sockets[0])
    desk.turn()
    packet = browser.receive()
    assert b"clear words" not in packet
    assert browser.opened(packet) == rtp(9, b"clear words")


def test_payload_types_are_each_side_s_own(desk):
    browser, opened = desk.call("one", [desk.stream(numbers={111: 96})])
    browser.send(browser.protected(rtp(1, payload_type=111)))
    desk.plane.sendto(rtp(2, payload_type=96), opened.sockets[0])
    desk.turn()
    assert desk.heard_by_plane() == rtp(1, payload_type=96)
    assert browser.opened(browser.receive()) == rtp(2, payload_type=111)


def test_a_payload_type_that_was_not_agreed_goes_nowhere(desk):
    browser, opened = desk.call("one")
    browser.send(browser.protected(rtp(1, payload_type=0)))
    desk.plane.sendto(rtp(2, payload_type=0), opened.sockets[0])
    desk.turn()
    assert desk.plane_heard_nothing()
    assert is_empty(browser.socket)


def test_two_lines_of_a_bundle_have_a_plain_socket_each(desk):
    # RFC 8843 section 9.2: one transport, told apart by payload type
    browser, opened = desk.call("one", [desk.stream(0, {8: 8}), desk.stream(1, {97: 96})])
    browser.send(browser.protected(rtp(1)))
    browser.send(browser.protected(rtp(1, b"picture", payload_type=97, ssrc=0xCAFE)))
    desk.turn()
    heard = dict(desk.plane.recvfrom(4096)[::-1] for _ in range(2))
    assert heard == {
        opened.sockets[0]: rtp(1),
        opened.sockets[1]: rtp(1, b"picture", payload_type=96, ssrc=0xCAFE),
    }


def test_a_header_extension_is_taken_out_both_ways(desk):
    # RFC 8285: no header extension is agreed
    browser, opened = desk.call("one")
    extended = bytes((0x90,)) + rtp(3)[1:12] + b"\xbe\xde\x00\x01\x10abc" + b"sound"
    browser.send(browser.protected(extended))
    desk.plane.sendto(extended, opened.sockets[0])
    desk.turn()
    assert desk.heard_by_plane() == rtp(3)
    assert browser.opened(browser.receive()) == rtp(3)


def test_a_packet_as_long_as_a_buffer_passes_and_a_longer_one_does_not(desk):
    browser, opened = desk.call("one")
    for size in (2048, 2049):
        desk.plane.sendto(rtp(size, bytes(size - 12)), opened.sockets[0])
        desk.turn()
    assert browser.opened(browser.receive()) == rtp(2048, bytes(2036))
    assert is_empty(browser.socket)


def test_a_packet_passes_once(desk):
    # RFC 3711 section 3.3.2: replay protection
    browser, _ = desk.call("one")
    packet = browser.protected(rtp(7))
    browser.send(packet)
    browser.send(packet)
    desk.turn()
    assert desk.heard_by_plane() == rtp(7)
    assert desk.plane_heard_nothing()
    assert counts(desk, "one").invalid == 1


def test_the_plane_never_has_two_packets_encrypted_with_one_number(desk):
    browser, opened = desk.call("one")
    desk.plane.sendto(rtp(7, b"first"), opened.sockets[0])
    desk.plane.sendto(rtp(7, b"other"), opened.sockets[0])
    desk.turn()
    desk.turn()
    assert browser.opened(browser.receive()) == rtp(7, b"first")
    assert is_empty(browser.socket)


def test_nobody_else_may_speak_to_the_browser_through_a_plain_socket(desk):
    browser, opened = desk.call("one")
    with udp("127.0.0.1") as stranger:
        stranger.sendto(rtp(1), opened.sockets[0])
        desk.turn()
    assert is_empty(browser.socket)


def test_a_browser_that_sends_too_much_is_cut_off_until_the_next_second(desk):
    browser, _ = desk.call("one")
    desk.wait(1.0)
    passed = 0
    for sequence in range(MOST_PACKETS_A_SECOND + 10):
        browser.send(browser.protected(rtp(sequence)))
        desk.turn()
        passed += not desk.plane_heard_nothing()
    assert passed == MOST_PACKETS_A_SECOND
    desk.wait(1.0)
    browser.send(browser.protected(rtp(5000)))
    desk.turn()
    assert desk.heard_by_plane() == rtp(5000)


def test_a_browser_has_so_many_sources_and_no_more(desk):
    browser, _ = desk.call("one")
    for ssrc in range(MAX_SOURCES + 5):
        browser.send(browser.protected(rtp(1, ssrc=ssrc)))
        desk.turn()
    assert sum(not desk.plane_heard_nothing() for _ in range(MAX_SOURCES + 5)) == MAX_SOURCES


# -- RTCP --------------------------------------------------------------------------------------------


def test_reports_pass_both_ways(desk):
    # RFC 5761: RTP and RTCP on one port
    browser, opened = desk.call("one")
    browser.send(browser.protected_report(RECEIVER_REPORT))
    desk.plane.sendto(RECEIVER_REPORT, opened.sockets[0])
    desk.turn()
    assert desk.heard_by_plane() == RECEIVER_REPORT
    assert browser.opened_report(browser.receive()) == RECEIVER_REPORT


def test_a_report_goes_to_the_line_that_it_is_about(desk):
    browser, opened = desk.call("one", [desk.stream(0, {8: 8}), desk.stream(1, {97: 96})])
    desk.plane.sendto(rtp(1, payload_type=96, ssrc=0xCAFE), opened.sockets[1])
    desk.turn()
    about_picture = PLI + (0xCAFE).to_bytes(4)
    browser.send(browser.protected_report(RECEIVER_REPORT + about_picture))
    desk.turn()
    heard = dict(desk.plane.recvfrom(4096)[::-1] for _ in range(2))
    assert heard == {opened.sockets[0]: RECEIVER_REPORT, opened.sockets[1]: about_picture}


def test_what_a_browser_has_missed_is_sent_again(desk):
    # RFC 4585 section 6.2.1: generic NACK
    browser, opened = desk.call("one", [desk.stream(nack=True)])
    for sequence in (1, 2, 3):
        desk.plane.sendto(rtp(sequence), opened.sockets[0])
    desk.turn()
    lost = [browser.receive() for _ in range(3)][1]
    browser.send(browser.protected_report(retransmission.request(1, (0xB0B).to_bytes(4), [2])))
    desk.turn()
    assert browser.receive() == lost
    assert browser.opened(lost) == rtp(2)
    assert desk.plane_heard_nothing()
    assert counts(desk, "one").resent == 1


def test_a_browser_is_asked_again_for_what_is_missing_and_no_longer_once_it_came(desk):
    browser, _ = desk.call("one", [desk.stream(nack=True)])
    packets = [browser.protected(rtp(sequence)) for sequence in range(4)]
    for packet in (packets[0], packets[2]):
        browser.send(packet)
    desk.turn()
    asked = browser.opened_report(browser.receive())
    assert feedback.is_nack(asked)
    assert retransmission.requested(asked) == [1]
    desk.wait(retransmission.RETRY_SECONDS)
    assert retransmission.requested(browser.opened_report(browser.receive())) == [1]
    browser.send(packets[1])
    desk.turn()
    desk.wait(retransmission.RETRY_SECONDS)
    assert is_empty(browser.socket)
    assert [desk.heard_by_plane() for _ in range(3)] == [rtp(0), rtp(2), rtp(1)]


def test_a_key_frame_is_asked_of_the_partner_s_camera(desk):
    # RFC 4585 section 6.3.1: picture loss indication
    seen, _ = desk.call("camera", [desk.stream(numbers={97: 96})])
    sees, opened = desk.call("screen", [desk.stream(numbers={97: 96})])
    desk.say(Pair("screen", "camera"))
    seen.send(seen.protected(rtp(1, payload_type=97, ssrc=0xCA)))
    desk.plane.sendto(rtp(1, payload_type=96, ssrc=0x5C), opened.sockets[0])
    desk.turn()
    desk.heard_by_plane()
    sees.receive()
    sees.send(sees.protected_report(PLI + (0x5C).to_bytes(4)))
    desk.turn()
    asked = seen.opened_report(seen.receive())
    assert asked[1] == feedback.PAYLOAD_FEEDBACK
    assert feedback.about(asked) == ((0xCA).to_bytes(4),)
    assert desk.plane_heard_nothing()
    desk.say(Close(("camera",)))
    sees.send(sees.protected_report(PLI + (0x5C).to_bytes(4)))
    desk.turn()
    assert desk.heard_by_plane()[1] == feedback.PAYLOAD_FEEDBACK
