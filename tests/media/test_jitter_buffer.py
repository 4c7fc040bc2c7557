"""The jitter buffer on networks that are models with a seed."""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.jitter_buffer import MAX_PACKETS, MAX_TARGET_SECONDS, JitterBuffer, Player
from media.rtp import Packet
from media.sdp import Codec
from media.voice import decoder_of, encoder_of
from tests.media.listening import heard, rms, tone, voice

PCMA = Codec(8, "PCMA", 8000, 1, "pcma/8000/1")
OPUS = Codec(96, "opus", 48000, 2, "opus/48000/2")


def packet(number: int, *, ticks: int = 160, start: int = 0, ssrc: int = 7, payload: bytes = b"") -> Packet:
    """The packet sent as number `number`; its payload says so."""
    body = payload or number.to_bytes(4)
    return Packet(8, start + number & 0xFFFF, start * 1000 + number * ticks & 0xFFFFFFFF, ssrc, body)


@dataclass
class Run:
    """What came out of a buffer."""

    buffer: JitterBuffer
    heard: list[int] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)  # of each packet heard, from when it was sent
    made_up: list[float] = field(default_factory=list)  # when
    targets: list[float] = field(default_factory=list)


def run(
    delay: Callable[[int], float | None],
    seconds: float,
    *,
    drift: float = 0.0,
    quiet: bool = True,
    start: int = 0,
) -> Run:
    """Send a packet each 20 ms, delay(number) seconds on its way (None: lost), and play a frame each 20 ms.

    drift: how much faster the sender's clock runs than ours.
    """
    buffer = JitterBuffer(8000, lambda _: 160)
    done = Run(buffer)
    sent = [number * 0.020 / (1 + drift) for number in range(round(seconds / 0.020))]
    delays = [delay(number) for number in range(len(sent))]
    coming = [(sent[number] + late, number) for number, late in enumerate(delays) if late is not None]
    heapq.heapify(coming)
    for turn in range(round(seconds / 0.020)):
        now = 0.007 + turn * 0.020
        while coming and coming[0][0] <= now:
            at, number = heapq.heappop(coming)
            buffer.put(packet(number, start=start), 100 + at)
        while (take := buffer.take(100 + now, quiet=quiet)).skipped:
            pass
        if take.packet is None:
            done.made_up.append(now)
        else:
            number = int.from_bytes(take.packet.payload)
            done.heard.append(number)
            done.lags.append(now - sent[number])
        done.targets.append(buffer.target_seconds)
    return done


def jitter(seed: int, most: float) -> Callable[[int], float]:
    chance = random.Random(seed)
    return lambda _: 0.030 + chance.uniform(0, most)


def after(times: list[float], seconds: float) -> list[float]:
    return [time for time in times if time > seconds]


def test_even_network_is_played_whole_with_little_delay():
    done = run(lambda _: 0.030, 10, quiet=False)
    assert done.heard == list(range(done.heard[-1] + 1))
    assert after(done.made_up, 0.5) == []
    assert max(done.lags[100:]) <= 0.030 + 0.020 + 0.045


@pytest.mark.parametrize("most", [0.020, 0.060, 0.120])
@pytest.mark.parametrize("seed", range(5))
def test_jitter_is_learnt_and_hidden(most: float, seed: int):
    done = run(jitter(seed, most), 40)
    assert done.heard == sorted(set(done.heard))
    # 97 % in time is the aim; what is made up once known is under 5 %.
    assert len(after(done.made_up, 5)) < 0.05 * 35 / 0.020
    assert abs(done.targets[-1] - most) < 0.5 * most
    assert np.mean(done.lags[500:]) < 0.030 + most + 0.060


def test_delay_comes_down_when_the_network_calms():
    chance = random.Random(3)
    done = run(lambda number: 0.03 + chance.uniform(0, 0.150 if number < 500 else 0.004), 40)
    assert done.targets[490] > 0.120
    assert done.targets[-1] < 0.040
    assert np.mean(done.lags[-100:]) < 0.100


def test_target_is_bounded():
    done = run(jitter(1, 0.9), 20)
    assert max(done.targets) <= MAX_TARGET_SECONDS


@pytest.mark.parametrize("seed", range(5))
def test_disorder_and_duplicates_are_put_right(seed: int):
    chance = random.Random(seed)
    buffer, order = JitterBuffer(8000, lambda _: 160), []
    for group in range(0, 400, 4):
        numbers = [group, group + 1, group + 2, group + 3, group + 1]
        chance.shuffle(numbers)
        for number in numbers:
            buffer.put(packet(number), 1 + group * 0.020)
        for turn in range(4):
            take = buffer.take(1 + (group + turn) * 0.020 + 0.060)
            if take.packet is not None:
                order.append(int.from_bytes(take.packet.payload))
    assert order == sorted(set(order))
    assert len(order) > 380
    assert buffer.duplicate + buffer.late >= 90


def test_lost_packets_are_made_up_once_and_no_time_is_lost():
    chance = random.Random(2)
    done = run(lambda _: None if chance.random() < 0.1 else 0.030, 20)
    lost = set(range(done.heard[-1])) - set(done.heard)
    assert 60 < len(lost) < 140
    assert len(after(done.made_up, 0.2)) == pytest.approx(len(lost), abs=3)
    assert np.ptp(done.lags[50:]) < 0.021


def test_late_packet_is_played_no_more():
    buffer = JitterBuffer(8000, lambda _: 160)
    for number in (0, 1, 3, 4):
        buffer.put(packet(number), 1 + number * 0.020)
    takes = [buffer.take(1.05 + turn * 0.020) for turn in range(3)]
    assert [take.packet is None for take in takes] == [False, False, True]
    assert takes[2].lost
    assert takes[2].following == packet(3).payload
    buffer.put(packet(2), 1.105)
    assert buffer.late == 0  # not yet known to be late: its number is still to come
    played = [buffer.take(1.11 + turn * 0.020) for turn in range(3)]
    assert [int.from_bytes(take.packet.payload) for take in played if take.packet and not take.skipped] == [
        3,
        4,
    ]
    assert buffer.late == 1


@pytest.mark.parametrize("drift", [-0.0005, 0.0005])
def test_sender_with_another_clock_is_followed(drift: float):
    # Ten times what RFC 3550 expects of a quartz: 300 ms in ten minutes.
    done = run(jitter(4, 0.010), 600, drift=drift)
    assert np.mean(done.lags[-200:]) < 0.110
    assert len(after(done.made_up, 1)) < 60
    assert len(done.buffer) < 6


def test_numbers_and_timestamps_turn_over():
    # RFC 3550 section 5.1: both do, and begin anywhere
    done = run(lambda _: 0.030, 4, start=65_500, quiet=False)
    assert done.heard == list(range(done.heard[-1] + 1))
    buffer = JitterBuffer(8000, lambda _: 160)
    for number in range(20):
        buffer.put(
            Packet(8, number, (0xFFFFFFFF - 800 + number * 160) & 0xFFFFFFFF, 7, b"x"), 1 + number * 0.02
        )
    assert sum(buffer.take(1.06 + turn * 0.020).packet is not None for turn in range(20)) == 20


def test_silence_that_is_not_sent_is_kept_as_long_as_it_was():
    buffer, heard_at = JitterBuffer(8000, lambda _: 160), []
    # 25 packets, two seconds of nothing (numbers go on, time does too), 25 packets.
    sent = [(number, number) for number in range(25)] + [(number, number + 100) for number in range(25, 50)]
    for turn in range(180):
        for number, place in sent:
            if place == turn:
                buffer.put(Packet(8, number, place * 160, 7, number.to_bytes(4)), 1 + turn * 0.02)
        take = buffer.take(1.005 + turn * 0.02, quiet=True)
        if take.packet is not None:
            heard_at.append(turn)
    assert len(heard_at) == 50
    assert heard_at[25] - heard_at[24] in (101, 100, 102)
    assert buffer.lost == 0


def test_another_sender_begins_anew():
    buffer = JitterBuffer(8000, lambda _: 160)
    for number in range(10):
        buffer.put(packet(number), 1 + number * 0.02)
    buffer.put(packet(40_000, ssrc=8, start=3), 1.2)
    assert len(buffer) == 1
    assert buffer.take(1.3).packet == packet(40_000, ssrc=8, start=3)


def test_sender_whose_clock_jumps_begins_anew():
    buffer, played = JitterBuffer(8000, lambda _: 160), 0
    for number in range(100):
        jump = 80_000_000 if number >= 50 else 0
        buffer.put(Packet(8, number, number * 160 + jump, 7, b"x"), 1 + number * 0.02)
        played += buffer.take(1.005 + number * 0.02, quiet=True).packet is not None
    assert played > 90


def test_network_that_stops_and_gives_all_at_once_is_caught_up():
    done = run(
        lambda number: 0.030 + max(0.0, 0.6 - (number - 500) * 0.020 if number >= 500 else 0), 30, quiet=False
    )
    assert np.mean(done.lags[-100:]) < 0.150
    assert done.heard == sorted(done.heard)


def test_flood_is_bounded():
    buffer = JitterBuffer(8000, lambda _: 160)
    for number in range(5000):
        buffer.put(packet(number), 1.0)
    assert len(buffer) <= MAX_PACKETS
    assert buffer.overflowed > 0


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.sampled_from([1, 2]),
            st.binary(max_size=20), st.floats(0, 5),
        ),
        max_size=60,
    )
)  # fmt: skip
def test_any_packets_at_any_times_give_frames_of_twenty_milliseconds(
    sent: list[tuple[int, int, int, bytes, float]],
):
    for codec in (PCMA, OPUS):
        player = Player(decoder_of(codec, 8000))
        now = 0.0
        for sequence, timestamp, ssrc, payload, step in sent:
            now += step
            player.put(Packet(8 if sequence % 5 else 13, sequence, timestamp, ssrc, payload), now)
            assert len(player.frame(now)) == 160
            assert len(player.buffer) <= MAX_PACKETS


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1 << 32), st.floats(0, 0.3), st.floats(0, 0.3))
def test_nothing_is_played_twice_or_backwards(seed: int, most: float, loss: float):
    chance = random.Random(seed)
    done = run(lambda _: None if chance.random() < loss else chance.uniform(0, most), 6)
    assert all(before < later for before, later in itertools.pairwise(done.heard))


# --- sound -------------------------------------------------------------------


def sound_of(
    codec: Codec, lost: set[int], samples: np.ndarray, rate: int = 8000
) -> tuple[np.ndarray, Player]:
    """What a player makes of a sound of which packets are lost, without the delay."""
    encoder = encoder_of(codec, rate)
    player = Player(decoder_of(codec, rate))
    step, ticks = rate // 50, encoder.clock_rate // 50
    frames = []
    for number in range(len(samples) // step):
        payload = encoder.encode(samples[number * step : (number + 1) * step])
        if number not in lost:
            player.put(Packet(8, number, number * ticks, 7, payload), 1 + number * 0.02)
        frames.append(player.frame(1.001 + number * 0.02))
    return np.concatenate(frames), player


def test_tone_is_heard_without_a_gap():
    sound, _ = sound_of(PCMA, set(), tone(400, 2))
    amplitude, clean_db = heard(sound[3200:], 400)
    assert abs(amplitude / 8000 - 1) < 0.02
    assert clean_db > 30  # A-law: 35 dB at this level


@pytest.mark.parametrize("codec", [PCMA, OPUS], ids=["PCMA", "Opus"])
def test_lost_packet_of_a_tone_is_hardly_heard(codec: Codec):
    sound, player = sound_of(codec, {50}, tone(400, 2))
    assert player.buffer.lost == 1
    _, clean_db = heard(sound[6400:12800], 400)
    # A gap of 20 ms in 800 would leave 16 dB; Opus, which is no waveform, has 15 without any loss.
    assert clean_db > (17 if codec is PCMA else 11)


def test_concealment_is_nearer_to_a_voice_than_silence():
    spoken = voice(6)
    lost = set(range(30, 290, 13))
    whole, _ = sound_of(PCMA, set(), spoken)
    mended, _ = sound_of(PCMA, lost, spoken)
    difference = mended.astype(float) - whole
    silence = 0.0
    for place in range(len(whole) // 160):
        if np.any(difference[place * 160 : (place + 1) * 160]):
            silence += float(np.sum(whole[place * 160 : (place + 1) * 160].astype(float) ** 2))
    # The pitch wanders: 2 dB nearer in the waveform is a good deal more to the ear.
    assert float(np.sum(difference**2)) < 0.7 * silence


def test_long_loss_fades_to_silence():
    sound, _ = sound_of(PCMA, set(range(50, 90)), tone(400, 2))
    assert rms(sound[54 * 160 : 56 * 160]) > 50
    assert rms(sound[60 * 160 : 85 * 160]) == 0


def test_joints_do_not_click():
    sound, _ = sound_of(PCMA, {40, 60, 61, 80}, tone(300, 2))
    # The steepest step of the tone itself is 1,885.
    assert int(np.max(np.abs(np.diff(sound[1600:].astype(int))))) < 2600


def test_comfort_noise_is_heard_until_the_sender_speaks():
    # RFC 3389 section 4
    player, levels = Player(decoder_of(PCMA)), []
    payload = encoder_of(PCMA).encode(tone(400, 0.02))
    for turn in range(150):
        if turn < 25 or turn >= 100:
            number = turn if turn < 25 else turn - 74
            player.put(Packet(8, number, turn * 160, 7, payload), 1 + turn * 0.02)
        elif turn == 25:
            player.put(Packet(13, 25, turn * 160, 7, bytes([40])), 1 + turn * 0.02)
        levels.append(rms(player.frame(1.001 + turn * 0.02)))
    assert max(levels[35:95]) < 600
    assert min(levels[35:95]) > 200
    assert min(levels[110:]) > 4000
    assert player.buffer.lost == 0
