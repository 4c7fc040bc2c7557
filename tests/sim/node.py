"""A SIP stack on the virtual network: what sip/net does with sockets, done with virtual endpoints.

datagram or stream ──> stack.receive ──┐
the stack's next deadline ──> stack.fire ──> settle: send the outbox, set the timer
whoever used the stack ──> settle ─────┘
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sip.core.errors import ParseError
from sip.core.flow import Flow
from sip.core.parser import KeepAlive, StreamParser
from sip.core.stack import Stack
from tests.sim.network import Address, Host, StreamFlow

T = TypeVar("T")


class Node:
    """One stack at one host's SIP port, over UDP and TCP, until close()."""

    def __init__(self, host: Host, stack: Stack, *, port: int = 5060) -> None:
        self.host = host
        self.stack = stack
        self._loop = host.network.loop
        self._endpoint = host.bind(port, self._datagram)
        self._listener = host.listen(port, self._accept)
        self._streams: set[StreamFlow] = set()
        self._timer: asyncio.TimerHandle | None = None

    def flow(self, remote: Address) -> Flow:
        """The UDP flow to an address."""
        return self._endpoint.flow(remote)

    async def connect(self, remote: Address) -> Flow:
        """A TCP flow to an address; raises OSError."""
        stream = await self.host.connect(remote, _before_accept, self._stream_closed)
        self._accept(stream)
        return stream

    def act(self, action: Callable[[float], T]) -> T:
        """Let something use the stack at the present instant, and send what it left to be sent."""
        result = action(self._loop.time())
        self.settle()
        return result

    def settle(self) -> None:
        """Send the outbox and set the timer; after every use of the stack."""
        outbox = self.stack.outbox
        while outbox:
            flow, data = outbox.pop(0)
            try:
                flow.send(data)
            except OSError:
                self.stack.flow_failed(flow, self._loop.time())
        deadline = self.stack.next_deadline()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._fire) if deadline is not None else None

    def close(self) -> None:
        """Close the ports and streams and stop the timer; the stack is left as it is."""
        self._endpoint.close()
        self._listener.close()
        for stream in list(self._streams):
            stream.close()
        if self._timer is not None:
            self._timer.cancel()

    def inventory(self) -> dict[str, int]:
        """The stack's counts."""
        return self.stack.inventory()

    def _fire(self) -> None:
        self.stack.fire(self._loop.time())
        self.settle()

    def _datagram(self, data: bytes, flow: Flow) -> None:
        if data.strip(b"\r\n\x00"):  # keep-alives of NAT bindings carry nothing
            self.stack.receive(data, flow, self._loop.time())
            self.settle()

    def _accept(self, stream: StreamFlow) -> None:
        parser = StreamParser()

        def receive(data: bytes, flow: Flow) -> None:
            try:
                frames = parser.feed(data)
            except ParseError:
                self._stream_closed(flow)
                stream.close()
                return
            for frame in frames:
                if frame is KeepAlive.PING:
                    flow.send(b"\r\n")  # RFC 5626 section 4.4.1
                elif isinstance(frame, bytes):
                    self.stack.receive(frame, flow, self._loop.time())
            self.settle()

        stream.receive, stream.closed = receive, self._stream_closed
        self._streams.add(stream)

    def _stream_closed(self, flow: Flow) -> None:
        assert isinstance(flow, StreamFlow)
        self._streams.discard(flow)
        self.stack.flow_failed(flow, self._loop.time())
        self.settle()


def _before_accept(data: bytes, flow: Flow) -> None:
    raise AssertionError("the receiver is set before the first byte")
