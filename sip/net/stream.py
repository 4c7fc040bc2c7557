"""Connections: TCP, TLS, WebSocket and secure WebSocket, with bounds on what a peer may hold.

    bytes of the network -> [TLS] -> SIP framing (RFC 3261 section 18.3) or WebSocket (RFC 7118) -> driver

A peer that sends nothing, sends too slowly, doesn't read, or doesn't speak what the port is for is closed; so
is one connection too many.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from sip.core.errors import ParseError
from sip.core.flow import Flow
from sip.core.message import Response
from sip.core.parser import KeepAlive, parse_message
from sip.core.via import Via
from sip.net.addresses import is_address
from sip.net.certificates import Certificate, CertificateError
from sip.net.driver import Driver
from sip.net.framing import Framing, SipFraming
from sip.net.tls import PeerIdentity, ServerContexts, TlsSession, client_context, speaks_for

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 20_000
MAX_CONNECTIONS_OF_ONE_ADDRESS = 200  # a site behind one NAT has this many phones
FIRST_MESSAGE_SECONDS = 10.0  # handshakes included
WHOLE_MESSAGE_SECONDS = 10.0
UNREAD_SECONDS = 10.0  # how long a peer may leave unread what we send
IDLE_SECONDS = 7200.0  # the longest registration
PING_SECONDS = 30.0  # what stands between a browser and us forgets a silent connection after a minute
CONNECT_SECONDS = 2.0  # an emergency call waits three for its first answer
HANDSHAKE_SECONDS = 5.0
CLOSE_SECONDS = 1.0
MAX_UNSENT_BYTES = 1 << 18
HALF_OPEN_SECONDS = 120  # TCP asks a silent peer whether it is there, see tcp(7)
PROBE_SECONDS = 20
PROBES = 3
DEFAULT_PORTS = {"TCP": 5060, "TLS": 5061, "WS": 80, "WSS": 443}  # RFC 3261 18.2.2, RFC 7118 section 5.3
_LOOPBACK = ("127.", "::1")


class StreamFlow(Flow):
    """One connection, perhaps still being made: the first thing to send has it made.

    names: whom the peer's certificate speaks for, once the handshake is over.
    """

    __slots__ = ("_connection", "_owner", "_unsent", "names")

    def __init__(
        self, transport: str, local: tuple[str, int], remote: tuple[str, int], connection: Connection
    ) -> None:
        super().__init__(transport, local, remote)
        self.names: tuple[str, ...] = ()
        self._owner = connection.owner
        self._connection: Connection | None = connection  # None once it is gone
        self._unsent: list[bytes] | None = []  # None once it is connected

    @property
    def certificate_names(self) -> tuple[str, ...]:
        """Whom the peer's verified certificate speaks for, in lower case (RFC 5922); empty without one."""
        return self.names

    @property
    def open(self) -> bool:
        """False once the connection is gone."""
        return self._connection is not None

    @property
    def bound(self) -> tuple[str, int]:
        """The address of the socket where connections of this kind are accepted."""
        return self._owner.local

    def send(self, data: bytes) -> None:
        """Send, or keep until connected.

        Raises OSError when it is gone or the peer doesn't read; a response then goes over another connection
        to where its request came from, if the peer can be connected to (18.2.2).
        """
        connection = self._connection
        if connection is None:
            self._owner.send_again(data, self)
        elif self._unsent is None:
            connection.send(data)
        else:
            if sum(map(len, self._unsent)) + len(data) > MAX_UNSENT_BYTES:
                raise BlockingIOError("too much to send before the connection is there")
            self._unsent.append(data)
            connection.begin()

    def expect_words(self, seconds: float) -> None:
        """See Flow."""
        if self._connection is not None:
            self._connection.expect_words(seconds)

    def toward(self, remote: tuple[str, int]) -> Flow:
        """A connection leads to one peer only: itself."""
        return self

    def connected(self) -> None:
        """The connection is there, handshakes and all."""
        unsent, self._unsent = self._unsent, None
        for data in unsent or ():
            self.send(data)

    def closed(self) -> None:
        """The connection is gone."""
        self._connection = None
        self._unsent = None


class Connections:
    """All connections of a node, of every transport, and how many each address has.

    admit: whether an address may connect at all, asked once for each connection.
    """

    def __init__(self, admit: Callable[[str], bool] = lambda address: True) -> None:
        self.admit = admit
        self._total = 0
        self._of_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._total

    def enter(self, address: str, *, ours: bool) -> bool:
        """Count a connection; False when it is one too many, or its address isn't welcome."""
        if not ours:
            local = address.startswith(_LOOPBACK)
            if self._total >= MAX_CONNECTIONS or not self.admit(address):
                return False
            if self._of_address[address] >= MAX_CONNECTIONS_OF_ONE_ADDRESS and not local:
                return False
        self._total += 1
        self._of_address[address] += 1
        return True

    def leave(self, address: str) -> None:
        """A connection is gone."""
        self._total -= 1
        self._of_address[address] -= 1
        if self._of_address[address] <= 0:
            del self._of_address[address]


class StreamTransport:
    """The connections of one kind that peers make to `listening`, and those that we make.

    transport: "TCP", "TLS", "WS" or "WSS" as in Via. server: our certificates, where peers connect by TLS; to
    be replaced at any time. family: where nothing listens.
    ca_file: who vouches for servers, None for the system's authorities.
    certificate: what we show to a server that asks. origins: of pages that may open a WebSocket besides those
    of its own host (RFC 6455 section 10.2).
    """

    def __init__(
        self,
        driver: Driver,
        listening: socket.socket | None = None,
        *,
        transport: str = "TCP",
        server: ServerContexts | None = None,
        ca_file: Path | None = None,
        certificate: Certificate | None = None,
        connections: Connections | None = None,
        family: socket.AddressFamily = socket.AF_INET,
        origins: frozenset[str] = frozenset(),
    ) -> None:
        self.driver = driver
        self.transport = transport
        self.secure = transport in {"TLS", "WSS"}
        self.connections = connections if connections is not None else Connections()
        self.server = server
        self.certificate = certificate
        self._ca_file = ca_file
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self.family = listening.family if listening is not None else family
        self.local: tuple[str, int] = ("::" if family == socket.AF_INET6 else "0.0.0.0", 0)  # noqa: S104
        if listening is not None:
            self.local = listening.getsockname()[:2]
        self.framing: Callable[[], Framing] = SipFraming
        if transport in {"WS", "WSS"}:
            from sip.net.websocket import WebSocketFraming  # 5 MB that a node without browsers does without

            self.framing = partial(WebSocketFraming, origins)
        self._server: asyncio.Server | None = None
        self._open: set[Connection] = set()
        self._by_remote: dict[tuple[tuple[str, int], PeerIdentity | None], Connection] = {}
        self._aliases: dict[
            tuple[str, int], Connection
        ] = {}  # RFC 5923: made by the peer, which proved a name
        self._connecting: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Accept connections."""
        if self._listening is not None:
            self._server = await self._loop.create_server(lambda: Connection(self), sock=self._listening)

    def address_changed(self) -> None:
        """Our external address is another one: peers are told so from their next message on."""
        for connection in self._open:
            flow = connection.flow
            flow.local = self.driver.address_toward(self.local, flow.remote)

    # Connections that we make

    def flow_to(self, remote: tuple[str, int], identity: PeerIdentity | None = None) -> Flow:
        """The connection to an address: the one there is (RFC 5923), or one made when something is sent.

        identity: who the peer must prove to be over TLS; None for its literal address. Raises OSError where
        none can be made: to a WebSocket client, to a name, beyond the bounds.
        """
        if self.secure:
            identity = identity or PeerIdentity(remote[0])
        else:
            identity = None
        known = self._known(remote, identity)
        if known is not None:
            return known.flow
        if self.transport in {"WS", "WSS"}:
            raise OSError("a WebSocket client connects by itself")  # RFC 7118 section 5.2.1
        if not is_address(remote[0]):
            raise OSError(f"{remote[0][:60]} is no address")
        if len(self._by_remote) >= MAX_CONNECTIONS:
            raise OSError("too many connections")
        connection = Connection(self, self.driver.address_toward(self.local, remote), remote, identity)
        self._by_remote[remote, identity] = connection
        return connection.flow

    def _known(self, remote: tuple[str, int], identity: PeerIdentity | None) -> Connection | None:
        """The open connection that leads there, whoever made it."""
        known = self._by_remote.get((remote, identity))
        if known is None and identity is not None:
            # RFC 5923 section 5: one that the peer made is only taken when its certificate proves the name.
            known = self._aliases.get(remote)
            if known is not None and not speaks_for(known.flow.names, identity.name):
                known = None
        return known if known is not None and known.flow.open else None

    def begin(self, connection: Connection) -> None:
        """Make a connection of ours."""
        task = self._loop.create_task(self._connect(connection, connection.flow))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: Connection, flow: StreamFlow) -> None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._loop.create_connection(lambda: connection, *flow.remote)
        except OSError as error:  # TimeoutError is one
            log.info("connecting to %s: %s", flow, str(error) or "timeout")
            self._forget(connection)
            flow.closed()
            self.driver.flow_failed(flow)

    def client_context(self, identity: PeerIdentity) -> ssl.SSLContext:
        """The TLS context towards a server. Raises CertificateError."""
        return client_context(identity.ca_file or self._ca_file, identity.verified, self.certificate)

    def send_again(self, data: bytes, gone: StreamFlow) -> None:
        """Send a response whose connection is gone to the address that it had, at the port of its Via.

        18.2.2; to nobody else, so that a Via with another's address reflects nothing.
        Raises OSError for a request, and where the peer can't be connected to.
        """
        if not data.startswith(b"SIP/2.0 "):
            raise ConnectionResetError("connection closed")
        response = parse_message(data)
        assert isinstance(response, Response)
        via = response.via
        remote = (gone.remote[0], via.port or DEFAULT_PORTS[self.transport])
        flow = self.flow_to(remote, PeerIdentity(via.host.strip("[]")))
        if flow is gone:
            raise ConnectionResetError("connection closed")
        flow.send(data)

    # From connections

    def opened(self, connection: Connection) -> None:
        """A connection is there and admitted."""
        self._open.add(connection)
        if not connection.ours:
            self._by_remote[connection.flow.remote, None] = connection

    def lost(self, connection: Connection) -> None:
        """A connection is gone."""
        self._open.discard(connection)
        self._forget(connection)
        self.driver.flow_failed(connection.flow)

    def _forget(self, connection: Connection) -> None:
        key = (connection.flow.remote, connection.identity)
        if self._by_remote.get(key) is connection:
            del self._by_remote[key]
        if connection.alias and self._aliases.get(connection.alias) is connection:
            del self._aliases[connection.alias]

    def received(self, frames: list[bytes | KeepAlive], connection: Connection, now: float) -> None:
        """Whole messages and keep-alives of one connection."""
        flow = connection.flow
        for frame in frames:
            if frame is KeepAlive.PING:
                flow.send(b"\r\n")  # RFC 5626 section 3.5.1
            elif isinstance(frame, bytes):
                if flow.names and not connection.ours and not connection.alias:
                    self._note_alias(frame, connection)
                self.driver.receive(frame, flow, now)
        self.driver.batch_over()

    def _note_alias(self, frame: bytes, connection: Connection) -> None:
        """Keep a connection whose peer takes requests over it too: `alias` in its Via (RFC 5923)."""
        try:
            via: Via = parse_message(frame).via
        except ParseError:
            return  # the stack answers it
        if "alias" in via.parameters:
            connection.alias = (connection.flow.remote[0], via.port or DEFAULT_PORTS[self.transport])
            self._aliases[connection.alias] = connection

    async def close(self) -> None:
        """Close every connection; one whose peer doesn't read is cut after CLOSE_SECONDS."""
        if self._server is not None:
            self._server.close()
        for task in list(self._connecting):
            task.cancel()
        for connection in list(self._open):
            connection.close()
        until = self._loop.time() + CLOSE_SECONDS
        await asyncio.sleep(0)
        while self._open and self._loop.time() < until:  # noqa: ASYNC110 (closing sockets give no event)
            await asyncio.sleep(0.01)
        for connection in list(self._open):
            connection.abort("the node stops")
        await asyncio.sleep(0)


class Connection(asyncio.Protocol):
    """One connection's bytes, made by a peer, or by us where `local` and `remote` are given."""

    __slots__ = (
        "_begun",
        "_framing",
        "_heard_at",
        "_idle_seconds",
        "_loop",
        "_message_since",
        "_opened_at",
        "_pinged_at",
        "_spoke",
        "_tls",
        "_transport",
        "_unread_since",
        "_watch",
        "alias",
        "flow",
        "identity",
        "ours",
        "owner",
    )

    def __init__(
        self,
        owner: StreamTransport,
        local: tuple[str, int] = ("", 0),
        remote: tuple[str, int] | None = None,
        identity: PeerIdentity | None = None,
    ) -> None:
        self.owner = owner
        self.ours = remote is not None
        self.identity = identity
        self.flow = StreamFlow(owner.transport, local, remote or ("", 0), self)
        self.alias: tuple[str, int] | None = None
        self._framing = owner.framing()
        self._tls: TlsSession | None = None
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._begun = False
        self._opened_at = 0.0
        self._heard_at = 0.0
        self._idle_seconds = IDLE_SECONDS
        self._pinged_at = 0.0
        self._message_since: float | None = None
        self._unread_since: float | None = None
        self._spoke = False

    # From the flow

    def begin(self) -> None:
        """Connect, once."""
        if self.ours and not self._begun:
            self._begun = True
            self.owner.begin(self)

    def expect_words(self, seconds: float) -> None:
        """Close it when nothing comes for longer than this."""
        if seconds != self._idle_seconds:
            self._idle_seconds = seconds
            self._look_again(seconds)

    def send(self, data: bytes) -> None:
        """Send one message. Raises OSError when the peer doesn't read."""
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("connection closed")
        if transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self.abort("the peer doesn't read")
            raise BlockingIOError("the peer doesn't read")
        self._write(self._framing.wrap(data))

    # From the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        assert isinstance(transport, asyncio.Transport)
        flow = self.flow
        _notice_half_open(transport.get_extra_info("socket"))
        own = transport.get_extra_info("sockname")[:2]
        if self.ours:
            # Via and Contact name the port that we listen on, not this connection's (RFC 5923 section 4).
            own = (own[0], self.owner.local[1] or own[1])
        else:
            flow.remote = transport.get_extra_info("peername")[:2]
        flow.local = self.owner.driver.address_toward(own, flow.remote)
        if not self.owner.connections.enter(flow.remote[0], ours=self.ours):
            log.warning("%s refused: too many connections, or not welcome", flow)
            transport.abort()
            return
        self._transport = transport
        self._opened_at = self._heard_at = self._loop.time()
        self.owner.opened(self)
        self._look_again(HANDSHAKE_SECONDS if self.ours else FIRST_MESSAGE_SECONDS)
        try:
            self._start_tls()
        except (OSError, ValueError, CertificateError) as error:  # ValueError: a name that can't be asked for
            self.abort(str(error))

    def _start_tls(self) -> None:
        if not self.owner.secure:
            self.flow.connected()
        elif self.identity is not None:
            # RFC 6066 section 3: the name asked for is a host name, never an address.
            name = self.identity.name.removeprefix("*.")
            self._tls = TlsSession(self.owner.client_context(self.identity), name)
            self._write_pending()
        elif self.owner.server is not None:
            self._tls = TlsSession(self.owner.server.default)
        else:
            self.abort("there is no certificate that could be shown")

    def data_received(self, data: bytes) -> None:
        """Some bytes of the stream."""
        now = self._loop.time()
        self._heard_at = now
        try:
            if self._tls is not None:
                data = self._decrypt(self._tls, data)
            frames = self._framing.feed(data) if data else []
            self._write_pending()
            if frames:
                self._spoke = True
                self._message_since = None
                self.owner.received(frames, self, now)
                self._framing.feed(b"")  # raises when what follows the last message isn't SIP
        except (ParseError, OSError) as error:
            with suppress(OSError):
                self._write_pending()  # an alert, or why a WebSocket ends
            self.abort(str(error))
            return
        if self._framing.ended or (self._tls is not None and self._tls.ended):
            self.close()
        elif not self._framing.pending:
            self._message_since = None
        elif self._message_since is None:
            self._message_since = now
            self._look_again(WHOLE_MESSAGE_SECONDS)

    def _decrypt(self, tls: TlsSession, data: bytes) -> bytes:
        """What the peer says; a handshake that ends says who it is. Raises OSError."""
        established = tls.established
        data = tls.receive(data)
        if tls.established and not established:
            flow, identity = self.flow, self.identity
            flow.names = tls.identities()
            if identity is not None and identity.verified and not speaks_for(flow.names, identity.name):
                raise ConnectionAbortedError(f"the peer isn't {identity.name}: {flow.names}")
            self._write_pending()
            flow.connected()
        return data

    def pause_writing(self) -> None:
        """The peer leaves unread what we send."""
        self._unread_since = self._loop.time()
        self._look_again(UNREAD_SECONDS)

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._unread_since = None

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self._watch is not None:
            self._watch.cancel()
        self.flow.closed()
        if self._transport is not None:
            self._transport = None
            self.owner.connections.leave(self.flow.remote[0])
            self.owner.lost(self)

    # Bounds

    def _look_again(self, seconds: float) -> None:
        """Look at the bounds in `seconds`, or sooner where that was said before."""
        when = self._loop.time() + seconds
        if self._watch is not None:
            if self._watch.when() <= when:
                return
            self._watch.cancel()
        self._watch = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        """Cut a peer that breaks a bound; look again when the next one could be broken."""
        self._watch = None
        now = self._loop.time()
        first = HANDSHAKE_SECONDS if self.ours else FIRST_MESSAGE_SECONDS
        waiting = self._tls is not None and not self._tls.established if self.ours else not self._spoke
        bounds = (
            ("silent from the start", self._opened_at if waiting else None, first),
            ("slow message", self._message_since, WHOLE_MESSAGE_SECONDS),
            ("the peer doesn't read", self._unread_since, UNREAD_SECONDS),
            ("silent", self._heard_at, self._idle_seconds),
        )
        for why, since, seconds in bounds:
            if since is not None and now - since >= seconds:
                self.abort(why)
                return
        soonest = min(since + seconds - now for _, since, seconds in bounds if since is not None)
        if self.owner.transport in {"WS", "WSS"}:
            soonest = min(soonest, self._ping(now))
        self._look_again(soonest)

    def _ping(self, now: float) -> float:
        """Ask a silent browser whether it is there (RFC 7118 section 6); returns the seconds until the next.

        Its pong is heard: a browser sends it by itself, in a hidden tab too.
        """
        silent_seconds = now - max(self._heard_at, self._pinged_at)
        if silent_seconds < PING_SECONDS:
            return PING_SECONDS - silent_seconds
        self._pinged_at = now
        if (
            self._transport is not None
            and not self._transport.is_closing()
            and (data := self._framing.ping())
        ):
            self._write(data)
        return PING_SECONDS

    # Writing and closing

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(self._tls.wrap(data) if self._tls is not None else data)

    def _write_pending(self) -> None:
        """Send what the layers themselves have to say."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            raise BlockingIOError("the peer doesn't read")
        if self._tls is not None and (data := self._tls.to_send()):
            transport.write(data)
        if data := self._framing.to_send():
            self._write(data)

    def close(self) -> None:
        """Say goodbye, and close when all is sent."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if (self._tls is None or self._tls.established) and (data := self._framing.farewell()):
            self._write(data)
        if self._tls is not None and (data := self._tls.farewell()):
            transport.write(data)
        transport.close()
        self._unread_since = self._loop.time()  # until it has read the rest
        self._look_again(UNREAD_SECONDS)

    def abort(self, why: str) -> None:
        """Close at once."""
        log.info("closing %s: %s", self.flow, why)
        if self._transport is not None:
            self._transport.abort()


def _notice_half_open(connected: socket.socket) -> None:
    """Have the system find out that a peer is gone without a word, tcp(7)."""
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, HALF_OPEN_SECONDS)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_SECONDS)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
