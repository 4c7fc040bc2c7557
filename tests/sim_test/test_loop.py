"""The virtual loop: time jumps, deadlocks and livelocks are said, the real world is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from tests.sim.loop import START_SECONDS, Deadlock, Livelock, LostError, RealInputOutput, VirtualLoop
from tests.sim.world import World, run

T = TypeVar("T")


def play(coroutine: Coroutine[Any, Any, T], *, max_rounds: int = 10_000) -> T:
    loop = VirtualLoop(max_rounds=max_rounds)
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.finish()


def now() -> float:
    return asyncio.get_running_loop().time() - START_SECONDS


def test_a_whole_day_passes_without_waiting() -> None:
    async def body() -> float:
        await asyncio.sleep(24 * 3600)  # the real clock would run into pytest's time limit
        return now()

    assert play(body()) == 24 * 3600


def test_a_jump_lands_on_the_very_instant_of_the_timer() -> None:
    async def body() -> list[float]:
        loop = asyncio.get_running_loop()
        seen: list[float] = []
        for tenths in range(1, 50):
            loop.call_at(START_SECONDS + tenths / 10, lambda: seen.append(loop.time()))
        await asyncio.sleep(10)
        return seen

    assert play(body()) == [START_SECONDS + tenths / 10 for tenths in range(1, 50)]


def test_two_days_pass_in_one_jump() -> None:
    async def body() -> float:
        await asyncio.sleep(48 * 3600)
        return now()

    assert play(body()) == 48 * 3600


def test_timers_run_in_the_order_of_their_instants() -> None:
    async def body() -> str:
        order: list[str] = []

        async def later(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            order.append(name)

        async with asyncio.TaskGroup() as group:
            for name, seconds in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
                group.create_task(later(name, seconds))
        return "".join(order)

    assert play(body()) == "abc"


def test_timers_for_one_instant_run_in_the_order_in_which_they_were_set() -> None:
    async def body() -> list[int]:
        loop = asyncio.get_running_loop()
        order: list[int] = []
        for number in range(100):
            loop.call_at(START_SECONDS + 1, order.append, number)
        await asyncio.sleep(2)
        return order

    assert play(body()) == list(range(100))


def test_asyncio_timeout_ends_at_its_virtual_deadline() -> None:
    async def body() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(64):
                await asyncio.Event().wait()
        return now()

    assert play(body()) == 64.0


def test_a_queue_hands_over_between_tasks_without_time_passing() -> None:
    async def body() -> tuple[list[int], float]:
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)

        async def fill() -> None:
            for number in range(5):
                await queue.put(number)

        async with asyncio.TaskGroup() as group:
            group.create_task(fill())
            got = [await queue.get() for _ in range(5)]
        return got, now()

    assert play(body()) == ([0, 1, 2, 3, 4], 0.0)


def test_a_cancelled_timer_does_not_move_the_clock() -> None:
    async def body() -> float:
        asyncio.get_running_loop().call_later(1_000, print).cancel()
        await asyncio.sleep(1)
        return now()

    assert play(body()) == 1.0


def test_waiting_for_what_cannot_happen_is_a_deadlock() -> None:
    async def body() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        play(body())


def test_a_deadlock_names_every_waiting_task_and_its_line() -> None:
    async def wait_for_the_answer(answered: asyncio.Event) -> None:
        await answered.wait()

    async def body() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait_for_the_answer(asyncio.Event()), name="alice")
            group.create_task(wait_for_the_answer(asyncio.Event()), name="bruno")

    with pytest.raises(Deadlock) as caught:
        play(body())
    text = str(caught.value)
    assert "alice: in wait_for_the_answer (tests/sim_test/test_loop.py:" in text
    assert "bruno: in wait_for_the_answer (tests/sim_test/test_loop.py:" in text
    assert "await answered.wait()" in text


def test_callbacks_that_never_let_time_pass_are_a_livelock() -> None:
    async def body() -> None:
        while True:  # noqa: ASYNC110 - the fault itself
            await asyncio.sleep(0)

    with pytest.raises(Livelock, match="time stands still"):
        play(body(), max_rounds=1_000_000)


def test_a_timer_that_comes_back_for_ever_is_a_livelock() -> None:
    async def body() -> None:
        while True:  # noqa: ASYNC110 - the fault itself
            await asyncio.sleep(30)

    with pytest.raises(Livelock, match="doesn't end"):
        play(body(), max_rounds=1_000)


def test_an_error_in_a_callback_ends_the_scenario_with_its_cause() -> None:
    async def body() -> None:
        asyncio.get_running_loop().call_later(1, lambda: dict[str, int]()["nobody"])
        await asyncio.sleep(2)

    with pytest.raises(LostError) as caught:
        play(body())
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_error_in_a_forgotten_task_ends_the_scenario() -> None:
    async def fail() -> None:
        raise ValueError("nobody looks")

    async def body() -> None:
        task = asyncio.get_running_loop().create_task(fail())
        await asyncio.sleep(1)
        del task
        await asyncio.sleep(1)

    with pytest.raises(LostError, match="nobody looks"):
        play(body())


def test_a_failed_task_that_somebody_still_holds_is_found_at_the_end() -> None:
    held: list[asyncio.Task[None]] = []

    async def fail() -> None:
        raise ValueError("held and never asked")

    async def body(world: World) -> None:
        held.append(world.loop.create_task(fail()))

    with pytest.raises(LostError) as caught:
        run(body)
    assert str(caught.value.__cause__) == "held and never asked"


def test_a_thread_is_refused() -> None:
    async def body() -> None:
        await asyncio.to_thread(print)

    with pytest.raises(RealInputOutput, match="thread"):
        play(body())


def test_a_socket_is_refused() -> None:
    async def body() -> None:
        await asyncio.open_connection("127.0.0.1", 5060)

    with pytest.raises(RealInputOutput, match="socket"):
        play(body())


def test_a_file_descriptor_is_refused() -> None:
    async def body() -> None:
        asyncio.get_running_loop().add_reader(0, print)

    with pytest.raises(RealInputOutput, match="file descriptor"):
        play(body())


def test_finish_cancels_what_is_left() -> None:
    loop = VirtualLoop()
    ended: list[str] = []

    async def stay() -> None:
        try:
            await asyncio.sleep(1_000)
        finally:
            ended.append("stay")

    async def body() -> None:
        stay_task = asyncio.get_running_loop().create_task(stay())
        await asyncio.sleep(0)
        assert not stay_task.done()

    loop.run_until_complete(body())
    loop.finish()
    assert ended == ["stay"]
    assert loop.is_closed()


def test_finish_says_which_task_refuses_to_end() -> None:
    loop = VirtualLoop()
    stubborn = True

    async def stay() -> None:
        while stubborn:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue

    task = loop.create_task(stay(), name="mule")
    loop.run_until_complete(asyncio.sleep(1))
    with pytest.raises(Livelock, match="mule"):
        loop.finish()
    stubborn = False
    loop.finish()
    assert task.done()
