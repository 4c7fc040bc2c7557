"""What tests of recordings share."""

from pathlib import Path

import pytest

from tests.recording.archived import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)
