"""What holds for every file of the repository, and for the files that describe it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.tools.places import ROOT, files_of_the_tree, pyproject

# In two halves, because this file is part of the tree too.
REGISTRIES = [
    f"{name}.{end}"
    for name, end in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("jsdelivr", "net"),
        ("deb.debian", "org"),
        ("security.debian", "org"),
        ("crates", "io"),
        ("proxy.golang", "org"),
    ]
]


def test_no_file_names_the_host_of_a_package_registry() -> None:
    named = [
        f"{path.relative_to(ROOT)}: {host}"
        for path in files_of_the_tree()
        for host in REGISTRIES
        if host.encode() in path.read_bytes()
    ]
    assert named == []


def test_no_lock_holds_an_address() -> None:
    locks = [path for path in files_of_the_tree() if re.search(r"(\.lock|lock\.txt|-lock\.json)$", path.name)]
    assert ROOT / "requirements.lock" in locks
    assert [path.name for path in locks if b"://" in path.read_bytes()] == []


@pytest.mark.parametrize("word", ["manager", "helper", "helpers", "util", "utils", "common", "misc", "base"])
def test_no_module_hides_behind_a_vague_word(word: str) -> None:
    modules = [path for path in files_of_the_tree() if path.suffix in (".py", ".ts", ".tsx")]
    assert [str(path) for path in modules if word in re.split(r"[_.-]", path.name)] == []


COMMANDS = ["setup", "run", "test", "check", "lint", "lock", "rfc", "screenshots"]


@pytest.mark.parametrize("command", [*(f"scripts/{name}" for name in COMMANDS), ".ci/run"])
def test_a_command_is_executable_and_valid_shell(command: str) -> None:
    assert os.access(ROOT / command, os.X_OK)
    assert "set -euo pipefail" in (ROOT / command).read_text(encoding="utf-8")
    subprocess.run(["bash", "-n", ROOT / command], check=True, timeout=10)


def requirements() -> list[Requirement]:
    project = pyproject()["project"]
    return [
        Requirement(text) for text in [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    ]


def locked_versions(lock: str) -> dict[str, list[str]]:
    """The versions of each package that a lock file names: several where a Python needs an older one."""
    pins = re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE)
    versions: dict[str, list[str]] = {}
    for name, version in pins:
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


@pytest.mark.parametrize("requirement", requirements(), ids=lambda requirement: requirement.name)
def test_the_lock_has_a_version_that_the_project_asks_for(requirement: Requirement) -> None:
    for version in locked_versions("requirements.lock")[canonicalize_name(requirement.name)]:
        assert requirement.specifier.contains(version), (
            f"run scripts/lock: {requirement} is locked at {version}"
        )


def test_every_locked_package_has_a_hash() -> None:
    for lock in ("requirements.lock", "scripts/uv.lock.txt"):
        entries = re.split(
            r"^(?=[a-z0-9._-]+==)", (ROOT / lock).read_text(encoding="utf-8"), flags=re.MULTILINE
        )[1:]
        assert len(entries) == sum(map(len, locked_versions(lock).values()))
        assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def documented_dependencies() -> set[str]:
    """The names in the first column of the tables of docs/dependencies.md."""
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def debian_packages() -> set[str]:
    """The packages that scripts/setup may install."""
    text = (ROOT / "scripts" / "setup").read_text(encoding="utf-8")
    return {
        name
        for names in re.findall(r"^\w+_packages=\(([^)]*)\)$", text, re.MULTILINE)
        for name in names.split()
    }


def npm_packages() -> set[str]:
    """The packages that softphone_web asks for."""
    asked = json.loads((ROOT / "softphone_web" / "package.json").read_text(encoding="utf-8"))
    return {*asked["dependencies"], *asked["devDependencies"]}


def test_every_npm_package_is_documented() -> None:
    assert {"react", "vite"} <= npm_packages()
    assert npm_packages() - documented_dependencies() == set()


def test_every_python_dependency_is_documented() -> None:
    assert {requirement.name for requirement in requirements()} - documented_dependencies() == set()


def test_every_debian_package_is_documented() -> None:
    assert {"espeak-ng", "baresip-core", "kamailio"} <= debian_packages()
    assert debian_packages() - documented_dependencies() == set()


def test_no_documented_dependency_is_gone() -> None:
    known = {requirement.name for requirement in requirements()} | debian_packages() | {"uv", "atheris"}
    known |= npm_packages()
    assert documented_dependencies() - known == set()


def test_the_licence_is_the_eupl_in_full() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("EUROPEAN UNION PUBLIC LICENCE v. 1.2\n")
    assert [n for n in range(1, 16) if not re.search(rf"^{n}\.[A-Z]", text, re.MULTILINE)] == []
    assert "Appendix" in text
    assert pyproject()["project"]["license"] == "EUPL-1.2"


def test_warnings_are_errors() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"][
        "ini_options"
    ]
    assert settings["filterwarnings"][0] == "error"
