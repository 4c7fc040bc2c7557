"""Emergency calls: design, promise 3. Never challenged on a site's network, by the site's trunks first."""

from __future__ import annotations

import pytest

from tests.scenarios.town import PLAN_TEXT, Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario


async def calling(
    world: World, user: str, number: str = "18"
) -> tuple[Town, TownPhone, TownPhone, TownPhone]:
    """The town, a device that has never registered and has called, and the operators a and b."""
    town = await start(world)
    phone, a, b = town.phone(user), town.operator("operateur-a"), town.operator("operateur-b")
    town.ladder.order(user, "Beffroi", "operateur-a", "operateur-b")
    phone.invite(number)
    return town, phone, a, b


async def answer(town: Town, phone: TownPhone, operator: TownPhone) -> str:
    """The operator answers, they talk, the phone hangs up; returns the INVITE's From."""
    invite = await operator.expect("INVITE")
    assert invite.header("Priority") == "emergency"
    operator.answer(invite)
    await operator.expect("ACK")
    phone.ack(await phone.expect(200))
    await town.hang_up(phone, operator)
    return invite.header("From")


@pytest.mark.parametrize(
    ("user", "first", "shown"),
    [
        ("2010", "a", "+33383001010"),
        ("2201", "b", "+33383001201"),
        ("2301", "a", "+33383001301"),
        ("2401", "a", "+33383001401"),
    ],
)
@scenario()
async def test_18_from_each_site_goes_by_the_sites_first_trunk_unchallenged(
    world: World, user: str, first: str, shown: str
) -> None:
    town, phone, a, b = await calling(world, user)
    taken = a if first == "a" else b
    assert (await answer(town, phone, taken)).startswith(f"<sip:{shown}@valmont.example>")
    record = (await town.record()).splitlines()
    assert record[0].startswith(f"outbound {user} (")
    assert record[0].endswith("dialled 18 to 18: completed, 0.0 0.0")
    if user == "2201":
        assert_golden("emergency", town.ladder)


@scenario()
async def test_a_device_that_was_carried_to_another_site_shows_where_it_is(world: World) -> None:
    town = await start(world)
    phone, a = town.phone("2201", address="10.54.1.77"), town.operator("operateur-a")
    phone.invite("18")
    assert (await answer(town, phone, a)).startswith("<sip:+33383000100@valmont.example>")


@pytest.mark.parametrize(
    ("uri", "called"),
    [
        ("sip:018@valmont.example", "18"),
        ("sip:%31%38@valmont.example", "18"),
        ("tel:18", "18"),
        ("TEL:+33112", "112"),
        ("urn:service:sos", "112"),
        ("URN:service:sos.fire", "18"),
        ("sip:112;phone-context=+33@valmont.example;user=phone", "112"),
    ],
)
@scenario()
async def test_an_emergency_number_in_every_form(world: World, uri: str, called: str) -> None:
    town = await start(world)
    phone, b = town.phone("2201"), town.operator("operateur-b")
    phone.uri = uri
    phone.invite("x")
    invite = await b.expect("INVITE")
    assert invite.uri == f"sip:{called}@sip.operateur-b.example"
    b.answer(invite)
    await b.expect("ACK")
    phone.ack(await phone.expect(200))
    await town.hang_up(phone, b)


@scenario()
async def test_a_phone_that_nobody_knows_calls_for_help_with_its_sites_number(world: World) -> None:
    town = await start(world)
    phone, b = town.phone("9999", address="10.54.2.77"), town.operator("operateur-b")
    phone.invite("18")
    assert (await answer(town, phone, b)).startswith("<sip:+33383000200@valmont.example>")
    assert (await town.record()).splitlines()[0] == "outbound  dialled 18 to 18: completed, 0.0 0.0"


@scenario()
async def test_a_wrong_password_stops_no_emergency_call(world: World) -> None:
    town = await start(world)
    phone, b = town.phone("2201"), town.operator("operateur-b")
    phone.headers["Authorization"] = (
        'Digest username="2201", realm="valmont.example", nonce="x", response="y"'
    )
    phone.invite("18")
    phone_headers = phone.headers.pop("Authorization")
    assert phone_headers
    await answer(town, phone, b)


@scenario()
async def test_the_next_trunk_is_tried_after_3_s_with_nothing_but_a_100(world: World) -> None:
    town, phone, a, b = await calling(world, "2201")
    first = await b.expect("INVITE")
    b.reply(first, 100)
    await world.sleep(2.9)
    second = await a.expect("INVITE", within_seconds=0.15)
    b.reply(await b.expect("CANCEL"), 200)
    b.reply(first, 487)
    await b.expect("ACK")
    a.answer(second)
    await a.expect("ACK")
    phone.ack(await phone.expect(200))
    await world.sleep(60)
    await town.hang_up(phone, a)
    assert_golden("emergency-next-trunk", town.ladder)
    assert (await town.record()).splitlines()[2:] == [
        "  operateur-b 203.0.113.2:5060 udp -: no reply, 0.0 - 3.0",
        "  operateur-a 203.0.113.1:5060 udp PCMA: released, 3.0 3.0 63.0",
    ]


@scenario()
async def test_a_trunk_that_rings_is_not_left(world: World) -> None:
    town, phone, a, b = await calling(world, "2201")
    invite = await b.expect("INVITE")
    b.reply(invite, 180)
    await phone.expect(180)
    await a.expect_silence(10)
    b.answer(invite)
    await b.expect("ACK")
    phone.ack(await phone.expect(200))
    await town.hang_up(phone, b)


@scenario()
async def test_a_first_trunk_that_answers_too_late_is_hung_up(world: World) -> None:
    town, phone, a, b = await calling(world, "2201")
    first = await b.expect("INVITE")
    second = await a.expect("INVITE")
    b.answer(first)
    _, bye = await b.expect_in_any_order("ACK", "BYE")
    b.reply(bye, 200)
    a.answer(second)
    await a.expect("ACK")
    phone.ack(await phone.expect(200))
    await town.hang_up(phone, a)


@pytest.mark.parametrize("status", [404, 486, 503, 603])
@scenario()
async def test_any_refusal_leads_to_the_next_trunk(world: World, status: int) -> None:
    town, phone, a, b = await calling(world, "2201")
    b.reply(await b.expect("INVITE"), status)
    await b.expect("ACK")
    await answer(town, phone, a)


@scenario()
async def test_an_answer_that_cannot_be_used_leads_to_the_next_trunk(world: World) -> None:
    town, phone, a, b = await calling(world, "2201")
    b.reply(await b.expect("INVITE"), 200, body=b"v=0\r\nm=audio")
    _, bye = await b.expect_in_any_order("ACK", "BYE")
    b.reply(bye, 200)
    await answer(town, phone, a)


@scenario()
async def test_the_site_with_one_trunk_goes_on_with_all_others(world: World) -> None:
    town, phone, a, b = await calling(world, "2401")
    a.reply(await a.expect("INVITE"), 503)
    await a.expect("ACK")
    await answer(town, phone, b)


@scenario()
async def test_when_no_trunk_takes_it_the_caller_hears_so(world: World) -> None:
    town, phone, a, b = await calling(world, "2201")
    for trunk in (b, a):
        trunk.reply(await trunk.expect("INVITE"), 503)
        await trunk.expect("ACK")
    await phone.expect(183)
    town.finish_playing()
    await phone.expect(480)


@scenario()
async def test_it_takes_a_reserved_channel_when_all_others_are_busy(world: World) -> None:
    town = await start(world)
    phone, b = town.phone("2201"), town.operator("operateur-b")
    for _ in range(8):
        town.exchange.trunks.occupy("operateur-b")
    phone.invite("18")
    await answer(town, phone, b)
    for _ in range(8):
        town.exchange.trunks.free("operateur-b")


@scenario()
async def test_it_goes_to_the_next_trunk_when_the_reserved_channels_are_taken_too(world: World) -> None:
    town = await start(world)
    phone, a = town.phone("2201"), town.operator("operateur-a")
    for _ in range(10):
        town.exchange.trunks.occupy("operateur-b")
    phone.invite("18")
    await answer(town, phone, a)
    for _ in range(10):
        town.exchange.trunks.free("operateur-b")


@scenario()
async def test_it_waits_for_no_name_server_once_the_trunk_is_known(world: World) -> None:
    town = await start(world)
    phone, b = town.phone("2201"), town.operator("operateur-b")
    await world.sleep(3600)
    town.name_server_seconds = 60
    phone.invite("18")
    invite = await b.expect("INVITE", within_seconds=0.1)
    b.reply(invite, 100)
    b.answer(invite)
    await b.expect("ACK")
    phone.ack(await phone.expect(200))
    await town.hang_up(phone, b)


@scenario()
async def test_a_device_outside_the_towns_networks_is_challenged_and_then_gets_through(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    a = town.operator("operateur-a")
    alice.invite("18")
    challenge = await alice.expect(401)
    alice.authenticate(challenge)
    assert (await answer(town, alice, a)).startswith("<sip:+33383000100@valmont.example>")


@scenario()
async def test_a_paris_number_that_begins_like_112_is_no_emergency(world: World) -> None:
    _, phone, a, b = await calling(world, "2010", "0112345678")
    await phone.expect(401)
    await a.expect_silence(1)
    await b.expect_silence(1)


@scenario()
async def test_do_what_the_class_forbids_to_others(world: World) -> None:
    """2202's class allows internal calls only."""
    town, phone, _, b = await calling(world, "2202", "112")
    await answer(town, phone, b)


@scenario()
async def test_a_late_offer_is_no_hindrance(world: World) -> None:
    town = await start(world)
    phone, b = town.phone("2201"), town.operator("operateur-b")
    phone.invite("18", offer=False)
    b.answer(await b.expect("INVITE"))
    phone.ack(await phone.expect(200), body=phone.sdp())
    await b.expect("ACK")
    await town.hang_up(phone, b)


@scenario()
async def test_without_any_trunk_the_caller_hears_so(world: World) -> None:
    silent = PLAN_TEXT.replace("transport: udp", "transport: tls")  # not built: none can be seized
    town = await start(world, silent)
    phone = town.phone("2201")
    phone.invite("18")
    await phone.expect(183)
    town.finish_playing()
    await phone.expect(480)
    assert "to 18: no trunk" in await town.record()


@scenario()
async def test_without_a_media_process_the_two_ends_hear_each_other_directly(world: World) -> None:
    town = await start(world)
    phone, b = town.phone("2201"), town.operator("operateur-b")
    town.engine.lose()
    phone.invite("18")
    invite = await b.expect("INVITE")
    assert b"c=IN IP4 10.54.2." in invite.body  # the telephone's own address
    b.answer(invite)
    await b.expect("ACK")
    phone.ack(await phone.expect(200))
    await town.hang_up(phone, b)
    town.errors.expect("media engine lost", "emergency call without media relay")
    assert (await town.record()).splitlines()[0].endswith("dialled 18 to 18: completed, 0.0 0.0")


@scenario()
async def test_media_that_dies_while_help_answers_has_the_call_made_again_without_it(world: World) -> None:
    town = await start(world)
    phone, b = town.phone("2201"), town.operator("operateur-b")
    town.ladder.order("2201", "Beffroi", "operateur-b")
    phone.invite("18")
    first = await b.expect("INVITE")
    b.reply(first, 180)
    await phone.expect(180)
    town.engine.lose()
    b.answer(first)
    await b.expect("ACK")
    b.reply(await b.expect("BYE"), 200)
    second = await b.expect("INVITE")
    assert b"c=IN IP4 10.54.2." in second.body  # the telephone's own address
    b.answer(second)
    await b.expect("ACK")
    phone.ack(await phone.expect(200))
    await town.hang_up(phone, b)
    town.errors.expect("media engine lost", "emergency call without media relay")
    assert_golden("emergency-media-dies", town.ladder)


@scenario()
async def test_early_media_without_a_media_process_only_rings(world: World) -> None:
    town = await start(world)
    phone, b = town.phone("2201"), town.operator("operateur-b")
    phone.invite("18")
    invite = await b.expect("INVITE")
    town.engine.lose()
    b.reply(invite, 183, body=b.sdp())
    assert not (await phone.expect(183)).body
    b.answer(invite)
    await b.expect("ACK")
    b.reply(await b.expect("BYE"), 200)
    b.answer(await b.expect("INVITE"))
    await b.expect("ACK")
    phone.ack(await phone.expect(200))
    await town.hang_up(phone, b)
    town.errors.expect("media engine lost", "emergency call without media relay")


@scenario()
async def test_an_emergency_call_is_taken_during_a_shutdown(world: World) -> None:
    town = await start(world)
    phone, b = town.phone("2201"), town.operator("operateur-b")
    town.exchange.draining = True
    phone.invite("18")
    await answer(town, phone, b)
