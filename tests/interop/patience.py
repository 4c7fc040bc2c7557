"""Waiting for real programs: for a condition that has no event of its own, always with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

Seen = TypeVar("Seen")

_LOOK_EVERY_SECONDS = 0.05


class PeerError(Exception):
    """A real program did not do what was waited for; the text says what it did, with the end of its log."""


@asynccontextmanager
async def deadline(what: str, seconds: float) -> AsyncIterator[None]:
    """asyncio.timeout() that raises PeerError and says what was waited for."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise PeerError(f"waited {seconds:g} s for {what}") from None


async def until(look: Callable[[], Awaitable[Seen]], what: str, seconds: float) -> Seen:
    """The first true value of `look`; PeerError when there was none in time."""
    async with deadline(what, seconds):
        while not (seen := await look()):
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
        return seen


def end_of(log: Path, lines: int = 40) -> str:
    """The last lines of a log, to be read by whoever finds out why a test failed."""
    if not log.exists():
        return f"({log.name}: nothing written)"
    text = log.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join([f"--- {log.name}", *text])
