"""What was agreed in SDP, heard and seen: keys of one leg, other codecs, video and fax, over both planes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from media import rtp, sdes, sdp
from media.engine import DigitReceived
from media.engines.python import PythonEngine
from media.srtp import Receiver, Sender
from tests.media.line import PLANES
from tests.media.phone import FRAME, Phone, target
from tests.media.process import MediaProcess

Phones = Callable[..., Phone]
KEY = sdes.new_key(1, "AES_CM_128_HMAC_SHA1_80", lambda length: b"k" * length)


@pytest.fixture(params=PLANES)
async def process(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MediaProcess]:
    running = MediaProcess(tmp_path, plane=request.param)
    await running.engine.start()
    yield running
    assert running.stop() == 0


def place(body: bytes, kind: str) -> tuple[str, int]:
    """Where a body says to send this kind of media to."""
    media = next(media for media in sdp.parse(body).media if media.kind == kind)
    return media.host, media.port


def secure(body: bytes) -> bytes:
    """The same with a key of the phone's own."""
    return body.replace(b"RTP/AVP", b"RTP/SAVP") + sdes.build(KEY).encode() + b"\r\n"


def packet(phone: Phone, payload: bytes, payload_type: int = 8) -> bytes:
    """The next packet of a phone, as it would send it in clear."""
    phone.sequence += 1
    phone.timestamp += FRAME
    return rtp.build(rtp.Packet(payload_type, phone.sequence, phone.timestamp, phone.ssrc, payload, False))


async def test_secure_phone_and_plain_phone_hear_each_other(process: MediaProcess, phones: Phones):
    # RFC 4568, RFC 3711: only alice's leg has keys.
    engine: PythonEngine = process.engine
    alice, bob = phones(), phones()
    engine.secure("c", "a", "required")
    offered = await engine.offer("c", "a", "b", secure(alice.sdp("8 101")))
    assert b"crypto" not in offered
    answered = await engine.answer("c", "b", "a", bob.sdp("8 101"))
    await engine.query("c")  # by then the routes are known
    (ours,) = sdes.lines_of(sdp.parse(answered).media[0])
    sender, receiver = Sender(KEY), Receiver(ours)
    voice = bytes(range(160))
    alice.rtp.sendto(sender.protect(packet(alice, voice)), target(answered))
    (heard,) = await bob.hear()
    assert heard.payload == voice
    bob.rtp.sendto(packet(bob, voice[::-1]), target(offered))
    ((data, _),) = await alice.receive()
    assert voice[::-1] not in data
    assert rtp.parse(receiver.unprotect(data)).payload == voice[::-1]


async def test_two_secure_phones_have_keys_of_their_own(process: MediaProcess, phones: Phones):
    # RFC 4568
    engine = process.engine
    alice, bob = phones(), phones()
    for leg in ("a", "b"):
        engine.secure("c", leg, "required")
    offered = await engine.offer("c", "a", "b", secure(alice.sdp("8")))
    theirs = sdes.new_key(1, "AEAD_AES_256_GCM", lambda length: b"b" * length)
    taken = next(one for one in sdes.lines_of(sdp.parse(offered).media[0]) if one.suite == theirs.suite)
    theirs = sdes.Crypto(taken.tag, theirs.suite, theirs.key)
    said = bob.sdp("8").replace(b"RTP/AVP", b"RTP/SAVP") + sdes.build(theirs).encode() + b"\r\n"
    answered = await engine.answer("c", "b", "a", said)
    await engine.query("c")  # by then the routes are known
    (ours,) = sdes.lines_of(sdp.parse(answered).media[0])
    assert ours.key != taken.key
    alice.rtp.sendto(Sender(KEY).protect(packet(alice, b"v" * 160)), target(answered))
    ((data, _),) = await bob.receive()
    assert rtp.parse(Receiver(taken).unprotect(data)).payload == b"v" * 160


async def test_phones_that_share_no_codec_each_get_their_own(process: MediaProcess, phones: Phones):
    # RFC 3264 section 6
    engine = process.engine
    alice, bob = phones(), phones()
    offered = await engine.offer("c", "a", "b", alice.sdp("8 101"))
    bob_said = bob.sdp("9 101", rtpmaps=("9 G722/8000", "101 telephone-event/8000"))
    answered = await engine.answer("c", "b", "a", bob_said)
    await engine.query("c")  # by then the routes are known
    for payload in alice.tone(12):
        alice.send(target(answered), payload)
        bob.send(target(offered), payload, 9)
        await asyncio.sleep(0.02)
    assert {heard.payload_type for heard in await bob.hear(5)} == {9}
    assert {heard.payload_type for heard in await alice.hear(5)} == {8}


async def test_keys_of_a_leg_whose_peer_has_no_events_are_told(process: MediaProcess, phones: Phones):
    # RFC 4733
    engine = process.engine
    alice, bob = phones(), phones()
    await engine.offer("c", "a", "b", alice.sdp("8 101"))
    answered = await engine.answer("c", "b", "a", bob.sdp("8"))
    await engine.query("c")  # by then the routes are known
    for flags, ticks in ((0x0A, 160), (0x0A, 320), (0x8A, 480), (0x8A, 480), (0x8A, 480)):
        event = bytes((5, flags)) + ticks.to_bytes(2)
        alice.rtp.sendto(
            rtp.build(rtp.Packet(101, alice.sequence, 9000, alice.ssrc, event, ticks == 160)),
            target(answered),
        )
        alice.sequence += 1
    await process.until(lambda event: event == DigitReceived("c", "a", "5"))


async def test_video_passes_beside_the_sound(process: MediaProcess, phones: Phones):
    # RFC 3264 section 5
    engine = process.engine
    alice, bob, camera, screen = phones(), phones(), phones(), phones()

    def with_video(phone: Phone, video: Phone) -> bytes:
        return phone.sdp("8") + (f"m=video {video.port} RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n").encode()

    await engine.offer("c", "a", "b", with_video(alice, camera))
    answered = await engine.answer("c", "b", "a", with_video(bob, screen))
    await engine.query("c")  # by then the routes are known
    alice.send(target(answered), b"v" * 160)
    camera.send(place(answered, "video"), b"\x67 a picture", 97)
    (seen,) = await screen.hear()
    assert (seen.payload_type, seen.payload) == (97, b"\x67 a picture")
    (heard,) = await bob.hear()
    assert heard.payload == b"v" * 160
    assert engine.inventory()["media_ports"] == 4
    await engine.delete("c")
    assert engine.inventory()["media_ports"] == 0


async def test_sound_becomes_a_fax_and_sound_again(process: MediaProcess, phones: Phones):
    # ITU-T T.38 annex D, RFC 3264 section 8.3.3
    engine = process.engine
    alice, bob = phones(), phones()

    def fax(phone: Phone) -> bytes:
        head, _, _ = phone.sdp(version=2).partition(b"m=audio")
        return head + f"m=image {phone.port} udptl t38\r\na=T38FaxVersion:0\r\n".encode()

    await engine.offer("c", "a", "b", alice.sdp("8"))
    await engine.answer("c", "b", "a", bob.sdp("8"))
    await engine.query("c")  # by then the routes are known
    offered = await engine.offer("c", "b", "a", fax(bob))
    answered = await engine.answer("c", "a", "b", fax(alice))
    await engine.query("c")  # by then the routes are known
    assert engine.codec("c", "a") == engine.codec("c", "b") == "T38"
    alice.rtp.sendto(b"\x00\x01\x02 not RTP", place(offered, "image"))
    ((data, source),) = await bob.receive()
    assert (data, source) == (b"\x00\x01\x02 not RTP", place(answered, "image"))
    offered = await engine.offer("c", "b", "a", bob.sdp("8", version=3))
    answered = await engine.answer("c", "a", "b", alice.sdp("8", version=3))
    await engine.query("c")  # by then the routes are known
    alice.send(target(offered), b"s" * 160)
    (heard,) = await bob.hear()
    assert heard.payload == b"s" * 160


async def test_video_goes_on_in_another_signalling_process(process: MediaProcess, phones: Phones):
    engine = process.engine
    alice, bob, camera, screen = phones(), phones(), phones(), phones()
    video = [
        f"m=video {one.port} RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n".encode() for one in (camera, screen)
    ]
    await engine.offer("c", "a", "b", alice.sdp("8") + video[0])
    answered = await engine.answer("c", "b", "a", bob.sdp("8") + video[1])
    await engine.query("c")  # by then the routes are known
    kept = engine.snapshot("c")
    await engine.delete("c")
    await asyncio.sleep(0.1)  # the end of the streams leaves with the next frame
    engine.restore(kept)
    await engine.query("c")
    camera.send(place(answered, "video"), b"again", 97)
    (seen,) = await screen.hear()
    assert seen.payload == b"again"
