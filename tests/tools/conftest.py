"""The staged tree that tests of the commands share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.stage import Tree


@pytest.fixture
def staged() -> Iterator[Tree]:
    # Not pytest's own temporary folder: another user has to read it.
    folder = Path(tempfile.mkdtemp(prefix="beffroi-setup-"))
    folder.chmod(0o755)
    yield Tree(folder)
    shutil.rmtree(folder)
