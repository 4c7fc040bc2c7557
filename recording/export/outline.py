"""What a sealed recording says of itself, but its sound: who is in it, in what codecs, what was lost when.

`outline` goes through the file once, in constant memory, and looks at every packet's head. Keys that were
pressed (RFC 4733) are counted and not told: they may be somebody's PIN.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from media import rtp
from media.dtmf import DigitDetector
from media.g711 import CodecError
from media.sdp import Codec
from media.voice import natural_rate
from recording.proof.entries import About, Clock, Ended, Entry, Missed, OneClock, Part, Silent, Track, read
from recording.proof.sealed_file import Header, read_header, segments, unseal, whole_end

# RFC 3551 table 4: what these numbers mean where nobody says.
_STATIC: Final = {0: "PCMU/8000/1", 8: "PCMA/8000/1", 9: "G722/8000/1", 13: "CN/8000/1"}
_UNSAID: Final = "payload type "


class Sealed(NamedTuple):
    """A recording's file and the key that opens it. end: of its last whole segment, in bytes."""

    path: Path
    key: bytes
    header: Header
    end: int

    def entries(self) -> Iterator[Entry]:
        """Yield what is in it, on one clock. Raises Damage, EntryError, or OSError."""
        on_one_clock = OneClock()
        for segment in segments(self.path, self.end):
            for entry in read(unseal(segment, self.key, self.path), segment.begun):
                yield on_one_clock(entry)


def opened(path: Path, key: bytes) -> Sealed:
    """Return a recording that ended, or what there is now of one that goes on. Raises Damage, or OSError."""
    return Sealed(path, key, read_header(path), whole_end(path))


class At(NamedTuple):
    """A statement, and when it was made: Unix microseconds; track: that it is about, NO_TRACK for all."""

    at: int
    track: int
    said: About | Part | Silent | Missed | Clock | Ended


class TrackSeen:
    """One track. codecs: what its payload types mean, from when on; packets: by codec ("PCMA/8000/1").

    first, last: when its packets came, Unix microseconds, 0 without any; keys_pressed: how many.
    silences: from when to when it is certified that nothing came.
    """

    __slots__ = (
        "_keys", "_kinds", "_silent_since", "codecs", "first", "keys_pressed", "last", "leg", "number",
        "packets", "party", "silences",
    )  # fmt: skip

    def __init__(self, number: int) -> None:
        self.number = number
        self.party = self.leg = ""
        self.codecs: list[tuple[int, Mapping[str, str]]] = []
        self.packets: dict[str, int] = {}
        self.first = self.last = self.keys_pressed = 0
        self.silences: list[tuple[int, int]] = []
        self._silent_since = 0
        self._kinds: dict[int, str] = {}  # by payload type, since the last statement
        self._keys = DigitDetector()

    def codec_at(self, payload_type: int, at: int) -> str:
        """Return what a payload type meant then, "payload type N" where nobody said."""
        number = str(payload_type)
        found = ""
        for since, codecs in self.codecs:
            if number in codecs and (since <= at or not found):
                found = codecs[number]  # before the first statement, what that says is the best guess
        return found or _STATIC.get(payload_type, f"{_UNSAID}{payload_type}")

    def means(self, at: int, codecs: Mapping[str, str]) -> None:
        """From then on its payload types mean this."""
        self.codecs.append((at, codecs))
        self._kinds.clear()

    def is_silent(self, since: int) -> None:
        """Nothing comes since then, until a packet does."""
        self._silent_since = self._silent_since or since

    def speaks(self, at: int) -> None:
        """Something comes again, or the recording ends."""
        if self._silent_since:
            self.silences.append((self._silent_since, at))
            self._silent_since = 0

    def end(self, at: int) -> None:
        """The recording ends: what came just before anybody said what it is, is known by now."""
        self.speaks(at)
        for kind in [kind for kind in self.packets if kind.startswith(_UNSAID)]:
            count = self.packets.pop(kind)
            said = self.codec_at(int(kind.removeprefix(_UNSAID)), 0)
            self.packets[said] = self.packets.get(said, 0) + count

    def see(self, entry: Entry) -> None:
        """Count a packet."""
        at, data = entry.at, entry.packet
        if self._silent_since:
            self.speaks(at)
        number = data[1] & 0x7F if len(data) >= rtp.HEADER_BYTES else -1
        kind = self._kinds.get(number)
        if kind is None:
            kind = self._kinds[number] = self.codec_at(number, at) if number >= 0 else "no RTP"
            self.packets.setdefault(kind, 0)
        self.packets[kind] += 1
        self.first = self.first or at
        self.last = max(self.last, at)
        if kind.startswith("telephone-event/"):
            try:
                packet = rtp.parse(data)
            except rtp.RtpError:
                return
            pressed = self._keys.receive(packet.payload, packet.timestamp, marker=packet.marker)
            self.keys_pressed += bool(pressed)


class Outline(NamedTuple):
    """See the module. begun, end: of the recording, Unix microseconds; said: statements but of tracks."""

    begun: int
    end: int
    tracks: dict[int, TrackSeen]
    said: list[At]

    @property
    def rate(self) -> int:
        """Samples a second at which nothing of its sound is lost."""
        return max([8000, *(natural_rate(codec) for codec in self._voices())])

    @property
    def parties(self) -> list[str]:
        """Who is heard in it, in the order of their tracks; who changed telephones is there once."""
        heard = [track for track in self.tracks.values() if any(map(is_voice, track.packets))]
        return list(dict.fromkeys(track.party for track in sorted(heard, key=lambda one: one.number)))

    def last_seconds(self, seconds: float) -> Outline:
        """Return the same of the end of the recording alone: its sound begins so long before its end."""
        return self._replace(begun=max(self.begun, self.end - int(seconds * 1e6)))

    @property
    def unheard(self) -> dict[str, int]:
        """Packets that are in the recording and in no sound of it, by codec: pictures, faxes, texts."""
        found: dict[str, int] = {}
        for track in self.tracks.values():
            for kind, packets in track.packets.items():
                if not is_voice(kind) and not _goes_along(kind):
                    found[kind] = found.get(kind, 0) + packets
        return found

    def _voices(self) -> Iterator[Codec]:
        for track in self.tracks.values():
            yield from (codec_of(kind) for kind in track.packets if is_voice(kind))


def outline(sealed: Sealed) -> Outline:
    """Go through a recording. Raises Damage, EntryError, or OSError."""
    begun = sealed.header.begun
    end = begun
    tracks: dict[int, TrackSeen] = {}
    said: list[At] = []
    for entry in sealed.entries():
        end = max(end, entry.at)
        statement = entry.statement
        if statement is not None and not isinstance(statement, Track):
            said.append(At(entry.at, entry.track, statement))
            if isinstance(statement, Silent) and entry.track in tracks:
                tracks[entry.track].is_silent(statement.since)
            continue
        track = tracks.get(entry.track)
        if track is None:
            track = tracks[entry.track] = TrackSeen(entry.track)
        if statement is None:
            track.see(entry)
        else:
            track.party, track.leg = statement.party, statement.leg
            track.means(entry.at, statement.codecs)
    for track in tracks.values():
        track.end(end)
    return Outline(begun, end, tracks, said)


def codec_of(kind: str, payload_type: int = 0) -> Codec:
    """Return the codec of a text such as "PCMA/8000/1". Raises CodecError for another text."""
    name, _, rest = kind.partition("/")
    rate, _, channels = rest.partition("/")
    if not (name and rate.isdecimal() and len(rate) < 7 and (channels or "1").isdecimal()):
        raise CodecError(f"no codec: {kind[:40]}")
    count = int((channels or "1")[:3])
    return Codec(payload_type, name, int(rate), count, f"{name.lower()}/{rate}/{count}")


def is_voice(kind: str) -> bool:
    """Whether packets of this codec become sound."""
    try:
        natural_rate(codec_of(kind))
    except CodecError:
        return False
    return True


def _goes_along(kind: str) -> bool:
    return kind.partition("/")[0].lower() in ("telephone-event", "cn")
