"""Browsers that are gone, as their RTC worker tells: each has some seconds in which to be connected again.

A page that is loaded again, or mends its path, takes less than that. One that stays away is told of once.
"""

import asyncio
from collections.abc import Callable
from typing import Final

GONE_SECONDS: Final = 30.0


class Absences:
    """Who is awaited. stayed_away: is told an association's key and why it went; seconds: to come back."""

    def __init__(self, stayed_away: Callable[[str, str], None], seconds: float = GONE_SECONDS) -> None:
        self._stayed_away = stayed_away
        self._seconds = seconds
        self._awaited: dict[str, asyncio.TimerHandle] = {}

    def begin(self, key: str, why: str) -> None:
        """Await an association from now on."""
        self.end(key)
        self._awaited[key] = asyncio.get_running_loop().call_later(self._seconds, self._over, key, why)

    def end(self, key: str) -> None:
        """It is connected again, or closed: await it no more."""
        awaited = self._awaited.pop(key, None)
        if awaited is not None:
            awaited.cancel()

    def _over(self, key: str, why: str) -> None:
        del self._awaited[key]
        self._stayed_away(key, why)
