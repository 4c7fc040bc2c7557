"""UDP on a raw socket: a bounded drain loop under `add_reader` (RFC 3261 section 18).

An asyncio DatagramProtocol costs four times as much a datagram and loses a third of them under load.

                     the batch was full, so that more waits in the socket
       IN ORDER --------------------------------------------------------> PRESSED
          ^                                                                  |
          '-------- the socket is empty, and nobody waits any more ----------'

While pressed, datagrams are taken out of the socket faster than they could be understood: those of sources
that the owner knows are delivered at once, those of strangers wait, a few have their turn each time, and the
oldest of too many are dropped. A flood so delays a telephone by a few milliseconds, from its first second on.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from contextlib import suppress

from sip.core.flow import Flow
from sip.net.driver import Driver
from sip.net.stun import HIGHEST_FIRST_BYTE, StunServer

BATCH_DATAGRAMS = 64  # then timers and tasks have their turn
PRESSED_DATAGRAMS = 256  # as many are looked at while pressed: by their source, which costs little
STRANGERS_DATAGRAMS = 16  # of those that wait, while pressed
MOST_WAITING = 1024
MAX_FLOWS = 65_536
BUFFER_BYTES = 4 << 20
KEEP_ALIVE_BYTES = 4


class UdpFlow(Flow):
    """A peer of one of our sockets.

    large: the connection that takes requests too large for a datagram, where the owner gives one.
    large_since: when it was given, in seconds of the loop.
    """

    __slots__ = ("_address", "_transport", "large", "large_since")
    large: Flow | None

    def __init__(self, transport: UdpTransport, local: tuple[str, int], address: tuple[str, int]) -> None:
        super().__init__("UDP", local, (address[0], address[1]))
        self._transport = transport
        self._address = address  # with flow label and scope for IPv6
        self.large = None
        self.large_since = 0.0

    def send(self, data: bytes) -> None:
        """Send one datagram; a full socket buffer drops it, as the network may (retransmission mends it)."""
        self._transport.send(data, self._address)

    @property
    def bound(self) -> tuple[str, int]:
        """The socket's address."""
        return self._transport.local

    def toward(self, remote: tuple[str, int]) -> Flow:
        """The flow of the same socket to another address."""
        return self._transport.flow_to(remote)


class UdpTransport:
    """One bound, non-blocking socket on a loop."""

    def __init__(self, driver: Driver, bound: socket.socket) -> None:
        bound.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            bound.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
        self._driver = driver
        self._socket = bound
        self._receive = bound.recvfrom
        self._send = bound.sendto
        self._stun = StunServer()
        self._flows: dict[tuple[str, int], UdpFlow] = {}
        self._pressed = False
        self._turn_comes = False
        self._waiting: deque[tuple[bytes, tuple[str, int]]] = deque(maxlen=MOST_WAITING)
        self.local: tuple[str, int] = bound.getsockname()[:2]
        self.family = bound.family
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(bound.fileno(), self._readable)

    def flow_to(self, remote: tuple[str, int]) -> UdpFlow:
        """The flow to an address; always the same one for the same address while it is known."""
        flow = self._flows.get(remote)
        if flow is None:
            if len(self._flows) >= MAX_FLOWS:
                self._flows.clear()
            local = self._driver.address_toward(self.local, remote)
            flow = self._flows[remote] = UdpFlow(self, local, remote)
        return flow

    def address_changed(self) -> None:
        """Our external address is another one: peers are told so from their next message on."""
        for flow in self._flows.values():
            flow.local = self._driver.address_toward(self.local, flow.remote)

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        """Send one datagram. Raises OSError where it can never arrive (too long, no route)."""
        try:
            self._send(data, address)
        except (BlockingIOError, ConnectionRefusedError):
            self._driver.core.stack.counts["datagram dropped"] += 1

    def _readable(self) -> None:
        now = self._loop.time()
        if self._pressed:
            self._read_by_source(now)
            return
        receive, flows, deliver = self._receive, self._flows, self._driver.receive
        for _ in range(BATCH_DATAGRAMS):
            try:
                data, address = receive(65_535)
            except BlockingIOError:
                break
            except OSError:
                continue  # an ICMP error of an earlier datagram
            if len(data) <= KEEP_ALIVE_BYTES:
                continue  # RFC 5626 section 3.5.1 CRLF, and the single zero byte that some phones send
            if data[0] <= HIGHEST_FIRST_BYTE:
                self._stun_received(data, address, now)
                continue
            deliver(data, flows.get(address) or self.flow_to(address), now)
        else:
            self._pressed = True
        self._driver.batch_over()

    def _read_by_source(self, now: float) -> None:
        """While pressed: those whom the owner knows first, then a few of the others."""
        driver, waiting = self._driver, self._waiting
        empty = False
        known = 0
        for _ in range(PRESSED_DATAGRAMS):
            try:
                data, address = self._receive(65_535)
            except BlockingIOError:
                empty = True
                break
            except OSError:
                continue
            if len(data) > KEEP_ALIVE_BYTES and driver.admits(address[0], now):
                if driver.knows(address[0]):
                    self._deliver(data, address, now)
                    known += 1
                    if known == BATCH_DATAGRAMS:
                        break
                else:
                    waiting.append((data, address))
        driver.flush()
        for _ in range(min(len(waiting), STRANGERS_DATAGRAMS)):
            self._deliver(*waiting.popleft(), now)
        driver.batch_over()
        self._pressed = bool(waiting) or not empty
        if waiting and empty and not self._turn_comes:
            self._turn_comes = True  # an empty socket calls nobody
            self._loop.call_soon(self._serve_waiting)

    def _serve_waiting(self) -> None:
        self._turn_comes = False
        if self._waiting and self._socket.fileno() >= 0:
            self._read_by_source(self._loop.time())

    def _deliver(self, data: bytes, address: tuple[str, int], now: float) -> None:
        if data[0] <= HIGHEST_FIRST_BYTE:
            self._stun_received(data, address, now)
        else:
            flow = self._flows.get(address) or self.flow_to(address)
            self._driver.receive(data, flow, now, admitted=True)

    def _stun_received(self, data: bytes, address: tuple[str, int], now: float) -> None:
        """Tell a telephone where it is seen (RFC 5626 section 4.4.2)."""
        answer = self._stun.answer(data, address, now)
        if answer:
            with suppress(OSError):
                self.send(answer, address)

    def close(self) -> None:
        """Stop reading; the socket itself is the supervisor's."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
