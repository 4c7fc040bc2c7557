"""Who can be reached and what they are doing: one answer of what their devices publish, whether any is
registered, their calls, and what they have set (RFC 3856, RFC 3903, RFC 4480).

What counts most comes first: not to be disturbed (`busy`, closed), in a call (`on-the-phone`), what their
devices say, and `away` for whom no device says anything and none is registered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from pbx.events import SettingsChanged
from pbx.records import Personal, PublicationRecord
from pbx.services.addressee import addressee
from pbx.services.availability import availability_of
from pbx.services.watched_legs import WatchedLegs
from sip.core import presence_document
from sip.core.errors import RemoteProtocolError
from sip.core.message import Request
from sip.core.presence_document import AWAY, BUSY, MAX_ACTIVITIES, ON_THE_PHONE, Presence, parse_presence
from sip.core.presence_document import presence_document as document_of
from sip.core.publication import Publication, Publications
from sip.core.stack import ServerTransaction

if TYPE_CHECKING:
    from pbx.exchange import Exchange

ON_THE_PHONE_NOTE: Mapping[str, str] = {"fr": "En ligne", "en": "On the phone"}


class Buddy:
    """One device's view of one person (sip.core.subscription.Watched)."""

    __slots__ = ("_entity", "_presences", "changed", "extension", "told")
    content_type = presence_document.CONTENT_TYPE
    require = ""

    def __init__(
        self, presences: Presences, extension: str, entity: str, changed: Callable[[float], None]
    ) -> None:
        self._presences = presences
        self._entity = entity
        self.extension = extension
        self.changed = changed
        self.told = Presence(False)

    def document(self, number: int, *, full: bool) -> bytes:
        """The person's presence now; every document tells all."""
        self.told = self._presences.of(self.extension)
        return document_of(self._entity, self.told)

    def close(self) -> None:
        """The device watches no more."""
        self._presences.unwatch(self)


class Presences:
    """The `presence` package (sip.core.subscription.Package), and what is published for it."""

    name = presence_document.PACKAGE
    content_type = presence_document.CONTENT_TYPE
    default_seconds = 3600  # RFC 3856 section 6.4
    interval_seconds = 5.0  # RFC 3856 section 6.10

    def __init__(self, exchange: Exchange, legs: WatchedLegs) -> None:
        self._exchange = exchange
        self._legs = legs
        stack = exchange.core.stack
        self._published: Publications[Presence] = Publications(
            stack.identifiers, stack.timers, self._changed, self._keep
        )
        self._buddies: dict[str, dict[int, Buddy]] = {}
        exchange.events.subscribe(self._settings_changed, SettingsChanged)

    def of(self, extension: str) -> Presence:
        """Open when one of the person's devices says so; where none says anything, when one is registered.

        Who isn't to be disturbed is closed, whatever their devices say; a forward is told in the note.
        """
        published = self._published.of(extension)
        told = availability_of(self._exchange, extension)
        activities = [BUSY] if "do-not-disturb" in told else []
        notes = list(told.values())
        if any(leg.answered_at is not None for leg in self._legs.of(extension)):
            activities.append(ON_THE_PHONE)
            notes.append(ON_THE_PHONE_NOTE.get(self._exchange.plan.language, ON_THE_PHONE_NOTE["en"]))
        if published:
            is_open = any(presence.open for presence in published)
            notes = [*notes[:1], *(presence.note for presence in reversed(published) if presence.note)]
            activities += [activity for presence in reversed(published) for activity in presence.activities]
        else:
            is_open = bool(self._exchange.devices.bindings_of(extension))
            if not is_open:
                activities.append(AWAY)
        doing = tuple(dict.fromkeys(activities))[:MAX_ACTIVITIES]
        return Presence(is_open and "do-not-disturb" not in told, notes[0] if notes else "", doing)

    def watch(
        self, resource: str, subscriber: str, changed: Callable[[float], None], *, lists: bool = False
    ) -> Buddy:
        """Any person may be watched; raises RemoteProtocolError 404 for anything else."""
        person = addressee(self._exchange, resource)
        entity = f"sip:{person.extension}@{self._exchange.domain}"
        buddy = Buddy(self, person.extension, entity, changed)
        if person.extension not in self._buddies:
            self._buddies[person.extension] = {}
            self._legs.watch(person.extension, self.bindings_changed)
        self._buddies[person.extension][id(buddy)] = buddy
        return buddy

    def unwatch(self, buddy: Buddy) -> None:
        """A watcher is gone."""
        of_person = self._buddies.get(buddy.extension, {})
        of_person.pop(id(buddy), None)
        if not of_person and self._buddies.pop(buddy.extension, None) is not None:
            self._legs.unwatch(buddy.extension, self.bindings_changed)

    def restore(self, records: Iterable[Personal], now: float) -> None:
        """Go on with what devices had published to a process that is gone."""
        unix_now, people = self._exchange.clock(), self._exchange.plan.people
        self._published.restore(
            Publication(
                record.extension,
                record.entity_tag,
                Presence(record.open, record.note, record.activities),
                record.expires_at - unix_now + now,
            )
            for record in records
            if isinstance(record, PublicationRecord) and record.lasts(unix_now) and record.extension in people
        )

    def _keep(self, over: str, publication: Publication[Presence] | None) -> None:
        """Write down what a device says now, before it hears so."""
        exchange = self._exchange
        if over:
            exchange.write(PublicationRecord(over, 0.0))
        if publication is not None:
            said, offset = publication.value, exchange.clock() - exchange.driver.now
            exchange.write(
                PublicationRecord(
                    publication.tag,
                    publication.expires_at + offset,
                    publication.resource,
                    said.open,
                    said.note,
                    said.activities,
                )
            )

    def publish_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """Answer a PUBLISH of a person's own device. Raises RemoteProtocolError to be answered."""
        exchange = self._exchange
        device = exchange.guard.device_of(request, transaction, now)
        if device is None:
            return  # challenged
        if request.get("event").partition(";")[0].strip().lower() != self.name:
            raise RemoteProtocolError(489, "Bad Event", (("Allow-Events", self.name),))  # RFC 3903 section 6
        if addressee(exchange, request.uri).extension != device.extension:
            raise RemoteProtocolError(403, "Not Your Presence")
        kind = request.get("content-type").partition(";")[0].strip().lower()
        if request.body and kind != self.content_type:
            raise RemoteProtocolError(415, "Unsupported Media Type", (("Accept", self.content_type),))
        published = self._published.publish(request, device.extension, parse_presence, now)
        exchange.core.stack.respond(transaction, 200, now, headers=published.headers)

    def _settings_changed(self, event: SettingsChanged) -> None:
        self.bindings_changed(event.extension)

    def bindings_changed(self, extension: str) -> None:
        """A device of a person registered, again or no more; or their calls are others now."""
        if extension in self._buddies:
            self._changed(extension, self._exchange.driver.now)

    def reloaded(self, now: float) -> None:
        """A new plan is in force: what was published for people who are gone is forgotten."""
        for extension in self._published.resources() - self._exchange.plan.people.keys():
            self._published.forget(extension, now)
        for extension in self._buddies:
            self._changed(extension, now)

    def _changed(self, extension: str, now: float) -> None:
        presence = self.of(extension)
        for buddy in list(self._buddies.get(extension, {}).values()):
            if buddy.told != presence:
                buddy.changed(now)
        self._exchange.driver.wake()
