"""The external address that is a name: looked up, followed, kept when the name server is away."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from pbx.configuration import parse_configuration
from pbx.node.external import LOOK_AGAIN_SECONDS, external_of, follow
from sip.net.addresses import ExternalAddress
from tests.sim.world import World, scenario

NAME = "pbx.valmont.example"


class NameServer:
    """The world's DNS, for one name."""

    def __init__(self, world: World) -> None:
        self.addresses: list[str] = []
        self.questions = 0
        setattr(world.loop, "getaddrinfo", self._answer)  # noqa: B010 (mypy refuses to assign a method)

    async def _answer(
        self, host: str, port: int | None, **options: int
    ) -> Sequence[tuple[int, int, int, str, tuple[str, int]]]:
        self.questions += 1
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (address, 0)) for address in self.addresses]


@scenario()
async def test_a_name_is_followed_and_kept_when_it_is_not_found(world: World) -> None:
    server, external = NameServer(world), ExternalAddress()
    changes: list[tuple[str, ...]] = []
    task = asyncio.get_running_loop().create_task(
        follow(NAME, external, lambda: changes.append(external.addresses))
    )
    await world.sleep(1)
    assert not list(external.addresses)
    server.addresses = ["203.0.113.7", "2001:db8::7"]
    await world.sleep(LOOK_AGAIN_SECONDS)
    server.addresses = ["203.0.113.8"]
    await world.sleep(LOOK_AGAIN_SECONDS)
    server.addresses = []
    await world.sleep(LOOK_AGAIN_SECONDS)
    assert external.addresses == ("203.0.113.8",)
    assert changes == [("203.0.113.7", "2001:db8::7"), ("203.0.113.8",)]
    assert server.questions == 4
    task.cancel()


@pytest.mark.parametrize(
    ("line", "addresses"),
    [
        ("external_address: 203.0.113.7", ("203.0.113.7",)),
        ('external_address: "[2001:db8::7]"', ("2001:db8::7",)),
        (f"external_address: {NAME}", ()),
        ("domain: x", ()),
    ],
)
def test_a_literal_address_holds_from_the_start(line: str, addresses: tuple[str, ...]) -> None:
    settings = parse_configuration(f"{line}\nlocal_networks: [10.0.0.0/8]\n", Path("beffroi.yaml"))
    external = external_of(settings)
    assert external.addresses == addresses
    assert external.is_local("10.9.9.9")
    assert not external.is_local("192.168.1.1")
    assert external.is_local("127.0.0.1")
    assert external.is_local("fe80::1%eth0")
