"""What a daemon has counted of a call's parties, read from its answer to `query`.

What isn't there, or isn't what it should be, counts as zero: a daemon of another version says less.
"""

import msgspec

from media.engines.ng import Reply, Value


class Counts(msgspec.Struct, frozen=True):
    """What a daemon has counted of one party."""

    packets: int
    received_bytes: int
    errors: int
    remote: tuple[str, int]
    lost: int
    jitter_ms: float


def counts_of(reply: Reply, tag: str) -> Counts:
    """Read a query's answer; what isn't there, or isn't what it should be, counts as zero."""
    stream = first_stream(reply, tag)
    stats, endpoint = _dictionary(stream.get("stats")), _dictionary(stream.get("endpoint"))
    packets = integer(stats.get("packets"))
    reports = _dictionary(_dictionary(reply.get("SSRC")).get(str(integer(stream.get("SSRC")))))
    return Counts(
        packets,
        max(0, integer(stats.get("bytes")) - 12 * packets),  # RFC 3550 section 5.1: without headers
        integer(stats.get("errors")),
        (text(endpoint.get("address")), integer(endpoint.get("port"))),
        integer(reports.get("cumulative loss")),
        float(integer(_dictionary(reports.get("average MOS")).get("jitter"))),
    )


def first_stream(reply: Reply, tag: str) -> Reply:
    """Return the RTP stream of a party in a query's answer, empty when it isn't there."""
    party = _dictionary(_dictionary(reply.get("tags")).get(tag))
    medias = party.get("medias")
    streams = _dictionary(medias[0]).get("streams") if isinstance(medias, list) and medias else None
    return _dictionary(streams[0]) if isinstance(streams, list) and streams else {}


def _dictionary(value: "Value | None") -> Reply:
    return value if isinstance(value, dict) else {}


def integer(value: "Value | None") -> int:
    """Return a number, 0 for anything else."""
    return value if isinstance(value, int) else 0


def text(value: "Value | None") -> str:
    """Return a string as a text, "" for anything else."""
    return value.decode("latin-1") if isinstance(value, bytes) else ""
