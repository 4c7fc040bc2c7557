"""TLS on real loopback sockets: who is shown, who is believed, and what a bad peer gets (RFC 3261 26.3.1)."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sip.core.flow import Flow
from sip.net import stream
from sip.net.certificates import Certificate, CertificateError
from sip.net.driver import Driver
from sip.net.stream import StreamTransport
from sip.net.tls import PeerIdentity, ServerContexts, identities, speaks_for
from tests.net.authority import LONG_AGO, Authority
from tests.net.test_tcp import answer, closed, connected, options, until
from tests.net.test_udp import PATIENCE_SECONDS, Answering


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Certificate:
    return authority.issue("pbx.valmont.example", "127.0.0.1")


class Node:
    """One end with a TLS transport."""

    def __init__(self, transport: StreamTransport, application: Answering, address: tuple[str, int]) -> None:
        self.transport = transport
        self.application = application
        self.address = address

    @property
    def counts(self) -> dict[str, int]:
        return self.transport.driver.core.stack.counts

    def flow_to(self, other: Node, identity: PeerIdentity | None = None) -> Flow:
        return self.transport.flow_to(other.address, identity)


@asynccontextmanager
async def node(
    *certificates: Certificate, client_ca: Path | None = None, ca_file: Path | None = None
) -> AsyncIterator[Node]:
    application = Answering()
    driver = Driver(application.core)
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.bind(("127.0.0.1", 0))
    bound.listen(64)
    transport = StreamTransport(
        driver,
        bound,
        transport="TLS",
        server=ServerContexts(certificates, client_ca) if certificates else None,
        ca_file=ca_file,
        certificate=certificates[0] if certificates else None,
    )
    await transport.start()
    try:
        yield Node(transport, application, bound.getsockname())
    finally:
        await transport.close()
        driver.close()
        assert len(transport.connections) == 0


def trusting(authority: Authority, certificate: Certificate | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.file))
    if certificate is not None:
        context.load_cert_chain(certificate.path, certificate.key_path)
    return context


@asynccontextmanager
async def client(
    address: tuple[str, int], context: ssl.SSLContext, name: str = "pbx.valmont.example"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*address, ssl=context, server_hostname=name)
    try:
        yield reader, writer
    finally:
        writer.close()


async def shown_to(address: tuple[str, int], authority: Authority, name: str) -> list[str]:
    """The names in the certificate that a client sees that asks for `name`."""
    context = trusting(authority)
    context.check_hostname = False
    async with client(address, context, name) as (_, writer):
        found = writer.get_extra_info("peercert")
    return [value for _, value in found["subjectAltName"]]


# A client connects to us


async def test_a_request_over_tls_is_answered(authority: Authority, ours: Certificate):
    async with node(ours) as served, client(served.address, trusting(authority)) as (reader, writer):
        writer.write(options(1))
        assert (await answer(reader)).startswith(b"SIP/2.0 200 ")
        assert served.application.flows[0].transport == "TLS"
        assert served.application.flows[0].reliable


async def test_many_requests_in_one_segment_are_all_answered(authority: Authority, ours: Certificate):
    async with node(ours) as served, client(served.address, trusting(authority)) as (reader, writer):
        writer.write(b"".join(options(number) for number in range(200)))
        for _ in range(200):
            assert (await answer(reader)).startswith(b"SIP/2.0 200 ")


async def test_plain_text_at_the_tls_port_is_closed_without_a_sip_answer(ours: Certificate):
    async with node(ours) as served, connected(served.address) as (reader, writer):
        writer.write(options(1))
        async with asyncio.timeout(PATIENCE_SECONDS):
            said = await reader.read()
        assert b"SIP" not in said
        assert not served.application.flows


async def test_a_handshake_that_goes_on_byte_by_byte_is_closed(
    ours: Certificate, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stream, "FIRST_MESSAGE_SECONDS", 0.1)
    async with node(ours) as served, connected(served.address) as (reader, writer):
        writer.write(b"\x16\x03\x01\x02")  # the beginning of a ClientHello, and never more
        assert await closed(reader)


async def test_a_peer_that_is_silent_after_the_handshake_is_closed(
    authority: Authority, ours: Certificate, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stream, "FIRST_MESSAGE_SECONDS", 0.1)
    async with node(ours) as served, client(served.address, trusting(authority)) as (reader, _):
        assert await closed(reader)


async def test_tls_1_1_is_refused(ours: Certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with node(ours) as served:
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            async with client(served.address, context):
                pass


async def test_the_certificate_asked_for_is_shown_and_else_the_first(authority: Authority, ours: Certificate):
    """RFC 6066 section 3."""
    mairie, police = authority.issue("mairie.example"), authority.issue("*.police.example")
    async with node(ours, mairie, police) as served:
        assert await shown_to(served.address, authority, "mairie.example") == ["mairie.example"]
        assert await shown_to(served.address, authority, "nord.police.example") == ["*.police.example"]
        assert "pbx.valmont.example" in await shown_to(served.address, authority, "unknown.example")


async def test_a_new_certificate_is_shown_to_new_connections_only(authority: Authority, ours: Certificate):
    async with node(ours) as served, client(served.address, trusting(authority)) as (reader, writer):
        served.transport.server = ServerContexts([authority.issue("new.example")])
        assert await shown_to(served.address, authority, "new.example") == ["new.example"]
        writer.write(options(1))
        assert (await answer(reader)).startswith(b"SIP/2.0 200 ")


async def test_a_client_certificate_says_whom_the_flow_is_of(authority: Authority, ours: Certificate):
    """RFC 5922 section 7.1."""
    trunk = authority.issue("sip.operateur.example", "sip:operateur.example")
    async with (
        node(ours, client_ca=authority.file) as served,
        client(served.address, trusting(authority, trunk)) as (reader, writer),
    ):
        writer.write(options(1))
        await answer(reader)
        assert served.application.flows[0].certificate_names == ("operateur.example",)


async def test_a_client_without_certificate_is_served_and_proves_nothing(
    authority: Authority, ours: Certificate
):
    async with (
        node(ours, client_ca=authority.file) as served,
        client(served.address, trusting(authority)) as (reader, writer),
    ):
        writer.write(options(1))
        await answer(reader)
        assert served.application.flows[0].certificate_names == ()


async def test_a_client_certificate_that_nobody_vouches_for_is_refused(
    authority: Authority, ours: Certificate, tmp_path: Path
):
    stranger = Authority(tmp_path, "Stranger").issue("sip.operateur.example")
    async with node(ours, client_ca=authority.file) as served:
        with pytest.raises((ssl.SSLError, ConnectionResetError, asyncio.IncompleteReadError)):
            async with client(served.address, trusting(authority, stranger)) as (reader, writer):
                writer.write(options(1))  # TLS 1.3: the client learns of it with the first answer
                await answer(reader)
        assert not served.application.flows


async def test_without_any_certificate_a_connection_is_closed():
    async with node() as served, connected(served.address) as (reader, _):
        assert await closed(reader)


# We connect to a server


async def test_we_send_over_tls_to_a_server_that_proves_its_name(authority: Authority, ours: Certificate):
    async with node(ours) as server, node(ca_file=authority.file) as caller:
        flow = caller.flow_to(server, PeerIdentity("pbx.valmont.example"))
        flow.send(options(1))
        await until(lambda: caller.counts["stray response"] == 1)
        assert caller.flow_to(server, PeerIdentity("pbx.valmont.example")) is flow


async def test_a_server_is_asked_for_its_literal_address_where_it_has_no_name(
    authority: Authority, ours: Certificate
):
    async with node(ours) as server, node(ca_file=authority.file) as caller:
        caller.flow_to(server).send(options(1))
        await until(lambda: caller.counts["stray response"] == 1)


@pytest.mark.parametrize("name", ["other.example", "valmont.example", "*.valmont.example", "127.0.0.2"])
async def test_a_server_with_another_name_gets_nothing(authority: Authority, ours: Certificate, name: str):
    async with node(ours) as server, node(ca_file=authority.file) as caller:
        flow = caller.flow_to(server, PeerIdentity(name))
        flow.send(options(1))
        await until(lambda: not flow.open)
        assert not server.application.flows


async def test_a_wildcard_in_a_certificate_matches_no_name(authority: Authority):
    """RFC 5922 section 7.2; who writes the wildcard itself gets it."""
    async with (
        node(authority.issue("*.operateur.example")) as server,
        node(ca_file=authority.file) as caller,
    ):
        refused = caller.flow_to(server, PeerIdentity("sip.operateur.example"))
        refused.send(options(1))
        await until(lambda: not refused.open)
        caller.flow_to(server, PeerIdentity("*.operateur.example")).send(options(2))
        await until(lambda: caller.counts["stray response"] == 1)


async def test_a_server_whose_certificate_is_over_gets_nothing(authority: Authority):
    over = authority.issue("pbx.valmont.example", until=LONG_AGO.replace(year=2002))
    async with node(over) as server, node(ca_file=authority.file) as caller:
        flow = caller.flow_to(server, PeerIdentity("pbx.valmont.example"))
        flow.send(options(1))
        await until(lambda: not flow.open)
        assert not server.application.flows


async def test_a_server_that_nobody_vouches_for_gets_nothing_unless_we_are_told_so(
    authority: Authority, ours: Certificate, tmp_path: Path
):
    stranger = Authority(tmp_path, "Stranger")
    async with node(ours) as server, node(ca_file=stranger.file) as caller:
        refused = caller.flow_to(server, PeerIdentity("pbx.valmont.example"))
        refused.send(options(1))
        await until(lambda: not refused.open)
        caller.flow_to(server, PeerIdentity("pbx.valmont.example", verified=False)).send(options(2))
        await until(lambda: caller.counts["stray response"] == 1)
        own = PeerIdentity("pbx.valmont.example", ca_file=authority.file)
        caller.flow_to(server, own).send(options(3))
        await until(lambda: caller.counts["stray response"] == 2)


async def test_one_address_has_one_connection_for_each_name(authority: Authority):
    both = authority.issue("a.example", "b.example")
    async with node(both) as server, node(ca_file=authority.file) as caller:
        first, second = (caller.flow_to(server, PeerIdentity(name)) for name in ("a.example", "b.example"))
        assert first is not second
        first.send(options(1))
        second.send(options(2))
        await until(lambda: caller.counts["stray response"] == 2)
        assert len(server.transport.connections) == 2


async def test_a_server_that_never_answers_the_handshake_fails_the_flow(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stream, "HANDSHAKE_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        async with node(ca_file=authority.file) as caller:
            flow = caller.transport.flow_to(mute.getsockname(), PeerIdentity("mute.example"))
            flow.send(options(1))
            await until(lambda: not flow.open)


@pytest.mark.parametrize("name", [".example", "a" * 300, "\u2019.example"])
async def test_a_name_that_cannot_be_asked_for_fails_the_flow(
    authority: Authority, ours: Certificate, name: str
):
    async with node(ours) as server, node(ca_file=authority.file) as caller:
        flow = caller.flow_to(server, PeerIdentity(name))
        flow.send(options(1))
        await until(lambda: not flow.open)


# Connection reuse (RFC 5923)


async def test_requests_back_take_the_connection_whose_certificate_proves_the_name(
    authority: Authority, ours: Certificate
):
    """RFC 5923 section 5: the alias is the address of the connection and the port of its Via."""
    trunk = authority.issue("sip.operateur.example")
    aliased = options(1).replace(b"TCP 127.0.0.1;", b"TLS 127.0.0.1:5099;alias;")
    async with (
        node(ours, client_ca=authority.file, ca_file=authority.file) as served,
        client(served.address, trusting(authority, trunk)) as (reader, writer),
    ):
        writer.write(aliased)
        await answer(reader)
        known = served.application.flows[0]
        back = ("127.0.0.1", 5099)
        assert served.transport.flow_to(back, PeerIdentity("sip.operateur.example")) is known
        assert served.transport.flow_to(back, PeerIdentity("other.example")) is not known


async def test_a_connection_that_proves_nothing_is_no_alias(authority: Authority, ours: Certificate):
    """RFC 5923 section 5: otherwise anybody could take another's calls by claiming its port."""
    aliased = options(1).replace(b"TCP 127.0.0.1;", b"TLS 127.0.0.1:5099;alias;")
    async with (
        node(ours, client_ca=authority.file) as served,
        client(served.address, trusting(authority)) as (reader, writer),
    ):
        writer.write(aliased)
        await answer(reader)
        flow = served.transport.flow_to(("127.0.0.1", 5099), PeerIdentity("sip.operateur.example"))
        assert flow is not served.application.flows[0]


# What certificates say


def test_a_sip_domain_in_a_certificate_counts_before_its_host_names():
    """RFC 5922 section 7.1."""
    found = identities(
        {
            "subject": ((("commonName", "cn.example"),),),
            "subjectAltName": (
                ("DNS", "host.example"),
                ("URI", "sip:Domain.example"),
                ("URI", "sip:alice@domain.example"),
                ("URI", "https://web.example"),
                ("IP Address", "2001:DB8:0:0:0:0:0:1"),
            ),
        }
    )
    assert found == ("domain.example", "2001:db8::1")
    assert speaks_for(found, "DOMAIN.example")
    assert speaks_for(found, "2001:db8:0::1")
    assert not speaks_for(found, "host.example")


def test_the_common_name_counts_only_where_nothing_else_is():
    """RFC 5922 section 7.1."""
    subject = ((("commonName", "Old.example"),),)
    assert identities({"subject": subject}) == ("old.example",)
    assert identities({"subject": subject, "subjectAltName": (("DNS", "new.example"),)}) == ("new.example",)


def test_a_key_with_a_password_is_an_error_and_nobody_is_asked(authority: Authority):
    locked = authority.issue("locked.example", password=b"secret")
    with pytest.raises(CertificateError, match=r"locked\.example.*password"):
        ServerContexts([locked])
