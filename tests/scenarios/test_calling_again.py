"""The codes that call again: `*66` the number dialled last, `*69` whoever called last."""

from __future__ import annotations

import pytest

from tests.scenarios.test_settings import answered_by, dial, town_with
from tests.scenarios.town import SECRETS, Town, TownPhone
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


async def busy(caller: TownPhone, callee: TownPhone, number: str = "") -> None:
    await caller.call(number or callee.user)
    callee.reply(await callee.expect("INVITE"), 486)
    await callee.expect("ACK")
    await caller.expect(486)


async def code(town: Town, phone: TownPhone, keys: str) -> str:
    """Dial a code, which is answered; what it says first."""
    before = len(town.spoken())
    await phone.call(keys)
    phone.ack(await phone.expect(200))
    await town.world.sleep(0.2)
    return town.spoken()[before:][-1]


async def connected(town: Town, caller: TownPhone, callee: TownPhone) -> None:
    """Who is called by the code answers; the caller, who was answered before, hangs up after it."""
    callee.answer(await callee.expect("INVITE"))
    await callee.expect("ACK")
    await town.world.sleep(0.5)
    await town.hang_up(caller, callee)


def press(town: Town, key: str) -> None:
    """The caller of the call that plays presses a key."""
    ((call, leg),) = town.engine.playing
    town.engine.press(call, leg, key)


@scenario()
async def test_redial_says_the_number_and_calls_it(world: World) -> None:
    town, (alice, office) = await town_with(world, "1001", "2010")
    await busy(alice, office)
    town.ladder.clear()
    assert await code(town, alice, "*66") == "Appel du 20 10."
    town.finish_playing()
    await connected(town, alice, office)
    assert_golden("redial", town.ladder)


@scenario()
async def test_redial_goes_out_with_the_rights_of_who_dials(world: World) -> None:
    town, (alice,) = await town_with(world, "1001")
    b = town.operator("operateur-b")
    await alice.call("00612345678")
    b.reply(await b.expect("INVITE"), 486)
    await b.expect("ACK")
    await alice.expect(486)
    assert await code(town, alice, "*66") == "Appel du 06 12 34 56 78."
    town.finish_playing()
    await connected(town, alice, b)


@scenario()
async def test_who_has_called_nobody_hears_so(world: World) -> None:
    town, (alice,) = await town_with(world, "1001")
    assert await dial(town, alice, "*66") == ["tone", "Vous n'avez encore appelé personne."]
    assert await dial(town, alice, "*69") == ["tone", "Personne ne vous a encore appelé."]


@scenario()
async def test_a_number_for_help_is_not_called_again_by_code(world: World) -> None:
    town, (office,) = await town_with(world, "2010")
    a = town.operator("operateur-a")
    office.invite("18")
    a.answer(await a.expect("INVITE"))
    await a.expect("ACK")
    office.ack(await office.expect(200))
    await town.hang_up(office, a)
    assert await dial(town, office, "*66") == ["tone", "Vous n'avez encore appelé personne."]


@scenario()
async def test_a_redialled_number_that_is_busy_again_is_told(world: World) -> None:
    town, (alice, office) = await town_with(world, "1001", "2010")
    await busy(alice, office)
    await code(town, alice, "*66")
    town.finish_playing()
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    await world.sleep(0.2)
    assert town.spoken()[-1] == "Votre correspondant est occupé."
    town.finish_playing()
    alice.reply(await alice.expect("BYE"), 200)


@scenario()
async def test_a_missed_call_is_told_and_called_back_by_a_key(world: World) -> None:
    town, (alice, office) = await town_with(world, "1001", "2010")
    await busy(alice, office)
    town.ladder.clear()
    said = await code(town, office, "*69")
    assert said.startswith("Appel manqué : le 10 01, à ")
    assert said.endswith(". Pour rappeler, tapez 1.")
    press(town, "1")
    await connected(town, office, alice)
    assert_golden("last-caller", town.ladder)


@scenario()
async def test_without_the_key_nobody_is_called(world: World) -> None:
    town, (alice, office) = await town_with(world, "1001", "2010")
    await busy(alice, office)
    await code(town, office, "*69")
    town.finish_playing()
    await world.sleep(6)
    office.reply(await office.expect("BYE"), 200)
    await alice.expect_silence(1)


@scenario()
async def test_a_call_that_was_answered_is_told_as_such(world: World) -> None:
    town, (alice, office) = await town_with(world, "1001", "2010")
    await alice.call("2010")
    await answered_by(town, alice, office)
    assert (await code(town, office, "*69")).startswith("Dernier appel reçu : le 10 01")
    office.bye()
    await office.expect("200 BYE")


@scenario()
async def test_who_had_no_phone_connected_still_learns_who_called(world: World) -> None:
    town, (alice, office) = await town_with(world, "1001", "2010")
    await office.register(expires_seconds=0)
    await alice.call("2010")
    await town.refused(alice, 480)
    await office.register()
    assert (await code(town, office, "*69")).startswith("Appel manqué : le 10 01")
    office.bye()
    await office.expect("200 BYE")


@pytest.mark.parametrize(
    "headers",
    [
        {"P-Asserted-Identity": "<sip:+33601020304@op.example>", "Privacy": "id"},
        {"From": "<sip:anonymous@anonymous.invalid>;tag=a"},
    ],
)
@scenario()
async def test_a_caller_who_hides_is_not_told(world: World, headers: dict[str, str]) -> None:
    """RFC 3323 section 4.2."""
    town, (office,) = await town_with(world, "2010")
    a = town.operator("operateur-a")
    a.headers.update(headers)
    a.invite("+33383001010")
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    await a.expect(486)
    assert await dial(town, office, "*69") == ["tone", "Le dernier appel ne montrait pas son numéro."]


@scenario()
async def test_an_outside_caller_that_shows_a_number_for_help_is_not_called_back(world: World) -> None:
    town, (office,) = await town_with(world, "2010")
    a = town.operator("operateur-a")
    a.headers.update({"P-Asserted-Identity": "<sip:18@op.example>", "From": "<sip:18@op.example>;tag=x"})
    a.invite("+33383001010")
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    await a.expect(486)
    a.headers.clear()
    await code(town, office, "*69")
    press(town, "1")
    await world.sleep(0.2)
    assert town.spoken()[-1] == "Ce numéro n'existe pas."
    town.finish_playing()
    office.reply(await office.expect("BYE"), 200)
    await a.expect_silence(1)


@scenario()
async def test_a_call_that_somebody_else_answered_is_not_missed(world: World) -> None:
    town, (alice, fire, other) = await town_with(world, "1001", "2201", "2202")
    await alice.call("8200")
    first, second = await fire.expect("INVITE"), await other.expect("INVITE")
    other.reply(second, 180)
    await alice.expect(180)
    fire.answer(first)
    await fire.expect("ACK")
    other.reply(await other.expect("CANCEL"), 200)
    other.reply(second, 487)
    await other.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, fire)
    assert await dial(town, other, "*69") == ["tone", "Personne ne vous a encore appelé."]
