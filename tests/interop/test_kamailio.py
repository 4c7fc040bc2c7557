"""A trunk to a real switch: Kamailio as the operator, a mobile behind it, a second Kamailio beside it.

    2010 (baresip) ── Beffroi ── Kamailio 10.54.9.2 ── mobile (baresip)
                          └───── Kamailio 10.54.9.3 ───────┘

Beffroi registers and answers the challenge of each INVITE; sound goes directly to the mobile.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.interop.baresip import Baresip
from tests.interop.beffroi import OPERATORS, Beffroi, write_configuration
from tests.interop.kamailio import Kamailio
from tests.interop.namespaces import Town
from tests.interop.patience import until

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("other phones")]

FIRST, SECOND, MOBILE = OPERATORS["operateur-b"], "10.54.9.3", "10.54.9.9"
OFFICE_HZ, MOBILE_HZ = 440, 850
OFFICE_NUMBER, MOBILE_NUMBER = "+33383001010", "+33612345678"
BROKEN_SECONDS = 15.0  # a server that is gone is left after 4 s; the rest is for a busy machine


@dataclass
class Line:
    """The office's phone, the mobile, and what is between them."""

    pbx: Beffroi
    office: Baresip
    mobile: Baresip
    first: Kamailio
    second: Kamailio


@pytest_asyncio.fixture
async def line(town: Town, tmp_path: Path) -> AsyncIterator[Line]:
    """Beffroi registered at the first Kamailio, everybody idle."""
    configuration = write_configuration(tmp_path, str(town.hub.address))
    plan = tmp_path / "valmont.yaml"
    trunk = f"host: {FIRST}\n"
    text = plan.read_text()
    assert text.count(trunk) == 1
    plan.write_text(text.replace(trunk, f"{trunk}    proxy: [{FIRST}, {SECOND}]\n    register: true\n"))
    pbx = Beffroi(town.hub, configuration)
    places = {address: town.plug(address) for address in (FIRST, SECOND, MOBILE, "10.54.1.61")}
    try:
        async with AsyncExitStack() as stack:
            first, second = [
                await stack.enter_async_context(
                    Kamailio(places[address], tmp_path, pbx.address, "valmont", "secret-b", MOBILE)
                )
                for address in (FIRST, SECOND)
            ]
            await pbx.start()
            office, mobile = [
                await stack.enter_async_context(phone)
                for phone in (
                    Baresip(places["10.54.1.61"], tmp_path, "2010", "pw2010", pbx.address, "udp", OFFICE_HZ),
                    Baresip(
                        places[MOBILE], tmp_path, MOBILE_NUMBER, "", FIRST, "udp", MOBILE_HZ, register=False
                    ),
                )
            ]
            await office.registered()
            await until(lambda: registered(pbx), "the trunk to be registered", BROKEN_SECONDS)
            yield Line(pbx, office, mobile, first, second)
        await pbx.stop()
    finally:
        await pbx.kill()


async def registered(pbx: Beffroi) -> bool:
    trunks = await pbx.command("trunk", "list")
    return any(trunk["name"] == "operateur-b" and trunk["state"] == "up" for trunk in trunks)


async def hear_each_other(line: Line) -> None:
    await line.office.hears(MOBILE_HZ)
    await line.mobile.hears(OFFICE_HZ)


async def call_out(line: Line) -> None:
    """The office calls the mobile; they hear each other; the mobile hangs up."""
    await line.office.dial("00612345678")
    caller = await line.mobile.rung(BROKEN_SECONDS)
    assert caller.startswith(f"sip:{OFFICE_NUMBER}@")
    await line.mobile.answer()
    await line.office.answered()
    await hear_each_other(line)
    await line.mobile.hang_up()
    await line.office.closed()


async def call_in(line: Line, switch: Kamailio) -> None:
    """The mobile calls the office over a switch; they hear each other; the office hangs up."""
    await line.mobile.dial(f"sip:{OFFICE_NUMBER}@{switch.address}")
    assert "612345678@" in await line.office.rung()
    await line.office.answer()
    await line.mobile.answered()
    await hear_each_other(line)
    await line.office.hang_up()
    await line.mobile.closed()


async def test_calls_out_and_in_pass_a_switch_that_challenges(line: Line) -> None:
    """RFC 3261 sections 10, 16.12 and 22.3: REGISTER and INVITE come twice, then with credentials."""
    await call_out(line)
    await call_in(line, line.first)
    seen = line.first.seen()
    town = line.pbx.address
    registers = [request for request in seen if request.startswith("REGISTER ")]
    invites = [r for r in seen if r.startswith("INVITE ") and r.endswith(f"from {town}")]
    assert (len(registers), len(invites)) == (2, 2)
    assert not [request for request in line.second.seen() if request.startswith("INVITE ")]
    out, into = await line.pbx.ended_calls(2)
    assert (out["direction"], out["to"]) == ("outbound", MOBILE_NUMBER)
    assert (into["direction"], into["from"], into["to"]) == ("inbound", MOBILE_NUMBER, "2010")


async def test_calls_go_on_over_the_second_switch_when_the_first_is_killed(line: Line) -> None:
    """RFC 3263 section 4.3."""
    await line.first.kill()
    await call_out(line)
    await call_in(line, line.second)
    out, into = await line.pbx.ended_calls(2)
    assert (out["cause"], into["cause"]) == ("completed", "completed")


async def test_a_call_in_progress_outlives_its_switch_and_is_hung_up(line: Line) -> None:
    """Sound doesn't pass the switch; what is said of the call's end is lost with it."""
    await line.office.dial("00612345678")
    await line.mobile.rung()
    await line.mobile.answer()
    await line.office.answered()
    await line.first.kill()
    await hear_each_other(line)
    await line.office.hang_up()
    await line.office.dial("9196")
    await line.office.answered()
    await line.office.hears(OFFICE_HZ)
    await line.office.hang_up()
