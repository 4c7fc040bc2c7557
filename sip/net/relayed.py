"""WebSockets that another process of the node took: what crosses them, over one Unix socket for each.

    browser <── WebSocket ──> web process <── frames ──> RelayedConnection ──> driver

The other process says first, in a frame of its own, who it speaks for (`Hello`); every frame after that is
one SIP message (RFC 7118 section 4). The browser's own address is the flow's, so that bans, sites and limits
hold as if it had connected here. Whether it is still there is the other process's to find out: it closes.

    frame: length (4 bytes, most significant first), that many bytes
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from typing import Literal

import msgspec

from sip.core.flow import Flow
from sip.core.parser import MAX_MESSAGE_BYTES
from sip.net.driver import Driver
from sip.net.stream import CLOSE_SECONDS, FIRST_MESSAGE_SECONDS, MAX_UNSENT_BYTES, Connections

log = logging.getLogger(__name__)

BACKLOG = 1024  # pages that come back at once after a restart
_LENGTH = struct.Struct(">I")


class Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who a connection speaks for. local: our end as the browser knows it; remote: the browser's."""

    transport: Literal["WS", "WSS"]
    local: tuple[str, int]
    remote: tuple[str, int]


_hello = msgspec.json.Decoder(Hello)


def framed(message: bytes) -> bytes:
    """Return the frame of a message."""
    return _LENGTH.pack(len(message)) + message


def introduction(hello: Hello) -> bytes:
    """Return the first frame."""
    return framed(msgspec.json.encode(hello))


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """Return the next message. Raises EOFError at the end, ValueError for one too long, OSError."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > MAX_MESSAGE_BYTES:
        raise ValueError(f"a frame of {length} bytes")
    return await reader.readexactly(length)


class RelayedFlow(Flow):
    """The way to a browser. `bound` is the web server's socket."""

    __slots__ = ("connection",)

    def __init__(self, hello: Hello, told: tuple[str, int], connection: RelayedConnection) -> None:
        super().__init__(hello.transport, told, hello.remote)
        self.connection: RelayedConnection | None = connection  # None once it is gone

    @property
    def open(self) -> bool:
        """False once the connection is gone."""
        return self.connection is not None

    def send(self, data: bytes) -> None:
        """Send one message. Raises OSError when the browser is gone or doesn't read."""
        if self.connection is None:
            raise ConnectionResetError("connection closed")
        self.connection.send(data)

    def toward(self, remote: tuple[str, int]) -> Flow:
        """A connection leads to one peer only: itself."""
        return self


class Relayed:
    """All relayed connections of a node. connections: the count that they are part of."""

    def __init__(self, driver: Driver, connections: Connections) -> None:
        self.driver = driver
        self.connections = connections
        self.open: set[RelayedConnection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, listening: socket.socket) -> None:
        """Take connections of the other process."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(
            lambda: RelayedConnection(self), sock=listening, backlog=BACKLOG
        )

    async def close(self) -> None:
        """Close every connection; what isn't read by then is cut after CLOSE_SECONDS."""
        if self._server is not None:
            self._server.close()
        loop = asyncio.get_running_loop()
        for connection in list(self.open):
            connection.close()
        until = loop.time() + CLOSE_SECONDS
        while self.open and loop.time() < until:  # noqa: ASYNC110 (closing sockets give no event)
            await asyncio.sleep(0.01)
        for connection in list(self.open):
            connection.abort("the node stops")
        await asyncio.sleep(0)


class RelayedConnection(asyncio.Protocol):
    """One browser's bytes. flow: None until it was introduced."""

    __slots__ = ("_buffer", "_loop", "_owner", "_spoke", "_transport", "_watch", "flow")

    def __init__(self, owner: Relayed) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._spoke = False
        self.flow: RelayedFlow | None = None

    def send(self, message: bytes) -> None:
        """Send one message. Raises OSError when it isn't read at the other end."""
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("connection closed")
        if transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self.abort("the browser doesn't read")
            raise BlockingIOError("the browser doesn't read")
        transport.write(framed(message))

    def close(self) -> None:
        """Close when all is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self, why: str) -> None:
        """Close at once."""
        log.info("closing %s: %s", self.flow or "a relayed connection", why)
        if self._transport is not None:
            self._transport.abort()

    # From the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The other process has connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._owner.open.add(self)
        self._watch = self._loop.call_later(FIRST_MESSAGE_SECONDS, self._look)

    def data_received(self, data: bytes) -> None:
        """Some bytes: whole frames go on."""
        buffer = self._buffer
        buffer += data
        start = 0
        while len(buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if length > MAX_MESSAGE_BYTES:
                self.abort(f"a frame of {length} bytes")
                return
            end = start + _LENGTH.size + length
            if end > len(buffer):
                break
            self._frame(bytes(buffer[start + _LENGTH.size : end]))
            if self._transport is None or self._transport.is_closing():
                return
            start = end
        del buffer[:start]
        if self._spoke:
            self._owner.driver.batch_over()

    def _frame(self, frame: bytes) -> None:
        if self.flow is None:
            self._introduced(frame)
            return
        self._spoke = True
        self._owner.driver.receive(frame, self.flow, self._loop.time())

    def _introduced(self, frame: bytes) -> None:
        try:
            hello = _hello.decode(frame)
        except msgspec.DecodeError as error:
            self.abort(f"no introduction: {error}")
            return
        if not self._owner.connections.enter(hello.remote[0], ours=False):
            self.abort(f"{hello.remote[0][:60]} has too many connections, or isn't welcome")
            return
        driver = self._owner.driver
        self.flow = RelayedFlow(
            hello, (driver.external.told(hello.local[0], hello.remote[0]), hello.local[1]), self
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """The browser is gone, or the other process."""
        self._transport = None
        self._owner.open.discard(self)
        if self._watch is not None:
            self._watch.cancel()
        flow = self.flow
        if flow is not None:
            flow.connection = None
            self._owner.connections.leave(flow.remote[0])
            self._owner.driver.flow_failed(flow)

    def _look(self) -> None:
        self._watch = None
        if not self._spoke:
            self.abort("silent from the start")
