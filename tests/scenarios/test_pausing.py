"""Pauses by code: of all queues and groups, of one of them, with a reason; secours is 8200, 2201 and 2202."""

from __future__ import annotations

from pbx.people.settings import NO_ANSWER
from tests.scenarios.test_groups import plan_with
from tests.scenarios.test_settings import dial
from tests.scenarios.town import Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario


async def town_with(world: World, *users: str, seconds: int = 40) -> tuple[Town, list[TownPhone]]:
    town = await start(world, plan_with(seconds=seconds))
    return town, await town.phones(*users)


async def rings_alone(town: Town, caller: TownPhone, member: TownPhone) -> None:
    """The group's other members don't ring; this one takes the call."""
    await caller.call("8200")
    member.answer(await member.expect("INVITE"))
    await member.expect("ACK")
    caller.ack(await caller.expect(200))
    await town.hang_up(caller, member)


@scenario()
async def test_a_member_who_pauses_does_not_ring_and_comes_back_by_code(world: World) -> None:
    town, (alice, one, other) = await town_with(world, "1001", "2201", "2202")
    town.ladder.order("1001", "Beffroi", "2201", "2202")
    assert await dial(town, one, "*48") == ["Vous êtes en pause."]
    await rings_alone(town, alice, other)
    assert_golden("pause", town.ladder)
    assert await dial(town, one, "#48#") == ["Vous n'êtes plus en pause."]
    await alice.call("8200")
    first, second = await one.expect("INVITE"), await other.expect("INVITE")
    for phone, invite in ((one, first), (other, second)):
        phone.reply(invite, 486)
        await phone.expect("ACK")
    await alice.expect(183)
    town.finish_playing()
    await alice.expect(480)


@scenario()
async def test_a_pause_has_a_reason_and_it_is_said(world: World) -> None:
    town, (one,) = await town_with(world, "2201")
    assert await dial(town, one, "*48*1") == ["Vous êtes en pause. Motif : Repas."]
    (kept,) = town.exchange.settings.of("2201").pauses
    assert (kept.service, kept.reason, kept.set_by.by) == ("", "1", "2201")


@scenario()
async def test_a_reason_that_the_plan_does_not_have_sets_nothing(world: World) -> None:
    town, (one,) = await town_with(world, "2201")
    assert await dial(town, one, "*48*7") == ["tone", "Ce motif de pause n'existe pas."]
    assert town.exchange.settings.of("2201").pauses == ()


@scenario()
async def test_a_pause_of_one_group_is_of_no_other(world: World) -> None:
    town, (alice, one, other) = await town_with(world, "1001", "2201", "2202")
    assert await dial(town, one, "*49*8200") == ["Vous êtes en pause pour le 82 00."]
    settings = town.exchange.settings
    assert settings.paused("2201", "secours") is not None
    assert settings.paused("2201", "standard") is None
    await rings_alone(town, alice, other)
    assert await dial(town, one, "#49*8200") == ["Vous recevez de nouveau les appels du 82 00."]
    assert settings.paused("2201", "secours") is None


@scenario()
async def test_nobody_pauses_from_what_is_no_queue_and_no_group(world: World) -> None:
    town, (one,) = await town_with(world, "2201")
    refused = ["tone", "Ce numéro n'est pas celui d'une file ou d'un groupe."]
    assert await dial(town, one, "*49*8301") == refused
    assert await dial(town, one, "*49*2222") == refused


@scenario()
async def test_nobody_pauses_from_what_they_do_not_answer(world: World) -> None:
    town, (one,) = await town_with(world, "2201")
    assert await dial(town, one, "*49*9") == ["tone", "Vous ne répondez pas au 9."]
    assert town.exchange.settings.of("2201").pauses == ()


@scenario()
async def test_who_has_not_paused_is_told_so(world: World) -> None:
    town, (one,) = await town_with(world, "2201")
    assert await dial(town, one, "#48#") == ["tone", "Vous n'étiez pas en pause."]


@scenario()
async def test_a_group_whose_members_have_all_paused_goes_on_at_once(world: World) -> None:
    town, (alice, one) = await town_with(world, "1001", "2201")
    town.exchange.settings.pause("2201", "test")
    town.exchange.settings.pause("2202", "test", "secours", NO_ANSWER)
    await alice.call("8200")
    await alice.expect(183)
    assert town.spoken() == ["Personne ne répond."]
    town.finish_playing()
    await alice.expect(480)
    await one.expect_silence(1)


@scenario()
async def test_a_pause_outlives_the_process(world: World) -> None:
    town, (one,) = await town_with(world, "2201")
    await dial(town, one, "*48*2")
    await town.restart()
    kept = town.exchange.settings.paused("2201", "secours")
    assert kept is not None
    assert kept.reason == "2"
