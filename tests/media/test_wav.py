"""WAV files, read strictly whatever they hold."""

import math
import random
import struct
from pathlib import Path

import pytest

from media import goertzel, tones, wav
from media.wav import WavError


def build(rate: int, channels: int, frequency: int = 600, *, bits: int = 16, encoding: int = 1) -> bytes:
    turn = 2 * math.pi * frequency / rate
    samples = [round(8000 * math.sin(turn * n)) for n in range(rate // 4) for _ in range(channels)]
    body = struct.pack(f"<{len(samples)}h", *samples)
    block = channels * bits // 8
    fmt = struct.pack("<HHIIHH", encoding, channels, rate, rate * block, block, bits)
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    chunks += b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def test_sound_written_is_read_back():
    pcm = tones.samples(tones.sine(500, 100))
    assert wav.read(wav.build(pcm)) == pcm


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", sorted(wav.RATES))
def test_any_rate_becomes_8000_a_second_of_one_channel(rate: int, channels: int):
    pcm = wav.read(build(rate, channels))
    assert len(pcm) == pytest.approx(2000, abs=1)
    assert goertzel.heard_frequency_hz(pcm) == pytest.approx(600, abs=2)
    assert goertzel.level(pcm) == pytest.approx(8000 / math.sqrt(2), rel=0.02)


def test_what_8000_a_second_cannot_carry_is_filtered_out():
    assert goertzel.level(wav.read(build(16000, 1, 6000))) < 200


def test_length_of_a_stream_that_was_not_corrected_is_the_files():
    data = build(8000, 1)
    place = data.index(b"data") + 4
    assert len(wav.read(data[:place] + b"\xff\xff\xff\x7f" + data[place + 4 :])) == 2000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        b"RIFF\0\0\0\0WAVE",
        b"RIFX" + build(8000, 1)[4:],
        build(8000, 1, bits=8),
        build(8000, 1, encoding=3),
        build(8000, 3),
        build(9000, 1),
        build(8000, 1).replace(b"fmt ", b"tmf "),
        build(8000, 1).replace(b"data", b"atad"),
    ],
)
def test_what_is_not_playable_is_refused(data: bytes):
    with pytest.raises(WavError):
        wav.read(data)


def test_file_that_is_too_long_is_refused():
    long = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    body = bytes(2 * 8000 * wav.LONGEST_SECONDS + 2)
    data = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + long + b"data" + struct.pack("<I", len(body)) + body
    with pytest.raises(WavError, match="longer than"):
        wav.read(data)


def test_absent_file_is_refused(tmp_path: Path):
    with pytest.raises(WavError, match="absent"):
        wav.read_file(tmp_path / "absent.wav")


def test_mutated_files_never_raise_anything_but_wav_error():
    chance = random.Random(1)
    original = build(8000, 2)[:400]
    for _ in range(3000):
        data = bytearray(original)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(60)] = chance.randrange(256)
        try:
            wav.read(bytes(data[: chance.randint(0, 400)]))
        except WavError:
            continue
