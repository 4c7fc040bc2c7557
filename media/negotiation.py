"""Offer and answer between legs that never meet (RFC 3264), seen from the middle.

A `Leg` remembers what one party said, what it was told, and by which numbers it knows each codec. The
functions here take what one party says and write what the other is to be told. They are the whole SDP
work of an engine of ours, and touch neither ports nor packets: whoever calls them gives a port to each
leg, and makes streams of what was agreed.

What a party is told has our address and the leg's port, one audio stream, and every other m= line
refused. Who holds is each party's own affair: it is told that it may speak and listen, its own hold is
answered, and the other party is told nothing of it. Lines that we don't know go through. Payload type
numbers are kept; where the two parties number a codec differently, each keeps the numbers that it has
already been told (RFC 3264 section 8.3.2: the meaning of a number never changes during a session).

fmtp lines that name other payload types (RED) are passed as they are.
"""

from itertools import chain
from typing import Final

from msgspec import structs

from media import sdp
from media.engine import MediaMisuse, MediaRefused
from media.sdes import Policy
from media.sdp import Codec, MediaDescription, SdpError, SessionDescription
from media.snapshot import LegSnapshot, RoomSnapshot

NOT_ACCEPTABLE: Final = 488

_ANSWERING: Final = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
_LISTENING: Final = ("sendrecv", "recvonly")
_OUR_VOICE_KEYS: Final = ("pcma/8000/1", "pcmu/8000/1")
_OUR_EVENT_KEY: Final = "telephone-event/8000/1"
_OUR_OFFER: Final = sdp.parse(
    b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
    b"m=audio 9 RTP/AVP 8 0 101\na=rtpmap:8 PCMA/8000\na=rtpmap:0 PCMU/8000\n"
    b"a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=ptime:20\n"
).media[0]


class Leg:
    """One party's side of the talks.

    address, port: what it is told to send to. remote: what it said in the last exchange that came to an
    end; voice: the codec we send it, by its own number; codec: that codec's name, "" before.
    numbers: every payload type number of its session and the key of its codec.
    policy: what it is told and taken of SRTP; room: what it does in one, None for none.
    """

    __slots__ = (
        "address", "codec", "index", "name", "nat", "numbers", "offer", "offer_index", "offer_nat", "policy",
        "port", "remote", "room", "sent", "session", "shape", "version", "voice",
    )  # fmt: skip

    def __init__(self, name: str, address: str, port: int, session: int) -> None:
        self.name = name
        self.address = address
        self.port = port
        self.session = session
        self.version = 0
        self.sent = ""
        self.offer: SessionDescription | None = None
        self.offer_index = -1
        self.offer_nat = False
        self.shape: list[str] = []  # every m= line of this session, in its refused form
        self.index = -1  # of the one that is carried
        self.nat = False
        self.remote: MediaDescription | None = None
        self.voice: Codec | None = None
        self.codec = ""
        self.numbers: dict[int, str] = {}
        self.policy: Policy = "off"
        self.room: RoomSnapshot | None = None

    def snapshot(self, peer: str, *, stream: int = 0, echoes: bool = False) -> LegSnapshot:
        """Return what this leg has agreed to, as plain values."""
        return LegSnapshot(
            self.name, self.address, self.port, stream, self.session, self.version, self.sent, self.shape,
            self.index, self.nat, self.remote, self.voice, self.codec, dict(self.numbers), peer, echoes,
            self.policy, self.room,
        )  # fmt: skip

    def restore(self, kept: LegSnapshot) -> None:
        """Be as the leg that `kept` was made of."""
        self.version, self.sent = kept.version, kept.sent
        self.shape, self.index = kept.shape, kept.index
        self.nat, self.remote = kept.nat, kept.remote
        self.voice, self.codec, self.numbers = kept.voice, kept.codec, dict(kept.numbers)
        self.policy, self.room = kept.policy, kept.room

    def secure(self, policy: Policy) -> None:
        """Have this policy. Raises MediaMisuse for another one when something was said already."""
        if policy != self.policy and (self.sent or self.offer is not None or self.remote is not None):
            raise MediaMisuse(f"leg {self.name} has begun with SRTP {self.policy}")
        self.policy = policy

    def join(self, room: str, *, speaks: bool, hears: bool) -> None:
        """Be in this room. Raises MediaMisuse when the leg is in another, ValueError for ""."""
        if not room:
            raise ValueError("a room has a name")
        before = self.room or RoomSnapshot(room, True, True)
        if before.room != room:
            raise MediaMisuse(f"leg {self.name} is in room {before.room}")
        self.room = structs.replace(before, speaks=speaks, hears=hears)

    def whisper(self, to: "Leg | None", to_call: str) -> None:
        """Be heard by `to` alone, None for the whole room. Raises MediaMisuse unless both are in one."""
        if self.room is None:
            raise MediaMisuse(f"leg {self.name} is in no room")
        if to is None:
            self.room = structs.replace(self.room, whisper_call="", whisper_to="")
            return
        if to is self or to.room is None or to.room.room != self.room.room:
            raise MediaMisuse(f"leg {to.name} is not in room {self.room.room}")
        self.room = structs.replace(self.room, whisper_call=to_call, whisper_to=to.name)

    @property
    def offered(self) -> MediaDescription:
        """The audio stream of this leg's last offer. Raises MediaMisuse when it made none."""
        if self.offer is None:
            raise MediaMisuse(f"leg {self.name} made no offer")
        return self.offer.media[self.offer_index]

    @property
    def receives(self) -> bool:
        """True when the leg gave an address that something can be sent to, and listens there."""
        remote = self.remote
        return remote is not None and remote.port != 0 and remote.effective_direction in _LISTENING

    @property
    def event_type(self) -> int:
        """The leg's number for telephone-events to go with its voice, -1 when it has none."""
        if self.remote is None or self.voice is None:
            return -1
        rate = self.voice.clock_rate
        events = [codec for codec in self.remote.codecs if codec.is_event]
        same_clock = [codec for codec in events if codec.clock_rate == rate]
        return (same_clock or events)[0].payload_type if events else -1


def offer(leg: Leg, to: Leg, body: bytes, *, nat: bool) -> bytes:
    """Take leg's offer and return the one for `to`. Raises MediaRefused."""
    _take_offer(leg, body, nat)
    if leg.offer is None:
        raise MediaMisuse("an offer was taken and isn't there")
    if not to.shape:
        to.shape = [_refused(media) for media in leg.offer.media]
        to.index = leg.offer_index
    return _write(to, _audio_section(to, leg.offered, leg.offer.passed, "sendrecv"))


def answer(leg: Leg, to: Leg, body: bytes, *, nat: bool) -> bytes:
    """Take leg's answer to the last offer of `to` and return the answer for `to`.

    Both legs have agreed from here on. Raises MediaRefused, MediaMisuse.
    """
    offered = to.offered
    session, audio = _read_answer(leg, body)
    voice = next((codec for codec in audio.codecs if not codec.is_auxiliary), None) if audio.port else None
    _agree(leg, audio, nat, voice)
    _commit_offer(to)
    by_number = {codec.payload_type: codec for codec in offered.codecs}
    if voice is not None:
        same = by_number.get(voice.payload_type)
        if same is None or same.key != voice.key:
            same = next((codec for codec in offered.codecs if codec.key == voice.key), voice)
        to.voice, to.codec = same, same.name
    else:
        to.voice, to.codec = None, ""
    return _write(to, _audio_section(to, audio, session.passed, _ANSWERING[offered.effective_direction]))


def publish(leg: Leg, body: bytes, *, nat: bool) -> bytes:
    """Take leg's offer and return our own answer to it. Raises MediaRefused."""
    _take_offer(leg, body, nat)
    offered = leg.offered
    voice = _our_voice(offered)
    events = [codec for codec in offered.codecs if codec.key == _OUR_EVENT_KEY][:1]
    _commit_offer(leg)
    leg.voice, leg.codec = voice, voice.name
    lines = [
        f"m=audio {leg.port if offered.port else 0} {offered.protocol} "
        + " ".join(str(codec.payload_type) for codec in (voice, *events)),
        f"a=rtpmap:{voice.payload_type} {voice.name}/8000",
    ]
    for event in events:
        lines += [f"a=rtpmap:{event.payload_type} {event.name}/8000", f"a=fmtp:{event.payload_type} 0-15"]
    lines += ["a=ptime:20", f"a={_ANSWERING[offered.effective_direction]}"]
    return _write(leg, "\r\n".join(lines))


def terminate_offer(leg: Leg) -> bytes:
    """Return an offer of ours for the leg."""
    if not leg.shape:
        leg.shape, leg.index = [_refused(_OUR_OFFER)], 0
    return _write(leg, _audio_section(leg, _OUR_OFFER, [], "sendrecv"))


def terminate_answer(leg: Leg, body: bytes, *, nat: bool) -> None:
    """Take leg's answer to our offer. Raises MediaRefused, MediaMisuse."""
    _, audio = _read_answer(leg, body)
    voice = _our_voice(audio)
    _agree(leg, audio, nat, voice)


def payload_types(source: Leg, destination: Leg) -> dict[int, int]:
    """Return each number that `source` may send with, and what `destination` knows the codec by.

    Numbers of codecs that the destination doesn't have are left out.
    """
    if source.remote is None or destination.remote is None:
        return {}
    declared = {codec.payload_type: codec.key for codec in destination.remote.codecs}
    numbers: dict[int, int] = {}
    for number, key in source.numbers.items():
        if declared.get(number) == key:
            numbers[number] = number
        else:
            for codec in destination.remote.codecs:
                if codec.key == key:
                    numbers[number] = codec.payload_type
                    break
    if len(destination.remote.formats) != len(declared):
        # A number without a meaning that we know goes through as it is.
        for text in destination.remote.formats:
            if text.isascii() and text.isdecimal() and int(text) not in declared:
                numbers.setdefault(int(text), int(text))
    return numbers


def own_payload_types(leg: Leg) -> dict[int, int]:
    """Return the numbers that a leg without a peer may send with, each for itself (its echo)."""
    codecs = leg.remote.codecs if leg.remote is not None else []
    return {codec.payload_type: codec.payload_type for codec in codecs}


def event_types(leg: Leg) -> tuple[int, ...]:
    """Return every number that the leg may send telephone-events with."""
    return tuple(number for number, key in leg.numbers.items() if key.startswith("telephone-event/"))


def _parse(body: bytes) -> SessionDescription:
    try:
        return sdp.parse(body)
    except SdpError as error:
        raise MediaRefused(NOT_ACCEPTABLE, f"SDP: {error}") from None


def _take_offer(leg: Leg, body: bytes, nat: bool) -> None:
    session = _parse(body)
    # RFC 3264 section 8: a stream keeps its place among the m= lines for the whole session.
    index = _first_audio(session) if leg.remote is None else leg.index
    if index >= len(session.media):
        raise MediaRefused(NOT_ACCEPTABLE, "an m= line of the session is gone")
    _check(leg, session.media[index])
    leg.offer, leg.offer_index, leg.offer_nat = session, index, nat
    _learn(leg, session.media[index])


def _first_audio(session: SessionDescription) -> int:
    reason = "no audio stream"
    for index, media in enumerate(session.media):
        if media.kind == "audio" and media.port:
            if media.protocol in sdp.PLAIN_PROFILES:
                return index
            reason = f"profile {media.protocol[:40]} of the audio stream"
    raise MediaRefused(NOT_ACCEPTABLE, reason)


def _check(leg: Leg, media: MediaDescription) -> None:
    """Refuse an audio stream that can't be carried."""
    if media.kind != "audio":
        raise MediaRefused(NOT_ACCEPTABLE, f"{media.kind[:40]} where the audio stream was")
    if not media.port:
        return
    if media.protocol not in sdp.PLAIN_PROFILES:
        raise MediaRefused(NOT_ACCEPTABLE, f"profile {media.protocol[:40]} of the audio stream")
    if (":" in media.host) != (":" in leg.address):
        raise MediaRefused(NOT_ACCEPTABLE, "address of another family than ours")


def _read_answer(leg: Leg, body: bytes) -> tuple[SessionDescription, MediaDescription]:
    """Return the answer to what we offered this leg, and its audio stream."""
    if not leg.shape:
        raise MediaMisuse(f"leg {leg.name} was offered nothing")
    session = _parse(body)
    if leg.index >= len(session.media):
        raise MediaRefused(NOT_ACCEPTABLE, "the answer has fewer m= lines than the offer")
    audio = session.media[leg.index]
    _check(leg, audio)
    return session, audio


def _agree(leg: Leg, audio: MediaDescription, nat: bool, voice: Codec | None) -> None:
    leg.offer = None
    leg.remote, leg.nat = audio, nat
    leg.voice = voice
    leg.codec = voice.name if voice is not None else ""
    _learn(leg, audio)


def _commit_offer(leg: Leg) -> None:
    """Make the leg's last offer what it agreed to; a second answer to the same offer finds it again."""
    leg.remote, leg.nat, leg.index = leg.offered, leg.offer_nat, leg.offer_index
    if leg.offer is not None:
        leg.shape = [_refused(media) for media in leg.offer.media]


def _our_voice(media: MediaDescription) -> Codec:
    for codec in media.codecs:
        if codec.key in _OUR_VOICE_KEYS:
            return codec
    raise MediaRefused(NOT_ACCEPTABLE, "neither PCMA nor PCMU")


def _learn(leg: Leg, media: MediaDescription) -> None:
    for codec in media.codecs:
        leg.numbers[codec.payload_type] = codec.key


def _refused(media: MediaDescription) -> str:
    return f"m={media.kind} 0 {media.protocol} {' '.join(media.formats)}"


def _audio_section(leg: Leg, source: MediaDescription, session_lines: list[str], direction: str) -> str:
    """Return the m= section that tells `leg` of `source`, by the leg's own numbers.

    session_lines: those of the source's session that go along, such as b=.
    """
    if not source.port:
        return _refused(source)
    formats, passed = source.formats, source.passed
    if renumbered := _renumbered(leg, source):
        formats = [renumbered.get(text, text) for text in formats]
        passed = [_renumber_line(line, renumbered) for line in passed]
    if session_lines:
        known = set(passed)
        passed = [*(line for line in session_lines if line not in known), *passed]
        passed.sort(key=_section_order)
    head = f"m=audio {leg.port} {source.protocol} {' '.join(formats)}"
    return "\r\n".join((head, *passed, "a=" + direction))


def _section_order(line: str) -> int:
    """RFC 8866 section 5: in a media section i= comes first, then b=, then a=."""
    return {"i": 0, "b": 1}.get(line[0], 2)


def _renumbered(leg: Leg, source: MediaDescription) -> dict[str, str]:
    """Return the numbers of `source` that must be others for this leg, and note all that it is told."""
    changed: dict[str, str] = {}
    for codec in source.codecs:
        number = codec.payload_type
        if leg.numbers.get(number) == codec.key:
            continue
        number = _number_for(leg, codec, source)
        leg.numbers[number] = codec.key
        if number != codec.payload_type:
            changed[str(codec.payload_type)] = str(number)
    return changed


def _number_for(leg: Leg, codec: Codec, source: MediaDescription) -> int:
    """Return the leg's number for a codec: the one it already has, the source's, or a free one."""
    others = {other.payload_type for other in source.codecs}
    for number, key in leg.numbers.items():
        if key == codec.key and number not in others:
            return number
    if codec.payload_type not in leg.numbers:
        return codec.payload_type
    for number in chain(range(96, 128), range(35, 64)):
        if number not in leg.numbers and number not in others:
            return number
    raise MediaRefused(NOT_ACCEPTABLE, "no payload type number left in this session")


def _renumber_line(line: str, renumbered: dict[str, str]) -> str:
    name, colon, value = line.partition(":")
    if name not in ("a=rtpmap", "a=fmtp"):
        return line
    number, space, rest = value.partition(" ")
    return f"{name}{colon}{renumbered.get(number, number)}{space}{rest}"


def _write(leg: Leg, audio: str) -> bytes:
    """Return a body for the leg with this audio section; its version grows when anything changed."""
    family = "IP6" if ":" in leg.address else "IP4"
    if len(leg.shape) == 1:
        sections = audio
    else:
        sections = "\r\n".join((*leg.shape[: leg.index], audio, *leg.shape[leg.index + 1 :]))
    where = f"IN {family} {leg.address}"
    rest = f" {where}\r\ns=-\r\nc={where}\r\nt=0 0\r\n{sections}\r\n"
    if rest != leg.sent:
        leg.sent = rest
        leg.version += 1
    return f"v=0\r\no=- {leg.session} {leg.version}{rest}".encode("latin-1")
