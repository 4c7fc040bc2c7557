"""Bans: sources whose messages are dropped unread until an instant, and those that were banned before.

A source is an IPv4 address or an IPv6 /64 (a subscriber has at least that much; RFC 6177 section 2). Each ban
of the same source lasts longer than the one before; one that is forgotten starts again with the first.

They are kept in `data_dir/bans.json`, so that a restart keeps them, and so that the command line can change
them while no node runs. Times are Unix seconds.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

import msgspec

FILE_NAME = "bans.json"
BAN_SECONDS = (600.0, 3600.0, 6 * 3600.0, 24 * 3600.0, 7 * 24 * 3600.0)
REMEMBERED_SECONDS = 30 * 24 * 3600.0
MOST_BANS = 20_000
MOST_WHY_CHARACTERS = 200
MANUAL_SECONDS = 24 * 3600.0

_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\U0010ffff]|[\ud800-\udfff]")


class Ban(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One source's ban: since and until when, why, and the how manieth it is. manual: a person asked."""

    source: str
    since: float
    until: float
    why: str
    times: int = 1
    manual: bool = False


class KeptBans(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What bans.json holds. familiar: sources where a telephone of ours signed in, and when it last did."""

    format: int = 1
    bans: list[Ban] = []
    familiar: dict[str, float] = {}


@lru_cache(maxsize=16_384)
def source_of(address: str) -> str:
    """The source that a literal address belongs to: itself, or the /64 of an IPv6 one.

    Text that is no address is its own source.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))


def read_source(text: str) -> str:
    """The source that a person wrote: an address, or an IPv6 /64. Raises ValueError with the mend."""
    if "/" in text:
        network = ipaddress.ip_network(text, strict=False)
        if network.prefixlen not in ({32} if network.version == 4 else {64, 128}):
            raise ValueError("a ban is for one address, or for an IPv6 /64")
        text = str(network.network_address)
    return source_of(str(ipaddress.ip_address(text)))


class Bans:
    """The bans in force and those of the last REMEMBERED_SECONDS, which make the next one longer."""

    def __init__(self, kept: KeptBans | None = None) -> None:
        self._bans: dict[str, Ban] = {ban.source: ban for ban in (kept or KeptBans()).bans[:MOST_BANS]}
        self.changed = False

    def find(self, source: str, unix_now: float) -> Ban | None:
        """The ban of a source that is in force; None when there is none."""
        ban = self._bans.get(source)
        return ban if ban is not None and ban.until > unix_now else None

    def add(
        self, source: str, why: str, unix_now: float, *, seconds: float | None = None, proven: bool = True
    ) -> Ban:
        """Ban a source and return the ban.

        seconds: how long, where a person says so; otherwise longer each time. proven: whether the source is
        known to be who it says; one that may have been forged gets the shortest ban, which counts for nothing
        later.
        """
        before = self._bans.get(source)
        times = before.times if before is not None else 0
        if seconds is None:
            seconds = BAN_SECONDS[min(times, len(BAN_SECONDS) - 1)] if proven else BAN_SECONDS[0]
            times += proven
        ban = Ban(source, unix_now, unix_now + seconds, _shown(why), times)
        return self._keep(ban, unix_now)

    def add_manual(self, source: str, why: str, unix_now: float, seconds: float) -> Ban:
        """Ban a source as long as a person says, and return the ban."""
        ban = Ban(source, unix_now, unix_now + seconds, _shown(why), 1, manual=True)
        return self._keep(ban, unix_now)

    def remove(self, source: str) -> bool:
        """Lift a source's ban and forget those before; False when there was none."""
        self.changed = self.changed or source in self._bans
        return self._bans.pop(source, None) is not None

    def in_force(self, unix_now: float) -> list[Ban]:
        """The bans in force, the newest last."""
        return sorted((ban for ban in self._bans.values() if ban.until > unix_now), key=lambda ban: ban.since)

    def kept(self, unix_now: float) -> list[Ban]:
        """What is to be written down: bans in force, and former ones that still count."""
        self._forget(unix_now)
        return list(self._bans.values())

    def _keep(self, ban: Ban, unix_now: float) -> Ban:
        if ban.source not in self._bans and len(self._bans) >= MOST_BANS:
            self._forget(unix_now)
            if len(self._bans) >= MOST_BANS:
                # The first to end makes room: it loses least.
                del self._bans[min(self._bans.values(), key=lambda one: (one.manual, one.until)).source]
        self._bans[ban.source] = ban
        self.changed = True
        return ban

    def _forget(self, unix_now: float) -> None:
        oldest = unix_now - REMEMBERED_SECONDS
        self._bans = {source: ban for source, ban in self._bans.items() if ban.until > oldest}

    def __len__(self) -> int:
        return len(self._bans)


def _shown(why: str) -> str:
    """A reason fit for a log line and a terminal, whatever a stranger wrote into it."""
    return _UNPRINTABLE.sub("?", why)[:MOST_WHY_CHARACTERS]
