"""Offer and answer under hostile bodies, and what each side may send."""

import random

import pytest

from media import agreement, negotiation, sdp
from media.engine import MediaMisuse, MediaRefused
from media.negotiation import Leg

OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 96 8 101\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\nm=video 4002 RTP/AVP 97\r\na=rtpmap:97 VP8/90000\r\n"
)


def legs() -> tuple[Leg, Leg]:
    return Leg("a", "192.0.2.1", 20000, 1), Leg("b", "192.0.2.1", 20002, 2)


def offered(leg: Leg, to: Leg, body: bytes) -> bytes:
    """What `to` is offered, each stream with a port."""
    negotiation.hear_offer(leg, to, body, nat=False)
    for line in (*leg.portless(), *to.portless()):
        line.port = 30000
    return negotiation.tell_offer(leg, to)


def agreed(offer: bytes, answer: bytes) -> tuple[Leg, Leg]:
    alice, bob = legs()
    negotiation.offer(alice, bob, offer, nat=False)
    negotiation.answer(bob, alice, answer, nat=False)
    return alice, bob


def test_each_may_send_what_the_other_declared():
    alice, bob = agreed(OFFER, OFFER.replace(b"96 8 101", b"8 101"))
    assert agreement.payload_types(alice, bob) == {8: 8, 101: 101}
    assert agreement.payload_types(bob, alice) == {96: 96, 8: 8, 101: 101}


def test_numbers_are_translated_in_both_directions():
    answer = OFFER.replace(b"96", b"111").replace(b"101", b"110")
    alice, bob = agreed(OFFER, answer)
    assert agreement.payload_types(alice, bob) == {96: 111, 8: 8, 101: 110}
    told_by_us = {number: out for number, out in agreement.payload_types(bob, alice).items() if number != 8}
    assert told_by_us == {96: 96, 101: 101, 111: 96, 110: 101}
    assert (alice.voice, bob.voice) != (None, None)
    assert alice.voice is not None
    assert bob.voice is not None
    assert (alice.voice.payload_type, bob.voice.payload_type) == (96, 111)
    assert (alice.event_type, bob.event_type) == (101, 110)


def test_two_variants_of_one_codec_keep_their_numbers():
    offer = OFFER.replace(b"96 8 101", b"96 98 101").replace(
        b"a=sendrecv", b"a=rtpmap:98 opus/48000/2\r\na=fmtp:98 stereo=1\r\na=sendrecv"
    )
    alice, bob = legs()
    offered = sdp.parse(negotiation.offer(alice, bob, offer, nat=False)).media[0]
    assert offered.formats[:3] == ["96", "98", "101"]


def test_number_without_a_meaning_goes_through():
    offer = OFFER.replace(b"96 8 101", b"8 99")
    alice, bob = agreed(offer, offer)
    assert agreement.payload_types(alice, bob)[99] == 99


def test_codec_that_both_only_know_by_name_is_the_legs_codec():
    alice, bob = agreed(OFFER, OFFER)
    assert (alice.codec, bob.codec) == ("opus", "opus")


def test_answer_of_digits_alone_has_no_voice():
    alice, bob = agreed(OFFER, OFFER.replace(b"96 8 101", b"101"))
    assert (alice.codec, bob.codec) == ("", "")


def test_refused_audio_is_port_zero_for_the_offerer():
    alice, bob = legs()
    negotiation.offer(alice, bob, OFFER, nat=False)
    answer = negotiation.answer(bob, alice, OFFER.replace(b"m=audio 4000", b"m=audio 0"), nat=False)
    assert [media.port for media in sdp.parse(answer).media] == [0, 0]
    assert (alice.codec, bob.receives) == ("", False)


def test_stream_keeps_its_place_when_the_other_side_offers():
    offer = OFFER.replace(b"m=video 4002 RTP/AVP 97\r\na=rtpmap:97 VP8/90000\r\n", b"").replace(
        b"m=audio", b"m=video 4002 RTP/AVP 97\r\nm=audio"
    )
    alice, bob = agreed(offer, offer)
    again = negotiation.offer(bob, alice, offer, nat=False)
    assert [media.kind for media in sdp.parse(again).media] == ["video", "audio"]


@pytest.mark.parametrize("gone", [b"m=message 4000 TCP/MSRP *\r\n", b""])
def test_later_offer_without_the_audio_stream_is_refused(gone: bytes):
    alice, bob = agreed(OFFER, OFFER)
    with pytest.raises(MediaRefused):
        negotiation.offer(alice, bob, OFFER[: OFFER.index(b"m=audio")] + gone, nat=False)


def test_mutated_offers_and_answers_are_refused_or_give_sdp_that_can_be_read():
    chance = random.Random(3264)
    refused = 0
    for _ in range(6000):
        alice, bob = legs()
        bodies: list[bytes] = []
        for _ in range(4):
            body = bytearray(OFFER)
            for _ in range(chance.randrange(3)):
                place = chance.randrange(len(body))
                body[place : place + chance.randrange(3)] = chance.choice(
                    (b"0", b" ", b"\xff", b"96", b"\r\n", b"")
                )
            bodies.append(bytes(body))
        try:
            told = [
                offered(alice, bob, bodies[0]),
                negotiation.answer(bob, alice, bodies[1], nat=True),
                offered(bob, alice, bodies[2]),
                negotiation.answer(alice, bob, bodies[3], nat=False),
            ]
            agreement.payload_types(alice, bob)
        except (MediaRefused, MediaMisuse):
            refused += 1
            continue
        for written in told:
            for media in sdp.parse(written).media:
                ports = (0, 20000, 20002) if media.kind == "audio" else (0, 30000)
                assert (media.port in ports, media.host) == (True, "192.0.2.1")
    assert 0 < refused < 6000
