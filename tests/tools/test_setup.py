"""scripts/setup and scripts/run, with Debian, pip and uv played by fakes."""

from __future__ import annotations

import os

import pytest

from tests.tools.stage import FAKE_UV, Tree


def test_the_first_time_installs_only_what_the_locks_pin(staged: Tree) -> None:
    ran = staged.run("scripts/setup")
    assert ran.returncode == 0, ran.stderr
    venv, pip, sync, editable, plane = staged.done()
    assert venv.startswith("python -m venv ")
    assert pip.startswith("python -m pip install") and "--require-hashes" in pip
    assert sync.startswith("uv pip sync") and "--require-hashes" in sync
    assert "--editable" in editable and "--no-deps" in editable and "--offline" in editable
    assert plane.startswith("python setup.py") and f"--build-lib {staged.root}/.venv/lib/" in plane


def test_a_machine_that_compiles_nothing_is_told_so_and_no_more(staged: Tree) -> None:
    ran = staged.run("scripts/setup")  # the fake Python makes no module
    assert ran.returncode == 0
    assert "Python will move the packets" in ran.stderr


def test_the_second_time_does_nothing(staged: Tree) -> None:
    staged.run("scripts/setup")
    staged.done()
    ran = staged.run("scripts/setup")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert staged.done() == []


@pytest.mark.parametrize(
    "name",
    ["requirements.lock", "pyproject.toml", "media/native/plane.c", "scripts/uv.lock.txt", "scripts/setup"],
)
def test_a_change_of_what_it_reads_makes_it_work_again(staged: Tree, name: str) -> None:
    staged.run("scripts/setup")
    staged.done()
    with (staged.root / name).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert staged.run("scripts/setup").returncode == 0
    assert len(staged.done()) == 4


def test_an_interrupted_setup_is_taken_up_again(staged: Tree) -> None:
    staged.command(staged.fakes / "uv", "#!/bin/sh\nexit 3\n")
    assert staged.run("scripts/setup").returncode != 0
    staged.command(staged.root / ".venv/bin/uv", FAKE_UV)
    staged.done()
    assert staged.run("scripts/setup").returncode == 0
    assert len(staged.done()) == 4


def test_the_environment_of_a_tree_that_was_moved_is_made_anew(staged: Tree) -> None:
    staged.run("scripts/setup")
    staged.done()
    staged.root = staged.root.rename(staged.root.with_name("elsewhere"))
    assert staged.run("scripts/setup").returncode == 0
    assert staged.done()[0] == f"python -m venv {staged.root}/.venv"


def test_an_environment_whose_python_is_gone_is_made_anew(staged: Tree) -> None:
    staged.run("scripts/setup")
    staged.done()
    (staged.root / ".venv/bin/python").unlink()
    assert staged.run("scripts/setup").returncode == 0
    assert staged.done()[0] == f"python -m venv {staged.root}/.venv"


def test_without_root_missing_packages_are_named(staged: Tree) -> None:
    # 65534 is nobody; only root can become somebody else.
    before = ("setpriv", "--reuid=65534", "--clear-groups") if os.geteuid() == 0 else ()
    ran = staged.run("scripts/setup", "test", missing="espeak-ng sip-tester", before=before)
    assert ran.returncode == 1
    assert "apt-get install --no-install-recommends espeak-ng sip-tester" in ran.stderr
    assert staged.done() == []


def test_an_unknown_part_is_refused(staged: Tree) -> None:
    ran = staged.run("scripts/setup", "everything")
    assert ran.returncode == 1
    assert 'unknown part "everything"' in ran.stderr


def test_an_unusable_python_is_refused(staged: Tree) -> None:
    old = staged.root / "python-old"
    staged.command(old, "#!/bin/sh\nexit 0\n")
    ran = staged.run("scripts/setup", before=("env", f"BEFFROI_PYTHON={old}"))
    assert ran.returncode == 1
    assert "is not a working Python" in ran.stderr


def test_run_starts_the_demonstration(staged: Tree) -> None:
    assert staged.run("scripts/run").stdout == "beffroi demo\n"


def test_run_passes_its_arguments_on(staged: Tree) -> None:
    assert staged.run("scripts/run", "serve", "-c", "a file.yaml").stdout == "beffroi serve -c a file.yaml\n"
