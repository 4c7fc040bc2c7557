"""What a leg says, in a file: at any pace, in any codec, and whatever ends it."""

from pathlib import Path

import numpy as np
import pytest

from media import rtp, wav
from media.engines import wire
from media.engines.hearing import Hearers
from media.engines.recorder import Recorders
from media.engines.stream import Hearing
from media.g711 import Samples
from media.rtp import Packet
from media.sdp import Codec
from tests.media.listener import EVENTS, G722, NOISE, OPUS, PCMA, Listener, Speaker
from tests.media.listening import heard, tone

PORT = 20000


class Desk:
    """One leg that is recorded, and the clock. told: what was reported."""

    def __init__(self, folder: Path, codec: Codec = PCMA, *further: Codec, **said: object) -> None:
        self.path = folder / "said.wav"
        self.told: list[wire.Report] = []
        self.recorders = Recorders(self.told.append)
        self.mouth = Speaker(codec)
        self.now = 100.0
        settings = {"seconds": 60.0, "silence_seconds": 0.0, "keys": "", "path": str(self.path), **said}
        codecs = {each.payload_type: each for each in (codec, *further)}
        self.recorders.begin(wire.Record(PORT, 7, **settings), codecs, codec)

    def tick(self, packets: list[Packet]) -> None:
        """20 ms pass, in which these come."""
        for packet in packets:
            self.recorders.receive(PORT, packet, self.now)
        self.now += 0.02
        self.recorders.tick(self.now)

    def say(self, sound: Samples) -> None:
        """Speak as a telephone does, one packet after the other."""
        for packet in self.mouth.say(sound):
            self.tick([packet])

    def pause(self, seconds: float) -> None:
        """Say nothing, without a packet."""
        for _ in range(round(seconds * 50)):
            self.tick([])

    def end(self) -> tuple[Samples, int]:
        """Hang up; return what is in the file, and its rate."""
        self.recorders.end(PORT, "stopped")
        return self.read()

    def read(self) -> tuple[Samples, int]:
        self.recorders.close()
        pcm, rate = wav.read_as_is(self.path.read_bytes())
        return np.array(pcm, np.int16), rate

    def why(self) -> str:
        (report,) = self.told
        assert isinstance(report, wire.Recorded)
        assert (report.port, report.turn) == (PORT, 7)
        return report.why


@pytest.mark.parametrize(
    ("codec", "rate"), [(PCMA, 8000), (G722, 16000), (OPUS, 16000)], ids=["PCMA", "G722", "opus"]
)
def test_what_is_said_is_in_the_file_at_the_codecs_rate(tmp_path: Path, codec: Codec, rate: int):
    desk = Desk(tmp_path, codec)
    desk.say(tone(700, 1.5, desk.mouth.rate))
    sound, found = desk.end()
    assert found == rate
    assert len(sound) == 1.5 * rate
    assert heard(sound[rate // 2 : rate], 700, rate)[0] > 4000
    assert desk.why() == "stopped"


def test_a_pause_without_packets_is_as_long_in_the_file(tmp_path: Path):
    desk = Desk(tmp_path)
    desk.say(tone(700, 1.0))
    desk.pause(2.0)
    desk.mouth._timestamp = desk.mouth._timestamp + 16000 & 0xFFFFFFFF  # its clock went on
    desk.say(tone(1200, 1.0))
    sound, _ = desk.end()
    assert len(sound) == 4 * 8000
    assert heard(sound[2000:6000], 700, 8000)[0] > 4000
    assert np.abs(sound[12000:22000]).max() < 200
    assert heard(sound[26000:31000], 1200, 8000)[0] > 4000


def test_packets_that_overtook_each_other_are_in_order(tmp_path: Path):
    desk = Desk(tmp_path)
    packets = desk.mouth.say(tone(700, 2.0))
    for place in range(20, len(packets) - 1, 4):
        packets[place], packets[place + 1] = packets[place + 1], packets[place]
    for packet in packets:
        desk.tick([packet])
    sound, _ = desk.end()
    assert heard(sound[8000:], 700, 8000)[0] > 4000


def test_a_caller_who_says_nothing_any_more_ends_it(tmp_path: Path):
    desk = Desk(tmp_path, silence_seconds=3.0)
    desk.say(tone(700, 1.0))
    desk.pause(2.9)
    assert PORT in desk.recorders
    desk.pause(0.4)
    assert PORT not in desk.recorders
    assert 0.9 * 8000 < len(desk.read()[0]) < 1.3 * 8000  # and the silence is left out
    assert desk.why() == "silence"


def test_a_caller_who_never_said_anything_leaves_nothing(tmp_path: Path):
    desk = Desk(tmp_path, silence_seconds=10.0)
    desk.pause(4.0)
    sound, _ = desk.end()
    assert len(sound) == 0


def test_it_ends_at_its_longest(tmp_path: Path):
    desk = Desk(tmp_path, seconds=1.0)
    desk.say(tone(700, 1.5))
    assert len(desk.read()[0]) == 8000
    assert desk.why() == "length"


def test_only_the_keys_that_were_named_end_it(tmp_path: Path):
    desk = Desk(tmp_path, keys="#")
    desk.say(tone(700, 0.5))
    desk.recorders.pressed(PORT, "5")
    assert PORT in desk.recorders
    desk.recorders.pressed(PORT, "#")
    desk.recorders.close()
    assert desk.why() == "key"


def test_events_are_no_sound_and_comfort_noise_is(tmp_path: Path):
    """RFC 4733 section 2.5.1.2, RFC 3389 section 3."""
    desk = Desk(tmp_path, PCMA, EVENTS, NOISE)
    desk.say(tone(700, 0.5))
    desk.tick([desk.mouth.packet(b"\1\x0a\0\xa0", 101)])
    desk.tick([desk.mouth.packet(bytes([60]), 13)])
    desk.pause(0.46)
    sound, _ = desk.end()
    assert len(sound) == 8000
    assert 0 < np.abs(sound[6000:]).max() < 200


def test_what_is_on_the_disk_can_be_played_at_any_moment(tmp_path: Path):
    desk = Desk(tmp_path)
    desk.say(tone(700, 2.5))
    desk.recorders._writer.submit(lambda: None).result()
    pcm, rate = wav.read_as_is(desk.path.read_bytes())  # as a killed process would leave it
    assert len(pcm) == 2 * rate
    desk.recorders.close()


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path):
    desk = Desk(tmp_path, path=str(tmp_path / "no" / "folder.wav"))
    desk.say(tone(700, 1.2))
    desk.recorders.end(PORT, "stopped")
    desk.recorders.close()
    assert desk.why() == "failed"


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    (tmp_path / "said.wav").symlink_to(elsewhere)
    desk = Desk(tmp_path)
    desk.recorders.close()
    assert desk.why() == "failed"
    assert elsewhere.read_text() == "mine"


def test_another_recording_of_the_same_leg_ends_the_first(tmp_path: Path):
    desk = Desk(tmp_path)
    desk.say(tone(700, 1.0))
    second = wire.Record(PORT, 8, str(tmp_path / "second.wav"), 60.0, 0.0, "")
    desk.recorders.begin(second, {8: PCMA}, PCMA)
    desk.say(tone(700, 0.5))
    desk.recorders.close()
    assert [(one.turn, one.why, one.seconds) for one in desk.told if isinstance(one, wire.Recorded)] == [
        (7, "stopped", 1.0),
        (8, "lost", 0.5),
    ]


class Heard:
    """One leg of a media process: its stream, what hears it, and what it has reported."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "said.wav"
        self.reports: list[wire.Report] = []
        self.stream = Listener(PORT)
        self.stream.codec, self.stream.payload_type = "PCMA", 8
        route = wire.Route(
            PORT, 0, "127.0.0.1", 9, 10, False, False, False, {8: 8}, (), "PCMA", 8, 8000, -1
        )  # fmt: skip
        self.hearers = Hearers({PORT: route}, self.reports, _nothing, _nothing, self.reports.append)
        self.mouth = Speaker(PCMA)
        self.now = 100.0

    def record(self, keys: str = "") -> None:
        self.hearers.record(self.stream, wire.Record(PORT, 7, str(self.path), 60.0, 0.0, keys))

    def say(self, seconds: float) -> None:
        for packet in self.mouth.say(tone(700, seconds)):
            self.hearers.heard(self.stream, rtp.build(packet), self.now)
            self.now += 0.02
            self.hearers.tick(self.now)

    def sound(self) -> Samples:
        self.hearers.recorders.close()
        return np.array(wav.read_file(self.path), np.int16)


def _nothing(*_: object) -> None:
    """What isn't asked of these legs."""


def test_a_leg_is_listened_to_as_long_as_it_is_recorded(tmp_path: Path):
    leg = Heard(tmp_path)
    assert not leg.hearers.ticks
    leg.record()
    assert (leg.stream.hearing, leg.hearers.ticks) == (Hearing.COPY, True)
    leg.say(1.0)
    leg.hearers.stop_recording(leg.stream)
    assert (leg.stream.hearing, leg.hearers.ticks) == (Hearing.NOTHING, False)
    leg.hearers.stop_recording(leg.stream)
    assert len(leg.sound()) == 8000


def test_a_key_that_a_leg_reports_ends_its_recording(tmp_path: Path):
    leg = Heard(tmp_path)
    leg.record(keys="#")
    for digit, records in (("1", True), ("#", False)):
        leg.reports.append(wire.Digit(PORT, digit))
        leg.hearers.told()
        assert leg.hearers.ticks is records
    leg.hearers.recorders.close()
    assert [one.why for one in leg.reports if isinstance(one, wire.Recorded)] == ["key"]


def test_a_leg_in_a_room_is_recorded_too_and_stays_there(tmp_path: Path):
    leg = Heard(tmp_path)
    leg.hearers.join(leg.stream, wire.Join(PORT, "council", True, True))
    leg.say(1.0)
    leg.record()
    assert leg.stream.hearing is Hearing.TAKE
    leg.say(1.0)
    assert PORT in leg.hearers.rooms
    assert heard(leg.sound()[2000:6000], 700, 8000)[0] > 4000


def test_a_signalling_process_that_is_gone_ends_its_recordings(tmp_path: Path):
    leg = Heard(tmp_path)
    leg.record()
    leg.say(1.0)
    leg.hearers.end_recordings()
    assert leg.stream.hearing is Hearing.NOTHING
    assert len(leg.sound()) == 8000
    assert [one.why for one in leg.reports if isinstance(one, wire.Recorded)] == ["lost"]
