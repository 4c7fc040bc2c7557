"""Two telephones of one site send each other their sound: they hear each other, and nothing comes to us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.interop import beffroi
from tests.interop.baresip import Baresip
from tests.interop.beffroi import Beffroi
from tests.interop.namespaces import Namespace, Town
from tests.interop.patience import until

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("direct media")]

ANNA_HZ, BELA_HZ = 640, 850
SITE = "    name: Hôtel de ville\n"
SOUND_DATAGRAMS = 60  # more than SIP and its timers say in a second, less than two telephones that speak


@pytest_asyncio.fixture
async def direct_pbx(town: Town, tmp_path: Path) -> AsyncIterator[Beffroi]:
    """Beffroi with a town hall whose telephones send each other their sound."""
    changed = {SITE: f"{SITE}    direct_media: true\n"}
    async with beffroi.running(town.hub, tmp_path, replaced=changed) as made:
        yield made


def datagrams_taken(hub: Namespace) -> int:
    """How many UDP datagrams any process at the hub's own address has been given; not those passed on."""
    lines = Path(f"/proc/{hub.holder.pid}/net/snmp").read_text().splitlines()
    names, values = [line.split() for line in lines if line.startswith("Udp:")]
    return int(values[names.index("InDatagrams")])


async def taken_in_a_second(hub: Namespace) -> int:
    before = datagrams_taken(hub)
    await asyncio.sleep(1.0)
    return datagrams_taken(hub) - before


async def test_two_telephones_hear_each_other_without_us_and_through_us_once_one_has_held(
    direct_pbx: Beffroi, town: Town, tmp_path: Path
) -> None:
    server = direct_pbx.address
    async with (
        Baresip(town.plug("10.54.1.61"), tmp_path, "2010", "pw2010", server, "udp", ANNA_HZ) as anna,
        Baresip(town.plug("10.54.1.62"), tmp_path, "2020", "pw2020", server, "udp", BELA_HZ) as bela,
    ):
        for phone in (anna, bela):
            await phone.registered()
        await anna.dial("2020")
        await bela.rung()
        await bela.answer()
        await anna.answered()
        await anna.hears(BELA_HZ)
        await bela.hears(ANNA_HZ)
        assert await taken_in_a_second(town.hub) < SOUND_DATAGRAMS
        await anna.hang_up()
        await bela.closed()
        (call,) = await direct_pbx.ended_calls(1)
        assert [leg["media"] for leg in call["legs"]] == ["direct", "direct"]

        await anna.dial("2020")
        await bela.rung()
        await bela.answer()
        await anna.answered()
        # baresip 1.0.0 drops all of a second stream that comes before it has played any of the first.
        await anna.hears(BELA_HZ)
        await bela.hears(ANNA_HZ)
        await anna.hold()
        await anna.resume()

        async def is_relayed() -> bool:
            return await taken_in_a_second(town.hub) > SOUND_DATAGRAMS

        await until(is_relayed, "sound to come to us", 10.0)
        await anna.hears(BELA_HZ)
        await bela.hears(ANNA_HZ)
        await anna.hang_up()
        await bela.closed()
        _, call = await direct_pbx.ended_calls(2)
        assert [leg["media"] for leg in call["legs"]] == ["relayed", "relayed"]
