"""WebSockets that another process took: frames over a Unix socket, and the bounds of who is behind them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sip.core.parser import MAX_MESSAGE_BYTES
from sip.net import relayed
from sip.net.driver import Driver
from sip.net.relayed import Hello, Relayed, RelayedConnection, framed, introduction, read_frame
from sip.net.stream import MAX_CONNECTIONS_OF_ONE_ADDRESS, MAX_UNSENT_BYTES, Connections
from tests.net.test_udp import PATIENCE_SECONDS, Answering, options

HELLO = Hello("WSS", ("203.0.113.10", 443), ("198.51.100.7", 50_000))


class Node:
    """One node's end. application: answers OPTIONS, and remembers the flow of each."""

    def __init__(self, path: Path, banned: str = "") -> None:
        self.path = path
        self.application = Answering()
        self.driver = Driver(self.application.core)
        self.connections = Connections(lambda address: address != banned)
        self.relayed = Relayed(self.driver, self.connections)

    async def connect(self, hello: Hello | None = HELLO) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect as the web process does."""
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        if hello is not None:
            writer.write(introduction(hello))
        return reader, writer


@asynccontextmanager
async def node(folder: Path, banned: str = "") -> AsyncIterator[Node]:
    made = Node(folder / "pages.sock", banned)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(made.path))
    listening.listen(8)
    await made.relayed.start(listening)
    try:
        yield made
    finally:
        await made.relayed.close()
        made.driver.close()
        assert len(made.connections) == 0
        assert not made.relayed.open


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the other side closes without another word."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        try:
            return await reader.read() == b""
        except ConnectionResetError:
            return True


async def test_a_message_comes_from_the_browser_and_its_answer_goes_back(tmp_path: Path) -> None:
    async with node(tmp_path) as there:
        reader, writer = await there.connect()
        writer.write(framed(options(5060, 1)))
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await read_frame(reader)
        assert answer.startswith(b"SIP/2.0 200 OK\r\n")
        (flow,) = there.application.flows
        assert (flow.transport, flow.remote) == ("WSS", ("198.51.100.7", 50_000))
        writer.close()


async def test_frames_come_in_any_pieces(tmp_path: Path) -> None:
    async with node(tmp_path) as there:
        reader, writer = await there.connect()
        for byte in framed(options(5060, 1)) + framed(options(5060, 2)):
            writer.write(bytes([byte]))
            await writer.drain()
        async with asyncio.timeout(PATIENCE_SECONDS):
            answers = [await read_frame(reader), await read_frame(reader)]
        assert [b"Call-ID: 1@test" in answers[0], b"Call-ID: 2@test" in answers[1]] == [True, True]
        writer.close()


@pytest.mark.parametrize(
    "first",
    [
        framed(b"{}"),
        framed(b"not json"),
        framed(b'{"transport":"UDP","local":["",0],"remote":["",0]}'),
        framed(b""),
        b"\xff\xff\xff\xff",
        framed(options(5060, 1)),
    ],
)
async def test_whoever_introduces_nobody_is_closed(tmp_path: Path, first: bytes) -> None:
    async with node(tmp_path) as there:
        reader, writer = await there.connect(None)
        writer.write(first)
        assert await ended(reader)
        assert there.application.flows == []
        writer.close()


async def test_a_frame_longer_than_any_message_ends_the_connection(tmp_path: Path) -> None:
    async with node(tmp_path) as there:
        reader, writer = await there.connect()
        writer.write((MAX_MESSAGE_BYTES + 1).to_bytes(4, "big"))
        assert await ended(reader)
        writer.close()


async def test_an_address_that_is_not_welcome_is_closed(tmp_path: Path) -> None:
    """Bans count for who is behind it, not for the process that hands it on."""
    async with node(tmp_path, banned="198.51.100.7") as there:
        reader, writer = await there.connect()
        assert await ended(reader)
        writer.close()


async def test_one_address_has_no_more_connections_than_any_other_way(tmp_path: Path) -> None:
    async with node(tmp_path) as there:
        for _ in range(MAX_CONNECTIONS_OF_ONE_ADDRESS):
            there.connections.enter("198.51.100.7", ours=False)
        reader, writer = await there.connect()
        assert await ended(reader)
        for _ in range(MAX_CONNECTIONS_OF_ONE_ADDRESS):
            there.connections.leave("198.51.100.7")
        writer.close()


async def test_a_page_that_never_speaks_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relayed, "FIRST_MESSAGE_SECONDS", 0.01)
    async with node(tmp_path) as there:
        reader, writer = await there.connect()
        assert await ended(reader)
        writer.close()


async def test_a_browser_that_does_not_read_is_cut_off(tmp_path: Path) -> None:
    async with node(tmp_path) as there:
        _, writer = await there.connect()
        writer.write(framed(options(5060, 1)))
        (connection,) = await connections(there)
        piece = b"x" * 60_000
        with pytest.raises(OSError, match="doesn't read"):
            for _ in range(4 * MAX_UNSENT_BYTES // len(piece) + 40):
                connection.send(piece)
        writer.close()


async def connections(there: Node) -> list[RelayedConnection]:
    """Those that have spoken."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not there.application.flows:  # noqa: ASYNC110 (what is waited for gives no event)
            await asyncio.sleep(0)
    return list(there.relayed.open)


async def test_a_browser_that_is_gone_is_told_as_a_broken_flow(tmp_path: Path) -> None:
    async with node(tmp_path) as there:
        told = asyncio.get_running_loop().create_future()
        there.driver.on_flow_failed = told.set_result
        _, writer = await there.connect()
        writer.write(framed(options(5060, 1)))
        await connections(there)
        writer.close()
        async with asyncio.timeout(PATIENCE_SECONDS):
            flow = await told
        assert flow is there.application.flows[0]
        assert not flow.open
        with pytest.raises(ConnectionResetError):
            flow.send(b"late")
