"""RTP (RFC 3550): headers, one continuous outgoing stream, and what a receiver counts."""

import pytest

from media import rtp
from media.rtp import Frame, Incoming, Outgoing, Packet, RtpError


def relayed(outgoing: Outgoing, packet: Packet, now: float, payload_type: int = 8) -> Packet:
    buffer = bytearray(rtp.build(packet))
    outgoing.relay(buffer, rtp.read_header(buffer), len(buffer), payload_type, 8000, now)
    return rtp.parse(buffer)


def test_packet_comes_back_as_it_was():
    packet = Packet(96, 65535, 4294967295, 4294967295, b"payload", marker=True)
    assert rtp.parse(rtp.build(packet)) == packet


def test_csrc_extension_and_padding_are_not_payload():
    datagram = b"\xb1\x08\0\1\0\0\0\2\0\0\0\3" + b"CSRC" + b"\0\0\0\1EXTN" + b"sound" + b"\0\0\3"
    assert rtp.parse(datagram).payload == b"sound"


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x80\x08\0\1\0\0\0\2\0\0\0",
        b"\x40\x08" + bytes(10),
        b"\x80\xc8" + bytes(10),
        b"\x8f\x08" + bytes(10),
        b"\x90\x08" + bytes(10),
        b"\x90\x08" + bytes(10) + b"\0\0\0\x09",
        b"\xa0\x08" + bytes(10) + b"x\xff",
        b"\xa0\x08" + bytes(10) + b"x\0",
    ],
)
def test_what_is_not_rtp_is_refused(datagram: bytes):
    with pytest.raises(RtpError):
        rtp.parse(datagram)


def test_relayed_packets_keep_their_order_and_gaps():
    outgoing = Outgoing(42, 1000, 2000)
    numbers = [
        relayed(outgoing, Packet(0, sequence, 160 * sequence, 7, b"x"), 0.0).sequence
        for sequence in (65534, 65535, 1, 0, 2)
    ]
    first = numbers[0]
    assert [(number - first) & 0xFFFF for number in numbers] == [0, 1, 3, 2, 4]


def test_another_source_goes_on_where_the_last_one_stopped():
    outgoing = Outgoing(42)
    last = relayed(outgoing, Packet(0, 500, 10_000, 7, b"x"), now=1.0)
    first = relayed(outgoing, Packet(0, 9, 77, 8, b"x"), now=1.5)
    assert first.ssrc == last.ssrc == 42
    assert first.sequence == last.sequence + 1
    assert first.timestamp == last.timestamp + 4000  # half a second of 8,000 ticks
    assert first.marker


def test_our_own_speech_goes_on_where_the_relayed_one_stopped():
    outgoing = Outgoing(42)
    last = relayed(outgoing, Packet(0, 500, 10_000, 7, b"x"), now=1.0)
    first = rtp.parse(outgoing.speak(Frame(b"y", False, 160), 8, 1.1))
    second = rtp.parse(outgoing.speak(Frame(b"y", False, 160), 8, 1.12))
    assert (first.sequence, first.timestamp, first.marker) == (last.sequence + 1, last.timestamp + 800, True)
    assert (second.sequence, second.timestamp, second.marker) == (
        first.sequence + 1,
        first.timestamp + 160,
        False,
    )


def test_payload_type_is_the_peers():
    assert relayed(Outgoing(1), Packet(96, 1, 1, 7, b"x", marker=True), 0.0, 97).payload_type == 97


def counted(sequences: list[int], ssrc: int = 7, incoming: Incoming | None = None) -> Incoming:
    incoming = incoming or Incoming()
    for sequence in sequences:
        incoming.count((0x80, 8, sequence & 0xFFFF, 160 * sequence, ssrc), 172, 160 * sequence)
    return incoming


def test_loss_is_what_was_expected_and_did_not_come():
    assert counted([1, 2, 5, 6]).lost == 2


def test_reordered_and_wrapped_packets_are_not_lost():
    incoming = counted([65534, 65536, 65535, 65537])
    assert incoming.lost == 0
    assert incoming.highest == 65537


def test_loss_of_a_former_source_is_kept():
    incoming = counted([1, 3])
    counted([900, 902], 8, incoming)
    assert incoming.lost == 2
    assert (incoming.packets, incoming.octets) == (4, 640)


def test_duplicates_never_make_loss_negative():
    assert counted([1, 1, 1, 2]).lost == 0


def test_jitter_is_zero_for_a_steady_source_and_grows_with_variation():
    assert counted(list(range(50))).jitter_ticks == 0
    incoming = Incoming()
    for number in range(200):
        late = 80 if number % 2 else 0
        incoming.count((0x80, 8, number, 160 * number, 7), 172, 160 * number + late)
    assert incoming.jitter_ticks == pytest.approx(80, rel=0.01)
