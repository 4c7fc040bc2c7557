"""What the E-model says, and who isn't heard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.quality import (
    CODECS,
    PERFECT_R,
    Counters,
    LegMeter,
    OneWayAudio,
    burst_ratio,
    delay_impairment,
    mos,
    quality,
    r_factor,
)


def test_perfect_call_has_the_recommendations_score():
    # ITU-T G.107: R = 93.2 and MOS = 4.41 with all defaults
    assert r_factor("PCMA", 0, 0) == PERFECT_R
    assert mos(PERFECT_R) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(("r", "score"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1)])
def test_scores_are_those_of_annex_b(r: float, score: float):
    assert mos(r) == pytest.approx(score, abs=0.01)


@pytest.mark.parametrize("delay_ms", [20, 50, 100, 150, 177, 200, 250, 300, 400])
def test_delay_costs_what_others_have_fitted(delay_ms: float):
    # Cole and Rosenbluth (2001) fitted two straight lines to G.107's curve; they say within some 3 points.
    fitted = 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - 177.3)
    assert delay_impairment(delay_ms) == pytest.approx(fitted, abs=3.2)


@pytest.mark.parametrize(
    ("codec", "loss", "burst", "r"),
    [
        # G.107 section 7.5 by hand: 93.2 - Ie - (95 - Ie) * Ppl / (Ppl / BurstR + Bpl)
        ("PCMA", 1, 1, 93.2 - 95 * 1 / 26.1),
        ("PCMA", 5, 2, 93.2 - 95 * 5 / (2.5 + 25.1)),
        ("G729", 0, 1, 93.2 - 11),
        ("g729", 2, 1, 93.2 - 11 - 84 * 2 / 21),
    ],
)
def test_loss_costs_what_the_formula_says(codec: str, loss: float, burst: float, r: float):
    assert r_factor(codec, 0, loss, burst) == pytest.approx(r, abs=1e-6)


@given(st.sampled_from([*CODECS, "strange"]), st.floats(-10, 1e5), st.floats(-10, 200), st.floats(0, 100))
def test_any_measurement_gives_a_score(codec: str, delay: float, loss: float, burst: float):
    r = r_factor(codec, delay, loss, burst)
    assert 0 <= r <= PERFECT_R
    assert 1 <= mos(r) <= 4.5


@given(st.floats(0, 2000), st.floats(0, 2000))
def test_more_delay_is_never_better(first: float, second: float):
    assert delay_impairment(min(first, second)) <= delay_impairment(max(first, second)) + 0.05


@given(st.floats(-10, 110), st.floats(-10, 110))
def test_more_r_is_never_worse_to_the_ear(first: float, second: float):
    # G.107's polynomial falls by 0.02 below R = 6.5, where it is cut at 1.
    assert mos(min(first, second)) <= mos(max(first, second)) + 1e-9


def test_losses_that_come_together_are_worse():
    assert burst_ratio(10, 1000, 10) == 1.0
    assert burst_ratio(10, 1000, 2) == pytest.approx(4.95)
    assert burst_ratio(0, 1000, 0) == burst_ratio(5, 5, 1) == 1.0
    assert r_factor("PCMA", 50, 3, 4) < r_factor("PCMA", 50, 3, 1)


def test_interval_is_judged_by_what_happened_in_it():
    first = Counters(1000, 0, jitter_ms=2, round_trip_ms=40)
    bad = Counters(1200, 50, runs=10, jitter_ms=25, round_trip_ms=40)
    interval = quality("PCMA", first, bad)
    assert interval.loss_percent == 20
    assert interval.burst_ratio == pytest.approx(4)
    assert interval.delay_ms == 80
    assert interval.mos < 2.5
    assert quality("PCMA", bad, Counters(1450, 50, 10, round_trip_ms=40)).mos > 4.3


def test_packets_too_late_to_be_played_count_as_lost():
    assert quality("PCMA", Counters(0, 0), Counters(100, 0, late=5)).loss_percent == 5


def test_summary_tells_the_whole_and_the_worst():
    meter = LegMeter("PCMA")
    meter.observe(Counters(1000, 0, jitter_ms=2))
    worst = meter.observe(Counters(1200, 50, runs=50, jitter_ms=30))
    meter.observe(Counters(5000, 50, runs=50, jitter_ms=3))
    meter.not_heard = True
    summary = meter.summary()
    assert (summary.received, summary.lost, summary.codec) == (5000, 50, "PCMA")
    assert summary.worst_mos == round(worst.mos, 2)
    assert summary.mos > 4.2
    assert (summary.jitter_ms, summary.worst_jitter_ms) == (3, 30)
    assert summary.not_heard


def test_leg_that_nothing_came_from_has_a_summary():
    meter = LegMeter("")
    meter.observe(Counters(0, 0))
    assert meter.summary().received == 0


# --- one-way audio -----------------------------------------------------------


def watched(first: list[int], second: list[int], **kind: bool) -> list[tuple[int, str]]:
    """When who isn't heard: the counters of two legs, second by second. kind: of the first leg."""
    watch, found = OneWayAudio(), []
    for second_number, (one, other) in enumerate(zip(first, second, strict=True)):
        if watch.observe("a", one, 100.0 + second_number, **kind):
            found.append((second_number, "a"))
        if watch.observe("b", other, 100.0 + second_number):
            found.append((second_number, "b"))
    return found


SPEAKING = [50 * second for second in range(60)]
SILENT = [0] * 60


def test_leg_that_is_never_heard_is_found_within_five_seconds():
    assert watched(SPEAKING, SILENT) == [(4, "b")]


def test_leg_that_stops_being_heard_is_found_once():
    stops = [min(50 * second, 500) for second in range(60)]
    assert watched(SPEAKING, stops) == [(14, "b")]


def test_leg_that_comes_back_may_be_found_again():
    gone = [min(second, 10) for second in range(20)] + [10 + min(second, 5) for second in range(40)]
    assert [leg for _, leg in watched(SPEAKING, gone)] == ["b", "b"]


def test_two_that_speak_are_well():
    assert watched(SPEAKING, SPEAKING) == []


def test_two_that_are_silent_are_no_one_way_audio():
    assert watched(SILENT, SILENT) == []


def test_leg_on_hold_is_not_expected_to_speak():
    assert watched(SILENT, SPEAKING, expected=False) == []


def test_leg_that_suppresses_silence_has_half_a_minute():
    assert watched(SILENT, SPEAKING, suppresses_silence=True) == [(30, "a")]


def test_leg_that_left_is_forgotten():
    watch = OneWayAudio()
    watch.observe("b", 5, 1.0)
    watch.observe("a", 0, 1.0)
    watch.forget("b")
    assert not watch.observe("a", 0, 9.0)
