"""The event bus: what has happened, told to whoever asked, without a call noticing who listens.

    call, trunk, gate, …  ── publish(kind, fields) ──> Events ──> listeners: at once, within the same turn
                                                          └─────> feeds: a bounded queue for each slow reader

An event is a fact already true: nothing waits for its listeners, and nothing that they do changes it. What
must happen before a call goes on is an awaited command instead. An event is only made where somebody listens:
without listeners `publish` is one look into a dictionary.

Keys that are pressed are no events: they may be somebody's PIN. `call` and `leg` are the call record's; a leg
is its device's, whatever its name: of several telephones the one that answers takes the first one's name.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

import msgspec

log = logging.getLogger(__name__)

FEED_EVENTS = 1000


class Event(msgspec.Struct, frozen=True):
    """Something happened. at: Unix seconds."""

    at: float


class CallStarted(Event, frozen=True):
    """A call begins, and the plan has decided. from_number: empty where the caller is anonymous."""

    call: str
    from_number: str
    from_name: str
    dialled: str


class CallEnded(Event, frozen=True):
    """A call is over and its record written, whose `direction`, `to` and `cause` these are."""

    call: str
    direction: str
    to: str
    answered: bool
    cause: str


class LegChanged(Event, frozen=True):
    """What the changes of a leg have in common. device: its sign-in, or the trunk's name."""

    call: str
    leg: str
    device: str


class LegStarted(LegChanged, frozen=True):
    """A party calls (leg `a`), or is called."""


class CallRinging(LegChanged, frozen=True):
    """A party's telephone rings; for leg `a`: it was told that one does."""


class CallAnswered(LegChanged, frozen=True):
    """A party answered; for leg `a`: it was answered."""


class LegLeft(LegChanged, frozen=True):
    """A party left the call, or never came into it. cause: as in the call record."""

    cause: str


class WakeWanted(Event, frozen=True):
    """A call rings somebody whose closed pages can be woken. number, name: of the caller, empty where they
    aren't shown; through: the service that it came to first, "" for none."""

    call: str
    extension: str
    number: str
    name: str
    through: str


class WakeOver(Event, frozen=True):
    """It rings them no more. outcome: `answered`, `cancelled`, or why nobody answered, as in the record."""

    call: str
    extension: str
    outcome: str


class LegSilent(Event, frozen=True):
    """No sound has come from a party for `seconds`, while it isn't on hold."""

    call: str
    leg: str
    seconds: float


class LegHeard(Event, frozen=True):
    """Sound comes again from a party that was silent."""

    call: str
    leg: str


class LegNotHeard(Event, frozen=True):
    """No sound has come from a party for `seconds`, while the party it talks with is heard."""

    call: str
    leg: str
    seconds: float


class RoomSpeakerChanged(Event, frozen=True):
    """Another party of a room is the loudest now. call, leg: empty when nobody speaks any more."""

    room: str
    call: str
    leg: str


class LegDeaf(Event, frozen=True):
    """A party hears nothing until it has agreed to another port: its own is taken after a restart."""

    call: str
    leg: str
    reason: str


class MediaPortsExhausted(Event, frozen=True):
    """No port is left for a call's sound: it is refused, but for an emergency call, which goes without us."""

    call: str


class MediaProcessLost(Event, frozen=True):
    """The media process is gone: no call is heard until MediaProcessBack."""

    reason: str


class MediaProcessBack(Event, frozen=True):
    """Another media process carries the streams of the one that was lost."""


class DeviceReachable(Event, frozen=True):
    """A device can be reached from now on: it registered, or answers again. device: its sign-in."""

    device: str


class DeviceUnreachable(Event, frozen=True):
    """A device can't be reached any more. reason: `signed out`, `expired`, `silent`, `disconnected` or
    `removed`."""

    device: str
    reason: str


class TrunkChanged(Event, frozen=True):
    """A trunk is in another state: `up`, `unknown`, `unregistered`, `down` or `refusing`."""

    trunk: str
    state: str
    before: str


class AddressBanned(Event, frozen=True):
    """A source (an address, or an IPv6 /64) is banned. until: Unix seconds."""

    source: str
    why: str
    until: float


class BudgetSpent(Event, frozen=True):
    """A budget refused a call, or cut one off. user: the extension that pays. why: in words."""

    call: str
    user: str
    why: str


class EmergencyCallMade(Event, frozen=True):
    """Somebody calls for help. number: the one called; site: where the device is; source: how that is known
    (`assumed` is a guess). notified: the extensions that are told."""

    call: str
    number: str
    from_number: str
    from_name: str
    site: str
    source: str
    notified: tuple[str, ...]


class CallPreempted(Event, frozen=True):
    """An ordinary call was ended, for its channel of a trunk was the last for the emergency call `by`."""

    call: str
    trunk: str
    by: str


class AlarmRaised(Event, frozen=True):
    """Somebody's call has reached a step of a hotline that raises an alarm of the plan."""

    alarm: str
    call: str
    service: str


class EmergencyTestFailed(Event, frozen=True):
    """The daily test call of a site over a trunk didn't reach the simulated answering point."""

    site: str
    trunk: str
    number: str
    why: str


class SettingsChanged(Event, frozen=True):
    """A person's forwards, do not disturb or the like were set or cleared. by: an extension, or who typed a
    command."""

    extension: str
    by: str


class MailboxChanged(Event, frozen=True):
    """A message was left, heard or deleted. mailbox: an extension, or as the plan names it.

    new, old: how many wait now.
    """

    mailbox: str
    new: int
    old: int


class OverrideChanged(Event, frozen=True):
    """A service or a schedule was opened or closed by hand, or set back.

    kind: `service` or `schedule`; state: `open`, `closed` or `as planned`; until: Unix seconds; to: where its
    calls go, "" for as planned; by: an extension, or who typed a command.
    """

    kind: str
    name: str
    state: str
    until: float
    to: str
    by: str


class PinRefused(Event, frozen=True):
    """A wrong PIN was entered for a person. names: what it counts under. locked: it was the last."""

    extension: str
    names: str
    locked: bool


class HotDeskChanged(Event, frozen=True):
    """A device is used by this person from now on. by: an extension, who typed a command, or `plan`."""

    device: str
    extension: str
    by: str


class PhoneWaveStopped(Event, frozen=True):
    """A wave of desk telephones stops, for too many of them didn't come back. wave: its number; action:
    `resync`, `restart` or `firmware`; why: in words."""

    wave: int
    action: str
    why: str


class AddressWanted(Event, frozen=True):
    """A device calls from a network outside of every site, and nobody has said where that is.

    An emergency call from there tells an assumed place until somebody does.
    """

    device: str
    extension: str
    network: str


class AddressChanged(Event, frozen=True):
    """Where a device is was said, confirmed or forgotten. state: `said`, `confirmed` or `forgotten`."""

    device: str
    network: str
    state: str
    by: str


class TextStored(Event, frozen=True):
    """A short text is written down and waits for its person. text: its number, never what it says."""

    text: int
    from_number: str
    to: str


class TextDelivered(Event, frozen=True):
    """A device of its person took a text, so many seconds after it was written."""

    text: int
    from_number: str
    to: str
    seconds: float


class TextFailed(Event, frozen=True):
    """A text that was kept will never be delivered. why: `expired`, `refused`, or in words."""

    text: int
    from_number: str
    to: str
    why: str


class ParkingChanged(Event, frozen=True):
    """Somebody waits at a parking place, or not any more. call: "" where nobody does."""

    place: str
    call: str


class MaliciousCallTraced(Event, frozen=True):
    """Somebody reported a call as malicious. by: their extension. hidden: they weren't shown the number."""

    call: str
    by: str
    number: str
    hidden: bool


class CompletionChanged(Event, frozen=True):
    """Somebody waits to be called back, or doesn't any more (pbx.completions). asker, wanted: extensions.

    state: `waiting`, `ringing`, `completed`, `expired`, `cancelled`, or why it came to nothing.
    """

    asker: str
    wanted: str
    state: str


class JournalFailed(Event, frozen=True):
    """Records can't be written to the disk: they wait in the reserve until JournalWorks, and calls go on."""

    reason: str


class JournalWorks(Event, frozen=True):
    """Everything that waited is written. lost_records: how many there was no room for, since the start."""

    lost_records: int


class RecordingChanged(Event, frozen=True):
    """Somebody in a call has it recorded from now on (`on`), or no longer (`stopped`)."""

    call: str
    state: str


class RecordingFailed(Event, frozen=True):
    """What is said in a call doesn't reach its recording, until RecordingWorks. why: in words."""

    recording: str
    call: str
    why: str


class RecordingWorks(Event, frozen=True):
    """A recording has all that it was given, but `lost_packets`."""

    recording: str
    call: str
    lost_packets: int


class RecordingTrouble(Event, frozen=True):
    """Something about recordings isn't well, until RecordingTroubleOver. what: `disk`, `clock`, `copies`,
    `stamps`, `purge`, `catalogue`, `repair` or `journal`; why: in words."""

    what: str
    why: str


class RecordingTroubleOver(Event, frozen=True):
    """That is well again."""

    what: str


LEG_CHANGES = (LegStarted, CallRinging, CallAnswered, LegLeft)
_ALL: tuple[type[Event], ...] = (
    CallStarted,
    *LEG_CHANGES,
    CallEnded,
    WakeWanted,
    WakeOver,
    LegSilent,
    LegHeard,
    LegDeaf,
    LegNotHeard,
    RoomSpeakerChanged,
    MediaProcessLost,
    MediaProcessBack,
    DeviceReachable,
    DeviceUnreachable,
    TrunkChanged,
    AddressBanned,
    BudgetSpent,
    EmergencyCallMade,
    CallPreempted,
    AlarmRaised,
    EmergencyTestFailed,
    SettingsChanged,
    OverrideChanged,
    MailboxChanged,
    CompletionChanged,
    MaliciousCallTraced,
    ParkingChanged,
    PinRefused,
    HotDeskChanged,
    PhoneWaveStopped,
    AddressWanted,
    AddressChanged,
    TextStored,
    TextDelivered,
    TextFailed,
    JournalFailed,
    JournalWorks,
    RecordingChanged,
    RecordingFailed,
    RecordingWorks,
    RecordingTrouble,
    RecordingTroubleOver,
)
KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in _ALL}
"""Every kind by its name."""

_Fields = ParamSpec("_Fields")
_Kind = TypeVar("_Kind", bound=Event)
_Listener = Callable[[Any], None]


class Subscription:
    """One listener's place on the bus."""

    def __init__(self, events: Events, kinds: tuple[type[Event], ...], listener: _Listener) -> None:
        self._events = events
        self._kinds = kinds
        self._listener = listener

    def end(self) -> None:
        """Tell it nothing more; nothing when it has ended already."""
        self._events.forget(self._listener, self._kinds)


class Feed(Generic[_Kind]):
    """A slow reader's queue: `async for event in feed`, until it is closed.

    When it is full the oldest event makes room for the newest. lost: how many did so.
    """

    def __init__(self, events: Events, kinds: tuple[type[_Kind], ...], capacity: int) -> None:
        self.lost = 0
        self._waiting: deque[_Kind] = deque(maxlen=capacity)
        self._come = asyncio.Event()
        self._closed = False
        self._events = events
        self._subscription = events.subscribe(self._put, *kinds)

    def _put(self, event: _Kind) -> None:
        if len(self._waiting) == self._waiting.maxlen:
            self.lost += 1
        self._waiting.append(event)
        self._come.set()

    def close(self) -> None:
        """Queue nothing more; the reader gets what waits, then the end."""
        self._subscription.end()
        self._events.feeds.discard(self)
        self._closed = True
        self._come.set()

    def __aiter__(self) -> Feed[_Kind]:
        return self

    async def __anext__(self) -> _Kind:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._come.clear()
            await self._come.wait()
        return self._waiting.popleft()


class Events:
    """The bus of one node. clock: Unix seconds. feeds: those that are open."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.feeds: set[Feed[Any]] = set()
        self._clock = clock
        self._listeners: dict[object, tuple[_Listener, ...]] = {}

    def publish(
        self,
        kind: Callable[Concatenate[float, _Fields], Event],
        /,
        *fields: _Fields.args,
        **named: _Fields.kwargs,
    ) -> None:
        """Tell that something happened, as `publish(CallRinging, call.id, "b1", "1002")`. Never raises."""
        listeners = self._listeners.get(kind)
        if listeners is None:
            return
        event = kind(self._clock(), *fields, **named)
        for listener in listeners:
            try:
                listener(event)
            except Exception:  # whatever a listener does, the publisher goes on
                log.exception("a listener to %s failed", type(event).__name__)

    def heard(self, kind: type[Event]) -> bool:
        """Whether anybody listens to a kind."""
        return kind in self._listeners

    def subscribe(self, listener: Callable[[_Kind], None], *kinds: type[_Kind]) -> Subscription:
        """Have events of these kinds told at once, in the publisher's turn: for listeners that are quick."""
        for kind in kinds:
            self._listeners[kind] = (*self._listeners.get(kind, ()), listener)
        return Subscription(self, kinds, listener)

    def forget(self, listener: Callable[[_Kind], None], kinds: tuple[type[_Kind], ...]) -> None:
        """Tell a listener nothing more of these kinds."""
        for kind in kinds:
            left = tuple(one for one in self._listeners.get(kind, ()) if one != listener)
            if left:
                self._listeners[kind] = left
            else:
                self._listeners.pop(kind, None)

    def feed(self, *kinds: type[_Kind], capacity: int = FEED_EVENTS) -> Feed[_Kind]:
        """A queue of events of these kinds, for a reader that may be slow. Close it when done."""
        feed = Feed(self, kinds, capacity)
        self.feeds.add(feed)
        return feed

    def close(self) -> None:
        """End every feed: the node stops."""
        for feed in list(self.feeds):
            feed.close()
