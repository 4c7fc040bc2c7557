"""Random sequences of what two to six parties do: 1,000 seeds here, more by `scripts/bench races`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios import races
from tests.scenarios.races import CLEAN, Act, Race, broken, draw, play, shrink, tell
from tests.scenarios.town import SECRETS

SEEDS = 1_000
TOGETHER = 50


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("first", range(0, SEEDS, TOGETHER))
def test_whatever_parties_do_at_the_same_moment_the_promises_are_kept(first: int) -> None:
    for seed in range(first, first + TOGETHER):
        race = draw(seed)
        if broken(race):
            pytest.fail(tell(race), pytrace=False)


def test_a_seed_makes_the_same_race_and_the_same_messages() -> None:
    race = draw(3)
    assert race == draw(3)
    assert race.acts
    first, second = (play(race, drawn=True).render(times=True) for _ in range(2))
    assert first
    assert first == second


def test_a_race_that_fails_is_shrunk_to_the_acts_that_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(races, "EXIT_SECONDS", 1.0)  # too soon: whoever rings now has no answer
    acts = (
        Act(0.0, "2010", "dial", "9196"),
        Act(1.0, "1002", "mood", "never"),
        Act(2.0, "2010", "hold"),
        Act(3.0, "2010", "dial", "1002"),
        Act(4.0, "1001", "dial", "8301"),
    )
    race = Race(1, ("1001", "1002", "2010"), replace(CLEAN, loss=0.01), acts)
    assert broken(race).startswith("AssertionError: no exit: 2010 dialled 1002")
    assert shrink(race) == Race(1, ("1002", "2010"), CLEAN, (acts[1], acts[3]))
    told = tell(race)
    assert "seed 1: AssertionError: no exit: 2010 dialled 1002 and has no final answer" in told
    assert "<------------ 180 INVITE --|" in told
