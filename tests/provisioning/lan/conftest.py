"""Show the end of the node's and dnsmasq's logs of a walk that failed."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.interop.patience import end_of


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add them to the report."""
    report = yield
    node = getattr(item, "funcargs", {}).get("node")
    if report.failed and node is not None:
        report.sections += [(log.name, end_of(log, 120)) for log in sorted(node.folder.rglob("*.log"))]
    return report
