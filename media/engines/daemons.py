"""A pool of rtpengine daemons: which of them are there, and which takes the next call.

```
             answers a ping, and gives ports
    down ─────────────────────────────────────> up ──── choose: the one with the fewest calls
      ^                                          │        (never one that is draining)
      └──────────────────────────────────────────┘
             no answer to a ping or to any verb: `lost` is called once
```
A call stays with its daemon. A daemon that is draining keeps its calls and gets no new ones, so that its
machine can be stopped once it has none. A daemon that comes back has forgotten all calls.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from media import sdp
from media.engine import MediaUnavailable
from media.engines.ng import Client, Link, NgRefused, NgSilent, Reply, Said, Value

_log = logging.getLogger(__name__)

PING_SECONDS: Final = 2.0
_PROBE: Final = "beffroi-probe"


class Carrier(Protocol):
    """What carries datagrams to one daemon, such as `media.engines.ng.Link`."""

    def send(self, datagram: bytes) -> None: ...
    def close(self) -> None: ...


# Given the daemon's address, what to call with each datagram from there, and when nothing listens there.
Connect: TypeAlias = Callable[[tuple[str, int], Callable[[bytes], None], Callable[[str], None]], Carrier]


class Daemon:
    """One rtpengine. name: HOST:PORT of its ng socket, as configured; addresses: put in SDP, by "is IPv6".

    up: it answers; draining: it takes no new call; calls: the ids of those that it has.
    """

    def __init__(self, address: tuple[str, int], connect: Connect = Link) -> None:
        self.address = address
        self._connect = connect
        self.name = f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
        self.up = self.draining = False
        self.addresses: dict[bool, str] = {}
        self.calls: set[str] = set()
        self.client = Client(_unsent)
        self._link: Carrier | None = None

    def open(self) -> None:
        """Open the socket. Raises OSError where no way leads to the daemon."""
        if self._link is None:
            self._link = self._connect(self.address, self.client.receive, self.client.lose)
            self.client.send = self._link.send

    def close(self) -> None:
        """Close the socket; what waits for an answer gets none."""
        self.up = False
        if self._link is not None:
            self._link.close()
            self._link = None
            self.client.send = _unsent
        self.client.lose("the engine is closed")


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """How one daemon is. calls: in progress there; addresses: that it puts in SDP."""

    name: str
    up: bool
    draining: bool
    calls: int
    addresses: tuple[str, ...]


class Pool:
    """The daemons of one engine. lost: called with a daemon that is gone, and why."""

    def __init__(
        self,
        addresses: Sequence[tuple[str, int]],
        lost: Callable[[Daemon, str], None] | None = None,
        connect: Connect = Link,
    ) -> None:
        daemons = [Daemon(address, connect) for address in addresses]
        self.daemons = {daemon.name: daemon for daemon in daemons}
        self.lost: Callable[[Daemon, str], None] = lost or (lambda _daemon, _reason: None)

    async def start(self) -> None:
        """Ask every daemon whether it is there. Raises MediaUnavailable when none is."""
        reasons = await asyncio.gather(*(self._visit(daemon) for daemon in self.daemons.values()))
        if not any(daemon.up for daemon in self.daemons.values()):
            raise MediaUnavailable(
                "no rtpengine answers: "
                + "; ".join(f"{name}: {reason}" for name, reason in zip(self.daemons, reasons, strict=True))
            )

    async def watch(self) -> None:
        """Ping every daemon for ever: which of them are up is known within some seconds."""
        async with asyncio.TaskGroup() as group:
            for daemon in self.daemons.values():
                group.create_task(self._watch(daemon))

    def close(self) -> None:
        """Close all sockets."""
        for daemon in self.daemons.values():
            daemon.close()

    def choose(self, *, emergency: bool = False) -> Daemon:
        """Return the daemon for a new call: one that is draining only for an emergency, where no other is up.

        Raises MediaUnavailable when there is none.
        """
        up = [daemon for daemon in self.daemons.values() if daemon.up]
        usable = [daemon for daemon in up if not daemon.draining] or (up if emergency else [])
        if not usable:
            raise MediaUnavailable("every rtpengine is draining" if up else "no rtpengine answers")
        return min(usable, key=lambda daemon: len(daemon.calls))

    def drain(self, name: str, *, draining: bool = True) -> None:
        """Give a daemon no new call, or again. Raises KeyError for a name that isn't configured."""
        self.daemons[name].draining = draining

    def lose(self, daemon: Daemon, reason: str) -> None:
        """Count a daemon as gone until it answers a ping again; nothing for one that is gone already."""
        if daemon.up:
            daemon.up = False
            _log.error("rtpengine=%s lost: %s", daemon.name, reason)
            self.lost(daemon, reason)

    def status(self) -> list[DaemonStatus]:
        """Return how the daemons are, in the order of the configuration."""
        return [
            DaemonStatus(one.name, one.up, one.draining, len(one.calls), tuple(one.addresses.values()))
            for one in self.daemons.values()
        ]

    async def _watch(self, daemon: Daemon) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS)
            if not daemon.up:
                await self._visit(daemon)
                continue
            try:
                await daemon.client.ask("ping")
            except (NgSilent, NgRefused) as error:
                self.lose(daemon, str(error))

    async def _visit(self, daemon: Daemon) -> str:
        """See whether a daemon is there, and learn its addresses. Returns why it isn't, "" when it is."""
        try:
            daemon.open()
            await daemon.client.ask("ping")
            daemon.addresses = {}
            for ipv6 in (False, True):
                await _learn(daemon, ipv6)
        except (NgSilent, NgRefused, OSError) as error:
            _log.debug("rtpengine=%s is not there: %s", daemon.name, error)
            return str(error)
        if not daemon.addresses:
            return "it gives no ports"
        daemon.up = True
        _log.info(
            "rtpengine=%s is up, sound goes to %s", daemon.name, " and ".join(daemon.addresses.values())
        )
        return ""


async def _learn(daemon: Daemon, ipv6: bool) -> None:
    """Ask for a port on one kind of address: what the daemon writes in SDP shows the address.

    A daemon without such an address answers that it ran out of ports. Raises NgSilent.
    """
    said: dict[str, Said] = {"call-id": _PROBE, "from-tag": "a", "to-tag": "b", "sdp": nowhere(ipv6)}
    said |= {"ICE": "remove", "replace": ["zero-address"], "address family": "IP6" if ipv6 else "IP4"}
    try:
        answer = await daemon.client.ask("offer", said)
        host, _ = place_in(answer)
    except NgRefused:
        return
    if (":" in host) == ipv6:
        daemon.addresses[ipv6] = host
    await daemon.client.ask("delete", {"call-id": _PROBE, "from-tag": "a", "delete delay": 0})


def nowhere(ipv6: bool, profile: str = "RTP/AVP") -> bytes:
    """Return a description of a party that has no address yet, to ask for a port with."""
    address = "IN IP6 ::" if ipv6 else "IN IP4 0.0.0.0"
    return (
        f"v=0\r\no=- 1 1 {address}\r\ns=-\r\nc={address}\r\nt=0 0\r\n"
        f"m=audio 9 {profile} 8\r\na=rtpmap:8 PCMA/8000\r\n"
    ).encode()


def place_in(answer: Reply) -> tuple[str, int]:
    """Return host and port of the audio stream in a daemon's answer.

    Raises NgRefused when there is none: an answer that can't be read is worth as much as a refusal.
    """
    media = audio_in(answer)
    return media.host, media.port


def audio_in(answer: Reply) -> sdp.MediaDescription:
    """Return the audio stream in a daemon's answer. Raises NgRefused when there is none, or no port in it."""
    body: Value = answer.get("sdp", b"")
    try:
        audio = sdp.parse(body if isinstance(body, bytes) else b"").media[0]
    except (sdp.SdpError, IndexError) as error:
        raise NgRefused("offer or answer", f"its SDP can't be read: {error}") from None
    if not audio.port:
        raise NgRefused("offer or answer", "it gave no port")
    return audio


def _unsent(_datagram: bytes) -> None:
    """A daemon that isn't open: the datagram is lost."""
