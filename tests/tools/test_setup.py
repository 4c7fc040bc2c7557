"""scripts/setup in a tree of its own, where dpkg-query, Python, pip and uv are fakes that keep a diary."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.places import ROOT

FAKE_PYTHON = """#!/bin/sh
case "$1" in
    -ISc) echo 3.11 ;;
    -c) exit 0 ;;
    *) echo "python $*" >>"$DIARY" ;;
esac
"""
FAKE_UV = """#!/bin/sh
echo "uv $*" >>"$DIARY"
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


class Tree:
    """A copy of what scripts/setup reads, in a path with a space."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "the tree"
        self.commands = folder / "commands"
        self.diary = folder / "diary"
        (self.root / "scripts").mkdir(parents=True)
        for name in (
            "scripts/setup",
            "scripts/run",
            "scripts/uv.lock.txt",
            "requirements.lock",
            "pyproject.toml",
        ):
            shutil.copy(ROOT / name, self.root / name)
        self.command(self.root / ".venv/bin/python", FAKE_PYTHON)
        self.command(self.root / ".venv/bin/uv", FAKE_UV)
        self.command(self.commands / "dpkg-query", FAKE_DPKG_QUERY)
        self.command(self.commands / "sudo", FAKE_SUDO)
        self.command(self.root / ".venv/bin/beffroi", '#!/bin/sh\necho "beffroi $*"\n')

    def command(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def run(
        self, *command: str, missing: str = "", before: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """One command of the tree, started in another folder."""
        environment = {
            "PATH": f"{self.commands}:/usr/bin:/bin",
            "HOME": str(self.root.parent),
            "DIARY": str(self.diary),
            "MISSING": missing,
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
        """What was asked of pip and uv since the last question."""
        lines = self.diary.read_text(encoding="utf-8").splitlines() if self.diary.exists() else []
        self.diary.unlink(missing_ok=True)
        return lines


@pytest.fixture
def tree() -> Iterator[Tree]:
    # Not pytest's own temporary folder: another user has to read it.
    folder = Path(tempfile.mkdtemp(prefix="beffroi-setup-"))
    folder.chmod(0o755)
    yield Tree(folder)
    shutil.rmtree(folder)


def test_the_first_time_installs_only_what_the_locks_pin(tree: Tree) -> None:
    ran = tree.run("scripts/setup")
    assert ran.returncode == 0, ran.stderr
    pip, sync, editable = tree.done()
    assert pip.startswith("python -m pip install") and "--require-hashes" in pip
    assert sync.startswith("uv pip sync") and "--require-hashes" in sync
    assert "--editable" in editable and "--no-deps" in editable and "--offline" in editable


def test_the_second_time_does_nothing(tree: Tree) -> None:
    tree.run("scripts/setup")
    tree.done()
    ran = tree.run("scripts/setup")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert tree.done() == []


@pytest.mark.parametrize(
    "name", ["requirements.lock", "pyproject.toml", "scripts/uv.lock.txt", "scripts/setup"]
)
def test_a_change_of_what_it_reads_makes_it_work_again(tree: Tree, name: str) -> None:
    tree.run("scripts/setup")
    tree.done()
    with (tree.root / name).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert tree.run("scripts/setup").returncode == 0
    assert len(tree.done()) == 3


def test_an_interrupted_setup_is_taken_up_again(tree: Tree) -> None:
    tree.command(tree.root / ".venv/bin/uv", "#!/bin/sh\nexit 3\n")
    assert tree.run("scripts/setup").returncode != 0
    tree.command(tree.root / ".venv/bin/uv", FAKE_UV)
    tree.done()
    assert tree.run("scripts/setup").returncode == 0
    assert len(tree.done()) == 3


def test_a_tree_that_was_moved_is_set_up_again(tree: Tree) -> None:
    tree.run("scripts/setup")
    tree.done()
    tree.root = tree.root.rename(tree.root.with_name("elsewhere"))
    assert tree.run("scripts/setup").returncode == 0
    assert len(tree.done()) == 3


def test_without_root_missing_packages_are_named(tree: Tree) -> None:
    # 65534 is nobody; only root can become somebody else.
    before = ("setpriv", "--reuid=65534", "--clear-groups") if os.geteuid() == 0 else ()
    ran = tree.run("scripts/setup", "test", missing="espeak-ng sip-tester", before=before)
    assert ran.returncode == 1
    assert "apt-get install --no-install-recommends espeak-ng sip-tester" in ran.stderr
    assert tree.done() == []


def test_an_unknown_part_is_refused(tree: Tree) -> None:
    ran = tree.run("scripts/setup", "everything")
    assert ran.returncode == 1
    assert 'unknown part "everything"' in ran.stderr


def test_an_unusable_python_is_refused(tree: Tree) -> None:
    old = tree.root / "python-old"
    tree.command(old, "#!/bin/sh\nexit 0\n")
    ran = tree.run("scripts/setup", before=("env", f"BEFFROI_PYTHON={old}"))
    assert ran.returncode == 1
    assert "is not a working Python" in ran.stderr


def test_run_starts_the_demonstration(tree: Tree) -> None:
    assert tree.run("scripts/run").stdout == "beffroi demo\n"


def test_run_passes_its_arguments_on(tree: Tree) -> None:
    assert tree.run("scripts/run", "serve", "-c", "a file.yaml").stdout == "beffroi serve -c a file.yaml\n"
