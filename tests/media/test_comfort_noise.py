"""Comfort noise, against FFmpeg's."""

import av
import numpy as np
import pytest

from media.comfort_noise import Generator, Noise, build, describe, parse
from media.g711 import CodecError, Samples
from tests.media.listening import as_samples, ffmpeg_decoder, rms


def room(seed: int = 1) -> Samples:
    """Noise with most of its power at low frequencies, about -40 dBov."""
    white = np.random.default_rng(seed).standard_normal(16000)
    shaped = np.convolve(white, 0.8 ** np.arange(40), "same")
    return as_samples(shaped / np.std(shaped) * 327.67)


def low_share(samples: Samples) -> float:
    """The part of the power below 1,000 Hz."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    return float(np.sum(power[: len(power) // 4]) / np.sum(power))


def test_payload_of_the_rfc_is_read_and_written():
    # RFC 3389 section 3: level, then coefficients; RFC 3389 section 3.2: their zero is 127
    noise = parse(bytes([40, 127, 0, 254]))
    assert noise.level_dbov == -40
    assert noise.reflections == (0.0, -0.99, 0.99)
    assert parse(build(Noise(-30, (0.5, -0.25)))).reflections == pytest.approx((0.5, -0.25), abs=0.004)
    assert build(Noise(-127)) == b"\x7f"


def test_empty_payload_is_refused():
    with pytest.raises(CodecError):
        parse(b"")


def test_level_is_that_of_the_room():
    assert describe(room()).level_dbov == pytest.approx(-40, abs=1)


def test_silence_is_the_quietest_noise():
    assert describe(np.zeros(160, np.int16)) == Noise(-127)
    assert not Generator(1).make(Noise(-127), 160).any()


def test_noise_made_is_as_loud_and_as_dull_as_the_room():
    generator, noise = Generator(5), parse(build(describe(room())))
    made = np.concatenate([generator.make(noise, 160) for _ in range(100)])
    assert rms(made) == pytest.approx(rms(room()), rel=0.15)
    assert low_share(made) == pytest.approx(low_share(room()), abs=0.08)
    assert low_share(made) > 0.6


def test_ffmpeg_makes_the_same_noise_of_our_payload():
    context = ffmpeg_decoder("comfortnoise")
    payload = build(describe(room()))
    sound = [
        frame.to_ndarray().reshape(-1) for _ in range(50) for frame in context.decode(av.Packet(payload))
    ]
    theirs = np.concatenate(sound)
    assert low_share(theirs) == pytest.approx(low_share(room()), abs=0.1)


def test_any_coefficients_stay_bounded():
    generator = Generator(1)
    for last in (0, 254, 255):
        made = generator.make(parse(bytes([20, *([last] * 30)])), 1600)
        assert rms(made) < 32767


def test_white_noise_has_no_joint_between_frames():
    generator = Generator(3)
    made = np.concatenate([generator.make(Noise(-30), 160) for _ in range(200)])
    assert rms(made) == pytest.approx(32767 * 10 ** (-30 / 20), rel=0.05)
    assert low_share(made) == pytest.approx(0.25, abs=0.03)
