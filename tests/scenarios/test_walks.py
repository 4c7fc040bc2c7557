"""Three parties and an echo do whatever they like, in any order, over links that lose one datagram in ten.

Offers, holds, transfers, refusals and hang-ups come at random from one seed each. Whatever happens: no error
of ours, what a party said last is what the engine knows of it, each call has one record, nothing is left.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from media import sdp
from tests.scenarios.offers import party
from tests.scenarios.party import MU_LAW, USUAL, Party, Talk, place_of
from tests.scenarios.test_attended_transfers import replaces
from tests.scenarios.town import Town, start
from tests.sim.network import Link
from tests.sim.world import World, run

SEEDS = range(300)
STEPS = 14
LOSSY = Link(loss=0.1)
SETTLED_SECONDS = 80.0
REFUSALS = (
    (491, ()),
    (488, ()),
    (500, (("Retry-After", "1"),)),
)


class Walk:
    """What one seed makes of the three."""

    def __init__(self, town: Town, parties: Sequence[Party], seed: int) -> None:
        self.town = town
        self.parties = parties
        self.chance = random.Random(seed)

    async def go(self) -> None:
        """Some steps, each at a random distance from the one before."""
        chance = self.chance
        for _ in range(STEPS):
            one = chance.choice(self.parties)
            talks = one.talking
            if not talks or (len(talks) == 1 and chance.random() < 0.15):
                self._dial(one)
            else:
                self._act(one, chance.choice(talks))
            await self.town.world.sleep(chance.choice((0.0, 0.001, 0.003, 0.1, 0.5, 2.0)))

    def _dial(self, one: Party) -> None:
        others = [other.user for other in self.parties if other is not one]
        one.dial(self.chance.choice([*others, *others, "9196", "2999"]))

    def _act(self, one: Party, talk: Talk) -> None:
        chance = self.chance
        others = [other for other in one.talking if other is not talk]
        match chance.randrange(8):
            case 0 | 1 | 2 if talk.asked is None:
                one.holds = chance.random() < 0.4
                one.port = chance.choice((4000, 4100))
                body = chance.choice((one.describe(), one.describe(MU_LAW), one.describe(USUAL), b""))
                method = chance.choice(("INVITE", "UPDATE")) if body else "INVITE"
                one.change(talk, body, method=method, answer=chance.choice((USUAL, MU_LAW)))
            case 3:
                one.refusals.append(chance.choice(REFUSALS))
            case 4:
                to = chance.choice([*(other.user for other in self.parties), "9196", "2999"])
                one.refer(talk, f"sip:{to}@valmont.example")
            case 5 if others:
                one.refer(talk, replaces(one, chance.choice(others)))
            case 6:
                one.leave(talk)
            case 7:
                one.answers_after = chance.choice((0.0, 0.3, 3.0, None))
                one.final = chance.choice((200, 200, 200, 486))
            case _:
                return

    def assert_agreed(self) -> None:
        """Each party that is in a call sends to a leg of the engine's, which knows what it said last."""
        legs = {
            leg.port: leg
            for call_id in {asked.call for asked in self.town.engine.asked}
            for leg in self.town.engine.snapshot(call_id).legs
        }
        for one in self.parties:
            for talk in one.talking:
                said = sdp.parse(talk.said).media[0]
                remote = legs[place_of(talk.heard)].remote
                assert remote is not None
                assert (remote.host, remote.port, remote.formats) == (said.host, said.port, said.formats)
                assert remote.effective_direction == said.effective_direction


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_three_parties_do_nothing_is_left_and_all_agree(seed: int) -> None:
    async def walk(world: World) -> None:
        town = await start(world)
        parties = [await party(town, user) for user in ("1001", "1002", "2010")]
        for one in parties:
            one.repeats_what_is_lost()
        for one in parties:
            world.network.link(one.host, town.host, LOSSY)
        walk = Walk(town, parties, seed)
        await walk.go()
        await world.sleep(SETTLED_SECONDS)
        walk.assert_agreed()
        for one in parties:
            for talk in one.talks.values():
                one.leave(talk)
        await world.sleep(SETTLED_SECONDS)
        assert not any(one.talking for one in parties)
        assert town.exchange.core.stack.counts["internal error"] == 0
        ids = [call.id for call in town.calls]
        assert len(ids) == len(set(ids))
        assert town.exchange.status()["calls"] == 0
        assert town.exchange.status()["ended_calls"] == len(ids)

    run(walk, seed=seed)
