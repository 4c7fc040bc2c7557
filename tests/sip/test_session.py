"""Sessions from the answer on, against a scripted phone (RFC 3261 sections 13 to 15)."""

from __future__ import annotations

import pytest

from sip.core.session import Session
from tests.sim.desk import Desk
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
