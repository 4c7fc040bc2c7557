"""Transfers: REFER (RFC 3515), attended by Replaces (RFC 3891), and what comes back when they fail."""

from __future__ import annotations

from tests.scenarios.town import Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.wire import Message
from tests.sim.world import World, scenario


async def refer(phone: TownPhone, to: str, *, within: Message | None = None) -> Message:
    """Send a REFER within a call; returns the first NOTIFY, which has been answered."""
    phone.send("REFER", within=within, headers=[("Refer-To", f"<{to}>")])
    accepted, notify = await phone.expect_in_any_order("202 REFER", "NOTIFY")
    assert notify.body.startswith(b"SIP/2.0 100")
    phone.reply(notify, 200)
    return accepted


async def notified(phone: TownPhone, status: int) -> Message:
    """Wait for the NOTIFY that tells `status`, and answer it."""
    notify = await phone.expect("NOTIFY")
    assert notify.body.startswith(f"SIP/2.0 {status}".encode()), notify.body
    phone.reply(notify, 200)
    return notify


async def talking(world: World, *further: str) -> tuple[Town, list[TownPhone]]:
    """The town with 1001 and 1002, who talk, and further phones."""
    town = await start(world)
    phones = await town.phones("1001", "1002", *further)
    await town.talk(phones[0], phones[1])
    town.ladder.clear()
    town.engine.asked.clear()
    return town, phones


@scenario()
async def test_a_blind_transfer_connects_the_party_that_stays(world: World) -> None:
    town, (alice, bruno, chloe) = await talking(world, "2010")
    town.ladder.order("1002", "1001", "Beffroi", "2010")
    await refer(alice, "sip:2010@valmont.example")
    invite = await chloe.expect("INVITE")
    chloe.reply(invite, 180)
    await notified(alice, 180)
    chloe.answer(invite)
    await chloe.expect("ACK")
    await notified(alice, 200)
    alice.bye()
    await alice.expect(200)
    await bruno.expect_silence(1)  # its stream came along
    assert_golden("blind-transfer", town.ladder)
    await town.hang_up(bruno, chloe)
    first, second = [call.cause for call in town.calls]
    assert (first, second) == ("transferred", "completed")


@scenario()
async def test_an_attended_transfer_connects_the_two_others(world: World) -> None:
    """RFC 3891; RFC 5589 section 7. Replaces names the second call, and is never sent out."""
    town, (alice, bruno, chloe) = await talking(world, "2010")
    first = alice.last_invite
    town.ladder.order("1002", "1001", "Beffroi", "2010")
    alice.send("INVITE", within=first, body=alice.sdp(direction="sendonly", version=2))
    alice.ack(await alice.expect(200))
    await alice.call("2010")
    chloe.answer(await chloe.expect("INVITE"))
    await chloe.expect("ACK")
    answer = await alice.expect(200)
    alice.ack(answer)
    town.ladder.clear()
    replaces = f"{answer.call_id}%3Bto-tag%3D{answer.to_tag}%3Bfrom-tag%3D{answer.from_tag}"
    alice.send(
        "REFER", within=first, headers=[("Refer-To", f"<sip:2010@valmont.example?Replaces={replaces}>")]
    )
    _, notify = await alice.expect_in_any_order("202 REFER", "NOTIFY")
    alice.reply(notify, 200)
    alice.reply(await alice.expect("BYE"), 200)
    await notified(alice, 200)
    await chloe.expect_silence(0.5)  # both streams came along
    await bruno.expect_silence(0.5)
    alice.bye(within=first)
    await alice.expect(200)
    assert_golden("attended-transfer", town.ladder)
    await town.hang_up(bruno, chloe)


@scenario()
async def test_a_blind_transfer_that_nobody_takes_comes_back(world: World) -> None:
    town, (alice, bruno, chloe) = await talking(world, "2010")
    await refer(alice, "sip:2010@valmont.example")
    chloe.reply(await chloe.expect("INVITE"), 486)
    await chloe.expect("ACK")
    await notified(alice, 486)
    await bruno.expect_silence(1)
    await town.hang_up(alice, bruno)
