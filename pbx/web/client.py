"""Where a request comes from: the peer, or whom a proxy that we trust speaks for."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from pbx.settings.values import IPNetwork

MOST_HOPS = 20


def seen_through_proxies(scope: dict[str, Any], proxies: Sequence[IPNetwork]) -> None:
    """Put the client's address and scheme into a scope, as the proxies say them; nobody else is believed.

    X-Forwarded-For is read from its end: what a client wrote there itself stands before what proxies added.
    """
    host = (scope.get("client") or ("", 0))[0]
    if not proxies or not within(host, proxies):
        return
    said = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    for hop in reversed(",".join(said).split(",")[-MOST_HOPS:]):
        address = _address(hop.strip())
        if not address:
            break
        scope["client"] = (address, 0)
        if not within(address, proxies):
            break
    for name, value in scope["headers"]:
        if name == b"x-forwarded-proto" and value in (b"http", b"https"):
            scheme = value.decode()
            scope["scheme"] = scheme.replace("http", "ws") if scope["type"] == "websocket" else scheme


def within(host: str, networks: Sequence[IPNetwork]) -> bool:
    """Whether an address is in one of these networks."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)


def network_of(host: str) -> str:
    """What a client is counted under: its IPv4 address, or its /64, which is one household's (RFC 6177)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(text: str) -> str:
    """An address, perhaps with a port; "" for anything else."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
