"""Prompts spoken, kept, and replaced by a tone where they can't be."""

import logging
import os
from pathlib import Path

import pytest

from media import goertzel, speech, tones, wav
from media.speech import EspeakNg, Piper, Speech


def engine(folder: Path, script: str) -> EspeakNg:
    """Return an engine that is a shell script."""
    command = folder / "engine"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    return EspeakNg(str(command))


@pytest.mark.parametrize("language", ["fr", "en"])
def test_text_is_spoken_in_both_languages(tmp_path: Path, language: str):
    # Needs espeak-ng (Debian package of that name), which Beffroi's set-up installs.
    pcm = speech.speak(Speech("Bonjour, hello.", language), tmp_path)
    assert pcm != tones.samples(tones.SPECIAL_INFORMATION)
    assert goertzel.level(pcm) > 100
    assert len(pcm) > 4000


def test_prompt_is_spoken_once_and_kept(tmp_path: Path):
    (tmp_path / "sound.wav").write_bytes(wav.build(tones.samples(tones.sine(300, 200))))
    teller = engine(tmp_path, f"cat > /dev/null; echo x >> {tmp_path}/asked; cat {tmp_path}/sound.wav")
    first = speech.speak(Speech("Un."), tmp_path / "kept", teller)
    assert speech.speak(Speech("Un."), tmp_path / "kept", teller) == first
    speech.speak(Speech("Deux."), tmp_path / "kept", teller)
    assert (tmp_path / "asked").read_text() == "x\nx\n"
    assert len(list((tmp_path / "kept").iterdir())) == 2


def test_of_too_many_prompts_those_heard_longest_ago_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(speech, "MOST_KEPT", 120)
    (tmp_path / "sound.wav").write_bytes(wav.build(tones.samples(tones.sine(300, 200))))
    teller, folder = engine(tmp_path, f"cat > /dev/null; cat {tmp_path}/sound.wav"), tmp_path / "kept"
    folder.mkdir()
    for place in range(120):
        (folder / f"{place}.wav").write_bytes(b"")
        os.utime(folder / f"{place}.wav", (place, place))
    speech.speak(Speech("Un."), folder, teller)
    assert {path.name for path in folder.iterdir()} >= {f"{place}.wav" for place in range(101, 120)}
    assert len(list(folder.iterdir())) == 20


def test_what_is_said_to_one_caller_alone_is_not_kept(tmp_path: Path):
    (tmp_path / "sound.wav").write_bytes(wav.build(tones.samples(tones.sine(300, 200))))
    teller = engine(tmp_path, f"cat > /dev/null; cat {tmp_path}/sound.wav")
    assert len(speech.speak(Speech("Un.", kept=False), tmp_path / "kept", teller)) == 1600
    assert not (tmp_path / "kept").exists()


def test_text_that_looks_like_an_option_is_only_text(tmp_path: Path):
    (tmp_path / "sound.wav").write_bytes(wav.build(tones.samples(tones.sine(300, 200))))
    teller = engine(
        tmp_path, f'cat > {tmp_path}/text; echo "$@" > {tmp_path}/arguments; cat {tmp_path}/sound.wav'
    )
    speech.speak(Speech("--help; rm"), tmp_path / "kept", teller)
    assert (tmp_path / "text").read_text() == "--help; rm"
    assert "help" not in (tmp_path / "arguments").read_text()


@pytest.mark.parametrize("script", ["exit 3", "echo not a wav", "true"])
def test_engine_that_fails_gives_a_tone_and_a_warning(
    tmp_path: Path, script: str, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING):
        pcm = speech.speak(Speech("Un."), tmp_path / "kept", engine(tmp_path, script))
    assert pcm == tones.samples(tones.SPECIAL_INFORMATION)
    assert "replaced by a tone" in caplog.text
    assert not (tmp_path / "kept").exists()


def test_absent_engine_gives_a_tone_and_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        pcm = speech.speak(Speech("Un."), tmp_path, EspeakNg("no-such-speaking-engine"))
    assert pcm == tones.samples(tones.SPECIAL_INFORMATION)
    assert "not installed" in caplog.text


@pytest.mark.parametrize("prompt", [Speech("Um.", "pt"), Speech("x" * 3000)])
def test_prompt_that_cannot_be_spoken_gives_a_tone(tmp_path: Path, prompt: Speech):
    assert speech.speak(prompt, tmp_path) == tones.samples(tones.SPECIAL_INFORMATION)


def test_damaged_file_is_spoken_again(tmp_path: Path):
    (tmp_path / "sound.wav").write_bytes(wav.build(tones.samples(tones.sine(300, 200))))
    teller = engine(tmp_path, f"cat {tmp_path}/sound.wav")
    path = speech.cached_path(Speech("Un."), tmp_path, teller)
    path.write_bytes(b"RIFF")
    assert len(speech.speak(Speech("Un."), tmp_path, teller)) == 1600
    assert len(wav.read_file(path)) == 1600


def test_folder_that_cannot_be_written_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "sound.wav").write_bytes(wav.build(tones.samples(tones.sine(300, 200))))
    teller = engine(tmp_path, f"cat {tmp_path}/sound.wav")
    (tmp_path / "file").write_text("in the way")
    assert len(speech.speak(Speech("Un."), tmp_path / "file" / "kept", teller)) == 1600
    assert "not kept" in caplog.text


# --- piper -------------------------------------------------------------------


def piper(folder: Path, script: str) -> Piper:
    """Return a piper that is a shell script, with a French voice."""
    command, voice = folder / "piper", folder / "voice.onnx"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    voice.write_bytes(b"")
    return Piper({"fr": voice}, str(command))


def test_piper_speaks_with_the_voice_of_the_language(tmp_path: Path):
    (tmp_path / "sound.wav").write_bytes(wav.build(tones.samples(tones.sine(300, 200))))
    script = f'cat > {tmp_path}/text; echo "$@" > {tmp_path}/arguments; cat {tmp_path}/sound.wav'
    pcm = speech.speak(Speech("Une ligne,\nune autre."), tmp_path / "kept", piper(tmp_path, script))
    assert len(pcm) == 1600
    assert (tmp_path / "text").read_text() == "Une ligne, une autre."
    assert (tmp_path / "arguments").read_text() == f"--model {tmp_path}/voice.onnx --output-file -\n"


@pytest.mark.parametrize(
    ("script", "language", "complaint"),
    [("exit 3", "fr", "status 3"), ("echo no wav", "fr", "not a RIFF"), ("true", "en", "no voice")],
)
def test_piper_that_fails_leaves_it_to_espeak(
    tmp_path: Path, script: str, language: str, complaint: str, caplog: pytest.LogCaptureFixture
):
    # Needs espeak-ng (Debian package of that name), which Beffroi's set-up installs.
    engine = piper(tmp_path, script)
    with caplog.at_level(logging.WARNING):
        pcm = speech.speak(Speech("Bonjour, hello.", language), tmp_path / "kept", engine)
    assert goertzel.level(pcm) > 100
    assert pcm != tones.samples(tones.SPECIAL_INFORMATION)
    assert complaint in caplog.text
    # Piper is asked again the next time.
    assert not speech.cached_path(Speech("Bonjour, hello.", language), tmp_path / "kept", engine).exists()


def test_absent_voice_file_is_named(tmp_path: Path):
    with pytest.raises(speech.SpeechError, match=r"gone\.onnx: no such voice file"):
        Piper({"fr": tmp_path / "gone.onnx"}).synthesise(Speech("Un."))
