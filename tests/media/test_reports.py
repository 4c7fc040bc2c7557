"""What legs report of our sound, over both planes: in clear and with keys, on their own port and on RTP's."""

import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from media import rtcp
from media.engines import native
from media.engines.relay import PlaneName
from media.sdes import SUITES, Security, Suite
from media.srtp import Sender
from tests.media.line import LEG, PLANES, Line, take_turn
from tests.media.process import port_range
from tests.media.test_secured_legs import ELSEWHERE, Talk, security

PORT = port_range()[0]
LOST = 7


@pytest.fixture(params=[*PLANES, *(["sealed"] if native.is_built() else [])])
def talk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Talk]:
    """On each plane; "sealed": the C plane without OpenSSL."""
    plane: PlaneName = request.param if request.param in PLANES else "native"
    if request.param == "sealed":
        monkeypatch.setattr(native, "suites", frozenset)
    made = Talk(tmp_path, plane)
    yield made
    made.end()


def sender_report(ssrc: int, ntp: int, *blocks: bytes) -> bytes:
    """RFC 3550 section 6.4.1"""
    return struct.pack(
        ">BBHIQIII", 0x80 | len(blocks), 200, 6 + 6 * len(blocks), ssrc, ntp, 0, 1, 160
    ) + b"".join(blocks)


def block(last: int = 0, lost: int = LOST, ssrc: int = 1) -> bytes:
    return struct.pack(">IIIIII", ssrc, lost, 0, 160, last, 0)


def begin(talk: Talk, keys: Security | None, *, mux: bool = True) -> None:
    """Alice and Bob have heard each other."""
    talk.begin(keys, None)
    talk.join(10.0, mux=mux)
    talk.a.say(10.0)
    talk.b.say(10.0)


def give(line: Line, report: bytes, now: float, source: tuple[str, int] = LEG[:2]) -> None:
    """Send a report on the RTP port, encrypted where the leg has keys."""
    line.give(line.keys[0].protect_rtcp(report) if line.keys else report, source, now)


def our_last(line: Line, now: float) -> bytes:
    """The leg's next report of ours, in clear."""
    line.stream.each_second(now, 30.0, report=True)
    return line.reports[-1][0]


@pytest.mark.parametrize("suite", [None, *SUITES])
def test_round_trip_and_far_loss_of_a_leg_that_muxes_are_known(talk: Talk, suite: Suite | None):
    # RFC 3550 section 6.4.1 over RFC 5761, encrypted as in RFC 3711 section 3.4 and RFC 7714 section 9
    begin(talk, security(suite) if suite else None)
    last = int.from_bytes(our_last(talk.a, 11.0)[10:14])
    give(talk.a, sender_report(7, 0, block(last)), 11.08)
    counts = talk.a.counts(11.1)
    assert counts.round_trip_ms == pytest.approx(80, abs=0.1)
    assert (counts.far_lost, counts.far_jitter_ms) == (LOST, 20)
    assert counts.invalid_packets == 0


@pytest.mark.parametrize("suite", [None, "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"])
def test_reports_of_ours_say_which_one_of_the_legs_came_last_and_when(talk: Talk, suite: Suite | None):
    # RFC 3550 section 6.4.1: LSR and DLSR, by which the leg computes the round trip.
    begin(talk, security(suite) if suite else None)
    give(talk.a, sender_report(7, 0x1122334455667788), 10.5)
    ours = our_last(talk.a, 11.0)
    assert ours[0] & 0x1F == 1
    assert struct.unpack_from(">II", ours, 28 + 16) == (0x33445566, 0x8000)


def test_reports_of_ours_say_nothing_of_a_source_that_is_not_heard(talk: Talk):
    # RFC 3550 section 6.4.1: 0 where no report of this source has come.
    begin(talk, None)
    give(talk.a, sender_report(8, 0x1122334455667788), 10.5)
    assert struct.unpack_from(">II", our_last(talk.a, 11.0), 28 + 16) == (0, 0)


def test_reports_of_ours_say_what_was_lost_since_the_last_one(talk: Talk):
    # RFC 3550 section 6.4.1, appendix A.3: of 256; 28 octets of our own come before the block
    begin(talk, None)
    assert our_last(talk.a, 11.0)[28 + 4] == 0
    talk.a.sequence += 3  # of four packets one comes
    talk.a.say(11.5)
    assert our_last(talk.a, 12.0)[28 + 4] == 192
    talk.a.say(12.5)
    assert our_last(talk.a, 13.0)[28 + 4 : 28 + 8] == bytes([0, 0, 0, 3])


def test_report_with_another_key_says_nothing(talk: Talk):
    begin(talk, security())
    last = int.from_bytes(our_last(talk.a, 11.0)[10:14])
    forged = Sender(security(seed=3).theirs).protect_rtcp(sender_report(7, 0, block(last)))
    talk.a.give(forged, LEG, 11.1)
    talk.a.give(sender_report(7, 0, block(last)), LEG, 11.7)  # in clear
    assert (talk.a.counts().far_lost, talk.a.counts().round_trip_ms) == (0, 0)


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"])
def test_report_that_comes_twice_or_was_changed_is_not_read(talk: Talk, suite: Suite):
    # RFC 3711 section 3.3.2
    begin(talk, security(suite))
    assert talk.a.keys is not None
    first, second, third = (
        talk.a.keys[0].protect_rtcp(sender_report(7, 0, block(lost=lost))) for lost in (1, 2, 3)
    )
    talk.a.give(first, LEG, 11.0)
    talk.a.give(second, LEG, 12.0)
    talk.a.give(first, LEG, 13.0)
    assert talk.a.counts().far_lost == 2
    for place in range(8, len(third)):
        talk.a.give(third[:place] + bytes((third[place] ^ 1,)) + third[place + 1 :], LEG, 14.0 + place)
    assert talk.a.counts().far_lost == 2
    talk.a.give(third, LEG, 500.0)
    assert talk.a.counts().far_lost == 3


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM"])
def test_report_with_the_announced_key_identifier_is_read(talk: Talk, suite: Suite):
    # RFC 3711 section 3.1
    keys = security(suite, mki=b"\0\x07")
    begin(talk, keys)
    other = Sender(msgspec.structs.replace(keys.theirs, mki=b"\0\x08"))
    talk.a.give(other.protect_rtcp(sender_report(7, 0, block())), LEG, 11.0)
    assert talk.a.counts().far_lost == 0
    give(talk.a, sender_report(7, 0, block()), 12.0)
    assert talk.a.counts().far_lost == LOST


@pytest.mark.parametrize("keys", [None, security()])
def test_report_of_a_third_address_is_not_read(talk: Talk, keys: Security | None):
    begin(talk, keys)
    give(talk.a, sender_report(7, 0, block()), 11.0, ELSEWHERE[:2])
    assert (talk.a.counts().far_lost, talk.a.counts().third_party_packets) == (0, 1)


def test_flood_of_reports_is_read_twice_a_second(talk: Talk):
    begin(talk, None)
    for number in range(1, 101):
        give(talk.a, sender_report(7, 0, block(lost=number)), 11.0 + number / 1000)
    assert talk.a.counts().far_lost == 1


@pytest.mark.parametrize("keys", [None, security(), security("AEAD_AES_256_GCM")])
def test_report_on_its_own_port_is_read_from_the_legs_host_only(talk: Talk, keys: Security | None):
    # RFC 3550 section 11; behind a NAT it may come from any port of the host.
    begin(talk, keys, mux=False)
    media = talk.media
    media._plane.start()
    # Not the port of the test's own phone: one that a NAT might have given.
    for host, lost in (("127.0.0.9", 99), ("127.0.0.1", LOST)):
        report = sender_report(7, 0, block(lost=lost))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.bind((host, 0))
            phone.sendto(
                talk.a.keys[0].protect_rtcp(report) if talk.a.keys else report, ("127.0.0.1", PORT + 1)
            )
    for _ in range(10):
        if talk.a.counts().far_lost:
            break
        ready = media._epoll.poll(10)
        assert ready, "nobody woke the loop"
        for descriptor, _ in ready:
            media._readers[descriptor](11.0)
    assert talk.a.counts().far_lost == LOST


def test_keys_of_a_leg_that_only_listens_are_enough_for_its_reports(talk: Talk):
    # A leg on hold sends nothing but these.
    keys = security()
    talk.begin(keys, None)
    talk.join(10.0, mux=True)
    give(talk.a, sender_report(7, 0, block()), 11.0)
    assert talk.a.counts().far_lost == LOST
    talk.a.say(12.0)
    assert len(talk.b.sent) == 1


def test_100000_damaged_reports_say_nothing_impossible():
    chance = random.Random(20261122)
    whole = sender_report(7, 1 << 60, block(), block()) + struct.pack(">BBHIBB2x", 0x81, 202, 2, 7, 1, 0)
    read = 0
    for number in range(100_000):
        data = bytearray(whole)
        for _ in range(chance.randrange(4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
        elif chance.random() < 0.2:
            data += chance.randbytes(chance.randrange(60))
        reception = rtcp.Reception()
        reception.take(bytes(data), float(number))
        assert 0 <= reception.lost < 1 << 23
        assert 0 <= reception.round_trip_ms < 10_001
        assert 0 <= reception.sender.delay(number + 1.0) <= 0x10000
        read += reception.sender is not rtcp.NO_REPORT
    assert 20_000 < read < 90_000  # or it would be testing one thing only


def test_damaged_reports_leave_both_planes_where_they_were(talk: Talk):
    chance = random.Random(7)
    begin(talk, security())
    assert talk.a.keys is not None
    now = 11.0
    for number in range(3000):
        now += 0.6
        data = bytearray(talk.a.keys[0].protect_rtcp(sender_report(7, 0, block(lost=number))))
        data[chance.randrange(2, len(data))] ^= 1 << chance.randrange(8)
        del data[chance.choice((len(data), len(data), chance.randrange(2, len(data)))) :]
        talk.a.give(bytes(data), LEG, now)
        take_turn(talk.media, now)
    assert talk.a.counts(now).far_lost == 0
    give(talk.a, sender_report(7, 0, block()), now + 1)
    assert talk.a.counts(now).far_lost == LOST
