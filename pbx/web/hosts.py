"""Which host names are ours: a page elsewhere that has its own name lead here is refused (DNS rebinding).

A literal address can't be made to lead elsewhere, so each of them is taken.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from pbx.configuration import Configuration
from pbx.node.certificates import own_names


def own_hosts(configuration: Configuration) -> frozenset[str]:
    """Return the names by which browsers may reach this node, in lower case."""
    names = {"localhost", configuration.domain, *own_names(configuration)}
    if configuration.web.public_url:
        names.add(urlsplit(configuration.web.public_url).hostname or "")
    return frozenset(name.lower() for name in names if name)


def is_ours(host: bytes, names: frozenset[str]) -> bool:
    """Whether a Host header (RFC 9110 section 7.2) names this node."""
    name = host.decode("latin-1").lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    if name in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
