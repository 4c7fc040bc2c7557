"""The telephones of `scripts/bench provisioning`: all have power again at the same moment.

    python -m benches.provisioning_phones

A Town in JSON comes in as a line. A Report goes out when all are ready, and another when the input ends. Each
asks where its settings are (HTTP, in clear), fetches its files over HTTPS with a whole handshake for each,
reads from them how it signs in, registers over TLS or UDP with digest, and subscribes to its lamps. It is
ready when each lamp was told once. What fails is begun anew after RETRY_SECONDS. From then on it fetches its
files again whenever it is told to (NOTIFY, `Event: check-sync`). Every telephone has an address of its own in
127.0.0.0/8.
"""

import asyncio
import re
import resource
import secrets
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, cast

import msgspec
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sip.core.digest import authorization

PATIENCE_SECONDS = 30.0  # of a step; a telephone has as much
RETRY_SECONDS = 2.0
TRIES = 8
LIMIT_SECONDS = 200.0  # who isn't ready by then isn't counted as ready
FIRST_RESEND_SECONDS = 0.5  # RFC 3261 section 17.1.2.1: Timer E
MOST_MESSAGE = 65_536

# Where each maker's file says how to sign in: name, password, port, and what it calls TLS.
SIGN_IN = {
    "yealink": (
        rb"account\.1\.auth_name = (\S+)",
        rb"account\.1\.password = (\S+)",
        rb"account\.1\.sip_server\.1\.port = (\d+)",
        rb"transport_type = 2\b",
    ),
    "snom": (
        rb'<user_pname idx="1"[^>]*>([^<]+)<',
        rb'<user_pass idx="1"[^>]*>([^<]+)<',
        rb"<user_outbound [^>]*>sip:[^:<]+:(\d+)",
        rb"transport=tls",
    ),
    "grandstream": (
        rb'"account\.1\.sip\.subscriber\.userid">([^<]+)<',
        rb'"account\.1\.sip\.subscriber\.password">([^<]+)<',
        rb'"account\.1\.sip\.server\.1\.address">[^:<]+:(\d+)<',
        rb">TlsOrTcp<",
    ),
    "fanvil": (
        rb"<RegisterUser>([^<]+)<",
        rb"<RegisterPswd>([^<]+)<",
        rb"<RegisterPort>(\d+)<",
        rb"<Transport>3<",
    ),
}


class Failed(Exception):
    """A step that a telephone begins anew."""


class Told(msgspec.Struct):
    """What one telephone is. pointer: its file in clear; paths: those over HTTPS, in order.

    certificate: files of its maker's certificate and key, None for none.
    """

    mac: str
    brand: str
    agent: str
    address: str
    pointer: str
    paths: list[str]
    lamps: list[str]
    certificate: tuple[str, str] | None = None


class Town(msgspec.Struct):
    """All telephones, the ports where they fetch, and the file of whom they believe."""

    http: int
    https: int
    authority: str
    phones: list[Told]


class Report(msgspec.Struct):
    """What became of them since the one before: who was ready when, in seconds from power, how often files
    were fetched since somebody was told to, and what was begun anew how often.
    """

    ready_seconds: list[float]
    fetched_seconds: list[float]
    refetched: int
    failures: dict[str, int]
    own_cpu_seconds: float


class SignIn(NamedTuple):
    """How a telephone signs in, by its file."""

    name: str
    password: str
    port: int
    is_tls: bool


def sign_in(brand: str, content: bytes) -> SignIn:
    """Read a file as its maker's telephone does. Raises Failed."""
    name, password, port, tls = (re.search(pattern, content) for pattern in SIGN_IN[brand])
    if name is None or password is None or port is None:
        raise Failed("its file doesn't say how to sign in")
    return SignIn(name[1].decode(), password[1].decode(), int(port[1]), tls is not None)


class Telephone:
    """One telephone. tls: whom it believes. refetched: how often it did as it was told."""

    def __init__(self, told: Told, town: Town, tls: ssl.SSLContext) -> None:
        self.address = told.address
        self._brand, self._agent = told.brand, told.agent
        self._own: list[tuple[int, str, ssl.SSLContext | None]] = [
            (town.https, path, tls) for path in told.paths
        ]
        self._wanted = [(town.http, told.pointer, None), *self._own]
        self._lamps = told.lamps
        self._tls = tls
        self._refetching: asyncio.Task[None] | None = None
        self.failures: list[str] = []
        self.ready_seconds = self.fetched_seconds = -1.0
        self.refetched = 0

    def check_sync(self) -> None:
        """It is told to fetch: once, if it does already."""
        if self._refetching is None or self._refetching.done():
            self._refetching = asyncio.ensure_future(self._refetch())

    async def _refetch(self) -> None:
        self._wanted = list(self._own)
        for _ in range(TRIES):
            try:
                await self._fetched()
                self.refetched += 1
                return
            except (Failed, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                self.failures.append(f"told to fetch: {error!r}"[:120])
                await asyncio.sleep(RETRY_SECONDS)

    async def start(self, began: float) -> None:
        """From power to the last lamp. began: on the loop's clock."""
        loop = asyncio.get_running_loop()
        for _ in range(TRIES):
            try:
                content = await self._fetched()
                self.fetched_seconds = loop.time() - began
                break
            except (Failed, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                self.failures.append(f"fetch: {error!r}"[:120])
                await asyncio.sleep(RETRY_SECONDS)
        else:
            return
        for _ in range(TRIES):
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._registered(sign_in(self._brand, content))
                self.ready_seconds = loop.time() - began
                return
            except (Failed, OSError, TimeoutError) as error:
                self.failures.append(f"register: {error!r}"[:120])
                await asyncio.sleep(RETRY_SECONDS)

    async def _fetched(self) -> bytes:
        """The last of its files; those that it has aren't fetched anew after a failure."""
        content = b""
        while self._wanted:
            port, path, tls = self._wanted[0]
            async with asyncio.timeout(PATIENCE_SECONDS):
                content = await self._get(port, path, tls)
            self._wanted.pop(0)
        return content

    async def _get(self, port: int, path: str, tls: ssl.SSLContext | None) -> bytes:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=tls, local_addr=(self.address, 0), limit=MOST_MESSAGE
        )
        try:
            request = f"GET /{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: {self._agent}\r\n"
            writer.write(f"{request}Connection: close\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            if not head.startswith(b"HTTP/1.1 200 ") or length is None:
                raise Failed(f"{head[:40]!r}")
            return await reader.readexactly(int(length[1]))
        finally:
            writer.transport.abort()

    async def _registered(self, account: SignIn) -> None:
        line = _Line(self.address, account, self._lamps, self.check_sync)
        if account.is_tls:
            await asyncio.get_running_loop().create_connection(
                lambda: line, "127.0.0.1", account.port, ssl=self._tls, local_addr=(self.address, 0)
            )
        else:
            await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: line, (self.address, 0), ("127.0.0.1", account.port)
            )
        try:
            await line.begin()
        except BaseException:
            line.transport.abort()
            raise


class _Line(asyncio.Protocol, asyncio.DatagramProtocol):
    """One telephone's way to the exchange: requests with their answers, and each NOTIFY answered."""

    transport: asyncio.Transport | asyncio.DatagramTransport

    def __init__(
        self, address: str, account: SignIn, lamps: Sequence[str], check_sync: Callable[[], None]
    ) -> None:
        self._address, self._account, self._lamps = address, account, lamps
        self._check_sync = check_sync
        self._buffer = b""
        self._answers: dict[bytes, asyncio.Future[bytes]] = {}
        self._untold = {lamp.encode() for lamp in lamps}
        self._all_told = asyncio.get_running_loop().create_future()
        self._own = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self.transport = cast("asyncio.Transport | asyncio.DatagramTransport", transport)
        host, port = transport.get_extra_info("sockname")[:2]
        self._own = f"{host}:{port}"

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        for waiting in (*self._answers.values(), self._all_told):
            if not waiting.done():
                waiting.set_exception(Failed("the connection was closed"))
                waiting.exception()  # nobody may be waiting for it

    def datagram_received(self, data: bytes, addr: object) -> None:
        """See asyncio."""
        self._message(data)

    def error_received(self, exc: Exception) -> None:
        """See asyncio: it is sent again."""

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            length = re.search(rb"\r\n(?:Content-Length|l): *(\d+)", self._buffer[: end + 2], re.IGNORECASE)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < whole:
                return
            message, self._buffer = self._buffer[:whole], self._buffer[whole:]
            if message.strip():
                self._message(message)

    def _message(self, data: bytes) -> None:
        if data.startswith(b"SIP/2.0 "):
            found = re.search(rb"\r\nCall-ID: ([^\r]*)", data)
            waiting = self._answers.get(found[1]) if found else None
            if waiting is not None and not waiting.done() and not data.startswith(b"SIP/2.0 1"):
                waiting.set_result(data)
        elif data.startswith(b"NOTIFY "):
            lines = re.findall(rb"(?:Via|From|To|Call-ID|CSeq): [^\r]*\r\n", data)
            self._send(b"SIP/2.0 200 OK\r\n" + b"".join(lines) + b"Content-Length: 0\r\n\r\n")
            if b"\r\nEvent: check-sync" in data:
                self._check_sync()
            lamp = re.search(rb"\r\nCall-ID: lamp-([0-9]+)-", data)
            if lamp:
                self._untold.discard(lamp[1])
            if not self._untold and not self._all_told.done():
                self._all_told.set_result(None)

    def _send(self, data: bytes) -> None:
        if self._account.is_tls:
            cast("asyncio.Transport", self.transport).write(data)
        else:
            cast("asyncio.DatagramTransport", self.transport).sendto(data)

    async def begin(self) -> None:
        """Register, and have every lamp told. Raises Failed, TimeoutError."""
        user = self._account.name
        await self._asked("REGISTER", "sip:localhost", f"sip:{user}@localhost", "reg", "")
        event = "Event: dialog\r\nAccept: application/dialog-info+xml\r\n"
        for lamp in self._lamps:
            uri = f"sip:{lamp}@localhost"
            await self._asked("SUBSCRIBE", uri, uri, f"lamp-{lamp}", event)
        if self._lamps:
            await self._all_told

    async def _asked(self, method: str, uri: str, to: str, name: str, more: str) -> None:
        """Ask, answer the challenge. Raises Failed for what isn't a 200 then."""
        user, way = self._account.name, "TLS" if self._account.is_tls else "UDP"
        call_id = f"{name}-{secrets.token_hex(6)}"
        transport = ";transport=tls" if self._account.is_tls else ""
        credentials = ""
        for sequence in (1, 2):
            request = (
                f"{method} {uri} SIP/2.0\r\n"
                f"Via: SIP/2.0/{way} {self._own};rport;branch=z9hG4bK{call_id}{sequence}\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:{user}@localhost>;tag={call_id}\r\nTo: <{to}>\r\n"
                f"Call-ID: {call_id}\r\nCSeq: {sequence} {method}\r\n"
                f"Contact: <sip:{user}@{self._own}{transport}>\r\n"
                f"{more}Expires: 3600\r\n{credentials}Content-Length: 0\r\n\r\n"
            )
            answer = await self._answer(call_id.encode(), request.encode())
            if answer.startswith(b"SIP/2.0 200"):
                return
            if not answer.startswith(b"SIP/2.0 401"):
                break
            offered = re.findall(r"WWW-Authenticate: ([^\r]*)", answer.decode())
            cnonce = secrets.token_hex(8)
            credentials = authorization(offered, user, self._account.password, method, uri, cnonce)
        raise Failed(f"{method}: {answer[:60]!r}")

    async def _answer(self, call_id: bytes, request: bytes) -> bytes:
        waiting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[call_id] = waiting
        seconds = FIRST_RESEND_SECONDS
        while True:
            self._send(request)
            if self._account.is_tls:
                return await waiting
            with suppress(TimeoutError):
                return await asyncio.wait_for(asyncio.shield(waiting), seconds)
            seconds = min(2 * seconds, 4.0)


def _tls(authority: str, certificate: tuple[str, str] | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority)
    context.check_hostname = False  # the name of a certificate made for loopback isn't what is weighed
    if certificate is not None:
        context.load_cert_chain(*certificate)
    return context


class Fleet:
    """All telephones of a town."""

    def __init__(self, town: Town) -> None:
        plain = _tls(town.authority, None)
        self._phones = [
            Telephone(told, town, _tls(town.authority, told.certificate) if told.certificate else plain)
            for told in town.phones
        ]
        self._spent = time.process_time()

    async def power(self) -> Report:
        """Give all of them power at once; what became of them, at most LIMIT_SECONDS later."""
        began, self._spent = asyncio.get_running_loop().time(), time.process_time()
        starting = [asyncio.ensure_future(phone.start(began)) for phone in self._phones]
        _, late = await asyncio.wait(starting, timeout=LIMIT_SECONDS)
        for one in late:
            one.cancel()
        return self.report()

    def report(self) -> Report:
        """What became of them since the report before."""
        reasons: dict[str, int] = {}
        for phone in self._phones:
            for failure in phone.failures:
                reasons[failure] = reasons.get(failure, 0) + 1
            phone.failures.clear()
        spent, self._spent = time.process_time() - self._spent, time.process_time()
        return Report(
            sorted(phone.ready_seconds for phone in self._phones if phone.ready_seconds >= 0),
            sorted(phone.fetched_seconds for phone in self._phones if phone.fetched_seconds >= 0),
            sum(phone.refetched for phone in self._phones),
            dict(sorted(reasons.items(), key=lambda item: -item[1])[:6]),
            spent,
        )


async def live(town: Town, report: Callable[[Report], None]) -> None:
    """Give power, and do as they are told until the input ends."""
    fleet = Fleet(town)
    report(await fleet.power())
    await asyncio.to_thread(sys.stdin.buffer.read)
    report(fleet.report())


def main() -> None:
    """Read the town, print what becomes of it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    town = msgspec.json.decode(sys.stdin.buffer.readline(), type=Town)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(live(town, lambda one: print(msgspec.json.encode(one).decode(), flush=True)))


if __name__ == "__main__":
    main()
