"""A flood in other telephones' names, of plug and play and of TFTP: a telephone among them is served, and
what the node keeps of it has an end.

On the wire and the node of the walks (test_walks.py).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from pbx.phones import group, shelf, tftp
from pbx.phones.shelf import MOST_FETCHES, MOST_WAITING_AT
from tests.interop.patience import until
from tests.provisioning.lan import flood
from tests.provisioning.lan.makers import Fanvil
from tests.provisioning.lan.network import INTERFACE, STRANGER, SWITCH
from tests.provisioning.lan.telephone import Telephone
from tests.provisioning.lan.town import CLEAR, Town

pytestmark = [
    pytest.mark.peer,
    pytest.mark.xdist_group("telephones on a wire"),
    pytest.mark.asyncio(loop_scope="package"),
]

NAMES = [f"10.54.1.{number}" for number in range(210, 215)]
WINDOWS = 2
"""Minutes (pbx.phones.limits) in which the flood may lie."""
MOST_GROWTH_MB = 40


async def test_a_flood_in_many_names_keeps_no_telephone_out_and_fills_nothing(node: Town) -> None:
    telephone = Telephone(node.network, Fanvil("0c383eaa0008"), node.folder)
    telephone.leased()
    await node.take_new_ones(30)
    phones = node.process_id("phones")
    before, log = memory_mb(phones), node.folder / "serve.log"
    begun = log.stat().st_size
    flooding = await node.network.telephones.start(
        (sys.executable, flood.__file__, INTERFACE, STRANGER, SWITCH, *NAMES),
        node.folder / "flood.log",
    )
    try:
        for _ in range(3):
            assert telephone.told_by_the_group() == CLEAR
            assert telephone.get(f"tftp://{SWITCH}/f0X4Uhw1.100.cfg")[0] == 200

        async def are_turned_away() -> bool:
            assert flooding.returncode is None
            fetches = node.database.read(lambda connection: shelf.list_fetches(connection, most=MOST_FETCHES))
            return {one.address for one in fetches if one.reason == "too often"} == set(NAMES)

        await until(are_turned_away, "each name to be turned away", 45.0)
        assert telephone.told_by_the_group() == CLEAR
    finally:
        flooding.kill()
        await flooding.wait()

    async def is_listed() -> bool:
        """Whether it is among those that wait: whoever asks last pushes out others."""
        assert telephone.get(f"tftp://{SWITCH}/{telephone.maker.mac}.cfg")[0] == 200
        return telephone.maker.mac in {one.name for one in node.database.read(shelf.list_phones)}

    await until(is_listed, "the telephone to be listed", 45.0)
    listed = node.database.read(shelf.list_phones)
    waiting = [one.address for one in listed]
    assert 0 < max(map(waiting.count, NAMES)) <= MOST_WAITING_AT
    assert memory_mb(phones) - before < MOST_GROWTH_MB
    with log.open(errors="replace") as lines:
        lines.seek(begun)
        said = [found[1] for line in lines if (found := re.search(r" from=(10\.54\.1\.21\d) ", line))]
    most = WINDOWS * (group.MOST_REQUESTS + tftp.MOST_REQUESTS + 1)
    assert set(said) == set(NAMES)
    assert max(map(said.count, NAMES)) <= most


def memory_mb(pid: int) -> float:
    """What a process has for itself and its share of the rest (proc(5), smaps_rollup)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss: +(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024
