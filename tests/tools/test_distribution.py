"""What people install carries the web pages: they have no Node.js to build them with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.tools.places import ROOT

PAGES = {"index.html": "<!doctype html>", "assets/index-1.js": "1", "assets/index-1.js.br": "1"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the build reads, without a compiler's work: one package is enough."""
    for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", "setup.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "softphone_web").mkdir()
    shutil.copy(ROOT / "softphone_web/__init__.py", tmp_path / "softphone_web")
    (tmp_path / "media/native").mkdir(parents=True)
    # What compiles isn't asked here: an extension of no source is none.
    text = (
        (tmp_path / "setup.py").read_text().replace('cffi_modules=["media/native/build.py:ffibuilder"],', "")
    )
    (tmp_path / "setup.py").write_text(text)
    return tmp_path


def write_pages(folder: Path) -> None:
    for name, text in PAGES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def build(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "setup.py", "-q", *words]
    environment = {name: value for name, value in os.environ.items() if name != "BEFFROI_PAGES"}
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=60, env=environment)


def test_a_wheel_carries_the_built_pages(tree: Path) -> None:
    write_pages(tree / ".venv/pages")
    built = build(tree, "bdist_wheel", "-d", "out")
    assert built.returncode == 0, built.stderr
    (wheel,) = (tree / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert {f"softphone_web/pages/{name}" for name in PAGES} <= set(archive.namelist())


def test_a_source_distribution_carries_them_for_who_builds_from_it(tree: Path) -> None:
    write_pages(tree / ".venv/pages")
    built = build(tree, "sdist", "-d", "out")
    assert built.returncode == 0, built.stderr
    (source,) = (tree / "out").glob("*.tar.gz")
    (tree / "again").mkdir()
    subprocess.run(["tar", "-xf", source, "-C", tree / "again"], check=True, timeout=60)
    (unpacked,) = (tree / "again").iterdir()
    assert build(unpacked, "bdist_wheel", "-d", "out").returncode == 0
    (wheel,) = (unpacked / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert "softphone_web/pages/index.html" in archive.namelist()


def test_without_built_pages_nothing_is_built_and_the_mend_is_said(tree: Path) -> None:
    built = build(tree, "bdist_wheel", "-d", "out")
    assert built.returncode != 0
    assert "run scripts/setup, or scripts/pages" in built.stderr
