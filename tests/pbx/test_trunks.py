"""The operators' lines: addresses, order, channels, credentials, and what recognises them."""

from __future__ import annotations

import pytest

from pbx.trunks import Attempt
from pbx.trunks.line import Line
from sip.core.flow import Flow
from sip.net.resolver import Naptr, Records, Srv
from tests.scenarios.town import PLAN_TEXT, SECRETS, Town, start
from tests.sim.world import World, scenario


def from_address(address: str) -> Flow:
    return Flow("UDP", ("10.54.0.10", 5060), (address, 5060))


def line(town: Town, name: str) -> Line:
    return town.exchange.trunks.line(name)


def tried(town: Town, *names: str, emergency: bool = False) -> list[str]:
    attempts: list[Attempt] = list(town.exchange.trunks.attempts(names, emergency=emergency))
    return [f"{attempt.line.trunk.name[-1]} {attempt.target.address}" for attempt in attempts]


@scenario()
async def test_an_operator_is_known_by_any_of_its_addresses(world: World) -> None:
    town = Town(world)
    town.records["sip.operateur-a.example", "A"] = Records(("203.0.113.1", "203.0.113.11"), 60)
    del town.names["sip.operateur-a.example"]
    await town.exchange.trunks.resolve()
    trunks = town.exchange.trunks
    assert trunks.of_source(from_address("203.0.113.1")) == "operateur-a"
    assert trunks.of_source(from_address("203.0.113.11")) == "operateur-a"
    assert trunks.of_source(from_address("203.0.113.2")) == "operateur-b"
    assert trunks.of_source(from_address("203.0.113.3")) is None


@scenario()
async def test_an_operator_is_found_by_naptr_and_srv_and_known_by_all_it_names(world: World) -> None:
    """RFC 3263 section 4."""
    town = Town(
        world, PLAN_TEXT.replace('\n    transport: udp\n    username: "0383', '\n    username: "0383')
    )
    town.records["sip.operateur-a.example", "NAPTR"] = Records(
        (Naptr(10, 10, "s", "SIP+D2U", "_sip._udp.op.example."),), 60
    )
    town.records["_sip._udp.op.example", "SRV"] = Records(
        (Srv(20, 0, 5070, "two.op.example."), Srv(10, 0, 5060, "one.op.example.")), 60
    )
    town.names |= {"one.op.example": "203.0.113.21", "two.op.example": "203.0.113.22"}
    await town.exchange.trunks.resolve()
    assert tried(town, "operateur-a") == ["a 203.0.113.21", "a 203.0.113.22"]
    assert town.exchange.trunks.of_source(from_address("203.0.113.22")) == "operateur-a"


@scenario()
async def test_before_the_names_are_looked_up_nobody_is_an_operator(world: World) -> None:
    assert Town(world).exchange.trunks.of_source(from_address("203.0.113.1")) is None


@scenario()
async def test_an_operator_written_as_an_address_is_known_at_once(world: World) -> None:
    town = Town(world, PLAN_TEXT.replace("sip.operateur-a.example", "192.0.2.50"))
    assert town.exchange.trunks.of_source(from_address("192.0.2.50")) == "operateur-a"


@scenario()
async def test_an_operator_is_known_by_the_networks_that_the_plan_lists(world: World) -> None:
    town = Town(
        world, PLAN_TEXT.replace("    channels: 30", "    sources: [198.51.100.0/28]\n    channels: 30")
    )
    assert town.exchange.trunks.of_source(from_address("198.51.100.9")) == "operateur-a"
    assert town.exchange.trunks.of_source(from_address("198.51.100.16")) is None


class ProvenFlow(Flow):
    """A TLS flow whose client certificate was verified."""

    def __init__(self, address: str, *names: str) -> None:
        super().__init__("TLS", ("10.54.0.10", 5061), (address, 40_000))
        self._names = names

    @property
    def certificate_names(self) -> tuple[str, ...]:
        return self._names


@scenario()
async def test_an_operator_is_known_by_its_certificate_wherever_it_calls_from(world: World) -> None:
    """RFC 5922 section 7."""
    town = Town(
        world, PLAN_TEXT.replace("    channels: 30", "    certificates: [Proxy.Op.example]\n    channels: 30")
    )
    trunks = town.exchange.trunks
    assert trunks.of_source(ProvenFlow("192.0.2.77", "op.example", "proxy.op.example")) == "operateur-a"
    assert trunks.of_source(ProvenFlow("192.0.2.77", "other.example")) is None
    assert trunks.of_source(ProvenFlow("192.0.2.77")) is None


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
async def test_an_operator_that_moves_is_found_again_once_its_ttl_is_over(world: World) -> None:
    town = await start(world)
    town.names["sip.operateur-a.example"] = "203.0.113.9"
    await world.sleep(59)
    await town.exchange.trunks.resolve()
    assert tried(town, "operateur-a") == ["a 203.0.113.1"]
    await world.sleep(2)
    await town.exchange.trunks.resolve()
    assert tried(town, "operateur-a") == ["a 203.0.113.9"]
    assert town.exchange.trunks.of_source(from_address("203.0.113.9")) == "operateur-a"
    assert town.exchange.trunks.of_source(from_address("203.0.113.1")) is None


@scenario()
async def test_a_server_that_failed_is_tried_after_the_others_for_a_minute(world: World) -> None:
    town = Town(world)
    del town.names["sip.operateur-a.example"]
    town.records["sip.operateur-a.example", "A"] = Records(("203.0.113.1", "203.0.113.11"), 600)
    await town.exchange.trunks.resolve()
    first, second = line(town, "operateur-a").targets()
    line(town, "operateur-a").missed(first)
    assert line(town, "operateur-a").targets() == [second, first]
    await world.sleep(61)
    assert line(town, "operateur-a").targets() == [first, second]


@scenario()
async def test_an_emergency_call_goes_from_trunk_to_trunk_before_a_trunks_second_server(
    world: World,
) -> None:
    """Design, promise 3: the next trunk after 3 s."""
    town = Town(world)
    del town.names["sip.operateur-b.example"]
    town.records["sip.operateur-b.example", "A"] = Records(("203.0.113.2", "203.0.113.12"), 600)
    await town.exchange.trunks.resolve()
    names = ("operateur-b", "operateur-a")
    assert tried(town, *names, emergency=True) == ["b 203.0.113.2", "a 203.0.113.1", "b 203.0.113.12"]
    assert tried(town, *names) == ["b 203.0.113.2", "b 203.0.113.12", "a 203.0.113.1"]


@scenario()
async def test_a_trunk_that_asked_to_wait_gets_nothing_but_help_and_that_last(world: World) -> None:
    """RFC 3261 section 21.5.4."""
    town = await start(world)
    names = ("operateur-b", "operateur-a")
    line(town, "operateur-b").refused("30")
    assert tried(town, *names) == ["a 203.0.113.1"]
    assert tried(town, *names, emergency=True) == ["a 203.0.113.1", "b 203.0.113.2"]
    await world.sleep(31)
    assert tried(town, *names) == ["b 203.0.113.2", "a 203.0.113.1"]


@pytest.mark.parametrize("value", ["", "soon", "-1", "0", "99999999999"])
@scenario()
async def test_a_retry_after_that_cannot_be_one_shuts_no_trunk(world: World, value: str) -> None:
    town = await start(world)
    line(town, "operateur-b").refused(value)
    assert tried(town, "operateur-b") == ["b 203.0.113.2"]


@scenario()
async def test_no_retry_after_shuts_a_trunk_for_more_than_ten_minutes(world: World) -> None:
    town = await start(world)
    line(town, "operateur-b").refused("86400")
    await world.sleep(599)
    assert tried(town, "operateur-b") == []
    await world.sleep(2)
    assert tried(town, "operateur-b") == ["b 203.0.113.2"]


@scenario()
async def test_an_ordinary_call_takes_all_channels_but_the_reserved_ones(world: World) -> None:
    town = await start(world)
    trunks, b = town.exchange.trunks, line(town, "operateur-b")
    assert [trunks.seize(b, emergency=False) for _ in range(9)] == [True] * 8 + [False]
    for _ in range(8):
        trunks.free("operateur-b")


@scenario()
async def test_an_emergency_call_takes_the_reserved_ones_too(world: World) -> None:
    town = await start(world)
    trunks, b = town.exchange.trunks, line(town, "operateur-b")
    assert [trunks.seize(b, emergency=True) for _ in range(11)] == [True] * 10 + [False]
    for _ in range(10):
        trunks.free("operateur-b")
    assert trunks.inventory()["trunk channels"] == 0


@scenario()
async def test_channels_are_counted_on_when_a_new_plan_changes_the_trunk(world: World) -> None:
    town = await start(world)
    trunks = town.exchange.trunks
    trunks.occupy("operateur-b")
    town.reload(PLAN_TEXT.replace("channels: 10", "channels: 20"))
    assert trunks.inventory()["trunk channels"] == 1
    trunks.free("operateur-b")
    assert trunks.inventory()["trunk channels"] == 0
    await trunks.settle()


@scenario()
async def test_a_trunk_without_an_address_is_unknown_and_tried_by_nobody(world: World) -> None:
    town = Town(world)
    town.names.clear()
    await town.exchange.trunks.resolve()
    assert tried(town, "operateur-b", emergency=True) == []
    unknown = town.exchange.trunks.unknown(["operateur-b", "operateur-a"])
    assert [one.trunk.name for one in unknown] == ["operateur-b", "operateur-a"]


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
