"""What every `MediaEngine` of ours promises about offers and answers (RFC 3264), the fake included.

The engine over rtpengine is one of them, with Debian's daemon; `media.engines.rtpengine` says what differs.
What only engines promise whose ports are ours to take back asks for `own_engine`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from media import sdp, tones, wav
from media.engine import NO_TRACK, MediaEngine, MediaEvent, MediaMisuse, MediaRefused, RecordFinished
from media.engines.fake import FakeEngine
from media.engines.passthrough import PassthroughEngine
from media.engines.python import PythonEngine
from media.engines.rtc import RtcEngine
from media.engines.rtpengine import RtpengineEngine
from media.snapshot import CallMediaSnapshot
from tests.media.line import PLANES
from tests.media.phone import Phone, target
from tests.media.process import MediaProcess
from tests.media.rtc_worker import FakeWorker
from tests.media.rtpengine_daemon import RtpengineDaemon

Phones = Callable[..., Phone]


@asynccontextmanager
async def running(name: str, folder: Path) -> AsyncIterator[MediaEngine]:
    """An engine with a media process of ours, or with none."""
    if name == "fake":
        yield FakeEngine("127.0.0.1")
        return
    if name == "for browsers":
        yield RtcEngine(FakeEngine("127.0.0.1"), FakeWorker(), ["127.0.0.1"])
        return
    process = MediaProcess(folder, plane=name)
    await process.engine.start()
    yield process.engine
    assert process.stop() == 0


@pytest.fixture(params=["fake", "for browsers", *PLANES, pytest.param("rtpengine", marks=pytest.mark.peer)])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MediaEngine]:
    if request.param == "rtpengine":
        daemon: RtpengineDaemon = request.getfixturevalue("rtpengine_daemon")
        async with daemon.engine(tmp_path) as made:
            yield made
    else:
        async with running(request.param, tmp_path) as made:
            yield made


@pytest.fixture(params=["fake", "for browsers", *PLANES])
async def own_engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MediaEngine]:
    """An engine whose ports are there to be taken again when their call is gone."""
    async with running(request.param, tmp_path) as made:
        yield made


def held(engine: MediaEngine) -> int:
    if isinstance(engine, RtcEngine):
        return held(engine.within) + sum(engine.inventory().values())
    assert isinstance(engine, FakeEngine | PythonEngine | RtpengineEngine)
    return sum(engine.inventory().values())


def audio(body: bytes) -> sdp.MediaDescription:
    return next(media for media in sdp.parse(body).media if media.kind == "audio")


def version(body: bytes) -> int:
    return int(sdp.parse(body).origin[2])


async def call_up(engine: MediaEngine, alice: Phone, bob: Phone) -> tuple[bytes, bytes]:
    """Join two phones; return what bob was offered and what alice was answered."""
    offered = await engine.offer("c", "a", "b", alice.sdp())
    answered = await engine.answer("c", "b", "a", bob.sdp("8 101"))
    return offered, answered


async def test_offer_gives_our_address_and_an_even_port(engine: MediaEngine, phones: Phones):
    alice = phones()
    offered = audio(await engine.offer("c", "a", "b", alice.sdp()))
    assert offered.host == "127.0.0.1"
    assert offered.port % 2 == 0
    assert offered.port != alice.port


async def test_offer_keeps_codecs_in_order_and_unknown_lines(engine: MediaEngine, phones: Phones):
    body = phones().sdp(
        "9 96 8 101",
        rtpmaps=("96 opus/48000/2", "8 PCMA/8000", "101 telephone-event/8000"),
        extra=("fmtp:96 useinbandfec=1", "x-vendor:hello", "maxptime:40"),
    )
    offered = audio(await engine.offer("c", "a", "b", body))
    assert offered.formats == ["9", "96", "8", "101", "0"]
    assert [codec.name for codec in offered.codecs][:4] == ["G722", "opus", "PCMA", "telephone-event"]
    assert {"a=fmtp:96 useinbandfec=1", "a=x-vendor:hello", "a=maxptime:40"} <= set(offered.lines)


async def test_offer_hides_the_callers_transport(engine: MediaEngine, phones: Phones):
    alice = phones()
    body = alice.sdp(
        extra=("rtcp:50001", "rtcp-mux", "candidate:1 1 UDP 1 10.0.0.9 9 typ host", "ssrc:7 cname:x")
    )
    text = (await engine.offer("c", "a", "b", body)).decode()
    assert str(alice.port) not in text
    for word in ("rtcp", "candidate", "ssrc", "o=phone"):
        assert word not in text


async def test_one_offer_rings_several_devices_with_the_same_port(engine: MediaEngine, phones: Phones):
    alice = phones()
    first = await engine.offer("c", "a", "b", alice.sdp())
    assert await engine.offer("c", "a", "b", alice.sdp()) == first


async def test_answer_gives_the_callers_port_and_codec(engine: MediaEngine, phones: Phones):
    offered, answered = await call_up(engine, phones(), phones())
    assert target(answered) != target(offered)
    assert audio(answered).formats == ["8", "101"]
    assert engine.codec("c", "a") == engine.codec("c", "b") == "PCMA"


async def test_codec_is_empty_before_an_answer(engine: MediaEngine, phones: Phones):
    await engine.offer("c", "a", "b", phones().sdp())
    assert engine.codec("c", "a") == ""
    assert engine.codec("nobody", "a") == ""


async def test_answer_comes_back_in_the_numbers_of_the_offer(engine: MediaEngine, phones: Phones):
    opus = ("96 opus/48000/2", "97 opus/48000/2", "101 telephone-event/8000", "110 telephone-event/8000")
    await engine.offer("c", "a", "b", phones().sdp("96 101", rtpmaps=opus))
    answer = phones().sdp("97 110", rtpmaps=opus, extra=("fmtp:97 stereo=0", "fmtp:110 0-15"))
    answered = audio(await engine.answer("c", "b", "a", answer))
    assert answered.formats == ["96", "101"]
    assert {"a=fmtp:96 stereo=0", "a=fmtp:101 0-15"} <= set(answered.lines)


async def test_number_never_changes_its_meaning_during_a_session(engine: MediaEngine, phones: Phones):
    # RFC 3264 section 8.3.2.
    rtpmaps = ("96 opus/48000/2", "96 speex/16000", "8 PCMA/8000")
    alice, bob = phones(), phones()
    await engine.offer("c", "a", "b", alice.sdp("96 8", rtpmaps=rtpmaps[:1] + rtpmaps[2:]))
    await engine.answer("c", "b", "a", bob.sdp("8"))
    body = await engine.offer("c", "b", "a", bob.sdp("96", rtpmaps=rtpmaps[1:], version=2))
    speex = next(codec for codec in audio(body).codecs if codec.name == "speex")
    assert speex.payload_type != 96


async def test_streams_that_nobody_relays_are_offered_and_answered_with_port_zero(
    engine: MediaEngine, phones: Phones
):
    floor = b"m=application 5004 UDP/BFCP *\r\n"
    offered = sdp.parse(await engine.offer("c", "a", "b", phones().sdp() + floor))
    assert [media.port != 0 for media in offered.media] == [True, False]
    refused = b"m=application 0 UDP/BFCP *\r\n"
    answered = sdp.parse(await engine.answer("c", "b", "a", phones().sdp("8") + refused))
    assert [media.port != 0 for media in answered.media] == [True, False]


async def test_answer_has_every_stream_of_the_offer_even_when_the_device_forgot_some(
    engine: MediaEngine, phones: Phones
):
    image = b"m=image 5006 udptl t38\r\n"
    await engine.offer("c", "a", "b", phones().sdp() + image)
    answered = sdp.parse(await engine.answer("c", "b", "a", phones().sdp("8")))
    assert [(media.kind, media.port != 0) for media in answered.media] == [("audio", True), ("image", False)]


async def test_audio_after_another_stream_keeps_its_place(engine: MediaEngine, phones: Phones):
    body = phones().sdp().replace(b"m=audio", b"m=video 5004 RTP/AVP 96\r\nm=audio")
    offered = sdp.parse(await engine.offer("c", "a", "b", body))
    assert [media.kind for media in offered.media] == ["video", "audio"]


@pytest.mark.parametrize("profile", ["RTP/SAVP", "UDP/TLS/RTP/SAVPF", "RTP/XYZ"])
async def test_secure_or_unknown_profile_is_refused_with_488(
    engine: MediaEngine, phones: Phones, profile: str
):
    with pytest.raises(MediaRefused) as refusal:
        await engine.offer("c", "a", "b", phones().sdp().replace(b"RTP/AVP", profile.encode()))
    assert refusal.value.status == 488
    assert profile in refusal.value.reason


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"v=0\r\n", b"\xff" * 2000, b"v=0\r\nm=audio 1 RTP/AVP 0\r\n"]
)
async def test_body_that_is_not_sdp_is_refused_with_488(engine: MediaEngine, body: bytes):
    with pytest.raises(MediaRefused) as refusal:
        await engine.offer("c", "a", "b", body)
    assert refusal.value.status == 488


async def test_address_of_another_family_is_refused_with_488(engine: MediaEngine, phones: Phones):
    body = phones().sdp().replace(b"c=IN IP4 127.0.0.1", b"c=IN IP6 ::1")
    with pytest.raises(MediaRefused) as refusal:
        await engine.offer("c", "a", "b", body)
    assert refusal.value.status == 488


async def test_advertised_address_replaces_ours(engine: MediaEngine, phones: Phones):
    body = await engine.offer("c", "a", "b", phones().sdp(), advertise="203.0.113.7")
    assert audio(body).host == "203.0.113.7"
    assert sdp.parse(body).origin[5] == "203.0.113.7"


async def test_answer_without_an_offer_is_our_own_mistake(engine: MediaEngine, phones: Phones):
    with pytest.raises(MediaMisuse):
        await engine.answer("c", "b", "a", phones().sdp())
    await engine.publish("c", "b", phones().sdp())
    await engine.publish("c", "a", phones().sdp())
    await engine.terminate_offer("d", "a")
    with pytest.raises(MediaMisuse):
        await engine.answer("d", "a", "b", phones().sdp())


@pytest.mark.parametrize(
    ("held", "answered"),
    [("sendonly", "recvonly"), ("inactive", "inactive"), ("recvonly", "sendonly"), ("sendrecv", "sendrecv")],
)
async def test_hold_is_answered_and_the_other_side_is_told_nothing_of_it(
    engine: MediaEngine, phones: Phones, held: str, answered: str
):
    # RFC 3264 sections 6.1 and 8.4
    alice, bob = phones(), phones()
    offered, _ = await call_up(engine, alice, bob)
    told = await engine.offer("c", "a", "b", alice.sdp(direction=held, version=2))
    assert audio(told).direction == "sendrecv"
    assert version(told) == version(offered)
    answer = await engine.answer("c", "b", "a", bob.sdp("8 101"))
    assert audio(answer).direction == answered


async def test_hold_by_an_address_of_zeros_is_answered_as_a_hold(engine: MediaEngine, phones: Phones):
    # RFC 3264 section 8.4: the old form of hold.
    alice, bob = phones(), phones()
    await call_up(engine, alice, bob)
    offered = audio(await engine.offer("c", "a", "b", alice.sdp(host="0.0.0.0", version=2)))
    assert offered.host == "127.0.0.1"
    assert offered.direction == "sendrecv"
    assert audio(await engine.answer("c", "b", "a", bob.sdp("8 101"))).direction == "recvonly"


async def test_version_grows_only_when_the_body_changed(engine: MediaEngine, phones: Phones):
    alice, bob = phones(), phones()
    offered, _ = await call_up(engine, alice, bob)
    again = await engine.offer("c", "a", "b", alice.sdp(version=2))
    assert again == offered
    await engine.answer("c", "b", "a", bob.sdp("8 101"))
    fewer = await engine.offer("c", "a", "b", alice.sdp("0 101", version=3))
    assert version(fewer) == version(offered) + 1
    assert sdp.parse(fewer).origin[1] == sdp.parse(offered).origin[1]


async def test_other_side_may_offer_again(engine: MediaEngine, phones: Phones):
    alice, bob = phones(), phones()
    _, answered = await call_up(engine, alice, bob)
    offered = await engine.offer("c", "b", "a", bob.sdp("0 101", version=2))
    assert target(offered) == target(answered)
    assert version(offered) == version(answered) + 1
    await engine.answer("c", "a", "b", alice.sdp("0 101", version=2))
    assert engine.codec("c", "a") == "PCMU"


async def test_refused_offer_in_mid_call_leaves_the_call_as_it_was(engine: MediaEngine, phones: Phones):
    alice, bob = phones(), phones()
    await call_up(engine, alice, bob)
    await engine.offer("c", "a", "b", alice.sdp("0", version=2))
    assert engine.codec("c", "a") == "PCMA"
    with pytest.raises(MediaRefused):
        await engine.offer("c", "a", "b", b"garbage")
    assert engine.codec("c", "a") == "PCMA"


async def test_stream_given_up_in_mid_call_goes_through_as_port_zero(engine: MediaEngine, phones: Phones):
    alice, bob = phones(), phones()
    await call_up(engine, alice, bob)
    gone = alice.sdp(version=2).replace(f"m=audio {alice.port}".encode(), b"m=audio 0")
    assert audio(await engine.offer("c", "a", "b", gone)).port == 0


async def test_late_offer_is_answered_from_the_other_end(engine: MediaEngine, phones: Phones):
    # The caller's INVITE had no SDP: the callee offers, and the caller's ACK answers.
    alice, bob = phones(), phones()
    offered = await engine.offer("c", "b", "a", bob.sdp())
    answered = await engine.answer("c", "a", "b", alice.sdp("0 101"))
    assert audio(offered).formats[:3] == ["8", "0", "101"]
    assert audio(answered).formats == ["0", "101"]
    assert engine.codec("c", "a") == "PCMU"


async def test_publish_answers_with_the_callers_first_codec_of_ours(engine: MediaEngine, phones: Phones):
    body = await engine.publish("c", "a", phones().sdp("18 9 0 8 101"))
    answered = audio(body)
    assert answered.formats == ["9", "101"]
    assert answered.direction == "sendrecv"
    assert engine.codec("c", "a") == "G722"


async def test_publish_answers_hold_with_its_reverse(engine: MediaEngine, phones: Phones):
    assert audio(await engine.publish("c", "a", phones().sdp(direction="sendonly"))).direction == "recvonly"


async def test_publish_without_a_codec_of_ours_is_refused_with_488(engine: MediaEngine, phones: Phones):
    with pytest.raises(MediaRefused) as refusal:
        await engine.publish("c", "a", phones().sdp("18"))
    assert refusal.value.status == 488


async def test_offer_of_our_own_has_all_that_we_can_play(engine: MediaEngine, phones: Phones):
    body = await engine.terminate_offer("c", "a")
    names = [codec.name for codec in audio(body).codecs]
    assert names == ["PCMA", "PCMU", "G722", "opus", "telephone-event"]
    await engine.terminate_answer("c", "a", phones().sdp("0 101"))
    assert engine.codec("c", "a") == "PCMU"


async def test_published_leg_joined_with_the_same_codec_needs_no_new_answer(
    engine: MediaEngine, phones: Phones
):
    alice, bob = phones(), phones()
    body = alice.sdp("8")
    published = await engine.publish("c", "a", body)
    await engine.offer("c", "a", "b", body)
    joined = await engine.answer("c", "b", "a", bob.sdp("8", extra=("ptime:20",)))
    assert joined == published


async def test_verbs_on_an_unknown_leg_are_our_own_mistake(engine: MediaEngine):
    for verb in (engine.play("c", "a", tones.BUSY), engine.echo("c", "a"), engine.dtmf("c", "a", "1")):
        with pytest.raises(MediaMisuse):
            await verb


async def test_query_tells_each_legs_addresses_and_codec(engine: MediaEngine, phones: Phones):
    alice, bob = phones(), phones()
    offered, answered = await call_up(engine, alice, bob)
    legs = (await engine.query("c")).legs
    assert legs["a"].local == target(answered)
    assert legs["b"].local == target(offered)
    assert legs["a"].remote == ("127.0.0.1", alice.port)
    assert (legs["b"].codec, legs["b"].packets, legs["b"].silent_seconds) == ("PCMA", 0, -1.0)


async def test_snapshot_restored_elsewhere_goes_on_with_the_same_bodies(
    own_engine: MediaEngine, phones: Phones
):
    alice, bob = phones(), phones()
    offered, answered = await call_up(own_engine, alice, bob)
    kept = msgspec.msgpack.encode(own_engine.snapshot("c"))
    snapshot = msgspec.msgpack.decode(kept, type=CallMediaSnapshot)
    assert {leg.name: leg.peer for leg in snapshot.legs} == {"a": "b", "b": "a"}
    await own_engine.delete("c")
    own_engine.restore(snapshot)
    assert own_engine.codec("c", "a") == "PCMA"
    again = await own_engine.offer("c", "a", "b", alice.sdp(version=2))
    assert again == offered
    moved = await own_engine.answer("c", "b", "a", bob.sdp("8", version=2))
    assert version(moved) == version(answered) + 1
    assert target(moved) == target(answered)


async def test_snapshot_of_an_echo_is_an_echo(engine: MediaEngine, phones: Phones):
    await engine.publish("c", "a", phones().sdp())
    await engine.echo("c", "a")
    (leg,) = engine.snapshot("c").legs
    assert (leg.echoes, leg.peer) == (True, "")


async def test_snapshot_of_an_unknown_call_has_no_legs(engine: MediaEngine):
    assert engine.snapshot("nobody").legs == []


async def test_restoring_what_is_there_already_is_our_own_mistake(own_engine: MediaEngine, phones: Phones):
    await call_up(own_engine, phones(), phones())
    with pytest.raises(MediaMisuse):
        own_engine.restore(own_engine.snapshot("c"))
    with pytest.raises(MediaMisuse):
        own_engine.restore(msgspec.structs.replace(own_engine.snapshot("c"), call="another"))


async def test_delete_gives_everything_back(engine: MediaEngine, phones: Phones):
    await call_up(engine, phones(), phones())
    await engine.play("c", "a", tones.RINGBACK, repeat=True)
    await engine.delete("c")
    await engine.delete("c")
    assert held(engine) == 0
    assert (await engine.query("c")).legs == {}


async def test_ports_that_run_out_are_refused_with_480(tmp_path: Path, phones: Phones):
    small: list[MediaEngine] = [FakeEngine(first_port=20000, last_port=20005)]
    process = MediaProcess(tmp_path, pairs=3)
    await process.engine.start()
    small.append(process.engine)
    for engine in small:
        await engine.publish("c", "1", phones().sdp(host="192.0.2.9"))
        await engine.publish("c", "2", phones().sdp(host="192.0.2.9"))
        await engine.publish("c", "3", phones().sdp(host="192.0.2.9"))
        with pytest.raises(MediaRefused) as refusal:
            await engine.publish("c", "4", phones().sdp(host="192.0.2.9"))
        assert refusal.value.status == 480
        await engine.delete("c")
        await engine.publish("d", "1", phones().sdp(host="192.0.2.9"))
    assert process.stop() == 0


async def test_passthrough_hands_sdp_on_untouched(phones: Phones):
    engine: MediaEngine = PassthroughEngine()
    alice, bob = phones(), phones()
    assert await engine.offer("c", "a", "b", alice.sdp()) == alice.sdp()
    assert await engine.answer("c", "b", "a", bob.sdp("8 101")) == bob.sdp("8 101")
    assert engine.codec("c", "a") == "PCMA"
    with pytest.raises(MediaRefused):
        await engine.publish("c", "a", alice.sdp())
    await engine.delete("c")
    assert engine.codec("c", "a") == ""


# Recordings


async def recorded(engine: MediaEngine) -> RecordFinished:
    """The end of the recording, once it is told."""
    told: asyncio.Queue[MediaEvent] = asyncio.Queue()
    engine.events = told.put_nowait
    await engine.stop_recording("c", "a")
    while True:
        event = await told.get()
        if isinstance(event, RecordFinished):
            return event


async def test_what_a_leg_says_is_recorded_until_it_is_stopped(
    engine: MediaEngine, phones: Phones, tmp_path: Path
):
    await engine.publish("c", "a", phones().sdp("8"))
    path = tmp_path / "said.wav"
    await engine.record("c", "a", str(path), seconds=60)
    end = await recorded(engine)
    assert (end.call, end.leg, end.why) == ("c", "a", "stopped")
    assert wav.read(path.read_bytes()) is not None
    await engine.stop_recording("c", "a")
    await engine.delete("c")
    assert held(engine) == 0


async def test_a_recording_ends_with_its_leg_and_leaves_a_file(
    own_engine: MediaEngine, phones: Phones, tmp_path: Path
):
    await own_engine.publish("c", "a", phones().sdp("8"))
    path = tmp_path / "said.wav"
    await own_engine.record("c", "a", str(path), seconds=60)
    await own_engine.query("c")
    await own_engine.delete("c")
    await own_engine.publish("d", "a", phones().sdp("8"))
    await own_engine.record("d", "a", str(tmp_path / "next.wav"), seconds=0.02)
    if isinstance(own_engine, FakeEngine):
        own_engine.finish_recording("d", "a", "length")
    else:  # files are written one after the other
        while not (tmp_path / "next.wav").exists():
            await own_engine.query("d")
    assert len(wav.read(path.read_bytes())) >= 0
    await own_engine.delete("d")


async def test_an_engine_records_or_says_that_it_does_not(
    engine: MediaEngine, phones: Phones, tmp_path: Path
):
    await engine.publish("c", "a", phones().sdp("8"))
    if engine.records:
        await engine.record("c", "a", str(tmp_path / "said.wav"), seconds=60)
    else:
        with pytest.raises(MediaRefused):
            await engine.record("c", "a", str(tmp_path / "said.wav"), seconds=60)
    await engine.stop_recording("c", "a")
    await engine.delete("c")


async def test_recording_a_leg_that_nobody_knows_is_our_own_mistake(engine: MediaEngine, tmp_path: Path):
    with pytest.raises(MediaMisuse):
        await engine.record("c", "a", str(tmp_path / "said.wav"), seconds=60)


# Kept ports, lost ports, legs that move


async def test_a_leg_that_moves_keeps_its_place_and_its_session(own_engine: MediaEngine, phones: Phones):
    # RFC 3264 section 8: the o= line of one dialog differs in nothing but its version.
    alice, bob, carol = phones(), phones(), phones()
    _, answered = await call_up(own_engine, alice, bob)
    assert await own_engine.move("c", "a", "d", "b1")
    assert own_engine.codec("c", "a") == ""
    assert own_engine.codec("d", "b1") == "PCMA"
    await own_engine.delete("c")
    told = await own_engine.offer("d", "a", "b1", carol.sdp("8 101"))
    await own_engine.answer("d", "b1", "a", alice.sdp())
    assert target(told) == target(answered)
    assert sdp.parse(told).origin[1] == sdp.parse(answered).origin[1]
    assert {leg.name: leg.peer for leg in own_engine.snapshot("d").legs} == {"a": "b1", "b1": "a"}


async def test_a_leg_that_moves_takes_the_place_of_what_was_there(own_engine: MediaEngine, phones: Phones):
    alice, bob, carol = phones(), phones(), phones()
    _, answered = await call_up(own_engine, alice, bob)
    await own_engine.offer("d", "a", "b", alice.sdp())
    await own_engine.answer("d", "b", "a", carol.sdp("8 101"))
    assert await own_engine.move("c", "a", "d", "a")
    await own_engine.offer("d", "a", "b", alice.sdp())
    again = await own_engine.answer("d", "b", "a", carol.sdp("8 101"))
    assert again == answered
    await own_engine.delete("c")
    await own_engine.delete("d")
    assert held(own_engine) == 0


async def test_who_is_left_when_a_leg_moves_has_no_peer(own_engine: MediaEngine, phones: Phones):
    await call_up(own_engine, phones(), phones())
    await own_engine.move("c", "a", "d", "a")
    assert [(leg.name, leg.peer) for leg in own_engine.snapshot("c").legs] == [("b", "")]
    assert [(leg.name, leg.peer) for leg in own_engine.snapshot("d").legs] == [("a", "")]


async def test_a_leg_that_nobody_knows_cannot_move(own_engine: MediaEngine):
    with pytest.raises(MediaMisuse):
        await own_engine.move("c", "a", "d", "a")


async def test_a_renewed_leg_is_told_another_port_of_the_same_session(
    own_engine: MediaEngine, phones: Phones
):
    alice, bob = phones(), phones()
    offered, answered = await call_up(own_engine, alice, bob)
    await own_engine.renew("c", "b")
    told = await own_engine.offer("c", "a", "b", alice.sdp())
    assert target(told) not in (target(offered), target(answered))
    assert version(told) == version(offered) + 1
    assert await own_engine.answer("c", "b", "a", bob.sdp("8 101")) == answered


async def test_ports_that_are_kept_go_to_calls_that_reserve(tmp_path: Path, phones: Phones):
    process = MediaProcess(tmp_path, pairs=5, reserved_pairs=2)
    await process.engine.start()
    fake = FakeEngine(first_port=20000, last_port=20009, reserved_pairs=2)
    for engine in (fake, process.engine):
        for leg in ("1", "2", "3"):
            await engine.publish("c", leg, phones().sdp(host="192.0.2.9"))
        with pytest.raises(MediaRefused) as refusal:
            await engine.publish("c", "4", phones().sdp(host="192.0.2.9"))
        assert refusal.value.status == 480
        engine.reserve("e")
        await engine.publish("e", "1", phones().sdp(host="192.0.2.9"))
        await engine.publish("e", "2", phones().sdp(host="192.0.2.9"))
        with pytest.raises(MediaRefused):
            await engine.publish("e", "3", phones().sdp(host="192.0.2.9"))
        await engine.delete("e")
        with pytest.raises(MediaRefused):
            await engine.publish("e", "1", phones().sdp(host="192.0.2.9"))
    assert process.stop() == 0


async def test_passthrough_moves_nothing():
    engine: MediaEngine = PassthroughEngine()
    assert not await engine.move("c", "a", "d", "a")
    with pytest.raises(MediaRefused):
        await engine.renew("c", "a")


# -- the recorder's tape -------------------------------------------------------------------------------


async def test_leg_is_on_the_tape_for_two_recordings_and_a_third_is_our_own_mistake(
    own_engine: MediaEngine, phones: Phones
):
    assert own_engine.tapes
    await call_up(own_engine, phones(), phones())
    await own_engine.tape("c", "a", 3, 0, 1)
    await own_engine.tape("c", "a", 4, 2, NO_TRACK)
    await own_engine.tape("c", "a", 4, 5, NO_TRACK)
    with pytest.raises(MediaMisuse):
        await own_engine.tape("c", "a", 9, 0, 1)
    assert own_engine.snapshot("c").legs[0].tapes == {3: (0, 1), 4: (5, NO_TRACK)}
    await own_engine.tape("c", "a", 3, NO_TRACK, NO_TRACK)
    await own_engine.tape("c", "a", 9, 0, 1)
    assert own_engine.snapshot("c").legs[0].tapes == {4: (5, NO_TRACK), 9: (0, 1)}
    await own_engine.tape("c", "a", 0, NO_TRACK, NO_TRACK)
    assert own_engine.snapshot("c").legs[0].tapes == {}


@pytest.mark.parametrize("said", [(0, 0, 1), (65_536, 0, 1), (-1, 0, 1), (1, 64, NO_TRACK), (1, 0, -1)])
async def test_slot_and_tracks_that_there_are_not_are_refused(
    own_engine: MediaEngine, phones: Phones, said: tuple[int, int, int]
):
    await call_up(own_engine, phones(), phones())
    with pytest.raises(ValueError, match=r"no (slot|tracks)"):
        await own_engine.tape("c", "a", *said)


async def test_to_tape_an_unknown_leg_is_our_own_mistake_and_to_end_it_is_none(engine: MediaEngine):
    with pytest.raises((MediaMisuse, MediaRefused)):
        await engine.tape("c", "nobody", 1, 0, 1)
    await engine.tape("c", "nobody", 1, NO_TRACK, NO_TRACK)


async def test_taping_follows_a_leg_into_another_call_and_is_in_its_snapshot(
    own_engine: MediaEngine, phones: Phones
):
    await call_up(own_engine, phones(), phones())
    await own_engine.tape("c", "a", 3, 0, 1)
    assert await own_engine.move("c", "a", "other", "guest")
    (leg,) = own_engine.snapshot("other").legs
    assert (leg.name, leg.tapes) == ("guest", {3: (0, 1)})


async def test_restored_leg_is_on_the_tape_as_before(own_engine: MediaEngine, phones: Phones):
    await call_up(own_engine, phones(), phones())
    await own_engine.tape("c", "b", 3, 0, 1)
    kept = msgspec.msgpack.encode(own_engine.snapshot("c"))
    await own_engine.delete("c")
    own_engine.restore(msgspec.msgpack.decode(kept, type=CallMediaSnapshot))
    assert {leg.name: leg.tapes for leg in own_engine.snapshot("c").legs} == {"a": {}, "b": {3: (0, 1)}}


async def test_codecs_of_a_leg_are_told_by_its_own_numbers(engine: MediaEngine, phones: Phones):
    # RFC 3264 section 8.3.2: none of them changes its meaning later
    assert engine.leg_codecs("c", "a") == {}
    alice = phones().sdp("9 97 101", rtpmaps=("97 opus/48000/2", "101 telephone-event/8000"))
    await engine.offer("c", "a", "b", alice)
    await engine.answer("c", "b", "a", phones().sdp("8"))
    told = engine.leg_codecs("c", "a")
    assert told == {"9": "G722/8000/1", "97": "opus/48000/2", "101": "telephone-event/8000/1"}
    assert engine.leg_codecs("c", "b")["8"] == "PCMA/8000/1"
