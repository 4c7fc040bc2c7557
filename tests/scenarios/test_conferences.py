"""What moderators do in a room, who is told what, and how often a PIN may be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from media.engine import Wav
from tests.scenarios.test_menus import records
from tests.scenarios.test_rooms import WITH_PIN, dialled, inside, is_in, keys, leaves, said
from tests.scenarios.town import PLAN_TEXT, Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.wire import Message
from tests.sim.world import World, scenario


def room(settings: str) -> str:
    """The sample plan, whose room 8301 has these settings."""
    return PLAN_TEXT.replace('"8301", type: room}', f'"8301", type: room, {settings}}}')


MODERATED = room("moderators: {group: garde}")
NAMES = room("moderators: {group: garde}, tells: names")


@pytest.fixture(autouse=True)
def pins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOM_PIN", "4711")
    monkeypatch.setenv("MODERATOR_PIN", "815")


async def meeting(world: World, plan: str = MODERATED) -> tuple[Town, list[TownPhone], list[str]]:
    """2201 moderates, 1001 has come after it."""
    town = await start(world, plan)
    garde, alice = await town.phones("2201", "1001")
    calls = [await inside(town, garde), await inside(town, alice)]
    town.finish_playing()
    await world.sleep(0.1)
    return town, [garde, alice], calls


async def presses(town: Town, call: str, pressed: str) -> None:
    keys(town, call, pressed)
    await town.world.sleep(0.1)


async def end_of_sound(town: Town) -> None:
    while town.engine.playing:
        town.finish_playing()
        await town.world.sleep(0.1)


def is_locked(town: Town) -> bool:
    return town.exchange.rooms["reunion"].locked


def speaks(town: Town, call: str) -> bool:
    place = town.engine.room_of(call, "a")
    assert place is not None
    return place.speaks


# PINs


async def wrong_pins(town: Town, phone: TownPhone, count: int) -> None:
    """One call, with so many wrong PINs."""
    call = await dialled(town, phone)
    for _ in range(count):
        await presses(town, call, "1234#")
        town.engine.finish(call, "a")
        await town.world.sleep(0.1)
    if count < 3:
        await leaves(phone)
    else:
        phone.reply(await phone.expect("BYE"), 200)


@scenario()
async def test_who_was_wrong_in_two_calls_is_not_asked_in_the_third(world: World) -> None:
    town = await start(world, WITH_PIN)
    alice, bruno = await town.phones("1001", "1002")
    await wrong_pins(town, alice, 3)
    await wrong_pins(town, alice, 3)
    refused = await dialled(town, alice)
    assert said(town) == "Trop de codes faux. Rappelez plus tard."
    town.engine.finish(refused, "a")
    alice.reply(await alice.expect("BYE"), 200)
    assert "too many wrong pins" in await records(town)
    call = await dialled(town, bruno)  # somebody else isn't locked out
    assert said(town) == "Tapez le code de la salle, puis dièse."
    assert not is_in(town, call)
    await leaves(bruno)


@scenario()
async def test_a_right_pin_forgives_the_wrong_ones(world: World) -> None:
    town = await start(world, WITH_PIN)
    (alice,) = await town.phones("1001")
    for _ in range(3):
        await wrong_pins(town, alice, 2)
        call = await dialled(town, alice)
        await presses(town, call, "4711#")
        town.engine.finish(call, "a")
        await world.sleep(0.1)
        assert is_in(town, call)
        await leaves(alice)


@scenario()
async def test_the_moderators_pin_makes_a_moderator_and_no_pin_a_guest(world: World) -> None:
    town = await start(world, room("moderator_pin: {env: MODERATOR_PIN}"))
    alice, bruno = await town.phones("1001", "1002")
    moderates = await dialled(town, alice)
    await presses(town, moderates, "815#")
    town.engine.finish(moderates, "a")
    await world.sleep(0.1)
    guest = await dialled(town, bruno)
    await presses(town, guest, "#")
    town.engine.finish(guest, "a")
    await world.sleep(0.1)
    assert is_in(town, guest)
    await presses(town, guest, "*7")
    assert not is_locked(town)
    await presses(town, moderates, "*7")
    assert is_locked(town)
    await leaves(alice)
    await leaves(bruno)


# Who comes and goes


@scenario()
async def test_names_of_those_who_come_and_go_are_spoken_to_the_others(world: World) -> None:
    town, (garde, alice), _ = await meeting(world, NAMES)
    assert "Alice Martin rejoint la salle." in town.spoken()
    await end_of_sound(town)
    await leaves(alice)
    await world.sleep(0.1)
    assert said(town) == "Alice Martin quitte la salle."
    await leaves(garde)


@scenario()
async def test_a_caller_who_hides_is_told_without_a_name(world: World) -> None:
    town = await start(world, NAMES)
    garde, alice = await town.phones("2201", "1001")
    await inside(town, garde)
    await end_of_sound(town)
    alice.headers["Privacy"] = "id"
    await inside(town, alice)
    assert "Un correspondant rejoint la salle." in town.spoken()
    await leaves(alice)
    await leaves(garde)


@scenario()
async def test_a_room_that_tells_nothing_plays_nothing_to_the_others(world: World) -> None:
    town = await start(world, room("tells: nothing"))
    alice, bruno = await town.phones("1001", "1002")
    first = await inside(town, alice)
    await inside(town, bruno)
    assert (first, "a") not in town.engine.playing
    await leaves(bruno)
    await leaves(alice)


@scenario()
async def test_a_full_room_says_so(world: World) -> None:
    town = await start(world, room("most: 2"))
    alice, bruno, garde = await town.phones("1001", "1002", "2201")
    await inside(town, alice)
    await inside(town, bruno)
    refused = await dialled(town, garde)
    assert said(town) == "Cette salle est pleine."
    town.engine.finish(refused, "a")
    garde.reply(await garde.expect("BYE"), 200)
    await leaves(alice)
    await leaves(bruno)


# What moderators do


@scenario()
async def test_all_others_are_muted_and_heard_again(world: World) -> None:
    town, (garde, alice), (moderates, call) = await meeting(world)
    await presses(town, moderates, "*5")
    assert (speaks(town, moderates), speaks(town, call)) == (True, False)
    await end_of_sound(town)
    await presses(town, call, "*6")  # it can't undo that by itself
    assert said(town) == "Un animateur a coupé votre micro."
    assert not speaks(town, call)
    await end_of_sound(town)
    await presses(town, moderates, "*5")
    assert speaks(town, call)
    await leaves(garde)
    await leaves(alice)


@scenario()
async def test_one_who_comes_into_a_hushed_room_is_muted(world: World) -> None:
    town, (garde, alice), (moderates, _) = await meeting(world)
    await presses(town, moderates, "*5")
    (bruno,) = await town.phones("1002")
    assert not speaks(town, await inside(town, bruno))
    for phone in (garde, alice, bruno):
        await leaves(phone)


@scenario()
async def test_one_is_muted_by_a_moderator_who_goes_through_the_others(world: World) -> None:
    town, (garde, alice), (moderates, call) = await meeting(world)
    await presses(town, moderates, "*8")
    assert said(town).startswith("Alice Martin. Pour couper")
    await presses(town, moderates, "1")
    assert not speaks(town, call)
    assert said(town) == "Un animateur a coupé votre micro."
    await leaves(alice)
    await leaves(garde)


@scenario()
async def test_one_is_expelled_and_hears_so(world: World) -> None:
    town, (garde, alice), (moderates, call) = await meeting(world)
    await presses(town, moderates, "*8")
    await presses(town, moderates, "9")
    assert said(town) == "Vous avez été exclu de la salle."
    town.engine.finish(call, "a")
    alice.reply(await alice.expect("BYE"), 200)
    await leaves(garde)
    assert "reunion: expelled" in await records(town)


@scenario()
async def test_a_guest_has_no_keys_of_a_moderator(world: World) -> None:
    town, (garde, alice), (moderates, call) = await meeting(world)
    before = town.spoken()
    for code in ("*3", "*5", "*7", "*8", "*9"):
        await presses(town, call, code)
        assert said(town) == "Cette touche est réservée aux animateurs."
        town.engine.finish(call, "a")
        await world.sleep(0.1)
    assert set(town.spoken()) - set(before) == {"Cette touche est réservée aux animateurs."}
    assert speaks(town, moderates)
    await leaves(alice)
    await leaves(garde)


@scenario()
async def test_the_keys_are_told_and_a_key_ends_the_telling(world: World) -> None:
    town, (garde, alice), (moderates, _) = await meeting(world)
    await presses(town, moderates, "*1")
    assert said(town).startswith("Étoile 6")
    town.engine.finish(moderates, "a")
    await world.sleep(0.1)
    assert said(town).startswith("Étoile 3")
    await presses(town, moderates, "*")
    assert (moderates, "a") not in town.engine.playing
    await leaves(alice)
    await leaves(garde)


@scenario()
async def test_a_moderator_ends_it_for_all(world: World) -> None:
    town, (garde, alice), (moderates, _) = await meeting(world)
    await presses(town, moderates, "*9")
    assert said(town) == "Pour terminer pour tous, tapez 1."
    await presses(town, moderates, "1")
    assert said(town) == "La conférence est terminée."
    town.ladder.clear()
    town.finish_playing()
    for phone in (garde, alice):
        phone.reply(await phone.expect("BYE"), 200)
    assert town.exchange.rooms == {}
    assert "reunion: room over" in await records(town)


@scenario()
async def test_nobody_waits_for_ever_for_a_moderator(world: World) -> None:
    town = await start(world, MODERATED)
    (alice,) = await town.phones("1001")
    call = await dialled(town, alice)
    town.engine.finish(call, "a")
    await world.sleep(3601)
    assert said(town) == "Aucun animateur n'est venu."
    town.finish_playing()
    alice.reply(await alice.expect("BYE"), 200)
    assert "reunion: no moderator" in await records(town)


@scenario()
async def test_keys_that_are_pressed_while_something_is_said_count(world: World) -> None:
    town, (garde, alice), (_, call) = await meeting(world)
    await presses(town, call, "*2")
    await presses(town, call, "*6")
    assert speaks(town, call)  # it still hears how many are there
    town.engine.finish(call, "a")
    await world.sleep(0.1)
    assert not speaks(town, call)
    await leaves(alice)
    await leaves(garde)


# Called by a moderator


async def calling(world: World, number: str, *others: str) -> tuple[Town, list[TownPhone], str, Message]:
    """The moderator is alone in the room and has a number rung."""
    town = await start(world, MODERATED)
    phones = await town.phones("2201", *others)
    moderates = await inside(town, phones[0])
    await presses(town, moderates, "*3")
    assert said(town) == "Tapez le numéro à appeler, puis dièse."
    await presses(town, moderates, f"{number}#")
    assert said(town) == "On l'appelle."
    town.finish_playing()
    return town, phones, moderates, await phones[1].expect("INVITE")


@scenario()
async def test_one_who_is_called_comes_in_by_a_key(world: World) -> None:
    """RFC 3264 section 5.1: what is offered names the codecs that we have, with an address of ours."""
    town, (garde, bruno), _, invite = await calling(world, "1002", "1002")
    assert b"c=IN IP4 10.54.0.10" in invite.body
    assert b"a=inactive" not in invite.body
    bruno.reply(invite, 180)
    bruno.answer(invite)
    await bruno.expect("ACK")
    await world.sleep(0.1)
    assert said(town) == "Un appel pour reunion. Pour le prendre, tapez 1."
    (ringing,) = {asked.call for asked in town.engine.asked if asked.leg == "b1"}
    town.engine.press(ringing, "b1", "1")
    await world.sleep(0.1)
    await end_of_sound(town)
    assert [speaks(town, call.id) for call in town.exchange.rooms["reunion"].parties] == [True, True]
    town.ladder.media("2201", "Beffroi", "the room")
    town.ladder.media("1002", "Beffroi", "the room")
    await leaves(bruno)
    await leaves(garde)
    assert town.exchange.rooms == {}
    assert_golden("room-dial-out", town.ladder)
    written = await records(town)
    assert "internal 2201 (Garde 1) dialled 1002 to 1002: transferred" in written
    assert "internal 1002 (Bruno Petit) dialled 8301 to reunion: completed" in written


@scenario()
async def test_the_moderator_hears_that_somebody_does_not_come(world: World) -> None:
    town, (garde, bruno), _, invite = await calling(world, "1002", "1002")
    bruno.reply(invite, 486)
    await bruno.expect("ACK")
    await world.sleep(0.1)
    assert said(town) == "Le 1002 ne vient pas."
    await leaves(garde)


@scenario()
async def test_a_telephone_stops_ringing_when_the_last_moderator_leaves(world: World) -> None:
    town, (garde, bruno), _, invite = await calling(world, "1002", "1002")
    bruno.reply(invite, 180)
    await world.sleep(0.1)
    await leaves(garde)
    bruno.reply(await bruno.expect("CANCEL"), 200)
    bruno.reply(invite, 487)
    await bruno.expect("ACK")
    await world.sleep(0.1)
    assert town.exchange.rooms == {}


@scenario()
async def test_a_moderator_calls_only_whom_its_class_may_call(world: World) -> None:
    """2202's class is `interne`: a mobile isn't for it."""
    town = await start(world, MODERATED)
    (garde,) = await town.phones("2202")
    moderates = await inside(town, garde)
    await presses(town, moderates, "*3")
    await presses(town, moderates, "0612345678#")
    assert said(town) == "Ce numéro ne peut pas être appelé."
    await leaves(garde)


# A restart


@scenario()
async def test_who_was_inside_is_not_asked_for_the_pin_after_a_restart(world: World) -> None:
    town = await start(world, WITH_PIN)
    (alice,) = await town.phones("1001")
    call = await dialled(town, alice)
    await presses(town, call, "4711#")
    town.engine.finish(call, "a")
    await world.sleep(0.1)
    assert is_in(town, call)
    await town.restart()
    await world.sleep(0.1)
    await end_of_sound(town)
    assert town.spoken() == [""]  # the tone of who comes in, and no question
    assert is_in(town, call)
    alice.reply(await alice.expect("OPTIONS", within_seconds=10.1), 200)
    await leaves(alice)


# Names as their bearers say them


RECORDED = PLAN_TEXT.replace(
    '"8301", type: room}', '"8301", public: "+33383000199", type: room, tells: recorded}'
).replace(', public: "+33383000199", type: fax', ", type: fax")


@scenario()
async def test_a_caller_from_outside_says_its_name_and_the_others_hear_it(
    world: World, tmp_path: Path
) -> None:
    town = Town(world, RECORDED, data_dir=tmp_path)
    await town.exchange.trunks.resolve()
    (alice,) = await town.phones("1001")
    first = await inside(town, alice)
    await end_of_sound(town)
    operator = town.operator("operateur-a")
    operator.invite("+33383000199")
    operator.ack(await operator.expect(200))
    await world.sleep(0.1)
    assert said(town).startswith("Dites votre nom après le signal")
    (call,) = {asked.call for asked in town.engine.asked} - {first}
    for _ in range(2):  # the question, and the tone
        town.engine.finish(call, "a")
        await world.sleep(0.1)
    await world.sleep(2)
    name = town.engine.recording[call, "a"]
    town.engine.finish_recording(call, "a")
    await world.sleep(0.1)
    assert town.engine.playing[first, "a"] == Wav(str(name))
    town.engine.finish(first, "a")
    await world.sleep(0.1)
    assert said(town) == "rejoint la salle."
    await end_of_sound(town)
    operator.bye()
    await operator.expect("200 BYE")
    await world.sleep(0.1)
    assert town.engine.playing[first, "a"] == Wav(str(name))
    assert name.is_file()
    await leaves(alice)
    await world.sleep(0.1)
    assert not name.exists()


@scenario()
async def test_a_colleague_is_not_asked_for_its_name(world: World) -> None:
    town = await start(world, RECORDED)
    alice, bruno = await town.phones("1001", "1002")
    await inside(town, alice)
    await end_of_sound(town)
    await inside(town, bruno)
    assert "Bruno Petit rejoint la salle." in town.spoken()
    await leaves(bruno)
    await leaves(alice)
