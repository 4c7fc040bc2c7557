"""An application to ask, without a process and without a network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pbx.store.database import open_database
from pbx.store.revision import upgrade
from pbx.web.application import application
from tests.web.office import Office, office


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database with its tables: making them takes longer than most tests do."""
    configuration = office(tmp_path_factory.mktemp("migrated")).configuration
    database = open_database(configuration.database)
    upgrade(database)
    database.close()
    assert configuration.sqlite_file is not None
    return configuration.sqlite_file


@pytest.fixture
def node(tmp_path: Path, migrated: Path) -> Office:
    made = office(tmp_path)
    assert made.configuration.sqlite_file is not None
    shutil.copyfile(migrated, made.configuration.sqlite_file)
    return made


@pytest.fixture
def client(node: Office) -> Iterator[TestClient]:
    with TestClient(application(node), base_url="http://localhost", client=("127.0.0.1", 50000)) as asking:
        yield asking
