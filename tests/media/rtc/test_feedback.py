"""RTCP of browsers: cut, told apart, and asked of another one."""

import random
import struct

import pytest

from media.rtc import feedback, retransmission

OURS, THEIRS = b"ours", b"them"
PLI = struct.pack(">BBH", 0x81, 206, 2) + THEIRS + OURS
FIR = struct.pack(">BBH", 0x84, 206, 4) + THEIRS + bytes(4) + OURS + b"\x09\0\0\0"
REMB = struct.pack(">BBH", 0x8F, 206, 5) + THEIRS + bytes(4) + b"REMB\x01\x12\x34\x56" + OURS
REPORT = struct.pack(">BBH", 0x81, 201, 7) + THEIRS + OURS + bytes(20)
SENDER = struct.pack(">BBH", 0x81, 200, 12) + THEIRS + bytes(20) + OURS + bytes(20)
NACK = retransmission.request(7, OURS, [1, 2])


def test_a_compound_packet_is_cut_into_its_packets():
    assert feedback.packets(REPORT + PLI + NACK) == [REPORT, PLI, NACK]


@pytest.mark.parametrize("damaged", [REPORT + b"\x81", REPORT[:-4], b"\x01" + REPORT[1:], b"\x80\xc9\0\0"])
def test_what_does_not_add_up_has_no_packets(damaged):
    assert feedback.packets(damaged) == []


@pytest.mark.parametrize("packet", [PLI, FIR, REMB, REPORT, SENDER, NACK])
def test_each_packet_says_which_of_our_streams_it_is_about(packet):
    assert feedback.about(packet) == (OURS,)


def test_what_asks_for_a_picture_is_told_from_what_reports():
    assert [feedback.is_request(packet) for packet in (PLI, FIR, REMB, REPORT, NACK)] == [True] * 3 + [
        False
    ] * 2
    assert [feedback.is_nack(packet) for packet in (PLI, NACK)] == [False, True]


@pytest.mark.parametrize("packet", [PLI, FIR, REMB])
def test_a_request_is_passed_on_as_ours_about_the_other_one_s_stream(packet):
    passed = feedback.readdressed(packet, 0x01020304, b"cams")
    assert feedback.packets(passed) == [passed]
    assert feedback.is_request(passed)
    assert feedback.about(passed) == (b"cams",)
    assert passed[4:8] == b"\1\2\3\4"


def test_the_number_of_a_fir_stays():
    # RFC 5104 section 4.3.1.1: a command is told from the next by its number
    assert feedback.readdressed(FIR, 1, b"cams")[16] == 9


def test_the_rate_of_a_remb_stays():
    assert feedback.readdressed(REMB, 1, b"cams")[17:20] == b"\x12\x34\x56"


def test_mutated_reports_are_read_or_refused():
    chance = random.Random(3550)
    whole = SENDER + REMB + FIR + NACK
    for _ in range(20_000):
        mutated = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        for packet in feedback.packets(bytes(mutated)):
            feedback.about(packet)
            if feedback.is_request(packet):
                feedback.readdressed(packet, 1, b"cams")
            if feedback.is_nack(packet):
                retransmission.requested(packet)
