"""Browsers and programs as a load, in a process of their own: bytes on sockets, and little Python.

    python -m benches.web_client reads   PORT SECONDS CONNECTIONS PATH     the tokens on standard input
    python -m benches.web_client sockets PORT SECONDS SOCKETS KINDS        the tokens on standard input

What was seen is printed as JSON. Only loopback is ever asked.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import sys
import time
from datetime import datetime
from functools import partial
from typing import Any

HOST = "127.0.0.1"
SAMPLE = 50  # sockets whose delays are measured
_UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class Reader(asyncio.Protocol):
    """One connection that asks the same again as soon as it is answered."""

    def __init__(self, request: bytes, until: float) -> None:
        self.answered = 0
        self.wrong = 0
        self.delays_ms: list[float] = []
        self.ended = asyncio.get_running_loop().create_future()
        self._request = request
        self._until = until
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._asked_at = time.monotonic()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = _LENGTH.search(head + b"\r\n")
        if length is None or len(body) < int(length[1]):
            return
        self._buffer = b""
        now = time.monotonic()
        self.answered += 1
        self.wrong += b" 200 " not in head[:16]
        self.delays_ms.append(1000 * (now - self._asked_at))
        if now < self._until:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


class Follower(asyncio.Protocol):
    """One event socket. lines: how many events it was told."""

    def __init__(self, request: bytes, *, is_sample: bool) -> None:
        self.opened = asyncio.get_running_loop().create_future()
        self.lines = 0
        self.delays_ms: list[float] = []
        self._request = request
        self._is_sample = is_sample
        self._buffer = b""
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open:
            head, found, self._buffer = self._buffer.partition(b"\r\n\r\n")
            if not found:
                self._buffer = head
                return
            self._is_open = True
            self.opened.set_result(head.startswith(b"HTTP/1.1 101"))
        while (frame := self._frame()) is not None:
            self._told(*frame)

    def _frame(self) -> tuple[int, bytes] | None:
        """RFC 6455 section 5.2, of a server: never masked; None while it isn't whole."""
        if len(self._buffer) < 2:
            return None
        length, start = self._buffer[1] & 0x7F, 2
        if length >= 126:
            size = 2 if length == 126 else 8
            if len(self._buffer) < 2 + size:
                return None
            start = 2 + size
            length = int.from_bytes(self._buffer[2:start], "big")
        if len(self._buffer) < start + length:
            return None
        frame = self._buffer[0] & 0x0F, self._buffer[start : start + length]
        self._buffer = self._buffer[start + length :]
        return frame

    def _told(self, opcode: int, payload: bytes) -> None:
        if opcode == 0x9:  # ping: a pong is masked, as all that a client sends
            self._transport.write(bytes([0x8A, 0x80 | len(payload)]) + bytes(4) + payload)
        if opcode != 0x1:
            return
        if not self._is_sample:
            self.lines += payload.count(b'"call"')
            return
        now = time.time()
        for line in payload.splitlines():
            event = json.loads(line)
            if "call" in event:
                self.lines += 1
                self.delays_ms.append(1000 * (now - datetime.fromisoformat(event["at"]).timestamp()))

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_result(False)

    def close(self) -> None:
        self._transport.abort()


async def reads(port: int, seconds: float, connections: int, path: str, tokens: list[str]) -> dict[str, Any]:
    """Ask for a path over so many connections, each at once again. Delays are of single requests."""
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    readers = []
    for number in range(connections):
        request = _request(port, path, tokens[number % len(tokens)])
        reader = Reader(request, began + seconds)
        await loop.create_connection(partial(_given, reader), HOST, port)
        readers.append(reader)
    await asyncio.wait([reader.ended for reader in readers], timeout=seconds + 10)
    lasted = time.monotonic() - began
    delays = sorted(delay for reader in readers for delay in reader.delays_ms)
    answered = sum(reader.answered for reader in readers)
    return {
        "answered": answered,
        "wrong": sum(reader.wrong for reader in readers),
        "per_second": answered / lasted,
        "p99_ms": _p99(delays),
    }


async def sockets(port: int, seconds: float, count: int, kinds: str, tokens: list[str]) -> dict[str, Any]:
    """Follow events on so many sockets; `open` is printed when all of them are."""
    loop = asyncio.get_running_loop()
    followers: list[Follower] = []
    for number in range(count):
        key = base64.b64encode(os.urandom(16)).decode()
        upgrade = f"{_UPGRADE}Sec-WebSocket-Key: {key}\r\n"
        request = _request(port, f"/api/v1/events?kinds={kinds}", tokens[number % len(tokens)], upgrade)
        made = Follower(request, is_sample=number < SAMPLE)
        await loop.create_connection(partial(_given, made), HOST, port)
        followers.append(made)
    opened = sum(await asyncio.gather(*(follower.opened for follower in followers)))
    print(json.dumps({"open": opened}), flush=True)
    await asyncio.sleep(seconds)
    lines = [follower.lines for follower in followers]
    delays = sorted(delay for follower in followers for delay in follower.delays_ms)
    for follower in followers:
        follower.close()
    most = max(lines, default=0)
    return {
        "open": opened,
        "told": most,
        "told_all": sum(count == most for count in lines) if most else 0,
        "p99_ms": _p99(delays),
    }


def _given(made: asyncio.Protocol) -> asyncio.Protocol:
    return made


def _request(port: int, path: str, token: str, more: str = "") -> bytes:
    head = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nAuthorization: Bearer {token}\r\n{more}\r\n"
    return head.encode()


def _p99(delays: list[float]) -> float | None:
    return delays[int(0.99 * (len(delays) - 1))] if delays else None


def main() -> None:
    what, port, seconds, count, asked = sys.argv[1:]
    tokens = sys.stdin.read().split()
    work = {"reads": reads, "sockets": sockets}[what]
    print(json.dumps(asyncio.run(work(int(port), float(seconds), int(count), asked, tokens))), flush=True)


if __name__ == "__main__":
    main()
