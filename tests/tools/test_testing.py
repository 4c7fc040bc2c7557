"""scripts/test, scripts/check and scripts/lint, with the tools played by fakes."""

from __future__ import annotations

import pytest

from tests.tools.stage import FAKE_TOOL, TOOLS, Tree

STATIC = ["ruff", "ruff", "mypy", "lint-imports"]


def calls(staged: Tree) -> list[str]:
    """What was called after the set-up, by name; the RFC index is Python's only call."""
    return [line.split()[0] for line in staged.done() if not line.startswith(("uv ", "python -m pip"))]


def test_test_ends_with_the_full_run_and_the_index(staged: Tree) -> None:
    assert staged.run("scripts/test").returncode == 0
    lines = staged.done()
    assert "--cache-clear" in lines[-2] and "not peer" not in lines[-2]
    assert lines[-1] == "python -m scripts.rfc_index --check --complete"


def test_test_runs_the_other_versions_before_and_without_real_peers(staged: Tree) -> None:
    staged.command(staged.root / ".venv/python3.12/bin/pytest", FAKE_TOOL)
    assert staged.run("scripts/test").returncode == 0
    first, last = [line for line in staged.done() if line.startswith("pytest ")]
    assert "-m not peer" in first and "-p no:cacheprovider" in first
    assert "--cache-clear" in last


def test_test_with_arguments_is_pytest_with_these(staged: Tree) -> None:
    assert staged.run("scripts/test", "-k", "two words").returncode == 0
    assert staged.done()[-1] == "pytest -k two words"


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("command", ["scripts/test", "scripts/check"])
def test_a_tool_that_fails_fails_the_command(staged: Tree, command: str, tool: str) -> None:
    assert staged.run(command).returncode == 0
    assert staged.run(command, fails=tool).returncode != 0


def test_check_leaves_real_peers_out(staged: Tree) -> None:
    assert staged.run("scripts/check").returncode == 0
    (only,) = [line for line in staged.done() if line.startswith("pytest ")]
    assert "-m not peer" in only


def test_check_ends_with_the_index(staged: Tree) -> None:
    staged.run("scripts/check")
    assert calls(staged) == [*STATIC, "pytest", "python"]


def test_lint_says_everything_before_it_fails(staged: Tree) -> None:
    assert staged.run("scripts/lint", fails="ruff").returncode == 1
    assert calls(staged) == STATIC
