"""The index of RFC sections: what it reads as a reference, and what it says of a test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.rfc_index import (
    Reference,
    UnnamedRfc,
    index,
    leading_sections,
    main,
    named_sections,
    names_of_tests,
    references_in,
    render,
)
from tests.tools.places import ROOT


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("RFC 3261 section 17.1.1.2", [(3261, "17.1.1.2")]),
        ("RFC 3261, section 17", [(3261, "17")]),
        ("RFC 3261 17.1.1.2", [(3261, "17.1.1.2")]),
        ("RFC 3581", [(3581, "")]),
        ("RFC 3581 has 4 rules", [(3581, "")]),
        ("RFC 3261 sections 8.2.6, 12.1.1 and 13", [(3261, "8.2.6"), (3261, "12.1.1"), (3261, "13")]),
        ("RFC 3261 section 10.3 and 4 more", [(3261, "10.3")]),
        ("RFC 3261 section 10.3 steps 6 to 8; RFC 5626 section 6.", [(3261, "10.3"), (5626, "6")]),
        ("RFC 3261\n    section 8.2.6", [(3261, "8.2.6")]),
        ("RFC 7616 appendix A", [(7616, "A")]),
        ("nothing to see", []),
    ],
)
def test_a_reference_in_full(text: str, sections: list[tuple[int, str]]) -> None:
    assert list(named_sections(text)) == sections


@pytest.mark.parametrize(
    ("comment", "sections"),
    [
        ("# 17.1.1.2: Timer A doubles", ["17.1.1.2"]),
        ("# 12.1.1", ["12.1.1"]),
        ("# 8.2.6.2, 12.1.1: the tag", ["8.2.6.2", "12.1.1"]),
        ("# 0.5 s after the start", []),
        ("# 17 calls", []),
        ("# E.164: with the country", []),
    ],
)
def test_a_comment_that_starts_with_a_section(comment: str, sections: list[str]) -> None:
    assert leading_sections(comment) == sections


MACHINE = '''"""The INVITE client transaction (RFC 3261 section 17.1.1), as RFC 6026 mends it."""


class InviteClient:
    def fire(self) -> None:
        # 17.1.1.2: Timer A doubles.
        self.rate = 1  # RFC 4320 section 4.1
'''


def test_a_reference_belongs_to_the_function_that_holds_it() -> None:
    path = "sip/core/machine.py"
    assert references_in(MACHINE, path) == {
        Reference(3261, "17.1.1", path, ""),
        Reference(6026, "", path, ""),
        Reference(3261, "17.1.1.2", path, "InviteClient.fire"),
        Reference(4320, "4.1", path, "InviteClient.fire"),
    }


def test_bare_sections_in_modules_without_an_rfc_are_all_refused_at_once() -> None:
    source = "# 17.1.1.2: Timer A doubles.\nx = 1\n# 12.1.1\n"
    with pytest.raises(UnnamedRfc) as refused:
        index({"pbx/x.py": source, "pbx/y.py": "# 8.2.6: why\n"}, {})
    assert str(refused.value).splitlines() == [
        "pbx/x.py:1: section 17.1.1.2 of which RFC?",
        "pbx/x.py:3: section 12.1.1 of which RFC?",
        "pbx/y.py:1: section 8.2.6 of which RFC?",
    ]


TESTS = '''"""The INVITE client transaction (RFC 3261 section 17.1.1)."""


def test_one() -> None:
    """RFC 3261 section 17.1.1.2."""


class TestTimers:
    def test_two(self) -> None: ...
'''
MODULES = {"sip/core/machine.py": MACHINE, "tests/sip/test_machine.py": TESTS}


def states(outcomes: dict[str, str]) -> dict[tuple[int, str], str]:
    return {(row.rfc, row.section): row.state for row in index(MODULES, outcomes)}


def test_a_reference_of_a_test_module_belongs_to_all_its_tests() -> None:
    (row,) = [row for row in index(MODULES, {}) if (row.rfc, row.section) == (3261, "17.1.1")]
    assert row.tests == (("tests/sip/test_machine.py", ""),)
    assert names_of_tests(TESTS) == ["test_one", "TestTimers.test_two"]


def test_the_state_is_that_of_the_tests_that_ran() -> None:
    one, two = "tests/sip/test_machine.py::test_one", "tests/sip/test_machine.py::TestTimers::test_two"
    assert states({})[3261, "17.1.1"] == "not run"
    assert states({one: "passed"})[3261, "17.1.1"] == "not run"
    assert states({one: "passed", two: "passed"})[3261, "17.1.1"] == "passed"
    assert states({one: "passed", two: "failed"})[3261, "17.1.1"] == "failed"
    assert states({one: "passed", two: "failed"})[3261, "17.1.1.2"] == "passed"
    assert states({one: "passed", two: "passed"})[4320, "4.1"] == "no test"


def test_sections_stand_in_the_order_of_the_rfc() -> None:
    source = '"""RFC 3261 sections 10.3, 8.2.6, 8.10 and 8.2."""\n'
    assert [row.section for row in index({"sip/x.py": source}, {})] == ["8.2", "8.2.6", "8.10", "10.3"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for path, source in MODULES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(source, encoding="utf-8")
    (tmp_path / "docs").mkdir()
    return tmp_path


def record(tree: Path, outcomes: str) -> None:
    (tree / ".pytest_cache/v/beffroi").mkdir(parents=True, exist_ok=True)
    (tree / ".pytest_cache/v/beffroi/outcomes").write_text(outcomes, encoding="utf-8")


def test_a_fresh_index_is_accepted_and_a_changed_reference_makes_it_stale(tree: Path) -> None:
    assert main([], tree) == ""
    assert main(["--check", "--complete"], tree) == ""
    (tree / "sip/core/machine.py").write_text(MACHINE.replace("4320", "4321"), encoding="utf-8")
    assert "is stale" in main(["--check"], tree)


def test_lines_that_move_do_not_make_it_stale(tree: Path) -> None:
    assert main([], tree) == ""
    (tree / "sip/core/machine.py").write_text(MACHINE.replace("class", "X = 1\n\n\nclass"), encoding="utf-8")
    assert main(["--check", "--complete"], tree) == ""


def test_a_state_that_changed_is_stale_only_after_a_complete_run(tree: Path) -> None:
    assert main([], tree) == ""
    record(tree, '{"tests/sip/test_machine.py::test_one": "passed"}')
    assert main(["--check"], tree) == ""
    assert "other states" in main(["--check", "--complete"], tree)


def test_a_missing_index_is_stale(tree: Path) -> None:
    assert "is stale" in main(["--check"], tree)


def test_the_index_names_no_line_and_no_time() -> None:
    assert "| 17.1.1.2 | [sip/core/machine.py](../sip/core/machine.py) `InviteClient.fire` |" in render(
        index(MODULES, {})
    )


SESSION = """
import pytest

@pytest.mark.parametrize("n", [1, 2])
def test_some(n):
    assert n == 1

@pytest.mark.peer
def test_phone():
    pass

class TestGroup:
    def test_inner(self):
        pass
"""


@pytest.mark.parametrize("workers", [(), ("-n", "1", "--dist", "loadgroup")])
def test_a_session_of_pytest_leaves_the_outcomes_by_test(tmp_path: Path, workers: tuple[str, ...]) -> None:
    (tmp_path / "conftest.py").write_text(
        (ROOT / "tests/conftest.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    (tmp_path / "test_x.py").write_text(SESSION, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = peer: x\n", encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *workers],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    outcomes = json.loads((tmp_path / ".pytest_cache/v/beffroi/outcomes").read_text(encoding="utf-8"))
    assert outcomes == {
        "test_x.py::test_some": "failed",
        "test_x.py::test_phone": "passed",
        "test_x.py::TestGroup::test_inner": "passed",
    }
