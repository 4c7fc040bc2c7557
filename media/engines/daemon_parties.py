"""The calls that rtpengine daemons carry: their legs, and every further m= line as a party of its own."""

import asyncio
from typing import TYPE_CHECKING, Final, TypeAlias

from media.engine import LegMedia
from media.engines.daemon_counts import Counts
from media.engines.daemons import Daemon
from media.engines.pieces import Piece
from media.line import Line
from media.negotiation import Leg
from media.sdes import Crypto, Policy
from media.sdp import MediaDescription
from media.snapshot import LegSnapshot

if TYPE_CHECKING:
    from media.engines.daemon_recordings import Ear

NOTHING: Final = MediaDescription(
    "video", 0, 1, "RTP/AVP", ["96"], "", False, "inactive", [], 0, False, False, [], []
)


class Play:
    """What a leg is played. place: the piece that is heard, since `began_at`; timer: when it ends."""

    __slots__ = ("began_at", "pieces", "place", "repeat", "timer")

    def __init__(self, *, repeat: bool) -> None:
        self.pieces: tuple[Piece, ...] = ()
        self.place = 0
        self.began_at = 0.0
        self.repeat = repeat
        self.timer: asyncio.TimerHandle | None = None


class FurtherLine(Line):
    """Another m= line of a leg at the leg's daemon. joined: the daemon was told of one that it goes to.

    carried: the last description of it; planted, hushed: as those of the leg's sound.
    """

    __slots__ = ("carried", "hushed", "joined", "leg", "planted")

    def __init__(self, leg: "DaemonLeg") -> None:
        super().__init__(0, leg.random)
        self.leg = leg
        self.carried = NOTHING
        self.planted: Crypto | None = None
        self.hushed = ""
        self.joined = False

    @property
    def name(self) -> str:
        """The party that the line is to the daemon."""
        return f"{self.leg.name}+{self.place}"

    @property
    def shadow(self) -> str:
        """The party that the line is joined to while it is alone."""
        return f"~{self.name}"

    @property
    def tag(self) -> int:
        """Of its a=crypto lines: those of two lines that are joined differ, as their legs' do."""
        return self.leg.tag

    @property
    def address(self) -> str:
        """The address that its party is told."""
        return self.leg.address

    @property
    def nat(self) -> bool:
        """True behind a NAT."""
        return self.leg.nat

    @property
    def mate(self) -> "FurtherLine | None":
        """The line that it goes to, as both legs have agreed; None when it goes nowhere."""
        peer = self.leg.peer
        mate = peer.lines.get(self.other) if peer is not None else None
        if not isinstance(mate, FurtherLine):
            return None
        return mate if is_carried(self.remote) and is_carried(mate.remote) else None


class DaemonLeg(Leg):
    """A leg at its daemon. peer: the leg that it is joined to, None when it is alone with its shadow.

    hushed: the party that the daemon keeps the leg from hearing, "" for nobody; attended: it looks for keys
    in the leg's sound. packets: that came from it
    by the last look; heard_at: loop time of the look that found more, or of its first agreement.
    tag: of its a=crypto lines between the daemon and us; planted: the key of ours that the daemon has for it.
    ear: where the daemon sends what it says, None for nowhere; recording: its number, 0 for none.
    copies: where it sends the same for the recorder's tape.
    """

    __slots__ = (
        "attended", "copies", "ear", "echoes", "heard_at", "hushed", "packets", "peer", "planted", "play",
        "recording", "silent", "tag",
    )  # fmt: skip

    def __init__(self, name: str, address: str, session: int, tag: int) -> None:
        super().__init__(name, address, 0, session)
        self.tag = tag
        self.planted: Crypto | None = None
        self.ear: Ear | None = None
        self.copies: Ear | None = None
        self.recording = 0
        self.peer: DaemonLeg | None = None
        self.play: Play | None = None
        self.echoes = False
        self.hushed = ""
        self.attended = False
        self.packets = 0
        self.heard_at = -1.0
        self.silent = False

    @property
    def shadow(self) -> str:
        """The party that the leg is joined to while it is alone."""
        return f"~{self.name}"

    def new_line(self) -> Line:
        """See Leg."""
        return FurtherLine(self)

    def further(self) -> list[FurtherLine]:
        """Return the lines of the leg beside its sound that have a port."""
        return [line for line in self.lines.values() if isinstance(line, FurtherLine) and line.port]

    @property
    def ports(self) -> list[int]:
        """What its party is told to send to, line by line."""
        return [self.port, *(line.port for line in self.lines.values())]

    @property
    def speaks(self) -> bool:
        """True when packets are to be expected from the leg."""
        remote, peer = self.remote, self.peer
        if remote is None or not remote.port or remote.effective_direction != "sendrecv":
            return False
        return peer is None or (peer.remote is not None and peer.remote.effective_direction == "sendrecv")


Party: TypeAlias = DaemonLeg | FurtherLine


class DaemonCall:
    """The legs of one call. daemon: that has its streams, None before the first and once it is lost.

    parties: legs and further lines, by the names that the daemon knows them by.
    """

    __slots__ = ("asked_at", "daemon", "injects", "legs", "name", "parties", "policies", "reserving")

    def __init__(self, name: str) -> None:
        self.name = name
        self.daemon: Daemon | None = None
        self.legs: dict[str, DaemonLeg] = {}
        self.parties: dict[str, Party] = {}
        self.policies: dict[str, Policy] = {}
        self.reserving = False
        self.injects = False  # digits are put into its streams, which makes the daemon transcode them
        self.asked_at = 0.0


def is_carried(remote: MediaDescription | None) -> bool:
    """Say whether a line was agreed on."""
    return remote is not None and remote.port != 0


def in_order(one: Party, other: Party) -> tuple[Party, Party]:
    """Return two parties that are joined, the one first whose offer leaves the keys of both as they are."""
    if other.security is None or (one.security is not None and one.tag < other.tag):
        return one, other
    return other, one


def same_suite(one: Party, other: Party) -> bool:
    """Say whether both have keys, and of one suite."""
    if one.security is None or other.security is None:
        return False
    return one.security.theirs.suite == other.security.ours.suite


def restored(kept: LegSnapshot, tag: int) -> DaemonLeg:
    """Return the leg that a process before this one had."""
    stream = DaemonLeg(kept.name, kept.address, kept.session, tag)
    stream.restore(kept)
    stream.port, stream.echoes = kept.port, kept.echoes
    return stream


def close_ear(stream: DaemonLeg) -> None:
    """Hear no more of what a leg says."""
    if stream.ear is not None:
        stream.ear.socket.close()
        stream.ear = None


def leg_media(stream: DaemonLeg, counts: Counts, peer: Counts | None, now: float) -> LegMedia:
    """Return how a leg is, by what a daemon has counted of it and of its peer. now: loop time."""
    return LegMedia(
        (stream.address, stream.port),
        counts.remote if stream.receives else ("", 0),
        stream.codec,
        counts.packets,
        counts.received_bytes,
        peer.packets if peer is not None else 0,
        counts.lost,
        counts.jitter_ms,
        now - stream.heard_at if counts.packets else -1.0,
        counts.errors,
        0,
    )
