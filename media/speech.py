"""Prompts spoken by a local engine, kept as WAV files.

A prompt is spoken once: its file is named by the hash of engine, language and text. Of more than MOST_KEPT
files those that were heard longest ago go; what is said to one caller alone isn't kept. `speak` may take a
second, so it runs in the media process's worker thread, never on a signalling loop.

espeak-ng speaks by default; piper does where the administrator gave it a voice file. Both are commands: a
neural voice (some 100 MB) is in memory while it speaks and no longer. Where piper fails espeak-ng speaks,
and where that fails the caller hears the special information tone; the log says why.
"""

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import msgspec

from media import tones, wav
from media.codecs import Pcm

_log = logging.getLogger(__name__)

MOST_KEPT: Final = 2000  # files, of some 60 KB each
_FEWER: Final = 100  # than that are left, so that they are seldom counted out
LONGEST_TEXT: Final = 2000  # characters
LONGEST_SECONDS: Final = 10.0  # of the engine's work, not of the sound
VOICES: Final = {"fr": "fr-fr", "en": "en-gb"}
_WORDS_A_MINUTE: Final = 150


class Speech(msgspec.Struct, frozen=True, tag=True):
    """A text to speak. language: a key of VOICES. kept: its sound may lie on the disk."""

    text: str
    language: str = "fr"
    kept: bool = True


class SpeechError(Exception):
    """The engine can't speak this."""


class Engine(Protocol):
    """Whatever can speak. name: of the engine and its voice; another name is another sound."""

    @property
    def name(self) -> str: ...

    def synthesise(self, speech: Speech) -> bytes:
        """Return the text spoken, as a WAV at the engine's own rate. Raises SpeechError."""


@dataclass(frozen=True, slots=True)
class EspeakNg:
    """Debian's espeak-ng, run as a command. command: another name or path for it."""

    command: str = "espeak-ng"
    name: str = "espeak-ng"

    def synthesise(self, speech: Speech) -> bytes:
        """Return the text spoken, as a WAV at the engine's own rate.

        Raises SpeechError when the engine is absent, fails, or takes longer than LONGEST_SECONDS.
        """
        if speech.language not in VOICES:
            raise SpeechError(f"no voice for language {speech.language!r}")
        options = ["-v", VOICES[speech.language], "-s", str(_WORDS_A_MINUTE), "--stdout"]
        return _run([self.command, *options], speech.text)


def piper_command() -> str:
    """Return where piper is, beside the interpreter or on the PATH; its mere name when it is nowhere."""
    beside = Path(sys.executable).with_name("piper")
    return str(beside) if beside.is_file() else shutil.which("piper") or "piper"


@dataclass(frozen=True, slots=True)
class Piper:
    """PyPI's piper-tts, run as a command, with voice files that the administrator installed.

    voices: of each language its .onnx file, whose .json lies beside it. command: another name or path.
    """

    voices: Mapping[str, Path]
    command: str = field(default_factory=piper_command)

    @property
    def name(self) -> str:
        """The engine and all of its voices."""
        return " ".join(["piper", *(f"{language}={path}" for language, path in sorted(self.voices.items()))])

    def synthesise(self, speech: Speech) -> bytes:
        """Return the text spoken, as a WAV at the voice's own rate.

        Raises SpeechError when there is no voice for the language, or the engine is absent, fails, or
        takes longer than LONGEST_SECONDS.
        """
        voice = self.voices.get(speech.language)
        if voice is None:
            raise SpeechError(f"piper has no voice for language {speech.language!r}")
        if not voice.is_file():
            raise SpeechError(f"{voice}: no such voice file")
        # It speaks line by line; the path is absolute, so that it looks nowhere else.
        command = [self.command, "--model", str(voice.absolute()), "--output-file", "-"]
        return _run(command, " ".join(speech.text.split()))


def _run(command: list[str], text: str) -> bytes:
    """Return what a command says of a text. Raises SpeechError."""
    try:
        # The text goes through stdin: as an argument, one that starts with "-" would be an option.
        done = subprocess.run(  # noqa: S603 - a fixed argument list, no shell
            command, input=text.encode(), capture_output=True, timeout=LONGEST_SECONDS, check=False
        )
    except FileNotFoundError:
        raise SpeechError(f"{command[0]} is not installed") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SpeechError(f"{command[0]}: {error}") from None
    if done.returncode:
        complaint = done.stderr.decode(errors="replace").strip()[-200:]
        raise SpeechError(f"{command[0]} ended with status {done.returncode}: {complaint}")
    return done.stdout


def speak(speech: Speech, folder: Path, engine: Engine | None = None) -> Pcm:
    """Return the text as 16-bit samples at 8,000 a second, from the folder when it was spoken before.

    Never raises for an engine or folder that fails: espeak-ng speaks or a tone is returned, and a
    warning logged.
    """
    engine = engine or EspeakNg()
    try:
        return _spoken(speech, folder, engine)
    except (SpeechError, wav.WavError) as error:
        if isinstance(engine, EspeakNg):
            _log.warning("prompt replaced by a tone: %s", error)
            return tones.samples(tones.SPECIAL_INFORMATION)
        _log.warning("prompt spoken by espeak-ng instead: %s", error)
        return speak(speech, folder)


def _spoken(speech: Speech, folder: Path, engine: Engine) -> Pcm:
    """Raises SpeechError, WavError."""
    path = cached_path(speech, folder, engine)
    if path.exists():
        try:
            os.utime(path)
            return wav.read_file(path)
        except (wav.WavError, OSError) as error:
            _log.warning("spoken prompt is damaged, speaking it again: %s", error)
    if len(speech.text) > LONGEST_TEXT:
        raise SpeechError(f"text of more than {LONGEST_TEXT} characters")
    pcm = wav.read(engine.synthesise(speech))
    if speech.kept:
        _keep(path, wav.build(pcm))
    return pcm


def cached_path(speech: Speech, folder: Path, engine: Engine) -> Path:
    """Return where this prompt is kept, whether or not it has been spoken."""
    words = "\0".join((engine.name, speech.language, speech.text))
    return folder / f"{hashlib.sha256(words.encode(errors='replace')).hexdigest()[:32]}.wav"


def _keep(path: Path, data: bytes) -> None:
    """Write the file whole or not at all: another process may be reading it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(name, path)
        _clear(path.parent)
    except OSError as error:
        _log.warning("spoken prompt not kept: %s", error)


def _clear(folder: Path) -> None:
    """Let those go that were heard longest ago, where there are too many. Raises OSError."""
    with os.scandir(folder) as entries:
        kept = [entry.path for entry in entries if entry.name.endswith(".wav")]
    if len(kept) > MOST_KEPT:
        kept.sort(key=os.path.getmtime)
        for path in kept[: len(kept) - MOST_KEPT + _FEWER]:
            os.unlink(path)
