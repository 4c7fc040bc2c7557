"""The tape that a recorder reads: what recorded legs say and hear, in clear, together by recording."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from media import rtp
from media.engines import native, wire
from media.engines.native import NativePlane, NativeStream
from media.engines.reel import Reel
from media.engines.tape import NO_TRACK, Tape, Taped
from media.sdes import SUITES, Suite
from tests.media.line import Line
from tests.media.test_secured_legs import Talk, security

ENTRY = struct.Struct(">BBHI")  # recording/proof/entries.py


class Taping(Talk):
    """Two legs that speak to each other over the C plane, and a tape. memory: of the tape."""

    def __init__(self, prompts: Path) -> None:
        super().__init__(prompts, "native")
        assert isinstance(self.media._plane, NativePlane)
        self.reel = Reel()
        self.media._plane.tape(self.reel)
        self.tape = Tape(self.reel)

    def record(self, line: Line, recording: int, by_leg: int, to_leg: int = NO_TRACK) -> None:
        assert isinstance(line.stream, NativeStream)
        line.stream.tape(recording, by_leg, to_leg)

    def end(self) -> None:
        self.tape.close()
        super().end()
        self.reel.renounce()


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Taping]:
    made = Taping(tmp_path)
    yield made
    made.end()


def packets(taped: Taped) -> list[tuple[int, int, rtp.Packet]]:
    """Track, low half of Unix microseconds and RTP packet of each entry."""
    found, offset = [], 0
    while offset < len(taped.entries):
        kind, track, length, low = ENTRY.unpack_from(taped.entries, offset)
        assert kind == 1
        offset += ENTRY.size
        found.append((track, low, rtp.parse(taped.entries[offset : offset + length])))
        offset += length
    return found


def test_what_both_legs_say_is_on_the_tape_in_the_order_it_came(talk: Taping):
    talk.begin(None, None)
    talk.join(10.0)
    talk.record(talk.a, 7, 0)
    talk.record(talk.b, 7, 1)
    talk.a.say(10.0)
    talk.b.say(10.01)
    talk.a.say(10.02)
    (taped,) = talk.tape.read(1_000_000)
    assert (taped.recording, taped.packets, taped.missed, taped.tracks) == (7, 3, 0, 0b11)
    assert (taped.first, taped.last) == (11_000_000, 11_020_000)
    read = packets(taped)
    assert [(track, low) for track, low, _ in read] == [(0, 11_000_000), (1, 11_010_000), (0, 11_020_000)]
    # As it was received: the leg's own SSRC and numbers, not those that its peer hears.
    assert [packet.ssrc for _, _, packet in read] == [talk.a.ssrc, talk.b.ssrc, talk.a.ssrc]
    assert talk.tape.read(1_000_000) == []


def test_recordings_are_told_apart_and_others_are_not_there(talk: Taping):
    talk.begin(None, None)
    talk.join(10.0)
    talk.record(talk.a, 3, 0)
    talk.record(talk.b, 4, 0)
    for number in range(5):
        talk.a.say(10 + number / 50)
        talk.b.say(10 + number / 50)
    read = {taped.recording: taped.packets for taped in talk.tape.read(0)}
    assert read == {3: 5, 4: 5}
    talk.record(talk.b, 0, NO_TRACK)
    talk.a.say(11.0)
    talk.b.say(11.0)
    assert [taped.recording for taped in talk.tape.read(0)] == [3]


@pytest.mark.parametrize("suite", SUITES)
def test_packets_of_a_leg_with_keys_are_on_the_tape_in_clear(talk: Taping, suite: Suite):
    # RFC 3711: what lies in a recording is decrypted once, and sealed by the recorder's own key
    talk.begin(security(suite), None)
    talk.join(10.0)
    talk.record(talk.a, 1, 0)
    talk.a.say(10.0)
    (taped,) = talk.tape.read(0)
    assert [packet.payload for _, _, packet in packets(taped)] == [bytes(160)]


def test_what_we_say_to_a_leg_is_a_track_of_its_own(talk: Taping):
    talk.begin(None, None)
    talk.join(10.0)
    talk.record(talk.a, 1, 0, 2)
    talk.media._do(wire.Digits(talk.a.stream.port, "1"), 10.0)
    talk.media._play(10.0)
    (taped,) = talk.tape.read(0)
    assert {track for track, _, _ in packets(taped)} == {2}
    assert packets(taped)[0][2].payload_type == 101


def test_leg_that_has_gone_leaves_no_recording_to_the_next_one(talk: Taping):
    talk.begin(None, None)
    talk.join(10.0)
    talk.record(talk.a, 1, 0)
    talk.media._do(wire.Close((talk.a.stream.port,)), 10.0)
    talk.join(11.0)
    talk.a.say(11.0)
    assert talk.tape.read(0) == []


def test_packets_that_find_no_room_are_counted_and_the_next_says_how_many(talk: Taping):
    talk.begin(None, None)
    talk.join(10.0)
    talk.record(talk.a, 1, 0)
    size = native.lib.tape_memory()
    # Written: as if another process had filled it and nobody had read.
    written = struct.Struct("=Q")
    written.pack_into(talk.reel.memory, 0, (size - 192) - 64)
    talk.a.say(10.0, packets=3)
    written.pack_into(talk.reel.memory, 64, (size - 192) - 64)  # now all of that is read
    talk.a.say(11.0)
    (taped,) = talk.tape.read(0)
    assert (taped.packets, taped.missed) == (1, 3)


def test_next_recorder_goes_on_where_the_one_before_has_died(talk: Taping):
    talk.begin(None, None)
    talk.join(10.0)
    talk.record(talk.a, 1, 0)
    talk.a.say(10.0, packets=2)
    another = Tape(talk.reel)
    (taped,) = another.read(0)
    another.close()
    assert taped.packets == 2
    talk.a.say(11.0)
    assert [taped.packets for taped in talk.tape.read(0)] == [1]


def test_more_than_one_reading_holds_comes_with_the_next(talk: Taping, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("media.engines.tape.ROOM", 500)
    talk.begin(None, None)
    talk.join(10.0)
    talk.record(talk.a, 1, 0)
    talk.a.say(10.0, packets=5)
    counts = []
    while taken := talk.tape.read(0):
        counts += [taped.packets for taped in taken]
    assert counts == [2, 2, 1]


def test_reel_that_nobody_has_used_has_nothing():
    reel = Reel()
    fresh = Tape(reel)
    assert fresh.read(0) == []
    fresh.close()
    reel.renounce()
