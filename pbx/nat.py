"""Whether a party is behind a NAT, as its INVITE tells: then its sound comes from where its SDP doesn't say.

A phone that knows nothing of its NAT writes its private address everywhere. One that has learnt the NAT's
address by `received` or STUN puts that in its Contact and its Via, but seldom knows its media's.
"""

from __future__ import annotations

import ipaddress
import re

from sip.core.message import Request

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
    return found is not None and _is_private(found[1].decode()) and not _is_private(source)


def _is_private(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_private and not address.is_unspecified  # c=0.0.0.0 is an old way to hold
