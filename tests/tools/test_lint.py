"""The rules that ruff and mypy hold: each is seen to fail on code that breaks it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.places import COMMANDS, ROOT


def ruff_codes(source: str, path: str) -> set[str]:
    """The rules that a module at that path would break."""
    ran = subprocess.run(
        [
            COMMANDS / "ruff",
            "check",
            "--no-cache",
            "--output-format",
            "concise",
            "--stdin-filename",
            path,
            "-",
        ],
        cwd=ROOT,
        input=source,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode in (0, 1), ran.stderr
    return {line.split()[1] for line in ran.stdout.splitlines() if line.startswith(path)}


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\n\nnow = datetime.now()\n",
        "import datetime\n\nnow = datetime.datetime.now(datetime.UTC)\n",
        "from datetime import date\n\ntoday = date.today()\n",
        "import time\n\nnow = time.time()\n",
        "from time import monotonic\n\nnow = monotonic()\n",
        "import time\n\nnow = time.perf_counter()\n",
        "import asyncio\n\ntask = asyncio.create_task(main())\n",
        "from asyncio import ensure_future\n\ntask = ensure_future(main())\n",
    ],
)
@pytest.mark.parametrize("path", ["pbx/calls.py", "sip/net/udp.py", "tests/sip/test_calls.py"])
def test_reading_a_clock_or_losing_a_task_is_refused(source: str, path: str) -> None:
    assert "TID251" in ruff_codes(source, path)


@pytest.mark.parametrize(
    "source",
    [
        "import pytest\n\n\n@pytest.mark.skip\ndef test_x() -> None: ...\n",
        "import pytest\n\n\n@pytest.mark.xfail(reason='x')\ndef test_x() -> None: ...\n",
        "import pytest\n\n\ndef test_x() -> None:\n    pytest.skip('x')\n",
        "from unittest.mock import Mock\n\nMock()\n",
    ],
)
def test_a_test_that_skips_or_mocks_is_refused(source: str) -> None:
    assert "TID251" in ruff_codes(source, "tests/sip/test_calls.py")


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("try:\n    import yaml\nexcept:\n    yaml = 1\n", "E722"),
        (
            "def f(x: int) -> int:\n    try:\n        return x\n    except Exception:\n        return 0\n",
            "BLE001",
        ),
        ("print('called')\n", "T201"),
        ("x = 1  # TODO: mend\n", "FIX002"),
        ("import yaml  # noqa\n", "PGH004"),
        ("def f(x):\n    return x\n", "ANN001"),
        ("import time\n\n\nasync def f() -> None:\n    time.sleep(1)\n", "ASYNC251"),
    ],
)
def test_a_habit_of_the_house_is_a_rule(source: str, code: str) -> None:
    assert code in ruff_codes(source, "pbx/calls.py")


def test_the_commands_of_the_project_may_read_a_clock() -> None:
    assert ruff_codes("import time\n\nnow = time.monotonic()\n", "scripts/benches/signalling.py") == set()


def test_mypy_is_strict(tmp_path: Path) -> None:
    (tmp_path / "untyped.py").write_text("def f(x):\n    return x\n", encoding="utf-8")
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--config-file",
            ROOT / "pyproject.toml",
            "--cache-dir",
            tmp_path,
            "untyped.py",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert "[no-untyped-def]" in ran.stdout, ran.stdout + ran.stderr
