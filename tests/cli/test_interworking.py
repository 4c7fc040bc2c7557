"""Every pair of ways to a real node that docs/interworking.md has: transports and IP versions."""

from __future__ import annotations

import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from sip.net.stream import StreamTransport
from sip.net.udp import UdpTransport
from sip.user_agent import UserAgent
from tests.cli.test_secure_calls import SecureTown, call, in_a_browser, over_tls, port
from tests.tables import assert_table

Way = Callable[[SecureTown, str], AbstractAsyncContextManager[UserAgent]]


class EveryWay(SecureTown):
    """A town whose node hears everything, over IPv4 and IPv6."""

    def listen_everywhere(self) -> None:
        self.tls, self.wss, self.ws = (("127.0.0.1", port()) for _ in range(3))
        self.configuration_file.write_text(
            f"domain: localhost\nsip:\n  udp: [127.0.0.1:{self.port}, '[::1]:{self.port}']\n"
            f"  tcp: [127.0.0.1:{self.port}, '[::1]:{self.port}']\n"
            f"  tls: 127.0.0.1:{self.tls[1]}\n  wss: 127.0.0.1:{self.wss[1]}\n  ws: 127.0.0.1:{self.ws[1]}\n"
            "media: {address: [127.0.0.1, '::1'], ports: 26000-26099, rtc: []}\nweb: []\n"
        )


@asynccontextmanager
async def over_udp(town: SecureTown, extension: str, host: str) -> AsyncIterator[UserAgent]:
    """A softphone on a UDP port of its own."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind((host, 0))
    agent = UserAgent(town.account(extension), secrets.token_bytes(16))
    transport = UdpTransport(agent.driver, bound)
    agent.outbound = transport.flow_to((host, town.port))
    try:
        yield agent
    finally:
        agent.close()
        transport.close()


@asynccontextmanager
async def over_tcp(town: SecureTown, extension: str, host: str) -> AsyncIterator[UserAgent]:
    """A softphone on a TCP connection of its own."""
    agent = UserAgent(town.account(extension), secrets.token_bytes(16))
    transport = StreamTransport(agent.driver)
    agent.outbound = transport.flow_to((host, town.port))
    try:
        yield agent
    finally:
        await transport.close()
        agent.close()


WAYS: dict[str, Way] = {
    "UDP": partial(over_udp, host="127.0.0.1"),
    "TCP": partial(over_tcp, host="127.0.0.1"),
    "TLS": over_tls,
    "WS": partial(in_a_browser, secure=False),
    "WSS": partial(in_a_browser, secure=True),
    "UDP, IPv6": partial(over_udp, host="::1"),
    "TCP, IPv6": partial(over_tcp, host="::1"),
}

CALLED = ("1002", "2010", "2020", "2201", "2202", "2301", "2302")
"""Who is called over each of them. The caller is always Alice."""


@pytest.mark.timeout(180)
async def test_a_call_passes_between_any_two_ways(tmp_path):
    """RFC 3261 section 18, RFC 7118, RFC 4566 section 5.7."""
    assert_table("ways", {way: await row(tmp_path, way) for way in WAYS})


async def row(folder: Path, hers: str) -> dict[str, str]:
    """Calls over one way to a phone on each; a node of its own, whose log fits the pipe that nobody reads."""
    cells = {}
    place = folder / hers.replace(", ", "-")
    place.mkdir()
    town = EveryWay(place)
    town.listen_everywhere()
    with town.serving():
        async with AsyncExitStack() as stack:
            caller = await stack.enter_async_context(WAYS[hers](town, "1001"))
            for extension, (his, over) in zip(CALLED, WAYS.items(), strict=True):
                callee = await stack.enter_async_context(over(town, extension))
                offer, answer = await call(caller, callee, ip_of(hers), ip_of(his))
                assert (connection(offer), connection(answer)) == (ip_of(his), ip_of(hers))
                cells[his] = "passes"
    return cells


def ip_of(way: str) -> str:
    """The address that a party of this way has, and is told."""
    return "::1" if "IPv6" in way else "127.0.0.1"


def connection(body: bytes) -> str:
    """The address of a session description."""
    (line,) = [line for line in body.decode().splitlines() if line.startswith("c=")]
    return line.split()[-1]
