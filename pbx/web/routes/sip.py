"""SIP of pages: a WebSocket at `/sip` that is handed on to signalling, whoever opens it (RFC 7118).

Who speaks there is proved to signalling, message by message, as over any other transport. Here it is seen to
that a page of ours opened it, and that neither side is sent faster than it reads. When signalling is started
again the socket closes with 1012; the page connects anew and registers.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from pbx.tasks import Tasks
from pbx.web.access import Guest, anybody, is_secure, refuse_other_sites
from pbx.web.node import TheNode
from pbx.web.problems import Problem
from sip.core.parser import MAX_MESSAGE_BYTES
from sip.net.relayed import Hello, framed, introduction, read_frame

log = logging.getLogger(__name__)

router = APIRouter(tags=["telephone"])

SUBPROTOCOL = "sip"
SERVICE_RESTART = 1012
TOO_BIG = 1009
CLOSE_SECONDS = 2.0


@router.websocket("/sip")
async def relay(socket: WebSocket, node: TheNode, guest: Annotated[Guest, anybody()]) -> None:
    """Hand SIP messages on between a page and signalling, until either side leaves."""
    refuse_other_sites(socket)
    if SUBPROTOCOL not in socket.scope["subprotocols"]:
        detail = "this WebSocket speaks `sip` (RFC 7118), and nothing else"
        raise Problem(400, "wrong_subprotocol", detail)
    reader, writer = await _signalling(node.configuration.pages_socket)
    tasks = Tasks()
    try:
        writer.write(introduction(_hello(socket, guest)))
        await socket.accept(subprotocol=SUBPROTOCOL)  # RFC 7118 section 4.1
        tasks.start(_from_signalling(reader, socket), "sip to a page")
        await _from_page(socket, writer)
    finally:
        writer.close()
        await tasks.cancel()


async def _signalling(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        return await asyncio.open_unix_connection(str(path))
    except OSError:
        detail, mend = "the telephone exchange doesn't answer", "try again in a moment"
        raise Problem(503, "signalling_away", detail, mend=mend, headers={"Retry-After": "2"}) from None


def _hello(socket: WebSocket, guest: Guest) -> Hello:
    """Who opened it, and where it is known to be connected."""
    host, port = socket.scope.get("server") or ("127.0.0.1", 0)
    remote = (guest.address, socket.client.port if socket.client else 0)
    return Hello("WSS" if is_secure(socket) else "WS", (host, port or 0), remote)


async def _from_page(socket: WebSocket, writer: asyncio.StreamWriter) -> None:
    """Hand on what the page says, no faster than signalling takes it."""
    with suppress(OSError):
        while True:
            said = await socket.receive()
            if socket.client_state is WebSocketState.DISCONNECTED:
                return
            text = said.get("text")
            message = text.encode() if text is not None else said.get("bytes") or b""
            if len(message) > MAX_MESSAGE_BYTES:
                await _close(socket, TOO_BIG)
                return
            if message.strip(b"\r\n"):
                writer.write(framed(message))
                await writer.drain()
            elif len(message) >= 4:
                # RFC 5626 section 3.5.1, RFC 7118 section 6: a page that asks whether we are there.
                await socket.send_text("\r\n")


async def _from_signalling(reader: asyncio.StreamReader, socket: WebSocket) -> None:
    """Hand on what signalling says, no faster than the page reads; close where it says no more."""
    try:
        while True:
            message = await read_frame(reader)
            try:
                await socket.send_text(message.decode())
            except UnicodeDecodeError:
                await socket.send_bytes(message)  # RFC 7118 section 4.2
    except (OSError, EOFError, ValueError):
        await _close(socket, SERVICE_RESTART)
    except WebSocketDisconnect:
        return


async def _close(socket: WebSocket, code: int) -> None:
    with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await socket.close(code)
