"""TCP on real loopback sockets: framing, keep-alives, and bounds on what a peer may hold (RFC 3261 18.3)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from sip.core.flow import Flow
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


async def test_one_address_has_so_many_connections_and_no_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "MAX_CONNECTIONS_OF_ONE_ADDRESS", 1)
    monkeypatch.setattr(stream, "_LOOPBACK", ("192.0.2.",))
    async with listening() as (_, _, address), connected(address) as (reader, writer):
        writer.write(options(1))
        await answer(reader)
        async with connected(address) as (second, _):
            assert await closed(second)
        writer.close()
        await writer.wait_closed()
        async with connected(address) as (third, writing):
            writing.write(options(2))
            assert (await answer(third)).startswith(b"SIP/2.0 200 ")


async def test_connections_of_every_transport_count_together(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "MAX_CONNECTIONS", 1)
    async with listening() as (first, _, address), listening() as (second, _, other):
        second.connections = first.connections
        async with connected(address) as (reader, writer):
            writer.write(options(1))
            await answer(reader)
            async with connected(other) as (refused, _):
                assert await closed(refused)


async def test_an_address_that_is_not_welcome_is_closed():
    async with listening() as (transport, application, address):
        transport.connections.admit = lambda host: host != "127.0.0.1"
        async with connected(address) as (reader, writer):
            writer.write(options(1))
            assert await closed(reader)
        assert not application.flows


async def test_a_message_byte_by_byte_is_closed_however_lively_the_peer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "WHOLE_MESSAGE_SECONDS", 0.1)
    async with listening() as (transport, _, address), connected(address) as (reader, writer):
        for byte in options(1)[:-4]:
            if not len(transport.connections) and byte != ord("O"):
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.005)
        else:
            raise AssertionError("the peer could go on")
        assert await closed(reader)


@asynccontextmanager
async def deaf_peer() -> AsyncIterator[tuple[StreamTransport, Flow]]:
    """A transport with one peer that has asked something and reads no answer, and the flow to it."""
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        async with listening() as (transport, application, address):
            loop = asyncio.get_running_loop()
            await loop.sock_connect(deaf, address)
            await loop.sock_sendall(deaf, options(1))
            await until(lambda: bool(application.flows))
            yield transport, application.flows[0]


async def test_a_peer_that_reads_nothing_is_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "UNREAD_SECONDS", 0.1)
    async with deaf_peer() as (_, flow):
        with pytest.raises(OSError, match=r"doesn't read|closed"):
            for _ in range(1000):
                flow.send(b"x" * 65_536)
        await until(lambda: not flow.open)


async def test_a_peer_that_leaves_a_little_unread_is_closed_after_a_while(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "UNREAD_SECONDS", 0.1)
    monkeypatch.setattr(stream, "MAX_UNSENT_BYTES", 1 << 30)
    async with deaf_peer() as (_, flow):
        flow.send(b"x" * (8 << 20))
        await until(lambda: not flow.open)


def answered_later(number: int, port: int, host: str = "127.0.0.1") -> bytes:
    """The response to a request whose Via names a port."""
    return (
        f"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP {host}:{port};branch=z9hG4bK{number}\r\n"
        f"From: <sip:test@example>;tag=t{number}\r\nTo: <sip:beffroi>;tag=b\r\nCall-ID: {number}@test\r\n"
        f"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    ).encode()


async def gone_flow(application: Answering, address: tuple[str, int]) -> Flow:
    """The flow of a peer that sent a request and left."""
    async with connected(address) as (reader, writer):
        writer.write(options(1))
        await answer(reader)
    flow = application.flows[0]
    await until(lambda: not flow.open)
    return flow


async def test_a_response_whose_connection_is_gone_goes_to_the_port_of_its_via():
    """RFC 3261 section 18.2.2; the host that the Via names may be another's: the source is taken."""
    async with listening() as (_, application, address), listening() as (peer, _, back):
        flow = await gone_flow(application, address)
        flow.send(answered_later(1, back[1], "192.0.2.66"))
        await until(lambda: peer.driver.core.stack.counts["stray response"] == 1)


async def test_a_request_over_a_connection_that_is_gone_fails():
    async with listening() as (_, application, address):
        flow = await gone_flow(application, address)
        with pytest.raises(ConnectionResetError):
            flow.send(options(1))


async def test_a_name_instead_of_an_address_is_never_looked_up():
    async with listening() as (transport, _, _):
        with pytest.raises(OSError, match="is no address"):
            transport.flow_to(("phone.example", 5060))


async def test_a_transport_that_stops_closes_what_nobody_reads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "CLOSE_SECONDS", 0.1)
    async with deaf_peer() as (transport, flow):
        flow.send(b"x" * (8 << 20))
        await transport.close()
        assert len(transport.connections) == 0


async def test_a_peer_that_promised_to_speak_and_falls_silent_is_closed_and_told_of():
    """RFC 5626 section 5.4: the flow has failed."""
    async with listening() as (transport, application, address), connected(address) as (reader, writer):
        failed: list[Flow] = []
        transport.driver.on_flow_failed = failed.append
        writer.write(options(1))
        await answer(reader)
        (flow,) = application.flows
        flow.expect_words(0.05)
        assert await closed(reader)
        assert failed == [flow]
        assert not flow.open
        flow.expect_words(10)  # nothing is left that could be closed


async def test_a_peer_that_keeps_its_promise_stays():
    """RFC 5626 section 4.4.1: CRLF is enough."""
    async with listening() as (_, application, address), connected(address) as (reader, writer):
        writer.write(options(1))
        await answer(reader)
        (flow,) = application.flows
        flow.expect_words(0.5)
        for _ in range(4):
            writer.write(b"\r\n\r\n")
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await reader.readexactly(2) == b"\r\n"
            await asyncio.sleep(0.01)
        assert flow.open


def test_a_datagram_flow_makes_no_promise():
    Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.2", 5060)).expect_words(1.0)
