"""Quiescence: what is left over is found and named."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sim.quiescence import LONGEST_TIMER_SECONDS, NotQuiet
from tests.sim.world import World, run, scenario


class Shelf:
    """An inventory that a test fills."""

    def __init__(self, **counts: int) -> None:
        self.counts = counts

    def inventory(self) -> dict[str, int]:
        return self.counts


def test_an_empty_world_is_quiet_after_the_longest_timer() -> None:
    worlds: list[World] = []

    async def body(world: World) -> None:
        worlds.append(world)

    run(body)
    assert worlds[0].seconds >= LONGEST_TIMER_SECONDS > 32


def test_a_leaked_task_is_named_with_the_line_where_it_waits() -> None:
    kept: list[asyncio.Task[bool]] = []

    async def body(world: World) -> None:
        kept.append(world.loop.create_task(asyncio.Event().wait(), name="leaked leg"))

    with pytest.raises(NotQuiet, match="task leaked leg"):
        run(body)


def test_a_leaked_timer_is_named_with_what_it_calls() -> None:
    def refresh_registration() -> None:
        pass

    async def body(world: World) -> None:
        world.loop.call_later(3600, refresh_registration)

    with pytest.raises(NotQuiet, match=r"timer in 35\d\d\.\d+ s: .*refresh_registration"):
        run(body)


def test_a_timer_within_the_longest_timer_is_no_leak() -> None:
    fired: list[float] = []

    async def body(world: World) -> None:
        world.loop.call_later(32, lambda: fired.append(world.seconds))

    run(body)
    assert fired == [32.0]


def test_a_cancelled_timer_is_no_leak() -> None:
    async def body(world: World) -> None:
        world.loop.call_later(3600, print).cancel()

    run(body)


def test_an_inventory_that_is_not_zero_is_listed() -> None:
    async def body(world: World) -> None:
        world.watch("stack", Shelf(transactions=2, dialogs=0))
        world.watch("media", Shelf(ports=1))

    with pytest.raises(NotQuiet) as caught:
        run(body)
    assert str(caught.value).splitlines()[1:] == ["  stack: 2 transactions", "  media: 1 ports"]


def test_what_lasts_as_long_as_its_timer_is_no_leak() -> None:
    shelf = Shelf(transactions=1)

    async def body(world: World) -> None:
        world.watch("stack", shelf)
        world.loop.call_later(32, shelf.counts.clear)

    run(body)


def test_an_open_port_is_a_leak() -> None:
    async def body(world: World) -> None:
        world.host("pbx", "192.0.2.10").bind(5060, lambda data, flow: None)

    with pytest.raises(NotQuiet, match="network: 1 UDP endpoints"):
        run(body)


def test_what_the_scenario_closes_at_its_end_is_no_leak() -> None:
    async def body(world: World) -> None:
        world.closing.callback(world.host("pbx", "192.0.2.10").bind(5060, lambda data, flow: None).close)

    run(body)


def test_a_failing_scenario_shows_its_own_error_and_its_seed() -> None:
    async def body(world: World) -> None:
        world.watch("stack", Shelf(transactions=2))
        raise ValueError("the scenario's own")

    with pytest.raises(ValueError, match="the scenario's own") as caught:
        run(body, seed=42)
    assert caught.value.__notes__ == ["the world's seed was 42"]


def test_the_result_of_the_body_comes_back() -> None:
    async def body(world: World) -> str:
        return f"{world.seed}"

    assert run(body, seed=9) == "9"


@pytest.mark.parametrize("number", [1, 2])
@scenario(seed=3)
async def test_a_scenario_takes_the_parameters_that_pytest_gives(world: World, number: int) -> None:
    assert world.seed == 3
    assert number in (1, 2)


@settings(max_examples=5, deadline=None)
@given(st.integers(1, 100))
@scenario()
async def test_a_scenario_takes_the_values_that_hypothesis_gives(world: World, number: int) -> None:
    await world.sleep(number)
    assert world.seconds == number
