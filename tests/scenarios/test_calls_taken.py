"""Which calls somebody takes, by code or plan: none of callers who hide, no second one during a call."""

from __future__ import annotations

import pytest

from tests.scenarios.test_settings import answered_by, dial, town_with
from tests.scenarios.town import PLAN_TEXT, SECRETS, Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

REFUSED = "Les appels anonymes ne sont pas acceptés. Rappelez en montrant votre numéro."
HIDES = {"P-Asserted-Identity": "<sip:+33601020304@sip.operateur-a.example>", "Privacy": "id"}
OFFICE = 'extension: "2010", name: État civil,'


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


async def refused(town: Town, caller: TownPhone, status: int) -> None:
    """The caller hears why, before the answer, and is refused."""
    await caller.expect(183)
    await town.world.sleep(1)
    assert town.spoken()[-1] == REFUSED
    town.finish_playing()
    await caller.expect(status)


# Anonymous rejection


@scenario()
async def test_a_caller_who_hides_is_refused_and_told_why(world: World) -> None:
    """RFC 5079 section 4: 433."""
    town, (office,) = await town_with(world, "2010")
    a = town.operator("operateur-a")
    assert await dial(town, office, "*77") == ["Les appels anonymes sont refusés."]
    town.ladder.clear()
    town.ladder.order("operateur-a", "Beffroi", "2010")
    a.headers.update(HIDES)
    a.invite("+33383001010")
    await refused(town, a, 433)
    await office.expect_silence(1)
    assert_golden("anonymous-refused", town.ladder)
    assert await dial(town, office, "#77#") == ["Les appels anonymes sont acceptés."]
    a.invite("+33383001010")
    await answered_by(town, a, office)


@scenario()
async def test_a_caller_who_shows_a_number_rings_all_the_same(world: World) -> None:
    town, (office,) = await town_with(world, "2010")
    a = town.operator("operateur-a")
    await dial(town, office, "*77")
    a.invite("+33383001010")
    await answered_by(town, a, office)


@scenario()
async def test_a_colleague_who_hides_is_refused_as_well(world: World) -> None:
    """RFC 3323 section 4.2, RFC 5079 section 4."""
    town, (office, alice) = await town_with(world, "2010", "1001")
    town.exchange.settings.switch("2010", "anonymous_rejection", True, "2010")
    await town.call_with(alice, "2010", {"Privacy": "id"})
    await refused(town, alice, 433)
    alice.headers.clear()
    await alice.call("2010")
    await answered_by(town, alice, office)


@scenario()
async def test_refusing_anonymous_calls_goes_before_forwards(world: World) -> None:
    town, (office, neighbour) = await town_with(world, "2010", "2020")
    a = town.operator("operateur-a")
    await dial(town, office, "*21*2020")
    await dial(town, office, "*77")
    a.headers.update(HIDES)
    a.invite("+33383001010")
    await refused(town, a, 433)
    await neighbour.expect_silence(1)


@scenario()
async def test_an_emergency_call_back_without_a_number_is_never_refused(world: World) -> None:
    town, (office,) = await town_with(world, "2010")
    a = town.operator("operateur-a")
    await dial(town, office, "*77")
    office.invite("18")
    a.answer(await a.expect("INVITE"))
    await a.expect("ACK")
    office.ack(await office.expect(200))
    await town.hang_up(office, a)
    a.headers.update(HIDES)
    a.invite("+33383001010")
    await answered_by(town, a, office)


@scenario()
async def test_the_plan_refuses_anonymous_calls_until_the_code_says_otherwise(world: World) -> None:
    assert PLAN_TEXT.count(OFFICE) == 1
    town = await start(world, PLAN_TEXT.replace(OFFICE, f"{OFFICE} anonymous: reject,"))
    (office,) = await town.phones("2010")
    a = town.operator("operateur-a")
    a.headers.update(HIDES)
    a.invite("+33383001010")
    await refused(town, a, 433)
    await dial(town, office, "#77#")
    a.invite("+33383001010")
    await answered_by(town, a, office)


# Call waiting


async def busy(caller: TownPhone, number: str) -> None:
    await caller.call(number)
    await caller.expect(486)


@scenario()
async def test_without_call_waiting_who_speaks_is_busy(world: World) -> None:
    town, (office, alice, neighbour) = await town_with(world, "2010", "1001", "2020")
    assert await dial(town, office, "#43#") == ["Pendant que vous parlez, vous êtes occupé pour les autres."]
    await town.talk(alice, office)
    town.ladder.clear()
    await busy(neighbour, "2010")
    await office.expect_silence(1)
    assert_golden("no-call-waiting", town.ladder)
    await town.hang_up(alice, office)
    await neighbour.call("2010")
    await answered_by(town, neighbour, office)


@scenario()
async def test_with_call_waiting_a_second_call_rings(world: World) -> None:
    town, (office, alice, neighbour) = await town_with(world, "2010", "1001", "2020")
    await dial(town, office, "#43#")
    assert await dial(town, office, "*43") == ["Un deuxième appel sonne pendant que vous parlez."]
    await town.talk(alice, office)
    await neighbour.call("2010")
    second = await office.expect("INVITE")
    office.reply(second, 180)
    await neighbour.expect(180)
    office.reply(second, 486)
    await office.expect("ACK")
    await neighbour.expect(486)
    await town.hang_up(alice, office)


@scenario()
async def test_without_call_waiting_a_second_call_goes_where_busy_ones_go(world: World) -> None:
    town, (office, alice, neighbour, bruno) = await town_with(world, "2010", "1001", "2020", "1002")
    await dial(town, office, "#43#")
    await dial(town, office, "*67*2020")
    await town.talk(alice, office)
    await bruno.call("2010")
    await answered_by(town, bruno, neighbour)
    await town.hang_up(alice, office)


@scenario()
async def test_who_calls_their_own_other_phone_is_not_busy_by_that_call(world: World) -> None:
    town, (alice, app) = await town_with(world, "1001", "1001-app")
    town.exchange.settings.switch("1001", "call_waiting", False, "1001")
    await alice.call("1001")
    await answered_by(town, alice, app)


@scenario()
async def test_the_plan_may_do_without_call_waiting(world: World) -> None:
    town = await start(world, PLAN_TEXT.replace(OFFICE, f"{OFFICE} call_waiting: false,"))
    office, alice, neighbour = await town.phones("2010", "1001", "2020")
    await town.talk(alice, office)
    await busy(neighbour, "2010")
    await town.hang_up(alice, office)
