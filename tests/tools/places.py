"""Where the tools' tests find things: the root of the tree and the commands of this environment."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = Path(sys.executable).parent

_NOT_OURS = {"__pycache__", "node_modules", "build", "dist"}


def pyproject() -> dict[str, Any]:
    """pyproject.toml as it is."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def files_of_the_tree(folder: Path = ROOT) -> Iterator[Path]:
    """Every file that the repository holds: all but caches, environments and what git keeps for itself."""
    for path in sorted(folder.iterdir()):
        if path.is_file():
            yield path
        elif path.name in _NOT_OURS or (path.name.startswith(".") and path.name != ".ci"):
            continue
        elif path.is_dir():
            yield from files_of_the_tree(path)
