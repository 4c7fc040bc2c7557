"""The virtual world: a loop, a network, phones and a ladder, all from one seed.

    @scenario(seed=7)
    async def test_bruno_answers(world: World) -> None:
        alice = world.phone("alice", "192.0.2.1")
        ...

The body runs in virtual time. When it has passed, the world waits past the longest timer and asserts that
nothing is left; when it has failed, its own error is the one that is shown.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar

from tests.sim.ladder import Ladder
from tests.sim.loop import MAX_ROUNDS, START_SECONDS, VirtualLoop
from tests.sim.network import Host, Link, Nat, Network
from tests.sim.phone import Phone
from tests.sim.quiescence import LONGEST_TIMER_SECONDS, Inventory, assert_calm, assert_nothing_left

T = TypeVar("T")
P = ParamSpec("P")

PLAIN_LINK = Link()
"""A hop of 1 ms that loses nothing."""

FIRST_DAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
"""The wall clock's first instant: a Monday, 10 o'clock in Valmont."""


class World:
    """What a scenario is played in.

    loop, network, ladder: the parts; seed: where all chance comes from.
    closing: an AsyncExitStack for what the scenario starts; it is left before the last look.
    """

    def __init__(self, loop: VirtualLoop, seed: int, link: Link) -> None:
        self.loop = loop
        self.seed = seed
        self.network = Network(loop, seed, link)
        self.ladder = Ladder(self.network)
        self.closing = AsyncExitStack()
        self.quiet_seconds = LONGEST_TIMER_SECONDS
        """How long the world waits after the body before it looks for what is left."""
        self._inventories: dict[str, Inventory] = {}

    @property
    def seconds(self) -> float:
        """Virtual seconds since the world began."""
        return self.loop.time() - START_SECONDS

    def wall(self) -> datetime:
        """The wall clock, in UTC: FIRST_DAY and the virtual seconds since."""
        return FIRST_DAY + timedelta(seconds=self.seconds)

    async def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(seconds)

    def host(self, name: str, address: str, behind: Nat | None = None) -> Host:
        """A machine on the network, as Network.host."""
        return self.network.host(name, address, behind)

    def phone(
        self,
        name: str,
        address: str,
        *,
        user: str = "",
        password: str = "",
        server: tuple[str, int] = ("", 0),
        domain: str = "",
        behind: Nat | None = None,
    ) -> Phone:
        """A scripted phone on its own machine, closed at the end; what it leaves unread fails the test."""
        phone = Phone(
            self.host(name, address, behind),
            user=user or name,
            password=password,
            server=server,
            domain=domain,
        )
        self.watch(name, phone)
        self.closing.push_async_callback(phone.close)
        return phone

    def watch(self, name: str, inventory: Inventory) -> None:
        """Count what this holds when the scenario is over."""
        self._inventories[name] = inventory

    async def play(self, body: Callable[[World], Awaitable[T]]) -> T:
        """Run a scenario's body and then the two looks of tests.sim.quiescence; returns the body's result."""
        async with self.closing:
            result = await body(self)
            await assert_calm(self._inventories, advance_seconds=self.quiet_seconds)
        await assert_calm({"network": self.network}, advance_seconds=LONGEST_TIMER_SECONDS)
        await assert_nothing_left(self.loop)
        return result


def run(
    body: Callable[[World], Coroutine[Any, Any, T]],
    *,
    seed: int = 1,
    link: Link = PLAIN_LINK,
    max_rounds: int = MAX_ROUNDS,
) -> T:
    """Play a scenario in a new world and return its result.

    link: what every hop is like unless the scenario says otherwise.
    Raises what the body raises; NotQuiet when something is left; Deadlock, Livelock and LostError as
    tests.sim.loop says.
    """
    loop = VirtualLoop(max_rounds=max_rounds)
    try:
        result = loop.run_until_complete(World(loop, seed, link).play(body))
        loop.check_lost()
    except BaseException as error:
        error.add_note(f"the world's seed was {seed}")
        raise
    finally:
        loop.finish()
    return result


def scenario(
    *,
    seed: int = 1,
    link: Link = PLAIN_LINK,
    max_rounds: int = MAX_ROUNDS,
) -> Callable[[Callable[Concatenate[World, P], Coroutine[Any, Any, None]]], Callable[P, None]]:
    """Make a test of a coroutine whose first parameter is the world; pytest sees the other parameters."""

    def decorate(body: Callable[Concatenate[World, P], Coroutine[Any, Any, None]]) -> Callable[P, None]:
        def test(*args: P.args, **kwargs: P.kwargs) -> None:
            run(lambda world: body(world, *args, **kwargs), seed=seed, link=link, max_rounds=max_rounds)

        functools.update_wrapper(test, body)
        # pytest reads the parameters to find fixtures: the world isn't one of them.
        signature = inspect.signature(body)
        del test.__dict__["__wrapped__"]
        test.__dict__["__signature__"] = signature.replace(parameters=list(signature.parameters.values())[1:])
        return test

    return decorate
