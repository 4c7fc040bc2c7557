"""One codec into another: what is heard, and when."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.g711 import CodecError, Samples
from media.rtp import Frame
from media.sdp import Codec
from media.transcoder import Transcoder
from media.voice import decoder_of, encoder_of
from tests.media.listening import heard, rms, tone
from tests.media.test_voice_codecs import CODECS, G722, L16, OPUS, PCMA, PCMU

PAIRS = [(source, target) for source in CODECS for target in CODECS if source is not target]


def names(pair: object) -> str:
    return getattr(pair, "name", "")


def packets(codec: Codec, seconds: float = 1, hz: float = 1000, ms: int = 20) -> list[tuple[bytes, int]]:
    """Payloads and timestamps of a tone."""
    encoder = encoder_of(codec)
    sound, count = tone(hz, seconds, encoder.rate), encoder.rate * ms // 1000
    return [
        (
            encoder.encode(sound[start : start + count]),
            0xFFFFFF00 + place * encoder.clock_rate * ms // 1000 & 0xFFFFFFFF,
        )
        for place, start in enumerate(range(0, len(sound), count))
    ]


def played(frames: list[Frame], codec: Codec) -> Samples:
    decoder = decoder_of(codec)
    return np.concatenate([decoder.decode(frame.payload) for frame in frames])


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=names)
def test_tone_comes_through_every_pair(source: Codec, target: Codec):
    transcoder = Transcoder(source, target)
    frames = [frame for packet in packets(source) for frame in transcoder.voice(*packet)]
    assert len(frames) in (49, 50)
    clock_rate, rate = decoder_of(target).clock_rate, decoder_of(target).rate
    assert {frame.advance_ticks for frame in frames[1:]} == {clock_rate // 50}
    amplitude, clean_db = heard(played(frames, target)[rate // 5 :], 1000, rate)
    assert 0.7 < amplitude / 8000 < 1.3
    # Two codecs in a row: Opus codes what is heard (some 15 dB on a sine), the others the waveform.
    assert clean_db > (10 if OPUS in (source, target) else 25)


@pytest.mark.parametrize("ms", [10, 30, 40, 60])
def test_packets_of_any_length_become_frames_of_twenty_milliseconds(ms: int):
    transcoder = Transcoder(PCMU, OPUS)
    frames = [frame for packet in packets(PCMU, 1.2, ms=ms) for frame in transcoder.voice(*packet)]
    assert len(frames) == 60
    assert {frame.advance_ticks for frame in frames[1:]} == {960}


def test_first_frame_begins_a_talk_spurt():
    # RFC 3551 section 4.1
    transcoder = Transcoder(PCMU, PCMA)
    marks = [frame.marker for packet in packets(PCMU, 0.1) for frame in transcoder.voice(*packet)]
    assert marks == [True, False, False, False, False]


@pytest.mark.parametrize(
    ("source", "target"), [(PCMA, G722), (PCMA, OPUS), (OPUS, PCMA), (G722, L16)], ids=names
)
def test_lost_packet_is_concealed_and_no_time_is_lost(source: Codec, target: Codec):
    transcoder, sent = Transcoder(source, target), packets(source, hz=400)
    frames = []
    for number, packet in enumerate(sent):
        if number not in (20, 30, 31):
            frames += transcoder.voice(*packet)
    clock_rate, rate = decoder_of(target).clock_rate, decoder_of(target).rate
    assert {frame.advance_ticks for frame in frames[1:]} == {clock_rate // 50}
    sound = played(frames, target)
    for number in (20, 30):
        assert rms(sound[number * rate // 50 : (number + 1) * rate // 50]) > 2000


def test_silence_that_was_not_sent_stays_silence():
    transcoder, sent = Transcoder(PCMA, OPUS), packets(PCMA)
    frames = [frame for packet in sent[:10] + sent[40:] for frame in transcoder.voice(*packet)]
    assert len(frames) == 20
    assert (frames[10].advance_ticks, frames[10].marker) == (31 * 960, True)


def test_late_packet_is_left_out():
    transcoder, sent = Transcoder(PCMA, PCMU), packets(PCMA)
    transcoder.voice(*sent[0])
    transcoder.voice(*sent[2])
    assert transcoder.voice(*sent[1]) == []


@pytest.mark.parametrize("jump", [-80_000, 80_000_000])
def test_sender_with_a_new_clock_goes_on(jump: int):
    transcoder, sent = Transcoder(PCMA, PCMU), packets(PCMA)
    for packet in sent[:10]:
        transcoder.voice(*packet)
    later = [(payload, timestamp + jump & 0xFFFFFFFF) for payload, timestamp in sent[10:20]]
    frames = [frame for packet in later for frame in transcoder.voice(*packet)]
    assert [frame.advance_ticks for frame in frames] == [160] * 10


def test_event_passes_untouched_between_equal_clocks():
    # RFC 4733 section 2.3
    transcoder, sent = Transcoder(PCMA, PCMU), packets(PCMA)
    for packet in sent[:10]:
        transcoder.voice(*packet)
    start = sent[10][1]
    payload = struct.pack(">BBH", 5, 10, 160)
    assert transcoder.event(payload, start, marker=True) == Frame(payload, True, 160)
    assert transcoder.event(payload, start, marker=False) == Frame(payload, False, 0)
    # Voice goes on behind the digit.
    assert [frame.advance_ticks for frame in transcoder.voice(*sent[14])] == [4 * 160]


def test_duration_of_an_event_is_counted_in_the_other_clock():
    # RFC 4733 section 2.3.5
    payload = struct.pack(">BBH", 11, 0x80 | 10, 960)
    frame = Transcoder(PCMA, OPUS).event(payload, 0, marker=False)
    assert frame.payload == struct.pack(">BBH", 11, 0x80 | 10, 5760)


def test_event_cut_short_is_refused():
    with pytest.raises(CodecError):
        Transcoder(PCMA, PCMU).event(b"\1\2\3", 0, marker=True)


def test_codec_that_is_not_ours_is_refused():
    with pytest.raises(CodecError):
        Transcoder(Codec(18, "G729", 8000, 1, "g729/8000/1"), PCMU)


@settings(max_examples=100, deadline=None)
@given(
    pair=st.sampled_from([(PCMA, G722), (OPUS, PCMU), (G722, OPUS), (L16, PCMA)]),
    sent=st.lists(st.tuples(st.binary(max_size=400), st.integers(0, 0xFFFFFFFF)), max_size=20),
)
def test_any_payloads_at_any_times_are_frames_or_one_error(
    pair: tuple[Codec, Codec], sent: list[tuple[bytes, int]]
):
    transcoder = Transcoder(*pair)
    for payload, timestamp in sent:
        try:
            frames = transcoder.voice(payload, timestamp)
        except CodecError:
            continue
        assert len(frames) <= 20
