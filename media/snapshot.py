"""What an engine keeps of a call's streams, as plain values: enough to go on in another process.

The exchange journals a `CallMediaSnapshot` beside the call's dialogs, and gives it back to the engine of
the next process. Only what both legs have agreed is in it: an offer that was under way is lost with its
transaction.
"""

import msgspec

from media.sdes import Policy
from media.sdp import Codec, MediaDescription


class RoomSnapshot(msgspec.Struct, frozen=True, array_like=True):
    """What a leg does in a room. whisper_call, whisper_to: who alone hears it, "" for all."""

    room: str
    speaks: bool
    hears: bool
    whisper_call: str = ""
    whisper_to: str = ""


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


class CallMediaSnapshot(msgspec.Struct, frozen=True, array_like=True):
    """All streams of one call; `legs` is empty for a call without streams.

    engine: the name of the machine that carries them, where the engine has several.
    """

    call: str
    legs: list[LegSnapshot]
    engine: str = ""
