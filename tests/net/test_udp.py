"""UDP on real loopback sockets: batches, keep-alives, both families (RFC 3261 section 18)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sip.core.flow import Flow
from sip.core.identifiers import Identifiers
from sip.core.message import Request
from sip.core.stack import ServerTransaction
from sip.core.ua_core import UserAgentCore
from sip.net.driver import Driver
from sip.net.udp import BATCH_DATAGRAMS, STRANGERS_DATAGRAMS, UdpTransport

PATIENCE_SECONDS = 45.0


class Answering:
    """An application that answers OPTIONS with 200 and remembers where each came from."""

    def __init__(self) -> None:
        self.flows: list[Flow] = []
        self.core = UserAgentCore(Identifiers(b"net"), self)

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        assert request.flow is not None
        self.flows.append(request.flow)
        self.core.stack.respond(transaction, 200, now)


def options(port: int, number: int, host: str = "127.0.0.1") -> bytes:
    return (
        f"OPTIONS sip:beffroi SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{number};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:test@example>;tag=t{number}\r\nTo: <sip:beffroi>\r\n"
        f"Call-ID: {number}@test\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    ).encode()


@contextmanager
def listening(host: str = "127.0.0.1") -> Iterator[tuple[UdpTransport, Answering, Driver]]:
    application = Answering()
    driver = Driver(application.core)
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind((host, 0))
    transport = UdpTransport(driver, bound)
    try:
        yield transport, application, driver
    finally:
        driver.close()
        transport.close()


@contextmanager
def peer(host: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind((host, 0))
        made.setblocking(False)
        yield made


async def receive(peer: socket.socket) -> bytes:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await asyncio.get_running_loop().sock_recv(peer, 65_535)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_request_is_answered_to_where_it_came_from(host: str):
    with listening(host) as (transport, application, _), peer(host) as phone:
        sent_by = f"[{host}]" if ":" in host else host
        phone.sendto(options(1, 1, sent_by), transport.local)  # RFC 3581 section 4
        answer = await receive(phone)
    assert answer.startswith(b"SIP/2.0 200 ")
    assert f"rport={application.flows[0].remote[1]}".encode() in answer
    assert application.flows[0].remote[0] == host


async def test_every_datagram_of_more_than_a_batch_is_answered():
    count = 3 * BATCH_DATAGRAMS
    with listening() as (transport, application, _), peer() as phone:
        for number in range(count):
            phone.sendto(options(5060, number), transport.local)
        answers = [await receive(phone) for _ in range(count)]
    assert all(answer.startswith(b"SIP/2.0 200 ") for answer in answers)
    assert len(application.flows) == count


async def test_one_address_is_one_flow():
    with listening() as (transport, application, _), peer() as phone:
        for number in range(3):
            phone.sendto(options(5060, number), transport.local)
            await receive(phone)
        assert len(set(map(id, application.flows))) == 1
        assert transport.flow_to(application.flows[0].remote) is application.flows[0]


@pytest.mark.parametrize("keep_alive", [b"\r\n\r\n", b"\r\n", b"\0", b""])
async def test_a_keep_alive_is_neither_answered_nor_counted(keep_alive: bytes):
    with listening() as (transport, application, _), peer() as phone:
        phone.sendto(keep_alive, transport.local)
        phone.sendto(options(5060, 1), transport.local)
        assert (await receive(phone)).startswith(b"SIP/2.0 200 ")
        assert application.core.stack.counts["malformed"] == 0


async def test_garbage_is_dropped_and_counted():
    with listening() as (transport, application, _), peer() as phone:
        phone.sendto(b"\xff" * 1000, transport.local)
        phone.sendto(options(5060, 1), transport.local)
        assert (await receive(phone)).startswith(b"SIP/2.0 200 ")
        assert application.core.stack.counts["malformed"] == 1


async def test_what_is_acknowledged_is_written_before_the_answer_leaves():
    with peer() as phone:
        application = Answering()
        written: list[int] = []
        driver = Driver(application.core, lambda: written.append(len(application.core.stack.outbox)))
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind(("127.0.0.1", 0))
        transport = UdpTransport(driver, bound)
        phone.sendto(options(5060, 1), transport.local)
        assert (await receive(phone)).startswith(b"SIP/2.0 200 ")
        driver.close()
        transport.close()
    assert written == [1]  # called with the answer still in the outbox


async def test_a_datagram_that_cannot_be_sent_is_logged_and_stops_nothing():
    with listening() as (transport, application, driver), peer() as phone:
        flow = transport.flow_to(("127.0.0.1", phone.getsockname()[1]))
        application.core.stack.outbox.append((flow, b"x" * 70_000))  # longer than any datagram
        driver.flush()
        assert application.core.stack.counts["not sent"] == 1
        phone.sendto(options(5060, 1), transport.local)
        assert (await receive(phone)).startswith(b"SIP/2.0 200 ")


KNOWN = "127.0.0.1"


def read_order(strangers: int) -> tuple[list[str], list[int]]:
    """Whose datagrams were understood, in order, and how many in each turn, where one of somebody known lies
    in the socket behind so many of strangers."""

    async def run() -> tuple[list[str], list[int]]:
        with listening() as (transport, application, driver), peer() as phone, peer("127.0.0.2") as stranger:
            driver.knows = lambda host: host == KNOWN
            for number in range(strangers):
                stranger.sendto(options(1, number, "127.0.0.2"), transport.local)
            phone.sendto(options(1, 99_999), transport.local)
            turns: list[int] = []
            while len(application.flows) <= strangers:
                before = len(application.flows)
                await asyncio.sleep(0)
                if len(application.flows) > before:
                    turns.append(len(application.flows) - before)
            return [flow.remote[0] for flow in application.flows], turns

    return asyncio.run(run())


def test_a_telephone_that_is_known_is_read_before_the_strangers_of_a_flood() -> None:
    order, _ = read_order(200)
    assert order.index(KNOWN) == BATCH_DATAGRAMS  # the first turn didn't know yet
    assert len(order) == 201


def test_in_a_flood_a_turn_is_short_and_nobody_is_forgotten() -> None:
    _, turns = read_order(200)
    assert turns[0] == BATCH_DATAGRAMS
    assert max(turns[1:]) <= STRANGERS_DATAGRAMS + 1
    assert sum(turns) == 201


def test_without_a_flood_datagrams_are_read_as_they_come() -> None:
    order, _ = read_order(BATCH_DATAGRAMS - 1)
    assert order.index(KNOWN) == BATCH_DATAGRAMS - 1


async def test_who_isnt_admitted_doesnt_wait_either():
    with listening() as (transport, application, driver), peer() as phone, peer("127.0.0.2") as stranger:
        asked: list[str] = []

        def admits(host: str, now: float) -> bool:
            asked.append(host)
            return host == KNOWN

        driver.admits, driver.knows = admits, lambda host: host == KNOWN
        for number in range(100):
            stranger.sendto(options(1, number, "127.0.0.2"), transport.local)
        phone.sendto(options(1, 99_999), transport.local)
        await receive_nothing_more(application, 1)
    assert [flow.remote[0] for flow in application.flows] == [KNOWN]
    assert len(asked) == 101  # each once


async def receive_nothing_more(application: Answering, count: int) -> None:
    """Until so many are understood, and a little longer."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(application.flows) < count:  # noqa: ASYNC110 (each turn of the loop counts here)
            await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
