"""The media process with real packets on loopback: relaying, latching, playing and listening."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from media import codecs, dtmf, frames, goertzel, rtcp, sdp, tones, wav
from media.engine import (
    DigitReceived,
    EngineLost,
    LegMedia,
    MediaHeard,
    MediaRefused,
    MediaSilent,
    MediaUnavailable,
    PlayFinished,
    Wav,
)
from media.engines import wire
from media.engines.python import PythonEngine
from media.engines.relay import PlaneName
from media.snapshot import CallMediaSnapshot
from media.speech import Speech
from tests.media.phone import Phone, sound, target
from tests.media.process import MediaProcess, finish

Phones = Callable[..., Phone]


class Pair:
    """Two phones that are joined. to_a, to_b: where each of them sends."""

    def __init__(self, alice: Phone, bob: Phone, to_alice: bytes, to_bob: bytes) -> None:
        self.alice, self.bob = alice, bob
        self.alice_sends_to, self.bob_sends_to = target(to_alice), target(to_bob)


async def joined(
    media: MediaProcess, phones: Phones, *, alice_sdp: bytes = b"", bob_sdp: bytes = b"", nat: bool = False
) -> Pair:
    """Join two phones; alice is behind NAT when `nat`."""
    alice, bob = phones(697), phones(1477)
    offered = await media.engine.offer("c", "a", "b", alice_sdp or alice.sdp(), nat=nat)
    answered = await media.engine.answer("c", "b", "a", bob_sdp or bob.sdp("8 101"))
    await media.engine.query("c")  # the media process has done all that was said
    return Pair(alice, bob, answered, offered)


async def leg(
    media: MediaProcess, name: str, wanted: Callable[[LegMedia], bool] = lambda counts: True
) -> LegMedia:
    """Return a leg's counts as soon as they are as wanted. Raises TimeoutError."""
    async with asyncio.timeout(45):
        while not wanted(counts := (await media.engine.query("c")).legs[name]):
            pass
    return counts


async def test_each_phone_hears_the_others_tone(media: MediaProcess, phones: Phones):
    pair = await joined(media, phones)
    for frame in pair.alice.tone(20):
        pair.alice.send(pair.alice_sends_to, frame)
    for frame in pair.bob.tone(20):
        pair.bob.send(pair.bob_sends_to, frame)
    assert goertzel.heard_frequency_hz(sound(await pair.bob.hear(20))) == pytest.approx(697, abs=3)
    assert goertzel.heard_frequency_hz(sound(await pair.alice.hear(20))) == pytest.approx(1477, abs=3)


async def test_packets_come_from_the_port_that_was_announced(media: MediaProcess, phones: Phones):
    pair = await joined(media, phones)
    pair.alice.send(pair.alice_sends_to)
    ((_, source),) = await pair.bob.receive()
    assert source == pair.bob_sends_to


async def test_leg_hears_one_ssrc_of_ours_with_continuous_numbers(media: MediaProcess, phones: Phones):
    pair = await joined(media, phones)
    for _ in range(5):
        pair.alice.send(pair.alice_sends_to)
    pair.alice.ssrc, pair.alice.sequence, pair.alice.timestamp = 77, 40000, 123456789
    for _ in range(5):
        pair.alice.send(pair.alice_sends_to)
    heard = await pair.bob.hear(10)
    assert len({packet.ssrc for packet in heard}) == 1
    assert heard[0].ssrc not in (77, 0x1000 + pair.alice.port)
    steps = [(late.sequence - early.sequence) & 0xFFFF for early, late in pairwise(heard)]
    assert steps == [1] * 9
    gaps = [(late.timestamp - early.timestamp) & 0xFFFFFFFF for early, late in pairwise(heard)]
    assert gaps[:4] == gaps[5:] == [160] * 4
    assert 160 <= gaps[4] < 8000
    assert [packet.marker for packet in heard] == [True, *[False] * 4, True, *[False] * 4]


async def test_marker_csrc_extension_and_padding_go_through(media: MediaProcess, phones: Phones):
    pair = await joined(media, phones)
    head = bytes((0x80 | 0x20 | 0x10 | 1, 0x80 | 8)) + bytes((0, 9)) + bytes((0, 0, 0, 7)) + b"SSRC"
    rest = b"CSRC" + b"\xbe\xde\x00\x01EXTN" + b"payload!" + b"\0\0\0\x04"
    pair.alice.rtp.sendto(head + rest, pair.alice_sends_to)
    ((datagram, _),) = await pair.bob.receive()
    assert datagram[:2] == head[:2]
    assert datagram[12:] == rest


async def test_codec_that_the_two_number_differently_is_renumbered(media: MediaProcess, phones: Phones):
    opus = ("96 opus/48000/2", "97 opus/48000/2")
    alice, bob = phones(), phones()
    offered = await media.engine.offer("c", "a", "b", alice.sdp("96", rtpmaps=opus))
    answered = await media.engine.answer("c", "b", "a", bob.sdp("97", rtpmaps=opus))
    await media.engine.query("c")
    alice.send(target(answered), b"to bob", 96)
    bob.send(target(offered), b"to alice", 96)
    bob.send(target(offered), b"by his own number", 97)
    assert [packet.payload_type for packet in await bob.hear(1)] == [97]
    assert [packet.payload_type for packet in await alice.hear(2)] == [96, 96]


async def test_third_party_is_counted_and_never_relayed(media: MediaProcess, phones: Phones):
    pair = await joined(media, phones)
    stranger = phones()
    for _ in range(7):
        stranger.send(pair.alice_sends_to)
    await leg(media, "a", lambda counts: counts.third_party_packets == 7)
    pair.alice.send(pair.alice_sends_to, b"\x01" * 160)
    assert (await pair.bob.hear())[0].payload == b"\x01" * 160
    assert pair.bob.heard_nothing()


async def test_first_packet_of_a_leg_behind_nat_latches_until_the_next_answer(
    media: MediaProcess, phones: Phones
):
    pair = await joined(media, phones, alice_sdp=phones().sdp(host="10.9.8.7"), nat=True)
    pair.alice.send(pair.alice_sends_to)
    await pair.bob.hear()
    pair.bob.send(pair.bob_sends_to, b"\x02" * 160)
    assert (await pair.alice.hear())[0].payload == b"\x02" * 160

    thief = phones()
    thief.send(pair.alice_sends_to)
    await leg(media, "a", lambda counts: counts.third_party_packets == 1)
    assert pair.bob.heard_nothing()

    # The phone moves: its new offer and our new answer open the window again.
    await media.engine.offer("c", "a", "b", thief.sdp(host="10.9.8.7", version=2), nat=True)
    await media.engine.answer("c", "b", "a", pair.bob.sdp("8 101"))
    await media.engine.query("c")
    thief.send(pair.alice_sends_to)
    await pair.bob.hear()
    assert (await leg(media, "a")).remote == ("127.0.0.1", thief.port)


async def test_nat_window_ignores_what_is_not_the_legs_rtp(media: MediaProcess, phones: Phones):
    pair = await joined(media, phones, alice_sdp=phones().sdp(host="10.9.8.7"), nat=True)
    stranger = phones()
    stranger.rtp.sendto(b"junk", pair.alice_sends_to)
    stranger.send(pair.alice_sends_to, payload_type=55)
    await leg(media, "a", lambda counts: counts.invalid_packets == 2)
    pair.alice.send(pair.alice_sends_to)
    await pair.bob.hear()
    assert (await leg(media, "a")).remote == ("127.0.0.1", pair.alice.port)


async def test_leg_that_is_not_behind_nat_never_latches(media: MediaProcess, phones: Phones):
    pair = await joined(media, phones, alice_sdp=phones().sdp(host="10.9.8.7"), nat=False)
    pair.alice.send(pair.alice_sends_to)
    await leg(media, "a", lambda counts: counts.third_party_packets == 1)
    assert pair.bob.heard_nothing()


async def test_new_address_in_mid_call_is_where_sound_goes(media: MediaProcess, phones: Phones):
    pair = await joined(media, phones)
    moved = phones()
    await media.engine.offer("c", "a", "b", moved.sdp(version=2))
    await media.engine.answer("c", "b", "a", pair.bob.sdp("8 101"))
    await media.engine.query("c")
    pair.bob.send(pair.bob_sends_to, b"\x03" * 160)
    assert (await moved.hear())[0].payload == b"\x03" * 160
    pair.alice.send(pair.alice_sends_to)
    await leg(media, "a", lambda counts: counts.third_party_packets == 1)


async def test_second_answer_moves_the_callee(media: MediaProcess, phones: Phones):
    # A provisional answer of one device, then the 200 of another.
    pair = await joined(media, phones)
    winner = phones()
    await media.engine.answer("c", "b", "a", winner.sdp("8 101"))
    await media.engine.query("c")
    pair.alice.send(pair.alice_sends_to)
    await winner.hear()
    assert pair.bob.heard_nothing()


async def test_nothing_is_sent_to_an_address_of_zeros_and_resume_brings_sound_back(
    media: MediaProcess, phones: Phones
):
    pair = await joined(media, phones)
    await media.engine.offer("c", "a", "b", pair.alice.sdp(host="0.0.0.0", version=2))
    await media.engine.answer("c", "b", "a", pair.bob.sdp("8 101", "recvonly"))
    await media.engine.query("c")
    pair.bob.send(pair.bob_sends_to)
    await leg(media, "b", lambda counts: counts.packets == 1)
    assert (await leg(media, "a")).packets_sent == 0
    pair.alice.send(pair.alice_sends_to, b"\x05" * 160)  # music of the holder's own
    assert (await pair.bob.hear())[0].payload == b"\x05" * 160
    await media.engine.offer("c", "a", "b", pair.alice.sdp(version=3))
    await media.engine.answer("c", "b", "a", pair.bob.sdp("8 101"))
    await media.engine.query("c")
    pair.bob.send(pair.bob_sends_to, b"\x04" * 160)
    assert (await pair.alice.hear())[0].payload == b"\x04" * 160


async def test_echo_gives_a_phone_its_own_tone(media: MediaProcess, phones: Phones):
    alice = phones(850)
    to = target(await media.engine.publish("c", "a", alice.sdp("8 101")))
    await media.engine.echo("c", "a")
    await media.engine.query("c")
    for frame in alice.tone(20):
        alice.send(to, frame)
    assert goertzel.heard_frequency_hz(sound(await alice.hear(20))) == pytest.approx(850, abs=3)
    await media.engine.stop("c", "a")
    await media.engine.query("c")
    alice.send(to)
    counts = await leg(media, "a", lambda counts: counts.packets == 21)
    assert counts.packets_sent == 20


async def test_digits_are_told_once_on_a_terminated_leg(media: MediaProcess, phones: Phones):
    alice = phones()
    to = target(await media.engine.publish("c", "a", alice.sdp()))
    await media.engine.query("c")
    send_digits(alice, to, "42#")
    await media.until(lambda event: event == DigitReceived("c", "a", "#"))
    await media.engine.query("c")
    digits = [event.digit for event in media.events if isinstance(event, DigitReceived)]
    assert digits == ["4", "2", "#"]


async def test_digits_on_a_relayed_leg_are_told_and_relayed(media: MediaProcess, phones: Phones):
    pair = await joined(media, phones)
    send_digits(pair.alice, pair.alice_sends_to, "7")
    assert await media.until(lambda event: isinstance(event, DigitReceived)) == DigitReceived("c", "a", "7")
    heard = await pair.bob.hear(8)
    assert {packet.payload_type for packet in heard} == {101}
    assert len({packet.timestamp for packet in heard}) == 1


async def test_digits_that_we_send_are_events_of_the_leg(media: MediaProcess, phones: Phones):
    alice = phones()
    await media.engine.publish("c", "a", alice.sdp("8 101"))
    await media.engine.dtmf("c", "a", "1d")
    detector = dtmf.DigitDetector()
    heard = await alice.hear(16)
    told = [detector.receive(packet.payload, packet.timestamp, marker=packet.marker) for packet in heard]
    assert "".join(told) == "1D"
    assert {packet.payload_type for packet in heard} == {101}


async def test_digits_are_tones_for_a_leg_without_events(media: MediaProcess, phones: Phones):
    alice = phones()
    await media.engine.publish("c", "a", alice.sdp("8"))
    await media.engine.dtmf("c", "a", "5")
    pcm = sound(await alice.hear(5))
    assert goertzel.share(pcm, 770) > 0.3
    assert goertzel.share(pcm, 1336) > 0.3


@pytest.mark.parametrize(("formats", "law"), [("8", "PCMA"), ("0", "PCMU")])
async def test_tone_is_heard_by_its_frequency(
    media: MediaProcess, phones: Phones, formats: str, law: codecs.Law
):
    alice = phones()
    await media.engine.publish("c", "a", alice.sdp(formats))
    await media.engine.play("c", "a", tones.RINGBACK, repeat=True)
    heard = await alice.hear(12)
    assert goertzel.heard_frequency_hz(sound(heard, law)) == pytest.approx(440, abs=3)
    assert {packet.payload_type for packet in heard} == {int(formats)}


async def test_wav_is_played_to_its_end_and_told(media: MediaProcess, phones: Phones, tmp_path: Path):
    path = tmp_path / "prompt.wav"
    path.write_bytes(wav.build(tones.samples(tones.sine(620, 250))))
    alice = phones()
    await media.engine.publish("c", "a", alice.sdp("8"))
    await media.engine.play("c", "a", Wav(str(path)))
    await media.until(lambda event: event == PlayFinished("c", "a"))
    heard = await alice.hear(13)  # 12 and a half packets
    assert goertzel.heard_frequency_hz(sound(heard)) == pytest.approx(620, abs=3)
    assert alice.heard_nothing()


async def test_packets_that_we_play_are_20_ms_apart_in_time_and_in_numbers(
    media: MediaProcess, phones: Phones
):
    alice = phones()
    await media.engine.publish("c", "a", alice.sdp("8"))
    await media.engine.play("c", "a", tones.sine(500, 2000))
    loop = asyncio.get_running_loop()
    heard = await alice.hear(2)
    started = loop.time()
    heard += await alice.hear(50)
    assert loop.time() - started >= 0.85  # never faster than time; drift is tested with time as a value
    assert {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(heard)} == {160}
    assert {(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(heard)} == {1}


async def test_file_that_cannot_be_played_is_told_as_finished(
    media: MediaProcess, phones: Phones, tmp_path: Path
):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    await media.engine.publish("c", "a", phones().sdp("8"))
    for path in (broken, tmp_path / "absent.wav"):
        media.events.clear()
        await media.engine.play("c", "a", Wav(str(path)))
        await media.until(lambda event: event == PlayFinished("c", "a"))


async def test_play_to_a_codec_that_we_do_not_speak_is_told_as_finished(media: MediaProcess, phones: Phones):
    g722 = phones().sdp("9", rtpmaps=())
    await joined(media, phones, alice_sdp=g722, bob_sdp=g722)
    await media.engine.play("c", "a", tones.BUSY)
    await media.until(lambda event: event == PlayFinished("c", "a"))


async def test_stopped_play_is_silent_and_not_told(media: MediaProcess, phones: Phones):
    alice = phones()
    await media.engine.publish("c", "a", alice.sdp("8"))
    await media.engine.play("c", "a", tones.sine(500, 400), repeat=True)
    await alice.hear(3)
    await media.engine.stop("c", "a")
    await media.engine.query("c")
    while not alice.heard_nothing():
        pass
    await media.engine.play("c", "a", tones.sine(900, 200))
    await media.until(lambda event: event == PlayFinished("c", "a"))
    assert media.events.count(PlayFinished("c", "a")) == 1
    assert goertzel.heard_frequency_hz(sound(await alice.hear(10))) == pytest.approx(900, abs=3)


async def test_joining_a_leg_ends_its_ringback(media: MediaProcess, phones: Phones):
    alice, bob = phones(), phones(1000)
    await media.engine.publish("c", "a", alice.sdp("8"))
    await media.engine.play("c", "a", tones.RINGBACK, repeat=True)
    await alice.hear(3)
    offered = await media.engine.offer("c", "a", "b", alice.sdp("8"))
    await media.engine.answer("c", "b", "a", bob.sdp("8"))
    await media.engine.query("c")
    while not alice.heard_nothing():
        pass
    for frame in bob.tone(10):
        bob.send(target(offered), frame)
    assert goertzel.heard_frequency_hz(sound(await alice.hear(10))) == pytest.approx(1000, abs=3)


async def test_speech_is_heard_and_kept(media: MediaProcess, phones: Phones, tmp_path: Path):
    # Needs espeak-ng (Debian package of that name), which Beffroi's set-up installs.
    alice = phones()
    await media.engine.publish("c", "a", alice.sdp("8"))
    await media.engine.play("c", "a", Speech("Bonjour.", "fr"))
    heard = await alice.hear(20)
    assert goertzel.level(sound(heard)) > 100
    assert len(list((tmp_path / "prompts").glob("*.wav"))) == 1


async def test_each_leg_gets_reports_of_ours_on_its_rtcp_port(media: MediaProcess, phones: Phones):
    pair = await joined(media, phones)
    pair.alice.rtcp.sendto(b"\x80\xc8\x00\x01ALIC", (pair.alice_sends_to[0], pair.alice_sends_to[1] + 1))
    for _ in range(3):
        pair.alice.send(pair.alice_sends_to)
    (first, *_) = await pair.bob.hear(3)
    to_bob, to_alice = await asyncio.gather(pair.bob.receive_rtcp(), pair.alice.receive_rtcp())
    assert rtcp.packet_types(to_bob) == [rtcp.SENDER_REPORT, rtcp.SOURCE_DESCRIPTION]
    assert int.from_bytes(to_bob[4:8]) == first.ssrc
    assert int.from_bytes(to_bob[20:24]) == 3
    assert rtcp.packet_types(to_alice) == [rtcp.RECEIVER_REPORT, rtcp.SOURCE_DESCRIPTION]
    assert int.from_bytes(to_alice[8:12]) == pair.alice.ssrc


async def test_silence_is_told_once_and_the_next_packet_too(tmp_path: Path, plane: PlaneName, phones: Phones):
    media = MediaProcess(tmp_path, plane=plane, silence_seconds=0.5)
    await media.engine.start()
    pair = await joined(media, phones)
    await media.until(lambda event: isinstance(event, MediaSilent) and event.leg == "a")
    pair.alice.send(pair.alice_sends_to)
    await media.until(lambda event: event == MediaHeard("c", "a"))
    silent = [event for event in media.events if isinstance(event, MediaSilent) and event.leg == "a"]
    assert len(silent) == 1
    assert silent[0].seconds >= 0.5
    assert media.stop() == 0


async def test_leg_on_hold_is_not_told_as_silent(tmp_path: Path, plane: PlaneName, phones: Phones):
    media = MediaProcess(tmp_path, plane=plane, silence_seconds=0.5)
    await media.engine.start()
    alice, bob, carol = phones(), phones(), phones()
    await media.engine.offer("held", "a", "b", alice.sdp(direction="sendonly"))
    await media.engine.answer("held", "b", "a", bob.sdp("8 101", "recvonly"))
    await media.engine.publish("other", "c", carol.sdp())
    await media.until(lambda event: isinstance(event, MediaSilent) and event.call == "other")
    assert [event for event in media.events if isinstance(event, MediaSilent) and event.call == "held"] == []
    assert media.stop() == 0


async def test_query_counts_packets_bytes_and_loss(media: MediaProcess, phones: Phones):
    pair = await joined(media, phones)
    for number in range(10):
        if number in (3, 4):
            pair.alice.sequence += 1
        else:
            pair.alice.send(pair.alice_sends_to)
    await pair.bob.hear(8)
    alice, bob = await leg(media, "a"), await leg(media, "b")
    assert (alice.packets, alice.bytes_received, alice.lost) == (8, 8 * 160, 2)
    assert (bob.packets, bob.packets_sent) == (0, 8)
    assert 0 <= alice.silent_seconds < 3
    assert alice.jitter_ms >= 0


BOTH = ("127.0.0.1", "::1")


async def test_ipv6_is_relayed(tmp_path: Path, plane: PlaneName, phones: Phones):
    media = MediaProcess(tmp_path, plane=plane, addresses=("::1",))
    await media.engine.start()
    alice, bob = phones(host="::1"), phones(host="::1")
    await media.engine.offer("c", "a", "b", alice.sdp())
    answered = await media.engine.answer("c", "b", "a", bob.sdp("8"))
    await media.engine.query("c")
    alice.send(target(answered), b"\x06" * 160)
    assert (await bob.hear())[0].payload == b"\x06" * 160
    assert media.stop() == 0


async def test_phones_of_both_kinds_of_address_hear_each_other(
    tmp_path: Path, plane: PlaneName, phones: Phones
):
    media = MediaProcess(tmp_path, plane=plane, addresses=BOTH)
    await media.engine.start()
    alice, bob = phones(host="::1"), phones()
    offered = await media.engine.offer("c", "a", "b", alice.sdp(), advertise="127.0.0.1")
    answered = await media.engine.answer("c", "b", "a", bob.sdp("8"))
    await media.engine.query("c")
    assert (target(offered)[0], target(answered)[0]) == ("127.0.0.1", "::1")
    assert (b"IN IP4 127.0.0.1" in offered, b"IN IP6 ::1" in answered) == (True, True)
    alice.send(target(answered), b"\x06" * 160)
    bob.send(target(offered), b"\x07" * 160)
    assert (await bob.hear())[0].payload == b"\x06" * 160
    assert (await alice.hear())[0].payload == b"\x07" * 160
    assert media.stop() == 0


async def test_leg_is_on_the_kind_of_address_that_its_own_sdp_has(tmp_path: Path, phones: Phones):
    # RFC 8866 section 5.7: what c= says.
    media = MediaProcess(tmp_path, addresses=BOTH)
    await media.engine.start()
    alice, bob = phones(host="::1"), phones()
    # An address of the other kind can't be told to her, whoever asks for it.
    published = await media.engine.publish("c", "a", alice.sdp(), advertise="203.0.113.7")
    assert target(published)[0] == "::1"
    assert target(await media.engine.publish("d", "b", bob.sdp()))[0] == "127.0.0.1"
    # Without a word, who is offered something is thought to be where the offerer is.
    assert target(await media.engine.offer("e", "a", "b", alice.sdp()))[0] == "::1"
    assert target(await media.engine.terminate_offer("f", "a", advertise="2001:db8::7"))[0] == "2001:db8::7"
    assert media.stop() == 0


async def test_both_kinds_of_address_have_the_whole_range_of_ports(tmp_path: Path, phones: Phones):
    media = MediaProcess(tmp_path, addresses=BOTH, pairs=3)
    await media.engine.start()
    alice, bob = phones(host="::1"), phones()
    ports = [target(await media.engine.publish(f"6{n}", "a", alice.sdp()))[1] for n in range(3)]
    assert ports == [target(await media.engine.publish(f"4{n}", "b", bob.sdp()))[1] for n in range(3)]
    with pytest.raises(MediaRefused):
        await media.engine.publish("63", "a", alice.sdp())
    await media.engine.delete("60")
    await media.engine.publish("63", "a", alice.sdp())
    with pytest.raises(MediaRefused):
        await media.engine.publish("43", "b", bob.sdp())
    assert media.stop() == 0


async def test_port_of_an_ended_call_relays_nothing(media: MediaProcess, phones: Phones):
    pair = await joined(media, phones)
    await media.engine.delete("c")
    carol = phones()
    to = target(await media.engine.publish("other", "x", carol.sdp()))
    await media.engine.echo("other", "x")
    await media.engine.query("other")
    pair.alice.send(pair.alice_sends_to)
    for _ in range(2):  # when the second comes back, the turn that read alice's packet is over
        carol.send(to)
        await carol.hear()
    assert pair.bob.heard_nothing()


async def test_pool_grows_ahead_of_the_calls(media: MediaProcess, phones: Phones):
    body = phones().sdp(host="192.0.2.9")
    ports = {target(await media.engine.publish(str(number), "a", body))[1] for number in range(90)}
    assert len(ports) == 90
    assert all(port % 2 == 0 for port in ports)


async def test_burst_of_calls_waits_for_ports_and_none_is_refused(tmp_path: Path, phones: Phones):
    media = MediaProcess(tmp_path, pairs=200)
    await media.engine.start()
    body = phones().sdp(host="192.0.2.9")
    answers = await asyncio.gather(*(media.engine.publish(str(n), "a", body) for n in range(200)))
    assert len({target(answer)[1] for answer in answers}) == 200
    assert media.stop() == 0


async def taken(media: MediaProcess) -> list[tuple[int, int, int]]:
    """What the legs of the call have sent: packets, what were none, and what were too many."""
    legs = (await media.engine.query("c")).legs.values()
    return [(leg.packets, leg.invalid_packets, leg.limited_packets) for leg in legs]


async def test_strange_datagrams_leave_the_relay_working(media: MediaProcess, phones: Phones):
    pair = await joined(media, phones)
    read = await taken(media)
    for number in range(2000):
        pair.alice.rtp.sendto(os.urandom(number % 60), pair.alice_sends_to)
        if number % 100 == 0:  # until they are read: the socket's buffer holds few more
            while read != (read := await taken(media)):
                pass
    pair.alice.rtp.sendto(b"\x80\x08" + bytes(9000), pair.alice_sends_to)
    while not any(packet.payload == b"\x07" * 160 for packet in pair.bob.arrived()):
        pair.alice.send(pair.alice_sends_to, b"\x07" * 160)  # what was before it may have filled a buffer
        await asyncio.sleep(0.02)


async def test_death_of_the_process_is_told_and_calls_go_on_with_another(media: MediaProcess, phones: Phones):
    pair = await joined(media, phones)
    media.process.send_signal(signal.SIGKILL)
    await media.until(lambda event: isinstance(event, EngineLost))
    assert finish(media.process) == -signal.SIGKILL
    with pytest.raises(MediaUnavailable):
        await media.engine.publish("other", "x", phones().sdp())
    media.process, control = media.spawn()
    await media.engine.reconnect(control)
    await media.engine.query("c")
    pair.alice.send(pair.alice_sends_to, b"\x08" * 160)
    assert (await pair.bob.hear())[0].payload == b"\x08" * 160
    await media.engine.publish("other", "x", phones().sdp())


async def test_an_echo_goes_on_with_another_process(media: MediaProcess, phones: Phones):
    alice = phones()
    to = target(await media.engine.publish("c", "a", alice.sdp()))
    await media.engine.echo("c", "a")
    await another_process(media)
    alice.send(to, b"\x09" * 160)
    assert (await alice.hear())[0].payload == b"\x09" * 160


async def test_what_was_played_begins_again_with_another_process(media: MediaProcess, phones: Phones):
    alice = phones()
    await media.engine.publish("c", "a", alice.sdp("8"))
    await media.engine.play("c", "a", tones.RINGBACK, repeat=True)
    await alice.hear(3)
    await another_process(media)
    heard = await alice.hear(30)
    assert goertzel.heard_frequency_hz(sound(heard[-12:])) == pytest.approx(440, abs=3)
    await media.engine.play("c", "a", tones.BUSY)
    await media.until(lambda event: event == PlayFinished("c", "a"))


async def another_process(media: MediaProcess) -> None:
    """Kill the media process and connect the engine to a new one."""
    media.process.send_signal(signal.SIGKILL)
    await media.until(lambda event: isinstance(event, EngineLost))
    assert finish(media.process) == -signal.SIGKILL
    media.process, control = media.spawn()
    await media.engine.reconnect(control)
    await media.engine.query("c")


async def test_call_goes_on_with_another_signalling_process(lasting_media: MediaProcess, phones: Phones):
    media = lasting_media
    pair = await joined(media, phones)
    pair.alice.send(pair.alice_sends_to)
    (before,) = await pair.bob.hear()
    kept = msgspec.msgpack.encode([media.engine.snapshot(call) for call in ("c", "unknown")])

    # The process that knew the call is gone; the media process relays on.
    media.engine.close()
    pair.alice.send(pair.alice_sends_to)
    (meanwhile,) = await pair.bob.hear()

    media.engine = PythonEngine(media.connect(), ("127.0.0.1",), media.events.append)
    for snapshot in msgspec.msgpack.decode(kept, type=list[CallMediaSnapshot]):
        media.engine.restore(snapshot)
    await media.engine.start()
    await media.engine.query("c")
    pair.alice.send(pair.alice_sends_to)
    (after,) = await pair.bob.hear()
    assert before.ssrc == meanwhile.ssrc == after.ssrc
    assert [packet.sequence - before.sequence & 0xFFFF for packet in (meanwhile, after)] == [1, 2]

    # What either says next goes on from the bodies that were said before.
    other_law = pair.alice.sdp("0", version=2)
    offered = sdp.parse(await media.engine.offer("c", "a", "b", other_law))
    assert (offered.origin[2], offered.media[0].port) == ("2", pair.bob_sends_to[1])
    answered = sdp.parse(await media.engine.answer("c", "b", "a", pair.bob.sdp("0")))
    assert (answered.origin[2], answered.media[0].port) == ("2", pair.alice_sends_to[1])
    assert media.engine.codec("c", "a") == "PCMU"
    other = target(await media.engine.publish("d", "x", phones().sdp()))
    assert other not in (pair.alice_sends_to, pair.bob_sends_to)
    await media.engine.delete("c")
    await media.engine.delete("d")
    assert sum(media.engine.inventory().values()) == 0


@pytest.mark.parametrize("body", [b"\xff\xff\xff\xff", b"\0\0\0\x03abc", b"\0\0\0\x01\xc1"])
async def test_bad_control_message_kills_the_process_loudly(tmp_path: Path, body: bytes):
    media = MediaProcess(tmp_path)
    with media.engine._control as control:
        control.sendall(body)
        assert media.process.stderr is not None
        complaint = await asyncio.to_thread(media.process.stderr.read)
    assert finish(media.process) == 1
    assert b"media process stops" in complaint


async def test_process_that_talks_nonsense_is_given_up(tmp_path: Path):
    media = MediaProcess(tmp_path)
    await media.engine.start()
    old = media.process
    ours, theirs = socket.socketpair()
    theirs.sendall(frames.frame([wire.Ports((21000,), False)]))
    await media.engine.reconnect(ours)
    theirs.sendall(b"\0\0\0\x03abc")
    await media.until(lambda event: isinstance(event, EngineLost))
    theirs.close()
    assert finish(old) == 0


def send_digits(phone: Phone, to: tuple[str, int], digits: str) -> None:
    """Press keys on a phone: all packets of the events, the ends three times."""
    start = phone.timestamp
    for packet in dtmf.packets(digits):
        start += packet.advance_ticks
        if packet.payload:
            phone.timestamp = start
            phone.send(to, packet.payload, 101, marker=packet.marker)
