"""Who hears whom, by the engine, held against what the parties see from their telephones.

The parties' own view is the oracle: a telephone that has hung up neither speaks nor hears, two who speak are
each in a call and shown to each other, and whoever is in a call has somebody, or something, to hear.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from media import sdp
from media.engines.fake import FakeEngine
from media.snapshot import LegSnapshot
from tests.scenarios.party import Talk, place_of
from tests.scenarios.racer import Racer
from tests.scenarios.town import Town

SPEAKS = ("sendrecv", "sendonly")
HEARS = ("sendrecv", "recvonly")


@dataclass(frozen=True)
class Stream:
    """One leg of the engine's: where its party is, and what it is joined to."""

    call: str
    leg: LegSnapshot

    @property
    def place(self) -> tuple[str, int]:
        """Where the party hears; of no party before it has said so."""
        remote = self.leg.remote
        return (remote.host, remote.port) if remote is not None else ("", 0)

    @property
    def direction(self) -> str:
        """As the party said: `sendonly` is one that holds."""
        return self.leg.remote.effective_direction if self.leg.remote is not None else "inactive"


def streams(engine: FakeEngine) -> list[Stream]:
    """All streams that there are now."""
    return [Stream(call, leg) for call in engine.calls() for leg in engine.snapshot(call).legs]


def pairs(found: Sequence[Stream]) -> Iterator[tuple[Stream, Stream]]:
    """Those who are joined, each pair both ways; those of a room are pairs too."""
    by_name = {(stream.call, stream.leg.name): stream for stream in found}
    rooms: dict[str, list[Stream]] = {}
    for stream in found:
        if stream.leg.room is not None:
            rooms.setdefault(stream.leg.room.room, []).append(stream)
        elif stream.leg.peer and (peer := by_name.get((stream.call, stream.leg.peer))) is not None:
            yield stream, peer
    for together in rooms.values():
        for one in together:
            yield from ((one, other) for other in together if other is not one)


class Hearing:
    """Looks at who hears whom.

    conversations: (seconds, device, device) of those who were seen to speak with each other; in_rooms: of
    those in a room, which is each one's own call.
    """

    def __init__(self, town: Town, racers: Sequence[Racer]) -> None:
        self._town = town
        self._racers = racers
        self.conversations: list[tuple[float, str, str]] = []
        self.in_rooms: list[tuple[float, str, str]] = []

    @property
    def _engine(self) -> FakeEngine:
        return self._town.engine

    def look(self, seconds: float) -> None:
        """At any instant: nobody hears, or is heard, after both sides know that the call is over.

        Raises AssertionError otherwise.
        """
        by_address = {racer.host.address: racer for racer in self._racers}
        for one, other in pairs(streams(self._engine)):
            speaker, hearer = by_address.get(other.place[0]), by_address.get(one.place[0])
            if speaker is None or hearer is None:
                continue
            said, heard = speaker.talk_at(other.place[1]), hearer.talk_at(one.place[1])
            for racer, talk in ((speaker, said), (hearer, heard)):
                assert talk is None or talk.invite.call_id not in racer.closed, (
                    f"who hears whom: {racer.name} has hung up, and {hearer.name} hears {speaker.name}"
                )
            both_ways = one.direction == other.direction == "sendrecv" and not self._engine.playing.keys() & {
                (one.call, one.leg.name),
                (other.call, other.leg.name),
            }
            if (
                both_ways
                and said is not None
                and heard is not None
                and said.established
                and heard.established
            ):
                noted = self.conversations if one.leg.room is None else self.in_rooms
                noted.append((seconds, speaker.device, hearer.device))

    def agree(self, *, said: bool = True, killed: bool = False) -> None:
        """Once all is settled: each telephone in a call hears what it is to hear.

        said: whether the engine has to know what it said last. killed: whether the process was, so that a
        telephone may be in a call that nobody knows, and hears so when it hangs up.
        Raises AssertionError otherwise.
        """
        known = {leg.call_id for leg in self._town.exchange.legs()}
        by_port = {stream.leg.port: stream for stream in streams(self._engine)}
        by_name = {(stream.call, stream.leg.name): stream for stream in by_port.values()}
        for racer in self._racers:
            for talk in racer.talking if not racer.dead else ():
                if talk.invite.call_id not in known:
                    assert killed, f"no exit: {racer.name} is in a call that we don't know"
                    continue
                stream = by_port.get(place_of(talk.heard))
                if stream is None:
                    self._assert_direct(racer, talk)
                    continue
                if said:
                    self._assert_known(racer, talk, stream)
                peer = by_name.get((stream.call, stream.leg.peer))
                if peer is None or stream.leg.room is not None:
                    self._assert_entertained(racer, stream)
                else:
                    self._assert_shown(racer, talk, peer, killed=killed)

    def _assert_direct(self, racer: Racer, talk: Talk) -> None:
        """A call for help without a media process: the two send each other their sound."""
        place = sdp.parse(talk.heard).media[0]
        other = next((one for one in self._racers if one.host.address == place.host), None)
        if other is not None and (other.dead or other.has_forgotten(place.port)):
            return
        theirs = other.talk_at(place.port) if other is not None else None
        assert theirs is not None, f"who hears whom: {racer.name} sends to a port that nobody has"
        assert theirs.established, f"who hears whom: {racer.name} sends to a telephone that rings"
        assert not theirs.over, f"who hears whom: {racer.name} sends to a telephone that has hung up"

    def _assert_known(self, racer: Racer, talk: Talk, stream: Stream) -> None:
        """The engine knows what the party said last."""
        said, remote = sdp.parse(talk.said).media[0], stream.leg.remote
        assert remote is not None, f"agreement: {racer.name} is in a call that doesn't know its place"
        known = (remote.host, remote.port, remote.formats, remote.effective_direction)
        own = (said.host, said.port, said.formats, said.effective_direction)
        assert known == own, f"agreement: {racer.name} said {own} and the engine knows {known}"

    def _assert_entertained(self, racer: Racer, stream: Stream) -> None:
        key = stream.call, stream.leg.name
        engine = self._engine
        hears = key in engine.playing or stream.leg.echoes or stream.leg.room is not None
        hears = hears or key in engine.recording  # it leaves a message
        assert hears, f"no exit: {racer.name} is in a call where nobody is, and hears nothing"

    def _assert_shown(self, racer: Racer, talk: Talk, peer: Stream, *, killed: bool) -> None:
        other = next((one for one in self._racers if one.host.address == peer.place[0]), None)
        if other is None or other.dead or other.has_forgotten(peer.place[1]):
            return  # as one whose plug was pulled: the session timer finds it out
        theirs = other.talk_at(peer.place[1])
        assert theirs is not None, f"who hears whom: {racer.name} hears a call of {other.name} that isn't"
        # A process that was killed can't repeat its 200: who called goes on hearing it ring.
        assert theirs.established or killed, f"who hears whom: {racer.name} hears {other.name}, which rings"
        assert not theirs.over, f"who hears whom: {racer.name} hears {other.name}, which has hung up"
        shown = racer.displays[talk.invite.call_id]
        # An operator shows our people by other numbers, and a process that was killed can't repeat an UPDATE.
        if racer.password and other.password and not killed:
            assert shown == other.number, f"display: {racer.name} hears {other.user} and is shown {shown}"
