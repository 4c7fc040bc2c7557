"""Which calls are recorded, and what of them, whatever their parties do.

The plan says so of a line, a user or a trunk (`dialplan.recorded`). Each gives its policy to a party, who
carries it from one call to the next; whatever call a carrier is in is recorded, all of it:

    who carries the policy                            from                       until
    line     whoever called it                        the call came in, or it    their conversation is over,
                                                      was answered (`start:`)    wherever it went on
    user     the user's own telephone                 they called (`ringing`),   they hang up: who speaks on
                                                      somebody answered, or      without them isn't recorded
                                                      they asked (`asked`)
    trunk    the party outside                        likewise; their early      they hang up
                                                      media too (`ringing`)

    what the parties do                               what becomes of the recording
    hold, resume                                      it goes on, with what is played; a part of its own
    transfer, blind or attended, and back             it goes on with the carrier: who was recorded stays so,
                                                      at an unrecorded desk too
    whoever carries a line's policy transfers         the party that stays carries it from there on
    a consultation of who answered                    is no part of it, unless they are recorded themselves
    park, retrieve, pick up, queue, another device    it goes on, with new parties as they come
    three and more in a room                          it goes on: each party apart, and what the carrier hears
    a second policy meets (another line, a user)      has its own recording, at the same time
    the same policy meets in one call                 is one recording
    callers of one recorded room                      are one recording, from the first to the last
    a page                                            is who speaks
    asking, in a call that is recorded or for help    nothing: the one goes on, the other is the line's matter
    asking, while a party is on hold                  it begins; all are told of it when they speak again

Each party has two tracks: what it says, and what we say to it (music, prompts, a room's sound). A party that
comes back has its own again. Of a room of more than MOST_IN_ROOM, the others are heard in what the carrier
hears.

Nothing here waits for the recorder or holds up a call: a change is noted where it happens (`look`), and what
follows from it is done in the next turn of the loop. What goes wrong is told, and the call goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from dialplan.decision import ToPerson, ToTrunks
from dialplan.plan import Plan, RecordingPolicy
from media.engine import MOST_SLOTS, NO_TRACK, MediaMisuse, MediaRefused, MediaUnavailable, Source
from media.speech import Speech
from media.tones import Segment, Tone
from pbx.calls.intervals import present
from pbx.calls.transferee import Transferee
from pbx.events import AlarmRaised, RecordingChanged, RecordingFailed
from pbx.ongoing import Because, OngoingRecording
from pbx.recordings.policies import policies_of
from recording.live.wire import Facts, Policy

if TYPE_CHECKING:
    from pbx.calls.call import Call
    from pbx.calls.leg import Leg
    from pbx.exchange import Exchange
    from pbx.recordings.client import Recording

log = logging.getLogger(__name__)

MOST_TRACKS: Final = 64
MOST_IN_ROOM: Final = 16
LONGEST_NUMBER: Final = 64  # of what an operator tells us
BEEP: Final = Tone((Segment(200, (1400,)),))
NO_TAPE: Final = "the sound of this call doesn't pass through us"
_SPEAKING: Final = frozenset({"talk", "conference"})  # parts in which parties hear each other

_PARTS: Final[Mapping[str, str]] = {
    "held": "hold",
    "transfer": "transferred",
    "room": "conference",
    "park": "parked",
}
"""What a part is called, by the kind of the call's interval; others have its name."""


Outcome: TypeAlias = Literal["done", "none", "never", "failed"]
"""What came of asking: "none" where there is nothing to it, "never" where the plan doesn't let them stop,
"failed" where it can't be recorded now."""


class Recorder(Protocol):
    """What is asked of the recorder; see `pbx.recordings.client.RecorderClient`."""

    @property
    def is_well(self) -> bool: ...

    def policies(self, policies: Iterable[Policy]) -> None: ...

    def begin(self, facts: Facts) -> Recording: ...

    def restore(self, slot: int, recording: str, began_us: int, facts: Facts) -> Recording: ...

    def restored(self) -> None: ...

    def track(
        self, slot: int, track: int, party: str, leg: str, codecs: Mapping[str, str], call: str = ""
    ) -> None: ...

    def left(self, slot: int, track: int) -> None: ...

    def part(self, slot: int, what: str, with_whom: list[str]) -> None: ...

    def end(self, slot: int, cause: str) -> None: ...


@dataclass(slots=True)
class Voice:
    """A party of a recording. by, to: its tracks.

    place: the call and leg by which it is on the tape, ("", "") while it isn't; to_leg: whether what we say
    to it is as well. said: of its payload types.
    """

    party: str
    by: int
    to: int
    place: tuple[str, str] = ("", "")
    to_leg: bool = False
    said: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Followed:
    """A recording that goes on, or is about to. going: None until it begins.

    carriers: who carries its policy, and why. voices: its parties; tracks: how many they have had; free:
    those of parties that have gone, by party. part: as it was said last. stopped: by whom of ours, "" while
    it goes on. announced: its parties were told. failed: that was told.
    """

    policy: RecordingPolicy
    facts: Facts
    carriers: dict[Leg, Because] = field(default_factory=dict)
    voices: dict[Leg, Voice] = field(default_factory=dict)
    going: Recording | None = None
    part: tuple[str, list[str]] = ("", [])
    tracks: int = 0
    free: dict[str, tuple[int, int]] = field(default_factory=dict)
    stopped: str = ""
    announced: bool = False
    failed: bool = False
    cause: str = ""
    beeps: asyncio.Task[None] | None = None


class Recordings:
    """All recordings of a node's calls. See the module."""

    def __init__(self, exchange: Exchange, recorder: Recorder) -> None:
        self.recorder = recorder
        self._exchange = exchange
        self._of: dict[Leg, list[Followed]] = {}  # those that a leg carries, or has a voice in
        self._by_slot: dict[int, Followed] = {}
        self._due: dict[Followed, None] = {}
        self._is_due = False  # it is in the next turn
        self._is_working = False
        exchange.events.subscribe(self._failed, RecordingFailed)

    def __len__(self) -> int:
        return len(self._by_slot)

    def load(self, plan: Plan) -> None:
        """These are the policies from now on; what goes on keeps its own."""
        self.recorder.policies(policies_of(plan))

    # What calls tell

    def begun(self, call: Call) -> None:
        """A call begins, or goes where another decision leads."""
        for name in call.decision.recorded_lines:
            service = call.plan.services[name]
            if service.record is not None:
                self._carry(call.caller, call.plan.recordings[service.record], "line", line=name)
        if call.plan.tables.records_parties:
            self._look_at_parties(call)

    def look(self, call: Call) -> None:
        """Something has changed in a call: its parties, their sound, or who hears whom."""
        if call.plan.tables.records_parties:
            self._look_at_parties(call)
        for leg in call.legs:
            for one in self._of.get(leg, ()):
                self._make_due(one)

    async def catch_up(self) -> None:
        """Do what follows from all that was noted, before anything else has its turn.

        So two who have just been joined are on the tape before they say anything.
        """
        if not self._is_working:
            await self._work()

    def room_changed(self, calls: Iterable[Call]) -> None:
        """Others hear these calls' parties in a room from now on."""
        for call in calls:
            if call.recorded:
                self.look(call)

    def moved(self, first: Leg, leg: Leg) -> None:
        """A party goes on in another call, as another leg."""
        for one in self._of.pop(first, ()):
            if first in one.carriers:
                one.carriers[leg] = one.carriers.pop(first)
            if first in one.voices:
                one.voices[leg] = one.voices.pop(first)
            self._note(leg, one)

    def succeeded(self, leg: Leg, heir: Leg) -> None:
        """A party stays where another one was: it carries what that one carried of a line from now on."""
        for one in list(self._of.get(leg, ())):
            if one.carriers.get(leg) == "line":
                one.carriers.setdefault(heir, "line")
                self._note(heir, one)

    def left(self, leg: Leg) -> None:
        """A party has gone."""
        for one in self._of.pop(leg, ()):
            one.carriers.pop(leg, None)
            one.cause = leg.cause
            self._make_due(one)
            if not one.carriers:
                self._end(one)

    # Who is recorded

    def refuses(self, call: Call) -> bool:
        """Whether a call isn't to be taken, since it can't be recorded now. One for help always is."""
        plan, decision = call.plan, call.decision
        names = [plan.services[line].record for line in decision.recorded_lines]
        if plan.tables.records_parties:
            names += [policy for policy, _ in self._policies_of(call.caller)]
            match decision.target:
                case ToPerson(extension) if extension in plan.tables.recorded:
                    names.append(plan.tables.recorded[extension].policy)
                case ToTrunks(_, trunks):
                    names += [plan.trunks[name].record for name in trunks]
                case _:
                    pass
        if not any(plan.recordings[name].on_failure == "refuse" for name in names if name):
            return False
        return not (call.is_emergency or (self.recorder.is_well and call.engine.tapes))

    def may_be(self, call: Call, extension: str) -> bool:
        """Whether a call to somebody's telephones is recorded, or will be once it is answered."""
        return extension in call.plan.tables.recorded or any(
            self._of.get(leg) or any(True for _ in self._policies_of(leg)) for leg in call.legs
        )

    def ask(self, extension: str, but: Call, *, on: bool) -> Outcome:
        """Let the calls that somebody is in be recorded no more, or again (`on`).

        Where none was stopped, the last of them that they may have recorded is from now on (`start: asked`).
        but: the call by which they ask. Returns what came of it.
        """
        legs = [leg for leg in self._exchange.legs() if leg.call is not but and leg.number == extension]
        return self._ask(legs, extension, on=on)

    def ask_for(self, leg: Leg, *, on: bool) -> Outcome:
        """Let the call of one party of ours be recorded no more, again, or from now on; returns as `ask`."""
        return self._ask([leg], leg.number, on=on)

    def may_ask(self, leg: Leg) -> bool:
        """Whether a party may have its call recorded from now on."""
        return self._asked_by(leg) is not None

    def state_of(self, call: Call) -> tuple[str, bool]:
        """Whether a call is recorded now: "on", "stopped" by somebody in it, or ""; and whether they may."""
        all_of = [one for leg in call.legs for one in self._of.get(leg, ()) if leg in one.voices]
        state = "on" if any(not one.stopped for one in all_of) else "stopped" if all_of else ""
        return state, any(one.policy.may_stop for one in all_of)

    def _ask(self, legs: list[Leg], extension: str, *, on: bool) -> Outcome:
        found = {
            one: None
            for leg in legs
            if leg.confirmed
            for one in self._of.get(leg, ())
            if leg in one.voices and bool(one.stopped) is on
        }
        for one in (allowed := [one for one in found if one.policy.may_stop]):
            one.stopped = "" if on else extension
            log.warning(
                "recording=%s call=%s user=%s %s",
                one.going.recording if one.going is not None else "",
                one.facts.call,
                extension,
                "goes on" if on else "stopped",
            )
            self._make_due(one)
            self._exchange.events.publish(RecordingChanged, one.facts.call, "on" if on else "stopped")
        if found:
            return "done" if allowed else "never"
        return self._begin_by_hand(legs, extension) if on else "none"

    def _begin_by_hand(self, legs: list[Leg], extension: str) -> Outcome:
        may = [leg for leg in legs if self.may_ask(leg)]
        if not may:
            return "none"
        leg = max(may, key=lambda one: one.answered_at or 0.0)
        policy = self._asked_by(leg)
        assert policy is not None
        if not (self.recorder.is_well and leg.call.engine.tapes):
            return "failed"
        log.info("call=%s user=%s has it recorded as %s", leg.call.id, extension, policy.name)
        self._carry(leg, policy, "user")
        self._exchange.events.publish(RecordingChanged, leg.call.id, "on")
        return "done"

    def _asked_by(self, leg: Leg) -> RecordingPolicy | None:
        """The policy by which a party may have its call recorded; None where it may not, or it is already."""
        call = leg.call
        if not leg.confirmed or call.is_emergency or self.state_of(call)[0]:
            return None
        policies = [
            call.plan.recordings[name] for name, because in self._policies_of(leg) if because == "user"
        ]
        return next((policy for policy in policies if policy.start == "asked"), None)

    def _policies_of(self, leg: Leg) -> Iterator[tuple[str, Because]]:
        """What the plan has recorded of a party itself."""
        plan = leg.call.plan
        device = self._exchange.devices.find(leg.device)
        recorded = plan.tables.recorded.get(device.extension) if device is not None else None
        if recorded is not None:
            yield recorded.policy, "user"
        trunk = plan.trunks.get(leg.device)
        if trunk is not None and trunk.record is not None:
            yield trunk.record, "trunk"

    def _look_at_parties(self, call: Call) -> None:
        """A user is recorded from when they call, or answer; a trunk's party from when it is heard."""
        for leg in _who_speak(call):
            if leg.session is None or leg.ended_at is not None:
                continue
            for name, because in self._policies_of(leg):
                policy = call.plan.recordings[name]
                if policy.start == "asked":
                    continue
                early = policy.start == "ringing" and (leg is call.caller or because == "trunk")
                if leg.confirmed or early:
                    self._carry(leg, policy, because)

    def _carry(self, leg: Leg, policy: RecordingPolicy, because: Because, line: str = "") -> None:
        """A party carries a policy, unless it does already; in a call recorded by it, as one more."""
        call = leg.call
        if any(self._carried(party, policy.name) for party in _known_as(leg)):
            return
        room = self._exchange.rooms.get(line)
        there = [party for inside in room.parties for party in inside.legs] if room is not None else []
        for other in (*call.legs, *there):
            for one in self._carried(other, policy.name):
                one.carriers[leg] = because
                self._note(leg, one)
                return
        device = self._exchange.devices.find(leg.device) if because == "user" else None
        decision = call.decision
        facts = Facts(
            policy.name,
            call.id,
            line or call.line,
            device.extension if device is not None else "",
            (call.from_number or call.caller.told.number)[:LONGEST_NUMBER],
            _called(call)[:LONGEST_NUMBER],
            call.direction,
            decision.site,
        )
        one = Followed(policy, facts, {leg: because})
        self._note(leg, one)

    def _carried(self, leg: Leg, policy: str) -> list[Followed]:
        """The recordings by a policy that a leg carries."""
        return [one for one in self._of.get(leg, ()) if one.policy.name == policy and leg in one.carriers]

    def _note(self, leg: Leg, one: Followed) -> None:
        """A leg has something to do with a recording from now on, and changes it."""
        self._join(leg, one)
        self._make_due(one)

    def _join(self, leg: Leg, one: Followed) -> None:
        leg.call.recorded = True
        mine = self._of.setdefault(leg, [])
        if one not in mine:
            mine.append(one)

    # What follows from it

    def _make_due(self, one: Followed) -> None:
        self._due[one] = None
        if not (self._is_due or self._is_working):
            self._is_due = True
            self._exchange.beside(self._work_next(), "recordings")

    async def _work_next(self) -> None:
        self._is_due = False
        await self.catch_up()

    async def _work(self) -> None:
        self._is_working = True
        try:
            while self._due:
                one = next(iter(self._due))
                del self._due[one]
                try:
                    await self._settle(one)
                except Exception as error:  # the other recordings go on
                    log.exception("call=%s can't be followed", one.facts.call)
                    self._fail(one, f"it can't be followed: {type(error).__name__}")
        finally:
            self._is_working = False

    async def _settle(self, one: Followed) -> None:
        """Bring a recording to what its parties do now."""
        if one.going is None and one.carriers and self._begins(one):
            if any(carrier.call.engine.tapes for carrier in one.carriers):
                self._begin(one)
            else:
                self._fail(one, NO_TAPE)
        going = one.going
        if going is None:
            return
        wanted = self._wanted(one) if one.carriers and not one.stopped else {}
        changed = False
        for leg, voice in list(one.voices.items()):
            if leg not in wanted:
                changed = await self._silence(going.slot, leg, voice) or changed
            if leg.ended_at is not None:
                one.free[voice.party] = voice.by, voice.to
                del one.voices[leg]
        for leg, to_leg in wanted.items():
            changed = await self._hear(one, going.slot, leg, to_leg) or changed
        if one.carriers:
            changed = self._say_part(one, going.slot) or changed
            self._tell_asked(one)
        else:
            one.voices.clear()
        if changed:
            for call in dict.fromkeys(leg.call for leg in (*one.carriers, *one.voices)):
                if call.kept and call.legs:
                    call.write_down()

    def _begins(self, one: Followed) -> bool:
        """Whether it is time: from the first ring, or once a carrier is answered."""
        return one.policy.start == "ringing" or any(carrier.confirmed for carrier in one.carriers)

    def _begin(self, one: Followed) -> None:
        one.going = going = self.recorder.begin(one.facts)
        self._by_slot[going.slot] = one
        log.info("recording=%s call=%s policy=%s begins", going.recording, one.facts.call, one.policy.name)
        for carrier in one.carriers:  # that nothing comes from it before the answer is certified
            leg = _present(carrier)
            voice = self._voice(one, leg, leg.number or "anonymous")
            self.recorder.track(going.slot, voice.by, voice.party, leg.name, {})
        if one.policy.beep_seconds:
            one.beeps = self._exchange.beside(self._beep(one, one.policy.beep_seconds), "recording beeps")

    def _voice(self, one: Followed, leg: Leg, party: str) -> Voice:
        """A leg's voice in a recording: a new one, on its party's own tracks."""
        voice = one.voices[leg] = Voice(party, *_tracks_for(one, party))
        leg.call.was_recorded = True
        self._join(leg, one)
        return voice

    def _end(self, one: Followed) -> None:
        if one.beeps is not None:
            one.beeps.cancel()
            one.beeps = None
        if one.going is not None and self._by_slot.pop(one.going.slot, None) is not None:
            log.info("recording=%s call=%s ends: %s", one.going.recording, one.facts.call, one.cause)
            self.recorder.end(one.going.slot, one.cause or "ended")
        for leg in one.voices:
            mine = self._of.get(leg, [])
            if one in mine:
                mine.remove(one)
            if not mine:
                self._of.pop(leg, None)

    def _wanted(self, one: Followed) -> dict[Leg, bool]:
        """Whose sound is to be on the tape, and whether what we say to them is as well."""
        wanted: dict[Leg, bool] = {}
        for carrier in one.carriers:
            here = _present(carrier)
            if here is not carrier:
                wanted[here] = True
                continue  # it waits in another call, whose other parties don't hear what comes
            wanted.update(dict.fromkeys(_who_speak(carrier.call), True))
            for other in self._others_in_room(carrier.call):
                wanted.setdefault(other, False)
        return {
            leg: to_leg for leg, to_leg in wanted.items() if leg.session is not None and leg.ended_at is None
        }

    def _others_in_room(self, call: Call) -> list[Leg]:
        for room in self._exchange.rooms.values():
            if call in room.parties and len(room.parties) <= MOST_IN_ROOM:
                return [other.caller for other in room.parties if other is not call]
        return []

    async def _hear(self, one: Followed, slot: int, leg: Leg, to_leg: bool) -> bool:
        """Have a party on the tape; returns whether anything of that is new."""
        call, engine = leg.call, leg.call.engine
        if not engine.tapes:
            self._fail(one, NO_TAPE)
            return False
        codecs = engine.leg_codecs(call.id, leg.name)
        if not codecs:
            return False  # nothing was agreed on yet
        voice = one.voices.get(leg)
        if voice is None:
            party = leg.number or "anonymous"
            if not (party in one.free or one.tracks < MOST_TRACKS):
                self._fail(one, f"{party} is one voice too many")
                return False
            voice = self._voice(one, leg, party)
        if not voice.place[0] and self._taped(leg) >= MOST_SLOTS:
            self._fail(one, f"{voice.party} is one voice too many")
            return False
        place = call.id, leg.name
        if (voice.place, voice.to_leg, voice.said) == (place, to_leg, codecs):
            return False
        try:
            await engine.tape(call.id, leg.name, slot, voice.by, voice.to if to_leg else NO_TRACK)
        except (MediaMisuse, MediaRefused) as error:
            self._fail(one, str(error))
            return False
        voice.place, voice.to_leg, voice.said = place, to_leg, codecs
        self.recorder.track(slot, voice.by, voice.party, leg.name, codecs, call.id)
        if to_leg:
            self.recorder.track(slot, voice.to, f"to {voice.party}", leg.name, codecs)
        return True

    async def _silence(self, slot: int, leg: Leg, voice: Voice) -> bool:
        """Have a party on the tape no more; returns whether it was."""
        if not voice.place[0]:
            return False
        voice.place = "", ""
        self.recorder.left(slot, voice.by)
        try:
            await self._exchange.engine.tape(leg.call.id, leg.name, slot, NO_TRACK, NO_TRACK)
        except (MediaMisuse, MediaRefused):
            log.debug("call=%s leg=%s isn't on the tape", leg.call.id, leg.name)
        return True

    def _taped(self, leg: Leg) -> int:
        """For how many recordings a leg is on the tape."""
        return sum(
            1
            for one in self._of.get(leg, ())
            if one.going is not None and leg in one.voices and one.voices[leg].place[0]
        )

    def _say_part(self, one: Followed, slot: int) -> bool:
        carrier = next(iter(one.carriers))
        part = ("stopped", [one.stopped]) if one.stopped else _part_of(carrier, self._exchange)
        if part == one.part:
            return False
        one.part = part
        self.recorder.part(slot, *part)
        return True

    def _fail(self, one: Followed, why: str) -> None:
        if not one.failed:
            one.failed = True
            name = one.going.recording if one.going is not None else ""
            log.error("recording=%s call=%s fails: %s", name, one.facts.call, why)
            self._exchange.events.publish(RecordingFailed, name, one.facts.call, why)
            if one.going is None:
                self._raise_alarm(one)

    def _failed(self, event: RecordingFailed) -> None:
        """A recording that goes on has failed, here or at the recorder."""
        for one in list(self._by_slot.values()):
            if one.going is not None and one.going.recording == event.recording:
                self._raise_alarm(one)

    def _raise_alarm(self, one: Followed) -> None:
        """Raise the alarm that the plan names for when a recording fails."""
        if one.policy.alarm:
            self._exchange.events.publish(AlarmRaised, one.policy.alarm, one.facts.call, one.facts.line)

    async def _beep(self, one: Followed, every_seconds: int) -> None:
        """Let all who speak hear now and then that they are recorded."""
        while True:
            await asyncio.sleep(every_seconds)
            if one.part[0] != "talk" or one.stopped:
                continue
            await _sound(one, lambda call: BEEP)

    # What callers are told

    def _tell_asked(self, one: Followed) -> None:
        """Tell all who speak that somebody has begun to record them: in the plan's words, else by a beep."""
        if one.policy.start != "asked" or one.announced or one.part[0] not in _SPEAKING:
            return
        one.announced = True
        texts = one.policy.announce
        if texts:
            self._exchange.beside(_sound(one, lambda call: _speech(call, texts)), "recording announced")
        elif one.policy.beep_seconds:
            self._exchange.beside(_sound(one, lambda call: BEEP), "recording announced")

    def to_announce(self, call: Call) -> list[Mapping[str, str]]:
        """What the parties of a call are to be told of its recordings, by language, each once.

        Nothing in a call for help, and nothing before the answer: whoever calls this has answered.
        """
        if call.is_emergency:
            return []
        told: list[Mapping[str, str]] = []
        for one in dict.fromkeys(one for leg in call.legs for one in self._of.get(leg, ())):
            if one.policy.announce and not one.announced:
                one.announced = True
                told.append(one.policy.announce)
        return told

    # Over a restart of this process

    def ongoing(self, call: Call) -> tuple[OngoingRecording, ...]:
        """What another process needs to go on with the recordings of a call."""
        found = dict.fromkeys(one for leg in call.legs for one in self._of.get(leg, ()))
        return tuple(
            OngoingRecording(
                one.going.slot,
                one.going.recording,
                one.going.began_us,
                one.facts,
                {leg.name: because for leg, because in one.carriers.items() if leg.call is call},
                {
                    leg.name: (voice.party, voice.by, voice.to)
                    for leg, voice in one.voices.items()
                    if leg.call is call
                },
                one.tracks,
                one.stopped,
            )
            for one in found
            if one.going is not None and one.carriers
        )

    def restore(self, call: Call, kept: Iterable[OngoingRecording]) -> None:
        """Go on with the recordings of a call that was restored."""
        legs = {leg.name: leg for leg in call.legs if leg.session is not None}
        call.was_recorded = True
        for was in kept:
            one = self._by_slot.get(was.slot)
            if one is None:
                policy = call.plan.recordings.get(was.facts.policy) or _forgotten(was.facts.policy)
                going = self.recorder.restore(was.slot, was.recording, was.began_us, was.facts)
                one = self._by_slot[was.slot] = Followed(policy, was.facts, going=going, announced=True)
                one.stopped = was.stopped
                if policy.beep_seconds:
                    one.beeps = self._exchange.beside(self._beep(one, policy.beep_seconds), "recording beeps")
            one.tracks = max(one.tracks, was.tracks)
            for name, voice in was.voices.items():
                if name in legs:
                    one.voices[legs[name]] = Voice(*voice)
                    self._note(legs[name], one)
            for name, because in was.carriers.items():
                if name in legs:
                    one.carriers[legs[name]] = because
                    self._note(legs[name], one)

    def restored(self) -> None:
        """All calls are restored: recordings that nobody carries any more end."""
        for one in list(self._by_slot.values()):
            if not one.carriers:
                one.cause = "lost"
                self._end(one)
        self.recorder.restored()


async def _sound(one: Followed, made: Callable[[Call], Source]) -> None:
    """Play something to all parties of a recording, but in a call for help."""
    for leg, voice in list(one.voices.items()):
        if voice.place[0] and not leg.call.is_emergency:
            try:
                await leg.call.engine.play(*voice.place, made(leg.call))
            except (MediaMisuse, MediaRefused, MediaUnavailable):
                log.debug("call=%s leg=%s isn't told that it is recorded", *voice.place)


def _speech(call: Call, texts: Mapping[str, str]) -> Speech:
    language = call.language_of(texts)
    return Speech(texts[language], language)


def _called(call: Call) -> str:
    """What was called: of a call outside, the whole number."""
    target, dialled = call.decision.target, call.decision.dialled
    is_outside = isinstance(target, ToTrunks) and call.direction != "inbound" and not call.decision.diversions
    return target.number if isinstance(target, ToTrunks) and is_outside else dialled


def _who_speak(call: Call) -> list[Leg]:
    """The parties of a call; of a page who speaks, and not the many who listen."""
    return [call.caller] if call.one_to_many else call.legs


def _known_as(leg: Leg) -> Iterator[Leg]:
    """A party as it is in this call, and in those that it waits in."""
    yield leg
    while isinstance(leg, Transferee):
        leg = leg.first
        yield leg


def _tracks_for(one: Followed, party: str) -> tuple[int, int]:
    """The tracks of a party: its own of before, else new ones."""
    if party in one.free:
        return one.free.pop(party)
    one.tracks += 2
    return one.tracks - 2, one.tracks - 1


def _present(carrier: Leg) -> Leg:
    """Where a party is now: one that waits to be taken by somebody is in the call before."""
    leg = carrier
    while leg.session is None and isinstance(leg, Transferee) and leg.ended_at is None:
        leg = leg.first
    return leg


def _part_of(carrier: Leg, exchange: Exchange) -> tuple[str, list[str]]:
    """What a party does now, and who hear each other."""
    call = carrier.call
    if not carrier.confirmed or call.caller.answered_at is None:
        return "ringing", [call.caller.number or "anonymous"]
    kind, names = present(call)
    legs = [leg for leg in call.legs if leg.name in names]
    if kind == "room":
        for room in exchange.rooms.values():
            if call in room.parties:
                legs = [party.caller for party in room.parties]
    return _PARTS.get(kind, kind), [leg.number or "anonymous" for leg in legs]


def _forgotten(name: str) -> RecordingPolicy:
    """A policy that isn't in the plan any more: what goes on is followed to its end."""
    return RecordingPolicy(name, "", 1, "answer", "connect_and_alarm", None, "two_persons", 0, 0)
