"""What was acknowledged was written first: `kill -9` loses no registration and no record of an ended call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from tests.interop import beffroi
from tests.interop.beffroi import Beffroi
from tests.interop.namespaces import Namespace, Town
from tests.interop.sipp import Account, Sipp, register

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("other phones")]

CALLER_ADDRESS, CALLEE_ADDRESS = "10.54.1.21", "10.54.1.22"
TWENTY = [str(extension) for extension in range(1011, 1031)]
CALLEES = [Account(extension, f"pw{extension}") for extension in TWENTY]
CALLER = Account("2010", "pw2010")


@pytest_asyncio.fixture
async def pbx(town: Town, tmp_path: Path) -> AsyncIterator[Beffroi]:
    """Beffroi with twenty people more than the sample has."""
    people = [
        {
            "extension": callee.user,
            "name": f"Agent {callee.user}",
            "password": callee.password,
            "class": "national",
        }
        for callee in CALLEES
    ]
    async with beffroi.running(town.hub, tmp_path, people) as made:
        yield made


@pytest.fixture
def left(town: Town) -> Namespace:
    """Where the caller is."""
    return town.plug(CALLER_ADDRESS)


@pytest.fixture
def right(town: Town) -> Namespace:
    """Where the twenty phones are."""
    return town.plug(CALLEE_ADDRESS)


async def _call_everybody(pbx: Beffroi, folder: Path, left: Namespace, right: Namespace) -> None:
    """One answered call to each of the twenty, all at once."""
    async with Sipp(right, folder, "answer", pbx.address, CALLEES), AsyncExitStack() as calls:
        for port, extension in enumerate(TWENTY, 5061):
            call = Sipp(left, folder, "call", pbx.address, [CALLER], dialled=extension, port=port)
            await calls.enter_async_context(call)


async def test_twenty_registrations_outlive_the_signalling_process(
    pbx: Beffroi, left: Namespace, right: Namespace, tmp_path: Path
) -> None:
    await register(right, tmp_path, pbx.address, CALLEES)
    await pbx.kill_signalling()
    assert (await pbx.status())["bindings"] == 20
    await _call_everybody(pbx, tmp_path, left, right)


async def test_records_of_ended_calls_outlive_the_signalling_process(
    pbx: Beffroi, left: Namespace, right: Namespace, tmp_path: Path
) -> None:
    await register(right, tmp_path, pbx.address, CALLEES)
    await _call_everybody(pbx, tmp_path, left, right)
    # At once: the worker need not have taken them from the journal yet.
    await pbx.kill_signalling()
    calls = await pbx.ended_calls(20)
    assert sorted(call["to"] for call in calls) == TWENTY
    assert all(call["answered"] is not None for call in calls)


async def test_all_is_there_after_the_supervisor_was_killed_and_started_again(
    pbx: Beffroi, left: Namespace, right: Namespace, tmp_path: Path
) -> None:
    await register(right, tmp_path, pbx.address, CALLEES)
    await _call_everybody(pbx, tmp_path, left, right)
    await pbx.kill_supervisor()
    await _call_everybody(pbx, tmp_path, left, right)
    calls = await pbx.ended_calls(40)
    assert sorted(call["to"] for call in calls) == sorted(TWENTY * 2)


async def test_a_registration_that_ended_stays_ended_after_a_restart(
    pbx: Beffroi, left: Namespace, right: Namespace, tmp_path: Path
) -> None:
    await register(right, tmp_path, pbx.address, CALLEES[:1])
    async with Sipp(right, tmp_path, "unregister", pbx.address, CALLEES[:1]):
        pass
    await pbx.kill_signalling()
    assert (await pbx.status())["bindings"] == 0
    async with Sipp(left, tmp_path, "unreachable", pbx.address, [CALLER], dialled=TWENTY[0]):
        pass
