"""The tape that a recorder reads: what recorded legs say and hear, in clear, together by recording.

Over both planes; what only the ring of C or the socket of Python does is at the end.
"""

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from media import rtp, tones
from media.engines import native, wire
from media.engines.native import NativePlane
from media.engines.reel import Reel, Writer
from media.engines.relay import PlaneName, PortGone
from media.engines.tape import NO_TRACK, Tape, Taped
from media.g711 import Samples
from media.sdes import SUITES, Suite
from media.sdp import Codec
from media.voice import decoder_of
from tests.media.line import LEG, Line
from tests.media.listener import OPUS, PCMA, Speaker
from tests.media.listening import heard, tone
from tests.media.test_secured_legs import PEER, PORT, ROUTE, Talk, security

ENTRY = struct.Struct(">BBHI")  # recording/proof/entries.py
THIRD = PEER + 2


class Taping(Talk):
    """Two legs that speak to each other, a third beside them, and a tape."""

    def __init__(self, prompts: Path, plane: PlaneName) -> None:
        super().__init__(prompts, plane)
        self.reel = Reel()
        self.media._wind(self.reel)
        self.tape = Tape(self.reel)
        self.c = Line(ssrc=11)

    def record(self, line: Line, slot: int, by_leg: int, to_leg: int = NO_TRACK) -> None:
        self.media._do(wire.Tape(line.stream.port, slot, by_leg, to_leg), 10.0)

    def flush(self) -> None:
        """Have on the tape what Python's plane was about to write; C's is there at once."""
        if self.media._plane.tapes is not None:
            self.media._plane.tapes.flush(99.0)

    def read(self, offset_us: int = 0) -> list[Taped]:
        """Read all that there is."""
        self.flush()
        return self.tape.read(offset_us)

    def speak(self, line: Line, sound: list[rtp.Packet], now: float) -> None:
        """Let a leg send packets, 20 ms apart, while the relay plays what it has to play."""
        for packet in sound:
            line.give(rtp.build(packet), LEG, now)
            if self.media._speaks():
                self.media._play(now)
            now += 0.02

    def restart(self, now: float) -> None:
        """Let the media process die; the next one is told of the tape, and then of the routes."""
        self.die()
        self.media._wind(self.reel)
        self.media._do(wire.Tape(PORT, 7, 0, NO_TRACK, True), now)
        self.join(now, again=True)

    def end(self) -> None:
        self.tape.close()
        super().end()
        self.reel.renounce()


@pytest.fixture
def talk(tmp_path: Path, plane: PlaneName) -> Iterator[Taping]:
    made = Taping(tmp_path, plane)
    yield made
    made.end()


@pytest.fixture
def native_talk(tmp_path: Path) -> Iterator[Taping]:
    made = Taping(tmp_path, "native")
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


def on_track(taped: Taped, track: int) -> list[rtp.Packet]:
    return [packet for of, _, packet in packets(taped) if of == track]


def amplitude(taped: Taped, track: int, codec: Codec, frequency_hz: int) -> float:
    """How loud a tone is on a track whose packets are all of one codec."""
    decoder = decoder_of(codec)
    sound: Samples = np.concatenate([decoder.decode(one.payload) for one in on_track(taped, track)])
    return heard(sound[len(sound) // 3 :], frequency_hz, decoder.rate)[0]


def test_what_both_legs_say_is_on_the_tape_in_the_order_it_came(talk: Taping):
    talk.begin(None, None)
    talk.record(talk.a, 7, 0)
    talk.record(talk.b, 7, 1)
    talk.a.say(10.0)
    talk.b.say(10.01)
    talk.a.say(10.02)
    (taped,) = talk.read(1_000_000)
    assert (taped.recording, taped.packets, taped.missed, taped.tracks) == (7, 3, 0, 0b11)
    assert (taped.first, taped.last) == (11_000_000, 11_020_000)
    read = packets(taped)
    assert [(track, low) for track, low, _ in read] == [(0, 11_000_000), (1, 11_010_000), (0, 11_020_000)]
    # As it was received: the leg's own SSRC and numbers, not those that its peer hears.
    assert [packet.ssrc for _, _, packet in read] == [talk.a.ssrc, talk.b.ssrc, talk.a.ssrc]
    assert talk.read(1_000_000) == []


def test_recordings_are_told_apart_and_others_are_not_there(talk: Taping):
    talk.begin(None, None)
    talk.record(talk.a, 3, 0)
    talk.record(talk.b, 4, 0)
    for number in range(5):
        talk.a.say(10 + number / 50)
        talk.b.say(10 + number / 50)
    assert {taped.recording: taped.packets for taped in talk.read()} == {3: 5, 4: 5}
    talk.record(talk.b, 4, NO_TRACK)
    talk.a.say(11.0)
    talk.b.say(11.0)
    assert [taped.recording for taped in talk.read()] == [3]


def test_one_leg_is_on_the_tape_for_two_recordings_at_once(talk: Taping):
    talk.begin(None, None)
    talk.record(talk.a, 3, 0)
    talk.record(talk.a, 4, 5)
    talk.record(talk.a, 9, 1)  # no place for a third: the engine refuses it before
    talk.a.say(10.0, packets=2)
    read = {taped.recording: taped for taped in talk.read()}
    assert {slot: taped.tracks for slot, taped in read.items()} == {3: 1 << 0, 4: 1 << 5}
    assert on_track(read[3], 0) == on_track(read[4], 5)


def test_recording_that_ends_leaves_the_other_one_of_its_leg(talk: Taping):
    talk.begin(None, None)
    talk.record(talk.a, 3, 0)
    talk.record(talk.a, 4, 0)
    talk.record(talk.a, 3, NO_TRACK)
    talk.record(talk.a, 5, 2)  # in the place that is free again
    talk.a.say(10.0)
    assert {taped.recording for taped in talk.read()} == {4, 5}


def test_slot_0_without_a_track_ends_all_recordings_of_a_leg(talk: Taping):
    talk.begin(None, None)
    talk.record(talk.a, 3, 0)
    talk.record(talk.a, 4, 0)
    talk.record(talk.a, 0, NO_TRACK)
    talk.a.say(10.0)
    assert talk.read() == []


def test_tracks_of_a_leg_can_change(talk: Taping):
    talk.begin(None, None)
    talk.record(talk.a, 3, 0)
    talk.a.say(10.0)
    talk.record(talk.a, 3, 2)  # its codecs were agreed on anew
    talk.a.say(10.02)
    (taped,) = talk.read()
    assert [track for track, _, _ in packets(taped)] == [0, 2]


@pytest.mark.parametrize("suite", SUITES)
def test_packets_of_a_leg_with_keys_are_on_the_tape_in_clear(talk: Taping, suite: Suite):
    # RFC 3711: what lies in a recording is decrypted once, and sealed by the recorder's own key
    talk.begin(security(suite), None)
    talk.record(talk.a, 1, 0, 1)
    talk.a.say(10.0)
    talk.media._do(wire.Digits(PORT, "1"), 10.0)
    talk.media._play(10.0)
    (taped,) = talk.read()
    assert [packet.payload for packet in on_track(taped, 0)] == [bytes(160)]
    assert on_track(taped, 1)[0] == talk.a.sent[0]


def test_what_a_stranger_sends_to_a_recorded_leg_is_not_on_the_tape(talk: Taping):
    talk.begin(None, None)
    talk.record(talk.a, 1, 0)
    talk.a.say(10.0, source=("127.0.0.1", 9444))
    assert talk.read() == []


def test_what_we_say_to_a_leg_is_a_track_of_its_own(talk: Taping):
    talk.begin(None, None)
    talk.record(talk.a, 1, 0, 2)
    talk.media._do(wire.Digits(talk.a.stream.port, "1"), 10.0)
    talk.media._play(10.0)
    (taped,) = talk.read()
    assert {track for track, _, _ in packets(taped)} == {2}
    assert packets(taped)[0][2].payload_type == 101


def test_sound_that_is_played_to_a_recorded_leg_is_heard_on_the_tape(talk: Taping):
    talk.begin(None, None)
    talk.record(talk.a, 1, 0, 1)
    talk.media._do(wire.Play(PORT, 1, False, tones.key_presses("5")), 10.0)  # 770 and 1336 Hz
    talk.media._worker.shutdown(wait=True)
    talk.media._start_prepared(10.0)
    talk.media._play(10.0)
    for turn in range(1, 4):
        talk.media._play(10.0 + turn / 50)
    (taped,) = talk.read()
    assert taped.tracks == 0b10
    assert amplitude(taped, 1, PCMA, 770) > 1500


def test_what_the_peer_says_is_on_its_own_track_alone(talk: Taping):
    talk.begin(None, None)
    talk.record(talk.a, 1, 0, 1)
    talk.b.say(10.0, packets=3)
    assert talk.read() == []


def test_converted_legs_are_on_the_tape_as_they_sent_and_nothing_that_was_made_of_it(talk: Taping):
    talk.begin(None, None)
    opus = msgspec.structs.replace(
        ROUTE, codec="opus", payload_type=96, clock_rate=48000, payload_types={96: 128}, converts=(OPUS,),
        event_type=-1, event_types=(), digits="relay", port=PEER, peer=PORT,
    )  # fmt: skip
    talk.media._do(opus, 10.0)
    talk.media._do(msgspec.structs.replace(ROUTE, payload_types={8: 128}, converts=(PCMA,)), 10.0)
    talk.record(talk.a, 1, 0, 2)
    talk.record(talk.b, 1, 1, 3)
    mouth = Speaker(OPUS)
    said = Speaker(PCMA).say(tone(700, 0.6)), mouth.say(tone(1200, 0.6, mouth.rate))
    talk.speak(talk.a, said[0], 10.0)
    talk.speak(talk.b, said[1], 11.0)
    assert talk.b.sent and talk.a.sent  # each hears the other, made into its own codec
    (taped,) = talk.read()
    assert (on_track(taped, 0), on_track(taped, 1)) == said
    assert amplitude(taped, 0, PCMA, 700) > 4000
    assert amplitude(taped, 1, OPUS, 1200) > 4000
    assert taped.tracks == 0b11


def test_leg_in_a_room_is_on_the_tape_with_what_the_room_lets_it_hear(talk: Taping):
    talk.begin(None, None)
    talk.media._do(msgspec.structs.replace(ROUTE, port=THIRD, peer=0), 10.0)
    talk.c.at(talk.media, THIRD)
    for line in (talk.a, talk.b, talk.c):
        talk.media._do(wire.Join(line.stream.port, "council", True, True), 10.0)
    talk.record(talk.a, 1, 0, 1)
    talk.record(talk.c, 2, 0, 1)
    said = [Speaker(PCMA, ssrc=place).say(tone(hertz, 1.0)) for place, hertz in enumerate((700, 1200, 1700))]
    for turn, spoken in enumerate(zip(*said, strict=True)):
        for line, packet in zip((talk.a, talk.b, talk.c), spoken, strict=True):
            line.give(rtp.build(packet), LEG, 10.0 + turn / 50)
        talk.media._play(10.0 + turn / 50)
    read = {taped.recording: taped for taped in talk.read()}
    assert on_track(read[1], 0) == said[0]
    assert on_track(read[2], 0) == said[2]
    loud = [amplitude(read[1], 1, PCMA, hertz) for hertz in (700, 1200, 1700)]
    assert loud[0] < 500 < 1500 < min(loud[1:])


def test_leg_is_on_the_tape_from_the_first_packet_it_may_send(talk: Taping):
    # Taped while its call rings: before anything was agreed on, so before its route
    talk.media._do(wire.Tape(PORT, 1, 0, 1), 9.0)
    talk.begin(None, None)
    talk.a.say(10.0)
    assert [taped.packets for taped in talk.read()] == [1]


def test_taping_goes_on_in_the_next_media_process_on_the_same_slot(talk: Taping):
    talk.begin(None, None)
    talk.record(talk.a, 7, 0)
    talk.a.say(10.0, packets=3)
    before = talk.read()
    talk.restart(11.0)
    talk.a.say(11.0, packets=2)
    assert [(taped.recording, taped.packets) for taped in (*before, *talk.read())] == [(7, 3), (7, 2)]


def test_port_that_is_gone_is_told_by_its_route_alone(talk: Taping):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", THIRD))
        talk.media._do(wire.Tape(THIRD, 7, 0, NO_TRACK, True), 10.0)
        with pytest.raises(PortGone):
            talk.media._do(msgspec.structs.replace(ROUTE, port=THIRD, peer=0, again=True), 10.0)


def test_process_that_ends_leaves_nothing_that_it_has_taken(talk: Taping):
    talk.begin(None, None)
    talk.record(talk.a, 7, 0)
    talk.a.say(10.0, packets=3)
    talk.die()
    assert [taped.packets for taped in talk.tape.read(0)] == [3]


def test_leg_that_has_gone_leaves_no_recording_to_the_next_one(talk: Taping):
    talk.begin(None, None)
    talk.record(talk.a, 1, 0)
    talk.media._do(wire.Close((talk.a.stream.port,)), 10.0)
    talk.join(11.0)
    talk.a.say(11.0)
    assert talk.read() == []


def test_next_recorder_goes_on_where_the_one_before_has_died(talk: Taping):
    talk.begin(None, None)
    talk.record(talk.a, 1, 0)
    talk.a.say(10.0, packets=2)
    talk.flush()
    another = Tape(talk.reel)
    assert [taped.packets for taped in another.read(0)] == [2]
    another.close()
    talk.a.say(11.0)
    assert [taped.packets for taped in talk.read()] == [1]


def test_without_a_reel_nobody_is_recorded(tmp_path: Path, plane: PlaneName):
    talk = Talk(tmp_path, plane)
    talk.begin(None, None)
    talk.media._do(wire.Tape(PORT, 1, 0, 1), 10.0)
    talk.a.say(10.0)
    assert len(talk.b.sent) == 1
    talk.end()


def test_reel_that_nobody_has_used_has_nothing():
    reel = Reel()
    fresh = Tape(reel)
    assert fresh.read(0) == []
    fresh.close()
    reel.renounce()


# -- the ring of C -------------------------------------------------------------------------------------


def test_packets_that_find_no_room_are_counted_and_the_next_says_how_many(native_talk: Taping):
    talk = native_talk
    talk.begin(None, None)
    talk.record(talk.a, 1, 0)
    size = native.lib.tape_memory()
    # Written: as if another process had filled it and nobody had read.
    written = struct.Struct("=Q")
    written.pack_into(talk.reel.memory, 0, (size - 192) - 64)
    talk.a.say(10.0, packets=3)
    written.pack_into(talk.reel.memory, 64, (size - 192) - 64)  # now all of that is read
    talk.a.say(11.0)
    (taped,) = talk.read()
    assert (taped.packets, taped.missed) == (1, 3)


def test_more_than_one_reading_holds_comes_with_the_next(
    native_talk: Taping, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("media.engines.tape.ROOM", 500)
    native_talk.begin(None, None)
    native_talk.record(native_talk.a, 1, 0)
    native_talk.a.say(10.0, packets=5)
    counts = []
    while taken := native_talk.read():
        counts += [taped.packets for taped in taken]
    assert counts == [2, 2, 1]


def test_code_that_wants_more_memory_than_there_is_records_nothing(
    native_talk: Taping, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("media.engines.reel.MEMORY_BYTES", 4096)
    short = Reel()
    assert isinstance(native_talk.media._plane, NativePlane)
    native_talk.media._wind(short)
    assert "nothing can be recorded" in caplog.text
    short.renounce()


def test_where_nothing_is_compiled_there_is_a_tape_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(native, "lib", None)
    talk = Taping(tmp_path, "auto")
    talk.begin(None, None)
    talk.record(talk.a, 7, 0)
    talk.a.say(10.0, packets=2)
    assert [taped.packets for taped in talk.read()] == [2]
    talk.end()


# -- the socket of Python ------------------------------------------------------------------------------


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Writer, Tape]]:
    monkeypatch.setattr("media.engines.reel.SOCKET_BYTES", 100_000)
    reel = Reel()
    tape = Tape(reel)
    yield Writer(reel), tape
    tape.close()
    reel.renounce()


def all_of(tape: Tape) -> list[Taped]:
    found = []
    while taken := tape.read(0):
        found += taken
    return found


def test_batches_leave_when_they_are_due_and_not_before(written: tuple[Writer, Tape]):
    writer, tape = written
    writer.put(1, 0, bytes(172), 10.0)
    assert tape.read(0) == []
    assert 10.0 < writer.due_at < 10.1
    writer.flush(writer.due_at)
    assert [taped.packets for taped in tape.read(0)] == [1]
    assert writer.due_at > 1e9


def test_writer_whose_tape_nobody_reads_never_waits_and_counts_what_is_lost(
    written: tuple[Writer, Tape], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("media.engines.reel.MOST_KEPT_BYTES", 200_000)
    writer, tape = written
    for number in range(20_000):
        writer.put(number % 2 + 1, 0, bytes(172), 10.0)
    kept = sum(taped.packets for taped in all_of(tape))
    for now in (11.0, 12.0, 13.0):  # the socket takes some each time
        writer.flush(now)
        kept += sum(taped.packets for taped in all_of(tape))
    writer.put(1, 0, bytes(172), 14.0)
    writer.put(2, 0, bytes(172), 14.0)
    writer.flush(14.1)
    told = all_of(tape)
    assert kept + sum(taped.missed for taped in told) == 20_000
    assert all(taped.missed > 1000 for taped in told)
