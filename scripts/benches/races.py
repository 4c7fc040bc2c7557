"""The area `races`: what parties do at the same moment, in the virtual world of the tests.

2,000 races, or 100,000 with --soak, each drawn from a seed of its own (tests.scenarios.races says what they
are and what is promised); the tests play those before FIRST_SEED. All cores are used. A race that breaks a
promise is told with its seed, shrunk to the acts that it takes, as a ladder.
"""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import perf_counter

from benches.figure import Figure, Meaning
from benches.signalling import Bench, Peer

ROOT = Path(__file__).resolve().parents[2]
MEANINGS = {
    "races_played": Meaning("races of parties played", "races", "higher"),
    "races_per_second": Meaning("races a second, on all cores", "races/s", "higher"),
    "races_broken": Meaning("races that broke a promise", "races", "lower", 0),
}
RACES = 2_000
SOAK_RACES = 100_000
FIRST_SEED = 1_000
PART = 100
TENTHS = 10
MOST_TOLD = 5


def figures(bench: Bench, peers: Sequence[Peer]) -> Iterator[Figure]:
    """What came of the races; a peer plays no part."""
    total = SOAK_RACES if bench.soak else RACES
    bench.say(f"{total:,} races, seeds from {FIRST_SEED:,} on")
    firsts = range(FIRST_SEED, FIRST_SEED + total, PART)
    broken: list[int] = []
    began = perf_counter()
    cores = os.sched_getaffinity(0)
    with ProcessPoolExecutor(len(cores), initializer=_begin) as pool:
        for number, found in enumerate(pool.map(play_part, firsts), start=1):
            for seed in found[: max(MOST_TOLD - len(broken), 0)]:
                bench.say(pool.submit(tell, seed).result())
            broken += found
            if number % max(len(firsts) // TENTHS, 1) == 0:
                bench.say(f"{number * PART:,} races, {len(broken)} broken")
    values = {
        "races_played": float(total),
        "races_per_second": total / (perf_counter() - began),
        "races_broken": float(len(broken)),
    }
    for name, value in values.items():
        yield Figure(name, value, MEANINGS[name])


def _begin() -> None:
    """What the races are made of is imported in the processes that play them."""
    sys.path.insert(0, str(ROOT))
    for name in ("pbx", "sip"):
        logging.getLogger(name).propagate = False  # each race looks itself at the errors that are logged

    from tests.scenarios.town import SECRETS

    os.environ.update(SECRETS)


def play_part(first: int) -> list[int]:
    """Play PART races from this seed on; returns the seeds of those that broke a promise."""
    from tests.scenarios.races import broken, draw

    return [seed for seed in range(first, first + PART) if broken(draw(seed))]


def tell(seed: int) -> str:
    """A race that broke a promise, shrunk, with its ladder."""
    from tests.scenarios import races

    return races.tell(races.draw(seed))
