"""Video, text (RFC 4103) and fax (T.38 annex D) beside the sound, or in its place: RFC 3264 section 8."""

import base64
import itertools
import random

import msgspec
import pytest

from media import agreement, negotiation, sdp
from media.engine import MediaMisuse, MediaRefused
from media.negotiation import Leg
from media.sdes import Policy
from media.sdp import MediaDescription
from media.snapshot import LegSnapshot

AUDIO = "m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
NO_AUDIO = "m=audio 0 RTP/AVP 8\r\n"
VIDEO = (
    "m=video 4002 RTP/AVP 97 98\r\na=rtpmap:97 H264/90000\r\na=fmtp:97 profile-level-id=42e01f\r\n"
    "a=rtpmap:98 VP8/90000\r\n"
)
TEXT = "m=text 4004 RTP/AVP 98 99\r\na=rtpmap:98 red/1000\r\na=fmtp:98 99/99/99\r\na=rtpmap:99 t140/1000\r\n"
FAX = "m=image 4006 udptl t38\r\na=T38FaxVersion:0\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"
KEY = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{base64.b64encode(b'v' * 30).decode()}\r\n"


def body(*sections: str, host: str = "192.0.2.20") -> bytes:
    """A session description with these m= lines."""
    return f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n{''.join(sections)}".encode()


def legs(hers: Policy = "off", his: Policy = "off") -> tuple[Leg, Leg]:
    alice, bob = Leg("a", "192.0.2.1", 20000, 1), Leg("b", "192.0.2.1", 20002, 2)
    alice.secure(hers)
    bob.secure(his)
    return alice, bob


def offer(leg: Leg, to: Leg, said: bytes, ports: int = 100) -> bytes:
    """What `to` is offered; as many further streams have a port."""
    negotiation.hear_offer(leg, to, said, nat=False)
    for line in itertools.islice((*leg.portless(), *to.portless()), ports):
        taken = {each.port for party in (leg, to) for each in party.lines.values()}
        line.port = next(port for port in range(30000, 31000, 2) if port not in taken)
    return negotiation.tell_offer(leg, to)


def answer(leg: Leg, to: Leg, said: bytes) -> bytes:
    return negotiation.answer(leg, to, said, nat=False)


def shape(told: bytes) -> list[tuple[str, bool]]:
    """Each m= line: what it is, and whether it is there."""
    return [(media.kind, media.port != 0) for media in sdp.parse(told).media]


def line(told: bytes, place: int) -> MediaDescription:
    return sdp.parse(told).media[place]


def joined(*sections: str) -> tuple[Leg, Leg, bytes, bytes]:
    """Two legs with the same sections on both sides, and what each was told."""
    alice, bob = legs()
    told = offer(alice, bob, body(*sections))
    return alice, bob, told, answer(bob, alice, body(*sections))


# --- beside the sound --------------------------------------------------------


@pytest.mark.parametrize("section", [VIDEO, TEXT, FAX])
def test_further_stream_is_offered_as_it_is_with_a_port_of_its_own(section: str):
    alice, bob, told, answered = joined(AUDIO, section)
    for ours, other in ((line(told, 1), line(answered, 1)), (line(answered, 1), line(told, 1))):
        assert ours.port not in (0, 20000, 20002, other.port)
        assert ours.host == "192.0.2.1"
        passed = [each for each in ours.lines[:-1] if not each.startswith("a=rtcp-fb:")]
        assert passed == sdp.parse(body(section)).media[0].lines
    assert (alice.codec, bob.codec) == ("PCMA", "PCMA")


def test_payload_types_of_video_go_straight_through():
    alice, bob, _, _ = joined(AUDIO, VIDEO)
    assert agreement.payload_types(alice.lines[1], bob.lines[1]) == {97: 97, 98: 98}


def test_numbers_of_each_m_line_are_its_own():
    _, _, told, _ = joined(AUDIO.replace("101", "98"), VIDEO)
    assert line(told, 1).formats == ["97", "98"]
    assert line(told, 0).formats[:2] == ["8", "98"]


def test_stream_that_the_other_refuses_has_port_zero():
    alice, bob = legs()
    offer(alice, bob, body(AUDIO, VIDEO))
    answered = answer(bob, alice, body(AUDIO, "m=video 0 RTP/AVP 97\r\n"))
    assert shape(answered) == [("audio", True), ("video", False)]
    assert alice.lines[1].remote is None


def test_stream_that_the_other_forgot_has_port_zero():
    alice, bob = legs()
    offer(alice, bob, body(AUDIO, VIDEO))
    assert shape(answer(bob, alice, body(AUDIO))) == [("audio", True), ("video", False)]


def test_stream_without_a_port_left_is_refused_and_the_sound_goes_on():
    alice, bob = legs()
    told = offer(alice, bob, body(AUDIO, VIDEO), ports=1)
    assert shape(told) == [("audio", True), ("video", False)]
    answered = answer(bob, alice, body(AUDIO, "m=video 0 RTP/AVP 97\r\n"))
    assert shape(answered) == [("audio", True), ("video", False)]


def test_at_most_three_further_streams_are_carried():
    alice, bob = legs()
    told = offer(alice, bob, body(AUDIO, *[VIDEO] * 5))
    assert [present for _, present in shape(told)] == [True] * 4 + [False] * 2


@pytest.mark.parametrize(
    "section",
    ["m=message 4000 TCP/MSRP *\r\n", "m=application 4000 UDP/BFCP *\r\n", AUDIO.replace("4000", "5000")],
)
def test_what_cannot_be_relayed_is_refused(section: str):
    alice, bob = legs()
    assert [present for _, present in shape(offer(alice, bob, body(AUDIO, section)))] == [True, False]


def test_video_that_comes_later_goes_to_both_and_may_end_again():
    alice, bob, first, _ = joined(AUDIO)
    told = offer(alice, bob, body(AUDIO, VIDEO))
    assert shape(told) == [("audio", True), ("video", True)]
    assert line(told, 0).port == line(first, 0).port
    assert shape(answer(bob, alice, body(AUDIO, VIDEO))) == [("audio", True), ("video", True)]
    told = offer(bob, alice, body(AUDIO, "m=video 0 RTP/AVP 97\r\n"))
    assert shape(told) == [("audio", True), ("video", False)]
    answer(alice, bob, body(AUDIO, "m=video 0 RTP/AVP 97\r\n"))
    assert (alice.lines[1].remote, bob.lines[1].remote) == (None, None)


def test_hold_of_the_sound_leaves_the_video_and_tells_the_other_nothing():
    alice, bob, told, _ = joined(AUDIO, VIDEO)
    held = offer(alice, bob, body(AUDIO + "a=sendonly\r\n", VIDEO + "a=sendonly\r\n"))
    assert held == told
    answered = answer(bob, alice, body(AUDIO, VIDEO))
    assert [media.direction for media in sdp.parse(answered).media] == ["recvonly", "recvonly"]


def test_offer_that_is_refused_leaves_no_m_line_behind():
    alice, bob, told, _ = joined(AUDIO)
    offer(alice, bob, body(AUDIO, VIDEO))
    assert (
        offer(alice, bob, body(AUDIO)).partition(b"\r\n")[2].split(b"\r\n", 1)[1]
        == told.partition(b"\r\n")[2].split(b"\r\n", 1)[1]
    )


def test_parties_with_other_m_lines_keep_their_own_order():
    # RFC 3264 section 8: alice's session has one line more than bob's.
    alice, bob = legs()
    negotiation.publish(alice, body(AUDIO, "m=message 0 TCP/MSRP *\r\n"), nat=False)
    negotiation.terminate_offer(bob)
    negotiation.terminate_answer(bob, body(AUDIO), nat=False)
    told = offer(bob, alice, body(AUDIO, VIDEO))
    assert [kind for kind, _ in shape(told)] == ["audio", "message", "video"]
    answered = answer(alice, bob, body(AUDIO, "m=message 0 TCP/MSRP *\r\n", VIDEO))
    assert shape(answered) == [("audio", True), ("video", True)]


def test_party_that_is_kept_simple_is_offered_no_video():
    alice, bob = legs()
    bob.simple = True
    assert shape(offer(alice, bob, body(AUDIO, VIDEO))) == [("audio", True), ("video", False)]


def test_we_ourselves_answer_the_sound_alone():
    leg, _ = legs()
    assert shape(negotiation.publish(leg, body(AUDIO, VIDEO), nat=False)) == [
        ("audio", True),
        ("video", False),
    ]


# --- fax ---------------------------------------------------------------------


def test_fax_takes_the_place_of_the_sound_and_gives_it_back():
    # RFC 3264 section 8.3.3
    alice, bob, _, _ = joined(AUDIO)
    told = offer(bob, alice, body(FAX))
    assert shape(told) == [("image", True)]
    assert shape(answer(alice, bob, body(FAX))) == [("image", True)]
    assert (alice.codec, bob.codec) == ("T38", "T38")
    assert not alice.receives
    told = offer(bob, alice, body(AUDIO))
    assert (shape(told), line(told, 0).port) == ([("audio", True)], 20000)
    assert shape(answer(alice, bob, body(AUDIO))) == [("audio", True)]
    assert (alice.codec, alice.lines[0].remote) == ("PCMA", None)


def test_fax_beside_the_sound_that_stops():
    alice, bob, _, _ = joined(AUDIO)
    told = offer(bob, alice, body(NO_AUDIO, FAX))
    assert shape(told) == [("audio", False), ("image", True)]
    assert shape(answer(alice, bob, body(NO_AUDIO, FAX))) == [("audio", False), ("image", True)]
    assert (alice.codec, bob.codec) == ("T38", "T38")
    told = offer(bob, alice, body(AUDIO, "m=image 0 udptl t38\r\n"))
    assert shape(told) == [("audio", True), ("image", False)]
    answer(alice, bob, body(AUDIO, "m=image 0 udptl t38\r\n"))
    assert alice.codec == "PCMA"


def test_fax_that_the_other_side_refuses_leaves_the_sound():
    alice, bob, _, answered = joined(AUDIO)
    offer(bob, alice, body(FAX))
    assert alice.codec == "PCMA"
    assert offer(bob, alice, body(AUDIO)).split(b"m=")[1] == answered.split(b"m=")[1]


def test_call_that_is_a_fax_from_the_beginning():
    alice, bob, told, answered = joined(FAX)
    assert (shape(told), shape(answered)) == ([("image", True)], [("image", True)])
    assert (alice.codec, bob.codec) == ("T38", "T38")


def test_fax_never_goes_where_keys_are_required():
    # UDPTL has none.
    alice, bob = legs("off", "required")
    told = offer(alice, bob, body(AUDIO, FAX))
    assert [present for _, present in shape(told)] == [True, False]


# --- keys --------------------------------------------------------------------


def test_video_has_keys_of_its_own_on_the_leg_that_is_secure():
    alice, bob = legs("required", "off")
    secure = AUDIO.replace("RTP/AVP", "RTP/SAVP") + KEY, VIDEO.replace("RTP/AVP", "RTP/SAVP") + KEY
    told = offer(alice, bob, body(*secure))
    assert [(media.protocol, media.has_crypto) for media in sdp.parse(told).media] == [("RTP/AVP", False)] * 2
    answered = answer(bob, alice, body(AUDIO, VIDEO))
    assert [media.protocol for media in sdp.parse(answered).media] == ["RTP/SAVP"] * 2
    assert alice.security is not None
    video = alice.lines[1].security
    assert video is not None
    assert video.ours.key != alice.security.ours.key
    assert bob.lines[1].security is None


def test_video_in_clear_on_a_leg_that_requires_keys_is_refused_alone():
    alice, bob = legs("required", "off")
    told = offer(alice, bob, body(AUDIO.replace("RTP/AVP", "RTP/SAVP") + KEY, VIDEO))
    assert shape(told) == [("audio", True), ("video", False)]


def test_mux_of_each_stream_is_its_own():
    # RFC 5761 section 5.1.1
    alice, bob = legs()
    offer(alice, bob, body(AUDIO, VIDEO + "a=rtcp-mux\r\n"))
    answered = answer(bob, alice, body(AUDIO, VIDEO))
    assert [media.rtcp_mux for media in sdp.parse(answered).media] == [False, True]


# --- hostile, and kept -------------------------------------------------------


def test_snapshot_has_the_further_streams():
    alice, bob, told, answered = joined(AUDIO, VIDEO)
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(bob.snapshot("a")), type=LegSnapshot)
    again = Leg("b", bob.address, bob.port, bob.session)
    again.restore(kept)
    assert again.lines[1].port == bob.lines[1].port
    assert offer(alice, again, body(AUDIO, VIDEO)) == told
    assert answer(again, alice, body(AUDIO, VIDEO)) == answered


def test_leg_without_further_streams_has_none():
    alice, bob, _, _ = joined(AUDIO)
    assert (alice.lines, bob.lines, alice.snapshot("b").lines) == ({}, {}, [])


def test_any_order_of_changes_gives_sdp_that_can_be_read():
    chance = random.Random(8866)
    sections = (AUDIO, NO_AUDIO, VIDEO, TEXT, FAX, "m=video 0 RTP/AVP 97\r\n", "m=message 9 TCP/MSRP *\r\n")
    refused = 0
    for _ in range(400):
        alice, bob = legs()
        for _ in range(6):
            leg, to = chance.choice(((alice, bob), (bob, alice)))
            try:
                told = offer(leg, to, body(*chance.choices(sections, k=chance.randrange(1, 5))))
                ours = len(sdp.parse(told).media)
                if chance.random() < 0.7:
                    given = body(*chance.choices(sections, k=chance.randrange(ours, ours + 2)))
                    assert len(sdp.parse(answer(to, leg, given)).media) >= 1
            except (MediaRefused, MediaMisuse):
                refused += 1
            ports = [each.port for party in (alice, bob) for each in party.lines.values() if each.port]
            assert len(set(ports)) == len(ports)
    assert 0 < refused < 2400
