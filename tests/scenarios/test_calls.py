"""Calls between people of the town."""

from __future__ import annotations

from tests.scenarios.town import start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario


@scenario()
async def test_two_people_talk(world: World) -> None:
    """RFC 3665 section 3.1, through our B2BUA: each side has its own dialog."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    town.ladder.order("1001", "Beffroi", "1002")
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    await alice.expect(180)
    await world.sleep(2)
    bruno.answer(invite)
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    town.ladder.media("1001", "Beffroi")
    town.ladder.media("Beffroi", "1002")
    await world.sleep(10)
    alice.bye()
    bruno.reply(await bruno.expect("BYE"), 200)
    await alice.expect("200 BYE")
    assert_golden("internal-call", town.ladder)
    assert await town.record() == (
        "internal 1001 (Alice Martin) dialled 1002 to 1002: completed, 2.0 12.0\n"
        "  1001 192.0.2.1:5060 udp PCMA: hung up, 0.0 2.0 12.0\n"
        "  1002 192.0.2.2:5060 udp PCMA: released, 0.0 2.0 12.0"
    )
