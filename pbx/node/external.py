"""Our external address where it is a name: looked up again and again, for a line whose address changes."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Callable

from pbx.configuration import Configuration
from sip.net.addresses import ExternalAddress, is_address

log = logging.getLogger(__name__)

# This machine and its links, whatever else `local_networks` names: nothing translates there.
ALWAYS_LOCAL = tuple(
    ipaddress.ip_network(network) for network in ("127.0.0.0/8", "169.254.0.0/16", "::1/128", "fe80::/10")
)
LOOK_AGAIN_SECONDS = 60.0
LOOK_UP_SECONDS = 5.0


def external_of(settings: Configuration) -> ExternalAddress:
    """What the configuration says; without an address yet where it says a name."""
    named = settings.external_address
    literal = [named] if named is not None and is_address(named) else []
    return ExternalAddress((*settings.local_networks, *ALWAYS_LOCAL), literal)


async def follow(name: str, external: ExternalAddress, changed: Callable[[], None]) -> None:
    """Look a name up until cancelled; `changed` is called after each change of the address in force.

    Where it can't be found, the last address holds.
    """
    while True:
        try:
            addresses = await look_up(name)
        except OSError as error:
            log.warning("external_address %s isn't found: %s", name, str(error) or "no answer")
        else:
            if external.change(addresses):
                log.info("external_address %s is %s", name, ", ".join(external.addresses))
                changed()
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def look_up(name: str) -> list[str]:
    """The literal addresses of a name, in the system's order. Raises OSError where there is none in time."""
    try:
        async with asyncio.timeout(LOOK_UP_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    except UnicodeError as error:  # no name that DNS could hold
        raise OSError(f"no name: {error}") from None
    return [str(answer[4][0]) for answer in found]
