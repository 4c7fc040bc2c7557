"""The media process's loop with time as a value: windows, stalls, rests and reports."""

import random
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from media import tones
from media.engines import relay, wire
from media.engines.relay import PlaneName, Relay
from media.engines.stream import LATCH_SECONDS, MOST_PACKETS_A_SECOND, Address
from tests.media.line import Line
from tests.media.process import REPOSITORY, port_range

PORT = port_range()[0]
PEER = PORT + 2
STRANGER: Address = ("127.0.0.1", 9666)
ROUTE = wire.Route(
    PORT, 0, "127.0.0.1", 9000, 9001, False, False, True, {8: 8, 101: 101}, (101,), "PCMA", 8, 8000, 101
)


@pytest.fixture
def media(tmp_path: Path, plane: PlaneName) -> Iterator[Relay]:
    ours, theirs = socket.socketpair()
    made = Relay(theirs, ["127.0.0.1"], port_range(), prompts=tmp_path, silence_seconds=5.0, plane=plane)
    yield made
    made._close()
    ours.close()


@pytest.fixture
def route(media: Relay) -> Callable[..., None]:
    def say(now: float = 0.0, **changes: object) -> None:
        media._do(msgspec.structs.replace(ROUTE, **changes), now)

    return say


def where(media: Relay, line: Line, now: float) -> list[Address]:
    """Return where a packet of ours goes to, nothing when none is sent."""
    line.destinations.clear()
    media._do(wire.Digits(line.stream.port, "1"), now)
    media._play(now)
    media._do(wire.Stop(line.stream.port), now)
    return line.destinations


def test_nat_window_closes_by_itself_and_leaves_the_leg_where_its_sdp_says(
    media: Relay, route: Callable[..., None]
):
    line = Line().at(media, PORT)
    route(nat=True, latch=True)
    line.say(LATCH_SECONDS + 0.1, source=STRANGER)
    assert line.counts().third_party_packets == 1
    line.say(LATCH_SECONDS + 0.2)
    line.say(LATCH_SECONDS + 0.3, source=STRANGER)
    assert (line.counts().packets, line.counts().third_party_packets) == (1, 2)


def test_packet_from_the_sdp_address_closes_the_nat_window(media: Relay, route: Callable[..., None]):
    line = Line().at(media, PORT)
    route(nat=True, latch=True)
    line.say(0.1)
    line.say(0.2, source=STRANGER)
    assert (line.counts().packets, line.counts().third_party_packets) == (1, 1)


def test_latched_leg_stays_where_it_is_when_a_new_route_opens_no_window(
    media: Relay, route: Callable[..., None]
):
    line = Line().at(media, PORT)
    route(nat=True, latch=True)
    line.say(0.1, source=STRANGER)
    route(1.0, nat=True, latch=False)
    line.say(1.1)
    assert line.counts().third_party_packets == 1
    assert where(media, line, 1.2) == [STRANGER]


def test_hold_by_zeros_and_resume_keep_a_latched_leg(media: Relay, route: Callable[..., None]):
    line = Line().at(media, PORT)
    route(nat=True, latch=True)
    line.say(0.1, source=STRANGER)
    route(1.0, nat=True, latch=False, host="", rtp_port=0, rtcp_port=0)
    assert where(media, line, 1.2) == []
    route(2.0, nat=True, latch=True)
    assert where(media, line, 2.2) == [STRANGER]


def test_stall_of_the_process_is_not_played_again_in_a_burst(media: Relay, route: Callable[..., None]):
    line = Line().at(media, PORT)
    route()
    media._do(wire.Play(PORT, 1, True, tones.sine(440)), 0.0)
    media._worker.shutdown(wait=True)
    media._start_prepared(10.0)
    media._play(10.0)
    assert len(line.sent) == 1
    media._play(13.0)
    assert len(line.sent) == 2
    media._play(13.0 + (relay.CATCH_UP_PACKETS - 0.5) * relay.PACKET_SECONDS)  # no stall yet: caught up
    assert len(line.sent) == 2 + relay.CATCH_UP_PACKETS - 1


def test_playing_has_no_drift(media: Relay, route: Callable[..., None]):
    line = Line().at(media, PORT)
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
    line, peer = Line().at(media, PORT), Line().at(media, PEER)
    route(peer=PEER)
    route(port=PEER, peer=PORT)
    media._do(wire.Digits(PORT, "1"), 0.0)
    peer.say(0.01)
    assert line.sent == []
    for tick in range(20):
        media._play(tick * 0.02)
    assert {packet.payload_type for packet in line.sent} == {101}
    peer.say(0.5)
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
    line = Line().at(media, PORT)
    route(rtp_port=PORT)
    media._do(wire.Echo(PORT), 0.0)
    line.say(0.1, source=("127.0.0.1", PORT))
    assert line.sent == []
    assert line.counts().third_party_packets == 1


def test_two_legs_that_name_our_ports_crosswise_get_nothing(media: Relay, route: Callable[..., None]):
    line, peer = Line().at(media, PORT), Line().at(media, PEER)
    route(peer=PEER, rtp_port=PEER)
    route(port=PEER, peer=PORT, rtp_port=PORT)
    line.say(0.1, source=("127.0.0.1", PEER))
    peer.say(0.1, source=("127.0.0.1", PORT))
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
    line = Line().at(media, PORT)
    route(nat=True, latch=True)
    line.say(0.1, source=("127.0.0.1", 65535))
    line.stream.each_second(1.0, 5.0, report=True)
    assert [to for _, to in line.reports] == [("127.0.0.1", 65535)]


def test_leg_that_sends_far_too_much_is_limited_and_the_others_are_not(
    media: Relay, route: Callable[..., None]
):
    line, peer = Line().at(media, PORT), Line(ssrc=9).at(media, PEER)
    route(peer=PEER)
    route(port=PEER, peer=PORT)
    for _ in range(5000):  # a hundred times what a telephone sends
        line.say(10.0)
    peer.say(10.5)
    assert len(peer.sent) == MOST_PACKETS_A_SECOND
    assert line.counts().limited_packets == 5000 - MOST_PACKETS_A_SECOND
    assert len(line.sent) == 1
    line.say(11.0)
    assert len(peer.sent) == MOST_PACKETS_A_SECOND + 1


def test_no_clock_is_read_but_the_monotonic_one():
    # The wall clock jumps when it is set: playout, jitter and silence must not.
    wall = re.compile(r"\btime\.(time|time_ns|localtime|gmtime)\(|datetime\.now|CLOCK_REALTIME|gettimeofday")
    sources = [path for path in (REPOSITORY / "media").rglob("*") if path.suffix in {".py", ".c", ".h"}]
    assert len(sources) > 40
    assert [path.name for path in sources if wall.search(path.read_text())] == []
