"""How well legs are heard: the meters of the media process, once a second."""

import struct

import pytest
from msgspec import structs

from media import rtcp
from media.engines import wire
from media.engines.meters import Meters
from tests.media.listener import Listener

ROUTE = wire.Route(20000, 20002, "127.0.0.1", 9000, 9001, False, False, True, {8: 8}, (), "PCMA", 8, 8000, -1)


class Bridge:
    """Two legs that are joined, and a clock."""

    def __init__(self, route: wire.Route = ROUTE) -> None:
        self.reports: list[wire.Report] = []
        self.meters = Meters(self.reports)
        self.alice, self.bruno = Listener(20000), Listener(20002)
        self.alice.peer, self.bruno.peer = self.bruno, self.alice
        self.routes = [route, structs.replace(route, port=20002, peer=20000)]
        self.now = 50.0

    def wait(self, seconds: int, *, alice: float, bruno: float, measure: bool = False) -> None:
        """Let time pass; a leg has been silent for so long, for longer each second unless that is 0."""
        for second in range(seconds):
            self.now += 1
            for stream, silent in ((self.alice, alice), (self.bruno, bruno)):
                stream.silent = silent + second if silent > 0 else silent
            for stream, route in zip((self.alice, self.bruno), self.routes, strict=True):
                self.meters.each_second(stream, route, self.now, measure=measure)


def test_leg_that_is_not_heard_while_its_peer_is_is_told_once_within_five_seconds():
    bridge = Bridge()
    bridge.wait(2, alice=0, bruno=0)
    bridge.wait(5, alice=0, bruno=1)
    assert bridge.reports == [wire.OneWay(20002, 4.0)]
    bridge.wait(5, alice=0, bruno=6)
    assert len(bridge.reports) == 1


def test_leg_that_never_was_heard_is_told():
    bridge = Bridge()
    bridge.wait(6, alice=0, bruno=-1)
    assert bridge.reports == [wire.OneWay(20002, 4.0)]


def test_leg_that_is_heard_again_and_then_is_not_is_told_again():
    bridge = Bridge()
    for _ in range(2):
        bridge.wait(1, alice=0, bruno=0)
        bridge.wait(6, alice=0, bruno=1)
    assert len(bridge.reports) == 2


def test_silence_of_both_is_no_one_way_audio():
    bridge = Bridge()
    bridge.wait(20, alice=1, bruno=1)
    assert bridge.reports == []


def test_leg_on_hold_is_not_expected_to_speak():
    bridge = Bridge(structs.replace(ROUTE, watch=False))
    bridge.wait(20, alice=0, bruno=1)
    assert bridge.reports == []


def test_leg_that_suppresses_silence_has_half_a_minute():
    # RFC 3389: comfort noise was negotiated.
    bridge = Bridge(structs.replace(ROUTE, payload_types={8: 8, 13: 13}))
    bridge.wait(25, alice=0, bruno=1)
    assert bridge.reports == []
    bridge.wait(10, alice=0, bruno=26)
    assert len(bridge.reports) == 1


def test_leg_joined_to_another_has_its_time_anew():
    bridge = Bridge()
    bridge.wait(1, alice=0, bruno=-1)
    bridge.routes[1] = structs.replace(bridge.routes[1], peer=20004)
    bridge.wait(3, alice=0, bruno=-1)
    assert bridge.reports == []


def test_quality_is_measured_of_what_came():
    bridge = Bridge()
    bridge.alice.counted = structs.replace(
        bridge.alice.counted, packets=950, lost=50, jitter_ms=7.0, round_trip_ms=80.0
    )
    bridge.wait(1, alice=0, bruno=0, measure=True)
    (measured,) = bridge.reports
    assert isinstance(measured, wire.Measured)
    assert measured.port == 20000
    assert (measured.loss_percent, measured.jitter_ms, measured.round_trip_ms) == (5, 7, 80)
    assert 2.5 < measured.mos < 4.2
    bridge.wait(3, alice=0, bruno=0, measure=True)
    assert len(bridge.reports) == 1  # nothing came since


def reported(lost: int, jitter: int, last: int, delay: int, kind: int = 201) -> bytes:
    head = struct.pack(">BBHI", 0x81, kind, 7 if kind == 201 else 12, 1)
    head += b"" if kind == 201 else bytes(20)
    return head + struct.pack(">IIIIII", 7, lost, 0, jitter, last, delay)


@pytest.mark.parametrize("kind", [200, 201])
def test_leg_says_what_it_lost_and_how_far_it_is(kind: int):
    # RFC 3550 section 6.4.1: the round trip is now, less when our report was sent, less what it was held.
    reception, now = rtcp.Reception(), 1234.5
    last = int((now - 0.580) * 65536) & 0xFFFFFFFF
    reception.take(reported(0x80000003, 80, last, int(0.5 * 65536), kind), now)
    assert (reception.lost, reception.jitter_ticks) == (3, 80)
    assert reception.round_trip_ms == pytest.approx(80, abs=0.1)


def test_leg_that_never_had_a_report_of_ours_knows_no_round_trip():
    reception = rtcp.Reception()
    reception.take(reported(0, 0, 0, 0), 10.0)
    assert reception.round_trip_ms == 0


def test_reports_are_read_twice_a_second_at_most():
    reception = rtcp.Reception()
    for place in range(10):
        reception.take(reported(place, 0, 0, 0), 10 + place / 20)
    assert reception.lost == 0
    reception.take(reported(9, 0, 0, 0), 10.6)
    assert reception.lost == 9


@pytest.mark.parametrize(
    "datagram", [b"", b"\x81", reported(1, 1, 1, 1)[:-4], b"\x9f\xc9\0\1abcd", reported(1, 0, 0, 0)[:8]]
)
def test_what_is_no_report_says_nothing(datagram: bytes):
    reception = rtcp.Reception()
    reception.take(datagram, 10.0)
    assert (reception.lost, reception.round_trip_ms) == (0, 0)


def test_round_trip_that_cannot_be_is_not_believed():
    reception = rtcp.Reception()
    reception.take(reported(0, 0, 0x12345678, 0x7FFFFFFF), 10.0)
    assert reception.round_trip_ms == 0
