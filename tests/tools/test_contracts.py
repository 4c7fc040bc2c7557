"""The layer contracts of pyproject.toml: kept by the tree, and broken by a tree that breaks them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.tools.places import COMMANDS, ROOT, pyproject

PACKAGES = pyproject()["tool"]["importlinter"]["root_packages"]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMANDS / "lint-imports", "--no-cache", "--config", ROOT / "pyproject.toml"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1", "COLUMNS": "1000"},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with our packages, all of them empty."""
    for package in [*PACKAGES, "sip/core", "sip/net", "recording/proof", "recording/retention"]:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    return tmp_path


def broken_contracts(tree: Path, module: str, line: str) -> list[str]:
    """The contracts that one more module with one line breaks."""
    (tree / module).write_text(line + "\n", encoding="utf-8")
    ran = lint_imports(tree)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    return [row.removesuffix(" BROKEN") for row in ran.stdout.splitlines() if row.endswith(" BROKEN")]


def test_an_empty_tree_breaks_no_contract(tree: Path) -> None:
    ran = lint_imports(tree)
    assert ran.returncode == 0, ran.stdout + ran.stderr


PURE = "sip.core, dialplan and retention are pure: no clock, no socket, no task, no chance"


@pytest.mark.parametrize("place", ["sip/core/clock.py", "dialplan/clock.py", "recording/retention/clock.py"])
@pytest.mark.parametrize("module", ["asyncio", "socket", "time", "random", "threading", "secrets", "select"])
def test_a_pure_package_cannot_import_what_reads_the_world(tree: Path, place: str, module: str) -> None:
    assert broken_contracts(tree, place, f"import {module}") == [PURE]


def test_a_pure_package_cannot_reach_a_clock_through_a_neighbour(tree: Path) -> None:
    (tree / "dialplan" / "__init__.py").write_text("from dialplan import clock\n", encoding="utf-8")
    assert broken_contracts(tree, "dialplan/clock.py", "from time import monotonic") == [PURE]


LAYERS = "Nobody imports pbx; recording stands on media; the libraries import nothing of ours"


@pytest.mark.parametrize("package", [package for package in PACKAGES if package != "pbx"])
def test_nobody_imports_pbx(tree: Path, package: str) -> None:
    assert LAYERS in broken_contracts(tree, f"{package}/upward.py", "import pbx")


@pytest.mark.parametrize(
    ("place", "other"), [("dialplan", "media"), ("media", "sip"), ("provisioning", "dialplan")]
)
def test_a_library_imports_no_other_library(tree: Path, place: str, other: str) -> None:
    assert broken_contracts(tree, f"{place}/sideways.py", f"import {other}") == [LAYERS]


def test_recording_imports_nothing_of_ours_but_media(tree: Path) -> None:
    (tree / "recording" / "allowed.py").write_text("import media\n", encoding="utf-8")
    assert broken_contracts(tree, "recording/phone.py", "import sip") == ["recording stands on media alone"]


def test_softphone_web_imports_nothing_of_ours(tree: Path) -> None:
    broken = broken_contracts(tree, "softphone_web/phone.py", "import sip")
    assert broken == ["softphone_web serves the browser application and imports nothing of ours"]


def test_sip_core_does_not_import_its_shell(tree: Path) -> None:
    assert broken_contracts(tree, "sip/core/outward.py", "import sip.net") == [
        "sip.core doesn't know its shell"
    ]


def test_a_new_part_of_sip_needs_a_place_among_its_layers(tree: Path) -> None:
    assert broken_contracts(tree, "sip/extras.py", "x = 1") == ["sip.core doesn't know its shell"]


@pytest.mark.parametrize("module", ["tests.sim", "scripts.rfc_index", "pytest", "hypothesis"])
def test_what_ships_imports_no_test_and_no_script(tree: Path, module: str) -> None:
    broken = broken_contracts(tree, "pbx/testing.py", f"import {module}")
    assert broken == ["What ships needs no test, no script and no tool of ours"]


@pytest.mark.parametrize("module", ["media", "msgspec", "numpy"])
def test_what_an_export_carries_needs_nothing_but_cryptography(tree: Path, module: str) -> None:
    broken = broken_contracts(tree, "recording/proof/player.py", f"import {module}")
    assert broken == ["Whoever verifies a recording needs the standard library and cryptography alone"]
