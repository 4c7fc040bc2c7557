"""Calls from outside: an operator is known by its address, and reaches our public numbers only."""

from __future__ import annotations

import pytest

from tests.scenarios.town import PLAN_TEXT, Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario


async def outside(world: World) -> tuple[Town, TownPhone, TownPhone]:
    """The town, operator a, and 2010, which has the direct number +33383001010."""
    town = await start(world)
    (office,) = await town.phones("2010")
    town.ladder.order("operateur-a", "Beffroi", "2010")
    return town, town.operator("operateur-a"), office


@scenario()
async def test_a_direct_number_rings_its_person(world: World) -> None:
    town, a, office = await outside(world)
    a.invite("+33383001010")
    invite = await office.expect("INVITE")
    assert invite.header("From").startswith("<sip:+33699999999@valmont.example>")
    office.reply(invite, 180)
    await a.expect(180)
    office.answer(invite)
    await office.expect("ACK")
    a.ack(await a.expect(200))
    await world.sleep(5)
    await town.hang_up(a, office)
    assert_golden("trunk-in", town.ladder)
    assert await town.record() == (
        "inbound +33699999999 dialled +33383001010 to 2010: completed, 0.0 5.0\n"
        "  operateur-a 203.0.113.1:5060 udp PCMA: hung up, 0.0 0.0 5.0\n"
        "  2010 10.54.1.10:5060 udp PCMA: released, 0.0 0.0 5.0"
    )


@pytest.mark.parametrize("written", ["33383001010", "0383001010", "+33383001010;npdi"])
@scenario()
async def test_operators_write_our_numbers_in_their_own_ways(world: World, written: str) -> None:
    _, a, office = await outside(world)
    a.invite(f"sip:{written}@10.54.0.10")
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    await a.expect(486)


@scenario()
async def test_a_public_number_of_a_service_reaches_the_service(world: World) -> None:
    town, a, _ = await outside(world)
    a.invite("+33383000199")
    await a.expect(183)
    town.finish_playing()
    await a.expect(480)
    assert "inbound +33699999999 dialled +33383000199 to fax-mairie: not available" in await town.record()


@scenario()
async def test_a_number_that_is_not_ours_is_refused_with_404(world: World) -> None:
    town, a, _ = await outside(world)
    a.invite("+33145000000")
    await a.expect(183)
    town.finish_playing()
    await a.expect(404)


@scenario()
async def test_an_extension_cannot_be_called_from_outside(world: World) -> None:
    town, a, _ = await outside(world)
    a.invite("2010")
    await a.expect(183)
    town.finish_playing()
    await a.expect(404)


@scenario()
async def test_a_stranger_is_challenged(world: World) -> None:
    _, _, office = await outside(world)
    stranger = world.phone("stranger", "203.0.113.66", server=("10.54.0.10", 5060), domain="valmont.example")
    stranger.invite("+33383001010")
    await stranger.expect(401)
    await office.expect_silence(1)


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ({"P-Asserted-Identity": "<sip:+33601020304@op.example;user=phone>"}, "<sip:+33601020304@"),
        ({"P-Asserted-Identity": '"Bob" <sip:+33601020304@op.example>'}, "<sip:+33601020304@"),
        ({"P-Asserted-Identity": "tel:+33-6-01-02-03-04"}, "<sip:+33601020304@"),
        ({"P-Asserted-Identity": "<sip:0601020304@op.example>"}, "<sip:+33601020304@"),
        ({"P-Asserted-Identity": "<<<"}, "<sip:+33699999999@"),
        ({"P-Asserted-Identity": "<sip:%0d%0aInjected:%20yes@op.example>"}, "<sip:+33699999999@"),
        ({"P-Asserted-Identity": "<sip:+33612345601@op.example>"}, '"Patrouille 1" <sip:+33612345601@'),
        ({"P-Asserted-Identity": "<sip:+33601020304@op.example>", "Privacy": "id"}, "<sip:anonymous@"),
        ({"Privacy": "user;header;critical"}, "<sip:anonymous@"),
        ({"Privacy": "none"}, "<sip:+33699999999@"),
    ],
)
@scenario()
async def test_who_calls_is_what_the_operator_asserts(
    world: World, headers: dict[str, str], shown: str
) -> None:
    """RFC 3325 sections 9.1 and 9.3."""
    _, a, office = await outside(world)
    a.headers.update(headers)
    a.invite("+33383001010")
    invite = await office.expect("INVITE")
    assert invite.header("From").startswith(shown)
    assert invite.all("Injected") == []
    a.headers.clear()
    office.reply(invite, 486)
    await office.expect("ACK")
    await a.expect(486)


@scenario()
async def test_a_call_from_an_operator_takes_one_of_its_channels(world: World) -> None:
    town, a, office = await outside(world)
    a.invite("+33383001010")
    invite = await office.expect("INVITE")
    assert town.exchange.trunks.inventory()["trunk channels"] == 1
    office.reply(invite, 486)
    await office.expect("ACK")
    await a.expect(486)
    await world.sleep(0.1)
    assert town.exchange.trunks.inventory()["trunk channels"] == 0


@scenario()
async def test_an_operator_is_still_known_after_the_plan_was_changed(world: World) -> None:
    town, a, office = await outside(world)
    town.reload(PLAN_TEXT.replace("Hôtel de ville", "Mairie"))
    a.invite("+33383001010")
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    await a.expect(486)


@scenario()
async def test_an_operator_that_the_plan_no_longer_has_is_a_stranger(world: World) -> None:
    town, a, office = await outside(world)
    town.reload(PLAN_TEXT.replace("sip.operateur-a.example", "192.0.2.99"))
    a.invite("+33383001010")
    await a.expect(401)
    await office.expect_silence(1)


@scenario()
async def test_a_call_that_the_plan_sends_on_shows_our_number_and_is_recorded_with_its_caller(
    world: World,
) -> None:
    town = await start(
        world, PLAN_TEXT.replace("unassigned: {to: standard}", 'unassigned: {to: "+33612345603"}')
    )
    a, b = town.operator("operateur-a"), town.operator("operateur-b")
    a.invite("+33383001150")  # nobody has it
    invite = await b.expect("INVITE")
    assert invite.header("From").startswith("<sip:+33383001150@valmont.example>")
    b.answer(invite)
    await b.expect("ACK")
    a.ack(await a.expect(200))
    await town.hang_up(a, b)
    assert await town.record() == (
        "inbound +33699999999 dialled +33383001150 to +33612345603: completed, 0.0 0.0\n"
        "  operateur-a 203.0.113.1:5060 udp PCMA: hung up, 0.0 0.0 0.0\n"
        "  operateur-b 203.0.113.2:5060 udp PCMA: released, 0.0 0.0 0.0"
    )
