"""G.711 on arrays, G.722, Opus and L16: each against FFmpeg's or a table's other side."""

import random
from array import array

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import codecs, g711, g722, opus
from media.codecs import Law
from media.g711 import CodecError, Samples
from media.sdp import Codec
from media.voice import decoder_of, encoder_of, natural_rate
from tests.media.listening import ffmpeg_decoder, heard, rms, tone, voice

LAWS: list[Law] = ["PCMU", "PCMA"]
PCMU = Codec(0, "PCMU", 8000, 1, "pcmu/8000/1")
PCMA = Codec(8, "PCMA", 8000, 1, "pcma/8000/1")
G722 = Codec(9, "G722", 8000, 1, "g722/8000/1")
OPUS = Codec(96, "opus", 48000, 2, "opus/48000/2")
L16 = Codec(97, "L16", 16000, 1, "l16/16000/1")
CODECS = [PCMU, PCMA, G722, OPUS, L16]


def frames(samples: Samples, count: int) -> list[Samples]:
    return [samples[start : start + count] for start in range(0, len(samples) - count + 1, count)]


@pytest.mark.parametrize("law", LAWS)
def test_arrays_and_tables_are_one_g711(law: Law):
    every = np.arange(-32768, 32768).astype(np.int16)
    assert g711.encode(law, every) == codecs.encode(law, array("h", every.tolist()))
    assert g711.decode(law, bytes(range(256))).tolist() == codecs.decode(law, bytes(range(256))).tolist()


@pytest.mark.parametrize(("law", "name"), [("PCMU", "pcm_mulaw"), ("PCMA", "pcm_alaw")])
def test_every_code_of_g711_is_ffmpegs_sample(law: Law, name: str):
    context = ffmpeg_decoder(name)
    [frame] = context.decode(av.Packet(bytes(range(256))))
    theirs = np.frombuffer(bytes(frame.planes[0]), np.int16)[:256]
    assert g711.decode(law, bytes(range(256))).tolist() == theirs.tolist()


def test_g722_carries_seven_kilohertz():
    for frequency, least_db in [(300, 25), (1000, 25), (3000, 25), (6500, 12)]:
        encoder, decoder = g722.Encoder(), g722.Decoder()
        sound = [decoder.decode(encoder.encode(one)) for one in frames(tone(frequency, 1, 16000), 320)]
        assert {len(one) for one in sound} == {320}
        amplitude, clean_db = heard(np.concatenate(sound)[1600:], frequency, 16000)
        # The low band has 6 bits (some 30 dB on a sine), the high one 2.
        assert clean_db > least_db, frequency
        assert 0.8 < amplitude / 8000 < 1.2, frequency


def test_g722_frame_is_64_kbit_a_second():
    assert len(g722.Encoder().encode(tone(440, 0.02, 16000))) == 160


def test_g722_takes_any_bytes_and_any_length():
    decoder = g722.Decoder()
    assert len(decoder.decode(b"")) == 0
    assert len(decoder.decode(bytes(range(256)))) == 512
    with pytest.raises(CodecError):
        decoder.decode(bytes(5000))


@pytest.mark.parametrize("rate", opus.RATES)
def test_ffmpegs_own_decoder_hears_our_opus(rate: int):
    # FFmpeg's "opus" is a decoder written anew, not libopus.
    encoder = opus.Encoder(rate)
    context = ffmpeg_decoder("opus", 48000)
    sound = []
    for one in frames(tone(1000, 1, rate), rate // 50):
        decoded = context.decode(av.Packet(encoder.encode(one)))
        sound += [frame.to_ndarray().reshape(-1)[: frame.samples] for frame in decoded]
    received = np.rint(np.concatenate(sound) * 32767).astype(np.int16)[9600:]
    amplitude, clean_db = heard(received, 1000, 48000)
    assert 0.7 < amplitude / 8000 < 1.3
    assert clean_db > 12  # Opus codes what is heard, not the waveform


@pytest.mark.parametrize("rate", opus.RATES)
@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_we_hear_ffmpegs_opus(rate: int, layout: str):
    context = av.AudioCodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format = 48000, layout, "s16"
    decoder, sound = opus.Decoder(rate), []
    channels = 2 if layout == "stereo" else 1
    for one in frames(tone(1000, 1, 48000), 960):
        frame = av.AudioFrame("s16", layout, 960)
        frame.planes[0].update(np.repeat(one, channels).tobytes())
        frame.sample_rate = 48000
        sound += [decoder.decode(bytes(packet)) for packet in context.encode(frame)]
    amplitude, clean_db = heard(np.concatenate(sound)[rate // 5 :], 1000, rate)
    assert 0.8 < amplitude / 8000 < 1.2
    assert clean_db > 15


def lost_frame_error(*, fec: bool) -> float:
    """How far the sound in the place of a lost frame is from what it would have been."""
    encoder, right, patched = (
        opus.Encoder(16000, opus.Parameters(inband_fec=True)),
        opus.Decoder(16000),
        opus.Decoder(16000),
    )
    encoder.expect_loss(20)
    error, packets = 0.0, [encoder.encode(one) for one in frames(voice(4, 16000), 320)]
    for number, packet in enumerate(packets[:-1]):
        truth = right.decode(packet)
        if number % 10 != 5:
            patched.decode(packet)
            continue
        made_up = patched.recover(packets[number + 1], 320) if fec else patched.conceal(320)
        error += float(np.sum((made_up.astype(float) - truth) ** 2))
    return error


def test_copy_in_the_next_packet_is_nearer_to_what_was_lost_than_concealment():
    # RFC 6716 section 4.2.5: low bit-rate redundancy; at least 3 dB nearer.
    assert lost_frame_error(fec=True) < 0.5 * lost_frame_error(fec=False)


@pytest.mark.parametrize("rate", [8000, 16000])
def test_who_can_use_copies_is_sent_them_from_the_first_word_on(rate: int):
    # RFC 6716 section 4.2.4: the second bit of a mono packet of 20 ms says that it holds a copy.
    encoder = encoder_of(OPUS, rate, "useinbandfec=1")
    packets = [encoder.encode(one) for one in frames(voice(4, rate), rate // 50)]
    assert sum(bool(packet[1] & 0x40) for packet in packets) > len(packets) / 2


def test_opus_refuses_what_is_no_packet():
    decoder = opus.Decoder(8000)
    for payload in (b"", b"\xff\xff\xff", bytes(3000)):
        with pytest.raises(CodecError):
            decoder.decode(payload)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_opus_takes_any_bytes(payload: bytes):
    decoder = decoder_of(OPUS, 8000)
    try:
        sound = decoder.decode(payload)
    except CodecError:
        return
    # What the packet's first byte promises is what comes out.
    assert decoder.ticks(payload) in (0, len(sound) * 6)


def test_damaged_opus_is_sound_or_an_error():
    # 30,000 packets of which a few bytes were changed, through one decoder that has to bear it.
    chance, encoder, decoder = random.Random(6), opus.Encoder(16000), opus.Decoder(8000)
    sent = [encoder.encode(one) for one in frames(voice(2, 16000), 320)]
    heard_ms = 0
    for number in range(30_000):
        damaged = bytearray(sent[number % len(sent)])
        for _ in range(chance.randrange(4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            heard_ms += len(decoder.decode(bytes(damaged[: chance.randrange(1, len(damaged) + 1)]))) // 8
        except CodecError:
            continue
    assert heard_ms > 0
    whole = np.concatenate([decoder.decode(packet) for packet in sent])
    assert 300 < rms(whole) < 10_000


@pytest.mark.parametrize("count", [0, 30, 961, 50_000])
def test_opus_frame_of_another_length_is_an_error_of_ours(count: int):
    with pytest.raises(ValueError):
        opus.Encoder(48000).encode(np.zeros(count, np.int16))


def test_fmtp_of_opus_is_read_and_written():
    # RFC 7587 section 6.1
    said = opus.parse_fmtp("maxplaybackrate=16000; sprop-stereo=1;useinbandfec=1; maxaveragebitrate=20000;x")
    assert said == opus.Parameters(True, 16000, 20000)
    assert opus.parse_fmtp(opus.build_fmtp(said)) == said
    assert opus.build_fmtp(opus.Parameters()) == ""


@pytest.mark.parametrize(
    "value", ["", ";;;", "useinbandfec", "useinbandfec=yes;maxplaybackrate=99999999999", "=1"]
)
def test_fmtp_without_sense_counts_as_absent(value: str):
    assert opus.parse_fmtp(value) == opus.Parameters()


def test_peer_that_asks_for_few_bits_gets_few():
    # RFC 7587 section 3.1.1
    sound = frames(voice(2, 16000), 320)
    sizes = [
        sum(len(encoder.encode(one)) for one in sound)
        for encoder in (opus.Encoder(16000), opus.Encoder(16000, opus.Parameters(max_bits_a_second=8000)))
    ]
    assert sizes[1] < 0.6 * sizes[0]


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_packet_lasts_as_long_as_its_sound(codec: Codec):
    # RFC 6716 section 3.1, RFC 7587 section 4.1: Opus counts 48,000 ticks a second, whatever its rate;
    # RFC 3551 section 4.5.2: G.722 counts 8,000.
    encoder, decoder = encoder_of(codec), decoder_of(codec)
    assert natural_rate(codec) == encoder.rate == decoder.rate
    payload = encoder.encode(tone(440, 0.02, encoder.rate))
    assert decoder.ticks(payload) == decoder.clock_rate // 50
    assert len(decoder.decode(payload)) == decoder.rate // 50


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_lost_frame_is_filled_with_what_was_heard_before(codec: Codec):
    encoder, decoder = encoder_of(codec), decoder_of(codec)
    for one in frames(tone(400, 0.4, encoder.rate), encoder.rate // 50):
        decoder.decode(encoder.encode(one))
    assert rms(decoder.conceal(decoder.rate // 50)) > 2500


@pytest.mark.parametrize(
    "codec",
    [
        Codec(18, "G729", 8000, 1, "g729/8000/1"),
        Codec(11, "L16", 44100, 1, "l16/44100/1"),
        Codec(10, "L16", 16000, 2, "l16/16000/2"),
        Codec(99, "PCMU", 16000, 1, "pcmu/16000/1"),
    ],
)
def test_codec_that_is_not_ours_is_refused(codec: Codec):
    for make in (natural_rate, decoder_of, encoder_of):
        with pytest.raises(CodecError):
            make(codec)


def test_l16_is_high_byte_first():
    # RFC 3551 section 4.5.11
    assert encoder_of(L16).encode(np.array([0x0102, -2], np.int16)) == b"\x01\x02\xff\xfe"
    assert decoder_of(L16).decode(b"\x01\x02\xff\xfe").tolist() == [0x0102, -2]
