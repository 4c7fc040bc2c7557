"""What peers are told of our address, within the local networks and beyond (RFC 3261 section 18.1.1)."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import pytest

from sip.core.flow import Flow
from sip.net.addresses import ExternalAddress
from sip.net.driver import Driver
from sip.net.stream import StreamTransport
from tests.net.test_udp import Answering, listening, options, peer, receive

LOCAL = [ipaddress.ip_network(network) for network in ("10.0.0.0/8", "fe80::/10")]


@pytest.mark.parametrize(
    ("remote", "told"),
    [
        ("10.1.2.3", "10.0.0.1"),
        ("192.0.2.9", "203.0.113.7"),
        ("2001:db8::9", "2001:db8::7"),
        ("fe80::1%eth0", "fd00::1"),
        ("fe80::1", "fd00::1"),
    ],
)
def test_a_peer_beyond_the_local_networks_is_told_the_external_address(remote: str, told: str) -> None:
    external = ExternalAddress(LOCAL, ["203.0.113.7", "2001:db8::7"])
    assert external.told("fd00::1" if ":" in remote else "10.0.0.1", remote) == told


def test_without_an_external_address_of_its_version_a_peer_is_told_our_own() -> None:
    external = ExternalAddress(LOCAL, ["203.0.113.7"])
    assert external.told("2001:db8::1", "2001:db8::9") == "2001:db8::1"
    assert ExternalAddress(LOCAL).told("10.0.0.1", "192.0.2.9") == "10.0.0.1"


def test_of_several_addresses_the_first_of_each_version_counts() -> None:
    external = ExternalAddress(LOCAL)
    assert external.change(["203.0.113.7", "203.0.113.8", "2001:db8::7"])
    assert external.addresses == ("203.0.113.7", "2001:db8::7")
    assert not external.change(["2001:db8::7", "203.0.113.7"])
    assert external.change(["203.0.113.8"])


async def test_a_flow_tells_the_external_address_and_keeps_where_it_is_bound():
    with listening() as (transport, _, driver):
        driver.external.change(["203.0.113.7"])
        flow = transport.flow_to(("192.0.2.9", 5060))
        assert flow.local == ("203.0.113.7", transport.local[1])
        assert flow.bound == transport.local


async def test_flows_tell_the_new_address_once_it_has_changed():
    with listening() as (transport, _, driver):
        flow = transport.flow_to(("192.0.2.9", 5060))
        assert flow.local == transport.local
        driver.external.change(["203.0.113.7"])
        transport.address_changed()
        assert flow.local == ("203.0.113.7", transport.local[1])
        assert transport.flow_to(("192.0.2.9", 5060)) is flow


async def test_a_message_of_a_peer_beyond_has_the_external_address_on_its_flow():
    with listening() as (transport, application, driver), peer() as phone:
        driver.external.change(["203.0.113.7"])
        phone.sendto(options(phone.getsockname()[1], 1), transport.local)
        await receive(phone)
        assert application.flows[0].local == ("203.0.113.7", transport.local[1])


@pytest.mark.parametrize("external", ["203.0.113.7", ""])
async def test_a_connection_that_a_peer_made_tells_the_external_address(external: str):
    application = Answering()
    driver = Driver(application.core, external=ExternalAddress([], [external] if external else []))
    bound = socket.create_server(("127.0.0.1", 0))
    transport = StreamTransport(driver, bound)
    await transport.start()
    reader, writer = await asyncio.open_connection(*transport.local)
    writer.write(options(5060, 1).replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP"))
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"SIP/2.0 200 ")
    (flow,) = application.flows
    assert flow.local == (external or "127.0.0.1", transport.local[1])
    assert flow.bound == transport.local
    driver.external.change(["203.0.113.8"])
    transport.address_changed()
    assert flow.local == ("203.0.113.8", transport.local[1])
    writer.close()
    await transport.close()
    driver.close()


def test_a_flow_of_its_own_is_bound_where_it_says() -> None:
    assert Flow("UDP", ("10.0.0.1", 5060), ("192.0.2.9", 5060)).bound == ("10.0.0.1", 5060)
