"""Random walks through the call API: whatever is asked in whatever state, nothing is left behind, and nothing
goes wrong inside."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import pytest

from pbx.api.calls import CallApi, CallNotFound, NotPossibleNow
from pbx.api.views import Done
from tests.scenarios.offers import party
from tests.scenarios.party import Party
from tests.scenarios.town import start
from tests.sim.world import World, run

USERS = ("1001", "1002", "2010", "2020")
SEEDS = range(1, 26)
STEPS = 25


@pytest.mark.parametrize("seed", SEEDS)
def test_a_walk_through_the_api_leaves_nothing_behind(seed: int) -> None:
    run(lambda world: walk(world, seed), seed=seed)


async def walk(world: World, seed: int) -> None:
    chance = random.Random(seed)
    town = await start(world)
    parties = [await party(town, user) for user in USERS]
    api = CallApi(town.exchange)
    done: list[str] = []
    for _ in range(STEPS):
        one = chance.choice(parties)
        one.answers_after = chance.choice((0.1, 0.5, 3.0, None))
        if chance.random() < 0.3:
            done.append(by_hand(chance, one))
        else:
            done.append(await asked(chance, api))
        if town.engine.playing and chance.random() < 0.3:
            town.finish_playing()
        await world.sleep(chance.choice((0.0, 0.01, 0.3, 2.0, 6.0)))
    for one in parties:
        one.answers_after = None
    for _ in range(4):  # what is parked or was transferred rings its person again
        for one in parties:
            for talk in list(one.talks.values()):
                one.leave(talk)
        await world.sleep(65)
    assert not [one.user for one in parties if one.talking], done


def by_hand(chance: random.Random, one: Party) -> str:
    """Something at the telephone itself."""
    talks = [talk for talk in one.talks.values() if not talk.over]
    if not talks or chance.random() < 0.5:
        number = chance.choice((*USERS, "700", "8301"))
        one.dial(number)
        return f"{one.user} dials {number}"
    talk = chance.choice(talks)
    if not talk.established:
        one.pick_up(talk) if not talk.asked else one.leave(talk)
        return f"{one.user} picks up, or gives up"
    if chance.random() < 0.5 and talk.asked is None:
        one.holds = not one.holds
        one.change(talk, one.describe())
        return f"{one.user} holds: {one.holds}"
    one.leave(talk)
    return f"{one.user} hangs up"


async def asked(chance: random.Random, api: CallApi) -> str:
    """Something by the API; that it isn't possible is an answer."""
    who, other = chance.choice(USERS), chance.choice((*USERS, "700", "4999", "8301"))
    theirs = [view.id for view in api.calls(who)]
    call = chance.choice(["", *theirs])
    second = chance.choice(["", *theirs])
    verbs: dict[str, Callable[[], Awaitable[Done]]] = {
        "originate": lambda: api.originate(who, other),
        "pick up": lambda: api.pick_up(who, chance.choice(("", other))),
        "retrieve": lambda: api.retrieve(who, "700"),
        "hold": lambda: api.hold(who, call),
        "resume": lambda: api.resume(who, call),
        "mute": lambda: api.mute(who, call, on=chance.random() < 0.5),
        "transfer": lambda: api.transfer(who, other, call),
        "join": lambda: api.transfer_to(who, call, second),
        "merge": lambda: api.merge(who, call, second),
        "send on": lambda: api.send_on(who, other, chance.choice(USERS), call),
        "park": lambda: api.park(who, call=call),
        "digits": lambda: api.send_digits(who, "1", call),
        "hang up": lambda: api.hang_up(who, call),
    }
    verb = chance.choice(list(verbs))
    try:
        await verbs[verb]()
    except (CallNotFound, NotPossibleNow) as error:
        return f"{who} {verb} {other}: {error}"
    return f"{who} {verb} {other}: done"
