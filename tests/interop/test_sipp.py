"""SIPp and Beffroi: scenarios that say exactly which message must follow which, also where a phone would not
go by itself.

SIPp calls from the town hall as État civil (2010), and is called as Urbanisme (2020).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.baresip import Baresip
from tests.interop.beffroi import Beffroi
from tests.interop.namespaces import Town
from tests.interop.sipp import Account, Sipp, register

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("peers")]

CALLER = Account("2010", "pw2010")
CALLEE = Account("2020", "pw2020")
CALLER_ADDRESS, CALLEE_ADDRESS = "10.54.1.21", "10.54.1.22"

both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


@both_transports
async def test_a_stranger_is_told_what_beffroi_can_do(
    pbx: Beffroi, town: Town, tmp_path: Path, transport: str
) -> None:
    async with Sipp(town.plug(CALLER_ADDRESS), tmp_path, "options", pbx.address, [CALLER], transport):
        pass


@both_transports
async def test_a_call_from_ringing_to_bye(pbx: Beffroi, town: Town, tmp_path: Path, transport: str) -> None:
    left, right = town.plug(CALLER_ADDRESS), town.plug(CALLEE_ADDRESS)
    await register(right, tmp_path, pbx.address, [CALLEE], transport)
    async with (
        Sipp(right, tmp_path, "answer", pbx.address, [CALLEE], transport),
        Sipp(left, tmp_path, "call", pbx.address, [CALLER], transport, dialled=CALLEE.user),
    ):
        pass
    (call,) = await pbx.ended_calls(1)
    assert (call["from"], call["dialled"], call["to"]) == ("2010", "2020", "2020")
    assert call["answered"] is not None
    assert [leg["transport"] for leg in call["legs"]] == [transport, transport]


async def test_ten_calls_at_once(pbx: Beffroi, town: Town, tmp_path: Path) -> None:
    left, right = town.plug(CALLER_ADDRESS), town.plug(CALLEE_ADDRESS)
    await register(right, tmp_path, pbx.address, [CALLEE])
    async with (
        Sipp(right, tmp_path, "answer", pbx.address, [CALLEE] * 10),
        Sipp(left, tmp_path, "call", pbx.address, [CALLER] * 10, dialled=CALLEE.user),
    ):
        pass
    assert len({call["id"] for call in await pbx.ended_calls(10)}) == 10
    assert (await pbx.status())["calls"] == 0


@both_transports
async def test_a_caller_that_gives_up_gets_487_and_the_callee_a_cancel(
    pbx: Beffroi, town: Town, tmp_path: Path, transport: str
) -> None:
    left, right = town.plug(CALLER_ADDRESS), town.plug(CALLEE_ADDRESS)
    async with Baresip(right, tmp_path, "2020", "pw2020", pbx.address, transport) as phone:
        await phone.registered()
        async with Sipp(left, tmp_path, "cancel", pbx.address, [CALLER], transport, dialled=CALLEE.user):
            await phone.rung()
        await phone.closed()
    (call,) = await pbx.ended_calls(1)
    assert call["answered"] is None


@both_transports
async def test_an_answer_that_crosses_the_cancel_gets_ack_and_bye_not_a_conversation(
    pbx: Beffroi, town: Town, tmp_path: Path, transport: str
) -> None:
    left, right = town.plug(CALLER_ADDRESS), town.plug(CALLEE_ADDRESS)
    await register(right, tmp_path, pbx.address, [CALLEE], transport)
    async with (
        Sipp(right, tmp_path, "late_answer", pbx.address, [CALLEE], transport),
        Sipp(left, tmp_path, "cancel", pbx.address, [CALLER], transport, dialled=CALLEE.user),
    ):
        pass
    (call,) = await pbx.ended_calls(1)
    assert call["answered"] is None


@both_transports
async def test_a_phone_hears_that_a_busy_callee_is_busy(
    pbx: Beffroi, town: Town, tmp_path: Path, transport: str
) -> None:
    left, right = town.plug(CALLER_ADDRESS), town.plug(CALLEE_ADDRESS)
    await register(right, tmp_path, pbx.address, [CALLEE], transport)
    async with Baresip(left, tmp_path, "2010", "pw2010", pbx.address, transport) as phone:
        await phone.registered()
        async with Sipp(right, tmp_path, "busy", pbx.address, [CALLEE], transport):
            await phone.dial("2020")
            assert (await phone.closed()).startswith("486 ")
    (call,) = await pbx.ended_calls(1)
    assert call["answered"] is None


@both_transports
async def test_a_phone_hangs_up_on_a_scripted_callee(
    pbx: Beffroi, town: Town, tmp_path: Path, transport: str
) -> None:
    left, right = town.plug(CALLER_ADDRESS), town.plug(CALLEE_ADDRESS)
    await register(right, tmp_path, pbx.address, [CALLEE], transport)
    async with Baresip(left, tmp_path, "2010", "pw2010", pbx.address, transport) as phone:
        await phone.registered()
        async with Sipp(right, tmp_path, "answer", pbx.address, [CALLEE], transport):
            await phone.dial("2020")
            await phone.answered()
            await phone.hang_up()


@both_transports
async def test_a_phone_hangs_up_on_a_scripted_caller(
    pbx: Beffroi, town: Town, tmp_path: Path, transport: str
) -> None:
    left, right = town.plug(CALLER_ADDRESS), town.plug(CALLEE_ADDRESS)
    async with Baresip(right, tmp_path, "2020", "pw2020", pbx.address, transport) as phone:
        await phone.registered()
        async with Sipp(left, tmp_path, "call_left", pbx.address, [CALLER], transport, dialled=CALLEE.user):
            await phone.rung()
            await phone.answer()
            await phone.hang_up()
