"""Digits as RFC 4733 events."""

import struct

import pytest

from media import dtmf
from media.dtmf import DigitDetector


def event(digit: str, duration: int, *, ended: bool = False) -> bytes:
    return struct.pack(">BBH", dtmf.DIGITS.index(digit), 0x8A if ended else 0x0A, duration)


def test_every_digit_sent_is_detected_once():
    detector, timestamp, heard = DigitDetector(), 4294967000, ""
    for packet in dtmf.packets(dtmf.DIGITS * 2):
        timestamp = (timestamp + packet.advance_ticks) & 0xFFFFFFFF
        if packet.payload:
            heard += detector.receive(packet.payload, timestamp, marker=packet.marker)
    assert heard == dtmf.DIGITS * 2


def test_digit_is_three_ends_of_one_timestamp():
    sent = [packet for packet in dtmf.packets("5") if packet.payload]
    assert [packet.payload[1] >> 7 for packet in sent][-4:] == [0, 1, 1, 1]
    assert [packet.advance_ticks for packet in sent] == [160] + [0] * 7
    assert [packet.marker for packet in sent] == [True] + [False] * 7


def test_digit_whose_start_was_lost_is_detected_by_its_end():
    assert DigitDetector().receive(event("9", 800, ended=True), 1000, marker=False) == "9"


def test_same_key_twice_is_two_digits():
    detector = DigitDetector()
    assert detector.receive(event("1", 160), 1000, marker=True) == "1"
    assert detector.receive(event("1", 800, ended=True), 1000, marker=False) == ""
    assert detector.receive(event("1", 160), 3000, marker=True) == "1"


def test_late_packet_of_an_earlier_digit_is_not_a_digit():
    detector = DigitDetector()
    detector.receive(event("1", 160), 1000, marker=True)
    detector.receive(event("2", 160), 3000, marker=True)
    assert detector.receive(event("1", 800, ended=True), 1000, marker=False) == ""


def test_key_held_for_longer_than_a_segment_is_one_digit():
    # RFC 4733 section 2.5.1.3.
    detector = DigitDetector()
    assert detector.receive(event("3", 160), 1000, marker=True) == "3"
    assert detector.receive(event("3", 0xFFFF), 1000, marker=False) == ""
    assert detector.receive(event("3", 160), 1000 + 0xFFFF, marker=False) == ""


@pytest.mark.parametrize(
    "payload", [b"", b"\x01", b"\x01\x0a\x00", bytes((16, 10, 0, 160)), bytes((255, 0, 0, 1))]
)
def test_what_is_not_a_key_is_no_digit(payload: bytes):
    assert DigitDetector().receive(payload, 1, marker=True) == ""


def test_other_characters_are_refused():
    with pytest.raises(ValueError, match="not a digit"):
        list(dtmf.packets("12x"))
    with pytest.raises(ValueError, match="more than"):
        list(dtmf.packets("1" * 129))


def test_keys_have_the_frequencies_of_q23():
    assert dtmf.frequencies_hz("1") == (697, 1209)
    assert dtmf.frequencies_hz("D") == (941, 1633)
    assert dtmf.frequencies_hz("0") == (941, 1336)
