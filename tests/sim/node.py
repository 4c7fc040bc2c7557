"""Beffroi's SIP core on the virtual network: the real driver, with virtual endpoints where the sockets were.

datagram or stream ──> Driver.receive ──> flush: the outbox leaves, the timer is set
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sip.core.errors import ParseError
from sip.core.flow import Flow
from sip.core.parser import KeepAlive, StreamParser
from sip.net.driver import Driver
from tests.sim.network import Address, Host, StreamFlow

T = TypeVar("T")


class Node:
    """One driver at one host's SIP port, over UDP and TCP, until close()."""

    def __init__(self, host: Host, driver: Driver, *, port: int = 5060) -> None:
        self.host = host
        self.driver = driver
        self._endpoint = host.bind(port, self._datagram)
        self._listeners = [host.listen(port, self._accept)]
        self._streams: set[StreamFlow] = set()
        self._later: dict[tuple[str, Address], _LaterFlow] = {}
        self._joining: set[asyncio.Task[None]] = set()

    def listen(self, port: int, transport: str) -> None:
        """Accept streams of another transport too."""
        self._listeners.append(self.host.listen(port, self._accept, transport))

    def flow(self, remote: Address) -> Flow:
        """The UDP flow to an address."""
        return self._endpoint.flow(remote)

    async def connect(self, remote: Address) -> Flow:
        """A TCP flow to an address; raises OSError."""
        stream = await self.host.connect(remote, _before_accept, self._stream_closed)
        self._accept(stream)
        return stream

    def flow_later(self, transport: str, remote: Address, *, refused: bool = False) -> Flow:
        """A stream to an address, made when something is first sent over it; the same one while it is open.

        refused: it never comes about, as where a certificate has another name.
        """
        known = self._later.get((transport, remote))
        if known is None or not known.open:
            known = self._later[transport, remote] = _LaterFlow(self, transport, remote, refused)
        return known

    async def join(self, later: _LaterFlow) -> StreamFlow:
        """Open the stream of a flow made before; raises OSError."""

        def closed(flow: Flow) -> None:
            self._stream_closed(flow)
            later.is_open = False
            self.driver.flow_failed(later)

        if later.refused:
            raise ConnectionAbortedError("the peer isn't who it should be")
        stream = await self.host.connect(later.remote, _before_accept, closed, later.transport)
        self._accept(stream)
        stream.closed = closed
        return stream

    def start_joining(self, later: _LaterFlow) -> None:
        """Open a stream in the background."""
        task = self.host.network.loop.create_task(later.join())
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    def act(self, action: Callable[[float], T]) -> T:
        """Let something use the core at the present instant, and send what it left to be sent."""
        result = action(self.driver.now)
        self.driver.flush()
        return result

    def close(self) -> None:
        """Close the driver, the ports and the streams."""
        self.driver.close()
        self._endpoint.close()
        for listener in self._listeners:
            listener.close()
        for stream in list(self._streams):
            stream.close()

    def inventory(self) -> dict[str, int]:
        """The core's counts, and the errors of ours that the driver caught."""
        core = self.driver.core
        return {**core.inventory(), "internal errors": core.stack.counts["internal error"]}

    def _datagram(self, data: bytes, flow: Flow) -> None:
        if data.strip(b"\r\n\x00"):  # keep-alives of NAT bindings carry nothing
            self.driver.receive(data, flow, self.driver.now)
            self.driver.batch_over()

    def _accept(self, stream: StreamFlow) -> None:
        parser = StreamParser()

        def receive(data: bytes, flow: Flow) -> None:
            try:
                frames = parser.feed(data)
            except ParseError:
                stream.close()
                self._stream_closed(flow)
                return
            for frame in frames:
                if frame is KeepAlive.PING:
                    flow.send(b"\r\n")  # RFC 5626 section 4.4.1
                elif isinstance(frame, bytes):
                    self.driver.receive(frame, flow, self.driver.now)
            self.driver.batch_over()

        stream.receive, stream.closed = receive, self._stream_closed
        self._streams.add(stream)

    def _stream_closed(self, flow: Flow) -> None:
        assert isinstance(flow, StreamFlow)
        self._streams.discard(flow)
        self.driver.flow_failed(flow)


class _LaterFlow(Flow):
    """A flow to a peer over a stream that isn't there yet."""

    __slots__ = ("_node", "_stream", "_unsent", "is_open", "refused")

    def __init__(self, node: Node, transport: str, remote: Address, refused: bool) -> None:
        super().__init__(transport, (node.host.address, 5061 if transport == "TLS" else 5060), remote)
        self.refused = refused
        self.is_open = True
        self._node = node
        self._stream: StreamFlow | None = None
        self._unsent: list[bytes] = []

    @property
    def open(self) -> bool:
        return self.is_open

    def send(self, data: bytes) -> None:
        if self._stream is not None:
            self._stream.send(data)
            return
        self._unsent.append(data)
        if len(self._unsent) == 1:
            self._node.start_joining(self)

    async def join(self) -> None:
        """Connect and send what waits."""
        try:
            stream = self._stream = await self._node.join(self)
            for data in self._unsent:
                stream.send(data)
        except OSError:
            self.is_open = False
            self._node.driver.flow_failed(self)
        self._unsent.clear()


def _before_accept(data: bytes, flow: Flow) -> None:
    raise AssertionError("the receiver is set before the first byte")
