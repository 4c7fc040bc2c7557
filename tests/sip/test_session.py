"""Sessions from the answer on, against a scripted phone (RFC 3261 sections 13 to 15)."""

from __future__ import annotations

import pytest

from sip.core.errors import LocalProtocolError
from sip.core.reason import Reason
from sip.core.session import Session
from tests.sim.desk import OFFER, Desk
from tests.sim.network import Link
from tests.sim.phone import Phone
from tests.sim.world import World, run, scenario
from tests.sim_test.test_sessions import pair


async def call(direction: str, alice: Phone, desk: Desk) -> Session:
    return await (desk.answered_call(alice) if direction == "answered" else desk.placed_call(alice))


@pytest.mark.parametrize("direction", ["answered", "placed"])
def test_a_repeated_2xx_to_our_reinvite_is_acknowledged_again(direction: str) -> None:
    """RFC 3261 section 13.2.2.4: an ACK for every 2xx, here with the CSeq of the re-INVITE."""

    async def body(world: World) -> None:
        alice, desk = pair(world)
        desk.offer(await call(direction, alice, desk))
        answer = alice.answer(await alice.expect("INVITE"))
        first = await alice.expect("ACK")
        assert first.cseq == answer.cseq
        alice.again(answer)
        await alice.expect_again(first)
        alice.bye()
        await alice.expect("200 BYE")

    run(body)


@scenario()
async def test_the_callee_hangs_up_only_after_the_ack(world: World) -> None:
    """RFC 3261 section 15: no BYE of the callee before its ACK, or before 64*T1 have passed without one."""
    alice, desk = pair(world)
    alice.invite("9196")
    session = await desk.incoming()
    desk.answer(session)
    desk.hang_up(session)
    answer = await alice.expect(200)
    await alice.expect_again(answer)
    alice.ack(answer)
    alice.reply(await alice.expect("BYE"), 200)


@pytest.mark.parametrize("direction", ["answered", "placed"])
def test_a_reinvite_without_offer_gets_one(direction: str) -> None:
    """RFC 3261 section 14.2: the 2xx has the offer, the ACK its answer."""

    async def body(world: World) -> None:
        alice, desk = pair(world)
        session = await call(direction, alice, desk)
        alice.send("INVITE")
        await world.sleep(0.1)
        assert desk.facts == ["asked for an offer"]
        desk.accept_offer(session)
        answer = await alice.expect(200)
        assert answer.body
        alice.ack(answer, body=alice.sdp(version=2))
        await world.sleep(0.1)
        alice.send("INVITE", body=alice.sdp(version=3))  # that exchange is over, the next one can begin
        await world.sleep(0.1)
        desk.accept_offer(session)
        alice.ack(await alice.expect(200))
        alice.bye()
        await alice.expect("200 BYE")

    run(body)


@scenario()
async def test_hanging_up_before_our_late_answer_still_acknowledges_the_2xx(world: World) -> None:
    """RFC 3261 section 13.2.2.4: ACK first, then BYE."""
    alice, desk = pair(world)
    session = desk.call(alice, b"")
    alice.answer(await alice.expect("INVITE"))
    await world.sleep(0.1)
    desk.hang_up(session)
    await alice.expect("ACK")
    alice.reply(await alice.expect("BYE"), 200)


@scenario()
async def test_hanging_up_refuses_the_reinvite_that_waits_for_us(world: World) -> None:
    """RFC 3261 section 15.1.2: 487. Without it the server transaction lives for ever."""
    alice, desk = pair(world)
    session = await desk.answered_call(alice)
    alice.send("INVITE", body=alice.sdp(version=2))
    await alice.expect(100)
    desk.hang_up(session)
    bye, _ = await alice.expect_in_any_order("BYE", "487 INVITE")
    alice.reply(bye, 200)


@scenario()
async def test_the_2xx_to_our_reinvite_is_acknowledged_after_we_hung_up(world: World) -> None:
    """RFC 3261 section 13.2.2.4."""
    alice, desk = pair(world)
    session = await desk.answered_call(alice)
    desk.offer(session)
    alice.answer(await alice.expect("INVITE"))
    desk.hang_up(session)
    bye, _ = await alice.expect_in_any_order("BYE", "ACK")
    alice.reply(bye, 200)


@pytest.mark.parametrize("seed", range(25))
def test_a_reinvite_survives_a_bad_link(seed: int) -> None:
    async def body(world: World) -> None:
        alice, desk = pair(world)
        alice.repeats_what_is_lost()
        session = await desk.placed_call(alice)
        world.network.link(alice.host, desk.node.host, Link(loss=0.25, jitter_seconds=0.03, duplicate=0.1))
        desk.offer(session)
        alice.answer(await alice.expect("INVITE"))
        await alice.expect("ACK")
        await world.sleep(35)
        desk.hang_up(session)
        alice.reply(await alice.expect("BYE"), 200)

    run(body, seed=seed)


# --- Ending ------------------------------------------------------------------------------------------------


@scenario()
async def test_the_callees_bye_leaves_after_64_t1_without_an_ack(world: World) -> None:
    """RFC 3261 section 15: or until the server transaction times out."""
    alice, desk = pair(world)
    alice.invite("9196")
    session = await desk.incoming()
    desk.answer(session)
    await alice.expect(200)
    answered_at = world.seconds
    desk.hang_up(session)
    bye = await alice.expect("BYE", within_seconds=40)
    assert round(world.seconds - answered_at, 1) == 32.0
    alice.reply(bye, 200)
    assert desk.facts == []


@scenario()
async def test_a_bye_that_waits_for_its_ack_is_not_needed_when_theirs_comes(world: World) -> None:
    alice, desk = pair(world)
    alice.invite("9196")
    session = await desk.incoming()
    desk.answer(session)
    await alice.expect(200)
    desk.hang_up(session)
    alice.bye()
    await alice.expect("200 BYE")
    await alice.expect_silence(40)


@scenario()
async def test_a_bye_that_waited_says_why(world: World) -> None:
    """RFC 3326 section 2."""
    alice, desk = pair(world)
    alice.invite("9196")
    session = await desk.incoming()
    desk.answer(session)
    desk.node.act(lambda now: session.hang_up(now, Reason("Q.850", 31, "Normal")))
    alice.ack(await alice.expect(200))
    bye = await alice.expect("BYE")
    assert bye.header("Reason") == 'Q.850;cause=31;text="Normal"'
    alice.reply(bye, 200)


@scenario()
async def test_hanging_up_while_our_2xx_to_a_reinvite_has_no_ack_repeats_the_2xx(world: World) -> None:
    """RFC 3261 section 13.3.1.4."""
    alice, desk = pair(world)
    session = await desk.placed_call(alice)
    alice.send("INVITE", body=alice.sdp(version=2))
    await alice.expect(100)
    desk.accept_offer(session)
    desk.hang_up(session)
    answer = await alice.expect("200 INVITE")
    await alice.expect_again(answer)
    alice.ack(answer)
    alice.reply(await alice.expect("BYE"), 200)


@scenario()
async def test_a_2xx_that_is_never_acknowledged_is_repeated_for_64_t1_and_then_hung_up(world: World) -> None:
    """RFC 3261 section 13.3.1.4: T1 doubling up to T2."""
    alice, desk = pair(world)
    alice.invite("9196")
    session = await desk.incoming()
    desk.answer(session)
    answer = await alice.expect(200)
    waited = []
    for _ in range(10):
        before = world.seconds
        await alice.expect_again(answer)
        waited.append(round(world.seconds - before, 1))
    assert waited == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]
    alice.reply(await alice.expect("BYE"), 200)
    assert desk.facts == ["ended 408"]


@scenario()
async def test_their_bye_ends_the_repetitions_of_our_2xx(world: World) -> None:
    alice, desk = pair(world)
    alice.invite("9196")
    desk.answer(await desk.incoming())
    await alice.expect(200)
    alice.bye()
    await alice.expect("200 BYE")
    await alice.expect_silence(40)


@scenario()
async def test_a_late_offer_is_acknowledged_when_they_hang_up_first(world: World) -> None:
    """RFC 3261 section 13.2.2.4: every 2xx has its ACK."""
    alice, desk = pair(world)
    desk.call(alice, b"")
    answer = alice.answer(await alice.expect("INVITE"))
    await world.sleep(0.1)
    alice.bye()
    ack, _ = await alice.expect_in_any_order("ACK", "200 BYE")
    alice.again(answer)
    await alice.expect_again(ack)


@scenario()
async def test_a_repeated_2xx_is_acknowledged_again_after_the_call(world: World) -> None:
    """RFC 3261 section 13.2.2.4."""
    alice, desk = pair(world)
    session = desk.call(alice)
    answer = alice.answer(await alice.expect("INVITE"))
    ack = await alice.expect("ACK")
    desk.hang_up(session)
    alice.reply(await alice.expect("BYE"), 200)
    alice.again(answer)
    await alice.expect_again(ack)


@scenario()
async def test_a_session_that_has_ended_lets_go_of_its_owner_and_its_bodies(world: World) -> None:
    alice, desk = pair(world)
    placed = await desk.placed_call(alice)
    desk.hang_up(placed)
    alice.reply(await alice.expect("BYE"), 200)
    refused = desk.call(alice)
    alice.reply(await alice.expect("INVITE"), 486)
    await alice.expect("ACK")
    for session in (placed, refused):
        assert session.user is None
        held = [getattr(session, name) for name in dir(session) if not name.startswith("__")]
        assert OFFER not in held


@scenario()
async def test_hanging_up_twice_is_a_mistake_of_ours(world: World) -> None:
    alice, desk = pair(world)
    alice.invite("9196")
    session = await desk.incoming()
    desk.answer(session)
    desk.hang_up(session)
    with pytest.raises(LocalProtocolError):
        desk.hang_up(session)
    alice.ack(await alice.expect(200))
    alice.reply(await alice.expect("BYE"), 200)
    with pytest.raises(LocalProtocolError):
        desk.hang_up(session)


# --- Beginning ---------------------------------------------------------------------------------------------


@scenario()
async def test_a_caller_hears_every_minute_that_it_rings(world: World) -> None:
    """RFC 3261 section 13.3.1.1."""
    alice, desk = pair(world)
    alice.invite("9196")
    session = await desk.incoming()
    desk.ring(session)
    ringing = await alice.expect(180)
    for _ in range(3):
        before = world.seconds
        await alice.expect_again(ringing, within_seconds=61)
        assert round(world.seconds - before) == 60
    desk.refuse(session, 480)
    await alice.expect(480)


@scenario()
async def test_a_cancel_is_sent_once_however_often_it_rings_meanwhile(world: World) -> None:
    """RFC 3261 section 9.1."""
    alice, desk = pair(world)
    session = desk.call(alice)
    invite = await alice.expect("INVITE")
    alice.reply(invite, 180)
    await world.sleep(0.1)
    desk.cancel(session)
    alice.reply(await alice.expect("CANCEL"), 200)
    alice.reply(invite, 183)
    await alice.expect_silence(1)
    alice.reply(invite, 487)
    await alice.expect("ACK")
    assert desk.node.inventory()["client transactions"] <= 2


@scenario()
async def test_a_fork_whose_ack_was_lost_is_acknowledged_again_and_hung_up_once(world: World) -> None:
    """RFC 3261 section 13.2.2.4."""
    alice, desk = pair(world)
    session = desk.call(alice)
    invite = await alice.expect("INVITE")
    alice.answer(invite)
    await alice.expect("ACK")
    fork = alice.answer(invite, tag="second-fork")
    ack, bye = await alice.expect_in_any_order("ACK", "BYE")
    alice.reply(bye, 200)
    alice.again(fork)
    await alice.expect_again(ack)
    await alice.expect_silence(1)
    desk.hang_up(session)
    alice.reply(await alice.expect("BYE"), 200)


@scenario()
async def test_an_invite_within_the_dialog_before_our_answer_is_refused_with_500(world: World) -> None:
    """RFC 3261 section 14.2."""
    alice, desk = pair(world)
    invite = alice.invite("9196")
    session = await desk.incoming()
    desk.ring(session)
    await alice.expect(180)
    alice.send("INVITE", within=invite, body=alice.sdp(version=2))
    refusal = await alice.expect("500 INVITE")
    assert 0 <= int(refusal.header("Retry-After")) <= 10
    desk.refuse(session, 480)
    await alice.expect(480)


# --- Changing ----------------------------------------------------------------------------------------------


@scenario()
async def test_a_reinvite_before_the_ack_of_our_2xx_is_refused_with_500(world: World) -> None:
    """RFC 3261 section 14.2."""
    alice, desk = pair(world)
    alice.invite("9196")
    desk.answer(await desk.incoming())
    answer = await alice.expect(200)
    alice.send("INVITE", body=alice.sdp(version=2))
    await alice.expect("500 INVITE")
    alice.ack(answer)
    alice.bye()
    await alice.expect("200 BYE")


@scenario()
async def test_we_can_not_offer_before_the_ack_of_our_2xx(world: World) -> None:
    """RFC 3261 section 14.1: not while another INVITE is under way in either direction."""
    alice, desk = pair(world)
    alice.invite("9196")
    session = await desk.incoming()
    desk.answer(session)
    with pytest.raises(LocalProtocolError):
        desk.offer(session)
    alice.ack(await alice.expect(200))
    await world.sleep(0.1)
    assert session.may_offer
    alice.bye()
    await alice.expect("200 BYE")


@scenario()
async def test_we_can_not_offer_while_their_reinvite_waits_or_ours(world: World) -> None:
    """RFC 3261 section 14.1."""
    alice, desk = pair(world)
    session = await desk.answered_call(alice)
    alice.send("INVITE", body=alice.sdp(version=2))
    await alice.expect(100)
    with pytest.raises(LocalProtocolError):
        desk.offer(session)
    desk.node.act(lambda now: session.refuse_offer(488, now))
    await alice.expect(488)
    desk.offer(session)
    with pytest.raises(LocalProtocolError):
        desk.offer(session)
    alice.answer(await alice.expect("INVITE"))
    await alice.expect("ACK")
    alice.bye()
    await alice.expect("200 BYE")


@pytest.mark.parametrize("direction", ["answered", "placed"])
def test_a_reinvite_refused_with_481_ends_the_dialog(direction: str) -> None:
    """RFC 3261 section 12.2.1.2."""

    async def body(world: World) -> None:
        alice, desk = pair(world)
        desk.offer(await call(direction, alice, desk))
        alice.reply(await alice.expect("INVITE"), 481)
        _, bye = await alice.expect_in_any_order("ACK", "BYE")
        alice.reply(bye, 481)
        assert desk.facts == ["ended 481"]

    run(body)


@scenario()
async def test_a_reinvite_that_nobody_answers_ends_the_dialog(world: World) -> None:
    """RFC 3261 section 12.2.1.2: no response counts as 408."""
    alice, desk = pair(world)
    desk.offer(await desk.answered_call(alice))
    await alice.expect("INVITE")
    bye = await alice.expect("BYE", within_seconds=33)
    alice.reply(bye, 200)
    assert desk.facts == ["ended 408"]


@scenario()
async def test_a_reinvite_refused_with_488_leaves_the_call_as_it_was(world: World) -> None:
    """RFC 3261 section 14.1."""
    alice, desk = pair(world)
    session = await desk.answered_call(alice)
    desk.offer(session)
    alice.reply(await alice.expect("INVITE"), 488)
    await alice.expect("ACK")
    assert desk.facts == ["offer refused 488"]
    assert session.may_offer
    alice.bye()
    await alice.expect("200 BYE")


@scenario()
async def test_an_old_ack_does_not_confirm_our_2xx_to_a_reinvite(world: World) -> None:
    """RFC 3261 section 13.2.2.4: an ACK has the CSeq number of the INVITE that it acknowledges."""
    alice, desk = pair(world)
    alice.invite("9196")
    session = await desk.incoming()
    desk.answer(session)
    old = alice.ack(await alice.expect(200))
    await world.sleep(0.1)
    alice.send("INVITE", body=alice.sdp(version=2))
    await world.sleep(0.1)
    desk.accept_offer(session)
    answer = await alice.expect("200 INVITE")
    alice.again(old)
    await alice.expect_again(answer)
    alice.ack(answer)
    await alice.expect_silence(5)
    alice.bye()
    await alice.expect("200 BYE")


@scenario()
async def test_an_ack_without_the_answer_to_our_offer_changes_nothing(world: World) -> None:
    """RFC 3261 section 13.2.2.4 asks for it; a phone that forgets it can still change its media later."""
    alice, desk = pair(world)
    session = await desk.answered_call(alice)
    alice.send("INVITE")
    await world.sleep(0.1)
    desk.accept_offer(session)
    alice.ack(await alice.expect("200 INVITE"))
    await world.sleep(0.1)
    assert session.may_offer
    alice.bye()
    await alice.expect("200 BYE")


@scenario()
async def test_accepting_a_reinvite_that_was_taken_back_says_so_and_sends_nothing(world: World) -> None:
    alice, desk = pair(world)
    session = await desk.answered_call(alice)
    invite = alice.send("INVITE", body=alice.sdp(version=2))
    await alice.expect(100)
    alice.cancel(invite)
    await alice.expect_in_any_order("200 CANCEL", "487 INVITE")
    assert desk.node.act(lambda now: session.accept_offer(OFFER, now)) is False
    desk.node.act(lambda now: session.refuse_offer(488, now))
    await alice.expect_silence(1)
    alice.bye()
    await alice.expect("200 BYE")
    assert desk.node.act(lambda now: session.accept_offer(OFFER, now)) is False


@scenario()
async def test_a_reinvite_with_a_contact_that_is_none_is_a_bad_request_and_nothing_else(world: World) -> None:
    alice, desk = pair(world)
    session = await desk.answered_call(alice)
    alice.send("INVITE", body=alice.sdp(version=2), headers=[("Contact", "<sip:two@192.0.2.1>")])
    await alice.expect(400)
    assert desk.facts == []
    assert session.may_offer
    alice.bye()
    await alice.expect("200 BYE")


@scenario()
async def test_their_bye_while_their_reinvite_waits_ends_it_with_487(world: World) -> None:
    """RFC 3261 section 15.1.2."""
    alice, desk = pair(world)
    await desk.answered_call(alice)
    alice.send("INVITE", body=alice.sdp(version=2))
    await alice.expect(100)
    alice.bye()
    await alice.expect_in_any_order("487 INVITE", "200 BYE")
    assert desk.facts == ["offered", "ended 16"]


@scenario()
async def test_their_bye_while_our_reinvite_is_under_way_takes_its_2xx(world: World) -> None:
    """RFC 3261 section 13.2.2.4."""
    alice, desk = pair(world)
    desk.offer(await desk.answered_call(alice))
    invite = await alice.expect("INVITE")
    alice.bye()
    await alice.expect("200 BYE")
    alice.answer(invite)
    await alice.expect("ACK")
    assert desk.facts == ["ended 16"]
