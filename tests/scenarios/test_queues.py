"""Queues: standard of the sample plan (9), the switchboard, whose agents are 1001 and 1002."""

from __future__ import annotations

from tests.scenarios.offers import assert_speak, party
from tests.scenarios.party import Party, Talk
from tests.scenarios.test_menus import records
from tests.scenarios.town import PLAN_TEXT, Town, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

GREETING = "Mairie de Valmont, bonjour."
# The mailbox of the switchboard isn't built yet: here those who waited too long go to a person.
PLAN = PLAN_TEXT.replace("to: repondeur-mairie}\n  accueil", 'to: "2401"}\n  accueil')
BOTH = PLAN.replace("strategy: longest_idle", "strategy: all")


async def opened(world: World, *users: str, plan: str = PLAN) -> tuple[Town, list[Party]]:
    """It is Monday morning, and these are registered; agents answer when a test says so."""
    town = await start(world, plan)
    people = [await party(town, user) for user in users]
    for one in people:
        if one.user in ("1001", "1002"):
            one.answers_after = None
    town.ladder.clear()
    return town, people


async def waiting(town: Town, caller: Party) -> Talk:
    """The caller has heard the greeting."""
    talk = caller.dial("9")
    await town.world.sleep(0.5)
    assert talk.established
    greet(town)
    await town.world.sleep(0.1)
    return talk


def greet(town: Town) -> None:
    """Whatever is spoken ends; music doesn't."""
    for (call, leg), source in list(town.engine.playing.items()):
        if "Music" not in type(source).__name__:
            town.engine.finish(call, leg)


def rings(agent: Party) -> list[Talk]:
    return [talk for talk in agent.talks.values() if not (talk.established or talk.over)]


@scenario()
async def test_a_caller_is_greeted_and_gets_an_agent(world: World) -> None:
    town, (caller, agent) = await opened(world, "2010", "1001")
    talk = await waiting(town, caller)
    assert town.spoken()[0] == GREETING
    (ringing,) = rings(agent)
    await world.sleep(2)
    agent.pick_up(ringing)
    await world.sleep(0.5)
    assert_speak(town, caller, agent)
    agent.leave(ringing)
    await world.sleep(0.5)
    assert talk.over
    assert_golden("queue", town.ladder)
    written = await records(town)
    assert "dialled 9 to standard: transferred" in written
    assert "dialled 9 to 1001: completed" in written


@scenario()
async def test_callers_are_served_first_come_first_served(world: World) -> None:
    town, (first, second, agent) = await opened(world, "2010", "2020", "1001")
    one = await waiting(town, first)
    two = await waiting(town, second)
    (ringing,) = rings(agent)
    agent.pick_up(ringing)
    await world.sleep(0.5)
    assert_speak(town, first, agent)
    assert rings(agent) == []
    agent.leave(ringing)
    await world.sleep(0.5)
    assert one.over
    (ringing,) = rings(agent)
    agent.pick_up(ringing)
    await world.sleep(0.5)
    assert_speak(town, second, agent)
    second.leave(two)
    await world.sleep(0.5)


@scenario()
async def test_two_agents_serve_two_callers_at_once(world: World) -> None:
    town, (first, second, one, other) = await opened(world, "2010", "2020", "1001", "1002")
    talks = [await waiting(town, caller) for caller in (first, second)]
    assert len(rings(one)) == len(rings(other)) == 1
    for agent in (one, other):
        agent.pick_up(rings(agent)[0])
    await world.sleep(0.5)
    for caller, talk in zip((first, second), talks, strict=True):
        caller.leave(talk)
    await world.sleep(0.5)


@scenario()
async def test_those_who_wait_are_told_their_place(world: World) -> None:
    town, (first, second, agent) = await opened(world, "2010", "2020", "1001")
    talk = await waiting(town, first)
    agent.pick_up(rings(agent)[0])
    await world.sleep(0.5)
    third = await waiting(town, second)
    await world.sleep(31)
    assert town.spoken()[-1] == "Vous êtes le prochain."
    greet(town)
    for caller, one in ((first, talk), (second, third)):
        caller.leave(one)
    await world.sleep(0.5)


@scenario()
async def test_an_agent_who_does_not_answer_rests_and_the_next_one_rings(world: World) -> None:
    town, (caller, one, other) = await opened(world, "2010", "1001", "1002")
    talk = await waiting(town, caller)
    (first,) = [agent for agent in (one, other) if rings(agent)]
    second = other if first is one else one
    await world.sleep(21)
    assert rings(first) == []
    assert len(rings(second)) == 1
    second.pick_up(rings(second)[0])
    await world.sleep(0.5)
    caller.leave(talk)
    await world.sleep(0.5)


@scenario()
async def test_all_free_agents_ring_at_once_where_the_plan_says_so(world: World) -> None:
    town, (caller, one, other) = await opened(world, "2010", "1001", "1002", plan=BOTH)
    talk = await waiting(town, caller)
    assert len(rings(one)) == len(rings(other)) == 1
    other.pick_up(rings(other)[0])
    await world.sleep(0.5)
    assert rings(one) == []
    caller.leave(talk)
    await world.sleep(0.5)


@scenario()
async def test_who_waits_too_long_goes_where_the_plan_says(world: World) -> None:
    town, (caller, agent, other) = await opened(world, "2010", "1001", "2401")
    busy = caller.dial("1001")
    await world.sleep(0.5)
    agent.pick_up(rings(agent)[0])
    await world.sleep(0.5)
    second = await party(town, "2020")
    talk = await waiting(town, second)
    for _ in range(13):
        await world.sleep(10)
        greet(town)
    assert_speak(town, second, other)
    caller.leave(busy)
    second.leave(talk)
    await world.sleep(0.5)


@scenario()
async def test_a_queue_whose_agents_have_no_telephone_lets_nobody_wait(world: World) -> None:
    town, (caller, other) = await opened(world, "2010", "2401")
    talk = await waiting(town, caller)
    await world.sleep(0.5)
    assert_speak(town, caller, other)
    caller.leave(talk)
    await world.sleep(0.5)


@scenario()
async def test_a_caller_that_gives_up_lets_the_next_one_move_up(world: World) -> None:
    town, (first, second, agent) = await opened(world, "2010", "2020", "1001")
    one = await waiting(town, first)
    two = await waiting(town, second)
    first.leave(one)
    await world.sleep(0.5)
    (ringing,) = rings(agent)
    agent.pick_up(ringing)
    await world.sleep(0.5)
    assert_speak(town, second, agent)
    second.leave(two)
    await world.sleep(0.5)
    assert len(town.exchange.queues) == 0


@scenario()
async def test_an_agent_that_hangs_up_elsewhere_is_free_at_once(world: World) -> None:
    town, (caller, agent, other) = await opened(world, "2010", "1001", "2020")
    private = other.dial("1001")
    await world.sleep(0.5)
    agent.pick_up(rings(agent)[0])
    await world.sleep(0.5)
    talk = await waiting(town, caller)
    await world.sleep(5)
    assert rings(agent) == []
    other.leave(private)
    await world.sleep(0.2)
    assert len(rings(agent)) == 1
    caller.leave(talk)
    await world.sleep(0.5)
