"""Busy lamps: who is in a call, for the telephones that watch them (the `dialog` event, RFC 4235).

Somebody who isn't to be disturbed, or whose calls are all forwarded, is shown as in a call of their own: RFC
4235 has no other word for it, and a lamp that is lit says what counts, that their telephone won't ring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pbx.events import SettingsChanged
from pbx.people.devices import is_near
from pbx.services.addressee import addressee
from pbx.services.availability import availability_of
from pbx.services.lamp_lists import LampList, people_of
from pbx.services.park_lamps import ParkLamp, ParkLamps, place_of
from pbx.services.watched_legs import WatchedLegs
from sip.core import dialog_info, event_list
from sip.core.dialog_info import CONFIRMED, EARLY, TRYING, DialogInfo, WatchedDialog
from sip.core.errors import RemoteProtocolError
from sip.core.uri import SipUri

if TYPE_CHECKING:
    from dialplan.plan import Person
    from pbx.exchange import Exchange


class Lamp:
    """One telephone's view of one person (sip.core.subscription.Watched).

    whole: whether it may see who is at the other end, and replace it: for the person's own telephones and
    those of the same group. The others see that the person is in a call.
    """

    __slots__ = ("_lamps", "_told", "changed", "entity", "extension", "whole")
    content_type = dialog_info.CONTENT_TYPE
    require = ""

    def __init__(
        self, lamps: Lamps, extension: str, entity: str, whole: bool, changed: Callable[[float], None]
    ) -> None:
        self._lamps = lamps
        self._told = DialogInfo(entity)
        self.entity = entity
        self.extension = extension
        self.whole = whole
        self.changed = changed

    def document(self, number: int, *, full: bool) -> bytes:
        """The person's calls now, or what changed."""
        return self._told.document(self._lamps.dialogs(self.extension, whole=self.whole), number, full=full)

    def close(self) -> None:
        """The telephone watches no more."""
        self._lamps.unwatch(self)


class Lamps:
    """The `dialog` package (sip.core.subscription.Package)."""

    name = dialog_info.PACKAGE
    content_type = dialog_info.CONTENT_TYPE
    default_seconds = 3600  # RFC 4235 section 3.4
    interval_seconds = 0.0  # a lamp is late at once; one NOTIFY at a time is bound enough

    def __init__(self, exchange: Exchange, legs: WatchedLegs) -> None:
        self._exchange = exchange
        self._legs = legs
        self._lamps: dict[str, dict[int, Lamp]] = {}  # of each watched extension
        self._places = ParkLamps(exchange)
        exchange.events.subscribe(self._settings_changed, SettingsChanged)

    def watch(
        self, resource: str, subscriber: str, changed: Callable[[float], None], *, lists: bool
    ) -> Lamp | ParkLamp | LampList:
        """Any person or parking place may be watched, and the people of a group or a site together.

        Raises RemoteProtocolError: 404 for anything else, 421 for a list where they can't read it.
        """
        exchange = self._exchange
        if place := place_of(exchange.plan, resource):
            return self._places.watch(place, subscriber, changed)
        device = exchange.devices.find(subscriber)
        watcher = device.extension if device is not None else ""
        people = people_of(exchange.plan, resource)
        if not people:
            return self._light(addressee(exchange, resource, subscriber), watcher, changed)
        if not lists:  # RFC 4662 section 4.1
            raise RemoteProtocolError(421, "Extension Required", (("Require", event_list.OPTION),))
        known = exchange.plan.people
        return LampList(
            f"sip:{SipUri.parse(resource).user}@{exchange.domain}",
            {extension: known[extension].name for extension in people},
            lambda extension, told: self._light(known[extension], watcher, told),
            changed,
            lambda: exchange.driver.now,
        )

    def _light(self, person: Person, watcher: str, changed: Callable[[float], None]) -> Lamp:
        """A lamp of one person. watcher: whose telephone has it, "" for nobody's."""
        exchange = self._exchange
        whole = bool(watcher) and is_near(exchange.plan, watcher, person.extension)
        lamp = Lamp(self, person.extension, f"sip:{person.extension}@{exchange.domain}", whole, changed)
        if person.extension not in self._lamps:
            self._lamps[person.extension] = {}
            self._legs.watch(person.extension, self._tell)
        self._lamps[person.extension][id(lamp)] = lamp
        return lamp

    def unwatch(self, lamp: Lamp) -> None:
        """A lamp is over."""
        of_person = self._lamps.get(lamp.extension, {})
        of_person.pop(id(lamp), None)
        if not of_person and self._lamps.pop(lamp.extension, None) is not None:
            self._legs.unwatch(lamp.extension, self._tell)

    def _settings_changed(self, event: SettingsChanged) -> None:
        self._tell(event.extension)

    def _tell(self, extension: str) -> None:
        now = self._exchange.driver.now
        for lamp in list(self._lamps.get(extension, {}).values()):
            lamp.changed(now)
        self._exchange.driver.wake()

    def dialogs(self, extension: str, *, whole: bool) -> Iterator[WatchedDialog]:
        """The calls that a watched person's telephones are in, and what keeps them from ringing."""
        for word, name in availability_of(self._exchange, extension).items():
            yield WatchedDialog(word, CONFIRMED, initiator=False, local_name=name)
        for leg, name in self._legs.of(extension).items():
            call = leg.call
            initiator = leg is call.caller
            state = CONFIRMED if leg.answered_at is not None else EARLY if leg.rang else TRYING
            if not whole or leg.session is None:
                yield WatchedDialog(name, state, initiator)
                continue
            hidden = not initiator and call.hidden
            number = (call.to or call.decision.dialled) if initiator else "" if hidden else call.from_number
            yield WatchedDialog(
                name,
                state,
                initiator,
                f"sip:{number}@{self._exchange.domain}" if number else "",
                "" if initiator or hidden else call.from_name,
                leg.call_id,
                leg.remote_tag,  # RFC 4235 section 4.1: as the watched telephone sees it
                leg.local_tag,
            )
