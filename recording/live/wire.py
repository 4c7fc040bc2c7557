"""The messages between signalling and the recorder's process, in frames (`media.frames`).

```
signalling ── Policies, Begin, Track, Part, End, Slots ──> recorder
           <── Inventory, then Heard, Failing, WellAgain, Ended, Trouble, TroubleOver ──
```
A recording is named by its slot, which its packets on the tape bear. Slots outlive both processes, so
either may die: a recorder says first which recordings go on (`Inventory`); signalling says again what it
wants, and ends with `Slots`. What is in none of them is nobody's, and ends.

Times are Unix microseconds.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from media.frames import decoded

MOST_SLOT: Final = 65_535  # TAPE_RECORDINGS of the plane: two that are so far apart would be one

Export: TypeAlias = Literal["two_persons", "one_person", "never"]
OnFailure: TypeAlias = Literal["connect_and_alarm", "refuse"]
Start: TypeAlias = Literal["answer", "ringing", "asked"]


Slot: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=MOST_SLOT)]
Name: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{6}[0-9A-Za-z-]{1,57}\Z")]


class Policy(msgspec.Struct, array_like=True, frozen=True):
    """Why and how long calls are recorded, and who may listen: as the plan says.

    listeners: extensions; nobody where there are none. register: where it stands in the register of
    processing; least_days: none is erased on somebody's request before.
    """

    name: str
    legal_basis: str
    keep_days: int
    listeners: tuple[str, ...] = ()
    export: Export = "two_persons"
    on_failure: OnFailure = "connect_and_alarm"
    start: Start = "answer"
    register: str = ""
    least_days: int = 0


class Facts(msgspec.Struct, array_like=True, frozen=True):
    """What a recording is about. policy: its name; call: of the call record; line: the service, "" for none.

    user: the extension that it is recorded for, "" for none. caller, called: numbers; direction: as in the
    call record. continues: the recording that this one goes on from, "" for none.
    """

    policy: str
    call: str
    line: str = ""
    user: str = ""
    caller: str = ""
    called: str = ""
    direction: str = ""
    site: str = ""
    continues: str = ""


# What signalling says


class Policies(msgspec.Struct, tag="policies", array_like=True):
    """These are all policies from now on."""

    policies: tuple[Policy, ...]


class Begin(msgspec.Struct, tag="begin", array_like=True):
    """A recording begins. began_us: when; its packets on the tape may be older than this message."""

    slot: Slot
    recording: Name
    began_us: int
    facts: Facts


class Track(msgspec.Struct, tag="track", array_like=True):
    """What is on a track from now on: a party's sound, or what we say to it; its codecs may have changed.

    track: a number that signalling chooses, 0 to 63. codecs: what payload types mean ("8": "PCMA/8000/1").
    """

    slot: int
    track: int
    party: str
    leg: str
    codecs: dict[str, str]


class Part(msgspec.Struct, tag="part", array_like=True):
    """The call does something else from now on; see `recording.proof.entries.Part`."""

    slot: int
    what: str
    with_whom: list[str]


class End(msgspec.Struct, tag="end", array_like=True):
    """A recording ends, with what is on its way still in it."""

    slot: int
    cause: str


class Slots(msgspec.Struct, tag="slots", array_like=True):
    """All was said: these go on. Others end with the cause "lost" when nobody claims them for a while."""

    slots: tuple[int, ...]


# What the recorder says


class Going(msgspec.Struct, array_like=True, frozen=True):
    """A recording that goes on. tracks: their numbers."""

    slot: int
    recording: str
    call: str
    tracks: tuple[int, ...]


class Trouble(msgspec.Struct, tag="trouble", array_like=True, frozen=True):
    """Something isn't well that is about no single recording.

    what: one of "disk", "clock", "copies", "stamps", "purge", "catalogue", "repair", "journal"; why: in
    words.
    """

    what: str
    why: str


class Inventory(msgspec.Struct, tag="inventory", array_like=True):
    """What goes on, and which troubles last: the first thing a recorder says."""

    going: tuple[Going, ...]
    troubles: tuple[Trouble, ...] = ()


class Heard(msgspec.Struct, tag="heard", array_like=True):
    """When each track last had a packet, by slot and track; 0 before the first. Said twice a second."""

    slots: dict[int, dict[int, int]]


class Failing(msgspec.Struct, tag="failing", array_like=True):
    """What a recording was given isn't in its file; why, in the system's words."""

    recording: str
    why: str


class WellAgain(msgspec.Struct, tag="well-again", array_like=True):
    """All that a recording was given is in its file, but `lost` packets."""

    recording: str
    lost: int


class Ended(msgspec.Struct, tag="ended", array_like=True):
    """A recording is closed. packets: kept; lost: that were given and could not be."""

    recording: str
    head: str
    packets: int
    lost: int
    bytes: int


class TroubleOver(msgspec.Struct, tag="trouble-over", array_like=True, frozen=True):
    """That is well again."""

    what: str


Order: TypeAlias = Policies | Begin | Track | Part | End | Slots
Report: TypeAlias = Inventory | Heard | Failing | WellAgain | Ended | Trouble | TroubleOver

_orders = msgspec.msgpack.Decoder(list[Order])
_reports = msgspec.msgpack.Decoder(list[Report])


def orders(body: bytes) -> list[Order]:
    """Return the messages of one frame to the recorder. Raises WireError."""
    return decoded(body, _orders)


def reports(body: bytes) -> list[Report]:
    """Return the messages of one frame from the recorder. Raises WireError."""
    return decoded(body, _reports)
