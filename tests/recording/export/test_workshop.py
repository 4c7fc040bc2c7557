"""The workshop: what it makes of a recording for whoever asks."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import numpy.typing as npt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from recording.export.orders import (
    Examine,
    Examined,
    Failed,
    Finished,
    Hear,
    Made,
    Order,
    Outlined,
    Told,
    order_line,
    read_told,
)
from recording.export.workshop import carry_out
from recording.proof.entries import Missed, Part, Silent
from recording.proof.journal import Journal
from recording.proof.sealed_file import segments
from tests.recording.calls import Sender, recorded, said, tone, track
from tests.recording.sealed import BEGUN, KEY, NODE

PUBLIC = NODE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


@pytest.fixture
def memory() -> Iterator[int]:
    made = os.memfd_create("samples")
    yield made
    os.close(made)


def call(directory: Path) -> Path:
    """Six seconds: the caller speaks in the first two, who answered from 4 to 6; silence between."""
    return recorded(
        directory,
        [
            track(0, "+33699999999"),
            track(1, "2201"),
            said(Part("talk", ["+33699999999", "2201"]), 1.0),
            said(Missed(3, "disk", BEGUN + 1_500_000), 1.6),
            said(Silent(BEGUN + 2_000_000), 2.5, 0),
            *Sender(0).says(tone(440, 2, 8000), 0.0),
            *Sender(1, ssrc=8).says(tone(1000, 2, 8000), 4.0),
        ],
    )


def told(order: Order) -> list[Told]:
    said_: list[Told] = []
    carry_out(order, said_.append, SimpleQueue())
    return said_


def hear(path: Path, memory: int, **how: float) -> list[Told]:
    most = int(how.pop("most_bytes", 1 << 24))
    return told(Hear(path=str(path), key=KEY, file=memory, most_rate=16_000, most_bytes=most, **how))


def samples(memory: int, outlined: Outlined) -> npt.NDArray[np.int16]:
    size = outlined.samples * len(outlined.parties) * 2
    data = os.pread(memory, size, 0).ljust(size, b"\0")
    return np.frombuffer(data, "<i2").reshape(len(outlined.parties), -1)


def hertz(sound: npt.NDArray[np.int16], rate: int) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(sound * np.hanning(len(sound)))))) * rate / len(sound)


def test_each_party_has_its_samples_and_its_facts(tmp_path: Path, memory: int):
    outlined, *made, finished = hear(call(tmp_path), memory)
    assert isinstance(outlined, Outlined)
    assert [party.name for party in outlined.parties] == ["+33699999999", "2201"]
    ((since, until),) = outlined.parties[0].silences
    assert (since, round(until)) == (2.0, 6)
    assert [(part.second, part.what) for part in outlined.parts] == [(1.0, "talk")]
    assert [(loss.second, loss.packets, loss.why) for loss in outlined.losses] == [(1.5, 3, "disk")]
    sound = samples(memory, outlined)
    assert hertz(sound[0, 4000:12000], outlined.rate) == pytest.approx(440, abs=2)
    assert hertz(sound[1, 34000:42000], outlined.rate) == pytest.approx(1000, abs=2)
    assert not sound[1, :30000].any()
    assert isinstance(made[-1], Made)
    assert made[-1].samples == outlined.samples
    assert isinstance(finished, Finished)
    ((since, until),) = finished.quiet
    assert abs(since - 2.0) < 0.11 and abs(until - 4.0) < 0.11


def test_waveform_has_its_points_once_and_shows_who_speaks(tmp_path: Path, memory: int):
    outlined, *made, _ = hear(call(tmp_path), memory)
    assert isinstance(outlined, Outlined)
    points = [point for one in made if isinstance(one, Made) for point in one.peaks]
    assert len(points) == outlined.points == 1000
    speaking = [[loud > 100 for loud in point] for point in points]
    place = round(1000 / outlined.seconds)
    assert speaking[place] == [True, False]
    assert speaking[3 * place] == [False, False]
    assert speaking[5 * place] == [False, True]


def test_damaged_recording_is_made_up_to_its_damage(tmp_path: Path, memory: int):
    path = call(tmp_path)
    second = list(segments(path))[2]
    data = bytearray(path.read_bytes())
    data[second.offset + 60] ^= 4
    path.write_bytes(data)
    outlined = hear(path, memory)[0]
    assert isinstance(outlined, Outlined)
    assert "segment 2" in outlined.damage
    assert outlined.seconds < 2.2


def test_what_is_too_long_is_refused_before_anything_is_made(tmp_path: Path, memory: int):
    (failed,) = hear(call(tmp_path), memory, most_bytes=1000)
    assert isinstance(failed, Failed)
    assert failed.word == "too_long"
    assert os.fstat(memory).st_size == 0


def test_end_of_a_recording_alone_is_made(tmp_path: Path, memory: int):
    outlined = hear(call(tmp_path), memory, last_seconds=1.0)[0]
    assert isinstance(outlined, Outlined)
    assert outlined.seconds == 1.0
    assert outlined.begun == pytest.approx(BEGUN / 1e6 + 4.98, abs=0.03)


def examined(tmp_path: Path, path: Path, key: bytes = KEY) -> Examined:
    head = list(segments(path))[-1].digest.hex()
    journal = Journal(tmp_path / "journal", NODE)
    journal.append(1.0, "begun", "20261122-1", "node")
    journal.append(2.0, "ended", "20261122-1", "node", head=head)
    journal.close()
    return examine(tmp_path, path, key)


def examine(tmp_path: Path, path: Path, key: bytes = KEY) -> Examined:
    order = Examine(
        recording="20261122-1",
        path=str(path),
        key=key,
        head="",
        journal=str(tmp_path / "journal"),
        node_key=PUBLIC,
    )
    (found,) = told(order)
    assert isinstance(found, Examined), found
    return found


def test_whole_recording_is_verified_and_what_was_looked_at_is_counted(tmp_path: Path):
    path = call(tmp_path)
    found = examined(tmp_path, path)
    count = len(list(segments(path)))
    assert (found.findings, found.entries, found.proved_seconds) == ([], 2, -1.0)
    assert (found.segments, found.opened) == (count, count)
    assert examine(tmp_path, path, b"").opened == -1


def test_bit_that_turned_is_found_with_how_much_is_proved(tmp_path: Path):
    path = call(tmp_path)
    examined(tmp_path, path)
    third = list(segments(path))[2]
    data = bytearray(path.read_bytes())
    data[third.offset + 60] ^= 4
    path.write_bytes(data)
    found = examine(tmp_path, path)
    assert found.findings == ["segment 2 was changed"]
    assert 0.9 < found.proved_seconds < 2.1


def test_program_of_its_own_ends_with_who_asked(tmp_path: Path):
    order = order_line(
        Examine(
            recording="20261122-1",
            path=str(call(tmp_path)),
            key=b"",
            head="",
            journal=str(tmp_path / "none"),
            node_key=PUBLIC,
        )
    )
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "recording.export.workshop"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(order)
        program.stdin.flush()
        said_ = program.stdout.readline()
        program.stdin.close()
        assert program.wait(20) in (0, 1)
    assert json.loads(said_)["type"] in ("Examined", "Failed")
    assert read_told(said_)
