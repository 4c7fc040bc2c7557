"""What legs are played, in every codec of ours."""

from pathlib import Path

import numpy as np
import pytest

from media import tones, wav
from media.engine import Music, Source, Wav
from media.engines import sounds
from media.engines.sounds import Sounds
from media.g711 import CodecError, Samples
from media.sdp import Codec
from media.speech import Speech
from media.voice import decoder_of
from tests.media.listener import G722, OPUS, PCMA, PCMU
from tests.media.listening import heard, rms

CODECS = [PCMA, PCMU, G722, OPUS]


def played(payloads: tuple[bytes, ...], codec: Codec) -> tuple[Samples, int]:
    decoder = decoder_of(codec)
    return np.concatenate([decoder.decode(payload) for payload in payloads]), decoder.rate


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_tone_is_heard_in_every_codec(codec: Codec, tmp_path: Path):
    sound, rate = played(Sounds(tmp_path).payloads(tones.sine(440, 600), codec), codec)
    assert len(sound) == rate * 600 // 1000
    assert heard(sound[rate // 5 : rate // 2], 440, rate)[0] > 4000


def test_file_is_heard_and_one_that_changed_is_read_again(tmp_path: Path):
    path = tmp_path / "hello.wav"
    made = Sounds(tmp_path)
    path.write_bytes(wav.build(tones.samples(tones.sine(500, 300))))
    before = made.payloads(Wav(str(path)), PCMA)
    assert made.payloads(Wav(str(path)), PCMA) is before
    path.write_bytes(wav.build(tones.samples(tones.sine(500, 500))))
    assert len(made.payloads(Wav(str(path)), PCMA)) == 25


def test_sound_that_is_repeated_ends_where_it_begins(tmp_path: Path):
    # 30 ms of 100 Hz: three turns, one frame and a half.
    tone = tones.sine(100, 30)
    sound, _ = played(Sounds(tmp_path).payloads(tone, PCMA, repeat=True), PCMA)
    assert len(sound) == 480
    assert heard(sound, 100)[1] > 30


def test_sound_that_ends_is_filled_up_with_silence(tmp_path: Path):
    sound, _ = played(Sounds(tmp_path).payloads(tones.sine(100, 30), PCMA), PCMA)
    assert len(sound) == 320
    assert rms(sound[250:]) < 20


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_music_is_heard_in_every_codec(codec: Codec, tmp_path: Path):
    path = tmp_path / "hold.wav"
    path.write_bytes(wav.build(tones.samples(tones.sine(300, 2000))))
    payloads = Sounds(tmp_path, music=path).payloads(Music(), codec, repeat=True)
    sound, rate = played(payloads, codec)
    assert heard(sound[rate // 2 : rate], 300, rate)[0] > 2000


def test_melody_is_heard_where_there_is_no_music(tmp_path: Path):
    sound, _ = played(Sounds(tmp_path).payloads(Music(), PCMA)[:500], PCMA)
    assert rms(sound) > 300


@pytest.mark.parametrize(
    "source", [Wav("/nowhere/at-all.wav"), tones.Tone(()), tones.sine(9000)], ids=["file", "empty", "hertz"]
)
def test_sound_that_cannot_be_is_refused(source: Source, tmp_path: Path):
    with pytest.raises(ValueError, match=r"."):
        Sounds(tmp_path).payloads(source, PCMA)


def test_codec_that_is_not_ours_is_refused(tmp_path: Path):
    with pytest.raises(CodecError):
        Sounds(tmp_path).payloads(tones.DIAL, Codec(18, "G729", 8000, 1, "g729/8000/1"))


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sounds, "KEPT_BYTES", 20_000)
    made = Sounds(tmp_path)
    first = made.payloads(tones.sine(400), PCMA)
    assert made.payloads(tones.sine(400), PCMA) is first
    for hertz in (500, 600, 700):
        made.payloads(tones.sine(hertz), PCMA)
    assert made.payloads(tones.sine(400), PCMA) is not first


class Voice:
    """An engine that says 1,000 Hz."""

    name = "test"

    def synthesise(self, speech: Speech) -> bytes:
        return wav.build(tones.samples(tones.sine(1000, 200)))


def test_prompt_is_spoken_by_the_engine_that_is_given(tmp_path: Path):
    sound, _ = played(Sounds(tmp_path, Voice()).payloads(Speech("Bonjour"), PCMU), PCMU)
    assert heard(sound, 1000)[0] > 4000
