"""Large requests on real sockets: over TCP, or as a datagram where that is refused (RFC 3261 18.1.1)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sip.core.message import Response
from sip.net.driver import Driver
from sip.net.stream import StreamTransport
from sip.net.udp import UdpTransport
from tests.net.test_tcp import until
from tests.net.test_udp import PATIENCE_SECONDS, Answering, peer


class Asking:
    """The user of one client transaction."""

    def __init__(self) -> None:
        self.statuses: list[int] = []

    def response_received(self, response: Response, now: float) -> None:
        self.statuses.append(response.status)

    def no_response(self, reason: str, now: float) -> None:
        raise AssertionError(reason)


def large(port: int) -> bytes:
    return (
        f"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK1;rport\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:a@example>;tag=1\r\nTo: <sip:b@example>\r\nCall-ID: 1\r\n"
        f"CSeq: 1 OPTIONS\r\nX-Padding: {'v' * 2000}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


@asynccontextmanager
async def asking(remote: tuple[str, int]) -> AsyncIterator[Asking]:
    """A large request on its way to a server that may have TCP."""
    application = Answering()
    driver = Driver(application.core)
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    udp, tcp = UdpTransport(driver, bound), StreamTransport(driver)
    flow = udp.flow_to(remote)
    flow.large = tcp.flow_to(remote)
    user = Asking()
    data = large(flow.local[1])
    application.core.stack.send_request("OPTIONS", "z9hG4bK1", data, flow, user, driver.now)
    driver.flush()
    try:
        yield user
    finally:
        await tcp.close()
        driver.close()
        udp.close()


async def test_a_large_request_arrives_over_tcp_and_is_answered_there():
    application = Answering()
    driver = Driver(application.core)
    bound = socket.create_server(("127.0.0.1", 0))
    server = StreamTransport(driver, bound)
    await server.start()
    async with asking(bound.getsockname()) as user:
        await until(lambda: user.statuses == [200])
        assert application.flows[0].transport == "TCP"
    await server.close()
    driver.close()


async def test_a_large_request_arrives_as_a_datagram_where_tcp_is_refused():
    loop = asyncio.get_running_loop()
    with peer() as server:
        server.setblocking(False)
        async with asking(server.getsockname()) as user, asyncio.timeout(PATIENCE_SECONDS):
            data, address = await loop.sock_recvfrom(server, 65_535)
            assert data == large(address[1])
            headers = data.partition(b"Max-Forwards")[0].partition(b"\r\n")[2]
            answer = (
                b"SIP/2.0 200 OK\r\n"
                + headers
                + (
                    b"From: <sip:a@example>;tag=1\r\nTo: <sip:b@example>;tag=2\r\nCall-ID: 1\r\n"
                    b"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
                )
            )
            await loop.sock_sendto(server, answer, address)
            await until(lambda: user.statuses == [200])
