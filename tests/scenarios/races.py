"""Races: parties of a town do whatever they like at the same moment, drawn from a seed.

    draw(seed)    a Race: who is there, what their lines are like, who does what when
    play(race)    in a virtual world of its own; raises where a promise is broken
    shrink(race)  the same failure with as few acts as possible
    tell(race)    that one as a ladder, to be read like any other

The promises (design.md, and what each party sees from its own telephone):

  quiescence   nothing is left: no transaction, timer, dialog, port or task; no exception was logged
  records      whoever was seen to speak with somebody is so in a record, and each call has exactly one
  hearing      tests.scenarios.hearing: nobody hears whom they shouldn't, and all agree what was said last
  an exit      each caller has a final answer within EXIT_SECONDS, and nobody is left with silence
  emergency    whoever calls for help and doesn't give up is answered, as long as one operator is there

An act that can't be done when its time comes (to hold without a call) is passed over, so that a race may lose
any of its acts and is still one.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from media.engine import Source
from media.engines.fake import FakeEngine
from pbx.api.calls import CallApi, CallNotFound, NotPossibleNow
from pbx.records import CallRecord
from tests.scenarios.hearing import Hearing, streams
from tests.scenarios.racer import Racer
from tests.scenarios.town import ADDRESSES, BEFFROI, OPERATORS, PLAN_TEXT, Town
from tests.sim.ladder import Ladder
from tests.sim.network import Link
from tests.sim.world import FIRST_DAY, World, run

OFFICE = "name: État civil,   password: pw2010,"
PLAN = PLAN_TEXT.replace(OFFICE, f"{OFFICE} voicemail: {{email: etat-civil@valmont.example}},")
PEOPLE = ("1001", "1002", "1001-app", "2010", "2201", "2202", "2301", "2401")
ELSEWHERE = "10.54.9"
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # what a disk costs would be most of a race
PROMPT_SECONDS = 1.5
CLOCK_SECONDS = 0.001
EXIT_SECONDS = 330.0  # a hotline's last step rings somebody's telephones, and then a trunk
LEAVING_SECONDS = 80.0
TRIES = 4
CALL_BACK_SECONDS = 2_800.0  # pbx.completions: who asked to be called back waits for 45 minutes at most
SILENCE_SECONDS = 10.0
MEDIA_BACK_SECONDS = 0.2
CLEAN, LOSSY = Link(), Link(loss=0.08)
WILD = Link(loss=0.05, duplicate=0.1, reorder=0.2, jitter_seconds=0.01, reorder_seconds=0.4)
GAPS = (0.0, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.1, 0.2, 0.201, 0.3, 0.5, 0.5, 2.0, 5.0, 20.0)
PLACE = "705"
OUTSIDE, HELP = "00612345678", "18"
SERVICES = (
    "9",
    "9",
    "8000",
    "8100",
    "8200",
    "8301",
    "8301",
    "705",
    "705",
    "705",
    "9196",
    "8001",
    "8400",
    "2999",
)
DEEDS = (
    *("leave", "leave", "hold", "update", "ask", "refer", "refer", "attended", "attended", "answer"),
    *("answer", "decline", "mood", "mood", "press", "take-over", "pick-up", "die", "wake", "move"),
    *("api", "api", "api", "sign-in", "sign-out", "media", "retry", "refuse", "restart"),
)
WITHOUT_MEDIA = ("media engine lost", "media engine unavailable", "without media relay")
CODES = (
    *("*8", "*78", "#78#", "#21#", "*67*2010", "*61*2010*5", "*37", "*37", "#37#", "*66", "*69", "*77"),
    *("#77#", "*43", "#43#", "*48", "#48#", "*48*1", "*98", "*98", "*55", "*39", "*23", "#20#", "8001"),
)
ASKED = (
    *("hold", "resume", "mute", "unmute", "park", "retrieve", "pick-up", "hang-up", "digits", "answer"),
    *("originate", "originate", "transfer", "transfer", "transfer-to"),
)


@dataclass(frozen=True, slots=True)
class Act:
    """What one party does, and when. to: a number; pick: which of its calls, where it has several."""

    at: float
    who: str
    what: str
    to: str = ""
    pick: int = 0


@dataclass(frozen=True, slots=True)
class Race:
    """seed: of the network's chance. parties: who is there. link: their way to Beffroi, the operators' is
    clean."""

    seed: int
    parties: tuple[str, ...]
    link: Link
    acts: tuple[Act, ...]


def draw(seed: int) -> Race:
    """The race of a seed; the same one each time."""
    chance = random.Random(f"race {seed}")
    people = tuple(chance.sample(PEOPLE, chance.randint(2, 5)))
    operators = ("operateur-a", "operateur-b") if chance.random() < 0.4 else ()
    parties = (*people, *operators)
    link = chance.choice((CLEAN, CLEAN, CLEAN, LOSSY, WILD))
    at, acts = 0.0, []
    for number in range(chance.randint(4, 14)):
        at += chance.choice(GAPS)
        acts.append(_draw_act(chance, number, at, people, operators))
    return Race(seed, parties, link, tuple(acts))


def _draw_act(
    chance: random.Random, number: int, at: float, people: tuple[str, ...], operators: tuple[str, ...]
) -> Act:
    who, pick = chance.choice(people), chance.randrange(12)
    own = who.partition("-")[0]
    numbers = [other for one in people if (other := one.partition("-")[0]) != own] or [own]
    if number < 2 or chance.random() < 0.2:
        return Act(at, who, "dial", _number(chance, numbers, bool(operators)))
    if operators and chance.random() < 0.15:
        return _operators_act(chance, at, operators, numbers, pick)
    what = chance.choice(DEEDS)
    match what:
        case "refer":
            to = chance.choice((*numbers, *numbers, *SERVICES, "705", "705", "705"))
        case "mood":
            to = chance.choice(("0", "0.001", "0.3", "3", "never", "busy"))
        case "press":
            to = chance.choice(("1", "1", "0", "*6", "*2", "*7", "2"))
        case "pick-up":
            to = chance.choice(("*8", *(f"**{one}" for one in numbers)))
        case "take-over" | "attended":
            to = chance.choice(people)
        case "api":
            to = f"{chance.choice(ASKED)} {chance.choice(numbers)}"
        case _:
            to = ""
    return Act(at, who, what, to, pick)


def _operators_act(
    chance: random.Random, at: float, operators: tuple[str, ...], numbers: list[str], pick: int
) -> Act:
    """An operator calls somebody, hangs up, or fails; the last of them never fails."""
    direct = [f"+3338300{int(one) - 2000 + 1000:04}" for one in numbers if one[0] == "2"]
    public = ("+33383000100", "+33383000200", "+33383000300")
    match chance.randrange(4):
        case 0 | 1:
            return Act(at, operators[0], "dial", chance.choice((*direct, *public)))
        case 2:
            return Act(at, chance.choice(operators), "leave", "", pick)
        case _:
            return Act(at, operators[0], chance.choice(("die", "wake", "mood")), "fails", pick)


def _number(chance: random.Random, numbers: list[str], outside: bool) -> str:
    kind = chance.random()
    choices: tuple[str, ...] = tuple(numbers)
    if 0.55 < kind < 0.85:
        choices = (*SERVICES, *((OUTSIDE, HELP, HELP) if outside else ()))
    elif kind >= 0.85:
        choices = (*CODES, f"*21*{chance.choice(numbers)}", f"*62*{chance.choice(numbers)}")
    return chance.choice(choices)


# Played


class RacingEngine(FakeEngine):
    """Its prompts come to their end by themselves, and its process may be killed."""

    async def play(self, call: str, leg: str, source: Source, *, repeat: bool = False) -> None:
        await super().play(call, leg, source, repeat=repeat)
        if not repeat:
            asyncio.get_running_loop().call_later(PROMPT_SECONDS, self._end, call, leg, source)

    def _end(self, call: str, leg: str, source: Source) -> None:
        if self.playing.get((call, leg)) is source:
            self.finish(call, leg)

    def die(self) -> None:
        """Be killed, and be there again in a moment, with the same streams."""
        self.lose()
        asyncio.get_running_loop().call_later(MEDIA_BACK_SECONDS, self.come_back)


class Track:
    """The world of one race."""

    def __init__(self, world: World, race: Race) -> None:
        self.world = world
        self.race = race
        folder = world.closing.enter_context(TemporaryDirectory(prefix="race-", dir=IN_MEMORY))
        self.town = Town(world, PLAN, engine=RacingEngine(BEFFROI[0]), data_dir=Path(folder))
        self.racers = {name: self._racer(name, ADDRESSES.get(name, "")) for name in race.parties}
        self.everybody = list(self.racers.values())
        moving = {act.who for act in race.acts if act.what == "move"} & set(race.parties)
        self._elsewhere = {
            name: self._racer(name, f"{ELSEWHERE}.{number}", elsewhere=True)
            for number, name in enumerate(sorted(moving), start=1)
        }
        self.everybody += self._elsewhere.values()
        self.hearing = Hearing(self.town, self.everybody)
        self.called_for_help: list[tuple[Racer, str]] = []
        self._asking: set[asyncio.Task[None]] = set()

    @property
    def engine(self) -> RacingEngine:
        """The one of the process that there is now."""
        assert isinstance(self.town.engine, RacingEngine)
        return self.town.engine

    async def start(self) -> None:
        """Look the operators' names up, and let everybody register over clean lines."""
        await self.town.exchange.trunks.resolve()
        for racer in self.racers.values():
            if racer.password:
                racer.sign_in()
        await self.world.sleep(0.1)
        self.world.ladder.clear()
        for racer in self.everybody:
            if racer.password:
                racer.set_link(self.race.link)

    def _racer(self, name: str, address: str, *, elsewhere: bool = False) -> Racer:
        user, password, domain = name, f"pw{name}", ""
        for known, (operator, place) in OPERATORS.items():
            if operator == name:
                user, password, domain, address = "+33699999999", "", known, place
        title = f"{name}-elsewhere" if elsewhere else name
        host = self.world.host(title, address)
        racer = Racer(self.town, name, host, user=user, password=password)
        racer.domain = domain or racer.domain
        self.world.closing.push_async_callback(racer.close)
        return racer

    def do(self, act: Act) -> None:
        """One act, where it is possible."""
        racer = self.racers[act.who]
        if act.what == "wake" and racer.dead:
            racer.wake_up()
        if racer.dead:
            return
        self._do(racer, act)

    def _do(self, racer: Racer, act: Act) -> None:
        talk = _one(racer.talking, act.pick)
        match act.what:
            case "dial" | "pick-up":
                dialled = racer.call_number(act.to)
                if act.to == HELP:
                    self.called_for_help.append((racer, dialled.invite.call_id))
            case "take-over":
                self._take_over(racer, self.racers.get(act.to), act.pick)
            case "leave":
                for one in _one(racer.open, act.pick):
                    racer.leave(one)
            case "hold" | "update":
                for one in talk:
                    racer.hold(one, method="INVITE" if act.what == "hold" else "UPDATE")
            case "ask":
                for one in talk:
                    racer.ask_for_offer(one)
            case "refer":
                for one in talk:
                    racer.refer(one, f"sip:{act.to}@{racer.domain}")
            case "attended":
                for one in talk:
                    for other in _one([other for other in racer.open if other is not one], act.pick // 3):
                        racer.refer(one, racer.replaces(other))
                        helped = {one.invite.call_id, other.invite.call_id}  # goes on as somebody else's
                        self.called_for_help = [
                            (who, call_id) for who, call_id in self.called_for_help if call_id not in helped
                        ]
            case "answer" | "decline":
                for one in _one(racer.ringing, act.pick):
                    racer.final = 200 if act.what == "answer" else 603
                    racer.pick_up(one)
                    racer.final = 200
            case "mood":
                racer.answers_after = {"never": None, "busy": 0.0, "fails": 0.0}.get(act.to, 0.3)
                if act.to[0].isdigit():
                    racer.answers_after = float(act.to)
                racer.final = {"busy": 486, "fails": 503}.get(act.to, 200)
            case "api":
                task = self.world.loop.create_task(self._ask(racer, act))
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)
            case "press":
                self._press(act.to, act.pick)
            case "refuse":
                racer.refusals.append((488, ()))
            case "retry":
                racer.refusals.append((491, ()))
            case "die":
                self._die(racer)
            case "move":
                self._die(racer)
                self.racers[act.who] = self._elsewhere.pop(act.who, racer)
                if self.racers[act.who] is not racer:
                    self.racers[act.who].sign_in()
            case "sign-in" | "sign-out":
                racer.sign_in(expires_seconds=3600 if act.what == "sign-in" else 0)
            case "media":
                self.engine.die()
            case _:
                pass

    def _die(self, racer: Racer) -> None:
        """Its plug is pulled; the media process says so after a while."""
        racer.die()
        self.world.loop.call_later(SILENCE_SECONDS, self._fall_silent, racer)

    def _fall_silent(self, racer: Racer) -> None:
        for stream in streams(self.engine):
            host, port = stream.place
            if host == racer.host.address and (racer.dead or racer.has_forgotten(port)):
                self.engine.fall_silent(stream.call, stream.leg.name, SILENCE_SECONDS)

    def _press(self, digits: str, pick: int) -> None:
        """Somebody who listens to something presses keys."""
        for call, leg in _one(list(self.engine.playing), pick):
            self.engine.press(call, leg, digits)

    async def _ask(self, racer: Racer, act: Act) -> None:
        """A program asks for what its party might do by hand; it hears where that can't be."""
        what, _, number = act.to.partition(" ")
        pick = act.pick
        api = CallApi(self.town.exchange)
        who = racer.number if racer.password else racer.user
        calls = [view.id for view in api.calls(who)]
        call, other = (calls[pick % len(calls)], calls[pick // 2 % len(calls)]) if calls else ("", "")
        with suppress(CallNotFound, NotPossibleNow):
            match what:
                case "originate":
                    await api.originate(who, number)
                case "retrieve":
                    await api.retrieve(who, PLACE)
                case "pick-up":
                    await api.pick_up(who)
                case "hold":
                    await api.hold(who, call)
                case "resume":
                    await api.resume(who, call)
                case "mute" | "unmute":
                    await api.mute(who, call, on=what == "mute")
                case "transfer":
                    await api.transfer(who, number, call)
                case "transfer-to":
                    await api.transfer_to(who, call, other)
                case "park":
                    await api.park(who, PLACE, call)
                case "hang-up":
                    self.called_for_help = [one for one in self.called_for_help if one[0].number != who]
                    await api.hang_up(who, call)
                case "digits":
                    await api.send_digits(who, "12", call)
                case "answer":
                    await api.answer(who, call)

    def _take_over(self, racer: Racer, other: Racer | None, pick: int) -> None:
        """An INVITE with Replaces for a talk of another telephone; whether it may is Beffroi's matter."""
        for talk in _one(other.open if other is not None else [], pick):
            assert other is not None
            _, _, named = other.replaces(talk).partition("Replaces=")
            call_id, ours, theirs = named.split("%3B")
            racer.headers["Replaces"] = f"{call_id};{ours};{theirs}".replace("%3D", "=")
            racer.call_number(other.number)
            del racer.headers["Replaces"]

    async def go(self) -> None:
        """The acts, each at its time; then all that was begun comes to its end."""
        began = self.world.seconds
        for act in self.race.acts:
            await self.world.sleep(max(began + act.at - self.world.seconds, 0.0))
            self._look()
            if act.what == "restart":
                await self.town.restart()
            else:
                self.do(act)
        for seconds in (0.05, 1.0, 10.0, EXIT_SECONDS):
            await self.world.sleep(seconds)
            self._look()
        # What is said while the engine or the process is away, nobody knows.
        said = all(act.what not in ("media", "restart") for act in self.race.acts)
        self.hearing.agree(said=said, killed=self._restarts)
        if not self._restarts:
            self._assert_answered()
            self._assert_helped()
        await self._leave()
        self._assert_recorded()
        self._assert_no_error()

    @property
    def _restarts(self) -> bool:
        """Whether the process is killed: what rings then is gone, and nobody is told."""
        return any(act.what == "restart" for act in self.race.acts)

    def _look(self) -> None:
        self.hearing.look(self.world.wall().timestamp())

    def _assert_answered(self) -> None:
        for racer in self.everybody:
            for call_id in racer.dialled if not racer.dead else ():
                talk = racer.talks[call_id]
                assert talk.established or talk.over, (
                    f"no exit: {racer.name} dialled {racer.dialled[call_id]} and has no final answer"
                )

    def _assert_helped(self) -> None:
        operators = [racer for racer in self.everybody if not racer.password]
        for racer, call_id in self.called_for_help if operators else ():
            talk = racer.talks.get(call_id)
            if talk is not None and call_id not in racer.left:
                assert talk.established, f"emergency: {racer.name} called {HELP} and nobody answered"

    async def _leave(self) -> None:
        """Everybody hangs up, as often as somebody rings again; the dead are waited for."""
        waits = [CALL_BACK_SECONDS] if any(act.to == "*37" for act in self.race.acts) else []
        for seconds in (*waits, *[LEAVING_SECONDS] * TRIES):
            for racer in self.everybody:
                for talk in racer.open if not racer.dead else ():
                    racer.leave(talk)
            await self.world.sleep(seconds)
            self._look()
        for racer in self.everybody:
            for talk in racer.open if not racer.dead else ():
                if talk.established or not self._restarts:
                    raise AssertionError(f"no exit: {racer.name} can't leave its call {talk.invite.call_id}")

    def _assert_recorded(self) -> None:
        """Each conversation that was seen lies within a record of the two."""
        records = self.town.calls
        ids = [record.id for record in records]
        assert len(ids) == len(set(ids)), "records: a call has two"
        if not self._restarts:
            assert self.town.exchange.status()["ended_calls"] == len(ids), "records: a call has none"
        for seconds, one, other in self.hearing.conversations:
            assert any(_covers(record, seconds, "talk", one, other) for record in records), (
                f"records: {one} spoke with {other} {seconds - FIRST_DAY.timestamp():.3f} s after the start"
            )
        for seconds, one, other in self.hearing.in_rooms:
            for device in (one, other):
                assert any(_covers(record, seconds, "room", device) for record in records), (
                    f"records: {device} in a room"
                )

    def _assert_no_error(self) -> None:
        killed = any(act.what == "media" for act in self.race.acts)
        errors = [
            text
            for text in self.town.errors.inventory()
            if not (killed and any(known in text for known in WITHOUT_MEDIA))
        ]
        assert not errors, f"errors: {errors}"
        for text in self.town.errors.inventory():
            self.town.errors.expect(text)
        assert self.town.exchange.core.stack.counts["internal error"] == 0, "errors: in the driver"


def _one(things: list, pick: int) -> list:  # type: ignore[type-arg]
    """One of them, as a list, which is empty where there is none."""
    return things[pick % len(things) :][:1] if things else []


def _covers(record: CallRecord, seconds: float, kind: str, *devices: str) -> bool:
    """Whether these devices heard each other, or a room, in this call at that time."""
    names = {leg.name: leg.device for leg in record.legs}
    for interval in record.intervals:
        there = {names[name] for name in interval.legs}
        during = (
            interval.started - CLOCK_SECONDS <= seconds <= (interval.ended or record.ended) + CLOCK_SECONDS
        )
        if during and interval.kind == kind and there == {*devices}:
            return True
        if during and kind == "room" and interval.kind == "page" and {*devices} <= {*names.values()}:
            return True  # its legs are those who listen
        if during and interval.kind == "transfer" and there & {*devices}:
            return True  # until somebody rings, it hears who transfers
    return False


def play(race: Race, *, drawn: bool = False) -> Ladder:
    """Play a race; returns its ladder, which is empty unless it is to be `drawn`.

    Raises AssertionError (NotQuiet among them) where a promise is broken, and what was raised in our code.
    """
    ladders: list[Ladder] = []

    async def body(world: World) -> None:
        track = Track(world, race)
        ladders.append(world.ladder)
        if not drawn:
            world.network.watchers.clear()
        await track.start()
        await track.go()

    try:
        run(body, seed=race.seed)
    except BaseException as error:
        if drawn and ladders:
            error.add_note(ladders[0].render(times=True))
        raise
    return ladders[0]


# Shrunk and told


def broken(race: Race) -> str:
    """What promise a race breaks, in a line; "" for none."""
    try:
        play(race)
    except Exception as error:  # noqa: BLE001 - whatever was raised is what is looked for
        return f"{type(error).__name__}: {error}"
    return ""


def _kind(failure: str) -> str:
    """Two failures are the same one where these words are."""
    return failure.split("\n")[0].partition(" ")[0] + failure.partition(": ")[2].partition(":")[0][:30]


def shrink(race: Race) -> Race:
    """The race with as few acts as it takes to fail in the same way; itself where it doesn't fail."""
    kind = _kind(broken(race))
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(race):
            if _kind(broken(candidate)) == kind:
                race, smaller = candidate, True
                break
    return race


def _smaller(race: Race) -> Iterator[Race]:
    if race.link != CLEAN:
        yield replace(race, link=CLEAN)
    for number in reversed(range(len(race.acts))):
        yield replace(race, acts=race.acts[:number] + race.acts[number + 1 :])
    for party in race.parties:
        if all(act.who != party for act in race.acts):
            yield replace(race, parties=tuple(one for one in race.parties if one != party))


def tell(race: Race) -> str:
    """A race that fails: what is broken, the acts of which it takes that, and their ladder."""
    found = shrink(race)
    lines = [f"seed {race.seed}: {broken(found)}", f"parties: {', '.join(found.parties)}; {found.link}"]
    lines += [f"  {act.at:8.4f}  {act.who} {act.what} {act.to} ({act.pick})" for act in found.acts]
    try:
        play(found, drawn=True)
    except Exception as error:  # noqa: BLE001 - its note is the ladder
        lines += [note for note in getattr(error, "__notes__", ()) if "|" in note]
    return "\n".join(lines)
