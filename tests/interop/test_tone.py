"""The ear of the peer tests must be able to say no."""

from __future__ import annotations

import math
import random
from array import array
from pathlib import Path

import pytest

from tests.interop.tone import (
    Recording,
    ToneError,
    are_heard,
    heard_frequency,
    is_heard,
    read_recording,
    write_tone,
)


def _recording(*tones_hz: int, seconds: float = 1.0) -> Recording:
    turns = [2 * math.pi * tone / 8000 for tone in tones_hz]
    samples = (round(8000 * sum(math.sin(turn * n) for turn in turns)) for n in range(round(8000 * seconds)))
    return Recording(8000, array("h", samples))


@pytest.mark.parametrize("tone_hz", [200, 440, 1000, 3400])
def test_a_tone_is_heard_at_its_frequency(tone_hz: int) -> None:
    assert heard_frequency(_recording(tone_hz)) == tone_hz


def test_two_tones_at_once_are_not_one_tone() -> None:
    with pytest.raises(ToneError, match="no clear tone"):
        heard_frequency(_recording(440, 850))


def test_one_tone_after_another_is_not_one_tone() -> None:
    first, second = _recording(440), _recording(850)
    with pytest.raises(ToneError, match="no clear tone"):
        heard_frequency(Recording(8000, first.samples + second.samples))


def test_a_tone_is_told_from_its_neighbour() -> None:
    assert is_heard(440, _recording(440))
    assert not is_heard(460, _recording(440))


def test_neither_of_two_tones_at_once_is_the_one_that_is_heard() -> None:
    assert not is_heard(440, _recording(440, 850))


def test_two_tones_at_once_are_heard_together() -> None:
    assert are_heard({440, 850}, _recording(440, 850), but_hz=1020)


def test_one_tone_alone_is_not_two_together() -> None:
    assert not are_heard({440, 850}, _recording(440), but_hz=1020)


def test_two_tones_and_the_one_that_must_not_be_there_are_told_from_two() -> None:
    assert not are_heard({440, 850}, _recording(440, 850, 1020), but_hz=1020)


def test_silence_is_not_a_tone() -> None:
    with pytest.raises(ToneError, match="0 slices"):
        heard_frequency(Recording(8000, array("h", bytes(16_000))))


def test_noise_is_not_a_tone() -> None:
    chance = random.Random(1)
    noise = array("h", (chance.randint(-8000, 8000) for _ in range(8000)))
    with pytest.raises(ToneError, match="no clear tone"):
        heard_frequency(Recording(8000, noise))


def test_less_than_half_a_second_is_not_enough() -> None:
    with pytest.raises(ToneError, match="no clear tone"):
        heard_frequency(_recording(440, seconds=0.4))


def test_a_tone_with_pauses_is_heard() -> None:
    pause = array("h", bytes(16_000))
    assert heard_frequency(Recording(8000, pause + _recording(440).samples + pause)) == 440


def test_the_end_of_a_recording_is_heard_apart() -> None:
    both = Recording(8000, _recording(440).samples + _recording(850).samples)
    assert heard_frequency(both.last(1.0)) == 850


def test_a_file_whose_header_does_not_know_its_length_is_read(tmp_path: Path) -> None:
    file = tmp_path / "tone.wav"
    write_tone(file, 850, seconds=1.0)
    unfinished = bytearray(file.read_bytes())
    unfinished[4:8] = unfinished[40:44] = bytes(4)
    file.write_bytes(unfinished)
    assert heard_frequency(read_recording(file)) == 850


def test_a_file_that_is_not_sound_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "tone.wav"
    file.write_bytes(b"RIFF")
    with pytest.raises(ToneError, match=r"tone\.wav isn't a WAV file"):
        read_recording(file)
