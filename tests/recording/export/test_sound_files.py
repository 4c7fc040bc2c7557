"""Sound files: what is written is what is read back, in each format, by a reader that isn't ours."""

import wave
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from recording.export.outline import opened, outline
from recording.export.sound import Unplaced, blocks, length_of
from recording.export.sound_files import FORMATS, Format, TooManyChannels, check, wav_header, write
from tests.recording.calls import Sender, recorded, tone, track
from tests.recording.export.test_sound import heard, hertz
from tests.recording.sealed import KEY


def read(path: Path) -> tuple[npt.NDArray[np.float64], int]:
    """All samples of a file, by FFmpeg: a column a channel."""
    with av.open(str(path)) as file:
        stream = file.streams.audio[0]
        parts = []
        for frame in file.decode(stream):
            array = frame.to_ndarray().astype(np.float64)
            if array.dtype.kind == "f" and "flt" in frame.format.name:
                array = array * 32768
            parts.append(array.T if frame.format.is_planar else array.reshape(-1, stream.channels))
        return np.concatenate(parts), stream.rate


def written(tmp_path: Path, kind: Format, parties: int) -> Path:
    """Three seconds of so many parties: each a tone of its own from 1 s to 2 s, a packet lost at 1.5 s."""
    made = []
    for number in range(parties):
        said = Sender(number, ssrc=number + 1).says(tone(400 + 200 * number, 1, 8000), at=1.0)
        del said[25]
        made += [track(number, f"party {number}"), *said]
    sealed = opened(recorded(tmp_path, [*made, track(0, "party 0", at=3.0)]), KEY)
    seen = outline(sealed)
    path = tmp_path / f"sound.{kind}"
    told: list[int] = []
    write(
        kind,
        path,
        blocks(sealed, seen, 8000, Unplaced()),
        8000,
        parties,
        length_of(seen, 8000),
        told.append,
    )
    assert told[-1] == length_of(seen, 8000) == 25_600
    return path


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("parties", [1, 2, 3])
def test_known_tone_is_at_its_second_and_the_gap_stays(tmp_path: Path, kind: Format, parties: int):
    sound, rate = read(written(tmp_path, kind, parties))
    assert sound.shape[1] == parties
    assert len(sound) / rate == pytest.approx(3.2, abs=0.03)
    for number in range(parties):
        channel = sound[:, number].astype(np.int16)
        assert heard(channel, rate) == pytest.approx((1.0, 2.0), abs=0.01)
        assert hertz(channel[rate + rate // 10 : rate + rate // 2 - 200], rate) == pytest.approx(
            400 + 200 * number, abs=4
        )
        gap = channel[round(1.506 * rate) : round(1.514 * rate)].astype(np.int32)
        assert np.abs(gap).max() < (800 if kind == "opus" else 1)


def test_wav_is_read_by_the_standard_library(tmp_path: Path):
    with wave.open(str(written(tmp_path, "wav", 2))) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 25_600)


def test_wav_beyond_4_gb_says_its_length_in_64_bits():
    header = wav_header(48_000, 2, 2**31)
    assert header[:4] == b"RF64"
    assert header[12:16] == b"ds64"
    assert int.from_bytes(header[28:36], "little") == 2**33
    assert int.from_bytes(header[36:44], "little") == 2**31
    assert header[-4:] == b"\xff\xff\xff\xff"
    # EBU Tech 3306: the whole, less the first eight bytes.
    assert int.from_bytes(header[20:28], "little") == len(header) - 8 + 2**33


def test_more_parties_than_a_format_holds_are_refused_with_the_mend():
    with pytest.raises(TooManyChannels, match="take wav, or mix"):
        check("flac", 9)
    check("wav", 9)


def test_file_that_is_there_is_not_written_over(tmp_path: Path):
    path = tmp_path / "sound.wav"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        write("wav", path, [], 8000, 1, 0)
    assert path.read_text() == "mine"
