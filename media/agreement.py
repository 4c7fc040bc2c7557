"""What two parties have in common of codecs, and what we add so that they always have something.

A party is offered what the other one offers, and behind it every codec of ours that this one lacks: its
answer chooses. Where it chooses one that both have, packets are relayed. Otherwise each speaks a codec of
ours, and the media process makes one into the other. Two parties of which one has nothing but codecs that
we don't know need one in common: nothing is added then.

Keys pressed: RFC 4733 events, or tones in the sound where a party has no events.
"""

from functools import lru_cache
from itertools import chain
from typing import Final

from msgspec.structs import replace

from media.engine import MediaRefused
from media.line import NOT_ACCEPTABLE, Line
from media.sdp import Codec, MediaDescription

PCMA: Final = Codec(8, "PCMA", 8000, 1, "pcma/8000/1")
PCMU: Final = Codec(0, "PCMU", 8000, 1, "pcmu/8000/1")
G722: Final = Codec(9, "G722", 8000, 1, "g722/8000/1")
OPUS: Final = Codec(96, "opus", 48000, 2, "opus/48000/2")  # RFC 7587 section 7: always /2
EVENTS: Final = Codec(101, "telephone-event", 8000, 1, "telephone-event/8000/1")
OURS: Final = (PCMA, PCMU, G722, OPUS, EVENTS)
VOICES: Final = {codec.key: codec for codec in (PCMA, PCMU, G722, OPUS)}
SIMPLE: Final = frozenset({PCMA.key, PCMU.key})
_FMTP: Final = {OPUS.key: "useinbandfec=1", EVENTS.key: "0-15"}
_NAMES: Final = {codec.key: codec.name for codec in OURS} | {"cn/8000/1": "CN"}


def first_voice(codecs: list[Codec]) -> Codec | None:
    """Return the first codec that we can play and hear, None when there is none."""
    return next((codec for codec in codecs if codec.key in VOICES), None)


def events_beside(codecs: list[Codec], voice: Codec) -> Codec | None:
    """Return the telephone-event to go with a voice, at its clock where there is one; None for none."""
    first = None
    for codec in codecs:
        if codec.key.startswith("telephone-event/"):
            if codec.clock_rate == voice.clock_rate:
                return codec
            first = first or codec
    return first


@lru_cache(maxsize=256)
def added_to(codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """Return those of ours that an offer lacks, in our order; none for one without a voice of ours."""
    keys = {codec.key for codec in codecs}
    if keys.isdisjoint(VOICES):
        return ()
    has_events = any(codec.is_event for codec in codecs)
    return tuple(codec for codec in OURS if codec.key not in keys and not (codec is EVENTS and has_events))


@lru_cache(maxsize=256)
def lines_of(codecs: tuple[Codec, ...]) -> tuple[str, ...]:
    """Return the a=rtpmap and a=fmtp lines of codecs as we write them."""
    lines: list[str] = []
    for codec in codecs:
        channels = f"/{codec.channels}" if codec.channels != 1 else ""
        lines.append(f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}{channels}")
        if codec.key in _FMTP:
            lines.append(f"a=fmtp:{codec.payload_type} {_FMTP[codec.key]}")
        elif codec.is_event:
            lines.append(f"a=fmtp:{codec.payload_type} 0-15")
    return tuple(lines)


# --- payload type numbers ----------------------------------------------------


def renumbered(numbers: dict[int, str], source: MediaDescription) -> dict[str, str]:
    """Return the numbers of `source` that must be others for a party, and note all that it is told.

    numbers: every number of its session. RFC 3264 section 8.3.2: the meaning of a number never changes
    during a session. Raises MediaRefused when there are none left.
    """
    changed: dict[str, str] = {}
    for codec in source.codecs:
        number = codec.payload_type
        if numbers.get(number) == codec.key:
            continue
        number = number_for(numbers, codec, {other.payload_type for other in source.codecs})
        numbers[number] = codec.key
        if number != codec.payload_type:
            changed[str(codec.payload_type)] = str(number)
    return changed


def number_for(numbers: dict[int, str], codec: Codec, others: set[int]) -> int:
    """Return a party's number for a codec: the one it already has, the codec's own, or a free one.

    others: numbers that stand for something else in the same body. Raises MediaRefused when none is left.
    """
    for number, key in numbers.items():
        if key == codec.key and number not in others:
            return number
    if codec.payload_type not in numbers:
        return codec.payload_type
    for number in chain(range(96, 128), range(35, 64)):
        if number not in numbers and number not in others:
            return number
    raise MediaRefused(NOT_ACCEPTABLE, "no payload type number left in this session")


def renumber_line(line: str, changed: dict[str, str]) -> str:
    """Return an a=rtpmap or a=fmtp line with its number changed, any other line as it is."""
    name, colon, value = line.partition(":")
    if name not in ("a=rtpmap", "a=fmtp"):
        return line
    number, space, rest = value.partition(" ")
    return f"{name}{colon}{changed.get(number, number)}{space}{rest}"


def only(media: MediaDescription, numbers: set[int]) -> MediaDescription:
    """Return the line with these payload types alone."""
    kept = {str(number) for number in numbers}
    return replace(
        media,
        formats=[text for text in media.formats if text in kept],
        codecs=[codec for codec in media.codecs if codec.payload_type in numbers],
        passed=[line for line in media.passed if _number_of(line) in kept or not _number_of(line)],
    )


def _number_of(line: str) -> str:
    """Return the payload type that an attribute is of, "" for any other line."""
    name, _, value = line.partition(":")
    return value.partition(" ")[0] if name in ("a=rtpmap", "a=fmtp") else ""


def simplified(media: MediaDescription) -> MediaDescription:
    """Return the line with G.711 and events alone, as it is when it has no G.711."""
    if SIMPLE.isdisjoint(codec.key for codec in media.codecs):
        return media
    return only(
        media, {codec.payload_type for codec in media.codecs if codec.key in SIMPLE or codec.is_event}
    )


def spoken_by_us(media: MediaDescription, codecs: tuple[Codec, ...]) -> MediaDescription:
    """Return what a party is told in place of `media` when it hears these codecs, which we make.

    What the other party said of its own codecs and packets (a=ptime, b=) isn't true for them.
    """
    told = [
        line
        for line in media.passed
        if line[:2] == "a=" and line[2:].partition(":")[0] not in ("rtpmap", "fmtp", "ptime", "maxptime")
    ]
    return replace(
        media,
        formats=[str(codec.payload_type) for codec in codecs],
        codecs=list(codecs),
        passed=[*lines_of(codecs), "a=ptime:20", *told],
    )


# --- what a stream does ------------------------------------------------------


def payload_types(source: Line, destination: Line) -> dict[int, int]:
    """Return each number that `source` may send with, and what `destination` knows the codec by.

    Numbers of codecs that the destination doesn't have are left out.
    """
    if source.remote is None or destination.remote is None:
        return {}
    theirs = destination.remote
    return _payload_types(tuple(source.numbers.items()), tuple(theirs.codecs), tuple(theirs.formats)).copy()


@lru_cache(maxsize=512)
def _payload_types(
    ours: tuple[tuple[int, str], ...], codecs: tuple[Codec, ...], formats: tuple[str, ...]
) -> dict[int, int]:
    """Return it of a party's numbers, and of what the other has said."""
    declared = {codec.payload_type: codec.key for codec in codecs}
    numbers: dict[int, int] = {}
    for number, key in ours:
        if declared.get(number) == key:
            numbers[number] = number
        else:
            for codec in codecs:
                if codec.key == key:
                    numbers[number] = codec.payload_type
                    break
    if len(formats) != len(declared):
        # A number without a meaning that we know goes through as it is.
        for text in formats:
            if text.isascii() and text.isdecimal() and int(text) not in declared:
                numbers.setdefault(int(text), int(text))
    return numbers


def own_payload_types(line: Line) -> dict[int, int]:
    """Return the numbers that a leg without a peer may send with, each for itself (its echo)."""
    codecs = line.remote.codecs if line.remote is not None else []
    return {codec.payload_type: codec.payload_type for codec in codecs}


def event_types(line: Line) -> tuple[int, ...]:
    """Return every number that the leg may send telephone-events with."""
    return _event_types(tuple(line.numbers.items()))


@lru_cache(maxsize=256)
def _event_types(numbers: tuple[tuple[int, str], ...]) -> tuple[int, ...]:
    return tuple(number for number, key in numbers if key.startswith("telephone-event/"))


def converted(line: Line) -> tuple[Codec, ...]:
    """Return all that a leg may send and we can make into something else, by its own numbers."""
    return tuple(
        _codec(number, key)
        for number, key in line.numbers.items()
        if key in VOICES or key == "cn/8000/1" or key.startswith("telephone-event/")
    )


@lru_cache(maxsize=256)
def _codec(number: int, key: str) -> Codec:
    name, clock_rate, channels = key.split("/")
    return Codec(number, _NAMES.get(key, name), int(clock_rate), int(channels), key)


@lru_cache(maxsize=256)
def named(key: str) -> str:
    """Return a codec's key with its name as we write it: "PCMA/8000/1" for "pcma/8000/1"."""
    name, _, rest = key.partition("/")
    return f"{_NAMES.get(key, name)}/{rest}"


def fmtp_of(media: MediaDescription | None, codec: Codec) -> str:
    """Return what a party said of a codec of its own, "" when it said nothing."""
    prefix = f"a=fmtp:{codec.payload_type} "
    lines = media.lines if media is not None else []
    return next((line[len(prefix) :] for line in lines if line.startswith(prefix)), "")
