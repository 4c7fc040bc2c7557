"""Searches among a million recordings, in the catalogue as a recorder's process has it.

Four policies record for forty lines and five hundred people, and 200,000 citizens call them; one recording is
every minute. Whoever searches may hear two of the policies. Each kind of search is made with several values,
each page has 50 recordings, and its time is the median; the figure is that of the slowest kind.
"""

import json
import os
import random
import sqlite3
import statistics
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recording.archive.requests import Query

RECORDINGS = 1_000_000
EVERY_SECONDS = 60.0
POLICIES = ("pompiers", "police", "standard", "astreinte")
HEARD = ("pompiers", "standard")
LINES = 40
USERS = 500
CITIZENS = 200_000
SEED = 7
TIMES = 9


def filled(path: Path, recordings: int) -> list[str]:
    """Make a catalogue; returns some of the numbers in it."""
    from recording.archive.catalogue import Catalogue

    Catalogue(path).close()
    chance = random.Random(SEED)
    citizens = [f"+336{chance.randrange(10**8):08d}" for _ in range(CITIZENS)]
    database = sqlite3.connect(path)
    database.execute("PRAGMA synchronous = OFF")  # it is made for a minute
    database.execute("PRAGMA cache_size = -500000")
    columns = (
        "id, recording, begun, ended, policy, call, line, user, caller, called, bytes, packets, head, state"
    )
    numbers = []
    rows = []
    for number in range(1, recordings + 1):
        begun = number * EVERY_SECONDS
        policy, line = POLICIES[number % len(POLICIES)], str(8000 + number % LINES)
        user, caller = str(2000 + chance.randrange(USERS)), chance.choice(citizens)
        ended = begun + 10 + chance.expovariate(1 / 180)
        name, call = f"202611-{number:07d}", f"call-{number}"
        row = (number, name, begun, ended, policy, call, line, user, caller, line, 4_000_000, 20_000)
        rows.append((*row, "ab" * 32, "ended"))
        numbers += [(caller, policy, begun, number), (line, policy, begun, number)]
        if len(rows) == 10_000 or number == recordings:
            marks = ", ".join("?" * 14)
            database.executemany(f"INSERT INTO recordings ({columns}) VALUES ({marks})", rows)
            database.executemany("INSERT INTO numbers VALUES (?, ?, ?, ?)", numbers)
            rows.clear()
            numbers.clear()
    database.commit()
    database.close()
    return citizens[:TIMES]


def queries(citizens: Iterable[str], recordings: int) -> "dict[str, list[Query]]":
    """Return some of each kind of search."""
    from recording.archive.requests import Query

    days = [86_400.0 * (day + 1) for day in range(TIMES)]
    middle = recordings * EVERY_SECONDS / 2
    return {
        "newest": [Query()] * TIMES,
        "number": [Query(number=citizen) for citizen in citizens],
        "number and day": [
            Query(number="8002", since=middle + day, until=middle + day + 86_400.0) for day in days
        ],
        "line": [Query(line=str(8000 + number)) for number in range(TIMES)],
        "user": [Query(user=str(2000 + number)) for number in range(TIMES)],
        "user and line": [Query(user=str(2000 + number), line="8002") for number in range(TIMES)],
        "day": [Query(since=middle + day, until=middle + day + 86_400.0) for day in days],
        "policy": [Query(policy="pompiers", until=middle + day) for day in days],
        "call": [Query(call=f"call-{4 * number}") for number in range(TIMES)],
        "length": [Query(shortest_seconds=1500.0 + number) for number in range(TIMES)],
        "length of a line": [Query(line="8002", shortest_seconds=900.0 + number) for number in range(TIMES)],
        "nobody": [Query(number=f"+3311111111{number}", user="9999") for number in range(TIMES)],
    }


def measured(path: Path, recordings: int) -> dict[str, float]:
    """Return what each kind of search takes, in milliseconds: the median, second pages included."""
    import msgspec

    from recording.archive.catalogue import Catalogue

    citizens = filled(path, recordings)
    catalogue = Catalogue(path)
    took: dict[str, float] = {}
    for kind, asked in queries(citizens, recordings).items():
        times = []
        for query in asked:
            after = ""
            for _ in range(2):
                began = time.perf_counter()
                _, after = catalogue.search(msgspec.structs.replace(query, after=after), HEARD)
                times.append((time.perf_counter() - began) * 1000)
                if not after:
                    break
        took[kind] = statistics.median(times)
    catalogue.close()
    return took


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[1])})
    with TemporaryDirectory(prefix="bench-") as place:
        kinds = measured(Path(place) / "catalogue.sqlite", RECORDINGS)
    print(", ".join(f"{kind} {took:.1f} ms" for kind, took in kinds.items()), file=sys.stderr)
    print(json.dumps({"recording_search": max(kinds.values())}))
