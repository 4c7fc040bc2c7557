"""Whose turn it is, as a function: nobody waits for ever, nobody is given twice, skills before strategy."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.plan import Priority, Service
from pbx.queues.estimate import HandlingTimes, spoken_wait
from pbx.queues.place import Place, match, skill_of, turn_of

LEVEL_SECONDS = 60
MOST_LEVEL = 9
AGENTS = ("1001", "1002", "1003")


def queue(name: str = "accueil", strategy: str = "in_order", **more: object) -> Service:
    settings = MappingProxyType({"strategy": strategy, "priority": Priority(0, LEVEL_SECONDS), **more})
    return Service(name, "9", None, None, "queue", None, None, None, settings, 1, 1)


def place(
    since: float, level: int = 0, service: Service | None = None, agents: tuple[str, ...] = AGENTS
) -> Place:
    service = service or queue()
    turn = turn_of(since, level, service)
    return Place("", "", service, agents, since, turn, since + 60, lambda: None, ready=True)


def given_to(
    places: list[Place],
    free: set[str],
    levels: Mapping[str, Mapping[str, int]] | None = None,
    now: float = 0.0,
) -> list[tuple[Place, list[str]]]:
    known = levels or {}
    return list(
        match(
            places,
            lambda agent, _: agent in free,
            lambda agent, _: agent in AGENTS,
            lambda skill: known.get(skill, {}),
            lambda _, agents: agents,
            now,
        )
    )


@settings(max_examples=100, deadline=None)
@given(
    arrivals=st.lists(st.tuples(st.floats(0, 3600), st.integers(0, MOST_LEVEL)), min_size=1, max_size=60),
    handling=st.floats(10, 200),
)
def test_nobody_waits_for_ever_while_others_of_higher_priority_keep_coming(
    arrivals: list[tuple[float, int]], handling: float
) -> None:
    """One agent, and callers of any level at any time: who is served was overtaken only by those who came
    within the seconds that the levels are worth."""
    coming = sorted((place(at, level) for at, level in arrivals), key=lambda one: one.since)
    waiting: list[Place] = []
    now, served = 0.0, []
    while coming or waiting:
        while coming and (coming[0].since <= now or not waiting):
            waiting.append(coming.pop(0))
            now = max(now, waiting[-1].since)
        ((chosen, _),) = given_to(waiting, {"1001"}, now=now)
        waiting.remove(chosen)
        served.append(chosen)
        for passed_over in waiting:
            assert chosen.since - passed_over.since <= MOST_LEVEL * LEVEL_SECONDS
        now += handling
    assert len(served) == len(arrivals)


def test_of_the_same_level_the_first_to_come_is_the_first() -> None:
    first, second = place(10), place(20)
    ((one, agents),) = given_to([second, first], {"1001"})
    assert one is first
    assert agents == ["1001"]


def test_an_agent_is_given_once() -> None:
    places = [place(10), place(20, service=queue("autre")), place(30)]
    found = given_to(places, {"1001", "1002"})
    assert [agents for _, agents in found] == [["1001"], ["1002"]]


def test_where_all_ring_the_first_caller_takes_all_who_are_free() -> None:
    both = queue(strategy="all")
    found = given_to([place(10, service=both), place(20, service=both)], {"1001", "1003"})
    assert [agents for _, agents in found] == [["1001", "1003"]]


def test_who_is_not_ready_or_rings_already_is_given_nobody() -> None:
    greeted, rung, waits = place(10), place(20), place(30)
    greeted.ready, rung.served = False, True
    ((found, _),) = given_to([greeted, rung, waits], {"1001"})
    assert found is waits


def test_a_caller_who_needs_a_skill_lets_others_go_before_while_its_holder_is_busy() -> None:
    needs = queue("etat-civil", needs={"etat-civil": 2})
    first, second = place(0, service=needs), place(10)
    levels = {"etat-civil": {"1001": 3, "1002": 1}}
    ((found, agents),) = given_to([first, second], {"1002"}, levels, now=30)
    assert (found, agents) == (second, ["1002"])
    ((found, agents),) = given_to([first, second], {"1002"}, levels, now=60)
    assert (found, agents) == (first, ["1002"])


def test_the_sum_of_levels_counts_and_each_must_be_reached() -> None:
    levels = {"en": {"1001": 2, "1002": 9}, "droit": {"1001": 3}}
    needs = {"en": 1, "droit": 2}
    assert skill_of("1001", needs, lambda skill: levels[skill]) == 5
    assert skill_of("1002", needs, lambda skill: levels[skill]) == 0


def test_the_wait_is_that_of_those_before_with_the_agents_there() -> None:
    times = HandlingTimes()
    for seconds in (60.0, 120.0):
        times.add("accueil", seconds)
    assert times.wait_seconds("accueil", 3, 2) is None  # two calls tell nothing
    times.add("accueil", 180.0)
    assert times.wait_seconds("accueil", 3, 2) == 240.0
    assert times.wait_seconds("accueil", 3, 0) is None
    assert times.wait_seconds("autre", 0, 2) is None


def test_the_wait_is_said_in_whole_minutes() -> None:
    assert spoken_wait(20)["fr"] == "L'attente est de moins d'une minute."
    assert spoken_wait(61)["fr"] == "L'attente est d'environ 2 minutes."
    assert spoken_wait(1800)["en"] == "The wait is about 30 minutes."
    assert spoken_wait(1801)["en"] == "The wait is more than 30 minutes."
