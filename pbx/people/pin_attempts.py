"""How often PINs were wrong, over calls: three in a call are forgotten when it ends, and dialled again.

Each caller has an allowance for each thing that a PIN opens, which comes back with time. Callers from
outside have one together as well, since the number that they show is whatever they say; nobody inside is
locked out by them. A PIN that is right gives a caller's own allowance back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.defence.limit import Limit

if TYPE_CHECKING:
    from pbx.calls.call import Call

OF_CALLER, OF_CALLER_SECONDS = 6, 900.0
OF_OUTSIDE, OF_OUTSIDE_SECONDS = 20, 3600.0


class PinAttempts:
    """Wrong PINs of one node, in memory: a restart forgives them."""

    def __init__(self) -> None:
        self._of_caller = Limit(OF_CALLER / OF_CALLER_SECONDS, OF_CALLER)
        self._of_outside = Limit(OF_OUTSIDE / OF_OUTSIDE_SECONDS, OF_OUTSIDE)

    def spent(self, call: Call, what: str, now: float) -> bool:
        """Whether the caller may try no PIN of `what` (a service's name) now. now: monotonic seconds."""
        if self._of_caller.spent(_caller(call, what), now):
            return True
        return call.direction != "internal" and self._of_outside.spent(what, now)

    def wrong(self, call: Call, what: str, now: float) -> None:
        """The caller's PIN wasn't right."""
        self._of_caller.allows(_caller(call, what), now)
        if call.direction != "internal":
            self._of_outside.allows(what, now)

    def right(self, call: Call, what: str) -> None:
        """The caller's PIN was right."""
        self._of_caller.forget(_caller(call, what))


def _caller(call: Call, what: str) -> tuple[str, str, str]:
    return what, call.direction, call.from_number
