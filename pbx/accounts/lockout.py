"""What wrong passwords cost, so that guessing is slow and nobody is locked out by somebody else's guessing.

Failures are counted for an account *from a network* (/24 of IPv4, /64 of IPv6): the first ones are free, then
each doubles the wait, up to a quarter of an hour. An account has no count of its own: strangers elsewhere can
fail as often as they like, its owner isn't slowed down. A network has an allowance of failures for all
accounts together, which fills again. Both are for strangers: a browser that has signed in as the account
before (`pbx.accounts.known_devices`) has a count of its own instead, whatever happens around it.

    failures of a pair   1   2   3   4   5   6   …       forgotten an hour after the last one
    wait in seconds      0   0   0   1   2   4   … 900

Behind the password, second factors are guessed only by who has it: these are counted for the account itself,
but for browsers that it has signed in from.

Only memory: a restart forgives. What is remembered is bounded; the oldest goes first.
"""

import ipaddress
from dataclasses import dataclass
from math import ceil
from typing import Final, TypeVar

from pbx.accounts.account import AccountError

FREE_FAILURES: Final = 3
MOST_WAIT_SECONDS: Final = 900.0
FORGOTTEN_SECONDS: Final = 3600.0
NETWORK_FAILURES: Final = 30
"""How many failures a network may have at once, for all accounts together…"""
NETWORK_REFILL_SECONDS: Final = 6.0
"""…and how soon it may have one more."""
MOST_REMEMBERED: Final = 50_000

_FACTOR: Final = "\0second factor"


Key = TypeVar("Key")


@dataclass(slots=True)
class _Count:
    failures: int
    last_at: float


def network_of(address: str) -> str:
    """Return the network that an address counts for, the text itself for what is no address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    bits = 24 if isinstance(parsed, ipaddress.IPv4Address) else 64
    return str(ipaddress.ip_network((parsed, bits), strict=False))


class Lockout:
    """The failures of late. device: of a known browser, "" for a stranger's; now: Unix seconds."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], _Count] = {}
        self._networks: dict[str, _Count] = {}

    def refuse_too_soon(self, account: str, address: str, device: str, now: float) -> None:
        """Raise AccountError (429) where a password is tried before its wait is over."""
        wait = self._wait(self._pair(account, address, device), now)
        if not device:
            wait = max(wait, self._network_wait(network_of(address), now))
        _refuse(wait)

    def failed(self, account: str, address: str, device: str, now: float) -> None:
        """Count a wrong password."""
        self._count(self._pair(account, address, device), now)
        if not device:
            self.network_failed(address, now)

    def succeeded(self, account: str, address: str, device: str, now: float) -> None:
        """Forget what was counted for whoever has shown the right password; of the network, this attempt."""
        self._counts.pop(self._pair(account, address, device), None)
        if not device:
            network = network_of(address)
            _remember(self._networks, network, _Count(max(0, self._network_spent(network, now) - 1), now))

    def refuse_network_too_soon(self, address: str, now: float) -> None:
        """Raise AccountError (429) where a network has failed too often with what names no account."""
        _refuse(self._network_wait(network_of(address), now))

    def network_failed(self, address: str, now: float) -> None:
        """Count what names no account: a passkey, a link."""
        network = network_of(address)
        _remember(self._networks, network, _Count(self._network_spent(network, now) + 1, now))

    def refuse_factor_too_soon(self, account: str, device: str, now: float) -> None:
        """Raise AccountError (429) where a second factor is tried before its wait is over."""
        _refuse(self._wait((account, device + _FACTOR), now))

    def factor_failed(self, account: str, device: str, now: float) -> None:
        """Count a wrong second factor."""
        self._count((account, device + _FACTOR), now)

    def factor_succeeded(self, account: str, device: str) -> None:
        """Forget what was counted for whoever has shown the right one."""
        self._counts.pop((account, device + _FACTOR), None)

    def _pair(self, account: str, address: str, device: str) -> tuple[str, str]:
        return account[:64], f"device {device}" if device else network_of(address)

    def _count(self, pair: tuple[str, str], now: float) -> None:
        known = self._counts.pop(pair, None)
        failures = known.failures if known is not None and now - known.last_at < FORGOTTEN_SECONDS else 0
        _remember(self._counts, pair, _Count(failures + 1, now))

    def _wait(self, pair: tuple[str, str], now: float) -> float:
        known = self._counts.get(pair)
        if known is None or known.failures <= FREE_FAILURES or now - known.last_at >= FORGOTTEN_SECONDS:
            return 0.0
        doubled = 2.0 ** min(known.failures - FREE_FAILURES - 1, 20)
        return known.last_at + min(doubled, MOST_WAIT_SECONDS) - now

    def _network_spent(self, network: str, now: float) -> int:
        known = self._networks.pop(network, None)
        if known is None:
            return 0
        return max(0, known.failures - int(max(0.0, now - known.last_at) // NETWORK_REFILL_SECONDS))

    def _network_wait(self, network: str, now: float) -> float:
        known = self._networks.get(network)
        if known is None or known.failures < NETWORK_FAILURES:
            return 0.0
        missing = known.failures - NETWORK_FAILURES + 1
        return known.last_at + missing * NETWORK_REFILL_SECONDS - now


def _remember(counts: dict[Key, _Count], key: Key, count: _Count) -> None:
    while len(counts) >= MOST_REMEMBERED:
        del counts[next(iter(counts))]
    counts[key] = count


def _refuse(wait: float) -> None:
    if wait > 0:
        seconds = ceil(wait)
        detail = f"too many wrong attempts; try again in {seconds} s"
        raise AccountError("too_many_attempts", detail, status=429, wait=seconds)
