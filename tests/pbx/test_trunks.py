"""The operators' lines: addresses, channels, credentials."""

from __future__ import annotations

import pytest

from dialplan.plan import Trunk
from sip.core.flow import Flow
from tests.scenarios.town import PLAN_TEXT, SECRETS, Town, start
from tests.sim.world import World, scenario


def from_address(address: str) -> Flow:
    return Flow("UDP", ("10.54.0.10", 5060), (address, 5060))


def trunk(town: Town, name: str) -> Trunk:
    return town.exchange.plan.trunks[name]


@scenario()
async def test_an_operator_is_known_by_any_of_its_addresses(world: World) -> None:
    town = await start(world)
    trunks = town.exchange.trunks
    assert trunks.of_source(from_address("203.0.113.1")) == "operateur-a"
    assert trunks.of_source(from_address("203.0.113.2")) == "operateur-b"
    assert trunks.of_source(from_address("203.0.113.3")) is None


@scenario()
async def test_before_the_names_are_looked_up_nobody_is_an_operator(world: World) -> None:
    assert Town(world).exchange.trunks.of_source(from_address("203.0.113.1")) is None


@scenario()
async def test_an_operator_written_as_an_address_is_known_at_once(world: World) -> None:
    town = Town(world, PLAN_TEXT.replace("sip.operateur-a.example", "192.0.2.50"))
    assert town.exchange.trunks.of_source(from_address("192.0.2.50")) == "operateur-a"


@scenario()
async def test_two_trunks_at_one_address_are_the_first_of_the_plan(world: World) -> None:
    town = Town(world)
    town.names["sip.operateur-b.example"] = town.names["sip.operateur-a.example"]
    await town.exchange.trunks.resolve()
    assert town.exchange.trunks.of_source(from_address("203.0.113.1")) == "operateur-a"


@scenario()
async def test_a_known_address_outlives_a_new_plan_and_a_name_server_that_is_away(world: World) -> None:
    town = await start(world)
    town.names.clear()
    town.reload(PLAN_TEXT)
    assert town.exchange.trunks.of_source(from_address("203.0.113.1")) == "operateur-a"
    await world.sleep(61)
    await town.exchange.trunks.resolve()
    assert town.exchange.trunks.of_source(from_address("203.0.113.1")) == "operateur-a"


@scenario()
async def test_an_operator_that_moves_is_found_again_after_a_minute(world: World) -> None:
    town = await start(world)
    town.names["sip.operateur-a.example"] = "203.0.113.9"
    await world.sleep(61)
    flow = await town.exchange.trunks.seize(trunk(town, "operateur-a"), emergency=False)
    assert flow is not None
    assert flow.remote == ("203.0.113.9", 5060)
    assert town.exchange.trunks.of_source(from_address("203.0.113.9")) == "operateur-a"
    assert town.exchange.trunks.of_source(from_address("203.0.113.1")) is None
    town.exchange.trunks.free("operateur-a")


@scenario()
async def test_an_ordinary_call_takes_all_channels_but_the_reserved_ones(world: World) -> None:
    town = await start(world)
    trunks, b = town.exchange.trunks, trunk(town, "operateur-b")
    taken = [await trunks.seize(b, emergency=False) for _ in range(9)]
    assert [flow is not None for flow in taken] == [True] * 8 + [False]
    for _ in range(8):
        trunks.free("operateur-b")


@scenario()
async def test_an_emergency_call_takes_the_reserved_ones_too(world: World) -> None:
    town = await start(world)
    trunks, b = town.exchange.trunks, trunk(town, "operateur-b")
    taken = [await trunks.seize(b, emergency=True) for _ in range(11)]
    assert [flow is not None for flow in taken] == [True] * 10 + [False]
    for _ in range(10):
        trunks.free("operateur-b")
    assert trunks.inventory() == {"trunk channels": 0}


@scenario()
async def test_a_trunk_that_cannot_be_reached_takes_no_channel(world: World) -> None:
    town = Town(world)
    town.names.clear()
    assert await town.exchange.trunks.seize(trunk(town, "operateur-b"), emergency=True) is None
    assert town.exchange.trunks.inventory() == {"trunk channels": 0}


@scenario()
async def test_a_transport_that_is_not_built_is_no_way_out(world: World) -> None:
    town = await start(world, PLAN_TEXT.replace("transport: udp", "transport: tls"))
    assert await town.exchange.trunks.seize(trunk(town, "operateur-a"), emergency=True) is None


@scenario()
async def test_a_trunk_without_a_secret_answers_no_challenge(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)
    town = await start(world)
    (office,) = await town.phones("2010")
    b, a = town.operator("operateur-b"), town.operator("operateur-a")
    await office.call("00612345678")
    for operator in (b, a):
        headers = [("Proxy-Authenticate", 'Digest realm="r", nonce="n", qop="auth"')]
        operator.reply(await operator.expect("INVITE"), 407, headers=headers)
        await operator.expect("ACK")
    await office.expect(183)
    town.finish_playing()
    await office.expect(480)


@pytest.mark.parametrize(
    "value", ["Basic realm=x", 'Digest realm="r", nonce="n", algorithm=SHA-512-256', "Digest"]
)
@scenario()
async def test_a_challenge_that_cannot_be_answered_leads_to_the_next_trunk(
    world: World, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("OPERATEUR_B_SECRET", "secret-b")
    town = await start(world)
    (office,) = await town.phones("2010")
    b, a = town.operator("operateur-b"), town.operator("operateur-a")
    await office.call("00612345678")
    b.reply(await b.expect("INVITE"), 407, headers=[("Proxy-Authenticate", value)])
    await b.expect("ACK")
    a.reply(await a.expect("INVITE"), 486)
    await a.expect("ACK")
    await office.expect(486)
