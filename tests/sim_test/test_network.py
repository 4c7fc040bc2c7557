"""The virtual network: what links lose and delay, what each kind of NAT lets through, what streams keep."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from sip.core.flow import Flow
from tests.sim.network import (
    CUT,
    FULL_CONE,
    PORT_RESTRICTED,
    RESTRICTED_CONE,
    SYMMETRIC,
    DatagramEndpoint,
    Fate,
    Host,
    Link,
    NatKind,
    Passage,
    StreamFlow,
)
from tests.sim.world import World, run, scenario


@dataclass
class Ear:
    """Keeps what it receives."""

    heard: list[bytes] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    ended: int = 0

    def receive(self, data: bytes, flow: Flow) -> None:
        self.heard.append(data)
        self.flows.append(flow)

    def closed(self, flow: Flow) -> None:
        self.ended += 1

    def accept(self, flow: StreamFlow) -> None:
        flow.receive, flow.closed = self.receive, self.closed
        self.flows.append(flow)


def open_port(world: World, host: Host, port: int = 5060) -> tuple[DatagramEndpoint, Ear]:
    ear = Ear()
    endpoint = host.bind(port, ear.receive)
    world.closing.callback(endpoint.close)
    return endpoint, ear


def two_hosts(world: World, link: Link) -> tuple[DatagramEndpoint, Ear]:
    """A sender's endpoint and the ear of 192.0.2.2:5060, with `link` between."""
    one, two = world.host("one", "192.0.2.1"), world.host("two", "192.0.2.2")
    world.network.link(one, two, link)
    sender, _ = open_port(world, one)
    _, ear = open_port(world, two)
    return sender, ear


TWO = ("192.0.2.2", 5060)


# --- Datagrams and links -----------------------------------------------------------------------------------


@scenario()
async def test_a_datagram_arrives_after_the_latency(world: World) -> None:
    sender, ear = two_hosts(world, Link(latency_seconds=0.05))
    sender.send(b"hello", TWO)
    await world.sleep(0.049)
    assert ear.heard == []
    await world.sleep(0.002)
    assert ear.heard == [b"hello"]


@scenario()
async def test_a_flow_tells_both_addresses_and_answers_to_the_sender(world: World) -> None:
    one, two = world.host("one", "192.0.2.1"), world.host("two", "192.0.2.2")
    sender, answers = open_port(world, one, 6000)
    _, ear = open_port(world, two)
    sender.send(b"question", TWO)
    await world.sleep(1)
    flow = ear.flows[0]
    assert (flow.transport, flow.local, flow.remote, flow.reliable) == (
        "UDP",
        TWO,
        ("192.0.2.1", 6000),
        False,
    )
    flow.send(b"answer")
    await world.sleep(1)
    assert answers.heard == [b"answer"]


@scenario()
async def test_the_flow_to_one_address_is_always_the_same_object(world: World) -> None:
    sender, ear = two_hosts(world, Link())
    sender.send(b"1", TWO)
    sender.send(b"2", TWO)
    await world.sleep(1)
    assert ear.flows[0] is ear.flows[1]


@scenario()
async def test_datagrams_sent_at_one_instant_keep_their_order(world: World) -> None:
    sender, ear = two_hosts(world, Link())
    sent = [b"%d" % number for number in range(200)]
    for data in sent:
        sender.send(data, TWO)
    await world.sleep(1)
    assert ear.heard == sent


@scenario()
async def test_jitter_delays_and_keeps_the_order(world: World) -> None:
    sender, ear = two_hosts(world, Link(jitter_seconds=0.05))
    sent = [b"%d" % number for number in range(200)]
    for data in sent:
        sender.send(data, TWO)
        await world.sleep(0.001)
    await world.sleep(1)
    assert ear.heard == sent


@scenario(seed=3)
async def test_loss_is_near_its_rate(world: World) -> None:
    sender, ear = two_hosts(world, Link(loss=0.1))
    for _ in range(2_000):
        sender.send(b"x", TWO)
    await world.sleep(1)
    assert 1_740 <= len(ear.heard) <= 1_860  # four and a half standard deviations of 13.4
    assert world.network.fates[Fate.LOST] == 2_000 - len(ear.heard)


@scenario()
async def test_a_cut_link_delivers_nothing(world: World) -> None:
    sender, ear = two_hosts(world, CUT)
    sender.send(b"x", TWO)
    await world.sleep(10)
    assert ear.heard == []


@scenario()
async def test_duplicates_arrive_twice(world: World) -> None:
    sender, ear = two_hosts(world, Link(duplicate=1.0))
    sender.send(b"x", TWO)
    await world.sleep(1)
    assert ear.heard == [b"x", b"x"]


@scenario(seed=5)
async def test_reordering_changes_the_order_and_loses_nothing(world: World) -> None:
    sender, ear = two_hosts(world, Link(reorder=0.3))
    sent = [b"%03d" % number for number in range(100)]
    for data in sent:
        sender.send(data, TWO)
        await world.sleep(0.005)
    await world.sleep(1)
    assert ear.heard != sent
    assert sorted(ear.heard) == sent


@scenario()
async def test_a_link_can_lose_what_is_longer_than_its_frames(world: World) -> None:
    sender, ear = two_hosts(world, Link(largest_datagram_bytes=1_472))
    sender.send(b"x" * 1_472, TWO)
    sender.send(b"x" * 1_473, TWO)
    await world.sleep(1)
    assert [len(data) for data in ear.heard] == [1_472]


@scenario()
async def test_a_link_can_differ_by_direction(world: World) -> None:
    one, two = world.host("one", "192.0.2.1"), world.host("two", "192.0.2.2")
    near, near_ear = open_port(world, one)
    far, far_ear = open_port(world, two)
    world.network.link_one_way(one, two, CUT)
    near.send(b"there", TWO)
    far.send(b"back", ("192.0.2.1", 5060))
    await world.sleep(1)
    assert (far_ear.heard, near_ear.heard) == ([], [b"back"])


@scenario()
async def test_a_port_where_nobody_listens_swallows_the_datagram(world: World) -> None:
    sender, ear = two_hosts(world, Link())
    sender.send(b"x", ("192.0.2.2", 9))
    await world.sleep(1)
    assert ear.heard == []
    assert world.network.fates[Fate.NO_PORT] == 1


@scenario()
async def test_an_address_that_nobody_has_swallows_the_datagram(world: World) -> None:
    sender, _ = two_hosts(world, Link())
    sender.send(b"x", ("203.0.113.99", 5060))
    assert world.network.fates[Fate.NO_ROUTE] == 1


@scenario()
async def test_a_port_can_be_bound_once(world: World) -> None:
    host = world.host("one", "192.0.2.1")
    open_port(world, host)
    with pytest.raises(OSError, match="in use"):
        host.bind(5060, Ear().receive)


@scenario()
async def test_a_closed_port_sends_nothing(world: World) -> None:
    sender, _ = two_hosts(world, Link())
    flow = sender.flow(TWO)
    sender.close()
    assert not flow.open
    with pytest.raises(OSError, match="closed"):
        flow.send(b"x")


def trace(seed: int) -> list[tuple[float | None, bytes, int]]:
    """What a bad link does to 200 datagrams: when each arrived first, and in how many copies."""
    passages: list[Passage] = []

    async def body(world: World) -> None:
        world.network.watchers.append(passages.append)
        sender, _ = two_hosts(world, Link(jitter_seconds=0.01, loss=0.2, duplicate=0.1, reorder=0.2))
        for number in range(200):
            sender.send(b"%d" % number, TWO)
            await world.sleep(0.002)

    run(body, seed=seed)
    return [(passage.arrived_at, passage.data, passage.copies) for passage in passages]


def test_the_same_seed_gives_the_same_trace() -> None:
    assert trace(11) == trace(11)


def test_another_seed_gives_another_trace() -> None:
    assert trace(11) != trace(12)


def test_traffic_on_one_link_does_not_change_the_chance_of_another() -> None:
    def arrivals(others: int) -> int:
        async def body(world: World) -> int:
            sender, ear = two_hosts(world, Link(loss=0.5))
            third = world.host("three", "192.0.2.3")
            world.network.link(sender.host, third, Link(loss=0.5))
            for _ in range(100):
                sender.send(b"x", TWO)
                for _ in range(others):
                    sender.send(b"y", ("192.0.2.3", 5060))
            await world.sleep(1)
            return len(ear.heard)

        return run(body, seed=2)

    assert arrivals(others=0) == arrivals(others=3)


# --- NAT: the words of RFC 4787 ----------------------------------------------------------------------------


@dataclass
class Behind:
    """A phone behind a NAT box, two servers outside."""

    phone: DatagramEndpoint
    phone_ear: Ear
    pbx: DatagramEndpoint
    pbx_ear: Ear
    other: DatagramEndpoint
    other_ear: Ear


PBX, OTHER, BOX = ("192.0.2.10", 5060), ("192.0.2.20", 5060), "198.51.100.1"


def behind(world: World, kind: NatKind, *, binding_seconds: float = 120.0, hairpins: bool = True) -> Behind:
    box = world.network.nat("box", BOX, kind, binding_seconds=binding_seconds, hairpins=hairpins)
    phone = open_port(world, world.host("phone", "10.0.0.2", box))
    pbx = open_port(world, world.host("pbx", PBX[0]))
    other = open_port(world, world.host("other", OTHER[0]))
    return Behind(*phone, *pbx, *other)


async def outer_addresses(world: World, scene: Behind) -> tuple[tuple[str, int], tuple[str, int]]:
    """The phone's address as the pbx and as the other server see it."""
    scene.phone.send(b"to the pbx", PBX)
    scene.phone.send(b"to the other", OTHER)
    await world.sleep(0.1)
    return scene.pbx_ear.flows[-1].remote, scene.other_ear.flows[-1].remote


@pytest.mark.parametrize("kind", [FULL_CONE, RESTRICTED_CONE, PORT_RESTRICTED])
def test_endpoint_independent_mapping_shows_one_address_to_all(kind: NatKind) -> None:
    async def body(world: World) -> None:
        seen_by_pbx, seen_by_other = await outer_addresses(world, behind(world, kind))
        assert seen_by_pbx == seen_by_other
        assert seen_by_pbx[0] == BOX

    run(body)


@scenario()
async def test_a_symmetric_nat_shows_another_port_to_each_destination(world: World) -> None:
    seen_by_pbx, seen_by_other = await outer_addresses(world, behind(world, SYMMETRIC))
    assert seen_by_pbx[0] == seen_by_other[0] == BOX
    assert seen_by_pbx[1] != seen_by_other[1]


async def who_gets_in(world: World, kind: NatKind) -> list[bytes]:
    """The phone has sent to the pbx alone; which of three senders can answer to that port?"""
    scene = behind(world, kind)
    scene.phone.send(b"hello", PBX)
    await world.sleep(0.1)
    outer = scene.pbx_ear.flows[0].remote
    second_port, _ = open_port(world, scene.pbx.host, 6060)
    for sender, data in (
        (scene.pbx, b"same port"),
        (second_port, b"same address"),
        (scene.other, b"stranger"),
    ):
        sender.send(data, outer)
        await world.sleep(0.1)
    return scene.phone_ear.heard


@scenario()
async def test_endpoint_independent_filtering_lets_strangers_in(world: World) -> None:
    assert await who_gets_in(world, FULL_CONE) == [b"same port", b"same address", b"stranger"]


@scenario()
async def test_address_dependent_filtering_lets_the_known_address_in(world: World) -> None:
    assert await who_gets_in(world, RESTRICTED_CONE) == [b"same port", b"same address"]


@scenario()
async def test_port_dependent_filtering_lets_the_known_port_in_alone(world: World) -> None:
    assert await who_gets_in(world, PORT_RESTRICTED) == [b"same port"]


@scenario()
async def test_a_symmetric_nat_filters_by_address_and_port(world: World) -> None:
    assert await who_gets_in(world, SYMMETRIC) == [b"same port"]


@scenario()
async def test_nobody_reaches_an_inner_address_from_outside(world: World) -> None:
    scene = behind(world, FULL_CONE)
    scene.pbx.send(b"INVITE", ("10.0.0.2", 5060))
    await world.sleep(1)
    assert scene.phone_ear.heard == []


@scenario()
async def test_a_binding_dies_of_silence(world: World) -> None:
    scene = behind(world, FULL_CONE, binding_seconds=30)
    scene.phone.send(b"hello", PBX)
    await world.sleep(29)
    scene.pbx_ear.flows[0].send(b"in time")
    await world.sleep(2)
    scene.pbx_ear.flows[0].send(b"too late")
    await world.sleep(1)
    assert scene.phone_ear.heard == [b"in time"]


@scenario()
async def test_what_comes_in_does_not_refresh_a_binding(world: World) -> None:
    scene = behind(world, FULL_CONE, binding_seconds=30)
    scene.phone.send(b"hello", PBX)
    for _ in range(4):
        await world.sleep(10)
        scene.pbx_ear.flows[0].send(b"tick")
    await world.sleep(1)
    assert len(scene.phone_ear.heard) == 2


@scenario()
async def test_what_goes_out_refreshes_a_binding(world: World) -> None:
    scene = behind(world, PORT_RESTRICTED, binding_seconds=30)
    for _ in range(10):
        scene.phone.send(b"\r\n\r\n", PBX)
        await world.sleep(25)
    scene.pbx_ear.flows[0].send(b"still there")
    await world.sleep(1)
    assert scene.phone_ear.heard == [b"still there"]


@scenario()
async def test_after_a_restart_of_the_box_the_port_is_another(world: World) -> None:
    box = world.network.nat("box", BOX, FULL_CONE)
    phone, phone_ear = open_port(world, world.host("phone", "10.0.0.2", box))
    _, pbx_ear = open_port(world, world.host("pbx", PBX[0]))
    phone.send(b"before", PBX)
    await world.sleep(1)
    box.forget()
    pbx_ear.flows[0].send(b"to the old port")
    phone.send(b"after", PBX)
    await world.sleep(1)
    assert phone_ear.heard == []
    assert pbx_ear.flows[0].remote != pbx_ear.flows[1].remote


@pytest.mark.parametrize(("hairpins", "heard"), [(True, [b"neighbour"]), (False, [])])
def test_hairpinning_reaches_a_neighbour_by_the_outer_address(hairpins: bool, heard: list[bytes]) -> None:
    async def body(world: World) -> None:
        box = world.network.nat("box", BOX, FULL_CONE, hairpins=hairpins)
        one, _ = open_port(world, world.host("one", "10.0.0.2", box))
        two, two_ear = open_port(world, world.host("two", "10.0.0.3", box))
        _, pbx_ear = open_port(world, world.host("pbx", PBX[0]))
        two.send(b"hello", PBX)
        await world.sleep(1)
        one.send(b"neighbour", pbx_ear.flows[0].remote)
        await world.sleep(1)
        assert two_ear.heard == heard

    run(body)


@scenario()
async def test_a_nat_behind_a_nat_translates_twice(world: World) -> None:
    operator = world.network.nat("operator", "198.51.100.1", FULL_CONE)
    home = world.network.nat("home", "100.64.0.2", FULL_CONE, behind=operator)
    phone, phone_ear = open_port(world, world.host("phone", "10.0.0.2", home))
    _, pbx_ear = open_port(world, world.host("pbx", PBX[0]))
    phone.send(b"hello", PBX)
    await world.sleep(1)
    assert pbx_ear.flows[0].remote[0] == "198.51.100.1"
    pbx_ear.flows[0].send(b"answer")
    await world.sleep(1)
    assert phone_ear.heard == [b"answer"]


# --- Streams -----------------------------------------------------------------------------------------------


async def stream(world: World, link: Link = Link()) -> tuple[StreamFlow, Ear, StreamFlow, Ear]:  # noqa: B008
    """A stream from `one` to `two`: each end and its ear."""
    one, two = world.host("one", "192.0.2.1"), world.host("two", "192.0.2.2")
    world.network.link(one, two, link)
    near, far = Ear(), Ear()
    listener = two.listen(5060, far.accept)
    world.closing.callback(listener.close)
    flow = await one.connect(TWO, near.receive, near.closed)
    world.closing.callback(flow.close)
    far_flow = far.flows.pop()
    assert isinstance(far_flow, StreamFlow)
    return flow, near, far_flow, far


@scenario(seed=4)
async def test_a_stream_keeps_every_byte_in_order_on_a_bad_link(world: World) -> None:
    flow, _, _, far = await stream(world, Link(loss=0.3, jitter_seconds=0.1, reorder=0.5, duplicate=0.5))
    sent = [b"<%d>" % number for number in range(200)]
    for data in sent:
        flow.send(data)
    await world.sleep(300)
    assert b"".join(far.heard) == b"".join(sent)


@scenario()
async def test_a_stream_carries_both_ways_and_tells_its_addresses(world: World) -> None:
    flow, near, far_flow, far = await stream(world)
    flow.send(b"question")
    await world.sleep(1)
    far_flow.send(b"answer")
    await world.sleep(1)
    assert (far.heard, near.heard) == ([b"question"], [b"answer"])
    assert (flow.transport, flow.remote, flow.reliable) == ("TCP", TWO, True)
    assert far_flow.remote == flow.local


@scenario()
async def test_a_stream_can_come_in_small_pieces(world: World) -> None:
    flow, _, _, far = await stream(world)
    flow.largest_piece_bytes = 3
    flow.send(b"INVITE sip:")
    await world.sleep(1)
    assert far.heard == [b"INV", b"ITE", b" si", b"p:"]


@scenario()
async def test_closing_a_stream_is_heard_after_its_last_bytes(world: World) -> None:
    flow, near, far_flow, far = await stream(world)
    flow.send(b"last words")
    flow.close()
    await world.sleep(1)
    assert (far.heard, far.ended, near.ended) == ([b"last words"], 1, 0)
    assert not far_flow.open
    with pytest.raises(OSError, match="closed"):
        flow.send(b"x")


@scenario()
async def test_a_stream_over_a_link_that_was_cut_breaks_on_both_sides(world: World) -> None:
    flow, near, far_flow, far = await stream(world)
    world.network.link_one_way(world.network.public.members["192.0.2.1"], far_host(far_flow, world), CUT)
    flow.send(b"into the void")
    await world.sleep(60)
    assert (far.heard, near.ended, far.ended) == ([], 1, 1)


def far_host(flow: StreamFlow, world: World) -> Host:
    host = world.network.public.members[flow.local[0]]
    assert isinstance(host, Host)
    return host


@scenario()
async def test_a_port_without_listener_refuses_a_stream(world: World) -> None:
    one, _ = world.host("one", "192.0.2.1"), world.host("two", "192.0.2.2")
    with pytest.raises(ConnectionRefusedError):
        await one.connect(TWO, Ear().receive, Ear().closed)


@scenario()
async def test_a_stream_to_a_host_that_is_cut_off_times_out(world: World) -> None:
    one, two = world.host("one", "192.0.2.1"), world.host("two", "192.0.2.2")
    world.network.link(one, two, CUT)
    with pytest.raises(TimeoutError):
        await one.connect(TWO, Ear().receive, Ear().closed)
    assert world.seconds > 10


@scenario()
async def test_a_stream_from_behind_a_nat_shows_the_outer_address(world: World) -> None:
    box = world.network.nat("box", BOX, PORT_RESTRICTED)
    phone, pbx = world.host("phone", "10.0.0.2", box), world.host("pbx", PBX[0])
    ear, near = Ear(), Ear()
    world.closing.callback(pbx.listen(5060, ear.accept).close)
    flow = await phone.connect(PBX, near.receive, near.closed)
    world.closing.callback(flow.close)
    assert ear.flows[0].remote[0] == BOX
    ear.flows[0].send(b"to the phone")
    await world.sleep(1)
    assert near.heard == [b"to the phone"]


@pytest.mark.parametrize(("seconds", "ended"), [(7_200, 0), (7_450, 1)])
def test_a_nat_forgets_a_silent_stream_after_its_time(seconds: float, ended: int) -> None:
    async def body(world: World) -> None:
        box = world.network.nat("box", BOX, PORT_RESTRICTED)
        phone, pbx = world.host("phone", "10.0.0.2", box), world.host("pbx", PBX[0])
        ear, near = Ear(), Ear()
        world.closing.callback(pbx.listen(5060, ear.accept).close)
        flow = await phone.connect(PBX, near.receive, near.closed)
        world.closing.callback(flow.close)
        await world.sleep(seconds)
        ear.flows[0].send(b"INVITE")
        await world.sleep(100)
        assert (len(near.heard), near.ended, ear.ended) == (1 - ended, ended, ended)

    run(body)


@scenario()
async def test_a_stream_that_is_used_keeps_its_binding(world: World) -> None:
    box = world.network.nat("box", BOX, PORT_RESTRICTED)
    phone, pbx = world.host("phone", "10.0.0.2", box), world.host("pbx", PBX[0])
    ear, near = Ear(), Ear()
    world.closing.callback(pbx.listen(5060, ear.accept).close)
    flow = await phone.connect(PBX, near.receive, near.closed)
    world.closing.callback(flow.close)
    for _ in range(4):
        await world.sleep(5_000)
        ear.flows[0].send(b"tick")
    await world.sleep(1)
    assert len(near.heard) == 4


@scenario()
async def test_a_nat_that_restarts_breaks_its_streams_when_they_are_used(world: World) -> None:
    box = world.network.nat("box", BOX, FULL_CONE)
    phone, pbx = world.host("phone", "10.0.0.2", box), world.host("pbx", PBX[0])
    ear, near = Ear(), Ear()
    world.closing.callback(pbx.listen(5060, ear.accept).close)
    flow = await phone.connect(PBX, near.receive, near.closed)
    box.forget()
    assert flow.open
    flow.send(b"hello")
    await world.sleep(100)
    assert (ear.heard, flow.open) == ([], False)


@scenario()
async def test_after_a_crash_the_other_end_finds_out_when_it_writes(world: World) -> None:
    flow, near, far_flow, _ = await stream(world)
    far_host(far_flow, world).crash()
    await world.sleep(100)
    assert near.ended == 0
    flow.send(b"are you there?")
    await world.sleep(100)
    assert near.ended == 1


@scenario()
async def test_two_streams_can_wait_for_each_other(world: World) -> None:
    flow, _, far_flow, far = await stream(world)
    answered = asyncio.Event()
    far_flow.receive = lambda data, flow: answered.set()
    flow.send(b"x")
    async with asyncio.timeout(1):
        await answered.wait()
    assert far.heard == []
