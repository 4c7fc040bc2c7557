"""Short messages between people (RFC 3428)."""

from __future__ import annotations

import pytest

from tests.scenarios.town import TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.wire import Message
from tests.sim.world import World, scenario

TEXT = (("Content-Type", "text/plain;charset=UTF-8"),)


def write(phone: TownPhone, to: str, text: str = "Réunion à 11 h") -> Message:
    return phone.send("MESSAGE", to, body=text.encode(), headers=TEXT)


@scenario()
async def test_a_message_reaches_a_person(world: World) -> None:
    """RFC 3428 sections 4 and 7."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    write(alice, "1002")
    challenge = await alice.expect(401)
    alice.authenticate(challenge)
    message = await bruno.expect("MESSAGE")
    assert message.body.decode() == "Réunion à 11 h"
    assert message.header("Content-Type") == "text/plain;charset=UTF-8"
    assert message.header("From").startswith('"Alice Martin" <sip:1001@valmont.example>;tag=')
    assert message.all("Contact") == []
    bruno.reply(message, 200)
    await alice.expect("200 MESSAGE")
    assert_golden("message", town.ladder)


@scenario()
async def test_all_devices_of_a_person_get_it_and_one_is_enough(world: World) -> None:
    town = await start(world)
    bruno, alice, app = await town.phones("1002", "1001", "1001-app")
    write(bruno, "1001")
    bruno.authenticate(await bruno.expect(401))
    at_desk, in_app = await alice.expect("MESSAGE"), await app.expect("MESSAGE")
    alice.reply(at_desk, 486)
    app.reply(in_app, 202)
    await bruno.expect("200 MESSAGE")


@scenario()
async def test_the_sender_s_own_device_is_left_out(world: World) -> None:
    town = await start(world)
    alice, app = await town.phones("1001", "1001-app")
    write(app, "1001")
    app.authenticate(await app.expect(401))
    alice.reply(await alice.expect("MESSAGE"), 200)
    await app.expect("200 MESSAGE")


@scenario()
async def test_a_message_that_every_device_refuses_is_answered_480(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    write(alice, "1002")
    alice.authenticate(await alice.expect(401))
    bruno.reply(await bruno.expect("MESSAGE"), 405)
    await alice.expect("480 MESSAGE")


@scenario()
async def test_a_message_that_no_device_can_read_is_answered_415(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    write(alice, "1002")
    alice.authenticate(await alice.expect(401))
    bruno.reply(await bruno.expect("MESSAGE"), 415)
    await alice.expect("415 MESSAGE")


@pytest.mark.parametrize(
    ("to", "refusal"),
    [
        ("4444", "404 Not Found"),
        ("00612345678", "403 Texts Do Not Leave The House"),
        ("+33612345678", "403 Texts Do Not Leave The House"),
        ("18", "403 No Emergency Service Reads Texts: Call"),
        ("114", "403 No Emergency Service Reads Texts: Call"),
        ("9196", "403 This Service Reads No Texts"),
        ("8000", "403 This Service Reads No Texts"),
    ],
)
@scenario()
async def test_nobody_and_services_and_numbers_outside_get_no_text(
    world: World, to: str, refusal: str
) -> None:
    town = await start(world)
    operator = town.operator("operateur-a")
    (alice,) = await town.phones("1001")
    write(alice, to)
    refused = await alice.expect_authenticated(int(refusal[:3]))
    assert refused.first_line == f"SIP/2.0 {refusal}"
    await operator.expect_silence(1)


@pytest.mark.parametrize(
    ("kind", "text", "status"),
    [("application/zip", "PK", 415), ("text/plain", "a" * 1301, 413), ("text/plain", "a" * 1290, 413)],
)
@scenario()
async def test_no_files_and_nothing_too_large(world: World, kind: str, text: str, status: int) -> None:
    """RFC 3428 section 8: more than 1300 bytes need a transport with congestion control."""
    town = await start(world)
    alice, _ = await town.phones("1001", "1002")
    alice.send("MESSAGE", "1002", body=text.encode(), headers=(("Content-Type", kind),))
    await alice.expect_authenticated(status)


@scenario()
async def test_a_device_that_floods_is_slowed_down(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    statuses = []
    for _ in range(70):
        write(alice, "4444")
        alice.authenticate(await alice.expect(401))
        statuses.append((await alice._next("an answer", 1)).status)
    assert statuses[:60] == [404] * 60
    assert 480 in statuses[60:]


@scenario()
async def test_a_message_that_has_gone_round_too_often_is_refused(world: World) -> None:
    """RFC 3261 section 16.3: Max-Forwards."""
    town = await start(world)
    alice, _ = await town.phones("1001", "1002")
    alice.headers["Max-Forwards"] = "0"
    write(alice, "1002")
    await alice.expect_authenticated(483)


@scenario()
async def test_messages_under_way_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbx.texts.boxes.MAX_DELIVERIES", 1)
    town = await start(world)
    alice, bruno, _ = await town.phones("1001", "1002", "2010")
    write(alice, "1002")
    alice.authenticate(await alice.expect(401))
    first = await bruno.expect("MESSAGE")
    write(alice, "2010")
    refusal = await alice.expect_authenticated(503)
    assert refusal.header("Retry-After") == "10"
    bruno.reply(first, 200)
    await alice.expect("200 MESSAGE")


@scenario()
async def test_over_tcp_a_message_may_be_larger_than_a_datagram(world: World) -> None:
    """RFC 3428 section 8: TCP controls congestion."""
    town = await start(world)
    (alice,) = await town.phones("1001")
    bruno = town.phone("1002")
    await bruno.connect()
    await bruno.register()
    write(alice, "1002", "a" * 1290)
    alice.authenticate(await alice.expect(401))
    message = await bruno.expect("MESSAGE")
    assert len(message.body) == 1290
    bruno.reply(message, 200)
    await alice.expect("200 MESSAGE")
