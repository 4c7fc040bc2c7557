"""A tree of its own for the commands of scripts/, where all that they call is a fake that keeps a diary."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.tools.places import ROOT

FAKE_PYTHON = """#!/bin/sh
case "$1" in
    -ISc) echo 3.11 ;;
    -m)
        if [ "$2" = venv ]; then
            mkdir -p "$3/bin" && cp "$FAKES"/* "$3/bin" && echo "#!$3/bin/python" >"$3/bin/pip"
        fi
        echo "python $*" >>"$DIARY"
        ;;
    *) echo "python $*" >>"$DIARY" ;;
esac
"""
FAKE_UV = """#!/bin/sh
echo "uv $*" >>"$DIARY"
[ "$1" != venv ] || { for environment; do :; done; mkdir -p "$environment/bin"; }
"""
FAKE_TOOL = """#!/bin/sh
echo "${0##*/} $*" >>"$DIARY"
[ "${0##*/}" != "$FAILS" ]
"""
# The pages are built each time, which costs nothing where nothing changed: the diary has the checks alone.
FAKE_PAGES = """#!/bin/sh
[ "$1" = build ] && exit 0
echo "pages $*" >>"$DIARY"
[ pages != "$FAILS" ]
"""
FAKE_DPKG_QUERY = """#!/bin/sh
for package; do :; done
case " $MISSING " in *" $package "*) exit 1 ;; esac
printf 'install ok installed'
"""
# sudo that wants a password, which -n forbids it to ask for.
FAKE_SUDO = """#!/bin/sh
exit 1
"""


READ = (
    *(f"scripts/{name}" for name in ("setup", "run", "test", "check", "lint", "rfc", "uv.lock.txt")),
    "requirements.lock",
    "pyproject.toml",
    "setup.py",
    *(f"media/native/{name}" for name in ("build.py", "plane.c", "plane.h")),
)
TOOLS = ("ruff", "mypy", "lint-imports", "pytest")


class Tree:
    """A copy of the commands and of what they read, in a path with a space."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "the tree"
        self.commands = folder / "commands"
        self.diary = folder / "diary"
        for name in READ:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        self.fakes = folder / "fakes"
        self.command(self.fakes / "python", FAKE_PYTHON)
        self.command(self.fakes / "uv", FAKE_UV)
        self.command(self.fakes / "beffroi", '#!/bin/sh\necho "beffroi $*"\n')
        self.command(self.root / "scripts" / "pages", FAKE_PAGES)
        for tool in TOOLS:
            self.command(self.fakes / tool, FAKE_TOOL)
        self.command(self.commands / "dpkg-query", FAKE_DPKG_QUERY)
        self.command(self.commands / "sudo", FAKE_SUDO)

    def command(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def run(
        self, *command: str, missing: str = "", fails: str = "", before: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """One command of the tree, started in another folder."""
        environment = {
            "PATH": f"{self.commands}:/usr/bin:/bin",
            "HOME": str(self.root.parent),
            "DIARY": str(self.diary),
            "MISSING": missing,
            "FAILS": fails,
            "FAKES": str(self.fakes),
            "BEFFROI_PYTHON": str(self.fakes / "python"),
        }
        return subprocess.run(
            [*before, self.root / command[0], *command[1:]],
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )

    def done(self) -> list[str]:
        """What the fakes were asked to do since the last question."""
        lines = self.diary.read_text(encoding="utf-8").splitlines() if self.diary.exists() else []
        self.diary.unlink(missing_ok=True)
        return lines
