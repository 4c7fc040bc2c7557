"""HTTP on sockets that are bound: uvicorn's connections, with bounds and the patience of ours."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from sip.net.tls import ServerContexts

HEADER_SECONDS = 10.0
MOST_HEADER_BYTES = 32_768
IDLE_SECONDS = 75
HANDSHAKE_SECONDS = 10.0
STOP_SECONDS = 5.0
MOST_CONNECTIONS = 5000
MOST_SOCKET_MESSAGE_BYTES = 65_536


class Connection(HttpToolsProtocol):
    """One connection, which doesn't wait for ever: a request's headers are there in time, and bounded."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._header_bytes = 0
        self._patience: asyncio.TimerHandle | None = None
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._wait_for_headers()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._header_bytes += len(data)
        if self._header_bytes > MOST_HEADER_BYTES and self._patience is not None:
            self.send_400_response("the headers are too large")
            return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """See httptools: another request begins."""
        super().on_message_begin()
        self._header_bytes = 0
        self._wait_for_headers()

    def on_headers_complete(self) -> None:
        """See httptools."""
        self._end_patience()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._end_patience()
        super().connection_lost(exc)

    def _wait_for_headers(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _end_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        if not self.transport.is_closing():
            self.transport.close()


class Listening:
    """What is served on the sockets. sockets: each with whether TLS is spoken there."""

    def __init__(self, app: Any, sockets: Sequence[tuple[socket.socket, bool]]) -> None:
        self._sockets = sockets
        self._state = ServerState()
        self._servers: list[asyncio.Server] = []
        self._contexts: ServerContexts | None = None
        self._config = uvicorn.Config(
            app,
            http=Connection,
            ws="websockets-sansio",
            ws_max_size=MOST_SOCKET_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # pbx.web.client reads them
            server_header=False,
            timeout_keep_alive=IDLE_SECONDS,
        )
        self._config.load()

    async def start(self) -> None:
        """Accept connections where no TLS is spoken."""
        for bound, is_tls in self._sockets:
            if not is_tls:
                await self._listen(bound, None)

    async def start_tls(self, contexts: ServerContexts) -> None:
        """Accept connections where TLS is spoken, or show other certificates from now on."""
        first, self._contexts = self._contexts is None, contexts
        for bound, is_tls in self._sockets:
            if is_tls and first:
                # A context of its own, which hands each connection to the one of the certificate in use.
                front = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                front.sni_callback = self._choose
                await self._listen(bound, front)

    def _choose(self, session: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        assert self._contexts is not None
        session.context = self._contexts.context_for(name)

    async def _listen(self, bound: socket.socket, tls: ssl.SSLContext | None) -> None:
        patience = HANDSHAKE_SECONDS if tls is not None else None
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Connection(self._config, self._state, {}),
            sock=bound,
            ssl=tls,
            ssl_handshake_timeout=patience,
        )
        self._servers.append(server)

    async def stop(self) -> None:
        """Take no more connections and end those that are there."""
        for server in self._servers:
            server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks), timeout=STOP_SECONDS)
        for connection in list(self._state.connections):
            connection.transport.abort()
        for task in list(self._state.tasks):
            task.cancel()
