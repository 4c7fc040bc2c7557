"""What those who wait are told, where they go when nobody takes them, and the call-back.

standard of the sample plan (9), whose callers go to 2401 after two minutes here.
"""

from __future__ import annotations

import pytest

from pbx.queues.place import Place
from tests.scenarios.offers import assert_speak, party
from tests.scenarios.party import Party, Talk
from tests.scenarios.test_hotlines import press
from tests.scenarios.test_menus import records
from tests.scenarios.test_queue_turns import joins, occupied, plan_with, served
from tests.scenarios.test_queues import PLAN, greet, opened, rings
from tests.scenarios.town import Town
from tests.sim.ladder import assert_golden
from tests.sim.world import World, run, scenario

ANNOUNCE = "announce: {position: true, every_seconds: 30}"


def replaced(old: str, new: str) -> str:
    assert old in PLAN
    return PLAN.replace(old, new)


async def one_waits(world: World, plan: str, caller: str = "2010") -> tuple[Town, Party, Party, Talk, Talk]:
    """An agent is busy, a caller waits: the town, the two, the agent's talk, the caller's."""
    town, (one, agent) = await opened(world, caller, "1001", plan=plan)
    (busy,) = await occupied(town, agent)
    talk = await joins(town, one)
    return town, one, agent, busy, talk


@scenario()
async def test_a_queue_that_is_full_lets_nobody_wait(world: World) -> None:
    plan = replaced("{after_seconds: 120,", "{callers: 1, after_seconds: 120,")
    town, first, agent, busy, talk = await one_waits(world, plan)
    second, elsewhere = await party(town, "2020"), await party(town, "2401")
    town.ladder.clear()
    town.ladder.order("2020", "Beffroi", "2401")
    other = second.dial("9")
    await world.sleep(1)
    assert_speak(town, second, elsewhere)
    assert_golden("queue-full", town.ladder)
    for one, its in ((second, other), (first, talk), (agent, busy)):
        one.leave(its)
    await world.sleep(0.5)


@scenario()
async def test_where_nobody_is_there_the_plan_has_its_own_destination(world: World) -> None:
    plan = plan_with("when_nobody: {to: '2020'}")
    town, (caller, elsewhere) = await opened(world, "2010", "2020", plan=plan)
    town.ladder.order("2010", "Beffroi", "2020")
    talk = await joins(town, caller)
    await world.sleep(0.5)
    assert_speak(town, caller, elsewhere)
    assert_golden("queue-nobody", town.ladder)
    caller.leave(talk)
    await world.sleep(0.5)


@scenario()
async def test_where_the_first_destination_does_not_answer_the_next_one_is_tried(world: World) -> None:
    plan = plan_with("when_nobody: {to: '2020'}")
    town, (caller, elsewhere) = await opened(world, "2010", "2401", plan=plan)
    talk = await joins(town, caller)
    await world.sleep(1)
    assert_speak(town, caller, elsewhere)
    caller.leave(talk)
    await world.sleep(0.5)


@scenario()
async def test_where_nobody_takes_it_at_all_the_caller_is_told(world: World) -> None:
    town, (caller,) = await opened(world, "2010")
    talk = await joins(town, caller)
    await world.sleep(0.5)
    assert town.spoken()[-1] == "Personne ne répond."
    greet(town)
    await world.sleep(0.5)
    assert talk.over


@scenario()
async def test_place_wait_and_messages_are_told_in_turn(world: World) -> None:
    plan = plan_with('messages: ["Pensez au site de la mairie.", "Merci de patienter."]')
    plan = plan.replace(ANNOUNCE, "announce: {position: true, wait: true, every_seconds: 30}")
    town, (caller, agent) = await opened(world, "2010", "1001", plan=plan)
    for _ in range(3):  # calls of 100 seconds: the wait is known from then on
        await joins(town, caller)
        (ringing,) = rings(agent)
        agent.pick_up(ringing)
        await world.sleep(100)
        agent.leave(ringing)
        await world.sleep(1)
    (busy,) = await occupied(town, agent)
    talk = await joins(town, caller)
    said = []
    for _ in range(2):
        await world.sleep(30.5)
        said.append(town.spoken()[-1])
        greet(town)
    assert said == [
        "Vous êtes le prochain. L'attente est d'environ 2 minutes. Pensez au site de la mairie.",
        "Vous êtes le prochain. L'attente est d'environ 2 minutes. Merci de patienter.",
    ]
    caller.leave(talk)
    agent.leave(busy)
    await world.sleep(0.5)


@scenario()
async def test_a_queue_speaks_its_own_language(world: World) -> None:
    town, caller, agent, busy, talk = await one_waits(world, plan_with("language: en"))
    assert town.spoken()[0] == "Valmont town hall, good morning."
    await world.sleep(30)
    assert town.spoken()[-1] == "You are next."
    greet(town)
    caller.leave(talk)
    agent.leave(busy)
    await world.sleep(0.5)


# Call-backs

CALL_BACK = "callback: {key: '5', after_seconds: 10}"


async def asks_to_be_called_back(town: Town, caller: Party, talk: Talk, confirm: str = "1") -> None:
    await town.world.sleep(10)
    assert town.spoken()[-1] == "Pour raccrocher et être rappelé sans perdre votre tour, tapez 5."
    press(town, "5")
    await town.world.sleep(0.1)
    assert town.spoken()[-1] == "Nous vous rappellerons au 20 10. Pour confirmer, tapez 1."
    press(town, confirm)
    await town.world.sleep(0.1)


@scenario()
async def test_a_caller_hangs_up_keeps_its_turn_and_is_called_back(world: World) -> None:
    town, caller, agent, busy, talk = await one_waits(world, plan_with(CALL_BACK))
    later = await party(town, "2020")
    await asks_to_be_called_back(town, caller, talk)
    greet(town)
    await world.sleep(0.5)
    assert talk.over
    assert "dialled 9 to standard: to be called back" in await records(town)
    other = await joins(town, later)
    town.ladder.clear()
    agent.leave(busy)
    await world.sleep(0.2)
    (ringing,) = rings(agent)
    agent.pick_up(ringing)
    await world.sleep(1)
    assert_speak(town, caller, agent)
    assert_golden("queue-call-back", town.ladder)
    agent.leave(ringing)
    await world.sleep(0.5)
    await served(town, agent, later)
    assert other.over
    assert len(town.exchange.queues.call_backs) == 0


@scenario()
async def test_a_call_back_that_is_not_confirmed_waits_on(world: World) -> None:
    town, caller, agent, busy, talk = await one_waits(world, plan_with(CALL_BACK))
    await asks_to_be_called_back(town, caller, talk, confirm="3")
    greet(town)
    await world.sleep(6)
    agent.leave(busy)
    await world.sleep(0.5)
    await served(town, agent, caller)
    assert talk.over


@scenario()
async def test_a_call_back_outlives_the_process(world: World) -> None:
    town, caller, agent, busy, talk = await one_waits(world, plan_with(CALL_BACK))
    await asks_to_be_called_back(town, caller, talk)
    greet(town)
    await world.sleep(0.5)
    agent.leave(busy)
    agent.answers_after = 0.2
    await town.restart()
    assert len(town.exchange.queues.call_backs) == 1
    assert town.exchange.queues.deadline is not None  # it is looked at, whatever else happens
    await world.sleep(15)
    assert_speak(town, caller, agent)
    for talk in caller.talks.values():
        caller.leave(talk)
    await world.sleep(0.5)


@scenario()
async def test_a_node_that_stops_begins_no_call_back(world: World) -> None:
    town, caller, agent, busy, talk = await one_waits(world, plan_with(CALL_BACK))
    await asks_to_be_called_back(town, caller, talk)
    greet(town)
    await world.sleep(0.5)
    town.exchange.draining = True
    agent.leave(busy)
    await world.sleep(30)
    assert rings(agent) == []
    call_backs = town.exchange.queues.call_backs
    assert len(call_backs) == 1
    for place in call_backs.all():
        call_backs.forget(place)


@scenario()
async def test_who_is_not_there_when_called_back_is_tried_three_times(world: World) -> None:
    town, caller, agent, busy, talk = await one_waits(world, plan_with(CALL_BACK))
    await asks_to_be_called_back(town, caller, talk)
    greet(town)
    await world.sleep(0.5)
    caller.final, agent.answers_after = 486, 0.2
    agent.leave(busy)
    for _ in range(30):
        await world.sleep(2)
        greet(town)
    assert len(town.exchange.queues.call_backs) == 0
    assert sum(talk.invite is not None for talk in caller.talks.values()) == 4  # its own call, and three


@scenario()
async def test_an_agent_who_does_not_answer_a_call_back_costs_no_turn(world: World) -> None:
    town, caller, agent, busy, talk = await one_waits(world, plan_with(CALL_BACK))
    await asks_to_be_called_back(town, caller, talk)
    greet(town)
    await world.sleep(0.5)
    agent.leave(busy)
    await world.sleep(40)
    assert rings(agent) == []
    await world.sleep(55)
    (ringing,) = rings(agent)
    agent.pick_up(ringing)
    await world.sleep(1)
    assert_speak(town, caller, agent)
    agent.leave(ringing)
    await world.sleep(0.5)


@pytest.mark.parametrize(
    ("number", "may"),
    [
        ("2020", True),
        ("+33612345678", True),
        ("+33899123456", False),  # costs more than the agents may spend
        ("+447700900123", False),
        ("+33383000100", False),  # a number of ours
        ("112", False),
        ("9", False),
        ("*21", False),
    ],
)
def test_nobody_is_called_back_where_no_agent_may_call(number: str, may: bool) -> None:
    async def body(world: World) -> None:
        town, _ = await opened(world, "1001")
        service = town.exchange.plan.services["standard"]
        place = Place("", number, service, ("1001", "1002"), 0.0, 0.0, 0.0, lambda: None)
        assert town.exchange.queues.call_backs.may_be_called(place) is may

    run(body)


@scenario()
async def test_who_hides_its_number_is_not_offered_a_call_back(world: World) -> None:
    town, (caller, agent) = await opened(world, "2010", "1001", plan=plan_with(CALL_BACK))
    (busy,) = await occupied(town, agent)
    caller.headers["Privacy"] = "id"  # RFC 3323 section 4.2
    talk = caller.dial("9")
    await world.sleep(0.5)
    greet(town)
    await world.sleep(15)
    assert [text for text in town.spoken() if text] == ["Mairie de Valmont, bonjour."]
    caller.leave(talk)
    agent.leave(busy)
    await world.sleep(0.5)
