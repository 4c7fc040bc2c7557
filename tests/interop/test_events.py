"""A real phone watches: its own mailbox, and who of its contacts can be reached (Debian's baresip)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.baresip import Baresip
from tests.interop.beffroi import Beffroi
from tests.interop.namespaces import Town
from tests.interop.patience import until

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("other phones")]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_phone_learns_that_its_mailbox_is_empty(
    pbx: Beffroi, town: Town, tmp_path: Path, transport: str
) -> None:
    """RFC 3842, RFC 6665."""
    desk = town.plug("10.54.1.21")
    async with Baresip(
        desk, tmp_path, "1001", "pw1001", pbx.address, transport, more=";mwi=yes", applications=("mwi",)
    ) as alice:
        await alice.registered()
        assert "Messages-Waiting: no" in await alice.mailbox()


async def test_a_phone_sees_a_contact_come_and_go(pbx: Beffroi, town: Town, tmp_path: Path) -> None:
    """RFC 3856, RFC 3903: Bruno's phone publishes beside its registration, and takes both back."""
    left, right = town.plug("10.54.1.22"), town.plug("10.54.3.23")
    contacts = f'"Bruno" <sip:1002@{pbx.address}>;presence=p2p\n'
    async with Baresip(
        left, tmp_path, "1001", "pw1001", pbx.address, applications=("contact", "presence"), contacts=contacts
    ) as alice:

        async def shows(state: str) -> bool:
            return state in await alice.contact_list()

        await alice.registered()
        async with Baresip(
            right, tmp_path, "1002", "pw1002", pbx.address, more=";pubint=60", applications=("presence",)
        ) as bruno:
            await bruno.registered()
            await until(lambda: shows("Online"), "Alice to see Bruno online", 20.0)
        await until(lambda: shows("Offline"), "Alice to see Bruno offline", 20.0)
