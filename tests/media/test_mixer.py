"""Rooms: who hears whom, how loud, and who speaks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.g711 import Samples
from media.mixer import Mixer, MixerError, Party, bent
from tests.media.listening import heard, rms, tone


def talk(mixer: Mixer, voices: dict[Party, Samples]) -> None:
    """One tick of these constant or whole frames."""
    for party, samples in voices.items():
        mixer.put(party, samples[: mixer.frame_samples])
    mixer.tick()


def level(value: int, mixer: Mixer) -> Samples:
    return np.full(mixer.frame_samples, value, np.int16)


def test_each_hears_all_others_and_not_itself():
    mixer = Mixer()
    parties = [mixer.join("council") for _ in range(3)]
    talk(mixer, {party: level(10**place, mixer) for place, party in enumerate(parties)})
    assert [int(mixer.heard(party)[0]) for party in parties] == [110, 101, 11]


def test_rooms_do_not_hear_each_other():
    mixer = Mixer()
    first, second = [mixer.join("a"), mixer.join("a")], [mixer.join("b"), mixer.join("b")]
    talk(mixer, {first[0]: level(100, mixer), second[0]: level(7, mixer)})
    assert [int(mixer.heard(party)[0]) for party in (*first, *second)] == [0, 100, 0, 7]


def test_who_puts_nothing_is_silent_in_the_next_tick():
    mixer = Mixer()
    alice, bruno = mixer.join("a"), mixer.join("a")
    talk(mixer, {alice: level(500, mixer)})
    talk(mixer, {})
    assert not mixer.heard(bruno).any()


def test_what_was_heard_is_not_changed_by_the_next_tick():
    mixer = Mixer()
    alice, bruno = mixer.join("a"), mixer.join("a")
    talk(mixer, {alice: level(500, mixer)})
    before = mixer.heard(bruno)
    talk(mixer, {alice: level(9, mixer)})
    assert before[0] == 500


def test_people_come_and_go_between_ticks():
    mixer = Mixer()
    alice, bruno, carla = mixer.join("a"), mixer.join("b"), mixer.join("a")
    mixer.leave(alice)
    dora = mixer.join("a")
    talk(mixer, {dora: level(3, mixer), bruno: level(50, mixer)})
    assert mixer.heard(carla)[0] == 3
    assert mixer.parties("a") == [carla, dora]
    mixer.leave(bruno)
    assert mixer.parties("b") == []
    with pytest.raises(MixerError):
        mixer.leave(bruno)


def test_empty_mixer_ticks():
    mixer = Mixer()
    mixer.tick()
    mixer.leave(mixer.join("a"))
    mixer.tick()
    assert mixer.speaker("a") is None


def test_muted_party_hears_and_is_not_heard():
    mixer = Mixer()
    alice, supervisor = mixer.join("a"), mixer.join("a", muted=True)
    talk(mixer, {alice: level(5, mixer), supervisor: level(900, mixer)})
    assert (mixer.heard(alice)[0], mixer.heard(supervisor)[0]) == (0, 5)
    mixer.mute(supervisor, muted=False)
    talk(mixer, {alice: level(5, mixer), supervisor: level(900, mixer)})
    assert mixer.heard(alice)[0] == 900


def test_gain_makes_louder_and_softer():
    mixer = Mixer()
    alice, bruno = mixer.join("a"), mixer.join("a")
    for gain_db, expected in [(6.02, 2000), (-6.02, 500), (0, 1000), (90, 7943)]:
        mixer.set_gain(alice, gain_db)
        talk(mixer, {alice: level(1000, mixer)})
        assert mixer.heard(bruno)[0] == pytest.approx(expected, rel=0.01)


def test_whisper_is_heard_by_one_alone():
    mixer = Mixer()
    agent, citizen, coach = mixer.join("a"), mixer.join("a"), mixer.join("a")
    mixer.whisper(coach, agent)
    said = {agent: level(1, mixer), citizen: level(10, mixer), coach: level(100, mixer)}
    talk(mixer, said)
    assert [int(mixer.heard(party)[0]) for party in said] == [110, 1, 11]
    mixer.whisper(coach, None)
    talk(mixer, said)
    assert mixer.heard(citizen)[0] == 101


def test_whisper_without_its_ear_is_heard_by_nobody():
    mixer = Mixer()
    agent, citizen, coach = mixer.join("a"), mixer.join("a"), mixer.join("a")
    mixer.whisper(coach, agent)
    mixer.leave(agent)
    talk(mixer, {coach: level(100, mixer)})
    assert mixer.heard(citizen)[0] == 0


def test_whisper_stays_in_its_room():
    mixer = Mixer()
    coach, agent = mixer.join("a"), mixer.join("b")
    for to in (agent, coach):
        with pytest.raises(MixerError):
            mixer.whisper(coach, to)


def test_many_loud_voices_bend_and_never_turn_over():
    mixer = Mixer()
    parties = [mixer.join("a") for _ in range(300)]
    talk(
        mixer, {party: level(32767 if number % 3 else -32768, mixer) for number, party in enumerate(parties)}
    )
    assert all(32000 < mixer.heard(party)[0] <= 32767 for party in parties)


def test_two_loud_tones_are_bent_without_a_crackle():
    mixer = Mixer()
    alice, bruno, carla = (mixer.join("a") for _ in range(3))
    sound, other = tone(500, 1, amplitude=20_000), tone(660, 1, amplitude=20_000)
    frames = []
    for place in range(0, 8000, 160):
        talk(mixer, {alice: sound[place : place + 160], bruno: other[place : place + 160]})
        frames.append(mixer.heard(carla))
    mixed = np.concatenate(frames)
    cut = np.clip(sound.astype(int) + other, -32768, 32767).astype(np.int16)

    def harsh(samples: Samples) -> float:
        """The power above 2,500 Hz, where neither tone nor their first products are."""
        power = np.abs(np.fft.rfft(samples)) ** 2
        return float(np.sum(power[2500:]))

    # A hard limit makes about twice as much of what was never said.
    assert harsh(mixed) < 0.6 * harsh(cut)


def test_bend_is_nothing_below_the_knee_and_has_no_edge():
    every = np.arange(-200_000, 200_000, dtype=np.int32)[np.newaxis, :].copy()
    result = bent(every.copy())[0].astype(int)
    quiet = np.abs(every[0]) <= 24_000
    assert np.array_equal(result[quiet], every[0][quiet])
    steps = np.diff(result)
    assert steps.min() >= 0
    assert steps.max() == 1
    assert result[-1] > 31_000


def test_quiet_rows_beside_loud_ones_are_untouched():
    rows = np.array([[100, -5], [90_000, 3], [7, 8]], np.int32)
    assert bent(rows.copy())[[0, 2]].tolist() == [[100, -5], [7, 8]]


def test_speaker_is_who_is_loudest_and_stays_in_a_pause():
    mixer = Mixer()
    alice, bruno = mixer.join("a"), mixer.join("a")
    loud, soft = tone(300, 1), tone(300, 1, amplitude=600)
    for _ in range(20):
        talk(mixer, {alice: loud, bruno: soft})
    assert mixer.speaker("a") is alice
    for _ in range(50):
        talk(mixer, {})
    assert mixer.speaker("a") is alice
    for _ in range(20):
        talk(mixer, {bruno: loud})
    assert mixer.speaker("a") is bruno
    mixer.leave(bruno)
    assert mixer.speaker("a") is None


def test_speaker_does_not_flicker_between_two_of_like_loudness():
    mixer, speakers = Mixer(), set()
    alice, bruno = mixer.join("a"), mixer.join("a")
    for turn in range(200):
        loud = (6000, 8000) if turn // 10 % 2 else (8000, 6000)
        talk(mixer, {alice: tone(300, 0.02, amplitude=loud[0]), bruno: tone(300, 0.02, amplitude=loud[1])})
        speakers.add(mixer.speaker("a"))
    assert len(speakers - {None}) == 1


def test_muted_party_is_never_the_speaker_and_its_level_is_known():
    mixer = Mixer()
    alice, bruno = mixer.join("a", muted=True), mixer.join("a")
    for _ in range(20):
        talk(mixer, {alice: tone(300, 1), bruno: level(0, mixer)})
    assert mixer.speaker("a") is None
    assert mixer.level(alice) == pytest.approx(rms(tone(300, 0.02)), rel=0.1)


def test_wide_rooms_carry_seven_kilohertz():
    mixer, frames = Mixer(16_000), []
    alice, bruno = mixer.join("a"), mixer.join("a")
    sound = tone(6500, 0.5, 16_000)
    for place in range(0, len(sound), 320):
        talk(mixer, {alice: sound[place : place + 320]})
        frames.append(mixer.heard(bruno))
    assert heard(np.concatenate(frames), 6500, 16_000)[1] > 60


@settings(max_examples=100, deadline=None)
@given(
    rooms=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    seed=st.integers(0, 1 << 32),
)
def test_every_mix_is_the_sum_of_the_others(rooms: list[int], seed: int):
    random = np.random.default_rng(seed)
    mixer = Mixer()
    said = {
        mixer.join(str(number)): random.integers(-4000, 4000, 160).astype(np.int16)
        for number, size in enumerate(rooms)
        for _ in range(size)
    }
    talk(mixer, said)
    for party in said:
        others = [
            sound.astype(int) for one, sound in said.items() if one.room == party.room and one is not party
        ]
        assert np.array_equal(mixer.heard(party), sum(others, np.zeros(160, int)))
