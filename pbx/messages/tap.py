"""Signalling's end: every SIP message that crosses the driver is taken, and passed on to who writes it down.

    driver ── append to a list ──> Tap ── a few at a time ──> socket ──> Scribe, in the worker

It lies on the way of every call, so it looks at nothing: what is kept, and what of it is secret, the Scribe
finds out before anything comes to a disk. While nobody reads the socket, a bounded part waits; beyond that
messages are lost, and no call waits for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeAlias

import msgspec

from sip.core.flow import Flow, host_port
from sip.net.driver import Driver

log = logging.getLogger(__name__)

Crossed: TypeAlias = tuple[float, Flow, bytes] | tuple[float, list[tuple[Flow, bytes]]]
"""One that was received, or those that were sent together; with the loop's time."""

BATCH = 64  # entries of the list between two turns of the loop
PASS_ON_SECONDS = 0.2
MOST_BATCH_BYTES = 96 * 1024  # the system's usual socket takes twice as much
MOST_WAITING_BYTES = 16 << 20
MOST_PATHS = 4096


class Sender(Protocol):
    """The end of a socket: a batch is taken whole, or OSError is raised."""

    def send(self, data: bytes, /) -> int:
        """Give a batch."""


class Tap:
    """What crosses one driver, on its way to the Scribe.

    clock: Unix seconds; now: the loop's. lost: how many bytes nobody took.
    """

    def __init__(self, end: Sender, clock: Callable[[], float], now: Callable[[], float]) -> None:
        self.lost_bytes = 0
        self._send = end.send
        self._clock = clock
        self._now = now
        self._crossed: list[Crossed] = []
        self.crossed = self._crossed.append  # what the driver calls: nothing of ours is between
        self._paths: dict[Flow, str] = {}
        self._encoder = msgspec.msgpack.Encoder(enc_hook=self._path)
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0

    def __len__(self) -> int:
        return len(self._crossed)

    def attach(self, driver: Driver) -> None:
        """Take all that crosses a driver from now on."""
        driver.on_received = driver.on_sent = self.crossed

    async def run(self) -> None:
        """Pass on what has crossed, for ever; a busy node's in small parts, so that no call waits.

        Parts of one or two, at every turn of the loop, would cost both processes more than what is in them.
        """
        while True:
            self.pass_on(BATCH)
            await asyncio.sleep(0 if len(self._crossed) >= BATCH else PASS_ON_SECONDS)

    def pass_on(self, most: int = 1 << 30) -> None:
        """Pass on the oldest `most` entries, after those that wait."""
        crossed = self._crossed[:most]
        if crossed or self._waiting:
            del self._crossed[:most]
            self._encode(self._clock() - self._now(), crossed)

    def _encode(self, since: float, crossed: list[Crossed]) -> None:
        """One batch, or several where it would be too large. since: what the loop's time is counted from."""
        batch = self._encoder.encode((since, crossed)) if crossed else b""
        if len(batch) > MOST_BATCH_BYTES and len(crossed) > 1:
            half = len(crossed) // 2
            self._encode(since, crossed[:half])
            self._encode(since, crossed[half:])
        else:
            self._give(batch)

    def _path(self, flow: Flow) -> str:
        """What a flow is written as: `UDP 10.54.0.10:5060 192.0.2.1:5060`."""
        path = self._paths.get(flow)
        if path is None:
            if len(self._paths) >= MOST_PATHS:
                self._paths.clear()
            path = f"{flow.transport} {host_port(flow.local)} {host_port(flow.remote)}"
            self._paths[flow] = path
        return path

    def _give(self, batch: bytes) -> None:
        """Give a batch, after those that wait; one more waits where the socket is full."""
        if batch:
            self._waiting.append(batch)
            self._waiting_bytes += len(batch)
        try:
            while self._waiting:
                self._send(self._waiting[0])
                self._waiting_bytes -= len(self._waiting.popleft())
        except OSError as error:  # full, or larger than the system takes
            if not isinstance(error, BlockingIOError):
                self._drop(error.strerror or str(error))
        while self._waiting_bytes > MOST_WAITING_BYTES:
            self._drop("nobody takes them")

    def _drop(self, why: str) -> None:
        dropped = len(self._waiting.popleft())
        self._waiting_bytes -= dropped
        before, self.lost_bytes = self.lost_bytes, self.lost_bytes + dropped
        if before.bit_length() != self.lost_bytes.bit_length():  # not a line for each batch
            log.error("messages of calls are lost: %s; bytes=%d", why, self.lost_bytes)
