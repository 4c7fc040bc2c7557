"""Toll fraud: outside calls are authenticated, counted, refused and cut off; emergency calls never."""

from __future__ import annotations

import pytest

from pbx.cli.reading import read_configuration
from pbx.defence.spending import KeptSpending, Spending
from pbx.events import BudgetSpent
from pbx.kept import read_kept, write_kept
from tests.cli.conftest import Town as CommandTown
from tests.cli.conftest import town as town
from tests.scenarios.offers import assert_speak, operator_party, party
from tests.scenarios.test_attended_transfers import replaces
from tests.scenarios.town import PLAN_TEXT, Town, TownPhone, start
from tests.sim.world import World, scenario

MOBILE = "0612345678"


async def with_budget(world: World, *lines: str) -> tuple[Town, TownPhone, TownPhone, list[BudgetSpent]]:
    """The town with these budgets, a telephone of the town hall, operator b, and the events told."""
    budgets = "budgets:\n" + "".join(f"  - {line}\n" for line in lines)
    town = await start(world, PLAN_TEXT.replace("schedules:\n", f"{budgets}\nschedules:\n", 1))
    told: list[BudgetSpent] = []
    town.exchange.events.subscribe(told.append, BudgetSpent)
    (phone,) = await town.phones("2010")
    return town, phone, town.operator("operateur-b"), told


async def refused_by_budget(town: Town, phone: TownPhone, number: str = MOBILE) -> None:
    """The caller hears why and the call ends."""
    await phone.call(number)
    await phone.expect(183)
    town.finish_playing()
    await phone.expect(403)


@scenario()
async def test_an_outside_call_without_credentials_is_challenged_even_on_a_site(world: World) -> None:
    town = await start(world)
    phone = town.phone("2010")
    phone.invite(MOBILE)
    await phone.expect(401)
    assert town.calls == []


@scenario()
async def test_a_trunk_brings_no_call_to_an_outside_number(world: World) -> None:
    town = await start(world)
    operator = town.operator("operateur-a")
    operator.server = ("10.54.0.10", 5060)
    operator.uri = "sip:+33612345678@valmont.example"
    operator.invite("+33612345678")
    await world.sleep(0.1)
    assert "Ce numéro n'existe pas." in town.spoken()
    town.finish_playing()
    await operator.expect(183)
    await operator.expect(404)


@scenario()
async def test_the_call_after_the_last_one_of_a_budget_is_refused_and_told(world: World) -> None:
    town, phone, operator, told = await with_budget(world, "{each: user, calls: 2, per: hour}")
    for _ in range(2):
        await town.talk_outside(phone, MOBILE, operator)
        await town.hang_up(phone, operator)
    await refused_by_budget(town, phone)
    assert town.spoken() == ["Le plafond des appels extérieurs est atteint."]
    assert [(one.user, one.why) for one in told] == [("2010", "2010 has made 2 of 2 calls in this hour")]
    assert town.calls[-1].cause == "rejected: budget"


@scenario()
async def test_another_user_has_a_budget_of_their_own(world: World) -> None:
    town, phone, operator, _ = await with_budget(world, "{each: user, calls: 1, per: hour}")
    (other,) = await town.phones("2020")
    for caller in (phone, other):
        await town.talk_outside(caller, MOBILE, operator)
        await town.hang_up(caller, operator)
    await refused_by_budget(town, phone)


@scenario()
async def test_the_next_hour_has_a_new_budget(world: World) -> None:
    town, phone, operator, _ = await with_budget(world, "{each: user, calls: 1, per: hour}")
    await town.talk_outside(phone, MOBILE, operator)
    await town.hang_up(phone, operator)
    await world.sleep(3000)  # registered for an hour
    await refused_by_budget(town, phone)
    await world.sleep(601)
    await phone.register()
    await town.talk_outside(phone, MOBILE, operator)
    await town.hang_up(phone, operator)


@scenario()
async def test_an_emergency_call_goes_out_whatever_was_spent(world: World) -> None:
    """Design, promise 3."""
    town, phone, _, told = await with_budget(
        world, "{each: all, calls: 0, minutes: 0, per: day}", "{each: trunk, calls: 0, per: hour}"
    )
    operator = town.operator("operateur-a")
    await refused_by_budget(town, phone)
    phone.invite("18")
    operator.answer(await operator.expect("INVITE"))
    await operator.expect("ACK")
    phone.ack(await phone.expect(200))
    await world.sleep(7200)
    town.exchange.cut_off()
    await town.hang_up(phone, operator)
    assert len(told) == 1
    assert len(town.exchange.spending) == 0


@scenario()
async def test_minutes_count_while_they_are_spoken_and_end_the_call(world: World) -> None:
    town, phone, operator, told = await with_budget(world, "{each: user, minutes: 10, per: day}")
    await town.talk_outside(phone, MOBILE, operator)
    await world.sleep(590)
    town.exchange.cut_off()
    await phone.expect_silence(1)
    await world.sleep(10)
    town.exchange.cut_off()
    phone.reply(await phone.expect("BYE"), 200)
    operator.reply(await operator.expect("BYE"), 200)
    await world.sleep(1)
    assert town.calls[-1].cause == "budget spent"
    assert [one.why for one in told] == ["budget user/outside/day: 2010 has spoken 10 minutes"]
    await refused_by_budget(town, phone)


@scenario()
async def test_many_calls_at_once_spend_together(world: World) -> None:
    town, phone, operator, _ = await with_budget(world, "{each: all, minutes: 10, per: day}")
    await town.talk_outside(phone, MOBILE, operator)
    (other,) = await town.phones("2020")
    await town.talk_outside(other, MOBILE, operator)
    await world.sleep(301)
    assert len(town.exchange.spending.overdrawn()) == 2
    await town.hang_up(phone, operator)
    await town.hang_up(other, operator)


@scenario()
async def test_a_restart_forgets_nothing_of_what_was_spent(world: World) -> None:
    town, phone, operator, _ = await with_budget(world, "{each: user, calls: 1, minutes: 60, per: hour}")
    await town.talk_outside(phone, MOBILE, operator)
    await world.sleep(120)
    await town.hang_up(phone, operator)
    await world.sleep(0.1)
    kept = town.exchange.spending.kept()
    again = Spending(town.exchange.clock, kept)
    (budget,) = town.exchange.plan.budgets
    calls, minutes = again.spent(budget, "2010", "2026-11-23T10")
    assert calls == 1
    assert 2.0 <= minutes < 2.1


@scenario()
async def test_windows_of_former_days_are_forgotten(world: World) -> None:
    town, phone, operator, _ = await with_budget(world, "{each: user, calls: 9, per: hour}")
    await town.talk_outside(phone, MOBILE, operator)
    await town.hang_up(phone, operator)
    assert len(town.exchange.spending.kept().counts) == 1
    await world.sleep(3 * 86_400)
    assert town.exchange.spending.kept().counts == {}


@scenario()
async def test_a_plan_without_budgets_counts_nothing(world: World) -> None:
    town = await start(world)
    (phone,) = await town.phones("2010")
    operator = town.operator("operateur-b")
    await town.talk_outside(phone, MOBILE, operator)
    assert len(town.exchange.spending) == 0
    await town.hang_up(phone, operator)


def test_explain_tells_what_the_node_has_written_down(town: CommandTown) -> None:
    town.change_plan("schedules:\n", "budgets:\n  - {each: user, calls: 1, per: day}\nschedules:\n")
    asked = ("plan", "explain", MOBILE, "--from", "2010", "--at", "2026-11-23 10:00")
    assert "refused" not in town.run(*asked).out
    settings = read_configuration(town.configuration_file)
    write_kept(settings.spending_file, KeptSpending(counts={"user/outside/day 2010 2026-11-23": (1, 3.0)}))
    assert read_kept(settings.spending_file, KeptSpending).counts
    said = town.run(*asked).out
    assert f"plan.yaml:{town.line_of('each: user')}" in said
    assert "2010 has made 1 of 1 calls in this day" in said
    assert "=> refused: budget (403)" in said


@pytest.mark.parametrize("attended", [False, True])
@scenario()
async def test_an_outside_call_is_cut_off_after_it_was_transferred_too(world: World, attended: bool) -> None:
    """Its minutes stay on the budget of who made it; nobody who stays in it makes them free."""
    budgets = "budgets:\n  - {each: user, minutes: 10, per: day}\n"
    town = await start(world, PLAN_TEXT.replace("schedules:\n", f"{budgets}\nschedules:\n", 1))
    phone, other = await party(town, "2010"), await party(town, "2020")
    operator = operator_party(town, "operateur-b")
    talk = phone.dial(MOBILE)
    await world.sleep(300)
    if attended:
        second = phone.dial("2020")
        await world.sleep(1)
        phone.refer(talk, replaces(phone, second))
    else:
        phone.refer(talk, "sip:2020@valmont.example")
    await world.sleep(4)
    assert_speak(town, operator, other)
    await world.sleep(200)
    town.exchange.cut_off()
    await world.sleep(1)
    assert operator.talking
    await world.sleep(110)
    town.exchange.cut_off()
    await world.sleep(1)
    assert not operator.talking
    assert not other.talking
    assert town.calls[-1].cause == "budget spent"
