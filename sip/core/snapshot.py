"""What a confirmed session is made of, as plain values: to be written down, and made again after a restart.

The two sides of a call know each other by Call-ID, tags and CSeq numbers (RFC 3261 section 12); whoever has
these, the route set and the remote target can go on where another process stopped.
"""

from __future__ import annotations

from typing import NamedTuple


class SessionSnapshot(NamedTuple):
    """One confirmed session. Times are left out on purpose: a session timer begins anew when it is restored.

    placed: whether the INVITE was ours. transport, local, remote: the flow. local_sdp, remote_sdp: the
    descriptions in force. remote_allow: the methods that the peer said it takes (its Allow lines).
    timer_seconds: the session interval agreed (RFC 4028), 0 for none; we_refresh: who refreshes it.
    """

    call_id: str
    local_address: str
    local_tag: str
    remote_address: str
    remote_tag: str
    remote_target: str
    route_set: tuple[str, ...]
    local_sequence: int
    remote_sequence: int
    contact: str
    transport: str
    local: tuple[str, int]
    remote: tuple[str, int]
    placed: bool
    local_sdp: bytes
    remote_sdp: bytes
    remote_allow: tuple[str, ...] = ()
    timer_seconds: int = 0
    we_refresh: bool = False


# The snapshot may be older than our last request: the numbers go on well above it. 12.2.1.1 allows gaps.
SEQUENCE_MARGIN = 1000
