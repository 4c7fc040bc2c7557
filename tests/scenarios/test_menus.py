"""Menus: accueil-vocal of the sample plan (8000), 1 for 2010, 2 for 2020, 0 for the switchboard."""

from __future__ import annotations

from tests.scenarios.town import PLAN_TEXT, Town, TownPhone, start, tell
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

PROMPT = "Pour l'état civil, tapez 1. Pour l'urbanisme, tapez 2. Pour l'accueil, tapez 0."
# The switchboard isn't built yet: here its key and its place lead to a person.
PLAN = PLAN_TEXT.replace('"0": standard}', '"0": "1002"}').replace(
    "otherwise: {to: standard}\n  repondeur", 'otherwise: {to: "1002"}\n  repondeur'
)


async def in_menu(world: World, *others: str, plan: str = PLAN) -> tuple[Town, list[TownPhone]]:
    """1001 has called the menu, which speaks."""
    town = await start(world, plan)
    phones = await town.phones("1001", *others)
    await phones[0].call("8000")
    phones[0].ack(await phones[0].expect(200))
    await world.sleep(0.1)
    return town, phones


async def records(town: Town) -> str:
    """All records, those of the menu and of the calls that it made."""
    await town.world.sleep(0.1)
    return "\n".join(tell(call) for call in town.calls)


async def moved(phone: TownPhone) -> None:
    """The caller's stream has come along into the other call: its telephone need not be told."""
    await phone.expect_silence(0.5)


@scenario()
async def test_a_key_rings_whom_the_plan_says_and_the_caller_gets_who_answers(world: World) -> None:
    town, (alice, office) = await in_menu(world, "2010")
    assert town.spoken() == [PROMPT]
    town.press("1")
    invite = await office.expect("INVITE")
    office.reply(invite, 180)
    await world.sleep(2)
    office.answer(invite)
    await office.expect("ACK")
    await moved(alice)
    town.ladder.media("1001", "2010", "voices")
    await town.hang_up(alice, office)
    assert_golden("menu", town.ladder)
    written = await records(town)
    assert "dialled 8000 to accueil-vocal: transferred" in written
    assert "internal 1001 (Alice Martin) dialled 8000 to 2010: completed" in written


@scenario()
async def test_a_key_pressed_before_the_menu_speaks_counts(world: World) -> None:
    town = await start(world, PLAN)
    alice, office = await town.phones("1001", "2010")
    await alice.call("8000")
    response = await alice.expect(200)
    town.press("1")
    alice.ack(response)
    office.answer(await office.expect("INVITE"))
    await office.expect("ACK")
    await moved(alice)
    await town.hang_up(office, alice)


@scenario()
async def test_a_key_that_means_nothing_is_told_and_the_choices_come_again(world: World) -> None:
    town, (alice, _) = await in_menu(world, "2010")
    town.press("7")
    await world.sleep(0.1)
    assert town.spoken() == [PROMPT, "Ce choix n'existe pas."]
    town.finish_playing()
    await world.sleep(0.1)
    assert town.spoken()[2:] == [PROMPT]
    alice.bye()
    await alice.expect("200 BYE")
    assert "dialled 8000 to accueil-vocal: completed" in await records(town)


@scenario()
async def test_who_presses_nothing_goes_where_the_plan_sends_such_calls(world: World) -> None:
    town, (alice, bruno) = await in_menu(world, "1002")
    for _ in range(3):  # the prompt, and as often again as `retries` says
        town.finish_playing()
        await world.sleep(5.1)
    bruno.answer(await bruno.expect("INVITE"))
    await bruno.expect("ACK")
    await moved(alice)
    await town.hang_up(alice, bruno)
    assert "dialled 8000 to 1002: completed" in await records(town)


@scenario()
async def test_when_the_chosen_one_is_busy_the_caller_hears_so_and_goes_on(world: World) -> None:
    town, (alice, office, bruno) = await in_menu(world, "2010", "1002")
    town.press("1")
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    await world.sleep(0.1)
    assert town.spoken()[-1] == "Personne ne répond."
    town.finish_playing()
    bruno.answer(await bruno.expect("INVITE"))
    await bruno.expect("ACK")
    await moved(alice)
    await town.hang_up(bruno, alice)


@scenario()
async def test_nobody_anywhere_is_said_and_the_call_ends(world: World) -> None:
    town, (alice,) = await in_menu(world)
    town.press("1")
    await world.sleep(0.1)
    for words in ("Personne ne répond.", "Nous ne pouvons pas prendre votre appel. Au revoir."):
        assert town.spoken()[-1] == words
        town.finish_playing()
        await world.sleep(0.1)
    alice.reply(await alice.expect("BYE"), 200)
    assert "dialled 8000 to accueil-vocal: nobody answered" in await records(town)


@scenario()
async def test_a_caller_that_hangs_up_while_it_rings_stops_the_ringing(world: World) -> None:
    town, (alice, office) = await in_menu(world, "2010")
    town.press("1")
    invite = await office.expect("INVITE")
    office.reply(invite, 180)
    await world.sleep(1)
    alice.bye()
    office.reply(await office.expect("CANCEL"), 200)
    office.reply(invite, 487)
    await office.expect("ACK")
    await alice.expect("200 BYE")
    assert "dialled 8000 to 2010: cancelled" in await records(town)


@scenario()
async def test_a_caller_may_hold_and_resume_in_a_menu(world: World) -> None:
    """RFC 3264 section 8.4: its hold is answered, and the menu goes on."""
    town, (alice, office) = await in_menu(world, "2010")
    alice.send("INVITE", body=alice.sdp(direction="sendonly", version=2))
    held = await alice.expect(200)
    alice.ack(held)
    assert b"a=recvonly" in held.body
    alice.send("INVITE", body=alice.sdp(version=3))
    alice.ack(await alice.expect(200))
    town.press("1")
    office.answer(await office.expect("INVITE"))
    await office.expect("ACK")
    await moved(alice)
    await town.hang_up(alice, office)


@scenario()
async def test_a_caller_in_a_menu_when_beffroi_is_killed_hears_it_from_the_beginning(world: World) -> None:
    town, (alice, office) = await in_menu(world, "2010")
    await town.restart()
    await world.sleep(0.1)
    assert town.spoken() == [PROMPT]
    town.press("1")
    office.answer(await office.expect("INVITE"))
    await office.expect("ACK")
    await moved(alice)
    await town.hang_up(alice, office)
