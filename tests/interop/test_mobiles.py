"""One number with real phones: desk, application and mobile ring together, and the call moves between them.

All are Debian's baresip; the mobile is one at the operator's address, which is called by its number there.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop import beffroi
from tests.interop.baresip import Baresip
from tests.interop.beffroi import OPERATORS
from tests.interop.namespaces import Town

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("peers")]

MOBILE = "+33612345699"
ALICE = "password: pw1001,"
REPLACED = {ALICE: f'{ALICE} mobile: "{MOBILE}", ring: together,'}


async def test_desk_application_and_mobile_ring_together_and_the_call_moves_to_the_desk(
    town: Town, tmp_path: Path
) -> None:
    plug = town.plug
    async with (
        beffroi.running(town.hub, tmp_path, replaced=REPLACED) as pbx,
        Baresip(plug("10.54.1.91"), tmp_path, "2010", "pw2010", pbx.address, tone_hz=440) as office,
        Baresip(plug("10.54.1.92"), tmp_path, "1001", "pw1001", pbx.address, tone_hz=640) as desk,
        Baresip(plug("10.54.1.93"), tmp_path, "1001", "pw1001", pbx.address, tone_hz=750) as application,
        Baresip(
            plug(OPERATORS["operateur-b"]), tmp_path, MOBILE, "", pbx.address, tone_hz=850, register=False
        ) as mobile,
    ):
        for phone in (office, desk, application):
            await phone.registered()
        await office.dial("1001")
        for phone in (desk, application, mobile):
            await phone.rung()
        await mobile.answer()
        await mobile.hears_sound()  # "press 1"
        await mobile.press("1")
        await office.answered()
        await desk.closed()
        await application.closed()
        await office.hears(mobile.tone_hz)
        await mobile.hears(office.tone_hz)
        await desk.dial("*55")
        await desk.answered()
        await mobile.closed()
        await office.hears(desk.tone_hz)
        await desk.hears(office.tone_hz)
        await office.hang_up()
        await desk.closed()
        calls = await pbx.call_list()
        assert {call["cause"] for call in calls} >= {"replaced", "completed"}
