"""Sessions of Beffroi's core on the virtual network: races and losses, against a scripted phone."""

from __future__ import annotations

import pytest

from tests.sim.desk import DESK, Desk
from tests.sim.network import CUT, Link
from tests.sim.phone import Phone
from tests.sim.world import World, run, scenario


def pair(world: World) -> tuple[Phone, Desk]:
    return world.phone("Alice", "192.0.2.1", server=DESK, domain="valmont.example"), Desk(world)


@scenario()
async def test_reinvites_that_cross_are_both_refused_with_491(world: World) -> None:
    """RFC 3261 section 14.2."""
    alice, desk = pair(world)
    session = await desk.answered_call(alice)
    alice.send("INVITE", body=alice.sdp(version=2))
    desk.offer(session)
    _, theirs = await alice.expect_in_any_order("491 INVITE", "INVITE")
    alice.reply(theirs, 491)
    await alice.expect("ACK")
    assert desk.facts == ["offer refused 491"]
    alice.bye()
    await alice.expect("200 BYE")


@scenario()
async def test_byes_that_cross_are_both_answered(world: World) -> None:
    alice, desk = pair(world)
    session = await desk.answered_call(alice)
    alice.bye()
    desk.hang_up(session)
    alice.reply(await alice.expect("BYE"), 200)
    await alice.expect("481 BYE")  # the dialog is over on our side: 12.2.2


@scenario()
async def test_the_2xx_of_a_second_fork_is_acknowledged_and_hung_up(world: World) -> None:
    """RFC 3261 section 13.2.2.4."""
    alice, desk = pair(world)
    session = desk.call(alice)
    invite = await alice.expect("INVITE")
    first = alice.answer(invite)
    await alice.expect("ACK")
    alice.answer(invite, tag="second-fork")
    ack, bye = await alice.expect_in_any_order("ACK", "BYE")
    assert (ack.to_tag, bye.to_tag) == ("second-fork", "second-fork")
    alice.reply(bye, 200)
    assert desk.facts == ["answered with sdp"]
    desk.hang_up(session)
    bye = await alice.expect("BYE")
    assert bye.to_tag == first.to_tag
    alice.reply(bye, 200)


@scenario()
async def test_the_fork_that_answers_is_the_dialog_whoever_rang_first(world: World) -> None:
    alice, desk = pair(world)
    session = desk.call(alice)
    invite = await alice.expect("INVITE")
    alice.reply(invite, 183, body=alice.sdp(), tag="first-fork")
    alice.reply(invite, 180, tag="second-fork")
    alice.answer(invite, tag="second-fork")
    assert (await alice.expect("ACK")).to_tag == "second-fork"
    desk.hang_up(session)
    bye = await alice.expect("BYE")
    assert bye.to_tag == "second-fork"
    alice.reply(bye, 200)


@scenario()
async def test_a_cancel_waits_for_a_provisional_response(world: World) -> None:
    """RFC 3261 section 9.1."""
    alice, desk = pair(world)
    session = desk.call(alice)
    invite = await alice.expect("INVITE")
    desk.cancel(session)
    await alice.expect_silence(0.4)
    alice.reply(invite, 180)
    cancel = await alice.expect("CANCEL")
    assert cancel.branch == invite.branch
    alice.reply(cancel, 200)
    alice.reply(invite, 487)
    await alice.expect("ACK")


@scenario()
async def test_a_200_that_crosses_our_cancel_is_acknowledged_and_hung_up(world: World) -> None:
    alice, desk = pair(world)
    session = desk.call(alice)
    invite = await alice.expect("INVITE")
    alice.reply(invite, 180)
    await world.sleep(0.1)
    alice.answer(invite)
    desk.cancel(session)
    cancel, _, bye = await alice.expect_in_any_order("CANCEL", "ACK", "BYE")
    alice.reply(cancel, 481)
    alice.reply(bye, 200)


@scenario()
async def test_a_phone_that_never_ends_a_cancelled_invite_is_given_up_after_64_t1(world: World) -> None:
    """RFC 3261 section 9.1, last paragraph."""
    alice, desk = pair(world)
    session = desk.call(alice)
    alice.reply(await alice.expect("INVITE"), 180)
    await world.sleep(0.1)
    desk.cancel(session)
    alice.reply(await alice.expect("CANCEL"), 200)


@scenario()
async def test_an_invite_to_a_silent_phone_fails_with_408_after_timer_b(world: World) -> None:
    alice, desk = pair(world)
    world.network.link(alice.host, desk.node.host, CUT)
    desk.call(alice)
    await world.sleep(31.9)
    assert desk.facts == []
    await world.sleep(0.2)
    assert desk.facts == ["failed 408"]
    # RFC 3261 17.1.1.2: at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s
    assert len(world.ladder.labels()) == 7


@scenario()
async def test_a_bye_to_an_early_dialog_ends_the_invite_with_487(world: World) -> None:
    """RFC 3261 section 15.1.2."""
    alice, desk = pair(world)
    alice.invite("9196")
    desk.ring(await desk.incoming())
    await alice.expect(180)
    alice.bye()
    await alice.expect_in_any_order("200 BYE", "487 INVITE")
    assert len(desk.facts) == 1


@scenario()
async def test_an_invite_without_offer_has_its_answer_in_the_ack(world: World) -> None:
    alice, desk = pair(world)
    alice.invite("9196", offer=False)
    session = await desk.incoming()
    desk.answer(session)
    alice.ack(await alice.expect(200), body=alice.sdp())
    await world.sleep(0.1)
    assert desk.facts == ["acknowledged with sdp"]
    desk.hang_up(session)
    alice.reply(await alice.expect("BYE"), 200)


@scenario()
async def test_our_answer_in_the_ack_is_repeated_with_every_2xx(world: World) -> None:
    alice, desk = pair(world)
    session = desk.call(alice, b"")
    answer = alice.answer(await alice.expect("INVITE"))
    await world.sleep(0.1)
    assert desk.facts == ["answered with sdp"]
    alice.again(answer)
    await alice.expect_silence(0.1)
    desk.acknowledge(session)
    ack = await alice.expect("ACK")
    assert ack.body
    alice.again(answer)
    await alice.expect_again(ack)
    alice.bye()
    await alice.expect("200 BYE")


@scenario()
async def test_a_reinvite_that_is_cancelled_leaves_the_call_as_it_was(world: World) -> None:
    alice, desk = pair(world)
    session = await desk.answered_call(alice)
    invite = alice.send("INVITE", body=alice.sdp(version=2))
    await alice.expect(100)
    alice.cancel(invite)
    await alice.expect_in_any_order("200 CANCEL", "487 INVITE")
    alice.send("INVITE", body=alice.sdp(version=3))
    await world.sleep(0.1)
    desk.accept_offer(session)
    alice.ack(await alice.expect(200))
    alice.bye()
    await alice.expect("200 BYE")


@scenario()
async def test_hanging_up_during_our_reinvite_takes_its_refusal(world: World) -> None:
    alice, desk = pair(world)
    session = await desk.answered_call(alice)
    desk.offer(session)
    invite = await alice.expect("INVITE")
    desk.hang_up(session)
    alice.reply(await alice.expect("BYE"), 200)
    alice.reply(invite, 487)
    await alice.expect("ACK")


@scenario()
async def test_a_refusal_is_repeated_until_its_ack(world: World) -> None:
    """RFC 3261 section 17.2.1, timer G."""
    alice, desk = pair(world)
    alice.acknowledges_refusals = False
    alice.invite("9196")
    desk.refuse(await desk.incoming(), 486)
    refusal = await alice.expect(486)
    waited = []
    for _ in range(5):
        before = world.seconds
        await alice.expect_again(refusal)
        waited.append(round(world.seconds - before, 2))
    assert waited == [0.5, 1.0, 2.0, 4.0, 4.0]
    alice.ack(refusal)
    await alice.expect_silence(40)


@pytest.mark.parametrize("seed", range(25))
def test_a_placed_call_survives_a_bad_link(seed: int) -> None:
    async def body(world: World) -> None:
        alice, desk = pair(world)
        alice.repeats_what_is_lost()
        bad = Link(loss=0.25, jitter_seconds=0.03, duplicate=0.1, reorder=0.1)
        world.network.link(alice.host, desk.node.host, bad)
        session = desk.call(alice)
        invite = await alice.expect("INVITE")
        alice.reply(invite, 180)
        await world.sleep(0.5)
        alice.answer(invite)
        await alice.expect("ACK")
        assert "answered with sdp" in desk.facts
        await world.sleep(35)
        desk.hang_up(session)
        alice.reply(await alice.expect("BYE"), 200)

    run(body, seed=seed)


# --- Provisional responses that must arrive, and changes before the answer --------------------------------


@scenario()
async def test_a_phone_that_rings_reliably_is_acknowledged_and_changes_its_media(world: World) -> None:
    """RFC 3262 section 4, RFC 3311 section 5.2."""
    alice, desk = pair(world)
    session = desk.call(alice)
    invite = await alice.expect("INVITE")
    alice.progress(invite, 1, body=alice.sdp())
    alice.reply(await alice.expect("PRACK"), 200)
    alice.send("UPDATE", within=invite, body=alice.sdp(version=2))
    await world.sleep(0.1)
    desk.accept_offer(session)
    await alice.expect("200 UPDATE")
    alice.reply(invite, 200)
    await alice.expect("ACK")
    assert desk.facts == ["progressed 183 with sdp", "offered", "answered with sdp"]
    desk.hang_up(session)
    alice.reply(await alice.expect("BYE"), 200)


@scenario()
async def test_a_caller_that_requires_100rel_acknowledges_what_it_hears(world: World) -> None:
    """RFC 3262 section 3."""
    alice, desk = pair(world)
    alice.invite("9196", headers=[("Require", "100rel")])
    session = await desk.incoming()
    desk.ring(session)
    alice.prack(await alice.expect(180))
    await alice.expect("200 PRACK")
    desk.answer(session)
    alice.ack(await alice.expect("200 INVITE"))
    alice.bye()
    await alice.expect("200 BYE")


@scenario()
async def test_a_reliable_provisional_response_is_repeated_until_its_prack(world: World) -> None:
    """RFC 3262 section 3."""
    alice, desk = pair(world)
    alice.invite("9196", headers=[("Require", "100rel")])
    session = await desk.incoming()
    desk.ring(session)
    ringing = await alice.expect(180)
    for seconds in (0.5, 1.0, 2.0, 4.0, 8.0):
        before = world.seconds
        await alice.expect_again(ringing)
        assert round(world.seconds - before, 1) == seconds
    alice.prack(ringing)
    await alice.expect("200 PRACK")
    await alice.expect_silence(20)
    desk.refuse(session, 480)
    await alice.expect(480)


@pytest.mark.parametrize("seed", range(25))
def test_a_call_with_reliable_provisional_responses_survives_a_bad_link(seed: int) -> None:
    """RFC 3262 section 3: that is what they are for."""

    async def body(world: World) -> None:
        alice, desk = pair(world)
        alice.repeats_what_is_lost()
        bad = Link(loss=0.25, jitter_seconds=0.03, duplicate=0.1, reorder=0.1)
        world.network.link(alice.host, desk.node.host, bad)
        alice.invite("9196", headers=[("Require", "100rel")])
        session = await desk.incoming(within_seconds=33)
        desk.ring(session)
        alice.prack(await alice.expect(180))
        await alice.expect("200 PRACK", passing_over=[180])
        desk.answer(session)
        alice.ack(await alice.expect("200 INVITE", passing_over=[180]))
        await world.sleep(35)
        desk.hang_up(session)
        alice.reply(await alice.expect("BYE", passing_over=["200 INVITE"]), 200)

    run(body, seed=seed)
