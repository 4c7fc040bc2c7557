"""The compiled core: the same sources, made machine code by mypyc, where `scripts/compile` has built it.

SIP's core and the routing are pure functions and values, which mypyc makes a third cheaper. The build lies in
the environment (`<prefix>/compiled/<fingerprint>/`), never in the work tree. The fingerprint is that of
these very sources and of this Python, so that a build of other sources can't be found, let alone used:
without its own build, and with BEFFROI_PURE=1, Beffroi runs from the sources, and `state` says so.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
BUILDS = Path(sys.prefix) / "compiled"
SWITCH = "BEFFROI_PURE"
_SUFFIX: str = sysconfig.get_config_var("EXT_SUFFIX")

# Not those that interpreted code derives from: a class of mypyc's can't be derived from outside.
_LEFT_OUT = frozenset({"__init__.py", "errors.py", "flow.py"})


def sources(root: Path = ROOT) -> list[Path]:
    """The modules that are compiled, relative to `root`, in a fixed order."""
    core = [path for path in (root / "sip" / "core").rglob("*.py") if path.name not in _LEFT_OUT]
    others = [
        root / "sip" / "net" / "driver.py",
        root / "dialplan" / "decision.py",
        root / "dialplan" / "dialled.py",
        root / "dialplan" / "routing.py",
    ]
    return sorted(path.relative_to(root) for path in (*core, *others))


def fingerprint(root: Path = ROOT) -> str:
    """The name of the build that fits these sources and this Python: 32 hexadecimal digits."""
    digest = hashlib.blake2s(f"{sys.version} {_SUFFIX}".encode(), digest_size=16)
    for path in sources(root):
        content = (root / path).read_bytes()
        digest.update(f"{path} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


class _Build:
    """Finds the modules of one build before their sources are looked for."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._files = {
            ".".join(file.relative_to(directory).parts).removesuffix(_SUFFIX): file
            for file in directory.rglob(f"*{_SUFFIX}")
        }

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a compiled module, None for every other one (the protocol of importlib)."""
        file = self._files.get(fullname)
        return spec_from_file_location(fullname, file) if file is not None else None


def activate(environment: Mapping[str, str] = os.environ) -> None:
    """Let the modules imported from now on come from the build that fits, if there is one."""
    if environment.get(SWITCH, "") not in {"", "0"} or _active() or not BUILDS.is_dir():
        return
    directory = BUILDS / fingerprint()
    if directory.is_dir():
        sys.meta_path.insert(0, _Build(directory))


def state(environment: Mapping[str, str] = os.environ) -> str:
    """What runs, in a few words: `compiled`, or `pure Python` and why."""
    if _active():
        return "compiled"
    if environment.get(SWITCH, "") not in {"", "0"}:
        return f"pure Python ({SWITCH} is set)"
    if BUILDS.is_dir() and any(BUILDS.iterdir()):
        return "pure Python (compiled from other sources: run scripts/compile again)"
    return "pure Python"


def _active() -> bool:
    return any(isinstance(finder, _Build) for finder in sys.meta_path)
