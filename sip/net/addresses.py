"""Literal addresses: reading `host:port`, and our own address as a peer sees it."""

from __future__ import annotations

import ipaddress
import socket


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
