"""Rooms: reunion of the sample plan (8301), and rooms with a PIN and moderators."""

from __future__ import annotations

import pytest

from tests.scenarios.test_menus import records
from tests.scenarios.town import PLAN_TEXT, Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

PIN = "4711"
ENTER, WRONG = "Tapez le code de la salle, puis dièse.", "Ce code n'est pas le bon."
WITH_PIN = PLAN_TEXT.replace('"8301", type: room}', '"8301", type: room, pin: {env: ROOM_PIN}}')
MODERATED = PLAN_TEXT.replace('"8301", type: room}', '"8301", type: room, moderators: {group: garde}}')


@pytest.fixture(autouse=True)
def pin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOM_PIN", PIN)


async def dialled(town: Town, phone: TownPhone) -> str:
    """The phone calls the room and is answered; returns the call as the engine knows it."""
    before = {asked.call for asked in town.engine.asked}
    await phone.call("8301")
    phone.ack(await phone.expect(200))
    await town.world.sleep(0.1)
    (call,) = {asked.call for asked in town.engine.asked} - before
    return call


async def inside(town: Town, phone: TownPhone) -> str:
    """The phone is in the room, whose tone has ended."""
    call = await dialled(town, phone)
    town.engine.finish(call, "a")
    await town.world.sleep(0.1)
    assert is_in(town, call)
    return call


def is_in(town: Town, call: str) -> bool:
    return town.engine.room_of(call, "a") is not None


def keys(town: Town, call: str, pressed: str) -> None:
    town.engine.press(call, "a", pressed)


async def leaves(phone: TownPhone) -> None:
    phone.bye()
    await phone.expect("200 BYE")


def said(town: Town) -> str:
    """What was spoken last."""
    return next(text for text in reversed(town.spoken()) if text)


@scenario()
async def test_all_who_dial_it_are_in_one_room(world: World) -> None:
    town = await start(world)
    alice, bruno, garde = await town.phones("1001", "1002", "2201")
    calls = [await inside(town, phone) for phone in (alice, bruno, garde)]
    rooms = [town.engine.room_of(call, "a") for call in calls]
    assert [room.room for room in rooms if room is not None] == ["reunion"] * 3
    town.ladder.media("1001", "Beffroi", "all others")
    for phone in (bruno, alice, garde):
        await leaves(phone)
    assert_golden("room", town.ladder)
    assert "dialled 8301 to reunion: completed" in await records(town)
    assert town.exchange.rooms == {}


@scenario()
async def test_one_mutes_oneself_and_speaks_again(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    call = await inside(town, alice)
    keys(town, call, "*6")
    await world.sleep(0.1)
    room = town.engine.room_of(call, "a")
    assert room is not None
    assert not room.speaks
    assert said(town) == "Votre micro est coupé."
    town.engine.finish(call, "a")
    keys(town, call, "6*6")
    await world.sleep(0.1)
    room = town.engine.room_of(call, "a")
    assert room is not None
    assert room.speaks
    await leaves(alice)


@scenario()
async def test_who_presses_a_moderators_key_is_told_whose_it_is(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    call = await inside(town, alice)
    keys(town, call, "*9")
    await world.sleep(0.1)
    assert said(town) == "Cette touche est réservée aux animateurs."
    await leaves(alice)


@scenario()
async def test_how_many_are_there_is_told(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await inside(town, alice)
    call = await inside(town, bruno)
    keys(town, call, "*2")
    await world.sleep(0.1)
    assert said(town) == "Participants dans la salle : 2."
    await leaves(alice)
    await leaves(bruno)


@scenario()
async def test_a_pin_lets_those_in_who_know_it(world: World) -> None:
    town = await start(world, WITH_PIN)
    (alice,) = await town.phones("1001")
    call = await dialled(town, alice)
    assert said(town) == ENTER
    keys(town, call, f"{PIN}#")
    await world.sleep(0.1)
    town.engine.finish(call, "a")
    await world.sleep(0.1)
    assert is_in(town, call)
    await leaves(alice)


@scenario()
async def test_a_wrong_pin_is_asked_for_again_and_ends_the_call_the_third_time(world: World) -> None:
    town = await start(world, WITH_PIN)
    (alice,) = await town.phones("1001")
    call = await dialled(town, alice)
    for _ in range(3):
        assert said(town) == ENTER
        keys(town, call, "1234#")
        await world.sleep(0.1)
        assert said(town) == WRONG
        town.engine.finish(call, "a")
        await world.sleep(0.1)
    alice.reply(await alice.expect("BYE"), 200)
    assert "reunion: wrong pin" in await records(town)


@scenario()
async def test_a_room_whose_pin_the_node_was_not_given_lets_nobody_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ROOM_PIN")
    town = await start(world, WITH_PIN)
    (alice,) = await town.phones("1001")
    call = await dialled(town, alice)
    keys(town, call, "#")
    await world.sleep(0.1)
    town.engine.finish(call, "a")
    await world.sleep(6)
    assert said(town) == WRONG
    await leaves(alice)


@scenario()
async def test_others_wait_until_a_moderator_is_there(world: World) -> None:
    town = await start(world, MODERATED)
    alice, garde = await town.phones("1001", "2201")
    waits = await dialled(town, alice)
    assert said(town) == "Vous attendez un animateur."
    town.engine.finish(waits, "a")
    await world.sleep(60)
    assert not is_in(town, waits)
    await inside(town, garde)
    town.engine.finish(waits, "a")
    await world.sleep(0.1)
    assert is_in(town, waits)
    await leaves(alice)
    await leaves(garde)


@scenario()
async def test_a_moderator_locks_the_room_and_others_cannot(world: World) -> None:
    town = await start(world, MODERATED)
    alice, garde, bruno = await town.phones("1001", "2201", "1002")
    moderates = await inside(town, garde)
    call = await inside(town, alice)
    keys(town, call, "*7")
    await world.sleep(0.1)
    assert not town.exchange.rooms["reunion"].locked
    keys(town, moderates, "*7")
    await world.sleep(0.1)
    assert said(town) == "La salle est verrouillée."
    refused = await dialled(town, bruno)
    assert said(town) == "Cette salle est verrouillée."
    town.engine.finish(refused, "a")
    bruno.reply(await bruno.expect("BYE"), 200)
    await leaves(alice)
    await leaves(garde)


@scenario()
async def test_a_room_with_a_lobby_says_that_it_is_not_there_yet(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    await alice.call("8300")
    await alice.expect(183)
    assert town.spoken() == ["Ce service n'est pas encore disponible."]
    town.finish_playing()
    await alice.expect(480)


@scenario()
async def test_who_waits_for_a_moderator_may_give_up(world: World) -> None:
    town = await start(world, MODERATED)
    (alice,) = await town.phones("1001")
    await dialled(town, alice)
    await world.sleep(1)
    await leaves(alice)
    assert town.exchange.rooms == {}
