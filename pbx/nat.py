"""Whether a party is behind a NAT, as its INVITE tells: then its sound comes from where its SDP doesn't say.

A phone that knows nothing of its NAT writes its private address everywhere. One that has learnt the NAT's
address by `received` or STUN puts that in its Contact and its Via, but seldom knows its media's.
"""

from __future__ import annotations

import ipaddress
import re

from sip.core.message import Request

# Not Python's `is_private`, which counts every special network: RFC 1918, RFC 6598, RFC 4193, link-local.
_RANGES = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 169.254.0.0/16 fc00::/7 fe80::/10"
_PRIVATE = tuple(ipaddress.ip_network(network) for network in _RANGES.split())
_CONNECTION = re.compile(rb"^c=IN IP[46] ([0-9A-Fa-f.:]{2,45})", re.MULTILINE)


def is_behind_nat(request: Request, source: str) -> bool:
    """Whether the sender of a request isn't where it says. source: the literal address that it came from.

    By its Via (RFC 3581 section 4), or by an SDP with a private address (RFC 1918) from one that isn't.
    """
    if request.via.host.strip("[]") != source:
        return True
    if not request.body or source.encode() in request.body:
        return False
    found = _CONNECTION.search(request.body)
    return found is not None and is_private(found[1].decode()) and not is_private(source)


def is_private(host: str) -> bool:
    """Whether a literal address is one that means something in its own network only."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return any(address.version == network.version and address in network for network in _PRIVATE)
