"""What an engine keeps of a call's streams, as plain values: enough to go on in another process.

The exchange journals a `CallMediaSnapshot` beside the call's dialogs, and gives it back to the engine of
the next process. Only what both legs have agreed is in it: an offer that was under way is lost with its
transaction.
"""

from typing import Literal

import msgspec

from media.sdes import Crypto, Policy, Security
from media.sdp import Codec, MediaDescription


class RoomSnapshot(msgspec.Struct, frozen=True, array_like=True):
    """What a leg does in a room. whisper_call, whisper_to: who alone hears it, "" for all."""

    room: str
    speaks: bool
    hears: bool
    whisper_call: str = ""
    whisper_to: str = ""


class LineSnapshot(msgspec.Struct, frozen=True, array_like=True):
    """One m= line that isn't the leg's audio. The fields are those of `media.line.Line`.

    Keys are in it, here and in `LegSnapshot`: without them a call is deaf after a restart. The file that
    holds it must be readable by us alone (the journal's mode is 0600).
    """

    place: int
    other: int
    port: int
    number: int
    remote: MediaDescription | None
    numbers: dict[int, str]
    profile: str
    told_keys: tuple[Crypto, ...]
    security: Security | None
    mux: bool


class LegSnapshot(msgspec.Struct, frozen=True, array_like=True):
    """One leg. The fields are those of `media.negotiation.Leg`.

    stream: the engine's own number of the stream, 0 where it has none. peer: the leg that it is joined
    to, "" for none; echoes: it hears itself.
    """

    name: str
    address: str
    port: int
    stream: int
    session: int
    version: int
    sent: str
    shape: list[str]
    index: int
    nat: bool
    remote: MediaDescription | None
    voice: Codec | None
    codec: str
    numbers: dict[int, str]
    peer: str
    echoes: bool
    policy: Policy = "off"
    room: RoomSnapshot | None = None
    simple: bool = False
    profile: str = ""
    told_keys: tuple[Crypto, ...] = ()
    security: Security | None = None
    mux: bool = False
    lines: list[LineSnapshot] = []
    tapes: dict[int, tuple[int, int]] = {}


class AssociationSnapshot(msgspec.Struct, frozen=True, array_like=True):
    """A browser's ICE and DTLS. The fields are those of `media.engines.rtc_leg.Association`.

    The password is in it; see `LineSnapshot`.
    """

    key: str
    ufrag: str
    password: str
    fingerprint: tuple[str, str]
    sockets: tuple[tuple[str, int], ...]
    role: Literal["server", "client"]
    ice: str
    certificates: tuple[tuple[str, str], ...]


class BrowserSnapshot(msgspec.Struct, frozen=True, array_like=True):
    """What a leg is to its browser, beside its plain RTP in `LegSnapshot`.

    The fields are those of `media.engines.rtc_leg.BrowserLeg`.
    """

    name: str
    association: AssociationSnapshot
    mids: tuple[str, ...]
    places: tuple[int, ...]
    advertised: str
    version: int
    sent: bytes
    renumbered: dict[int, dict[int, int]] = {}


class CallMediaSnapshot(msgspec.Struct, frozen=True, array_like=True):
    """All streams of one call; `legs` is empty for a call without streams.

    engine: the name of the machine that carries them, where the engine has several. browsers: of those legs
    that are one.
    """

    call: str
    legs: list[LegSnapshot]
    engine: str = ""
    browsers: list[BrowserSnapshot] = []
