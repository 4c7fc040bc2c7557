"""How long a caller still waits, as far as that can be known.

    seconds = (callers before it + 1) * mean seconds of a call, with its wrap-up / agents at work

The mean is of the queue's last CALLS answered calls since this process began. Who is before it are all who
wait for one of the same agents, in whatever queue. With fewer than FEWEST_CALLS nothing is known, and nothing
is said: a guess would be a lie. It is said in whole minutes, rounded up; above MOST_MINUTES as "more than".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from math import ceil

CALLS = 50
FEWEST_CALLS = 3
MOST_MINUTES = 30

_SOON = {"fr": "L'attente est de moins d'une minute.", "en": "The wait is less than a minute."}
_MINUTES = {"fr": "L'attente est d'environ {minutes} minutes.", "en": "The wait is about {minutes} minutes."}
_LONG = {
    "fr": "L'attente est de plus de {minutes} minutes.",
    "en": "The wait is more than {minutes} minutes.",
}


class HandlingTimes:
    """How long the calls of each queue took their agents, the last ones."""

    def __init__(self) -> None:
        self._seconds: dict[str, deque[float]] = {}

    def add(self, queue: str, seconds: float) -> None:
        """A call took an agent so long, with its wrap-up."""
        self._seconds.setdefault(queue, deque(maxlen=CALLS)).append(seconds)

    def wait_seconds(self, queue: str, before: int, agents: int) -> float | None:
        """How long somebody with so many before it still waits; None where nothing is known."""
        known = self._seconds.get(queue, ())
        if len(known) < FEWEST_CALLS or not agents:
            return None
        return (before + 1) * sum(known) / len(known) / agents


def spoken_wait(seconds: float) -> Mapping[str, str]:
    """What is said of it, by language."""
    minutes = ceil(seconds / 60)
    if minutes <= 1:
        return _SOON
    texts = _MINUTES if minutes <= MOST_MINUTES else _LONG
    said = min(minutes, MOST_MINUTES)
    return {language: text.format(minutes=said) for language, text in texts.items()}
