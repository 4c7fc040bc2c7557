"""Tones of the telephone, and hearing them again."""

import pytest

from media import goertzel, tones
from media.tones import Segment, Tone


def test_ringback_of_france_is_440_hz_for_1_5_s_of_5():
    pcm = tones.samples(tones.RINGBACK)
    assert len(pcm) == 40_000
    assert goertzel.heard_frequency_hz(pcm[:12_000]) == 440
    assert not any(pcm[12_000:])


@pytest.mark.parametrize(("name", "on_ms"), [("busy", 500), ("congestion", 250)])
def test_busy_and_congestion_of_france_are_as_long_on_as_off(name: str, on_ms: int):
    pcm = tones.samples(tones.FRANCE[name])
    assert len(pcm) == 2 * on_ms * 8
    assert goertzel.heard_frequency_hz(pcm[: on_ms * 8]) == 440
    assert not any(pcm[on_ms * 8 :])


def test_tone_repeated_has_no_click():
    pcm = tones.samples(tones.sine(1000))
    assert abs(pcm[0] - pcm[-1]) <= abs(pcm[1] - pcm[0]) + 1


def test_keys_are_two_frequencies_at_once():
    pcm = tones.samples(tones.key_presses("7"))[:800]
    assert goertzel.share(pcm, 852) > 0.4
    assert goertzel.share(pcm, 1209) > 0.4
    assert goertzel.share(pcm, 697) < 0.05


@pytest.mark.parametrize(
    "tone",
    [
        Tone(()),
        tones.sine(440, 0),
        tones.sine(4000),
        tones.sine(0),
        tones.sine(440, 61_000),
        Tone((Segment(-5), Segment(10))),
    ],
)
def test_tone_that_cannot_be_heard_is_refused(tone: Tone):
    with pytest.raises(ValueError, match=r"a tone lasts|a segment has"):
        tones.samples(tone)


def test_silence_and_noise_have_no_frequency():
    assert goertzel.heard_frequency_hz(tones.samples(Tone((Segment(200),)))) == 0.0
    chord = tones.samples(Tone((Segment(200, (400, 700, 1100, 1500)),)))
    assert goertzel.heard_frequency_hz(chord) == 0.0
    assert goertzel.heard_frequency_hz(chord[:0]) == 0.0


@pytest.mark.parametrize("frequency", [200, 441, 1003, 2222, 3399])
def test_frequency_is_heard_within_two_hertz(frequency: int):
    assert goertzel.heard_frequency_hz(tones.samples(tones.sine(frequency, 300))) == pytest.approx(
        frequency, abs=2
    )
