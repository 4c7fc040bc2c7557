"""An attended transfer out of a recorded line and back, in any order of messages: not a moment is missing.

What each of the parties does at the transfer is drawn from a seed: in which order, and with which gaps. Every
four milliseconds is looked whether the citizen, for as long as we have their dialog, and whoever the engine
joins them to, are on the tape.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.scenarios.party import Party, Talk
from tests.scenarios.test_recordings import FIRE, Line, in_place_of, line
from tests.scenarios.town import SECRETS
from tests.sim.network import Link
from tests.sim.world import PLAIN_LINK, World, run

LOOK_SECONDS = 0.004
GAPS = (0.0, 0.0005, 0.003, 0.02, 0.15)
DISORDER = Link(jitter_seconds=0.004, reorder=0.2, reorder_seconds=0.01)


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


class Watch:
    """Looks whether what is said is on the tape. missing: when it wasn't; looks: with somebody to hear."""

    def __init__(self, us: Line) -> None:
        self._us = us
        self.missing: list[str] = []
        self.looks = 0

    async def look_for(self, seconds: float) -> None:
        """Look again and again while this time passes."""
        until = self._us.town.world.seconds + seconds
        while self._us.town.world.seconds < until:
            self._look()
            await self._us.town.world.sleep(LOOK_SECONDS)

    def _look(self) -> None:
        town = self._us.town
        for leg in town.exchange.legs():
            if leg.device != "operateur-a" or not leg.confirmed:
                continue
            self.looks += 1
            heard = {one.name: one.peer for one in town.engine.snapshot(leg.call.id).legs}
            for name in (leg.name, heard.get(leg.name, "")):
                if name and 1 not in town.engine.taped(leg.call.id, name):
                    self.missing.append(f"{town.world.seconds:.3f} {name} of {leg.call.id}")


async def hand_over(us: Line, watch: Watch, chance: random.Random, who: Party, to: Party) -> None:
    """Somebody consults somebody else and connects the citizen with them; everybody moves at once."""
    (first,) = who.talking
    if chance.random() < 0.7:
        who.holds = True
        who.change(first, who.describe())
        await watch.look_for(chance.choice(GAPS) + 0.1)
        who.holds = False
    second = who.dial(to.user)
    await watch.look_for(0.5)
    uri = in_place_of(us, who, second)

    def changes(party: Party) -> Callable[[], None]:
        def change() -> None:
            for talk in party.talking[:1]:
                if talk.asked is None:
                    party.change(talk, party.describe())

        return change

    def leaves(talk: Talk) -> Callable[[], None]:
        return lambda: who.leave(talk)

    acts = [lambda: who.refer(first, uri), changes(us.citizen), changes(to), changes(who)]
    acts += [leaves(second)] if chance.random() < 0.5 else []
    chance.shuffle(acts)
    acts += [leaves(first)] if chance.random() < 0.5 else []  # before it, the citizen would be hung up
    for act in acts:
        act()
        await watch.look_for(chance.choice(GAPS))
    await watch.look_for(3.5)


def play(seed: int, link: Link) -> Watch:
    chance = random.Random(seed)

    async def body(world: World) -> Watch:
        us = await line(world, "2201", "1001")
        watch = Watch(us)
        for phone in (us.citizen, *us.people):
            world.network.link(phone.host, us.town.host, link)
        guard, desk = us.people
        us.citizen.dial(FIRE)
        await watch.look_for(1.0)
        await hand_over(us, watch, chance, guard, desk)
        if us.citizen.talking and desk.talking:
            await hand_over(us, watch, chance, desk, guard)
        await us.end()
        assert us.told()[-1].startswith("end: ")
        return watch

    return run(body, seed=seed, link=PLAIN_LINK)


@pytest.mark.parametrize("seed", range(20))
def test_a_transfer_out_and_back_in_any_order_leaves_nothing_out(seed: int) -> None:
    watch = play(seed, PLAIN_LINK)
    assert watch.looks > 250
    assert watch.missing == []


@pytest.mark.parametrize("seed", range(10))
def test_a_transfer_out_and_back_over_a_network_that_reorders_leaves_nothing_out(seed: int) -> None:
    watch = play(seed, DISORDER)
    assert watch.missing == []
