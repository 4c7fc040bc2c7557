"""Whose turn it is: priorities, several queues with the same agents, skills, wrap-up, agents who rest.

standard of the sample plan (9) has the agents 1001 and 1002; `etat-civil` (8700) has the same ones.
"""

from __future__ import annotations

from pbx.people.settings import NO_ANSWER
from tests.scenarios.offers import assert_speak, party
from tests.scenarios.party import Party, Talk
from tests.scenarios.test_queues import PLAN, greet, opened, rings
from tests.scenarios.town import Town
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

OVERFLOW = 'when_full: {after_seconds: 120, to: "2401"}'
SECOND = """  etat-civil:
    number: "8700"
    type: queue
    agents: {group: accueil}
    strategy: longest_idle
    SETTINGS
"""


def plan_with(*settings: str, second: str = "", skills: str = "") -> str:
    """The sample plan with more settings of `standard`, and another queue with the same agents."""
    assert OVERFLOW in PLAN
    plan = PLAN.replace(OVERFLOW, "\n    ".join([OVERFLOW, *settings]))
    if second:
        plan = plan.replace("  accueil-vocal:", SECOND.replace("SETTINGS", second) + "  accueil-vocal:", 1)
    return plan.replace("services:\n", f"skills:\n{skills}services:\n", 1) if skills else plan


async def joins(town: Town, caller: Party, number: str = "9") -> Talk:
    """The caller waits there."""
    talk = caller.dial(number)
    await town.world.sleep(0.5)
    greet(town)
    await town.world.sleep(0.1)
    assert talk.established
    return talk


async def occupied(town: Town, *agents: Party) -> list[Talk]:
    """Each of these agents talks with somebody of the fire brigade."""
    talks = []
    for caller, agent in zip(("2201", "2202"), agents, strict=False):
        person = await party(town, caller)
        person.dial(agent.user)
        await town.world.sleep(0.2)
        (ringing,) = rings(agent)
        agent.pick_up(ringing)
        await town.world.sleep(0.5)
        talks.append(ringing)
    return talks


async def served(town: Town, agent: Party, caller: Party) -> None:
    """This caller gets the agent, talks and leaves."""
    (ringing,) = rings(agent)
    agent.pick_up(ringing)
    await town.world.sleep(0.5)
    assert_speak(town, caller, agent)
    agent.leave(ringing)
    await town.world.sleep(0.5)


@scenario()
async def test_a_caller_with_priority_goes_before_those_who_wait(world: World) -> None:
    plan = plan_with('priority: {callers: {"2020": 1}}')
    town, (usual, urgent, agent) = await opened(world, "2010", "2020", "1001", plan=plan)
    (talk,) = await occupied(town, agent)
    await joins(town, usual)
    await world.sleep(30)
    greet(town)
    await joins(town, urgent)
    agent.leave(talk)
    await world.sleep(0.5)
    await served(town, agent, urgent)
    await served(town, agent, usual)


@scenario()
async def test_a_priority_is_worth_so_many_seconds_and_no_more(world: World) -> None:
    plan = plan_with('priority: {level_seconds: 20, callers: {"2020": 1}}')
    town, (usual, urgent, agent) = await opened(world, "2010", "2020", "1001", plan=plan)
    (talk,) = await occupied(town, agent)
    await joins(town, usual)
    await world.sleep(21)
    await joins(town, urgent)
    agent.leave(talk)
    await world.sleep(0.5)
    await served(town, agent, usual)
    await served(town, agent, urgent)


@scenario()
async def test_queues_that_share_an_agent_are_served_in_the_order_of_all_their_callers(world: World) -> None:
    plan = plan_with(second="wrap_up_seconds: 0")
    town, (first, second, agent) = await opened(world, "2010", "2020", "1001", plan=plan)
    (talk,) = await occupied(town, agent)
    await joins(town, first, "8700")
    await joins(town, second)
    agent.leave(talk)
    await world.sleep(0.5)
    await served(town, agent, first)
    await served(town, agent, second)


@scenario()
async def test_a_queue_of_higher_level_goes_first(world: World) -> None:
    plan = plan_with(second="priority: {level: 2}")
    town, (first, second, agent) = await opened(world, "2010", "2020", "1001", plan=plan)
    (talk,) = await occupied(town, agent)
    await joins(town, first)
    await joins(town, second, "8700")
    agent.leave(talk)
    await world.sleep(0.5)
    await served(town, agent, second)
    await served(town, agent, first)


@scenario()
async def test_an_agent_with_the_skill_rings_and_after_a_while_any_other(world: World) -> None:
    plan = plan_with(
        second="needs: {etat-civil: 2}\n    relax_seconds: 30",
        skills='  etat-civil: {"1001": 3, "1002": 1}\n',
    )
    town, (caller, skilled, other) = await opened(world, "2010", "1001", "1002", plan=plan)
    (talk,) = await occupied(town, skilled)
    await joins(town, caller, "8700")
    await world.sleep(29)
    assert rings(other) == []
    await world.sleep(1.5)
    await served(town, other, caller)
    skilled.leave(talk)
    await world.sleep(0.5)


@scenario()
async def test_who_can_do_it_best_rings_first(world: World) -> None:
    plan = plan_with(second="needs: [etat-civil]", skills='  etat-civil: {"1001": 1, "1002": 5}\n')
    town, (caller, one, best) = await opened(world, "2010", "1001", "1002", plan=plan)
    await joins(town, caller, "8700")
    assert rings(one) == []
    await served(town, best, caller)


@scenario()
async def test_nobody_waits_for_a_skill_whose_holder_has_paused(world: World) -> None:
    plan = plan_with(second="needs: [etat-civil]", skills='  etat-civil: {"1002": 5}\n')
    town, (caller, one, paused) = await opened(world, "2010", "1001", "1002", plan=plan)
    town.exchange.settings.pause("1002", "test")
    await joins(town, caller, "8700")
    assert rings(paused) == []
    await served(town, one, caller)


@scenario()
async def test_an_agent_has_time_for_the_work_of_a_call(world: World) -> None:
    plan = plan_with("wrap_up_seconds: 15")
    town, (first, second, agent) = await opened(world, "2010", "2020", "1001", plan=plan)
    await joins(town, first)
    await served(town, agent, first)
    await joins(town, second)
    await world.sleep(13)
    assert rings(agent) == []
    await world.sleep(2)
    await served(town, agent, second)


@scenario()
async def test_an_agent_who_is_ready_sooner_says_so(world: World) -> None:
    plan = plan_with("wrap_up_seconds: 60")
    town, (first, second, agent) = await opened(world, "2010", "2020", "1001", plan=plan)
    await joins(town, first)
    await served(town, agent, first)
    await joins(town, second)
    assert rings(agent) == []
    town.exchange.queues.resume("1001", "1001")
    await world.sleep(0.1)
    await served(town, agent, second)


@scenario()
async def test_an_agent_who_lets_it_ring_is_paused_and_told_how_to_come_back(world: World) -> None:
    plan = plan_with("pause_after: 1", "when_nobody: {to: '2020'}")
    town, (caller, agent, elsewhere) = await opened(world, "2010", "1001", "2020", plan=plan)
    town.ladder.order("2010", "Beffroi", "1001", "2020")
    talk = await joins(town, caller)
    assert len(rings(agent)) == 1
    await world.sleep(20.5)
    assert rings(agent) == []
    assert agent.texts == ["Vous êtes en pause, faute de réponse (appels : 1). Pour revenir, composez #48#."]
    (kept,) = town.exchange.settings.of("1001").pauses
    assert (kept.service, kept.reason, kept.set_by.by) == ("standard", NO_ANSWER, "standard")
    await world.sleep(0.5)
    assert_speak(town, caller, elsewhere)
    caller.leave(talk)
    await world.sleep(0.5)
    assert_golden("agent-paused", town.ladder)


@scenario()
async def test_a_paused_agent_is_rung_as_soon_as_it_comes_back(world: World) -> None:
    town, (caller, one, other) = await opened(world, "2010", "1001", "1002")
    town.exchange.settings.pause("1001", "1001", "standard")
    (talk,) = await occupied(town, other)
    await joins(town, caller)
    assert rings(one) == []
    town.exchange.queues.resume("1001", "1001", "standard")
    await world.sleep(0.1)
    await served(town, one, caller)
    other.leave(talk)
    await world.sleep(0.5)


@scenario()
async def test_an_agent_whose_telephone_comes_back_is_rung_at_once(world: World) -> None:
    town, (caller, one) = await opened(world, "2010", "1001")
    (talk,) = await occupied(town, one)
    await joins(town, caller)
    other = await party(town, "1002")
    other.answers_after = None
    await world.sleep(0.2)
    await served(town, other, caller)
    one.leave(talk)
    await world.sleep(0.5)


@scenario()
async def test_what_is_being_said_keeps_no_agent_waiting(world: World) -> None:
    town, (caller, agent) = await opened(world, "2010", "1001")
    (talk,) = await occupied(town, agent)
    await joins(town, caller)
    await world.sleep(30.1)
    assert town.spoken()[-1] == "Vous êtes le prochain."
    agent.leave(talk)
    await world.sleep(0.1)
    await served(town, agent, caller)


@scenario()
async def test_a_restart_changes_nobodys_turn(world: World) -> None:
    town, (first, second, agent) = await opened(world, "2010", "2020", "1001")
    (talk,) = await occupied(town, agent)
    await joins(town, first)
    await joins(town, second)
    await town.restart()
    await world.sleep(0.5)
    for call, leg in reversed(list(town.engine.playing)):  # the second one's greeting ends before the first's
        town.engine.finish(call, leg)
        await world.sleep(0.1)
    agent.leave(talk)
    await world.sleep(0.5)
    await served(town, agent, first)
    await served(town, agent, second)
