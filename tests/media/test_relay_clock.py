"""The media process's loop with time as a value: windows, stalls, rests and reports."""

import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from media import rtp, tones
from media.engines import relay, wire
from media.engines.relay import Address, Relay
from tests.media.process import port_range

PORT = port_range()[0]
PEER = PORT + 2
LEG: Address = ("127.0.0.1", 9000)
STRANGER: Address = ("127.0.0.1", 9666)
ROUTE = wire.Route(
    PORT, 0, "127.0.0.1", 9000, 9001, False, False, True, {8: 8, 101: 101}, (101,), "PCMA", 8, 8000, 101
)


class Line:
    """A stream's sockets, replaced: what arrives is given, what leaves is kept."""

    def __init__(self, media: Relay, port: int) -> None:
        self.media = media
        self.stream = media._stream(port)
        self.stream.receive_into = self._receive_into
        self.stream.send_to = self._send_to
        self.sent: list[rtp.Packet] = []
        self.destinations: list[Address] = []
        self._next: tuple[bytes, Address] = (b"", LEG)
        self._sequence = 0

    def receive(self, source: Address, now: float, payload_type: int = 8) -> None:
        self._sequence += 1
        self._next = rtp.build(rtp.Packet(payload_type, self._sequence, 160, 7, bytes(160))), source
        self.media._receive(self.stream, now)

    def _receive_into(self, buffer: bytearray) -> tuple[int, Address]:
        data, source = self._next
        buffer[: len(data)] = data
        return len(data), source

    def _send_to(self, data: bytes | memoryview, destination: Address) -> int:
        self.sent.append(rtp.parse(data))
        self.destinations.append(destination)
        return len(data)


@pytest.fixture
def media(tmp_path: Path) -> Iterator[Relay]:
    ours, theirs = socket.socketpair()
    made = Relay(theirs, ["127.0.0.1"], port_range(), prompts=tmp_path, silence_seconds=5.0)
    yield made
    made._close()
    ours.close()


@pytest.fixture
def route(media: Relay) -> Callable[..., None]:
    def say(now: float = 0.0, **changes: object) -> None:
        media._do(msgspec.structs.replace(ROUTE, **changes), now)

    return say


def test_nat_window_closes_by_itself_and_leaves_the_leg_where_its_sdp_says(
    media: Relay, route: Callable[..., None]
):
    line = Line(media, PORT)
    route(nat=True, latch=True)
    line.receive(STRANGER, relay.LATCH_SECONDS + 0.1)
    assert line.stream.third_party == 1
    line.receive(LEG, relay.LATCH_SECONDS + 0.2)
    line.receive(STRANGER, relay.LATCH_SECONDS + 0.3)
    assert (line.stream.incoming.packets, line.stream.third_party) == (1, 2)


def test_packet_from_the_sdp_address_closes_the_nat_window(media: Relay, route: Callable[..., None]):
    line = Line(media, PORT)
    route(nat=True, latch=True)
    line.receive(LEG, 0.1)
    line.receive(STRANGER, 0.2)
    assert (line.stream.incoming.packets, line.stream.third_party) == (1, 1)


def test_latched_leg_stays_where_it_is_when_a_new_route_opens_no_window(
    media: Relay, route: Callable[..., None]
):
    line = Line(media, PORT)
    route(nat=True, latch=True)
    line.receive(STRANGER, 0.1)
    route(1.0, nat=True, latch=False)
    line.receive(LEG, 1.1)
    assert line.stream.third_party == 1
    assert line.stream.destination == STRANGER


def test_hold_by_zeros_and_resume_keep_a_latched_leg(media: Relay, route: Callable[..., None]):
    line = Line(media, PORT)
    route(nat=True, latch=True)
    line.receive(STRANGER, 0.1)
    route(1.0, nat=True, latch=False, host="", rtp_port=0, rtcp_port=0)
    assert line.stream.destination is None
    route(2.0, nat=True, latch=True)
    assert line.stream.destination == STRANGER


def test_stall_of_the_process_is_not_played_again_in_a_burst(media: Relay, route: Callable[..., None]):
    line = Line(media, PORT)
    route()
    media._do(wire.Play(PORT, 1, True, tones.sine(440)), 0.0)
    media._worker.shutdown(wait=True)
    media._start_prepared(10.0)
    media._play(10.0)
    assert len(line.sent) == 1
    media._play(13.0)
    assert len(line.sent) == 1 + relay.CATCH_UP_PACKETS
    media._play(13.02)
    assert len(line.sent) == 2 + relay.CATCH_UP_PACKETS


def test_playing_has_no_drift(media: Relay, route: Callable[..., None]):
    line = Line(media, PORT)
    route()
    media._do(wire.Play(PORT, 1, True, tones.sine(440)), 0.0)
    media._worker.shutdown(wait=True)
    media._start_prepared(0.0)
    chance, now = random.Random(1), 0.0
    while now < 60.0:
        media._play(now)
        now += chance.uniform(0.005, 0.03)  # the loop never wakes up exactly when it should
    assert len(line.sent) == pytest.approx(60 / relay.PACKET_SECONDS, abs=2)


def test_peer_is_not_heard_through_what_is_played(media: Relay, route: Callable[..., None]):
    line, peer = Line(media, PORT), Line(media, PEER)
    route(peer=PEER)
    route(port=PEER, peer=PORT)
    media._do(wire.Digits(PORT, "1"), 0.0)
    peer.receive(LEG, 0.01)
    assert line.sent == []
    for tick in range(20):
        media._play(tick * 0.02)
    assert {packet.payload_type for packet in line.sent} == {101}
    peer.receive(LEG, 0.5)
    assert line.sent[-1].payload_type == 8
    assert line.sent[-1].sequence == line.sent[-2].sequence + 1
    assert (line.sent[-1].timestamp - line.sent[-2].timestamp) & 0xFFFFFFFF >= 800  # after the digit's end


def test_ended_port_rests_before_it_is_announced_again(media: Relay, route: Callable[..., None]):
    route()
    media._next_second_at = 0.0
    media._do(wire.Close((PORT,)), 0.5)
    media._each_second(1.0)
    assert media._reports == []
    media._each_second(0.5 + relay.REST_SECONDS)
    assert [report.ports for report in media._reports if isinstance(report, wire.Ports)] == [(PORT,)]


def test_ports_that_rest_are_given_early_when_the_range_is_used_up(media: Relay):
    media._do(wire.Grow(4096), 0.0)
    media._reports.clear()
    media._do(wire.Close((PORT, PEER)), 0.0)
    media._do(wire.Grow(1), 0.1)
    assert media._reports == [wire.Ports((PORT,), False)]


def test_port_of_another_program_is_left_out(media: Relay):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", PORT + 3))  # the RTCP port of the second pair
        media._do(wire.Grow(2), 0.0)
    (report,) = media._reports
    assert isinstance(report, wire.Ports)
    assert report.ports == (PORT, PORT + 4)


def test_leg_that_names_our_own_port_gets_nothing(media: Relay, route: Callable[..., None]):
    # Its echo would go round for ever.
    line = Line(media, PORT)
    route(rtp_port=PORT)
    media._do(wire.Echo(PORT), 0.0)
    line.receive(("127.0.0.1", PORT), 0.1)
    assert line.sent == []
    assert line.stream.third_party == 1


def test_two_legs_that_name_our_ports_crosswise_get_nothing(media: Relay, route: Callable[..., None]):
    line, peer = Line(media, PORT), Line(media, PEER)
    route(peer=PEER, rtp_port=PEER)
    route(port=PEER, peer=PORT, rtp_port=PORT)
    line.receive(("127.0.0.1", PEER), 0.1)
    peer.receive(("127.0.0.1", PORT), 0.1)
    assert line.sent == peer.sent == []


def test_silence_is_counted_from_the_end_of_a_hold(media: Relay, route: Callable[..., None]):
    route(0.0, watch=True)
    route(4.0, watch=False)
    media._each_second(60.0)
    route(61.0, watch=True)
    media._each_second(65.0)
    assert media._reports == []
    media._each_second(66.0)
    assert media._reports == [wire.Silent(PORT, 5.0)]


def test_highest_port_has_its_rtcp_within_range(media: Relay, route: Callable[..., None]):
    line = Line(media, PORT)
    route(nat=True, latch=True)
    line.receive(("127.0.0.1", 65535), 0.1)
    assert line.stream.rtcp_destination == ("127.0.0.1", 65535)
