"""The figures of queues: what the node counted is what the call records tell, whatever happened."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from pbx.queues.figures import Figures
from pbx.store.calls import insert_calls
from pbx.store.database import open_database
from pbx.store.queues import queue_figures
from pbx.store.schema import metadata
from tests.scenarios.offers import party
from tests.scenarios.party import Party
from tests.scenarios.test_hotlines import press
from tests.scenarios.test_queue_turns import plan_with
from tests.scenarios.test_queues import greet, opened, rings
from tests.scenarios.town import Town
from tests.sim.world import World, run

CALLERS = ("2010", "2020", "2201", "2202", "2301", "2302")
SETTINGS = (
    "wrap_up_seconds: 5",
    "pause_after: 4",
    "callback: {key: '5', after_seconds: 10}",
    "priority: {callers: {'2301': 2}}",
)
SECONDS = 900


def rounded(figures: Figures) -> dict[str, object]:
    """The figures with the times in milliseconds: a database's sums aren't exact."""
    return {
        queue: (
            one.offered,
            one.answered,
            one.abandoned,
            one.sent_on,
            one.to_call_back,
            round(one.waited_seconds, 3),
            round(one.talked_seconds, 3),
            {
                agent: (its.offered, its.answered, round(its.talked_seconds, 3))
                for agent, its in sorted(one.agents.items())
            },
        )
        for queue, one in sorted(figures.queues.items())
    }


def from_records(town: Town, folder: Path) -> Figures:
    """What the database says of the calls that were written."""
    database = open_database(f"sqlite:///{folder}/figures.db")
    try:
        database.write(metadata.create_all)
        database.write(lambda connection: insert_calls(connection, town.calls))
        return database.read(queue_figures)
    finally:
        database.close()


async def traffic(town: Town, chance: Random, callers: list[Party], agents: list[Party]) -> None:
    """People call, wait, give up and ask to be called back; agents answer, refuse, or don't."""
    world = town.world
    for _ in range(SECONDS // 3):
        await world.sleep(3)
        greet(town)
        caller = chance.choice(callers)
        talking = [talk for talk in caller.talks.values() if not talk.over]
        if not talking and chance.random() < 0.5:
            caller.dial(chance.choice(("9", "8700")))
        elif talking and chance.random() < 0.1:
            caller.leave(talking[0])
        if town.spoken() and chance.random() < 0.2:
            press(town, chance.choice("51"))
        for agent in agents:
            for ringing in rings(agent):
                if chance.random() < 0.5:
                    agent.final = 200 if chance.random() < 0.8 else 486
                    agent.pick_up(ringing)
            for talk in [talk for talk in agent.talks.values() if talk.established and not talk.over]:
                if chance.random() < 0.1:
                    agent.leave(talk)


@pytest.mark.parametrize("seed", [0, 2])
def test_the_figures_of_random_traffic_are_those_of_its_call_records(seed: int, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        plan = plan_with(*SETTINGS, second="when_full: {callers: 2, after_seconds: 40, to: '2401'}")
        town, agents = await opened(world, "1001", "1002", plan=plan)
        callers = [await party(town, user) for user in CALLERS]
        chance = Random(seed)
        await traffic(town, chance, callers, agents)
        for one in (*callers, *agents):
            one.answers_after = None
            for talk in one.talks.values():
                one.leave(talk)
        for agent in agents:
            town.exchange.settings.pause(agent.user, "test")
        for place in list(town.exchange.queues.call_backs.all()):
            town.exchange.queues.call_backs.forget(place)
        for _ in range(20):
            await world.sleep(5)
            greet(town)
        live = town.exchange.queues.figures
        assert rounded(live) == rounded(from_records(town, tmp_path))
        total = [live.of(queue) for queue in ("standard", "etat-civil")]
        assert all(one.answered and one.abandoned and one.waited_seconds for one in total)
        assert total[0].to_call_back
        assert total[1].sent_on

    run(body, seed=seed)
