"""A call that goes on elsewhere: from the desk to the mobile and back; the other side stays where it is."""

from __future__ import annotations

import pytest

from pbx.api.calls import CallApi
from tests.scenarios.offers import assert_speak, connected, operator_party, party
from tests.scenarios.party import Party, Talk
from tests.scenarios.test_callthrough import MOBILE, PIN, PLAN, PUBLIC, enter
from tests.scenarios.town import SECRETS, Town, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

ASKED = "Un appel pour Alice Martin. Pour le prendre, tapez 1."


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


class Move:
    """Alice (1001) at her desk speaks with 2010; her mobile is behind an operator, her application beside."""

    def __init__(self, town: Town, alice: Party, chloe: Party, mobile: Party) -> None:
        self.town, self.alice, self.chloe, self.mobile = town, alice, chloe, mobile
        self.alices: Talk
        self.chloes: Talk

    @property
    def invites_of_chloe(self) -> int:
        """How often the other side was asked for anything since it answered."""
        return self.chloes.got.count("INVITE")

    async def press_one(self) -> None:
        """Whoever was asked for a key presses it."""
        await self.town.world.sleep(0.5)
        ((call, leg),) = [
            where for where, source in self.town.engine.playing.items() if "tapez 1" in str(source)
        ]
        self.town.engine.press(call, leg, "1")
        await self.town.world.sleep(1)

    async def end(self) -> None:
        """Chloé hangs up, and nobody is left."""
        for talk in self.chloe.talking:
            self.chloe.leave(talk)
        await self.town.world.sleep(1)
        for one in (self.alice, self.mobile):
            assert one.talking == []


async def moving(world: World) -> Move:
    town = await start(world, PLAN)
    town.exchange.pins.set("1001", PIN, "root")
    alice, chloe = await party(town, "1001"), await party(town, "2010")
    us = Move(town, alice, chloe, operator_party(town, "operateur-b"))
    us.alices, us.chloes = await connected(town, alice, chloe)
    town.ladder.clear()
    town.ladder.order("2010", "Beffroi", "1001", "operateur-b")
    return us


@scenario()
async def test_transferred_to_the_code_a_call_goes_on_on_the_mobile(world: World) -> None:
    us = await moving(world)
    us.alice.refer(us.alices, "sip:*56@valmont.example")
    await us.press_one()
    assert ASKED in us.town.spoken()
    assert us.alices.fragments[-1] == "200"
    assert_speak(us.town, us.chloe, us.mobile)
    await world.sleep(2)
    assert us.alices.over
    assert not us.chloes.over
    assert_golden("move-to-mobile", us.town.ladder)
    await us.end()
    first, second = us.town.calls
    assert second.parents == (first.id,)
    assert second.legs[1].number == MOBILE


@scenario()
async def test_an_operators_voicemail_does_not_get_the_call_that_is_moved(world: World) -> None:
    us = await moving(world)
    us.alice.refer(us.alices, "sip:*56@valmont.example")
    await world.sleep(25)  # no key is pressed
    assert us.alices.fragments[-1] == "480"
    assert_speak(us.town, us.alice, us.chloe)
    await us.end()


@scenario()
async def test_the_desk_takes_the_call_back_from_the_mobile(world: World) -> None:
    us = await moving(world)
    us.alice.refer(us.alices, "sip:*56@valmont.example")
    await us.press_one()
    await world.sleep(3)
    us.town.ladder.clear()
    us.alice.dial("*55")
    await world.sleep(2)
    assert_speak(us.town, us.alice, us.chloe)
    assert us.mobile.talking == []
    assert not us.chloes.over
    assert_golden("move-to-desk", us.town.ladder)
    await us.end()
    assert [call.cause for call in us.town.calls] == ["transferred", "replaced", "completed"]
    assert us.town.calls[2].parents == (us.town.calls[1].id,)


@scenario()
async def test_from_the_desk_to_the_mobile_by_call_through_nobody_hears_ringing(world: World) -> None:
    us = await moving(world)
    us.mobile.user = MOBILE
    talk = us.mobile.dial(PUBLIC)
    await world.sleep(1)
    await enter(us.town, PIN)
    await enter(us.town, "*55")
    await world.sleep(2)
    assert_speak(us.town, us.chloe, us.mobile)
    assert us.alices.over
    assert not us.chloes.over
    assert (
        us.town.spoken()[-1] == "Composez votre numéro, puis dièse."
    )  # the other side heard no word of ours
    assert_golden("move-by-callthrough", us.town.ladder)
    us.town.ladder.clear()
    us.alice.dial("*55")
    await world.sleep(2)
    assert_speak(us.town, us.alice, us.chloe)
    assert talk.over
    await us.end()


@scenario()
async def test_another_telephone_of_the_person_takes_the_call(world: World) -> None:
    us = await moving(world)
    app = await party(us.town, "1001-app")
    app.dial("*55")
    await world.sleep(2)
    assert_speak(us.town, app, us.chloe)
    assert us.alices.over
    await us.end()


@scenario()
async def test_somebody_else_takes_nothing(world: World) -> None:
    us = await moving(world)
    bruno = await party(us.town, "1002")
    talk = bruno.dial("*55")
    await world.sleep(1)
    assert us.town.spoken()[-1] == "Vous n'êtes en communication sur aucun autre téléphone."
    us.town.finish_playing()
    await world.sleep(1)
    assert talk.over
    assert_speak(us.town, us.alice, us.chloe)
    await us.end()


@scenario()
async def test_a_call_for_help_stays_where_it_was_made(world: World) -> None:
    town = await start(world, PLAN)
    alice, app = await party(town, "1001"), await party(town, "1001-app")
    operator_party(town, "operateur-a")
    talk = alice.dial("15")
    await world.sleep(1)
    assert talk.established
    app.dial("*55")
    await world.sleep(1)
    assert town.spoken()[-1] == "Vous n'êtes en communication sur aucun autre téléphone."
    town.finish_playing()
    assert not talk.over
    alice.leave(talk)
    await world.sleep(1)


@scenario()
async def test_a_party_that_is_transferred_to_the_code_takes_nothing(world: World) -> None:
    us = await moving(world)
    bruno = await party(us.town, "1002")
    dora = await party(us.town, "2020")
    brunos, _ = await connected(us.town, bruno, dora)
    bruno.refer(brunos, "sip:*55@valmont.example")
    await world.sleep(2)
    assert brunos.fragments[-1] == "403"
    assert_speak(us.town, us.alice, us.chloe)
    bruno.leave(brunos)
    await us.end()


@scenario()
async def test_a_call_that_was_moved_outlives_a_kill_and_can_be_taken_back(world: World) -> None:
    us = await moving(world)
    us.alice.refer(us.alices, "sip:*56@valmont.example")
    await us.press_one()
    await world.sleep(3)
    await us.town.restart()
    await us.town.exchange.trunks.resolve()
    us.alice.dial("*55")
    await world.sleep(2)
    assert us.mobile.talking == []
    assert len(us.alice.talking) == 1
    await us.end()


@scenario()
async def test_who_has_no_mobile_keeps_the_call(world: World) -> None:
    town = await start(world, PLAN.replace(f'mobile: "{MOBILE}",', ""))
    alice, chloe = await party(town, "1001"), await party(town, "2010")
    alices, _ = await connected(town, alice, chloe)
    alice.refer(alices, "sip:*56@valmont.example")
    await world.sleep(2)
    assert alices.fragments[-1] == "480"
    assert_speak(town, alice, chloe)
    alice.leave(alices)
    await world.sleep(1)


# By the call API, as pages and commands do


@scenario()
async def test_a_page_moves_the_call_to_the_mobile(world: World) -> None:
    us = await moving(world)
    done = await CallApi(us.town.exchange).transfer("1001", "*56")
    assert done.state == "rings"
    await us.press_one()
    assert_speak(us.town, us.chloe, us.mobile)
    await world.sleep(2)
    await us.end()


@scenario()
async def test_a_page_takes_the_call_back_to_the_desk(world: World) -> None:
    us = await moving(world)
    us.alice.refer(us.alices, "sip:*56@valmont.example")
    await us.press_one()
    await world.sleep(3)
    await CallApi(us.town.exchange).originate("1001", "*55")
    await world.sleep(3)
    assert_speak(us.town, us.alice, us.chloe)
    assert us.mobile.talking == []
    await us.end()
