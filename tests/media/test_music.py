"""Music on hold: a file or our melody, for any codec, round and round."""

import logging
import struct
from array import array
from pathlib import Path

import numpy as np
import pytest

from media import music, wav
from media.g711 import CodecError, Samples
from media.music import HoldMusic
from media.sdp import Codec
from media.voice import decoder_of, natural_rate
from tests.media.listening import heard, rms, tone
from tests.media.test_voice_codecs import CODECS, G722, OPUS, PCMA


def wav_of(samples: Samples, rate: int) -> bytes:
    """A WAV of one channel at any rate."""
    data = bytearray(wav.build(array("h", samples.tobytes())))
    struct.pack_into("<II", data, 24, rate, 2 * rate)
    return bytes(data)


def played(loop: tuple[bytes, ...], codec: Codec, turns: int = 1) -> Samples:
    decoder = decoder_of(codec)
    return np.concatenate([decoder.decode(payload) for payload in loop * turns])


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_melody_is_heard_in_every_codec(codec: Codec):
    loop = HoldMusic().loop(codec)
    assert len(loop) == 1280
    sound, true = played(loop, codec), music.melody(natural_rate(codec))
    assert rms(sound) == pytest.approx(rms(true), rel=0.2)


def test_melody_is_calm_and_never_silent():
    sound = music.melody(8000)
    assert int(np.max(np.abs(sound))) <= 4000
    seconds = [rms(sound[start : start + 4000]) for start in range(0, len(sound) - 4000, 4000)]
    assert min(seconds) > 150


def test_melody_goes_round_without_a_click():
    sound = music.melody(8000).astype(int)
    twice = np.concatenate((sound, sound))
    steps = np.abs(np.diff(twice))
    assert steps[len(sound) - 1] <= np.max(steps[: len(sound) - 1])
    assert rms(sound[-400:].astype(np.int16)) > 50


def test_piece_is_encoded_once_for_all_legs():
    hold = HoldMusic()
    assert hold.loop(PCMA) is hold.loop(PCMA)


def test_loops_kept_for_what_phones_say_are_bounded():
    hold = HoldMusic()
    for bits in range(20):
        hold.loop(PCMA, f"x={bits}")
    assert len(hold._loops) <= 16


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_file_is_heard_at_the_rate_of_the_codec(tmp_path: Path, rate: int):
    path = tmp_path / "music.wav"
    path.write_bytes(wav_of(tone(440, 3, rate, 20000), rate))
    for codec in (PCMA, G722, OPUS):
        sound, own_rate = played(HoldMusic(path).loop(codec), codec), natural_rate(codec)
        assert len(sound) == pytest.approx(2.6 * own_rate, abs=own_rate // 50)
        amplitude, _ = heard(sound[own_rate:], 440, own_rate)
        assert amplitude == pytest.approx(4000, rel=0.15)


def test_end_of_a_file_is_joined_to_its_beginning():
    joined = music.from_wav(wav_of(np.linspace(20000, -20000, 24000).astype(np.int16), 8000), 8000)
    # Cut hard, it would jump over the whole range from the last sample to the first.
    assert abs(int(joined[0]) - int(joined[-1])) < 50


@pytest.mark.parametrize("data", [b"", b"RIFF", wav_of(tone(440, 0.5), 8000)])
def test_file_that_cannot_be_played_is_replaced_by_our_melody(
    tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "music.wav"
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(HoldMusic(path).samples(8000), music.melody(8000))
    assert "our melody" in caplog.text


def test_absent_file_is_replaced_by_our_melody(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        assert HoldMusic(tmp_path / "gone.wav").samples(8000) is music.melody(8000)
    assert "gone.wav" in caplog.text


def test_silent_file_is_silence():
    assert not music.from_wav(wav_of(np.zeros(16000, np.int16), 8000), 8000).any()


def test_codec_that_is_not_ours_is_refused():
    with pytest.raises(CodecError):
        HoldMusic().loop(Codec(18, "G729", 8000, 1, "g729/8000/1"))
