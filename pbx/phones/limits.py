"""How often one address may ask for settings: what telephones need, and not what guessing needs.

Refusals count for the address, and for the network around it, in which one machine takes one address after
the other. Whoever shows a secret is asked for nothing but not to ask too often: what a neighbour does, or
who writes its address on datagrams, costs an enrolled telephone nothing. This machine itself isn't counted.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

WINDOW_SECONDS: Final = 60.0
MOST_REQUESTS: Final = 300
MOST_REFUSALS: Final = 30
"""A telephone out of its box asks for some files that aren't there; many addresses tried are guesses."""
MOST_REFUSALS_OF_NETWORK: Final = 600
MOST_ADDRESSES: Final = 20_000


@dataclass(slots=True)
class _Count:
    since: float
    requests: int = 0
    refusals: int = 0
    told: bool = False


class Limits:
    """Counts requests and refusals of each address in the last window. clock: wall time, Unix seconds."""

    def __init__(self, clock: Callable[[], float], most_requests: int = MOST_REQUESTS) -> None:
        self._clock = clock
        self._most_requests = most_requests
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def takes(self, address: str, *, proves: bool = False) -> bool:
        """Count a request; whether it is to be answered. proves: it shows a secret, or a certificate."""
        one, around = _counted_as(address)
        if not one:
            return True
        count = self._count(one)
        count.requests += 1
        if count.requests > self._most_requests:
            return False
        guesses = count.refusals > MOST_REFUSALS or self._count(around).refusals > MOST_REFUSALS_OF_NETWORK
        return proves or not guesses

    def refused(self, address: str) -> None:
        """Count a refusal."""
        for name in filter(None, _counted_as(address)):
            self._count(name).refusals += 1

    def is_first_turned_away(self, address: str) -> bool:
        """Whether an address that isn't answered is to be written down: once in its window."""
        count = self._count(_counted_as(address)[0])
        was_told, count.told = count.told, True
        return not was_told

    def _count(self, name: str) -> _Count:
        now = self._clock()
        count = self._counts.get(name)
        if count is None or not 0.0 <= now - count.since < WINDOW_SECONDS:
            count = self._counts[name] = _Count(now)
            if len(self._counts) > MOST_ADDRESSES:
                self._counts.popitem(last=False)
        self._counts.move_to_end(name)
        return count


@lru_cache(4_096)
def _counted_as(address: str) -> tuple[str, str]:
    """The names under which an address and its network are counted, "" for this machine's own."""
    said = ipaddress.ip_address(address)
    if isinstance(said, ipaddress.IPv6Address) and said.ipv4_mapped is not None:
        said = said.ipv4_mapped
    if said.is_loopback:
        return "", ""
    # RFC 4291 section 2.5.1: one machine has all the 2^64 addresses of its link to choose from.
    own, around = (32, 24) if said.version == 4 else (64, 48)
    return _network(str(said), own), _network(str(said), around)


def _network(address: str, bits: int) -> str:
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))
