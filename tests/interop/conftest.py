"""Fixtures of the peer tests: the town's network, phones on it, and Beffroi in the middle."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.interop import beffroi, namespaces
from tests.interop.beffroi import Beffroi
from tests.interop.namespaces import Town


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
