"""Bindings in the exchange: what is written, what expires, what an earlier process left."""

from __future__ import annotations

import msgspec
import pytest

from pbx.records import Address
from pbx.records import Binding as BindingRecord
from sip.core.flow import Flow
from sip.net.tls import PeerIdentity
from tests.scenarios.town import DOMAIN, Town, start
from tests.sim.world import World, scenario


def left(town: Town, **changes: object) -> BindingRecord:
    """What an earlier process wrote of 1001's phone."""
    record = BindingRecord(
        contact_uri="sip:1001@192.0.2.1:5060",
        call_id="earlier",
        cseq=7,
        q=1.0,
        expires_at=town.world.wall().timestamp() + 600,
        path=[],
        transport="UDP",
        local=("10.54.0.10", 5060),
        remote=("192.0.2.1", 5060),
        user_agent="",
        device="1001",
    )
    return msgspec.structs.replace(record, **changes)


def restore(town: Town, sign_in: str, *records: BindingRecord) -> int:
    return town.exchange.registrations.restore({sign_in: list(records)}, town.exchange.driver.now)


@scenario()
async def test_what_was_written_is_what_holds(world: World) -> None:
    town = await start(world)
    alice = town.phone("1001")
    alice.headers["User-Agent"] = "Phone 1.0"
    await alice.register(expires_seconds=120)
    (record,) = town.bindings[-1].bindings
    assert (record.contact_uri, record.device) == ("sip:1001@192.0.2.1:5060", "1001")
    assert (record.transport, record.remote) == ("UDP", ("192.0.2.1", 5060))
    assert (record.user_agent, record.behind_nat, record.q) == ("Phone 1.0", False, 1.0)
    assert round(record.expires_at - world.wall().timestamp()) == 120


@scenario()
async def test_a_restored_binding_is_written_again_as_it_was(world: World) -> None:
    town = await start(world)
    (bruno,) = await town.phones("1002")
    (before,) = town.bindings[-1].bindings
    await town.restart()
    (device,) = [device for device in town.exchange.devices if device.sign_in == "1002"]
    (binding,) = device.bindings
    assert binding.contact == before.contact_uri
    assert binding.sequence == before.cseq
    assert abs(town.exchange.clock() - world.loop.time() + binding.expires_at - before.expires_at) < 0.001
    await bruno.register()


@scenario()
async def test_the_bindings_of_a_device_that_left_are_not_restored(world: World) -> None:
    town = await start(world)
    assert restore(town, "7777", left(town)) == 0


@scenario()
async def test_a_restored_binding_is_reached_from_the_address_that_it_registered_at(world: World) -> None:
    """A NAT lets in what comes from there, and nothing else."""
    town = await start(world)
    asked: list[object] = []

    def flow(
        transport: str, remote: Address, local: Address | None, identity: PeerIdentity | None = None
    ) -> Flow:
        asked.append((transport, remote, local))
        return town.node.flow(remote)

    town.exchange.flow = flow
    restore(town, "1001", left(town, local=("10.54.0.11", 5060)))
    assert asked == [("UDP", ("192.0.2.1", 5060), ("10.54.0.11", 5060))]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"contact_uri": "sip:1001@192.0.2.1:5070;transport=tcp"}, ("192.0.2.1", 5070)),
        ({"behind_nat": True}, ("192.0.2.1", 40001)),
        ({"behind_nat": True, "path": ["<sip:198.51.100.9:5080;lr>"]}, ("198.51.100.9", 5080)),
        ({"path": ["<sip:edge.example;lr>"]}, ("192.0.2.1", 40001)),
    ],
)
@scenario()
async def test_a_connection_that_is_gone_is_made_again_where_somebody_may_listen(
    world: World, changes: dict[str, object], where: Address
) -> None:
    """RFC 3327 section 5.4: at the first proxy of the path, else at the Contact."""
    town = await start(world)
    asked: list[Address] = []

    def flow(
        transport: str, remote: Address, local: Address | None, identity: PeerIdentity | None = None
    ) -> Flow:
        asked.append(remote)
        return town.node.flow(remote)

    town.exchange.flow = flow
    restore(town, "1001", left(town, transport="TCP", remote=("192.0.2.1", 40001), **changes))
    assert asked == [where]


@scenario()
async def test_an_expired_binding_is_not_restored(world: World) -> None:
    town = await start(world)
    assert restore(town, "1001", left(town, expires_at=world.wall().timestamp())) == 0


@scenario()
async def test_a_binding_over_a_transport_that_is_gone_is_not_restored_and_the_others_are(
    world: World,
) -> None:
    town = await start(world)
    assert restore(town, "1001", left(town, transport="TCP"), left(town)) == 1


@scenario()
async def test_a_register_older_than_the_restored_one_is_out_of_order(world: World) -> None:
    """RFC 3261 section 10.3 step 7: CSeq goes up within a Call-ID, also over a restart."""
    town = await start(world)
    alice = town.phone("1001")
    await alice.register()
    first = town.bindings[-1].bindings[0]
    restore(town, "1001", msgspec.structs.replace(first, cseq=1000))
    alice.headers["Call-ID"] = first.call_id
    alice.headers["To"] = f"<sip:1001@{DOMAIN}>"
    alice.send("REGISTER", f"sip:{DOMAIN}", headers=[("Contact", alice.contact())])
    alice.authenticate(await alice.expect(401))
    await alice.expect(500)


@scenario()
async def test_an_eleventh_contact_is_refused(world: World) -> None:
    town = await start(world)
    alice = town.phone("1001")
    for port in range(6001, 6012):
        contact = f"<sip:1001@192.0.2.1:{port}>"
        alice.send("REGISTER", f"sip:1001@{DOMAIN}", headers=[("Contact", contact)])
        alice.authenticate(await alice.expect(401))
        await alice.expect(403 if port == 6011 else 200)
    assert town.exchange.status()["bindings"] == 10


@scenario()
async def test_a_refused_register_changes_and_writes_nothing(world: World) -> None:
    town = await start(world)
    alice = town.phone("1001")
    await alice.register()
    contacts = "<sip:1001@192.0.2.1:5070>, <not a uri"
    alice.send("REGISTER", f"sip:1001@{DOMAIN}", headers=[("Contact", contacts)])
    alice.authenticate(await alice.expect(401))
    await alice.expect(400)
    assert len(town.bindings) == 1
    assert town.exchange.status()["bindings"] == 1


@scenario()
async def test_a_query_after_an_expiry_does_not_hide_it_from_the_journal(world: World) -> None:
    town = await start(world)
    alice = town.phone("1001")
    await alice.register(expires_seconds=60)
    await world.sleep(59.9985)  # the query arrives just before the timer
    alice.send("REGISTER", f"sip:1001@{DOMAIN}")
    alice.authenticate(await alice.expect(401))
    answer = await alice.expect(200)
    assert answer.all("Contact") == []
    await world.sleep(1)
    assert town.bindings[-1].bindings == []


@scenario()
async def test_a_device_that_is_forgotten_leaves_no_timer(world: World) -> None:
    town = await start(world)
    await town.phones("1001")
    town.exchange.registrations.forget("1001")
    device = next(device for device in town.exchange.devices if device.sign_in == "1001")
    device.bindings = ()
    await world.sleep(40)  # the REGISTERs' own transactions
    assert town.inventory()["timers"] == 0
