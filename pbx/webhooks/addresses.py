"""Where a webhook may lead: what a URL's host is looked up to, and which of these addresses are allowed.

A URL that somebody typed is a way to have this machine ask others in its own network, which trust it. So a
delivery goes to the very address that was looked at here, not to what the name is looked up to a second time.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from typing import Final, TypeAlias

from pbx.settings.values import PRIVATE_NETWORKS, IPAddress, IPNetwork
from pbx.webhooks.webhook import Webhook, WebhookWrong, parts_of

LOOK_UP_SECONDS: Final = 5.0

Networks: TypeAlias = Sequence[IPNetwork]

# Whatever else is allowed: where clouds tell a machine its own secrets, and what is no host at all.
_NEVER: Final = [
    ipaddress.ip_network(text) for text in ("169.254.0.0/16", "fe80::/10", "0.0.0.0/8", "::/128")
]
# Addresses of IPv6 that lead to some of IPv4 (RFC 6052, RFC 3056, RFC 4380).
_DISGUISED: Final = [ipaddress.ip_network(text) for text in ("64:ff9b::/96", "2002::/16", "2001::/32")]


class AddressRefused(Exception):
    """A delivery may not, or can't, go there; the text says why."""


async def address_for(webhook: Webhook, networks: Networks) -> IPAddress:
    """Return the address that a delivery connects to. networks: `local_networks`. Raises AddressRefused."""
    parts = parts_of(webhook.url)
    addresses = await look_up(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    # One that isn't allowed among several spoils all: whoever answers for the name chose them.
    for address in addresses:
        refuse(address, webhook, networks)
    return addresses[0]


async def look_up(host: str, port: int) -> list[IPAddress]:
    """Return the addresses of a host, at least one. Raises AddressRefused."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LOOK_UP_SECONDS):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        why = getattr(error, "strerror", None) or "no answer"
        raise AddressRefused(f"{host} can't be looked up: {why}") from None
    addresses = [plain(str(one[4][0])) for one in found]
    if not addresses:
        raise AddressRefused(f"{host} has no address")
    return addresses


def is_public(address: IPAddress) -> bool:
    """Whether an address is one of the whole world, whatever the configuration says of networks."""
    refused = address.is_multicast or _within(address, _NEVER) or _within(address, _DISGUISED)
    return address.is_global and not refused


def refuse(address: IPAddress, webhook: Webhook, networks: Networks) -> None:
    """Raise AddressRefused where a webhook may not lead to an address."""
    if address.is_multicast or _within(address, _NEVER) or _within(address, _DISGUISED):
        raise AddressRefused(f"{address} is no address of a program that could be told")
    ours = _is_ours(address, networks)
    if not address.is_global and not webhook.private_address and not ours:
        raise AddressRefused(f"{address} is in a private network, and nobody has said that it may be")
    local = address.is_loopback or _within(address, networks)
    if parts_of(webhook.url).scheme != "https" and not local:
        raise AddressRefused(f"{address} is outside of our networks: there it takes https")


def refuse_literal(webhook: Webhook, networks: Networks) -> None:
    """Refuse at once, when it is made, what its URL alone shows. Raises WebhookWrong."""
    host = parts_of(webhook.url).hostname or ""
    try:
        address = plain(host)
    except ValueError:  # a name, which is looked up at each delivery
        return
    try:
        refuse(address, webhook, networks)
    except AddressRefused as error:
        raise WebhookWrong("url", str(error)) from None


def plain(text: str) -> IPAddress:
    """Return an address, that of IPv4 where it is one in IPv6's clothes. Raises ValueError."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_ours(address: IPAddress, networks: Networks) -> bool:
    """Whether somebody has written a network with this address into the configuration."""
    written = [network for network in networks if str(network) not in PRIVATE_NETWORKS]
    return _within(address, written)


def _within(address: IPAddress, networks: Networks) -> bool:
    return any(address in network for network in networks)
