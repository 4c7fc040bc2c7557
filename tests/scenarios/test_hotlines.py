"""Hotlines: astreinte of the sample plan (8100) rings the patrol, then 2301 and a mobile that confirms."""

from __future__ import annotations

import pytest

from tests.scenarios.hearing import pairs, streams
from tests.scenarios.test_menus import records
from tests.scenarios.town import PLAN_TEXT, SECRETS, Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.wire import Message
from tests.sim.world import World, scenario

ASKED = "Un appel pour astreinte. Pour le prendre, tapez 1."


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


async def at_the_second_step(world: World) -> tuple[Town, TownPhone, TownPhone, Message]:
    """Nobody of the patrol is there: the mobile of the second step rings, and has answered."""
    town = await start(world, PLAN_TEXT)
    operator = town.operator("operateur-b")
    (alice,) = await town.phones("1001")
    await alice.call("8100")
    invite = await operator.expect("INVITE", within_seconds=21)
    operator.reply(invite, 180)
    await alice.expect(180)
    operator.answer(invite)
    await operator.expect("ACK")
    await world.sleep(0.1)
    return town, alice, operator, invite


def press(town: Town, key: str) -> None:
    """The one who answered presses a key."""
    asked = [asked for asked in town.engine.asked if asked.verb == "play"][-1]
    town.engine.press(asked.call, asked.leg, key)


@scenario()
async def test_the_first_step_is_taken_by_who_answers(world: World) -> None:
    town = await start(world, PLAN_TEXT)
    alice, patrol = await town.phones("1001", "2302")
    await alice.call("8100")
    patrol.answer(await patrol.expect("INVITE"))
    await patrol.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, patrol)
    assert "dialled 8100 to 2302: completed" in await records(town)


@scenario()
async def test_a_mobile_has_the_call_once_its_owner_pressed_1(world: World) -> None:
    town, alice, operator, _ = await at_the_second_step(world)
    assert town.spoken() == [ASKED]
    await alice.expect_silence(3)  # it goes on ringing
    press(town, "1")
    alice.ack(await alice.expect(200))
    town.ladder.media("1001", "operateur-b", "voices")
    await town.hang_up(alice, operator)
    assert_golden("hotline", town.ladder)
    assert "outbound 1001 (Alice Martin) dialled 8100 to +33612345678: completed" in await records(town)


@scenario()
async def test_who_is_asked_to_press_a_key_is_not_heard_by_the_caller_before(world: World) -> None:
    town, alice, operator, _ = await at_the_second_step(world)
    assert list(pairs(streams(town.engine))) == []
    press(town, "1")
    alice.ack(await alice.expect(200))
    assert {one.place[0] for one, _ in pairs(streams(town.engine))} == {"192.0.2.1", "203.0.113.2"}
    await town.hang_up(alice, operator)


@scenario()
async def test_a_voicemail_that_answers_does_not_swallow_the_call(world: World) -> None:
    town, alice, operator, _ = await at_the_second_step(world)
    press(town, "5")  # not the key
    town.finish_playing()
    await world.sleep(0.1)
    assert town.spoken() == [ASKED, ASKED]
    operator.reply(await operator.expect("BYE", within_seconds=21), 200)
    # The next step: the fire station, where nobody is either, and the officer on call.
    officer = await operator.expect("INVITE", within_seconds=41)
    operator.answer(officer)
    await operator.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(operator, alice)


@scenario()
async def test_while_one_is_asked_the_others_ring_and_may_be_quicker(world: World) -> None:
    plan = PLAN_TEXT.replace("{ring: {group: patrouille}, seconds: 20}", '{ring: ["2302"], seconds: 5}')
    town = await start(world, plan)
    operator = town.operator("operateur-b")
    alice, patrol = await town.phones("1001", "2301")
    await alice.call("8100")
    invite, mobile = await patrol.expect("INVITE", within_seconds=6), await operator.expect("INVITE")
    patrol.reply(invite, 180)
    await alice.expect(180)
    operator.answer(mobile)
    await operator.expect("ACK")
    await world.sleep(1)
    patrol.answer(invite)
    await patrol.expect("ACK")
    await world.sleep(0.1)
    press(town, "1")
    alice.ack(await alice.expect(200))
    operator.reply(await operator.expect("BYE"), 200)
    await town.hang_up(alice, patrol)


@scenario()
async def test_a_caller_that_gives_up_ends_the_call_that_is_being_asked(world: World) -> None:
    town, alice, operator, _ = await at_the_second_step(world)
    alice.cancel(alice.last_invite)
    operator.reply(await operator.expect("BYE"), 200)
    await alice.expect_in_any_order("200 CANCEL", "487 INVITE")
    assert "dialled 8100 to astreinte: cancelled" in await records(town)
