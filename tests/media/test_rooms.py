"""Rooms of legs with any codec: who hears whom, by the frequency that each speaks with."""

import random

import numpy as np
import pytest

from media.engines import wire
from media.engines.rooms import IN_ROOM, Rooms, Seat
from media.engines.stream import Hearing, Player
from media.g711 import Samples
from media.loudness import is_quiet
from media.rtp import Packet
from media.sdp import Codec
from tests.media.listener import EVENTS, G722, NOISE, OPUS, PCMA, PCMU, Listener, Speaker
from tests.media.listening import heard, rms, tone


class Guest:
    """A leg in a room, with a tone of its own; 0 Hz says nothing."""

    def __init__(self, world: "World", codec: Codec, frequency_hz: int) -> None:
        self.port = 20000 + 2 * len(world.guests)
        self.codec, self.frequency_hz = codec, frequency_hz
        self.given = 0  # packets that the room got
        self.stream = Listener(self.port, codec.clock_rate)
        self.mouth = Speaker(codec, ssrc=self.port)
        sound = tone(frequency_hz or 1, 1, self.mouth.rate) * bool(frequency_hz)
        self.packets = self.mouth.say(np.tile(sound.astype(np.int16), world.seconds))
        world.guests.append(self)

    def hears(self, ms: int = 400) -> Samples:
        """Return the newest of what the leg has heard."""
        sound = self.stream.sound(self.codec)
        return sound[-ms * self.mouth.rate // 1000 :]

    def hears_tone(self, other: "Guest") -> bool:
        return heard(self.hears(), other.frequency_hz, self.mouth.rate)[0] > 1500


class World:
    """Rooms and a clock. seconds: how long each guest can speak."""

    def __init__(self, seconds: int = 4) -> None:
        self.reports: list[wire.Report] = []
        self.rooms = Rooms(self.reports)
        self.guests: list[Guest] = []
        self.seconds = seconds
        self.now = 1000.0

    def join(
        self,
        codec: Codec,
        frequency_hz: int,
        room: str = "council",
        *,
        speaks: bool = True,
        hears: bool = True,
        whisper: int = 0,
    ) -> Guest:
        guest = Guest(self, codec, frequency_hz)
        codecs = {codec.payload_type: codec, 101: EVENTS, 13: NOISE}
        said = wire.Join(guest.port, room, speaks, hears, whisper)
        self.rooms.join(said, Seat(guest.stream, codecs, codec, ""))
        return guest

    def talk(self, seconds: float) -> None:
        """Let everybody who is in a room speak."""
        for _ in range(round(seconds * 50)):
            for guest in self.guests:
                if guest.port in self.rooms and guest.packets:
                    self._send(guest, guest.packets.pop(0))
            self.now += 0.02
            self.rooms.tick(self.now)

    def _send(self, guest: Guest, packet: Packet) -> None:
        """Give the room a packet, unless its plane leaves it out."""
        quiet = is_quiet(packet.payload_type, packet.payload)
        if guest.stream.hearing is not Hearing.LOUD or not quiet:
            guest.given += 1
            self.rooms.seat(guest.port).receive(packet, self.now)


@pytest.mark.parametrize(
    "codecs", [(PCMA, PCMU, PCMA), (PCMA, G722, OPUS), (OPUS, OPUS, OPUS)], ids=["narrow", "mixed", "wide"]
)
def test_each_hears_all_others_and_never_itself(codecs: tuple[Codec, ...]):
    world = World()
    guests = [world.join(codec, 500 + 310 * place) for place, codec in enumerate(codecs)]
    world.talk(1.5)
    for guest in guests:
        for other in guests:
            assert guest.hears_tone(other) == (other is not guest)


def test_thirty_in_a_room_hear_who_speaks_and_rooms_dont_hear_each_other():
    world = World(2)
    council = [world.join((PCMA, PCMU, OPUS)[place % 3], 0) for place in range(14)]
    school = [world.join(PCMA, 0, "school") for _ in range(14)]
    mayor, teacher = world.join(PCMA, 700), world.join(PCMU, 1300, "school")
    world.talk(1)
    assert all(guest.hears_tone(mayor) and not guest.hears_tone(teacher) for guest in council)
    assert all(guest.hears_tone(teacher) and not guest.hears_tone(mayor) for guest in school)
    assert rms(mayor.hears()) < 100


def test_legs_that_say_nothing_are_sent_the_same_packet():
    world = World()
    silent = [world.join(OPUS, 0) for _ in range(4)]
    world.join(PCMA, 700)
    world.talk(1)
    newest = [guest.stream.sent[-1].payload for guest in silent]
    assert len(set(newest)) == 1
    assert newest[0] != b""


def test_leg_that_begins_to_speak_goes_on_hearing_without_a_break():
    world = World()
    first, late = world.join(PCMA, 700), world.join(OPUS, 0)
    world.talk(1)
    late.packets = late.mouth.say(tone(1900, 1, late.mouth.rate))
    world.talk(0.6)
    sound = late.hears(800)
    frames = sound[: len(sound) // 960 * 960].reshape(-1, 960)
    assert min(rms(frame) for frame in frames) > 3000
    assert late.hears_tone(first)
    assert not late.hears_tone(Guest(world, PCMA, 1900))


def test_muted_leg_is_not_heard_and_hears():
    world = World()
    mayor, muted, clerk = world.join(PCMA, 700), world.join(PCMA, 1100, speaks=False), world.join(PCMA, 0)
    world.talk(1)
    assert clerk.hears_tone(mayor)
    assert not clerk.hears_tone(muted)
    assert muted.hears_tone(mayor)
    world.rooms.change(wire.Join(muted.port, "council", True, True))
    world.talk(1)
    assert clerk.hears_tone(muted)


def test_leg_that_is_not_to_hear_is_sent_nothing():
    world = World()
    deaf, clerk = world.join(PCMA, 700, hears=False), world.join(PCMA, 0)
    world.talk(1)
    assert deaf.stream.sent == []
    assert clerk.hears_tone(deaf)


def test_whisper_is_heard_by_one_alone():
    world = World()
    agent, caller = world.join(PCMA, 500), world.join(OPUS, 900)
    chief = world.join(PCMA, 1300, whisper=agent.port)
    world.talk(1.5)
    assert agent.hears_tone(chief)
    assert not caller.hears_tone(chief)
    assert chief.hears_tone(caller)


def test_whisper_to_a_leg_that_left_is_heard_by_nobody():
    world = World()
    agent, caller = world.join(PCMA, 500), world.join(PCMA, 900)
    chief = world.join(PCMA, 1300, whisper=agent.port)
    world.rooms.leave(agent.port)
    world.talk(1)
    assert not caller.hears_tone(chief)


def test_leg_that_leaves_is_heard_no_more_and_its_stream_is_free():
    world = World()
    mayor, clerk = world.join(PCMA, 700), world.join(PCMA, 0)
    assert clerk.stream.player is IN_ROOM
    world.talk(1)
    world.rooms.leave(mayor.port)
    assert mayor.stream.player is None
    world.talk(1)
    assert rms(clerk.hears()) < 50
    world.rooms.leave(clerk.port)
    assert len(world.rooms) == 0


def test_leg_that_is_played_something_hears_only_that_and_then_the_room():
    world = World()
    _, clerk = world.join(PCMA, 700), world.join(PCMA, 0)
    world.talk(0.5)
    clerk.stream.play(Player(1, 8, iter(())))
    before = len(clerk.stream.sent)
    world.talk(0.5)
    assert len(clerk.stream.sent) == before
    clerk.stream.play(IN_ROOM)
    world.talk(0.5)
    assert clerk.stream.sent[before].marker
    # RFC 3550 section 5.1: the time that passed meanwhile is in the timestamp.
    gap = clerk.stream.sent[before].timestamp - clerk.stream.sent[before - 1].timestamp & 0xFFFFFFFF
    assert gap == pytest.approx(26 * 160, abs=320)


def test_who_speaks_is_told_once_and_again_when_another_does():
    world = World()
    mayor, clerk = world.join(PCMA, 0), world.join(PCMA, 0)
    mayor.packets = mayor.mouth.say(tone(700, 1))
    world.talk(1.5)
    clerk.packets = clerk.mouth.say(tone(900, 1))
    world.talk(1.5)
    assert world.reports == [wire.Speaker("council", mayor.port), wire.Speaker("council", clerk.port)]


def test_speaker_who_leaves_is_told():
    world = World()
    mayor, _ = world.join(PCMA, 700), world.join(PCMA, 0)
    world.talk(1)
    world.rooms.leave(mayor.port)
    assert world.reports[-1] == wire.Speaker("council", 0)


def test_room_becomes_wide_when_a_wide_leg_comes():
    world = World(6)
    first = world.join(PCMA, 600)
    world.talk(0.5)
    wide, other = world.join(G722, 1000), world.join(G722, 5500)
    world.talk(1.5)
    assert wide.hears_tone(other)  # beyond what a telephone's band holds
    assert wide.hears_tone(first)
    assert first.hears_tone(wide)


def test_leg_may_change_its_codec_in_the_room():
    world = World()
    mayor, clerk = world.join(PCMA, 700), world.join(PCMU, 0)
    world.talk(0.5)
    other = Speaker(PCMU, ssrc=mayor.port)
    mayor.packets = other.say(tone(1200, 1))
    world.rooms.seat(mayor.port).route({0: PCMU, 8: PCMA}, PCMU, "")
    world.talk(0.8)
    assert heard(clerk.hears(), 1200)[0] > 3000
    assert mayor.stream.sent[-1].payload_type == 0


def test_leg_that_only_listens_gives_the_loop_no_packets():
    world = World()
    mayor, clerk = world.join(PCMA, 700), world.join(PCMA, 0)
    clerk.stream.hear(world.rooms.seat(clerk.port).hearing)
    world.talk(1)
    assert clerk.given == 0
    assert clerk.hears_tone(mayor)


def test_leg_that_falls_silent_is_asleep_800_ms_later_and_wakes_with_its_first_word():
    world = World(8)
    mayor, clerk = world.join(PCMA, 700), world.join(PCMA, 0)
    world.talk(1)
    mayor.packets = mayor.mouth.say(np.zeros(16000, np.int16))
    world.talk(1)
    assert mayor.stream.hearing is Hearing.LOUD
    given = mayor.given
    world.talk(1)
    assert mayor.given == given
    mayor.packets = mayor.mouth.say(tone(700, 1))
    world.talk(1)
    assert mayor.given == given + 50
    # The first word comes whole, 40 ms late: what else is missing of a second?
    spoken = clerk.hears(1000)
    assert np.count_nonzero(np.abs(spoken) > 50) / 8000 > 0.9


def test_leg_speaks_again_after_its_numbers_have_gone_half_round():
    # RFC 3550 section 5.1: sequence numbers have 16 bits, 11 minutes of packets are half of them.
    world = World()
    mayor, clerk = world.join(PCMA, 700), world.join(PCMA, 0)
    world.talk(0.2)
    mayor.packets = mayor.mouth.say(np.zeros(8000 * 700, np.int16))
    world.talk(1)
    world.now += 699
    mayor.packets = mayor.mouth.say(tone(700, 1))
    world.talk(0.9)
    assert clerk.hears_tone(mayor)


def test_leg_that_is_listened_to_by_others_too_keeps_all_its_packets_coming():
    world = World()
    mayor = world.join(PCMA, 700)
    world.rooms.seat(mayor.port).attentive = True
    world.talk(0.5)
    mayor.packets = mayor.mouth.say(np.zeros(16000, np.int16))
    world.talk(1.5)
    assert mayor.stream.hearing is Hearing.TAKE


def test_key_that_is_pressed_is_no_sound():
    world = World()
    mayor, clerk = world.join(PCMA, 0), world.join(PCMA, 0)
    mayor.packets = [mayor.mouth.packet(b"\5\12\0\xa0", 101) for _ in range(50)]
    world.talk(1)
    assert rms(clerk.hears()) < 50


def test_hostile_packets_end_no_room():
    world, chance = World(), random.Random(3)
    guests = [world.join(codec, 0) for codec in (PCMA, PCMU, G722, OPUS)]
    sequence = 0
    for _ in range(400):
        for guest in guests:
            sequence += chance.choice((1, 1, 2, chance.randrange(65536)))
            payload = chance.randbytes(chance.choice((0, 1, 5, 80, 160, 161, 1499, 1501, 4000)))
            number = chance.choice((guest.codec.payload_type, 13, 101, 55))
            timestamp = chance.choice((sequence * 160, chance.getrandbits(32))) & 0xFFFFFFFF
            packet = Packet(number, sequence & 0xFFFF, timestamp, chance.choice((1, 2)), payload)
            world.rooms.seat(guest.port).receive(packet, world.now)
        world.talk(0.02)
    clerk, mayor = world.join(PCMA, 0, "council"), world.join(PCMA, 700, "council")
    for guest in guests:
        world.rooms.leave(guest.port)
    world.talk(1)
    assert clerk.hears_tone(mayor)
