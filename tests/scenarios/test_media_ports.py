"""Ports for sound that run out, that are kept for emergency calls, and that are lost."""

from __future__ import annotations

from media.engines.fake import FakeEngine
from pbx.events import LegDeaf, MediaPortsExhausted
from tests.scenarios.town import BEFFROI, Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario


async def small_town(world: World) -> Town:
    """The town with ten ports: five pairs, two of which are kept."""
    engine = FakeEngine(BEFFROI[0], first_port=20000, last_port=20009, reserved_pairs=2)
    town = Town(world, engine=engine)
    await town.exchange.trunks.resolve()
    return town


async def busy_town(world: World) -> tuple[Town, TownPhone, TownPhone, TownPhone]:
    """The same, with one call: one pair is left that anybody may have."""
    town = await small_town(world)
    alice, bruno, anna = await town.phones("1001", "1002", "2010")
    await town.talk(alice, bruno)
    town.ladder.clear()
    town.ladder.order("2010", "Beffroi", "2020")
    return town, alice, bruno, anna


@scenario()
async def test_a_call_without_ports_is_refused_with_its_reason_and_told(world: World) -> None:
    """Q.850 34, as RFC 6432 has it in a Reason."""
    town, alice, bruno, anna = await busy_town(world)
    told: list[MediaPortsExhausted] = []
    town.exchange.events.subscribe(told.append, MediaPortsExhausted)
    (bela,) = await town.phones("2020")
    await anna.call("2020")
    refusal = await anna.expect(480)
    assert refusal.header("Reason").startswith("Q.850;cause=34")
    await bela.expect_silence(1)
    assert len(told) == 1
    assert_golden("no-media-port", town.ladder)
    await town.hang_up(alice, bruno)
    await world.sleep(0.1)
    assert [call.cause for call in town.calls] == ["media: no media port left", "completed"]


@scenario()
async def test_an_emergency_call_has_the_ports_that_were_kept(world: World) -> None:
    town, alice, bruno, _ = await busy_town(world)
    phone, b = town.phone("2201"), town.operator("operateur-b")
    phone.invite("18")
    invite = await b.expect("INVITE")
    assert f"c=IN IP4 {BEFFROI[0]}".encode() in invite.body
    b.answer(invite)
    await b.expect("ACK")
    phone.ack(await phone.expect(200))
    assert town.engine.inventory()["media_ports"] == 4
    await town.hang_up(phone, b)
    await town.hang_up(alice, bruno)


@scenario()
async def test_an_emergency_call_beyond_those_goes_without_us_and_is_told(world: World) -> None:
    town, alice, bruno, _ = await busy_town(world)
    told: list[MediaPortsExhausted] = []
    town.exchange.events.subscribe(told.append, MediaPortsExhausted)
    town.engine._free.clear()
    phone, b = town.phone("2201"), town.operator("operateur-b")
    phone.invite("18")
    invite = await b.expect("INVITE")
    assert b"c=IN IP4 10.54.2.1\r\n" in invite.body
    b.answer(invite)
    await b.expect("ACK")
    phone.ack(await phone.expect(200))
    await town.hang_up(phone, b)
    await town.hang_up(alice, bruno)
    town.errors.expect("emergency call without media relay")
    assert len(told) == 1


# Lost ports


@scenario()
async def test_a_party_whose_port_is_lost_is_offered_another_one(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    town.ladder.clear()
    town.ladder.order("1001", "Beffroi", "1002")
    deaf: list[LegDeaf] = []
    town.exchange.events.subscribe(deaf.append, LegDeaf)
    call = town.ongoing[0].id
    before = town.engine.snapshot(call).legs
    town.engine.lose_port(call, "b1")
    offer = await bruno.expect("INVITE")
    after = {leg.name: leg.port for leg in town.engine.snapshot(call).legs}
    assert after["b1"] not in [leg.port for leg in before]
    assert f"m=audio {after['b1']} ".encode() in offer.body
    bruno.reply(offer, 200, body=bruno.sdp(version=2))
    await bruno.expect("ACK")
    await alice.expect_silence(1)
    assert [event.leg for event in deaf] == ["b1"]
    assert town.ongoing[0].media == town.engine.snapshot(call)
    await town.hang_up(alice, bruno)
    assert_golden("lost-port", town.ladder)
    town.errors.expect("is to have another port")


@scenario()
async def test_both_ports_may_be_lost(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    call = town.ongoing[0].id
    town.engine.lose_port(call, "a")
    town.engine.lose_port(call, "b1")
    for phone in (alice, bruno):
        offer = await phone.expect("INVITE")
        phone.reply(offer, 200, body=phone.sdp(version=2))
        await phone.expect("ACK")
    await world.sleep(1)
    assert {leg.name: leg.peer for leg in town.engine.snapshot(call).legs} == {"a": "b1", "b1": "a"}
    await town.hang_up(alice, bruno)
    town.errors.expect("leg=a is to have another port", "leg=b1 is to have another port")


@scenario()
async def test_the_echo_has_another_port_too(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    await alice.call("9196")
    alice.ack(await alice.expect(200))
    await world.sleep(0.1)
    call = town.ongoing[0].id
    town.engine.lose_port(call, "a")
    offer = await alice.expect("INVITE")
    alice.reply(offer, 200, body=alice.sdp(version=2))
    await alice.expect("ACK")
    await world.sleep(0.1)
    (leg,) = town.engine.snapshot(call).legs
    assert f"m=audio {leg.port} ".encode() in offer.body
    assert leg.echoes
    alice.bye()
    await alice.expect("200 BYE")
    town.errors.expect("is to have another port")
