"""The processes of a node, as its supervisor writes them down."""

from __future__ import annotations

import json
import os
from pathlib import Path


def running_processes(data_dir: Path) -> list[dict[str, str | int]]:
    """The node's processes that are alive, as the supervisor wrote them down."""
    try:
        written = json.loads((data_dir / "processes.json").read_text())
        processes = [(str(process["role"]), int(process["pid"])) for process in written]
    except (OSError, ValueError, TypeError, KeyError):
        return []
    return [{"role": role, "pid": pid} for role, pid in processes if _alive(pid)]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
