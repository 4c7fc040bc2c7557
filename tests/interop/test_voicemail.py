"""A message left and listened to with real phones, and the lamp of one of them (Debian's baresip)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop import beffroi
from tests.interop.baresip import Baresip
from tests.interop.namespaces import Town
from tests.interop.patience import until

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("other phones")]

BRUNO_HZ = 640
EVERYBODY = {"\nusers:": "\nvoicemail: true\n\nusers:"}


async def test_a_message_is_left_shown_by_the_lamp_heard_and_the_lamp_goes_off(
    town: Town, tmp_path: Path
) -> None:
    """RFC 3842: Alice declines, Bruno speaks after the beep, and Alice hears his tone."""
    left, right = town.plug("10.54.1.26"), town.plug("10.54.3.26")
    async with (
        beffroi.running(town.hub, tmp_path, replaced=EVERYBODY) as pbx,
        Baresip(
            left, tmp_path, "1001", "pw1001", pbx.address, more=";mwi=yes", applications=("mwi",)
        ) as alice,
        Baresip(right, tmp_path, "1002", "pw1002", pbx.address, tone_hz=BRUNO_HZ) as bruno,
    ):
        await alice.registered()
        await bruno.registered()
        assert "Messages-Waiting: no" in await alice.mailbox()
        await bruno.dial("1001")
        await alice.rung()
        await alice.hang_up()
        await bruno.answered()
        await bruno.press("#")
        folder = pbx.configuration.parent / "data" / "voicemail" / "1001"

        async def three_seconds() -> bool:
            return any(path.stat().st_size > 3 * 16_000 for path in folder.glob("*.wav"))

        await until(three_seconds, "three seconds of Bruno on the disk", 20.0)
        await bruno.hang_up()
        assert "Messages-Waiting: yes" in await alice.mailbox()
        await alice.dial("*98")
        await alice.answered()
        await alice.hears(BRUNO_HZ, 40.0)
        assert "Messages-Waiting: no" in await alice.mailbox()
        await alice.hang_up()
