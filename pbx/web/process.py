"""The web process: sockets that the supervisor has bound, and the certificates that are shown there.

    run_web ──> Node, application
            └─> Listening, on each socket: plain or TLS

Certificates that change are taken for the connections from then on. SIGTERM: no new connection; what is being
answered has STOP_SECONDS to end.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import uvloop

from pbx.configuration import Configuration
from pbx.node.certificates import CertificatesInUse
from pbx.plans.in_force import PlanInForce
from pbx.tasks import Tasks
from pbx.web.application import application
from pbx.web.connections import Listening
from pbx.web.node import Node
from pbx.web.routes.first_run import FirstRun
from sip.net.tls import ServerContexts

log = logging.getLogger(__name__)


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
