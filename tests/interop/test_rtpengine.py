"""Sound through Debian's rtpengine: who hears what, how loud, and what is left when a daemon is killed.

The SDP of these calls is the contract suite's matter (tests/media/test_engine_contract.py runs over the same
daemon). Needs Debian's rtpengine-daemon, which `scripts/setup test` installs.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from media import codecs, dtmf, rtp, sdes, sdp, tones, wav
from media.engine import (
    DigitReceived,
    MediaEvent,
    MediaRefused,
    MediaSilent,
    PlayFinished,
    RecordFinished,
    StreamLost,
    Wav,
)
from media.engines.rtpengine import RtpengineEngine
from media.inband import InbandDetector
from media.sdp import Codec
from media.srtp import Receiver, Sender
from media.voice import decoder_of, encoder_of
from tests.media.listening import heard
from tests.media.phone import Phone, sound, target
from tests.media.rtpengine_daemon import RtpengineDaemon, free_port, rtpengine

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("rtpengine")]

FRAME_SECONDS = 0.02


@dataclass
class Wire:
    """An engine over real daemons, and what it has told."""

    engine: RtpengineEngine
    told: list[MediaEvent] = field(default_factory=list)

    async def until(self, wanted: Callable[[MediaEvent], bool]) -> MediaEvent:
        """Return the first event that is wanted. Raises TimeoutError after 20 s."""
        async with asyncio.timeout(45):
            while True:
                for event in self.told:
                    if wanted(event):
                        return event
                await asyncio.sleep(0.05)


@asynccontextmanager
async def wire_to(
    *daemons: RtpengineDaemon, prompts: Path, silence_seconds: float = 10.0
) -> AsyncIterator[Wire]:
    engine = RtpengineEngine(
        [daemon.address for daemon in daemons],
        prompts,
        digits=daemons[0].digits,
        silence_seconds=silence_seconds,
    )
    wire = Wire(engine)
    engine.events = wire.told.append
    await engine.start()
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(engine.serve())
        yield wire
        serving.cancel()
    engine.close()


@pytest.fixture(scope="module")
def rtpengine_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtpengineDaemon]:
    with rtpengine(tmp_path_factory.mktemp("rtpengine") / "log", place=3) as running:
        yield running


@pytest.fixture
async def wire(rtpengine_daemon: RtpengineDaemon, tmp_path: Path) -> AsyncIterator[Wire]:
    async with wire_to(rtpengine_daemon, prompts=tmp_path) as made:
        yield made
        for call in ("c", "d"):
            await made.engine.delete(call)


@pytest.fixture
def phones() -> Iterator[Callable[..., Phone]]:
    with ExitStack() as hanging_up:

        def make(frequency_hz: int = 1000) -> Phone:
            phone = Phone(frequency_hz)
            hanging_up.callback(phone.close)
            return phone

        yield make


async def joined(
    engine: RtpengineEngine, alice: Phone, bob: Phone
) -> tuple[tuple[str, int], tuple[str, int]]:
    """Join two phones; return where alice and bob send their sound to."""
    offered = await engine.offer("c", "a", "b", alice.sdp())
    answered = await engine.answer("c", "b", "a", bob.sdp("8 101"))
    return target(answered), target(offered)


async def speak(phone: Phone, to: tuple[str, int], frames: int = 20) -> None:
    """Speak a phone's tone in real time."""
    for payload in phone.tone(frames):
        phone.send(to, payload)
        await asyncio.sleep(FRAME_SECONDS)


def drained(phone: Phone) -> list[rtp.Packet]:
    """Return the packets that are waiting."""
    packets = []
    while True:
        try:
            packets.append(rtp.parse(phone.rtp.recv(4096)))
        except BlockingIOError:
            return packets


def press(phone: Phone, to: tuple[str, int], digit: str) -> None:
    """Press a key of a phone."""
    for frame in dtmf.packets(digit):
        if frame.payload:
            packet = rtp.Packet(101, phone.sequence, phone.timestamp, phone.ssrc, frame.payload, frame.marker)
            phone.rtp.sendto(rtp.build(packet), to)
            phone.sequence += 1


def is_tone(packets: list[rtp.Packet], frequency_hz: float) -> bool:
    """Whether this is what is heard, and little else."""
    samples = np.array(sound([one for one in packets if one.payload_type == 8]), np.int16)
    amplitude, clean_db = heard(samples, frequency_hz)
    return amplitude > 3000 and clean_db > 20


async def test_two_phones_hear_each_other(wire: Wire, phones: Callable[..., Phone]):
    alice, bob = phones(1000), phones(600)
    from_alice, from_bob = await joined(wire.engine, alice, bob)
    await asyncio.gather(speak(alice, from_alice), speak(bob, from_bob))
    assert is_tone(await bob.hear(20), 1000)
    assert is_tone(await alice.hear(20), 600)
    legs = (await wire.engine.query("c")).legs
    assert (legs["a"].packets, legs["a"].packets_sent, legs["b"].packets) == (20, 20, 20)
    assert legs["a"].bytes_received == 20 * 160


async def test_stranger_is_heard_by_nobody_and_counted(wire: Wire, phones: Callable[..., Phone]):
    alice, bob, stranger = phones(), phones(), phones()
    from_alice, from_bob = await joined(wire.engine, alice, bob)
    for to in (from_alice, from_bob):
        stranger.send(to)
    alice.send(from_alice)
    (packet,) = await bob.hear(1)
    assert packet.ssrc == alice.ssrc
    assert alice.heard_nothing() and bob.heard_nothing()
    assert (await wire.engine.query("c")).legs["a"].third_party_packets == 1


async def test_leg_behind_nat_is_where_its_first_packet_comes_from(wire: Wire, phones: Callable[..., Phone]):
    alice, bob, stranger = phones(), phones(), phones()
    body = alice.sdp(host="192.0.2.77")
    offered = await wire.engine.offer("c", "a", "b", body, nat=True)
    answered = await wire.engine.answer("c", "b", "a", bob.sdp("8 101"))
    alice.send(target(answered))
    await bob.hear(1)
    stranger.send(target(answered))
    bob.send(target(offered))
    await alice.hear(1)
    assert bob.heard_nothing() and stranger.heard_nothing()


async def test_leg_on_hold_hears_nothing_and_is_heard(wire: Wire, phones: Callable[..., Phone]):
    # RFC 3264 section 8.4
    alice, bob = phones(1000), phones(600)
    from_alice, from_bob = await joined(wire.engine, alice, bob)
    await wire.engine.offer("c", "a", "b", alice.sdp(direction="sendonly", version=2))
    await wire.engine.answer("c", "b", "a", bob.sdp("8 101"))
    await asyncio.gather(speak(alice, from_alice), speak(bob, from_bob))
    assert is_tone(await bob.hear(20), 1000)
    assert alice.heard_nothing()
    await wire.engine.offer("c", "a", "b", alice.sdp(version=3))
    await wire.engine.answer("c", "b", "a", bob.sdp("8 101"))
    bob.send(from_bob)
    await alice.hear(1)


async def test_key_is_told_and_reaches_the_other_party(wire: Wire, phones: Callable[..., Phone]):
    # RFC 4733 section 2.5
    alice, bob = phones(), phones()
    from_alice, _ = await joined(wire.engine, alice, bob)
    press(alice, from_alice, "5")
    assert await wire.until(lambda event: isinstance(event, DigitReceived)) == DigitReceived("c", "a", "5")
    assert {packet.payload_type for packet in await bob.hear(3)} == {101}


async def test_key_of_a_leg_that_is_alone_is_told(wire: Wire, phones: Callable[..., Phone]):
    alice = phones()
    press(alice, target(await wire.engine.publish("c", "a", alice.sdp())), "8")
    assert await wire.until(lambda event: isinstance(event, DigitReceived)) == DigitReceived("c", "a", "8")


async def test_key_of_a_phone_without_events_is_found_in_its_sound(wire: Wire, phones: Callable[..., Phone]):
    alice = phones()
    answered = await wire.engine.publish("c", "a", alice.sdp("8"))
    pressed = tones.samples(
        tones.Tone((tones.Segment(200), *tones.key_presses("9").segments, tones.Segment(300)))
    )
    encoded = codecs.encode("PCMA", pressed)
    for start in range(0, len(encoded) - 159, 160):
        alice.send(target(answered), encoded[start : start + 160])
        await asyncio.sleep(FRAME_SECONDS)
    assert await wire.until(lambda event: isinstance(event, DigitReceived)) == DigitReceived("c", "a", "9")


async def test_what_is_played_is_heard_instead_of_the_peer_and_ends(wire: Wire, phones: Callable[..., Phone]):
    alice, bob = phones(1000), phones(600)
    from_alice, _ = await joined(wire.engine, alice, bob)
    await speak(alice, from_alice, 5)
    await bob.hear(5)
    await wire.engine.play("c", "b", tones.sine(440, 1000))
    await speak(alice, from_alice, 30)
    assert is_tone(drained(bob), 440)
    assert await wire.until(lambda event: True) == PlayFinished("c", "b")
    await asyncio.sleep(0.1)
    drained(bob)
    await speak(alice, from_alice)
    assert is_tone(await bob.hear(20), 1000)


async def test_file_longer_than_a_datagram_is_heard_to_its_end(
    wire: Wire, phones: Callable[..., Phone], tmp_path: Path
):
    file = tmp_path / "long.wav"
    file.write_bytes(
        wav.build(tones.samples(tones.Tone((tones.Segment(7500, (440,)), tones.Segment(500, (900,))))))
    )
    alice = phones()
    await wire.engine.publish("c", "a", alice.sdp())
    await wire.engine.play("c", "a", Wav(str(file)))
    packets = []
    while PlayFinished("c", "a") not in wire.told:
        await asyncio.sleep(0.1)  # its socket holds some seconds alone
        packets += drained(alice)
    assert is_tone(packets[20:60], 440)
    assert is_tone(packets[-20:-2], 900)
    assert 390 <= len(packets) <= 405


async def test_cadence_goes_on_until_it_is_stopped(wire: Wire, phones: Callable[..., Phone]):
    alice = phones()
    await wire.engine.publish("c", "a", alice.sdp())
    await wire.engine.play("c", "a", tones.sine(440, 200), repeat=True)
    assert is_tone((await alice.hear(60))[5:], 440)
    await wire.engine.stop("c", "a")
    await asyncio.sleep(0.2)
    drained(alice)
    await asyncio.sleep(0.2)
    assert alice.heard_nothing()


async def test_echo_comes_back_and_ends(wire: Wire, phones: Callable[..., Phone]):
    alice = phones(1000)
    answered = await wire.engine.publish("c", "a", alice.sdp())
    await wire.engine.echo("c", "a")
    await speak(alice, target(answered))
    assert is_tone(await alice.hear(20), 1000)
    await wire.engine.stop("c", "a")
    alice.send(target(answered))
    await asyncio.sleep(0.2)
    assert alice.heard_nothing()


async def test_leg_that_heard_a_prompt_is_joined_on_the_same_port(wire: Wire, phones: Callable[..., Phone]):
    alice, bob = phones(1000), phones(600)
    published = await wire.engine.publish("c", "a", alice.sdp("8"))
    await wire.engine.play("c", "a", tones.RINGBACK, repeat=True)
    await alice.hear(5)
    offered = await wire.engine.offer("c", "a", "b", alice.sdp("8"))
    answered = await wire.engine.answer("c", "b", "a", bob.sdp("8"))
    assert target(answered) == target(published)
    drained(alice)
    await asyncio.gather(speak(alice, target(answered)), speak(bob, target(offered)))
    assert is_tone((await alice.hear(20))[2:], 600)
    assert is_tone(await bob.hear(20), 1000)


async def test_party_that_was_left_hears_nothing_more(wire: Wire, phones: Callable[..., Phone]):
    alice, bob, carol = phones(1000), phones(600), phones(800)
    from_alice, from_bob = await joined(wire.engine, alice, bob)
    offered = await wire.engine.offer("c", "a", "d", alice.sdp())
    answered = await wire.engine.answer("c", "d", "a", carol.sdp("8 101"))
    assert target(answered) == from_alice
    bob.send(from_bob)
    await asyncio.gather(speak(alice, from_alice), speak(carol, target(offered)))
    assert is_tone(await carol.hear(20), 1000)
    assert is_tone(await alice.hear(20), 800)
    assert bob.heard_nothing()


async def test_digits_of_ours_are_events_while_the_peer_speaks(wire: Wire, phones: Callable[..., Phone]):
    # RFC 4733 section 2.5
    alice, bob = phones(), phones()
    from_alice, _ = await joined(wire.engine, alice, bob)
    await speak(alice, from_alice, 5)
    await wire.engine.dtmf("c", "b", "7")
    await speak(alice, from_alice, 30)
    events = [packet.payload for packet in drained(bob) if packet.payload_type == 101]
    assert events and {payload[0] for payload in events} == {7}


async def test_digits_of_ours_are_tones_to_a_leg_that_is_alone(wire: Wire, phones: Callable[..., Phone]):
    alice = phones()
    await wire.engine.publish("c", "a", alice.sdp())
    await wire.engine.dtmf("c", "a", "42")
    await wire.until(lambda event: event == PlayFinished("c", "a"))
    samples = np.array(sound(drained(alice)), np.int16)
    assert InbandDetector().receive(samples) == "42"


async def test_phones_without_a_codec_in_common_hear_each_other(wire: Wire, phones: Callable[..., Phone]):
    alice, bob = phones(1000), phones(600)
    wide = ("9 G722/8000",)
    offered = await wire.engine.offer("c", "a", "b", alice.sdp("9", rtpmaps=wide))
    answered = await wire.engine.answer("c", "b", "a", bob.sdp("8"))
    assert (wire.engine.codec("c", "a"), wire.engine.codec("c", "b")) == ("G722", "PCMA")
    codec = Codec(9, "G722", 8000, 1, "g722/8000/1")
    encoder, decoder = encoder_of(codec, 16000), decoder_of(codec, 16000)
    said = np.rint(8000 * np.sin(2 * np.pi * 1000 / 16000 * np.arange(16000))).astype(np.int16)
    for start, payload in zip(range(0, len(said), 320), bob.tone(50), strict=True):
        alice.send(target(answered), encoder.encode(said[start : start + 320]), 9)
        bob.send(target(offered), payload)
        await asyncio.sleep(FRAME_SECONDS)
    assert is_tone((await bob.hear(40))[10:], 1000)
    packets = await alice.hear(40)
    assert {packet.payload_type for packet in packets} == {9}
    samples = np.concatenate([decoder.decode(one.payload) for one in packets])[10 * 320 :]
    amplitude, clean_db = heard(samples, 600, 16000)
    assert amplitude > 3000 and clean_db > 20


class Keys:
    """What a phone encrypts with, and decrypts what it hears with."""

    def __init__(self, body: bytes, said: bytes) -> None:
        """Body: what the phone was told; said: what it said, both with one key."""
        (self.told,), (mine,) = (sdes.lines_of(sdp.parse(text).media[0]) for text in (body, said))
        self._sender, self._receiver = Sender(mine), Receiver(self.told)

    def send(self, phone: Phone, to: tuple[str, int], payload: bytes, payload_type: int = 8) -> None:
        """Send the next packet of a phone, encrypted."""
        packet = rtp.Packet(payload_type, phone.sequence, phone.timestamp, phone.ssrc, payload, False)
        phone.rtp.sendto(self._sender.protect(rtp.build(packet)), to)
        phone.sequence = (phone.sequence + 1) & 0xFFFF
        phone.timestamp = (phone.timestamp + 160) & 0xFFFFFFFF

    async def speak(self, phone: Phone, to: tuple[str, int], frames: int = 20) -> None:
        """Speak a phone's tone in real time, encrypted."""
        for payload in phone.tone(frames):
            self.send(phone, to, payload)
            await asyncio.sleep(FRAME_SECONDS)

    async def hear(self, phone: Phone, count: int) -> list[rtp.Packet]:
        """Return the next packets, decrypted. Raises where one is for somebody else."""
        heard = await phone.receive(count)
        return [rtp.parse(self._receiver.unprotect(data)) for data, _ in heard]


def secured(body: bytes, suite: sdes.Suite = "AES_CM_128_HMAC_SHA1_80", *, offered: bytes = b"") -> bytes:
    """A phone's own words with a new key, which takes the suite of the offer that it answers, if any."""
    tag = 1
    profile = b"RTP/SAVP"
    if offered:
        audio = sdp.parse(offered).media[0]
        tag = next(line.tag for line in sdes.lines_of(audio) if line.suite == suite)
        profile = audio.protocol.encode()
    key = sdes.build(sdes.new_key(tag, suite, os.urandom)).encode()
    return body.replace(b"RTP/AVP", profile) + key + b"\r\n"


def taken(offered: bytes, said: bytes) -> bytes:
    """What a phone was offered, with the one key that it took."""
    (mine,) = sdes.lines_of(sdp.parse(said).media[0])
    keys = sdes.lines_of(sdp.parse(offered).media[0])
    body = b"".join(line for line in offered.splitlines(keepends=True) if not line.startswith(b"a=crypto"))
    return body + sdes.build(next(key for key in keys if key.tag == mine.tag)).encode() + b"\r\n"


async def test_phone_with_keys_and_phone_without_hear_each_other(wire: Wire, phones: Callable[..., Phone]):
    # RFC 4568 section 6.1, RFC 3711
    alice, bob = phones(1000), phones(600)
    wire.engine.secure("c", "a", "required")
    said = secured(alice.sdp("8 101"))
    offered = await wire.engine.offer("c", "a", "b", said)
    answered = await wire.engine.answer("c", "b", "a", bob.sdp("8 101"))
    keys = Keys(answered, said)
    await asyncio.gather(keys.speak(alice, target(answered)), speak(bob, target(offered)))
    assert is_tone(await bob.hear(20), 1000)
    assert is_tone(await keys.hear(alice, 20), 600)
    alice.send(target(answered))  # in clear
    await asyncio.sleep(0.2)
    assert bob.heard_nothing()


async def test_phone_without_keys_calls_one_with_keys(wire: Wire, phones: Callable[..., Phone]):
    # RFC 8643 section 3.1: keys in the plain profile
    alice, bob = phones(1000), phones(600)
    wire.engine.secure("c", "b", "preferred")
    offered = await wire.engine.offer("c", "a", "b", alice.sdp("8 101"))
    said = secured(bob.sdp("8 101"), "AEAD_AES_256_GCM", offered=offered)
    answered = await wire.engine.answer("c", "b", "a", said)
    keys = Keys(taken(offered, said), said)
    await asyncio.gather(speak(alice, target(answered)), keys.speak(bob, target(offered)))
    assert is_tone(await keys.hear(bob, 20), 1000)
    assert is_tone(await alice.hear(20), 600)


@pytest.mark.parametrize("hers", ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"])
async def test_two_phones_with_keys_hear_each_other_and_each_has_its_own(
    wire: Wire, phones: Callable[..., Phone], hers: sdes.Suite
):
    # RFC 4568 section 6.1
    alice, bob = phones(1000), phones(600)
    for leg in ("a", "b"):
        wire.engine.secure("c", leg, "required")
    said = secured(alice.sdp("8"), hers)
    offered = await wire.engine.offer("c", "a", "b", said)
    his = secured(bob.sdp("8"), offered=offered)
    answered = await wire.engine.answer("c", "b", "a", his)
    alices, bobs = Keys(answered, said), Keys(taken(offered, his), his)
    assert alices.told.key != bobs.told.key
    for _ in range(2):
        await asyncio.gather(alices.speak(alice, target(answered)), bobs.speak(bob, target(offered)))
        assert is_tone(await bobs.hear(bob, 20), 1000)
        assert is_tone(await alices.hear(alice, 20), 600)
        # On hold and back from the other side: the keys stay, and go on with their numbers.
        for direction in ("sendonly", "sendrecv"):
            again = said.replace(b"sendrecv", direction.encode())
            assert await wire.engine.offer("c", "a", "b", again)
            await wire.engine.answer("c", "b", "a", his)


async def test_phone_that_changes_its_suite_is_heard_by_the_next_one_too(
    wire: Wire, phones: Callable[..., Phone]
):
    # RFC 4568 section 7.1.4
    alice, bob, carol = phones(1000), phones(600), phones(800)
    for leg in ("a", "b", "d"):
        wire.engine.secure("c", leg, "required")
    said = secured(alice.sdp("8"))
    offered = await wire.engine.offer("c", "a", "b", said)
    await wire.engine.answer("c", "b", "a", secured(bob.sdp("8"), offered=offered))
    said = secured(alice.sdp("8", version=2), "AEAD_AES_256_GCM")
    offered = await wire.engine.offer("c", "a", "d", said)
    hers = secured(carol.sdp("8"), offered=offered)
    answered = await wire.engine.answer("c", "d", "a", hers)
    keys, carols = Keys(answered, said), Keys(taken(offered, hers), hers)
    assert keys.told.suite == "AEAD_AES_256_GCM"
    await asyncio.gather(keys.speak(alice, target(answered)), carols.speak(carol, target(offered)))
    assert is_tone(await carols.hear(carol, 20), 1000)
    assert is_tone(await keys.hear(alice, 20), 800)
    assert bob.heard_nothing()


async def test_phone_with_keys_hears_what_is_played_itself_and_then_another(
    wire: Wire, phones: Callable[..., Phone]
):
    # RFC 4568 section 6.1
    alice, bob = phones(1000), phones(600)
    wire.engine.secure("c", "a", "required")
    wire.engine.secure("c", "b", "required")
    said = secured(alice.sdp("8 101"))
    published = await wire.engine.publish("c", "a", said)
    keys = Keys(published, said)
    await wire.engine.play("c", "a", tones.sine(440, 1000))
    assert is_tone((await keys.hear(alice, 50))[5:], 440)
    await wire.until(lambda event: isinstance(event, PlayFinished))
    await wire.engine.echo("c", "a")
    await keys.speak(alice, target(published))
    assert is_tone(await keys.hear(alice, 20), 1000)
    await wire.engine.stop("c", "a")
    offered = await wire.engine.offer("c", "a", "b", said)
    his = secured(bob.sdp("8 101"), offered=offered)
    answered = await wire.engine.answer("c", "b", "a", his)
    bobs = Keys(taken(offered, his), his)
    await asyncio.gather(keys.speak(alice, target(answered)), bobs.speak(bob, target(offered)))
    assert is_tone(await bobs.hear(bob, 20), 1000)
    assert is_tone(await keys.hear(alice, 20), 600)


def with_line(phone: Phone, section: str, *crypto: bytes) -> bytes:
    """What a phone says of its sound, and of another m= line."""
    return phone.sdp("8") + section.encode() + b"".join(key + b"\r\n" for key in crypto)


def place(body: bytes, kind: str) -> tuple[str, int]:
    """Where a body says to send this kind of media to."""
    media = next(media for media in sdp.parse(body).media if media.kind == kind)
    return media.host, media.port


def video(phone: Phone, profile: str = "RTP/AVPF", direction: str = "sendrecv") -> str:
    """The m= line of a phone's video."""
    return f"m=video {phone.port} {profile} 97\r\na=rtpmap:97 H264/90000\r\na={direction}\r\n"


# A report of one block, and the wish for a whole picture behind it.
WHOLE_PICTURE = bytes.fromhex("81ce0002") + bytes(8)
PLI = bytes.fromhex("81c90007") + bytes(28) + WHOLE_PICTURE


async def test_video_passes_beside_the_sound_with_its_feedback(wire: Wire, phones: Callable[..., Phone]):
    # RFC 3264 section 5, RFC 4585 section 6.3.1
    alice, bob, camera, screen = (phones() for _ in range(4))
    offered = await wire.engine.offer("c", "a", "b", with_line(alice, video(camera)))
    answered = await wire.engine.answer("c", "b", "a", with_line(bob, video(screen)))
    camera.send(place(answered, "video"), b"\x67 a picture", 97)
    (seen,) = await screen.hear()
    assert (seen.payload_type, seen.payload) == (97, b"\x67 a picture")
    host, port = place(offered, "video")
    screen.rtcp.sendto(PLI, (host, port + 1))
    assert WHOLE_PICTURE in await camera.receive_rtcp()
    alice.send(target(answered))
    (heard,) = await bob.hear()
    assert heard.payload_type == 8
    assert wire.engine.inventory()["media_ports"] == 4


async def test_video_that_a_phone_gives_up_is_sent_nowhere_and_comes_back(
    wire: Wire, phones: Callable[..., Phone]
):
    # RFC 3264 section 8.2
    alice, bob, camera, screen = (phones() for _ in range(4))
    await wire.engine.offer("c", "a", "b", with_line(alice, video(camera)))
    first = await wire.engine.answer("c", "b", "a", with_line(bob, video(screen)))
    none = "m=video 0 RTP/AVPF 97\r\n"
    await wire.engine.offer("c", "a", "b", with_line(alice, none))
    await wire.engine.answer("c", "b", "a", with_line(bob, none))
    camera.send(place(first, "video"), b"a picture", 97)
    await asyncio.sleep(0.2)
    assert screen.heard_nothing()
    await wire.engine.offer("c", "a", "b", with_line(alice, video(camera)))
    again = await wire.engine.answer("c", "b", "a", with_line(bob, video(screen)))
    assert place(again, "video") == place(first, "video")
    camera.send(place(again, "video"), b"another", 97)
    (seen,) = await screen.hear()
    assert seen.payload == b"another"


async def test_door_station_shows_its_picture_and_is_shown_none(wire: Wire, phones: Callable[..., Phone]):
    # RFC 3264 section 5.1
    alice, bob, camera, screen = (phones() for _ in range(4))
    body = with_line(alice, video(camera, direction="sendonly"))
    offered = await wire.engine.offer("c", "a", "b", body)
    answered = await wire.engine.answer("c", "b", "a", with_line(bob, video(screen)))
    camera.send(place(answered, "video"), b"the door", 97)
    screen.send(place(offered, "video"), b"the kitchen", 97)
    (seen,) = await screen.hear()
    assert seen.payload == b"the door"
    await asyncio.sleep(0.2)
    assert camera.heard_nothing()


async def test_video_of_a_phone_with_keys_has_keys_of_its_own(wire: Wire, phones: Callable[..., Phone]):
    # RFC 4568 section 5.1.2
    alice, bob, camera, screen = (phones() for _ in range(4))
    wire.engine.secure("c", "a", "required")
    mine = sdes.new_key(1, "AES_CM_128_HMAC_SHA1_80", os.urandom)
    key = sdes.build(mine).encode()
    body = secured(alice.sdp("8")) + video(camera, "RTP/SAVPF").encode() + key + b"\r\n"
    offered = await wire.engine.offer("c", "a", "b", body)
    answered = await wire.engine.answer("c", "b", "a", with_line(bob, video(screen)))
    sound, picture = (sdes.lines_of(media)[0] for media in sdp.parse(answered).media)
    assert sound.key != picture.key
    packet = rtp.build(rtp.Packet(97, 1, 1, 77, b"a picture", True))
    camera.rtp.sendto(Sender(mine).protect(packet), place(answered, "video"))
    (seen,) = await screen.hear()
    assert seen.payload == b"a picture"
    screen.send(place(offered, "video"), b"mine", 97)
    ((data, _),) = await camera.receive()
    assert rtp.parse(Receiver(picture).unprotect(data)).payload == b"mine"


async def test_text_and_what_has_no_name_pass_as_they_are(wire: Wire, phones: Callable[..., Phone]):
    # RFC 4103 section 5, RFC 3264 section 5.1
    alice, bob, writer, reader = (phones() for _ in range(4))

    def text(phone: Phone) -> str:
        return (
            f"m=text {phone.port} RTP/AVP 98 99 96\r\na=rtpmap:98 red/1000\r\na=fmtp:98 99/99/99\r\n"
            "a=rtpmap:99 t140/1000\r\n"
        )

    await wire.engine.offer("c", "a", "b", with_line(alice, text(writer)))
    answered = await wire.engine.answer("c", "b", "a", with_line(bob, text(reader)))
    for number in (98, 99, 96):
        writer.send(place(answered, "text"), b"h\xc3\xa9", number)
    seen = await reader.hear(3)
    assert [(packet.payload_type, packet.payload) for packet in seen] == [
        (number, b"h\xc3\xa9") for number in (98, 99, 96)
    ]


async def test_sound_becomes_a_fax_and_sound_again(wire: Wire, phones: Callable[..., Phone]):
    # ITU-T T.38 annex D, RFC 3264 section 8.3.3
    alice, bob = phones(), phones()
    _, from_bob = await joined(wire.engine, alice, bob)

    def fax(phone: Phone) -> bytes:
        head, _, _ = phone.sdp("8", version=2).partition(b"m=")
        return head + f"m=image {phone.port} udptl t38\r\na=T38FaxVersion:0\r\n".encode()

    offered = await wire.engine.offer("c", "b", "a", fax(bob))
    answered = await wire.engine.answer("c", "a", "b", fax(alice))
    assert wire.engine.codec("c", "a") == "T38"
    bob.rtp.sendto(b"\x00\x01 a page", place(answered, "image"))
    ((data, _),) = await alice.receive()
    assert data == b"\x00\x01 a page"
    alice.rtp.sendto(b"\x00\x01 got it", place(offered, "image"))
    ((data, _),) = await bob.receive()
    assert data == b"\x00\x01 got it"
    await wire.engine.offer("c", "b", "a", bob.sdp("8 101", version=3))
    await wire.engine.answer("c", "a", "b", alice.sdp("8 101", version=3))
    bob.send(from_bob)
    (heard,) = await alice.hear()
    assert heard.payload_type == 8


async def test_leg_that_requires_srtp_is_refused_without_keys(wire: Wire, phones: Callable[..., Phone]):
    # RFC 4568 section 5.1.2
    wire.engine.secure("c", "a", "required")
    with pytest.raises(MediaRefused) as refusal:
        await wire.engine.publish("c", "a", phones().sdp())
    assert refusal.value.status == 488


async def test_message_of_a_phone_with_keys_is_recorded_until_it_presses_one(
    wire: Wire, phones: Callable[..., Phone], tmp_path: Path
):
    # RFC 4568, RFC 4733
    alice = phones(1000)
    wire.engine.secure("c", "a", "required")
    said = secured(alice.sdp("8 101"))
    published = await wire.engine.publish("c", "a", said)
    keys, path = Keys(published, said), tmp_path / "message.wav"
    await wire.engine.record("c", "a", str(path), seconds=60, keys="#")
    await keys.speak(alice, target(published), 60)
    for frame in dtmf.packets("#"):
        if frame.payload:
            keys.send(alice, target(published), frame.payload, 101)
    end = await wire.until(lambda event: isinstance(event, RecordFinished))
    assert isinstance(end, RecordFinished)
    assert (end.call, end.leg, end.why) == ("c", "a", "key")
    recording = np.array(wav.read(path.read_bytes()), np.int16)
    amplitude, clean_db = heard(recording, 1000)
    # On a busy machine packets come late, and their place is filled; wrong keys would leave noise or nothing.
    assert amplitude > 3000 and clean_db > 0
    assert end.seconds == pytest.approx(len(recording) / 8000)


async def test_leg_is_recorded_while_it_is_alone(wire: Wire, phones: Callable[..., Phone], tmp_path: Path):
    alice, bob = phones(1000), phones(600)
    published = await wire.engine.publish("c", "a", alice.sdp("8"))
    await wire.engine.record("c", "a", str(tmp_path / "one.wav"), seconds=0.5)
    await speak(alice, target(published), 30)
    end = await wire.until(lambda event: isinstance(event, RecordFinished))
    assert end == RecordFinished("c", "a", "length", 0.5)
    wire.told.clear()
    await wire.engine.record("c", "a", str(tmp_path / "two.wav"), seconds=60)
    offered = await wire.engine.offer("c", "a", "b", alice.sdp("8"))
    await wire.engine.answer("c", "b", "a", bob.sdp("8"))
    end = await wire.until(lambda event: isinstance(event, RecordFinished))
    assert isinstance(end, RecordFinished) and end.why == "stopped"
    with pytest.raises(MediaRefused):
        await wire.engine.record("c", "a", str(tmp_path / "three.wav"), seconds=60)
    await asyncio.gather(speak(alice, target(published)), speak(bob, target(offered)))
    assert is_tone(await bob.hear(20), 1000)
    assert is_tone(await alice.hear(20), 600)


async def test_silence_is_told(
    rtpengine_daemon: RtpengineDaemon, tmp_path: Path, phones: Callable[..., Phone]
):
    async with wire_to(rtpengine_daemon, prompts=tmp_path, silence_seconds=1.0) as wire:
        alice, bob = phones(), phones()
        from_alice, _ = await joined(wire.engine, alice, bob)
        speaking = asyncio.gather(speak(alice, from_alice, 500))
        event = await wire.until(lambda event: isinstance(event, MediaSilent))
        assert (event.call, event.leg) == ("c", "b")
        speaking.cancel()
        await wire.engine.delete("c")


async def test_daemon_that_is_killed_takes_its_own_calls_only(tmp_path: Path, phones: Callable[..., Phone]):
    digits = ("127.0.0.1", free_port())
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(rtpengine(tmp_path / f"log{place}", place=place + 1, digits=digits, pairs=20))
            for place in range(2)
        )
        async with AsyncExitStack() as running:
            wire = await running.enter_async_context(wire_to(one, other, prompts=tmp_path))
            alice, bob = phones(1000), phones(600)
            _, from_bob = await joined(wire.engine, alice, bob)
            await wire.engine.publish("d", "a", alice.sdp())
            dead = one if wire.engine.snapshot("c").engine.endswith(str(one.address[1])) else other
            dead.kill()
            lost = await wire.until(lambda event: isinstance(event, StreamLost))
            assert {event.call for event in wire.told if isinstance(event, StreamLost)} == {"c"}
            assert isinstance(lost, StreamLost)
            for leg in ("a", "b"):
                await wire.engine.renew("c", leg)
            again_alice, again_bob = await joined(wire.engine, alice, bob)
            assert again_bob != from_bob
            await asyncio.gather(speak(alice, again_alice), speak(bob, again_bob))
            assert is_tone(await bob.hear(20), 1000)
            assert is_tone(await alice.hear(20), 600)
