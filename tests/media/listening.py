"""What a test hears: tones made at any rate, and how loud and how clean they come back."""

import math

import av
import numpy as np
import numpy.typing as npt

from media.g711 import Samples


def tone(frequency_hz: float, seconds: float, rate: int = 8000, amplitude: float = 8000) -> Samples:
    """A sine."""
    place = np.arange(round(seconds * rate))
    return as_samples(amplitude * np.sin(2 * np.pi * frequency_hz / rate * place))


def as_samples(sound: npt.NDArray[np.float64]) -> Samples:
    """Rounded to 16 bits."""
    samples: Samples = np.rint(sound).astype(np.int16)
    return samples


def ffmpeg_decoder(name: str, rate: int = 8000) -> av.AudioCodecContext:
    """One of FFmpeg's decoders, of one channel."""
    context = av.CodecContext.create(name, "r")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.layout = rate, "mono"
    return context


def heard(samples: Samples, frequency_hz: float, rate: int = 8000) -> tuple[float, float]:
    """Amplitude of the sine of this frequency that fits best, and how far above all else it is, in dB."""
    place = 2 * np.pi * frequency_hz / rate * np.arange(len(samples))
    waves = np.stack([np.sin(place), np.cos(place)], axis=1)
    sound = samples.astype(np.float64)
    weights = np.linalg.lstsq(waves, sound, rcond=None)[0]
    wanted = waves @ weights
    rest = float(np.sum((sound - wanted) ** 2)) + 1e-9
    return math.hypot(*weights), 10 * math.log10(float(np.sum(wanted**2)) / rest + 1e-12)


def rms(samples: Samples) -> float:
    """Root mean square."""
    return math.sqrt(float(np.mean(samples.astype(np.float64) ** 2)))


def voice(seconds: float, rate: int = 8000, seed: int = 1) -> Samples:
    """Something like a voice: a pulse train of wandering pitch with three resonances and pauses."""
    random = np.random.default_rng(seed)
    count = round(seconds * rate)
    place = np.arange(count) / rate
    pitch = 120 + 25 * np.sin(2 * np.pi * 0.7 * place) + 10 * np.sin(2 * np.pi * 2.3 * place)
    phase = np.cumsum(pitch) / rate
    sound = np.zeros(count)
    for harmonic in range(1, 25):
        frequency = harmonic * pitch
        loud = sum(
            weight / (1 + ((frequency - center) / width) ** 2)
            for center, width, weight in [(500, 120, 1.0), (1500, 200, 0.5), (2500, 250, 0.25)]
        )
        sound += loud * np.sin(2 * np.pi * harmonic * phase)
    loudness = np.clip(np.sin(2 * np.pi * 1.3 * place) + 0.4, 0, 1)
    sound = sound * loudness + 0.003 * random.standard_normal(count)
    return as_samples(9000 * sound / np.max(np.abs(sound)))
