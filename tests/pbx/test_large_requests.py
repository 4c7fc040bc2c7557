"""Who gets requests too large for a datagram over TCP: operators' servers, no telephone (RFC 3261 18.1.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from pbx.exchange import REFUSED_SECONDS
from sip.core.flow import Flow
from sip.net.resolver import Target
from sip.net.tls import PeerIdentity
from sip.net.udp import UdpFlow
from tests.scenarios.town import start
from tests.sim.world import World, scenario

SERVER = Target("UDP", "192.0.2.77", 5060, "operateur.example")


class Connection(Flow):
    """A TCP flow that was refused, or not."""

    refused = False

    @property
    def open(self) -> bool:
        return not self.refused


@dataclass
class Bound:
    """What a UDP flow knows of its socket."""

    local: tuple[str, int] = ("192.0.2.1", 5060)


@dataclass
class Network:
    """The flows that an exchange asks for."""

    datagrams: UdpFlow = field(
        default_factory=lambda: UdpFlow(Bound(), ("192.0.2.1", 5060), ("192.0.2.77", 5060))
    )
    connections: list[Connection] = field(default_factory=list)

    def flow(
        self,
        transport: str,
        remote: tuple[str, int],
        local: tuple[str, int] | None,
        identity: PeerIdentity | None = None,
        /,
    ) -> Flow:
        if transport == "UDP":
            return self.datagrams
        self.connections.append(Connection(transport, ("192.0.2.1", 5060), remote))
        return self.connections[-1]


@scenario()
async def test_an_operators_server_has_a_connection_for_large_requests(world: World) -> None:
    town = await start(world)
    network = Network()
    town.exchange.flow = network.flow
    assert town.exchange.flow_to(SERVER) is network.datagrams
    assert [(flow.transport, flow.remote) for flow in network.connections] == [("TCP", ("192.0.2.77", 5060))]
    assert network.datagrams.large is network.connections[0]
    town.exchange.flow_to(SERVER)
    assert len(network.connections) == 1


@scenario()
async def test_a_server_that_refused_tcp_is_left_alone_for_an_hour(world: World) -> None:
    town = await start(world)
    network = Network()
    town.exchange.flow = network.flow
    town.exchange.flow_to(SERVER)
    network.connections[0].refused = True
    await world.sleep(REFUSED_SECONDS - 1)
    town.exchange.flow_to(SERVER)
    assert len(network.connections) == 1
    await world.sleep(1)
    town.exchange.flow_to(SERVER)
    assert network.datagrams.large is network.connections[1]


@scenario()
async def test_a_telephone_that_registered_over_udp_is_never_connected_to(world: World) -> None:
    town = await start(world)
    await town.phones("1001", "1002")
    device = town.exchange.devices.find("1002")
    assert device is not None
    assert town.exchange.flow_of(device.bindings[0]).large is None
