"""Keys of encrypted sound that travel in clear."""

from __future__ import annotations

from collections.abc import Iterator

from dialplan.checks import finding_at
from dialplan.finding import Finding
from dialplan.plan import Plan

_IN_CLEAR = frozenset({"udp", "tcp"})


def check_srtp(plan: Plan) -> Iterator[Finding]:
    """A trunk that has to encrypt its sound, and tells the keys to everybody on the way.

    RFC 4568 section 7: the keys lie in the signalling, which has to be secret itself.
    """
    for trunk in plan.trunks.values():
        if trunk.srtp == "required" and trunk.transport in _IN_CLEAR:
            message = f"trunk {trunk.name} requires SRTP, and its keys travel in clear over {trunk.transport}"
            yield finding_at(plan, "keys_in_clear", "warning", trunk, message, "write `transport: tls`")
