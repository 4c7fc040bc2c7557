"""Fixtures of the peer tests: the town's network, phones on it, and Beffroi in the middle."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.interop import beffroi, namespaces
from tests.interop.beffroi import Beffroi
from tests.interop.namespaces import Town
from tests.interop.patience import end_of

_FOLDER = pytest.StashKey[Path]()


@pytest.fixture
def town() -> Iterator[Town]:
    """The hub with no phone yet."""
    with namespaces.town() as made:
        yield made


@pytest_asyncio.fixture
async def pbx(town: Town, tmp_path: Path) -> AsyncIterator[Beffroi]:
    """Beffroi with the sample town, answering at the hub's address."""
    async with beffroi.running(town.hub, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def standing_town() -> Iterator[Town]:
    """A hub for all tests of a module, which plug in phones once."""
    with namespaces.town() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing_pbx(
    standing_town: Town, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Beffroi]:
    """Beffroi for all tests of a module; whoever needs its records counts from those before."""
    async with beffroi.running(standing_town.hub, tmp_path_factory.mktemp("standing")) as made:
        yield made


@pytest.fixture(autouse=True)
def _logs(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Remember where the peers of this test write."""
    request.node.stash[_FOLDER] = tmp_path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of every log of a failed test."""
    report = yield
    if report.failed and _FOLDER in item.stash:
        folders = [item.stash[_FOLDER]]
        standing = getattr(item, "funcargs", {}).get("standing_pbx")
        if standing is not None:
            folders.append(standing.configuration.parent)
        logs = sorted(log for folder in folders for log in folder.rglob("*.log"))
        report.sections += [(log.name, end_of(log)) for log in logs]
    return report
