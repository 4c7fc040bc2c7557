"""Fixtures of the media tests."""

import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from media.engines.relay import PlaneName
from tests.media.line import PLANES
from tests.media.phone import Phone
from tests.media.process import MediaProcess
from tests.media.rtpengine_daemon import RtpengineDaemon, rtpengine


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


@pytest.fixture(params=PLANES)
def plane(request: pytest.FixtureRequest) -> PlaneName:
    """Each of the ways in which packets are moved."""
    chosen: PlaneName = request.param
    return chosen


@pytest.fixture
async def media(tmp_path: Path, plane: PlaneName) -> AsyncIterator[MediaProcess]:
    """A media process on loopback; it must end well."""
    process = MediaProcess(tmp_path / "prompts", plane=plane)
    await process.engine.start()
    yield process
    assert process.stop() == 0


@pytest.fixture
async def lasting_media(tmp_path: Path, plane: PlaneName) -> AsyncIterator[MediaProcess]:
    """A media process that outlives its engine; it is ended by a signal, whatever the test came to."""
    process = MediaProcess(tmp_path / "prompts", lasting=True, plane=plane)
    try:
        await process.engine.start()
        yield process
    finally:
        assert process.stop() == -signal.SIGTERM


@pytest.fixture(scope="session")
def rtpengine_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtpengineDaemon]:
    """Debian's rtpengine on loopback, for all tests of this run."""
    with rtpengine(tmp_path_factory.mktemp("rtpengine") / "log") as running:
        yield running
