"""The transports of one node: every socket that SIP is heard on, and which of them leads to a peer."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import TypeVar

from pbx.configuration import Configuration
from pbx.node.certificates import CertificatesInUse, needs_certificate
from pbx.node.sockets import Sockets
from sip.core.flow import Flow
from sip.net.addresses import family_of
from sip.net.driver import Driver
from sip.net.relayed import Relayed
from sip.net.stream import Connections, StreamTransport
from sip.net.tls import PeerIdentity, ServerContexts
from sip.net.udp import UdpTransport


class Transports:
    """UDP, TCP, TLS, WebSocket and secure WebSocket, and the WebSockets that the web process hands on.

    clock: wall time in Unix seconds, for certificates. admit: whether an address may connect.
    """

    def __init__(
        self,
        driver: Driver,
        settings: Configuration,
        sockets: Sockets,
        clock: Callable[[], float],
        admit: Callable[[str], bool],
    ) -> None:
        self._driver = driver
        self._settings = settings
        self._connections = Connections(admit)
        self._certificates = CertificatesInUse(settings, clock) if needs_certificate(settings) else None
        self._udp = [UdpTransport(driver, bound) for bound in sockets.udp]
        self._streams = [self._stream(transport, bound) for transport, bound in sockets.streams]
        self._relayed, self._pages = Relayed(driver, self._connections), sockets.pages

    def _stream(
        self,
        transport: str,
        bound: socket.socket | None,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> StreamTransport:
        own = self._certificates
        return StreamTransport(
            self._driver,
            bound,
            transport=transport,
            family=family,
            server=own.contexts if own is not None else None,
            ca_file=self._settings.sip.server_ca,
            certificate=own.certificates[0] if own is not None and own.certificates else None,
            connections=self._connections,
            origins=frozenset(self._settings.sip.websocket_origins),
        )

    async def start(self) -> None:
        """Accept connections."""
        for stream in self._streams:
            await stream.start()
        await self._relayed.start(self._pages)

    async def watch(self) -> None:
        """Take certificates that change, until cancelled; returns at once where there are none."""
        if self._certificates is not None:
            self._certificates.on_change = self._show
            await self._certificates.watch()

    def _show(self, contexts: ServerContexts) -> None:
        assert self._certificates is not None
        for stream in self._streams:
            stream.server = contexts
            stream.certificate = self._certificates.certificates[0]

    def flow(
        self,
        transport: str,
        remote: tuple[str, int],
        local: tuple[str, int] | None,
        identity: PeerIdentity | None = None,
    ) -> Flow:
        """The flow to an address over the socket at `local`, else the first of its family.

        identity: who the peer must prove to be, over TLS. Raises OSError where nothing leads there.
        """
        family = family_of(remote[0])
        if transport == "UDP":
            sockets = [udp for udp in self._udp if udp.family == family]
            if not sockets:
                raise OSError(f"no UDP socket reaches {remote[0]}")
            return nearest(local, sockets).flow_to(remote)
        streams = [one for one in self._streams if one.transport == transport and one.family == family]
        if not streams:  # nobody can connect to us this way; we can to others
            streams = [self._stream(transport, None, family)]
            self._streams += streams
        return nearest(local, streams).flow_to(remote, identity)

    def address_changed(self) -> None:
        """Our external address is another one: peers are told so from their next message on."""
        for udp in self._udp:
            udp.address_changed()
        for stream in self._streams:
            stream.address_changed()

    async def close(self) -> None:
        """Close every connection."""
        for stream in self._streams:
            await stream.close()
        await self._relayed.close()

    def close_datagrams(self) -> None:
        """Stop reading datagrams, after the last words have left."""
        for udp in self._udp:
            udp.close()

    def inventory(self) -> dict[str, int]:
        """What is alive: all zero at rest."""
        return {"connections": len(self._connections)}


_AnyTransport = TypeVar("_AnyTransport", UdpTransport, StreamTransport)


def nearest(local: tuple[str, int] | None, candidates: Sequence[_AnyTransport]) -> _AnyTransport:
    """The socket bound to `local`; else the one of its port, which may hear every address; else the first."""
    if local is None:
        return candidates[0]
    return min(candidates, key=lambda candidate: (candidate.local != local, candidate.local[1] != local[1]))
