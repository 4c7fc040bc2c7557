"""Where a SIP domain is (RFC 3263): the rules against records written here, then dnspython against a real
name server of the test's own on loopback."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from sip.net.resolver import (
    ABSENCE_SECONDS,
    FAILURE_SECONDS,
    LONGEST_SECONDS,
    MAX_RECORDS,
    MAX_TARGETS,
    Dns,
    Kind,
    LookupFailedError,
    Naptr,
    NotFoundError,
    Records,
    Resolver,
    Srv,
    by_priority,
    read_hosts,
)


class Book:
    """A name server that knows what is written here, and counts what it is asked."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, Kind], Records] = {}
        self.asked: list[str] = []
        self.away = False
        self.fails: set[Kind] = set()
        self.hangs = False

    def write(self, name: str, kind: Kind, *rows: Naptr | Srv | str, seconds: float = 300) -> None:
        self.records[name, kind] = Records(rows, seconds)

    async def ask(self, name: str, kind: Kind) -> Records:
        self.asked.append(f"{kind} {name}")
        if self.hangs:
            await asyncio.sleep(3600)
        if self.away or kind in self.fails:
            raise LookupFailedError("SERVFAIL")
        return self.records.get((name, kind), Records((), ABSENCE_SECONDS))


class World:
    """A resolver with a clock that the test moves; chance is always 0."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.book = Book()
        self.resolver = Resolver(self.book, lambda: self.now, lambda: 0.0)

    async def found(self, host: str, port: int = 0, transport: str = "") -> list[str]:
        targets = await self.resolver.resolve(host, port, transport)
        return [f"{target.transport} {target.address}:{target.port}" for target in targets]


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("host", "port", "transport", "target"),
    [
        ("192.0.2.1", 0, "", "UDP 192.0.2.1:5060"),
        ("192.0.2.1", 0, "TLS", "TLS 192.0.2.1:5061"),
        ("192.0.2.1", 5080, "TCP", "TCP 192.0.2.1:5080"),
        ("[2001:db8::1]", 0, "", "UDP 2001:db8::1:5060"),
    ],
)
async def test_a_literal_address_is_looked_up_by_nobody(
    world: World, host: str, port: int, transport: str, target: str
) -> None:
    """RFC 3263 section 4.1 and 4.2."""
    assert await world.found(host, port, transport) == [target]
    assert world.book.asked == []


async def test_an_explicit_port_asks_for_addresses_only(world: World) -> None:
    """RFC 3263 section 4.2."""
    world.book.write("op.example", "A", "192.0.2.1", "192.0.2.2")
    world.book.write("op.example", "AAAA", "2001:db8::1")
    assert await world.found("op.example", 5080) == [
        "UDP 192.0.2.1:5080",
        "UDP 192.0.2.2:5080",
        "UDP 2001:db8::1:5080",
    ]
    assert sorted(world.book.asked) == ["A op.example", "AAAA op.example"]


async def test_naptr_chooses_the_transport_by_order_and_preference(world: World) -> None:
    """RFC 3263 section 4.1: what we can't speak is passed over."""
    world.book.write(
        "op.example",
        "NAPTR",
        Naptr(20, 1, "s", "SIP+D2U", "_sip._udp.op.example."),
        Naptr(10, 2, "s", "SIP+D2T", "_sip._tcp.op.example."),
        Naptr(10, 1, "s", "SIPS+D2T", "_sips._tcp.op.example."),
        Naptr(1, 1, "s", "SIP+D2W", "_sip._ws.op.example."),
        Naptr(1, 1, "u", "E2U+sip", "!^.*$!sip:info@op.example!"),
    )
    for name, address in (
        ("_sips._tcp", "192.0.2.1"),
        ("_sip._tcp", "192.0.2.2"),
        ("_sip._udp", "192.0.2.3"),
    ):
        world.book.write(f"{name}.op.example", "SRV", Srv(1, 0, 5061, f"{name[1:5]}.op.example."))
        world.book.write(f"{name[1:5]}.op.example", "A", address)
    world.book.write("sip..op.example", "A", "192.0.2.9")
    found = await world.found("op.example")
    assert [one.split()[0] for one in found] == ["TLS", "TCP", "UDP"]


async def test_without_naptr_each_transports_srv_is_asked(world: World) -> None:
    world.book.write("_sip._tcp.op.example", "SRV", Srv(1, 0, 5070, "a.op.example."))
    world.book.write("a.op.example", "A", "192.0.2.1")
    assert await world.found("op.example") == ["TCP 192.0.2.1:5070"]


async def test_without_srv_the_names_own_addresses_are_taken_over_udp(world: World) -> None:
    world.book.write("op.example", "A", "192.0.2.1")
    assert await world.found("op.example") == ["UDP 192.0.2.1:5060"]


async def test_a_known_transport_asks_for_its_srv_and_no_naptr(world: World) -> None:
    world.book.write("op.example", "A", "192.0.2.1")
    assert await world.found("op.example", 0, "TLS") == ["TLS 192.0.2.1:5061"]
    assert world.book.asked[0] == "SRV _sips._tcp.op.example"
    assert not any(question.startswith("NAPTR") for question in world.book.asked)


async def test_a_target_keeps_the_name_that_its_certificate_must_have(world: World) -> None:
    """RFC 5922 section 7.2: the domain that was asked for, never what an SRV record led to."""
    world.book.write("_sips._tcp.op.example", "SRV", Srv(1, 0, 5061, "a.hoster.example."))
    world.book.write("a.hoster.example", "A", "192.0.2.1")
    (target,) = await world.resolver.resolve("op.example", 0, "TLS")
    assert target.host == "op.example"


async def test_servers_are_tried_by_priority(world: World) -> None:
    world.book.write(
        "_sip._udp.op.example",
        "SRV",
        Srv(20, 0, 5060, "b.op.example."),
        Srv(10, 0, 5062, "a.op.example."),
        Srv(30, 0, 5060, "."),
    )
    world.book.write("a.op.example", "A", "192.0.2.1")
    world.book.write("b.op.example", "A", "192.0.2.2")
    assert await world.found("op.example", 0, "UDP") == ["UDP 192.0.2.1:5062", "UDP 192.0.2.2:5060"]


def always(chance: float) -> Callable[[], float]:
    return lambda: chance


def test_equal_priorities_are_drawn_by_weight() -> None:
    """RFC 2782: the first whose running sum reaches a number from 0 to the sum; the others come after it."""
    heavy, light = Srv(1, 3, 5060, "heavy."), Srv(1, 1, 5060, "light.")
    draws = [by_priority([heavy, light], always(number / 1000))[0] for number in range(1000)]
    assert draws.count(heavy) == pytest.approx(600, abs=10)  # 0 to 4: light takes 0 and 1, heavy 2 to 4
    assert by_priority([heavy, light], lambda: 0.0) == [light, heavy]
    assert by_priority([heavy, light], lambda: 0.999) == [heavy, light]


def test_a_weight_of_nothing_has_a_small_chance() -> None:
    """RFC 2782: records of weight 0 are placed first, so that they are drawn at 0 only."""
    none, some = Srv(1, 0, 5060, "none."), Srv(1, 9, 5060, "some.")
    draws = [by_priority([some, none], always(number / 1000))[0] for number in range(1000)]
    assert draws.count(none) == 100


async def test_an_answer_is_kept_for_its_ttl_and_no_longer(world: World) -> None:
    world.book.write("op.example", "A", "192.0.2.1", seconds=300)
    await world.found("op.example", 5060)
    world.now += 299
    await world.found("op.example", 5060)
    assert len(world.book.asked) == 2  # A and AAAA, once
    world.book.write("op.example", "A", "192.0.2.9", seconds=300)
    world.now += 2
    assert await world.found("op.example", 5060) == ["UDP 192.0.2.9:5060"]


async def test_the_shortest_ttl_on_the_way_counts(world: World) -> None:
    world.book.write("_sip._udp.op.example", "SRV", Srv(1, 0, 5060, "a.op.example."), seconds=3600)
    world.book.write("a.op.example", "A", "192.0.2.1", seconds=20)
    await world.found("op.example", 0, "UDP")
    asked = len(world.book.asked)
    world.now += 21
    await world.found("op.example", 0, "UDP")
    assert len(world.book.asked) > asked


async def test_no_ttl_keeps_an_answer_for_more_than_a_day(world: World) -> None:
    world.book.write("op.example", "A", "192.0.2.1", seconds=1e9)
    await world.found("op.example", 5060)
    world.now += LONGEST_SECONDS + 1
    asked = len(world.book.asked)
    await world.found("op.example", 5060)
    assert len(world.book.asked) > asked


async def test_a_name_that_is_nobodys_is_asked_for_again_after_half_a_minute(world: World) -> None:
    """RFC 2308 section 5."""
    with pytest.raises(NotFoundError, match=r"nobody\.example has no address"):
        await world.found("nobody.example", 5060)
    world.now += ABSENCE_SECONDS - 1
    with pytest.raises(NotFoundError):
        await world.found("nobody.example", 5060)
    assert len(world.book.asked) == 2
    world.book.write("nobody.example", "A", "192.0.2.1")
    world.now += 2
    assert await world.found("nobody.example", 5060) == ["UDP 192.0.2.1:5060"]


async def test_what_held_last_is_given_while_name_servers_are_away(world: World) -> None:
    world.book.write("op.example", "A", "192.0.2.1", seconds=60)
    await world.found("op.example", 5060)
    world.book.away = True
    world.now += 61
    assert await world.found("op.example", 5060) == ["UDP 192.0.2.1:5060"]
    asked = len(world.book.asked)
    world.now += FAILURE_SECONDS - 1
    await world.found("op.example", 5060)
    assert len(world.book.asked) == asked  # a name server that fails isn't asked again at once


async def test_a_relay_that_knows_addresses_only_is_no_hindrance(world: World) -> None:
    """An access router that fails on SRV and NAPTR, or on IPv6."""
    world.book.write("op.example", "A", "192.0.2.1")
    world.book.fails = {"NAPTR", "SRV", "AAAA"}
    assert await world.found("op.example") == ["UDP 192.0.2.1:5060"]


async def test_services_that_fail_for_once_leave_the_known_servers_in_place(world: World) -> None:
    """The domain's own address may be its web site: it takes no calls because a name server stumbled."""
    world.book.write("_sip._udp.op.example", "SRV", Srv(1, 0, 5070, "a.op.example."), seconds=60)
    world.book.write("a.op.example", "A", "192.0.2.1", seconds=60)
    world.book.write("op.example", "A", "198.51.100.80")
    assert await world.found("op.example", 0, "UDP") == ["UDP 192.0.2.1:5070"]
    world.now += 61
    world.book.fails = {"SRV"}
    assert await world.found("op.example", 0, "UDP") == ["UDP 192.0.2.1:5070"]


async def test_an_absent_transport_shortens_no_ttl(world: World) -> None:
    world.book.write("_sip._tcp.op.example", "SRV", Srv(1, 0, 5060, "a.op.example."), seconds=600)
    world.book.write("a.op.example", "A", "192.0.2.1", seconds=600)
    await world.found("op.example")
    asked = len(world.book.asked)
    world.now += 599
    await world.found("op.example")
    assert len(world.book.asked) == asked


async def test_what_is_known_is_given_without_asking_however_old(world: World) -> None:
    world.book.write("op.example", "A", "192.0.2.1", seconds=60)
    await world.found("op.example", 5060)
    world.now += 1e6
    asked = len(world.book.asked)
    assert [target.address for target in world.resolver.known("OP.example", 5060)] == ["192.0.2.1"]
    assert world.resolver.known("other.example") == ()
    assert len(world.book.asked) == asked


async def test_a_name_server_that_hangs_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sip.net.resolver.LOOKUP_SECONDS", 0.05)
    world.book.hangs = True
    with pytest.raises(NotFoundError):
        await world.found("op.example")


async def test_answers_without_end_are_cut(world: World) -> None:
    rows = [Srv(1, 0, 5060, f"s{number}.op.example.") for number in range(1000)]
    world.book.write("_sip._udp.op.example", "SRV", *rows)
    for number in range(1000):
        addresses = [f"10.{number // 250}.{number % 250}.{last}" for last in range(1, 101)]
        world.book.write(f"s{number}.op.example", "A", *addresses)
    found = await world.found("op.example", 0, "UDP")
    assert len(found) == MAX_TARGETS
    assert len(world.book.asked) <= 1 + 2 * MAX_RECORDS


async def test_what_is_no_address_in_an_answer_is_left_out(world: World) -> None:
    world.book.write("op.example", "A", "evil.example", "192.0.2.1", "1.2.3")
    assert await world.found("op.example", 5060) == ["UDP 192.0.2.1:5060"]


# dnspython and a real name server

ZONE = {
    ("op.example.", "NAPTR"): ['10 10 "s" "SIP+D2U" "" _sip._udp.op.example.'],
    ("_sip._udp.op.example.", "SRV"): ["10 0 5070 one.op.example.", "20 0 5060 two.op.example."],
    ("one.op.example.", "A"): ["192.0.2.1"],
    ("two.op.example.", "CNAME"): ["three.op.example."],
    ("three.op.example.", "AAAA"): ["2001:db8::3"],
}


class NameServer(asyncio.DatagramProtocol):
    """Answers from ZONE, and what it is told to."""

    def __init__(self) -> None:
        self.rcode = dns.rcode.NOERROR
        self.garbage = b""
        self.mute = False
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.mute:
            return
        self.transport.sendto(self.garbage or self.answer(data), addr)

    def answer(self, data: bytes) -> bytes:
        query = dns.message.from_wire(data)
        (question,) = query.question
        answer = dns.message.make_response(query)
        answer.set_rcode(self.rcode)
        answer.flags |= dns.flags.RA
        name, kind = str(question.name), dns.rdatatype.to_text(question.rdtype)
        if self.rcode == dns.rcode.NOERROR:
            alias = ZONE.get((name, "CNAME"))
            if alias is not None:
                answer.answer.append(dns.rrset.from_text_list(name, 30, "IN", "CNAME", alias))
                name = alias[0]
            rows = ZONE.get((name, kind))
            if rows is not None:
                answer.answer.append(dns.rrset.from_text_list(name, 600, "IN", kind, rows))
        return bytes(answer.to_wire())


@asynccontextmanager
async def name_server() -> AsyncIterator[NameServer]:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(NameServer, sock=bound)
    server.port = bound.getsockname()[1]
    try:
        yield server
    finally:
        transport.close()


def asking(server: NameServer, hosts: Path = Path("/nonexistent")) -> Dns:
    return Dns([("127.0.0.1", server.port)], hosts)


async def test_a_domain_is_found_through_a_real_name_server() -> None:
    async with name_server() as server:
        resolver = Resolver(asking(server), asyncio.get_running_loop().time, lambda: 0.0)
        found = await resolver.resolve("op.example")
    assert [(target.address, target.port) for target in found] == [("192.0.2.1", 5070), ("2001:db8::3", 5060)]


async def test_the_ttl_of_an_alias_counts_too() -> None:
    async with name_server() as server:
        records = await asking(server).ask("two.op.example", "AAAA")
    assert records == Records(("2001:db8::3",), 30.0)


async def test_a_name_that_does_not_exist_has_no_records() -> None:
    async with name_server() as server:
        server.rcode = dns.rcode.NXDOMAIN
        assert (await asking(server).ask("nobody.example", "A")).rows == ()
        server.rcode = dns.rcode.NOERROR
        assert (await asking(server).ask("one.op.example", "AAAA")).rows == ()


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
async def test_a_name_server_that_fails_is_no_absence(rcode: dns.rcode.Rcode) -> None:
    async with name_server() as server:
        server.rcode = rcode
        with pytest.raises(LookupFailedError):
            await asking(server).ask("op.example", "A")


async def test_a_name_server_that_is_mute_or_raves_is_no_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sip.net.resolver.QUESTION_SECONDS", 0.2)
    async with name_server() as server:
        server.mute = True
        with pytest.raises(LookupFailedError):
            await asking(server).ask("op.example", "A")
        server.mute, server.garbage = False, b"\x00" * 40
        with pytest.raises(LookupFailedError):
            await asking(server).ask("op.example", "A")


@pytest.mark.parametrize("name", ["a" * 64 + ".example", "a..example", "é" * 300])
async def test_a_name_that_cannot_be_one_fails_and_never_raises_otherwise(name: str) -> None:
    async with name_server() as server:
        with pytest.raises(LookupFailedError):
            await asking(server).ask(name, "A")


async def test_the_hosts_file_comes_before_name_servers(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text(
        "# ours\n192.0.2.77 OP.example op # here\n2001:db8::77 op.example\nnonsense op.example\n"
    )
    async with name_server() as server:
        book = asking(server, hosts)
        assert (await book.ask("op.example", "A")).rows == ("192.0.2.77",)
        assert (await book.ask("op.example", "AAAA")).rows == ("2001:db8::77",)
        assert (await book.ask("op.example", "NAPTR")).rows == ()
        assert (await book.ask("_sip._udp.op.example", "SRV")).rows == ()
        assert (await book.ask("one.op.example", "A")).rows == ("192.0.2.1",)


async def test_who_stops_waiting_is_let_go_though_the_question_ends_at_that_moment() -> None:
    """A node that stops while a name is looked up would wait for ever otherwise."""

    asked = asyncio.Event()

    class Late:
        async def ask(self, name: str, kind: Kind) -> Records:
            asked.set()
            try:
                if not looking.cancelling():
                    await asyncio.sleep(3600)
            except asyncio.CancelledError:
                pass
            raise LookupFailedError("the end of the question came first")

    resolver = Resolver(Late(), asyncio.get_running_loop().time, lambda: 0.0)
    looking = asyncio.get_running_loop().create_task(resolver.resolve("op.example", transport="TLS"))
    await asked.wait()
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking


def test_a_hosts_file_that_is_not_there_names_nobody(tmp_path: Path) -> None:
    assert read_hosts(tmp_path / "hosts", "op.example") == []


def test_a_node_that_asks_no_name_server_imports_no_dnspython():
    script = "import sys, pbx.signalling; sys.exit('dns' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
