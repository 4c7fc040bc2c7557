"""A real phone that keeps its flow and has a GRUU (RFC 5626, RFC 5627): baresip, over UDP and TCP."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.baresip import Baresip
from tests.interop.beffroi import Beffroi
from tests.interop.namespaces import Town

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("peers")]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_phone_with_outbound_registers_a_flow_and_is_called_over_it(
    pbx: Beffroi, town: Town, tmp_path: Path, transport: str
) -> None:
    proxy = f"sip:{pbx.address};transport={transport};lr"
    more = f';sipnat=outbound;outbound="{proxy}"'
    left, right = town.plug("10.54.1.11"), town.plug("10.54.3.12")
    async with (
        Baresip(left, tmp_path, "1001", "pw1001", pbx.address, transport, 440, more=more) as alice,
        Baresip(right, tmp_path, "1002", "pw1002", pbx.address, transport, 850) as bruno,
    ):
        await alice.registered()
        await bruno.registered()
        await bruno.dial("1001")
        await alice.rung()
        await alice.answer()
        await bruno.answered()
        await alice.hears(850)
        await bruno.hears(440)
        await alice.hang_up()
        await bruno.closed()
        await alice.dial("1002")
        await bruno.rung()
        await bruno.answer()
        await alice.answered()
        await bruno.hang_up()
        await alice.closed()
    log = (tmp_path / "serve.log").read_text(errors="replace")
    assert "Require: outbound" in log
    assert "reg-id=1" in log
    assert "pub-gruu=" in log
