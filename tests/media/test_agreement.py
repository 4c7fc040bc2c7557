"""Codecs: what is added to an offer, who speaks what, and what has to be converted (RFC 3264)."""

import pytest

from media import agreement, negotiation, sdp
from media.engine import MediaRefused
from media.engines import wire
from media.negotiation import Leg
from media.sdp import MediaDescription

MAPS = {
    0: "PCMU/8000",
    8: "PCMA/8000",
    9: "G722/8000",
    18: "G729/8000",
    96: "opus/48000/2",
    100: "telephone-event/48000",
    101: "telephone-event/8000",
    110: "opus/48000/2",
    112: "AMR-WB/16000",
}


def body(*numbers: int, extra: str = "", port: int = 4000) -> bytes:
    """A session description with these payload types."""
    maps = "".join(f"a=rtpmap:{number} {MAPS[number]}\r\n" for number in numbers)
    formats = " ".join(str(number) for number in numbers)
    return (
        "v=0\r\no=- 1 1 IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {formats}\r\n{maps}{extra}a=sendrecv\r\n"
    ).encode()


def legs() -> tuple[Leg, Leg]:
    return Leg("a", "192.0.2.1", 20000, 1), Leg("b", "192.0.2.1", 20002, 2)


def audio(told: bytes) -> MediaDescription:
    return sdp.parse(told).media[0]


def names(told: bytes) -> list[str]:
    return [codec.name for codec in audio(told).codecs]


def joined(offer: bytes, answer: bytes) -> tuple[Leg, Leg, bytes]:
    """Both legs after an offer of a's and an answer of b's, and what a was told."""
    alice, bob = legs()
    negotiation.offer(alice, bob, offer, nat=False)
    return alice, bob, negotiation.answer(bob, alice, answer, nat=False)


# --- what is offered ---------------------------------------------------------


def test_codecs_that_the_offer_lacks_stand_behind_its_own():
    alice, bob = legs()
    told = negotiation.offer(alice, bob, body(0, 101), nat=False)
    assert names(told) == ["PCMU", "telephone-event", "PCMA", "G722", "opus"]
    assert "a=fmtp:96 useinbandfec=1" in audio(told).lines


def test_codec_of_ours_gets_a_number_that_the_offer_leaves_free():
    alice, bob = legs()
    offered = body(112, 8).replace(b"112", b"96")
    told = audio(negotiation.offer(alice, bob, offered, nat=False))
    (opus,) = [codec for codec in told.codecs if codec.name == "opus"]
    assert opus.payload_type not in (96, 8)
    assert len(set(told.formats)) == len(told.formats)


def test_nothing_is_added_where_nothing_could_be_made_of_it():
    alice, bob = legs()
    assert names(negotiation.offer(alice, bob, body(18, 112), nat=False)) == ["G729", "AMR-WB"]


def test_events_are_added_where_the_offer_has_none_and_not_where_it_has_some():
    alice, bob = legs()
    assert names(negotiation.offer(alice, bob, body(8), nat=False))[-1] == "telephone-event"
    alice, bob = legs()
    told = names(negotiation.offer(alice, bob, body(96, 100), nat=False))
    assert told.count("telephone-event") == 1


def test_offer_made_again_is_the_same():
    alice, bob = legs()
    first = negotiation.offer(alice, bob, body(9, 101), nat=False)
    assert negotiation.offer(alice, bob, body(9, 101), nat=False) == first


def test_party_that_refused_more_is_offered_g711_and_events():
    alice, bob = legs()
    bob.simple = True
    told = negotiation.offer(alice, bob, body(96, 9, 101), nat=False)
    assert names(told) == ["telephone-event", "PCMA", "PCMU"]
    assert "opus" not in told.decode()


def test_party_that_refused_more_is_not_offered_more_in_mid_call():
    alice, bob = legs()
    bob.simple = True
    first = negotiation.offer(alice, bob, body(96, 9, 101), nat=False)
    negotiation.answer(bob, alice, body(8, 101), nat=False)
    assert negotiation.offer(alice, bob, body(96, 9, 101), nat=False) == first


# --- what is agreed ----------------------------------------------------------


def test_codec_that_both_have_is_taken_and_nothing_converted():
    alice, bob, told = joined(body(9, 8, 101), body(0, 8, 101))
    assert names(told) == ["PCMA", "telephone-event"]
    assert (alice.codec, bob.codec) == ("PCMA", "PCMA")


@pytest.mark.parametrize(("hers", "his"), [(8, 9), (9, 96), (96, 0), (0, 8), (8, 96)])
def test_two_who_share_nothing_each_speak_their_own(hers: int, his: int):
    alice, bob, told = joined(body(hers, 101), body(his, 101))
    assert audio(told).formats == [str(hers), "101"]
    assert (alice.codec, bob.codec) == (MAPS[hers].split("/")[0], MAPS[his].split("/")[0])


def test_ptime_of_the_other_is_not_told_with_a_codec_that_we_make():
    _, _, told = joined(body(8, 101), body(96, 101, extra="a=ptime:60\r\na=x-vendor:7\r\n"))
    assert "a=ptime:20" in audio(told).lines
    assert "a=ptime:60" not in audio(told).lines
    assert "a=x-vendor:7" in audio(told).lines


def test_answer_with_a_codec_that_nothing_can_be_made_of_is_refused():
    alice, bob = legs()
    negotiation.offer(alice, bob, body(8), nat=False)
    with pytest.raises(MediaRefused, match="no codec in common"):
        negotiation.answer(bob, alice, body(18), nat=False)


def test_answer_that_is_refused_changes_nothing():
    alice, bob, _ = joined(body(8), body(8))
    negotiation.offer(alice, bob, body(8), nat=False)
    before = (alice.snapshot("b"), bob.snapshot("a"))
    with pytest.raises(MediaRefused):
        negotiation.answer(bob, alice, body(18), nat=False)
    assert (alice.snapshot("b"), bob.snapshot("a")) == before


def test_unknown_codec_that_both_have_passes_with_its_parameters():
    # RFC 3264 section 5.1: what we don't know is between the two.
    alice, bob = legs()
    told = negotiation.offer(alice, bob, body(112, 8, extra="a=fmtp:112 mode-set=2\r\n"), nat=False)
    assert "a=fmtp:112 mode-set=2" in audio(told).lines
    answered = negotiation.answer(bob, alice, body(112), nat=False)
    assert names(answered) == ["AMR-WB"]
    assert agreement.payload_types(alice, bob) == {112: 112}


def test_events_are_told_even_when_the_other_has_none():
    # RFC 4733: they are played to the other as tones.
    alice, bob, told = joined(body(8, 101), body(8))
    assert names(told) == ["PCMA", "telephone-event"]
    assert (alice.event_type, bob.event_type) == (101, -1)


# --- changes in mid-call -----------------------------------------------------


def test_nothing_is_added_for_a_party_that_was_not_told_of_it():
    _, bob, answered = joined(body(8, 101), body(8, 101))
    alice = _
    offered = negotiation.offer(bob, alice, body(8, 101), nat=False)
    assert audio(offered).formats == audio(answered).formats


def test_hold_of_one_who_is_converted_tells_the_other_nothing():
    alice, bob, answered = joined(body(9, 101), body(8, 101))
    told = negotiation.offer(bob, alice, body(8, 101).replace(b"sendrecv", b"sendonly"), nat=False)
    assert told == answered
    again = negotiation.offer(alice, bob, body(9, 101).replace(b"sendrecv", b"sendonly"), nat=False)
    assert audio(again).formats == ["9", "101", "8", "0", "96"]


def test_party_that_gains_the_others_codec_is_converted_no_longer():
    alice, bob, _ = joined(body(9, 101), body(8, 101))
    negotiation.offer(alice, bob, body(9, 8, 101), nat=False)
    negotiation.answer(bob, alice, body(8, 101), nat=False)
    assert (alice.codec, bob.codec) == ("PCMA", "PCMA")


# --- we are the other party --------------------------------------------------


@pytest.mark.parametrize("number", [8, 0, 9, 96])
def test_we_answer_each_codec_of_ours(number: int):
    leg, _ = legs()
    told = negotiation.publish(leg, body(112, number, 101), nat=False)
    assert audio(told).formats == [str(number), "101"]
    assert leg.codec == MAPS[number].split("/")[0]


def test_we_answer_opus_with_the_events_of_its_clock():
    # RFC 4733 section 2.1: events have the clock of the voice beside them.
    leg, _ = legs()
    told = negotiation.publish(leg, body(96, 101, 100), nat=False)
    assert audio(told).formats == ["96", "100"]


def test_our_own_offer_has_all_that_we_can_play():
    leg, _ = legs()
    told = negotiation.terminate_offer(leg)
    assert names(told) == ["PCMA", "PCMU", "G722", "opus", "telephone-event"]
    negotiation.terminate_answer(leg, body(96, 101), nat=False)
    assert (leg.codec, leg.event_type) == ("opus", 101)


def test_numbers_that_go_nowhere_are_no_payload_types():
    assert wire.NOT_RELAYED > 127
