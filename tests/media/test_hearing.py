"""What the loop hears of a stream, and streams that aren't RTP or have no port for RTCP, over both planes."""

import random
import socket
import struct
from array import array
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from media import codecs, rtcp, rtp
from media.codecs import Law
from media.engines import native, wire
from media.engines.native import NativePlane, NativeStream
from media.engines.relay import PlaneName, Relay
from media.engines.stream import MOST_PACKETS_A_SECOND, Address, Hearing, PythonPlane, Stream
from tests.media.line import LEG, Line, take_turn
from tests.media.process import port_range

PORT = port_range()[0]
PEER = PORT + 2
ELSEWHERE: Address = ("127.0.0.1", 9444)
ROUTE = wire.Route(
    PORT, PEER, "127.0.0.1", 9000, 9001, False, False, True, {8: 9, 101: 102}, (101,), "PCMA", 8, 8000, 101
)
EVERY: dict[Law, "array[int]"] = {
    "PCMU": codecs.decode("PCMU", bytes(range(256))),
    "PCMA": codecs.decode("PCMA", bytes(range(256))),
}
BACK = msgspec.structs.replace(ROUTE, port=PEER, peer=PORT, payload_types={9: 8, 102: 101})
REPORT = bytes((0x80, 201, 0, 1, 0, 0, 0, 7))


class Talk:
    """Two legs on a relay, and what the loop heard: of which stream, what, and when it came."""

    def __init__(self, prompts: Path, plane: PlaneName) -> None:
        self._ours, theirs = socket.socketpair()
        self.media = Relay(theirs, ["127.0.0.1"], port_range(), prompts=prompts, plane=plane)
        self.heard: list[tuple[int, rtp.Packet, float]] = []
        self.datagrams: list[bytes] = []
        assert isinstance(self.media._plane, PythonPlane | NativePlane)
        self.media._plane.heard = self._hear
        self.a, self.b = Line(), Line(ssrc=9)

    def _hear(self, stream: Stream, packet: bytes, at: float) -> None:
        self.datagrams.append(packet)
        if packet[0] == 0x80:
            self.heard.append((stream.port, rtp.parse(packet), at))

    def join(self, now: float = 0.0, **changes: object) -> None:
        """Route both legs, with these changes to both routes."""
        for line, route in ((self.a, ROUTE), (self.b, BACK)):
            self.media._do(msgspec.structs.replace(route, **changes), now)
            line.at(self.media, route.port)

    def end(self) -> None:
        self.media._close()
        self._ours.close()


@pytest.fixture
def talk(tmp_path: Path, plane: PlaneName) -> Iterator[Talk]:
    made = Talk(tmp_path, plane)
    yield made
    made.end()


def test_copied_packet_is_heard_as_the_leg_sent_it_and_relayed(talk: Talk):
    talk.join()
    talk.a.stream.hear(Hearing.COPY)
    talk.a.say(1.5)
    assert talk.heard == [(PORT, rtp.Packet(8, 100, 16000, 7, bytes(160)), 1.5)]
    assert [packet.payload_type for packet in talk.b.sent] == [9]


def test_taken_packet_is_heard_by_the_loop_alone(talk: Talk):
    talk.join()
    talk.a.stream.hear(Hearing.TAKE)
    talk.a.say(1.0, 3)
    talk.b.say(1.0, payload_type=9)
    assert [packet.sequence for _, packet, _ in talk.heard] == [100, 101, 102]
    assert talk.b.sent == []
    assert len(talk.a.sent) == 1
    assert talk.a.counts().packets == 3


def test_loop_that_listens_for_the_loud_hears_who_speaks_and_the_peer_hears_nothing(talk: Talk):
    talk.join()
    talk.a.stream.hear(Hearing.LOUD)
    spoken = rtp.build(rtp.Packet(8, 1, 160, 7, b"\x25\xa5" * 80))
    talk.a.give(spoken, LEG, 1.0)
    assert talk.datagrams == [spoken]
    assert talk.b.sent == []


def loud_ones(talk: Talk, packets: list[bytes]) -> list[bytes]:
    """Return which of a leg's packets are given to a loop that listens for the loud ones."""
    talk.join(payload_types=dict.fromkeys((0, 8, 13, 96), wire.NOT_RELAYED))
    talk.a.stream.hear(Hearing.LOUD)
    for number, packet in enumerate(packets):
        talk.a.give(packet, LEG, 1.0 + number)
    return talk.datagrams


def voice(number: int, payload: bytes) -> bytes:
    return rtp.build(rtp.Packet(number, 1, 160, 7, payload))


@pytest.mark.parametrize(("number", "law"), [(0, "PCMU"), (8, "PCMA")])
def test_g711_is_loud_from_the_level_on_that_the_player_calls_quiet(talk: Talk, number: int, law: Law):
    # ITU-T G.711: 160 samples of each code, below a root mean square of 100 or not.
    sizes = {voice(number, bytes((code,)) * 160): abs(sample) for code, sample in enumerate(EVERY[law])}
    assert loud_ones(talk, list(sizes)) == [packet for packet, size in sizes.items() if size >= 100]


def test_packet_is_weighed_as_a_whole(talk: Talk):
    # 10 samples of 160 at 500: a root mean square of 125; 5 of them are not enough.
    loud, soft = codecs.encode("PCMA", array("h", [500])), codecs.encode("PCMA", array("h", [8]))
    packets = [voice(8, loud * count + soft * (160 - count)) for count in (5, 10)]
    assert loud_ones(talk, packets) == packets[1:]


def test_soft_comfort_noise_is_left_out_and_no_packet_of_another_codec(talk: Talk):
    # RFC 3389 section 3.1: a level in -dBov.
    packets = [voice(13, b"\x46"), voice(13, b"\x1e"), voice(13, b""), voice(96, bytes(3)), voice(96, b"")]
    assert loud_ones(talk, packets) == packets[1:]


def test_extension_of_a_packet_is_not_weighed(talk: Talk):
    # RFC 3550 section 5.3.1: one word, which would be loud.
    header = bytes((0x90, 8)) + voice(8, b"")[2:] + bytes((0, 0, 0, 1)) + b"\x2a" * 4
    quiet, loud = header + b"\xd5" * 16, header + b"\x2a" * 16
    assert loud_ones(talk, [quiet, loud]) == [loud]


def test_packet_for_several_legs_reaches_each_by_its_own_numbers(talk: Talk):
    # RFC 3550 section 5.1: an SSRC for each leg.
    with _phone() as first, _phone() as second:
        for phone, route in ((first, ROUTE), (second, BACK)):
            at = phone.getsockname()[1]
            talk.media._do(msgspec.structs.replace(route, rtp_port=at, rtcp_port=at + 1), 0.0)
        one, other = talk.media._stream(PORT), talk.media._stream(PEER)
        one.speak_with([other], rtp.Frame(b"x" * 160, False, 160), 8, 1.0)
        heard = [rtp.parse(phone.recv(4096)) for phone in (first, second)]
    assert [(packet.payload_type, packet.payload) for packet in heard] == [(8, b"x" * 160)] * 2
    assert len({packet.ssrc for packet in heard}) == 2


def _phone() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.settimeout(5)
    return made


def test_loop_speaks_in_place_of_a_peer_whose_packets_it_takes(talk: Talk):
    # RFC 3550 section 5.1: one SSRC and one row of numbers, whoever speaks.
    talk.join()
    talk.a.say(1.0)
    talk.a.stream.hear(Hearing.TAKE)
    talk.a.say(1.02)
    talk.b.stream.speak(rtp.Frame(b"x" * 160, False, 160), 9, 1.03)
    take_turn(talk.media, 1.03)
    assert [packet.payload for packet in talk.b.sent] == [bytes(160), b"x" * 160]
    assert len({packet.ssrc for packet in talk.b.sent}) == 1
    assert (talk.b.sent[1].sequence - talk.b.sent[0].sequence) & 0xFFFF == 1


def test_what_is_spoken_may_lie_before_what_was_spoken_last(talk: Talk):
    # An event keeps the timestamp of its beginning, whatever voice is sent beside it.
    talk.join()
    talk.b.stream.speak(rtp.Frame(b"voice", False, 160), 8, 1.0)
    talk.b.stream.speak(rtp.Frame(b"event", False, -160), 101, 1.02)
    talk.b.stream.speak(rtp.Frame(b"voice", False, 320), 8, 1.04)
    take_turn(talk.media, 1.04)
    voice, event, later = talk.b.sent
    assert (event.timestamp - voice.timestamp) & 0xFFFFFFFF == 2**32 - 160
    assert (later.timestamp - voice.timestamp) & 0xFFFFFFFF == 160


def test_nothing_more_is_heard_when_hearing_ends(talk: Talk):
    talk.join()
    talk.a.stream.hear(Hearing.TAKE)
    talk.a.say(1.0)
    talk.a.stream.hear(Hearing.NOTHING)
    talk.a.say(1.1)
    assert len(talk.heard) == 1
    assert len(talk.b.sent) == 1


def test_leg_that_is_played_to_is_heard(talk: Talk):
    talk.join()
    talk.b.stream.hear(Hearing.COPY)
    talk.media._do(wire.Digits(PEER, "1"), 1.0)
    talk.b.say(1.0, payload_type=9)
    assert len(talk.heard) == 1


def test_key_is_told_also_when_its_packet_is_taken(talk: Talk):
    talk.join()
    talk.a.stream.hear(Hearing.TAKE)
    event = rtp.build(rtp.Packet(101, 1, 160, 7, bytes((5, 10, 0, 160)), True))
    talk.a.give(event, LEG, 1.0)
    assert [report for report in talk.media._reports if isinstance(report, wire.Digit)] == [
        wire.Digit(PORT, "5")
    ]
    assert talk.datagrams == [event]


def test_only_packets_that_count_are_heard(talk: Talk):
    talk.join()
    talk.a.stream.hear(Hearing.COPY)
    talk.a.say(1.0, source=ELSEWHERE)
    talk.a.say(1.0, payload_type=77)
    talk.a.give(b"\x80\x08\x00", LEG, 1.0)
    assert talk.heard == []
    for _ in range(MOST_PACKETS_A_SECOND + 5):
        talk.a.say(1.0)
    assert len(talk.heard) == MOST_PACKETS_A_SECOND


def test_next_leg_of_the_port_is_not_heard_unless_asked(talk: Talk):
    talk.join()
    talk.a.stream.hear(Hearing.COPY)
    talk.media._do(wire.Close((PORT, PEER)), 1.0)
    talk.join(2.0)
    talk.a.say(2.1)
    assert talk.heard == []


@pytest.mark.parametrize("joined_again", [False, True])
def test_packet_of_a_leg_that_has_gone_is_nobodys(talk: Talk, joined_again: bool):
    talk.join()
    talk.a.stream.hear(Hearing.COPY)
    if isinstance(talk.a.stream, NativeStream):  # in Python there is no time between hearing and telling
        packet = rtp.build(rtp.Packet(8, 1, 160, 7, bytes(160)))
        source = native.ffi.new("plane_address *", native._plain(*LEG[:2]))
        made = native.ffi.new("plane_packet *")
        native.lib.plane_receive(talk.a.stream.made, packet, len(packet), source, 0.1, 0, made)
    talk.media._do(wire.Close((PORT, PEER)), 0.2)
    if joined_again:
        talk.join(0.3)
        talk.a.stream.hear(Hearing.COPY)
    take_turn(talk.media, 0.4)
    assert talk.heard == []


def test_loop_that_cannot_follow_loses_copies_and_no_packet_of_the_call(
    talk: Talk, caplog: pytest.LogCaptureFixture
):
    talk.join()
    talk.a.stream.hear(Hearing.COPY)
    if not isinstance(talk.a.stream, NativeStream):
        talk.a.say(0.0, 10)
        assert (len(talk.heard), len(talk.b.sent)) == (10, 10)
        return
    source = native.ffi.new("plane_address *", native._plain(*LEG[:2]))
    made = native.ffi.new("plane_packet *")
    relayed = 0
    for number in range(10_000):
        packet = rtp.build(rtp.Packet(8, number & 0xFFFF, number * 160, 7, bytes(160)))
        heard_by = native.lib.plane_receive(
            talk.a.stream.made, packet, len(packet), source, number * 0.02, 0, made
        )
        relayed += heard_by == PEER
    assert relayed == 10_000
    for _ in range(10_000 // native.MOST_HEARD + 1):
        take_turn(talk.media, 200.0)
    assert 2_000 < len(talk.heard) < 10_000
    assert [packet.sequence for _, packet, _ in talk.heard] == list(range(len(talk.heard)))
    assert f"packets={10_000 - len(talk.heard)} were lost" in caplog.text
    talk.a.say(201.0)
    assert talk.heard[-1][2] == 201.0


def test_ring_is_read_whole_over_many_turns_of_its_memory(talk: Talk):
    talk.join()
    talk.a.stream.hear(Hearing.TAKE)
    sizes = [1 + number * 37 % 1500 for number in range(6_000)]
    for number, size in enumerate(sizes):
        packet = rtp.Packet(8, number & 0xFFFF, number, 7, bytes((number & 0xFF,)) * size)
        talk.a.give(rtp.build(packet), LEG, number * 0.02)
    assert [len(packet.payload) for _, packet, _ in talk.heard] == sizes
    assert all(set(packet.payload) == {packet.timestamp & 0xFF} for _, packet, _ in talk.heard)


# --- datagrams (T.38 over UDPTL) ---------------------------------------------


def test_datagram_is_passed_on_as_it_is(talk: Talk):
    talk.join(kind="datagrams")
    talk.b.sent.clear()
    raw: list[tuple[bytes, Address]] = []
    _taking(talk.b, raw)
    for datagram in (b"\x00\x01\x02hello", b"\x80", bytes(1400)):
        talk.a.give(datagram, LEG, 1.0)
    assert raw == [(b"\x00\x01\x02hello", LEG), (b"\x80", LEG), (bytes(1400), LEG)]
    counts = talk.a.counts(2.0)
    assert (counts.packets, counts.bytes_received, counts.invalid_packets) == (3, 1409, 0)
    assert counts.silent_seconds == 1.0
    assert talk.b.counts().packets_sent == 3


def test_datagrams_latch_and_a_third_address_is_refused(talk: Talk):
    talk.join(kind="datagrams", nat=True, latch=True)
    raw: list[tuple[bytes, Address]] = []
    _taking(talk.a, raw)
    _taking(talk.b, raw)
    talk.b.give(b"fax", LEG, 1.0)
    talk.a.give(b"fax", ELSEWHERE, 1.0)
    talk.a.give(b"fax", LEG, 1.1)
    talk.b.give(b"page", LEG, 1.2)
    assert raw == [(b"fax", LEG), (b"fax", LEG), (b"page", ELSEWHERE)]
    assert talk.a.counts().third_party_packets == 1


def test_datagrams_are_limited_and_those_too_long_or_empty_are_invalid(talk: Talk):
    talk.join(kind="datagrams")
    raw: list[tuple[bytes, Address]] = []
    _taking(talk.b, raw)
    talk.a.give(b"", LEG, 1.0)
    talk.a.give(bytes(5000), LEG, 1.0)
    for _ in range(MOST_PACKETS_A_SECOND + 3):
        talk.a.give(b"x", LEG, 1.0)
    assert len(raw) == MOST_PACKETS_A_SECOND
    counts = talk.a.counts()
    assert (counts.limited_packets, counts.invalid_packets) == (3, 2)


def test_datagram_never_reaches_a_leg_that_speaks_rtp_nor_the_other_way(talk: Talk):
    talk.join()
    talk.media._do(msgspec.structs.replace(ROUTE, kind="datagrams"), 1.0)
    talk.a.give(b"\x00\x01\x02hello", LEG, 1.1)
    talk.b.say(1.2, payload_type=9)
    assert talk.b.sent == [] and talk.a.sent == []


def test_leg_of_datagrams_is_neither_spoken_to_nor_reported_to(talk: Talk):
    talk.join(kind="datagrams")
    talk.media._do(wire.Digits(PORT, "1"), 1.0)
    for tick in range(5):
        talk.media._play(1.0 + 0.02 * tick)
    talk.a.stream.each_second(2.0, 10.0, report=True)
    assert talk.a.sent == [] and talk.a.reports == []


def test_datagrams_are_heard_by_the_loop(talk: Talk):
    talk.join(kind="datagrams")
    talk.a.stream.hear(Hearing.TAKE)
    talk.a.give(b"\x00\x01\x02hello", LEG, 1.0)
    assert talk.datagrams == [b"\x00\x01\x02hello"]


def _taking(line: Line, raw: list[tuple[bytes, Address]]) -> None:
    """Have what a leg is sent kept as it is: a datagram isn't always RTP."""

    def keep(data: bytes | memoryview, destination: Address) -> int:
        raw.append((bytes(data), destination))
        return len(data)

    line.__dict__["_send_to"] = keep
    line.at(line.media, line.stream.port)


# --- RTCP on the RTP port (RFC 5761) -----------------------------------------


def test_report_of_a_leg_on_its_rtp_port_is_no_packet(talk: Talk):
    # RFC 5761 section 4: told apart by the payload type.
    talk.join(mux=True, payload_types={8: 9, 72: 73, 9: 8})
    talk.a.give(REPORT, LEG, 1.0)
    assert talk.b.sent == []
    assert (talk.a.counts().packets, talk.a.counts().invalid_packets) == (0, 0)


def test_report_on_the_rtp_port_without_mux_is_invalid(talk: Talk):
    talk.join()
    talk.a.give(REPORT, LEG, 1.0)
    assert talk.a.counts().invalid_packets == 1


def test_report_does_not_latch(talk: Talk):
    talk.join(mux=True, nat=True, latch=True)
    talk.a.give(REPORT, ELSEWHERE, 1.0)
    talk.a.say(1.1)
    assert (talk.a.counts().remote_host, talk.a.counts().remote_port) == LEG


def test_leg_that_muxes_gets_its_reports_where_it_gets_its_sound(talk: Talk):
    talk.join(mux=True, nat=True, latch=True)
    talk.a.stream.each_second(1.0, 10.0, report=True)
    talk.a.say(1.1, source=ELSEWHERE)
    talk.a.stream.each_second(2.0, 10.0, report=True)
    assert [to for _, to in talk.a.reports] == [LEG, ELSEWHERE]


@pytest.mark.parametrize("mux", [False, True])
def test_report_leaves_from_the_port_that_was_agreed_on(tmp_path: Path, plane: PlaneName, mux: bool):
    ours, theirs = socket.socketpair()
    media = Relay(theirs, ["127.0.0.1"], port_range(), prompts=tmp_path, plane=plane)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(10)
        host, port = phone.getsockname()
        route = msgspec.structs.replace(ROUTE, peer=0, host=host, rtp_port=port, rtcp_port=port, mux=mux)
        media._do(route, 0.0)
        media._busy[PORT].each_second(1.0, 10.0, report=True)
        datagram, source = phone.recvfrom(1000)
    media._close()
    ours.close()
    assert rtcp.packet_types(datagram)[0] == rtcp.RECEIVER_REPORT
    assert source == ("127.0.0.1", PORT if mux else PORT + 1)


def test_threads_wake_the_loop_for_what_it_is_to_hear(tmp_path: Path, plane: PlaneName):
    talk = Talk(tmp_path, plane)
    media = talk.media
    media._plane.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        host, port = phone.getsockname()
        media._do(msgspec.structs.replace(ROUTE, peer=0, host=host, rtp_port=port, rtcp_port=port), 0.0)
        media._busy[PORT].hear(Hearing.TAKE)
        for number in range(20):
            phone.sendto(rtp.build(rtp.Packet(8, number, number * 160, 7, bytes(160))), ("127.0.0.1", PORT))
        while len(talk.heard) < 20:
            ready = media._epoll.poll(10)
            assert ready, "nobody woke the loop"
            for descriptor, _ in ready:
                media._readers[descriptor](0.0)
    assert [packet.sequence for _, packet, _ in talk.heard] == list(range(20))
    talk.end()


# --- what other protocols send to the port -----------------------------------


def a_stun_message(chance: random.Random) -> bytes:
    """RFC 8489 section 5: a binding request or response, now and then damaged or cut."""
    attributes = chance.randbytes(4 * chance.randrange(20))
    kind = chance.choice((0x0001, 0x0101, 0x0111, 0x0008, 0x0065, chance.randrange(0x4000)))
    header = struct.pack(">HHI", kind, len(attributes), 0x2112A442)
    message = bytearray(header + chance.randbytes(12) + attributes)
    if chance.random() < 0.3:
        message[chance.randrange(1, len(message))] = chance.randrange(256)
    if chance.random() < 0.2:
        del message[chance.randrange(1, len(message)) :]
    return bytes(message)


@pytest.mark.parametrize("mux", [False, True])
def test_100000_messages_of_stun_are_dropped_without_a_word(talk: Talk, mux: bool):
    # RFC 7983 section 7: the first byte tells them from RTP and RTCP. Nobody here has asked for ICE.
    chance = random.Random(8489)
    talk.join(mux=mux, nat=True, latch=True)
    for number in range(100_000):
        talk.a.give(a_stun_message(chance), chance.choice((LEG, ELSEWHERE)), number / 50_000)
    assert (talk.a.sent, talk.b.sent, talk.a.reports) == ([], [], [])
    assert (talk.a.counts().packets, talk.a.counts().invalid_packets) == (0, 100_000)
    talk.a.say(2.1)
    assert (talk.a.counts().remote_host, talk.a.counts().remote_port) == LEG
    assert len(talk.b.sent) == 1
