"""The web process's connections: slow clients, nonsense, and the end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pbx.web import connections
from pbx.web.application import application
from pbx.web.connections import Listening
from tests.web.office import Office


@asynccontextmanager
async def listening(app: Any) -> AsyncIterator[tuple[str, int]]:
    """A web server on a port of loopback that the kernel chose."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    bound.listen()
    serving = Listening(app, [(bound, False)])
    await serving.start()
    try:
        yield bound.getsockname()
    finally:
        await serving.stop()


async def said_to(address: tuple[str, int], *pieces: bytes) -> bytes:
    """What a server says until it closes the connection, to these pieces."""
    reader, writer = await asyncio.open_connection(*address)
    for piece in pieces:
        writer.write(piece)
    async with asyncio.timeout(45):
        answer = await reader.read()
    writer.close()
    return answer


async def test_who_never_ends_their_headers_is_let_go_of(node: Office, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.05)
    async with listening(application(node)) as address:
        assert await said_to(address, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ") == b""


async def test_who_says_nothing_at_all_is_let_go_of(node: Office, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.05)
    async with listening(application(node)) as address:
        assert await said_to(address) == b""


async def test_headers_that_are_too_large_are_refused(node: Office):
    async with listening(application(node)) as address:
        many = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-Y: " + b"x" * 40_000
        assert (await said_to(address, many)).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("nonsense", [b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"\r\n" * 5 + b"\x00"])
async def test_what_is_no_http_is_refused(node: Office, nonsense: bytes):
    async with listening(application(node)) as address:
        answer = await said_to(address, nonsense)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


async def test_what_is_being_answered_is_answered_before_the_end():
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        await may_end.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    async with listening(slow) as address:
        asking = asyncio.get_running_loop().create_task(
            said_to(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        )
        await begun.wait()
        asyncio.get_running_loop().call_soon(may_end.set)
    assert b"done" in await asking
