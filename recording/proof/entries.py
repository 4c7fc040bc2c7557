"""What is in a segment of a recording: packets as they came, and statements that explain them.

```
entry     = kind, track (8 bits each), length (16 bits), low half of its Unix microseconds (32 bits), body
PACKET    an RTP packet as it was received, in clear, of the party that the track is
STATEMENT JSON: what is so from here on, or was found out
```
All numbers are big-endian; an entry is less than 35 minutes from its segment's begin. A track is one party's
sound. What can't be known is stated, never made up: a party that sent nothing
(`Silent`), packets that we lost ourselves (`Missed`).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any, Final, NamedTuple, TypeAlias, get_origin, get_type_hints

NO_TRACK: Final = 255  # of a statement about all of the recording
MOST_BODY_BYTES: Final = 0xFFFF

_MOST_SET_US: Final = 1 << 62
_HEAD: Final = struct.Struct(">BBHI")


class Kind(IntEnum):
    """What an entry is."""

    PACKET = 1
    STATEMENT = 2


class Track(NamedTuple):
    """A party's sound begins: who it is, and what its packets' payload types mean ("8": "PCMA/8000/1")."""

    party: str
    leg: str
    codecs: Mapping[str, str]


class About(NamedTuple):
    """What a recording is about: the first statement of each. call: of the call record; line: the service.

    user: whom it is recorded for; caller, called: numbers; continues: the recording that it goes on from,
    after a recorder died. "" where there is none.
    """

    policy: str
    call: str
    line: str
    user: str
    caller: str
    called: str
    direction: str
    site: str
    continues: str


class Part(NamedTuple):
    """What the call does from here on: "ringing", "talk", "hold", "parked", "transferred", "conference".

    with_whom: who hear each other.
    """

    what: str
    with_whom: list[str]


class Silent(NamedTuple):
    """No packet came from this party since then. since: Unix microseconds."""

    since: int


class Missed(NamedTuple):
    """Packets that came and that we didn't keep. why: "disk", "busy"; since: Unix microseconds."""

    packets: int
    why: str
    since: int


class Clock(NamedTuple):
    """What the times from here on stand on. source: "ntp", "none"; offset_us: how far they may be beside.

    set_by_us: how far the clock was set just before, 0 where it wasn't.
    """

    source: str
    offset_us: int
    set_by_us: int = 0


class Ended(NamedTuple):
    """The last entry of a recording that ended as it should. packets: kept, of all tracks."""

    cause: str
    packets: int
    bytes: int


Statement: TypeAlias = About | Track | Part | Silent | Missed | Clock | Ended
_STATEMENTS: Final[Mapping[str, type[Statement]]] = {
    kind.__name__.lower(): kind for kind in (About, Track, Part, Silent, Missed, Clock, Ended)
}


_FIELDS: Final = {
    kind: [get_origin(hint) or hint for hint in get_type_hints(kind).values()]
    for kind in _STATEMENTS.values()
}


class EntryError(ValueError):
    """Plain bytes that are no entries: what was sealed was never written by this program."""


class Entry(NamedTuple):
    """One entry. at: Unix microseconds; packet: b"" for a statement, statement: None for a packet."""

    at: int
    track: int
    packet: bytes
    statement: Statement | None


class OneClock:
    """The times of a recording as if nobody had set the clock while it went on: as at its begin."""

    __slots__ = ("_set_by_us",)

    def __init__(self) -> None:
        self._set_by_us = 0

    def __call__(self, entry: Entry) -> Entry:
        """Return the next entry of the recording, at its time by the first clock."""
        said = entry.statement
        if isinstance(said, Clock):
            self._set_by_us += said.set_by_us if abs(said.set_by_us) < _MOST_SET_US else 0
        if not self._set_by_us:
            return entry
        if isinstance(said, Silent | Missed):
            said = said._replace(since=said.since - self._set_by_us)
        return entry._replace(at=entry.at - self._set_by_us, statement=said)


def packet(track: int, at: int, data: bytes) -> bytes:
    """Return the entry of a packet. at: Unix microseconds."""
    return _HEAD.pack(Kind.PACKET, track, len(data), at & 0xFFFF_FFFF) + data


def statement(track: int, at: int, said: Statement) -> bytes:
    """Return the entry of a statement. track: NO_TRACK when it is about all; at: Unix microseconds."""
    fields = {type(said).__name__.lower(): said._asdict()}
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
    return _HEAD.pack(Kind.STATEMENT, track, len(text), at & 0xFFFF_FFFF) + text


def read(plain: bytes, begun: int) -> Iterator[Entry]:
    """Yield the entries of a segment. begun: of the segment, Unix microseconds. Raises EntryError."""
    offset, end = 0, len(plain)
    while offset < end:
        if end - offset < _HEAD.size:
            raise EntryError(f"{end - offset} bytes behind the last entry")
        kind, track, length, low = _HEAD.unpack_from(plain, offset)
        at = begun + ((low - begun + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000)
        offset += _HEAD.size
        body = plain[offset : offset + length]
        if len(body) < length:
            raise EntryError(f"an entry of {length} bytes has {len(body)}")
        if kind == Kind.PACKET:
            yield Entry(at, track, body, None)
        elif kind == Kind.STATEMENT:
            yield Entry(at, track, b"", _read_statement(body))
        else:
            raise EntryError(f"an entry of kind {kind}")
        offset += length


def _read_statement(body: bytes) -> Statement:
    try:
        ((word, fields),) = json.loads(body).items()
        made: Any = _STATEMENTS[word]
        said: Statement = made(**fields)
        for value, kind in zip(said, _FIELDS[made], strict=True):
            if not isinstance(value, kind):
                raise TypeError(f"{value!r:.40} is no {kind.__name__}")
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        raise EntryError(f"a statement that says {body[:60]!r}") from None
    return said
