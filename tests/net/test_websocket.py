"""SIP over WebSocket on real loopback sockets (RFC 7118), with frames written by hand (RFC 6455)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.core.errors import ParseError
from sip.core.parser import MAX_MESSAGE_BYTES, KeepAlive
from sip.net import stream
from sip.net.driver import Driver
from sip.net.stream import StreamTransport
from sip.net.tls import ServerContexts
from sip.net.websocket import MAX_HANDSHAKE_BYTES, WebSocketFraming
from tests.net.authority import Authority
from tests.net.test_tcp import closed, connected, options, until
from tests.net.test_udp import PATIENCE_SECONDS, Answering

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = base64.b64encode(b"sixteen letters!")


@asynccontextmanager
async def listening(
    server: ServerContexts | None = None,
) -> AsyncIterator[tuple[StreamTransport, Answering, tuple[str, int]]]:
    application = Answering()
    driver = Driver(application.core)
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.bind(("127.0.0.1", 0))
    bound.listen(64)
    transport = StreamTransport(driver, bound, transport="WSS" if server else "WS", server=server)
    await transport.start()
    try:
        yield transport, application, bound.getsockname()
    finally:
        await transport.close()
        driver.close()
        assert len(transport.connections) == 0


def opening(path: str = "/", protocol: str = "sip", more: str = "") -> bytes:
    offered = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
    return (
        f"GET {path} HTTP/1.1\r\nHost: pbx.valmont.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {KEY.decode()}\r\nSec-WebSocket-Version: 13\r\n{offered}{more}\r\n"
    ).encode()


def frame(opcode: int, data: bytes, *, final: bool = True, masked: bool = True, length: int = -1) -> bytes:
    """RFC 6455 section 5.2. length: what the header claims."""
    size = len(data) if length < 0 else length
    bit = 0x80 if masked else 0
    head = bytes([(0x80 if final else 0) | opcode])
    if size < 126:
        head += bytes([bit | size])
    elif size < 65_536:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    if not masked:
        return head + data
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


class Browser:
    """A WebSocket client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def response(self) -> bytes:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def open(self, path: str = "/") -> bytes:
        self.writer.write(opening(path))
        return await self.response()

    def send(self, message: bytes, opcode: int = TEXT) -> None:
        self.writer.write(frame(opcode, message))

    async def receive(self) -> tuple[int, bytes]:
        """The next frame's opcode and payload; a server never masks (RFC 6455 section 5.1)."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            first, size = await self.reader.readexactly(2)
            assert size & 0x80 == 0
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            return first & 0x0F, await self.reader.readexactly(size)

    async def close_code(self) -> int:
        opcode, data = await self.receive()
        assert opcode == CLOSE
        code: int = struct.unpack("!H", data[:2])[0]
        return code


@asynccontextmanager
async def browsing(address: tuple[str, int]) -> AsyncIterator[Browser]:
    """A browser whose WebSocket is open."""
    async with connected(address) as (reader, writer):
        browser = Browser(reader, writer)
        assert (await browser.open()).startswith(b"HTTP/1.1 101 ")
        yield browser


def over_ws(number: int) -> bytes:
    return options(number).replace(b"TCP 127.0.0.1;", b"WS df7jal23ls0d.invalid;rport;")


async def test_a_handshake_for_sip_is_accepted_at_any_path():
    """RFC 7118 section 4.1, RFC 6455 section 4.2.2."""
    async with listening() as (_, _, address), connected(address) as (reader, writer):
        said = await Browser(reader, writer).open("/some/where?token=1")
        accept = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        assert said.startswith(b"HTTP/1.1 101 ")
        assert b"\r\nSec-WebSocket-Accept: " + accept + b"\r\n" in said
        assert b"\r\nSec-WebSocket-Protocol: sip\r\n" in said


@pytest.mark.parametrize("protocol", ["", "xmpp", "SIP"])
async def test_a_handshake_without_the_sip_protocol_is_refused(protocol: str):
    """RFC 7118 section 4.1: the client MUST offer "sip"."""
    async with listening() as (_, application, address), connected(address) as (reader, writer):
        writer.write(opening(protocol=protocol) + frame(TEXT, over_ws(1)))
        assert (await Browser(reader, writer).response()).startswith(b"HTTP/1.1 400 ")
        async with asyncio.timeout(PATIENCE_SECONDS):
            await reader.read()
        assert not application.flows


PORTAL = frozenset({"https://portal.valmont.example:8443"})


def admitted(*origins: str, host: str = "pbx.valmont.example") -> bool:
    """Whether a page of these origins may open a WebSocket, on a node that knows the portal."""
    framing = WebSocketFraming(PORTAL)
    said = "".join(f"Origin: {origin}\r\n" for origin in origins)
    framing.feed(opening(more=said).replace(b"Host: pbx.valmont.example", f"Host: {host}".encode()))
    answer = framing.to_send()
    assert answer.startswith((b"HTTP/1.1 101 ", b"HTTP/1.1 403 ", b"HTTP/1.1 400 ")), answer
    return answer.startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    "origin",
    [
        "https://pbx.valmont.example",
        "http://pbx.valmont.example:8080",  # the web server's port
        "https://PBX.Valmont.example",
        "https://portal.valmont.example:8443",
    ],
)
def test_a_page_of_the_same_host_or_a_configured_origin_may_call(origin: str):
    """RFC 6455 section 10.2."""
    assert admitted(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "https://elsewhere.example",
        "https://portal.valmont.example",
        "https://pbx.valmont.example.elsewhere.example",
        "null",
        "file://",
        "https://[",
        "https://",
        "ftp://pbx.valmont.example",
    ],
)
def test_a_page_of_anybody_elses_is_refused(origin: str):
    """RFC 6455 section 4.2.2 step 4."""
    assert not admitted(origin)


def test_a_page_on_an_address_may_call_the_same_address():
    """RFC 6455 section 10.2."""
    assert admitted("http://[2001:db8::1]:8080", host="[2001:db8::1]:5062")
    assert not admitted("http://[2001:db8::2]:8080", host="[2001:db8::1]:5062")
    assert not admitted("http://[2001:db8::2]:8080", host="[2001:db8::1")


def test_a_client_that_is_no_browser_says_no_origin():
    """RFC 6455 section 10.2: digest says who it is."""
    assert admitted()


def test_two_origins_are_none():
    """RFC 6454 section 7.3."""
    assert not admitted("https://pbx.valmont.example", "https://pbx.valmont.example")


async def test_a_page_that_is_refused_gets_403_and_its_messages_are_not_read():
    """RFC 6455 section 4.2.2."""
    async with listening() as (_, application, address), connected(address) as (reader, writer):
        writer.write(opening(more="Origin: https://elsewhere.example\r\n") + frame(TEXT, over_ws(1)))
        assert (await Browser(reader, writer).response()).startswith(b"HTTP/1.1 403 ")
        async with asyncio.timeout(PATIENCE_SECONDS):
            await reader.read()
        assert not application.flows


async def test_a_browser_that_comes_for_a_page_is_refused():
    async with listening() as (_, _, address), connected(address) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: pbx\r\n\r\n")
        assert (await Browser(reader, writer).response()).startswith(b"HTTP/1.1 426 ")


async def test_sip_without_a_handshake_is_closed():
    async with listening() as (_, application, address), connected(address) as (reader, writer):
        writer.write(over_ws(1))
        assert await closed(reader)
        assert not application.flows


async def test_a_handshake_that_is_too_long_is_closed():
    async with listening() as (_, _, address), connected(address) as (reader, writer):
        writer.write(opening(more="".join(f"X-{number}: {'y' * 4000}\r\n" for number in range(5))))
        assert await closed(reader)


async def test_a_handshake_that_never_ends_is_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "FIRST_MESSAGE_SECONDS", 0.1)
    async with listening() as (_, _, address), connected(address) as (reader, writer):
        writer.write(opening()[:40])
        assert await closed(reader)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_a_request_in_a_text_or_binary_message_is_answered_in_one_message(opcode: int):
    """RFC 7118 section 4.2."""
    async with listening() as (_, application, address), browsing(address) as browser:
        browser.send(over_ws(1), opcode)
        answered, message = await browser.receive()
        assert answered == TEXT
        assert message.startswith(b"SIP/2.0 200 ")
        assert b"Via: SIP/2.0/WS df7jal23ls0d.invalid;received=127.0.0.1;rport=" in message
        assert application.flows[0].transport == "WS"


async def test_what_is_no_utf_8_is_answered_in_a_binary_message():
    """RFC 6455 section 8.1: text is UTF-8."""
    async with listening() as (_, _, address), browsing(address) as browser:
        browser.send(over_ws(1).replace(b"From: ", b'From: "\xe9" '), BINARY)
        answered, message = await browser.receive()
        assert answered == BINARY
        assert b"\xe9" in message


async def test_text_that_is_no_utf_8_ends_the_websocket_with_1007():
    """RFC 6455 section 8.1."""
    async with listening() as (_, application, address), browsing(address) as browser:
        browser.send(over_ws(1).replace(b"From: ", b'From: "\xe9" '))
        assert await browser.close_code() == 1007
        assert not application.flows


async def test_a_message_needs_no_content_length():
    """RFC 7118 section 4.2: the WebSocket message is the SIP message."""
    async with listening() as (_, _, address), browsing(address) as browser:
        browser.send(over_ws(1).replace(b"Content-Length: 0\r\n", b""))
        assert (await browser.receive())[1].startswith(b"SIP/2.0 200 ")


async def test_two_messages_in_one_segment_with_the_handshake_are_both_answered():
    async with listening() as (_, _, address), connected(address) as (reader, writer):
        browser = Browser(reader, writer)
        writer.write(opening() + frame(TEXT, over_ws(1)) + frame(TEXT, over_ws(2)))
        assert (await browser.response()).startswith(b"HTTP/1.1 101 ")
        messages = [(await browser.receive())[1] for _ in range(2)]
        assert [b"z9hG4bK1" in messages[0], b"z9hG4bK2" in messages[1]] == [True, True]


async def test_a_message_cut_at_every_byte_is_answered():
    async with listening() as (_, _, address), browsing(address) as browser:
        for byte in frame(TEXT, over_ws(1)):
            browser.writer.write(bytes([byte]))
            await browser.writer.drain()
            await asyncio.sleep(0)
        assert (await browser.receive())[1].startswith(b"SIP/2.0 200 ")


async def test_fragments_with_a_ping_between_them_are_one_message():
    """RFC 6455 section 5.4."""
    async with listening() as (_, _, address), browsing(address) as browser:
        message = over_ws(1)
        browser.writer.write(
            frame(TEXT, message[:50], final=False)
            + frame(PING, b"there?")
            + frame(CONTINUATION, message[50:90], final=False)
            + frame(CONTINUATION, message[90:])
        )
        assert await browser.receive() == (PONG, b"there?")
        assert (await browser.receive())[1].startswith(b"SIP/2.0 200 ")


async def test_fragments_that_never_end_are_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "WHOLE_MESSAGE_SECONDS", 0.1)
    async with listening() as (_, _, address), browsing(address) as browser:
        browser.writer.write(frame(TEXT, over_ws(1)[:50], final=False))
        assert await closed(browser.reader)


async def test_empty_fragments_do_not_hold_a_message_open(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "WHOLE_MESSAGE_SECONDS", 0.1)
    async with listening() as (transport, _, address), browsing(address) as browser:
        browser.writer.write(frame(TEXT, b"", final=False))
        for _ in range(100):
            if not len(transport.connections):
                break
            browser.writer.write(frame(CONTINUATION, b"", final=False))
            await asyncio.sleep(0.01)
        await until(lambda: len(transport.connections) == 0)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(frame(TEXT, b"x" * (MAX_MESSAGE_BYTES + 1)), id="one frame"),
        pytest.param(frame(TEXT, b"x", length=MAX_MESSAGE_BYTES + 1), id="only claimed"),
        pytest.param(frame(TEXT, b"x", length=1 << 62), id="claimed without end"),
        pytest.param(
            frame(TEXT, b"x" * 40_000, final=False) + frame(CONTINUATION, b"x" * 40_000), id="in fragments"
        ),
    ],
)
async def test_a_message_that_is_too_long_ends_the_websocket_with_1009(sent: bytes):
    """RFC 6455 section 7.4.1."""
    async with listening() as (_, application, address), browsing(address) as browser:
        browser.writer.write(sent)
        assert await browser.close_code() == 1009
        assert not application.flows


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(frame(TEXT, over_ws(1), masked=False), id="not masked"),
        pytest.param(frame(CONTINUATION, over_ws(1)), id="continues nothing"),
        pytest.param(frame(3, over_ws(1)), id="unknown opcode"),
        pytest.param(frame(TEXT | 0x40, over_ws(1)), id="compressed"),
        pytest.param(frame(TEXT, b"x", final=False) + frame(TEXT, over_ws(1)), id="two at once"),
        pytest.param(frame(PING, b"x" * 126), id="long ping"),
    ],
)
async def test_a_frame_against_the_protocol_ends_the_websocket_with_1002(sent: bytes):
    """RFC 6455 sections 5.1 to 5.5 and 7.4.1."""
    async with listening() as (_, application, address), browsing(address) as browser:
        browser.writer.write(sent)
        assert await browser.close_code() == 1002
        assert not application.flows


async def test_a_double_crlf_gets_a_crlf():
    """RFC 5626 section 3.5.1, RFC 7118 section 6."""
    async with listening() as (_, _, address), browsing(address) as browser:
        browser.send(b"\r\n\r\n")
        assert await browser.receive() == (TEXT, b"\r\n")


async def test_a_closing_is_answered_and_the_flow_is_gone():
    """RFC 6455 section 5.5.1."""
    async with listening() as (_, application, address), browsing(address) as browser:
        browser.send(over_ws(1))
        await browser.receive()
        browser.send(struct.pack("!H", 1000), CLOSE)
        assert await browser.close_code() == 1000
        assert await closed(browser.reader)
        await until(lambda: not application.flows[0].open)
        with pytest.raises(OSError, match="connects by itself"):
            application.flows[0].send(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bK1\r\n\r\n")


async def test_a_node_that_stops_says_that_it_goes_away():
    """RFC 6455 section 7.4.1."""
    async with listening() as (transport, _, address), browsing(address) as browser:
        browser.send(over_ws(1))
        await browser.receive()
        stopping = asyncio.get_running_loop().create_task(transport.close())
        assert await browser.close_code() == 1001
        await stopping


async def test_nobody_connects_to_a_websocket_client():
    """RFC 7118 section 5.2: requests to it take its own flow."""
    async with listening() as (transport, _, _):
        with pytest.raises(OSError, match="connects by itself"):
            transport.flow_to(("192.0.2.1", 5062))


async def test_a_request_over_secure_websocket_is_answered(tmp_path: Path):
    authority = Authority(tmp_path)
    server = ServerContexts([authority.issue("pbx.valmont.example")])
    context = ssl.create_default_context(cafile=str(authority.file))
    async with listening(server) as (_, application, address):
        reader, writer = await asyncio.open_connection(
            *address, ssl=context, server_hostname="pbx.valmont.example"
        )
        browser = Browser(reader, writer)
        await browser.open()
        browser.send(over_ws(1).replace(b"/WS ", b"/WSS "))
        assert (await browser.receive())[1].startswith(b"SIP/2.0 200 ")
        assert application.flows[0].transport == "WSS"
        writer.close()


async def test_a_peer_that_pings_without_end_and_reads_nothing_is_closed():
    """The pongs that it leaves unread are bounded."""
    async with listening() as (transport, _, address):
        _, writer = await asyncio.open_connection(*address, limit=2)
        writer.write(opening() + frame(TEXT, over_ws(1)))
        pings = frame(PING, b"x" * 125) * 1000
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(ConnectionError):
                while True:
                    writer.write(pings)
                    await writer.drain()
        await until(lambda: len(transport.connections) == 0)
        writer.close()


@given(st.lists(st.binary(max_size=200), max_size=10), st.booleans())
def test_whatever_comes_is_followed_or_refused(pieces: list[bytes], shaken: bool):
    framing = WebSocketFraming()
    if shaken:
        framing.feed(opening())
        framing.to_send()
    try:
        for piece in pieces:
            framing.feed(piece)
            framing.to_send()
    except ParseError:
        return
    assert framing.pending <= MAX_HANDSHAKE_BYTES + MAX_MESSAGE_BYTES


@given(
    st.lists(st.tuples(st.integers(0, 15), st.binary(max_size=60), st.booleans(), st.booleans()), max_size=8),
    st.lists(st.integers(0, 400), max_size=4),
)
def test_whatever_frames_come_are_followed_or_refused(
    frames: list[tuple[int, bytes, bool, bool]], cuts: list[int]
):
    """RFC 6455 section 5.2: any opcode, length and order, cut anywhere."""
    framing = WebSocketFraming()
    framing.feed(opening())
    data = b"".join(frame(code, body, final=final, masked=masked) for code, body, final, masked in frames)
    for start, end in pairwise([0, *sorted(cuts), max([len(data), *cuts])]):
        for found in framing.feed(data[start:end]):
            assert isinstance(found, bytes | KeepAlive)
        framing.to_send()


async def test_a_silent_browser_is_pinged_and_one_that_speaks_is_not(monkeypatch: pytest.MonkeyPatch):
    """RFC 7118 section 6: either end may ping, so that what stands between them doesn't forget."""
    monkeypatch.setattr(stream, "FIRST_MESSAGE_SECONDS", 0.2)
    monkeypatch.setattr(stream, "PING_SECONDS", 0.3)
    async with listening() as (_, _, address), browsing(address) as browser:
        loop = asyncio.get_running_loop()
        browser.send(over_ws(1))
        assert (await browser.receive())[0] == TEXT
        spoke_at = loop.time()
        assert await browser.receive() == (PING, b"")
        assert loop.time() - spoke_at >= 0.2
        browser.send(b"", PONG)
        assert await browser.receive() == (PING, b"")
        browser.send(over_ws(2))
        assert (await browser.receive())[0] == TEXT  # the connection is as good as before


async def test_nobody_is_pinged_before_the_handshake(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "FIRST_MESSAGE_SECONDS", 0.3)
    monkeypatch.setattr(stream, "PING_SECONDS", 0.05)
    async with listening() as (_, _, address), connected(address) as (reader, writer):
        writer.write(opening()[:40])
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await reader.read() == b""
