"""Lamps of parking places: lit while somebody waits there (the `dialog` event, RFC 4235).

A place is shown as in a call with who waits. The key dials the place, which takes the caller: no telephone is
told a dialog to replace. Who waits is shown to the telephones of who parked and of the same group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pbx.events import ParkingChanged, Subscription
from pbx.people.devices import is_near
from sip.core import dialog_info
from sip.core.dialog_info import CONFIRMED, DialogInfo, WatchedDialog
from sip.core.uri import SipUri

if TYPE_CHECKING:
    from dialplan.plan import Plan
    from pbx.exchange import Exchange


def place_of(plan: Plan, resource: str) -> str:
    """The parking place that a URI names, "" for anything else. Raises ParseError."""
    user = SipUri.parse(resource).user or ""
    service = plan.tables.services.get(user)
    return user if service is not None and service.type == "park" else ""


class ParkLamp:
    """One telephone's view of one place (sip.core.subscription.Watched). watcher: the extension."""

    __slots__ = ("_lamps", "_told", "changed", "place", "watcher")
    content_type = dialog_info.CONTENT_TYPE
    require = ""

    def __init__(
        self, lamps: ParkLamps, place: str, entity: str, watcher: str, changed: Callable[[float], None]
    ) -> None:
        self._lamps = lamps
        self._told = DialogInfo(entity)
        self.place = place
        self.watcher = watcher
        self.changed = changed

    def document(self, number: int, *, full: bool) -> bytes:
        """Who waits at the place now, or what changed."""
        return self._told.document(self._lamps.dialogs(self.place, self.watcher), number, full=full)

    def close(self) -> None:
        """The telephone watches no more."""
        self._lamps.unwatch(self)


class ParkLamps:
    """The lamps of a node's parking places; without any, nothing is listened to."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._lamps: list[ParkLamp] = []
        self._subscription: Subscription | None = None

    def watch(self, place: str, subscriber: str, changed: Callable[[float], None]) -> ParkLamp:
        """Anybody of ours may watch a place. subscriber: the device's sign-in."""
        exchange = self._exchange
        device = exchange.devices.find(subscriber)
        entity = f"sip:{place}@{exchange.domain}"
        lamp = ParkLamp(self, place, entity, device.extension if device is not None else "", changed)
        self._lamps.append(lamp)
        if self._subscription is None:
            self._subscription = exchange.events.subscribe(self._changed, ParkingChanged)
        return lamp

    def unwatch(self, lamp: ParkLamp) -> None:
        """A lamp is over."""
        self._lamps = [one for one in self._lamps if one is not lamp]
        if not self._lamps and self._subscription is not None:
            self._subscription.end()
            self._subscription = None

    def _changed(self, event: ParkingChanged) -> None:
        now = self._exchange.driver.now
        for lamp in self._lamps:
            if lamp.place == event.place:
                lamp.changed(now)
        self._exchange.driver.wake()

    def dialogs(self, place: str, watcher: str) -> Iterator[WatchedDialog]:
        """Who waits at a place, as a telephone may see it."""
        exchange = self._exchange
        call = exchange.parked.get(place)
        if call is None:
            return
        parker = exchange.devices.find(call.payer)
        near = parker is not None and is_near(exchange.plan, watcher, parker.extension)
        number, name = (call.from_number, call.from_name) if near and not call.hidden else ("", "")
        uri = f"sip:{number}@{exchange.domain}" if number else ""
        yield WatchedDialog(call.id, CONFIRMED, initiator=False, remote=uri, remote_name=name)
