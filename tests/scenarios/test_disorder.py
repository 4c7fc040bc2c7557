"""Whatever telephones do, and whenever: every call ends, is recorded once, and leaves nothing."""

from __future__ import annotations

import pytest

from tests.scenarios.town import ADDRESSES, BEFFROI, DOMAIN, start
from tests.scenarios.unruly import UnrulyPhone
from tests.sim.network import Link
from tests.sim.world import PLAIN_LINK, World, run

CALLS = 6


LOSSY = Link(loss=0.1, jitter_seconds=0.005, duplicate=0.05)


@pytest.mark.parametrize("seed", range(40))
def test_calls_between_unruly_telephones(seed: int) -> None:
    quarrel(seed, PLAIN_LINK)


@pytest.mark.parametrize("seed", range(40))
def test_calls_between_unruly_telephones_over_a_bad_network(seed: int) -> None:
    quarrel(seed, LOSSY)


@pytest.mark.parametrize("seed", range(40))
def test_calls_between_unruly_telephones_whose_datagrams_are_read_in_batches(seed: int) -> None:
    quarrel(seed, PLAIN_LINK, batch_seconds=0.01)


def quarrel(seed: int, link: Link, *, batch_seconds: float = 0.0) -> None:
    """Six calls between three telephones, all at once, then 40 s until everybody hangs up."""

    async def body(world: World) -> None:
        town = await start(world)
        phones = []
        for user in ("1001", "1001-app", "1002"):
            host = world.host(user, ADDRESSES[user])
            phone = UnrulyPhone(
                host, seed=seed, user=user, password=f"pw{user}", server=BEFFROI, domain=DOMAIN
            )
            world.closing.push_async_callback(phone.close)
            await phone.register()
            phone.repeats_what_is_lost()
            world.network.link(host, town.node.host, link)
            phones.append(phone)
        alice, app, bruno = phones
        if batch_seconds:
            town.read_in_batches(batch_seconds)
        for phone in phones:
            phone.wake()
        for number in range(CALLS):
            caller, callee = ((bruno, "1001"), (alice, "1002"), (app, "9196"))[(number + seed) % 3]
            caller.dial(callee)
            await world.sleep(0.7)
        await world.sleep(40)
        for phone in phones:
            phone.calm()
        await world.sleep(80)
        assert len(town.calls) == CALLS
        assert all(call.cause for call in town.calls)
        assert all(leg.ended is not None and leg.cause for call in town.calls for leg in call.legs)

    run(body, seed=seed)
