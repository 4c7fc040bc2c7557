"""scripts/test, scripts/check and scripts/lint, with the tools played by fakes."""

from __future__ import annotations

import pytest

from tests.tools.stage import FAKE_TOOL, TOOLS, Tree

STATIC = ["ruff", "ruff", "mypy", "lint-imports", "pages"]


@pytest.fixture
def ready(staged: Tree) -> Tree:
    """A tree that is set up already."""
    assert staged.run("scripts/setup", "test").returncode == 0
    staged.done()
    return staged


def calls(ready: Tree) -> list[str]:
    """What was called, by name; Python's only call is the RFC index."""
    return [line.split()[0] for line in ready.done()]


def test_test_ends_with_the_full_run_and_the_index(ready: Tree) -> None:
    assert ready.run("scripts/test").returncode == 0
    lines = ready.done()
    assert "--cache-clear" in lines[-2] and "not peer" not in lines[-2]
    assert lines[-1] == "python -m scripts.rfc_index --check --complete"


def test_test_runs_the_other_versions_before_and_without_real_peers(ready: Tree) -> None:
    for tool in ("pytest", "beffroi"):
        ready.command(ready.root / ".venv/python3.12/bin" / tool, FAKE_TOOL)
    assert ready.run("scripts/test").returncode == 0
    done = ready.done()
    first, last = [line for line in done if line.startswith("pytest ")]
    assert "-m not peer" in first and "-p no:cacheprovider" in first
    assert "--cache-clear" in last
    assert "beffroi demo --call" in done


def test_test_with_arguments_is_pytest_with_these(ready: Tree) -> None:
    assert ready.run("scripts/test", "-k", "two words").returncode == 0
    assert ready.done()[-1] == "pytest -k two words"


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("command", ["scripts/test", "scripts/check"])
def test_a_tool_that_fails_fails_the_command(ready: Tree, command: str, tool: str) -> None:
    assert ready.run(command).returncode == 0
    assert ready.run(command, fails=tool).returncode != 0


def test_check_leaves_real_peers_out(ready: Tree) -> None:
    assert ready.run("scripts/check").returncode == 0
    (only,) = [line for line in ready.done() if line.startswith("pytest ")]
    assert "-m not peer" in only


def test_check_ends_with_the_index(ready: Tree) -> None:
    ready.run("scripts/check")
    assert calls(ready) == [*STATIC, "pytest", "python"]


def test_lint_says_everything_before_it_fails(ready: Tree) -> None:
    assert ready.run("scripts/lint", fails="ruff").returncode == 1
    assert calls(ready) == STATIC
