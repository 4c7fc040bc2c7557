"""Prompts spoken by a local engine, kept as WAV files.

A prompt is spoken once: its file is named by the hash of engine, language and text. `speak` may take a
second, so it runs in the media process's worker thread, never on a signalling loop. Where the engine is
absent or fails, the caller hears the special information tone instead, and the log says why.
"""

import hashlib
import logging
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from media import tones, wav
from media.codecs import Pcm

_log = logging.getLogger(__name__)

LONGEST_TEXT: Final = 2000  # characters
LONGEST_SECONDS: Final = 10.0  # of the engine's work, not of the sound
VOICES: Final = {"fr": "fr-fr", "en": "en-gb"}
_WORDS_A_MINUTE: Final = 150


class Speech(msgspec.Struct, frozen=True, tag=True):
    """A text to speak. language: a key of VOICES."""

    text: str
    language: str = "fr"


class SpeechError(Exception):
    """The engine can't speak this."""


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
        arguments = [self.command, "-v", VOICES[speech.language], "-s", str(_WORDS_A_MINUTE), "--stdout"]
        try:
            # The text goes through stdin: as an argument, one that starts with "-" would be an option.
            done = subprocess.run(  # noqa: S603 - a fixed argument list, no shell
                arguments,
                input=speech.text.encode(),
                capture_output=True,
                timeout=LONGEST_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise SpeechError(f"{self.command} is not installed") from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SpeechError(f"{self.command}: {error}") from None
        if done.returncode:
            complaint = done.stderr.decode(errors="replace").strip()[:200]
            raise SpeechError(f"{self.command} ended with status {done.returncode}: {complaint}")
        return done.stdout


def speak(speech: Speech, folder: Path, engine: EspeakNg | None = None) -> Pcm:
    """Return the text as 16-bit samples at 8,000 a second, from the folder when it was spoken before.

    Never raises for an engine or folder that fails: a tone is returned, and a warning logged.
    """
    engine = engine or EspeakNg()
    path = cached_path(speech, folder, engine)
    if path.exists():
        try:
            return wav.read_file(path)
        except wav.WavError as error:
            _log.warning("spoken prompt is damaged, speaking it again: %s", error)
    try:
        if len(speech.text) > LONGEST_TEXT:
            raise SpeechError(f"text of more than {LONGEST_TEXT} characters")
        pcm = wav.read(engine.synthesise(speech))
    except (SpeechError, wav.WavError) as error:
        _log.warning("prompt replaced by a tone: %s", error)
        return tones.samples(tones.SPECIAL_INFORMATION)
    _keep(path, wav.build(pcm))
    return pcm


def cached_path(speech: Speech, folder: Path, engine: EspeakNg) -> Path:
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
    except OSError as error:
        _log.warning("spoken prompt not kept: %s", error)
