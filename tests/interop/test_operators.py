"""Outside calls: SIPp plays the operators of the sample's two trunks, on addresses of the town's network."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.baresip import Baresip
from tests.interop.beffroi import OPERATORS, Beffroi
from tests.interop.namespaces import Town
from tests.interop.sipp import Account, Sipp

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("peers")]

OPERATOR_A, OPERATOR_B = OPERATORS["operateur-a"], OPERATORS["operateur-b"]
OPERATOR = Account("operator", "")
ETAT_CIVIL = Account("2010", "pw2010")
CITIZEN = Account("+33699999999", "")
TOWN_HALL_ADDRESS = "10.54.1.21"


async def test_a_call_to_a_mobile_leaves_by_the_operator_of_its_route(
    pbx: Beffroi, town: Town, tmp_path: Path
) -> None:
    phone, operator = town.plug(TOWN_HALL_ADDRESS), town.plug(OPERATOR_B)
    async with (
        Sipp(operator, tmp_path, "answer", pbx.address, [OPERATOR]),
        Sipp(phone, tmp_path, "call", pbx.address, [ETAT_CIVIL], dialled="00612345678"),
    ):
        pass
    (call,) = await pbx.ended_calls(1)
    assert (call["direction"], call["dialled"], call["to"]) == ("outbound", "00612345678", "+33612345678")
    assert call["legs"][0]["device"] == "2010"
    assert call["answered"] is not None


async def test_a_call_from_the_operator_reaches_the_person_with_the_direct_number(
    pbx: Beffroi, town: Town, tmp_path: Path
) -> None:
    operator, office = town.plug(OPERATOR_A), town.plug(TOWN_HALL_ADDRESS)
    async with Baresip(office, tmp_path, "2010", "pw2010", pbx.address) as phone:
        await phone.registered()
        async with Sipp(operator, tmp_path, "unchallenged", pbx.address, [CITIZEN], dialled="+33383001010"):
            assert "699999999@" in await phone.rung()
            await phone.answer()
            await phone.closed()
    (call,) = await pbx.ended_calls(1)
    assert (call["direction"], call["from"], call["to"]) == ("inbound", "+33699999999", "2010")


async def test_an_emergency_call_is_never_challenged(pbx: Beffroi, town: Town, tmp_path: Path) -> None:
    phone, operator = town.plug(TOWN_HALL_ADDRESS), town.plug(OPERATOR_A)
    async with (
        Sipp(operator, tmp_path, "answer", pbx.address, [OPERATOR]),
        Sipp(phone, tmp_path, "unchallenged", pbx.address, [ETAT_CIVIL], dialled="18"),
    ):
        pass
    (call,) = await pbx.ended_calls(1)
    assert (call["direction"], call["dialled"]) == ("outbound", "18")
    assert call["answered"] is not None


async def test_an_emergency_call_goes_on_to_the_next_operator_when_the_first_is_silent(
    pbx: Beffroi, town: Town, tmp_path: Path
) -> None:
    phone, operator = town.plug(TOWN_HALL_ADDRESS), town.plug(OPERATOR_B)
    town.plug(OPERATOR_A)  # its machine is there, its switch isn't
    async with (
        Sipp(operator, tmp_path, "answer", pbx.address, [OPERATOR]),
        Sipp(phone, tmp_path, "unchallenged", pbx.address, [ETAT_CIVIL], dialled="18"),
    ):
        pass
    (call,) = await pbx.ended_calls(1)
    assert call["answered"] is not None
