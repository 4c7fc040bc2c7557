"""Calls over the operators' trunks, from inside: their order, their challenges, their failures."""

from __future__ import annotations

import pytest

from tests.scenarios.town import PLAN_TEXT, SECRETS, Town, TownPhone, reason_of, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


async def offices(world: World) -> tuple[Town, TownPhone, TownPhone, TownPhone]:
    """The town, 2010 (civil registry), and the operators a and b."""
    town = await start(world)
    (office,) = await town.phones("2010")
    town.ladder.order("2010", "Beffroi", "operateur-b", "operateur-a")
    return town, office, town.operator("operateur-a"), town.operator("operateur-b")


CHALLENGE = [("Proxy-Authenticate", 'Digest realm="operateur-b", nonce="n1", qop="auth"')]


@scenario()
async def test_a_call_to_a_mobile_over_the_route_of_the_plan(world: World) -> None:
    """Early media of the called network, a challenge of the operator (RFC 3261 section 22.3)."""
    town, office, _, b = await offices(world)
    await office.call("00612345678")
    invite = await b.expect("INVITE")
    assert invite.uri == "sip:+33612345678@sip.operateur-b.example"
    assert invite.header("From").startswith('"État civil" <sip:+33383001010@valmont.example>')
    assert invite.header("P-Asserted-Identity") == "<sip:+33383001010@sip.operateur-b.example>"
    b.reply(invite, 407, headers=CHALLENGE)
    await b.expect("ACK")
    again = await b.expect("INVITE")
    assert 'username="valmont"' in again.header("Proxy-Authorization")
    assert (again.call_id, again.from_tag, again.cseq) == (invite.call_id, invite.from_tag, invite.cseq + 1)
    b.reply(again, 183, body=b.sdp())
    early = await office.expect(183)
    assert b"m=audio" in early.body
    town.ladder.media("2010", "operateur-b", "ringing of the called network")
    await world.sleep(4)
    b.answer(again)
    await b.expect("ACK")
    office.ack(await office.expect(200))
    await world.sleep(6)
    await town.hang_up(office, b)
    assert_golden("outside-call", town.ladder)
    assert await town.record() == (
        "outbound 2010 (État civil) dialled 00612345678 to +33612345678: completed, 4.0 10.0\n"
        "  2010 10.54.1.10:5060 udp PCMA: hung up, 0.0 4.0 10.0\n"
        "  operateur-b 203.0.113.2:5060 udp PCMA: released, 0.0 4.0 10.0"
    )


@scenario()
async def test_a_second_challenge_is_a_refusal_and_the_next_trunk_is_tried(world: World) -> None:
    _, office, a, b = await offices(world)
    await office.call("00612345678")
    for _ in range(2):
        b.reply(await b.expect("INVITE"), 407, headers=CHALLENGE)
        await b.expect("ACK")
    a.reply(await a.expect("INVITE"), 486)
    await a.expect("ACK")
    await office.expect(486)


@scenario()
async def test_a_trunk_that_is_silent_is_left_for_the_next(world: World) -> None:
    """RFC 3665 section 3.4, with trunks where it has proxies."""
    town, office, a, b = await offices(world)
    await office.call("00612345678")
    await b.expect("INVITE")
    await world.sleep(7.9)
    invite = await a.expect("INVITE", within_seconds=0.3)
    assert invite.uri == "sip:+33612345678@sip.operateur-a.example"
    a.reply(invite, 180)
    await office.expect(180)
    a.answer(invite)
    await a.expect("ACK")
    office.ack(await office.expect(200))
    await world.sleep(30)
    await town.hang_up(office, a)
    assert_golden("trunk-silent", town.ladder)
    assert (await town.record()).splitlines()[2:] == [
        "  operateur-b 203.0.113.2:5060 udp -: no reply, 0.0 - 8.0",
        "  operateur-a 203.0.113.1:5060 udp PCMA: released, 8.0 8.0 38.0",
    ]


@scenario()
async def test_a_503_is_never_forwarded(world: World) -> None:
    """RFC 3261 section 16.7 step 6."""
    town, office, a, b = await offices(world)
    await office.call("00612345678")
    for trunk in (b, a):
        trunk.reply(await trunk.expect("INVITE"), 503)
        await trunk.expect("ACK")
    await office.expect(183)
    assert town.spoken() == ["Aucune ligne extérieure n'est disponible. Veuillez rappeler plus tard."]
    town.finish_playing()
    assert reason_of(await office.expect(480)) == 'Q.850;cause=34;text="No circuit available"'
    assert_golden("no-trunk", town.ladder)
    assert "to +33612345678: no trunk" in await town.record()


@pytest.mark.parametrize(("said", "told"), [(486, 486), (404, 404), (603, 603), (302, 480)])
@scenario()
async def test_what_the_called_network_says_is_told_and_no_other_trunk_tried(
    world: World, said: int, told: int
) -> None:
    town, office, a, b = await offices(world)
    await office.call("00612345678")
    b.reply(await b.expect("INVITE"), said)
    await b.expect("ACK")
    if said == 404:
        await town.refused(office, told)
        assert town.spoken() == ["Le numéro que vous avez composé n'est pas attribué."]
    else:
        await office.expect(told)
    await a.expect_silence(1)
    cause = "busy" if said == 486 else f"refused: {said}"
    assert f"to +33612345678: {cause}" in await town.record()


@scenario()
async def test_a_caller_who_gives_up_while_it_rings_outside(world: World) -> None:
    town, office, _, b = await offices(world)
    call = await office.call("00612345678")
    invite = await b.expect("INVITE")
    b.reply(invite, 180)
    await office.expect(180)
    office.cancel(call)
    await office.expect_in_any_order("200 CANCEL", "487 INVITE")
    b.reply(await b.expect("CANCEL"), 200)
    b.reply(invite, 487)
    await b.expect("ACK")
    assert "cancelled, - 0.0" in await town.record()


@scenario()
async def test_the_outside_callee_hangs_up(world: World) -> None:
    town, office, _, b = await offices(world)
    await town.talk_outside(office, "00612345678", b)
    await town.hang_up(b, office)
    assert (await town.record()).splitlines()[1:] == [
        "  2010 10.54.1.10:5060 udp PCMA: released, 0.0 0.0 0.1",
        "  operateur-b 203.0.113.2:5060 udp PCMA: hung up, 0.0 0.0 0.1",
    ]


@scenario()
async def test_an_answer_that_was_said_once_in_the_183_is_kept(world: World) -> None:
    town, office, _, b = await offices(world)
    await office.call("00612345678")
    invite = await b.expect("INVITE")
    b.reply(invite, 183, body=b.sdp())
    await office.expect(183)
    b.reply(invite, 200)
    await b.expect("ACK")
    answer = await office.expect(200)
    assert b"m=audio" in answer.body
    office.ack(answer)
    await town.hang_up(office, b)


@scenario()
async def test_early_media_that_cannot_be_read_is_plain_ringing(world: World) -> None:
    town, office, _, b = await offices(world)
    await office.call("00612345678")
    invite = await b.expect("INVITE")
    b.reply(invite, 180, body=b"v=0\r\nm=audio")
    assert (await office.expect(180)).body == b""
    b.answer(invite)
    await b.expect("ACK")
    office.ack(await office.expect(200))
    await town.hang_up(office, b)


@scenario()
async def test_an_answer_of_an_operator_that_cannot_be_used_ends_the_call_with_488(world: World) -> None:
    town, office, _, b = await offices(world)
    await office.call("00612345678")
    b.reply(await b.expect("INVITE"), 200, body=b"v=0\r\nm=audio")
    _, bye = await b.expect_in_any_order("ACK", "BYE")
    b.reply(bye, 200)
    await office.expect(488)
    assert "media: " in await town.record()


@scenario()
async def test_ringing_outside_ends_after_two_minutes_though_the_network_repeats_itself(world: World) -> None:
    town, office, _, b = await offices(world)
    await office.call("00612345678")
    invite = await b.expect("INVITE")
    b.reply(invite, 180)
    await office.expect(180)
    await world.sleep(70)
    b.reply(invite, 183)
    await office.expect(183, passing_over=[180])
    b.reply(await b.expect("CANCEL", within_seconds=50.1), 200)
    b.reply(invite, 487)
    await b.expect("ACK")
    refusal = await office.expect(480, passing_over=[180, 183])
    assert reason_of(refusal) == 'Q.850;cause=19;text="No answer from the user"'
    assert "no answer, - 120.0" in await town.record()


@scenario()
async def test_a_trunk_whose_name_is_unknown_is_left_for_the_next(world: World) -> None:
    town = Town(world)
    del town.names["sip.operateur-b.example"]
    (office,) = await town.phones("2010")
    a = town.operator("operateur-a")
    await town.talk_outside(office, "00612345678", a)
    await town.hang_up(office, a)


@scenario()
async def test_a_call_waits_for_no_name_server_once_the_trunk_is_known(world: World) -> None:
    town, office, _, b = await offices(world)
    await world.sleep(3600)
    town.name_server_seconds = 60
    await office.call("00612345678")
    b.reply(await b.expect("INVITE", within_seconds=0.1), 486)
    await b.expect("ACK")
    await office.expect(486)


@scenario()
async def test_a_name_server_that_says_nothing_costs_five_seconds_a_trunk_and_the_caller_hears_so(
    world: World,
) -> None:
    town = Town(world)
    town.name_server_seconds = 60
    (office,) = await town.phones("2010")
    await office.call("00612345678")
    await world.sleep(9.9)
    await office.expect(183, within_seconds=0.2)
    town.finish_playing()
    await office.expect(480)


@scenario()
async def test_a_caller_who_gives_up_while_a_name_is_looked_up_rings_nobody(world: World) -> None:
    town = Town(world)
    (office,) = await town.phones("2010")
    b = town.operator("operateur-b")
    town.name_server_seconds = 1.5
    call = await office.call("00612345678")
    await world.sleep(1)
    office.cancel(call)
    await office.expect_in_any_order("200 CANCEL", "487 INVITE")
    await b.expect_silence(10)
    assert (await town.record()).splitlines()[1:] == ["  2010 10.54.1.10:5060 udp -: cancelled, 0.0 - 1.0"]


@scenario()
async def test_a_trunk_that_no_socket_reaches_is_left_for_the_next(world: World) -> None:
    tcp = PLAN_TEXT.replace(
        "host: sip.operateur-b.example\n    transport: udp", "host: 203.0.113.2\n    transport: tcp"
    )
    town = await start(world, tcp)
    (office,) = await town.phones("2010")
    a = town.operator("operateur-a")
    await town.talk_outside(office, "00612345678", a)
    await town.hang_up(office, a)


@scenario()
async def test_an_ordinary_call_leaves_the_emergency_channels_free(world: World) -> None:
    town, office, a, b = await offices(world)
    for _ in range(8):  # of 10, 2 of them for emergency calls
        town.exchange.trunks.occupy("operateur-b")
    await town.talk_outside(office, "00612345678", a)
    await town.hang_up(office, a)
    await b.expect_silence(1)
    for _ in range(8):
        town.exchange.trunks.free("operateur-b")


@scenario()
async def test_a_late_offer_goes_outside(world: World) -> None:
    town, office, _, b = await offices(world)
    await office.call("00612345678", offer=False)
    invite = await b.expect("INVITE")
    assert invite.body == b""
    b.answer(invite)
    office.ack(await office.expect(200), body=office.sdp())
    assert (await b.expect("ACK")).body
    await town.hang_up(office, b)


@scenario()
async def test_a_plan_that_changes_while_a_trunk_is_tried_changes_nothing_for_the_call(world: World) -> None:
    town, office, a, b = await offices(world)
    await office.call("00612345678")
    invite = await b.expect("INVITE")
    town.reload(PLAN_TEXT.replace("via: [operateur-b, operateur-a]", "via: [operateur-a]"))
    b.reply(invite, 503)
    await b.expect("ACK")
    a.reply(await a.expect("INVITE"), 486)
    await a.expect("ACK")
    await office.expect(486)
