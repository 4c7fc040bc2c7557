"""INVITEs without offer: ours goes out in the 200, the caller's answer comes with its ACK.

RFC 3261 section 13.2.1; RFC 3665 section 3.6 has such an ACK. A person's own offer is passed on (RFC 3725
section 4.1); an echo makes one of the engine's.
"""

from __future__ import annotations

from tests.scenarios.town import start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario


@scenario()
async def test_a_late_offer_to_a_person(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    town.ladder.order("1001", "Beffroi", "1002")
    await alice.call("1002", offer=False)
    invite = await bruno.expect("INVITE")
    assert invite.body == b""
    bruno.reply(invite, 180)
    await alice.expect(180)
    bruno.answer(invite)
    offer = await alice.expect(200)
    assert b"m=audio 2" in offer.body
    await bruno.expect_silence(0.1)
    alice.ack(offer, body=alice.sdp())
    ack = await bruno.expect("ACK")
    assert b"m=audio 2" in ack.body
    assert town.asked() == ["offer b1 a", "answer a b1"]
    await world.sleep(5)
    await town.hang_up(alice, bruno)
    assert_golden("late-offer", town.ladder)
    assert (await town.record()).splitlines()[1:] == [
        "  1001 192.0.2.1:5060 udp PCMA: hung up, 0.0 0.0 5.1",
        "  1002 192.0.2.2:5060 udp PCMA: released, 0.0 0.0 5.1",
    ]


@scenario()
async def test_a_late_offer_to_two_devices_that_answer_at_one_instant(world: World) -> None:
    town = await start(world)
    bruno, alice, app = await town.phones("1002", "1001", "1001-app")
    await bruno.call("1001", offer=False)
    alice.answer(await alice.expect("INVITE"))
    app.answer(await app.expect("INVITE"))
    _, bye = await app.expect_in_any_order("ACK", "BYE")
    app.reply(bye, 200)
    bruno.ack(await bruno.expect(200), body=bruno.sdp())
    await alice.expect("ACK")
    await town.hang_up(bruno, alice)


@scenario()
async def test_a_late_offer_to_the_echo(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    await alice.call("9196", offer=False)
    offer = await alice.expect(200)
    assert b"m=audio" in offer.body
    alice.ack(offer, body=alice.sdp())
    await world.sleep(1)
    assert town.asked() == ["terminate_offer a", "terminate_answer a", "echo a"]
    await town.hang_up(alice)


@scenario()
async def test_an_ack_without_the_answer_ends_the_call(world: World) -> None:
    """RFC 3261 section 13.2.2.4 asks for one."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002", offer=False)
    bruno.answer(await bruno.expect("INVITE"))
    alice.ack(await alice.expect(200))
    _, bye = await bruno.expect_in_any_order("ACK", "BYE")
    bruno.reply(bye, 200)
    alice.reply(await alice.expect("BYE"), 200)
    assert "media: " in await town.record()


@scenario()
async def test_a_caller_who_gives_up_a_late_offer(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    call = await alice.call("1002", offer=False)
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    await alice.expect(180)
    alice.cancel(call)
    bruno.answer(invite)
    await alice.expect_in_any_order("200 CANCEL", "487 INVITE")
    _, bye = await bruno.expect_in_any_order("ACK", "BYE")
    bruno.reply(bye, 200)
