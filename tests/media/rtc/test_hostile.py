"""Packets that no browser sends: none raises, none passes, and the browser beside them is heard."""

import random

from media.rtc import retransmission
from tests.media.rtc.browser import rtp
from tests.media.rtc.desk import is_empty

AT_ONCE = 60


def mutated(packet, chance):
    whole = bytearray(packet)
    for _ in range(chance.randint(1, 5)):
        whole[chance.randrange(len(whole))] = chance.randrange(256)
    if chance.random() < 0.2:
        del whole[chance.randint(1, len(whole)) :]
    return bytes(whole) if bytes(whole) != packet else b"\xff" * 20


def storm(desk, sender, packets, count):
    """Send so many mutations of these, a few at once; what is answered is thrown away."""
    chance = random.Random(9)
    for _ in range(count // AT_ONCE):
        for _ in range(AT_ONCE):
            sender.send(mutated(chance.choice(packets), chance))
        desk.turn()
        while not is_empty(sender.socket):
            pass


def test_mutated_packets_of_a_browser_never_raise_and_never_pass(desk):
    browser, _ = desk.call("one", [desk.stream(nack=True)])
    reports = b"\x80\xc9\x00\x01" + bytes(4) + retransmission.request(1, (0xB0B).to_bytes(4), [1, 2])
    packets = [
        browser.protected(rtp(1, bytes(160))),
        browser.protected_report(reports),
        browser.check_request(),
        browser.dtls.close()[0][:13] + bytes(40),
        desk.browser("one").dtls.start()[0],
    ]
    storm(desk, browser, packets, 60_000)
    assert desk.plane_heard_nothing()
    browser.send(browser.protected(rtp(2)))
    desk.turn()
    assert desk.heard_by_plane() == rtp(2)


def test_whatever_a_stranger_sends_he_gets_nothing_and_keeps_nothing(desk):
    desk.call("one")
    stranger = desk.browser("one")
    stranger.password = b"guessed"
    packets = [rtp(1), b"\x80\xc8" + bytes(30), stranger.dtls.start()[0], stranger.check_request()]
    chance = random.Random(8)
    for _ in range(200):
        for _ in range(AT_ONCE):
            stranger.send(mutated(chance.choice(packets), chance))
        desk.turn()
    endpoint = desk.worker._endpoint
    assert endpoint.handshaking == set()
    assert len(endpoint.ports[0].associations) == 1
    assert desk.plane_heard_nothing()


def test_what_the_plane_would_never_send_never_raises(desk):
    _, opened = desk.call("one", [desk.stream(nack=True)])
    chance = random.Random(7)
    extended = b"\x90" + rtp(1)[1:] + b"\xbe\xde\x00\x01\x10abc" + bytes(30)
    packets = [rtp(1, bytes(160)), extended, b"\x80\xc8\x00\x06" + bytes(24)]
    for _ in range(10_000):
        desk.plane.sendto(mutated(chance.choice(packets), chance), opened.sockets[0])
        desk.turn()
    assert desk.told() == []
