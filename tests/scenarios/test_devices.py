"""A person with several devices: all ring, one has the call."""

from __future__ import annotations

from tests.scenarios.town import Town, TownPhone, reason_of, start
from tests.sim.ladder import assert_golden
from tests.sim.wire import Message
from tests.sim.world import World, scenario


async def ringing(world: World) -> tuple[Town, TownPhone, TownPhone, TownPhone, Message, Message]:
    """1002 has called 1001; the town, 1002, 1001, 1001-app, and the INVITEs that the last two got."""
    town = await start(world)
    bruno, alice, app = await town.phones("1002", "1001", "1001-app")
    town.ladder.order("1002", "Beffroi", "1001", "1001-app")
    await bruno.call("1001")
    return town, bruno, alice, app, await alice.expect("INVITE"), await app.expect("INVITE")


@scenario()
async def test_all_devices_ring_and_the_others_hear_that_the_call_was_answered(world: World) -> None:
    """RFC 3326 section 2: no missed call where a colleague's or one's own other device has answered."""
    town, bruno, alice, app, to_alice, to_app = await ringing(world)
    alice.reply(to_alice, 180)
    app.reply(to_app, 180)
    await bruno.expect(180)
    await world.sleep(2)
    app.answer(to_app)
    await app.expect("ACK")
    bruno.ack(await bruno.expect(200))
    cancel = await alice.expect("CANCEL")
    assert reason_of(cancel) == 'SIP;cause=200;text="Call completed elsewhere"'
    alice.reply(cancel, 200)
    alice.reply(to_alice, 487)
    await alice.expect("ACK")
    await world.sleep(5)
    await town.hang_up(bruno, app)
    assert_golden("two-devices", town.ladder)
    assert await town.record() == (
        "internal 1002 (Bruno Petit) dialled 1001 to 1001: completed, 2.0 7.0\n"
        "  1002 192.0.2.2:5060 udp PCMA: hung up, 0.0 2.0 7.0\n"
        "  1001 192.0.2.1:5060 udp -: answered elsewhere, 0.0 - 2.0\n"
        "  1001-app 198.51.100.7:5060 udp PCMA: released, 0.0 2.0 7.0"
    )


@scenario()
async def test_the_caller_hears_its_own_phones_ringback_whatever_the_devices_send(world: World) -> None:
    """One 180 without SDP: no device's early media decides for the others."""
    town, bruno, alice, app, to_alice, to_app = await ringing(world)
    alice.reply(to_alice, 183, body=alice.sdp())
    app.reply(to_app, 180, body=app.sdp())
    told = await bruno.expect(180)
    assert told.body == b""
    await bruno.expect_silence(5)
    assert town.asked() == ["offer a b1"]
    alice.reply(to_alice, 486)
    app.reply(to_app, 486)
    await alice.expect("ACK")
    await app.expect("ACK")
    await bruno.expect(486)


@scenario()
async def test_no_answer_is_committed_before_the_winning_200(world: World) -> None:
    town, bruno, alice, app, to_alice, to_app = await ringing(world)
    alice.reply(to_alice, 183, body=alice.sdp())
    await bruno.expect(180)
    assert town.asked() == ["offer a b1"]
    app.answer(to_app)
    await app.expect("ACK")
    bruno.ack(await bruno.expect(200))
    assert town.asked() == ["offer a b1", "answer b1 a"]
    alice.reply(await alice.expect("CANCEL"), 200)
    alice.reply(to_alice, 487)
    await alice.expect("ACK")
    await town.hang_up(bruno, app)
    await world.sleep(1)
    assert town.asked() == ["offer a b1", "answer b1 a", "delete"]


@scenario()
async def test_every_device_gets_the_same_offer(world: World) -> None:
    _, bruno, alice, app, to_alice, to_app = await ringing(world)
    assert to_alice.body == to_app.body != b""
    alice.reply(to_alice, 603)
    app.reply(to_app, 603)
    await alice.expect("ACK")
    await app.expect("ACK")
    await bruno.expect(603)


@scenario()
async def test_two_devices_that_answer_at_one_instant_are_told_apart(world: World) -> None:
    """RFC 3261 section 13.2.2.4: the one that has lost gets its ACK and a BYE."""
    town, bruno, alice, app, to_alice, to_app = await ringing(world)
    alice.answer(to_alice)
    app.answer(to_app)
    await alice.expect("ACK")
    _, bye = await app.expect_in_any_order("ACK", "BYE")
    assert reason_of(bye) == 'SIP;cause=200;text="Call completed elsewhere"'
    app.reply(bye, 200)
    bruno.ack(await bruno.expect(200))
    await world.sleep(3)
    await town.hang_up(bruno, alice)
    assert_golden("two-answers", town.ladder)
    assert (await town.record()).splitlines()[1:] == [
        "  1002 192.0.2.2:5060 udp PCMA: hung up, 0.0 0.0 3.0",
        "  1001 192.0.2.1:5060 udp PCMA: released, 0.0 0.0 3.0",
        "  1001-app 198.51.100.7:5060 udp -: answered elsewhere, 0.0 0.0 0.0",
    ]


@scenario()
async def test_a_device_that_answers_second_and_hangs_up_at_once_ends_nothing(world: World) -> None:
    """All of it in one batch of datagrams, before the call has chosen."""
    town, bruno, alice, app, to_alice, to_app = await ringing(world)
    town.read_in_batches(0.01)
    alice.answer(to_alice)
    app.answer(to_app)
    app.bye(to_app)
    await alice.expect("ACK")
    bruno.ack(await bruno.expect(200))
    await app.expect_in_any_order("ACK", "200 BYE")
    await world.sleep(3)
    await town.hang_up(bruno, alice)


@scenario()
async def test_an_answer_and_the_callers_cancel_in_one_batch_hang_the_callee_up(world: World) -> None:
    town, bruno, alice, app, to_alice, to_app = await ringing(world)
    town.read_in_batches(0.01)
    app.reply(to_app, 486)
    alice.answer(to_alice)
    bruno.cancel(bruno.last_invite)
    await bruno.expect_in_any_order("200 CANCEL", "487 INVITE")
    await app.expect("ACK")
    _, bye = await alice.expect_in_any_order("ACK", "BYE")
    alice.reply(bye, 200)
    assert "to 1001: cancelled" in await town.record()


@scenario()
async def test_a_device_that_answers_and_hangs_up_while_another_wins_ends_nothing(world: World) -> None:
    town, bruno, alice, app, to_alice, to_app = await ringing(world)
    alice.answer(to_alice)
    app.answer(to_app)
    app.bye(to_app)
    await alice.expect("ACK")
    bruno.ack(await bruno.expect(200))
    await app.expect_in_any_order("ACK", "BYE", "481 BYE")
    app.reply(to_app, 200)
    await world.sleep(3)
    await town.hang_up(bruno, alice)


@scenario()
async def test_a_device_that_refuses_leaves_the_others_ringing(world: World) -> None:
    town, bruno, alice, app, to_alice, to_app = await ringing(world)
    alice.reply(to_alice, 486)
    await alice.expect("ACK")
    app.reply(to_app, 180)
    await bruno.expect(180)
    app.answer(to_app)
    await app.expect("ACK")
    bruno.ack(await bruno.expect(200))
    await town.hang_up(bruno, app)
    assert (await town.record()).splitlines()[2:] == [
        "  1001 192.0.2.1:5060 udp -: 486 Busy Here, 0.0 - 0.0",
        "  1001-app 198.51.100.7:5060 udp PCMA: released, 0.0 0.0 0.0",
    ]


@scenario()
async def test_a_call_to_ones_own_number_rings_ones_other_devices(world: World) -> None:
    town = await start(world)
    alice, app = await town.phones("1001", "1001-app")
    await app.call("1001")
    alice.answer(await alice.expect("INVITE"))
    await alice.expect("ACK")
    app.ack(await app.expect(200))
    await town.hang_up(app, alice)


@scenario()
async def test_a_call_to_ones_own_number_from_ones_only_device_reaches_nobody(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    await alice.call("1001")
    assert reason_of(await town.refused(alice, 480)) == 'Q.850;cause=20;text="Subscriber absent"'


@scenario()
async def test_busy_tells_more_than_unreachable(world: World) -> None:
    _, bruno, alice, app, to_alice, to_app = await ringing(world)
    alice.reply(to_alice, 486)
    app.reply(to_app, 404)
    await alice.expect("ACK")
    await app.expect("ACK")
    await bruno.expect(486)


@scenario()
async def test_a_caller_who_gives_up_silences_every_device(world: World) -> None:
    _, bruno, alice, app, to_alice, to_app = await ringing(world)
    alice.reply(to_alice, 180)
    app.reply(to_app, 180)
    await bruno.expect(180)
    bruno.cancel(bruno.last_invite)
    await bruno.expect_in_any_order("200 CANCEL", "487 INVITE")
    for phone, invite in ((alice, to_alice), (app, to_app)):
        cancel = await phone.expect("CANCEL")
        assert reason_of(cancel) == ""
        phone.reply(cancel, 200)
        phone.reply(invite, 487)
        await phone.expect("ACK")


@scenario()
async def test_the_last_refusal_and_the_callers_cancel_at_one_instant_are_no_error(world: World) -> None:
    town, bruno, alice, app, to_alice, to_app = await ringing(world)
    alice.reply(to_alice, 486)
    app.reply(to_app, 486)
    bruno.cancel(bruno.last_invite)
    await alice.expect("ACK")
    await app.expect("ACK")
    await bruno.expect_in_any_order("200 CANCEL", "487 INVITE")
    assert "cancelled" in (await town.record()).splitlines()[1]
