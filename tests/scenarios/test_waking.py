"""Closed pages that a notification wakes: the call rings on for them, and they join it when they come."""

from __future__ import annotations

from pbx.events import Event, WakeOver, WakeWanted
from tests.scenarios.town import Town, start
from tests.sim.world import World, scenario


async def wakeable(world: World, *extensions: str) -> tuple[Town, list[Event]]:
    """A town with somebody who listens for whom to wake, and what it hears."""
    town = await start(world)
    told: list[Event] = []
    town.exchange.events.subscribe(told.append, WakeWanted, WakeOver)
    town.exchange.waking.set_wakeable(extensions)
    return town, told


def outcomes(told: list[Event]) -> list[str]:
    return [event.outcome for event in told if isinstance(event, WakeOver)]


@scenario()
async def test_a_telephone_that_registers_while_it_rings_joins_the_call(world: World) -> None:
    town, told = await wakeable(world, "1001")
    (bruno,) = await town.phones("1002")
    page = town.phone("1001-app")
    await bruno.call("1001")
    await bruno.expect(180)  # it rings, though no telephone of hers is there yet
    await world.sleep(8)
    await page.register()
    page.answer(await page.expect("INVITE"))
    await page.expect("ACK")
    bruno.ack(await bruno.expect(200))
    await town.hang_up(bruno, page)
    (wanted,) = [event for event in told if isinstance(event, WakeWanted)]
    assert (wanted.extension, wanted.number, wanted.name) == ("1001", "1002", "Bruno Petit")
    assert outcomes(told) == ["answered"]


@scenario()
async def test_a_telephone_that_comes_back_rings_beside_those_that_ring(world: World) -> None:
    town, told = await wakeable(world, "1001")
    bruno, desk = await town.phones("1002", "1001")
    page = town.phone("1001-app")
    await bruno.call("1001")
    invite = await desk.expect("INVITE")
    desk.reply(invite, 180)
    await bruno.expect(180)
    await page.register()
    rings = await page.expect("INVITE")
    page.reply(rings, 180)
    desk.answer(invite)
    await desk.expect("ACK")
    page.reply(await page.expect("CANCEL"), 200)
    page.reply(rings, 487)
    await page.expect("ACK")
    bruno.ack(await bruno.expect(200))
    await town.hang_up(bruno, desk)
    assert outcomes(told) == ["answered"]


@scenario()
async def test_a_telephone_that_rings_already_and_registers_again_is_not_rung_twice(world: World) -> None:
    town, _ = await wakeable(world, "1001")
    bruno, desk = await town.phones("1002", "1001")
    await bruno.call("1001")
    invite = await desk.expect("INVITE")
    desk.reply(invite, 180)
    await bruno.expect(180)
    await desk.register()
    await desk.expect_silence(5)
    desk.answer(invite)
    await desk.expect("ACK")
    bruno.ack(await bruno.expect(200))
    await town.hang_up(bruno, desk)


@scenario()
async def test_nobody_comes_and_the_call_rings_out_as_any_other(world: World) -> None:
    town, told = await wakeable(world, "1001")
    (bruno,) = await town.phones("1002")
    await bruno.call("1001")
    await bruno.expect(180)
    await town.refused(bruno, 480, within_seconds=70)
    assert outcomes(told) == ["no answer"]


@scenario()
async def test_a_caller_who_gives_up_ends_the_waking(world: World) -> None:
    town, told = await wakeable(world, "1001")
    (bruno,) = await town.phones("1002")
    await bruno.call("1001")
    await bruno.expect(180)
    bruno.cancel(bruno.last_invite)
    await bruno.expect("200 CANCEL")
    await bruno.expect(487)
    page = town.phone("1001-app")
    await page.register()
    await page.expect_silence(1)
    assert outcomes(told) == ["cancelled"]


@scenario()
async def test_a_call_that_is_declined_by_its_notification_stops_ringing_everywhere(world: World) -> None:
    town, told = await wakeable(world, "1001")
    bruno, desk = await town.phones("1002", "1001")
    await bruno.call("1001")
    invite = await desk.expect("INVITE")
    desk.reply(invite, 180)
    await bruno.expect(180)
    (wanted,) = [event for event in told if isinstance(event, WakeWanted)]
    assert not town.exchange.waking.decline(wanted.call, "2010")  # it doesn't ring him
    assert town.exchange.waking.decline(wanted.call, "1001")
    desk.reply(await desk.expect("CANCEL"), 200)
    desk.reply(invite, 487)
    await desk.expect("ACK")
    await bruno.expect(603)
    assert outcomes(told) == ["declined"]
    assert not town.exchange.waking.decline(wanted.call, "1001")


@scenario()
async def test_a_telephone_that_declines_ends_the_waking_too(world: World) -> None:
    town, told = await wakeable(world, "1001")
    bruno, desk = await town.phones("1002", "1001")
    await bruno.call("1001")
    await bruno.expect(180)
    desk.reply(await desk.expect("INVITE"), 603)
    await desk.expect("ACK")
    await bruno.expect(603)
    assert outcomes(told) == ["declined"]


@scenario()
async def test_nobody_is_waited_for_while_nobody_pushes(world: World) -> None:
    town = await start(world)
    town.exchange.waking.set_wakeable(["1001"])
    (bruno,) = await town.phones("1002")
    await bruno.call("1001")
    await town.refused(bruno, 480)


@scenario()
async def test_whoever_cannot_be_woken_is_unreachable_as_before(world: World) -> None:
    town, told = await wakeable(world, "2010")
    (bruno,) = await town.phones("1002")
    await bruno.call("1001")
    await town.refused(bruno, 480)
    assert told == []
