"""Flows of RFC 5626, proxies of RFC 3327, GRUUs of RFC 5627, and telephones behind NATs."""

from __future__ import annotations

import ipaddress

from pbx.events import DeviceReachable, DeviceUnreachable
from pbx.keep_alive import UNANSWERED_ALLOWED
from sip.core.flow import Flow
from sip.net.addresses import ExternalAddress
from tests.scenarios.town import BEFFROI, DOMAIN, Town, TownPhone, start
from tests.sim.network import PORT_RESTRICTED, Address, Nat, Passage, StreamFlow
from tests.sim.wire import Message
from tests.sim.world import World, scenario

URN = "urn:uuid:00000000-0000-1000-8000-000000001002"
OUTBOUND = "path, outbound, gruu"


async def register_flow(
    phone: TownPhone, reg_id: int, port: int = 5060, *, urn: str = URN, supported: str = OUTBOUND
) -> Message:
    """Register a flow of a phone, as RFC 5626 section 4.2 shows; returns the 200."""
    contact = f'<sip:{phone.user}@{phone.host.address}:{port}>;reg-id={reg_id};+sip.instance="<{urn}>"'
    lines = [("Contact", contact), ("Supported", supported)]
    phone.send("REGISTER", f"sip:{phone.user}@{DOMAIN}", headers=lines)
    return await phone.expect_authenticated(200)


def another_socket(town: Town, phone: TownPhone, port: int) -> TownPhone:
    """The same phone at another port, as if over another proxy or network."""
    other = TownPhone(
        phone.host, user=phone.user, password=phone.password, server=BEFFROI, domain=DOMAIN, port=port
    )
    town.world.watch(f"{phone.user} at {port}", other)
    town.world.closing.push_async_callback(other.close)
    return other


# --- Outbound ----------------------------------------------------------------------------------------------


@scenario()
async def test_a_flow_that_is_kept_is_answered_so(world: World) -> None:
    """RFC 5626 section 6: Require: outbound, and how often to show that one is there."""
    town = await start(world)
    bruno = town.phone("1002")
    answer = await register_flow(bruno, 1)
    assert answer.header("Require") == "outbound"
    assert answer.header("Flow-Timer") == "25"
    assert answer.header("Supported") == "gruu, outbound, path"
    assert f'reg-id=1;pub-gruu="sip:1002@{DOMAIN};gr={URN}"' in answer.header("Contact")


@scenario()
async def test_a_flow_over_a_connection_has_more_time(world: World) -> None:
    """RFC 5626 section 4.4: NATs keep TCP longer than UDP."""
    town = await start(world)
    bruno = town.phone("1002")
    await bruno.connect()
    assert (await register_flow(bruno, 1)).header("Flow-Timer") == "120"
    assert words_seconds(bruno) == 150


@scenario()
async def test_a_phone_that_numbers_no_flow_has_promised_nothing(world: World) -> None:
    """RFC 5626 section 5.4 is about flows that are kept."""
    town = await start(world)
    bruno = town.phone("1002")
    await bruno.connect()
    await bruno.register()
    assert words_seconds(bruno) is None


def words_seconds(phone: TownPhone) -> float | None:
    """How often we expect to hear of a phone on its connection."""
    assert isinstance(phone.stream, StreamFlow)
    return phone.stream.peer.words_seconds


@scenario()
async def test_a_phone_that_does_not_ask_for_flows_hears_nothing_of_them(world: World) -> None:
    town = await start(world)
    answer = await town.phone("1002").register()
    assert not [name for name, _ in answer.headers if name in ("Require", "Flow-Timer", "Supported", "Path")]


@scenario()
async def test_a_phone_with_two_flows_rings_once_over_the_newest(world: World) -> None:
    """RFC 5626 section 5.3."""
    town = await start(world)
    bruno = town.phone("1002")
    other = another_socket(town, bruno, 5070)
    await register_flow(bruno, 1)
    await register_flow(other, 2, 5070)
    (alice,) = await town.phones("1001")
    await town.talk(alice, other)
    await town.hang_up(alice, other)


@scenario()
async def test_a_flow_that_a_proxy_lost_is_passed_over_for_the_next(world: World) -> None:
    """RFC 5626 section 5.3: 430 Flow Failed."""
    town = await start(world)
    bruno = town.phone("1002")
    other = another_socket(town, bruno, 5070)
    await register_flow(bruno, 1)
    await register_flow(other, 2, 5070)
    (alice,) = await town.phones("1001")
    await alice.call("1002")
    other.reply(await other.expect("INVITE"), 430)
    await other.expect("ACK")
    bruno.answer(await bruno.expect("INVITE"))
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, bruno)


@scenario()
async def test_a_phone_that_is_busy_is_not_rung_again_over_its_other_flow(world: World) -> None:
    town = await start(world)
    bruno = town.phone("1002")
    other = another_socket(town, bruno, 5070)
    await register_flow(bruno, 1)
    await register_flow(other, 2, 5070)
    (alice,) = await town.phones("1001")
    await alice.call("1002")
    other.reply(await other.expect("INVITE"), 486)
    await other.expect("ACK")
    await alice.expect(486)


@scenario()
async def test_a_flow_whose_connection_is_gone_comes_after_the_others(world: World) -> None:
    """RFC 5626 section 5.3."""
    town = await start(world)
    bruno = town.phone("1002")
    other = another_socket(town, bruno, 5070)
    await register_flow(bruno, 1)
    await other.connect()
    await register_flow(other, 2, 5070)
    assert other.stream is not None
    other.stream.close()
    await world.sleep(1)
    (alice,) = await town.phones("1001")
    await town.talk(alice, bruno)
    await town.hang_up(alice, bruno)
    assert town.exchange.registrations.unreachable() == 1


@scenario()
async def test_flows_survive_a_restart(world: World) -> None:
    town = await start(world)
    bruno = town.phone("1002")
    bruno.headers["Path"] = "<sip:10.54.0.9;lr;ob>"
    await register_flow(bruno, 3)
    await town.restart()
    (binding,) = town.exchange.devices.bindings_of("1002")
    assert (binding.instance, binding.reg_id, binding.path) == (URN, 3, ("<sip:10.54.0.9;lr;ob>",))


# --- Path --------------------------------------------------------------------------------------------------


@scenario()
async def test_a_phone_behind_a_proxy_is_called_by_its_path(world: World) -> None:
    """RFC 3327 section 5.4: the path is the Route, in its order; the 200 shows it to the phone (5.3)."""
    town = await start(world)
    edge = town.phone("1002", address="198.51.100.9")  # the proxy, who registers a phone behind it
    edge.headers["Path"] = "<sip:198.51.100.9;lr>, <sip:10.1.1.1;lr>"
    lines = [("Contact", "<sip:1002@10.1.1.50>"), ("Supported", "path")]
    edge.send("REGISTER", f"sip:1002@{DOMAIN}", headers=lines)
    answer = await edge.expect_authenticated(200)
    assert answer.header("Path") == "<sip:198.51.100.9;lr>, <sip:10.1.1.1;lr>"
    assert answer.header("Supported") == "gruu, outbound, path"
    (alice,) = await town.phones("1001")
    await alice.call("1002")
    invite = await edge.expect("INVITE")
    assert invite.uri == "sip:1002@10.1.1.50"
    assert invite.all("Route") == ["<sip:198.51.100.9;lr>", "<sip:10.1.1.1;lr>"]
    edge.reply(invite, 486)
    await edge.expect("ACK")
    await alice.expect(486)


@scenario()
async def test_a_first_hop_without_outbound_is_refused_in_words(world: World) -> None:
    """RFC 5626 section 11.6: 439."""
    town = await start(world)
    bruno = town.phone("1002")
    bruno.headers["Path"] = "<sip:edge.example;lr>"
    via = f"SIP/2.0/UDP {bruno.host.address};rport;branch=z9hG4bK1, SIP/2.0/UDP 10.1.1.50;branch=z9hG4bK0"
    contact = f'<sip:1002@10.1.1.50>;reg-id=1;+sip.instance="<{URN}>"'
    lines = [("Contact", contact), ("Supported", OUTBOUND)]
    bruno.send("REGISTER", f"sip:1002@{DOMAIN}", headers=lines)
    challenge = await bruno.expect(401)
    bruno.headers["Via"] = via
    bruno.authenticate(challenge)
    refusal = await bruno.expect(439)
    assert refusal.first_line == "SIP/2.0 439 First Hop Lacks Outbound Support"


# --- GRUU --------------------------------------------------------------------------------------------------


async def two_phones_of_one_person(world: World) -> tuple[Town, TownPhone, TownPhone, TownPhone]:
    town = await start(world)
    desk, app = town.phone("1001"), town.phone("1001-app")
    await register_flow(desk, 1, urn="urn:uuid:desk")
    await register_flow(app, 1, urn="urn:uuid:app")
    (bruno,) = await town.phones("1002")
    return town, desk, app, bruno


@scenario()
async def test_a_call_to_a_gruu_rings_that_phone_alone(world: World) -> None:
    """RFC 5627 section 6.1; both phones of a person have a GRUU of the person's address."""
    town, _, app, bruno = await two_phones_of_one_person(world)
    await bruno.call(f"sip:1001@{DOMAIN};gr=urn:uuid:APP")
    app.answer(await app.expect("INVITE"))
    await app.expect("ACK")
    bruno.ack(await bruno.expect(200))
    await town.hang_up(bruno, app)


@scenario()
async def test_a_call_to_the_person_rings_all_of_its_phones(world: World) -> None:
    _, desk, app, bruno = await two_phones_of_one_person(world)
    await bruno.call("1001")
    for phone in (desk, app):
        phone.reply(await phone.expect("INVITE"), 486)
        await phone.expect("ACK")
    await bruno.expect(486)


@scenario()
async def test_a_gruu_whose_phone_is_not_there_is_480(world: World) -> None:
    """RFC 5627 section 6.1."""
    town, _, _, bruno = await two_phones_of_one_person(world)
    await bruno.call(f"sip:1001@{DOMAIN};gr=urn:uuid:gone")
    await town.refused(bruno, 480)


# --- Behind a NAT ------------------------------------------------------------------------------------------


def behind(town: Town, user: str, inner: str, box: Nat) -> TownPhone:
    host = town.world.host(user, inner, box)
    phone = TownPhone(host, user=user, password=f"pw{user}", server=BEFFROI, domain=DOMAIN)
    town.world.watch(user, phone)
    town.world.closing.push_async_callback(phone.close)
    return phone


def town_behind_nats(
    world: World, keep_alive_seconds: float, *, binding_seconds: float = 60.0
) -> tuple[Town, Nat]:
    town = Town(world, keep_alive_seconds=keep_alive_seconds)
    return town, world.network.nat("box", "198.51.100.1", PORT_RESTRICTED, binding_seconds=binding_seconds)


async def answer_keep_alives(phone: TownPhone, count: int) -> list[Message]:
    asked = []
    for _ in range(count):
        asked.append(await phone.expect("OPTIONS"))
        phone.reply(asked[-1], 200)
    return asked


async def leave(phone: TownPhone) -> None:
    """Unregister: what nobody asks any more leaves no timer."""
    await phone.register(expires_seconds=0)


@scenario()
async def test_a_phone_behind_a_nat_is_asked_so_often_that_its_nat_remembers(world: World) -> None:
    town, box = town_behind_nats(world, 30)
    bruno = behind(town, "1002", "192.168.1.2", box)
    await bruno.register()
    asked = await answer_keep_alives(bruno, 5)
    assert {message.uri for message in asked} == {"sip:1002@192.168.1.2:5060"}
    assert len({message.call_id for message in asked}) == 1
    (alice,) = await town.phones("1001")
    await town.talk(alice, bruno)
    await town.hang_up(alice, bruno)
    await leave(bruno)


@scenario()
async def test_without_keep_alives_its_nat_forgets_it(world: World) -> None:
    """The test above would show nothing if this one's call came through."""
    town, box = town_behind_nats(world, 0)
    bruno = behind(town, "1002", "192.168.1.2", box)
    await bruno.register()
    await world.sleep(150)
    (alice,) = await town.phones("1001")
    await alice.call("1002")
    await town.refused(alice, 480)


@scenario()
async def test_a_phone_that_leaves_keep_alives_unanswered_is_unreachable_until_it_answers(
    world: World,
) -> None:
    town, box = town_behind_nats(world, 30, binding_seconds=600.0)
    bruno = behind(town, "1002", "192.168.1.2", box)
    await bruno.register()
    registrations = town.exchange.registrations
    told: list[DeviceReachable | DeviceUnreachable] = []
    town.exchange.events.subscribe(told.append, DeviceReachable, DeviceUnreachable)
    for _ in range(UNANSWERED_ALLOWED):
        assert registrations.unreachable() == 0
        await bruno.expect("OPTIONS", within_seconds=61)
        await world.sleep(33)
    assert registrations.unreachable() == 1
    assert town.exchange.status()["bindings"] == 1
    bruno.reply(await bruno.expect("OPTIONS", within_seconds=61), 481)  # any answer says that it is there
    await world.sleep(1)
    assert registrations.unreachable() == 0
    assert [(type(event), event.device) for event in told] == [
        (DeviceUnreachable, "1002"),
        (DeviceReachable, "1002"),
    ]
    await leave(bruno)


@scenario()
async def test_a_phone_that_registers_again_is_reachable_again(world: World) -> None:
    town, box = town_behind_nats(world, 30, binding_seconds=600.0)
    bruno = behind(town, "1002", "192.168.1.2", box)
    await bruno.register()
    for _ in range(UNANSWERED_ALLOWED):
        await bruno.expect("OPTIONS", within_seconds=61)
        await world.sleep(33)
    assert town.exchange.registrations.unreachable() == 1
    await bruno.register()
    assert town.exchange.registrations.unreachable() == 0
    await leave(bruno)


@scenario()
async def test_an_unreachable_phone_is_still_rung_after_the_others(world: World) -> None:
    town, box = town_behind_nats(world, 30, binding_seconds=600.0)
    app = town.phone("1001-app")
    desk = behind(town, "1001", "192.168.1.2", box)
    await desk.register()
    await app.register()
    for _ in range(UNANSWERED_ALLOWED):
        await desk.expect("OPTIONS", within_seconds=61)
        await world.sleep(33)
    (bruno,) = await town.phones("1002")
    await bruno.call("1001")
    app.reply(await app.expect("INVITE"), 486)
    await app.expect("ACK")
    desk.answer(await desk.expect("INVITE"))
    await desk.expect("ACK")
    bruno.ack(await bruno.expect(200))
    invites = [line for line in town.journal.timeline if "send INVITE" in line]
    assert invites == ["send INVITE (sdp) to 1001-app", "send INVITE (sdp) to 1001"]
    await town.hang_up(bruno, desk)
    await leave(desk)


@scenario()
async def test_phones_that_register_at_once_are_not_asked_at_once(world: World) -> None:
    town, box = town_behind_nats(world, 30)
    users = ["1002", "2010", "2020", "2201", "2202"]
    phones = [behind(town, user, f"192.168.1.{number + 2}", box) for number, user in enumerate(users)]
    first: dict[Address, float] = {}

    def watch(passage: Passage) -> None:
        if passage.data.startswith(b"OPTIONS"):
            first.setdefault(passage.destination, passage.sent_at)

    world.network.watchers.append(watch)
    for phone in phones:
        await phone.register()
    begun = world.loop.time()
    await world.sleep(31)
    for phone in phones:
        await answer_keep_alives(phone, 1)
        await leave(phone)
    waited = [instant - begun for instant in first.values()]
    assert len(waited) == len(phones)
    assert min(waited) > 14
    assert max(waited) - min(waited) > 3


@scenario()
async def test_a_phone_behind_a_nat_is_asked_on_after_a_restart(world: World) -> None:
    town, box = town_behind_nats(world, 30)
    bruno = behind(town, "1002", "192.168.1.2", box)
    await bruno.register()
    await town.restart()
    await answer_keep_alives(bruno, 2)
    await leave(bruno)


@scenario()
async def test_a_phone_that_is_where_it_says_is_not_asked(world: World) -> None:
    town, _ = town_behind_nats(world, 30)
    bruno = town.phone("1002")
    await bruno.register()
    await bruno.expect_silence(120)


# --- What a peer is told ----------------------------------------------------------------------------------


def connection_of(message: Message) -> str:
    (line,) = [line for line in message.body.decode().splitlines() if line.startswith("c=")]
    return line.split()[-1]


@scenario()
async def test_each_party_is_told_the_address_for_sound_that_it_can_reach(world: World) -> None:
    """A phone in the town hall calls a person whose one phone is in the town hall too, the other at home."""
    local = [ipaddress.ip_network("10.0.0.0/8")]
    town = Town(world, external=ExternalAddress(local, ["203.0.113.7"]))
    caller, outside = town.phone("2010"), town.phone("1001")
    inside = town.phone("1001-app", address="10.54.1.99")
    for phone in (caller, outside, inside):
        await phone.register()
    await caller.call("1001")
    at_home, at_work = await outside.expect("INVITE"), await inside.expect("INVITE")
    inside.reply(at_work, 180)
    await caller.expect(180)
    assert connection_of(at_home) == "203.0.113.7"
    assert connection_of(at_work) == BEFFROI[0]
    outside.answer(at_home)
    await outside.expect("ACK")
    inside.reply(await inside.expect("CANCEL"), 200)
    inside.reply(at_work, 487)
    await inside.expect("ACK")
    answer = await caller.expect(200)
    assert connection_of(answer) == BEFFROI[0]
    caller.ack(answer)
    await town.hang_up(caller, outside)


@scenario()
async def test_an_echo_outside_is_told_the_external_address(world: World) -> None:
    town = Town(world, external=ExternalAddress([], ["203.0.113.7"]))
    (alice,) = await town.phones("1001")
    await alice.call("9196")
    answer = await alice.expect(200)
    assert connection_of(answer) == "203.0.113.7"
    alice.ack(answer)
    await town.hang_up(alice)


@scenario()
async def test_a_phone_with_a_private_address_in_its_sdp_alone_is_latched(world: World) -> None:
    """It learnt its NAT's address by STUN for SIP, not for its sound."""
    town = await start(world)
    (alice,) = await town.phones("1001")
    private = alice.sdp().replace(alice.host.address.encode(), b"192.168.7.7")
    seen: list[bool] = []
    publish = town.engine.publish

    async def watched(call: str, leg: str, sdp: bytes, *, nat: bool = False, advertise: str = "") -> bytes:
        seen.append(nat)
        return await publish(call, leg, sdp, nat=nat, advertise=advertise)

    setattr(town.engine, "publish", watched)  # noqa: B010 (mypy refuses to assign a method)
    alice.send("INVITE", "9196", body=private)
    alice.authenticate(await alice.expect(401))
    alice.ack(await alice.expect(200))
    await town.hang_up(alice)
    assert seen == [True]


@scenario()
async def test_sound_has_an_address_of_the_peers_own_ip_version(world: World) -> None:
    external = ExternalAddress([ipaddress.ip_network("10.0.0.0/8")], ["203.0.113.7"])
    town = Town(world, external=external, media_addresses=(BEFFROI[0], "2001:db8::10"))
    told = {
        peer: town.exchange.media_address_toward(Flow("UDP", ("", 0), (peer, 5060)))
        for peer in ("10.54.1.1", "192.0.2.1", "2001:db8::1")
    }
    assert told == {"10.54.1.1": BEFFROI[0], "192.0.2.1": "203.0.113.7", "2001:db8::1": "2001:db8::10"}


@scenario()
async def test_an_engine_that_puts_no_address_of_its_own_is_told_none(world: World) -> None:
    town = Town(world, external=ExternalAddress([], ["203.0.113.7"]), media_addresses=())
    assert town.exchange.media_address_toward(Flow("UDP", ("", 0), ("192.0.2.1", 5060))) == ""
