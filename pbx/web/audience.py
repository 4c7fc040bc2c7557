"""Who may be told of an event: whoever has its right, and those whose own matter it is.

An event about a call is the own matter of its parties, which are known from the events before it; one about a
device that of who uses it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

from pbx.accounts.rights import Right
from pbx.api.views import CallView
from pbx.people.directory import PeopleError, extension_of

MOST_CALLS = 100_000


class Audience(NamedTuple):
    """Whoever has this right (None for nobody by a right), these extensions, and who listens to a mailbox."""

    right: Right | None
    extensions: frozenset[str]
    mailbox: str = ""


_Rule: TypeAlias = tuple[str, Right | None]

_CALL: _Rule = ("call", "calls.read")
_RULES: dict[str, _Rule] = {
    # kind: which field says whose own matter it is ("" for nobody's), and the right that sees all
    "CallStarted": _CALL,
    "LegStarted": _CALL,
    "CallRinging": _CALL,
    "CallAnswered": _CALL,
    "LegLeft": _CALL,
    "CallEnded": _CALL,
    "WakeWanted": ("extension", None),
    "WakeOver": ("extension", None),
    "LegSilent": _CALL,
    "LegHeard": _CALL,
    "LegDeaf": _CALL,
    "LegNotHeard": _CALL,
    "RoomSpeakerChanged": _CALL,
    "CallPreempted": _CALL,
    "RecordingChanged": _CALL,
    "RecordingFailed": _CALL,
    "RecordingWorks": _CALL,
    "AlarmRaised": ("", "calls.read"),
    "EmergencyCallMade": ("notified", "calls.read"),
    "MaliciousCallTraced": ("", "calls.read"),  # who reports one may not be shown its number
    "BudgetSpent": ("user", "calls.read"),
    "DeviceReachable": ("device", "calls.read"),
    "DeviceUnreachable": ("device", "calls.read"),
    "HotDeskChanged": ("extension", "devices.read"),
    "PhoneWaveStopped": ("", "devices.read"),
    "AddressWanted": ("extension", "devices.read"),
    "AddressChanged": ("device", "devices.read"),
    "TrunkChanged": ("", "trunks.read"),
    "EmergencyTestFailed": ("", "trunks.read"),
    "AddressBanned": ("", "bans.change"),
    "PinRefused": ("", "audit.read"),
    "SettingsChanged": ("extension", "services.change"),
    "OverrideChanged": ("", "people.read"),
    "ParkingChanged": ("", "people.read"),
    "MailboxChanged": ("mailbox", None),
    "CompletionChanged": ("asker", None),
    "TextStored": ("to", None),
    "TextDelivered": ("from_number", None),
    "TextFailed": ("from_number", None),
    "JournalFailed": ("", "node.read"),
    "JournalWorks": ("", "node.read"),
    "MediaProcessLost": ("", "node.read"),
    "MediaProcessBack": ("", "node.read"),
    "RecordingTrouble": ("", "node.read"),
    "RecordingTroubleOver": ("", "node.read"),
}
KINDS = tuple(_RULES)
"""The kinds that anybody can be told of."""

PARTY_KINDS = ("CallStarted", "LegStarted", "CallEnded", "HotDeskChanged")
"""Those that say who is in a call, and who uses a device."""


class Audiences:
    """Finds them, event by event, in the order in which these happen."""

    def __init__(self) -> None:
        self._parties: dict[str, set[str]] = {}
        self._users: dict[str, str] = {}  # of hot desks, by device

    def begin(self, calls: Iterable[CallView]) -> None:
        """Start from the calls that are in progress."""
        self._parties = {call.id: {party.number for party in call.parties} for call in calls}

    def of(self, event: dict[str, Any]) -> Audience:
        """Return who may be told of an event, as its JSON says it."""
        kind = event["event"]
        whose, right = _RULES.get(kind, ("", "node.read"))
        self._learn(kind, event)
        match whose:
            case "":
                found: Iterable[str] = ()
            case "call":
                found = self._parties.get(event["call"], ())
            case "device":
                found = (self._user(event["device"]),)
            case "notified":
                found = event["notified"]
            case _:
                found = (event[whose],)
        mailbox = event["mailbox"] if kind == "MailboxChanged" else ""
        audience = Audience(right, frozenset(found), mailbox)
        if kind == "CallEnded":
            self._parties.pop(event["call"], None)
        return audience

    def _learn(self, kind: str, event: dict[str, Any]) -> None:
        if kind == "CallStarted":
            if len(self._parties) >= MOST_CALLS:
                self._parties.pop(next(iter(self._parties)))
            self._parties[event["call"]] = {event["from_number"]} - {""}
        elif kind == "LegStarted":
            self._parties.setdefault(event["call"], set()).add(self._user(event["device"]))
        elif kind == "HotDeskChanged":
            self._users[event["device"]] = event["extension"]

    def _user(self, device: str) -> str:
        try:
            return self._users.get(device) or extension_of(device)
        except PeopleError:  # a trunk
            return device
