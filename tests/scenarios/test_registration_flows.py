"""Registration: the flows of RFC 3665 section 2, and what becomes of bindings in time and after a restart."""

from __future__ import annotations

import pytest

from pbx.events import DeviceReachable, DeviceUnreachable
from tests.scenarios.test_defence import Stranger
from tests.scenarios.town import Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.network import PORT_RESTRICTED
from tests.sim.wire import Message
from tests.sim.world import World, scenario


def ask(phone: TownPhone, *contacts: str, expires: int | None = None, **headers: str) -> None:
    """Send a REGISTER with these Contacts; the next answer is to be expected."""
    lines = [("Contact", contact) for contact in contacts]
    lines += [("Expires", str(expires))] if expires is not None else []
    lines += list(headers.items())
    phone.send("REGISTER", f"sip:{phone.user}@{phone.domain}", headers=lines)


async def asked(phone: TownPhone, *contacts: str, expires: int | None = None, **headers: str) -> Message:
    """The answer to a REGISTER with these Contacts, a challenge answered."""
    ask(phone, *contacts, expires=expires, **headers)
    challenge = await phone.expect(401)
    phone.authenticate(challenge)
    return await phone.expect(200)


@scenario()
async def test_a_new_registration(world: World) -> None:
    """RFC 3665 section 2.1."""
    town = await start(world)
    alice = town.phone("1001")
    answer = await alice.register()
    assert answer.all("Contact") == ["<sip:1001@192.0.2.1:5060>;expires=3600"]
    assert_golden("register", town.ladder)
    assert town.journal.timeline == [
        "send 401 REGISTER to 1001",
        "write bindings of 1001: 1",
        "send 200 REGISTER to 1001",
    ]


@scenario()
async def test_an_update_of_the_contact_list(world: World) -> None:
    """RFC 3665 section 2.2: a second contact beside the first."""
    town = await start(world)
    alice = town.phone("1001")
    await alice.register()
    town.ladder.clear()
    answer = await asked(alice, "<sip:1001@192.0.2.1:5070>;q=0.5;expires=600")
    assert answer.all("Contact") == [
        "<sip:1001@192.0.2.1:5060>;expires=3600",
        "<sip:1001@192.0.2.1:5070>;expires=600;q=0.5",
    ]
    assert_golden("register-update", town.ladder)
    assert len(town.bindings[-1].bindings) == 2


@scenario()
async def test_a_request_for_the_current_contact_list_writes_nothing(world: World) -> None:
    """RFC 3665 section 2.3."""
    town = await start(world)
    alice = town.phone("1001")
    await alice.register()
    town.ladder.clear()
    await world.sleep(600)
    answer = await asked(alice)
    assert answer.all("Contact") == ["<sip:1001@192.0.2.1:5060>;expires=3000"]
    assert_golden("register-list", town.ladder)
    assert len(town.bindings) == 1


@scenario()
async def test_a_cancelled_registration(world: World) -> None:
    """RFC 3665 section 2.4."""
    town = await start(world)
    alice = town.phone("1001")
    await alice.register()
    town.ladder.clear()
    answer = await alice.register(expires_seconds=0)
    assert answer.all("Contact") == []
    assert_golden("register-cancel", town.ladder)
    assert town.bindings[-1].bindings == []


@scenario()
async def test_every_contact_is_removed_at_once(world: World) -> None:
    """RFC 3261 section 10.2.2, `Contact: *`."""
    town = await start(world)
    alice = town.phone("1001")
    await alice.register()
    await asked(alice, "<sip:1001@192.0.2.1:5070>")
    answer = await asked(alice, "*", expires=0)
    assert answer.all("Contact") == []
    assert town.exchange.status()["bindings"] == 0


@scenario()
async def test_an_unsuccessful_registration(world: World) -> None:
    """RFC 3665 section 2.5: a wrong password. Ours ends with 403, where the RFC's server challenges again."""
    town = await start(world)
    alice = town.phone("1001", password="guessed")
    ask(alice, alice.contact())
    alice.authenticate(await alice.expect(401))
    await alice.expect(403)
    assert_golden("register-refused", town.ladder)
    assert town.bindings == []


@scenario()
async def test_too_short_a_time_is_refused_with_the_least_that_is_granted(world: World) -> None:
    """RFC 3261 section 10.3 step 7."""
    town = await start(world)
    alice = town.phone("1001")
    ask(alice, alice.contact(), expires=30)
    alice.authenticate(await alice.expect(401))
    refusal = await alice.expect(423)
    assert refusal.header("Min-Expires") == "60"
    assert town.bindings == []


@scenario()
async def test_an_extension_that_is_required_and_unknown_is_refused(world: World) -> None:
    """RFC 3261 section 8.2.2.3."""
    town = await start(world)
    alice = town.phone("1001")
    ask(alice, alice.contact(), Require="gruu, teleport, telepathy")
    refusal = await alice.expect(420)
    assert refusal.header("Unsupported") == "teleport, telepathy"


@pytest.mark.parametrize(("method", "status"), [("NOTIFY", 405), ("JUMP", 501)])
@scenario()
async def test_a_method_that_is_not_ours_is_refused_with_those_that_are(
    world: World, method: str, status: int
) -> None:
    """RFC 3261 sections 8.2.1 and 21.5.2."""
    town = await start(world)
    alice = town.phone("1001")
    alice.send(method, "1002")
    refusal = await alice.expect(status)
    allowed = refusal.header("Allow").split(", ")
    assert {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "UPDATE"} <= {*allowed}
    assert method not in allowed


@pytest.mark.parametrize("method", ["PRACK", "REFER", "INFO"])
@scenario()
async def test_what_belongs_to_a_call_is_refused_outside_of_one(world: World, method: str) -> None:
    """RFC 3261 section 12.2.2."""
    town = await start(world)
    alice = town.phone("1001")
    alice.send(method, "1002")
    await alice.expect(481)


@scenario()
async def test_options_tells_what_we_can(world: World) -> None:
    """RFC 3261 section 11.2."""
    town = await start(world)
    alice = town.phone("1001")
    alice.send("OPTIONS", "9196")
    answer = await alice.expect(200)
    assert answer.header("Accept") == "application/sdp"
    assert "INVITE" in answer.header("Allow")
    assert answer.header("Allow-Events") == "dialog, message-summary, presence"  # RFC 6665 section 8.2.2


@scenario()
async def test_another_persons_address_cannot_be_registered(world: World) -> None:
    """RFC 3261 section 10.3 step 4."""
    town = await start(world)
    alice = town.phone("1001")
    alice.send("REGISTER", "sip:1002@valmont.example", headers=[("Contact", alice.contact())])
    alice.authenticate(await alice.expect(401))
    await alice.expect(403)
    assert town.bindings == []


@scenario()
async def test_a_binding_that_expires_is_removed_and_written(world: World) -> None:
    """RFC 3261 section 10.3."""
    town = await start(world)
    alice = town.phone("1001")
    await alice.register(expires_seconds=60)
    await world.sleep(59)
    assert town.exchange.status()["bindings"] == 1
    await world.sleep(1.1)
    assert town.exchange.status()["bindings"] == 0
    assert town.journal.timeline[-1] == "write bindings of 1001: 0"


@scenario()
async def test_of_two_bindings_the_one_that_expires_goes_alone(world: World) -> None:
    town = await start(world)
    alice = town.phone("1001")
    await alice.register()
    await asked(alice, "<sip:1001@192.0.2.1:5070>", expires=60)
    await world.sleep(61)
    assert [binding.contact_uri for binding in town.bindings[-1].bindings] == ["sip:1001@192.0.2.1:5060"]


@scenario()
async def test_a_phone_that_registers_again_in_time_never_disappears(world: World) -> None:
    town = await start(world)
    alice = town.phone("1001")
    for _ in range(10):
        await alice.register(expires_seconds=60)
        await world.sleep(30)
    assert town.exchange.status()["bindings"] == 1


@scenario()
async def test_bindings_are_there_after_a_restart(world: World) -> None:
    town = await start(world)
    alice, bruno, _ = await town.phones("1001", "1002", "1001-app")
    assert await town.restart() == 3
    await town.talk(alice, bruno)
    await town.hang_up(alice, bruno)


@scenario()
async def test_what_expired_meanwhile_is_gone_after_a_restart(world: World) -> None:
    town = await start(world)
    alice, bruno = town.phone("1001"), town.phone("1002")
    await alice.register(expires_seconds=60)
    await bruno.register()
    town.node.close()
    await world.sleep(100)
    assert await town.restart() == 1


@scenario()
async def test_a_restored_binding_expires_at_its_time(world: World) -> None:
    town = await start(world)
    alice = town.phone("1001")
    await alice.register(expires_seconds=600)
    await world.sleep(300)
    assert await town.restart() == 1
    await world.sleep(299)
    assert town.exchange.status()["bindings"] == 1
    await world.sleep(2)
    assert town.exchange.status()["bindings"] == 0
    assert town.journal.timeline[-1] == "write bindings of 1001: 0"


@scenario()
async def test_a_phone_registers_again_after_a_restart_with_its_old_nonce(world: World) -> None:
    """A nonce of the process that was killed is stale, not wrong."""
    town = await start(world)
    alice = town.phone("1001")
    ask(alice, alice.contact())
    challenge = await alice.expect(401)
    await town.restart()
    alice.authenticate(challenge)
    again = await alice.expect(401)
    assert "stale=true" in again.header("WWW-Authenticate")
    alice.authenticate(again)
    await alice.expect(200)


@scenario()
async def test_a_phone_behind_a_nat_is_called_over_the_flow_of_its_registration(world: World) -> None:
    town = await start(world)
    box = world.network.nat("box", "198.51.100.1", PORT_RESTRICTED)
    host = world.host("1002", "192.168.1.2", box)
    bruno = TownPhone(
        host, user="1002", password="pw1002", server=("10.54.0.10", 5060), domain=town.exchange.domain
    )
    world.watch("1002", bruno)
    world.closing.push_async_callback(bruno.close)
    await bruno.register()
    (alice,) = await town.phones("1001")
    await town.talk(alice, bruno)
    await town.hang_up(alice, bruno)


async def _town_with_streams(world: World) -> tuple[Town, TownPhone, TownPhone]:
    town = await start(world)
    alice, bruno = town.phone("1001"), town.phone("1002")
    await bruno.connect()
    await bruno.register()
    await alice.register()
    return town, alice, bruno


@scenario()
async def test_a_phone_over_tcp_is_called_over_its_own_connection(world: World) -> None:
    town, alice, bruno = await _town_with_streams(world)
    await town.talk(alice, bruno)
    await town.hang_up(alice, bruno)
    assert (await town.record()).splitlines()[2].split()[2] == "tcp"


@scenario()
async def test_a_phone_whose_connection_is_gone_is_unreachable_at_once(world: World) -> None:
    town, alice, bruno = await _town_with_streams(world)
    assert bruno.stream is not None
    bruno.stream.close()
    await world.sleep(1)
    await alice.call("1002")
    await town.refused(alice, 480, within_seconds=1)
    assert "unreachable" in await town.record()


@scenario()
async def test_a_device_whose_connection_closes_is_told_of_as_unreachable_and_then_as_back(
    world: World,
) -> None:
    town = await start(world)
    told: list[str] = []

    def note(event: DeviceReachable | DeviceUnreachable) -> None:
        told.append(f"{event.device} {getattr(event, 'reason', 'reachable')}")

    town.exchange.events.subscribe(note, DeviceReachable, DeviceUnreachable)
    bruno = town.phone("1002")
    for _ in range(2):
        await bruno.connect()
        await bruno.register()
        assert bruno.stream is not None
        bruno.stream.close()
        await world.sleep(1)
    assert told == ["1002 reachable", "1002 disconnected"] * 2
    await world.sleep(3700)
    assert told == ["1002 reachable", "1002 disconnected"] * 2  # that its binding expires is no news


@scenario()
async def test_a_device_with_another_way_left_is_not_told_of(world: World) -> None:
    town = await start(world)
    bruno = town.phone("1002")
    await bruno.register()
    await bruno.connect()
    await bruno.register()
    told: list[DeviceUnreachable] = []
    town.exchange.events.subscribe(told.append, DeviceUnreachable)
    assert bruno.stream is not None
    bruno.stream.close()
    await world.sleep(1)
    assert told == []


@scenario()
async def test_a_call_goes_on_over_the_next_connection_of_a_device(world: World) -> None:
    """Its dialog is reached over the flow of its newest registration."""
    town, alice, bruno = await _town_with_streams(world)
    await town.talk(alice, bruno)
    assert bruno.stream is not None
    bruno.stream.close()
    await world.sleep(1)
    await bruno.connect()
    await bruno.register()
    alice.bye()
    bruno.reply(await bruno.expect("BYE"), 200)
    await alice.expect("200 BYE")


@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER", "INVITE"])
@scenario()
async def test_what_asks_for_tls_and_comes_without_is_refused(world: World, method: str) -> None:
    """RFC 3261 section 26.2.2, RFC 5630 section 5.3."""
    town = await start(world)
    stranger = Stranger(world)
    stranger.ask(method, user="1001", to="sips:valmont.example")
    await world.sleep(1)
    (answer,) = stranger.answers
    assert answer.startswith(b"SIP/2.0 480 ")
    assert b'Warning: 380 beffroi "SIPS Not Allowed"' in answer
    assert town.bindings == []


@scenario()
async def test_help_is_sent_whatever_was_promised(world: World) -> None:
    """Design, promise 3: an emergency call is never refused for its URI's sake."""
    town = await start(world)
    operator = town.operator("operateur-a")
    phone = town.phone("2010")
    phone.uri = f"sips:18@{town.exchange.domain}"
    phone.invite("18")
    operator.answer(await operator.expect("INVITE"))
    await operator.expect("ACK")
    phone.uri = ""
    phone.ack(await phone.expect(200))
    await town.hang_up(phone, operator)


@scenario()
async def test_a_secure_contact_over_an_open_way_is_not_bound(world: World) -> None:
    """RFC 5630 section 3.1."""
    town = await start(world)
    alice = town.phone("1001")
    ask(alice, "<sips:1001@192.0.2.1:5061>")
    alice.authenticate(await alice.expect(401))
    await alice.expect(400)
    assert town.bindings == []
