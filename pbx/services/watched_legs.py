"""The calls of people who are watched: what lamps and presence tell of them.

It costs a call nothing while nobody watches: only with the first watcher does it listen to the events of
legs, and it keeps those of watched people only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pbx.events import LEG_CHANGES, LegChanged, Subscription

if TYPE_CHECKING:
    from pbx.calls.leg import Leg
    from pbx.exchange import Exchange


class WatchedLegs:
    """The legs that live of people who are watched."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._watchers: dict[str, list[Callable[[str], None]]] = {}  # of each extension
        # Each leg with its name at first: a leg's may change.
        self._legs: dict[str, dict[Leg, str]] = {}
        # Whose each was: its device may be gone from the plan by its end.
        self._extensions: dict[Leg, str] = {}
        self._subscription: Subscription | None = None

    def watch(self, extension: str, tell: Callable[[str], None]) -> None:
        """From now on `tell` hears of each change of a person's calls, with their extension."""
        watchers = self._watchers.setdefault(extension, [])
        if not watchers:
            self._legs[extension] = {}
            for leg in self._exchange.legs():
                if self._extension_of(leg) == extension:
                    self._add(leg, extension)
        watchers.append(tell)
        if self._subscription is None:
            self._subscription = self._exchange.events.subscribe(self._leg_changed, *LEG_CHANGES)

    def unwatch(self, extension: str, tell: Callable[[str], None]) -> None:
        """`tell` hears no more; with the last watcher nothing is listened to any more."""
        self._watchers[extension].remove(tell)
        if not self._watchers[extension]:
            del self._watchers[extension]
            for leg in self._legs.pop(extension):
                del self._extensions[leg]
        if not self._watchers and self._subscription is not None:
            self._subscription.end()
            self._subscription = None

    def of(self, extension: str) -> Mapping[Leg, str]:
        """The legs of a person who is watched, each with a name that is its own."""
        return self._legs.get(extension) or {}

    def _leg_changed(self, event: LegChanged) -> None:
        leg = self._exchange.leg(event.call, event.leg)
        if leg is None:
            return
        extension = self._extensions.get(leg) or self._extension_of(leg)
        legs = self._legs.get(extension)
        if legs is None:
            return
        if leg.ended_at is not None:
            if legs.pop(leg, None) is None:
                return
            del self._extensions[leg]
        elif leg not in legs:
            self._add(leg, extension)
        for tell in list(self._watchers[extension]):
            tell(extension)

    def _add(self, leg: Leg, extension: str) -> None:
        self._legs[extension][leg] = f"{leg.call.id}{leg.name}"
        self._extensions[leg] = extension

    def _extension_of(self, leg: Leg) -> str:
        device = self._exchange.devices.find(leg.device)
        return device.extension if device is not None else ""
