"""Sound that the media process works on, asked for by the engine's verbs: offers, restarts, reports."""

import asyncio
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from media import rtcp, tones, wav
from media.engine import OneWayAudio, RecordFinished, SpeakerChanged
from media.g711 import Samples
from media.rtp import Packet, build
from media.sdp import Codec
from media.voice import decoder_of
from tests.media.listener import OPUS, PCMA, Speaker
from tests.media.listening import heard, tone
from tests.media.phone import Phone, target
from tests.media.process import MediaProcess
from tests.media.test_relay import another_process, joined

Phones = Callable[..., Phone]
OPUS_SDP = ("96 opus/48000/2",)


def say(phone: Phone, to: tuple[str, int], packets: list[Packet]) -> None:
    for packet in packets:
        phone.rtp.sendto(build(packet), to)


def sound(packets: list[Packet], codec: Codec) -> tuple[Samples, int]:
    decoder = decoder_of(codec)
    return np.concatenate([decoder.decode(packet.payload) for packet in packets]), decoder.rate


async def opposed(
    media: MediaProcess, phones: Phones
) -> tuple[Phone, Phone, tuple[str, int], tuple[str, int]]:
    """A phone of PCMA alone and one of Opus alone, and where each sends to."""
    alice, bruno = phones(), phones()
    offered = await media.engine.offer("c", "a", "b", alice.sdp("8"))
    answered = await media.engine.answer("c", "b", "a", bruno.sdp("96", rtpmaps=OPUS_SDP))
    await media.engine.query("c")
    return alice, bruno, target(answered), target(offered)


async def test_phones_that_share_no_codec_hear_each_other(media: MediaProcess, phones: Phones):
    alice, bruno, from_alice, from_bruno = await opposed(media, phones)
    say(alice, from_alice, Speaker(PCMA).say(tone(700, 0.8)))
    samples, rate = sound(await bruno.hear(39), OPUS)
    assert heard(samples[rate // 4 :], 700, rate)[0] > 4000
    mouth = Speaker(OPUS)
    say(bruno, from_bruno, mouth.say(tone(1200, 0.8, mouth.rate)))
    samples, rate = sound(await alice.hear(39), PCMA)
    assert heard(samples[rate // 4 :], 1200, rate)[0] > 4000


async def test_conversion_goes_on_with_another_process_behind_the_same_numbers(
    media: MediaProcess, phones: Phones
):
    alice, bruno, from_alice, _ = await opposed(media, phones)
    mouth = Speaker(PCMA)
    say(alice, from_alice, mouth.say(tone(700, 0.2)))
    before = await bruno.hear(9)
    await another_process(media)
    say(alice, from_alice, mouth.say(tone(700, 0.4)))
    after = await bruno.hear(19)
    samples, rate = sound(after, OPUS)
    assert heard(samples[rate // 5 :], 700, rate)[0] > 4000
    assert {packet.payload_type for packet in (*before, *after)} == {96}


async def test_room_goes_on_with_another_process(media: MediaProcess, phones: Phones):
    places = {}
    for name, hertz in (("a", 600), ("b", 1000)):
        phone = phones()
        to = target(await media.engine.publish("c", name, phone.sdp("8")))
        await media.engine.join("c", name, "council")
        places[name] = phone, to, Speaker(PCMA).say(tone(hertz, 2))

    async def converse(count: int) -> list[list[Packet]]:
        async def one(phone: Phone, to: tuple[str, int], packets: list[Packet]) -> list[Packet]:
            got: list[Packet] = []
            for _ in range(count):
                say(phone, to, [packets.pop(0)])
                got += await phone.hear(1)
            return got

        return await asyncio.gather(*(one(*place) for place in places.values()))

    await converse(10)
    await another_process(media)
    by_alice, by_bruno = await converse(50)
    assert heard(sound(by_alice[-15:], PCMA)[0], 1000)[0] > 3000
    assert heard(sound(by_bruno[-15:], PCMA)[0], 600)[0] > 3000
    await media.until(lambda event: isinstance(event, SpeakerChanged) and event.room == "council")


async def test_leg_says_by_rtcp_how_it_hears_us(media: MediaProcess, phones: Phones):
    # RFC 3550 section 6.4: what it lost of ours, and the way there and back from LSR and DLSR.
    pair = await joined(media, phones)
    for phone, to in ((pair.alice, pair.alice_sends_to), (pair.bob, pair.bob_sends_to)):
        for _ in range(5):
            phone.send(to)
    ours = await pair.alice.receive_rtcp()
    assert rtcp.packet_types(ours)[0] == rtcp.SENDER_REPORT
    ssrc, last = int.from_bytes(ours[4:8]), int.from_bytes(ours[10:14])
    report = struct.pack(">BBHI", 0x81, 201, 7, pair.alice.ssrc)
    report += struct.pack(">IIIIII", ssrc, 0x10000007, 0, 160, last, 0)
    host, port = pair.alice_sends_to
    pair.alice.rtcp.sendto(report, (host, port + 1))
    async with asyncio.timeout(45):
        while not (leg := (await media.engine.query("c")).legs["a"]).far_lost:
            pass
    assert leg.far_lost == 7
    assert leg.far_jitter_ms == 20
    assert 0 <= leg.round_trip_ms < 2000


async def test_quality_of_a_leg_is_measured_while_it_speaks(media: MediaProcess, phones: Phones):
    pair = await joined(media, phones)
    assert media.engine.quality("c", "a") is None
    for place in range(100):
        if place % 10:
            pair.alice.send(pair.alice_sends_to)
        else:
            pair.alice.sequence += 1
    await pair.alice.receive_rtcp()  # measured just before
    async with asyncio.timeout(45):
        while (quality := media.engine.quality("c", "a")) is None:
            await media.engine.query("c")
    assert quality.loss_percent == pytest.approx(10, abs=2)
    assert 1 < quality.mos < 4
    assert (await media.engine.query("c")).legs["a"].mos == quality.mos


async def test_leg_that_is_not_heard_while_the_other_is_is_told(media: MediaProcess, phones: Phones):
    pair = await joined(media, phones)

    async def talk() -> None:
        while True:
            pair.alice.send(pair.alice_sends_to)
            await media.engine.query("c")

    talking = asyncio.gather(talk())
    event = await media.until(lambda event: isinstance(event, OneWayAudio))
    talking.cancel()
    assert isinstance(event, OneWayAudio)
    assert (event.call, event.leg) == ("c", "b")
    assert event.seconds == pytest.approx(4.5, abs=1)


async def test_who_speaks_is_in_the_file_and_a_key_ends_it(
    media: MediaProcess, phones: Phones, tmp_path: Path
):
    alice = phones()
    to = target(await media.engine.publish("c", "a", alice.sdp("8 101")))
    path = tmp_path / "said.wav"
    await media.engine.record("c", "a", str(path), seconds=30, keys="#")
    await media.engine.query("c")
    await media.engine.play("c", "a", tones.DIAL, repeat=True)
    for packet in Speaker(PCMA).say(tone(700, 0.6)):
        await alice.hear(1)  # at the pace of what is played: the clock decides how long a recording is
        say(alice, to, [packet])
    for end in (0, 0x80, 0x80):
        alice.send(to, bytes([11, end | 10, 0, 160]), 101, marker=not end)
    event = await media.until(lambda event: isinstance(event, RecordFinished))
    assert isinstance(event, RecordFinished)
    assert event.why == "key"
    samples = np.array(wav.read_file(path), np.int16)
    assert len(samples) == round(event.seconds * 8000)
    assert heard(samples[2000:5000], 700, 8000)[0] > 3000


async def test_a_killed_media_process_leaves_what_was_recorded_and_it_is_told(
    media: MediaProcess, phones: Phones, tmp_path: Path
):
    alice = phones()
    await media.engine.publish("c", "a", alice.sdp("8"))
    path = tmp_path / "said.wav"
    await media.engine.record("c", "a", str(path), seconds=30)
    while not path.exists() or path.stat().st_size < wav.HEADER_BYTES:  # files have a thread of their own
        await media.engine.query("c")
    await another_process(media)
    event = await media.until(lambda event: isinstance(event, RecordFinished))
    assert isinstance(event, RecordFinished)
    assert event.why == "lost"
    wav.read_file(path)
