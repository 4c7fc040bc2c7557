"""Offer and answer between legs that never meet (RFC 3264), seen from the middle.

A `Leg` remembers what one party said, what it was told, and by which numbers it knows each codec. The
functions here take what one party says and write what the other is to be told. They are the whole SDP
work of an engine of ours, and touch neither ports nor packets: whoever calls them gives a port to each
leg, and makes streams of what was agreed.

```
    hear_offer(A, B, body)        then a port for each line of A and B that has none (`portless`)
    tell_offer(A, B) -> body      for B
    answer(B, A, body) -> body    for A: both have agreed from here on
```
What a party is told has our address and our ports: one audio stream, and other streams (video, text, T.38)
as they are, each between two `media.line.Line`. Their order among the m= lines is each party's own; a fax
may take the place of the sound (RFC 3264 section 8.3.3) and give it back. What can't be carried is refused.
Who holds is each party's own affair: it is told that it may speak and listen, its own hold is
answered, and the other party is told nothing of it. Lines that we don't know go through. Payload type
numbers are kept; where the two parties number a codec differently, each keeps the numbers that it has
already been told. What is common to two parties, and what we add, is in `media.agreement`; keys are in
`media.line`.

fmtp lines that name other payload types (RED) are passed as they are.
"""

from collections.abc import Mapping
from functools import lru_cache
from secrets import token_bytes
from types import MappingProxyType
from typing import Final

from msgspec import structs

from media import agreement, sdp
from media.engine import MOST_SLOT, MOST_SLOTS, MOST_TRACKS, NO_TRACK, MediaMisuse, MediaRefused
from media.line import NOT_ACCEPTABLE, SECURE_PROFILES, Line, is_carried, is_rtp
from media.sdes import Policy, Random
from media.sdp import Codec, MediaDescription, SdpError, SessionDescription
from media.snapshot import LegSnapshot, RoomSnapshot

_NO_TAPES: Final[Mapping[int, tuple[int, int]]] = MappingProxyType({})
MOST_FURTHER_LINES: Final = 3  # that one session may have carried beside its sound: each takes two ports

_ANSWERING: Final = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
_NO_AUDIO: Final = MediaDescription(
    "audio", 0, 1, "RTP/AVP", ["0"], "", False, "inactive", [], 0, False, False, [], []
)
_OUR_OFFER: Final = MediaDescription(
    "audio", 9, 1, "RTP/AVP", [str(codec.payload_type) for codec in agreement.OURS], "127.0.0.1", False,
    "sendrecv", list(agreement.OURS), 10, False, False, [],
    [*agreement.lines_of(agreement.OURS), "a=ptime:20"],
)  # fmt: skip


class Leg(Line):
    """One party's side of the talks; as a `Line` it is the audio stream.

    address, port: what it is told to send to. voice: the codec we send it, by its own number; codec: that
    codec's name ("T38" for a fax, "" before); event_type: its number for the telephone-events beside it,
    -1 for none. sent: what it was told last; settled: what it was told when it last agreed.
    place: of the audio among the m= lines of its session, -1 for none; shape: every one of them, in its
    refused form; told_shape, told_place: as in what it was last offered; offer_shape, offer_place: as in what
    it last offered itself. lines: the others by place.
    policy: what it is told and taken of SRTP; simple: it is offered G.711 and nothing else; room: what it
    does in one, None for none; tapes: its two tracks of each recording, by slot.
    """

    __slots__ = (
        "address", "codec", "event_type", "lines", "name", "nat", "offer", "offer_nat", "offer_place",
        "offer_shape", "policy", "room", "sent", "session", "settled", "shape", "simple", "tapes",
        "told_place", "told_shape", "version", "voice",
    )  # fmt: skip

    def __init__(
        self, name: str, address: str, port: int, session: int, random: Random = token_bytes
    ) -> None:
        super().__init__(port, random)
        self.name = name
        self.address = address
        self.session = session
        self.version = 0
        self.sent = ""
        self.settled = ""
        self.offer: SessionDescription | None = None
        self.offer_place = -1
        self.offer_shape: list[str] = []
        self.offer_nat = False
        self.shape: list[str] = []
        self.told_shape: list[str] = []
        self.told_place = -1
        self.nat = False
        self.voice: Codec | None = None
        self.codec = ""
        self.event_type = -1
        self.lines: dict[int, Line] = {}
        self.policy: Policy = "off"
        self.simple = False
        self.room: RoomSnapshot | None = None
        self.tapes: Mapping[int, tuple[int, int]] = _NO_TAPES

    def new_line(self) -> Line:
        """Return another line of this leg's session, still without a port."""
        return Line(0, self.random)

    def portless(self) -> list[Line]:
        """Return the lines that are under way and need a port."""
        return [line for line in self.lines.values() if not line.port and line.said is not None]

    def snapshot(self, peer: str, *, stream: int = 0, echoes: bool = False) -> LegSnapshot:
        """Return what this leg has agreed to, as plain values."""
        return LegSnapshot(
            self.name, self.address, self.port, stream, self.session, self.version, self.sent, self.shape,
            self.place, self.nat, self.remote, self.voice, self.codec, dict(self.numbers), peer, echoes,
            self.policy, self.room, self.simple, self.profile, self.told_keys, self.security, self.mux,
            [line.snapshot_line() for line in self.lines.values() if line.remote is not None],
            dict(self.tapes),
        )  # fmt: skip

    def restore(self, kept: LegSnapshot) -> None:
        """Be as the leg that `kept` was made of."""
        self.version, self.sent, self.settled = kept.version, kept.sent, kept.sent
        self.shape = self.told_shape = kept.shape
        self.place = self.told_place = kept.index
        self.nat, self.remote = kept.nat, kept.remote
        self.numbers = dict(kept.numbers)
        self.speak(kept.voice)
        self.codec = kept.codec
        self.policy, self.room, self.simple = kept.policy, kept.room, kept.simple
        self.profile, self.told_keys = kept.profile, kept.told_keys
        self.security, self.mux = kept.security, kept.mux
        self.tapes = kept.tapes or _NO_TAPES
        for each in kept.lines:
            line = self.lines[each.place] = self.new_line()
            line.restore_line(each)

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

    def tape(self, slot: int, by_leg: int, to_leg: int) -> None:
        """Be on the tape as these tracks; see `MediaEngine.tape`.

        Raises MediaMisuse for a slot too many, ValueError for a track or a slot that there isn't.
        """
        if not all(0 <= track < MOST_TRACKS or track == NO_TRACK for track in (by_leg, to_leg)):
            raise ValueError(f"no tracks {by_leg} and {to_leg}")
        if not (0 if by_leg == to_leg == NO_TRACK else 1) <= slot <= MOST_SLOT:
            raise ValueError(f"no slot {slot}")
        tapes = dict(self.tapes)
        if by_leg == to_leg == NO_TRACK:
            tapes = {kept: tracks for kept, tracks in tapes.items() if slot not in (kept, 0)}
        elif slot not in tapes and len(tapes) == MOST_SLOTS:
            raise MediaMisuse(f"leg {self.name} is on the tape for {MOST_SLOTS} recordings already")
        else:
            tapes[slot] = by_leg, to_leg
        self.tapes = tapes or _NO_TAPES

    @property
    def codecs_by_number(self) -> dict[str, str]:
        """What each payload type number of its sound means: its codec as in a=rtpmap, with channels."""
        return {str(number): agreement.named(key) for number, key in self.numbers.items()}

    @property
    def offered(self) -> MediaDescription:
        """The audio stream of this leg's last offer. Raises MediaMisuse when it made none."""
        if self.offer is None or self.said is None:
            raise MediaMisuse(f"leg {self.name} made no offer")
        return self.said

    def speak(self, voice: Codec | None) -> None:
        """Be sent this codec from here on, and the events that go with it."""
        self.voice, self.codec, self.event_type = voice, voice.name if voice is not None else "", -1
        if voice is not None and self.remote is not None:
            events = agreement.events_beside(self.remote.codecs, voice)
            self.event_type = events.payload_type if events is not None else -1


# --- offers ------------------------------------------------------------------


def offer(leg: Leg, to: Leg, body: bytes, *, nat: bool) -> bytes:
    """Take leg's offer and return the one for `to`; lines without a port are refused. Raises MediaRefused."""
    hear_offer(leg, to, body, nat=nat)
    return tell_offer(leg, to)


def hear_offer(leg: Leg, to: Leg | None, body: bytes, *, nat: bool) -> None:
    """Take leg's offer, which is for `to`, or for ourselves. Raises MediaRefused."""
    session = _parse(body)
    place = _audio_place(leg, session)
    audio = session.media[place] if place >= 0 else _NO_AUDIO
    _check(leg, audio)
    leg.hear_offer(audio, leg.policy)
    leg.offer, leg.offer_place, leg.offer_nat = session, place, nat
    leg.offer_shape = [_refused(media) for media in session.media]
    for line in leg.lines.values():
        line.said = None
    if to is not None:
        for line in to.lines.values():
            line.said = None
        if len(session.media) > (place >= 0):
            _hear_further(leg, to, session)


def tell_offer(leg: Leg, to: Leg) -> bytes:
    """Return the offer for `to`, as `leg` has just made it. Raises MediaRefused, MediaMisuse."""
    source = leg.offered
    if leg.offer is None:
        raise MediaMisuse(f"leg {leg.name} made no offer")
    if to.shape:
        shape, place = to.shape, to.place
        if source.port and place < 0:
            place, shape = len(shape), [*shape, _refused(source)]
    else:
        shape, place = leg.offer_shape, leg.offer_place
    sections: dict[int, str] = {}
    if place >= 0:
        sections[place] = _offered_audio(leg, to, source, leg.offer.passed)
    if to.lines:
        shape = shape.copy()
        for line in to.lines.values():
            mate = leg.lines.get(line.other)
            if line.said is None or not line.port or mate is None or not mate.port:
                continue
            shape += [_refused(line.said)] * (line.place + 1 - len(shape))
            shape[line.place] = _refused(line.said)
            sections[line.place] = _offered_line(line, line.said, to.policy)
    to.told_shape, to.told_place = shape, place
    return _write(to, shape, sections)


def _offered_audio(leg: Leg, to: Leg, source: MediaDescription, session_lines: list[str]) -> str:
    """Return the audio section of an offer.

    session_lines: those of the offerer's session that go along, such as b=.
    """
    if not source.port:
        return _refused(source)
    if to.remote is None and not to.numbers and not to.simple:
        formats, lines, numbers = _first_audio(
            tuple(source.formats), tuple(source.codecs), tuple(source.passed), tuple(session_lines)
        )
        to.numbers = dict(numbers)
    else:
        told = _told(to) if to.remote is not None else None
        if told is not None and told.port and _goes_on(leg, to, source):
            described = told
        else:
            described = source
            added = agreement.added_to(tuple(source.codecs))
            if told is not None:
                # In a session only what the party knows of it already, and only where nothing else is left.
                known = {codec.key for codec in told.codecs} if not _share(to, source) else set()
                added = tuple(codec for codec in added if codec.key in known)
            described = _described(to.numbers, source, session_lines, added)
            if to.simple:
                described = agreement.simplified(described)
        formats, lines = " ".join(described.formats), "".join(f"{line}\r\n" for line in described.passed)
    profile, transport = to.offered_transport(source, to.policy)
    for line in transport:
        lines += f"{line}\r\n"
    return f"m=audio {to.port} {profile} {formats}\r\n{lines}a=sendrecv"


@lru_cache(maxsize=512)
def _first_audio(
    formats: tuple[str, ...],
    codecs: tuple[Codec, ...],
    passed: tuple[str, ...],
    session_lines: tuple[str, ...],
) -> tuple[str, str, dict[int, str]]:
    """Return what a party without a session is offered: formats, lines, and what the numbers mean."""
    numbers: dict[int, str] = {}
    source = structs.replace(_NO_AUDIO, formats=list(formats), codecs=list(codecs), passed=list(passed))
    described = _described(numbers, source, list(session_lines), agreement.added_to(codecs))
    return " ".join(described.formats), "".join(f"{line}\r\n" for line in described.passed), numbers


def _described(
    numbers: dict[int, str], source: MediaDescription, session_lines: list[str], added: tuple[Codec, ...]
) -> MediaDescription:
    """Return what is said of `source` by a party's own numbers, which are noted; added: codecs behind it."""
    formats, codecs, passed = source.formats, source.codecs, source.passed
    if changed := agreement.renumbered(numbers, source):
        formats = [changed.get(text, text) for text in formats]
        passed = [agreement.renumber_line(line, changed) for line in passed]
        codecs = [
            structs.replace(codec, payload_type=int(changed.get(str(codec.payload_type), codec.payload_type)))
            for codec in codecs
        ]
    if session_lines:
        known = set(passed)
        passed = [*(line for line in session_lines if line not in known), *passed]
        passed.sort(key=_section_order)
    if added:
        taken = {int(text) for text in formats if text.isdecimal()}
        more = tuple(_numbered(numbers, codec, taken) for codec in added)
        formats = [*formats, *(str(codec.payload_type) for codec in more)]
        codecs, passed = [*codecs, *more], [*passed, *agreement.lines_of(more)]
    elif not changed and not session_lines:
        return source
    return structs.replace(source, formats=formats, codecs=codecs, passed=passed)


def _numbered(numbers: dict[int, str], codec: Codec, taken: set[int]) -> Codec:
    """Return a codec of ours by a party's number for it, which is noted in both."""
    number = codec.payload_type
    if number in taken or numbers.get(number, codec.key) != codec.key:
        number = agreement.number_for(numbers, codec, taken | ({number} - numbers.keys()))
    numbers[number] = codec.key
    taken.add(number)
    return codec if number == codec.payload_type else structs.replace(codec, payload_type=number)


def _told(leg: Leg) -> MediaDescription | None:
    """Return the audio section that the leg was told and agreed to, None when there was none."""
    place = leg.place
    if not leg.settled or place < 0:
        return None
    media = sdp.parse(f"v=0\r\no=- 1 1{leg.settled}".encode("latin-1")).media
    return media[place] if place < len(media) and media[place].kind == "audio" else None


def _goes_on(leg: Leg, to: Leg, source: MediaDescription) -> bool:
    """Say whether a party may go on with what it was told, so that it needn't be asked anything.

    It may when the other still has what it sends, or when we convert, and they still share nothing.
    """
    if to.voice is None:
        return False
    if any(codec.key == to.voice.key for codec in source.codecs):
        return True
    converted = leg.voice is not None and leg.voice.key != to.voice.key
    return converted and not _share(to, source) and agreement.first_voice(source.codecs) is not None


def _share(to: Leg, source: MediaDescription) -> bool:
    """Say whether a party has said that it has a voice codec of an offer."""
    keys = {codec.key for codec in source.codecs if not codec.is_auxiliary}
    return to.remote is not None and any(codec.key in keys for codec in to.remote.codecs)


def _offered_line(line: Line, source: MediaDescription, policy: Policy) -> str:
    described = _described(line.numbers, source, [], ())
    profile, transport = line.offered_transport(source, policy)
    return _section(line, described, profile, transport, "sendrecv")


# --- answers -----------------------------------------------------------------


def answer(leg: Leg, to: Leg, body: bytes, *, nat: bool) -> bytes:
    """Take leg's answer to the last offer of `to` and return the answer for `to`.

    Both legs have agreed from here on. Raises MediaRefused, MediaMisuse.
    """
    offered = to.offered
    session, audio = _read_answer(leg, body)
    told, voice, to_voice = _match(audio, offered)
    leg.hear_answer(audio, leg.policy)
    _agree(leg, nat, voice)
    if leg.lines or to.lines:
        _hear_further_answers(leg, to, session)
    _commit_offer(to)
    to.speak(to_voice)
    sections: dict[int, str] = {}
    if to.place >= 0 and to.offer_place >= 0:
        sections[to.place] = _answered_audio(to, told, session.passed, offered)
    for line in to.lines.values():
        mate = leg.lines.get(line.other)
        if line.said is not None and line.remote is not None and mate is not None and mate.remote is not None:
            described = _described(line.numbers, mate.remote, [], ())
            direction = _ANSWERING[line.said.effective_direction]
            sections[line.place] = _section(line, described, *line.answered_transport(), direction)
            if line.said.kind == "image" and to.voice is None:
                leg.codec = to.codec = "T38"
    body = _write(to, to.shape, sections)
    to.settled = to.sent
    return body


def _match(
    audio: MediaDescription, offered: MediaDescription
) -> tuple[MediaDescription, Codec | None, Codec | None]:
    """Return what the offerer is told of an answer, and the codecs that each of the two is sent.

    Raises MediaRefused when they have none in common and we can't make one into the other.
    """
    if not audio.port:
        return audio, None, None
    if audio.codecs and not audio.codecs[0].is_auxiliary and set(audio.codecs).issubset(offered.codecs):
        return audio, audio.codecs[0], audio.codecs[0]  # the usual answer: some of what was offered
    mine = {codec.key: codec for codec in reversed(offered.codecs)}
    shared = next((codec for codec in audio.codecs if codec.key in mine and not codec.is_auxiliary), None)
    strange = [codec for codec in audio.codecs if codec.key not in mine]
    voices = [codec for codec in strange if not codec.is_auxiliary]
    if shared is None and voices:
        theirs, ours = agreement.first_voice(voices), agreement.first_voice(offered.codecs)
        if theirs is None or ours is None:
            raise MediaRefused(NOT_ACCEPTABLE, "no codec in common")
        events = agreement.events_beside(offered.codecs, ours)
        return agreement.spoken_by_us(audio, (ours, events) if events is not None else (ours,)), theirs, ours
    if strange:
        kept = {codec.payload_type for codec in audio.codecs if codec.key in mine}
        known = {codec.payload_type for codec in audio.codecs}
        kept |= {int(text) for text in audio.formats if text.isdecimal() and int(text) not in known}
        audio = agreement.only(audio, kept)
    if shared is None:
        return audio, None, None
    same = mine[shared.key]
    if same.payload_type != shared.payload_type and shared in offered.codecs:
        same = shared
    return audio, shared, same


def _answered_audio(
    leg: Leg, told: MediaDescription, session_lines: list[str], offered: MediaDescription
) -> str:
    """Return the audio section of the answer for a leg. told: of the other's answer; offered: by the leg."""
    if not told.port or not offered.port:
        return _refused(offered)
    added: tuple[Codec, ...] = ()
    if (
        leg.voice is not None
        and leg.voice.key in agreement.VOICES
        and agreement.events_beside(told.codecs, leg.voice) is None
    ):
        # The other has no events: those of this leg are played to it as tones.
        events = agreement.events_beside(offered.codecs, leg.voice)
        added = (events,) if events is not None else ()
    described = _described(leg.numbers, told, session_lines, added)
    return _section(leg, described, *leg.answered_transport(), _ANSWERING[offered.effective_direction])


def publish(leg: Leg, body: bytes, *, nat: bool) -> bytes:
    """Take leg's offer and return our own answer to it. Raises MediaRefused."""
    hear_offer(leg, None, body, nat=nat)
    offered = leg.offered
    voice = _our_voice(leg, offered)
    events = agreement.events_beside(offered.codecs, voice)
    _commit_offer(leg)
    for line in leg.lines.values():
        line.close()
    leg.speak(voice)
    sections: dict[int, str] = {}
    if offered.port:
        described = agreement.spoken_by_us(_OUR_OFFER, (voice, events) if events is not None else (voice,))
        direction = _ANSWERING[offered.effective_direction]
        sections[leg.place] = _section(leg, described, *leg.answered_transport(), direction)
    told = _write(leg, leg.shape, sections)
    leg.settled = leg.sent
    return told


def terminate_offer(leg: Leg) -> bytes:
    """Return an offer of ours for the leg."""
    shape, place = (leg.shape, leg.place) if leg.shape else ([_refused(_OUR_OFFER)], 0)
    if place < 0:
        shape, place = [*shape, _refused(_OUR_OFFER)], len(shape)
    ours = agreement.simplified(_OUR_OFFER) if leg.simple else _OUR_OFFER
    described = _described(leg.numbers, ours, [], ())
    leg.told_shape, leg.told_place = shape, place
    section = _section(leg, described, *leg.offered_transport(ours, leg.policy), "sendrecv")
    return _write(leg, shape, {place: section})


def terminate_answer(leg: Leg, body: bytes, *, nat: bool) -> None:
    """Take leg's answer to our offer. Raises MediaRefused, MediaMisuse."""
    _, audio = _read_answer(leg, body)
    voice = _our_voice(leg, audio)
    leg.hear_answer(audio, leg.policy)
    _agree(leg, nat, voice)
    for line in leg.lines.values():
        line.close()


def send_to(leg: Leg, host: str, port: int, codec: str) -> None:
    """Let a leg be a multicast address (RFC 1112), which listens and agrees to whatever it gets.

    codec: `PCMA` or `PCMU`. No description from outside leads there: `sdp` takes hosts alone.
    """
    number, host_here = (8 if codec == "PCMA" else 0), ("::1" if ":" in host else "127.0.0.1")
    family = "IP6" if ":" in host else "IP4"
    said = (
        f"v=0\r\no=- 1 1 IN {family} {host_here}\r\ns=-\r\nc=IN {family} {host_here}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {number}\r\na=recvonly\r\n"
    )
    terminate_offer(leg)
    terminate_answer(leg, said.encode(), nat=False)
    assert leg.remote is not None
    leg.remote = structs.replace(leg.remote, host=host)


# --- reading -----------------------------------------------------------------


def _parse(body: bytes) -> SessionDescription:
    try:
        return sdp.parse(body)
    except SdpError as error:
        raise MediaRefused(NOT_ACCEPTABLE, f"SDP: {error}") from None


def _audio_place(leg: Leg, session: SessionDescription) -> int:
    """Return which m= line of an offer is the sound, -1 when it has none but something else to carry."""
    if len(session.media) == 1 and leg.place <= 0:
        media = session.media[0]
        if media.kind == "audio" and media.port:
            return 0  # the usual offer
    if leg.remote is not None and leg.place >= 0:
        # RFC 3264 section 8: a stream keeps its place among the m= lines for the whole session.
        if leg.place >= len(session.media):
            raise MediaRefused(NOT_ACCEPTABLE, "an m= line of the session is gone")
        if session.media[leg.place].kind == "audio":
            return leg.place
    places = [place for place, media in enumerate(session.media) if media.kind == "audio" and media.port]
    if places:
        return next((place for place in places if _fits(leg.policy, session.media[place])), places[0])
    if any(media.port and is_carried(media) for media in session.media):
        return -1
    raise MediaRefused(NOT_ACCEPTABLE, "no audio stream")


def _fits(policy: Policy, media: MediaDescription) -> bool:
    """Say whether this audio line is the one to take, where a party offers one in clear and one with keys."""
    secure = media.protocol in SECURE_PROFILES or (media.has_crypto and is_rtp(media))
    return is_rtp(media) and secure == (policy != "off")


def _check(leg: Leg, media: MediaDescription) -> None:
    """Refuse an audio stream that can't be carried."""
    if not media.port:
        return
    if not is_rtp(media) or (media.protocol in SECURE_PROFILES and leg.policy == "off"):
        raise MediaRefused(NOT_ACCEPTABLE, f"profile {media.protocol[:40]} of the audio stream")
    if (":" in media.host) != (":" in leg.address):
        raise MediaRefused(NOT_ACCEPTABLE, "address of another family than ours")


def _hear_further(leg: Leg, to: Leg, session: SessionDescription) -> None:
    """Take the other m= lines of an offer, and find the line of `to` that each goes with."""
    count = 0
    for place, media in enumerate(session.media):
        if place == leg.offer_place or not media.port or not _is_wanted(media, leg, to):
            continue
        count += 1
        if count > MOST_FURTHER_LINES:
            return
        line = leg.lines.get(place) or leg.new_line()
        try:
            line.hear_offer(media, leg.policy)
        except MediaRefused:
            continue  # this line alone is refused
        line.place = place
        leg.lines[place] = line
        _pair(line, leg, to).said = media


def _is_wanted(media: MediaDescription, leg: Leg, to: Leg) -> bool:
    """Say whether a further line can go from one to the other."""
    if to.simple or not is_carried(media) or (":" in media.host) != (":" in leg.address):
        return False
    # T.38 in UDPTL has no keys: never where everything must have them.
    return is_rtp(media) or "required" not in (leg.policy, to.policy)


def _pair(line: Line, leg: Leg, to: Leg) -> Line:
    """Return the line of `to` that goes with one of `leg`."""
    mate = to.lines.get(line.other)
    if mate is None or mate.other != line.place:
        if not to.shape:
            place = line.place
        elif line.place == leg.place and to.place >= 0:
            place = to.place  # in the place of the sound (RFC 3264 section 8.3.3)
        else:
            new = [each.place for each in to.lines.values() if each.said is not None]
            place = max([len(to.shape) - 1, *new]) + 1
        mate = to.lines.get(place) or to.new_line()
        to.lines[place] = mate
        mate.place, mate.other, line.other = place, line.place, place
    return mate


def _read_answer(leg: Leg, body: bytes) -> tuple[SessionDescription, MediaDescription]:
    """Return the answer to what we offered this leg, and its audio stream."""
    if not leg.told_shape:
        raise MediaMisuse(f"leg {leg.name} was offered nothing")
    session, place = _parse(body), leg.told_place
    if place >= len(session.media):
        raise MediaRefused(NOT_ACCEPTABLE, "the answer has fewer m= lines than the offer")
    audio = session.media[place] if place >= 0 else _NO_AUDIO
    if audio.kind != "audio":
        if place not in leg.lines:
            raise MediaRefused(NOT_ACCEPTABLE, f"{audio.kind[:40]} where the audio stream was")
        audio = _NO_AUDIO
    _check(leg, audio)
    return session, audio


def _hear_further_answers(leg: Leg, to: Leg, session: SessionDescription) -> None:
    """Take what an answer says of the lines that were offered; all others are closed."""
    for line in leg.lines.values():
        mate = to.lines.get(line.other)
        offered, line.said = line.said, None
        media = session.media[line.place] if line.place < len(session.media) else None
        if (
            offered is None
            or mate is None
            or not (line.port and mate.port)
            or mate.said is None
            or media is None
        ):
            line.close()
            continue
        same_family = (":" in media.host) == (":" in leg.address)
        if not media.port or media.kind != offered.kind or not is_carried(media) or not same_family:
            line.close()
            continue
        try:
            line.hear_answer(media, leg.policy)
        except MediaRefused:
            line.close()
    for line in to.lines.values():
        mate = leg.lines.get(line.other)
        if line.said is None or mate is None or mate.remote is None or mate.other != line.place:
            line.remote = None
        else:
            line.commit()


def _agree(leg: Leg, nat: bool, voice: Codec | None) -> None:
    """Have what the leg answered. voice: what it is sent."""
    leg.offer = None
    leg.nat = nat
    leg.speak(voice)
    leg.shape, leg.place = leg.told_shape, leg.told_place
    leg.settled = leg.sent


def _commit_offer(leg: Leg) -> None:
    """Make the leg's last offer what it agreed to; a second answer to the same offer finds it again."""
    leg.commit()
    leg.nat = leg.offer_nat
    if leg.offer_place >= 0:
        leg.place = leg.offer_place
    if leg.offer is not None:
        leg.shape = leg.offer_shape
    leg.told_shape, leg.told_place = leg.shape, leg.place


def _our_voice(leg: Leg, media: MediaDescription) -> Codec:
    """Return what we speak to a leg: its first codec that is ours. Raises MediaRefused (488)."""
    codecs = (
        [codec for codec in media.codecs if codec.key in agreement.SIMPLE] if leg.simple else media.codecs
    )
    voice = agreement.first_voice(codecs)
    if voice is None:
        raise MediaRefused(NOT_ACCEPTABLE, "no codec of ours: PCMA, PCMU, G722 or Opus")
    return voice


# --- writing -----------------------------------------------------------------


def _refused(media: MediaDescription) -> str:
    return f"m={media.kind} 0 {media.protocol} {' '.join(media.formats)}"


def _section_order(line: str) -> int:
    """RFC 8866 section 5: in a media section i= comes first, then b=, then a=."""
    return {"i": 0, "b": 1}.get(line[0], 2)


def _section(
    line: Line, described: MediaDescription, profile: str, transport: list[str], direction: str
) -> str:
    head = f"m={described.kind} {line.port} {profile} {' '.join(described.formats)}"
    return "\r\n".join((head, *described.passed, *transport, "a=" + direction))


def _write(leg: Leg, shape: list[str], sections: dict[int, str]) -> bytes:
    """Return a body for the leg with these sections; its version grows when anything changed.

    shape: every m= line as it stands when it isn't among them.
    """
    family = "IP6" if ":" in leg.address else "IP4"
    if len(shape) == 1:
        text = sections.get(0, shape[0])
    else:
        text = "\r\n".join([sections.get(place, line) for place, line in enumerate(shape)])
    where = f"IN {family} {leg.address}"
    rest = f" {where}\r\ns=-\r\nc={where}\r\nt=0 0\r\n{text}\r\n"
    if rest != leg.sent:
        leg.sent = rest
        leg.version += 1
    return f"v=0\r\no=- {leg.session} {leg.version}{rest}".encode("latin-1")
