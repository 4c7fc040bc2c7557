"""The virtual network: hosts, links, NAT boxes, datagrams and streams, all of it from one seed.

    alice 10.0.0.2 ──link── box 192.0.2.1 ──link── pbx 192.0.2.10          a realm is one address space:
           └── the box's inner realm ──┘└───── the public realm ─────┘      a NAT box stands in two

A datagram travels hop by hop; each hop draws its loss, delay, duplicates and reordering from a generator of
its own, seeded with the network's seed and the two names, so that traffic elsewhere never changes the draw.
On a hop without reordering datagrams keep their order whatever the jitter, as on a wire.

A stream delivers its bytes once and in order, in pieces of any size; loss only delays it, and after
STREAM_TRIES losses in a row both ends see it broken.
"""

from __future__ import annotations

import asyncio
import enum
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sip.core.flow import Flow, host_port

Address = tuple[str, int]

MAX_DATAGRAM_BYTES = 65_507
WIRE_SECONDS = 1e-6
"""One datagram follows another by at least this much on a hop, so that no two arrive at one instant."""
RETRANSMISSION_SECONDS = 0.2
STREAM_TRIES = 8
STREAM_BINDING_SECONDS = 7_440.0
"""How long a NAT remembers a silent stream: the two hours and four minutes of RFC 5382 REQ-5."""
FIRST_EPHEMERAL_PORT = 49_152
FIRST_NAT_PORT = 40_000


@dataclass(frozen=True)
class Link:
    """What a hop does to datagrams, in each direction. Probabilities are 0.0 to 1.0."""

    latency_seconds: float = 0.001
    jitter_seconds: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    reorder_seconds: float = 0.02
    """How much later a reordered datagram arrives: what was sent meanwhile overtakes it."""
    largest_datagram_bytes: int = MAX_DATAGRAM_BYTES
    """Longer ones are lost, as where a firewall drops fragments (RFC 3261 section 18.1.1)."""


CUT = Link(loss=1.0)


class Fate(enum.Enum):
    """What became of something sent."""

    TRAVELS = "travels"
    ARRIVED = "arrived"
    LOST = "lost"
    NO_ROUTE = "no route"
    NO_PORT = "nobody listens"
    FILTERED = "filtered by a NAT"


@dataclass(eq=False)
class Passage:
    """One datagram, or one write to a stream, from the moment it was sent."""

    sent_at: float
    transport: str
    sender: str
    receiver: str
    """The host it was for; an address where nobody is known."""
    source: Address
    destination: Address
    data: bytes
    fate: Fate = Fate.TRAVELS
    arrived_at: float | None = None
    copies: int = 0

    def arrive(self, now: float) -> None:
        """Note one copy's arrival; the first one decides the time."""
        self.fate = Fate.ARRIVED
        self.copies += 1
        if self.arrived_at is None:
            self.arrived_at = now


class Mapping(enum.Enum):
    """Which packets share an external port. RFC 4787 section 4.1."""

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_AND_PORT_DEPENDENT = "address and port-dependent"


class Filtering(enum.Enum):
    """From whom a packet comes in. RFC 4787 section 5."""

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address and port-dependent"


@dataclass(frozen=True)
class NatKind:
    """A NAT's mapping and filtering; the older names are those of RFC 3489 section 5."""

    mapping: Mapping
    filtering: Filtering


FULL_CONE = NatKind(Mapping.ENDPOINT_INDEPENDENT, Filtering.ENDPOINT_INDEPENDENT)
RESTRICTED_CONE = NatKind(Mapping.ENDPOINT_INDEPENDENT, Filtering.ADDRESS_DEPENDENT)
PORT_RESTRICTED = NatKind(Mapping.ENDPOINT_INDEPENDENT, Filtering.ADDRESS_AND_PORT_DEPENDENT)
SYMMETRIC = NatKind(Mapping.ADDRESS_AND_PORT_DEPENDENT, Filtering.ADDRESS_AND_PORT_DEPENDENT)


class Network:
    """Everything between the hosts. Raises ValueError for an address or a port given twice."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seed: int, link: Link = Link()) -> None:
        self.loop = loop
        self.seed = seed
        self.default_link = link
        self.public = Realm("public", None)
        self.watchers: list[Callable[[Passage], None]] = []
        self.fates: Counter[Fate] = Counter()
        self._links: dict[tuple[str, str], Link] = {}
        self._hops: dict[tuple[str, str], Hop] = {}
        self._hosts: list[Host] = []

    def host(self, name: str, address: str, behind: Nat | None = None) -> Host:
        """A machine at `address` of the public realm, or of the realm inside a NAT."""
        host = Host(self, name, address, behind.inside if behind else self.public)
        self._hosts.append(host)
        return host

    def nat(
        self,
        name: str,
        address: str,
        kind: NatKind,
        *,
        binding_seconds: float = 120.0,
        hairpins: bool = True,
        behind: Nat | None = None,
    ) -> Nat:
        """A NAT box whose outer address is `address`; `behind` puts it inside another one.

        binding_seconds: a UDP mapping dies after that long without a packet going out (RFC 4787 REQ-5 says
        at least two minutes; many boxes say 30 s).
        """
        outside = behind.inside if behind else self.public
        return Nat(self, name, address, kind, outside, binding_seconds, hairpins)

    def link(self, one: Host | Nat, other: Host | Nat, link: Link) -> None:
        """Set the hop between two neighbours, both ways, from now on."""
        self.link_one_way(one, other, link)
        self.link_one_way(other, one, link)

    def link_one_way(self, sender: Host | Nat, receiver: Host | Nat, link: Link) -> None:
        """Set the hop in one direction, from now on."""
        self._links[sender.name, receiver.name] = link

    def hop(self, sender: str, receiver: str) -> Hop:
        """The hop from one neighbour to the next, with its own chance."""
        hop = self._hops.get((sender, receiver))
        if hop is None:
            chance = random.Random(f"{self.seed}:{sender}>{receiver}")  # the same text, the same draws
            hop = self._hops[sender, receiver] = Hop(self, sender, receiver, chance)
        return hop

    def link_between(self, sender: str, receiver: str) -> Link:
        """What is set for the hop, or the network's default; a machine talks to itself at once."""
        if sender == receiver:
            return Link(latency_seconds=0.0)
        return self._links.get((sender, receiver), self.default_link)

    def end(self, passage: Passage, fate: Fate) -> None:
        """Note what became of a passage; a copy that arrived counts more than one that didn't."""
        self.fates[fate] += 1
        if fate is Fate.ARRIVED:
            passage.arrive(self.loop.time())
        elif passage.fate is Fate.TRAVELS:
            passage.fate = fate

    def begin(self, passage: Passage) -> Passage:
        """Show a passage to those who watch."""
        for watcher in self.watchers:
            watcher(passage)
        return passage

    def inventory(self) -> dict[str, int]:
        """What is open: UDP endpoints, listening streams, stream ends."""
        return {
            "UDP endpoints": sum(len(host.datagrams) for host in self._hosts),
            "stream listeners": sum(len(host.listeners) for host in self._hosts),
            "stream ends": sum(len(host.streams) for host in self._hosts),
        }


@dataclass(eq=False)
class Realm:
    """One address space: who has which address, and the NAT that leads out."""

    name: str
    gateway: Nat | None
    members: dict[str, Host | Nat] = field(default_factory=dict)

    def add(self, member: Host | Nat, address: str) -> None:
        """Give an address to a member. Raises ValueError when it is taken."""
        if address in self.members:
            raise ValueError(f"{address} is already {self.members[address].name} in {self.name}")
        self.members[address] = member

    def next(self, address: str) -> Host | Nat | None:
        """The neighbour to hand a packet for `address` to; None where no road leads there."""
        return self.members.get(address, self.gateway)


class Hop:
    """One direction between two neighbours."""

    def __init__(self, network: Network, sender: str, receiver: str, chance: random.Random) -> None:
        self._network = network
        self._sender = sender
        self._receiver = receiver
        self._chance = chance
        self._last_arrival = 0.0

    def arrivals(self, size_bytes: int) -> list[float]:
        """When the copies of one datagram arrive, in loop seconds; empty when it is lost."""
        link = self._network.link_between(self._sender, self._receiver)
        # Always the same number of draws, so that a link that changes doesn't shift the ones that follow.
        lost, doubled, late, jitter = (self._chance.random() for _ in range(4))
        if lost < link.loss or size_bytes > link.largest_datagram_bytes:
            return []
        arrival = self._network.loop.time() + link.latency_seconds + jitter * link.jitter_seconds
        if late < link.reorder:
            arrivals = [arrival + link.reorder_seconds]
        else:
            arrivals = [self._in_order(arrival)]
        if doubled < link.duplicate:
            arrivals.append(self._in_order(arrival))
        return arrivals

    def stream_delay(self) -> float | None:
        """How long a piece of a stream takes, retransmissions included; None when every try was lost."""
        link = self._network.link_between(self._sender, self._receiver)
        waited = 0.0
        for attempt in range(STREAM_TRIES):
            if self._chance.random() >= link.loss:
                return waited + link.latency_seconds + self._chance.random() * link.jitter_seconds
            waited += RETRANSMISSION_SECONDS * 2**attempt
        return None

    def _in_order(self, arrival: float) -> float:
        self._last_arrival = max(arrival, self._last_arrival + WIRE_SECONDS)
        return self._last_arrival


@dataclass(eq=False)
class _Packet:
    """A datagram between two hops: its addresses as the realm that it is in sees them."""

    passage: Passage
    source: Address
    destination: Address
    hops_left: int = 16


def _forward(network: Network, sender: Host | Nat, realm: Realm, packet: _Packet) -> None:
    """Put a packet on the hop that leads from `sender` through `realm`."""
    receiver = realm.next(packet.destination[0])
    packet.hops_left -= 1
    if receiver is None or packet.hops_left < 0:
        network.end(packet.passage, Fate.NO_ROUTE)
        return
    arrivals = network.hop(sender.name, receiver.name).arrivals(len(packet.passage.data))
    if not arrivals:
        network.end(packet.passage, Fate.LOST)
    for arrival in arrivals:
        copy = _Packet(packet.passage, packet.source, packet.destination, packet.hops_left)
        network.loop.call_at(arrival, receiver.arrive, copy, realm)


class Host:
    """A machine with one address. Its endpoints and streams are closed by those who opened them."""

    def __init__(self, network: Network, name: str, address: str, realm: Realm) -> None:
        self.network = network
        self.name = name
        self.address = address
        self.realm = realm
        self.datagrams: dict[int, DatagramEndpoint] = {}
        self.listeners: dict[int, StreamListener] = {}
        self.streams: set[StreamFlow] = set()
        self._next_port = FIRST_EPHEMERAL_PORT
        realm.add(self, address)

    def bind(self, port: int, receive: Callable[[bytes, Flow], None]) -> DatagramEndpoint:
        """Open a UDP port (0: any free one); receive(data, flow) is called for each datagram.

        Raises OSError when the port is taken.
        """
        port = port or self._free_port()
        if port in self.datagrams:
            raise OSError(f"UDP port {port} of {self.name} is in use")
        endpoint = self.datagrams[port] = DatagramEndpoint(self, port, receive)
        return endpoint

    def listen(
        self, port: int, accept: Callable[[StreamFlow], None], transport: str = "TCP"
    ) -> StreamListener:
        """Wait for streams; accept(flow) sets flow.receive and flow.closed. Raises OSError when taken."""
        if port in self.listeners:
            raise OSError(f"stream port {port} of {self.name} is in use")
        listener = self.listeners[port] = StreamListener(self, port, accept, transport)
        return listener

    async def connect(
        self,
        remote: Address,
        receive: Callable[[bytes, Flow], None],
        closed: Callable[[Flow], None],
        transport: str = "TCP",
    ) -> StreamFlow:
        """Open a stream to `remote`: receive(data, flow) for its bytes, closed(flow) at its end.

        Raises ConnectionRefusedError when nobody listens there, TimeoutError when nothing answers, OSError
        when no road leads there.
        """
        return await _connect(self, remote, receive, closed, transport)

    def crash(self) -> None:
        """Lose every endpoint and stream at once, without a word to anyone, as a power cut does."""
        for endpoint in list(self.datagrams.values()):
            endpoint.close()
        self.listeners.clear()
        for stream in list(self.streams):
            stream.vanish()

    def arrive(self, packet: _Packet, realm: Realm) -> None:
        """Take a datagram from the network."""
        endpoint = self.datagrams.get(packet.destination[1])
        if packet.destination[0] != self.address or endpoint is None:
            self.network.end(packet.passage, Fate.NO_PORT)
            return
        self.network.end(packet.passage, Fate.ARRIVED)
        endpoint.receive(packet.passage.data, endpoint.flow(packet.source))

    def _free_port(self) -> int:
        while self._next_port in self.datagrams:
            self._next_port += 1
        self._next_port += 1
        return self._next_port - 1

    def ephemeral_port(self) -> int:
        """A port for the near end of a stream."""
        self._next_port += 1
        return self._next_port - 1

    def __repr__(self) -> str:
        return f"{self.name} ({self.address})"


class DatagramEndpoint:
    """One open UDP port."""

    def __init__(self, host: Host, port: int, receive: Callable[[bytes, Flow], None]) -> None:
        self.host = host
        self.local: Address = (host.address, port)
        self.receive = receive
        self.is_open = True
        self._flows: dict[Address, DatagramFlow] = {}

    def flow(self, remote: Address) -> DatagramFlow:
        """The flow to `remote`: always the same object, as the core compares flows by identity."""
        flow = self._flows.get(remote)
        if flow is None:
            flow = self._flows[remote] = DatagramFlow(self, remote)
        return flow

    def send(self, data: bytes, remote: Address) -> None:
        """Send one datagram. Raises OSError when the port is closed or the datagram too long."""
        if not self.is_open:
            raise OSError(f"UDP port {self.local[1]} of {self.host.name} is closed")
        if len(data) > MAX_DATAGRAM_BYTES:
            raise OSError(f"{len(data)} bytes are too long for a datagram")
        network = self.host.network
        passage = network.begin(
            Passage(
                sent_at=network.loop.time(),
                transport="UDP",
                sender=self.host.name,
                receiver=_name_of(self.host.realm, remote),
                source=self.local,
                destination=remote,
                data=bytes(data),
            )
        )
        _forward(network, self.host, self.host.realm, _Packet(passage, self.local, remote))

    def close(self) -> None:
        """Free the port; datagrams on their way find nobody."""
        self.is_open = False
        if self.host.datagrams.get(self.local[1]) is self:
            del self.host.datagrams[self.local[1]]


class DatagramFlow(Flow):
    """The way between a UDP port and one remote address."""

    __slots__ = ("_endpoint",)

    def __init__(self, endpoint: DatagramEndpoint, remote: Address) -> None:
        super().__init__("UDP", endpoint.local, remote)
        self._endpoint = endpoint

    @property
    def open(self) -> bool:
        return self._endpoint.is_open

    def toward(self, remote: Address) -> Flow:
        return self._endpoint.flow(remote)

    def send(self, data: bytes) -> None:
        self._endpoint.send(data, self.remote)


# --- NAT ---------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Binding:
    """One external port of a NAT and whom it stands for."""

    inner: Address
    outer_port: int
    peers: set[Address]
    last_out: float
    idle_seconds: float
    """It dies after that long without a packet going out."""

    def admits(self, source: Address, filtering: Filtering) -> bool:
        """Whether a packet from `source` may come in. RFC 4787 section 5."""
        match filtering:
            case Filtering.ENDPOINT_INDEPENDENT:
                return True
            case Filtering.ADDRESS_DEPENDENT:
                return source[0] in {peer[0] for peer in self.peers}
            case Filtering.ADDRESS_AND_PORT_DEPENDENT:
                return source in self.peers


class Nat:
    """A NAT box: an address outside, a realm inside."""

    def __init__(
        self,
        network: Network,
        name: str,
        address: str,
        kind: NatKind,
        outside: Realm,
        binding_seconds: float,
        hairpins: bool,
    ) -> None:
        self.network = network
        self.name = name
        self.address = address
        self.kind = kind
        self.outside = outside
        self.inside = Realm(f"inside {name}", self)
        self.binding_seconds = binding_seconds
        self.hairpins = hairpins
        self._bindings: dict[int, Binding] = {}
        self._by_inner: dict[tuple[Address, Address | None], Binding] = {}
        self._next_port = FIRST_NAT_PORT
        outside.add(self, address)

    def forget(self) -> None:
        """Lose every binding, as a box that restarts does; its ports start elsewhere afterwards."""
        self._bindings.clear()

    def arrive(self, packet: _Packet, realm: Realm) -> None:
        """Translate a datagram that comes from either side."""
        if realm is self.inside:
            self._leave(packet)
        else:
            self._enter(packet)

    def map(self, inner: Address, destination: Address, *, stream: bool = False) -> Binding:
        """The binding of `inner` towards `destination`, made or refreshed."""
        key = (inner, destination if self.kind.mapping is Mapping.ADDRESS_AND_PORT_DEPENDENT else None)
        binding = self._by_inner.get(key)
        if binding is None or not self._alive(binding):
            idle_seconds = STREAM_BINDING_SECONDS if stream else self.binding_seconds
            binding = Binding(inner, self._next_port, set(), 0.0, idle_seconds)
            self._next_port += 1
            self._by_inner[key] = self._bindings[binding.outer_port] = binding
        # REQ-6: a packet that goes out refreshes the mapping; one that comes in doesn't.
        binding.last_out = self.network.loop.time()
        binding.peers.add(destination)
        return binding

    def carries(self, binding: Binding) -> bool:
        """Whether a piece of a stream gets through a binding; either way it keeps the binding alive."""
        if not self._alive(binding):
            return False
        binding.last_out = self.network.loop.time()
        return True

    def owner(self, outer_port: int) -> Address | None:
        """Who is behind an external port now; None when nobody is."""
        binding = self._bindings.get(outer_port)
        return binding.inner if binding is not None and self._alive(binding) else None

    def _leave(self, packet: _Packet) -> None:
        if packet.destination[0] == self.address and not self.hairpins:
            self.network.end(packet.passage, Fate.FILTERED)
            return
        packet.source = (self.address, self.map(packet.source, packet.destination).outer_port)
        _forward(self.network, self, self.outside, packet)

    def _enter(self, packet: _Packet) -> None:
        binding = self._bindings.get(packet.destination[1])
        if packet.destination[0] != self.address or binding is None or not self._alive(binding):
            self.network.end(packet.passage, Fate.NO_PORT)
        elif not binding.admits(packet.source, self.kind.filtering):
            self.network.end(packet.passage, Fate.FILTERED)
        else:
            packet.destination = binding.inner
            _forward(self.network, self, self.inside, packet)

    def _alive(self, binding: Binding) -> bool:
        known = self._bindings.get(binding.outer_port) is binding
        return known and self.network.loop.time() - binding.last_out < binding.idle_seconds


def _name_of(realm: Realm, address: Address) -> str:
    """The host that an address stands for, seen from a realm, through the bindings of NATs."""
    member = realm.members.get(address[0])
    if isinstance(member, Host):
        return member.name
    if isinstance(member, Nat):
        inner = member.owner(address[1])
        return _name_of(member.inside, inner) if inner else host_port(address)
    return _name_of(realm.gateway.outside, address) if realm.gateway else host_port(address)


# --- Streams -----------------------------------------------------------------------------------------------


class StreamListener:
    """A port where streams are accepted."""

    def __init__(self, host: Host, port: int, accept: Callable[[StreamFlow], None], transport: str) -> None:
        self.host = host
        self.local: Address = (host.address, port)
        self.accept = accept
        self.transport = transport

    def close(self) -> None:
        """Accept no more; streams that exist go on."""
        if self.host.listeners.get(self.local[1]) is self:
            del self.host.listeners[self.local[1]]


@dataclass(frozen=True)
class _Way:
    """One direction of a stream."""

    hops: list[Hop]
    bindings: list[tuple[Nat, Binding]]

    def delay(self) -> float | None:
        """How long a piece takes; None when it never arrives."""
        if not all(nat.carries(binding) for nat, binding in self.bindings):
            return None
        total = 0.0
        for hop in self.hops:
            delay = hop.stream_delay()
            if delay is None:
                return None
            total += delay
        return total


class StreamFlow(Flow):
    """One end of a stream.

    receive(data, flow) gets the bytes in order, closed(flow) is called once, when the other end closes or
    the stream breaks; not after our own close().
    """

    __slots__ = (
        "_arrivals",
        "_host",
        "_is_open",
        "_way",
        "closed",
        "largest_piece_bytes",
        "peer",
        "receive",
        "words_seconds",
    )

    def __init__(self, host: Host, local: Address, remote: Address, way: _Way, transport: str) -> None:
        super().__init__(transport, local, remote)
        self.receive: Callable[[bytes, Flow], None] = _unread
        self.closed: Callable[[Flow], None] = _unheard
        self.peer: StreamFlow
        self.largest_piece_bytes: int | None = None
        """Cut what is sent into pieces of at most this many bytes; None leaves each write whole."""
        self.words_seconds: float | None = None
        """How often the other end has promised to speak, None where it hasn't (Flow.expect_words)."""
        self._host = host
        self._way = way
        self._arrivals = 0.0
        self._is_open = True
        host.streams.add(self)

    @property
    def open(self) -> bool:
        return self._is_open

    def expect_words(self, seconds: float) -> None:
        """Note it: who keeps connections closes those that fall silent, and has tests of its own."""
        self.words_seconds = seconds

    def send(self, data: bytes) -> None:
        """Write bytes. Raises OSError when this end is closed or the stream broke."""
        if not self._is_open:
            raise OSError(f"{self!r} is closed")
        network = self._host.network
        passage = network.begin(
            Passage(
                sent_at=network.loop.time(),
                transport=self.transport,
                sender=self._host.name,
                receiver=self.peer._host.name,
                source=self.local,
                destination=self.remote,
                data=bytes(data),
            )
        )
        size = self.largest_piece_bytes or max(len(data), 1)
        pieces = [bytes(data[start : start + size]) for start in range(0, len(data), size)]
        for number, piece in enumerate(pieces):
            self._deliver(piece, passage if number == len(pieces) - 1 else None)

    def close(self) -> None:
        """End the stream; what was written before still arrives, then the other end's closed() is called."""
        if not self._is_open:
            return
        self.vanish()
        delay = self._way.delay()
        if delay is not None:
            self._schedule(delay, self.peer.hear_end)

    def vanish(self) -> None:
        """End this side without telling the other, as a crash or a forgotten NAT binding does."""
        self._is_open = False
        self._host.streams.discard(self)

    def hear_end(self) -> None:
        """The other end closed, or the stream broke."""
        if self._is_open:
            self.vanish()
            self.closed(self)

    def _deliver(self, piece: bytes, passage: Passage | None) -> None:
        delay = self._way.delay()
        if delay is None:
            self._break(passage)
        else:
            self._schedule(delay, self._arrive, piece, passage)

    def _arrive(self, piece: bytes, passage: Passage | None) -> None:
        network = self._host.network
        if not self.peer.open:
            # The other side is gone: it answers with a reset, or nothing at all; either way this end breaks.
            if passage is not None:
                network.end(passage, Fate.NO_PORT)
            self._schedule(0.0, self.hear_end)
            return
        if passage is not None:
            network.end(passage, Fate.ARRIVED)
        self.peer.receive(piece, self.peer)

    def _break(self, passage: Passage | None) -> None:
        """Every retransmission was lost: after their time both ends know."""
        if passage is not None:
            self._host.network.end(passage, Fate.LOST)
        given_up = RETRANSMISSION_SECONDS * (2**STREAM_TRIES - 1)
        self._schedule(given_up, self.hear_end)
        self._schedule(given_up, self.peer.hear_end)

    def _schedule(self, delay: float, call: Callable[..., None], *args: object) -> None:
        loop = self._host.network.loop
        self._arrivals = max(loop.time() + delay, self._arrivals + WIRE_SECONDS)
        loop.call_at(self._arrivals, call, *args)


@dataclass(frozen=True)
class _Road:
    """The way to a stream's end: the hops, the NAT bindings passed, the source as the end sees it."""

    hops: list[tuple[str, str]]
    bindings: list[tuple[Nat, Binding]]
    source: Address
    end: Host | None
    """None where the road ends at a NAT's outer side."""


def _road(host: Host, source: Address, remote: Address) -> _Road:
    sender: Host | Nat = host
    realm = host.realm
    hops: list[tuple[str, str]] = []
    bindings: list[tuple[Nat, Binding]] = []
    while True:
        receiver = realm.next(remote[0])
        if receiver is None:
            raise OSError(f"no road from {host.name} to {host_port(remote)}")
        hops.append((sender.name, receiver.name))
        if isinstance(receiver, Host):
            return _Road(hops, bindings, source, receiver)
        if receiver is not realm.gateway:
            return _Road(hops, bindings, source, None)
        binding = receiver.map(source, remote, stream=True)
        bindings.append((receiver, binding))
        source = (receiver.address, binding.outer_port)
        sender, realm = receiver, receiver.outside


async def _connect(
    host: Host,
    remote: Address,
    receive: Callable[[bytes, Flow], None],
    closed: Callable[[Flow], None],
    transport: str,
) -> StreamFlow:
    network = host.network
    local: Address = (host.address, host.ephemeral_port())
    road = _road(host, local, remote)
    there = [network.hop(sender, receiver) for sender, receiver in road.hops]
    back = [network.hop(receiver, sender) for sender, receiver in reversed(road.hops)]
    for hop in (*there, *back):
        delay = hop.stream_delay()
        if delay is None:
            await asyncio.sleep(RETRANSMISSION_SECONDS * (2**STREAM_TRIES - 1))
            raise TimeoutError(f"{host_port(remote)} doesn't answer")
        await asyncio.sleep(delay)
    listener = road.end.listeners.get(remote[1]) if road.end is not None else None
    if listener is None or listener.transport != transport:
        raise ConnectionRefusedError(f"nobody listens for {transport} at {host_port(remote)}")
    near = StreamFlow(host, local, remote, _Way(there, road.bindings), transport)
    far = StreamFlow(listener.host, listener.local, road.source, _Way(back, road.bindings), transport)
    near.peer, far.peer = far, near
    near.receive, near.closed = receive, closed
    listener.accept(far)
    return near


def _unread(data: bytes, flow: Flow) -> None:
    raise AssertionError(f"{flow!r} received {len(data)} bytes and has no receiver")


def _unheard(flow: Flow) -> None:
    """A stream whose end nobody listens to."""
