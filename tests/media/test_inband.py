"""Digits in the sound: what a key is and what it isn't (ITU-T Q.24), and what people say."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import dtmf, g711, speech
from media.g711 import Samples
from media.inband import InbandDetector
from media.speech import Speech
from tests.media.listening import as_samples, voice


def amplitude(dbm0: float) -> float:
    """Of a sine: a full-scale one in G.711 is 3.14 dBm0."""
    return 32124 / 10 ** ((3.14 - dbm0) / 20)


def key(
    digit: str,
    milliseconds: float = 45,
    *,
    dbm0: float = -10,
    twist_db: float = 0,
    deviation: float = 0,
    noise_db: float = 60,
    seed: int = 1,
) -> Samples:
    """One key between pauses of 60 ms, beginning anywhere in a frame. noise_db: below one tone."""
    random = np.random.default_rng(seed)
    low, high = dtmf.frequencies_hz(digit)
    place = 2 * np.pi * (1 + deviation) / 8000 * np.arange(round(milliseconds * 8))
    phases = random.uniform(0, 2 * np.pi, 2)
    sound = amplitude(dbm0) * np.sin(low * place + phases[0])
    sound += amplitude(dbm0 + twist_db) * np.sin(high * place + phases[1])
    pause = np.zeros(480)
    sound = np.concatenate((np.zeros(random.integers(160)), pause, sound, pause))
    sound += random.standard_normal(len(sound)) * amplitude(dbm0 - noise_db) / np.sqrt(2)
    return as_samples(np.clip(sound, -32768, 32767))


def digits_in(sound: Samples) -> str:
    """What is detected after A-law, frame by frame."""
    detector = InbandDetector()
    frames = [sound[start : start + 160] for start in range(0, len(sound), 160)]
    return "".join(detector.receive(g711.decode("PCMA", g711.encode("PCMA", frame))) for frame in frames)


def heard(**measures: float) -> float:
    """The part of all keys, each begun at five places, that is detected once."""
    found = [
        digits_in(key(digit, seed=seed, **measures)) == digit for digit in dtmf.DIGITS for seed in range(5)
    ]
    return sum(found) / len(found)


def test_every_key_is_heard_once():
    assert heard() == 1


@pytest.mark.parametrize(("milliseconds", "part"), [(20, 0), (23, 0), (40, 1), (80, 1), (300, 1)])
def test_key_lasts_at_least_forty_milliseconds(milliseconds: float, part: float):
    assert heard(milliseconds=milliseconds) == part


@pytest.mark.parametrize(("deviation", "part"), [(0.018, 1), (-0.018, 1), (0.035, 0), (-0.035, 0)])
def test_frequency_may_be_a_little_wrong(deviation: float, part: float):
    assert heard(deviation=deviation) == part


@pytest.mark.parametrize(("twist_db", "part"), [(4, 1), (-8, 1), (12, 0), (-14, 0)])
def test_one_tone_may_be_louder_than_the_other(twist_db: float, part: float):
    assert heard(twist_db=twist_db) == part


@pytest.mark.parametrize(("dbm0", "part"), [(0, 1), (-25, 1), (-45, 0)])
def test_key_has_a_level(dbm0: float, part: float):
    assert heard(dbm0=dbm0) == part


def test_key_is_heard_through_noise():
    # Q.24: 15 dB below the tone
    assert heard(noise_db=15) == 1


def test_number_dialled_quickly_is_heard_whole():
    number = "0123456789*#ABCD11223399"
    sound = np.concatenate([key(digit, 50)[480:-160] for digit in number])
    assert digits_in(sound) == number


def test_hole_of_ten_milliseconds_does_not_make_two_digits():
    sound = key("5", 200)
    middle = len(sound) // 2
    sound[middle : middle + 80] = 0
    assert digits_in(sound) == "5"


def test_digit_is_down_while_it_sounds():
    detector, down = InbandDetector(), []
    sound = key("7", 200, seed=3)
    for start in range(0, len(sound), 160):
        detector.receive(sound[start : start + 160])
        down.append(detector.digit)
    assert "7" in down
    assert down[0] == down[-1] == ""
    assert 8 <= down.count("7") <= 12


@pytest.mark.parametrize("frequency", [440, 697, 1000, 1336])
def test_single_tone_is_no_digit(frequency: int):
    place = 2 * np.pi * frequency / 8000 * np.arange(8000)
    assert digits_in(as_samples(8000 * np.sin(place))) == ""


@pytest.mark.parametrize("frequencies", [(350, 440), (697, 852), (1209, 1477), (770, 1540), (852, 1704)])
def test_two_other_tones_are_no_digit(frequencies: tuple[int, int]):
    place = 2 * np.pi / 8000 * np.arange(8000)
    sound = sum(8000 * np.sin(place * frequency) for frequency in frequencies)
    assert digits_in(as_samples(np.asarray(sound))) == ""


def test_key_with_its_harmonics_is_a_voice():
    low, high = dtmf.frequencies_hz("1")
    place = 2 * np.pi / 8000 * np.arange(1600)
    pure = 6000 * np.sin(low * place) + 6000 * np.sin(high * place)
    sung = pure + 2000 * np.sin(2 * low * place) + 2000 * np.sin(2 * high * place)
    assert digits_in(as_samples(pure)) == "1"
    assert digits_in(as_samples(sung)) == ""


FRENCH = (
    "Mairie de Valmont, bonjour. L'état civil est ouvert du lundi au vendredi, de neuf heures à midi. "
    "Pour une urgence, composez le quinze, le dix-sept ou le dix-huit. Merci de patienter. Oui, oooh, iiii. "
)
ENGLISH = (
    "Good morning, this is the town hall. Please hold the line, we will answer as soon as we can. "
    "The registry is open from nine to five. Who would you like to speak to? Eeee, oooh, aaah, wheee. "
)


@pytest.mark.parametrize(("language", "text"), [("fr", FRENCH), ("en", ENGLISH)])
def test_speech_is_no_digit(tmp_path: Path, language: str, text: str):
    # Needs espeak-ng (Debian package of that name). Played at other speeds it is other people: the pitch
    # of its one voice goes from a bass to a child. Some 150 s in all.
    spoken = np.array(speech.speak(Speech(text, language), tmp_path), np.int16)
    assert len(spoken) > 8000 * 10
    for speed in (0.6, 0.75, 1.0, 1.35, 1.7):
        place = np.arange(0, len(spoken) - 1, speed)
        assert digits_in(as_samples(np.interp(place, np.arange(len(spoken)), spoken))) == ""


def test_sung_vowels_are_no_digit():
    assert digits_in(voice(30)) == ""


def test_noise_is_no_digit():
    assert digits_in(as_samples(np.random.default_rng(1).normal(0, 3000, 8000 * 30))) == ""


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 500), max_size=12), st.integers(0, 1 << 32))
def test_stretches_of_any_length_hear_the_same(lengths: list[int], seed: int):
    sound = np.concatenate([key("4", 60, seed=seed), key("#", 60, seed=seed)])
    detector, found, start = InbandDetector(), "", 0
    for length in [*lengths, len(sound)]:
        found += detector.receive(sound[start : start + length])
        start = min(len(sound), start + length)
    assert found == "4#"
