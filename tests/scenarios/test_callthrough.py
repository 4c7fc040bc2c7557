"""A known mobile calls in, proves who it is by a PIN, and calls as its person; or is called back."""

from __future__ import annotations

import pytest

from dialplan.decision import Decision
from tests.scenarios.test_settings import played
from tests.scenarios.town import PLAN_TEXT, SECRETS, Town, TownPhone, start, tell
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

MOBILE = "+33612345699"
PUBLIC = "+33383001199"
PIN = "8027"
ASK = "Tapez votre code PIN, puis dièse."
NUMBER = "Composez votre numéro, puis dièse."
ALICE = "password: pw1001,"
PLAN = PLAN_TEXT.replace(ALICE, f'{ALICE} mobile: "{MOBILE}",')
BACK = PLAN.replace("type: callthrough}", "type: callthrough, call_back: true}")


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def test_the_plans_of_these_scenarios_are_what_they_say() -> None:
    assert f'public: "{PUBLIC}", type: callthrough' in PLAN
    assert "call_back: true}" in BACK
    assert MOBILE in PLAN


async def town_with(world: World, *users: str, plan: str = PLAN) -> tuple[Town, TownPhone, list[TownPhone]]:
    """The town, Alice's mobile at an operator's (a), and some telephones. Alice has a PIN."""
    town = await start(world, plan)
    mobile = town.operator("operateur-a")
    mobile.user = MOBILE
    phones = await town.phones(*users)
    town.exchange.pins.set("1001", PIN, "root")
    town.ladder.order("operateur-a", "Beffroi", *users)
    return town, mobile, phones


async def dial_in(town: Town, mobile: TownPhone, pin: str = PIN) -> None:
    """The mobile calls, is answered and enters a PIN; what is said then plays."""
    mobile.send("INVITE", PUBLIC, body=mobile.sdp())
    mobile.ack(await mobile.expect(200, passing_over=(100,)))
    await enter(town, pin)


async def enter(town: Town, digits: str) -> None:
    """Press keys at what plays now, and hash."""
    await town.world.sleep(0.3)
    ((call, leg),) = town.engine.playing
    town.engine.press(call, leg, digits + "#")
    await town.world.sleep(0.3)


@scenario()
async def test_with_a_pin_a_mobile_calls_as_its_person(world: World) -> None:
    town, mobile, (office,) = await town_with(world, "2010")
    await dial_in(town, mobile)
    assert played(town) == [ASK, NUMBER]
    await enter(town, "2010")
    invite = await office.expect("INVITE")
    assert '"Alice Martin" <sip:1001@valmont.example>' in invite.header("From")
    office.reply(invite, 180)
    office.answer(invite)
    await office.expect("ACK")
    await world.sleep(0.5)
    office.bye()
    mobile.reply(await mobile.expect("BYE"), 200)
    await office.expect("200 BYE")
    assert_golden("callthrough", town.ladder)
    await world.sleep(0.1)
    first, second = sorted(town.calls, key=lambda call: call.id)
    assert tell(first).startswith("inbound +33612345699 (Alice Martin) dialled")
    assert second.parents == (first.id,)
    assert tell(second).startswith("inbound 1001 (Alice Martin) dialled 2010 to 2010: completed")


@scenario()
async def test_it_calls_outside_by_the_rights_and_with_the_number_of_its_person(world: World) -> None:
    town, mobile, _ = await town_with(world)
    operator = town.operator("operateur-b")
    await dial_in(town, mobile)
    await enter(town, "0044207946095")
    assert played(town)[-1] == "Vous n'êtes pas autorisé à appeler ce numéro."
    town.finish_playing()
    await enter(town, "00698765432")
    invite = await operator.expect("INVITE")
    assert "sip:+33698765432@" in invite.first_line
    assert "+33383000100" in invite.header("From")
    operator.answer(invite)
    await operator.expect("ACK")
    await world.sleep(0.5)
    await town.hang_up(operator, mobile)


@scenario()
async def test_a_stranger_hears_that_it_is_not_for_them_and_is_not_answered(world: World) -> None:
    town, mobile, _ = await town_with(world)
    mobile.user = "+33698765432"
    mobile.send("INVITE", PUBLIC, body=mobile.sdp())
    await mobile.expect(183, passing_over=(100,))
    assert played(town) == ["Ce service est réservé aux téléphones mobiles des agents."]
    town.finish_playing()
    await mobile.expect(403)


@scenario()
async def test_an_extension_in_the_from_of_an_operator_is_nobodys_mobile(world: World) -> None:
    town, mobile, _ = await town_with(world)
    mobile.user = "1001"
    mobile.send("INVITE", PUBLIC, body=mobile.sdp())
    await mobile.expect(183, passing_over=(100,))
    town.finish_playing()
    await mobile.expect(403)


@scenario()
async def test_a_code_of_a_telephone_is_not_for_a_mobile(world: World) -> None:
    town, mobile, _ = await town_with(world)
    await dial_in(town, mobile)
    await enter(town, "*21*2020")
    assert played(town)[-1] == "Ce code ne peut pas être composé d'ici."
    assert town.exchange.settings.everybody() == []
    mobile.bye()
    await mobile.expect("200 BYE")


@scenario()
async def test_a_number_that_is_busy_is_said_and_another_may_be_dialled(world: World) -> None:
    town, mobile, (office,) = await town_with(world, "2010")
    await dial_in(town, mobile)
    await enter(town, "2010")
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    await world.sleep(0.2)
    assert played(town)[-1] == "Votre correspondant est occupé."
    town.finish_playing()
    await world.sleep(0.2)
    assert played(town)[-1] == NUMBER
    mobile.bye()
    await mobile.expect("200 BYE")


@scenario()
async def test_for_help_it_goes_through_with_its_place_assumed(world: World) -> None:
    town, mobile, _ = await town_with(world)
    await dial_in(town, mobile)
    await enter(town, "15")
    invite = await mobile.expect("INVITE")  # the same operator
    mobile.answer(invite)
    await mobile.expect("ACK")
    await world.sleep(0.2)
    places = [one.emergency.location.source for one in decisions(town) if one.emergency is not None]
    assert set(places) == {"assumed"}
    mobile.bye(invite)
    await mobile.expect_in_any_order("200 BYE", "BYE")
    await world.sleep(1)


def decisions(town: Town) -> list[Decision]:
    return [leg.call.decision for leg in town.exchange.legs()]


@scenario()
async def test_wrong_pins_count_over_calls_and_then_the_mobile_is_called_back(world: World) -> None:
    """Who shows somebody else's number hears no more, and locks nobody out: the true mobile rings."""
    town, mobile, _ = await town_with(world)
    for wrong in (("1111", "2222", "3333"), ("4444", "5555")):
        mobile.send("INVITE", PUBLIC, body=mobile.sdp())
        mobile.ack(await mobile.expect(200, passing_over=(100,)))
        for pin in wrong:
            await enter(town, pin)
            if played(town)[-1] == "Ce code n'est pas le bon.":
                town.finish_playing()
        await listen_to_the_end(town, mobile)
    assert town.exchange.pins.is_locked("callthrough 1001")
    town.ladder.clear()
    mobile.send("INVITE", PUBLIC, body=mobile.sdp())
    await mobile.expect(183, passing_over=(100,))
    assert played(town)[-1] == "Nous vous rappelons."
    town.finish_playing()
    await mobile.expect(480)
    operator = town.operator("operateur-b")  # by which mobiles are called
    await rung_back(town, operator)
    assert not town.exchange.pins.is_locked("callback 1001", "person 1001")
    operator.bye()
    await operator.expect("200 BYE")


async def listen_to_the_end(town: Town, phone: TownPhone) -> None:
    while town.engine.playing:
        town.finish_playing()
        await town.world.sleep(0.3)
    phone.reply(await phone.expect("BYE"), 200)


async def rung_back(town: Town, operator: TownPhone) -> None:
    """The mobile is rung from the number that was called, answers, and gives the PIN."""
    invite = await operator.expect("INVITE", within_seconds=6)
    assert f"sip:{MOBILE}@" in invite.first_line
    assert PUBLIC in invite.header("From")
    operator.answer(invite)
    await operator.expect("ACK")
    await enter(town, PIN)
    assert played(town)[-1] == NUMBER


@scenario()
async def test_called_back_a_mobile_pays_nothing_and_calls_as_its_person(world: World) -> None:
    town, mobile, (office,) = await town_with(world, "2010", plan=BACK)
    operator = town.operator("operateur-b")
    town.ladder.order("operateur-a", "operateur-b", "Beffroi", "2010")
    mobile.send("INVITE", PUBLIC, body=mobile.sdp())
    await mobile.expect(183, passing_over=(100,))
    town.finish_playing()
    await mobile.expect(480)
    await rung_back(town, operator)
    await enter(town, "2010")
    invite = await office.expect("INVITE")
    assert "<sip:1001@valmont.example>" in invite.header("From")
    office.answer(invite)
    await office.expect("ACK")
    await world.sleep(0.5)
    await town.hang_up(office, operator)
    assert_golden("call-back", town.ladder)


@scenario()
async def test_who_hangs_up_at_the_words_is_called_back_too(world: World) -> None:
    town, mobile, _ = await town_with(world, plan=BACK)
    operator = town.operator("operateur-b")
    invite = mobile.send("INVITE", PUBLIC, body=mobile.sdp())
    await mobile.expect(183, passing_over=(100,))
    mobile.cancel(invite)
    await mobile.expect_in_any_order("200 CANCEL", 487)
    operator.reply(await operator.expect("INVITE", within_seconds=6), 486)
    await operator.expect("ACK")


@scenario()
async def test_a_mobile_is_not_called_back_for_ever(world: World) -> None:
    """Somebody else may show its number: four calls in half an hour, and no more."""
    town, mobile, _ = await town_with(world, plan=BACK)
    operator = town.operator("operateur-b")
    for _ in range(4):
        mobile.send("INVITE", PUBLIC, body=mobile.sdp())
        await mobile.expect(183, passing_over=(100,))
        town.finish_playing()
        await mobile.expect(480)
        operator.reply(await operator.expect("INVITE", within_seconds=6), 486)
        await operator.expect("ACK")
    mobile.send("INVITE", PUBLIC, body=mobile.sdp())
    await mobile.expect(183, passing_over=(100,))
    town.finish_playing()
    await mobile.expect(480)
    await operator.expect_silence(10)
