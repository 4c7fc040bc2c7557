"""Hotlines: astreinte of the sample plan (8100) rings the patrol, then 2301 and a mobile that confirms."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbx.events import AlarmRaised
from pbx.plans.rota import Rotas
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


ROTA = b"""BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//test//\r
BEGIN:VEVENT\r
UID:1\r
DTSTART;TZID=Europe/Paris:20261123T080000\r
DTEND;TZID=Europe/Paris:20261123T180000\r
SUMMARY:Patrouille 2\r
END:VEVENT\r
END:VCALENDAR\r
"""
STEP = "{ring: {group: patrouille}, seconds: 20}"


async def with_rota(world: World, folder: Path, rota: bytes) -> Town:
    """The first step rings whoever is on call."""
    assert STEP in PLAN_TEXT
    town = await start(world, PLAN_TEXT.replace(STEP, "{rota: astreinte.ics, seconds: 20}"))
    (folder / "astreinte.ics").write_bytes(rota)
    town.exchange.rotas = Rotas(folder)
    assert town.exchange.rotas.refresh(town.exchange.plan, world.wall().timestamp()) == {}
    return town


@scenario()
async def test_who_is_on_call_by_the_rota_rings_first(world: World, tmp_path: Path) -> None:
    town = await with_rota(world, tmp_path, ROTA)
    alice, one, on_call = await town.phones("1001", "2301", "2302")
    town.ladder.order("1001", "Beffroi", "2301", "2302")
    await alice.call("8100")
    on_call.answer(await on_call.expect("INVITE"))
    await on_call.expect("ACK")
    alice.ack(await alice.expect(200))
    await one.expect_silence(1)
    await town.hang_up(alice, on_call)
    assert_golden("hotline-rota", town.ladder)


@scenario()
async def test_when_nobody_is_on_call_the_next_step_is_taken_at_once(world: World, tmp_path: Path) -> None:
    town = await with_rota(world, tmp_path, ROTA.replace(b"20261123", b"20261124"))
    alice, patrol = await town.phones("1001", "2301")
    await alice.call("8100")
    invite = await patrol.expect("INVITE", within_seconds=1)
    patrol.reply(invite, 180)
    await alice.expect(180)
    alice.cancel(alice.last_invite)
    cancel = await patrol.expect("CANCEL")
    patrol.reply(cancel, 200)
    patrol.reply(invite, 487)
    await patrol.expect("ACK")
    await alice.expect_in_any_order("200 CANCEL", "487 INVITE")


@scenario()
async def test_a_step_that_raises_an_alarm_tells_it_and_the_call_goes_on(world: World) -> None:
    steps = PLAN_TEXT.index("      - {ring: {group: patrouille}"), PLAN_TEXT.index("      - {alarm: police")
    town = await start(world, PLAN_TEXT[: steps[0]] + PLAN_TEXT[steps[1] :])
    raised: list[AlarmRaised] = []
    town.exchange.events.subscribe(raised.append, AlarmRaised)
    alice, guard = await town.phones("1001", "2201")
    await alice.call("8100")
    guard.answer(await guard.expect("INVITE"))
    await guard.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, guard)
    assert [(one.alarm, one.service) for one in raised] == [("police-renfort", "astreinte")]
