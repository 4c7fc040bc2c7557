"""TCP with stream framing (RFC 3261 section 18.3), keep-alives (RFC 5626) and bounds on what a peer may hold.

A connection that sends nothing, sends too slowly, doesn't read, or isn't SIP is closed.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable

from sip.core.errors import ParseError
from sip.core.flow import Flow
from sip.core.parser import KeepAlive, StreamParser
from sip.net.addresses import local_address_toward
from sip.net.driver import Driver

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 20_000
MAX_CONNECTIONS_OF_ONE_ADDRESS = 200  # a site behind one NAT has this many phones
FIRST_MESSAGE_SECONDS = 10.0
WHOLE_MESSAGE_SECONDS = 10.0
IDLE_SECONDS = 7200.0  # the longest registration
CONNECT_SECONDS = 5.0
MAX_UNSENT_BYTES = 1 << 20
_LOOPBACK = ("127.", "::1")


class TcpFlow(Flow):
    """One connection, perhaps still being made. `connect` makes it, with the first thing to send."""

    __slots__ = ("_closed", "_connect", "_unsent", "transport_")

    def __init__(
        self, local: tuple[str, int], remote: tuple[str, int], connect: Callable[[], None] | None = None
    ) -> None:
        super().__init__("TCP", local, remote)
        self.transport_: asyncio.Transport | None = None
        self._connect = connect
        self._unsent: list[bytes] = []
        self._closed = False

    @property
    def open(self) -> bool:
        """False once the connection is gone."""
        return not self._closed

    def send(self, data: bytes) -> None:
        """Send, or keep until connected; raises OSError when it is gone or the peer doesn't read."""
        if self._closed:
            raise ConnectionResetError("connection closed")
        if self.transport_ is None:
            self._unsent.append(data)
            connect, self._connect = self._connect, None
            if connect is not None:
                connect()
            if sum(map(len, self._unsent)) > MAX_UNSENT_BYTES:
                raise BlockingIOError("too much to send before the connection is there")
            return
        if self.transport_.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self.transport_.abort()
            raise BlockingIOError("the peer doesn't read")
        self.transport_.write(data)

    def toward(self, remote: tuple[str, int]) -> Flow:
        """A connection leads to one peer only: itself."""
        return self

    def connected(self, transport: asyncio.Transport) -> None:
        """The connection is there."""
        self.transport_ = transport
        for data in self._unsent:
            transport.write(data)
        self._unsent.clear()

    def closed(self) -> None:
        """The connection is gone."""
        self._closed = True
        self._unsent.clear()
        self.transport_ = None


class TcpTransport:
    """The connections of one node, made by peers to `listening` or by us."""

    def __init__(self, driver: Driver, listening: socket.socket | None = None) -> None:
        self._driver = driver
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self.family = listening.family if listening is not None else socket.AF_INET
        self.local: tuple[str, int] = ("0.0.0.0", 0)  # noqa: S104 (nothing is bound)
        if listening is not None:
            self.local = listening.getsockname()[:2]
        self._server: asyncio.Server | None = None
        self._connections: dict[tuple[str, int], Connection] = {}
        self._of_address: Counter[str] = Counter()
        self._connecting: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Accept connections."""
        if self._listening is not None:
            self._server = await self._loop.create_server(lambda: Connection(self), sock=self._listening)

    def flow_to(self, remote: tuple[str, int]) -> Flow:
        """The connection to an address: the one there is (RFC 5923), or one made when something is sent."""
        known = self._connections.get(remote)
        if known is not None and known.flow.open:
            return known.flow
        local = local_address_toward(self.local, remote)
        flow = TcpFlow(local, remote, lambda: self._begin(connection))
        connection = Connection(self, flow)
        self._connections[remote] = connection
        return flow

    def _begin(self, connection: Connection) -> None:
        task = self._loop.create_task(self._connect(connection, connection.flow))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: Connection, flow: TcpFlow) -> None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._loop.create_connection(lambda: connection, *flow.remote)
        except OSError as error:  # TimeoutError is one
            log.info("connecting to %s: %s", flow, str(error) or "timeout")
            if self._connections.get(flow.remote) is connection:
                del self._connections[flow.remote]
            flow.closed()
            self._driver.flow_failed(flow)

    def opened(self, connection: Connection, remote: tuple[str, int], *, ours: bool) -> bool:
        """Take note of a connection; False when there are too many."""
        host = remote[0]
        too_many = len(self._connections) >= MAX_CONNECTIONS or (
            self._of_address[host] >= MAX_CONNECTIONS_OF_ONE_ADDRESS and not host.startswith(_LOOPBACK)
        )
        if too_many and not ours:
            return False
        self._connections[remote] = connection
        self._of_address[host] += 1
        return True

    def lost(self, connection: Connection, remote: tuple[str, int]) -> None:
        """A connection is gone."""
        if self._connections.get(remote) is connection:
            del self._connections[remote]
        self._of_address[remote[0]] -= 1
        if self._of_address[remote[0]] <= 0:
            del self._of_address[remote[0]]
        self._driver.flow_failed(connection.flow)

    def received(self, frames: list[bytes | KeepAlive], flow: TcpFlow) -> None:
        """Whole messages and keep-alives of one connection."""
        now = self._loop.time()
        for frame in frames:
            if frame is KeepAlive.PING:
                flow.send(b"\r\n")  # RFC 5626 section 3.5.1
            elif isinstance(frame, bytes):
                self._driver.receive(frame, flow, now)
        self._driver.flush()

    async def close(self) -> None:
        """Close every connection."""
        if self._server is not None:
            self._server.close()
        for task in list(self._connecting):
            task.cancel()
        for connection in list(self._connections.values()):
            if connection.flow.transport_ is not None:
                connection.flow.transport_.close()
        await asyncio.sleep(0)


class Connection(asyncio.Protocol):
    """One connection's bytes."""

    def __init__(self, owner: TcpTransport, flow: TcpFlow | None = None) -> None:
        self._owner = owner
        self._ours = flow is not None
        self.flow = flow or TcpFlow(("", 0), ("", 0))
        self._parser = StreamParser()
        self._loop = asyncio.get_running_loop()
        self._watch: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._message_since: float | None = None
        self._known = False
        self._spoke = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        assert isinstance(transport, asyncio.Transport)
        connected: socket.socket = transport.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # half-open ones are found
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._ours:
            self.flow.local = transport.get_extra_info("sockname")[:2]
            self.flow.remote = transport.get_extra_info("peername")[:2]
        else:
            # Via and Contact name the port that we listen on, not this connection's (RFC 5923 section 4).
            host = transport.get_extra_info("sockname")[0]
            self.flow.local = (host, self.flow.local[1] or transport.get_extra_info("sockname")[1])
        self._heard_at = self._loop.time()
        self._known = self._owner.opened(self, self.flow.remote, ours=self._ours)
        if not self._known:
            log.warning("too many connections, %s refused", self.flow)
            transport.abort()
            return
        self.flow.connected(transport)
        self._look_again(FIRST_MESSAGE_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Some bytes of the stream."""
        now = self._loop.time()
        self._heard_at = now
        try:
            frames = self._parser.feed(data)
        except ParseError as error:
            log.info("closing %s: %s", self.flow, error)
            self._close()
            return
        if frames:
            self._spoke = True
            self._message_since = None
            try:
                self._owner.received(frames, self.flow)
            except OSError as error:
                log.info("closing %s: %s", self.flow, error)
                self._close()
            try:
                self._parser.feed(b"")
            except ParseError as error:  # what follows the last message isn't SIP
                log.info("closing %s: %s", self.flow, error)
                self._close()
                return
        if self._parser.pending and self._message_since is None:
            self._message_since = now
            self._look_again(WHOLE_MESSAGE_SECONDS)
        elif not self._parser.pending:
            self._message_since = None

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self._watch is not None:
            self._watch.cancel()
        self.flow.closed()
        if self._known:
            self._owner.lost(self, self.flow.remote)

    def _look_again(self, seconds: float) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watch = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        """Close a peer that is silent from the start, slow with a message, or gone for hours."""
        now = self._loop.time()
        slow = self._message_since is not None and now - self._message_since >= WHOLE_MESSAGE_SECONDS
        mute = not self._spoke and not self._ours and now - self._heard_at >= FIRST_MESSAGE_SECONDS
        if slow or mute or now - self._heard_at >= IDLE_SECONDS:
            log.info("closing %s: %s", self.flow, "slow message" if slow else "silent")
            self._close()
            return
        self._look_again(IDLE_SECONDS if self._message_since is None else WHOLE_MESSAGE_SECONDS)

    def _close(self) -> None:
        if self.flow.transport_ is not None:
            self.flow.transport_.abort()
