"""A softphone on the virtual network: `sip.user_agent.UserAgent` on a host of its own.

`tests.sim.phone.Phone` sends what its script says, right or wrong; this one is the product's own user agent,
which acknowledges, answers challenges and retransmits by itself.
"""

from __future__ import annotations

from sip.user_agent import Account, UserAgent
from tests.sim.network import Address
from tests.sim.node import Node
from tests.sim.world import World

DOMAIN = "valmont.example"


def softphone(world: World, name: str, address: str, server: Address, *, user: str = "1001") -> UserAgent:
    """A softphone over UDP that signs in as `user` with the sample plan's password; closed when the world
    ends."""
    agent, node = _softphone(world, name, address, user)
    agent.outbound = node.flow(server)
    return agent


async def softphone_over_tcp(
    world: World, name: str, address: str, server: Address, *, user: str = "1001"
) -> UserAgent:
    """The same over a TCP connection that it opens."""
    agent, node = _softphone(world, name, address, user)
    agent.outbound = await node.connect(server)
    return agent


def _softphone(world: World, name: str, address: str, user: str) -> tuple[UserAgent, Node]:
    agent = UserAgent(Account(user, f"pw{user}", DOMAIN), name.encode())
    node = Node(world.host(name, address), agent.driver)
    world.watch(name, agent)
    world.closing.callback(node.close)
    return agent, node
