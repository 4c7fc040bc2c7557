"""The `MediaEngine` interface: what a call asks of whatever carries its sound.

The verbs are those of rtpengine's ng protocol, so that an engine on another machine fits behind them. A
leg is one party's stream, named by its owner; a call is the set of legs that may be joined.

```
            offer(call, A, B, sdp A) -> sdp for B
    A ──────────────────────────────────────────────> B
      <──────────────────────────────────────────────
            answer(call, B, A, sdp B) -> sdp for A            sound flows both ways from here

            publish(call, A, sdp A) -> sdp for A              the engine itself is the other party:
            terminate_offer / terminate_answer                play, echo, digits
```

Offers and answers follow RFC 3264. One that comes later in the call (hold, another codec, another
address), from either side, goes through the same two verbs; nothing changes for the streams before its
answer, so an offer that the other side refuses needs no undoing. The version in the o= line that a leg
is sent grows only when the rest of the body changed (section 8).

Legs of any calls may meet in a room (`join`), where each hears all others; what a leg is joined to by
offer and answer waits until it leaves.
"""

from collections.abc import Callable
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

from media.sdes import Policy
from media.snapshot import CallMediaSnapshot
from media.speech import Speech
from media.tones import Tone

NO_TRACK: Final = 255
MOST_TRACKS: Final = 64  # of one recording
MOST_SLOT: Final = 65_535
MOST_SLOTS: Final = 2
"""Recordings that one leg may be on the tape for: a recorded person who is called on a recorded line."""


class MediaRefused(Exception):
    """What a party asked for can't be had. status: the SIP response code that says so; reason: why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class MediaMisuse(Exception):
    """A verb that makes no sense now, such as an answer without an offer: an error of ours."""


class MediaUnavailable(Exception):
    """The engine is gone or doesn't answer."""


RecordEnd: TypeAlias = Literal["stopped", "key", "silence", "length", "lost", "failed"]
"""Why a recording is over. `lost`: the media process or the leg's port is gone, and the file holds what came
before; `failed`: nothing could be written, or not all of it."""


class Wav(msgspec.Struct, frozen=True, tag=True):
    """A WAV file to play, read by the media process. path: of the file, absolute.

    start_ms: where in it to begin.
    """

    path: str
    start_ms: int = 0


class Music(msgspec.Struct, frozen=True, tag=True):
    """The music on hold of the configuration, played with `repeat`."""


Source = Tone | Wav | Speech | Music


class Multicast(msgspec.Struct, frozen=True):
    """Where all who listen to a multicast address hear a leg. codec: `PCMA` or `PCMU`.

    ttl: how many routers it passes, less one. interface: our address where it leaves, "" for that of the
    leg's own port.
    """

    host: str
    port: int
    codec: str = "PCMA"
    ttl: int = 1
    interface: str = ""


class DigitReceived(msgspec.Struct, frozen=True):
    """A leg pressed a key: one of 0123456789*#ABCD."""

    call: str
    leg: str
    digit: str


class PlayFinished(msgspec.Struct, frozen=True):
    """What `play` began ended by itself, or couldn't be played (the log says why). Not sent after `stop`."""

    call: str
    leg: str


class RecordFinished(msgspec.Struct, frozen=True):
    """What `record` began is over, and its file whole and on the disk, but where why is `lost`.

    seconds: of sound in the file, 0.0 where that isn't known.
    """

    call: str
    leg: str
    why: RecordEnd
    seconds: float


class MediaSilent(msgspec.Struct, frozen=True):
    """Nothing has come from a leg for this long, while it isn't on hold. Sent once, until MediaHeard."""

    call: str
    leg: str
    seconds: float


class MediaHeard(msgspec.Struct, frozen=True):
    """Packets come again from a leg that was silent."""

    call: str
    leg: str


class StreamLost(msgspec.Struct, frozen=True):
    """A leg's port can't be had again after a restart: it hears nothing until `renew`, and its answer."""

    call: str
    leg: str
    reason: str


class BrowserGone(msgspec.Struct, frozen=True):
    """A browser's leg neither hears nor is heard, and had time to come back: only its end is left."""

    call: str
    leg: str
    reason: str


class PictureWanted(msgspec.Struct, frozen=True):
    """Whoever sees a leg's picture wants a whole one, and it has to be asked for by SIP (RFC 5168)."""

    call: str
    leg: str


class SpeakerChanged(msgspec.Struct, frozen=True):
    """Another party of a room is the loudest now. call, leg: "" when nobody speaks any more."""

    room: str
    call: str
    leg: str


class OneWayAudio(msgspec.Struct, frozen=True):
    """Nothing comes from a leg while the one that it is joined to is heard, and both should speak.

    Sent once, `seconds` after it was heard last, until it is heard. A leg that may be silent by right
    (comfort noise, RFC 3389) has half a minute.
    """

    call: str
    leg: str
    seconds: float


class EngineLost(msgspec.Struct, frozen=True):
    """The media process is gone. Its streams are silent until the engine is connected again."""

    reason: str


MediaEvent = (
    DigitReceived
    | PlayFinished
    | RecordFinished
    | MediaSilent
    | MediaHeard
    | StreamLost
    | BrowserGone
    | PictureWanted
    | SpeakerChanged
    | OneWayAudio
    | EngineLost
)


class LegMedia(msgspec.Struct, frozen=True):
    """What one leg's stream has done so far.

    local, remote: host and port ("" and 0 when nothing is sent); codec: as `MediaEngine.codec` says.
    packets, bytes_received: RTP taken from the leg (payload bytes); packets_sent: RTP sent to it;
    lost: expected from its sequence numbers and not received; jitter_ms: RFC 3550 appendix A.8.
    silent_seconds: since its last packet, -1.0 before the first one.
    third_party_packets: from another address than the leg's, never relayed; invalid_packets: not RTP,
    or of a payload type that wasn't negotiated; limited_packets: beyond what a telephone sends in a second.
    round_trip_ms: to the leg and back, far_lost: packets of ours that it says it missed, far_jitter_ms: of
    ours as it hears them; from its RTCP (RFC 3550 section 6.4), 0 before any. mos: of what comes from it
    (ITU-T G.107), 1.0 to 4.5, 0.0 before it was measured.
    """

    local: tuple[str, int]
    remote: tuple[str, int]
    codec: str
    packets: int
    bytes_received: int
    packets_sent: int
    lost: int
    jitter_ms: float
    silent_seconds: float
    third_party_packets: int
    invalid_packets: int
    limited_packets: int = 0
    round_trip_ms: float = 0.0
    far_lost: int = 0
    far_jitter_ms: float = 0.0
    mos: float = 0.0


class LegQuality(msgspec.Struct, frozen=True, array_like=True):
    """How one leg was heard over its whole life: its network, and the opinion of ITU-T G.107.

    loss_percent: packets from it that didn't come; round_trip_ms: to it and back, 0.0 when it never said.
    """

    mos: float
    loss_percent: float
    jitter_ms: float
    round_trip_ms: float


class CallMedia(msgspec.Struct, frozen=True):
    """What the streams of one call have done, by leg. Empty for a call that the engine doesn't know."""

    legs: dict[str, LegMedia]


class MediaEngine(Protocol):
    """Carries, plays and listens to the sound of calls.

    Every verb may wait for an engine on another machine; ours only wait in `query`, and in `offer`,
    `publish` and `terminate_offer` when no port is ready. Verbs of one call come one after the other.
    `nat`: the leg is behind a NAT, so its SDP's address can't be believed: the first valid packet after
    each answer shows the address, which then stays until the next answer. `advertise`: the address to
    write in the SDP returned, where it isn't the engine's own (a public address in front of us).
    A leg is on IPv4 or IPv6 for its whole life: as its own first SDP is, or where it is offered
    something first, as `advertise` is, else as the offerer. An `advertise` of the other kind is ignored.
    All raise MediaUnavailable when the engine is gone, except `secure`, `delete`, `stop`, `stop_recording`,
    `leave`, `tape`, `codec`, `leg_codecs`, `quality`, `snapshot` and `restore`.
    """

    events: Callable[[MediaEvent], None]
    carries: bool
    """Whether the sound passes through it, so that each leg holds and moves without the other's help."""
    records: bool
    """Whether it can `record`."""
    tapes: bool
    """Whether it can `tape`. Where it can't, no call can be recorded."""
    speaks_webrtc: bool
    """Whether a leg may be a browser's: told and taken ICE and DTLS-SRTP (`secure` with `browser`)."""

    def secure(self, call: str, leg: str, policy: Policy) -> None:
        """Say what of SRTP the leg is told and taken; before its first offer or answer, `off` without.

        A leg of `off` that insists on SRTP and one of `required` that has none are refused (488) by the
        verb that meets it. It is part of the snapshot, and forgotten with the call.
        Raises MediaMisuse for another policy once the leg has been told or has said something.
        """
        ...

    async def offer(
        self,
        call: str,
        leg: str,
        to: str,
        sdp: bytes,
        *,
        nat: bool = False,
        advertise: str = "",
        simple: bool = False,
    ) -> bytes:
        """Take `leg`'s offer and return the one to send to `to`, with an address of ours.

        The codecs are those offered, in order, and behind them those of ours that are missing (PCMA, PCMU,
        G722, opus, telephone-event), so that two who share nothing still talk; none are added for a leg
        that has no codec of ours, and none in mid-call that `to` wasn't told before. The direction is
        `sendrecv`, whoever holds: an engine that carries the sound sends nothing to a leg that doesn't
        listen. One audio stream is carried, and video, text and T.38 as they are; all else is offered
        with port 0. The result may be sent to several devices of one policy (see `secure`): the answer
        that is given decides.
        simple: from here on `to` is offered G.711 and events alone, since it has refused more.
        Raises MediaRefused: 488 for a body that can't be read, a profile or keys that don't fit the leg's
        policy, or nothing that can be carried; 480 when no port is left.
        """
        ...

    async def answer(
        self, call: str, leg: str, to: str, sdp: bytes, *, nat: bool = False, advertise: str = ""
    ) -> bytes:
        """Take `leg`'s answer to the last offer of `to`, join the two, and return the answer for `to`.

        May be called again for one offer (a provisional answer, then another device's): the last one
        counts. Joining ends what either leg was being played, unless they were joined before.
        Raises MediaRefused (488) for an answer that can't be used: no codec that can be made into one of
        the offer's, no keys where they are required; MediaMisuse without an offer.
        """
        ...

    async def publish(
        self, call: str, leg: str, sdp: bytes, *, nat: bool = False, advertise: str = ""
    ) -> bytes:
        """Answer `leg`'s offer ourselves and return the answer: its first codec of ours, and events.

        Ours are PCMA, PCMU, G722 and opus. Raises MediaRefused as `offer` does, and 488 when the leg has
        none of them.
        """
        ...

    async def terminate_offer(self, call: str, leg: str, *, advertise: str = "") -> bytes:
        """Return an offer of our own for `leg` (all codecs of ours), as for a late offer."""
        ...

    async def terminate_answer(self, call: str, leg: str, sdp: bytes, *, nat: bool = False) -> None:
        """Take `leg`'s answer to `terminate_offer`. Raises MediaRefused, MediaMisuse."""
        ...

    async def play(self, call: str, leg: str, source: Source, *, repeat: bool = False) -> None:
        """Begin to play to `leg`, in place of what it was played or hears; PlayFinished tells the end."""
        ...

    async def stop(self, call: str, leg: str) -> None:
        """End what `leg` is being played or sent as digits, or its echo. Nothing playing is no error."""
        ...

    async def echo(self, call: str, leg: str) -> None:
        """Send `leg`'s own sound back to it until `stop`, or until it is joined to another leg."""
        ...

    async def record(
        self,
        call: str,
        leg: str,
        path: str,
        *,
        seconds: float,
        silence_seconds: float = 0.0,
        keys: str = "",
    ) -> None:
        """Write what `leg` says into a new WAV file (16 bits, one channel), gaps as silence.

        path: absolute, in a folder that is there; what it names is replaced. It ends after `seconds`, after
        `silence_seconds` in which nothing is said (0: never), by one of these keys, by `stop_recording`, or
        by another `record`, and RecordFinished tells so. With the leg it ends without a word. Where silence
        counts, the silence at its end is left out. Whatever
        happens meanwhile, the file is a WAV of all but the last second or two.
        Raises MediaRefused (488) where the engine can't (see `records`), MediaMisuse.
        """
        ...

    async def stop_recording(self, call: str, leg: str) -> None:
        """End what `record` began; RecordFinished follows. Nothing being recorded is no error."""
        ...

    async def tape(self, call: str, leg: str, slot: int, by_leg: int, to_leg: int) -> None:
        """Put on the recorder's tape what `leg` says, and what we say to it ourselves, from now on.

        slot: of the recording, 1 to MOST_SLOT (`media.engines.tape`). by_leg: the track, below MOST_TRACKS,
        of what the leg sends, in clear and as received; to_leg: of what it is sent by us in place of a peer
        (prompts, music, tones, a room's sound), as sent. `NO_TRACK` for neither. A leg is on the tape for
        MOST_SLOTS recordings at once: each `slot` is begun, changed, and ended by NO_TRACK for both; slot 0
        with NO_TRACK ends all.
        It begins with whatever the leg sends, before its first answer too, and goes on when either process
        has died, in a room, after `renew`, and in the other call after `move`. It ends with the leg. What is
        said while the engine is gone holds as soon as it is back. Video, text and fax aren't on it.
        Two telephones that send to each other (`pbx.calls.direct`) send nothing here: their call's engine
        has `tapes` False. So a call that is to be recorded has no `direct_site`, and one that is to be from
        now on is brought back first, as the broker does when a party changes anything.
        Raises MediaRefused (488) where the engine can't, MediaMisuse for an unknown leg or a slot too many,
        ValueError for a slot or a track that there isn't.
        To end what isn't taped is no error.
        """
        ...

    async def dtmf(self, call: str, leg: str, digits: str) -> None:
        """Send digits to `leg`: RFC 4733 events, or the keys' tones where events weren't negotiated.

        Raises ValueError for a character that isn't a digit, or more than 128 of them.
        """
        ...

    def ask_for_picture(self, call: str, leg: str) -> None:
        """Ask whoever `leg` sees for a whole picture, as `leg` has asked us by SIP.

        In RTCP, or by PictureWanted of that one; not more often than twice a second. Nothing where no
        picture is relayed.
        """
        ...

    async def multicast(self, call: str, leg: str, to: Multicast) -> None:
        """Make `leg` one that nobody answers for: what it is to hear goes to a multicast address.

        It says nothing; `play` and `join` let those hear something who listen there.
        Raises MediaRefused: 488 where the engine sends no multicast, 480 without a port, or an address, of
        that kind.
        """
        ...

    async def join(self, call: str, leg: str, room: str, *, speaks: bool = True, hears: bool = True) -> None:
        """Put `leg` into a room of the engine's (any name but ""), or change what it does there.

        It hears the room in place of its peer, and what it is played in place of both. speaks: False mutes
        it; hears: False sends it nothing. Its whisper stays what it was.
        Raises MediaMisuse for a leg without media, or that is in another room.
        """
        ...

    async def leave(self, call: str, leg: str) -> None:
        """Take `leg` out of its room: it hears its peer again. In no room is no error."""
        ...

    async def whisper(self, call: str, leg: str, to: str | None, *, to_call: str = "") -> None:
        """Let only leg `to` (of `to_call`, where it isn't the same call) hear `leg`; None: the whole room.

        Raises MediaMisuse unless both are in one room.
        """
        ...

    async def query(self, call: str) -> CallMedia:
        """Return what the call's streams have done so far."""
        ...

    async def delete(self, call: str) -> None:
        """End all streams of the call and give back its ports. An unknown call is no error."""
        ...

    def reserve(self, call: str) -> None:
        """Let a call take the ports that are kept for emergency calls, until its `delete`."""
        ...

    async def renew(self, call: str, leg: str) -> None:
        """Give a leg that StreamLost was told of another port, which the next body for it names.

        Its sound goes there once it has agreed. Raises MediaRefused (480), MediaMisuse.
        """
        ...

    async def move(self, call: str, leg: str, to_call: str, to_leg: str) -> bool:
        """Let a leg go on in another call as `to_leg`, in place of what that one had there, if anything.

        It keeps its port, SSRC, keys and all that it was told, and stands alone until it is joined.
        Returns False where the engine can't do this: then nothing has changed. Raises MediaMisuse.
        """
        ...

    def codec(self, call: str, leg: str) -> str:
        """Return the name of what the leg is sent ("PCMA"; "T38" for a fax), "" before an answer."""
        ...

    def leg_codecs(self, call: str, leg: str) -> dict[str, str]:
        """Return what each payload type means that `leg` may send with, or is sent: {"8": "PCMA/8000/1"}.

        Each answer may add some; none changes its meaning (RFC 3264 section 8.3.2). {} for an unknown leg.
        """
        ...

    def quality(self, call: str, leg: str) -> LegQuality | None:
        """Return how the leg was heard, as measured in the last few seconds; None before anything was."""
        ...

    def snapshot(self, call: str) -> CallMediaSnapshot:
        """Return what another process needs to go on with the call; no legs for an unknown call."""
        ...

    def restore(self, snapshot: CallMediaSnapshot) -> None:
        """Take over a call of a process that died; before any new call is set up.

        Streams that go on in the media process aren't disturbed; what can't be had again is told later
        by StreamLost. Streams that nobody restored end 30 s after the engine was connected.
        Raises MediaMisuse for a call, or a port, that is in use.
        """
        ...
