"""Legs at a daemon on the recorder's tape: copies of what they say, by Debian's rtpengine."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from media import sdes, tones
from media.codecs import Pcm
from media.engine import NO_TRACK, MediaRefused
from media.engines.daemon_recordings import Ear
from media.engines.daemon_tapes import Tapes
from media.engines.reel import Reel, Writer
from media.engines.rtpengine import RtpengineEngine
from media.engines.tape import Tape, Taped
from media.goertzel import share
from media.negotiation import Leg
from media.rtp import RTCP_PAYLOAD_TYPES, RtpError, build, parse
from media.srtp import Sender
from tests.media.listener import OPUS, PCMA, Speaker
from tests.media.listening import tone
from tests.media.phone import Phone, sound, target
from tests.media.rtpengine_daemon import RtpengineDaemon
from tests.media.test_native import a_datagram
from tests.media.test_secured_legs import security
from tests.media.test_tape import on_track

pytestmark = pytest.mark.peer
Phones = Callable[..., Phone]


class Recorded:
    """Two phones joined at a daemon, and the tape. engine: with a reel."""

    def __init__(self, engine: RtpengineEngine, tape: Tape) -> None:
        self.engine, self.tape = engine, tape
        self._read: list[Taped] = []

    async def call(self, alice: Phone, bob: Phone) -> None:
        self.alice, self.bob = alice, bob
        self.from_bob = target(await self.engine.offer("c", "a", "b", alice.sdp("8 101")))
        self.from_alice = target(await self.engine.answer("c", "b", "a", bob.sdp("8 101")))

    async def speak(self, packets: int = 20) -> None:
        """Let both say their tone."""
        for payloads in zip(self.alice.tone(packets), self.bob.tone(packets), strict=True):
            self.alice.send(self.from_alice, payloads[0])
            self.bob.send(self.from_bob, payloads[1])
            await asyncio.sleep(0.002)

    async def read(self, packets: int) -> list[Taped]:
        """Return what is on the tape once there are so many packets. Raises TimeoutError."""
        found: list[Taped] = []
        async with asyncio.timeout(45):
            while sum(taped.packets for taped in found) < packets:
                await asyncio.sleep(0.02)
                found += self.tape.read(0)
        return found


@pytest.fixture
async def recorded(rtpengine_daemon: RtpengineDaemon, tmp_path: Path) -> AsyncIterator[Recorded]:
    reel = Reel()
    tape = Tape(reel)
    async with rtpengine_daemon.engine(tmp_path, reel) as engine:
        yield Recorded(engine, tape)
    tape.close()
    reel.renounce()


def heard(taped: list[Taped], track: int) -> Pcm:
    return sound([packet for one in taped for packet in on_track(one, track)])


async def test_what_both_legs_say_is_on_the_tape_as_it_was_sent(recorded: Recorded, phones: Phones):
    await recorded.call(phones(697), phones(1477))
    await recorded.engine.tape("c", "a", 7, 0, NO_TRACK)
    await recorded.engine.tape("c", "b", 7, 1, NO_TRACK)
    await recorded.speak()
    taped = await recorded.read(40)
    assert {one.recording for one in taped} == {7}
    assert share(heard(taped, 0), 697) > 0.9
    assert share(heard(taped, 1), 1477) > 0.9
    said = [packet for one in taped for packet in on_track(one, 0)]
    assert [packet.sequence for packet in said] == list(range(100, 120))
    assert {packet.ssrc for packet in said} == {recorded.alice.ssrc}


async def test_opus_is_on_the_tape_as_it_was_sent_also_where_it_is_converted(
    recorded: Recorded, phones: Phones
):
    alice, bob = phones(), phones()
    maps = ("96 opus/48000/2", "101 telephone-event/8000", "8 PCMA/8000")
    await recorded.engine.offer("c", "a", "b", alice.sdp("96 101", rtpmaps=maps))
    to = target(await recorded.engine.answer("c", "b", "a", bob.sdp("8 101", rtpmaps=maps)))
    await recorded.engine.tape("c", "a", 7, 0, NO_TRACK)
    mouth = Speaker(OPUS)
    said = mouth.say(tone(697, 0.2, mouth.rate))
    for packet in said:
        alice.rtp.sendto(build(packet), to)
        await asyncio.sleep(0.002)
    taped = await recorded.read(len(said))
    assert [packet for one in taped for packet in on_track(one, 0)] == said


async def test_leg_stays_on_the_tape_when_it_is_left_alone_and_no_longer_than_asked(
    recorded: Recorded, phones: Phones
):
    await recorded.call(phones(697), phones(1477))
    await recorded.engine.tape("c", "a", 7, 0, NO_TRACK)
    alone = await recorded.engine.publish("c", "a", recorded.alice.sdp("8 101", version=2))
    recorded.from_alice = target(alone)
    await recorded.speak(5)
    await recorded.read(5)
    await recorded.engine.tape("c", "a", 7, NO_TRACK, NO_TRACK)
    await recorded.speak(5)
    await recorded.engine.query("c")
    await asyncio.sleep(0.1)
    assert recorded.tape.read(0) == []


async def test_what_a_leg_is_played_is_on_a_track_of_its_own(recorded: Recorded, phones: Phones):
    await recorded.call(phones(697), phones(1477))
    await recorded.engine.tape("c", "a", 7, 0, 1)
    assert recorded.engine.leg_codecs("c", "a")["8"] == "PCMA/8000/1"
    await recorded.engine.play("c", "a", tones.key_presses("5"))  # 770 and 1336 Hz
    taped = await recorded.read(8)
    assert {one.tracks for one in taped} == {1 << 1}
    assert min(share(heard(taped, 1)[:640], hertz) for hertz in (770, 1336)) > 0.3


async def test_what_is_played_for_ever_is_on_the_tape_until_it_stops(recorded: Recorded, phones: Phones):
    await recorded.call(phones(697), phones(1477))
    await recorded.engine.play("c", "a", tones.key_presses("5"), repeat=True)
    await recorded.alice.hear(5)  # it is on already when the leg comes to the tape
    await recorded.engine.tape("c", "a", 7, NO_TRACK, 1)
    first = await recorded.read(20)
    await recorded.engine.stop("c", "a")
    await asyncio.sleep(0.2)
    recorded.tape.read(0)
    await asyncio.sleep(0.2)
    assert recorded.tape.read(0) == []
    stamps = [packet.timestamp for one in first for packet in on_track(one, 1)]
    assert stamps == list(range(stamps[0], stamps[0] + 160 * len(stamps), 160))


async def test_leg_with_keys_is_on_the_tape_in_clear(recorded: Recorded, phones: Phones):
    # RFC 4568: what the daemon copies to us was decrypted with the leg's key
    alice, bob, key = phones(697), phones(1477), security().theirs
    engine = recorded.engine
    engine.secure("c", "a", "required")
    line = sdes.build(sdes.Crypto(1, key.suite, key.key)).removeprefix("a=")
    body = alice.sdp("8 101", extra=(line,)).replace(b"RTP/AVP", b"RTP/SAVP")
    await engine.offer("c", "a", "b", body)
    to = target(await engine.answer("c", "b", "a", bob.sdp("8 101")))
    await engine.tape("c", "a", 7, 0, NO_TRACK)
    said, sender = Speaker(PCMA).say(tone(697, 0.4)), Sender(key)
    for packet in said:
        alice.rtp.sendto(sender.protect(build(packet)), to)
        await asyncio.sleep(0.002)
    taped = await recorded.read(len(said))
    assert [packet for one in taped for packet in on_track(one, 0)] == said


async def test_next_signalling_process_puts_its_legs_on_the_tape_again(
    rtpengine_daemon: RtpengineDaemon, phones: Phones, tmp_path: Path
):
    reel = Reel()
    tape = Tape(reel)
    before = Recorded(
        RtpengineEngine([rtpengine_daemon.address], tmp_path, digits=rtpengine_daemon.digits, reel=reel), tape
    )
    await before.engine.start()
    await before.call(phones(697), phones(1477))
    await before.engine.tape("c", "a", 7, 0, NO_TRACK)
    kept = before.engine.snapshot("c")
    before.engine.close()
    async with rtpengine_daemon.engine(tmp_path, reel) as before.engine:
        before.engine.restore(kept)
        async with asyncio.timeout(45):
            while not (taped := tape.read(0)):
                await before.speak(1)
        assert {one.recording for one in taped} == {7}
    tape.close()
    reel.renounce()


async def test_of_1000_strange_copies_only_whole_packets_are_on_the_tape():
    # RFC 5761 section 4: reports come to the same port
    reel, ear, chance = Reel(), Ear("127.0.0.1"), random.Random(20261122)
    tape, tapes = Tape(reel), Tapes(Writer(reel))
    leg = Leg("a", "127.0.0.1", 0, 1)
    leg.tape(7, 3, NO_TRACK)
    whole = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        for number in range(1000):
            daemon.sendto(datagram := a_datagram(chance, number), ear.place)
            whole += is_whole(datagram)
            if number % 50 == 49:
                tapes.take(ear, leg)
    tapes.hear(ear, leg)
    tapes.forget(ear, leg)
    tapes.close()
    assert sum(taped.packets for taped in tape.read(0)) == whole > 300
    tape.close()
    reel.renounce()


def is_whole(datagram: bytes) -> bool:
    try:
        return parse(datagram).payload_type not in RTCP_PAYLOAD_TYPES
    except RtpError:
        return False


async def test_without_a_reel_a_leg_can_not_be_put_on_the_tape(
    rtpengine_daemon: RtpengineDaemon, tmp_path: Path
):
    async with rtpengine_daemon.engine(tmp_path) as engine:
        assert not engine.tapes
        with pytest.raises(MediaRefused):
            await engine.tape("c", "a", 7, 0, NO_TRACK)
