"""A town hall with an account of each role, and one desk in it. One application serves all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.accounts.desk import Desk, TownHall, town_hall


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TownHall]:
    with town_hall(tmp_path_factory.mktemp("town-hall")) as hall:
        yield hall


@pytest.fixture
def hall(opened: TownHall) -> TownHall:
    opened.begin_anew()
    return opened


@pytest.fixture
def desk(hall: TownHall) -> Desk:
    return hall.desk()
