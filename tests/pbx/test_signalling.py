"""Which socket leads to a peer that another process knew."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pbx.node.transports import nearest
from sip.core.identifiers import Identifiers
from sip.core.message import Request
from sip.core.stack import ServerTransaction
from sip.core.ua_core import UserAgentCore
from sip.net.driver import Driver
from sip.net.udp import UdpTransport


class Deaf:
    """An application that answers nothing."""

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        return


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def transport(opened: ExitStack, host: str) -> UdpTransport:
    bound = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    bound.bind((host, 0))
    made = UdpTransport(Driver(UserAgentCore(Identifiers(b"nearest"), Deaf())), bound)
    opened.callback(made.close)
    return made


async def test_a_peer_is_reached_from_the_address_that_it_knows(opened: ExitStack) -> None:
    first, second = transport(opened, "127.0.0.1"), transport(opened, "127.0.0.2")
    assert nearest(second.local, [first, second]) is second


async def test_a_socket_that_hears_every_address_is_known_by_its_port(opened: ExitStack) -> None:
    first, second = transport(opened, "0.0.0.0"), transport(opened, "0.0.0.0")
    assert nearest(("192.0.2.1", second.local[1]), [first, second]) is second


async def test_a_peer_that_knows_none_of_our_addresses_is_reached_from_the_first(opened: ExitStack) -> None:
    first, second = transport(opened, "127.0.0.1"), transport(opened, "127.0.0.2")
    assert nearest(None, [first, second]) is first
    assert nearest(("192.0.2.1", 1), [first, second]) is first
