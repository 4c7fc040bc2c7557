"""Another sampling rate: tones keep their place, what can't be is gone."""

import numpy as np
import pytest

from media.resampling import Resampler, whole
from tests.media.listening import heard, rms, tone

PAIRS = [
    (8000, 16000),
    (16000, 8000),
    (8000, 48000),
    (48000, 8000),
    (16000, 48000),
    (48000, 32000),
    (24000, 16000),
]


def resampled(sound, from_rate: int, to_rate: int, ms: int = 20):
    resampler, step = Resampler(from_rate, to_rate), from_rate * ms // 1000
    pieces = [resampler.process(sound[start : start + step]) for start in range(0, len(sound), step)]
    assert {len(piece) for piece in pieces} == {to_rate * ms // 1000}
    return np.concatenate(pieces)


@pytest.mark.parametrize(("from_rate", "to_rate"), PAIRS)
@pytest.mark.parametrize("frequency", [100, 1000, 3400])
def test_tone_keeps_its_frequency_and_level(from_rate: int, to_rate: int, frequency: int):
    sound = resampled(tone(frequency, 1, from_rate), from_rate, to_rate)
    amplitude, clean_db = heard(sound[to_rate // 10 :], frequency, to_rate)
    assert abs(amplitude / 8000 - 1) < 0.02
    assert clean_db > 65  # 70 dB of the filter, less the rounding to 16 bits


@pytest.mark.parametrize("from_rate", [16000, 48000])
@pytest.mark.parametrize("frequency", [4300, 5000, 7000])
def test_what_the_lower_rate_cannot_carry_is_gone(from_rate: int, frequency: int):
    sound = resampled(tone(frequency, 1, from_rate), from_rate, 8000)
    assert rms(sound[800:]) < 8  # 57 dB below what came


def test_frames_of_any_length_give_one_sound():
    sound = tone(700, 1, 16000)
    assert np.array_equal(resampled(sound, 16000, 8000, 10), resampled(sound, 16000, 8000, 40))


def test_delay_is_three_milliseconds():
    click = np.zeros(1600, np.int16)
    click[800] = 20000
    assert abs(int(np.argmax(resampled(click, 16000, 8000))) / 8 - 50 - 3) < 0.2


def test_loudest_sound_does_not_turn_over():
    square = np.where(np.arange(16000) % 40 < 20, 32767, -32768).astype(np.int16)
    sound = resampled(square, 16000, 48000).astype(int)
    # Overshoot is cut at the limit: it never becomes a jump from one end to the other.
    assert np.max(np.abs(np.diff(sound))) < 40000


@pytest.mark.parametrize(("from_rate", "to_rate"), [(8000, 44100), (0, 8000), (8000, -1)])
def test_other_rates_are_refused(from_rate: int, to_rate: int):
    with pytest.raises(ValueError):
        Resampler(from_rate, to_rate)


def test_part_of_a_sample_is_refused():
    with pytest.raises(ValueError, match="whole number"):
        Resampler(48000, 8000).process(np.zeros(100, np.int16))


def test_whole_file_is_resampled_without_delay():
    sound = whole(tone(1000, 1, 44100), 44100, 8000)
    assert len(sound) == 8000
    amplitude, clean_db = heard(sound[400:-400], 1000)
    assert abs(amplitude / 8000 - 1) < 0.01
    assert clean_db > 70
