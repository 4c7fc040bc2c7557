"""The compiled core: built from exactly these sources, found before them, never stale, easily left out."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from pbx import compiled
from tests.tools.places import ROOT

SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
WHERE = "import pbx, sip.core.uri as uri; from pbx.compiled import state; print(uri.__file__); print(state())"


@pytest.fixture(name="copy")
def copy_of_the_sources(tmp_path: Path) -> Path:
    for path in compiled.sources():
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, place)
    return tmp_path


def test_what_interpreted_code_derives_from_is_left_out() -> None:
    names = {path.name for path in compiled.sources()}
    assert {"parser.py", "stack.py", "routing.py"} <= names
    assert not {"flow.py", "errors.py", "__init__.py"} & names


def test_equal_sources_have_an_equal_fingerprint(copy: Path) -> None:
    assert compiled.fingerprint(copy) == compiled.fingerprint()


def test_one_changed_character_changes_the_fingerprint(copy: Path) -> None:
    parser = copy / "sip" / "core" / "parser.py"
    parser.write_text(parser.read_text() + "#")
    assert compiled.fingerprint(copy) != compiled.fingerprint()


def test_a_module_that_goes_changes_the_fingerprint(copy: Path) -> None:
    (copy / "sip" / "core" / "reason.py").unlink()
    assert compiled.fingerprint(copy) != compiled.fingerprint()


@pytest.fixture(name="environment")
def an_environment_with_a_build(tmp_path: Path) -> Path:
    """A virtual environment in which the module `sip.core.uri`, and nothing else, is compiled: by hand."""
    prefix = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    module = prefix / "compiled" / compiled.fingerprint() / "sip" / "core" / f"uri{SUFFIX}"
    module.parent.mkdir(parents=True)
    # Any extension will do: whether it was looked for is what the tests see.
    module.write_bytes(b"not a library")
    return prefix


def run_in(environment: Path, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{ROOT}:{sysconfig.get_path('purelib')}"
    return subprocess.run(
        [str(environment / "bin" / "python"), "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": path, **variables},
    )


def test_the_build_of_these_sources_is_found_before_them(environment: Path) -> None:
    done = run_in(environment, WHERE)
    assert f"uri{SUFFIX}" in done.stderr  # the linker's complaint about our library names it


def test_beffroi_pure_switches_the_build_off(environment: Path) -> None:
    done = run_in(environment, WHERE, BEFFROI_PURE="1")
    assert done.stdout.split("\n")[:2] == [
        str(ROOT / "sip" / "core" / "uri.py"),
        "pure Python (BEFFROI_PURE is set)",
    ]


def test_a_build_of_other_sources_is_not_used_and_is_told(environment: Path) -> None:
    (build,) = (environment / "compiled").iterdir()
    build.rename(build.with_name("0" * 32))
    done = run_in(environment, WHERE)
    assert done.stdout.split("\n")[:2] == [
        str(ROOT / "sip" / "core" / "uri.py"),
        "pure Python (compiled from other sources: run scripts/compile again)",
    ]


def test_without_a_build_the_sources_run(environment: Path) -> None:
    shutil.rmtree(environment / "compiled")
    done = run_in(environment, WHERE)
    assert done.stdout.split("\n")[:2] == [str(ROOT / "sip" / "core" / "uri.py"), "pure Python"]
