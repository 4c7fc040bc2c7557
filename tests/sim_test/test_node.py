"""Beffroi's driver and core on the virtual network: transports, NAT and loss, against a scripted phone."""

from __future__ import annotations

import pytest

from sip.core.message import Request
from sip.core.stack import ServerTransaction
from tests.sim.desk import DESK, Desk
from tests.sim.ladder import assert_golden
from tests.sim.network import CUT, PORT_RESTRICTED, Link
from tests.sim.phone import Phone
from tests.sim.quiescence import NotQuiet
from tests.sim.world import World, run, scenario
from tests.sim_test.test_ladder import OWN_LADDERS


def pair(world: World) -> tuple[Phone, Desk]:
    return world.phone("Alice", "192.0.2.1", server=DESK, domain="valmont.example"), Desk(world)


@scenario()
async def test_a_call_to_beffroi_over_udp(world: World) -> None:
    alice, desk = pair(world)
    alice.invite("9196")
    session = await desk.incoming()
    desk.ring(session)
    await alice.expect(180)
    await world.sleep(1)
    desk.answer(session)
    alice.ack(await alice.expect(200))
    await world.sleep(10)
    alice.bye()
    await alice.expect("200 BYE")
    assert desk.facts == ["acknowledged", "ended 16"]
    assert_golden("beffroi-answers", world.ladder, times=True, folder=OWN_LADDERS)


@scenario()
async def test_a_call_to_beffroi_over_tcp_in_pieces_of_seven_bytes(world: World) -> None:
    alice, desk = pair(world)
    await alice.connect()
    assert alice.stream is not None
    alice.stream.largest_piece_bytes = 7
    session = await desk.answered_call(alice)
    desk.hang_up(session)
    alice.reply(await alice.expect("BYE"), 200)
    assert {rung.passage.transport for rung in world.ladder.rungs if rung.passage} == {"TCP"}


@scenario()
async def test_a_ping_on_a_stream_gets_its_pong(world: World) -> None:
    """RFC 5626 section 4.4.1."""
    Desk(world)
    heard: list[bytes] = []
    flow = await world.host("Alice", "192.0.2.1").connect(
        DESK, lambda data, flow: heard.append(data), lambda flow: None
    )
    world.closing.callback(flow.close)
    flow.send(b"\r\n\r\n")
    await world.sleep(1)
    assert heard == [b"\r\n"]


@scenario()
async def test_a_stream_that_cannot_be_followed_is_closed(world: World) -> None:
    Desk(world)
    ended: list[object] = []
    flow = await world.host("Alice", "192.0.2.1").connect(DESK, lambda data, flow: None, ended.append)
    flow.send(b"INVITE sip:a SIP/2.0\r\nContent-Length: many\r\n\r\n")
    await world.sleep(1)
    assert ended == [flow]


@scenario()
async def test_a_2xx_whose_ack_never_comes_is_repeated_for_64_t1_and_ends_in_bye(world: World) -> None:
    """RFC 3261 section 13.3.1.4: after 0.5, 1, 2, 4, 4 ... seconds, until 32 s have passed."""
    alice, desk = pair(world)
    alice.invite("9196")
    desk.answer(await desk.incoming())
    answer = await alice.expect(200)
    waited = []
    for _ in range(10):
        before = world.seconds
        await alice.expect_again(answer)
        waited.append(round(world.seconds - before, 2))
    assert waited == [0.5, 1.0, 2.0, *[4.0] * 7]
    alice.reply(await alice.expect("BYE"), 200)
    assert desk.facts == ["ended 408"]


@scenario()
async def test_a_cancel_before_the_answer_ends_with_487(world: World) -> None:
    alice, desk = pair(world)
    invite = alice.invite("9196")
    desk.ring(await desk.incoming())
    await alice.expect(180)
    alice.cancel(invite)
    await alice.expect_in_any_order("200 CANCEL", "487 INVITE")
    assert desk.facts == ["cancelled"]


@scenario()
async def test_a_cancel_that_crosses_the_200_changes_nothing(world: World) -> None:
    alice, desk = pair(world)
    invite = alice.invite("9196")
    session = await desk.incoming()
    desk.ring(session)
    await alice.expect(180)
    alice.cancel(invite)
    desk.answer(session)
    answer, _ = await alice.expect_in_any_order("200 INVITE", "200 CANCEL")
    alice.ack(answer)
    alice.bye()
    await alice.expect("200 BYE")
    assert desk.facts == ["acknowledged", "ended 16"]


@scenario()
async def test_a_bye_to_a_binding_that_a_nat_forgot_is_lost_and_leaves_nothing(world: World) -> None:
    desk = Desk(world)
    box = world.network.nat("box", "198.51.100.1", PORT_RESTRICTED, binding_seconds=30)
    alice = world.phone("Alice", "10.0.0.2", server=DESK, domain="valmont.example", behind=box)
    session = await desk.answered_call(alice)
    await world.sleep(60)
    desk.hang_up(session)
    await alice.expect_silence(40)


@scenario()
async def test_a_link_that_is_cut_in_a_call_leaves_nothing_behind(world: World) -> None:
    alice, desk = pair(world)
    session = await desk.answered_call(alice)
    world.network.link(alice.host, desk.node.host, CUT)
    desk.hang_up(session)
    await world.sleep(40)


@pytest.mark.parametrize("seed", range(25))
def test_a_call_survives_loss_when_the_phone_repeats_what_was_lost(seed: int) -> None:
    async def body(world: World) -> None:
        alice, desk = pair(world)
        world.network.link(alice.host, desk.node.host, Link(loss=0.3, jitter_seconds=0.02))
        alice.repeats_what_is_lost()
        alice.invite("9196")
        session = await desk.incoming(within_seconds=32)
        desk.ring(session)
        await world.sleep(1)
        desk.answer(session)
        alice.ack(await alice.expect(200, passing_over=[180]))
        await world.sleep(1)
        alice.bye()
        await alice.expect("200 BYE")

    run(body, seed=seed)


def test_a_call_that_is_never_ended_is_found() -> None:
    async def body(world: World) -> None:
        alice, desk = pair(world)
        await desk.answered_call(alice)

    with pytest.raises(NotQuiet, match="Beffroi: 1 sessions"):
        run(body)


class Broken:
    """An application with a mistake in it."""

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        raise RuntimeError("a mistake of ours")


def test_an_error_of_ours_that_the_driver_caught_is_found() -> None:
    async def body(world: World) -> None:
        alice, desk = pair(world)
        desk.core.application = Broken()
        alice.send("OPTIONS", "9196")

    with pytest.raises(NotQuiet, match="Beffroi: 1 internal errors"):
        run(body)
