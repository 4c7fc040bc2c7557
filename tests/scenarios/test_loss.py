"""A network that loses one datagram in five: every call succeeds, once."""

from __future__ import annotations

import pytest

from tests.scenarios.town import Town, start
from tests.sim.ladder import assert_golden
from tests.sim.network import CUT, Link
from tests.sim.world import PLAIN_LINK, World, run, scenario

BAD = Link(loss=0.2, jitter_seconds=0.02)


async def quarrelling(world: World, *, link: Link) -> Town:
    """1001 calls 1002 over a link, talks for 40 s and hangs up."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    for phone in (alice, bruno):
        phone.repeats_what_is_lost()
        world.network.link(phone.host, town.node.host, link)
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    await world.sleep(2)
    bruno.answer(invite)
    await bruno.expect("ACK")
    # 401: a challenge is made anew for each copy of the INVITE, since nothing is kept for a stranger.
    alice.ack(await alice.expect(200, passing_over=[180, 401]))
    await world.sleep(40)
    alice.bye()
    bruno.reply(await bruno.expect("BYE"), 200)
    await alice.expect("200 BYE", passing_over=[180, 401])
    return town


@pytest.mark.parametrize("seed", range(25))
def test_every_call_succeeds_where_one_datagram_in_five_is_lost(seed: int) -> None:
    async def body(world: World) -> None:
        town = await quarrelling(world, link=BAD)
        await world.sleep(1)
        (call,) = town.calls
        assert call.cause == "completed"
        assert call.answered is not None
        assert town.asked() == ["offer a b1", "answer b1 a", "delete"]

    run(body, seed=seed)


@pytest.mark.parametrize("seed", range(5))
def test_every_call_succeeds_where_datagrams_come_twice_and_out_of_order(seed: int) -> None:
    async def body(world: World) -> None:
        town = await quarrelling(world, link=Link(loss=0.1, duplicate=0.2, reorder=0.2))
        assert "completed" in await town.record()

    run(body, seed=seed)


@scenario()
async def test_an_invite_that_comes_again_rings_once(world: World) -> None:
    """RFC 3261 section 17.2.1."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    call = await alice.call("1002")
    invite = await bruno.expect("INVITE")
    alice.again(call)
    await bruno.expect_silence(0.4)
    bruno.reply(invite, 486)
    await bruno.expect("ACK")
    await alice.expect(486)
    alice.again(call)
    await bruno.expect_silence(1)
    assert len(town.calls) == 1


@scenario()
async def test_an_invite_to_a_phone_that_wakes_up_late(world: World) -> None:
    """RFC 3261 section 17.1.1.2: INVITEs at 0, 0.5, 1.5, 3.5 s."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    world.network.link(bruno.host, town.node.host, CUT)
    await alice.call("1002")
    await world.sleep(3)
    world.network.link(bruno.host, town.node.host, PLAIN_LINK)
    bruno.answer(await bruno.expect("INVITE"))
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, bruno)
    assert_golden("retransmissions", town.ladder)
