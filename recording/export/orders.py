"""What a workshop is ordered to do, and what it tells: one JSON line each (`recording.export.workshop`)."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec


class Hear(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Make the sound of a recording. file: where its samples go, an open descriptor.

    most_rate: samples a second at most; last_seconds: of its end alone, 0 for all; most_bytes: of samples.
    """

    path: str
    key: bytes
    file: int
    most_rate: int
    most_bytes: int
    last_seconds: float = 0.0


class Pack(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Make the package of an export. out: a new .zip; head: the hash that the recording's file ends with.

    journal, node_key: the node's; authorities: a file of who stamps its journal, "" for nobody.
    """

    path: str
    key: bytes
    head: str
    out: str
    format: Literal["wav", "flac", "opus"]
    mixed: bool
    journal: str
    node_key: bytes
    authorities: str = ""


class Examine(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Verify a recording. key: empty where it can't be opened; head: "" while it goes on."""

    recording: str
    path: str
    key: bytes
    head: str
    journal: str
    node_key: bytes


Order: TypeAlias = Hear | Pack | Examine


class Entered(msgspec.Struct, frozen=True, tag=True):
    """The package's list of files is in the journal, as the entry with this number; 0: it can't be."""

    number: int


class Party(msgspec.Struct, frozen=True):
    """Who is heard in a channel. silences: from when to when nothing came of them, seconds."""

    name: str
    silences: list[tuple[float, float]]


class PartTold(msgspec.Struct, frozen=True):
    """What the call does from a second on, and who hear each other then."""

    second: float
    what: str
    parties: list[str]


class Loss(msgspec.Struct, frozen=True):
    """Packets that came and that the recorder didn't keep."""

    second: float
    packets: int
    why: str


class Outlined(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What there is to hear. begun: Unix seconds, of the first sample; samples: of each channel in all.

    damage: why what follows can't be heard, "" where all is whole; codecs: of what can't be heard at all.
    """

    begun: float
    seconds: float
    rate: int
    samples: int
    points: int
    parties: list[Party]
    parts: list[PartTold]
    losses: list[Loss]
    unheard: dict[str, int]
    damage: str = ""


class Made(msgspec.Struct, frozen=True, tag=True):
    """So many samples of each channel are in the file. peaks: points of the waveform that are new."""

    samples: int
    peaks: list[list[int]]


class Finished(msgspec.Struct, frozen=True, tag=True):
    """All is there. quiet: from when to when nobody speaks, seconds."""

    quiet: list[tuple[float, float]] = []


class Progress(msgspec.Struct, frozen=True, tag=True):
    """So much of a package's sound is made, 0 to 1."""

    part: float


class ToJournal(msgspec.Struct, frozen=True, tag=True):
    """A package waits to be journalled: sums is the hash of its list of files. Answered by Entered."""

    sums: str


class Examined(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What was found. segments: of the file; opened: that the key opened, -1 where there was none.

    entries: of the journal that were looked at, each against the one before and its signature; findings:
    what isn't as it was written, in English; proved_seconds: how much of a damaged one is, -1 for all.
    """

    segments: int
    bytes: int
    opened: int
    entries: int
    findings: list[str]
    proved_seconds: float = -1.0


class Failed(msgspec.Struct, frozen=True, tag=True):
    """It can't be done. word: what the pages know it by."""

    word: str
    why: str


Told: TypeAlias = Outlined | Made | Finished | Progress | ToJournal | Examined | Failed

_order = msgspec.json.Decoder(Order)
_entered = msgspec.json.Decoder(Entered)
_told = msgspec.json.Decoder(Told)


def read_order(line: bytes) -> Order:
    """Return what a line orders. Raises msgspec.DecodeError."""
    order: Order = _order.decode(line)
    return order


def read_entered(line: bytes) -> Entered:
    """Return the answer to a package. Raises msgspec.DecodeError."""
    return _entered.decode(line)


def order_line(order: Order | Entered) -> bytes:
    """Return an order, or the answer to a package, as it is sent."""
    return msgspec.json.encode(order) + b"\n"


def read_told(line: bytes) -> Told:
    """Return what a line of the workshop tells. Raises msgspec.DecodeError."""
    told: Told = _told.decode(line)
    return told
