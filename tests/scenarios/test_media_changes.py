"""Hold, resume and other changes in mid-call: RFC 3264 section 8, RFC 3261 section 14."""

from __future__ import annotations

import pytest

from tests.scenarios.town import Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario


async def talking(world: World) -> tuple[Town, TownPhone, TownPhone]:
    """The town with 1001 and 1002, who talk; the ladder and the engine's log begin there."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    town.ladder.clear()
    town.engine.asked.clear()
    town.ladder.order("1001", "Beffroi", "1002")
    return town, alice, bruno


def other_codecs(phone: TownPhone, version: int = 2) -> bytes:
    """An offer that its peer has to hear of: µ-law alone."""
    body = phone.sdp(version=version).replace(b"RTP/AVP 8 0 101", b"RTP/AVP 0 101")
    return body.replace(b"a=rtpmap:8 PCMA/8000\r\n", b"")


@scenario()
async def test_hold_and_resume_are_between_the_party_and_us(world: World) -> None:
    """RFC 3665 section 3.7 has the re-INVITE; RFC 3264 section 8.4 the hold."""
    town, alice, bruno = await talking(world)
    alice.send("INVITE", body=alice.sdp(direction="sendonly", version=2))
    answer = await alice.expect(200)
    assert b"a=recvonly" in answer.body
    alice.ack(answer)
    await bruno.expect_silence(20)
    alice.send("INVITE", body=alice.sdp(version=3))
    answer = await alice.expect(200)
    assert b"a=sendrecv" in answer.body
    alice.ack(answer)
    assert town.asked() == ["offer a b1", "answer b1 a", "play b1", "offer a b1", "answer b1 a", "stop b1"]
    await town.hang_up(alice, bruno)
    assert_golden("hold", town.ladder)


@scenario()
async def test_the_callee_holds(world: World) -> None:
    town, alice, bruno = await talking(world)
    bruno.send("INVITE", body=bruno.sdp(direction="sendonly", version=2))
    bruno.ack(await bruno.expect(200))
    await alice.expect_silence(1)
    assert town.asked() == ["offer b1 a", "answer a b1", "play a"]
    await town.hang_up(bruno, alice)


@scenario()
async def test_both_hold_and_resume(world: World) -> None:
    town, alice, bruno = await talking(world)
    for phone, version, direction in (
        (alice, 2, "sendonly"),
        (bruno, 2, "sendonly"),
        (alice, 3, "sendrecv"),
        (bruno, 3, "sendrecv"),
    ):
        phone.send("INVITE", body=phone.sdp(direction=direction, version=version))
        answer = await phone.expect(200)
        assert {"sendonly": b"a=recvonly", "sendrecv": b"a=sendrecv"}[direction] in answer.body
        phone.ack(answer)
    await town.hang_up(bruno, alice)


@scenario()
async def test_a_device_that_won_from_another_holds(world: World) -> None:
    town = await start(world)
    bruno, alice, app = await town.phones("1002", "1001", "1001-app")
    await bruno.call("1001")
    to_alice, to_app = await alice.expect("INVITE"), await app.expect("INVITE")
    alice.reply(to_alice, 486)
    await alice.expect("ACK")
    app.answer(to_app)
    await app.expect("ACK")
    bruno.ack(await bruno.expect(200))
    app.send("INVITE", within=to_app, body=app.sdp(direction="sendonly", version=2))
    app.ack(await app.expect(200))
    await bruno.expect_silence(1)
    await town.hang_up(bruno, app)


@scenario()
async def test_other_codecs_are_the_other_partys_to_accept(world: World) -> None:
    town, alice, bruno = await talking(world)
    alice.send("INVITE", body=other_codecs(alice))
    offer = await bruno.expect("INVITE")
    assert b"RTP/AVP 0 101" in offer.body
    bruno.reply(offer, 200, body=other_codecs(bruno))
    await bruno.expect("ACK")
    answer = await alice.expect(200)
    assert b"RTP/AVP 0 101" in answer.body
    alice.ack(answer)
    assert_golden("other-codecs", town.ladder)
    await town.hang_up(alice, bruno)


@scenario()
async def test_a_change_that_the_other_side_refuses_changes_nothing(world: World) -> None:
    """RFC 3261 section 14.1."""
    town, alice, bruno = await talking(world)
    alice.send("INVITE", body=other_codecs(alice))
    bruno.reply(await bruno.expect("INVITE"), 488)
    await bruno.expect("ACK")
    await alice.expect(488)
    assert_golden("change-refused", town.ladder)
    await town.hang_up(alice, bruno)
    assert "completed" in await town.record()


@pytest.mark.parametrize("status", [407, 500, 603])
@scenario()
async def test_what_is_between_us_and_the_peer_reaches_the_other_side_as_488(
    world: World, status: int
) -> None:
    town, alice, bruno = await talking(world)
    alice.send("INVITE", body=other_codecs(alice))
    headers = [("Proxy-Authenticate", 'Digest realm="r", nonce="n"')] if status == 407 else []
    bruno.reply(await bruno.expect("INVITE"), status, headers=headers)
    await bruno.expect("ACK")
    await alice.expect(488)
    await town.hang_up(alice, bruno)


@scenario()
async def test_a_change_that_meets_another_is_made_again_a_moment_later(world: World) -> None:
    """RFC 3261 section 14.1: with our Call-ID after 2.1 to 4 s; the party that offered notices nothing."""
    town, alice, bruno = await talking(world)
    alice.send("INVITE", body=other_codecs(alice))
    bruno.reply(await bruno.expect("INVITE"), 491)
    await bruno.expect("ACK")
    before = world.loop.time()
    offer = await bruno.expect("INVITE", within_seconds=5)
    assert 2.1 <= world.loop.time() - before <= 4.1
    bruno.reply(offer, 200, body=other_codecs(bruno))
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    assert_golden("glare", town.ladder)
    await town.hang_up(alice, bruno)


@scenario()
async def test_of_two_changes_at_one_instant_one_goes_through(world: World) -> None:
    town, alice, bruno = await talking(world)
    alice.send("INVITE", body=other_codecs(alice))
    bruno.send("INVITE", body=other_codecs(bruno))
    _, offer = await bruno.expect_in_any_order("491 INVITE", "INVITE")
    bruno.reply(offer, 200, body=other_codecs(bruno))
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, bruno)


@scenario()
async def test_a_change_that_cannot_be_read_is_refused_with_488_and_the_call_goes_on(world: World) -> None:
    town, alice, bruno = await talking(world)
    alice.send("INVITE", body=b"v=0\r\nno media")
    await alice.expect(488)
    await bruno.expect_silence(1)
    await town.hang_up(alice, bruno)


@scenario()
async def test_whoever_asks_for_our_offer_is_told_what_its_peer_said(world: World) -> None:
    """A re-INVITE without offer (RFC 3261 section 14.2); the peer isn't bothered where nothing changes."""
    town, alice, bruno = await talking(world)
    alice.send("INVITE")
    offer = await alice.expect(200)
    assert b"RTP/AVP 8 0 101" in offer.body
    alice.ack(offer, body=alice.sdp(version=2))
    await bruno.expect_silence(1)
    await town.hang_up(alice, bruno)


@scenario()
async def test_an_answer_to_our_offer_that_changes_the_codec_is_told_to_the_peer(world: World) -> None:
    town, alice, bruno = await talking(world)
    alice.send("INVITE")
    alice.ack(await alice.expect(200), body=other_codecs(alice))
    offer = await bruno.expect("INVITE")
    assert b"RTP/AVP 0 101" in offer.body
    bruno.reply(offer, 200, body=other_codecs(bruno))
    await bruno.expect("ACK")
    await alice.expect_silence(1)
    await town.hang_up(alice, bruno)


@scenario()
async def test_a_change_that_is_taken_back_does_not_end_the_call(world: World) -> None:
    town, alice, bruno = await talking(world)
    change = alice.send("INVITE", body=other_codecs(alice))
    offer = await bruno.expect("INVITE")
    alice.cancel(change)
    await alice.expect_in_any_order("200 CANCEL", "487 INVITE")
    bruno.reply(offer, 200, body=other_codecs(bruno))
    await bruno.expect("ACK")
    back = await bruno.expect("INVITE")
    assert b"RTP/AVP 8 0 101" in back.body
    bruno.answer(back)
    await bruno.expect("ACK")
    await alice.expect_silence(1)
    await town.hang_up(alice, bruno)
    assert "completed" in await town.record()


@scenario()
async def test_hanging_up_while_a_change_is_under_way(world: World) -> None:
    town, alice, bruno = await talking(world)
    alice.send("INVITE", body=other_codecs(alice))
    offer = await bruno.expect("INVITE")
    alice.bye()
    await alice.expect_in_any_order("487 INVITE", "200 BYE")
    bruno.reply(await bruno.expect("BYE"), 200)
    bruno.reply(offer, 487)
    await bruno.expect("ACK")
    assert "completed" in await town.record()


@scenario()
async def test_a_change_waits_until_the_caller_has_acknowledged(world: World) -> None:
    """RFC 3261 section 14.1: no re-INVITE while another INVITE is under way in the dialog."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    bruno.answer(invite)
    await bruno.expect("ACK")
    answer = await alice.expect(200)
    bruno.send("INVITE", within=invite, body=other_codecs(bruno))
    await world.sleep(0.4)
    alice.ack(answer)
    alice.answer(await alice.expect("INVITE"))
    await alice.expect("ACK")
    bruno.ack(await bruno.expect(200))
    await town.hang_up(alice, bruno)


@scenario()
async def test_a_peer_that_does_not_answer_a_change_is_lost(world: World) -> None:
    """RFC 3261 section 12.2.1.2: a request within a dialog without any answer ends it."""
    town, alice, bruno = await talking(world)
    alice.send("INVITE", body=other_codecs(alice))
    await bruno.expect("INVITE")
    bruno.reply(await bruno.expect("BYE"), 200)
    bye = await alice.expect("BYE", passing_over=["487 INVITE", "408 INVITE"])
    alice.reply(bye, 200)
    assert "lost" in (await town.record()).splitlines()[0]


@scenario()
async def test_the_caller_holds_its_own_echo(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    await alice.call("9196")
    alice.ack(await alice.expect(200))
    alice.send("INVITE", body=alice.sdp(direction="sendonly", version=2))
    answer = await alice.expect(200)
    assert b"a=recvonly" in answer.body
    alice.ack(answer)
    await town.hang_up(alice)


@scenario()
async def test_an_answer_that_comes_while_the_peer_offers_is_told_when_that_is_over(world: World) -> None:
    """Alice asks for our offer and answers µ-law; Bruno's own offer waits for her, and is refused."""
    town, alice, bruno = await talking(world)
    alice.send("INVITE")
    ours = await alice.expect(200)
    bruno.send("INVITE", body=bruno.sdp(version=2).replace(b" 8 0 101", b" 9 101"))
    await world.sleep(0.1)
    alice.ack(ours, body=other_codecs(alice))
    alice.reply(await alice.expect("INVITE"), 488)
    await alice.expect("ACK")
    await bruno.expect("488 INVITE")
    offer = await bruno.expect("INVITE")
    assert b"RTP/AVP 0 101" in offer.body
    bruno.reply(offer, 200, body=other_codecs(bruno, version=3))
    await bruno.expect("ACK")
    await town.hang_up(alice, bruno)
