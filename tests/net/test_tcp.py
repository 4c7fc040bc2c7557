"""TCP on real loopback sockets: framing, keep-alives, and bounds on what a peer may hold (RFC 3261 18.3)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from sip.net import stream
from sip.net.driver import Driver
from sip.net.stream import StreamTransport
from tests.net.test_udp import PATIENCE_SECONDS, Answering


def options(number: int) -> bytes:
    return (
        f"OPTIONS sip:beffroi SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK{number}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:test@example>;tag=t{number}\r\nTo: <sip:beffroi>\r\n"
        f"Call-ID: {number}@test\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    ).encode()


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[StreamTransport, Answering, tuple[str, int]]]:
    application = Answering()
    driver = Driver(application.core)
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.bind(("127.0.0.1", 0))
    bound.listen(64)
    address = bound.getsockname()
    transport = StreamTransport(driver, bound)
    await transport.start()
    try:
        yield transport, application, address
    finally:
        await transport.close()
        driver.close()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(
    address: tuple[str, int],
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await reader.readuntil(b"\r\n\r\n")


async def until(condition: Callable[[], bool]) -> None:
    """Return when the condition holds; a closing socket gives this side no event to wait for."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def closed(reader: asyncio.StreamReader) -> bool:
    """True when the other side closed the connection, without a word."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        try:
            return await reader.read() == b""
        except ConnectionResetError:
            return True


async def test_a_request_cut_anywhere_is_answered():
    async with listening() as (_, _, address), connected(address) as (reader, writer):
        for piece in range(0, len(options(1)), 50):
            writer.write(options(1)[piece : piece + 50])
            await writer.drain()
            await asyncio.sleep(0)
        assert (await answer(reader)).startswith(b"SIP/2.0 200 ")


async def test_two_requests_in_one_segment_are_both_answered():
    async with listening() as (_, _, address), connected(address) as (reader, writer):
        writer.write(options(1) + options(2))
        first, second = await answer(reader), await answer(reader)
    assert b"z9hG4bK1" in first
    assert b"z9hG4bK2" in second


async def test_a_ping_gets_its_pong():
    """RFC 5626 section 3.5.1."""
    async with listening() as (_, _, address), connected(address) as (reader, writer):
        writer.write(b"\r\n\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await reader.readexactly(2) == b"\r\n"


async def test_a_stream_that_is_not_sip_is_closed():
    async with listening() as (_, _, address), connected(address) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: beffroi\r\n\r\n")
        assert await closed(reader)


async def test_garbage_after_a_good_message_is_closed_at_once():
    async with listening() as (_, _, address), connected(address) as (reader, writer):
        writer.write(options(1) + b"GET / HTTP/1.1\r\n\r\n")
        assert (await answer(reader)).startswith(b"SIP/2.0 200 ")
        assert await closed(reader)


async def test_a_peer_that_says_nothing_is_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "FIRST_MESSAGE_SECONDS", 0.05)
    async with listening() as (_, _, address), connected(address) as (reader, _):
        assert await closed(reader)


async def test_a_message_that_never_ends_is_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "WHOLE_MESSAGE_SECONDS", 0.05)
    async with listening() as (_, _, address), connected(address) as (reader, writer):
        writer.write(options(1)[:40])
        assert await closed(reader)


async def test_headers_without_end_are_closed():
    async with listening() as (_, _, address), connected(address) as (reader, writer):
        writer.write(b"OPTIONS sip:beffroi SIP/2.0\r\n" + b"X: y\r\n" * 20_000)
        assert await closed(reader)


async def test_too_many_connections_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "MAX_CONNECTIONS", 1)
    async with listening() as (_, _, address), connected(address) as (reader, writer):
        writer.write(options(1))
        await answer(reader)
        async with connected(address) as (second, _):
            assert await closed(second)
        writer.write(options(2))
        assert (await answer(reader)).startswith(b"SIP/2.0 200 ")


async def test_what_is_sent_before_the_connection_is_there_arrives_in_order():
    async with listening() as (_, _, address), listening() as (transport, _, _):
        flow = transport.flow_to(address)
        flow.send(options(1))
        flow.send(options(2))
        assert transport.flow_to(address) is flow  # RFC 5923: one connection to one peer
        await until(lambda: transport.driver.core.stack.counts["stray response"] >= 2)


async def test_a_flow_connects_when_there_is_something_to_send():
    async with listening() as (other, _, address), listening() as (transport, _, _):
        flow = transport.flow_to(address)
        await asyncio.sleep(0.02)
        assert not len(other.connections)
        flow.send(options(1))
        await until(lambda: bool(len(other.connections)))


async def test_a_connection_that_fails_closes_its_flow():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with listening() as (transport, _, _):
            flow = transport.flow_to(unused.getsockname())
            flow.send(options(1))
            await until(lambda: not flow.open)
            with pytest.raises(OSError, match="closed"):
                flow.send(options(2))


async def test_a_flow_ends_with_its_connection():
    async with listening() as (_, application, address):
        async with connected(address) as (reader, writer):
            writer.write(options(1))
            await answer(reader)
            assert application.flows[0].open
        await until(lambda: not application.flows[0].open)
