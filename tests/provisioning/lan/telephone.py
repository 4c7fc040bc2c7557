"""A desk telephone as its maker describes it: from the socket in the wall to a key that works.

telephone.plugged_in()      DHCP and plug and play; where its settings are
telephone.fetch()           files in the maker's order, again wherever they send it
line = await telephone.register()
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from provisioning.plug_and_play import GROUP, PORT
from sip.core.info import RELAY, Digit, relay_body
from sip.core.message import Request, Response
from sip.core.parser import parse_message
from sip.core.stack import ServerTransaction
from sip.net.stream import Connection, StreamFlow, StreamTransport
from sip.net.tls import PeerIdentity
from sip.user_agent import Account, OutgoingCall, UserAgent
from tests.provisioning.lan.dhcp import lease
from tests.provisioning.lan.fetching import Got, asked_until_answered, get
from tests.provisioning.lan.makers import Maker, Settings
from tests.provisioning.lan.network import Lan

MOST_ROUNDS = 4
_SECRET = re.compile(r"/(s|t)/[A-Za-z0-9_-]{20,}/")


class Telephone:
    """One telephone. certificate: its maker's, in PEM with its key. asked: each file that it asked for, with
    the status of the answer, secrets left out.
    """

    def __init__(self, network: Lan, maker: Maker, folder: Path, certificate: Path | None = None) -> None:
        self.maker = maker
        self.settings = Settings()
        self.address = ""
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[int, str]] = []
        self._network = network
        self._trusted: Path | None = None
        self._store = folder / f"{maker.mac}.pem"
        self._certificate = certificate

    # Where its settings are

    def leased(self) -> str:
        """Take an address; return where DHCP says that its settings are."""
        maker = self.maker
        found = lease(self._network, maker.mac, maker.vendor_class, (43, 66, 160))
        self.address = found.address
        for option in maker.options:
            value = found.options.get(option, b"")
            if option == 43:
                value = _encapsulated(value, maker.encapsulated)
            if value:
                return value.rstrip(b"\0").decode("ascii")
        raise AssertionError("DHCP says nothing of settings")

    def asks_the_group(self, asker: socket.socket) -> None:
        """Send its plug-and-play SUBSCRIBE (draft-petrie-sipping-profile-datasets)."""
        user, event = self.maker.asks_as
        host, port = asker.getsockname()
        asker.sendto(
            f"SUBSCRIBE sip:{user}@{GROUP} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{os.urandom(6).hex()};rport\r\n"
            f"Max-Forwards: 1\r\nFrom: <sip:{user}@{GROUP}>;tag=1\r\nTo: <sip:{user}@{GROUP}>\r\n"
            f"Call-ID: {os.urandom(6).hex()}@{host}\r\nCSeq: 1 SUBSCRIBE\r\nContact: <sip:{host}:{port}>\r\n"
            f"Event: {event}\r\nExpires: 0\r\nAccept: application/url\r\nContent-Length: 0\r\n\r\n".encode(),
            (GROUP, PORT),
        )

    def told_by_the_group(self) -> str:
        """Ask the LAN; return the address that the NOTIFY says, which is answered."""
        with self._network.datagrams(self.address) as asker:
            answer, _ = asked_until_answered(asker, lambda: self.asks_the_group(asker))
            response = parse_message(answer)
            assert isinstance(response, Response) and response.status == 200
            datagram, peer = asker.recvfrom(8192)
            notify = parse_message(datagram)
            assert isinstance(notify, Request) and notify.method == "NOTIFY"
            assert notify.to.tag == "1" and notify.from_.tag == response.to.tag
            assert notify.only("content-type") == "application/url"
            names = ("via", "from", "to", "call-id", "cseq")
            lines = "".join(f"{name}: {value}\r\n" for name in names for value in notify.headers[name])
            asker.sendto(f"SIP/2.0 200 OK\r\n{lines}Content-Length: 0\r\n\r\n".encode(), peer)
            return notify.body.decode("ascii")

    # Its files

    def fetch(self, server: str = "") -> None:
        """Fetch from where it knows, and again wherever a file sends it, until one sends it nowhere else."""
        self.settings.server = server or self.settings.server
        for _ in range(MOST_ROUNDS):
            before = self.settings.server
            self.files = {}
            for name in self.maker.files:
                status, content = self.get(before + name)
                if status == 200:
                    self.files[name] = content
                    self.settings = self.maker.read(content, self.settings)
                    self._believe(self.settings.authority)
            if self.settings.server == before:
                return
        raise AssertionError("it is sent on and on")

    def get(self, url: str) -> tuple[int, bytes]:
        """One file: its status and content. Raises NotTrusted."""
        got = self._got(url)
        return got.status, got.content

    def get_again(self, url: str) -> tuple[int, bytes]:
        """One file, and then once more if it isn't the one that came first (RFC 9110 section 13.1.2)."""
        again = self._got(url, self._got(url).tag)
        return again.status, again.content

    def _got(self, url: str, known: str = "") -> Got:
        how = (self.maker.agent, self._trusted, self._certificate, known)
        got = get(self._network, self.address, url, *how)
        shown = f"{urlsplit(url).scheme} {urlsplit(url).path}"
        self.asked.append((got.status, _SECRET.sub(r"/\1/…/", shown)))
        return got

    def _believe(self, url: str) -> None:
        """Take the certificate that a file names among those it trusts, once."""
        if url and self._trusted is None:
            self.trusts(self.get(url)[1])

    def trusts(self, authority: bytes) -> None:
        """Take a certificate among those it trusts: where no file can say so, IT loads it by hand."""
        self._store.write_bytes(authority)
        self._trusted = self._store

    # Its line

    @asynccontextmanager
    async def line(self) -> AsyncIterator[Line]:
        """Its line for the length of the block, over the connection that its settings say."""
        said = self.settings
        assert (said.transport, said.password != "") == ("tls", True)
        line = Line(Account(said.sign_in, said.password, said.host))
        transport = _Wired(line, self._network, self.address, self._trusted)
        line.outbound = transport.flow_to((said.host, said.port), PeerIdentity(said.host))
        try:
            yield line
        finally:
            await transport.close()
            line.close()


class Line(UserAgent):
    """A line that takes `NOTIFY` with `Event: check-sync`, which no subscription asked for."""

    def __init__(self, account: Account) -> None:
        super().__init__(account, os.urandom(16))
        self.core.methods = (*self.core.methods, "NOTIFY")
        self.told: asyncio.Queue[str] = asyncio.Queue()

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """See UserAgent; a NOTIFY's event is told."""
        if request.method != "NOTIFY":
            super().request_received(request, transaction, now)
            return
        self.core.stack.respond(transaction, 200, now)
        self.told.put_nowait(request.only("event"))

    async def send_to(self, call: OutgoingCall, number: str) -> int:
        """Transfer who is at the other end, without a word; returns the status of the REFER (RFC 3515)."""
        answered: asyncio.Future[int] = self.loop.create_future()
        line = f"Refer-To: <{self.account.uri_of(number)}>\r\n"
        call._facts.session.send_request("REFER", _Status(answered), self.driver.now, headers=line)
        self.driver.wake()
        return await answered

    async def press(self, call: OutgoingCall, keys: str) -> None:
        """Press keys in a call, each as an INFO (application/dtmf-relay) that must be taken."""
        for key in keys:
            answered: asyncio.Future[int] = self.loop.create_future()
            said = {"body": relay_body(Digit(key)), "content_type": RELAY}
            call._facts.session.send_request("INFO", _Status(answered), self.driver.now, **said)
            self.driver.wake()
            assert await answered == 200


def sdp(*, encrypted: bool) -> bytes:
    """An offer or answer that asks for nobody's packets."""
    key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n"
    return (
        "v=0\r\no=- 1 1 IN IP4 10.54.1.9\r\ns=-\r\nc=IN IP4 10.54.1.9\r\nt=0 0\r\n"
        f"m=audio 40000 RTP/{'SAVP' if encrypted else 'AVP'} 8 101\r\n"
        f"a=rtpmap:101 telephone-event/8000\r\n{key if encrypted else ''}"
    ).encode()


def states(document: bytes) -> list[str]:
    """Of a lamp's dialogs (RFC 4235), but for the one that says that there is none."""
    dialogs = re.findall(rb'<dialog id="([^"]*)".*?<state[^>]*>(\w+)</state>', document, re.DOTALL)
    return [state.decode() for name, state in dialogs if name != b"none"]


class _Status:
    """Hears the final response."""

    def __init__(self, answered: asyncio.Future[int]) -> None:
        self._answered = answered

    def response_received(self, response: Response, now: float) -> None:
        if response.status >= 200:
            self._answered.set_result(response.status)

    def no_response(self, reason: str, now: float) -> None:
        self._answered.set_result(408)


class _Wired(StreamTransport):
    """TLS whose connections begin on the telephones' side of the wire."""

    def __init__(self, line: Line, network: Lan, own: str, trusted: Path | None) -> None:
        super().__init__(line.driver, transport="TLS", ca_file=trusted)
        self._network = network
        self._own = own

    async def _connect(self, connection: Connection, flow: StreamFlow) -> None:
        made = self._network.connected(self._own, flow.remote)
        made.setblocking(False)
        await self._loop.create_connection(lambda: connection, sock=made)


def _encapsulated(data: bytes, wanted: int) -> bytes:
    """RFC 2132 section 8.4: options within option 43, as a number, a length and a value each."""
    while len(data) > 2:
        if data[0] == wanted:
            return data[2 : 2 + data[1]]
        data = data[2 + data[1] :]
    return b""
