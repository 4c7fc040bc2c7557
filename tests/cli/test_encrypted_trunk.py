"""A trunk over TLS, end to end: a real node, an operator on 127.0.0.2, certificates made by the test."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dialplan.loading import load_plan
from sip.net.certificates import Certificate
from sip.net.stream import StreamTransport
from sip.net.tls import PeerIdentity, ServerContexts
from sip.net.udp import UdpTransport
from sip.user_agent import Account, CallFailed, UserAgent
from tests.cli.conftest import Town, free_port
from tests.cli.test_secure_calls import PATIENCE_SECONDS, sdp
from tests.net.authority import Authority

OPERATOR = "127.0.0.2"
MOBILE = "0612345678"


class TrunkTown(Town):
    """The town with operateur-a alone on the route to mobiles, over TLS at 127.0.0.2.

    authority: whom the town trusts, for servers and clients. elsewhere: one that it doesn't know.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.authority = Authority(folder)
        self.elsewhere = Authority(folder, "Another authority")
        self.tls = ("127.0.0.1", free_port())
        self.operator = (OPERATOR, free_port())
        self.configuration_file.write_text(
            f"domain: localhost\nweb: []\n"
            f"sip:\n  udp: 127.0.0.1:{self.port}\n  tcp: []\n  tls: 127.0.0.1:{self.tls[1]}\n  ws: []\n"
            f"  server_ca: {self.authority.file}\n  client_ca: {self.authority.file}\n"
            f"media: {{address: 127.0.0.1, ports: {self.media_ports}}}\n"
        )
        self.change_plan(
            "host: sip.operateur-a.example\n    transport: tls\n",
            f"host: {OPERATOR}\n    port: {self.operator[1]}\n    transport: tls\n"
            "    certificates: [secure.example]\n",
        )
        self.change_plan("via: [operateur-b, operateur-a]", "via: [operateur-a]")
        self.change_plan("sip.operateur-b.example", "127.0.0.3")

    @property
    def trust(self) -> PeerIdentity:
        """Who our node must prove to be, for its operator."""
        return PeerIdentity("localhost", ca_file=self.settings.data_dir / "tls.crt")


@pytest.fixture
def trunk_town(tmp_path: Path) -> TrunkTown:
    return TrunkTown(tmp_path)


@asynccontextmanager
async def operator(town: TrunkTown, shown: Certificate) -> AsyncIterator[UserAgent]:
    """The operator's border controller at 127.0.0.2, which shows this certificate in both directions."""
    agent = UserAgent(Account("+33699999999", "", "secure.example"), secrets.token_bytes(16))
    listening = socket.create_server(town.operator)
    transport = StreamTransport(
        agent.driver, listening, transport="TLS", server=ServerContexts([shown]), certificate=shown
    )
    await transport.start()
    agent.outbound = transport.flow_to(town.tls, town.trust)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield agent
    finally:
        await transport.close()
        agent.close()


@asynccontextmanager
async def telephone(town: TrunkTown, extension: str) -> AsyncIterator[UserAgent]:
    """A registered desk phone."""
    person = load_plan(town.plan_file).people[extension]
    agent = UserAgent(Account(extension, person.password or "", "localhost"), secrets.token_bytes(16))
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    transport = UdpTransport(agent.driver, bound)
    agent.outbound = transport.flow_to(("127.0.0.1", town.port))
    try:
        await agent.register()
        yield agent
    finally:
        transport.close()
        agent.close()


async def test_a_call_goes_out_over_the_verified_connection(trunk_town: TrunkTown):
    """RFC 5922 section 7.2: the certificate has the address that the plan names."""
    shown = trunk_town.authority.issue("secure.example", OPERATOR)
    with trunk_town.serving() as log_until:
        async with operator(trunk_town, shown) as border, telephone(trunk_town, "2010") as desk:
            await asyncio.to_thread(log_until, "trunk=operateur-a is up")
            going = desk.invite(MOBILE, sdp(40_000))
            coming = await border.incoming()
            coming.answer(sdp(40_002))
            await going.answered()
            await coming.acknowledged()
            going.hang_up()
            await coming.ended()
    (record,) = trunk_town.run("call", "list", "--json").json
    assert record["direction"] == "outbound"
    assert [leg["transport"] for leg in record["legs"]] == ["udp", "tls"]
    assert record["legs"][1]["address"] == f"{OPERATOR}:{trunk_town.operator[1]}"


async def test_a_call_comes_in_from_whoever_proves_the_name(trunk_town: TrunkTown):
    """The connection comes from 127.0.0.1: only the certificate tells whose it is."""
    shown = trunk_town.authority.issue("secure.example", OPERATOR)
    with trunk_town.serving():
        async with operator(trunk_town, shown) as border, telephone(trunk_town, "2010") as desk:
            going = border.invite("sip:+33383001010@localhost", sdp(40_002))
            coming = await desk.incoming()
            coming.answer(sdp(40_000))
            await going.answered()
            await coming.acknowledged()
            going.hang_up()
            await coming.ended()
    (record,) = trunk_town.run("call", "list", "--json").json
    assert (record["direction"], record["from"]) == ("inbound", "+33699999999")
    assert [leg["transport"] for leg in record["legs"]] == ["tls", "udp"]


@pytest.mark.parametrize("name", ["a certificate of another authority", "a certificate of another name"])
async def test_an_impostor_at_the_address_of_the_operator_gets_no_call(trunk_town: TrunkTown, name: str):
    """RFC 5922 section 7.2."""
    if "authority" in name:
        shown = trunk_town.elsewhere.issue("secure.example", OPERATOR)
    else:
        shown = trunk_town.authority.issue("impostor.example", "127.0.0.9")
    with trunk_town.serving():
        async with operator(trunk_town, shown) as border, telephone(trunk_town, "2010") as desk:
            going = desk.invite(MOBILE, sdp(40_000))
            with pytest.raises(CallFailed):
                await going.answered()
            assert border.inventory()["calls waiting"] == 0
    (record,) = trunk_town.run("call", "list", "--json").json
    assert record["answered"] is None


async def test_whoever_proves_another_name_is_a_stranger(trunk_town: TrunkTown):
    shown = trunk_town.authority.issue("impostor.example")
    with trunk_town.serving():
        async with operator(trunk_town, shown) as impostor, telephone(trunk_town, "2010") as desk:
            going = impostor.invite("sip:+33383001010@localhost", sdp(40_002))
            with pytest.raises(CallFailed) as refused:
                await going.answered()
            assert desk.inventory()["calls waiting"] == 0
    assert refused.value.status == 403  # challenged as a telephone is, and it has no password
    assert trunk_town.run("call", "list", "--json").json == []


async def test_a_certificate_that_nobody_vouches_for_opens_no_connection(trunk_town: TrunkTown):
    shown = trunk_town.elsewhere.issue("secure.example")
    with trunk_town.serving():
        async with operator(trunk_town, shown) as impostor:
            going = impostor.invite("sip:+33383001010@localhost", sdp(40_002))
            with pytest.raises(CallFailed) as refused:
                await going.answered()
    assert refused.value.status == 503
