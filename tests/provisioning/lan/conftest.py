"""The town of telephones on a wire, with a colleague; and the end of the node's and dnsmasq's logs of a walk
that failed.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Generator

import pytest
import pytest_asyncio

from sip.net.udp import UdpTransport
from sip.user_agent import Account, UserAgent
from tests.interop.patience import end_of
from tests.provisioning.lan.network import STRANGER, SWITCH, lan
from tests.provisioning.lan.town import COLLEAGUE, Town, town


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add them to the report."""
    report = yield
    node = getattr(item, "funcargs", {}).get("node")
    if report.failed and node is not None:
        report.sections += [(log.name, end_of(log, 120)) for log in sorted(node.folder.rglob("*.log"))]
    return report


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """The town hall's node, its DHCP server and the wire."""
    with lan() as network:
        async with town(network, tmp_path_factory.mktemp("walks")) as made:
            yield made


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def colleague(node: Town) -> AsyncIterator[UserAgent]:
    """Bruno, whom the telephones watch and call."""
    bound = node.network.datagrams(STRANGER)
    bound.setblocking(False)
    agent = UserAgent(Account(COLLEAGUE, f"pw{COLLEAGUE}", SWITCH), os.urandom(16))
    transport = UdpTransport(agent.driver, bound)
    agent.outbound = transport.flow_to((SWITCH, 5060))
    await agent.register()
    yield agent
    agent.close()
    transport.close()
