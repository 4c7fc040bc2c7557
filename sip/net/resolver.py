"""Where a SIP domain is: transports, addresses and ports, in the order to try them (RFC 3263).

    host ── numeric ───────────────────────────────────────────────> address
      ├──── explicit port ──────────────> A, AAAA ─────────────────> addresses
      ├──── transport known ────────────> SRV, else A and AAAA ────> targets by priority and weight
      └──── neither ──────> NAPTR, else SRV of each transport, else A and AAAA over UDP

What was found is kept for its TTL, what wasn't for a short while. When name servers are away, what held last
is given again: an old address is better than none. Every answer is bounded, whatever a name server says.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from sip.net.addresses import is_address

log = logging.getLogger(__name__)

LOOKUP_SECONDS = 5.0
QUESTION_SECONDS = 2.0
SHORTEST_SECONDS = 1.0
LONGEST_SECONDS = 86_400.0
SYSTEM_SECONDS = 60.0  # what the machine's own hosts file says has no TTL
FAILURE_SECONDS = 10.0  # RFC 2308 section 7.1: a name server that fails isn't asked again at once
ABSENCE_SECONDS = 30.0  # RFC 2308 section 5: "no such name" is kept, but an operator may mend it soon
MAX_RECORDS = 32
MAX_TARGETS = 16
MAX_REMEMBERED = 1_024
MAX_HOSTS_CHARACTERS = 1 << 20

Kind = Literal["NAPTR", "SRV", "A", "AAAA"]

# RFC 3263 section 4.1, and RFC 7118 section 7 for what isn't here: nobody reaches a trunk by WebSocket.
_SERVICES = {"SIPS+D2T": "TLS", "SIP+D2T": "TCP", "SIP+D2U": "UDP"}
_PREFIXES = {"UDP": "_sip._udp.", "TCP": "_sip._tcp.", "TLS": "_sips._tcp."}
_PORTS = {"UDP": 5060, "TCP": 5060, "TLS": 5061}
_SERVICE_LABELS = re.compile(r"^(_[a-z]+\.)+")
TRANSPORTS = tuple(_PREFIXES)


class NotFoundError(OSError):
    """A host has no address that we know of."""


class LookupFailedError(OSError):
    """No name server answered; what the name is stays unknown."""


@dataclass(frozen=True, slots=True)
class Naptr:
    """One NAPTR record (RFC 3403 section 4)."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Srv:
    """One SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class Records:
    """A name server's answer: its rows (literal addresses for A and AAAA), empty for none.

    seconds: how long it holds.
    """

    rows: tuple[Naptr | Srv | str, ...]
    seconds: float


class NameServer(Protocol):
    """Who is asked."""

    async def ask(self, name: str, kind: Kind) -> Records:
        """The records of a name. Raises LookupFailedError when nobody answers."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """One place to try. host: the name looked up, which a certificate has to have (RFC 5922 section 7.2)."""

    transport: str
    address: str
    port: int
    host: str


@dataclass(frozen=True, slots=True)
class _Found:
    targets: tuple[Target, ...]
    until: float


class Resolver:
    """Targets by host, remembered.

    clock: seconds of any clock that only goes forward. draw: a number from 0 to below 1, for the weights.
    The order by weight is drawn when the records are read, and kept as long as they hold: a registration and
    the calls after it go to the same server.
    """

    def __init__(self, names: NameServer, clock: Callable[[], float], draw: Callable[[], float]) -> None:
        self._names = names
        self._clock = clock
        self._draw = draw
        self._found: dict[tuple[str, int, str], _Found] = {}

    def known(self, host: str, port: int = 0, transport: str = "") -> tuple[Target, ...]:
        """What was found last, however old, without asking anybody; empty when nothing ever was."""
        literal = _numeric(host, port, transport)
        if literal:
            return literal
        found = self._found.get((host.lower(), port, transport))
        return found.targets if found is not None else ()

    async def resolve(self, host: str, port: int = 0, transport: str = "") -> tuple[Target, ...]:
        """The targets of a host, best first; port 0 and transport "" where none is given.

        Takes at most LOOKUP_SECONDS. Raises NotFoundError when there is none and never was.
        """
        literal = _numeric(host, port, transport)
        if literal:
            return literal
        key = (host.lower(), port, transport)
        now = self._clock()
        before = self._found.get(key)
        if before is not None and now < before.until:
            return _some(host, before.targets)
        held = before.targets if before is not None else ()
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                targets, seconds = await self._look_up(key[0], port, transport, strict=bool(held))
        except (TimeoutError, LookupFailedError) as error:
            log.warning("host=%s not looked up: %s", host, str(error) or "no name server answers")
            targets, seconds = held, FAILURE_SECONDS
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # The end of a question may swallow it: in `wait_for` of Python 3.11, in `gather`.
            raise asyncio.CancelledError
        if not targets and held:
            log.warning("host=%s has no address any more: the last one is kept", host)
            targets = held
        if key not in self._found and len(self._found) >= MAX_REMEMBERED:
            self._found.pop(next(iter(self._found)))
        seconds = min(max(seconds, SHORTEST_SECONDS), LONGEST_SECONDS)
        self._found[key] = _Found(targets, self._clock() + seconds)
        return _some(host, targets)

    async def _look_up(
        self, host: str, port: int, transport: str, *, strict: bool
    ) -> tuple[tuple[Target, ...], float]:
        """The targets and for how many seconds they hold.

        strict: a name server that fails to tell of services makes it all fail. Otherwise the name's own
        addresses do: the relays of some access routers know nothing of SRV and NAPTR.
        """
        if port:  # RFC 3263 section 4.2: an explicit port leaves addresses to be looked up, and no more
            return await self._of_addresses(host, transport or "UDP", port)
        if transport:
            ways = [(transport, await self._services(_PREFIXES[transport] + host, "SRV", strict))]
        else:
            ways = await self._ways(host, strict)
        targets: list[Target] = []
        seconds = LONGEST_SECONDS
        for way, servers in ways:
            found, held_seconds = await self._of_servers(host, way, servers)
            targets += found
            if servers.rows:
                seconds = min(seconds, held_seconds)
        if targets or any(servers.rows for _, servers in ways):
            return tuple(dict.fromkeys(targets))[:MAX_TARGETS], seconds if targets else ABSENCE_SECONDS
        # RFC 3263 section 4.2: without SRV records, the addresses of the name and the default port.
        way = transport or "UDP"
        return await self._of_addresses(host, way, _PORTS[way])

    async def _ways(self, host: str, strict: bool) -> list[tuple[str, Records]]:
        """The SRV records of each transport that the domain offers, best transport first (RFC 3263 4.1)."""
        usual = [prefix + host for prefix in _PREFIXES.values()]
        pointers, *services = await asyncio.gather(
            self._services(host, "NAPTR", strict),
            *(self._services(name, "SRV", strict) for name in usual),
        )
        asked = dict(zip(usual, services, strict=True))
        usable = sorted(
            (row for row in pointers.rows[:MAX_RECORDS] if isinstance(row, Naptr) and _is_usable(row)),
            key=lambda row: (row.order, row.preference),
        )
        if not usable:
            return list(zip(_PREFIXES, services, strict=True))
        ways = []
        for row in usable:
            name = row.replacement.rstrip(".").lower()
            servers = asked.get(name) or await self._services(name, "SRV", strict)
            held = Records(servers.rows, min(servers.seconds, pointers.seconds))
            ways.append((_SERVICES[row.service.upper()], held))
        return ways

    async def _services(self, name: str, kind: Kind, strict: bool) -> Records:
        try:
            return await self._names.ask(name, kind)
        except LookupFailedError:
            if strict:
                raise
            return Records((), FAILURE_SECONDS)

    async def _of_servers(self, host: str, transport: str, servers: Records) -> tuple[list[Target], float]:
        targets: list[Target] = []
        seconds = servers.seconds
        rows = [row for row in servers.rows[:MAX_RECORDS] if isinstance(row, Srv)]
        for row in by_priority(rows, self._draw):
            target = row.target.rstrip(".").lower()
            if not target or not row.port:
                continue  # RFC 2782: "." says that the service isn't there
            found, held_seconds = await self._of_addresses(target, transport, row.port, named=host)
            targets += found
            if found:
                seconds = min(seconds, held_seconds)
            if len(targets) >= MAX_TARGETS:
                break
        return targets, seconds

    async def _of_addresses(
        self, name: str, transport: str, port: int, *, named: str = ""
    ) -> tuple[tuple[Target, ...], float]:
        answers = await asyncio.gather(
            self._names.ask(name, "A"), self._names.ask(name, "AAAA"), return_exceptions=True
        )
        told = [answer for answer in answers if isinstance(answer, Records)]
        rows = [row for answer in told for row in answer.rows[:MAX_RECORDS]]
        literals = [row for row in rows if isinstance(row, str) and is_address(row)]
        for answer in answers:
            if isinstance(answer, BaseException) and not literals:
                raise answer  # where one version is told, that the other isn't does no harm
        seconds = min((answer.seconds for answer in told if answer.rows), default=ABSENCE_SECONDS)
        targets = [Target(transport, literal, port, named or name) for literal in dict.fromkeys(literals)]
        return tuple(targets[:MAX_TARGETS]), seconds


def by_priority(rows: Iterable[Srv], draw: Callable[[], float]) -> list[Srv]:
    """SRV records in the order to try: by priority, and among equals drawn by weight (RFC 2782 page 4)."""
    ordered: list[Srv] = []
    left = sorted(rows, key=lambda row: (row.priority, row.weight))  # those of weight 0 first, as it says
    while left:
        equals = [row for row in left if row.priority == left[0].priority]
        aim = int(draw() * (sum(row.weight for row in equals) + 1))
        chosen = equals[-1]
        for row in equals:
            aim -= row.weight
            if aim <= 0:
                chosen = row
                break
        ordered.append(chosen)
        left.remove(chosen)
    return ordered


def _is_usable(row: Naptr) -> bool:
    return row.flags.lower() == "s" and row.service.upper() in _SERVICES and bool(row.replacement.strip("."))


def _numeric(host: str, port: int, transport: str) -> tuple[Target, ...]:
    """The target of a literal address (RFC 3263 section 4.1: UDP unless told otherwise)."""
    literal = host.strip("[]")
    if not is_address(literal):
        return ()
    way = transport or "UDP"
    return (Target(way, literal, port or _PORTS[way], literal),)


def _some(host: str, targets: tuple[Target, ...]) -> tuple[Target, ...]:
    if not targets:
        raise NotFoundError(f"{host} has no address")
    return targets


class Dns:
    """The machine's hosts file, then its name servers, through dnspython.

    servers: others to ask, as (address, port); None for those of /etc/resolv.conf. Both files are read again
    at each question: they change when the network does, and questions are rare.
    """

    def __init__(
        self, servers: Sequence[tuple[str, int]] | None = None, hosts: Path = Path("/etc/hosts")
    ) -> None:
        self._servers = servers
        self._hosts = hosts

    async def ask(self, name: str, kind: Kind) -> Records:
        """As NameServer.ask."""
        # A name of the hosts file is an address and nothing else, as for every program of the machine.
        listed = read_hosts(self._hosts, _SERVICE_LABELS.sub("", name))
        if listed:
            wanted = tuple(address for address in listed if (":" in address) == (kind == "AAAA"))
            return Records(wanted if kind in {"A", "AAAA"} else (), SYSTEM_SECONDS)
        # dnspython takes 8 MB and 0.2 s to import: a node with literal addresses alone needs none of it.
        await asyncio.to_thread(importlib.import_module, "sip.net.name_servers")
        from sip.net.name_servers import ask

        return await ask(self._servers, name, kind, QUESTION_SECONDS)


def read_hosts(path: Path, name: str) -> list[str]:
    """The literal addresses that a hosts file gives a name (hosts(5)); empty without any."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = file.read(MAX_HOSTS_CHARACTERS).splitlines()
    except OSError:
        return []
    wanted = name.lower()
    found = []
    for line in lines:
        address, *names = line.partition("#")[0].lower().split() or [""]
        if wanted in names and is_address(address):
            found.append(address)
    return found
