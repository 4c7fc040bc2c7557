"""Questions to name servers, through dnspython (RFC 1035); imported by `sip.net.resolver` when it asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.resolver
from dns.nameserver import Do53Nameserver

from sip.net.resolver import ABSENCE_SECONDS, MAX_RECORDS, Kind, LookupFailedError, Naptr, Records, Srv


async def ask(servers: Sequence[tuple[str, int]] | None, name: str, kind: Kind, seconds: float) -> Records:
    """The records of a name, asked of `servers` (None: those of /etc/resolv.conf) for so many seconds.

    Raises LookupFailedError when nobody answers.
    """
    try:
        return await _ask(servers, name, kind, seconds)
    except (dns.exception.DNSException, OSError, ValueError) as error:
        raise LookupFailedError(f"{name} {kind}: {type(error).__name__}: {error}"[:200]) from error


async def _ask(servers: Sequence[tuple[str, int]] | None, name: str, kind: Kind, seconds: float) -> Records:
    resolver = dns.asyncresolver.Resolver(configure=servers is None)
    if servers is not None:
        resolver.nameservers = [Do53Nameserver(*server) for server in servers]
    try:
        answer = await resolver.resolve(
            f"{name}.", kind, raise_on_no_answer=False, lifetime=seconds, search=False
        )
    except dns.resolver.NXDOMAIN:
        return Records((), ABSENCE_SECONDS)
    if answer.rrset is None:
        return Records((), ABSENCE_SECONDS)
    rows = tuple(_row(record, kind) for record in list(answer.rrset)[:MAX_RECORDS])
    # The shortest TTL of the answer, those of its aliases (CNAME) included.
    shortest_seconds = min(rrset.ttl for rrset in answer.response.answer)
    return Records(rows, float(shortest_seconds))


def _row(record: Any, kind: Kind) -> Naptr | Srv | str:
    """A record of dnspython, which has read and checked it, as one of ours."""
    match kind:
        case "SRV":
            return Srv(record.priority, record.weight, record.port, str(record.target))
        case "NAPTR":
            flags, service = record.flags.decode("latin-1"), record.service.decode("latin-1")
            return Naptr(record.order, record.preference, flags, service, str(record.replacement))
        case _:
            return str(record.address)
