"""The HTTP servers that telephones ask: with TLS, where it may show its maker's certificate, and in clear.

A request is a path and a User-Agent; there is nothing else to it: one with a body is refused, and its
connection ends. Who asks too often is told to wait: what a telephone needs is a handful of files.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import ssl
from collections import Counter as Multiset
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import uvicorn
from cryptography import x509
from cryptography.x509.oid import NameOID
from uvicorn.server import ServerState

from pbx.phones.counter import TEXT, Answer, Counter, Wanted
from pbx.phones.limits import Limits
from pbx.store.database import DatabaseUnavailableError
from pbx.web.connections import HANDSHAKE_SECONDS, Connection
from provisioning.enrolment import Transport
from provisioning.mac_address import MacAddressError, mac_address

log = logging.getLogger(__name__)

MOST_QUERY: Final = 200
IDLE_SECONDS: Final = 10
WAIT_SECONDS: Final = 30
MOST_OF_ADDRESS: Final = 256
"""Connections at once: of all the telephones behind one translated address, and not all that there are."""
AT_ONCE: Final = 8
"""Requests answered side by side, as they came: after a power cut the first are ready before they give up."""
_MAC_IN_NAME: Final = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{2}(?:[:-]?[0-9A-Fa-f]{2}){5}(?![0-9A-Fa-f])")

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Any]


class PhoneConnection(Connection):
    """One connection, which says whose certificate was shown and verified. held: of each address."""

    def __init__(self, config: uvicorn.Config, state: ServerState, held: Multiset[str]) -> None:
        super().__init__(config, state, {})
        self._held = held

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        self._address = str((transport.get_extra_info("peername") or ("",))[0])
        self._held[self._address] += 1
        self.app_state = {**self.app_state, "certificate_mac": _certificate_mac(transport)}
        super().connection_made(transport)
        if self._held[self._address] > MOST_OF_ADDRESS:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._held[self._address] -= 1
        if not self._held[self._address]:
            del self._held[self._address]
        super().connection_lost(exc)


class Front:
    """An ASGI application. transport: as telephones reach it. limits: of each address."""

    def __init__(self, counter: Counter, transport: Transport, limits: Limits) -> None:
        self._counter = counter
        self._transport = transport
        self._limits = limits
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, scope: Scope, receive: Any, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            return
        has_body = any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
        answer = Answer(400, b"requests have no body\n") if has_body else await self._answered(scope)
        tag = b'"%s"' % hashlib.sha256(answer.content).hexdigest()[:32].encode("ascii")
        headers = [
            (b"content-type", answer.content_type.encode("ascii")),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if answer.status == 200:
            headers.append((b"etag", tag))
            if tag in _header(scope, b"if-none-match"):  # RFC 9110 section 13.1.2
                answer = Answer(304, b"", answer.content_type)
        if answer.status in (429, 503):
            headers.append((b"retry-after", str(WAIT_SECONDS).encode("ascii")))
        if has_body:
            headers.append((b"connection", b"close"))  # RFC 9112 section 9.3: or it were read to its end
        if answer.status != 304:
            headers.append((b"content-length", str(len(answer.content)).encode("ascii")))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else answer.content
        await send({"type": "http.response.body", "body": body})

    async def _answered(self, scope: Scope) -> Answer:
        address = str(scope["client"][0]).removeprefix("::ffff:")
        wanted = Wanted(
            self._transport,
            _path(scope["raw_path"]),
            address,
            agent=_header(scope, b"user-agent")[:300].decode("latin-1"),
            certificate_mac=scope.get("state", {}).get("certificate_mac", ""),
            query=_said(scope["query_string"], "q", "search"),
            page=_said(scope["query_string"], "page"),
        )
        proves = bool(wanted.certificate_mac) or wanted.path.startswith(("s/", "t/"))
        if not self._limits.takes(address, proves=proves):
            if self._limits.is_first_turned_away(address):
                self._counter.turned_away(wanted)
            return Answer(429, b"too many requests\n")
        if scope["method"] not in ("GET", "HEAD"):
            return Answer(405, b"only GET\n")
        try:
            async with self._turns:
                answer = await self._counter.hand_out(wanted)
        except DatabaseUnavailableError as error:
            log.warning("a telephone waits: %s", error)
            return Answer(503, b"try again in a moment\n", TEXT)
        if answer.status in (400, 403, 404):
            self._limits.refused(address)
        return answer


class Served:
    """One application on its sockets. tls: None in clear."""

    def __init__(self, app: Front) -> None:
        self._config = uvicorn.Config(
            app,
            http=PhoneConnection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=IDLE_SECONDS,
        )
        self._config.load()
        self._state = ServerState()
        self._held: Multiset[str] = Multiset()
        self._servers: list[asyncio.Server] = []

    async def listen(self, bound: Any, tls: ssl.SSLContext | None) -> None:
        """Accept connections on a socket that is bound."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: PhoneConnection(self._config, self._state, self._held),
            sock=bound,
            ssl=tls,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if tls is not None else None,
        )
        self._servers.append(server)

    def close(self) -> None:
        """Take no more connections, and end those that are there."""
        for server in self._servers:
            server.close()
        for connection in list(self._state.connections):
            connection.shutdown()


def _header(scope: Scope, name: bytes) -> bytes:
    return next((bytes(value) for one, value in scope["headers"] if one == name), b"")


def _path(raw: bytes) -> str:
    return unquote(raw.decode("latin-1"), errors="replace").removeprefix("/")


def _said(raw: bytes, *names: str) -> str:
    try:
        words = parse_qs(raw[:MOST_QUERY].decode("ascii"), max_num_fields=10)
    except (ValueError, UnicodeDecodeError):
        return ""
    return next((words[name][0] for name in names if name in words), "")[:60]


def _certificate_mac(transport: asyncio.Transport) -> str:
    """The MAC address that a verified certificate is made out to, "" without one."""
    session = transport.get_extra_info("ssl_object")
    shown = session.getpeercert(binary_form=True) if session is not None else None
    if not shown:
        return ""
    try:
        names = x509.load_der_x509_certificate(shown).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        found = _MAC_IN_NAME.search(str(names[0].value)) if names else None
        return mac_address(found[0]) if found else ""
    except (ValueError, MacAddressError):
        return ""
