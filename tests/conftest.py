"""What pytest does for every test here: it keeps the outcomes for docs/rfc.md, and real peers apart."""

from __future__ import annotations

import zlib
from pathlib import Path

import hypothesis
import pytest

# A busy machine is no failure: pytest-timeout bounds a test, not the duration of one example.
hypothesis.settings.register_profile("beffroi", deadline=None)
hypothesis.settings.load_profile("beffroi")


class Outcomes:
    """How each test function ended, kept in pytest's cache over several runs for `scripts/rfc`."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._by_test: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # xdist writes the group behind the node id ("@peers"), parameters stand in brackets.
        test = report.nodeid.partition("[")[0].partition("@")[0]
        if report.failed:
            self._by_test[test] = "failed"
        elif report.when == "call" and report.passed:
            self._by_test.setdefault(test, "passed")

    def pytest_sessionfinish(self) -> None:
        cache = getattr(self._config, "cache", None)  # none under -p no:cacheprovider
        if cache is not None and self._by_test:
            cache.set("beffroi/outcomes", cache.get("beffroi/outcomes", {}) | self._by_test)


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "only the test modules of this half: an even number or an odd one; the other number has the rest"
    parser.addoption("--half", type=int, help=text)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """True for a module of the other half; None, as pytest has it, where it's for others to say."""
    half: int | None = config.getoption("--half")
    if half is None or collection_path.suffix != ".py":
        return None
    name = collection_path.relative_to(config.rootpath).as_posix().encode()
    return True if zlib.crc32(name) % 2 != half % 2 else None


def pytest_configure(config: pytest.Config) -> None:
    # The workers of xdist report to the session that started them: it alone keeps the outcomes.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes(config))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with real peers share ports and namespaces: unless they say otherwise, one worker runs all."""
    for item in items:
        if item.get_closest_marker("peer") and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("peers"))
