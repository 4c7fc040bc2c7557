"""The web process: sockets that the supervisor has bound, TLS, connections with their bounds.

    run_web ──> Node, application
            └─> for each socket: plain or TLS ──> Connection (uvicorn's, with the patience of ours)

Certificates that change are taken for the connections from then on. SIGTERM: no new connection; what is being
answered has STOP_SECONDS to end.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from pbx.configuration import Configuration
from pbx.node.certificates import CertificatesInUse
from pbx.plans.in_force import PlanInForce
from pbx.tasks import Tasks
from pbx.web.application import application
from pbx.web.node import Node
from pbx.web.routes.first_run import FirstRun
from sip.net.tls import ServerContexts

log = logging.getLogger(__name__)

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


def run_web(
    configuration: Configuration,
    sockets: Sequence[tuple[socket.socket, bool]],
    in_force: PlanInForce,
    first_run: FirstRun | None = None,
) -> None:
    """Serve pages and API until SIGTERM. sockets: bound, each with whether TLS is spoken there.

    first_run: of a node that has no configuration yet; then until it has one.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(configuration, sockets, in_force, first_run))


async def _serve(
    configuration: Configuration,
    sockets: Sequence[tuple[socket.socket, bool]],
    in_force: PlanInForce,
    first_run: FirstRun | None,
) -> None:
    stop = first_run.ended if first_run is not None else asyncio.Event()
    told_to_stop = first_run.stop if first_run is not None else stop.set
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_stop)
    clock = time.time  # noqa: TID251 (the composition root gives time to the others)
    app = application(Node(configuration, in_force, clock))
    app.state.first_run = first_run
    listening = Listening(app, sockets)
    tasks = Tasks()
    async with app.router.lifespan_context(app):
        await listening.start()
        if any(is_tls for _, is_tls in sockets):
            tasks.start(_speak_tls(configuration, listening, tasks, clock), "certificates")
        gc.collect()
        gc.freeze()
        log.info("web ready at=%s", " ".join(_told(bound, is_tls) for bound, is_tls in sockets))
        await stop.wait()
        await listening.stop()
        await tasks.cancel()


async def _speak_tls(
    configuration: Configuration, listening: Listening, tasks: Tasks, clock: Callable[[], float]
) -> None:
    """Show the certificates that there are, and those that come."""
    certificates = await asyncio.to_thread(CertificatesInUse, _shown(configuration), clock)

    def show(contexts: ServerContexts) -> None:
        tasks.start(listening.start_tls(contexts), "tls")

    certificates.on_change = show
    if certificates.contexts is not None:
        await listening.start_tls(certificates.contexts)
    await certificates.watch()


def _shown(configuration: Configuration) -> Configuration:
    """The configuration with the certificates that the pages show."""
    if not configuration.web.certificates:
        return configuration
    return replace(configuration, sip=replace(configuration.sip, certificates=configuration.web.certificates))


def _told(bound: socket.socket, is_tls: bool) -> str:
    host, port = bound.getsockname()[:2]
    return f"{'https' if is_tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
