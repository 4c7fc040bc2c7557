"""One leg's packets in its peer's codec: what is heard, and with which numbers."""

import random
import struct
from itertools import pairwise

import pytest
from msgspec import structs

from media.engines.converter import Converter, Ear
from media.engines.stream import Player
from media.rtp import Packet
from media.sdp import Codec
from tests.media.listener import EVENTS, G722, NOISE, OPUS, PCMA, PCMU, Listener, Speaker
from tests.media.listening import heard, tone, voice

WIDE_EVENTS = Codec(110, "telephone-event", 48000, 1, "telephone-event/48000/1")


def converted(packets: list[Packet], peer: Listener, sources: tuple[Codec, ...], ear: Ear) -> Converter:
    """Let a converter take packets 20 ms apart."""
    converter = Converter(sources, peer, ear)
    for place, packet in enumerate(packets):
        converter.receive(packet, 100 + 0.02 * place)
    return converter


@pytest.mark.parametrize(
    ("source", "target"),
    [(PCMA, OPUS), (OPUS, PCMU), (G722, PCMA), (PCMU, G722), (OPUS, G722), (G722, OPUS)],
    ids=lambda codec: codec.name,
)
def test_peer_hears_the_tone_in_its_own_codec_and_numbers(source: Codec, target: Codec):
    speaker, peer = Speaker(source), Listener(clock_rate=target.clock_rate)
    converted(speaker.say(tone(700, 1, speaker.rate)), peer, (source,), Ear(target))
    assert {packet.payload_type for packet in peer.sent} == {target.payload_type}
    assert len({packet.ssrc for packet in peer.sent}) == 1
    assert {late.sequence - early.sequence & 0xFFFF for early, late in pairwise(peer.sent)} == {1}
    steps = {late.timestamp - early.timestamp & 0xFFFFFFFF for early, late in pairwise(peer.sent)}
    assert steps == {target.clock_rate // 50}
    rate = Speaker(target).rate
    amplitude, clean_db = heard(peer.sound(target)[rate // 4 :], 700, rate)
    assert amplitude > 5000
    assert clean_db > 10


def test_packets_that_overtook_each_other_are_heard_in_order():
    speaker, in_order, shuffled = Speaker(PCMA), Listener(), Listener()
    packets = speaker.say(tone(500, 0.4))
    converted(packets, in_order, (PCMA,), Ear(PCMU))
    for place in range(2, 18, 4):
        packets[place], packets[place + 1] = packets[place + 1], packets[place]
    converted(packets, shuffled, (PCMA,), Ear(PCMU))
    assert [one.payload for one in shuffled.sent] == [one.payload for one in in_order.sent]


def test_lost_packet_is_concealed():
    speaker, peer = Speaker(PCMA), Listener(clock_rate=48000)
    packets = speaker.say(tone(500, 1))
    del packets[20]
    converted(packets, peer, (PCMA,), Ear(OPUS))
    assert len(peer.sent) in (49, 50)
    assert {late.timestamp - early.timestamp & 0xFFFFFFFF for early, late in pairwise(peer.sent)} == {960}


def test_who_reports_loss_is_sent_copies_until_it_loses_nothing_any_more():
    # RFC 7587 section 3.3. RFC 6716 section 4.2.4: the second bit of a mono packet of 20 ms says "a copy".
    speaker, peer = Speaker(PCMA), Listener(clock_rate=48000)
    converter = Converter((PCMA,), peer, Ear(OPUS, "useinbandfec=1"))
    with_copies = []
    for loss_percent in (0, 10, 0):
        peer.reception.loss_percent = loss_percent
        said = len(peer.sent)
        for packet in speaker.say(voice(3)):
            converter.receive(packet, 100.0)
        with_copies.append(sum(1 for one in peer.sent[said + 5 :] if one.payload[1] & 0x40))
    assert with_copies[0] == 0
    assert with_copies[1] > 20
    assert with_copies[2] == 0


def test_leg_may_change_its_codec_in_mid_stream():
    peer, first, second = Listener(), Speaker(OPUS), Speaker(G722, ssrc=8)
    packets = first.say(tone(600, 0.5, first.rate)) + second.say(tone(600, 0.5, second.rate))
    converted(packets, peer, (OPUS, G722), Ear(PCMA))
    assert len(peer.sent) >= 48
    assert all(0 < late.timestamp - early.timestamp & 0xFFFFFFFF < 400 for early, late in pairwise(peer.sent))
    for part in (peer.sound(PCMA)[800:3600], peer.sound(PCMA)[4800:]):
        assert heard(part, 600)[0] > 5000


def test_event_goes_on_by_the_peers_number_with_durations_of_its_clock():
    # RFC 4733 section 2.1: durations count in the clock of the events' own payload type.
    speaker, peer = Speaker(OPUS), Listener()
    packets = speaker.say(tone(600, 0.1, speaker.rate))
    packets.append(speaker.packet(struct.pack(">BBH", 5, 10, 1920), 110, marker=True))
    converted(packets, peer, (OPUS, WIDE_EVENTS), Ear(PCMA, events=97))
    event = peer.sent[-1]
    assert event.payload_type == 97
    assert struct.unpack(">BBH", event.payload) == (5, 10, 320)


def test_event_before_any_voice_goes_on_as_well():
    peer = Listener(clock_rate=48000)
    packet = Speaker(PCMA).packet(struct.pack(">BBH", 1, 10, 160), 101, marker=True)
    converted([packet], peer, (PCMA, EVENTS), Ear(OPUS, events=110))
    assert [struct.unpack(">BBH", one.payload) for one in peer.sent] == [(1, 10, 960)]


def test_events_are_no_sound_to_a_peer_without_them():
    peer = Listener()
    packet = Speaker(OPUS).packet(struct.pack(">BBH", 1, 10, 160), 101)
    converted([packet], peer, (OPUS, EVENTS), Ear(PCMA))
    assert peer.sent == []


def test_comfort_noise_is_a_pause_and_time_goes_on():
    # RFC 3389: the peer's own comfort noise fills it.
    speaker, peer = Speaker(PCMA), Listener(clock_rate=48000)
    packets = [*speaker.say(tone(500, 0.2)), speaker.packet(b"\x40", 13)]
    spoken = len(packets) - 1
    later = [
        structs.replace(packet, timestamp=packet.timestamp + 20 * 160 & 0xFFFFFFFF)
        for packet in speaker.say(tone(500, 0.2))
    ]
    converted([*packets, *later], peer, (PCMA, NOISE), Ear(OPUS))
    assert peer.sent[spoken].marker
    gap = peer.sent[spoken].timestamp - peer.sent[spoken - 1].timestamp & 0xFFFFFFFF
    assert gap == 22 * 960


def test_peer_that_is_played_something_hears_nothing_of_the_leg():
    speaker, peer = Speaker(PCMA), Listener(clock_rate=48000)
    converter = Converter((PCMA,), peer, Ear(OPUS))
    packets = speaker.say(tone(500, 1))
    for packet in packets[:10]:
        converter.receive(packet, 1.0)
    peer.play(Player(1, 96, iter(())))
    for packet in packets[10:20]:
        converter.receive(packet, 1.2)
    assert len(peer.sent) in (9, 10)
    peer.play(None)
    for packet in packets[20:]:
        converter.receive(packet, 1.4)
    again = peer.sent[10 if len(peer.sent) > 39 else 9]
    assert again.marker


def test_hostile_packets_are_counted_and_never_heard_of():
    chance = random.Random(5)
    peer = Listener(clock_rate=48000)
    sources = (PCMA, PCMU, G722, Codec(96, "opus", 48000, 2, "opus/48000/2"), EVENTS, NOISE)
    converters = [Converter(sources, peer, Ear(target, events=97)) for target in (OPUS, G722, PCMU)]
    sequence = timestamp = 0
    for _ in range(3000):
        sequence += chance.choice((1, 1, 1, 2, -1, 5, chance.randrange(65536)))
        timestamp += chance.choice((160, 160, 0, 960, -160, chance.getrandbits(32)))
        payload = chance.randbytes(chance.choice((0, 1, 3, 4, 33, 160, 161, 320, 1400, 1501, 4000)))
        number = chance.choice((0, 8, 9, 96, 101, 13, 77))
        packet = Packet(
            number, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, chance.choice((1, 1, 1, 2)), payload
        )
        for converter in converters:
            converter.receive(packet, 1.0)
    assert all(converter.broken > 0 for converter in converters)
    assert all(len(packet.payload) <= 1920 for packet in peer.sent if packet.payload_type != 97)
