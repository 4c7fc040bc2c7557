"""One town with its node, for all tests that ask it for real."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.interop import namespaces
from tests.interop.namespaces import Town
from tests.provisioning.town_hall import TownHall, open_hall


@pytest.fixture(scope="package")
def hall_town() -> Iterator[Town]:
    """The hub in which the node is, with no telephone yet."""
    with namespaces.town() as made:
        yield made


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def hall(hall_town: Town, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TownHall]:
    """The node; each test asks from an address of its own, whose limits are its own."""
    async with open_hall(hall_town, tmp_path_factory.mktemp("hall")) as made:
        yield made
