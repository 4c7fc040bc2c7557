"""What the media process does with sound: codecs that differ, keys that are tones, rooms; on both planes."""

import asyncio
import struct
from array import array
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest

from media import goertzel, tones
from media.codecs import Pcm
from media.engine import Music
from media.engines import wire
from media.g711 import Samples
from media.inband import InbandDetector
from media.rtp import Packet
from media.sdp import Codec
from media.voice import decoder_of
from tests.media.line import PLANES
from tests.media.listener import G722, OPUS, PCMA, PCMU
from tests.media.listening import heard, tone
from tests.media.phone import Phone
from tests.media.test_ears import keys
from tests.media.wired import Leg, Wired, silence

Phones = Callable[..., Phone]


@pytest.fixture(scope="module", params=PLANES)
def process(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    """One media process for all tests of a plane: to start one takes longer than to use it."""
    made = Wired(tmp_path_factory.mktemp("prompts"), request.param)
    yield made
    assert made.stop() == 0


@pytest.fixture
def wired(process: Wired) -> Iterator[Wired]:
    """The process, whose streams end with the test."""
    process.reports.clear()
    yield process
    process.close_streams()


async def leg(wired: Wired, phones: Phones, codec: Codec, events: int = -1) -> Leg:
    return Leg(phones(), await wired.port(), codec, events)


async def joined(wired: Wired, one: Leg, other: Leg) -> None:
    wired.say(one.route(other), other.route(one))
    await wired.done()


def sound(packets: list[Packet], codec: Codec) -> tuple[Samples, int]:
    decoder = decoder_of(codec)
    return np.concatenate([decoder.decode(packet.payload) for packet in packets]), decoder.rate


def found_keys(packets: list[Packet]) -> str:
    return InbandDetector().receive(sound(packets, PCMA)[0])


@pytest.mark.parametrize(
    ("codec", "other"), [(PCMA, OPUS), (PCMU, G722), (G722, OPUS), (PCMA, PCMU)], ids=lambda codec: codec.name
)
async def test_legs_without_a_codec_in_common_hear_each_other(
    wired: Wired, phones: Phones, codec: Codec, other: Codec
):
    alice, bruno = await leg(wired, phones, codec), await leg(wired, phones, other)
    await joined(wired, alice, bruno)
    for speaks, hears, hertz in ((alice, bruno, 700), (bruno, alice, 1300)):
        speaks.say(speaks.mouth.say(tone(hertz, 0.8, speaks.mouth.rate)))
        packets = await hears.hear(39)
        assert {packet.payload_type for packet in packets} == {hears.codec.payload_type}
        samples, rate = sound(packets, hears.codec)
        assert heard(samples[rate // 4 :], hertz, rate)[0] > 4000


async def test_packets_of_a_leg_that_is_converted_are_counted_and_never_relayed(wired: Wired, phones: Phones):
    alice, bruno = await leg(wired, phones, PCMA), await leg(wired, phones, OPUS)
    await joined(wired, alice, bruno)
    alice.say(alice.mouth.say(tone(700, 0.4)))
    assert all(packet.payload_type == 96 for packet in await bruno.hear(19))
    wired.say(wire.Query(7, (alice.port, bruno.port)))
    statistics = await wired.until(lambda report: isinstance(report, wire.Statistics) and report.number == 7)
    assert isinstance(statistics, wire.Statistics)
    assert [(one.packets, one.packets_sent) for one in statistics.streams] == [(20, 0), (0, 20)]


async def test_key_pressed_as_an_event_is_an_event_in_the_other_codecs_clock(wired: Wired, phones: Phones):
    # RFC 4733 section 2.1
    alice, bruno = await leg(wired, phones, OPUS, 110), await leg(wired, phones, PCMA, 101)
    await joined(wired, bruno, alice)
    bruno.say([bruno.mouth.packet(struct.pack(">BBH", 7, 10, 160), 101, marker=True)])
    (event,) = await alice.hear(1)
    assert event.payload_type == 110
    assert struct.unpack(">BBH", event.payload) == (7, 10, 960)


async def test_key_pressed_as_an_event_is_a_tone_to_a_peer_without_events(wired: Wired, phones: Phones):
    alice, bruno = await leg(wired, phones, PCMA, 101), await leg(wired, phones, PCMA)
    wired.say(alice.route(bruno, "tones"), bruno.route(alice))
    await wired.done()
    alice.say([alice.mouth.packet(struct.pack(">BBH", 7, 10, 160), 101, marker=True)])
    assert found_keys(await bruno.hear(9)) == "7"
    await wired.until(lambda report: report == wire.Digit(alice.port, "7"))
    assert bruno.phone.heard_nothing()


async def test_keys_that_follow_each_other_faster_than_their_tones_are_all_heard(
    wired: Wired, phones: Phones
):
    # RFC 4733 section 2.5.2.2: a tone as long as it must be, however short the event
    alice, bruno = await leg(wired, phones, PCMA, 101), await leg(wired, phones, PCMA)
    wired.say(alice.route(bruno, "tones"), bruno.route(alice))
    await wired.done()
    key = alice.mouth.packet
    alice.say([key(struct.pack(">BBH", digit, 10, 160), 101, marker=True) for digit in (7, 2, 2)])
    assert found_keys(await bruno.hear(27)) == "722"
    await wired.done()


@pytest.mark.parametrize("codec", [PCMA, OPUS], ids=lambda codec: codec.name)
async def test_key_heard_in_the_sound_is_told_once_and_is_an_event_to_the_peer(
    wired: Wired, phones: Phones, codec: Codec
):
    alice, bruno = await leg(wired, phones, codec), await leg(wired, phones, PCMA, 101)
    wired.say(alice.route(bruno, "listen"), bruno.route(alice))
    await wired.done()
    alice.say(alice.mouth.say(keys("4", alice.mouth.rate)))
    await wired.until(lambda report: report == wire.Digit(alice.port, "4"))
    events: list[Packet] = []
    while len([packet for packet in events if packet.payload[1] & 0x80]) < 3:  # the end, three times
        events += [packet for packet in await bruno.hear(1) if packet.payload_type == 101]
    assert {packet.payload[0] for packet in events} == {4}
    assert len({packet.timestamp for packet in events}) == 1
    await wired.done()
    # By port: what a leg of the test before has pressed may be told only now.
    told = [one.digit for one in wired.reports if isinstance(one, wire.Digit) and one.port == alice.port]
    assert set(told) == {"4"}
    # Packets that a busy machine brings late are concealed, which may cut a tone in two; once: test_ears.
    assert codec is OPUS or len(told) == 1


async def test_keys_that_follow_each_other_faster_than_their_events_are_all_sent(
    wired: Wired, phones: Phones
):
    # RFC 4733 section 2.5.1.4: an event ends by three packets, which a key's pause may be too short for
    alice, bruno = await leg(wired, phones, PCMA), await leg(wired, phones, PCMA, 101)
    wired.say(alice.route(bruno, "listen"), bruno.route(alice))
    await wired.done()
    alice.say(alice.mouth.say(keys("4421", alice.mouth.rate)))
    events: list[Packet] = []
    while len([packet for packet in events if packet.payload[1] & 0x80]) < 3 * 4:
        events += [packet for packet in await bruno.hear(1) if packet.payload_type == 101]
    begins = [packet for packet in events if packet.marker]
    assert [packet.payload[0] for packet in begins] == [4, 4, 2, 1]
    assert len({packet.timestamp for packet in events}) == 4
    await wired.done()


@pytest.mark.parametrize("codec", [PCMA, G722, OPUS], ids=lambda codec: codec.name)
async def test_tone_and_music_are_played_in_the_legs_codec(wired: Wired, phones: Phones, codec: Codec):
    alice = await leg(wired, phones, codec)
    wired.say(alice.route(), wire.Play(alice.port, 1, True, tones.sine(440)))
    packets = await alice.hear(30)
    samples, rate = sound(packets, codec)
    assert heard(samples[rate // 4 :], 440, rate)[0] > 4000
    steps = {late.timestamp - early.timestamp for early, late in pairwise(packets)}
    assert steps == {codec.clock_rate // 50}
    wired.say(wire.Play(alice.port, 2, True, Music()))
    async with asyncio.timeout(45):
        while heard(sound(await alice.hear(10), codec)[0], 440, rate)[0] > 2000:
            pass


async def test_digits_are_tones_to_a_leg_without_events_in_its_own_codec(wired: Wired, phones: Phones):
    alice = await leg(wired, phones, OPUS)
    wired.say(alice.route(), wire.Digits(alice.port, "25"))
    samples = decoder_of(OPUS, 8000)
    pcm = np.concatenate([samples.decode(packet.payload) for packet in await alice.hear(18)])
    assert InbandDetector().receive(pcm) == "25"


async def test_keys_that_are_sent_one_by_one_wait_for_the_end_of_the_one_before(wired: Wired, phones: Phones):
    # RFC 6086: a telephone that sends its keys by INFO, faster than they last
    alice = await leg(wired, phones, PCMA, 101)
    wired.say(alice.route(), *(wire.Digits(alice.port, key) for key in "258"))
    events: list[Packet] = []
    while len([packet for packet in events if packet.payload[1] & 0x80]) < 9:  # three ends of three packets
        events += await alice.hear(1)
    assert list(dict.fromkeys(packet.payload[0] for packet in events)) == [2, 5, 8]
    assert len({packet.timestamp for packet in events}) == 3


async def test_three_in_a_room_hear_each_other_by_frequency_and_never_themselves(
    wired: Wired, phones: Phones
):
    legs = [await leg(wired, phones, codec) for codec in (PCMA, PCMU, OPUS)]
    hertz = [600, 1000, 1500]
    for each in legs:
        wired.say(each.route(), wire.Join(each.port, "council", True, True))
    spoken = [
        each.converse(tone(frequency, 1.4, each.mouth.rate), 65)
        for each, frequency in zip(legs, hertz, strict=True)
    ]
    for place, packets in enumerate(await asyncio.gather(*spoken)):
        samples, rate = sound(packets[40:], legs[place].codec)
        loud = [heard(samples, frequency, rate)[0] > 1500 for frequency in hertz]
        assert loud == [frequency != hertz[place] for frequency in hertz]


async def test_leg_hears_its_peer_again_when_it_leaves_the_room(wired: Wired, phones: Phones):
    alice, bruno, carla = [await leg(wired, phones, PCMA) for _ in range(3)]
    await joined(wired, alice, bruno)
    wired.say(carla.route(), *(wire.Join(each.port, "r", True, True) for each in (alice, carla)))
    await alice.converse(silence(alice, 0.2), 10)
    bruno.say(bruno.mouth.say(tone(900, 0.2)))
    assert goertzel.heard_frequency_hz(_pcm(await alice.hear(10))) == 0.0
    wired.say(wire.Leave(alice.port))
    await wired.done()
    while not alice.phone.heard_nothing():
        pass
    bruno.say(bruno.mouth.say(tone(900, 0.4)))
    assert goertzel.heard_frequency_hz(_pcm(await alice.hear(20))) == pytest.approx(900, abs=3)
    alice.say(alice.mouth.say(tone(500, 0.4)))
    assert goertzel.heard_frequency_hz(_pcm(await bruno.hear(20))) == pytest.approx(500, abs=3)


async def test_prompt_is_heard_in_place_of_the_room_and_the_room_afterwards(wired: Wired, phones: Phones):
    alice, bruno = [await leg(wired, phones, PCMA) for _ in range(2)]
    for each in (alice, bruno):
        wired.say(each.route(), wire.Join(each.port, "r", True, True))
    await alice.converse(silence(alice, 0.2), 10)
    wired.say(wire.Play(alice.port, 5, False, tones.sine(440, 300)))
    await wired.until(lambda report: report == wire.Finished(alice.port, 5))
    packets = await alice.hear(25)
    assert heard(sound(packets, PCMA)[0], 440)[0] > 1000
    steps = [late.sequence - early.sequence for early, late in pairwise(packets)]
    assert set(steps) == {1}
    await alice.hear(20)


async def test_speaker_of_a_room_is_told(wired: Wired, phones: Phones):
    alice, bruno = [await leg(wired, phones, PCMA) for _ in range(2)]
    for each in (alice, bruno):
        wired.say(each.route(), wire.Join(each.port, "r", True, True))
    await alice.converse(tone(700, 1), 40)
    await wired.until(lambda report: report == wire.Speaker("r", alice.port))


def _pcm(packets: list[Packet]) -> Pcm:
    return array("h", sound(packets, PCMA)[0].tolist())
