"""A recording's sound: every tone is where it was heard, and what wasn't there is silence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from media.dtmf import packets as keys
from recording.export.outline import Outline, opened, outline
from recording.export.sound import HELD_SECONDS, Unplaced, blocks, length_of, mixed
from recording.proof.entries import Clock, Part, Track, packet
from recording.proof.sealed_file import SealedFile
from recording.proof.verifier import SUFFIX
from tests.recording.calls import G722, OPUS, PCMA, Sender, recorded, said, tone, track
from tests.recording.sealed import BEGUN, KEY, header

Sound = npt.NDArray[np.int16]


def moved(made: list[tuple[int, bytes]], arrival: Callable[[float], float]) -> list[tuple[int, bytes]]:
    """The same entries, come at other seconds."""
    times = [BEGUN + round(arrival((at - BEGUN) / 1e6) * 1e6) for at, _ in made]
    return [
        (at, entry[:4] + (at & 0xFFFF_FFFF).to_bytes(4, "big") + entry[8:])
        for at, (_, entry) in zip(times, made, strict=True)
    ]


def sound_of(path: Path, rate: int = 0) -> tuple[Sound, Outline, Unplaced]:
    """All of a recording's sound: a row a sample."""
    sealed = opened(path, KEY)
    seen = outline(sealed)
    unplaced = Unplaced()
    rate = rate or seen.rate
    sound = np.concatenate(list(blocks(sealed, seen, rate, unplaced)))
    assert len(sound) == length_of(seen, rate)
    return sound, seen, unplaced


def hertz(sound: Sound, rate: int) -> float:
    """The loudest tone."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.argmax(spectrum)) * rate / len(sound)


def heard(sound: Sound, rate: int) -> tuple[float, float]:
    """From when to when something is heard, in seconds."""
    loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > 1000)
    return loud[0] / rate, loud[-1] / rate


def test_each_party_has_a_channel_and_each_tone_its_second(tmp_path: Path):
    alice, bruno = Sender(0), Sender(1, ssrc=8)
    path = recorded(
        tmp_path,
        [
            track(0, "Alice"),
            track(1, "Bruno"),
            *alice.says(tone(440, 2, 8000), at=1.0),
            *bruno.says(tone(1000, 1, 8000), at=3.5),
        ],
    )
    sound, seen, unplaced = sound_of(path)
    assert (seen.parties, seen.rate) == (["Alice", "Bruno"], 8000)
    assert heard(sound[:, 0], 8000) == pytest.approx((1.0, 3.0), abs=0.002)
    assert heard(sound[:, 1], 8000) == pytest.approx((3.5, 4.5), abs=0.002)
    assert hertz(sound[12_000:20_000, 0], 8000) == pytest.approx(440, abs=2)
    assert hertz(sound[30_000:34_000, 1], 8000) == pytest.approx(1000, abs=2)
    assert (unplaced.doubles, unplaced.unreadable) == (0, 0)


def test_packet_that_was_lost_stays_silent_for_20_ms(tmp_path: Path):
    made = Sender(0).says(tone(400, 2, 8000), at=0.5)
    del made[50]
    sound, _, _ = sound_of(recorded(tmp_path, [track(0, "Alice"), *made]))
    assert not sound[12_000:12_160].any()
    assert np.count_nonzero(sound[11_840:12_000]) > 150
    assert np.count_nonzero(sound[12_160:12_320]) > 150


def test_jitter_and_another_order_change_nothing(tmp_path: Path):
    chance = np.random.default_rng(20261122)
    made = Sender(0).says(tone(440, 3, 8000), at=0.5)
    jittered = moved(made[1:], lambda at: at + float(chance.uniform(0, 0.09)))
    plain, _, _ = sound_of(recorded(tmp_path, [track(0, "Alice"), *made], "r1"))
    sound, _, unplaced = sound_of(recorded(tmp_path, [track(0, "Alice"), made[0], *jittered], "r2"))
    assert np.array_equal(plain[4000:28_000], sound[4000:28_000])
    assert unplaced.doubles == 0


def test_packet_that_came_twice_is_heard_once(tmp_path: Path):
    made = Sender(0).says(tone(440, 1, 8000), at=0.5)
    single, _, _ = sound_of(recorded(tmp_path, [track(0, "Alice"), *made], "r1"))
    sound, _, unplaced = sound_of(recorded(tmp_path, [track(0, "Alice"), *made, *made[10:13]], "r2"))
    assert np.array_equal(single, sound)
    assert unplaced.doubles == 3


def test_network_that_stood_still_for_three_seconds_moves_nothing(tmp_path: Path):
    made = Sender(0).says(tone(440, 6, 8000), at=0.5)
    stalled = moved(made, lambda at: max(at, 4.5) if at > 1.5 else at)
    plain, _, _ = sound_of(recorded(tmp_path, [track(0, "Alice"), *made], "r1"))
    sound, _, unplaced = sound_of(recorded(tmp_path, [track(0, "Alice"), *stalled], "r2"))
    assert np.array_equal(plain, sound)
    assert unplaced.doubles == 0


def test_two_codecs_in_one_track_are_heard_at_the_better_rate(tmp_path: Path):
    phone = Sender(0)
    first = phone.says(tone(440, 2, 8000), at=0.5)
    phone.use(G722)
    second = phone.says(tone(5000, 2, 16_000), at=2.5)
    path = recorded(tmp_path, [track(0, "Alice"), *first, track(0, "Alice", G722, at=2.49), *second])
    sound, seen, _ = sound_of(path)
    assert (seen.rate, seen.parties) == (16_000, ["Alice"])
    assert seen.tracks[0].packets == {PCMA: 100, G722: 100}
    assert hertz(sound[16_000:32_000, 0], 16_000) == pytest.approx(440, abs=2)
    assert hertz(sound[48_000:64_000, 0], 16_000) == pytest.approx(5000, abs=2)
    assert heard(sound[:40_000, 0], 16_000)[0] == pytest.approx(0.5, abs=0.003)


def test_opus_is_heard_in_full(tmp_path: Path):
    made = Sender(0, OPUS).says(tone(440, 2, 48_000), at=0.5)
    sound, seen, unplaced = sound_of(recorded(tmp_path, [track(0, "Alice", OPUS), *made]))
    assert seen.rate == 48_000
    assert unplaced.unreadable == 0
    assert hertz(sound[48_000:96_000, 0], 48_000) == pytest.approx(440, abs=2)


def test_packets_that_came_before_their_codec_was_said_are_heard(tmp_path: Path):
    made = Sender(0, OPUS).says(tone(440, 1, 48_000), at=0.5)
    sound, seen, _ = sound_of(recorded(tmp_path, [*made, track(0, "Alice", OPUS, at=0.7)]))
    assert (seen.tracks[0].packets, seen.unheard) == ({OPUS: 50}, {})
    assert heard(sound[:, 0], 48_000)[0] == pytest.approx(0.5, abs=0.01)


def test_pause_that_the_timestamps_do_not_count_is_a_pause(tmp_path: Path):
    """A telephone that stops its clock while it is muted."""
    phone = Sender(0)
    first = phone.says(tone(440, 1, 8000), at=0.5)
    second = phone.says(tone(440, 1, 8000), at=4.5)
    sound, _, _ = sound_of(recorded(tmp_path, [track(0, "Alice"), *first, *second]))
    assert heard(sound[:24_000, 0], 8000)[1] == pytest.approx(1.5, abs=0.002)
    assert not sound[12_100:35_900].any()
    assert heard(sound[24_000:, 0], 8000)[0] + 3 == pytest.approx(4.5, abs=0.002)


def test_timestamps_that_begin_anew_do_not_move_the_sound(tmp_path: Path):
    phone = Sender(0)
    first = phone.says(tone(440, 1, 8000), at=0.5)
    phone.timestamp = 99
    second = phone.says(tone(440, 1, 8000), at=1.5)
    sound, _, unplaced = sound_of(recorded(tmp_path, [track(0, "Alice"), *first, *second]))
    assert np.count_nonzero(sound[4000:20_000]) > 15_000
    assert unplaced.doubles == 0


def test_clock_of_a_telephone_that_runs_fast_loses_no_sample(tmp_path: Path):
    """1 % fast, 30 s: the sound may not go ahead of its arrivals by more than a tenth of a second."""
    made = Sender(0).says(np.full(240_000, 5000, np.int16), at=0.5)
    fast = moved(made, lambda at: 0.5 + (at - 0.5) * 0.99)
    sound, _, unplaced = sound_of(recorded(tmp_path, [track(0, "Alice"), *fast, track(1, "Bruno", at=31.5)]))
    assert np.count_nonzero(sound) == 240_000
    assert unplaced.doubles == 0


def test_clock_of_a_telephone_that_runs_slow_is_followed(tmp_path: Path):
    made = Sender(0).says(tone(440, 30, 8000), at=0.5)
    slow = moved(made, lambda at: 0.5 + (at - 0.5) * 1.01)
    sound, _, _ = sound_of(recorded(tmp_path, [track(0, "Alice"), *slow]))
    assert heard(sound[:, 0], 8000)[1] == pytest.approx(30.8, abs=0.12)


@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_clock_that_is_set_by_an_hour_makes_no_hole(tmp_path: Path, step: float):
    """The file has the times of each clock; the sound goes on."""
    phone = Sender(0)
    before = phone.says(tone(440, 1, 8000), 0.5)
    after = phone.says(tone(440, 1, 8000), 1.5 + step)
    set_at = said(Clock("ntp", 500, round(step * 1e6)), 1.5 + step)
    path = tmp_path / f"r1{SUFFIX}"
    file = SealedFile(path, header("r1"), KEY)
    file.write(said(Clock("ntp", 500), 0.0)[1] + track(0, "Alice")[1] + joined(before), BEGUN)
    file.write(set_at[1] + joined(after) + said(Part("hold", []), 2.6 + step)[1], set_at[0])
    file.close()
    sound, seen, unplaced = sound_of(path)
    assert (seen.end - BEGUN, unplaced.doubles) == (2_600_000, 0)
    assert heard(sound[:, 0], 8000) == pytest.approx((0.5, 2.5), abs=0.002)
    assert np.count_nonzero(sound[4000:20_000]) > 15_000


def joined(made: list[tuple[int, bytes]]) -> bytes:
    return b"".join(entry for _, entry in made)


def test_memory_does_not_grow_with_the_length(tmp_path: Path):
    """An hour of which little is sound: no more than the seconds that are held wait in memory."""
    phone = Sender(0)
    made = []
    for minute in range(60):
        made += phone.says(tone(440, 0.1, 8000), at=minute * 60.0)
        phone.waits(59.9)
    sealed = opened(recorded(tmp_path, [track(0, "Alice"), *made]), KEY)
    seen = outline(sealed)
    loud = [
        second
        for second, block in enumerate(blocks(sealed, seen, 8000, Unplaced()))
        if np.abs(block.astype(np.int32)).max() > 1000
    ]
    assert loud == [60 * minute for minute in range(60)]


def test_so_many_seconds_wait_in_memory_and_no_more(tmp_path: Path):
    """Two parties speak for a minute: what is held is bounded, whatever was decoded."""
    made = [*Sender(0).says(tone(440, 60, 8000), 0.0), *Sender(1, ssrc=8).says(tone(1000, 60, 8000), 0.0)]
    sealed = opened(recorded(tmp_path, [track(0, "Alice"), track(1, "Bruno"), *made]), KEY)
    made_blocks: Any = blocks(sealed, outline(sealed), 8000, Unplaced())
    seconds, packets = [], []
    for _ in made_blocks:
        for voice in made_blocks.gi_frame.f_locals["voices"].values():
            seconds.append(sum(len(canvas._seconds) for canvas in voice._canvases.values()))
            packets.append(sum(len(stream.held) for stream in voice._streams.values()))
    assert 5 < max(seconds) <= HELD_SECONDS + 3
    assert max(packets) <= 150


def test_end_alone_begins_where_it_is_asked_for(tmp_path: Path):
    path = recorded(tmp_path, [track(0, "Alice"), *Sender(0).says(tone(440, 5, 8000), 0.0)])
    whole, seen, _ = sound_of(path)
    end = seen.last_seconds(2.0)
    sound = np.concatenate(list(blocks(opened(path, KEY), end, 8000, Unplaced())))
    assert len(sound) == length_of(end, 8000) == 17_600
    assert np.array_equal(sound[160:], whole[-17_440:])
    assert seen.last_seconds(1e9) == seen


def test_mix_holds_all_parties(tmp_path: Path):
    made = [*Sender(0).says(tone(440, 1, 8000), 0.0), *Sender(1, ssrc=8).says(tone(1000, 1, 8000), 1.0)]
    sealed = opened(recorded(tmp_path, [track(0, "Alice"), track(1, "Bruno"), *made]), KEY)
    seen = outline(sealed)
    sound = np.concatenate(list(mixed(blocks(sealed, seen, 8000, Unplaced()))))
    assert sound.shape[1] == 1
    assert hertz(sound[1000:7000, 0], 8000) == pytest.approx(440, abs=2)
    assert hertz(sound[9000:15_000, 0], 8000) == pytest.approx(1000, abs=2)


def test_what_is_no_sound_is_counted_and_silent(tmp_path: Path):
    """Pictures and keys: none of it reaches the sound, and which keys isn't told."""
    made = [said(Track("Alice", "a", {"101": "telephone-event/8000", "97": "VP8/90000"}), 0.0, 0)]
    stamp = 1000
    for number, frame in enumerate(keys("12")):
        stamp += frame.advance_ticks
        if frame.payload:
            at = BEGUN + number * 20_000
            head = bytes([0x80, 101 | 0x80 * frame.marker]) + number.to_bytes(2) + stamp.to_bytes(4)
            made.append((at, packet(0, at, head + bytes(4) + frame.payload)))
    made.append((BEGUN + 900_000, packet(0, BEGUN + 900_000, bytes([0x80, 97]) + bytes(60))))
    _, seen, _ = sound_of_nobody(recorded(tmp_path, made))
    assert seen.parties == []
    assert seen.unheard == {"VP8/90000": 1}
    assert seen.tracks[0].keys_pressed == 2


def sound_of_nobody(path: Path) -> tuple[Sound, Outline, Unplaced]:
    sealed = opened(path, KEY)
    seen = outline(sealed)
    made = list(blocks(sealed, seen, 8000, Unplaced()))
    assert all(block.shape[1] == 0 for block in made)
    return np.concatenate(made), seen, Unplaced()
