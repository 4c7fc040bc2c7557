"""The engine of the virtual world: the same SDP as the real one, and no packets.

What it is asked is kept in `asked`, in order; what it tells is decided by the test (`press`, `finish`,
`finish_recording`, `fall_silent`, `lose`). Ports and session numbers count up from fixed values, so that a
golden ladder with SDP in it is the same in each run.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from media import dtmf, negotiation, wav
from media.codecs import SAMPLE_RATE
from media.engine import (
    NO_TRACK,
    CallMedia,
    DigitReceived,
    EngineLost,
    LegMedia,
    LegQuality,
    MediaEvent,
    MediaHeard,
    MediaMisuse,
    MediaRefused,
    MediaSilent,
    MediaUnavailable,
    Multicast,
    OneWayAudio,
    PictureWanted,
    PlayFinished,
    RecordEnd,
    RecordFinished,
    Source,
    SpeakerChanged,
    StreamLost,
)
from media.negotiation import Leg
from media.sdes import Policy
from media.snapshot import CallMediaSnapshot, RoomSnapshot


class Asked(NamedTuple):
    """One verb that the engine was asked. detail: its other argument, in words."""

    verb: str
    call: str
    leg: str
    detail: str = ""


class Taping(NamedTuple):
    """A leg is on the tape from now on, or no longer. at: seconds of the loop; both NO_TRACK when it ends."""

    at: float
    call: str
    leg: str
    slot: int
    by_leg: int
    to_leg: int


class FakeEngine:
    """A `media.engine.MediaEngine` without packets.

    address: put in SDP; first_port, last_port: as many legs as there are even ports between them;
    reserved_pairs: of these, taken by calls that `reserve` alone.
    """

    carries = True
    records = True
    tapes = True
    speaks_webrtc = False

    def __init__(
        self,
        address: str = "192.0.2.1",
        *,
        first_port: int = 20000,
        last_port: int = 29999,
        reserved_pairs: int = 0,
        events: Callable[[MediaEvent], None] | None = None,
    ) -> None:
        self.events: Callable[[MediaEvent], None] = events or self._keep
        self.asked: list[Asked] = []
        self.told: list[MediaEvent] = []
        self.playing: dict[tuple[str, str], Source] = {}
        self.echoing: set[tuple[str, str]] = set()
        self.speaking: set[tuple[str, str]] = set()
        self.recording: dict[tuple[str, str], Path] = {}
        self.tapings: list[Taping] = []
        self.recorded_seconds = 5.0  # of silence in each recording
        self._address = address
        self._free = list(range(last_port - last_port % 2, first_port - 1, -2))
        self._calls: dict[str, dict[str, Leg]] = {}
        self._policies: dict[str, dict[str, Policy]] = {}
        self._joined: dict[tuple[str, str], str] = {}
        self.measured: dict[tuple[str, str], LegQuality] = {}
        self._reserved_pairs = reserved_pairs
        self._reserving: set[str] = set()
        self._session = 1000
        self._drawn = 0
        self._lost = False

    def inventory(self) -> dict[str, int]:
        """Return what is held now: calls, ports given to legs, and what is playing."""
        ports = sum(len(_ports(leg)) for legs in self._calls.values() for leg in legs.values())
        return {
            "media_calls": len(self._calls),
            "media_ports": ports,
            "media_playing": len(self.playing) + len(self.echoing),
            "media_recording": len(self.recording),
        }

    def calls(self) -> list[str]:
        """Return the calls that have streams."""
        return list(self._calls)

    # -- what a test makes happen ------------------------------------------------------------------

    def press(self, call: str, leg: str, digits: str) -> None:
        """Let a leg press keys."""
        for digit in dtmf.digits_only(digits):
            self.events(DigitReceived(call, leg, digit))

    def finish(self, call: str, leg: str) -> None:
        """Let what a leg is played end. Raises MediaMisuse when nothing is playing."""
        if (call, leg) not in self.playing:
            raise MediaMisuse(f"nothing is playing to leg {leg} of call {call}")
        del self.playing[call, leg]
        self.events(PlayFinished(call, leg))

    def finish_recording(self, call: str, leg: str, why: RecordEnd = "key") -> None:
        """Let a recording end. Raises MediaMisuse when nothing is recorded."""
        if (call, leg) not in self.recording:
            raise MediaMisuse(f"leg {leg} of call {call} isn't recorded")
        self._end_recording(call, leg)
        self.events(RecordFinished(call, leg, why, self.recorded_seconds))

    def fall_silent(self, call: str, leg: str, seconds: float) -> None:
        """Let nothing come from a leg."""
        self.events(MediaSilent(call, leg, seconds))

    def be_heard(self, call: str, leg: str) -> None:
        """Let packets come again from a leg."""
        self.events(MediaHeard(call, leg))

    def hear_one_way(self, call: str, leg: str, seconds: float) -> None:
        """Let nothing come from a leg whose peer is heard."""
        self.events(OneWayAudio(call, leg, seconds))

    def want_picture(self, call: str, leg: str) -> None:
        """Let whoever sees a leg want a whole picture of it."""
        self.events(PictureWanted(call, leg))

    def measure(self, call: str, leg: str, quality: LegQuality) -> None:
        """Let a leg be heard so well."""
        self.measured[call, leg] = quality

    def speak_in(self, room: str, call: str, leg: str) -> None:
        """Let a leg be the loudest of its room; "" and "": nobody."""
        self.events(SpeakerChanged(room, call, leg))

    def room_of(self, call: str, leg: str) -> RoomSnapshot | None:
        """Return what a leg does in a room, None when it is in none."""
        return self._known(call, leg).room

    def lose_port(self, call: str, leg: str) -> None:
        """Let a leg's port not be had again."""
        self.events(StreamLost(call, leg, "taken by a test"))

    def lose(self, reason: str = "killed by a test") -> None:
        """Let the engine die: from here on every verb that needs it raises MediaUnavailable."""
        self._lost = True
        for call, leg in list(self.recording):
            self.finish_recording(call, leg, "lost")
        self.events(EngineLost(reason))

    def come_back(self) -> None:
        """Let the engine be there again, with the streams that it had."""
        self._lost = False

    # -- the verbs ---------------------------------------------------------------------------------

    def secure(self, call: str, leg: str, policy: Policy) -> None:
        """See MediaEngine."""
        self.asked.append(Asked("secure", call, leg, policy))
        stream = self._calls.get(call, {}).get(leg)
        if stream is not None:
            stream.secure(policy)
        else:
            self._policies.setdefault(call, {})[leg] = policy

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
        """See MediaEngine."""
        self._note("offer", call, leg, f"{to} simple" if simple else to)
        source, destination = self._leg(call, leg), self._leg(call, to)
        destination.address = advertise or self._address
        destination.simple = destination.simple or simple
        negotiation.hear_offer(source, destination, sdp, nat=nat)
        with suppress(MediaRefused):  # what has no port is refused, and the call goes on
            for line in (*source.portless(), *destination.portless()):
                line.port = self._take_port(call)
        return negotiation.tell_offer(source, destination)

    async def answer(
        self, call: str, leg: str, to: str, sdp: bytes, *, nat: bool = False, advertise: str = ""
    ) -> bytes:
        """See MediaEngine."""
        self._note("answer", call, leg, to)
        source, destination = self._known(call, leg), self._known(call, to)
        destination.address = advertise or self._address
        body = negotiation.answer(source, destination, sdp, nat=nat)
        if self._joined.get((call, leg)) != to:
            self._silence(call, leg)
            self._silence(call, to)
        self._joined[call, leg], self._joined[call, to] = to, leg
        return body

    async def publish(
        self, call: str, leg: str, sdp: bytes, *, nat: bool = False, advertise: str = ""
    ) -> bytes:
        """See MediaEngine."""
        self._note("publish", call, leg)
        stream = self._leg(call, leg)
        stream.address = advertise or self._address
        body = negotiation.publish(stream, sdp, nat=nat)
        self._joined.pop((call, leg), None)
        return body

    async def terminate_offer(self, call: str, leg: str, *, advertise: str = "") -> bytes:
        """See MediaEngine."""
        self._note("terminate_offer", call, leg)
        stream = self._leg(call, leg)
        stream.address = advertise or self._address
        return negotiation.terminate_offer(stream)

    async def terminate_answer(self, call: str, leg: str, sdp: bytes, *, nat: bool = False) -> None:
        """See MediaEngine."""
        self._note("terminate_answer", call, leg)
        negotiation.terminate_answer(self._known(call, leg), sdp, nat=nat)

    async def play(self, call: str, leg: str, source: Source, *, repeat: bool = False) -> None:
        """See MediaEngine."""
        self._note("play", call, leg, f"{source}{' repeated' if repeat else ''}")
        self._known(call, leg)
        self.playing[call, leg] = source

    async def stop(self, call: str, leg: str) -> None:
        """See MediaEngine."""
        self.asked.append(Asked("stop", call, leg))
        self._silence(call, leg)

    async def echo(self, call: str, leg: str) -> None:
        """See MediaEngine."""
        self._note("echo", call, leg)
        self._known(call, leg)
        self.echoing.add((call, leg))

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
        """See MediaEngine. The file gets its sound when the recording ends."""
        self._note("record", call, leg, f"{seconds:g} s, {silence_seconds:g} s of silence, {keys}")
        self._known(call, leg)
        if (call, leg) in self.recording:
            self.finish_recording(call, leg, "stopped")
        self.recording[call, leg] = Path(path)
        self.recording[call, leg].write_bytes(wav.header(0, SAMPLE_RATE))

    async def stop_recording(self, call: str, leg: str) -> None:
        """See MediaEngine."""
        self.asked.append(Asked("stop_recording", call, leg))
        if (call, leg) in self.recording:
            self.finish_recording(call, leg, "stopped")

    async def tape(self, call: str, leg: str, slot: int, by_leg: int, to_leg: int) -> None:
        """See MediaEngine. What becomes of it is in `tapings`."""
        ends = by_leg == to_leg == NO_TRACK
        if not ends and not self.tapes:
            raise MediaRefused(488, "this engine has no tape")
        known = self._calls.get(call, {}).get(leg) if ends else self._known(call, leg)
        if known is None:
            return
        ended = [kept for kept in known.tapes if slot in (kept, 0)] if ends else [slot]
        known.tape(slot, by_leg, to_leg)
        self._note_tapings(call, leg, ended, by_leg, to_leg)

    def taped(self, call: str, leg: str) -> dict[int, tuple[int, int]]:
        """Return a leg's tracks on the tape by slot, as they are now; {} for none."""
        known = self._calls.get(call, {}).get(leg)
        return dict(known.tapes) if known is not None else {}

    async def dtmf(self, call: str, leg: str, digits: str) -> None:
        """See MediaEngine."""
        self._note("dtmf", call, leg, dtmf.digits_only(digits))
        self._known(call, leg)

    def ask_for_picture(self, call: str, leg: str) -> None:
        """See MediaEngine."""
        self._note("ask_for_picture", call, leg)
        self._known(call, leg)

    async def multicast(self, call: str, leg: str, to: Multicast) -> None:
        """See MediaEngine."""
        self._note(
            "multicast", call, leg, f"{to.host}:{to.port} {to.codec} ttl {to.ttl} {to.interface}".strip()
        )
        negotiation.send_to(self._leg(call, leg), to.host, to.port, to.codec)

    async def join(self, call: str, leg: str, room: str, *, speaks: bool = True, hears: bool = True) -> None:
        """See MediaEngine."""
        muted = "" if speaks else " muted"
        self._note("join", call, leg, f"{room}{muted}{'' if hears else ' deaf'}")
        self._known(call, leg).join(room, speaks=speaks, hears=hears)

    async def leave(self, call: str, leg: str) -> None:
        """See MediaEngine."""
        self.asked.append(Asked("leave", call, leg))
        if leg in self._calls.get(call, {}):
            self._calls[call][leg].room = None

    async def whisper(self, call: str, leg: str, to: str | None, *, to_call: str = "") -> None:
        """See MediaEngine."""
        self._note("whisper", call, leg, to or "")
        hearer_call = to_call or call
        hearer = self._known(hearer_call, to) if to is not None else None
        self._known(call, leg).whisper(hearer, hearer_call)

    async def query(self, call: str) -> CallMedia:
        """See MediaEngine. All counts are zero, but for one packet of a leg that speaks."""
        self._note("query", call, "")
        legs = self._calls.get(call, {}).items()
        return CallMedia({name: _leg_media(leg, (call, name) in self.speaking) for name, leg in legs})

    async def delete(self, call: str) -> None:
        """See MediaEngine."""
        self.asked.append(Asked("delete", call, ""))
        self._reserving.discard(call)
        self._policies.pop(call, None)
        for name, leg in self._calls.pop(call, {}).items():
            self._silence(call, name)
            self._end_recording(call, name)
            self._note_tapings(call, name, list(leg.tapes), NO_TRACK, NO_TRACK)
            self._joined.pop((call, name), None)
            self._give_back(leg)

    def reserve(self, call: str) -> None:
        """See MediaEngine."""
        self._reserving.add(call)

    async def renew(self, call: str, leg: str) -> None:
        """See MediaEngine."""
        self._note("renew", call, leg)
        stream = self._known(call, leg)
        former, stream.port = stream.port, self._take_port(call)
        self._free.insert(0, former)

    async def move(self, call: str, leg: str, to_call: str, to_leg: str) -> bool:
        """See MediaEngine."""
        self._note("move", call, leg, f"{to_call} {to_leg}")
        stream = self._known(call, leg)
        for owner, name in ((call, leg), (to_call, to_leg)):
            self._silence(owner, name)
            peer = self._joined.pop((owner, name), None)
            if peer is not None:
                self._joined.pop((owner, peer), None)
        legs = self._calls.setdefault(to_call, {})
        if to_leg in legs:
            self._note_tapings(to_call, to_leg, list(legs[to_leg].tapes), NO_TRACK, NO_TRACK)
            self._give_back(legs[to_leg])
        del self._calls[call][leg]
        stream.name = to_leg
        legs[to_leg] = stream
        return True

    def codec(self, call: str, leg: str) -> str:
        """See MediaEngine."""
        stream = self._calls.get(call, {}).get(leg)
        return stream.codec if stream is not None else ""

    def leg_codecs(self, call: str, leg: str) -> dict[str, str]:
        """See MediaEngine."""
        known = self._calls.get(call, {}).get(leg)
        return known.codecs_by_number if known is not None else {}

    def quality(self, call: str, leg: str) -> LegQuality | None:
        """See MediaEngine."""
        return self.measured.get((call, leg))

    def snapshot(self, call: str) -> CallMediaSnapshot:
        """See MediaEngine."""
        return CallMediaSnapshot(
            call,
            [
                leg.snapshot(self._joined.get((call, name), ""), echoes=(call, name) in self.echoing)
                for name, leg in self._calls.get(call, {}).items()
            ],
        )

    def restore(self, snapshot: CallMediaSnapshot) -> None:
        """See MediaEngine."""
        call = snapshot.call
        if call in self._calls or any(
            port not in self._free
            for kept in snapshot.legs
            for port in (kept.port, *(line.port for line in kept.lines))
        ):
            raise MediaMisuse(f"call {call} or its ports are in use")
        self.asked.append(Asked("restore", call, ""))
        for kept in snapshot.legs:
            leg = Leg(kept.name, kept.address, kept.port, kept.session, self._random)
            leg.restore(kept)
            for port in _ports(leg):
                self._free.remove(port)
            self._calls.setdefault(call, {})[kept.name] = leg
            self._session = max(self._session, kept.session)
            if kept.peer:
                self._joined[call, kept.name] = kept.peer
            if kept.echoes:
                self.echoing.add((call, kept.name))

    def _note(self, verb: str, call: str, leg: str, detail: str = "") -> None:
        if self._lost:
            raise MediaUnavailable("the media process is gone")
        self.asked.append(Asked(verb, call, leg, detail))

    def _note_tapings(self, call: str, leg: str, slots: list[int], by_leg: int, to_leg: int) -> None:
        for slot in slots:
            now = asyncio.get_running_loop().time()
            self.tapings.append(Taping(now, call, leg, slot, by_leg, to_leg))

    def _leg(self, call: str, name: str) -> Leg:
        legs = self._calls.get(call, {})
        if name not in legs:
            port = self._take_port(call)
            self._session += 1
            legs[name] = Leg(name, self._address, port, self._session, self._random)
            legs[name].policy = self._policies.get(call, {}).pop(name, "off")
            self._calls[call] = legs
        return legs[name]

    def _give_back(self, leg: Leg) -> None:
        for port in _ports(leg):
            self._free.insert(0, port)

    def _random(self, length: int) -> bytes:
        """Return keys that are the same in each run."""
        self._drawn += 1
        return self._drawn.to_bytes(length)

    def _take_port(self, call: str) -> int:
        if len(self._free) <= (0 if call in self._reserving else self._reserved_pairs):
            raise MediaRefused(480, "no media port left")
        return self._free.pop()

    def _known(self, call: str, name: str) -> Leg:
        try:
            return self._calls[call][name]
        except KeyError:
            raise MediaMisuse(f"call {call} has no media for leg {name}") from None

    def _end_recording(self, call: str, leg: str) -> None:
        path = self.recording.pop((call, leg), None)
        if path is not None:
            sound = bytes(2 * round(self.recorded_seconds * SAMPLE_RATE))
            path.write_bytes(wav.header(len(sound), SAMPLE_RATE) + sound)

    def _silence(self, call: str, leg: str) -> None:
        self.playing.pop((call, leg), None)
        self.echoing.discard((call, leg))

    def _keep(self, event: MediaEvent) -> None:
        self.told.append(event)


def _ports(leg: Leg) -> list[int]:
    return [leg.port, *(line.port for line in leg.lines.values() if line.port)]


def _leg_media(leg: Leg, speaks: bool) -> LegMedia:
    remote = (leg.remote.host, leg.remote.port) if leg.remote is not None and leg.receives else ("", 0)
    packets, silent_seconds = (1, 0.0) if speaks else (0, -1.0)
    return LegMedia((leg.address, leg.port), remote, leg.codec, packets, 0, 0, 0, 0.0, silent_seconds, 0, 0)
