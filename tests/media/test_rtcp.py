"""RTCP (RFC 3550 section 6): the reports that we make."""

import pytest

from media import rtcp
from media.rtp import Extent, Frame, Incoming, Outgoing


def test_receiver_report_when_nothing_was_sent():
    packet = rtcp.report(Outgoing(5), Incoming(), Extent(), rtcp.NO_REPORT, "beffroi", 10.0)
    assert rtcp.packet_types(packet) == [rtcp.RECEIVER_REPORT, rtcp.SOURCE_DESCRIPTION]


def test_sender_report_has_a_block_for_the_source_heard():
    outgoing, incoming = Outgoing(5), Incoming()
    outgoing.speak(Frame(b"x" * 160, True, 160), 8, 1.0)
    incoming.count((0x80, 8, 10, 0, 99), 172, 0)
    incoming.count((0x80, 8, 12, 320, 99), 172, 320)
    packet = rtcp.report(outgoing, incoming, Extent(), rtcp.NO_REPORT, "beffroi", 10.5)
    assert rtcp.packet_types(packet) == [rtcp.SENDER_REPORT, rtcp.SOURCE_DESCRIPTION]
    assert packet[0] & 0x1F == 1
    assert int.from_bytes(packet[8:12]) == 10
    assert packet[12] == 0x80  # half a second of the NTP fraction
    words = [int.from_bytes(packet[at : at + 4]) for at in (20, 24, 28, 32, 36)]
    assert words == [1, 160, 99, 85 << 24 | 1, 12]


@pytest.mark.parametrize("length", range(1, 9))
def test_description_is_padded_to_whole_words(length: int):
    packet = rtcp.report(Outgoing(5), Incoming(), Extent(), rtcp.NO_REPORT, "x" * length, 0.0)
    assert len(packet) % 4 == 0
    assert packet[-1] == 0
    assert rtcp.packet_types(packet)[-1] == rtcp.SOURCE_DESCRIPTION


@pytest.mark.parametrize("datagram", [b"", b"\x80", b"\x00\xc8\0\0", b"\x80\xc8\0\x05abcd"])
def test_what_is_not_rtcp_is_refused(datagram: bytes):
    with pytest.raises(rtcp.RtcpError):
        rtcp.packet_types(datagram)


def test_fraction_lost_is_that_of_the_last_interval():
    # RFC 3550 section 6.4.1, appendix A.3
    assert Extent(7, 150, 125).fraction_lost(Extent(7, 100, 100)) == 128
    assert Extent(7, 150, 100).fraction_lost(Extent(7, 100, 100)) == 255
    assert Extent(7, 150, 151).fraction_lost(Extent(7, 100, 100)) == 0  # some came twice, or late
    assert Extent(7, 100, 100).fraction_lost(Extent(7, 100, 90)) == 0
    assert Extent(8, 4, 3).fraction_lost(Extent(7, 100, 100)) == 64  # another source begins
    assert Extent().fraction_lost(Extent(7, 100, 100)) == 0


def test_loss_is_the_worst_of_the_last_reports():
    # RFC 3550 section 6.4.1: the fraction lost since the report before, of 256.
    reception = rtcp.Reception()
    for number, (lost, worst) in enumerate([(0, 0), (26, 11), (1, 11), (0, 11), (0, 1), (0, 0)]):
        block = bytes([lost]) + bytes(19)
        reception.take(bytes([0x81, 201, 0, 7]) + bytes(4) + bytes(4) + block, float(number))
        assert reception.loss_percent == worst
