"""Who loads what: numpy, FFmpeg and libsrtp are for the processes that work on sound."""

import subprocess
import sys

import pytest

HEAVY = ["numpy", "av", "soxr", "pylibsrtp"]


def loaded_by(*modules: str) -> set[str]:
    """Which of HEAVY a fresh process has loaded after importing these."""
    program = f"import sys, {', '.join(modules)}; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["pbx.signalling", "pbx.worker", "pbx.cli", "media.sdes", "media.quality"])
def test_processes_without_sound_load_nothing_heavy(module: str):
    assert loaded_by(module) == set()


def test_mixing_needs_no_ffmpeg_and_no_libsrtp():
    assert loaded_by("media.mixer", "media.jitter_buffer", "media.inband", "media.transcoder") == {"numpy"}


def test_opus_is_called_without_ffmpegs_bindings():
    assert loaded_by("media.opus") == {"numpy"}
