"""The user agent: against a scripted registrar and callee, the core's desk, and the whole exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from media.engines.fake import FakeEngine
from pbx.exchange import Exchange
from pbx.people.directory import Directory
from pbx.records import CallRecord, Record
from sip.core.errors import LocalProtocolError
from sip.core.flow import Flow
from sip.core.reason import Reason
from sip.user_agent import (
    MAX_WAITING_CALLS,
    Account,
    CallFailed,
    OutgoingCall,
    RegistrationRefused,
    UserAgent,
)
from tests.dialplan.plans import SAMPLE
from tests.sim.desk import DESK, Desk
from tests.sim.network import Address, Link
from tests.sim.node import Node
from tests.sim.phone import REASONS, Phone
from tests.sim.softphone import DOMAIN, softphone, softphone_over_tcp
from tests.sim.wire import sdp
from tests.sim.world import World, run, scenario

EXCHANGE: Address = ("192.0.2.10", 5060)
REGISTRAR: Address = ("192.0.2.20", 5060)
OFFER = sdp("192.0.2.1", 4000)
ANSWER = sdp("192.0.2.2", 4000)
CHALLENGE = ("WWW-Authenticate", f'Digest realm="{DOMAIN}", nonce="n1", qop="auth", algorithm=SHA-256')


class Records:
    """A journal that forgets nothing and writes nowhere."""

    exhausted = False

    def __init__(self) -> None:
        self.calls: list[CallRecord] = []

    def append(self, record: Record) -> None:
        if isinstance(record, CallRecord):
            self.calls.append(record)

    def flush(self) -> None:
        """Memory is written already."""


def exchange_of(world: World, records: Records) -> Exchange:
    """The whole PBX with the sample town, closed when the world ends."""

    def flow(transport: str, remote: Address) -> Flow:
        return node.flow(remote)

    exchange = Exchange(
        domain=DOMAIN,
        plan=SAMPLE,
        directory=Directory(),
        engine=FakeEngine(),
        journal=records,
        clock=lambda: world.wall().timestamp(),
        flow=flow,
        secret=b"exchange",
    )
    node = Node(world.host("Beffroi", EXCHANGE[0]), exchange.driver)
    world.closing.callback(node.close)
    return exchange


def registrar_of(world: World) -> tuple[UserAgent, Phone]:
    """A softphone, and a scripted phone that plays its registrar."""
    return softphone(world, "Alice", "192.0.2.1", REGISTRAR), world.phone("Registrar", REGISTRAR[0])


def registering_of(world: World, agent: UserAgent, seconds: int = 3600) -> asyncio.Task[int]:
    """The softphone registers while the script plays the registrar."""
    return world.loop.create_task(agent.register(seconds))


@pytest.fixture
def _says_too_brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripted phone can say 423 too."""
    monkeypatch.setitem(REASONS, 423, "Interval Too Brief")


def calling(world: World) -> tuple[UserAgent, Phone, OutgoingCall]:
    """A softphone that calls a scripted phone."""
    bruno = world.phone("Bruno", "192.0.2.2")
    alice = softphone(world, "Alice", "192.0.2.1", ("192.0.2.2", 5060))
    return alice, bruno, alice.invite("sip:bruno@192.0.2.2", OFFER)


# Registration


@scenario()
async def test_registration_answers_a_challenge_and_returns_the_seconds_granted(world: World) -> None:
    """RFC 3261 sections 10.2 and 22.2."""
    alice, registrar = registrar_of(world)
    registering = registering_of(world, alice)
    first = await registrar.expect("REGISTER")
    registrar.reply(first, 401, headers=[CHALLENGE])
    again = await registrar.expect("REGISTER")
    assert (again.call_id, again.cseq) == (first.call_id, first.cseq + 1)
    assert 'username="1001"' in again.header("Authorization")
    contact = again.header("Contact")
    registrar.reply(
        again, 200, headers=[("Contact", f"<sip:1001@192.0.2.99>;expires=9, {contact};expires=60")]
    )
    assert await registering == 60


@scenario()
async def test_a_second_challenge_is_a_refusal(world: World) -> None:
    alice, registrar = registrar_of(world)
    registering = registering_of(world, alice)
    for _ in range(2):
        registrar.reply(await registrar.expect("REGISTER"), 401, headers=[CHALLENGE])
    with pytest.raises(RegistrationRefused) as refused:
        await registering
    assert refused.value.status == 401


@pytest.mark.usefixtures("_says_too_brief")
@scenario()
async def test_an_interval_too_brief_is_lengthened(world: World) -> None:
    """RFC 3261 section 10.2.8."""
    alice, registrar = registrar_of(world)
    registering = registering_of(world, alice, seconds=5)
    registrar.reply(await registrar.expect("REGISTER"), 423, headers=[("Min-Expires", "120")])
    again = await registrar.expect("REGISTER")
    assert again.header("Expires") == "120"
    registrar.reply(again, 200, headers=[("Contact", again.header("Contact")), ("Expires", "120")])
    assert await registering == 120


@pytest.mark.usefixtures("_says_too_brief")
@pytest.mark.parametrize(
    "headers",
    [[], [("Min-Expires", "soon")], [("Min-Expires", "5")]],
    ids=["missing", "malformed", "no-longer-than-asked"],
)
@scenario()
async def test_an_interval_too_brief_without_a_longer_one_is_a_refusal(
    world: World, headers: list[tuple[str, str]]
) -> None:
    alice, registrar = registrar_of(world)
    registering = registering_of(world, alice, seconds=5)
    registrar.reply(await registrar.expect("REGISTER"), 423, headers=headers)
    with pytest.raises(RegistrationRefused, match="423"):
        await registering


@scenario()
async def test_a_success_without_our_contact_is_a_refusal(world: World) -> None:
    """RFC 3261 section 10.2.4: the 200 lists the bindings."""
    alice, registrar = registrar_of(world)
    registering = registering_of(world, alice)
    registrar.reply(await registrar.expect("REGISTER"), 200)
    with pytest.raises(RegistrationRefused, match="isn't among the bindings"):
        await registering


@scenario()
async def test_a_registrar_that_is_silent_is_408_after_timer_f(world: World) -> None:
    """RFC 3261 sections 8.1.3.1 and 17.1.2.2."""
    alice = softphone(world, "Alice", "192.0.2.1", REGISTRAR)
    with pytest.raises(RegistrationRefused) as refused:
        await alice.register()
    assert refused.value.status == 408
    assert world.seconds == pytest.approx(32, abs=0.1)


@scenario()
async def test_options_returns_the_status(world: World) -> None:
    """RFC 3261 section 11."""
    Desk(world)
    assert await softphone(world, "Alice", "192.0.2.1", DESK).options() == 200


@scenario()
async def test_a_softphone_answers_options_and_registers_nobody(world: World) -> None:
    softphone(world, "Alice", "192.0.2.1", REGISTRAR)
    phone = world.phone("Bruno", "192.0.2.2", server=("192.0.2.1", 5060))
    phone.send("OPTIONS", to="sip:alice@192.0.2.1")
    assert "INVITE" in (await phone.expect(200)).header("Allow")
    phone.send("REGISTER", to="sip:alice@192.0.2.1")
    await phone.expect(405)


@scenario()
async def test_without_an_outbound_flow_nothing_can_be_asked(world: World) -> None:
    agent = softphone(world, "Alice", "192.0.2.1", REGISTRAR)
    agent = UserAgent(agent.account, b"another")
    with pytest.raises(LocalProtocolError, match="no outbound flow"):
        await agent.options()


# Calls that we make


@scenario()
async def test_a_call_rings_is_answered_and_is_hung_up_by_the_callee(world: World) -> None:
    _, bruno, call = calling(world)
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    assert await call.ringing() == 180
    answer = bruno.answer(invite)
    assert await call.answered() == answer.body
    await bruno.expect("ACK")
    bruno.bye()
    assert await call.ended() == Reason("Q.850", 16, "Normal call clearing")
    await bruno.expect("200 BYE")


@scenario()
async def test_hanging_up_an_answered_call_sends_bye_once(world: World) -> None:
    _, bruno, call = calling(world)
    bruno.answer(await bruno.expect("INVITE"))
    await call.answered()
    await bruno.expect("ACK")
    call.hang_up()
    call.hang_up()
    bruno.reply(await bruno.expect("BYE"), 200)
    assert (await call.ended()).cause == 16
    await bruno.expect_silence(1)


@scenario()
async def test_hanging_up_a_ringing_call_cancels_it(world: World) -> None:
    """RFC 3261 section 9.1."""
    _, bruno, call = calling(world)
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    await call.ringing()
    call.hang_up()
    bruno.reply(await bruno.expect("CANCEL"), 200)
    bruno.reply(invite, 487)
    await bruno.expect("ACK")
    with pytest.raises(CallFailed) as failed:
        await call.answered()
    assert failed.value.status == 487


@scenario()
async def test_an_answer_that_crosses_the_cancel_is_hung_up(world: World) -> None:
    _, bruno, call = calling(world)
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    await call.ringing()
    call.hang_up()
    bruno.answer(invite)
    cancel, _, bye = await bruno.expect_in_any_order("CANCEL", "ACK", "BYE")
    bruno.reply(cancel, 200)
    bruno.reply(bye, 200)
    with pytest.raises(CallFailed):
        await call.answered()


@scenario()
async def test_a_refusal_is_raised_with_its_status(world: World) -> None:
    _, bruno, call = calling(world)
    bruno.reply(await bruno.expect("INVITE"), 486)
    await bruno.expect("ACK")
    for waiting in (call.answered(), call.ringing()):
        with pytest.raises(CallFailed, match="486 Busy Here"):
            await waiting
    assert await call.ended() == Reason("SIP", 486, "Busy Here")


@scenario()
async def test_a_call_that_nobody_answers_is_408_after_timer_b(world: World) -> None:
    """RFC 3261 section 17.1.1.2."""
    call = softphone(world, "Alice", "192.0.2.1", REGISTRAR).invite("1002", OFFER)
    with pytest.raises(CallFailed) as failed:
        await call.answered()
    assert failed.value.status == 408


@scenario()
async def test_a_refused_call_that_nobody_asks_about_complains_nowhere(world: World) -> None:
    _, bruno, call = calling(world)
    bruno.reply(await bruno.expect("INVITE"), 603)
    await bruno.expect("ACK")
    await call.ended()  # the world fails when an exception is lost


@scenario()
async def test_giving_up_waiting_leaves_the_call_as_it_is(world: World) -> None:
    _, bruno, call = calling(world)
    invite = await bruno.expect("INVITE")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await call.answered()
    bruno.answer(invite)
    assert await call.answered()
    await bruno.expect("ACK")
    call.hang_up()
    bruno.reply(await bruno.expect("BYE"), 200)


@scenario()
async def test_early_media_is_kept(world: World) -> None:
    _, bruno, call = calling(world)
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 183, body=bruno.sdp())
    assert await call.ringing() == 183
    assert call.early == bruno.sdp()
    bruno.reply(invite, 480)
    await bruno.expect("ACK")
    assert (await call.ended()).cause == 480


@scenario()
async def test_a_reinvite_is_refused_until_somebody_answers_offers(world: World) -> None:
    """RFC 3261 section 14.2."""
    _, bruno, call = calling(world)
    bruno.answer(await bruno.expect("INVITE"))
    await bruno.expect("ACK")
    bruno.send("INVITE", body=bruno.sdp(version=2))
    await bruno.expect("488 INVITE")
    offers: list[bytes] = []

    def answer_with_ours(offer: bytes) -> bytes:
        offers.append(offer)
        return ANSWER

    call.on_offer(answer_with_ours)
    bruno.send("INVITE", body=bruno.sdp(version=3))
    answer = await bruno.expect("200 INVITE")
    bruno.ack(answer)
    assert (offers, answer.body) == ([bruno.sdp(version=3)], ANSWER)
    call.hang_up()
    bruno.reply(await bruno.expect("BYE"), 200)


@scenario()
async def test_an_offer_of_ours_in_the_call_returns_the_answer_or_raises(world: World) -> None:
    _, bruno, call = calling(world)
    bruno.answer(await bruno.expect("INVITE"))
    await call.answered()
    await bruno.expect("ACK")
    offering = world.loop.create_task(call.reoffer(OFFER))
    bruno.answer(await bruno.expect("INVITE"))
    await bruno.expect("ACK")
    assert await offering == bruno.sdp()
    offering = world.loop.create_task(call.reoffer(OFFER))
    bruno.reply(await bruno.expect("INVITE"), 488)
    await bruno.expect("ACK")
    with pytest.raises(CallFailed, match="488"):
        await offering
    call.hang_up()
    bruno.reply(await bruno.expect("BYE"), 200)


# Calls that come to us


def called(world: World) -> tuple[UserAgent, Phone]:
    """A softphone, and a scripted phone that calls it."""
    alice = softphone(world, "Alice", "192.0.2.1", REGISTRAR)
    return alice, world.phone("Bruno", "192.0.2.2", server=("192.0.2.1", 5060))


@scenario()
async def test_an_incoming_call_is_rung_answered_and_acknowledged(world: World) -> None:
    alice, bruno = called(world)
    bruno.invite("alice")
    call = await alice.incoming()
    assert (call.offer, call.caller.sip_uri.user) == (bruno.sdp(), "Bruno")
    call.ring()
    await bruno.expect(180)
    call.answer(ANSWER)
    answer = await bruno.expect(200)
    assert answer.body == ANSWER
    bruno.ack(answer)
    assert await call.acknowledged() == b""
    call.hang_up()
    bruno.reply(await bruno.expect("BYE"), 200)
    assert (await call.ended()).cause == 16


@scenario()
async def test_a_softphone_may_ring_in_a_way_that_must_arrive(world: World) -> None:
    """RFC 3262 section 3; the 200 comes after the PRACK of the answer."""
    alice, bruno = called(world)
    bruno.invite("alice", headers=[("Supported", "100rel")])
    call = await alice.incoming()
    call.ring(183, ANSWER, reliable=True)
    ringing = await bruno.expect(183)
    call.answer(ANSWER)
    bruno.prack(ringing)
    await bruno.expect("200 PRACK")
    answer = await bruno.expect("200 INVITE")
    assert (ringing.body, answer.body) == (ANSWER, b"")
    bruno.ack(answer)
    await call.acknowledged()
    call.hang_up()
    bruno.reply(await bruno.expect("BYE"), 200)


@scenario()
async def test_a_call_without_offer_gets_ours_and_the_ack_has_the_answer(world: World) -> None:
    alice, bruno = called(world)
    bruno.invite("alice", offer=False)
    call = await alice.incoming()
    assert call.offer == b""
    call.answer(OFFER)
    bruno.ack(await bruno.expect(200), body=bruno.sdp())
    assert await call.acknowledged() == bruno.sdp()
    bruno.bye()
    await call.ended()
    await bruno.expect("200 BYE")


@scenario()
async def test_an_answer_that_is_never_acknowledged_ends_the_call_with_408(world: World) -> None:
    """RFC 3261 section 13.3.1.4."""
    alice, bruno = called(world)
    bruno.invite("alice")
    call = await alice.incoming()
    call.answer(ANSWER)
    await bruno.expect(200)
    with pytest.raises(CallFailed) as failed:
        await call.acknowledged()
    assert failed.value.status == 408
    bruno.reply(await bruno.expect("BYE"), 200)


@scenario()
async def test_a_refused_call_gets_the_status(world: World) -> None:
    alice, bruno = called(world)
    bruno.invite("alice")
    call = await alice.incoming()
    call.refuse(486)
    await bruno.expect(486)
    assert await call.ended() == Reason("SIP", 486, "Busy Here")


@scenario()
async def test_hanging_up_a_call_that_rings_here_declines_it(world: World) -> None:
    alice, bruno = called(world)
    bruno.invite("alice")
    (await alice.incoming()).hang_up()
    await bruno.expect(603)


@scenario()
async def test_answering_a_call_that_was_cancelled_raises(world: World) -> None:
    alice, bruno = called(world)
    invite = bruno.invite("alice")
    call = await alice.incoming()
    call.ring()
    await bruno.expect(180)
    bruno.cancel(invite)
    await bruno.expect_in_any_order("200 CANCEL", "487 INVITE")
    for act in (lambda: call.answer(ANSWER), call.ring, call.refuse):
        with pytest.raises(CallFailed, match="487"):
            act()
    assert (await call.ended()).cause == 487


@scenario()
async def test_calls_that_nobody_takes_up_are_bounded(world: World) -> None:
    alice, bruno = called(world)
    for _ in range(MAX_WAITING_CALLS):
        bruno.invite("alice")
    await world.sleep(0.1)
    bruno.invite("alice")
    await bruno.expect(486)
    for _ in range(MAX_WAITING_CALLS):
        (await alice.incoming()).refuse(480)
        await bruno.expect(480)


@scenario()
async def test_calls_that_were_cancelled_unheard_make_room_for_others(world: World) -> None:
    alice, bruno = called(world)
    for _ in range(MAX_WAITING_CALLS):
        invite = bruno.invite("alice")
        await bruno.expect(100)
        bruno.cancel(invite)
        await bruno.expect_in_any_order("200 CANCEL", "487 INVITE")
    bruno.invite("alice")
    await bruno.expect(100)
    call = await alice.incoming()
    assert not call.over
    call.refuse()
    await bruno.expect(486)


# Through the exchange


async def over_udp(world: World) -> None:
    """Two softphones talk over UDP."""
    alice = softphone(world, "Alice", "192.0.2.1", EXCHANGE)
    bruno = softphone(world, "Bruno", "192.0.2.2", EXCHANGE, user="1002")
    await conversation(world, alice, bruno)


async def over_tcp(world: World) -> None:
    """The same over TCP."""
    alice = await softphone_over_tcp(world, "Alice", "192.0.2.1", EXCHANGE)
    bruno = await softphone_over_tcp(world, "Bruno", "192.0.2.2", EXCHANGE, user="1002")
    await conversation(world, alice, bruno)
    assert {rung.passage.transport for rung in world.ladder.rungs if rung.passage} == {"TCP"}


async def conversation(world: World, alice: UserAgent, bruno: UserAgent) -> None:
    """Both register, one calls the other through the exchange and hangs up after ten seconds."""
    for phone in (alice, bruno):
        assert await phone.register(600) == 600
    going = alice.invite("1002", OFFER)
    coming = await bruno.incoming()
    assert (coming.caller.display, coming.caller.sip_uri.user) == ("Alice Martin", "1001")
    coming.ring()
    await world.sleep(1)
    coming.answer(ANSWER)
    assert b"m=audio" in await going.answered()
    assert await going.ringing() in {180, 200}  # a 180 that is lost isn't sent again
    await coming.acknowledged()
    await world.sleep(10)
    going.hang_up()
    assert (await coming.ended()).cause == 16
    for phone in (alice, bruno):
        await phone.unregister()


async def through_the_exchange(world: World, scene: Callable[[World], Awaitable[None]]) -> None:
    """Play a scene in a world with an exchange, which writes one record of it and keeps nothing."""
    records = Records()
    exchange = exchange_of(world, records)
    await scene(world)
    await world.sleep(40)
    assert exchange.status()["bindings"] == 0
    assert [(call.from_, call.to, len(call.legs)) for call in records.calls] == [("1001", "1002", 2)]
    assert exchange.inventory() == dict.fromkeys(exchange.inventory(), 0)


@pytest.mark.parametrize("scene", [over_udp, over_tcp])
def test_two_softphones_talk_through_the_exchange(scene: Callable[[World], Awaitable[None]]) -> None:
    run(lambda world: through_the_exchange(world, scene))


@pytest.mark.parametrize("seed", range(5))
def test_two_softphones_talk_through_the_exchange_on_a_lossy_network(seed: int) -> None:
    run(lambda world: through_the_exchange(world, over_udp), seed=seed, link=Link(loss=0.2))


@scenario()
async def test_a_wrong_password_is_403(world: World) -> None:
    exchange_of(world, Records())
    stranger = UserAgent(Account("1001", "guess", DOMAIN), b"stranger")
    node = Node(world.host("Stranger", "192.0.2.3"), stranger.driver)
    world.closing.callback(node.close)
    stranger.outbound = node.flow(EXCHANGE)
    with pytest.raises(RegistrationRefused) as refused:
        await stranger.register()
    assert refused.value.status == 403


@scenario()
async def test_a_number_that_nobody_has_is_404(world: World) -> None:
    exchange_of(world, Records())
    call = softphone(world, "Alice", "192.0.2.1", EXCHANGE).invite("1098", OFFER)
    with pytest.raises(CallFailed) as failed:
        async with asyncio.timeout(30):
            await call.answered()
    assert failed.value.status == 404
