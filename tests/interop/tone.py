"""Which tone is heard in a recording: the strongest frequency of each tenth of a second, then a vote.

Goertzel's filter measures the energy at one frequency; a Hann window keeps a tone from leaking into its
neighbours. A slice counts for a tone when most of its energy is within one step of it, so noise, speech
and two tones at once count for nothing, and a recording with no clear winner raises ToneError.
"""

from __future__ import annotations

import math
import wave
from array import array
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from media.codecs import encode
from media.tones import samples as samples_of
from media.tones import sine

STEP_HZ = 10  # resolution of the answer, and of a slice of 100 ms
LOWEST_HZ, HIGHEST_HZ = 200, 3400  # the telephone band
SLICE_SECONDS = 0.1

_SILENCE_RMS = 100.0  # of 32767: -50 dBFS; G.711's idle noise is under 10
_PURE = 0.6  # share of a slice that its tone must hold: 1.0 on a step, 0.7 between two, 0.5 for two tones
_PART = 0.15  # share that each of two tones must hold that are heard at once
_TRACE = 0.02  # share of a tone that isn't there
_LEAST_SLICES = 5  # half a second
_MAJORITY = 0.8  # of the slices that aren't silent
_LARGEST_BYTES = 64_000_000


class ToneError(Exception):
    """The recording holds no single clear tone; the text says what it holds."""


@dataclass(frozen=True)
class Recording:
    """Sound in 16-bit samples, one channel."""

    rate_hz: int
    samples: array[int]

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate_hz

    def last(self, seconds: float) -> Recording:
        """The end of it, `seconds` long or less."""
        return Recording(self.rate_hz, self.samples[-max(1, round(seconds * self.rate_hz)) :])


def read_recording(path: Path) -> Recording:
    """Read a 16-bit WAV file, also one still being written, whose header doesn't know its length yet.

    Of several channels the first is kept. Raises ToneError if it isn't such a file.
    """
    data = path.read_bytes()[:_LARGEST_BYTES]
    start = data.find(b"data")
    if data[:4] != b"RIFF" or data[8:16] != b"WAVEfmt " or start < 36:
        raise ToneError(f"{path.name} isn't a WAV file (yet): {len(data)} bytes")
    channels = int.from_bytes(data[22:24], "little")
    rate_hz = int.from_bytes(data[24:28], "little")
    bits = int.from_bytes(data[34:36], "little")
    if bits != 16 or channels < 1 or rate_hz < 8000:
        raise ToneError(f"{path.name}: {bits} bits, {channels} channels, {rate_hz} Hz; 16-bit sound expected")
    body = data[start + 8 :]
    samples = array("h")
    samples.frombytes(body[: len(body) // 2 * 2])
    return Recording(rate_hz, samples[::channels])


def write_tone(path: Path, frequency_hz: float, seconds: float, rate_hz: int = 8000) -> None:
    """Write a sine at a third of full scale as a 16-bit mono WAV file."""
    turn = 2 * math.pi * frequency_hz / rate_hz
    samples = array("h", (round(11_000 * math.sin(turn * n)) for n in range(round(seconds * rate_hz))))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate_hz, len(samples), "NONE", ""))
        file.writeframes(samples.tobytes())


def write_alaw_tone(path: Path, frequency_hz: int, seconds: int) -> None:
    """Write a sine as bare A-law samples (G.711), 8,000 a second, to be repeated."""
    path.write_bytes(encode("PCMA", samples_of(sine(frequency_hz, seconds * 1000))))


def heard_frequency(recording: Recording) -> int:
    """The tone's frequency in Hz, a multiple of STEP_HZ. Silence, noise or a mixture: ToneError."""
    slices = _loud_slices(recording)
    heard = Counter(_tone_of(one, recording.rate_hz) for one in slices)
    candidates = [(count, tone) for tone, count in heard.items() if tone is not None]
    count, frequency_hz = max(candidates, default=(0, 0))
    if count < _enough(slices):
        raise ToneError(
            f"no clear tone in {recording.seconds:.1f} s: {len(slices)} slices of {SLICE_SECONDS} s "
            f"aren't silent, tones heard: {dict(heard.most_common(5))}"
        )
    return frequency_hz


def is_heard(frequency_hz: int, recording: Recording) -> bool:
    """Whether this is the one tone in the recording. Much less work than finding out which one is."""
    slices = _loud_slices(recording)
    held = [one for one in slices if _share(_windowed(one), frequency_hz / recording.rate_hz) >= _PURE]
    return len(held) >= _enough(slices)


def are_heard(frequencies_hz: set[int], recording: Recording, but_hz: int) -> bool:
    """Whether these tones are in the recording at once, none of them alone, and this other one isn't."""
    slices = _loud_slices(recording)
    held = 0
    for one in map(_windowed, slices):
        shares = [_share(one, frequency_hz / recording.rate_hz) for frequency_hz in frequencies_hz]
        other = _share(one, but_hz / recording.rate_hz)
        held += sum(shares) >= _PURE and min(shares) >= _PART and other < _TRACE
    return held >= _enough(slices)


def is_silent(recording: Recording) -> bool:
    """Whether nothing in it is as loud as a tone would be; what is shorter than a slice is silent."""
    return not _loud_slices(recording)


def _loud_slices(recording: Recording) -> list[array[int]]:
    length = round(SLICE_SECONDS * recording.rate_hz)
    starts = range(0, len(recording.samples) - length + 1, length)
    slices = (recording.samples[at : at + length] for at in starts)
    return [one for one in slices if _rms(one) >= _SILENCE_RMS]


def _enough(slices: list[array[int]]) -> float:
    """How many of them must agree."""
    return max(_LEAST_SLICES, _MAJORITY * len(slices))


def _rms(samples: array[int]) -> float:
    return math.sqrt(sum(s * s for s in samples) / len(samples))


def _tone_of(samples: array[int], rate_hz: int) -> int | None:
    """The one frequency that holds most of the slice's energy, or None when there isn't one."""
    windowed = _windowed(samples)
    frequencies = range(LOWEST_HZ, HIGHEST_HZ + 1, STEP_HZ)
    strongest = max(frequencies, key=lambda frequency_hz: _goertzel(windowed, frequency_hz / rate_hz))
    return strongest if _share(windowed, strongest / rate_hz) >= _PURE else None


def _windowed(samples: array[int]) -> list[float]:
    count = len(samples)
    return [s * (0.5 - 0.5 * math.cos(2 * math.pi * n / count)) for n, s in enumerate(samples)]


def _share(windowed: list[float], turns_per_sample: float) -> float:
    """How much of the energy is at one frequency: 1 for a sine."""
    # A windowed sine of amplitude a has energy 3/16 a²N and, at its own frequency, power (aN/4)².
    energy = sum(s * s for s in windowed)
    return _goertzel(windowed, turns_per_sample) * 3 / energy / len(windowed)


def _goertzel(samples: list[float], turns_per_sample: float) -> float:
    """Squared magnitude of the Fourier sum at one frequency."""
    factor = 2 * math.cos(2 * math.pi * turns_per_sample)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + factor * last - before
    return before * before + last * last - factor * before * last
