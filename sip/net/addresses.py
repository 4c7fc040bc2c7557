"""Literal addresses: reading `host:port`, and our own address as a peer sees it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_address(host: str) -> bool:
    """Whether `host` is a literal IPv4 or IPv6 address (no brackets)."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def family_of(host: str) -> socket.AddressFamily:
    """The socket family of a literal address."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def local_address_toward(bound: tuple[str, int], remote: tuple[str, int]) -> tuple[str, int]:
    """The address and port of a bound socket as the peer `remote` reaches it.

    A socket bound to every address asks the routing table; nothing is sent.
    """
    if bound[0] not in {"0.0.0.0", "::"}:  # noqa: S104 (comparing, not binding)
        return bound
    with socket.socket(family_of(remote[0]), socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((remote[0], remote[1] or 9))
        except OSError:
            return bound
        return probe.getsockname()[0], bound[1]


class ExternalAddress:
    """Our address as peers outside of the local networks reach it: a NAT before us forwards the same ports.

    At most one IPv4 and one IPv6 address, none until `change`: whom none is for is told the address of ours
    that it reaches without a NAT.
    """

    def __init__(self, local_networks: Iterable[Network] = (), addresses: Iterable[str] = ()) -> None:
        self.local_networks = tuple(local_networks)
        self._of_version: dict[bool, str] = {}  # by whether it is IPv6
        self.change(addresses)

    def change(self, addresses: Iterable[str]) -> bool:
        """Take the first literal address of each version from now on; returns whether one is another."""
        found: dict[bool, str] = {}
        for address in addresses:
            found.setdefault(":" in address, address)
        changed = found != self._of_version
        self._of_version = found
        return changed

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses in force."""
        return tuple(self._of_version.values())

    def is_local(self, host: str) -> bool:
        """Whether a literal address is within the local networks."""
        address = ipaddress.ip_address(host.partition("%")[0])
        return any(
            address in network for network in self.local_networks if network.version == address.version
        )

    def told(self, own: str, peer: str) -> str:
        """The address of ours that the peer at a literal address is told, where `own` is our own to it."""
        external = self._of_version.get(":" in peer)
        return own if external is None or self.is_local(peer) else external
