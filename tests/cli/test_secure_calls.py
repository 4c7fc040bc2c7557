"""A real node with TLS and secure WebSocket: telephones sign in over them and call each other."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from dialplan.loading import load_plan
from media.sdp import parse
from sip.core.flow import Flow
from sip.net.stream import StreamTransport
from sip.net.tls import PeerIdentity
from sip.user_agent import Account, UserAgent
from tests.cli.conftest import Town
from tests.net.authority import Authority
from tests.net.test_websocket import TEXT, Browser

PATIENCE_SECONDS = 45.0


def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    return number


class SecureTown(Town):
    """A town whose node hears TLS and WSS, and WebSocket in clear."""

    def listen_securely(self, more: str = "") -> None:
        self.tls, self.wss, self.ws = ("127.0.0.1", port()), ("127.0.0.1", port()), ("127.0.0.1", port())
        self.configuration_file.write_text(
            f"domain: localhost\nweb: []\nsip:\n  udp: 127.0.0.1:{self.port}\n  tcp: []\n"
            f"  tls: 127.0.0.1:{self.tls[1]}\n  wss: 127.0.0.1:{self.wss[1]}\n  ws: 127.0.0.1:{self.ws[1]}\n"
            f"{more}media: {{address: 127.0.0.1, ports: {self.media_ports}, rtc: []}}\n"
        )

    def account(self, extension: str) -> Account:
        person = load_plan(self.plan_file).people[extension]
        return Account(extension, person.password or "", "localhost", person.name)

    @property
    def trust(self) -> ssl.SSLContext:
        """What a telephone does that was told to trust the node's own certificate."""
        return ssl.create_default_context(cafile=str(self.settings.data_dir / "tls.crt"))


@pytest.fixture
def secure_town(tmp_path):
    made = SecureTown(tmp_path)
    made.listen_securely()
    return made


def sdp(number: int, address: str = "127.0.0.1") -> bytes:
    ip = f"IP6 {address}" if ":" in address else f"IP4 {address}"
    return (
        f"v=0\r\no=- {number} 1 IN {ip}\r\ns=-\r\nc=IN {ip}\r\nt=0 0\r\n"
        f"m=audio {number} RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    ).encode()


@asynccontextmanager
async def over_tls(town: SecureTown, extension: str) -> AsyncIterator[UserAgent]:
    """A softphone on a connection of its own, which checks the node's name."""
    agent = UserAgent(town.account(extension), secrets.token_bytes(16))
    transport = StreamTransport(agent.driver, transport="TLS", ca_file=town.settings.data_dir / "tls.crt")
    agent.outbound = transport.flow_to(town.tls, PeerIdentity("localhost"))
    try:
        yield agent
    finally:
        await transport.close()
        agent.close()


class WebSocketFlow(Flow):
    """A browser's flow to the node."""

    __slots__ = ("_browser",)

    def __init__(self, browser: Browser, transport: str, remote: tuple[str, int]) -> None:
        super().__init__(transport, ("df7jal23ls0d.invalid", 0), remote)
        self._browser = browser

    def send(self, data: bytes) -> None:
        self._browser.send(data)


@asynccontextmanager
async def in_a_browser(town: SecureTown, extension: str, *, secure: bool) -> AsyncIterator[UserAgent]:
    """A softphone in a browser tab: its Contact is `.invalid`, only its own connection leads to it."""
    address = town.wss if secure else town.ws
    security = {"ssl": town.trust, "server_hostname": "localhost"} if secure else {}
    reader, writer = await asyncio.open_connection(*address, **security)
    browser = Browser(reader, writer)
    assert (await browser.open("/sip")).startswith(b"HTTP/1.1 101 ")
    agent = UserAgent(town.account(extension), secrets.token_bytes(16))
    flow = WebSocketFlow(browser, "WSS" if secure else "WS", address)
    agent.outbound = flow

    async def read() -> None:
        while True:
            opcode, message = await browser.receive()
            if opcode == TEXT:
                agent.driver.receive(message, flow, agent.driver.now)
                agent.driver.flush()

    reading = asyncio.get_running_loop().create_task(read())
    try:
        yield agent
    finally:
        reading.cancel()
        agent.close()
        await closed(writer)


async def closed(writer: asyncio.StreamWriter) -> None:
    """Close a connection, and be there until it is."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def call(
    caller: UserAgent, callee: UserAgent, hers: str = "127.0.0.1", his: str = "127.0.0.1"
) -> tuple[bytes, bytes]:
    """Register both, call, answer, hang up; returns the offer that arrived and the answer.

    hers, his: the address of each one's sound.
    """
    async with asyncio.timeout(PATIENCE_SECONDS):
        await caller.register()
        await callee.register()
        going = caller.invite(callee.account.user, sdp(40_000, hers))
        coming = await callee.incoming()
        coming.ring()
        await going.ringing()
        coming.answer(sdp(40_002, his))
        answer = await going.answered()
        await coming.acknowledged()
        going.hang_up()
        await coming.ended()
        return coming.offer, answer


async def test_a_call_from_tls_to_a_browser_and_back(secure_town: SecureTown):
    with secure_town.serving():
        async with (
            over_tls(secure_town, "1001") as desk,
            in_a_browser(secure_town, "1002", secure=True) as tab,
        ):
            offer, answer = await call(desk, tab)
            first, last = map(int, secure_town.media_ports.split("-"))
            for body in (offer, answer):
                (audio,) = parse(body).media
                assert first <= audio.port <= last  # the node's own ports: sound is relayed
            await call(tab, desk)


async def test_a_call_between_browsers_without_tls(secure_town: SecureTown):
    with secure_town.serving():
        async with (
            in_a_browser(secure_town, "1001", secure=False) as first,
            in_a_browser(secure_town, "1002", secure=False) as second,
        ):
            await call(first, second)


async def test_our_own_pair_is_kept_over_restarts_and_its_key_is_secret(secure_town: SecureTown):
    key = secure_town.settings.data_dir / "tls.key"
    with secure_town.serving():
        first = key.read_bytes()
    with secure_town.serving():
        assert key.read_bytes() == first
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


async def test_a_certificate_that_cannot_be_read_leaves_telephony_without_tls(secure_town: SecureTown):
    secure_town.listen_securely("  certificate: town.crt\n  key: town.key\n")
    with secure_town.serving():
        async with in_a_browser(secure_town, "1001", secure=False) as tab, asyncio.timeout(PATIENCE_SECONDS):
            await tab.register()
        with pytest.raises(OSError):
            await asyncio.open_connection(*secure_town.tls, ssl=ssl._create_unverified_context())


async def test_a_certificate_that_changes_is_shown_without_a_restart(secure_town: SecureTown):
    folder = secure_town.folder
    authority = Authority(folder)
    for name in ("first.example", "second.example"):
        authority.issue(name, "localhost")
    secure_town.listen_securely("  certificate: town.crt\n  key: town.key\n")

    def install(name: str) -> None:
        for kind in ("key", "crt"):
            (folder / f"{name}-2101.{kind}").rename(folder / f"town.{kind}")

    async def shown() -> list[str]:
        context = ssl.create_default_context(cafile=str(authority.file))
        _, writer = await asyncio.open_connection(*secure_town.tls, ssl=context, server_hostname="localhost")
        names = [value for _, value in writer.get_extra_info("peercert")["subjectAltName"]]
        await closed(writer)
        return names

    install("first.example")
    with secure_town.serving() as log_until:
        assert await shown() == ["first.example", "localhost"]
        install("second.example")
        await asyncio.to_thread(log_until, "taken")
        assert await shown() == ["second.example", "localhost"]
