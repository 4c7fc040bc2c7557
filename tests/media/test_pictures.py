"""Whole pictures asked for: what SDP says of it, the bytes of PLI and FIR, and how both planes pass it on."""

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from media import pictures, sdp
from media.engines import wire
from media.line import Line as SdpLine
from media.pictures import Way
from media.rtcp import packet_types
from media.sdes import Security, Suite
from tests.media.line import LEG, PLANES, Line
from tests.media.test_restart import ELSEWHERE, PEER, PORT
from tests.media.test_secured_legs import ROUTE, Talk, security

VIDEO = "m=video 4002 RTP/AVP 97 98\r\na=rtpmap:97 H264/90000\r\na=rtpmap:98 VP8/90000\r\n"
RECEIVED = struct.pack(">BBHI", 0x80, 201, 1, 7)
PLI = struct.pack(">BBHII", 0x81, 206, 2, 7, 0xABCD)
FIR = struct.pack(">BBHIIIB3x", 0x84, 206, 4, 7, 0, 0xABCD, 1)
REMB = struct.pack(">BBHII", 0x8F, 206, 5, 7, 0) + b"REMB" + bytes(8)


@pytest.fixture(params=PLANES)
def talk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Talk]:
    made = Talk(tmp_path, request.param)
    yield made
    made.end()


def described(*lines: str, profile: str = "RTP/AVP") -> sdp.MediaDescription:
    """A video line with these attributes."""
    section = VIDEO.replace("RTP/AVP", profile) + "".join(f"a={line}\r\n" for line in lines)
    head = "v=0\r\no=- 1 1 IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\n"
    return sdp.parse((head + section).encode()).media[0]


def show(talk: Talk, hers: Way, his: Way, keys: Security | None = None) -> None:
    """Alice, who may have keys, and Bob see each other; each is asked in this way."""
    talk.begin(keys, None)
    route = msgspec.structs.replace(ROUTE, mux=True)
    talk.media._do(msgspec.structs.replace(route, security=keys, pictures=hers), 10.0)
    talk.media._do(msgspec.structs.replace(route, port=PEER, peer=PORT, pictures=his), 10.0)
    talk.a.say(10.0)
    talk.b.say(10.0)


def give(line: Line, report: bytes, now: float) -> None:
    line.give(line.keys[0].protect_rtcp(report) if line.keys else report, LEG, now)


def asked(line: Line) -> list[bytes]:
    """What has asked the leg for a picture: the last packet of each compound, without those that don't."""
    found = []
    for compound, _ in line.reports:
        kinds = packet_types(compound)
        if kinds[-1] == 206:
            assert kinds[0] in (200, 201), "RFC 4585 section 3.1: behind a report"
            assert kinds[1] == 202
            length = 12 if compound[-12] == 0x81 else 20
            found.append(compound[-length:])
    return found


# --- SDP ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "profile", "way"),
    [
        (["rtcp-fb:* nack pli", "rtcp-fb:* ccm fir"], "RTP/AVP", "pli"),
        (["rtcp-fb:98 nack pli"], "RTP/AVP", "pli"),
        (["rtcp-fb:* ccm fir", "rtcp-fb:* nack"], "RTP/AVPF", "fir"),
        ([], "RTP/AVPF", "pli"),
        ([], "RTP/SAVPF", "pli"),
        (["tcap:1 RTP/AVPF", "pcfg:1 t=1"], "RTP/AVP", "pli"),
        (["rtcp-fb:* nack"], "RTP/AVP", "info"),
        ([], "RTP/AVP", "info"),
    ],
)
def test_sdp_says_how_a_party_is_asked(lines: list[str], profile: str, way: Way):
    assert pictures.way_of(described(*lines, profile=profile)) == way


def test_who_is_offered_video_is_told_of_both_and_an_answer_has_what_was_offered():
    # RFC 4585 section 4.2, RFC 5104 section 7.1
    offered = SdpLine()
    assert offered.offered_transport(described(), "off") == (
        "RTP/AVP",
        ["a=rtcp-fb:* nack pli", "a=rtcp-fb:* ccm fir"],
    )
    for said, told in ((["rtcp-fb:97 nack pli"], ["a=rtcp-fb:* nack pli"]), (["rtcp-fb:* nack"], [])):
        answered = SdpLine()
        answered.hear_offer(described(*said), "off")
        answered.commit()
        assert answered.answered_transport() == ("RTP/AVP", told)


# --- bytes -------------------------------------------------------------------


def test_pli_and_fir_are_as_their_rfcs_draw_them():
    assert pictures.request("pli", 7, 0xABCD, 1) == PLI  # RFC 4585 section 6.3.1
    assert pictures.request("fir", 7, 0xABCD, 257) == FIR  # RFC 5104 section 4.3.1.1


def test_only_pli_and_fir_ask_wherever_they_stand_in_a_compound():
    for asking in (PLI, FIR, RECEIVED + PLI, RECEIVED + FIR, FIR + RECEIVED):
        assert pictures.is_asked_for(asking)
    for other in (b"", RECEIVED, REMB, RECEIVED + REMB, PLI[:8], FIR[:16], RECEIVED + PLI[:-4], bytes(12)):
        assert not pictures.is_asked_for(other)


def test_20000_damaged_requests_are_read_without_a_fault():
    chance = random.Random(9)
    asking = 0
    for _ in range(20_000):
        damaged = bytearray(RECEIVED + PLI + FIR)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        asking += pictures.is_asked_for(bytes(damaged[: chance.randrange(len(damaged) + 1)]))
    assert 0 < asking < 20_000


# --- both planes -------------------------------------------------------------


@pytest.mark.parametrize("request_", [PLI, FIR], ids=["pli", "fir"])
@pytest.mark.parametrize("way", ["pli", "fir"])
def test_request_is_said_to_the_peer_in_its_own_way_and_about_its_own_stream(
    talk: Talk, request_: bytes, way: Way
):
    show(talk, "pli", way)
    give(talk.a, RECEIVED + request_, 11.0)
    ours = talk.b.our_ssrc()
    assert asked(talk.b) == [pictures.request(way, ours, talk.b.ssrc, 1)]
    assert asked(talk.a) == []


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"])
def test_request_passes_between_a_leg_with_keys_and_one_without(talk: Talk, suite: Suite):
    show(talk, "pli", "pli", security(suite))
    give(talk.a, RECEIVED + PLI, 11.0)
    give(talk.b, RECEIVED + PLI, 11.0)
    assert len(asked(talk.a)) == len(asked(talk.b)) == 1


def test_camera_is_asked_twice_a_second_at_most_and_its_requests_are_numbered(talk: Talk):
    show(talk, "pli", "fir")
    for tick in range(40):
        give(talk.a, RECEIVED + PLI, 11.0 + 0.05 * tick)
    numbers = [request[16] for request in asked(talk.b)]
    assert numbers == [1, 2, 3, 4]


def test_request_right_behind_a_report_is_heard(talk: Talk):
    show(talk, "pli", "pli")
    give(talk.a, RECEIVED, 11.0)
    give(talk.a, PLI, 11.03)
    assert len(asked(talk.b)) == 1


def test_who_has_no_feedback_is_told_of_to_signalling(talk: Talk):
    show(talk, "pli", "info")
    give(talk.a, RECEIVED + PLI, 11.0)
    assert asked(talk.b) == []
    assert [one for one in talk.media._reports if isinstance(one, wire.PictureWanted)] == [
        wire.PictureWanted(PEER)
    ]


def test_signalling_asks_for_whoever_asked_it(talk: Talk):
    show(talk, "info", "pli")
    talk.media._do(wire.AskForPicture(PORT), 11.0)
    assert len(asked(talk.b)) == 1
    assert asked(talk.a) == []


def test_nobody_asks_for_a_picture_of_who_shows_none_or_was_never_seen(talk: Talk):
    talk.begin(None, None)
    talk.join(10.0, mux=True)
    give(talk.a, RECEIVED + PLI, 11.0)
    talk.join(12.0, mux=True, pictures="pli")
    give(talk.a, RECEIVED + PLI, 13.0)  # Bob hasn't sent a packet yet
    assert asked(talk.b) == []


def test_a_stranger_asks_for_nothing(talk: Talk):
    show(talk, "pli", "pli")
    talk.a.give(RECEIVED + PLI, ELSEWHERE, 11.0)
    assert asked(talk.b) == []
