"""Fixtures of the media tests."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.media.phone import Phone
from tests.media.process import MediaProcess


@pytest.fixture
def phones() -> Iterator[Callable[..., Phone]]:
    """Make phones that hang up at the end of the test."""
    made: list[Phone] = []

    def make(frequency_hz: int = 1000, host: str = "127.0.0.1") -> Phone:
        made.append(Phone(frequency_hz, host))
        return made[-1]

    yield make
    for phone in made:
        phone.close()


@pytest.fixture
async def media(tmp_path: Path) -> AsyncIterator[MediaProcess]:
    """A media process on loopback; it must end well."""
    process = MediaProcess(tmp_path / "prompts")
    await process.engine.start()
    yield process
    assert process.stop() == 0
