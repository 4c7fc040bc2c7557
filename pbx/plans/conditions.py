"""What is unusual at this node now, for the plan's decisions (`dialplan.decision.Conditions`).

Lines that supervision says are down, emergency calls of the last hour that may be called back, and what
people and operators set by hand (`pbx.people.settings`). The value that calls share is made anew when
something changes, and is NORMAL, at no cost to a call, while nothing is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from dialplan.decision import NORMAL, Callback, Conditions, EmergencyCall
from pbx.events import TrunkChanged

if TYPE_CHECKING:
    from pbx.exchange import Exchange

NEVER = float("inf")
MOST_CALLBACKS = 10_000
LONGEST_SECONDS = 86_400.0
LAST_INSTANT = 32_503_680_000.0  # the year 3000


class KeptCallback(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One call that may be called back. at, until: Unix seconds."""

    device: str
    extension: str | None
    at: float
    until: float


class KeptCallbacks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What callbacks.json holds: by the public number that was shown."""

    format: int = 1
    callbacks: dict[str, KeptCallback] = {}


def _is_possible(kept: KeptCallback) -> bool:
    """Whether a call back that a file tells of can have been allowed by a program of ours."""
    return 0 <= kept.at <= kept.until <= kept.at + LONGEST_SECONDS and kept.at <= LAST_INSTANT


class NodeConditions:
    """The conditions of one node. changed: whether call backs aren't written down yet."""

    def __init__(self, exchange: Exchange, kept: KeptCallbacks | None = None) -> None:
        self.changed = False
        self._exchange = exchange
        kept_callbacks = kept.callbacks.items() if kept is not None else ()
        self._callbacks = {number: one for number, one in kept_callbacks if _is_possible(one)}
        self._value = NORMAL
        self._expires = NEVER
        exchange.events.subscribe(self._trunk_changed, TrunkChanged)

    def at(self, unix_now: float) -> Conditions:
        """What holds at an instant, in Unix seconds."""
        if unix_now >= self._expires:
            self.refresh()
        return self._value

    def allow_callback(
        self, emergency: EmergencyCall, shown: str, device: str, extension: str | None
    ) -> None:
        """An emergency call shows this number: calls to it ring its device for the plan's time."""
        now = self._exchange.clock()
        if len(self._callbacks) >= MOST_CALLBACKS and shown not in self._callbacks:
            del self._callbacks[min(self._callbacks, key=lambda number: self._callbacks[number].until)]
        self._callbacks[shown] = KeptCallback(device, extension, now, now + emergency.callback_seconds)
        self.changed = True
        self.refresh()

    def kept(self) -> KeptCallbacks:
        """What a restart must not forget."""
        return KeptCallbacks(callbacks=dict(self._callbacks))

    def refresh(self) -> None:
        """Look at everything again: a plan was loaded, a line changed, a call back was allowed or is over."""
        now = self._exchange.clock()
        over = [number for number, kept in self._callbacks.items() if kept.until <= now]
        for number in over:
            del self._callbacks[number]
            self.changed = True
        settings = self._exchange.settings
        self._expires = min((kept.until for kept in self._callbacks.values()), default=NEVER)
        self._expires = min(self._expires, settings.expires)
        down = self._exchange.trunks.down()
        forwards = settings.forwards()
        if not down and not self._callbacks and not forwards and self._expires == NEVER:
            self._value = NORMAL
            return
        callbacks = {
            number: Callback(kept.device, kept.extension, datetime.fromtimestamp(kept.at, UTC))
            for number, kept in self._callbacks.items()
        }
        self._value = Conditions(
            trunks_down=down,
            forwards=forwards,
            services=settings.in_force("service"),
            schedules=settings.in_force("schedule"),
            callbacks=callbacks,
        )

    def _trunk_changed(self, _: TrunkChanged) -> None:
        self.refresh()
