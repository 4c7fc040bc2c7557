"""The messages between the signalling process and the media process, in frames (`media.frames`).

The process that meets a frame that doesn't decode stops loudly, and its supervisor starts it again.

A stream is named by its RTP port on IPv4, and by IPV6 + its port on IPv6: this is what `port` is in
every message. The media process announces ports that it has bound (`Ports`); the signalling process
gives them to legs, says what each does (`Route`), and gives them back (`Close`). Messages keep their
order, so what is said of a port before it is announced again belongs to its last use.

Either process may die. Whoever is left tells the next one nothing by itself: signalling says every
`Route` again (`again`), then asks for ports; streams of which no word was said end after a while.
"""

from typing import Final, Literal

import msgspec

from media.engine import RecordEnd, Source
from media.frames import decoded
from media.pictures import Way
from media.sdes import Security
from media.sdp import Codec

IPV6: Final = 0x10000
NOT_RELAYED: Final = 128  # in Route.payload_types: no payload type has this number

DigitPath = Literal["relay", "tones", "listen"]


class Route(msgspec.Struct, tag="route", array_like=True):
    """All that a stream does from now on; replaces what was said before.

    peer: port of the stream that hears this leg, 0 for none. host, rtp_port, rtcp_port: where the leg
    receives ("" and 0: nothing is sent to it). nat: that can't be believed once the leg was heard;
    latch: the next valid packet shows where the leg is.
    watch: report silence. payload_types: each number that the leg sends with, and the number that its
    peer knows the same codec by; NOT_RELAYED for what the peer can't be sent as it is: a packet with such
    a number is the leg's like any other (latched, counted, its digits found), and never goes on by itself.
    event_types: those of them that are telephone-events.
    codec, payload_type, clock_rate: what is sent to this leg when we speak; event_type: its number for
    telephone-event, -1 when it has none.
    again: one of the two processes died, and this was said before: a leg that was latched stays where it
    is, and a port that can't be bound is told by `Lost`.
    converts: empty for a leg that is relayed. Otherwise nothing of the leg is relayed: these are all
    codecs that it may send with, by its own numbers (each is NOT_RELAYED), and the loop makes them into
    the `codec`, `payload_type`, `clock_rate` and `fmtp` of the peer's route. They are voice of ours (as
    `media.voice` has), CN (RFC 3389) and telephone-event, which goes to the peer's `event_type` with
    durations counted in its `clock_rate`, or nowhere when that is -1 (see `digits`).
    fmtp: what the leg said of `codec` ("useinbandfec=1"), for whoever encodes towards it.
    digits: what to do with keys of this leg beside telling `Digit`. "relay": nothing, its events go on as
    packets do. "tones": it sends events and its peer has none: the peer is played each key as a tone.
    "listen": it has no events and a codec of ours: its keys are found in its sound, and sent to the peer
    as events where that has an `event_type` (otherwise they are in the sound that the peer hears).
    security: what the leg encrypts with, and what it expects; None: it speaks in clear.
    mux: RTCP comes and goes on the RTP port (RFC 5761).
    kind: "datagrams" (T.38 over UDPTL) are passed on as they are, only to a peer of the same kind.
    pictures: how the leg is asked for a whole picture when its peer wants one, "" for a line without any.
    """

    port: int
    peer: int
    host: str
    rtp_port: int
    rtcp_port: int
    nat: bool
    latch: bool
    watch: bool
    payload_types: dict[int, int]
    event_types: tuple[int, ...]
    codec: str
    payload_type: int
    clock_rate: int
    event_type: int
    again: bool = False
    converts: tuple[Codec, ...] = ()
    fmtp: str = ""
    digits: DigitPath = "relay"
    security: Security | None = None
    mux: bool = False
    kind: Literal["rtp", "datagrams"] = "rtp"
    pictures: Way | Literal[""] = ""


def codec_of(route: Route) -> Codec:
    """Return the codec that the leg is sent, by its own number."""
    name = route.codec.lower()
    channels = 2 if name == "opus" else 1  # RFC 7587 section 7: in SDP, whatever is sent
    key = f"{name}/{route.clock_rate}/{channels}"
    return Codec(route.payload_type, route.codec, route.clock_rate, channels, key)


class Close(msgspec.Struct, tag="close", array_like=True):
    """These streams end; their ports rest and are announced again."""

    ports: tuple[int, ...]


class Grow(msgspec.Struct, tag="grow", array_like=True):
    """Announce this many more ports, as far as the range goes; on IPv6 when `ipv6`."""

    pairs: int
    ipv6: bool = False


class Play(msgspec.Struct, tag="play", array_like=True):
    """Play to a stream. turn: named again in `Finished`."""

    port: int
    turn: int
    repeat: bool
    source: Source


class Stop(msgspec.Struct, tag="stop", array_like=True):
    """End what a stream is played, and its echo."""

    port: int


class Echo(msgspec.Struct, tag="echo", array_like=True):
    """Send a leg's sound back to it."""

    port: int


class Record(msgspec.Struct, tag="record", array_like=True):
    """Write what a leg says into a file; see `MediaEngine.record`. turn: named again in `Recorded`."""

    port: int
    turn: int
    path: str
    seconds: float
    silence_seconds: float
    keys: str


class StopRecord(msgspec.Struct, tag="stop-record", array_like=True):
    """End what `Record` began."""

    port: int


class Tape(msgspec.Struct, tag="tape", array_like=True):
    """Put a leg on the recorder's tape, or take it off; see `MediaEngine.tape`.

    again: as in `Route`, before which it is said then: what waited in the port is on the tape.
    """

    port: int
    slot: int
    by_leg: int
    to_leg: int
    again: bool = False


class Digits(msgspec.Struct, tag="digits", array_like=True):
    """Send digits to a stream."""

    port: int
    digits: str


class AskForPicture(msgspec.Struct, tag="ask-for-picture", array_like=True):
    """A leg has asked for a whole picture by SIP: whoever it sees in this stream is to send one."""

    port: int


class Join(msgspec.Struct, tag="join", array_like=True):
    """Put a stream into a room, or change what it does there; it hears the room in place of its peer.

    room: any text that isn't "", the same for all of one room, made by its first `Join` and gone with its
    last stream. speaks: the others hear it (muted when False, its packets are still taken). hears: it is
    sent the others, otherwise nothing. whisper: the one port of the room that hears it, 0 for all.
    A `Route` said meanwhile changes its codec and address, and `peer` counts again after `Leave`.
    """

    port: int
    room: str
    speaks: bool
    hears: bool
    whisper: int = 0


class Leave(msgspec.Struct, tag="leave", array_like=True):
    """Take a stream out of its room: it hears its peer again. `Close` does the same for its ports."""

    port: int


class Spread(msgspec.Struct, tag="spread", array_like=True):
    """A stream's route leads to a multicast address. interface: where it leaves, "" as the port is bound."""

    port: int
    ttl: int
    interface: str


class Query(msgspec.Struct, tag="query", array_like=True):
    """Ask for `Statistics`. number: named again in the answer."""

    number: int
    ports: tuple[int, ...]


class Ports(msgspec.Struct, tag="ports", array_like=True):
    """Ports that are bound and free. exhausted: the range of this kind has no more for now.

    grown: this answers a `Grow`; otherwise they have rested after their last call.
    """

    ports: tuple[int, ...]
    exhausted: bool
    ipv6: bool = False
    grown: bool = True


class Digit(msgspec.Struct, tag="digit", array_like=True):
    """A key pressed by a leg."""

    port: int
    digit: str


class Finished(msgspec.Struct, tag="finished", array_like=True):
    """What was played has ended."""

    port: int
    turn: int


class Recorded(msgspec.Struct, tag="recorded", array_like=True):
    """A recording is over, and on the disk. seconds: of sound in it."""

    port: int
    turn: int
    why: RecordEnd
    seconds: float


class Silent(msgspec.Struct, tag="silent", array_like=True):
    """Nothing comes from a leg."""

    port: int
    seconds: float


class Heard(msgspec.Struct, tag="heard", array_like=True):
    """Packets come again from a leg that was silent."""

    port: int


class Lost(msgspec.Struct, tag="lost", array_like=True):
    """The port of a stream that was said again can't be bound."""

    port: int
    reason: str


class PictureWanted(msgspec.Struct, tag="picture-wanted", array_like=True):
    """A leg is to send a whole picture, and can't be asked for it in RTCP."""

    port: int


class Speaker(msgspec.Struct, tag="speaker", array_like=True):
    """Another party of a room is the loudest now. port: 0 when nobody speaks any more."""

    room: str
    port: int


class OneWay(msgspec.Struct, tag="one-way", array_like=True):
    """Nothing comes from a leg for this long while its peer is heard. Said once, until it is heard."""

    port: int
    seconds: float


class Measured(msgspec.Struct, tag="measured", array_like=True):
    """How a leg has been heard since its beginning; see `media.engine.LegQuality`."""

    port: int
    mos: float
    loss_percent: float
    jitter_ms: float
    round_trip_ms: float


class StreamCounts(msgspec.Struct, array_like=True):
    """Counters of one stream; see `media.engine.LegMedia`. remote: where the leg is heard from."""

    port: int
    remote_host: str
    remote_port: int
    packets: int
    bytes_received: int
    packets_sent: int
    lost: int
    jitter_ms: float
    silent_seconds: float
    third_party_packets: int
    invalid_packets: int
    limited_packets: int
    round_trip_ms: float = 0.0
    far_lost: int = 0
    far_jitter_ms: float = 0.0


class Statistics(msgspec.Struct, tag="statistics", array_like=True):
    """The answer to `Query`. Ports without a stream are left out."""

    number: int
    streams: tuple[StreamCounts, ...]


Command = (
    Route
    | Close
    | Grow
    | Play
    | Stop
    | Echo
    | Record
    | StopRecord
    | Tape
    | Digits
    | AskForPicture
    | Join
    | Leave
    | Spread
    | Query
)
Report = (
    Ports
    | Digit
    | Finished
    | Recorded
    | Silent
    | Heard
    | Lost
    | PictureWanted
    | Speaker
    | OneWay
    | Measured
    | Statistics
)

_commands = msgspec.msgpack.Decoder(list[Command])
_reports = msgspec.msgpack.Decoder(list[Report])


def commands(body: bytes) -> list[Command]:
    """Return the messages of one frame to the media process. Raises WireError."""
    return decoded(body, _commands)


def reports(body: bytes) -> list[Report]:
    """Return the messages of one frame from the media process. Raises WireError."""
    return decoded(body, _reports)
