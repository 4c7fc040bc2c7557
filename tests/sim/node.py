"""Beffroi's SIP core on the virtual network: the real driver, with virtual endpoints where the sockets were.

datagram or stream ──> Driver.receive ──> flush: the outbox leaves, the timer is set
"""

from __future__ import annotations

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
        self._listener = host.listen(port, self._accept)
        self._streams: set[StreamFlow] = set()

    def flow(self, remote: Address) -> Flow:
        """The UDP flow to an address."""
        return self._endpoint.flow(remote)

    async def connect(self, remote: Address) -> Flow:
        """A TCP flow to an address; raises OSError."""
        stream = await self.host.connect(remote, _before_accept, self._stream_closed)
        self._accept(stream)
        return stream

    def act(self, action: Callable[[float], T]) -> T:
        """Let something use the core at the present instant, and send what it left to be sent."""
        result = action(self.driver.now)
        self.driver.flush()
        return result

    def close(self) -> None:
        """Close the driver, the ports and the streams."""
        self.driver.close()
        self._endpoint.close()
        self._listener.close()
        for stream in list(self._streams):
            stream.close()

    def inventory(self) -> dict[str, int]:
        """The core's counts, and the errors of ours that the driver caught."""
        core = self.driver.core
        return {**core.inventory(), "internal errors": core.stack.counts["internal error"]}

    def _datagram(self, data: bytes, flow: Flow) -> None:
        if data.strip(b"\r\n\x00"):  # keep-alives of NAT bindings carry nothing
            self.driver.receive(data, flow, self.driver.now)
            self.driver.flush()

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
            self.driver.flush()

        stream.receive, stream.closed = receive, self._stream_closed
        self._streams.add(stream)

    def _stream_closed(self, flow: Flow) -> None:
        assert isinstance(flow, StreamFlow)
        self._streams.discard(flow)
        self.driver.flow_failed(flow)


def _before_accept(data: bytes, flow: Flow) -> None:
    raise AssertionError("the receiver is set before the first byte")
