"""Beffroi's own stack on the virtual network, against scripted phones: the two halves fit each other."""

from __future__ import annotations

from sip.core.identifiers import Identifiers
from sip.core.incoming_session import IncomingSession
from sip.core.message import Request
from sip.core.reason import Reason
from sip.core.stack import ServerTransaction
from sip.core.transactions.invite_server import InviteServer
from sip.core.ua_core import UserAgentCore
from tests.sim.ladder import assert_golden
from tests.sim.network import CUT, PORT_RESTRICTED, Link
from tests.sim.node import Node
from tests.sim.phone import Phone
from tests.sim.wire import sdp
from tests.sim.world import World, run, scenario
from tests.sim_test.test_ladder import OWN_LADDERS

SERVER = ("192.0.2.10", 5060)


class AnsweringMachine:
    """An application that rings every INVITE, answers it after `ring_seconds`, and accepts every offer."""

    def __init__(self, world: World, *, ring_seconds: float = 1.0) -> None:
        self.core = UserAgentCore(Identifiers(b"answering machine"), self)
        self.node = Node(world.host("Beffroi", SERVER[0]), self.core.stack)
        self.session: IncomingSession | None = None
        self.facts: list[str] = []
        self._world = world
        self._ring_seconds = ring_seconds
        world.watch("Beffroi", self.core)
        world.closing.callback(self.node.close)

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        if not isinstance(transaction, InviteServer):
            self.core.stack.respond(transaction, 200, now)
            return
        self.session = self.core.accept(request, transaction, self)
        self.session.ring(now)
        self._world.loop.call_later(self._ring_seconds, self._answer)

    def _answer(self) -> None:
        session = self.session
        if session is not None and "cancelled" not in self.facts:
            self.node.act(lambda now: session.answer(sdp(SERVER[0], 20_000), now))

    def hang_up(self) -> None:
        session = self.session
        assert session is not None
        self.node.act(session.hang_up)

    def acknowledged(self, body: bytes, now: float) -> None:
        self.facts.append("acknowledged")

    def offered(self, body: bytes, now: float) -> None:
        assert self.session is not None
        self.session.accept_offer(sdp(SERVER[0], 20_000, version=2), now)

    def cancelled(self, reason: Reason, now: float) -> None:
        self.facts.append("cancelled")

    def ended(self, reason: Reason, now: float) -> None:
        self.facts.append(f"ended: {reason.cause}")

    def progressed(self, status: int, body: bytes, now: float) -> None:
        raise AssertionError("it calls nobody")

    def answered(self, body: bytes, now: float) -> None:
        raise AssertionError("it calls nobody")

    def failed(self, status: int, reason: Reason, now: float) -> None:
        raise AssertionError("it calls nobody")

    def offer_answered(self, body: bytes, now: float) -> None:
        self.facts.append("offer answered")

    def offer_refused(self, status: int, now: float) -> None:
        self.facts.append(f"offer refused: {status}")


def phone_and_machine(world: World) -> tuple[Phone, AnsweringMachine]:
    machine = AnsweringMachine(world)
    return world.phone("Alice", "192.0.2.1", server=SERVER, domain="valmont.example"), machine


async def talk(alice: Phone) -> None:
    """Alice calls and the machine answers."""
    alice.invite("9196")
    await alice.expect(180)
    alice.ack(await alice.expect(200))


@scenario()
async def test_a_call_to_beffroi_over_udp(world: World) -> None:
    alice, machine = phone_and_machine(world)
    await talk(alice)
    await world.sleep(10)
    alice.bye()
    await alice.expect("200 BYE")
    assert machine.facts == ["acknowledged", "ended: 16"]
    assert_golden("beffroi-answers", world.ladder, times=True, folder=OWN_LADDERS)


@scenario()
async def test_a_call_to_beffroi_over_tcp_in_pieces_of_seven_bytes(world: World) -> None:
    alice, machine = phone_and_machine(world)
    await alice.connect()
    assert alice.stream is not None
    alice.stream.largest_piece_bytes = 7
    await talk(alice)
    await world.sleep(1)
    machine.hang_up()
    alice.reply(await alice.expect("BYE"), 200)
    assert machine.facts == ["acknowledged"]


@scenario()
async def test_a_2xx_whose_ack_never_comes_is_repeated_for_64_t1_and_ends_in_bye(world: World) -> None:
    alice, machine = phone_and_machine(world)
    alice.invite("9196")
    await alice.expect(180)
    answer = await alice.expect(200)
    # 13.3.1.4: after 0.5, 1, 2, 4, 4 ... seconds, until 32 s have passed.
    waited = []
    for _ in range(10):
        before = world.seconds
        await alice.expect_again(answer)
        waited.append(round(world.seconds - before, 3))
    assert waited == [0.5, 1.0, 2.0, *[4.0] * 7]
    alice.reply(await alice.expect("BYE"), 200)
    assert machine.facts == ["ended: 408"]


@scenario()
async def test_a_cancel_before_the_answer_ends_with_487(world: World) -> None:
    alice, machine = phone_and_machine(world)
    invite = alice.invite("9196")
    await alice.expect(180)
    alice.cancel(invite)
    await alice.expect("200 CANCEL")
    await alice.expect("487 INVITE")
    assert machine.facts == ["cancelled"]


@scenario()
async def test_a_cancel_that_crosses_the_200_changes_nothing(world: World) -> None:
    alice, machine = phone_and_machine(world)
    invite = alice.invite("9196")
    await alice.expect(180)
    await world.sleep(0.999)
    alice.cancel(invite)
    answer = await alice.expect("200 INVITE")
    await alice.expect("200 CANCEL")
    alice.ack(answer)
    alice.bye()
    await alice.expect("200 BYE")
    assert machine.facts == ["acknowledged", "ended: 16"]


@scenario()
async def test_a_bye_to_a_binding_that_a_nat_forgot_is_lost_and_leaves_nothing(world: World) -> None:
    machine = AnsweringMachine(world)
    box = world.network.nat("box", "198.51.100.1", PORT_RESTRICTED, binding_seconds=30)
    alice = world.phone("Alice", "10.0.0.2", server=SERVER, domain="valmont.example", behind=box)
    await talk(alice)
    await world.sleep(60)
    machine.hang_up()
    await alice.expect_silence(40)


@scenario()
async def test_a_link_that_is_cut_in_a_call_leaves_nothing_behind(world: World) -> None:
    alice, machine = phone_and_machine(world)
    await talk(alice)
    world.network.link(alice.host, machine.node.host, CUT)
    machine.hang_up()
    await world.sleep(40)


def test_calls_survive_loss_when_the_phone_repeats_what_was_lost() -> None:
    lost = 0

    async def body(world: World) -> None:
        nonlocal lost
        alice, machine = phone_and_machine(world)
        world.network.link(alice.host, machine.node.host, Link(loss=0.3, jitter_seconds=0.02))
        alice.repeats_what_is_lost()
        alice.invite("9196")
        alice.ack(await alice.expect(200, passing_over=[180]))
        await world.sleep(1)
        alice.bye()
        await alice.expect("200 BYE")
        lost += sum(rung.lost for rung in world.ladder.rungs)

    for seed in range(20):
        run(body, seed=seed)
    assert lost > 20
